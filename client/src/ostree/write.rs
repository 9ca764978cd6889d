//! Writing signatures into a live repository.

use super::merge::{Merged, Ours, merge_commit, merge_summary};
use super::repo::read_optional;
use super::{Commit, LockError, Repo, RepoError, RepoLock};
use crate::profile::PinnedKey;
use crate::signature::VerifiedSignature;
use chancery_reqlog::durable::{self, DurableError};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

/// What libostree gives the files that everybody may read.
const DEFAULT_MODE: u32 = 0o644;

/// What became of a signature file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The file.
    pub path: PathBuf,
    /// Whether it had to be written; not when it held the signature already.
    pub changed: bool,
    /// How many signatures of others are in it.
    pub kept: usize,
    /// What was left out and why, a line each.
    pub dropped: Vec<String>,
}

/// Why a signature was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The lock was not to be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The repository cannot be read.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The summary is another one than the one that was signed.
    #[error("the summary of {} was changed while it was being signed, so the signature was not written; run the command again", path.display())]
    Changed {
        /// The repository.
        path: PathBuf,
    },
    /// The summary was changed in the moment of writing.
    #[error(
        "the summary of {} was changed by another program in the moment its signature was written, so it is not signed now; run the command again at once, and keep others from writing to the repository meanwhile",
        path.display()
    )]
    ChangedAfter {
        /// The repository.
        path: PathBuf,
    },
    /// The file could not be replaced. The old one is still there.
    #[error("cannot write the signature")]
    Write(#[source] DurableError),
}

/// Puts signatures of `summary` into `summary.sig`, which is replaced in one step and never missing. Nothing is written when the
/// summary that lies there is not the signed one any more.
///
/// # Errors
/// [`WriteError`].
pub fn write_summary_signature(
    repo: &Repo,
    summary: &[u8],
    signatures: &[VerifiedSignature],
    pinned: &[PinnedKey],
    patience: Duration,
) -> Result<Written, WriteError> {
    let _lock = RepoLock::take(repo, patience)?;
    if repo.summary()? != summary {
        return Err(WriteError::Changed { path: repo.path().to_owned() });
    }
    let path = repo.summary_signatures();
    let existing = read_optional(&path)?;
    let written = put(path, existing.as_deref(), merge_summary(existing.as_deref(), summary, &ours(signatures), pinned))?;
    // Who writes a summary takes the lock shared, as we do, so it does not keep them out.
    if repo.summary()? != summary {
        return Err(WriteError::ChangedAfter { path: repo.path().to_owned() });
    }
    Ok(written)
}

/// Puts signatures of a commit into its `.commitmeta`, which is replaced in one step.
///
/// # Errors
/// [`WriteError`].
pub fn write_commit_signature(
    repo: &Repo,
    commit: &Commit,
    signatures: &[VerifiedSignature],
    patience: Duration,
) -> Result<Written, WriteError> {
    let _lock = RepoLock::take(repo, patience)?;
    // A prune may have run since the commit was read; metadata without its object would stay for good.
    repo.commit(commit.id)?;
    let path = repo.commit_signatures(commit.id);
    let existing = read_optional(&path)?;
    put(path, existing.as_deref(), merge_commit(existing.as_deref(), &ours(signatures)))
}

/// Puts signatures of Flatpak's index into its two files, that with the digest in its name first: a client that gets the new index finds
/// them.
///
/// # Errors
/// [`WriteError`].
pub fn write_index_signature(
    repo: &Repo,
    index: &[u8],
    signatures: &[VerifiedSignature],
    pinned: &[PinnedKey],
    patience: Duration,
) -> Result<Written, WriteError> {
    let _lock = RepoLock::take(repo, patience)?;
    if repo.index()? != index {
        return Err(WriteError::Changed { path: repo.path().to_owned() });
    }
    let ours = ours(signatures);
    let [by_digest, by_name] = repo.index_signatures(index);
    let existing = read_optional(&by_digest)?;
    put(by_digest, existing.as_deref(), merge_commit(existing.as_deref(), &ours))?;
    let existing = read_optional(&by_name)?;
    put(by_name, existing.as_deref(), merge_summary(existing.as_deref(), index, &ours, pinned))
}

fn ours(signatures: &[VerifiedSignature]) -> Vec<Ours> {
    signatures.iter().map(Ours::from).collect()
}

fn put(path: PathBuf, existing: Option<&[u8]>, merged: Merged) -> Result<Written, WriteError> {
    let changed = existing != Some(merged.bytes.as_slice());
    if changed {
        let mode = std::fs::metadata(&path).map_or(DEFAULT_MODE, |m| m.permissions().mode() & 0o777);
        durable::replace_increasing_mtime(&path, &merged.bytes, mode).map_err(WriteError::Write)?;
    }
    Ok(Written { path, changed, kept: merged.kept, dropped: merged.dropped })
}
