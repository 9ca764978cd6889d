//! The channel to the keeper: many calls in flight on one socket.

mod greeting;
mod pumps;
#[cfg(test)]
mod tests;

pub use greeting::{Greeted, Greeting, GreetingError};

use chancery_channel::{Answer, FrameError, KeyDescription, Ready, ToKeeper, encode};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::{Notify, oneshot, watch};

/// Bytes that may wait for the keeper to read them before callers have to wait.
const OUTGOING_MAX: usize = 4 * 1024 * 1024;

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The keeper is gone; the gateway ends, and whoever supervises it starts both again.
    #[error("the keeper is gone; send the same request again once the key host is back")]
    Gone,
    /// The message does not fit into a frame.
    #[error("the request is too large for the channel to the keeper")]
    Frame(#[source] FrameError),
}

/// Calls the keeper.
#[derive(Clone)]
pub struct Link {
    shared: Arc<Shared>,
}

struct Shared {
    next: AtomicU64,
    state: Mutex<State>,
    /// Something was put into `State::outgoing`.
    more: Notify,
    /// Room was made in `State::outgoing`.
    room: Notify,
    keeper: watch::Sender<KeeperState>,
    /// All keys, as the keeper described them last.
    keys: watch::Sender<Vec<KeyDescription>>,
    /// How often the keeper wanted the witnesses asked.
    witness_wanted: watch::Sender<u64>,
}

struct State {
    /// The writing end, while nobody writes.
    socket: Option<OwnedWriteHalf>,
    /// What comes after everything that was written.
    outgoing: Vec<u8>,
    waiting: HashMap<u64, Waiter>,
    gone: bool,
    hanging_up: bool,
}

/// What is done with an answer when it comes, or with the news that none will.
type Waiter = Box<dyn FnOnce(Result<Answer, LinkError>) + Send>;

/// What the gateway knows of the keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeeperState {
    /// It signs.
    Signing,
    /// It serves reads only; the text says why.
    ReadOnly(String),
    /// It is gone.
    Gone,
}

/// One call whose answer is awaited. Dropping it tells the keeper that nobody waits any more.
pub struct Call {
    id: u64,
    answer: oneshot::Receiver<Result<Answer, LinkError>>,
    link: Link,
    done: bool,
}

impl Link {
    /// Takes over a socket to a keeper that has its passphrase, and waits until it is ready.
    ///
    /// # Errors
    /// [`GreetingError`].
    pub async fn open(socket: UnixStream) -> Result<(Self, Ready), GreetingError> {
        match Greeting::new(socket).next().await? {
            Greeted::Ready(link, ready) => Ok((link, ready)),
            Greeted::Locked(_) => Err(GreetingError::Greeting),
        }
    }

    /// Begins a call: `message` makes the message from the call's number.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn call<'a>(&self, message: impl FnOnce(u64) -> ToKeeper<'a>) -> Result<Call, LinkError> {
        let (answered, answer) = oneshot::channel();
        let id = self.begin(message, None, move |answer| drop(answered.send(answer)))?;
        Ok(Call { id, answer, link: self.clone(), done: false })
    }

    /// Begins a call whose answer is handed to `take`, and sends all of its content with it, where it has some. `take` is called exactly
    /// once, also when the keeper goes away; not at all when this function fails.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn begin<'a>(
        &self,
        message: impl FnOnce(u64) -> ToKeeper<'a>,
        content: Option<&[u8]>,
        take: impl FnOnce(Result<Answer, LinkError>) + Send + 'static,
    ) -> Result<u64, LinkError> {
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let chunk = content.map(|bytes| ToKeeper::Chunk { id, last: true, bytes });
        self.put(&message(id), chunk.as_ref(), Some((id, Box::new(take))))?;
        Ok(id)
    }

    /// Waits while more is on its way to the keeper than it can read at once.
    pub async fn room(&self) {
        loop {
            let room = self.shared.room.notified();
            {
                let state = self.shared.lock();
                if state.gone || state.outgoing.len() < OUTGOING_MAX {
                    return;
                }
            }
            room.await;
        }
    }

    /// Closes the writing end: the keeper answers what it has, records that it stops, and ends.
    pub fn hang_up(&self) {
        self.shared.lock().hanging_up = true;
        self.shared.more.notify_one();
    }

    /// What is known of the keeper, and its changes.
    #[must_use]
    pub fn keeper(&self) -> watch::Receiver<KeeperState> {
        self.shared.keeper.subscribe()
    }

    /// All keys, and their changes.
    #[must_use]
    pub fn keys(&self) -> watch::Receiver<Vec<KeyDescription>> {
        self.shared.keys.subscribe()
    }

    /// Changes when requests wait for a cosignature.
    #[must_use]
    pub fn witness_wanted(&self) -> watch::Receiver<u64> {
        self.shared.witness_wanted.subscribe()
    }

    fn put(&self, message: &ToKeeper<'_>, chunk: Option<&ToKeeper<'_>>, waiting: Option<(u64, Waiter)>) -> Result<(), LinkError> {
        let mut state = self.shared.lock();
        if state.gone {
            return Err(LinkError::Gone);
        }
        let before = state.outgoing.len();
        encode(message, &mut state.outgoing).map_err(LinkError::Frame)?;
        if let Some(Err(error)) = chunk.map(|chunk| encode(chunk, &mut state.outgoing)) {
            state.outgoing.truncate(before);
            return Err(LinkError::Frame(error));
        }
        state.waiting.extend(waiting);
        if before == 0 {
            state.write_if_alone();
            if !state.outgoing.is_empty() {
                self.shared.more.notify_one();
            }
        }
        Ok(())
    }
}

impl Call {
    /// Sends the next bytes of the call's content, and waits while too much is on its way.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn chunk(&self, bytes: &[u8], last: bool) -> Result<(), LinkError> {
        self.link.room().await;
        self.link.put(&ToKeeper::Chunk { id: self.id, last, bytes }, None, None)
    }

    /// Waits for the answer. Not to be called again after it has come.
    ///
    /// # Errors
    /// [`LinkError::Gone`].
    pub async fn answer(&mut self) -> Result<Answer, LinkError> {
        let answer = (&mut self.answer).await.unwrap_or(Err(LinkError::Gone));
        self.done = true;
        answer
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.done {
            let id = self.id;
            self.link.shared.lock().waiting.remove(&id);
            drop(self.link.put(&ToKeeper::Cancel { id }, None, None));
        }
    }
}

impl State {
    /// Writes at once what the socket takes, when it lies idle and this is the only call: waking the writing task would cost it more than
    /// the write. Among many calls the task is cheaper, for it takes what all of them put with one write.
    fn write_if_alone(&mut self) {
        let Some(socket) = self.socket.as_ref().filter(|_| self.waiting.len() <= 1) else { return };
        // The task takes over what is left; it meets a failure again, and reports it.
        let written = socket.try_write(&self.outgoing).unwrap_or(0);
        self.outgoing.drain(..written.min(self.outgoing.len()));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets all waiting calls know that no answer comes.
    fn close(&self) {
        let mut state = self.lock();
        state.gone = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_values().for_each(|take| take(Err(LinkError::Gone)));
        self.keeper.send_replace(KeeperState::Gone);
        self.more.notify_one();
        self.room.notify_waiters();
    }
}
