//! Tag and commit objects of git, as git hands them to a signing program: without a signature.
//!
//! No bytes are both: a tag begins with `object `, a commit with `tree `.

use crate::content::{ContentError, ContentFault, Document};

/// A larger object is no tag or commit that a person wrote, in bytes.
const MAX: usize = 1024 * 1024;

/// A tag, read strictly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag<'a> {
    /// What it names: an object id in hex, of SHA-1 or SHA-256.
    pub object: &'a str,
    /// `commit`, `tree`, `blob` or `tag`.
    pub kind: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Who made it, and when.
    pub tagger: Person<'a>,
}

/// A commit, read strictly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit<'a> {
    /// Its tree, in hex.
    pub tree: &'a str,
    /// The commits before it, in hex.
    pub parents: Vec<&'a str>,
    /// Who wrote the change.
    pub author: Person<'a>,
    /// Who made the commit.
    pub committer: Person<'a>,
}

/// A name and a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person<'a> {
    /// `Name <address>`.
    pub name: &'a str,
    /// Seconds since 1970.
    pub time: u64,
}

impl<'a> Tag<'a> {
    /// Reads a tag object.
    ///
    /// # Errors
    /// [`ContentError`] with the place of the first fault.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ContentError> {
        let mut lines = Lines::open(Document::GitTag, bytes)?;
        let object = lines.object("object ")?;
        let kind = lines.field("type ")?;
        if !matches!(kind, "commit" | "tree" | "blob" | "tag") {
            return Err(lines.wrong("an object of unknown type"));
        }
        let name = lines.field("tag ")?;
        if !is_ref_name(name) {
            return Err(lines.wrong("a name that git does not allow"));
        }
        let tagger = lines.person("tagger ")?;
        lines.message()?;
        Ok(Self { object, kind, name, tagger })
    }
}

impl<'a> Commit<'a> {
    /// Reads a commit object.
    ///
    /// # Errors
    /// [`ContentError`] with the place of the first fault.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ContentError> {
        let mut lines = Lines::open(Document::GitCommit, bytes)?;
        let tree = lines.object("tree ")?;
        let mut parents = Vec::new();
        while lines.rest.starts_with("parent ") {
            parents.push(lines.object("parent ")?);
        }
        let author = lines.person("author ")?;
        let committer = lines.person("committer ")?;
        lines.more_headers()?;
        lines.message()?;
        if parents.iter().any(|p| p.len() != tree.len()) {
            return Err(lines.wrong("object ids of two lengths"));
        }
        Ok(Self { tree, parents, author, committer })
    }
}

/// Takes the signature off a tag object, as git does: it begins at the last line that begins like one.
#[must_use]
pub fn split_tag(object: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let text = std::str::from_utf8(object).ok()?;
    let (mut at, mut found) = (0_usize, None);
    for line in text.split_inclusive('\n') {
        if line.starts_with("-----BEGIN PGP SIGNATURE-----") || line.starts_with("-----BEGIN SSH SIGNATURE-----") {
            found = Some(at);
        }
        at = at.saturating_add(line.len());
    }
    let (content, signature) = object.split_at_checked(found?)?;
    Some((content.to_vec(), signature.to_vec()))
}

/// Takes the signature out of a commit object: the header `gpgsig` or `gpgsig-sha256`, whose lines go on after a space.
#[must_use]
pub fn split_commit(object: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let text = std::str::from_utf8(object).ok()?;
    let (mut content, mut signature, mut inside, mut header) = (String::new(), String::new(), false, true);
    for line in text.split_inclusive('\n') {
        let begins = line.strip_prefix("gpgsig ").or_else(|| line.strip_prefix("gpgsig-sha256 "));
        header = header && line != "\n";
        match (header, begins, line.strip_prefix(' ')) {
            // A second signature is for the other hash of a repository that has two.
            (true, Some(first), _) if signature.is_empty() => {
                inside = true;
                signature.push_str(first);
            }
            (true, Some(_), _) => return None,
            (true, None, Some(more)) if inside => signature.push_str(more),
            _ => {
                inside = false;
                content.push_str(line);
            }
        }
    }
    (!signature.is_empty()).then(|| (content.into_bytes(), signature.into_bytes()))
}

/// The header lines of an object, one after the other.
struct Lines<'a> {
    document: Document,
    rest: &'a str,
    /// Where the line that was read last begins.
    offset: usize,
    next: usize,
}

impl<'a> Lines<'a> {
    fn open(document: Document, bytes: &'a [u8]) -> Result<Self, ContentError> {
        let wrong = |what, offset| document.error(ContentFault::Git { what }, offset);
        if bytes.len() > MAX {
            return Err(wrong("more than 1 MiB", MAX));
        }
        if let Some(at) = bytes.iter().position(|b| *b == 0) {
            return Err(wrong("a zero byte", at));
        }
        let rest = std::str::from_utf8(bytes).map_err(|e| wrong("bytes that are not UTF-8", e.valid_up_to()))?;
        Ok(Self { document, rest, offset: 0, next: 0 })
    }

    fn wrong(&self, what: &'static str) -> ContentError {
        self.document.error(ContentFault::Git { what }, self.offset)
    }

    fn line(&mut self) -> Result<&'a str, ContentError> {
        self.offset = self.next;
        let (line, rest) = self.rest.split_once('\n').ok_or_else(|| self.wrong("no end of line"))?;
        self.rest = rest;
        self.next = self.next.saturating_add(line.len()).saturating_add(1);
        if line.contains('\r') { Err(self.wrong("a carriage return in a header")) } else { Ok(line) }
    }

    fn field(&mut self, name: &'static str) -> Result<&'a str, ContentError> {
        let line = self.line()?;
        line.strip_prefix(name).ok_or_else(|| self.wrong("another header than the one that belongs there"))
    }

    fn object(&mut self, name: &'static str) -> Result<&'a str, ContentError> {
        let id = self.field(name)?;
        let hex = id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if hex && matches!(id.len(), 40 | 64) { Ok(id) } else { Err(self.wrong("a malformed object id")) }
    }

    /// `Name <address> SECONDS ZONE`.
    fn person(&mut self, name: &'static str) -> Result<Person<'a>, ContentError> {
        let line = self.field(name)?;
        let person = || {
            let (rest, zone) = line.rsplit_once(' ')?;
            let (name, time) = rest.rsplit_once(' ')?;
            let (sign, digits) = zone.split_at_checked(1)?;
            let zone_ok = matches!(sign, "+" | "-") && digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit());
            let number = time == "0" || (!time.starts_with('0') && time.bytes().all(|b| b.is_ascii_digit()));
            let brackets = name.ends_with('>') && name.matches('<').count() == 1 && name.matches('>').count() == 1;
            let seconds = time.parse().ok().filter(|t| *t <= TIME_MAX)?;
            (zone_ok && number && brackets).then_some(Person { name, time: seconds })
        };
        person().ok_or_else(|| self.wrong("a malformed name, address or time"))
    }

    /// Headers that git may add: their names are known, and lines that go on begin with a space.
    fn more_headers(&mut self) -> Result<(), ContentError> {
        let mut may_go_on = false;
        while !self.rest.starts_with('\n') {
            let line = self.line()?;
            if line.starts_with(' ') && may_go_on {
                continue;
            }
            match line.split_once(' ').map(|(name, _)| name) {
                Some("encoding" | "change-id") => may_go_on = false,
                Some("mergetag") => may_go_on = true,
                Some("gpgsig" | "gpgsig-sha256") => return Err(self.wrong("a signature")),
                _ => return Err(self.wrong("an unknown header")),
            }
        }
        Ok(())
    }

    fn message(&mut self) -> Result<(), ContentError> {
        if !self.line()?.is_empty() {
            return Err(self.wrong("an unknown header"));
        }
        // git would take what follows such a line for the signature, and what comes before for the whole.
        let signed = |line: &str| line.starts_with("-----BEGIN PGP ") || line.starts_with("-----BEGIN SSH ");
        if self.rest.lines().any(signed) { Err(self.wrong("a signature in its message")) } else { Ok(()) }
    }
}

/// The end of the year 9999: later times are faults.
const TIME_MAX: u64 = 253_402_300_799;

/// What `git check-ref-format --allow-onelevel` takes.
fn is_ref_name(name: &str) -> bool {
    let bad = |c: char| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\');
    let part_ok = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    !name.chars().any(bad)
        && !name.contains("..")
        && !name.contains("@{")
        && name != "@"
        && !name.ends_with('.')
        && name.split('/').all(part_ok)
        && name.len() <= 255
}

#[cfg(test)]
mod tests;
