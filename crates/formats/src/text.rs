//! Which characters may stand in text that people are shown.

/// Whether a character changes how the text around it is shown, or ends a line, so that what is signed would not be what is read:
/// control characters, line and paragraph separators, and marks of writing direction (Unicode Standard Annex 9).
pub(crate) fn is_deceptive(c: char) -> bool {
    c.is_control() || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
