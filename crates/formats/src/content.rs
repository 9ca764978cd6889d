//! What is wrong with a piece of content, and where.

use crate::gvariant;
use std::fmt;

/// Content that is not strictly what it was said to be. Sending the same bytes again gives the same answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{document} {fault} at byte {offset}")]
pub struct ContentError {
    /// What the bytes were read as.
    pub document: Document,
    /// What is wrong.
    pub fault: ContentFault,
    /// Where, in bytes from the beginning of the content.
    pub offset: usize,
}

/// What content is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Document {
    /// An OSTree `summary`.
    Summary,
    /// An OSTree commit object.
    Commit,
    /// A list of checksums.
    Checksums,
    /// A tag object of git.
    GitTag,
    /// A commit object of git.
    GitCommit,
    /// The text of a C2SP signed note.
    Note,
    /// The message of an SSH signature.
    Sshsig,
    /// The message of a DSSE envelope.
    Dsse,
    /// Bytes as long as a digest.
    Digest,
    /// A `summary.sig` or `.commitmeta`.
    SignatureSet,
}

/// Why content was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentFault {
    /// The bytes are not the one normal form of the GVariant type that the document has.
    #[error("is not a valid GVariant: {0}")]
    NotNormal(gvariant::Fault),
    /// A known key of the metadata has a value of another type than OSTree gives it.
    #[error("has a value of another type than {expected} for {key}")]
    WrongType {
        /// The metadata key.
        key: &'static str,
        /// The GVariant type that OSTree writes.
        expected: &'static str,
    },
    /// The name of a ref is empty, too long, or has characters outside `A-Z a-z 0-9 . _ - /`.
    #[error("has a ref name outside the alphabet of OSTree")]
    RefName,
    /// Refs are not in strictly ascending byte order: OSTree finds refs by binary search, so order decides what a client sees.
    #[error("lists its refs out of order, or one of them twice")]
    RefOrder,
    /// Collections are not in strictly ascending byte order.
    #[error("lists its collections out of order, or one of them twice")]
    CollectionOrder,
    /// A collection id is not a dotted name of the form `org.example.Stable`.
    #[error("has a malformed collection id")]
    CollectionId,
    /// A checksum is not 32 bytes long.
    #[error("has a checksum that is not 32 bytes long")]
    Checksum,
    /// A time is after the year 9999. It was most likely written in the byte order of the machine, which OSTree does not do; a guard
    /// against going back in time would let nothing pass after it.
    #[error("has a time after the year 9999, as if its bytes were in the wrong order")]
    Time,
    /// A static delta is not named by one or two commits in lower-case hex.
    #[error("has a malformed static delta name")]
    DeltaName,
    /// A list of checksums is not as `sha256sum` writes it.
    #[error("has {what}")]
    Checksums {
        /// What is wrong.
        what: &'static str,
    },
    /// An object is not as git writes it for a signing program.
    #[error("has {what}")]
    Git {
        /// What is wrong.
        what: &'static str,
    },
    /// The text of a note is not as C2SP signed-note has it.
    #[error("has {what}")]
    Note {
        /// What is wrong.
        what: &'static str,
    },
    /// The content begins with the magic of an SSH signature, which is kept apart from everything else.
    #[error("begins like the message of an SSH signature")]
    LooksLikeSshsig,
}

impl Document {
    pub(crate) const fn error(self, fault: ContentFault, offset: usize) -> ContentError {
        ContentError { document: self, fault, offset }
    }

    pub(crate) const fn malformed(self, error: gvariant::Error) -> ContentError {
        self.error(ContentFault::NotNormal(error.fault), error.offset)
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Summary => "the summary",
            Self::Commit => "the commit",
            Self::Checksums => "the list of checksums",
            Self::GitTag => "the tag",
            Self::GitCommit => "the commit object",
            Self::Note => "the note",
            Self::Sshsig => "the message of an SSH signature",
            Self::Dsse => "the message of a DSSE envelope",
            Self::Digest => "as long as a digest",
            Self::SignatureSet => "the signature file",
        })
    }
}
