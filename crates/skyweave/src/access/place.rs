//! Where the service of a scenario is kept.

use super::ServiceError;
use crate::live::file_name;
use crate::operator::{StoreError, StoreUrl};
use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What `--database` may say.
#[derive(Clone, Debug)]
pub enum Choice {
    /// No service: every terminal is entitled.
    None,
    /// A file of the user's state folder, by the scenario's name.
    OfScenario,
    /// A database.
    At(String),
}

impl FromStr for Choice {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        if text == "none" {
            return Ok(Self::None);
        }
        text.parse::<StoreUrl>().map(|_| Self::At(text.to_owned()))
    }
}

/// A database, and the file of the emulated terminals' keys.
#[derive(Clone, Debug)]
pub struct ServicePlace {
    /// The database.
    pub url: StoreUrl,
    /// The keys: beside the file of an SQLite database, otherwise in the user's state folder.
    pub keys: PathBuf,
    /// The file of an SQLite database.
    file: Option<PathBuf>,
}

impl ServicePlace {
    /// What a choice means for a scenario; `None` without a service.
    ///
    /// # Errors
    /// [`ServiceError`] if there is no folder for it or the URL is none.
    pub fn find(choice: &Choice, scenario: &str) -> Result<Option<Self>, ServiceError> {
        let name = file_name(scenario);
        let text = match choice {
            Choice::None => return Ok(None),
            Choice::OfScenario => state_folder()?
                .join(format!("{name}.db"))
                .display()
                .to_string(),
            Choice::At(text) => text.clone(),
        };
        let url: StoreUrl = text.parse()?;
        let file = url.file().map(Path::to_owned);
        let keys = match &file {
            Some(file) => file.with_extension("keys"),
            None => state_folder()?.join(format!("{name}.keys")),
        };
        Ok(Some(Self { url, keys, file }))
    }

    /// Makes the folders, and the file of a new SQLite database: what is in them is for this user alone.
    pub(super) fn prepare(&self) -> Result<(), ServiceError> {
        for path in self.file.iter().chain([&self.keys]) {
            if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
                let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
                made.map_err(|source| ServiceError::Folder {
                    path: folder.to_owned(),
                    source,
                })?;
            }
        }
        let Some(file) = &self.file else {
            return Ok(());
        };
        // SQLite gives its log and its shared memory the rights of the database.
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(file);
        match made {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                Err(ServiceError::Folder {
                    path: file.clone(),
                    source,
                })
            }
            _ => Ok(()),
        }
    }
}

/// The user's folder for what a program keeps (XDG Base Directory Specification 0.8): `$XDG_STATE_HOME/skyweave`, by default
/// `~/.local/state/skyweave`.
///
/// # Errors
/// [`ServiceError::NoStateFolder`]
pub fn state_folder() -> Result<PathBuf, ServiceError> {
    let absolute = |name: &str| {
        let path = PathBuf::from(std::env::var_os(name)?);
        // The specification: a path that is not absolute is to be ignored.
        path.is_absolute().then_some(path)
    };
    absolute("XDG_STATE_HOME")
        .or_else(|| Some(absolute("HOME")?.join(".local/state")))
        .map(|folder| folder.join("skyweave"))
        .ok_or(ServiceError::NoStateFolder)
}
