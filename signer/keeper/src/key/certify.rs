//! OpenPGP certificates: what a key says about itself, for the programs that verify its signatures.
//!
//! A certificate is public and lies beside its key. It is made where the keyring is opened by a person, not by the running keeper, and
//! its digest is recorded when the key goes into service.

use super::backend::SigningFault;
use super::error::KeyError;
use super::keyring::Keyring;
use super::open::OpenKey;
use crate::guarded;
use chancery_channel::KeyName;
use chancery_formats::Framing;
use chancery_formats::openpgp::{PublicKey, SelfSignature, UserId, certificate};
use chancery_reqlog::durable;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// No certificate that is made here comes near this, in bytes.
const MAX: usize = 64 * 1024;

impl Keyring {
    /// Makes the certificate of a key, or replaces it by one with another end. Times are in seconds since 1970.
    ///
    /// # Errors
    /// [`KeyError`] when the key was not made for OpenPGP, or its files cannot be read or written.
    pub fn certify(&self, name: &KeyName, user: &UserId, expires: Option<u64>, now: u64) -> Result<Vec<u8>, KeyError> {
        let signer = self.openpgp_signer(name)?;
        let public = signer.public;
        let word = SelfSignature::of_user(public, user, seconds(now).max(public.created), expires.map(seconds));
        let bytes = certificate(&public, user, &word.packet(&signer.sign(word.tbs())?));
        durable::write_atomic(&self.certificate_path(name, signer.version), &bytes, 0o600)?;
        Ok(bytes)
    }

    /// Makes the packet that revokes a key; nothing is written.
    ///
    /// # Errors
    /// As [`Keyring::certify`].
    pub fn revocation(&self, name: &KeyName, reason: &str, now: u64) -> Result<Vec<u8>, KeyError> {
        let signer = self.openpgp_signer(name)?;
        let public = signer.public;
        let word = SelfSignature::of_revocation(public, seconds(now).max(public.created), reason);
        Ok(word.packet(&signer.sign(word.tbs())?))
    }

    fn openpgp_signer(&self, name: &KeyName) -> Result<OpenpgpSigner, KeyError> {
        let open = self.open_key(name)?;
        let description = open.description();
        if !description.constructions.iter().any(|c| c.framing() == Framing::Openpgp) {
            return Err(KeyError::NotOpenpgp { name: name.clone() });
        }
        let public = PublicKey { created: seconds(description.created), point: description.public_key };
        Ok(OpenpgpSigner { public, version: description.version, open })
    }

    pub(super) fn certificate_path(&self, name: &KeyName, version: u32) -> PathBuf {
        certificate_path(self.dir(), name, version)
    }
}

/// A key that says something about itself.
struct OpenpgpSigner {
    public: PublicKey,
    version: u32,
    open: OpenKey,
}

impl OpenpgpSigner {
    fn sign(&self, tbs: &[u8]) -> Result<[u8; 64], KeyError> {
        self.open.sign_bytes(tbs).map_err(|fault| match fault {
            SigningFault::SelfCheck => KeyError::SelfCheck,
            SigningFault::Token(error) => error.into(),
        })
    }
}

/// The certificate of a version of a key, where it has one. Needs no passphrase.
///
/// # Errors
/// [`KeyError`] when the file is there and cannot be read.
pub fn certificate_of(dir: &Path, name: &KeyName, version: u32) -> Result<Option<Vec<u8>>, KeyError> {
    let path = certificate_path(dir, name, version);
    if path.exists() { Ok(Some(guarded::read(&path, MAX)?.to_vec())) } else { Ok(None) }
}

/// SHA-256 of the certificate of a version of a key, where it has one that can be read.
#[must_use]
pub fn certificate_digest(dir: &Path, name: &KeyName, version: u32) -> Option<[u8; 32]> {
    certificate_of(dir, name, version).ok().flatten().map(|bytes| Sha256::digest(bytes).into())
}

/// The alphabet of key names has neither dots nor slashes, so this stays in the directory.
fn certificate_path(dir: &Path, name: &KeyName, version: u32) -> PathBuf {
    dir.join(if version == 1 { format!("{name}.pgp") } else { format!("{name}.v{version}.pgp") })
}

/// Times of OpenPGP end in 2106.
fn seconds(time: u64) -> u32 {
    u32::try_from(time).unwrap_or(u32::MAX)
}
