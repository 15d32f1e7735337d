//! The satellites of a scenario: which there are, which serve and why the others do not, and which are linked by lasers.
//!
//! A satellite's id is its position in the element file (or in the shells, one after the other), in service or not, so that
//! ids do not depend on altitude bands.

use crate::demand::read_located;
use crate::fields::Located;
use crate::files::{Files, builtin};
use crate::problem::{Location, Problems};
use crate::scenario::{LaserMode, Phasing, ShellSize, ShellSpec, SkySource, SkySpec, Start};
use crate::table::{read_csv, required};
use core::f64::consts::TAU;
use serde::Serialize;
use skyweave_base::{SatId, Span, Time, Utc};
use skyweave_orbit::{
    EarthOrientationTable, Elements, ElementsError, Ephemeris, Format, Sky, WalkerShell, parse,
};
use skyweave_plan::{Seam, plus_grid, walker_grid};
use std::sync::Arc;

/// From this age on, positions are off by several kilometres (SGP4 with fresh elements gains 1 to 3 km a day; Vallado et al.,
/// AIAA 2006-6753, section VII) and satellites that manoeuvre by much more: worth a warning.
const WARN_AGE: Span = Span::from_secs(3 * DAY_S);
/// From this age on, a satellite that raises or keeps its orbit may be anywhere along it.
const REFUSE_AGE: Span = Span::from_secs(14 * DAY_S);
const DAY_S: i64 = 86_400;

/// Why a satellite is not in service. The text is for people; it groups satellites in [`crate::Summary`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum LeftOut {
    /// Its altitude is in none of the bands in service.
    Altitude {
        /// Top of the next band below it, km.
        above_km: Option<f64>,
        /// Bottom of the next band above it, km.
        below_km: Option<f64>,
    },
    /// Its elements are too far from the scenario's start.
    OldElements,
}

impl core::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::Altitude {
                above_km: Some(low),
                below_km: Some(high),
            } => {
                write!(
                    f,
                    "altitude between {low} and {high} km, between two bands in service"
                )
            }
            Self::Altitude {
                above_km: Some(low),
                ..
            } => write!(f, "altitude above {low} km, the top of service"),
            Self::Altitude {
                below_km: Some(high),
                ..
            } => write!(f, "altitude below {high} km, the bottom of service"),
            Self::Altitude { .. } => f.write_str("no altitude is in service"),
            Self::OldElements => {
                write!(
                    f,
                    "elements more than {} days from the start",
                    REFUSE_AGE.nanos() / DAY_S / 1_000_000_000
                )
            }
        }
    }
}

#[derive(Debug)]
pub(crate) struct Constellation {
    pub(crate) elements: Vec<Elements>,
    pub(crate) ephemeris: Ephemeris,
    /// Whether the built-in table tells how the Earth stands at the start.
    pub(crate) earth_orientation: bool,
    /// By satellite: `None` if it is in service.
    pub(crate) left_out: Vec<Option<LeftOut>>,
    pub(crate) lasers: Arc<[(SatId, SatId)]>,
    /// Median distance of the elements' epochs from the start; zero for shells.
    pub(crate) median_age: Span,
}

impl Constellation {
    pub(crate) fn in_service(&self) -> usize {
        self.serving().count()
    }

    /// The elements of those in service.
    pub(crate) fn serving(&self) -> impl Iterator<Item = &Elements> {
        let all = self.elements.iter().zip(&self.left_out);
        all.filter(|(_, out)| out.is_none()).map(|(e, _)| e)
    }
}

/// The elements of the built-in snapshot, of 20 and 21 May 2026.
pub fn builtin_elements() -> Vec<Elements> {
    parse(builtin::STARLINK_2026_05_21, Format::Tle)
        .expect("built-in data is well formed: a test reads it")
}

/// The Earth's orientation from 1 January 2020 on, by day, with a year of predictions.
pub fn builtin_earth_orientation() -> EarthOrientationTable {
    EarthOrientationTable::parse(builtin::EARTH_ORIENTATION)
        .expect("built-in data is well formed: a test reads it")
}

pub(crate) fn load(
    spec: &SkySpec,
    lasers: &LaserMode,
    start: Time,
    files: &dyn Files,
    problems: &mut Problems,
) -> Option<Constellation> {
    let (mut elements, file) = match &spec.source {
        SkySource::Builtin => (
            builtin_elements(),
            Location::file("starlink-2026-05-21.tle"),
        ),
        SkySource::File { path, format } => (
            read_elements(path, *format, files, problems)?,
            Location::file(path),
        ),
        SkySource::Shells { epoch, shells } => (
            shell_elements(shells, epoch.unwrap_or(start.into())),
            shells.first()?.at.clone(),
        ),
    };
    if elements.is_empty() {
        problems.push(file.error("an empty constellation: the file holds no satellite"));
        return None;
    }
    add_satellites(spec, &mut elements);
    let sky = match Sky::new(&elements) {
        Ok(sky) => sky,
        Err(error) => {
            problems.push(file.error(format!("{error}: {}", error.source)));
            return None;
        }
    };
    let ages: Vec<Span> = match spec.source {
        SkySource::Shells { .. } => vec![Span::ZERO; elements.len()],
        _ => elements.iter().map(|e| age(e, start)).collect(),
    };
    let left_out: Vec<Option<LeftOut>> = elements
        .iter()
        .zip(&ages)
        .map(|(e, &age)| {
            let too_old = age > REFUSE_AGE && !spec.allow_old_elements;
            outside_bands(spec, e.altitude_m()).or(too_old.then_some(LeftOut::OldElements))
        })
        .collect();
    let median_age = check_ages(spec, &ages, &left_out, start, problems);
    if left_out.iter().all(Option::is_some) && !problems.has_errors() {
        let at = spec.in_service_m.as_ref().map_or(&file, |bands| &bands.at);
        let mut altitudes: Vec<f64> = elements.iter().map(|e| e.altitude_m() / 1e3).collect();
        altitudes.sort_by(f64::total_cmp);
        problems.push(at.error(format!(
            "an empty constellation: none of the {} satellites is in service (their altitudes are {:.0} to {:.0} km)",
            elements.len(),
            altitudes[0],
            altitudes[altitudes.len() - 1]
        )));
    }
    let lasers = load_lasers(lasers, spec, &elements, &left_out, start, files, problems).into();
    let table = builtin_earth_orientation();
    Some(Constellation {
        elements,
        earth_orientation: table.at(start).is_some(),
        ephemeris: Ephemeris::new(sky.with_orientation(table)),
        left_out,
        lasers,
        median_age,
    })
}

/// Gives every so-manieth of the satellites in the bands a companion behind it in its plane. Their ids follow all others.
fn add_satellites(spec: &SkySpec, elements: &mut Vec<Elements>) {
    /// Half of what is between the satellites of a full plane, 18 to 22 of them.
    const BEHIND_RAD: f64 = TAU / 40.0;
    let in_bands = elements
        .iter()
        .filter(|e| outside_bands(spec, e.altitude_m()).is_none());
    let upto = |k: usize| (k as f64 * spec.added_percent / 100.0).floor();
    let chosen = in_bands.enumerate().filter(|&(k, _)| upto(k + 1) > upto(k));
    let added: Vec<Elements> = chosen
        .map(|(_, e)| Elements {
            name: format!("{} companion", e.name),
            catalog_number: 0,
            mean_anomaly_rad: (e.mean_anomaly_rad - BEHIND_RAD).rem_euclid(TAU),
            ..e.clone()
        })
        .collect();
    elements.extend(added);
}

fn age(elements: &Elements, start: Time) -> Span {
    let age = start - Time::from(elements.epoch);
    if age < Span::ZERO { -age } else { age }
}

fn outside_bands(spec: &SkySpec, altitude_m: f64) -> Option<LeftOut> {
    let bands = &spec.in_service_m.as_ref()?.value;
    if bands
        .iter()
        .any(|&(low, high)| (low..=high).contains(&altitude_m))
    {
        return None;
    }
    let below = bands
        .iter()
        .map(|band| band.1)
        .filter(|&top| top < altitude_m)
        .max_by(f64::total_cmp);
    let above = bands
        .iter()
        .map(|band| band.0)
        .filter(|&bottom| bottom > altitude_m)
        .min_by(f64::total_cmp);
    Some(LeftOut::Altitude {
        above_km: below.map(|m| m / 1e3),
        below_km: above.map(|m| m / 1e3),
    })
}

/// The rule of ages: half of the satellites in the bands decide whether the file as a whole fits the start.
fn check_ages(
    spec: &SkySpec,
    ages: &[Span],
    left_out: &[Option<LeftOut>],
    start: Time,
    problems: &mut Problems,
) -> Span {
    let in_bands = ages
        .iter()
        .zip(left_out)
        .filter(|(_, out)| !matches!(out, Some(LeftOut::Altitude { .. })));
    let mut of_interest: Vec<Span> = in_bands.map(|(&age, _)| age).collect();
    if of_interest.is_empty() {
        return Span::ZERO;
    }
    of_interest.sort_unstable();
    let median = of_interest[of_interest.len() / 2];
    let days = median.as_secs_f64() / DAY_S as f64;
    let at = &spec.start.at;
    if median > REFUSE_AGE && !spec.allow_old_elements {
        let how = match spec.start.value {
            Start::Now => "take fresh elements, or a start time near theirs",
            Start::At(_) => "take elements or a start nearer to each other",
        };
        problems.push(at.error(format!(
            "the elements are {days:.1} days (median) from the start {start}: beyond 14 days positions are not to be \
             trusted; {how}, or set sky.allow_old_elements = true"
        )));
    } else if median > WARN_AGE {
        problems.push(at.warning(format!(
            "the elements are {days:.1} days (median) from the start {start}: beyond 3 days positions are off by \
             kilometres, and more for satellites that manoeuvre"
        )));
    }
    median
}

fn read_elements(
    path: &Located<String>,
    format: Option<Format>,
    files: &dyn Files,
    problems: &mut Problems,
) -> Option<Vec<Elements>> {
    let bytes = read_located(path, files, problems)?;
    let Ok(text) = String::from_utf8(bytes) else {
        problems.push(Location::file(path).error("is not UTF-8 text"));
        return None;
    };
    let Some(format) = format.or_else(|| Format::detect(&text)) else {
        let message = if text.trim().is_empty() {
            "an empty constellation: the file is empty"
        } else {
            "looks like none of TLE, OMM JSON, OMM CSV, OMM XML, OMM KVN; sky.format can say which it is"
        };
        problems.push(Location::file(path).error(message));
        return None;
    };
    match parse(&text, format) {
        Ok(elements) => Some(elements),
        Err(error) => {
            let text = error.to_string();
            let (at, message) = match line_of(&error) {
                Some(line) => {
                    let message = text
                        .strip_prefix(&format!("line {line}: "))
                        .unwrap_or(&text)
                        .to_owned();
                    (Location::line(path, line as u64), message)
                }
                None => (Location::file(path), text),
            };
            problems.push(at.error(message));
            None
        }
    }
}

fn line_of(error: &ElementsError) -> Option<usize> {
    match error {
        ElementsError::Checksum { line, .. }
        | ElementsError::Field { line, .. }
        | ElementsError::Missing { line, .. }
        | ElementsError::Line { line, .. }
        | ElementsError::Syntax { line, .. } => Some(*line),
        ElementsError::NotWritable { .. } => None,
    }
}

fn shell_elements(shells: &[ShellSpec], epoch: Utc) -> Vec<Elements> {
    let mut all = Vec::new();
    for (i, shell) in shells.iter().enumerate() {
        let walker = WalkerShell {
            name: if shells.len() == 1 {
                "SAT".to_owned()
            } else {
                format!("SHELL-{}", i + 1)
            },
            first_catalog_number: all.len() as u32 + 1,
            size: match shell.size {
                ShellSize::AltitudeM(m) => skyweave_orbit::ShellSize::AltitudeM(m),
                ShellSize::MeanMotionRevDay(n) => skyweave_orbit::ShellSize::MeanMotionRevDay(n),
            },
            inclination_rad: shell.inclination_rad,
            planes: shell.planes,
            satellites_per_plane: shell.satellites_per_plane,
            phasing: match shell.phasing {
                Phasing::Alternate => skyweave_orbit::Phasing::OddPlanesHalfStep,
                Phasing::Walker(f) => skyweave_orbit::Phasing::Walker(f),
            },
            raan_span_rad: shell.raan_span_rad,
        };
        all.extend(walker.elements(epoch).into_iter().map(|e| Elements {
            raan_rad: (e.raan_rad + shell.raan_start_rad).rem_euclid(TAU),
            ..e
        }));
    }
    all
}

fn load_lasers(
    mode: &LaserMode,
    spec: &SkySpec,
    elements: &[Elements],
    left_out: &[Option<LeftOut>],
    start: Time,
    files: &dyn Files,
    problems: &mut Problems,
) -> Vec<(SatId, SatId)> {
    match (mode, &spec.source) {
        (LaserMode::None, _) => Vec::new(),
        (LaserMode::Grid, SkySource::Shells { shells, .. }) => {
            let mut links = Vec::new();
            let mut first = 0;
            for shell in shells {
                // Only planes that go all the way round have neighbours at both ends.
                let seam = if shell.raan_span_rad >= TAU - 1e-9 {
                    Seam::Closed
                } else {
                    Seam::Open
                };
                links.extend(walker_grid(
                    SatId(first),
                    shell.planes,
                    shell.satellites_per_plane,
                    seam,
                ));
                first += shell.planes * shell.satellites_per_plane;
            }
            links
        }
        (LaserMode::Grid, _) => {
            let in_service: Vec<bool> = left_out.iter().map(Option::is_none).collect();
            plus_grid(elements, &in_service, start)
        }
        (LaserMode::Pairs(path), _) => match read_located(path, files, problems) {
            Some(bytes) => read_pairs(path, &bytes, elements.len(), problems),
            None => Vec::new(),
        },
    }
}

/// Two satellite numbers per line, with or without a header, separated by commas or blanks (Hypatia's `isls.txt`).
pub(crate) fn read_pairs(
    file: &str,
    bytes: &[u8],
    satellites: usize,
    problems: &mut Problems,
) -> Vec<(SatId, SatId)> {
    let spaced;
    let has_header = bytes
        .iter()
        .find(|b| !b.is_ascii_whitespace())
        .is_some_and(|b| b.is_ascii_alphabetic());
    let bytes = if has_header {
        bytes
    } else {
        let text = String::from_utf8_lossy(bytes);
        let lines = text
            .lines()
            .map(|line| line.split([' ', '\t', ',', ';']).filter(|w| !w.is_empty()));
        // Onto the first line, so that line numbers stay those of the file but for the header.
        spaced = lines.fold("a,b\n".to_owned(), |all, words| {
            all + &words.collect::<Vec<_>>().join(",") + "\n"
        });
        spaced.as_bytes()
    };
    let columns = [
        required(&["a", "src", "src_id", "sat_a", "from"]),
        required(&["b", "dst", "dst_id", "sat_b", "to"]),
    ];
    let last = satellites.saturating_sub(1) as u32;
    let mut links = Vec::new();
    let before = problems.0.len();
    read_csv(file, bytes, &columns, problems, |row| {
        let (a, b) = (
            row.required_number(0, 0..=last),
            row.required_number(1, 0..=last),
        );
        let (Some(a), Some(b)) = (a, b) else { return };
        if a == b {
            row.error(1, "a laser cannot link a satellite with itself");
        } else {
            links.push((SatId(a.min(b)), SatId(a.max(b))));
        }
    });
    if !has_header {
        for problem in &mut problems.0[before..] {
            problem.at.line = problem.at.line.map(|line| line.saturating_sub(1).max(1));
        }
    }
    links.sort_unstable();
    links.dedup();
    links
}
