//! Grids in latitude and longitude, and the climate of the world on one.

use crate::problem::{Location, Problems};
use crate::table::{optional, read_csv, required};
use skyweave_base::Geodetic;
use skyweave_radio::itu::{Climate, standard_pressure_hpa, wet_refractivity};

/// What the atmosphere of a place is like, from the built-in grid.
pub fn climate_at(place: Geodetic) -> Climate {
    ClimateGrid::builtin()
        .at(place)
        .expect("the built-in grid covers the world")
}

/// The values of latitude and longitude whose products are the points of a grid.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Grid {
    /// Degrees, ascending.
    lats: Vec<f64>,
    /// Degrees, −180 to 180, ascending.
    lons: Vec<f64>,
    /// Whether the last longitude is the neighbour of the first.
    wraps: bool,
}

impl Grid {
    /// The least grid that has all these points (latitude, longitude).
    pub(crate) fn of(points: impl Iterator<Item = (f64, f64)> + Clone) -> Self {
        let ascending = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values.dedup();
            values
        };
        let lats = ascending(points.clone().map(|p| p.0).collect());
        let lons = ascending(points.map(|p| p.1).collect());
        let step = lons.windows(2).map(|w| w[1] - w[0]).fold(0.0, f64::max);
        let span = lons.last().unwrap_or(&0.0) - lons.first().unwrap_or(&0.0);
        // A gap no wider than the widest inside it, with a thousandth for rounding.
        let wraps = lons.len() > 2 && span < 360.0 && 360.0 - span <= step * 1.001;
        Self { lats, lons, wraps }
    }

    /// Number of points.
    pub(crate) fn len(&self) -> usize {
        self.lats.len().saturating_mul(self.lons.len())
    }

    /// The position of one of its points.
    pub(crate) fn position(&self, (lat, lon): (f64, f64)) -> Option<usize> {
        let find = |values: &[f64], value: f64| values.binary_search_by(|v| v.total_cmp(&value));
        let (i, j) = (find(&self.lats, lat).ok()?, find(&self.lons, lon).ok()?);
        Some(i * self.lons.len() + j)
    }

    /// The point at a position.
    pub(crate) fn point(&self, position: usize) -> (f64, f64) {
        (
            self.lats[position / self.lons.len()],
            self.lons[position % self.lons.len()],
        )
    }

    /// The positions of the four points around a place and their bilinear weights; `None` outside the grid.
    pub(crate) fn around(&self, lat_deg: f64, lon_deg: f64) -> Option<[(usize, f64); 4]> {
        let (i0, i1, north) = between(&self.lats, lat_deg)?;
        let (j0, j1, east) = match between(&self.lons, lon_deg) {
            Some(found) => found,
            None if self.wraps => {
                let (first, last) = (self.lons[0], self.lons[self.lons.len() - 1]);
                let beyond = (lon_deg - last).rem_euclid(360.0);
                (self.lons.len() - 1, 0, beyond / (first + 360.0 - last))
            }
            None => return None,
        };
        let at = |i: usize, j: usize| i * self.lons.len() + j;
        Some([
            (at(i0, j0), (1.0 - north) * (1.0 - east)),
            (at(i0, j1), (1.0 - north) * east),
            (at(i1, j0), north * (1.0 - east)),
            (at(i1, j1), north * east),
        ])
    }

    /// Its bounds in words.
    pub(crate) fn bounds(&self) -> String {
        let ends = |values: &[f64]| match (values.first(), values.last()) {
            (Some(first), Some(last)) => format!("{first} to {last}"),
            _ => "nothing".to_owned(),
        };
        let lons = match self.wraps {
            true => "all".to_owned(),
            false => ends(&self.lons),
        };
        format!("latitude {}, longitude {lons}", ends(&self.lats))
    }
}

/// The two values around `value`, and how far it is from the first to the second.
fn between(values: &[f64], value: f64) -> Option<(usize, usize, f64)> {
    let after = values.partition_point(|v| *v <= value);
    let i = after.checked_sub(1)?;
    match values.get(after) {
        Some(next) => Some((i, after, (value - values[i]) / (next - values[i]))),
        None => (values[i] == value).then_some((i, i, 0.0)),
    }
}

/// The climate of the world, on a grid.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ClimateGrid {
    pub(crate) grid: Grid,
    values: Vec<Option<Normals>>,
}

/// Means and percentiles of a place.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Normals {
    rain_001_mm_h: f64,
    rain_height_km: f64,
    temperature_k: f64,
    /// Median.
    vapour_g_m3: f64,
    liquid_kg_m2: f64,
}

/// More points than the finest maps of ITU-R have (0.125 degrees), with room.
const MOST_POINTS: usize = 10_000_000;

impl ClimateGrid {
    /// The built-in one.
    pub(crate) fn builtin() -> Self {
        Self::parse("climate", crate::files::builtin::CLIMATE.as_bytes())
            .expect("the built-in climate is tested")
    }

    /// Reads a CSV: `lat_deg`, `lon_deg`, `rain_rate_001_mm_h`, `rain_height_km`, `mean_temp_k`, `water_vapour_g_m3_p50` and, if it is
    /// known, `cloud_liquid_kg_m2`.
    pub(crate) fn parse(file: &str, bytes: &[u8]) -> Result<Self, Problems> {
        let columns = [
            required(&["lat_deg"]),
            required(&["lon_deg"]),
            required(&["rain_rate_001_mm_h"]),
            required(&["rain_height_km"]),
            required(&["mean_temp_k"]),
            required(&["water_vapour_g_m3_p50"]),
            optional(&["cloud_liquid_kg_m2"]),
        ];
        let mut rows: Vec<((f64, f64), Normals)> = Vec::new();
        let mut problems = Problems::default();
        read_csv(file, bytes, &columns, &mut problems, |row| {
            let Some(place) = row.place(0, 1) else { return };
            let rain_001_mm_h = row.required_number(2, 0.0..=500.0);
            let rain_height_km = row.required_number(3, 0.0..=20.0);
            let temperature_k = row.required_number(4, 150.0..=350.0);
            // The maps know no vapour at the poles, where there is next to none.
            let vapour_g_m3 = match row.text(5) {
                Some("nan") => Some(0.0),
                _ => row.required_number(5, 0.0..=100.0),
            };
            let liquid_kg_m2 = row.number(6, 0.0..=20.0);
            if let (
                Some(rain_001_mm_h),
                Some(rain_height_km),
                Some(temperature_k),
                Some(vapour_g_m3),
            ) = (rain_001_mm_h, rain_height_km, temperature_k, vapour_g_m3)
            {
                let normals = Normals {
                    rain_001_mm_h,
                    rain_height_km,
                    temperature_k,
                    vapour_g_m3,
                    liquid_kg_m2: liquid_kg_m2.unwrap_or(cloud_liquid_kg_m2(rain_001_mm_h)),
                };
                rows.push((degrees(place), normals));
            }
        });
        let grid = Grid::of(rows.iter().map(|r| r.0));
        let at = Location::file(file);
        if problems.0.is_empty() {
            if rows.is_empty() {
                problems.push(at.error("a climate grid needs at least one point"));
            } else if let Some(wrong) = not_a_grid(&grid, rows.len()) {
                problems.push(at.error(wrong));
            }
        }
        if !problems.0.is_empty() {
            return Err(problems);
        }
        let mut values = vec![None; grid.len()];
        for (point, normals) in rows {
            if let Some(position) = grid.position(point) {
                values[position] = Some(normals);
            }
        }
        Ok(Self { grid, values })
    }

    /// The climate of one of its points, or of the nearest that it has there.
    pub(crate) fn at_point(&self, position: usize) -> Option<Climate> {
        let lat_deg = self.grid.point(position).0;
        self.values[position].map(|normals| normals.climate(lat_deg))
    }

    /// The climate of a place; `None` outside the grid.
    pub(crate) fn at(&self, place: Geodetic) -> Option<Climate> {
        let (lat, lon) = degrees(place);
        let mut sum = [0.0; 5];
        let mut weights = 0.0;
        for (position, weight) in self.grid.around(lat, lon)? {
            let Some(n) = self.values[position] else {
                continue;
            };
            let parts = [
                n.rain_001_mm_h,
                n.rain_height_km,
                n.temperature_k,
                n.vapour_g_m3,
                n.liquid_kg_m2,
            ];
            for (sum, part) in sum.iter_mut().zip(parts) {
                *sum += weight * part;
            }
            weights += weight;
        }
        if weights <= 0.0 {
            return None;
        }
        let [rain, height, temperature, vapour, liquid] = sum.map(|s| s / weights);
        let normals = Normals {
            rain_001_mm_h: rain,
            rain_height_km: height,
            temperature_k: temperature,
            vapour_g_m3: vapour,
            liquid_kg_m2: liquid,
        };
        Some(normals.climate(lat))
    }
}

impl Normals {
    /// As P.618 wants it for events of 1 % of the year and less. Places stand at sea level: the heights of cells are not known, and
    /// the path below the rain height is then longer than it is.
    fn climate(self, lat_deg: f64) -> Climate {
        // Vapour exceeded for 1 % of the year, from its median: fitted at the 30 sites of the slant vectors, within a factor of
        // 0.78 to 1.39.
        let vapour_g_m3 = match self.vapour_g_m3 > 0.0 {
            true => (7.0 * self.vapour_g_m3.powf(0.4)).max(self.vapour_g_m3),
            false => 0.0,
        };
        Climate {
            latitude_rad: lat_deg.to_radians(),
            height_km: 0.0,
            rain_001_mm_h: self.rain_001_mm_h,
            rain_height_km: self.rain_height_km,
            temperature_k: self.temperature_k,
            pressure_hpa: standard_pressure_hpa(0.0),
            vapour_g_m3,
            // P.676-12, annex 2, section 2.3: V = 2.38 ρ.
            vapour_column_kg_m2: 2.38 * vapour_g_m3,
            liquid_kg_m2: self.liquid_kg_m2,
            wet_refractivity: wet_refractivity(self.temperature_k, self.vapour_g_m3),
        }
    }
}

/// Liquid water of clouds exceeded for 1 % of the year, from the rain rate exceeded for 0.01 %: where it rains hard clouds are thick.
/// Fitted at the 30 sites of the slant vectors, within a factor of 0.44 to 1.76.
fn cloud_liquid_kg_m2(rain_001_mm_h: f64) -> f64 {
    0.066 * rain_001_mm_h.powf(0.87)
}

/// Latitude and longitude in degrees, longitude from −180 up to 180, rounded to a millionth so that a grid's values are equal when
/// they are meant to be.
pub(crate) fn degrees(place: Geodetic) -> (f64, f64) {
    let round = |degrees: f64| (degrees * 1e6).round() / 1e6;
    let lon = place.lon_deg();
    let lon = if lon >= 180.0 { lon - 360.0 } else { lon };
    (round(place.lat_deg()), round(lon))
}

/// Why so many points on a grid are none.
pub(crate) fn not_a_grid(grid: &Grid, points: usize) -> Option<String> {
    let size = (grid.lats.len(), grid.lons.len());
    if grid.len() > MOST_POINTS {
        return Some(format!(
            "{} latitudes times {} longitudes are too many points: at most {MOST_POINTS}",
            size.0, size.1
        ));
    }
    (points.saturating_mul(2) < grid.len()).then(|| {
        format!(
            "the points are not on a grid: {points} of them on {} latitudes and {} longitudes",
            size.0, size.1
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(lat: f64, lon: f64) -> Geodetic {
        Geodetic::from_degrees(lat, lon).unwrap()
    }

    #[test]
    fn the_builtin_climate_covers_the_world() {
        let climate = ClimateGrid::builtin();
        for (lat, lon) in [
            (50.45, 30.52),
            (-89.9, 10.0),
            (90.0, 179.9),
            (0.0, -179.0),
            (12.5, 180.0),
        ] {
            let here = climate.at(place(lat, lon)).unwrap();
            assert!((200.0..310.0).contains(&here.temperature_k), "{here:?}");
        }
        // Kyiv by the slant vectors: 28.6 mm/h, rain up to 2.785 km, 281.28 K; the grid of 2.5 degrees comes within 1 %.
        let kyiv = climate.at(place(50.4501, 30.5234)).unwrap();
        for (mine, theirs) in [
            (kyiv.rain_001_mm_h, 28.594),
            (kyiv.rain_height_km, 2.785),
            (kyiv.temperature_k, 281.28),
        ] {
            assert!((mine / theirs - 1.0).abs() < 0.01, "{mine} {theirs}");
        }
    }

    #[test]
    fn a_grid_is_bilinear_inside_and_nothing_outside() {
        let points = [(0.0, 10.0), (0.0, 20.0), (10.0, 10.0), (10.0, 20.0)];
        let grid = Grid::of(points.into_iter());
        let value = |lat, lon| {
            let around = grid.around(lat, lon)?;
            Some(
                around
                    .iter()
                    .map(|&(p, w)| w * (grid.point(p).0 + grid.point(p).1))
                    .sum::<f64>(),
            )
        };
        assert_eq!(value(5.0, 12.5), Some(17.5));
        assert_eq!(value(10.0, 20.0), Some(30.0));
        assert_eq!(value(10.1, 15.0), None);
        assert_eq!(value(5.0, 9.9), None);
        assert!(!grid.wraps);
        let round = Grid::of((0..36).flat_map(|i| {
            [
                (0.0, f64::from(i) * 10.0 - 180.0),
                (1.0, f64::from(i) * 10.0 - 180.0),
            ]
        }));
        let around = round.around(0.5, 175.0).unwrap();
        assert_eq!(
            around
                .iter()
                .map(|a| round.point(a.0).1)
                .collect::<Vec<_>>(),
            [170.0, -180.0, 170.0, -180.0]
        );
        assert!(around.iter().all(|a| a.1 == 0.25));
    }
}
