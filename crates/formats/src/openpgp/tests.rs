use super::*;
use crate::vectors::signing_key;
use ed25519_dalek::Signer;
use proptest::prelude::*;

fn key() -> PublicKey {
    PublicKey { created: 1_700_000_000, point: signing_key('A').verifying_key().to_bytes() }
}

fn hashed(hash: Hash, document: &[u8]) -> Hasher {
    let mut hasher = Hasher::new(hash);
    hasher.update(document);
    hasher
}

fn signed(hash: Hash, document: &[u8]) -> Vec<u8> {
    let unsigned = Unsigned { key: key(), hash, created: 1_700_000_100 };
    let tbs = unsigned.tbs(hashed(hash, document));
    unsigned.packet(&tbs, &signing_key('A').sign(&tbs).to_bytes())
}

#[test]
fn a_signature_is_read_back_and_good_for_its_document_and_key_only() {
    for hash in [Hash::Sha256, Hash::Sha512] {
        let packet = signed(hash, b"document");
        for file in [packet.clone(), armor(Block::Signature, &packet).into_bytes()] {
            let [signature] = Signature::read_all(&file).unwrap().try_into().unwrap();
            assert_eq!((signature.hash(), signature.created()), (hash, 1_700_000_100));
            assert_eq!(signature.issuer(), Some(&key().fingerprint()));
            assert_eq!(signature.verify(&key().point, hashed(hash, b"document")), Ok(()));
            assert_eq!(signature.verify(&key().point, hashed(hash, b"documents")), Err(OpenpgpError::Mismatch));
            let other = signing_key('B').verifying_key().to_bytes();
            assert_eq!(signature.verify(&other, hashed(hash, b"document")), Err(OpenpgpError::Mismatch));
        }
    }
}

#[test]
fn every_flipped_bit_of_what_is_hashed_or_signed_is_noticed() {
    let packet = signed(Hash::Sha512, b"document");
    let unhashed = 2 + 4 + 2 + 29;
    for at in 0..packet.len() {
        // The issuer's id and the first bytes of the digest are hints, which nothing depends on.
        if (unhashed..unhashed + 2 + 10 + 2).contains(&at) {
            continue;
        }
        for bit in 0..8 {
            let mut bad = packet.clone();
            bad[at] ^= 1 << bit;
            let good = Signature::read_all(&bad)
                .is_ok_and(|all| all.iter().any(|s| s.verify(&key().point, hashed(s.hash(), b"document")).is_ok()));
            assert!(!good, "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn a_state_that_no_document_has_is_refused() {
    let state = hashed(Hash::Sha512, &[7; 300]).state();
    assert_eq!((state.words.len(), state.length, state.tail.len()), (64, 300, 44));
    let refused = |change: fn(&mut HashState)| {
        let mut bad = state.clone();
        change(&mut bad);
        Hasher::resume(&bad).err()
    };
    assert_eq!(refused(|_| {}), None);
    assert_eq!(refused(|s| s.words.truncate(32)), Some(StateError::Words { hash: "sha512", expected: 64, found: 32 }));
    assert_eq!(refused(|s| s.length = u64::MAX), Some(StateError::Length));
    assert_eq!(refused(|s| s.length += 1), Some(StateError::Tail { length: 301, found: 44 }));
    assert_eq!(refused(|s| s.tail.clear()), Some(StateError::Tail { length: 300, found: 0 }));
    assert!(refused(|s| s.hash = Hash::Sha256).is_some());
}

#[test]
fn armor_that_was_changed_is_refused() {
    let text = armor(Block::Signature, &signed(Hash::Sha512, b"document"));
    assert!(dearmor(Block::Signature, &text.replace("\n\n", "\nComment: hello\n\n")).is_ok());
    for bad in
        [text.replacen('\n', "x\n", 1), text.replace("END", "FIN"), text.replace("SIGNATURE", "MESSAGE"), text.replace("\n=", "\n=A")]
    {
        assert!(dearmor(Block::Signature, &bad).is_err(), "{bad}");
    }
    assert!(dearmor(Block::PublicKey, &text).is_err());
    let first = text.lines().nth(2).unwrap();
    assert!(matches!(dearmor(Block::Signature, &text.replace(first, &first.replace('A', "B"))), Err(OpenpgpError::Armor { .. })));
}

proptest! {
    #[test]
    fn a_hash_goes_on_elsewhere_as_if_nothing_had_happened(
        before in proptest::collection::vec(any::<u8>(), 0..600), after in proptest::collection::vec(any::<u8>(), 0..300), long: bool,
    ) {
        let hash = if long { Hash::Sha512 } else { Hash::Sha256 };
        let state = hashed(hash, &before).state();
        prop_assert_eq!(state.length, before.len() as u64);
        let mut elsewhere = Hasher::resume(&state).unwrap();
        prop_assert_eq!(elsewhere.state(), state);
        elsewhere.update(&after);
        prop_assert_eq!(elsewhere.finish(), hashed(hash, &[before, after].concat()).finish());
    }

    #[test]
    fn numbers_of_any_length_are_read_back(mut bytes: [u8; 32], zeros in 0_usize..32) {
        bytes[..zeros].fill(0);
        let mut out = Vec::new();
        packet::write_mpi(&mut out, &bytes);
        out.push(9);
        prop_assert_eq!(packet::read_mpi(&out), Some((bytes, [9].as_slice())));
    }

    #[test]
    fn no_bytes_make_the_reader_stumble(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Signature::read_all(&bytes);
        let _ = is_signature(&bytes);
    }
}
