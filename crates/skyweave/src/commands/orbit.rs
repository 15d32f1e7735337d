//! `skyweave orbit`: positions, what is visible, and passes. All by SGP4 itself, of which plans and packets use an interpolation.

use super::{parse_time, planner_pool};
use crate::cli::{Frame, OrbitCommand, Passes, Positions, SkyArgs, View};
use anyhow::{Context, Result, bail};
use serde::Serialize;
use skyweave_base::{SatId, Span, Time, Utc};
use skyweave_orbit::{EarthOrientationTable, Elements, Format, Sighting, Sky, passes, visible};
use skyweave_world::Place;
use std::io::{BufWriter, Write};
use std::process::ExitCode;
use std::sync::Arc;

/// Does what is asked of the sky.
pub(crate) fn orbit(command: &OrbitCommand) -> Result<ExitCode> {
    planner_pool(None)?.install(|| match command {
        OrbitCommand::Positions(args) => print_positions(args),
        OrbitCommand::Visible(args) => print_visible(args),
        OrbitCommand::Passes(args) => print_passes(args),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The chosen satellites, their orbits, and the instant asked for.
struct Chosen {
    elements: Vec<Elements>,
    sky: Sky,
    time: Time,
    earth: Earth,
}

/// How the Earth stands, and from where that is known.
struct Earth {
    table: Arc<EarthOrientationTable>,
    source: String,
}

impl SkyArgs {
    fn choose(&self) -> Result<Chosen> {
        let mut elements = match &self.elements {
            None => skyweave_world::builtin_elements(),
            Some(path) => {
                let name = path.display();
                let bytes = std::fs::read(path)
                    .with_context(|| format!("cannot read the elements {name}"))?;
                let text =
                    String::from_utf8(bytes).with_context(|| format!("{name} is not text"))?;
                let format = Format::detect(&text).with_context(|| {
                    format!("{name} is neither TLE nor OMM (JSON, CSV, XML or KVN)")
                })?;
                skyweave_orbit::parse(&text, format).with_context(|| name.to_string())?
            }
        };
        // The newest epoch of the whole set, so that --satellite does not change the time that is meant.
        let newest = elements
            .iter()
            .map(|e| e.epoch)
            .max()
            .context("the file holds no element set")?;
        if let Some(wanted) = &self.satellite {
            let number = wanted.parse::<u32>().ok();
            let wanted_upper = wanted.to_uppercase();
            elements.retain(|e| {
                Some(e.catalog_number) == number || e.name.to_uppercase().contains(&wanted_upper)
            });
            if elements.is_empty() {
                bail!("no satellite is called `{wanted}` or has this catalogue number");
            }
        }
        let time = match &self.time {
            Some(text) => parse_time(text)?,
            None => newest.into(),
        };
        let earth = self.earth()?;
        let sky = Sky::new(&elements)?.with_orientation(Arc::clone(&earth.table));
        let oldest = elements
            .iter()
            .map(|e| (time - Time::from(e.epoch)).as_secs_f64().abs())
            .fold(0.0, f64::max)
            / 86_400.0;
        if oldest > 14.0 {
            eprintln!(
                "warning: the elements are up to {oldest:.0} days from the time asked for; positions can be off by hundreds of kilometres"
            );
        }
        Ok(Chosen {
            elements,
            sky,
            time,
            earth,
        })
    }

    fn earth(&self) -> Result<Earth> {
        let (table, source) = match &self.earth_orientation {
            None => (
                skyweave_world::builtin_earth_orientation(),
                "the built-in table".to_owned(),
            ),
            Some(path) => {
                let name = path.display().to_string();
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read the Earth orientation {name}"))?;
                let table = EarthOrientationTable::parse(&text).with_context(|| name.clone())?;
                (table, name)
            }
        };
        Ok(Earth {
            table: Arc::new(table),
            source,
        })
    }
}

impl Earth {
    /// Says on the standard error what is used for the times asked for.
    fn tell(&self, from: Time, until: Time) {
        let Self { table, source } = self;
        let days = table.covers().map_or_else(String::new, |(first, last)| {
            let day = |t: Time| t.to_string()[..10].to_owned();
            format!("{} to {}", day(first), day(last))
        });
        if table.at(from).is_some() && table.at(until).is_some() {
            eprintln!("Earth orientation: IERS, {source} ({days})");
        } else {
            eprintln!(
                "warning: {source} of Earth orientation covers {days} and not all times asked for: outside, UT1 is taken for UTC \
                 and polar motion for zero, which moves Earth-fixed positions by tens of metres, at most 460 m at 550 km"
            );
        }
    }
}

/// One row of `positions`. Units are in the names.
#[derive(Debug, Default, Serialize)]
struct Row<'a> {
    utc: String,
    name: &'a str,
    norad_id: u32,
    #[serde(flatten)]
    teme: Option<TemeColumns>,
    #[serde(flatten)]
    ecef: Option<EcefColumns>,
    #[serde(flatten)]
    geodetic: Option<GeodeticColumns>,
}

macro_rules! columns {
    ($name:ident: $($field:ident),+) => {
        #[derive(Debug, Serialize)]
        struct $name { $($field: f64),+ }

        impl $name {
            const HEADER: &str = concat!($(",", stringify!($field)),+);

            fn write(&self, out: &mut impl Write, decimals: usize) -> std::io::Result<()> {
                $(write!(out, ",{:.decimals$}", self.$field)?;)+
                Ok(())
            }
        }
    };
}
columns!(TemeColumns: teme_x_km, teme_y_km, teme_z_km, teme_vx_km_s, teme_vy_km_s, teme_vz_km_s);
columns!(EcefColumns: ecef_x_km, ecef_y_km, ecef_z_km, ecef_vx_km_s, ecef_vy_km_s, ecef_vz_km_s);
columns!(GeodeticColumns: lat_deg, lon_deg, height_km);

fn print_positions(args: &Positions) -> Result<()> {
    let chosen = args.sky.choose()?;
    if !(args.step.is_finite() && args.step > 0.0) {
        bail!("--step {}: expected a number of seconds above 0", args.step);
    }
    let (teme, ecef, geodetic) = (
        matches!(args.frame, Frame::Teme | Frame::All),
        matches!(args.frame, Frame::Ecef | Frame::All),
        matches!(args.frame, Frame::Geodetic | Frame::All),
    );
    let mut out = BufWriter::new(std::io::stdout().lock());
    if !args.json {
        write!(out, "utc,name,norad_id")?;
        let headers = [
            (teme, TemeColumns::HEADER),
            (ecef, EcefColumns::HEADER),
            (geodetic, GeodeticColumns::HEADER),
        ];
        for (_, header) in headers.iter().filter(|(wanted, _)| *wanted) {
            write!(out, "{header}")?;
        }
        writeln!(out)?;
    }
    let last = Span::from_secs_f64(f64::from(args.count.saturating_sub(1)) * args.step);
    chosen.earth.tell(chosen.time, chosen.time + last);
    let mut failed = 0_u64;
    for i in 0..args.count {
        let t = chosen.time + Span::from_secs_f64(f64::from(i) * args.step);
        for (id, e) in (0..).map(SatId).zip(&chosen.elements) {
            let position = match chosen.sky.position(id, t) {
                Ok(position) => position,
                Err(error) => {
                    failed += 1;
                    eprintln!("{} ({}) at {t}: {error}", e.name, e.catalog_number);
                    continue;
                }
            };
            let (p, v) = (
                position.teme.position_m * 1e-3,
                position.teme.velocity_m_s * 1e-3,
            );
            let (q, w) = (
                position.earth_fixed.position.0 * 1e-3,
                position.earth_fixed.velocity_m_s * 1e-3,
            );
            let g = position.geodetic;
            let row = Row {
                utc: t.to_string(),
                name: &e.name,
                norad_id: e.catalog_number,
                teme: teme.then_some(TemeColumns {
                    teme_x_km: p.x,
                    teme_y_km: p.y,
                    teme_z_km: p.z,
                    teme_vx_km_s: v.x,
                    teme_vy_km_s: v.y,
                    teme_vz_km_s: v.z,
                }),
                ecef: ecef.then_some(EcefColumns {
                    ecef_x_km: q.x,
                    ecef_y_km: q.y,
                    ecef_z_km: q.z,
                    ecef_vx_km_s: w.x,
                    ecef_vy_km_s: w.y,
                    ecef_vz_km_s: w.z,
                }),
                geodetic: geodetic.then_some(GeodeticColumns {
                    lat_deg: g.lat_deg(),
                    lon_deg: g.lon_deg(),
                    height_km: g.height_m * 1e-3,
                }),
            };
            if args.json {
                writeln!(out, "{}", serde_json::to_string(&row)?)?;
                continue;
            }
            write!(out, "{},{},{}", row.utc, csv_field(row.name), row.norad_id)?;
            // Nine decimals of a km are a micrometre, twelve of a degree a tenth of one: nothing is lost.
            row.teme.iter().try_for_each(|c| c.write(&mut out, 9))?;
            row.ecef.iter().try_for_each(|c| c.write(&mut out, 9))?;
            row.geodetic.iter().try_for_each(|c| c.write(&mut out, 9))?;
            writeln!(out)?;
        }
    }
    out.flush()?;
    if failed > 0 {
        bail!("{failed} positions could not be computed");
    }
    Ok(())
}

/// A field of a CSV row, quoted where it must be (RFC 4180).
fn csv_field(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

/// A sighting as JSON.
#[derive(Debug, Serialize)]
struct Seen<'a> {
    name: &'a str,
    norad_id: u32,
    utc: String,
    azimuth_deg: f64,
    elevation_deg: f64,
    range_km: f64,
    range_rate_km_s: f64,
}

impl<'a> Seen<'a> {
    fn new(sighting: &Sighting, elements: &'a [Elements]) -> Self {
        let e = &elements[sighting.satellite.index()];
        Self {
            name: &e.name,
            norad_id: e.catalog_number,
            utc: Utc::from(sighting.time).to_string(),
            azimuth_deg: sighting.look.azimuth_rad.to_degrees(),
            elevation_deg: sighting.look.elevation_rad.to_degrees(),
            range_km: sighting.look.range_m * 1e-3,
            range_rate_km_s: sighting.range_rate_m_s * 1e-3,
        }
    }
}

/// A place that was asked for, and the sky over it.
struct Viewed {
    chosen: Chosen,
    place: Place,
    min_elevation_rad: f64,
}

impl View {
    fn choose(&self) -> Result<Viewed> {
        let min_elevation_deg = self.min_elevation;
        if !(-90.0..=90.0).contains(&min_elevation_deg) {
            bail!("--min-elevation {min_elevation_deg}: expected degrees from -90 to 90");
        }
        Ok(Viewed {
            chosen: self.sky.choose()?,
            place: skyweave_world::find_place(&self.at)?,
            min_elevation_rad: min_elevation_deg.to_radians(),
        })
    }
}

fn print_visible(args: &View) -> Result<()> {
    let Viewed {
        chosen,
        place,
        min_elevation_rad,
    } = args.choose()?;
    chosen.earth.tell(chosen.time, chosen.time);
    let mut seen = visible(&chosen.sky, place.position, chosen.time, min_elevation_rad);
    seen.sort_by(|a, b| b.look.elevation_rad.total_cmp(&a.look.elevation_rad));
    let mut out = BufWriter::new(std::io::stdout().lock());
    let rows = seen.iter().map(|s| Seen::new(s, &chosen.elements));
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&rows.collect::<Vec<_>>())?)?;
    } else {
        writeln!(
            out,
            "{} satellites above {}° at {} ({place}):",
            seen.len(),
            args.min_elevation,
            chosen.time
        )?;
        writeln!(
            out,
            "satellite                norad   azimuth  elevation     range  range rate"
        )?;
        for s in rows {
            writeln!(
                out,
                "{:<22} {:>7} {:>8.2}° {:>9.2}° {:>6.0} km {:>6.2} km/s",
                s.name, s.norad_id, s.azimuth_deg, s.elevation_deg, s.range_km, s.range_rate_km_s
            )?;
        }
    }
    Ok(out.flush()?)
}

fn print_passes(args: &Passes) -> Result<()> {
    let Viewed {
        chosen,
        place,
        min_elevation_rad,
    } = args.view.choose()?;
    if !(args.hours.is_finite() && args.hours > 0.0 && args.hours <= 24.0 * 14.0) {
        bail!(
            "--hours {}: expected more than 0 and at most 336 (14 days)",
            args.hours
        );
    }
    let until = chosen.time + Span::from_secs_f64(args.hours * 3600.0);
    chosen.earth.tell(chosen.time, until);
    let found = passes(
        &chosen.sky,
        place.position,
        chosen.time,
        until,
        min_elevation_rad,
    );
    #[derive(Serialize)]
    struct PassRow<'a> {
        name: &'a str,
        norad_id: u32,
        rise: Option<Seen<'a>>,
        culmination: Seen<'a>,
        set: Option<Seen<'a>>,
    }
    let rows = found.iter().map(|p| {
        let e = &chosen.elements[p.satellite.index()];
        PassRow {
            name: &e.name,
            norad_id: e.catalog_number,
            rise: p.rise.as_ref().map(|s| Seen::new(s, &chosen.elements)),
            culmination: Seen::new(&p.culmination, &chosen.elements),
            set: p.set.as_ref().map(|s| Seen::new(s, &chosen.elements)),
        }
    });
    let mut out = BufWriter::new(std::io::stdout().lock());
    if args.view.json {
        writeln!(out, "{}", serde_json::to_string(&rows.collect::<Vec<_>>())?)?;
    } else {
        writeln!(
            out,
            "{} passes above {}° from {} to {until} ({place}):",
            found.len(),
            args.view.min_elevation,
            chosen.time
        )?;
        writeln!(
            out,
            "satellite                norad  rise                      highest                     set"
        )?;
        let seen = |s: &Option<Seen<'_>>, at_edge: &str| match s {
            Some(s) => format!("{} {:>4.0}°", clock(&s.utc), s.azimuth_deg),
            None => at_edge.to_owned(),
        };
        for p in rows {
            writeln!(
                out,
                "{:<22} {:>7}  {:<24}  {} {:>4.1}° at {:>3.0}°  {}",
                p.name,
                p.norad_id,
                seen(&p.rise, "(up already)"),
                clock(&p.culmination.utc),
                p.culmination.elevation_deg,
                p.culmination.azimuth_deg,
                seen(&p.set, "(still up)"),
            )?;
        }
    }
    Ok(out.flush()?)
}

/// Day and time to the second out of ISO 8601.
fn clock(utc: &str) -> &str {
    utc.get(5..19).unwrap_or(utc)
}
