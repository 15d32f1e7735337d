//! What an observer sees: the satellites in view at an instant, and when each comes and goes.

use crate::frames::{EARTH_ROTATION_RAD_S, range_rate_m_s};
use crate::sky::Sky;
use crate::visibility::HorizonMask;
use rayon::prelude::*;
use skyweave_base::{Enu, Geodetic, LookAngles, SatId, Span, Time};

/// A satellite as an observer sees it at an instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sighting {
    /// The satellite.
    pub satellite: SatId,
    /// When.
    pub time: Time,
    /// Where in the sky, and how far: geometric, without refraction or the time that light takes.
    pub look: LookAngles,
    /// Rate at which the distance grows, m/s.
    pub range_rate_m_s: f64,
}

/// A satellite's way over an observer's sky while it stands at least at the elevation asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pass {
    /// The satellite.
    pub satellite: SatId,
    /// Reaches the elevation; `None` if it stands higher already when the time asked for begins.
    pub rise: Option<Sighting>,
    /// Highest within the time asked for.
    pub culmination: Sighting,
    /// Falls below the elevation; `None` if it still stands higher when the time asked for ends.
    pub set: Option<Sighting>,
}

/// Rise, culmination and set are found to this.
const RESOLUTION: Span = Span::from_millis(1);
/// Between two looks, a satellite near the observer turns by at most this as seen from the centre of the Earth: one that
/// crosses the view at 25 degrees of elevation from 550 km is looked at eight times.
const LOOK_RAD: f64 = 0.035;
/// Added to how far a satellite can be seen, for the difference of the osculating orbit and the mean one: 0.02 rad is 130 km.
const REACH_SLACK_RAD: f64 = 0.02;
/// Added to how fast it turns, for the same reason.
const TURN_SLACK: f64 = 1.05;

/// The satellites that stand at or above `mask`, a least elevation in rad or a [`HorizonMask`], as seen from `place` at `t`,
/// by id. Those for which SGP4 fails are left out. Parallel on rayon's ambient pool.
pub fn visible(sky: &Sky, place: Geodetic, t: Time, mask: impl Into<HorizonMask>) -> Vec<Sighting> {
    let mask = mask.into();
    let enu = Enu::at(place);
    let rotation = sky.rotation(t);
    let states = sky.teme_all(t);
    (0..)
        .map(SatId)
        .zip(states)
        .filter_map(|(satellite, teme)| {
            let state = rotation.earth_fixed(&teme?);
            let look = enu.look(state.position);
            let range_rate_m_s = range_rate_m_s(enu.origin, &state);
            mask.admits(&look).then_some(Sighting {
                satellite,
                time: t,
                look,
                range_rate_m_s,
            })
        })
        .collect()
}

/// All passes over `place` that are at least partly within `[from, to)`, by their beginning within that time, then by id.
/// Times are good to a millisecond. `mask` is a least elevation in rad or a [`HorizonMask`]; behind a mask that varies, a
/// satellite may come and go several times. Parallel on rayon's ambient pool.
///
/// # Algorithm
/// 1. Look at the satellite from time to time: often while the point below it is near enough to be in view, and otherwise
///    when it can be near again at the earliest.
/// 2. Where the elevation has a maximum between three looks, but none of them is high enough, search for the maximum: a pass
///    may be shorter than the time between two looks.
///    With a mask that varies, visits and gaps away from the maximum are found if they last longer than that time: an eighth
///    of a passage overhead.
/// 3. Each change between two looks is a rise or a set, found by bisection; the culmination is found by golden section.
pub fn passes(
    sky: &Sky,
    place: Geodetic,
    from: Time,
    to: Time,
    mask: impl Into<HorizonMask>,
) -> Vec<Pass> {
    let mask = &mask.into();
    let enu = Enu::at(place);
    let mut passes: Vec<Pass> = (0..sky.len() as u32)
        .into_par_iter()
        .flat_map_iter(|id| {
            let observed = Observed {
                sky,
                satellite: SatId(id),
                enu,
                mask,
            };
            observed.passes(from, to)
        })
        .collect();
    passes.sort_by_key(|pass| (pass.rise.map_or(from, |rise| rise.time), pass.satellite));
    passes
}

/// One satellite over one place.
struct Observed<'a> {
    sky: &'a Sky,
    satellite: SatId,
    enu: Enu,
    mask: &'a HorizonMask,
}

/// A time, the elevation then, and whether that is high enough.
type Look = (Time, f64, bool);

impl Observed<'_> {
    /// A satellite that SGP4 cannot propagate stands nowhere: it counts as below everything.
    fn look(&self, t: Time) -> Look {
        match self.sky.ecef(self.satellite, t) {
            Ok(position) => {
                let angles = self.enu.look(position);
                (t, angles.elevation_rad, self.mask.admits(&angles))
            }
            Err(_) => (t, -core::f64::consts::PI, false),
        }
    }

    fn sighting(&self, t: Time) -> Option<Sighting> {
        let state = self.sky.earth_fixed(self.satellite, t).ok()?;
        Some(Sighting {
            satellite: self.satellite,
            time: t,
            look: self.enu.look(state.position),
            range_rate_m_s: range_rate_m_s(self.enu.origin, &state),
        })
    }

    fn passes(&self, from: Time, to: Time) -> Vec<Pass> {
        if to <= from {
            return Vec::new();
        }
        let looks = self.with_short_passes(self.looks(from, to));
        let mut passes = Vec::new();
        for run in runs(&looks, |look| look.2) {
            let (first, last) = (run.start, run.end - 1);
            let rise = (first > 0).then(|| self.change(looks[first].0, looks[first - 1].0));
            let set = (run.end < looks.len()).then(|| self.change(looks[last].0, looks[run.end].0));
            let highest = (first..run.end)
                .max_by(|&a, &b| looks[a].1.total_cmp(&looks[b].1))
                .unwrap_or(first);
            let low = looks[highest.saturating_sub(1)].0.max(rise.unwrap_or(from));
            let high = looks[(highest + 1).min(looks.len() - 1)]
                .0
                .min(set.unwrap_or(to));
            let culmination = self.culmination(low, high);
            passes.extend(self.sighting(culmination).map(|culmination| Pass {
                satellite: self.satellite,
                rise: rise.and_then(|t| self.sighting(t)),
                culmination,
                set: set.and_then(|t| self.sighting(t)),
            }));
        }
        passes
    }

    /// Elevations from `from` to just before `to`, close enough together that none but a short pass is missed.
    fn looks(&self, from: Time, to: Time) -> Vec<Look> {
        let propagator = self.sky.propagator(self.satellite);
        let turn_rad_s = propagator.fastest_turn_rad_s() * TURN_SLACK + EARTH_ROTATION_RAD_S;
        // As for the caps of `Visibility`: ψ ≤ acos(q/r) − ε.
        let least_rad = self.mask.least_rad();
        let (sin, cos) = least_rad.max(-core::f64::consts::FRAC_PI_2).sin_cos();
        let height_m = self.enu.origin.0.dot(self.enu.up);
        let aside_m = (self.enu.origin.0 - self.enu.up * height_m).norm();
        let q = height_m * cos - aside_m * sin;
        let reach_rad =
            (q / propagator.apogee_m()).clamp(-1.0, 1.0).acos() - least_rad + REACH_SLACK_RAD;
        let shortest_s = LOOK_RAD / turn_rad_s;
        let last = to - Span::from_nanos(1);
        let mut looks = Vec::new();
        let mut t = from;
        loop {
            looks.push(self.look(t));
            if t >= last {
                return looks;
            }
            let away_rad = self.sky.ecef(self.satellite, t).map_or(0.0, |position| {
                let cos = position.0.dot(self.enu.up) / position.0.norm();
                cos.clamp(-1.0, 1.0).acos()
            });
            let wait_s = ((away_rad - reach_rad) / turn_rad_s).max(shortest_s);
            // Never later than the end, however slow the satellite.
            let wait = Span::from_secs_f64(wait_s).min(last - t);
            t += wait.max(RESOLUTION.min(last - t));
        }
    }

    /// Adds the maxima that rise above the least elevation between looks that do not.
    fn with_short_passes(&self, looks: Vec<Look>) -> Vec<Look> {
        let mut out = Vec::with_capacity(looks.len());
        for (i, &look) in looks.iter().enumerate() {
            let is_low_maximum = i > 0
                && i + 1 < looks.len()
                && !look.2
                && looks[i - 1].1 <= look.1
                && looks[i + 1].1 <= look.1;
            if is_low_maximum {
                let t = self.culmination(looks[i - 1].0, looks[i + 1].0);
                let maximum = self.look(t);
                if t != look.0 && maximum.2 {
                    let (first, second) = if t < look.0 {
                        (maximum, look)
                    } else {
                        (look, maximum)
                    };
                    out.extend([first, second]);
                    continue;
                }
            }
            out.push(look);
        }
        out
    }

    /// The last moment, to the resolution, at which the satellite is high enough on the way from `high`, when it is, to
    /// `low`, when it is not.
    fn change(&self, mut high: Time, mut low: Time) -> Time {
        while (high - low).nanos().abs() > RESOLUTION.nanos() {
            let middle = low + Span::from_nanos((high - low).nanos() / 2);
            if self.look(middle).2 {
                high = middle
            } else {
                low = middle
            }
        }
        high
    }

    /// The highest moment from `low` to `high`, where the elevation has one maximum: golden section search.
    fn culmination(&self, mut low: Time, mut high: Time) -> Time {
        const GOLDEN: f64 = 0.618_033_988_749_894_9;
        let at = |low: Time, high: Time, share: f64| {
            let t = low + Span::from_nanos(((high - low).nanos() as f64 * share) as i64);
            (t, self.look(t).1)
        };
        let mut left = at(low, high, 1.0 - GOLDEN);
        let mut right = at(low, high, GOLDEN);
        while high - low > RESOLUTION {
            if left.1 < right.1 {
                low = left.0;
                left = right;
                right = at(low, high, GOLDEN);
            } else {
                high = right.0;
                right = left;
                left = at(low, high, 1.0 - GOLDEN);
            }
        }
        if left.1 < right.1 { right.0 } else { left.0 }
    }
}

/// The longest ranges in which all items satisfy `is_in`.
fn runs<T>(items: &[T], is_in: impl Fn(&T) -> bool) -> Vec<core::ops::Range<usize>> {
    let mut runs = Vec::new();
    let mut start = None;
    for (i, item) in items.iter().enumerate() {
        match (is_in(item), start) {
            (true, None) => start = Some(i),
            (false, Some(first)) => {
                runs.push(first..i);
                start = None;
            }
            _ => {}
        }
    }
    runs.extend(start.map(|first| first..items.len()));
    runs
}
