//! What goes wrong on a key host: each has a clear error, and secrets stay where they are.

use crate::wire::{block_on, digest_header, sign};
use chancery_proto::v1::SignResponse;
use chancery_tests::{KeyHost, PASSPHRASE, Publisher, Setup, program, run};
use ed25519_dalek::SigningKey;
use sha2::{Digest as _, Sha512};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::process::Command;
use tonic::Status;

fn setup() -> Setup {
    Setup::new().key("tarballs", "sshsig").grant("web1", "tarballs", &["sshsig"], "prod", "namespaces = [\"file\"]")
}

fn sign_one(host: &KeyHost, publisher: &Publisher, n: u64) -> Result<SignResponse, Status> {
    block_on(async {
        let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
        sign(channel, digest_header("tarballs", "prod", n), vec![]).await
    })
}

#[test]
fn a_passphrase_file_that_others_can_read_is_refused() {
    let mut host = setup().make();
    fs::set_permissions(host.passphrase_file(), fs::Permissions::from_mode(0o644)).unwrap();
    let said = host.try_serve().unwrap_err();
    assert!(said.contains("0644") && said.contains("chmod 600"), "{said}");
}

#[test]
fn a_second_key_host_on_the_same_directory_is_refused() {
    let host = setup().start();
    let publisher = host.publisher("web1");
    let second = run(host.chanceryd(&["serve"]).arg("--dir").arg(host.dir()));
    assert!(second.code != 0 && second.stderr.contains("another process is writing the log"), "{second:?}");
    sign_one(&host, &publisher, 1).expect("the first one is not disturbed");
}

#[test]
fn programs_say_what_to_do_when_there_is_no_key_host() {
    let empty = tempfile::tempdir().unwrap();
    let output = run(Command::new(program("chanceryd")).args(["serve", "--dir"]).arg(empty.path()));
    let _ = output.failed(2, "chanceryd init");
}

#[test]
fn a_file_where_the_log_should_be_is_named_and_left_alone() {
    let mut host = setup().make();
    let log = host.dir().join("log");
    let _ = fs::remove_dir_all(&log);
    fs::write(&log, "somebody's file").unwrap();
    let said = host.try_serve().unwrap_err();
    assert!(said.contains(log.to_str().unwrap()), "it names the path: {said}");
    assert_eq!(fs::read_to_string(&log).unwrap(), "somebody's file");
}

#[test]
fn the_running_processes_show_no_secret_and_hold_keys_in_locked_memory() {
    let host = setup().start();
    for pid in [host.gateway_pid(), host.keeper_pid()] {
        for what in ["cmdline", "environ"] {
            let bytes = match fs::read(format!("/proc/{pid}/{what}")) {
                // Of a process that cannot be traced, only root may see the environment: better still.
                Err(error) if error.kind() == ErrorKind::PermissionDenied => continue,
                bytes => bytes.unwrap(),
            };
            assert!(!bytes.windows(PASSPHRASE.len()).any(|w| w == PASSPHRASE.as_bytes()), "{what} shows the passphrase");
        }
    }
    let keeper = |what: &str| fs::read_to_string(format!("/proc/{}/{what}", host.keeper_pid())).unwrap();
    let locked = keeper("status").lines().find_map(|l| l.strip_prefix("VmLck:").map(|n| n.trim().to_owned())).unwrap();
    assert_ne!(locked, "0 kB", "keys are not in locked memory");
    let core = keeper("limits").lines().find(|l| l.starts_with("Max core file size")).unwrap().to_owned();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "a crash would write the keys to a file: {core}");
}

/// What nobody may find, by name.
pub(crate) struct Secrets(Vec<(&'static str, Vec<u8>)>);

impl Secrets {
    /// All that is made of the seed when it signs (RFC 8032 section 5.1.5), as bytes and as the words that SHA-512 works on.
    fn of_seed(seed: &[u8; 32]) -> Self {
        let words = |bytes: &[u8]| bytes.chunks(8).flat_map(|word| word.iter().rev().copied().collect::<Vec<_>>()).collect::<Vec<u8>>();
        let expanded = Sha512::digest(seed);
        let key = SigningKey::from_bytes(seed);
        let (scalar, prefix) = expanded.split_at(32);
        Self(vec![
            ("the seed", seed.to_vec()),
            ("the seed as words", words(seed)),
            ("the scalar before clamping", scalar.to_vec()),
            ("the scalar before clamping as words", words(scalar)),
            ("the clamped scalar", clamped(scalar)),
            ("the reduced scalar", key.to_scalar().to_bytes().to_vec()),
            ("the prefix", prefix.to_vec()),
            ("the prefix as words", words(prefix)),
            ("the passphrase", PASSPHRASE.as_bytes().to_vec()),
        ])
    }

    /// Which of them is in these bytes; half of one is enough.
    pub(crate) fn found_in(&self, bytes: &[u8]) -> Option<&'static str> {
        let mut parts = vec![Vec::new(); 1 << 16];
        for (name, secret) in &self.0 {
            for half in [secret.split_at(secret.len() / 2).0, secret.split_at(secret.len() / 2).1] {
                parts[usize::from(u16::from_be_bytes([half[0], half[1]]))].push((*name, half));
            }
        }
        let at =
            |n: usize| parts[usize::from(bytes[n]) << 8 | usize::from(bytes[n + 1])].iter().find(|(_, half)| bytes[n..].starts_with(half));
        (1..bytes.len()).find_map(|end| at(end - 1)).map(|(name, _)| *name)
    }
}

fn clamped(scalar: &[u8]) -> Vec<u8> {
    let mut scalar = scalar.to_vec();
    scalar[0] &= 248;
    scalar[31] = scalar[31] & 127 | 64;
    scalar
}

/// A key host that signed with a key which the test knows, and serves.
pub(crate) fn with_known_key() -> (KeyHost, Secrets) {
    let mut host = setup().make();
    let seed: [u8; 32] = std::array::from_fn(|n| (n as u8).wrapping_mul(37) ^ 0x5a);
    let file = host.temp().join("seed");
    fs::write(&file, seed.iter().map(|b| format!("{b:02x}")).collect::<String>()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let import =
        ["key", "import", "known", "--for", "sshsig", "--passphrase-file", host.passphrase_file().to_str().unwrap()].map(str::to_owned);
    let import: Vec<&str> = import.iter().map(String::as_str).collect();
    let _ = run(host.chanceryd_plain(&import).arg("--from").arg(&file)).ok();
    let grant = "[[grant]]\nprincipal = \"spiffe://localhost/publisher/web1\"\nkey = \"known\"\nconstructions = [\"sshsig\"]\nsubject = \"**\"\nnamespaces = [\"file\"]\n";
    host.write("policy.toml", grant);
    host.serve();
    let publisher = host.publisher("web1");
    let signed = host.temp().join("signed");
    fs::write(&signed, "content").unwrap();
    let _ = run(publisher.chancery(&["sign", "--key", "known", "--as", "sshsig"]).arg(&signed)).ok();
    (host, Secrets::of_seed(&seed))
}

/// Searches all memory of a process, as root can; a debugger could do no more.
#[test]
fn the_memory_of_a_running_keeper_shows_no_key_even_to_root() {
    let (host, secrets) = with_known_key();
    let pid = host.keeper_pid();
    let memory = match fs::File::open(format!("/proc/{pid}/mem")) {
        // Only root may look at all.
        Err(error) => return assert_eq!(error.kind(), ErrorKind::PermissionDenied),
        Ok(memory) => memory,
    };
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let has_secret_memory = maps.contains("/secretmem");
    let (mut read, mut hidden, mut found) = (0, 0, Vec::new());
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, to) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let [from, to] = [from, to].map(|n| u64::from_str_radix(n, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        if memory.read_exact_at(&mut bytes, from).is_err() {
            hidden += usize::from(line.contains("/secretmem"));
            continue;
        }
        read += bytes.len();
        assert!(!line.contains("/secretmem"), "secret memory can be read: {line}");
        found.extend(secrets.found_in(&bytes).map(|secret| format!("{secret} lies in {line}")));
    }
    println!("searched {read} bytes; secret memory: {has_secret_memory}; found: {found:?}");
    // Without secret memory the key itself lies there, in locked pages.
    assert!(found.is_empty() || !has_secret_memory, "{found:#?}");
    assert!(read > 100_000, "only {read} bytes were searched");
    assert_eq!(hidden > 0, has_secret_memory);
}

#[test]
fn the_key_of_a_publishers_certificate_stays_on_its_side() {
    let host = setup().make();
    let dir = host.temp().join("web1");
    fs::create_dir(&dir).unwrap();
    let _ = run(Command::new(program("chancery")).args(["enroll-request", "web1", "--out"]).arg(&dir)).ok();
    let mut enroll = host.chanceryd_plain(&["enroll", "web1", "--role", "publisher"]);
    let profile = dir.join("web1.toml");
    let _ = run(enroll.arg("--csr").arg(dir.join("web1.csr")).arg("--out").arg(&profile)).ok();
    let key = fs::read_to_string(dir.join("web1.key")).unwrap();
    let secret = key.lines().nth(1).unwrap();
    let holds = run(Command::new("grep").args(["-rlF", secret]).arg(host.temp())).stdout;
    assert_eq!(holds.trim(), dir.join("web1.key").to_str().unwrap(), "only there");
    assert_eq!(fs::metadata(dir.join("web1.key")).unwrap().permissions().mode() & 0o777, 0o600);
}
