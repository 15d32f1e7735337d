//! Oxygen and water vapour: P.676-12.

use super::lines::{OXYGEN, WATER_VAPOUR};

/// Air at one point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GasState {
    /// Pressure of dry air, hPa.
    pub pressure_hpa: f64,
    /// Water vapour, g/m³.
    pub vapour_g_m3: f64,
    /// Temperature, K.
    pub temperature_k: f64,
}

impl GasState {
    /// Partial pressure of water vapour, hPa. P.676-12, equation 4.
    fn vapour_pressure_hpa(self) -> f64 {
        self.vapour_g_m3 * self.temperature_k / 216.7
    }
}

/// Specific attenuation (dry air, water vapour), dB/km: line by line. P.676-12, annex 1, equations 1 to 9; up to 1,000 GHz.
pub fn specific_gas_attenuation_db_km(frequency_ghz: f64, air: GasState) -> (f64, f64) {
    let (f, p, e) = (frequency_ghz, air.pressure_hpa, air.vapour_pressure_hpa());
    let theta = 300.0 / air.temperature_k;
    // Equation 5, the shape of a line.
    let shape = |f0: f64, width: f64, delta: f64| {
        let side = |d: f64, sign: f64| (width - sign * delta * d) / (d * d + width * width);
        f / f0 * (side(f0 - f, 1.0) + side(f0 + f, 1.0))
    };
    let oxygen: f64 = OXYGEN
        .iter()
        .map(|&[f0, a1, a2, a3, a4, a5, a6]| {
            let strength = a1 * 1e-7 * p * theta.powi(3) * (a2 * (1.0 - theta)).exp();
            let width = a3 * 1e-4 * (p * theta.powf(0.8 - a4) + 1.1 * e * theta);
            let width = (width * width + 2.25e-6).sqrt();
            let delta = (a5 + a6 * theta) * 1e-4 * (p + e) * theta.powf(0.8);
            strength * shape(f0, width, delta)
        })
        .sum();
    let vapour: f64 = WATER_VAPOUR
        .iter()
        .map(|&[f0, b1, b2, b3, b4, b5, b6]| {
            let strength = b1 * 0.1 * e * theta.powf(3.5) * (b2 * (1.0 - theta)).exp();
            let width = b3 * 1e-4 * (p * theta.powf(b4) + b5 * e * theta.powf(b6));
            let width =
                0.535 * width + (0.217 * width * width + 2.1316e-12 * f0 * f0 / theta).sqrt();
            strength * shape(f0, width, 0.0)
        })
        .sum();
    // Equations 8 and 9, the continuum of dry air.
    let d = 5.6e-4 * (p + e) * theta.powf(0.8);
    let debye = 6.14e-5 / (d * (1.0 + (f / d).powi(2)));
    let nitrogen = 1.4e-12 * p * theta.powf(1.5) / (1.0 + 1.9e-5 * f.powf(1.5));
    let continuum = f * p * theta * theta * (debye + nitrogen);
    (0.1820 * f * (oxygen + continuum), 0.1820 * f * vapour)
}

/// Equivalent heights (dry air, water vapour), km: what specific attenuation at the surface is to be multiplied with for the
/// zenith. P.676-12, annex 2, equations 30 to 38; up to 350 GHz.
pub fn equivalent_heights_km(frequency_ghz: f64, air: GasState) -> (f64, f64) {
    /// Table 3.
    const OXYGEN: [(f64, f64); 7] = [
        (0.1597, 118.750_334),
        (0.1066, 368.498_246),
        (0.1325, 424.763_020),
        (0.1242, 487.249_273),
        (0.0938, 715.392_902),
        (0.1448, 773.839_490),
        (0.1374, 834.145_546),
    ];
    /// Table 4.
    const VAPOUR: [(f64, f64, f64); 14] = [
        (22.235_080, 1.52, 2.56),
        (183.310_087, 7.62, 10.2),
        (325.152_888, 1.56, 2.70),
        (380.197_353, 4.15, 5.70),
        (439.150_807, 0.20, 0.91),
        (448.001_085, 1.63, 2.46),
        (474.689_092, 0.76, 2.22),
        (488.490_108, 0.26, 2.49),
        (556.935_985, 7.81, 10.0),
        (620.700_870, 1.25, 2.35),
        (752.033_113, 16.2, 20.0),
        (916.171_582, 1.47, 2.58),
        (970.315_022, 1.36, 2.44),
        (987.926_764, 1.60, 1.86),
    ];
    let f = frequency_ghz;
    let celsius = air.temperature_k - 273.15;
    let rp = (air.pressure_hpa + air.vapour_pressure_hpa()) / 1013.25;
    let t1 = 5.1040 / (1.0 + 0.066 * rp.powf(-2.3))
        * (-((f - 59.7) / (2.87 + 12.4 * (-7.9 * rp).exp())).powi(2)).exp();
    let t2: f64 = OXYGEN
        .iter()
        .map(|&(c, fi)| c * (2.12 * rp).exp() / ((f - fi).powi(2) + 0.025 * (2.2 * rp).exp()))
        .sum();
    let t3 = 0.0114 * f / (1.0 + 0.14 * rp.powf(-2.6)) * (15.02 * f * f - 1353.0 * f + 5.333e4)
        / (f.powi(3) - 151.3 * f * f + 9629.0 * f - 6803.0);
    let a = 0.7832 + 0.00709 * celsius;
    let mut dry = 6.1 * a / (1.0 + 0.17 * rp.powf(-1.1)) * (1.0 + t1 + t2 + t3);
    if f < 70.0 {
        dry = dry.min(10.7 * rp.powf(0.3));
    }
    let a = 1.9298 - 0.04166 * celsius + 0.0517 * air.vapour_g_m3;
    let b = 1.1674 - 0.00622 * celsius + 0.0063 * air.vapour_g_m3;
    let sigma = 1.013 / (1.0 + (-8.6 * (rp - 0.57)).exp());
    let lines: f64 = VAPOUR
        .iter()
        .map(|&(fi, ai, bi)| ai * sigma / ((f - fi).powi(2) + bi * sigma))
        .sum();
    (dry, a + b * lines)
}

/// Attenuation by water vapour towards the zenith, dB, from the vapour in the whole column. P.676-12, annex 2, section 2.3,
/// equations 40 and 41: 1 to 350 GHz.
pub fn zenith_water_vapour_attenuation_db(
    frequency_ghz: f64,
    column_kg_m2: f64,
    height_km: f64,
) -> f64 {
    if column_kg_m2 <= 0.0 {
        return 0.0;
    }
    let f = frequency_ghz;
    let reference = GasState {
        pressure_hpa: 845.0,
        vapour_g_m3: column_kg_m2 / 2.38,
        // The formula is for columns of the real atmosphere; below this one the air would be colder than any.
        temperature_k: (14.0 * (0.22 * column_kg_m2 / 2.38).ln() + 3.0 + 273.15).max(200.0),
    };
    let vapour = |f| specific_gas_attenuation_db_km(f, reference).1;
    let at_20_6_ghz = 0.0176 * column_kg_m2;
    let attenuation = at_20_6_ghz * vapour(f) / vapour(20.6);
    if f < 20.0 {
        return attenuation;
    }
    let bell =
        |height: f64, centre: f64, width: f64| height * (-((f - centre) / width).powi(2)).exp();
    let a = bell(0.2048, 22.43, 3.097) + bell(0.2326, 183.5, 4.096) + bell(0.2073, 325.0, 3.651)
        - 0.1113;
    let b = 8.741e4 * (-0.587 * f).exp() + 312.2 * f.powf(-2.38) + 0.723;
    attenuation * (a * height_km.clamp(0.0, 4.0).powf(b) + 1.0)
}

/// Attenuation by gases on a path to space, dB. P.676-12, annex 2, equations 29 and 39, for elevations of 5 degrees and more.
/// `column_kg_m2` is the water vapour above the place if it is known; otherwise it follows from the vapour at the surface.
pub fn gas_attenuation_db(
    frequency_ghz: f64,
    elevation_rad: f64,
    air: GasState,
    height_km: f64,
    column_kg_m2: Option<f64>,
) -> f64 {
    let (dry_km, vapour_km) = equivalent_heights_km(frequency_ghz, air);
    let (dry, vapour) = specific_gas_attenuation_db_km(frequency_ghz, air);
    let vapour_db = match column_kg_m2 {
        Some(column) => zenith_water_vapour_attenuation_db(frequency_ghz, column, height_km),
        None => vapour * vapour_km,
    };
    (dry * dry_km + vapour_db) / elevation_rad.sin()
}

/// Pressure of the mean global reference atmosphere, hPa. P.835-6, equations 1 and 3: up to 11 km.
pub fn standard_pressure_hpa(height_km: f64) -> f64 {
    let temperature_k = standard_temperature_k(height_km);
    1013.25 * (288.15 / temperature_k).powf(-34.1632 / 6.5)
}

/// Temperature of the mean global reference atmosphere, K. P.835-6, equations 1 and 2: up to 11 km.
pub fn standard_temperature_k(height_km: f64) -> f64 {
    let geopotential_km = 6356.766 * height_km / (6356.766 + height_km);
    288.15 - 6.5 * geopotential_km.clamp(-1.0, 11.0)
}
