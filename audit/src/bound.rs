//! `chancery-audit bound`: whether one log goes on from another one that was sealed.

use crate::error::AuditError;
use crate::place::Place;
use chancery_reqlog::{Leaf, StaticLog};
use chancery_tlog::VerifierKey;
use clap::Args;
use serde_json::json;
use sha2::{Digest as _, Sha256};

#[derive(Debug, Args)]
pub(crate) struct Bound {
    /// The sealed log: a directory with its files, or the URL that they are served under
    #[arg(value_name = "OLD")]
    old: String,
    /// The log that goes on from it
    #[arg(value_name = "NEW")]
    new: String,
    /// The old log's verification key
    #[arg(long, value_name = "VKEY")]
    vkey: VerifierKey,
    /// The new log's verification key
    #[arg(long, value_name = "VKEY")]
    next_vkey: VerifierKey,
}

impl Bound {
    pub(crate) fn run(&self, as_json: bool, say: impl Fn(&str) -> Result<(), AuditError>) -> Result<(), AuditError> {
        let failed = |e| AuditError::of_log(e, None);
        let old = StaticLog::open(Place::new(&self.old), &self.vkey).map_err(failed)?;
        let new = StaticLog::open(Place::new(&self.new), &self.next_vkey).map_err(failed)?;
        let checkpoint = &old.checkpoint().checkpoint;
        let last = checkpoint.size.checked_sub(1).ok_or(AuditError::NotBound("the old log has no entries"))?;
        let says = |bytes: &[u8], reason: &str, bound_to: &str| {
            Leaf::parse(bytes).is_ok_and(|leaf| {
                leaf.kind.as_str() == "rotate"
                    && leaf.reason.is_some_and(|r| r.as_str() == reason)
                    && leaf.tbs == Some(Sha256::digest(bound_to).into())
            })
        };
        if !says(&old.entry(last).map_err(failed)?, "sealed", &self.next_vkey.to_string()) {
            return Err(AuditError::NotBound("the last entry of the old log does not say that it goes on under the new key"));
        }
        if !says(&new.entry(0).map_err(failed)?, "continues", &checkpoint.to_string()) {
            return Err(AuditError::NotBound("the first entry of the new log does not name the last checkpoint of the old one"));
        }
        let (before, after) = (&checkpoint.origin, &new.checkpoint().checkpoint.origin);
        let facts = json!({ "old": before, "entries": checkpoint.size, "new": after });
        let line = format!("{before} was sealed with {} entries and goes on as {after}\n", checkpoint.size);
        say(&if as_json { format!("{facts}\n") } else { line })
    }
}
