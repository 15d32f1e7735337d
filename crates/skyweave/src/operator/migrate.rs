//! Versions of the tables, and the steps from one to the next. A step that was released is never changed.

use super::StoreError;
use super::database::{Access, Connection, Value};

/// Steps for SQLite and PostgreSQL; the version of a database is how many of them it has taken.
const STEPS: [(&str, &str); 3] = [
    (
        include_str!("../../migrations/sqlite/0001.sql"),
        include_str!("../../migrations/postgres/0001.sql"),
    ),
    (
        include_str!("../../migrations/sqlite/0002.sql"),
        include_str!("../../migrations/postgres/0002.sql"),
    ),
    (
        include_str!("../../migrations/sqlite/0003.sql"),
        include_str!("../../migrations/postgres/0003.sql"),
    ),
];
/// The version that this program writes.
pub(super) const VERSION: u32 = STEPS.len() as u32;

/// Brings a database to this program's version, in one transaction; an empty one from nothing.
pub(super) fn forwards(db: &mut Connection) -> Result<(), StoreError> {
    if found(db)? == VERSION {
        return Ok(());
    }
    db.at_length(|db| db.transaction(Access::Write, take_steps))
}

fn take_steps(db: &mut Connection) -> Result<(), StoreError> {
    let version = found(db)?;
    for (sqlite, postgres) in STEPS.iter().skip(version as usize) {
        db.batch(if db.is_sqlite() { sqlite } else { postgres })?;
    }
    let version = VERSION.to_string();
    db.execute(
        "INSERT INTO meta (key, value) VALUES ('version', $1) \
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        &[Value::Text(&version)],
    )?;
    Ok(())
}

/// Asks that a database has exactly this program's version.
pub(super) fn check(db: &mut Connection) -> Result<(), StoreError> {
    match found(db)? {
        VERSION => Ok(()),
        found => Err(StoreError::Older {
            database: db.url().clone(),
            found,
            known: VERSION,
        }),
    }
}

/// The version of a database: 0 if it is empty.
pub(super) fn found(db: &mut Connection) -> Result<u32, StoreError> {
    let tables = if db.is_sqlite() {
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    } else {
        "SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = current_schema()"
    };
    let (mut any, mut ours) = (false, false);
    db.rows(tables, &[], &mut |row| {
        any = true;
        ours |= row.text(0)? == "meta";
        Ok(())
    })?;
    if !any {
        return Ok(0);
    }
    let mut version = None;
    if ours {
        let ask = "SELECT value FROM meta WHERE key = 'version'";
        let mut read = |row: &super::database::Row<'_>| {
            version = row.text(0)?.parse().ok();
            Ok(())
        };
        match db.rows(ask, &[], &mut read) {
            // A table of that name, with other columns.
            Err(StoreError::Other { .. }) => {}
            answer => answer?,
        }
    }
    match version {
        None | Some(0) => Err(StoreError::NotOurs(db.url().clone())),
        Some(found) if found > VERSION => Err(StoreError::Newer {
            database: db.url().clone(),
            found,
            known: VERSION,
        }),
        Some(found) => Ok(found),
    }
}
