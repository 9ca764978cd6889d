//! How long the steps take, counted where they happen.

use chancery_channel::{BATCH_BOUNDS, STEP_BOUNDS, Tally};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Counts of all steps.
#[derive(Default)]
pub(crate) struct Meter {
    pub(crate) decide: Steps,
    pub(crate) record: Steps,
    pub(crate) sign: Steps,
    pub(crate) batch: Counts<{ BATCH_BOUNDS.len() + 1 }>,
}

/// How often a step took so long, in microseconds.
#[derive(Default)]
pub(crate) struct Steps(Counts<{ STEP_BOUNDS.len() + 1 }>);

pub(crate) struct Counts<const N: usize> {
    buckets: [AtomicU64; N],
    sum: AtomicU64,
}

impl<const N: usize> Default for Counts<N> {
    fn default() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; N], sum: AtomicU64::new(0) }
    }
}

impl<const N: usize> Counts<N> {
    fn add(&self, bounds: &[u64], value: u64) {
        let place = bounds.partition_point(|bound| *bound < value);
        if let Some(bucket) = self.buckets.get(place) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    pub(crate) fn tally(&self) -> Tally {
        let counts = self.buckets.iter().map(|b| b.load(Ordering::Relaxed)).collect();
        Tally { counts, sum: self.sum.load(Ordering::Relaxed) }
    }
}

impl Steps {
    /// Does it, and counts how long it took.
    pub(crate) fn time<T>(&self, step: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = step();
        self.0.add(&STEP_BOUNDS, u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX));
        done
    }

    pub(crate) fn tally(&self) -> Tally {
        self.0.tally()
    }
}

impl Meter {
    /// A batch of so many entries.
    pub(crate) fn batch_of(&self, entries: usize) {
        self.batch.add(&BATCH_BOUNDS, u64::try_from(entries).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_as_large_as_a_bound_is_counted_under_it_and_what_is_larger_than_all_in_the_last() {
        let meter = Meter::default();
        for entries in [1, 2, 3, 1024, 1025] {
            meter.batch_of(entries);
        }
        let tally = meter.batch.tally();
        assert_eq!(tally.counts, [1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(tally.sum, 2055);
        assert_eq!(meter.decide.time(|| 7), 7);
        assert_eq!(meter.decide.tally().counts.iter().sum::<u64>(), 1);
    }
}
