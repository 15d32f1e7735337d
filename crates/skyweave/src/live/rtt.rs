//! Measuring round trips from behind a terminal.

use super::{LiveError, NamespaceHandle, namespace, sys};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, ipproto};
use rustix::time::{ClockId, Timespec, clock_gettime};
use serde::{Deserialize, Serialize};
use skyweave_base::{Span, Time};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
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
    let clock = namespace.clock();
    let mut probe = Probe {
        socket: EchoSocket::open(namespace, target)?,
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
        probe.socket.send(number as u64)?;
        next += interval;
    }
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end && probe.sent.iter().any(|(echo, _)| echo.round_trip.is_none()) {
        probe.listen_until((Instant::now() + Duration::from_millis(20)).min(end));
    }
    Ok(probe.sent.into_iter().map(|(echo, _)| echo).collect())
}

/// A socket for echo requests in a namespace (ping(8) uses the same: "ICMP datagram sockets", Linux 3.0).
#[derive(Debug)]
pub(crate) struct EchoSocket {
    socket: OwnedFd,
    target: IpAddr,
}

impl EchoSocket {
    pub(crate) fn open(namespace: &NamespaceHandle, target: IpAddr) -> Result<Self, LiveError> {
        let [socket] = namespace::open_inside(namespace, || Ok([Self::make(target)?]))?;
        Self::connected(socket, target)
    }

    /// System calls only, for [`namespace::open_inside`]; then [`EchoSocket::connected`].
    pub(crate) fn make(target: IpAddr) -> rustix::io::Result<OwnedFd> {
        let (family, protocol) = match target {
            IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP),
            IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6),
        };
        rustix::net::socket_with(
            family,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            Some(protocol),
        )
    }

    pub(crate) fn connected(socket: OwnedFd, target: IpAddr) -> Result<Self, LiveError> {
        sys::stamp_arrivals(&socket).map_err(LiveError::system("ask for receive stamps"))?;
        let echoes = Self { socket, target };
        rustix::net::connect(&echoes.socket, &SocketAddr::new(target, 0))
            .map_err(|e| echoes.unreachable(e))?;
        Ok(echoes)
    }

    fn unreachable(&self, e: Errno) -> LiveError {
        LiveError::Unreachable {
            target: self.target,
            source: e.into(),
        }
    }

    /// Sends a request (RFC 792 and RFC 4443 section 4.1). The kernel fills in checksum and identifier; the whole number is
    /// in the payload, since the sequence number wraps.
    pub(crate) fn send(&self, number: u64) -> Result<(), LiveError> {
        let mut packet = [0; 64];
        packet[0] = if self.target.is_ipv4() { 8 } else { 128 };
        packet[6..8].copy_from_slice(&(number as u16).to_be_bytes());
        packet[8..16].copy_from_slice(&number.to_be_bytes());
        match rustix::net::send(&self.socket, &packet, SendFlags::DONTWAIT) {
            // Without a route for the moment (ENETUNREACH and the like), or without service (EACCES of IPv6), the request counts as
            // lost.
            Ok(_)
            | Err(
                Errno::ACCESS
                | Errno::HOSTUNREACH
                | Errno::NETUNREACH
                | Errno::NOBUFS
                | Errno::CONNREFUSED
                | Errno::AGAIN,
            ) => Ok(()),
            Err(e) => Err(self.unreachable(e)),
        }
    }

    /// The next answer that has come: its number and when it arrived, on the clock of [`realtime_nanos`]. Does not wait.
    /// Errors that the network reported in its place are passed over.
    pub(crate) fn receive(&self) -> Option<(u64, i64)> {
        /// More errors in a row than requests can be under way.
        const MOST_ERRORS: usize = 64;
        let reply_kind = if self.target.is_ipv4() { 0 } else { 129 };
        for _ in 0..MOST_ERRORS {
            let mut packet = [0; 128];
            match sys::recv_with_stamp(&self.socket, &mut packet) {
                Ok((length, stamp)) => {
                    if let Some(number) = packet[..length].get(8..16)
                        && packet[0] == reply_kind
                    {
                        let number = u64::from_be_bytes(number.try_into().expect("eight bytes"));
                        return Some((number, stamp.unwrap_or_else(realtime_nanos)));
                    }
                }
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => return None,
                Err(_) => {}
            }
        }
        None
    }
}

impl AsFd for EchoSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

struct Probe {
    socket: EchoSocket,
    /// And when it was sent on the clock of the kernel's stamps.
    sent: Vec<(Echo, i64)>,
}

impl Probe {
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
        while let Some((number, arrived)) = self.socket.receive() {
            if let Some((echo, sent_at)) = self.sent.get_mut(number as usize) {
                echo.round_trip
                    .get_or_insert(Span::from_nanos(arrived - *sent_at));
            }
        }
    }
}

/// The clock of the kernel's stamps. A round trip is a difference of two readings less than a second apart.
pub(crate) fn realtime_nanos() -> i64 {
    let now = clock_gettime(ClockId::Realtime);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}
