//! Finding and joining a network that another process runs.

use super::{Addresses, LiveError, NamespaceHandle, TerminalInfo};
use std::path::Path;

/// A connection to a running network.
#[derive(Debug)]
pub struct Client {}

impl Client {
    /// Connects to the running network of a scenario; `None` if there is none. `run_dir` as in
    /// [`super::NetworkConfig::run_dir`].
    pub fn connect(scenario: &str, run_dir: Option<&Path>) -> Result<Option<Self>, LiveError> {
        let _ = (scenario, run_dir);
        todo!()
    }

    /// Names of the scenarios that run now.
    pub fn running(run_dir: Option<&Path>) -> Result<Vec<String>, LiveError> {
        let _ = run_dir;
        todo!()
    }

    /// What [`super::Controller::status`] says.
    pub fn status(&mut self) -> Result<serde_json::Value, LiveError> {
        todo!()
    }

    /// The live terminals.
    pub fn terminals(&mut self) -> Result<Vec<TerminalInfo>, LiveError> {
        todo!()
    }

    /// The addresses of PoP and host.
    pub fn addresses(&mut self) -> Result<Addresses, LiveError> {
        todo!()
    }

    /// Gets the terminal at a place, made if need be, and its namespace. The terminal is kept at least until this client is
    /// dropped.
    pub fn attach(&mut self, place: &str) -> Result<(TerminalInfo, NamespaceHandle), LiveError> {
        let _ = place;
        todo!()
    }

    /// Events as [`super::Network::publish`] sends them, until the network ends.
    pub fn subscribe(self) -> Result<Events, LiveError> {
        todo!()
    }
}

/// Events of a running network, one JSON object each.
#[derive(Debug)]
pub struct Events {}

impl Iterator for Events {
    type Item = serde_json::Value;

    fn next(&mut self) -> Option<Self::Item> {
        todo!()
    }
}
