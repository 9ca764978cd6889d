//! Where strangers wait until it is known who they are: a thread of its own that gives way to all others, so that a storm of handshakes costs
//! those who are connected little of their time.

use super::guests::{Caller, Callers, Guests};
use super::line::Line;
use super::{AcceptLimits, Connection};
use crate::identity::{Peer, identify};
use crate::metrics::Metrics;
use crate::tls::Trust;
use chancery_journal::Quiet;
use rustix::process::setpriority_process;
use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio_rustls::TlsAcceptor;

/// How much the thread gives way (setpriority(2)): beside one that does not, it gets a tenth of a processor.
const NICE: i32 = 10;
/// How often is looked whether something is to be told once a minute.
const LOOK: Duration = Duration::from_secs(5);

/// The way in.
#[derive(Clone)]
pub(super) struct Lobby {
    thread: Handle,
    arrivals: mpsc::UnboundedSender<Arrival>,
    callers: Callers,
    turned: Turned,
}

/// Somebody who has a place, and is not known yet. Who comes through a relay is counted there.
struct Arrival {
    line: Line,
    from: String,
    place: OwnedSemaphorePermit,
    caller: Option<Caller>,
}

/// Who is turned away is counted, and named once a minute: strangers must not fill the journal.
#[derive(Clone)]
struct Turned {
    metrics: Arc<Metrics>,
    quiet: Arc<Quiet>,
}

/// What each handshake needs.
#[derive(Clone)]
struct Greeter {
    trust: Arc<Trust>,
    timeout: Duration,
    guests: Guests,
    turned: Turned,
    ready: mpsc::Sender<io::Result<Connection>>,
}

impl Lobby {
    /// Opens it. Who was let in goes to `ready`; it closes when nobody listens there any more, and drops `end` last.
    ///
    /// # Errors
    /// There can be no thread.
    pub(super) fn open(
        trust: Arc<Trust>,
        metrics: Arc<Metrics>,
        limits: AcceptLimits,
        ready: mpsc::Sender<io::Result<Connection>>,
        end: oneshot::Sender<Infallible>,
    ) -> io::Result<Self> {
        let (arrivals, arriving) = mpsc::unbounded_channel();
        let turned = Turned { metrics, quiet: Arc::default() };
        let guests = Guests::new(limits.per_principal, limits.in_flight_per_principal, limits.rate_per_principal);
        let greeter = Greeter { trust, timeout: limits.handshake_timeout, guests, turned: turned.clone(), ready };
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let thread = runtime.handle().clone();
        let _ = std::thread::Builder::new().name("handshakes".to_owned()).spawn(move || {
            if let Err(error) = setpriority_process(None, NICE) {
                tracing::warn!(%error, "handshakes cannot be made to give way: a storm of them slows down those who are connected");
            }
            runtime.block_on(greeter.receive(arriving));
            drop(end);
        })?;
        Ok(Self { thread, arrivals, callers: Callers::new(limits.handshakes_per_address), turned })
    }

    /// Has its thread do this, until it closes.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.thread.spawn(work));
    }

    /// Takes somebody in, who has a place. Who comes through a relay has no address here.
    pub(super) fn enter(
        &self,
        address: Option<IpAddr>,
        line: impl FnOnce() -> io::Result<Line>,
        from: String,
        place: OwnedSemaphorePermit,
    ) {
        // Before anything else costs something.
        let caller = address.map(|address| self.callers.enter(address));
        if let Some(None) = caller {
            if self.turned.away("handshakes-per-address", &from) {
                tracing::warn!(address = from, "closed: this address has handshakes_per_address handshakes under way");
            }
            return;
        }
        match line() {
            // The receiver is gone when the gateway stops.
            Ok(line) => drop(self.arrivals.send(Arrival { line, from, place, caller: caller.flatten() })),
            Err(error) => tracing::warn!(address = from, %error, "a connection could not be taken in"),
        }
    }
}

impl Turned {
    /// Counts it; whether it is to be said now.
    fn away(&self, why: &'static str, from: &str) -> bool {
        self.metrics.turned_away(why);
        self.quiet.says(why, from, Instant::now())
    }
}

impl Greeter {
    async fn receive(self, mut arriving: mpsc::UnboundedReceiver<Arrival>) {
        let mut looks = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                () = self.ready.closed() => break,
                arrival = arriving.recv() => {
                    let Some(arrival) = arrival else { break };
                    drop(tokio::spawn(self.clone().greet(arrival)));
                }
                _ = looks.tick() => self.turned.quiet.tell(false),
            }
        }
        self.turned.quiet.tell(true);
    }

    async fn greet(self, arrival: Arrival) {
        let Arrival { line, from: address, place, caller } = arrival;
        // tonic sets this on sockets that it accepts itself only; without it a small call takes 40 ms.
        if let Err(error) = line.socket().set_nodelay(true) {
            tracing::debug!(%address, %error, "TCP_NODELAY could not be set");
        }
        let generation = self.trust.generation();
        let acceptor = TlsAcceptor::from(self.trust.config());
        let stream = match tokio::time::timeout(self.timeout, acceptor.accept(line)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                if self.turned.away("handshake-failed", &address) {
                    tracing::info!(%address, %error, "a handshake failed");
                }
                return;
            }
            Err(_) => {
                if self.turned.away("handshake-timeout", &address) {
                    tracing::info!(%address, "a handshake took too long");
                }
                return;
            }
        };
        drop(caller);
        let chain: Vec<_> = stream.get_ref().1.peer_certificates().unwrap_or_default().iter().map(|c| c.clone().into_owned()).collect();
        let identity = identify(chain.first().map_or(&[], |leaf| leaf));
        let name = match &identity {
            Ok(identity) => identity.principal.as_str(),
            Err(error) => {
                if self.turned.quiet.says("names-no-principal", &address, Instant::now()) {
                    tracing::warn!(%address, %error, "connected, but names no principal");
                }
                ""
            }
        };
        let Some(guest) = self.guests.enter(name) else {
            if self.turned.away("connections-per-principal", name) {
                tracing::warn!(%address, principal = name, "closed: this principal has connections_per_principal connections already");
            }
            return;
        };
        tracing::debug!(%address, principal = name, "connected");
        let peer = Peer::on_trust(identity, guest.allowance(), address, self.trust, chain, generation);
        let counted = self.turned.metrics.connected();
        // The receiver is gone when the gateway stops.
        drop(self.ready.send(Ok(Connection { stream, peer, _place: place, _guest: guest, _counted: counted })).await);
    }
}
