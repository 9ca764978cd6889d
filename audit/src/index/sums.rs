//! What is asked of all entries of a key, a policy or an hour at once: kept as sums, since there may be millions of entries.

use super::fill::signed;
use chancery_reqlog::{Leaf, Token};
use rusqlite::{Transaction, params};
use std::collections::BTreeMap;

const HOUR: u64 = 3_600_000;

/// What a batch of entries adds.
#[derive(Default)]
pub(super) struct Sums {
    /// Requests of an hour by key, kind and reason.
    hours: BTreeMap<(u64, Vec<u8>, String, String), u64>,
    keys: BTreeMap<[u8; 32], KeySum>,
    policies: BTreeMap<[u8; 32], PolicySum>,
}

#[derive(Default)]
struct KeySum {
    version: u32,
    first: Option<u64>,
    used: Option<u64>,
    served: Option<u64>,
    signed: u64,
    denied: u64,
}

struct PolicySum {
    first: u64,
    last: u64,
    since: u64,
    until: u64,
}

impl Sums {
    pub(super) fn add(&mut self, index: u64, leaf: &Leaf) {
        let key = leaf.key.map(Vec::from).unwrap_or_default();
        let reason = leaf.reason.as_ref().map(ToString::to_string).unwrap_or_default();
        let of = (leaf.time.checked_div(HOUR).unwrap_or(0), key, leaf.kind.to_string(), reason);
        let count = self.hours.entry(of).or_default();
        *count = count.saturating_add(1);
        if let Some(key) = leaf.key {
            self.keys.entry(key).or_default().add(leaf);
        }
        if let Some(policy) = leaf.policy {
            let time = leaf.time;
            let sum = self.policies.entry(policy).or_insert(PolicySum { first: index, last: index, since: time, until: time });
            sum.last = index;
            (sum.since, sum.until) = (sum.since.min(time), sum.until.max(time));
        }
    }

    pub(super) fn write(&self, change: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut hour =
            change.prepare_cached("INSERT INTO hour VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET n = n + excluded.n")?;
        for ((time, key, kind, reason), n) in &self.hours {
            hour.execute(params![signed(*time), key, kind, reason, signed(*n)])?;
        }
        let mut one_key = change.prepare_cached(
            "INSERT INTO key(id, version, first, used, served, signed, denied) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET \
             version = max(version, excluded.version), first = min(ifnull(first, excluded.first), ifnull(excluded.first, first)), \
             used = ifnull(excluded.used, used), served = ifnull(excluded.served, served), \
             signed = signed + excluded.signed, denied = denied + excluded.denied",
        )?;
        for (id, sum) in &self.keys {
            let times = [sum.first, sum.used, sum.served].map(|time| time.map(signed));
            one_key.execute(params![id, sum.version, times[0], times[1], times[2], signed(sum.signed), signed(sum.denied)])?;
        }
        let mut policy = change.prepare_cached(
            "INSERT INTO policy VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET last = excluded.last, \
             since = min(since, excluded.since), until = max(until, excluded.until)",
        )?;
        for (digest, sum) in &self.policies {
            policy.execute(params![digest, signed(sum.first), signed(sum.last), signed(sum.since), signed(sum.until)])?;
        }
        Ok(())
    }
}

impl KeySum {
    fn add(&mut self, leaf: &Leaf) {
        self.version = self.version.max(leaf.key_version.unwrap_or(0));
        self.first = Some(self.first.map_or(leaf.time, |first| first.min(leaf.time)));
        if leaf.kind == Token::SIGN {
            self.signed = self.signed.saturating_add(1);
            self.used = Some(leaf.time);
        } else if leaf.kind == Token::DENY {
            self.denied = self.denied.saturating_add(1);
        } else if leaf.kind.as_str() == "key" {
            self.served = Some(leaf.time);
        }
    }
}
