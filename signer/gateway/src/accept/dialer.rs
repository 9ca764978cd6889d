//! Connections that this side opens and parks at relays, so that clients come in over them and no port is open here.

use super::Door;
use super::line::Line;
use crate::tls::Trust;
use chancery_dial::{FRAME_LEN, Frame, FrameError, Kind, answer, ping_interval};
use rustix::net::sockopt;
use rustls::pki_types::ServerName;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The first pause after a failure; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The relays to park at.
#[derive(Clone)]
pub struct Relays {
    /// Where they are, as `HOST:PORT`.
    pub addresses: Vec<String>,
    /// Has the key host's side of the outer TLS.
    pub trust: Arc<Trust>,
    /// What their certificates say that they are.
    pub name: ServerName<'static>,
    /// Connections that wait at each of them.
    pub pool: u32,
    /// Connection, handshakes and greetings take no longer.
    pub patience: Duration,
    /// How much later than announced a ping may come.
    pub ping_timeout: Duration,
}

/// Why a connection is not parked any more.
#[derive(Debug, thiserror::Error)]
enum DialError {
    #[error("no connection; check the address, the network, and that `chancery relay` runs there")]
    Connect(#[source] io::Error),
    #[error("no handshake; check that a relay listens there that was enrolled at this key host")]
    Handshake(#[source] io::Error),
    #[error("no answer in time")]
    Slow,
    #[error("the relay fell silent")]
    Silent,
    #[error("the connection broke")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// One of the connections to one of the relays.
struct Dialer {
    relays: Relays,
    address: Arc<str>,
    /// Of all that fail in the same way, one says so.
    speaks: bool,
}

/// Parks as many connections as configured at each relay, and another one for each that a client got.
pub(super) fn start(relays: &Relays, door: &Door, places: &Arc<Semaphore>) {
    for address in &relays.addresses {
        for n in 0..relays.pool {
            let dialer = Dialer { relays: relays.clone(), address: Arc::from(address.as_str()), speaks: n == 0 };
            tokio::spawn(dialer.run(door.clone(), Arc::clone(places)));
        }
    }
}

impl Dialer {
    async fn run(self, door: Door, places: Arc<Semaphore>) {
        let mut failures: u32 = 0;
        loop {
            let parked = tokio::select! {
                () = door.ready.closed() => return,
                parked = async {
                    // A parked connection counts as one: whoever comes over it must find a place.
                    let place = Arc::clone(&places).acquire_owned().await.map_err(|_| DialError::Slow)?;
                    Ok::<_, DialError>((self.park(&mut failures).await?, place))
                } => parked,
            };
            match parked {
                Ok((stream, place)) => {
                    let from = format!("relay {}", self.address);
                    door.lobby.enter(None, || Ok(Line::Relayed(Box::new(stream))), from, place);
                }
                Err(error) => {
                    let pause = pause(failures);
                    failures = failures.saturating_add(1);
                    self.report(&error, pause);
                    if timeout(pause, door.ready.closed()).await.is_ok() {
                        return;
                    }
                }
            }
        }
    }

    fn report(&self, error: &DialError, pause: Duration) {
        let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        let relay = &*self.address;
        if self.speaks {
            tracing::warn!(relay, %error, cause, ?pause, "not parked at the relay; trying again");
        } else {
            tracing::debug!(relay, %error, cause, ?pause, "not parked at the relay; trying again");
        }
    }

    /// Parks, and waits for a client.
    async fn park(&self, failures: &mut u32) -> Result<TlsStream<TcpStream>, DialError> {
        let (mut stream, every) = timeout(self.relays.patience, self.connect()).await.map_err(|_| DialError::Slow)??;
        if self.speaks {
            tracing::info!(relay = &*self.address, "parked at the relay");
        }
        let longest = every.saturating_add(self.relays.ping_timeout);
        loop {
            let bytes = timeout(longest, read(&mut stream)).await.map_err(|_| DialError::Silent)??;
            let reply = answer(bytes)?;
            timeout(longest, say(&mut stream, reply)).await.map_err(|_| DialError::Silent)??;
            // Not before: a relay that greets and then closes must not be dialled without a pause.
            *failures = 0;
            if reply.kind == Kind::Ready {
                return Ok(stream);
            }
        }
    }

    async fn connect(&self) -> Result<(TlsStream<TcpStream>, Duration), DialError> {
        let tcp = TcpStream::connect(&*self.address).await.map_err(DialError::Connect)?;
        prepare(&tcp, self.relays.patience.saturating_add(self.relays.ping_timeout));
        let tls = self.relays.trust.dialling().ok_or_else(|| DialError::Handshake(io::ErrorKind::InvalidInput.into()))?;
        let connector = TlsConnector::from(tls);
        let mut stream = connector.connect(self.relays.name.clone(), tcp).await.map_err(DialError::Handshake)?;
        say(&mut stream, Frame::new(Kind::Hello, 0)).await?;
        let every = ping_interval(read(&mut stream).await.map_err(DialError::Handshake)?)?;
        Ok((stream, Duration::from_millis(every.into())))
    }
}

/// Doubles up to a cap; any part of it at random, so that what failed together does not come back together.
fn pause(failures: u32) -> Duration {
    let full = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST_PAUSE);
    // Without random numbers the pause is the longest: slower, never wrong.
    let part = getrandom::u32().map_or(1.0, |n| f64::from(n) / f64::from(u32::MAX));
    full.mul_f64(part)
}

/// A relay that is gone without a word is noticed even when nothing is sent to it.
fn prepare(tcp: &TcpStream, dead_after: Duration) {
    let millis = u32::try_from(dead_after.as_millis()).unwrap_or(u32::MAX);
    let set = sockopt::set_tcp_nodelay(tcp, true)
        .and_then(|()| sockopt::set_socket_keepalive(tcp, true))
        .and_then(|()| sockopt::set_tcp_keepidle(tcp, dead_after.max(Duration::from_secs(1))))
        .and_then(|()| sockopt::set_tcp_user_timeout(tcp, millis));
    if let Err(error) = set {
        tracing::debug!(%error, "a socket's options could not be set");
    }
}

async fn say(stream: &mut TlsStream<TcpStream>, frame: Frame) -> io::Result<()> {
    stream.write_all(&frame.encode()).await?;
    stream.flush().await
}

async fn read(stream: &mut TlsStream<TcpStream>) -> io::Result<[u8; FRAME_LEN]> {
    let mut bytes = [0; FRAME_LEN];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_cap_and_any_part_of_them_is_taken() {
        for (failures, longest) in [(0, 100), (3, 800), (9, 30_000), (u32::MAX, 30_000)] {
            assert!((0..50).all(|_| pause(failures) <= Duration::from_millis(longest)), "{failures}");
        }
    }
}
