//! Reads the test vectors of this workspace.

/// The bytes of `tests/vectors/NAME`.
pub(crate) fn vector(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The signing key with which the OSTree vectors were signed.
pub(crate) fn signing_key(letter: char) -> ed25519_dalek::SigningKey {
    use sha2::{Digest, Sha256};
    let seed = Sha256::digest(format!("golden test key {letter} - never use"));
    ed25519_dalek::SigningKey::from_bytes(&seed.into())
}
