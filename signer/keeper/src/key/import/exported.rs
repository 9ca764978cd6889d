//! Private keys as ssh-keygen and gpg export them, when no passphrase protects them.

use super::{ImportError, ImportedSeed};
use crate::key::seal::{self, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_formats::openpgp::{Block, dearmor, secret_keys};
use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

const OPENSSH_BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const OPENSSH_END: &str = "-----END OPENSSH PRIVATE KEY-----";
/// What an unprotected key begins with (`PROTOCOL.key` of OpenSSH): cipher and key derivation `none`, no options, one key.
const OPENSSH_MAGIC: &[u8] = b"openssh-key-v1\0\0\0\0\x04none\0\0\0\x04none\0\0\0\0\0\0\0\x01";
const SSH_ED25519: &[u8] = b"ssh-ed25519";

/// An armored export of gpg.
pub(super) fn openpgp_armored(text: &str) -> Result<ImportedSeed, ImportError> {
    let bytes = Zeroizing::new(dearmor(Block::PrivateKey, text).map_err(|_| ImportError::Unknown)?);
    openpgp(&bytes)
}

/// An export of gpg: of several keys the one subkey that can be used, since the primary key then is there to certify.
pub(super) fn openpgp(bytes: &[u8]) -> Result<ImportedSeed, ImportError> {
    let (keys, protected) = secret_keys(bytes).map_err(|_| ImportError::Unknown)?;
    let subkeys = keys.iter().filter(|k| k.is_subkey).count();
    let mut usable = keys.iter().filter(|k| k.is_subkey || subkeys == 0);
    let (Some(key), None) = (usable.next(), usable.next()) else {
        return Err(if keys.is_empty() && protected { ImportError::OpenpgpProtected } else { ImportError::Openpgp { found: keys.len() } });
    };
    let mut secret = seal::empty()?;
    let zeros = secret.len().checked_sub(key.seed.len()).ok_or(ImportError::Unknown)?;
    secret.iter_mut().skip(zeros).zip(key.seed).for_each(|(to, from)| *to = *from);
    if *SigningKey::from_bytes(&secret).verifying_key().as_bytes() != key.public.point {
        return Err(ImportError::Halves);
    }
    Ok(ImportedSeed { secret, created: Some(key.public.created.into()) })
}

/// A private key file of ssh-keygen.
pub(super) fn openssh(text: &str) -> Result<Secret, ImportError> {
    let body = text.strip_prefix(OPENSSH_BEGIN).and_then(|t| t.strip_suffix(OPENSSH_END)).ok_or(ImportError::OpenSsh)?;
    let joined: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
    let bytes = Zeroizing::new(STANDARD.decode(joined.as_bytes()).map_err(|_| ImportError::OpenSsh)?);
    let read = || {
        let mut rest = bytes.strip_prefix(OPENSSH_MAGIC)?;
        let _public = string(&mut rest)?;
        let mut private = string(&mut rest)?;
        let (first, after) = private.split_first_chunk::<4>()?;
        private = after.strip_prefix(first)?;
        (string(&mut private)? == SSH_ED25519).then_some(())?;
        let public = string(&mut private)?;
        let both = string(&mut private)?;
        let (seed, again) = both.split_first_chunk::<32>()?;
        (public == again).then_some((*seed, again.to_vec()))
    };
    let (seed, public) = read().ok_or(ImportError::OpenSsh)?;
    let seed = Zeroizing::new(seed);
    let mut secret = seal::empty()?;
    secret.copy_from_slice(seed.as_slice());
    if SigningKey::from_bytes(&secret).verifying_key().as_bytes().as_slice() == public { Ok(secret) } else { Err(ImportError::Halves) }
}

/// A string of SSH: its length in 32 bits and its bytes.
fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (string, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *rest = after;
    Some(string)
}
