//! From the frame of SGP4 to the Earth: TEME, by sidereal time, to the pseudo Earth-fixed frame PEF, by polar motion to ITRF.
//!
//! Follows Vallado et al., AIAA 2006-6753, appendix C: PEF = R3(GMST82(UT1)) TEME, ITRF = W PEF, with W of IERS
//! Conventions (2010), 5.4.1 and s' = 0. The terms of the equation of the equinoxes that some codes add to GMST
//! (below 0.003 arcseconds, 0.1 m) are not added, as in that appendix.

use core::f64::consts::TAU;
use skyweave_base::{Ecef, Time, Utc, Vec3};

/// Rate of the Earth's rotation against the mean equinox, rad/s (Vallado et al., AIAA 2006-6753, appendix C).
pub const EARTH_ROTATION_RAD_S: f64 = 7.292_115_146_706_98e-5;

/// Position and velocity in SGP4's own frame: true equator and mean equinox of date.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Teme {
    /// Position, m.
    pub position_m: Vec3,
    /// Velocity, m/s.
    pub velocity_m_s: Vec3,
}

/// Position and velocity as the turning Earth sees them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EarthFixed {
    /// Position.
    pub position: Ecef,
    /// Velocity against the Earth's surface, m/s.
    pub velocity_m_s: Vec3,
}

/// How the Earth stands against the uniform clock and against its own axis at one instant (IERS Bulletins A and B);
/// [`EarthOrientationTable`](crate::EarthOrientationTable) has it for many.
///
/// The default is zero for all. What that costs in position: UT1 − UTC is kept within 0.9 s, 460 m at 550 km over the
/// equator (in January 2026 it was 0.072 s, 36 m); polar motion is up to 12 m in 2026 and 20 m at most.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EarthOrientation {
    /// UT1 − UTC, s.
    pub ut1_minus_utc_s: f64,
    /// Polar motion x, rad.
    pub polar_x_rad: f64,
    /// Polar motion y, rad.
    pub polar_y_rad: f64,
}

/// Greenwich mean sidereal time of 1982 at `t`, rad in `[0, 2π)` (Aoki et al., Astron. Astrophys. 105, 1982, eq. 14).
///
/// `GMST = 24110.54841 s + 8640184.812866 s T + 0.093104 s T² − 6.2e-6 s T³ + UT1`, with T in Julian centuries of UT1 from
/// 2000-01-01T12:00. The day and its fraction are kept apart, so that the result is good to 1e-12 rad.
pub fn gmst82_rad(t: Time, ut1_minus_utc_s: f64) -> f64 {
    const DAY_S: f64 = 86_400.0;
    let (day, fraction) = Utc::from(t).julian_date();
    let fraction = fraction + ut1_minus_utc_s / DAY_S;
    let c = (day - 2_451_545.0 + fraction) / 36_525.0;
    let slow_s = 24_110.548_41 + (8_640_184.812_866 + (0.093_104 - 6.2e-6 * c) * c) * c;
    ((slow_s / DAY_S).rem_euclid(1.0) + fraction).rem_euclid(1.0) * TAU
}

/// The turn from TEME to the Earth-fixed frame at one instant: made once, used for all satellites.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    sin_gmst: f64,
    cos_gmst: f64,
    sin_xp: f64,
    cos_xp: f64,
    sin_yp: f64,
    cos_yp: f64,
}

impl Rotation {
    /// The turn at `t`.
    pub fn at(t: Time, orientation: EarthOrientation) -> Self {
        let (sin_gmst, cos_gmst) = gmst82_rad(t, orientation.ut1_minus_utc_s).sin_cos();
        let (sin_xp, cos_xp) = orientation.polar_x_rad.sin_cos();
        let (sin_yp, cos_yp) = orientation.polar_y_rad.sin_cos();
        Self {
            sin_gmst,
            cos_gmst,
            sin_xp,
            cos_xp,
            sin_yp,
            cos_yp,
        }
    }

    /// Earth-fixed position.
    pub fn ecef(&self, teme: &Teme) -> Ecef {
        Ecef(self.polar(self.pef(teme.position_m)))
    }

    /// Earth-fixed position and velocity: v_ITRF = W (R3 v_TEME − ω × r_PEF).
    pub fn earth_fixed(&self, teme: &Teme) -> EarthFixed {
        let pef_m = self.pef(teme.position_m);
        let turning = Vec3::new(0.0, 0.0, EARTH_ROTATION_RAD_S).cross(pef_m);
        EarthFixed {
            position: Ecef(self.polar(pef_m)),
            velocity_m_s: self.polar(self.pef(teme.velocity_m_s) - turning),
        }
    }

    fn pef(&self, v: Vec3) -> Vec3 {
        let (s, c) = (self.sin_gmst, self.cos_gmst);
        Vec3::new(c * v.x + s * v.y, c * v.y - s * v.x, v.z)
    }

    /// W = R1(−y_p) R2(−x_p).
    fn polar(&self, v: Vec3) -> Vec3 {
        let x = self.cos_xp * v.x + self.sin_xp * v.z;
        let z = self.cos_xp * v.z - self.sin_xp * v.x;
        Vec3::new(
            x,
            self.cos_yp * v.y - self.sin_yp * z,
            self.sin_yp * v.y + self.cos_yp * z,
        )
    }
}

/// Rate at which the distance between an observer at rest on the Earth and a satellite grows, m/s.
pub fn range_rate_m_s(observer: Ecef, satellite: &EarthFixed) -> f64 {
    let d = satellite.position.0 - observer.0;
    d.dot(satellite.velocity_m_s) / d.norm()
}
