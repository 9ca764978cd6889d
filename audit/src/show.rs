//! `chancery-audit show`.

use crate::book::Shown;
use crate::error::AuditError;
use crate::place::Place;
use crate::time;
use chancery_reqlog::{Leaf, StaticLog};
use chancery_tlog::VerifierKey;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

/// Which entries to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    Some(Range<u64>),
}

impl std::str::FromStr for Which {
    type Err = AuditError;
    fn from_str(text: &str) -> Result<Self, AuditError> {
        let wrong = || AuditError::Range(text.to_owned());
        let number = |s: &str| s.parse::<u64>().map_err(|_| wrong());
        let (from, to) = match text.split_once("..") {
            Some((from, to)) => (number(from)?, number(to)?),
            None => {
                let index = number(text)?;
                (index, index.checked_add(1).ok_or_else(wrong)?)
            }
        };
        if from < to { Ok(Self::Some(from..to)) } else { Err(wrong()) }
    }
}

/// Writes entries, each led back to the signed checkpoint: one JSON object a line, or text.
pub(crate) fn show(
    place: Place,
    key: &VerifierKey,
    which: &Which,
    json: bool,
    mut write: impl FnMut(&str) -> Result<(), AuditError>,
) -> Result<(), AuditError> {
    let failed = |error| AuditError::of_log(error, None);
    let log = StaticLog::open(place, key).map_err(failed)?;
    let size = log.checkpoint().checkpoint.size;
    let range = match which {
        Which::All => 0..size,
        Which::Some(range) if range.end <= size => range.clone(),
        Which::Some(_) => return Err(AuditError::Beyond { size }),
    };
    for entry in log.entries(range) {
        let (index, bytes) = entry.map_err(failed)?;
        let shown = Shown { index, leaf: Leaf::parse(&bytes).ok(), bytes, fields: BTreeMap::new(), key_name: None };
        write(&if json { format!("{}\n", shown.json()) } else { text(&shown) })?;
    }
    Ok(())
}

/// One line, for people.
pub(crate) fn text(shown: &Shown) -> String {
    let Some(leaf) = &shown.leaf else {
        let why = Leaf::parse(&shown.bytes).err().map(|e| e.to_string()).unwrap_or_default();
        return format!("{:>8}  {why}\n", shown.index);
    };
    let mut line = format!("{:>8}  {}  {} {:<6}", shown.index, time::show(leaf.time), leaf.kind, leaf.decision.word());
    for (name, value) in [("", &leaf.construction), ("reason ", &leaf.reason)] {
        if let Some(value) = value {
            let _ = write!(line, "  {name}{value}");
        }
    }
    if let (Some(key), Some(version)) = (leaf.key, leaf.key_version) {
        let id = hex(&key).chars().take(12).collect::<String>();
        let name = shown.key_name.as_ref().map_or_else(|| format!("{id}…"), |name| format!("{name} ({id}…)"));
        let _ = write!(line, "  key {name} version {version}");
    }
    if let Some(tbs) = leaf.tbs {
        let _ = write!(line, "  tbs sha256:{}", hex(&tbs));
    }
    for name in ["principal", "subject"] {
        if let Some(value) = shown.fields.get(name) {
            let _ = write!(line, "  {name} {value}");
        }
    }
    line.truncate(line.trim_end().len());
    line.push('\n');
    line
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_or_a_range_is_taken_and_nothing_else() {
        assert_eq!("7".parse::<Which>().unwrap(), Which::Some(7..8));
        assert_eq!("7..10".parse::<Which>().unwrap(), Which::Some(7..10));
        for bad in ["", "x", "7..7", "8..7", "-1", "18446744073709551615"] {
            assert!(bad.parse::<Which>().is_err(), "{bad:?}");
        }
    }
}
