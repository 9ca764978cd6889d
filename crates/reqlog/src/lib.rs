//! The request log: entries, durable append, recovery, static files, receipts.
//!
//! A log is a directory. `wal/` is the private record of truth: one fdatasync of one appended record makes a batch of entries durable
//! under a signed checkpoint. `public/` is derived from it: the static files of C2SP tlog-tiles, for any web server. Nothing else is
//! needed, and nothing is ever cut off that was acknowledged.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation, reason = "tests count small things"))]

mod bytes;
mod details;
pub mod durable;
mod entry;
mod error;
mod fsck;
mod log;
mod publish;
mod reader;
mod redact;
mod scan;
mod state;
mod static_log;
mod store;
#[cfg(test)]
mod testing;
mod tiles;
mod wal;

pub use details::{Details, DetailsError, Disclosure, Field, MAX_DETAILS, MAX_FIELDS, SALT, Salts, SaltsError};
pub use entry::{Decision, Leaf, LeafError, MAX_LEAF, MAX_TIME, Token, TokenError};
pub use error::{AppendError, OpenError, PublishError, ReadError};
pub use fsck::{Finding, Problem, Report, fsck};
pub use log::{Appended, Log, LogConfig, NewEntry, Recovery};
pub use publish::PublisherStatus;
pub use reader::{MAX_ENTRIES, Reader, Recorded, RecordedIter};
pub use redact::{RedactError, redact};
pub use state::SignedCheckpoint;
pub use static_log::{Directory, Entries, Fetch, FetchError, StaticLog, StaticLogError};
pub use wal::{Fault, HeaderError};
