use super::*;
use crate::vectors::vector;
use proptest::prelude::*;

fn ty(text: &str) -> Type<'_> {
    Type::parse(text).unwrap()
}

fn fault(text: &str, data: &[u8]) -> (Fault, usize) {
    let error = Value::parse(ty(text), data).unwrap_err();
    (error.fault, error.offset)
}

/// Cuts `n` bytes off the front of a corpus.
fn cut<'a>(corpus: &mut &'a [u8], n: usize) -> &'a [u8] {
    let (front, rest) = corpus.split_at(n);
    *corpus = rest;
    front
}

fn cut_counted<'a>(corpus: &mut &'a [u8]) -> &'a [u8] {
    let length = u32::from_le_bytes(cut(corpus, 4).try_into().unwrap());
    cut(corpus, usize::try_from(length).unwrap())
}

#[test]
fn verdicts_are_those_of_glib_for_the_whole_corpus() {
    let corpus = vector("ostree/normal-form-corpus.bin");
    let mut rest = corpus.as_slice();
    let (mut normal, mut others) = (0, 0);
    while !rest.is_empty() {
        let text = std::str::from_utf8(cut_counted(&mut rest)).unwrap();
        let data = cut_counted(&mut rest);
        let expected = cut(&mut rest, 1) == [1];
        let found = Value::parse(ty(text), data);
        assert_eq!(found.is_ok(), expected, "{text} {data:02x?}: {found:?}");
        if expected { normal += 1 } else { others += 1 }
    }
    assert_eq!((normal, others), (142, 418));
}

#[test]
fn types_are_complete_and_definite() {
    for good in ["b", "a{sv}", "(a(s(taya{sv}))a{sv})", "()", "mas", "{s(ii)}", "aaaaay", "v"] {
        assert_eq!(Type::parse(good).map(Type::as_str), Ok(good));
    }
    for bad in ["", "a", "bb", "(b", "b)", "{vs}", "{sb", "{s}", "{sbb}", "*", "r", "?", "z", "(a)", "m", "é"] {
        assert_eq!(Type::parse(bad), Err(Fault::TypeString), "{bad}");
    }
    assert_eq!(Type::parse(&format!("{}b", "a".repeat(MAX_DEPTH + 1))), Err(Fault::Depth));
    assert_eq!(Type::parse(&format!("({})", "b".repeat(MAX_TYPE))), Err(Fault::TypeString));
}

#[test]
fn sizes_and_alignments_are_those_of_the_specification() {
    let cases = [("y", Some(1), 1), ("(yt)", Some(16), 8), ("(ty)", Some(16), 8), ("()", Some(1), 1), ("(y(n)y)", Some(6), 2)];
    for (text, size, alignment) in cases {
        assert_eq!((ty(text).fixed_size(), ty(text).alignment()), (size, alignment), "{text}");
    }
    for (text, alignment) in [("s", 1), ("v", 8), ("as", 1), ("a{sv}", 8), ("(say)", 1), ("mi", 4), ("(sv)", 8)] {
        assert_eq!((ty(text).fixed_size(), ty(text).alignment()), (None, alignment), "{text}");
    }
}

#[test]
fn each_departure_from_normal_form_is_named_and_placed() {
    assert_eq!(fault("s", b""), (Fault::Unterminated, 0));
    assert_eq!(fault("s", b"abc"), (Fault::Unterminated, 2));
    assert_eq!(fault("s", b"a\0c\0"), (Fault::InnerZero, 1));
    assert_eq!(fault("s", b"ab\xff\0"), (Fault::Utf8, 2));
    assert_eq!(fault("o", b"/a//b\0"), (Fault::ObjectPath, 0));
    assert_eq!(fault("g", b"a{\0"), (Fault::Signature, 0));
    assert_eq!(fault("g", b"mi\0"), (Fault::Signature, 0));
    assert_eq!(fault("b", &[2]), (Fault::Boolean, 0));
    assert_eq!(fault("ab", &[0, 1, 2]), (Fault::Boolean, 2));
    assert_eq!(fault("t", &[0; 7]), (Fault::Size, 0));
    assert_eq!(fault("at", &[0; 12]), (Fault::Size, 0));
    assert_eq!(fault("(yt)", &[1, 0, 0, 9, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]), (Fault::Padding, 1));
    assert_eq!(fault("(ty)", &[0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 9]), (Fault::Padding, 9));
    assert_eq!(fault("()", &[1]), (Fault::Padding, 0));
    assert_eq!(fault("v", b""), (Fault::Variant, 0));
    assert_eq!(fault("v", b"y"), (Fault::Variant, 0));
    assert_eq!(fault("v", b"\x01\0"), (Fault::TypeString, 2));
    assert_eq!(fault("v", b"\x01\0yy"), (Fault::TypeString, 2));
    assert_eq!(fault("v", b"\x01\x01\0y"), (Fault::Size, 0));
    assert_eq!(fault("ms", b"a\0x"), (Fault::Maybe, 0));
    assert_eq!(fault("as", b"a\0b\0\x02\x07"), (Fault::Offset, 5));
    assert_eq!(fault("as", b"a\0b\0\x05\x04"), (Fault::Offset, 4));
    assert_eq!(fault("as", b"a\0b\0\x02\x01\x04"), (Fault::Offset, 2), "offsets going back");
    assert_eq!(fault("(ss)", b"a\0b\0\x03"), (Fault::Unterminated, 2));
    assert_eq!(fault("(ys)", b"\x01a\0x"), (Fault::Unterminated, 3));
    assert_eq!(fault("(sy)", b"a\0\x07\x01\x02"), (Fault::OffsetTable, 3), "a byte between member and offsets");
}

#[test]
fn a_table_of_half_an_offset_is_refused() {
    let data = [vec![b'a'; 299], vec![0], vec![44, 1, 44, 44, 1]].concat();
    assert_eq!(fault("as", &data), (Fault::OffsetTable, 303));
}

#[test]
fn offsets_wider_than_needed_are_refused() {
    // 252 bytes and one offset of two bytes: one byte would have done.
    let long = [vec![b'a'; 253], vec![0]].concat();
    let array_form = [long.as_slice(), &254_u16.to_le_bytes()].concat();
    assert_eq!(fault("as", &array_form), (Fault::OffsetWidth, 254));
    let tuple_form = [long.as_slice(), &254_u16.to_le_bytes()].concat();
    assert_eq!(fault("(say)", &tuple_form), (Fault::OffsetWidth, 254));
}

#[test]
fn parts_are_found_where_they_stand() {
    let data = [b"k\0\0\0\0\0\0\0".as_slice(), b"\x05\0y", b"\x02", b"\x0c"].concat();
    let dict = Value::parse(ty("a{sv}"), &data).unwrap();
    let entry = dict.items().unwrap().next().unwrap().unwrap();
    let members: Vec<_> = entry.members().unwrap().map(Result::unwrap).collect();
    assert_eq!((members[0].as_str(), members[0].offset()), (Some("k"), 0));
    let inner = members[1].inner().unwrap();
    assert_eq!((inner.ty().as_str(), inner.data(), inner.offset()), ("y", &[5][..], 8));
    assert_eq!((inner.as_str(), inner.as_bytes(), inner.as_u64_le(), inner.as_u64_be()), (None, None, None, None));
    assert!(inner.items().is_err() && inner.members().is_err() && inner.inner().is_err());
}

#[test]
fn numbers_have_the_byte_order_that_is_asked_for() {
    let value = Value::parse(ty("t"), &[1, 0, 0, 0, 0, 0, 0, 2]).unwrap();
    assert_eq!(value.as_u64_le(), Some(0x0200_0000_0000_0001));
    assert_eq!(value.as_u64_be(), Some(0x0100_0000_0000_0002));
}

#[test]
fn a_key_twice_is_refused_only_where_that_was_asked_for() {
    let twice =
        array(8, &[dict_entry("k", &variant("y", &[1])), dict_entry("j", &variant("y", &[3])), dict_entry("k", &variant("y", &[2]))]);
    assert!(Value::parse(ty("a{sv}"), &twice).is_ok(), "GLib calls it normal");
    let error = Value::parse_unique_keys(ty("a{sv}"), &twice).unwrap_err();
    assert_eq!(error, Fault::DuplicateKey.at(32));
    let nested = array(8, &[dict_entry("outer", &variant("a{sv}", &twice))]);
    assert_eq!(Value::parse_unique_keys(ty("a{sv}"), &nested).unwrap_err(), Fault::DuplicateKey.at(40));
}

#[test]
fn nesting_and_work_are_bounded() {
    let mut data = vec![7, 0, b'y'];
    for _ in 0..MAX_DEPTH {
        data = variant("v", &data);
    }
    assert_eq!(fault("v", &data).0, Fault::Depth);
    // Each of the empty elements costs a byte to write and as many steps to read as its type is deep.
    let deep = format!("a{}as{}", "(".repeat(60), ")".repeat(60));
    let many = array(1, &vec![Vec::<u8>::new(); 100_000]);
    assert_eq!(fault(&deep, &many).0, Fault::Work);
    assert!(Value::parse(ty("aas"), &many).is_ok());
    assert!(Value::parse(ty("aa{sv}"), &many).is_ok());
}

#[test]
fn widths_change_where_the_container_outgrows_them() {
    for (body, width) in [(254, 1), (255, 2), (65_533, 2), (65_534, 4), (70_000, 4)] {
        let text = [vec![b'x'; body - 1], vec![0]].concat();
        let written = array(1, std::slice::from_ref(&text));
        assert_eq!(written.len(), body + width, "{body}");
        let value = Value::parse(ty("as"), &written).unwrap();
        let item = value.items().unwrap().next().unwrap().unwrap();
        assert_eq!(item.data(), text);
    }
}

fn any_type() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec!["y", "b", "n", "i", "t", "d", "s", "o", "g", "v", "ay", "as", "()"]).prop_map(str::to_owned);
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|t| format!("a{t}")),
            inner.clone().prop_map(|t| format!("m{t}")),
            inner.clone().prop_map(|t| format!("a{{s{t}}}")),
            prop::collection::vec(inner, 0..4).prop_map(|ts| format!("({})", ts.concat())),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(text in any_type(), data in prop::collection::vec(prop::sample::select(vec![0_u8, 1, 2, 3, 4, 8, b'a', b's', b'y', 255]), 0..64)) {
        if let Err(error) = Value::parse(ty(&text), &data) {
            prop_assert!(error.offset <= data.len(), "{error}");
        }
    }

    #[test]
    fn what_is_written_is_read_back(items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..12)) {
        let written = array(1, &items);
        let value = Value::parse(ty("aay"), &written).unwrap();
        let read: Vec<_> = value.items().unwrap().map(|i| i.unwrap().as_bytes().unwrap().to_vec()).collect();
        prop_assert_eq!(read, items);
    }
}
