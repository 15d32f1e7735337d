//! Rain: P.838-3 per kilometre, P.839-4 how high, P.618-13 on a path.

use core::f64::consts::PI;

/// Coefficients (k, α) of the specific attenuation γ = k R^α, dB/km for R in mm/h. P.838-3, equations 2 to 5; 1 to 1,000 GHz.
///
/// `tilt_rad` is the angle of the polarisation from the horizontal; π/4 for circular polarisation.
pub fn specific_rain_attenuation(
    frequency_ghz: f64,
    elevation_rad: f64,
    tilt_rad: f64,
) -> (f64, f64) {
    /// Tables 1 to 4: (a, b, c) of each term, then m and c.
    type Curve = (&'static [[f64; 3]], f64, f64);
    const K_HORIZONTAL: Curve = (
        &[
            [-5.33980, -0.10008, 1.13098],
            [-0.35351, 1.26970, 0.45400],
            [-0.23789, 0.86036, 0.15354],
            [-0.94158, 0.64552, 0.16817],
        ],
        -0.18961,
        0.71147,
    );
    const K_VERTICAL: Curve = (
        &[
            [-3.80595, 0.56934, 0.81061],
            [-3.44965, -0.22911, 0.51059],
            [-0.39902, 0.73042, 0.11899],
            [0.50167, 1.07319, 0.27195],
        ],
        -0.16398,
        0.63297,
    );
    const ALPHA_HORIZONTAL: Curve = (
        &[
            [-0.14318, 1.82442, -0.55187],
            [0.29591, 0.77564, 0.19822],
            [0.32177, 0.63773, 0.13164],
            [-5.37610, -0.96230, 1.47828],
            [16.1721, -3.29980, 3.43990],
        ],
        0.67849,
        -1.95537,
    );
    const ALPHA_VERTICAL: Curve = (
        &[
            [-0.07771, 2.33840, -0.76284],
            [0.56727, 0.95545, 0.54039],
            [-0.20238, 1.14520, 0.26809],
            [-48.2991, 0.791669, 0.116226],
            [48.5833, 0.791459, 0.116479],
        ],
        -0.053739,
        0.83433,
    );
    let lg_f = frequency_ghz.log10();
    let curve = |(terms, m, c): Curve| {
        let bells: f64 = terms
            .iter()
            .map(|&[a, b, c]| a * (-((lg_f - b) / c).powi(2)).exp())
            .sum();
        bells + m * lg_f + c
    };
    let k = (
        10_f64.powf(curve(K_HORIZONTAL)),
        10_f64.powf(curve(K_VERTICAL)),
    );
    let alpha = (curve(ALPHA_HORIZONTAL), curve(ALPHA_VERTICAL));
    // Equations 4 and 5.
    let turn = elevation_rad.cos().powi(2) * (2.0 * tilt_rad).cos();
    let mixed = (k.0 + k.1 + (k.0 - k.1) * turn) / 2.0;
    let products = (k.0 * alpha.0, k.1 * alpha.1);
    (
        mixed,
        (products.0 + products.1 + (products.0 - products.1) * turn) / (2.0 * mixed),
    )
}

/// Mean height of rain above sea level from that of the 0 °C isotherm. P.839-4, equation 1.
pub fn rain_height_km(isotherm_km: f64) -> f64 {
    isotherm_km + 0.36
}

/// A path to space through rain. P.618-13, section 2.2.1.1: up to 55 GHz.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RainPath {
    /// Frequency.
    pub frequency_ghz: f64,
    /// Elevation.
    pub elevation_rad: f64,
    /// Angle of the polarisation from the horizontal; π/4 for circular polarisation.
    pub tilt_rad: f64,
    /// Latitude of the station.
    pub latitude_rad: f64,
    /// Height of the station above sea level.
    pub height_km: f64,
    /// Height up to which it rains, above sea level.
    pub rain_height_km: f64,
}

impl RainPath {
    /// Length of the path below the rain height, km. Equation 1 (5 degrees and more) and 2.
    pub fn slant_length_km(&self) -> f64 {
        /// Effective radius of the Earth, km.
        const RADIUS_KM: f64 = 8500.0;
        let rise_km = self.rain_height_km - self.height_km;
        let sin = self.elevation_rad.sin();
        if rise_km <= 0.0 {
            0.0
        } else if self.elevation_rad >= 5.0_f64.to_radians() {
            rise_km / sin
        } else {
            2.0 * rise_km / ((sin * sin + 2.0 * rise_km / RADIUS_KM).sqrt() + sin)
        }
    }

    /// Attenuation, dB, exceeded for 0.01 % of the year where that rain rate is. Steps 2 to 9.
    ///
    /// With the rain of a moment in place of the rate exceeded for 0.01 % it is the attenuation of that moment: the reduction
    /// factors then say how large a shower of that intensity is.
    pub fn attenuation_001_db(&self, rain_mm_h: f64) -> f64 {
        let slant_km = self.slant_length_km();
        if slant_km <= 0.0 || rain_mm_h <= 0.0 {
            return 0.0;
        }
        let (f, elevation) = (self.frequency_ghz, self.elevation_rad);
        let (k, alpha) = specific_rain_attenuation(f, elevation, self.tilt_rad);
        let specific = k * rain_mm_h.powf(alpha);
        // Steps 3 and 6: the horizontal projection and its reduction factor.
        let ground_km = slant_km * elevation.cos();
        let shrink = 1.0
            / (1.0 + 0.78 * (ground_km * specific / f).sqrt()
                - 0.38 * (1.0 - (-2.0 * ground_km).exp()));
        // Step 7: the vertical adjustment factor.
        let rise_km = self.rain_height_km - self.height_km;
        let zeta = rise_km.atan2(ground_km * shrink);
        let length_km = if zeta > elevation {
            ground_km * shrink / elevation.cos()
        } else {
            rise_km / elevation.sin()
        };
        let latitude_deg = self.latitude_rad.to_degrees().abs();
        let chi_deg = (36.0 - latitude_deg).max(0.0);
        let rise = (1.0 - (-elevation.to_degrees() / (1.0 + chi_deg)).exp())
            * (length_km * specific).sqrt()
            / (f * f);
        let stretch = 1.0 / (1.0 + elevation.sin().sqrt() * (31.0 * rise - 0.45));
        specific * length_km * stretch
    }

    /// Attenuation, dB, exceeded for `percent` of an average year, 0.001 to 5. Step 10, equation 8.
    pub fn attenuation_db(&self, rain_001_mm_h: f64, percent: f64) -> f64 {
        let at_001 = self.attenuation_001_db(rain_001_mm_h);
        if at_001 <= 0.0 {
            return 0.0;
        }
        let latitude_deg = self.latitude_rad.to_degrees().abs();
        let sin = self.elevation_rad.sin();
        let beta = if percent >= 1.0 || latitude_deg >= 36.0 {
            0.0
        } else if self.elevation_rad >= PI * 25.0 / 180.0 {
            -0.005 * (latitude_deg - 36.0)
        } else {
            -0.005 * (latitude_deg - 36.0) + 1.8 - 4.25 * sin
        };
        let exponent =
            0.655 + 0.033 * percent.ln() - 0.045 * at_001.ln() - beta * (1.0 - percent) * sin;
        at_001 * (percent / 0.01).powf(-exponent)
    }
}
