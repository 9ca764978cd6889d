//! Making cosignatures: C2SP tlog-cosignature, type 0x04.

use crate::note::{DASH, NoteSigner};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// What a witness signs: when it saw the checkpoint, in seconds since 1970, and the text of its note.
pub(crate) fn message(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// The signature line of a witness, with its newline, for the text of a checkpoint's note. `witness` has the id of a key of the type
/// [`crate::KeyType::CosignatureV1`].
#[must_use]
pub fn cosign(text: &str, time: u64, witness: &dyn NoteSigner) -> String {
    let mut line = Vec::with_capacity(76);
    line.extend_from_slice(&witness.key_id());
    line.extend_from_slice(&time.to_be_bytes());
    line.extend_from_slice(&witness.sign(message(text, time).as_bytes()));
    format!("{DASH}{} {}\n", witness.name(), STANDARD.encode(line))
}
