//! What an append costs, beside a plain write + fdatasync of as many bytes, and how long a start takes.
//!
//! `cargo bench -p chancery-reqlog [-- append|start DIR...]`: each directory is measured; without one, the target's file system and memory (where
//! fdatasync costs nothing, so what is left is computing).
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a bench prints and may fail"
)]

use chancery_reqlog::{Log, LogConfig, NewEntry};
use chancery_tlog::{NoteSigner, VerifierKey};
use ed25519_dalek::{Signer as _, SigningKey};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const ORIGIN: &str = "bench.example/requests";
const ROUNDS: usize = 5;
const TIME: Duration = Duration::from_millis(400);

struct Key(SigningKey, VerifierKey);

impl Key {
    fn new() -> Self {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).unwrap();
        let signing = SigningKey::from_bytes(&seed);
        let verifier = VerifierKey::ed25519(ORIGIN, signing.verifying_key().as_bytes()).unwrap();
        Self(signing, verifier)
    }

    fn open(&self, dir: &Path) -> Log {
        let signer = Box::new(Self(self.0.clone(), self.1.clone()));
        Log::open(LogConfig::new(dir, ORIGIN), signer, self.1.clone()).unwrap().0
    }
}

impl NoteSigner for Key {
    fn name(&self) -> &str {
        ORIGIN
    }

    fn key_id(&self) -> [u8; 4] {
        self.1.id()
    }

    fn sign(&self, text: &[u8]) -> [u8; 64] {
        self.0.sign(text).to_bytes()
    }
}

fn batch(count: usize) -> Vec<NewEntry> {
    (0..count)
        .map(|_| {
            let mut leaf = vec![0; 600];
            getrandom::fill(&mut leaf).unwrap();
            NewEntry { details: leaf.clone(), leaf }
        })
        .collect()
}

/// Runs an operation for a while; the time of each, in microseconds, ascending.
fn measure(mut operation: impl FnMut()) -> Vec<f64> {
    let start = Instant::now();
    let mut times = Vec::new();
    while start.elapsed() < TIME {
        let before = Instant::now();
        operation();
        times.push(before.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    times
}

fn middle(times: &[f64]) -> f64 {
    times[times.len() / 2]
}

fn appends(dir: &Path, key: &Key) {
    println!("{:>6} {:>12} {:>12} {:>12} {:>14} {:>16}", "batch", "plain p50", "append p50", "append p99", "entries/s", "with receipts");
    for count in [1, 32, 256] {
        let entries = batch(count);
        let (mut plain, mut own, mut receipts) = (Vec::new(), Vec::new(), Vec::new());
        let mut log = key.open(&dir.join(format!("log{count}")));
        let mut file = File::create(dir.join(format!("plain{count}"))).unwrap();
        let bytes = vec![7; count * 1210];
        for _ in 0..ROUNDS {
            plain.extend(measure(|| {
                file.write_all(&bytes).unwrap();
                file.sync_data().unwrap();
            }));
            own.extend(measure(|| drop(log.append(&entries).unwrap())));
            receipts.extend(measure(|| {
                let appended = log.append(&entries).unwrap();
                for (place, entry) in entries.iter().enumerate() {
                    std::hint::black_box(appended.receipt(place, &entry.leaf));
                }
            }));
        }
        [&mut plain, &mut own, &mut receipts].into_iter().for_each(|times| times.sort_by(f64::total_cmp));
        let p99 = own[own.len() * 99 / 100];
        let rate = own.len() as f64 * count as f64 / (own.iter().sum::<f64>() / 1e6);
        println!(
            "{count:>6} {:>9.0} us {:>9.0} us {p99:>9.0} us {rate:>12.0}/s {:>13.0} us",
            middle(&plain),
            middle(&own),
            middle(&receipts)
        );
    }
}

fn starts(dir: &Path, key: &Key) {
    for count in [1, 256] {
        let dir = dir.join(format!("start{count}"));
        let mut log = key.open(&dir);
        let entries = batch(count);
        let mut bytes = 0;
        while bytes < 60 << 20 {
            log.append(&entries).unwrap();
            bytes += count * 1210 + 300;
        }
        log.close().unwrap();
        let times: Vec<f64> = (0..9)
            .map(|_| {
                let before = Instant::now();
                let log = key.open(&dir);
                let took = before.elapsed().as_secs_f64() * 1e3;
                drop(log);
                took
            })
            .collect();
        println!("start with a segment of 60 MiB in batches of {count}: {times:.0?} ms");
    }
}

fn main() {
    let mut named: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let only = ["append", "start"].into_iter().find(|what| named.iter().any(|n| n == what));
    named.retain(|n| Some(n.as_str()) != only);
    let dirs = if named.is_empty() { vec![env!("CARGO_TARGET_TMPDIR").to_owned(), "/dev/shm".to_owned()] } else { named };
    let key = Key::new();
    for dir in dirs {
        println!("in {dir}");
        let dir = tempfile::tempdir_in(dir).unwrap();
        if only != Some("start") {
            appends(dir.path(), &key);
        }
        if only != Some("append") {
            starts(dir.path(), &key);
        }
    }
}
