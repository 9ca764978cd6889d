//! Why the log refuses, and what to do about it.

use crate::durable::DurableError;
use crate::wal::{Fault, HeaderError};
use chancery_tlog::CheckpointError;
use std::io;
use std::path::PathBuf;

/// A log was not opened for writing, and nothing in its directory was changed. [`crate::Log::open_read_only`] still serves what is
/// published.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes this log. Stop it first; a retry works once it has ended.
    #[error("another process is writing the log in {}; only one may", dir.display())]
    Locked {
        /// The log's directory.
        dir: PathBuf,
    },
    /// The configuration and the key do not belong together.
    #[error("the log's origin is {origin:?}, but the {what} is named {found:?}; a log signs under its own name only")]
    Origin {
        /// The configured origin.
        origin: String,
        /// `verification key`, `signing key` or `log in the directory`.
        what: &'static str,
        /// Its name.
        found: String,
    },
    /// The log was signed with another key than the configured one. Configure the right key; a new key needs a new log (origin).
    #[error("the checkpoint in {} is not signed by the configured key of {origin}", file.display())]
    KeyMismatch {
        /// The log's origin.
        origin: String,
        /// The file with the checkpoint.
        file: PathBuf,
    },
    /// ROLLBACK: somebody holds a checkpoint of this log that is newer than the log itself. The directory was probably restored from
    /// an old backup, or its last segment was lost. Signing on would fork the log: restore the newest state, or close this log and
    /// begin a new one under a new origin.
    #[error(
        "ROLLBACK: the checkpoint in {} has {theirs_size} entries, the log has only {ours_size}; an old copy was restored or a segment was lost; nothing will be signed",
        file.display()
    )]
    Rollback {
        /// Where the newer checkpoint is.
        file: PathBuf,
        /// How many entries the log has.
        ours_size: u64,
        /// How many the checkpoint says.
        theirs_size: u64,
        /// The log's own newest signed checkpoint.
        ours: String,
        /// The newer signed checkpoint.
        theirs: String,
    },
    /// FORK: two signed checkpoints of this log contradict each other. Keep both as evidence, find out who holds the key besides this
    /// host, and begin a new log under a new origin and key.
    #[error("FORK: the checkpoint in {} has another root for {size} entries than the log; keep both; nothing will be signed", file.display())]
    Fork {
        /// Where the contradicting checkpoint is.
        file: PathBuf,
        /// The size at which they contradict each other.
        size: u64,
        /// The log's own newest signed checkpoint.
        ours: String,
        /// The contradicting signed checkpoint.
        theirs: String,
    },
    /// The log came out of a backup, and nobody has said yet what others saw of it. Give `log accept` the newest checkpoint that a
    /// publisher or a witness holds.
    #[error(
        "the log in {} came out of a backup; nothing is signed before `chanceryd log accept --checkpoint FILE` was given the newest checkpoint that a publisher or a witness holds",
        dir.display()
    )]
    Restored {
        /// The log's directory.
        dir: PathBuf,
    },
    /// A record is damaged that was acknowledged. Nothing is cut off: `log fsck` says what is wrong; restore the segment from a copy.
    #[error("segment {} is damaged at byte {offset} (entry {index}); run `log fsck` and restore the segment from a copy; nothing was cut off", segment.display())]
    Corrupt {
        /// The segment file.
        segment: PathBuf,
        /// Where the damaged record begins, in bytes.
        offset: u64,
        /// The index of the record's first entry.
        index: u64,
        /// What is wrong.
        #[source]
        fault: Fault,
    },
    /// The start of a segment is damaged, or it is no segment. Restore it from a copy.
    #[error("segment {} cannot be used; restore it from a copy", segment.display())]
    Segment {
        /// The segment file.
        segment: PathBuf,
        /// What is wrong.
        #[source]
        fault: HeaderError,
    },
    /// Segments do not follow each other: one is missing or from another copy. Restore the missing ones.
    #[error("segment {} does not follow the one before it; a segment is missing or comes from another copy; restore the whole directory", segment.display())]
    Gap {
        /// The first segment that does not fit.
        segment: PathBuf,
    },
    /// The newest segment is sealed, so there was a newer one. Restore it.
    #[error("the newest segment {} is sealed, so the one after it is missing; restore it from a copy", segment.display())]
    MissingSegment {
        /// The newest segment.
        segment: PathBuf,
    },
    /// The newest checkpoint in the log is not valid. `log fsck` says more.
    #[error("the newest checkpoint in {} is not valid; run `log fsck`", file.display())]
    Checkpoint {
        /// The file with the checkpoint.
        file: PathBuf,
        /// What is wrong.
        #[source]
        source: CheckpointError,
    },
    /// The published checkpoint is not valid. It is what guards against a rollback, so it is not simply replaced: restore it, or
    /// remove it after making sure by other copies (a witness, an auditor) that the log is the newest.
    #[error("the checkpoint in {} is not valid; compare it with an auditor's copy, then restore or remove it", file.display())]
    Published {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        #[source]
        source: CheckpointError,
    },
    /// The disk is full, so there is no room for the first segment. Free space and retry.
    #[error("the disk is full: no room for the first segment in {}", dir.display())]
    Full {
        /// The directory.
        dir: PathBuf,
    },
    /// A file could not be read or written. A retry may work.
    #[error("cannot {step} {}", path.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// With which file.
        path: PathBuf,
        /// The answer of the file system.
        #[source]
        source: io::Error,
    },
    /// A durable write failed. A retry may work.
    #[error(transparent)]
    Durable(#[from] DurableError),
}

/// A batch was not recorded: nothing of it may be signed.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// A batch has at least one entry. Nothing was written.
    #[error("an empty batch cannot be appended")]
    Empty,
    /// An entry is longer than 65,535 bytes, or the batch longer than 32 MiB. Nothing was written; split the batch.
    #[error("the batch is too large: an entry has at most 65,535 bytes, a batch at most 32 MiB of leaves and of details")]
    TooLarge,
    /// The disk is full. Nothing was recorded, the log is usable: free space and retry. Refusals can still be recorded by
    /// [`crate::Log::append_from_reserve`].
    #[error("the disk is full: the batch was not recorded; free space on the log's file system")]
    Full,
    /// Publishing has failed for so long that the unpublished entries fill their memory. Nothing was written; the log is usable once
    /// publishing works again: see [`crate::Log::publisher_status`].
    #[error("publishing the log keeps failing and too much is waiting for it: {reason}")]
    Behind {
        /// Why publishing fails.
        reason: String,
    },
    /// A write or a sync failed. Whether the batch is on the disk is unknown, so nothing more is recorded before [`crate::Log::mend`] has
    /// written it again, or another process has recovered the log.
    #[error("cannot {step}: whether the batch is on the disk is unknown, so it is written again until that succeeds; look at the disk")]
    Io {
        /// What was being done.
        step: &'static str,
        /// The answer of the file system.
        #[source]
        source: io::Error,
    },
    /// An earlier batch failed with [`AppendError::Io`], and [`crate::Log::mend`] has not succeeded yet.
    #[error("an earlier write to the log failed and has not succeeded yet")]
    InDoubt,
}

impl AppendError {
    /// Whether nothing is recorded before [`crate::Log::mend`] has succeeded.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::InDoubt)
    }
}

/// Something could not be read from the log.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The log does not have such an entry, size or tile (yet).
    #[error("the log has {size} entries, so there is nothing at {asked}")]
    Beyond {
        /// What was asked for.
        asked: u64,
        /// How many entries the log has.
        size: u64,
    },
    /// The log is being published anew from its segments and has not come so far. A retry works later.
    #[error("entry {index} is not published yet; try again later")]
    NotYetPublished {
        /// The index that was asked for.
        index: u64,
    },
    /// A published file is missing or is not what it must be. `log fsck` says more; the files can be made anew from the segments.
    #[error("the published file {path} is missing or damaged; run `log fsck`")]
    Damaged {
        /// Its path below `public/`.
        path: String,
    },
    /// A segment is missing or damaged. `log fsck` says more.
    #[error("segment {} cannot be read at entry {index}; run `log fsck`", segment.display())]
    Segment {
        /// The segment.
        segment: PathBuf,
        /// The index of the entry.
        index: u64,
    },
    /// A file could not be read. A retry may work.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The answer of the file system.
        #[source]
        source: io::Error,
    },
}

/// The static files could not be brought up to date. Signing goes on; nothing published was changed.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A published tile differs from what the log holds. It is never overwritten: keep it as evidence, then remove it, and it will be
    /// made anew.
    #[error("{} was published with other content than the log has; it is not overwritten; keep it as evidence, then remove it", path.display())]
    Differs {
        /// The file.
        path: PathBuf,
    },
    /// The segments could not be read.
    #[error("cannot read the segments for publishing")]
    Read(#[source] ReadError),
    /// A file could not be written. It is tried again.
    #[error("cannot {step} {}", path.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// With which file.
        path: PathBuf,
        /// The answer of the file system.
        #[source]
        source: io::Error,
    },
    /// A durable write failed. It is tried again.
    #[error(transparent)]
    Durable(#[from] DurableError),
    /// The thread that publishes has ended before its time.
    #[error("the publishing thread has ended; restart")]
    Ended,
}
