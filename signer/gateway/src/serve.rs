//! `chanceryd serve`: the process around the server. Starts the keeper, says when it is ready, and stops both in order.

use crate::cli::Unlock;
use crate::config::{ConfigError, Gateway};
use crate::keeper::{Ended, Keeper, KeeperError};
use crate::link::{GreetingError, KeeperState, Link};
use crate::notify;
use crate::server::Server;
use crate::tls::{self, TlsError};
use crate::witness::Witnesses;
use chancery_channel::Ready;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
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
        status: Ended,
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
    KeeperEnded(Ended),
}

/// Where the keeper comes from.
#[derive(Debug, Clone, Copy)]
pub enum KeeperAt<'a> {
    /// Its program, which is started as a child.
    Program(&'a Path),
    /// The socket of its own service.
    Socket(&'a Path),
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
pub async fn serve(dir: &Path, keeper: KeeperAt<'_>, unlock: &Unlock) -> Result<(), ServeError> {
    let config = Gateway::read(dir)?;
    let limits = &config.limits;
    let tls = tls::server(&config.server_certificate, &config.server_key, &config.client_ca)?;
    let mut signals = Signals::new().map_err(ServeError::Process)?;
    // What cannot be listened on is noticed before anybody is asked for a passphrase; nobody can connect until the keeper is ready.
    let socket = reserve(config.listen)?;
    make_room_for(limits.connections);
    let (keeper, channel) = match keeper {
        KeeperAt::Program(program) => Keeper::start(program, dir, unlock)?,
        KeeperAt::Socket(path) => Keeper::connect(path).await?,
    };
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
    let listen = |source| ServeError::Listen { address: config.listen, source };
    let listener = socket.listen(BACKLOG).map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let server = start(listener, tls, &link, &ready, &config).await;
    let witnesses = config.witness.as_ref().map(|config| Witnesses::start(&link, config));
    announce(address).map_err(ServeError::Process)?;
    let watchdog = notify::watchdog(link.keeper());

    let end = until_told(&mut signals, &link).await;
    notify::tell("STOPPING=1\nSTATUS=requests under way go on, new ones are refused");
    drop(witnesses);
    let drained = server.drain(limits.drain_timeout).await;
    // The keeper ends when its channel closes, after it recorded that it stops.
    link.hang_up();
    let status = keeper.end(limits.drain_timeout).await?;
    drop(watchdog);
    tracing::info!(%status, "the keeper ended");
    drained.map_err(ServeError::Transport)?;
    match end {
        End::Signal if status.success() => Ok(()),
        End::Signal | End::KeeperGone => Err(ServeError::KeeperEnded(status)),
    }
}

async fn start(listener: TcpListener, tls: std::sync::Arc<rustls::ServerConfig>, link: &Link, ready: &Ready, config: &Gateway) -> Server {
    tracing::info!(keys = ready.keys.len(), log = ready.log_vkey, "the keeper is ready");
    Server::start(listener, tls, link, ready, &config.limits).await
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
fn announce(address: SocketAddr) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "chanceryd ready on {address}")?;
    out.flush()?;
    notify::tell(&format!("READY=1\nSTATUS=taking requests on {address}"));
    Ok(())
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
