//! A shape as H3 cells: those wholly inside, and those on the border with the few edges that decide there.
//!
//! Cells are of resolution 5 (mean 253 km²), numbered so that the descendants of any coarser cell are a range. A cell is
//! wholly inside when no edge comes near it; a point in a border cell is decided exactly, by the edges near that cell
//! alone: the parity of crossings on the way to a corner whose side is known. The answer is the same as asking all edges.

use crate::shape::{Edge, Probe, Shape, TURN, odd_to_the_east};
use core::ops::Range;
use h3o::{CellIndex, LatLng, Resolution};
use rayon::prelude::*;

/// Resolution of the index.
pub(crate) const RESOLUTION: Resolution = Resolution::Five;
const DEPTH: u32 = 5;
/// How many cell numbers there are. Those of the missing children of pentagons are never used.
pub(crate) const CELLS: usize = 122 * 7_usize.pow(DEPTH);

/// Number of the cell that holds a point.
pub(crate) fn cell_of(probe: Probe) -> u32 {
    // The latitude of a probe is in range by construction; longitudes are finite.
    LatLng::new(probe.lat_deg(), probe.lon_deg())
        .map_or(0, |at| number(at.to_cell(RESOLUTION)).start)
}

/// The numbers of a cell's descendants of resolution 5.
pub(crate) fn number(cell: CellIndex) -> Range<u32> {
    // H3 index bits: base cell in 45..52, then three bits for each resolution (h3geo.org, "Index representations").
    let bits = u64::from(cell);
    let resolution = u32::from(u8::from(cell.resolution())).min(DEPTH);
    let base = (bits >> 45 & 0x7f) as u32;
    let digits = (1..=resolution).fold(base, |n, r| n * 7 + (bits >> (45 - 3 * r) & 7) as u32);
    let width = 7_u32.pow(DEPTH - resolution);
    digits * width..(digits + 1) * width
}

/// The cells that a shape touches, ascending.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cover {
    pub(crate) pieces: Vec<Piece>,
    edges: Vec<Edge>,
}

/// A range of cells and what is known of them.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) cells: Range<u32>,
    /// `None` if the cells are wholly inside.
    border: Option<Border>,
}

#[derive(Clone, Debug)]
struct Border {
    /// The south-western corner of a box around the cell.
    corner: Probe,
    inside: bool,
    edges: Range<u32>,
}

impl Cover {
    pub(crate) fn of(shape: &Shape) -> Self {
        let all = shape.edges();
        let parts: Vec<Self> = CellIndex::base_cells()
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|base| {
                let mut cover = Self::default();
                let bounds = Bounds::around(base, None);
                let inside = odd_to_the_east(&all, bounds.corner());
                cover.descend(base, &bounds, inside, &all);
                cover
            })
            .collect();
        parts.into_iter().fold(Self::default(), Self::joined)
    }

    /// True if the probe, which lies in the cells of this piece, is inside the shape.
    pub(crate) fn contains(&self, piece: usize, probe: Probe) -> bool {
        let Some(border) = &self.pieces[piece].border else {
            return true;
        };
        let mut p = probe;
        if p.x2 < border.corner.x2 {
            p.x2 += 2 * TURN;
        }
        let edges = &self.edges[border.edges.start as usize..border.edges.end as usize];
        border.inside != odd_between(edges, p, border.corner)
    }

    /// True if every point of the piece's cells is inside.
    pub(crate) fn is_whole(&self, piece: usize) -> bool {
        self.pieces[piece].border.is_none()
    }

    fn descend(&mut self, cell: CellIndex, bounds: &Bounds, inside: bool, near: &[Edge]) {
        let edges: Vec<Edge> = near.iter().copied().filter(|e| bounds.touches(e)).collect();
        let cells = number(cell);
        if edges.is_empty() {
            if inside {
                self.push(Piece {
                    cells,
                    border: None,
                });
            }
            return;
        }
        let Some(finer) = cell.resolution().succ().filter(|&r| r <= RESOLUTION) else {
            let start = self.edges.len() as u32;
            self.edges.extend(&edges);
            let range = start..self.edges.len() as u32;
            self.push(Piece {
                cells,
                border: Some(Border {
                    corner: bounds.corner(),
                    inside,
                    edges: range,
                }),
            });
            return;
        };
        for child in cell.children(finer) {
            let child_bounds = Bounds::around(child, Some(bounds));
            let corner = child_bounds.corner();
            self.descend(
                child,
                &child_bounds,
                inside != odd_between(&edges, corner, bounds.corner()),
                &edges,
            );
        }
    }

    fn push(&mut self, piece: Piece) {
        match self.pieces.last_mut() {
            Some(last)
                if last.border.is_none()
                    && piece.border.is_none()
                    && last.cells.end == piece.cells.start =>
            {
                last.cells.end = piece.cells.end;
            }
            _ => self.pieces.push(piece),
        }
    }

    fn joined(mut self, other: Self) -> Self {
        let shift = self.edges.len() as u32;
        self.edges.extend(other.edges);
        for mut piece in other.pieces {
            if let Some(border) = &mut piece.border {
                border.edges = border.edges.start + shift..border.edges.end + shift;
            }
            self.push(piece);
        }
        self
    }
}

/// True if the way from `a` along its parallel and then along `b`'s meridian crosses an odd number of edges.
fn odd_between(edges: &[Edge], a: Probe, b: Probe) -> bool {
    let knee = Probe { x2: b.x2, y2: a.y2 };
    let crossed = |e: &Edge| {
        let first = e.spans_parallel(a.y2) && e.is_left(a) != e.is_left(knee);
        let second = e.spans_meridian(b.x2) && e.is_left(knee) != e.is_left(b);
        first != second
    };
    edges.iter().filter(|e| crossed(e)).count() % 2 == 1
}

/// A box of latitudes and longitudes around a cell and all its descendants, in half units, all odd.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    west: i64,
    south: i64,
    east: i64,
    north: i64,
    /// The box of a cell near a pole: all longitudes.
    polar: bool,
}

impl Bounds {
    /// Half units per degree.
    const PER_DEG: f64 = 2e7;

    /// In the frame of the parent's box: the same longitude may be written in several ways.
    fn around(cell: CellIndex, parent: Option<&Self>) -> Self {
        let centre = LatLng::from(cell);
        let (lat, lon) = (centre.lat(), centre.lng());
        let reach = reach_deg(cell.resolution());
        let odd = |deg: f64| (deg * Self::PER_DEG).floor() as i64 | 1;
        let (south, north) = (odd(lat - reach) - 2, odd(lat + reach) + 2);
        if lat.abs() + reach >= 89.99 {
            let window = (1.5 * TURN as f64) as i64 | 1;
            return Self {
                west: -window,
                south,
                east: window,
                north,
                polar: true,
            };
        }
        // A circle of radius r around latitude φ spans asin(sin r / cos φ) of longitude to each side.
        let span = (reach.to_radians().sin() / lat.to_radians().cos())
            .min(1.0)
            .asin()
            .to_degrees();
        let (mut west, mut east) = (odd(lon - span) - 2, odd(lon + span) + 2);
        let least = parent.filter(|p| !p.polar).map_or(-TURN, |p| p.west);
        if west < least {
            (west, east) = (west + 2 * TURN, east + 2 * TURN);
        }
        Self {
            west,
            south,
            east,
            north,
            polar: false,
        }
    }

    fn corner(&self) -> Probe {
        // Every probe has a longitude of −180 degrees or more; the corner must be to the west of all that come here.
        let x2 = if self.polar { -TURN - 1 } else { self.west };
        Probe { x2, y2: self.south }
    }

    /// False only if the edge is wholly outside the box.
    fn touches(&self, e: &Edge) -> bool {
        let (x0, x1) = (2 * e.low.0.min(e.high.0), 2 * e.low.0.max(e.high.0));
        if x1 < self.west || x0 > self.east || 2 * e.high.1 < self.south || 2 * e.low.1 > self.north
        {
            return false;
        }
        let left = |x2, y2| e.is_left(Probe { x2, y2 });
        let first = left(self.west, self.south);
        let corners = [
            (self.east, self.south),
            (self.east, self.north),
            (self.west, self.north),
        ];
        corners.into_iter().any(|(x2, y2)| left(x2, y2) != first)
    }
}

/// A bound on how far from a cell's centre any point of it or of its descendants stands, degrees: also of their own
/// circles, so that boxes nest. Edges of resolution 0 cells are 1281 km long on average (h3geo.org, "Tables of cell
/// statistics") and each resolution is smaller by √7; descendants reach 1.06 times as far as the cell's corners do, and
/// the icosahedron's faces distort by up to a quarter. A test measures all of it.
fn reach_deg(resolution: Resolution) -> f64 {
    const AVERAGE_EDGE_KM: f64 = 1281.256;
    const KM_PER_DEG: f64 = 111.195;
    AVERAGE_EDGE_KM * 1.4 / KM_PER_DEG / 7.0_f64.sqrt().powi(i32::from(u8::from(resolution)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A cell's circle holds its corners, and its children's circles: then every box holds what it stands for. All cells
    /// down to resolution 4, and of resolution 5 those that are the first of their parents or its last.
    #[test]
    fn circles_nest() {
        let mut tightest = 1.0_f64;
        for resolution in [
            Resolution::Zero,
            Resolution::One,
            Resolution::Two,
            Resolution::Three,
            Resolution::Four,
        ] {
            let finer = resolution.succ().unwrap();
            let (reach, child_reach) = (reach_deg(resolution), reach_deg(finer));
            for cell in CellIndex::base_cells().flat_map(|b| b.children(resolution)) {
                let centre = LatLng::from(cell);
                let corners = cell
                    .boundary()
                    .iter()
                    .map(|&v| v.distance_rads(centre).to_degrees())
                    .fold(0.0, f64::max);
                assert!(corners < reach, "{cell} of {resolution}: {corners} {reach}");
                for child in cell.children(finer) {
                    let far = LatLng::from(child).distance_rads(centre).to_degrees() + child_reach;
                    assert!(far < reach, "{child} in {cell}: {far} {reach}");
                    tightest = tightest.min((reach - far) / reach);
                }
            }
        }
        assert!(tightest < 0.3, "the bound is wasteful: {tightest}");
        for cell in CellIndex::base_cells()
            .flat_map(|b| b.children(Resolution::Five))
            .step_by(13)
        {
            let centre = LatLng::from(cell);
            let reach = reach_deg(Resolution::Five);
            assert!(
                cell.boundary()
                    .iter()
                    .all(|&v| v.distance_rads(centre).to_degrees() < reach)
            );
        }
    }

    #[test]
    fn numbers_of_descendants_are_a_range() {
        for cell in CellIndex::base_cells()
            .flat_map(|b| b.children(Resolution::Two))
            .step_by(31)
        {
            let range = number(cell);
            for child in cell.children(Resolution::Five) {
                let n = number(child);
                assert!(range.contains(&n.start) && n.end == n.start + 1);
            }
        }
    }

    /// Shapes of every unpleasant kind, as outer rings.
    fn shapes() -> Vec<(&'static str, Shape)> {
        let ring = |r: &[[f64; 2]]| Shape::new(&[vec![r.to_vec()]]).unwrap().0;
        let hole = Shape::new(&[vec![
            vec![[20.0, 44.0], [41.0, 45.0], [40.0, 53.0], [21.0, 52.0]],
            vec![[28.0, 48.0], [28.5, 50.5], [33.0, 50.0]],
        ]]);
        vec![
            ("hole", hole.unwrap().0),
            (
                "antimeridian",
                ring(&[
                    [170.0, -50.0],
                    [-170.0, -48.0],
                    [-168.0, -30.0],
                    [172.0, -32.0],
                ]),
            ),
            (
                "north pole",
                ring(&[[0.0, 80.0], [90.0, 75.0], [180.0, 85.0], [-90.0, 78.0]]),
            ),
            (
                "south pole",
                ring(&[[0.0, -60.0], [-100.0, -75.0], [140.0, -85.0]]),
            ),
            (
                "band",
                ring(&[[-180.0, 10.0], [180.0, 10.0], [180.0, 20.0], [-180.0, 20.0]]),
            ),
            (
                "cap as written",
                ring(&[
                    [-180.0, -60.0],
                    [180.0, -62.0],
                    [180.0, -90.0],
                    [-180.0, -90.0],
                ]),
            ),
            (
                "small",
                ring(&[[30.5, 50.4], [30.51, 50.4], [30.505, 50.41]]),
            ),
        ]
    }

    /// Angle swept around the point, in the plane of longitude and latitude and around the pole: an independent method.
    fn winds_around(rings: &[Vec<[f64; 2]>], lat: f64, lon: f64) -> bool {
        let inside = |ring: &Vec<[f64; 2]>, shift: f64| {
            let angle: f64 = ring
                .windows(2)
                .map(|e| {
                    let v = |p: [f64; 2]| (p[0] - lon - shift, p[1] - lat);
                    let ((ax, ay), (bx, by)) = (v(e[0]), v(e[1]));
                    (ax * by - ay * bx).atan2(ax * bx + ay * by)
                })
                .sum();
            angle.abs() > 1.0
        };
        let any = |ring| [-360.0, 0.0, 360.0].iter().any(|&s| inside(ring, s));
        any(&rings[0]) && !rings[1..].iter().any(any)
    }

    #[test]
    fn cover_equals_winding_numbers_everywhere() {
        let mut rng = skyweave_base::Seed::root(5).child("points", 0).rng();
        for (name, shape) in shapes() {
            let cover = Cover::of(&shape);
            let degrees = shape.to_degrees();
            let mut inside = 0;
            let corners: Vec<[f64; 2]> = degrees.iter().flatten().flatten().copied().collect();
            for n in 0..20_000 {
                let uniform = (
                    rng.next_f64() * 180.0 - 90.0,
                    rng.next_f64() * 360.0 - 180.0,
                );
                // Half of the points near the corners, where it is difficult.
                let near = corners[n % corners.len()];
                let spread = 10_f64.powf(rng.next_f64() * 5.0 - 4.0);
                let close = (
                    near[1] + (rng.next_f64() - 0.5) * spread,
                    near[0] + (rng.next_f64() - 0.5) * spread,
                );
                let (lat, lon) = if n % 2 == 0 { uniform } else { close };
                let Some(probe) = Probe::new(lat, lon) else {
                    continue;
                };
                let expected = winds_around(&degrees[0], probe.lat_deg(), probe.lon_deg());
                assert_eq!(has(&cover, probe), expected, "{name} {lat} {lon}");
                assert_eq!(shape.contains(lat, lon), expected, "{name} {lat} {lon}");
                inside += usize::from(expected);
            }
            assert!(inside > 100, "{name}: {inside}");
        }
    }

    /// The outlines of all countries and a precise one, against winding numbers.
    #[test]
    fn real_outlines_equal_winding_numbers() {
        let files = [
            include_str!("../../../data/boundaries/ukraine_adm0.geojson"),
            include_str!("../../../data/boundaries/countries_50m.geojson"),
        ];
        let mut rng = skyweave_base::Seed::root(6).child("points", 0).rng();
        let (mut refused, mut asked, mut inside) = (Vec::new(), 0, 0);
        for (name, polygons) in files.iter().flat_map(|text| features(text)) {
            let shape = match Shape::new(&polygons) {
                Ok((shape, _)) => shape,
                Err(error) => {
                    refused.push(format!("{name}: {error}"));
                    continue;
                }
            };
            let cover = Cover::of(&shape);
            let degrees = shape.to_degrees();
            let corners: Vec<[f64; 2]> = degrees.iter().flatten().flatten().copied().collect();
            for n in 0..60 {
                let near = corners[(n * 7919) % corners.len()];
                let spread = 10_f64.powf(rng.next_f64() * 4.0 - 3.0);
                let (lat, lon) = (
                    near[1] + (rng.next_f64() - 0.5) * spread,
                    near[0] + (rng.next_f64() - 0.5) * spread,
                );
                let Some(probe) = Probe::new(lat, lon) else {
                    continue;
                };
                let (lat, lon) = (probe.lat_deg(), probe.lon_deg());
                let expected = degrees.iter().any(|rings| winds_around(rings, lat, lon));
                assert_eq!(has(&cover, probe), expected, "{name} {lat} {lon}");
                (asked, inside) = (asked + 1, inside + u32::from(expected));
            }
        }
        assert!(asked > 14_000 && inside > asked / 5, "{inside} of {asked}");
        assert!(refused.is_empty(), "{refused:#?}");
    }

    type Polygons = Vec<Vec<Vec<[f64; 2]>>>;

    fn features(text: &str) -> Vec<(String, Polygons)> {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        let read = |f: &serde_json::Value| {
            let coordinates = f["geometry"]["coordinates"].clone();
            let polygons = match f["geometry"]["type"].as_str() {
                Some("MultiPolygon") => serde_json::from_value(coordinates).unwrap(),
                _ => vec![serde_json::from_value(coordinates).unwrap()],
            };
            (f["properties"]["name"].to_string(), polygons)
        };
        value["features"]
            .as_array()
            .unwrap()
            .iter()
            .map(read)
            .collect()
    }

    fn has(cover: &Cover, probe: Probe) -> bool {
        let cell = cell_of(probe);
        let piece = cover.pieces.partition_point(|p| p.cells.end <= cell);
        cover
            .pieces
            .get(piece)
            .is_some_and(|p| p.cells.contains(&cell))
            && cover.contains(piece, probe)
    }

    proptest! {
        /// Two neighbours share a border of random corners: each point is in exactly one of the two, also on the border.
        #[test]
        fn neighbours_share_no_point(lats in prop::collection::vec(-0.9..0.9_f64, 1..8), at in 0.0..1.0_f64, n in 0_usize..9) {
            let mut border = vec![[0.0, -1.0]];
            let mut lats = lats;
            lats.sort_by(f64::total_cmp);
            border.extend(lats.iter().enumerate().map(|(i, &lat)| [if i % 2 == 0 { 0.3 } else { -0.3 }, lat]));
            border.push([0.0, 1.0]);
            let west: Vec<_> = border.iter().copied().chain([[-1.0, 1.0], [-1.0, -1.0]]).collect();
            let east: Vec<_> = border.iter().rev().copied().chain([[1.0, -1.0], [1.0, 1.0]]).collect();
            let (west, east) = (Shape::new(&[vec![west]]), Shape::new(&[vec![east]]));
            // Corners that fall on one another after rounding are refused; nothing to test then.
            prop_assume!(west.is_ok() && east.is_ok());
            let e = &border[n.min(border.len() - 2)..][..2];
            let (lon, lat) = (e[0][0] + at * (e[1][0] - e[0][0]), e[0][1] + at * (e[1][1] - e[0][1]));
            let (west, east) = (west.unwrap().0, east.unwrap().0);
            prop_assume!(lat < 0.999_999);
            prop_assert!(west.contains(lat, lon) != east.contains(lat, lon), "{} {}", lat, lon);
        }
    }
}
