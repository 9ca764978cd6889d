//! Any bytes as a value of any type. The first byte says how long the type string is.
#![no_main]

use chancery_formats::gvariant::{Type, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((length, rest)) = data.split_first() else { return };
    let Some((text, data)) = rest.split_at_checked(usize::from(*length)) else { return };
    let Ok(Ok(ty)) = std::str::from_utf8(text).map(Type::parse) else { return };
    match Value::parse(ty, data) {
        Ok(value) => walk(value),
        Err(error) => assert!(error.offset <= data.len(), "{error}"),
    }
});

/// Everything in a checked value can be reached without an error.
fn walk(value: Value<'_>) {
    match value.ty().as_str().as_bytes().first() {
        Some(b'a') if value.ty().as_str() != "ay" => value.items().unwrap().for_each(|item| walk(item.unwrap())),
        Some(b'(' | b'{') => value.members().unwrap().for_each(|member| walk(member.unwrap())),
        Some(b'v') => walk(value.inner().unwrap()),
        Some(b's' | b'o' | b'g') => assert!(value.as_str().is_some()),
        Some(b't') => assert!(value.as_u64_le().is_some() && value.as_u64_be().is_some()),
        _ => {}
    }
}
