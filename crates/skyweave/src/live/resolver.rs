//! The PoP's resolver: passes DNS queries of terminals on to the host's resolvers (RFC 1035 section 4.2; RFC 5625).
//!
//! Programs behind a terminal cannot use the host's own list of resolvers, which may name the host's loopback. They ask the
//! PoP, whose sockets were made inside its namespace; the host's resolvers are asked from this process's.

use super::listener::Listener;
use super::relay;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// DNS over UDP is at most this long with EDNS0 (RFC 6891); longer answers come over TCP.
const MAX_DATAGRAM: usize = 65_535;

/// How long an answer is waited for, and how long a TCP connection may be idle.
const PATIENCE: Duration = Duration::from_secs(10);

/// TCP connections at a time; more are closed at once.
const MOST: usize = 64;

/// Queries under way; more are not answered.
const MAX_PENDING: usize = 4096;

/// The running resolver. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Resolver {
    /// Closing it tells the thread to end.
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
    _tcp: Listener,
}

impl Resolver {
    /// Serves on sockets that were made inside the PoP's namespace, at the PoP's address.
    pub(crate) fn start(
        here: SocketAddrV4,
        udp: OwnedFd,
        tcp: OwnedFd,
        servers: Vec<SocketAddr>,
    ) -> io::Result<Self> {
        rustix::net::bind(&udp, &here)?;
        rustix::net::bind(&tcp, &here)?;
        rustix::net::listen(&tcp, 16)?;
        let for_tcp = servers.clone();
        let tcp = Listener::start("resolver-tcp", tcp, MOST, move |connection| {
            pass_on(&TcpStream::from(connection), &for_tcp);
        })?;
        let clients = UdpSocket::from(udp);
        clients.set_nonblocking(true)?;
        let (stopped, stop) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let relay = Relay {
            clients,
            upstream: servers.iter().map(|_| None).collect(),
            servers,
            pending: BTreeMap::new(),
            numbers: Numbers {
                state: RandomState::new(),
                next: 0,
            },
        };
        let work = move || relay.run(&stopped);
        let thread = std::thread::Builder::new()
            .name("resolver".to_owned())
            .spawn(work)?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
            _tcp: tcp,
        })
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What takes the place of /etc/resolv.conf for programs behind a terminal: the PoP, and the host's search list and options.
pub(crate) fn resolv_conf(pop: Ipv4Addr, host: &str) -> String {
    let kept = host.lines().filter(|line| {
        let word = line.split_whitespace().next().unwrap_or_default();
        matches!(word, "search" | "domain" | "options")
    });
    kept.fold(format!("nameserver {pop}\n"), |text, line| {
        text + line.trim() + "\n"
    })
}

/// Resolvers named by a resolv.conf(5); the host itself if it names none, as there.
pub(crate) fn host_resolvers(resolv_conf: &str) -> Vec<SocketAddr> {
    let named = resolv_conf.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == "nameserver").then(|| words.next()?.parse::<IpAddr>().ok())?
    });
    let mut servers: Vec<_> = named.map(|ip| SocketAddr::new(ip, 53)).collect();
    if servers.is_empty() {
        servers.push(SocketAddr::from((Ipv4Addr::LOCALHOST, 53)));
    }
    servers
}

/// Numbers that nobody outside can guess: a forged answer must hit the query's number (RFC 5452 section 4.3).
struct Numbers {
    state: RandomState,
    next: u64,
}

impl Numbers {
    fn draw(&mut self) -> u16 {
        self.next += 1;
        self.state.hash_one(self.next) as u16
    }
}

/// A query that was passed on.
struct Pending {
    client: SocketAddr,
    number: [u8; 2],
    server: usize,
    since: Instant,
}

struct Relay {
    clients: UdpSocket,
    servers: Vec<SocketAddr>,
    /// One connected socket for each server, once it was needed.
    upstream: Vec<Option<UdpSocket>>,
    /// By the number under which the server knows it.
    pending: BTreeMap<u16, Pending>,
    numbers: Numbers,
}

impl Relay {
    fn run(mut self, stopped: &OwnedFd) {
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            let mut watched = vec![
                PollFd::new(stopped, PollFlags::IN),
                PollFd::new(&self.clients, PollFlags::IN),
            ];
            watched.extend(
                self.upstream
                    .iter()
                    .flatten()
                    .map(|s| PollFd::from_borrowed_fd(s.as_fd(), PollFlags::IN)),
            );
            let second = Timespec {
                tv_sec: 1,
                tv_nsec: 0,
            };
            let _ = poll(&mut watched, Some(&second));
            if !watched[0].revents().is_empty() {
                return;
            }
            drop(watched);
            while let Ok((length, client)) = self.clients.recv_from(&mut buffer) {
                self.ask(&mut buffer[..length], client);
            }
            for server in 0..self.upstream.len() {
                while let Some(Ok(length)) =
                    self.upstream[server].as_ref().map(|s| s.recv(&mut buffer))
                {
                    self.answer(&mut buffer[..length], server);
                }
            }
            self.pending.retain(|_, p| p.since.elapsed() < PATIENCE);
        }
    }

    /// Passes a query on. One that is asked again goes to the next server.
    fn ask(&mut self, query: &mut [u8], client: SocketAddr) {
        let Some(&[high, low]) = query.first_chunk::<2>() else {
            return;
        };
        let number = [high, low];
        let asked = self
            .pending
            .values()
            .filter(|p| p.client == client && p.number == number);
        let server = asked.map(|p| p.server + 1).max().unwrap_or(0) % self.servers.len();
        let ours = (0..16)
            .map(|_| self.numbers.draw())
            .find(|n| !self.pending.contains_key(n));
        let Some(ours) = ours.filter(|_| self.pending.len() < MAX_PENDING) else {
            return;
        };
        query[..2].copy_from_slice(&ours.to_be_bytes());
        let sent = self.socket(server).and_then(|socket| socket.send(query));
        if sent.is_ok() {
            self.pending.insert(
                ours,
                Pending {
                    client,
                    number,
                    server,
                    since: Instant::now(),
                },
            );
        } else if query.len() >= 12 {
            // "Server failure", with the question as it came (RFC 1035 section 4.1.1).
            query[..2].copy_from_slice(&number);
            query[2] |= 0x80;
            query[3] = (query[3] & 0xf0) | 2;
            let _ = self.clients.send_to(query, client);
        }
    }

    fn answer(&mut self, answer: &mut [u8], server: usize) {
        let Some(&[high, low]) = answer.first_chunk::<2>() else {
            return;
        };
        let ours = u16::from_be_bytes([high, low]);
        if self.pending.get(&ours).is_none_or(|p| p.server != server) {
            return;
        }
        let Some(pending) = self.pending.remove(&ours) else {
            return;
        };
        answer[..2].copy_from_slice(&pending.number);
        let _ = self.clients.send_to(answer, pending.client);
    }

    fn socket(&mut self, server: usize) -> io::Result<&UdpSocket> {
        let slot = &mut self.upstream[server];
        if slot.is_none() {
            let to = self.servers[server];
            let any = if to.is_ipv4() {
                SocketAddr::from(([0; 4], 0))
            } else {
                SocketAddr::from(([0; 16], 0))
            };
            let socket = UdpSocket::bind(any)?;
            socket.connect(to)?;
            socket.set_nonblocking(true)?;
            *slot = Some(socket);
        }
        slot.as_ref()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

/// Passes a TCP connection on to the first server that takes it.
fn pass_on(client: &TcpStream, servers: &[SocketAddr]) {
    let Some(server) = servers
        .iter()
        .find_map(|to| TcpStream::connect_timeout(to, PATIENCE / 4).ok())
    else {
        return;
    };
    for stream in [client, &server] {
        let _ = stream.set_read_timeout(Some(PATIENCE));
    }
    relay::join(client, &server);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_passed_on_over_udp_and_tcp_and_asked_again_elsewhere() {
        use rustix::net::{AddressFamily, SocketType, socket};
        use std::io::{Read, Write};
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let tcp_server = std::net::TcpListener::bind(server.local_addr().unwrap()).unwrap();
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let open = |kind| socket(AddressFamily::INET, kind, None).unwrap();
        let (udp, tcp) = (open(SocketType::DGRAM), open(SocketType::STREAM));
        let (udp_copy, tcp_copy) = (udp.try_clone().unwrap(), tcp.try_clone().unwrap());
        let here = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
        let servers = vec![silent.local_addr().unwrap(), server.local_addr().unwrap()];
        let resolver = Resolver::start(here, udp, tcp, servers).unwrap();
        let at = |fd: OwnedFd| SocketAddr::try_from(rustix::net::getsockname(fd).unwrap()).unwrap();

        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(at(udp_copy)).unwrap();
        let query = b"\x12\x34\x01\x00 and a question";
        let mut buffer = [0; 100];
        client.send(query).unwrap();
        let asked = silent.recv(&mut buffer).unwrap();
        assert_eq!(
            buffer[2..asked],
            query[2..],
            "the first server is asked first"
        );
        client.send(query).unwrap();
        let (length, from) = server.recv_from(&mut buffer).unwrap();
        // A server that answers under another number than it was asked under is not believed.
        let mut forged = buffer[..length].to_vec();
        forged[0] ^= 0xff;
        server.send_to(&forged, from).unwrap();
        server.send_to(&buffer[..length], from).unwrap();
        let length = client.recv(&mut buffer).unwrap();
        assert_eq!(
            buffer[..length],
            *query,
            "the answer has the number of the question"
        );

        drop(silent);
        let mut client = TcpStream::connect(at(tcp_copy)).unwrap();
        client.write_all(b"long").unwrap();
        let (mut accepted, _) = tcp_server.accept().unwrap();
        let mut four = [0; 4];
        accepted.read_exact(&mut four).unwrap();
        accepted.write_all(&four).unwrap();
        client.read_exact(&mut four).unwrap();
        assert_eq!(four, *b"long");
        drop(resolver);
        assert_eq!(client.read(&mut four).unwrap_or(0), 0, "hung up");
    }

    #[test]
    fn programs_ask_the_pop_and_the_pop_asks_the_hosts_resolvers() {
        let host = "# comment\nnameserver 127.0.0.53\nsearch example.org\noptions edns0\nnameserver fe80::1%eth0\nnameserver 2001:db8::1\n";
        let ours = resolv_conf(Ipv4Addr::new(100, 64, 0, 1), host);
        assert_eq!(
            ours,
            "nameserver 100.64.0.1\nsearch example.org\noptions edns0\n"
        );
        assert_eq!(
            host_resolvers(host),
            [
                "127.0.0.53:53".parse().unwrap(),
                "[2001:db8::1]:53".parse().unwrap()
            ]
        );
        assert_eq!(host_resolvers(""), ["127.0.0.1:53".parse().unwrap()]);
    }
}
