//! Words for people: quoting what came from outside, guessing what was meant, and sizes and durations as people write them.

use std::time::Duration;

/// Outside text in a message is cut after this many characters.
const QUOTE_MAX: usize = 200;

/// Text from outside, between quotes, escaped, and cut where it gets long: safe to print and to send back.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        let escaped = c.escape_default();
        if out.len().saturating_add(escaped.len()) > QUOTE_MAX {
            out.push_str("...");
            break;
        }
        out.extend(escaped);
    }
    out.push('"');
    out
}

/// An error and its sources, each once.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// The known word that was probably meant.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    let best = known.into_iter().map(|k| (strsim::damerau_levenshtein(&given, k), k)).min_by_key(|(distance, _)| *distance)?;
    let enough = best.1.len().min(given.len()).div_ceil(3);
    (best.0 <= enough).then_some(best.1)
}

/// Reads a size such as `16 MiB`, in bytes.
pub(crate) fn size(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let factor = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// Reads a duration such as `10 s`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = number_and_unit(text)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(milliseconds).map(Duration::from_millis)
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit.strip_prefix(' ').unwrap_or(unit)))
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or('0');
    let mut out = String::with_capacity(bytes.len().saturating_mul(2));
    bytes.iter().for_each(|b| out.extend([digit(b >> 4), digit(b & 15)]));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_text_cannot_paint_the_terminal_nor_flood_it() {
        assert_eq!(quote("a\x1b[31m\"\u{202e}"), r#""a\u{1b}[31m\"\u{202e}""#);
        assert!(quote(&"x\n".repeat(10_000)).len() < 210);
    }

    #[test]
    fn a_slip_is_guessed_and_something_else_is_not() {
        let known = ["principal", "key", "refs"];
        assert_eq!(nearest("Principle", known), Some("principal"));
        assert_eq!(nearest("ref", known), Some("refs"));
        assert_eq!(nearest("approvals", known), None);
        assert_eq!(nearest("", known), None);
    }

    #[test]
    fn sizes_and_durations_need_a_unit_and_do_not_overflow() {
        assert_eq!(size("16 MiB"), Some(16 << 20));
        assert_eq!(size("512B"), Some(512));
        assert_eq!(duration("10 s"), Some(Duration::from_secs(10)));
        assert_eq!(duration("2 min"), Some(Duration::from_secs(120)));
        for bad in ["", "16", "MiB", "16 MB", "16  MiB", "-1 B", "1.5 MiB", "18446744073709551615 GiB", "99999999999999999999 B", "é"] {
            assert_eq!(size(bad), None, "{bad}");
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
