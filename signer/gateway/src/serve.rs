//! The gateway at work.

use crate::accept::{AcceptLimits, accept};
use crate::cli::Unlock;
use crate::config::{ConfigError, Gateway, Limits};
use crate::keeper::{self, KeeperError};
use crate::link::{GreetingError, KeeperState, Link};
use crate::services::{CallLimits, Keys, RequestLog, Signing};
use crate::tls::{self, TlsError};
use chancery_channel::{KeyState, Ready};
use chancery_proto::v1::key_service_server::KeyServiceServer;
use chancery_proto::v1::request_log_service_server::RequestLogServiceServer;
use chancery_proto::v1::signing_service_server::SigningServiceServer;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tonic::transport::Server;
use tonic::transport::server::Router;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// Windows for content; small calls do not notice them.
const WINDOW: u32 = 2 * 1024 * 1024;
const ACCEPT_BACKOFF: Duration = Duration::from_millis(200);

/// Why service ended with a failure.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration was refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// TLS cannot be offered.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The keeper could not be started.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    /// The keeper did not greet.
    #[error(transparent)]
    Greeting(#[from] GreetingError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}; choose another listen in signer.toml, or stop what listens there")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A signal handler or standard output is not to be had.
    #[error("the process cannot be set up")]
    Process(#[source] io::Error),
    /// The transport failed.
    #[error("the gRPC server failed")]
    Transport(#[source] tonic::transport::Error),
    /// The keeper ended while it was needed.
    #[error("the keeper ended; its message is above. Start again: whatever was acknowledged is recorded, and clients send the rest again")]
    KeeperEnded,
}

/// Serves a key host's directory until a signal comes or the keeper ends.
///
/// # Errors
/// [`ServeError`].
pub async fn serve(dir: &Path, program: &Path, unlock: &Unlock) -> Result<(), ServeError> {
    let config = Gateway::read(dir)?;
    let tls = tls::server(&config.server_certificate, &config.server_key, &config.client_ca)?;
    let mut signals = Signals::new().map_err(ServeError::Process)?;
    let (mut child, socket) = keeper::spawn(program, dir, unlock)?;
    let (link, ready) = Link::open(socket).await?;
    let listen = |source| ServeError::Listen { address: config.listen, source };
    let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;

    let (reporter, health) = tonic_health::server::health_reporter();
    report(&reporter, &ready, &link.health().borrow().clone()).await;
    let limits = AcceptLimits {
        connections: config.limits.connections,
        handshake_timeout: config.limits.handshake_timeout.0,
        backoff: ACCEPT_BACKOFF,
    };
    let connections = accept(listener, TlsAcceptor::from(tls), limits);
    let (stop, stopped) = watch::channel(false);
    let router = router(&config.limits, &link).add_service(health);
    let server = tokio::spawn(router.serve_with_incoming_shutdown(connections, wait_for(stopped)));

    announce(address).map_err(ServeError::Process)?;
    let ended = until_told(&mut signals, &link, &reporter, &ready).await;
    stop.send_replace(true);
    match tokio::time::timeout(config.limits.drain_timeout.0, server).await {
        Ok(Ok(served)) => served.map_err(ServeError::Transport)?,
        Ok(Err(error)) => tracing::error!(%error, "the server ended by a fault"),
        Err(_) => tracing::warn!("requests were still under way at the end of drain_timeout"),
    }
    // The keeper ends when its socket closes, after it recorded that it stops.
    link.hang_up();
    let status = child.wait().await.map_err(ServeError::Process)?;
    tracing::info!(%status, "the keeper ended");
    ended
}

fn router(limits: &Limits, link: &Link) -> Router {
    let calls = CallLimits {
        max_content: limits.max_content.0,
        request_timeout: limits.request_timeout.0,
        stall_timeout: limits.stall_timeout.0,
        batch_in_flight: limits.batch_in_flight,
    };
    let message = limits.max_message.as_usize();
    Server::builder()
        .max_concurrent_streams(limits.streams_per_connection)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .http2_keepalive_interval(Some(limits.keepalive_interval.0))
        .http2_keepalive_timeout(Some(limits.keepalive_timeout.0))
        .add_service(SigningServiceServer::new(Signing::new(link.clone(), calls, limits.in_flight)).max_decoding_message_size(message))
        .add_service(KeyServiceServer::new(Keys::new(link.clone())))
        .add_service(RequestLogServiceServer::new(RequestLog::new(link.clone())))
}

/// The one line on standard output that says where the key host is to be reached.
fn announce(address: SocketAddr) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "chanceryd ready on {address}")?;
    out.flush()
}

async fn wait_for(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is the end as well.
    drop(stopped.wait_for(|stop| *stop).await);
}

/// Waits for a signal or for the keeper's end, and keeps health true meanwhile.
async fn until_told(signals: &mut Signals, link: &Link, reporter: &HealthReporter, ready: &Ready) -> Result<(), ServeError> {
    let mut health = link.health();
    loop {
        tokio::select! {
            name = signals.next() => {
                tracing::info!(signal = name, "stopping: requests under way go on, new ones are refused");
                for service in services(ready) {
                    reporter.set_service_status(service, ServingStatus::NotServing).await;
                }
                return Ok(());
            }
            changed = health.changed() => {
                let state = health.borrow_and_update().clone();
                report(reporter, ready, &state).await;
                if changed.is_err() || state == KeeperState::Gone {
                    return Err(ServeError::KeeperEnded);
                }
            }
        }
    }
}

/// One service name for each key, and the empty name for the key host as a whole.
fn services(ready: &Ready) -> impl Iterator<Item = String> {
    std::iter::once(String::new()).chain(ready.keys.iter().map(|k| k.name.to_string()))
}

async fn report(reporter: &HealthReporter, ready: &Ready, state: &KeeperState) {
    if let KeeperState::ReadOnly(why) = state {
        tracing::error!(why, "the keeper signs nothing; reads are served");
    }
    let signing = *state == KeeperState::Signing;
    reporter.set_service_status("", if signing { ServingStatus::Serving } else { ServingStatus::NotServing }).await;
    for key in &ready.keys {
        let serving = signing && key.state == KeyState::Open;
        reporter.set_service_status(key.name.as_str(), if serving { ServingStatus::Serving } else { ServingStatus::NotServing }).await;
    }
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
