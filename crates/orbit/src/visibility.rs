//! Which satellites stand high enough above each of many fixed points.
//!
//! # Algorithm
//! A point g with the ellipsoid's normal u sees a satellite s at an elevation of ε or more if, with d = (s − g)·u,
//! d > 0 and d² ≥ sin²ε |s − g|²: this, in f64, is [`in_view`], and the lists are what it says of each pair, always.
//!
//! Points are sorted once into blocks of neighbours, blocks into clusters and these into groups. For each group, cluster and
//! block one test per satellite leaves out those that none of its points can see ([`Cap`]). For the points of a block, one
//! scalar product per pair decides all but a few pairs in a thousand ([`Ball`]); `in_view` decides the rest. Both are
//! done with vector instructions in f32, on the safe side of a bound for everything that was left out and rounded.

mod horizon;
mod kernel;

pub use horizon::{HorizonMask, HorizonMaskError};

use fearless_simd::{Level, dispatch};
use kernel::{Candidates, Lane, RADIUS_M};
use rayon::prelude::*;
use skyweave_base::{Ecef, Enu, Geodetic, Vec3};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Points in a group, a cluster and a block. A group is the work of one task; a block shares the preparation of its
/// candidates and should be little wider than the view of one point. Each is a multiple of the next.
const LEVELS: [usize; 3] = [2048, 256, 32];

/// An index over fixed points on the ground. Points are known by their position in the list given to [`Visibility::new`].
#[derive(Clone, Debug, Default)]
pub struct Visibility {
    groups: Vec<Node>,
    /// For each point its place in the order of the blocks.
    ranks: Arc<[u32]>,
}

/// Neighbouring points.
#[derive(Clone, Debug)]
struct Node {
    cap: Cap,
    inside: Inside,
}

#[derive(Clone, Debug)]
enum Inside {
    Nodes(Vec<Node>),
    Block(Block),
}

/// The points that share their candidates.
#[derive(Clone, Debug)]
struct Block {
    ball: Ball,
    aims: Vec<Aim>,
    points: Vec<Point>,
    /// Of each point that has a mask of its own; empty if none has.
    horizons: Vec<Option<Horizon>>,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    index: u32,
    position: Vec3,
    up: Vec3,
}

#[derive(Clone, Debug)]
struct Horizon {
    enu: Enu,
    mask: HorizonMask,
}

/// The satellites that each point sees. Filled again with [`Visibility::lists_into`], it needs no new memory.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    ranks: Arc<[u32]>,
    /// The lists of each group's points.
    chunks: Vec<Chunk>,
}

#[derive(Clone, Debug, Default)]
struct Chunk {
    /// Where the list of each point begins, and where the last ends.
    bounds: Vec<u32>,
    /// The lists one after the other, and room for more.
    ids: Vec<u32>,
}

impl Chunk {
    fn end(&self) -> usize {
        self.bounds.last().map_or(0, |&end| end as usize)
    }

    fn make_room(&mut self, more: usize) {
        let room = self.end() + more;
        if self.ids.len() < room {
            self.ids.resize(room, 0);
        }
    }

    /// Keeps some of the satellites from `start` to `end`; where they then end.
    fn retain(&mut self, start: usize, end: usize, is_kept: impl Fn(u32) -> bool) -> usize {
        (start..end).fold(start, |kept, i| {
            let id = self.ids[i];
            self.ids[kept] = id;
            kept + usize::from(is_kept(id))
        })
    }
}

impl Lists {
    /// The satellites that point `point` sees, ascending, as positions in the list of satellites.
    ///
    /// # Panics
    /// If there is no such point.
    pub fn of(&self, point: usize) -> &[u32] {
        let rank = self.ranks[point] as usize;
        let (chunk, place) = (&self.chunks[rank / LEVELS[0]], rank % LEVELS[0]);
        &chunk.ids[chunk.bounds[place] as usize..chunk.bounds[place + 1] as usize]
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.ranks.len()
    }

    /// True without points.
    pub fn is_empty(&self) -> bool {
        self.ranks.is_empty()
    }

    /// Number of pairs of a point and a satellite that it sees.
    pub fn pairs(&self) -> usize {
        self.chunks.iter().map(Chunk::end).sum()
    }

    /// The lists of all points, in the order of the points.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u32]> {
        (0..self.len()).map(|point| self.of(point))
    }
}

/// True if a satellite at `satellite` stands at least `min_elevation_rad` above the plane normal to `up` at `place`, and above
/// the plane itself: a negative elevation counts as 0. This is the test that [`Visibility`] makes, to the last bit.
pub fn in_view(place: Ecef, up: Vec3, satellite: Ecef, min_elevation_rad: f64) -> bool {
    is_above(place.0, up, satellite.0, sin_squared(min_elevation_rad))
}

fn sin_squared(min_elevation_rad: f64) -> f64 {
    min_elevation_rad.max(0.0).sin().powi(2)
}

#[inline(always)]
fn is_above(place: Vec3, up: Vec3, satellite: Vec3, sin2: f64) -> bool {
    let line = satellite - place;
    let d = line.dot(up);
    (d > 0.0) & (d * d >= sin2 * line.dot(line))
}

impl Visibility {
    /// Sorts the points into blocks of neighbours.
    pub fn new(points: &[Geodetic]) -> Self {
        Self::with_masks(points, [])
    }

    /// The same for points of which some, by their position in the list, have a mask of their own. Such a point sees what
    /// stands above its mask and at the elevation asked for.
    pub fn with_masks(
        points: &[Geodetic],
        masks: impl IntoIterator<Item = (usize, HorizonMask)>,
    ) -> Self {
        Self::cut_by(split, points, masks)
    }

    /// Of points each of which is near to those before and after it, as cells are by their H3 index: in this order their lists lie in
    /// memory, so that who asks in it need not wait for them. The lists are those of [`Visibility::new`]. In another order of points
    /// blocks would be wide, and few satellites left out before the exact test.
    pub fn in_order(points: &[Geodetic]) -> Self {
        let runs: Cut = |points, most, part| points.chunks_mut(most).for_each(part);
        Self::cut_by(runs, points, [])
    }

    fn cut_by(
        cut: Cut,
        points: &[Geodetic],
        masks: impl IntoIterator<Item = (usize, HorizonMask)>,
    ) -> Self {
        let mut horizons: BTreeMap<u32, Horizon> = masks
            .into_iter()
            .filter_map(|(i, mask)| {
                Some((
                    i as u32,
                    Horizon {
                        enu: Enu::at(*points.get(i)?),
                        mask,
                    },
                ))
            })
            .collect();
        let mut sorted: Vec<Point> = points
            .iter()
            .enumerate()
            .map(|(i, place)| Point {
                index: i as u32,
                position: place.to_ecef().0,
                up: place.up(),
            })
            .collect();
        let groups = nodes(cut, &mut sorted, &LEVELS, &mut horizons);
        let mut ranks = vec![0; points.len()];
        for (rank, point) in sorted.iter().enumerate() {
            ranks[point.index as usize] = rank as u32;
        }
        Self {
            groups,
            ranks: ranks.into(),
        }
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.ranks.len()
    }

    /// True without points.
    pub fn is_empty(&self) -> bool {
        self.ranks.is_empty()
    }

    /// For each point the satellites in view ([`in_view`]). A position that is not a number is in nobody's view. Parallel on
    /// rayon's ambient pool; the result depends neither on the number of threads nor on the processor.
    pub fn lists(&self, satellites: &[Ecef], min_elevation_rad: f64) -> Lists {
        let mut lists = Lists::default();
        self.lists_into(satellites, min_elevation_rad, &mut lists);
        lists
    }

    /// The same in the memory of earlier lists, of whatever points and satellites.
    pub fn lists_into(&self, satellites: &[Ecef], min_elevation_rad: f64, lists: &mut Lists) {
        self.search([satellites], min_elevation_rad, Level::new(), lists);
    }

    /// The same for satellites that must be in view at two instants, as at both ends of an epoch: `start` and `end` hold the
    /// same satellites in the same order.
    ///
    /// # Panics
    /// If the lists differ in length.
    pub fn lists_at_both(&self, start: &[Ecef], end: &[Ecef], min_elevation_rad: f64) -> Lists {
        let mut lists = Lists::default();
        self.lists_at_both_into(start, end, min_elevation_rad, &mut lists);
        lists
    }

    /// [`Visibility::lists_at_both`] in the memory of earlier lists.
    ///
    /// # Panics
    /// If `start` and `end` differ in length.
    pub fn lists_at_both_into(
        &self,
        start: &[Ecef],
        end: &[Ecef],
        min_elevation_rad: f64,
        lists: &mut Lists,
    ) {
        assert_eq!(
            start.len(),
            end.len(),
            "the same satellites at both instants"
        );
        self.search([start, end], min_elevation_rad, Level::new(), lists);
    }

    fn search<const N: usize>(
        &self,
        instants: [&[Ecef]; N],
        min_elevation_rad: f64,
        level: Level,
        lists: &mut Lists,
    ) {
        let search = Search::new(instants, min_elevation_rad, level);
        let everything = Candidates::all(&search);
        lists.ranks = Arc::clone(&self.ranks);
        lists.chunks.resize_with(self.groups.len(), Chunk::default);
        let work = self.groups.par_iter().zip(&mut lists.chunks);
        work.for_each_init(Scratch::default, |scratch, (group, chunk)| {
            chunk.bounds.clear();
            chunk.bounds.push(0);
            group.visit(
                &search,
                &everything,
                &mut scratch.levels,
                &mut scratch.lanes,
                chunk,
            );
        });
    }
}

/// Satellites in view at each of `N` instants, in the forms that the tests need.
struct Search<'a, const N: usize> {
    instants: [&'a [Ecef]; N],
    level: Level,
    sin2: f64,
    sin: f64,
    cos: f64,
    /// κ of [`Ball`]: the mean of k over the satellites.
    tilt: f64,
}

impl<'a, const N: usize> Search<'a, N> {
    fn new(instants: [&'a [Ecef]; N], min_elevation_rad: f64, level: Level) -> Self {
        let sin2 = sin_squared(min_elevation_rad);
        let (sin, cos2) = (sin2.sqrt(), 1.0 - sin2);
        let (mut sum, mut count) = (0.0, 0.0);
        for satellite in instants[0] {
            let r2 = satellite.0.dot(satellite.0);
            let is_up = r2 > RADIUS_M * RADIUS_M;
            sum += if is_up {
                sin / (r2 - RADIUS_M * RADIUS_M * cos2).sqrt()
            } else {
                0.0
            };
            count += f64::from(u8::from(is_up));
        }
        Self {
            instants,
            level,
            sin2,
            sin,
            cos: cos2.sqrt(),
            tilt: sum / f64::max(count, 1.0),
        }
    }

    fn is_in_view(&self, point: &Point, id: u32) -> bool {
        self.instants.iter().all(|satellites| {
            let satellite = satellites.get(id as usize);
            satellite.is_some_and(|s| is_above(point.position, point.up, s.0, self.sin2))
        })
    }

    fn is_above_horizon(&self, horizon: &Horizon, id: u32) -> bool {
        let mut instants = self.instants.iter();
        instants.all(|satellites| {
            horizon
                .mask
                .admits(&horizon.enu.look(satellites[id as usize]))
        })
    }
}

/// Memory of one task.
struct Scratch<const N: usize> {
    levels: [Candidates<N>; LEVELS.len()],
    lanes: Vec<Lane<N>>,
}

impl<const N: usize> Default for Scratch<N> {
    fn default() -> Self {
        Self {
            levels: Default::default(),
            lanes: Vec::new(),
        }
    }
}

impl Node {
    /// Appends the lists of the node's points, given the satellites that may be in view of them.
    fn visit<const N: usize>(
        &self,
        search: &Search<'_, N>,
        from: &Candidates<N>,
        scratch: &mut [Candidates<N>],
        lanes: &mut Vec<Lane<N>>,
        out: &mut Chunk,
    ) {
        let Some((near, deeper)) = scratch.split_first_mut() else {
            return;
        };
        dispatch!(search.level, simd => kernel::select(simd, &self.cap, search, from, near));
        match &self.inside {
            Inside::Nodes(nodes) => nodes
                .iter()
                .for_each(|node| node.visit(search, near, deeper, lanes, out)),
            Inside::Block(block) => {
                dispatch!(search.level, simd => kernel::lists(simd, block, search, near, lanes, out));
            }
        }
    }
}

/// What is common to neighbouring points: their normals lie within an angle ρ of `centre`.
///
/// # Bound
/// Let g = h u + g⊥ with g⊥ normal to u, and let ψ be the angle at the Earth's centre between u and s, r = |s|. An
/// elevation of ε or more means (s − g)·u ≥ tan ε |s⊥ − g⊥|, so r sin ψ ≤ |g⊥| + cot ε (r cos ψ − h), so
/// r cos(ψ + ε) ≥ q with q = h cos ε − |g⊥| sin ε. Hence ψ ≤ acos(q/r) − ε, and a satellite that any point of the cap sees
/// is within w = ρ − ε of acos(q/r) of its centre: s·centre ≥ r cos(acos(q/r) + w) = q cos w − √(r² − q²) sin w, with the
/// least q of the cap.
#[derive(Clone, Copy, Debug)]
struct Cap {
    centre: Vec3,
    sin_radius: f64,
    cos_radius: f64,
    /// Least g·u.
    least_height_m: f64,
    /// Largest |g⊥|: the normal misses the Earth's centre by up to 21 km.
    most_aside_m: f64,
}

impl Cap {
    fn around(points: &[Point]) -> Self {
        let sum = points
            .iter()
            .fold(Vec3::default(), |sum, point| sum + point.up);
        // Points all round the globe may have no centre; any direction will do.
        let centre = if sum.norm() > 1e-6 {
            sum.unit()
        } else {
            Vec3::new(0.0, 0.0, 1.0)
        };
        let least = |f: fn(&Point, Vec3) -> f64| {
            points
                .iter()
                .map(|p| f(p, centre))
                .fold(f64::INFINITY, f64::min)
        };
        let cos_radius = least(|point, centre| point.up.dot(centre)).clamp(-1.0, 1.0);
        Self {
            centre,
            sin_radius: (1.0 - cos_radius * cos_radius).sqrt(),
            cos_radius,
            least_height_m: least(|point, _| point.position.dot(point.up)),
            most_aside_m: -least(|point, _| {
                -(point.position - point.up * point.position.dot(point.up)).norm()
            }),
        }
    }
}

/// A common origin for the points of a block: the ellipsoid is nearly a sphere about it.
///
/// # Bound
/// A point g with normal u lies on the sphere of radius R about g − R u, which is within E of the mean O of all such centres
/// in the block, at O + e. On a sphere the elevation is at least ε where (s − g + R u)·u ≥ T(ρ) with ρ the distance of s
/// from its centre, T(ρ) = R cos²ε + sin ε √(ρ² − R² cos²ε), ρ ≥ R. From here on s is counted from O, and r = |s|, so that
/// ρ² = r² − 2 e·s + e². T is concave in ρ² with the slope k/2, k(ρ) = sin ε / √(ρ² − R² cos²ε), so that for some ρ' between r
/// and ρ
///
/// s·u − e·u ≥ T(r) − k(ρ') (e·s − e²/2), or: s·(u + κ e) − e·u ≥ T(r) + (κ − k(ρ')) e·s + k(ρ') e²/2.
///
/// On the left there is one scalar product of what depends on the satellite alone and what depends on the point alone; κ is
/// a number near all k. With y = r² − R² cos²ε and δ = (2 r E + E²)/y ≤ 1/2, k(ρ') is within k(r) δ of k(r), and the terms on
/// the right beyond T(r) are at most
///
/// E r |κ − k(r)| + 3 k(r) E² r²/y.
///
/// Within that, and rounding, of T(r), nothing is decided; nor where r < R + E or y < 5 r E, which holds for satellites near
/// or below the ground. At 25 degrees and orbits of 340 to 600 km, in a block of 250 km, E is about 1 km and the band 60 m to
/// each side; the view is 900 km in radius.
///
/// Rounding, with |O|, |e| ≤ R/8 and so |u + κ e| ≤ 9/8: the left side is good to 12 u r (position and direction 6, products
/// and sums 6), the right to 15 u r (ρ² 11 u r², halved by the root; root, factors and sums 9): below 32 u r together.
#[derive(Clone, Copy, Debug)]
struct Ball {
    origin: Vec3,
    /// E, or not a number, which decides nothing, if the points are not on the ground.
    spread_m: f64,
}

/// A point as [`Ball`] needs it: u, e and e·u.
#[derive(Clone, Copy, Debug)]
struct Aim {
    up: [f32; 3],
    offset_m: [f32; 3],
    offset_up_m: f32,
}

impl Block {
    fn new(points: &[Point], horizons: &mut BTreeMap<u32, Horizon>) -> Self {
        let centre = |point: &Point| point.position - point.up * RADIUS_M;
        let sum = points
            .iter()
            .fold(Vec3::default(), |sum, point| sum + centre(point));
        let origin = sum * (1.0 / points.len() as f64);
        let spread_m = points
            .iter()
            .map(|point| (centre(point) - origin).norm())
            .fold(0.0, f64::max);
        let is_near = origin.norm() <= RADIUS_M / 8.0 && spread_m <= RADIUS_M / 8.0;
        let aims = points.iter().map(|point| {
            let offset = centre(point) - origin;
            Aim {
                up: [point.up.x, point.up.y, point.up.z].map(|x| x as f32),
                offset_m: [offset.x, offset.y, offset.z].map(|x| x as f32),
                offset_up_m: offset.dot(point.up) as f32,
            }
        });
        let mut own: Vec<_> = points
            .iter()
            .map(|point| horizons.remove(&point.index))
            .collect();
        if own.iter().all(Option::is_none) {
            own = Vec::new();
        }
        Self {
            ball: Ball {
                origin,
                spread_m: if is_near { spread_m } else { f64::NAN },
            },
            aims: aims.collect(),
            points: points.to_vec(),
            horizons: own,
        }
    }
}

/// The points as nodes of at most `levels[0]` points and so on: all parts of a node but the last are full.
fn nodes(
    cut: Cut,
    points: &mut [Point],
    levels: &[usize],
    horizons: &mut BTreeMap<u32, Horizon>,
) -> Vec<Node> {
    let Some((&most, deeper)) = levels.split_first() else {
        return Vec::new();
    };
    let mut all = Vec::new();
    cut(points, most, &mut |points| {
        all.push(Node {
            cap: Cap::around(points),
            inside: match deeper {
                [] => Inside::Block(Block::new(points, horizons)),
                _ => Inside::Nodes(nodes(cut, points, deeper, horizons)),
            },
        });
    });
    all
}

/// Puts points in an order and hands out parts of at most so many, all but the last of them full.
type Cut = fn(&mut [Point], usize, &mut dyn FnMut(&mut [Point]));

/// Halves the points along their widest axis until each part has at most `most`, and hands out the parts.
fn split(points: &mut [Point], most: usize, part: &mut dyn FnMut(&mut [Point])) {
    if points.is_empty() {
        return;
    }
    if points.len() <= most {
        return part(points);
    }
    let axes: [fn(&Point) -> f64; 3] = [|p| p.up.x, |p| p.up.y, |p| p.up.z];
    let width = |axis: &fn(&Point) -> f64| {
        let (low, high) = points
            .iter()
            .map(axis)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
                (low.min(x), high.max(x))
            });
        high - low
    };
    // max_by with total_cmp never fails: there are three axes.
    let axis = axes
        .iter()
        .max_by(|a, b| width(a).total_cmp(&width(b)))
        .copied()
        .unwrap_or(axes[0]);
    // All parts but the last are full.
    let middle = (points.len() / 2).div_ceil(most) * most;
    points.select_nth_unstable_by(middle, |a, b| {
        axis(a).total_cmp(&axis(b)).then(a.index.cmp(&b.index))
    });
    let (low, high) = points.split_at_mut(middle);
    split(low, most, part);
    split(high, most, part);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::levels::levels;

    fn place(lat_deg: f64, lon_deg: f64, height_m: f64) -> Geodetic {
        let lon_deg = (lon_deg + 180.0).rem_euclid(360.0) - 180.0;
        Geodetic {
            height_m,
            ..Geodetic::from_degrees(lat_deg, lon_deg).unwrap()
        }
    }

    /// Numbers from 0 to 1 that fill the square evenly (additive recurrence with the plastic number).
    fn square(i: usize) -> (f64, f64) {
        let i = i as f64;
        (
            (i * 0.754_877_666_246_692_8).fract(),
            (i * 0.569_840_290_998_053_2).fract(),
        )
    }

    /// Dense places, the whole globe, poles, the antimeridian, peaks, a point far above the ground, and one that is none.
    fn places() -> Vec<Geodetic> {
        let globe = (0..600)
            .map(square)
            .map(|(a, b)| place((2.0 * a - 1.0).asin().to_degrees(), 360.0 * b, 0.0));
        let dense = (0..900)
            .map(square)
            .map(|(a, b)| place(45.0 + 6.0 * a, 178.0 + 4.0 * b, 9000.0 * a * b));
        let odd = [
            (90.0, 0.0, 0.0),
            (-90.0, 10.0, 0.0),
            (0.0, -180.0, -400.0),
            (0.0, 179.999, 0.0),
            (10.0, 20.0, 4e6),
        ];
        let nowhere = Geodetic {
            lat_rad: f64::NAN,
            ..place(0.0, 0.0, 0.0)
        };
        let odd = odd.map(|(lat, lon, height)| place(lat, lon, height));
        globe.chain(dense).chain(odd).chain([nowhere]).collect()
    }

    /// Low, geostationary and far orbits, the ground, below it, and positions that overflow or are no numbers.
    fn satellites() -> Vec<Ecef> {
        let shells = [
            340e3, 550e3, 560e3, 1150e3, 20_200e3, 35_786e3, 4e8, 20e3, 0.0, -1e3, -3e6,
        ];
        let mut all: Vec<Ecef> = (0..1200)
            .map(|i| {
                let (a, b) = square(i);
                place(180.0 * a - 90.0, 360.0 * b, shells[i % shells.len()]).to_ecef()
            })
            .collect();
        for huge in [1e12, 1e19, 1e30, 1e160, f64::INFINITY, f64::NAN] {
            for sign in [-1.0, 1.0] {
                all.insert(all.len() / 2, Ecef(Vec3::new(sign * huge, 1e6, sign)));
                all.push(Ecef(Vec3::new(-1.0, sign * huge, sign * huge)));
            }
        }
        all.push(Ecef(Vec3::default()));
        all
    }

    #[test]
    fn every_level_finds_what_the_exact_test_finds() {
        let (places, satellites) = (places(), satellites());
        // The places are in no order at all.
        let indices = [Visibility::new(&places), Visibility::in_order(&places)];
        let later: Vec<Ecef> = satellites
            .iter()
            .map(|s| Ecef(s.0.rotate_frame_z(0.02)))
            .collect();
        for mask_deg in [
            -10.0,
            0.0,
            1e-7,
            1.0,
            25.0,
            60.0,
            89.9,
            90.0,
            120.0,
            f64::NAN,
        ] {
            let mask_rad = f64::to_radians(mask_deg);
            let sees = |place: &Geodetic, all: &[Ecef], i: usize| {
                in_view(place.to_ecef(), place.up(), all[i], mask_rad)
            };
            let expected: Vec<Vec<u32>> = places
                .iter()
                .map(|place| {
                    (0..satellites.len())
                        .filter(|&i| sees(place, &satellites, i))
                        .map(|i| i as u32)
                        .collect()
                })
                .collect();
            // Of more satellites than a register has lanes, so that the last one is full and not full.
            let levels = levels().into_iter().map(|(level, _)| level);
            for (level, visibility) in levels.flat_map(|l| indices.each_ref().map(|v| (l, v))) {
                let (mut lists, mut both) = (Lists::default(), Lists::default());
                visibility.search([&satellites], mask_rad, level, &mut lists);
                visibility.search([&satellites, &later], mask_rad, level, &mut both);
                for (i, place) in places.iter().enumerate() {
                    let also: Vec<u32> = expected[i]
                        .iter()
                        .copied()
                        .filter(|&s| sees(place, &later, s as usize))
                        .collect();
                    let found = [lists.of(i), both.of(i)];
                    assert_eq!(
                        found,
                        [&expected[i][..], &also],
                        "{level:?}, {mask_deg} degrees, {place:?}"
                    );
                }
            }
        }
    }

    /// Satellites on the edge itself, where f32 cannot decide: within a metre of the least elevation.
    #[test]
    fn every_level_decides_the_edge_as_the_exact_test_does() {
        let places: Vec<Geodetic> = (0..400)
            .map(square)
            .map(|(a, b)| place(60.0 * a - 30.0, 8.0 * b, 0.0))
            .collect();
        let mask_rad = 25.0_f64.to_radians();
        let satellites: Vec<Ecef> = (0..4000)
            .map(|i| {
                let enu = Enu::at(places[i % places.len()]);
                let (a, b) = square(i);
                let (sin, cos) = (a * core::f64::consts::TAU).sin_cos();
                let flat = enu.north * cos + enu.east * sin;
                let line = flat * mask_rad.cos() + enu.up * mask_rad.sin();
                Ecef(enu.origin.0 + line * (1.0e6 + 2e5 * b) + enu.up * (2.0 * b - 1.0))
            })
            .collect();
        let visibility = Visibility::new(&places);
        for (level, _) in levels() {
            let mut lists = Lists::default();
            visibility.search([&satellites], mask_rad, level, &mut lists);
            for (i, place) in places.iter().enumerate() {
                let sees = |s: &u32| {
                    in_view(
                        place.to_ecef(),
                        place.up(),
                        satellites[*s as usize],
                        mask_rad,
                    )
                };
                assert!(
                    (0..4000).filter(sees).eq(lists.of(i).iter().copied()),
                    "{level:?}"
                );
            }
        }
    }
}
