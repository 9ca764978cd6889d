//! What is recorded, and when: with a real log in a temporary directory.

use super::*;
use crate::content::{Content, check};
use crate::key::purpose;
use crate::policy::{KeyFacts, Policy, decide};
use crate::prepare::prepare;
use chancery_channel::{Digest, KeyDescription, KeyName, KeyState, Namespace, Payload, Principal, RequestId, SignRequest, Subject};
use chancery_formats::Construction;
use chancery_reqlog::{Decision, Leaf, Log, LogConfig};
use chancery_tlog::{NoteSigner, TlogProof, VerifierKey};
use ed25519_dalek::{Signer as _, SigningKey};
use tempfile::TempDir;

struct TestSigner(SigningKey);

impl NoteSigner for TestSigner {
    fn name(&self) -> &'static str {
        "test.example/log"
    }
    fn key_id(&self) -> [u8; 4] {
        self.vkey().id()
    }
    fn sign(&self, text: &[u8]) -> [u8; 64] {
        self.0.sign(text).to_bytes()
    }
}

impl TestSigner {
    fn new() -> Self {
        Self(SigningKey::from_bytes(&[9; 32]))
    }
    fn vkey(&self) -> VerifierKey {
        VerifierKey::ed25519("test.example/log", self.0.verifying_key().as_bytes()).unwrap()
    }
}

fn open(dir: &TempDir) -> Recorder {
    let config = LogConfig { segment_bytes: 1 << 20, reserve_bytes: 0, ..LogConfig::new(dir.path(), "test.example/log") };
    let (log, _) = Log::open(config, Box::new(TestSigner::new()), TestSigner::new().vkey()).unwrap();
    Recorder::new(log, 100).unwrap()
}

const GRANT: &str = "[[grant]]\nprincipal = \"spiffe://example.org/publisher/web1\"\nkey = \"tarballs\"\nconstructions = [\"sshsig\"]\nsubject = \"prod\"\nnamespaces = [\"file\"]\n";

/// A request for the digest `n`, under the id `id`, decided by this policy.
fn decided(policy: &str, id: u8, n: u8) -> Pending {
    let policy = Policy::parse(policy, "policy.toml").unwrap();
    let request = SignRequest {
        request_id: RequestId([id; 16]),
        principal: Principal::new("spiffe://example.org/publisher/web1").unwrap(),
        key: KeyName::new("tarballs").unwrap(),
        construction: Construction::Sshsig,
        subject: Subject::new("prod").unwrap(),
        payload: Payload::Digest { namespace: Namespace::new("file").unwrap(), digest: Digest::Sha256([n; 32]) },
    };
    let key = KeyDescription {
        name: request.key.clone(),
        version: 1,
        public_key: SigningKey::from_bytes(&[3; 32]).verifying_key().to_bytes(),
        constructions: purpose::named("sshsig").unwrap(),
        created: 0,
        retires: None,
        state: KeyState::Open,
    };
    let facts = KeyFacts { description: &key, id: &[5; 32] };
    let checked = check(request, Content::none()).unwrap();
    let outcome = match decide(&policy, checked, Some(facts), 0) {
        Ok(permit) => Outcome::Sign(Box::new(prepare(permit).unwrap())),
        Err(denial) => Outcome::Refuse(Box::new(Turned::denied(denial, Some(facts), policy.digest()))),
    };
    Pending { call: u64::from(id), request_id: RequestId([id; 16]), arrival: Arrival::from("192.0.2.1:5000"), outcome }
}

fn index(done: &Done) -> u64 {
    match done {
        Done::Sign { recorded, .. } => recorded.index(),
        Done::Refuse { refusal, .. } => refusal.entry_index.expect("has no entry"),
    }
}

fn reason(done: &Done) -> &str {
    match done {
        Done::Sign { .. } => "signed",
        Done::Refuse { refusal, .. } => &refusal.reason,
    }
}

#[test]
fn grants_and_denials_have_an_entry_and_a_receipt_that_verifies() {
    let dir = TempDir::new().unwrap();
    let mut recorder = open(&dir);
    let done = recorder.record(vec![decided(GRANT, 1, 1), decided("", 2, 2)], 1_000);
    assert_eq!((reason(&done[0]), reason(&done[1])), ("signed", "no-grant"));
    let Done::Sign { recorded, .. } = &done[0] else { panic!() };
    let Done::Refuse { refusal, .. } = &done[1] else { panic!() };
    for (receipt, decision) in [(recorded.receipt().unwrap(), Decision::Permit), (refusal.receipt.clone(), Decision::Deny)] {
        let proof: TlogProof = String::from_utf8(receipt).unwrap().parse().unwrap();
        let leaf = proof.extra.clone().unwrap();
        proof.verify(&leaf, &TestSigner::new().vkey()).unwrap();
        assert_eq!(Leaf::parse(&leaf).unwrap().decision, decision);
    }
}

#[test]
fn nothing_is_signed_that_is_too_far_ahead_of_the_witnesses_and_refusals_are_recorded_all_the_same() {
    let dir = TempDir::new().unwrap();
    let mut recorder = open(&dir).witnessed_within(Some(2));
    let batch = |ids: std::ops::Range<u8>| ids.map(|n| decided(GRANT, n, n)).collect();
    let done = recorder.record(batch(1..5), 1_000);
    assert_eq!(done.iter().map(reason).collect::<Vec<_>>(), ["signed", "signed", "unwitnessed", "unwitnessed"]);
    assert_eq!(done.iter().map(index).collect::<Vec<_>>(), [0, 1, 2, 3]);
    let done = recorder.record(vec![decided(GRANT, 1, 1), decided("", 9, 9), decided(GRANT, 3, 3)], 2_000);
    assert_eq!(done.iter().map(reason).collect::<Vec<_>>(), ["signed", "no-grant", "unwitnessed"], "what was permitted before stays so");
}

#[test]
fn a_retry_has_no_second_entry_also_within_a_batch_and_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let mut recorder = open(&dir);
    let done = recorder.record(vec![decided(GRANT, 1, 1), decided(GRANT, 1, 1), decided("", 2, 2), decided("", 2, 2)], 1_000);
    assert_eq!(done.iter().map(index).collect::<Vec<_>>(), [0, 0, 1, 1]);
    let Done::Sign { recorded, .. } = &done[1] else { panic!() };
    assert!(recorded.receipt().is_ok());
    recorder.end(2_000);
    drop(recorder);
    let mut recorder = open(&dir);
    let done = recorder.record(vec![decided(GRANT, 1, 1), decided(GRANT, 2, 2), decided(GRANT, 3, 3)], 3_000);
    assert_eq!(done.iter().map(index).collect::<Vec<_>>(), [0, 1, 3]);
    assert_eq!(done.iter().map(reason).collect::<Vec<_>>(), ["signed", "no-grant", "signed"], "what was refused stays refused");
}

#[test]
fn another_request_under_a_known_id_is_refused_and_recorded() {
    let dir = TempDir::new().unwrap();
    let mut recorder = open(&dir);
    let done = recorder.record(vec![decided(GRANT, 1, 1), decided(GRANT, 1, 2)], 1_000);
    assert_eq!((reason(&done[1]), index(&done[1])), ("request-id-reused", 1));
    let done = recorder.record(vec![decided(GRANT, 1, 1)], 1_000);
    assert_eq!((reason(&done[0]), index(&done[0])), ("signed", 0), "the first use of the id stands");
}

#[test]
fn a_revoked_grant_ends_retries_too() {
    let dir = TempDir::new().unwrap();
    let mut recorder = open(&dir);
    recorder.record(vec![decided(GRANT, 1, 1)], 1_000);
    let done = recorder.record(vec![decided("", 1, 1)], 1_000);
    assert_eq!((reason(&done[0]), index(&done[0])), ("no-grant", 1));
}

#[test]
fn without_a_log_nothing_is_signed() {
    let dir = TempDir::new().unwrap();
    let reader = {
        let mut recorder = open(&dir);
        recorder.record(vec![decided(GRANT, 1, 1)], 1_000);
        recorder.reader.clone()
    };
    let mut closed = Recorder::closed("the disk is gone".to_owned(), reader);
    let done = closed.record(vec![decided(GRANT, 2, 2)], 1_000);
    let Done::Refuse { refusal, .. } = &done[0] else { panic!("signed without a log") };
    assert_eq!((refusal.reason.as_str(), refusal.entry_index), ("log-unavailable", None));
    assert!(refusal.message.contains("the disk is gone"), "{}", refusal.message);
}

#[test]
fn a_clock_that_goes_back_is_recorded_and_times_never_do() {
    let dir = TempDir::new().unwrap();
    let mut recorder = open(&dir);
    recorder.record(vec![decided(GRANT, 1, 1)], 1_000_000);
    recorder.record(vec![decided(GRANT, 2, 2)], 10_000);
    let leaves = recorder.reader.entries(0, 10).unwrap();
    let leaves: Vec<Leaf> = leaves.iter().map(|l| Leaf::parse(l).unwrap()).collect();
    assert_eq!(leaves.iter().map(|l| l.kind.as_str()).collect::<Vec<_>>(), ["sign", "clock", "sign"]);
    assert!(leaves.windows(2).all(|pair| pair[0].time <= pair[1].time));
}

/// A clock that stays behind is told once; a further jump is told again; so is one between two runs.
#[test]
fn each_jump_of_the_clock_has_one_entry() {
    let dir = TempDir::new().unwrap();
    let mut recorder = open(&dir);
    for (id, now) in [(1, 10_000_000), (2, 5_000_000), (3, 5_010_000), (4, 1_000_000), (5, 1_100_000)] {
        let done = recorder.record(vec![decided(GRANT, id, id)], now);
        assert_eq!(reason(&done[0]), "signed");
    }
    drop(recorder);
    let mut recorder = open(&dir);
    assert_eq!(recorder.newest_ms(), 10_000_000);
    recorder.begin(&StartFacts { policy: [0; 32], keys: Vec::new(), certificates: Vec::new(), dropped_bytes: 0 }, 2_000_000);
    recorder.record(vec![decided(GRANT, 6, 6)], 2_000_100);
    let leaves = recorder.reader.entries(0, 20).unwrap();
    let leaves: Vec<Leaf> = leaves.iter().map(|l| Leaf::parse(l).unwrap()).collect();
    let kinds: Vec<&str> = leaves.iter().map(|l| l.kind.as_str()).collect();
    assert_eq!(kinds, ["sign", "clock", "sign", "sign", "clock", "sign", "sign", "start", "policy", "clock", "sign"]);
    assert!(leaves.iter().all(|leaf| leaf.time == 10_000_000), "the log's time stands until the clock has caught up");
}
