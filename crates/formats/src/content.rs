//! What is wrong with a piece of content, and where.

use crate::gvariant;
use crate::raw::Kind;
use crate::tuf;
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
    /// A tag object of git.
    GitTag,
    /// A commit object of git.
    GitCommit,
    /// A `summary.sig` or `.commitmeta`.
    SignatureSet,
    /// The signed part of TUF metadata.
    Tuf,
    /// Flatpak's `summary.idx`.
    Index,
    /// A list of checksums, such as `SHA256SUMS`.
    Checksums,
    /// The text of a note.
    Note,
    /// Bytes that are signed without a meaning.
    Bytes,
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
    /// The name of a part of an index is empty, too long, or has characters outside `A-Z a-z 0-9 . _ -`.
    #[error("has a malformed name of a part")]
    PartName,
    /// The bytes are not the canonical JSON of a TUF role.
    #[error("{0}")]
    Tuf(tuf::Fault),
    /// An object is not as git writes it for a signing program.
    #[error("has {what}")]
    Git {
        /// What is wrong.
        what: &'static str,
    },
    /// The content begins with the magic of an SSH signature, which is kept apart from everything else.
    #[error("begins like the message of an SSH signature")]
    LooksLikeSshsig,
    /// Nothing is in it.
    #[error("is empty")]
    Empty,
    /// The bytes are not UTF-8.
    #[error("is not UTF-8")]
    NotUtf8,
    /// A control character that may not stand there, or a mark of writing direction.
    #[error("has a control character or a mark of writing direction")]
    ControlCharacter,
    /// The last line has no newline.
    #[error("does not end in a newline")]
    NoFinalNewline,
    /// The content, or a line of it, is too long.
    #[error("has more than {limit} bytes in one piece")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// There are too many entries.
    #[error("has more than {limit} entries")]
    TooManyEntries {
        /// The limit.
        limit: usize,
    },
    /// A line is in neither form of checksums.
    #[error("has a line other than `DIGEST  NAME` or `SHA256 (NAME) = DIGEST` of SHA-256 or SHA-512 in lower-case digits")]
    ChecksumLine,
    /// A line has another form, or another algorithm, than those before it.
    #[error("mixes forms or algorithms of checksums")]
    MixedChecksums,
    /// The list is not in the form that `signify -C` reads.
    #[error("is not in the form `SHA256 (NAME) = DIGEST`, which signify reads,")]
    NotBsd,
    /// A name leads elsewhere, or is understood differently by different readers.
    #[error("has a file name that {0}")]
    FileName(&'static str),
    /// A file is listed twice.
    #[error("lists a file twice")]
    NameTwice,
    /// The content can be taken for something that is signed in another way, or never by keys of publishers.
    #[error("can be taken for {0}")]
    OtherKind(Kind),
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
            Self::Index => "the index",
            Self::Tuf => "the TUF metadata",
            Self::SignatureSet => "the signature file",
            Self::Bytes => "the content",
        })
    }
}
