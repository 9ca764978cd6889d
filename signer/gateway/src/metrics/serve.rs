//! `GET /metrics` for this machine alone.

use super::Metrics;
use crate::link::Link;
use crate::tls::Trust;
use chancery_channel::{Answer, Stats, ToKeeper};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
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

/// Who scrapes waits no longer for the keeper, nor may he take longer to ask.
const PATIENCE: Duration = Duration::from_secs(2);
/// Scrapes at once.
const CONNECTIONS: usize = 8;

/// Takes the address before anything else is started.
#[derive(Debug)]
pub struct Exporter {
    listener: std::net::TcpListener,
}

/// What a scrape needs.
#[derive(Clone)]
pub struct Scraped {
    /// What the gateway counts.
    pub metrics: Arc<Metrics>,
    /// Whose certificates end when.
    pub trust: Arc<Trust>,
    /// To the keeper, for what it counts.
    pub link: Link,
}

impl Exporter {
    /// Listens.
    ///
    /// # Errors
    /// The address is taken, or not of this machine.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        tracing::info!(address = %listener.local_addr()?, "metrics are at http://ADDRESS/metrics");
        Ok(Self { listener })
    }

    /// Answers until what is returned is dropped.
    ///
    /// # Errors
    /// The runtime cannot watch the socket.
    pub fn start(self, scraped: Scraped) -> io::Result<JoinSet<()>> {
        let listener = TcpListener::from_std(self.listener)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let places = Arc::new(Semaphore::new(CONNECTIONS));
            let mut connections = JoinSet::new();
            while let Ok(place) = Arc::clone(&places).acquire_owned().await {
                while connections.try_join_next().is_some() {}
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let scraped = scraped.clone();
                        drop(connections.spawn(async move {
                            scraped.answer(stream).await;
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

impl Scraped {
    async fn answer(&self, stream: TcpStream) {
        let service = service_fn(|request| async move { Ok::<_, Infallible>(self.respond(&request).await) });
        let connection = http1::Builder::new()
            .keep_alive(false)
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), service);
        // Twice: for the keeper, and for who reads.
        drop(timeout(PATIENCE.saturating_mul(3), connection).await);
    }

    async fn respond<B>(&self, request: &Request<B>) -> Response<String> {
        let (status, kind, text) = match (request.method(), request.uri().path()) {
            (&Method::GET, "/metrics") => {
                let text = self.metrics.text(&self.trust, self.stats().await);
                (StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", text)
            }
            _ => (StatusCode::NOT_FOUND, "text/plain", "GET /metrics\n".to_owned()),
        };
        let mut response = Response::new(text);
        *response.status_mut() = status;
        let _ = response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response
    }

    async fn stats(&self) -> Option<Stats> {
        let mut call = self.link.call(|id| ToKeeper::Stats { id }).ok()?;
        match timeout(PATIENCE, call.answer()).await {
            Ok(Ok(Answer::Stats(stats))) => Some(*stats),
            _ => None,
        }
    }
}
