//! The secret keys of emulated terminals: a file that only its user may read, a line `ID KEY` for each terminal.

use crate::random::random;
use ed25519_dalek::SigningKey;
use skyweave_service::{PublicKey, UtId};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What is wrong with a file of keys.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum KeyFileError {
    #[error("cannot use the keys in {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(
        "{} can be read by others (mode {mode:o}): whoever has a key is the terminal; chmod 600 it",
        path.display()
    )]
    Exposed { path: PathBuf, mode: u32 },
    #[error(
        "{}:{line}: expected a terminal's id and its key of 64 hexadecimal digits, apart by a space",
        path.display()
    )]
    Line { path: PathBuf, line: usize },
    #[error("{}:{line}: terminal {terminal} is there twice", path.display())]
    Twice {
        path: PathBuf,
        line: usize,
        terminal: UtId,
    },
    #[error("{} has no key of terminal {terminal}", path.display())]
    Absent { path: PathBuf, terminal: UtId },
}

/// A file of keys.
#[derive(Debug)]
pub struct Keys {
    path: PathBuf,
    by_terminal: BTreeMap<UtId, SigningKey>,
}

const HEADER: &str =
    "# Secret keys (Ed25519) of emulated terminals. Whoever reads this can pose as them.\n";

impl Keys {
    /// Reads a file; one that is not there is empty.
    ///
    /// # Errors
    /// [`KeyFileError`]
    pub fn open(path: &Path) -> Result<Self, KeyFileError> {
        let file = |source| KeyFileError::File {
            path: path.to_owned(),
            source,
        };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(file(e)),
        };
        if let Ok(meta) = fs::metadata(path) {
            let mode = meta.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(KeyFileError::Exposed {
                    path: path.to_owned(),
                    mode,
                });
            }
        }
        let mut by_terminal = BTreeMap::new();
        for (n, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let line_number = n + 1;
            let read = || {
                let (id, key) = line.split_once(' ')?;
                // 32 bytes in hexadecimal digits, as public keys are written too.
                let key: PublicKey = key.trim().parse().ok()?;
                Some((id.parse::<UtId>().ok()?, SigningKey::from_bytes(&key.0)))
            };
            let (terminal, key) = read().ok_or_else(|| KeyFileError::Line {
                path: path.to_owned(),
                line: line_number,
            })?;
            if by_terminal.insert(terminal, key).is_some() {
                return Err(KeyFileError::Twice {
                    path: path.to_owned(),
                    line: line_number,
                    terminal,
                });
            }
        }
        Ok(Self {
            path: path.to_owned(),
            by_terminal,
        })
    }

    /// A terminal's key.
    ///
    /// # Errors
    /// [`KeyFileError::Absent`]
    pub fn get(&self, terminal: UtId) -> Result<&SigningKey, KeyFileError> {
        self.by_terminal
            .get(&terminal)
            .ok_or_else(|| KeyFileError::Absent {
                path: self.path.clone(),
                terminal,
            })
    }

    /// The public half of a terminal's key. If it has none it gets one, at random, which is in the file before this returns.
    ///
    /// # Errors
    /// [`KeyFileError::File`] if the file cannot be written.
    pub fn public_key_or_new(&mut self, terminal: UtId) -> Result<PublicKey, KeyFileError> {
        if self.get(terminal).is_err() {
            self.by_terminal
                .insert(terminal, SigningKey::from_bytes(&random()));
            if let Err(source) = self.write() {
                self.by_terminal.remove(&terminal);
                return Err(KeyFileError::File {
                    path: self.path.clone(),
                    source,
                });
            }
        }
        let key = self.get(terminal)?;
        Ok(PublicKey(key.verifying_key().to_bytes()))
    }

    /// The whole file, in one step: a crash leaves the old one or the new one.
    fn write(&self) -> io::Result<()> {
        let mut text = HEADER.to_owned();
        for (terminal, key) in &self.by_terminal {
            text += &format!("{terminal} {}\n", PublicKey(key.to_bytes()));
        }
        let new = self.path.with_extension("keys.new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "ut01000000-00000000-00000001";

    #[test]
    fn keys_are_kept_for_their_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.keys");
        let mut keys = Keys::open(&path).unwrap();
        let id: UtId = ID.parse().unwrap();
        let public = keys.public_key_or_new(id).unwrap();
        assert_eq!(keys.public_key_or_new(id).unwrap(), public);
        let other = keys.public_key_or_new(UtId::new([1, 2, 3])).unwrap();
        assert_ne!(public, other);
        let again = Keys::open(&path).unwrap();
        assert_eq!(
            again.get(id).unwrap().verifying_key().to_bytes(),
            public.0,
            "the same key after a restart"
        );
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let exposed = Keys::open(&path).unwrap_err();
        assert!(exposed.to_string().contains("chmod 600"), "{exposed}");
    }

    #[test]
    fn a_bad_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.keys");
        let key = "ab".repeat(32);
        for (text, expected) in [
            (format!("# ours\n\n{ID} {key}\n{ID}\n"), ":4: expected"),
            (
                format!("{ID} {key}\n{ID} {key}\n"),
                ":2: terminal ut01000000-00000000-00000001 is there twice",
            ),
            (format!("{ID} {key}0\n"), ":1: expected"),
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let error = Keys::open(&path).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
