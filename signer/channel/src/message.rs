//! The messages. `id` numbers a call on one channel; the answer carries the same number.

use crate::digest::{Digest, DigestAlgorithm};
use crate::names::{KeyName, Namespace, Principal, RequestId, Subject};
use crate::stats::Stats;
use chancery_formats::Construction;
use serde::{Deserialize, Serialize};

/// From the gateway to the keeper.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToKeeper<'a> {
    /// Asks for a signature. A request with [`Payload::Content`] is followed by its chunks.
    Sign {
        /// Number of the call.
        id: u64,
        /// What is asked for.
        request: SignRequest,
        /// From which address, as far as the gateway can see; it may be that of a relay. For the record alone.
        peer: &'a str,
    },
    /// The next bytes of the content of call `id`.
    Chunk {
        /// Number of the call.
        id: u64,
        /// Whether the content ends with these bytes.
        last: bool,
        /// The bytes.
        #[serde(borrow, with = "serde_bytes")]
        bytes: &'a [u8],
    },
    /// The client is gone: what is spooled for call `id` is dropped. A call that is already decided goes on. No answer follows.
    Cancel {
        /// Number of the call.
        id: u64,
    },
    /// Asks for all keys.
    Keys {
        /// Number of the call.
        id: u64,
    },
    /// Asks what `signer.toml` says now. The gateway cannot look itself: what took the file's place is outside of its cell.
    Settings {
        /// Number of the call.
        id: u64,
    },
    /// Asks for the newest signed checkpoint.
    Checkpoint {
        /// Number of the call.
        id: u64,
    },
    /// Asks for the proof that the tree of `new` leaves extends the tree of `old` leaves; `new` 0 means the newest.
    Consistency {
        /// Number of the call.
        id: u64,
        /// Size of the older tree, in entries.
        old: u64,
        /// Size of the newer tree, in entries.
        new: u64,
    },
    /// Asks for a published static file of the log, by its tlog-tiles path (`tile/0/000`, `tile/entries/000.p/3`).
    Tile {
        /// Number of the call.
        id: u64,
        /// Path below the log's prefix. Parsed by the keeper, never joined to a directory as it is.
        path: String,
    },
    /// Asks for public leaves.
    Entries {
        /// Number of the call.
        id: u64,
        /// Index of the first entry.
        start: u64,
        /// How many at most; the answer may hold fewer.
        count: u32,
    },
    /// Asks for what the keeper counts.
    Stats {
        /// Number of the call.
        id: u64,
    },
    /// Asks to read the policy again, and to put it in force if nothing is wrong with it.
    Reload {
        /// Number of the call.
        id: u64,
    },
    /// Asks for what is to be sent to a witness (C2SP tlog-witness, `add-checkpoint`).
    WitnessRequest {
        /// Number of the call.
        id: u64,
        /// The witness, by its verification key.
        witness: String,
    },
    /// What a witness answered, as it came.
    WitnessAnswer {
        /// Number of the call.
        id: u64,
        /// The witness, by its verification key.
        witness: String,
        /// The HTTP status.
        status: u16,
        /// The `Content-Type`; empty when there was none.
        content_type: String,
        /// The body, cut off where no answer is so long.
        #[serde(borrow, with = "serde_bytes")]
        body: &'a [u8],
    },
}

/// What a principal wants signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignRequest {
    /// Chosen by the client; the same for a retry.
    pub request_id: RequestId,
    /// Who asks, as the gateway authenticated it.
    pub principal: Principal,
    /// Which key is to sign.
    pub key: KeyName,
    /// Exactly which bytes are signed and how they are framed.
    pub construction: Construction,
    /// What is signed, in the publisher's terms.
    pub subject: Subject,
    /// The content, or what stands for it.
    pub payload: Payload,
}

/// What is sent to be signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payload {
    /// The content itself follows in chunks.
    Content {
        /// Declared length in bytes.
        len: u64,
        /// Declared SHA-256; must equal the computed one.
        sha256: [u8; 32],
    },
    /// A digest, for `sshsig`.
    Digest {
        /// Namespace of the SSHSIG.
        namespace: Namespace,
        /// The digest.
        digest: Digest,
    },
    /// A BLAKE2b-512 digest in two halves, for `minisign`.
    Blake2b([[u8; 32]; 2]),
    /// The state of a hash that has taken in the whole content, for `openpgp-detached`.
    HashState(HashState),
    /// Names and digests, for `dsse`.
    Statement(Statement),
}

/// What an in-toto statement says. Checked by the keeper, which writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// The files it is about.
    pub subjects: Vec<StatementSubject>,
    /// A URI that says what kind of thing is stated of them.
    pub predicate_type: String,
    /// What is stated: names and values, in the order of the names.
    pub predicate: Vec<(String, String)>,
}

/// A file that a statement is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementSubject {
    /// Its name.
    pub name: String,
    /// Its SHA-256.
    pub sha256: [u8; 32],
}

/// The state of a SHA-2 hash. Checked by the keeper before it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashState {
    /// The hash.
    pub algorithm: DigestAlgorithm,
    /// Its eight words after the last whole block, big-endian: 32 or 64 bytes.
    #[serde(with = "serde_bytes")]
    pub words: Vec<u8>,
    /// How many bytes it took in.
    pub length: u64,
    /// Those of them that fill no block yet.
    #[serde(with = "serde_bytes")]
    pub tail: Vec<u8>,
}

/// From the keeper to the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromKeeper {
    /// The first message: the keeper is open for requests.
    Ready(Ready),
    /// The one answer to call `id`.
    Answer {
        /// Number of the call.
        id: u64,
        /// The answer.
        answer: Answer,
    },
    /// Requests wait for a cosignature: the witnesses are to be asked at once.
    WitnessWanted,
    /// The keeper serves reads only from now on, until `Signing`; the text says why.
    ReadOnly(String),
    /// Before `Ready`, where an operator brings the passphrase: the keeper waits for it.
    Locked,
    /// Keys can sign that could not, or the other way round: all keys as they are now.
    Keys(Vec<KeyDescription>),
    /// After `ReadOnly`, or a `Ready` with a reason to sign nothing: requests are signed again.
    Signing,
}

/// What the gateway needs to know before it takes a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The log's verification key in the form of signed-note (`origin+keyid+base64`).
    pub log_vkey: String,
    /// All keys.
    pub keys: Vec<KeyDescription>,
    /// Why no signatures are made, when only reads are served.
    pub read_only: Option<String>,
    /// What the keeper's process gave up.
    pub cell: Cell,
}

/// What a process of the key host gave up before it served.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The layers in force, by name: `seccomp`, `landlock 7`.
    pub layers: Vec<String>,
    /// Those that are missing, each with the reason.
    pub missing: Vec<String>,
}

/// The public half of a key, and what it was made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyDescription {
    /// Its name.
    pub name: KeyName,
    /// Its version; every use names it.
    pub version: u32,
    /// The Ed25519 public key.
    pub public_key: [u8; 32],
    /// What the key was made for, for good.
    pub constructions: Vec<Construction>,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// From when on it signs nothing, in seconds since 1970, if such a time is set.
    pub retires: Option<u64>,
    /// Whether it can sign now.
    pub state: KeyState,
}

impl KeyDescription {
    /// Whether its time is over, `now` being in seconds since 1970.
    #[must_use]
    pub fn is_retired(&self, now: u64) -> bool {
        self.retires.is_some_and(|end| end <= now)
    }
}

/// Whether a key can sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyState {
    /// Open.
    Open,
    /// Sealed.
    Locked,
    /// In a token that does not answer; it stays so until the key host is started again.
    Unreachable,
}

/// The one answer to a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The signature and the proof that the request was recorded before it was made.
    Signed(Signed),
    /// Nothing was signed.
    Refused(Refusal),
    /// All keys.
    Keys(Vec<KeyDescription>),
    /// The text of `signer.toml`, in which the keeper finds nothing wrong.
    Settings(String),
    /// The newest checkpoint.
    Checkpoint(Checkpoint),
    /// A consistency proof.
    Consistency(ConsistencyProof),
    /// A static file of the log.
    Tile(#[serde(with = "serde_bytes")] Vec<u8>),
    /// Public leaves.
    Entries(Entries),
    /// What the keeper counts.
    Stats(Box<Stats>),
    /// The policy was read again; it is in force and recorded.
    Reloaded {
        /// SHA-256 of the policy file.
        policy: [u8; 32],
        /// Whether it is another one than before.
        changed: bool,
    },
    /// The body of an `add-checkpoint`; `None` when the witness has cosigned the newest checkpoint.
    WitnessRequest(Option<Body>),
    /// A witness's answer was judged; whether asking it again is worth it at once.
    WitnessJudged {
        /// The witness knows another size than it was said to.
        again: bool,
    },
}

/// A released signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// Framed as the construction says: 64 bytes for `ostree-*/ed25519`, an armored SSHSIG for `sshsig`.
    #[serde(with = "serde_bytes")]
    pub signature: Vec<u8>,
    /// Version of the key that signed.
    pub key_version: u32,
    /// SHA-256 of the exact bytes that were signed.
    pub tbs_sha256: [u8; 32],
    /// Index of the request's entry.
    pub entry_index: u64,
    /// The `tlog-proof@v1` of that entry.
    #[serde(with = "serde_bytes")]
    pub receipt: Vec<u8>,
}

/// Why nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What kind of refusal; says whether a retry makes sense.
    pub kind: RefusalKind,
    /// Stable code for machines, such as `ref-not-granted`.
    pub reason: String,
    /// A sentence for people: what happened and what to do next.
    pub message: String,
    /// Index of the refusal's entry, when it has one.
    pub entry_index: Option<u64>,
    /// The `tlog-proof@v1` of that entry; empty when there is none.
    #[serde(with = "serde_bytes")]
    pub receipt: Vec<u8>,
}

/// Kinds of refusals; the gateway maps each to one gRPC status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalKind {
    /// The policy has no grant for it. A retry gives the same.
    Denied,
    /// The content is not what it claims to be. A retry gives the same.
    Invalid,
    /// No such thing: key, tile, entry.
    NotFound,
    /// More than a limit allows.
    TooLarge,
    /// The request id was used for something else.
    Conflict,
    /// Too much at once; try again later.
    Busy,
    /// The log cannot be written or the keeper only serves reads; nothing is signed.
    Unavailable,
    /// A fault of the keeper.
    Internal,
    /// The key's token does not answer. Nothing changes before the operator acts.
    Unreachable,
}

/// A signed checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The note, as in C2SP tlog-checkpoint.
    pub note: String,
}

/// Proof that one tree extends another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsistencyProof {
    /// RFC 6962 section 2.1.2, in order.
    pub hashes: Vec<[u8; 32]>,
    /// The signed checkpoint of the newer tree, when the newest was asked for; else empty.
    pub checkpoint: String,
}

/// Public leaves, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entries {
    /// Index of the first.
    pub start: u64,
    /// Their bytes, as hashed.
    pub leaves: Vec<Leaf>,
}

/// The body of a request to somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Body(#[serde(with = "serde_bytes")] pub Vec<u8>);

/// The bytes of one leaf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Leaf(#[serde(with = "serde_bytes")] pub Vec<u8>);
