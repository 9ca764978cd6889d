//! An honest key host.

use crate::support::{FakeHost, KEY, Publisher, block_on};
use chancery::{HashAlgorithm, StateStore};
use std::process::{Command, Stdio};

#[test]
fn a_file_is_signed_and_stock_ssh_keygen_accepts_it() {
    let host = FakeHost::start();
    let publisher = Publisher::of(&host);
    publisher.write("tool.tar", &vec![7; 3_000_000], 0o644);
    let ran = publisher.chancery(&["sign", "tool.tar", "--key", KEY, "--as", "sshsig", "--namespace", "file"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.out, "signed tool.tar -> tool.tar.sig (key release version 1, entry 1)\n");
    assert_eq!(
        publisher.made(),
        ["tool.tar", "tool.tar.sig", "tool.tar.sig.tlog-proof", "web1.toml.checkpoint", "web1.toml.checkpoint.lock"]
    );

    publisher.write("allowed", format!("web1 {}\n", host.public().to_openssh("")).as_bytes(), 0o644);
    let mut ssh = Command::new("ssh-keygen");
    ssh.current_dir(publisher.path("")).args(["-Y", "verify", "-f", "allowed", "-I", "web1", "-n", "file", "-s", "tool.tar.sig"]);
    ssh.stdin(std::fs::File::open(publisher.path("tool.tar")).unwrap()).stdout(Stdio::null());
    assert!(ssh.status().expect("the ssh-keygen program is installed").success());
}

#[test]
fn what_was_signed_is_verified_without_the_key_host() {
    let host = FakeHost::start();
    let publisher = Publisher::of(&host);
    publisher.write("a", b"alpha", 0o644);
    assert_eq!(publisher.chancery(&["sign", "a", "--key", KEY, "--as", "sshsig", "--hash", "sha256", "--subject", "x"]).code, 0);
    let (public, vkey) = (host.public().to_openssh("k"), host.log_key().to_string());
    drop(host);
    let by_key = ["verify", "sshsig", "a", "--public-key", &public, "--receipt", "a.sig.tlog-proof", "--log-vkey", &vkey];
    let ran = publisher.chancery(&by_key);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("good: recorded as entry 1 of signer.example/requests"), "{ran:?}");
    assert_eq!(publisher.chancery(&["verify", "sshsig", "a", "--key", KEY]).code, 0);
    assert_eq!(publisher.chancery(&["verify", "receipt", "a.sig.tlog-proof"]).code, 0);

    let ran = publisher.chancery(&["verify", "sshsig", "a", "--key", KEY, "--namespace", "git"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("the SSH signature is for namespace \"file\", expected was \"git\""), "{ran:?}");
    publisher.write("a", b"other", 0o644);
    assert_eq!(publisher.chancery(&["verify", "sshsig", "a", "--key", KEY]).code, 1);
}

#[test]
fn a_receipt_of_another_signature_is_not_taken() {
    let host = FakeHost::start();
    let publisher = Publisher::of(&host);
    for name in ["a", "b"] {
        publisher.write(name, name.as_bytes(), 0o644);
    }
    assert_eq!(publisher.chancery(&["sign", "a", "b", "--key", KEY, "--as", "sshsig"]).code, 0);
    let ran = publisher.chancery(&["verify", "sshsig", "a", "--key", KEY, "--receipt", "b.sig.tlog-proof"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("the entry in the receipt has another tbs than this signature"), "{ran:?}");
}

#[test]
fn json_has_the_facts() {
    let host = FakeHost::start();
    let publisher = Publisher::of(&host);
    publisher.write("a", b"alpha", 0o644);
    let ran = publisher.chancery(&["sign", "a", "--key", KEY, "--as", "sshsig", "--json"]);
    let facts: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let signed = &facts["signed"][0];
    assert_eq!((&signed["file"], &signed["signature"], &signed["entry"]), (&"a".into(), &"a.sig".into(), &1.into()));
    assert_eq!(signed["key_id"], chancery::hex(&host.public().key_id()));
}

#[test]
fn the_library_signs_digests_and_returns_what_it_verified() {
    let host = FakeHost::start();
    let publisher = Publisher::of(&host);
    block_on(async {
        let client = publisher.client(StateStore::Memory).await;
        let signature = client.sign_digest(KEY, "tool", "file", HashAlgorithm::Sha512, &[3; 64]).await.unwrap();
        assert!(signature.framed().starts_with(b"-----BEGIN SSH SIGNATURE-----"));
        assert_eq!(signature.key().public, host.public());
        assert_eq!(signature.receipt().index(), 1);
    });
    assert_eq!(publisher.made(), [""; 0], "a client without a state file writes none");
}

#[test]
fn a_new_publisher_makes_its_own_key() {
    let host = FakeHost::start();
    let publisher = Publisher::of(&host);
    let ran = publisher.chancery(&["enroll-request", "web2"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("chanceryd enroll web2 --role publisher --csr web2.csr"));
    let request = String::from_utf8(publisher.read("web2.csr")).unwrap();
    rcgen::CertificateSigningRequestParams::from_pem(&request).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(publisher.path("web2.key")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let before = publisher.read("web2.key");
    assert_eq!(publisher.chancery(&["enroll-request", "web2"]).code, 2);
    assert_eq!(publisher.read("web2.key"), before, "a key is never overwritten");
}
