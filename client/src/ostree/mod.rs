//! OSTree repositories on the publishing server: what to sign, and how to put a signature in without a moment unsigned.

mod lock;
mod merge;
mod repo;
mod write;

pub use lock::{LockError, RepoLock};
pub use repo::{Commit, CommitId, Repo, RepoError};
pub use write::{WriteError, Written, write_commit_signature, write_index_signature, write_summary_signature};
