//! What is to be published next: from memory, or from the segments when the static files are made anew.

use crate::error::ReadError;
use crate::reader::Reader;
use crate::state::{Chunk, SignedCheckpoint};
use chancery_tlog::{Hash, leaf_hash};
use std::sync::Arc;

/// The entries from an index up to the newest checkpoint.
pub(super) struct Pending {
    pub(super) newest: Arc<SignedCheckpoint>,
    chunks: Vec<Arc<Chunk>>,
    reader: Reader,
}

impl Pending {
    pub(super) fn new(reader: &Reader) -> Self {
        let state = reader.shared().lock();
        Self { newest: Arc::clone(&state.newest), chunks: state.tail.chunks(), reader: reader.clone() }
    }

    /// Gives each entry from `from` on, with its leaf hash, to `take`.
    pub(super) fn each<E: From<ReadError>>(&self, from: u64, mut take: impl FnMut(&[u8], Hash) -> Result<(), E>) -> Result<(), E> {
        let in_memory = self.chunks.first().map_or(self.newest.checkpoint.size, |c| c.first);
        if from < in_memory {
            for recorded in self.reader.recorded(from..in_memory)? {
                let leaf = recorded?.leaf;
                take(&leaf, leaf_hash(&leaf))?;
            }
        }
        for chunk in &self.chunks {
            let skip = usize::try_from(from.saturating_sub(chunk.first)).unwrap_or(usize::MAX);
            for (entry, hash) in chunk.entries().skip(skip) {
                take(entry, hash)?;
            }
        }
        Ok(())
    }
}
