//! `chanceryd serve`: the process around the server. Starts the keeper, says when it is ready, and stops both in order.

use crate::accept::{Doors, Relays};
use crate::cell;
use crate::cli::Unlock;
use crate::config::{ConfigError, Gateway};
use crate::keeper::{Ended, Keeper, KeeperError};
use crate::link::{Greeted, Greeting, GreetingError, KeeperState, Link};
use crate::locked::Locked;
use crate::metrics::{Metrics, Scraped};
use crate::notify::Notifier;
use crate::place::{Place, PlaceError};
use crate::reload::{self, Files, Reload};
use crate::server::Server;
use crate::tls::{TlsError, Trust};
use crate::traces::{Traces, TracesError};
use crate::witness::Witnesses;
use chancery_cell::CellError;
use chancery_channel::{Cell, Ready};
use chancery_exporter::{Exporter, MetricsAt};
use chancery_journal::Journal;
use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

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
    /// The process could not be closed in.
    #[error(transparent)]
    Cell(#[from] CellError),
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
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// Metrics cannot be offered.
    #[error("cannot listen on {place} for metrics; choose another place in the table [metrics] of signer.toml")]
    Metrics {
        /// The place.
        place: MetricsAt,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Traces cannot be sent.
    #[error(transparent)]
    Traces(#[from] TracesError),
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
pub fn serve(dir: &Path, keeper: KeeperAt<'_>, unlock: &Unlock, dial: &[String]) -> Result<(), ServeError> {
    let config = Gateway::read(dir)?.dial_too(dial)?;
    let journal = Journal::start(&config.journal);
    let trust = Arc::new(Trust::load(&config.tls_files())?);
    // Signals are heeded from here on. This runtime has no threads, which would stay outside the cell.
    let threadless = Builder::new_current_thread().enable_all().build().map_err(ServeError::Process)?;
    let signals = threadless.block_on(async { Signals::new() }).map_err(ServeError::Process)?;
    // What cannot be listened on is noticed before anybody is asked for a passphrase; nobody can connect until the keeper is ready.
    let place = Place::take(&config)?;
    let unheard = |place: &MetricsAt| {
        let place = place.clone();
        move |source| ServeError::Metrics { place, source }
    };
    let exporter = config.metrics.as_ref().map(|at| Exporter::bind(at).map_err(unheard(at))).transpose()?;
    make_room_for(config.limits.connections);
    let notifier = Notifier::open();
    let (mut keeper, channel) = match keeper {
        KeeperAt::Program(program) => Keeper::start(program, dir, unlock)?,
        KeeperAt::Socket(path) => Keeper::connect(path)?,
    };
    // Asked before the cell hides what a control group allows.
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cell = match chancery_cell::enter(&cell::plan(&config, keeper.id()), &config.sandbox) {
        Ok(report) => report,
        Err(error) => {
            // The first error is the one to be told.
            drop(keeper.kill());
            return Err(error.into());
        }
    };
    tracing::info!("cell: {cell}");
    let cell = Cell { layers: cell.layers(), missing: cell.missing() };
    let runtime = Builder::new_multi_thread().worker_threads(workers).enable_all().build().map_err(ServeError::Process)?;
    let files = Files { dir, dial, running: &config, journal: &journal };
    runtime.block_on(attend(files, Opened { trust, signals, place, exporter, notifier, keeper, channel, cell }))
}

/// What was opened before the process entered its cell, and what it says of that.
struct Opened {
    trust: Arc<Trust>,
    signals: Signals,
    place: Place,
    exporter: Option<Exporter>,
    notifier: Arc<Notifier>,
    keeper: Keeper,
    channel: UnixStream,
    cell: Cell,
}

async fn attend(files: Files<'_>, opened: Opened) -> Result<(), ServeError> {
    let config = files.running;
    let Opened { trust, mut signals, mut place, exporter, notifier, keeper, channel, cell } = opened;
    let limits = &config.limits;
    let channel = tokio::net::UnixStream::from_std(channel).map_err(ServeError::Process)?;
    let greeted = tokio::select! {
        greeted = greeted(Greeting::new(channel), &mut place, config, &trust, &notifier) => greeted?,
        name = signals.end(|| _ = reload::certificates(&trust, config)) => {
            tracing::info!(signal = name, "stopping before the keeper was ready");
            keeper.stop(limits.drain_timeout).await;
            return Ok(());
        }
    };
    let (link, ready) = match greeted {
        Ok(opened) => opened,
        Err(source) => return Err(ServeError::NotReady { status: keeper.closed(limits.drain_timeout).await?, source }),
    };
    tracing::info!(keys = ready.keys.len(), log = ready.log_vkey, "the keeper is ready");
    let listener = place.listener()?;
    let ready_on = place.words(config);
    drop(place);
    let doors = Doors { listener, relays: relays(config, &trust)? };
    let traces = config.traces.map(Traces::start).transpose()?.unwrap_or_default();
    let metrics = Arc::new(Metrics::new(&ready).of_cell(&cell).traced(traces.clone()));
    let server = Server::start(doors, Arc::clone(&trust), Arc::clone(&metrics), &link, &ready, &config.limits, cell)
        .await
        .map_err(ServeError::Process)?;
    let scraped = Scraped { metrics: Arc::clone(&metrics), trust: Arc::clone(&trust), link: link.clone() };
    let _exporting = exporter.map(|exporter| exporter.start(move || scraped.clone().text())).transpose().map_err(ServeError::Process)?;
    let witnesses = config.witness.as_ref().map(|config| Witnesses::start(&link, config));
    announce("ready", &ready_on, &notifier, "taking requests").map_err(ServeError::Process)?;
    let watchdog = Notifier::watchdog(&notifier, link.keeper());

    let reload = Reload { files, trust: &trust, metrics: &metrics, link: &link };
    let end = until_told(&mut signals, &link, &reload, &notifier).await;
    notifier.tell("STOPPING=1\nSTATUS=requests under way go on, new ones are refused");
    drop(witnesses);
    let drained = server.drain(limits.drain_timeout).await;
    // The keeper ends when its channel closes, after it recorded that it stops.
    link.hang_up();
    traces.flush().await;
    let status = keeper.end(link.keeper(), limits.drain_timeout).await?;
    drop(watchdog);
    tracing::info!(%status, "the keeper ended");
    drained.map_err(ServeError::Transport)?;
    match end {
        End::Signal if status.success() => Ok(()),
        End::Signal | End::KeeperGone => Err(ServeError::KeeperEnded(status)),
    }
}

/// Waits until the keeper is ready. While it waits for its passphrase, clients are told so; who dials a relay stays away from it.
async fn greeted(
    greeting: Greeting,
    place: &mut Place,
    config: &Gateway,
    trust: &Arc<Trust>,
    notifier: &Arc<Notifier>,
) -> Result<Result<(Link, Ready), GreetingError>, ServeError> {
    let greeting = match greeting.next().await {
        Ok(Greeted::Ready(link, ready)) => return Ok(Ok((link, ready))),
        Ok(Greeted::Locked(greeting)) => greeting,
        Err(error) => return Ok(Err(error)),
    };
    let locked = match place.listener()? {
        Some(listener) => Some(Locked::start(listener, Arc::clone(trust), &config.limits).await.map_err(ServeError::Process)?),
        None => None,
    };
    announce("locked", &place.words(config), notifier, "waiting for `chanceryd key unlock`").map_err(ServeError::Process)?;
    // Nobody sends: that ends with this value, and the watchdog with it.
    let (_waiting, state) = watch::channel(KeeperState::Signing);
    let _watchdog = Notifier::watchdog(notifier, state);
    let greeted = match greeting.next().await {
        Ok(Greeted::Ready(link, ready)) => Ok((link, ready)),
        Ok(Greeted::Locked(_)) => Err(GreetingError::Greeting),
        Err(error) => Err(error),
    };
    if let Some(locked) = locked {
        locked.stop().await;
    }
    Ok(greeted)
}

/// The relays to dial, if any.
fn relays(config: &Gateway, trust: &Arc<Trust>) -> Result<Option<Relays>, ServeError> {
    if config.dial.is_empty() {
        return Ok(None);
    }
    let name = chancery_dial::relay_name(&config.trust_domain);
    Ok(Some(Relays {
        addresses: config.dial.clone(),
        trust: Arc::clone(trust),
        name: name.try_into().map_err(|_| TlsError::TrustDomain)?,
        pool: config.dial_pool,
        patience: config.limits.handshake_timeout,
        ping_timeout: config.limits.keepalive_timeout,
    }))
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

/// The line on standard output that says where the key host is to be reached, and in which state it is.
fn announce(state: &str, where_to: &str, notifier: &Notifier, status: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "chanceryd {state} {where_to}")?;
    out.flush()?;
    notifier.tell(&format!("READY=1\nSTATUS={status} {where_to}"));
    Ok(())
}

async fn until_told(signals: &mut Signals, link: &Link, reload: &Reload<'_>, notifier: &Notifier) -> End {
    let mut keeper = link.keeper();
    loop {
        tokio::select! {
            told = signals.next() => {
                let Told::End(name) = told else {
                    notifier.reloading();
                    reload.run().await;
                    notifier.tell("READY=1");
                    continue;
                };
                tracing::info!(signal = name, "stopping: requests under way go on, new ones are refused");
                return End::Signal;
            }
            _ = keeper.wait_for(|state| *state == KeeperState::Gone) => {
                tracing::error!("the keeper is gone");
                return End::KeeperGone;
            }
        }
    }
}

/// What a signal says.
enum Told {
    End(&'static str),
    Reload,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::End("SIGTERM"),
            _ = self.interrupt.recv() => Told::End("SIGINT"),
            _ = self.hangup.recv() => Told::Reload,
        }
    }

    /// The name of one that says to end. Until then `reload` is done for each that says to reload.
    async fn end(&mut self, reload: impl Fn()) -> &'static str {
        loop {
            match self.next().await {
                Told::End(name) => return name,
                Told::Reload => reload(),
            }
        }
    }
}
