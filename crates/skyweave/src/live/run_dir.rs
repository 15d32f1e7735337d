//! The folder in which running networks are found: for each scenario a lock, a control socket and a resolver file.
//!
//! A network runs while its lock is held. The kernel gives a lock back when the process ends, however it ends, so what lies
//! beside a lock that nobody holds is a leftover.

use super::LiveError;
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Names the folder for this process and its children, in place of the usual one.
pub(crate) const VARIABLE: &str = "SKYWEAVE_RUN_DIR";

/// The user's folder of running networks.
#[derive(Clone, Debug)]
pub(crate) struct RunDir(PathBuf);

/// The right to run a scenario. Dropping it removes the scenario's files and gives the right back.
#[derive(Debug)]
pub(crate) struct Lock {
    dir: RunDir,
    name: String,
    _file: File,
}

impl RunDir {
    /// The given folder, or `$SKYWEAVE_RUN_DIR`, or the usual one of the user; made if need be.
    pub(crate) fn open(given: Option<&Path>) -> Result<Self, LiveError> {
        let named = given
            .map(Path::to_owned)
            .or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from));
        let path = named.unwrap_or_else(usual);
        let fail = |reason: String| LiveError::RunDir {
            path: path.clone(),
            reason,
        };
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(fail(e.to_string())),
            _ => {}
        }
        // Others could have made it in /tmp first, to read or change what goes through it.
        let meta = path.symlink_metadata().map_err(|e| fail(e.to_string()))?;
        if !meta.is_dir() {
            return Err(fail("it is not a folder".to_owned()));
        }
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return Err(fail(format!("it belongs to user {}", meta.uid())));
        }
        if meta.mode() & 0o077 != 0 {
            return Err(fail(format!(
                "others may enter it (mode {:o}); it must be 700",
                meta.mode() & 0o777
            )));
        }
        Ok(Self(path))
    }

    /// Takes the right to run a scenario.
    pub(crate) fn lock(&self, scenario: &str) -> Result<Lock, LiveError> {
        let name = file_name(scenario);
        let path = self.file(&name, "lock");
        let fail = |e: io::Error| LiveError::RunDir {
            path: path.clone(),
            reason: e.to_string(),
        };
        loop {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)
                .map_err(fail)?;
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                let mut pid = String::new();
                let _ = file.read_to_string(&mut pid);
                let pid = pid.trim().parse().unwrap_or(0);
                return Err(LiveError::AlreadyRunning {
                    scenario: scenario.to_owned(),
                    pid,
                });
            }
            // Who held it before may have removed the file between our opening and locking it.
            let same = path
                .metadata()
                .is_ok_and(|now| file.metadata().is_ok_and(|ours| ours.ino() == now.ino()));
            if !same {
                continue;
            }
            file.set_len(0).map_err(fail)?;
            writeln!(file, "{}", std::process::id()).map_err(fail)?;
            let lock = Lock {
                dir: self.clone(),
                name,
                _file: file,
            };
            let _ = std::fs::remove_file(lock.socket());
            return Ok(lock);
        }
    }

    /// The control socket of a scenario, whether there is one or not.
    pub(crate) fn socket(&self, scenario: &str) -> PathBuf {
        self.file(&file_name(scenario), "socket")
    }

    /// Scenarios with a lock that is held.
    pub(crate) fn running(&self) -> Result<Vec<String>, LiveError> {
        let fail = |e: io::Error| LiveError::RunDir {
            path: self.0.clone(),
            reason: e.to_string(),
        };
        let mut running = Vec::new();
        for entry in self.0.read_dir().map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            if path.extension().is_none_or(|e| e != "lock") {
                continue;
            }
            let held = File::open(&path)
                .is_ok_and(|f| flock(&f, FlockOperation::NonBlockingLockShared).is_err());
            if let (true, Some(name)) = (held, path.file_stem()) {
                running.push(name.to_string_lossy().into_owned());
            }
        }
        running.sort();
        Ok(running)
    }

    fn file(&self, name: &str, extension: &str) -> PathBuf {
        self.0.join(format!("{name}.{extension}"))
    }
}

impl Lock {
    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.file(&self.name, "socket")
    }

    pub(crate) fn resolv_conf(&self) -> PathBuf {
        self.dir.file(&self.name, "resolv.conf")
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        for path in [
            self.socket(),
            self.resolv_conf(),
            self.dir.file(&self.name, "lock"),
        ] {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Where this user's networks are found if nothing else is said.
fn usual() -> PathBuf {
    let uid = rustix::process::geteuid().as_raw();
    let session = std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|dir| dir.is_dir());
    match session {
        // `sudo` may keep the variable of the user who called it.
        Some(dir) if uid != 0 && dir.metadata().is_ok_and(|m| m.uid() == uid) => {
            dir.join("skyweave")
        }
        _ if uid == 0 && Path::new("/run").is_dir() => PathBuf::from("/run/skyweave"),
        _ => std::env::temp_dir().join(format!("skyweave-{uid}")),
    }
}

/// A scenario's name as a file name: names of files are cut down to the letters that all tools bear, and those that lose
/// something get a number that keeps them apart.
pub(crate) fn file_name(scenario: &str) -> String {
    let plain: String = scenario
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    let plain = plain.trim_start_matches('.');
    if plain == scenario && plain.len() <= 40 && !plain.is_empty() {
        return plain.to_owned();
    }
    // FNV-1a, 64 bits.
    let hash = scenario.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let end: String = plain
        .chars()
        .rev()
        .take(24)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect();
    format!("{end}-{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_runs_once_and_again_when_it_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let dir = RunDir::open(Some(&folder.path().join("run"))).unwrap();
        let first = dir.lock("ukraine").unwrap();
        assert!(matches!(
            dir.lock("ukraine"),
            Err(LiveError::AlreadyRunning { pid, .. }) if pid == std::process::id()
        ));
        let other = dir.lock("../my file.toml").unwrap();
        assert_eq!(dir.running().unwrap().len(), 2);
        drop((first, other));
        assert!(dir.running().unwrap().is_empty());
        // What a killed process leaves behind: a lock that nobody holds, and a socket.
        std::fs::write(dir.file("ukraine", "lock"), "1\n").unwrap();
        std::fs::write(dir.socket("ukraine"), "").unwrap();
        assert!(dir.running().unwrap().is_empty());
        let again = dir.lock("ukraine").unwrap();
        assert!(!again.socket().exists());
    }

    #[test]
    fn a_folder_that_others_may_enter_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(
            RunDir::open(Some(folder.path())),
            Err(LiveError::RunDir { .. })
        ));
    }

    #[test]
    fn file_names_stay_inside_the_folder_and_differ() {
        assert_eq!(file_name("walker-1584"), "walker-1584");
        for odd in ["../x", "a/b", "", "..", "x y", "ü", &"long".repeat(20)] {
            let name = file_name(odd);
            assert!(
                !name.contains('/') && !name.starts_with('.') && name.len() < 48,
                "{name}"
            );
        }
        assert_ne!(file_name("a/b"), file_name("a b"));
    }
}
