//! `skyweave audit`, `backup`, `restore` and `database`: a service's database, without the service.

use super::spinner;
use crate::cli::{AuditCommand, Backup, DatabaseArgs, DatabaseCommand, Restore};
use crate::operator::{self, AuditBreak, Store, StoreUrl};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use skyweave_base::Utc;
use skyweave_service::{AuditEntry, AuditHead, AuditRow, UtId};
use std::fs::{self, File};
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

/// Rows of the audit log that are read at once.
const PAGE: usize = 1000;
/// Broken places that are printed; the JSON has all.
const SHOWN_BREAKS: usize = 20;
/// What a row did is cut after so many characters in a table.
const LONGEST_WHAT: usize = 100;

/// Checks or shows the audit log.
pub(crate) fn audit(command: &AuditCommand) -> Result<ExitCode> {
    match command {
        AuditCommand::Verify {
            database,
            head,
            json,
        } => verify(&url(database)?, *head, *json),
        AuditCommand::Show {
            database,
            from,
            limit,
            terminal,
            by,
            json,
        } => {
            let wanted = Wanted {
                terminal: *terminal,
                by: by.as_deref(),
            };
            show(&url(database)?, *from, *limit, &wanted, *json)
        }
    }
}

fn verify(url: &StoreUrl, noted: Option<AuditHead>, json: bool) -> Result<ExitCode> {
    let mut store = Store::read_only(url)?;
    let (head, breaks) = store.audit_breaks()?;
    let noted_is_there = noted.map(|noted| store.begins_with(noted)).transpose()?;
    let whole = breaks.is_empty() && noted_is_there != Some(false);
    let mut out = io::stdout().lock();
    if json {
        let told = json!({
            "rows": head.rows, "head": head.to_string(), "whole": whole, "noted_head_found": noted_is_there,
            "breaks": breaks.iter().map(broken_json).collect::<Vec<_>>(),
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&told)?)?;
    } else if breaks.is_empty() {
        writeln!(
            out,
            "the audit log of {url}: {} rows, each follows the one before",
            head.rows
        )?;
        if noted_is_there == Some(true) {
            writeln!(out, "the noted end is in it")?;
        }
        writeln!(
            out,
            "its end is {head}: note it elsewhere, and compare later with --head"
        )?;
    } else {
        for broken in breaks.iter().take(SHOWN_BREAKS) {
            writeln!(out, "{}", broken_text(broken))?;
        }
        if breaks.len() > SHOWN_BREAKS {
            writeln!(out, "and {} more", breaks.len() - SHOWN_BREAKS)?;
        }
        writeln!(out, "All other rows follow the one before them.")?;
    }
    if !breaks.is_empty() {
        bail!(
            "the audit log of {url} was changed in {} places; what it said before is in a backup from before",
            breaks.len()
        );
    }
    if let (Some(noted), Some(false)) = (noted, noted_is_there) {
        bail!(
            "the audit log of {url} ends after {} rows and does not have row {} as it was noted: its end was cut off, \
             it was written anew, or it is another database",
            head.rows,
            noted.rows
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn broken_text(broken: &AuditBreak) -> String {
    // Signed, as the database has it: somebody may have put in a row before the first.
    let (number, after) = (broken.row.number.cast_signed(), broken.after.cast_signed());
    let told = if number == after + 1 {
        format!("row {number} was changed, or the hash of row {after} was:")
    } else if number > after + 2 {
        format!(
            "rows {} to {} are missing; then comes:",
            after + 1,
            number - 1
        )
    } else if number == after + 2 {
        format!("row {} is missing; then comes:", after + 1)
    } else {
        format!("row {number} stands after row {after} and does not belong there:")
    };
    format!("{told}\n{}", row_text(&broken.row))
}

fn broken_json(broken: &AuditBreak) -> Value {
    let mut row = row_json(&broken.row);
    row["after"] = broken.after.into();
    row
}

/// Which rows are shown.
struct Wanted<'a> {
    terminal: Option<UtId>,
    by: Option<&'a str>,
}

impl Wanted<'_> {
    fn all(&self) -> bool {
        self.terminal.is_none() && self.by.is_none()
    }

    fn takes(&self, row: &AuditRow) -> bool {
        let names = |id: UtId| row.body.contains(&id.to_string());
        let did = |who: &str| entry(row).is_some_and(|e| e.stamp.by == who);
        self.terminal.is_none_or(names) && self.by.is_none_or(did)
    }
}

fn show(
    url: &StoreUrl,
    from: Option<u64>,
    limit: usize,
    wanted: &Wanted<'_>,
    json: bool,
) -> Result<ExitCode> {
    let mut store = Store::read_only(url)?;
    let mut rows = std::collections::VecDeque::new();
    let last = store.head()?.rows;
    // Without a first row the last ones are wanted; of all rows one knows where those begin.
    let mut next = match from {
        Some(from) => from,
        None if wanted.all() => (last + 1).saturating_sub(limit as u64),
        None => 0,
    };
    loop {
        let page = store.audit(next, PAGE)?;
        let Some(end) = page.last() else { break };
        next = end.number.saturating_add(1);
        rows.extend(page.into_iter().filter(|row| wanted.takes(row)));
        if from.is_some() && rows.len() >= limit {
            rows.truncate(limit);
            break;
        }
        while rows.len() > limit {
            rows.pop_front();
        }
    }
    let mut out = io::stdout().lock();
    for row in &rows {
        if json {
            writeln!(out, "{}", row_json(row))?;
        } else {
            writeln!(out, "{}", row_text(row))?;
        }
    }
    if rows.is_empty() && !json {
        writeln!(out, "no such rows; the log ends after {last}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn entry(row: &AuditRow) -> Option<AuditEntry> {
    serde_json::from_str(&row.body).ok()
}

/// A row for people. The reason and the action were written by many hands: control characters are not passed on.
fn row_text(row: &AuditRow) -> String {
    let Some(entry) = entry(row) else {
        let number = row.number.cast_signed();
        return format!("{number:>8}  (unreadable) {}", short(&row.body));
    };
    format!(
        "{:>8}  {}  {}  {} ({})",
        row.number,
        Utc::from(entry.stamp.at),
        short(&entry.stamp.by),
        short(&entry.what.to_string()),
        short(&entry.stamp.why),
    )
}

fn short(text: &str) -> String {
    let visible = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut short: String = text.chars().take(LONGEST_WHAT).map(visible).collect();
    if text.chars().nth(LONGEST_WHAT).is_some() {
        short.push('…');
    }
    short
}

fn row_json(row: &AuditRow) -> Value {
    let hash = AuditHead {
        rows: row.number,
        hash: row.hash,
    };
    let mut told = json!({ "number": row.number, "head": hash.to_string() });
    match entry(row) {
        Some(entry) => {
            told["at"] = Utc::from(entry.stamp.at).to_string().into();
            told["by"] = entry.stamp.by.into();
            told["why"] = entry.stamp.why.into();
            told["what"] = entry.what;
        }
        None => told["body"] = row.body.as_str().into(),
    }
    told
}

/// Saves a database.
pub(crate) fn backup(args: &Backup) -> Result<ExitCode> {
    let mut store = Store::read_only(&url(&args.database)?)?;
    let spinner = spinner(&format!("saving {}", store.url()));
    let to_stdout = args.file == Path::new("-");
    let done = if to_stdout {
        let out = io::stdout().lock();
        if out.is_terminal() {
            bail!("a backup is not for a terminal: name a file, or send the output into one");
        }
        operator::backup(&mut store, out)?
    } else {
        backup_to_file(&mut store, &args.file)?
    };
    spinner.finish_and_clear();
    let told = if args.json {
        json!({ "rows": done.rows, "head": done.audit.to_string() }).to_string()
    } else {
        format!(
            "saved {}: {} rows; the audit log ends with {} (note it elsewhere)",
            store.url(),
            done.rows,
            done.audit
        )
    };
    if to_stdout {
        eprintln!("{told}");
    } else {
        writeln!(io::stdout(), "{told}")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Under another name until it is whole and on the disk; a backup that exists is never replaced.
fn backup_to_file(store: &mut Store, file: &Path) -> Result<operator::BackedUp> {
    if file.exists() {
        bail!(
            "{} exists: a backup is not replaced, name another file",
            file.display()
        );
    }
    let mut name = file.as_os_str().to_owned();
    name.push(".partial");
    let partial = Path::new(&name);
    let cannot = || format!("cannot write {}", partial.display());
    let mut options = File::options();
    // Positions and hashes of tokens are in it.
    let out = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(partial)
        .with_context(cannot)?;
    let mut save = || {
        let done = operator::backup(store, io::BufWriter::new(&out))?;
        out.sync_all().with_context(cannot)?;
        // Not `rename`, which would replace what somebody has put there meanwhile.
        fs::hard_link(partial, file).with_context(|| format!("cannot make {}", file.display()))?;
        Ok(done)
    };
    let done = save();
    // If it stays, it only takes room, and its name says what it is.
    let _ = fs::remove_file(partial);
    done
}

/// Restores a database.
pub(crate) fn restore(args: &Restore) -> Result<ExitCode> {
    let url = url(&args.database)?;
    let from: Box<dyn Read> = if args.file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(&args.file);
        Box::new(file.with_context(|| format!("cannot read {}", args.file.display()))?)
    };
    let is_new = url.file().is_some_and(|file| !file.exists());
    let mut store = Store::open(&url)?;
    let spinner = spinner(&format!("restoring {url}"));
    let restored = operator::restore(&mut store, from);
    spinner.finish_and_clear();
    drop(store);
    let done = restored.inspect_err(|_| {
        if let (true, Some(file)) = (is_new, url.file()) {
            discard(file);
        }
    })?;
    let mut out = io::stdout().lock();
    if args.json {
        let told = json!({
            "rows": done.rows, "head": done.audit.to_string(), "audit_whole": done.broken.is_none(),
        });
        writeln!(out, "{told}")?;
    } else {
        let (rows, head) = (done.rows, done.audit);
        writeln!(
            out,
            "restored {url}: {rows} rows; the audit log ends with {head}"
        )?;
    }
    if let Some(broken) = done.broken {
        eprintln!("warning: {broken}: so it was when it was saved (see `skyweave audit verify`)");
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes the empty database that a restore has made for nothing: `skyweave up` would take it for a new service.
fn discard(file: &Path) {
    for beside in ["", "-wal", "-shm", ".lock"] {
        let mut name = file.as_os_str().to_owned();
        name.push(beside);
        let _ = fs::remove_file(name);
    }
}

/// Looks at a database, or brings it forwards.
pub(crate) fn database(command: &DatabaseCommand) -> Result<ExitCode> {
    match command {
        DatabaseCommand::Info { database, json } => info(&url(database)?, *json),
        DatabaseCommand::Check { database, json } => check(&url(database)?, *json),
        DatabaseCommand::Migrate { database, json } => {
            let url = url(database)?;
            let (from, to) = Store::migrate(&url)?;
            let mut out = io::stdout().lock();
            if *json {
                writeln!(out, "{}", json!({ "from": from, "to": to }))?;
            } else if from == to {
                writeln!(out, "{url} has version {to} already: nothing to do")?;
            } else {
                writeln!(out, "{url} came from version {from} to {to}")?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn info(url: &StoreUrl, json: bool) -> Result<ExitCode> {
    let info = Store::info(url)?;
    let mut out = io::stdout().lock();
    if json {
        let told = json!({
            "engine": info.engine, "version": info.version, "known_version": info.known, "bytes": info.bytes,
            "things": info.contents.as_ref().map(|c| &c.things),
            "records": info.contents.as_ref().map(|c| &c.records),
            "usage": info.contents.as_ref().map(|c| c.usage),
            "audit_rows": info.contents.as_ref().map(|c| c.audit.rows),
            "audit_head": info.contents.as_ref().map(|c| c.audit.to_string()),
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&told)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let megabytes = info.bytes as f64 / 1e6;
    writeln!(out, "{url}: {}, {megabytes:.1} MB", info.engine)?;
    let Some(contents) = info.contents else {
        match info.version {
            0 => writeln!(out, "empty: `skyweave up` makes the tables")?,
            older => writeln!(
                out,
                "version {older}; `skyweave database migrate` brings it to {}",
                info.known
            )?,
        }
        return Ok(ExitCode::SUCCESS);
    };
    writeln!(out, "version {}, the newest", info.version)?;
    for (kind, count) in &contents.things {
        writeln!(out, "{count:>12}  {kind}")?;
    }
    for (kind, count) in &contents.records {
        writeln!(out, "{count:>12}  {kind} (record)")?;
    }
    writeln!(out, "{:>12}  usage counters", contents.usage)?;
    writeln!(out, "{:>12}  audit rows", contents.audit.rows)?;
    writeln!(out, "the audit log ends with {}", contents.audit)?;
    Ok(ExitCode::SUCCESS)
}

fn check(url: &StoreUrl, json: bool) -> Result<ExitCode> {
    let mut store = Store::read_only(url)?;
    let spinner = spinner(&format!("checking {url}"));
    let checked = store.check()?;
    spinner.finish_and_clear();
    let wrong = checked.iter().filter(|c| c.found.is_err()).count();
    let mut out = io::stdout().lock();
    if json {
        let parts: Vec<Value> = checked
            .iter()
            .map(|c| json!({ "what": c.what, "whole": c.found.is_ok(), "found": c.found.as_ref().unwrap_or_else(|e| e) }))
            .collect();
        writeln!(out, "{}", json!({ "whole": wrong == 0, "parts": parts }))?;
    } else {
        for part in &checked {
            match &part.found {
                Ok(found) => writeln!(out, "{:<10} {found}", part.what)?,
                Err(wrong) => writeln!(out, "{:<10} DAMAGED: {wrong}", part.what)?,
            }
        }
    }
    if wrong > 0 {
        bail!(
            "{url} is damaged; keep it as it is, and restore a backup into a new database (`skyweave restore`)"
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn url(args: &DatabaseArgs) -> Result<StoreUrl> {
    Ok(args.database.parse()?)
}
