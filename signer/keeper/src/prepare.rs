//! Makes the exact bytes to be signed out of what the policy permitted.

use crate::policy::Permit;
use chancery_channel::{DigestAlgorithm, KeyDescription, Payload, SignRequest};
use chancery_formats::{Construction, sshsig};
use sha2::{Digest as _, Sha256};

/// A permitted request with its exact bytes to be signed. Made by [`prepare`] and by nothing else; can neither be cloned nor changed.
pub struct Prepared {
    permit: Permit,
    tbs: Tbs,
    tbs_sha256: [u8; 32],
}

enum Tbs {
    /// The content itself: what was parsed is what is signed.
    Content,
    Made(Vec<u8>),
}

/// A permit for a construction whose payload is of another kind. The content room lets no such request through.
#[derive(Debug, thiserror::Error)]
#[error("the {construction} construction cannot be made from this kind of payload; this is a fault of the keeper, please report it")]
pub struct Unpreparable {
    construction: Construction,
}

/// Turns a permit into the bytes to be signed.
///
/// # Errors
/// [`Unpreparable`] when construction and payload do not belong together.
pub fn prepare(permit: Permit) -> Result<Prepared, Unpreparable> {
    let checked = permit.checked();
    let construction = checked.request().construction;
    let (tbs, tbs_sha256) = match (construction, &checked.request().payload) {
        (Construction::OstreeSummaryEd25519 | Construction::OstreeCommitEd25519, Payload::Content { sha256, .. }) => {
            (Tbs::Content, *sha256)
        }
        (Construction::Sshsig, Payload::Digest { namespace, digest }) => {
            let tbs =
                sshsig::tbs(namespace.as_str(), hash_of(digest.algorithm()), digest.bytes()).map_err(|_| Unpreparable { construction })?;
            let sha256 = Sha256::digest(&tbs).into();
            (Tbs::Made(tbs), sha256)
        }
        _ => return Err(Unpreparable { construction }),
    };
    Ok(Prepared { permit, tbs, tbs_sha256 })
}

impl Prepared {
    /// The exact bytes to be signed.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        match &self.tbs {
            Tbs::Content => self.permit.checked().content(),
            Tbs::Made(bytes) => bytes,
        }
    }

    /// SHA-256 of [`Prepared::tbs`].
    #[must_use]
    pub const fn tbs_sha256(&self) -> &[u8; 32] {
        &self.tbs_sha256
    }

    /// The permit this was made from.
    #[must_use]
    pub const fn permit(&self) -> &Permit {
        &self.permit
    }

    /// What was asked for.
    #[must_use]
    pub fn request(&self) -> &SignRequest {
        self.permit.checked().request()
    }

    /// Frames a signature over [`Prepared::tbs`] as the construction says.
    #[must_use]
    pub fn frame(&self, key: &KeyDescription, signature: &[u8; 64]) -> Vec<u8> {
        match &self.request().payload {
            Payload::Content { .. } => signature.to_vec(),
            Payload::Digest { namespace, digest } => {
                sshsig::armor(&key.public_key, namespace.as_str(), hash_of(digest.algorithm()), signature).into_bytes()
            }
        }
    }
}

const fn hash_of(algorithm: DigestAlgorithm) -> sshsig::HashAlgorithm {
    match algorithm {
        DigestAlgorithm::Sha256 => sshsig::HashAlgorithm::Sha256,
        DigestAlgorithm::Sha512 => sshsig::HashAlgorithm::Sha512,
    }
}
