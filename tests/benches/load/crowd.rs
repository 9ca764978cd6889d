//! Those who are connected and ask nothing, and those who connect again and again.

use crate::cpu::resident_mib;
use chancery_tests::{KeyHost, Publisher};
use rustix::process::{Resource, Rlimit, getrlimit, setpriority_process, setrlimit};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// KiB that each of so many idle connections takes in gateway and keeper.
pub(crate) async fn wait_idle(host: &KeyHost, publisher: &Publisher, connections: usize) -> [f64; 2] {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let resident = || [host.gateway_pid(), host.keeper_pid()].map(resident_mib);
    let before = resident();
    let guests = publisher.connections(&host.endpoint(), connections).await;
    let after = resident();
    drop(guests);
    [0, 1].map(|i| (after[i] - before[i]) * 1024.0 / connections as f64)
}

/// How a storm is made.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// Addresses it comes from.
    addresses: u8,
    /// Connections under way at each time.
    at_once: usize,
    /// Whether it shows a certificate of ours.
    known: bool,
}

pub(crate) const STORMS: [Kind; 3] = [
    Kind { name: "of one enrolled client, 256 at once", addresses: 1, at_once: 256, known: true },
    Kind { name: "of a stranger, 256 at once", addresses: 1, at_once: 256, known: false },
    Kind { name: "of strangers from 32 addresses, 512 at once", addresses: 32, at_once: 512, known: false },
];

/// A storm, on a thread that gives way to all others: what is measured is what the key host pays, not what its clients do.
pub(crate) struct Storm {
    over: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    begun: Instant,
    thread: JoinHandle<()>,
}

impl Storm {
    pub(crate) fn start(kind: Kind, host: &KeyHost, publisher: &Publisher) -> Self {
        let (over, done, refused) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let to: SocketAddr = host.endpoint().strip_prefix("https://").unwrap().parse().unwrap();
        let connector = TlsConnector::from(Arc::new(config(kind, publisher)));
        let counts = (Arc::clone(&over), Arc::clone(&done), Arc::clone(&refused));
        let thread = std::thread::spawn(move || {
            setpriority_process(None, 19).unwrap();
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
                let mut callers = JoinSet::new();
                for i in 0..kind.at_once {
                    let from = Ipv4Addr::new(127, 0, 1, 1 + (i % usize::from(kind.addresses)) as u8);
                    let _ = callers.spawn(call(to, from.into(), connector.clone(), counts.clone()));
                }
                drop(callers.join_all().await);
            });
        });
        Self { over, done, refused, begun: Instant::now(), thread }
    }

    /// Handshakes that were done, and those that were not, in a second.
    pub(crate) fn end(self) -> (f64, f64) {
        let time = self.begun.elapsed().as_secs_f64();
        let counts = (self.done.load(Relaxed) as f64 / time, self.refused.load(Relaxed) as f64 / time);
        self.over.store(true, Relaxed);
        self.thread.join().unwrap();
        counts
    }
}

fn config(kind: Kind, publisher: &Publisher) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(publisher.field("ca").as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots);
    if !kind.known {
        return config.with_no_client_auth();
    }
    let certificate = CertificateDer::from_pem_slice(publisher.field("certificate").as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_file(publisher.dir().join(publisher.field("key_file"))).unwrap();
    config.with_client_auth_cert(vec![certificate], key).unwrap()
}

async fn call(to: SocketAddr, from: IpAddr, connector: TlsConnector, counts: (Arc<AtomicBool>, Arc<AtomicU64>, Arc<AtomicU64>)) {
    let (over, done, refused) = counts;
    let name = ServerName::try_from("localhost").unwrap();
    while !over.load(Relaxed) {
        let attempt = async {
            let socket = TcpSocket::new_v4().ok()?;
            socket.bind((from, 0).into()).ok()?;
            // A socket that was reset leaves no port waiting.
            socket.set_zero_linger().ok()?;
            connector.connect(name.clone(), socket.connect(to).await.ok()?).await.ok()
        };
        let made = tokio::time::timeout(Duration::from_secs(2), attempt).await;
        let _ = if matches!(made, Ok(Some(_))) { &done } else { &refused }.fetch_add(1, Relaxed);
    }
}
