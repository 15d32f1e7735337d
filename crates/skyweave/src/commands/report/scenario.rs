//! The scenario of a report: the sky, ground and radio of a scenario with the area's terminals and the load around them.

use crate::cli;
use crate::commands::{Disk, ScenarioSource};
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use skyweave_base::{Time, Utc};
use skyweave_world::{Files, FilesError, World};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use toml::{Table, Value};

/// The area of the demand around the one that is planned.
const OTHERS: &str = "world";
/// What terminals ask over the day.
const BY_HOUR: &str = "demand_by_hour";
/// Satellites more, for the question whether they would help, per cent.
const MORE_SATELLITES_PERCENT: f64 = 10.0;

/// Under what name the composed text is read.
const UNWRITTEN: &str = "report";

/// A scenario that is put together, and what it was read with.
pub(crate) struct Composed {
    /// The area as the scenario writes it.
    pub(crate) area: String,
    /// The demand around it.
    pub(crate) others: Option<String>,
    table: Table,
    files: Recorder,
}

/// Where something comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Source {
    pub(crate) what: String,
    pub(crate) source: String,
}

impl Composed {
    pub(crate) fn new(args: &cli::Report) -> Result<Self> {
        let area = args.area.as_deref().unwrap_or_default().trim();
        let base = ScenarioSource::find(&args.scenario)?;
        let mut table: Table = base
            .text
            .parse()
            .with_context(|| format!("the scenario `{}` is not TOML", args.scenario))?;
        let is_file = Path::new(area).extension().is_some();
        if is_file {
            let metadata = std::fs::metadata(area);
            metadata.with_context(|| format!("cannot read the area `{area}`"))?;
        }
        // A file of the area is named from where the command runs, those of the scenario from where it lies.
        let area = match is_file && skyweave_world::builtin_scenario(&args.scenario).is_none() {
            true => std::fs::canonicalize(area)?.display().to_string(),
            false if is_file => area.to_owned(),
            false => area.to_uppercase(),
        };
        if area.eq_ignore_ascii_case(OTHERS) {
            bail!("a report is of one country or area; `skyweave plan` plans the world");
        }
        if args.terminals == Some(0) {
            bail!("--terminals 0: a plan needs at least one terminal");
        }
        let mut demand = vec![Value::Table(own_demand(args, &area)?)];
        if args.neighbours > 0 {
            let mut rest = Table::new();
            rest.insert("area".to_owned(), OTHERS.into());
            rest.insert("except".to_owned(), Value::Array(vec![area.clone().into()]));
            rest.insert("terminals".to_owned(), whole(args.neighbours)?);
            rest.insert("rate_mbps".to_owned(), args.neighbours_rate_mbps.into());
            demand.push(Value::Table(rest));
        }
        for key in ["terminal", "description"] {
            table.remove(key);
        }
        let name = Path::new(&area).file_stem().unwrap_or_default();
        let name = format!("report-{}", name.to_string_lossy().to_lowercase());
        table.insert("name".to_owned(), name.into());
        table.insert("demand".to_owned(), Value::Array(demand));
        let by_hour = args.by_hour.and_then(|curve| curve.to_possible_value());
        match by_hour {
            Some(curve) => {
                table.insert(BY_HOUR.to_owned(), curve.get_name().into());
            }
            None if table.contains_key(BY_HOUR) => {}
            None => {
                table.insert(BY_HOUR.to_owned(), "residential".into());
            }
        }
        if let (Some(start), Some(Value::Table(sky))) = (&args.start, table.get_mut("sky")) {
            sky.insert("start".to_owned(), start.clone().into());
        }
        Ok(Self {
            others: (args.neighbours > 0).then(|| OTHERS.to_owned()),
            area,
            table,
            files: Recorder {
                disk: base.files,
                read: Mutex::default(),
            },
        })
    }

    /// Its text as a file beside copies of all that it names, beginning at `start`, whatever "now" is; to be asked after
    /// [`load`](Self::load).
    pub(crate) fn text(&self, start: Time) -> String {
        let read = self.files.read.lock().expect("no reader panics");
        let mut table = self.table.clone();
        for value in table.iter_mut().map(|(_, v)| v) {
            rename(value, &|path| read.get(path).map(|_| copy_name(path)));
        }
        if let Some(Value::Table(sky)) = table.get_mut("sky") {
            sky.insert("start".to_owned(), Utc::from(start).to_string().into());
        }
        format!(
            "# Made by `skyweave report`. `skyweave plan` accepts it.\n{}",
            toml::to_string(&table).expect("a table that was TOML is TOML")
        )
    }

    /// The files that it names, under the names that [`text`](Self::text) calls them by.
    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let read = self.files.read.lock().expect("no reader panics");
        let files = read
            .iter()
            .map(|(path, bytes)| (copy_name(path), bytes.clone()));
        files.collect()
    }

    /// The world, and the same with more satellites unless they are shells.
    pub(crate) fn load(&self, now: Time) -> Result<(World, Option<World>)> {
        let world = self.load_table(&self.table, now)?;
        super::super::warn(world.warnings());
        let mut richer = self.table.clone();
        let with_more = match richer.get_mut("sky") {
            Some(Value::Table(sky)) if sky.contains_key("source") => {
                let added = sky.get("added_percent").and_then(as_float).unwrap_or(0.0);
                let more = (added + MORE_SATELLITES_PERCENT).min(100.0);
                sky.insert("added_percent".to_owned(), more.into());
                more > added
            }
            _ => false,
        };
        let richer = with_more.then(|| self.load_table(&richer, now));
        Ok((world, richer.transpose()?))
    }

    fn load_table(&self, table: &Table, now: Time) -> Result<World> {
        let text = toml::to_string(table).expect("a table that was TOML is TOML");
        World::load(UNWRITTEN, &text, &self.files, now).map_err(|problems| {
            let described = |p: &skyweave_world::Problem| match &*p.at.file {
                // Lines of a text that the user has not written.
                UNWRITTEN => format!("  {}", p.message),
                _ => format!("  {p}"),
            };
            let list: Vec<String> = problems.0.iter().map(described).collect();
            anyhow::anyhow!("`{}` cannot be planned:\n{}", self.area, list.join("\n"))
        })
    }

    /// What it rests on, with dates.
    pub(crate) fn sources(&self) -> Vec<Source> {
        let text = |table: &str, key: &str, default: &str| {
            let value = self.table.get(table).and_then(|t| t.get(key));
            value.and_then(Value::as_str).unwrap_or(default).to_owned()
        };
        let named = |value: String, builtin: &str, is: &str| match value == builtin {
            true => is.to_owned(),
            false => format!("given: {}", copy_name(&value)),
        };
        let source = |what: &str, source: String| Source {
            what: what.to_owned(),
            source,
        };
        vec![
            source(
                "satellites",
                named(
                    text("sky", "source", "shells of the scenario"),
                    "starlink-2026-05-21",
                    "element sets of 20 and 21 May 2026 (CelesTrak, group Starlink); in service by altitude band, as public data cannot tell who serves",
                ),
            ),
            source(
                "gateways",
                named(
                    text("ground", "gateways", "builtin"),
                    "builtin",
                    "community map of Starlink gateways, 10 October 2023 (Mohan et al., WWW 2024): incomplete for newer sites",
                ),
            ),
            source(
                "points of presence",
                named(
                    text("ground", "pops", "builtin"),
                    "builtin",
                    "clarkzjw/starlink-geoip, 16 April 2026",
                ),
            ),
            source(
                "radio",
                format!(
                    "profile `{}`: each number with its source in the profile itself (docs/radio-profile.md)",
                    text("radio", "profile", "starlink-mixed")
                ),
            ),
            source(
                "people",
                "modelled from GeoNames' places and country totals; Ukraine: oblast totals of 1 January 2021, before the displacement of 2022".to_owned(),
            ),
            source(
                "demand by hour",
                match self.table.get(BY_HOUR) {
                    Some(Value::String(word)) if word == "residential" => "households with fixed broadband in the United States, weekdays of 2019 (FCC Measuring Broadband America, after De Oliveira Moreira et al., arXiv 2012.09850), by mean solar time".to_owned(),
                    Some(Value::Array(_)) => "given: 24 numbers, by mean solar time".to_owned(),
                    _ => "none: the busiest hour's at every hour".to_owned(),
                },
            ),
            source(
                "lasers",
                "four links a satellite to its neighbours, inferred: the real topology is not published".to_owned(),
            ),
        ]
    }
}

fn own_demand(args: &cli::Report, area: &str) -> Result<Table> {
    let mut own = Table::new();
    own.insert("area".to_owned(), area.into());
    own.insert("rate_mbps".to_owned(), args.rate_mbps.into());
    match args.terminals {
        Some(terminals) => {
            own.insert("terminals".to_owned(), whole(terminals)?);
            let has_people = std::fs::read_to_string(area).ok().is_none_or(|text| {
                let header = text.lines().find(|l| !l.starts_with('#')).unwrap_or("");
                !area.to_lowercase().ends_with(".csv") || header.contains("population")
            });
            if !has_people {
                own.insert("spread".to_owned(), "uniform".into());
            }
        }
        None if area.to_lowercase().ends_with(".csv") => {
            own.insert("spread".to_owned(), "given".into());
        }
        None => bail!("--terminals is missing: how many terminals does `{area}` have?"),
    }
    Ok(own)
}

fn whole(n: u64) -> Result<Value> {
    let n = i64::try_from(n).context("too many terminals")?;
    Ok(Value::Integer(n))
}

fn as_float(value: &Value) -> Option<f64> {
    value.as_float().or(value.as_integer().map(|n| n as f64))
}

fn rename(value: &mut Value, new_name: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(name) = new_name(text) {
                *text = name;
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|v| rename(v, new_name)),
        Value::Table(table) => table.iter_mut().for_each(|(_, v)| rename(v, new_name)),
        _ => {}
    }
}

/// Where a file that is named `path` is copied to.
fn copy_name(path: &str) -> String {
    let name = Path::new(path).file_name().unwrap_or_default();
    format!("inputs/{}", name.to_string_lossy())
}

/// Reads files and remembers what was in them, so that a report holds what it was made from.
struct Recorder {
    disk: Disk,
    read: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl Files for Recorder {
    fn read(&self, path: &str) -> std::result::Result<Vec<u8>, FilesError> {
        let mut read = self.read.lock().expect("no reader panics");
        if let Some(bytes) = read.get(path) {
            return Ok(bytes.clone());
        }
        let bytes = self.disk.read(path)?;
        let copied = copy_name(path);
        if read.keys().any(|known| copy_name(known) == copied) {
            return Err(FilesError {
                path: path.to_owned(),
                reason: "another file of the scenario has the same name; rename one, as a report holds copies of both side by side".to_owned(),
            });
        }
        read.insert(path.to_owned(), bytes.clone());
        Ok(bytes)
    }
}
