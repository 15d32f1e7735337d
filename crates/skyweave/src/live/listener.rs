//! A socket that listens, a thread for each connection, and a way to end them all.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{Shutdown, SocketFlags, accept_with, shutdown};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

/// A listening socket and its threads. Dropping it closes the socket and hangs up on everybody.
#[derive(Debug)]
pub(crate) struct Listener {
    /// Closing it tells the listening thread to end.
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
    connections: Arc<Connections>,
}

/// Open connections by number.
type Connections = Mutex<BTreeMap<u64, OwnedFd>>;

/// Threads of connections call little and keep their buffers elsewhere.
const STACK: usize = 256 << 10;

impl Listener {
    /// Serves each connection by `serve`, in a thread of its own; beyond `most` at a time they are hung up on.
    pub(crate) fn start(
        name: &'static str,
        socket: OwnedFd,
        most: usize,
        serve: impl Fn(OwnedFd) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        let (stopped, stop) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let connections = Arc::<Connections>::default();
        let open = Arc::clone(&connections);
        let serve = Arc::new(serve);
        let work = move || {
            for number in 0.. {
                let Some(connection) = accept(&socket, &stopped) else {
                    return;
                };
                let Ok(copy) = connection.try_clone() else {
                    continue;
                };
                if lock(&open).len() >= most {
                    continue;
                }
                lock(&open).insert(number, copy);
                let (open, serve) = (Arc::clone(&open), Arc::clone(&serve));
                // Without a thread for it the connection is closed when this closure is dropped, here or there.
                let closing = Closing { open, number };
                let _ = Builder::new()
                    .name(name.to_owned())
                    .stack_size(STACK)
                    .spawn(move || {
                        serve(connection);
                        drop(closing);
                    });
            }
        };
        let thread = Builder::new().name(name.to_owned()).spawn(work)?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
            connections,
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        for connection in lock(&self.connections).values() {
            let _ = shutdown(connection, Shutdown::Both);
        }
    }
}

/// Takes a connection off the list when it is over.
struct Closing {
    open: Arc<Connections>,
    number: u64,
}

impl Drop for Closing {
    fn drop(&mut self) {
        lock(&self.open).remove(&self.number);
    }
}

/// The next connection; `None` when told to stop.
fn accept(socket: &OwnedFd, stopped: &OwnedFd) -> Option<OwnedFd> {
    loop {
        let mut watched = [
            PollFd::new(stopped, PollFlags::IN),
            PollFd::new(socket, PollFlags::IN),
        ];
        let _ = poll(&mut watched, None);
        if !watched[0].revents().is_empty() {
            return None;
        }
        if let Ok(connection) = accept_with(socket, SocketFlags::CLOEXEC) {
            return Some(connection);
        }
    }
}

/// What is inside stays sound if a thread panics with it: it is only added to and taken from.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
