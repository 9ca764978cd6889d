//! What can go wrong when a signature is asked for, and what to do then.

use crate::framed::FramedError;
use crate::offline::OfflineError;
use crate::profile::{KeyFileError, ProfileError};
use crate::receipt::ReceiptError;
use crate::request::RequestError;
use crate::state::StateError;
use crate::wire::Trouble;
use chancery_tlog::CheckpointError;
use std::fmt;

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The profile cannot be used.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The private key of the profile cannot be used.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// Certificate, private key or endpoint of the profile cannot be used for a connection.
    #[error("no connection can be made with the certificates and the key of this profile; enroll again")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The request cannot be made.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The checkpoint seen last cannot be read or saved.
    #[error(transparent)]
    State(#[from] StateError),
    /// A file of requests or answers cannot be used.
    #[error(transparent)]
    Offline(#[from] OfflineError),
    /// The request was collected for a file, and not sent.
    #[error("the request was written into a file and not sent")]
    Exported,
    /// The key host said no.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The key host cannot be reached. Another try, later, may succeed.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// The key host or its log did what an honest one never does.
    #[error(transparent)]
    Misbehaved(Box<Misbehaviour>),
}

/// A decision against the request, or a fault of the key host that it reported itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("refused: {message} ({})", Codes(self))]
pub struct Refusal {
    /// A stable code, such as `ref-not-granted`.
    pub reason: String,
    /// What happened and what to do next.
    pub message: String,
    /// Index of the refusal's entry in the request log, proved by its receipt.
    pub entry_index: Option<u64>,
    /// C2SP tlog-proof@v1 of that entry.
    pub receipt: Option<Vec<u8>>,
    /// Whether the same request may succeed later.
    pub retry: bool,
    /// Where it was said.
    pub endpoint: String,
}

/// The key host cannot be reached.
#[derive(Debug, thiserror::Error)]
#[error("cannot reach the key host at {endpoint}: {trouble} ({})", Tries(*tries))]
pub struct Unreachable {
    /// The endpoint that was tried last.
    pub endpoint: String,
    /// What stands in the way, and what to do.
    pub trouble: Trouble,
    /// How often endpoints were tried.
    pub tries: u32,
    /// The fault as the transport reports it.
    #[source]
    pub source: Option<Box<tonic::Status>>,
}

/// Something that an honest key host never does. Nothing that came with it may be used; tell those who watch the log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// The signature does not fit.
    #[error("the key host returned a signature that does not fit the pinned key {name} version {version} and what was asked for")]
    Signature {
        /// Name of the key.
        name: String,
        /// Its version.
        version: u32,
        /// What does not fit.
        #[source]
        source: FramedError,
    },
    /// Signed by a key that is not pinned.
    #[error(
        "the key host signed with {name} version {version}, which this profile does not pin; if the key was changed on purpose, get a new profile from `chanceryd enroll`"
    )]
    UnpinnedKey {
        /// Name of the key.
        name: String,
        /// Its version.
        version: u32,
    },
    /// Another digest of the signed bytes.
    #[error("the key host says that it signed other bytes than those that were sent")]
    OtherBytes,
    /// The receipt proves nothing, or something else.
    #[error("the key host returned no valid proof that the request was recorded")]
    Receipt(#[source] ReceiptError),
    /// The entry's index is not the proved one.
    #[error("the key host says that the entry is number {said}, its receipt proves number {proved}")]
    OtherEntry {
        /// What the reply says.
        said: u64,
        /// What the receipt proves.
        proved: u64,
    },
    /// A reply without what every reply has.
    #[error("the reply of the key host has no {0}")]
    Incomplete(&'static str),
    /// A checkpoint that is not the log's.
    #[error("the key host showed a checkpoint that is not one of the pinned log")]
    Checkpoint(#[source] CheckpointError),
    /// A cosignature of a witness that is not its own.
    #[error(
        "the key host shows a cosignature of the witness {witness} that does not fit its pinned key; ask the witness which key it has, and what it cosigned"
    )]
    Cosignature {
        /// Name of the witness.
        witness: String,
    },
    /// The log is shorter than it was.
    #[error(
        "ROLLBACK: the request log had {seen} entries when it was last seen, now the key host shows one of {shown} and cannot prove that it is the same log; it was restored from an old copy or tampered with"
    )]
    Rollback {
        /// How many entries were seen.
        seen: u64,
        /// How many are shown.
        shown: u64,
        /// The signed checkpoints that contradict each other.
        evidence: Box<Evidence>,
    },
    /// Two histories.
    #[error(
        "FORK: the checkpoint of {shown} entries that the key host shows is not of the log that had {seen} entries when it was last seen; somebody is shown another history"
    )]
    Fork {
        /// How many entries were seen.
        seen: u64,
        /// How many are shown.
        shown: u64,
        /// The signed checkpoints that contradict each other.
        evidence: Box<Evidence>,
    },
    /// The pinned keys differ from those of the key host.
    #[error("the key host has another public key for {name} version {version} than this profile pins")]
    OtherKey {
        /// Name of the key.
        name: String,
        /// Its version.
        version: u32,
    },
}

/// Two signed checkpoints of one log that do not belong to one history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The one seen before.
    pub seen: String,
    /// The one shown now.
    pub shown: String,
}

impl Error {
    /// The exit code of a command that ends with this error: 1 refused, 2 configuration, 3 unreachable, 4 misbehaviour.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Request(RequestError::Subject(_)) => 2,
            Self::Refused(_) | Self::Request(_) | Self::Exported => 1,
            Self::Profile(_) | Self::KeyFile(_) | Self::Setup(_) | Self::State(_) | Self::Offline(_) => 2,
            Self::Unreachable(_) => 3,
            Self::Misbehaved(_) => 4,
        }
    }
}

impl From<Misbehaviour> for Error {
    fn from(misbehaviour: Misbehaviour) -> Self {
        Self::Misbehaved(Box::new(misbehaviour))
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl Misbehaviour {
    /// The checkpoints that contradict each other, where there are two.
    #[must_use]
    pub fn evidence(&self) -> Option<&Evidence> {
        match self {
            Self::Rollback { evidence, .. } | Self::Fork { evidence, .. } => Some(evidence),
            _ => None,
        }
    }
}

/// The codes at the end of a refusal.
struct Codes<'a>(&'a Refusal);

impl fmt::Display for Codes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reason {}", self.0.reason)?;
        self.0.entry_index.map_or(Ok(()), |index| write!(f, ", entry {index}"))?;
        if self.0.retry { f.write_str(", may succeed later") } else { Ok(()) }
    }
}

struct Tries(u32);

impl fmt::Display for Tries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 1 { f.write_str("one try") } else { write!(f, "{} tries", self.0) }
    }
}
