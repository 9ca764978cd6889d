use super::*;
use chancery_tlog::{Edge, Hash, NodeSource, NoteSigner, consistency_proof, leaf_hash, node_hash, sign_note};
use ed25519_dalek::{Signer as _, SigningKey};

const ORIGIN: &str = "log.example/requests";
const NOW: u64 = 1_800_000_000;

struct LogKey(SigningKey, VerifierKey);

impl LogKey {
    fn new(seed: u8) -> Self {
        let signing = SigningKey::from_bytes(&[seed; 32]);
        let verifier = VerifierKey::ed25519(ORIGIN, signing.verifying_key().as_bytes()).unwrap();
        Self(signing, verifier)
    }
}

impl NoteSigner for LogKey {
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

/// The tree of leaves 0 to n, all nodes at hand. `other` gives another history.
struct Tree(Vec<Hash>);

impl Tree {
    fn new(size: u64, other: u8) -> Self {
        Self((0..size).map(|n| leaf_hash(&[&n.to_be_bytes()[..], &[other]].concat())).collect())
    }

    fn root(&self) -> Hash {
        let mut edge = Edge::default();
        self.0.iter().for_each(|leaf| edge.push(*leaf));
        edge.root()
    }

    /// That the first `old` leaves are the beginning of this tree.
    fn proof(&self, old: u64) -> Vec<Hash> {
        if old == 0 { Vec::new() } else { consistency_proof(self, old, self.0.len() as u64).unwrap() }
    }
}

impl NodeSource for Tree {
    type Error = std::convert::Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error> {
        if level == 0 {
            return Ok(self.0[usize::try_from(index).unwrap()]);
        }
        Ok(node_hash(&self.node(level - 1, index * 2)?, &self.node(level - 1, index * 2 + 1)?))
    }
}

fn body(old: u64, tree: &Tree, proof: &[Hash], key: &LogKey) -> Vec<u8> {
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: tree.0.len() as u64, root: tree.root(), extensions: Vec::new() };
    let proof: String = proof.iter().map(|hash| format!("{hash}\n")).collect();
    format!("old {old}\n{proof}\n{}", sign_note(&checkpoint.to_string(), key)).into_bytes()
}

struct Bed {
    dir: tempfile::TempDir,
    log: LogKey,
}

impl Bed {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let _ = WitnessKey::make(dir.path(), "witness.example/w1").unwrap();
        Self { dir, log: LogKey::new(1) }
    }

    fn open(&self) -> Result<Memory, AuditError> {
        Memory::open(self.dir.path(), WitnessKey::read(self.dir.path())?, vec![self.log.1.clone()])
    }
}

/// Asks, and returns the HTTP status that the refusal has.
fn ask(memory: &mut Memory, body: &[u8]) -> Result<String, u16> {
    let answered = Request::parse(body).and_then(|request| memory.add(&request, NOW));
    answered.map_err(|refusal| super::super::refused(refusal).status().as_u16())
}

#[test]
fn checkpoints_that_extend_what_was_seen_are_cosigned_and_all_else_has_its_status() {
    let bed = Bed::new();
    let mut memory = bed.open().unwrap();
    let (five, nine, other) = (Tree::new(5, 0), Tree::new(9, 0), Tree::new(9, 1));
    let log = &bed.log;
    let mut table = |what: &str, body: &[u8], expected: Option<u16>| {
        let answer = ask(&mut memory, body);
        assert_eq!(answer.as_ref().err().copied(), expected, "{what}");
        if let Ok(line) = answer {
            let text = std::str::from_utf8(body).unwrap();
            let note = text.split_once("\n\n").unwrap().1.to_owned() + &line;
            let key = WitnessKey::read(bed.dir.path()).unwrap();
            let verified = Note::parse(&note).unwrap().verify(&[log.1.clone(), key.verifier().clone()]).unwrap();
            assert!(verified.iter().any(|v| v.time == Some(NOW)), "{what}: {line}");
        }
    };
    table("a proof where nothing was seen", &body(0, &five, &[five.root()], log), Some(422));
    table("the first", &body(0, &five, &[], log), None);
    table("the same again", &body(5, &five, &[], log), None);
    table("the same with a proof", &body(5, &five, &[five.root()], log), Some(422));
    table("an old size that is not the newest", &body(3, &nine, &nine.proof(3), log), Some(409));
    table("growth without a proof", &body(5, &nine, &[], log), Some(422));
    table("another history", &body(5, &other, &other.proof(5), log), Some(422));
    table("growth", &body(5, &nine, &nine.proof(5), log), None);
    table("another root of the same size", &body(9, &other, &[], log), Some(422));
    table("back to five", &body(5, &five, &[], log), Some(409));
    table("an old size beyond the checkpoint", &body(9, &five, &[], log), Some(400));
    table("another log's key", &body(9, &nine, &[], &LogKey::new(2)), Some(403));
    let unknown = String::from_utf8(body(9, &nine, &[], log)).unwrap().replace(ORIGIN, "log.example/other");
    table("another log", unknown.as_bytes(), Some(404));
    for malformed in ["", "old 9\n", "old 09\n\nx", "old -1\n\nx\n\n\u{2014} a AAAAAAAA\n", "old 9\nno hash\n\nx", "\u{0}"] {
        table(malformed, malformed.as_bytes(), Some(400));
    }
    let long = body(5, &nine, &vec![nine.root(); 64], log);
    table("64 hashes", &long, Some(400));
}

#[test]
fn what_was_cosigned_is_remembered_and_never_unlearnt() {
    let bed = Bed::new();
    let (five, nine) = (Tree::new(5, 0), Tree::new(9, 0));
    let mut memory = bed.open().unwrap();
    assert!(matches!(bed.open(), Err(AuditError::Witness(WitnessError::InUse(_)))), "two on one directory");
    let _ = ask(&mut memory, &body(0, &nine, &[], &bed.log)).unwrap();
    drop(memory);
    let mut memory = bed.open().unwrap();
    assert_eq!(ask(&mut memory, &body(0, &five, &[], &bed.log)), Err(409));
    let name = hex(&Sha256::digest(ORIGIN));
    assert!(memory.newest(&name).unwrap().contains("\n9\n"));
    assert!(memory.newest("00").is_none());
    drop(memory);
    let path = bed.dir.path().join(&name).join("checkpoint");
    let whole = std::fs::read_to_string(&path).unwrap();
    for changed in [whole.replacen("\n9\n", "\n8\n", 1), whole.lines().take(5).map(|l| format!("{l}\n")).collect(), String::new()] {
        std::fs::write(&path, changed).unwrap();
        assert!(matches!(bed.open(), Err(AuditError::Witness(WitnessError::Damaged(_)))));
    }
    assert!(matches!(WitnessKey::make(bed.dir.path(), "another"), Err(AuditError::Witness(WitnessError::Exists(_)))));
}

#[test]
fn the_clock_of_a_witness_never_goes_back() {
    let bed = Bed::new();
    let mut memory = bed.open().unwrap();
    let five = Tree::new(5, 0);
    let request = |old| Request::parse(&body(old, &five, &[], &bed.log)).unwrap();
    let first = memory.add(&request(0), NOW).unwrap();
    assert_eq!(memory.add(&request(5), NOW - 3600).unwrap(), first, "the time of before");
    assert_ne!(memory.add(&request(5), NOW + 1).unwrap(), first);
}
