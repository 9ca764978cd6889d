use super::seal::Cost;
use super::*;
use crate::passphrase::Passphrase;
use chancery_channel::{KeyName, KeyState};
use chancery_formats::Construction::{OstreeCommitEd25519 as Commit, OstreeSummaryEd25519 as Summary, Sshsig};
use chancery_tlog::{Checkpoint, NoteSigner, sign_note};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const CHEAP: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };
const ORIGIN: &str = "signer.example/requests";
const NOW: u64 = 1_795_000_000;

fn keyring() -> (TempDir, Keyring) {
    let dir = tempfile::tempdir().unwrap();
    let keyring = Keyring::create_at(CHEAP, &dir.path().join("keys"), &Passphrase::for_tests("right words"), ORIGIN, NOW).unwrap();
    (dir, keyring)
}

fn keys_dir(dir: &TempDir) -> PathBuf {
    dir.path().join("keys")
}

fn reopen(dir: &TempDir) -> Result<Keyring, KeyError> {
    Keyring::open(&keys_dir(dir), &Passphrase::for_tests("right words"))
}

fn name(name: &str) -> KeyName {
    KeyName::new(name).unwrap()
}

/// Changes a file as somebody with an editor would.
fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// The value of a field of a file, as written.
fn value(path: &Path, field: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().find_map(|l| l.strip_prefix(&format!("{field} = "))).unwrap().to_owned()
}

#[test]
fn what_was_made_is_there_after_reopening_and_signs() {
    let (dir, keyring) = keyring();
    let made = keyring.new_key(name("release"), &[Commit, Summary, Commit], NOW).unwrap();
    assert_eq!((made.origin, made.description.version, made.description.created), (Origin::New, 1, NOW));
    assert_eq!(made.description.constructions, [Summary, Commit]);
    drop(keyring);

    let keys = reopen(&dir).unwrap().open_keys().unwrap();
    let key = keys.get(&name("release"), 1).unwrap();
    assert_eq!(*key.description(), chancery_channel::KeyDescription { state: KeyState::Open, ..made.description.clone() });
    for len in [0, 100, 70_000] {
        let message = vec![7; len];
        let signature = key.sign_bytes(&message).unwrap();
        chancery_formats::ed25519::verify(&made.description.public_key, &message, &signature).unwrap();
    }
    assert_eq!(keys.facts(&name("release"), NOW).unwrap().id, key.key_id());
    assert!(keys.get(&name("other"), 1).is_none());
}

#[test]
fn the_log_key_signs_notes_that_its_verification_key_opens() {
    let (dir, _) = keyring();
    let key = reopen(&dir).unwrap().log_key().unwrap();
    assert_eq!(*key.verifier_key(), log_verifier_key(&keys_dir(&dir)).unwrap());
    assert_eq!(key.name(), ORIGIN);
    let note = sign_note(&format!("{ORIGIN}\n0\n{}\n", chancery_tlog::Hash::EMPTY_ROOT), &key);
    assert_eq!(Checkpoint::open(&note, key.verifier_key()).unwrap().size, 0);
}

#[test]
fn public_parts_are_listed_without_a_passphrase() {
    let (dir, keyring) = keyring();
    keyring.new_key(name("zebra"), &[Sshsig], NOW).unwrap();
    keyring.new_key(name("ape"), &[Commit], NOW).unwrap();
    let names: Vec<String> = list(&keys_dir(&dir)).unwrap().into_iter().map(|p| p.description.name.to_string()).collect();
    assert_eq!(names, ["ape", "zebra"]);
    assert_eq!(find(&keys_dir(&dir), &name("ape")).unwrap().description.state, KeyState::Locked);
    assert_eq!(find(&keys_dir(&dir), &name("zebr")).unwrap_err().to_string(), "there is no key zebr; did you mean zebra?");
}

#[test]
fn a_wrong_passphrase_is_said_to_be_one_and_not_repeated() {
    let (dir, _) = keyring();
    let error = Keyring::open(&keys_dir(&dir), &Passphrase::for_tests("wrong words")).err().unwrap();
    let path = keys_dir(&dir).join("keyring.toml");
    assert_eq!(error.to_string(), format!("the passphrase is wrong, or {} was changed since it was made", path.display()));
}

#[test]
fn names_and_purposes_are_checked_before_anything_is_written() {
    let (dir, keyring) = keyring();
    keyring.new_key(name("release"), &[Commit], NOW).unwrap();
    let before = std::fs::read(keys_dir(&dir).join("release.toml")).unwrap();
    assert!(matches!(keyring.new_key(name("release"), &[Commit], NOW), Err(KeyError::Exists { .. })));
    assert_eq!(std::fs::read(keys_dir(&dir).join("release.toml")).unwrap(), before);
    for reserved in ["log", "keyring"] {
        assert!(matches!(keyring.new_key(name(reserved), &[Commit], NOW), Err(KeyError::Reserved { .. })));
    }
    assert!(matches!(keyring.new_key(name("both"), &[Commit, Sshsig], NOW), Err(KeyError::Purpose(_))));
    assert!(matches!(keyring.new_key(name("none"), &[], NOW), Err(KeyError::Purpose(_))));
    assert_eq!(list(&keys_dir(&dir)).unwrap().len(), 1);
}

#[test]
fn a_key_file_in_which_any_field_was_changed_does_not_open() {
    let (dir, keyring) = keyring();
    keyring.new_key(name("release"), &[Summary], NOW).unwrap();
    let other = keyring.new_key(name("other"), &[Summary], NOW).unwrap();
    let path = keys_dir(&dir).join("release.toml");
    let whole = std::fs::read(&path).unwrap();
    let sealed = value(&path, "sealed");
    let (first, other_first) = if sealed.starts_with("\"A") { ("\"A", "\"B") } else { (&sealed[..2], "\"A") };
    let flipped = sealed.replacen(first, other_first, 1);
    for (from, to) in [
        ("ostree-summary/ed25519", "ostree-commit/ed25519"),
        ("ostree-summary/ed25519", "sshsig"),
        ("version = 1", "version = 2"),
        ("created = \"2026", "created = \"2025"),
        ("origin = \"new\"", "origin = \"imported\""),
        (&value(&path, "public_key"), &format!("{:?}", super::file::encoded(&other.description.public_key))),
        (&sealed, &flipped),
        (&sealed, &value(&keys_dir(&dir).join("other.toml"), "sealed")),
    ] {
        edit(&path, from, to);
        let error = reopen(&dir).unwrap().open_keys().err().unwrap();
        // The file's name says the version too.
        let told = matches!(error, KeyError::Changed { .. }) || (from.starts_with("version") && matches!(error, KeyError::Renamed { .. }));
        assert!(told, "{from} -> {to}: {error}");
        std::fs::write(&path, &whole).unwrap();
    }
    assert!(reopen(&dir).unwrap().open_keys().is_ok());
}

#[test]
fn a_key_file_that_is_not_one_is_refused_with_its_place() {
    let (dir, keyring) = keyring();
    keyring.new_key(name("release"), &[Summary], NOW).unwrap();
    let path = keys_dir(&dir).join("release.toml");
    let whole = std::fs::read(&path).unwrap();
    for (from, to, line) in [
        ("version = 1", "version = 1\nexportable = true", 5),
        ("chancery-key/v1", "chancery-key/v2", 1),
        ("\"ed25519\"", "\"rsa\"", 1),
        ("created = \"2026", "created = \"soon 2026", 1),
        ("ostree-summary/ed25519", "gpg", 6),
    ] {
        edit(&path, from, to);
        let error = list(&keys_dir(&dir)).unwrap_err();
        assert!(matches!(error, KeyError::Malformed { line: l, .. } if l == line), "{from} -> {to}: {error}");
        std::fs::write(&path, &whole).unwrap();
    }
    std::fs::rename(&path, keys_dir(&dir).join("renamed.toml")).unwrap();
    assert!(matches!(list(&keys_dir(&dir)), Err(KeyError::Renamed { .. })));
}

#[test]
fn a_keyring_or_log_key_in_which_any_field_was_changed_does_not_open() {
    let (dir, _) = keyring();
    let (ring, log) = (keys_dir(&dir).join("keyring.toml"), keys_dir(&dir).join("log.toml"));
    let wholes = (std::fs::read(&ring).unwrap(), std::fs::read(&log).unwrap());
    for (from, to) in
        [("memory_kib = 8", "memory_kib = 16"), ("passes = 1", "passes = 2"), ("argon2id", "argon2i"), ("salt = \"", "salt = \"AA")]
    {
        edit(&ring, from, to);
        assert!(matches!(reopen(&dir), Err(KeyError::Passphrase { .. })), "{from}");
        std::fs::write(&ring, &wholes.0).unwrap();
    }
    for (from, to) in [("signer.example", "other.example"), ("created = \"2026", "created = \"2025")] {
        edit(&log, from, to);
        assert!(matches!(reopen(&dir).unwrap().log_key(), Err(KeyError::Changed { .. })), "{from}");
        std::fs::write(&log, &wholes.1).unwrap();
    }
}

#[test]
fn a_key_of_another_keyring_does_not_open() {
    let ((dir, _), (other, theirs)) = (keyring(), keyring());
    theirs.new_key(name("release"), &[Summary], NOW).unwrap();
    std::fs::copy(keys_dir(&other).join("release.toml"), keys_dir(&dir).join("release.toml")).unwrap();
    assert!(matches!(reopen(&dir).unwrap().open_keys(), Err(KeyError::Changed { .. })));
}

#[test]
fn files_are_for_us_alone_and_refused_when_they_are_not() {
    let (dir, keyring) = keyring();
    keyring.new_key(name("release"), &[Summary], NOW).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&keys_dir(&dir)), 0o700);
    for file in ["keyring.toml", "log.toml", "release.toml"] {
        let path = keys_dir(&dir).join(file);
        assert_eq!(mode(&path), 0o600, "{file}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o604)).unwrap();
        let opened = reopen(&dir).and_then(|k| k.open_keys().and(k.log_key()));
        assert!(matches!(opened, Err(KeyError::Guard(_))), "{file}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    std::fs::set_permissions(keys_dir(&dir), std::fs::Permissions::from_mode(0o750)).unwrap();
    assert!(matches!(list(&keys_dir(&dir)), Err(KeyError::Guard(_))));
}

#[test]
fn a_keyring_is_made_once_and_never_over_key_files() {
    let (dir, _) = keyring();
    let again = || Keyring::create_at(CHEAP, &keys_dir(&dir), &Passphrase::for_tests("other words"), ORIGIN, NOW).err().unwrap();
    assert!(matches!(again(), KeyError::KeyringExists { .. }));
    std::fs::remove_file(keys_dir(&dir).join("keyring.toml")).unwrap();
    assert!(matches!(again(), KeyError::Orphan { .. }));
    assert!(matches!(reopen(&dir), Err(KeyError::NoKeyring { .. })));
    let fresh = tempfile::tempdir().unwrap();
    let bad = Keyring::create_at(CHEAP, &fresh.path().join("k"), &Passphrase::for_tests("right words"), "has space", NOW);
    assert!(matches!(bad, Err(KeyError::Origin { .. })));
}

#[test]
fn an_imported_key_signs_and_says_that_it_was_imported() {
    let (dir, keyring) = keyring();
    let file = dir.path().join("seed");
    std::fs::write(&file, "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(ImportedSeed::read(&file), Err(ImportError::Guard(_))));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let made = keyring.import(name("old"), &[Commit], &ImportedSeed::read(&file).unwrap(), None, NOW).unwrap();
    assert_eq!(made.origin, Origin::Imported);
    assert_eq!(crate::text::hex(&made.description.public_key), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    let signature = keyring.open_keys().unwrap().get(&name("old"), 1).unwrap().sign_bytes(b"").unwrap();
    assert_eq!(crate::text::hex(&signature[..8]), "e5564300c360ac72");
}

#[test]
fn a_rotated_key_signs_with_the_old_version_until_its_end_and_then_with_the_new_one() {
    let (dir, keyring) = keyring();
    let first = keyring.new_key(name("release"), &[Commit, Summary], NOW).unwrap().description;
    keyring.new_key(name("release-2"), &[Sshsig], NOW).unwrap();
    let second = keyring.rotate(&name("release"), NOW + 100, NOW + 10).unwrap().description;
    assert_eq!((second.version, second.retires, &second.constructions), (2, None, &first.constructions));
    assert_ne!(first.public_key, second.public_key);
    let third = keyring.rotate(&name("release"), NOW + 200, NOW + 20).unwrap().description;
    assert_eq!(third.version, 3);
    drop(keyring);
    let keyring = reopen(&dir).unwrap();
    let keys = keyring.open_keys().unwrap();
    for (now, version) in [(NOW, 1), (NOW + 99, 1), (NOW + 100, 2), (NOW + 199, 2), (NOW + 200, 3)] {
        assert_eq!(keys.facts(&name("release"), now).unwrap().description.version, version, "{now}");
    }
    assert_eq!(keys.facts(&name("release-2"), NOW).unwrap().description.name, name("release-2"));
    let listed: Vec<_> =
        list(&keys_dir(&dir)).unwrap().into_iter().map(|p| (p.description.name.to_string(), p.description.version)).collect();
    assert_eq!(listed, [("release", 1), ("release", 2), ("release", 3), ("release-2", 1)].map(|(n, v)| (n.to_owned(), v)));
    assert_eq!(find(&keys_dir(&dir), &name("release")).unwrap().description.version, 3);

    let end = keyring.retire(&name("release"), None, NOW + 300, NOW + 20).unwrap().description;
    assert_eq!((end.version, end.retires), (3, Some(NOW + 300)));
    assert!(matches!(keyring.retire(&name("release"), Some(1), NOW + 900, NOW + 100), Err(KeyError::Retired { version: 1, .. })));
    assert!(matches!(keyring.retire(&name("release"), Some(9), NOW, NOW), Err(KeyError::NoVersion { version: 9, .. })));
    let after = reopen(&dir).unwrap().open_keys().unwrap();
    assert!(after.facts(&name("release"), NOW + 300).unwrap().description.is_retired(NOW + 300));
}

fn token_settings() -> crate::token::Settings {
    crate::token::Settings {
        module: "/usr/lib/module.so".to_owned(),
        label: "releases".to_owned(),
        read: vec!["/etc/module.conf".to_owned()],
        write: vec!["/var/lib/module".to_owned()],
        network: false,
        timeout: std::time::Duration::from_secs(5),
    }
}

#[test]
fn the_pin_of_a_token_opens_only_with_everything_else_in_its_file() {
    let (dir, keyring) = keyring();
    let pin = Pin::new(&Passphrase::for_tests("1234")).unwrap();
    assert!(matches!(Pin::new(&Passphrase::for_tests(&"1".repeat(128))), Err(KeyError::PinLength { max: 127 })));
    assert_eq!(Pin::new(&Passphrase::for_tests(&"1".repeat(127))).unwrap().as_bytes().len(), 127);
    keyring.add_token(&name("hsm"), &token_settings(), "5 s", &pin, NOW).unwrap();
    let again = keyring.add_token(&name("hsm"), &token_settings(), "5 s", &pin, NOW);
    assert!(matches!(again, Err(KeyError::TokenExists { .. })));
    let (part, opened) = reopen(&dir).unwrap().token(&name("hsm")).unwrap();
    assert_eq!((part.settings, opened.as_bytes()), (token_settings(), &b"1234"[..]));
    assert!(matches!(keyring.token(&name("hsn")), Err(KeyError::UnknownToken { .. })));
    // A token is no key, and the other way round.
    assert_eq!((list(&keys_dir(&dir)).unwrap().len(), tokens(&keys_dir(&dir)).unwrap().len()), (0, 1));
    assert_eq!(token_names(&keys_dir(&dir)).unwrap(), [name("hsm")]);

    let path = keys_dir(&dir).join("hsm.token.toml");
    let whole = std::fs::read(&path).unwrap();
    for (from, to) in [
        ("/usr/lib/module.so", "/tmp/module.so"),
        ("releases", "others"),
        ("/etc/module.conf", "/etc/shadow"),
        ("write = [\"/var/lib/module\"]", "write = [\"/\"]"),
        ("read = ", "write = "),
        ("network = false", "network = true"),
        ("\"5 s\"", "\"50 s\""),
        ("created = \"2026", "created = \"2025"),
    ] {
        edit(&path, from, to);
        if from == "read = " {
            edit(&path, "write = [\"/var", "read = [\"/var");
        }
        let error = reopen(&dir).unwrap().token(&name("hsm")).err().unwrap();
        assert!(matches!(error, KeyError::Changed { .. }), "{from} -> {to}: {error}");
        std::fs::write(&path, &whole).unwrap();
    }
    edit(&path, "/usr/lib/module.so", "module.so");
    assert!(matches!(tokens(&keys_dir(&dir)), Err(KeyError::Malformed { .. })));
}

#[test]
fn a_key_in_a_token_that_is_not_there_is_listed_and_cannot_sign() {
    let (dir, keyring) = keyring();
    let place = InToken { token: name("hsm"), object: "a1b2".parse().unwrap() };
    let public = keyring.new_key(name("other"), &[Sshsig], NOW).unwrap().description.public_key;
    let key = KeyInToken { place: place.clone(), public };
    let made = keyring.add(name("hard"), &[Sshsig], Origin::New, &super::keyring::Material::InToken(&key), NOW).unwrap();
    assert_eq!(made.token, Some(place));
    assert!(list(&keys_dir(&dir)).unwrap().iter().any(|part| part.token.is_none()), "other keys say nothing of tokens");
    let keys = reopen(&dir).unwrap().open_keys().unwrap();
    let states: Vec<_> = keys.descriptions().into_iter().map(|k| (k.name.to_string(), k.state)).collect();
    assert_eq!(states, [("hard".to_owned(), KeyState::Unreachable), ("other".to_owned(), KeyState::Open)]);
    assert!(keys.get(&name("hard"), 1).unwrap().sign_bytes(b"bytes").is_err());
    assert_eq!(keys.tokens().len(), 1);
    // The seal binds what is public, though nothing secret is in it.
    keyring.retire(&name("hard"), None, NOW + 1, NOW).unwrap();
    let path = keys_dir(&dir).join("hard.toml");
    let whole = std::fs::read(&path).unwrap();
    for (from, to) in [("\"hsm\"", "\"hsn\""), ("\"a1b2\"", "\"a1b3\""), ("\"sshsig\"", "\"minisign\"")] {
        edit(&path, from, to);
        assert!(matches!(reopen(&dir).unwrap().open_keys(), Err(KeyError::Changed { .. })), "{from} -> {to}");
        std::fs::write(&path, &whole).unwrap();
    }
    edit(&path, "object = \"a1b2\"\n", "");
    assert!(matches!(list(&keys_dir(&dir)), Err(KeyError::Malformed { .. })));
}

#[test]
fn ids_of_objects_are_written_in_one_way() {
    let id = |text: &str| text.parse::<ObjectId>().map(|id| id.to_string()).map_err(|_| ());
    assert_eq!((id("a1B2"), id("00")), (Ok("a1b2".to_owned()), Ok("00".to_owned())));
    for bad in ["", "a", "a1b", "+1", "g0", &"00".repeat(65)] {
        assert_eq!(id(bad), Err(()), "{bad}");
    }
}

#[test]
fn the_end_of_a_key_cannot_be_edited_away() {
    let (dir, keyring) = keyring();
    keyring.new_key(name("release"), &[Summary], NOW).unwrap();
    keyring.retire(&name("release"), None, NOW, NOW).unwrap();
    let path = keys_dir(&dir).join("release.toml");
    let line = format!("retires = {}\n", value(&path, "retires"));
    edit(&path, &line, "");
    assert!(matches!(keyring.open_keys(), Err(KeyError::Changed { .. })));
}
