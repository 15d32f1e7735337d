//! A look at a database from outside the service: what is in it, whether it is whole, and to which version it belongs.

use super::database::{Access, Connection, Value};
use super::store::{self, Store};
use super::{StoreError, StoreUrl, migrate};
use skyweave_service::{AuditHead, AuditRow, Register};
use std::collections::BTreeMap;

/// What a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// The program that keeps it, with its version.
    pub engine: String,
    /// The version of its tables; 0: it is empty.
    pub version: u32,
    /// The version that this program writes.
    pub known: u32,
    /// What it takes on its disk, bytes.
    pub bytes: u64,
    /// What is in it; `None` if it has an older version.
    pub contents: Option<Contents>,
}

/// How much is in a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Things by kind.
    pub things: BTreeMap<String, u64>,
    /// Records of the program around the service, by kind.
    pub records: BTreeMap<String, u64>,
    /// Counters of traffic.
    pub usage: u64,
    /// The end of the audit log, as it stands.
    pub audit: AuditHead,
}

/// What was looked at, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What.
    pub what: &'static str,
    /// How much of it there is, or what is wrong.
    pub found: Result<String, String>,
}

/// A row of the audit log that does not follow the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditBreak {
    /// The number of the row before; 0 before the first.
    pub after: u64,
    /// The row as it stands.
    pub row: AuditRow,
}

impl Store {
    /// What a database is; also beside whoever writes to it.
    ///
    /// # Errors
    /// [`StoreError`]; an older version is none.
    pub fn info(url: &StoreUrl) -> Result<Info, StoreError> {
        let mut db = Connection::open(url, Access::Read)?;
        db.transaction(Access::Read, info)
    }

    /// Brings a database to this program's version; from which it came, and to which it was brought.
    ///
    /// # Errors
    /// [`StoreError`]: then it is as it was.
    pub fn migrate(url: &StoreUrl) -> Result<(u32, u32), StoreError> {
        let mut db = Connection::open(url, Access::Write)?;
        let from = migrate::found(&mut db)?;
        migrate::forwards(&mut db)?;
        Ok((from, migrate::VERSION))
    }

    /// Looks at everything in the database: its pages, its things and how they fit together, the chain of its audit log.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be looked at; what is wrong with it is in the answer.
    pub fn check(&mut self) -> Result<Vec<Checked>, StoreError> {
        self.db.transaction(Access::Read, check)
    }

    /// All places where the audit log is broken, and its end as it stands. A changed text breaks its own row; a changed
    /// hash, or a row changed together with its hash, the row after it.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn audit_breaks(&mut self) -> Result<(AuditHead, Vec<AuditBreak>), StoreError> {
        self.db.transaction(Access::Read, audit_breaks)
    }
}

fn info(db: &mut Connection) -> Result<Info, StoreError> {
    let version = migrate::found(db)?;
    let contents = match version {
        migrate::VERSION => Some(contents(db)?),
        _ => None,
    };
    let (engine, bytes) = if db.is_sqlite() {
        let ask = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
        (text(db, "SELECT 'SQLite ' || sqlite_version()")?, ask)
    } else {
        let engine = "SELECT 'PostgreSQL ' || current_setting('server_version')";
        (
            text(db, engine)?,
            "SELECT pg_database_size(current_database())",
        )
    };
    Ok(Info {
        engine,
        version,
        known: migrate::VERSION,
        bytes: int(db, bytes)?.unsigned_abs(),
        contents,
    })
}

fn check(db: &mut Connection) -> Result<Vec<Checked>, StoreError> {
    let mut checked = Vec::new();
    let mut note = |what, found: Result<String, StoreError>| -> Result<(), StoreError> {
        let found = match found {
            Ok(found) => Ok(found),
            Err(StoreError::Damaged { detail, .. }) => Err(detail),
            Err(error @ (StoreError::Things { .. } | StoreError::Audit(_))) => {
                Err(error.to_string())
            }
            Err(other) => return Err(other),
        };
        checked.push(Checked { what, found });
        Ok(())
    };
    if db.is_sqlite() {
        note("pages", pages(db))?;
    }
    note("things", things(db))?;
    note("records", records(db))?;
    note("usage", usage(db))?;
    let rows = |head: AuditHead| format!("{} rows, each follows the one before", head.rows);
    note("audit log", store::verify(db).map(rows))?;
    Ok(checked)
}

fn audit_breaks(db: &mut Connection) -> Result<(AuditHead, Vec<AuditBreak>), StoreError> {
    let (mut head, mut breaks) = (AuditHead::default(), Vec::new());
    store::each_row_as_it_stands(db, |row| {
        // Rows count from 1, and a database has signed numbers: another one was put in, and nothing follows it.
        let can_be = (1..=i64::MAX as u64).contains(&row.number);
        let next = AuditHead {
            rows: row.number,
            hash: row.hash,
        };
        if !can_be || head.follow(&row).is_err() {
            let after = head.rows;
            breaks.push(AuditBreak { after, row });
        }
        if can_be {
            head = next;
        }
        Ok(())
    })?;
    Ok((head, breaks))
}

fn contents(db: &mut Connection) -> Result<Contents, StoreError> {
    let things = "SELECT kind, CAST(COUNT(*) AS BIGINT) FROM thing GROUP BY kind ORDER BY kind";
    let records = "SELECT kind, CAST(COUNT(*) AS BIGINT) FROM record GROUP BY kind ORDER BY kind";
    Ok(Contents {
        things: by_kind(db, things)?,
        records: by_kind(db, records)?,
        usage: int(db, "SELECT COUNT(*) FROM usage")?.unsigned_abs(),
        audit: store::head(db)?,
    })
}

fn by_kind(db: &mut Connection, ask: &'static str) -> Result<BTreeMap<String, u64>, StoreError> {
    let mut counts = BTreeMap::new();
    db.rows(ask, &[], &mut |row| {
        counts.insert(row.text(0)?.to_owned(), row.int(1)?.unsigned_abs());
        Ok(())
    })?;
    Ok(counts)
}

/// What SQLite itself finds in its file (sqlite.org/pragma.html#pragma_integrity_check).
fn pages(db: &mut Connection) -> Result<String, StoreError> {
    let mut wrong = Vec::new();
    db.rows("PRAGMA integrity_check(20)", &[], &mut |row| {
        wrong.push(row.text(0)?.to_owned());
        Ok(())
    })?;
    if wrong == ["ok"] {
        return Ok("whole".to_owned());
    }
    Err(StoreError::Damaged {
        database: db.url().clone(),
        detail: wrong.join("; "),
    })
}

fn things(db: &mut Connection) -> Result<String, StoreError> {
    let things = store::load(db)?;
    let register = Register::load(things).map_err(|source| StoreError::Things {
        database: db.url().clone(),
        source,
    })?;
    Ok(format!(
        "{} terminals, {} accounts, {} areas, {} lists fit together",
        register.terminals().len(),
        register.accounts().len(),
        register.areas().len(),
        register.lists().len()
    ))
}

fn records(db: &mut Connection) -> Result<String, StoreError> {
    let mut count = 0_u64;
    store::each_of(db, store::RECORDS, |_, _, _| {
        count += 1;
        Ok(())
    })?;
    Ok(format!("{count} readable"))
}

fn usage(db: &mut Connection) -> Result<String, StoreError> {
    let mut count = 0_u64;
    store::each_usage(db, |_| {
        count += 1;
        Ok(())
    })?;
    Ok(format!("{count} counters readable"))
}

fn int(db: &mut Connection, ask: &'static str) -> Result<i64, StoreError> {
    let mut value = 0;
    db.rows(ask, &[] as &[Value<'_>], &mut |row| {
        value = row.int(0)?;
        Ok(())
    })?;
    Ok(value)
}

fn text(db: &mut Connection, ask: &'static str) -> Result<String, StoreError> {
    let mut value = String::new();
    db.rows(ask, &[] as &[Value<'_>], &mut |row| {
        value = row.text(0)?.to_owned();
        Ok(())
    })?;
    Ok(value)
}
