//! Proofs against the definition of RFC 6962, and against what was published.

use crate::*;
use proptest::prelude::*;
use std::convert::Infallible;

/// MTH of RFC 6962 section 2.1, as it is written there.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::EMPTY_ROOT,
        [one] => *one,
        _ => {
            let k = leaves.len().next_power_of_two() / 2;
            node_hash(&mth(&leaves[..k]), &mth(&leaves[k..]))
        }
    }
}

struct Stored(Vec<Hash>);

impl NodeSource for Stored {
    type Error = Infallible;
    fn node(&self, level: u8, index: u64) -> Result<Hash, Infallible> {
        let width = 1 << level;
        let start = usize::try_from(index).unwrap() * width;
        Ok(mth(&self.0[start..start + width]))
    }
}

fn leaves(n: usize) -> Vec<Hash> {
    (0..n).map(|i| leaf_hash(format!("entry {i}").as_bytes())).collect()
}

#[test]
fn every_proof_of_every_small_tree_verifies_and_no_other_index_or_root_does() {
    for size in 1..40_usize {
        let all = leaves(size);
        let (root, n) = (mth(&all), size as u64);
        let stored = Stored(all.clone());
        assert_eq!(root_at(&stored, n).unwrap(), root);
        for (index, leaf) in (0_u64..).zip(&all) {
            let proof = inclusion_proof(&stored, index, n).unwrap();
            assert_eq!(verify_inclusion(leaf, index, n, &proof, &root), Ok(()));
            assert!(verify_inclusion(leaf, (index + 1) % n, n, &proof, &root).is_err() || n == 1);
            assert!(verify_inclusion(leaf, index, n, &proof, &leaf_hash(b"other")).is_err());
        }
        for old in 0..=size {
            let proof = consistency_proof(&stored, old as u64, n).unwrap();
            assert_eq!(verify_consistency(old as u64, &mth(&all[..old]), n, &root, &proof), Ok(()), "{old} {n}");
            assert!(verify_consistency(old as u64, &leaf_hash(b"other"), n, &root, &proof).is_err());
        }
    }
}

proptest! {
    #[test]
    fn a_batch_proves_its_leaves_as_the_stored_tree_does(before in 0..300_usize, added in 1..70_usize) {
        let all = leaves(before + added);
        let mut edge = Edge::new();
        all[..before].iter().for_each(|l| edge.push(*l));
        let batch = Batch::append(&mut edge, &all[before..]);
        prop_assert_eq!(batch.root(), mth(&all));
        prop_assert_eq!(edge.root(), mth(&all));
        let stored = Stored(all.clone());
        for index in batch.first()..batch.size() {
            prop_assert_eq!(batch.inclusion_proof(index).unwrap(), inclusion_proof(&stored, index, batch.size()).unwrap());
        }
        prop_assert!(batch.inclusion_proof(batch.size()).is_none());
    }
}
