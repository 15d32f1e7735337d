//! The two databases behind one small set of calls: statements with `$1`, `$2`, whole numbers and texts in and out.
//!
//! It knows SQL, locks and what errors mean, and nothing of the service.

use super::StoreError;
use super::server::{ANSWER, Server, ServerError};
use super::url::{Place, StoreUrl, causes};
use core::time::Duration;
use rusqlite::ErrorCode;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

/// How long a write waits for somebody else's lock.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a server may be silent over a statement that rewrites a table: a guess for millions of rows on a slow disk.
const AT_LENGTH: Duration = Duration::from_secs(600);
/// A process that another one has just started holds its files, and with them their locks, until it becomes another program.
const STARTING: Duration = Duration::from_millis(500);
/// The lock of the one process that writes to a PostgreSQL database: "skyweave" in ASCII.
const WRITER_LOCK: i64 = i64::from_be_bytes(*b"skyweave");
/// An SQLite file is whole pages, each a multiple of this (sqlite.org/fileformat2.html, section 1.2).
const SMALLEST_PAGE_BYTES: u64 = 512;
/// What PostgreSQL is told once: a confirmed write is on its disk, and no lock is waited for without end.
const SESSION: &str = "SET synchronous_commit TO on; SET lock_timeout TO '5s'; \
     SET client_min_messages TO warning; SET idle_in_transaction_session_timeout TO 0";

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// The only one that writes; makes the file if there is none.
    Create,
    /// The only one that writes, to what is there.
    Write,
    /// Beside it.
    Read,
}

/// A connection.
pub(super) struct Connection {
    url: StoreUrl,
    link: Link,
    /// Held while this process may write to the file.
    _lock: Option<File>,
}

enum Link {
    Sqlite {
        connection: rusqlite::Connection,
        path: PathBuf,
        inode: u64,
    },
    Postgres(Box<Server>),
}

/// A parameter.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Int(i64),
    Text(&'a str),
}

/// Parameters of many rows, by column.
pub(super) enum Column {
    Ints(Vec<i64>),
    Texts(Vec<String>),
}

/// One statement for a row, and one for many at once where a round trip costs more than a row.
pub(super) struct Bulk {
    pub one: &'static str,
    pub many: &'static str,
}

/// A row of an answer.
pub(super) enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

impl Row<'_> {
    pub(super) fn int(&self, column: usize) -> Result<i64, String> {
        match self {
            Self::Sqlite(row) => row.get(column).map_err(|e| e.to_string()),
            Self::Postgres(row) => row.try_get(column).map_err(|e| causes(&e)),
        }
    }

    pub(super) fn text(&self, column: usize) -> Result<&str, String> {
        match self {
            Self::Sqlite(row) => {
                let value = row.get_ref(column).map_err(|e| e.to_string())?;
                value.as_str().map_err(|e| e.to_string())
            }
            Self::Postgres(row) => row.try_get(column).map_err(|e| causes(&e)),
        }
    }
}

impl Connection {
    pub(super) fn open(url: &StoreUrl, access: Access) -> Result<Self, StoreError> {
        match &url.0 {
            Place::File(path) => Self::open_file(url, path, access),
            Place::Postgres(config) => Self::connect(url, config, access),
        }
    }

    pub(super) fn url(&self) -> &StoreUrl {
        &self.url
    }

    /// Which of the two kinds of statements it understands.
    pub(super) fn is_sqlite(&self) -> bool {
        matches!(self.link, Link::Sqlite { .. })
    }

    fn open_file(url: &StoreUrl, path: &Path, access: Access) -> Result<Self, StoreError> {
        use rusqlite::OpenFlags;
        if access != Access::Create && !path.exists() {
            return Err(StoreError::Absent(url.clone()));
        }
        let lock = match access {
            Access::Read => None,
            Access::Create | Access::Write => Some(lock_file(url, path)?),
        };
        // SQLite takes a file shorter than its header for an empty one, and reads a torn page as one that ends in zeros.
        if fs::metadata(path).is_ok_and(|m| m.len() % SMALLEST_PAGE_BYTES != 0) {
            return Err(StoreError::Damaged {
                database: url.clone(),
                detail: "the file ends in the middle of a page".into(),
            });
        }
        let flags = match access {
            Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
            Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
            Access::Create => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        };
        let open = |name: &Path, flags: OpenFlags| {
            let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = rusqlite::Connection::open_with_flags(name, flags)?;
            connection.busy_timeout(PATIENCE)?;
            connection.set_prepared_statement_cache_capacity(64);
            if access != Access::Read {
                connection.pragma_update(None, "journal_mode", "WAL")?;
            }
            // A row replaced is a row deleted: the audit log's triggers must see it.
            connection.execute_batch(
                "PRAGMA synchronous = FULL; PRAGMA recursive_triggers = ON; PRAGMA cache_size = -65536;
                 PRAGMA journal_size_limit = 67108864; SELECT COUNT(*) FROM sqlite_schema",
            )?;
            Ok(connection)
        };
        let opened = match open(path, flags) {
            // The files that readers share cannot be made, so that nobody writes: then the file is all there is
            // (sqlite.org/wal.html, section 11; sqlite.org/uri.html, "immutable").
            Err(error) if access == Access::Read && is_left_alone(path, &error) => {
                open(&unchanging(path), flags | OpenFlags::SQLITE_OPEN_URI)
            }
            opened => opened,
        };
        let connection = opened.map_err(|e| sqlite_error(url, path, &e))?;
        let inode = inode(path).unwrap_or(0);
        let path = path.to_owned();
        Ok(Self {
            url: url.clone(),
            link: Link::Sqlite {
                connection,
                path,
                inode,
            },
            _lock: lock,
        })
    }

    fn connect(
        url: &StoreUrl,
        config: &tokio_postgres::Config,
        access: Access,
    ) -> Result<Self, StoreError> {
        use tokio_postgres::config::{Host, SslMode};
        let remote = config.get_hosts().iter().any(|h| matches!(h, Host::Tcp(_)));
        let server = if remote && config.get_ssl_mode() != SslMode::Disable {
            Server::connect(config, tls(url)?)
        } else {
            Server::connect(config, tokio_postgres::NoTls)
        };
        let server = server.map_err(|e| postgres_error(url, &e))?;
        let mut this = Self {
            url: url.clone(),
            link: Link::Postgres(Box::new(server)),
            _lock: None,
        };
        this.batch(SESSION)?;
        if access != Access::Read {
            this.lock_out_other_writers()?;
        }
        Ok(this)
    }

    /// A process that has just died may hold the lock until the server has noticed.
    fn lock_out_other_writers(&mut self) -> Result<(), StoreError> {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut got = 0;
            self.rows(
                "SELECT CAST(CAST(pg_try_advisory_lock($1) AS INT) AS BIGINT)",
                &[Value::Int(WRITER_LOCK)],
                &mut |row| {
                    got = row.int(0)?;
                    Ok(())
                },
            )?;
            if got == 1 {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(StoreError::InUse {
                    database: self.url.clone(),
                });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether the database is still the one that was opened. A file that was moved or deleted would take writes, and
    /// nobody would ever read them.
    ///
    /// # Errors
    /// [`StoreError::Gone`] if it is not.
    pub(super) fn check_present(&mut self) -> Result<(), StoreError> {
        match &mut self.link {
            Link::Sqlite {
                path, inode: was, ..
            } => match inode(path) {
                Some(now) if now == *was => Ok(()),
                _ => Err(StoreError::Gone {
                    database: self.url.clone(),
                    detail: "the file was moved, replaced or deleted".into(),
                }),
            },
            Link::Postgres(server) => server
                .check_alive()
                .map_err(|e| postgres_error(&self.url, &e)),
        }
    }

    /// Does work whose single statements may take long: a server may be silent meanwhile.
    pub(super) fn at_length<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let set = |this: &mut Self, patience| {
            if let Link::Postgres(server) = &mut this.link {
                server.set_patience(patience);
            }
        };
        set(self, AT_LENGTH);
        let done = work(self);
        set(self, ANSWER);
        done
    }

    /// Runs statements without parameters and answers.
    pub(super) fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        match &mut self.link {
            Link::Sqlite {
                connection, path, ..
            } => connection
                .execute_batch(sql)
                .map_err(|e| sqlite_error(&self.url, path, &e)),
            Link::Postgres(server) => server.batch(sql).map_err(|e| postgres_error(&self.url, &e)),
        }
    }

    /// Runs one statement; returns how many rows it concerned.
    pub(super) fn execute(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, StoreError> {
        match &mut self.link {
            Link::Sqlite {
                connection, path, ..
            } => {
                let run = || {
                    connection
                        .prepare_cached(sql)?
                        .execute(rusqlite::params_from_iter(values))
                };
                let rows = run().map_err(|e| sqlite_error(&self.url, path, &e))?;
                Ok(rows as u64)
            }
            Link::Postgres(server) => server
                .execute(sql, &parameters(values))
                .map_err(|e| postgres_error(&self.url, &e)),
        }
    }

    /// Runs a statement for each row of these columns, which are of one length.
    pub(super) fn bulk(&mut self, sql: &Bulk, columns: &[Column]) -> Result<(), StoreError> {
        let rows = columns.first().map_or(0, Column::len);
        match &mut self.link {
            Link::Sqlite {
                connection, path, ..
            } => {
                let run = || {
                    let mut statement = connection.prepare_cached(sql.one)?;
                    for row in 0..rows {
                        let values = columns.iter().map(|column| column.value(row));
                        statement.execute(rusqlite::params_from_iter(values))?;
                    }
                    Ok(())
                };
                run().map_err(|e| sqlite_error(&self.url, path, &e))
            }
            Link::Postgres(_) if rows == 0 => Ok(()),
            Link::Postgres(server) => {
                let values: Vec<&(dyn ToSql + Sync)> = columns.iter().map(Column::array).collect();
                let done = server.execute(sql.many, &values);
                done.map(drop).map_err(|e| postgres_error(&self.url, &e))
            }
        }
    }

    /// Asks; gives each row of the answer to `each`, whose texts say what is wrong with a row.
    pub(super) fn rows(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        each: &mut dyn FnMut(&Row<'_>) -> Result<(), String>,
    ) -> Result<(), StoreError> {
        let damaged = |url: &StoreUrl, detail: String| StoreError::Damaged {
            database: url.clone(),
            detail,
        };
        match &mut self.link {
            Link::Sqlite {
                connection, path, ..
            } => {
                let error = |e: rusqlite::Error| sqlite_error(&self.url, path, &e);
                let mut statement = connection.prepare_cached(sql).map_err(error)?;
                let mut rows = statement
                    .query(rusqlite::params_from_iter(values))
                    .map_err(error)?;
                while let Some(row) = rows.next().map_err(error)? {
                    each(&Row::Sqlite(row)).map_err(|e| damaged(&self.url, e))?;
                }
            }
            Link::Postgres(server) => {
                let mut each = |row: &tokio_postgres::Row| each(&Row::Postgres(row));
                let done = server.rows(sql, parameters(values), &mut each);
                done.map_err(|e| postgres_error(&self.url, &e))?
                    .map_err(|e| damaged(&self.url, e))?;
            }
        }
        Ok(())
    }

    /// Does all of `work` or nothing of it; a reading transaction sees one state of the database from begin to end.
    pub(super) fn transaction<T>(
        &mut self,
        access: Access,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.batch(match (self.is_sqlite(), access) {
            (true, Access::Read) | (false, Access::Write | Access::Create) => "BEGIN",
            (true, Access::Write | Access::Create) => "BEGIN IMMEDIATE",
            (false, Access::Read) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        })?;
        let done = work(self).and_then(|value| self.batch("COMMIT").map(|()| value));
        if done.is_err() {
            // The first error is the one to tell; if this fails too, the connection is dead, and so is the transaction.
            let _ = self.batch("ROLLBACK");
        }
        done
    }
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Self::Ints(v) => v.len(),
            Self::Texts(v) => v.len(),
        }
    }

    fn value(&self, row: usize) -> Value<'_> {
        match self {
            Self::Ints(v) => Value::Int(v[row]),
            Self::Texts(v) => Value::Text(&v[row]),
        }
    }

    fn array(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Ints(v) => v,
            Self::Texts(v) => v,
        }
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        match self {
            Self::Int(value) => rusqlite::ToSql::to_sql(value),
            Self::Text(value) => rusqlite::ToSql::to_sql(value),
        }
    }
}

fn parameters<'a>(values: &'a [Value<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    let parameter = |value: &'a Value<'a>| -> &'a (dyn ToSql + Sync) {
        match value {
            Value::Int(value) => value,
            Value::Text(value) => value,
        }
    };
    values.iter().map(parameter).collect()
}

/// Locks a file beside the database: SQLite's own locks come and go with each transaction.
fn lock_file(url: &StoreUrl, path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock = PathBuf::from(name);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock)
        .map_err(|source| match source.kind() {
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                StoreError::ReadOnly {
                    database: url.clone(),
                    detail: format!("{}: {source}", lock.display()),
                }
            }
            std::io::ErrorKind::StorageFull => StoreError::Full {
                database: url.clone(),
                detail: source.to_string(),
            },
            _ => StoreError::File {
                path: lock.clone(),
                source,
            },
        })?;
    let until = Instant::now() + STARTING;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(fs::TryLockError::WouldBlock) => {
                return Err(StoreError::InUse {
                    database: url.clone(),
                });
            }
            Err(fs::TryLockError::Error(source)) => {
                return Err(StoreError::File { path: lock, source });
            }
        }
    }
}

/// True if SQLite could not make its files beside the database, and there are none of a writer.
fn is_left_alone(path: &Path, error: &rusqlite::Error) -> bool {
    let beside = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        fs::metadata(name).is_ok_and(|m| m.len() > 0)
    };
    let cannot = matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)
    );
    cannot && path.is_file() && !beside("-wal") && !beside("-shm")
}

/// The file as a URI (RFC 3986, section 2.1: what is not plain is escaped) that says that nobody changes it.
fn unchanging(path: &Path) -> PathBuf {
    let mut uri = "file:".to_owned();
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri += &format!("%{byte:02X}");
        }
    }
    uri += "?immutable=1";
    PathBuf::from(uri)
}

/// Asks without opening the file: closing it would drop the locks that SQLite holds in this process.
fn inode(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|m| m.ino())
}

/// Certificates are checked against those of the system; `SSL_CERT_FILE` names others.
fn tls(url: &StoreUrl) -> Result<tokio_postgres_rustls::MakeRustlsConnect, StoreError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = rustls::crypto::ring::default_provider();
    let config = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(|e| StoreError::Other {
            database: url.clone(),
            detail: e.to_string(),
        })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(tokio_postgres_rustls::MakeRustlsConnect::new(config))
}

fn sqlite_error(url: &StoreUrl, path: &Path, error: &rusqlite::Error) -> StoreError {
    let (database, detail) = (url.clone(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            StoreError::Locked { database, detail }
        }
        Some(ErrorCode::DiskFull) => StoreError::Full { database, detail },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            StoreError::ReadOnly { database, detail }
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            StoreError::Damaged { database, detail }
        }
        Some(ErrorCode::CannotOpen)
            if path.exists() && rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_err() =>
        {
            StoreError::ReadOnly { database, detail }
        }
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => {
            StoreError::Gone { database, detail }
        }
        _ => StoreError::Other { database, detail },
    }
}

fn postgres_error(url: &StoreUrl, error: &ServerError) -> StoreError {
    let (database, detail) = (url.clone(), error.to_string());
    let state = match error {
        ServerError::Told(error) => error.code(),
        ServerError::Silent(_) => None,
    };
    let Some(state) = state else {
        return StoreError::Gone { database, detail };
    };
    match state {
        s if *s == SqlState::DISK_FULL => StoreError::Full { database, detail },
        s if *s == SqlState::READ_ONLY_SQL_TRANSACTION => StoreError::ReadOnly { database, detail },
        s if *s == SqlState::LOCK_NOT_AVAILABLE
            || *s == SqlState::T_R_DEADLOCK_DETECTED
            || *s == SqlState::T_R_SERIALIZATION_FAILURE =>
        {
            StoreError::Locked { database, detail }
        }
        s if *s == SqlState::DATA_CORRUPTED || *s == SqlState::INDEX_CORRUPTED => {
            StoreError::Damaged { database, detail }
        }
        s if *s == SqlState::INVALID_CATALOG_NAME => StoreError::Absent(database),
        // Connection lost, shutting down, starting up, too many connections, I/O error of the server.
        s if ["08", "57", "53", "58"]
            .iter()
            .any(|class| s.code().starts_with(class)) =>
        {
            StoreError::Gone { database, detail }
        }
        _ => StoreError::Other { database, detail },
    }
}
