//! A log and its index, brought up to date together.

use crate::error::AuditError;
use crate::index::{Index, Row};
use crate::place::Place;
use chancery_reqlog::{Leaf, StaticLog};
use chancery_tlog::VerifierKey;
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Which log, and with which key it is verified.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// A directory with the log's files, or the URL that they are served under
    #[arg(value_name = "DIR|URL")]
    pub(crate) log: String,
    /// The log's verification key, as `chanceryd log vkey` prints it
    #[arg(long, value_name = "VKEY", conflicts_with = "vkey_file", required_unless_present = "vkey_file")]
    vkey: Option<String>,
    /// A file with that key
    #[arg(long, value_name = "FILE")]
    vkey_file: Option<PathBuf>,
}

/// A log and where its index is kept.
#[derive(Debug, Args)]
pub(crate) struct BookArgs {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// Keep an index here, so that the next question reads only what is new; it can be deleted at any time
    #[arg(long, value_name = "FILE")]
    index: Option<PathBuf>,
    /// Private fields that the operator disclosed (`chanceryd log disclose`); each is checked against its entry
    #[arg(long, value_name = "FILE")]
    pub(crate) details: Vec<PathBuf>,
}

/// A verified log, and the index of it.
pub(crate) struct Book {
    pub(crate) key: VerifierKey,
    pub(crate) log: StaticLog<Place>,
    pub(crate) index: Index,
}

/// An entry that was led back to the signed checkpoint, with the fields that were disclosed.
pub(crate) struct Shown {
    pub(crate) index: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) leaf: Option<Leaf>,
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) key_name: Option<String>,
}

impl LogArgs {
    pub(crate) fn key(&self) -> Result<VerifierKey, AuditError> {
        let text = match (&self.vkey, &self.vkey_file) {
            (Some(text), _) => text.clone(),
            (None, Some(path)) => std::fs::read_to_string(path).map_err(|source| AuditError::Read { path: path.clone(), source })?,
            (None, None) => String::new(),
        };
        text.trim().parse().map_err(AuditError::Key)
    }
}

impl BookArgs {
    /// Verifies what is new, and takes it into the index.
    pub(crate) fn open(&self) -> Result<Book, AuditError> {
        let key = self.log.key()?;
        let mut index = Index::open(self.index.as_deref(), &key)?;
        let log = index.update(Place::new(&self.log.log), &key)?;
        for path in &self.details {
            index.import(&log, path)?;
        }
        Ok(Book { key, log, index })
    }
}

impl Book {
    /// What the log itself says of an entry. The index only said where to look.
    pub(crate) fn shown(&self, index: u64) -> Result<Shown, AuditError> {
        self.with_fields(index, self.log.entry(index).map_err(|e| AuditError::of_log(e, None))?)
    }

    /// A verified entry with what was disclosed of it.
    pub(crate) fn with_fields(&self, index: u64, bytes: Vec<u8>) -> Result<Shown, AuditError> {
        let leaf = Leaf::parse(&bytes).ok();
        let key_name = leaf.as_ref().and_then(|l| l.key).map(|key| self.index.key_name(&key)).transpose()?.flatten();
        Ok(Shown { index, leaf, bytes, fields: self.index.fields(index)?, key_name })
    }

    /// The same, found by a row of the index, which must agree.
    pub(crate) fn shown_row(&self, row: &Row) -> Result<Shown, AuditError> {
        let shown = self.shown(row.index)?;
        let agrees = shown.leaf.as_ref().is_none_or(|leaf| {
            leaf.time == row.time
                && leaf.kind.as_str() == row.kind
                && leaf.key.map(Vec::from) == row.key
                && leaf.tbs.map(Vec::from) == row.tbs
        });
        if agrees { Ok(shown) } else { Err(AuditError::IndexDiffers { index: row.index }) }
    }

    pub(crate) fn size(&self) -> u64 {
        self.log.checkpoint().checkpoint.size
    }

    pub(crate) fn origin(&self) -> &str {
        &self.log.checkpoint().checkpoint.origin
    }

    /// The entry of an index, or the newest one of a request id.
    pub(crate) fn find(&self, text: &str) -> Result<u64, AuditError> {
        if let Ok(index) = text.parse::<u64>() {
            return if index < self.size() { Ok(index) } else { Err(AuditError::Beyond { size: self.size() }) };
        }
        let filter = crate::index::Filter { request: Some(text.to_owned()), ..Default::default() };
        let found = filter.find(&self.index, None, 1)?;
        found.first().map(|row| row.index).ok_or_else(|| AuditError::NoRequest(text.to_owned()))
    }
}

impl Shown {
    /// For programs: the entry as it is, where it stands, and what was disclosed of it.
    pub(crate) fn json(&self) -> Value {
        let entry = serde_json::from_slice::<Value>(&self.bytes).unwrap_or(Value::Null);
        let mut object = json!({ "index": self.index, "entry": entry });
        if let Value::Object(map) = &mut object {
            if !self.fields.is_empty() {
                map.insert("details".to_owned(), json!(self.fields));
            }
            if let Some(name) = &self.key_name {
                map.insert("key_name".to_owned(), json!(name));
            }
        }
        object
    }
}
