//! Keys of notes: an Ed25519 key with a name.

use super::NoteError;
use crate::ed25519::PublicKey;
use crate::text::{is_deceptive, is_lower_hex};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// The signature type of Ed25519 over the text.
const ED25519: u8 = 0x01;

const MAX_NAME: usize = 255;

/// The name of a key, often that of a host and a path: `example.org/releases`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyName(String);

/// A key of notes. Its text form is the `vkey` of signed-note: `NAME+HASH+BASE64`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NoteKey {
    /// The name in signature lines.
    pub name: KeyName,
    /// The key.
    pub key: PublicKey,
}

impl KeyName {
    /// Takes a name.
    ///
    /// # Errors
    /// [`NoteError::KeyName`] when it is empty, longer than 255 bytes, or has white space, a plus sign, a control character or a mark
    /// of writing direction.
    pub fn new(name: &str) -> Result<Self, NoteError> {
        let usable = (1..=MAX_NAME).contains(&name.len()) && !name.contains(|c: char| c.is_whitespace() || is_deceptive(c) || c == '+');
        if usable { Ok(Self(name.to_owned())) } else { Err(NoteError::KeyName) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl NoteKey {
    /// The first 4 bytes of SHA-256(name, 0x0A, 0x01, public key), by which signature lines find their key.
    #[must_use]
    pub fn hash(&self) -> [u8; 4] {
        let hash = Sha256::new().chain_update(&self.name.0).chain_update([b'\n', ED25519]).chain_update(self.key.as_bytes());
        let [a, b, c, d, ..]: [u8; 32] = hash.finalize().into();
        [a, b, c, d]
    }
}

impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key: Vec<u8> = [ED25519].iter().chain(self.key.as_bytes()).copied().collect();
        write!(f, "{}+{:08x}+{}", self.name, u32::from_be_bytes(self.hash()), STANDARD.encode(key))
    }
}

impl FromStr for NoteKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let form = NoteError::VerifierKey("it has the form NAME+8 HEX DIGITS+BASE64");
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else { return Err(form) };
        let blob = STANDARD.decode(key).map_err(|_| form.clone())?;
        let key = match blob.split_first() {
            Some((&ED25519, key)) => key.try_into().map_err(|_| form.clone())?,
            Some(_) => return Err(NoteError::VerifierKey("it is not one of Ed25519 over the text (type 0x01)")),
            None => return Err(form),
        };
        let key = PublicKey::from_bytes(key).map_err(|_| NoteError::VerifierKey("its Ed25519 key cannot be used"))?;
        let key = Self { name: KeyName::new(name)?, key };
        match u32::from_str_radix(hash, 16) {
            _ if hash.len() != 8 || !is_lower_hex(hash.as_bytes()) => Err(form),
            Ok(hash) if hash.to_be_bytes() == key.hash() => Ok(key),
            _ => Err(NoteError::VerifierKey("its hash does not belong to its name and key")),
        }
    }
}
