//! `skyweave radio`: link budgets line by line.

use crate::cli;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use skyweave_base::MEAN_EARTH_RADIUS_M;
use skyweave_radio::itu::{Climate, SlantAttenuation, SlantPath};
use skyweave_radio::{BudgetLines, LinkBudget, Profile, REFERENCE_CLIMATE, RateModel};
use std::io::Write;
use std::process::ExitCode;

/// What is in the sky.
enum Sky {
    Clear,
    Exceedance(Climate, f64),
    Rain(Climate, f64),
}

impl Sky {
    fn attenuation(&self, path: SlantPath) -> SlantAttenuation {
        match self {
            Self::Clear => path.attenuation_in_rain(&REFERENCE_CLIMATE, 0.0),
            Self::Exceedance(climate, percent) => path.attenuation(climate, *percent),
            // As plans have it: the gases of the reference atmosphere, and rain by the climate of the place.
            Self::Rain(climate, mm_h) => SlantAttenuation {
                rain_db: path.rain_db(climate, *mm_h),
                ..path.attenuation_in_rain(&REFERENCE_CLIMATE, 0.0)
            },
        }
    }
}

/// One link at one elevation.
struct Column<'a> {
    name: &'static str,
    budget: &'a LinkBudget,
    atmosphere: SlantAttenuation,
    lines: BudgetLines,
}

/// Prints the budgets of a profile's links at a place.
pub(crate) fn radio(args: &cli::Radio) -> Result<ExitCode> {
    let place = skyweave_world::find_place(&args.at)?;
    let profile = profile(&args.profile)?;
    let links = links(&profile);
    if links.is_empty() {
        let with: Vec<&str> = Profile::builtin_names()
            .filter(|name| Profile::builtin(name).is_ok_and(|p| !self::links(&p).is_empty()))
            .collect();
        bail!(
            "the profile `{}` has no link budget, only rates; built-in profiles that have: {}",
            profile.name,
            with.join(", ")
        );
    }
    let climate = skyweave_world::climate_at(place.position);
    let (sky, weather) = match (args.exceedance, args.rain) {
        (Some(percent), _) => (
            Sky::Exceedance(climate, percent),
            format!("what is exceeded for {percent} % of the year"),
        ),
        (None, Some(mm_h)) => (Sky::Rain(climate, mm_h), format!("rain of {mm_h} mm/h")),
        (None, None) => (Sky::Clear, "clear sky".to_owned()),
    };
    let at = |elevation_deg: f64| -> (f64, Vec<Column<'_>>) {
        let elevation_rad = elevation_deg.to_radians();
        let range_m = range_m(elevation_rad, args.altitude * 1e3);
        let columns = links.iter().map(|&(name, budget)| {
            let path = SlantPath {
                elevation_rad,
                ..budget.path()
            };
            let atmosphere = sky.attenuation(path);
            let lines = budget.lines(elevation_rad.sin(), range_m, atmosphere.total_db());
            Column {
                name,
                budget,
                atmosphere,
                lines,
            }
        });
        (range_m, columns.collect())
    };
    let elevations: Vec<f64> = match args.sweep {
        None => vec![args.elevation],
        // In whole steps up to the zenith, which is always there.
        Some(step) => {
            let least = profile.user.limit.min_elevation_rad().to_degrees().max(5.0);
            let steps = ((90.0 - least) / step).ceil() as u32;
            (0..=steps)
                .map(|i| (least + f64::from(i) * step).min(90.0))
                .collect()
        }
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        for elevation in elevations {
            let (range_m, columns) = at(elevation);
            let links: serde_json::Map<String, Value> = columns
                .iter()
                .map(|c| (c.name.replace(' ', "_"), as_json(c)))
                .collect();
            let line = json!({
                "place": place.name, "lat_deg": place.position.lat_deg(), "lon_deg": place.position.lon_deg(),
                "profile": profile.name, "weather": weather, "elevation_deg": elevation,
                "altitude_km": args.altitude, "range_km": range_m / 1e3, "links": links,
            });
            writeln!(out, "{line}")?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(
        out,
        "{} ({:.4}, {:.4})   profile {}   satellite at {} km   {weather}",
        place.name,
        place.position.lat_deg(),
        place.position.lon_deg(),
        profile.name,
        args.altitude
    )?;
    match args.sweep {
        None => {
            let (range_m, columns) = at(args.elevation);
            writeln!(
                out,
                "elevation {} degrees, range {:.1} km\n",
                args.elevation,
                range_m / 1e3
            )?;
            write!(out, "{}", by_line(&columns))?;
        }
        Some(_) => {
            let rows: Vec<_> = elevations.iter().map(|&e| (e, at(e))).collect();
            write!(out, "\n{}", sweep(&rows))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn profile(name: &str) -> Result<Profile> {
    if !name.ends_with(".toml") {
        return Ok(Profile::builtin(name)?);
    }
    let text = std::fs::read(name).with_context(|| format!("cannot read the profile `{name}`"))?;
    let text = String::from_utf8(text)
        .map_err(|_| anyhow::anyhow!("{name}: the file is not UTF-8 text"))?;
    Profile::from_toml(&text).map_err(|error| anyhow::anyhow!("{name}: {error}"))
}

/// The links that have budgets, in the order of a packet's way to the terminal and back.
fn links(profile: &Profile) -> Vec<(&'static str, &LinkBudget)> {
    fn user(model: &RateModel) -> Option<&LinkBudget> {
        match model {
            RateModel::LinkBudget(budget) => Some(budget),
            _ => None,
        }
    }
    [
        ("feeder up", profile.feeder.up.as_deref()),
        ("user down", user(&profile.user.down)),
        ("user up", user(&profile.user.up)),
        ("feeder down", profile.feeder.down.as_deref()),
    ]
    .into_iter()
    .filter_map(|(name, budget)| Some((name, budget?)))
    .collect()
}

/// From a place at sea level to a satellite, on a sphere.
fn range_m(elevation_rad: f64, altitude_m: f64) -> f64 {
    let (r, h, sin) = (MEAN_EARTH_RADIUS_M, altitude_m, elevation_rad.sin());
    (r * r * sin * sin + 2.0 * r * h + h * h).sqrt() - r * sin
}

fn as_json(c: &Column<'_>) -> Value {
    let (l, a) = (&c.lines, &c.atmosphere);
    json!({
        "frequency_ghz": c.budget.parameters().frequency_hz / 1e9,
        "channel_mhz": c.budget.parameters().channel_hz / 1e6,
        "polarisations": c.budget.parameters().polarisations,
        "eirp_dbw": l.eirp_dbw,
        "flux_dbw_m2_mhz": l.flux_dbw_m2_mhz,
        "free_space_db": l.free_space_db,
        "gas_db": a.gas_db, "cloud_db": a.cloud_db, "rain_db": a.rain_db,
        "scintillation_db": a.scintillation_db, "atmosphere_db": l.atmosphere_db,
        "ground_gain_dbi": l.ground_gain_dbi,
        "scan_loss_db": l.scan_loss_db,
        "noise_k": l.noise_k,
        "g_over_t_db_k": l.g_over_t_db_k,
        "c_over_n_db": l.c_over_n_db,
        "c_over_i_db": l.c_over_i_db,
        "sinr_db": l.sinr_db,
        "modcod": l.modcod,
        "bit_s_hz": l.bit_s_hz,
        "terminal_mbit_s": f64::from(l.terminal_kbps) / 1e3,
        "mbit_s": f64::from(l.kbps) / 1e3,
    })
}

/// A line for each item, a column for each link.
fn by_line(columns: &[Column<'_>]) -> String {
    type Cell = fn(&Column<'_>) -> String;
    let is_user = |c: &Column<'_>| c.name.starts_with("user");
    let lines: [(&str, Cell); 20] = [
        ("", |c| c.name.to_owned()),
        ("frequency, GHz", |c| {
            format!("{:.2}", c.budget.parameters().frequency_hz / 1e9)
        }),
        ("channel, MHz x polarisations", |c| {
            let p = c.budget.parameters();
            format!("{} x {}", p.channel_hz / 1e6, p.polarisations)
        }),
        ("radiated power, dBW", |c| {
            format!("{:.1}", c.lines.eirp_dbw)
        }),
        ("flux where it arrives, dB(W/m2)/MHz", |c| {
            format!("{:.1}", c.lines.flux_dbw_m2_mhz)
        }),
        ("free-space loss, dB", |c| {
            format!("{:.1}", c.lines.free_space_db)
        }),
        ("  gases, dB", |c| format!("{:.2}", c.atmosphere.gas_db)),
        ("  clouds, dB", |c| format!("{:.2}", c.atmosphere.cloud_db)),
        ("  rain, dB", |c| format!("{:.2}", c.atmosphere.rain_db)),
        ("  scintillation, dB", |c| {
            format!("{:.2}", c.atmosphere.scintillation_db)
        }),
        ("atmosphere together, dB", |c| {
            format!("{:.2}", c.lines.atmosphere_db)
        }),
        ("antenna on the ground, dBi", |c| {
            format!("{:.1}", c.lines.ground_gain_dbi)
        }),
        ("loss of steering it, dB", |c| {
            format!("{:.1}", c.lines.scan_loss_db.abs())
        }),
        ("noise temperature, K", |c| {
            c.lines
                .noise_k
                .map_or("-".to_owned(), |k| format!("{k:.0}"))
        }),
        ("receiver's G/T, dB/K", |c| {
            format!("{:.1}", c.lines.g_over_t_db_k)
        }),
        ("carrier over noise, dB", |c| {
            format!("{:.1}", c.lines.c_over_n_db)
        }),
        ("carrier over interference, dB", |c| {
            format!("{:.1}", c.lines.c_over_i_db)
        }),
        ("carrier over both, dB", |c| {
            format!("{:.1}", c.lines.sinr_db)
        }),
        ("modulation and code", |c| {
            c.lines.modcod.unwrap_or("nothing").to_owned()
        }),
        ("bit/s/Hz in one polarisation", |c| {
            format!("{:.2}", c.lines.bit_s_hz)
        }),
    ];
    let mut text = String::new();
    let mut line = |name: &str, cells: Vec<String>| {
        text += &format!("{name:<37}");
        for cell in cells {
            text += &format!("{cell:>15}");
        }
        text.push('\n');
    };
    for (name, cell) in lines {
        line(name, columns.iter().map(cell).collect());
    }
    let terminal = |c: &Column<'_>| match is_user(c) {
        true => format!("{:.1}", f64::from(c.lines.terminal_kbps) / 1e3),
        false => "-".to_owned(),
    };
    line(
        "one terminal at most, Mbit/s",
        columns.iter().map(terminal).collect(),
    );
    let whole = |c: &Column<'_>| format!("{:.1}", f64::from(c.lines.kbps) / 1e3);
    line(
        "a beam or antenna, Mbit/s",
        columns.iter().map(whole).collect(),
    );
    text
}

/// A row for each elevation.
fn sweep(rows: &[(f64, (f64, Vec<Column<'_>>))]) -> String {
    let mut text = format!("{:>9} {:>8}", "elevation", "range km");
    for column in rows.first().map_or(&[][..], |r| &r.1.1) {
        text += &format!("  {:>22}", column.name);
    }
    text += &format!("\n{:>18}", "");
    for _ in rows.first().map_or(&[][..], |r| &r.1.1) {
        text += &format!("  {:>6} {:>6} {:>8}", "atm dB", "sinr", "Mbit/s");
    }
    text.push('\n');
    for (elevation, (range_m, columns)) in rows {
        text += &format!("{elevation:>9.1} {:>8.0}", range_m / 1e3);
        for column in columns {
            let l = &column.lines;
            text += &format!(
                "  {:>6.2} {:>6.1} {:>8.1}",
                l.atmosphere_db,
                l.sinr_db,
                f64::from(l.kbps) / 1e3
            );
        }
        text.push('\n');
    }
    text
}
