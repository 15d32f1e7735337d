//! skyweave.
#[cfg(target_os = "linux")]
pub mod live;
