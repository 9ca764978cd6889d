//! What a certificate says of its keys (RFC 9580 section 10.1), led back to signatures of the primary key.

use super::packet::{self, Packet, SIGNATURE};
use super::secret::{PUBLIC_KEY, PUBLIC_SUBKEY, public_part};
use super::signature::{Parts, subpackets};
use super::{Block, Hasher, OpenpgpError, PublicKey, dearmor};
use crate::ed25519;

const USER_ID: u8 = 13;
const DIRECT: u8 = 0x1f;
const BINDING: u8 = 0x18;
const BACK: u8 = 0x19;
const KEY_REVOCATION: u8 = 0x20;
const SUBKEY_REVOCATION: u8 = 0x28;
/// Key flags (RFC 9580 section 5.2.3.29): this key may sign data.
const MAY_SIGN: u8 = 0x02;

/// A certificate with the signatures of others on it can be long; more than this is none.
const MAX: usize = 1024 * 1024;
const MAX_PACKETS: usize = 4096;

/// The keys of a certificate that may sign data, each with what its owner says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is, as certified by the primary key; the newest first.
    pub user_ids: Vec<String>,
    /// The keys that may sign.
    pub keys: Vec<CertifiedKey>,
}

/// A key that may sign, by the word of its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertifiedKey {
    /// The key.
    pub key: PublicKey,
    /// When it ends, in seconds since 1970; a subkey ends with its primary at the latest.
    pub expires: Option<u64>,
    /// Whether it, or its primary, was revoked. Whenever that was: who has the secret can say any time.
    pub revoked: bool,
}

/// Why a key is not to be believed in a signature of some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValidityError {
    /// It was revoked.
    #[error("the key was revoked by its owner; do not use what it signed without asking them")]
    Revoked,
    /// It had ended.
    #[error("the key had expired when this was signed; fetch the newest certificate, in which its owner may have moved the end")]
    Expired,
    /// It was not made yet.
    #[error("the signature says that it is older than its key")]
    TooEarly,
    /// The signature does not say when it was made.
    #[error("the signature does not say when it was made")]
    NoTime,
}

impl CertifiedKey {
    /// Whether a signature that says this time can be believed; seconds since 1970.
    ///
    /// # Errors
    /// [`ValidityError`].
    pub fn usable_at(&self, time: Option<u64>) -> Result<(), ValidityError> {
        let time = time.ok_or(ValidityError::NoTime)?;
        match self.expires {
            _ if self.revoked => Err(ValidityError::Revoked),
            _ if time < u64::from(self.key.created) => Err(ValidityError::TooEarly),
            Some(end) if time >= end => Err(ValidityError::Expired),
            _ => Ok(()),
        }
    }
}

/// What one self-signature says.
struct Word {
    created: u32,
    lifetime: Option<u32>,
    flags: Option<u8>,
    back: Option<Vec<u8>>,
}

/// What was found of one key while reading.
struct Draft {
    key: PublicKey,
    body: Vec<u8>,
    newest: Option<Word>,
    revoked: bool,
}

impl Certificate {
    /// Reads a certificate, armored or not, and checks the signatures of its primary key, which must be an Ed25519 key of version 4.
    /// Signatures of others, and keys of other kinds, are passed over.
    ///
    /// # Errors
    /// [`OpenpgpError`] when it is none, or has no key that may sign.
    pub fn parse(file: &[u8]) -> Result<Self, OpenpgpError> {
        if file.len() > MAX {
            return Err(OpenpgpError::Packet { what: "more bytes than a certificate", offset: MAX });
        }
        let armored = std::str::from_utf8(file).ok().filter(|text| text.trim_ascii_start().starts_with("-----"));
        let bytes = armored.map(|text| dearmor(Block::PublicKey, text)).transpose()?;
        let bytes = bytes.as_deref().unwrap_or(file);
        let mut reading = Reading::default();
        let mut rest = bytes;
        for _ in 0..MAX_PACKETS {
            if rest.is_empty() {
                return reading.finish();
            }
            let offset = bytes.len().saturating_sub(rest.len());
            let (packet, after) = packet::split(rest).ok_or(OpenpgpError::Packet { what: "no whole packet", offset })?;
            reading.take(&packet, offset)?;
            rest = after;
        }
        Err(OpenpgpError::Packet { what: "more packets than a certificate", offset: bytes.len().saturating_sub(rest.len()) })
    }
}

#[derive(Default)]
struct Reading {
    primary: Option<Draft>,
    subkeys: Vec<Draft>,
    users: Vec<(u32, String)>,
    /// What the signatures that follow are about.
    about: About,
}

#[derive(Default)]
enum About {
    #[default]
    Primary,
    User(Vec<u8>),
    Subkey,
    Unknown,
}

impl Reading {
    fn take(&mut self, packet: &Packet<'_>, offset: usize) -> Result<(), OpenpgpError> {
        let draft = |(key, rest): (PublicKey, &[u8])| {
            rest.is_empty().then(|| Draft { key, body: packet.body.to_vec(), newest: None, revoked: false })
        };
        match (packet.tag, &self.primary) {
            (PUBLIC_KEY, None) => {
                let primary = public_part(packet.body).and_then(draft);
                self.primary = Some(primary.ok_or(OpenpgpError::Kind { what: "its primary key is not an Ed25519 key of version 4" })?);
            }
            (PUBLIC_KEY, Some(_)) => return Err(OpenpgpError::Packet { what: "a second certificate", offset }),
            (_, None) => return Err(OpenpgpError::Packet { what: "no public key", offset }),
            (PUBLIC_SUBKEY, _) => match public_part(packet.body).and_then(draft) {
                Some(subkey) => {
                    self.subkeys.push(subkey);
                    self.about = About::Subkey;
                }
                // Such as a key for encryption.
                None => self.about = About::Unknown,
            },
            (USER_ID, _) => self.about = About::User(packet.body.to_vec()),
            (SIGNATURE, _) => self.signature(packet),
            _ => self.about = About::Unknown,
        }
        Ok(())
    }

    /// A signature that is not the primary's own, or says nothing that is known here, changes nothing.
    fn signature(&mut self, packet: &Packet<'_>) {
        let (Ok(parts), Some(primary)) = (Parts::read(packet), &mut self.primary) else { return };
        let body = primary.body.clone();
        let by_primary = |about: &[u8]| parts.is_by(&primary.key.point, key_hash(&parts, &body, about));
        match (&self.about, parts.kind) {
            (About::Primary, KEY_REVOCATION) if by_primary(&[]) => primary.revoked = true,
            (About::Primary, DIRECT) if by_primary(&[]) => keep(&mut primary.newest, Word::read(&parts)),
            (About::User(user), 0x10..=0x13) if by_primary(&framed(0xb4, user)) => {
                let word = Word::read(&parts);
                if let (Some(word), Ok(user)) = (&word, std::str::from_utf8(user)) {
                    self.users.push((word.created, user.to_owned()));
                }
                keep(&mut primary.newest, word);
            }
            (About::Subkey, BINDING | SUBKEY_REVOCATION) => {
                let Some(subkey) = self.subkeys.last_mut() else { return };
                if !by_primary(&framed_key(&subkey.body)) {
                    return;
                }
                match parts.kind {
                    SUBKEY_REVOCATION => subkey.revoked = true,
                    _ => keep(&mut subkey.newest, Word::read(&parts)),
                }
            }
            _ => {}
        }
    }

    fn finish(mut self) -> Result<Certificate, OpenpgpError> {
        let primary = self.primary.take().ok_or(OpenpgpError::Packet { what: "no public key", offset: 0 })?;
        self.users.sort_by_key(|(created, _)| std::cmp::Reverse(*created));
        let mut user_ids: Vec<String> = Vec::new();
        for (_, user) in self.users {
            if !user_ids.contains(&user) {
                user_ids.push(user);
            }
        }
        // Nobody but the primary key says when it ends, and whether it may sign.
        let word = primary.newest.as_ref().ok_or(OpenpgpError::Kind { what: "its primary key certifies nothing" })?;
        let end = word.end(&primary.key);
        let mut keys = Vec::new();
        if word.flags.is_none_or(|flags| flags & MAY_SIGN != 0) {
            keys.push(CertifiedKey { key: primary.key, expires: end, revoked: primary.revoked });
        }
        for subkey in &self.subkeys {
            let Some(word) = &subkey.newest else { continue };
            // Without the subkey's own word, somebody could claim the key of another as a subkey of theirs.
            if word.flags.is_some_and(|flags| flags & MAY_SIGN != 0) && word.is_confirmed(&primary.body, subkey) {
                let expires = [end, word.end(&subkey.key)].into_iter().flatten().min();
                keys.push(CertifiedKey { key: subkey.key, expires, revoked: primary.revoked || subkey.revoked });
            }
        }
        if keys.is_empty() {
            Err(OpenpgpError::Kind { what: "it has no Ed25519 key that may sign" })
        } else {
            Ok(Certificate { user_ids, keys })
        }
    }
}

fn keep(newest: &mut Option<Word>, word: Option<Word>) {
    if let Some(word) = word.filter(|w| newest.as_ref().is_none_or(|n| n.created <= w.created)) {
        *newest = Some(word);
    }
}

impl Word {
    /// `None` when it says something critical that is not known here, or not when it was made.
    fn read(parts: &Parts<'_>) -> Option<Self> {
        let (mut created, mut lifetime, mut flags, mut back) = (None, None, None, None);
        for subpacket in subpackets(parts.area) {
            let (type_, body) = subpacket.ok()?;
            match type_ & 0x7f {
                2 => created = Some(u32::from_be_bytes(body.try_into().ok()?)),
                9 => lifetime = Some(u32::from_be_bytes(body.try_into().ok()?)).filter(|seconds| *seconds > 0),
                27 => flags = Some(body.first().copied().unwrap_or(0)),
                32 => back = Some(body.to_vec()),
                // Preferences, the primary user id, features, issuer: nothing that changes what is asked here.
                11 | 16 | 21..=25 | 30 | 33 | 34 => {}
                _ if type_ & 0x80 == 0 && type_ != 3 => {}
                _ => return None,
            }
        }
        // The subkey's word may stand in the part that is not signed: it is a signature itself.
        for (type_, body) in subpackets(parts.unhashed).flatten() {
            if type_ & 0x7f == 32 && back.is_none() {
                back = Some(body.to_vec());
            }
        }
        Some(Self { created: created?, lifetime, flags, back })
    }

    fn end(&self, key: &PublicKey) -> Option<u64> {
        self.lifetime.map(|seconds| u64::from(key.created).saturating_add(u64::from(seconds)))
    }

    /// Whether the subkey itself says that it belongs to the primary key.
    fn is_confirmed(&self, primary: &[u8], subkey: &Draft) -> bool {
        let Some(body) = self.back.as_deref() else { return false };
        let Ok(parts) = Parts::read(&Packet { tag: SIGNATURE, body }) else { return false };
        parts.kind == BACK && parts.is_by(&subkey.key.point, key_hash(&parts, primary, &framed_key(&subkey.body)))
    }
}

impl Parts<'_> {
    fn is_by(&self, point: &[u8; 32], document: Hasher) -> bool {
        ed25519::verify(point, &self.tbs(document), &self.numbers).is_ok()
    }
}

fn key_hash(parts: &Parts<'_>, primary: &[u8], about: &[u8]) -> Hasher {
    let mut hasher = Hasher::new(parts.hash);
    hasher.update(&framed_key(primary));
    hasher.update(about);
    hasher
}

fn framed_key(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[0x99], length.as_slice(), body].concat()
}

fn framed(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[tag], length.as_slice(), body].concat()
}
