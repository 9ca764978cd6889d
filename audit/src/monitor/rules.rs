//! What to look for: a file in TOML.

use crate::error::AuditError;
use serde::Deserialize;
use std::path::Path;
use std::time::Duration;

/// The rules. What is not named is not looked for, except what is always a finding: entries that cannot be read, crashes, clock jumps.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Rules {
    /// Ids of the keys that may be used, in hex; any other is a finding.
    pub(super) known_keys: Option<Vec<String>>,
    /// Digests of the policies that may be in force, in hex; without this each change is a finding.
    pub(super) known_policies: Option<Vec<String>>,
    /// Too many refusals.
    pub(super) denials: Option<Denials>,
    /// When signatures are expected.
    pub(super) hours: Option<Hours>,
    /// So long without a new entry is a finding.
    pub(super) silent_for: Option<Span>,
    /// Each principal that may sign; needs the details.
    pub(super) known_principals: Option<Vec<String>>,
    /// A ref must not go back to an older state; needs the details.
    pub(super) refs_go_forward: bool,
    /// Details of every request must be at hand.
    pub(super) details_complete: bool,
}

/// More refusals than this within a time.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Denials {
    pub(super) more_than: u32,
    pub(super) within: Span,
}

/// Days and hours, in UTC.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Hours {
    /// `mon` to `sun`.
    pub(super) days: Vec<Day>,
    /// The first hour, 0 to 23.
    pub(super) from: u8,
    /// The hour at which it ends, 1 to 24.
    pub(super) to: u8,
}

#[derive(Debug, Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A time span: `90s`, `10m`, `24h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Span(pub(super) Duration);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no time span such as 90s, 10m, 24h or 7d");
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(wrong()),
        };
        let number: u32 = number.parse().map_err(|_| wrong())?;
        Ok(Self(Duration::from_secs(u64::from(number).saturating_mul(seconds))))
    }
}

impl Rules {
    pub(super) fn read(path: &Path) -> Result<Self, AuditError> {
        let text = std::fs::read_to_string(path).map_err(|source| AuditError::Read { path: path.to_owned(), source })?;
        let rules: Self = toml::from_str(&text).map_err(|source| AuditError::Rules { path: path.to_owned(), why: source.to_string() })?;
        let wrong = |why: &str| Err(AuditError::Rules { path: path.to_owned(), why: why.to_owned() });
        match &rules.hours {
            Some(hours) if hours.from >= hours.to || hours.to > 24 || hours.days.is_empty() => {
                wrong("hours: from must be before to, to at most 24, and there must be days")
            }
            _ => Ok(rules),
        }
    }
}

impl Hours {
    /// Whether a time, in milliseconds since 1970, is one of these.
    pub(super) fn contain(&self, ms: u64) -> bool {
        let hours = ms.checked_div(3_600_000).unwrap_or(0);
        let hour = hours.checked_rem(24).unwrap_or(0);
        // 1970 began on a Thursday.
        let weekday = hours.checked_div(24).unwrap_or(0).saturating_add(3).checked_rem(7).unwrap_or(0);
        let all = [Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri, Day::Sat, Day::Sun];
        let day = usize::try_from(weekday).ok().and_then(|n| all.get(n));
        day.is_some_and(|day| self.days.contains(day)) && (u64::from(self.from)..u64::from(self.to)).contains(&hour)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_those_of_utc() {
        let hours = Hours { days: vec![Day::Mon, Day::Tue], from: 6, to: 22 };
        // 2026-11-23 is a Monday.
        let monday = 1_795_392_000_000_u64;
        let at = |days: u64, hour: u64| hours.contain(monday + (days * 24 + hour) * 3_600_000);
        assert!(at(0, 6) && at(1, 21));
        assert!(!at(0, 5) && !at(0, 22) && !at(2, 12));
    }

    #[test]
    fn a_wrong_rule_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rules.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Rules::read(&path).map_err(|e| e.to_string())
        };
        assert_eq!(read("").unwrap(), Rules::default());
        assert!(read("denials = { more-than = 3, within = \"10m\" }\nsilent-for = \"1d\"").is_ok());
        for (wrong, says) in [
            ("silent = \"1d\"", "unknown field"),
            ("silent-for = \"1 day\"", "no time span"),
            ("hours = { days = [\"mon\"], from = 9, to = 9 }", "from must be before to"),
            ("hours = { days = [\"monday\"], from = 9, to = 10 }", "unknown variant"),
        ] {
            assert!(read(wrong).unwrap_err().contains(says), "{wrong}: {:?}", read(wrong));
        }
    }
}
