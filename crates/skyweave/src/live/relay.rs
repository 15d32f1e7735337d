//! TCP at the PoP of an ordinary user: the kernel of the PoP's namespace ends each connection of a terminal, and this process
//! opens one in its place.
//!
//! pasta alone would not do. It sends whatever the receiver's window allows, without congestion control, which is right for
//! a link inside one machine and loses most of a window on a slow one with a short queue behind it. The PoP's kernel sends
//! as any server does. What differs from a network without such a relay: a connection is accepted before it is known
//! whether its destination will, and one that is refused is reset instead.

use super::listener::Listener;
use super::sys;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Connections at a time, each with two threads here.
const MOST: usize = 1024;

/// How long a destination may take to answer.
const CONNECT: Duration = Duration::from_secs(30);

/// How the host is called behind a terminal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostNames {
    pub(crate) v4: Ipv4Addr,
    pub(crate) v6: Ipv6Addr,
}

/// Serves connections that the PoP's packet filter redirects to `socket`.
pub(crate) fn start(socket: OwnedFd, host: HostNames) -> io::Result<Listener> {
    Listener::start("relay", socket, MOST, move |connection| {
        let Ok(wanted) = sys::original_destination(&connection) else {
            return;
        };
        let client = TcpStream::from(connection);
        match TcpStream::connect_timeout(&host.translate(wanted), CONNECT) {
            Ok(server) => join(&client, &server),
            Err(_) => {
                let _ = sys::reset_on_close(&client);
            }
        }
    })
}

impl HostNames {
    /// The host's own services, also those that only listen on its loopback, as pasta has it for UDP.
    fn translate(self, wanted: SocketAddr) -> SocketAddr {
        let ip = match wanted.ip() {
            IpAddr::V4(ip) if ip == self.v4 => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip == self.v6 => Ipv6Addr::LOCALHOST.into(),
            other => other,
        };
        SocketAddr::new(ip, wanted.port())
    }
}

/// Copies both ways until both ends are done.
pub(crate) fn join(client: &TcpStream, server: &TcpStream) {
    for stream in [client, server] {
        let _ = stream.set_nodelay(true);
        let _ = rustix::net::sockopt::set_socket_keepalive(stream, true);
    }
    std::thread::scope(|scope| {
        let up = std::thread::Builder::new()
            .name("relay-up".to_owned())
            .stack_size(256 << 10);
        if up.spawn_scoped(scope, || copy(client, server)).is_ok() {
            copy(server, client);
        }
        // Without a second thread both are closed when the caller drops them.
    });
}

/// Copies one way, and passes on the end of it.
fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                if to.write_all(&buffer[..length]).is_err() {
                    // The reader is gone: so shall the writer be.
                    let _ = from.shutdown(Shutdown::Both);
                    break;
                }
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => {
                let _ = to.shutdown(Shutdown::Both);
                break;
            }
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
