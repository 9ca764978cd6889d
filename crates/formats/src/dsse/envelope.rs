//! The JSON envelope of DSSE, alone and in a sigstore bundle.

use super::json::put_member;
use super::{BUNDLE_MEDIA_TYPE, PAYLOAD_TYPE, Statement, StatementError, pae};
use crate::ed25519;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// The longest envelope or bundle that is read, in bytes.
const MAX_ENVELOPE: usize = 8 * 1024 * 1024;
const MAX_SIGNATURES: usize = 64;
const MAX_KEY_ID: usize = 255;

/// An envelope that was read, and not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// What the payload is.
    pub payload_type: String,
    /// The bytes that are signed, together with their type.
    pub payload: Vec<u8>,
    /// The signatures, at least one.
    pub signatures: Vec<EnvelopeSignature>,
}

/// A signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeSignature {
    /// Which key made it, as the envelope says. A hint which nothing protects; empty when there is none.
    pub key_id: String,
    /// The signature, of any kind.
    pub signature: Vec<u8>,
}

/// Why an envelope cannot be made, read or believed. Another try with the same input gives the same answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// A key id is not usable.
    #[error("the key id is not 1 to 255 printable ASCII characters without spaces")]
    KeyId,
    /// The envelope is too large.
    #[error("the envelope is larger than 8 MiB")]
    Size,
    /// The text is not the JSON of a DSSE v1 envelope, or of a bundle with one.
    #[error("not a DSSE envelope: line {line}, column {column} is not as expected")]
    Json {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// The bundle is of another kind than [`BUNDLE_MEDIA_TYPE`].
    #[error("not a sigstore bundle of version 0.3")]
    MediaType,
    /// The payload or a signature is not base64.
    #[error("the payload or a signature of the envelope is not base64")]
    Base64,
    /// There is no signature, or there are too many.
    #[error("an envelope has 1 to 64 signatures, this one has {found}")]
    SignatureCount {
        /// How many there are.
        found: usize,
    },
    /// No signature is one of this payload by the expected key.
    #[error("no signature of the envelope is one of its payload by the expected key")]
    Signature,
    /// The payload is not an in-toto statement.
    #[error("the payload of the envelope is not of type application/vnd.in-toto+json")]
    PayloadType,
    /// The payload is not a statement that is read.
    #[error("the payload of the envelope cannot be used")]
    Statement(#[source] StatementError),
}

/// The finished envelope of a statement and the signature of [`Statement::pae`].
///
/// # Errors
/// When the key id is not usable.
pub fn envelope_json(statement: &Statement, key_id: &str, signature: &[u8; 64]) -> Result<String, EnvelopeError> {
    if !(1..=MAX_KEY_ID).contains(&key_id.len()) || !key_id.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(EnvelopeError::KeyId);
    }
    let mut out = String::from("{");
    put_member(&mut out, "payload", &STANDARD.encode(statement.to_json()));
    out.push(',');
    put_member(&mut out, "payloadType", PAYLOAD_TYPE);
    out.push_str(",\"signatures\":[{");
    put_member(&mut out, "keyid", key_id);
    out.push(',');
    put_member(&mut out, "sig", &STANDARD.encode(signature));
    out.push_str("}]}");
    Ok(out)
}

/// The envelope in a sigstore bundle of version 0.3, with `key_id` as the hint which public key is needed and no proofs of a log.
///
/// # Errors
/// When the key id is not usable.
pub fn bundle_json(statement: &Statement, key_id: &str, signature: &[u8; 64]) -> Result<String, EnvelopeError> {
    let envelope = envelope_json(statement, key_id, signature)?;
    let mut out = String::from("{");
    put_member(&mut out, "mediaType", BUNDLE_MEDIA_TYPE);
    out.push_str(",\"verificationMaterial\":{\"publicKey\":{");
    put_member(&mut out, "hint", key_id);
    out.push_str("}},\"dsseEnvelope\":");
    out.push_str(&envelope);
    out.push('}');
    Ok(out)
}

impl Envelope {
    /// Reads an envelope (envelope.md, "Parsing rules"): unknown fields are skipped, base64 may be of either alphabet.
    ///
    /// # Errors
    /// When the text is too large, not JSON, lacks a field or has one twice, or has no signature or too many.
    pub fn parse(json: &[u8]) -> Result<Self, EnvelopeError> {
        read_json::<Wire>(json)?.read()
    }

    /// Reads the envelope in a sigstore bundle of version 0.3. The other material of the bundle is not looked at.
    ///
    /// # Errors
    /// As for [`Envelope::parse`], or when the bundle is of another version.
    pub fn parse_bundle(json: &[u8]) -> Result<Self, EnvelopeError> {
        let bundle = read_json::<WireBundle>(json)?;
        if bundle.media_type == BUNDLE_MEDIA_TYPE { bundle.dsse_envelope.read() } else { Err(EnvelopeError::MediaType) }
    }

    /// Checks that one of the signatures is one of the payload by `public_key`, and only then reads the payload. Other signatures may
    /// be anything.
    ///
    /// # Errors
    /// When there is none, or the payload is not a statement that [`Statement::parse`] reads.
    pub fn verify(&self, public_key: &[u8; 32]) -> Result<Statement, EnvelopeError> {
        let signed = pae(&self.payload_type, &self.payload);
        let good = |s: &EnvelopeSignature| {
            <&[u8; 64]>::try_from(s.signature.as_slice()).is_ok_and(|signature| ed25519::verify(public_key, &signed, signature).is_ok())
        };
        if !self.signatures.iter().any(good) {
            return Err(EnvelopeError::Signature);
        }
        if self.payload_type != PAYLOAD_TYPE {
            return Err(EnvelopeError::PayloadType);
        }
        Statement::parse(&self.payload).map_err(EnvelopeError::Statement)
    }
}

fn read_json<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, EnvelopeError> {
    if json.len() > MAX_ENVELOPE {
        return Err(EnvelopeError::Size);
    }
    serde_json::from_slice(json).map_err(|e| EnvelopeError::Json { line: e.line(), column: e.column() })
}

fn decode(text: &str) -> Result<Vec<u8>, EnvelopeError> {
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).map_err(|_| EnvelopeError::Base64)
}

/// Fields that are skipped. That they are there also keeps serde from taking an array for an object.
type Others = BTreeMap<String, IgnoredAny>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireBundle {
    media_type: String,
    dsse_envelope: Wire,
    #[serde(flatten)]
    _others: Others,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    payload: String,
    payload_type: String,
    signatures: Vec<WireSignature>,
    #[serde(flatten)]
    _others: Others,
}

#[derive(Deserialize)]
struct WireSignature {
    #[serde(default)]
    keyid: String,
    sig: String,
    #[serde(flatten)]
    _others: Others,
}

impl Wire {
    fn read(self) -> Result<Envelope, EnvelopeError> {
        let found = self.signatures.len();
        if !(1..=MAX_SIGNATURES).contains(&found) {
            return Err(EnvelopeError::SignatureCount { found });
        }
        let signatures = self.signatures.into_iter().map(|s| Ok(EnvelopeSignature { key_id: s.keyid, signature: decode(&s.sig)? }));
        let signatures = signatures.collect::<Result<_, EnvelopeError>>()?;
        Ok(Envelope { payload_type: self.payload_type, payload: decode(&self.payload)?, signatures })
    }
}
