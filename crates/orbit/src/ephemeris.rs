//! A constellation in motion, interpolated: positions of all its satellites at any nanosecond for a fraction of SGP4's cost.
//!
//! Each satellite's Earth-fixed path is a polynomial of degree 5 over each 300 s of a fixed grid, fitted to SGP4's positions
//! alone: its velocities are not their exact derivatives, up to 0.4 m/s apart. The polynomial is the Chebyshev series through
//! eight nodes, cut off (Trefethen, "Approximation Theory and Approximation Practice", 2nd ed., chapters 3 and 4): the terms
//! cut off tell the error, and a satellite for which they are too large is left to SGP4. What was fitted is kept for a while,
//! which makes answers faster and never different.

use crate::frames::EarthFixed;
use crate::propagation::PropagationError;
use crate::sky::Sky;
use crate::vectors::{Block, LANES, Vectors};
use core::f64::consts::PI;
use fearless_simd::{Level, Simd, dispatch, f64x8, prelude::*};
use rayon::prelude::*;
use skyweave_base::{Ecef, Ellipsoid, SatId, Span, Time, Vec3};
use std::sync::{Arc, Mutex, PoisonError};

const DEGREE: usize = 5;
const TERMS: usize = DEGREE + 1;
/// Nodes of a fit: two more than the polynomial needs, to know its error.
const NODES: usize = TERMS + 2;
const SEGMENT: Span = Span::from_secs(300);
/// 2017-01-01T00:00:12Z. An epoch of the scheduler, which are aligned to second 12 of UTC, lies in one segment (after the next leap
/// second some lie in two, which costs a second fit and nothing else).
const GRID_ORIGIN: Time = Time::from_nanos(536_500_849_000_000_000);
/// Segments kept. Those who ask are at most three apart: the packets of now, the plans made ahead of them and the ends of these.
const KEPT: usize = 4;
/// Epochs evaluated in one pass: the coefficients come from the second-level cache, and each is used as often as this.
const EPOCHS_PER_PASS: usize = 4;
/// A satellite that comes this near to the radius below which SGP4 calls it decayed is left to SGP4, which says when. Between nodes,
/// at most 34 s to either side, it comes down by no more than ½ · 9.8 m/s² · (34 s)² = 5.7 km.
const DECAY_MARGIN_M: f64 = 10e3;

/// The polynomials of [`LANES`] satellites: by power of x from −1 to 1, by axis, by satellite; m.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Polynomials([[[f64; LANES]; 3]; TERMS]);

/// The paths of all satellites over 300 s.
#[derive(Debug)]
struct Segment {
    number: i64,
    blocks: Vec<Polynomials>,
    /// Satellites without a polynomial, whose coefficients are not numbers: left to SGP4.
    direct: Vec<SatId>,
}

/// Earth-fixed positions of the satellites of a [`Sky`] at any instant, within [`ERROR_M`](Self::ERROR_M) of those of SGP4.
///
/// Values depend on the sky and the instant alone: not on what was asked before, on the number of threads, nor on whether one
/// satellite was asked for or all. They are the same bits on each machine with fused multiply-add (AVX2, AVX-512, NEON);
/// elsewhere they differ by roundings, below 1e-8 m.
///
/// The first question about a segment of 300 s costs eight positions of SGP4 for each satellite. To ask for one satellite, or for
/// fewer than about ten instants in 300 s, [`Sky`] is the cheaper way.
#[derive(Debug)]
pub struct Ephemeris {
    sky: Sky,
    /// The last asked for is last.
    recent: Mutex<Vec<Arc<Segment>>>,
}

impl Ephemeris {
    /// Largest distance from SGP4's positions, m. A satellite that the polynomials would miss by more, such as one at the perigee of an
    /// eccentric orbit, or whose SGP4 fails at one of the nodes, is propagated by SGP4 itself.
    pub const ERROR_M: f64 = 0.05;

    /// Over the satellites of `sky`. Nothing is fitted yet.
    pub fn new(sky: Sky) -> Self {
        Self {
            sky,
            recent: Mutex::default(),
        }
    }

    /// What is interpolated.
    pub fn sky(&self) -> &Sky {
        &self.sky
    }

    /// Earth-fixed position of a satellite.
    ///
    /// # Panics
    /// If there is no such satellite.
    pub fn position(&self, satellite: SatId, t: Time) -> Result<Ecef, PropagationError> {
        let found = self.segment(number(t)).position(satellite, t);
        found.map_or_else(|| self.sky.ecef(satellite, t), |p| Ok(Ecef(p)))
    }

    /// Earth-fixed position and velocity of a satellite, the velocity being the derivative of the positions: unlike SGP4's own it
    /// is consistent with them. Against central differences of SGP4's positions it is good to 0.01 m/s. A satellite left to SGP4
    /// has such a difference itself, which fails where SGP4 fails 0.1 s before or after.
    ///
    /// # Panics
    /// If there is no such satellite.
    pub fn earth_fixed(&self, satellite: SatId, t: Time) -> Result<EarthFixed, PropagationError> {
        if let Some(state) = self.segment(number(t)).earth_fixed(satellite, t) {
            return Ok(state);
        }
        // Truncation h² r‴ / 6 is below 0.1 mm/s (r‴ ≈ n² v ≤ 0.02 m/s³), rounding 1e-8 m/s.
        const H: Span = Span::from_millis(100);
        let (before, after) = (
            self.sky.ecef(satellite, t - H)?,
            self.sky.ecef(satellite, t + H)?,
        );
        Ok(EarthFixed {
            position: self.sky.ecef(satellite, t)?,
            velocity_m_s: (after.0 - before.0) * (0.5 / H.as_secs_f64()),
        })
    }

    /// Earth-fixed positions of all satellites, m, by id, into `positions_m`, which is resized; those for which SGP4 fails do
    /// not exist. On the caller's thread, but for the fit.
    pub fn positions_into(&self, t: Time, positions_m: &mut Vectors) {
        let segment = self.segment(number(t));
        segment.positions(&self.sky, &[t], core::slice::from_mut(positions_m));
    }

    /// What `consume` makes of the positions of all satellites at each of the times, in the order of the times. Faster than
    /// [`positions_into`](Self::positions_into) for each: several epochs are evaluated together, and the work is spread over rayon's
    /// ambient pool, so that `consume` is called from several threads and in any order. Ascending times are fastest.
    pub fn positions_over<T: Send>(
        &self,
        times: &[Time],
        consume: impl Fn(Time, &Vectors) -> T + Sync,
    ) -> Vec<T> {
        /// Some hundreds of microseconds for ten thousand satellites: long against rayon's own cost, short against a segment.
        const EPOCHS_PER_TASK: usize = 20;
        let mut results = Vec::with_capacity(times.len());
        for times in times.chunk_by(|a, b| number(*a) == number(*b)) {
            let segment = self.segment(number(times[0]));
            let buffers = || [(); EPOCHS_PER_PASS].map(|()| Vectors::default());
            let task = |buffers: &mut [Vectors; EPOCHS_PER_PASS], times: &[Time]| -> Vec<T> {
                let passes = times.chunks(EPOCHS_PER_PASS).flat_map(|times| {
                    let positions_m = &mut buffers[..times.len()];
                    segment.positions(&self.sky, times, positions_m);
                    let pairs = times.iter().zip(positions_m.iter());
                    pairs.map(|(t, p)| consume(*t, p)).collect::<Vec<T>>()
                });
                passes.collect()
            };
            let tasks = times.par_chunks(EPOCHS_PER_TASK);
            let done: Vec<Vec<T>> = tasks.map_init(buffers, task).collect();
            results.extend(done.into_iter().flatten());
        }
        results
    }

    /// The segment of this number, fitted if it is not at hand.
    fn segment(&self, number: i64) -> Arc<Segment> {
        let recent = || self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |segments: &mut Vec<Arc<Segment>>| {
            let at = segments.iter().position(|s| s.number == number)?;
            segments[at..].rotate_left(1);
            segments.last().cloned()
        };
        if let Some(segment) = known(&mut recent()) {
            return segment;
        }
        // Not under the lock: the fit runs on rayon's threads, which may come to ask for a segment themselves. Two that ask at once
        // both fit, to the same values.
        let segment = Arc::new(Segment::fit(&self.sky, number));
        let mut recent = recent();
        known(&mut recent).unwrap_or_else(|| {
            if recent.len() == KEPT {
                recent.remove(0);
            }
            recent.push(Arc::clone(&segment));
            segment
        })
    }
}

/// The segment that holds `t`: segments are `[start, end)`.
fn number(t: Time) -> i64 {
    (t - GRID_ORIGIN).nanos().div_euclid(SEGMENT.nanos())
}

fn middle(number: i64) -> Time {
    GRID_ORIGIN + SEGMENT * number + Span::from_nanos(SEGMENT.nanos() / 2)
}

const HALF_S: f64 = SEGMENT.nanos() as f64 / 2e9;

/// Where `t` lies in a segment, from −1 to 1. The nanoseconds are exact as f64.
fn place(number: i64, t: Time) -> f64 {
    (t - middle(number)).nanos() as f64 / (SEGMENT.nanos() / 2) as f64
}

impl Segment {
    fn fit(sky: &Sky, number: i64) -> Self {
        let fit = Fit::new();
        let times = fit
            .nodes
            .map(|x| middle(number) + Span::from_secs_f64(x * HALF_S));
        let level = Level::new();
        let blocks = sky.ecef_by_block(
            times,
            |nodes| dispatch!(level, simd => fit.block(simd, nodes.each_ref())),
        );
        let direct = (0..sky.len() as u32)
            .map(SatId)
            .filter(|id| blocks[id.index() / LANES].0[0][0][id.index() % LANES].is_nan())
            .collect();
        Self {
            number,
            blocks,
            direct,
        }
    }

    /// Positions at up to [`EPOCHS_PER_PASS`] times in this segment.
    fn positions(&self, sky: &Sky, times: &[Time], positions_m: &mut [Vectors]) {
        positions_m.iter_mut().for_each(|p| p.resize(sky.len()));
        let level = Level::new();
        let all_at_once = (times.try_into(), (&mut *positions_m).try_into());
        if let (Ok(times), Ok(positions_m)) = all_at_once {
            let times: &[Time; EPOCHS_PER_PASS] = times;
            let positions_m: &mut [Vectors; EPOCHS_PER_PASS] = positions_m;
            let x = times.map(|t| place(self.number, t));
            let out = positions_m.each_mut().map(Vectors::blocks_mut);
            dispatch!(level, simd => evaluate(simd, &self.blocks, x, out));
        } else {
            for (t, positions_m) in times.iter().zip(positions_m.iter_mut()) {
                let x = [place(self.number, *t)];
                let out = [positions_m.blocks_mut()];
                dispatch!(level, simd => evaluate(simd, &self.blocks, x, out));
            }
        }
        for (t, positions_m) in times.iter().zip(positions_m) {
            for &id in &self.direct {
                if let Ok(position) = sky.ecef(id, *t) {
                    positions_m.set(id.index(), position.0);
                }
            }
        }
    }

    /// By the very code that evaluates all, so that the bits are the same. `None` for a satellite left to SGP4.
    fn position(&self, satellite: SatId, t: Time) -> Option<Vec3> {
        let mut out = [Block::default()];
        let blocks = core::slice::from_ref(&self.blocks[satellite.index() / LANES]);
        let x = [place(self.number, t)];
        dispatch!(Level::new(), simd => evaluate(simd, blocks, x, [&mut out[..]]));
        let ([block], lane) = (out, satellite.index() % LANES);
        let position = Vec3::new(block.x[lane], block.y[lane], block.z[lane]);
        (!position.x.is_nan()).then_some(position)
    }

    fn earth_fixed(&self, satellite: SatId, t: Time) -> Option<EarthFixed> {
        let position = Ecef(self.position(satellite, t)?);
        let Polynomials(c) = &self.blocks[satellite.index() / LANES];
        let x = place(self.number, t);
        let rate = |axis: usize| {
            let term = |power: usize| power as f64 * c[power][axis][satellite.index() % LANES];
            (1..DEGREE)
                .rev()
                .fold(term(DEGREE), |sum, power| sum * x + term(power))
                / HALF_S
        };
        Some(EarthFixed {
            position,
            velocity_m_s: Vec3::new(rate(0), rate(1), rate(2)),
        })
    }
}

/// Horner's scheme for all satellites at `E` instants.
#[inline(always)]
fn evaluate<S: Simd, const E: usize>(
    simd: S,
    blocks: &[Polynomials],
    x: [f64; E],
    out: [&mut [Block]; E],
) {
    let x = x.map(|x| f64x8::splat(simd, x));
    let out = out.map(|out| &mut out[..blocks.len()]);
    for (i, Polynomials(c)) in blocks.iter().enumerate() {
        for axis in 0..3 {
            let c: [f64x8<S>; TERMS] = core::array::from_fn(|power| c[power][axis].simd_into(simd));
            for e in 0..E {
                let mut sum = c[DEGREE];
                for power in (0..DEGREE).rev() {
                    sum = sum.mul_add(x[e], c[power]);
                }
                let block = &mut out[e][i];
                sum.store_array([&mut block.x, &mut block.y, &mut block.z][axis]);
            }
        }
    }
}

/// What turns positions at the nodes into polynomials.
struct Fit {
    /// Chebyshev points of the second kind, cos(kπ/7), which include both edges.
    nodes: [f64; NODES],
    /// `powers[p][k]`: what the position at node k adds to the coefficient of x^p.
    powers: [[f64; NODES]; TERMS],
    /// `cut_off[j][k]`: what it adds to the Chebyshev coefficient of degree DEGREE + 1 + j.
    cut_off: [[f64; NODES]; NODES - TERMS],
}

impl Fit {
    /// # Algorithm
    /// 1. Chebyshev coefficients of the polynomial through all nodes: c_j = (2 − [j = 0] − [j = n]) / n Σ″ f_k cos(jkπ/n), where n is
    ///    the last node and Σ″ halves its first and last term (Trefethen, chapter 3).
    /// 2. Those up to DEGREE as powers of x, by T_{j+1} = 2x T_j − T_{j−1}.
    fn new() -> Self {
        const N: usize = NODES - 1;
        let cosine = |m: usize| (m as f64 * PI / N as f64).cos();
        let is_end = |k: usize| k == 0 || k == N;
        let chebyshev = |j: usize, k: usize| {
            let (a, b) = (
                if is_end(j) { 1.0 } else { 2.0 },
                if is_end(k) { 0.5 } else { 1.0 },
            );
            a * b / N as f64 * cosine(j * k)
        };
        let mut t = [[0.0; TERMS]; TERMS];
        (t[0][0], t[1][1]) = (1.0, 1.0);
        for j in 1..DEGREE {
            for power in 0..TERMS {
                let raised = if power == 0 { 0.0 } else { t[j][power - 1] };
                t[j + 1][power] = 2.0 * raised - t[j - 1][power];
            }
        }
        Self {
            nodes: core::array::from_fn(cosine),
            powers: core::array::from_fn(|power| {
                core::array::from_fn(|k| (0..TERMS).map(|j| t[j][power] * chebyshev(j, k)).sum())
            }),
            cut_off: core::array::from_fn(|j| core::array::from_fn(|k| chebyshev(TERMS + j, k))),
        }
    }

    /// The polynomials of a block. Those of a satellite without a position at a node, or with too large an error, are not numbers.
    ///
    /// The error is the sum of the terms cut off, each at most its coefficient. Beyond the two that are known they fall at least by
    /// half from one to the next where the bound is met at all: together they are not above the last one known.
    #[inline(always)]
    fn block<S: Simd>(&self, simd: S, nodes: [&Block; NODES]) -> Polynomials {
        let zero = f64x8::splat(simd, 0.0);
        let mut polynomials = Polynomials([[[f64::NAN; LANES]; 3]; TERMS]);
        let mut error_squared = zero;
        let mut radius_squared = [zero; NODES];
        for axis in 0..3 {
            // Loops over indices, not closures: a call that is not inlined here costs more than the arithmetic.
            let mut f = [zero; NODES];
            for k in 0..NODES {
                let node = [&nodes[k].x, &nodes[k].y, &nodes[k].z][axis];
                f[k] = f64x8::simd_from(simd, *node);
                radius_squared[k] = f[k].mul_add(f[k], radius_squared[k]);
            }
            for power in 0..TERMS {
                let coefficients = combined(&self.powers[power], &f);
                coefficients.store_array(&mut polynomials.0[power][axis]);
            }
            let sixth = combined(&self.cut_off[0], &f).abs();
            let seventh = combined(&self.cut_off[1], &f).abs();
            let error = seventh.mul_add(2.0, sixth);
            error_squared = error.mul_add(error, error_squared);
        }
        let lowest_m = Ellipsoid::WGS72.semi_major_m + DECAY_MARGIN_M;
        // Comparisons fail for what is not a number.
        let mut good = error_squared.simd_le(Ephemeris::ERROR_M * Ephemeris::ERROR_M);
        for radius_squared in radius_squared {
            good &= radius_squared.simd_ge(lowest_m * lowest_m);
        }
        if !good.all_true() {
            let good = good.to_bitmask();
            for lanes in polynomials.0.as_flattened_mut() {
                for (lane, value) in lanes.iter_mut().enumerate() {
                    if good >> lane & 1 == 0 {
                        *value = f64::NAN;
                    }
                }
            }
        }
        polynomials
    }
}

/// The sum of the values at the nodes, each times its weight.
#[inline(always)]
fn combined<S: Simd>(weights: &[f64; NODES], f: &[f64x8<S>; NODES]) -> f64x8<S> {
    let mut sum = f[0] * weights[0];
    for k in 1..NODES {
        sum = f[k].mul_add(weights[k], sum);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::levels::levels;
    use skyweave_base::EpochNumber;

    #[test]
    fn an_epoch_of_the_scheduler_lies_in_one_segment() {
        let utc: skyweave_base::Utc = "2026-05-21T00:00:12Z".parse().unwrap();
        let mut epoch = EpochNumber::containing(utc.into());
        for _ in 0..100 {
            let last = epoch.end() - Span::from_nanos(1);
            assert_eq!(number(epoch.start()), number(last));
            epoch = epoch.next();
        }
        assert_eq!((place(7, middle(7)), number(middle(7))), (0.0, 7));
        assert_eq!(number(GRID_ORIGIN - Span::from_nanos(1)), -1);
    }

    /// Every level of this machine with fused multiply-add gives the same bits; without, roundings differ: 7000 km has steps of 1e-9 m.
    #[test]
    fn vector_instructions_do_not_change_the_values() {
        const ROUNDINGS_M: f64 = 1e-8;
        let mut nodes = [Block::default(); NODES];
        let fit = Fit::new();
        for (node, x) in nodes.iter_mut().zip(fit.nodes) {
            for lane in 0..LANES {
                let angle = 0.17 * x + lane as f64;
                node.x[lane] = 7.0e6 * angle.cos();
                node.y[lane] = 7.0e6 * angle.sin();
                node.z[lane] = 1.0e6 * (0.3 * x).sin();
            }
        }
        let run = |level: Level| {
            let nodes = nodes.each_ref();
            let block = dispatch!(level, simd => fit.block(simd, nodes));
            let mut out = [[Block::default()]; 2];
            let [a, b] = &mut out;
            let both = [&mut a[..], &mut b[..]];
            dispatch!(level, simd => evaluate(simd, core::slice::from_ref(&block), [0.3, -0.9], both));
            out
        };
        let best = run(Level::new());
        for (level, fuses) in levels() {
            let found = run(level);
            for (found, best) in found.iter().flatten().zip(best.iter().flatten()) {
                for lane in 0..LANES {
                    assert!((found.x[lane] - best.x[lane]).abs() < ROUNDINGS_M);
                }
            }
            assert!(found == best || !fuses, "{level:?}");
        }
        // What is fitted is a circle: the polynomial follows it.
        assert!((best[0][0].x[0] - 7.0e6 * (0.17_f64 * 0.3).cos()).abs() < Ephemeris::ERROR_M);
    }
}
