//! Nodes of the tree, from published tiles and from what is not published yet.

use super::{Reader, View};
use crate::error::ReadError;
use crate::tiles::node_place;
use chancery_tlog::{Hash, NodeSource, decode_tile, node_hash};

pub(super) struct Nodes<'a> {
    pub(super) reader: &'a Reader,
    pub(super) view: &'a View,
}

impl NodeSource for Nodes<'_> {
    type Error = ReadError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, ReadError> {
        let end = index.checked_add(1).and_then(|end| end.checked_shl(u32::from(level))).unwrap_or(u64::MAX);
        if end <= self.view.published {
            return self.published(level, index);
        }
        match level.checked_sub(1) {
            None => self.unpublished(index),
            Some(below) => {
                let left = index.saturating_mul(2);
                Ok(node_hash(&self.node(below, left)?, &self.node(below, left.saturating_add(1))?))
            }
        }
    }
}

impl Nodes<'_> {
    fn published(&self, level: u8, index: u64) -> Result<Hash, ReadError> {
        let beyond = || ReadError::Beyond { asked: index, size: self.view.published };
        let place = node_place(level, index).ok_or_else(beyond)?;
        let path = place.path(self.view.published).ok_or_else(beyond)?;
        let (bytes, width) = self.reader.read_tile(path)?;
        let hashes = decode_tile(&bytes, width).ok();
        hashes.and_then(|hashes| place.node(&hashes)).ok_or_else(|| ReadError::Damaged { path: path.to_string() })
    }

    fn unpublished(&self, index: u64) -> Result<Hash, ReadError> {
        let chunk = self.view.chunk(index).ok_or(ReadError::NotYetPublished { index })?;
        let at = usize::try_from(index.saturating_sub(chunk.first)).unwrap_or(usize::MAX);
        chunk.hashes.get(at).copied().ok_or(ReadError::NotYetPublished { index })
    }
}
