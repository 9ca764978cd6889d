//! The right edge of a log's tiles: the hashes of the partial tile of each level.

use chancery_tlog::{Edge, EdgeError, Hash, TILE_WIDTH};

/// The hashes of the partial tile of each level, lowest level first. A level whose last tile is full, or that has none, is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RightEdge {
    pub(crate) levels: Vec<Vec<Hash>>,
}

impl RightEdge {
    /// The widths that the partial tiles of a tree have, lowest level first.
    pub(crate) fn widths(size: u64) -> impl Iterator<Item = u16> {
        std::iter::successors(Some(size), |left| Some(left >> 8).filter(|left| *left > 0))
            .map(|left| u16::try_from(left & u64::from(TILE_WIDTH).saturating_sub(1)).unwrap_or(0))
    }

    /// The same edge as the roots of complete subtrees. Its root says whether the hashes are those of a signed tree.
    pub(crate) fn to_edge(&self, size: u64) -> Result<Edge, EdgeError> {
        let mut peaks = Vec::new();
        for hashes in self.levels.iter().rev() {
            let mut rest = hashes.as_slice();
            while !rest.is_empty() {
                // A partial tile of 5 hashes stands for subtrees of 4 and of 1: the bits of its width.
                let largest = 1_usize << rest.len().ilog2();
                let (subtree, after) = rest.split_at_checked(largest).unwrap_or((rest, &[]));
                peaks.push(subtree_root(subtree));
                rest = after;
            }
        }
        Edge::from_peaks(size, peaks)
    }
}

/// The root of a complete subtree of hashes (of one tile, or a power of two of them).
pub(crate) fn subtree_root(hashes: &[Hash]) -> Hash {
    let mut edge = Edge::new();
    hashes.iter().for_each(|hash| edge.push(*hash));
    edge.root()
}
