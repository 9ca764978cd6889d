//! From the text of a policy to its grants.

use super::{Glob, GlobError, Grant, Place, Policy, RefGlob, Rule};
use crate::key::purpose;
use crate::sheet::{Finding, Sheet, Word};
use crate::text::{nearest, quote, size};
use chancery_channel::{KeyDescription, KeyName, NameError, Namespace, Principal};
use chancery_formats::Construction;
use sha2::{Digest as _, Sha256};
use std::ops::Range;
use toml::de::DeTable;

const SOME: &str = "[\"ostree-summary\", \"ostree-commit\"]";
const FIELDS: [&str; 8] = ["principal", "key", "constructions", "subject", "refs", "namespaces", "names", "max_content"];
/// Fields that later versions may enforce. A policy that counts on them must not be taken by a version that does not.
const NOT_ENFORCED: [&str; 7] = ["approvals", "commits", "guard", "hours", "quorum", "rate", "threshold"];

pub(super) fn policy(text: &str, file_name: &str) -> Result<Policy, super::PolicyErrors> {
    let (mut sheet, table) = Sheet::read(file_name, text);
    let mut grants: Vec<Grant> = Vec::new();
    for (grant, at) in grant_tables(&mut sheet, &table) {
        let (line, column) = sheet.place(at.start);
        let place = Place { file: file_name.to_owned(), line, column };
        let Some(rule) = rule(&mut sheet, grant, &at) else { continue };
        if let Some(first) = grants.iter().find(|g| g.rule == rule) {
            sheet.warn(at, format!("this grant says the same as the one on line {}", first.place.line), "remove one of them");
        }
        grants.push(Grant { place, rule });
    }
    sheet.known_fields(&table, "a policy has", &["grant"], &[]);
    let warnings = sheet.finish()?;
    Ok(Policy { grants, warnings, digest: Sha256::digest(text).into() })
}

fn grant_tables<'t, 'i>(sheet: &mut Sheet<'_>, table: &'t DeTable<'i>) -> Vec<(&'t DeTable<'i>, Range<usize>)> {
    let Some(value) = table.get("grant") else { return Vec::new() };
    let items: Vec<_> = value.get_ref().as_array().into_iter().flat_map(|list| list.iter()).collect();
    let tables: Vec<_> = items.iter().filter_map(|v| Some((v.get_ref().as_table()?, v.span()))).collect();
    if !value.get_ref().is_array() || tables.len() != items.len() {
        sheet.error(value.span(), "`grant` must be a list of tables", "write [[grant]], with two brackets, on a line of its own");
    }
    tables
}

fn rule(sheet: &mut Sheet<'_>, table: &DeTable<'_>, at: &Range<usize>) -> Option<Rule> {
    missing(sheet, table, at);
    let principal = sheet.text(table, "principal").and_then(|w| principal(sheet, &w));
    let key = sheet.text(table, "key").and_then(|w| name(sheet, &w, KeyName::new));
    let constructions = constructions(sheet, table, at);
    let subject = sheet.text(table, "subject").and_then(|w| glob(sheet, &w));
    let refs = refs(sheet, table, constructions.as_deref(), at);
    let namespaces = namespaces(sheet, table, constructions.as_deref(), at);
    let names = names(sheet, table, constructions.as_deref(), at);
    let max_content = max_content(sheet, table);
    Some(Rule {
        principal: principal?,
        key: key?,
        constructions: constructions?,
        subject: subject?,
        refs: refs?,
        namespaces: namespaces?,
        names: names?,
        max_content: max_content?,
    })
}

/// Reports fields that are there and should not be, and those that should be there and are not.
fn missing(sheet: &mut Sheet<'_>, table: &DeTable<'_>, at: &Range<usize>) {
    let meant = sheet.known_fields(table, "a grant has", &FIELDS, &NOT_ENFORCED);
    for (field, _) in table.iter().filter(|(f, _)| NOT_ENFORCED.contains(&f.get_ref().as_ref())) {
        let what = format!("this version does not enforce `{}`, so it refuses a policy that counts on it", field.get_ref());
        sheet.error(field.span(), what, "remove it, knowing that nothing takes its place");
    }
    let needed = [("principal", "\"web1.example.org\""), ("key", "\"release\""), ("constructions", SOME), ("subject", "\"prod\"")];
    for (field, example) in needed {
        if !table.contains_key(field) && !meant.contains(&field) {
            sheet.error(at.clone(), format!("this grant has no `{field}`"), format!("write, for example, {field} = {example}"));
        }
    }
}

fn principal(sheet: &mut Sheet<'_>, word: &Word<'_>) -> Option<Principal> {
    if word.text.contains('*') {
        sheet.error(word.at.clone(), "a principal is one exact name, not a glob", "write one grant for each principal");
        return None;
    }
    name(sheet, word, Principal::new)
}

fn name<T>(sheet: &mut Sheet<'_>, word: &Word<'_>, new: impl Fn(String) -> Result<T, NameError>) -> Option<T> {
    new(word.text.to_owned()).map_err(|e| sheet.error(word.at.clone(), format!("{}: {e}", quote(word.text)), "")).ok()
}

fn glob(sheet: &mut Sheet<'_>, word: &Word<'_>) -> Option<Glob> {
    Glob::new(word.text).map_err(|e| bad_glob(sheet, word, &e)).ok()
}

fn bad_glob(sheet: &mut Sheet<'_>, word: &Word<'_>, error: &GlobError) {
    sheet.error(word.at.clone(), format!("{}: {error}", quote(word.text)), error.advice());
}

fn constructions(sheet: &mut Sheet<'_>, table: &DeTable<'_>, at: &Range<usize>) -> Option<Vec<Construction>> {
    let words = sheet.texts(table, "constructions")?;
    if words.is_empty() {
        sheet.error(at.clone(), "this grant names no construction", format!("write, for example, constructions = {SOME}"));
        return None;
    }
    let mut all = Vec::new();
    let mut known = true;
    for word in &words {
        match purpose::named(word.text) {
            Some(named) => all.extend(named),
            None => {
                known = false;
                sheet.error(word.at.clone(), format!("there is no construction {}", quote(word.text)), purpose::advice(word.text));
            }
        }
    }
    let names: Vec<&str> = words.iter().map(|w| w.text).collect();
    if let (true, Err(e)) = (known, purpose::check_names(&names)) {
        let at = words.first().map_or_else(|| at.clone(), |w| w.at.clone());
        sheet.error(at, e.to_string(), "write one grant for each key");
        return None;
    }
    all.sort_unstable();
    all.dedup();
    known.then_some(all)
}

fn refs(sheet: &mut Sheet<'_>, table: &DeTable<'_>, constructions: Option<&[Construction]>, at: &Range<usize>) -> Option<Vec<RefGlob>> {
    let meant = constructions.map(|list| list.iter().any(|c| purpose::has_refs(*c)));
    let what = ("refs", "constructions that publish refs", "write refs = [\"app/*/x86_64/stable\"], a list of globs");
    listed_for(sheet, table, meant, at, what)?.iter().map(|w| ref_glob(sheet, w)).collect::<Vec<_>>().into_iter().collect()
}

fn namespaces(
    sheet: &mut Sheet<'_>,
    table: &DeTable<'_>,
    constructions: Option<&[Construction]>,
    at: &Range<usize>,
) -> Option<Vec<Namespace>> {
    let meant = constructions.map(|list| list.contains(&Construction::Sshsig));
    let what = ("namespaces", "`sshsig`", "write namespaces = [\"file\"], a list of exact names");
    listed_for(sheet, table, meant, at, what)?.iter().map(|w| name(sheet, w, Namespace::new)).collect::<Vec<_>>().into_iter().collect()
}

fn names(sheet: &mut Sheet<'_>, table: &DeTable<'_>, constructions: Option<&[Construction]>, at: &Range<usize>) -> Option<Vec<Glob>> {
    let meant = constructions.map(|list| list.iter().any(|c| purpose::has_names(*c)));
    let what = ("names", "constructions whose content has names", "write names = [\"v*\"], a list of globs");
    listed_for(sheet, table, meant, at, what)?.iter().map(|w| glob(sheet, w)).collect::<Vec<_>>().into_iter().collect()
}

/// A list that some constructions need and that means nothing for the others. `meant` is unknown when the constructions are.
fn listed_for<'t>(
    sheet: &mut Sheet<'_>,
    table: &'t DeTable<'_>,
    meant: Option<bool>,
    at: &Range<usize>,
    (field, whose, instead): (&str, &str, &str),
) -> Option<Vec<Word<'t>>> {
    let Some(value) = table.get(field) else {
        if meant == Some(true) {
            sheet.error(at.clone(), format!("this grant has no `{field}`, needed for {whose}"), instead);
        }
        return (meant == Some(false)).then(Vec::new);
    };
    let words = sheet.texts(table, field)?;
    if meant == Some(false) {
        sheet.error(value.span(), format!("`{field}` means nothing for the constructions of this grant; it is for {whose}"), "remove it");
        return None;
    }
    if words.is_empty() {
        sheet.error(value.span(), format!("`{field}` is empty, so this grant allows nothing"), instead);
        return None;
    }
    Some(words)
}

fn ref_glob(sheet: &mut Sheet<'_>, word: &Word<'_>) -> Option<RefGlob> {
    if word.text.split('/').any(str::is_empty) && !word.text.is_empty() {
        let what = format!("{} matches nothing: a ref neither begins nor ends with / and has no //", quote(word.text));
        sheet.error(word.at.clone(), what, "remove the slash that is too many");
        return None;
    }
    RefGlob::new(word.text).map_err(|e| bad_glob(sheet, word, &e)).ok()
}

/// `Some(None)`: no bound of its own.
#[expect(clippy::option_option, reason = "the outer one is whether it could be read, the inner one whether it is there")]
fn max_content(sheet: &mut Sheet<'_>, table: &DeTable<'_>) -> Option<Option<u64>> {
    if !table.contains_key("max_content") {
        return Some(None);
    }
    let word = sheet.text(table, "max_content")?;
    let bytes = size(word.text);
    if bytes.is_none() {
        sheet.error(word.at, format!("{} is no size", quote(word.text)), "write a number and one of B, KiB, MiB, GiB, such as \"16 MiB\"");
    }
    bytes.map(Some)
}

/// Why a grant cannot be used with the keys that there are.
pub(super) fn misfit<'k>(grant: &Grant, key: Option<&KeyDescription>, names: impl Iterator<Item = &'k str>) -> Option<Finding> {
    let Place { file, line, column } = &grant.place;
    let name = grant.rule.key.as_str();
    let (what, instead) = match key {
        None => {
            let meant = nearest(name, names).map(|n| format!("write key = \"{n}\" instead, or ")).unwrap_or_default();
            (
                format!("there is no key {}", quote(name)),
                format!("{meant}make it: chancery-keeper key new {name} --for {}", joined(&grant.rule.constructions)),
            )
        }
        Some(key) => {
            // A family means all its kinds, and a key is for one of them.
            let served = |c: &Construction| key.constructions.iter().any(|k| k.family() == c.family());
            let other = grant.rule.constructions.iter().find(|c| !served(c))?;
            let instead =
                format!("a key is made for its constructions for good, this one for {}; make another key", joined(&key.constructions));
            (format!("key {} was not made for {other}", quote(name)), instead)
        }
    };
    Some(Finding::warning(file, *line, *column, what, instead))
}

fn joined(constructions: &[Construction]) -> String {
    constructions.iter().map(|c| c.name()).collect::<Vec<_>>().join(",")
}
