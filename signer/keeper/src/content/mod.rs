//! Reads what is to be signed. What leaves this room is exactly what its construction says, or refused with the place of the fault.

mod room;
mod said;

pub use room::{Full, Room, Rooms};
pub(crate) use said::{to_formats, to_statement};

use chancery_channel::{Namespace, Payload, SignRequest};
use chancery_formats::dsse::StatementError;
use chancery_formats::minisign::{MinisignError, TrustedComment};
use chancery_formats::openpgp::StateError as HashStateError;
use chancery_formats::{Construction, ContentError, Framing};
use sha2::{Digest as _, Sha256};

/// A request whose content was read, with the facts that the policy decides by.
pub struct Checked {
    request: SignRequest,
    facts: Facts,
    content: Content,
}

/// What the content says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Facts {
    /// An OSTree summary.
    Summary {
        /// All refs that it publishes: its own, and those of other collections as `(collection) ref`.
        refs: Vec<SummaryRef>,
        /// `ostree.summary.collection-id`.
        collection_id: Option<String>,
        /// `ostree.summary.last-modified`, in seconds since 1970.
        last_modified: Option<u64>,
        /// `ostree.summary.expires`, in seconds since 1970.
        expires: Option<u64>,
    },
    /// An OSTree commit.
    Commit {
        /// `ostree.ref-binding`: the refs that clients accept it under.
        refs: Vec<String>,
        /// `ostree.collection-binding`.
        collection: Option<String>,
        /// The parent commit.
        parent: Option<[u8; 32]>,
        /// Seconds since 1970.
        timestamp: u64,
        /// `version`.
        version: Option<String>,
    },
    /// Any other content, or what stands for it.
    Said {
        /// The names in it that a grant must allow: of a tag, of files, of a role.
        names: Vec<String>,
        /// The time that it says, in seconds since 1970.
        time: Option<u64>,
        /// What is worth recording of it: names and values.
        said: Vec<(&'static str, String)>,
    },
    /// A digest: nothing is known of what it stands for but its namespace.
    Digest {
        /// The SSHSIG namespace.
        namespace: Namespace,
    },
}

/// A ref that a summary publishes, and the commit it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryRef {
    /// The collection, where it is not the summary's own.
    pub collection: Option<String>,
    /// The ref's name.
    pub name: String,
    /// The commit.
    pub commit: [u8; 32],
}

/// A request whose content is not what it claims to be. Sending it again gives the same.
#[derive(Debug)]
pub struct Unfit {
    /// The request.
    pub request: SignRequest,
    /// What is wrong.
    pub fault: UnfitFault,
}

/// What is wrong with a request's content.
#[derive(Debug, thiserror::Error)]
pub enum UnfitFault {
    /// The bytes are not those that the client meant.
    #[error(
        "the content's SHA-256 is not the declared one; the content changed on its way or while it was read: read it again and send it as a new request"
    )]
    DigestMismatch,
    /// The bytes are not strictly of their format.
    #[error(transparent)]
    Malformed(ContentError),
    /// Content for a construction that signs a digest, or the other way round.
    #[error("the {construction} construction is made from {wanted}, not from what was sent")]
    WrongPayload {
        /// The construction.
        construction: Construction,
        /// What it is made from.
        wanted: &'static str,
    },
    /// The state of the hash cannot be that of any content.
    #[error("the state of the hash cannot be used")]
    HashState(#[source] HashStateError),
    /// The statement cannot be made.
    #[error("no statement can be made of this")]
    Statement(#[source] StatementError),
    /// The subject cannot be the name of a file in a minisign signature.
    #[error("the subject cannot be the name of the file in the trusted comment; choose another subject")]
    FileName(#[source] MinisignError),
}

impl UnfitFault {
    /// A stable code for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::DigestMismatch => "digest-mismatch",
            Self::Malformed(_) => "content-malformed",
            Self::WrongPayload { .. } => "payload-mismatch",
            Self::HashState(_) => "hash-state-malformed",
            Self::Statement(_) => "statement-malformed",
            Self::FileName(_) => "file-name-unusable",
        }
    }
}

/// Reads the content as its construction says.
///
/// # Errors
/// [`Unfit`] with the request, so that the refusal can be recorded.
pub fn check(request: SignRequest, content: Content) -> Result<Checked, Box<Unfit>> {
    match facts(&request, &content) {
        Ok(facts) => Ok(Checked { request, facts, content }),
        Err(fault) => Err(Box::new(Unfit { request, fault })),
    }
}

fn facts(request: &SignRequest, content: &Content) -> Result<Facts, UnfitFault> {
    let construction = request.construction;
    if construction.framing() == Framing::Minisign {
        trusted_comment(request, 0).map_err(UnfitFault::FileName)?;
    }
    match (wanted(construction), &request.payload) {
        (Wanted::Digest, Payload::Digest { namespace, .. }) => Ok(Facts::Digest { namespace: namespace.clone() }),
        (Wanted::Content, Payload::Content { sha256, .. }) => {
            let computed: [u8; 32] = Sha256::digest(&content.bytes).into();
            if computed == *sha256 { said::content(construction, content) } else { Err(UnfitFault::DigestMismatch) }
        }
        (Wanted::Blake2b, Payload::Blake2b(_)) => Ok(said::nothing()),
        (Wanted::HashState, Payload::HashState(state)) => said::hash_state(state),
        (Wanted::Statement, Payload::Statement(statement)) => said::statement(statement),
        (wanted, _) => Err(UnfitFault::WrongPayload { construction, wanted: wanted.words() }),
    }
}

/// The comment that a minisign signature covers: the file's name is the end of the subject.
pub(crate) fn trusted_comment(request: &SignRequest, time: u64) -> Result<TrustedComment, MinisignError> {
    let subject = request.subject.as_str();
    TrustedComment::new(time, subject.rsplit_once('/').map_or(subject, |(_, name)| name))
}

/// What a construction is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Content,
    Digest,
    Blake2b,
    HashState,
    Statement,
}

impl Wanted {
    const fn words(self) -> &'static str {
        match self {
            Self::Content => "the content itself",
            Self::Digest => "a digest",
            Self::Blake2b => "a BLAKE2b digest",
            Self::HashState => "the state of a hash",
            Self::Statement => "names and digests",
        }
    }
}

const fn wanted(construction: Construction) -> Wanted {
    match construction {
        Construction::Sshsig => Wanted::Digest,
        Construction::Minisign => Wanted::Blake2b,
        Construction::OpenpgpDetached => Wanted::HashState,
        Construction::Dsse => Wanted::Statement,
        _ => Wanted::Content,
    }
}

impl Checked {
    #[cfg(test)]
    pub(crate) const fn new(request: SignRequest, facts: Facts, content: Vec<u8>) -> Self {
        Self { request, facts, content: Content { bytes: content, _room: None } }
    }

    /// What was asked for.
    #[must_use]
    pub const fn request(&self) -> &SignRequest {
        &self.request
    }

    /// What the content says.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The content, exactly as it came; empty when a digest stands for it.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.content.bytes
    }

    /// Length of the content in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        u64::try_from(self.content.bytes.len()).unwrap_or(u64::MAX)
    }

    /// Whether there is no content.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.content.bytes.is_empty()
    }
}

impl Checked {
    /// The request alone; content and facts are dropped.
    #[must_use]
    pub fn into_request(self) -> SignRequest {
        self.request
    }
}

/// Content, held once, with the room it takes in the spool.
#[derive(Debug)]
pub struct Content {
    bytes: Vec<u8>,
    _room: Option<Room>,
}

impl Content {
    /// No content: a digest stands for it.
    #[must_use]
    pub const fn none() -> Self {
        Self { bytes: Vec::new(), _room: None }
    }

    /// Content that takes room until it is dropped.
    #[must_use]
    pub const fn held(bytes: Vec<u8>, room: Room) -> Self {
        Self { bytes, _room: Some(room) }
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}
