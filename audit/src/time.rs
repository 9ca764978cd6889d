//! Times as people write and read them.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// A time that somebody said: milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) i64);

impl std::str::FromStr for Moment {
    type Err = String;

    /// A date (its beginning in UTC), a time of RFC 3339, or so many hours or days before now: `24h`, `7d`.
    fn from_str(text: &str) -> Result<Self, String> {
        let ago = |number: &str, seconds: i64| number.parse::<u32>().ok().and_then(|n| i64::from(n).checked_mul(seconds));
        let seconds = match text.split_at_checked(text.len().saturating_sub(1)) {
            Some((number, "h")) => ago(number, 3600),
            Some((number, "d")) => ago(number, 86_400),
            Some((number, "m")) => ago(number, 60),
            _ => None,
        };
        if let Some(seconds) = seconds {
            return Ok(Self(now().saturating_sub(seconds.saturating_mul(1000))));
        }
        if let Ok(time) = text.parse::<Timestamp>() {
            return Ok(Self(time.as_millisecond()));
        }
        let midnight = |date: Date| date.to_zoned(TimeZone::UTC).ok().map(|z: Zoned| z.timestamp());
        let time = text.parse::<Date>().ok().and_then(midnight);
        time.map(|t| Self(t.as_millisecond()))
            .ok_or_else(|| "expected 2026-11-23, 2026-11-23T06:00:00Z, or so long ago: 24h, 7d".to_owned())
    }
}

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

/// A time of an entry, to the millisecond in UTC.
pub(crate) fn show(ms: u64) -> String {
    let stamp = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    stamp.map_or_else(|| format!("{ms} ms"), |t| format!("{t:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_moments_or_so_long_ago() {
        assert_eq!("1970-01-02".parse(), Ok(Moment(86_400_000)));
        assert_eq!("1970-01-01T00:00:01Z".parse(), Ok(Moment(1000)));
        let Moment(day) = "24h".parse().unwrap();
        assert!((now() - 86_400_000 - day).abs() < 10_000);
        for wrong in ["", "yesterday", "h", "-1d", "2026-13-01"] {
            assert!(wrong.parse::<Moment>().is_err(), "{wrong}");
        }
    }
}
