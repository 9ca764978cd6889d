//! Keys in a token, made of SoftHSM: they sign as others do, and what happens to the token happens to its keys alone.

use crate::outside::{openssl_accepts, ssh_keygen_accepts};
use crate::wire::{assert_refused, block_on, digest_header, sign, wait_health};
use chancery_proto::v1::SignResponse;
use chancery_tests::{KeyHost, Output, Publisher, Setup, run, tool};
use rustix::process::Signal;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tonic::{Code, Status};
use tonic_health::pb::health_check_response::ServingStatus;

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "8-secret-digits";

/// A key host with the key `tarballs` in its keyring, and a SoftHSM beside it with the token `releases`.
pub(crate) struct Host {
    pub(crate) host: KeyHost,
    config: PathBuf,
    tokens: PathBuf,
}

impl Host {
    fn make() -> Option<Self> {
        let mut softhsm = tool("softhsm2-util")?;
        let setup = Setup::new().key("tarballs", "sshsig");
        let grant = |setup: Setup, key| setup.grant("web1", key, &["sshsig"], "prod", "namespaces = [\"file\"]");
        let host = grant(grant(setup, "tarballs"), "hard").make();
        let (config, tokens) = (host.temp().join("softhsm2.conf"), host.temp().join("tokens"));
        fs::create_dir(&tokens).unwrap();
        fs::write(&config, format!("directories.tokendir = {}\n", tokens.display())).unwrap();
        let init = ["--init-token", "--free", "--label", "releases", "--so-pin", "12345678", "--pin", PIN];
        let _ = run(softhsm.args(init).env("SOFTHSM2_CONF", &config)).ok();
        let mut made = Self { host, config, tokens };
        made.host.place(made.env());
        Some(made)
    }

    fn env(&self) -> Vec<String> {
        vec!["env".to_owned(), format!("SOFTHSM2_CONF={}", self.config.display())]
    }

    /// With the token added as `hsm` and the key `hard` in it, serving.
    fn start() -> Option<Self> {
        Self::start_behind(Vec::new())
    }

    pub(crate) fn start_behind(words: Vec<String>) -> Option<Self> {
        let mut made = Self::make()?;
        made.host.place([made.env(), words].concat());
        let _ = made.add(PIN, MODULE, "2 s").ok();
        let _ = made.chanceryd(&["key", "new", "hard", "--for", "sshsig", "--token", "hsm"]).ok();
        made.host.serve();
        Some(made)
    }

    fn chanceryd(&self, arguments: &[&str]) -> Output {
        run(self.host.chanceryd(arguments).arg("--dir").arg(self.host.dir()).env("SOFTHSM2_CONF", &self.config))
    }

    fn add(&self, pin: &str, module: &str, timeout: &str) -> Output {
        let file = self.host.temp().join("pin");
        fs::write(&file, pin).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let (read, write, pin) = (self.config.to_str().unwrap(), self.tokens.to_str().unwrap(), file.to_str().unwrap());
        let usual = ["token", "add", "hsm", "--module", module, "--label", "releases", "--timeout", timeout];
        self.chanceryd(&[&usual[..], &["--read", read, "--write", write, "--pin-file", pin]].concat())
    }

    /// The process of the token: a child of the keeper.
    pub(crate) fn token_pid(&self) -> u32 {
        let keeper = self.host.keeper_pid();
        let children = fs::read_to_string(format!("/proc/{keeper}/task/{keeper}/children")).unwrap();
        let is_it = |pid: &&str| fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("token-host"));
        children.split_whitespace().find(is_it).expect("the token has no process").parse().unwrap()
    }

    fn signature(&self, publisher: &Publisher, key: &str, n: u64) -> Result<SignResponse, Status> {
        block_on(async {
            let channel = publisher.connections(&self.host.endpoint(), 1).await.remove(0);
            sign(channel, digest_header(key, "prod", n), vec![]).await
        })
    }

    /// Waits until health says this of a key, and no longer than `patience`.
    fn wait_health(&self, publisher: &Publisher, key: &str, wanted: ServingStatus, patience: Duration) {
        block_on(async {
            let channel = publisher.connections(&self.host.endpoint(), 1).await.remove(0);
            wait_health(&channel, key, wanted, patience).await;
        });
    }

    /// The key in the token is out of service, everywhere where that is said, and nothing else is.
    fn only_the_token_is_gone(&self, publisher: &Publisher) {
        self.wait_health(publisher, "hard", ServingStatus::NotServing, Duration::from_secs(8));
        for well in ["tarballs", ""] {
            self.wait_health(publisher, well, ServingStatus::Serving, Duration::from_secs(5));
        }
        let before = Instant::now();
        let refused = self.signature(publisher, "hard", 70);
        let refusal =
            assert_refused(refused, Code::FailedPrecondition, "key-unreachable", "key hard cannot sign: token hsm is out of service");
        assert!(before.elapsed() < Duration::from_millis(1500), "it is refused at once, not after {:?}", before.elapsed());
        assert!(!refusal.retry && refusal.entry_index.is_some() && !refusal.receipt.is_empty(), "{refusal:?}");
        self.signature(publisher, "tarballs", 71).expect("other keys go on");
        let status = run(&mut publisher.chancery(&["status"]));
        assert!(status.code != 0 && status.stdout.contains("hard version 1  unreachable"), "{status:?}");
        assert!(status.stdout.contains("tarballs version 1  open"), "{status:?}");
    }
}

#[test]
fn ssh_keygen_accepts_what_a_key_in_a_token_signed() {
    let Some(mut token) = Host::start() else { return };
    let publisher = token.host.publisher("web1");
    let file = token.host.temp().join("tool.tar.gz");
    fs::write(&file, "released").unwrap();
    let sign = ["sign", "--key", "hard", "--as", "sshsig", "--namespace", "file", "--subject", "prod"];
    let said = run(publisher.chancery(&sign).arg(&file)).ok();
    assert!(said.stdout.contains("key hard version 1"), "{said:?}");
    let line = token.chanceryd(&["key", "export", "hard", "--format", "ssh"]).ok().stdout;
    let signature = token.host.temp().join("tool.tar.gz.sig");
    assert_ne!(ssh_keygen_accepts(&line, "file", &file, &signature), Some(false));
    token.wait_health(&publisher, "hard", ServingStatus::Serving, Duration::from_secs(5));
    let _ = run(&mut publisher.chancery(&["status"])).ok();

    let listed = token.chanceryd(&["key", "list"]).ok().stdout;
    assert!(listed.contains("hard  version 1, new") && listed.contains("in token hsm"), "{listed}");
    token.host.stop();
    // The next version is made in the token too, and signs after the next start.
    let _ = token.chanceryd(&["key", "rotate", "hard"]).ok();
    let checked = token.chanceryd(&["token", "check", "hsm"]).ok().stdout;
    assert_eq!(checked.matches("object ").count(), 2, "{checked}");
    assert!(!checked.contains("CAN LEAVE"), "{checked}");
    token.host.serve();
    publisher.point_at(&token.host.endpoint());
    assert_eq!(token.signature(&publisher, "hard", 1).unwrap().key_version, 2);
}

#[test]
fn a_token_signs_content_that_is_signed_as_a_whole_too() {
    let Some(mut token) = Host::make() else { return };
    let _ = token.add(PIN, MODULE, "20 s").ok();
    let _ = token.chanceryd(&["key", "new", "hard", "--for", "raw-ed25519", "--token", "hsm"]).ok();
    let policy = token
        .host
        .read("policy.toml")
        .replace("key = \"hard\"\nconstructions = [\"sshsig\"]", "key = \"hard\"\nconstructions = [\"raw-ed25519\"]");
    let (rest, last) = policy.rsplit_once("namespaces = ").unwrap();
    token.host.write("policy.toml", &format!("{rest}{}", last.split_once('\n').unwrap().1));
    token.host.serve();
    let publisher = token.host.publisher("web1");
    let file = token.host.temp().join("blob");
    let content: Vec<u8> = (0..3_000_000_u32).flat_map(|n| [n.to_le_bytes()[0], 0]).collect();
    fs::write(&file, &content).unwrap();
    let _ = run(publisher.chancery(&["sign", "--key", "hard", "--as", "raw-ed25519", "--subject", "prod"]).arg(&file)).ok();
    let pem = token.chanceryd(&["key", "export", "hard", "--format", "pem"]).ok().stdout;
    let signature = fs::read(token.host.temp().join("blob.sig")).unwrap();
    assert_ne!(openssl_accepts(&pem, &content, &signature), Some(false));
}

#[test]
fn a_backup_has_what_names_a_token_and_the_keys_in_it() {
    let Some(mut token) = Host::start() else { return };
    token.host.stop();
    let (sealed, shares) = (token.host.temp().join("keyhost.age"), token.host.temp().join("shares"));
    let mut backup = token.host.chanceryd_plain(&["backup", "--split", "2", "--of", "2", "--with-log"]);
    let _ = run(backup.arg("--to").arg(&sealed).arg("--shares").arg(&shares)).ok();
    fs::rename(token.host.dir(), token.host.temp().join("destroyed")).unwrap();
    let mut restore = token.host.chanceryd_plain(&["restore"]);
    let _ = run(restore.arg(&sealed).arg("--share").arg(shares.join("share-1.txt")).arg("--share").arg(shares.join("share-2.txt"))).ok();
    let checked = token.chanceryd(&["token", "check", "hsm"]).ok().stdout;
    assert!(checked.contains("token hsm answers") && checked.contains("\"hard\""), "{checked}");
    assert!(token.chanceryd(&["key", "list"]).ok().stdout.contains("in token hsm"));
}

#[test]
fn a_token_is_logged_in_to_when_an_operator_opens_the_keys() {
    let Some(mut token) = Host::start() else { return };
    let publisher = token.host.publisher("web1");
    token.host.stop();
    let mut serve = token.host.chanceryd_plain(&["serve", "--locked"]);
    let mut gateway = serve.env("SOFTHSM2_CONF", &token.config).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(gateway.stdout.take().unwrap()).lines().map(Result::unwrap);
    let locked = lines.next().unwrap();
    let endpoint = format!("https://{}", locked.strip_prefix("chanceryd locked on ").unwrap());
    let _ = token.chanceryd(&["key", "unlock"]).ok();
    assert!(lines.next().unwrap().starts_with("chanceryd ready on "));
    let signed = block_on(async {
        let channel = publisher.connections(&endpoint, 1).await.remove(0);
        sign(channel, digest_header("hard", "prod", 1), vec![]).await
    });
    KeyHost::signal(gateway.id(), Signal::TERM);
    assert!(gateway.wait().unwrap().success());
    signed.unwrap();
}

#[test]
fn no_process_of_a_token_outlives_its_keeper() {
    let Some(token) = Host::start() else { return };
    let (keeper, hanging) = (token.host.keeper_pid(), token.token_pid());
    KeyHost::signal(hanging, Signal::STOP);
    KeyHost::signal(keeper, Signal::KILL);
    KeyHost::wait_gone(hanging);
}

#[test]
fn a_key_that_a_token_has_already_is_taken_in_by_its_id() {
    let Some(mut token) = Host::make() else { return };
    let Some(mut openssl) = tool("openssl") else { return };
    let pem = token.host.temp().join("key.pem");
    let _ = run(openssl.args(["genpkey", "-algorithm", "ed25519", "-out"]).arg(&pem)).ok();
    let import = ["--token", "releases", "--label", "old one", "--id", "a1b2", "--pin", PIN, "--import"];
    let _ = run(tool("softhsm2-util").unwrap().args(import).arg(&pem).env("SOFTHSM2_CONF", &token.config)).ok();
    let added = token.add(PIN, MODULE, "2 s").ok().stdout;
    assert!(added.contains("object a1b2  \"old one\""), "{added}");
    let adopt = |id| token.chanceryd(&["key", "import", "hard", "--for", "sshsig", "--token", "hsm", "--object", id]);
    let _ = adopt("a1b3").failed(1, "has not exactly one Ed25519 key with the id a1b3");
    let _ = adopt("A1B").failed(2, "in hexadecimal");
    let adopted = adopt("a1b2").ok();
    assert!(adopted.stderr.contains("whoever has the PIN"), "{adopted:?}");
    token.host.serve();
    let publisher = token.host.publisher("web1");
    token.signature(&publisher, "hard", 1).unwrap();
    token.host.stop();

    // Somebody puts another key in its place. It is not the one that was taken in, so it is not used.
    fs::remove_dir_all(&token.tokens).unwrap();
    fs::create_dir(&token.tokens).unwrap();
    let softhsm = |arguments: &[&str]| run(tool("softhsm2-util").unwrap().args(arguments).env("SOFTHSM2_CONF", &token.config)).ok();
    let _ = softhsm(&["--init-token", "--free", "--label", "releases", "--so-pin", "12345678", "--pin", PIN]);
    let _ = run(tool("openssl").unwrap().args(["genpkey", "-algorithm", "ed25519", "-out"]).arg(&pem)).ok();
    let _ = softhsm(&[&import[..], &[pem.to_str().unwrap()]].concat());
    token.host.serve();
    let _ = token.host.wait_said(0, "the token does not have this key");
    publisher.point_at(&token.host.endpoint());
    token.wait_health(&publisher, "hard", ServingStatus::NotServing, Duration::from_secs(5));
    token.wait_health(&publisher, "tarballs", ServingStatus::Serving, Duration::from_secs(5));
}

#[test]
fn a_token_that_does_not_open_is_not_added() {
    let Some(token) = Host::make() else { return };
    let _ = token.add("wrong-pin", MODULE, "2 s").failed(1, "the PIN is wrong; take care");
    let _ = token.add(PIN, "/nowhere/module.so", "2 s").failed(1, "the PKCS#11 module cannot be loaded");
    let _ = token.add(PIN, "module.so", "2 s").failed(2, "not an absolute path");
    let _ = token.add(PIN, MODULE, "1 h").failed(2, "write a time up to 5 min");
    assert!(!token.host.dir().join("keys/hsm.token.toml").exists());
    let _ = token.chanceryd(&["token", "check", "hsm"]).failed(1, "there is no token hsm");
    let _ = token.add(PIN, MODULE, "2 s").ok();
    let _ = token.add(PIN, MODULE, "2 s").failed(1, "there is a token hsm already");
    let listed = token.chanceryd(&["token", "list"]).ok().stdout;
    assert!(listed.contains("hsm  \"releases\" in /usr/lib/softhsm/libsofthsm2.so, 2000 ms"), "{listed}");
}

#[test]
fn a_token_that_hangs_takes_its_own_keys_out_of_service_and_no_others() {
    let Some(token) = Host::start() else { return };
    let publisher = token.host.publisher("web1");
    token.signature(&publisher, "hard", 1).unwrap();
    let hanging = token.token_pid();
    KeyHost::signal(hanging, Signal::STOP);
    // While one request waits for the token, another key signs.
    let (refused, took) = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let before = Instant::now();
            (token.signature(&publisher, "hard", 2), before.elapsed())
        });
        for n in 3..10 {
            token.signature(&publisher, "tarballs", n).expect("the other key does not wait");
        }
        waiting.join().unwrap()
    });
    let refusal = assert_refused(refused, Code::FailedPrecondition, "key-unreachable", "did not answer in time");
    assert!(!refusal.retry && refusal.message.contains(&format!("Entry {} stands", refusal.entry_index.unwrap())), "{refusal:?}");
    assert!(took < Duration::from_secs(6), "the timeout was 2 s, it took {took:?}");
    KeyHost::wait_gone(hanging);
    token.only_the_token_is_gone(&publisher);
}

#[test]
fn a_token_whose_process_is_killed_is_noticed_without_a_request_and_is_back_after_a_start() {
    let Some(mut token) = Host::start() else { return };
    let publisher = token.host.publisher("web1");
    token.signature(&publisher, "hard", 1).unwrap();
    KeyHost::signal(token.token_pid(), Signal::KILL);
    token.only_the_token_is_gone(&publisher);
    token.host.stop();
    token.host.serve();
    publisher.point_at(&token.host.endpoint());
    token.wait_health(&publisher, "hard", ServingStatus::Serving, Duration::from_secs(5));
    token.signature(&publisher, "hard", 70).expect("what was recorded and not signed is signed when it is sent again");
}

#[test]
fn a_token_that_is_absent_at_the_start_keeps_nothing_else_from_signing() {
    let Some(mut token) = Host::start() else { return };
    token.host.stop();
    let away = token.tokens.with_extension("away");
    fs::rename(&token.tokens, &away).unwrap();
    fs::create_dir(&token.tokens).unwrap();
    token.host.serve();
    let _ = token.host.wait_said(0, "there is no token of this label");
    let publisher = token.host.publisher("web1");
    token.only_the_token_is_gone(&publisher);
}

#[test]
fn the_pin_and_the_description_of_a_token_are_sealed() {
    let Some(mut token) = Host::start() else { return };
    let pids = [token.host.gateway_pid(), token.host.keeper_pid(), token.token_pid()];
    for file in pids.iter().flat_map(|pid| ["cmdline", "environ"].map(|what| format!("/proc/{pid}/{what}"))) {
        // Of a process that cannot be traced, only root may see the environment: better still.
        let shown = fs::read(&file).unwrap_or_default();
        assert!(!shown.windows(PIN.len()).any(|w| w == PIN.as_bytes()), "{file} shows the PIN");
    }
    let _ = fs::remove_file(token.host.temp().join("pin"));
    let holds = run(Command::new("grep").args(["-rlF", PIN]).arg(token.host.temp()));
    assert_eq!(holds.stdout, "", "the PIN is in no file");
    token.host.stop();
    let file = token.host.read("keys/hsm.token.toml");
    for (from, to) in [(MODULE, "/tmp/evil.so"), ("network = false", "network = true"), ("\"2 s\"", "\"3 s\"")] {
        assert!(file.contains(from), "{from} is not in {file}");
        token.host.write("keys/hsm.token.toml", &file.replace(from, to));
        let said = token.host.try_serve().unwrap_err();
        assert!(said.contains("hsm.token.toml was changed since it was made"), "{said}");
    }
    token.host.write("keys/hsm.token.toml", &file);
    let key = token.host.read("keys/hard.toml");
    let object = key.lines().find(|line| line.starts_with("object = ")).unwrap();
    token.host.write("keys/hard.toml", &key.replace(object, "object = \"a1b2\""));
    assert!(token.host.try_serve().unwrap_err().contains("hard.toml was changed since it was made"));
}

/// A library that tries what it should not, as soon as it is loaded, and writes down what came of it.
const PRYING: &str = r#"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
static void say(FILE *out, const char *what, long came) { fprintf(out, "%s: %s\n", what, came < 0 ? "refused" : "ok"); }
__attribute__((constructor)) static void pry(void) {
    const char *path = getenv("PRY_OUT");
    FILE *out = path ? fopen(path, "w") : NULL;
    if (!out) return;
    say(out, "keys", open(getenv("PRY_KEYS"), O_RDONLY));
    say(out, "passphrase", open(getenv("PRY_PASSPHRASE"), O_RDONLY));
    say(out, "inherited file", fcntl(9, F_GETFD));
    say(out, "users", open("/etc/passwd", O_RDONLY));
    say(out, "network", socket(AF_INET, SOCK_STREAM, 0));
    say(out, "writable code", mmap(0, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
    char *none[] = {0};
    say(out, "program", execve("/bin/true", none, none));
    fclose(out);
}
"#;

#[test]
fn the_library_of_a_token_never_runs_outside_of_its_cell() {
    let (Some(token), Some(mut cc)) = (Host::make(), tool("cc")) else { return };
    let (source, module) = (token.host.temp().join("pry.c"), token.host.temp().join("lib/pry.so"));
    fs::create_dir(module.parent().unwrap()).unwrap();
    fs::write(&source, PRYING).unwrap();
    let _ = run(cc.args(["-shared", "-fPIC", "-o"]).arg(&module).arg(&source)).ok();
    let pin = token.host.temp().join("pin");
    fs::write(&pin, PIN).unwrap();
    fs::set_permissions(&pin, fs::Permissions::from_mode(0o600)).unwrap();
    let out = token.tokens.join("out");
    // As a careless start would leave it open.
    let mut add = Command::new("sh");
    let _ = add.args(["-c", "exec 9<\"$PRY_PASSPHRASE\"; exec \"$@\"", "sh"]).arg(chancery_tests::program("chanceryd"));
    let _ = add.args(["token", "add", "hsm", "--label", "releases", "--passphrase-fd", "9", "--module"]);
    let _ = add.arg(&module).arg("--write").arg(&token.tokens).arg("--pin-file").arg(&pin).arg("--dir").arg(token.host.dir());
    let _ = add.env("PRY_OUT", &out).env("PRY_KEYS", token.host.dir().join("keys/keyring.toml"));
    let _ = run(add.env("PRY_PASSPHRASE", token.host.passphrase_file())).failed(1, "the PKCS#11 module cannot be loaded");
    let said = fs::read_to_string(&out).unwrap();
    assert_eq!(said.lines().count(), 7, "{said}");
    assert!(said.lines().all(|line| line.ends_with(": refused")), "{said}");
}
