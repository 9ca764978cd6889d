//! What the keeper counts, for whoever watches the key host. Nothing in it says what was signed or for whom.

use serde::{Deserialize, Serialize};

/// Upper bounds of the buckets of how long a step takes, in microseconds. One more bucket has the rest.
pub const STEP_BOUNDS: [u64; 14] = [25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 500_000, 2_000_000];
/// Upper bounds of the buckets of how many entries a batch has.
pub const BATCH_BOUNDS: [u64; 11] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/// The state of the keeper.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Entries of the log.
    pub entries: u64,
    /// Of these, entries that the published files have.
    pub published: u64,
    /// Decided requests that wait for the log.
    pub queue: u64,
    /// Keys that are open.
    pub open_keys: u64,
    /// SHA-256 of the policy in force.
    pub policy: [u8; 32],
    /// How long it takes to check and decide a request, in microseconds.
    pub decide: Tally,
    /// How long it takes to make a batch durable, in microseconds.
    pub record: Tally,
    /// How many entries a batch has.
    pub batch: Tally,
    /// How long it takes to sign, check and frame what one batch or a part of it asks for, in microseconds.
    pub sign: Tally,
    /// Who cosigns the log.
    pub witnesses: Vec<WitnessStats>,
}

/// What a witness cosigned last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessStats {
    /// The witness's name.
    pub name: String,
    /// Entries of that checkpoint; 0 when it has not cosigned any.
    pub size: u64,
    /// When, in seconds since 1970.
    pub time: u64,
}

/// How often something was so large.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// How often, for each bucket, the last of which has no bound.
    pub counts: Vec<u64>,
    /// The sum of all.
    pub sum: u64,
}
