//! The coreutils of GNU check the lists that we read, and we read theirs.

use super::peer;
use chancery_formats::checksums::{Algorithm, Checksums, Form};

const FILES: [&str; 6] = ["m", "./two words", "sub/dir file", "(1)", "é* = a", "..."];

#[test]
fn we_read_the_lists_of_coreutils_as_they_do() {
    if super::skipped("coreutils") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("sub")).unwrap();
    FILES.iter().for_each(|file| std::fs::write(dir.path().join(file), file).unwrap());
    for (tool, algorithm) in [("sha256sum", Algorithm::Sha256), ("sha512sum", Algorithm::Sha512)] {
        for (option, form) in [("--text", Form::Gnu), ("--binary", Form::Gnu), ("--tag", Form::Bsd)] {
            let made = peer(tool, dir.path(), &[&[option, "--"], &FILES[..]].concat(), b"");
            assert!(made.status.success(), "{made:?}");
            let list = Checksums::parse(&made.stdout).unwrap();
            assert_eq!((list.form, list.algorithm), (form, algorithm));
            assert!(list.entries.iter().map(|e| e.name).eq(FILES), "{list:?}");
            let check = |list: &[u8]| peer(tool, dir.path(), &["-c", "--strict"], list);
            let checked = check(&made.stdout);
            assert!(checked.status.success(), "{checked:?}");
            let seen = String::from_utf8(checked.stdout).unwrap();
            assert!(seen.lines().eq(FILES.map(|file| format!("{file}: OK"))), "{seen}");
            // A list of another file, which both still read.
            let mut changed = made.stdout.clone();
            let digit = changed.iter().rposition(u8::is_ascii_hexdigit).unwrap();
            changed[digit] = if changed[digit] == b'0' { b'1' } else { b'0' };
            assert!(Checksums::parse(&changed).is_ok() && !check(&changed).status.success());
        }
    }
}

#[test]
fn names_that_coreutils_escape_are_refused() {
    if super::skipped("coreutils") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for file in ["back\\slash", "new\nline"] {
        std::fs::write(dir.path().join(file), file).unwrap();
        for option in ["--text", "--tag"] {
            let made = peer("sha256sum", dir.path(), &[option, "--", file], b"");
            assert!(made.status.success(), "{made:?}");
            assert!(Checksums::parse(&made.stdout).is_err(), "{}", String::from_utf8_lossy(&made.stdout));
        }
    }
}
