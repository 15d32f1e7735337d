//! The program as a script runs it.

use std::process::{Command, Output};

pub(crate) fn skyweave(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_skyweave"))
        .args(args)
        .output()
        .expect("the program runs")
}

/// The command fails with exit code 1 and its message has all of `words`.
pub(crate) fn refused(args: &[&str], words: &[&str]) {
    let output = skyweave(args);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{args:?}\n{message}");
    for word in words {
        assert!(
            message.contains(word),
            "{args:?}: `{word}` is not in:\n{message}"
        );
    }
    assert!(!message.contains("panicked"), "{message}");
}
