//! Shapes on the ground: polygons with holes, several at once, exact.
//!
//! Positions are whole numbers of 1e-7 degree (11 mm), so that every test on them is exact: the same point is in the
//! same area on any machine, and a point on a common border belongs to exactly one of two neighbours. Edges are straight
//! in the plane of longitude and latitude, as RFC 7946 has it (section 3.1.1). Differing from its section 3.1.9, a shape
//! across the antimeridian need not be cut: see [`Shape::new`].

use serde::{Deserialize, Serialize};

/// Units of position per degree.
const PER_DEG: f64 = 1e7;
/// 360 degrees in units of position.
pub(crate) const TURN: i64 = 3_600_000_000;
const HALF_TURN: i64 = TURN / 2;
const POLE: i64 = 900_000_000;
/// The most positions of one shape: a bound on the time of the search for crossings.
pub const MOST_POSITIONS: usize = 100_000;

/// A corner of a shape: longitude and latitude, units of 1e-7 degree. Longitudes may leave ±180 degrees.
pub(crate) type Corner = (i64, i64);

/// An edge, its end of lower latitude first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) low: Corner,
    pub(crate) high: Corner,
}

/// A point to ask about, in half units, both odd: it lies on no corner's meridian or parallel, so no case is special.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) x2: i64,
    pub(crate) y2: i64,
}

/// Polygons with holes, checked. No ring crosses or touches itself, no two rings cross, holes lie in their polygon and
/// no polygon lies in another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Vec<Vec<[f64; 2]>>>", into = "Vec<Vec<Vec<[f64; 2]>>>")]
pub struct Shape {
    /// Polygons of rings of corners, the first ring the outer one; closed implicitly; outer rings run counter-clockwise.
    polygons: Vec<Vec<Vec<Corner>>>,
}

/// Where a ring stands in a shape, counted from 0 as in GeoJSON's `coordinates`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingAt {
    /// The polygon.
    pub polygon: usize,
    /// The ring in it: 0 is the outer one, the others are holes.
    pub ring: usize,
}

impl core::fmt::Display for RingAt {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.ring {
            0 => write!(f, "the outer ring of polygon {}", self.polygon),
            n => write!(f, "ring {n} (a hole) of polygon {}", self.polygon),
        }
    }
}

/// What was put right in a shape without changing what it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fix {
    /// The ring ran the wrong way (RFC 7946: outer rings counter-clockwise, holes clockwise).
    Rewound(RingAt),
    /// The ring's last position did not repeat its first.
    Closed(RingAt),
    /// The ring goes round a pole and was closed along it.
    ClosedAtPole(RingAt),
}

impl core::fmt::Display for Fix {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Rewound(at) => write!(f, "{at} ran the wrong way and was turned round"),
            Self::Closed(at) => write!(f, "{at} did not end where it began and was closed"),
            Self::ClosedAtPole(at) => write!(f, "{at} goes round a pole and was closed along it"),
        }
    }
}

/// Why positions do not make a shape. Vertices are counted from 0 as in GeoJSON.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ShapeError {
    /// No polygon at all.
    #[error("there is no polygon")]
    Empty,
    /// Too many positions.
    #[error("{0} positions are too many: {MOST_POSITIONS} at most")]
    TooLarge(usize),
    /// Not a place on Earth. Longitudes to ±360 are good, so that a shape may go on across the antimeridian.
    #[error(
        "vertex {vertex} of {at}: [{lon_deg}, {lat_deg}] is outside longitude -360 to 360, latitude -90 to 90"
    )]
    NotAPlace {
        /// The ring.
        at: RingAt,
        /// The vertex.
        vertex: usize,
        /// Longitude, degrees.
        lon_deg: f64,
        /// Latitude, degrees.
        lat_deg: f64,
    },
    /// Fewer than three different corners.
    #[error("{at} encloses nothing: it has {corners} different corners in a row")]
    NoArea {
        /// The ring.
        at: RingAt,
        /// Corners left after equal neighbours were merged.
        corners: usize,
    },
    /// More than once round the Earth.
    #[error("{0} goes round the Earth more than once")]
    WindsTwice(RingAt),
    /// A ring that crosses or touches itself.
    #[error(
        "{at} meets itself: the edge from vertex {first} and the edge from vertex {second}, near longitude {lon_deg:.5}, \
         latitude {lat_deg:.5}"
    )]
    SelfIntersection {
        /// The ring.
        at: RingAt,
        /// Where the first edge begins.
        first: usize,
        /// Where the second edge begins.
        second: usize,
        /// Longitude of a corner of the second edge, degrees.
        lon_deg: f64,
        /// Latitude of it, degrees.
        lat_deg: f64,
    },
    /// Two rings that cross.
    #[error(
        "{first} (edge from vertex {first_vertex}) crosses {second} (edge from vertex {second_vertex})"
    )]
    RingsCross {
        /// One ring.
        first: RingAt,
        /// Where its edge begins.
        first_vertex: usize,
        /// The other ring.
        second: RingAt,
        /// Where its edge begins.
        second_vertex: usize,
    },
    /// A hole that is not in its polygon.
    #[error("{0} lies outside its polygon")]
    HoleOutside(RingAt),
    /// A polygon inside another: which of the two is meant is not clear.
    #[error("polygon {inner} lies inside polygon {outer}: make it a hole or leave it out")]
    Nested {
        /// The polygon inside.
        inner: usize,
        /// The polygon around it.
        outer: usize,
    },
}

impl Shape {
    /// From polygons of rings of `[longitude, latitude]` in degrees, as in GeoJSON's MultiPolygon.
    ///
    /// An edge of more than 180 degrees of longitude is taken the short way, across the antimeridian (179 to −179 is two
    /// degrees), but one of exactly 360 is taken as written (a band round the Earth). Along a pole, where longitude means
    /// nothing, the way is taken that closes the ring. A ring that then still goes once round the Earth encloses a pole,
    /// the one nearer to its corners, and is closed along it. Rings of the wrong direction are turned round.
    ///
    /// # Errors
    /// [`ShapeError`] with the ring and the vertices.
    pub fn new(polygons: &[Vec<Vec<[f64; 2]>>]) -> Result<(Self, Vec<Fix>), ShapeError> {
        let positions = polygons.iter().flatten().map(Vec::len).sum();
        if positions > MOST_POSITIONS {
            return Err(ShapeError::TooLarge(positions));
        }
        let (mut fixes, mut rings) = (Vec::new(), Vec::new());
        for (polygon, all) in polygons.iter().enumerate() {
            for (ring, positions) in all.iter().enumerate() {
                rings.push(Ring::read(RingAt { polygon, ring }, positions, &mut fixes)?);
            }
        }
        if rings.is_empty() {
            return Err(ShapeError::Empty);
        }
        refuse_crossings(&rings)?;
        let mut shape = Self {
            polygons: Vec::new(),
        };
        for ring in rings {
            shape.polygons.resize_with(ring.at.polygon + 1, Vec::new);
            shape.polygons[ring.at.polygon].push(ring.corners);
        }
        shape
            .polygons
            .iter()
            .enumerate()
            .try_for_each(|(n, _)| shape.refuse_bad_nesting(n))?;
        shape.polygons.retain(|rings| !rings.is_empty());
        Ok((shape, fixes))
    }

    /// True if the position is inside. Latitude and longitude in degrees; anything that is not a place is outside.
    pub fn contains(&self, lat_deg: f64, lon_deg: f64) -> bool {
        Probe::new(lat_deg, lon_deg).is_some_and(|probe| odd_to_the_east(&self.edges(), probe))
    }

    /// The polygons in degrees, rings closed, as in GeoJSON's MultiPolygon; longitudes of −360 to 360, continuous along
    /// each ring.
    pub fn to_degrees(&self) -> Vec<Vec<Vec<[f64; 2]>>> {
        let written = |ring: &Vec<Corner>| {
            let turn = if ring.iter().any(|c| c.0 > TURN) {
                -TURN
            } else {
                0
            };
            let degrees = |&(x, y): &Corner| [(x + turn) as f64 / PER_DEG, y as f64 / PER_DEG];
            ring.iter().chain(ring.first()).map(degrees).collect()
        };
        self.polygons
            .iter()
            .map(|rings| rings.iter().map(written).collect())
            .collect()
    }

    /// Every edge, and its copies one turn to the west and to the east: parity in them is right from −270 to 270 degrees.
    pub(crate) fn edges(&self) -> Vec<Edge> {
        let mut edges = Vec::new();
        for ring in self.polygons.iter().flatten() {
            for turn in turns(ring) {
                edges.extend(
                    ring_edges(ring).map(|(a, b)| Edge::new(shifted(a, turn), shifted(b, turn))),
                );
            }
        }
        edges
    }

    fn refuse_bad_nesting(&self, n: usize) -> Result<(), ShapeError> {
        let Some((outer, holes)) = self.polygons[n].split_first() else {
            return Ok(());
        };
        let inside = |ring: &[Corner], around: &[Edge]| {
            ring.iter()
                .any(|&(x, y)| odd_to_the_east(around, Probe::at(wrapped(x), y)))
        };
        let around = |ring: &Vec<Corner>| {
            Self {
                polygons: vec![vec![ring.clone()]],
            }
            .edges()
        };
        let outer_edges = around(outer);
        for (hole, ring) in holes.iter().enumerate() {
            if !inside(ring, &outer_edges) {
                return Err(ShapeError::HoleOutside(RingAt {
                    polygon: n,
                    ring: hole + 1,
                }));
            }
        }
        let whole = Self {
            polygons: vec![self.polygons[n].clone()],
        }
        .edges();
        for (m, other) in self.polygons.iter().enumerate().filter(|&(m, _)| m != n) {
            let Some(other) = other.first() else { continue };
            if other
                .iter()
                .all(|&(x, y)| odd_to_the_east(&whole, Probe::at(wrapped(x), y)))
            {
                return Err(ShapeError::Nested { inner: m, outer: n });
            }
        }
        Ok(())
    }
}

impl TryFrom<Vec<Vec<Vec<[f64; 2]>>>> for Shape {
    type Error = ShapeError;

    fn try_from(polygons: Vec<Vec<Vec<[f64; 2]>>>) -> Result<Self, ShapeError> {
        Self::new(&polygons).map(|(shape, _)| shape)
    }
}

impl From<Shape> for Vec<Vec<Vec<[f64; 2]>>> {
    fn from(shape: Shape) -> Self {
        shape.to_degrees()
    }
}

impl Edge {
    pub(crate) fn new(a: Corner, b: Corner) -> Self {
        let (low, high) = if (a.1, a.0) <= (b.1, b.0) {
            (a, b)
        } else {
            (b, a)
        };
        Self { low, high }
    }

    /// True if the probe is to the left of the edge seen from its low end, or on it.
    pub(crate) fn is_left(&self, p: Probe) -> bool {
        let (dx, dy) = (self.high.0 - self.low.0, self.high.1 - self.low.1);
        i128::from(dx) * i128::from(p.y2 - 2 * self.low.1)
            >= i128::from(dy) * i128::from(p.x2 - 2 * self.low.0)
    }

    /// True if the edge passes the probe's parallel.
    pub(crate) fn spans_parallel(&self, y2: i64) -> bool {
        2 * self.low.1 < y2 && y2 < 2 * self.high.1
    }

    /// True if the edge passes the probe's meridian.
    pub(crate) fn spans_meridian(&self, x2: i64) -> bool {
        (2 * self.low.0 < x2) != (2 * self.high.0 < x2)
    }
}

impl Probe {
    /// From degrees; `None` unless it is a place with a longitude of −360 to 360.
    pub(crate) fn new(lat_deg: f64, lon_deg: f64) -> Option<Self> {
        let good = (-90.0..=90.0).contains(&lat_deg) && (-360.0..=360.0).contains(&lon_deg);
        good.then(|| {
            Self::at(
                wrapped((lon_deg * PER_DEG).floor() as i64),
                (lat_deg * PER_DEG).floor() as i64,
            )
        })
    }

    /// The middle of the square of one unit whose south-western corner is given.
    pub(crate) fn at(x: i64, y: i64) -> Self {
        // The top row has no square above it: its points are asked for half a unit lower.
        Self {
            x2: 2 * x + 1,
            y2: 2 * y.min(POLE - 1) + 1,
        }
    }

    pub(crate) fn lat_deg(self) -> f64 {
        self.y2 as f64 / (2.0 * PER_DEG)
    }

    pub(crate) fn lon_deg(self) -> f64 {
        self.x2 as f64 / (2.0 * PER_DEG)
    }
}

/// Even-odd rule: true if a ray to the east crosses an odd number of edges.
pub(crate) fn odd_to_the_east(edges: &[Edge], p: Probe) -> bool {
    edges
        .iter()
        .filter(|e| e.spans_parallel(p.y2) && e.is_left(p))
        .count()
        % 2
        == 1
}

/// Longitude in units brought into `[-180, 180)` degrees.
fn wrapped(x: i64) -> i64 {
    (x + HALF_TURN).rem_euclid(TURN) - HALF_TURN
}

fn shifted((x, y): Corner, turn: i64) -> Corner {
    (x + turn, y)
}

/// Whole turns that bring a ring into the window of −270 to 270 degrees.
fn turns(ring: &[Corner]) -> impl Iterator<Item = i64> + use<> {
    let west = ring.iter().map(|c| c.0).min().unwrap_or(0);
    let east = ring.iter().map(|c| c.0).max().unwrap_or(0);
    let window = TURN / 4 * 3;
    [-TURN, 0, TURN]
        .into_iter()
        .filter(move |turn| east + turn >= -window && west + turn <= window)
}

fn ring_edges(ring: &[Corner]) -> impl Iterator<Item = (Corner, Corner)> + '_ {
    ring.iter()
        .copied()
        .zip(ring.iter().copied().cycle().skip(1))
}

/// A ring while it is checked.
struct Ring {
    at: RingAt,
    /// Closed implicitly, longitudes continuous, the westernmost in `[-180, 180)` degrees.
    corners: Vec<Corner>,
    /// The vertex of the input behind each corner.
    vertices: Vec<usize>,
}

impl Ring {
    fn read(at: RingAt, positions: &[[f64; 2]], fixes: &mut Vec<Fix>) -> Result<Self, ShapeError> {
        let mut ring = Self {
            at,
            corners: Vec::new(),
            vertices: Vec::new(),
        };
        for (vertex, &[lon_deg, lat_deg]) in positions.iter().enumerate() {
            if !((-360.0..=360.0).contains(&lon_deg) && (-90.0..=90.0).contains(&lat_deg)) {
                return Err(ShapeError::NotAPlace {
                    at,
                    vertex,
                    lon_deg,
                    lat_deg,
                });
            }
            ring.push(
                (
                    (lon_deg * PER_DEG).round() as i64,
                    (lat_deg * PER_DEG).round() as i64,
                ),
                vertex,
            );
        }
        let ends = (ring.corners.first().copied(), ring.corners.last().copied());
        let whole_turn = |(a, b): (Corner, Corner)| a.1 == b.1 && (a.0 - b.0) % TURN == 0;
        if ring.corners.len() > 1 && ends.0 == ends.1 {
            ring.corners.pop();
            ring.vertices.pop();
        } else if !ends.0.zip(ends.1).is_some_and(whole_turn) {
            fixes.push(Fix::Closed(at));
        }
        if ring.corners.len() < 3 {
            return Err(ShapeError::NoArea {
                at,
                corners: ring.corners.len(),
            });
        }
        ring.unroll(fixes)?;
        ring.wind(fixes);
        Ok(ring)
    }

    /// Appends a corner unless it equals the one before.
    fn push(&mut self, corner: Corner, vertex: usize) {
        if self.corners.last() != Some(&corner) {
            self.corners.push(corner);
            self.vertices.push(vertex);
        }
    }

    /// Makes the longitudes continuous, and closes the ring along a pole if it goes round one.
    fn unroll(&mut self, fixes: &mut Vec<Fix>) -> Result<(), ShapeError> {
        let (mut corners, mut round) = unrolled(&self.corners, AlongPole::ShortWay);
        if round != 0 {
            let (as_written, rest) = unrolled(&self.corners, AlongPole::AsWritten);
            if rest == 0 {
                (corners, round) = (as_written, rest);
            }
        }
        if round.abs() > TURN {
            return Err(ShapeError::WindsTwice(self.at));
        }
        if round != 0 {
            let mean_sign: i64 = corners.iter().map(|c| c.1).sum();
            let pole = if mean_sign >= 0 { POLE } else { -POLE };
            let (first, last_vertex) = (corners[0], *self.vertices.last().unwrap_or(&0));
            for corner in [
                (first.0 + round, first.1),
                (first.0 + round, pole),
                (first.0, pole),
            ] {
                if corners.last() != Some(&corner) {
                    corners.push(corner);
                    self.vertices.push(last_vertex);
                }
            }
            if corners.last() == Some(&first) {
                corners.pop();
                self.vertices.pop();
            }
            fixes.push(Fix::ClosedAtPole(self.at));
        }
        let west = corners.iter().map(|c| c.0).min().unwrap_or(0);
        let east = corners.iter().map(|c| c.0).max().unwrap_or(0);
        if east - west > TURN {
            return Err(ShapeError::WindsTwice(self.at));
        }
        let turn = wrapped(west) - west;
        self.corners = corners.into_iter().map(|c| shifted(c, turn)).collect();
        Ok(())
    }

    /// Turns outer rings counter-clockwise and holes clockwise. A ring without area meets itself and is refused later.
    fn wind(&mut self, fixes: &mut Vec<Fix>) {
        let cross = |(a, b): (Corner, Corner)| {
            i128::from(a.0) * i128::from(b.1) - i128::from(b.0) * i128::from(a.1)
        };
        let doubled_area: i128 = ring_edges(&self.corners).map(cross).sum();
        if doubled_area != 0 && (doubled_area > 0) != (self.at.ring == 0) {
            self.corners.reverse();
            self.vertices.reverse();
            fixes.push(Fix::Rewound(self.at));
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum AlongPole {
    ShortWay,
    AsWritten,
}

/// Corners with continuous longitudes, and how far round the closing edge ends from the first corner.
fn unrolled(corners: &[Corner], along_pole: AlongPole) -> (Vec<Corner>, i64) {
    let step = |a: Corner, b: Corner| {
        let literal = b.0 - a.0;
        let at_pole = a.1.abs() == POLE && a.1 == b.1;
        let keep = if at_pole {
            along_pole == AlongPole::AsWritten
        } else {
            literal.abs() == TURN
        };
        if keep || literal.abs() <= HALF_TURN {
            literal
        } else {
            wrapped(literal)
        }
    };
    let mut x = corners[0].0;
    let mut out = vec![corners[0]];
    for edge in corners.windows(2) {
        x += step(edge[0], edge[1]);
        out.push((x, edge[1].1));
    }
    let closing = step(corners[corners.len() - 1], corners[0]);
    (out, x + closing - corners[0].0)
}

/// Finds edges that meet where they must not: rings with themselves anywhere but at neighbouring corners, rings with
/// each other by crossing. Edges are sorted by their southern end, and each is compared with those that begin below its
/// northern end: quick for real outlines, quadratic for the worst, hence [`MOST_POSITIONS`].
fn refuse_crossings(rings: &[Ring]) -> Result<(), ShapeError> {
    struct Item {
        edge: Edge,
        west: i64,
        east: i64,
        ring: usize,
        index: usize,
        turn: i64,
    }
    let mut items = Vec::new();
    for (ring, r) in rings.iter().enumerate() {
        for turn in turns(&r.corners) {
            for (index, (a, b)) in ring_edges(&r.corners).enumerate() {
                let edge = Edge::new(shifted(a, turn), shifted(b, turn));
                let (west, east) = (edge.low.0.min(edge.high.0), edge.low.0.max(edge.high.0));
                items.push(Item {
                    edge,
                    west,
                    east,
                    ring,
                    index,
                    turn,
                });
            }
        }
    }
    items.sort_by_key(|i| (i.edge.low.1, i.ring, i.index, i.turn));
    for (n, a) in items.iter().enumerate() {
        for b in items[n + 1..]
            .iter()
            .take_while(|b| b.edge.low.1 <= a.edge.high.1)
        {
            if b.west > a.east || b.east < a.west {
                continue;
            }
            let (ra, rb) = (&rings[a.ring], &rings[b.ring]);
            if a.ring == b.ring && a.turn == b.turn {
                if meets_itself(ra.corners.len(), (a.index, &a.edge), (b.index, &b.edge)) {
                    return Err(self_intersection(ra, a.index, b.index));
                }
            } else if a.ring != b.ring && crosses(&a.edge, &b.edge) {
                return Err(ShapeError::RingsCross {
                    first: ra.at,
                    first_vertex: ra.vertices[a.index],
                    second: rb.at,
                    second_vertex: rb.vertices[b.index],
                });
            }
        }
    }
    Ok(())
}

fn self_intersection(ring: &Ring, a: usize, b: usize) -> ShapeError {
    let mut pair = [(ring.vertices[a], a), (ring.vertices[b], b)];
    pair.sort_unstable();
    let corner = ring.corners[pair[1].1];
    ShapeError::SelfIntersection {
        at: ring.at,
        first: pair[0].0,
        second: pair[1].0,
        lon_deg: wrapped(corner.0) as f64 / PER_DEG,
        lat_deg: corner.1 as f64 / PER_DEG,
    }
}

/// Sign of the area of the triangle: positive if `c` is to the left of the way from `a` to `b`.
fn turn_of(a: Corner, b: Corner, c: Corner) -> i128 {
    (i128::from(b.0 - a.0) * i128::from(c.1 - a.1) - i128::from(b.1 - a.1) * i128::from(c.0 - a.0))
        .signum()
}

/// True if the edges have exactly one common point and it is an end of neither.
fn crosses(a: &Edge, b: &Edge) -> bool {
    turn_of(a.low, a.high, b.low) * turn_of(a.low, a.high, b.high) < 0
        && turn_of(b.low, b.high, a.low) * turn_of(b.low, b.high, a.high) < 0
}

/// True if two edges of one ring have a point in common other than the corner between neighbours.
fn meets_itself(edges: usize, (i, a): (usize, &Edge), (j, b): (usize, &Edge)) -> bool {
    let on = |e: &Edge, c: Corner| {
        turn_of(e.low, e.high, c) == 0
            && (e.low.1..=e.high.1).contains(&c.1)
            && (e.low.0.min(e.high.0)..=e.low.0.max(e.high.0)).contains(&c.0)
    };
    let touching = || on(a, b.low) || on(a, b.high) || on(b, a.low) || on(b, a.high);
    if (i + 1) % edges != j && (j + 1) % edges != i {
        return crosses(a, b) || touching();
    }
    // Neighbours share one corner; they meet elsewhere only if one folds back over the other.
    let shared = if a.low == b.low || a.low == b.high {
        a.low
    } else {
        a.high
    };
    let other = |e: &Edge| if e.low == shared { e.high } else { e.low };
    on(a, other(b)) || on(b, other(a))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ring(positions: &[[f64; 2]]) -> Result<(Shape, Vec<Fix>), ShapeError> {
        Shape::new(&[vec![positions.to_vec()]])
    }
    const OUTER: RingAt = RingAt {
        polygon: 0,
        ring: 0,
    };

    #[test]
    fn a_ring_of_the_wrong_direction_is_turned_and_said() {
        let (shape, fixes) =
            ring(&[[0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]]).unwrap();
        assert_eq!(fixes, [Fix::Rewound(OUTER)]);
        let (right, fixes) =
            ring(&[[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0], [1.0, 0.0]]).unwrap();
        assert_eq!((shape.contains(0.5, 0.5), fixes), (true, vec![]));
        assert_eq!(shape, right);
    }

    #[test]
    fn errors_name_the_ring_and_the_vertices() {
        let bow = ring(&[[0.0, 0.0], [2.0, 2.0], [2.0, 0.0], [0.0, 2.0], [0.0, 0.0]]).unwrap_err();
        assert!(
            matches!(
                bow,
                ShapeError::SelfIntersection {
                    at: OUTER,
                    first: 0,
                    second: 2,
                    ..
                }
            ),
            "{bow}"
        );
        let text = bow.to_string();
        assert!(text.starts_with("the outer ring of polygon 0 meets itself: the edge from vertex 0 and the edge from vertex 2"));
        let spike = ring(&[[0.0, 0.0], [4.0, 0.0], [2.0, 0.0], [2.0, 3.0]]).unwrap_err();
        assert!(
            matches!(spike, ShapeError::SelfIntersection { .. }),
            "{spike}"
        );
        let touch =
            ring(&[[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [2.0, 0.0], [0.0, 4.0]]).unwrap_err();
        assert!(
            matches!(touch, ShapeError::SelfIntersection { first: 0, .. }),
            "{touch}"
        );
        assert!(matches!(
            ring(&[[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]]),
            Err(ShapeError::NoArea { corners: 2, .. })
        ));
        assert!(matches!(
            ring(&[[0.0, 0.0], [1.0, 1.0], [2.0, 95.0]]),
            Err(ShapeError::NotAPlace { vertex: 2, .. })
        ));
        assert!(matches!(
            ring(&[[0.0, 0.0], [1.0, f64::NAN], [2.0, 5.0]]),
            Err(ShapeError::NotAPlace { vertex: 1, .. })
        ));
        assert!(matches!(Shape::new(&[]), Err(ShapeError::Empty)));
    }

    #[test]
    fn holes_and_polygons_must_lie_where_they_can() {
        let square = |x: f64, y: f64, size: f64| {
            vec![[x, y], [x + size, y], [x + size, y + size], [x, y + size]]
        };
        let outside = Shape::new(&[vec![square(0.0, 0.0, 4.0), square(6.0, 0.0, 1.0)]]);
        assert_eq!(
            outside.unwrap_err(),
            ShapeError::HoleOutside(RingAt {
                polygon: 0,
                ring: 1
            })
        );
        let crossing = Shape::new(&[vec![square(0.0, 0.0, 4.0), square(3.0, 3.0, 4.0)]]);
        assert!(matches!(crossing, Err(ShapeError::RingsCross { .. })));
        let nested = Shape::new(&[vec![square(0.0, 0.0, 4.0)], vec![square(1.0, 1.0, 1.0)]]);
        assert_eq!(
            nested.unwrap_err(),
            ShapeError::Nested { inner: 1, outer: 0 }
        );
        let island = Shape::new(&[
            vec![square(0.0, 0.0, 4.0), square(1.0, 1.0, 2.0)],
            vec![square(1.5, 1.5, 1.0)],
        ]);
        assert!(island.unwrap().0.contains(2.0, 2.0));
        // Cut at the antimeridian as RFC 7946 wants it: two parts that meet along it.
        let (cut, fixes) = Shape::new(&[
            vec![square(178.0, 0.0, 2.0)],
            vec![square(-180.0, 0.0, 2.0)],
        ])
        .unwrap();
        assert_eq!(fixes.len(), 2, "both rings were open: {fixes:?}");
        assert!(
            cut.contains(1.0, 180.0)
                && cut.contains(1.0, -180.0)
                && cut.contains(1.0, 179.0)
                && !cut.contains(1.0, 177.0)
        );
        // The same overlap is found across the antimeridian.
        let overlap = Shape::new(&[
            vec![square(178.0, 0.0, 4.0)],
            vec![square(-179.0, 1.0, 4.0)],
        ]);
        assert!(matches!(overlap, Err(ShapeError::RingsCross { .. })));
    }

    #[test]
    fn poles_are_enclosed_or_not_as_the_ring_says() {
        let (north, fixes) =
            ring(&[[0.0, 80.0], [120.0, 80.0], [-120.0, 80.0], [0.0, 80.0]]).unwrap();
        assert_eq!(fixes, [Fix::ClosedAtPole(OUTER)]);
        assert!(
            north.contains(90.0, 0.0) && north.contains(85.0, -179.9) && !north.contains(79.0, 5.0)
        );
        let (wedge, _) =
            ring(&[[170.0, 80.0], [-170.0, 80.0], [-170.0, 90.0], [170.0, 90.0]]).unwrap();
        assert!(
            wedge.contains(85.0, 180.0)
                && wedge.contains(89.0, -175.0)
                && !wedge.contains(85.0, 0.0)
        );
        let (west, fixes) =
            ring(&[[0.0, -80.0], [-120.0, -80.0], [120.0, -80.0], [0.0, -80.0]]).unwrap();
        assert_eq!(fixes[0], Fix::ClosedAtPole(OUTER));
        assert!(west.contains(-90.0, 33.0) && !west.contains(80.0, 0.0));
        // [0, 400] degrees of longitude: more than once round.
        let spiral = ring(&[
            [-300.0, 0.0],
            [-150.0, 0.0],
            [0.0, 0.0],
            [150.0, 0.0],
            [150.0, 1.0],
            [0.0, 1.0],
            [-150.0, 1.0],
            [-300.0, 1.0],
        ]);
        assert_eq!(spiral.unwrap_err(), ShapeError::WindsTwice(OUTER));
    }

    #[test]
    fn degrees_round_trip() {
        let (shape, _) = ring(&[
            [170.0, -50.0],
            [-170.0, -48.0],
            [-168.1234567, -30.0],
            [172.0, -32.0],
        ])
        .unwrap();
        let text = serde_json::to_string(&shape).unwrap();
        assert_eq!(serde_json::from_str::<Shape>(&text).unwrap(), shape);
        assert!(serde_json::from_str::<Shape>("[[[[0,0],[2,2],[2,0],[0,2]]]]").is_err());
    }

    proptest! {
        /// Written and read again, a shape is the same: corners on a coarse grid, with poles, antimeridian and bands.
        #[test]
        fn any_shape_round_trips(
            ring in prop::collection::vec((-24..=24_i32, -6..=6_i32, -1.0..1.0_f64), 3..8),
            hole in prop::collection::vec((-24..=24_i32, -6..=6_i32, -1.0..1.0_f64), 0..5),
        ) {
            let positions = |r: Vec<(i32, i32, f64)>| -> Vec<[f64; 2]> {
                r.into_iter().map(|(x, y, e)| [f64::from(x) * 15.0, (f64::from(y) * 15.0 + 3.0 * e).clamp(-90.0, 90.0)]).collect()
            };
            let mut rings = vec![positions(ring)];
            if hole.len() > 2 {
                rings.push(positions(hole));
            }
            if let Ok((shape, _)) = Shape::new(&[rings]) {
                let (again, fixes) = Shape::new(&shape.to_degrees()).unwrap();
                prop_assert_eq!(again, shape);
                prop_assert_eq!(fixes, vec![]);
            }
        }
    }
}
