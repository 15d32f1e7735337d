//! The vector code of [`super`]: candidates of a cap, and the lists of a block.
//!
//! Everything here is f32 and one-sided: what f32 cannot decide is handed to the exact test in f64. So the lists are the
//! same with all vector instructions, whether they fuse multiply and add or not. u = 2⁻²⁴ is the largest relative error of
//! one rounding; bounds count roundings with and without fusing. They stay below [`ROUNDING`].

use super::{Block, Cap, Chunk, Search};
use fearless_simd::{Select, Simd, prelude::*};

/// Satellites that are tested together: the f32 lanes of the widest registers.
pub(super) const LANES: usize = 16;

/// Rounding of a length computed from satellites at distance r, in units of r: 32 u.
const ROUNDING: f64 = 1.0 / (1 << 19) as f64;

/// All points of a block lie, but for [`Ball::spread_m`], on a sphere of this radius about one origin, m. The ellipsoid's
/// radii of curvature are within 36 km of it.
pub(super) const RADIUS_M: f64 = skyweave_base::MEAN_EARTH_RADIUS_M;

/// Satellites in view of some part of the Earth, ascending, in f32 at each of `N` instants.
pub(super) struct Candidates<const N: usize> {
    len: usize,
    /// These have room for a whole register beyond `len`.
    ids: Vec<u32>,
    positions_m: [[Vec<f32>; 3]; N],
}

impl<const N: usize> Default for Candidates<N> {
    fn default() -> Self {
        Self {
            len: 0,
            ids: Vec::new(),
            positions_m: core::array::from_fn(|_| Default::default()),
        }
    }
}

impl<const N: usize> Candidates<N> {
    /// All satellites but those without a position: these are in nobody's view.
    pub(super) fn all(search: &Search<'_, N>) -> Self {
        let mut all = Self::default();
        let count = search.instants[0].len();
        all.make_room(count);
        for id in 0..count {
            let positions = search.instants.map(|instant| instant[id].0);
            all.ids[all.len] = id as u32;
            for (axes, s) in all.positions_m.iter_mut().zip(positions) {
                for (axis, value) in axes.iter_mut().zip([s.x, s.y, s.z]) {
                    axis[all.len] = value as f32;
                }
            }
            all.len += usize::from(
                !positions
                    .iter()
                    .any(|s| s.x.is_nan() | s.y.is_nan() | s.z.is_nan()),
            );
        }
        all
    }

    fn make_room(&mut self, len: usize) {
        let room = len + LANES;
        if self.ids.len() < room {
            self.ids.resize(room, 0);
            for axis in self.positions_m.iter_mut().flatten() {
                axis.resize(room, 0.0);
            }
        }
    }
}

/// The cap's bound (see [`Cap`]) in f32: satellites with s·centre below q cos w − √(r² − q²) sin w are out of view.
struct Edge {
    centre: [f32; 3],
    q_cos: f32,
    q2: f32,
    sin: f32,
    /// 1, rounded away from what would leave out more: r² − q² may be a small difference.
    widen: f32,
    /// Rounding of both sides in units of r²: since r²/q ≥ r for all that can be in view, no square root is needed.
    rounding: f32,
}

impl Edge {
    fn new<const N: usize>(cap: &Cap, search: &Search<'_, N>) -> Self {
        let q = cap.least_height_m * search.cos - cap.most_aside_m * search.sin;
        let sin = cap.sin_radius * search.cos - cap.cos_radius * search.sin;
        let cos = cap.cos_radius * search.cos + cap.sin_radius * search.sin;
        // Beyond these limits acos(q/r) + ρ − ε may pass π, where its cosine no longer orders anything. Then nothing is
        // left out, since no comparison with what is not a number is true.
        let is_bound = q > 0.0 && cos > 0.0;
        Self {
            centre: [cap.centre.x, cap.centre.y, cap.centre.z].map(|x| x as f32),
            q_cos: (q * cos) as f32,
            q2: (q * q) as f32,
            sin: sin as f32,
            widen: (1.0 + ROUNDING.copysign(sin)) as f32,
            rounding: if is_bound {
                (ROUNDING / q) as f32
            } else {
                f32::NAN
            },
        }
    }
}

/// Keeps the satellites that a point of the cap may see.
#[inline(always)]
pub(super) fn select<S: Simd, const N: usize>(
    simd: S,
    cap: &Cap,
    search: &Search<'_, N>,
    from: &Candidates<N>,
    to: &mut Candidates<N>,
) {
    let edge = Edge::new(cap, search);
    let splat = |value| S::f32s::splat(simd, value);
    let width = S::f32s::LEN;
    to.make_room(from.len);
    let mut kept = 0;
    for at in (0..from.len).step_by(width) {
        let mut out = S::mask32s::splat(simd, false);
        for [x, y, z] in &from.positions_m {
            let x = S::f32s::from_slice(simd, &x[at..at + width]);
            let y = S::f32s::from_slice(simd, &y[at..at + width]);
            let z = S::f32s::from_slice(simd, &z[at..at + width]);
            let r2 = x.mul_add(x, y.mul_add(y, z * z));
            let along = x.mul_add(
                splat(edge.centre[0]),
                y.mul_add(splat(edge.centre[1]), z * splat(edge.centre[2])),
            );
            let root = r2
                .mul_add(splat(edge.widen), splat(-edge.q2))
                .max(0.0)
                .sqrt();
            let limit = root.mul_add(splat(-edge.sin), splat(edge.q_cos));
            out |= r2.mul_add(splat(edge.rounding), along).simd_lt(limit);
        }
        let keep = !out;
        let ids = S::u32s::from_slice(simd, &from.ids[at..at + width]);
        ids.compress(keep)
            .store_slice(&mut to.ids[kept..kept + width]);
        for (from, to) in from
            .positions_m
            .iter()
            .flatten()
            .zip(to.positions_m.iter_mut().flatten())
        {
            let axis = S::f32s::from_slice(simd, &from[at..at + width]);
            axis.compress(keep).store_slice(&mut to[kept..kept + width]);
        }
        // Lanes beyond the last candidate come last and are not counted.
        let valid = u64::MAX >> (64 - (from.len - at).min(width));
        kept += (keep.to_bitmask() & valid).count_ones() as usize;
    }
    to.len = kept;
}

/// [`LANES`] candidates of a block, ready for its points.
#[repr(C, align(64))]
pub(super) struct Lane<const N: usize> {
    ids: [u32; LANES],
    at: [Seen; N],
}

/// Candidates at one instant: position from the block's origin, and how far up a point's axis they are surely out of view
/// (below `low_m`) and surely in view (from `high_m` on).
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Seen {
    x: [f32; LANES],
    y: [f32; LANES],
    z: [f32; LANES],
    low_m: [f32; LANES],
    high_m: [f32; LANES],
}

/// Nobody: surely out of view.
const NOBODY: Seen = Seen {
    x: [0.0; LANES],
    y: [0.0; LANES],
    z: [0.0; LANES],
    low_m: [f32::INFINITY; LANES],
    high_m: [f32::INFINITY; LANES],
};

/// The candidates with their limits, from the ball's origin: see [`super::Ball`].
#[inline(always)]
fn prepare<S: Simd, const N: usize>(
    simd: S,
    block: &Block,
    search: &Search<'_, N>,
    from: &Candidates<N>,
    lanes: &mut Vec<Lane<N>>,
) {
    let splat = |value: f64| S::f32s::splat(simd, value as f32);
    let width = S::f32s::LEN;
    let ball = &block.ball;
    let (spread, rounding) = (splat(ball.spread_m), splat(ROUNDING));
    let foot = splat(RADIUS_M * search.cos * search.cos);
    let q2 = splat(RADIUS_M * search.cos * RADIUS_M * search.cos);
    lanes.clear();
    for start in (0..from.len).step_by(LANES) {
        let mut lane = Lane {
            ids: [0; LANES],
            at: [NOBODY; N],
        };
        lane.ids.copy_from_slice(&from.ids[start..start + LANES]);
        for ([x, y, z], seen) in from.positions_m.iter().zip(&mut lane.at) {
            for k in (0..LANES).step_by(width) {
                let (lane, from) = (k..k + width, start + k..start + k + width);
                let x = S::f32s::from_slice(simd, &x[from.clone()]) - splat(ball.origin.x);
                let y = S::f32s::from_slice(simd, &y[from.clone()]) - splat(ball.origin.y);
                let z = S::f32s::from_slice(simd, &z[from]) - splat(ball.origin.z);
                let r2 = x.mul_add(x, y.mul_add(y, z * z));
                let (r, rest2) = (r2.sqrt(), r2 - q2);
                let root = rest2.sqrt();
                let tilt = splat(search.sin) / root;
                let limit = root.mul_add(splat(search.sin), foot);
                let second = splat(3.0) * tilt * spread * spread * (r2 / rest2);
                let band = r.mul_add(
                    spread.mul_add((tilt - splat(search.tilt)).abs(), rounding),
                    second,
                );
                // The conditions of the bound. Limits that are not numbers decide nothing: no comparison with them is true.
                let is_bound = r.simd_ge(r.mul_add(rounding, splat(RADIUS_M) + spread))
                    & rest2.simd_ge(splat(5.0) * r * spread)
                    & r2.simd_lt(splat(FAR2_M2));
                x.store_slice(&mut seen.x[lane.clone()]);
                y.store_slice(&mut seen.y[lane.clone()]);
                z.store_slice(&mut seen.z[lane.clone()]);
                let low = is_bound.select(limit - band, splat(f64::NAN));
                let high = is_bound.select(limit + band, splat(f64::NAN));
                low.store_slice(&mut seen.low_m[lane.clone()]);
                high.store_slice(&mut seen.high_m[lane]);
            }
        }
        lanes.push(lane);
    }
    // Beyond the last candidate there is nobody: out of view, and unknown to the exact test if a point is not a number.
    if let Some(last) = lanes.last_mut() {
        let seen = &mut last.at[0];
        for k in (from.len - 1) % LANES + 1..LANES {
            last.ids[k] = u32::MAX;
            (seen.x[k], seen.y[k], seen.z[k]) = (0.0, 0.0, 0.0);
            (seen.low_m[k], seen.high_m[k]) = (f32::INFINITY, f32::INFINITY);
        }
    }
}

/// Squares of larger distances would not fit an f32.
const FAR2_M2: f64 = 1e36;

/// Appends the lists of a block's points.
#[inline(always)]
pub(super) fn lists<S: Simd, const N: usize>(
    simd: S,
    block: &Block,
    search: &Search<'_, N>,
    from: &Candidates<N>,
    lanes: &mut Vec<Lane<N>>,
    out: &mut Chunk,
) {
    prepare(simd, block, search, from, lanes);
    let width = S::f32s::LEN;
    let tilt = search.tilt as f32;
    let mut end = out.end();
    out.make_room((block.points.len() * lanes.len() + 1) * LANES);
    for (i, aim) in block.aims.iter().enumerate() {
        let start = end;
        let [x, y, z] =
            core::array::from_fn(|k| S::f32s::splat(simd, aim.offset_m[k] * tilt + aim.up[k]));
        let height = S::f32s::splat(simd, -aim.offset_up_m);
        for lane in &*lanes {
            for k in (0..LANES).step_by(width) {
                let mut maybe = S::mask32s::splat(simd, true);
                let mut surely = S::mask32s::splat(simd, true);
                for seen in &lane.at {
                    let along = S::f32s::from_slice(simd, &seen.x[k..k + width]).mul_add(x, height);
                    let along = S::f32s::from_slice(simd, &seen.y[k..k + width]).mul_add(y, along);
                    let along = S::f32s::from_slice(simd, &seen.z[k..k + width]).mul_add(z, along);
                    maybe &= !along.simd_lt(S::f32s::from_slice(simd, &seen.low_m[k..k + width]));
                    surely &= along.simd_ge(S::f32s::from_slice(simd, &seen.high_m[k..k + width]));
                }
                let mut bits = maybe.to_bitmask();
                let sure_bits = surely.to_bitmask();
                if bits != sure_bits {
                    bits = decide(bits, sure_bits, &lane.ids[k..k + width], |id| {
                        search.is_in_view(&block.points[i], id)
                    });
                    maybe = S::mask32s::from_bitmask(simd, bits);
                }
                let ids = S::u32s::from_slice(simd, &lane.ids[k..k + width]);
                ids.compress(maybe)
                    .store_slice(&mut out.ids[end..end + width]);
                end += bits.count_ones() as usize;
            }
        }
        if let Some(Some(horizon)) = block.horizons.get(i) {
            end = out.retain(start, end, |id| search.is_above_horizon(horizon, id));
        }
        out.bounds.push(end as u32);
    }
}

/// The exact test for those of `maybe` that are not sure.
#[cold]
#[inline(never)]
fn decide(maybe: u64, surely: u64, ids: &[u32], is_in_view: impl Fn(u32) -> bool) -> u64 {
    let (mut found, mut open) = (surely & maybe, maybe & !surely);
    while open != 0 {
        let k = open.trailing_zeros();
        found |= u64::from(is_in_view(ids[k as usize])) << k;
        open &= open - 1;
    }
    found
}
