//! Where the tests keep their databases: files, and a PostgreSQL server of their own.

use rustix::process::{Pid, Signal, kill_process};
use skyweave::operator::StoreUrl;
use std::cell::Cell;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// `nobody`: a server of PostgreSQL does not run as root.
pub(crate) const NOBODY: u32 = 65534;

/// Where databases can be made.
pub(crate) enum Kind<'a> {
    Sqlite,
    Postgres(&'a Server),
}

/// One place for the databases of one test.
pub(crate) struct Site<'a> {
    pub(crate) kind: Kind<'a>,
    pub(crate) dir: TempDir,
    made: Cell<u32>,
}

impl<'a> Site<'a> {
    pub(crate) fn new(kind: Kind<'a>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self {
            kind,
            dir,
            made: Cell::new(0),
        }
    }

    /// The name of a database that does not exist yet (SQLite) or is empty (PostgreSQL).
    pub(crate) fn fresh(&self) -> String {
        self.made.set(self.made.get() + 1);
        let n = self.made.get();
        match self.kind {
            Kind::Sqlite => self
                .dir
                .path()
                .join(format!("service-{n}.sqlite"))
                .display()
                .to_string(),
            Kind::Postgres(server) => server.database(),
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self.kind, Kind::Sqlite)
    }

    /// Runs SQL as somebody with all rights who does not go through the store.
    pub(crate) fn sql(&self, url: &str, sql: &str) -> Result<(), String> {
        match self.kind {
            Kind::Sqlite => {
                let db = rusqlite::Connection::open(url).unwrap();
                db.busy_timeout(Duration::from_secs(5)).unwrap();
                db.execute_batch(sql).map_err(|e| e.to_string())
            }
            Kind::Postgres(_) => {
                client(url)
                    .batch_execute(sql)
                    .map_err(|e| match e.as_db_error() {
                        Some(e) => e.message().to_owned(),
                        None => e.to_string(),
                    })
            }
        }
    }

    /// Puts a database of the tables' first version there.
    pub(crate) fn put_version_1(&self, url: &str) {
        let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/service-v1");
        if self.is_sqlite() {
            fs::copy(format!("{data}.sqlite"), url).unwrap();
        } else {
            let sql = fs::read_to_string(format!("{data}.sql")).unwrap();
            self.sql(url, &sql).unwrap();
        }
    }

    /// Makes the database unreachable for somebody who has it open.
    pub(crate) fn take_away(&self, url: &str) {
        match self.kind {
            Kind::Sqlite => fs::rename(url, format!("{url}.moved")).unwrap(),
            Kind::Postgres(server) => server.stop_immediately(),
        }
    }

    pub(crate) fn bring_back(&self, url: &str) {
        match self.kind {
            Kind::Sqlite => fs::rename(format!("{url}.moved"), url).unwrap(),
            Kind::Postgres(server) => server.run(),
        }
    }

    /// Puts what a backup holds in the place of a database that is open.
    pub(crate) fn replace_with(&self, url: &str, saved: &[u8]) {
        use skyweave::operator::{Store, restore};
        let other = self.fresh();
        let mut store = Store::open(&self::url(&other)).unwrap();
        restore(&mut store, saved).unwrap();
        drop(store);
        match self.kind {
            Kind::Sqlite => {
                fs::rename(other, url).unwrap();
                // What is not in the database yet goes with the old file.
                fs::remove_file(format!("{url}-wal")).unwrap();
                fs::remove_file(format!("{url}-shm")).unwrap();
            }
            Kind::Postgres(server) => {
                let name = |url: &str| url.rsplit('/').next().unwrap().to_owned();
                let (old, new) = (name(url), name(&other));
                let mut client = client(&server.url("postgres"));
                let ended =
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname =";
                for sql in [
                    format!("ALTER DATABASE {old} ALLOW_CONNECTIONS false"),
                    format!("{ended} '{old}' OR datname = '{new}'"),
                    format!("ALTER DATABASE {old} RENAME TO {old}_lost"),
                    format!("ALTER DATABASE {new} RENAME TO {old}"),
                ] {
                    client.batch_execute(&sql).unwrap();
                }
            }
        }
    }

    /// Holds a lock on the database that a write must wait for, as long as the answer lives.
    pub(crate) fn lock(&self, url: &str) -> Box<dyn std::any::Any> {
        match self.kind {
            Kind::Sqlite => {
                let db = rusqlite::Connection::open(url).unwrap();
                db.execute_batch("BEGIN IMMEDIATE").unwrap();
                Box::new(db)
            }
            Kind::Postgres(_) => {
                let mut client = client(url);
                client.batch_execute("BEGIN; LOCK TABLE thing").unwrap();
                Box::new(client)
            }
        }
    }

    /// Lets only its owner, or everybody, write to a file and its folder: to read is allowed to all.
    pub(crate) fn set_read_only(&self, url: &str, read_only: bool) {
        let (mode, dir_mode) = if read_only {
            (0o444, 0o555)
        } else {
            (0o644, 0o755)
        };
        let permissions = fs::Permissions::from_mode;
        fs::set_permissions(url, permissions(mode)).unwrap();
        fs::set_permissions(self.dir.path(), permissions(dir_mode)).unwrap();
    }

    /// Runs a program with the name of a file at its end, as somebody who can only read the file and its folder.
    pub(crate) fn read_by_program(&self, url: &str, program: &str, args: &[&str]) -> Output {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // Who runs it may not see where it was built.
        let copy = folder.path().join("program");
        fs::copy(program, &copy).unwrap();
        self.set_read_only(url, true);
        let mut command = Command::new(copy);
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let output = command.args(args).arg(url).current_dir("/").output();
        self.set_read_only(url, false);
        output.unwrap()
    }
}

pub(crate) fn url(text: &str) -> StoreUrl {
    text.parse().unwrap()
}

pub(crate) fn client(url: &str) -> postgres::Client {
    postgres::Client::connect(url, postgres::NoTls).unwrap()
}

/// A PostgreSQL server in a folder of its own, on a socket in it. Dropping it ends it.
pub(crate) struct Server {
    programs: PathBuf,
    settings: &'static [&'static str],
    dir: TempDir,
    process: Cell<Option<Child>>,
    made: Cell<u32>,
}

impl Server {
    /// `None`, and a line that says so, if PostgreSQL is not installed. `make test` installs it.
    pub(crate) fn start() -> Option<Self> {
        // What is killed here are processes, not the machine: what the kernel has is kept, with or without fsync.
        Self::start_with(&["-c", "fsync=off"])
    }

    /// With settings of the server beside those that all have.
    pub(crate) fn start_with(settings: &'static [&'static str]) -> Option<Self> {
        let Some(programs) = programs() else {
            eprintln!("SKIPPED: no PostgreSQL (Debian package postgresql)");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let server = Self {
            programs,
            settings,
            dir,
            process: Cell::new(None),
            made: Cell::new(0),
        };
        let data = server.data();
        fs::create_dir(&data).unwrap();
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
        if is_root() {
            chown(&data, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let made = server
            .program("initdb")
            .args([
                "--no-sync",
                "--wal-segsize=1",
                "--auth=trust",
                "--username=sky",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
            ])
            .arg(&data)
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        server.run();
        Some(server)
    }

    /// Starts the server and waits until it answers.
    pub(crate) fn run(&self) {
        let log = fs::File::create(self.dir.path().join("log")).unwrap();
        let child = self
            .program("postgres")
            .args(["-c", "listen_addresses=", "-c", "shared_buffers=64MB"])
            .args(self.settings)
            .arg("-k")
            .arg(self.data())
            .arg("-D")
            .arg(self.data())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process.set(Some(child));
        let until = Instant::now() + Duration::from_secs(30);
        while postgres::Client::connect(&self.url("postgres"), postgres::NoTls).is_err() {
            assert!(
                Instant::now() < until,
                "PostgreSQL does not start: {}",
                fs::read_to_string(self.dir.path().join("log")).unwrap()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the server as `pg_ctl stop -m immediate` does: without a word to its clients or its disk.
    pub(crate) fn stop_immediately(&self) {
        if let Some(mut child) = self.process.take() {
            kill_process(Pid::from_child(&child), Signal::QUIT).unwrap();
            child.wait().unwrap();
        }
    }

    /// Sends a signal to the server and to all processes that it has started.
    pub(crate) fn signal_all(&self, signal: Signal) {
        let server = self.process.take().expect("it runs");
        let own = Pid::from_child(&server);
        self.process.set(Some(server));
        let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
        let running = fs::read_dir("/proc").unwrap().flatten();
        let running = running.filter_map(number).filter_map(Pid::from_raw);
        // After the command in brackets: the state and the parent (proc_pid_stat(5)).
        let parent = |pid: &Pid| -> Option<i32> {
            let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
            stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
        };
        let children = running.filter(|pid| parent(pid) == Some(own.as_raw_nonzero().get()));
        for pid in [own].into_iter().chain(children) {
            // One that has ended meanwhile needs none.
            let _ = kill_process(pid, signal);
        }
    }

    pub(crate) fn url(&self, database: &str) -> String {
        let socket = self.data().display().to_string().replace('/', "%2F");
        format!("postgres://sky@{socket}/{database}")
    }

    /// A new empty database.
    pub(crate) fn database(&self) -> String {
        self.made.set(self.made.get() + 1);
        let name = format!("service_{}", self.made.get());
        let mut client = client(&self.url("postgres"));
        client
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .unwrap();
        self.url(&name)
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir("/");
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test may have ended while it stood still: then it would not hear that it is to end.
        if let Some(server) = self.process.take() {
            self.process.set(Some(server));
            self.signal_all(Signal::CONT);
        }
        self.stop_immediately();
    }
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Where initdb and postgres are: Debian keeps them out of the path.
fn programs() -> Option<PathBuf> {
    let has = |dir: &Path| dir.join("initdb").exists() && dir.join("postgres").exists();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut debian: Vec<PathBuf> = versions.map(|v| v.path().join("bin")).collect();
    debian.sort();
    debian.reverse();
    std::env::split_paths(&path)
        .chain(debian)
        .find(|dir| has(dir))
}
