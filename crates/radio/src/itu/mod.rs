//! Attenuation of a path between Earth and space by the atmosphere, after the Recommendations of ITU-R.
//!
//! The methods are written from the Recommendations and speak their units (GHz, km, mm/h, hPa, g/m³, dB); angles are radians. The
//! maps that go with some of them are not here: what the weather of a place is like is an argument ([`Climate`]).
//!
//! | what | Recommendation |
//! | --- | --- |
//! | oxygen and water vapour | P.676-12 (August 2019), annexes 1 and 2 |
//! | reference atmosphere | P.835-6 (December 2017), section 1 |
//! | rain: specific attenuation | P.838-3 (March 2005) |
//! | rain height | P.839-4 (September 2013) |
//! | rain on a path, scintillation, all together | P.618-13 (December 2017), sections 2.2, 2.4 and 2.5 |
//! | clouds | P.840-8 (August 2019) |
//! | refractivity of wet air | P.453-14 (August 2019) |

mod cloud;
mod gas;
mod lines;
mod rain;
mod scintillation;
mod slant;

pub use cloud::cloud_attenuation_db;
pub use gas::{
    GasState, equivalent_heights_km, gas_attenuation_db, specific_gas_attenuation_db_km,
    standard_pressure_hpa, standard_temperature_k, zenith_water_vapour_attenuation_db,
};
pub use rain::{RainPath, rain_height_km, specific_rain_attenuation};
pub use scintillation::{Scintillation, wet_refractivity};
pub use slant::{Climate, SlantAttenuation, SlantPath};

/// Free-space loss, dB: 20 lg(4πd/λ). Recommendation ITU-R P.525-4 (August 2019), equation 3.
pub fn free_space_loss_db(frequency_ghz: f64, range_m: f64) -> f64 {
    let wavelength_m = skyweave_base::SPEED_OF_LIGHT_M_S / (frequency_ghz * 1e9);
    20.0 * (4.0 * core::f64::consts::PI * range_m / wavelength_m).log10()
}
