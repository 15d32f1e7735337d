//! Running a program behind a terminal.

use super::{LiveError, NamespaceHandle};
use std::ffi::OsString;

/// Runs a program inside a terminal's namespace and waits for it. It keeps this process's working folder, environment,
/// standard streams and user; it sees the terminal as its only network, and the PoP as its resolver. SIGTERM and SIGHUP (and
/// SIGINT that did not come from the keyboard) are passed on to it.
///
/// Returns its exit status, or 128 plus the number of the signal that ended it, as a shell does.
pub fn enter(namespace: &NamespaceHandle, command: &[OsString]) -> Result<u8, LiveError> {
    let _ = (namespace, command);
    todo!()
}
