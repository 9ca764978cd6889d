//! The names of files in lists.

use super::MAX_NAME;
use crate::content::ContentFault;
use crate::text::is_deceptive;

/// Checks a name: a path below the current directory, in normal form but for one `./` in front.
pub(super) fn check(name: &str) -> Result<(), ContentFault> {
    let fault = match name {
        "" => "is empty",
        // To sha256sum it means the standard input.
        "-" => "is `-`",
        _ if name.len() > MAX_NAME => "is longer than 1,000 bytes",
        _ if name.starts_with('/') => "is absolute",
        _ if name.contains(is_deceptive) => "has a control character or a mark of writing direction",
        // GNU writes it escaped, and others read that as it stands.
        _ if name.contains('\\') => "has a backslash",
        // Readers differ in how many spaces, and whether an asterisk, belong to what stands before the name.
        _ if name.starts_with([' ', '*']) || name.ends_with(' ') => "begins or ends with a space, or begins with an asterisk",
        _ if without_dot(name).split('/').any(|part| matches!(part, "" | "." | "..")) => "has an empty, `.` or `..` part",
        _ => return Ok(()),
    };
    Err(ContentFault::FileName(fault))
}

/// The name without the `./` that `find` puts in front: the same file.
pub(super) fn without_dot(name: &str) -> &str {
    name.strip_prefix("./").unwrap_or(name)
}
