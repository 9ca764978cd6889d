//! What the keeper asks the process of a token, and what that answers. One answer to each question, in order.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Greatest number of bytes that a token is asked to sign at once.
pub(super) const SIGN_MAX: usize = 64 << 20;
/// No object has a longer id, in bytes.
pub(crate) const ID_MAX: usize = 64;
/// More objects of a token are not looked at.
pub(super) const OBJECTS_MAX: usize = 1000;
/// More of what a library says is not repeated, in characters.
const TEXT_MAX: usize = 300;

/// From the keeper.
#[derive(Serialize, Deserialize)]
pub(super) enum ToHost<'a> {
    /// Enter the cell, load the library, and find the token. First of all. Answered by [`FromHost::Loaded`].
    Load {
        /// The library.
        module: &'a str,
        /// The token's label.
        label: &'a str,
        /// What the library may read.
        read: Vec<&'a str>,
        /// Below which directories it may write.
        write: Vec<&'a str>,
        /// Whether it may connect to others.
        network: bool,
        /// Layers of the cell that may be missing.
        accept_missing: Vec<&'a str>,
    },
    /// Log in. Answered by [`FromHost::Objects`].
    Login {
        /// The PIN.
        #[serde(borrow, with = "serde_bytes")]
        pin: &'a [u8],
        /// Whether objects are to be made.
        to_write: bool,
    },
    /// Sign; the bytes follow in chunks. Answered by [`FromHost::Signature`].
    Sign {
        /// The private key's `CKA_ID`.
        #[serde(borrow, with = "serde_bytes")]
        id: &'a [u8],
        /// How many bytes follow.
        len: u64,
    },
    /// The next bytes to be signed. Not answered.
    Chunk(#[serde(borrow, with = "serde_bytes")] &'a [u8]),
    /// Make a key pair. Answered by [`FromHost::Objects`] with this one.
    Generate {
        /// Its `CKA_LABEL`.
        label: &'a str,
        /// Its `CKA_ID`.
        #[serde(borrow, with = "serde_bytes")]
        id: &'a [u8],
    },
    /// See whether the token is still there. Answered by [`FromHost::Well`].
    Ping,
}

/// From the process of a token.
#[derive(Serialize, Deserialize)]
pub(super) enum FromHost {
    /// The token is there.
    Loaded {
        /// What the process gave up.
        cell: String,
    },
    /// Ed25519 keys of the token.
    Objects(Vec<Object>),
    /// A signature, not to be believed.
    Signature(#[serde(with = "serde_bytes")] Vec<u8>),
    /// It is there.
    Well,
    /// It cannot.
    Failed(Fault),
}

/// An Ed25519 key pair in a token, as the token describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// `CKA_ID`.
    pub id: Vec<u8>,
    /// `CKA_LABEL`.
    pub label: String,
    /// The public key, if the token has it beside the private one.
    pub public_key: Option<[u8; 32]>,
    /// Whether the token says that the private key can leave it in no form.
    pub stays_inside: bool,
}

/// What a token cannot, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What kind of fault.
    pub(super) kind: FaultKind,
    /// In the words of the library or of the system; from outside.
    pub(super) text: String,
}

/// Kinds of faults that people can do something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum FaultKind {
    /// The library cannot be loaded.
    Module,
    /// The cell cannot be entered.
    Cell,
    /// There is no token of this label.
    NoToken,
    /// The PIN is not the right one.
    WrongPin,
    /// The token takes no PIN any more.
    PinLocked,
    /// There is not exactly one private Ed25519 key of this id.
    NoObject,
    /// The new key could leave the token.
    NotKept,
    /// Anything else.
    Other,
}

impl Fault {
    pub(super) fn new(kind: FaultKind, text: impl ToString) -> Self {
        // From a library in C: any characters, any length.
        let text = text.to_string().chars().take(TEXT_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
        Self { kind, text }
    }

    /// The same, as short as it should have been made: the process that says it has a vendor's library in it.
    pub(super) fn cut(self) -> Self {
        Self::new(self.kind, self.text)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let advice = match self.kind {
            FaultKind::Module => "the PKCS#11 module cannot be loaded; check --module, and that --read names what else it needs",
            FaultKind::Cell => "its process cannot be closed in",
            FaultKind::NoToken => "there is no token of this label; check --label, and that --read and --write name what the module needs",
            FaultKind::WrongPin => "the PIN is wrong; take care, most tokens lock themselves after a few attempts",
            FaultKind::PinLocked => "the token is locked after too many wrong PINs; its security officer can unlock it",
            FaultKind::NoObject => "there is not exactly one private Ed25519 key of this id in it; `token check` lists them",
            FaultKind::NotKept => {
                "the new key could leave the token, so it is not used; the token must make sensitive, non-extractable keys"
            }
            FaultKind::Other => "it failed",
        };
        if self.text.is_empty() { f.write_str(advice) } else { write!(f, "{advice} ({})", self.text.escape_debug()) }
    }
}
