//! Areas on the ground: polygons from GeoJSON, and the H3 cells whose centre is inside.
//!
//! A polygon is what its corners say in the plane of longitude and latitude, as RFC 7946 has it (section 3.1.6, and 3.1.9
//! for areas across the antimeridian, which must come in two parts). Even-odd rule over all rings, so holes need no care.

use crate::problem::Location;
use crate::{Problem, Problems};
use geojson::{GeoJson, GeometryValue};
use h3o::{CellIndex, LatLng, Resolution};
use rayon::prelude::*;

/// Polygons, ready for many questions.
#[derive(Debug, PartialEq)]
pub(crate) struct Polygons {
    /// Edges that cross each band of latitude of [`BAND_DEG`], from −90 degrees up.
    bands: Vec<Vec<Edge>>,
    /// Least and greatest latitude and longitude, degrees.
    bounds: [f64; 4],
}

/// (longitude, latitude) of both ends, degrees.
type Edge = [(f64, f64); 2];

const BAND_DEG: f64 = 0.25;
const BANDS: usize = (180.0 / BAND_DEG) as usize + 1;
/// A bound for memory: an edge is kept in every band that it crosses.
const MOST_EDGES: usize = 5_000_000;

impl Polygons {
    /// Reads every polygon of a GeoJSON text; features of other kinds are an error.
    pub(crate) fn parse(file: &str, bytes: &[u8]) -> Result<Self, Problems> {
        let at = Location::file(file);
        let text = core::str::from_utf8(bytes).map_err(|_| at.error("is not UTF-8 text"))?;
        let geojson: GeoJson = text
            .parse()
            .map_err(|e: geojson::Error| at.error(format!("not GeoJSON: {e}")))?;
        let mut polygons = Self::none();
        let mut problems = Problems::default();
        let mut kept = 0;
        let mut add = |value: &GeometryValue, field: String| {
            if let Err(problem) = polygons.add(value, &at.clone().with_field(&field), &mut kept) {
                problems.push(problem);
            }
        };
        match &geojson {
            GeoJson::Geometry(geometry) => add(&geometry.value, "geometry".to_owned()),
            GeoJson::Feature(feature) => {
                if let Some(geometry) = &feature.geometry {
                    add(&geometry.value, "geometry".to_owned());
                }
            }
            GeoJson::FeatureCollection(collection) => {
                for (i, feature) in collection.features.iter().enumerate() {
                    if let Some(geometry) = &feature.geometry {
                        add(&geometry.value, format!("features[{i}].geometry"));
                    }
                }
            }
        }
        if problems.0.is_empty() && polygons.bounds[0] > polygons.bounds[1] {
            problems.push(at.error("holds no polygon"));
        }
        if problems.0.is_empty() {
            Ok(polygons)
        } else {
            Err(problems)
        }
    }

    /// No polygon yet.
    pub(crate) fn none() -> Self {
        Self {
            bands: vec![Vec::new(); BANDS],
            bounds: [
                f64::INFINITY,
                f64::NEG_INFINITY,
                f64::INFINITY,
                f64::NEG_INFINITY,
            ],
        }
    }

    /// Adds the polygons of a geometry; `kept` counts over all areas of a file.
    pub(crate) fn add(
        &mut self,
        value: &GeometryValue,
        at: &Location,
        kept: &mut usize,
    ) -> Result<(), Problem> {
        match value {
            GeometryValue::Polygon { coordinates } => {
                for ring in coordinates {
                    self.add_ring(ring.iter().map(|p| p.as_slice()), at, kept)?;
                }
                Ok(())
            }
            GeometryValue::MultiPolygon { coordinates } => {
                for ring in coordinates.iter().flatten() {
                    self.add_ring(ring.iter().map(|p| p.as_slice()), at, kept)?;
                }
                Ok(())
            }
            GeometryValue::GeometryCollection { geometries } => geometries
                .iter()
                .try_for_each(|g| self.add(&g.value, at, kept)),
            _ => Err(at.error("expected polygons, found another kind of geometry")),
        }
    }

    fn add_ring<'a>(
        &mut self,
        ring: impl Iterator<Item = &'a [f64]>,
        at: &Location,
        kept: &mut usize,
    ) -> Result<(), Problem> {
        let mut corners = Vec::new();
        for position in ring {
            let &[lon, lat, ..] = position else {
                return Err(at.error("a position has fewer than two numbers"));
            };
            if !(-90.0..=90.0).contains(&lat) || !(-180.0..=180.0).contains(&lon) {
                return Err(at.error(format!(
                    "the position [{lon}, {lat}] is outside longitude -180 to 180, latitude -90 to 90"
                )));
            }
            self.bounds = [
                self.bounds[0].min(lat),
                self.bounds[1].max(lat),
                self.bounds[2].min(lon),
                self.bounds[3].max(lon),
            ];
            corners.push((lon, lat));
        }
        if corners.len() < 4 {
            return Err(at.error(format!(
                "a ring has {} positions: expected four or more, the last equal to the first",
                corners.len()
            )));
        }
        for edge in corners.windows(2) {
            let (a, b) = (edge[0], edge[1]);
            let (low, high) = (band(a.1.min(b.1)), band(a.1.max(b.1)));
            *kept += high - low + 1;
            if *kept > MOST_EDGES {
                return Err(at.error("the polygons have too many corners to be used"));
            }
            self.bands[low..=high]
                .iter_mut()
                .for_each(|band| band.push([a, b]));
        }
        Ok(())
    }

    /// True if the point is inside: a ray to the east crosses an odd number of edges.
    pub(crate) fn contains(&self, lat_deg: f64, lon_deg: f64) -> bool {
        let crossed = self.bands[band(lat_deg)]
            .iter()
            .filter(|[(x0, y0), (x1, y1)]| {
                // Half-open in latitude, so that a corner on the ray counts once.
                (*y0 > lat_deg) != (*y1 > lat_deg)
                    && lon_deg < x0 + (lat_deg - y0) / (y1 - y0) * (x1 - x0)
            });
        crossed.count() % 2 == 1
    }

    /// Resolution 5 cells whose centre is inside, ascending.
    pub(crate) fn cells(&self) -> Vec<CellIndex> {
        let mut found: Vec<CellIndex> = CellIndex::base_cells()
            .flat_map(|base| base.children(Resolution::One))
            .collect::<Vec<_>>()
            .into_par_iter()
            .flat_map_iter(|cell| {
                let mut inside = Vec::new();
                self.descend(cell, &mut inside);
                inside
            })
            .collect();
        found.sort_unstable();
        found
    }

    fn descend(&self, cell: CellIndex, inside: &mut Vec<CellIndex>) {
        let centre = LatLng::from(cell);
        if cell.resolution() == Resolution::Five {
            if self.contains(centre.lat(), centre.lng()) {
                inside.push(cell);
            }
            return;
        }
        if self.may_touch(centre, reach_deg(cell.resolution())) {
            for child in cell.children(cell.resolution().succ().unwrap_or(Resolution::Five)) {
                self.descend(child, inside);
            }
        }
    }

    /// False only if no point within `reach_deg` of the centre is inside the bounds.
    fn may_touch(&self, centre: LatLng, reach_deg: f64) -> bool {
        let [south, north, west, east] = self.bounds;
        let (lat, lon) = (centre.lat(), centre.lng());
        if lat + reach_deg < south || lat - reach_deg > north {
            return false;
        }
        let widest = (lat.abs() + reach_deg).min(90.0).to_radians();
        // A circle of radius r around latitude φ spans at most asin(sin r / cos φ) of longitude; near a pole, all of it.
        let span = (reach_deg.to_radians().sin() / widest.cos().max(1e-9)).min(1.0);
        if span >= 1.0 {
            return true;
        }
        let span = span.asin().to_degrees();
        [-360.0, 0.0, 360.0]
            .iter()
            .any(|turn| lon + turn + span >= west && lon + turn - span <= east)
    }
}

fn band(lat_deg: f64) -> usize {
    (((lat_deg + 90.0) / BAND_DEG) as usize).min(BANDS - 1)
}

/// A bound on how far from a cell's centre the centres of its descendants stand, degrees. Resolution 1 cells have edges
/// of 480 km on average (h3geo.org, table of cell statistics), at most 20 % longer with the distortion of the icosahedron's faces;
/// children reach beyond their parent by under a tenth of it, and each resolution is smaller by √7.
fn reach_deg(resolution: Resolution) -> f64 {
    let edge_km = 483.0 * 1.25 * 1.15 / 7.0_f64.sqrt().powi(i32::from(u8::from(resolution)) - 1);
    edge_km / 111.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(west: f64, south: f64, east: f64, north: f64) -> String {
        format!(
            "[[[{west},{south}],[{east},{south}],[{east},{north}],[{west},{north}],[{west},{south}]]]"
        )
    }

    fn polygon(rings: &str) -> Polygons {
        let text = format!(r#"{{"type":"Polygon","coordinates":{rings}}}"#);
        Polygons::parse("x.geojson", text.as_bytes()).unwrap()
    }

    #[test]
    fn a_hole_is_outside() {
        let with_hole = "[[[0,0],[10,0],[10,10],[0,10],[0,0]],[[4,4],[6,4],[6,6],[4,6],[4,4]]]";
        let area = polygon(with_hole);
        assert!(area.contains(2.0, 2.0) && area.contains(4.5, 8.0));
        assert!(!area.contains(5.0, 5.0) && !area.contains(11.0, 5.0) && !area.contains(5.0, -1.0));
    }

    /// The descent must leave no cell out: compared with asking every resolution 5 cell near the area, at mid-latitude,
    /// across a pentagon, at the antimeridian and at a pole.
    #[test]
    fn descent_finds_exactly_the_cells_inside() {
        for (west, south, east, north) in [
            (22.0, 44.0, 41.0, 53.0),
            (-20.0, 60.0, 40.0, 75.0),
            (170.0, -50.0, 180.0, -30.0),
            (-180.0, 86.0, 180.0, 90.0),
        ] {
            let area = polygon(&square(west, south, east, north));
            let found = area.cells();
            let all = CellIndex::base_cells().flat_map(|base| base.children(Resolution::Five));
            let expected: Vec<_> = all
                .filter(|&cell| {
                    let c = LatLng::from(cell);
                    (south..north).contains(&c.lat()) && (west..east).contains(&c.lng())
                })
                .collect();
            assert_eq!(found.len(), expected.len(), "{west} {south} {east} {north}");
            assert!(found.iter().eq(expected.iter()));
        }
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for (text, reason) in [
            ("", "not GeoJSON"),
            (
                "{\"type\":\"Point\",\"coordinates\":[1,2]}",
                "expected polygons",
            ),
            (
                "{\"type\":\"FeatureCollection\",\"features\":[]}",
                "no polygon",
            ),
            (
                "{\"type\":\"Polygon\",\"coordinates\":[[[0,95],[1,1],[2,2],[0,95]]]}",
                "[0, 95] is outside",
            ),
            (
                "{\"type\":\"Polygon\",\"coordinates\":[[[0,5],[1,1],[0,5]]]}",
                "a ring has 3 positions",
            ),
        ] {
            let problems = Polygons::parse("x.geojson", text.as_bytes()).unwrap_err();
            assert!(problems.to_string().contains(reason), "{text}: {problems}");
        }
    }
}
