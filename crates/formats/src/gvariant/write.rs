//! Writes the few containers that we make ourselves. The result is in normal form: the bytes that GLib would write.

use super::frame::{framed_size, width_of};

/// An array of elements of variable size, each at a multiple of `alignment` bytes: 8 for `a{sv}`, 1 for `aay`.
#[must_use]
pub fn array(alignment: usize, items: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut ends = Vec::with_capacity(items.len());
    for item in items {
        body.resize(body.len().next_multiple_of(alignment), 0);
        body.extend_from_slice(item.as_ref());
        ends.push(body.len());
    }
    append_offsets(body, &ends)
}

/// An entry of a dictionary from strings to variants: `{sv}`. `value` is a serialised variant, made by [`variant`].
#[must_use]
pub fn dict_entry(key: &str, value: &[u8]) -> Vec<u8> {
    let mut body = key.as_bytes().to_vec();
    body.push(0);
    let key_end = body.len();
    body.resize(key_end.next_multiple_of(8), 0);
    body.extend_from_slice(value);
    append_offsets(body, &[key_end])
}

/// A variant that holds the serialised value `data` of the type with the string `ty`.
#[must_use]
pub fn variant(ty: &str, data: &[u8]) -> Vec<u8> {
    [data, &[0], ty.as_bytes()].concat()
}

fn append_offsets(mut body: Vec<u8>, ends: &[usize]) -> Vec<u8> {
    let width = framed_size(body.len(), ends.len()).map_or(8, width_of);
    for end in ends {
        body.extend(end.to_le_bytes().into_iter().take(width));
    }
    body
}
