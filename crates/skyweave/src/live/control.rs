//! The control socket: how other processes of the same user find and join a running network.
//!
//! A line of JSON for each request and each answer. Namespaces are passed on as file descriptors, so that whoever joins
//! needs no process of ours to enter through. The folder of the socket lets no other user in.

use super::listener::{Listener, lock};
use super::namespace::Facts;
use super::network::Shared;
use super::{LiveError, TerminalInfo, sys};
use rustix::net::SendFlags;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use skyweave_base::TerminalId;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Decides what joining processes ask for. Called from threads of the control socket.
pub trait Controller: Send + Sync {
    /// State of the network for `status` requests, one JSON object.
    fn status(&self) -> Value;

    /// The terminal at a place: an existing one, or a new one that the controller first adds with
    /// [`super::Network::add_terminal`]. With a proof, an answer to a challenge, it is the terminal that the proof is of. `Err`
    /// is a sentence for the user. It should return once the terminal has service, or as soon as it is clear that it will
    /// not have it.
    fn attach(&self, place: &str, proof: Option<&Value>) -> Result<Attachment, String>;

    /// What a terminal has to sign that wants to join under its own id, one JSON object. `Err` is a sentence for the user.
    fn challenge(&self, terminal: &str) -> Result<Value, String>;

    /// The process for which `attach` gave this terminal has gone. Called once for each successful `attach`.
    fn detach(&self, terminal: TerminalId);
}

/// A terminal that somebody may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its id.
    pub terminal: TerminalId,
    /// What its user should know: why it has no service, for example.
    pub notice: Option<String>,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    /// What the controller says of the network.
    Status,
    /// The live terminals.
    Terminals,
    /// Addresses and clock.
    Facts,
    /// The terminal at a place, and its namespace.
    Attach {
        /// As the user named it.
        place: String,
        /// The answer to a challenge.
        #[serde(default)]
        proof: Option<Value>,
    },
    /// What a terminal has to sign.
    Challenge {
        /// Its id.
        terminal: String,
    },
    /// Events from now on.
    Subscribe,
}

/// The answer to each request but `subscribe`, which is answered with events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Ok(Value),
    Error(String),
}

/// What `attach` answers; the namespace, and the user namespace if there is one, come along as descriptors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Attached {
    pub(crate) terminal: TerminalInfo,
    pub(crate) facts: Facts,
    pub(crate) notice: Option<String>,
}

/// Streams to which events are sent.
#[derive(Debug, Default)]
pub(crate) struct Subscribers(Mutex<Vec<UnixStream>>);

impl Subscribers {
    /// Sends an event to all. Whoever does not read in time is dropped: nobody waits for a reader.
    pub(crate) fn publish(&self, event: &Value) {
        let line = format!("{event}\n");
        let sent = |stream: &mut UnixStream| {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            rustix::net::send(stream, line.as_bytes(), flags)
                .is_ok_and(|length| length == line.len())
        };
        lock(&self.0).retain_mut(|stream| {
            let keep = sent(stream);
            if !keep {
                let _ = stream.shutdown(Shutdown::Both);
            }
            keep
        });
    }

    fn add(&self, stream: UnixStream) {
        lock(&self.0).push(stream);
    }
}

/// Longest request.
const MAX_REQUEST: u64 = 64 << 10;

/// Connections at a time; more are hung up on.
const MAX_CONNECTIONS: usize = 256;

/// Opens the socket and serves it.
pub(crate) fn serve(
    path: &Path,
    shared: Arc<Shared>,
    controller: Arc<dyn Controller>,
) -> Result<Listener, LiveError> {
    let fail = |e: io::Error| LiveError::RunDir {
        path: path.to_owned(),
        reason: e.to_string(),
    };
    let socket = UnixListener::bind(path).map_err(fail)?;
    let serve = move |connection| {
        let (shared, controller) = (Arc::clone(&shared), Arc::clone(&controller));
        Connection {
            stream: UnixStream::from(connection),
            shared,
            controller,
            attached: Vec::new(),
        }
        .serve();
    };
    Listener::start("control", socket.into(), MAX_CONNECTIONS, serve).map_err(fail)
}

struct Connection {
    stream: UnixStream,
    shared: Arc<Shared>,
    controller: Arc<dyn Controller>,
    attached: Vec<TerminalId>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        for terminal in self.attached.drain(..) {
            self.controller.detach(terminal);
        }
    }
}

impl Connection {
    fn serve(&mut self) {
        let Ok(stream) = self
            .stream
            .try_clone()
            .and_then(|s| s.set_nonblocking(false).map(|()| s))
        else {
            return;
        };
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        loop {
            line.clear();
            match (&mut reader).take(MAX_REQUEST).read_until(b'\n', &mut line) {
                Ok(1..) if line.ends_with(b"\n") => {}
                _ => return,
            }
            let answered = match serde_json::from_slice(&line) {
                Ok(Request::Status) => self.answer(Ok(self.controller.status())),
                Ok(Request::Terminals) => self.answer(Ok(json!(self.shared.terminals()))),
                Ok(Request::Facts) => self.answer(Ok(json!(self.shared.facts()))),
                Ok(Request::Attach { place, proof }) => self.attach(&place, proof.as_ref()),
                Ok(Request::Challenge { terminal }) => {
                    let challenge = self.controller.challenge(&terminal);
                    self.answer(challenge)
                }
                Ok(Request::Subscribe) => {
                    if let Ok(stream) = self.stream.try_clone() {
                        self.shared.subscribers().add(stream);
                    }
                    // The connection is over when the reader hangs up; until then there is nothing to read.
                    let _ = reader.read_until(b'\n', &mut line);
                    return;
                }
                Err(e) => self.answer(Err(e.to_string())),
            };
            if answered.is_err() {
                return;
            }
        }
    }

    fn answer(&mut self, answer: Result<Value, String>) -> io::Result<()> {
        self.stream.write_all(line(answer).as_bytes())
    }

    fn attach(&mut self, place: &str, proof: Option<&Value>) -> io::Result<()> {
        let Attachment { terminal, notice } = match self.controller.attach(place, proof) {
            Ok(attachment) => attachment,
            Err(reason) => return self.answer(Err(reason)),
        };
        self.attached.push(terminal);
        let (info, handle) = match self.shared.terminal(terminal) {
            Ok(found) => found,
            Err(e) => return self.answer(Err(e.to_string())),
        };
        let attached = Attached {
            terminal: info,
            facts: handle.facts,
            notice,
        };
        let mut fds = vec![handle.network.as_fd()];
        fds.extend(handle.user.as_ref().map(AsFd::as_fd));
        sys::send_fds(&self.stream, line(Ok(json!(attached))).as_bytes(), &fds)
            .map_err(io::Error::from)
    }
}

fn line(answer: Result<Value, String>) -> String {
    format!("{}\n", json!(answer.map_or_else(Answer::Error, Answer::Ok)))
}
