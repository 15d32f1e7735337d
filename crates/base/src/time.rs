//! Uniform time, and UTC at its edge.
//!
//! [`Time`] is TAI: seconds that all last equally long. [`Utc`] is what people and element sets write; the two differ
//! by the leap seconds of IERS Bulletin C.

use core::fmt;
use core::ops::{Add, AddAssign, Mul, Neg, Sub};
use core::str::FromStr;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const NANOS: i64 = 1_000_000_000;
const DAY_S: i64 = 86_400;
/// Unix seconds of 2000-01-01T00:00:00Z.
const Y2000_UNIX_S: i64 = 946_684_800;

/// An instant: nanoseconds of TAI since 2000-01-01T00:00:00 TAI. Spans the years 1708 to 2292.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Time(i64);

/// A length of time in nanoseconds; may be negative.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Span(i64);

/// An instant as UTC. Inside a leap second (the 61st of its minute) the second before it is repeated, as in POSIX.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Utc {
    unix_nanos: i64,
}

/// Why a text is not a UTC time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a UTC time: {reason}; expected YYYY-MM-DDTHH:MM:SS[.fraction]Z, for example 2026-05-21T00:00:12Z"
)]
pub struct TimeError {
    text: String,
    reason: &'static str,
}

impl Time {
    /// From nanoseconds of TAI since 2000-01-01T00:00:00 TAI.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds of TAI since 2000-01-01T00:00:00 TAI.
    pub const fn nanos(self) -> i64 {
        self.0
    }
}

impl Span {
    /// No time.
    pub const ZERO: Self = Self(0);

    /// From nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From microseconds.
    pub const fn from_micros(us: i64) -> Self {
        Self(us * 1_000)
    }

    /// From milliseconds.
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms * 1_000_000)
    }

    /// From whole seconds.
    pub const fn from_secs(s: i64) -> Self {
        Self(s * NANOS)
    }

    /// From seconds, rounded to the nanosecond.
    pub fn from_secs_f64(s: f64) -> Self {
        Self((s * NANOS as f64).round() as i64)
    }

    /// In nanoseconds.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// In seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / NANOS as f64
    }

    /// In milliseconds.
    pub fn as_millis_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl Sub for Time {
    type Output = Span;
    fn sub(self, o: Self) -> Span {
        Span(self.0 - o.0)
    }
}

impl Add<Span> for Time {
    type Output = Self;
    fn add(self, d: Span) -> Self {
        Self(self.0 + d.0)
    }
}

impl AddAssign<Span> for Time {
    fn add_assign(&mut self, d: Span) {
        self.0 += d.0;
    }
}

impl Sub<Span> for Time {
    type Output = Self;
    fn sub(self, d: Span) -> Self {
        Self(self.0 - d.0)
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, d: Self) -> Self {
        Self(self.0 + d.0)
    }
}

impl Sub for Span {
    type Output = Self;
    fn sub(self, d: Self) -> Self {
        Self(self.0 - d.0)
    }
}

impl Neg for Span {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Mul<i64> for Span {
    type Output = Self;
    fn mul(self, k: i64) -> Self {
        Self(self.0 * k)
    }
}

impl fmt::Display for Time {
    /// As UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Utc::from(*self).fmt(f)
    }
}

/// (Unix second from which it holds, TAI − UTC in seconds). IERS Bulletin C, through number 72 of July 2026:
/// no leap second is announced. Before 1972 TAI − UTC is taken as 10 s; UTC was not yet steered in whole seconds then.
const LEAP_SECONDS: [(i64, i64); 28] = [
    (63_072_000, 10),
    (78_796_800, 11),
    (94_694_400, 12),
    (126_230_400, 13),
    (157_766_400, 14),
    (189_302_400, 15),
    (220_924_800, 16),
    (252_460_800, 17),
    (283_996_800, 18),
    (315_532_800, 19),
    (362_793_600, 20),
    (394_329_600, 21),
    (425_865_600, 22),
    (489_024_000, 23),
    (567_993_600, 24),
    (631_152_000, 25),
    (662_688_000, 26),
    (709_948_800, 27),
    (741_484_800, 28),
    (773_020_800, 29),
    (820_454_400, 30),
    (867_715_200, 31),
    (915_148_800, 32),
    (1_136_073_600, 33),
    (1_230_768_000, 34),
    (1_341_100_800, 35),
    (1_435_708_800, 36),
    (1_483_228_800, 37),
];

/// After this date the table of leap seconds may be incomplete, and UTC may be off by a second.
pub const LEAP_SECONDS_VALID_UNTIL: &str = "2027-06-28";

fn tai_minus_utc_s(unix_s: i64) -> i64 {
    match LEAP_SECONDS.partition_point(|&(from, _)| from <= unix_s) {
        0 => 10,
        n => LEAP_SECONDS[n - 1].1,
    }
}

impl Utc {
    /// From seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
    pub const fn from_unix_seconds(s: i64) -> Self {
        Self {
            unix_nanos: s * NANOS,
        }
    }

    /// From nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
    pub const fn from_unix_nanos(unix_nanos: i64) -> Self {
        Self { unix_nanos }
    }

    /// Nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
    pub const fn unix_nanos(self) -> i64 {
        self.unix_nanos
    }

    /// From a civil date and nanoseconds of that day. `None` if there is no such day, or it is outside 1708 to 2261.
    pub fn from_date(year: i32, month: u32, day: u32, nanos_of_day: i64) -> Option<Self> {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days_in_month = [
            31,
            28 + u32::from(leap),
            31,
            30,
            31,
            30,
            31,
            31,
            30,
            31,
            30,
            31,
        ];
        if !(1708..2262).contains(&year) || !(1..=12).contains(&month) {
            return None;
        }
        if day == 0
            || day > days_in_month[month as usize - 1]
            || !(0..=DAY_S * NANOS).contains(&nanos_of_day)
        {
            return None;
        }
        days_from_civil(i64::from(year), i64::from(month), i64::from(day))
            .checked_mul(DAY_S * NANOS)?
            .checked_add(nanos_of_day)
            .map(|unix_nanos| Self { unix_nanos })
    }

    /// Civil date: year, month, day.
    pub fn date(self) -> (i64, u32, u32) {
        civil_from_days(self.unix_nanos.div_euclid(DAY_S * NANOS))
    }

    /// Nanoseconds since the last midnight.
    pub fn nanos_of_day(self) -> i64 {
        self.unix_nanos.rem_euclid(DAY_S * NANOS)
    }

    /// Julian date in two parts, the day that begins at midnight (ends in .5) and the fraction of it. Their sum as one
    /// `f64` would keep only 40 µs, 0.3 m of a satellite's path.
    pub fn julian_date(self) -> (f64, f64) {
        let day = self.unix_nanos.div_euclid(DAY_S * NANOS);
        (
            2_440_587.5 + day as f64,
            self.nanos_of_day() as f64 / (DAY_S * NANOS) as f64,
        )
    }
}

impl From<Utc> for Time {
    fn from(utc: Utc) -> Self {
        let leap = tai_minus_utc_s(utc.unix_nanos.div_euclid(NANOS));
        Self(utc.unix_nanos + (leap - Y2000_UNIX_S) * NANOS)
    }
}

impl From<Time> for Utc {
    fn from(t: Time) -> Self {
        let tai_unix = t.0 + Y2000_UNIX_S * NANOS;
        // A new offset holds from the TAI instant at which its UTC second begins, counted with that new offset.
        let offset = LEAP_SECONDS
            .iter()
            .rev()
            .find(|&&(from, offset)| tai_unix >= (from + offset) * NANOS)
            .map_or(10, |&(_, offset)| offset);
        Self {
            unix_nanos: tai_unix - offset * NANOS,
        }
    }
}

impl fmt::Display for Utc {
    /// ISO 8601 with the digits of the fraction that are needed, at most 9.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        let nanos = self.nanos_of_day();
        let (s, frac) = (nanos / NANOS, nanos % NANOS);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
            s / 3600,
            s / 60 % 60,
            s % 60
        )?;
        if frac != 0 {
            write!(f, ".{}", format!("{frac:09}").trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

impl FromStr for Utc {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let fail = |reason| TimeError {
            text: text.to_owned(),
            reason,
        };
        let body = text.strip_suffix('Z').unwrap_or(text);
        let (date, clock) = body.split_once(['T', ' ']).unwrap_or((body, "00:00:00"));
        let number = |s: &str, digits: usize| -> Option<i64> {
            (s.len() == digits && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse().ok())?
        };
        let date: Vec<_> = date.split('-').collect();
        let [year, month, day] = date[..] else {
            return Err(fail("the date is not YYYY-MM-DD"));
        };
        let (year, month, day) = match (number(year, 4), number(month, 2), number(day, 2)) {
            (Some(y), Some(m), Some(d)) => (y, m, d),
            _ => return Err(fail("the date is not YYYY-MM-DD")),
        };
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let clock: Vec<_> = clock.split(':').collect();
        let parts: Option<Vec<_>> = clock.iter().map(|s| number(s, 2)).collect();
        let (h, m, s) = match parts.as_deref() {
            Some(&[h, m]) => (h, m, 0),
            Some(&[h, m, s]) => (h, m, s),
            _ => return Err(fail("the time of day is not HH:MM:SS")),
        };
        if h > 23 || m > 59 || s > 59 {
            return Err(fail(
                "the time of day is out of range (23:59:59 is the last second; leap seconds are not written)",
            ));
        }
        if fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
            return Err(fail("the fraction of a second must be at most 9 digits"));
        }
        let nanos: i64 = format!("{fraction:0<9}")
            .parse()
            .map_err(|_| fail("the fraction is not a number"))?;
        Self::from_date(
            year as i32,
            month as u32,
            day as u32,
            (h * 3600 + m * 60 + s) * NANOS + nanos,
        )
        .ok_or_else(|| fail("there is no such day"))
    }
}

impl Serialize for Utc {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Utc {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar
/// (H. Hinnant, "chrono-compatible low-level date algorithms", days_from_civil).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = year - i64::from(month <= 2);
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let doy = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (
        yoe + era * 400 + i64::from(month <= 2),
        month as u32,
        (doy - (153 * mp + 2) / 5 + 1) as u32,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_instants() {
        let utc: Utc = "2026-05-21T00:00:12.25Z".parse().unwrap();
        assert_eq!(utc.unix_nanos(), 1_779_321_612_250_000_000);
        assert_eq!(utc.to_string(), "2026-05-21T00:00:12.25Z");
        assert_eq!(utc.julian_date(), (2_461_181.5, 12.25 / 86_400.0));
        // TAI − UTC is 37 s since 2017 and was 32 s in 2000.
        let t2000: Time = "2000-01-01T00:00:00Z".parse::<Utc>().unwrap().into();
        assert_eq!(t2000.nanos(), 32 * NANOS);
    }

    #[test]
    fn a_leap_second_lasts_a_second() {
        let before: Time = "2016-12-31T23:59:59Z".parse::<Utc>().unwrap().into();
        let after: Time = "2017-01-01T00:00:00Z".parse::<Utc>().unwrap().into();
        assert_eq!(after - before, Span::from_secs(2));
        assert_eq!(
            (before + Span::from_secs(1)).to_string(),
            "2017-01-01T00:00:00Z"
        );
        assert_eq!(after.to_string(), "2017-01-01T00:00:00Z");
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for bad in [
            "",
            "now",
            "2026-02-29T00:00:00Z",
            "2026-13-01",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:61Z",
            "2026-1-1",
            "2026-01-01T00:00:00.0123456789Z",
            "+026-01-01",
        ] {
            assert!(bad.parse::<Utc>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn utc_text_round_trips(unix_nanos in -8_000_000_000_000_000_000_i64..8_000_000_000_000_000_000) {
            let utc = Utc::from_unix_nanos(unix_nanos);
            prop_assert_eq!(utc.to_string().parse::<Utc>().unwrap(), utc);
        }

        #[test]
        fn tai_round_trips(unix_nanos in -8_000_000_000_000_000_000_i64..8_000_000_000_000_000_000) {
            let utc = Utc::from_unix_nanos(unix_nanos);
            prop_assert_eq!(Utc::from(Time::from(utc)), utc);
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC*") {
            let _ = text.parse::<Utc>();
        }
    }
}
