//! What each construction signs, and what a signature looks like outside.

use crate::content::{Checked, to_formats, to_statement, trusted_comment};
use crate::policy::Permit;
use blake2::{Blake2b512, Digest as _};
use chancery_channel::{DigestAlgorithm, Payload, SignRequest, Statement};
use chancery_formats::ed25519::PublicKey;
use chancery_formats::openpgp::{Hash, Hasher, Unsigned};
use chancery_formats::sshsig::{self, HashAlgorithm};
use chancery_formats::{Construction, Framing, dsse, minisign, note, openpgp, signify};
use sha2::Sha512;

/// The key that is to sign, as formats name it.
pub(super) struct Signer {
    public: [u8; 32],
    created: u64,
}

pub(super) fn signer(permit: &Permit) -> Signer {
    Signer { public: *permit.public_key(), created: permit.key_created() }
}

/// The bytes to be signed: `Some(None)` is the content itself, `None` that the payload does not belong to the construction.
#[expect(clippy::option_option, reason = "the outer one is whether it can be made, the inner one whether it is not the content")]
pub(super) fn tbs(construction: Construction, checked: &Checked, signer: &Signer, time: u64) -> Option<Option<Vec<u8>>> {
    match (construction.framing(), &checked.request().payload) {
        (Framing::Ed25519 | Framing::Signify | Framing::Note | Framing::Tuf | Framing::Raw, Payload::Content { .. }) => Some(None),
        (Framing::Sshsig, _) => {
            let (namespace, algorithm, digest) = sshsig_parts(checked)?;
            sshsig::tbs(namespace, algorithm, &digest).ok().map(Some)
        }
        (Framing::Openpgp, _) => {
            let hasher = document(checked)?;
            Some(Some(unsigned(signer, hasher.hash(), time).tbs(hasher)))
        }
        (Framing::Dsse, Payload::Statement(statement)) => to_statement(statement).ok().map(|s| Some(s.pae())),
        (Framing::Minisign, Payload::Blake2b(digest)) => Some(Some(digest.as_flattened().to_vec())),
        (Framing::Minisign, Payload::Content { .. }) => Some(Some(Blake2b512::digest(checked.content()).to_vec())),
        _ => None,
    }
}

/// What the second signature of a minisign file is of.
pub(super) fn second(request: &SignRequest, signature: &[u8; 64], time: u64) -> Option<Vec<u8>> {
    let comment = (request.construction.framing() == Framing::Minisign).then(|| trusted_comment(request, time).ok()).flatten()?;
    Some(minisign::global_tbs(signature, &comment))
}

/// The signature as it goes out.
pub(super) fn frame(checked: &Checked, signer: &Signer, time: u64, tbs: &[u8], signature: &[u8; 64], second: Option<&[u8; 64]>) -> Vec<u8> {
    let framed = match checked.request().construction.framing() {
        Framing::Sshsig => sshsig_parts(checked).map(|(namespace, algorithm, _)| {
            let armored = sshsig::armor(&signer.public, namespace, algorithm, signature);
            armored.into_bytes()
        }),
        Framing::Openpgp => {
            let hash = if tbs.len() == 32 { Hash::Sha256 } else { Hash::Sha512 };
            Some(unsigned(signer, hash, time).packet(tbs, signature))
        }
        Framing::Minisign | Framing::Signify | Framing::Note | Framing::Dsse => text(checked, signer, time, signature, second),
        _ => None,
    };
    framed.unwrap_or_else(|| signature.to_vec())
}

/// The formats that are text and name the key in their own way.
fn text(checked: &Checked, signer: &Signer, time: u64, signature: &[u8; 64], second: Option<&[u8; 64]>) -> Option<Vec<u8>> {
    let request = checked.request();
    // This costs as much as a tenth of a signature, so only those pay for it that need it.
    let public = PublicKey::from_bytes(&signer.public).ok()?;
    let text = match (request.construction.framing(), &request.payload) {
        (Framing::Minisign, _) => minisign::frame(&public, signature, &trusted_comment(request, time).ok()?, second?),
        (Framing::Signify, _) => signify::frame(&signify::KeyName::new(request.key.as_str()).ok()?, &public, signature),
        (Framing::Note, _) => {
            let key = note::NoteKey { name: note::KeyName::new(request.key.as_str()).ok()?, key: public };
            note::frame(&note::NoteText::parse(checked.content()).ok()?, &key, signature)
        }
        (Framing::Dsse, Payload::Statement(statement)) => envelope(statement, &public, signature)?,
        _ => return None,
    };
    Some(text.into_bytes())
}

/// The key's id in the envelope is its id in the request log.
fn envelope(statement: &Statement, key: &PublicKey, signature: &[u8; 64]) -> Option<String> {
    let statement = to_statement(statement).ok()?;
    dsse::envelope_json(&statement, &crate::text::hex(&key.key_id()), signature).ok()
}

fn unsigned(signer: &Signer, hash: Hash, time: u64) -> Unsigned {
    // Times of OpenPGP end in 2106.
    let seconds = |time: u64| u32::try_from(time).unwrap_or(u32::MAX);
    let key = openpgp::PublicKey { created: seconds(signer.created), point: signer.public };
    Unsigned { key, hash, created: seconds(time) }
}

/// The document of an OpenPGP signature, hashed.
fn document(checked: &Checked) -> Option<Hasher> {
    match &checked.request().payload {
        Payload::HashState(state) => Hasher::resume(&to_formats(state)).ok(),
        Payload::Content { .. } => {
            let mut hasher = Hasher::new(Hash::Sha512);
            hasher.update(checked.content());
            Some(hasher)
        }
        _ => None,
    }
}

/// Namespace, hash and digest of an SSH signature.
fn sshsig_parts(checked: &Checked) -> Option<(&str, HashAlgorithm, Vec<u8>)> {
    match &checked.request().payload {
        Payload::Digest { namespace, digest } => {
            let algorithm = match digest.algorithm() {
                DigestAlgorithm::Sha256 => HashAlgorithm::Sha256,
                DigestAlgorithm::Sha512 => HashAlgorithm::Sha512,
            };
            Some((namespace.as_str(), algorithm, digest.bytes().to_vec()))
        }
        Payload::Content { .. } => {
            let namespace = sshsig_namespace(checked.request().construction)?;
            Some((namespace, HashAlgorithm::Sha512, Sha512::digest(checked.content()).to_vec()))
        }
        _ => None,
    }
}

/// The namespace that verifiers of typed content ask for.
const fn sshsig_namespace(construction: Construction) -> Option<&'static str> {
    match construction {
        Construction::GitTagSshsig | Construction::GitCommitSshsig => Some("git"),
        Construction::ChecksumsSshsig => Some("file"),
        _ => None,
    }
}
