//! Finished tasks on disk, so that a run that was stopped goes on where it was.
//!
//! `DIR/.work/KEY/TASK`: the key is a hash of everything that the outcomes depend on, this program among it, so that what belongs to
//! another question is never read. A file holds the hash of its content before it; one that is torn or changed counts as not
//! there.

use anyhow::{Context, Result};
use skyweave_world::study::{Outcome, Study, Task};
use std::path::{Path, PathBuf};

/// The folder of one study's outcomes.
pub(crate) struct Work {
    folder: PathBuf,
}

impl Work {
    /// Opens or makes it. `parts` is all that outcomes depend on.
    pub(crate) fn open(out: &Path, parts: &[&[u8]]) -> Result<Self> {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let key = hasher.finalize().to_hex();
        let folder = out.join(".work").join(&key.as_str()[..32]);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot write into {}", folder.display()))?;
        Ok(Self { folder })
    }

    /// The outcome of a task, if it is there whole.
    pub(crate) fn get(&self, study: &Study, task: &Task) -> Option<Outcome> {
        let bytes = std::fs::read(self.folder.join(task.to_string())).ok()?;
        let line = bytes.iter().position(|b| *b == b'\n')?;
        let (hash, body) = (&bytes[..line], &bytes[line + 1..]);
        (hash == blake3::hash(body).to_hex().as_bytes()).then_some(())?;
        let outcome = serde_json::from_slice(body).ok()?;
        study.accepts(task, &outcome).then_some(outcome)
    }

    /// Keeps the outcome of a task; whole or not at all, whenever the process ends.
    pub(crate) fn put(&self, task: &Task, outcome: &Outcome) -> Result<()> {
        let body = serde_json::to_vec(outcome)?;
        let mut bytes = blake3::hash(&body).to_hex().as_bytes().to_vec();
        bytes.push(b'\n');
        bytes.extend(body);
        let path = self.folder.join(task.to_string());
        let unfinished = path.with_extension("unfinished");
        std::fs::write(&unfinished, bytes)
            .and_then(|()| std::fs::rename(&unfinished, &path))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// The report is written: what it was made from is of no more use.
    pub(crate) fn remove(self) {
        let parent = self.folder.parent().map(Path::to_owned);
        let _ = std::fs::remove_dir_all(&self.folder);
        // Stays if another study's outcomes are in it.
        let _ = parent.map(std::fs::remove_dir);
    }
}
