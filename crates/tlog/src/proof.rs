//! Inclusion and consistency proofs: made from stored nodes, and verified (RFC 9162 section 2.1.3 and 2.1.4).

use crate::hash::{Hash, node_hash};

/// Where the nodes of a tree are stored.
pub trait NodeSource {
    /// Why a node could not be read.
    type Error;

    /// Hash of the complete subtree of `2^level` leaves that begins at leaf `index << level`.
    ///
    /// # Errors
    /// When the node cannot be read.
    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

/// Why a proof could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ProveError<E: std::error::Error + 'static> {
    /// There is no such proof: the index or the older size is beyond the tree.
    #[error("a tree of {size} leaves has no proof for {asked}")]
    Beyond {
        /// Index or older size that was asked for.
        asked: u64,
        /// Size of the tree.
        size: u64,
    },
    /// A node could not be read.
    #[error("a node of the tree could not be read")]
    Source(#[source] E),
}

/// Why a proof was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The index is not below the size, or the older size is above the newer.
    #[error("the proof is for a leaf or a size beyond the tree")]
    Beyond,
    /// There are more or fewer hashes than a tree of this shape has on that path.
    #[error("the proof has the wrong number of hashes")]
    Length,
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// One hash of an inclusion proof.
pub(crate) enum Step {
    /// The complete subtree of `2^level` leaves with this index.
    Complete { level: u8, index: u64 },
    /// The last `size mod 2^level` leaves.
    Ragged { level: u8 },
}

/// What an inclusion proof consists of, sibling of the leaf first; `None` when the index is not below the size.
pub(crate) fn inclusion_path(index: u64, size: u64) -> Option<impl Iterator<Item = Step>> {
    (index < size).then(|| {
        let levels = u64::BITS.saturating_sub(size.saturating_sub(1).leading_zeros());
        (0..u8::try_from(levels).unwrap_or(64)).filter_map(move |level| {
            let sibling = (index >> level) ^ 1;
            let complete = size >> level;
            if sibling < complete {
                Some(Step::Complete { level, index: sibling })
            } else if sibling == complete && size & ((1_u64 << level).wrapping_sub(1)) != 0 {
                Some(Step::Ragged { level })
            } else {
                None
            }
        })
    })
}

/// Hash of the last `size mod 2^level` leaves of a tree, which must not be none.
fn ragged<S: NodeSource>(source: &S, size: u64, level: u8) -> Result<Option<Hash>, S::Error> {
    let mut right: Option<Hash> = None;
    for l in 0..level {
        if (size >> l) & 1 == 1 {
            let left = source.node(l, (size >> l) ^ 1)?;
            right = Some(right.map_or(left, |r| node_hash(&left, &r)));
        }
    }
    Ok(right)
}

/// Inclusion proof of a leaf, sibling of the leaf first.
///
/// # Errors
/// [`ProveError`] when the leaf is beyond the tree or a node cannot be read.
pub fn inclusion_proof<S: NodeSource>(source: &S, index: u64, size: u64) -> Result<Vec<Hash>, ProveError<S::Error>>
where
    S::Error: std::error::Error + 'static,
{
    let path = inclusion_path(index, size).ok_or(ProveError::Beyond { asked: index, size })?;
    path.filter_map(|step| match step {
        Step::Complete { level, index } => Some(source.node(level, index)),
        Step::Ragged { level } => ragged(source, size, level).transpose(),
    })
    .collect::<Result<_, _>>()
    .map_err(ProveError::Source)
}

/// Root of the tree of the first `size` leaves.
///
/// # Errors
/// [`ProveError::Source`] when a node cannot be read.
pub fn root_at<S: NodeSource>(source: &S, size: u64) -> Result<Hash, ProveError<S::Error>>
where
    S::Error: std::error::Error + 'static,
{
    let levels = u64::BITS.saturating_sub(size.leading_zeros());
    let root = ragged(source, size, u8::try_from(levels).unwrap_or(64)).map_err(ProveError::Source)?;
    Ok(root.unwrap_or(Hash::EMPTY_ROOT))
}

/// Consistency proof (RFC 6962 section 2.1.2) that the tree of `new` leaves extends the tree of `old` leaves.
///
/// # Errors
/// [`ProveError`] when `old` is above `new` or a node cannot be read.
pub fn consistency_proof<S: NodeSource>(source: &S, old: u64, new: u64) -> Result<Vec<Hash>, ProveError<S::Error>>
where
    S::Error: std::error::Error + 'static,
{
    if old > new {
        return Err(ProveError::Beyond { asked: old, size: new });
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    // The proof is the inclusion path of the last complete subtree of the old tree, and that subtree itself unless it is the whole old tree.
    let level = u8::try_from(old.trailing_zeros()).unwrap_or(63);
    let last = (old >> level).wrapping_sub(1);
    let own = if old.is_power_of_two() { None } else { Some(source.node(level, last)) };
    let path = inclusion_path(last << level, new).ok_or(ProveError::Beyond { asked: old, size: new })?;
    let above = path.filter_map(|step| match step {
        Step::Complete { level: l, index } if l >= level => Some(source.node(l, index)),
        Step::Ragged { level: l } if l >= level => ragged(source, new, l).transpose(),
        _ => None,
    });
    own.into_iter().chain(above).collect::<Result<_, _>>().map_err(ProveError::Source)
}

/// Checks that the leaf with this hash stands at `index` in the tree of `size` leaves with this root (RFC 9162 section 2.1.3.2).
///
/// # Errors
/// [`ProofError`] says what does not fit.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Beyond);
    }
    let (mut position, mut last, mut hash) = (index, size.wrapping_sub(1), *leaf);
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if position & 1 == 1 || position == last {
            hash = node_hash(sibling, &hash);
            while position & 1 == 0 && position != 0 {
                position >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        position >>= 1;
        last >>= 1;
    }
    match (last == 0, hash == *root) {
        (false, _) => Err(ProofError::Length),
        (true, false) => Err(ProofError::Root),
        (true, true) => Ok(()),
    }
}

/// Checks that the newer tree extends the older one (RFC 9162 section 2.1.4.2). Every tree extends the empty one.
///
/// # Errors
/// [`ProofError`] says what does not fit; two trees of one size must have one root.
pub fn verify_consistency(old: u64, old_root: &Hash, new: u64, new_root: &Hash, proof: &[Hash]) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::Beyond);
    }
    if old == 0 || old == new {
        return match (proof.is_empty(), old == new, old == 0) {
            (false, ..) => Err(ProofError::Length),
            (true, true, _) if old_root != new_root => Err(ProofError::Root),
            (true, _, true) if *old_root != Hash::EMPTY_ROOT => Err(ProofError::Root),
            _ => Ok(()),
        };
    }
    let shift = old.trailing_zeros();
    let (mut position, mut last) = (old.wrapping_sub(1) >> shift, new.wrapping_sub(1) >> shift);
    let (start, rest) =
        if old.is_power_of_two() { (*old_root, proof) } else { proof.split_first().map(|(f, r)| (*f, r)).ok_or(ProofError::Length)? };
    let (mut was, mut is) = (start, start);
    for sibling in rest {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if position & 1 == 1 || position == last {
            was = node_hash(sibling, &was);
            is = node_hash(sibling, &is);
            while position & 1 == 0 && position != 0 {
                position >>= 1;
                last >>= 1;
            }
        } else {
            is = node_hash(&is, sibling);
        }
        position >>= 1;
        last >>= 1;
    }
    match (last == 0, was == *old_root && is == *new_root) {
        (false, _) => Err(ProofError::Length),
        (true, false) => Err(ProofError::Root),
        (true, true) => Ok(()),
    }
}
