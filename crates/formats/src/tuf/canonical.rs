//! Canonical JSON as OLPC and securesystemslib write it: names sorted, no white space, integers only, and in strings a backslash before
//! quotes and backslashes and nowhere else.

use super::error::Fault;
use crate::content::{ContentError, ContentFault, Document};
use std::borrow::Cow;

const MAX_DEPTH: usize = 32;
const MAX_VALUES: usize = 200_000;

/// A value and the bytes that it was read from.
pub(super) struct Value<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) bytes: &'a [u8],
    pub(super) offset: usize,
}

pub(super) enum Kind<'a> {
    /// Members in ascending order of their names.
    Object(Vec<(Cow<'a, str>, Value<'a>)>),
    Array(Vec<Value<'a>>),
    Text(Cow<'a, str>),
    Integer(i64),
    Bool(bool),
    Null,
}

pub(super) const fn error(fault: Fault, offset: usize) -> ContentError {
    Document::Tuf.error(ContentFault::Tuf(fault), offset)
}

/// Reads one value that fills `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Result<Value<'_>, ContentError> {
    let mut parser = Parser { bytes, offset: 0, values: 0 };
    let value = parser.value(0)?;
    if parser.offset == bytes.len() { Ok(value) } else { Err(parser.fail(Fault::Syntax)) }
}

struct Parser<'a> {
    bytes: &'a [u8],
    offset: usize,
    values: usize,
}

impl<'a> Parser<'a> {
    fn value(&mut self, depth: usize) -> Result<Value<'a>, ContentError> {
        self.values = self.values.saturating_add(1);
        if self.values > MAX_VALUES {
            return Err(self.fail(Fault::TooMany));
        }
        let offset = self.offset;
        let kind = match self.peek() {
            Some(b'{' | b'[') if depth == MAX_DEPTH => return Err(self.fail(Fault::Depth)),
            Some(b'{') => Kind::Object(self.object(depth)?),
            Some(b'[') => Kind::Array(self.array(depth)?),
            Some(b'"') => Kind::Text(self.text()?),
            Some(b'-' | b'0'..=b'9') => Kind::Integer(self.integer()?),
            _ => self.word()?,
        };
        Ok(Value { kind, bytes: self.bytes.get(offset..self.offset).unwrap_or_default(), offset })
    }

    fn object(&mut self, depth: usize) -> Result<Vec<(Cow<'a, str>, Value<'a>)>, ContentError> {
        let mut members: Vec<(Cow<'a, str>, Value<'a>)> = Vec::new();
        self.expect(b'{')?;
        while self.goes_on(b'}', members.is_empty())? {
            let offset = self.offset;
            let name = self.text()?;
            // UTF-8 sorts as the code points do by which securesystemslib sorts.
            if members.last().is_some_and(|(last, _)| *last >= name) {
                return Err(error(Fault::KeyOrder, offset));
            }
            self.expect(b':')?;
            members.push((name, self.value(depth.saturating_add(1))?));
        }
        Ok(members)
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Value<'a>>, ContentError> {
        let mut items = Vec::new();
        self.expect(b'[')?;
        while self.goes_on(b']', items.is_empty())? {
            items.push(self.value(depth.saturating_add(1))?);
        }
        Ok(items)
    }

    /// Takes the comma before the next item, or the end of the container.
    fn goes_on(&mut self, end: u8, first: bool) -> Result<bool, ContentError> {
        if self.peek() == Some(end) {
            self.expect(end)?;
            return Ok(false);
        }
        if !first {
            self.expect(b',')?;
        }
        Ok(true)
    }

    fn text(&mut self) -> Result<Cow<'a, str>, ContentError> {
        self.expect(b'"')?;
        let begin = self.offset;
        let mut escaped = false;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.offset = self.offset.saturating_add(1);
                    if !matches!(self.peek(), Some(b'"' | b'\\')) {
                        return Err(self.fail(Fault::Text));
                    }
                }
                Some(byte) if byte.is_ascii_control() && byte != b'\n' => return Err(self.fail(Fault::Text)),
                Some(_) => {}
                None => return Err(self.fail(Fault::Syntax)),
            }
            self.offset = self.offset.saturating_add(1);
        }
        let raw = self.bytes.get(begin..self.offset).unwrap_or_default();
        let text = std::str::from_utf8(raw).map_err(|e| error(Fault::Text, begin.saturating_add(e.valid_up_to())))?;
        self.expect(b'"')?;
        Ok(if escaped { Cow::Owned(unescape(text)) } else { Cow::Borrowed(text) })
    }

    fn integer(&mut self) -> Result<i64, ContentError> {
        let begin = self.offset;
        while matches!(self.peek(), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
            self.offset = self.offset.saturating_add(1);
        }
        let text = self.bytes.get(begin..self.offset).and_then(|raw| std::str::from_utf8(raw).ok()).unwrap_or_default();
        let number = text.parse::<i64>().ok();
        number.filter(|number| number.to_string() == text).ok_or_else(|| error(Fault::Integer, begin))
    }

    fn word(&mut self) -> Result<Kind<'a>, ContentError> {
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        let words = [("true", Kind::Bool(true)), ("false", Kind::Bool(false)), ("null", Kind::Null)];
        let found = words.into_iter().find(|(word, _)| rest.starts_with(word.as_bytes()));
        let (word, kind) = found.ok_or_else(|| self.fail(Fault::Syntax))?;
        self.offset = self.offset.saturating_add(word.len());
        Ok(kind)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.offset).copied()
    }

    fn expect(&mut self, byte: u8) -> Result<(), ContentError> {
        if self.peek() != Some(byte) {
            return Err(self.fail(Fault::Syntax));
        }
        self.offset = self.offset.saturating_add(1);
        Ok(())
    }

    const fn fail(&self, fault: Fault) -> ContentError {
        error(fault, self.offset)
    }
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let kept = if c == '\\' { chars.next() } else { Some(c) };
        out.extend(kept);
    }
    out
}
