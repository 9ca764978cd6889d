//! Reading the newest segment at start-up, and deciding whether it is in order.

use crate::error::OpenError;
use crate::state::{Chunk, Places, SignedCheckpoint, TailChunks};
use crate::wal::{
    Fault, FullSegment, Header, Judges, Place, RecordHash, Segments, Tail, Walk, WalkError, classify, list_segments, segment_path,
};
use chancery_tlog::{Checkpoint, CheckpointError, Edge, Hash, NoteError, VerifierKey, leaf_hash};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

/// What to look for in the segments.
pub(crate) struct Scanner<'a> {
    pub(crate) wal: &'a Path,
    pub(crate) segments: &'a Segments,
    pub(crate) key: &'a VerifierKey,
    /// The sizes, ascending, at which the root is wanted.
    pub(crate) targets: Vec<u64>,
    /// Entries from this index on are kept in memory.
    pub(crate) keep_from: u64,
}

/// What was found.
pub(crate) struct Scanned {
    /// The newest segment's first index, the end of its last good record, and that record's hash.
    pub(crate) first: u64,
    pub(crate) offset: u64,
    pub(crate) chain: RecordHash,
    /// The tree of all good records.
    pub(crate) edge: Edge,
    /// The newest recorded checkpoint; `None` if there is no record yet.
    pub(crate) newest: Option<SignedCheckpoint>,
    pub(crate) tail: TailChunks,
    pub(crate) places: Places,
    /// The bytes of a last record whose write was cut off.
    pub(crate) torn: Option<Vec<u8>>,
    /// The roots at the wanted sizes, as far as they are in this segment.
    pub(crate) roots: BTreeMap<u64, Hash>,
    /// The segment before, if it was not sealed yet.
    pub(crate) to_seal: Vec<FullSegment>,
}

impl Scanned {
    /// Of a log without segments.
    pub(crate) fn empty() -> Self {
        Self {
            first: 0,
            offset: 0,
            chain: [0; 32],
            edge: Edge::new(),
            newest: None,
            tail: TailChunks::default(),
            places: Places::default(),
            torn: None,
            roots: BTreeMap::new(),
            to_seal: Vec::new(),
        }
    }
}

impl Scanner<'_> {
    /// Reads the newest segment, and the one before if it is needed.
    pub(crate) fn scan(&self, first: u64) -> Result<Scanned, OpenError> {
        let path = segment_path(self.wal, first);
        if is_sealed(&path)? {
            return Err(OpenError::MissingSegment { segment: path });
        }
        // Half of the work is hashing private parts. That is done on another thread, and only where something is wrong, in order.
        let (public, private) = std::thread::scope(|scope| {
            let private = scope.spawn(|| private_parts_are_whole(&path));
            let public = self.read(&path, first, Judges::None);
            (public, private.join().unwrap_or(false))
        });
        let (mut found, header) = match public {
            Ok((found, header)) if private && found.torn.is_none() => (found, header),
            _ => self.read(&path, first, Judges::All)?,
        };
        self.link(&header, &mut found)?;
        Ok(found)
    }

    fn read(&self, path: &Path, first: u64, judges: Judges) -> Result<(Scanned, Header), OpenError> {
        let mut walk = open(path, first, self.key.name())?;
        walk.judge(judges);
        let mut found = Scanned { first, chain: walk.header.chain_start(), edge: walk.header.edge.clone(), ..Scanned::empty() };
        found.roots.insert(first, found.edge.root());
        let mut note = String::new();
        loop {
            match self.step(&mut walk, &mut found, &mut note) {
                Ok(true) => {}
                Ok(false) => break,
                Err(WalkError::Record { offset, index, fault }) => {
                    self.judge(path, &mut found, offset, index, fault)?;
                    break;
                }
                Err(other) => return Err(walk_error(path, other)),
            }
        }
        found.newest = self.newest(path, &found, &note)?;
        Ok((found, walk.header))
    }

    /// Takes in one record; `false` after the last.
    fn step(&self, walk: &mut Walk, found: &mut Scanned, note: &mut String) -> Result<bool, WalkError> {
        let Some(record) = walk.next()? else {
            found.offset = walk.offset();
            return Ok(false);
        };
        note.clear();
        note.push_str(record.note);
        found.offset = record.end;
        found.places.note(found.first, record.first, record.offset);
        for entry in record.entries {
            found.edge.push(leaf_hash(entry));
            if self.targets.binary_search(&found.edge.size()).is_ok() {
                found.roots.insert(found.edge.size(), found.edge.root());
            }
        }
        if found.edge.size() > self.keep_from {
            found.tail.push(Chunk::of(&record));
        }
        found.chain = walk.chain().unwrap_or_default();
        Ok(true)
    }

    /// Decides about what does not verify at the end of the segment.
    fn judge(&self, path: &Path, found: &mut Scanned, offset: u64, index: u64, fault: Fault) -> Result<(), OpenError> {
        let corrupt = || OpenError::Corrupt { segment: path.to_owned(), offset, index, fault };
        if fault == Fault::Content {
            // It fits the chain, so it is what was written: no cut-off write looks like this.
            return Err(corrupt());
        }
        let file = File::open(path).map_err(io_error("open", path))?;
        let length = file.metadata().map_err(io_error("look at", path))?.len();
        let mut region = vec![0; usize::try_from(length.saturating_sub(offset)).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut region, offset).map_err(io_error("read", path))?;
        match classify(&region, Place { offset, chain: &found.chain, size: index, key: self.key }) {
            Tail::Damaged => Err(corrupt()),
            Tail::Torn { bytes } => {
                region.truncate(usize::try_from(bytes).unwrap_or(usize::MAX));
                (found.offset, found.torn) = (offset, Some(region));
                Ok(())
            }
        }
    }

    /// Checks that the last record's checkpoint is signed and is that of the entries.
    fn newest(&self, path: &Path, found: &Scanned, note: &str) -> Result<Option<SignedCheckpoint>, OpenError> {
        if found.edge.size() == found.first {
            return Ok(None);
        }
        let checkpoint = Checkpoint::open(note, self.key).map_err(|source| match source {
            CheckpointError::Note(NoteError::Unsigned) => {
                OpenError::KeyMismatch { origin: self.key.name().to_owned(), file: path.to_owned() }
            }
            source => OpenError::Checkpoint { file: path.to_owned(), source },
        })?;
        if checkpoint.size != found.edge.size() || checkpoint.root != found.edge.root() {
            let (offset, index) = (found.offset, found.edge.size());
            return Err(OpenError::Corrupt { segment: path.to_owned(), offset, index, fault: Fault::Checkpoint });
        }
        Ok(Some(SignedCheckpoint { checkpoint, note: note.to_owned() }))
    }

    /// Reads the segment before, if the newest one has no record to verify its header by, or if sealing was interrupted.
    fn link(&self, header: &Header, found: &mut Scanned) -> Result<(), OpenError> {
        let this = segment_path(self.wal, found.first);
        let before = match self.segments.range(..found.first).next_back() {
            Some(before) => *before,
            None if found.first == 0 => return Ok(()),
            None => return Err(OpenError::Gap { segment: this }),
        };
        let path = segment_path(self.wal, before);
        let sealed = is_sealed(&path)?;
        if sealed && found.newest.is_some() {
            return Ok(());
        }
        let mut walk = open(&path, before, self.key.name())?;
        let (mut edge, mut note) = (walk.header.edge.clone(), String::new());
        while let Some(record) = walk.next().map_err(|e| walk_error(&path, e))? {
            record.entries.for_each(|entry| edge.push(leaf_hash(entry)));
            note.clear();
            note.push_str(record.note);
        }
        if edge != header.edge || walk.chain() != Some(header.previous) {
            return Err(OpenError::Gap { segment: this });
        }
        if !sealed {
            found.to_seal.push(FullSegment { path: path.clone(), length: walk.offset() });
        }
        if found.newest.is_none() {
            let so_far = Scanned { first: before, offset: walk.offset(), edge, ..Scanned::empty() };
            found.newest = self.newest(&path, &so_far, &note)?;
        }
        Ok(())
    }
}

/// Whether all private parts fit their checksums. Besides the details, this verifies the lengths by which the next records are found.
fn private_parts_are_whole(path: &Path) -> bool {
    let Ok(mut walk) = Walk::open(path) else { return false };
    walk.judge(Judges::All);
    walk.skip_chain();
    loop {
        match walk.next() {
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

/// The root of the tree of the first `size` entries, by reading the segment that has the last of them.
pub(crate) fn root_at(wal: &Path, segments: &Segments, size: u64, origin: &str) -> Result<Hash, OpenError> {
    let first = segments.range(..=size).next_back().copied().unwrap_or(0);
    let path = segment_path(wal, first);
    let mut walk = open(&path, first, origin)?;
    let mut edge = walk.header.edge.clone();
    loop {
        if edge.size() == size {
            return Ok(edge.root());
        }
        let record = walk.next().map_err(|e| walk_error(&path, e))?.ok_or_else(|| OpenError::Gap { segment: path.clone() })?;
        for entry in record.entries {
            if edge.size() < size {
                edge.push(leaf_hash(entry));
            }
        }
    }
}

/// All segments of a log.
pub(crate) fn segments(wal: &Path) -> Result<Segments, OpenError> {
    list_segments(wal).map_err(io_error("list", wal))
}

fn open(path: &Path, first: u64, origin: &str) -> Result<Walk, OpenError> {
    let walk = Walk::open(path).map_err(|e| walk_error(path, e))?;
    if walk.header.first() != first {
        return Err(OpenError::Gap { segment: path.to_owned() });
    }
    if walk.header.origin != origin {
        let found = walk.header.origin.clone();
        return Err(OpenError::Origin { origin: origin.to_owned(), what: "log in the directory", found });
    }
    Ok(walk)
}

fn is_sealed(path: &Path) -> Result<bool, OpenError> {
    let metadata = std::fs::metadata(path).map_err(io_error("look at", path))?;
    Ok(metadata.permissions().mode() & 0o222 == 0)
}

fn walk_error(path: &Path, error: WalkError) -> OpenError {
    let segment = path.to_owned();
    match error {
        WalkError::Io(source) => OpenError::Io { step: "read", path: segment, source },
        WalkError::Header(fault) => OpenError::Segment { segment, fault },
        WalkError::Record { offset, index, fault } => OpenError::Corrupt { segment, offset, index, fault },
    }
}

fn io_error<'a>(step: &'static str, path: &'a Path) -> impl Fn(io::Error) -> OpenError + 'a {
    move |source| OpenError::Io { step, path: path.to_owned(), source }
}
