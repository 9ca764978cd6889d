//! The auditor's console: read without a script, and in a real browser.

use chancery_tests::{Browser, KeyHost, Publisher, Setup, http, program, run, tool};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

struct Console {
    child: Child,
    address: String,
    host: KeyHost,
    publisher: Publisher,
}

impl Console {
    fn start() -> Self {
        let mut host =
            Setup::new().key("tarballs", "sshsig").grant("web1", "tarballs", &["sshsig"], "tool-*", "namespaces = [\"file\"]").start();
        let publisher = host.publisher("web1");
        for subject in ["tool-1", "tool-2", "other"] {
            let _ = run(&mut sign(&publisher, subject));
        }
        assert_eq!(host.stop(), Some(0));
        let details = host.temp().join("all.jsonl");
        fs::write(&details, run(&mut host.chanceryd_plain(&["log", "disclose", "0.."])).ok().stdout).unwrap();
        let policies = host.temp().join("policies");
        fs::create_dir(&policies).unwrap();
        fs::copy(host.dir().join("policy.toml"), policies.join("1.toml")).unwrap();
        host.write("policy.toml", &format!("{}\n# another line\n", host.read("policy.toml")));
        fs::copy(host.dir().join("policy.toml"), policies.join("2.toml")).unwrap();
        // Once more, so that what the second start recorded is published.
        host.serve();
        assert_eq!(host.stop(), Some(0));
        host.serve();
        publisher.point_at(&host.endpoint());
        let mut command = Command::new(program("chancery-audit"));
        command.arg("serve").arg(host.public()).args(["--vkey", &host.vkey(), "--listen", "127.0.0.1:0", "--details"]).arg(details);
        let mut child = command.arg("--policies").arg(policies).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let _ = BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("chancery-audit console ready on http://").unwrap_or_else(|| panic!("{line:?}")).to_owned();
        Self { child, address, host, publisher }
    }

    fn get(&self, path: &str) -> String {
        let answer = http("GET", &self.address, path, "");
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    /// The index of the entry with this subject.
    fn entry(&self, subject: &str) -> String {
        let page = self.get(&format!("/entries?subject={subject}"));
        let (_, rest) = page.split_once("/entry/").unwrap_or_else(|| panic!("{page}"));
        rest.split('"').next().unwrap().to_owned()
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn sign(publisher: &Publisher, subject: &str) -> Command {
    let path = publisher.dir().join("file");
    fs::write(&path, format!("content of {subject}")).unwrap();
    let mut command = publisher.chancery(&["sign", "--key", "tarballs", "--as", "sshsig", "--subject", subject]);
    command.arg(path);
    command
}

#[test]
fn pages_are_read_without_a_script_and_hold_nothing_that_runs() {
    let console = Console::start();
    for (path, says) in [
        ("/", "Requests of 7 days"),
        ("/?period=24h", "Requests of 24 hours"),
        ("/entries", "tool-2"),
        ("/entries?kind=deny", "subject-not-granted"),
        ("/entries?key=tarballs", "tarballs"),
        ("/keys", "tarballs"),
        ("/policies", "# another line"),
        ("/witnesses", "localhost/requests"),
        ("/live", "http-equiv=\"refresh\""),
        ("/verify.html", "Verification key of the log"),
    ] {
        let answer = http("GET", &console.address, path, "");
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert!(answer.body.contains(says), "{path} should say {says:?}: {}", answer.body);
        assert!(answer.headers.contains("content-security-policy: default-src 'none'"), "{path}: {}", answer.headers);
        let inline = answer.body.contains("<script>") && path != "/verify.html";
        assert!(!inline && !answer.body.contains(" onclick="), "{path} has a script in it");
    }
    let shown = console.get(&format!("/entry/{}", console.entry("tool-1")));
    assert!(shown.contains("Verified here") && shown.contains("spiffe://localhost/publisher/web1"), "{shown}");
    for (path, status) in
        [("/entry/99999", 404), ("/entry/x", 404), ("/nothing", 404), ("/entries?since=yesterday", 400), ("/entries?digest=zz", 400)]
    {
        assert_eq!(http("GET", &console.address, path, "").status, status, "{path}");
    }
    let asked = http("GET", &console.address, "/entries?subject=%3Cimg%20src%3Dx%3E%22&key=%3Cscript%3E", "").body;
    assert!(asked.contains("&lt;img src=x&gt;&quot;") && !asked.contains("<img") && !asked.contains("<script>"), "{asked}");
    assert_eq!(http("POST", &console.address, "/entries", "").status, 405, "nothing can be changed");
}

#[test]
fn the_console_is_for_this_machine_or_for_holders_of_a_certificate() {
    let mut host = Setup::new().start();
    assert_eq!(host.stop(), Some(0));
    let host = host;
    // Made by OpenSSL, which does not read the keys that `chancery enroll-request` makes.
    let at = |name: &str| host.temp().join(name).to_str().unwrap().to_owned();
    let (own_key, request, profile, own) = (at("own.key"), at("own.csr"), at("own.toml"), at("own.crt"));
    let openssl = |arguments: &[&str]| run(tool("openssl").unwrap().args(arguments)).ok();
    let _ = openssl(&["genpkey", "-algorithm", "ed25519", "-out", &own_key]);
    let _ = openssl(&["req", "-new", "-key", &own_key, "-subj", "/CN=auditor1", "-out", &request]);
    let _ = run(&mut host.chanceryd_plain(&["enroll", "auditor1", "--role", "auditor", "--csr", &request, "--out", &profile])).ok();
    let table: toml::Table = fs::read_to_string(&profile).unwrap().parse().unwrap();
    fs::write(&own, table["certificate"].as_str().unwrap()).unwrap();
    let serve = |more: &[&str]| {
        let mut command = Command::new(program("chancery-audit"));
        command.arg("serve").arg(host.public()).args(["--vkey", &host.vkey()]).args(more);
        command
    };
    let _ = run(&mut serve(&["--listen", "0.0.0.0:0"])).failed(2, "--tls-certificate");
    let pki = host.dir().join("pki");
    let file = |name: &str| pki.join(name).to_str().unwrap().to_owned();
    let (certificate, key, ca) = (file("server.crt"), file("server.key"), file("ca.crt"));
    let tls = ["--listen", "127.0.0.1:0", "--tls-certificate", &certificate, "--tls-key", &key, "--client-ca", &ca];
    let mut child = serve(&tls).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let _ = BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().rsplit_once("https://").unwrap().1.to_owned();
    let ask = |more: &[&str]| {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-verify_quiet", "-connect", &address, "-CAfile", &ca]).args(more);
        let mut asking = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut input = asking.stdin.take().unwrap();
        let _ = std::io::Write::write_all(&mut input, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut text = String::new();
        let _ = asking.stdout.take().unwrap().read_to_string(&mut text);
        let _ = asking.wait();
        text
    };
    assert!(!ask(&[]).contains("200 OK"), "without a certificate");
    let answer = ask(&["-cert", &own, "-key", &own_key]);
    assert!(answer.contains("200 OK"), "{answer}");
    let _ = child.kill();
    let _ = child.wait();
}

#[test]
fn a_browser_verifies_the_proof_itself_and_shows_new_entries_as_they_come() {
    let Some(browser) = Browser::start(false) else { return };
    let console = Console::start();
    let base = format!("http://{}", console.address);
    browser.open(&base);
    browser.wait_for("document.querySelectorAll('tr.denied').length > 0");
    picture(&browser, "console-overview.png");
    browser.open(&format!("{base}/entry/{}", console.entry("tool-2")));
    browser.wait_for("document.getElementById('browser-proof').className === 'good'");
    picture(&browser, "console-entry.png");
    browser.open(&format!("{base}/live"));
    let before = console.get("/live.json");
    assert!(before.contains("\"rows\":[]"), "{before}");
    let _ = run(&mut sign(&console.publisher, "tool-new")).ok();
    browser.wait_for("document.querySelector('#live tbody tr.signed th a').href.endsWith('/entry/' + (document.querySelectorAll('#live tbody tr').length - 1))");
    drop(console);
}

#[test]
fn the_page_verifies_receipts_without_a_server() {
    let Some(browser) = Browser::start(true) else { return };
    let console = Console::start();
    let receipt = console.get(&format!("/entry/{}/receipt", console.entry("tool-1")));
    let page = console.host.temp().join("verify.html");
    let _ = run(Command::new(program("chancery-audit")).args(["verifier", "--out"]).arg(&page)).ok();
    browser.open(&format!("file://{}", page.display()));
    let verify = |text: &str, vkey: &str| {
        let fill = "document.getElementById('text').value = arguments[0]; document.getElementById('vkey').value = arguments[1]; \
                    document.getElementById('verdict').className = ''; document.getElementById('go').click();";
        let _ = browser.script(fill, &[text, vkey]);
        browser.wait_for("document.getElementById('verdict').className !== ''");
        browser.script("return document.getElementById('verdict').innerText", &[]).as_str().unwrap().to_owned()
    };
    let vkey = console.host.vkey();
    let good = verify(&receipt, &vkey);
    assert!(good.starts_with("Good: this is entry"), "{good}");
    picture(&browser, "verify.png");
    let other = Setup::new().make();
    for (what, text, key) in [
        ("another key", receipt.clone(), other.vkey()),
        ("another entry", flip(&receipt, "extra "), vkey.clone()),
        ("another index", receipt.replace("\nindex ", "\nindex 1"), vkey.clone()),
        ("another signature", flip(&receipt, "\u{2014} localhost/requests "), vkey.clone()),
        ("cut off", receipt[..receipt.len() - 9].to_owned(), vkey.clone()),
        ("nothing", String::new(), vkey.clone()),
    ] {
        let verdict = verify(&text, &key);
        assert!(verdict.starts_with("Not verified"), "{what}: {verdict}");
    }
}

/// Changes the eleventh character behind a marker.
fn flip(text: &str, behind: &str) -> String {
    let at = text.find(behind).unwrap() + behind.len() + 10;
    let other = if &text[at..=at] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}

/// Pictures for the documents: made anew with CHANCERY_BLESS=1.
fn picture(browser: &Browser, name: &str) {
    let path: PathBuf = crate::outside::root().join("docs/images").join(name);
    if std::env::var_os("CHANCERY_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        browser.screenshot(&path);
    }
    assert!(path.is_file(), "{} is missing: run with CHANCERY_BLESS=1", path.display());
}
