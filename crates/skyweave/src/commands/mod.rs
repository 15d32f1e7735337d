//! One module for each command: read arguments and files, ask `world`, print. Nothing is decided here.

pub(crate) mod admin;
pub(crate) mod check;
pub(crate) mod list;
pub(crate) mod live;
pub(crate) mod orbit;
pub(crate) mod plan;
pub(crate) mod radio;
pub(crate) mod report;
pub(crate) mod routes;
pub(crate) mod run;
pub(crate) mod scheduler;
pub(crate) mod screen;
pub(crate) mod storage;
pub(crate) mod summary;
pub(crate) mod up;

use crate::access::{Choice, Service, ServicePlace};
use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use skyweave_base::{Time, Utc};
use skyweave_world::{Files, FilesError, Problem, Problems, World};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Files of the disk, relative to the folder of a scenario file.
pub(crate) struct Disk {
    folder: PathBuf,
}

impl Files for Disk {
    fn read(&self, path: &str) -> std::result::Result<Vec<u8>, FilesError> {
        std::fs::read(self.folder.join(path)).map_err(|e| FilesError {
            path: path.to_owned(),
            reason: e.to_string(),
        })
    }
}

/// A scenario as the user named it: its text, the name to call it by, and where its files are.
pub(crate) struct ScenarioSource {
    /// The built-in name, or the path of the file.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) files: Disk,
}

impl ScenarioSource {
    /// Finds a scenario: a built-in name first, then a file.
    pub(crate) fn find(name: &str) -> Result<Self> {
        if let Some(text) = skyweave_world::builtin_scenario(name) {
            let files = Disk {
                folder: PathBuf::from("."),
            };
            return Ok(Self {
                name: name.to_owned(),
                text: text.to_owned(),
                files,
            });
        }
        let path = Path::new(name);
        if !path.exists() {
            let built_in: Vec<&str> = skyweave_world::builtin_scenarios().collect();
            let near = skyweave_world::did_you_mean(name, built_in.iter().copied());
            bail!(
                "`{name}` is neither a built-in scenario nor a file{near}\nbuilt-in scenarios: {}",
                built_in.join(", ")
            );
        }
        let bytes =
            std::fs::read(path).with_context(|| format!("cannot read the scenario `{name}`"))?;
        let text = String::from_utf8(bytes).map_err(|e| {
            let line = e.as_bytes()[..e.utf8_error().valid_up_to()]
                .iter()
                .filter(|b| **b == b'\n')
                .count()
                + 1;
            anyhow::anyhow!("{name}:{line}: the file is not UTF-8 text; a scenario is a TOML file")
        })?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self {
            name: name.to_owned(),
            text,
            files: Disk { folder },
        })
    }

    /// Reads it and all that it names. `start` takes the place of the scenario's own.
    pub(crate) fn read(&self, start: Option<Time>) -> std::result::Result<World, Problems> {
        let spinner = spinner(&format!("loading {}", self.name));
        let world = World::load_from(&self.name, &self.text, &self.files, wall_clock(), start);
        spinner.finish_and_clear();
        world
    }

    /// Reads it; warnings go to standard error, errors are the error.
    pub(crate) fn load(&self, start: Option<Time>) -> Result<World> {
        let world = self.read(start).map_err(|problems| {
            let (errors, warnings): (Vec<_>, Vec<_>) = problems
                .0
                .iter()
                .partition(|p| p.severity == skyweave_world::Severity::Error);
            warn(warnings);
            let list: Vec<String> = errors.iter().map(|p| format!("  {p}")).collect();
            anyhow::anyhow!(
                "the scenario `{}` cannot be used:\n{}",
                self.name,
                list.join("\n")
            )
        })?;
        warn(world.warnings());
        Ok(world)
    }

    /// A name that means the same scenario in every folder.
    pub(crate) fn absolute_name(&self) -> String {
        match std::fs::canonicalize(&self.name) {
            Ok(path) if skyweave_world::builtin_scenario(&self.name).is_none() => {
                path.display().to_string()
            }
            _ => self.name.clone(),
        }
    }
}

/// Prints the OpenAPI document.
pub(crate) fn openapi() -> Result<std::process::ExitCode> {
    use std::io::Write as _;
    let document = serde_json::to_string_pretty(&crate::api::openapi())?;
    writeln!(std::io::stdout().lock(), "{document}")?;
    Ok(std::process::ExitCode::SUCCESS)
}

/// Finds and loads a scenario.
pub(crate) fn load(name: &str) -> Result<World> {
    ScenarioSource::find(name)?.load(None)
}

fn warn<'a>(warnings: impl IntoIterator<Item = &'a Problem>) {
    for warning in warnings {
        eprintln!("{warning}");
    }
}

/// The wall clock, read once.
pub(crate) fn wall_clock() -> Time {
    let since_1970 = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Utc::from_unix_nanos(since_1970.as_nanos() as i64).into()
}

/// Opens the service of a scenario; `None` if it is to have none.
pub(crate) fn open_service(choice: &Choice, scenario: &str) -> Result<Option<Service>> {
    ServicePlace::find(choice, scenario)?
        .map(|place| {
            let url = place.url.clone();
            Service::open(place, wall_clock()).with_context(|| {
                format!("cannot open the service in {url}; --database none runs without")
            })
        })
        .transpose()
}

/// A time given on the command line.
pub(crate) fn parse_time(text: &str) -> Result<Time> {
    if text == "now" {
        return Ok(wall_clock());
    }
    Ok(text.parse::<Utc>()?.into())
}

/// The planner's threads (default: one for each core). They give way to the packet thread.
pub(crate) fn planner_pool(threads: Option<usize>) -> Result<rayon::ThreadPool> {
    if threads == Some(0) {
        bail!("--threads 0: at least one thread is needed");
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.unwrap_or(0))
        .thread_name(|i| format!("planner-{i}"))
        .start_handler(|_| {
            // SAFETY: takes no pointers; acts on the calling thread, and failure only means no lower priority.
            unsafe {
                libc::setpriority(
                    libc::PRIO_PROCESS,
                    libc::gettid() as libc::id_t,
                    PLANNER_NICE,
                );
            }
        })
        .build()
        .context("cannot start the planner's threads")
}

/// How far the planner steps back when packets want the processor.
const PLANNER_NICE: libc::c_int = 10;

/// A spinner on standard error, only on a terminal.
pub(crate) fn spinner(message: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_message(message.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// A bar with the time left on standard error, only on a terminal and only for more than one step.
pub(crate) fn progress(steps: u64, what: &str) -> ProgressBar {
    if steps < 2 || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(steps)
        .with_style(style)
        .with_message(what.to_owned())
}

/// A reader that closed the pipe early (`| head`) is no failure worth a message.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}
