//! Scenario files: TOML to a value that says what to load, with every problem of the file itself found at once.
//!
//! Degrees, kilometres and Mbit/s end here. Knows no file but the one it reads; what the named files hold is looked at when
//! the world is loaded. The reference for people is `docs/scenario.md`.

use crate::conditions::{Conditions, NewGateway};
use crate::day_curve::DayCurve;
use crate::fields::{Document, Fields, Located};
use crate::files::builtin;
use crate::places::{Countries, find_place};
use crate::problem::{Location, Problems, did_you_mean};
use crate::weather::{self, Between};
use core::ops::RangeInclusive;
use skyweave_base::{Geodetic, GeodeticError, Obstruction, Utc};
use skyweave_orbit::Format;
use skyweave_plan::Preference;

/// What a scenario says of itself; empty if it says nothing or cannot be read.
pub fn description(text: &str) -> String {
    Scenario::parse("", text)
        .0
        .map_or_else(String::new, |scenario| scenario.description)
}

/// A scenario as it was written, checked as far as its own text goes.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) seed: u64,
    pub(crate) sky: SkySpec,
    pub(crate) ground: GroundSpec,
    pub(crate) lasers: LaserSpec,
    pub(crate) links: LinkSpec,
    pub(crate) profile: Located<String>,
    pub(crate) preference: Preference,
    pub(crate) weather: WeatherSpec,
    /// What the background asks at each hour of the day; `None`: the same at all.
    pub(crate) demand_by_hour: Option<DayCurve>,
    pub(crate) demand: Vec<DemandSpec>,
    pub(crate) terminals: Vec<TerminalSpec>,
    /// What is different from the rest.
    pub(crate) conditions: Located<Conditions>,
    /// Where each name and number in it stands.
    pub(crate) condition_places: Vec<(String, Location)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Start {
    At(Utc),
    Now,
}

#[derive(Clone, Debug)]
pub(crate) struct SkySpec {
    pub(crate) source: SkySource,
    pub(crate) start: Located<Start>,
    /// Altitudes in service, m; `None`: all.
    pub(crate) in_service_m: Option<Located<Vec<(f64, f64)>>>,
    /// Satellites added to those in service, per cent.
    pub(crate) added_percent: f64,
    pub(crate) allow_old_elements: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum SkySource {
    Builtin,
    File {
        path: Located<String>,
        format: Option<Format>,
    },
    Shells {
        epoch: Option<Utc>,
        shells: Vec<ShellSpec>,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct ShellSpec {
    pub(crate) at: Location,
    pub(crate) size: ShellSize,
    pub(crate) inclination_rad: f64,
    pub(crate) planes: u32,
    pub(crate) satellites_per_plane: u32,
    pub(crate) raan_start_rad: f64,
    pub(crate) raan_span_rad: f64,
    pub(crate) phasing: Phasing,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ShellSize {
    AltitudeM(f64),
    MeanMotionRevDay(f64),
}

/// How far satellites of one plane stand ahead of those of the plane before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Phasing {
    /// Every second plane is half a spacing ahead.
    Alternate,
    /// Walker's F: each plane is F/(number of satellites) of a turn ahead of the one before.
    Walker(u32),
}

#[derive(Clone, Debug)]
pub(crate) enum ListSource {
    Builtin,
    None,
    File(Located<String>),
}

#[derive(Clone, Debug)]
pub(crate) struct GroundSpec {
    pub(crate) at: Location,
    pub(crate) gateways: ListSource,
    pub(crate) gateway_statuses: Vec<Located<String>>,
    pub(crate) pops: ListSource,
    pub(crate) pop_statuses: Vec<Located<String>>,
    pub(crate) pop_kinds: Vec<Located<String>>,
}

#[derive(Clone, Debug)]
pub(crate) enum LaserMode {
    None,
    Grid,
    Pairs(Located<String>),
}

#[derive(Clone, Debug)]
pub(crate) struct LaserSpec {
    pub(crate) mode: LaserMode,
    pub(crate) max_range_m: Option<f64>,
    pub(crate) min_grazing_height_m: Option<f64>,
}

#[derive(Clone, Debug)]
pub(crate) enum LinkSpec {
    /// The profile's masks, with what is given in place of them, rad.
    Elevation {
        min_elevation: Option<f64>,
        gso_exclusion: Option<f64>,
        gateway_min_elevation: Option<f64>,
        gateway_gso_exclusion: Option<f64>,
    },
    Range {
        max_gsl_m: f64,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct WeatherSpec {
    pub(crate) at: Location,
    pub(crate) kind: WeatherKind,
    /// A climate grid in place of the built-in one.
    pub(crate) climate: Option<Located<String>>,
}

#[derive(Clone, Debug)]
pub(crate) enum WeatherKind {
    Clear,
    Exceedance {
        percent: f64,
    },
    Rain {
        path: Located<String>,
        between: Between,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Area {
    World,
    Country(String),
    GeoJson(String),
    Cells(String),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Spread {
    Population,
    Uniform,
    Given,
}

#[derive(Clone, Debug)]
pub(crate) struct DemandSpec {
    pub(crate) at: Location,
    pub(crate) area: Located<Area>,
    /// The area as it is written.
    pub(crate) area_text: String,
    /// Countries left out.
    pub(crate) except: Vec<String>,
    /// Files of areas and cells left out.
    pub(crate) except_files: Vec<Located<Area>>,
    /// `None` only with [`Spread::Given`].
    pub(crate) terminals: Option<u64>,
    pub(crate) spread: Spread,
    pub(crate) rate_kbps: u32,
}

#[derive(Clone, Debug)]
pub(crate) enum PlaceSpec {
    /// A place as written: `LAT,LON` or the name of a city.
    Fixed(Located<String>),
    /// A CSV of positions in time.
    Track(Located<String>),
}

#[derive(Clone, Debug)]
pub(crate) struct TerminalSpec {
    pub(crate) name: Located<String>,
    pub(crate) place: PlaceSpec,
    /// Where it says it is, if that is not where it is.
    pub(crate) claims: Option<Geodetic>,
    pub(crate) obstructions: Vec<Obstruction>,
    pub(crate) rate_kbps: u32,
}

/// Rates are whole kbit/s in a `u32` of the planner: up to 4 Tbit/s for one terminal is beyond any use.
const RATE_MBPS: RangeInclusive<f64> = 0.001..=4_000_000.0;
/// Altitudes that SGP4's near-Earth branch and the planner's geometry are meant for: above the air, below deep space
/// (225 minutes, about 5,900 km; Spacetrack Report No. 3, section 1).
const ALTITUDE_KM: RangeInclusive<f64> = 160.0..=5_800.0;
/// More satellites than any filing asks for (about 30,000 in the second generation's application), with room.
const MOST_SATELLITES: u64 = 100_000;

impl Scenario {
    /// Reads a scenario. The scenario is there if its text alone shows no error; warnings come with it.
    pub(crate) fn parse(file: &str, text: &str) -> (Option<Self>, Problems) {
        let document = Document::new(file, text);
        let table = document.parse();
        let scenario = table
            .as_ref()
            .and_then(|table| read(&document.root(table), file));
        drop(table);
        let problems = document.into_problems();
        (scenario.filter(|_| !problems.has_errors()), problems)
    }
}

fn read(root: &Fields<'_, '_>, file: &str) -> Option<Scenario> {
    let countries = Countries::builtin();
    let stem = file
        .rsplit(['/', '\\'])
        .next()
        .unwrap_or(file)
        .trim_end_matches(".toml");
    let name = root
        .string("name")
        .map_or_else(|| stem.to_owned(), |s| s.value);
    let description = root
        .string("description")
        .map_or_else(String::new, |s| s.value);
    let seed = root
        .integer("seed", 0..=i64::MAX as u64)
        .map_or(0, |s| s.value);
    let sky = root
        .required("sky", "a table, [sky]", root.table("sky"))
        .and_then(read_sky);
    let ground = read_ground(root.table("ground"), file);
    let lasers = read_lasers(root.table("lasers"));
    let links = read_links(root.table("links"));
    let radio = root.table("radio");
    let profile = radio
        .as_ref()
        .and_then(|r| r.string("profile"))
        .unwrap_or_else(|| Located {
            value: "starlink-mixed".to_owned(),
            at: Location::file(file).with_field("radio.profile"),
        });
    radio.iter().for_each(Fields::finish);
    let planner = root.table("planner");
    let preferences = [
        ("capacity", Preference::Capacity),
        ("as-observed", Preference::AsObserved),
    ];
    let preference = planner
        .as_ref()
        .and_then(|p| p.word("preference", &preferences))
        .map_or_else(Preference::default, |p| p.value);
    planner.iter().for_each(Fields::finish);
    let weather = read_weather(root.table("weather"), file);
    let demand_by_hour = read_by_hour(root);
    let demand: Vec<_> = root
        .tables("demand")
        .into_iter()
        .map(|t| read_demand(t, &countries))
        .collect();
    let terminals: Vec<_> = root
        .tables("terminal")
        .into_iter()
        .map(read_terminal)
        .collect();
    let (conditions, condition_places) = read_conditions(root, file);
    root.finish();
    let terminals: Vec<TerminalSpec> = terminals.into_iter().collect::<Option<_>>()?;
    for (i, terminal) in terminals.iter().enumerate() {
        if let Some(first) = terminals[..i].iter().find(|t| *t.name == *terminal.name) {
            let line = first.name.at.line.unwrap_or_default();
            let message = format!(
                "a terminal `{}` is defined already in line {line}: names must differ",
                *terminal.name
            );
            root.report(terminal.name.at.error(message));
        }
    }
    let demand = demand.into_iter().collect::<Option<_>>()?;
    Some(Scenario {
        name,
        description,
        seed,
        sky: sky?,
        ground,
        lasers: lasers?,
        links: links?,
        profile,
        preference,
        weather,
        demand_by_hour,
        demand,
        terminals,
        conditions,
        condition_places,
    })
}

fn read_sky(t: Fields<'_, '_>) -> Option<SkySpec> {
    let source = t.string("source");
    let formats = [
        ("auto", None),
        ("tle", Some(Format::Tle)),
        ("omm-json", Some(Format::OmmJson)),
        ("omm-csv", Some(Format::OmmCsv)),
        ("omm-xml", Some(Format::OmmXml)),
        ("omm-kvn", Some(Format::OmmKvn)),
    ];
    let format = t.word("format", &formats).and_then(|f| f.value);
    let start = t.time(
        "start",
        |word| (word == "now").then_some(Start::Now),
        Start::At,
    );
    let start = t.required(
        "start",
        "a UTC time such as 2026-05-21T00:00:12Z, or \"now\"",
        start,
    );
    let epoch = t.time("epoch", |_| None, |utc| utc);
    let in_service_m = t.intervals("in_service", 0.0..=*ALTITUDE_KM.end()).map(|bands| {
        if bands.is_empty() {
            t.report(bands.at.error("no altitude band is in service: give at least one [low, high] in km, or leave this out"));
        }
        Located { value: bands.value.iter().map(|&(lo, hi)| (lo * 1e3, hi * 1e3)).collect(), at: bands.at }
    });
    let added = t.number("added_percent", 0.0..=100.0);
    if let Some(added) = added.as_ref().filter(|_| t.has("shell")) {
        t.report(
            added
                .at
                .error("has no meaning with shells: give them more satellites"),
        );
    }
    let allow_old_elements = t.boolean("allow_old_elements").unwrap_or(false);
    let tables = t.tables("shell");
    let has_shells = t.has("shell");
    let shells: Vec<_> = tables.into_iter().map(read_shell).collect();
    let total: u64 = shells
        .iter()
        .flatten()
        .map(|s| u64::from(s.planes) * u64::from(s.satellites_per_plane))
        .sum();
    if total > MOST_SATELLITES {
        t.report(t.at().error(format!(
            "the shells hold {total} satellites: at most {MOST_SATELLITES} can be used"
        )));
    }
    let source = match (source, has_shells) {
        (Some(source), true) => {
            t.report(
                source
                    .at
                    .error("give either `source` or [[sky.shell]], not both"),
            );
            None
        }
        (None, false) => {
            if !t.has("source") {
                let message = "an empty constellation: give `source` (built-in name or file) or at least one [[sky.shell]]";
                t.report(t.at().error(message));
            }
            None
        }
        (None, true) => shells
            .into_iter()
            .collect::<Option<_>>()
            .map(|shells| SkySource::Shells {
                epoch: epoch.map(|e| e.value),
                shells,
            }),
        (Some(source), false) if *source == *builtin::STARLINK_SNAPSHOT => Some(SkySource::Builtin),
        (Some(path), false) => {
            if !path.contains(['.', '/', '\\']) {
                let hint = did_you_mean(&path, [builtin::STARLINK_SNAPSHOT]);
                t.report(path.at.error(format!(
                    "`{}` is neither built in (`{}`) nor looks like a file{hint}",
                    *path,
                    builtin::STARLINK_SNAPSHOT
                )));
            }
            Some(SkySource::File { path, format })
        }
    };
    t.finish();
    Some(SkySpec {
        source: source?,
        start: start?,
        in_service_m,
        added_percent: added.map_or(0.0, |a| a.value),
        allow_old_elements,
    })
}

fn read_shell(t: Fields<'_, '_>) -> Option<ShellSpec> {
    let altitude = t.number("altitude_km", ALTITUDE_KM);
    // Beyond 6.4 revolutions per day the period exceeds 225 minutes (deep space); 16.5 is an orbit at 140 km.
    let motion = t.number("mean_motion_rev_day", 6.4..=16.5);
    let size = match (altitude, motion) {
        (Some(_), Some(motion)) => {
            t.report(
                motion
                    .at
                    .error("give either `altitude_km` or `mean_motion_rev_day`, not both"),
            );
            None
        }
        (Some(altitude), None) => Some(ShellSize::AltitudeM(*altitude * 1e3)),
        (None, Some(motion)) => Some(ShellSize::MeanMotionRevDay(*motion)),
        (None, None) => {
            if !t.has("altitude_km") && !t.has("mean_motion_rev_day") {
                t.report(
                    t.at()
                        .error("`altitude_km` (or `mean_motion_rev_day`) is missing"),
                );
            }
            None
        }
    };
    let inclination = t.required(
        "inclination_deg",
        "degrees",
        t.number("inclination_deg", 0.0..=180.0),
    );
    let planes = t.required(
        "planes",
        "a whole number",
        t.integer("planes", 1..=MOST_SATELLITES),
    );
    let per_plane = t.integer("satellites_per_plane", 1..=MOST_SATELLITES);
    let per_plane = t.required("satellites_per_plane", "a whole number", per_plane);
    let raan_start = t
        .number("raan_start_deg", -360.0..=360.0)
        .map_or(0.0, |x| x.value);
    let raan_span = t
        .number("raan_span_deg", 0.0..=360.0)
        .map_or(360.0, |x| x.value);
    let walker = t.integer("walker_f", 0..=MOST_SATELLITES);
    let at = t.at();
    t.finish();
    Some(ShellSpec {
        at,
        size: size?,
        inclination_rad: inclination?.to_radians(),
        planes: *planes? as u32,
        satellites_per_plane: *per_plane? as u32,
        raan_start_rad: raan_start.to_radians(),
        raan_span_rad: raan_span.to_radians(),
        phasing: walker.map_or(Phasing::Alternate, |f| Phasing::Walker(f.value as u32)),
    })
}

fn read_ground(t: Option<Fields<'_, '_>>, file: &str) -> GroundSpec {
    let mut ground = GroundSpec {
        at: t.as_ref().map_or_else(|| Location::file(file), Fields::at),
        gateways: ListSource::Builtin,
        gateway_statuses: Vec::new(),
        pops: ListSource::Builtin,
        pop_statuses: Vec::new(),
        pop_kinds: Vec::new(),
    };
    let Some(t) = t else { return ground };
    let list = |source: Option<Located<String>>| match source {
        None => ListSource::Builtin,
        Some(s) if *s == "builtin" => ListSource::Builtin,
        Some(s) if *s == "none" => ListSource::None,
        Some(s) => ListSource::File(s),
    };
    ground.gateways = list(t.string("gateways"));
    ground.pops = list(t.string("pops"));
    ground.gateway_statuses = t.strings("gateway_statuses").unwrap_or_default();
    ground.pop_statuses = t.strings("pop_statuses").unwrap_or_default();
    ground.pop_kinds = t.strings("pop_kinds").unwrap_or_default();
    t.finish();
    ground
}

fn read_lasers(t: Option<Fields<'_, '_>>) -> Option<LaserSpec> {
    let Some(t) = t else {
        return Some(LaserSpec {
            mode: LaserMode::Grid,
            max_range_m: None,
            min_grazing_height_m: None,
        });
    };
    #[derive(Clone, Copy, PartialEq)]
    enum Mode {
        Grid,
        None,
        Pairs,
    }
    let mode = t.word(
        "mode",
        &[
            ("+grid", Mode::Grid),
            ("none", Mode::None),
            ("pairs", Mode::Pairs),
        ],
    );
    let pairs = t.string("pairs");
    let max_range_m = t.number("max_range_km", 1.0..=20_000.0).map(|x| *x * 1e3);
    let min_grazing_height_m = t
        .number("min_grazing_height_km", -6_000.0..=1_000.0)
        .map(|x| *x * 1e3);
    let mode = match (mode.map(|m| m.value), pairs) {
        (None | Some(Mode::Pairs), Some(file)) => Some(LaserMode::Pairs(file)),
        (Some(Mode::Grid | Mode::None), Some(file)) => {
            t.report(
                file.at
                    .error("a pairs file is used only with mode = \"pairs\""),
            );
            None
        }
        (Some(Mode::Pairs), None) => {
            t.required::<()>(
                "pairs",
                "a CSV file with two satellite numbers per line",
                None,
            );
            None
        }
        (Some(Mode::Grid), None) => Some(LaserMode::Grid),
        (Some(Mode::None), None) => Some(LaserMode::None),
        (None, None) => (!t.has("mode")).then_some(LaserMode::Grid),
    };
    t.finish();
    Some(LaserSpec {
        mode: mode?,
        max_range_m,
        min_grazing_height_m,
    })
}

fn read_links(t: Option<Fields<'_, '_>>) -> Option<LinkSpec> {
    let profile = LinkSpec::Elevation {
        min_elevation: None,
        gso_exclusion: None,
        gateway_min_elevation: None,
        gateway_gso_exclusion: None,
    };
    let Some(t) = t else { return Some(profile) };
    let range_rule = t
        .word("rule", &[("elevation", false), ("range", true)])
        .map_or(!t.has("rule"), |r| r.value);
    let range_rule = range_rule && t.has("rule");
    let degrees = |key: &'static str| t.number(key, 0.0..=90.0);
    let masks = [
        degrees("min_elevation_deg"),
        degrees("gso_exclusion_deg"),
        degrees("gateway_min_elevation_deg"),
        degrees("gateway_gso_exclusion_deg"),
    ];
    let max_gsl = t.number("max_gsl_km", 1.0..=50_000.0);
    let links = if range_rule {
        for mask in masks.iter().flatten() {
            t.report(
                mask.at
                    .error("has no meaning with rule = \"range\", where only `max_gsl_km` counts"),
            );
        }
        t.required("max_gsl_km", "the greatest ground link in km", max_gsl)
            .map(|m| LinkSpec::Range {
                max_gsl_m: *m * 1e3,
            })
    } else {
        if let Some(max) = max_gsl {
            t.report(max.at.error("has a meaning only with rule = \"range\""));
        }
        let [
            min_elevation,
            gso_exclusion,
            gateway_min_elevation,
            gateway_gso_exclusion,
        ] = masks.map(|mask| mask.map(|m| m.to_radians()));
        Some(LinkSpec::Elevation {
            min_elevation,
            gso_exclusion,
            gateway_min_elevation,
            gateway_gso_exclusion,
        })
    };
    t.finish();
    links
}

/// A known curve or the day's hours in numbers; `None` for the same at every hour.
fn read_by_hour(root: &Fields<'_, '_>) -> Option<DayCurve> {
    const KEY: &str = "demand_by_hour";
    // Below a millionth nothing would be left of any demand; only relations count.
    const PART: RangeInclusive<f64> = 1e-6..=1e6;
    if root.is_list(KEY) {
        return root.numbers(KEY, PART).and_then(DayCurve::of);
    }
    let words = [
        ("flat", None),
        ("residential", Some(DayCurve::residential())),
    ];
    root.word(KEY, &words).and_then(|w| w.value)
}

fn read_weather(t: Option<Fields<'_, '_>>, file: &str) -> WeatherSpec {
    let Some(t) = t else {
        return WeatherSpec {
            at: Location::file(file).with_field("weather"),
            kind: WeatherKind::Clear,
            climate: None,
        };
    };
    let percent = t.number("exceedance_percent", weather::PERCENT);
    let rain = t.string("rain");
    let words = [
        ("bilinear", Between::Bilinear),
        ("nearest", Between::Nearest),
    ];
    let between = t.word("interpolation", &words);
    let climate = t.string("climate");
    if let (Some(_), Some(rain)) = (&percent, &rain) {
        t.report(
            rain.at
                .error("give either `exceedance_percent` or `rain`, not both"),
        );
    }
    if let (Some(between), None) = (&between, &rain) {
        t.report(between.at.error("has no meaning without `rain`"));
    }
    if let (Some(climate), None, None) = (&climate, &percent, &rain) {
        t.report(
            climate
                .at
                .error("has no meaning under a clear sky: give `exceedance_percent` or `rain` too"),
        );
    }
    let at = t.at();
    t.finish();
    let kind = match (percent, rain) {
        (_, Some(path)) => WeatherKind::Rain {
            path,
            between: between.map_or(Between::Bilinear, |b| b.value),
        },
        (Some(percent), None) => WeatherKind::Exceedance {
            percent: percent.value,
        },
        (None, None) => WeatherKind::Clear,
    };
    WeatherSpec { at, kind, climate }
}

/// The area that a file describes, if the text is the name of one.
fn area_file(text: &str) -> Option<Area> {
    let lower = text.to_lowercase();
    if lower.ends_with(".geojson") || lower.ends_with(".json") {
        return Some(Area::GeoJson(text.to_owned()));
    }
    lower
        .ends_with(".csv")
        .then(|| Area::Cells(text.to_owned()))
}

fn read_demand(t: Fields<'_, '_>, countries: &Countries) -> Option<DemandSpec> {
    let at = t.at();
    let area = t.required(
        "area",
        "a country code, \"world\", a GeoJSON file or a cells CSV",
        t.string("area"),
    );
    let area_text = area.as_ref().map_or_else(String::new, |a| a.value.clone());
    let area = area.and_then(|area| {
        let value = match area_file(&area) {
            _ if area.eq_ignore_ascii_case("world") => Area::World,
            Some(file) => file,
            None => match countries.code(&area) {
                Ok(code) => Area::Country(code),
                Err(hint) => {
                    t.report(area.at.error(format!(
                        "unknown country `{}`{hint}; expected an ISO 3166 code such as \"UA\", \"world\", a .geojson or a .csv file",
                        *area
                    )));
                    return None;
                }
            },
        };
        Some(Located { value, at: area.at })
    });
    let (mut except, mut except_files) = (Vec::new(), Vec::new());
    for country in t.strings("except").unwrap_or_default() {
        if let Some(file) = area_file(&country) {
            except_files.push(Located {
                value: file,
                at: country.at,
            });
            continue;
        }
        match countries.code(&country) {
            Ok(code) => except.push(code),
            Err(hint) => t.report(
                country
                    .at
                    .error(format!("unknown country `{}`{hint}", *country)),
            ),
        }
    }
    let spreads = [
        ("population", Spread::Population),
        ("uniform", Spread::Uniform),
        ("given", Spread::Given),
    ];
    let spread = t
        .word("spread", &spreads)
        .map_or(Spread::Population, |s| s.value);
    let terminals = t.integer("terminals", 0..=10_000_000_000);
    let rate = t.number("rate_mbps", RATE_MBPS);
    let rate = t.required("rate_mbps", "Mbit/s asked per terminal", rate);
    if let Some(zero) = terminals.as_ref().filter(|n| n.value == 0) {
        t.report(
            zero.at
                .error("an empty demand: expected at least one terminal"),
        );
    }
    let is_cells = matches!(area.as_deref(), Some(Area::Cells(_)));
    match spread {
        Spread::Given if area.is_some() && !is_cells => {
            t.report(at.error(
                "spread = \"given\" needs a cells CSV as the area, with a column `terminals`",
            ));
        }
        Spread::Given => {
            if let Some(terminals) = &terminals {
                t.report(terminals.at.error("with spread = \"given\" the terminals come from the cells file; leave this out"));
            }
        }
        _ => {
            t.required("terminals", "a whole number", terminals.as_ref());
        }
    }
    t.finish();
    Some(DemandSpec {
        at,
        area: area?,
        area_text,
        except,
        except_files,
        terminals: terminals.map(|n| n.value),
        spread,
        rate_kbps: rate_kbps(*rate?),
    })
}

/// `[faults]` and `[additions]`.
fn read_conditions(
    root: &Fields<'_, '_>,
    file: &str,
) -> (Located<Conditions>, Vec<(String, Location)>) {
    let mut places = Vec::new();
    let mut conditions = Conditions::default();
    let mut at = Location::file(file);
    if let Some(t) = root.table("faults") {
        at = t.at();
        let mut names = |key: &'static str| -> Vec<String> {
            let given = t.strings(key).unwrap_or_default();
            let name = |name: Located<String>| {
                places.push((name.value.clone(), name.at));
                name.value
            };
            given.into_iter().map(name).collect()
        };
        conditions.faults.satellites = names("satellites");
        conditions.faults.gateways = names("gateways");
        conditions.faults.pops = names("pops");
        if let Some(percent) = t.number("satellites_percent", 0.0..=100.0) {
            conditions.faults.satellites_percent = percent.value;
        }
        t.finish();
    }
    if let Some(t) = root.table("additions") {
        if let Some(channels) = t.integer("channels", 0..=32) {
            conditions.additions.channels = channels.value as u8;
            places.push((channels.value.to_string(), channels.at));
        }
        for site in t.tables("gateway") {
            let name = site.required("name", "a name for the gateway", site.string("name"));
            let degrees =
                |key, most: f64| site.required(key, "degrees", site.number(key, -most..=most));
            let (lat, lon) = (degrees("lat_deg", 90.0), degrees("lon_deg", 180.0));
            let antennas = site.integer("antennas", 1..=10_000);
            site.finish();
            if let (Some(name), Some(lat), Some(lon)) = (name, lat, lon) {
                places.push((name.value.clone(), name.at.clone()));
                conditions.additions.gateways.push(NewGateway {
                    name: name.value,
                    lat_deg: lat.value,
                    lon_deg: lon.value,
                    antennas: antennas.map(|n| n.value as u32),
                });
            }
        }
        t.finish();
    }
    let conditions = Located {
        value: conditions,
        at,
    };
    (conditions, places)
}

fn read_terminal(t: Fields<'_, '_>) -> Option<TerminalSpec> {
    let name = t.required("name", "a name for the terminal", t.string("name"));
    if let Some(empty) = name.as_ref().filter(|n| n.trim().is_empty()) {
        t.report(empty.at.error("a terminal needs a name that is not empty"));
    }
    let rate = t.required(
        "rate_mbps",
        "Mbit/s asked",
        t.number("rate_mbps", RATE_MBPS),
    );
    let place = match (t.string("place"), t.string("track")) {
        (Some(_), Some(track)) => {
            t.report(track.at.error("give either `place` or `track`, not both"));
            None
        }
        (Some(place), None) => Some(PlaceSpec::Fixed(place)),
        (None, Some(track)) => Some(PlaceSpec::Track(track)),
        (None, None) => {
            if !t.has("place") && !t.has("track") {
                t.report(t.at().error("`place` is missing: expected \"LAT,LON\" or a city (or `track`, a CSV, if it moves)"));
            }
            None
        }
    };
    let claims = t.string("claims").and_then(|text| match find_place(&text) {
        Ok(place) => Some(place.position),
        Err(error) => {
            t.report(text.at.error(error.to_string()));
            None
        }
    });
    let obstructions = t
        .tables("obstruction")
        .into_iter()
        .filter_map(read_obstruction)
        .collect();
    t.finish();
    Some(TerminalSpec {
        name: name?,
        place: place?,
        claims,
        obstructions,
        rate_kbps: rate_kbps(*rate?),
    })
}

fn read_obstruction(t: Fields<'_, '_>) -> Option<Obstruction> {
    let degrees = |key, most: f64, what| t.required(key, what, t.number(key, 0.0..=most));
    let from = degrees("from_deg", 360.0, "the azimuth where it begins, degrees");
    let to = degrees(
        "to_deg",
        360.0,
        "the azimuth where it ends, clockwise, degrees",
    );
    let below = degrees(
        "below_deg",
        90.0,
        "the elevation up to which it hides, degrees",
    );
    if let (Some(from), Some(to)) = (&from, &to)
        && from.value == to.value
    {
        t.report(to.at.error(format!(
            "from {0} to {0} degrees is nothing: all around is 0 to 360",
            from.value
        )));
        return None;
    }
    t.finish();
    Some(Obstruction::from_degrees(*from?, *to?, *below?))
}

fn rate_kbps(mbps: f64) -> u32 {
    (mbps * 1e3).round() as u32
}

/// `LAT,LON` in degrees. `None` if the text does not look like two numbers at all.
pub(crate) fn lat_lon(text: &str) -> Option<Result<Geodetic, GeodeticError>> {
    let (lat, lon) = text.split_once(',')?;
    let (lat, lon) = (lat.trim().parse().ok()?, lon.trim().parse().ok()?);
    Some(Geodetic::from_degrees(lat, lon))
}
