//! `chancery-audit show`.

use crate::error::AuditError;
use crate::place::Place;
use chancery_reqlog::{Leaf, StaticLog};
use chancery_tlog::VerifierKey;
use jiff::Timestamp;
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
        let (index, entry) = entry.map_err(failed)?;
        write(&if json { json_line(index, &entry) } else { text(index, &entry) })?;
    }
    Ok(())
}

/// The entry as it is, with its index before it.
fn json_line(index: u64, entry: &[u8]) -> String {
    let leaf = serde_json::from_slice::<serde_json::Value>(entry).unwrap_or(serde_json::Value::Null);
    format!("{}\n", serde_json::json!({ "index": index, "entry": leaf }))
}

fn text(index: u64, entry: &[u8]) -> String {
    let leaf = match Leaf::parse(entry) {
        Ok(leaf) => leaf,
        Err(error) => return format!("{index:>8}  {error}\n"),
    };
    let mut line = format!("{index:>8}  {}  {} {:<6}", time(leaf.time), leaf.kind, leaf.decision.word());
    for (name, value) in [("", &leaf.construction), ("reason ", &leaf.reason)] {
        if let Some(value) = value {
            let _ = write!(line, "  {name}{value}");
        }
    }
    if let (Some(key), Some(version)) = (leaf.key, leaf.key_version) {
        let _ = write!(line, "  key {}… version {version}", hex(&key).chars().take(12).collect::<String>());
    }
    if let Some(tbs) = leaf.tbs {
        let _ = write!(line, "  tbs sha256:{}", hex(&tbs));
    }
    line.truncate(line.trim_end().len());
    line.push('\n');
    line
}

fn time(ms: u64) -> String {
    let stamp = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    stamp.map_or_else(|| format!("{ms} ms"), |t| t.to_string())
}

fn hex(bytes: &[u8]) -> String {
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
