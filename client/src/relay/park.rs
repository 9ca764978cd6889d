//! The parked side: who may park, and whether they are still there.

use super::pool::Place;
use super::tls::{Door, DoorError};
use super::{BACKOFF, HANDSHAKES, House, Outer, prepare};
use chancery_dial::{FRAME_LEN, Frame, FrameError, Kind};
use chancery_journal::Quiet;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::{Instant, interval_at, timeout};

/// Why a parked connection is closed.
#[derive(Debug, thiserror::Error)]
enum ParkError {
    #[error(transparent)]
    Door(#[from] DoorError),
    #[error("no handshake in time")]
    Slow,
    #[error("no answer in time; the key host or the network between is gone")]
    Silent,
    #[error("the connection broke; the key host parks a new one")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("this key host has parked as many as it may; lower dial_pool in its signer.toml, or raise --parked")]
    Full,
    #[error("it talks without being asked")]
    Talks,
    #[error("the authority was replaced; the key host parks a new one if it is of the new authority")]
    Replaced,
}

impl ParkError {
    /// The same in a word, for numbers.
    fn why(&self) -> &'static str {
        match self {
            Self::Door(error) => error.why(),
            Self::Slow => "handshake-timeout",
            Self::Silent => "no-answer",
            Self::Io(_) => "broken",
            Self::Frame(_) => "wrong-frame",
            Self::Full => "too-many-parked",
            Self::Talks => "unasked",
            Self::Replaced => "authority-replaced",
        }
    }
}

/// Takes key hosts in until told to stop.
pub(super) async fn take(listener: TcpListener, door: Door, house: Arc<House>, mut stopped: watch::Receiver<bool>) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            accepted = accept(&listener, &handshakes, &house) => accepted,
        };
        let Some((tcp, turn)) = accepted else { continue };
        let (door, house, mut stopped) = (door.clone(), Arc::clone(&house), stopped.clone());
        tokio::spawn(async move {
            let from = tcp.peer_addr().map_or_else(|_| "unknown".to_owned(), |a| a.to_string());
            let welcome = async {
                let welcomed = timeout(house.handshake_timeout, greet(tcp, &door, &house)).await;
                drop(turn);
                match welcomed.unwrap_or(Err(ParkError::Slow)) {
                    Err(error) => {
                        house.metrics.refused(error.why());
                        report(&error, &from, &house.quiet);
                    }
                    Ok((stream, place)) => {
                        tracing::debug!(%from, key_host = &*place.key_host, "a key host parked a connection");
                        if let Err(error) = keep(stream, place, &house).await {
                            house.metrics.lost(error.why());
                            report(&error, &from, &house.quiet);
                        }
                    }
                }
            };
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => {}
                () = welcome => {}
            }
        });
    }
}

fn report(error: &ParkError, from: &str, quiet: &Quiet) {
    if quiet.says(error.why(), from, Instant::now().into_std()) {
        let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        tracing::warn!(from, %error, cause, reason = error.why(), "a connection of the parked side was closed");
    }
}

async fn accept(
    listener: &TcpListener,
    handshakes: &Arc<Semaphore>,
    house: &House,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let turn = Arc::clone(handshakes).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((tcp, _)) => Some((tcp, turn)),
        Err(error) => {
            house.cannot_accept(&error);
            // The system says nothing when it has file descriptors again.
            drop(timeout(BACKOFF, std::future::pending::<()>()).await);
            None
        }
    }
}

async fn greet(tcp: TcpStream, door: &Door, house: &House) -> Result<(Outer, Place), ParkError> {
    prepare(&tcp);
    let (mut stream, guest) = door.open(tcp).await?;
    Frame::expect(read(&mut stream).await?, Frame::new(Kind::Hello, 0))?;
    let every = u32::try_from(house.ping_interval.as_millis()).unwrap_or(u32::MAX);
    say(&mut stream, Frame::new(Kind::Hello, every)).await?;
    let place = house.pool.park(&guest).ok_or(ParkError::Full)?;
    // A replacement meanwhile let go of those that were parked before.
    if !door.believes(&guest) {
        return Err(ParkError::Replaced);
    }
    house.metrics.heard(&place.key_host);
    Ok((stream, place))
}

/// Asks from time to time whether the key host is there, until a client wants the connection.
async fn keep(mut stream: Outer, mut place: Place, house: &House) -> Result<(), ParkError> {
    let first = Instant::now().checked_add(house.ping_interval).unwrap_or_else(Instant::now);
    let mut turns = interval_at(first, house.ping_interval);
    let mut number: u32 = 0;
    loop {
        number = number.wrapping_add(1);
        let mut unasked = [0];
        tokio::select! {
            asked = &mut place.asked => {
                let Ok(to) = asked else { return Err(ParkError::Replaced) };
                return hand_out(stream, to, number, &place.key_host, house).await;
            }
            _ = turns.tick() => {
                ask(&mut stream, Frame::new(Kind::Ping, number), Frame::new(Kind::Pong, number), house.answer_timeout).await?;
                house.metrics.heard(&place.key_host);
            }
            read = stream.read(&mut unasked) => return match read? {
                0 => Err(ParkError::Io(io::ErrorKind::UnexpectedEof.into())),
                _ => Err(ParkError::Talks),
            },
        }
    }
}

/// A connection that looks open may be dead: only what answers now is handed out.
async fn hand_out(mut stream: Outer, to: oneshot::Sender<Outer>, number: u32, key_host: &Arc<str>, house: &House) -> Result<(), ParkError> {
    ask(&mut stream, Frame::new(Kind::Open, number), Frame::new(Kind::Ready, number), house.answer_timeout).await?;
    house.metrics.heard(key_host);
    // The client may have gone meanwhile; then the stream closes, and the key host parks another.
    if to.send(stream).is_ok() {
        house.metrics.handed_out(key_host);
    }
    Ok(())
}

async fn ask(stream: &mut Outer, question: Frame, answer: Frame, patience: Duration) -> Result<(), ParkError> {
    let answered = timeout(patience, async {
        say(stream, question).await?;
        read(stream).await
    });
    Ok(Frame::expect(answered.await.map_err(|_| ParkError::Silent)??, answer)?)
}

async fn say(stream: &mut Outer, frame: Frame) -> io::Result<()> {
    stream.write_all(&frame.encode()).await?;
    stream.flush().await
}

async fn read(stream: &mut Outer) -> io::Result<[u8; FRAME_LEN]> {
    let mut bytes = [0; FRAME_LEN];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}
