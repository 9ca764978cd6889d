//! Serving over HTTP: to this machine alone, or to holders of a client certificate.

mod connection;
mod tls;

use crate::error::AuditError;
use axum::Router;
use clap::Args;
use connection::Connections;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Where to listen, and to whom.
#[derive(Debug, Args)]
pub(crate) struct WebArgs {
    /// Where to listen; port 0 takes any free one. Addresses that other machines reach need the three TLS options.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// The server's certificate, in PEM.
    #[arg(long, value_name = "FILE", requires_all = ["tls_key", "client_ca"])]
    tls_certificate: Option<PathBuf>,
    /// The server's private key, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// The CA of client certificates: without one of these nobody gets an answer.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    client_ca: Option<PathBuf>,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebError {
    #[error(
        "{0} is reached by other machines: say --tls-certificate, --tls-key and --client-ca, or listen on 127.0.0.1 behind a server that checks who asks"
    )]
    Open(SocketAddr),
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("the process cannot be set up")]
    Setup(#[source] std::io::Error),
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
}

impl WebArgs {
    /// Serves until SIGINT or SIGTERM. Once connections are taken it prints `chancery-audit NAME ready on URL`.
    pub(crate) fn serve(&self, name: &str, app: Router) -> Result<(), AuditError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(WebError::Setup)?;
        runtime.block_on(self.serve_on(name, app))
    }

    async fn serve_on(&self, name: &str, app: Router) -> Result<(), AuditError> {
        let acceptor = match (&self.tls_certificate, &self.tls_key, &self.client_ca) {
            (Some(certificate), Some(key), Some(ca)) => Some(tls::acceptor(certificate, key, ca).map_err(WebError::from)?),
            _ if self.listen.ip().is_loopback() => None,
            _ => return Err(WebError::Open(self.listen).into()),
        };
        let cannot = |source| WebError::Listen { address: self.listen, source };
        let listener = TcpListener::bind(self.listen).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(WebError::Setup)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(WebError::Setup)?;
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let mut out = std::io::stdout();
        writeln!(out, "chancery-audit {name} ready on {scheme}://{address}").and_then(|()| out.flush()).map_err(AuditError::Output)?;
        let connections = Connections::new(acceptor, app);
        tokio::select! {
            () = connections.take(listener) => {}
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        connections.drain().await;
        Ok(())
    }
}
