//! From what the parser says to a message with file, line, and what was probably meant.

use super::ConfigError;
use std::path::Path;

pub(super) fn report(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let at = error.span().map_or(0, |span| span.start);
    let before = text.get(..at).unwrap_or_default();
    let line = before.bytes().filter(|b| *b == b'\n').count().saturating_add(1);
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count().saturating_add(1);
    ConfigError::Content { path: path.to_owned(), line, column, what: meant(error.message()) }
}

/// What the standard library says of an address is no help.
const NO_ADDRESS: &str = "invalid socket address syntax";

/// Serde lists all keys that a table may have; the one that was probably meant is more use.
fn meant(message: &str) -> String {
    if message == NO_ADDRESS {
        return "write an address and a port, such as \"0.0.0.0:7443\"".to_owned();
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(unknown) = quoted.next().filter(|_| message.starts_with("unknown field")) else { return message.to_owned() };
    let known: Vec<&str> = quoted.collect();
    let nearest = known.iter().min_by_key(|k| strsim::damerau_levenshtein(unknown, k));
    let instead = match nearest {
        Some(known) if strsim::damerau_levenshtein(unknown, known) <= known.len().div_ceil(3) => format!("did you mean `{known}`?"),
        _ => format!("there are {}", known.join(", ")),
    };
    format!("unknown key `{unknown}`; {instead}")
}
