//! What tlog-tiles demands of the names and the bytes of tiles and bundles.

use super::*;
use std::collections::BTreeSet;

#[test]
fn a_tile_has_one_name() {
    let hashes = |level, index, width| TilePath { level: TileLevel::Hashes(level), index, width };
    for (text, path) in [
        ("tile/0/000", hashes(0, 0, 256)),
        ("tile/0/000.p/7", hashes(0, 0, 7)),
        ("tile/63/x001/x234/067.p/255", hashes(63, 1_234_067, 255)),
        ("tile/1/x001/000", hashes(1, 1000, 256)),
        ("tile/entries/999", TilePath { level: TileLevel::Entries, index: 999, width: 256 }),
        ("tile/0/x018/x446/x744/x073/x709/x551/615", hashes(0, u64::MAX, 256)),
    ] {
        assert_eq!(text.parse(), Ok(path));
        assert_eq!(path.to_string(), text);
    }
}

#[test]
fn any_other_name_is_refused() {
    for wrong in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/0/000/",
        "tile//000",
        "checkpoint",
        "tile/64/000",
        "tile/256/000",
        "tile/-1/000",
        "tile/00/000",
        "tile/+0/000",
        "tile/data/000",
        "tile/8/0/000",
        "tile/Entries/000",
        "tile/0/0",
        "tile/0/00",
        "tile/0/1000",
        "tile/0/1234",
        "tile/0/x000/001",
        "tile/0/001/234",
        "tile/0/x001",
        "tile/0/x001/x234",
        "tile/0/x001/23",
        "tile/0/X001/234",
        "tile/0/x001/2345",
        "tile/0/+01",
        "tile/0/0x1",
        "tile/0/ 01",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/07",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000.p/7/",
        "tile/0/000.p/65537",
        "tile/0/000.p/1.p/1",
        "tile/0/000.p/+1",
        "tile/0/../000",
        "tile/0/000\n",
        "tile/0/000.p/1\0",
        "tile/entries/000.p/256",
    ] {
        assert_eq!(wrong.parse::<TilePath>(), Err(TilePathError), "{wrong:?}");
    }
}

#[test]
fn a_log_of_70000_entries_has_the_tiles_of_the_specification() {
    let names: Vec<String> = tiles_of(70_000).map(|path| path.to_string()).collect();
    assert_eq!(names.len(), 551);
    assert_eq!(names.iter().filter(|n| n.starts_with("tile/0/") && !n.contains(".p/")).count(), 273);
    assert_eq!(names[273], "tile/entries/273.p/112");
    assert_eq!(names[547], "tile/0/273.p/112");
    assert_eq!(&names[548..], ["tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]);
    let of_256: Vec<String> = tiles_of(256).map(|path| path.to_string()).collect();
    assert_eq!(of_256, ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(tiles_of(0).count(), 0);
    assert_eq!(new_tiles(u64::MAX - 256, u64::MAX).last().unwrap().to_string(), "tile/1/x281/x474/x976/x710/655.p/255");
}

#[test]
fn a_longer_log_needs_only_its_new_tiles() {
    let new: Vec<String> = new_tiles(255, 257).map(|path| path.to_string()).collect();
    assert_eq!(new, ["tile/entries/000", "tile/entries/001.p/1", "tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"]);
    let same_parents: Vec<String> = new_tiles(257, 258).map(|path| path.to_string()).collect();
    assert_eq!(same_parents, ["tile/entries/001.p/2", "tile/0/001.p/2"]);
    let highest: Vec<String> = new_tiles((1 << 56) - 1, 1 << 56).map(|path| path.to_string()).collect();
    assert_eq!(highest.last().unwrap(), "tile/7/000.p/1");
    assert_eq!(new_tiles(300, 300).count() + new_tiles(300, 200).count(), 0);
}

#[test]
fn tiles_and_bundles_with_too_few_or_too_many_bytes_are_refused() {
    let hashes = leaves(256);
    let bytes = encode_tile(&hashes);
    assert_eq!(bytes.len(), 8192);
    assert_eq!(decode_tile(&bytes, 256).unwrap(), hashes);
    assert_eq!(decode_tile(&bytes[..8191], 256), Err(TileError::Length { found: 8191, wanted: 8192 }));
    assert_eq!(decode_tile(&[&bytes[..], &[0]].concat(), 256), Err(TileError::Length { found: 8193, wanted: 8192 }));
    assert_eq!(decode_tile(&bytes, 255), Err(TileError::Length { found: 8192, wanted: 8160 }));
    assert_eq!(decode_bundle(&[0, 1, b'a', 0, 2, b'b'], 2), Err(TileError::Bundle(1)), "a length over the end");
    assert_eq!(decode_bundle(&[0, 1, b'a', 0], 2), Err(TileError::Bundle(1)), "half a length");
    assert_eq!(decode_bundle(&[0, 1, b'a', 0], 1), Err(TileError::Bundle(1)), "a byte too many");
    assert_eq!(decode_bundle(&[0, 1, b'a', 0, 0], 1), Err(TileError::Bundle(1)), "an entry too many");
    assert_eq!(decode_bundle(&[0; 514], 256), Err(TileError::Bundle(256)), "257 entries");
    assert_eq!(decode_bundle(&[0, 1, b'a'], 2), Err(TileError::Entries { found: 1, wanted: 2 }));
    assert_eq!(decode_bundle(&[], 1), Err(TileError::Entries { found: 0, wanted: 1 }));
    assert_eq!(decode_bundle(&[0, 0, 0, 0], 2).unwrap(), [b"", b""], "entries may be empty");
}

#[test]
fn an_entry_has_at_most_65535_bytes() {
    let mut bundle = vec![];
    assert!(push_entry(&mut bundle, &[7; 65_535]));
    assert_eq!(decode_bundle(&bundle, 1).unwrap(), [vec![7; 65_535]]);
    let before = bundle.clone();
    assert!(!push_entry(&mut bundle, &[7; 65_536]));
    assert_eq!(bundle, before, "nothing of it is written");
}

proptest! {
    #[test]
    fn any_path_is_written_and_read(level in prop::option::of(0..64_u8), index in any::<u64>(), digits in 0..64_u32, width in 1..=256_u16) {
        let path = TilePath { level: level.map_or(TileLevel::Entries, TileLevel::Hashes), index: index >> digits, width };
        prop_assert_eq!(path.to_string().parse(), Ok(path));
    }

    #[test]
    fn what_is_read_as_a_path_is_written_the_same(
        text in nearly(["tile/0/000", "tile/entries/x001/234", "tile/63/x001/x234/067.p/255"].map(str::to_owned).to_vec()),
    ) {
        if let Ok(path) = text.parse::<TilePath>() {
            prop_assert_eq!(path.to_string(), text);
        }
    }

    #[test]
    fn entries_are_written_and_read(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..=256)) {
        let mut bundle = vec![];
        prop_assert!(entries.iter().all(|entry| push_entry(&mut bundle, entry)));
        let width = u16::try_from(entries.len()).unwrap();
        prop_assert_eq!(decode_bundle(&bundle, width).unwrap(), entries);
        prop_assert!(decode_bundle(&bundle, width - 1).is_err());
        prop_assert!(decode_bundle(&bundle[..bundle.len() - 1], width).is_err());
    }

    #[test]
    fn any_bytes_of_a_bundle_are_refused_or_written_the_same(bytes in prop::collection::vec(prop_oneof![3 => 0..3_u8, 1 => any::<u8>()], 0..99), width in any::<u16>()) {
        if let Ok(entries) = decode_bundle(&bytes, width) {
            let mut bundle = vec![];
            prop_assert!(entries.iter().all(|entry| push_entry(&mut bundle, entry)));
            prop_assert_eq!(bundle, &bytes[..]);
        }
        if let Ok(hashes) = decode_tile(&bytes, width) {
            prop_assert_eq!(encode_tile(&hashes), bytes);
        }
    }

    #[test]
    fn the_new_tiles_of_each_step_are_together_all_full_tiles(steps in prop::collection::vec(0..40_000_u64, 1..5)) {
        let (mut size, mut seen) = (0, BTreeSet::new());
        for step in steps {
            seen.extend(new_tiles(size, size + step));
            size += step;
        }
        let of_the_last: BTreeSet<TilePath> = tiles_of(size).collect();
        prop_assert!(seen.is_superset(&of_the_last));
        prop_assert!(seen.difference(&of_the_last).all(|path| path.width < 256), "what is more are partial tiles of older sizes");
    }
}
