//! Commands that work on a service's database directly.

use clap::{Args, Subcommand};
use skyweave_service::{AuditHead, UtId};
use std::path::PathBuf;

/// Which database.
#[derive(Args, Debug, Clone)]
pub struct DatabaseArgs {
    /// The service's database: a file (SQLite), or postgres://USER@HOST/NAME
    #[arg(
        long,
        value_name = "URL|FILE",
        env = "SKYWEAVE_DATABASE",
        hide_env_values = true
    )]
    pub database: String,
}

#[derive(Args, Debug)]
/// `skyweave audit`.
pub struct Audit {
    /// What is asked of the log.
    #[command(subcommand)]
    pub command: AuditCommand,
}

#[derive(Subcommand, Debug)]
/// What is asked of the audit log.
pub enum AuditCommand {
    /// Check that no row was changed, removed or put in; names each one that was
    #[command(after_help = "\
Examples:
  skyweave audit verify --database service.sqlite
  skyweave audit verify --database service.sqlite --head 4711:9c3a...    also: no row up to 4711 was cut off or made anew

A chain of hashes shows every change inside the log. That its end was cut off, or that all of it was written anew, is
shown only by an end that was noted before, somewhere else: the last line of this command, or of `skyweave backup`.
Works beside a running `skyweave up`. Exit status: 0 whole; 1 broken, or not readable.")]
    Verify {
        /// The database.
        #[command(flatten)]
        database: DatabaseArgs,
        /// An end of the log that was noted before: the log must still have that row
        #[arg(long, value_name = "ROWS:HASH")]
        head: Option<AuditHead>,
        /// JSON
        #[arg(long)]
        json: bool,
    },
    /// Print rows: who did what, when and why
    #[command(after_help = "\
Examples:
  skyweave audit show --database service.sqlite                      the last 20 rows
  skyweave audit show --database service.sqlite --from 1 --limit 100
  skyweave audit show --database service.sqlite --terminal ut01000000-00000000-0012ab34 --json

Rows hold what commands held, service addresses too: who reads them reads those.")]
    Show {
        /// The database.
        #[command(flatten)]
        database: DatabaseArgs,
        /// First row (default: the last ones)
        #[arg(long, value_name = "N")]
        from: Option<u64>,
        /// How many rows at most
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
        /// Only rows that name this terminal
        #[arg(long, value_name = "ID")]
        terminal: Option<UtId>,
        /// Only rows of this actor, for example user:1
        #[arg(long, value_name = "WHO")]
        by: Option<String>,
        /// One JSON object per row and line
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skyweave backup --database service.sqlite service-2026-11-25.backup
  skyweave backup --database postgres://sky@db/service - | ssh elsewhere 'cat > service.backup'

One state of the database, while `skyweave up` goes on writing. The file is the same for both databases, so that it also
moves a service from one to the other; it holds everything, positions and hashes of tokens too, and only its owner may
read it. Note the end of the audit log that is printed.")]
/// `skyweave backup`.
pub struct Backup {
    /// The database.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The file to write, `-` for standard output; one that exists is not replaced
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skyweave restore --database restored.sqlite service-2026-11-25.backup
  skyweave restore --database postgres://sky@db/empty service-2026-11-25.backup

The database must be new or empty. A file that was cut off or changed restores nothing.")]
/// `skyweave restore`.
pub struct Restore {
    /// The database.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The backup, `-` for standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
/// `skyweave database`.
pub struct Database {
    /// What is asked.
    #[command(subcommand)]
    pub command: DatabaseCommand,
}

#[derive(Subcommand, Debug)]
/// What is asked of a database.
pub enum DatabaseCommand {
    /// What it is and how much is in it
    #[command(after_help = "Example:\n  skyweave database info --database service.sqlite")]
    Info {
        /// The database.
        #[command(flatten)]
        database: DatabaseArgs,
        /// JSON
        #[arg(long)]
        json: bool,
    },
    /// Check all of it: pages, things, counters, audit log
    #[command(after_help = "\
Example:
  skyweave database check --database service.sqlite

Works beside a running `skyweave up`. Exit status: 0 whole; 1 damaged, or not readable.")]
    Check {
        /// The database.
        #[command(flatten)]
        database: DatabaseArgs,
        /// JSON
        #[arg(long)]
        json: bool,
    },
    /// Bring it to the version of this program, in one transaction
    #[command(after_help = "\
Example:
  skyweave database migrate --database service.sqlite

`skyweave up` does this by itself. There is no way back: save a backup with the older program first.")]
    Migrate {
        /// The database.
        #[command(flatten)]
        database: DatabaseArgs,
        /// JSON
        #[arg(long)]
        json: bool,
    },
}
