//! Measuring round trips from behind a terminal.

use super::{LiveError, NamespaceHandle, namespace, sys};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, ipproto};
use rustix::time::{ClockId, Timespec, clock_gettime};
use serde::{Deserialize, Serialize};
use skyweave_base::{Span, Time};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// One echo request.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Echo {
    /// When it was sent, in the network's time.
    pub sent: Time,
    /// How long the answer took; `None` if none came.
    pub round_trip: Option<Span>,
}

/// How long answers to the last requests are waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Sends ICMP echo requests from a terminal's namespace, one each `interval`, for as long as `go_on` says (it is asked before
/// each), waits up to a second for the last answers, and returns all of them in the order sent.
///
/// Answers are taken at the kernel's receive stamp, so that this process may be late in reading them.
pub fn probe_rtt(
    namespace: &NamespaceHandle,
    target: IpAddr,
    interval: Duration,
    mut go_on: impl FnMut() -> bool,
) -> Result<Vec<Echo>, LiveError> {
    let socket = open(namespace, target)?;
    let unreachable = |e: Errno| LiveError::Unreachable {
        target,
        source: e.into(),
    };
    rustix::net::connect(&socket, &SocketAddr::new(target, 0)).map_err(unreachable)?;
    let clock = namespace.clock();
    let mut probe = Probe {
        socket,
        request_kind: if target.is_ipv4() { 8 } else { 128 },
        sent: Vec::new(),
    };
    let mut next = Instant::now();
    while go_on() {
        probe.listen_until(next);
        let sent_at = realtime_nanos();
        let number = probe.sent.len();
        probe.sent.push((
            Echo {
                sent: clock.now(),
                round_trip: None,
            },
            sent_at,
        ));
        match rustix::net::send(&probe.socket, &probe.request(number), SendFlags::empty()) {
            // Without a route for the moment (ENETUNREACH and the like) the request counts as lost.
            Ok(_)
            | Err(Errno::HOSTUNREACH | Errno::NETUNREACH | Errno::NOBUFS | Errno::CONNREFUSED) => {}
            Err(e) => return Err(unreachable(e)),
        }
        next += interval;
    }
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end && probe.sent.iter().any(|(echo, _)| echo.round_trip.is_none()) {
        probe.listen_until((Instant::now() + Duration::from_millis(20)).min(end));
    }
    Ok(probe.sent.into_iter().map(|(echo, _)| echo).collect())
}

/// A socket for echo requests in the namespace (ping(8) uses the same: "ICMP datagram sockets", Linux 3.0).
fn open(namespace: &NamespaceHandle, target: IpAddr) -> Result<OwnedFd, LiveError> {
    let (family, protocol) = match target {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6),
    };
    let socket = namespace::open_inside(namespace, || {
        rustix::net::socket_with(
            family,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            Some(protocol),
        )
    })?;
    sys::stamp_arrivals(&socket).map_err(LiveError::system("ask for receive stamps"))?;
    Ok(socket)
}

struct Probe {
    socket: OwnedFd,
    request_kind: u8,
    /// And when it was sent on the clock of the kernel's stamps.
    sent: Vec<(Echo, i64)>,
}

impl Probe {
    /// RFC 792 and RFC 4443 section 4.1. The kernel fills in checksum and identifier; the whole number is in the payload,
    /// since the sequence number wraps.
    fn request(&self, number: usize) -> [u8; 64] {
        let mut packet = [0; 64];
        packet[0] = self.request_kind;
        packet[6..8].copy_from_slice(&(number as u16).to_be_bytes());
        packet[8..16].copy_from_slice(&(number as u64).to_be_bytes());
        packet
    }

    fn listen_until(&mut self, end: Instant) {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).unwrap_or_default();
            let mut ready = [PollFd::new(&self.socket, PollFlags::IN)];
            match poll(&mut ready, Some(&timeout)) {
                Ok(0) => return,
                Ok(_) => self.receive(),
                Err(_) => {}
            }
        }
    }

    fn receive(&mut self) {
        let mut packet = [0; 128];
        let Ok((length, stamp)) = sys::recv_with_stamp(&self.socket, &mut packet) else {
            return;
        };
        // An echo reply: kind 0 in ICMP, 129 in ICMPv6.
        let reply_kind = if self.request_kind == 8 { 0 } else { 129 };
        let Some(number) = packet[..length]
            .get(8..16)
            .filter(|_| packet[0] == reply_kind)
        else {
            return;
        };
        let number = u64::from_be_bytes(number.try_into().expect("eight bytes")) as usize;
        if let Some((echo, sent_at)) = self.sent.get_mut(number) {
            let arrived = stamp.unwrap_or_else(realtime_nanos);
            echo.round_trip
                .get_or_insert(Span::from_nanos(arrived - *sent_at));
        }
    }
}

/// The clock of the kernel's stamps. A round trip is a difference of two readings less than a second apart.
fn realtime_nanos() -> i64 {
    let now = clock_gettime(ClockId::Realtime);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}
