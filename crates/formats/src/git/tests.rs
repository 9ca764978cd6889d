use super::*;
use proptest::prelude::*;

const ID: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4";
const WHO: &str = "A U Thor <author@example.org> 1700000000 +0100";

fn tag(name: &str, message: &str) -> String {
    format!("object {ID}\ntype commit\ntag {name}\ntagger {WHO}\n\n{message}")
}

fn commit(more: &str, message: &str) -> String {
    format!("tree {ID}\nparent {ID}\nauthor {WHO}\ncommitter {WHO}\n{more}\n{message}")
}

#[test]
fn what_git_writes_is_read() {
    let text = tag("v1.0", "Version 1.0\n");
    let read = Tag::parse(text.as_bytes()).unwrap();
    assert_eq!((read.object, read.kind, read.name, read.tagger.time), (ID, "commit", "v1.0", 1_700_000_000));
    assert_eq!(read.tagger.name, "A U Thor <author@example.org>");
    let more = "encoding ISO-8859-1\nmergetag object 0\n type commit\n \n more\n";
    for more in ["", more] {
        let text = commit(more, "Subject\n\nBody\n");
        let read = Commit::parse(text.as_bytes()).unwrap();
        assert_eq!((read.tree, read.parents, read.committer.time), (ID, vec![ID], 1_700_000_000));
        assert!(Tag::parse(text.as_bytes()).is_err());
    }
    assert!(Commit::parse(commit("", "").replace(ID, &ID.repeat(2)[..64]).as_bytes()).is_ok());
}

#[test]
fn what_git_would_not_write_is_refused() {
    let refused = |text: &str| {
        let (tag, commit) = (Tag::parse(text.as_bytes()), Commit::parse(text.as_bytes()));
        assert!(tag.is_err() && commit.is_err(), "{text}");
    };
    for name in ["", "a..b", ".a", "a.lock", "a/", "/a", "a b", "a~1", "a^", "a:b", "@", "a@{b", "a.", "a\\b", "a*", "a//b"] {
        refused(&tag(name, ""));
    }
    let good = tag("v1.0", "");
    for (from, to) in [
        ("object ", "Object "),
        (ID, &ID[1..]),
        (ID, "E3B0c44298fc1c149afbf4c8996fb92427ae41e4"),
        ("commit", "comit"),
        ("1700000000", "01700000000"),
        ("1700000000", "-1"),
        ("1700000000", "99999999999999"),
        ("+0100", "+100"),
        ("<", ""),
        ("> ", ">> "),
        ("v1.0\n", "v1.0\r\n"),
        ("\n\n", "\nother header\n\n"),
        ("A U", "A\0U"),
    ] {
        refused(&good.replacen(from, to, 1));
    }
    for more in ["gpgsig -----BEGIN\n", "gpgsig-sha256 x\n", "unknown x\n", " goes on\n", "encoding x\n goes on\n"] {
        refused(&commit(more, ""));
    }
    for begin in ["-----BEGIN PGP SIGNATURE-----", "-----BEGIN SSH SIGNATURE-----", "-----BEGIN PGP MESSAGE-----"] {
        refused(&tag("v1.0", &format!("text\n{begin}\n")));
        refused(&commit("", &format!("text\n{begin}\n")));
    }
}

#[test]
fn signatures_are_taken_off_where_git_puts_them() {
    let (content, signature) = (tag("v1.0", "Version\n"), "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n");
    let split = split_tag(format!("{content}{signature}").as_bytes()).unwrap();
    assert_eq!(split, (content.clone().into_bytes(), signature.as_bytes().to_vec()));
    assert_eq!(split_tag(content.as_bytes()), None);
    let header = format!("gpgsig {}\n", signature.trim_end().replace('\n', "\n "));
    let split = split_commit(commit(&header, "Subject\n").as_bytes()).unwrap();
    assert_eq!(split, (commit("", "Subject\n").into_bytes(), signature.as_bytes().to_vec()));
    assert_eq!(split_commit(commit("", "gpgsig no header\n").as_bytes()), None);
    assert_eq!(split_commit(commit(&format!("{header}{header}"), "").as_bytes()), None, "two signatures");
}

proptest! {
    #[test]
    fn no_bytes_are_both_and_none_make_the_readers_stumble(mut bytes in proptest::sample::select(vec![tag("v1", "m\n"), commit("", "m\n")]).prop_map(String::into_bytes), at in any::<proptest::sample::Index>(), to: u8) {
        let at = at.index(bytes.len());
        bytes[at] = to;
        prop_assert!(!(Tag::parse(&bytes).is_ok() && Commit::parse(&bytes).is_ok()));
        let _ = (split_tag(&bytes), split_commit(&bytes));
    }
}
