//! Content of no known kind.
//!
//! A pure Ed25519 signature says nothing of what it is for. Whoever may have any bytes signed by a key could have it sign what
//! another construction means, so bytes that any construction here, or a common one elsewhere, gives a meaning to are refused. Keys that
//! are bound to one construction do not need this; it is there for the day when one is bound to two.

use crate::checksums::Checksums;
use crate::content::{ContentError, ContentFault, Document};
use crate::minisign::TrustedComment;
use crate::ostree::{Commit, Index, Summary};
use crate::{note, sshsig};
use std::fmt;

/// What bytes can be taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// What an SSH signature is made of (`PROTOCOL.sshsig`).
    SshSignature,
    /// What an envelope of attestations signs (DSSE v1).
    Dsse,
    /// A minisign signature with its trusted comment.
    MinisignComment,
    /// An OSTree `summary`.
    Summary,
    /// An OSTree commit object.
    Commit,
    /// Flatpak's `summary.idx`.
    Index,
    /// A list of checksums.
    Checksums,
    /// A checkpoint of a transparency log (C2SP tlog-checkpoint).
    Checkpoint,
    /// What witnesses of transparency logs sign (C2SP tlog-cosignature).
    Cosignature,
    /// A commit, tag or tree of git, with or without the header of its object.
    Git,
    /// Metadata of The Update Framework.
    Tuf,
    /// As long as a digest of SHA-1, SHA-224, SHA-256, SHA-384 or SHA-512: OpenPGP and minisign sign digests.
    Digest,
    /// The text of a note (C2SP signed-note).
    Note,
}

/// Whether bytes can be taken for something.
type Question = fn(&[u8]) -> bool;

/// Each kind but notes, with the question whether bytes can be taken for it. Cheap questions stand first.
const KINDS: &[(Kind, Question)] = &[
    (Kind::SshSignature, |bytes| bytes.starts_with(sshsig::MAGIC)),
    (Kind::Dsse, |bytes| bytes.starts_with(b"DSSEv1")),
    (Kind::MinisignComment, TrustedComment::is_signed_in),
    (Kind::Cosignature, note::is_cosignature),
    (Kind::Checkpoint, note::is_checkpoint),
    (Kind::Git, is_git),
    (Kind::Tuf, is_tuf),
    (Kind::Checksums, |bytes| Checksums::parse(bytes).is_ok()),
    (Kind::Commit, |bytes| Commit::parse(bytes).is_ok()),
    (Kind::Index, |bytes| Index::parse(bytes).is_ok()),
    (Kind::Summary, |bytes| Summary::parse(bytes).is_ok()),
    (Kind::Digest, |bytes| matches!(bytes.len(), 20 | 28 | 32 | 48 | 64)),
];

/// What bytes can be taken for, if anything. Any text is the text of a note.
#[must_use]
pub fn kind(bytes: &[u8]) -> Option<Kind> {
    kind_but_note(bytes).or_else(|| note::read_text(bytes).is_ok().then_some(Kind::Note))
}

/// Checks content that is to be signed as it is, without a meaning.
///
/// # Errors
/// When it is empty, or can be taken for something that has a meaning.
pub fn check(bytes: &[u8]) -> Result<(), ContentError> {
    refuse(bytes, kind(bytes))
}

/// Refuses empty content, and content of a kind.
pub(crate) fn refuse(bytes: &[u8], kind: Option<Kind>) -> Result<(), ContentError> {
    match kind {
        Some(kind) => Err(Document::Bytes.error(ContentFault::OtherKind(kind), 0)),
        None if bytes.is_empty() => Err(Document::Bytes.error(ContentFault::Empty, 0)),
        None => Ok(()),
    }
}

/// What bytes can be taken for other than the text of a note.
pub(crate) fn kind_but_note(bytes: &[u8]) -> Option<Kind> {
    KINDS.iter().find(|(_, can_be)| can_be(bytes)).map(|(kind, _)| *kind)
}

/// Whether bytes begin like an object of git: `tree DIGEST` for a commit, `object DIGEST` for a tag, a mode for a tree, or the type
/// and length that stand before the content of each object.
fn is_git(bytes: &[u8]) -> bool {
    let header = [b"commit ".as_slice(), b"tag ", b"tree ", b"blob "].into_iter().any(|kind| {
        let rest = bytes.strip_prefix(kind).unwrap_or_default();
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        digits > 0 && rest.get(digits) == Some(&0)
    });
    let reference = [b"tree ".as_slice(), b"object "].into_iter().any(|kind| {
        let line = bytes.strip_prefix(kind).and_then(|rest| rest.split(|b| *b == b'\n').next()).unwrap_or_default();
        matches!(line.len(), 40 | 64) && line.iter().all(u8::is_ascii_hexdigit)
    });
    let modes = [b"40000 ".as_slice(), b"100644 ", b"100664 ", b"100755 ", b"120000 ", b"160000 "];
    header || reference || modes.into_iter().any(|mode| bytes.starts_with(mode) && bytes.contains(&0))
}

/// Whether bytes are an object of JSON that says that it is metadata of TUF, or the envelope of such.
fn is_tuf(bytes: &[u8]) -> bool {
    let has = |key: &[u8]| bytes.windows(key.len()).any(|window| window == key);
    bytes.trim_ascii_start().starts_with(b"{") && (has(b"\"_type\"") || has(b"\"signed\""))
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SshSignature => "the message of an SSH signature",
            Self::Dsse => "the message of a DSSE envelope",
            Self::MinisignComment => "a minisign signature with its comment",
            Self::Summary => "an OSTree summary",
            Self::Commit => "an OSTree commit",
            Self::Index => "an index of Flatpak",
            Self::Checksums => "a list of checksums",
            Self::Checkpoint => "a checkpoint of a transparency log",
            Self::Cosignature => "a cosignature of a witness",
            Self::Git => "a git object",
            Self::Tuf => "TUF metadata",
            Self::Digest => "a digest, because of its length",
            Self::Note => "the text of a note",
        })
    }
}

#[cfg(test)]
mod tests;
