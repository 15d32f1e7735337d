//! What can go wrong when a network is started, joined or used.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

/// Why the live network cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// Packets are not possible on this machine, as this user.
    #[error("packets are not possible here:{}", .0.iter().map(|m| format!("\n  {m}")).collect::<String>())]
    Missing(Vec<super::Missing>),
    /// The scenario runs already.
    #[error(
        "scenario `{scenario}` already runs (process {pid}); join it with `skyweave run`, or end it first"
    )]
    AlreadyRunning {
        /// The scenario's name.
        scenario: String,
        /// The process that runs it; 0 if it has not said so yet.
        pid: u32,
    },
    /// The folder for sockets and locks cannot be used.
    #[error("cannot use the run folder {}: {reason}", path.display())]
    RunDir {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A step of building or entering the namespaces failed.
    #[error("cannot {doing}: {source}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// More terminals than addresses, or a terminal given twice.
    #[error(
        "terminal {0} has no address of its own: it was given twice or is beyond the address space"
    )]
    NoAddress(skyweave_base::TerminalId),
    /// No such terminal.
    #[error("there is no live terminal {0}")]
    NoTerminal(skyweave_base::TerminalId),
    /// The network has been shut down.
    #[error("the network has ended")]
    Ended,
    /// A table that cannot be followed.
    #[error(transparent)]
    Table(#[from] skyweave_dataplane::InstallError),
    /// The program to run could not be started.
    #[error("cannot run `{program}`: {source}")]
    Program {
        /// Its name as given.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// The running network refused a request, in its own words.
    #[error("{0}")]
    Refused(String),
    /// The running network answered something that this version does not understand, or not at all.
    #[error("the running network gave no proper answer ({0}); is it of another version?")]
    Protocol(String),
    /// Nothing can be sent to an address from inside the namespace.
    #[error("cannot reach {target} from the terminal: {source}")]
    Unreachable {
        /// Where to.
        target: IpAddr,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl LiveError {
    /// Names the step at which the kernel said no.
    pub(crate) fn system(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { doing, source }
    }

    /// The same for errors of `rustix`.
    pub(crate) fn errno(doing: &'static str) -> impl FnOnce(rustix::io::Errno) -> Self {
        move |source| Self::System {
            doing,
            source: source.into(),
        }
    }
}
