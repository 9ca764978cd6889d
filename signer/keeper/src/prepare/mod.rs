//! Makes the exact bytes to be signed out of what the policy permitted.

mod framing;

use crate::content::Facts;
use crate::policy::Permit;
use chancery_channel::{Payload, SignRequest};
use chancery_formats::{Construction, Framing};
use sha2::{Digest as _, Sha256};

/// A permitted request with its exact bytes to be signed. Made by [`prepare`] and by nothing else; can neither be cloned nor changed.
pub struct Prepared {
    permit: Permit,
    tbs: Tbs,
    tbs_sha256: [u8; 32],
    time: u64,
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
    let time = permit.decided();
    prepare_at(permit, time)
}

fn prepare_at(permit: Permit, now: u64) -> Result<Prepared, Unpreparable> {
    let checked = permit.checked();
    // What the content says of its time is the same for a retry. No tool believes a signature from before its key was made.
    let time = content_time(checked.facts()).unwrap_or(now).max(permit.key_created());
    let construction = checked.request().construction;
    let made = framing::tbs(construction, checked, &framing::signer(&permit), time).ok_or(Unpreparable { construction })?;
    let (tbs, tbs_sha256) = match (made, &checked.request().payload) {
        (Some(bytes), _) => {
            let sha256 = Sha256::digest(&bytes).into();
            (Tbs::Made(bytes), sha256)
        }
        (None, Payload::Content { sha256, .. }) => (Tbs::Content, *sha256),
        (None, _) => return Err(Unpreparable { construction }),
    };
    Ok(Prepared { permit, tbs, tbs_sha256, time })
}

const fn content_time(facts: &Facts) -> Option<u64> {
    match facts {
        Facts::Summary { last_modified, .. } => *last_modified,
        Facts::Commit { timestamp, .. } => Some(*timestamp),
        Facts::Said { time, .. } => *time,
        Facts::Digest { .. } => None,
    }
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

    /// The time that the signature says, in seconds since 1970, where it says one and the content does not: the keeper chose it.
    #[must_use]
    pub fn own_time(&self) -> Option<u64> {
        let says_one = matches!(self.request().construction.framing(), Framing::Openpgp | Framing::Minisign);
        (says_one && content_time(self.permit.checked().facts()).is_none()).then_some(self.time)
    }

    /// The same as it was at `time`, so that a retry gives the bytes that were recorded.
    pub(crate) fn at(self, time: u64) -> Result<Self, Unpreparable> {
        if self.time == time { Ok(self) } else { prepare_at(self.permit, time) }
    }

    /// What a second signature is made of, where the construction has two: it covers the first.
    #[must_use]
    pub(crate) fn second(&self, signature: &[u8; 64]) -> Option<Vec<u8>> {
        framing::second(self.request(), signature, self.time)
    }

    /// Frames a signature over [`Prepared::tbs`] as the construction says.
    #[must_use]
    pub(crate) fn frame(&self, signature: &[u8; 64], second: Option<&[u8; 64]>) -> Vec<u8> {
        framing::frame(self.permit.checked(), &framing::signer(&self.permit), self.time, self.tbs(), signature, second)
    }
}
