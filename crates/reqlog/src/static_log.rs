//! Reading a log that somebody else serves as static files, and believing nothing that its checkpoint does not sign.
//!
//! All that is needed is a way to fetch files and the log's verification key. Every hash that is used was first led back to the root of
//! the signed checkpoint: the partial tiles at the right edge together make the root, and every full tile makes one hash of a tile above.

use crate::state::SignedCheckpoint;
use crate::tiles::{RightEdge, node_place, subtree_root, width_at};
use chancery_tlog::{
    Checkpoint, CheckpointError, Hash, NodeSource, NoteError, ProveError, TILE_WIDTH, TileLevel, TilePath, VerifierKey, decode_bundle,
    decode_tile, encode_receipt, inclusion_proof, leaf_hash, root_at,
};
use std::error::Error;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

mod entries;

pub use entries::Entries;

/// A place with the files of a log.
pub trait Fetch {
    /// The file at a path such as `checkpoint` or `tile/0/000`; `None` if there is none.
    ///
    /// # Errors
    /// [`FetchError`] if that could not be found out.
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, FetchError>;
}

/// A file could not be fetched. A retry may work.
#[derive(Debug, thiserror::Error)]
#[error("cannot fetch {path}")]
pub struct FetchError {
    /// The path that was asked for.
    pub path: String,
    /// Why not.
    #[source]
    pub source: Box<dyn Error + Send + Sync>,
}

/// A directory with the files of a log, for example a mirror of `public/`.
#[derive(Clone, Debug)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// The directory that holds `checkpoint` and `tile/`.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

impl Fetch for Directory {
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, FetchError> {
        match std::fs::read(self.root.join(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => Ok(None),
            Err(e) => Err(FetchError { path: path.to_owned(), source: e.into() }),
        }
    }
}

/// A log's files do not stand up to their checkpoint, or could not be read.
#[derive(Debug, thiserror::Error)]
pub enum StaticLogError {
    /// A file could not be fetched. A retry may work.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A file is not there that the checkpoint promises. It may be on its way to a mirror; if it stays away, the log is incomplete.
    #[error("{path} is missing, though the checkpoint promises it; try again later, then ask the log's operator")]
    Missing {
        /// Its path.
        path: String,
    },
    /// A file has other content than was signed: it was tampered with or damaged. Keep a copy, and fetch it from another place.
    #[error("{path} is not what the log's key signed: it was tampered with or damaged; keep a copy")]
    Tampered {
        /// Its path.
        path: String,
    },
    /// The checkpoint is not signed by the log's key, or is none.
    #[error("the log's checkpoint is not valid")]
    Checkpoint(#[from] CheckpointError),
    /// The log shows fewer entries than before: it, or this copy of it, was rolled back.
    #[error("ROLLBACK: the log shows {now} entries, but had {earlier} before; keep both checkpoints")]
    Rollback {
        /// The size of the earlier checkpoint.
        earlier: u64,
        /// The size of the present one.
        now: u64,
        /// The present signed note.
        note: String,
    },
    /// The log contradicts an earlier checkpoint of its own: history was changed.
    #[error("FORK: the log's first {size} entries are not those of its earlier checkpoint; keep both checkpoints")]
    Fork {
        /// The size of the earlier checkpoint.
        size: u64,
        /// The present signed note.
        note: String,
    },
    /// There is no such entry.
    #[error("the log has {size} entries, so there is nothing at {asked}")]
    Beyond {
        /// What was asked for.
        asked: u64,
        /// How many entries the log has.
        size: u64,
    },
}

impl StaticLogError {
    /// Whether this shows that the log (or who serves it) misbehaved, rather than that something was not reachable or not asked rightly.
    #[must_use]
    pub const fn is_misbehaviour(&self) -> bool {
        matches!(self, Self::Tampered { .. } | Self::Checkpoint(_) | Self::Rollback { .. } | Self::Fork { .. })
    }
}

/// The hashes of a verified tile, with its index.
type CachedTile = (u64, Arc<Vec<Hash>>);

/// A log at one checkpoint. Memory: two tiles for each level.
#[derive(Debug)]
pub struct StaticLog<F> {
    fetch: F,
    signed: SignedCheckpoint,
    edge: RightEdge,
    /// The last full tile of each level.
    cache: Mutex<Vec<Option<CachedTile>>>,
}

impl<F: Fetch> StaticLog<F> {
    /// Fetches the newest checkpoint, and verifies its signature and the right edge of the tree.
    ///
    /// # Errors
    /// [`StaticLogError`].
    pub fn open(fetch: F, key: &VerifierKey) -> Result<Self, StaticLogError> {
        let note = fetch.get("checkpoint")?.ok_or_else(|| StaticLogError::Missing { path: "checkpoint".into() })?;
        let note = String::from_utf8(note).map_err(|_| CheckpointError::from(NoteError::Form))?;
        Self::open_at(fetch, key, note)
    }

    /// Reads the log at a checkpoint that the caller has, for example out of a receipt. Files of older checkpoints may be gone.
    ///
    /// # Errors
    /// [`StaticLogError`].
    pub fn open_at(fetch: F, key: &VerifierKey, note: String) -> Result<Self, StaticLogError> {
        let checkpoint = Checkpoint::open(&note, key)?;
        let mut log = Self { fetch, signed: SignedCheckpoint { checkpoint, note }, edge: RightEdge::default(), cache: Mutex::default() };
        log.edge = log.fetch_edge()?;
        Ok(log)
    }

    /// The checkpoint that everything is verified against.
    #[must_use]
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.signed
    }

    /// Checks that the log still contains everything that it had at an earlier checkpoint, in the same place.
    ///
    /// # Errors
    /// [`StaticLogError::Rollback`], [`StaticLogError::Fork`], or that files could not be read.
    pub fn check_extends(&self, earlier: &Checkpoint) -> Result<(), StaticLogError> {
        let (size, note) = (self.signed.checkpoint.size, self.signed.note.clone());
        if earlier.size > size {
            return Err(StaticLogError::Rollback { earlier: earlier.size, now: size, note });
        }
        // All nodes are verified, so the root of the first entries is known, not just claimed: no proof is needed beside it.
        let root = root_at(self, earlier.size).map_err(prove_error)?;
        if root == earlier.root { Ok(()) } else { Err(StaticLogError::Fork { size: earlier.size, note }) }
    }

    /// Verifies every entry and every tile against the checkpoint, and against an earlier one. `progress` is told how many entries are
    /// done.
    ///
    /// # Errors
    /// The first [`StaticLogError`].
    pub fn verify(&self, earlier: Option<&Checkpoint>, mut progress: impl FnMut(u64)) -> Result<(), StaticLogError> {
        if let Some(earlier) = earlier {
            self.check_extends(earlier)?;
        }
        for entry in self.entries(0..self.signed.checkpoint.size) {
            let (index, _) = entry?;
            progress(index.saturating_add(1));
        }
        Ok(())
    }

    /// The verified leaves of some entries, in order. Memory: one bundle.
    pub fn entries(&self, range: Range<u64>) -> Entries<'_, F> {
        Entries::new(self, range)
    }

    /// The verified leaf of one entry.
    ///
    /// # Errors
    /// [`StaticLogError`].
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, StaticLogError> {
        let beyond = StaticLogError::Beyond { asked: index, size: self.signed.checkpoint.size };
        self.entries(index..index.saturating_add(1)).next().ok_or(beyond)?.map(|(_, leaf)| leaf)
    }

    /// The receipt of an entry at this checkpoint (C2SP tlog-proof, with the leaf as `extra`).
    ///
    /// # Errors
    /// [`StaticLogError`].
    pub fn receipt(&self, index: u64) -> Result<Vec<u8>, StaticLogError> {
        let leaf = self.entry(index)?;
        let proof = inclusion_proof(self, index, self.signed.checkpoint.size).map_err(prove_error)?;
        Ok(encode_receipt(&leaf, index, &proof, &self.signed.note))
    }

    fn fetch_edge(&self) -> Result<RightEdge, StaticLogError> {
        let Checkpoint { size, root, .. } = &self.signed.checkpoint;
        let mut edge = RightEdge::default();
        let mut shown = String::from("checkpoint");
        for (level, width) in (0_u8..).zip(RightEdge::widths(*size)) {
            let index = size.checked_shr(u32::from(level).saturating_add(1).saturating_mul(8)).unwrap_or(0);
            let mut hashes = Vec::new();
            if width > 0 {
                let path = TilePath { level: TileLevel::Hashes(level), index, width };
                hashes = self.fetch_hashes(path)?;
                shown = path.to_string();
            }
            edge.levels.push(hashes);
        }
        let right = edge.to_edge(*size).is_ok_and(|edge| edge.root() == *root);
        if right { Ok(edge) } else { Err(StaticLogError::Tampered { path: shown }) }
    }

    /// A tile as it is served, not verified.
    fn fetch_hashes(&self, path: TilePath) -> Result<Vec<Hash>, StaticLogError> {
        let (bytes, width) = self.fetch_tile(path)?;
        let mut hashes = decode_tile(&bytes, width).map_err(|_| StaticLogError::Tampered { path: path.to_string() })?;
        hashes.truncate(usize::from(path.width));
        Ok(hashes)
    }

    /// A tile, or the full one that replaced a partial one since.
    fn fetch_tile(&self, path: TilePath) -> Result<(Vec<u8>, u16), StaticLogError> {
        if let Some(bytes) = self.fetch.get(&path.to_string())? {
            return Ok((bytes, path.width));
        }
        let full = TilePath { width: TILE_WIDTH, ..path };
        let found = if path == full { None } else { self.fetch.get(&full.to_string())? };
        found.map(|bytes| (bytes, TILE_WIDTH)).ok_or_else(|| StaticLogError::Missing { path: path.to_string() })
    }

    /// The verified hashes of a tile.
    fn tile(&self, level: u8, index: u64) -> Result<Arc<Vec<Hash>>, StaticLogError> {
        let size = self.signed.checkpoint.size;
        let width = width_at(level, index, size).ok_or(StaticLogError::Beyond { asked: index, size })?;
        if width < TILE_WIDTH {
            return Ok(Arc::new(self.edge.levels.get(usize::from(level)).cloned().unwrap_or_default()));
        }
        if let Some((_, hashes)) = self.cached(level).filter(|(at, _)| *at == index) {
            return Ok(hashes);
        }
        let path = TilePath { level: TileLevel::Hashes(level), index, width };
        let hashes = Arc::new(self.fetch_hashes(path)?);
        let above = self.tile(level.saturating_add(1), index >> 8)?;
        let place = usize::try_from(index & u64::from(TILE_WIDTH).saturating_sub(1)).unwrap_or(usize::MAX);
        if above.get(place) != Some(&subtree_root(&hashes)) {
            return Err(StaticLogError::Tampered { path: path.to_string() });
        }
        self.remember(level, index, Arc::clone(&hashes));
        Ok(hashes)
    }

    fn cached(&self, level: u8) -> Option<CachedTile> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.get(usize::from(level)).cloned().flatten()
    }

    fn remember(&self, level: u8, index: u64, hashes: Arc<Vec<Hash>>) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let at = usize::from(level);
        if cache.len() <= at {
            cache.resize(at.saturating_add(1), None);
        }
        if let Some(slot) = cache.get_mut(at) {
            *slot = Some((index, hashes));
        }
    }

    /// The bytes of a file that the checkpoint promises, verified.
    pub(crate) fn verified_file(&self, path: TilePath) -> Result<Vec<u8>, StaticLogError> {
        match path.level {
            TileLevel::Hashes(level) => {
                let hashes = self.tile(level, path.index)?;
                Ok(hashes.iter().flat_map(|Hash(hash)| *hash).collect())
            }
            TileLevel::Entries => {
                let mut out = Vec::new();
                for entry in self.bundle(path.index)? {
                    out.extend_from_slice(&u16::try_from(entry.len()).unwrap_or(u16::MAX).to_be_bytes());
                    out.extend_from_slice(&entry);
                }
                Ok(out)
            }
        }
    }

    /// The verified entries of a bundle.
    fn bundle(&self, index: u64) -> Result<Vec<Vec<u8>>, StaticLogError> {
        let size = self.signed.checkpoint.size;
        let width = width_at(0, index, size).ok_or(StaticLogError::Beyond { asked: index << 8, size })?;
        let path = TilePath { level: TileLevel::Entries, index, width };
        let (bytes, found) = self.fetch_tile(path)?;
        let tampered = || StaticLogError::Tampered { path: path.to_string() };
        let mut entries = decode_bundle(&bytes, found).map_err(|_| tampered())?;
        entries.truncate(usize::from(width));
        let hashes = self.tile(0, index)?;
        if !entries.iter().map(|e| leaf_hash(e)).eq(hashes.iter().copied()) {
            return Err(tampered());
        }
        Ok(entries.into_iter().map(<[u8]>::to_vec).collect())
    }
}

impl<F: Fetch> NodeSource for StaticLog<F> {
    type Error = StaticLogError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, StaticLogError> {
        let beyond = || StaticLogError::Beyond { asked: index, size: self.signed.checkpoint.size };
        let place = node_place(level, index).ok_or_else(beyond)?;
        place.node(&self.tile(place.level, place.index)?).ok_or_else(beyond)
    }
}

fn prove_error(error: ProveError<StaticLogError>) -> StaticLogError {
    match error {
        ProveError::Beyond { asked, size } => StaticLogError::Beyond { asked, size },
        ProveError::Source(source) => source,
    }
}

#[cfg(test)]
mod tests;
