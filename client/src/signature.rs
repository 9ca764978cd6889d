//! Signatures that were checked. There is no other way to get one than the check.

use crate::error::Misbehaviour;
use crate::framed::{Opened, open};
use crate::profile::{PinnedKey, Profile};
use crate::receipt::{Expected, Receipt};
use crate::request::Request;
use chancery_formats::Construction;
use chancery_proto::v1;

/// A signature that fits the pinned key and the bytes that were sent, with the proof that the request was recorded first.
#[derive(Debug, Clone)]
pub struct VerifiedSignature {
    framed: Vec<u8>,
    raw: [u8; 64],
    key: PinnedKey,
    construction: Construction,
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
        let opened = open(request.construction(), request.material(), name, &key.public, &reply.signature)
            .map_err(|source| Misbehaviour::Signature { name: key.name.clone(), version: key.version, source })?;
        if reply.tbs_sha256.as_ref() != opened.tbs_sha256.as_slice() {
            return Err(Misbehaviour::OtherBytes);
        }
        let receipt = Receipt::open(&reply.receipt, profile.log()).map_err(Misbehaviour::Receipt)?;
        let wanted = Expected {
            request_id: Some(&request.id().0),
            key_id: Some(&key.public.key_id()),
            key_version: Some(key.version),
            construction: Some(request.construction()),
            tbs_sha256: Some(&opened.tbs_sha256),
        };
        receipt.is_of_signature(&wanted).map_err(Misbehaviour::Receipt)?;
        if receipt.index() != reply.entry_index {
            return Err(Misbehaviour::OtherEntry { said: reply.entry_index, proved: receipt.index() });
        }
        let Opened { framed, raw, tbs_sha256, .. } = opened;
        Ok(Self {
            framed,
            raw,
            key: key.clone(),
            construction: request.construction(),
            tbs_sha256,
            receipt_file: reply.receipt.to_vec(),
            receipt,
        })
    }

    /// The signature, framed as the construction says: 64 bytes for `ostree-*/ed25519`, a packet for OpenPGP, a file for most.
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

    /// How it was made and framed.
    #[must_use]
    pub const fn construction(&self) -> Construction {
        self.construction
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
