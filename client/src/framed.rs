//! Signatures as they come: taken apart, checked under one key, and written anew.

use crate::receipt::hex;
use crate::request::Material;
use blake2::{Blake2b512, Digest as _};
use chancery_formats::dsse::{Envelope, EnvelopeError, envelope_json};
use chancery_formats::ed25519::{PublicKey, SignatureError};
use chancery_formats::minisign::{MinisignError, MinisignSignature, NumberedKey};
use chancery_formats::note::{KeyName, NoteError, NoteKey, NoteSignature, SignedNote};
use chancery_formats::openpgp::{Hash, Hasher, OpenpgpError, Signature, StateError};
use chancery_formats::signify::{SignifyError, SignifySignature};
use chancery_formats::sshsig::{self, HashAlgorithm, SshSignature, SshsigError};
use chancery_formats::{Construction, Framing};
use sha2::{Sha256, Sha512};

/// A signature that is one of the material by the key.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The signature. What can be written anew from its checked parts is; comments that nobody signed stay in minisign and signify.
    pub framed: Vec<u8>,
    /// The bare Ed25519 signature.
    pub raw: [u8; 64],
    /// SHA-256 of the exact bytes that were signed.
    pub tbs_sha256: [u8; 32],
    /// When it was made, as it says, in seconds since 1970.
    pub time: Option<u64>,
    /// What else it says that is signed: the trusted comment of minisign.
    pub comment: Option<String>,
}

/// Why a signature is not one of the material by the key. Another try gives the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FramedError {
    /// An SSH signature.
    #[error(transparent)]
    Sshsig(#[from] SshsigError),
    /// An OpenPGP signature.
    #[error(transparent)]
    Openpgp(#[from] OpenpgpError),
    /// A minisign signature.
    #[error(transparent)]
    Minisign(#[from] MinisignError),
    /// A signify signature.
    #[error(transparent)]
    Signify(#[from] SignifyError),
    /// A signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A DSSE envelope.
    #[error(transparent)]
    Dsse(#[from] EnvelopeError),
    /// A bare signature.
    #[error(transparent)]
    Bare(#[from] SignatureError),
    /// The state of a hash.
    #[error(transparent)]
    State(#[from] StateError),
    /// The bytes are not a signature of this kind.
    #[error("this is not a signature of the kind {0}")]
    Form(Construction),
}

/// Checks a signature. `name` is the key's name, which signed notes and signify carry.
///
/// # Errors
/// [`FramedError`] says what does not fit.
pub fn open(construction: Construction, material: &Material, name: &str, key: &PublicKey, framed: &[u8]) -> Result<Opened, FramedError> {
    let form = || FramedError::Form(construction);
    let text = || std::str::from_utf8(framed).map_err(|_| form());
    match construction.framing() {
        Framing::Sshsig => open_sshsig(construction, material, key, text()?),
        Framing::Openpgp => open_openpgp(material, key, framed).and_then(|found| found.ok_or_else(form)),
        Framing::Dsse => {
            let Material::Statement(statement) = material else { return Err(form()) };
            let envelope = Envelope::parse(framed)?;
            if envelope.verify(key.as_bytes())? != *statement {
                return Err(form());
            }
            let tbs = statement.pae();
            let good = |s: &[u8; 64]| key.verify(&tbs, s).is_ok();
            let raw = envelope.signatures.iter().filter_map(|s| s.signature.as_slice().try_into().ok()).find(good).ok_or_else(form)?;
            let anew = envelope_json(statement, &hex(&key.key_id()), &raw)?;
            Ok(bare(anew.into_bytes(), raw, &tbs))
        }
        Framing::Minisign => {
            let digest: [u8; 64] = match material {
                Material::Blake2b(digest) => *digest,
                Material::Content { bytes, .. } => Blake2b512::digest(bytes).into(),
                _ => return Err(form()),
            };
            let found = MinisignSignature::parse(text()?)?;
            // The number is a hint for people with many keys; the key is what counts.
            found.verify(&NumberedKey { number: found.key_number, key: *key }, &digest)?;
            let comment = found.trusted_comment.clone();
            let time = comment.strip_prefix("timestamp:").and_then(|c| c.split('\t').next()?.parse().ok());
            let made = bare(framed.to_vec(), found.signature, &digest);
            Ok(Opened { time, comment: Some(comment), ..made })
        }
        framing => {
            let Material::Content { bytes, sha256 } = material else { return Err(form()) };
            let (anew, raw) = match framing {
                Framing::Signify => {
                    let found = SignifySignature::parse(text()?)?;
                    found.verify(&NumberedKey { number: found.key_number, key: *key }, bytes)?;
                    (framed.to_vec(), found.signature)
                }
                Framing::Note => {
                    let found = SignedNote::parse(text()?)?;
                    let own = NoteKey { name: KeyName::new(name)?, key: *key };
                    found.verify(&own)?;
                    let mine = |s: &&NoteSignature<'_>| s.name == name && s.hash == own.hash();
                    let raw = found.signatures.iter().find(mine).and_then(|s| s.signature.as_slice().try_into().ok()).ok_or_else(form)?;
                    if found.text.as_bytes() != bytes.as_ref() {
                        return Err(form());
                    }
                    (framed.to_vec(), raw)
                }
                _ => (framed.to_vec(), framed.try_into().map_err(|_| form())?),
            };
            key.verify(bytes, &raw)?;
            Ok(Opened { framed: anew, raw, tbs_sha256: *sha256, time: None, comment: None })
        }
    }
}

fn bare(framed: Vec<u8>, raw: [u8; 64], tbs: &[u8]) -> Opened {
    Opened { framed, raw, tbs_sha256: Sha256::digest(tbs).into(), time: None, comment: None }
}

fn open_sshsig(construction: Construction, material: &Material, key: &PublicKey, text: &str) -> Result<Opened, FramedError> {
    let found = SshSignature::parse(text)?;
    let (namespace, digest) = match material {
        Material::Sshsig { namespace, algorithm, digest } if *algorithm == found.algorithm => (namespace.as_str(), digest.clone()),
        Material::Content { bytes, .. } => {
            let namespace = if construction == Construction::ChecksumsSshsig { "file" } else { "git" };
            let digest = match found.algorithm {
                HashAlgorithm::Sha256 => Sha256::digest(bytes).to_vec(),
                HashAlgorithm::Sha512 => Sha512::digest(bytes).to_vec(),
            };
            (namespace, digest)
        }
        _ => return Err(FramedError::Form(construction)),
    };
    if found.public_key != *key.as_bytes() {
        return Err(SshsigError::OtherKey.into());
    }
    if found.namespace != namespace {
        return Err(SshsigError::OtherNamespace { found: found.namespace, expected: namespace.to_owned() }.into());
    }
    found.verify(&digest)?;
    let tbs = sshsig::tbs(namespace, found.algorithm, &digest)?;
    let anew = sshsig::armor(&found.public_key, namespace, found.algorithm, &found.signature);
    Ok(bare(anew.into_bytes(), found.signature, &tbs))
}

/// Of several signatures in one file, the first that is by the key.
fn open_openpgp(material: &Material, key: &PublicKey, file: &[u8]) -> Result<Option<Opened>, FramedError> {
    let mut error = OpenpgpError::Mismatch;
    for found in Signature::read_all(file)? {
        let document = match material {
            Material::HashState(state) if state.hash == found.hash() => Hasher::resume(state)?,
            Material::Content { bytes, .. } => hashed(found.hash(), bytes),
            _ => continue,
        };
        match found.verify(key.as_bytes(), document.clone()) {
            Ok(()) => {
                let tbs = found.tbs(document);
                let made = bare(found.packet(&tbs), *found.numbers(), &tbs);
                return Ok(Some(Opened { time: Some(found.created().into()), ..made }));
            }
            Err(e) => error = e,
        }
    }
    Err(error.into())
}

fn hashed(hash: Hash, bytes: &[u8]) -> Hasher {
    let mut hasher = Hasher::new(hash);
    hasher.update(bytes);
    hasher
}
