//! The text form (RFC 9580 section 6): base64 between two lines, with a check sum.

use super::OpenpgpError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const LINE: usize = 64;

/// What is armored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// `PGP SIGNATURE`.
    Signature,
    /// `PGP PUBLIC KEY BLOCK`.
    PublicKey,
    /// `PGP PRIVATE KEY BLOCK`.
    PrivateKey,
}

impl Block {
    const fn name(self) -> &'static str {
        match self {
            Self::Signature => "PGP SIGNATURE",
            Self::PublicKey => "PGP PUBLIC KEY BLOCK",
            Self::PrivateKey => "PGP PRIVATE KEY BLOCK",
        }
    }
}

/// Puts packets into text.
#[must_use]
pub fn armor(block: Block, bytes: &[u8]) -> String {
    let name = block.name();
    let text = STANDARD.encode(bytes);
    let mut out = format!("-----BEGIN {name}-----\n\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(LINE).unwrap_or((rest, ""));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push('=');
    out.push_str(&STANDARD.encode(check_sum(bytes)));
    out.push_str(&format!("\n-----END {name}-----\n"));
    out
}

/// Takes packets out of text. Nothing may stand before or after the block but white space; a check sum that is there must be right.
///
/// # Errors
/// [`OpenpgpError::Armor`].
pub fn dearmor(block: Block, text: &str) -> Result<Vec<u8>, OpenpgpError> {
    let name = block.name();
    let wrong = |what| OpenpgpError::Armor { expected: name, what };
    let inner = text.trim_ascii().strip_prefix("-----BEGIN ").and_then(|t| t.strip_prefix(name)?.strip_prefix("-----"));
    let inner = inner.ok_or(wrong("the BEGIN line is missing"))?;
    let inner = inner.strip_suffix("-----").and_then(|t| t.strip_suffix(name)?.strip_suffix("-----END "));
    let inner = inner.ok_or(wrong("the END line is missing"))?;
    let mut lines = inner.lines().map(str::trim_ascii);
    // The rest of the BEGIN line, headers such as `Comment: …`, and an empty line.
    if !lines.next().unwrap_or_default().is_empty() {
        return Err(wrong("there is text after the BEGIN line"));
    }
    let header = |line: &&str| line.contains(": ");
    let body: Vec<&str> = lines.skip_while(header).filter(|line| !line.is_empty()).collect();
    let (body, sum) = match body.split_last() {
        Some((last, before)) if last.len() == 5 && last.starts_with('=') => (before, last.strip_prefix('=')),
        _ => (body.as_slice(), None),
    };
    let bytes = STANDARD.decode(body.concat()).map_err(|_| wrong("the lines between BEGIN and END are not base64"))?;
    if sum.is_some_and(|sum| STANDARD.decode(sum).ok().as_deref() != Some(&check_sum(&bytes))) {
        return Err(wrong("the check sum is wrong"));
    }
    Ok(bytes)
}

/// CRC-24 (RFC 9580 section 6.1).
fn check_sum(bytes: &[u8]) -> [u8; 3] {
    let mut crc: u32 = 0x00b7_04ce;
    for byte in bytes {
        crc ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x0100_0000 != 0 {
                crc ^= 0x0186_4cfb;
            }
        }
    }
    let [_, a, b, c] = crc.to_be_bytes();
    [a, b, c]
}
