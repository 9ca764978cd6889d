//! The writer's side of a log.

use crate::error::{AppendError, OpenError, PublishError, ReadError};
use crate::publish::{Housekeeper, PublisherStatus};
use crate::reader::{Reader, Recorded};
use crate::state::{Chunk, Shared, SignedCheckpoint};
use crate::wal::{FullSegment, RoomError, Sizes, Space, Writer, encode};
use chancery_tlog::{Batch, Checkpoint, Edge, NoteSigner, VerifierKey, encode_receipt, leaf_hash, sign_note};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

mod mend;
mod open;

use mend::{Doubt, Unsettled};
pub use open::Recovery;
pub(crate) use open::open_with;

/// How a log is kept.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// The log's directory. It is created if missing; `wal/` in it is private, `public/` is for everybody.
    pub dir: PathBuf,
    /// The log's name, which is also the name of its key: a URL without scheme, for example `signer.example/requests`.
    pub origin: String,
    /// A segment is sealed at this length, in bytes.
    pub segment_bytes: u64,
    /// Kept aside on the disk, in bytes, so that refusals can be recorded when it is full.
    pub reserve_bytes: u64,
    /// The static files are brought up to date at most once in this time.
    pub publish_interval: Duration,
    /// Unpublished entries beyond this, in bytes, are published without waiting for the interval.
    pub publish_early: usize,
    /// While unpublished entries take more than this, in bytes of memory, an append waits.
    pub tail_limit: usize,
    /// How many of the last entries [`Log::recent`] gives.
    pub remember_requests: u64,
    /// Signed checkpoints of this log that others hold (a witness, an auditor): the log is not opened if it contradicts them.
    pub seen: Vec<String>,
    /// Opens a log that came out of a backup ([`crate::restored`]): `seen` must hold what others saw of it.
    pub accept_restored: bool,
}

impl LogConfig {
    /// The usual configuration: segments of 64 MiB, a reserve of 8 MiB, publishing once a second.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, origin: impl Into<String>) -> Self {
        Self {
            dir: dir.into(),
            origin: origin.into(),
            segment_bytes: 64 << 20,
            reserve_bytes: 8 << 20,
            publish_interval: Duration::from_secs(1),
            publish_early: 8 << 20,
            tail_limit: 128 << 20,
            remember_requests: 65_536,
            seen: Vec::new(),
            accept_restored: false,
        }
    }
}

/// An event to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// The public leaf ([`crate::Leaf::to_bytes`]), at most 65,535 bytes.
    pub leaf: Vec<u8>,
    /// The private details ([`crate::Details::encode`]); may be empty.
    pub details: Vec<u8>,
}

/// An open log. There is one for a directory at a time.
pub struct Log {
    writer: Writer,
    edge: Edge,
    origin: String,
    signer: Box<dyn NoteSigner>,
    shared: Arc<Shared>,
    reader: Reader,
    housekeeper: Option<Housekeeper>,
    remember_requests: u64,
    publish_early: usize,
    tail_limit: usize,
    /// The record being written; kept to save its allocation.
    buffer: Vec<u8>,
    /// A step that failed, so that nothing may be recorded before it was done again.
    doubt: Option<Doubt>,
    /// Holds the lock of the directory until the log is dropped.
    _lock: File,
}

impl Log {
    /// Opens the log in a directory for writing, or begins one.
    ///
    /// Recovery only ever drops one thing: a last record whose write was cut off, which was never acknowledged. In doubt it refuses.
    /// It verifies the hash chain of the newest segment, the root and signature of the newest checkpoint, and that no published or
    /// otherwise `seen` checkpoint contradicts the log; [`crate::fsck`] verifies everything.
    ///
    /// # Errors
    /// [`OpenError`]: read what each variant says.
    pub fn open(config: LogConfig, signer: Box<dyn NoteSigner>, key: VerifierKey) -> Result<(Self, Recovery), OpenError> {
        open_with(Arc::new(crate::store::Disk), config, signer, key)
    }

    /// Opens the published files and the details for reading only: for serving reads when [`Log::open`] refuses, and beside a writer.
    ///
    /// # Errors
    /// [`OpenError`] if nothing is published, or the published checkpoint is not signed by this key.
    pub fn open_read_only(dir: &Path, key: &VerifierKey) -> Result<Reader, OpenError> {
        open::read_only(dir, key)
    }

    /// Records a batch: when this returns, all of it is on the disk under a signed checkpoint. One write and one fdatasync.
    ///
    /// It waits for nothing else, unless unpublished entries exceed the configured memory.
    ///
    /// # Errors
    /// [`AppendError`]; if [`AppendError::is_in_doubt`], nothing is recorded any more until [`Log::mend`] has succeeded, else nothing was
    /// recorded and the log is usable.
    pub fn append(&mut self, batch: &[NewEntry]) -> Result<Appended, AppendError> {
        self.append_in(batch, Space::Normal)
    }

    /// Like [`Log::append`], but may use the space kept for the case that the disk is full: for refusals and the like only.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn append_from_reserve(&mut self, batch: &[NewEntry]) -> Result<Appended, AppendError> {
        self.append_in(batch, Space::Reserve)
    }

    fn append_in(&mut self, batch: &[NewEntry], space: Space) -> Result<Appended, AppendError> {
        if self.doubt.is_some() {
            return Err(AppendError::InDoubt);
        }
        if batch.is_empty() {
            return Err(AppendError::Empty);
        }
        self.wait_for_memory()?;
        let leaves: Vec<_> = batch.iter().map(|entry| leaf_hash(&entry.leaf)).collect();
        let mut edge = self.edge.clone();
        let tree = Batch::append(&mut edge, &leaves);
        let checkpoint = Checkpoint { origin: self.origin.clone(), size: tree.size(), root: tree.root(), extensions: Vec::new() };
        let note = sign_note(&checkpoint.to_string(), &*self.signer);
        let sizes = Sizes::of(batch, &note).ok_or(AppendError::TooLarge)?;
        self.make_room(sizes.record(), space)?;
        let (hash, framed) = encode(&mut self.buffer, sizes, batch, &note, self.writer.chain());
        let chunk = Chunk { first: tree.first(), hashes: leaves, framed: framed.to_vec() };
        let newest = Arc::new(SignedCheckpoint { checkpoint, note });
        self.write(Unsettled { length: sizes.record(), hash, edge, chunk, newest: Arc::clone(&newest) })?;
        Ok(Appended { tree, newest })
    }

    /// Writes the record that lies in the buffer, makes it durable, and counts it in.
    fn write(&mut self, record: Unsettled) -> Result<(), AppendError> {
        if let Err(source) = self.writer.write(&self.buffer) {
            // Space in a segment is allocated, so this is rare (a quota, a copy-on-write file system). If the place can be made zeros
            // again, the batch was simply not recorded.
            if crate::durable::is_full(&source) && self.writer.erase(record.length).is_ok() {
                return Err(AppendError::Full);
            }
            return Err(self.doubt(Doubt::Record(record), "write a record", source));
        }
        self.settle(record)
    }

    /// Makes a written record durable, and counts it in.
    fn settle(&mut self, record: Unsettled) -> Result<(), AppendError> {
        let offset = self.writer.offset();
        if let Err(source) = self.writer.commit(record.length, record.hash) {
            return Err(self.doubt(Doubt::Record(record), "sync a record", source));
        }
        self.edge = record.edge;
        self.announce(record.newest, record.chunk, offset);
        Ok(())
    }

    fn make_room(&mut self, length: u64, space: Space) -> Result<(), AppendError> {
        let made = self.writer.make_room(length, &self.edge, space);
        self.entered(made)
    }

    /// Takes note of a segment that is full, if the writer went over to the next one.
    fn entered(&mut self, made: Result<Option<FullSegment>, RoomError>) -> Result<(), AppendError> {
        match made {
            Ok(None) => Ok(()),
            Ok(Some(full)) => {
                let mut state = self.shared.lock();
                state.segments.insert(self.writer.first());
                state.to_seal.push(full);
                state.wants_spare = false;
                Ok(())
            }
            Err(RoomError::Full) => Err(AppendError::Full),
            Err(RoomError::Io { step, source }) => Err(self.doubt(Doubt::Segment, step, source)),
        }
    }

    fn doubt(&mut self, doubt: Doubt, step: &'static str, source: io::Error) -> AppendError {
        self.doubt = Some(doubt);
        AppendError::Io { step, source }
    }

    /// Lets readers and the housekeeper see a durable batch.
    fn announce(&self, newest: Arc<SignedCheckpoint>, chunk: Chunk, offset: u64) {
        let mut state = self.shared.lock();
        state.places.note(self.writer.first(), chunk.first, offset);
        state.tail.push(chunk);
        state.newest = newest;
        let early = state.tail.bytes() > self.publish_early;
        let spare = self.writer.wants_spare() && !state.wants_spare;
        state.wants_spare |= spare;
        state.urgent |= early;
        let ring = state.idle || early;
        drop(state);
        if ring {
            self.shared.work.notify_one();
        }
    }

    fn wait_for_memory(&self) -> Result<(), AppendError> {
        let mut state = self.shared.lock();
        while state.tail.bytes() > self.tail_limit {
            let reason = state.status.failure.as_ref().map(ToString::to_string);
            let ended = self.housekeeper.as_ref().is_none_or(Housekeeper::has_ended);
            if let Some(reason) = reason.or_else(|| ended.then(|| PublishError::Ended.to_string())) {
                return Err(AppendError::Behind { reason });
            }
            // The time-out only serves to notice a thread that has ended.
            let waited = self.shared.done.wait_timeout(state, Duration::from_secs(1));
            state = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
        Ok(())
    }

    /// A reader of this log; it sees every batch as soon as `append` has returned.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// The newest durable checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> Arc<SignedCheckpoint> {
        self.reader.checkpoint()
    }

    /// The last `remember_requests` entries with their details, oldest first, read from the segments.
    ///
    /// # Errors
    /// [`ReadError`] here or from the iterator, which then ends.
    pub fn recent(&self) -> Result<impl Iterator<Item = Result<Recorded, ReadError>> + use<>, ReadError> {
        let size = self.edge.size();
        self.reader.recorded(size.saturating_sub(self.remember_requests)..size)
    }

    /// How publishing goes.
    #[must_use]
    pub fn publisher_status(&self) -> PublisherStatus {
        self.shared.lock().status.clone()
    }

    /// Waits until everything appended so far is published.
    ///
    /// # Errors
    /// [`PublishError`] of the next try that fails.
    pub fn publish_now(&self) -> Result<(), Arc<PublishError>> {
        let wanted = self.edge.size();
        let mut state = self.shared.lock();
        let tries = state.status.tries;
        while state.published.checkpoint.size < wanted || state.published.note != state.newest.note {
            if let Some(failure) = state.status.failure.as_ref().filter(|_| state.status.tries > tries) {
                return Err(Arc::clone(failure));
            }
            if self.housekeeper.as_ref().is_none_or(Housekeeper::has_ended) {
                return Err(Arc::new(PublishError::Ended));
            }
            state.urgent = true;
            self.shared.work.notify_one();
            let waited = self.shared.done.wait_timeout(state, Duration::from_secs(1));
            state = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
        Ok(())
    }

    /// Publishes everything and closes the log. What could not be published is published after the next start.
    ///
    /// # Errors
    /// [`PublishError`]: the log is closed and complete, but `public/` is not up to date.
    pub fn close(self) -> Result<(), Arc<PublishError>> {
        self.publish_now()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.work.notify_one();
        if let Some(housekeeper) = self.housekeeper.take() {
            housekeeper.join();
        }
    }
}

/// A batch that is durable under a signed checkpoint.
#[derive(Clone, Debug)]
pub struct Appended {
    tree: Batch,
    newest: Arc<SignedCheckpoint>,
}

impl Appended {
    /// The index of the batch's first entry.
    #[must_use]
    pub fn first_index(&self) -> u64 {
        self.tree.first()
    }

    /// How many entries the log has with this batch.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The checkpoint over all entries up to this batch.
    #[must_use]
    pub fn checkpoint(&self) -> &Arc<SignedCheckpoint> {
        &self.newest
    }

    /// The receipt (C2SP tlog-proof, with the leaf as `extra`) of one entry of the batch, by its place in the batch; `leaf` must be the
    /// bytes that were appended there. `None` if the batch has no such place.
    #[must_use]
    pub fn receipt(&self, place: usize, leaf: &[u8]) -> Option<Vec<u8>> {
        let index = self.tree.first().checked_add(u64::try_from(place).ok()?)?;
        let proof = self.tree.inclusion_proof(index)?;
        Some(encode_receipt(leaf, index, &proof, &self.newest.note))
    }
}

#[cfg(test)]
mod tests;
