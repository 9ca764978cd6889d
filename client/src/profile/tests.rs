use super::read::parse;
use super::*;
use crate::testing::{Key, certificate};
use std::os::unix::fs::PermissionsExt;

const VKEY: &str = "signer.example/requests+eca62d7a+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";

fn good() -> String {
    let pem = certificate();
    let public = Key::new("release").public().to_ostree();
    format!(
        "format = 1\nprincipal = \"spiffe://example.org/publisher/web1\"\nendpoints = [\"https://signer.example:7443\"]\n\
         key_file = \"web1.key\"\nlog_vkey = \"{VKEY}\"\nca = '''\n{pem}'''\ncertificate = '''\n{pem}'''\n\n\
         [[keys]]\nname = \"release\"\nversion = 1\npublic_key = \"{public}\"\nconstructions = [\"sshsig\"]\n"
    )
}

/// The message for a profile in which `from` is replaced by `to`, without the path.
fn fault(from: &str, to: &str) -> String {
    let text = good();
    assert!(text.contains(from), "{from}");
    let error = parse("/etc/p.toml".as_ref(), &text.replacen(from, to, 1)).unwrap_err().to_string();
    error.strip_prefix("/etc/p.toml:").unwrap().to_owned()
}

#[test]
fn a_profile_pins_the_log_and_the_keys_and_finds_its_private_key_beside_it() {
    let profile = parse("/etc/chancery/p.toml".as_ref(), &good()).unwrap();
    assert_eq!(profile.principal(), "spiffe://example.org/publisher/web1");
    assert_eq!(profile.key_file(), Path::new("/etc/chancery/web1.key"));
    assert_eq!(profile.log().to_string(), VKEY);
    assert_eq!(profile.endpoints()[0].as_str(), "https://signer.example:7443");
    assert_eq!(profile.versions_of("release").map(|k| k.version).collect::<Vec<_>>(), [1]);
    assert!(profile.certificate_expires().unwrap() > 0);
}

#[test]
fn faults_are_reported_with_their_line() {
    assert_eq!(fault("format = 1", "format = 2"), "1: this program reads profiles of format 1 only; a newer one is needed");
    assert_eq!(
        fault("https://signer.example:7443", "http://signer.example:7443"),
        "3: an endpoint has the form https://HOST:PORT, without a path"
    );
    assert_eq!(fault("[\"https://signer.example:7443\"]", "[]"), "3: at least one endpoint is needed");
    assert!(fault("key_file", "keyfile").starts_with("4: unknown field `keyfile`"));
    assert!(fault("eca62d7a", "eca62d7b").starts_with("5: the key id does not belong"), "{}", fault("eca62d7a", "eca62d7b"));
    let wrong = fault("ca = ", &format!("witness_vkeys = [\"{VKEY}\"]\nca = "));
    assert!(wrong.starts_with("6: the key of signer.example/requests is not one for cosignatures"), "{wrong}");
    assert!(fault("'''\n-----BEGIN", "'''\n-----BEGUN").starts_with("6: expected certificates in PEM"));
    assert!(fault("\"sshsig\"", "\"sshsig\", \"raw\"").contains(": no construction is named \"raw\""));
    assert!(fault("public_key = \"", "public_key = \"A").contains("not an Ed25519 public key in the form of OSTree"));
    let key = &good()[good().find("[[keys]]").unwrap()..];
    assert!(fault("[[keys]]", &format!("{key}[[keys]]")).ends_with(": key release version 1 is pinned twice"));
}

#[test]
fn a_profile_that_everybody_can_write_to_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.toml");
    assert!(matches!(Profile::load(&path), Err(ProfileError::Missing { .. })));
    chancery_reqlog::durable::write_atomic(&path, good().as_bytes(), 0o644).unwrap();
    Profile::load(&path).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o646)).unwrap();
    assert!(matches!(Profile::load(&path), Err(ProfileError::Writable { .. })));
}

#[test]
fn a_private_key_that_others_can_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("web1.key");
    chancery_reqlog::durable::write_atomic(&path, b"key", 0o600).unwrap();
    assert_eq!(read_private_key(&path).unwrap(), "key");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    assert!(matches!(read_private_key(&path), Err(KeyFileError::Mode { mode: 0o644, .. })));
    assert!(matches!(read_private_key(dir.path()), Err(KeyFileError::NotAFile { .. })));
}

#[test]
fn endpoints_are_urls_without_anything_hidden_in_them() {
    for good in ["https://signer.example:7443", "https://127.0.0.1:7443/", "https://[::1]:7443"] {
        assert!(good.parse::<Endpoint>().is_ok(), "{good}");
    }
    for bad in ["signer.example:7443", "http://a:1", "https://a:1/x", "https://u:p@a:1", "https://a:1?x", "https://a:1#x", ""] {
        assert!(bad.parse::<Endpoint>().is_err(), "{bad}");
    }
}
