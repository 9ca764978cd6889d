//! Any text as the path of a tile: what is read is written the same, and is a tile that a log can have.
#![no_main]

use chancery_tlog::{TileLevel, TilePath};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(path) = text.parse::<TilePath>() else { return };
    assert_eq!(path.to_string(), text);
    assert!((1..=256).contains(&path.width));
    assert!(matches!(path.level, TileLevel::Entries | TileLevel::Hashes(0..=63)));
    assert!(!text.contains(".."), "it stays below the directory of the log");
});
