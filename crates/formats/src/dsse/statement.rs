//! An in-toto Statement v1 about digests.

use super::json::{put_hex, put_member, put_members, put_string};
use super::uri::is_uri;
use super::{PAYLOAD_TYPE, STATEMENT_TYPE, pae};
use crate::hex;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

const MAX_SUBJECTS: usize = 1024;
const MAX_TEXT: usize = 1024;
const MAX_FIELDS: usize = 64;
const MAX_FIELD_NAME: usize = 64;

/// Names of artifacts with their digests, and what is said of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    subjects: Vec<Subject>,
    predicate_type: String,
    predicate: BTreeMap<String, String>,
}

/// An artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// What it is called: 1 to 1024 bytes without control characters.
    pub name: String,
    /// The SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// The SHA-512 of its bytes.
    pub sha512: Option<[u8; 64]>,
}

/// Why a statement cannot be made or read. Another try with the same input gives the same answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// There is no subject, or there are too many.
    #[error("a statement has 1 to 1024 subjects, this one has {found}")]
    SubjectCount {
        /// How many there are.
        found: usize,
    },
    /// A subject's name is empty, too long, or has control characters.
    #[error("the name of subject {index} (from 0) is not 1 to 1024 bytes without control characters")]
    SubjectName {
        /// Which subject, from 0.
        index: usize,
    },
    /// Two subjects have one name.
    #[error("subject {index} (from 0) has the name of one before it")]
    SubjectTwice {
        /// The second of them, from 0.
        index: usize,
    },
    /// The predicate type is not an absolute URI of at most 1024 bytes.
    #[error("the predicate type is not an absolute URI of at most 1024 bytes, such as https://example.org/release/v1")]
    PredicateType,
    /// The predicate has more than 64 fields, or one that is not usable.
    #[error(
        "the predicate has more than 64 fields, a field name that is not 1 to 64 of A-Z a-z 0-9 . _ -, or a value that is not up to 1024 \
         bytes without control characters"
    )]
    Predicate,
    /// The bytes are not a statement that is written here.
    #[error("not an in-toto statement in the form in which this program writes them")]
    Form,
}

impl Statement {
    /// Makes a statement: what `predicate_type` and the fields of `predicate` say is true of all subjects.
    ///
    /// # Errors
    /// When there is no subject or are too many, names are not usable or stand there twice, or the predicate is not usable.
    pub fn new(subjects: Vec<Subject>, predicate_type: &str, predicate: BTreeMap<String, String>) -> Result<Self, StatementError> {
        check_subjects(&subjects)?;
        if predicate_type.len() > MAX_TEXT || !is_uri(predicate_type) {
            return Err(StatementError::PredicateType);
        }
        if predicate.len() > MAX_FIELDS || !predicate.iter().all(|(name, value)| is_field_name(name) && is_text(value)) {
            return Err(StatementError::Predicate);
        }
        Ok(Self { subjects, predicate_type: predicate_type.to_owned(), predicate })
    }

    /// Reads a statement that [`Statement::to_json`] wrote.
    ///
    /// # Errors
    /// When the bytes are anything else, also when they are another statement or the same one with white space.
    pub fn parse(json: &[u8]) -> Result<Self, StatementError> {
        let wire: Wire = serde_json::from_slice(json).map_err(|_| StatementError::Form)?;
        let subjects = wire.subject.into_iter().map(WireSubject::read).collect::<Option<Vec<_>>>();
        let statement = Self::new(subjects.ok_or(StatementError::Form)?, &wire.predicate_type, wire.predicate)?;
        if statement.to_json().as_bytes() == json { Ok(statement) } else { Err(StatementError::Form) }
    }

    /// The artifacts, in the order in which they were given.
    #[must_use]
    pub fn subjects(&self) -> &[Subject] {
        &self.subjects
    }

    /// What kind of thing is said of them.
    #[must_use]
    pub fn predicate_type(&self) -> &str {
        &self.predicate_type
    }

    /// What is said of them, by field.
    #[must_use]
    pub const fn predicate(&self) -> &BTreeMap<String, String> {
        &self.predicate
    }

    /// The JSON text, always the same for the same statement. This is the payload of the envelope.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::from("{");
        put_member(&mut out, "_type", STATEMENT_TYPE);
        out.push_str(",\"subject\":[");
        put_members(&mut out, &self.subjects, put_subject);
        out.push_str("],");
        put_member(&mut out, "predicateType", &self.predicate_type);
        out.push_str(",\"predicate\":{");
        put_members(&mut out, &self.predicate, |out, (name, value)| put_member(out, name, value));
        out.push_str("}}");
        out
    }

    /// The bytes that are signed: [`pae`] of [`Statement::to_json`].
    #[must_use]
    pub fn pae(&self) -> Vec<u8> {
        pae(PAYLOAD_TYPE, self.to_json().as_bytes())
    }
}

fn put_subject(out: &mut String, subject: &Subject) {
    out.push('{');
    put_member(out, "name", &subject.name);
    out.push_str(",\"digest\":{");
    let digests = [("sha256", Some(subject.sha256.as_slice())), ("sha512", subject.sha512.as_ref().map(<[u8; 64]>::as_slice))];
    put_members(out, digests.into_iter().filter_map(|(name, digest)| Some((name, digest?))), |out, (name, digest)| {
        put_string(out, name);
        out.push_str(":\"");
        put_hex(out, digest);
        out.push('"');
    });
    out.push_str("}}");
}

fn check_subjects(subjects: &[Subject]) -> Result<(), StatementError> {
    if !(1..=MAX_SUBJECTS).contains(&subjects.len()) {
        return Err(StatementError::SubjectCount { found: subjects.len() });
    }
    let mut names = BTreeSet::new();
    for (index, subject) in subjects.iter().enumerate() {
        if subject.name.is_empty() || !is_text(&subject.name) {
            return Err(StatementError::SubjectName { index });
        }
        if !names.insert(subject.name.as_str()) {
            return Err(StatementError::SubjectTwice { index });
        }
    }
    Ok(())
}

fn is_text(text: &str) -> bool {
    text.len() <= MAX_TEXT && !text.contains(char::is_control)
}

fn is_field_name(name: &str) -> bool {
    (1..=MAX_FIELD_NAME).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Wire {
    #[serde(rename = "_type")]
    _type: String,
    subject: Vec<WireSubject>,
    predicate_type: String,
    predicate: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSubject {
    name: String,
    digest: WireDigests,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireDigests {
    sha256: String,
    sha512: Option<String>,
}

impl WireSubject {
    fn read(self) -> Option<Subject> {
        let sha512 = match self.digest.sha512 {
            Some(digits) => Some(hex::decode(&digits)?),
            None => None,
        };
        Some(Subject { name: self.name, sha256: hex::decode(&self.digest.sha256)?, sha512 })
    }
}
