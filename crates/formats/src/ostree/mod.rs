//! OSTree: the objects that are signed, and the files that carry signatures.
//!
//! OSTree signs the raw bytes of an object, with no word of what kind of object they are. So the kind comes from the request and the
//! bytes must be exactly that kind. No bytes are both a [`summary::Summary`] and a [`commit::Commit`]: both begin with an array, whose
//! end is the last number of the file. When the array has elements, they would have to be `{sv}` for a commit and `(s(taya{sv}))` for
//! a summary; but the last bytes of the latter's `(taya{sv})` are the number 40, the end of a 32-byte checksum, where a variant has its
//! type string. When the array is empty, the framing offsets of the commit's further members would have to be dictionary entries that
//! end within 32 bytes, where the parent ends; there are too many of them.

pub mod commit;
pub mod index;
mod names;
mod reader;
pub mod signatures;
pub mod summary;

pub use commit::Commit;
pub use index::{Index, IndexPart};
pub use names::{is_collection_id, is_ref_name};
pub use signatures::SignatureSet;
pub use summary::{CollectionRefs, DeltaName, Summary, SummaryRef};

/// The key of Ed25519 signatures in a `summary.sig` or `.commitmeta`.
pub const ED25519_KEY: &str = "ostree.sign.ed25519";

/// The key of OpenPGP signatures in a `summary.sig` or `.commitmeta`.
pub const OPENPGP_KEY: &str = "ostree.gpgsigs";

#[cfg(test)]
mod tests;
