//! `GET /metrics` for this machine alone: what gateway and relay count, in the text format of OpenMetrics.
//!
//! What is counted is each program's own affair.
#![forbid(unsafe_code)]

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
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Who scrapes may take no longer to ask, and should wait no longer for the numbers of others.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// Scrapes at once.
const CONNECTIONS: usize = 8;
/// OpenMetrics 1.0, section "Text Format".
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Takes the address before anything else is started.
#[derive(Debug)]
pub struct Exporter {
    listener: std::net::TcpListener,
    address: SocketAddr,
}

/// An address that only this machine reaches.
///
/// # Errors
/// What to write instead.
pub fn of_this_machine(address: SocketAddr) -> Result<SocketAddr, &'static str> {
    let advice = "write an address of this machine alone, such as \"127.0.0.1:9464\": metrics are not encrypted";
    if address.ip().is_loopback() { Ok(address) } else { Err(advice) }
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
    /// The address is taken, or not of this machine.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        tracing::info!(%address, "metrics are at http://ADDRESS/metrics");
        Ok(Self { listener, address })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
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
        let listener = TcpListener::from_std(self.listener)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let places = Arc::new(Semaphore::new(CONNECTIONS));
            let mut connections = JoinSet::new();
            while let Ok(place) = Arc::clone(&places).acquire_owned().await {
                while connections.try_join_next().is_some() {}
                match listener.accept().await {
                    Ok((stream, _)) => {
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

async fn answer<F: Future<Output = String>>(stream: TcpStream, text: &impl Fn() -> F) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_this_machine_alone() {
        for good in ["127.0.0.1:9464", "127.1.2.3:0", "[::1]:9464"] {
            assert!(of_this_machine(good.parse().unwrap()).is_ok(), "{good}");
        }
        for bad in ["0.0.0.0:9464", "[::]:9464", "192.0.2.1:9464", "[::ffff:127.0.0.1]:9464"] {
            assert!(of_this_machine(bad.parse().unwrap()).is_err(), "{bad}");
        }
    }
}
