//! What can go wrong with a database.

use super::StoreUrl;
use skyweave_service::{AuditBroken, Refused};
use std::path::PathBuf;

/// Why the database did not do what was asked. Nothing of a failed write is in it, except after [`StoreError::Gone`]: then
/// it is known only when the database is back.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum StoreError {
    #[error("`{url}` names no database: {why}; expected a file, or postgres://user@host/name")]
    BadUrl { url: String, why: String },
    #[error("there is no database {0}")]
    Absent(StoreUrl),
    #[error(
        "{database} is used by another process that may write; end that one first, or use its API"
    )]
    InUse { database: StoreUrl },
    #[error("{database} is locked by another process: {detail}")]
    Locked { database: StoreUrl, detail: String },
    #[error("the disk of {database} is full: {detail}")]
    Full { database: StoreUrl, detail: String },
    #[error("{database} can only be read: {detail}")]
    ReadOnly { database: StoreUrl, detail: String },
    #[error(
        "{database} has version {found}, and this program knows versions up to {known}: use a newer skyweave"
    )]
    Newer {
        database: StoreUrl,
        found: u32,
        known: u32,
    },
    #[error(
        "{database} has version {found} and is only read here: `skyweave database migrate` brings it to version {known}"
    )]
    Older {
        database: StoreUrl,
        found: u32,
        known: u32,
    },
    #[error("{0} holds something else than skyweave's service: use an empty database")]
    NotOurs(StoreUrl),
    #[error("{0} is not empty: restore into a new one")]
    NotEmpty(StoreUrl),
    #[error("{database} is damaged: {detail}; restore a backup into a new database")]
    Damaged { database: StoreUrl, detail: String },
    #[error("{database} is away: {detail}")]
    Gone { database: StoreUrl, detail: String },
    #[error(
        "{database} ends after {theirs} audit rows and lacks row {ours}, which was confirmed: it is another database \
         or has lost rows; nothing is written until skyweave is started anew with the right one"
    )]
    Diverged {
        database: StoreUrl,
        ours: u64,
        theirs: u64,
    },
    #[error("the things in {database} do not fit together: {source}")]
    Things { database: StoreUrl, source: Refused },
    #[error(transparent)]
    Audit(#[from] AuditBroken),
    #[error("the backup is not usable: {0}")]
    BadBackup(String),
    #[error("cannot use {}: {source}", path.display())]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the service has ended")]
    Closed,
    #[error("{database} refused: {detail}")]
    Other { database: StoreUrl, detail: String },
}
