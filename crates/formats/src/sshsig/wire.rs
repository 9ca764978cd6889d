//! The binary forms: strings with a 32-bit big-endian length in front.

use super::{HashAlgorithm, SshSignature, SshsigError};
use crate::ed25519::OPENSSH_TYPE;

/// What the signed bytes and the signature begin with.
pub const MAGIC: &[u8] = b"SSHSIG";

const VERSION: [u8; 4] = 1_u32.to_be_bytes();

pub(super) fn signed_bytes(namespace: &str, algorithm: HashAlgorithm, digest: &[u8]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    for part in [namespace.as_bytes(), b"", algorithm.name().as_bytes(), digest] {
        put_string(&mut out, part);
    }
    out
}

pub(super) fn encode(public_key: &[u8; 32], namespace: &str, algorithm: HashAlgorithm, signature: &[u8; 64]) -> Vec<u8> {
    let mut out = [MAGIC, &VERSION].concat();
    put_string(&mut out, &pair(public_key));
    for part in [namespace.as_bytes(), b"", algorithm.name().as_bytes(), &pair(signature)] {
        put_string(&mut out, part);
    }
    out
}

/// The type of key and its bytes, each as a string.
pub(crate) fn pair(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_string(&mut out, OPENSSH_TYPE.as_bytes());
    put_string(&mut out, bytes);
    out
}

fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    // Nothing that we put comes near 4 GiB.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

pub(super) fn decode(blob: &[u8]) -> Result<SshSignature, SshsigError> {
    let mut cursor = Cursor { blob, rest: blob };
    cursor.expect(MAGIC, "another magic than SSHSIG")?;
    cursor.expect(&VERSION, "another version than 1")?;
    let public_key = cursor.nested("a key that is not an Ed25519 key")?;
    let namespace = cursor.string()?;
    let namespace = std::str::from_utf8(namespace).map_err(|_| cursor.wrong("a namespace that is not UTF-8 before it"))?;
    if !cursor.string()?.is_empty() {
        return Err(cursor.wrong("reserved data of an unknown meaning before it"));
    }
    let algorithm = match cursor.string()? {
        b"sha256" => HashAlgorithm::Sha256,
        b"sha512" => HashAlgorithm::Sha512,
        _ => return Err(cursor.wrong("a hash other than sha256 and sha512 before it")),
    };
    let signature = cursor.nested("a signature that is not an Ed25519 signature")?;
    cursor.end()?;
    Ok(SshSignature { public_key, namespace: namespace.to_owned(), algorithm, signature })
}

/// Reads the string form of an OpenSSH public key: type and 32 bytes.
pub(crate) fn decode_pair<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    let mut inner = Cursor { blob: bytes, rest: bytes };
    let (kind, body) = (inner.string().ok()?, inner.string().ok()?);
    inner.end().ok()?;
    if kind != OPENSSH_TYPE.as_bytes() {
        return None;
    }
    body.try_into().ok()
}

struct Cursor<'a> {
    blob: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn wrong(&self, what: &'static str) -> SshsigError {
        SshsigError::Blob { what, offset: self.blob.len().saturating_sub(self.rest.len()) }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], SshsigError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| self.wrong("its end too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn expect(&mut self, bytes: &[u8], what: &'static str) -> Result<(), SshsigError> {
        let wrong = self.wrong(what);
        if self.take(bytes.len())? == bytes { Ok(()) } else { Err(wrong) }
    }

    fn string(&mut self) -> Result<&'a [u8], SshsigError> {
        let length = self.take(4)?.iter().fold(0_usize, |n, b| n << 8 | usize::from(*b));
        self.take(length)
    }

    /// A string that holds a type of key and bytes, each as a string.
    fn nested<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], SshsigError> {
        let wrong = self.wrong(what);
        decode_pair(self.string()?).ok_or(wrong)
    }

    fn end(&self) -> Result<(), SshsigError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.wrong("something after its end")) }
    }
}
