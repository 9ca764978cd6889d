//! Connections: so many and no more, each with deadlines, so that a slow one costs the others nothing.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

/// Connections that may be open at once.
const MAX_CONNECTIONS: u32 = 256;
/// A handshake, and the head of a request, take no longer than this.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// What is under way at the end may take so long still.
const DRAIN: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(super) struct Connections {
    acceptor: Option<TlsAcceptor>,
    app: Router,
    places: Arc<Semaphore>,
    ending: watch::Sender<bool>,
}

impl Connections {
    pub(super) fn new(acceptor: Option<TlsAcceptor>, app: Router) -> Self {
        let places = usize::try_from(MAX_CONNECTIONS).unwrap_or(usize::MAX);
        Self { acceptor, app, places: Arc::new(Semaphore::new(places)), ending: watch::Sender::new(false) }
    }

    /// Takes connections for ever.
    pub(super) async fn take(&self, listener: TcpListener) {
        while let Ok(place) = Arc::clone(&self.places).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(self.clone().greet(stream, place))),
                // Such as too many open files: it passes when others hang up, and nothing says when.
                Err(_) => drop(tokio::time::timeout(Duration::from_millis(200), std::future::pending::<()>()).await),
            }
        }
    }

    /// Waits until what is under way has ended, though not for long.
    pub(super) async fn drain(self) {
        self.ending.send_replace(true);
        let _ = tokio::time::timeout(DRAIN, self.places.acquire_many(MAX_CONNECTIONS)).await;
    }

    async fn greet(self, stream: TcpStream, place: OwnedSemaphorePermit) {
        let _ = stream.set_nodelay(true);
        match self.acceptor.clone() {
            None => self.answer(stream).await,
            Some(acceptor) => {
                if let Ok(Ok(stream)) = tokio::time::timeout(HEAD_TIMEOUT, acceptor.accept(stream)).await {
                    self.answer(stream).await;
                }
            }
        }
        drop(place);
    }

    async fn answer(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let service = TowerToHyperService::new(self.app);
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(64 * 1024);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let mut ending = self.ending.subscribe();
        let ended = async move { drop(ending.wait_for(|ending| *ending).await) };
        // What goes wrong with a connection, its client sees.
        tokio::select! {
            _ = connection.as_mut() => {}
            () = ended => {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        }
    }
}
