//! A commit object: `(a{sv}aya(say)sstayay)`.

use super::names::is_ref_name;
use super::reader::Reader;
use crate::content::{ContentError, ContentFault, Document};
use crate::gvariant::Value;

const TYPE: &str = "(a{sv}aya(say)sstayay)";
const READER: Reader = Reader(Document::Commit);

/// A commit, read strictly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit<'a> {
    /// The commit before this one on the same ref.
    pub parent: Option<[u8; 32]>,
    /// One line, may be empty.
    pub subject: &'a str,
    /// Further lines, may be empty.
    pub body: &'a str,
    /// Seconds since 1970.
    pub timestamp: u64,
    /// SHA-256 of the root directory's tree object.
    pub root_tree: [u8; 32],
    /// SHA-256 of the root directory's metadata object.
    pub root_meta: [u8; 32],
    /// `ostree.ref-binding`: the refs that clients accept this commit on. Empty also when the commit does not say; clients then accept
    /// it on every ref, unless it has a collection.
    pub ref_bindings: Vec<&'a str>,
    /// `ostree.collection-binding`: the collection that clients accept this commit in. `None` also when it is empty, which is what
    /// Flatpak writes for a repository without a collection.
    pub collection_binding: Option<&'a str>,
    /// `version`.
    pub version: Option<&'a str>,
    /// All keys of the commit's metadata, in the order of the file.
    pub metadata_keys: Vec<&'a str>,
}

impl<'a> Commit<'a> {
    /// Reads a commit object. Its SHA-256 is the commit's id.
    ///
    /// # Errors
    /// When the bytes are not in normal form, have a dictionary key twice, a checksum that is not 32 bytes long (a parent may be
    /// absent), names outside their alphabets, or known metadata of another type.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ContentError> {
        let mut members = READER.members(READER.open(TYPE, bytes)?)?;
        let metadata = READER.metadata(members.part()?)?;
        let parent = members.part()?;
        let parent = if parent.data().is_empty() { None } else { Some(READER.checksum(parent)?) };
        let _related = members.part()?;
        let (subject, body) = (members.text()?, members.text()?);
        let timestamp = READER.time(members.part()?)?;
        let (root_tree, root_meta) = (READER.checksum(members.part()?)?, READER.checksum(members.part()?)?);
        Ok(Self {
            parent,
            subject,
            body,
            timestamp,
            root_tree,
            root_meta,
            ref_bindings: match metadata.get("ostree.ref-binding", "as")? {
                Some(refs) => read_bindings(refs)?,
                None => Vec::new(),
            },
            collection_binding: metadata.collection_id("ostree.collection-binding")?,
            version: metadata.text("version")?,
            metadata_keys: metadata.keys(),
        })
    }
}

fn read_bindings(value: Value<'_>) -> Result<Vec<&str>, ContentError> {
    let mut names = Vec::new();
    for item in READER.items(value)? {
        let item = item?;
        match item.as_str().filter(|name| is_ref_name(name)) {
            Some(name) => names.push(name),
            None => return Err(READER.0.error(ContentFault::RefName, item.offset())),
        }
    }
    Ok(names)
}
