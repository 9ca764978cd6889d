use super::*;
use proptest::prelude::*;

const SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn sha512() -> String {
    [SHA256, SHA256].concat()
}

fn fault(text: &str) -> (ContentFault, usize) {
    let error = Checksums::parse(text.as_bytes()).unwrap_err();
    assert_eq!(error.document, Document::Checksums);
    (error.fault, error.offset)
}

fn name_fault(name: &str) -> Option<(&'static str, usize)> {
    match Checksums::parse(format!("{SHA256}  {name}\n").as_bytes()) {
        Ok(_) => None,
        Err(ContentError { fault: ContentFault::FileName(what), offset, .. }) => Some((what, offset)),
        Err(other) => panic!("{name:?}: {other}"),
    }
}

#[test]
fn lists_of_both_forms_and_algorithms_are_read() {
    let text = format!("{SHA256}  a file.iso\n{SHA256} *./dir/b (1).img\n");
    let list = Checksums::parse(text.as_bytes()).unwrap();
    assert_eq!((list.form, list.algorithm), (Form::Gnu, Algorithm::Sha256));
    let names: Vec<_> = list.entries.iter().map(|e| (e.name, e.digest)).collect();
    assert_eq!(names, [("a file.iso", SHA256), ("./dir/b (1).img", SHA256)]);
    let text = format!("SHA512 (install.img) = {}\n", sha512());
    let list = Checksums::parse(text.as_bytes()).unwrap();
    assert_eq!((list.form, list.algorithm), (Form::Bsd, Algorithm::Sha512));
    assert_eq!(list.entries, [Entry { name: "install.img", digest: &sha512() }]);
}

#[test]
fn what_is_not_strictly_a_list_is_refused_where_it_goes_wrong() {
    let (good, long) = (format!("{SHA256}  a\n"), sha512());
    assert_eq!(fault(""), (ContentFault::Empty, 0));
    assert_eq!(fault(good.trim_end()), (ContentFault::NoFinalNewline, 67));
    for line in [
        "",
        "# comment",
        &SHA256.to_uppercase(),
        SHA256,
        &format!("{SHA256} b"),
        &format!("{SHA256}\t*b"),
        &format!("\\{SHA256}  b"),
        &format!(" {SHA256}  b"),
        &format!("{}  b", SHA256.to_uppercase()),
        &format!("{}  b", &SHA256[..40]),
        &format!("SHA256 (b) = {}", SHA256.to_uppercase()),
        &format!("SHA256 (b) = {long}"),
        &format!("SHA256(b)= {SHA256}"),
        &format!("SHA512/256 (b) = {SHA256}"),
        &format!("SHA1 (b) = {}", &SHA256[..40]),
    ] {
        assert_eq!(fault(&format!("{good}{line}\n")), (ContentFault::ChecksumLine, 68), "{line}");
    }
    for line in [format!("SHA256 (b) = {SHA256}"), format!("{long}  b")] {
        assert_eq!(fault(&format!("{good}{line}\n")), (ContentFault::MixedChecksums, 68), "{line}");
    }
    for name in ["a", "./a"] {
        assert_eq!(fault(&format!("{good}{SHA256} *{name}\n")), (ContentFault::NameTwice, 134));
    }
    let error = Checksums::parse(b"\xff\n").unwrap_err();
    assert_eq!((error.fault, error.offset), (ContentFault::NotUtf8, 0));
}

#[test]
fn names_stay_below_the_current_directory_and_mean_one_thing() {
    for good in ["a", "./a", "a/b", "..a", "a..", "...", "-a", "a b", "é", "a*", "a) = b"] {
        assert_eq!(name_fault(good), None, "{good:?}");
    }
    for bad in ["", "-", "/a", "..", "../a", "a/..", "a/../b", "a//b", "a/", ".", "./", "././a", "./../a", "a/./b", " a", "a ", "*a"] {
        assert!(name_fault(bad).is_some_and(|(_, at)| at == 66), "{bad:?}");
    }
    for bad in ["a\tb", "a\rb", "a\0", "a\u{7f}", "a\u{85}", "a\u{202e}gpj.exe", "a\u{2028}b", "a\\b"] {
        assert!(name_fault(bad).is_some(), "{bad:?}");
    }
    assert_eq!(fault(&format!("SHA256 (a) = b) = {SHA256}\n")), (ContentFault::FileName("has `) = ` in it"), 8));
}

#[test]
fn sizes_are_limited() {
    let name = "n".repeat(MAX_NAME);
    assert_eq!(name_fault(&name), None);
    assert_eq!(name_fault(&format!("{name}n")), Some(("is longer than 1,000 bytes", 66)));
    let line = "x".repeat(MAX_LINE + 1);
    assert_eq!(fault(&format!("{line}\n")), (ContentFault::TooLong { limit: MAX_LINE }, 0));
    let mut text: String = (0..MAX_ENTRIES).map(|n| format!("{SHA256}  {n:05}\n")).collect();
    assert_eq!(Checksums::parse(text.as_bytes()).unwrap().entries.len(), MAX_ENTRIES);
    text.push_str(&format!("{SHA256}  more\n"));
    assert_eq!(fault(&text), (ContentFault::TooManyEntries { limit: MAX_ENTRIES }, MAX_ENTRIES * 72));
}

/// A list as its parts would be written.
fn write(list: &Checksums<'_>, binary: bool) -> String {
    let marker = if binary { '*' } else { ' ' };
    let line = |e: &Entry<'_>| match list.form {
        Form::Gnu => format!("{} {marker}{}\n", e.digest, e.name),
        Form::Bsd => format!("{} ({}) = {}\n", list.algorithm.name(), e.name, e.digest),
    };
    list.entries.iter().map(line).collect()
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        names in prop::collection::btree_set("[a-zA-Z0-9(.é]{1,8}(/[a-z][a-z0-9 ._-]{0,8}[a-z)])?", 1..20),
        digest in "[0-9a-f]{128}", bsd in any::<bool>(), long in any::<bool>(), binary in any::<bool>(),
    ) {
        let algorithm = if long { Algorithm::Sha512 } else { Algorithm::Sha256 };
        let names: Vec<_> = names.iter().filter(|name| !name.split('/').any(|part| matches!(part, "." | ".."))).collect();
        prop_assume!(!names.is_empty());
        let entries = names.iter().map(|name| Entry { name, digest: &digest[..algorithm.digits()] }).collect();
        let list = Checksums { form: if bsd { Form::Bsd } else { Form::Gnu }, algorithm, entries };
        let text = write(&list, binary);
        prop_assert_eq!(Checksums::parse(text.as_bytes()), Ok(list));
    }
}
