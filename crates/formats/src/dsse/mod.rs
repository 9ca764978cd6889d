//! DSSE v1: an in-toto Statement v1 about digests, signed in an envelope.
//!
//! The statement is written here, from names and digests that were checked, and never taken as bytes from outside. So it has one form,
//! and no other is read. What is signed is [`pae`] of it, which begins with `DSSEv1` and says what the bytes are.

mod envelope;
mod json;
mod statement;
mod uri;

pub use envelope::{Envelope, EnvelopeError, EnvelopeSignature, bundle_json, envelope_json};
pub use statement::{Statement, StatementError, Subject};

/// The DSSE payload type of in-toto statements.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The `_type` of in-toto Statement v1.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// The media type of a sigstore bundle, version 0.3.
pub const BUNDLE_MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// The bytes that are signed: DSSE's pre-authentication encoding (protocol.md, "Signature Definition").
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

#[cfg(test)]
mod tests;
