//! How the Earth stands at each instant, from the tables that the IERS publishes.
//!
//! Values at 0h UTC of each day, interpolated linearly, UT1 as UT1 − TAI, which has no steps. What that leaves out are the tides of
//! a day and less: below 0.1 ms and 1 milliarcsecond (IERS Conventions 2010, 8.2 and 8.3), 5 cm and 3 cm at a Starlink's height.

use crate::frames::EarthOrientation;
use skyweave_base::{Time, Utc};

/// Earth orientation by day. The default holds no day.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EarthOrientationTable {
    /// Ascending.
    days: Vec<Day>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Day {
    start: Time,
    /// UT1 as nanoseconds of UTC (Unix), less TAI as [`Time`] counts it: differs from UT1 − TAI by a constant. To 0.1 µs as in the files.
    ut1_minus_time_nanos: i64,
    polar_x_rad: f64,
    polar_y_rad: f64,
}

/// Why a text is not a table of Earth orientation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EarthOrientationError {
    /// A field is not the number that it should be.
    #[error("line {line}: {field} `{text}`: {reason}")]
    Field {
        /// From 1.
        line: usize,
        /// What is wrong.
        field: &'static str,
        /// What stands there.
        text: String,
        /// What was expected.
        reason: &'static str,
    },
    /// Days must follow each other: what is missing would be interpolated over.
    #[error(
        "line {line}: the day does not follow that of the line before (modified Julian dates {before} and {found})"
    )]
    Order {
        /// From 1.
        line: usize,
        /// The day before.
        before: i64,
        /// The day found.
        found: i64,
    },
    /// There is no day with values.
    #[error(
        "no day with Earth orientation: expected a table of the IERS, finals2000A (fixed width) or EOP C04"
    )]
    Empty,
}

impl EarthOrientationTable {
    /// Reads `finals2000A.all`, `.data` or `.daily` (fixed width) or EOP C04 (series 20: columns after `#` lines), whichever it is.
    ///
    /// Of finals2000A the final values of Bulletin B are taken where a day has them, else those of Bulletin A, measured or
    /// predicted; the table ends with the predictions. Days before 1972, when UTC and TAI did not differ by whole seconds, are left out.
    pub fn parse(text: &str) -> Result<Self, EarthOrientationError> {
        let row = if is_c04(text) { c04 } else { finals2000a };
        let mut days: Vec<Day> = Vec::new();
        let mut before: Option<i64> = None;
        for (i, line) in text.lines().enumerate() {
            let Some(row) = row(Line {
                number: i + 1,
                text: line,
            })?
            else {
                continue;
            };
            if let Some(before) = before.filter(|before| before + 1 != row.mjd) {
                return Err(EarthOrientationError::Order {
                    line: i + 1,
                    before,
                    found: row.mjd,
                });
            }
            before = Some(row.mjd);
            if row.mjd >= MJD_1972 {
                days.push(row.day());
            }
        }
        match days.is_empty() {
            true => Err(EarthOrientationError::Empty),
            false => Ok(Self { days }),
        }
    }

    /// How the Earth stands at `t`; `None` before the first day and after the last.
    pub fn at(&self, t: Time) -> Option<EarthOrientation> {
        let after = self.days.partition_point(|day| day.start <= t);
        let a = self.days.get(after.checked_sub(1)?)?;
        // The last day counts for its first instant only.
        let b = self.days.get(after).or((a.start == t).then_some(a))?;
        let share = match (b.start - a.start).nanos() {
            0 => 0.0,
            length => (t - a.start).nanos() as f64 / length as f64,
        };
        let between = |a: f64, b: f64| a + (b - a) * share;
        let change = (b.ut1_minus_time_nanos - a.ut1_minus_time_nanos) as f64 * share;
        let time_minus_utc = t.nanos() - Utc::from(t).unix_nanos();
        Some(EarthOrientation {
            ut1_minus_utc_s: ((a.ut1_minus_time_nanos + time_minus_utc) as f64 + change) * 1e-9,
            polar_x_rad: between(a.polar_x_rad, b.polar_x_rad),
            polar_y_rad: between(a.polar_y_rad, b.polar_y_rad),
        })
    }

    /// The first and the last instant with values; `None` without any.
    pub fn covers(&self) -> Option<(Time, Time)> {
        Some((self.days.first()?.start, self.days.last()?.start))
    }
}

/// The modified Julian date of 1972-01-01.
const MJD_1972: i64 = 41_317;
/// That of 1970-01-01.
const MJD_1970: i64 = 40_587;
const DAY_S: i64 = 86_400;

#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    text: &'a str,
}

struct Row {
    mjd: i64,
    polar_x_arcsec: f64,
    polar_y_arcsec: f64,
    ut1_minus_utc_s: f64,
}

impl Row {
    fn day(&self) -> Day {
        let utc = Utc::from_unix_seconds((self.mjd - MJD_1970) * DAY_S);
        let start = Time::from(utc);
        let radians = |arcsec: f64| (arcsec / 3600.0).to_radians();
        Day {
            start,
            ut1_minus_time_nanos: (self.ut1_minus_utc_s * 1e9).round() as i64 + utc.unix_nanos()
                - start.nanos(),
            polar_x_rad: radians(self.polar_x_arcsec),
            polar_y_rad: radians(self.polar_y_arcsec),
        }
    }
}

impl Line<'_> {
    fn wrong(
        &self,
        field: &'static str,
        text: &str,
        reason: &'static str,
    ) -> EarthOrientationError {
        /// Enough to recognise it by.
        const SHOWN: usize = 40;
        let text = text.chars().take(SHOWN).collect();
        EarthOrientationError::Field {
            line: self.number,
            field,
            text,
            reason,
        }
    }

    /// A day, at its beginning.
    fn mjd(&self, text: &str) -> Result<i64, EarthOrientationError> {
        let found = text.trim().parse::<f64>().ok();
        // To the year 2132.
        let day = found.filter(|mjd| (0.0..1e5).contains(mjd) && mjd.fract() == 0.0);
        let reason = "expected a modified Julian date at 0h, below 100000";
        Ok(day.ok_or_else(|| self.wrong("date", text, reason))? as i64)
    }

    fn values(&self, mjd: i64, texts: [&str; 3]) -> Result<Row, EarthOrientationError> {
        let number = |i: usize, field, most: f64, reason| {
            let found = texts[i].trim().parse::<f64>().ok();
            found
                .filter(|x| x.abs() <= most)
                .ok_or_else(|| self.wrong(field, texts[i], reason))
        };
        // The pole has stayed within 0.6 arcseconds since 1900; UTC is kept within 0.9 s of UT1.
        const ARCSEC: (f64, &str) = (2.0, "expected at most 2 arcseconds");
        const SECOND: (f64, &str) = (1.0, "expected at most 1 second");
        Ok(Row {
            mjd,
            polar_x_arcsec: number(0, "polar motion x", ARCSEC.0, ARCSEC.1)?,
            polar_y_arcsec: number(1, "polar motion y", ARCSEC.0, ARCSEC.1)?,
            ut1_minus_utc_s: number(2, "UT1 - UTC", SECOND.0, SECOND.1)?,
        })
    }
}

/// EOP C04 begins with comments, and its rows with a year of four digits and a blank.
fn is_c04(text: &str) -> bool {
    let first = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("");
    let year = first.split_whitespace().next().unwrap_or("");
    first.starts_with('#') || (year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()))
}

const C04_ROW: &str = "expected the 21 columns of EOP 20 C04";

/// Year, month, day, hour, date, x, y, UT1 − UTC, ... (the file's own header).
fn c04(line: Line<'_>) -> Result<Option<Row>, EarthOrientationError> {
    if line.text.trim().is_empty() || line.text.starts_with('#') {
        return Ok(None);
    }
    let columns: Vec<&str> = line.text.split_whitespace().collect();
    let &[_, _, _, _, date, x, y, ut1, ..] = columns.as_slice() else {
        return Err(line.wrong("row", line.text, C04_ROW));
    };
    // Fewer would mean that one is missing, and those after it are in its place.
    if columns.len() != 21 {
        return Err(line.wrong("row", line.text, C04_ROW));
    }
    line.values(line.mjd(date)?, [x, y, ut1]).map(Some)
}

/// By column (readme.finals2000A of the USNO): date 8-15; Bulletin A: x 19-27, y 38-46, UT1 − UTC 59-68; Bulletin B: 135-144,
/// 145-154, 155-165. Days without predictions are blank after the date.
fn finals2000a(line: Line<'_>) -> Result<Option<Row>, EarthOrientationError> {
    if line.text.trim().is_empty() {
        return Ok(None);
    }
    let columns = |from: usize, to: usize| {
        line.text
            .get(from - 1..to.min(line.text.len()))
            .unwrap_or("")
    };
    let mjd = line.mjd(columns(8, 15))?;
    let is_there = |texts: &[&str; 3]| texts.iter().any(|text| !text.trim().is_empty());
    let bulletins = [
        [columns(135, 144), columns(145, 154), columns(155, 165)],
        [columns(19, 27), columns(38, 46), columns(59, 68)],
    ];
    bulletins
        .into_iter()
        .find(is_there)
        .map(|texts| line.values(mjd, texts))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINALS: &str = "\
161230 57752.00 I  0.082883 0.000052  0.263539 0.000038  I-0.4069180 0.0000079  0.8286 0.0056  I     0.022    0.119    -0.155    0.024  0.082924  0.263518 -0.4069106
161231 57753.00 I  0.081400 0.000052  0.263094 0.000039  I-0.4077601 0.0000078  0.8842 0.0055  I     0.025    0.119    -0.169    0.024
17 1 1 57754.00 I  0.080504 0.000028  0.263145 0.000028  I 0.5912821 0.0000077  1.0342 0.0050
17 1 2 57755.00                                                                                                                                                                            ";
    const C04: &str = "\
# EARTH ORIENTATION PARAMETER (EOP) PRODUCT CENTER
1971  12  31   0  41316.00   -0.060000    0.194000  -0.0450000 0.000000 0.000000 0.000000 0.000000 0.0017230 0.030000 0.030000 0.0020000 0.004774 0.002000 0.000000 0.000000 0.0014000
1972   1   1   0  41317.00   -0.060540    0.194130  -0.0454850 0.000000 0.000000 0.000000 0.000000 0.0017230 0.030000 0.030000 0.0020000 0.004774 0.002000 0.000000 0.000000 0.0014000
1972   1   2   0  41318.00   -0.062000    0.196000  -0.0480000 0.000000 0.000000 0.000000 0.000000 0.0017230 0.030000 0.030000 0.0020000 0.004774 0.002000 0.000000 0.000000 0.0014000
";
    /// The files have seven decimals; the f64 result rounds at 1e-16.
    const SECONDS: f64 = 1e-12;

    fn at(table: &EarthOrientationTable, utc: &str) -> Option<EarthOrientation> {
        table.at(utc.parse::<Utc>().unwrap().into())
    }

    #[test]
    fn bulletin_b_where_it_is_and_bulletin_a_elsewhere() {
        let table = EarthOrientationTable::parse(FINALS).unwrap();
        let first = at(&table, "2016-12-30T00:00:00Z").unwrap();
        assert!((first.ut1_minus_utc_s + 0.4069106).abs() < SECONDS);
        assert_eq!(first.polar_x_rad, (0.082924_f64 / 3600.0).to_radians());
        let second = at(&table, "2016-12-31T00:00:00Z").unwrap();
        assert!((second.ut1_minus_utc_s + 0.4077601).abs() < SECONDS);
        assert_eq!(second.polar_y_rad, (0.263094_f64 / 3600.0).to_radians());
        assert_eq!(at(&table, "2016-12-29T23:59:59Z"), None);
        assert!(at(&table, "2017-01-01T00:00:00Z").is_some());
        assert_eq!(at(&table, "2017-01-01T00:00:00.000000001Z"), None);
    }

    /// UT1 − UTC steps by a second with the leap second of 2016-12-31; UT1 itself goes on by 0.42 ms less a day.
    #[test]
    fn a_leap_second_is_a_step_of_utc_and_not_of_ut1() {
        let table = EarthOrientationTable::parse(FINALS).unwrap();
        let before = at(&table, "2016-12-31T23:59:59Z").unwrap();
        let after = at(&table, "2017-01-01T00:00:00Z").unwrap();
        assert!((after.ut1_minus_utc_s - 0.5912821).abs() < SECONDS);
        // 2 s of a day of 86,401 s, over which UT1 falls behind by 0.9578 ms.
        let expected = 0.5912821 - 1.0 + 0.0009578 * 2.0 / 86_401.0;
        assert!((before.ut1_minus_utc_s - expected).abs() < SECONDS);
        let noon = at(&table, "2016-12-31T12:00:00Z").unwrap();
        assert!(
            (noon.ut1_minus_utc_s - (-0.4077601 - 0.0009578 * 43_200.0 / 86_401.0)).abs() < SECONDS
        );
    }

    #[test]
    fn c04_is_read_from_1972_on() {
        let table = EarthOrientationTable::parse(C04).unwrap();
        assert_eq!(at(&table, "1971-12-31T12:00:00Z"), None);
        let noon = at(&table, "1972-01-01T12:00:00Z").unwrap();
        assert!((noon.ut1_minus_utc_s + 0.0467425).abs() < SECONDS);
        let (first, last) = table.covers().unwrap();
        assert_eq!((last - first).as_secs_f64(), 86_400.0);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let message = |text: &str| EarthOrientationTable::parse(text).unwrap_err().to_string();
        assert!(message("").starts_with("no day with Earth orientation"));
        assert!(message("hello\n").starts_with("line 1: date ``: expected a modified Julian date"));
        assert!(
            message(&FINALS.replace("57753.00", "5775x.00")).starts_with("line 2: date `5775x.00`")
        );
        assert_eq!(
            message(&FINALS.replace("-0.4077601", "-4.4077601")),
            "line 2: UT1 - UTC `-4.4077601`: expected at most 1 second"
        );
        assert_eq!(
            message(&C04.replace("41318", "41320")),
            "line 4: the day does not follow that of the line before (modified Julian dates 41317 and 41320)"
        );
        assert!(
            message(&C04.replace("0.196000", ""))
                .ends_with("expected the 21 columns of EOP 20 C04")
        );
        // A character of more than one byte across the edge of a column.
        assert!(message("17 1 1é57754.00 I  0.080504").starts_with("line 1: date"));
    }
}
