//! What a beam carries, asked for one link or for millions.

use crate::budget::LinkBudget;
use crate::fade::Fade;
use crate::profile::{FeederLinks, RateModel};
use fearless_simd::{Simd, f64x8, prelude::*};
use skyweave_base::{Ecef, Vec3};
use std::sync::Arc;

/// How a satellite stands to a place of the ground.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sight {
    /// Sine of the elevation.
    pub sin_elevation: f64,
    /// Distance, m.
    pub range_m: f64,
}

impl Sight {
    /// From a place and its upward direction to a satellite.
    pub fn new(place: Ecef, up: Vec3, satellite: Ecef) -> Self {
        let line = satellite.0 - place.0;
        let range_m = line.norm();
        Self {
            sin_elevation: line.dot(up) / range_m,
            range_m,
        }
    }
}

impl RateModel {
    /// The rate, kbit/s. `fade` is the atmosphere over the place; if it is not given the sky is clear. Only a link budget
    /// minds it.
    pub fn kbps(&self, sight: Sight, fade: Option<Fade>) -> u32 {
        match self {
            Self::Fixed(kbps) => *kbps,
            Self::ByElevation(points) => by_elevation(points, sight.sin_elevation.asin()),
            Self::LinkBudget(budget) => budget.kbps(
                sight.sin_elevation,
                sight.range_m,
                fade.unwrap_or(budget.clear()),
            ),
        }
    }

    /// The lesser of the rates at both ends of an epoch, kbit/s.
    pub fn least_kbps(&self, [start, end]: [Sight; 2], fade: Option<Fade>) -> u32 {
        match self {
            Self::LinkBudget(budget) => {
                budget.least_kbps([start, end], fade.unwrap_or(budget.clear()))
            }
            _ => self.kbps(start, fade).min(self.kbps(end, fade)),
        }
    }
}

/// Linear between points, constant beyond.
fn by_elevation(points: &[(f64, u32)], elevation_rad: f64) -> u32 {
    let after = points.partition_point(|&(elevation, _)| elevation <= elevation_rad);
    match (after.checked_sub(1).map(|i| points[i]), points.get(after)) {
        (Some((e0, r0)), Some(&(e1, r1))) => {
            let part = (elevation_rad - e0) / (e1 - e0);
            (f64::from(r0) + part * (f64::from(r1) - f64::from(r0))).round() as u32
        }
        (Some((_, rate)), None) | (None, Some(&(_, rate))) => rate,
        (None, None) => 0,
    }
}

impl FeederLinks {
    /// What one antenna carries toward a satellite, kbit/s. `fade` as in [`RateModel::kbps`].
    pub fn kbps(&self, sight: Sight, fade: Option<Fade>) -> u64 {
        self.least_kbps([sight, sight], fade)
    }

    /// The lesser of what it carries at both ends of an epoch, kbit/s.
    pub fn least_kbps(&self, sights: [Sight; 2], fade: Option<Fade>) -> u64 {
        match &self.up {
            None => self.antenna_kbps,
            Some(up) => {
                let kbps = up.least_kbps(sights, fade.unwrap_or(up.clear()));
                u64::from(kbps).min(self.antenna_kbps)
            }
        }
    }
}

/// A rate model toward the ground, ready for many questions: never more than the model says.
#[derive(Clone, Debug)]
pub struct RateTable {
    /// The least rate in each bin of the sine from 0 to 1, under a clear sky: within 0.1 % of the model where the rate changes by
    /// less than its double from horizon to zenith.
    clear: Vec<u32>,
    /// Whether rates never fall with elevation.
    rises: bool,
    /// Minds fades, and brings a table of its own.
    budget: Option<Arc<LinkBudget>>,
}

/// A [`RateTable`] under one sky.
#[derive(Clone, Copy, Debug)]
pub enum SkyRates<'a> {
    /// By bin of the sine; whether they never fall with elevation.
    Clear(&'a [u32], bool),
    /// By the budget's table.
    Faded(&'a LinkBudget, Fade),
}

const BINS: usize = 1024;

impl RateTable {
    /// Of a model.
    pub fn new(model: &RateModel) -> Self {
        let of = |clear: Vec<u32>, budget| Self {
            rises: clear.is_sorted(),
            clear,
            budget,
        };
        let without_budget = |clear| of(clear, None);
        let points = match model {
            RateModel::LinkBudget(budget) if budget.is_tabulated() => {
                let clear = budget.tabulated_row(budget.clear());
                return of(clear, Some(Arc::clone(budget)));
            }
            // A budget of given power toward the ground is none that a profile can hold; it carries nothing.
            RateModel::LinkBudget(_) => return without_budget(vec![0; BINS]),
            RateModel::Fixed(kbps) => return without_budget(vec![*kbps; BINS]),
            RateModel::ByElevation(points) => points,
        };
        let edge = |i: usize| by_elevation(points, (i as f64 / BINS as f64).min(1.0).asin());
        let mut kbps: Vec<u32> = (0..BINS).map(|i| edge(i).min(edge(i + 1))).collect();
        // Between two points the rate is monotonic; a point inside a bin may be lower than both its edges.
        for &(elevation_rad, rate) in points.iter().filter(|(e, _)| *e >= 0.0) {
            let bin = &mut kbps[bin(elevation_rad.sin(), BINS)];
            *bin = rate.min(*bin);
        }
        without_budget(kbps)
    }

    /// For places under one sky. `fade` as in [`RateModel::kbps`].
    pub fn under(&self, fade: Option<Fade>) -> SkyRates<'_> {
        match (&self.budget, fade) {
            (Some(budget), Some(fade)) => SkyRates::Faded(budget, fade),
            _ => SkyRates::Clear(&self.clear, self.rises),
        }
    }
}

impl SkyRates<'_> {
    /// The rate for the whole epoch, kbit/s: the lesser of those at its ends.
    pub fn kbps(self, sin_start: f64, sin_end: f64) -> u32 {
        match self {
            Self::Clear(kbps, _) => {
                kbps[bin(sin_start, kbps.len())].min(kbps[bin(sin_end, kbps.len())])
            }
            // Rates rise with elevation.
            Self::Faded(budget, fade) => budget.tabulated_kbps(sin_start.min(sin_end), fade),
        }
    }

    /// [`kbps`](Self::kbps) for eight satellites at once.
    #[inline(always)]
    pub fn eight_kbps<S: Simd>(self, simd: S, sin_start: f64x8<S>, sin_end: f64x8<S>) -> [u32; 8] {
        let bins_of = |sine: f64x8<S>, bins: usize| {
            let most = f64x8::splat(simd, (bins - 1) as f64);
            let above = sine.max(f64x8::splat(simd, 0.0));
            whole_parts(simd, (above * bins as f64).min(most))
        };
        let least = sin_start.min(sin_end);
        match self {
            Self::Clear(kbps, true) => bins_of(least, kbps.len()).map(|bin| kbps[bin as usize]),
            Self::Clear(kbps, false) => {
                let (starts, ends) = (bins_of(sin_start, kbps.len()), bins_of(sin_end, kbps.len()));
                core::array::from_fn(|i| kbps[starts[i] as usize].min(kbps[ends[i] as usize]))
            }
            Self::Faded(budget, fade) => {
                let sines: [f64; 8] = least.into();
                sines.map(|sine| budget.tabulated_kbps(sine, fade))
            }
        }
    }
}

fn bin(sin_elevation: f64, bins: usize) -> usize {
    ((sin_elevation.max(0.0) * bins as f64) as usize).min(bins - 1)
}

/// What stands before the point of numbers from 0 to 2^32: added to 2^52 it is in the lowest bits.
#[inline(always)]
pub fn whole_parts<S: Simd>(simd: S, numbers: f64x8<S>) -> [u32; 8] {
    let sums: [f64; 8] = (numbers.floor() + f64x8::splat(simd, (1_u64 << 52) as f64)).into();
    sums.map(|sum| sum.to_bits() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fearless_simd::{Level, dispatch};

    fn at(elevation_rad: f64) -> Sight {
        Sight {
            sin_elevation: elevation_rad.sin(),
            range_m: 1e6,
        }
    }

    #[test]
    fn rates_are_linear_between_points_and_constant_beyond() {
        let model = RateModel::ByElevation(vec![(0.5, 1_000), (1.0, 2_000)]);
        let rates = [0.0, 0.5, 0.75, 1.0, 1.5].map(|e| model.kbps(at(e), None));
        assert_eq!(rates, [1_000, 1_000, 1_500, 2_000, 2_000]);
        assert_eq!(RateModel::Fixed(7).kbps(at(0.2), None), 7);
    }

    /// Also where the rate falls with elevation, at the ends of the sine's range and under a fade.
    #[test]
    fn eight_at_once_are_as_one_by_one() {
        let falls = RateModel::ByElevation(vec![(0.4, 1_000), (0.9, 700), (1.3, 2_000)]);
        let mixed = crate::Profile::builtin("starlink-mixed").unwrap().user.down;
        let fade = Fade::through(3.0, 5.0);
        for (model, fade) in [(&falls, None), (&mixed, None), (&mixed, Some(fade))] {
            let table = RateTable::new(model);
            let rates = table.under(fade);
            for n in 0..500 {
                let sine = |i: usize, by: usize| ((n * 8 + i) * by % 4_001) as f64 / 3_999.0 - 1e-4;
                let (starts, ends): ([f64; 8], [f64; 8]) = (
                    core::array::from_fn(|i| sine(i, 1)),
                    core::array::from_fn(|i| sine(i, 7)),
                );
                let eight = dispatch!(Level::new(), simd => {
                    let [start, end] = [starts, ends].map(|sines| f64x8::from_slice(simd, &sines));
                    rates.eight_kbps(simd, start, end)
                });
                assert_eq!(
                    eight,
                    core::array::from_fn(|i| rates.kbps(starts[i], ends[i]))
                );
            }
        }
    }

    /// The curve is steep: in a bin near the zenith it rises by up to 2 %.
    #[test]
    fn a_table_is_never_above_its_model() {
        let model = RateModel::ByElevation(vec![(0.4, 1_000), (0.9, 700), (1.3, 2_000)]);
        let table = RateTable::new(&model);
        for i in 0..2_000 {
            let sight = at(core::f64::consts::FRAC_PI_2 * f64::from(i) / 2_000.0);
            let rates = table.under(None);
            let (exact, got) = (
                model.kbps(sight, None),
                rates.kbps(sight.sin_elevation, sight.sin_elevation),
            );
            assert!(
                got <= exact && f64::from(got) > 0.98 * f64::from(exact),
                "{got} of {exact}"
            );
        }
    }
}
