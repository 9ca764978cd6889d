//! Keys, policies and witnesses.

use super::desk::Desk;
use super::overview::ago;
use super::page::{Problem, frame};
use crate::book::Book;
use crate::show::hex;
use crate::time::show;
use chancery_tlog::Note;
use maud::{Markup, html};
use sha2::{Digest as _, Sha256};
use similar::{ChangeTag, TextDiff};
use std::collections::BTreeMap;

/// A policy file is never larger.
const MAX_POLICY: u64 = 1024 * 1024;

pub(super) fn keys(book: &Book) -> Result<Markup, Problem> {
    let sql = "SELECT id, version, first, used, signed, denied, served, name, made_for FROM key ORDER BY id";
    let read = |row: &rusqlite::Row<'_>| {
        let number = |at| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(at)?.map(i64::unsigned_abs));
        Ok((
            row.get::<_, Vec<u8>>(0)?,
            number(1)?,
            number(2)?,
            number(3)?,
            number(4)?,
            number(5)?,
            number(6)?,
            row.get::<_, Option<String>>(7)?,
            row.get::<_, Option<String>>(8)?,
        ))
    };
    let mut lines = Vec::new();
    for (key, version, first, used, signed, denied, served, name, made_for) in book.index.query(sql, &[], read)? {
        let name = name.unwrap_or_else(|| "not disclosed".to_owned());
        let made_for = made_for.unwrap_or_default();
        lines.push((key, name, made_for, version, first, used, signed, denied, served));
    }
    let when = |time: &Option<u64>| time.map_or_else(|| "never".to_owned(), |t| format!("{} ({})", show(t), ago(t)));
    let body = html! {
        p { "Every key that the log names. When a key ends, its OpenPGP certificate says; the log does not." }
        div.scroll tabindex="0" role="region" aria-label="Keys" {
            table {
                caption.hidden { "Keys" }
                thead { tr { @for name in ["key", "id", "version", "made for", "first seen", "last in service", "last used", "signed", "refused"] { th scope="col" { (name) } } } }
                tbody {
                    @for (key, name, made_for, version, first, used, signed, denied, served) in &lines {
                        tr {
                            th scope="row" { a href={ "/entries?key=" (hex(key)) } { (name) } }
                            td { code title=(hex(key)) { (hex(key).chars().take(16).collect::<String>()) "…" } }
                            td.number { (version.unwrap_or(0)) } td { (made_for) } td { (when(first)) } td { (when(served)) } td { (when(used)) }
                            td.number { (signed.unwrap_or(0)) } td.number { (denied.unwrap_or(0)) }
                        }
                    }
                }
            }
        }
    };
    Ok(frame("Keys", "/keys", &body))
}

pub(super) fn policies(desk: &Desk, book: &Book) -> Result<Markup, Problem> {
    let sql = "SELECT digest, first, last, since, until FROM policy ORDER BY first";
    let read = |row: &rusqlite::Row<'_>| {
        let number = |at| Ok::<_, rusqlite::Error>(row.get::<_, i64>(at)?.unsigned_abs());
        Ok((row.get::<_, Vec<u8>>(0)?, number(1)?, number(2)?, number(3)?, number(4)?))
    };
    let history = book.index.query(sql, &[], read)?;
    let files = files(desk);
    let mut before: Option<&String> = None;
    let mut sections = Vec::new();
    for (digest, first, last, since, until) in &history {
        let text = files.get(digest);
        sections.push(html! {
            section {
                h2 { "From " (show(*since)) }
                p { "In force for entries " a href={ "/entry/" (first) } { (first) } " to " a href={ "/entry/" (last) } { (last) } ", last " (ago(*until)) ". SHA-256 "
                    code.wrap { (hex(digest)) } }
                @match (text, before) {
                    (None, _) => p { "Its file is not at hand; ask the operator for the file with this SHA-256, and put it into the directory of " code { "--policies" } "." },
                    (Some(text), None) => details { summary { "The policy" } pre { (text) } },
                    (Some(text), Some(before)) => { (difference(before, text)) details { summary { "The whole policy" } pre { (text) } } },
                }
            }
        });
        before = text;
    }
    sections.reverse();
    let body = html! { p { (history.len()) " policies, the newest first." } @for section in &sections { (section) } };
    Ok(frame("Policies", "/policies", &body))
}

/// The files in the directory, by SHA-256. What is not text, or too large, is no policy.
fn files(desk: &Desk) -> BTreeMap<Vec<u8>, String> {
    let listed = desk.policies.as_deref().and_then(|dir| std::fs::read_dir(dir).ok()).into_iter().flatten().flatten();
    let small = listed.filter(|entry| entry.metadata().is_ok_and(|m| m.is_file() && m.len() <= MAX_POLICY));
    let texts = small.filter_map(|entry| std::fs::read_to_string(entry.path()).ok());
    texts.map(|text| (Sha256::digest(&text).to_vec(), text)).collect()
}

fn difference(before: &str, after: &str) -> Markup {
    let diff = TextDiff::from_lines(before, after);
    html! {
        h3 { "What changed" }
        pre.diff {
            @for change in diff.iter_all_changes() {
                @match change.tag() {
                    ChangeTag::Delete => del { "- " (change.value()) },
                    ChangeTag::Insert => ins { "+ " (change.value()) },
                    ChangeTag::Equal => { "  " (change.value()) },
                }
            }
        }
    }
}

/// Who cosigned the checkpoint that is shown, and when.
fn cosigned(desk: &Desk, book: &Book) -> Vec<(String, Option<u64>)> {
    let note = &book.log.checkpoint().note;
    let parsed = Note::parse(note);
    let time = |key: &chancery_tlog::VerifierKey| {
        let verified = parsed.as_ref().ok()?.verify(std::slice::from_ref(key)).ok()?;
        verified.first()?.time
    };
    desk.witnesses.iter().map(|key| (key.name().to_owned(), time(key))).collect()
}

/// The freshest cosignature in a word or two.
pub(super) fn freshness(desk: &Desk, book: &Book) -> String {
    let all = cosigned(desk, book);
    match all.iter().filter_map(|(_, time)| *time).max() {
        _ if all.is_empty() => "none named".to_owned(),
        None => "no cosignature".to_owned(),
        Some(newest) => {
            format!("{} of {}, {}", all.iter().filter(|(_, t)| t.is_some()).count(), all.len(), ago(newest.saturating_mul(1000)))
        }
    }
}

pub(super) fn witnesses(desk: &Desk, book: &Book) -> Result<Markup, Problem> {
    let all = cosigned(desk, book);
    let body = html! {
        @if all.is_empty() { p { "No witness was named: say " code { "--witness VKEY" } " for each." } } @else {
            table {
                caption { "Cosignatures on the checkpoint of " (book.size()) " entries" }
                thead { tr { th scope="col" { "witness" } th scope="col" { "cosigned" } } }
                tbody {
                    @for (name, time) in &all {
                        tr { th scope="row" { (name) } td { (time.map_or_else(|| "not this checkpoint".to_owned(), |t| format!("{} ({})", show(t.saturating_mul(1000)), ago(t.saturating_mul(1000))))) } }
                    }
                }
            }
        }
        h2 { "Checkpoint" }
        pre.wrap { (book.log.checkpoint().note) }
    };
    Ok(frame("Witnesses", "/witnesses", &body))
}
