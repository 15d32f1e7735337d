//! The ITU-R methods against the validation examples of Study Group 3 and against slant paths computed by other software.
//!
//! The files are reference data (`data/propagation` of the shared folder); without them the tests say SKIPPED. The tolerance
//! is 0.1 dB or 1 %, whichever is larger, for attenuation, and 1 % for everything else: what the issue of this model asks. The
//! examples are kept much closer; each test states how close, so that a slip in a constant shows.

#![allow(clippy::disallowed_methods)] // reference data are read from files

use skyweave_radio::itu::{
    Climate, GasState, RainPath, Scintillation, SlantAttenuation, SlantPath, cloud_attenuation_db,
    gas_attenuation_db, rain_height_km, specific_gas_attenuation_db_km, specific_rain_attenuation,
    wet_refractivity, zenith_water_vapour_attenuation_db,
};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A table of the shared folder: rows by column name, units line skipped.
struct Table {
    columns: BTreeMap<String, usize>,
    rows: Vec<csv::StringRecord>,
}

impl Table {
    fn shared(name: &str, has_units: bool) -> Option<Self> {
        let root = std::env::var_os("SKYWEAVE_SHARED").map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
            PathBuf::from,
        );
        let file = root.join("data/propagation").join(name);
        let Ok(text) = std::fs::read_to_string(&file) else {
            eprintln!("SKIPPED: no {name} (set SKYWEAVE_SHARED to the folder of reference data)");
            return None;
        };
        Some(Self::parse(&text, has_units))
    }

    fn parse(text: &str, has_units: bool) -> Self {
        let mut reader = csv::ReaderBuilder::new()
            .comment(Some(b'#'))
            .flexible(true)
            .from_reader(text.as_bytes());
        let columns = reader.headers().unwrap().iter().enumerate();
        let columns = columns.map(|(i, c)| (c.trim().to_owned(), i)).collect();
        let rows = reader.records().skip(usize::from(has_units));
        Self {
            columns,
            rows: rows.map(Result::unwrap).collect(),
        }
    }

    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        assert!(!self.rows.is_empty());
        self.rows.iter().map(|row| Row { table: self, row })
    }
}

struct Row<'a> {
    table: &'a Table,
    row: &'a csv::StringRecord,
}

impl<'a> Row<'a> {
    fn text(&self, column: &str) -> &'a str {
        &self.row[self.table.columns[column]]
    }

    fn number(&self, column: &str) -> f64 {
        self.text(column).trim().parse().unwrap()
    }
}

/// Largest differences seen, in units of the tolerance.
#[derive(Default)]
struct Worst(BTreeMap<&'static str, (f64, String)>);

impl Worst {
    fn see(&mut self, what: &'static str, mine: f64, theirs: f64, least: f64, part: f64) {
        let ratio = (mine - theirs).abs() / least.max(part * theirs.abs());
        assert!(ratio.is_finite(), "{what}: {mine} against {theirs}");
        let worst = self.0.entry(what).or_default();
        if ratio > worst.0 {
            *worst = (ratio, format!("{mine} against {theirs}"));
        }
    }

    fn all_within(self) {
        for (what, (ratio, which)) in &self.0 {
            eprintln!("{what}: at most {ratio:.4} of the tolerance ({which})");
        }
        for (what, (ratio, which)) in self.0 {
            assert!(ratio <= 1.0, "{what}: {which}");
        }
    }
}

const EXACT: f64 = 2e-5;

#[test]
fn gases_follow_the_validation_examples() {
    let Some(table) = Table::shared("itu_validation/ITURP676-12_A_gas.csv", true) else {
        return;
    };
    let mut worst = Worst::default();
    for row in table.rows() {
        let air = GasState {
            pressure_hpa: row.number("P"),
            vapour_g_m3: row.number("rho"),
            temperature_k: row.number("T"),
        };
        let mine = gas_attenuation_db(
            row.number("f"),
            row.number("el").to_radians(),
            air,
            row.number("h"),
            Some(row.number("V_t")),
        );
        worst.see("A_gas", mine, row.number("A_gas"), 0.0, EXACT);
    }
    worst.all_within();
    let zenith = Table::shared("itu_validation/ITURP676-12_zenith_attenuation.csv", true).unwrap();
    let mut worst = Worst::default();
    for row in zenith.rows() {
        let mine =
            zenith_water_vapour_attenuation_db(row.number("f"), row.number("V_t"), row.number("h"));
        worst.see("A_w", mine, row.number("Aw"), 0.0, EXACT);
    }
    worst.all_within();
}

/// Line by line at points outside the bands of the examples, where every line counts: the values that figure 1 of P.676-12 shows
/// for 1,013.25 hPa, 15 °C and 7.5 g/m³ at the peaks and in the windows, read off to 5 %.
#[test]
fn the_spectrum_has_its_peaks_and_windows() {
    let air = GasState {
        pressure_hpa: 1013.25,
        vapour_g_m3: 7.5,
        temperature_k: 288.15,
    };
    for (ghz, db_km) in [(22.235, 0.197), (60.0, 14.7), (118.75, 1.9), (183.31, 29.0)] {
        let (dry, wet) = specific_gas_attenuation_db_km(ghz, air);
        assert!(
            ((dry + wet) / db_km - 1.0).abs() < 0.05,
            "{ghz}: {dry} + {wet}"
        );
    }
}

#[test]
fn rain_follows_the_validation_examples() {
    let Some(table) = Table::shared(
        "itu_validation/ITURP838-3_rain_specific_attenuation.csv",
        true,
    ) else {
        return;
    };
    let mut worst = Worst::default();
    for row in table.rows() {
        let tilt_rad = row.number("tau").to_radians();
        let elevation_rad = row.number("el").to_radians();
        let (k, alpha) = specific_rain_attenuation(row.number("f"), elevation_rad, tilt_rad);
        worst.see("k", k, row.number("k"), 0.0, EXACT);
        worst.see("alpha", alpha, row.number("alpha"), 0.0, EXACT);
        let specific = k * row.number("R").powf(alpha);
        worst.see("gamma_R", specific, row.number("gamma_r"), 0.0, EXACT);
    }
    let heights = Table::shared("itu_validation/ITURP839-4_rain_height.csv", true).unwrap();
    for row in heights.rows() {
        worst.see(
            "h_R",
            rain_height_km(row.number("h0")),
            row.number("hr"),
            0.0,
            EXACT,
        );
    }
    let coefficients = Table::shared("p838_coefficients.csv", false).unwrap();
    for row in coefficients.rows() {
        let elevation_rad = row.number("elevation_deg").to_radians();
        let tilt_rad = row.number("tilt_deg").to_radians();
        let (k, alpha) = specific_rain_attenuation(row.number("freq_ghz"), elevation_rad, tilt_rad);
        worst.see("k of the table", k, row.number("k"), 0.0, 1e-4);
        worst.see("alpha of the table", alpha, row.number("alpha"), 0.0, 1e-4);
    }
    let paths = Table::shared("itu_validation/ITURP618-13_A_rain.csv", true).unwrap();
    for row in paths.rows() {
        let elevation_rad = row.number("el").to_radians();
        let height_km = row.number("hs");
        let path = RainPath {
            frequency_ghz: row.number("f"),
            elevation_rad,
            tilt_rad: row.number("tau").to_radians(),
            latitude_rad: row.number("lat").to_radians(),
            height_km,
            // The example gives the length of the path; the rain height is what makes it so long.
            rain_height_km: height_km + row.number("Ls") * elevation_rad.sin(),
        };
        let mine = path.attenuation_db(row.number("R001"), row.number("p"));
        worst.see("A_rain", mine, row.number("A_rain"), 0.0, 1e-4);
    }
    worst.all_within();
}

#[test]
fn scintillation_and_clouds_follow_the_validation_examples() {
    let Some(table) = Table::shared("itu_validation/ITURP618-13_A_sci.csv", true) else {
        return;
    };
    let mut worst = Worst::default();
    for row in table.rows() {
        let mine = Scintillation {
            frequency_ghz: row.number("f"),
            elevation_rad: row.number("el").to_radians(),
            diameter_m: row.number("D"),
            efficiency: row.number("eta"),
            wet_refractivity: row.number("N_wet"),
        }
        .fade_db(row.number("p"));
        worst.see("A_scint", mine, row.number("A_scin"), 0.0, 1e-4);
    }
    // The cloud examples hold no liquid water: it is what the first example of a place and percentage implies, and must then
    // give the other bands and elevations of the same place and percentage.
    let clouds = Table::shared("itu_validation/ITURP840-8_cloud_attenuation.csv", true).unwrap();
    let mut liquid: BTreeMap<String, f64> = BTreeMap::new();
    let mut checked = 0;
    for row in clouds.rows() {
        let of_1_kg = cloud_attenuation_db(row.number("f"), row.number("el").to_radians(), 1.0);
        let theirs = row.number("Ac");
        let place = ["lat", "lon", "p"].map(|c| row.text(c)).join(" ");
        match liquid.get(&place) {
            None => {
                liquid.insert(place, theirs / of_1_kg);
            }
            Some(kg_m2) => {
                worst.see("A_cloud", kg_m2 * of_1_kg, theirs, 0.0, 1e-4);
                checked += 1;
            }
        }
    }
    assert!(checked > 30, "{checked}");
    worst.all_within();
}

#[test]
fn all_together_follows_the_validation_examples() {
    let Some(table) = Table::shared("itu_validation/ITURP618-13_A_total.csv", true) else {
        return;
    };
    let mut worst = Worst::default();
    for row in table.rows() {
        let all = SlantAttenuation {
            gas_db: row.number("A_gas_1"),
            cloud_db: row.number("A_clouds_1"),
            rain_db: row.number("A_rain"),
            scintillation_db: row.number("A_scin"),
        };
        worst.see("A_total", all.total_db(), row.number("A_total"), 0.1, 0.01);
    }
    worst.all_within();
}

/// 1,920 slant paths: 30 sites, user and gateway bands, four elevations, four percentages.
#[test]
fn slant_paths_follow_other_software() {
    let Some(table) = Table::shared("itu_slant_vectors.csv", false) else {
        return;
    };
    let sites = Table::parse(include_str!("data/slant_sites.csv"), false);
    let sites: BTreeMap<&str, Row<'_>> = sites.rows().map(|row| (row.text("site"), row)).collect();
    let mut worst = Worst::default();
    let mut rows = 0;
    for row in table.rows() {
        let site = &sites[row.text("site")];
        // Equations 64 and 65 of P.618-13: gas and clouds of rarer events than 1 % count as those of 1 %.
        let percent = row.number("exceed_pct");
        let common = |what: &str, unit: &str| {
            let percent = if percent < 5.0 { 1 } else { 5 };
            site.number(&format!("{what}_{percent}_{unit}"))
        };
        let climate = Climate {
            latitude_rad: row.number("lat_deg").to_radians(),
            height_km: row.number("station_alt_km"),
            rain_001_mm_h: row.number("rain_rate_001_mm_h"),
            rain_height_km: row.number("rain_height_km"),
            temperature_k: site.number("temperature_k"),
            pressure_hpa: site.number("pressure_hpa"),
            vapour_g_m3: common("water_vapour", "g_m3"),
            vapour_column_kg_m2: common("column", "kg_m2"),
            liquid_kg_m2: common("liquid", "kg_m2"),
            wet_refractivity: site.number("wet_refractivity"),
        };
        let path = SlantPath {
            frequency_ghz: row.number("freq_ghz"),
            elevation_rad: row.number("elevation_deg").to_radians(),
            tilt_rad: core::f64::consts::FRAC_PI_4,
            diameter_m: row.number("antenna_diam_m"),
            efficiency: 0.5,
        };
        let mine = path.attenuation(&climate, percent);
        for (what, mine, column) in [
            ("gas", mine.gas_db, "gas_db"),
            ("cloud", mine.cloud_db, "cloud_db"),
            ("rain", mine.rain_db, "rain_db"),
            ("scintillation", mine.scintillation_db, "scint_db"),
            ("total", mine.total_db(), "total_db"),
        ] {
            worst.see(what, mine, row.number(column), 0.1, 0.01);
        }
        rows += 1;
    }
    assert_eq!(rows, 1920);
    worst.all_within();
}

/// Air saturated at 20 °C holds 17.3 g/m³ at 23.4 hPa: 72 e/T + 3.75e5 e/T² = 5.7 + 102.1.
#[test]
fn wet_refractivity_follows_from_vapour() {
    let n = wet_refractivity(293.15, 17.3);
    assert!((n - 107.8).abs() < 0.1, "{n}");
}
