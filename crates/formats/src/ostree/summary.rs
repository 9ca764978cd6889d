//! The `summary` of a repository: `(a(s(taya{sv}))a{sv})`.

use super::names::{checksum_from_hex, is_collection_id, is_ref_name};
use super::reader::Reader;
use crate::content::{ContentError, ContentFault, Document};
use crate::gvariant::{Fault, Value};

const TYPE: &str = "(a(s(taya{sv}))a{sv})";
const READER: Reader = Reader(Document::Summary);

/// A summary, read strictly.
///
/// A publisher's rights are about refs, and a summary has them in two places: look at [`Summary::all_refs`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary<'a> {
    /// The refs, in strictly ascending byte order.
    pub refs: Vec<SummaryRef<'a>>,
    /// `ostree.summary.last-modified`: seconds since 1970.
    pub last_modified: Option<u64>,
    /// `ostree.summary.expires`: seconds since 1970. No OSTree client looks at it.
    pub expires: Option<u64>,
    /// `ostree.summary.collection-id`: the collection of [`Summary::refs`].
    pub collection_id: Option<&'a str>,
    /// `ostree.summary.collection-map`: refs of other collections, in strictly ascending order of the collection.
    pub collection_map: Vec<CollectionRefs<'a>>,
    /// `ostree.static-deltas`: the deltas that this summary vouches for.
    pub deltas: Vec<DeltaName>,
    /// All keys of the summary's metadata, in the order of the file.
    pub metadata_keys: Vec<&'a str>,
}

/// One ref of a summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryRef<'a> {
    /// The ref's name, in the alphabet of [`super::is_ref_name`].
    pub name: &'a str,
    /// SHA-256 of the commit object.
    pub commit: [u8; 32],
    /// The size of the commit object in bytes.
    pub size: u64,
    /// `ostree.commit.timestamp`: seconds since 1970. The publisher's word; the commit itself has the truth.
    pub timestamp: Option<u64>,
    /// `ostree.commit.version`. The publisher's word.
    pub version: Option<&'a str>,
}

/// The refs of one collection other than the summary's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionRefs<'a> {
    /// The collection id.
    pub collection: &'a str,
    /// The refs, in strictly ascending byte order.
    pub refs: Vec<SummaryRef<'a>>,
}

/// Which static delta a summary vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeltaName {
    /// The commit that the delta starts from; `None` for a delta from nothing.
    pub from: Option<[u8; 32]>,
    /// The commit that the delta leads to.
    pub to: [u8; 32],
}

impl<'a> Summary<'a> {
    /// Reads a summary.
    ///
    /// # Errors
    /// When the bytes are not in normal form, have a dictionary key twice, refs that are not strictly ascending, names outside their
    /// alphabets, or known metadata of another type.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ContentError> {
        let mut members = READER.members(READER.open(TYPE, bytes)?)?;
        let refs = read_refs(members.part()?)?;
        let metadata = READER.metadata(members.part()?)?;
        Ok(Self {
            refs,
            last_modified: metadata.time("ostree.summary.last-modified")?,
            expires: metadata.time("ostree.summary.expires")?,
            collection_id: metadata.collection_id("ostree.summary.collection-id")?,
            collection_map: match metadata.get("ostree.summary.collection-map", "a{sa(s(taya{sv}))}")? {
                Some(map) => read_collections(map)?,
                None => Vec::new(),
            },
            deltas: match metadata.get("ostree.static-deltas", "a{sv}")? {
                Some(deltas) => read_deltas(deltas)?,
                None => Vec::new(),
            },
            metadata_keys: metadata.keys(),
        })
    }

    /// Every ref that the summary vouches for, with its collection where it has one.
    pub fn all_refs(&self) -> impl Iterator<Item = (Option<&'a str>, &SummaryRef<'a>)> {
        let own = self.refs.iter().map(|r| (self.collection_id, r));
        let others = self.collection_map.iter().flat_map(|c| c.refs.iter().map(|r| (Some(c.collection), r)));
        own.chain(others)
    }
}

fn read_refs(value: Value<'_>) -> Result<Vec<SummaryRef<'_>>, ContentError> {
    let mut refs: Vec<SummaryRef<'_>> = Vec::new();
    for item in READER.items(value)? {
        let item = item?;
        let entry = read_ref(item)?;
        if refs.last().is_some_and(|before| before.name >= entry.name) {
            return Err(READER.0.error(ContentFault::RefOrder, item.offset()));
        }
        refs.push(entry);
    }
    Ok(refs)
}

fn read_ref(value: Value<'_>) -> Result<SummaryRef<'_>, ContentError> {
    let mut members = READER.members(value)?;
    let name = members.text()?;
    if !is_ref_name(name) {
        return Err(READER.0.error(ContentFault::RefName, value.offset()));
    }
    let mut target = READER.members(members.part()?)?;
    let size = target.part()?;
    let size = size.as_u64_le().ok_or(READER.0.error(ContentFault::NotNormal(Fault::Type), size.offset()))?;
    let commit = READER.checksum(target.part()?)?;
    let metadata = READER.metadata(target.part()?)?;
    let (timestamp, version) = (metadata.time("ostree.commit.timestamp")?, metadata.text("ostree.commit.version")?);
    Ok(SummaryRef { name, commit, size, timestamp, version })
}

fn read_collections(value: Value<'_>) -> Result<Vec<CollectionRefs<'_>>, ContentError> {
    let mut collections: Vec<CollectionRefs<'_>> = Vec::new();
    for item in READER.items(value)? {
        let item = item?;
        let mut entry = READER.members(item)?;
        let (collection, refs) = (entry.text()?, entry.part()?);
        if !is_collection_id(collection) {
            return Err(READER.0.error(ContentFault::CollectionId, item.offset()));
        }
        if collections.last().is_some_and(|before| before.collection >= collection) {
            return Err(READER.0.error(ContentFault::CollectionOrder, item.offset()));
        }
        collections.push(CollectionRefs { collection, refs: read_refs(refs)? });
    }
    Ok(collections)
}

fn read_deltas(value: Value<'_>) -> Result<Vec<DeltaName>, ContentError> {
    let mut deltas = Vec::new();
    for (name, superblock) in READER.metadata(value)?.iter() {
        let malformed = || READER.0.error(ContentFault::DeltaName, superblock.offset());
        let digest = superblock.as_bytes().ok_or_else(malformed)?;
        if digest.len() != 32 {
            return Err(READER.0.error(ContentFault::Checksum, superblock.offset()));
        }
        let (from, to) = match name.split_once('-') {
            Some((from, to)) => (Some(checksum_from_hex(from).ok_or_else(malformed)?), to),
            None => (None, name),
        };
        deltas.push(DeltaName { from, to: checksum_from_hex(to).ok_or_else(malformed)? });
    }
    Ok(deltas)
}
