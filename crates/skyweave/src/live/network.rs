//! A running network as one value.

use super::control::{self, Subscribers};
use super::listener::{Listener, lock};
use super::namespace::{self, Facts, Namespace, Owner, PopSockets, Role};
use super::netlink::Socket;
use super::packets::{PacketThread, Waiting};
use super::pages::{self, Page};
use super::probe::{self, Privilege};
use super::resolver::{self, Resolver};
use super::run_dir::{Lock, RunDir};
use super::{
    Clock, Controller, LiveError, NamespaceHandle, Realtime, Stats, Uplink, UplinkChoice, uplink,
};
use serde::{Deserialize, Serialize};
use skyweave_base::TerminalId;
use skyweave_dataplane::{AddressPlan, Config, Engine, EpochTable};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
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
    /// microseconds late. 100 µs covers most of that; zero never spins.
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
            spin: Duration::from_micros(100),
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
    /// Its address out of its IPv6 prefix, if this machine has IPv6.
    pub v6: Option<Ipv6Addr>,
}

/// Addresses that programs behind a terminal can talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// The PoP: answers pings, resolves names.
    pub pop_v4: Ipv4Addr,
    /// The same over IPv6, if this machine has it.
    pub pop_v6: Option<Ipv6Addr>,
    /// This machine, as seen from behind a terminal: services that listen here are reachable at it.
    pub host_v4: Option<Ipv4Addr>,
    /// The same over IPv6.
    pub host_v6: Option<Ipv6Addr>,
}

/// A running network. Dropping it ends it and leaves nothing behind.
#[derive(Debug)]
pub struct Network {
    shared: Arc<Shared>,
    uplink: Uplink,
    server: Mutex<Option<Listener>>,
    /// Until it is served.
    page_socket: Mutex<Option<OwnedFd>>,
    pages: Mutex<Option<Listener>>,
}

/// What the control socket's threads need as well.
#[derive(Debug)]
pub(crate) struct Shared {
    plan: AddressPlan,
    facts: Facts,
    subscribers: Subscribers,
    /// `None` once the network has ended.
    running: Mutex<Option<Running>>,
}

/// All that runs, in the order in which it is taken down.
#[derive(Debug)]
struct Running {
    packets: PacketThread,
    terminals: BTreeMap<TerminalId, Terminal>,
    _resolver: Resolver,
    _uplink: uplink::Running,
    /// Holds the PoP's namespace open, and its address translation.
    _pop: (OwnedFd, Socket),
    /// The user namespace that owns the others, for an ordinary user.
    user: Option<OwnedFd>,
    lock: Lock,
}

#[derive(Debug)]
struct Terminal {
    info: TerminalInfo,
    namespace: OwnedFd,
}

impl Network {
    /// Makes namespaces and devices and starts the packet thread. Until a table is installed no packet passes.
    pub fn start(config: NetworkConfig) -> Result<Self, LiveError> {
        let lock = RunDir::open(config.run_dir.as_deref())?.lock(&config.scenario)?;
        let plan = config.addresses;
        let privilege = Privilege::of_this_process();
        // The PoP comes last: the child that made them all is inside its namespace then, where pasta needs somebody.
        let mut roles = vec![Role::Terminal; config.terminals.len()];
        roles.push(Role::Pop);
        let made =
            namespace::make(Owner::first(privilege), &roles).map_err(|error| match error {
                LiveError::System { .. } => LiveError::Missing(vec![probe::explain(&error)]),
                other => other,
            })?;
        let mut namespaces = made.namespaces;
        let mut pop = namespaces
            .pop()
            .expect("one namespace was made for each role");
        let has_v6 = pop
            .configure_pop(&plan)
            .map_err(LiveError::system("set up the PoP's network"))?;

        let engine = Engine::new(Config::new(
            &plan,
            (0..MAX_TERMINALS)
                .filter_map(|id| plan.address(TerminalId(id)))
                .collect(),
        ));
        let engine = engine.expect("an address plan gives no address twice");
        let waiting = Waiting {
            spin: config.spin,
            realtime: config.realtime,
        };
        let packets = PacketThread::start(
            engine,
            config.clock,
            waiting,
            pop.tun.try_clone().map_err(COPY)?,
        )?;
        let mut terminals = BTreeMap::new();
        for (terminal, namespace) in config.terminals.into_iter().zip(namespaces) {
            let id = terminal.id;
            let terminal = bring_up(&plan, terminal, namespace, &packets)?;
            if terminals.insert(id, terminal).is_some() {
                return Err(LiveError::NoAddress(id));
            }
        }
        let uplink =
            uplink::Running::start(config.uplink, privilege, &plan, &mut pop, made.maker.pid());
        drop(made.maker);
        let addresses = Addresses {
            pop_v4: plan.gateway_v4(),
            pop_v6: has_v6.then(|| plan.gateway_v6()),
            host_v4: uplink.host_v4,
            host_v6: uplink.host_v6.filter(|_| has_v6),
        };
        let resolv_conf = lock.resolv_conf();
        let host = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        std::fs::write(&resolv_conf, resolver::resolv_conf(addresses.pop_v4, &host)).map_err(
            |e| LiveError::RunDir {
                path: resolv_conf.clone(),
                reason: e.to_string(),
            },
        )?;
        let PopSockets {
            netfilter,
            udp,
            tcp,
            page,
            relay: _,
        } = pop
            .pop
            .take()
            .expect("the PoP's namespace was made with its sockets");
        let resolver = Resolver::start(
            SocketAddrV4::new(addresses.pop_v4, 53),
            udp,
            tcp,
            resolver::host_resolvers(&host),
        )
        .map_err(LiveError::system("open the PoP's resolver"))?;
        Ok(Self {
            uplink: uplink.uplink.clone(),
            shared: Arc::new(Shared {
                plan,
                facts: Facts {
                    clock: config.clock,
                    addresses,
                    resolv_conf,
                },
                subscribers: Subscribers::default(),
                running: Mutex::new(Some(Running {
                    packets,
                    terminals,
                    _resolver: resolver,
                    _uplink: uplink,
                    _pop: (pop.namespace, netfilter),
                    user: made.user,
                    lock,
                })),
            }),
            server: Mutex::new(None),
            page_socket: Mutex::new(Some(page)),
            pages: Mutex::new(None),
        })
    }

    /// Lets other processes of this user find the network (`status`, `run`, `shell`) and answers them through `controller`.
    pub fn serve(&self, controller: Arc<dyn Controller>) -> Result<(), LiveError> {
        let path = self.shared.with(|running| Ok(running.lock.socket()))?;
        let server = control::serve(&path, Arc::clone(&self.shared), controller)?;
        *lock(&self.server) = Some(server);
        Ok(())
    }

    /// Serves the account page at the PoP: `page` gives that of whoever has an address. Without this nobody answers there.
    pub fn serve_pages(
        &self,
        page: impl Fn(IpAddr) -> Option<Page> + Send + Sync + 'static,
    ) -> Result<(), LiveError> {
        if let Some(socket) = lock(&self.page_socket).take() {
            let pages = pages::start(socket, page);
            *lock(&self.pages) = Some(pages.map_err(LiveError::system("serve the account page"))?);
        }
        Ok(())
    }

    /// Gives the packet thread the table of an epoch, ahead of its time.
    pub fn install(&self, table: Arc<EpochTable>) -> Result<(), LiveError> {
        self.shared
            .with(|running| Ok(running.packets.install(table)?))
    }

    /// Adds a terminal while the network runs. It has service from the first table that names it.
    pub fn add_terminal(&self, terminal: TerminalConfig) -> Result<TerminalInfo, LiveError> {
        self.shared.with(|running| {
            if running.terminals.contains_key(&terminal.id) {
                return Err(LiveError::NoAddress(terminal.id));
            }
            let mut made = namespace::make(Owner::again(running.user.as_ref()), &[Role::Terminal])?;
            let namespace = made
                .namespaces
                .pop()
                .expect("one namespace was made for each role");
            let id = terminal.id;
            let terminal = bring_up(&self.shared.plan, terminal, namespace, &running.packets)?;
            let info = terminal.info.clone();
            running.terminals.insert(id, terminal);
            Ok(info)
        })
    }

    /// Removes a terminal. Programs in its namespace keep the namespace until they end, without a way out.
    pub fn remove_terminal(&self, terminal: TerminalId) -> Result<(), LiveError> {
        self.shared.with(|running| {
            running
                .terminals
                .remove(&terminal)
                .ok_or(LiveError::NoTerminal(terminal))?;
            running.packets.remove(terminal);
            Ok(())
        })
    }

    /// Switches a terminal off, so that no packet of it passes, or on again.
    pub fn silence(&self, terminal: TerminalId, silent: bool) -> Result<(), LiveError> {
        self.shared.with(|running| {
            running.packets.silence(terminal, silent);
            Ok(())
        })
    }

    /// The live terminals, by id.
    pub fn terminals(&self) -> Vec<TerminalInfo> {
        self.shared.terminals()
    }

    /// What [`super::enter`] and [`super::probe_rtt`] need of a terminal.
    pub fn namespace(&self, terminal: TerminalId) -> Result<NamespaceHandle, LiveError> {
        self.shared.terminal(terminal).map(|(_, handle)| handle)
    }

    /// Where to send a first packet.
    pub fn addresses(&self) -> Addresses {
        self.shared.facts.addresses
    }

    /// How packets leave for the host's network, or why they cannot.
    pub fn uplink(&self) -> &Uplink {
        &self.uplink
    }

    /// The network's clock.
    pub fn clock(&self) -> Clock {
        self.shared.facts.clock
    }

    /// Counters of the packet thread, as of now; empty once the network has ended.
    pub fn stats(&self) -> Stats {
        self.shared
            .with(|running| Ok(running.packets.stats()))
            .unwrap_or_default()
    }

    /// Tells every subscriber (see [`super::Client::subscribe`]) of an event, one JSON object.
    pub fn publish(&self, event: &serde_json::Value) {
        self.shared.subscribers.publish(event);
    }

    /// Ends the network, as dropping it does: for when a controller holds it, too. Whatever is asked of it afterwards is
    /// refused.
    pub fn shutdown(&self) {
        // Taken out first: the control socket's threads may be inside a controller that uses the network.
        let server = lock(&self.server).take();
        drop(server);
        let pages = lock(&self.pages).take();
        drop(pages);
        let running = lock(&self.shared.running).take();
        drop(running);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// The step that fails when descriptors run out.
const COPY: fn(std::io::Error) -> LiveError = |source| LiveError::System {
    doing: "copy a descriptor",
    source,
};

/// Gives a new namespace a terminal's addresses, and its device to the packet thread.
fn bring_up(
    plan: &AddressPlan,
    terminal: TerminalConfig,
    mut namespace: Namespace,
    packets: &PacketThread,
) -> Result<Terminal, LiveError> {
    let id = terminal.id;
    let address = plan
        .address(id)
        .filter(|_| id.0 < MAX_TERMINALS)
        .ok_or(LiveError::NoAddress(id))?;
    let has_v6 = namespace
        .configure_terminal(&address)
        .map_err(LiveError::system("set up a terminal's network"))?;
    packets.add(id, namespace.tun);
    let v6 = has_v6.then(|| address.v6());
    let info = TerminalInfo {
        id,
        name: terminal.name,
        v4: address.v4,
        v6,
    };
    Ok(Terminal {
        info,
        namespace: namespace.namespace,
    })
}

impl Shared {
    fn with<T>(
        &self,
        action: impl FnOnce(&mut Running) -> Result<T, LiveError>,
    ) -> Result<T, LiveError> {
        lock(&self.running)
            .as_mut()
            .map_or(Err(LiveError::Ended), action)
    }

    pub(crate) fn terminals(&self) -> Vec<TerminalInfo> {
        let all =
            self.with(|running| Ok(running.terminals.values().map(|t| t.info.clone()).collect()));
        all.unwrap_or_default()
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    pub(crate) fn subscribers(&self) -> &Subscribers {
        &self.subscribers
    }

    pub(crate) fn terminal(
        &self,
        id: TerminalId,
    ) -> Result<(TerminalInfo, NamespaceHandle), LiveError> {
        self.with(|running| {
            let terminal = running
                .terminals
                .get(&id)
                .ok_or(LiveError::NoTerminal(id))?;
            let handle = NamespaceHandle {
                network: terminal.namespace.try_clone().map_err(COPY)?,
                user: running
                    .user
                    .as_ref()
                    .map(OwnedFd::try_clone)
                    .transpose()
                    .map_err(COPY)?,
                facts: self.facts.clone(),
            };
            Ok((terminal.info.clone(), handle))
        })
    }
}
