//! Signatures that were checked. There is no other way to get one than the check.

use crate::error::Misbehaviour;
use crate::profile::{PinnedKey, Profile};
use crate::receipt::{Expected, Receipt};
use crate::request::{Payload, Request};
use chancery_formats::sshsig::{self, SshSignature};
use chancery_proto::v1;

/// A signature that fits the pinned key and the bytes that were sent, with the proof that the request was recorded first.
#[derive(Debug, Clone)]
pub struct VerifiedSignature {
    framed: Vec<u8>,
    raw: [u8; 64],
    key: PinnedKey,
    tbs_sha256: [u8; 32],
    receipt_file: Vec<u8>,
    receipt: Receipt,
}

impl VerifiedSignature {
    /// Checks a reply: the signature under the pinned key, the receipt under the pinned key of the log, and that both are about exactly
    /// what was asked for. Whether the log is the one that was seen before is the caller's to check.
    pub(crate) fn check(profile: &Profile, request: &Request, reply: &v1::SignResponse) -> Result<Self, Misbehaviour> {
        let name = request.key();
        let key = profile
            .versions_of(name)
            .find(|k| k.version == reply.key_version)
            .ok_or_else(|| Misbehaviour::UnpinnedKey { name: name.to_owned(), version: reply.key_version })?;
        let (framed, raw) = check_signature(request, key, &reply.signature)?;
        if reply.tbs_sha256.as_ref() != request.tbs_sha256().as_slice() {
            return Err(Misbehaviour::OtherBytes);
        }
        let receipt = Receipt::open(&reply.receipt, profile.log()).map_err(Misbehaviour::Receipt)?;
        let wanted = Expected {
            request_id: Some(&request.id().0),
            key_id: Some(&key.public.key_id()),
            key_version: Some(key.version),
            construction: Some(request.construction()),
            tbs_sha256: Some(request.tbs_sha256()),
        };
        receipt.is_of_signature(&wanted).map_err(Misbehaviour::Receipt)?;
        if receipt.index() != reply.entry_index {
            return Err(Misbehaviour::OtherEntry { said: reply.entry_index, proved: receipt.index() });
        }
        Ok(Self { framed, raw, key: key.clone(), tbs_sha256: *request.tbs_sha256(), receipt_file: reply.receipt.to_vec(), receipt })
    }

    /// The signature, framed as the construction says: 64 bytes for OSTree, an armored file for `sshsig`.
    #[must_use]
    pub fn framed(&self) -> &[u8] {
        &self.framed
    }

    /// The bare Ed25519 signature.
    #[must_use]
    pub const fn raw(&self) -> &[u8; 64] {
        &self.raw
    }

    /// The pinned key that made it.
    #[must_use]
    pub const fn key(&self) -> &PinnedKey {
        &self.key
    }

    /// SHA-256 of the signed bytes.
    #[must_use]
    pub const fn tbs_sha256(&self) -> &[u8; 32] {
        &self.tbs_sha256
    }

    /// The receipt as a file: C2SP tlog-proof@v1.
    #[must_use]
    pub fn receipt_file(&self) -> &[u8] {
        &self.receipt_file
    }

    /// What the receipt proves.
    #[must_use]
    pub const fn receipt(&self) -> &Receipt {
        &self.receipt
    }
}

/// Checks the signature. What is returned is written anew from its checked parts, so no unchecked byte gets into a file.
fn check_signature(request: &Request, key: &PinnedKey, framed: &[u8]) -> Result<(Vec<u8>, [u8; 64]), Misbehaviour> {
    let bad = || Misbehaviour::Signature { name: key.name.clone(), version: key.version };
    match request.payload() {
        Payload::Content(content) => {
            let raw: [u8; 64] = framed.try_into().map_err(|_| bad())?;
            key.public.verify(content, &raw).map_err(|_| bad())?;
            Ok((raw.to_vec(), raw))
        }
        Payload::Sshsig { namespace, algorithm, digest } => {
            let found = std::str::from_utf8(framed).ok().and_then(|text| SshSignature::parse(text).ok()).ok_or_else(bad)?;
            let about = (&found.public_key, found.namespace.as_str(), found.algorithm);
            if about != (key.public.as_bytes(), namespace.as_str(), *algorithm) {
                return Err(bad());
            }
            found.verify(digest).map_err(|_| bad())?;
            let armored = sshsig::armor(&found.public_key, namespace, *algorithm, &found.signature);
            Ok((armored.into_bytes(), found.signature))
        }
    }
}
