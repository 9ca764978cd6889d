//! TUF: the `signed` part of role metadata, as canonical JSON.
//!
//! A TUF signature is pure Ed25519 over these bytes, written in hex beside them. The bytes say themselves which role they are for, and
//! they are read only when they are the one canonical form of what they say.

mod canonical;
mod error;
mod fields;
mod role;
mod time;

use crate::ed25519::PublicKey;
pub use error::Fault;
pub use role::{Delegation, Digest, File, Key, Metadata, Role, RoleKeys, Root, Targets};
use sha2::Digest as _;
pub use time::Expiry;

/// The longest metadata that is read, in bytes.
pub const MAX_METADATA: usize = 4 * 1024 * 1024;

/// The canonical JSON of a key object for `public_key`: what stands in `root.json`, and what [`key_id`] is the digest of.
#[must_use]
pub fn key_json(public_key: &PublicKey) -> String {
    format!(r#"{{"keytype":"ed25519","keyval":{{"public":"{}"}},"scheme":"ed25519"}}"#, hex(public_key.as_bytes()))
}

/// The TUF key id of a key (specification, section 4.2): the SHA-256 of [`key_json`], in hex.
#[must_use]
pub fn key_id(public_key: &PublicKey) -> String {
    key_id_of(key_json(public_key).as_bytes())
}

/// A signature as it stands in metadata, in hex.
#[must_use]
pub fn signature_hex(signature: &[u8; 64]) -> String {
    hex(signature)
}

fn key_id_of(canonical: &[u8]) -> String {
    hex(&sha2::Sha256::digest(canonical))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
