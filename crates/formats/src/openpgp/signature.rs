//! Detached signatures of binary documents (RFC 9580 section 5.2.3, version 4).

use super::packet::{self, Packet, SIGNATURE, big_endian, read_mpi, write_mpi};
use super::{Block, EDDSA, Hash, Hasher, OpenpgpError, PublicKey, dearmor};
use crate::ed25519;

/// A signature of a binary document.
const BINARY: u8 = 0x00;
const CREATED: u8 = 2;
const EXPIRES: u8 = 3;
const ISSUER: u8 = 16;
const ISSUER_FINGERPRINT: u8 = 33;
/// No signature that is made of one Ed25519 key comes near this.
const MAX: usize = 64 * 1024;
/// More are not looked at in one file.
const MAX_SIGNATURES: usize = 64;

/// A signature to be made: everything but the two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsigned {
    /// The key that is to sign.
    pub key: PublicKey,
    /// The hash of the document.
    pub hash: Hash,
    /// When it is made, as it says, in seconds since 1970.
    pub created: u32,
}

/// A signature that was read, and not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    hash: Hash,
    hashed: Vec<u8>,
    created: u32,
    issuer: Option<[u8; 20]>,
    numbers: [u8; 64],
}

impl Unsigned {
    /// What Ed25519 signs: the digest of the document, of what is said beside it, and of the length of that. `document` has taken in
    /// the whole document with the hash that this says.
    #[must_use]
    pub fn tbs(&self, document: Hasher) -> Vec<u8> {
        digest(document, &self.hashed())
    }

    /// The packet.
    #[must_use]
    pub fn packet(&self, tbs: &[u8], signature: &[u8; 64]) -> Vec<u8> {
        packet_of(&self.key.key_id(), self.hashed(), tbs, signature)
    }

    /// Version, type, algorithms and what is said beside the document.
    fn hashed(&self) -> Vec<u8> {
        let mut area = vec![5, CREATED];
        area.extend_from_slice(&self.created.to_be_bytes());
        area.extend_from_slice(&[22, ISSUER_FINGERPRINT, 4]);
        area.extend_from_slice(&self.key.fingerprint());
        let mut out = vec![4, BINARY, EDDSA, self.hash.number()];
        put_area(&mut out, &area);
        out
    }
}

impl Signature {
    /// Reads all signatures of a file, armored or not. Those of another kind are left out: a file may hold some for newer programs.
    ///
    /// # Errors
    /// [`OpenpgpError`] when it is no file of signatures, or has none that can be checked here.
    pub fn read_all(file: &[u8]) -> Result<Vec<Self>, OpenpgpError> {
        let too_large = OpenpgpError::Packet { what: "more bytes than any signature", offset: MAX };
        if file.len() > MAX {
            return Err(too_large);
        }
        let armored = std::str::from_utf8(file).ok().filter(|text| text.trim_ascii_start().starts_with("-----"));
        let bytes = armored.map(|text| dearmor(Block::Signature, text)).transpose()?;
        let bytes = bytes.as_deref().unwrap_or(file);
        let (mut rest, mut found, mut other) = (bytes, Vec::new(), None);
        while !rest.is_empty() {
            let offset = bytes.len().saturating_sub(rest.len());
            let (packet, after) = packet::split(rest).ok_or(OpenpgpError::Packet { what: "no whole packet", offset })?;
            match Self::from_packet(&packet) {
                Ok(signature) => found.push(signature),
                Err(error @ OpenpgpError::Kind { .. }) => other = Some(error),
                Err(error) => return Err(error),
            }
            if found.len() > MAX_SIGNATURES {
                return Err(too_large);
            }
            rest = after;
        }
        match (found.is_empty(), other) {
            (false, _) => Ok(found),
            (true, Some(error)) => Err(error),
            (true, None) => Err(OpenpgpError::Packet { what: "no signature", offset: 0 }),
        }
    }

    fn from_packet(packet: &Packet<'_>) -> Result<Self, OpenpgpError> {
        let kind = |what| OpenpgpError::Kind { what };
        if packet.tag != SIGNATURE {
            return Err(OpenpgpError::Packet { what: "a packet that is no signature", offset: 0 });
        }
        if packet.body.first() == Some(&4) && packet.body.get(1).is_some_and(|type_| *type_ != BINARY) {
            return Err(kind("it is not one of a binary document"));
        }
        let Parts { hash, hashed, area, numbers, .. } = Parts::read(packet)?;
        let said = Said::read(area)?;
        Ok(Self { hash, hashed, created: said.created.ok_or(kind("it does not say when it was made"))?, issuer: said.issuer, numbers })
    }

    /// The hash of the document.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// When it was made, as it says, in seconds since 1970.
    #[must_use]
    pub const fn created(&self) -> u32 {
        self.created
    }

    /// The fingerprint of the key that it says made it.
    #[must_use]
    pub const fn issuer(&self) -> Option<&[u8; 20]> {
        self.issuer.as_ref()
    }

    /// The Ed25519 signature.
    #[must_use]
    pub const fn numbers(&self) -> &[u8; 64] {
        &self.numbers
    }

    /// What Ed25519 has signed, if the document is the one that `document` took in.
    #[must_use]
    pub fn tbs(&self, document: Hasher) -> Vec<u8> {
        digest(document, &self.hashed)
    }

    /// The packet, written anew: what is not hashed may be anything in the one that was read.
    #[must_use]
    pub fn packet(&self, tbs: &[u8]) -> Vec<u8> {
        let id = self.issuer.and_then(|fingerprint| fingerprint.last_chunk::<8>().copied()).unwrap_or_default();
        packet_of(&id, self.hashed.clone(), tbs, &self.numbers)
    }

    /// Checks the signature under a key. Whether the key was good at that time is its certificate's to say.
    ///
    /// # Errors
    /// [`OpenpgpError`] when it is not one of this document by this key.
    pub fn verify(&self, point: &[u8; 32], document: Hasher) -> Result<(), OpenpgpError> {
        if document.hash() != self.hash {
            return Err(OpenpgpError::Mismatch);
        }
        ed25519::verify(point, &self.tbs(document), &self.numbers).map_err(|_| OpenpgpError::Mismatch)
    }
}

/// A signature packet of version 4 by an Ed25519 key, taken apart.
pub(super) struct Parts<'a> {
    pub(super) kind: u8,
    pub(super) hash: Hash,
    /// All that is hashed: version, type, algorithms and the area, with its length.
    pub(super) hashed: Vec<u8>,
    pub(super) area: &'a [u8],
    pub(super) unhashed: &'a [u8],
    pub(super) numbers: [u8; 64],
}

impl<'a> Parts<'a> {
    pub(super) fn read(packet: &Packet<'a>) -> Result<Self, OpenpgpError> {
        let kind = |what| OpenpgpError::Kind { what };
        let cut = |what, rest: &[u8]| OpenpgpError::Packet { what, offset: packet.body.len().saturating_sub(rest.len()) };
        let [version, type_, algorithm, hash, rest @ ..] = packet.body else { return Err(cut("an end too early", &[])) };
        match (*version, *algorithm) {
            (4, EDDSA) => {}
            (4, _) => return Err(kind("its algorithm is not EdDSA (22)")),
            _ => return Err(kind("its version is not 4")),
        }
        let hash = Hash::from_number(*hash).ok_or(kind("its hash is neither SHA-256 nor SHA-512"))?;
        let (length, after) = big_endian(rest, 2).ok_or_else(|| cut("an end too early", rest))?;
        let (area, rest) = after.split_at_checked(length).ok_or_else(|| cut("an end too early", after))?;
        let hashed = packet.body.get(..length.saturating_add(6)).unwrap_or_default().to_vec();
        let (length, after) = big_endian(rest, 2).ok_or_else(|| cut("an end too early", rest))?;
        let (unhashed, rest) = after.split_at_checked(length).ok_or_else(|| cut("an end too early", after))?;
        let (_check, rest) = rest.split_at_checked(2).ok_or_else(|| cut("an end too early", rest))?;
        let (r, rest) = read_mpi(rest).ok_or_else(|| cut("a malformed number", rest))?;
        let (s, rest) = read_mpi(rest).ok_or_else(|| cut("a malformed number", rest))?;
        if !rest.is_empty() {
            return Err(cut("bytes after its end", rest));
        }
        let mut numbers = [0; 64];
        numbers.iter_mut().zip(r.iter().chain(&s)).for_each(|(to, from)| *to = *from);
        Ok(Self { kind: *type_, hash, hashed, area, unhashed, numbers })
    }

    /// What Ed25519 has signed.
    pub(super) fn tbs(&self, document: Hasher) -> Vec<u8> {
        digest(document, &self.hashed)
    }
}

/// The subpackets of an area: type with its critical bit, and body. Ends after one that is malformed.
pub(super) fn subpackets(area: &[u8]) -> impl Iterator<Item = Result<(u8, &[u8]), OpenpgpError>> {
    let mut rest = area;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let cut = OpenpgpError::Packet { what: "a malformed subpacket", offset: area.len().saturating_sub(rest.len()) };
        let read = packet::new_length(rest).and_then(|(length, after)| {
            let (subpacket, after) = after.split_at_checked(length)?;
            let (type_, body) = subpacket.split_first()?;
            Some((*type_, body, after))
        });
        let Some((type_, body, after)) = read else {
            rest = &[];
            return Some(Err(cut));
        };
        rest = after;
        Some(Ok((type_, body)))
    })
}

/// What a signature says beside the document.
#[derive(Default)]
struct Said {
    created: Option<u32>,
    issuer: Option<[u8; 20]>,
}

impl Said {
    fn read(area: &[u8]) -> Result<Self, OpenpgpError> {
        let mut said = Self::default();
        for subpacket in subpackets(area) {
            let (type_, body) = subpacket?;
            let cut = OpenpgpError::Packet { what: "a malformed subpacket", offset: 0 };
            match (type_ & 0x7f, body) {
                (CREATED, _) => said.created = Some(u32::from_be_bytes(body.try_into().map_err(|_| cut)?)),
                (ISSUER_FINGERPRINT, [4, fingerprint @ ..]) => said.issuer = fingerprint.try_into().ok(),
                // An end of the signature is not looked at here, so a signature that has one is not believed.
                (EXPIRES, _) => return Err(OpenpgpError::Kind { what: "it has an end" }),
                (ISSUER, _) => {}
                // RFC 9580 section 5.2.3.7: what is critical and not known makes a signature invalid.
                _ if type_ & 0x80 == 0 => {}
                _ => return Err(OpenpgpError::Kind { what: "it says something critical that is not known here" }),
            }
        }
        Ok(said)
    }
}

/// The digest of the document, of `hashed`, and of the trailer that says how long that is (RFC 9580 section 5.2.4).
pub(super) fn digest(mut document: Hasher, hashed: &[u8]) -> Vec<u8> {
    document.update(hashed);
    document.update(&[4, 0xff]);
    document.update(&u32::try_from(hashed.len()).unwrap_or(u32::MAX).to_be_bytes());
    document.finish()
}

/// A signature packet: what is hashed, the key's id, the first bytes of the digest, and the two numbers.
pub(super) fn packet_of(key_id: &[u8; 8], hashed: Vec<u8>, tbs: &[u8], signature: &[u8; 64]) -> Vec<u8> {
    let mut body = hashed;
    let mut unhashed = vec![9, ISSUER];
    unhashed.extend_from_slice(key_id);
    put_area(&mut body, &unhashed);
    body.extend(tbs.iter().take(2));
    let (r, s) = halves(signature);
    write_mpi(&mut body, &r);
    write_mpi(&mut body, &s);
    packet::write(SIGNATURE, &body)
}

pub(super) fn put_area(out: &mut Vec<u8>, area: &[u8]) {
    out.extend_from_slice(&u16::try_from(area.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(area);
}

fn halves(signature: &[u8; 64]) -> ([u8; 32], [u8; 32]) {
    let (mut r, mut s) = ([0; 32], [0; 32]);
    r.iter_mut().chain(&mut s).zip(signature).for_each(|(to, from)| *to = *from);
    (r, s)
}
