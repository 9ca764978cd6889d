//! What an auditor waits for: `cargo bench -p chancery-tests --bench record`.
//!
//! Makes a log of many entries, verifies it whole, makes the index, and asks the index and the console. Beside it stands how fast one core
//! hashes. Environment: `CHANCERY_BENCH_ENTRIES` (default 1000000).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "a bench stops at its first fault, and prints"
)]
#![allow(missing_docs, reason = "a bench has no documented items")]

use chancery_reqlog::{Decision, Leaf, Log, LogConfig, NewEntry, Token};
use chancery_tests::{http, program, run};
use chancery_tlog::{Hash, NoteSigner, VerifierKey};
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ORIGIN: &str = "bench.example/requests";
const ROUNDS: usize = 5;

struct Key(SigningKey, VerifierKey);

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

fn main() {
    // `cargo test --benches` runs benches as tests with this flag; they measure nothing there.
    if std::env::args().any(|a| a == "--test") {
        return;
    }
    let entries = std::env::var("CHANCERY_BENCH_ENTRIES").ok().map_or(1_000_000, |n| n.parse().unwrap());
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let vkey = make(dir.path(), entries);
    let public = dir.path().join("public");
    let audit = |command: &str, more: &[&str]| {
        let mut audit = Command::new(program("chancery-audit"));
        audit.arg(command).arg(&public).args(["--vkey", &vkey]).args(more);
        audit
    };
    println!("| {entries} entries | |\n|---|---|");
    println!("| SHA-256 on one core | {:.0} MB/s |", hash_rate());
    let (verify, peak) = watched(audit("verify", &[]));
    let rate = entries as f64 / verify.as_secs_f64();
    println!("| `verify` | {:.1} s, {rate:.0} entries/s, at most {peak} MiB |", verify.as_secs_f64());
    let index = dir.path().join("log.db");
    let index = index.to_str().unwrap();
    let (made, peak) = watched(audit("search", &["--index", index, "--limit", "1"]));
    let size = fs::metadata(index).unwrap().len() >> 20;
    println!("| index made | {:.1} s, at most {peak} MiB, {size} MiB on the disk |", made.as_secs_f64());
    let digest = hex(&leaf(entries / 2).tbs.unwrap());
    let key = hex(&[3; 32]);
    for (name, asked) in
        [("by digest", vec!["--digest", &digest]), ("refusals by key", vec!["--key", &key, "--kind", "deny"]), ("newest", vec![])]
    {
        let command = || audit("search", &[&["--index", index, "--limit", "20"], asked.as_slice()].concat());
        let fastest = (0..ROUNDS).map(|_| watched(command()).0).min().unwrap();
        println!("| `search` {name} | {:.0} ms |", fastest.as_secs_f64() * 1e3);
    }
    let mut console = audit("serve", &["--index", index, "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let _ = BufReader::new(console.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().rsplit_once("http://").unwrap().1.to_owned();
    for path in ["/", "/entries?kind=deny", "/keys", "/entry/1"] {
        let ask = || {
            let start = Instant::now();
            assert_eq!(http("GET", &address, path, "").status, 200);
            start.elapsed()
        };
        let fastest = (0..ROUNDS).map(|_| ask()).min().unwrap();
        println!("| console `{path}` | {:.0} ms |", fastest.as_secs_f64() * 1e3);
    }
    let _ = console.kill();
    let _ = console.wait();
}

/// Entries such as a key host makes, a hundred an hour, one in twenty refused; the log's verification key.
fn make(dir: &Path, entries: u64) -> String {
    let signing = SigningKey::from_bytes(&[7; 32]);
    let verifier = VerifierKey::ed25519(ORIGIN, signing.verifying_key().as_bytes()).unwrap();
    let key = || Key(signing.clone(), verifier.clone());
    let (mut log, _) = Log::open(LogConfig::new(dir, ORIGIN), Box::new(key()), verifier.clone()).unwrap();
    for first in (0..entries).step_by(512) {
        let batch = (first..entries.min(first + 512)).map(|n| NewEntry { leaf: leaf(n).to_bytes(), details: Vec::new() });
        log.append(&batch.collect::<Vec<_>>()).unwrap();
    }
    log.close().unwrap();
    verifier.to_string()
}

fn leaf(n: u64) -> Leaf {
    let digest: [u8; 32] = Sha256::digest(n.to_be_bytes()).into();
    let deny = n.is_multiple_of(20);
    let (kind, decision) = if deny { (Token::DENY, Decision::Deny) } else { (Token::SIGN, Decision::Permit) };
    let mut leaf = Leaf::event(kind, decision, 1_700_000_000_000 + n * 36_000);
    leaf.key = Some([u8::try_from(n % 7).unwrap(); 32]);
    leaf.key_version = Some(1);
    leaf.construction = Some(Token::new("ostree-commit/ed25519").unwrap());
    leaf.reason = deny.then(|| Token::new("ref-not-granted").unwrap());
    leaf.tbs = Some(digest);
    leaf.rid = digest.first_chunk::<16>().copied();
    leaf.policy = Some([9; 32]);
    leaf.details = Some(Hash(digest));
    leaf.principal = Some(Hash(digest));
    leaf.subject = Some(Hash(digest));
    leaf
}

/// How long a command takes, and the most memory that it held, in MiB.
fn watched(mut command: Command) -> (Duration, u64) {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let high = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        peak = peak.max(high.unwrap_or(0));
        std::thread::park_timeout(Duration::from_millis(2));
    }
    assert!(child.wait().unwrap().success(), "{command:?}: {:?}", run(&mut command));
    (start.elapsed(), peak >> 10)
}

fn hash_rate() -> f64 {
    let block = vec![7_u8; 1 << 20];
    let start = Instant::now();
    for _ in 0..200 {
        std::hint::black_box(Sha256::digest(&block));
    }
    200.0 * 1.048_576 / start.elapsed().as_secs_f64()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
