//! Inclusion proofs for leaves that were just appended, made without any stored node.

use crate::edge::Edge;
use crate::hash::{Hash, node_hash};
use crate::proof::{Step, inclusion_path};

/// The new part of a tree after some leaves were appended.
///
/// A proof for a new leaf needs three kinds of nodes: complete nodes above new leaves, peaks of the tree as it was before,
/// and the one incomplete subtree at the right border.
#[derive(Debug, Clone)]
pub struct Batch {
    first: u64,
    size: u64,
    root: Hash,
    /// By level: complete nodes with a new leaf below them, and the index of the first.
    levels: Vec<(u64, Vec<Hash>)>,
    /// By level: the peak of the tree before, where it had one.
    peaks_before: Vec<Option<Hash>>,
    /// By level: hash of the last `size mod 2^level` leaves, where there are any.
    ragged: Vec<Option<Hash>>,
}

impl Batch {
    /// Appends the hashes of leaves to a tree.
    #[must_use]
    pub fn append(edge: &mut Edge, leaves: &[Hash]) -> Self {
        let first = edge.size();
        let peaks_before = by_level(edge);
        let mut levels = vec![(first, leaves.to_vec())];
        while let Some(above) =
            levels.last().and_then(|(start, nodes)| parents(*start, nodes, peaks_before.get(levels.len().wrapping_sub(1))))
        {
            levels.push(above);
        }
        leaves.iter().for_each(|leaf| edge.push(*leaf));
        Self { first, size: edge.size(), root: edge.root(), levels, peaks_before, ragged: ragged(edge) }
    }

    /// Index of the first new leaf.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// Size of the tree with the new leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Root of the tree with the new leaves.
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// Inclusion proof of a new leaf in the new tree, sibling of the leaf first; `None` when the leaf is not a new one.
    #[must_use]
    pub fn inclusion_proof(&self, index: u64) -> Option<Vec<Hash>> {
        if index < self.first {
            return None;
        }
        inclusion_path(index, self.size)?
            .map(|step| match step {
                Step::Complete { level, index } => self.node(level, index),
                Step::Ragged { level } => *self.ragged.get(usize::from(level))?,
            })
            .collect()
    }

    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        let level = usize::from(level);
        let new = self.levels.get(level).and_then(|(start, nodes)| nodes.get(usize::try_from(index.checked_sub(*start)?).ok()?));
        new.copied().or_else(|| *self.peaks_before.get(level)?)
    }
}

/// The complete nodes one level up that have a new leaf below them.
fn parents(start: u64, nodes: &[Hash], peak: Option<&Option<Hash>>) -> Option<(u64, Vec<Hash>)> {
    let (head, rest) = match (start & 1 == 1, peak, nodes.split_first()) {
        (true, Some(Some(peak)), Some((first, rest))) => (Some(node_hash(peak, first)), rest),
        _ => (None, nodes),
    };
    let pairs = rest.chunks_exact(2).filter_map(|pair| Some(node_hash(pair.first()?, pair.last()?)));
    let above: Vec<Hash> = head.into_iter().chain(pairs).collect();
    (!above.is_empty()).then_some((start >> 1, above))
}

fn by_level(edge: &Edge) -> Vec<Option<Hash>> {
    let mut peaks = edge.peaks().iter().rev();
    let levels = u64::BITS.saturating_sub(edge.size().leading_zeros());
    (0..levels).map(|l| if edge.size().checked_shr(l)? & 1 == 1 { peaks.next().copied() } else { None }).collect()
}

fn ragged(edge: &Edge) -> Vec<Option<Hash>> {
    let mut below = None;
    let mut out = Vec::new();
    for peak in by_level(edge) {
        out.push(below);
        below = match (peak, below) {
            (Some(left), Some(right)) => Some(node_hash(&left, &right)),
            (peak, below) => peak.or(below),
        };
    }
    out
}
