//! The text form: base64 between two lines.

use super::SshsigError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
const LINE: usize = 70;

pub(super) fn wrap(blob: &[u8]) -> String {
    let text = STANDARD.encode(blob);
    let mut out = String::with_capacity(text.len().saturating_mul(2));
    out.push_str(BEGIN);
    out.push('\n');
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(LINE).unwrap_or((rest, ""));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str(END);
    out.push('\n');
    out
}

pub(super) fn unwrap(armored: &str) -> Result<Vec<u8>, SshsigError> {
    let wrong = |what| SshsigError::Armor { what };
    let body = armored.trim_ascii().strip_prefix(BEGIN).ok_or(wrong("the BEGIN line is missing"))?;
    let body = body.strip_suffix(END).ok_or(wrong("the END line is missing"))?;
    let text: String = body.chars().filter(|c| !matches!(c, '\n' | '\r' | ' ' | '\t')).collect();
    STANDARD.decode(text).map_err(|_| wrong("the lines between BEGIN and END are not base64"))
}
