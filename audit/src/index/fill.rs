//! Taking verified entries into the index.

use super::Index;
use super::sums::Sums;
use crate::error::AuditError;
use crate::place::Place;
use crate::verify::progress;
use chancery_reqlog::{Leaf, StaticLog};
use chancery_tlog::VerifierKey;
use rusqlite::{Transaction, params};

/// Entries that are written at once.
const BATCH: u64 = 1 << 16;

impl Index {
    /// Reads what the log has that the index has not, and returns the log at its newest checkpoint.
    ///
    /// The log must extend the one that the index was made from.
    pub(crate) fn update(&mut self, place: Place, key: &VerifierKey) -> Result<StaticLog<Place>, AuditError> {
        let covered = self.covered(key)?;
        let seen = covered.earlier.as_ref().map(|(_, note)| note.as_str());
        let failed = |error| AuditError::of_log(error, seen);
        let log = StaticLog::open(place, key).map_err(failed)?;
        if let Some((earlier, _)) = &covered.earlier {
            log.check_extends(earlier).map_err(failed)?;
        }
        let size = log.checkpoint().checkpoint.size;
        let progress = progress(size);
        let mut entries = log.entries(covered.next..size);
        let mut next = covered.next;
        let note = log.checkpoint().note.clone();
        while next < size || seen != Some(note.as_str()) {
            let end = next.saturating_add(BATCH).min(size);
            let mut leaves = Vec::new();
            while next < end {
                let Some(entry) = entries.next() else { break };
                leaves.push(entry.map_err(failed)?);
                next = next.saturating_add(1);
            }
            self.write(&leaves, next, &note).map_err(|e| self.failed(e))?;
            progress.set_position(next);
            if next >= size {
                break;
            }
        }
        progress.finish_and_clear();
        drop(entries);
        Ok(log)
    }

    fn write(&mut self, leaves: &[(u64, Vec<u8>)], next: u64, note: &str) -> rusqlite::Result<()> {
        let change = self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut sums = Sums::default();
        for (index, bytes) in leaves {
            insert(&change, *index, Leaf::parse(bytes).ok().as_ref(), &mut sums)?;
        }
        sums.write(&change)?;
        change.execute("INSERT OR REPLACE INTO meta VALUES ('next', ?1), ('note', ?2)", params![next.to_string(), note])?;
        change.commit()
    }
}

/// An entry that this program cannot read is there too, as of the kind `unknown`.
fn insert(change: &Transaction<'_>, index: u64, leaf: Option<&Leaf>, sums: &mut Sums) -> rusqlite::Result<()> {
    let mut insert = change.prepare_cached("INSERT OR IGNORE INTO entry VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")?;
    let Some(leaf) = leaf else {
        let none = None::<Vec<u8>>;
        return insert.execute(params![signed(index), 0, "unknown", "none", none, none, none, none, none, none, none]).map(drop);
    };
    let text = |token: &Option<chancery_reqlog::Token>| token.as_ref().map(|t| t.as_str().to_owned());
    let written = insert.execute(params![
        signed(index),
        signed(leaf.time),
        leaf.kind.as_str(),
        leaf.decision.word(),
        text(&leaf.reason),
        leaf.key.as_ref().map(<[u8; 32]>::as_slice),
        leaf.key_version,
        text(&leaf.construction),
        leaf.tbs.as_ref().map(<[u8; 32]>::as_slice),
        leaf.rid.as_ref().map(<[u8; 16]>::as_slice),
        leaf.policy.as_ref().map(<[u8; 32]>::as_slice),
    ])?;
    if written > 0 {
        sums.add(index, leaf);
    }
    Ok(())
}

/// SQLite's numbers have a sign.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
