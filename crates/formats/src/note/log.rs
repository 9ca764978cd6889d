//! What keys of transparency logs and their witnesses sign, read loosely: what any reader might take for it.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Base64 as careless readers take it.
const LOOSE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whether bytes begin like a checkpoint (C2SP tlog-checkpoint) or the tree head of Go's checksum database: a line, a decimal number,
/// and a hash of 32 bytes.
pub(crate) fn is_checkpoint(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|b| *b == b'\n').skip(1);
    let number = lines.next().is_some_and(|line| !line.is_empty() && line.iter().all(u8::is_ascii_digit));
    number && lines.next().is_some_and(|line| LOOSE.decode(line).is_ok_and(|hash| hash.len() == 32))
}

/// Whether bytes begin like what a witness signs (C2SP tlog-cosignature).
pub(crate) fn is_cosignature(bytes: &[u8]) -> bool {
    bytes.starts_with(b"cosignature/") || bytes.starts_with(b"subtree/")
}
