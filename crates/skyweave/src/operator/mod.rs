//! The operator's side of the program: where the service's things are kept, and the one place where commands are executed.
//!
//! [`Desk`] executes: it holds the register in memory, which all reads ask, and the [`Store`], to which it writes before
//! anybody sees a change. [`Store`] is the database: it writes exactly what an outcome touched, and decides nothing.
//! `docs/service.md`, "Storage", describes both.

mod backup;
mod database;
mod desk;
mod error;
mod inspect;
mod migrate;
mod server;
mod store;
mod url;

pub use backup::{BackedUp, Restored, backup, restore};
pub use desk::{Database, Desk, Draft, Event, Events, Health, Rejected, Ticket};
pub use error::StoreError;
pub use inspect::{AuditBreak, Checked, Contents, Info};
pub use store::{Record, Store, Writes};
pub use url::StoreUrl;
