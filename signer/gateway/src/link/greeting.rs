//! The first messages of a keeper, before there is a link to it.

use super::{KeeperState, Link, Shared, State, pumps};
use chancery_channel::{FromKeeper, ReadBuffer, Ready, split};
use std::collections::HashMap;
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Notify, watch};

/// Why the keeper did not greet.
#[derive(Debug, thiserror::Error)]
pub enum GreetingError {
    /// It ended before it was ready.
    #[error("its own message above says why")]
    Ended,
    /// It sent something else.
    #[error("the keeper did not greet as this gateway expects; both must be of one version")]
    Greeting,
    /// The socket failed.
    #[error("the channel to the keeper cannot be used")]
    Io(#[source] io::Error),
}

/// A socket to a keeper that is not ready yet.
pub struct Greeting {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    incoming: ReadBuffer,
}

/// What a keeper says first.
pub enum Greeted {
    /// It is open for requests.
    Ready(Link, Ready),
    /// It waits for its passphrase, and says `Ready` once it has it.
    Locked(Greeting),
}

impl Greeting {
    /// Takes over a socket to a keeper.
    #[must_use]
    pub fn new(socket: UnixStream) -> Self {
        let (reader, writer) = socket.into_split();
        Self { reader, writer, incoming: ReadBuffer::default() }
    }

    /// Waits for the next thing that the keeper says. To be asked once more after [`Greeted::Locked`].
    ///
    /// # Errors
    /// [`GreetingError`].
    pub async fn next(mut self) -> Result<Greeted, GreetingError> {
        loop {
            match split::<FromKeeper>(self.incoming.unread()) {
                Ok(Some((FromKeeper::Ready(ready), used))) => {
                    self.incoming.consume(used);
                    return Ok(Greeted::Ready(self.link(&ready), ready));
                }
                Ok(Some((FromKeeper::Locked, used))) => {
                    self.incoming.consume(used);
                    return Ok(Greeted::Locked(self));
                }
                Ok(None) => {}
                Ok(Some(_)) | Err(_) => return Err(GreetingError::Greeting),
            }
            if pumps::fill(&mut self.incoming, &mut self.reader).await.map_err(GreetingError::Io)? == 0 {
                return Err(GreetingError::Ended);
            }
        }
    }

    fn link(self, ready: &Ready) -> Link {
        let state = ready.read_only.clone().map_or(KeeperState::Signing, KeeperState::ReadOnly);
        let shared = Arc::new(Shared {
            next: AtomicU64::new(1),
            state: Mutex::new(State {
                socket: Some(self.writer),
                outgoing: Vec::new(),
                waiting: HashMap::new(),
                gone: false,
                hanging_up: false,
            }),
            more: Notify::new(),
            room: Notify::new(),
            keeper: watch::Sender::new(state),
            keys: watch::Sender::new(ready.keys.clone()),
            witness_wanted: watch::Sender::new(0),
        });
        tokio::spawn(pumps::write(Arc::clone(&shared)));
        tokio::spawn(pumps::read(self.reader, self.incoming, Arc::clone(&shared)));
        Link { shared }
    }
}
