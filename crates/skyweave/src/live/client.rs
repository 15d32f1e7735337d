//! Finding and joining a network that another process runs.

use super::control::{Answer, Attached, Request};
use super::namespace::Facts;
use super::run_dir::RunDir;
use super::{Addresses, Clock, LiveError, NamespaceHandle, TerminalInfo, sys};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A connection to a running network.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    /// Read already, and not yet used.
    rest: Vec<u8>,
}

impl Client {
    /// Connects to the running network of a scenario; `None` if there is none. `run_dir` as in
    /// [`super::NetworkConfig::run_dir`].
    pub fn connect(scenario: &str, run_dir: Option<&Path>) -> Result<Option<Self>, LiveError> {
        let path = RunDir::open(run_dir)?.socket(scenario);
        match UnixStream::connect(&path) {
            Ok(stream) => Ok(Some(Self {
                stream,
                rest: Vec::new(),
            })),
            // No network, or one that was killed and left its socket behind.
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) =>
            {
                Ok(None)
            }
            Err(e) => Err(LiveError::RunDir {
                path,
                reason: e.to_string(),
            }),
        }
    }

    /// Names of the scenarios that run now, as far as they can be file names.
    pub fn running(run_dir: Option<&Path>) -> Result<Vec<String>, LiveError> {
        RunDir::open(run_dir)?.running()
    }

    /// What [`super::Controller::status`] says.
    pub fn status(&mut self) -> Result<Value, LiveError> {
        self.ask(&Request::Status).map(|(value, _)| value)
    }

    /// The live terminals.
    pub fn terminals(&mut self) -> Result<Vec<TerminalInfo>, LiveError> {
        self.ask(&Request::Terminals)
            .map(|(terminals, _)| terminals)
    }

    /// The addresses of PoP and host.
    pub fn addresses(&mut self) -> Result<Addresses, LiveError> {
        self.ask::<Facts>(&Request::Facts)
            .map(|(facts, _)| facts.addresses)
    }

    /// The network's clock.
    pub fn clock(&mut self) -> Result<Clock, LiveError> {
        self.ask::<Facts>(&Request::Facts)
            .map(|(facts, _)| facts.clock)
    }

    /// What [`super::Controller::challenge`] says.
    pub fn challenge(&mut self, terminal: &str) -> Result<Value, LiveError> {
        let terminal = terminal.to_owned();
        self.ask(&Request::Challenge { terminal })
            .map(|(value, _)| value)
    }

    /// Gets the terminal at a place, made if need be, its namespace, and what its user should know. The terminal is kept at
    /// least until this client is dropped.
    pub fn attach(
        &mut self,
        place: &str,
        proof: Option<Value>,
    ) -> Result<(TerminalInfo, NamespaceHandle, Option<String>), LiveError> {
        let (attached, fds) = self.ask::<Attached>(&Request::Attach {
            place: place.to_owned(),
            proof,
        })?;
        let mut fds = fds.into_iter();
        let network = fds
            .next()
            .ok_or_else(|| LiveError::Protocol("no namespace came along".to_owned()))?;
        Ok((
            attached.terminal,
            NamespaceHandle {
                network,
                user: fds.next(),
                facts: attached.facts,
            },
            attached.notice,
        ))
    }

    /// Events as [`super::Network::publish`] sends them, until the network ends.
    pub fn subscribe(mut self) -> Result<Events, LiveError> {
        self.send(&Request::Subscribe)?;
        Ok(Events(self))
    }

    fn send(&mut self, request: &Request) -> Result<(), LiveError> {
        let line = format!("{}\n", json!(request));
        self.stream
            .write_all(line.as_bytes())
            .map_err(|e| LiveError::Protocol(e.to_string()))
    }

    fn ask<T: DeserializeOwned>(
        &mut self,
        request: &Request,
    ) -> Result<(T, Vec<OwnedFd>), LiveError> {
        self.send(request)?;
        let (line, fds) = self.line()?;
        let wrong = |e: serde_json::Error| LiveError::Protocol(e.to_string());
        match serde_json::from_slice(&line).map_err(wrong)? {
            Answer::Ok(value) => Ok((serde_json::from_value(value).map_err(wrong)?, fds)),
            Answer::Error(reason) => Err(LiveError::Refused(reason)),
        }
    }

    /// The next line, and the descriptors that came with it.
    fn line(&mut self) -> Result<(Vec<u8>, Vec<OwnedFd>), LiveError> {
        let mut fds = Vec::new();
        loop {
            if let Some(end) = self.rest.iter().position(|&b| b == b'\n') {
                let after = self.rest.split_off(end + 1);
                return Ok((std::mem::replace(&mut self.rest, after), fds));
            }
            let mut buffer = [0; 16 << 10];
            let (length, more) = sys::recv_fds(&self.stream, &mut buffer)
                .map_err(|e| LiveError::Protocol(e.to_string()))?;
            if length == 0 {
                return Err(LiveError::Protocol("it hung up".to_owned()));
            }
            self.rest.extend_from_slice(&buffer[..length]);
            fds.extend(more);
        }
    }
}

/// Events of a running network, one JSON object each.
#[derive(Debug)]
pub struct Events(Client);

impl Iterator for Events {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        let (line, _) = self.0.line().ok()?;
        serde_json::from_slice(&line).ok()
    }
}
