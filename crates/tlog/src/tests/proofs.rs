//! Proofs and roots against the definition of RFC 6962.

use super::*;

#[test]
fn every_proof_of_every_small_tree_verifies_and_no_other_index_or_root_does() {
    for size in 1..40_usize {
        let all = leaves(size);
        let (root, n) = (mth(&all), size as u64);
        let stored = Stored::new(&all);
        assert_eq!(root_at(&stored, n).unwrap(), root);
        assert_eq!(edge(&all).root(), root);
        for (index, leaf) in (0_u64..).zip(&all) {
            let proof = inclusion_proof(&stored, index, n).unwrap();
            assert_eq!(verify_inclusion(leaf, index, n, &proof, &root), Ok(()));
            assert!(verify_inclusion(leaf, (index + 1) % n, n, &proof, &root).is_err() || n == 1);
            assert_eq!(verify_inclusion(leaf, index, n, &proof, &leaf_hash(b"other")), Err(ProofError::Root));
        }
        for old in 0..=size {
            let proof = consistency_proof(&stored, old as u64, n).unwrap();
            assert_eq!(verify_consistency(old as u64, &mth(&all[..old]), n, &root, &proof), Ok(()), "{old} {n}");
            assert_eq!(verify_consistency(old as u64, &leaf_hash(b"other"), n, &root, &proof), Err(ProofError::Root));
            if (1..size).contains(&old) {
                let other = verify_consistency(old as u64, &mth(&all[..old]), n, &leaf_hash(b"other"), &proof);
                assert_eq!(other, Err(ProofError::Root));
            }
        }
    }
}

/// A tree whose leaves are all the same one, so that trees of any size can be had.
struct Same(Vec<Hash>);

impl Same {
    fn new() -> Self {
        let levels = std::iter::successors(Some(leaf_hash(b"same")), |below| Some(node_hash(below, below)));
        Self(levels.take(64).collect())
    }

    fn edge(&self, size: u64) -> Edge {
        let peaks = (0..64).rev().filter(|level| size >> level & 1 == 1).map(|level| self.0[level]);
        Edge::from_peaks(size, peaks.collect()).unwrap()
    }
}

impl NodeSource for Same {
    type Error = Infallible;
    fn node(&self, level: u8, index: u64) -> Result<Hash, Infallible> {
        assert!(index.checked_shl(level.into()).is_some_and(|first| first >> level == index), "no such node: {level} {index}");
        Ok(self.0[usize::from(level)])
    }
}

/// Sizes of every magnitude, many of them beside a power of two.
fn size() -> impl Strategy<Value = u64> {
    (0..64_u32, any::<u64>(), 0..5_u64).prop_map(|(level, low, near)| match near {
        0 => low >> level,
        near => (1_u64 << level).wrapping_add(near).wrapping_sub(2),
    })
}

proptest! {
    #[test]
    fn a_batch_proves_its_leaves_as_the_stored_tree_does(before in 0..300_usize, added in 0..300_usize) {
        let all = leaves(before + added);
        let mut after = edge(&all[..before]);
        let batch = Batch::append(&mut after, &all[before..]);
        prop_assert_eq!((batch.first(), batch.size()), (before as u64, (before + added) as u64));
        prop_assert_eq!(batch.root(), mth(&all));
        prop_assert_eq!(&after, &edge(&all), "as leaf by leaf");
        prop_assert_eq!(&Edge::from_peaks(after.size(), after.peaks().to_vec()).unwrap(), &after);
        let stored = Stored::new(&all);
        for index in batch.first()..batch.size() {
            prop_assert_eq!(batch.inclusion_proof(index).unwrap(), inclusion_proof(&stored, index, batch.size()).unwrap());
        }
        prop_assert!(batch.inclusion_proof(batch.size()).is_none());
        prop_assert!(before == 0 || batch.inclusion_proof(batch.first() - 1).is_none());
    }

    #[test]
    fn trees_of_any_size_have_proofs_that_verify(size in size(), index in any::<prop::sample::Index>(), added in 1..5_usize) {
        let same = Same::new();
        let size = size.clamp(1, u64::MAX - 5);
        let index = u64::try_from(index.index(usize::try_from(size).unwrap())).unwrap();
        let root = root_at(&same, size).unwrap();
        prop_assert_eq!(same.edge(size).root(), root);
        let proof = inclusion_proof(&same, index, size).unwrap();
        prop_assert_eq!(verify_inclusion(&same.0[0], index, size, &proof, &root), Ok(()));
        let proof = consistency_proof(&same, index, size).unwrap();
        let older = root_at(&same, index).unwrap();
        prop_assert_eq!(verify_consistency(index, &older, size, &root, &proof), Ok(()));

        let mut edge = same.edge(size);
        let batch = Batch::append(&mut edge, &vec![same.0[0]; added]);
        prop_assert_eq!(edge, same.edge(batch.size()));
        for index in size..batch.size() {
            prop_assert_eq!(batch.inclusion_proof(index).unwrap(), inclusion_proof(&same, index, batch.size()).unwrap());
        }
    }

    #[test]
    fn a_changed_proof_is_refused(
        size in 2..200_usize, which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), change in 0..4, bit in 0..256_usize,
    ) {
        let all = leaves(size);
        let (stored, root, size) = (Stored::new(&all), mth(&all), size as u64);
        let index = which.index(all.len());
        let damage = |mut proof: Vec<Hash>| {
            let place = at.index(proof.len());
            match change {
                0 => proof[place].0[bit / 8] ^= 1 << (bit % 8),
                1 => drop(proof.remove(place)),
                2 => proof.insert(place, leaf_hash(b"other")),
                _ => proof.push(leaf_hash(b"other")),
            }
            proof
        };
        let proof = damage(inclusion_proof(&stored, index as u64, size).unwrap());
        prop_assert!(verify_inclusion(&all[index], index as u64, size, &proof, &root).is_err());
        if index > 0 {
            let proof = damage(consistency_proof(&stored, index as u64, size).unwrap());
            prop_assert!(verify_consistency(index as u64, &mth(&all[..index]), size, &root, &proof).is_err());
        }
    }

    #[test]
    fn any_numbers_and_hashes_are_refused_without_a_panic(index in size(), size in size(), count in 0..70_usize) {
        let proof = vec![leaf_hash(b"other"); count];
        let root = leaf_hash(b"root");
        prop_assert!(verify_inclusion(&leaf_hash(b"leaf"), index, size, &proof, &root).is_err());
        let consistent = verify_consistency(index, &leaf_hash(b"old"), size, &root, &proof);
        prop_assert!(consistent.is_err());
    }
}

#[test]
fn proofs_beyond_the_tree_or_of_another_length_are_named_as_such() {
    let all = leaves(8);
    let (stored, root) = (Stored::new(&all), mth(&all));
    let proof = inclusion_proof(&stored, 7, 8).unwrap();
    assert_eq!(verify_inclusion(&all[7], 8, 8, &proof, &root), Err(ProofError::Beyond));
    assert_eq!(verify_inclusion(&all[0], 0, 0, &[], &Hash::EMPTY_ROOT), Err(ProofError::Beyond));
    assert_eq!(verify_inclusion(&all[7], 7, 8, &proof[..2], &root), Err(ProofError::Length));
    assert_eq!(verify_inclusion(&all[0], 0, 1, &proof[..1], &all[0]), Err(ProofError::Length), "a tree of one leaf has no hashes");
    assert_eq!(verify_inclusion(&all[0], 0, 1, &[], &all[0]), Ok(()));
    assert_eq!(verify_inclusion(&all[7], 7, 8, &[root; 64], &root), Err(ProofError::Length));
    assert!(matches!(inclusion_proof(&stored, 8, 8), Err(ProveError::Beyond { asked: 8, size: 8 })));
    assert!(matches!(consistency_proof(&stored, 9, 8), Err(ProveError::Beyond { asked: 9, size: 8 })));
    assert_eq!(verify_consistency(9, &root, 8, &root, &[]), Err(ProofError::Beyond));
    let proof = consistency_proof(&stored, 3, 8).unwrap();
    assert_eq!(verify_consistency(3, &mth(&all[..3]), 8, &root, &proof[1..]), Err(ProofError::Length));
    assert_eq!(verify_consistency(3, &mth(&all[..3]), 8, &root, &[]), Err(ProofError::Length));
}

#[test]
fn a_tree_extends_itself_and_the_empty_one_with_no_hashes() {
    let all = leaves(5);
    let root = mth(&all);
    assert_eq!(verify_consistency(5, &root, 5, &root, &[]), Ok(()));
    assert_eq!(verify_consistency(5, &root, 5, &leaf_hash(b"fork"), &[]), Err(ProofError::Root), "two roots of one size are a fork");
    assert_eq!(verify_consistency(5, &root, 5, &root, &[root]), Err(ProofError::Length));
    assert_eq!(verify_consistency(0, &Hash::EMPTY_ROOT, 5, &root, &[]), Ok(()));
    assert_eq!(verify_consistency(0, &root, 5, &root, &[]), Err(ProofError::Root), "the empty tree has one root");
    assert_eq!(verify_consistency(0, &root, 0, &root, &[]), Err(ProofError::Root));
    assert_eq!(verify_consistency(0, &Hash::EMPTY_ROOT, 5, &root, &[root]), Err(ProofError::Length));
    assert_eq!(Edge::new().root(), Hash::EMPTY_ROOT);
    assert_eq!(Batch::append(&mut Edge::new(), &[]).root(), Hash::EMPTY_ROOT);
    assert_eq!(root_at(&Stored::new(&all), 0).unwrap(), Hash::EMPTY_ROOT);
}

#[test]
fn an_edge_with_peaks_for_another_size_is_refused() {
    let all = leaves(7);
    let peaks = edge(&all).peaks().to_vec();
    assert_eq!(peaks, [mth(&all[..4]), mth(&all[4..6]), all[6]], "largest first");
    let error = Edge::from_peaks(8, peaks.clone()).unwrap_err();
    assert_eq!(error.to_string(), "a tree of 8 leaves has 1 peaks, not 3");
    assert!(Edge::from_peaks(7, peaks[1..].to_vec()).is_err());
}

#[derive(Debug, thiserror::Error)]
#[error("the disk is gone")]
struct Gone;

struct Unreadable;

impl NodeSource for Unreadable {
    type Error = Gone;
    fn node(&self, _: u8, _: u64) -> Result<Hash, Gone> {
        Err(Gone)
    }
}

#[test]
fn what_is_wrong_with_the_store_is_the_source_of_the_error() {
    let said = |error: ProveError<Gone>| std::error::Error::source(&error).map(ToString::to_string);
    assert_eq!(said(inclusion_proof(&Unreadable, 2, 3).unwrap_err()).as_deref(), Some("the disk is gone"));
    assert_eq!(said(inclusion_proof(&Unreadable, 0, 3).unwrap_err()).as_deref(), Some("the disk is gone"));
    assert_eq!(said(consistency_proof(&Unreadable, 2, 3).unwrap_err()).as_deref(), Some("the disk is gone"));
    assert_eq!(said(root_at(&Unreadable, 3).unwrap_err()).as_deref(), Some("the disk is gone"));
}
