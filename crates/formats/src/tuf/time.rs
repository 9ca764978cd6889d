//! Times of expiry.

/// When metadata stops being valid: a time in UTC, to the second.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Expiry {
    seconds: u64,
    text: String,
}

impl Expiry {
    /// Reads `YYYY-MM-DDTHH:MM:SSZ` from 1970 to 9999; `None` for everything else, also for days that no month has and leap seconds.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let [year, month, day, hour, minute, second] = numbers(text)?;
        let length = match month {
            2 if is_leap(year) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        if year < 1970 || !(1..=length).contains(&day) || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let days = days_before(year, month)?.checked_add(day.checked_sub(1)?)?;
        let hours = days.checked_mul(24)?.checked_add(hour)?;
        let seconds = hours.checked_mul(60)?.checked_add(minute)?.checked_mul(60)?.checked_add(second)?;
        Some(Self { seconds, text: text.to_owned() })
    }

    /// Seconds since 1970.
    #[must_use]
    pub const fn seconds(&self) -> u64 {
        self.seconds
    }

    /// The text in the metadata.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn numbers(text: &str) -> Option<[u64; 6]> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut out = [0_u64; 6];
    let mut parts = date.split('-').map(|p| (p, '-')).chain(time.split(':').map(|p| (p, ':')));
    for (index, number) in out.iter_mut().enumerate() {
        let (part, divider) = parts.next()?;
        let width = if index == 0 { 4 } else { 2 };
        if part.len() != width || (divider == '-') != (index < 3) || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(out)
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Days from the beginning of 1970 to the beginning of the month.
fn days_before(year: u64, month: u64) -> Option<u64> {
    let last = year.checked_sub(1)?;
    let leaps = (last / 4).checked_sub(last / 100)?.checked_add(last / 400)?;
    // There were 477 leap years before 1970.
    let years = year.checked_sub(1970)?.checked_mul(365)?.checked_add(leaps)?.checked_sub(477)?;
    let before = [0_u64, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let months = before.get(usize::try_from(month.checked_sub(1)?).ok()?)?;
    years.checked_add(*months)?.checked_add(u64::from(month > 2 && is_leap(year)))
}
