//! The request log: entries, durable append, recovery, static files, receipts.
//!
//! A log is a directory on one file system:
//!
//! | what | who reads it | if it is lost or forged |
//! | --- | --- | --- |
//! | `wal/*.wal` | the keeper; auditors get single details through it | what was acknowledged is lost; start-up refuses (rollback, damage), and public entries can be had from any mirror of `public/` |
//! | `wal/spare`, `wal/reserve` | the keeper | nothing: they are made anew |
//! | `wal/*.torn` | people | bytes of a write that was cut off and never acknowledged |
//! | `public/checkpoint` | everybody | the guard against a restored old `wal/` is gone; forged, it does not verify |
//! | `public/tile/` | everybody | made anew from `wal/`; changed files do not verify and are not overwritten |
//! | `witness/` | the keeper | the guard that it adds to that of `public/checkpoint`; each witness is asked from the beginning |
//! | `staging/` | the publisher | nothing: it is emptied at start-up |
//! | `lock` | the keeper | held by the one process that writes |
//!
//! `wal/` is the private record of truth: one fdatasync of one appended record makes a batch of entries durable under a signed
//! checkpoint, and only then is the batch acknowledged ([`Log::append`]). `public/` is derived from it, off the way of requests: the
//! static files of C2SP tlog-tiles, for any web server ([`PublisherStatus`] says how that goes).
//!
//! Recovery ([`Log::open`]) drops one thing only: a last record whose write was cut off. In doubt it refuses, and [`fsck`] explains.
//! Who has only the static files and the log's key reads and verifies them with [`StaticLog`].
//!
//! What an entry shows to everybody is a [`Leaf`]; what it hides is in its [`Details`], to which the leaf commits.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation, reason = "tests count small things"))]

mod bytes;
mod details;
mod disclose;
pub mod durable;
mod entry;
mod error;
mod fsck;
mod log;
mod mirror;
mod publish;
mod reader;
mod redact;
pub mod restored;
mod scan;
mod state;
mod static_log;
mod store;
#[cfg(test)]
mod testing;
mod tiles;
mod wal;
mod witness;

pub use details::{Details, DetailsError, Disclosure, Field, MAX_DETAILS, MAX_FIELDS, SALT, Salts, SaltsError};
pub use disclose::{DiscloseError, Disclosed, DisclosedError, disclose};
pub use entry::{Decision, Leaf, LeafError, MAX_LEAF, MAX_TIME, Token, TokenError};
pub use error::{AppendError, OpenError, PublishError, ReadError};
pub use fsck::{Finding, Problem, Report, fsck};
pub use log::{Appended, Log, LogConfig, NewEntry, Recovery};
pub use mirror::{MirrorError, Mirrored, mirror};
pub use publish::PublisherStatus;
pub use reader::{MAX_ENTRIES, Reader, Recorded, RecordedIter};
pub use redact::{RedactError, redact, redact_older};
pub use state::SignedCheckpoint;
pub use static_log::{Directory, Entries, Fetch, FetchError, StaticLog, StaticLogError};
pub use wal::{Fault, HeaderError};
pub use witness::{AnswerError, Cosigned, MAX_ANSWER, Progress, WitnessAnswer, WitnessError, Witnesses};
