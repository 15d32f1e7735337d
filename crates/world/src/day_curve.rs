//! What terminals ask at each hour of the day.
//!
//! A curve over the day of each place, by its mean solar time: UTC and an hour for each 15 degrees of longitude, whatever clocks on the
//! wall show. Between two full hours it is linear. It knows no cells and no demand: it says which part of the busiest hour's is asked.

use skyweave_base::{Time, Utc};

/// For each full hour of the local day, from midnight on, the part of the busiest hour's demand that is asked then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DayCurve([f64; 24]);

/// What households with fixed broadband in the United States downloaded in each hour of a weekday, Mbyte; before the pandemic, mean of
/// February, May, July and October 2019. From: De Oliveira Moreira et al., "Social Distancing and the Internet: What Can Network Performance
/// Measurements Tell Us?" (arXiv 2012.09850, 2020), over the data of the FCC's Measuring Broadband America; read off its figures by
/// the collection tmc-calc/mob-traffic-ds (2021), whose points of the full hours these are.
const RESIDENTIAL_MBYTE: [f64; 24] = [
    127.1, 107.6, 86.9, 73.6, 71.3, 78.1, 88.7, 98.1, 104.3, 107.3, 112.8, 117.6, 122.4, 126.1,
    135.6, 149.3, 160.7, 173.0, 191.0, 216.4, 233.8, 229.9, 198.5, 158.4,
];

impl DayCurve {
    /// Households: the busiest hour begins at 20, the quietest at 4.
    pub fn residential() -> Self {
        Self::of(RESIDENTIAL_MBYTE).expect("each number is above zero")
    }

    /// In proportion to these numbers; `None` unless all are above zero.
    pub fn of(hours: [f64; 24]) -> Option<Self> {
        let most = hours.iter().copied().fold(0.0, f64::max);
        let sound = hours.iter().all(|h| *h > 0.0) && most.is_finite();
        sound.then(|| Self(hours.map(|h| h / most)))
    }

    /// The part at each full hour.
    pub fn hours(&self) -> &[f64; 24] {
        &self.0
    }

    /// The part that is asked in the mean over the day.
    pub fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / 24.0
    }

    /// The part that is asked at a time at an eastern longitude.
    pub fn at(&self, t: Time, lon_rad: f64) -> f64 {
        self.at_hour(utc_hour(t) + lon_rad.to_degrees() / 15.0)
    }

    /// At an hour of the local day, in days that repeat.
    fn at_hour(&self, hour: f64) -> f64 {
        let hour = hour.rem_euclid(24.0);
        // A number just below zero is 24 when it is rounded.
        let from = hour as usize % 24;
        let part = hour.fract();
        let (a, b) = (self.0[from], self.0[(from + 1) % 24]);
        a + part * (b - a)
    }
}

/// Hours since midnight UTC.
fn utc_hour(t: Time) -> f64 {
    const DAY_NANOS: i64 = 86_400_000_000_000;
    let nanos = Utc::from(t).unix_nanos().rem_euclid(DAY_NANOS);
    nanos as f64 / 3.6e12
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        Time::from(text.parse::<Utc>().unwrap())
    }

    /// The figures that the source names in words: the evening peak and the quiet before dawn.
    #[test]
    fn households_are_busiest_in_the_evening_and_ask_over_half_of_that_in_the_mean() {
        let curve = DayCurve::residential();
        let hours = curve.hours();
        let peak = (0..24).max_by(|&a, &b| hours[a].total_cmp(&hours[b]));
        let quiet = (0..24).min_by(|&a, &b| hours[a].total_cmp(&hours[b]));
        assert_eq!((peak, quiet), (Some(20), Some(4)));
        assert_eq!(hours[20], 1.0);
        assert!((hours[4] - 71.3 / 233.8).abs() < 1e-12);
        assert!((curve.mean() - 3268.5 / 24.0 / 233.8).abs() < 1e-9);
        // The mean of what is asked over a day at any place is that of the hours: linear between them adds nothing.
        let steps = 24 * 60;
        let sum: f64 = (0..steps).map(|m| curve.at_hour(f64::from(m) / 60.0)).sum();
        assert!((sum / f64::from(steps) - curve.mean()).abs() < 1e-9);
    }

    #[test]
    fn fifteen_degrees_of_longitude_are_an_hour() {
        let curve = DayCurve::residential();
        let degrees = f64::to_radians;
        // Kyiv, 30.5 degrees east: its busiest hour begins two hours and two minutes before that of Greenwich.
        assert_eq!(curve.at(at("2026-05-21T20:00:00Z"), 0.0), 1.0);
        assert!((curve.at(at("2026-05-21T17:58:00Z"), degrees(30.5)) - 1.0).abs() < 1e-9);
        for minute in (0..1_440).step_by(7) {
            let t = at("2026-05-21T00:00:00Z") + skyweave_base::Span::from_secs(60 * minute);
            let later = t + skyweave_base::Span::from_secs(3_600);
            let (east, west) = (curve.at(t, degrees(37.0)), curve.at(later, degrees(22.0)));
            // Sums of a longitude in radians and of seconds differ in the last digits.
            assert!((east - west).abs() < 1e-9, "{minute}");
        }
        // Across the date line the day goes on.
        let far = [-180.0, 180.0].map(|lon| curve.at(at("2026-05-21T03:30:00Z"), degrees(lon)));
        assert!((far[0] - far[1]).abs() < 1e-9);
    }

    #[test]
    fn only_relations_count_and_nothing_is_asked_at_no_hour() {
        let hours: [f64; 24] = core::array::from_fn(|h| h as f64 + 1.0);
        let twice = hours.map(|h| 2.0 * h);
        assert_eq!(DayCurve::of(hours), DayCurve::of(twice));
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let mut hours = hours;
            hours[7] = bad;
            assert_eq!(DayCurve::of(hours), None);
        }
    }
}
