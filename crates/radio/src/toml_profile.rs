//! Reading a profile from TOML: degrees, kilometres, milliseconds and Mbit/s become radians, metres, seconds and kbit/s here.
//!
//! Every number is `{ value = 25.0, source = "FCC 21-48" }`; a number without a source is an error, and so is an unknown
//! key. Errors name the line and the field.

use crate::{
    Antenna, CoChannel, FeederLinks, LaserLinks, LinkBudget, LinkLimit, LinkParameters, Modem,
    Power, ProcessingDelays, Profile, RateModel, Receiver, Steering, UserLinks,
};
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Why a text is not a radio profile.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The text is not TOML.
    #[error("line {line}: {message}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// What the TOML parser says.
        message: String,
    },
    /// A key that means nothing here.
    #[error("line {line}: unknown key `{field}`{}", did_you_mean(.suggestion))]
    UnknownKey {
        /// Line, from 1.
        line: usize,
        /// The key with its table.
        field: String,
        /// The nearest key that is known.
        suggestion: Option<String>,
    },
    /// A key that must be there is not.
    #[error("line {line}: `{field}` is missing")]
    Missing {
        /// Line of the table that lacks it, from 1.
        line: usize,
        /// The key with its table.
        field: String,
    },
    /// A value of the wrong kind.
    #[error("line {line}: `{field}` must be {expected}, not {found}")]
    WrongType {
        /// Line, from 1.
        line: usize,
        /// The key with its table.
        field: String,
        /// What is wanted.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A number outside its range.
    #[error("line {line}: `{field}` is {value}, outside {least} to {greatest}")]
    OutOfRange {
        /// Line, from 1.
        line: usize,
        /// The key with its table.
        field: String,
        /// What is there.
        value: f64,
        /// Least value allowed.
        least: f64,
        /// Greatest value allowed.
        greatest: f64,
    },
    /// Two keys of which exactly one must be given.
    #[error("line {line}: give either `{first}` or `{second}` in [{table}], {}", if *.both { "not both" } else { "neither is there" })]
    EitherOr {
        /// Line of the table, from 1.
        line: usize,
        /// The table.
        table: &'static str,
        /// One key.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// Whether both are given (else none is).
        both: bool,
    },
    /// A key that only makes sense with another one.
    #[error("line {line}: `{field}` has no meaning beside `{beside}`")]
    Meaningless {
        /// Line, from 1.
        line: usize,
        /// The key with its table.
        field: String,
        /// The key that excludes it.
        beside: &'static str,
    },
    /// Points of a curve that do not ascend.
    #[error("line {line}: the elevations of `{field}` must ascend")]
    NotAscending {
        /// Line, from 1.
        line: usize,
        /// The key with its table.
        field: String,
    },
    /// No built-in profile of that name.
    #[error("there is no built-in radio profile `{name}`{}; there are: {}", did_you_mean(.suggestion), Profile::builtin_names().collect::<Vec<_>>().join(", "))]
    UnknownProfile {
        /// The name asked for.
        name: String,
        /// The nearest name that exists.
        suggestion: Option<String>,
    },
}

fn did_you_mean(suggestion: &Option<String>) -> String {
    suggestion
        .as_ref()
        .map_or_else(String::new, |s| format!("; did you mean `{s}`?"))
}

/// The word nearest to `word`, if it is near enough to be a slip of the pen.
fn nearest<'a>(word: &str, among: impl Iterator<Item = &'a str>) -> Option<String> {
    // 0.7 of Damerau-Levenshtein similarity: one slip in four letters, two in seven.
    among
        .map(|known| (strsim::normalized_damerau_levenshtein(word, known), known))
        .filter(|&(similarity, _)| similarity >= 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known.to_owned())
}

const BUILTIN: [(&str, &str); 5] = [
    (
        "starlink",
        include_str!("../../../data/radio/starlink.toml"),
    ),
    (
        "starlink-mixed",
        include_str!("../../../data/radio/starlink-mixed.toml"),
    ),
    (
        "starlink-v2mini",
        include_str!("../../../data/radio/starlink-v2mini.toml"),
    ),
    (
        "starlink-v1.5",
        include_str!("../../../data/radio/starlink-v1.5.toml"),
    ),
    (
        "national",
        include_str!("../../../data/radio/national.toml"),
    ),
];

impl Profile {
    /// Names of the built-in profiles, the default first.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|&(name, _)| name)
    }

    /// The built-in profile of that name.
    pub fn builtin(name: &str) -> Result<Self, ProfileError> {
        match BUILTIN.iter().find(|&&(known, _)| known == name) {
            Some((_, text)) => Self::from_toml(text),
            None => Err(ProfileError::UnknownProfile {
                name: name.to_owned(),
                suggestion: nearest(name, Self::builtin_names()),
            }),
        }
    }

    /// Reads a profile. `docs/radio-profile.md` lists the keys.
    pub fn from_toml(text: &str) -> Result<Self, ProfileError> {
        let document = DeTable::parse(text).map_err(|error| ProfileError::Syntax {
            line: line_of(text, error.span().unwrap_or(0..0)),
            message: error.message().to_owned(),
        })?;
        let root = Section {
            text,
            name: "",
            line: 1,
            table: document.get_ref(),
        };
        root.only(&["name", "user", "feeder", "laser", "delays"])?;
        Ok(Self {
            name: root.string("name")?,
            user: user(&root.table("user")?)?,
            feeder: feeder(&root.table("feeder")?)?,
            laser: laser(&root.table("laser")?)?,
            delays: delays(&root.table("delays")?)?,
        })
    }
}

const LIMIT_KEYS: [&str; 3] = ["min_elevation_deg", "gso_exclusion_deg", "max_range_km"];
/// No link of a satellite in low or medium orbit is longer.
const MAX_RANGE_KM: RangeInclusive<f64> = 1.0..=100_000.0;
/// 10 Tbit/s: far above anything announced, and `u32` holds a beam's rate up to 4.2 Tbit/s.
const MAX_MBIT_S: f64 = 10_000_000.0;
const MAX_BEAM_MBIT_S: f64 = 4_000_000.0;

fn user(section: &Section) -> Result<UserLinks, ProfileError> {
    let mut keys = LIMIT_KEYS.to_vec();
    keys.extend(["channels", "beams_per_channel", "time_slices"]);
    keys.extend([
        "down_mbit_s",
        "down_mbit_s_by_elevation_deg",
        "up_mbit_s",
        "up_mbit_s_by_elevation_deg",
        "beam",
        "down",
        "up",
    ]);
    section.only(&keys)?;
    let limit = limit(section)?;
    let beams_per_channel = section.count("beams_per_channel", 1..=255)? as u8;
    // Both directions share what is known of the beams.
    let beam = |cross_polar_db| -> Result<CoChannel, ProfileError> {
        let beam = section.inner("beam", "user.beam")?;
        beam.only(&[
            "width_deg",
            "altitude_km",
            "separation_km",
            "satellites_in_view",
        ])?;
        Ok(CoChannel {
            half_width_rad: beam.number("width_deg", 0.01..=30.0)?.to_radians() / 2.0,
            beams_per_channel,
            altitude_m: beam.number("altitude_km", 100.0..=40_000.0)? * 1e3,
            separation_m: beam.number("separation_km", 0.1..=10_000.0)? * 1e3,
            // What a range limit leaves is counted as if it went to the horizon.
            min_elevation_rad: limit.min_elevation_rad().max(0.0),
            satellites_in_view: beam.number("satellites_in_view", 1.0..=10_000.0)?,
            cross_polar_db,
        })
    };
    let user = UserLinks {
        limit,
        channels: section.count("channels", 1..=32)? as u8,
        beams_per_channel,
        time_slices: section.count("time_slices", 1..=255)? as u8,
        down: match section
            .budget_beside("down", &["down_mbit_s", "down_mbit_s_by_elevation_deg"])?
        {
            true => RateModel::LinkBudget(user_down(&section.inner("down", "user.down")?, beam)?),
            false => rate(section, "down_mbit_s", "down_mbit_s_by_elevation_deg")?,
        },
        up: match section.budget_beside("up", &["up_mbit_s", "up_mbit_s_by_elevation_deg"])? {
            true => RateModel::LinkBudget(user_up(&section.inner("up", "user.up")?, beam)?),
            false => rate(section, "up_mbit_s", "up_mbit_s_by_elevation_deg")?,
        },
    };
    if let Some((line, _)) = section.find("beam")
        && !matches!(user.down, RateModel::LinkBudget(_))
        && !matches!(user.up, RateModel::LinkBudget(_))
    {
        return Err(ProfileError::Meaningless {
            line,
            field: "user.beam".to_owned(),
            beside: "fixed rates",
        });
    }
    Ok(user)
}

/// Keys that every link budget has.
const BUDGET_KEYS: [&str; 6] = [
    "frequency_ghz",
    "channel_mhz",
    "polarisations",
    "data_share",
    "gap_db",
    "most_bit_per_symbol",
];
const TERMINAL_KEYS: [&str; 3] = [
    "terminal_diameter_m",
    "terminal_efficiency",
    "terminal_scan_exponent",
];
const GATEWAY_KEYS: [&str; 2] = ["antenna_diameter_m", "antenna_efficiency"];

fn user_down(
    section: &Section,
    beam: impl Fn(f64) -> Result<CoChannel, ProfileError>,
) -> Result<Arc<LinkBudget>, ProfileError> {
    let mut keys = [&BUDGET_KEYS[..], &TERMINAL_KEYS].concat();
    keys.extend(["cross_polar_db", "flux_dbw_m2_mhz", "receiver_noise_k"]);
    section.only(&keys)?;
    let given = parameters(
        section,
        terminal(section)?,
        down_power(section)?,
        ground_noise(section)?,
    )?;
    with_interference(section, given, beam)
}

fn user_up(
    section: &Section,
    beam: impl Fn(f64) -> Result<CoChannel, ProfileError>,
) -> Result<Arc<LinkBudget>, ProfileError> {
    let mut keys = [&BUDGET_KEYS[..], &TERMINAL_KEYS].concat();
    keys.extend([
        "cross_polar_db",
        "channel_share",
        "duty",
        "eirp_dbw",
        "eirp_headroom_db",
        "g_over_t_db_k",
    ]);
    section.only(&keys)?;
    let power = Power::Eirp {
        dbw: section.number("eirp_dbw", EIRP_DBW)?,
        headroom_db: section.number("eirp_headroom_db", 0.0..=60.0)?,
    };
    let given = LinkParameters {
        channel_share: section.number("channel_share", 0.001..=1.0)?,
        duty: section.number("duty", 0.001..=1.0)?,
        ..parameters(section, terminal(section)?, power, satellite(section)?)?
    };
    with_interference(section, given, beam)
}

fn with_interference(
    section: &Section,
    mut given: LinkParameters,
    beam: impl Fn(f64) -> Result<CoChannel, ProfileError>,
) -> Result<Arc<LinkBudget>, ProfileError> {
    const ISOLATION: &str = "cross_polar_db";
    let cross_polar_db = match (given.polarisations, section.find(ISOLATION)) {
        (1, None) => f64::INFINITY,
        (1, Some((line, _))) => {
            return Err(ProfileError::Meaningless {
                line,
                field: section.field(ISOLATION),
                beside: "polarisations = 1",
            });
        }
        _ => section.number(ISOLATION, 0.0..=100.0)?,
    };
    given.c_over_i_db = beam(cross_polar_db)?.typical_db(&given.ground, given.frequency_hz);
    Ok(Arc::new(LinkBudget::new(given).with_table()))
}

fn feeder_budget(
    section: &Section,
    direction: &'static str,
    name: &'static str,
) -> Result<Option<Arc<LinkBudget>>, ProfileError> {
    if section.find(direction).is_none() {
        return Ok(None);
    }
    let section = section.inner(direction, name)?;
    let mut keys = [&BUDGET_KEYS[..], &GATEWAY_KEYS].concat();
    keys.push("c_over_i_db");
    let up = direction == "up";
    keys.extend(match up {
        true => ["eirp_dbw", "g_over_t_db_k"],
        false => ["flux_dbw_m2_mhz", "receiver_noise_k"],
    });
    section.only(&keys)?;
    let dish = Antenna {
        diameter_m: section.number("antenna_diameter_m", DIAMETER_M)?,
        efficiency: section.number("antenna_efficiency", EFFICIENCY)?,
        steering: Steering::Dish,
    };
    let (power, receiver) = match up {
        true => (
            Power::Eirp {
                dbw: section.number("eirp_dbw", EIRP_DBW)?,
                headroom_db: 0.0,
            },
            satellite(&section)?,
        ),
        false => (down_power(&section)?, ground_noise(&section)?),
    };
    let mut given = parameters(&section, dish, power, receiver)?;
    given.c_over_i_db = section.number("c_over_i_db", -20.0..=100.0)?;
    Ok(Some(Arc::new(LinkBudget::new(given))))
}

const DIAMETER_M: RangeInclusive<f64> = 0.01..=100.0;
const EFFICIENCY: RangeInclusive<f64> = 0.01..=1.0;
const EIRP_DBW: RangeInclusive<f64> = -60.0..=150.0;

fn parameters(
    section: &Section,
    ground: Antenna,
    power: Power,
    receiver: Receiver,
) -> Result<LinkParameters, ProfileError> {
    Ok(LinkParameters {
        // P.676 annex 2 and P.618 hold from 1 GHz; P.618's rain up to 55 GHz.
        frequency_hz: section.number("frequency_ghz", 1.0..=55.0)? * 1e9,
        channel_hz: section.number("channel_mhz", 0.001..=100_000.0)? * 1e6,
        polarisations: section.count("polarisations", 1..=2)? as u8,
        channel_share: 1.0,
        data_share: section.number("data_share", 0.001..=1.0)?,
        duty: 1.0,
        power,
        ground,
        receiver,
        c_over_i_db: f64::INFINITY,
        modem: Modem {
            gap_db: section.number("gap_db", 0.0..=30.0)?,
            most_bit_per_symbol: section.number("most_bit_per_symbol", 0.1..=12.0)?,
        },
    })
}

fn terminal(section: &Section) -> Result<Antenna, ProfileError> {
    Ok(Antenna {
        diameter_m: section.number("terminal_diameter_m", DIAMETER_M)?,
        efficiency: section.number("terminal_efficiency", EFFICIENCY)?,
        steering: Steering::FlatArray {
            scan_exponent: section.number("terminal_scan_exponent", 0.0..=10.0)?,
        },
    })
}

fn down_power(section: &Section) -> Result<Power, ProfileError> {
    Ok(Power::Flux {
        dbw_m2_mhz: section.number("flux_dbw_m2_mhz", -300.0..=0.0)?,
    })
}

fn ground_noise(section: &Section) -> Result<Receiver, ProfileError> {
    Ok(Receiver::Ground {
        noise_k: section.number("receiver_noise_k", 1.0..=100_000.0)?,
    })
}

fn satellite(section: &Section) -> Result<Receiver, ProfileError> {
    Ok(Receiver::Satellite {
        g_over_t_db_k: section.number("g_over_t_db_k", -60.0..=80.0)?,
    })
}

fn feeder(section: &Section) -> Result<FeederLinks, ProfileError> {
    let mut keys = LIMIT_KEYS.to_vec();
    keys.extend([
        "antenna_mbit_s",
        "satellite_mbit_s",
        "default_antennas",
        "antennas_track_one_satellite",
        "up",
        "down",
    ]);
    section.only(&keys)?;
    section.budget_beside("up", &["antenna_mbit_s"])?;
    let up = feeder_budget(section, "up", "feeder.up")?;
    let antenna_kbps = match &up {
        // The most that it ever carries: in the zenith of the nearest orbit, without atmosphere.
        Some(up) => u64::from(up.lines(1.0, 200e3, 0.0).kbps),
        None => kbps(section.number("antenna_mbit_s", 0.001..=MAX_MBIT_S)?),
    };
    Ok(FeederLinks {
        limit: limit(section)?,
        antenna_kbps,
        up,
        down: feeder_budget(section, "down", "feeder.down")?,
        satellite_kbps: kbps(section.number("satellite_mbit_s", 0.001..=MAX_MBIT_S)?),
        default_antennas: section.count("default_antennas", 1..=10_000)?,
        antennas_track_one_satellite: section.flag("antennas_track_one_satellite")?,
    })
}

fn laser(section: &Section) -> Result<LaserLinks, ProfileError> {
    section.only(&["mbit_s", "max_range_km", "min_grazing_height_km"])?;
    Ok(LaserLinks {
        kbps: kbps(section.number("mbit_s", 0.001..=MAX_MBIT_S)?),
        max_range_m: section.number("max_range_km", MAX_RANGE_KM)? * 1e3,
        min_grazing_height_m: section.number("min_grazing_height_km", -100.0..=2_000.0)? * 1e3,
    })
}

fn delays(section: &Section) -> Result<ProcessingDelays, ProfileError> {
    const LEGS: [&str; 4] = ["uplink_ms", "downlink_ms", "satellite_ms", "gateway_ms"];
    let mut keys = LEGS.to_vec();
    keys.extend(["fibre_detour", "fibre_km_s"]);
    section.only(&keys)?;
    let seconds = |key| Ok::<_, ProfileError>(section.number(key, 0.0..=10_000.0)? * 1e-3);
    let [uplink_s, downlink_s, satellite_s, gateway_s] = LEGS.map(seconds);
    Ok(ProcessingDelays {
        uplink_s: uplink_s?,
        downlink_s: downlink_s?,
        satellite_s: satellite_s?,
        gateway_s: gateway_s?,
        fibre_detour: section.number("fibre_detour", 1.0..=10.0)?,
        fibre_m_s: section.number("fibre_km_s", 1_000.0..=299_792.458)? * 1e3,
    })
}

fn limit(section: &Section) -> Result<LinkLimit, ProfileError> {
    let [elevation, gso, range] = LIMIT_KEYS;
    if section.one_of(elevation, range)? == elevation {
        return Ok(LinkLimit::Elevation {
            min_elevation_rad: section.number(elevation, 0.0..=90.0)?.to_radians(),
            gso_exclusion_rad: section.number(gso, 0.0..=90.0)?.to_radians(),
        });
    }
    match section.find(gso) {
        Some((line, _)) => Err(ProfileError::Meaningless {
            line,
            field: section.field(gso),
            beside: range,
        }),
        None => Ok(LinkLimit::Range {
            max_range_m: section.number(range, MAX_RANGE_KM)? * 1e3,
        }),
    }
}

fn rate(
    section: &Section,
    fixed: &'static str,
    curve: &'static str,
) -> Result<RateModel, ProfileError> {
    if section.one_of(fixed, curve)? == fixed {
        return Ok(RateModel::Fixed(
            kbps(section.number(fixed, 0.001..=MAX_BEAM_MBIT_S)?) as u32,
        ));
    }
    let points = section.points(curve, -90.0..=90.0, 0.0..=MAX_BEAM_MBIT_S)?;
    Ok(RateModel::ByElevation(
        points
            .into_iter()
            .map(|(deg, mbit_s)| (deg.to_radians(), kbps(mbit_s) as u32))
            .collect(),
    ))
}

fn kbps(mbit_s: f64) -> u64 {
    (mbit_s * 1e3).round() as u64
}

/// A table of the document: looks its keys up and says where they are.
struct Section<'a> {
    text: &'a str,
    name: &'static str,
    line: usize,
    table: &'a DeTable<'a>,
}

impl<'a> Section<'a> {
    fn field(&self, key: &str) -> String {
        if self.name.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.name)
        }
    }

    /// Refuses every key but these.
    fn only(&self, known: &[&str]) -> Result<(), ProfileError> {
        self.only_in(self.table, known, |key| self.field(key))
    }

    fn only_in(
        &self,
        table: &DeTable<'_>,
        known: &[&str],
        field: impl Fn(&str) -> String,
    ) -> Result<(), ProfileError> {
        // The table is in the order of its keys; people want the first mistake of the text.
        let unknown = table
            .iter()
            .filter(|(key, _)| !known.contains(&key.get_ref().as_ref()));
        match unknown.min_by_key(|(key, _)| key.span().start) {
            None => Ok(()),
            Some((key, _)) => Err(ProfileError::UnknownKey {
                line: line_of(self.text, key.span()),
                field: field(key.get_ref()),
                suggestion: nearest(key.get_ref(), known.iter().copied()),
            }),
        }
    }

    fn find(&self, key: &str) -> Option<(usize, &'a DeValue<'a>)> {
        self.table
            .get(key)
            .map(|value| (line_of(self.text, value.span()), value.get_ref()))
    }

    fn get(&self, key: &str) -> Result<(usize, &'a DeValue<'a>), ProfileError> {
        self.find(key).ok_or_else(|| ProfileError::Missing {
            line: self.line,
            field: self.field(key),
        })
    }

    fn one_of(
        &self,
        first: &'static str,
        second: &'static str,
    ) -> Result<&'static str, ProfileError> {
        match (self.find(first).is_some(), self.find(second).is_some()) {
            (true, false) => Ok(first),
            (false, true) => Ok(second),
            (both, _) => Err(ProfileError::EitherOr {
                line: self.line,
                table: self.name,
                first,
                second,
                both,
            }),
        }
    }

    fn string(&self, key: &str) -> Result<String, ProfileError> {
        match self.get(key)? {
            (_, DeValue::String(text)) if !text.is_empty() => Ok(text.as_ref().to_owned()),
            (line, other) => Err(wrong_type(
                line,
                self.field(key),
                "a string that is not empty",
                other,
            )),
        }
    }

    fn table(&self, key: &'static str) -> Result<Section<'a>, ProfileError> {
        match self.get(key)? {
            (line, DeValue::Table(table)) => Ok(Section {
                text: self.text,
                name: key,
                line,
                table,
            }),
            (line, other) => Err(wrong_type(line, self.field(key), "a table", other)),
        }
    }

    /// A table inside this one, whose keys are reported under `name`.
    fn inner(&self, key: &'static str, name: &'static str) -> Result<Section<'a>, ProfileError> {
        Ok(Section {
            name,
            ..self.table(key)?
        })
    }

    /// Whether there is a table `key`; then none of the keys that it replaces may be there.
    fn budget_beside(&self, key: &'static str, replaced: &[&str]) -> Result<bool, ProfileError> {
        if self.find(key).is_none() {
            return Ok(false);
        }
        for other in replaced {
            if let Some((line, _)) = self.find(other) {
                return Err(ProfileError::Meaningless {
                    line,
                    field: self.field(other),
                    beside: key,
                });
            }
        }
        Ok(true)
    }

    /// The value of `{ value = ..., source = "..." }`.
    fn sourced(&self, key: &str) -> Result<(usize, &'a DeValue<'a>), ProfileError> {
        let (line, entry) = self.get(key)?;
        let DeValue::Table(entry) = entry else {
            return Err(wrong_type(
                line,
                self.field(key),
                "{ value = ..., source = \"...\" }",
                entry,
            ));
        };
        self.only_in(entry, &["value", "source"], |part| {
            self.field(&format!("{key}.{part}"))
        })?;
        let part = |name: &str| -> Result<&'a Spanned<DeValue<'a>>, ProfileError> {
            let missing = || ProfileError::Missing {
                line,
                field: self.field(&format!("{key}.{name}")),
            };
            entry.get(name).ok_or_else(missing)
        };
        let source = part("source")?;
        match source.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => {}
            other => {
                let field = self.field(&format!("{key}.source"));
                return Err(wrong_type(
                    line_of(self.text, source.span()),
                    field,
                    "a string that is not empty",
                    other,
                ));
            }
        }
        let value = part("value")?;
        Ok((line_of(self.text, value.span()), value.get_ref()))
    }

    fn number(&self, key: &str, range: RangeInclusive<f64>) -> Result<f64, ProfileError> {
        let (line, value) = self.sourced(key)?;
        checked(line, self.field(key), value, range)
    }

    fn count(&self, key: &str, range: RangeInclusive<u32>) -> Result<u32, ProfileError> {
        let (line, value) = self.sourced(key)?;
        if !matches!(value, DeValue::Integer(_)) {
            return Err(wrong_type(line, self.field(key), "a whole number", value));
        }
        let range = f64::from(*range.start())..=f64::from(*range.end());
        Ok(checked(line, self.field(key), value, range)? as u32)
    }

    fn flag(&self, key: &str) -> Result<bool, ProfileError> {
        match self.sourced(key)? {
            (_, &DeValue::Boolean(flag)) => Ok(flag),
            (line, other) => Err(wrong_type(line, self.field(key), "true or false", other)),
        }
    }

    /// `[[x, y], ...]` with ascending `x`, at least one.
    fn points(
        &self,
        key: &str,
        xs: RangeInclusive<f64>,
        ys: RangeInclusive<f64>,
    ) -> Result<Vec<(f64, f64)>, ProfileError> {
        const EXPECTED: &str = "a list of [elevation, rate] pairs";
        let (line, value) = self.sourced(key)?;
        let list = match value {
            DeValue::Array(list) if !list.is_empty() => list,
            other => return Err(wrong_type(line, self.field(key), EXPECTED, other)),
        };
        let mut points: Vec<(f64, f64)> = Vec::with_capacity(list.len());
        for pair in list.iter() {
            let line = line_of(self.text, pair.span());
            let pair = match pair.get_ref() {
                DeValue::Array(pair) if pair.len() == 2 => pair,
                other => return Err(wrong_type(line, self.field(key), EXPECTED, other)),
            };
            let x = checked(line, self.field(key), pair[0].get_ref(), xs.clone())?;
            let y = checked(line, self.field(key), pair[1].get_ref(), ys.clone())?;
            if points.last().is_some_and(|&(before, _)| x <= before) {
                return Err(ProfileError::NotAscending {
                    line,
                    field: self.field(key),
                });
            }
            points.push((x, y));
        }
        Ok(points)
    }
}

fn checked(
    line: usize,
    field: String,
    value: &DeValue<'_>,
    range: RangeInclusive<f64>,
) -> Result<f64, ProfileError> {
    let number = match value {
        DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix())
            .ok()
            .map(|i| i as f64),
        DeValue::Float(f) => f.as_str().parse().ok(),
        _ => None,
    };
    match number {
        Some(number) if range.contains(&number) => Ok(number),
        Some(value) => Err(ProfileError::OutOfRange {
            line,
            field,
            value,
            least: *range.start(),
            greatest: *range.end(),
        }),
        None => Err(wrong_type(line, field, "a number", value)),
    }
}

fn wrong_type(
    line: usize,
    field: String,
    expected: &'static str,
    found: &DeValue<'_>,
) -> ProfileError {
    let found = match found {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    ProfileError::WrongType {
        line,
        field,
        expected,
        found,
    }
}

fn line_of(text: &str, span: Range<usize>) -> usize {
    let end = span.start.min(text.len());
    1 + text.as_bytes()[..end]
        .iter()
        .filter(|&&b| b == b'\n')
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY_ELEVATION: &str = include_str!("../../../data/radio/starlink.toml");

    fn with(from: &str, to: &str) -> Result<Profile, ProfileError> {
        let text = BY_ELEVATION;
        assert!(text.contains(from), "{from}");
        Profile::from_toml(&text.replacen(from, to, 1))
    }

    fn line_with(part: &str) -> usize {
        1 + BY_ELEVATION
            .lines()
            .position(|line| line.contains(part))
            .unwrap()
    }

    #[test]
    fn builtin_profiles_are_as_their_sources_say() {
        for name in Profile::builtin_names() {
            assert_eq!(Profile::builtin(name).unwrap().name, name);
        }
        let starlink = Profile::builtin("starlink").unwrap();
        let limit = LinkLimit::Elevation {
            min_elevation_rad: 25.0_f64.to_radians(),
            gso_exclusion_rad: 18.0_f64.to_radians(),
        };
        assert_eq!(starlink.user.limit, limit);
        assert_eq!(
            (starlink.user.channels, starlink.user.beams_per_channel),
            (8, 4)
        );
        assert_eq!(starlink.laser.kbps, 100_000_000);
        assert_eq!(starlink.laser.max_range_m, 5_400e3);
        let fixed = starlink.delays.uplink_s
            + starlink.delays.downlink_s
            + 2.0 * (starlink.delays.satellite_s + starlink.delays.gateway_s);
        assert!((fixed - 0.010).abs() < 1e-12, "{fixed}");
        let national = Profile::builtin("national").unwrap();
        assert_eq!(national.user.down, RateModel::Fixed(1_280_000));
        assert_eq!(national.feeder.satellite_kbps, 20_800_000);
        assert!(!national.feeder.antennas_track_one_satellite);
    }

    #[test]
    fn an_unknown_key_is_refused_with_a_suggestion() {
        let error = with("beams_per_channel", "beams_per_chanel").unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "line {}: unknown key `user.beams_per_chanel`; did you mean `beams_per_channel`?",
                line_with("beams_per_channel")
            )
        );
        let error = with("[laser]", "[lasser]").unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("`lasser`; did you mean `laser`?"),
            "{error}"
        );
        let error = with(
            "mbit_s = { value = 100000.0, source",
            "mbit_s = { value = 100000.0, zzz = 1, source",
        );
        assert!(
            matches!(
                error,
                Err(ProfileError::UnknownKey {
                    suggestion: None,
                    ..
                })
            ),
            "{error:?}"
        );
        let error = Profile::builtin("starlnk").unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no built-in radio profile `starlnk`; did you mean `starlink`?; there are: starlink, starlink-mixed, starlink-v2mini, starlink-v1.5, national"
        );
    }

    #[test]
    fn values_are_checked_at_their_line() {
        let line = line_with("min_elevation_deg");
        for (from, to, expected) in [
            (
                "{ value = 25.0,",
                "{ value = 95.0,",
                "`user.min_elevation_deg` is 95, outside 0 to 90",
            ),
            (
                "{ value = 25.0,",
                "{ value = nan,",
                "`user.min_elevation_deg` is NaN, outside 0 to 90",
            ),
            (
                "{ value = 25.0,",
                "{ value = \"25\",",
                "`user.min_elevation_deg` must be a number, not a string",
            ),
            (
                "{ value = 25.0,",
                "{",
                "`user.min_elevation_deg.value` is missing",
            ),
            (
                ", source = \"FCC",
                ", sorce = \"FCC",
                "unknown key `user.min_elevation_deg.sorce`; did you mean `source`?",
            ),
        ] {
            let error = with(from, to).unwrap_err();
            assert_eq!(error.to_string(), format!("line {line}: {expected}"));
        }
        let text = BY_ELEVATION.replacen(
            "{ value = 25.0, source = \"FCC 21-48 (April 2021): 25 degrees for users\" }",
            "25.0",
            1,
        );
        let error = Profile::from_toml(&text).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("must be { value = ..., source = \"...\" }"),
            "{error}"
        );
        assert!(matches!(
            with("value = 8,", "value = 8.0,"),
            Err(ProfileError::WrongType { .. })
        ));
        assert!(matches!(
            with("value = 8,", "value = 33,"),
            Err(ProfileError::OutOfRange { .. })
        ));
        assert!(matches!(
            with("[40.0,", "[25.0,"),
            Err(ProfileError::NotAscending { .. })
        ));
        assert!(with("name = ", "name =").is_ok());
        assert!(matches!(
            with("name = ", "name "),
            Err(ProfileError::Syntax { line: 3, .. })
        ));
    }

    #[test]
    fn a_limit_is_one_of_two_kinds() {
        let range = "max_range_km = { value = 1000.0, source = \"s\" }\nmin_elevation_deg";
        assert!(matches!(
            with("min_elevation_deg", range),
            Err(ProfileError::EitherOr { both: true, .. })
        ));
        let neither = with("min_elevation_deg", "#");
        assert!(
            matches!(
                neither,
                Err(ProfileError::EitherOr {
                    both: false,
                    table: "user",
                    ..
                })
            ),
            "{neither:?}"
        );
        let beside = with(
            "min_elevation_deg",
            "max_range_km = { value = 1000.0, source = \"s\" }\n#",
        );
        assert!(
            matches!(beside, Err(ProfileError::Meaningless { .. })),
            "{beside:?}"
        );
    }

    #[test]
    fn a_budget_stands_in_place_of_rates() {
        let text = include_str!("../../../data/radio/starlink-v2mini.toml");
        let with = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            Profile::from_toml(&text.replacen(from, to, 1)).map_err(|error| error.to_string())
        };
        let line = |part: &str| 1 + text.lines().position(|line| line.contains(part)).unwrap();
        let rate = "down_mbit_s = { value = 1.0, source = \"s\" }\nchannels =";
        for (from, to, expected) in [
            (
                "channels =",
                rate,
                format!(
                    "line {}: `user.down_mbit_s` has no meaning beside `down`",
                    line("channels =")
                ),
            ),
            (
                "flux_dbw_m2_mhz",
                "eirp_dbw",
                format!(
                    "line {}: unknown key `user.down.eirp_dbw`",
                    line("flux_dbw_m2_mhz")
                ),
            ),
            (
                "width_deg",
                "#",
                format!(
                    "line {}: `user.beam.width_deg` is missing",
                    line("[user.beam]")
                ),
            ),
            (
                "value = 11.7",
                "value = 90.0",
                format!(
                    "line {}: `user.down.frequency_ghz` is 90, outside 1 to 55",
                    line("value = 11.7")
                ),
            ),
            (
                "value = 62.5, source = \"S. Pekhterev, SatMagazine Nov 2021: 240/62 MHz channels\" }\npolarisations = { value = 1",
                "value = 62.5, source = \"s\" }\ncross_polar_db = { value = 20.0, source = \"s\" }\npolarisations = { value = 1",
                format!(
                    "line {}: `user.up.cross_polar_db` has no meaning beside `polarisations = 1`",
                    line("value = 62.5") + 1
                ),
            ),
        ] {
            assert_eq!(with(from, to).unwrap_err(), expected);
        }
        // Absurd numbers are numbers: the budget has no rate, and nothing panics.
        let dark = with("value = -116.0", "value = -300.0").unwrap();
        let nothing = dark.user.down.kbps(
            crate::Sight {
                sin_elevation: 1.0,
                range_m: 5e5,
            },
            None,
        );
        assert_eq!(nothing, 0);
    }
}
