//! Auditors: ours, on top of the log's own reader, and the one on top of Go's x/mod.

use crate::outside::check_log;
use chancery_reqlog::{Directory, StaticLog};
use chancery_tlog::{Checkpoint, VerifierKey};
use std::path::Path;

/// Verifies every entry and tile, and that the log extends what was seen before.
pub(crate) fn audit(public: &Path, vkey: &str, earlier: Option<&str>) -> Result<u64, String> {
    let key: VerifierKey = vkey.parse().unwrap();
    let earlier = earlier.map(|note| Checkpoint::open(note, &key).unwrap());
    let log = StaticLog::open(Directory::new(public), &key).map_err(|e| e.to_string())?;
    log.verify(earlier.as_ref(), |_| ()).map_err(|e| e.to_string())?;
    Ok(log.checkpoint().checkpoint.size)
}

/// Whether Go's implementation agrees; what it said. `None` when it is to be skipped.
pub(crate) fn go_audit(public: &Path, vkey: &str, old_sizes: &[&str]) -> Option<Result<String, String>> {
    let output = check_log(&[&["log", vkey], old_sizes].concat(), public)?;
    Some(if output.code == 0 { Ok(output.stdout) } else { Err(output.stderr) })
}
