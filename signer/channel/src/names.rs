//! Names with a closed alphabet. None of them ever becomes a path (invariant I8).

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name has no characters.
    #[error("{what} is empty")]
    Empty {
        /// Which kind of name.
        what: &'static str,
    },
    /// The name is longer than its kind allows.
    #[error("{what} has {len} bytes, at most {max} are allowed")]
    TooLong {
        /// Which kind of name.
        what: &'static str,
        /// Length in bytes.
        len: usize,
        /// Greatest length in bytes.
        max: usize,
    },
    /// A character outside the alphabet of this kind of name.
    #[error("{what} has a character that is not allowed at byte {at}; allowed are {allowed}")]
    Alphabet {
        /// Which kind of name.
        what: &'static str,
        /// Offset of the first such character, in bytes.
        at: usize,
        /// The alphabet in words.
        allowed: &'static str,
    },
    /// The name starts or ends in a way its kind does not allow.
    #[error("{what} {why}")]
    Form {
        /// Which kind of name.
        what: &'static str,
        /// What is wrong.
        why: &'static str,
    },
}

struct Rule {
    what: &'static str,
    max: usize,
    allowed: &'static str,
    ok: fn(u8) -> bool,
}

impl Rule {
    fn check(&self, s: &str) -> Result<(), NameError> {
        let what = self.what;
        if s.is_empty() {
            return Err(NameError::Empty { what });
        }
        if s.len() > self.max {
            return Err(NameError::TooLong { what, len: s.len(), max: self.max });
        }
        match s.bytes().position(|b| !(self.ok)(b)) {
            Some(at) => Err(NameError::Alphabet { what, at, allowed: self.allowed }),
            None => Ok(()),
        }
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $ty:ident, $rule:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $ty(String);

        impl $ty {
            /// Checks the alphabet and the length.
            ///
            /// # Errors
            /// [`NameError`] names the rule that was broken and where.
            pub fn new(s: impl Into<String>) -> Result<Self, NameError> {
                let s = s.into();
                $rule.check(&s)?;
                Self::form(&s)?;
                Ok(Self(s))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $ty {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $ty {
            type Error = NameError;
            fn try_from(s: String) -> Result<Self, NameError> {
                Self::new(s)
            }
        }

        impl From<$ty> for String {
            fn from(n: $ty) -> String {
                n.0
            }
        }
    };
}

name!(
    /// Name of a signing key: `a-z 0-9 -`, at most 64 bytes, starting with a letter.
    KeyName,
    Rule { what: "key name", max: 64, allowed: "a-z, 0-9 and -", ok: |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' }
);

impl KeyName {
    fn form(s: &str) -> Result<(), NameError> {
        if s.starts_with(|c: char| c.is_ascii_lowercase()) && !s.ends_with('-') {
            Ok(())
        } else {
            Err(NameError::Form { what: "key name", why: "must start with a letter and not end with -" })
        }
    }
}

name!(
    /// What is being signed, in the publisher's terms: a repository, a tag, a file name.
    /// Printable ASCII without space, quotes and backslash, at most 255 bytes.
    Subject,
    Rule {
        what: "subject",
        max: 255,
        allowed: "printable ASCII without space, quotes and backslash",
        ok: |b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'\\' | b'`')
    }
);

impl Subject {
    #[expect(clippy::unnecessary_wraps, reason = "each kind of name has a form check; this one allows every form")]
    fn form(_: &str) -> Result<(), NameError> {
        Ok(())
    }
}

name!(
    /// Namespace of an SSHSIG (PROTOCOL.sshsig): printable ASCII without space, at most 64 bytes.
    Namespace,
    Rule { what: "namespace", max: 64, allowed: "a-z, A-Z, 0-9 and . _ - @ / :", ok: |b| b.is_ascii_alphanumeric() || b"._-@/:".contains(&b) }
);

impl Namespace {
    #[expect(clippy::unnecessary_wraps, reason = "each kind of name has a form check; this one allows every form")]
    fn form(_: &str) -> Result<(), NameError> {
        Ok(())
    }
}

name!(
    /// An authenticated identity: the one URI or DNS subject alternative name of a client certificate.
    /// Compared byte for byte; scheme and host of a URI, and a DNS name, must be lower case.
    Principal,
    Rule {
        what: "principal",
        max: 255,
        allowed: "letters, digits and - . _ ~ : / @ + =",
        ok: |b| b.is_ascii_alphanumeric() || b"-._~:/@+=".contains(&b)
    }
);

impl Principal {
    fn form(s: &str) -> Result<(), NameError> {
        let what = "principal";
        let host = match s.split_once("://") {
            Some((scheme, rest)) => {
                let mut letters = scheme.bytes();
                if !letters.next().is_some_and(|b| b.is_ascii_lowercase())
                    || !letters.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b))
                {
                    return Err(NameError::Form { what, why: "has a URI scheme that is not in lower case" });
                }
                rest.split('/').next().unwrap_or_default()
            }
            None => s,
        };
        let label_ok = |l: &str| {
            !l.is_empty()
                && !l.starts_with('-')
                && !l.ends_with('-')
                && l.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        if host.split('.').all(label_ok) {
            Ok(())
        } else {
            Err(NameError::Form { what, why: "must be a URI with a lower-case host, or a lower-case DNS name without wildcard" })
        }
    }
}

/// Chosen by the client at random, once for each thing it wants signed; a retry sends it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RequestId(pub [u8; 16]);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_become_paths_are_refused() {
        for bad in ["", "../x", "a/b", "Release", "a b", "-a", "a-", "9a", "a\0b", "é"] {
            assert!(KeyName::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(KeyName::new("release-2026").unwrap().as_str(), "release-2026");
    }

    #[test]
    fn a_principal_is_one_exact_lower_case_name() {
        for good in ["spiffe://example.org/publisher/web1", "web1.example.org", "spiffe://td/Publisher/A"] {
            assert!(Principal::new(good).is_ok(), "{good:?}");
        }
        for bad in [
            "*.example.org",
            "Web1.example.org",
            "SPIFFE://example.org/x",
            "spiffe://Example.org/x",
            "a\0b.org",
            "a..b",
            "a b",
            "spiffe:///x",
        ] {
            assert!(Principal::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_received_from_outside_is_checked_again() {
        let bytes = postcard::to_stdvec("../../etc/passwd").unwrap();
        assert!(postcard::from_bytes::<KeyName>(&bytes).is_err());
    }
}
