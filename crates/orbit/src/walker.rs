//! Constellations made of planes: all circular, all at one height and inclination.
//!
//! Satellite p·S + k is the k-th of plane p, for S satellites per plane.

use crate::elements::{Elements, mean_motion_rev_day};
use core::f64::consts::TAU;
use skyweave_base::Utc;

/// How large the orbits are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ShellSize {
    /// Height above 6 378.137 km, m; the mean motion is that of a circle about a point mass (μ of WGS72).
    AltitudeM(f64),
    /// Mean motion as in a TLE, revolutions per day.
    MeanMotionRevDay(f64),
}

/// How the satellites of a plane stand against those of the plane before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Phasing {
    /// Walker's F: each plane is ahead of the one before by F · 360° / T, for T satellites in all
    /// (Walker, J. Brit. Interplanet. Soc. 37, 1984).
    Walker(u32),
    /// Planes 1, 3, 5 ... are ahead by half the distance between two satellites, as in Hypatia (Kassing et al., IMC 2020).
    OddPlanesHalfStep,
}

/// A shell of equal circular orbits.
#[derive(Clone, Debug, PartialEq)]
pub struct WalkerShell {
    /// Names are this, a blank and the satellite's number from 0.
    pub name: String,
    /// Catalogue number of the first satellite; the others follow.
    pub first_catalog_number: u32,
    /// Size of the orbits.
    pub size: ShellSize,
    /// Inclination, rad.
    pub inclination_rad: f64,
    /// Number of planes.
    pub planes: u32,
    /// Satellites in each plane.
    pub satellites_per_plane: u32,
    /// Phase between planes.
    pub phasing: Phasing,
    /// The ascending nodes are spread evenly over this angle, its end left out: 2π for a delta, π for a star.
    pub raan_span_rad: f64,
}

/// Smallest eccentricity of a TLE that is not 0: generated constellations use it, because some propagators divide by it.
const NEARLY_CIRCULAR: f64 = 1e-7;

impl WalkerShell {
    /// The elements of all satellites, plane by plane, without drag. For those that a TLE would hold, see
    /// [`Elements::round_like_tle`].
    pub fn elements(&self, epoch: Utc) -> Vec<Elements> {
        let in_plane = f64::from(self.satellites_per_plane);
        let total = f64::from(self.planes) * in_plane;
        let mean_motion_rev_day = match self.size {
            ShellSize::AltitudeM(altitude_m) => mean_motion_rev_day(altitude_m),
            ShellSize::MeanMotionRevDay(n) => n,
        };
        let one = |index: u32| {
            let (plane, k) = (
                index / self.satellites_per_plane,
                index % self.satellites_per_plane,
            );
            let ahead_turns = match self.phasing {
                Phasing::Walker(f) => f64::from(plane) * f64::from(f) / total,
                Phasing::OddPlanesHalfStep => f64::from(plane % 2) * 0.5 / in_plane,
            };
            Elements {
                name: format!("{} {index}", self.name),
                catalog_number: self.first_catalog_number.saturating_add(index),
                international_designator: String::new(),
                classification: 'U',
                epoch,
                mean_motion_rev_day,
                mean_motion_dot: 0.0,
                mean_motion_ddot: 0.0,
                eccentricity: NEARLY_CIRCULAR,
                inclination_rad: self.inclination_rad,
                raan_rad: self.raan_span_rad * f64::from(plane) / f64::from(self.planes),
                argument_of_perigee_rad: 0.0,
                mean_anomaly_rad: (f64::from(k) / in_plane + ahead_turns).fract() * TAU,
                bstar: 0.0,
                ephemeris_type: 0,
                element_set_number: 0,
                revolution_number: 0,
            }
        };
        (0..self.planes.saturating_mul(self.satellites_per_plane))
            .map(one)
            .collect()
    }
}
