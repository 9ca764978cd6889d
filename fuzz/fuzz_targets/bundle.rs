//! Any bytes as a bundle and as a tile: what is read is written the same. The first two bytes are the width.
#![no_main]

use chancery_tlog::{decode_bundle, decode_tile, encode_tile, push_entry};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((width, data)) = data.split_first_chunk::<2>() else { return };
    let width = u16::from_be_bytes(*width);
    if let Ok(entries) = decode_bundle(data, width) {
        assert_eq!(entries.len(), usize::from(width));
        let mut written = Vec::new();
        assert!(entries.iter().all(|entry| push_entry(&mut written, entry)));
        assert_eq!(written, data);
    }
    if let Ok(hashes) = decode_tile(data, width) {
        assert_eq!(encode_tile(&hashes), data);
    }
});
