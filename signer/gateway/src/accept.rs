//! Takes connections in, over a port of ours or over relays: so many and no more, each with a deadline for its handshake.

mod dialer;
mod guests;
mod line;
mod lobby;
mod pace;

use crate::identity::Peer;
use crate::metrics::{Connected as Counted, Metrics};
use crate::tls::Trust;
use guests::Guest;
use line::Line;
use lobby::Lobby;

pub use dialer::Relays;
pub use guests::Allowance;
pub use pace::Rate;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

/// How long to wait when the system has no more file descriptors.
const BACKOFF: Duration = Duration::from_millis(200);
/// Connections whose handshake is done and that tonic has not taken yet.
const READY: usize = 16;

/// Where clients come in.
pub struct Doors {
    /// A port of ours.
    pub listener: Option<TcpListener>,
    /// Relays that we dial.
    pub relays: Option<Relays>,
}

/// Bounds of what is taken in.
#[derive(Debug, Clone, Copy)]
pub struct AcceptLimits {
    /// Connections that may be open at once.
    pub connections: usize,
    /// Of these, connections of one principal.
    pub per_principal: usize,
    /// Requests of one principal that may be under way, on all its connections together.
    pub in_flight_per_principal: usize,
    /// How fast one principal may ask.
    pub rate_per_principal: Option<Rate>,
    /// Handshakes of one address that may be under way.
    pub handshakes_per_address: usize,
    /// A handshake takes no longer than this.
    pub handshake_timeout: Duration,
}

/// A connection whose handshake is done.
pub struct Connection {
    stream: TlsStream<Line>,
    peer: Peer,
    _place: OwnedSemaphorePermit,
    _guest: Guest,
    _counted: Counted,
}

/// What comes in.
pub struct Accepting {
    /// Those who are known; nobody is let in any more when this is dropped.
    pub connections: ReceiverStream<io::Result<Connection>>,
    /// Ends once all is told of those who were not let in.
    pub over: oneshot::Receiver<Infallible>,
}

/// Accepts until the receiving end is dropped.
///
/// # Errors
/// There can be no thread for the handshakes.
pub fn accept(doors: Doors, trust: Arc<Trust>, metrics: Arc<Metrics>, limits: AcceptLimits) -> io::Result<Accepting> {
    let (ready, connections) = mpsc::channel(READY);
    let (end, over) = oneshot::channel();
    let places = Arc::new(Semaphore::new(limits.connections));
    let door = Door { lobby: Lobby::open(trust, metrics, limits, ready.clone(), end)?, ready };
    if let Some(relays) = &doors.relays {
        dialer::start(relays, &door, &places);
    }
    if let Some(listener) = doors.listener {
        let (listener, home) = (listener.into_std()?, Handle::current());
        door.lobby.spawn(keep_door(listener, door.clone(), places, home));
    }
    Ok(Accepting { connections: ReceiverStream::new(connections), over })
}

/// What lets somebody in.
#[derive(Clone)]
struct Door {
    lobby: Lobby,
    /// Closed when nobody is let in any more.
    ready: mpsc::Sender<io::Result<Connection>>,
}

/// Runs in the lobby, so that those who are turned away at once cost nobody else anything; the others belong to `home`.
async fn keep_door(listener: std::net::TcpListener, door: Door, places: Arc<Semaphore>, home: Handle) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the port cannot be watched: nobody can connect, start again"),
    };
    loop {
        // Waiting for a place before accepting leaves the rest in the kernel's queue, at no cost to us.
        let place = tokio::select! {
            () = door.ready.closed() => return,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let Ok(place) = place else { return };
        let accepted = tokio::select! {
            () = door.ready.closed() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((tcp, address)) => {
                let line = || {
                    let tcp = tcp.into_std()?;
                    let _home = home.enter();
                    TcpStream::from_std(tcp).map(Line::Accepted)
                };
                door.lobby.enter(Some(address.ip()), line, address.to_string(), place);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                // The system is out of file descriptors, and says nothing when it has some again.
                drop(tokio::time::timeout(BACKOFF, door.ready.closed()).await);
            }
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;
    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::TlsFiles;
    use rcgen::{CertificateParams, KeyPair};
    use rustls::pki_types::{PrivateKeyDer, ServerName};
    use rustls::{ClientConfig, RootCertStore};
    use std::fs::File;
    use std::io::Write as _;
    use tokio_rustls::TlsConnector;
    use tokio_stream::StreamExt as _;

    #[tokio::test]
    async fn small_writes_leave_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let made = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let [certificate, private] = ["a.crt", "a.key"].map(|name| dir.path().join(name));
        for (path, text) in [(&certificate, made.pem()), (&private, key.serialize_pem())] {
            File::create_new(path).unwrap().write_all(text.as_bytes()).unwrap();
        }
        let client_ca = certificate.clone();
        let trust = Trust::load(&TlsFiles { certificate, key: private, client_ca, client_crl: None, dials: false }).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let own = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let client = client.with_root_certificates(roots).with_client_auth_cert(vec![made.der().clone()], own).unwrap();

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = AcceptLimits {
            connections: 1,
            per_principal: 1,
            in_flight_per_principal: 1,
            rate_per_principal: None,
            handshakes_per_address: 1,
            handshake_timeout: Duration::from_secs(20),
        };
        let ready =
            chancery_channel::Ready { log_vkey: String::new(), keys: Vec::new(), read_only: None, cell: chancery_channel::Cell::default() };
        let mut accepting =
            accept(Doors { listener: Some(listener), relays: None }, Arc::new(trust), Arc::new(Metrics::new(&ready)), limits).unwrap();
        let tcp = TcpStream::connect(address).await.unwrap();
        let connecting = TlsConnector::from(Arc::new(client)).connect(ServerName::try_from("localhost").unwrap(), tcp);
        let (connected, accepted) = tokio::join!(connecting, accepting.connections.next());
        connected.unwrap();
        assert!(accepted.unwrap().unwrap().stream.get_ref().0.socket().nodelay().unwrap());
    }
}
