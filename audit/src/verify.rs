//! `chancery-audit verify`.

use crate::error::AuditError;
use crate::place::Place;
use crate::state::State;
use chancery_reqlog::{Leaf, StaticLog};
use chancery_tlog::VerifierKey;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;

/// What a verified log holds.
#[derive(serde::Serialize)]
pub(crate) struct Verified {
    pub(crate) origin: String,
    pub(crate) entries: u64,
    pub(crate) root: String,
    /// The first entry that was read again.
    pub(crate) from: u64,
    /// Size of the earlier checkpoint that the log was found to extend.
    pub(crate) extends: Option<u64>,
    /// Entries by kind.
    pub(crate) kinds: BTreeMap<String, u64>,
    /// Entries that are not in the format that this program knows.
    pub(crate) unknown: u64,
}

/// Verifies every file of the log, and that it extends what was verified before; `only_new`: of the entries only those that came after it.
pub(crate) fn verify(place: Place, key: &VerifierKey, state: Option<&State>, only_new: bool) -> Result<Verified, AuditError> {
    let earlier = state.and_then(|s| s.earlier.as_ref());
    let failed = |error| AuditError::of_log(error, earlier.map(|e| e.note.as_str()));
    let log = StaticLog::open(place, key).map_err(failed)?;
    let size = log.checkpoint().checkpoint.size;
    if let Some(earlier) = earlier {
        log.check_extends(&earlier.checkpoint).map_err(failed)?;
    }
    let (mut kinds, mut unknown) = (BTreeMap::<String, u64>::new(), 0_u64);
    let progress = progress(size);
    let from = earlier.filter(|_| only_new).map_or(0, |e| e.checkpoint.size);
    // An entry is given out only after it was led back to the checkpoint over every tile above it, so this reads and verifies all files.
    for entry in log.entries(from..size) {
        let (index, entry) = entry.map_err(failed)?;
        match Leaf::parse(&entry) {
            Ok(leaf) => {
                let count = kinds.entry(leaf.kind.to_string()).or_default();
                *count = count.saturating_add(1);
            }
            Err(_) => unknown = unknown.saturating_add(1),
        }
        progress.set_position(index);
    }
    progress.finish_and_clear();
    let signed = log.checkpoint();
    if let Some(state) = state {
        state.save(&signed.note)?;
    }
    Ok(Verified {
        origin: signed.checkpoint.origin.clone(),
        entries: size,
        from,
        root: signed.checkpoint.root.to_string(),
        extends: earlier.map(|e| e.checkpoint.size),
        kinds,
        unknown,
    })
}

/// Shown on a terminal only.
pub(crate) fn progress(size: u64) -> ProgressBar {
    let bar = ProgressBar::new(size);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} entries {eta}") {
        bar.set_style(style);
    }
    bar
}

impl Verified {
    pub(crate) fn text(&self) -> String {
        let kinds: Vec<String> = self.kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
        let extends = self.extends.map_or_else(String::new, |n| format!(", extends the {n} seen before"));
        let unknown =
            if self.unknown > 0 { format!("; {} in a format that this program does not know", self.unknown) } else { String::new() };
        let read = if self.from > 0 { format!("read from entry {} on: ", self.from) } else { String::new() };
        let kinds = if kinds.is_empty() { "nothing new".to_owned() } else { kinds.join(", ") };
        format!("verified: {} has {} entries{extends} ({read}{kinds}){unknown}\nroot {}\n", self.origin, self.entries, self.root)
    }
}
