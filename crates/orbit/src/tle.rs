//! Two-line elements: fixed columns, a checksum, two digits of the year.
//!
//! Follows CelesTrak, "Two-Line Element Set Format" (Kelso), and Space-Track's alpha-5 catalogue numbers. Accepts CRLF,
//! blank lines, `#` comments, name lines with or without the prefix `0 `, and a first line `planes satellites`.

use crate::elements::{Elements, ElementsError, Expected, quoted, without_bom};
use skyweave_base::Utc;

const LINE_LENGTH: usize = 69;
/// A TLE gives the epoch's fraction of a day with 8 decimals.
const EPOCH_STEP_NANOS: i64 = 864_000;
const DAY_NANOS: i64 = 86_400_000_000_000;
/// Largest number that alpha-5 can write, `Z9999`.
const ALPHA5_MAX: u32 = 339_999;
/// The letters of alpha-5 for 10 to 33: I and O are left out.
const ALPHA5: &[u8; 24] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";

const LINE_1: Expected = Expected::with_hint(
    "line 1 of an element set",
    "an element set is an optional name line, line 1 and line 2",
);
const LINE_2: Expected = Expected::with_hint(
    "line 2 of the element set",
    "each line 1 is followed at once by its line 2",
);
const COLUMNS_69: Expected = Expected::with_hint(
    "69 ASCII characters",
    "the columns of a TLE are fixed, so blanks may not be removed",
);
const SAME_NUMBER: Expected = Expected::with_hint(
    "the catalogue number of line 1",
    "the two lines belong to different satellites",
);
const CATALOG_NUMBER: Expected = Expected::with_hint(
    "five digits, or a letter other than I and O and four digits",
    "numbers above 339999 exist only in OMM",
);
const EPOCH: Expected =
    Expected::new("a year of two digits and a day of that year with its fraction");
const DECIMAL: Expected = Expected::new("a decimal number");
const EXPONENTIAL: Expected = Expected::new("five digits, a sign and one digit, such as 13806-2");
const INTEGER: Expected = Expected::new("a whole number, right-aligned");
const ANGLE: Expected = Expected::new("degrees from 0 to 360");
const INCLINATION: Expected = Expected::new("degrees from 0 to 180");
const ECCENTRICITY: Expected = Expected::new("seven digits, the decimal point left out");
const MEAN_MOTION: Expected = Expected::new("revolutions per day, above 0");

/// Whether faults that leave the elements readable are refused.
#[derive(Clone, Copy, PartialEq)]
enum Rigour {
    /// Checksums, equal catalogue numbers and exact length are demanded.
    Strict,
    /// They are not; text after column 69 is ignored.
    Unchecked,
}

/// Reads two- or three-line element sets without a look at checksums, length and the equality of the two catalogue
/// numbers. For old test sets, such as that of AIAA 2006-6753; data of unknown origin belongs in [`crate::parse`].
pub fn parse_tle_unchecked(text: &str) -> Result<Vec<Elements>, ElementsError> {
    parse_with(text, Rigour::Unchecked)
}

pub(crate) fn parse(text: &str) -> Result<Vec<Elements>, ElementsError> {
    parse_with(text, Rigour::Strict)
}

/// True of any line that can only be the first of an element set, or a damaged one.
pub(crate) fn looks_like_line_1(line: &str) -> bool {
    looks_like('1', line)
}

/// Names may begin with `1 ` or `2 ` too, but are at most 24 characters long.
fn looks_like(number: char, line: &str) -> bool {
    const LONGEST_NAME: usize = 24;
    let line = line.trim_end();
    line.starts_with(number) && line[1..].starts_with(' ') && line.len() > LONGEST_NAME
}

fn parse_with(text: &str, rigour: Rigour) -> Result<Vec<Elements>, ElementsError> {
    let mut lines = without_bom(text)
        .lines()
        .enumerate()
        .map(|(i, line)| (i + 1, line.trim_end()))
        .filter(|(_, line)| !line.is_empty() && !line.trim_start().starts_with('#'))
        .peekable();
    if lines.peek().is_some_and(|(_, line)| is_shell_header(line)) {
        lines.next();
    }
    let wrong = |line, expected, found: &str| ElementsError::Line {
        line,
        expected,
        found: quoted(found),
    };
    let mut out = Vec::new();
    while let Some((number, line)) = lines.next() {
        let (name, (number_1, line_1)) = if looks_like_line_1(line) {
            ("", (number, line))
        } else if looks_like('2', line) {
            return Err(wrong(number, LINE_1, line));
        } else {
            let name = line.strip_prefix("0 ").unwrap_or(line).trim();
            match lines.next() {
                Some(first) if looks_like_line_1(first.1) => (name, first),
                Some((number, found)) => return Err(wrong(number, LINE_1, found)),
                None => return Err(wrong(number, LINE_1, line)),
            }
        };
        let (number_2, line_2) = match lines.next() {
            Some(second) if looks_like('2', second.1) => second,
            Some((number, found)) => return Err(wrong(number, LINE_2, found)),
            None => return Err(wrong(number_1 + 1, LINE_2, "the end of the text")),
        };
        let line_1 = Line::new(number_1, line_1, rigour)?;
        let line_2 = Line::new(number_2, line_2, rigour)?;
        out.push(elements(name, line_1, line_2, rigour)?);
    }
    Ok(out)
}

/// The first line of a generated constellation: number of planes, satellites in each. `0 7` is a satellite named 7.
fn is_shell_header(line: &str) -> bool {
    let is_count = |word: &str| !word.starts_with('0') && word.bytes().all(|b| b.is_ascii_digit());
    let mut words = line.split_whitespace();
    words.next().is_some_and(is_count)
        && words.next().is_some_and(is_count)
        && words.next().is_none()
}

/// A line of 69 ASCII characters or more, so that columns can be cut without a look.
#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    text: &'a str,
}

impl<'a> Line<'a> {
    fn new(number: usize, text: &'a str, rigour: Rigour) -> Result<Self, ElementsError> {
        // Without its checksum, a line is still readable.
        let length_is_right = match rigour {
            Rigour::Strict => text.len() == LINE_LENGTH,
            Rigour::Unchecked => text.len() >= LINE_LENGTH - 1,
        };
        if !length_is_right || !text.is_ascii() {
            return Err(ElementsError::Line {
                line: number,
                expected: COLUMNS_69,
                found: quoted(text),
            });
        }
        let line = Self { number, text };
        if rigour == Rigour::Strict {
            let expected = checksum(text.as_bytes());
            let found = char::from(text.as_bytes()[LINE_LENGTH - 1]);
            if found != char::from(b'0' + expected) {
                return Err(ElementsError::Checksum {
                    line: number,
                    found,
                    expected,
                });
            }
        }
        Ok(line)
    }

    /// Columns `first..=last`, counted from 1, without blanks around.
    fn columns(self, first: usize, last: usize) -> &'a str {
        self.text[first - 1..last].trim()
    }

    fn error(self, field: &'static str, found: &str, expected: Expected) -> ElementsError {
        ElementsError::Field {
            line: self.number,
            field,
            found: quoted(found),
            expected,
        }
    }

    fn decimal(
        self,
        field: &'static str,
        columns: (usize, usize),
        expected: Expected,
    ) -> Result<f64, ElementsError> {
        let text = self.columns(columns.0, columns.1);
        parse_decimal(text).ok_or_else(|| self.error(field, text, expected))
    }

    /// Degrees to radians.
    fn angle(
        self,
        field: &'static str,
        columns: (usize, usize),
        most_deg: f64,
    ) -> Result<f64, ElementsError> {
        let expected = if most_deg == 180.0 {
            INCLINATION
        } else {
            ANGLE
        };
        let degrees = self.decimal(field, columns, expected)?;
        if !(0.0..=most_deg).contains(&degrees) {
            return Err(self.error(field, self.columns(columns.0, columns.1), expected));
        }
        Ok(degrees.to_radians())
    }

    /// A whole number; blanks mean 0, as some catalogues write them.
    fn integer(self, field: &'static str, columns: (usize, usize)) -> Result<u32, ElementsError> {
        let text = self.columns(columns.0, columns.1);
        if text.is_empty() {
            return Ok(0);
        }
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        digits
            .then(|| text.parse().ok())
            .flatten()
            .ok_or_else(|| self.error(field, text, INTEGER))
    }

    /// `±.ddddd` with a power of ten: ` 13806-2` is 0.13806e-2. Blank means 0.
    fn exponential(
        self,
        field: &'static str,
        columns: (usize, usize),
    ) -> Result<f64, ElementsError> {
        let text = self.columns(columns.0, columns.1);
        if text.is_empty() {
            return Ok(0.0);
        }
        let parse = || {
            let (negative, digits) = match text.as_bytes()[0] {
                b'-' => (true, &text[1..]),
                b'+' => (false, &text[1..]),
                _ => (false, text),
            };
            let (mantissa, exponent) = digits.split_at(digits.find(['-', '+'])?);
            let mantissa = mantissa.strip_prefix('.').unwrap_or(mantissa);
            if mantissa.is_empty() || !mantissa.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            let exponent: i32 = exponent.parse().ok()?;
            let value: f64 = format!("0.{mantissa}e{exponent}").parse().ok()?;
            Some(if negative { -value } else { value })
        };
        parse().ok_or_else(|| self.error(field, text, EXPONENTIAL))
    }

    fn catalog_number(self) -> Result<u32, ElementsError> {
        let text = self.columns(3, 7);
        let parse = || {
            let (&first, rest) = text.as_bytes().split_first()?;
            let lead = match ALPHA5.iter().position(|&letter| letter == first) {
                Some(i) if rest.len() == 4 => 10 + i as u32,
                Some(_) => return None,
                None => {
                    return text
                        .bytes()
                        .all(|b| b.is_ascii_digit())
                        .then(|| text.parse().ok())?;
                }
            };
            let rest = text[1..]
                .bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| text[1..].parse::<u32>().ok())??;
            Some(lead * 10_000 + rest)
        };
        parse().ok_or_else(|| self.error("NORAD_CAT_ID", text, CATALOG_NUMBER))
    }

    fn epoch(self) -> Result<Utc, ElementsError> {
        let text = self.columns(19, 32);
        let parse = || {
            let number = |s: &str| {
                s.bytes()
                    .all(|b| b.is_ascii_digit())
                    .then(|| s.parse::<i64>().ok())?
            };
            let year = number(text.get(..2)?)?;
            // 57 is the year of Sputnik 1 and the turn of the century here.
            let year = year + if year < 57 { 2000 } else { 1900 };
            let (day, fraction) = text[2..].split_once('.').unwrap_or((&text[2..], ""));
            let day = number(day.trim_start())?;
            let leap = year % 4 == 0;
            if !(1..=365 + i64::from(leap)).contains(&day)
                || fraction.len() > 8
                || !fraction.bytes().all(|b| b.is_ascii_digit())
            {
                return None;
            }
            let fraction: i64 = format!("{fraction:0<8}").parse().ok()?;
            let new_year = Utc::from_date(year as i32, 1, 1, 0)?;
            Some(Utc::from_unix_nanos(
                new_year.unix_nanos() + (day - 1) * DAY_NANOS + fraction * EPOCH_STEP_NANOS,
            ))
        };
        parse().ok_or_else(|| self.error("EPOCH", text, EPOCH))
    }
}

/// Only digits, one point and a leading sign: Rust's parser would also take `inf`, `1e5` and `nan`.
fn parse_decimal(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits
        .bytes()
        .all(|b| b.is_ascii_digit() || b == b'.')
        .then(|| text.parse().ok())?
}

fn elements(
    name: &str,
    line_1: Line,
    line_2: Line,
    rigour: Rigour,
) -> Result<Elements, ElementsError> {
    let catalog_number = line_1.catalog_number()?;
    if rigour == Rigour::Strict && line_2.catalog_number()? != catalog_number {
        return Err(line_2.error("NORAD_CAT_ID", line_2.columns(3, 7), SAME_NUMBER));
    }
    let eccentricity = line_2.columns(27, 33);
    let eccentricity = parse_decimal(&format!("0.{eccentricity}"))
        .filter(|_| eccentricity.len() == 7 && !eccentricity.contains('.'))
        .ok_or_else(|| line_2.error("ECCENTRICITY", eccentricity, ECCENTRICITY))?;
    let mean_motion_rev_day = line_2.decimal("MEAN_MOTION", (53, 63), MEAN_MOTION)?;
    if mean_motion_rev_day <= 0.0 {
        return Err(line_2.error("MEAN_MOTION", line_2.columns(53, 63), MEAN_MOTION));
    }
    Ok(Elements {
        name: name.to_owned(),
        catalog_number,
        international_designator: long_designator(line_1.columns(10, 17)),
        classification: line_1.text[7..]
            .chars()
            .next()
            .filter(char::is_ascii_alphabetic)
            .unwrap_or('U'),
        epoch: line_1.epoch()?,
        mean_motion_rev_day,
        mean_motion_dot: line_1.decimal("MEAN_MOTION_DOT", (34, 43), DECIMAL)?,
        mean_motion_ddot: line_1.exponential("MEAN_MOTION_DDOT", (45, 52))?,
        eccentricity,
        inclination_rad: line_2.angle("INCLINATION", (9, 16), 180.0)?,
        raan_rad: line_2.angle("RA_OF_ASC_NODE", (18, 25), 360.0)?,
        argument_of_perigee_rad: line_2.angle("ARG_OF_PERICENTER", (35, 42), 360.0)?,
        mean_anomaly_rad: line_2.angle("MEAN_ANOMALY", (44, 51), 360.0)?,
        bstar: line_1.exponential("BSTAR", (54, 61))?,
        ephemeris_type: line_1.integer("EPHEMERIS_TYPE", (63, 63))? as u8,
        element_set_number: line_1.integer("ELEMENT_SET_NO", (65, 68))?,
        revolution_number: line_2.integer("REV_AT_EPOCH", (64, 68))?,
    })
}

/// Sum of the digits, a minus sign counting 1, modulo 10, over columns 1 to 68.
fn checksum(line: &[u8]) -> u8 {
    let value = |&b: &u8| match b {
        b'0'..=b'9' => u32::from(b - b'0'),
        b'-' => 1,
        _ => 0,
    };
    (line.iter().take(LINE_LENGTH - 1).map(value).sum::<u32>() % 10) as u8
}

/// `98067A` to `1998-067A`; anything else stays as it is.
fn long_designator(short: &str) -> String {
    let digits = |s: Option<&str>| {
        s.filter(|s| s.bytes().all(|b| b.is_ascii_digit()))
            .map(str::to_owned)
    };
    match (
        digits(short.get(..2)),
        digits(short.get(2..5)),
        short.get(5..),
    ) {
        (Some(year), Some(launch), Some(piece))
            if !piece.is_empty() && piece.bytes().all(|b| b.is_ascii_uppercase()) =>
        {
            let century = if year.as_str() < "57" { 20 } else { 19 };
            format!("{century}{year}-{launch}{piece}")
        }
        _ => short.to_owned(),
    }
}

/// The inverse of [`long_designator`]; anything else is cut to the 8 columns there are, and to what may stand in them.
fn short_designator(long: &str) -> String {
    let short = match long.split_once('-') {
        Some((year, rest)) if year.len() == 4 => format!("{}{rest}", year.get(2..).unwrap_or("")),
        _ => long.to_owned(),
    };
    let fits = short.len() <= 8 && short.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    if fits && long_designator(&short) == long {
        short
    } else {
        long.chars()
            .filter(char::is_ascii_graphic)
            .take(8)
            .collect()
    }
}

pub(crate) fn write(elements: &[Elements]) -> Result<String, ElementsError> {
    let mut out = String::with_capacity(elements.len() * 3 * (LINE_LENGTH + 1));
    for e in elements {
        let [line_1, line_2] = lines(e)?;
        // A name line that would be taken for a comment, a first line or a byte order mark is written in the form `0 NAME`.
        let name: String = e.name.chars().filter(|c| !c.is_control()).collect();
        let name = name.trim();
        if !name.is_empty() {
            let ambiguous =
                name.starts_with(['#', '0', '1', '2', '\u{feff}']) || is_shell_header(name);
            if ambiguous {
                out.push_str("0 ");
            }
            out.push_str(name);
            out.push('\n');
        }
        out.push_str(&line_1);
        out.push('\n');
        out.push_str(&line_2);
        out.push('\n');
    }
    Ok(out)
}

fn lines(e: &Elements) -> Result<[String; 2], ElementsError> {
    let refuse = |field, value: String, limit| ElementsError::NotWritable {
        name: e.name.clone(),
        field,
        value,
        limit,
    };
    let number = match e.catalog_number {
        n @ 0..=99_999 => format!("{n:05}"),
        n @ 100_000..=ALPHA5_MAX => {
            format!(
                "{}{:04}",
                char::from(ALPHA5[(n / 10_000 - 10) as usize]),
                n % 10_000
            )
        }
        n => {
            return Err(refuse(
                "NORAD_CAT_ID",
                n.to_string(),
                "a TLE holds numbers up to 339999; write an OMM",
            ));
        }
    };
    if e.ephemeris_type > 9 {
        return Err(refuse(
            "EPHEMERIS_TYPE",
            e.ephemeris_type.to_string(),
            "one digit",
        ));
    }
    if e.element_set_number > 9_999 {
        return Err(refuse(
            "ELEMENT_SET_NO",
            e.element_set_number.to_string(),
            "up to 9999",
        ));
    }
    if !(0.0..1.0).contains(&e.eccentricity) || decimal(e.eccentricity, 7) >= 1.0 {
        return Err(refuse(
            "ECCENTRICITY",
            e.eccentricity.to_string(),
            "from 0 to 0.9999999",
        ));
    }
    let mean_motion = decimal(e.mean_motion_rev_day, 8);
    if !(mean_motion > 0.0 && mean_motion < 100.0) {
        return Err(refuse(
            "MEAN_MOTION",
            e.mean_motion_rev_day.to_string(),
            "above 0 and below 100 rev/day",
        ));
    }
    let dot = decimal(e.mean_motion_dot, 8);
    if dot.is_nan() || dot.abs() >= 1.0 {
        return Err(refuse(
            "MEAN_MOTION_DOT",
            e.mean_motion_dot.to_string(),
            "below 1 rev/day²",
        ));
    }
    let sign = if dot < 0.0 { '-' } else { ' ' };
    let dot = format!("{sign}{}", &format!("{:.8}", dot.abs())[1..]);
    let exponential = |field, value: f64| {
        exponential(value).ok_or_else(|| {
            refuse(
                field,
                value.to_string(),
                "0, or from 1e-10 to below 1e9 in size",
            )
        })
    };
    let epoch = round_epoch(e.epoch);
    let (year, ..) = epoch.date();
    if !(1957..2057).contains(&year) {
        return Err(refuse("EPOCH", e.epoch.to_string(), "from 1957 to 2056"));
    }
    // from_date cannot fail: the year is one that `epoch` has.
    let of_year =
        epoch.unix_nanos() - Utc::from_date(year as i32, 1, 1, 0).map_or(0, Utc::unix_nanos);
    let angle = |field, angle_rad: f64, most_deg: f64| {
        let degrees = round_degrees(angle_rad, most_deg);
        let fits = (0.0..=most_deg).contains(&degrees);
        fits.then(|| format!("{degrees:8.4}")).ok_or_else(|| {
            refuse(
                field,
                angle_rad.to_string(),
                "angles are finite, an inclination is from 0 to π",
            )
        })
    };
    let line_1 = format!(
        "1 {number}{} {:<8} {:02}{:03}.{:08} {dot} {} {} {} {:>4}",
        if e.classification.is_ascii_alphabetic() {
            e.classification
        } else {
            'U'
        },
        short_designator(&e.international_designator),
        year % 100,
        of_year / DAY_NANOS + 1,
        of_year % DAY_NANOS / EPOCH_STEP_NANOS,
        exponential("MEAN_MOTION_DDOT", e.mean_motion_ddot)?,
        exponential("BSTAR", e.bstar)?,
        e.ephemeris_type,
        e.element_set_number,
    );
    let line_2 = format!(
        "2 {number} {} {} {} {} {} {mean_motion:11.8}{:>5}",
        angle("INCLINATION", e.inclination_rad, 180.0)?,
        angle("RA_OF_ASC_NODE", e.raan_rad, 360.0)?,
        &format!("{:.7}", e.eccentricity)[2..],
        angle("ARG_OF_PERICENTER", e.argument_of_perigee_rad, 360.0)?,
        angle("MEAN_ANOMALY", e.mean_anomaly_rad, 360.0)?,
        // The column counts from 0 again after 99,999 revolutions.
        e.revolution_number % 100_000,
    );
    Ok([line_1, line_2].map(|line| {
        let sum = checksum(line.as_bytes());
        format!("{line}{sum}")
    }))
}

/// `±.ddddd±d` for 0.ddddd × 10^±d. `None` where one digit of exponent does not do.
fn exponential(value: f64) -> Option<String> {
    let sign = if value < 0.0 { '-' } else { ' ' };
    let scientific = format!("{:.4e}", value.abs());
    let (mantissa, exponent) = scientific.split_once('e')?;
    let exponent = if value == 0.0 {
        0
    } else {
        exponent.parse::<i32>().ok()? + 1
    };
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    // Zero is 00000+0; what is smaller than the smallest number is not quietly made zero.
    (exponent.abs() <= 9).then(|| format!("{sign}{digits}{exponent_sign}{}", exponent.abs()))
}

/// The decimal number nearest to `value` with that many places, as a reader of its text would get it.
fn decimal(value: f64, places: usize) -> f64 {
    format!("{value:.places$}").parse().unwrap_or(value)
}

fn round_degrees(angle_rad: f64, most_deg: f64) -> f64 {
    let degrees = decimal(angle_rad.to_degrees(), 4);
    // -0.0 would be written with its sign.
    if (0.0..=most_deg).contains(&degrees) || most_deg < 360.0 {
        degrees + 0.0
    } else {
        decimal(degrees.rem_euclid(360.0), 4)
    }
}

fn round_epoch(epoch: Utc) -> Utc {
    let steps = epoch
        .unix_nanos()
        .saturating_add(EPOCH_STEP_NANOS / 2)
        .div_euclid(EPOCH_STEP_NANOS);
    Utc::from_unix_nanos(steps.saturating_mul(EPOCH_STEP_NANOS))
}

pub(crate) fn round(e: &Elements) -> Elements {
    let exponential = |value: f64| format!("{value:.4e}").parse().unwrap_or(value);
    let angle = |angle_rad| round_degrees(angle_rad, 360.0).to_radians();
    Elements {
        epoch: round_epoch(e.epoch),
        mean_motion_rev_day: decimal(e.mean_motion_rev_day, 8),
        mean_motion_dot: decimal(e.mean_motion_dot, 8),
        mean_motion_ddot: exponential(e.mean_motion_ddot),
        eccentricity: decimal(e.eccentricity, 7),
        inclination_rad: round_degrees(e.inclination_rad, 180.0).to_radians(),
        raan_rad: angle(e.raan_rad),
        argument_of_perigee_rad: angle(e.argument_of_perigee_rad),
        mean_anomaly_rad: angle(e.mean_anomaly_rad),
        bstar: exponential(e.bstar),
        ..e.clone()
    }
}
