//! `chancery-audit verify`.

use crate::error::AuditError;
use crate::place::Place;
use crate::state::State;
use chancery_reqlog::{Leaf, LeafError, StaticLog};
use chancery_tlog::VerifierKey;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;

/// What a verified log holds.
#[derive(serde::Serialize)]
pub(crate) struct Verified {
    pub(crate) origin: String,
    pub(crate) entries: u64,
    pub(crate) root: String,
    /// Size of the earlier checkpoint that the log was found to extend.
    pub(crate) extends: Option<u64>,
    /// Entries by kind.
    pub(crate) kinds: BTreeMap<String, u64>,
    /// Entries that are not in the format that this program knows.
    pub(crate) unknown: u64,
}

/// Verifies every file of the log, and that it extends what was verified before.
pub(crate) fn verify(place: Place, key: &VerifierKey, state: Option<&State>) -> Result<Verified, AuditError> {
    let log = StaticLog::open(place, key)?;
    let size = log.checkpoint().checkpoint.size;
    let earlier = state.and_then(|s| s.earlier.as_ref());
    let progress = progress(size);
    log.verify(earlier, |done| progress.set_position(done))?;
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    let mut unknown = 0_u64;
    progress.set_message("reading entries");
    for entry in log.entries(0..size) {
        let (_, entry) = entry?;
        match Leaf::parse(&entry) {
            Ok(leaf) => {
                let count = kinds.entry(leaf.kind.to_string()).or_default();
                *count = count.saturating_add(1);
            }
            Err(LeafError::Version { .. } | _) => unknown = unknown.saturating_add(1),
        }
    }
    progress.finish_and_clear();
    let signed = log.checkpoint();
    if let Some(state) = state {
        state.save(&signed.note)?;
    }
    Ok(Verified {
        origin: signed.checkpoint.origin.clone(),
        entries: size,
        root: signed.checkpoint.root.to_string(),
        extends: earlier.map(|c| c.size),
        kinds,
        unknown,
    })
}

/// Shown on a terminal only.
fn progress(size: u64) -> ProgressBar {
    let bar = ProgressBar::new(size);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} entries {msg}") {
        bar.set_style(style);
    }
    bar
}

impl Verified {
    pub(crate) fn text(&self) -> String {
        let kinds: Vec<String> = self.kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
        let extends = self.extends.map_or_else(String::new, |n| format!(", extends the {n} seen before"));
        let unknown = if self.unknown > 0 { format!("; {} in a format of a later version", self.unknown) } else { String::new() };
        format!("verified: {} has {} entries{extends} ({}){unknown}\nroot {}\n", self.origin, self.entries, kinds.join(", "), self.root)
    }
}
