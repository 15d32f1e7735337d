//! How much the atmosphere takes at a place, as a value small enough to keep for every cell of the world.

use crate::itu::{Climate, SlantAttenuation, SlantPath};

/// Attenuation at a place in one band, over elevation: A(ε) = A(90°) / sin(ε)^slope.
///
/// Gas and clouds have slope 1; rain less, because a shower is not as wide as a layer; scintillation more. Fitted at 60 and 30
/// degrees the law is within 0.25 dB or 6 % of P.618 between 25 and 70 degrees, up to 25 dB (`tests/fade.rs`). Nearer the zenith
/// it is up to 25 % low in the wet tropics, where P.618 has more attenuation at 90 than at 65 degrees.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fade {
    /// Towards the zenith, dB.
    pub zenith_db: f32,
    /// Exponent of the sine of the elevation.
    pub slope: f32,
}

impl Fade {
    /// The steepest slope that a fade has.
    pub const MAX_SLOPE: f32 = 2.0;

    /// No atmosphere.
    pub const NONE: Self = Self {
        zenith_db: 0.0,
        slope: 1.0,
    };

    /// The fade that has these attenuations at 60 and at 30 degrees.
    pub fn through(at_60_deg_db: f64, at_30_deg_db: f64) -> Self {
        if !(at_60_deg_db > 0.0 && at_60_deg_db.is_finite() && at_30_deg_db.is_finite()) {
            return Self::NONE;
        }
        // sin 60° / sin 30° = √3.
        let slope = 2.0 * (at_30_deg_db / at_60_deg_db).ln() / 3.0_f64.ln();
        let slope = slope.clamp(0.0, f64::from(Self::MAX_SLOPE));
        let sin_60_deg = 3.0_f64.sqrt() / 2.0;
        Self {
            zenith_db: (at_60_deg_db * sin_60_deg.powf(slope)) as f32,
            slope: slope as f32,
        }
    }

    /// What `attenuation` says of a path at 60 and of one at 30 degrees.
    pub fn of(path: SlantPath, attenuation: impl Fn(SlantPath) -> SlantAttenuation) -> Self {
        use core::f64::consts::{FRAC_PI_3, FRAC_PI_6};
        let [at_60, at_30] = [FRAC_PI_3, FRAC_PI_6].map(|elevation_rad| {
            attenuation(SlantPath {
                elevation_rad,
                ..path
            })
            .total_db()
        });
        Self::through(at_60, at_30)
    }

    /// Attenuation, dB, at an elevation of that sine. Below the horizon it is as at it: without bound.
    pub fn db(self, sin_elevation: f64) -> f64 {
        let sin_elevation = sin_elevation.max(1e-6);
        let stretch = match self.slope {
            // Gases alone, as under a clear sky.
            1.0 => 1.0 / sin_elevation,
            slope => sin_elevation.powf(-f64::from(slope)),
        };
        f64::from(self.zenith_db) * stretch
    }
}

/// Gases over a place at sea level in the mean global reference atmosphere: 15 °C, 1,013.25 hPa, 7.5 g/m³ (P.835-6).
pub const REFERENCE_CLIMATE: Climate = Climate {
    latitude_rad: 0.0,
    height_km: 0.0,
    rain_001_mm_h: 0.0,
    rain_height_km: 0.0,
    temperature_k: 288.15,
    pressure_hpa: 1013.25,
    vapour_g_m3: 7.5,
    // The column over such air by the relation of P.676-12, annex 2, section 2.3: V = 2.38 ρ.
    vapour_column_kg_m2: 17.85,
    liquid_kg_m2: 0.0,
    wet_refractivity: 0.0,
};
