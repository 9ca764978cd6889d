//! Every answer that a witness, or who carries it, may give.

use super::*;
use crate::error::OpenError;
use crate::log::Log;
use crate::testing::{Bed, Key, batch};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tlog::{Hash, NoteError, verify_consistency};
use ed25519_dalek::{Signer as _, SigningKey};

const NOW: u64 = 1_780_000_000;

/// A witness that signs whatever it is given.
struct Hand {
    signing: SigningKey,
    key: VerifierKey,
}

impl Hand {
    fn new(name: &str) -> Self {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).unwrap();
        let signing = SigningKey::from_bytes(&seed);
        let key = VerifierKey::new(name, KeyType::CosignatureV1, signing.verifying_key().as_bytes()).unwrap();
        Self { signing, key }
    }

    fn vkey(&self) -> String {
        self.key.to_string()
    }

    fn line(&self, text: &str, time: u64) -> String {
        let signature = self.signing.sign(format!("cosignature/v1\ntime {time}\n{text}").as_bytes()).to_bytes();
        self.raw(self.key.id(), &[&time.to_be_bytes(), &signature[..]].concat())
    }

    fn raw(&self, id: [u8; 4], payload: &[u8]) -> String {
        format!("\u{2014} {} {}\n", self.key.name(), STANDARD.encode([&id[..], payload].concat()))
    }
}

struct Scene {
    bed: Bed,
    log: Log,
    hand: Hand,
    witnesses: Witnesses,
}

impl Scene {
    fn new() -> Self {
        let bed = Bed::new();
        let (mut log, _) = bed.open();
        log.append(&batch(0, 5)).unwrap();
        let hand = Hand::new("witness.example/w1");
        let witnesses = Witnesses::open(bed.dir.path(), log.reader(), vec![hand.key.clone()]).unwrap();
        Self { bed, log, hand, witnesses }
    }

    fn ask(&mut self) -> Option<String> {
        self.witnesses.request(&self.hand.vkey()).unwrap().map(|body| String::from_utf8(body).unwrap())
    }

    fn answer(&mut self, status: u16, content_type: &str, body: &str) -> Result<Progress, WitnessError> {
        self.witnesses.answer(&self.hand.vkey(), WitnessAnswer { status, content_type, body: body.as_bytes() }, NOW)
    }

    /// Asks, and answers 200 with this.
    fn answered(&mut self, body: impl FnOnce(&Hand, &str) -> String) -> Result<Progress, WitnessError> {
        let asked = self.ask().expect("there is something to cosign");
        let body = body(&self.hand, text(&asked));
        self.answer(200, "", &body)
    }

    fn cosign(&mut self) {
        let said = self.answered(|hand, text| hand.line(text, NOW)).unwrap();
        assert_eq!(said, Progress::Cosigned(Cosigned { size: self.log.checkpoint().checkpoint.size, time: NOW }));
    }

    fn published(&self) -> String {
        self.log.publish_now().unwrap();
        std::fs::read_to_string(self.bed.path("public/checkpoint")).unwrap()
    }
}

fn put(path: &Path, bytes: &[u8]) {
    durable::write_atomic(path, bytes, 0o644).unwrap();
}

/// What a witness answers to this text of a checkpoint.
type Says = Box<dyn Fn(&Hand, &str) -> String>;

/// The text of the checkpoint in a request.
fn text(request: &str) -> &str {
    let note = request.split_once("\n\n").unwrap().1;
    &note[..note.find("\n\n").unwrap() + 1]
}

fn refused(said: Result<Progress, WitnessError>) -> AnswerError {
    match said {
        Err(WitnessError::Answer(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cosignature_is_published_under_the_logs_own_and_kept_over_restarts() {
    let mut scene = Scene::new();
    let plain = scene.published();
    let asked = scene.ask().unwrap();
    assert_eq!(asked, format!("old 0\n\n{plain}"));
    scene.cosign();
    let line = scene.hand.line(text(&asked), NOW);
    assert_eq!(scene.published(), format!("{plain}{line}"));
    assert_eq!(std::fs::read_to_string(scene.bed.path("witness").join(file_name(&scene.hand.key))).unwrap(), format!("{plain}{line}"));
    assert_eq!(scene.ask(), None, "there is nothing new");
    assert!(String::from_utf8(scene.log.reader().receipt(2).unwrap()).unwrap().ends_with(&line));

    let Scene { bed, log, hand, witnesses } = scene;
    drop((log, witnesses));
    let (log, _) = bed.open();
    let mut again = Witnesses::open(bed.dir.path(), log.reader(), vec![hand.key.clone()]).unwrap();
    assert_eq!((again.newest(&hand.vkey()), log.reader().witnessed()), (Some(Cosigned { size: 5, time: NOW }), 5));
    assert_eq!(again.request(&hand.vkey()).unwrap(), None);
    assert_eq!(log.checkpoint().note, format!("{plain}{line}"), "a restart does not lose the cosignature");
}

#[test]
fn a_request_leads_from_what_the_witness_knows_to_the_newest_checkpoint() {
    let mut scene = Scene::new();
    scene.cosign();
    let before = scene.log.checkpoint();
    scene.log.append(&batch(5, 12)).unwrap();
    let asked = scene.ask().unwrap();
    let proof: Vec<Hash> =
        asked.lines().skip(1).take_while(|l| !l.is_empty()).map(|l| Hash(STANDARD.decode(l).unwrap().try_into().unwrap())).collect();
    let now = scene.log.checkpoint();
    assert!(asked.starts_with("old 5\n") && asked.ends_with(&now.note));
    verify_consistency(5, &before.checkpoint.root, 12, &now.checkpoint.root, &proof).unwrap();
    let late = scene.hand.line(text(&asked), NOW);
    scene.log.append(&batch(12, 13)).unwrap();
    assert_eq!(scene.answer(200, "", &late).unwrap(), Progress::Cosigned(Cosigned { size: 12, time: NOW }));
    assert_eq!(scene.log.reader().witnessed(), 12);
    assert!(!scene.published().contains(late.as_str()), "a cosignature never stands under another checkpoint");

    for (index, size, cosigned) in [(3, 12, true), (11, 12, true), (12, 13, false)] {
        let receipt = String::from_utf8(scene.log.reader().receipt(index).unwrap()).unwrap();
        let proof: chancery_tlog::TlogProof = receipt.parse().unwrap();
        assert_eq!(proof.verify(&crate::testing::leaf(index), &scene.bed.key.verifier).unwrap().size, size);
        assert_eq!(receipt.ends_with(&late), cosigned, "a receipt is at the newest cosigned checkpoint that has its entry");
    }
}

#[test]
fn a_second_witness_adds_its_line_and_is_not_shown_the_first() {
    let mut scene = Scene::new();
    let second = Hand::new("witness.example/w2");
    let keys = vec![scene.hand.key.clone(), second.key.clone()];
    scene.witnesses = Witnesses::open(scene.bed.dir.path(), scene.log.reader(), keys).unwrap();
    scene.cosign();
    let asked = String::from_utf8(scene.witnesses.request(&second.vkey()).unwrap().unwrap()).unwrap();
    assert!(!asked.contains("/w1"));
    let line = second.line(text(&asked), NOW);
    scene.witnesses.answer(&second.vkey(), WitnessAnswer { status: 200, content_type: "", body: line.as_bytes() }, NOW).unwrap();
    let published = scene.published();
    assert!(published.contains("/w1 ") && published.ends_with(&line));
    Checkpoint::open(&published, &scene.bed.key.verifier).unwrap();
}

#[test]
fn a_conflict_tells_from_where_to_go_on() {
    let mut scene = Scene::new();
    scene.ask().unwrap();
    assert_eq!(scene.answer(409, "text/x.tlog.size", "3\n").unwrap(), Progress::AskAgain { size: 3 });
    assert!(scene.ask().unwrap().starts_with("old 3\n"));
    assert_eq!(refused(scene.answer(409, "text/x.tlog.size", "3\n")), AnswerError::Contradiction(3));
    scene.ask().unwrap();
    assert_eq!(scene.answer(409, "Text/X.tlog.size; charset=utf-8", "5\n").unwrap(), Progress::AskAgain { size: 5 });
    let same = scene.ask().unwrap();
    assert!(same.starts_with("old 5\n\n"), "the same tree needs no proof: {same}");
    scene.ask().unwrap();
    assert_eq!(scene.answer(409, "text/x.tlog.size", "6\n").unwrap(), Progress::Rollback { ours: 5, theirs: 6 });
}

#[test]
fn a_conflict_that_names_no_size_is_a_refusal_or_nothing() {
    let mut scene = Scene::new();
    scene.ask().unwrap();
    let said = scene.answer(409, "", "9\n").unwrap();
    assert_eq!(said, Progress::Refused { status: 409, says: "9".into() }, "a size without its content type is none");
    for body in ["", "3", "03\n", "+3\n", "3\n\n", "9223372036854775808\n", "3\r\n"] {
        scene.ask().unwrap();
        assert_eq!(refused(scene.answer(409, "text/x.tlog.size", body)), AnswerError::Size, "{body:?}");
    }
}

#[test]
fn every_other_status_is_a_refusal_that_says_what_the_witness_says() {
    let mut scene = Scene::new();
    for status in [100, 204, 301, 400, 403, 404, 422, 429, 500, 503] {
        scene.ask().unwrap();
        let said = scene.answer(status, "text/plain", "no \u{1b}[31msuch log\nmore").unwrap();
        assert_eq!(said, Progress::Refused { status, says: "no [31msuch log".into() });
    }
    scene.ask().unwrap();
    scene.cosign();
    assert!(matches!(scene.answer(404, "", ""), Err(WitnessError::NotAsked(_))), "nothing is open any more");
}

#[test]
fn a_cosignature_that_does_not_fit_is_refused_and_changes_nothing() {
    let mut scene = Scene::new();
    let plain = scene.published();
    let other = Hand::new("witness.example/w1");
    let answers: [(&str, Says); 11] = [
        ("over another checkpoint", Box::new(|hand, text| hand.line(&text.replacen("\n5\n", "\n6\n", 1), NOW))),
        ("by another key of the name", Box::new(move |_, text| other.line(text, NOW))),
        ("a plain signature of type 0x01", {
            Box::new(|hand, text| {
                let plain = VerifierKey::ed25519(hand.key.name(), hand.key.public()).unwrap();
                hand.raw(plain.id(), &hand.signing.sign(text.as_bytes()).to_bytes())
            })
        }),
        ("a plain signature with the id of the cosigner", {
            Box::new(|hand, text| hand.raw(hand.key.id(), &hand.signing.sign(text.as_bytes()).to_bytes()))
        }),
        ("71 bytes", Box::new(|hand, _| hand.raw(hand.key.id(), &[7; 71]))),
        ("73 bytes", Box::new(|hand, _| hand.raw(hand.key.id(), &[7; 73]))),
        ("time 0", Box::new(|hand, text| hand.line(text, 0))),
        ("the year 2100", Box::new(|hand, text| hand.line(text, 4_102_444_800))),
        ("twenty unknown lines", Box::new(|_, text| (0..20).map(|n| Hand::new(&format!("w{n}")).line(text, NOW)).collect())),
        ("nothing", Box::new(|_, _| String::new())),
        ("a text of its own", Box::new(|hand, _| format!("\n{}", hand.line("other\n", NOW)))),
    ];
    for (what, answer) in answers {
        let error = refused(scene.answered(answer));
        let expected = match what {
            "time 0" | "the year 2100" => matches!(error, AnswerError::Time { .. }),
            "by another key of the name" | "a plain signature of type 0x01" | "twenty unknown lines" | "nothing" => {
                error == AnswerError::Missing
            }
            "a text of its own" => error == AnswerError::Text,
            _ => matches!(error, AnswerError::Note(NoteError::Bad(_))),
        };
        assert!(expected, "{what}: {error:?}");
    }
    assert_eq!((scene.published(), scene.witnesses.newest(&scene.hand.vkey())), (plain, None));
    assert!(!scene.bed.path("witness").exists());
}

#[test]
fn who_carries_nonsense_does_not_keep_the_answer_of_another_carrier_out() {
    let mut scene = Scene::new();
    let first = scene.ask().unwrap();
    let honest = scene.hand.line(text(&first), NOW);
    scene.log.append(&batch(5, 9)).unwrap();
    scene.ask().unwrap();
    for (status, kind, body) in [(200, "", "nonsense"), (500, "", ""), (409, "text/x.tlog.size", "3\n"), (200, "", "\u{2014} w x\n")] {
        drop(scene.answer(status, kind, body));
    }
    assert_eq!(scene.answer(200, "", &honest).unwrap(), Progress::Cosigned(Cosigned { size: 5, time: NOW }));
    let second = scene.ask().unwrap();
    let newer = scene.hand.line(text(&second), NOW + 1);
    assert_eq!(scene.answer(200, "", &newer).unwrap(), Progress::Cosigned(Cosigned { size: 9, time: NOW + 1 }));
    assert!(scene.answer(200, "", &honest).is_err(), "what comes late takes nothing back");
    assert_eq!(scene.witnesses.newest(&scene.hand.vkey()), Some(Cosigned { size: 9, time: NOW + 1 }));
}

#[test]
fn lines_of_others_are_passed_over_and_large_answers_not_read() {
    let mut scene = Scene::new();
    let large = " ".repeat(MAX_ANSWER + 1);
    assert_eq!(refused(scene.answered(|_, _| large)), AnswerError::TooLarge);
    assert!(matches!(refused(scene.answered(|hand, text| hand.line(text, NOW).trim_end().to_owned())), AnswerError::Note(NoteError::Form)));
    let said = scene.answered(|hand, text| {
        let others: String = (0..20).map(|n| Hand::new(&format!("w{n}")).line(text, NOW)).collect();
        format!("{others}{}", hand.line(text, NOW + 60))
    });
    assert_eq!(said.unwrap(), Progress::Cosigned(Cosigned { size: 5, time: NOW + 60 }));
    assert_eq!(scene.published().lines().filter(|l| l.starts_with('\u{2014}')).count(), 2, "others were not asked");
}

#[test]
fn a_log_behind_what_a_witness_cosigned_is_not_opened_for_writing() {
    let mut scene = Scene::new();
    scene.published();
    let older = scene.bed.copy();
    scene.log.append(&batch(5, 9)).unwrap();
    scene.cosign();
    let kept = std::fs::read(scene.bed.path("witness").join(file_name(&scene.hand.key))).unwrap();
    std::fs::create_dir(older.path("witness")).unwrap();
    put(&older.path("witness").join(file_name(&scene.hand.key)), &kept);
    let error = older.try_open().err().unwrap();
    assert!(
        matches!(&error, OpenError::Rollback { ours_size: 5, theirs_size: 9, file, .. } if file.parent() == Some(&older.path("witness")))
    );

    // Another log by the same key, as large: the witness has seen other entries.
    let forked = Bed { key: scene.bed.key.clone(), ..Bed::new() };
    let (mut log, _) = forked.open();
    log.append(&batch(100, 109)).unwrap();
    drop(log);
    std::fs::create_dir(forked.path("witness")).unwrap();
    put(&forked.path("witness/0badcafe"), &kept);
    let error = forked.try_open().err().unwrap();
    assert!(matches!(error, OpenError::Fork { size: 9, .. }), "{error:?}");
}

#[test]
fn what_is_kept_must_be_by_the_witness() {
    let mut scene = Scene::new();
    let plain = scene.published();
    let open = |scene: &Scene, keys| Witnesses::open(scene.bed.dir.path(), scene.log.reader(), keys);
    let key = scene.hand.key.clone();
    assert!(matches!(open(&scene, vec![key.clone(), key.clone()]), Err(WitnessError::Twice(_))));
    let log_key = Key::new("w").verifier;
    assert!(matches!(open(&scene, vec![log_key]), Err(WitnessError::KeyType(_))));
    scene.cosign();
    put(&scene.bed.path("witness").join(file_name(&key)), plain.as_bytes());
    assert!(matches!(open(&scene, vec![key]), Err(WitnessError::Kept { .. })));
}
