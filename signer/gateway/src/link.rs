//! The channel to the keeper: many calls in flight on one socket.

use chancery_channel::{Answer, FrameError, FromKeeper, MAX_FRAME, Ready, ToKeeper, encode, split};
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Notify, oneshot, watch};

/// Bytes that may wait for the keeper to read them before callers have to wait.
const OUTGOING_MAX: usize = 4 * 1024 * 1024;
const READ: usize = 256 * 1024;

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

/// Why the keeper did not greet.
#[derive(Debug, thiserror::Error)]
pub enum GreetingError {
    /// It ended first.
    #[error("the keeper ended before it was ready; its own message above says why")]
    Ended,
    /// It sent something else.
    #[error("the keeper did not greet as this gateway expects; both must be of one version")]
    Greeting,
    /// The socket failed.
    #[error("the channel to the keeper cannot be used")]
    Io(#[source] io::Error),
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
    health: watch::Sender<KeeperState>,
}

struct State {
    outgoing: Vec<u8>,
    waiting: HashMap<u64, Waiter>,
    gone: bool,
    hanging_up: bool,
}

/// What is done with an answer when it comes.
type Waiter = Box<dyn FnOnce(Answer) + Send>;

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
    answer: oneshot::Receiver<Answer>,
    link: Link,
    done: bool,
}

impl Link {
    /// Takes over a socket to a keeper and waits for its greeting.
    ///
    /// # Errors
    /// [`GreetingError`].
    pub async fn open(socket: UnixStream) -> Result<(Self, Ready), GreetingError> {
        let (mut reader, writer) = socket.into_split();
        let mut buffer = Incoming::new();
        let ready = loop {
            if buffer.fill(&mut reader).await.map_err(GreetingError::Io)? == 0 {
                return Err(GreetingError::Ended);
            }
            match split::<FromKeeper>(buffer.unread()) {
                Ok(Some((FromKeeper::Ready(ready), used))) => {
                    buffer.consume(used);
                    break ready;
                }
                Ok(None) => {}
                Ok(Some(_)) | Err(_) => return Err(GreetingError::Greeting),
            }
        };
        let state = ready.read_only.clone().map_or(KeeperState::Signing, KeeperState::ReadOnly);
        let shared = Arc::new(Shared {
            next: AtomicU64::new(1),
            state: Mutex::new(State { outgoing: Vec::new(), waiting: HashMap::new(), gone: false, hanging_up: false }),
            more: Notify::new(),
            room: Notify::new(),
            health: watch::Sender::new(state),
        });
        tokio::spawn(write(writer, Arc::clone(&shared)));
        tokio::spawn(read(reader, buffer, Arc::clone(&shared)));
        Ok((Self { shared }, ready))
    }

    /// Begins a call: `message` makes the message from the call's number.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn call<'a>(&self, message: impl FnOnce(u64) -> ToKeeper<'a>) -> Result<Call, LinkError> {
        let (answered, answer) = oneshot::channel();
        let id = self.call_into(message, move |answer| drop(answered.send(answer)))?;
        Ok(Call { id, answer, link: self.clone(), done: false })
    }

    /// Begins a call whose answer is handed to `take`. When the keeper goes away, `take` is dropped without a call.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn call_into<'a>(
        &self,
        message: impl FnOnce(u64) -> ToKeeper<'a>,
        take: impl FnOnce(Answer) + Send + 'static,
    ) -> Result<u64, LinkError> {
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
        self.put(&message(id), Some((id, Box::new(take))))?;
        Ok(id)
    }

    /// Sends all the content of a call at once.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn whole_content(&self, id: u64, bytes: &[u8]) -> Result<(), LinkError> {
        self.put(&ToKeeper::Chunk { id, last: true, bytes }, None)
    }

    /// Closes the writing end: the keeper answers what it has, records that it stops, and ends.
    pub fn hang_up(&self) {
        self.shared.lock().hanging_up = true;
        self.shared.more.notify_one();
    }

    /// What is known of the keeper, and its changes.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<KeeperState> {
        self.shared.health.subscribe()
    }

    fn put(&self, message: &ToKeeper<'_>, waiting: Option<(u64, Waiter)>) -> Result<(), LinkError> {
        let mut state = self.shared.lock();
        if state.gone {
            return Err(LinkError::Gone);
        }
        let was_empty = state.outgoing.is_empty();
        encode(message, &mut state.outgoing).map_err(LinkError::Frame)?;
        state.waiting.extend(waiting);
        drop(state);
        if was_empty {
            self.shared.more.notify_one();
        }
        Ok(())
    }

    async fn wait_for_room(&self) {
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
}

impl Call {
    /// Sends the next bytes of the call's content, and waits while too much is on its way.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn chunk(&self, bytes: &[u8], last: bool) -> Result<(), LinkError> {
        self.link.wait_for_room().await;
        self.link.put(&ToKeeper::Chunk { id: self.id, last, bytes }, None)
    }

    /// An answer that came before the content was all sent: a refusal.
    pub fn early(&mut self) -> Option<Answer> {
        let answer = self.answer.try_recv().ok();
        self.done |= answer.is_some();
        answer
    }

    /// Waits for the answer.
    ///
    /// # Errors
    /// [`LinkError::Gone`].
    pub async fn answer(mut self) -> Result<Answer, LinkError> {
        let answer = (&mut self.answer).await.map_err(|_| LinkError::Gone);
        self.done = true;
        answer
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.done {
            let id = self.id;
            self.link.shared.lock().waiting.remove(&id);
            drop(self.link.put(&ToKeeper::Cancel { id }, None));
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets all waiting calls know that no answer comes.
    fn close(&self) {
        let mut state = self.lock();
        state.gone = true;
        state.waiting.clear();
        drop(state);
        self.health.send_replace(KeeperState::Gone);
        self.more.notify_one();
        self.room.notify_waiters();
    }
}

async fn write(mut socket: OwnedWriteHalf, shared: Arc<Shared>) {
    let mut batch = Vec::new();
    loop {
        {
            let mut state = shared.lock();
            if state.gone {
                break;
            }
            std::mem::swap(&mut batch, &mut state.outgoing);
            if batch.is_empty() && state.hanging_up {
                break;
            }
        }
        if batch.is_empty() {
            shared.more.notified().await;
            continue;
        }
        if let Err(error) = socket.write_all(&batch).await {
            tracing::error!(%error, "the keeper does not take requests any more");
            break;
        }
        batch.clear();
        batch.shrink_to(OUTGOING_MAX);
        shared.room.notify_waiters();
    }
    // Dropping the writing end shuts the socket down for writing; the reading task closes the link when the keeper is gone.
}

async fn read(mut socket: OwnedReadHalf, mut buffer: Incoming, shared: Arc<Shared>) {
    loop {
        match take_all(&mut buffer, &shared) {
            Ok(()) => {}
            Err(error) => {
                tracing::error!(%error, "the keeper sent what is not a message of the channel");
                break;
            }
        }
        match buffer.fill(&mut socket).await {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, "the channel to the keeper broke");
                break;
            }
        }
    }
    shared.close();
}

fn take_all(buffer: &mut Incoming, shared: &Shared) -> Result<(), FrameError> {
    let mut answers = Vec::new();
    while let Some((message, used)) = split::<FromKeeper>(buffer.unread())? {
        buffer.consume(used);
        match message {
            FromKeeper::Answer { id, answer } => answers.push((id, answer)),
            FromKeeper::ReadOnly(why) => drop(shared.health.send_replace(KeeperState::ReadOnly(why))),
            FromKeeper::Ready(_) => {}
        }
    }
    let mut state = shared.lock();
    let waiting: Vec<_> = answers.into_iter().filter_map(|(id, answer)| Some((state.waiting.remove(&id)?, answer))).collect();
    drop(state);
    waiting.into_iter().for_each(|(take, answer)| take(answer));
    Ok(())
}

/// Bytes that came and were not taken yet.
struct Incoming {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Incoming {
    fn new() -> Self {
        Self { bytes: vec![0; READ], start: 0, end: 0 }
    }

    async fn fill(&mut self, socket: &mut OwnedReadHalf) -> io::Result<usize> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end.saturating_sub(self.start));
            if self.end == self.bytes.len() {
                self.bytes.resize(self.bytes.len().saturating_mul(2).min(MAX_FRAME.saturating_add(READ)), 0);
            }
        }
        let n = socket.read(self.bytes.get_mut(self.end..).unwrap_or_default()).await?;
        self.end = self.end.saturating_add(n);
        Ok(n)
    }

    fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    fn consume(&mut self, n: usize) {
        self.start = self.start.saturating_add(n).min(self.end);
    }
}
