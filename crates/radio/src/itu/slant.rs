//! All of it together: P.618-13, section 2.5.

use super::{GasState, RainPath, Scintillation, cloud_attenuation_db, gas_attenuation_db};

/// What the atmosphere at a place is like over the years.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Climate {
    /// Latitude.
    pub latitude_rad: f64,
    /// Height of the place above sea level.
    pub height_km: f64,
    /// Rain rate exceeded for 0.01 % of the year (P.837).
    pub rain_001_mm_h: f64,
    /// Mean rain height above sea level (P.839).
    pub rain_height_km: f64,
    /// Mean temperature at the surface (P.1510).
    pub temperature_k: f64,
    /// Pressure of dry air (P.835).
    pub pressure_hpa: f64,
    /// Water vapour at the surface (P.836). For an exceedance: that exceeded for 1 % of the year.
    pub vapour_g_m3: f64,
    /// Water vapour in the column above (P.836), likewise.
    pub vapour_column_kg_m2: f64,
    /// Liquid water in the column above, reduced to 0 °C (P.840), likewise.
    pub liquid_kg_m2: f64,
    /// Wet term of the refractivity, median of the year (P.453).
    pub wet_refractivity: f64,
}

/// One end of a link and the direction in which it looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlantPath {
    /// Frequency.
    pub frequency_ghz: f64,
    /// Elevation, 5 degrees and more.
    pub elevation_rad: f64,
    /// Angle of the polarisation from the horizontal; π/4 for circular polarisation.
    pub tilt_rad: f64,
    /// Diameter of the antenna on the ground.
    pub diameter_m: f64,
    /// Its efficiency.
    pub efficiency: f64,
}

/// What the atmosphere takes, part by part, dB.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SlantAttenuation {
    /// Oxygen and water vapour.
    pub gas_db: f64,
    /// Clouds.
    pub cloud_db: f64,
    /// Rain.
    pub rain_db: f64,
    /// Scintillation.
    pub scintillation_db: f64,
}

impl SlantAttenuation {
    /// All together. P.618-13, equation 63.
    pub fn total_db(&self) -> f64 {
        self.gas_db + (self.rain_db + self.cloud_db).hypot(self.scintillation_db)
    }
}

impl SlantPath {
    /// Attenuation exceeded for `percent` of an average year, 0.001 to 50.
    ///
    /// Gas and clouds are those of the climate whatever the percentage. Events rarer than 1 % count as those of 1 %, since the
    /// rest is in the prediction of rain already (equations 64 and 65).
    pub fn attenuation(&self, climate: &Climate, percent: f64) -> SlantAttenuation {
        SlantAttenuation {
            gas_db: self.gas_db(climate),
            cloud_db: cloud_attenuation_db(
                self.frequency_ghz,
                self.elevation_rad,
                climate.liquid_kg_m2,
            ),
            rain_db: self
                .rain(climate)
                .attenuation_db(climate.rain_001_mm_h, percent),
            scintillation_db: Scintillation {
                frequency_ghz: self.frequency_ghz,
                elevation_rad: self.elevation_rad,
                diameter_m: self.diameter_m,
                efficiency: self.efficiency,
                wet_refractivity: climate.wet_refractivity,
            }
            .fade_db(percent),
        }
    }

    /// Attenuation under the sky of a moment: gases, and rain of so many mm/h at the place. 0 is a clear sky.
    pub fn attenuation_in_rain(&self, climate: &Climate, rain_mm_h: f64) -> SlantAttenuation {
        SlantAttenuation {
            gas_db: self.gas_db(climate),
            rain_db: self.rain_db(climate, rain_mm_h),
            ..SlantAttenuation::default()
        }
    }

    /// Attenuation by rain of so many mm/h at the place alone, dB.
    pub fn rain_db(&self, climate: &Climate, rain_mm_h: f64) -> f64 {
        self.rain(climate).attenuation_001_db(rain_mm_h)
    }

    fn gas_db(&self, climate: &Climate) -> f64 {
        let air = GasState {
            pressure_hpa: climate.pressure_hpa,
            vapour_g_m3: climate.vapour_g_m3,
            temperature_k: climate.temperature_k,
        };
        gas_attenuation_db(
            self.frequency_ghz,
            self.elevation_rad,
            air,
            climate.height_km,
            Some(climate.vapour_column_kg_m2),
        )
    }

    fn rain(&self, climate: &Climate) -> RainPath {
        RainPath {
            frequency_ghz: self.frequency_ghz,
            elevation_rad: self.elevation_rad,
            tilt_rad: self.tilt_rad,
            latitude_rad: climate.latitude_rad,
            height_km: climate.height_km,
            rain_height_km: climate.rain_height_km,
        }
    }
}
