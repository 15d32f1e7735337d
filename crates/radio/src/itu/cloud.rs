//! Clouds: P.840-8.

/// Attenuation by clouds, dB, of so much liquid water in the column above, reduced to 0 °C. P.840-8, equations 2 to 12; up to
/// 200 GHz, 5 degrees and more.
pub fn cloud_attenuation_db(frequency_ghz: f64, elevation_rad: f64, liquid_kg_m2: f64) -> f64 {
    liquid_kg_m2 * specific_attenuation_coefficient(frequency_ghz, 273.15) / elevation_rad.sin()
}

/// (dB/km)/(g/m³): Rayleigh scattering with a double-Debye permittivity of water.
fn specific_attenuation_coefficient(frequency_ghz: f64, temperature_k: f64) -> f64 {
    let f = frequency_ghz;
    let theta = 300.0 / temperature_k - 1.0;
    let principal = 20.20 - 146.0 * theta + 316.0 * theta * theta;
    let secondary = 39.8 * principal;
    let eps0 = 77.66 + 103.3 * theta;
    let eps1 = 0.0671 * eps0;
    let eps2 = 3.52;
    let first = 1.0 + (f / principal).powi(2);
    let second = 1.0 + (f / secondary).powi(2);
    let imaginary =
        f * (eps0 - eps1) / (principal * first) + f * (eps1 - eps2) / (secondary * second);
    let real = (eps0 - eps1) / first + (eps1 - eps2) / second + eps2;
    let eta = (2.0 + real) / imaginary;
    0.819 * f / (imaginary * (1.0 + eta * eta))
}
