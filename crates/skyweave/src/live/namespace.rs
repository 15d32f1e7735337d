//! Network namespaces that live as long as somebody holds them open.
//!
//! They are made in a forked child, because an ordinary user needs a user namespace first and only a process of one thread
//! can make or enter one. The child sends file descriptors back and ends: devices are read and written, and sockets set up
//! addresses and routes, through descriptors, without entering the namespace again. An ordinary user may do all of that from
//! outside, as the owner of the user namespace (user_namespaces(7), "the process's effective user ID matches the owner").

use super::netlink::{self, Family, Socket};
use super::probe::Privilege;
use super::sys::{self, Forked};
use super::{Addresses, Clock, LiveError};
use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};
use serde::{Deserialize, Serialize};
use skyweave_dataplane::{AddressPlan, TerminalAddress};
use std::ffi::CStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// MTU of terminals: that of Ethernet, as users of the real network see it.
pub(crate) const MTU: u32 = 1500;

/// Where a terminal answers on its own network: the address of real ones, reachable inside its namespace only.
pub const DISH_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 100, 1);

/// Packets that a device queues while the packet thread is busy elsewhere: 20 ms at 1 Gbit/s of full packets.
const DEVICE_QUEUE: u32 = 2000;

/// What a namespace is for; decides which devices, sockets and settings it begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The network behind a terminal.
    Terminal,
    /// The point of presence: forwards, translates, resolves.
    Pop,
}

/// A namespace with its TUN device.
#[derive(Debug)]
pub(crate) struct Namespace {
    /// Holds it open.
    pub(crate) namespace: OwnedFd,
    /// The TUN device, not blocking; a read or write is one IP packet.
    pub(crate) tun: OwnedFd,
    /// Acts on its links, addresses and routes.
    pub(crate) route: Socket,
    /// Only at the PoP.
    pub(crate) pop: Option<PopSockets>,
}

/// Sockets that are made inside the PoP's namespace.
#[derive(Debug)]
pub(crate) struct PopSockets {
    /// Acts on its packet filter.
    pub(crate) netfilter: Socket,
    /// For the resolver.
    pub(crate) udp: OwnedFd,
    /// For the resolver.
    pub(crate) tcp: OwnedFd,
    /// For the account page; of both protocols where there is IPv6.
    pub(crate) page: OwnedFd,
    /// For the relay of TCP connections; `None` once it is used.
    pub(crate) relay: Option<OwnedFd>,
}

impl Role {
    /// The name of its TUN device.
    pub(crate) fn device(self) -> &'static str {
        self.device_name()
            .to_str()
            .expect("names of devices are ASCII")
    }

    const fn device_name(self) -> &'static CStr {
        match self {
            Self::Terminal => c"sky0",
            Self::Pop => c"pop0",
        }
    }

    /// Settings under /proc/sys/net, those that cannot be made being left as they are (a machine without IPv6).
    fn settings(self) -> &'static [(&'static CStr, &'static [u8])] {
        match self {
            Self::Terminal => &[
                (c"/proc/sys/net/ipv6/conf/all/disable_ipv6", b"0"),
                (c"/proc/sys/net/ipv6/conf/default/disable_ipv6", b"0"),
                (c"/proc/sys/net/ipv6/conf/default/accept_ra", b"0"),
                (
                    c"/proc/sys/net/ipv6/conf/default/router_solicitations",
                    b"0",
                ),
            ],
            Self::Pop => &[
                (c"/proc/sys/net/ipv6/conf/all/disable_ipv6", b"0"),
                (c"/proc/sys/net/ipv6/conf/default/disable_ipv6", b"0"),
                (c"/proc/sys/net/ipv6/conf/default/accept_ra", b"0"),
                (
                    c"/proc/sys/net/ipv6/conf/default/router_solicitations",
                    b"0",
                ),
                (c"/proc/sys/net/ipv4/ip_forward", b"1"),
                (c"/proc/sys/net/ipv6/conf/all/forwarding", b"1"),
                // Two terminals that talk to each other both do so through pop0: that is no detour to report.
                (c"/proc/sys/net/ipv4/conf/all/send_redirects", b"0"),
                (c"/proc/sys/net/ipv4/conf/default/send_redirects", b"0"),
            ],
        }
    }
}

/// Namespaces that were just made.
#[derive(Debug)]
pub(crate) struct Made {
    /// The user namespace that owns them, for an ordinary user.
    pub(crate) user: Option<OwnedFd>,
    /// In the order asked for.
    pub(crate) namespaces: Vec<Namespace>,
    /// The child that made them: it stays in the last one until this is dropped.
    pub(crate) maker: Maker,
}

/// A process inside the namespace made last, for as long as somebody needs one there.
#[derive(Debug)]
pub(crate) struct Maker {
    /// Closing it is the child's sign to end: it is dropped before `child`, which waits.
    release: OwnedFd,
    child: Forked,
}

/// In whose user namespace namespaces are made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Owner<'a> {
    /// That of this process.
    Ours,
    /// A new one.
    New,
    /// One made before.
    Existing(BorrowedFd<'a>),
}

impl<'a> Owner<'a> {
    /// The first time, for somebody with these rights.
    pub(crate) fn first(privilege: Privilege) -> Self {
        match privilege {
            Privilege::Root => Self::Ours,
            Privilege::User => Self::New,
        }
    }

    /// Later, with the user namespace of the first time.
    pub(crate) fn again(user: Option<&'a OwnedFd>) -> Self {
        user.map_or(Self::Ours, |fd| Self::Existing(fd.as_fd()))
    }
}

/// The loopback device's number, in every namespace.
const LOOPBACK: u32 = 1;

/// The step at which machines differ most.
pub(crate) const OPENING_TUN: &str = "open /dev/net/tun";

/// What a forked child can fail at, as numbers, since it can send no more than that.
const STEPS: [&str; 8] = [
    "make a user namespace",
    "map the user into the new user namespace",
    "enter the namespace",
    "make a network namespace",
    OPENING_TUN,
    "make a TUN device",
    "open a socket in the namespace",
    "hand over the namespace",
];
const MAKE_USER: u32 = 0;
const MAP: u32 = 1;
const ENTER: u32 = 2;
const MAKE_NETWORK: u32 = 3;
const OPEN_TUN: u32 = 4;
const MAKE_TUN: u32 = 5;
const SOCKETS: u32 = 6;
const SEND: u32 = 7;
const DONE: u32 = u32::MAX;
const REPORT_DONE: &[u8] = &[0xff; 8];

/// A step that failed, and the kernel's answer.
type Failure = (u32, rustix::io::Errno);

/// Contents of files that are written in a new namespace.
#[derive(Clone, Copy)]
struct Maps<'a> {
    user: &'a [u8],
    group: &'a [u8],
    pingers: &'a [u8],
}

/// Makes one namespace for each role.
pub(crate) fn make(owner: Owner<'_>, roles: &[Role]) -> Result<Made, LiveError> {
    let (uid, gid) = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    let uid_map = format!("{uid} {uid} 1");
    let gid_map = format!("{gid} {gid} 1");
    // Who may ping through datagram sockets: everybody, or the one group that an ordinary user can name.
    let pingers = match owner {
        Owner::Ours => "0 2147483647".to_owned(),
        Owner::New | Owner::Existing(_) => format!("{gid} {gid}"),
    };
    let maps = Maps {
        user: uid_map.as_bytes(),
        group: gid_map.as_bytes(),
        pingers: pingers.as_bytes(),
    };
    let maker = Maker::start(|socket| build(socket, owner, maps, roles))?;
    let user = match owner {
        Owner::New => maker.receive()?.pop(),
        Owner::Ours | Owner::Existing(_) => None,
    };
    let namespaces = roles
        .iter()
        .map(|role| Namespace::new(*role, maker.receive()?));
    let namespaces = namespaces.collect::<Result<_, _>>()?;
    Ok(Made {
        user,
        namespaces,
        maker,
    })
}

/// Opens sockets, or whatever else has a descriptor, inside a namespace. `open` runs in a forked child.
pub(crate) fn open_inside<const N: usize>(
    namespace: &NamespaceHandle,
    open: impl Fn() -> rustix::io::Result<[OwnedFd; N]>,
) -> Result<[OwnedFd; N], LiveError> {
    let child = Maker::start(|socket| {
        namespace.enter().map_err(|e| (ENTER, e))?;
        let fds = open().map_err(|e| (SOCKETS, e))?;
        sys::send_fds(socket, REPORT_DONE, &fds.each_ref().map(AsFd::as_fd)).map_err(|e| (SEND, e))
    })?;
    child
        .receive()?
        .try_into()
        .map_err(|_| LiveError::Protocol("too few descriptors".to_owned()))
}

impl Maker {
    /// Forks a child that does `work` and then waits for this to be dropped. `work` may make system calls, nothing else.
    fn start(work: impl FnOnce(BorrowedFd<'_>) -> Result<(), Failure>) -> Result<Self, LiveError> {
        let (kind, flags) = (SocketType::SEQPACKET, SocketFlags::CLOEXEC);
        let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, kind, flags, None)
            .map_err(LiveError::errno("make a socket pair"))?;
        let copy_of_ours = ours.as_raw_fd();
        // SAFETY: what runs in the child only makes system calls, with data that was prepared before.
        let child = unsafe {
            sys::fork(|| {
                // The fork copied our end too; while it is open here, the child would wait for its own end.
                rustix::io::close(copy_of_ours);
                if let Err((step, errno)) = work(theirs.as_fd()) {
                    let mut report = [0; 8];
                    report[..4].copy_from_slice(&step.to_ne_bytes());
                    report[4..].copy_from_slice(&errno.raw_os_error().to_ne_bytes());
                    let _ = sys::send_fds(&theirs, &report, &[]);
                }
                let _ = rustix::io::read(&theirs, &mut [0]);
            })
        }
        .map_err(LiveError::system("fork"))?;
        Ok(Self {
            release: ours,
            child,
        })
    }

    /// The next message of the child.
    fn receive(&self) -> Result<Vec<OwnedFd>, LiveError> {
        let mut report = [0; 8];
        let (length, fds) = sys::recv_fds(&self.release, &mut report)
            .map_err(LiveError::errno("hear from the child process"))?;
        let [a, b, c, d, e, f, g, h] = report;
        match (length, u32::from_ne_bytes([a, b, c, d])) {
            (8, DONE) => Ok(fds),
            (8, step) => {
                let source = io::Error::from_raw_os_error(i32::from_ne_bytes([e, f, g, h]));
                Err(LiveError::System {
                    doing: STEPS.get(step as usize).unwrap_or(&"make a namespace"),
                    source,
                })
            }
            _ => {
                let source = io::ErrorKind::UnexpectedEof.into();
                Err(LiveError::System {
                    doing: "hear from the child process",
                    source,
                })
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.pid()
    }
}

/// What the child does: system calls only.
fn build(
    socket: BorrowedFd<'_>,
    owner: Owner<'_>,
    maps: Maps<'_>,
    roles: &[Role],
) -> Result<(), Failure> {
    match owner {
        Owner::Ours => {}
        Owner::New => {
            // SAFETY: makes namespaces, shares no descriptor table.
            unsafe { unshare_unsafe(UnshareFlags::NEWUSER) }.map_err(|e| (MAKE_USER, e))?;
            // A user may map groups only after giving up the right to change them (user_namespaces(7)).
            write(c"/proc/self/setgroups", b"deny").map_err(|e| (MAP, e))?;
            write(c"/proc/self/uid_map", maps.user).map_err(|e| (MAP, e))?;
            write(c"/proc/self/gid_map", maps.group).map_err(|e| (MAP, e))?;
            let user = open(c"/proc/self/ns/user", OFlags::RDONLY).map_err(|e| (MAP, e))?;
            sys::send_fds(socket, REPORT_DONE, &[user.as_fd()]).map_err(|e| (SEND, e))?;
        }
        Owner::Existing(user) => {
            move_into_link_name_space(user, Some(LinkNameSpaceType::User))
                .map_err(|e| (ENTER, e))?;
        }
    }
    for role in roles {
        // SAFETY: as above.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.map_err(|e| (MAKE_NETWORK, e))?;
        for (path, value) in role.settings() {
            let _ = write(path, value);
        }
        let _ = write(c"/proc/sys/net/ipv4/ping_group_range", maps.pingers);
        let namespace =
            open(c"/proc/self/ns/net", OFlags::RDONLY).map_err(|e| (MAKE_NETWORK, e))?;
        let tun =
            open(c"/dev/net/tun", OFlags::RDWR | OFlags::NONBLOCK).map_err(|e| (OPEN_TUN, e))?;
        name_tun(&tun, role.device_name()).map_err(|e| (MAKE_TUN, e))?;
        let route = Socket::open(Family::Route).map_err(|e| (SOCKETS, e))?;
        let first = [namespace.as_fd(), tun.as_fd(), route.as_fd()];
        match role {
            Role::Terminal => sys::send_fds(socket, REPORT_DONE, &first).map_err(|e| (SEND, e))?,
            Role::Pop => {
                let netfilter = Socket::open(Family::Netfilter).map_err(|e| (SOCKETS, e))?;
                let open = |family, kind| {
                    rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None)
                };
                let (v4, v6) = (AddressFamily::INET, AddressFamily::INET6);
                let udp = open(v4, SocketType::DGRAM).map_err(|e| (SOCKETS, e))?;
                let tcp = open(v4, SocketType::STREAM).map_err(|e| (SOCKETS, e))?;
                // For both protocols, or for IPv4 alone on a machine without IPv6.
                let both = || {
                    open(v6, SocketType::STREAM)
                        .or_else(|_| open(v4, SocketType::STREAM))
                        .map_err(|e| (SOCKETS, e))
                };
                let (page, relay) = (both()?, both()?);
                let [a, b, c] = first;
                let all = [
                    a,
                    b,
                    c,
                    netfilter.as_fd(),
                    udp.as_fd(),
                    tcp.as_fd(),
                    page.as_fd(),
                    relay.as_fd(),
                ];
                sys::send_fds(socket, REPORT_DONE, &all).map_err(|e| (SEND, e))?;
            }
        }
    }
    Ok(())
}

fn open(path: &CStr, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty())
}

fn write(path: &CStr, value: &[u8]) -> rustix::io::Result<()> {
    let file = open(path, OFlags::WRONLY)?;
    rustix::io::write(&file, value).map(|_| ())
}

/// Makes the open /dev/net/tun a device without the 4-byte prefix on packets (Documentation/networking/tuntap.rst). It is not
/// persistent: closing the descriptor removes it.
fn name_tun(tun: &OwnedFd, name: &CStr) -> rustix::io::Result<()> {
    // SAFETY: `ifreq` is plain data, for which zeros are valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.to_bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: TUNSETIFF reads and writes one `ifreq`, which outlives the call.
    let answer = unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETIFF as _, &raw mut request) };
    if answer < 0 {
        // SAFETY: errno of this thread, just set.
        return Err(rustix::io::Errno::from_raw_os_error(unsafe {
            *libc::__errno_location()
        }));
    }
    Ok(())
}

impl Namespace {
    fn new(role: Role, fds: Vec<OwnedFd>) -> Result<Self, LiveError> {
        let mut fds = fds.into_iter();
        let mut next = || {
            fds.next()
                .ok_or_else(|| LiveError::Protocol("too few descriptors".to_owned()))
        };
        let (namespace, tun, route) = (next()?, next()?, next()?.into());
        let pop = match role {
            Role::Terminal => None,
            Role::Pop => Some(PopSockets {
                netfilter: next()?.into(),
                udp: next()?,
                tcp: next()?,
                page: next()?,
                relay: Some(next()?),
            }),
        };
        Ok(Self {
            namespace,
            tun,
            route,
            pop,
        })
    }

    /// Gives a terminal's device its addresses, and routes everything through it.
    pub(crate) fn configure_terminal(&mut self, address: &TerminalAddress) -> io::Result<bool> {
        let device = self.bring_up(Role::Terminal)?;
        let (v4, v6) = (IpAddr::V4(address.v4), IpAddr::V6(address.v6()));
        let any_v4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        self.route.request([
            netlink::address(LOOPBACK, IpAddr::V4(DISH_ADDRESS), 32),
            netlink::address(device, v4, 32),
            netlink::route(any_v4, 0, device, None),
        ])?;
        let any_v6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        let length = AddressPlan::V6_TERMINAL_LENGTH;
        if_ipv6(self.route.request([
            netlink::address(device, v6, length),
            netlink::route(any_v6, 0, device, None),
        ]))
    }

    /// Gives the PoP's device its addresses; all terminals are behind it.
    pub(crate) fn configure_pop(&mut self, plan: &AddressPlan) -> io::Result<bool> {
        let device = self.bring_up(Role::Pop)?;
        let (v4, v6) = (IpAddr::V4(plan.gateway_v4()), IpAddr::V6(plan.gateway_v6()));
        self.route
            .request([netlink::address(device, v4, AddressPlan::V4_LENGTH)])?;
        if_ipv6(
            self.route
                .request([netlink::address(device, v6, AddressPlan::V6_LENGTH)]),
        )
    }

    fn bring_up(&mut self, role: Role) -> io::Result<u32> {
        let device = self.route.index(role.device())?;
        let up = netlink::link_up_queueing(device, MTU, DEVICE_QUEUE);
        self.route.request([netlink::link_up(LOOPBACK), up])?;
        Ok(device)
    }
}

/// Whether IPv6 was set up. A kernel without it, or with it switched off for good, is no reason to fail.
pub(crate) fn if_ipv6(done: io::Result<()>) -> io::Result<bool> {
    const WITHOUT: [i32; 3] = [libc::EAFNOSUPPORT, libc::EOPNOTSUPP, libc::EACCES];
    match done {
        Err(e) if e.raw_os_error().is_some_and(|code| WITHOUT.contains(&code)) => Ok(false),
        other => other.map(|()| true),
    }
}

/// What a process needs to know of a network to use a terminal of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) clock: Clock,
    pub(crate) addresses: Addresses,
    /// Takes the place of /etc/resolv.conf for programs inside.
    pub(crate) resolv_conf: PathBuf,
}

/// A terminal's namespace, held open: enough to enter it and to measure from it, also after its network has ended.
#[derive(Debug)]
pub struct NamespaceHandle {
    pub(crate) network: OwnedFd,
    pub(crate) user: Option<OwnedFd>,
    pub(crate) facts: Facts,
}

impl NamespaceHandle {
    /// The network's clock.
    pub fn clock(&self) -> Clock {
        self.facts.clock
    }

    /// Addresses that can be talked to from inside.
    pub fn addresses(&self) -> Addresses {
        self.facts.addresses
    }

    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        let user = self.user.as_ref().map(OwnedFd::try_clone).transpose()?;
        Ok(Self {
            network: self.network.try_clone()?,
            user,
            facts: self.facts.clone(),
        })
    }

    /// Moves this process, which must have no other thread, into the namespace. System calls only.
    pub(crate) fn enter(&self) -> rustix::io::Result<()> {
        if let Some(user) = &self.user {
            move_into_link_name_space(user.as_fd(), Some(LinkNameSpaceType::User))?;
        }
        move_into_link_name_space(self.network.as_fd(), Some(LinkNameSpaceType::Network))
    }
}
