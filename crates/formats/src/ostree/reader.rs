//! What the readers of summaries, commits and signature files have in common.

use super::names::is_collection_id;
use crate::content::{ContentError, ContentFault, Document};
use crate::gvariant::{Fault, Items, Members, Type, Value};
use crate::sshsig;

/// The last second of the year 9999.
const LAST_TIME: u64 = 253_402_300_799;

/// Reads the parts of one kind of document; knows how to say what is wrong with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader(pub Document);

impl Reader {
    /// Checks the whole of `bytes`, dictionary keys included.
    pub(super) fn open<'a>(self, ty: &'static str, bytes: &'a [u8]) -> Result<Value<'a>, ContentError> {
        if bytes.starts_with(sshsig::MAGIC) {
            return Err(self.0.error(ContentFault::LooksLikeSshsig, 0));
        }
        let ty = Type::parse(ty).map_err(|fault| self.0.error(ContentFault::NotNormal(fault), 0))?;
        Value::parse_unique_keys(ty, bytes).map_err(|e| self.0.malformed(e))
    }

    pub(super) fn members<'a>(self, value: Value<'a>) -> Result<Parts<Members<'a>>, ContentError> {
        let parts = value.members().map_err(|e| self.0.malformed(e))?;
        Ok(Parts { reader: self, end: value.offset().saturating_add(value.data().len()), parts })
    }

    pub(super) fn items<'a>(self, value: Value<'a>) -> Result<Parts<Items<'a>>, ContentError> {
        let parts = value.items().map_err(|e| self.0.malformed(e))?;
        Ok(Parts { reader: self, end: value.offset().saturating_add(value.data().len()), parts })
    }

    /// The entries of an `a{sv}`.
    pub(super) fn metadata(self, value: Value<'_>) -> Result<Metadata<'_>, ContentError> {
        let mut entries = Vec::new();
        for entry in self.items(value)? {
            let mut entry = self.members(entry?)?;
            let (key, value) = (entry.text()?, entry.part()?.inner().map_err(|e| self.0.malformed(e))?);
            entries.push((key, value));
        }
        Ok(Metadata { reader: self, entries })
    }

    /// A time in seconds since 1970, which OSTree swaps to big-endian before it writes it.
    pub(super) fn time(self, value: Value<'_>) -> Result<u64, ContentError> {
        match value.as_u64_be() {
            Some(time) if time <= LAST_TIME => Ok(time),
            Some(_) => Err(self.0.error(ContentFault::Time, value.offset())),
            None => Err(self.0.error(ContentFault::NotNormal(Fault::Type), value.offset())),
        }
    }

    pub(super) fn checksum(self, value: Value<'_>) -> Result<[u8; 32], ContentError> {
        value.data().try_into().map_err(|_| self.0.error(ContentFault::Checksum, value.offset()))
    }
}

/// The parts of a container, with the errors of the document.
pub(super) struct Parts<I> {
    reader: Reader,
    end: usize,
    parts: I,
}

impl<'a, I: Iterator<Item = Result<Value<'a>, crate::gvariant::Error>>> Parts<I> {
    /// The next part. The type of the document says that there is one.
    pub(super) fn part(&mut self) -> Result<Value<'a>, ContentError> {
        let missing = self.reader.0.error(ContentFault::NotNormal(Fault::Type), self.end);
        self.next().ok_or(missing)?
    }

    /// The next part, which the type of the document says is a string.
    pub(super) fn text(&mut self) -> Result<&'a str, ContentError> {
        let value = self.part()?;
        value.as_str().ok_or_else(|| self.reader.0.error(ContentFault::NotNormal(Fault::Type), value.offset()))
    }
}

impl<'a, I: Iterator<Item = Result<Value<'a>, crate::gvariant::Error>>> Iterator for Parts<I> {
    type Item = Result<Value<'a>, ContentError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.parts.next()?.map_err(|e| self.reader.0.malformed(e)))
    }
}

/// The entries of an `a{sv}`, in the order of the file. Each key is there once.
#[derive(Debug)]
pub(super) struct Metadata<'a> {
    reader: Reader,
    entries: Vec<(&'a str, Value<'a>)>,
}

impl<'a> Metadata<'a> {
    pub(super) fn keys(&self) -> Vec<&'a str> {
        self.entries.iter().map(|(key, _)| *key).collect()
    }

    /// The value of `key`, which must have the type that OSTree gives it.
    pub(super) fn get(&self, key: &'static str, expected: &'static str) -> Result<Option<Value<'a>>, ContentError> {
        match self.entries.iter().find(|(k, _)| *k == key) {
            None => Ok(None),
            Some((_, value)) if value.ty().as_str() == expected => Ok(Some(*value)),
            Some((_, value)) => Err(self.reader.0.error(ContentFault::WrongType { key, expected }, value.offset())),
        }
    }

    pub(super) fn text(&self, key: &'static str) -> Result<Option<&'a str>, ContentError> {
        Ok(self.get(key, "s")?.and_then(Value::as_str))
    }

    pub(super) fn time(&self, key: &'static str) -> Result<Option<u64>, ContentError> {
        self.get(key, "t")?.map(|value| self.reader.time(value)).transpose()
    }

    /// A collection id; `None` also when it is empty, which is how Flatpak says that there is no collection.
    pub(super) fn collection_id(&self, key: &'static str) -> Result<Option<&'a str>, ContentError> {
        let Some(value) = self.get(key, "s")? else { return Ok(None) };
        match value.as_str() {
            Some("") => Ok(None),
            Some(id) if is_collection_id(id) => Ok(Some(id)),
            _ => Err(self.reader.0.error(ContentFault::CollectionId, value.offset())),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        self.entries.iter().copied()
    }
}
