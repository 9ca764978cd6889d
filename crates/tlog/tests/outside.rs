//! A log of static files, written with this crate alone, and receipts of it, held against Go's `golang.org/x/mod/sumdb`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "a test stops at its first fault, and hands files in a temporary directory to another program"
)]

use chancery_tlog::{
    Batch, Checkpoint, Edge, Hash, NoteSigner, TileLevel, TilePath, VerifierKey, encode_receipt, encode_tile, leaf_hash, new_tiles,
    node_hash, push_entry, sign_note,
};
use ed25519_dalek::{Signer as _, SigningKey};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

struct Signer(SigningKey);

impl Signer {
    fn key(&self) -> VerifierKey {
        VerifierKey::ed25519("signer.example/requests", self.0.verifying_key().as_bytes()).unwrap()
    }
}

impl NoteSigner for Signer {
    fn name(&self) -> &str {
        "signer.example/requests"
    }
    fn key_id(&self) -> [u8; 4] {
        self.key().id()
    }
    fn sign(&self, text: &[u8]) -> [u8; 64] {
        self.0.sign(text).to_bytes()
    }
}

fn signer() -> Signer {
    let mut seed = [0; 32];
    seed.copy_from_slice(format!("{:032}", std::process::id()).as_bytes());
    Signer(SigningKey::from_bytes(&seed))
}

/// A log as it grows: the entries, and the hashes of complete subtrees of 256^level leaves.
struct Log {
    dir: PathBuf,
    signer: Signer,
    edge: Edge,
    levels: Vec<Vec<Hash>>,
    entries: Vec<String>,
}

impl Log {
    fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), signer: signer(), edge: Edge::new(), levels: vec![vec![]], entries: vec![] }
    }

    /// Appends entries and writes what a log writes then; gives a receipt for the last one.
    fn append(&mut self, count: usize) -> Vec<u8> {
        let before = self.edge.size();
        let start = self.entries.len();
        self.entries.extend((start..start + count).map(|n| format!("entry {n}")));
        let leaves: Vec<Hash> = self.entries[start..].iter().map(|entry| leaf_hash(entry.as_bytes())).collect();
        let batch = Batch::append(&mut self.edge, &leaves);
        self.levels[0].extend(leaves);
        self.grow();
        for path in new_tiles(before, batch.size()) {
            self.write(&path.to_string(), &self.tile(path));
        }
        let checkpoint = Checkpoint { origin: self.signer.name().into(), size: batch.size(), root: batch.root(), extensions: vec![] };
        let note = sign_note(&checkpoint.to_string(), &self.signer);
        self.write("checkpoint", note.as_bytes());
        let Some(last) = batch.size().checked_sub(1) else { return vec![] };
        encode_receipt(self.entries.last().unwrap().as_bytes(), last, &batch.inclusion_proof(last).unwrap(), &note)
    }

    /// Completes the levels above: a full tile is one hash of the next.
    fn grow(&mut self) {
        let mut level = 0;
        while level < self.levels.len() {
            let done = self.levels.get(level + 1).map_or(0, Vec::len);
            let more: Vec<Hash> = self.levels[level].as_chunks::<256>().0[done..].iter().map(|tile| root_of(tile)).collect();
            if !more.is_empty() {
                if level + 1 == self.levels.len() {
                    self.levels.push(vec![]);
                }
                self.levels[level + 1].extend(more);
            }
            level += 1;
        }
    }

    fn tile(&self, path: TilePath) -> Vec<u8> {
        let start = usize::try_from(path.index).unwrap() * 256;
        let range = start..start + usize::from(path.width);
        match path.level {
            TileLevel::Hashes(level) => encode_tile(&self.levels[usize::from(level)][range]),
            TileLevel::Entries => {
                let mut bundle = vec![];
                assert!(self.entries[range].iter().all(|entry| push_entry(&mut bundle, entry.as_bytes())));
                bundle
            }
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

fn root_of(leaves: &[Hash]) -> Hash {
    match leaves {
        [one] => *one,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&root_of(left), &root_of(right))
        }
    }
}

/// Runs the checker; `None` where `CHANCERY_SKIP` names Go.
fn check_log(arguments: &[&str]) -> Option<Result<String, String>> {
    if std::env::var("CHANCERY_SKIP").is_ok_and(|skip| skip.split([',', ' ']).any(|tool| tool == "go")) {
        return None;
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/go/check-log");
    assert!(program.is_file(), "{} is missing: tests/run.sh builds it, or set CHANCERY_SKIP=go", program.display());
    let output = Command::new(program).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Some(if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) })
}

#[test]
fn xmod_accepts_a_log_of_70000_entries_and_its_receipts() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::new(dir.path());
    let vkey = log.signer.key().to_string();
    let path = dir.path().to_str().unwrap();
    let said = |arguments: &[&str]| Some(check_log(arguments)?.unwrap());
    let _ = log.append(0);
    let Some(empty) = said(&["log", path, &vkey]) else { return };
    assert_eq!(empty, "ok: 0 entries, 0 files, 0 proofs\n");
    for (count, wanted) in
        [(1, "ok: 1 entries, 2 files"), (255, "ok: 256 entries, 5 files"), (44, "ok: 300 entries, "), (69_700, "ok: 70000 entries, ")]
    {
        let receipt = log.append(count);
        let said_of_log = said(&["log", path, &vkey, "1"]).unwrap();
        assert!(said_of_log.starts_with(wanted), "{said_of_log}");
        let file = dir.path().join("receipt");
        fs::write(&file, receipt).unwrap();
        let said_of_receipt = said(&["proof", file.to_str().unwrap(), &vkey]).unwrap();
        let (size, last) = (log.edge.size(), log.entries.last().unwrap());
        assert_eq!(said_of_receipt, format!("ok: entry {} of {size}: {last}\n", size - 1));
    }
}

/// The checker would be worth nothing if it said "ok" to everything.
#[test]
fn the_checker_notices_each_change_of_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::new(dir.path());
    let _ = log.append(100);
    let _ = log.append(500);
    let (vkey, path) = (log.signer.key().to_string(), dir.path().to_str().unwrap());
    let Some(good) = check_log(&["log", path, &vkey, "100"]) else { return };
    assert!(good.unwrap().starts_with("ok: 600 entries, 9 files"));
    assert!(check_log(&["log", path, &vkey, "601"]).unwrap().unwrap_err().contains("less than the 601"));
    for name in [
        "checkpoint",
        "tile/0/000",
        "tile/0/000.p/100",
        "tile/0/002.p/88",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/000.p/100",
        "tile/entries/002.p/88",
    ] {
        let file = dir.path().join(name);
        let pristine = fs::read(&file).unwrap();
        let shorter = pristine[..pristine.len() - 1].to_vec();
        let longer = [&pristine[..], b"\0"].concat();
        let mut other = pristine.clone();
        *other.last_mut().unwrap() ^= 1;
        for changed in [shorter, longer, other] {
            fs::write(&file, changed).unwrap();
            assert!(check_log(&["log", path, &vkey]).unwrap().is_err(), "{name} was changed");
        }
        if !name.ends_with(".p/100") {
            fs::remove_file(&file).unwrap();
            assert!(check_log(&["log", path, &vkey]).unwrap().is_err(), "{name} was removed");
        }
        fs::write(&file, pristine).unwrap();
    }
    fs::write(dir.path().join("tile/0/999"), "?").unwrap();
    assert!(check_log(&["log", path, &vkey]).unwrap().is_err(), "a file that no such log has");
}

#[test]
fn the_checker_notices_each_change_of_a_receipt() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::new(dir.path());
    let text = String::from_utf8(log.append(600)).unwrap();
    let vkey = log.signer.key().to_string();
    let file = dir.path().join("receipt");
    let proof = |text: &str, more: &[&str]| {
        fs::write(&file, text).unwrap();
        check_log(&[&["proof", file.to_str().unwrap(), &vkey], more].concat())
    };
    let Some(good) = proof(&text, &[]) else { return };
    assert_eq!(good.unwrap(), "ok: entry 599 of 600: entry 599\n");
    let proof = |text: &str, more: &[&str]| proof(text, more).unwrap();
    for (wrong, by) in [
        ("index 599", "index 598"),
        ("index 599", "index 0599"),
        ("\n600\n", "\n601\n"),
        ("extra Z", "extra Y"),
        ("@v1", "@v2"),
        ("\n\n", "\n"),
    ] {
        assert!(text.contains(wrong));
        assert!(proof(&text.replacen(wrong, by, 1), &[]).is_err(), "{wrong} -> {by}");
    }
    let bare: String = text.lines().filter(|line| !line.starts_with("extra ")).map(|line| format!("{line}\n")).collect();
    assert!(proof(&bare, &[]).unwrap_err().contains("LEAFFILE"));
    let leaf = dir.path().join("leaf");
    fs::write(&leaf, "entry 599").unwrap();
    assert!(proof(&bare, &[leaf.to_str().unwrap()]).is_ok());
    fs::write(&leaf, "entry 598").unwrap();
    assert!(proof(&text, &[leaf.to_str().unwrap()]).is_err(), "the entry in the file counts, not the extra data");
}
