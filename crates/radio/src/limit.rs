//! When two ends may talk, asked millions of times for fixed points of the ground.

use crate::LinkLimit;
use crate::gso::GsoZone;
use crate::rates::Sight;
use fearless_simd::{Simd, f64x8, prelude::*};
use skyweave_base::{Ecef, Ellipsoid, Geodetic, Vec3};

/// What a link limit says of a satellite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The link is allowed.
    Allowed,
    /// The satellite is too low or too far.
    OutOfReach,
    /// The satellite is high enough and stands too near the GSO arc.
    NearGsoArc,
}

/// Where a satellite stands, seen from a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Sine of the elevation above the ellipsoid's horizon.
    pub sin_elevation: f64,
    /// Sine of the topocentric declination: of the angle from the plane of the equator.
    pub sin_declination: f64,
}

/// Where eight satellites stand, seen from a place, and what the limit says of each: one bit for each lane.
#[derive(Clone, Copy, Debug)]
pub struct Standings<S: Simd> {
    /// [`Standing::sin_elevation`].
    pub sin_elevation: f64x8<S>,
    /// [`Standing::sin_declination`].
    pub sin_declination: f64x8<S>,
    /// [`Verdict::Allowed`].
    pub allowed: u8,
    /// [`Verdict::NearGsoArc`].
    pub near_gso_arc: u8,
}

/// A link limit at one place of the ground, with everything computed that does not depend on the satellite.
#[derive(Clone, Copy, Debug)]
pub struct PointLimit {
    origin: Vec3,
    up: Vec3,
    /// Least sine of the elevation; below −1: no mask.
    min_sin_elevation: f64,
    max_range2_m2: f64,
    gso: Option<GsoZone>,
}

impl LinkLimit {
    /// This limit at a place.
    pub fn at(&self, place: Geodetic) -> PointLimit {
        self.at_on(place, Ellipsoid::WGS84)
    }

    /// This limit at a place of another ellipsoid, to compare with software that uses one. The GSO arc stays that of WGS84: the
    /// ellipsoids are metres apart.
    pub fn at_on(&self, place: Geodetic, ellipsoid: Ellipsoid) -> PointLimit {
        let (origin, up) = (place.to_ecef_on(ellipsoid).0, place.up());
        let free = PointLimit {
            origin,
            up,
            min_sin_elevation: -2.0,
            max_range2_m2: f64::INFINITY,
            gso: None,
        };
        match *self {
            Self::Elevation {
                min_elevation_rad,
                gso_exclusion_rad,
            } => PointLimit {
                min_sin_elevation: min_elevation_rad.sin(),
                gso: GsoZone::new(origin, up, gso_exclusion_rad),
                ..free
            },
            Self::Range { max_range_m } => PointLimit {
                max_range2_m2: max_range_m * max_range_m,
                ..free
            },
        }
    }

    /// The same limit with another least elevation, as some gateway sites have; a range limit stays as it is.
    pub fn with_min_elevation(self, min_elevation_rad: f64) -> Self {
        match self {
            Self::Elevation {
                gso_exclusion_rad, ..
            } => Self::Elevation {
                min_elevation_rad,
                gso_exclusion_rad,
            },
            Self::Range { .. } => self,
        }
    }

    /// The least elevation that this limit allows, for an index that looks for candidates by elevation; −π/2 for a range limit.
    pub fn min_elevation_rad(&self) -> f64 {
        match *self {
            Self::Elevation {
                min_elevation_rad, ..
            } => min_elevation_rad,
            Self::Range { .. } => -core::f64::consts::FRAC_PI_2,
        }
    }
}

impl PointLimit {
    /// What the limit says of a satellite.
    pub fn judge(&self, satellite: Ecef) -> Verdict {
        self.sight(satellite).0
    }

    /// What the limit says of a satellite, and where it stands.
    pub fn sight(&self, satellite: Ecef) -> (Verdict, Standing) {
        let d = satellite.0 - self.origin;
        let range2 = d.dot(d);
        let direction = d * (1.0 / range2.sqrt());
        let sin_elevation = direction.dot(self.up);
        let verdict = if range2 > self.max_range2_m2 || sin_elevation < self.min_sin_elevation {
            Verdict::OutOfReach
        } else {
            match &self.gso {
                Some(zone) if zone.holds(direction) => Verdict::NearGsoArc,
                _ => Verdict::Allowed,
            }
        };
        let standing = Standing {
            sin_elevation,
            sin_declination: direction.z,
        };
        (verdict, standing)
    }

    /// What [`PointLimit::sight`] says of eight satellites, given by their components: to the last bit, on every processor.
    #[inline(always)]
    pub fn sights<S: Simd>(&self, simd: S, [x, y, z]: [f64x8<S>; 3]) -> Standings<S> {
        let (origin, up) = (self.origin, self.up);
        let (x, y, z) = (x - origin.x, y - origin.y, z - origin.z);
        let range2 = x * x + y * y + z * z;
        let scale = f64x8::splat(simd, 1.0) / range2.sqrt();
        let (x, y, z) = (x * scale, y * scale, z * scale);
        let sin_elevation = x * up.x + y * up.y + z * up.z;
        let out_of_reach = range2.simd_gt(f64x8::splat(simd, self.max_range2_m2))
            | sin_elevation.simd_lt(f64x8::splat(simd, self.min_sin_elevation));
        let in_reach = !out_of_reach.to_bitmask() as u8;
        let mut near = 0;
        if let Some(zone) = &self.gso {
            let unsure;
            (near, unsure) = zone.short_cuts(simd, [x, y, z]);
            let mut unsure = unsure & in_reach;
            if unsure != 0 {
                let (x, y, z): ([f64; 8], [f64; 8], [f64; 8]) = (x.into(), y.into(), z.into());
                while unsure != 0 {
                    let i = unsure.trailing_zeros() as usize;
                    unsure &= unsure - 1;
                    near |= u8::from(zone.holds_by_search(Vec3::new(x[i], y[i], z[i]))) << i;
                }
            }
        }
        Standings {
            sin_elevation,
            sin_declination: z,
            allowed: in_reach & !near,
            near_gso_arc: in_reach & near,
        }
    }

    /// How a satellite stands to the place.
    pub fn look(&self, satellite: Ecef) -> Sight {
        Sight::new(Ecef(self.origin), self.up, satellite)
    }

    /// The place itself.
    pub fn origin(&self) -> Ecef {
        Ecef(self.origin)
    }

    /// Sines of the declinations outside which the GSO arc is no matter; `None` where it is none anywhere.
    pub fn gso_band(&self) -> Option<(f64, f64)> {
        self.gso.as_ref().map(GsoZone::band)
    }

    /// Straight distance, m.
    pub fn range_m(&self, satellite: Ecef) -> f64 {
        (satellite.0 - self.origin).norm()
    }

    /// Whether the link is allowed.
    pub fn allows(&self, satellite: Ecef) -> bool {
        self.judge(satellite) == Verdict::Allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GsoArc;
    use fearless_simd::{Level, dispatch};
    use proptest::prelude::*;
    use skyweave_base::Enu;

    proptest! {
        /// The short cuts agree with elevation, range and separation computed one by one. Cases within 1e-9 of a limit
        /// are left out: there rounding decides.
        #[test]
        fn verdicts_follow_from_angles(
            lat in -90.0..=90.0_f64, dlat in -15.0..15.0_f64, dlon in -25.0..25.0_f64,
            min_elevation in 5.0..45.0_f64, exclusion in 0.0..30.0_f64,
        ) {
            let place = Geodetic::from_degrees(lat, 20.0).unwrap();
            let under = Geodetic::from_degrees((lat + dlat).clamp(-90.0, 90.0), 20.0 + dlon).unwrap();
            let satellite = Geodetic { height_m: 550e3, ..under }.to_ecef();
            let look = Enu::at(place).look(satellite);
            let separation = GsoArc::seen_from(place).separation_rad(satellite);
            let (min_elevation_rad, gso_exclusion_rad) = (min_elevation.to_radians(), exclusion.to_radians());
            prop_assume!((look.elevation_rad - min_elevation_rad).abs() > 1e-9);
            prop_assume!((separation - gso_exclusion_rad).abs() > 1e-7);
            let expected = if look.elevation_rad < min_elevation_rad {
                Verdict::OutOfReach
            } else if separation < gso_exclusion_rad {
                Verdict::NearGsoArc
            } else {
                Verdict::Allowed
            };
            let limit = LinkLimit::Elevation { min_elevation_rad, gso_exclusion_rad };
            prop_assert_eq!(limit.at(place).judge(satellite), expected);
            let range = LinkLimit::Range { max_range_m: 1_000e3 };
            prop_assert_eq!(range.at(place).allows(satellite), look.range_m <= 1_000e3);
        }
    }

    proptest! {
        #[test]
        fn many_at_once_are_seen_as_one_by_one(
            lat in -90.0..=90.0_f64, exclusion_rad in 0.0..0.4_f64,
            at in proptest::collection::vec((-15.0..15.0_f64, -25.0..25.0_f64), 8),
        ) {
            let place = Geodetic::from_degrees(lat, 20.0).unwrap();
            let satellites: Vec<Ecef> = at
                .iter()
                .map(|(dlat, dlon)| {
                    let lat = (lat + dlat).clamp(-90.0, 90.0);
                    let under = Geodetic::from_degrees(lat, 20.0 + dlon).unwrap();
                    Geodetic { height_m: 550e3, ..under }.to_ecef()
                })
                .collect();
            let axis = |of: fn(&Vec3) -> f64| -> [f64; 8] {
                core::array::from_fn(|i| of(&satellites[i].0))
            };
            let axes = [axis(|v| v.x), axis(|v| v.y), axis(|v| v.z)];
            for limit in [
                LinkLimit::Elevation { min_elevation_rad: 0.4, gso_exclusion_rad: exclusion_rad },
                LinkLimit::Range { max_range_m: 1_000e3 },
            ] {
                let limit = limit.at(place);
                type Found = ([f64; 8], [f64; 8], u8, u8);
                let (sin_elevation, sin_declination, allowed, near): Found =
                    dispatch!(Level::new(), simd => {
                        let lanes = axes.map(|axis| f64x8::from_slice(simd, &axis));
                        let many = limit.sights(simd, lanes);
                        (many.sin_elevation.into(), many.sin_declination.into(), many.allowed, many.near_gso_arc)
                    });
                for (i, &satellite) in satellites.iter().enumerate() {
                    let (verdict, stands) = limit.sight(satellite);
                    prop_assert_eq!(allowed >> i & 1 == 1, verdict == Verdict::Allowed);
                    prop_assert_eq!(near >> i & 1 == 1, verdict == Verdict::NearGsoArc);
                    prop_assert_eq!(sin_elevation[i], stands.sin_elevation);
                    prop_assert_eq!(sin_declination[i], stands.sin_declination);
                }
            }
        }
    }

    #[test]
    fn a_site_may_have_its_own_mask() {
        let limit = LinkLimit::Elevation {
            min_elevation_rad: 0.4,
            gso_exclusion_rad: 0.3,
        };
        let own = LinkLimit::Elevation {
            min_elevation_rad: 0.1,
            gso_exclusion_rad: 0.3,
        };
        assert_eq!(limit.with_min_elevation(0.1), own);
        assert_eq!(own.min_elevation_rad(), 0.1);
        let range = LinkLimit::Range { max_range_m: 1.0 };
        assert_eq!(range.with_min_elevation(0.1), range);
    }
}
