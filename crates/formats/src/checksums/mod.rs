//! Lists of checksums: `SHA256SUMS`, `SHA512SUMS` and the like, in the forms of GNU coreutils and of BSD.
//!
//! The readers of such files differ in what they let pass and in how they understand it. So this takes only what all understand alike:
//! one form and one algorithm in a file, lower-case digits, no escapes, and names that stay below the current directory.

mod name;

use crate::content::{ContentError, ContentFault, Document};
use crate::text::is_lower_hex;
use std::collections::HashSet;

/// The most entries of a list.
pub const MAX_ENTRIES: usize = 65_536;

/// The longest name in bytes. `signify -C` has room for 1,023.
pub const MAX_NAME: usize = 1000;

/// The longest line in bytes, without its newline: algorithm, 128 digits, punctuation and a name.
const MAX_LINE: usize = MAX_NAME + 144;

/// A list of checksums, read strictly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksums<'a> {
    /// How the lines are written.
    pub form: Form,
    /// How the files were hashed.
    pub algorithm: Algorithm,
    /// The files, in the order of the list; at least one.
    pub entries: Vec<Entry<'a>>,
}

/// One file of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The name as it stands in the list. It may begin with `./`.
    pub name: &'a str,
    /// The digest in lower-case hexadecimal digits.
    pub digest: &'a str,
}

/// How the lines of a list are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// `DIGEST␠␠NAME` or `DIGEST␠*NAME`, as `sha256sum` writes. The algorithm is known by the length of the digest.
    Gnu,
    /// `SHA256 (NAME) = DIGEST`, as `sha256sum --tag` and the tools of the BSDs write.
    Bsd,
}

/// How the files of a list were hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

struct Line<'a> {
    form: Form,
    algorithm: Algorithm,
    entry: Entry<'a>,
    /// Where the name begins in the line, in bytes.
    name_at: usize,
}

impl Algorithm {
    const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// The name in lists of the form of BSD: `SHA256` or `SHA512`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }

    /// The length of a digest in hexadecimal digits.
    #[must_use]
    pub const fn digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

impl<'a> Checksums<'a> {
    /// Reads a list.
    ///
    /// # Errors
    /// When the bytes are not UTF-8, do not end in a newline, have more than [`MAX_ENTRIES`] lines, a line in another form or with
    /// another algorithm than the first, a name twice, or a name that is absolute, leads upwards, is longer than [`MAX_NAME`] or is
    /// understood differently by different readers.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ContentError> {
        let error = |fault, offset| Document::Checksums.error(fault, offset);
        let text = std::str::from_utf8(bytes).map_err(|e| error(ContentFault::NotUtf8, e.valid_up_to()))?;
        if !text.is_empty() && !text.ends_with('\n') {
            return Err(error(ContentFault::NoFinalNewline, text.len()));
        }
        let (mut found, mut seen, mut offset) = (None::<Self>, HashSet::new(), 0_usize);
        for text in text.split_terminator('\n') {
            let line = Line::parse(text, offset)?;
            let at_name = offset.saturating_add(line.name_at);
            let list = found.get_or_insert(Self { form: line.form, algorithm: line.algorithm, entries: Vec::new() });
            if (list.form, list.algorithm) != (line.form, line.algorithm) {
                return Err(error(ContentFault::MixedChecksums, offset));
            }
            if list.entries.len() >= MAX_ENTRIES {
                return Err(error(ContentFault::TooManyEntries { limit: MAX_ENTRIES }, offset));
            }
            if !seen.insert(name::without_dot(line.entry.name)) {
                return Err(error(ContentFault::NameTwice, at_name));
            }
            list.entries.push(line.entry);
            offset = offset.saturating_add(text.len()).saturating_add(1);
        }
        found.ok_or(error(ContentFault::Empty, 0))
    }
}

impl<'a> Line<'a> {
    fn parse(text: &'a str, offset: usize) -> Result<Self, ContentError> {
        let error = |fault, at: usize| Document::Checksums.error(fault, offset.saturating_add(at));
        if text.len() > MAX_LINE {
            return Err(error(ContentFault::TooLong { limit: MAX_LINE }, 0));
        }
        let line = bsd(text).or_else(|| gnu(text)).ok_or(error(ContentFault::ChecksumLine, 0))?;
        name::check(line.entry.name).map_err(|fault| error(fault, line.name_at))?;
        // A reader that looks for the first end of the name would find another one than a reader that looks for the last.
        if line.form == Form::Bsd && line.entry.name.contains(") = ") {
            return Err(error(ContentFault::FileName("has `) = ` in it"), line.name_at));
        }
        Ok(line)
    }
}

fn bsd(text: &str) -> Option<Line<'_>> {
    Algorithm::ALL.into_iter().find_map(|algorithm| {
        let rest = text.strip_prefix(algorithm.name())?.strip_prefix(" (")?;
        let (name, digest) = rest.split_at_checked(rest.len().checked_sub(algorithm.digits())?)?;
        let entry = Entry { name: name.strip_suffix(") = ")?, digest };
        let name_at = algorithm.name().len().saturating_add(2);
        is_lower_hex(digest.as_bytes()).then_some(Line { form: Form::Bsd, algorithm, entry, name_at })
    })
}

fn gnu(text: &str) -> Option<Line<'_>> {
    Algorithm::ALL.into_iter().find_map(|algorithm| {
        let (digest, rest) = text.split_at_checked(algorithm.digits())?;
        let name = rest.strip_prefix("  ").or_else(|| rest.strip_prefix(" *"))?;
        let entry = Entry { name, digest };
        let name_at = algorithm.digits().saturating_add(2);
        is_lower_hex(digest.as_bytes()).then_some(Line { form: Form::Gnu, algorithm, entry, name_at })
    })
}

#[cfg(test)]
mod tests;
