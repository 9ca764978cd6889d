//! What the writer, the housekeeper and the readers share.

use crate::publish::PublisherStatus;
use crate::wal::{FullSegment, Record, Segments};
use chancery_tlog::{Checkpoint, Hash, leaf_hash};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A checkpoint and the note that says so, with the cosignatures that it has so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// The signed note, byte for byte.
    pub note: String,
}

impl SignedCheckpoint {
    /// The same with one more signature line, unless it has that.
    pub(crate) fn with_line(&self, line: &str) -> Self {
        // Signature lines are not changed once they are there: a witness cosigns a checkpoint once, as far as we ask.
        let known = self.note.split_inclusive('\n').any(|other| other == line);
        let note = if known { self.note.clone() } else { format!("{}{line}", self.note) };
        Self { checkpoint: self.checkpoint.clone(), note }
    }
}

/// The entries of one batch, until they are published.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) first: u64,
    pub(crate) hashes: Vec<Hash>,
    /// `u16be length | entry` of each: the bytes of an entry bundle.
    pub(crate) framed: Vec<u8>,
}

impl Chunk {
    pub(crate) fn of(record: &Record<'_>) -> Self {
        Self { first: record.first, hashes: record.entries.map(leaf_hash).collect(), framed: record.entries.framed().to_vec() }
    }

    pub(crate) fn end(&self) -> u64 {
        self.first.saturating_add(u64::try_from(self.hashes.len()).unwrap_or(u64::MAX))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.framed.len().saturating_add(self.hashes.len().saturating_mul(32))
    }

    /// The entries and their leaf hashes.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&[u8], Hash)> {
        let mut at = crate::bytes::Bytes::new(&self.framed);
        self.hashes.iter().map_while(move |hash| Some((at.string16()?, *hash)))
    }
}

/// What was appended and is not published yet.
#[derive(Debug, Default)]
pub(crate) struct TailChunks {
    chunks: VecDeque<Arc<Chunk>>,
    bytes: usize,
}

impl TailChunks {
    pub(crate) fn push(&mut self, chunk: Chunk) {
        self.bytes = self.bytes.saturating_add(chunk.bytes());
        self.chunks.push_back(Arc::new(chunk));
    }

    /// Gives back the chunks that are published whole, to be dropped by the caller: after it has unlocked the state, for that takes time.
    #[must_use]
    pub(crate) fn published(&mut self, size: u64) -> VecDeque<Arc<Chunk>> {
        let kept = self.chunks.split_off(self.chunks.partition_point(|chunk| chunk.end() <= size));
        let gone = std::mem::replace(&mut self.chunks, kept);
        let bytes = gone.iter().fold(0_usize, |sum, chunk| sum.saturating_add(chunk.bytes()));
        self.bytes = self.bytes.saturating_sub(bytes);
        gone
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn chunks(&self) -> Vec<Arc<Chunk>> {
        self.chunks.iter().cloned().collect()
    }
}

/// Where records are in the segments, not all but often enough to find any one quickly.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Per segment: the first index and the offset of some records, ascending.
    segments: BTreeMap<u64, Vec<(u64, u64)>>,
}

/// How far apart remembered records are, in bytes.
const PLACE_EVERY: u64 = 64 << 10;
/// The places of so many segments are remembered (16 KiB each).
const PLACES_KEPT: usize = 256;

impl Places {
    /// Remembers a record, if the last remembered one is far enough away.
    pub(crate) fn note(&mut self, segment: u64, index: u64, offset: u64) {
        if !self.segments.contains_key(&segment) && self.segments.len() >= PLACES_KEPT {
            self.segments.clear();
        }
        let places = self.segments.entry(segment).or_default();
        if places.last().is_none_or(|(i, o)| index > *i && offset.saturating_sub(*o) >= PLACE_EVERY) {
            places.push((index, offset));
        }
    }

    /// The last remembered record of the segment that does not begin after the entry.
    pub(crate) fn before(&self, segment: u64, index: u64) -> Option<(u64, u64)> {
        let places = self.segments.get(&segment)?;
        places.get(places.partition_point(|(i, _)| *i <= index).checked_sub(1)?).copied()
    }
}

#[derive(Debug)]
pub(crate) struct State {
    /// The newest durable checkpoint.
    pub(crate) newest: Arc<SignedCheckpoint>,
    /// The checkpoint in `public/`; everything up to it is there too.
    pub(crate) published: Arc<SignedCheckpoint>,
    /// The newest checkpoint that a witness has cosigned, with all cosignatures of it.
    pub(crate) cosigned: Option<Arc<SignedCheckpoint>>,
    pub(crate) tail: TailChunks,
    pub(crate) segments: Segments,
    pub(crate) places: Places,
    /// Segments that wait for being cut and made read-only.
    pub(crate) to_seal: Vec<FullSegment>,
    /// The next segment should be made ready.
    pub(crate) wants_spare: bool,
    /// The housekeeper should not wait for the end of its interval.
    pub(crate) urgent: bool,
    /// The housekeeper found nothing to do and waits for an append.
    pub(crate) idle: bool,
    pub(crate) closing: bool,
    pub(crate) status: PublisherStatus,
}

/// The shared state with its two bells.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Rung when the housekeeper has something to do at once.
    pub(crate) work: Condvar,
    /// Rung when the housekeeper has published, or failed to.
    pub(crate) done: Condvar,
}

impl Shared {
    pub(crate) fn new(state: State) -> Self {
        Self { state: Mutex::new(state), work: Condvar::new(), done: Condvar::new() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // No step under the lock can leave the state half-changed, so a panic elsewhere does not make it wrong.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
