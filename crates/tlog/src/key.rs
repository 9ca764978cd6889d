//! Verification keys of signed notes (C2SP signed-note v1.0.0).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

/// What a key of a note does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyType {
    /// 0x01: Ed25519 over the text of the note.
    Ed25519,
    /// 0x04: cosignature/v1 of a witness (C2SP tlog-cosignature).
    CosignatureV1,
}

impl KeyType {
    pub(crate) const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }
}

/// A verification key: `name+hex(key id)+base64(type || public key)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    key_type: KeyType,
    public: VerifyingKey,
}

/// Why a verification key was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not `name+hex+base64`.
    #[error("a verification key has the form NAME+8 HEX DIGITS+BASE64, as `chanceryd log vkey` prints it")]
    Form,
    /// The name is empty or has a space or `+`.
    #[error("the name of a note's key is empty, or has a space, a + or a control character")]
    Name,
    /// The key id is not the one that name and key have.
    #[error("the key id does not belong to this name and key; the key was mistyped or put together from two")]
    Id,
    /// A kind of key that is not known here.
    #[error("a key of type 0x{0:02x} is not known here; Ed25519 (0x01) and cosignature/v1 (0x04) are")]
    Type(u8),
    /// Not an Ed25519 public key, or one of the few for which anybody can sign.
    #[error("the key is not an Ed25519 public key, or one of the few for which anybody can sign")]
    Public,
}

/// Whether a name may stand in a note: not empty, no space, no `+`, no control character.
#[must_use]
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

impl VerifierKey {
    /// The key with which a log signs its checkpoints.
    ///
    /// # Errors
    /// [`KeyError`] when the name or the key cannot stand in a note.
    pub fn ed25519(name: &str, public: &[u8; 32]) -> Result<Self, KeyError> {
        Self::new(name, KeyType::Ed25519, public)
    }

    /// A key of either type.
    ///
    /// # Errors
    /// [`KeyError`] when the name or the key cannot stand in a note.
    pub fn new(name: &str, key_type: KeyType, public: &[u8; 32]) -> Result<Self, KeyError> {
        if !is_key_name(name) {
            return Err(KeyError::Name);
        }
        let public = VerifyingKey::from_bytes(public).ok().filter(|key| !key.is_weak()).ok_or(KeyError::Public)?;
        Ok(Self { id: key_id(name, key_type, public.as_bytes()), name: name.to_owned(), key_type, public })
    }

    /// The name that signature lines carry.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of SHA-256(name || 0x0A || type || public key).
    #[must_use]
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }

    /// What the key does.
    #[must_use]
    pub const fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// The Ed25519 public key.
    #[must_use]
    pub fn public(&self) -> &[u8; 32] {
        self.public.as_bytes()
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.public.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

fn key_id(name: &str, key_type: KeyType, public: &[u8; 32]) -> [u8; 4] {
    let hash = Sha256::new().chain_update(name).chain_update([0x0A, key_type.byte()]).chain_update(public).finalize();
    let [a, b, c, d, ..]: [u8; 32] = hash.into();
    [a, b, c, d]
}

impl FromStr for VerifierKey {
    type Err = KeyError;
    fn from_str(s: &str) -> Result<Self, KeyError> {
        let mut parts = s.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else { return Err(KeyError::Form) };
        let key = STANDARD.decode(key).map_err(|_| KeyError::Form)?;
        let (kind, public) = key.split_first().ok_or(KeyError::Form)?;
        let key_type = match kind {
            0x01 => KeyType::Ed25519,
            0x04 => KeyType::CosignatureV1,
            other => return Err(KeyError::Type(*other)),
        };
        let key = Self::new(name, key_type, public.try_into().map_err(|_| KeyError::Public)?)?;
        if key.to_string() == s {
            Ok(key)
        } else if hex(key.id) == id {
            Err(KeyError::Form)
        } else {
            Err(KeyError::Id)
        }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![self.key_type.byte()];
        key.extend_from_slice(self.public.as_bytes());
        write!(f, "{}+{}+{}", self.name, hex(self.id), STANDARD.encode(key))
    }
}

fn hex(id: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}
