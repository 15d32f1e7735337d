//! The Earth's figure: geodetic and Earth-fixed Cartesian positions, local directions, distances on the surface.

use crate::Vec3;
use core::f64::consts::{FRAC_PI_2, TAU};
use serde::{Deserialize, Serialize};

/// Mean radius of the Earth, m: (2a + b)/3 of WGS84 (IUGG R1; Moritz, "Geodetic Reference System 1980", 2000).
pub const MEAN_EARTH_RADIUS_M: f64 = 6_371_008.771_4;

/// An ellipsoid of revolution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ellipsoid {
    /// Semi-major axis, m.
    pub semi_major_m: f64,
    /// Flattening.
    pub flattening: f64,
}

impl Ellipsoid {
    /// WGS 84 (NGA.STND.0036, 2014, table 3.1).
    pub const WGS84: Self = Self {
        semi_major_m: 6_378_137.0,
        flattening: 1.0 / 298.257_223_563,
    };
    /// WGS 72 (DMA TR 8350.2 and Vallado, AIAA 2006-6753, table 1), the figure that goes with SGP4's constants.
    pub const WGS72: Self = Self {
        semi_major_m: 6_378_135.0,
        flattening: 1.0 / 298.26,
    };

    fn e2(self) -> f64 {
        self.flattening * (2.0 - self.flattening)
    }
}

/// A position on an ellipsoid (WGS84 unless said otherwise).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Geodetic {
    /// Geodetic latitude, rad, north positive.
    pub lat_rad: f64,
    /// Longitude, rad, east positive.
    pub lon_rad: f64,
    /// Height above the ellipsoid, m.
    pub height_m: f64,
}

/// Why a latitude and longitude name no place.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GeodeticError {
    /// Latitude outside −90 to 90.
    #[error("latitude {0} is outside -90 to 90 degrees")]
    Latitude(f64),
    /// Longitude outside −180 to 360.
    #[error("longitude {0} is outside -180 to 360 degrees")]
    Longitude(f64),
}

impl Geodetic {
    /// From degrees, on the ellipsoid's surface, with a check of the ranges.
    pub fn from_degrees(lat_deg: f64, lon_deg: f64) -> Result<Self, GeodeticError> {
        if !(-90.0..=90.0).contains(&lat_deg) {
            return Err(GeodeticError::Latitude(lat_deg));
        }
        if !(-180.0..=360.0).contains(&lon_deg) {
            return Err(GeodeticError::Longitude(lon_deg));
        }
        Ok(Self {
            lat_rad: lat_deg.to_radians(),
            lon_rad: lon_deg.to_radians(),
            height_m: 0.0,
        })
    }

    /// Latitude, degrees.
    pub fn lat_deg(self) -> f64 {
        self.lat_rad.to_degrees()
    }

    /// Longitude, degrees.
    pub fn lon_deg(self) -> f64 {
        self.lon_rad.to_degrees()
    }

    /// Earth-fixed position on WGS84.
    pub fn to_ecef(self) -> Ecef {
        self.to_ecef_on(Ellipsoid::WGS84)
    }

    /// Earth-fixed position on the given ellipsoid.
    pub fn to_ecef_on(self, ellipsoid: Ellipsoid) -> Ecef {
        let (sin_lat, cos_lat) = self.lat_rad.sin_cos();
        let (sin_lon, cos_lon) = self.lon_rad.sin_cos();
        let e2 = ellipsoid.e2();
        let n = ellipsoid.semi_major_m / (1.0 - e2 * sin_lat * sin_lat).sqrt();
        let r = (n + self.height_m) * cos_lat;
        Ecef(Vec3::new(
            r * cos_lon,
            r * sin_lon,
            (n * (1.0 - e2) + self.height_m) * sin_lat,
        ))
    }

    /// Unit vector along the outward normal of the ellipsoid: "up" here, Earth-fixed.
    pub fn up(self) -> Vec3 {
        let (sin_lat, cos_lat) = self.lat_rad.sin_cos();
        let (sin_lon, cos_lon) = self.lon_rad.sin_cos();
        Vec3::new(cos_lat * cos_lon, cos_lat * sin_lon, sin_lat)
    }
}

/// An Earth-fixed Cartesian position in metres: x through 0° N 0° E, z through the north pole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ecef(pub Vec3);

impl Ecef {
    /// Geodetic position on WGS84.
    pub fn to_geodetic(self) -> Geodetic {
        self.to_geodetic_on(Ellipsoid::WGS84)
    }

    /// Geodetic position on the given ellipsoid.
    ///
    /// Bowring's start (Survey Review 23, 1976) and then fixed-point steps on the parametric latitude until it is
    /// still; below 1e-9 m from the centre of the Earth to beyond the Moon, and exact at the poles.
    pub fn to_geodetic_on(self, ellipsoid: Ellipsoid) -> Geodetic {
        let Vec3 { x, y, z } = self.0;
        let a = ellipsoid.semi_major_m;
        let e2 = ellipsoid.e2();
        let b = a * (1.0 - ellipsoid.flattening);
        let ep2 = e2 / (1.0 - e2);
        let p = x.hypot(y);
        let lon_rad = if p == 0.0 { 0.0 } else { y.atan2(x) };
        let mut beta = (a * z).atan2(b * p);
        let mut lat = beta;
        for _ in 0..6 {
            let (s, c) = beta.sin_cos();
            lat = (z + ep2 * b * s * s * s).atan2(p - e2 * a * c * c * c);
            let (sl, cl) = lat.sin_cos();
            let next = ((1.0 - ellipsoid.flattening) * sl).atan2(cl);
            if (next - beta).abs() < 1e-16 {
                break;
            }
            beta = next;
        }
        let (s, c) = lat.sin_cos();
        // h = p cos φ + z sin φ − a sqrt(1 − e² sin² φ), well behaved at the poles and at the equator.
        let height_m = p * c + z * s - a * (1.0 - e2 * s * s).sqrt();
        Geodetic {
            lat_rad: lat,
            lon_rad,
            height_m,
        }
    }

    /// Distance to another point, m.
    pub fn distance_m(self, o: Self) -> f64 {
        (self.0 - o.0).norm()
    }
}

/// The local axes of an observer: east, north, up as Earth-fixed unit vectors, and where the observer stands.
#[derive(Clone, Copy, Debug)]
pub struct Enu {
    /// The observer's Earth-fixed position.
    pub origin: Ecef,
    /// Unit vector to the east.
    pub east: Vec3,
    /// Unit vector to the north.
    pub north: Vec3,
    /// Unit vector along the ellipsoid's normal.
    pub up: Vec3,
}

/// Direction and distance of a target as an observer sees it: geometric, without refraction.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LookAngles {
    /// From north over east, rad, in `[0, 2π)`.
    pub azimuth_rad: f64,
    /// Above the plane normal to the ellipsoid's normal, rad; negative below it.
    pub elevation_rad: f64,
    /// Straight distance, m.
    pub range_m: f64,
}

impl Enu {
    /// The local axes at a place on WGS84.
    pub fn at(place: Geodetic) -> Self {
        let (sin_lat, cos_lat) = place.lat_rad.sin_cos();
        let (sin_lon, cos_lon) = place.lon_rad.sin_cos();
        Self {
            origin: place.to_ecef(),
            east: Vec3::new(-sin_lon, cos_lon, 0.0),
            north: Vec3::new(-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat),
            up: place.up(),
        }
    }

    /// Where `target` stands in this observer's sky.
    pub fn look(&self, target: Ecef) -> LookAngles {
        let d = target.0 - self.origin.0;
        let range_m = d.norm();
        let azimuth = d.dot(self.east).atan2(d.dot(self.north));
        LookAngles {
            azimuth_rad: if azimuth < 0.0 {
                azimuth + TAU
            } else {
                azimuth
            },
            elevation_rad: (d.dot(self.up) / range_m).clamp(-1.0, 1.0).asin(),
            range_m,
        }
    }
}

/// Distance along a great circle of the mean sphere, m (haversine). Within 0.6 % of the geodesic: good for fibre lengths.
pub fn great_circle_m(a: Geodetic, b: Geodetic) -> f64 {
    let dlat = (b.lat_rad - a.lat_rad) / 2.0;
    let dlon = (b.lon_rad - a.lon_rad) / 2.0;
    let h = dlat.sin().powi(2) + a.lat_rad.cos() * b.lat_rad.cos() * dlon.sin().powi(2);
    2.0 * MEAN_EARTH_RADIUS_M * h.sqrt().min(1.0).asin().min(FRAC_PI_2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_are_checked() {
        assert_eq!(
            Geodetic::from_degrees(95.0, 0.0),
            Err(GeodeticError::Latitude(95.0))
        );
        assert_eq!(
            Geodetic::from_degrees(0.0, -181.0),
            Err(GeodeticError::Longitude(-181.0))
        );
        assert!(Geodetic::from_degrees(f64::NAN, 0.0).is_err());
    }

    #[test]
    fn poles_and_equator() {
        let b = 6_356_752.314_245;
        let pole = Ecef(Vec3::new(0.0, 0.0, b + 100.0)).to_geodetic();
        assert!((pole.lat_rad - FRAC_PI_2).abs() < 1e-15 && (pole.height_m - 100.0).abs() < 1e-6);
        let equator = Ecef(Vec3::new(-6_378_237.0, 0.0, 0.0)).to_geodetic();
        assert!(equator.lat_rad == 0.0 && (equator.height_m - 100.0).abs() < 1e-6);
        assert!((equator.lon_deg() - 180.0).abs() < 1e-12);
    }

    #[test]
    fn a_quarter_of_the_sphere() {
        let pole = Geodetic::from_degrees(90.0, 0.0).unwrap();
        let equator = Geodetic::from_degrees(0.0, 77.0).unwrap();
        assert!((great_circle_m(pole, equator) - MEAN_EARTH_RADIUS_M * FRAC_PI_2).abs() < 1e-6);
    }

    proptest! {
        /// Below 1e-6 m there and back: a few units in the last place of an Earth radius.
        #[test]
        fn geodetic_round_trips(lat in -90.0..=90.0_f64, lon in -180.0..180.0_f64, height_m in -10_000.0..40_000_000.0_f64) {
            let place = Geodetic { height_m, ..Geodetic::from_degrees(lat, lon).unwrap() };
            let there = place.to_ecef();
            let back = there.to_geodetic();
            prop_assert!(back.to_ecef().distance_m(there) < 1e-6);
            prop_assert!((back.lat_rad - place.lat_rad).abs() < 1e-11);
            prop_assert!((back.height_m - height_m).abs() < 1e-6);
        }

        #[test]
        fn straight_up_is_at_90_degrees(lat in -89.0..89.0_f64, lon in -180.0..180.0_f64) {
            let place = Geodetic::from_degrees(lat, lon).unwrap();
            let above = Geodetic { height_m: 550e3, ..place };
            let look = Enu::at(place).look(above.to_ecef());
            prop_assert!((look.elevation_rad - FRAC_PI_2).abs() < 1e-6);
            prop_assert!((look.range_m - 550e3).abs() < 1e-6);
        }
    }
}
