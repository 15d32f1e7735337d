//! `skyweave report`: the national plan. `world` studies, this reads, stores, draws and writes.

mod charts;
mod compare;
mod page;
mod scenario;
mod tables;
mod work;

use super::{parse_time, progress, wall_clock};
use crate::cli;
use anyhow::{Context, Result, bail};
use scenario::{Composed, Source};
use serde::{Deserialize, Serialize};
use skyweave_world::study::{self, Findings, Outcome, Question, Study, Task};
use skyweave_world::{Between, RainField, Summary, World};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// All that a report says: the content of `report.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Content {
    /// The program that made it.
    pub(crate) program: String,
    /// The area's name for people.
    pub(crate) title: String,
    /// What the scenario holds.
    pub(crate) scenario: BTreeMap<String, serde_json::Value>,
    /// What it rests on.
    pub(crate) sources: Vec<Source>,
    /// The figures.
    pub(crate) findings: Findings,
    /// The scenario.
    pub(crate) scenario_toml: String,
}

/// Studies an area and writes the report, or puts two reports side by side.
pub(crate) fn report(args: &cli::Report) -> Result<ExitCode> {
    if let Some([a, b]) = args.compare.as_deref() {
        return compare::compare(a, b, &args.out, args.json);
    }
    let (plans, stride) = plans(args)?;
    let composed = Composed::new(args)?;
    prepare(&args.out)?;
    let (world, richer) = composed.load(match &args.start {
        Some(start) => parse_time(start)?,
        None => wall_clock(),
    })?;
    let candidates = match &args.candidates {
        Some(path) => {
            let bytes = std::fs::read(path)
                .with_context(|| format!("cannot read the candidates {}", path.display()))?;
            study::candidates(&path.display().to_string(), &bytes)
                .map_err(|problems| anyhow::anyhow!("{problems}"))?
        }
        None => Vec::new(),
    };
    let question = Question {
        area: composed.area.clone(),
        others: composed.others.clone(),
        first: world.first_epoch(),
        plans,
        stride,
        samples: args.samples.min(plans),
        candidates,
    };
    let asked = format!("{question:?}");
    let mut study = Study::new(&world, richer.as_ref(), question)?;
    let mut files = composed.files();
    if let Some(path) = &args.rain {
        let (name, bytes) = rain(&mut study, path)?;
        if files.iter().any(|(known, _)| *known == name) {
            bail!(
                "--rain: another file of the scenario is called {name} too; rename one, as a report holds copies of both side by side"
            );
        }
        files.push((name, bytes));
    }
    for warning in study.warnings() {
        eprintln!("warning: {warning}");
    }
    let text = composed.text(world.start());
    let work = open_work(args, &text, &files, &asked)?;
    if !args.json {
        eprintln!("{}\n", study.world().summary());
    }
    while !study.tasks().is_empty() {
        let outcomes = run_all(&study, &work, args.threads)?;
        study.take(outcomes);
    }
    let content = Content {
        program: format!("skyweave {}", env!("CARGO_PKG_VERSION")),
        title: skyweave_world::area_name(&composed.area),
        scenario: summary(&world.summary())?,
        sources: composed.sources(),
        findings: study.findings(),
        scenario_toml: text,
    };
    write_all(&args.out, &content, &files, &world)?;
    work.remove();
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&content)?)?;
    } else {
        for sentence in page::in_short(&content) {
            writeln!(out, "- {sentence}")?;
        }
        let page = args.out.join(PAGE);
        writeln!(
            out,
            "\n{}: open it in a browser, or print it",
            page.display()
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Takes the rain that may come from a file; its copy for the report's folder.
fn rain(study: &mut Study, path: &Path) -> Result<(String, Vec<u8>)> {
    let bytes =
        std::fs::read(path).with_context(|| format!("cannot read the rain {}", path.display()))?;
    let field = RainField::parse(&path.display().to_string(), &bytes, Between::default())
        .map_err(|problems| anyhow::anyhow!("{problems}"))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    study.set_rain(&name, Arc::new(field))?;
    Ok((format!("inputs/{name}"), bytes))
}

/// The page of a report.
const PAGE: &str = "index.html";
/// Its figures.
const FIGURES: &str = "report.json";

/// How many plans, and epochs from one to the next.
fn plans(args: &cli::Report) -> Result<(u32, u32)> {
    const EPOCH_S: u32 = 15;
    if args.step == 0 || !args.step.is_multiple_of(EPOCH_S) {
        bail!(
            "--step {}: expected a multiple of 15 s, the length of an epoch",
            args.step
        );
    }
    if args.samples == 0 {
        bail!("--samples 0: losses and remedies need at least one instant");
    }
    let text = args.duration.trim();
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number: Option<f64> = text[..text.len() - unit.len()].parse().ok();
    let seconds_each = match unit {
        "s" => Some(1.0),
        "m" | "min" => Some(60.0),
        "h" => Some(3_600.0),
        "d" => Some(86_400.0),
        _ => None,
    };
    // A month: elements are not good for longer.
    const LONGEST_S: f64 = 31.0 * 86_400.0;
    let seconds = number.zip(seconds_each).map(|(n, each)| n * each);
    let Some(seconds) = seconds.filter(|s| (1.0..=LONGEST_S).contains(s)) else {
        bail!("--for {text}: expected a time such as 24h, 90m or 1d, at most 31d");
    };
    let plans = (seconds / f64::from(args.step)).floor().max(1.0) as u32;
    Ok((plans, args.step / EPOCH_S))
}

/// Makes the folder and sees that it can be written to, before hours of work.
fn prepare(out: &Path) -> Result<()> {
    let probe = out.join(".write-test");
    std::fs::create_dir_all(out)
        .and_then(|()| std::fs::write(&probe, b""))
        .and_then(|()| std::fs::remove_file(&probe))
        .with_context(|| format!("--out {}: cannot write there", out.display()))
}

fn open_work(
    args: &cli::Report,
    text: &str,
    files: &[(String, Vec<u8>)],
    asked: &str,
) -> Result<work::Work> {
    // Another build of the program may plan differently.
    let program = std::env::current_exe().and_then(std::fs::read);
    let program = program.context("cannot read this program's own file")?;
    let program = blake3::hash(&program);
    let mut parts: Vec<&[u8]> = vec![program.as_bytes(), text.as_bytes(), asked.as_bytes()];
    for (name, bytes) in files {
        parts.extend([name.as_bytes(), bytes.as_slice()]);
    }
    work::Work::open(&args.out, &parts)
}

/// Does all tasks that have no outcome yet, each on a thread of its own: a plan's own parallel parts then cost nothing to start, and
/// no core waits for another.
fn run_all(study: &Study, work: &work::Work, threads: Option<usize>) -> Result<Vec<Outcome>> {
    let tasks = study.tasks();
    let threads = match threads {
        Some(0) => bail!("--threads 0: at least one thread is needed"),
        Some(n) => n,
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let done: Vec<Option<Outcome>> = tasks.iter().map(|t| work.get(study, t)).collect();
    let open: Vec<usize> = (0..tasks.len()).filter(|&i| done[i].is_none()).collect();
    let plans = open.iter().map(|&i| tasks[i].plans()).sum();
    let bar = progress(plans, &format!("part {}", study.part()));
    let done = Mutex::new(done);
    let failed: Mutex<Option<anyhow::Error>> = Mutex::new(None);
    let next = AtomicUsize::new(0);
    let worker = || -> Result<()> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
        while failed.lock().expect("no worker panics").is_none() {
            let Some(&i) = open.get(next.fetch_add(1, Ordering::Relaxed)) else {
                break;
            };
            let task: &Task = &tasks[i];
            let outcome = pool.install(|| study.run(task));
            work.put(task, &outcome)?;
            bar.inc(task.plans());
            done.lock().expect("no worker panics")[i] = Some(outcome);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.min(open.len()) {
            scope.spawn(|| {
                if let Err(error) = worker() {
                    *failed.lock().expect("no worker panics") = Some(error);
                }
            });
        }
    });
    bar.finish_and_clear();
    if let Some(error) = failed.into_inner().expect("no worker panics") {
        return Err(error);
    }
    let done = done.into_inner().expect("no worker panics");
    let all: Option<Vec<Outcome>> = done.into_iter().collect();
    all.context("a task of the study has no outcome")
}

fn summary(summary: &Summary) -> Result<BTreeMap<String, serde_json::Value>> {
    match serde_json::to_value(summary)? {
        serde_json::Value::Object(fields) => Ok(fields.into_iter().collect()),
        _ => bail!("a summary is an object"),
    }
}

fn write_all(
    out: &Path,
    content: &Content,
    files: &[(String, Vec<u8>)],
    world: &World,
) -> Result<()> {
    let write = |name: &str, bytes: &[u8]| {
        let path = out.join(name);
        let folder = path.parent().unwrap_or(out);
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&path, bytes))
            .with_context(|| format!("cannot write {}", path.display()))
    };
    for (name, bytes) in files {
        write(name, bytes)?;
    }
    write("scenario.toml", content.scenario_toml.as_bytes())?;
    write(FIGURES, serde_json::to_string_pretty(content)?.as_bytes())?;
    for (name, bytes) in tables::all(&content.findings)? {
        write(&name, &bytes)?;
    }
    write(PAGE, page::page(content, world)?.as_bytes())
}
