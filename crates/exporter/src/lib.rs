//! `GET /metrics` for this machine alone, on an address or a unix socket: what gateway and relay count, in the text format of OpenMetrics.
//!
//! What is counted is each program's own affair.
#![forbid(unsafe_code)]

mod place;

pub use place::MetricsAt;

use crate::place::Listener;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::registry::Registry;
use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Who scrapes may take no longer to ask, and should wait no longer for the numbers of others.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// Scrapes at once.
const CONNECTIONS: usize = 8;
/// OpenMetrics 1.0, section "Text Format".
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Takes its place before anything else is started.
#[derive(Debug)]
pub struct Exporter {
    listener: Listener,
    place: MetricsAt,
}

/// What these registries have, as one text.
#[must_use]
pub fn text(registries: &[&Registry]) -> String {
    let mut text = String::new();
    for registry in registries {
        // Writing to a string does not fail.
        let _ = encode_registry(&mut text, registry);
    }
    let _ = encode_eof(&mut text);
    text
}

impl Exporter {
    /// Listens.
    ///
    /// # Errors
    /// The place is taken, or cannot be had.
    pub fn bind(place: &MetricsAt) -> io::Result<Self> {
        let (listener, place) = place.listen()?;
        tracing::info!(at = %place, "metrics are at /metrics");
        Ok(Self { listener, place })
    }

    /// Where it listens.
    #[must_use]
    pub const fn place(&self) -> &MetricsAt {
        &self.place
    }

    /// Answers with what `text` gives, until what is returned is dropped.
    ///
    /// # Errors
    /// The runtime cannot watch the socket.
    pub fn start<T, F>(self, text: T) -> io::Result<JoinSet<()>>
    where
        T: Fn() -> F + Clone + Send + Sync + 'static,
        F: Future<Output = String> + Send,
    {
        let listener = Watched::new(self.listener)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let places = Arc::new(Semaphore::new(CONNECTIONS));
            let mut connections = JoinSet::new();
            while let Ok(place) = Arc::clone(&places).acquire_owned().await {
                while connections.try_join_next().is_some() {}
                match listener.accept().await {
                    Ok(stream) => {
                        let text = text.clone();
                        drop(connections.spawn(async move {
                            answer(stream, &text).await;
                            drop(place);
                        }));
                    }
                    // The system is out of file descriptors, and says nothing when it has some again.
                    Err(_) => drop(timeout(PATIENCE, pending::<()>()).await),
                }
            }
        });
        Ok(tasks)
    }
}

/// A socket that the runtime watches.
enum Watched {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Watched {
    fn new(listener: Listener) -> io::Result<Self> {
        match listener {
            Listener::Tcp(listener) => TcpListener::from_std(listener).map(Self::Tcp),
            Listener::Unix(listener) => UnixListener::from_std(listener).map(Self::Unix),
        }
    }

    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Tcp(listener) => listener.accept().await.map(|(stream, _)| Box::new(stream) as Box<dyn Stream>),
            Self::Unix(listener) => listener.accept().await.map(|(stream, _)| Box::new(stream) as Box<dyn Stream>),
        }
    }
}

/// One who asks.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl Stream for TcpStream {}

impl Stream for UnixStream {}

async fn answer<F: Future<Output = String>>(stream: Box<dyn Stream>, text: &impl Fn() -> F) {
    let service = service_fn(|request| async move { Ok::<_, Infallible>(respond(&request, text).await) });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service);
    // For the question, for the numbers of others, and for who reads.
    drop(timeout(PATIENCE.saturating_mul(3), connection).await);
}

async fn respond<B, F: Future<Output = String>>(request: &Request<B>, text: &impl Fn() -> F) -> Response<String> {
    let (status, kind, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => (StatusCode::OK, OPEN_METRICS, text().await),
        _ => (StatusCode::NOT_FOUND, "text/plain", "GET /metrics\n".to_owned()),
    };
    let mut response = Response::new(text);
    *response.status_mut() = status;
    let _ = response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
