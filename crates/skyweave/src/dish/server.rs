//! The thread that serves the dishes' clients, however many, slow or greedy they are.

use super::{DishAddress, Terminal};
use crate::live::lock;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use skyweave_dish::{Device, FileNames, serve_grpc, serve_grpc_web};
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, Weak};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};

/// Connections of a dish at a time; who comes then is hung up on.
const MAX_CONNECTIONS: usize = 100;
/// Whoever connects must say something within this time.
const FIRST_WORD: Duration = Duration::from_secs(10);

/// The thread and its runtime. Dropping it ends both, and all connections.
pub(super) struct Server {
    runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Sockets that listen: inside the namespace, and on the loopback.
pub(super) struct Sockets {
    pub(super) grpc: [TcpListener; 2],
    pub(super) grpc_web: [TcpListener; 2],
}

impl Sockets {
    pub(super) fn address(&self, id: String) -> io::Result<DishAddress> {
        Ok(DishAddress {
            id,
            grpc: self.grpc[1].local_addr()?,
            grpc_web: self.grpc_web[1].local_addr()?,
        })
    }
}

/// What speaks on a port.
#[derive(Clone, Copy)]
enum Speech {
    Grpc,
    GrpcWeb,
}

impl Server {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let work = move || {
            let _ = runtime.block_on(stopped);
        };
        let thread = std::thread::Builder::new()
            .name("dish-server".to_owned())
            .spawn(work)?;
        Ok(Self {
            runtime: handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Serves a terminal on its sockets until it is closed.
    pub(super) fn listen(
        &self,
        terminal: &Arc<Terminal>,
        sockets: Sockets,
        names: FileNames,
    ) -> io::Result<()> {
        let _inside = self.runtime.enter();
        let grpc = sockets.grpc.map(|socket| (socket, Speech::Grpc));
        let web = sockets.grpc_web.map(|socket| (socket, Speech::GrpcWeb));
        for (socket, speech) in grpc.into_iter().chain(web) {
            let socket = tokio::net::TcpListener::from_std(socket)?;
            let accepting = accept(socket, Arc::downgrade(terminal), speech, names);
            lock(&terminal.connections.listeners)
                .push(self.runtime.spawn(accepting).abort_handle());
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Connections of a dish, and the tasks that accept them.
#[derive(Default)]
pub(super) struct Connections {
    listeners: Mutex<Vec<AbortHandle>>,
    open: Mutex<JoinSet<()>>,
}

impl Connections {
    /// Hangs up on everybody. Those who come later are served.
    pub(super) fn hang_up(&self) {
        lock(&self.open).abort_all();
    }

    /// Ends the service.
    pub(super) fn close(&self) {
        for listener in lock(&self.listeners).drain(..) {
            listener.abort();
        }
        self.hang_up();
    }
}

async fn accept(
    socket: tokio::net::TcpListener,
    terminal: Weak<Terminal>,
    speech: Speech,
    names: FileNames,
) {
    loop {
        let accepted = socket.accept().await;
        let Some(terminal) = terminal.upgrade() else {
            return;
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors: those that are open must end first.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        // A dish that restarts is as good as unplugged.
        if !lock(&terminal.dish).answers() {
            continue;
        }
        let mut open = lock(&terminal.connections.open);
        while open.try_join_next().is_some() {}
        if open.len() < MAX_CONNECTIONS {
            open.spawn(serve(
                stream,
                Arc::clone(&terminal) as Arc<dyn Device>,
                speech,
                names,
            ));
        }
    }
}

async fn serve(stream: TcpStream, device: Arc<dyn Device>, speech: Speech, names: FileNames) {
    if !matches!(
        tokio::time::timeout(FIRST_WORD, stream.peek(&mut [0])).await,
        Ok(Ok(1))
    ) {
        return;
    }
    // Answers are whole when they are written: nothing is gained by waiting for more.
    let _ = stream.set_nodelay(true);
    let stream = TokioIo::new(stream);
    // A connection that ends badly ends: its client knows.
    let _ = match speech {
        Speech::Grpc => {
            serve_grpc(
                stream,
                device,
                names,
                TokioTimer::new(),
                TokioExecutor::new(),
            )
            .await
        }
        Speech::GrpcWeb => serve_grpc_web(stream, device, names, TokioTimer::new()).await,
    };
}
