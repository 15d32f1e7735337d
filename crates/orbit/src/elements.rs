//! Mean elements of an orbit, and the formats in which they come.
//!
//! Knows the meaning of each element and the errors of reading them; the layouts are in `tle` and `omm`.

use crate::{omm, tle};
use core::f64::consts::TAU;
use core::fmt;
use skyweave_base::Utc;

/// Gravitational parameter of WGS72, m³/s² (Vallado et al., AIAA 2006-6753, table 1): the one that goes with SGP4's
/// mean motions.
pub(crate) const MU_WGS72_M3_S2: f64 = 398_600.8e9;
/// Equatorial radius from which altitudes are counted, m (WGS84).
pub(crate) const EQUATORIAL_RADIUS_M: f64 = 6_378_137.0;
const DAY_S: f64 = 86_400.0;

/// Mean elements in the sense of SGP4 (Kozai mean motion, TEME of epoch), with what identifies the satellite.
#[derive(Clone, Debug, PartialEq)]
pub struct Elements {
    /// Name; may be empty.
    pub name: String,
    /// Catalogue number.
    pub catalog_number: u32,
    /// COSPAR designator as OMM writes it (`1998-067A`), or the text found if it is not one.
    pub international_designator: String,
    /// Classification: `U`, `C` or `S`.
    pub classification: char,
    /// The instant to which the elements belong.
    pub epoch: Utc,
    /// Mean motion, revolutions per day.
    pub mean_motion_rev_day: f64,
    /// Half of the first derivative of the mean motion, rev/day², as TLE and OMM give it. SGP4 does not use it.
    pub mean_motion_dot: f64,
    /// A sixth of the second derivative of the mean motion, rev/day³, as TLE and OMM give it. SGP4 does not use it.
    pub mean_motion_ddot: f64,
    /// Eccentricity.
    pub eccentricity: f64,
    /// Inclination, rad.
    pub inclination_rad: f64,
    /// Right ascension of the ascending node, rad.
    pub raan_rad: f64,
    /// Argument of perigee, rad.
    pub argument_of_perigee_rad: f64,
    /// Mean anomaly, rad.
    pub mean_anomaly_rad: f64,
    /// SGP4's drag term B*, per Earth radius.
    pub bstar: f64,
    /// Kind of ephemeris; 0 in published element sets.
    pub ephemeris_type: u8,
    /// Number of the element set.
    pub element_set_number: u32,
    /// Revolution at epoch.
    pub revolution_number: u32,
}

impl Elements {
    /// Altitude of the mean orbit: a − 6 378.137 km, with a³ = μ / n² (two bodies, μ of WGS72).
    pub fn altitude_m(&self) -> f64 {
        let n_rad_s = self.mean_motion_rev_day * TAU / DAY_S;
        (MU_WGS72_M3_S2 / (n_rad_s * n_rad_s)).cbrt() - EQUATORIAL_RADIUS_M
    }

    /// The same elements with the digits that a TLE has room for: angles to 1e-4 degrees, mean motion to 1e-8 rev/day,
    /// eccentricity to 1e-7, epoch to 1e-8 days. Equal to writing a TLE and reading it again.
    pub fn round_like_tle(&self) -> Self {
        tle::round(self)
    }
}

/// Mean motion in rev/day of a circular orbit at an altitude above 6 378.137 km: the inverse of [`Elements::altitude_m`].
pub(crate) fn mean_motion_rev_day(altitude_m: f64) -> f64 {
    (MU_WGS72_M3_S2 / (EQUATORIAL_RADIUS_M + altitude_m).powi(3)).sqrt() * DAY_S / TAU
}

/// A layout of element sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Two-line elements, with or without a name line (2LE, 3LE).
    Tle,
    /// CCSDS Orbit Mean-Elements Message as a JSON array of objects with the keywords as keys.
    OmmJson,
    /// OMM as CSV, one header line of keywords.
    OmmCsv,
    /// OMM as XML (CCSDS 505.0-B).
    OmmXml,
    /// OMM as `KEYWORD = value` lines (CCSDS 502.0-B).
    OmmKvn,
}

impl Format {
    /// Guesses the layout of a text. `None` if it looks like none of them.
    pub fn detect(text: &str) -> Option<Self> {
        let text = without_bom(text).trim_start();
        if text.starts_with(['[', '{']) {
            return Some(Self::OmmJson);
        }
        if text.starts_with('<') {
            return Some(Self::OmmXml);
        }
        let heads = text.lines().next()?.split(',');
        if heads
            .map(|head| head.trim().trim_matches('"'))
            .any(|head| head == "MEAN_MOTION")
        {
            return Some(Self::OmmCsv);
        }
        if text
            .lines()
            .filter_map(|line| line.split_once('='))
            .any(|(keyword, _)| keyword.trim() == "MEAN_MOTION")
        {
            return Some(Self::OmmKvn);
        }
        text.lines()
            .any(tle::looks_like_line_1)
            .then_some(Self::Tle)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tle => "TLE",
            Self::OmmJson => "OMM JSON",
            Self::OmmCsv => "OMM CSV",
            Self::OmmXml => "OMM XML",
            Self::OmmKvn => "OMM KVN",
        })
    }
}

/// Why a text gives no elements, or elements fit no text. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElementsError {
    /// The last digit of a TLE line does not agree with the line.
    #[error(
        "line {line}: checksum: expected {expected}, found `{found}`; a character of the line was changed or lost"
    )]
    Checksum {
        /// Line.
        line: usize,
        /// Character in column 69.
        found: char,
        /// Sum of the digits, with 1 for each minus sign, modulo 10.
        expected: u8,
    },
    /// A value cannot be read, or is impossible.
    #[error("line {line}: {field}: expected {}, found `{found}`{}", .expected.what, .expected.hint())]
    Field {
        /// Line.
        line: usize,
        /// Which element, by its OMM keyword.
        field: &'static str,
        /// The text there, shortened.
        found: String,
        /// What would be right.
        expected: Expected,
    },
    /// A value that SGP4 needs is not there.
    #[error("line {line}: {field} is missing; every element set needs it")]
    Missing {
        /// Line on which the element set begins.
        line: usize,
        /// Which element, by its OMM keyword.
        field: &'static str,
    },
    /// A line is not what must stand at its place.
    #[error("line {line}: expected {}, found `{found}`{}", .expected.what, .expected.hint())]
    Line {
        /// Line.
        line: usize,
        /// What would be right.
        expected: Expected,
        /// The line, shortened.
        found: String,
    },
    /// The text breaks the rules of JSON, CSV or XML.
    #[error("line {line}: not {format}: {reason}")]
    Syntax {
        /// Line.
        line: usize,
        /// The layout that was asked for.
        format: Format,
        /// What its parser says.
        reason: String,
    },
    /// Elements that a layout has no room for.
    #[error("{name}: {field} {value} does not fit: {limit}")]
    NotWritable {
        /// The satellite.
        name: String,
        /// Which element, by its OMM keyword.
        field: &'static str,
        /// Its value.
        value: String,
        /// What the layout holds.
        limit: &'static str,
    },
}

/// What would have been right, and what a person can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// What would have been right.
    pub what: &'static str,
    /// Advice; empty if there is none.
    pub hint: &'static str,
}

impl Expected {
    pub(crate) const fn new(what: &'static str) -> Self {
        Self { what, hint: "" }
    }

    pub(crate) const fn with_hint(what: &'static str, hint: &'static str) -> Self {
        Self { what, hint }
    }

    fn hint(&self) -> String {
        if self.hint.is_empty() {
            String::new()
        } else {
            format!("; {}", self.hint)
        }
    }
}

/// Longest text quoted in an error, in characters: a line of a TLE, roughly.
const QUOTED_CHARS: usize = 72;

/// A text from outside, fit for an error message.
pub(crate) fn quoted(text: &str) -> String {
    let mut out: String = text
        .chars()
        .take(QUOTED_CHARS)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(QUOTED_CHARS).is_some() {
        out.push('…');
    }
    out
}

pub(crate) fn without_bom(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Reads all element sets of a text, in its order. An empty text gives none.
///
/// ```
/// use skyweave_orbit::{Format, parse};
/// let text = "ISS (ZARYA)\n\
///     1 25544U 98067A   20194.88612269 -.00002218  00000-0 -31515-4 0  9992\n\
///     2 25544  51.6461 221.2784 0001413  89.1723 280.4612 15.49507896236008\n";
/// let elements = parse(text, Format::detect(text).unwrap())?;
/// assert_eq!(elements[0].international_designator, "1998-067A");
/// assert_eq!(elements[0].epoch.to_string(), "2020-07-12T21:16:01.000416Z");
/// # Ok::<(), skyweave_orbit::ElementsError>(())
/// ```
pub fn parse(text: &str, format: Format) -> Result<Vec<Elements>, ElementsError> {
    match format {
        Format::Tle => tle::parse(text),
        Format::OmmJson => omm::json::parse(text),
        Format::OmmCsv => omm::csv::parse(text),
        Format::OmmXml => omm::xml::parse(text),
        Format::OmmKvn => omm::kvn::parse(text),
    }
}

/// Writes element sets in the given layout. A TLE rounds them ([`Elements::round_like_tle`]) and has room for catalogue
/// numbers up to 339,999 (alpha-5); an OMM keeps angles to 1e-12 degrees and everything else in full.
pub fn write(elements: &[Elements], format: Format) -> Result<String, ElementsError> {
    match format {
        Format::Tle => tle::write(elements),
        Format::OmmJson => omm::json::write(elements),
        Format::OmmCsv => omm::csv::write(elements),
        Format::OmmXml => omm::xml::write(elements),
        Format::OmmKvn => omm::kvn::write(elements),
    }
}
