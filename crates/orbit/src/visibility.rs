//! Which satellites stand high enough above each of many fixed points.
//!
//! # Algorithm
//! A point g with the ellipsoid's normal u sees a satellite s at an elevation of ε or more if, with d = (s − g)·u,
//! d > 0 and d² ≥ sin²ε |s − g|². Points are sorted once into blocks of neighbours, and blocks into groups. For each
//! group, then for each block, one test per satellite leaves out those that no point of it can see; the rest get the exact
//! test. The bound of the first two tests follows in [`Cap`].

use rayon::prelude::*;
use skyweave_base::{Ecef, Geodetic, Vec3};

/// Points in a block: large enough to share one test, small enough to be little wider than the view of one point.
const POINTS_PER_BLOCK: usize = 64;
/// Blocks in a group.
const BLOCKS_PER_GROUP: usize = 32;

/// An index over fixed points on the ground. Points are known by their position in the list given to [`Visibility::new`].
#[derive(Clone, Debug, Default)]
pub struct Visibility {
    groups: Vec<Group>,
    points: usize,
}

#[derive(Clone, Debug)]
struct Group {
    cap: Cap,
    blocks: Vec<Block>,
}

#[derive(Clone, Debug)]
struct Block {
    cap: Cap,
    points: Vec<Point>,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    index: u32,
    position: Vec3,
    up: Vec3,
}

/// The satellites that each point sees.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    /// For each point: which chunk, and from where to where in it.
    spans: Vec<(u32, u32, u32)>,
    /// The lists of each group's points.
    chunks: Vec<Vec<u32>>,
}

impl Lists {
    /// The satellites that point `point` sees, ascending, as positions in the list of satellites.
    ///
    /// # Panics
    /// If there is no such point.
    pub fn of(&self, point: usize) -> &[u32] {
        let (chunk, start, end) = self.spans[point];
        &self.chunks[chunk as usize][start as usize..end as usize]
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// True without points.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Number of pairs of a point and a satellite that it sees.
    pub fn pairs(&self) -> usize {
        self.chunks.iter().map(Vec::len).sum()
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
        let mut sorted: Vec<Point> = points
            .iter()
            .enumerate()
            .map(|(i, place)| Point {
                index: i as u32,
                position: place.to_ecef().0,
                up: place.up(),
            })
            .collect();
        let mut groups = Vec::new();
        split(
            &mut sorted,
            POINTS_PER_BLOCK * BLOCKS_PER_GROUP,
            &mut |points| {
                let cap = Cap::around(points);
                let mut blocks = Vec::new();
                split(points, POINTS_PER_BLOCK, &mut |points| {
                    blocks.push(Block {
                        cap: Cap::around(points),
                        points: points.to_vec(),
                    });
                });
                groups.push(Group { cap, blocks });
            },
        );
        Self {
            groups,
            points: points.len(),
        }
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.points
    }

    /// True without points.
    pub fn is_empty(&self) -> bool {
        self.points == 0
    }

    /// For each point the satellites in view ([`in_view`]). A position that is not a number is in nobody's view. Parallel on
    /// rayon's ambient pool; the result does not depend on the number of threads.
    pub fn lists(&self, satellites: &[Ecef], min_elevation_rad: f64) -> Lists {
        self.lists_at([satellites], min_elevation_rad)
    }

    /// The same for satellites that must be in view at two instants, as at both ends of an epoch: `start` and `end` hold the
    /// same satellites in the same order.
    ///
    /// # Panics
    /// If the lists differ in length.
    pub fn lists_at_both(&self, start: &[Ecef], end: &[Ecef], min_elevation_rad: f64) -> Lists {
        assert_eq!(
            start.len(),
            end.len(),
            "the same satellites at both instants"
        );
        self.lists_at([start, end], min_elevation_rad)
    }

    /// Satellites in view at each of `N` instants. Those of the first instant are bounded, all are tested.
    fn lists_at<const N: usize>(&self, instants: [&[Ecef]; N], min_elevation_rad: f64) -> Lists {
        let mask = Mask::new(min_elevation_rad);
        let everything: Vec<Candidate<N>> = (0..instants[0].len())
            .map(|i| Candidate {
                index: i as u32,
                positions: instants.map(|satellites| satellites[i].0),
            })
            .collect();
        let groups: Vec<_> = self
            .groups
            .par_iter()
            .map(|group| group.lists(&everything, mask))
            .collect();
        let mut lists = Lists {
            spans: vec![(0, 0, 0); self.points],
            chunks: Vec::with_capacity(groups.len()),
        };
        for (chunk, (group, (ends, indexes))) in self.groups.iter().zip(groups).enumerate() {
            let mut start = 0;
            for (point, end) in group
                .blocks
                .iter()
                .flat_map(|block| &block.points)
                .zip(ends)
            {
                lists.spans[point.index as usize] = (chunk as u32, start, end);
                start = end;
            }
            lists.chunks.push(indexes);
        }
        lists
    }
}

impl Group {
    /// For each point where its list ends, and the lists one after the other.
    fn lists<const N: usize>(
        &self,
        satellites: &[Candidate<N>],
        mask: Mask,
    ) -> (Vec<u32>, Vec<u32>) {
        let mut ends = Vec::with_capacity(self.blocks.len() * POINTS_PER_BLOCK);
        let mut indexes = Vec::new();
        let (mut near, mut close, mut list) = (Vec::new(), Vec::new(), Vec::new());
        self.cap.select(satellites, mask, &mut near);
        for block in &self.blocks {
            block.cap.select(&near, mask, &mut close);
            list.resize(close.len().max(list.len()), 0);
            for point in &block.points {
                let mut found = 0;
                // Each index is written and then kept or overwritten: a branch here would be mispredicted at every edge.
                for satellite in &close {
                    list[found] = satellite.index;
                    let seen = satellite
                        .positions
                        .map(|s| is_above(point.position, point.up, s, mask.sin2));
                    found += usize::from(seen.into_iter().fold(true, |all, one| all & one));
                }
                indexes.extend_from_slice(&list[..found]);
                ends.push(indexes.len() as u32);
            }
        }
        indexes.shrink_to_fit();
        (ends, indexes)
    }
}

/// A satellite that a point may see, at each instant.
#[derive(Clone, Copy)]
struct Candidate<const N: usize> {
    index: u32,
    positions: [Vec3; N],
}

/// A least elevation in the forms that the tests need.
#[derive(Clone, Copy)]
struct Mask {
    elevation_rad: f64,
    sin2: f64,
}

impl Mask {
    fn new(min_elevation_rad: f64) -> Self {
        Self {
            elevation_rad: min_elevation_rad.max(0.0),
            sin2: sin_squared(min_elevation_rad),
        }
    }
}

/// What is common to neighbouring points: their normals lie within `radius_rad` of `centre`.
///
/// # Bound
/// Let g = h u + g⊥ with g⊥ normal to u, and let ψ be the angle at the Earth's centre between u and s, r = |s|. An
/// elevation of ε or more means (s − g)·u ≥ tan ε |s⊥ − g⊥|, so r sin ψ ≤ |g⊥| + cot ε (r cos ψ − h), so
/// r cos(ψ + ε) ≥ q with q = h cos ε − |g⊥| sin ε. Hence ψ ≤ acos(q/r) − ε, and a satellite that any point of the cap sees
/// is within acos(q/r) + ρ − ε of its centre, with the least q of the cap and its radius ρ.
#[derive(Clone, Copy, Debug)]
struct Cap {
    centre: Vec3,
    radius_rad: f64,
    /// Least g·u.
    least_height_m: f64,
    /// Largest |g⊥|: the normal misses the Earth's centre by up to 21 km.
    most_aside_m: f64,
}

/// Wider than all rounding in the bound: the square root of an f64's resolution, 1.5e-8, on an Earth radius is 0.1 m.
const SLACK_M: f64 = 1.0;

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
        Self {
            centre,
            radius_rad: least(|point, centre| point.up.dot(centre))
                .clamp(-1.0, 1.0)
                .acos(),
            least_height_m: least(|point, _| point.position.dot(point.up)),
            most_aside_m: -least(|point, _| {
                -(point.position - point.up * point.position.dot(point.up)).norm()
            }),
        }
    }

    /// Keeps the satellites that a point of the cap may see.
    fn select<const N: usize>(
        &self,
        satellites: &[Candidate<N>],
        mask: Mask,
        kept: &mut Vec<Candidate<N>>,
    ) {
        kept.clear();
        let (sin, cos) = mask.elevation_rad.sin_cos();
        let q = self.least_height_m * cos - self.most_aside_m * sin;
        let wider_rad = self.radius_rad - mask.elevation_rad;
        // Beyond these limits acos(q/r) + ρ − ε may pass π, where its cosine no longer orders anything.
        let is_bound = q > 0.0 && wider_rad < core::f64::consts::FRAC_PI_2;
        let (sin, cos) = wider_rad.sin_cos();
        kept.extend(satellites.iter().filter(|satellite| {
            let s = satellite.positions[0];
            // r cos(acos(q/r) + ρ − ε); a satellite with r < q is below every horizon, and the exact test says so.
            let edge_m = q * cos - (s.dot(s) - q * q).max(0.0).sqrt() * sin;
            // The other way round, so that what is not a number is kept.
            !(is_bound && s.dot(self.centre) + SLACK_M < edge_m)
        }));
    }
}

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
