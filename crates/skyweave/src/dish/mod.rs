//! The dishes of a live network: each terminal answers on its own network as a real one does.
//!
//! Inside a terminal's namespace it is found at 192.168.100.1, gRPC on port 9200 and gRPC-Web on 9201; on this machine at
//! ports of the loopback, a pair for each terminal. One thread serves all of them; another pings the PoP from each terminal
//! and samples its counters once a second. What a dish then says is decided in [`skyweave_dish`].

mod sampler;
mod server;

use crate::live::{
    Clock, DISH_ADDRESS, EchoSocket, LiveError, NamespaceHandle, Network, lock, open_inside,
};
use crate::metrics;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use sampler::{Pings, Sampler};
use serde::{Deserialize, Serialize};
use server::{Server, Sockets};
use skyweave_base::TerminalId;
use skyweave_dish::schema::device;
use skyweave_dish::{
    Device, Disablement, Dish, FileNames, Identity, Permissions, Schedule, Status,
};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Port of gRPC inside a terminal's namespace; gRPC-Web has the next one.
pub const GRPC_PORT: u16 = 9200;
/// On the loopback terminal `n` has this port plus `2 n` and the next one, or free ones where these are taken.
const FIRST_LOOPBACK_PORT: u16 = 19_200;

/// What all dishes of a network are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// What may be read and changed by whoever asks.
    pub permissions: Permissions,
    /// How reflection names the schema's files.
    pub file_names: FileNames,
}

/// Where this machine reaches a dish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DishAddress {
    /// What the dish calls itself.
    pub id: String,
    /// gRPC, on the loopback.
    pub grpc: SocketAddr,
    /// gRPC-Web, on the loopback.
    pub grpc_web: SocketAddr,
}

/// The dishes of a network. Dropping it ends their servers.
pub struct Dishes {
    settings: Settings,
    clock: Clock,
    network: Arc<Network>,
    terminals: Arc<Terminals>,
    // Dropped in this order: the sampler uses the server.
    _sampler: Sampler,
    server: Arc<Server>,
}

type Terminals = Mutex<BTreeMap<TerminalId, Arc<Terminal>>>;

/// One terminal's dish and what it is reached and fed by.
struct Terminal {
    id: TerminalId,
    address: DishAddress,
    dish: Mutex<Dish>,
    clock: Clock,
    pings: Mutex<Pings>,
    /// What became of its pings, for whoever measures the network.
    measured: metrics::Pings,
    connections: server::Connections,
    /// Counts restarts that were asked for; each ends the connections of its time.
    restarts: AtomicU64,
}

impl Dishes {
    /// Starts the threads. Terminals come with [`Dishes::add`].
    pub fn start(network: Arc<Network>, settings: Settings) -> Result<Self, LiveError> {
        let terminals = Arc::<Terminals>::default();
        let server =
            Arc::new(Server::start().map_err(LiveError::system("start the dishes' server"))?);
        let sampler = Sampler::start(Arc::clone(&network), Arc::clone(&terminals))
            .map_err(LiveError::system("start the dishes' sampler"))?;
        let clock = network.clock();
        Ok(Self {
            settings,
            clock,
            network,
            terminals,
            _sampler: sampler,
            server,
        })
    }

    /// Switches on the dish of a terminal that the network has.
    pub fn add(&self, terminal: TerminalId, identity: Identity) -> Result<DishAddress, LiveError> {
        let inside = self.network.namespace(terminal)?;
        let pop = IpAddr::V4(self.network.addresses().pop_v4);
        let (sockets, echo) = open_sockets(&inside, terminal, pop)?;
        let address = sockets.address(identity.id.clone()).map_err(NO_SERVER)?;
        let now = self.clock.now();
        let terminal = Arc::new(Terminal {
            id: terminal,
            address: address.clone(),
            dish: Mutex::new(Dish::new(identity, self.settings.permissions, now)),
            clock: self.clock,
            pings: Mutex::new(Pings::new(echo)),
            measured: metrics::Pings::default(),
            connections: server::Connections::default(),
            restarts: AtomicU64::new(0),
        });
        self.server
            .listen(&terminal, sockets, self.settings.file_names)
            .map_err(NO_SERVER)?;
        lock(&self.terminals).insert(terminal.id, terminal);
        Ok(address)
    }

    /// Switches a dish off for good.
    pub fn remove(&self, terminal: TerminalId) {
        if let Some(terminal) = lock(&self.terminals).remove(&terminal) {
            terminal.connections.close();
        }
    }

    /// Where this machine reaches a terminal's dish.
    pub fn address(&self, terminal: TerminalId) -> Option<DishAddress> {
        self.find(terminal).map(|t| t.address.clone())
    }

    /// What a terminal's dish shows about its entitlement, and what became of its pings so far.
    pub fn measured(&self, terminal: TerminalId) -> Option<(&'static str, metrics::Pings)> {
        let terminal = self.find(terminal)?;
        let code = lock(&terminal.dish).entitlement().as_str_name();
        Some((code, terminal.measured.clone()))
    }

    /// Tells a dish the plan of an epoch, ahead of its time.
    pub fn schedule(&self, terminal: TerminalId, schedule: Schedule) {
        if let Some(terminal) = self.find(terminal) {
            lock(&terminal.dish).schedule(schedule);
        }
    }

    /// Tells a dish whether it may pass traffic, and why not.
    pub fn set_entitlement(&self, terminal: TerminalId, code: Disablement) {
        if let Some(terminal) = self.find(terminal) {
            lock(&terminal.dish).set_entitlement(code);
        }
    }

    fn find(&self, terminal: TerminalId) -> Option<Arc<Terminal>> {
        lock(&self.terminals).get(&terminal).cloned()
    }
}

impl Drop for Dishes {
    fn drop(&mut self) {
        for terminal in std::mem::take(&mut *lock(&self.terminals)).into_values() {
            terminal.connections.close();
        }
    }
}

impl Device for Terminal {
    fn answer(&self, request: device::Request) -> Result<device::Response, Status> {
        let mut dish = lock(&self.dish);
        let answer = dish.answer(request, self.clock.now());
        if !dish.answers() {
            self.restarts.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }
}

const NO_SERVER: fn(std::io::Error) -> LiveError = |source| LiveError::System {
    doing: "open a dish's ports",
    source,
};

/// The sockets of a dish: two listening inside its namespace, two on the loopback, and one to ping from inside.
fn open_sockets(
    inside: &NamespaceHandle,
    terminal: TerminalId,
    pop: IpAddr,
) -> Result<(Sockets, EchoSocket), LiveError> {
    let stream = || {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)
    };
    let [grpc, web, echo] = open_inside(inside, || {
        Ok([stream()?, stream()?, EchoSocket::make(pop)?])
    })?;
    for (socket, port) in [(&grpc, GRPC_PORT), (&web, GRPC_PORT + 1)] {
        let listening = rustix::net::bind(socket, &SocketAddrV4::new(DISH_ADDRESS, port))
            .and_then(|()| rustix::net::listen(socket, 64));
        listening.map_err(LiveError::errno("open a dish's ports"))?;
    }
    let preferred = u16::try_from(terminal.0)
        .ok()
        .and_then(|n| FIRST_LOOPBACK_PORT.checked_add(n.checked_mul(2)?));
    let sockets = Sockets {
        grpc: [grpc.into(), loopback(preferred).map_err(NO_SERVER)?],
        grpc_web: [
            web.into(),
            loopback(preferred.map(|port| port + 1)).map_err(NO_SERVER)?,
        ],
    };
    Ok((sockets, EchoSocket::connected(echo, pop)?))
}

/// A port of the loopback: the preferred one, or any.
fn loopback(preferred: Option<u16>) -> std::io::Result<TcpListener> {
    let at = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = preferred.map_or_else(|| at(0), |port| at(port).or_else(|_| at(0)))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
