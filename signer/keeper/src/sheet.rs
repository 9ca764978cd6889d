//! TOML files that people write, read so that every mistake is reported with its place and with what to write instead.

use crate::text::{nearest, quote};
use serde::Serialize;
use std::fmt;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Something to be said about a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    file: String,
    line: usize,
    column: usize,
    #[serde(rename = "error")]
    fatal: bool,
    what: String,
    instead: String,
}

/// What is wrong with a file: everything that was found, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

/// A file being read.
pub(crate) struct Sheet<'a> {
    file: &'a str,
    text: &'a str,
    findings: Vec<Finding>,
}

/// A text in a file, and where it stands.
#[derive(Clone)]
pub(crate) struct Word<'t> {
    pub(crate) text: &'t str,
    pub(crate) at: Range<usize>,
}

impl Findings {
    /// What was found.
    #[must_use]
    pub fn all(&self) -> &[Finding] {
        &self.0
    }
}

impl Finding {
    /// What is probably not meant.
    pub(crate) fn warning(file: &str, line: usize, column: usize, what: String, instead: String) -> Self {
        Self { file: file.to_owned(), line, column, fatal: false, what, instead }
    }
}

impl std::error::Error for Findings {}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(i, finding)| write!(f, "{}{finding}", if i == 0 { "" } else { "\n" }))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.fatal { "error" } else { "warning" };
        write!(f, "{}:{}:{}: {kind}: {}", self.file, self.line, self.column, self.what)?;
        if self.instead.is_empty() { Ok(()) } else { write!(f, "\n  {}", self.instead) }
    }
}

impl<'a> Sheet<'a> {
    /// Reads the file. When it is not TOML, the table is empty: guesses at what a broken line was meant to say would mislead.
    pub(crate) fn read(file: &'a str, text: &'a str) -> (Self, DeTable<'a>) {
        let mut sheet = Self { file, text, findings: Vec::new() };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            sheet.error(error.span().unwrap_or_default(), format!("this is not TOML: {}", error.message()), "");
        }
        (sheet, if errors.is_empty() { table.into_inner() } else { DeTable::new() })
    }

    /// What was found so far, if anything. Straight after reading that is why it is not TOML.
    pub(crate) fn found(&self) -> Option<Findings> {
        (!self.findings.is_empty()).then(|| Findings(self.findings.clone()))
    }

    /// Reports a mistake, and what to write instead.
    pub(crate) fn error(&mut self, at: Range<usize>, what: impl Into<String>, instead: impl Into<String>) {
        self.find(at, true, what.into(), instead.into());
    }

    /// Reports what is probably not meant.
    pub(crate) fn warn(&mut self, at: Range<usize>, what: impl Into<String>, instead: impl Into<String>) {
        self.find(at, false, what.into(), instead.into());
    }

    fn find(&mut self, at: Range<usize>, fatal: bool, what: String, instead: String) {
        let (line, column) = self.place(at.start);
        self.findings.push(Finding { file: self.file.to_owned(), line, column, fatal, what, instead });
    }

    /// Line and column of a byte, both counted from 1; the column in characters.
    pub(crate) fn place(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.bytes().filter(|b| *b == b'\n').count().saturating_add(1);
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count().saturating_add(1);
        (line, column)
    }

    /// Reports each field of a table that is none of the known ones, nor of those that the caller deals with. `of` names the
    /// table. Returns the known fields that were probably meant, so that nobody is also told that they are missing.
    pub(crate) fn known_fields<'k>(&mut self, table: &DeTable<'_>, of: &str, known: &[&'k str], dealt_with: &[&str]) -> Vec<&'k str> {
        let is_unknown = |field: &str| !known.contains(&field) && !dealt_with.contains(&field);
        let mut unknown: Vec<_> = table.keys().filter(|k| is_unknown(k.get_ref())).collect();
        unknown.sort_by_key(|k| k.span().start);
        let mut all_meant = Vec::new();
        for field in unknown {
            let meant = nearest(field.get_ref(), known.iter().copied());
            let instead = meant.map_or_else(|| format!("there are {}", listed(known)), |meant| format!("write `{meant}` instead"));
            self.error(field.span(), format!("{of} no field {}", quote(field.get_ref())), instead);
            all_meant.extend(meant);
        }
        all_meant
    }

    /// The text of a field; `None` when it is absent or, with a report, when it is no text.
    pub(crate) fn text<'t>(&mut self, table: &'t DeTable<'_>, field: &str) -> Option<Word<'t>> {
        let value = table.get(field)?;
        let word = word(value);
        if word.is_none() {
            self.error(value.span(), format!("`{field}` must be text, not {}", kind(value)), format!("write {field} = \"...\""));
        }
        word
    }

    /// The texts of a field; `None` when it is absent or, with a report, when it is no list of texts.
    pub(crate) fn texts<'t>(&mut self, table: &'t DeTable<'_>, field: &str) -> Option<Vec<Word<'t>>> {
        let value = table.get(field)?;
        let Some(list) = value.get_ref().as_array() else {
            self.error(value.span(), format!("`{field}` must be a list, not {}", kind(value)), format!("write {field} = [\"...\"]"));
            return None;
        };
        let mut words = Vec::new();
        for item in list.iter() {
            match word(item) {
                Some(word) => words.push(word),
                None => self.error(item.span(), format!("`{field}` is a list of texts, this is {}", kind(item)), "write it between quotes"),
            }
        }
        Some(words)
    }

    /// A whole number from 1; `None` when it is absent or, with a report, when it is something else.
    pub(crate) fn number(&mut self, table: &DeTable<'_>, field: &str) -> Option<u64> {
        let value = table.get(field)?;
        let integer = value.get_ref().as_integer().and_then(|i| u64::from_str_radix(i.as_str(), i.radix()).ok()).filter(|n| *n > 0);
        if integer.is_none() {
            self.error(value.span(), format!("`{field}` must be a whole number from 1"), format!("write {field} = 1000, without quotes"));
        }
        integer
    }

    /// A table inside a table; `None` when it is absent or, with a report, when it is no table.
    pub(crate) fn table<'t, 'i>(&mut self, table: &'t DeTable<'i>, field: &str) -> Option<&'t DeTable<'i>> {
        let value = table.get(field)?;
        let inner = value.get_ref().as_table();
        if inner.is_none() {
            self.error(
                value.span(),
                format!("`{field}` must be a table, not {}", kind(value)),
                format!("write [{field}] on a line of its own"),
            );
        }
        inner
    }

    /// What was found that does not prevent the file from being used, or everything when something does.
    pub(crate) fn finish(self) -> Result<Vec<Finding>, Findings> {
        let mut findings = self.findings;
        findings.sort_by_key(|f| (f.line, f.column));
        if findings.iter().any(|f| f.fatal) { Err(Findings(findings)) } else { Ok(findings) }
    }
}

fn word<'t>(value: &'t Spanned<DeValue<'_>>) -> Option<Word<'t>> {
    value.get_ref().as_str().map(|text| Word { text, at: value.span() })
}

fn kind(value: &Spanned<DeValue<'_>>) -> &'static str {
    match value.get_ref() {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// `a`, `b` and `c`.
pub(crate) fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => format!("`{one}`"),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(|w| format!("`{w}`")).collect();
            format!("{} and `{last}`", first.join(", "))
        }
    }
}
