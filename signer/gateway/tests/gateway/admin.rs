//! `init` and `enroll`.

use crate::pki::{Authority, write};
use crate::program::{Place, Run};
use chanceryd::identity::identify;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::time::{Duration, SystemTime};
use x509_parser::prelude::{FromDer as _, X509Certificate};

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

#[test]
fn init_makes_a_key_host_that_only_its_owner_can_read() {
    let place = Place::with_host(Run::Play);
    for (name, mode) in [
        ("host", 0o700),
        ("host/pki", 0o700),
        ("host/ca/ca.key", 0o600),
        ("host/pki/server.key", 0o600),
        ("host/pki/ca.crt", 0o644),
        ("host/signer.toml", 0o600),
        ("host/policy.toml", 0o600),
    ] {
        assert_eq!(place.mode(name), mode, "{name}");
    }
    assert_eq!(place.asked(), [format!("init --json --dir {}", place.host().display())]);
    let server = der(&place.read("host/pki/server.crt"));
    let (_, server) = X509Certificate::from_der(&server).unwrap();
    let names = server.subject_alternative_name().unwrap().unwrap();
    assert_eq!(format!("{:?}", names.value.general_names), "[DNSName(\"localhost\")]");
    let policy: toml::Table = place.read("host/policy.toml").parse().unwrap();
    assert!(policy.is_empty(), "everything in it is a comment, so everything is denied");
}

#[test]
fn init_says_as_json_what_it_made() {
    let place = Place::new(Run::Play);
    let host = place.host();
    let done = place.chanceryd(&["init", host.to_str().unwrap(), "--name", "signer.example.org", "--name", "::1", "--json"]);
    let made: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(
        (made["trust_domain"].as_str(), made["log_vkey"].as_str()),
        (Some("signer.example.org"), Some("example.org/log+01020304+AAAA"))
    );
    let config: toml::Table = place.read("host/signer.toml").parse().unwrap();
    assert_eq!(config["keeper"]["origin"].as_str(), Some("signer.example.org/requests"));
    assert_eq!(config["gateway"]["endpoints"].to_string(), r#"["https://signer.example.org:7443"]"#);
}

#[test]
fn init_overwrites_nothing() {
    let place = Place::with_host(Run::Play);
    let before = (place.read("host/ca/ca.key"), place.read("host/signer.toml"));
    let host = place.host();
    for name in ["signer.toml", "policy.toml", "pki"] {
        let done = place.chanceryd(&["init", host.to_str().unwrap()]);
        assert_eq!(done.code, Some(2));
        assert!(done.err.contains("exists already"), "{}", done.err);
        assert_eq!((place.read("host/ca/ca.key").as_str(), before.1.len()), (before.0.as_str(), before.1.len()));
        if name != "pki" {
            std::fs::remove_file(host.join(name)).unwrap();
        }
    }
    assert_eq!(place.asked().len(), 1, "the keeper was asked for the first one only");
}

#[test]
fn init_that_fails_leaves_nothing_in_the_way_of_another_try() {
    let place = Place::new(Run::Play);
    let host = place.host();
    let keeper = place.path().join("keeper.sh");
    let good = place.read("keeper.sh");
    write(&keeper, "#!/bin/sh\necho 'the two passphrases differ' >&2\nexit 1\n");
    let done = place.chanceryd(&["init", host.to_str().unwrap()]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.starts_with("the two passphrases differ\nchanceryd: "), "{}", done.err);
    assert!(!host.exists());
    write(&keeper, &good);
    assert_eq!(place.chanceryd(&["init", host.to_str().unwrap()]).code, Some(0));
}

#[test]
fn init_that_is_interrupted_while_it_asks_for_the_passphrase_leaves_nothing() {
    let place = Place::new(Run::Play);
    let keeper = place.path().join("keeper.sh");
    let good = place.read("keeper.sh");
    // Ctrl-C on a terminal reaches both.
    write(&keeper, "#!/bin/sh\nkill -INT $PPID\nkill -INT $$\n");
    let host = place.host();
    let done = place.chanceryd(&["init", host.to_str().unwrap()]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(!host.exists());
    write(&keeper, &good);
    assert_eq!(place.chanceryd(&["init", host.to_str().unwrap()]).code, Some(0));
}

#[test]
fn names_that_would_break_a_file_are_refused() {
    let place = Place::new(Run::Play);
    let host = place.host();
    for (option, bad) in
        [("--name", "Signer"), ("--name", "a/b"), ("--name", "*.x.org"), ("--name", ""), ("--origin", "a\"\nb"), ("--origin", "a+b")]
    {
        let done = place.chanceryd(&["init", host.to_str().unwrap(), option, bad]);
        assert_eq!(done.code, Some(2), "{bad:?}: {done:?}");
        assert!(done.err.contains("is not allowed"), "{}", done.err);
    }
    assert!(!host.exists());
}

#[test]
fn enroll_gives_a_certificate_for_the_key_of_the_request_and_none_of_its_names() {
    let place = Place::with_host(Run::Play);
    let mut asked = CertificateParams::new(["admin.example.org".to_owned()]).unwrap();
    asked.distinguished_name.push(DnType::CommonName, "root");
    asked.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    for (name, kind) in [("ed", &PKCS_ED25519), ("ec", &PKCS_ECDSA_P256_SHA256)] {
        let key = KeyPair::generate_for(kind).unwrap();
        write(&place.path().join("web.csr"), &asked.serialize_request(&key).unwrap().pem().unwrap());
        let done = place.chanceryd(&["enroll", name, "--role", "auditor", "--csr", "web.csr", "--days", "7", "--json"]);
        assert_eq!(done.code, Some(0), "{done:?}");
        let said: serde_json::Value = serde_json::from_str(&done.out).unwrap();
        let principal = format!("spiffe://localhost/auditor/{name}");
        assert_eq!(said["principal"], principal);
        let profile: toml::Table = place.read(&format!("{name}.toml")).parse().unwrap();
        assert_eq!((profile["principal"].as_str(), profile["format"].as_integer()), (Some(principal.as_str()), Some(1)));
        let leaf = der(profile["certificate"].as_str().unwrap());
        let identity = identify(&leaf).unwrap();
        assert_eq!(identity.principal.as_str(), principal);
        let week = SystemTime::now() + Duration::from_secs(7 * 86_400);
        assert!(identity.not_after <= week && identity.not_after > week - Duration::from_secs(120));
        let (_, leaf) = X509Certificate::from_der(&leaf).unwrap();
        assert_eq!(leaf.public_key().subject_public_key.data.as_ref(), key.public_key_raw());
        assert_eq!(leaf.subject().to_string(), "");
        let usage = leaf.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && !usage.server_auth && !leaf.is_ca());
    }
}

#[test]
fn a_profile_has_all_that_a_client_needs() {
    let place = Place::with_host(Run::Play);
    let done = place.chanceryd(&["enroll", "web1", "--role", "publisher", "--generate", "--out", "profiles.toml"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let profile: toml::Table = place.read("profiles.toml").parse().unwrap();
    assert_eq!(profile["endpoints"].to_string(), r#"["https://localhost:0"]"#);
    assert_eq!((profile["log_vkey"].as_str(), profile["key_file"].as_str()), (Some("example.org/log+01020304+AAAA"), Some("web1.key")));
    assert_eq!(profile["ca"].as_str().unwrap(), place.read("host/pki/ca.crt"));
    let key = profile["keys"][0].as_table().unwrap();
    assert_eq!((key["name"].as_str(), key["version"].as_integer(), key["public_key"].as_str()), (Some("release"), Some(3), Some("BwcH")));
    assert_eq!(key["constructions"].to_string(), r#"["sshsig"]"#);
    assert_eq!(key["created"].as_integer(), Some(17));
    assert_eq!(key.len(), 5, "the client refuses fields that it does not know");
    assert_eq!(place.mode("web1.key"), 0o600);
    assert!(place.read("web1.key").starts_with("-----BEGIN PRIVATE KEY-----"));
}

#[test]
fn enroll_refuses_names_that_are_no_names_and_files_that_are_no_requests() {
    let place = Place::with_host(Run::Play);
    for bad in ["", "Web1", "../x", "a/b", "a b", "-a", "a-", "a\0b", "ä", &"a".repeat(65)] {
        if bad.contains('\0') {
            continue;
        }
        let done = place.chanceryd(&["enroll", "--role", "publisher", "--generate", "--", bad]);
        assert_eq!(done.code, Some(2), "{bad:?}: {done:?}");
    }
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let good = CertificateParams::default().serialize_request(&key).unwrap();
    let mut forged = good.der().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let forged = pem(&forged);
    for (what, text) in [("forged", forged), ("a certificate", Authority::new().pem), ("nothing", String::new())] {
        write(&place.path().join("bad.csr"), &text);
        let done = place.chanceryd(&["enroll", "web1", "--role", "publisher", "--csr", "bad.csr"]);
        assert_eq!(done.code, Some(1), "{what}: {done:?}");
        assert!(done.err.contains("is not a certificate request that can be used"), "{what}: {}", done.err);
    }
    assert!(!place.path().join("web1.toml").exists());
}

#[test]
fn enroll_overwrites_nothing() {
    let place = Place::with_host(Run::Play);
    for taken in ["web1.key", "web1.toml"] {
        write(&place.path().join(taken), "precious");
        let done = place.chanceryd(&["enroll", "web1", "--role", "publisher", "--generate"]);
        assert_eq!((done.code, place.read(taken).as_str()), (Some(2), "precious"), "{done:?}");
        std::fs::remove_file(place.path().join(taken)).unwrap();
        assert_eq!(std::fs::read_dir(place.path()).unwrap().filter(|f| format!("{f:?}").contains("web1")).count(), 0, "no half profile");
    }
}

#[test]
fn certificates_for_one_key_have_numbers_of_their_own_so_that_one_is_revoked_without_the_others() {
    let place = Place::with_host(Run::Play);
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    write(&place.path().join("web.csr"), &CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap());
    let enroll = |name: &str, out: &str| place.chanceryd(&["enroll", name, "--role", "publisher", "--csr", "web.csr", "--out", out]);
    // A client that needs the pins of a new key is enrolled again with the request that it made once.
    for (name, out) in [("web1", "first.toml"), ("web1", "again.toml"), ("web2", "other.toml")] {
        let done = enroll(name, out);
        assert_eq!(done.code, Some(0), "{done:?}");
    }
    let number = |profile: &str| {
        let profile: toml::Table = place.read(profile).parse().unwrap();
        let leaf = der(profile["certificate"].as_str().unwrap());
        let (_, leaf) = X509Certificate::from_der(&leaf).unwrap();
        let number = leaf.raw_serial().to_vec();
        assert!(number.len() == 20 && number[0] & 0x80 == 0, "{number:02x?}");
        number
    };
    let [first, again, other] = ["first.toml", "again.toml", "other.toml"].map(number);
    assert!(first != again && again != other && first != other);
    let done = place.chanceryd(&["revoke", "--certificate", "other.toml", "--json"]);
    let said: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    let hex: String = other.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!((said["added"][0].as_str(), said["revoked"].as_u64()), (Some(hex.as_str()), Some(1)), "{done:?}");
}

fn pem(der: &[u8]) -> String {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let mut base64 = Command::new("base64").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    base64.stdin.take().unwrap().write_all(der).unwrap();
    let text = String::from_utf8(base64.wait_with_output().unwrap().stdout).unwrap();
    format!("-----BEGIN CERTIFICATE REQUEST-----\n{text}-----END CERTIFICATE REQUEST-----\n")
}
