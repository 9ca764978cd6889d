//! Reads of keys and log. They may wait for a disk, so they have a thread of their own and never hold up a signature.

use super::finish::Finisher;
use super::meter::Meter;
use super::outbox::{Outbox, unrecorded};
use super::reload::Reload;
use super::witness::Relay;
use crate::key::OpenKeys;
use chancery_channel::{Answer, Body, Checkpoint, ConsistencyProof, Entries, KeyState, Leaf, Refusal, RefusalKind, Stats, ToKeeper};
use chancery_reqlog::{ReadError, Reader, WitnessAnswer};
use chancery_tlog::TilePath;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// Reads that may wait; more are refused as busy.
const QUEUE: usize = 1024;
/// Entries of one answer, at most; and their bytes, so that the answer fits into a frame.
const ENTRIES_MAX: u32 = 1024;

enum Read {
    Keys,
    Settings,
    Checkpoint,
    Consistency { old: u64, new: u64 },
    Tile { path: String },
    Entries { start: u64, count: u32 },
    Stats,
    Reload,
    WitnessRequest { witness: String },
    WitnessAnswer { witness: String, status: u16, content_type: String, body: Vec<u8> },
}

/// Asks for reads.
pub(crate) struct Reads {
    queue: Arc<Queue>,
    outbox: Arc<Outbox>,
}

/// Reads that wait. What the gateway asks for itself, so that a certificate can be taken back, goes before whatever clients ask for.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    more: Condvar,
}

#[derive(Default)]
struct Waiting {
    gateways: VecDeque<(u64, Read)>,
    clients: VecDeque<(u64, Read)>,
    closed: bool,
}

impl Queue {
    /// Whether there is room for it.
    fn put(&self, id: u64, read: Read) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = match read {
            Read::Settings | Read::Stats | Read::Reload => &mut waiting.gateways,
            _ => &mut waiting.clients,
        };
        let has_room = queue.len() < QUEUE;
        if has_room {
            queue.push_back((id, read));
            self.more.notify_one();
        }
        has_room
    }

    /// The next one; `None` when nobody asks any more.
    fn take(&self) -> Option<(u64, Read)> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = |waiting: &mut Waiting| waiting.gateways.is_empty() && waiting.clients.is_empty() && !waiting.closed;
        let mut waiting = self.more.wait_while(waiting, nothing).unwrap_or_else(PoisonError::into_inner);
        waiting.gateways.pop_front().or_else(|| waiting.clients.pop_front())
    }
}

impl Drop for Reads {
    fn drop(&mut self) {
        self.queue.waiting.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.queue.more.notify_all();
    }
}

impl Reads {
    /// Starts the thread; it ends when the `Reads` is dropped.
    pub(crate) fn start(mut desk: Desk) -> std::io::Result<(Self, JoinHandle<()>)> {
        let queue = Arc::<Queue>::default();
        let work = Arc::clone(&queue);
        let outbox = Arc::clone(&desk.outbox);
        let thread = thread::Builder::new().name("reads".to_owned()).spawn(move || desk.run(&work))?;
        Ok((Self { queue, outbox }, thread))
    }

    /// Queues a read; messages that are no reads are not for this room and are ignored.
    pub(crate) fn ask(&self, message: ToKeeper<'_>) {
        let (id, read) = match message {
            ToKeeper::Keys { id } => (id, Read::Keys),
            ToKeeper::Settings { id } => (id, Read::Settings),
            ToKeeper::Checkpoint { id } => (id, Read::Checkpoint),
            ToKeeper::Consistency { id, old, new } => (id, Read::Consistency { old, new }),
            ToKeeper::Tile { id, path } => (id, Read::Tile { path }),
            ToKeeper::Entries { id, start, count } => (id, Read::Entries { start, count }),
            ToKeeper::Stats { id } => (id, Read::Stats),
            ToKeeper::Reload { id } => (id, Read::Reload),
            ToKeeper::WitnessRequest { id, witness } => (id, Read::WitnessRequest { witness }),
            ToKeeper::WitnessAnswer { id, witness, status, content_type, body } => {
                (id, Read::WitnessAnswer { witness, status, content_type, body: body.to_vec() })
            }
            ToKeeper::Sign { .. } | ToKeeper::Chunk { .. } | ToKeeper::Cancel { .. } => return,
        };
        if !self.queue.put(id, read) {
            let refusal = unrecorded(RefusalKind::Busy, "reads-busy", "too many reads of the log at once; try again".into());
            self.outbox.answer(id, Answer::Refused(refusal));
        }
    }
}

/// What answers reads, and has what they need.
pub(crate) struct Desk {
    pub(crate) reader: Reader,
    pub(crate) keys: Arc<OpenKeys>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) witnesses: Option<Relay>,
    pub(crate) finisher: Finisher,
    pub(crate) reload: Reload,
    pub(crate) meter: Arc<Meter>,
}

impl Desk {
    fn run(&mut self, work: &Queue) {
        while let Some((id, read)) = work.take() {
            let answer = self.read(read).unwrap_or_else(Answer::Refused);
            self.outbox.answer(id, answer);
        }
    }

    fn read(&mut self, read: Read) -> Result<Answer, Refusal> {
        Ok(match read {
            Read::Keys => Answer::Keys(self.keys.descriptions()),
            Read::Settings => Answer::Settings(self.reload.settings.text()?),
            Read::Checkpoint => Answer::Checkpoint(Checkpoint { note: self.reader.checkpoint().note.clone() }),
            Read::Consistency { old, new } => self.consistency(old, new)?,
            Read::Tile { path } => {
                let path: TilePath = path.parse().map_err(|_| not_found("this is not the path of a tile or entry bundle"))?;
                Answer::Tile(self.reader.tile(path).map_err(|e| refused(&e))?)
            }
            Read::Entries { start, count } => {
                let leaves = self.reader.entries(start, u64::from(count.min(ENTRIES_MAX))).map_err(|e| refused(&e))?;
                Answer::Entries(Entries { start, leaves: leaves.into_iter().map(Leaf).collect() })
            }
            Read::Stats => Answer::Stats(Box::new(self.stats())),
            Read::Reload => self.reload.run()?,
            Read::WitnessRequest { witness } => Answer::WitnessRequest(self.relay()?.request(&witness)?.map(Body)),
            Read::WitnessAnswer { witness, status, content_type, body } => {
                let answer = WitnessAnswer { status, content_type: &content_type, body: &body };
                let again = self.relay()?.answer(&witness, answer);
                self.finisher.finish_cosigned();
                Answer::WitnessJudged { again }
            }
        })
    }

    fn stats(&self) -> Stats {
        let open = self.keys.descriptions().iter().filter(|k| k.state == KeyState::Open).count();
        Stats {
            entries: self.reader.checkpoint().checkpoint.size,
            published: self.reader.published().checkpoint.size,
            queue: self.reload.line.upgrade().map_or(0, |line| u64::try_from(line.len()).unwrap_or(u64::MAX)),
            open_keys: u64::try_from(open).unwrap_or(u64::MAX),
            policy: self.reload.judge.policy().digest(),
            decide: self.meter.decide.tally(),
            record: self.meter.record.tally(),
            batch: self.meter.batch.tally(),
            sign: self.meter.sign.tally(),
            witnesses: self.witnesses.as_ref().map(Relay::stats).unwrap_or_default(),
        }
    }

    fn relay(&mut self) -> Result<&mut Relay, Refusal> {
        self.witnesses.as_mut().ok_or_else(|| not_found("the log is not cosigned"))
    }

    fn consistency(&self, old: u64, new: u64) -> Result<Answer, Refusal> {
        let newest = self.reader.checkpoint();
        let (new, checkpoint) = if new == 0 { (newest.checkpoint.size, newest.note.clone()) } else { (new, String::new()) };
        let hashes = self.reader.consistency(old, new).map_err(|e| refused(&e))?;
        Ok(Answer::Consistency(ConsistencyProof { hashes: hashes.into_iter().map(|h| h.0).collect(), checkpoint }))
    }
}

fn not_found(message: &str) -> Refusal {
    unrecorded(RefusalKind::NotFound, "not-found", message.to_owned())
}

fn refused(error: &ReadError) -> Refusal {
    unrecorded(RefusalKind::NotFound, "not-readable", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_clients_ask_for_the_gateway_is_heard_first() {
        let queue = Queue::default();
        assert!((0..1024).all(|id| queue.put(id, Read::Checkpoint)));
        assert!(!queue.put(1024, Read::Checkpoint), "clients wait in a queue of bounded length");
        assert!(queue.put(1025, Read::Settings) && queue.put(1026, Read::Reload));
        let taken: Vec<u64> = (0..3).map(|_| queue.take().unwrap().0).collect();
        assert_eq!(taken, [1025, 1026, 0]);
    }
}
