//! Putting a signature beside those that are there already.

use crate::profile::PinnedKey;
use crate::signature::VerifiedSignature;
use chancery_formats::ostree::signatures::{Others, SignatureSet};
use chancery_formats::{Framing, openpgp};

/// How many Ed25519 signatures that fit none of the pinned keys stay in a `summary.sig`.
///
/// A signature does not say which key made it. One that fits no pinned key is by a stranger's key, or is ours for an older summary. Each
/// time the summary changes one of ours is added at the end, so what stands before this many of them is for a summary long gone.
const MAX_UNKNOWN: usize = 8;

/// The new content of a signature file, and what of the old one is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Merged {
    /// The bytes to be written.
    pub(super) bytes: Vec<u8>,
    /// How many signatures of others stay, of all kinds that are known.
    pub(super) kept: usize,
    /// What was left out and why, a line each.
    pub(super) dropped: Vec<String>,
}

/// Puts signatures of `summary` into the bytes of a `summary.sig`, if there is one.
pub(super) fn merge_summary(existing: Option<&[u8]>, summary: &[u8], ours: &[Ours], pinned: &[PinnedKey]) -> Merged {
    let (mut set, mut dropped) = read(existing);
    let unknown = |s: &[u8; 64]| !ours.iter().any(|o| o.is(s)) && !pinned.iter().any(|k| k.public.verify(summary, s).is_ok());
    let mut excess = set.ed25519().iter().filter(|s| unknown(s)).count().saturating_sub(MAX_UNKNOWN);
    if excess > 0 {
        dropped.push(format!("{excess} Ed25519 signatures of earlier summaries"));
    }
    set.retain_ed25519(|s| {
        let drop = excess > 0 && unknown(s);
        excess = excess.saturating_sub(usize::from(drop));
        !drop
    });
    // An OpenPGP signature says who made it: those by our keys are of earlier summaries.
    let by_us = |bytes: &[u8]| openpgp_issuers(bytes).iter().any(|issuer| pinned.iter().any(|k| k.openpgp().fingerprint() == *issuer));
    finish(set, ours, |other| !by_us(other), dropped)
}

/// Puts signatures of a commit into the bytes of a `.commitmeta`, if there is one. A commit never changes, so all signatures stay.
pub(super) fn merge_commit(existing: Option<&[u8]>, ours: &[Ours]) -> Merged {
    let (set, dropped) = read(existing);
    finish(set, ours, |_| true, dropped)
}

/// A signature to be put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ours {
    Ed25519([u8; 64]),
    Openpgp(Vec<u8>),
}

impl Ours {
    fn is(&self, ed25519: &[u8; 64]) -> bool {
        matches!(self, Self::Ed25519(ours) if ours == ed25519)
    }
}

impl From<&VerifiedSignature> for Ours {
    fn from(signature: &VerifiedSignature) -> Self {
        match signature.construction().framing() {
            Framing::Openpgp => Self::Openpgp(signature.framed().to_vec()),
            _ => Self::Ed25519(*signature.raw()),
        }
    }
}

fn openpgp_issuers(bytes: &[u8]) -> Vec<[u8; 20]> {
    openpgp::Signature::read_all(bytes).unwrap_or_default().iter().filter_map(|s| s.issuer().copied()).collect()
}

fn read(existing: Option<&[u8]>) -> (SignatureSet, Vec<String>) {
    match existing.map(SignatureSet::parse) {
        None => (SignatureSet::new(), Vec::new()),
        Some(Ok((set, dropped))) => (set, dropped.iter().map(ToString::to_string).collect()),
        // No client can read such a file, so nobody loses anything.
        Some(Err(error)) => (SignatureSet::new(), vec![format!("the whole file, which no client can read: {error}")]),
    }
}

fn finish(mut set: SignatureSet, ours: &[Ours], mut keep: impl FnMut(&[u8]) -> bool, dropped: Vec<String>) -> Merged {
    for signature in ours {
        match signature {
            Ours::Ed25519(signature) => set.put_ed25519(*signature, Others::Keep),
            Ours::Openpgp(packet) => {
                let own = |other: &[u8]| ours.contains(&Ours::Openpgp(other.to_vec()));
                set.put_openpgp(packet.clone(), |other| own(other) || keep(other));
            }
        }
    }
    let others = set.ed25519().iter().filter(|s| !ours.iter().any(|o| o.is(s))).count();
    let others_openpgp = set.openpgp().iter().filter(|s| !ours.contains(&Ours::Openpgp((*s).clone()))).count();
    Merged { bytes: set.encode(), kept: others.saturating_add(others_openpgp), dropped }
}

#[cfg(test)]
mod tests;
