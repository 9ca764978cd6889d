//! Patterns for names: `*` stands for any characters but `/`, `**` for any characters. Nothing else is special.

use crate::text::quote;
use std::fmt;

/// Longest pattern, in bytes; names are shorter.
const MAX: usize = 512;

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

/// Why a pattern was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// A pattern without characters matches nothing.
    #[error("an empty glob matches nothing")]
    Empty,
    /// Too long.
    #[error("a glob has at most {MAX} bytes")]
    TooLong,
    /// A character that other programs give a meaning, or that no name has.
    #[error("a glob cannot have the character {}", quote(&.0.to_string()))]
    Character(char),
    /// `**` next to other characters: what is meant is open to guesses.
    #[error("`**` must stand alone between slashes")]
    NotAlone,
}

impl GlobError {
    /// What to write instead.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Empty => "write \"**\" to match every name",
            Self::TooLong => "use `*` and `**` to make it shorter",
            Self::Character(_) => {
                "only `*` (any characters but /) and `**` (any characters) are special; write one glob for each alternative"
            }
            Self::NotAlone => "write `*` for any characters but /, or put `**` between slashes, such as app/**",
        }
    }
}

impl Glob {
    /// Checks a pattern.
    ///
    /// # Errors
    /// [`GlobError`] says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, GlobError> {
        if text.is_empty() {
            return Err(GlobError::Empty);
        }
        if text.len() > MAX {
            return Err(GlobError::TooLong);
        }
        if let Some(c) = text.chars().find(|c| !c.is_ascii_graphic() || "?[]{}!\\\"'`".contains(*c)) {
            return Err(GlobError::Character(c));
        }
        if text.split('/').any(|segment| segment != "**" && segment.contains("**")) {
            return Err(GlobError::NotAlone);
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether every name matches.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.0 == "**"
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a name matches.
    ///
    /// A wildcard first takes nothing. On a mismatch the last `*` takes one character more; when it may not, because that is a slash,
    /// the last `**` does. No earlier wildcard needs to be tried again: what it could gain, the later one has already.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut p, mut n): (usize, usize) = (0, 0);
        let (mut star, mut double): (Option<Retry>, Option<Retry>) = (None, None);
        loop {
            let rest = pattern.get(p..).unwrap_or_default();
            let next = name.get(n);
            if rest.starts_with(b"**") {
                p = p.saturating_add(2);
                (star, double) = (None, Some(Retry { p, n }));
            } else if rest.first() == Some(&b'*') {
                p = p.saturating_add(1);
                star = Some(Retry { p, n });
            } else if rest.first() == next {
                if next.is_none() {
                    return true;
                }
                (p, n) = (p.saturating_add(1), n.saturating_add(1));
            } else if let Some(retry) = star.as_mut().filter(|r| name.get(r.n).is_some_and(|b| *b != b'/')) {
                (p, n) = retry.one_more();
            } else if let Some(retry) = double.as_mut().filter(|r| r.n < name.len()) {
                (p, n) = retry.one_more();
            } else {
                return false;
            }
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where to go on after a mismatch: behind a wildcard, which has taken the name up to `n`.
struct Retry {
    p: usize,
    n: usize,
}

impl Retry {
    const fn one_more(&mut self) -> (usize, usize) {
        self.n = self.n.saturating_add(1);
        (self.p, self.n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(pattern: &[u8], name: &[u8]) -> bool {
        match pattern {
            [] => name.is_empty(),
            [b'*', b'*', rest @ ..] => (0..=name.len()).any(|i| naive(rest, &name[i..])),
            [b'*', rest @ ..] => {
                let end = name.iter().position(|b| *b == b'/').unwrap_or(name.len());
                (0..=end).any(|i| naive(rest, &name[i..]))
            }
            [c, rest @ ..] => name.first() == Some(c) && naive(rest, &name[1..]),
        }
    }

    #[test]
    fn one_star_stays_in_its_segment_and_two_cross() {
        for (glob, yes, no) in [
            ("app/*/x86_64/stable", vec!["app/org.example.App/x86_64/stable"], vec!["app/a/b/x86_64/stable", "app/a/x86_64/beta"]),
            ("app/**", vec!["app/a", "app/a/b/c"], vec!["app", "application/a", "runtime/a"]),
            ("**/stable", vec!["app/x/stable"], vec!["stable", "app/x/stable/2", "app/x/unstable"]),
            ("app/**/stable", vec!["app/a/stable", "app/a/b/stable"], vec!["app/stable"]),
            ("**", vec!["", "a", "a/b"], vec![]),
            ("release-*.tar.gz", vec!["release-.tar.gz", "release-1.2.tar.gz"], vec!["release-1/2.tar.gz", "xrelease-1.tar.gz"]),
            ("exact", vec!["exact"], vec!["exac", "exact/", "Exact", ""]),
        ] {
            let g = Glob::new(glob).unwrap();
            yes.iter().for_each(|name| assert!(g.matches(name), "{glob} {name}"));
            no.iter().for_each(|name| assert!(!g.matches(name), "{glob} {name}"));
        }
    }

    #[test]
    fn patterns_that_other_programs_read_differently_are_refused() {
        for bad in ["", "a{b,c}", "a?", "[ab]", "!a", "a b", "é", "app**", "**app/x", "***", "a\\*", &"a".repeat(600)] {
            assert!(Glob::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_hostile_name_costs_little() {
        let glob = Glob::new(&"**/a*a*a*b/".repeat(40)).unwrap();
        assert!(!glob.matches(&"a".repeat(4096)));
        assert!(!glob.matches(&"/aa".repeat(1365)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn agrees_with_the_obvious_matcher(
            pattern in prop::collection::vec(prop::sample::select(vec!["a", "b", "/", "*", "/**/", "**/"]), 0..9),
            name in prop::collection::vec(prop::sample::select(vec!["a", "b", "/"]), 0..10),
        ) {
            if let Ok(glob) = Glob::new(&pattern.concat()) {
                let name = name.concat();
                prop_assert_eq!(glob.matches(&name), naive(glob.as_str().as_bytes(), name.as_bytes()), "{} {}", glob, name);
            }
        }
    }
}
