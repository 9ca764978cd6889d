//! The binary forms of `PROTOCOL.sshsig`.

use super::{HashAlgorithm, SshSignature, SshsigError, Tbs};
use crate::ssh::{Reader, decode_ed25519, encode_ed25519, put_string};

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
    put_string(&mut out, &encode_ed25519(public_key));
    for part in [namespace.as_bytes(), b"", algorithm.name().as_bytes(), &encode_ed25519(signature)] {
        put_string(&mut out, part);
    }
    out
}

pub(super) fn decode(blob: &[u8]) -> Result<SshSignature, SshsigError> {
    let mut fields = Fields(Reader::new(blob));
    fields.magic()?;
    fields.read("another version than 1", |r| r.take(VERSION.len()), |version| (version == VERSION).then_some(()))?;
    let public_key = fields.string("a key that is not an Ed25519 key", decode_ed25519)?;
    let (namespace, algorithm) = fields.purpose()?;
    let signature = fields.string("a signature that is not an Ed25519 signature", decode_ed25519)?;
    fields.end()?;
    Ok(SshSignature { public_key, namespace, algorithm, signature })
}

pub(super) fn decode_signed_bytes(bytes: &[u8]) -> Result<Tbs, SshsigError> {
    let mut fields = Fields(Reader::new(bytes));
    fields.magic()?;
    let (namespace, algorithm) = fields.purpose()?;
    let digest = fields.string("no digest", |s| Some(s.to_vec()))?;
    fields.end()?;
    Ok(Tbs { namespace, algorithm, digest })
}

struct Fields<'a>(Reader<'a>);

impl<'a> Fields<'a> {
    fn magic(&mut self) -> Result<(), SshsigError> {
        self.read("another magic than SSHSIG", |r| r.take(MAGIC.len()), |magic| (magic == MAGIC).then_some(()))
    }

    /// Namespace, what is reserved, and how the message was hashed.
    fn purpose(&mut self) -> Result<(String, HashAlgorithm), SshsigError> {
        let namespace = self.string("a namespace that is not UTF-8", |s| String::from_utf8(s.to_vec()).ok())?;
        self.string("reserved data, of which the meaning is unknown,", |s| s.is_empty().then_some(()))?;
        let algorithm = self.string("a hash name other than sha256 and sha512", |s| std::str::from_utf8(s).ok()?.parse().ok())?;
        Ok((namespace, algorithm))
    }

    fn end(&self) -> Result<(), SshsigError> {
        match self.0.is_at_end() {
            true => Ok(()),
            false => Err(SshsigError::Blob { what: "something after its end", offset: self.0.offset() }),
        }
    }

    /// Reads a field with `take` and makes a value of it with `value`; `what` says what the field is when it has none.
    fn read<T>(
        &mut self,
        what: &'static str,
        take: impl FnOnce(&mut Reader<'a>) -> Option<&'a [u8]>,
        value: impl FnOnce(&'a [u8]) -> Option<T>,
    ) -> Result<T, SshsigError> {
        let offset = self.0.offset();
        let field = take(&mut self.0).ok_or(SshsigError::Blob { what: "its end inside the field", offset })?;
        value(field).ok_or(SshsigError::Blob { what, offset })
    }

    fn string<T>(&mut self, what: &'static str, value: impl FnOnce(&'a [u8]) -> Option<T>) -> Result<T, SshsigError> {
        self.read(what, Reader::string, value)
    }
}
