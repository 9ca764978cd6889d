//! Private fields that the operator disclosed: each is checked against its entry before it is taken in.

use super::Index;
use super::fill::signed;
use crate::error::AuditError;
use crate::place::Place;
use chancery_reqlog::{Disclosed, Leaf, StaticLog};
use rusqlite::{Transaction, params};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

/// A line of a file of disclosures is never longer: details of an entry have at most 1 MiB.
const MAX_LINE: u64 = 2 * 1024 * 1024;

impl Index {
    /// Takes in what `chanceryd log disclose` printed. A line that does not fit its entry ends it, and nothing of the file is kept.
    pub(crate) fn import(&mut self, log: &StaticLog<Place>, path: &Path) -> Result<(), AuditError> {
        let unreadable = |source| AuditError::Read { path: path.to_owned(), source };
        let mut file = BufReader::new(std::fs::File::open(path).map_err(unreadable)?);
        let name = self.path.clone();
        let failed = |source| AuditError::Index { path: name.clone(), source };
        let change = self.db.transaction().map_err(failed)?;
        let (mut line, mut number) = (String::new(), 0_u64);
        let mut last: Option<(u64, Leaf)> = None;
        loop {
            line.clear();
            number = number.saturating_add(1);
            let read = (&mut file).take(MAX_LINE).read_line(&mut line).map_err(unreadable)?;
            if read == 0 {
                break;
            }
            let forged = |why: String| AuditError::Disclosure { path: path.to_owned(), line: number, why };
            let disclosed = Disclosed::parse(line.trim_end()).map_err(|e| forged(e.to_string()))?;
            if disclosed.log != log.checkpoint().checkpoint.origin {
                return Err(forged(format!("is of the log {}", disclosed.log)));
            }
            if disclosed.index >= log.checkpoint().checkpoint.size {
                // This copy of the log is older than the disclosure; the next run takes it in.
                continue;
            }
            if last.as_ref().is_none_or(|(index, _)| *index != disclosed.index) {
                let bytes = log.entry(disclosed.index).map_err(|e| AuditError::of_log(e, None))?;
                let leaf = Leaf::parse(&bytes).map_err(|e| forged(format!("is of an entry that cannot be read: {e}")))?;
                last = Some((disclosed.index, leaf));
            }
            if !last.as_ref().is_some_and(|(_, leaf)| disclosed.fits(leaf)) {
                return Err(forged(format!("is not what entry {} commits to: it was changed, or belongs to another log", disclosed.index)));
            }
            let key = last.as_ref().and_then(|(_, leaf)| leaf.key);
            keep(&change, &disclosed, key).map_err(failed)?;
        }
        change.commit().map_err(failed)
    }
}

fn keep(change: &Transaction<'_>, disclosed: &Disclosed, key: Option<[u8; 32]>) -> rusqlite::Result<()> {
    let (index, field) = (signed(disclosed.index), &disclosed.disclosure.field);
    let Ok(value) = std::str::from_utf8(field.value().unwrap_or_default()) else { return Ok(()) };
    change.prepare_cached("INSERT OR REPLACE INTO field VALUES (?1, ?2, ?3)")?.execute(params![index, field.name(), value])?;
    let mention = |kind: &str, value: &str| {
        change.prepare_cached("INSERT OR IGNORE INTO mention VALUES (?1, ?2, ?3)")?.execute(params![kind, value, index]).map(drop)
    };
    match (field.name(), key) {
        ("key", Some(key)) => change.prepare_cached("UPDATE key SET name = ?2 WHERE id = ?1")?.execute(params![key, value]).map(drop),
        ("constructions", Some(key)) => {
            change.prepare_cached("UPDATE key SET made_for = ?2 WHERE id = ?1")?.execute(params![key, value]).map(drop)
        }
        ("facts", _) => value.lines().filter_map(fact).try_for_each(|(kind, value)| mention(kind, value)),
        ("payload", _) => {
            value.split_ascii_whitespace().filter_map(|word| word.split_once(':')).try_for_each(|(_, hex)| mention("digest", hex))
        }
        _ => Ok(()),
    }
}

/// A line of the facts: what it names, without the collection before it and the checksum behind it.
fn fact(line: &str) -> Option<(&str, &str)> {
    let (kind, rest) = line.split_once(' ')?;
    let rest = if rest.starts_with('(') { rest.split_once(") ").map_or(rest, |(_, name)| name) } else { rest };
    let value = if kind == "ref" { rest.split(' ').next().unwrap_or(rest) } else { rest };
    Some((kind, value))
}
