//! Appending records to the newest segment, and going over to the next one.

use super::header::Header;
use super::record::RecordHash;
use super::segment::segment_path;
use crate::durable;
use crate::store::{Store, remove_if_exists};
use chancery_tlog::Edge;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The next segment, allocated ahead by the housekeeper. Not yet named as a segment, so a crash leaves nothing to explain.
const SPARE: &str = "spare";
/// What is left when the disk is full: enough to record refusals.
const RESERVE: &str = "reserve";
/// A segment that had to be allocated on the way of a request.
const HASTY: &str = "spare-now";

/// Which space a batch may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    /// Only what leaves the reserve untouched.
    Normal,
    /// The reserve too.
    Reserve,
}

/// There is no place for a record.
#[derive(Debug)]
pub(crate) enum RoomError {
    /// The disk is full. Nothing changed.
    Full,
    /// The change to a new segment went wrong half-way.
    Io { step: &'static str, source: io::Error },
}

/// What a writer needs to know about its log.
#[derive(Debug)]
pub(crate) struct WriterConfig {
    pub(crate) store: Arc<dyn Store>,
    /// The directory of the segments.
    pub(crate) wal: PathBuf,
    pub(crate) origin: String,
    pub(crate) segment_bytes: u64,
}

/// The newest segment, open for writing.
#[derive(Debug)]
pub(crate) struct Writer {
    config: WriterConfig,
    file: File,
    /// The index of the segment's first entry.
    first: u64,
    /// Where the next record goes.
    offset: u64,
    /// The allocated length of the file.
    capacity: u64,
    /// The hash of the last record.
    chain: RecordHash,
    /// This segment was the reserve: it is kept for refusals.
    is_reserve: bool,
}

/// A segment that is full.
#[derive(Clone, Debug)]
pub(crate) struct FullSegment {
    pub(crate) path: PathBuf,
    pub(crate) length: u64,
}

impl Writer {
    /// Goes on in an existing segment after its last record.
    pub(crate) fn resume(config: WriterConfig, first: u64, offset: u64, chain: RecordHash) -> io::Result<Self> {
        let file = File::options().write(true).open(segment_path(&config.wal, first))?;
        let length = file.metadata()?.len();
        let capacity = if length < config.segment_bytes && durable::allocate(&file, config.segment_bytes).is_ok() {
            config.store.sync_data(&file)?;
            config.segment_bytes
        } else {
            length
        };
        // A segment that is too short and cannot grow is what is left of the reserve on a full disk.
        let is_reserve = capacity < config.segment_bytes;
        Ok(Self { config, file, first, offset, capacity, chain, is_reserve })
    }

    /// Creates the first segment of a log, or the next one, durably.
    pub(crate) fn create(config: WriterConfig, edge: &Edge, previous: RecordHash) -> Result<Self, RoomError> {
        let path = config.wal.join(HASTY);
        config.store.allocate(&path, config.segment_bytes).map_err(|e| room_error("allocate a segment", e))?;
        let made = enter(&config, &path, edge, previous)?;
        let capacity = config.segment_bytes;
        Ok(Self { config, file: made.file, first: edge.size(), offset: made.offset, capacity, chain: made.chain, is_reserve: false })
    }

    pub(crate) fn chain(&self) -> &RecordHash {
        &self.chain
    }

    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether the housekeeper should make the next segment ready.
    pub(crate) fn wants_spare(&self) -> bool {
        self.offset > self.capacity / 2
    }

    /// Makes sure that a record of this length fits, going over to the next segment if it does not; the full one is returned.
    pub(crate) fn make_room(&mut self, length: u64, edge: &Edge, space: Space) -> Result<Option<FullSegment>, RoomError> {
        let fits = self.offset.checked_add(length).is_some_and(|end| end <= self.capacity);
        if fits && (space == Space::Reserve || !self.is_reserve) {
            return Ok(None);
        }
        // An empty segment that is too small would be replaced by another one under the same name.
        if self.first == edge.size() {
            return self.grow(length).map(|()| None);
        }
        self.enter_next(length, edge, space).map(Some)
    }

    /// Goes over to the next segment again, after that failed half-way: one of its name may be there, without a record.
    pub(crate) fn change_segment(&mut self, edge: &Edge) -> Result<Option<FullSegment>, RoomError> {
        if self.first == edge.size() {
            return Ok(None);
        }
        // Whatever failed, these files may have pages that are lost (`write_anew`); the housekeeper makes others.
        let remove = |name| remove_if_exists(&self.config.wal.join(name));
        remove(SPARE).map_err(|source| RoomError::Io { step: "remove the next segment", source })?;
        let full = self.enter_next(0, edge, Space::Normal)?;
        // It only costs space where it stays.
        let _ = remove_if_exists(&self.config.wal.join(RESERVE));
        Ok(Some(full))
    }

    fn enter_next(&mut self, length: u64, edge: &Edge, space: Space) -> Result<FullSegment, RoomError> {
        let (path, capacity, is_reserve) = self.next_segment(length, space)?;
        let made = enter(&self.config, &path, edge, self.chain)?;
        let full = FullSegment { path: segment_path(&self.config.wal, self.first), length: self.offset };
        (self.file, self.first, self.offset, self.chain) = (made.file, edge.size(), made.offset, made.chain);
        (self.capacity, self.is_reserve) = (capacity, is_reserve);
        Ok(full)
    }

    /// Allocates more for a segment that has no record yet.
    fn grow(&mut self, length: u64) -> Result<(), RoomError> {
        let capacity = self.offset.saturating_add(length).max(self.config.segment_bytes);
        durable::allocate(&self.file, capacity).map_err(|e| room_error("allocate a segment", e))?;
        (self.capacity, self.is_reserve) = (capacity, false);
        Ok(())
    }

    /// An allocated file of zeros for the next segment.
    fn next_segment(&self, length: u64, space: Space) -> Result<(PathBuf, u64, bool), RoomError> {
        let least = length.saturating_add(u64::try_from(super::MAX_HEADER).unwrap_or(u64::MAX));
        let wanted = self.config.segment_bytes.max(least);
        let spare = self.config.wal.join(SPARE);
        if std::fs::metadata(&spare).is_ok_and(|m| m.len() >= wanted) {
            return Ok((spare, wanted, false));
        }
        let hasty = self.config.wal.join(HASTY);
        let error = match self.config.store.allocate(&hasty, wanted) {
            Ok(()) => return Ok((hasty, wanted, false)),
            Err(error) => room_error("allocate a segment", error),
        };
        let reserve = self.config.wal.join(RESERVE);
        match std::fs::metadata(&reserve) {
            Ok(m) if space == Space::Reserve && matches!(error, RoomError::Full) && m.len() >= least => Ok((reserve, m.len(), true)),
            _ => Err(error),
        }
    }

    /// Writes one record, not yet durable.
    pub(crate) fn write(&self, record: &[u8]) -> io::Result<()> {
        self.config.store.write_at(&self.file, record, self.offset)
    }

    /// Makes the record durable and counts it in. After an error the writer must not be used again.
    pub(crate) fn commit(&mut self, length: u64, hash: RecordHash) -> io::Result<()> {
        self.config.store.sync_data(&self.file)?;
        self.offset = self.offset.saturating_add(length);
        self.chain = hash;
        Ok(())
    }

    /// Writes a record again whose write or sync failed. The kernel may still have its pages, as clean ones of space that was never written:
    /// what is written into such pages is lost in spite of a sync that succeeds (ext4). So the space behind the last record is given up and
    /// allocated anew, and the record is read back from the disk.
    pub(crate) fn write_anew(&self, record: &[u8]) -> io::Result<()> {
        self.config.store.allocate_anew(&self.file, self.offset, self.capacity)?;
        self.write(record)?;
        self.config.store.sync_data(&self.file)?;
        let path = segment_path(&self.config.wal, self.first);
        durable::forget(&path)?;
        let mut found = vec![0; record.len()];
        File::open(path)?.read_exact_at(&mut found, self.offset)?;
        if found == record { Ok(()) } else { Err(io::Error::other("the disk does not give back what was written")) }
    }

    /// Takes back a record that was not written whole: its place reads as zeros again, durably.
    pub(crate) fn erase(&self, length: u64) -> io::Result<()> {
        let zeros = vec![0; usize::try_from(length).unwrap_or(0)];
        self.config.store.write_at(&self.file, &zeros, self.offset)?;
        self.config.store.sync_data(&self.file)
    }
}

struct Entered {
    file: File,
    offset: u64,
    chain: RecordHash,
}

/// Turns an allocated file into the segment after the tree of `edge`. The name comes last: what has the name of a segment has a header.
fn enter(config: &WriterConfig, path: &Path, edge: &Edge, previous: RecordHash) -> Result<Entered, RoomError> {
    let failed = |step| move |source| RoomError::Io { step, source };
    let header = Header { origin: config.origin.clone(), previous, edge: edge.clone() };
    let bytes = header.encode();
    let file = File::options().write(true).open(path).map_err(failed("open a new segment"))?;
    config.store.write_at(&file, &bytes, 0).map_err(|e| room_error("write a segment's header", e))?;
    config.store.sync_data(&file).map_err(failed("sync a segment's header"))?;
    config.store.rename(path, &segment_path(&config.wal, edge.size())).map_err(failed("name a new segment"))?;
    config.store.sync_dir(&config.wal).map_err(|e| RoomError::Io { step: "sync the segments' directory", source: io::Error::other(e) })?;
    Ok(Entered { file, offset: u64::try_from(bytes.len()).unwrap_or(u64::MAX), chain: header.chain_start() })
}

fn room_error(step: &'static str, source: io::Error) -> RoomError {
    if durable::is_full(&source) { RoomError::Full } else { RoomError::Io { step, source } }
}

/// Makes the next segment ready. It gets its name in one step, so the writer never finds a half-made one.
pub(crate) fn make_spare(store: &dyn Store, wal: &Path, length: u64) -> io::Result<()> {
    if wal.join(SPARE).exists() { Ok(()) } else { make(store, wal, SPARE, length) }
}

/// Makes the reserve, if there is none.
pub(crate) fn make_reserve(store: &dyn Store, wal: &Path, length: u64) -> io::Result<()> {
    if length == 0 || wal.join(RESERVE).exists() { Ok(()) } else { make(store, wal, RESERVE, length) }
}

/// Makes an existing reserve fit for use at start-up. It is not made anew, since a full disk may not give back what is freed; but a
/// crash may have left a header in it.
pub(crate) fn ready_reserve(store: &dyn Store, wal: &Path) -> io::Result<()> {
    match File::options().write(true).open(wal.join(RESERVE)) {
        Ok(file) => {
            store.write_at(&file, &[0; super::MAX_HEADER], 0)?;
            store.sync_data(&file)
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

fn make(store: &dyn Store, wal: &Path, name: &str, length: u64) -> io::Result<()> {
    let making = wal.join(format!("{}{name}", durable::TEMPORARY_PREFIX));
    store.allocate(&making, length)?;
    store.rename(&making, &wal.join(name))
}
