//! Verifying a whole log on the key host: every record, checkpoint, signature, detail and published file.

use crate::details::DetailsError;
use crate::entry::LeafError;
use crate::wal::{Fault, HeaderError};
use chancery_tlog::{CheckpointError, Hash, VerifierKey};
use std::io;
use std::path::{Path, PathBuf};

mod leaves;
mod published;
mod segments;

/// So many findings are kept; further ones are only counted.
const MAX_FINDINGS: usize = 1000;

/// What was found in a log.
#[derive(Debug, Default)]
pub struct Report {
    /// How many segments there are.
    pub segments: u64,
    /// How many records were verified.
    pub records: u64,
    /// How many entries were verified: the size of the tree.
    pub size: u64,
    /// The root of that tree.
    pub root: Option<Hash>,
    /// How many entries have no private details any more, because they were redacted.
    pub redacted: u64,
    /// How many entries are published; `None` if there is no valid published checkpoint.
    pub published: Option<u64>,
    /// What is wrong or worth knowing, in the order of the log.
    pub findings: Vec<Finding>,
    /// How many findings there are beyond those listed.
    pub further: u64,
    /// How many findings are damage rather than only worth knowing.
    pub damages: u64,
}

impl Report {
    /// Whether nothing is damaged.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damages == 0
    }

    fn find(&mut self, finding: Finding) {
        if finding.problem.is_damage() {
            self.damages = self.damages.saturating_add(1);
        }
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding);
        } else {
            self.further = self.further.saturating_add(1);
        }
    }
}

/// One thing that is wrong or worth knowing.
#[derive(Debug)]
pub struct Finding {
    /// In which file.
    pub file: PathBuf,
    /// At which byte of it.
    pub offset: Option<u64>,
    /// At which entry of the log.
    pub index: Option<u64>,
    /// What.
    pub problem: Problem,
}

/// What can be wrong with a log.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A file cannot be read.
    #[error("the file cannot be read")]
    Unreadable(#[source] io::Error),
    /// The start of a segment is damaged.
    #[error("the segment's header is not valid")]
    Header(#[source] HeaderError),
    /// A segment does not follow the one before it.
    #[error("the segment does not follow the one before it: a segment is missing, or one comes from another copy")]
    Gap,
    /// A segment belongs to another log.
    #[error("the segment belongs to the log {0}")]
    Origin(String),
    /// A record is damaged; what follows it in the segment was not read.
    #[error("a record is damaged; the rest of the segment was not verified")]
    Record(#[source] Fault),
    /// The last record was cut off.
    #[error("the last record was cut off after {bytes} bytes; it was never acknowledged")]
    Torn {
        /// How much of it there is.
        bytes: u64,
    },
    /// A record's checkpoint is not valid.
    #[error("the record's checkpoint is not valid")]
    Checkpoint(#[source] CheckpointError),
    /// A record's checkpoint describes another tree.
    #[error("the record's checkpoint is not that of the entries up to it")]
    OtherTree,
    /// A record's private details do not fit their checksum.
    #[error("the record's private details are damaged")]
    PrivateDamaged,
    /// An entry's details cannot be read.
    #[error("the entry's private details cannot be read")]
    Details(#[source] DetailsError),
    /// An entry's details are not those that its leaf commits to.
    #[error("the entry's private details are not those that its leaf commits to")]
    OtherDetails,
    /// An entry is not a leaf of this program.
    #[error("the entry is not a leaf that this program writes")]
    Leaf(#[source] LeafError),
    /// A published file is missing.
    #[error("a published file is missing")]
    Missing,
    /// A published file has other content than the log.
    #[error("a published file has other content than the log")]
    Differs,
    /// The published checkpoint is not valid.
    #[error("the published checkpoint is not valid")]
    Published(#[source] CheckpointError),
    /// The published checkpoint is newer than the log.
    #[error("ROLLBACK: {published} entries were published, the log has only {size}")]
    Rollback {
        /// How many entries were published.
        published: u64,
        /// How many the log has.
        size: u64,
    },
    /// The published checkpoint contradicts the log.
    #[error("FORK: the published checkpoint has another root than the log at the same size")]
    Fork,
    /// A writer has the log open.
    #[error("the log is being written; its newest entries may not be published yet")]
    InUse,
}

impl Problem {
    /// Whether something is damaged or missing, rather than only worth knowing.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        !matches!(self, Self::Torn { .. } | Self::InUse | Self::Leaf(_))
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "check the permissions and the disk, then run this again",
            Self::Header(_) | Self::Gap | Self::Record(_) | Self::OtherTree | Self::Checkpoint(_) => {
                "restore the segment from a copy of wal/; the public entries can also be had from a mirror of public/. Do not cut the segment off: its entries were acknowledged"
            }
            Self::Origin(_) => "this directory holds another log: check the configuration",
            Self::Torn { .. } => "nothing: the next start puts the bytes aside and goes on",
            Self::PrivateDamaged | Self::Details(_) | Self::OtherDetails => {
                "the public log is not affected; restore the segment from a copy of wal/ to get the details back"
            }
            Self::Leaf(_) => "a newer version of this program, or another one, wrote the entry; the log is not affected",
            Self::Missing => "nothing: start the keeper, it publishes missing files anew",
            Self::Differs => "keep the file as evidence and find out who wrote it, then remove it; the keeper publishes it anew",
            Self::Published(_) => "compare public/checkpoint with an auditor's copy; remove it only if the log is certain to be the newest",
            Self::Rollback { .. } => {
                "an old copy of wal/ was restored, or its last segment was lost: restore the newest one. If there is none, close this log and begin a new one under a new origin"
            }
            Self::Fork => {
                "keep public/ and wal/ as evidence; somebody else has the log's key, or two copies were run: begin a new log under a new origin and key"
            }
            Self::InUse => "nothing",
        }
    }
}

/// Verifies a log. Changes nothing, and may run beside a writer. `progress` is told how many entries are done. Memory: the longest record
/// and a bundle.
pub fn fsck(dir: &Path, key: &VerifierKey, mut progress: impl FnMut(u64)) -> Report {
    segments::check(dir, key, &mut progress)
}

#[cfg(test)]
mod tests;
