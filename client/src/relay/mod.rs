//! `chancery relay`: key hosts that nobody can reach park connections here, and clients are handed one.
//!
//! The relay carries the client's TLS to the key host as bytes; it has no key for it. It can drop and delay, and nothing else. The parked
//! side has a TLS of its own around them, so that only key hosts can park. What is said there is in `docs/relay-protocol.md`.

mod clients;
mod counted;
mod front;
mod metrics;
mod park;
mod pool;
mod reload;
mod tls;

use crate::profile::{KeyFileError, Profile, ProfileError};
use chancery_exporter::{Exporter, MetricsAt};
use chancery_journal::Quiet;
use clients::Addresses;
use metrics::Metrics;
use pool::{Goal, Pool};
pub use reload::RelayReloader;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tls::Outer;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

/// When nothing comes back from the other side of a connection for so long, it is given up.
const DEAD_AFTER: Duration = Duration::from_secs(30);
/// A silent connection is asked for a sign of life after so long.
const PROBE_AFTER: Duration = Duration::from_secs(15);
/// How long clients may go on after the relay was told to stop.
const DRAIN: Duration = Duration::from_secs(5);
/// How often is looked whether something is to be told once a minute.
const LOOK: Duration = Duration::from_secs(5);
/// How long to wait when the system has no more file descriptors.
const BACKOFF: Duration = Duration::from_millis(200);
/// Clients that may be here without having said anything yet.
const STRANGERS: usize = 1024;
/// Handshakes of the parked side that may be under way, from people that nobody knows yet.
const HANDSHAKES: usize = 256;

/// Where clients connect, and which key host they get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Front {
    /// Where to listen; port 0 takes any free one.
    pub address: SocketAddr,
    /// A name in the key host's certificate; `None` for any key host of the authority.
    pub key_host: Option<String>,
    /// The trust domain of the key host's authority; `None` for that of the first profile.
    pub authority: Option<String>,
}

/// What a relay is to do.
#[derive(Debug)]
#[non_exhaustive]
pub struct RelayOptions {
    /// Who the relay is: a profile of role `relay` for each authority whose key hosts may park. Fronts lead to the first one's, unless
    /// they say otherwise.
    pub identities: Vec<Profile>,
    /// Where key hosts park.
    pub park: SocketAddr,
    /// Where clients connect.
    pub fronts: Vec<Front>,
    /// Where numbers for Prometheus are to be had, on this machine alone; `None` for nowhere.
    pub metrics: Option<MetricsAt>,
    /// How long a client waits for a key host.
    pub wait: Duration,
    /// How often a parked key host is asked whether it is there; 1 ms to 60 s.
    pub ping_interval: Duration,
    /// How long it may take to answer, before a client is handed over too.
    pub answer_timeout: Duration,
    /// A handshake of the parked side takes no longer.
    pub handshake_timeout: Duration,
    /// Connections that one key host may park.
    pub parked: usize,
    /// Clients that may be connected or waiting.
    pub clients: usize,
    /// So many of them from one address, or one /64 network of IPv6.
    pub clients_per_address: usize,
}

/// Why a relay does not start.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The profile is somebody else's.
    #[error(
        "{} is the profile of {principal}, which is no relay; make one on the key host with `chanceryd enroll NAME --role relay`", path.display()
    )]
    NotARelay {
        /// The profile.
        path: PathBuf,
        /// Whose it is.
        principal: String,
    },
    /// Its private key.
    #[error("the key of {} cannot be used", path.display())]
    Key {
        /// The profile.
        path: PathBuf,
        /// Why.
        #[source]
        source: KeyFileError,
    },
    /// Certificate, key and authority.
    #[error("certificate, key and authority of {} cannot be used together; enroll the relay again", path.display())]
    Tls {
        /// The profile.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Two profiles of one trust domain: key hosts could not say which they mean.
    #[error("two profiles are of the trust domain {0}; name one of them only")]
    Twice(String),
    /// A front leads to an authority that is not here.
    #[error("no profile is of the trust domain {0:?}, which stands after the @ of an address; name a profile of that authority too")]
    NoSuchAuthority(String),
    /// No profile.
    #[error("a relay needs a profile of role relay")]
    Nobody,
    /// A profile, when it was read again.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A profile that was read again is of another authority.
    #[error("{} was of the trust domain {was:?} and is of {is:?} now; start the relay anew for another authority", path.display())]
    OtherDomain {
        /// The profile.
        path: PathBuf,
        /// What it was.
        was: String,
        /// What it is.
        is: String,
    },
    /// An address is taken.
    #[error("cannot listen on {address}; choose another one, or stop what listens there")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The place for numbers is taken.
    #[error("cannot listen on {place} for metrics; choose another --metrics, or stop what listens there")]
    Metrics {
        /// The place.
        place: MetricsAt,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A relay that listens.
pub struct Relay {
    park: TcpListener,
    fronts: Vec<(TcpListener, Goal)>,
    signer_side: SocketAddr,
    client_side: Vec<SocketAddr>,
    exporter: Option<Exporter>,
    door: tls::Door,
    profiles: Vec<PathBuf>,
    house: Arc<House>,
}

/// What all its tasks share.
struct House {
    pool: Arc<Pool>,
    metrics: Metrics,
    quiet: Quiet,
    clients: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    addresses: Addresses,
    wait: Duration,
    ping_interval: Duration,
    answer_timeout: Duration,
    handshake_timeout: Duration,
}

impl RelayOptions {
    /// The usual bounds.
    #[must_use]
    pub fn new(identities: Vec<Profile>, park: SocketAddr, fronts: Vec<Front>) -> Self {
        Self {
            identities,
            park,
            fronts,
            metrics: None,
            wait: Duration::from_secs(4),
            ping_interval: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(1),
            handshake_timeout: Duration::from_secs(5),
            parked: 64,
            clients: 1024,
            clients_per_address: 64,
        }
    }
}

impl Relay {
    /// Listens on all addresses. Nobody is served yet.
    ///
    /// # Errors
    /// [`RelayError`].
    pub async fn bind(options: RelayOptions) -> Result<Self, RelayError> {
        let authorities = tls::authorities(&options.identities)?;
        let first = Arc::clone(&authorities.first().ok_or(RelayError::Nobody)?.domain);
        let pool = Arc::new(Pool::new(first, options.parked));
        let mut goals = Vec::new();
        for front in &options.fronts {
            goals.push(front.goal(&authorities, &pool)?);
        }
        let (door, profiles) = (tls::Door::new(authorities), options.identities.iter().map(|p| p.path().to_owned()).collect());
        let (park, signer_side) = listen(options.park).await?;
        let (mut fronts, mut client_side) = (Vec::new(), Vec::new());
        for (front, goal) in options.fronts.iter().zip(goals) {
            let (listener, address) = listen(front.address).await?;
            fronts.push((listener, goal));
            client_side.push(address);
        }
        let unheard = |place: &MetricsAt| {
            let place = place.clone();
            move |source| RelayError::Metrics { place, source }
        };
        let exporter = options.metrics.as_ref().map(|at| Exporter::bind(at).map_err(unheard(at))).transpose()?;
        let house = House {
            pool,
            metrics: Metrics::new(),
            quiet: Quiet::default(),
            clients: Arc::new(Semaphore::new(options.clients)),
            strangers: Arc::new(Semaphore::new(STRANGERS)),
            addresses: Addresses::new(options.clients_per_address),
            wait: options.wait,
            ping_interval: options.ping_interval,
            answer_timeout: options.answer_timeout,
            handshake_timeout: options.handshake_timeout,
        };
        Ok(Self { park, fronts, signer_side, client_side, exporter, door, profiles, house: Arc::new(house) })
    }

    /// Where key hosts park.
    #[must_use]
    pub const fn signer_side(&self) -> SocketAddr {
        self.signer_side
    }

    /// Where clients connect, in the order of the options.
    #[must_use]
    pub fn client_side(&self) -> &[SocketAddr] {
        &self.client_side
    }

    /// Where its numbers are to be had.
    #[must_use]
    pub fn metrics_side(&self) -> Option<&MetricsAt> {
        self.exporter.as_ref().map(Exporter::place)
    }

    /// What reads its profiles again while it serves.
    #[must_use]
    pub fn reloader(&self) -> RelayReloader {
        RelayReloader { door: self.door.clone(), pool: Arc::clone(&self.house.pool), profiles: self.profiles.clone() }
    }

    /// Serves until `told` comes; then clients may go on for a few seconds.
    ///
    /// # Errors
    /// The runtime cannot watch the socket for numbers.
    pub async fn serve(self, told: impl Future<Output = ()>) -> io::Result<()> {
        let house = Arc::clone(&self.house);
        let text = move || std::future::ready(house.metrics.text(&house.pool));
        let _exporting = self.exporter.map(|exporter| exporter.start(text)).transpose()?;
        let (stop, stopped) = watch::channel(false);
        let clients = self.house.clients.available_permits();
        tokio::spawn(park::take(self.park, self.door, Arc::clone(&self.house), stopped.clone()));
        for (listener, goal) in self.fronts {
            tokio::spawn(front::take(listener, goal, Arc::clone(&self.house), stopped.clone()));
        }
        let house = Arc::clone(&self.house);
        tokio::spawn(async move {
            let mut looks = tokio::time::interval(LOOK);
            loop {
                let _ = looks.tick().await;
                house.quiet.tell(false);
            }
        });
        told.await;
        stop.send_replace(true);
        tracing::info!("stopping: nobody new is taken");
        let all = u32::try_from(clients).unwrap_or(u32::MAX);
        if tokio::time::timeout(DRAIN, self.house.clients.acquire_many(all)).await.is_err() {
            tracing::warn!("clients were still connected at the end");
        }
        self.house.quiet.tell(true);
        Ok(())
    }
}

impl Front {
    fn goal(&self, authorities: &[tls::Authority], pool: &Pool) -> Result<Goal, RelayError> {
        let wanted = |authority: &&tls::Authority| self.authority.as_deref().is_none_or(|domain| *authority.domain == *domain);
        let authority = authorities.iter().find(wanted);
        let authority = authority.ok_or_else(|| RelayError::NoSuchAuthority(self.authority.clone().unwrap_or_default()))?;
        let name = self.key_host.as_deref().map(Arc::from);
        let label = pool.label(&authority.domain, self.key_host.as_deref().unwrap_or("any"));
        Ok(Goal { domain: Arc::clone(&authority.domain), name, label })
    }
}

impl House {
    /// Strangers can use up the file descriptors again and again.
    fn cannot_accept(&self, error: &io::Error) {
        if self.quiet.says("accept-failed", error, Instant::now()) {
            tracing::warn!(%error, "a connection could not be accepted");
        }
    }
}

impl FromStr for Front {
    type Err = &'static str;

    /// `ADDRESS:PORT`, `ADDRESS:PORT=KEYHOST`, or `ADDRESS:PORT=KEYHOST@TRUSTDOMAIN`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, goal) = text.split_once('=').map_or((text, None), |(address, goal)| (address, Some(goal)));
        let (name, authority) = match goal.and_then(|goal| goal.split_once('@')) {
            Some((name, authority)) => (Some(name), Some(authority)),
            None => (goal, None),
        };
        let [key_host, authority] = [name, authority].map(|part| part.map(str::to_owned));
        let fits =
            |name: &String| (1..=253).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:".contains(&b));
        match address.parse() {
            Ok(address) if key_host.iter().chain(&authority).all(fits) => Ok(Self { address, key_host, authority }),
            _ => Err(
                "write ADDRESS:PORT, such as 127.0.0.1:7444, or ADDRESS:PORT=NAME with a name of the key host's certificate, and @ and its trust domain \
                 where its profile is not the first",
            ),
        }
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), RelayError> {
    let failed = |source| RelayError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Small frames leave at once, and a dead peer is noticed even when nothing is sent to it.
fn prepare(socket: impl AsFd) {
    use rustix::net::sockopt;
    let millis = u32::try_from(DEAD_AFTER.as_millis()).unwrap_or(u32::MAX);
    let set = sockopt::set_tcp_nodelay(&socket, true)
        .and_then(|()| sockopt::set_socket_keepalive(&socket, true))
        .and_then(|()| sockopt::set_tcp_keepidle(&socket, PROBE_AFTER))
        .and_then(|()| sockopt::set_tcp_user_timeout(&socket, millis));
    if let Err(error) = set {
        tracing::debug!(%error, "a socket's options could not be set");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_front_is_an_address_and_perhaps_the_name_of_a_key_host() {
        let front: Front = "127.0.0.1:7444=signer-a.example".parse().unwrap();
        let address = "127.0.0.1:7444".parse().unwrap();
        let key_host = Some("signer-a.example".to_owned());
        assert_eq!(front, Front { address, key_host: key_host.clone(), authority: None });
        let front: Front = "127.0.0.1:7444=signer-a.example@b.example".parse().unwrap();
        assert_eq!(front, Front { address, key_host, authority: Some("b.example".to_owned()) });
        assert_eq!("[::1]:7444".parse::<Front>().unwrap().key_host, None);
        for wrong in [
            "",
            "7444",
            "localhost:7444",
            "127.0.0.1:7444=",
            "127.0.0.1:7444=a@",
            "127.0.0.1:7444=@b",
            "127.0.0.1:7444=a b",
            "127.0.0.1:99999",
        ] {
            assert!(wrong.parse::<Front>().is_err(), "{wrong}");
        }
    }
}
