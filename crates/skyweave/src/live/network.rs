//! A running network as one value.

use super::{Clock, Controller, LiveError, NamespaceHandle, Realtime, Stats, Uplink, UplinkChoice};
use serde::{Deserialize, Serialize};
use skyweave_base::TerminalId;
use skyweave_dataplane::{AddressPlan, EpochTable};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Ids of live terminals are below this. Each terminal has a namespace and a device of its own; more than hundreds of them
/// on one machine would only wait for each other.
pub const MAX_TERMINALS: u32 = 1024;

/// What to start.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// The scenario's name: one network of a name runs at a time for a user.
    pub scenario: String,
    /// Terminals to begin with. Ids are below [`MAX_TERMINALS`].
    pub terminals: Vec<TerminalConfig>,
    /// Which addresses terminals and PoP have.
    pub addresses: AddressPlan,
    /// Tells the network's time.
    pub clock: Clock,
    /// How packets leave for the host's network.
    pub uplink: UplinkChoice,
    /// The packet thread sleeps until this long before a packet is due and then spins, since a sleep ends tens of
    /// microseconds late. 60 µs covers most of that; zero never spins.
    pub spin: Duration,
    /// Whether to ask for real-time priority.
    pub realtime: Realtime,
    /// Where locks and sockets live; `None` for the user's usual place.
    pub run_dir: Option<PathBuf>,
}

impl NetworkConfig {
    /// The usual choices for a scenario.
    pub fn new(scenario: impl Into<String>, clock: Clock) -> Self {
        Self {
            scenario: scenario.into(),
            terminals: Vec::new(),
            addresses: AddressPlan::DEFAULT,
            clock,
            uplink: UplinkChoice::Auto,
            spin: Duration::from_micros(60),
            realtime: Realtime::No,
            run_dir: None,
        }
    }
}

/// A live terminal to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TerminalConfig {
    /// Its id in the plan's tables.
    pub id: TerminalId,
    /// Its name for people.
    pub name: String,
}

/// A live terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalInfo {
    /// Its id in the plan's tables.
    pub id: TerminalId,
    /// Its name for people.
    pub name: String,
    /// Its address in 100.64.0.0/10.
    pub v4: Ipv4Addr,
    /// Its address out of its IPv6 prefix.
    pub v6: Ipv6Addr,
}

/// Addresses that programs behind a terminal can talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// The PoP: answers pings, resolves names.
    pub pop_v4: Ipv4Addr,
    /// The same over IPv6.
    pub pop_v6: Ipv6Addr,
    /// This machine, as seen from behind a terminal: services that listen here are reachable at it.
    pub host_v4: Option<Ipv4Addr>,
    /// The same over IPv6.
    pub host_v6: Option<Ipv6Addr>,
}

/// A running network. Dropping it ends it and leaves nothing behind.
#[derive(Debug)]
pub struct Network {}

impl Network {
    /// Makes namespaces and devices and starts the packet thread. Until a table is installed no packet passes.
    pub fn start(config: NetworkConfig) -> Result<Self, LiveError> {
        let _ = config;
        todo!()
    }

    /// Lets other processes of this user find the network (`status`, `run`, `shell`) and answers them through `controller`.
    pub fn serve(&self, controller: Arc<dyn Controller>) -> Result<(), LiveError> {
        let _ = controller;
        todo!()
    }

    /// Gives the packet thread the table of an epoch, ahead of its time.
    pub fn install(&self, table: Arc<EpochTable>) {
        let _ = table;
        todo!()
    }

    /// Adds a terminal while the network runs. It has service from the first table that names it.
    pub fn add_terminal(&self, terminal: TerminalConfig) -> Result<TerminalInfo, LiveError> {
        let _ = terminal;
        todo!()
    }

    /// Removes a terminal. Programs in its namespace keep the namespace until they end, without a way out.
    pub fn remove_terminal(&self, terminal: TerminalId) -> Result<(), LiveError> {
        let _ = terminal;
        todo!()
    }

    /// The live terminals, by id.
    pub fn terminals(&self) -> Vec<TerminalInfo> {
        todo!()
    }

    /// What [`super::enter`] and [`super::probe_rtt`] need of a terminal.
    pub fn namespace(&self, terminal: TerminalId) -> Result<NamespaceHandle, LiveError> {
        let _ = terminal;
        todo!()
    }

    /// Where to send a first packet.
    pub fn addresses(&self) -> Addresses {
        todo!()
    }

    /// How packets leave for the host's network, or why they cannot.
    pub fn uplink(&self) -> &Uplink {
        todo!()
    }

    /// The network's clock.
    pub fn clock(&self) -> Clock {
        todo!()
    }

    /// Counters of the packet thread, as of now.
    pub fn stats(&self) -> Stats {
        todo!()
    }

    /// Tells every subscriber (see [`super::Client::subscribe`]) of an event, one JSON object.
    pub fn publish(&self, event: &serde_json::Value) {
        let _ = event;
        todo!()
    }

    /// Ends the network; what dropping does, with the errors said.
    pub fn shutdown(self) -> Result<(), LiveError> {
        todo!()
    }
}
