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
    fn a_signature_that_was_written_is_read_as_it_was(document in proptest::collection::vec(any::<u8>(), 0..200), created: u32, long: bool) {
        let hash = if long { Hash::Sha512 } else { Hash::Sha256 };
        let unsigned = Unsigned { key: key(), hash, created };
        let tbs = unsigned.tbs(hashed(hash, &document));
        let packet = unsigned.packet(&tbs, &signing_key('A').sign(&tbs).to_bytes());
        let [read] = Signature::read_all(&packet).unwrap().try_into().unwrap();
        prop_assert_eq!(read.created(), created);
        prop_assert_eq!(read.tbs(hashed(hash, &document)), tbs.clone());
        prop_assert_eq!(read.packet(&tbs), packet);
    }

    #[test]
    fn no_bytes_make_the_reader_stumble(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Signature::read_all(&bytes);
        let _ = is_signature(&bytes);
    }
}

mod trust {
    use super::super::*;
    use ed25519_dalek::{Signer as _, SigningKey};

    const MADE: u32 = 1_700_000_000;

    fn key(seed: u8) -> (SigningKey, PublicKey) {
        let secret = SigningKey::from_bytes(&[seed; 32]);
        let point = secret.verifying_key().to_bytes();
        (secret, PublicKey { created: MADE, point })
    }

    fn word(secret: &SigningKey, key: PublicKey, created: u32, expires: Option<u32>) -> Vec<u8> {
        let user = UserId::new("Example <release@example.org>").unwrap();
        let word = SelfSignature::of_user(key, &user, created, expires);
        word.packet(&secret.sign(word.tbs()).to_bytes())
    }

    fn certificate_of(secret: &SigningKey, key: PublicKey, expires: Option<u32>) -> Vec<u8> {
        certificate(&key, &UserId::new("Example <release@example.org>").unwrap(), &word(secret, key, MADE, expires))
    }

    #[test]
    fn the_newest_word_of_the_key_itself_says_when_it_ends() {
        let (secret, public) = key(1);
        let end = MADE + 1000;
        let mut bytes = certificate_of(&secret, public, Some(end));
        let read = Certificate::parse(&bytes).unwrap();
        assert_eq!(read.user_ids, ["Example <release@example.org>"]);
        assert_eq!(read.keys, [CertifiedKey { key: public, expires: Some(end.into()), revoked: false }]);
        let at = |time: u32| read.keys[0].usable_at(Some(time.into()));
        assert_eq!((at(MADE), at(end - 1)), (Ok(()), Ok(())));
        assert_eq!((at(MADE - 1), at(end)), (Err(ValidityError::TooEarly), Err(ValidityError::Expired)));
        assert_eq!(read.keys[0].usable_at(None), Err(ValidityError::NoTime));
        // Somebody else's word changes nothing, the key's own later one does.
        let (other, _) = key(2);
        bytes.extend(word(&other, public, MADE + 9, None));
        assert_eq!(Certificate::parse(&bytes).unwrap(), read);
        bytes.extend(word(&secret, public, MADE + 9, None));
        assert_eq!(Certificate::parse(&bytes).unwrap().keys[0].expires, None);
        let armored = armor(Block::PublicKey, &bytes);
        assert_eq!(Certificate::parse(armored.as_bytes()), Certificate::parse(&bytes));
    }

    #[test]
    fn a_revocation_by_the_key_counts_whenever_it_was_made_and_one_by_another_does_not() {
        let (secret, public) = key(1);
        let bytes = certificate_of(&secret, public, None);
        let revocation = SelfSignature::of_revocation(public, MADE + 5, "replaced");
        let with = |by: &SigningKey| {
            let packet = revocation.packet(&by.sign(revocation.tbs()).to_bytes());
            // A revocation of the key stands right behind it.
            let at = packet::write(6, &public.body()).len();
            Certificate::parse(&[&bytes[..at], &packet, &bytes[at..]].concat()).unwrap().keys[0].usable_at(Some(MADE.into()))
        };
        assert_eq!(with(&secret), Err(ValidityError::Revoked));
        assert_eq!(with(&key(2).0), Ok(()));
    }

    #[test]
    fn what_is_changed_or_not_certified_is_refused() {
        let (secret, public) = key(1);
        let bytes = certificate_of(&secret, public, Some(MADE + 1000));
        let head = packet::write(6, &public.body());
        assert!(Certificate::parse(&head).is_err(), "a bare key");
        assert!(Certificate::parse(&[bytes.as_slice(), &bytes].concat()).is_err(), "two certificates");
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            let read = Certificate::parse(&flipped);
            // What is not hashed (the key's id, the digest's first bytes) may be anything.
            let same = read.as_ref().is_ok_and(|r| Some(r) == Certificate::parse(&bytes).as_ref().ok());
            assert!(read.is_err() || same, "byte {at}: {read:?}");
            assert!(Certificate::parse(&bytes[..at]).is_err(), "cut at {at}");
        }
    }
}
