//! Netlink: messages as bytes, and the requests about links, addresses and routes that a network needs (rtnetlink(7)).
//!
//! A socket acts on the namespace in which it was made, whoever uses it later: that is how namespaces are set up here
//! without entering them.

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

// linux/netlink.h, linux/rtnetlink.h, linux/if_link.h, linux/veth.h
const NLM_F_REQUEST: u16 = 0x1;
pub(crate) const NLM_F_ACK: u16 = 0x4;
const NLM_F_DUMP: u16 = 0x300;
pub(crate) const NLM_F_CREATE: u16 = 0x400;
const NLM_F_EXCL: u16 = 0x200;
pub(crate) const NLM_F_APPEND: u16 = 0x800;
/// Make something that is not there yet, and say whether it worked.
pub(crate) const CREATE: u16 = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLA_F_NESTED: u16 = 0x8000;
const HEADER: usize = 16;
const VETH_INFO_PEER: u16 = 1;

/// Attributes under construction: type, length and value, padded to 4 bytes.
#[derive(Debug, Default)]
pub(crate) struct Attributes(Vec<u8>);

impl Attributes {
    /// Adds an attribute.
    pub(crate) fn attr(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(value.len() + 4).expect("attributes are short");
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.raw(value)
    }

    /// Adds an attribute that is a text with the zero that ends it.
    pub(crate) fn text(self, kind: u16, value: &str) -> Self {
        self.attr(kind, format!("{value}\0").as_bytes())
    }

    /// Adds an attribute that holds what `inner` adds.
    pub(crate) fn nest(self, kind: u16, inner: impl FnOnce(Self) -> Self) -> Self {
        let inner = inner(Self::default());
        self.attr(kind | NLA_F_NESTED, &inner.0)
    }

    /// Adds bytes that are no attribute.
    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Adds what another has.
    pub(crate) fn append(self, other: &Self) -> Self {
        self.raw(&other.0)
    }
}

/// A request.
#[derive(Debug)]
pub(crate) struct Message(Vec<u8>);

impl Message {
    /// A request of a kind, with the fixed header that belongs to the kind.
    pub(crate) fn new(kind: u16, flags: u16, fixed: &[u8], attributes: Attributes) -> Self {
        let flags = flags | NLM_F_REQUEST;
        let header = [
            &[0; 4][..],
            &kind.to_ne_bytes(),
            &flags.to_ne_bytes(),
            &[0; 8],
            fixed,
        ]
        .concat();
        Self(Attributes(header).raw(&[]).append(&attributes).0)
    }

    fn wants_ack(&self) -> bool {
        u16::from_ne_bytes([self.0[6], self.0[7]]) & NLM_F_ACK != 0
    }

    fn seal(&mut self, sequence: u32) {
        let length = u32::try_from(self.0.len()).expect("messages are short");
        self.0[0..4].copy_from_slice(&length.to_ne_bytes());
        self.0[8..12].copy_from_slice(&sequence.to_ne_bytes());
    }
}

/// Attributes in a block of bytes, as (kind, value).
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let header = bytes.get(..4)?;
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]) & !NLA_F_NESTED;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some((kind, value))
    })
}

/// A netlink socket.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
    sequence: u32,
}

impl From<OwnedFd> for Socket {
    fn from(fd: OwnedFd) -> Self {
        Self { fd, sequence: 0 }
    }
}

/// Which part of the kernel a socket talks to (linux/netlink.h).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Family {
    Route,
    Netfilter,
}

impl Socket {
    /// A socket in the namespace of this thread. Allocates nothing.
    pub(crate) fn open(family: Family) -> rustix::io::Result<OwnedFd> {
        let protocol = match family {
            // NETLINK_ROUTE is 0, which `socket` takes by default.
            Family::Route => None,
            Family::Netfilter => Some(rustix::net::netlink::NETFILTER),
        };
        let (kind, flags) = (SocketType::RAW, SocketFlags::CLOEXEC);
        rustix::net::socket_with(AddressFamily::NETLINK, kind, flags, protocol)
    }

    /// Sends requests in one go and waits until each that wants it is acknowledged. Returns the first refusal.
    pub(crate) fn request(
        &mut self,
        messages: impl IntoIterator<Item = Message>,
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut waiting = 0;
        for mut message in messages {
            self.sequence += 1;
            message.seal(self.sequence);
            waiting += usize::from(message.wants_ack());
            bytes.append(&mut message.0);
        }
        rustix::net::send(&self.fd, &bytes, SendFlags::empty())?;
        let mut refused = None;
        // A refused batch (nftables) is not acknowledged message by message: the first refusal ends the wait.
        while waiting > 0 && refused.is_none() {
            self.receive(|kind, payload| {
                if kind == NLMSG_ERROR {
                    waiting -= 1;
                    refused = refused.take().or(refusal(payload));
                }
            })?;
        }
        let Some(refused) = refused else {
            return Ok(());
        };
        // The kernel answers while it takes the request: what it has to say is queued by now.
        let mut rest = [0; 4096];
        while rustix::net::recv(&self.fd, &mut rest[..], RecvFlags::DONTWAIT).is_ok() {}
        Err(refused)
    }

    /// Sends a request for a list and returns the payloads of the answers.
    pub(crate) fn dump(&mut self, mut message: Message) -> io::Result<Vec<Vec<u8>>> {
        self.sequence += 1;
        message.seal(self.sequence);
        rustix::net::send(&self.fd, &message.0, SendFlags::empty())?;
        let mut answers = Vec::new();
        let mut outcome = None;
        while outcome.is_none() {
            self.receive(|kind, payload| match kind {
                NLMSG_DONE => outcome = Some(Ok(())),
                NLMSG_ERROR => outcome = Some(refusal(payload).map_or(Ok(()), Err)),
                _ => answers.push(payload.to_vec()),
            })?;
        }
        outcome.unwrap_or(Ok(())).map(|()| answers)
    }

    fn receive(&mut self, mut each: impl FnMut(u16, &[u8])) -> io::Result<()> {
        let mut buffer = vec![0; 64 << 10];
        let (length, _) = rustix::net::recv(&self.fd, &mut buffer[..], RecvFlags::empty())?;
        let mut rest = &buffer[..length];
        while let Some(header) = rest.get(..HEADER) {
            let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
            let kind = u16::from_ne_bytes([header[4], header[5]]);
            let Some(payload) = rest.get(HEADER..length) else {
                break;
            };
            each(kind, payload);
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        }
        Ok(())
    }

    /// The index of a device.
    pub(crate) fn index(&mut self, device: &str) -> io::Result<u32> {
        let name = Attributes::default().text(libc::IFLA_IFNAME, device);
        let answers = self.dump(Message::new(
            libc::RTM_GETLINK,
            NLM_F_ACK,
            &ifinfomsg(0, 0),
            name,
        ))?;
        let answer = answers
            .first()
            .and_then(|a| a.get(4..8))
            .ok_or(io::ErrorKind::NotFound)?;
        Ok(u32::from_ne_bytes([
            answer[0], answer[1], answer[2], answer[3],
        ]))
    }

    /// Routes of all tables.
    pub(crate) fn routes(&mut self) -> io::Result<Vec<Route>> {
        let ask = Message::new(
            libc::RTM_GETROUTE,
            NLM_F_DUMP,
            &[0; 12],
            Attributes::default(),
        );
        Ok(self
            .dump(ask)?
            .iter()
            .filter_map(|payload| Route::parse(payload))
            .collect())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The error that an acknowledgement carries, if any.
fn refusal(payload: &[u8]) -> Option<io::Error> {
    let error = i32::from_ne_bytes(payload.get(..4)?.try_into().ok()?);
    (error != 0).then(|| io::Error::from_raw_os_error(-error))
}

/// A route of the kernel, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// First address; unspecified for a default route.
    pub(crate) network: IpAddr,
    /// Length of the prefix.
    pub(crate) length: u8,
    /// Device that packets leave by.
    pub(crate) device: Option<u32>,
    /// Whether it forwards to somewhere (and is not the kernel's note of a local address or of a blackhole).
    pub(crate) unicast: bool,
}

impl Route {
    fn parse(payload: &[u8]) -> Option<Self> {
        let fixed = payload.get(..12)?;
        let (family, length, kind) = (i32::from(fixed[0]), fixed[1], fixed[7]);
        let mut network = match family {
            libc::AF_INET => IpAddr::from([0; 4]),
            libc::AF_INET6 => IpAddr::from([0; 16]),
            _ => return None,
        };
        let mut device = None;
        for (attribute, value) in attributes(&payload[12..]) {
            match attribute {
                libc::RTA_DST => {
                    network = match value.len() {
                        4 => IpAddr::from(<[u8; 4]>::try_from(value).ok()?),
                        _ => IpAddr::from(<[u8; 16]>::try_from(value).ok()?),
                    };
                }
                libc::RTA_OIF => device = value.try_into().ok().map(u32::from_ne_bytes),
                _ => {}
            }
        }
        Some(Self {
            network,
            length,
            device,
            unicast: kind == libc::RTN_UNICAST,
        })
    }

    /// Whether the route, which is no default route, covers or lies in a prefix.
    pub(crate) fn overlaps(&self, network: IpAddr, length: u8) -> bool {
        let common = self.length.min(length);
        let head = |address: IpAddr| match address {
            IpAddr::V4(a) => u128::from(a.to_bits()) << 96,
            IpAddr::V6(a) => a.to_bits(),
        };
        let differ = head(self.network) ^ head(network);
        self.length > 0
            && self.network.is_ipv4() == network.is_ipv4()
            && differ.checked_shr(128 - u32::from(common)).unwrap_or(0) == 0
    }
}

fn ifinfomsg(index: u32, up: u32) -> [u8; 16] {
    let mut fixed = [0; 16];
    fixed[4..8].copy_from_slice(&index.to_ne_bytes());
    fixed[8..12].copy_from_slice(&up.to_ne_bytes());
    fixed[12..16].copy_from_slice(&up.to_ne_bytes());
    fixed
}

/// Brings a device up, and sets what `attributes` say.
fn link_up_with(index: u32, attributes: Attributes) -> Message {
    Message::new(
        libc::RTM_NEWLINK,
        NLM_F_ACK,
        &ifinfomsg(index, libc::IFF_UP as u32),
        attributes,
    )
}

/// Brings a device up.
pub(crate) fn link_up(index: u32) -> Message {
    link_up_with(index, Attributes::default())
}

/// Sets a device's MTU and how many packets it queues, and brings it up.
pub(crate) fn link_up_queueing(index: u32, mtu: u32, packets: u32) -> Message {
    let attributes = Attributes::default()
        .attr(libc::IFLA_MTU, &mtu.to_ne_bytes())
        .attr(libc::IFLA_TXQLEN, &packets.to_ne_bytes());
    link_up_with(index, attributes)
}

/// Makes a veth pair, one end here and the other in the namespace `peer_namespace`. Refused if `name` is taken.
pub(crate) fn veth(name: &str, peer: &str, peer_namespace: BorrowedFd<'_>) -> Message {
    let namespace = peer_namespace.as_raw_fd().to_ne_bytes();
    let peer = Attributes::default()
        .raw(&ifinfomsg(0, 0))
        .text(libc::IFLA_IFNAME, peer)
        .attr(libc::IFLA_NET_NS_FD, &namespace);
    let attributes =
        Attributes::default()
            .text(libc::IFLA_IFNAME, name)
            .nest(libc::IFLA_LINKINFO, |a| {
                a.text(libc::IFLA_INFO_KIND, "veth")
                    .nest(libc::IFLA_INFO_DATA, |a| {
                        a.nest(VETH_INFO_PEER, |a| a.append(&peer))
                    })
            });
    Message::new(libc::RTM_NEWLINK, CREATE, &ifinfomsg(0, 0), attributes)
}

/// Removes a device.
pub(crate) fn remove_link(index: u32) -> Message {
    Message::new(
        libc::RTM_DELLINK,
        NLM_F_ACK,
        &ifinfomsg(index, 0),
        Attributes::default(),
    )
}

/// Gives a device an address, without the wait of duplicate address detection: nobody else is on these links.
pub(crate) fn address(index: u32, address: IpAddr, length: u8) -> Message {
    let mut fixed = [
        family(address),
        length,
        libc::IFA_F_NODAD as u8,
        libc::RT_SCOPE_UNIVERSE,
        0,
        0,
        0,
        0,
    ];
    fixed[4..8].copy_from_slice(&index.to_ne_bytes());
    let octets = octets(address);
    let attributes = Attributes::default()
        .attr(libc::IFA_LOCAL, &octets)
        .attr(libc::IFA_ADDRESS, &octets);
    Message::new(libc::RTM_NEWADDR, CREATE, &fixed, attributes)
}

/// Adds a route by a device, through a gateway or straight.
pub(crate) fn route(network: IpAddr, length: u8, index: u32, gateway: Option<IpAddr>) -> Message {
    let mut fixed = [0; 12];
    fixed[0] = family(network);
    fixed[1] = length;
    fixed[4] = libc::RT_TABLE_MAIN;
    fixed[5] = libc::RTPROT_STATIC;
    fixed[6] = if gateway.is_some() {
        libc::RT_SCOPE_UNIVERSE
    } else {
        libc::RT_SCOPE_LINK
    };
    fixed[7] = libc::RTN_UNICAST;
    let mut attributes = Attributes::default().attr(libc::RTA_OIF, &index.to_ne_bytes());
    if length > 0 {
        attributes = attributes.attr(libc::RTA_DST, &octets(network));
    }
    if let Some(gateway) = gateway {
        attributes = attributes.attr(libc::RTA_GATEWAY, &octets(gateway));
    }
    Message::new(libc::RTM_NEWROUTE, CREATE, &fixed, attributes)
}

fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() {
        libc::AF_INET as u8
    } else {
        libc::AF_INET6 as u8
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(a) => a.octets().to_vec(),
        IpAddr::V6(a) => a.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_nest_and_are_padded_and_read_back() {
        let inside = Attributes::default()
            .attr(5, &[9])
            .nest(6, |a| a.text(1, "ab").attr(2, &[1, 2, 3, 4]));
        let message = Message::new(7, 0, &[1, 2, 3], inside);
        let body = &message.0[HEADER + 4..];
        let outer: Vec<_> = attributes(body).collect();
        assert_eq!(outer.len(), 2);
        assert_eq!(outer[0], (5, &[9][..]));
        let inner: Vec<_> = attributes(outer[1].1).collect();
        assert_eq!(inner, [(1, &b"ab\0"[..]), (2, &[1, 2, 3, 4][..])]);
    }

    #[test]
    fn cut_messages_end_the_list_of_attributes() {
        for bytes in [
            &[][..],
            &[8, 0, 1],
            &[8, 0, 1, 0, 5],
            &[3, 0, 1, 0],
            &[0, 0, 0, 0],
        ] {
            assert_eq!(attributes(bytes).count(), 0, "{bytes:?}");
        }
        assert_eq!(Route::parse(&[2; 11]), None);
    }

    #[test]
    fn routes_overlap_when_one_lies_in_the_other() {
        let route = |text: &str, length| Route {
            network: text.parse().unwrap(),
            length,
            device: None,
            unicast: true,
        };
        let ours: IpAddr = "198.18.0.4".parse().unwrap();
        assert!(route("198.18.0.0", 15).overlaps(ours, 30));
        assert!(route("198.18.0.5", 32).overlaps(ours, 30));
        assert!(!route("198.18.0.8", 30).overlaps(ours, 30));
        assert!(!route("0.0.0.0", 0).overlaps(ours, 30));
        assert!(!route("c612::", 16).overlaps(ours, 30));
    }

    #[test]
    fn the_kernel_lists_its_routes_and_finds_loopback() {
        let mut socket = Socket::from(Socket::open(Family::Route).unwrap());
        assert_eq!(socket.index("lo").unwrap(), 1);
        assert!(socket.index("no-such-device").is_err());
        socket.routes().unwrap();
    }
}
