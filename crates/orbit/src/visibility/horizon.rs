//! The least elevation in each direction: trees, roofs and hills around an antenna.

use core::f64::consts::{FRAC_PI_2, TAU};
use skyweave_base::LookAngles;

/// Least elevation as a function of azimuth, linear between given directions and once round.
#[derive(Clone, Debug, PartialEq)]
pub struct HorizonMask {
    /// Azimuth and elevation, rad, by azimuth; never empty.
    corners: Vec<(f64, f64)>,
    least_rad: f64,
}

/// Why pairs of azimuth and elevation are no mask. `corner` counts from 0.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum HorizonMaskError {
    /// No pairs.
    #[error("a mask by azimuth has at least one pair of azimuth and elevation")]
    Empty,
    /// An azimuth outside `[0, 2π)`, or not a number.
    #[error("pair {corner}: azimuth {azimuth_rad} rad is not from 0 to below 2π")]
    Azimuth {
        /// Which pair.
        corner: usize,
        /// Its azimuth.
        azimuth_rad: f64,
    },
    /// An elevation outside `[-π/2, π/2]`, or not a number.
    #[error("pair {corner}: elevation {elevation_rad} rad is not from -π/2 to π/2")]
    Elevation {
        /// Which pair.
        corner: usize,
        /// Its elevation.
        elevation_rad: f64,
    },
    /// An azimuth below the one before, or a third time the same.
    #[error("pair {corner}: azimuths ascend, and two pairs at most, a step, share one")]
    Order {
        /// Which pair.
        corner: usize,
    },
}

impl HorizonMask {
    /// A mask through pairs of azimuth (from north over east) and elevation, rad, by ascending azimuth. Between two pairs,
    /// and from the last round to the first, the elevation is linear in azimuth. Two pairs with the same azimuth make a
    /// step, to which the second belongs. One pair is the same elevation all round.
    ///
    /// # Errors
    /// See [`HorizonMaskError`].
    pub fn new(corners: &[(f64, f64)]) -> Result<Self, HorizonMaskError> {
        if corners.is_empty() {
            return Err(HorizonMaskError::Empty);
        }
        for (corner, &(azimuth_rad, elevation_rad)) in corners.iter().enumerate() {
            if !(0.0..TAU).contains(&azimuth_rad) {
                return Err(HorizonMaskError::Azimuth {
                    corner,
                    azimuth_rad,
                });
            }
            if !(-FRAC_PI_2..=FRAC_PI_2).contains(&elevation_rad) {
                return Err(HorizonMaskError::Elevation {
                    corner,
                    elevation_rad,
                });
            }
            let is_third = corner >= 2 && corners[corner - 2].0 == azimuth_rad;
            if is_third || corner >= 1 && azimuth_rad < corners[corner - 1].0 {
                return Err(HorizonMaskError::Order { corner });
            }
        }
        Ok(Self {
            corners: corners.to_vec(),
            least_rad: corners.iter().map(|c| c.1).fold(f64::INFINITY, f64::min),
        })
    }

    /// The least elevation towards `azimuth_rad`, which is in `[0, 2π)`.
    pub fn at(&self, azimuth_rad: f64) -> f64 {
        let after = self.corners.partition_point(|c| c.0 <= azimuth_rad);
        let count = self.corners.len();
        let (from, to) = (
            self.corners[(after + count - 1) % count],
            self.corners[after % count],
        );
        let width = (to.0 - from.0).rem_euclid(TAU);
        if width == 0.0 {
            return from.1;
        }
        from.1 + (to.1 - from.1) * ((azimuth_rad - from.0).rem_euclid(TAU) / width)
    }

    /// The least elevation in any direction, rad.
    pub fn least_rad(&self) -> f64 {
        self.least_rad
    }

    /// Whether what is seen there is at or above the mask.
    pub fn admits(&self, look: &LookAngles) -> bool {
        look.elevation_rad >= self.at(look.azimuth_rad)
    }
}

/// The same least elevation, rad, all round.
impl From<f64> for HorizonMask {
    fn from(min_elevation_rad: f64) -> Self {
        Self {
            corners: vec![(0.0, min_elevation_rad)],
            least_rad: min_elevation_rad,
        }
    }
}
