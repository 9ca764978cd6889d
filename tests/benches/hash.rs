//! How long `chancery sign` takes on a large file, beside the programs that only hash it: `cargo bench -p chancery-tests --bench hash`.
//!
//! The file is read once before, so that no disk is measured. What is compared is measured in turn; the table has the fastest of the
//! rounds, which other work on the machine disturbed least. Environment: `CHANCERY_BENCH_MIB` (default 1024),
//! `CHANCERY_BENCH_ROUNDS` (default 5).

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a bench stops at its first fault, and prints"
)]
#![allow(missing_docs, reason = "a bench has no documented items")]

use chancery_tests::{Setup, run};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// A command and its arguments.
type Words = &'static [&'static str];

/// How a file is signed, and what only hashes it.
const ROWS: [(&str, Words, &[Words]); 4] = [
    ("sshsig, SHA-512", &["--key", "ssh", "--as", "sshsig"], &[&["sha512sum"], &["openssl", "dgst", "-sha512"]]),
    ("sshsig, SHA-256", &["--key", "ssh", "--as", "sshsig", "--hash", "sha256"], &[&["sha256sum"], &["openssl", "dgst", "-sha256"]]),
    ("openpgp, SHA-512", &["--key", "pgp", "--as", "openpgp"], &[&["sha512sum"], &["openssl", "dgst", "-sha512"]]),
    ("minisign, BLAKE2b", &["--key", "mini", "--as", "minisign"], &[&["b2sum"], &["openssl", "dgst", "-blake2b512"]]),
];

fn main() {
    // `cargo test --benches` runs benches as tests with this flag; they measure nothing there.
    if std::env::args().any(|a| a == "--test") {
        return;
    }
    let (mib, rounds) = (number("CHANCERY_BENCH_MIB", 1024), number("CHANCERY_BENCH_ROUNDS", 5));
    let host = Setup::new()
        .key("ssh", "sshsig")
        .key("pgp", "openpgp-detached")
        .key("mini", "minisign")
        .grant("bench", "ssh", &["sshsig"], "*", "namespaces = [\"file\"]")
        .grant("bench", "pgp", &["openpgp-detached"], "*", "")
        .grant("bench", "mini", &["minisign"], "*", "")
        .start();
    let publisher = host.publisher("bench");
    let file = host.temp().join("large");
    fill(&file, mib);
    println!("| {mib} MiB | chancery sign | fastest that only hashes | ratio |");
    println!("|---|---|---|---|");
    for (name, signing, hashing) in ROWS {
        let (mut ours, mut theirs) = (Duration::MAX, Duration::MAX);
        for _ in 0..rounds {
            ours = ours.min(timed(publisher.chancery(&["sign"]).args(signing).arg(&file)));
            for tool in hashing {
                theirs = theirs.min(timed(Command::new(tool[0]).args(&tool[1..]).arg(&file)));
            }
        }
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        println!("| {name} | {} ms | {} ms | {ratio:.2} |", ours.as_millis(), theirs.as_millis());
    }
}

fn timed(command: &mut Command) -> Duration {
    let begun = Instant::now();
    let _ = run(command).ok();
    begun.elapsed()
}

/// Bytes that do not compress and do not repeat.
fn fill(path: &Path, mib: u64) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut block = vec![0; 1 << 20];
    for _ in 0..mib {
        for word in block.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        out.write_all(&block).unwrap();
    }
    out.flush().unwrap();
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}
