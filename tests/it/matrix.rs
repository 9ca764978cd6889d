//! Every construction before the programs that its users verify with: they accept what is signed, and nothing that differs from it.

use crate::outside::root;
use chancery_tests::{KeyHost, Publisher, Setup, run, skipped, tool};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

const CONTENT: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  tool-1.0.tar.gz\n";
const OTHER_CONTENT: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  tool-1.1.tar.gz\n";

/// A construction, how it is asked for, and who verifies it.
struct Row {
    construction: &'static str,
    kind: &'static str,
    key: &'static str,
    /// A key of the same kind that has signed nothing.
    other: &'static str,
    verifier: Verifier,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verifier {
    SshKeygen,
    Gpg,
    Sq,
    Minisign,
    Signify,
    Openssl,
    Chancery,
}

/// What is asked of a verifier. All but the first must be refused.
const COLUMNS: [&str; 6] = ["good", "flipped bit", "truncated", "other key", "other content", "other namespace"];

const ROWS: [Row; 19] = [
    Row { construction: "sshsig", kind: "sshsig", key: "ssh", other: "ssh2", verifier: Verifier::SshKeygen },
    Row { construction: "sshsig", kind: "sshsig", key: "ssh", other: "ssh2", verifier: Verifier::Chancery },
    Row { construction: "openpgp-detached", kind: "openpgp", key: "pgp", other: "pgp2", verifier: Verifier::Gpg },
    Row { construction: "openpgp-detached", kind: "openpgp", key: "pgp", other: "pgp2", verifier: Verifier::Sq },
    Row { construction: "openpgp-detached", kind: "openpgp", key: "pgp", other: "pgp2", verifier: Verifier::Chancery },
    Row { construction: "minisign", kind: "minisign", key: "mini", other: "mini2", verifier: Verifier::Minisign },
    Row { construction: "minisign", kind: "minisign", key: "mini", other: "mini2", verifier: Verifier::Chancery },
    Row { construction: "signify", kind: "signify", key: "sify", other: "sify2", verifier: Verifier::Signify },
    Row { construction: "signify", kind: "signify", key: "sify", other: "sify2", verifier: Verifier::Chancery },
    Row { construction: "checksums/sshsig", kind: "checksums", key: "sums-ssh", other: "ssh2", verifier: Verifier::SshKeygen },
    Row { construction: "checksums/openpgp", kind: "checksums", key: "sums-pgp", other: "pgp2", verifier: Verifier::Gpg },
    Row { construction: "checksums/openpgp", kind: "checksums", key: "sums-pgp", other: "pgp2", verifier: Verifier::Sq },
    Row { construction: "checksums/minisign", kind: "checksums", key: "sums-mini", other: "mini2", verifier: Verifier::Minisign },
    Row { construction: "checksums/signify", kind: "checksums", key: "sums-sify", other: "sify2", verifier: Verifier::Signify },
    Row { construction: "signed-note", kind: "signed-note", key: "note", other: "ssh2", verifier: Verifier::Chancery },
    Row { construction: "tuf", kind: "tuf", key: "tuf", other: "ssh2", verifier: Verifier::Openssl },
    Row { construction: "tuf", kind: "tuf", key: "tuf", other: "ssh2", verifier: Verifier::Chancery },
    Row { construction: "raw-ed25519", kind: "raw-ed25519", key: "raw", other: "ssh2", verifier: Verifier::Openssl },
    Row { construction: "raw-ed25519", kind: "raw-ed25519", key: "raw", other: "ssh2", verifier: Verifier::Chancery },
];

impl Verifier {
    /// What `CHANCERY_SKIP` calls it.
    fn skip(self) -> &'static str {
        if self == Self::Signify { "signify" } else { self.name() }
    }

    /// Its program.
    const fn name(self) -> &'static str {
        match self {
            Self::SshKeygen => "ssh-keygen",
            Self::Gpg => "gpg",
            Self::Sq => "sq",
            Self::Minisign => "minisign",
            Self::Signify => "signify-openbsd",
            Self::Openssl => "openssl",
            Self::Chancery => "chancery",
        }
    }

    /// In which form it wants a public key.
    const fn key_format(self) -> &'static str {
        match self {
            Self::SshKeygen => "ssh",
            Self::Gpg | Self::Sq => "openpgp",
            Self::Minisign => "minisign",
            Self::Signify => "signify",
            Self::Openssl | Self::Chancery => "pem",
        }
    }
}

fn host() -> KeyHost {
    let grants = [
        ("ssh", "sshsig", "namespaces = [\"file\"]"),
        ("pgp", "openpgp-detached", ""),
        ("mini", "minisign", ""),
        ("sify", "signify", ""),
        ("sums-ssh", "checksums/sshsig", "names = [\"tool-*\"]"),
        ("sums-pgp", "checksums/openpgp", "names = [\"tool-*\"]"),
        ("sums-mini", "checksums/minisign", "names = [\"tool-*\"]"),
        ("sums-sify", "checksums/signify", "names = [\"tool-*\"]"),
        ("note", "signed-note", ""),
        ("tuf", "tuf", "names = [\"timestamp\"]"),
        ("raw", "raw-ed25519", ""),
    ];
    let others = [("ssh2", "sshsig"), ("pgp2", "openpgp-detached"), ("mini2", "minisign"), ("sify2", "signify")];
    let mut setup = Setup::new();
    for (key, construction, more) in grants {
        setup = setup.key(key, construction).grant("web1", key, &[construction], "*", more);
    }
    for (key, construction) in others {
        setup = setup.key(key, construction);
    }
    let mut host = setup.make();
    for key in ["pgp", "pgp2", "sums-pgp"] {
        let mut certify = host.chanceryd(&["key", "certify", key, "--user-id", "Example Releases <release@example.org>"]);
        let _ = run(certify.arg("--dir").arg(host.dir())).ok();
    }
    host.serve();
    host
}

/// The content that a row signs: nothing that means something else may be signed raw, nor a list of checksums as a note.
fn content(row: &Row, text: &str) -> Vec<u8> {
    match row.kind {
        "raw-ed25519" => [b"\0\x01raw bytes ".as_slice(), text.as_bytes()].concat(),
        "tuf" => {
            let version = if text == CONTENT { 1 } else { 2 };
            let meta = "{\"snapshot.json\":{\"version\":1}}";
            let expires = "2030-01-01T00:00:00Z";
            let json = format!(
                "{{\"_type\":\"timestamp\",\"expires\":\"{expires}\",\"meta\":{meta},\"spec_version\":\"1.0.31\",\"version\":{version}}}"
            );
            json.into_bytes()
        }
        "signed-note" => format!("a note about\n{text}").into_bytes(),
        _ => text.as_bytes().to_vec(),
    }
}

/// One row at work: where its files are.
struct Bench<'a> {
    row: &'a Row,
    host: &'a KeyHost,
    publisher: &'a Publisher,
    dir: PathBuf,
}

impl Bench<'_> {
    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn sign(&self, file: &Path) -> Vec<u8> {
        let _ = run(self.publisher.chancery(&["sign", "--key", self.row.key, "--as", self.row.kind]).arg(file)).ok();
        let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", file.display()));
        let made = [".sig", ".asc", ".minisig"].map(beside).into_iter().find(|p| p.is_file()).unwrap();
        let bytes = fs::read(&made).unwrap();
        fs::remove_file(made).unwrap();
        bytes
    }

    /// Whether the verifier accepts.
    fn accepts(&self, signature: &[u8], file: &Path, key: &str, namespace: &str) -> bool {
        let verifier = self.row.verifier;
        let public = run(&mut self.host.chanceryd_plain(&["key", "export", key, "--format", verifier.key_format()])).ok().stdout;
        let public = self.file("key.pub", public.as_bytes());
        let signature = self.file("signature", signature);
        let mut command = tool(if verifier == Verifier::Chancery { "true" } else { verifier.name() }).unwrap();
        command.current_dir(&self.dir);
        match verifier {
            Verifier::SshKeygen => {
                let allowed = format!("me {}", fs::read_to_string(&public).unwrap());
                let allowed = self.file("allowed", allowed.as_bytes());
                command.args(["-Y", "verify", "-I", "me", "-n", namespace, "-f"]).arg(allowed).arg("-s").arg(signature);
                let status = command.stdin(fs::File::open(file).unwrap()).stdout(Stdio::null()).stderr(Stdio::null()).status();
                return status.unwrap().success();
            }
            Verifier::Gpg => {
                let home = tempfile::tempdir().unwrap();
                let gpg = || {
                    let mut gpg = tool("gpg").unwrap();
                    gpg.env("GNUPGHOME", home.path()).args(["--batch", "--no-tty", "--no-autostart"]);
                    gpg
                };
                let _ = run(gpg().arg("--import").arg(&public)).ok();
                return run(gpg().arg("--verify").arg(signature).arg(file)).code == 0;
            }
            Verifier::Sq => command.arg("verify").arg("--signer-cert").arg(public).arg("--detached").arg(signature).arg(file),
            Verifier::Minisign => command.args(["-V", "-H", "-p"]).arg(public).arg("-x").arg(signature).arg("-m").arg(file),
            Verifier::Signify => command.args(["-V", "-p"]).arg(public).arg("-x").arg(signature).arg("-m").arg(file),
            Verifier::Openssl => {
                command.args(["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey"]).arg(public);
                command.arg("-sigfile").arg(signature).arg("-in").arg(file)
            }
            Verifier::Chancery => {
                let verb = self.row.construction.split('-').next().filter(|verb| *verb == "openpgp").unwrap_or(self.row.construction);
                command = self.publisher.chancery(&["verify", verb, "--signature"]);
                command.arg(signature).arg(file);
                if verb == "sshsig" {
                    command.args(["--namespace", namespace]);
                }
                // Notes carry the name of their key, so there the pinned key is named.
                match (verb, key == self.row.key) {
                    ("signed-note", true) => command.args(["--key", key]),
                    _ => command.arg("--public-key").arg(public),
                }
            }
        };
        run(&mut command).code == 0
    }

    /// The verdicts, in the order of the columns; `None` where the column means nothing.
    fn verdicts(&self) -> [Option<bool>; 6] {
        let (row, good) = (self.row, "file");
        let file = self.file("tool-1.0", &content(row, CONTENT));
        let other_file = self.file("tool-1.1", &content(row, OTHER_CONTENT));
        let signature = self.sign(&file);
        let flipped = flip(&signature);
        let half = &signature[..signature.len() / 2];
        let ssh = row.construction == "sshsig" || row.construction == "checksums/sshsig";
        [
            Some(self.accepts(&signature, &file, row.key, good)),
            Some(self.accepts(&flipped, &file, row.key, good)),
            Some(self.accepts(half, &file, row.key, good)),
            Some(self.accepts(&signature, &file, row.other, good)),
            Some(self.accepts(&signature, &other_file, row.key, good)),
            ssh.then(|| self.accepts(&signature, &file, row.key, "git")),
        ]
    }
}

/// Changes one bit of the signature itself, or one letter of its base64.
fn flip(signature: &[u8]) -> Vec<u8> {
    let mut bytes = signature.to_vec();
    let text = String::from_utf8_lossy(signature);
    let at = match text.find("\n=").or_else(|| text.find("\n-----END")) {
        Some(end) => end - 20,
        // The second line of minisign and signify, behind the key's number; the last line of a note, before its end.
        None if text.starts_with("untrusted") => text.find('\n').unwrap() + 40,
        None if text.is_ascii() || text.contains('\u{2014}') => signature.len() - 20,
        None => 40,
    };
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    bytes
}

#[test]
fn every_construction_is_accepted_by_its_users_tools_and_by_them_only_as_it_was_signed() {
    let host = host();
    let publisher = host.publisher("web1");
    let mut table = format!("| construction | verified by | {} |\n|---|---|{}\n", COLUMNS.join(" | "), "---|".repeat(COLUMNS.len()));
    let mut wrong = Vec::new();
    for (n, row) in ROWS.iter().enumerate() {
        if skipped(row.verifier.skip()) {
            continue;
        }
        let dir = host.temp().join(format!("row{n}"));
        fs::create_dir(&dir).unwrap();
        let verdicts = Bench { row, host: &host, publisher: &publisher, dir }.verdicts();
        for (column, (name, verdict)) in COLUMNS.iter().zip(verdicts).enumerate() {
            if verdict.is_some_and(|accepted| accepted != (column == 0)) {
                wrong.push(format!("{} by {}: {name}: {verdict:?}", row.construction, row.verifier.name()));
            }
        }
        let words = verdicts.map(|v| v.map_or("", |accepted| if accepted { "accepted" } else { "refused" }));
        table.push_str(&format!("| `{}` | {} | {} |\n", row.construction, row.verifier.name(), words.join(" | ")));
    }
    println!("{table}");
    assert!(wrong.is_empty(), "{wrong:#?}");
    keep(&table);
}

/// The table is in the documents; with `CHANCERY_BLESS` it is written there.
fn keep(table: &str) {
    const BEGIN: &str = "<!-- matrix -->\n";
    const END: &str = "<!-- /matrix -->\n";
    if ROWS.iter().any(|row| skipped(row.verifier.skip())) {
        return;
    }
    let path = root().join("docs/formats.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("docs/formats.md has a place for the table");
    let (found, after) = rest.split_once(END).unwrap();
    if std::env::var_os("CHANCERY_BLESS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
    } else {
        assert_eq!(found, table, "run this test with CHANCERY_BLESS=1");
    }
}
