//! A local index of a log, in SQLite, so that a question takes no walk through all entries.
//!
//! It is made from verified entries and can be made again at any time. Nothing is believed because it stands there: what is shown of an entry is
//! read from the log and led back to the signed checkpoint.

mod details;
mod fill;
mod filter;
mod row;
mod sums;

use crate::error::AuditError;
use chancery_tlog::{Checkpoint, VerifierKey};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use std::path::{Path, PathBuf};

pub(crate) use filter::{Filter, unhex};
pub(crate) use row::Row;

/// Another layout is made anew.
const LAYOUT: i64 = 2;

const SCHEMA: &str = "
CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE entry(idx INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind TEXT NOT NULL, decision TEXT NOT NULL, reason TEXT, key BLOB,
    key_version INTEGER, construction TEXT, tbs BLOB, rid BLOB, policy BLOB);
CREATE INDEX entry_time ON entry(time);
CREATE INDEX entry_key ON entry(key, idx) WHERE key IS NOT NULL;
CREATE INDEX entry_tbs ON entry(tbs) WHERE tbs IS NOT NULL;
CREATE INDEX entry_rid ON entry(rid) WHERE rid IS NOT NULL;
CREATE INDEX entry_kind ON entry(kind, idx) WHERE kind <> 'sign';
CREATE TABLE field(idx INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(idx, name)) WITHOUT ROWID;
CREATE INDEX field_value ON field(name, value, idx);
CREATE TABLE mention(kind TEXT NOT NULL, value TEXT NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY(kind, value, idx)) WITHOUT ROWID;
CREATE TABLE key(id BLOB PRIMARY KEY, name TEXT, made_for TEXT, version INTEGER NOT NULL DEFAULT 0, first INTEGER, used INTEGER, served INTEGER,
    signed INTEGER NOT NULL DEFAULT 0, denied INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE INDEX key_name ON key(name) WHERE name IS NOT NULL;
CREATE TABLE policy(digest BLOB PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE hour(hour INTEGER NOT NULL, key BLOB NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY(hour, key, kind, reason)) WITHOUT ROWID;
";

/// An index of one log.
pub(crate) struct Index {
    pub(super) db: Connection,
    path: PathBuf,
}

/// What an index is about.
pub(crate) struct Covered {
    /// How many entries are in it.
    pub(crate) next: u64,
    /// The newest checkpoint that they were verified against.
    pub(crate) earlier: Option<(Checkpoint, String)>,
}

impl Index {
    /// Opens the index in a file, or makes it; without a file it is kept in memory and made anew each time.
    pub(crate) fn open(path: Option<&Path>, key: &VerifierKey) -> Result<Self, AuditError> {
        let name = path.unwrap_or(Path::new(":memory:")).to_owned();
        let failed = |source| AuditError::Index { path: name.clone(), source };
        let mut db = Connection::open_with_flags(&name, OpenFlags::default()).map_err(failed)?;
        let prepare = |db: &mut Connection| -> rusqlite::Result<bool> {
            // What a power cut takes away is read from the log again.
            db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA busy_timeout = 10000;")?;
            let change = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            if change.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0))? == 0 {
                change.execute_batch(SCHEMA)?;
                change.execute("INSERT INTO meta VALUES ('layout', ?1), ('vkey', ?2)", params![LAYOUT, key.to_string()])?;
            }
            change.commit()?;
            let layout: Option<i64> = db.query_row("SELECT value FROM meta WHERE name = 'layout'", [], |r| r.get(0)).optional()?;
            let vkey: Option<String> = db.query_row("SELECT value FROM meta WHERE name = 'vkey'", [], |r| r.get(0)).optional()?;
            Ok(layout == Some(LAYOUT) && vkey == Some(key.to_string()))
        };
        match prepare(&mut db) {
            Ok(true) => Ok(Self { db, path: name }),
            Ok(false) => Err(AuditError::OtherIndex { path: name }),
            Err(source) => Err(failed(source)),
        }
    }

    pub(crate) fn covered(&self, key: &VerifierKey) -> Result<Covered, AuditError> {
        let text = |name: &str| {
            let found = self.db.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get::<_, String>(0)).optional();
            found.map_err(|e| self.failed(e))
        };
        let next = text("next")?.and_then(|n| n.parse().ok()).unwrap_or(0);
        let earlier = match text("note")? {
            None => None,
            Some(note) => {
                let checkpoint = Checkpoint::open(&note, key).map_err(|source| AuditError::State { path: self.path.clone(), source })?;
                Some((checkpoint, note))
            }
        };
        Ok(Covered { next, earlier })
    }

    pub(crate) fn failed(&self, source: rusqlite::Error) -> AuditError {
        AuditError::Index { path: self.path.clone(), source }
    }

    /// Runs a query and makes a value of each row.
    pub(crate) fn query<T>(
        &self,
        sql: &str,
        values: &[&dyn rusqlite::ToSql],
        make: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, AuditError> {
        let run = || self.db.prepare_cached(sql)?.query_map(values, make)?.collect::<rusqlite::Result<Vec<T>>>();
        run().map_err(|e| self.failed(e))
    }
}

#[cfg(test)]
mod tests;
