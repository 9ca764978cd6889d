//! Secret keys as `gpg --export-secret-keys` writes them (RFC 9580 section 5.5.3), and keys in certificates.

use super::packet::{self, big_endian};
use super::{ED25519_OID, EDDSA, OpenpgpError, PublicKey};

const SECRET_KEY: u8 = 5;
pub(super) const PUBLIC_KEY: u8 = 6;
const SECRET_SUBKEY: u8 = 7;
pub(super) const PUBLIC_SUBKEY: u8 = 14;
/// A secret that is kept elsewhere, in gpg's own form of protection.
const GNU_DUMMY: u8 = 101;

/// An Ed25519 key with its secret. Cannot be printed.
pub struct SecretKey<'a> {
    /// The public half.
    pub public: PublicKey,
    /// Whether it is a subkey.
    pub is_subkey: bool,
    /// The seed without zeros before it: at most 32 bytes.
    pub seed: &'a [u8],
}

/// The Ed25519 keys of an export whose secrets are in it and not protected; `protected` tells whether there was one that is.
///
/// # Errors
/// [`OpenpgpError`] when the bytes are no packets.
pub fn secret_keys(bytes: &[u8]) -> Result<(Vec<SecretKey<'_>>, bool), OpenpgpError> {
    let (mut keys, mut protected, mut rest) = (Vec::new(), false, bytes);
    while !rest.is_empty() {
        let offset = bytes.len().saturating_sub(rest.len());
        let (found, after) = packet::split(rest).ok_or(OpenpgpError::Packet { what: "no whole packet", offset })?;
        rest = after;
        if !matches!(found.tag, SECRET_KEY | SECRET_SUBKEY) {
            continue;
        }
        let Some((public, secret)) = public_part(found.body) else { continue };
        match secret.first() {
            Some(0) => {
                let cut = OpenpgpError::Packet { what: "a malformed secret", offset };
                let seed = unprotected(secret.get(1..).unwrap_or_default()).ok_or(cut)?;
                keys.push(SecretKey { public, is_subkey: found.tag == SECRET_SUBKEY, seed });
            }
            Some(_) if secret.get(2) == Some(&GNU_DUMMY) => {}
            _ => protected = true,
        }
    }
    Ok((keys, protected))
}

/// Whether a certificate has this key, as primary or as subkey.
#[must_use]
pub fn has_key(certificate: &[u8], key: &PublicKey) -> bool {
    let (mut rest, body) = (certificate, key.body());
    while let Some((found, after)) = packet::split(rest) {
        if matches!(found.tag, PUBLIC_KEY | PUBLIC_SUBKEY) && found.body == body {
            return true;
        }
        rest = after;
    }
    false
}

pub(super) fn public_part(body: &[u8]) -> Option<(PublicKey, &[u8])> {
    let rest = body.strip_prefix(&[4])?;
    let (created, rest) = rest.split_first_chunk::<4>()?;
    let rest = rest.strip_prefix(&[EDDSA])?.strip_prefix(&ED25519_OID)?.strip_prefix(&[0x01, 0x07, 0x40])?;
    let (point, rest) = rest.split_first_chunk::<32>()?;
    Some((PublicKey { created: u32::from_be_bytes(*created), point: *point }, rest))
}

/// A number and the sum of its bytes.
fn unprotected(secret: &[u8]) -> Option<&[u8]> {
    let (bits, rest) = big_endian(secret, 2)?;
    let (seed, sum) = rest.split_at_checked(bits.div_ceil(8))?;
    let numbers = secret.get(..seed.len().checked_add(2)?)?;
    let total = numbers.iter().fold(0_u16, |sum, b| sum.wrapping_add(u16::from(*b)));
    (seed.len() <= 32 && sum == total.to_be_bytes()).then_some(seed)
}
