//! SGP4 for one satellite at a time, by the crate `sgp4` (Vallado et al., "Revisiting Spacetrack Report #3", AIAA 2006-6753), with the constants
//! and the mode that published element sets are made with: WGS72, "improved".
//!
//! The crate's own defaults are WGS84, or the AFSPC mode: neither is used. Decay and a negative mean motion, which the
//! crate does not report, are found here.

use crate::elements::{Elements, MU_WGS72_M3_S2};
use crate::frames::Teme;
use core::f64::consts::PI;
use skyweave_base::{Ellipsoid, Span, Time, Vec3};

/// Why SGP4 gives no position. The codes are those of the reference implementation.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum PropagationError {
    /// Mean eccentricity outside −0.001 to 1.
    #[error(
        "SGP4 error 1: mean eccentricity {eccentricity} is out of range, {minutes} min from the epoch of the elements"
    )]
    Eccentricity {
        /// The eccentricity reached.
        eccentricity: f64,
        /// Minutes since epoch.
        minutes: f64,
    },
    /// The mean motion is not above 0.
    #[error(
        "SGP4 error 2: the mean motion is not above 0, {minutes} min from the epoch of the elements"
    )]
    MeanMotion {
        /// Minutes since epoch.
        minutes: f64,
    },
    /// Eccentricity with the Moon's and the Sun's perturbations outside 0 to 1.
    #[error(
        "SGP4 error 3: perturbed eccentricity {eccentricity} is out of range, {minutes} min from the epoch of the elements"
    )]
    PerturbedEccentricity {
        /// The eccentricity reached.
        eccentricity: f64,
        /// Minutes since epoch.
        minutes: f64,
    },
    /// The semi-latus rectum is below 0.
    #[error(
        "SGP4 error 4: the semi-latus rectum is below 0, {minutes} min from the epoch of the elements"
    )]
    SemiLatusRectum {
        /// Minutes since epoch.
        minutes: f64,
    },
    /// The position is less than an Earth radius from the centre.
    #[error("SGP4 error 6: decayed, {minutes} min from the epoch of the elements")]
    Decayed {
        /// Minutes since epoch.
        minutes: f64,
    },
}

impl PropagationError {
    /// The reference implementation's number for it. Number 5 is no longer used there.
    pub fn code(&self) -> u8 {
        match self {
            Self::Eccentricity { .. } => 1,
            Self::MeanMotion { .. } => 2,
            Self::PerturbedEccentricity { .. } => 3,
            Self::SemiLatusRectum { .. } => 4,
            Self::Decayed { .. } => 6,
        }
    }
}

/// SGP4 for one satellite in scalar arithmetic: what [`Sky`](crate::Sky) falls back on, and is checked against.
#[derive(Clone, Debug)]
pub struct Propagator {
    constants: sgp4::Constants,
    epoch: Time,
    fastest_turn_rad_s: f64,
    apogee_m: f64,
}

impl Propagator {
    /// Prepares the propagation of `elements`.
    pub fn new(elements: &Elements) -> Result<Self, PropagationError> {
        let n_rad_min = elements.mean_motion_rev_day * (PI / 720.0);
        let orbit = sgp4::Orbit::from_kozai_elements(
            &sgp4::WGS72,
            elements.inclination_rad,
            elements.raan_rad,
            elements.eccentricity,
            elements.argument_of_perigee_rad,
            elements.mean_anomaly_rad,
            n_rad_min,
        )
        .ok()
        .filter(|orbit| orbit.mean_motion.is_finite())
        .ok_or(PropagationError::MeanMotion { minutes: 0.0 })?;
        // Only the Sun's and the Moon's places at the epoch follow from this. The reference implementation keeps it as one
        // f64 (40 µs steps), and at an eccentricity of 0.97 the rounding alone moves its expected states by 4 mm.
        let (day, fraction) = elements.epoch.julian_date();
        let julian_years = ((day + fraction) - 2_451_545.0) / 365.25;
        let constants = sgp4::Constants::new(
            sgp4::WGS72,
            sgp4::iau_epoch_to_sidereal_time,
            julian_years,
            elements.bstar,
            orbit,
        )
        .map_err(|e| PropagationError::Eccentricity {
            eccentricity: e.0,
            minutes: 0.0,
        })?;
        let n_rad_s = n_rad_min / 60.0;
        let e = elements.eccentricity;
        // Nothing above the ground and bound to the Earth turns faster than at escape speed on the ground: 1.75e-3 rad/s.
        let fastest_rad_s = (2.0 * MU_WGS72_M3_S2 / Ellipsoid::WGS72.semi_major_m.powi(3)).sqrt();
        let semi_major_m = (MU_WGS72_M3_S2 / (n_rad_s * n_rad_s)).cbrt();
        Ok(Self {
            constants,
            epoch: elements.epoch.into(),
            fastest_turn_rad_s: (n_rad_s * ((1.0 + e) / (1.0 - e).powi(3)).sqrt())
                .min(fastest_rad_s),
            apogee_m: semi_major_m * (1.0 + e),
        })
    }

    /// Fastest that the mean orbit turns as seen from the centre of the Earth, rad/s: h / r² at perigee.
    pub(crate) fn fastest_turn_rad_s(&self) -> f64 {
        self.fastest_turn_rad_s
    }

    /// Farthest that the mean orbit goes from the centre of the Earth, m.
    pub(crate) fn apogee_m(&self) -> f64 {
        self.apogee_m
    }

    /// Position and velocity at `t`. The time from the epoch is counted in seconds that pass: a leap second is one of them.
    pub fn teme(&self, t: Time) -> Result<Teme, PropagationError> {
        self.teme_since_epoch(Span::from_nanos(
            t.nanos().saturating_sub(self.epoch.nanos()),
        ))
    }

    /// Position and velocity at a time counted from the epoch of the elements.
    pub fn teme_since_epoch(&self, since: Span) -> Result<Teme, PropagationError> {
        // Whole nanoseconds until here: one Julian date as f64 would be good to 40 µs only.
        let minutes = since.nanos() as f64 / 6e10;
        let state = self
            .constants
            .propagate(sgp4::MinutesSinceEpoch(minutes))
            .map_err(|e| match e {
                sgp4::Error::OutOfRangeEccentricity { eccentricity, t } => {
                    PropagationError::Eccentricity {
                        eccentricity,
                        minutes: t,
                    }
                }
                sgp4::Error::OutOfRangePerturbedEccentricity { eccentricity, t } => {
                    PropagationError::PerturbedEccentricity {
                        eccentricity,
                        minutes: t,
                    }
                }
                sgp4::Error::NegativeSemiLatusRectum { t } => {
                    PropagationError::SemiLatusRectum { minutes: t }
                }
            })?;
        let metres = |[x, y, z]: [f64; 3]| Vec3::new(x, y, z) * 1e3;
        let teme = Teme {
            position_m: metres(state.position),
            velocity_m_s: metres(state.velocity),
        };
        let radius_m = teme.position_m.norm();
        // A mean motion at or below 0 makes the semi-major axis, and so the state, not a number.
        if !(radius_m.is_finite() && teme.velocity_m_s.norm().is_finite()) {
            Err(PropagationError::MeanMotion { minutes })
        } else if radius_m < Ellipsoid::WGS72.semi_major_m {
            Err(PropagationError::Decayed { minutes })
        } else {
            Ok(teme)
        }
    }
}
