//! The power law of a fade against P.618 itself, at the sites of the slant vectors.

use skyweave_radio::Fade;
use skyweave_radio::itu::{Climate, SlantPath};

fn climates() -> Vec<Climate> {
    // Latitude, rain rate and rain height of a temperate, a dry, a wet and a high place; the rest as their sites have it.
    [
        (50.45, 28.6, 2.785, 281.3, 15.7, 36.5, 1.28, 40.5),
        (30.04, 5.6, 3.387, 294.5, 18.2, 30.7, 0.24, 62.5),
        (1.29, 100.0, 4.972, 300.0, 22.8, 61.9, 3.63, 132.0),
        (60.2, 23.2, 2.076, 278.8, 13.7, 32.4, 1.15, 37.3),
        (-33.87, 46.9, 3.425, 290.4, 18.9, 45.8, 1.68, 67.2),
    ]
    .map(|(lat, rain, height, t, rho, column, liquid, n)| Climate {
        latitude_rad: f64::to_radians(lat),
        height_km: 0.05,
        rain_001_mm_h: rain,
        rain_height_km: height,
        temperature_k: t,
        pressure_hpa: 1005.0,
        vapour_g_m3: rho,
        vapour_column_kg_m2: column,
        liquid_kg_m2: liquid,
        wet_refractivity: n,
    })
    .to_vec()
}

#[test]
fn a_fade_follows_the_slant_path() {
    let mut worst = [(0.0, String::new()), (0.0, String::new())];
    for climate in climates() {
        for (frequency_ghz, diameter_m) in
            [(11.7, 0.48), (14.25, 0.29), (18.75, 1.47), (28.75, 1.47)]
        {
            let path = SlantPath {
                frequency_ghz,
                elevation_rad: 0.0,
                tilt_rad: core::f64::consts::FRAC_PI_4,
                diameter_m,
                efficiency: 0.6,
            };
            for weather in [None, Some(5.0), Some(1.0), Some(0.1)] {
                let at = |path: SlantPath| match weather {
                    None => path.attenuation_in_rain(&climate, 10.0),
                    Some(percent) => path.attenuation(&climate, percent),
                };
                let fade = Fade::of(path, at);
                for degrees in 25..=90 {
                    let elevation_rad = f64::from(degrees).to_radians();
                    let exact = at(SlantPath {
                        elevation_rad,
                        ..path
                    })
                    .total_db();
                    // Beyond 25 dB no link has anything left.
                    if exact > 25.0 {
                        continue;
                    }
                    let off = (fade.db(elevation_rad.sin()) - exact).abs();
                    let high = usize::from(degrees > 70);
                    let ratio = off / f64::max(0.25, [0.06, 0.25][high] * exact);
                    if ratio > worst[high].0 {
                        let where_ = format!("{frequency_ghz} GHz {weather:?} {degrees}");
                        worst[high] = (ratio, format!("{where_}: {off:.3} of {exact:.2} dB"));
                    }
                }
            }
        }
    }
    eprintln!("{worst:?}");
    assert!(worst.iter().all(|w| w.0 <= 1.0), "{worst:?}");
}
