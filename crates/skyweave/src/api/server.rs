//! The listener: connections with limits on their number, their silence and their slowness, TLS if certificates are given.
//!
//! All of it runs on one thread of its own. Nothing here waits for the database, the planner or the packets, and nothing of
//! those waits for a client.

use super::oidc::Oidc;
use super::problem::{Kind, Problem};
use super::{Api, LiveNetwork, Provider};
use crate::operator::Desk;
use anyhow::{Context as _, Result, bail};
use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::any::Any;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

/// Connections at the same time.
const CONNECTIONS: usize = 512;
/// How long the head of a request may take, also of the next one on the same connection, and a TLS handshake.
const HEAD: Duration = Duration::from_secs(10);
/// How long a body may be silent.
const SILENCE: Duration = Duration::from_secs(10);
/// How long a client may take nothing of what is sent to it.
const STUCK: Duration = Duration::from_secs(20);
/// How long an answer may take from the head of the request on, its body included.
const ANSWER: Duration = Duration::from_secs(60);
/// How long open requests are given at the end.
const LAST: Duration = Duration::from_millis(500);
/// Bytes that are read ahead of a request; its head must fit.
const HEAD_BYTES: usize = 64 << 10;

/// Where to listen.
#[derive(Clone, Debug)]
pub struct Listen {
    /// The address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// `None`: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// The organisation's own identity provider; `None`: people sign in with passwords only.
    pub provider: Option<Provider>,
}

/// A certificate chain and its key, PEM files.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub certificates: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// The interface, listening until it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    secure: bool,
    owner_secret: Option<String>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Binds, makes the first owner if need be, and serves. Waits for the database; not from an asynchronous function.
    ///
    /// # Errors
    /// The address is taken or not this machine's, a certificate cannot be used, or the database does not answer.
    pub fn start(listen: &Listen, desk: Arc<Desk>, network: Arc<dyn LiveNetwork>) -> Result<Self> {
        let tls = listen.tls.as_ref().map(acceptor).transpose()?;
        let secure = tls.is_some();
        let oidc = listen.provider.clone().map(Oidc::new).transpose()?;
        let listener = TcpListener::bind(listen.address)
            .with_context(|| format!("the API cannot listen at {}", listen.address))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let api = Arc::new(Api::open(desk, network, secure, oidc)?);
        let owner_secret = api.make_owner()?;
        let (stop, stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the API's thread")?;
        let serve = move || {
            runtime.block_on(async {
                // The listener was made above and is not blocking: nothing else can fail.
                if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
                    serve(listener, tls, router(&api), stopped).await;
                }
            });
            runtime.shutdown_timeout(LAST);
        };
        let thread = std::thread::Builder::new().name("api".to_owned());
        Ok(Self {
            address,
            secure,
            owner_secret,
            stop,
            thread: Some(thread.spawn(serve)?),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as a URL.
    pub fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The one-time secret of the user `owner`, if nobody has signed in yet: it is told once.
    pub fn take_owner_secret(&mut self) -> Option<String> {
        self.owner_secret.take()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A thread that has ended hears nothing and need not.
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor> {
    let certificates = &files.certificates;
    let chain = CertificateDer::pem_file_iter(certificates)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("cannot read certificates from {}", certificates.display()))?;
    if chain.is_empty() {
        bail!("{} holds no certificate (PEM)", certificates.display());
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .with_context(|| format!("cannot read a private key from {}", files.key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .with_context(|| {
            let (chain, key) = (certificates.display(), files.key.display());
            format!("{chain} and {key} do not go together")
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The routes with what holds for all of them.
fn router(api: &Arc<Api>) -> Router {
    api.router()
        .layer(RequestBodyTimeoutLayer::new(SILENCE))
        .layer(from_fn(in_time))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(harden))
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!("there was no answer within {} s", ANSWER.as_secs());
            Problem::new(Kind::TooSlow, detail).into_response()
        }
    }
}

/// A panic is told by its own message on standard error.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    Problem::new(Kind::Broken, "the request met a mistake of this program").into_response()
}

async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn serve(
    listener: tokio::net::TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let end = stopped.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stop| *stop) => break,
        };
        let Ok((stream, from)) = accepted else {
            // Out of file descriptors, for example: others must close first.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            // Whoever comes now finds a closed door, and those who are in go on.
            continue;
        };
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(STUCK));
        let (tls, router, stopped) = (tls.clone(), router.clone(), end.clone());
        tokio::spawn(async move {
            let _place = place;
            let stream = Box::pin(stream);
            match tls {
                None => connection(stream, router, from, stopped).await,
                Some(tls) => {
                    let shaken = tokio::time::timeout(HEAD, tls.accept(stream)).await;
                    if let Ok(Ok(stream)) = shaken {
                        connection(stream, router, from, stopped).await;
                    }
                }
            }
        });
    }
    let all = CONNECTIONS as u32;
    let _ = tokio::time::timeout(LAST, places.acquire_many(all)).await;
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    from: SocketAddr,
    mut stopped: watch::Receiver<bool>,
) {
    let router = router.layer(axum::Extension(ConnectInfo(from)));
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
    );
    tokio::select! {
        // An error is the client's: it hung up, was silent, or spoke no HTTP.
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|stop| *stop) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}
