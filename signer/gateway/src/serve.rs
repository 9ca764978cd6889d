//! `chanceryd serve`: the process around the server. Starts the keeper, says when it is ready, and stops both in order.

use crate::accept::{Doors, Relays};
use crate::cli::Unlock;
use crate::config::{ConfigError, Gateway};
use crate::keeper::{Keeper, KeeperError};
use crate::link::{GreetingError, KeeperState, Link};
use crate::server::Server;
use crate::tls::{self, TlsError};
use crate::witness::Witnesses;
use chancery_channel::Ready;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitStatus;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Connections that the kernel holds for us until we take them.
const BACKLOG: u32 = 1024;
/// File descriptors for everything that is no connection.
const OWN_FILES: u64 = 64;

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
    #[error("not started; the keeper ended with {status}")]
    NotReady {
        /// How it ended.
        status: ExitStatus,
        /// What was seen of it.
        #[source]
        source: GreetingError,
    },
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
    #[error(
        "the keeper ended with {0}; its message is above. Start again: whatever was acknowledged is recorded, and clients send the rest again"
    )]
    KeeperEnded(ExitStatus),
}

/// Why service ends.
enum End {
    Signal,
    KeeperGone,
}

/// Serves a key host's directory until a signal comes or the keeper ends.
///
/// # Errors
/// [`ServeError`].
pub async fn serve(dir: &Path, program: &Path, unlock: &Unlock, dial: &[String]) -> Result<(), ServeError> {
    let config = Gateway::read(dir)?.dial_too(dial)?;
    let limits = &config.limits;
    let tls = tls::server(&config.server_certificate, &config.server_key, &config.client_ca)?;
    let relays = relays(&config)?;
    let mut signals = Signals::new().map_err(ServeError::Process)?;
    // What cannot be listened on is noticed before anybody is asked for a passphrase; nobody can connect until the keeper is ready.
    let socket = config.listen.map(reserve).transpose()?;
    make_room_for(limits.connections);
    let (keeper, channel) = Keeper::start(program, dir, unlock)?;
    let opened = tokio::select! {
        opened = Link::open(channel) => opened,
        name = signals.next() => {
            tracing::info!(signal = name, "stopping before the keeper was ready");
            keeper.stop(limits.drain_timeout).await;
            return Ok(());
        }
    };
    let (link, ready) = match opened {
        Ok(opened) => opened,
        Err(source) => return Err(ServeError::NotReady { status: keeper.end(limits.drain_timeout).await?, source }),
    };
    let (listener, ready_on) = open(socket, &config)?;
    let server = start(Doors { listener, relays }, tls, &link, &ready, &config).await;
    let witnesses = config.witness.as_ref().map(|config| Witnesses::start(&link, config));
    announce(&ready_on).map_err(ServeError::Process)?;

    let end = until_told(&mut signals, &link).await;
    drop(witnesses);
    let drained = server.drain(limits.drain_timeout).await;
    // The keeper ends when its channel closes, after it recorded that it stops.
    link.hang_up();
    let status = keeper.end(limits.drain_timeout).await?;
    tracing::info!(%status, "the keeper ended");
    drained.map_err(ServeError::Transport)?;
    match end {
        End::Signal if status.success() => Ok(()),
        End::Signal | End::KeeperGone => Err(ServeError::KeeperEnded(status)),
    }
}

async fn start(doors: Doors, tls: std::sync::Arc<rustls::ServerConfig>, link: &Link, ready: &Ready, config: &Gateway) -> Server {
    tracing::info!(keys = ready.keys.len(), log = ready.log_vkey, "the keeper is ready");
    Server::start(doors, tls, link, ready, &config.limits).await
}

/// The relays to dial, if any.
fn relays(config: &Gateway) -> Result<Option<Relays>, ServeError> {
    if config.dial.is_empty() {
        return Ok(None);
    }
    let name = chancery_dial::relay_name(&config.trust_domain);
    Ok(Some(Relays {
        addresses: config.dial.clone(),
        tls: tls::dialling(&config.server_certificate, &config.server_key, &config.client_ca)?,
        name: name.try_into().map_err(|_| TlsError::TrustDomain)?,
        pool: config.dial_pool,
        patience: config.limits.handshake_timeout,
        ping_timeout: config.limits.keepalive_timeout,
    }))
}

/// Listens, if that is wanted; says where the key host is to be reached.
fn open(socket: Option<TcpSocket>, config: &Gateway) -> Result<(Option<TcpListener>, String), ServeError> {
    let (Some(socket), Some(address)) = (socket, config.listen) else { return Ok((None, format!("through {}", config.dial.join(", ")))) };
    let listen = |source| ServeError::Listen { address, source };
    let listener = socket.listen(BACKLOG).map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    Ok((Some(listener), format!("on {address}")))
}

/// Takes the address without listening on it.
fn reserve(address: SocketAddr) -> Result<TcpSocket, ServeError> {
    let listen = |source| ServeError::Listen { address, source };
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(listen)?;
    socket.set_reuseaddr(true).map_err(listen)?;
    socket.bind(address).map_err(listen)?;
    Ok(socket)
}

/// Raises the soft limit of open files, as far as it goes; the usual 1,024 are not enough for as many connections.
fn make_room_for(connections: u32) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let wanted = u64::from(connections).saturating_add(OWN_FILES);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|soft| soft >= wanted) {
        return;
    }
    let possible = maximum.map_or(wanted, |hard| hard.min(wanted));
    if setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum }).is_err() || possible < wanted {
        tracing::warn!(possible, wanted, "fewer files may be open than connections allows; raise LimitNOFILE, or lower connections");
    }
}

/// The one line on standard output that says where the key host is to be reached.
fn announce(where_to: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "chanceryd ready {where_to}")?;
    out.flush()
}

async fn until_told(signals: &mut Signals, link: &Link) -> End {
    let mut keeper = link.keeper();
    tokio::select! {
        name = signals.next() => {
            tracing::info!(signal = name, "stopping: requests under way go on, new ones are refused");
            End::Signal
        }
        _ = keeper.wait_for(|state| *state == KeeperState::Gone) => {
            tracing::error!("the keeper is gone");
            End::KeeperGone
        }
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
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
