//! Witnesses that cosign the request log: one made by hand for these tests, which checks what a witness checks.

use crate::auditor::{audit, go_audit, size};
use crate::wire::{assert_refused, block_on, digest_header, sign};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_proto::v1::SignResponse;
use chancery_tests::{KeyHost, Publisher, Setup, run};
use chancery_tlog::{Checkpoint, Hash, KeyType, Note, VerifierKey, verify_consistency};
use ed25519_dalek::{Signer as _, SigningKey};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tonic::{Code, Status};

const LONG: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Cosigns,
    Refuses,
    /// Takes connections and says nothing.
    Hangs,
}

/// A witness that runs in a thread of the test.
struct Witness {
    url: String,
    vkey: String,
    state: Arc<Mutex<State>>,
    /// Status and size of each answer.
    answers: Receiver<(u16, u64)>,
}

struct State {
    mood: Mood,
    signing: SigningKey,
    key: VerifierKey,
    log: Option<VerifierKey>,
    seen: Option<Checkpoint>,
    hanging: Vec<TcpStream>,
}

impl Witness {
    fn start(mood: Mood) -> Self {
        let mut seed = [0; 32];
        fs::File::open("/dev/urandom").unwrap().read_exact(&mut seed).unwrap();
        let signing = SigningKey::from_bytes(&seed);
        let key = VerifierKey::new("witness.example/w1", KeyType::CosignatureV1, signing.verifying_key().as_bytes()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/prefix", listener.local_addr().unwrap());
        let vkey = key.to_string();
        let state = Arc::new(Mutex::new(State { mood, signing, key, log: None, seen: None, hanging: Vec::new() }));
        let (answered, answers) = channel();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || listener.incoming().for_each(|stream| serve(stream.unwrap(), &shared, &answered)));
        Self { url, vkey, state, answers }
    }

    fn mood(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    /// Waits until it gave such an answer; its size.
    fn answered(&self, status: u16) -> u64 {
        loop {
            let (said, size) = self.answers.recv_timeout(LONG).expect("the witness is not asked");
            if said == status {
                return size;
            }
        }
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>, answered: &Sender<(u16, u64)>) {
    let mut state = state.lock().unwrap();
    let body = request(&stream);
    if state.mood == Mood::Hangs {
        let _ = answered.send((0, 0));
        return state.hanging.push(stream);
    }
    let (status, kind, body, size) = state.add_checkpoint(&body);
    let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
    (&stream).write_all((head + &body).as_bytes()).unwrap();
    let _ = answered.send((status, size));
}

/// The body of a request to add a checkpoint.
fn request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.starts_with("POST /prefix/add-checkpoint HTTP/1.1"), "{line}");
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap(),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}

impl State {
    /// Status, content type, body, and the size that it is about.
    fn add_checkpoint(&mut self, body: &str) -> (u16, &'static str, String, u64) {
        let (head, note) = body.split_once("\n\n").unwrap();
        let mut lines = head.lines();
        let old: u64 = lines.next().unwrap().strip_prefix("old ").unwrap().parse().unwrap();
        let proof: Vec<Hash> = lines.map(|l| Hash(STANDARD.decode(l).unwrap().try_into().unwrap())).collect();
        let new = Checkpoint::open(note, self.log.as_ref().unwrap()).unwrap();
        if self.mood == Mood::Refuses {
            return (503, "text/plain", "out of order".into(), new.size);
        }
        let known = self.seen.as_ref().map_or(0, |c| c.size);
        if old != known {
            return (409, "text/x.tlog.size", format!("{known}\n"), known);
        }
        if let Some(seen) = &self.seen {
            verify_consistency(seen.size, &seen.root, new.size, &new.root, &proof).unwrap();
        }
        let (text, size) = (Note::parse(note).unwrap().text(), new.size);
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let signature = self.signing.sign(format!("cosignature/v1\ntime {time}\n{text}").as_bytes()).to_bytes();
        let data = STANDARD.encode([&self.key.id()[..], &time.to_be_bytes(), &signature].concat());
        self.seen = Some(new);
        (200, "text/plain", format!("\u{2014} {} {data}\n", self.key.name()), size)
    }
}

/// A key host with this witness, not started yet.
fn host(witness: &Witness, more: &str) -> KeyHost {
    let host = carried(witness, &format!("interval = \"50 ms\"\n{more}"));
    let url = format!("url = \"{}\"\n", witness.url);
    host.write("signer.toml", &(host.read("signer.toml") + &url));
    host
}

/// A key host that does not reach this witness itself, not started yet.
fn carried(witness: &Witness, more: &str) -> KeyHost {
    with_mode("background", witness, more)
}

fn with_mode(mode: &str, witness: &Witness, more: &str) -> KeyHost {
    let grant = "namespaces = [\"file\"]";
    let host = Setup::new().key("tarballs", "sshsig").grant("web1", "tarballs", &["sshsig"], "prod", grant).make();
    let table = format!("\n[witness]\nmode = \"{mode}\"\n{more}\n[[witness.server]]\nvkey = \"{}\"\n", witness.vkey);
    host.write("signer.toml", &(host.read("signer.toml") + &table));
    witness.state.lock().unwrap().log = Some(host.vkey().parse().unwrap());
    host
}

fn sign_one(host: &KeyHost, publisher: &Publisher, n: u64) -> Result<SignResponse, Status> {
    sign_one_of(host, publisher, "prod", n)
}

fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let start = Instant::now();
    while !there() {
        assert!(start.elapsed() < LONG, "{what} does not come");
        std::thread::yield_now();
    }
}

/// Whether the published checkpoint covers so many entries and is cosigned.
fn is_cosigned(host: &KeyHost, witness: &Witness, entries: u64) -> bool {
    let Ok(note) = fs::read_to_string(host.public().join("checkpoint")) else { return false };
    let keys = [host.vkey().parse().unwrap(), witness.vkey.parse().unwrap()];
    let verified = Note::parse(&note).unwrap().verify(&keys).unwrap();
    assert_eq!(verified[0].name, "localhost/requests", "the log's own signature is never dropped");
    size(&host.public()) >= entries && verified.len() == 2
}

#[test]
fn cosignatures_stand_under_the_published_checkpoint_and_in_receipts() {
    let witness = Witness::start(Mood::Cosigns);
    let mut host = host(&witness, "");
    host.serve();
    let publisher = host.publisher("web1");
    for n in 0..5 {
        sign_one(&host, &publisher, n).unwrap();
    }
    wait_for("the cosignature", || is_cosigned(&host, &witness, 8));
    let _ = audit(&host.public(), &host.vkey(), None).ok();
    if let Some(go) = go_audit(&host.public(), &host.vkey(), &[]) {
        let _ = go.ok();
    }

    // Nothing was recorded since: a receipt that is given now is about the cosigned checkpoint.
    let again = sign_one(&host, &publisher, 3).unwrap();
    let text = String::from_utf8(again.receipt.to_vec()).unwrap();
    assert!(text.lines().last().unwrap().starts_with("\u{2014} witness.example/w1 "), "{text}");
    let file = host.temp().join("cosigned.receipt");
    fs::write(&file, text).unwrap();
    let said = run(publisher.chancery(&["verify", "receipt"]).arg(&file)).ok().stdout;
    assert!(said.contains(&again.entry_index.to_string()), "{said}");
    assert_eq!(host.stop(), Some(0));
}

#[test]
fn a_witness_goes_on_after_a_restart_and_from_where_it_is_when_we_do_not_know() {
    let witness = Witness::start(Mood::Cosigns);
    let mut host = host(&witness, "");
    host.serve();
    let publisher = host.publisher("web1");
    wait_for("the first cosignature", || is_cosigned(&host, &witness, 3));
    assert_eq!(host.stop(), Some(0));
    host.serve();
    wait_for("the next cosignature", || is_cosigned(&host, &witness, 5));
    assert_eq!(host.stop(), Some(0));
    while let Ok((status, _)) = witness.answers.try_recv() {
        assert_eq!(status, 200, "what the witness knows is kept over a restart");
    }

    fs::remove_dir_all(host.dir().join("log/witness")).unwrap();
    host.serve();
    let known = witness.answered(409);
    assert!(witness.answered(200) > known);
    let signed = sign_one(&host, &publisher, 1).unwrap();
    wait_for("the cosignature", || is_cosigned(&host, &witness, signed.entry_index + 1));
}

#[test]
fn a_log_that_was_set_back_behind_its_witness_is_not_written() {
    let witness = Witness::start(Mood::Cosigns);
    let mut host = host(&witness, "");
    host.serve();
    let publisher = host.publisher("web1");
    assert_eq!(host.stop(), Some(0));
    let _ = run(std::process::Command::new("cp").arg("-a").arg(host.dir().join("log")).arg(host.temp().join("older"))).ok();
    host.serve();
    sign_one(&host, &publisher, 1).unwrap();
    wait_for("the cosignature", || is_cosigned(&host, &witness, 7));
    assert_eq!(host.stop(), Some(0));
    for part in ["wal", "public"] {
        fs::remove_dir_all(host.dir().join("log").join(part)).unwrap();
        let older = host.temp().join("older").join(part);
        let _ = run(std::process::Command::new("cp").arg("-a").arg(older).arg(host.dir().join("log"))).ok();
    }
    host.serve();
    let refused = sign_one(&host, &publisher, 2).expect_err("nothing is signed");
    assert!(refused.message().contains("ROLLBACK") && refused.message().contains("log/witness/"), "{refused:?}");
}

#[test]
fn a_witness_that_hangs_delays_neither_a_signature_nor_the_end() {
    let witness = Witness::start(Mood::Hangs);
    let mut host = host(&witness, "max_unwitnessed = 1000");
    host.serve();
    let publisher = host.publisher("web1");
    witness.answered(0);
    let start = Instant::now();
    for n in 0..20 {
        sign_one(&host, &publisher, n).unwrap();
    }
    assert_eq!(host.stop(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(8), "it took {:?}, and the witness is given ten seconds", start.elapsed());
}

#[test]
fn without_cosignatures_for_too_long_nothing_is_signed_until_there_are_some() {
    let witness = Witness::start(Mood::Refuses);
    let mut host = host(&witness, "max_unwitnessed = 8");
    host.serve();
    let publisher = host.publisher("web1");
    witness.answered(503);
    // Three entries say that the run begins, with which policy and key.
    for n in 0..5 {
        sign_one(&host, &publisher, n).unwrap();
    }
    let refusal = assert_refused(sign_one(&host, &publisher, 5), Code::PermissionDenied, "unwitnessed", "witnesses");
    assert_eq!(refusal.entry_index, Some(8), "the refusal is recorded");
    witness.mood(Mood::Cosigns);
    witness.answered(200);
    let mut n = 100;
    wait_for("a signature", || {
        n += 1;
        sign_one(&host, &publisher, n).is_ok()
    });
}

#[test]
fn a_publisher_carries_checkpoints_of_a_key_host_that_reaches_no_witness() {
    let witness = Witness::start(Mood::Cosigns);
    let mut host = carried(&witness, "max_unwitnessed = 8");
    host.serve();
    let publisher = host.publisher("web1");
    let carry = |to: &Witness| {
        let mut carry = publisher.chancery(&["carry", "--json", "--witness"]);
        run(carry.arg(format!("{}={}", to.vkey, to.url)))
    };
    for n in 0..5 {
        sign_one(&host, &publisher, n).unwrap();
    }
    let _ = assert_refused(sign_one(&host, &publisher, 5), Code::PermissionDenied, "unwitnessed", "witnesses");
    assert_eq!(carry(&witness).ok().stdout, "{\"status\":200,\"witness\":\"witness.example/w1\"}\n");
    sign_one(&host, &publisher, 6).expect("the witness has caught up");
    wait_for("the cosignature", || {
        let _ = carry(&witness).ok();
        is_cosigned(&host, &witness, 10)
    });
    assert!(carry(&witness).ok().stdout.contains("\"status\":null"), "there is nothing new");

    // Who carries can forge nothing: this one signs whatever it is given, with another key of the same name.
    sign_one(&host, &publisher, 7).unwrap();
    let forger = Witness::start(Mood::Cosigns);
    forger.state.lock().unwrap().log = Some(host.vkey().parse().unwrap());
    let after = host.said();
    let mut forged = publisher.chancery(&["carry", "--witness"]);
    let _ = run(forged.arg(format!("{}={}", witness.vkey, forger.url))).ok();
    let _ = host.wait_said(after, "a witness has not cosigned the newest entries");
    assert!(!is_cosigned(&host, &witness, 11));

    let stranger = carry(&forger).failed(1, "no witness has the verification key");
    assert!(stranger.stderr.contains("witnesses were not served"), "{stranger:?}");
    let gone = Witness { url: "http://127.0.0.1:1".into(), ..Witness::start(Mood::Cosigns) };
    let _ = run(publisher.chancery(&["carry", "--witness"]).arg(format!("{}={}", witness.vkey, gone.url))).failed(3, "cannot be reached");
}

#[test]
fn nothing_is_released_before_a_witness_has_cosigned_its_entry_when_that_is_required() {
    let witness = Witness::start(Mood::Refuses);
    let mut host = with_mode("require", &witness, "interval = \"1 h\"");
    host.write("signer.toml", &format!("{}url = \"{}\"\n", host.read("signer.toml"), witness.url));
    let config = host.read("signer.toml").replace("request_timeout = \"60 s\"", "request_timeout = \"2 s\"");
    host.write("signer.toml", &config);
    host.serve();
    let publisher = host.publisher("web1");
    let late = sign_one(&host, &publisher, 1).expect_err("nobody has cosigned");
    assert_eq!(late.code(), Code::DeadlineExceeded, "{late:?}");
    assert!(size(&host.public()) >= 3);

    // The same request again, once the witness cosigns: the entry is there already, and the receipt shows the cosignature.
    witness.mood(Mood::Cosigns);
    let signed = sign_one(&host, &publisher, 1).expect("the witness is asked at once, not after an hour");
    let cosigned = |signed: &SignResponse| {
        let text = String::from_utf8(signed.receipt.to_vec()).unwrap();
        text.lines().last().unwrap().starts_with("\u{2014} witness.example/w1 ")
    };
    assert!(cosigned(&signed));
    for n in 2..12 {
        assert!(cosigned(&sign_one(&host, &publisher, n).unwrap()), "each receipt has its cosignature");
    }
    let _ = assert_refused(sign_one_of(&host, &publisher, "other", 99), Code::PermissionDenied, "subject-not-granted", "other");
    // Those who wait when the host stops are told so, and lose nothing.
    witness.mood(Mood::Hangs);
    let waiting = std::thread::scope(|threads| {
        let waiting = threads.spawn(|| sign_one(&host, &publisher, 50));
        witness.answered(0);
        waiting.join().unwrap()
    });
    assert!(waiting.is_err());
    assert_eq!(host.stop(), Some(0));
}

fn sign_one_of(host: &KeyHost, publisher: &Publisher, subject: &str, n: u64) -> Result<SignResponse, Status> {
    block_on(async {
        let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
        sign(channel, digest_header("tarballs", subject, n), vec![]).await
    })
}
