//! GLib reads what we write, and says of the same bytes as we do whether they are in normal form.

use chancery_formats::gvariant::{Fault, Type, Value, array, dict_entry, variant};
use chancery_formats::ostree::signatures::{Others, SignatureSet};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

struct Case {
    ty: String,
    data: Vec<u8>,
}

struct Verdict {
    normal: bool,
    /// The value that GLib reads, as GLib writes it.
    rebuilt: Vec<u8>,
}

/// Asks GLib about all cases at once.
fn ask_glib(cases: &[Case]) -> Vec<Verdict> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/tools/gvariant_oracle.py");
    // The system's interpreter, because another one does not see the distribution's GObject bindings.
    let mut command = Command::new("/usr/bin/python3");
    command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("python3 with gi (python3-gi) is needed; CHANCERY_SKIP=glib does without");
    let mut input = Vec::new();
    for part in cases.iter().flat_map(|c| [c.ty.as_bytes(), &c.data]) {
        input.extend_from_slice(&u32::try_from(part.len()).unwrap().to_le_bytes());
        input.extend_from_slice(part);
    }
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let mut output = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut output).unwrap();
    assert!(child.wait().unwrap().success(), "the oracle failed: is python3-gi installed? CHANCERY_SKIP=glib does without");
    writer.join().unwrap().unwrap();
    let mut rest = output.as_slice();
    let verdicts: Vec<_> = std::iter::from_fn(|| next_verdict(&mut rest)).collect();
    assert_eq!((verdicts.len(), rest.len()), (cases.len(), 0));
    verdicts
}

fn next_verdict(rest: &mut &[u8]) -> Option<Verdict> {
    let (head, after) = rest.split_at_checked(5)?;
    let length = u32::from_le_bytes(head[1..].try_into().unwrap());
    let (rebuilt, after) = after.split_at(usize::try_from(length).unwrap());
    *rest = after;
    Some(Verdict { normal: head[0] == 1, rebuilt: rebuilt.to_vec() })
}

/// The same values in every run, so that a failure can be looked at.
fn samples<T>(count: usize, strategy: &impl Strategy<Value = T>) -> Vec<T> {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// Our verdict, which is GLib's, except that we look at the width of a tuple's offsets too. Returns whether that was the case.
fn compare(case: &Case, glib: &Verdict) -> bool {
    let ours = Value::parse(Type::parse(&case.ty).unwrap(), &case.data);
    match ours {
        Err(error) if glib.normal => {
            assert_eq!(error.fault, Fault::OffsetWidth, "{} {:02x?}", case.ty, case.data);
            assert!(case.ty.contains('(') || case.ty.contains('{') || case.data.contains(&b'('), "only tuples: {}", case.ty);
            true
        }
        ours => {
            assert_eq!(ours.is_ok(), glib.normal, "{} {:02x?}: {ours:?}", case.ty, case.data);
            false
        }
    }
}

fn any_type() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec!["y", "b", "n", "q", "i", "u", "x", "t", "d", "s", "o", "g", "v", "ay", "aay", "as", "()"]);
    leaf.prop_map(str::to_owned).prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            inner.clone().prop_map(|t| format!("a{t}")),
            inner.clone().prop_map(|t| format!("m{t}")),
            inner.clone().prop_map(|t| format!("a{{s{t}}}")),
            inner.clone().prop_map(|t| format!("{{y{t}}}")),
            prop::collection::vec(inner, 0..5).prop_map(|ts| format!("({})", ts.concat())),
        ]
    })
}

fn any_data() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(0_u8), 0..24_u8, prop::sample::select(b"asytvb(){}/ ~\xc3\xa9".to_vec()), any::<u8>()];
    prop_oneof![4 => prop::collection::vec(byte.clone(), 0..48), 1 => prop::collection::vec(byte, 200..330)]
}

fn mutations() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, prop_oneof![0..8_u8, any::<u8>()]), 1..4)
}

fn mutated(data: &[u8], mutations: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    let mut data = data.to_vec();
    for (index, how, byte) in mutations {
        let at = index.index(data.len() + 1);
        match (how, data.get_mut(at)) {
            (0, _) => data.insert(at, *byte),
            (1, Some(_)) => drop(data.remove(at)),
            (2, Some(b)) => *b = b.wrapping_add(*byte % 3).wrapping_sub(1),
            (_, Some(b)) => *b = *byte,
            (_, None) => data.push(*byte),
        }
    }
    data
}

#[test]
fn our_verdicts_are_those_of_glib() {
    if super::skipped("glib") {
        return;
    }
    let cases: Vec<_> = samples(2500, &(any_type(), any_data())).into_iter().map(|(ty, data)| Case { ty, data }).collect();
    let verdicts = ask_glib(&cases);
    let mut wide_tuples = cases.iter().zip(&verdicts).filter(|(c, v)| compare(c, v)).count();

    // What GLib wrote is in normal form; changed a little, it fails in more places than random bytes do.
    let written: Vec<_> = cases.into_iter().zip(verdicts).map(|(c, v)| Case { ty: c.ty, data: v.rebuilt }).collect();
    for case in &written {
        let ours = Value::parse(Type::parse(&case.ty).unwrap(), &case.data);
        assert!(ours.is_ok(), "{} {:02x?}: {ours:?}", case.ty, case.data);
    }
    let changes = samples(written.len(), &mutations());
    let changed: Vec<_> = written.iter().zip(changes).map(|(c, m)| Case { ty: c.ty.clone(), data: mutated(&c.data, &m) }).collect();
    let verdicts = ask_glib(&changed);
    wide_tuples += changed.iter().zip(&verdicts).filter(|(c, v)| compare(c, v)).count();
    let normal = verdicts.iter().filter(|v| v.normal).count();
    assert!((200..2300).contains(&normal), "both verdicts are to occur: {normal} normal");
    assert!(wide_tuples < 10, "{wide_tuples} tuples with wide offsets");
}

fn any_container() -> impl Strategy<Value = Vec<u8>> {
    let size = || prop_oneof![4 => 0..80_usize, 2 => 170..270_usize, 1 => Just(65_300_usize), 1 => Just(65_450_usize)];
    let blob = size().prop_map(|n| vec![b'x'; n]);
    let foreign = prop::collection::btree_map("[a-z.]{1,12}", (blob, any::<bool>()), 0..4);
    let ours = prop::collection::vec(any::<[u8; 32]>(), 0..5);
    (foreign, ours).prop_map(|(foreign, ours)| {
        let entries: Vec<_> = foreign.iter().map(|(key, (blob, list))| dict_entry(key, &foreign_value(blob, *list))).collect();
        let (mut set, dropped) = SignatureSet::parse(&array(8, &entries)).unwrap();
        assert_eq!(dropped, []);
        for half in ours {
            set.put_ed25519([half, half].concat().try_into().unwrap(), Others::Keep);
        }
        set.encode()
    })
}

fn foreign_value(blob: &[u8], list: bool) -> Vec<u8> {
    if list { variant("aay", &array(1, &[blob, b"", blob])) } else { variant("ay", blob) }
}

#[test]
fn glib_writes_our_containers_the_same() {
    if super::skipped("glib") {
        return;
    }
    let containers = samples(2000, &any_container());
    let cases: Vec<_> = containers.into_iter().map(|data| Case { ty: "a{sv}".to_owned(), data }).collect();
    for (case, glib) in cases.iter().zip(ask_glib(&cases)) {
        assert!(glib.normal && glib.rebuilt == case.data, "{} bytes: {:02x?}", case.data.len(), case.data);
    }
    let changes = samples(cases.len(), &mutations());
    let changed: Vec<_> = cases.iter().zip(changes).map(|(c, m)| Case { ty: c.ty.clone(), data: mutated(&c.data, &m) }).collect();
    for (case, glib) in changed.iter().zip(ask_glib(&changed)) {
        compare(case, &glib);
    }
}
