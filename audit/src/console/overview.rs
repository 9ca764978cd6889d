//! The first page: health, what happened, the newest entries.

use super::desk::{Desk, Parameters};
use super::entries::table;
use super::inventory::freshness;
use super::page::{Problem, frame};
use super::plot::{Bar, bars};
use crate::book::Book;
use crate::index::Filter;
use crate::time::{now, show};
use maud::{Markup, html};
use std::collections::BTreeMap;

const HOUR: i64 = 3_600_000;

/// A period that can be chosen: its name, its hours, and the hours of a bar.
const PERIODS: [(&str, &str, i64, i64); 4] =
    [("24h", "24 hours", 24, 1), ("7d", "7 days", 168, 4), ("30d", "30 days", 720, 24), ("365d", "a year", 8760, 168)];

pub(super) fn page(desk: &Desk, book: &Book, parameters: &Parameters) -> Result<Markup, Problem> {
    let chosen = PERIODS.iter().find(|p| p.0 == parameters.period).or(PERIODS.get(1)).copied().unwrap_or(PERIODS[0]);
    let (_, name, hours, step) = chosen;
    let end = now().div_euclid(HOUR).saturating_add(1);
    let begin = end.saturating_sub(hours);
    let newest = Filter::default().find(&book.index, None, 15)?;
    let last = newest.first().map(|row| row.time);
    let note = book.log.checkpoint();
    let body = html! {
        section.cards aria-label="Health of the log" {
            div.card { h2 { "Verified" } p.big { (book.size()) " entries" } p { "all led back to the signed root, and the log extends all that was seen before" } }
            div.card { h2 { "Newest entry" } p.big { (last.map_or_else(|| "none".to_owned(), ago)) } p { (last.map(show).unwrap_or_default()) } }
            div.card { h2 { "Witnesses" } p.big { (freshness(desk, book)) } p { a href="/witnesses" { "cosignatures" } } }
            div.card { h2 { "Log" } p.big.wrap { (book.origin()) } p.wrap { "root " code { (note.checkpoint.root.to_string()) } } }
        }
        section {
            h2 { "Requests of " (name) }
            nav.periods aria-label="Period" {
                @for (id, name, ..) in PERIODS { a href={ "/?period=" (id) } aria-current=[(id == chosen.0).then_some("true")] { (name) } " " }
            }
            (bars(&format!("Requests signed and refused, {name}"), &timeline(book, begin, end, step)?))
        }
        div.columns {
            (counts("By key", "key", &by_key(book, begin)?))
            (counts("By principal", "principal", &by_field(book, "principal", begin)?))
            (counts("Refusals by reason", "reason", &by_reason(book, begin)?))
        }
        section { h2 { "Newest entries" } (table(book, &newest)?) p { a href="/entries" { "All entries, and search" } } }
    };
    Ok(frame("Overview", "/", &body))
}

fn timeline(book: &Book, begin: i64, end: i64, step: i64) -> Result<Vec<Bar>, Problem> {
    let sql = "SELECT (hour - ?1) / ?3, kind, sum(n) FROM hour WHERE hour >= ?1 AND hour < ?2 AND kind IN ('sign', 'deny') GROUP BY 1, 2";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?.unsigned_abs()));
    let rows = book.index.query(sql, &[&begin, &end, &step], read)?;
    let mut found = BTreeMap::<i64, (u64, u64)>::new();
    for (bar, kind, n) in rows {
        let counts = found.entry(bar).or_default();
        if kind == "sign" { counts.0 = n } else { counts.1 = n }
    }
    let count = end.saturating_sub(begin).checked_div(step).unwrap_or(0);
    let bar = |n: i64| {
        let (signed, denied) = found.get(&n).copied().unwrap_or_default();
        let hour = begin.saturating_add(n.saturating_mul(step)).saturating_mul(HOUR).unsigned_abs();
        Bar { name: show(hour).replace('T', " ").trim_end_matches(":00Z").to_owned(), signed, denied }
    };
    Ok((0..=count.saturating_sub(1).max(0)).map(bar).collect())
}

/// A name, how it is asked for, and counts of signed and refused.
type Counted = (String, String, u64, u64);

fn by_key(book: &Book, begin: i64) -> Result<Vec<Counted>, Problem> {
    let sql = "SELECT lower(hex(key)), sum(n) FILTER (WHERE kind = 'sign'), sum(n) FILTER (WHERE kind = 'deny') FROM hour WHERE hour >= ?1 \
               AND kind IN ('sign', 'deny') AND key <> x'' GROUP BY key ORDER BY 2 DESC LIMIT 20";
    let mut counted = Vec::new();
    for (id, signed, denied) in book.index.query(sql, &[&begin], numbers)? {
        let name = crate::index::unhex(&id).map(|key| book.index.key_name(&key)).transpose()?.flatten();
        let short = id.chars().take(12).collect::<String>();
        counted.push((name.map_or_else(|| format!("{short}…"), |name| format!("{name} ({short}…)")), id, signed, denied));
    }
    Ok(counted)
}

fn by_field(book: &Book, name: &str, begin: i64) -> Result<Vec<Counted>, Problem> {
    let first = "SELECT min(idx) FROM entry WHERE time >= ?1";
    let first = book.index.query(first, &[&begin.saturating_mul(HOUR)], |row| row.get::<_, Option<i64>>(0))?.pop().flatten();
    let Some(first) = first else { return Ok(Vec::new()) };
    let sql = "SELECT f.value, sum(e.kind = 'sign'), sum(e.kind = 'deny') FROM field f JOIN entry e ON e.idx = f.idx WHERE f.name = ?1 AND \
               f.idx >= ?2 GROUP BY f.value ORDER BY 2 DESC LIMIT 20";
    let rows = book.index.query(sql, &[&name, &first], numbers)?;
    Ok(rows.into_iter().map(|(value, signed, denied)| (value.clone(), value, signed, denied)).collect())
}

fn by_reason(book: &Book, begin: i64) -> Result<Vec<Counted>, Problem> {
    let sql = "SELECT reason, 0, sum(n) FROM hour WHERE hour >= ?1 AND kind = 'deny' GROUP BY reason ORDER BY 3 DESC LIMIT 20";
    let rows = book.index.query(sql, &[&begin], numbers)?;
    Ok(rows.into_iter().map(|(value, signed, denied)| (value.clone(), value, signed, denied)).collect())
}

fn numbers(row: &rusqlite::Row<'_>) -> rusqlite::Result<(String, u64, u64)> {
    let number = |at| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(at)?.unwrap_or(0).unsigned_abs());
    Ok((row.get(0)?, number(1)?, number(2)?))
}

fn counts(title: &str, parameter: &str, counted: &[Counted]) -> Markup {
    html! {
        section {
            h2 { (title) }
            @if counted.is_empty() { p { "Nothing in this period, or nothing was disclosed." } } @else {
                table {
                    caption.hidden { (title) }
                    thead { tr { th scope="col" { (parameter) } th scope="col" { "signed" } th scope="col" { "refused" } } }
                    tbody {
                        @for (name, value, signed, denied) in counted {
                            tr {
                                th scope="row" { a href={ "/entries?" (parameter) "=" (encode(value)) } { (name) } }
                                td.number { (signed) } td.number { (denied) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A value behind `=` in an address.
pub(super) fn encode(value: &str) -> String {
    let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    value.bytes().map(|b| if safe(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// How long ago a time was, roughly.
pub(super) fn ago(ms: u64) -> String {
    let seconds = now().unsigned_abs().saturating_sub(ms).div_euclid(1000);
    let (count, unit) = match seconds {
        0..=119 => (seconds, "s"),
        120..=7199 => (seconds.div_euclid(60), "min"),
        7200..=172_799 => (seconds.div_euclid(3600), "h"),
        _ => (seconds.div_euclid(86_400), "days"),
    };
    format!("{count} {unit} ago")
}
