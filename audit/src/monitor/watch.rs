//! Judging entries, each once, in order.

use super::Memory;
use super::findings::Finding;
use super::rules::Rules;
use crate::book::{Book, Shown};
use crate::error::AuditError;
use crate::show::hex;
use crate::time::show;
use chancery_reqlog::{Decision, Leaf};

/// Judges what came since the last look.
pub(super) fn watch(book: &Book, rules: &Rules, memory: &mut Memory, now: u64, found: &mut Vec<Finding>) -> Result<(), AuditError> {
    let size = book.size();
    if memory.next < size || memory.grown == 0 {
        memory.grown = now;
    }
    for entry in book.log.entries(memory.next..size) {
        let (index, bytes) = entry.map_err(|e| AuditError::of_log(e, None))?;
        let shown = book.with_fields(index, bytes)?;
        let mut judge = Judge { book, rules, shown: &shown, found: &mut *found };
        match &shown.leaf {
            Some(leaf) => judge.entry(leaf, memory),
            None => judge.find("unreadable-entry", "critical", "the entry is not in a format that this program knows".to_owned()),
        }
        memory.next = memory.next.saturating_add(1);
    }
    if let Some(span) = rules.silent_for {
        let silent = now.saturating_sub(memory.grown);
        if u128::from(silent) >= span.0.as_millis() {
            let message = format!("no new entry for {} s: the log, or the way to here, stands still", silent.div_euclid(1000));
            found.push(finding(book, None, "silent", "warning", message));
            memory.grown = now;
        }
    }
    Ok(())
}

struct Judge<'a> {
    book: &'a Book,
    rules: &'a Rules,
    shown: &'a Shown,
    found: &'a mut Vec<Finding>,
}

impl Judge<'_> {
    fn find(&mut self, rule: &'static str, severity: &'static str, message: String) {
        self.found.push(finding(self.book, Some(self.shown), rule, severity, message));
    }

    fn entry(&mut self, leaf: &Leaf, memory: &mut Memory) {
        match leaf.kind.as_str() {
            "start" if std::mem::replace(&mut memory.running, true) => {
                self.find("crash", "warning", "the keeper started again without having stopped in order".to_owned());
            }
            "stop" => memory.running = false,
            "clock" => self.find("clock", "warning", "the key host's clock went back".to_owned()),
            "failed" => self.find("failed", "warning", "a permitted signature could not be made".to_owned()),
            "key" => self.key_event(leaf, memory),
            "deny" => self.denial(leaf, memory),
            "sign" => self.signature(leaf, memory),
            _ => {}
        }
        self.policy(leaf, memory);
    }

    fn key_event(&mut self, leaf: &Leaf, memory: &mut Memory) {
        let Some(key) = leaf.key.as_ref().map(|k| hex(k)) else { return };
        if memory.keys.contains(&key) {
            return;
        }
        let known = self.rules.known_keys.as_ref().is_some_and(|known| known.contains(&key));
        if !known {
            let name = self.shown.key_name.clone().unwrap_or_else(|| "of unknown name".to_owned());
            self.find("new-key", "warning", format!("key {name} ({key}) is in service"));
        }
        memory.keys.push(key);
    }

    fn policy(&mut self, leaf: &Leaf, memory: &mut Memory) {
        let Some(policy) = leaf.policy.as_ref().map(|p| hex(p)) else { return };
        if memory.policy.as_ref() == Some(&policy) {
            return;
        }
        let known = self.rules.known_policies.as_ref().map(|known| known.contains(&policy));
        match (known, &memory.policy) {
            (Some(true), _) | (None, None) => {}
            (Some(false), _) => self.find("unknown-policy", "critical", format!("a policy is in force that is not known: sha256:{policy}")),
            (None, Some(before)) => {
                self.find("policy-changed", "warning", format!("the policy changed from sha256:{before} to sha256:{policy}"))
            }
        }
        memory.policy = Some(policy);
    }

    fn denial(&mut self, leaf: &Leaf, memory: &mut Memory) {
        let Some(rule) = &self.rules.denials else { return };
        let window = u64::try_from(rule.within.0.as_millis()).unwrap_or(u64::MAX);
        memory.denials.push_back(leaf.time);
        while memory.denials.front().is_some_and(|first| first.saturating_add(window) < leaf.time) {
            memory.denials.pop_front();
        }
        if memory.denials.len() > usize::try_from(rule.more_than).unwrap_or(usize::MAX) {
            let message =
                format!("{} refusals within {} s: somebody tries what they may not", memory.denials.len(), rule.within.0.as_secs());
            self.find("denial-burst", "warning", message);
            memory.denials.clear();
        }
    }

    fn signature(&mut self, leaf: &Leaf, memory: &mut Memory) {
        let key = leaf.key.as_ref().map(|k| hex(k)).unwrap_or_default();
        if self.rules.known_keys.as_ref().is_some_and(|known| !known.contains(&key)) {
            self.find("unknown-key", "critical", format!("signed with a key that is not known: {key}"));
        }
        if self.rules.hours.as_ref().is_some_and(|hours| !hours.contain(leaf.time)) {
            self.find("outside-hours", "warning", format!("signed at {}, outside the expected hours", show(leaf.time)));
        }
        let principal = self.shown.fields.get("principal").cloned();
        if self.rules.details_complete && principal.is_none() {
            self.find("details-missing", "warning", "nothing of this request was disclosed".to_owned());
        }
        let stranger = |known: &&Vec<String>| principal.as_ref().is_some_and(|p| !known.contains(p));
        if self.rules.known_principals.as_ref().filter(stranger).is_some() {
            let message = format!("signed for {}, who is not known", principal.unwrap_or_default());
            self.find("unknown-principal", "critical", message);
        }
        if self.rules.refs_go_forward {
            self.refs(memory);
        }
    }

    /// A summary or commit that is older than one that was signed before for the same subject and refs.
    fn refs(&mut self, memory: &mut Memory) {
        let (Some(facts), Some(subject)) = (self.shown.fields.get("facts"), self.shown.fields.get("subject")) else { return };
        let time = facts.lines().find_map(|line| line.strip_prefix("last-modified ").or_else(|| line.strip_prefix("timestamp ")));
        let Some(time) = time.and_then(|t| t.trim().parse::<u64>().ok()) else { return };
        let construction = self.shown.leaf.as_ref().and_then(|l| l.construction.clone()).map(|c| c.to_string()).unwrap_or_default();
        let names =
            facts.lines().filter_map(|line| line.strip_prefix("ref ")).map(|rest| rest.rsplit_once(' ').map_or(rest, |(name, _)| name));
        let mut back = Vec::new();
        for name in names.chain([""]) {
            let newest = memory.newest.entry(format!("{construction}\0{subject}\0{name}")).or_default();
            if time < *newest && !name.is_empty() {
                back.push(name.to_owned());
            }
            *newest = time.max(*newest);
        }
        if !back.is_empty() {
            self.find("ref-went-back", "critical", format!("{subject}: {} went back to an older state", back.join(", ")));
        }
    }
}

fn finding(book: &Book, shown: Option<&Shown>, rule: &'static str, severity: &'static str, message: String) -> Finding {
    let leaf = shown.and_then(|s| s.leaf.as_ref());
    Finding {
        time: show(leaf.map_or_else(|| crate::time::now().unsigned_abs(), |l| l.time)),
        log: book.origin().to_owned(),
        index: shown.map(|s| s.index),
        rule,
        severity,
        message,
        key: leaf.and_then(|l| l.key).map(|k| hex(&k)),
        tbs: leaf.and_then(|l| l.tbs).map(|t| hex(&t)),
        decision: leaf.map(|l| l.decision).filter(|d| *d != Decision::None).map(|d| d.word().to_owned()),
        entries: book.size(),
    }
}
