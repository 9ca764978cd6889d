//! The leaf of a log entry: what everybody may see of one event.
//!
//! A leaf is one line of canonical JSON (RFC 8785: keys sorted, no spaces, no escapes needed), at most [`MAX_LEAF`] bytes. It holds
//! hashes, codes and salted commitments only, so a log can be published without telling who signs what. Fields that do not apply to
//! an event are absent, never `null`.

use chancery_tlog::Hash;
use std::fmt;

mod parse;

pub use parse::LeafError;

/// A leaf is never longer than this, in bytes.
pub const MAX_LEAF: usize = 1024;

/// The largest time that a leaf can hold: JSON numbers are exact up to here (year 287396).
pub const MAX_TIME: u64 = (1 << 53) - 1;

/// One event of the request log, as public as the log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// `construction`: how exactly the signature was to be framed, for example `ostree-summary/ed25519`. Requests only.
    pub construction: Option<Token>,
    /// `decision`: what the policy said; `none` for events that are not requests.
    pub decision: Decision,
    /// `details`: the Merkle root over the salted private fields ([`crate::Details::commitment`]), as padded base64.
    pub details: Option<Hash>,
    /// `key`: the SHA-256 of the DER SubjectPublicKeyInfo of the signing key, in lowercase hex. Present wherever the key is known,
    /// also in refusals.
    pub key: Option<[u8; 32]>,
    /// `key_version`: which version of the named key.
    pub key_version: Option<u32>,
    /// `kind`: what happened. Open: a reader must accept kinds that it does not know.
    pub kind: Token,
    /// `policy`: the SHA-256, in lowercase hex, of the policy in force.
    pub policy: Option<[u8; 32]>,
    /// `principal`: the salted commitment of who asked; it equals the commitment of the details' field `principal`.
    pub principal: Option<Hash>,
    /// `reason`: a code saying why a request was denied or failed, or what changed.
    pub reason: Option<Token>,
    /// `rid`: the request id chosen by the client, in lowercase hex. One id has at most one decision in the log.
    pub rid: Option<[u8; 16]>,
    /// `subject`: the salted commitment of what was to be signed; it equals the commitment of the details' field `subject`.
    pub subject: Option<Hash>,
    /// `tbs`: the SHA-256, in lowercase hex, of the exact bytes to be signed. Ed25519 is deterministic, so key and `tbs` name the
    /// signature.
    pub tbs: Option<[u8; 32]>,
    /// `time`: milliseconds since 1970-01-01 UTC by the key host's clock, at most [`MAX_TIME`]. Not decreasing from leaf to leaf.
    pub time: u64,
}

/// What the policy said to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Allowed by a grant.
    Permit,
    /// Refused.
    Deny,
    /// The event is not a request, so the policy was not asked.
    None,
}

impl Decision {
    /// The word in the leaf.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Deny => "deny",
            Self::None => "none",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Permit, Self::Deny, Self::None].into_iter().find(|d| d.word() == word)
    }
}

/// A code of 1 to 64 characters out of `A-Z a-z 0-9 . _ / -`: an alphabet that needs no escape in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(std::borrow::Cow<'static, str>);

/// A text is not a [`Token`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a code has 1 to 64 characters out of A-Z a-z 0-9 . _ / -")]
pub struct TokenError;

impl Token {
    /// `kind` of a request that was permitted, recorded before its signature is made.
    pub const SIGN: Self = Self::known("sign");
    /// `kind` of a request that was refused by policy, guard or content.
    pub const DENY: Self = Self::known("deny");
    /// `kind` of a permitted request whose signature could not be made afterwards.
    pub const FAILED: Self = Self::known("failed");
    /// `kind` of a policy coming into force.
    pub const POLICY: Self = Self::known("policy");
    /// `kind` of a key being made, imported, exported or retired.
    pub const KEY: Self = Self::known("key");
    /// `kind` of the log being accepted after it came out of a backup.
    pub const RESTORE: Self = Self::known("restore");
    /// `kind` of the keeper's start.
    pub const START: Self = Self::known("start");
    /// `kind` of the keeper's orderly stop.
    pub const STOP: Self = Self::known("stop");
    /// `kind` of a jump of the key host's clock.
    pub const CLOCK: Self = Self::known("clock");

    const fn known(text: &'static str) -> Self {
        Self(std::borrow::Cow::Borrowed(text))
    }

    /// Checks the alphabet and the length.
    ///
    /// # Errors
    /// [`TokenError`] if the text is empty, longer than 64 bytes, or has another character.
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'/' | b'-');
        if text.is_empty() || text.len() > 64 || !text.bytes().all(fits) {
            return Err(TokenError);
        }
        Ok(Self(std::borrow::Cow::Owned(text.to_owned())))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Leaf {
    /// An event with no optional field.
    #[must_use]
    pub fn event(kind: Token, decision: Decision, time: u64) -> Self {
        Self {
            construction: None,
            decision,
            details: None,
            key: None,
            key_version: None,
            kind,
            policy: None,
            principal: None,
            reason: None,
            rid: None,
            subject: None,
            tbs: None,
            time,
        }
    }

    /// The canonical bytes: what is hashed into the tree. A time beyond [`MAX_TIME`] is written as [`MAX_TIME`].
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Object::new();
        out.text("construction", self.construction.as_ref().map(Token::as_str));
        out.text("decision", Some(self.decision.word()));
        out.base64("details", self.details.as_ref());
        out.hex("key", self.key.as_ref().map(<[u8; 32]>::as_slice));
        out.number("key_version", self.key_version.map(u64::from));
        out.text("kind", Some(self.kind.as_str()));
        out.hex("policy", self.policy.as_ref().map(<[u8; 32]>::as_slice));
        out.base64("principal", self.principal.as_ref());
        out.text("reason", self.reason.as_ref().map(Token::as_str));
        out.hex("rid", self.rid.as_ref().map(<[u8; 16]>::as_slice));
        out.base64("subject", self.subject.as_ref());
        out.hex("tbs", self.tbs.as_ref().map(<[u8; 32]>::as_slice));
        out.number("time", Some(self.time.min(MAX_TIME)));
        out.number("v", Some(1));
        out.finish()
    }
}

/// Writes the fields of one JSON object. The caller gives them in sorted order, and only values that need no escape.
struct Object {
    out: Vec<u8>,
}

impl Object {
    fn new() -> Self {
        let mut out = Vec::with_capacity(MAX_LEAF);
        out.push(b'{');
        Self { out }
    }

    fn name(&mut self, name: &str) {
        if self.out.len() > 1 {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.name(name);
            self.out.push(b'"');
            self.out.extend_from_slice(value.as_bytes());
            self.out.push(b'"');
        }
    }

    fn base64(&mut self, name: &str, value: Option<&Hash>) {
        use base64::Engine as _;
        if let Some(Hash(value)) = value {
            let mut text = [0u8; 44];
            let written = base64::engine::general_purpose::STANDARD.encode_slice(value, &mut text).unwrap_or(0);
            self.text(name, text.get(..written).and_then(|t| std::str::from_utf8(t).ok()));
        }
    }

    fn hex(&mut self, name: &str, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.name(name);
            self.out.push(b'"');
            self.out.extend(value.iter().flat_map(|b| [hex_digit(b >> 4), hex_digit(b & 15)]));
            self.out.push(b'"');
        }
    }

    fn number(&mut self, name: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.name(name);
            self.out.extend_from_slice(value.to_string().as_bytes());
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.out.push(b'}');
        self.out
    }
}

fn hex_digit(value: u8) -> u8 {
    // The value is below 16, so neither sum can wrap.
    if value < 10 { b'0'.wrapping_add(value) } else { b'a'.wrapping_add(value.wrapping_sub(10)) }
}

#[cfg(test)]
mod tests;
