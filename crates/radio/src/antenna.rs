//! Antennas: gain towards where they look, and beside it.

use core::f64::consts::PI;
use skyweave_base::SPEED_OF_LIGHT_M_S;

/// An antenna of a round or equivalent aperture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Antenna {
    /// Diameter, m.
    pub diameter_m: f64,
    /// Aperture efficiency.
    pub efficiency: f64,
    /// How it follows a satellite.
    pub steering: Steering,
}

/// How an antenna follows a satellite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Steering {
    /// It turns, and loses nothing.
    Dish,
    /// A phased array that lies flat, looking at the zenith: its gain falls as cosⁿ of the angle from the zenith. The projected
    /// aperture alone gives n = 1; element patterns and their coupling add to it (Mailloux, Phased Array Antenna Handbook, 3rd
    /// ed., section 1.2; Balanis, Antenna Theory, 4th ed., section 6.10).
    FlatArray {
        /// n.
        scan_exponent: f64,
    },
}

impl Antenna {
    /// Gain along the axis, dBi: η (πD/λ)².
    pub fn gain_dbi(&self, frequency_hz: f64) -> f64 {
        let size = PI * self.diameter_m * frequency_hz / SPEED_OF_LIGHT_M_S;
        10.0 * (self.efficiency * size * size).log10()
    }

    /// What steering costs, dB, at an elevation of that sine.
    pub fn scan_loss_db(&self, sin_elevation: f64) -> f64 {
        match self.steering {
            Steering::Dish => 0.0,
            Steering::FlatArray { scan_exponent } => {
                -10.0 * scan_exponent * sin_elevation.clamp(1e-6, 1.0).log10()
            }
        }
    }

    /// Gain so far off the axis, dBi: the main lobe of Recommendation ITU-R F.699-8 (January 2018), recommends 2.1, and beside it the
    /// reference pattern of Recommendation ITU-R S.465-6 (January 2010): 32 − 25 lg φ, and −10 dBi beyond 48 degrees.
    pub fn gain_beside_dbi(&self, frequency_hz: f64, off_axis_rad: f64) -> f64 {
        let phi_deg = off_axis_rad.abs().to_degrees();
        let size = self.diameter_m * frequency_hz / SPEED_OF_LIGHT_M_S;
        let main_lobe = self.gain_dbi(frequency_hz) - 2.5e-3 * (size * phi_deg).powi(2);
        let beside = if phi_deg < 48.0 {
            32.0 - 25.0 * phi_deg.max(0.1).log10()
        } else {
            -10.0
        };
        // Where the main lobe has fallen below the side lobes they are what is there.
        main_lobe.max(beside.min(self.gain_dbi(frequency_hz)))
    }
}

/// Gain of a satellite's beam off its axis against that along it, dB: the pattern of Recommendation ITU-R S.1528 (2001), recommends 1.3,
/// for low orbits: main lobe to 1.5 half widths, first side lobes −6.75 dB, then falling with 25 lg to 0 dBi.
pub fn satellite_pattern_db(off_axis_rad: f64, half_width_rad: f64, peak_dbi: f64) -> f64 {
    /// Main lobe and near side lobes meet here (for L_S = −6.75 dB).
    const EDGE: f64 = 1.5;
    let x = off_axis_rad.abs() / half_width_rad;
    let pattern = if x <= EDGE {
        -3.0 * x * x
    } else {
        -6.75 - 25.0 * (x / EDGE).log10()
    };
    pattern.max(-peak_dbi)
}

/// Peak gain, dBi, of a round beam of that half width at −3 dB: that of a uniformly lit aperture, whose whole width is 58.4° λ/D
/// (Balanis, Antenna Theory, 4th ed., table 12.2).
pub fn beam_peak_dbi(half_width_rad: f64) -> f64 {
    let size = 58.4 / (2.0 * half_width_rad.to_degrees());
    20.0 * (PI * size).log10()
}
