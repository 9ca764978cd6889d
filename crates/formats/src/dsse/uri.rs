//! URIs.

/// Whether `text` is a URI with a scheme (RFC 3986 section 3): `https://example.org/release/v1`. The parts behind the scheme are
/// checked for their characters only.
pub(super) fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let letter_first = scheme.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    let scheme = letter_first && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let characters = rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b));
    let escapes = rest.split('%').skip(1).all(|part| part.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2);
    scheme && !rest.is_empty() && characters && escapes
}
