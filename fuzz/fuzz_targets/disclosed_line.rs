//! Any line as a disclosed field of an entry: what is read is written as a line that reads the same.
#![no_main]

use chancery_reqlog::Disclosed;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &str| {
    if let Ok(disclosed) = Disclosed::parse(line) {
        assert_eq!(Disclosed::parse(&disclosed.to_json()).unwrap(), disclosed);
    }
});
