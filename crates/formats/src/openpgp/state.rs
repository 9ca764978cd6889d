//! Hashes that can be carried from one machine to another, so that a large file need not be.

use super::Hash;
use sha2::digest::common::hazmat::SerializableState as _;
use sha2::{Digest as _, Sha256, Sha512};

/// More than any file has. A state that claims more would overflow the hash's own count.
const LENGTH_MAX: u64 = 1 << 50;

/// A hash at work.
#[derive(Clone)]
pub enum Hasher {
    /// SHA-256.
    Sha256(Sha256),
    /// SHA-512.
    Sha512(Sha512),
}

/// The state of a hash that took in a whole document (FIPS 180-4 section 6): all that a signer needs of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashState {
    /// The hash.
    pub hash: Hash,
    /// Its eight words after the last whole block, big-endian: 32 or 64 bytes.
    pub words: Vec<u8>,
    /// How many bytes it took in.
    pub length: u64,
    /// Those of them that fill no block yet.
    pub tail: Vec<u8>,
}

/// Why a state cannot be that of any document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The words are too few or too many.
    #[error("the state of {hash} has {expected} bytes of words, this one has {found}")]
    Words {
        /// Name of the hash.
        hash: &'static str,
        /// Its length in bytes.
        expected: usize,
        /// What was given, in bytes.
        found: usize,
    },
    /// The document is longer than any.
    #[error("the document of this hash state would have over 2^50 bytes")]
    Length,
    /// The tail is not what is left of the length after whole blocks.
    #[error("a document of {length} bytes leaves another tail than the {found} bytes that were given")]
    Tail {
        /// Length of the document in bytes.
        length: u64,
        /// Length of the tail in bytes.
        found: usize,
    },
}

impl Hasher {
    /// Begins.
    #[must_use]
    pub fn new(hash: Hash) -> Self {
        match hash {
            Hash::Sha256 => Self::Sha256(Sha256::new()),
            Hash::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    /// Which hash it is.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        match self {
            Self::Sha256(_) => Hash::Sha256,
            Self::Sha512(_) => Hash::Sha512,
        }
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(h) => h.update(bytes),
            Self::Sha512(h) => h.update(bytes),
        }
    }

    /// The digest: 32 or 64 bytes.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        match self {
            Self::Sha256(h) => h.finalize().to_vec(),
            Self::Sha512(h) => h.finalize().to_vec(),
        }
    }

    /// Goes on from a state that came from elsewhere.
    ///
    /// # Errors
    /// [`StateError`] when no document leads to it.
    pub fn resume(state: &HashState) -> Result<Self, StateError> {
        let HashState { hash, words, length, tail } = state;
        let (expected, word, block) = sizes(*hash);
        if words.len() != expected {
            return Err(StateError::Words { hash: hash.name(), expected, found: words.len() });
        }
        if *length > LENGTH_MAX {
            return Err(StateError::Length);
        }
        let bad_tail = StateError::Tail { length: *length, found: tail.len() };
        if length.checked_rem(block) != u64::try_from(tail.len()).ok() {
            return Err(bad_tail);
        }
        let blocks = length.checked_div(block).unwrap_or_default();
        // The layout of sha2 0.11: words and number of blocks little-endian, length of the tail, the tail filled up with zeros.
        let mut bytes: Vec<u8> = words.chunks(word).flat_map(|w| w.iter().rev().copied()).collect();
        bytes.extend_from_slice(&blocks.to_le_bytes());
        if *hash == Hash::Sha512 {
            bytes.extend_from_slice(&[0; 8]);
        }
        bytes.push(u8::try_from(tail.len()).map_err(|_| bad_tail)?);
        bytes.extend_from_slice(tail);
        let whole = expected.saturating_add(word.saturating_mul(2)).saturating_add(usize::try_from(block).unwrap_or_default());
        bytes.resize(whole, 0);
        let bytes = bytes.as_slice();
        match hash {
            Hash::Sha256 => Some(Self::Sha256(Sha256::deserialize(bytes.try_into().map_err(|_| bad_tail)?).map_err(|_| bad_tail)?)),
            Hash::Sha512 => Some(Self::Sha512(Sha512::deserialize(bytes.try_into().map_err(|_| bad_tail)?).map_err(|_| bad_tail)?)),
        }
        .ok_or(bad_tail)
    }

    /// The state, to be sent elsewhere.
    #[must_use]
    pub fn state(&self) -> HashState {
        let bytes = match self {
            Self::Sha256(h) => h.serialize().to_vec(),
            Self::Sha512(h) => h.serialize().to_vec(),
        };
        let hash = self.hash();
        let (words_len, word, block) = sizes(hash);
        let (words, rest) = bytes.split_at_checked(words_len).unwrap_or_default();
        let (count, rest) = rest.split_at_checked(word.saturating_mul(2)).unwrap_or_default();
        let (fill, tail) = rest.split_first().map_or((0, rest), |(fill, tail)| (usize::from(*fill), tail));
        // Nobody hashes 2^64 blocks: the upper half of SHA-512's count is zero.
        let blocks = count.iter().take(8).rev().fold(0_u64, |n, b| n << 8 | u64::from(*b));
        let length = blocks.saturating_mul(block).saturating_add(u64::try_from(fill).unwrap_or_default());
        let words = words.chunks(word).flat_map(|w| w.iter().rev().copied()).collect();
        HashState { hash, words, length, tail: tail.get(..fill).unwrap_or_default().to_vec() }
    }
}

/// Length of all words, of one word, and of a block, in bytes.
const fn sizes(hash: Hash) -> (usize, usize, u64) {
    match hash {
        Hash::Sha256 => (32, 4, 64),
        Hash::Sha512 => (64, 8, 128),
    }
}
