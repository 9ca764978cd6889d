//! Anybody can make the same thing happen again and again: the log names the first, and then once a minute how many there were.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What happens again within this time is only counted.
const MINUTE: Duration = Duration::from_secs(60);

/// Whether to say something.
#[derive(Debug, Default)]
pub struct Quiet {
    told: Mutex<BTreeMap<&'static str, Told>>,
}

#[derive(Debug)]
struct Told {
    at: Instant,
    more: u64,
    last: String,
}

/// What was not said one by one.
#[derive(Debug, PartialEq, Eq)]
struct Summary {
    reason: &'static str,
    /// How often it happened since it was told last.
    more: u64,
    /// The last of them.
    last: String,
}

impl Quiet {
    /// It happened, to the one that `who` names; whether that is to be said now.
    pub fn says(&self, reason: &'static str, who: impl ToString, now: Instant) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match told.get_mut(reason) {
            Some(told) => {
                told.more = told.more.saturating_add(1);
                told.last = who.to_string();
                false
            }
            None => {
                let _ = told.insert(reason, Told { at: now, more: 0, last: String::new() });
                true
            }
        }
    }

    /// What is to be told now: of each reason that was told a minute ago or earlier, or of `all` of them.
    fn due(&self, now: Instant, all: bool) -> Vec<Summary> {
        let mut due = Vec::new();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|reason, told| {
            if !all && now.saturating_duration_since(told.at) < MINUTE {
                return true;
            }
            let (more, last) = (std::mem::take(&mut told.more), std::mem::take(&mut told.last));
            told.at = now;
            if more > 0 {
                due.push(Summary { reason, more, last });
            }
            // What did not happen for a minute is said at once again.
            more > 0
        });
        due
    }

    /// Tells what was told a minute ago or earlier, or `all`.
    pub fn tell(&self, all: bool) {
        for Summary { reason, more, last } in self.due(Instant::now(), all) {
            tracing::warn!(reason, more, last, "this happened again, and is told once a minute");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_the_others_once_a_minute_for_each_reason() {
        let quiet = Quiet::default();
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let summary = |reason, more, last: &str| Summary { reason, more, last: last.to_owned() };
        assert!(quiet.says("a", "one", at(0)));
        assert!(!(1..=40).any(|n| quiet.says("a", n, at(n))));
        assert!(quiet.says("b", "other", at(50)), "each reason for itself");
        assert_eq!(quiet.due(at(59), false), []);
        assert_eq!(quiet.due(at(60), false), [summary("a", 40, "40")]);
        assert!(!quiet.says("a", "again", at(61)), "not before the next minute is over");
        assert_eq!(quiet.due(at(119), false), [], "b happened once");
        assert_eq!(quiet.due(at(120), false), [summary("a", 1, "again")]);
        assert_eq!(quiet.due(at(180), false), []);
        assert!(quiet.says("a", "new", at(181)), "after a silent minute it is told at once");
        assert!(!quiet.says("a", "last", at(182)));
        assert_eq!(quiet.due(at(183), true), [summary("a", 1, "last")], "at the end all is told");
    }
}
