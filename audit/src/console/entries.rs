//! Entries: found, one by one, and as they come.

use super::desk::Parameters;
use super::overview::encode;
use super::page::{Problem, frame};
use crate::book::{Book, Shown};
use crate::index::{Filter, Row};
use crate::show::hex;
use crate::time::show;
use chancery_tlog::{TlogProof, leaf_hash};
use maud::{Markup, html};
use serde_json::json;

const PAGE: u32 = 50;

impl Parameters {
    fn filter(&self) -> Result<Filter, Problem> {
        let text = |value: &str| Some(value.trim().to_owned()).filter(|v| !v.is_empty());
        let moment = |value: &str| text(value).map(|v| v.parse()).transpose().map_err(Problem::Asked);
        Ok(Filter {
            key: text(&self.key),
            digest: text(&self.digest),
            principal: text(&self.principal),
            subject: text(&self.subject),
            reference: text(&self.reference),
            since: moment(&self.since)?,
            until: moment(&self.until)?,
            decision: text(&self.decision),
            kind: text(&self.kind),
            reason: text(&self.reason),
            construction: text(&self.construction),
            request: text(&self.request),
        })
    }

    /// What was filled in, by name.
    fn filled(&self) -> Vec<(&'static str, &'static str, &str)> {
        vec![
            ("key", "Key (id or name)", &self.key),
            ("digest", "SHA-256 of what was signed", &self.digest),
            ("principal", "Principal", &self.principal),
            ("subject", "Subject", &self.subject),
            ("ref", "Ref", &self.reference),
            ("since", "Since (date, time, 24h, 7d)", &self.since),
            ("until", "Until", &self.until),
            ("decision", "Decision", &self.decision),
            ("kind", "Kind", &self.kind),
            ("reason", "Reason", &self.reason),
            ("construction", "Construction", &self.construction),
            ("request", "Request id", &self.request),
        ]
    }
}

pub(super) fn page(book: &Book, parameters: &Parameters) -> Result<Markup, Problem> {
    let rows = parameters.filter()?.find(&book.index, parameters.before, PAGE)?;
    let filled = parameters.filled();
    let query: String = filled.iter().filter(|(_, _, v)| !v.is_empty()).map(|(name, _, v)| format!("{name}={}&", encode(v))).collect();
    let older = rows.last().filter(|_| u32::try_from(rows.len()).is_ok_and(|n| n == PAGE)).map(|row| row.index);
    let body = html! {
        form.search action="/entries" method="get" role="search" {
            @for (name, label, value) in &filled {
                label { span { (label) } input name=(name) value=(value) autocomplete="off"; }
            }
            button { "Search" }
        }
        p { (rows.len()) " entries" @if older.is_some() { " on this page" } ", the newest first." }
        (table(book, &rows)?)
        @if let Some(older) = older { p { a href={ "/entries?" (query) "before=" (older) } rel="next" { "Older entries" } } }
    };
    Ok(frame("Entries", "/entries", &body))
}

/// A table of entries; each was led back to the checkpoint.
pub(super) fn table(book: &Book, rows: &[Row]) -> Result<Markup, Problem> {
    let shown = rows.iter().map(|row| book.shown_row(row)).collect::<Result<Vec<_>, _>>()?;
    Ok(html! {
        div.scroll tabindex="0" role="region" aria-label="Entries" {
            table.entries {
                caption.hidden { "Entries" }
                thead { tr { @for name in ["entry", "time", "what", "key", "construction", "principal", "subject", "reason"] { th scope="col" { (name) } } } }
                tbody { @for one in &shown { (row(one)) } }
            }
        }
    })
}

fn row(shown: &Shown) -> Markup {
    let cells = cells(shown);
    html! {
        tr.(cells.class) {
            th scope="row" { a href={ "/entry/" (shown.index) } { (shown.index) } }
            @for cell in &cells.texts { td { (cell) } }
        }
    }
}

/// What a line of the table says.
struct Cells {
    class: &'static str,
    texts: [String; 7],
}

fn cells(shown: &Shown) -> Cells {
    let field = |name: &str| shown.fields.get(name).cloned().unwrap_or_default();
    let Some(leaf) = &shown.leaf else {
        let texts = [String::new(), "unreadable".to_owned(), String::new(), String::new(), String::new(), String::new(), String::new()];
        return Cells { class: "denied", texts };
    };
    let id = leaf.key.map(|k| hex(&k).chars().take(12).collect::<String>());
    let key = shown.key_name.clone().or(id.map(|id| format!("{id}…"))).unwrap_or_default();
    let class = match leaf.kind.as_str() {
        "sign" => "signed",
        "deny" | "failed" => "denied",
        _ => "event",
    };
    let text = |token: &Option<chancery_reqlog::Token>| token.as_ref().map(ToString::to_string).unwrap_or_default();
    let texts =
        [show(leaf.time), leaf.kind.to_string(), key, text(&leaf.construction), field("principal"), field("subject"), text(&leaf.reason)];
    Cells { class, texts }
}

/// The page of one entry, with its proof worked out in front of the reader.
pub(super) fn one(book: &Book, index: &str) -> Result<Markup, Problem> {
    let index = index.parse::<u64>().map_err(|_| Problem::NotFound)?;
    let shown = book.shown(book.find(&index.to_string())?)?;
    let receipt = String::from_utf8(receipt(book, &index.to_string())?).unwrap_or_default();
    let proof: TlogProof = receipt.parse().map_err(|e| Problem::Broken(format!("{e}")))?;
    let checkpoint = proof.verify(&shown.bytes, &book.key).map_err(|e| Problem::Broken(e.to_string()))?;
    let entry: serde_json::Value = serde_json::from_slice(&shown.bytes).unwrap_or_default();
    let facts = entry.as_object().cloned().unwrap_or_default();
    let body = html! {
        section {
            h2 { "What the log says" }
            dl {
                @for (name, value) in &facts {
                    dt { (name) }
                    dd { code { (value.as_str().map_or_else(|| value.to_string(), str::to_owned)) }
                        @if name == "time" { " " (value.as_u64().map(show).unwrap_or_default()) }
                        @if name == "key" { @if let Some(key) = &shown.key_name { " " (key) } }
                        @if name == "policy" { " " a href="/policies" { "policies" } }
                    }
                }
            }
        }
        section {
            h2 { "What was disclosed" }
            @if shown.fields.is_empty() { p { "Nothing. The operator can show single fields: " code { "chanceryd log disclose " (index) } } }
            dl { @for (name, value) in &shown.fields { dt { (name) } dd { pre { (value) } } } }
            @if !shown.fields.is_empty() { p { "Each was checked against the commitments in the entry." } }
        }
        section {
            h2 { "Proof" }
            p #proof data-receipt={ "/entry/" (index) "/receipt" } data-vkey=(book.key.to_string()) {
                "Verified here: the entry hashes to " code { (leaf_hash(&shown.bytes).to_string()) } ", and with the " (proof.hashes.len())
                " hashes of the proof to the root " code { (checkpoint.root.to_string()) } " of the " (checkpoint.size)
                " entries that the log's key signed."
            }
            p #browser-proof role="status" {}
            p { a href={ "/entry/" (index) "/receipt" } { "The receipt" } ", for " a href="/verify.html" { "any verifier" } "." }
            details { summary { "Checkpoint and proof" } pre.wrap { (receipt) } }
        }
    };
    Ok(frame(&format!("Entry {index}"), "/entries", &body))
}

pub(super) fn receipt(book: &Book, index: &str) -> Result<Vec<u8>, Problem> {
    let index = index.parse::<u64>().map_err(|_| Problem::NotFound)?;
    let index = book.find(&index.to_string())?;
    book.log.receipt(index).map_err(|e| crate::error::AuditError::of_log(e, None).into())
}

/// Entries as they come; without JavaScript the page asks for itself again.
pub(super) fn live(book: &Book) -> Result<Markup, Problem> {
    let newest = Filter::default().find(&book.index, None, 30)?;
    let body = html! {
        noscript { meta http-equiv="refresh" content="10"; }
        p { "The newest entries. " span #live-status role="status" {} }
        div #live data-next=(book.size()) aria-live="polite" { (table(book, &newest)?) }
    };
    Ok(frame("Live", "/live", &body))
}

/// What came after an entry, as cells of the table.
pub(super) fn live_json(book: &Book, parameters: &Parameters) -> Result<String, Problem> {
    let size = book.size();
    let from = parameters.after.unwrap_or(size).max(size.saturating_sub(100)).min(size);
    let mut rows = Vec::new();
    for index in from..size {
        let shown = book.shown(index)?;
        let cells = cells(&shown);
        rows.push(json!({ "index": index, "class": cells.class, "cells": cells.texts }));
    }
    Ok(json!({ "next": size, "rows": rows }).to_string())
}
