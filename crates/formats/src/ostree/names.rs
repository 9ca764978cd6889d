//! The alphabets of names.

/// The longest ref name that is read, in bytes.
const MAX_REF_NAME: usize = 1024;

/// Whether `name` may name a ref: segments divided by `/`, each beginning with a letter, digit or `_` and going on with those, `.` and
/// `-`. That is what `ostree refs --create` allows, except that OSTree also takes letters outside ASCII and two dots in a row.
#[must_use]
pub fn is_ref_name(name: &str) -> bool {
    name.len() <= MAX_REF_NAME && !name.contains("..") && name.split('/').all(is_segment)
}

fn is_segment(segment: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    segment.bytes().next().is_some_and(word) && segment.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

/// Whether `id` may be a collection id: what D-Bus allows as the name of an interface, such as `org.example.Stable`.
#[must_use]
pub fn is_collection_id(id: &str) -> bool {
    let element =
        |e: &str| e.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && e.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    id.len() <= 255 && id.contains('.') && id.split('.').all(element)
}

/// A commit or other checksum in lower-case hex, as OSTree writes it in names.
pub(super) fn checksum_from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let mut bytes = [0_u8; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = nibble(*high)?.checked_shl(4)? | nibble(*low)?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => digit.checked_sub(b'0'),
        b'a'..=b'f' => digit.checked_sub(b'a')?.checked_add(10),
        _ => None,
    }
}
