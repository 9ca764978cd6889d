//! The write-ahead log: the record of truth, from which everything in `public/` is derived.
//!
//! A log is a row of segment files, each named by the index of its first entry. A segment is a header and records; a record is one
//! batch of entries with the checkpoint that its signer gave the tree after them. Records are chained by SHA-256 across segments.
//! What follows the last record of the newest segment is zeros: the space was allocated beforehand, because writing into allocated
//! space is made durable faster than growing a file.

mod damage;
mod header;
mod record;
mod rewrite;
mod segment;
mod walk;
mod writer;

pub(crate) use damage::{Place, Tail, classify};
pub use header::HeaderError;
pub(crate) use header::{Header, MAX_HEADER, MAX_ORIGIN};
pub(crate) use record::{Private, RecordHash, Sizes, encode};
pub(crate) use rewrite::{Rewritten, rewrite};
pub(crate) use segment::{Segments, list_segments, segment_path};
pub use walk::Fault;
pub(crate) use walk::{Judges, Record, Walk, WalkError};
pub(crate) use writer::{FullSegment, RoomError, Space, Writer, WriterConfig, make_reserve, make_spare, ready_reserve};
