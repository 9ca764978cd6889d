//! The right edge of a tree: all that is needed to append to it.

use crate::hash::{Hash, node_hash};

/// The roots of the complete subtrees that a tree consists of, largest first: one for each bit that is set in the size.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edge {
    pub(crate) size: u64,
    pub(crate) peaks: Vec<Hash>,
}

/// The number of peaks does not fit the size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a tree of {size} leaves has {} peaks, not {peaks}", size.count_ones())]
pub struct EdgeError {
    size: u64,
    peaks: usize,
}

impl Edge {
    /// The edge of the empty tree.
    #[must_use]
    pub const fn new() -> Self {
        Self { size: 0, peaks: Vec::new() }
    }

    /// Takes up an edge that was stored. The caller checks its root.
    ///
    /// # Errors
    /// [`EdgeError`] when there are more or fewer peaks than a tree of this size has.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Result<Self, EdgeError> {
        if usize::try_from(size.count_ones()).is_ok_and(|n| n == peaks.len()) {
            Ok(Self { size, peaks })
        } else {
            Err(EdgeError { size, peaks: peaks.len() })
        }
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The peaks, largest first.
    #[must_use]
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Appends the hash of a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.peaks.push(node);
        self.size = self.size.saturating_add(1);
    }

    /// Root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return Hash::EMPTY_ROOT };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }
}
