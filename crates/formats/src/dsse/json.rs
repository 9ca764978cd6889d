//! Writes JSON without white space; every text has exactly one form.

use std::fmt::Write;

/// Appends a string: quotes and backslashes get a backslash, control characters their number, all else stays as it is (RFC 8259
/// section 7).
pub(super) fn put_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\0'..='\x1f' => {
                // Writing to a String does not fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

/// Appends the members of an object, each a name and a value that `put` writes.
pub(super) fn put_members<T>(out: &mut String, items: impl IntoIterator<Item = T>, mut put: impl FnMut(&mut String, T)) {
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        put(out, item);
    }
}

/// Appends a member whose value is a string.
pub(super) fn put_member(out: &mut String, name: &str, value: &str) {
    put_string(out, name);
    out.push(':');
    put_string(out, value);
}

pub(super) fn put_hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
}
