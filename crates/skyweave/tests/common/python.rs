//! Programs in Python from the registry, for tests against what others have written.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// A Python with packages from the registry, made once and kept under target/; `None`, said aloud, where that is not
/// possible.
pub(crate) fn python(name: &str, requirements: &str) -> Option<PathBuf> {
    static MAKING: Mutex<()> = Mutex::new(());
    let _turn = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let (python, done) = (dir.join("bin/python"), dir.join("made-from.txt"));
    if std::fs::read_to_string(&done).is_ok_and(|made| made == requirements) {
        return Some(python);
    }
    let _ = std::fs::remove_dir_all(&dir);
    let list = dir.with_extension("requirements.txt");
    std::fs::write(&list, requirements).unwrap();
    let ran = |command: &mut Command| command.status().is_ok_and(|status| status.success());
    let made = ran(Command::new("python3").args(["-m", "venv"]).arg(&dir))
        && ran(Command::new(&python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "-r",
            ])
            .arg(list));
    if !made {
        eprintln!("SKIPPED: no Python environment with {requirements}");
        return None;
    }
    std::fs::write(done, requirements).unwrap();
    Some(python)
}
