//! Scintillation by the troposphere: P.618-13, section 2.4.1.

/// What scintillation depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scintillation {
    /// Frequency; the method is stated for 4 to 20 GHz and is used up to 30.
    pub frequency_ghz: f64,
    /// Elevation, 5 degrees and more.
    pub elevation_rad: f64,
    /// Diameter of the antenna.
    pub diameter_m: f64,
    /// Its efficiency.
    pub efficiency: f64,
    /// Wet term of the refractivity, N units: [`wet_refractivity`].
    pub wet_refractivity: f64,
}

impl Scintillation {
    /// Fade, dB, exceeded for `percent` of the time, 0.01 to 50. Equations 43 to 51.
    pub fn fade_db(&self, percent: f64) -> f64 {
        /// Height of the turbulent layer, m (step 4).
        const LAYER_M: f64 = 1000.0;
        let reference_db = 3.6e-3 + 1e-4 * self.wet_refractivity;
        let sin = self.elevation_rad.sin();
        let length_m = 2.0 * LAYER_M / ((sin * sin + 2.35e-4).sqrt() + sin);
        let effective_m = self.efficiency.sqrt() * self.diameter_m;
        let x = 1.22 * effective_m * effective_m * self.frequency_ghz / length_m;
        // Averaging over the aperture. Beyond the reach of the formula the fade is as good as none (step 6).
        let g2 = 3.86 * (x * x + 1.0).powf(11.0 / 12.0) * (11.0 / 6.0 * 1.0_f64.atan2(x)).sin()
            - 7.08 * x.powf(5.0 / 6.0);
        let deviation_db =
            reference_db * self.frequency_ghz.powf(7.0 / 12.0) * g2.max(0.0).sqrt() / sin.powf(1.2);
        let lg = percent.log10();
        let factor = -0.061 * lg.powi(3) + 0.072 * lg * lg - 1.71 * lg + 3.0;
        factor * deviation_db
    }
}

/// Wet term of the refractivity, N units, of air with so much water vapour: P.453-14, equation 4, with the vapour pressure of
/// P.676-12, equation 4.
pub fn wet_refractivity(temperature_k: f64, vapour_g_m3: f64) -> f64 {
    let e = vapour_g_m3 * temperature_k / 216.7;
    72.0 * e / temperature_k + 3.75e5 * e / (temperature_k * temperature_k)
}
