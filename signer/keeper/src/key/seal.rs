//! Sealing: XChaCha20-Poly1305 under a key in locked memory, and Argon2id to make such a key from a passphrase.

use super::locked::{LockError, Locked};
use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

const NONCE: usize = 24;
const TAG: usize = 16;

/// Secret bytes.
pub(super) type SecretBytes<const N: usize> = Locked<Zeroizing<[u8; N]>>;

/// 32 of them: a seed, or a key that seals.
pub(super) type Secret = SecretBytes<32>;

/// What a passphrase is turned into a key with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) memory_kib: u32,
    pub(super) passes: u32,
    pub(super) lanes: u32,
}

impl Cost {
    /// 64 MiB and three passes: the second recommendation of RFC 9106 section 4, with one lane.
    pub(super) const USUAL: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 };
    /// More would be somebody's attempt to keep the keeper busy.
    const GREATEST: Self = Self { memory_kib: 4 * 1024 * 1024, passes: 64, lanes: 16 };

    fn is_bearable(self) -> bool {
        let Self { memory_kib, passes, lanes } = Self::GREATEST;
        self.memory_kib <= memory_kib && self.passes <= passes && self.lanes <= lanes
    }
}

/// Why a secret could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// No locked memory.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The kernel gave no random bytes.
    #[error("the kernel gave no random bytes")]
    Random(#[source] getrandom::Error),
    /// The numbers for Argon2id are out of bounds.
    #[error("the [kdf] numbers are outside of what Argon2id and this program take")]
    Cost,
    /// Wrong key, or something was changed.
    #[error("it does not open")]
    Sealed,
}

/// A secret of zeros, to be filled.
pub(super) fn empty<const N: usize>() -> Result<SecretBytes<N>, SealError> {
    Ok(Locked::new(|| Zeroizing::new([0; N]))?)
}

/// A fresh secret.
pub(super) fn random() -> Result<Secret, SealError> {
    let mut secret: Secret = empty()?;
    getrandom::fill(secret.as_mut_slice()).map_err(SealError::Random)?;
    Ok(secret)
}

/// The key that a passphrase gives.
pub(super) fn key_from(passphrase: &[u8], salt: &[u8], cost: Cost) -> Result<Secret, SealError> {
    if !cost.is_bearable() {
        return Err(SealError::Cost);
    }
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).map_err(|_| SealError::Cost)?;
    let mut key: Secret = empty()?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(passphrase, salt, key.as_mut_slice()).map_err(|_| SealError::Cost)?;
    Ok(key)
}

/// Seals a secret, bound to `public`: it opens only together with exactly these bytes. Gives nonce, sealed bytes and tag.
pub(super) fn seal<const N: usize>(key: &Secret, public: &[u8], secret: &SecretBytes<N>) -> Result<Vec<u8>, SealError> {
    let mut nonce = [0_u8; NONCE];
    getrandom::fill(&mut nonce).map_err(SealError::Random)?;
    let mut body = Zeroizing::new(***secret);
    let tag =
        cipher(key).encrypt_inout_detached(&XNonce::from(nonce), public, body.as_mut_slice().into()).map_err(|_| SealError::Sealed)?;
    Ok(nonce.iter().chain(body.iter()).chain(tag.iter()).copied().collect())
}

/// Opens what [`seal`] made of a secret of this length.
pub(super) fn open<const N: usize>(key: &Secret, public: &[u8], sealed: &[u8]) -> Result<SecretBytes<N>, SealError> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE>().ok_or(SealError::Sealed)?;
    let (body, tag) = rest.split_last_chunk::<TAG>().ok_or(SealError::Sealed)?;
    let body: &[u8; N] = body.try_into().map_err(|_| SealError::Sealed)?;
    let mut secret = empty()?;
    secret.copy_from_slice(body);
    cipher(key)
        .decrypt_inout_detached(&XNonce::from(*nonce), public, secret.as_mut_slice().into(), &Tag::from(*tag))
        .map_err(|_| SealError::Sealed)?;
    Ok(secret)
}

fn cipher(key: &Secret) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&***key).into())
}

/// One unambiguous encoding of named values, for [`seal`] to bind a secret to: each name and each value after its length.
pub(super) fn canonical(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for text in fields.iter().flat_map(|(name, value)| [name, value]) {
        out.extend_from_slice(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_with_its_key_and_public_part_only() {
        let (key, other, secret) = (random().unwrap(), random().unwrap(), random().unwrap());
        let sealed = seal(&key, b"public", &secret).unwrap();
        assert_eq!(**open::<32>(&key, b"public", &sealed).unwrap(), **secret);
        assert!(open::<32>(&other, b"public", &sealed).is_err());
        assert!(open::<32>(&key, b"publik", &sealed).is_err());
        assert!(open::<31>(&key, b"public", &sealed).is_err() && open::<33>(&key, b"public", &sealed).is_err());
        for i in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[i] ^= 1;
            assert!(open::<32>(&key, b"public", &changed).is_err(), "byte {i}");
        }
    }

    #[test]
    fn argon2id_is_that_of_everybody_else() {
        // argon2-cffi 25.1: hash_secret_raw(b"passphrase", b"saltsaltsaltsalt", 3, 1024, 1, 32, Type.ID)
        let key = key_from(b"passphrase", b"saltsaltsaltsalt", Cost { memory_kib: 1024, passes: 3, lanes: 1 }).unwrap();
        assert_eq!(crate::text::hex(key.as_slice()), "1178e02f00e5fcde0908865b9e366722ea8b3c6a05dcd6f336238743832092d8");
    }

    #[test]
    fn a_cost_that_would_keep_the_machine_busy_is_refused() {
        for cost in
            [Cost { memory_kib: u32::MAX, ..Cost::USUAL }, Cost { passes: 1 << 20, ..Cost::USUAL }, Cost { memory_kib: 1, ..Cost::USUAL }]
        {
            assert!(matches!(key_from(b"p", &[0; 16], cost), Err(SealError::Cost)), "{cost:?}");
        }
    }

    #[test]
    fn no_two_lists_of_fields_have_one_encoding() {
        assert_ne!(canonical(&[("a", "bc")]), canonical(&[("ab", "c")]));
        assert_ne!(canonical(&[("a", "b"), ("c", "d")]), canonical(&[("a", "b")]));
    }
}
