//! How fast somebody may ask.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A number of requests in a time, such as 600 in a minute. So many may come at once, and then one after the other as the time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In which time.
    pub per: Duration,
}

/// Keeps one principal to a rate (the generic cell rate algorithm: one moment says it all).
#[derive(Debug)]
pub(super) struct Pace {
    rate: Rate,
    /// When all that was let through would have come, had it come evenly.
    spent: Mutex<Instant>,
}

impl Pace {
    pub(super) fn new(rate: Rate, now: Instant) -> Self {
        Self { rate, spent: Mutex::new(now) }
    }

    /// Lets one request through, or says how long until the next may come.
    pub(super) fn step(&self, now: Instant) -> Result<(), Duration> {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let each = self.rate.per.checked_div(self.rate.count.max(1)).unwrap_or(self.rate.per);
        let next = (*spent).max(now).checked_add(each).unwrap_or(now);
        match next.saturating_duration_since(now).checked_sub(self.rate.per).filter(|ahead| !ahead.is_zero()) {
            Some(wait) => Err(wait),
            None => {
                *spent = next;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_come_at_once_and_then_evenly() {
        let begin = Instant::now();
        let pace = Pace::new(Rate { count: 60, per: Duration::from_secs(60) }, begin);
        assert_eq!((0..100).filter(|_| pace.step(begin).is_ok()).count(), 60);
        assert_eq!(pace.step(begin), Err(Duration::from_secs(1)));
        let later = begin + Duration::from_secs(10);
        assert_eq!((0..100).filter(|_| pace.step(later).is_ok()).count(), 10, "a refusal costs nothing");
        let much_later = begin + Duration::from_secs(100_000);
        assert_eq!((0..100).filter(|_| pace.step(much_later).is_ok()).count(), 60, "nothing is saved up beyond the rate");
    }
}
