//! Which characters may stand in text that people are shown, and hexadecimal digits.

/// Whether a character changes how the text around it is shown, or ends a line, so that what is signed would not be what is read:
/// control characters, line and paragraph separators, and marks of writing direction (Unicode Standard Annex 9).
pub(crate) fn is_deceptive(c: char) -> bool {
    c.is_control() || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether all bytes are hexadecimal digits without capitals.
pub(crate) fn is_lower_hex(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
