//! The read side of a log: entries, details, proofs and files, beside the writer.

use crate::error::ReadError;
use crate::state::{Chunk, Shared, SignedCheckpoint};
use crate::wal::{WalkError, segment_path};
use chancery_tlog::{
    Hash, ProveError, TILE_WIDTH, TileLevel, TilePath, consistency_proof, decode_bundle, encode_receipt, inclusion_proof, leaf_hash,
    root_at, verify_consistency, verify_inclusion,
};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod nodes;
mod recorded;

use nodes::Nodes;
pub use recorded::{Recorded, RecordedIter};

/// At most so many entries are given at once.
pub const MAX_ENTRIES: u64 = 4096;

/// Reads a log. Clones are cheap and see the same log.
#[derive(Clone, Debug)]
pub struct Reader {
    public: PathBuf,
    wal: PathBuf,
    shared: Arc<Shared>,
}

impl Reader {
    pub(crate) fn new(dir: &Path, shared: Arc<Shared>) -> Self {
        Self { public: dir.join("public"), wal: dir.join("wal"), shared }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The newest durable checkpoint; of a log opened read-only, the published one.
    #[must_use]
    pub fn checkpoint(&self) -> Arc<SignedCheckpoint> {
        Arc::clone(&self.shared.lock().newest)
    }

    /// The checkpoint in `public/`.
    #[must_use]
    pub fn published(&self) -> Arc<SignedCheckpoint> {
        Arc::clone(&self.shared.lock().published)
    }

    /// The largest tree that a witness has cosigned, in entries; 0 without witnesses.
    #[must_use]
    pub fn witnessed(&self) -> u64 {
        self.shared.lock().cosigned.as_ref().map_or(0, |c| c.checkpoint.size)
    }

    /// Puts a cosignature under its checkpoint, and has that published if it is still the newest.
    pub(crate) fn cosigned(&self, signed: &SignedCheckpoint, line: &str) {
        let mut state = self.shared.lock();
        match &state.cosigned {
            Some(newer) if newer.checkpoint.size > signed.checkpoint.size => {}
            Some(same) if same.checkpoint == signed.checkpoint => state.cosigned = Some(Arc::new(same.with_line(line))),
            _ => state.cosigned = Some(Arc::new(signed.with_line(line))),
        }
        if state.newest.checkpoint == signed.checkpoint {
            state.newest = Arc::new(state.newest.with_line(line));
            self.shared.work.notify_one();
        }
    }

    /// The leaf of one entry.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, ReadError> {
        let beyond = || ReadError::Beyond { asked: index, size: self.checkpoint().checkpoint.size };
        self.entries(index, 1)?.pop().ok_or_else(beyond)
    }

    /// The leaves of up to `count` entries from `start` on; fewer at the end of the log, and never more than [`MAX_ENTRIES`].
    ///
    /// They are what is stored; a receipt or [`crate::StaticLog`] proves that they belong to the log.
    ///
    /// # Errors
    /// [`ReadError`]; `Beyond` if `start` is not an entry.
    pub fn entries(&self, start: u64, count: u64) -> Result<Vec<Vec<u8>>, ReadError> {
        let view = self.view();
        let size = view.newest.checkpoint.size;
        if start >= size {
            return Err(ReadError::Beyond { asked: start, size });
        }
        let end = start.saturating_add(count.min(MAX_ENTRIES)).min(size);
        let mut entries = Vec::new();
        let mut at = start;
        while at < end {
            let more = self.entries_at(&view, at..end)?;
            at = at.saturating_add(u64::try_from(more.len()).unwrap_or(u64::MAX));
            entries.extend(more);
        }
        Ok(entries)
    }

    /// At least the first entry of the range, from wherever it is.
    fn entries_at(&self, view: &View, range: Range<u64>) -> Result<Vec<Vec<u8>>, ReadError> {
        if range.start < view.published {
            return self.bundle_entries(view.published, range);
        }
        if let Some(chunk) = view.chunk(range.start) {
            let skip = usize::try_from(range.start.saturating_sub(chunk.first)).unwrap_or(usize::MAX);
            let take = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
            return Ok(chunk.entries().skip(skip).take(take).map(|(entry, _)| entry.to_vec()).collect());
        }
        // Neither published nor in memory: the log is being published anew.
        self.recorded(range)?.map(|recorded| recorded.map(|r| r.leaf)).collect()
    }

    fn bundle_entries(&self, published: u64, range: Range<u64>) -> Result<Vec<Vec<u8>>, ReadError> {
        let index = range.start >> 8;
        let first = index << 8;
        let end = range.end.min(published).min(first.saturating_add(u64::from(TILE_WIDTH)));
        let width = u16::try_from(published.saturating_sub(first)).unwrap_or(TILE_WIDTH).min(TILE_WIDTH);
        let path = TilePath { level: TileLevel::Entries, index, width };
        let (bytes, width) = self.read_tile(path)?;
        let damaged = || ReadError::Damaged { path: path.to_string() };
        let bundle = decode_bundle(&bytes, width).map_err(|_| damaged())?;
        let from = usize::try_from(range.start.saturating_sub(first)).unwrap_or(usize::MAX);
        let to = usize::try_from(end.saturating_sub(first)).unwrap_or(usize::MAX);
        let entries = bundle.get(from..to).filter(|e| !e.is_empty()).ok_or_else(damaged)?;
        Ok(entries.iter().map(|e| e.to_vec()).collect())
    }

    /// The private details of one entry; `None` if they were redacted. Empty if there were none.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn details(&self, index: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let end = index.checked_add(1).ok_or(ReadError::Beyond { asked: index, size: 0 })?;
        let mut found = self.recorded(index..end)?;
        found.next().ok_or(ReadError::Beyond { asked: index, size: 0 })?.map(|recorded| recorded.details)
    }

    /// Entries with their details, read from the segments, in order.
    ///
    /// # Errors
    /// [`ReadError`] here or from the iterator, which then ends.
    pub fn recorded(&self, range: Range<u64>) -> Result<RecordedIter, ReadError> {
        let size = self.checkpoint().checkpoint.size;
        if range.end > size {
            return Err(ReadError::Beyond { asked: range.end.saturating_sub(1), size });
        }
        Ok(RecordedIter::new(&self.wal, Arc::clone(&self.shared), range))
    }

    /// The proof that the tree of `new` entries extends that of `old` entries (RFC 6962), verified before it is returned.
    ///
    /// # Errors
    /// [`ReadError`]; `Beyond` unless `old <= new <=` the newest size.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, ReadError> {
        let view = self.view();
        let size = view.newest.checkpoint.size;
        if new > size {
            return Err(ReadError::Beyond { asked: new, size });
        }
        let nodes = Nodes { reader: self, view: &view };
        let proof = consistency_proof(&nodes, old, new).map_err(prove_error)?;
        // Nodes come from files that anybody may have changed: what does not lead to the signed root is not handed out.
        let (old_root, new_root) = (root_at(&nodes, old).map_err(prove_error)?, root_at(&nodes, new).map_err(prove_error)?);
        let to_signed = consistency_proof(&nodes, new, size).map_err(prove_error)?;
        verify_consistency(old, &old_root, new, &new_root, &proof)
            .and_then(|()| verify_consistency(new, &new_root, size, &view.newest.checkpoint.root, &to_signed))
            .map_err(|_| ReadError::Damaged { path: "tile/".into() })?;
        Ok(proof)
    }

    /// The receipt of an entry (C2SP tlog-proof, with the leaf as `extra`), verified before it is returned: at the newest checkpoint that
    /// a witness has cosigned, if that has the entry, else at the newest of all.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn receipt(&self, index: u64) -> Result<Vec<u8>, ReadError> {
        let view = self.view();
        let leaf = self.entry(index)?;
        let signed = view.cosigned.as_ref().filter(|c| index < c.checkpoint.size).unwrap_or(&view.newest);
        let checkpoint = &signed.checkpoint;
        let nodes = Nodes { reader: self, view: &view };
        let proof = inclusion_proof(&nodes, index, checkpoint.size).map_err(prove_error)?;
        verify_inclusion(&leaf_hash(&leaf), index, checkpoint.size, &proof, &checkpoint.root)
            .map_err(|_| ReadError::Damaged { path: "tile/".into() })?;
        Ok(encode_receipt(&leaf, index, &proof, &signed.note))
    }

    /// The bytes of a published tile or bundle.
    ///
    /// # Errors
    /// [`ReadError`]; `Beyond` if it is not published.
    pub fn tile(&self, path: TilePath) -> Result<Vec<u8>, ReadError> {
        let file = self.public.join(path.to_string());
        match std::fs::read(&file) {
            Ok(bytes) => Ok(bytes),
            Err(e) if is_absent(&e) => {
                Err(ReadError::Beyond { asked: path.index.saturating_mul(u64::from(TILE_WIDTH)), size: self.published().checkpoint.size })
            }
            Err(source) => Err(ReadError::Io { path: file, source }),
        }
    }

    /// A tile that the published tree has, or the full one that replaced it since.
    fn read_tile(&self, path: TilePath) -> Result<(Vec<u8>, u16), ReadError> {
        for path in [path, TilePath { width: TILE_WIDTH, ..path }] {
            let file = self.public.join(path.to_string());
            match std::fs::read(&file) {
                Ok(bytes) => return Ok((bytes, path.width)),
                Err(e) if is_absent(&e) => {}
                Err(source) => return Err(ReadError::Io { path: file, source }),
            }
        }
        Err(ReadError::Damaged { path: path.to_string() })
    }

    fn view(&self) -> View {
        let state = self.shared.lock();
        View {
            newest: Arc::clone(&state.newest),
            cosigned: state.cosigned.clone(),
            published: state.published.checkpoint.size,
            chunks: state.tail.chunks(),
        }
    }
}

/// The log at one moment.
struct View {
    newest: Arc<SignedCheckpoint>,
    cosigned: Option<Arc<SignedCheckpoint>>,
    published: u64,
    chunks: Vec<Arc<Chunk>>,
}

impl View {
    /// The unpublished batch that holds an entry.
    fn chunk(&self, index: u64) -> Option<&Chunk> {
        let chunk = self.chunks.get(self.chunks.partition_point(|c| c.end() <= index))?;
        (chunk.first <= index).then_some(chunk)
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn prove_error(error: ProveError<ReadError>) -> ReadError {
    match error {
        ProveError::Beyond { asked, size } => ReadError::Beyond { asked, size },
        ProveError::Source(source) => source,
    }
}

fn walk_error(wal: &Path, segment: u64, index: u64, error: WalkError) -> ReadError {
    let segment = segment_path(wal, segment);
    match error {
        WalkError::Io(source) => ReadError::Io { path: segment, source },
        WalkError::Header(_) | WalkError::Record { .. } => ReadError::Segment { segment, index },
    }
}
