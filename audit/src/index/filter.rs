//! Questions to the index.

use super::{Index, Row};
use crate::error::AuditError;
use crate::time::Moment;
use chancery_reqlog::Token;
use clap::Args;
use rusqlite::ToSql;

/// Which entries are wanted. What is said together must all be so.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct Filter {
    /// A key: its id or the beginning of it in hex, or its name where that was disclosed
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// SHA-256 of the signed bytes, or of the content where that was disclosed, in hex
    #[arg(long, value_name = "HEX")]
    pub(crate) digest: Option<String>,
    /// Who asked, where that was disclosed
    #[arg(long)]
    pub(crate) principal: Option<String>,
    /// What was to be signed, in the publisher's terms, where that was disclosed
    #[arg(long)]
    pub(crate) subject: Option<String>,
    /// A ref that the signed content names, where that was disclosed
    #[arg(long = "ref", value_name = "REF")]
    pub(crate) reference: Option<String>,
    /// Not before this time: 2026-11-23, 2026-11-23T06:00:00Z, or so long ago: 24h, 7d
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Moment>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Moment>,
    /// permit, deny or none
    #[arg(long, value_parser = ["permit", "deny", "none"])]
    pub(crate) decision: Option<String>,
    /// What happened: sign, deny, start, stop, policy, key, clock, …
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// Why it was refused, or what changed
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// How it was to be framed, such as ostree-summary/ed25519
    #[arg(long)]
    pub(crate) construction: Option<String>,
    /// The request's id, in hex
    #[arg(long, value_name = "ID")]
    pub(crate) request: Option<String>,
}

/// What entries can be; those of later versions are known when the log has them.
const KINDS: [Token; 9] =
    [Token::SIGN, Token::DENY, Token::FAILED, Token::POLICY, Token::KEY, Token::RESTORE, Token::START, Token::STOP, Token::CLOCK];

/// A condition under way: SQL, and the values in it.
#[derive(Default)]
struct Condition {
    sql: Vec<String>,
    values: Vec<Box<dyn ToSql>>,
}

impl Condition {
    /// Keeps a value, and returns what stands for it in SQL.
    fn value(&mut self, value: impl ToSql + 'static) -> String {
        self.values.push(Box::new(value));
        format!("?{}", self.values.len())
    }

    /// Adds a condition in which `{}` stands for the value.
    fn add(&mut self, sql: &str, value: impl ToSql + 'static) {
        let place = self.value(value);
        self.sql.push(sql.replace("{}", &place));
    }
}

impl Filter {
    /// Refuses what could find nothing whatever the log holds: "0 entries" would be taken for an answer.
    pub(crate) fn check(&self, index: &Index) -> Result<(), AuditError> {
        if let Some(digest) = &self.digest
            && unhex(digest).is_some_and(|bytes| ![20, 32, 48, 64].contains(&bytes.len()))
        {
            return Err(AuditError::Usage(format!("{digest:?} is not a whole digest: SHA-256 has 64 digits in hex")));
        }
        if let Some(kind) = &self.kind {
            let has: Vec<String> = index.query("SELECT DISTINCT kind FROM entry ORDER BY kind", &[], |row| row.get(0))?;
            if !has.contains(kind) && !KINDS.iter().any(|known| known.as_str() == kind) {
                let has = has.join(", ");
                return Err(AuditError::Usage(format!("no log has entries of the kind {kind:?}; this one has {has}")));
            }
        }
        let private = [("--principal", &self.principal), ("--subject", &self.subject), ("--ref", &self.reference)];
        let asked = private.iter().find(|(_, value)| value.is_some());
        if let Some((option, _)) = asked
            && index.query("SELECT idx FROM field LIMIT 1", &[], |row| row.get::<_, i64>(0))?.is_empty()
        {
            return Err(AuditError::Usage(format!(
                "nothing was disclosed yet, so {option} finds nothing: ask the operator for `chanceryd log disclose`, and name its output with --details"
            )));
        }
        Ok(())
    }

    /// The ids of the keys that are meant by an id, its beginning, or a name.
    fn keys(&self, index: &Index, key: &str) -> Result<Vec<Vec<u8>>, AuditError> {
        let read = |row: &rusqlite::Row<'_>| row.get(0);
        let Some(begin) = unhex(key).filter(|bytes| (4..=32).contains(&bytes.len())) else {
            return index.query("SELECT id FROM key WHERE name = ?1", &[&key], read);
        };
        let mut end = begin.clone();
        end.resize(33, 0xff);
        index.query("SELECT id FROM key WHERE id >= ?1 AND id <= ?2", &[&begin, &end], read)
    }

    fn condition(&self, index: &Index) -> Result<Condition, AuditError> {
        let mut all = Condition::default();
        if let Some(key) = &self.key {
            let places: Vec<_> = self.keys(index, key)?.into_iter().map(|id| all.value(id)).collect();
            // For one key SQLite walks its entries from the newest back, and stops when it has enough.
            let sql = if let [one] = places.as_slice() { format!("key = {one}") } else { format!("key IN ({})", places.join(", ")) };
            all.sql.push(sql);
        }
        if let Some(digest) = &self.digest {
            let bytes = unhex(digest).ok_or_else(|| AuditError::Usage(format!("{digest:?} is not a digest in hex")))?;
            let (tbs, text) = (all.value(bytes), all.value(digest.to_ascii_lowercase()));
            all.sql.push(format!("(tbs = {tbs} OR idx IN (SELECT idx FROM mention WHERE kind = 'digest' AND value = {text}))"));
        }
        for (name, value) in [("principal", &self.principal), ("subject", &self.subject)] {
            if let Some(value) = value {
                all.add(&format!("idx IN (SELECT idx FROM field WHERE name = '{name}' AND value = {{}})"), value.clone());
            }
        }
        if let Some(name) = &self.reference {
            all.add("idx IN (SELECT idx FROM mention WHERE kind = 'ref' AND value = {})", name.clone());
        }
        if let Some(Moment(ms)) = self.since {
            all.add("time >= {}", ms);
        }
        if let Some(Moment(ms)) = self.until {
            all.add("time < {}", ms);
        }
        for (column, value) in
            [("decision", &self.decision), ("kind", &self.kind), ("reason", &self.reason), ("construction", &self.construction)]
        {
            if let Some(value) = value {
                all.add(&format!("{column} = {{}}"), value.clone());
            }
        }
        if self.decision.as_deref() == Some("deny") {
            // Refusals are few, and this is what the index of kinds can find.
            all.sql.push("kind <> 'sign'".to_owned());
        }
        if let Some(id) = &self.request {
            let id = unhex(id).ok_or_else(|| AuditError::Usage(format!("{id:?} is not a request id in hex")))?;
            all.add("rid = {}", id);
        }
        Ok(all)
    }

    /// The newest entries that are wanted, newest first, before `before`.
    pub(crate) fn find(&self, index: &Index, before: Option<u64>, limit: u32) -> Result<Vec<Row>, AuditError> {
        let mut condition = self.condition(index)?;
        if let Some(before) = before {
            condition.add("idx < {}", super::fill::signed(before));
        }
        condition.values.push(Box::new(limit));
        let and = if condition.sql.is_empty() { "true".to_owned() } else { condition.sql.join(" AND ") };
        let sql = format!("SELECT {} FROM entry WHERE {and} ORDER BY idx DESC LIMIT ?{}", Row::COLUMNS, condition.values.len());
        let values: Vec<&dyn ToSql> = condition.values.iter().map(|v| &**v).collect();
        index.query(&sql, &values, Row::read)
    }

    /// Counts of the entries that are wanted, by an expression over the table `entry`, the greatest first.
    pub(crate) fn count(&self, index: &Index, by: &str, limit: u32) -> Result<Vec<(String, u64)>, AuditError> {
        let mut condition = self.condition(index)?;
        condition.values.push(Box::new(limit));
        let and = if condition.sql.is_empty() { "true".to_owned() } else { condition.sql.join(" AND ") };
        let sql = format!(
            "SELECT {by} AS by_what, count(*) AS n FROM entry WHERE {and} GROUP BY by_what HAVING by_what IS NOT NULL ORDER BY n DESC, by_what LIMIT ?{}",
            condition.values.len()
        );
        let values: Vec<&dyn ToSql> = condition.values.iter().map(|v| &**v).collect();
        index.query(&sql, &values, |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?.unsigned_abs())))
    }
}

pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let byte = |pair: &[u8; 2]| std::str::from_utf8(pair).ok().and_then(|s| u8::from_str_radix(s, 16).ok());
    let digits = text.bytes().all(|b| b.is_ascii_hexdigit()) && !text.is_empty();
    if digits { pairs.iter().map(byte).collect() } else { None }
}
