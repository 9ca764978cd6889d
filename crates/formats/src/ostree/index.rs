//! Flatpak's `summary.idx`: `(a{s(ayaaya{sv})}a{sv})`.
//!
//! It lists summaries of parts of a repository by their digests; clients take those for as good as signed. An index without parts is
//! refused, so that none is a [`super::Summary`] too: in normal form the last byte of a part is 32, the end of its digest, where that of
//! a ref in a summary is 40.

use super::reader::Reader;
use crate::content::{ContentError, ContentFault, Document};
use crate::gvariant::Value;

const TYPE: &str = "(a{s(ayaaya{sv})}a{sv})";
const READER: Reader = Reader(Document::Index);
/// Longer names are not taken, in bytes.
const MAX_NAME: usize = 255;

/// An index, read strictly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index<'a> {
    /// The parts, at least one.
    pub parts: Vec<IndexPart<'a>>,
    /// `ostree.summary.last-modified`: seconds since 1970.
    pub last_modified: Option<u64>,
}

/// One summary of a part of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexPart<'a> {
    /// An architecture, or `SUBSET-ARCHITECTURE`.
    pub name: &'a str,
    /// SHA-256 of the summary before it is compressed.
    pub digest: [u8; 32],
    /// SHA-256 of earlier ones, for which there may be deltas.
    pub history: Vec<[u8; 32]>,
}

impl<'a> Index<'a> {
    /// Reads an index.
    ///
    /// # Errors
    /// When the bytes are not in normal form, have a key twice, no part, a name outside `A-Z a-z 0-9 . _ -`, or a digest that is not 32
    /// bytes long.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ContentError> {
        let mut members = READER.members(READER.open(TYPE, bytes)?)?;
        let list = members.part()?;
        let parts = READER.items(list)?.map(|item| read_part(item?)).collect::<Result<Vec<_>, _>>()?;
        if parts.is_empty() {
            return Err(READER.0.error(ContentFault::Empty, list.offset()));
        }
        let metadata = READER.metadata(members.part()?)?;
        Ok(Self { parts, last_modified: metadata.time("ostree.summary.last-modified")? })
    }
}

fn read_part(value: Value<'_>) -> Result<IndexPart<'_>, ContentError> {
    let mut entry = READER.members(value)?;
    let name = entry.text()?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(allowed) {
        return Err(READER.0.error(ContentFault::PartName, value.offset()));
    }
    let mut part = READER.members(entry.part()?)?;
    let digest = READER.checksum(part.part()?)?;
    let history = READER.items(part.part()?)?.map(|item| READER.checksum(item?)).collect::<Result<_, _>>()?;
    READER.metadata(part.part()?)?;
    Ok(IndexPart { name, digest, history })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gvariant::{array, dict_entry};
    use crate::ostree::Summary;
    use crate::vectors::vector;

    #[test]
    fn the_index_that_flatpak_made_is_read_and_no_changed_byte_of_its_frame_is() {
        let bytes = vector("ostree/flatpak.summary.idx");
        let index = Index::parse(&bytes).unwrap();
        let [part] = index.parts.as_slice() else { panic!("{index:?}") };
        assert_eq!((part.name, part.history.len()), ("x86_64", 0));
        assert!(index.last_modified.is_some());
        assert!(Summary::parse(&bytes).is_err());
        for (at, what) in [(0x28, "where the digest ends"), (0x2b, "where the part ends"), (bytes.len() - 2, "where the parts end")] {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(Index::parse(&bad).is_err(), "{what}");
        }
        assert!(Index::parse(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn an_index_without_parts_is_refused_because_it_is_a_summary_too() {
        let empty = [array(8, &[dict_entry("k", &crate::gvariant::variant("s", b"v\0"))]), vec![0]].concat();
        assert!(Summary::parse(&empty).is_ok());
        assert_eq!(Index::parse(&empty).unwrap_err().fault, ContentFault::Empty);
    }

    #[test]
    fn names_and_digests_of_other_forms_are_refused() {
        let bytes = vector("ostree/flatpak.summary.idx");
        let mut bad = bytes.clone();
        bad[0] = b'/';
        assert_eq!(Index::parse(&bad).unwrap_err().fault, ContentFault::PartName);
    }
}
