//! Putting a signature beside those that are there already.

use crate::profile::PinnedKey;
use chancery_formats::ostree::signatures::{Others, SignatureSet};

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

/// Puts a signature of `summary` into the bytes of a `summary.sig`, if there is one.
pub(super) fn merge_summary(existing: Option<&[u8]>, summary: &[u8], ours: [u8; 64], pinned: &[PinnedKey]) -> Merged {
    let (mut set, mut dropped) = read(existing);
    let unknown = |s: &[u8; 64]| *s != ours && !pinned.iter().any(|k| k.public.verify(summary, s).is_ok());
    let mut excess = set.ed25519().iter().filter(|s| unknown(s)).count().saturating_sub(MAX_UNKNOWN);
    if excess > 0 {
        dropped.push(format!("{excess} Ed25519 signatures of earlier summaries"));
    }
    set.retain_ed25519(|s| {
        let drop = excess > 0 && unknown(s);
        excess = excess.saturating_sub(usize::from(drop));
        !drop
    });
    finish(set, ours, dropped)
}

/// Puts a signature of a commit into the bytes of a `.commitmeta`, if there is one. A commit never changes, so all signatures stay.
pub(super) fn merge_commit(existing: Option<&[u8]>, ours: [u8; 64]) -> Merged {
    let (set, dropped) = read(existing);
    finish(set, ours, dropped)
}

fn read(existing: Option<&[u8]>) -> (SignatureSet, Vec<String>) {
    match existing.map(SignatureSet::parse) {
        None => (SignatureSet::new(), Vec::new()),
        Some(Ok((set, dropped))) => (set, dropped.iter().map(ToString::to_string).collect()),
        // No client can read such a file, so nobody loses anything.
        Some(Err(error)) => (SignatureSet::new(), vec![format!("the whole file, which no client can read: {error}")]),
    }
}

fn finish(mut set: SignatureSet, ours: [u8; 64], dropped: Vec<String>) -> Merged {
    set.put_ed25519(ours, Others::Keep);
    let kept = set.ed25519().iter().filter(|s| **s != ours).count();
    Merged { bytes: set.encode(), kept, dropped }
}

#[cfg(test)]
mod tests;
