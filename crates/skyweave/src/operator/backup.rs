//! Backups: one file for both databases, so that what was saved from a file can be restored into PostgreSQL.
//!
//! A gzip file of JSON lines: a head, a line for each row of each table with its text as it stands, and an end with the
//! number of lines and the BLAKE3 hash of all before it. A file that was cut off has no end.

use super::StoreError;
use super::database::{Access, Connection};
use super::migrate;
use super::store::{self, Record, Store, ThingWriter};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use skyweave_service::{AuditBroken, AuditHead, AuditRow, Register, UsageRecord};
use std::io::{self, BufRead, BufReader, Read, Write};

/// The format of the file.
const FORMAT: u32 = 1;
/// A line's greatest length, bytes: far above a service area of the most corners, and a bound for what is not a backup.
const LONGEST_LINE: u64 = 64 << 20;
/// Audit rows that are written at once.
const PAGE: usize = 1000;

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Head {
        skyweave_backup: u32,
        version: u32,
        audit: AuditHead,
    },
    Thing(String, String, String),
    Usage(UsageRecord),
    Record(String, String, String),
    Audit(AuditRow),
    End {
        lines: u64,
        blake3: String,
    },
}

/// What was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackedUp {
    /// The end of the audit log that was saved: keep a copy elsewhere.
    pub audit: AuditHead,
    /// Rows of all tables.
    pub rows: u64,
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The end of the audit log.
    pub audit: AuditHead,
    /// Rows of all tables.
    pub rows: u64,
    /// What is wrong with the audit log, if it was wrong when it was saved. A broken log is restored as it is: it is
    /// evidence.
    pub broken: Option<AuditBroken>,
}

/// Saves one state of the database, while others go on writing.
///
/// # Errors
/// [`StoreError`] of the database; [`StoreError::BadBackup`] if the file cannot be written.
pub fn backup(store: &mut Store, to: impl Write) -> Result<BackedUp, StoreError> {
    store.db.transaction(Access::Read, |db| {
        let mut out = Lines {
            out: GzEncoder::new(to, Compression::fast()),
            hasher: blake3::Hasher::new(),
            lines: 0,
        };
        let audit = store::head(db)?;
        out.put(&Line::Head {
            skyweave_backup: FORMAT,
            version: migrate::VERSION,
            audit,
        })?;
        save_tables(db, &mut out)?;
        let rows = out.lines - 1;
        let end = Line::End {
            lines: out.lines,
            blake3: out.hasher.finalize().to_hex().to_string(),
        };
        out.put(&end)?;
        let mut to = out.out.finish().map_err(unwritable)?;
        to.flush().map_err(unwritable)?;
        Ok(BackedUp { audit, rows })
    })
}

fn save_tables<W: Write>(db: &mut Connection, out: &mut Lines<W>) -> Result<(), StoreError> {
    // An error of the file ends the reading of rows; the text in between only carries it out.
    let mut failed = None;
    let mut put = |line: Line| {
        out.put(&line).map_err(|e| {
            let text = e.to_string();
            failed = Some(e);
            text
        })
    };
    let own = |k: &str, i: &str, b: &str| (k.to_owned(), i.to_owned(), b.to_owned());
    let mut tables = || {
        store::each_of(db, store::THINGS, |kind, id, body| {
            let (kind, id, body) = own(kind, id, body);
            put(Line::Thing(kind, id, body))
        })?;
        store::each_of(db, store::RECORDS, |kind, id, body| {
            let (kind, id, body) = own(kind, id, body);
            put(Line::Record(kind, id, body))
        })?;
        store::each_usage(db, |usage| put(Line::Usage(usage)))?;
        store::each_row_as_it_stands(db, |row| put(Line::Audit(row)))
    };
    let done = tables();
    match failed {
        Some(error) => Err(error),
        None => done,
    }
}

/// Restores a backup into an empty database, all or nothing.
///
/// # Errors
/// [`StoreError::NotEmpty`]; [`StoreError::BadBackup`] for a file that is damaged, cut off or of another kind;
/// [`StoreError::Things`] for things that do not fit together.
pub fn restore(store: &mut Store, from: impl Read) -> Result<Restored, StoreError> {
    let mut lines = SavedLines::new(from);
    let (audit, version) = match lines.next()? {
        Some(Line::Head {
            skyweave_backup: FORMAT,
            version,
            audit,
        }) => (audit, version),
        Some(Line::Head { .. }) => return Err(bad("a newer skyweave made it")),
        _ => return Err(bad("it is no backup of skyweave's service")),
    };
    if version > migrate::VERSION {
        return Err(bad("a newer skyweave made it"));
    }
    store.db.transaction(Access::Write, |db| {
        if !is_empty(db)? {
            return Err(StoreError::NotEmpty(db.url().clone()));
        }
        let rows = put_tables(db, &mut lines)?;
        let things = store::load(db)?;
        if things.head != audit {
            return Err(bad("its audit log ends otherwise than its head says"));
        }
        Register::load(things).map_err(|source| StoreError::Things {
            database: db.url().clone(),
            source,
        })?;
        let broken = match store::verify(db) {
            Ok(_) => None,
            Err(StoreError::Audit(broken)) => Some(broken),
            Err(other) => return Err(other),
        };
        Ok(Restored {
            audit,
            rows,
            broken,
        })
    })
}

fn put_tables<R: Read>(db: &mut Connection, lines: &mut SavedLines<R>) -> Result<u64, StoreError> {
    let mut page: Vec<AuditRow> = Vec::new();
    let mut usage = Vec::new();
    let mut things = ThingWriter::new(db);
    loop {
        let (hash, count) = (lines.hasher.finalize(), lines.lines);
        match lines.next()? {
            Some(Line::Thing(kind, id, body)) => things.push(kind, id, body)?,
            Some(Line::Usage(record)) => usage.push(record),
            Some(Line::Record(kind, id, body)) => {
                let body = Some(body);
                store::put_record(things.db, &Record { kind, id, body })?;
            }
            Some(Line::Audit(row)) => page.push(row),
            Some(Line::End { lines: n, blake3 }) => {
                if n != count || blake3 != hash.to_hex().as_str() {
                    return Err(bad("it was changed"));
                }
                // To the end of the file: there stands gzip's own check.
                if lines.next()?.is_some() {
                    return Err(bad("it goes on after its end"));
                }
                things.flush()?;
                store::put_usage(db, &usage)?;
                store::append(db, page.iter())?;
                return Ok(count - 1);
            }
            Some(Line::Head { .. }) => return Err(bad("it has two heads")),
            None => return Err(bad("it was cut off: its end is missing")),
        }
        if page.len() == PAGE {
            store::append(things.db, page.iter())?;
            page.clear();
        }
        if usage.len() == PAGE {
            store::put_usage(things.db, &usage)?;
            usage.clear();
        }
    }
}

fn is_empty(db: &mut Connection) -> Result<bool, StoreError> {
    let mut empty = true;
    db.rows(
        "SELECT kind FROM thing UNION ALL SELECT kind FROM record UNION ALL SELECT terminal FROM usage \
         UNION ALL SELECT body FROM audit LIMIT 1",
        &[],
        &mut |_| {
            empty = false;
            Ok(())
        },
    )?;
    Ok(empty)
}

/// Lines on their way out, counted and hashed.
struct Lines<W: Write> {
    out: GzEncoder<W>,
    hasher: blake3::Hasher,
    lines: u64,
}

impl<W: Write> Lines<W> {
    fn put(&mut self, line: &Line) -> Result<(), StoreError> {
        let mut text = serde_json::to_vec(line).expect("a line is JSON");
        text.push(b'\n');
        self.hasher.update(&text);
        self.lines += 1;
        self.out.write_all(&text).map_err(unwritable)
    }
}

/// Lines on their way in, counted and hashed.
struct SavedLines<R: Read> {
    from: BufReader<MultiGzDecoder<R>>,
    text: Vec<u8>,
    hasher: blake3::Hasher,
    lines: u64,
}

impl<R: Read> SavedLines<R> {
    fn new(from: R) -> Self {
        Self {
            from: BufReader::new(MultiGzDecoder::new(from)),
            text: Vec::new(),
            hasher: blake3::Hasher::new(),
            lines: 0,
        }
    }

    fn next(&mut self) -> Result<Option<Line>, StoreError> {
        self.text.clear();
        let mut limited = (&mut self.from).take(LONGEST_LINE);
        let read = limited.read_until(b'\n', &mut self.text);
        read.map_err(|e| bad(&e.to_string()))?;
        if self.text.is_empty() {
            return Ok(None);
        }
        self.hasher.update(&self.text);
        self.lines += 1;
        let line = serde_json::from_slice(&self.text);
        line.map(Some)
            .map_err(|e| bad(&format!("line {}: {e}", self.lines)))
    }
}

fn bad(why: &str) -> StoreError {
    StoreError::BadBackup(why.to_owned())
}

fn unwritable(error: io::Error) -> StoreError {
    StoreError::BadBackup(format!("it cannot be written: {error}"))
}
