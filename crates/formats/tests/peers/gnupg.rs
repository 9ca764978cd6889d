//! GnuPG and Sequoia check our OpenPGP signatures and certificates, and we check theirs.

use chancery_formats::openpgp::{Block, Hash, Hasher, PublicKey, SelfSignature, Signature, Unsigned, UserId, armor, certificate};
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::process::{Command, Output};

const CREATED: u32 = 1_700_000_000;
const MESSAGE: &[u8] = b"what is signed\n";

fn hashed(hash: Hash, document: &[u8]) -> Hasher {
    let mut hasher = Hasher::new(hash);
    hasher.update(document);
    hasher
}

fn run(dir: &Path, program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.current_dir(dir).env("GNUPGHOME", dir).env("HOME", dir).args(arguments);
    command.output().unwrap_or_else(|e| panic!("{program} is needed ({e}); CHANCERY_SKIP={program} does without"))
}

fn gpg(dir: &Path, arguments: &[&str]) -> Output {
    run(dir, "gpg", &[&["--batch", "--no-tty", "--quiet", "--no-autostart"], arguments].concat())
}

/// A key whose signature's first number may be short: the seed says which.
fn key(seed: u8) -> (SigningKey, PublicKey) {
    let secret = SigningKey::from_bytes(&Sha256::digest([seed]).into());
    let point = secret.verifying_key().to_bytes();
    (secret, PublicKey { created: CREATED, point })
}

fn certified(secret: &SigningKey, key: PublicKey, created: u32, expires: Option<u32>) -> Vec<u8> {
    let user = UserId::new("Example Releases <release@example.org>").unwrap();
    let word = SelfSignature::of_user(key, &user, created, expires);
    certificate(&key, &user, &word.packet(&secret.sign(word.tbs()).to_bytes()))
}

fn signed(secret: &SigningKey, key: PublicKey, hash: Hash, created: u32) -> Vec<u8> {
    let unsigned = Unsigned { key, hash, created };
    // From a state, as a publisher sends it.
    let document = Hasher::resume(&hashed(hash, MESSAGE).state()).unwrap();
    let tbs = unsigned.tbs(document);
    unsigned.packet(&tbs, &secret.sign(&tbs).to_bytes())
}

fn home(certificate: &[u8]) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    for (name, bytes) in [("cert.pgp", certificate), ("message", MESSAGE), ("other", b"another message\n")] {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

#[test]
fn gpg_believes_our_signatures_for_their_document_and_key_only() {
    if super::skipped("gpg") {
        return;
    }
    let (secret, public) = key(1);
    let dir = home(&certified(&secret, public, CREATED, None));
    assert!(gpg(dir.path(), &["--import", "cert.pgp"]).status.success());
    // Many, so that some have numbers with zeros before them.
    for n in 0..40 {
        let hash = if n % 2 == 0 { Hash::Sha512 } else { Hash::Sha256 };
        let packet = signed(&secret, public, hash, CREATED + n);
        let file = if n % 3 == 0 { armor(Block::Signature, &packet).into_bytes() } else { packet.clone() };
        std::fs::write(dir.path().join("sig"), &file).unwrap();
        let good = gpg(dir.path(), &["--verify", "sig", "message"]);
        assert!(good.status.success(), "{n}: {good:?}");
        assert!(!gpg(dir.path(), &["--verify", "sig", "other"]).status.success());
        let mut bad = packet.clone();
        *bad.last_mut().unwrap() ^= 1;
        std::fs::write(dir.path().join("sig"), &bad).unwrap();
        assert!(!gpg(dir.path(), &["--verify", "sig", "message"]).status.success());
        std::fs::write(dir.path().join("sig"), &packet[..packet.len() - 1]).unwrap();
        assert!(!gpg(dir.path(), &["--verify", "sig", "message"]).status.success());
    }
    let (other, other_public) = key(2);
    std::fs::write(dir.path().join("sig"), signed(&other, other_public, Hash::Sha512, CREATED)).unwrap();
    assert!(!gpg(dir.path(), &["--verify", "sig", "message"]).status.success());
}

#[test]
fn sequoia_believes_our_signatures_and_certificates() {
    if super::skipped("sq") {
        return;
    }
    let (secret, public) = key(3);
    let dir = home(&certified(&secret, public, CREATED, None));
    let verify = ["verify", "--signer-cert", "cert.pgp", "--detached", "sig"];
    for hash in [Hash::Sha256, Hash::Sha512] {
        std::fs::write(dir.path().join("sig"), signed(&secret, public, hash, CREATED + 5)).unwrap();
        let good = run(dir.path(), "sq", &[&verify[..], &["message"]].concat());
        assert!(good.status.success(), "{good:?}");
        assert!(!run(dir.path(), "sq", &[&verify[..], &["other"]].concat()).status.success());
    }
}

#[test]
fn gpg_reads_user_id_end_and_revocation_of_our_certificates() {
    if super::skipped("gpg") {
        return;
    }
    let (secret, public) = key(4);
    let list = |dir: &Path| String::from_utf8(gpg(dir, &["--with-colons", "--list-keys"]).stdout).unwrap();
    let dir = home(&certified(&secret, public, CREATED, Some(4_000_000_000)));
    assert!(gpg(dir.path(), &["--import", "cert.pgp"]).status.success());
    let fingerprint: String = public.fingerprint().iter().map(|b| format!("{b:02X}")).collect();
    let text = list(dir.path());
    assert!(
        text.contains(&fingerprint) && text.contains("Example Releases <release@example.org>") && text.contains("4000000000"),
        "{text}"
    );
    // A longer life, certified later.
    std::fs::write(dir.path().join("cert.pgp"), certified(&secret, public, CREATED + 9, Some(4_100_000_000))).unwrap();
    assert!(gpg(dir.path(), &["--import", "cert.pgp"]).status.success());
    assert!(list(dir.path()).contains("4100000000"));
    let word = SelfSignature::of_revocation(public, CREATED + 20, "replaced");
    std::fs::write(dir.path().join("revoked"), armor(Block::PublicKey, &word.packet(&secret.sign(word.tbs()).to_bytes()))).unwrap();
    assert!(gpg(dir.path(), &["--import", "revoked"]).status.success());
    assert!(list(dir.path()).contains("pub:r:"), "{}", list(dir.path()));
}

#[test]
fn we_believe_the_signatures_of_gpg() {
    if super::skipped("gpg") {
        return;
    }
    let dir = home(b"");
    let made = run(dir.path(), "gpg", &["--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "a", "ed25519", "sign", "never"]);
    assert!(made.status.success(), "{made:?}");
    let key = run(dir.path(), "gpg", &["--batch", "--export"]).stdout;
    // Its packet's header, version, time, algorithm, curve, and the number's length and first byte come before the point.
    let point: [u8; 32] = key[2 + 1 + 4 + 1 + 10 + 3..][..32].try_into().unwrap();
    for (digest, armored) in [("SHA512", true), ("SHA256", false)] {
        let mut arguments = vec!["--batch", "--yes", "--quiet", "--digest-algo", digest, "--output", "sig", "--detach-sign"];
        if armored {
            arguments.push("--armor");
        }
        assert!(run(dir.path(), "gpg", &[&arguments[..], &["message"]].concat()).status.success());
        let all = Signature::read_all(&std::fs::read(dir.path().join("sig")).unwrap()).unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].verify(&point, hashed(all[0].hash(), MESSAGE)), Ok(()));
        assert!(all[0].verify(&point, hashed(all[0].hash(), b"other")).is_err());
    }
    run(dir.path(), "gpgconf", &["--kill", "all"]);
}
