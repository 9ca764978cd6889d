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
    /// By level: complete nodes with a new leaf below them, and the index of the first.
    levels: Vec<(u64, Vec<Hash>)>,
    /// By level: the peak of the tree before, where it had one.
    peaks_before: Vec<Option<Hash>>,
    /// By level: hash of the last `size mod 2^level` leaves, where there are any. The last of them is the root.
    ragged: Vec<Option<Hash>>,
}

impl Batch {
    /// Appends the hashes of leaves to a tree.
    #[must_use]
    pub fn append(edge: &mut Edge, leaves: &[Hash]) -> Self {
        let first = edge.size();
        let size = first.saturating_add(u64::try_from(leaves.len()).unwrap_or(u64::MAX));
        let peaks_before = by_level(edge);
        let mut levels = vec![(first, leaves.to_vec())];
        while let Some(above) =
            levels.last().and_then(|(start, nodes)| parents(*start, nodes, peaks_before.get(levels.len().wrapping_sub(1))))
        {
            levels.push(above);
        }
        let mut batch = Self { first, size, levels, peaks_before, ragged: Vec::new() };
        // Each node is hashed once: the new edge is taken from the levels instead of being grown leaf by leaf.
        let peaks =
            (0..bits(size)).rev().filter(|level| (size >> level) & 1 == 1).filter_map(|level| batch.node(level, (size >> level) ^ 1));
        *edge = Edge { size, peaks: peaks.collect() };
        batch.ragged = ragged(edge);
        batch
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
    pub fn root(&self) -> Hash {
        self.ragged.last().copied().flatten().unwrap_or(Hash::EMPTY_ROOT)
    }

    /// Inclusion proof of a new leaf in the new tree, sibling of the leaf first; `None` when the leaf is not a new one.
    #[must_use]
    pub fn inclusion_proof(&self, index: u64) -> Option<Vec<Hash>> {
        if index < self.first {
            return None;
        }
        let mut proof = Vec::with_capacity(self.ragged.len());
        for step in inclusion_path(index, self.size)? {
            proof.push(match step {
                Step::Complete { level, index } => self.node(level, index),
                Step::Ragged { level } => *self.ragged.get(usize::from(level))?,
            }?);
        }
        Some(proof)
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

/// How many levels a tree of this size has complete nodes on.
fn bits(size: u64) -> u8 {
    u8::try_from(u64::BITS.saturating_sub(size.leading_zeros())).unwrap_or(64)
}

fn by_level(edge: &Edge) -> Vec<Option<Hash>> {
    let mut peaks = edge.peaks.iter().rev().copied();
    (0..bits(edge.size)).map(|level| if (edge.size >> level) & 1 == 1 { peaks.next() } else { None }).collect()
}

fn ragged(edge: &Edge) -> Vec<Option<Hash>> {
    let mut out = Vec::with_capacity(edge.peaks.len());
    let mut below = None;
    for peak in by_level(edge) {
        out.push(below);
        below = match (peak, below) {
            (Some(left), Some(right)) => Some(node_hash(&left, &right)),
            (peak, below) => peak.or(below),
        };
    }
    out.push(below);
    out
}
