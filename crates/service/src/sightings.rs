//! Where terminals were seen over months: in which countries, when first and last, on how many days. No positions: a trade
//! in goods sold elsewhere shows in countries, and what is kept for months should say no more than it must.

use crate::ids::{Market, UtId};
use crate::misuse::{Declared, Evidence, Finding, Limits, never_at_home};
use crate::policy::Policy;
use serde::{Deserialize, Serialize};
use skyweave_base::{Geodetic, MEAN_EARTH_RADIUS_M, Time, Utc};
use std::collections::BTreeMap;
use std::f64::consts::TAU;

/// Where a terminal was seen since it was sold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sightings {
    sold_in: Market,
    /// It was seen in or near the market where it was sold: then it may go where it likes.
    at_home: bool,
    markets: BTreeMap<Market, Stay>,
}

/// The days on which a terminal was seen in a market.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Stay {
    first: Time,
    last: Time,
    days: u32,
}

impl Sightings {
    pub(crate) fn new(sold_in: Market) -> Self {
        Self {
            sold_in,
            at_home: false,
            markets: BTreeMap::new(),
        }
    }

    /// Whether it still tells of the terminal as it was sold last.
    pub(crate) fn is_of(&self, sold_in: Market) -> bool {
        self.sold_in == sold_in
    }

    /// Takes in that the terminal is served at `place`. True if that says something new: once a day at most, beside changes.
    pub(crate) fn see(
        &mut self,
        policy: &Policy,
        place: Geodetic,
        t: Time,
        limits: &Limits,
    ) -> bool {
        // Who was at home is not followed any further.
        if self.at_home {
            return false;
        }
        let Some(market) = policy.market(place, t) else {
            return false;
        };
        let home = |at| policy.market(at, t) == Some(self.sold_in);
        if market == self.sold_in || around(place, limits.border_m).any(home) {
            self.at_home = true;
            self.markets.clear();
            return true;
        }
        let new = Stay {
            first: t,
            last: t,
            days: 0,
        };
        let stay = self.markets.entry(market).or_insert(new);
        let another_day = stay.days == 0 || day(t) > day(stay.last);
        // A network whose time begins anew does not take back what was seen.
        stay.last = stay.last.max(t);
        stay.days += u32::from(another_day);
        another_day
    }

    pub(crate) fn finding(
        &self,
        terminal: UtId,
        declared: Declared,
        limits: &Limits,
    ) -> Option<Finding> {
        if self.at_home || declared == Declared::Yes {
            return None;
        }
        let seen = self.markets.iter().map(|(market, stay)| Evidence::Seen {
            market: *market,
            first: stay.first,
            last: stay.last,
            times: stay.days,
        });
        never_at_home(terminal, seen.collect(), limits)
    }
}

/// Places around one, up to so far away: 16 directions at three distances. A market that reaches between them with a strip of a
/// few km is missed.
fn around(place: Geodetic, within_m: f64) -> impl Iterator<Item = Geodetic> {
    let directions = (0..16).map(|n| TAU * f64::from(n) / 16.0);
    let distances = [1.0, 2.0 / 3.0, 1.0 / 3.0].map(|part| part * within_m / MEAN_EARTH_RADIUS_M);
    directions.flat_map(move |bearing| {
        distances.map(|angle| {
            // Along a great circle: sin φ₂ = sin φ₁ cos δ + cos φ₁ sin δ cos θ,
            // λ₂ = λ₁ + atan2(sin θ sin δ cos φ₁, cos δ − sin φ₁ sin φ₂).
            let (sin_lat, cos_lat) = place.lat_rad.sin_cos();
            let (sin_angle, cos_angle) = angle.sin_cos();
            let sin_there = sin_lat * cos_angle + cos_lat * sin_angle * bearing.cos();
            let east = bearing.sin() * sin_angle * cos_lat;
            let turn = east.atan2(cos_angle - sin_lat * sin_there);
            Geodetic {
                lat_rad: sin_there.clamp(-1.0, 1.0).asin(),
                lon_rad: (place.lon_rad + turn + TAU / 2.0).rem_euclid(TAU) - TAU / 2.0,
                height_m: 0.0,
            }
        })
    })
}

/// A time's day, UTC.
fn day(t: Time) -> (i64, u32, u32) {
    Utc::from(t).date()
}
