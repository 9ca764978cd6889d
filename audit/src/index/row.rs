//! An entry as the index has it, with the fields that were disclosed.

use super::Index;
use super::fill::signed;
use crate::error::AuditError;
use std::collections::BTreeMap;

/// One entry of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) index: u64,
    /// Milliseconds since 1970.
    pub(crate) time: u64,
    pub(crate) kind: String,
    pub(crate) decision: String,
    pub(crate) reason: Option<String>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) key_version: Option<u32>,
    pub(crate) construction: Option<String>,
    pub(crate) tbs: Option<Vec<u8>>,
    pub(crate) policy: Option<Vec<u8>>,
}

impl Row {
    pub(super) const COLUMNS: &'static str = "idx, time, kind, decision, reason, key, key_version, construction, tbs, policy";

    pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            index: row.get::<_, i64>(0)?.unsigned_abs(),
            time: row.get::<_, i64>(1)?.unsigned_abs(),
            kind: row.get(2)?,
            decision: row.get(3)?,
            reason: row.get(4)?,
            key: row.get(5)?,
            key_version: row.get(6)?,
            construction: row.get(7)?,
            tbs: row.get(8)?,
            policy: row.get(9)?,
        })
    }
}

impl Index {
    /// The disclosed fields of an entry.
    pub(crate) fn fields(&self, index: u64) -> Result<BTreeMap<String, String>, AuditError> {
        let pairs = self.query("SELECT name, value FROM field WHERE idx = ?1", &[&signed(index)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(pairs.into_iter().collect())
    }

    /// The name of a key, where it was disclosed.
    pub(crate) fn key_name(&self, key: &[u8]) -> Result<Option<String>, AuditError> {
        let found = self.query("SELECT name FROM key WHERE id = ?1", &[&key], |row| row.get::<_, Option<String>>(0))?;
        Ok(found.into_iter().flatten().next())
    }
}
