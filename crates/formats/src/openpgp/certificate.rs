//! Transferable public keys (RFC 9580 section 10.1): the key, who it belongs to, and the key's own word for it.
//!
//! The secret stays with the caller: each signature is made in two steps, from what is to be signed to the packet.

use super::signature::{digest, packet_of, put_area};
use super::{EDDSA, Hash, Hasher, PublicKey, packet};

const PUBLIC_KEY: u8 = 6;
const USER_ID: u8 = 13;
/// A positive certification of a user id.
const CERTIFICATION: u8 = 0x13;
/// A key is revoked.
const REVOCATION: u8 = 0x20;
/// It may certify other keys and sign data.
const CERTIFY_AND_SIGN: u8 = 0x03;

/// A user id of at most so many bytes, without control characters.
const USER_ID_MAX: usize = 255;

/// A user id that cannot be in a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a user id has 1 to 255 bytes and no control characters; write, for example, \"Example Releases <release@example.org>\"")]
pub struct UserIdError;

/// Who a key belongs to: a name and an address, as people read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserId(String);

/// Something that a key says about itself, to be signed by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfSignature {
    key: PublicKey,
    hashed: Vec<u8>,
    tbs: Vec<u8>,
}

impl UserId {
    /// Takes a user id.
    ///
    /// # Errors
    /// [`UserIdError`].
    pub fn new(text: &str) -> Result<Self, UserIdError> {
        let usable = (1..=USER_ID_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
        if usable { Ok(Self(text.to_owned())) } else { Err(UserIdError) }
    }
}

impl SelfSignature {
    /// That the key belongs to `user`, from `created` on, until `expires`; both in seconds since 1970.
    ///
    /// A later one with another end replaces an earlier one: this is how the life of a key is made longer.
    #[must_use]
    pub fn of_user(key: PublicKey, user: &UserId, created: u32, expires: Option<u32>) -> Self {
        let mut area = vec![5, 0x80 | 2];
        area.extend_from_slice(&created.to_be_bytes());
        if let Some(end) = expires {
            area.extend_from_slice(&[5, 0x80 | 9]);
            // Counted from when the key was made (RFC 9580 section 5.2.3.13); zero would mean for ever.
            area.extend_from_slice(&end.saturating_sub(key.created).max(1).to_be_bytes());
        }
        // Key flags, preferred hashes (SHA-512, SHA-256), the one user id that counts first, and nothing of what encryption needs.
        area.extend_from_slice(&[2, 27, CERTIFY_AND_SIGN, 3, 21, Hash::Sha512.number(), Hash::Sha256.number(), 2, 25, 1]);
        let mut user_id = vec![0xb4];
        user_id.extend_from_slice(&u32::try_from(user.0.len()).unwrap_or(u32::MAX).to_be_bytes());
        user_id.extend_from_slice(user.0.as_bytes());
        Self::new(key, CERTIFICATION, area, &user_id)
    }

    /// That the key is not to be believed any more. `reason` is for people.
    #[must_use]
    pub fn of_revocation(key: PublicKey, created: u32, reason: &str) -> Self {
        let reason: String = reason.chars().filter(|c| !c.is_control()).take(32).collect();
        let mut area = vec![5, 0x80 | 2];
        area.extend_from_slice(&created.to_be_bytes());
        // Reason 0: none that a program would act upon (RFC 9580 section 5.2.3.31).
        area.push(u8::try_from(reason.len().saturating_add(2)).unwrap_or(2));
        area.extend_from_slice(&[29, 0]);
        area.extend_from_slice(reason.as_bytes());
        Self::new(key, REVOCATION, area, &[])
    }

    fn new(key: PublicKey, type_: u8, mut area: Vec<u8>, about: &[u8]) -> Self {
        area.extend_from_slice(&[22, 33, 4]);
        area.extend_from_slice(&key.fingerprint());
        let mut hashed = vec![4, type_, EDDSA, Hash::Sha512.number()];
        put_area(&mut hashed, &area);
        let mut hasher = Hasher::new(Hash::Sha512);
        let body = key.body();
        hasher.update(&[0x99]);
        hasher.update(&u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes());
        hasher.update(&body);
        hasher.update(about);
        let tbs = digest(hasher, &hashed);
        Self { key, hashed, tbs }
    }

    /// What the key signs.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// The packet.
    #[must_use]
    pub fn packet(&self, signature: &[u8; 64]) -> Vec<u8> {
        packet_of(&self.key.key_id(), self.hashed.clone(), &self.tbs, signature)
    }
}

/// The certificate of a key with one user id. `self_signature` is the packet of [`SelfSignature::of_user`] for the same two.
#[must_use]
pub fn certificate(key: &PublicKey, user: &UserId, self_signature: &[u8]) -> Vec<u8> {
    let mut out = packet::write(PUBLIC_KEY, &key.body());
    out.extend_from_slice(&packet::write(USER_ID, user.0.as_bytes()));
    out.extend_from_slice(self_signature);
    out
}
