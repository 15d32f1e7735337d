//! The database of the service: writes what commands changed in one transaction, reads it back, and decides nothing.

use super::StoreError;
use super::database::{Access, Bulk, Column, Connection, Row, Value};
use super::migrate;
use super::url::StoreUrl;
use serde::Serialize;
use serde::de::DeserializeOwned;
use skyweave_base::Time;
use skyweave_service::{
    AllowList, AuditBroken, AuditHead, AuditRow, ChainHash, Denied, ListEntry, ListId, ListRequest,
    Outcome, Register, RequestId, Things, Touched, UsageRecord, UtId,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Rows that go to or come from the database at once.
const PAGE: usize = 5000;

const APPEND: Bulk = Bulk {
    one: "INSERT INTO audit (number, body, hash) VALUES ($1, $2, $3)",
    many: "INSERT INTO audit (number, body, hash) \
           SELECT * FROM unnest(CAST($1 AS BIGINT[]), CAST($2 AS TEXT[]), CAST($3 AS TEXT[]))",
};
const PUT_THING: Bulk = Bulk {
    one: "INSERT INTO thing (kind, id, body) VALUES ($1, $2, $3) \
          ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
    many: "INSERT INTO thing (kind, id, body) \
           SELECT * FROM unnest(CAST($1 AS TEXT[]), CAST($2 AS TEXT[]), CAST($3 AS TEXT[])) \
           ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
};
const PUT_USAGE: Bulk = Bulk {
    one: "INSERT INTO usage (terminal, period_start, down_bytes, up_bytes) VALUES ($1, $2, $3, $4) \
          ON CONFLICT (terminal, period_start) \
          DO UPDATE SET down_bytes = excluded.down_bytes, up_bytes = excluded.up_bytes",
    many: "INSERT INTO usage (terminal, period_start, down_bytes, up_bytes) \
           SELECT * FROM unnest(CAST($1 AS TEXT[]), CAST($2 AS BIGINT[]), CAST($3 AS BIGINT[]), CAST($4 AS BIGINT[])) \
           ON CONFLICT (terminal, period_start) \
           DO UPDATE SET down_bytes = excluded.down_bytes, up_bytes = excluded.up_bytes",
};

/// Something that the program around the service keeps: the answer to a request that may come again, for example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What kind of record, for example `user`.
    pub kind: String,
    /// Which of them.
    pub id: String,
    /// What it says; `None`: it is removed.
    pub body: Option<String>,
}

/// What is to be written, all or nothing.
#[derive(Clone, Copy, Debug)]
pub struct Writes<'a> {
    /// The register as the database has it.
    pub before: &'a Register,
    /// The register as it is to be.
    pub after: &'a Register,
    /// What the commands between the two gave, in their order.
    pub outcomes: &'a [Arc<Outcome>],
    /// Counters, no two of one terminal and period.
    pub usage: &'a [UsageRecord],
    /// Records, a later one of the same kind and id in place of an earlier one.
    pub records: &'a [Record],
}

/// A database of the service. Its calls wait for the database: not from an asynchronous function.
pub struct Store {
    pub(super) db: Connection,
}

impl Store {
    /// Opens a database for writing, makes it if it is a file that is not there, and brings it to this program's version.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::InUse`] if another process has opened it so.
    pub fn open(url: &StoreUrl) -> Result<Self, StoreError> {
        let mut db = Connection::open(url, Access::Create)?;
        migrate::forwards(&mut db)?;
        Ok(Self { db })
    }

    /// Opens a database for writing again; one that is not there is an error.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn reopen(url: &StoreUrl) -> Result<Self, StoreError> {
        let mut db = Connection::open(url, Access::Write)?;
        migrate::check(&mut db)?;
        Ok(Self { db })
    }

    /// Opens a database beside whoever writes to it.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn read_only(url: &StoreUrl) -> Result<Self, StoreError> {
        let mut db = Connection::open(url, Access::Read)?;
        migrate::check(&mut db)?;
        Ok(Self { db })
    }

    /// Where it is.
    pub fn url(&self) -> &StoreUrl {
        self.db.url()
    }

    /// Writes the audit rows, every touched thing as it now stands, counters and records, in one transaction. When this
    /// returns, they are on the disk.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was written, or, after [`StoreError::Gone`], all or nothing: [`Store::head`] tells.
    pub fn write(&mut self, writes: &Writes<'_>) -> Result<(), StoreError> {
        self.db.transaction(Access::Write, |db| {
            let rows = writes.outcomes.iter().map(|o| &o.row);
            append(db, rows)?;
            let touched: BTreeSet<Touched> = writes
                .outcomes
                .iter()
                .flat_map(|o| o.touched.iter().copied())
                .collect();
            let mut things = ThingWriter::new(db);
            for touched in touched {
                things.touched(writes.before, writes.after, touched)?;
            }
            things.flush()?;
            put_usage(db, writes.usage)?;
            writes.records.iter().try_for_each(|r| put_record(db, r))
        })
    }

    /// Everything as it stands.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn load(&mut self) -> Result<Things, StoreError> {
        self.db.transaction(Access::Read, load)
    }

    /// The end of the audit log.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn head(&mut self) -> Result<AuditHead, StoreError> {
        head(&mut self.db)
    }

    /// Whether the audit log begins with the rows that end so.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn begins_with(&mut self, head: AuditHead) -> Result<bool, StoreError> {
        if head.rows == 0 {
            return Ok(true);
        }
        Ok(self
            .audit(head.rows, 1)?
            .first()
            .is_some_and(|row| row.number == head.rows && row.hash == head.hash))
    }

    /// Rows of the audit log from this number on, at most so many.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn audit(&mut self, from: u64, at_most: usize) -> Result<Vec<AuditRow>, StoreError> {
        audit(&mut self.db, from.cast_signed(), at_most)
    }

    /// Checks the whole audit log, and that it ends as expected if that is given.
    ///
    /// # Errors
    /// [`StoreError::Audit`] with the first row that does not fit; [`StoreError`] if it cannot be read.
    pub fn verify_audit(&mut self, expected: Option<AuditHead>) -> Result<AuditHead, StoreError> {
        let head = self.db.transaction(Access::Read, verify)?;
        match expected.filter(|&e| e != head) {
            Some(e) => Err(AuditBroken::OtherEnd {
                found: head.rows,
                expected: e.rows,
            }
            .into()),
            None => Ok(head),
        }
    }

    /// Traffic of a terminal, all periods.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn usage_of(&mut self, terminal: UtId) -> Result<Vec<UsageRecord>, StoreError> {
        let mut records = Vec::new();
        self.db.rows(
            "SELECT terminal, period_start, down_bytes, up_bytes FROM usage WHERE terminal = $1 ORDER BY period_start",
            &[Value::Text(&terminal.to_string())],
            &mut |row| {
                records.push(usage_record(row)?);
                Ok(())
            },
        )?;
        Ok(records)
    }

    /// All records of a kind, by id.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn records(&mut self, kind: &str) -> Result<Vec<Record>, StoreError> {
        let mut records = Vec::new();
        self.db.rows(
            "SELECT id, body FROM record WHERE kind = $1 ORDER BY id",
            &[Value::Text(kind)],
            &mut |row| {
                records.push(Record {
                    kind: kind.to_owned(),
                    id: row.text(0)?.to_owned(),
                    body: Some(row.text(1)?.to_owned()),
                });
                Ok(())
            },
        )?;
        Ok(records)
    }

    /// Whether the database would take a write now.
    ///
    /// # Errors
    /// [`StoreError`]: why not.
    pub fn probe(&mut self) -> Result<(), StoreError> {
        self.db.transaction(Access::Write, |db| {
            let sql = "INSERT INTO meta (key, value) VALUES ('probe', $1) \
                       ON CONFLICT (key) DO UPDATE SET value = excluded.value";
            db.execute(sql, &[Value::Text("a write went through")])
                .map(drop)
        })
    }

    /// Whether the database is still there.
    ///
    /// # Errors
    /// [`StoreError::Gone`] if it is not.
    pub fn check_present(&mut self) -> Result<(), StoreError> {
        self.db.check_present()
    }
}

/// Collects rows of the table of things and writes them by the thousand.
pub(super) struct ThingWriter<'a> {
    pub(super) db: &'a mut Connection,
    columns: [Vec<String>; 3],
}

impl<'a> ThingWriter<'a> {
    pub(super) fn new(db: &'a mut Connection) -> Self {
        Self {
            db,
            columns: Default::default(),
        }
    }

    /// Writes a thing as it stands after, or removes it.
    fn touched(
        &mut self,
        before: &Register,
        after: &Register,
        touched: Touched,
    ) -> Result<(), StoreError> {
        match touched {
            Touched::Organisation(id) => {
                self.put_or_remove("organisation", id, after.organisations().get(&id))
            }
            Touched::Account(id) => self.put_or_remove("account", id, after.accounts().get(&id)),
            Touched::Plan(id) => self.put_or_remove("plan", id, after.plans().get(&id)),
            Touched::Area(id) => {
                self.put_or_remove("area", id, after.areas().get(&id).map(AsRef::as_ref))
            }
            Touched::Terminal(id) => self.put_or_remove("terminal", id, after.terminals().get(&id)),
            Touched::Incident(id) => self.put_or_remove("incident", id, after.incidents().get(&id)),
            Touched::Defaults => {
                self.put("setting", "defaults".into(), &after.defaults())?;
                self.put("setting", "automatic".into(), after.automatic())
            }
            Touched::User(id) => {
                let directory = after.directory();
                self.put_or_remove("user", id, directory.users().get(&id))?;
                let password = directory.passwords().get(&id).map(|p| (id, p));
                self.put_or_remove("password", id, password.as_ref())
            }
            Touched::Token(id) => {
                self.put_or_remove("token", id, after.directory().tokens().get(&id))
            }
            Touched::SignIn(id) => {
                self.put_or_remove("sign_in", id, after.directory().sign_ins().get(&id))
            }
            Touched::DenyList => self.deny_list(before.denied(), after.denied()),
            Touched::List(id) => self.list(id, before.lists().get(&id), after.lists().get(&id)),
        }
    }

    /// A list's name and limits are one row, each entry and request another: a list has as many as a country has terminals.
    fn list(
        &mut self,
        id: ListId,
        before: Option<&AllowList>,
        after: Option<&AllowList>,
    ) -> Result<(), StoreError> {
        let own = after.map(|list| (&list.name, &list.limits));
        self.put_or_remove("list", id, own.as_ref())?;
        let (entries, requests) = (BTreeMap::new(), BTreeMap::new());
        for (terminal, entry) in changes(
            before.map_or(&entries, |l| &l.entries),
            after.map_or(&entries, |l| &l.entries),
        ) {
            self.put_or_remove(
                "entry",
                format_args!("{id}/{terminal}"),
                entry.map(|e| (id, terminal, e)).as_ref(),
            )?;
        }
        for (request, asked) in changes(
            before.map_or(&requests, |l| &l.requests),
            after.map_or(&requests, |l| &l.requests),
        ) {
            self.put_or_remove(
                "request",
                format_args!("{id}/{request}"),
                asked.map(|r| (id, request, r)).as_ref(),
            )?;
        }
        Ok(())
    }

    fn deny_list(
        &mut self,
        before: &BTreeSet<Denied>,
        after: &BTreeSet<Denied>,
    ) -> Result<(), StoreError> {
        let name = |whom: &Denied| match whom {
            Denied::Terminal(id) => format!("terminal/{id}"),
            Denied::Account(id) => format!("account/{id}"),
        };
        for whom in before.difference(after) {
            self.put_or_remove("denied", name(whom), None::<&Denied>)?;
        }
        for whom in after.difference(before) {
            self.put("denied", name(whom), whom)?;
        }
        Ok(())
    }

    fn put_or_remove<T: Serialize>(
        &mut self,
        kind: &str,
        id: impl ToString,
        thing: Option<&T>,
    ) -> Result<(), StoreError> {
        match thing {
            Some(thing) => self.put(kind, id.to_string(), thing),
            None => self
                .db
                .execute(
                    "DELETE FROM thing WHERE kind = $1 AND id = $2",
                    &[Value::Text(kind), Value::Text(&id.to_string())],
                )
                .map(drop),
        }
    }

    fn put<T: Serialize>(&mut self, kind: &str, id: String, thing: &T) -> Result<(), StoreError> {
        let body =
            serde_json::to_string(thing).expect("a thing's maps have texts as keys: it is JSON");
        self.push(kind.to_owned(), id, body)
    }

    pub(super) fn push(
        &mut self,
        kind: String,
        id: String,
        body: String,
    ) -> Result<(), StoreError> {
        for (column, text) in self.columns.iter_mut().zip([kind, id, body]) {
            column.push(text);
        }
        if self.columns[0].len() < PAGE {
            return Ok(());
        }
        self.flush()
    }

    pub(super) fn flush(&mut self) -> Result<(), StoreError> {
        let columns = core::mem::take(&mut self.columns).map(Column::Texts);
        self.db.bulk(&PUT_THING, &columns)
    }
}

/// What is other in `after` than in `before`, by key; `None`: it is gone.
fn changes<'a, K: Ord + Copy, V: PartialEq>(
    before: &'a BTreeMap<K, V>,
    after: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = (K, Option<&'a V>)> {
    let gone = before.keys().filter(|k| !after.contains_key(k));
    let (mut old, new) = (before.iter().peekable(), after.iter());
    let other = new.filter(move |(key, value)| {
        while old.next_if(|(k, _)| k < key).is_some() {}
        !matches!(old.peek(), Some((k, v)) if k == key && v == value)
    });
    gone.map(|k| (*k, None))
        .chain(other.map(|(k, v)| (*k, Some(v))))
}

pub(super) fn append<'a>(
    db: &mut Connection,
    rows: impl Iterator<Item = &'a AuditRow>,
) -> Result<(), StoreError> {
    let (mut numbers, mut bodies, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        numbers.push(row.number.cast_signed());
        bodies.push(row.body.clone());
        hashes.push(hex(row.hash));
    }
    db.bulk(
        &APPEND,
        &[
            Column::Ints(numbers),
            Column::Texts(bodies),
            Column::Texts(hashes),
        ],
    )
}

pub(super) fn put_usage(db: &mut Connection, records: &[UsageRecord]) -> Result<(), StoreError> {
    let bytes = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    for page in records.chunks(PAGE) {
        let columns = [
            Column::Texts(page.iter().map(|r| r.terminal.to_string()).collect()),
            Column::Ints(page.iter().map(|r| r.period_start.nanos()).collect()),
            Column::Ints(page.iter().map(|r| bytes(r.down_bytes)).collect()),
            Column::Ints(page.iter().map(|r| bytes(r.up_bytes)).collect()),
        ];
        db.bulk(&PUT_USAGE, &columns)?;
    }
    Ok(())
}

pub(super) fn put_record(db: &mut Connection, record: &Record) -> Result<(), StoreError> {
    let (kind, id) = (Value::Text(&record.kind), Value::Text(&record.id));
    let done = match &record.body {
        Some(body) => db.execute(
            "INSERT INTO record (kind, id, body) VALUES ($1, $2, $3) \
             ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
            &[kind, id, Value::Text(body)],
        ),
        None => db.execute(
            "DELETE FROM record WHERE kind = $1 AND id = $2",
            &[kind, id],
        ),
    };
    done.map(drop)
}

/// Gives every row of a table of kind, id and body, in pages, in the order of kind and id.
pub(super) fn each_of(
    db: &mut Connection,
    sql: &'static str,
    mut each: impl FnMut(&str, &str, &str) -> Result<(), String>,
) -> Result<(), StoreError> {
    let mut last = (String::new(), String::new());
    loop {
        let (from, mut count, mut at) = (last, 0, (String::new(), String::new()));
        let values = [
            Value::Text(&from.0),
            Value::Text(&from.1),
            Value::Int(PAGE as i64),
        ];
        db.rows(sql, &values, &mut |row| {
            let (kind, id) = (row.text(0)?, row.text(1)?);
            each(kind, id, row.text(2)?).map_err(|e| format!("{kind} {id}: {e}"))?;
            count += 1;
            if count == PAGE {
                at = (kind.to_owned(), id.to_owned());
            }
            Ok(())
        })?;
        if count < PAGE {
            return Ok(());
        }
        last = at;
    }
}

/// For [`each_of`].
pub(super) const THINGS: &str =
    "SELECT kind, id, body FROM thing WHERE (kind, id) > ($1, $2) ORDER BY kind, id LIMIT $3";
/// For [`each_of`].
pub(super) const RECORDS: &str =
    "SELECT kind, id, body FROM record WHERE (kind, id) > ($1, $2) ORDER BY kind, id LIMIT $3";

pub(super) fn load(db: &mut Connection) -> Result<Things, StoreError> {
    let mut loading = Loading {
        things: Register::default().to_things(),
        entries: Vec::new(),
        requests: Vec::new(),
    };
    each_of(db, THINGS, |kind, id, body| loading.take(kind, id, body))?;
    let damaged = |detail| StoreError::Damaged {
        database: db.url().clone(),
        detail,
    };
    let mut things = loading.finish().map_err(damaged)?;
    db.rows(
        "SELECT terminal, period_start, down_bytes, up_bytes FROM usage u WHERE period_start = \
         (SELECT MAX(period_start) FROM usage v WHERE v.terminal = u.terminal) ORDER BY terminal",
        &[],
        &mut |row| {
            things.usage.push(usage_record(row)?);
            Ok(())
        },
    )?;
    things.head = head(db)?;
    Ok(things)
}

/// Things as they come from the database: a list's entries before the list.
struct Loading {
    things: Things,
    entries: Vec<(ListId, UtId, ListEntry)>,
    requests: Vec<(ListId, RequestId, ListRequest)>,
}

impl Loading {
    fn take(&mut self, kind: &str, id: &str, body: &str) -> Result<(), String> {
        fn read<T: DeserializeOwned>(body: &str) -> Result<T, String> {
            serde_json::from_str(body).map_err(|e| e.to_string())
        }
        let things = &mut self.things;
        match (kind, id) {
            ("organisation", _) => things.organisations.push(read(body)?),
            ("account", _) => things.accounts.push(read(body)?),
            ("plan", _) => things.plans.push(read(body)?),
            ("area", _) => things.areas.push(read(body)?),
            ("terminal", _) => things.terminals.push(read(body)?),
            ("incident", _) => things.incidents.push(read(body)?),
            ("entry", _) => self.entries.push(read(body)?),
            ("request", _) => self.requests.push(read(body)?),
            ("list", _) => {
                let (name, limits) = read(body)?;
                let id = id.parse().map_err(|_| "not a list's number".to_owned())?;
                things.lists.push(AllowList {
                    id: ListId(id),
                    name,
                    limits,
                    entries: BTreeMap::new(),
                    requests: BTreeMap::new(),
                });
            }
            ("user", _) => things.users.push(read(body)?),
            ("password", _) => things.passwords.push(read(body)?),
            ("token", _) => things.tokens.push(read(body)?),
            ("sign_in", _) => things.sign_ins.push(read(body)?),
            ("denied", _) => drop(things.denied.insert(read(body)?)),
            ("setting", "defaults") => things.defaults = read(body)?,
            ("setting", "automatic") => things.automatic = read(body)?,
            _ => return Err("this program knows no such thing".into()),
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Things, String> {
        let mut lists: BTreeMap<ListId, AllowList> = core::mem::take(&mut self.things.lists)
            .into_iter()
            .map(|l| (l.id, l))
            .collect();
        let none = |id: ListId| format!("an entry or request of list {id}, which is not there");
        for (id, terminal, entry) in self.entries {
            let list = lists.get_mut(&id).ok_or_else(|| none(id))?;
            list.entries.insert(terminal, entry);
        }
        for (id, request, asked) in self.requests {
            let list = lists.get_mut(&id).ok_or_else(|| none(id))?;
            list.requests.insert(request, asked);
        }
        self.things.lists = lists.into_values().collect();
        // They came in the order of their numbers' texts.
        let things = &mut self.things;
        things.organisations.sort_by_key(|o| o.id);
        things.accounts.sort_by_key(|a| a.id);
        things.plans.sort_by_key(|p| p.id);
        things.areas.sort_by_key(|a| a.id);
        things.incidents.sort_by_key(|i| i.id);
        things.users.sort_by_key(|u| u.id);
        things.passwords.sort_by_key(|(id, _)| *id);
        things.tokens.sort_by_key(|t| t.id);
        things.sign_ins.sort_by_key(|s| s.id);
        Ok(self.things)
    }
}

/// Gives every counter, in pages.
pub(super) fn each_usage(
    db: &mut Connection,
    mut each: impl FnMut(UsageRecord) -> Result<(), String>,
) -> Result<(), StoreError> {
    let (mut terminal, mut period) = (String::new(), i64::MIN);
    loop {
        let from = terminal.clone();
        let values = [
            Value::Text(&from),
            Value::Int(period),
            Value::Int(PAGE as i64),
        ];
        let mut count = 0;
        db.rows(
            "SELECT terminal, period_start, down_bytes, up_bytes FROM usage \
             WHERE (terminal, period_start) > ($1, $2) ORDER BY terminal, period_start LIMIT $3",
            &values,
            &mut |row| {
                count += 1;
                if count == PAGE {
                    (terminal, period) = (row.text(0)?.to_owned(), row.int(1)?);
                }
                each(usage_record(row)?)
            },
        )?;
        if count < PAGE {
            return Ok(());
        }
    }
}

fn usage_record(row: &Row<'_>) -> Result<UsageRecord, String> {
    let bytes = |n: i64| u64::try_from(n).map_err(|_| format!("{n} bytes"));
    Ok(UsageRecord {
        terminal: row.text(0)?.parse().map_err(|e| format!("usage: {e}"))?,
        period_start: Time::from_nanos(row.int(1)?),
        down_bytes: bytes(row.int(2)?)?,
        up_bytes: bytes(row.int(3)?)?,
    })
}

pub(super) fn head(db: &mut Connection) -> Result<AuditHead, StoreError> {
    let mut head = AuditHead::default();
    db.rows(
        "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1",
        &[],
        &mut |row| {
            let hash = unhex(row.text(1)?).ok_or("the last row of the audit log has no hash")?;
            head = AuditHead {
                rows: row.int(0)?.cast_unsigned(),
                hash,
            };
            Ok(())
        },
    )?;
    Ok(head)
}

/// Rows as they stand; what cannot be a hash or a text becomes one that fits no chain.
pub(super) fn audit(
    db: &mut Connection,
    from: i64,
    at_most: usize,
) -> Result<Vec<AuditRow>, StoreError> {
    let mut rows = Vec::new();
    let values = [
        Value::Int(from),
        Value::Int(i64::try_from(at_most).unwrap_or(i64::MAX)),
    ];
    db.rows(
        "SELECT number, body, hash FROM audit WHERE number >= $1 ORDER BY number LIMIT $2",
        &values,
        &mut |row| {
            rows.push(AuditRow {
                number: row.int(0)?.cast_unsigned(),
                body: row.text(1).unwrap_or_default().to_owned(),
                hash: row.text(2).ok().and_then(unhex).unwrap_or_default(),
            });
            Ok(())
        },
    )?;
    Ok(rows)
}

/// Walks the whole chain and checks it.
pub(super) fn verify(db: &mut Connection) -> Result<AuditHead, StoreError> {
    let mut head = AuditHead::default();
    let mut broken = None;
    each_row_as_it_stands(db, |row| {
        head = head.follow(&row).map_err(|e| {
            let text = e.to_string();
            broken = Some(e);
            text
        })?;
        Ok(())
    })
    .map_err(|error| broken.map_or(error, Into::into))?;
    Ok(head)
}

/// Gives every row of the audit log, in pages, from the lowest number there is: one put in before the first is found, too.
pub(super) fn each_row_as_it_stands(
    db: &mut Connection,
    mut each: impl FnMut(AuditRow) -> Result<(), String>,
) -> Result<(), StoreError> {
    let mut from = i64::MIN;
    loop {
        let page = audit(db, from, PAGE)?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        from = last.number.cast_signed().saturating_add(1);
        for row in page {
            each(row).map_err(|detail| StoreError::Damaged {
                database: db.url().clone(),
                detail,
            })?;
        }
    }
}

fn hex(hash: ChainHash) -> String {
    blake3::Hash::from_bytes(hash.0).to_hex().to_string()
}

fn unhex(text: &str) -> Option<ChainHash> {
    blake3::Hash::from_hex(text)
        .ok()
        .map(|h| ChainHash(*h.as_bytes()))
}
