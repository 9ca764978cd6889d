//! Any bytes as a frame between a key host and a relay: what is read is written as the same bytes.
#![no_main]

use chancery_dial::{FRAME_LEN, Frame, answer, ping_interval};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: [u8; FRAME_LEN]| {
    if let Ok(frame) = Frame::parse(bytes) {
        assert_eq!(frame.encode(), bytes);
    }
    let _ = (answer(bytes), ping_interval(bytes));
});
