//! Text from elsewhere, made fit to be shown.

/// Text from elsewhere, fit to be shown: control characters, and those that turn the direction of writing, could make a terminal show
/// something else than what was said. No more than 2,000 characters stay.
#[must_use]
pub fn printable(text: &str) -> String {
    const MAX: usize = 2000;
    text.chars().take(MAX).map(|c| if c.is_control() || is_bidi(c) { '\u{fffd}' } else { c }).collect()
}

/// Characters that turn the direction of what is shown after them.
const fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn control_characters_do_not_get_through() {
        assert_eq!(printable("a\u{1b}[2Jb\n\u{202e}c"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}c");
    }
}
