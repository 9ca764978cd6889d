//! `summary.sig` and `.commitmeta`: an `a{sv}` of signatures and whatever else was put there.

use super::reader::Reader;
use super::{ED25519_KEY, OPENPGP_KEY};
use crate::content::{ContentError, ContentFault, Document};
use crate::gvariant::{Type, Value, array, dict_entry, variant};
use crate::openpgp;
use std::collections::BTreeSet;
use std::fmt;

const READER: Reader = Reader(Document::SignatureSet);

/// What a `summary.sig` or `.commitmeta` holds: signatures, and entries of others.
///
/// One malformed signature makes clients refuse the whole file before they look at the good ones, so those are dropped on reading.
/// Every other entry is kept to the byte, in its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignatureSet {
    entries: Vec<Entry>,
}

/// Something that was in the file, and is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The key of the entry.
    pub key: String,
    /// Where it stood, in bytes from the beginning of the file.
    pub offset: usize,
    /// Why it was dropped.
    pub reason: DropReason,
}

/// Why something was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DropReason {
    /// The value is not a list of byte strings.
    NotAList,
    /// An Ed25519 signature is not 64 bytes long; this is its length.
    Length(usize),
    /// There is no signature in the list.
    Empty,
    /// An OpenPGP signature is empty, cut off or followed by something else.
    NotOpenpgp,
    /// The key stands there already; clients look at the first only.
    KeyTwice,
}

/// What becomes of the other Ed25519 signatures when one is put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// They stay, before the new one: for a second key, or for a summary that is being replaced.
    Keep,
    /// They go: they are for other content.
    Drop,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    key: String,
    value: EntryValue,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum EntryValue {
    Ed25519(Vec<[u8; 64]>),
    Openpgp(Vec<Vec<u8>>),
    /// The serialised variant.
    Foreign(Vec<u8>),
}

impl SignatureSet {
    /// A file without entries.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Reads a file and says what of it is not kept.
    ///
    /// # Errors
    /// When the file as a whole is not a valid `a{sv}`. No client can read such a file either, so [`SignatureSet::new`] loses nothing.
    pub fn parse(bytes: &[u8]) -> Result<(Self, Vec<Dropped>), ContentError> {
        let (mut set, mut dropped, mut keys) = (Self::new(), Vec::new(), BTreeSet::new());
        let ty = Type::parse("a{sv}").map_err(|fault| READER.0.error(ContentFault::NotNormal(fault), 0))?;
        let whole = Value::parse(ty, bytes).map_err(|e| READER.0.malformed(e))?;
        for entry in READER.items(whole)? {
            let mut entry = READER.members(entry?)?;
            let (key, value) = (entry.text()?, entry.part()?);
            let mut drop = |offset, reason| dropped.push(Dropped { key: key.to_owned(), offset, reason });
            if !keys.insert(key) {
                drop(value.offset(), DropReason::KeyTwice);
                continue;
            }
            let value = match key {
                ED25519_KEY => EntryValue::Ed25519(read_list(value, &mut drop, ed25519_signature)?),
                OPENPGP_KEY => EntryValue::Openpgp(read_list(value, &mut drop, openpgp_signature)?),
                _ => EntryValue::Foreign(value.data().to_vec()),
            };
            if !value.is_empty() {
                set.entries.push(Entry { key: key.to_owned(), value });
            }
        }
        Ok((set, dropped))
    }

    /// The Ed25519 signatures, in the order of the file.
    #[must_use]
    pub fn ed25519(&self) -> &[[u8; 64]] {
        let found = self.entries.iter().find_map(|e| if let EntryValue::Ed25519(list) = &e.value { Some(list) } else { None });
        found.map_or(&[], Vec::as_slice)
    }

    /// Puts a signature in, after those that stay. One that is there already is not put in again, and keeps its place.
    pub fn put_ed25519(&mut self, signature: [u8; 64], others: Others) {
        let found = self.entries.iter_mut().find_map(|e| if let EntryValue::Ed25519(list) = &mut e.value { Some(list) } else { None });
        let Some(list) = found else {
            self.entries.push(Entry { key: ED25519_KEY.to_owned(), value: EntryValue::Ed25519(vec![signature]) });
            return;
        };
        if others == Others::Drop {
            list.clear();
        }
        if !list.contains(&signature) {
            list.push(signature);
        }
    }

    /// Keeps only those Ed25519 signatures for which `keep` says so.
    pub fn retain_ed25519(&mut self, mut keep: impl FnMut(&[u8; 64]) -> bool) {
        for entry in &mut self.entries {
            if let EntryValue::Ed25519(list) = &mut entry.value {
                list.retain(&mut keep);
            }
        }
        self.entries.retain(|e| !e.value.is_empty());
    }

    /// The OpenPGP signatures, each as it stands in the file: packets, or armored.
    #[must_use]
    pub fn openpgp(&self) -> &[Vec<u8>] {
        let found = self.entries.iter().find_map(|e| if let EntryValue::Openpgp(list) = &e.value { Some(list) } else { None });
        found.map_or(&[], Vec::as_slice)
    }

    /// Puts an OpenPGP signature in, before those for which `keep` says that they stay: GPGME stops at the first that does not fit.
    pub fn put_openpgp(&mut self, signature: Vec<u8>, mut keep: impl FnMut(&[u8]) -> bool) {
        let found = self.entries.iter_mut().find_map(|e| if let EntryValue::Openpgp(list) = &mut e.value { Some(list) } else { None });
        let Some(list) = found else {
            self.entries.push(Entry { key: OPENPGP_KEY.to_owned(), value: EntryValue::Openpgp(vec![signature]) });
            return;
        };
        list.retain(|other| *other == signature || keep(other));
        if !list.contains(&signature) {
            list.insert(0, signature);
        }
    }

    /// The bytes of the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let entries: Vec<_> = self.entries.iter().map(|e| dict_entry(&e.key, &e.value.encode())).collect();
        array(8, &entries)
    }
}

impl EntryValue {
    fn is_empty(&self) -> bool {
        match self {
            Self::Ed25519(list) => list.is_empty(),
            Self::Openpgp(list) => list.is_empty(),
            Self::Foreign(_) => false,
        }
    }

    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(list) => variant("aay", &array(1, list)),
            Self::Openpgp(list) => variant("aay", &array(1, list)),
            Self::Foreign(bytes) => bytes.clone(),
        }
    }
}

/// The signatures of a variant that should hold an `aay`, each read by `read`.
fn read_list<S>(
    value: Value<'_>,
    drop: &mut impl FnMut(usize, DropReason),
    read: fn(&[u8]) -> Result<S, DropReason>,
) -> Result<Vec<S>, ContentError> {
    let list = value.inner().map_err(|e| READER.0.malformed(e))?;
    if list.ty().as_str() != "aay" || list.data().is_empty() {
        let reason = if list.ty().as_str() == "aay" { DropReason::Empty } else { DropReason::NotAList };
        drop(value.offset(), reason);
        return Ok(Vec::new());
    }
    let mut signatures = Vec::new();
    for item in READER.items(list)? {
        let item = item?;
        match read(item.data()) {
            Err(reason) => drop(item.offset(), reason),
            Ok(signature) => signatures.push(signature),
        }
    }
    Ok(signatures)
}

fn ed25519_signature(bytes: &[u8]) -> Result<[u8; 64], DropReason> {
    bytes.try_into().map_err(|_| DropReason::Length(bytes.len()))
}

fn openpgp_signature(bytes: &[u8]) -> Result<Vec<u8>, DropReason> {
    if openpgp::is_signature(bytes) { Ok(bytes.to_vec()) } else { Err(DropReason::NotOpenpgp) }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dropped from {} at byte {}: {}", self.key, self.offset, self.reason)
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAList => f.write_str("not a list of signatures"),
            Self::Length(length) => write!(f, "a signature of {length} bytes instead of 64, for which clients refuse the whole file"),
            Self::Empty => f.write_str("a list without signatures"),
            Self::NotOpenpgp => f.write_str("not a complete OpenPGP signature, for which clients refuse the whole file"),
            Self::KeyTwice => f.write_str("a second entry of this name, which clients do not look at"),
        }
    }
}

#[cfg(test)]
mod tests;
