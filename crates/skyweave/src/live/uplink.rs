//! The way out of the PoP to the host's network.
//!
//! As root a veth pair: the PoP's kernel translates terminals to the PoP's end, the host's kernel translates that to the
//! host's own address. What the host had to be told is a device, which ends with the PoP's namespace; an nftables table,
//! which ends with our socket; and forwarding between devices, which [`HostSettings`] puts back. Otherwise pasta: a process
//! that turns the PoP's packets into sockets of the user's own, and changes nothing on the host; TCP has a [`relay`] of ours.

use super::Missing;
use super::listener::Listener;
use super::namespace::{MTU, Namespace, Role, if_ipv6};
use super::netlink::{self, Family, Route, Socket};
use super::nft::{self, Hook, Rule};
use super::probe::Privilege;
use super::relay::{self, HostNames};
use rustix::fs::{FlockOperation, flock};
use rustix::net::AddressFamily;
use skyweave_dataplane::AddressPlan;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How packets should leave for the host's network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum UplinkChoice {
    /// As root the kernel's NAT, else pasta.
    #[default]
    Auto,
    /// Through pasta also as root: changes nothing on the host.
    Pasta,
    /// Not at all: terminals reach the PoP and each other.
    None,
}

/// How packets leave for the host's network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uplink {
    /// Through a veth pair, forwarded and translated by the host's kernel.
    Kernel {
        /// The device's name on the host.
        device: String,
        /// What does not work all the same.
        limits: Vec<Missing>,
    },
    /// Through pasta.
    Pasta,
    /// Not at all: by choice (no reasons), or for these reasons.
    None(Vec<Missing>),
}

/// The two ends of the link between PoP and host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) host_v4: Ipv4Addr,
    pub(crate) pop_v4: Ipv4Addr,
    pub(crate) host_v6: Ipv6Addr,
    pub(crate) pop_v6: Ipv6Addr,
}

const PREFIX_V4: u8 = 30;
const PREFIX_V6: u8 = 64;

impl Ends {
    /// The link of the nth network of this machine: a /30 of 198.18.0.0/15 (RFC 2544, for tests of networks, so that real
    /// networks do not use it) and a /64 of a unique local prefix (RFC 4193).
    fn nth(n: u16) -> Self {
        let v4 = Ipv4Addr::new(198, 18, 0, 0).to_bits() + u32::from(n) * 4;
        let v6 = |end| Ipv6Addr::new(0xfd5c, 0x77ea, 0x5fff, n, 0, 0, 0, end);
        Self {
            host_v4: Ipv4Addr::from_bits(v4 + 1),
            pop_v4: Ipv4Addr::from_bits(v4 + 2),
            host_v6: v6(1),
            pop_v6: v6(2),
        }
    }
}

/// The uplink of a running network. Dropping it takes it down.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) uplink: Uplink,
    /// The host as seen from behind a terminal.
    pub(crate) host_v4: Option<Ipv4Addr>,
    pub(crate) host_v6: Option<Ipv6Addr>,
    _parts: Parts,
}

/// What must stay for the uplink to stay.
#[derive(Debug)]
enum Parts {
    Kernel {
        _table: Socket,
        _settings: HostSettings,
        _device: HostDevice,
    },
    Pasta {
        _relay: Listener,
        _process: Pasta,
    },
    None,
}

/// The device's name inside the PoP.
const UPLINK: &str = "uplink0";

impl Running {
    /// Connects the PoP. `inside` is a process in its namespace. An uplink that cannot be is no failure: terminals can then
    /// reach the PoP and each other, and the reasons are told.
    pub(crate) fn start(
        choice: UplinkChoice,
        privilege: Privilege,
        plan: &AddressPlan,
        pop: &mut Namespace,
        inside: u32,
    ) -> Self {
        let none = |reasons| Self {
            uplink: Uplink::None(reasons),
            host_v4: None,
            host_v6: None,
            _parts: Parts::None,
        };
        let started = match (choice, privilege) {
            (UplinkChoice::None, _) => return none(Vec::new()),
            (UplinkChoice::Auto, Privilege::Root) => kernel(pop),
            (UplinkChoice::Pasta, _) | (UplinkChoice::Auto, Privilege::User) => {
                pasta(plan, pop, inside)
            }
        };
        started.unwrap_or_else(|missing| none(vec![missing]))
    }
}

fn missing(what: impl Into<String>, remedy: &str) -> Missing {
    Missing {
        what: what.into(),
        remedy: remedy.to_owned(),
    }
}

/// Says which step failed and what would help.
fn step<T>(done: io::Result<T>, doing: &str, remedy: &str) -> Result<T, Missing> {
    done.map_err(|e| missing(format!("cannot {doing}: {e}"), remedy))
}

/// Packets leave the PoP with the address of its uplink; `more` says what else becomes of them.
fn translate_at_pop(pop: &mut Namespace, more: Vec<(Hook, Vec<Rule>)>) -> Result<(), Missing> {
    let sockets = pop
        .pop
        .as_mut()
        .expect("the PoP's namespace was made with its sockets");
    let mut chains = vec![(
        Hook::SourceNat,
        vec![Rule::default().out_by(UPLINK).masquerade()],
    )];
    chains.extend(more);
    let done = nft::install(&mut sockets.netfilter, "skyweave", chains);
    step(
        done,
        "translate addresses at the PoP",
        "needs a kernel of 5.12 or newer with nf_tables, nft_masq and nft_redir",
    )
}

/// Gives the PoP's end of the link its addresses and default routes.
fn configure_pop_end(pop: &mut Namespace, device: u32, ends: Ends) -> io::Result<bool> {
    let any = [
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    ];
    pop.route.request([
        netlink::link_up_queueing(device, MTU, 1000),
        netlink::address(device, ends.pop_v4.into(), PREFIX_V4),
        netlink::route(any[0], 0, device, Some(ends.host_v4.into())),
    ])?;
    if_ipv6(pop.route.request([
        netlink::address(device, ends.pop_v6.into(), PREFIX_V6),
        netlink::route(any[1], 0, device, Some(ends.host_v6.into())),
    ]))
}

/// A veth pair to the host, and the host's kernel behind it.
fn kernel(pop: &mut Namespace) -> Result<Running, Missing> {
    const INSTEAD: &str =
        "pasta asks nothing of the host: install `passt` and choose it as the uplink";
    translate_at_pop(pop, Vec::new())?;
    let open = |family| {
        step(
            Socket::open(family).map_err(io::Error::from),
            "open a netlink socket",
            INSTEAD,
        )
    };
    let mut route = Socket::from(open(Family::Route)?);
    let routes = step(route.routes(), "list the host's routes", INSTEAD)?;
    let (name, ends) = make_pair(&mut route, &routes, pop)?;
    let index = step(route.index(&name), "find the new device", INSTEAD)?;
    let mut device = HostDevice { index, route };
    let near_v6 = step(
        device.configure(ends),
        "set up the link to the host",
        INSTEAD,
    )?;
    let far_end = pop
        .route
        .index(UPLINK)
        .and_then(|index| configure_pop_end(pop, index, ends));
    let far_v6 = step(far_end, "set up the PoP's end of the link", INSTEAD)?;

    let mut limits = Vec::new();
    let settings = HostSettings::take(Path::new(HOST_DIR));
    let settings = step(
        settings,
        "note down the host's settings",
        "needs a folder /run that can be written",
    )?;
    settings.forward(&name, &routes, &mut limits);
    let mut rules = vec![(
        Hook::SourceNat,
        vec![
            Rule::default().from(ends.pop_v4.into()).masquerade(),
            Rule::default().from(ends.pop_v6.into()).masquerade(),
        ],
    )];
    // The host did not forward before, and shall not begin to do so for strangers.
    let opened = settings.opened().into_iter();
    let closed = opened.map(|outside| {
        Rule::default()
            .in_by(&outside)
            .not_out_by(&name)
            .uninvited()
            .drop()
    });
    rules.push((Hook::Forward, closed.collect()));
    let mut table = Socket::from(open(Family::Netfilter)?);
    if let Err(e) = nft::install(&mut table, &name, rules) {
        limits.push(missing(
            format!("the host does not translate addresses ({e}): only the host itself can be reached"),
            "needs a kernel of 5.12 or newer with nf_tables and nft_masq; or choose pasta as the uplink",
        ));
    }
    Ok(Running {
        uplink: Uplink::Kernel {
            device: name,
            limits,
        },
        host_v4: Some(ends.host_v4),
        host_v6: (near_v6 && far_v6).then_some(ends.host_v6),
        _parts: Parts::Kernel {
            _table: table,
            _settings: settings,
            _device: device,
        },
    })
}

/// Makes the pair with the first number whose name and addresses are free on this host.
fn make_pair(
    route: &mut Socket,
    routes: &[Route],
    pop: &Namespace,
) -> Result<(String, Ends), Missing> {
    const NUMBERS: u16 = 64;
    for n in 0..NUMBERS {
        let ends = Ends::nth(n);
        let links = [
            (IpAddr::V4(ends.host_v4), PREFIX_V4),
            (IpAddr::V6(ends.host_v6), PREFIX_V6),
        ];
        if routes.iter().any(|r| {
            links
                .iter()
                .any(|&(network, length)| r.overlaps(network, length))
        }) {
            continue;
        }
        let name = format!("skyweave{n}");
        match route.request([netlink::veth(&name, UPLINK, pop.namespace.as_fd())]) {
            Ok(()) => return Ok((name, ends)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => {
                return Err(missing(
                    format!("cannot make a veth pair: {e}"),
                    "needs the kernel module veth",
                ));
            }
        }
    }
    Err(missing(
        format!(
            "all devices skyweave0 to skyweave{} or their networks in 198.18.0.0/15 are in use",
            NUMBERS - 1
        ),
        "end other networks, or choose pasta as the uplink",
    ))
}

/// The host's end of the veth pair. Dropping removes it: the namespace with the other end lives on for a moment.
#[derive(Debug)]
struct HostDevice {
    index: u32,
    route: Socket,
}

impl HostDevice {
    fn configure(&mut self, ends: Ends) -> io::Result<bool> {
        self.route.request([
            netlink::link_up_queueing(self.index, MTU, 1000),
            netlink::address(self.index, ends.host_v4.into(), PREFIX_V4),
        ])?;
        if_ipv6(
            self.route
                .request([netlink::address(self.index, ends.host_v6.into(), PREFIX_V6)]),
        )
    }
}

impl Drop for HostDevice {
    fn drop(&mut self) {
        let _ = self.route.request([netlink::remove_link(self.index)]);
    }
}

/// Where changes of the host's settings are written down. One place for all networks of the machine.
const HOST_DIR: &str = "/run/skyweave";

/// Settings of the host that running networks changed. They are written down before they are changed, and put back by the
/// last network that ends; or, if that was killed, by the next that starts.
#[derive(Debug)]
struct HostSettings {
    /// Locked, shared, by each running network.
    users: File,
    journal: PathBuf,
}

impl HostSettings {
    fn take(dir: &Path) -> io::Result<Self> {
        // As the run folder, which may be this one: for this user alone.
        let mut folder = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        folder.recursive(true).create(dir)?;
        let users = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(dir.join("host.users"))?;
        let settings = Self {
            users,
            journal: dir.join("host.settings"),
        };
        settings.restore_if_last();
        flock(&settings.users, FlockOperation::LockShared)?;
        Ok(settings)
    }

    /// Lets the host forward packets between `device` and wherever its routes lead.
    fn forward(&self, device: &str, routes: &[Route], limits: &mut Vec<Missing>) {
        let mut outside = BTreeSet::new();
        if let Ok(socket) = Socket::open(Family::Route) {
            let indices = routes.iter().filter(|r| r.unicast).filter_map(|r| r.device);
            let names = indices.collect::<BTreeSet<_>>().into_iter();
            outside.extend(
                names.filter_map(|i| rustix::net::netdevice::index_to_name(&socket, i).ok()),
            );
        }
        outside.retain(|name| name != "lo" && !name.starts_with("skyweave"));
        let v4 = |name: &str| format!("/proc/sys/net/ipv4/conf/{name}/forwarding");
        let v6 = |name: &str| format!("/proc/sys/net/ipv6/conf/{name}/force_forwarding");
        // Our own device ends with its settings: nothing is to be put back. For the others not net.ipv4.ip_forward: to
        // change that resets other settings of each device.
        let ours = std::fs::write(v4(device), "1");
        if let Err(e) =
            ours.and_then(|()| outside.iter().try_for_each(|name| self.set(v4(name), "1")))
        {
            limits.push(missing(
                format!(
                    "the host does not forward packets ({e}): only the host itself can be reached"
                ),
                "set net.ipv4.ip_forward=1, or choose pasta as the uplink",
            ));
        }
        let is_v6_default = |r: &Route| r.unicast && r.network.is_ipv6() && r.length == 0;
        let forwards_v6 = std::fs::read_to_string("/proc/sys/net/ipv6/conf/all/forwarding")
            .is_ok_and(|v| v.trim() != "0");
        if forwards_v6 || !routes.iter().any(is_v6_default) {
            return;
        }
        // Not net.ipv6.conf.all.forwarding: that makes the host a router, which forgets the routes that it was advertised.
        let ours = std::fs::write(v6(device), "1");
        if ours
            .and_then(|()| outside.iter().try_for_each(|name| self.set(v6(name), "1")))
            .is_err()
        {
            limits.push(missing(
                "the host does not forward IPv6: only the host itself can be reached with it",
                "needs Linux 6.17 or newer, or net.ipv6.conf.all.forwarding=1",
            ));
        }
    }

    /// Notes down a setting and changes it.
    fn set(&self, path: String, value: &str) -> io::Result<()> {
        let before = std::fs::read_to_string(&path)?;
        let before = before.trim();
        if before == value {
            return Ok(());
        }
        let mut journal = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.journal)?;
        flock(&journal, FlockOperation::LockExclusive)?;
        writeln!(journal, "{path}\t{before}\t{value}")?;
        std::fs::write(&path, value)
    }

    /// Devices of the host that forward only because of us.
    fn opened(&self) -> BTreeSet<String> {
        let journal = std::fs::read_to_string(&self.journal).unwrap_or_default();
        // "/proc/sys/net/ipv4/conf/DEVICE/forwarding" and so on.
        journal
            .lines()
            .filter_map(|line| line.split('/').nth(6))
            .map(str::to_owned)
            .collect()
    }

    /// Puts everything back, if no running network needs it.
    fn restore_if_last(&self) {
        if flock(&self.users, FlockOperation::NonBlockingLockExclusive).is_err() {
            return;
        }
        let journal = std::fs::read_to_string(&self.journal).unwrap_or_default();
        // Whoever made the host a router meanwhile relies on it.
        let router =
            std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").is_ok_and(|v| v.trim() == "1");
        for line in journal.lines().rev() {
            let mut fields = line.split('\t');
            let (Some(path), Some(before), Some(ours)) =
                (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let keep = router && path.starts_with("/proc/sys/net/ipv4/");
            // A device that is gone has no setting to put back; one that somebody changed since is theirs.
            if !keep && std::fs::read_to_string(path).is_ok_and(|now| now.trim() == ours) {
                let _ = std::fs::write(path, before);
            }
        }
        let _ = std::fs::remove_file(&self.journal);
    }
}

impl Drop for HostSettings {
    fn drop(&mut self) {
        self.restore_if_last();
    }
}

/// A pasta process. Dropping it ends it; so does the end of this process.
#[derive(Debug)]
struct Pasta {
    pid: rustix::process::Pid,
    thread: Option<std::thread::JoinHandle<String>>,
}

/// How long pasta may take to make its device.
const PASTA_START: Duration = Duration::from_secs(5);

/// Listens for connections that the PoP's packet filter will redirect.
fn relay(pop: &mut Namespace, host: HostNames) -> io::Result<(Listener, u16)> {
    let sockets = pop
        .pop
        .as_mut()
        .expect("the PoP's namespace was made with its sockets");
    let socket = sockets.relay.take().ok_or(io::ErrorKind::NotFound)?;
    let any = match rustix::net::sockopt::socket_domain(&socket)? {
        AddressFamily::INET6 => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        _ => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
    };
    rustix::net::bind(&socket, &any)?;
    rustix::net::listen(&socket, 128)?;
    let port = SocketAddr::try_from(rustix::net::getsockname(&socket)?)?.port();
    Ok((relay::start(socket, host)?, port))
}

/// pasta, attached to the PoP through a process that is inside.
fn pasta(plan: &AddressPlan, pop: &mut Namespace, inside: u32) -> Result<Running, Missing> {
    const INSTALL: &str = "install the package `passt`";
    let ends = Ends::nth(0);
    let host = HostNames {
        v4: ends.host_v4,
        v6: ends.host_v6,
    };
    let (relay, port) = step(relay(pop, host), "relay TCP connections", INSTALL)?;
    let (v4, v6) = (IpAddr::V4(plan.v4_network()), IpAddr::V6(plan.v6_network()));
    let redirected =
        [(v4, AddressPlan::V4_LENGTH), (v6, AddressPlan::V6_LENGTH)].map(|(network, length)| {
            Rule::default()
                .in_by(Role::Pop.device())
                .tcp()
                .beyond(network, length)
                .redirect(port)
        });
    translate_at_pop(pop, vec![(Hook::DestinationNat, redirected.into())])?;
    let mut process = step(Pasta::spawn(ends, inside), "start pasta", INSTALL)?;
    let begin = Instant::now();
    let device = loop {
        if let Ok(index) = pop.route.index(UPLINK) {
            break index;
        }
        if process.has_ended() || begin.elapsed() > PASTA_START {
            let said = process.end();
            return Err(missing(
                format!("pasta does not connect the PoP: {said}"),
                "see whether `pasta true` works",
            ));
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let has_v6 = step(
        configure_pop_end(pop, device, ends),
        "set up the PoP's end of the link",
        INSTALL,
    )?;
    Ok(Running {
        uplink: Uplink::Pasta,
        host_v4: Some(ends.host_v4),
        host_v6: has_v6.then_some(ends.host_v6),
        _parts: Parts::Pasta {
            _relay: relay,
            _process: process,
        },
    })
}

impl Pasta {
    fn spawn(ends: Ends, inside: u32) -> io::Result<Self> {
        let mut command = Command::new("pasta");
        command.args([
            "--foreground",
            "--quiet",
            "--ns-ifname",
            UPLINK,
            "--mtu",
            &MTU.to_string(),
        ]);
        command.args([
            "--address",
            &ends.pop_v4.to_string(),
            "--address",
            &ends.pop_v6.to_string(),
        ]);
        // Packets to the gateway's address reach what listens on the host, also on its loopback.
        command.args([
            "--gateway",
            &ends.host_v4.to_string(),
            "--gateway",
            &ends.host_v6.to_string(),
        ]);
        command.args(["--no-dhcp", "--no-dhcpv6", "--no-ra"]);
        command.args(["-t", "none", "-u", "none", "-T", "none", "-U", "none"]);
        if rustix::process::geteuid().is_root() {
            command.args(["--runas", "0:0"]);
        }
        command.arg(inside.to_string());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        // Ctrl-C is for the program behind the terminal, not for its uplink.
        command.process_group(0);
        // SAFETY: one system call, which touches nothing of the parent's.
        unsafe {
            command.pre_exec(|| {
                let signal = Some(rustix::process::Signal::KILL);
                rustix::process::set_parent_process_death_signal(signal).map_err(io::Error::from)
            });
        }
        // The signal comes at the end of the thread that started the process, so that thread waits for it.
        let (started, start) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("pasta".to_owned())
            .spawn(move || match command.spawn() {
                Ok(child) => {
                    let pid = rustix::process::Pid::from_child(&child);
                    let _ = started.send(Ok(pid));
                    last_words(child)
                }
                Err(e) => {
                    let _ = started.send(Err(e));
                    String::new()
                }
            })?;
        let pid = start
            .recv()
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))??;
        Ok(Self {
            pid,
            thread: Some(thread),
        })
    }

    fn has_ended(&self) -> bool {
        self.thread
            .as_ref()
            .is_none_or(std::thread::JoinHandle::is_finished)
    }

    /// Ends the process and returns what it last said.
    fn end(&mut self) -> String {
        let Some(thread) = self.thread.take() else {
            return String::new();
        };
        if !thread.is_finished() {
            let _ = rustix::process::kill_process(self.pid, rustix::process::Signal::KILL);
        }
        thread.join().unwrap_or_default()
    }
}

impl Drop for Pasta {
    fn drop(&mut self) {
        self.end();
    }
}

/// Reads what a process says until it ends, and returns the last line.
fn last_words(mut child: Child) -> String {
    let mut last = String::new();
    if let Some(stderr) = child.stderr.take() {
        for line in io::BufRead::lines(io::BufReader::new(stderr)).map_while(Result::ok) {
            if !line.trim().is_empty() {
                last = line;
            }
        }
    }
    let _ = child.wait();
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_different_networks_do_not_overlap() {
        let route = |ends: Ends| Route {
            network: ends.host_v4.into(),
            length: 30,
            device: None,
            unicast: true,
        };
        assert_eq!(Ends::nth(0).host_v4, Ipv4Addr::new(198, 18, 0, 1));
        assert!(route(Ends::nth(3)).overlaps(Ends::nth(3).pop_v4.into(), 30));
        assert!(!route(Ends::nth(3)).overlaps(Ends::nth(4).pop_v4.into(), 30));
    }

    #[test]
    fn settings_are_put_back_by_the_last_network_that_ends() {
        let folder = tempfile::tempdir().unwrap();
        let setting = folder.path().join("forwarding");
        std::fs::write(&setting, "0\n").unwrap();
        let now = || std::fs::read_to_string(&setting).unwrap().trim().to_owned();
        let path = setting.to_str().unwrap().to_owned();
        let first = HostSettings::take(folder.path()).unwrap();
        first.set(path.clone(), "1").unwrap();
        let second = HostSettings::take(folder.path()).unwrap();
        second.set(path.clone(), "1").unwrap();
        drop(first);
        assert_eq!(now(), "1");
        drop(second);
        assert_eq!(now(), "0");
        // A network that was killed: its journal is there, its lock is not.
        std::fs::write(&setting, "1").unwrap();
        std::fs::write(
            folder.path().join("host.settings"),
            format!("{path}\t0\t1\n"),
        )
        .unwrap();
        let next = HostSettings::take(folder.path()).unwrap();
        assert_eq!(now(), "0");
        drop(next);
        // What somebody else has set since is left alone.
        std::fs::write(&setting, "2").unwrap();
        std::fs::write(
            folder.path().join("host.settings"),
            format!("{path}\t0\t1\n"),
        )
        .unwrap();
        drop(HostSettings::take(folder.path()).unwrap());
        assert_eq!(now(), "2");
    }
}
