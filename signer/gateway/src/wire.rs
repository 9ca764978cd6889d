//! From the wire to typed requests, and from answers to the wire. Nothing is decided here.

use crate::identity::IdentityError;
use bytes::Bytes;
use chancery_channel::{
    Cell, Digest, DigestAlgorithm, HashState, KeyDescription, KeyState, Namespace, Payload, Principal, Refusal, RefusalKind, RequestId,
    SignRequest, Statement, StatementSubject,
};
use chancery_proto::v1;
use prost::Message as _;
use tonic::{Code, Status};

/// The detail of a status that holds a refusal.
const REFUSAL_URL: &str = "type.googleapis.com/chancery.v1.Refusal";

/// Most clients take 16 KiB of trailers. A receipt has some 4 KiB there, in base64.
const STATUS_RECEIPT_MAX: usize = 6 * 1024;
/// In characters; each is there three times.
const STATUS_MESSAGE_MAX: usize = 500;

/// A message that is not what the `.proto` files describe. Sending it again gives the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {what}")]
pub struct WireError {
    field: &'static str,
    what: String,
}

fn wrong(field: &'static str, what: impl ToString) -> WireError {
    WireError { field, what: what.to_string() }
}

/// Takes a header apart.
///
/// # Errors
/// [`WireError`] names the field.
pub fn request(principal: Principal, header: v1::SignHeader) -> Result<SignRequest, WireError> {
    let id: [u8; 16] = header.request_id.as_ref().try_into().map_err(|_| wrong("request_id", "must be 16 random bytes"))?;
    let key = header.key.try_into().map_err(|e| wrong("key", e))?;
    let construction = header.construction.parse().map_err(|e| wrong("construction", e))?;
    let subject = header.subject.try_into().map_err(|e| wrong("subject", e))?;
    let payload = match header.payload.ok_or_else(|| wrong("payload", "is missing: announce content or send a digest"))? {
        v1::sign_header::Payload::Content(content) => Payload::Content {
            len: content.length,
            sha256: content.sha256.as_ref().try_into().map_err(|_| wrong("content.sha256", "must be 32 bytes"))?,
        },
        v1::sign_header::Payload::Sshsig(sshsig) => sshsig_payload(sshsig)?,
        v1::sign_header::Payload::Blake2b(digest) => match Digest::new(DigestAlgorithm::Sha512, &digest) {
            Some(Digest::Sha512(halves)) => Payload::Blake2b(halves),
            _ => return Err(wrong("blake2b", "must be 64 bytes")),
        },
        v1::sign_header::Payload::HashState(state) => hash_state(state)?,
        v1::sign_header::Payload::Statement(statement) => statement_payload(statement)?,
    };
    Ok(SignRequest { request_id: RequestId(id), principal, key, construction, subject, payload })
}

/// More is never hashed by a block of SHA-2.
const TAIL_MAX: usize = 127;
const STATEMENT_SUBJECTS: usize = 1024;
const STATEMENT_TEXT: usize = 1024;
const STATEMENT_FIELDS: usize = 64;

fn algorithm(field: &'static str, name: &str) -> Result<DigestAlgorithm, WireError> {
    match name {
        "sha256" => Ok(DigestAlgorithm::Sha256),
        "sha512" => Ok(DigestAlgorithm::Sha512),
        _ => Err(wrong(field, "must be sha256 or sha512")),
    }
}

/// Whether words, length and tail belong together is the keeper's to find out.
fn hash_state(state: v1::HashState) -> Result<Payload, WireError> {
    let algorithm = algorithm("hash_state.hash_algorithm", &state.hash_algorithm)?;
    if !matches!(state.words.len(), 32 | 64) {
        return Err(wrong("hash_state.words", "must be 32 bytes for sha256, 64 for sha512"));
    }
    if state.tail.len() > TAIL_MAX {
        return Err(wrong("hash_state.tail", "must be shorter than a block of the hash"));
    }
    Ok(Payload::HashState(HashState { algorithm, words: state.words.to_vec(), length: state.length, tail: state.tail.to_vec() }))
}

/// Whether it makes a statement is the keeper's to find out; here it is bounded.
fn statement_payload(statement: v1::Statement) -> Result<Payload, WireError> {
    let too_long = |text: &str| text.len() > STATEMENT_TEXT;
    if statement.subjects.len() > STATEMENT_SUBJECTS || statement.subjects.iter().any(|s| too_long(&s.name)) {
        return Err(wrong("statement.subjects", "are too many, or one has too long a name"));
    }
    let long = statement.predicate.iter().any(|(name, value)| too_long(name) || too_long(value));
    if statement.predicate.len() > STATEMENT_FIELDS || long || too_long(&statement.predicate_type) {
        return Err(wrong("statement.predicate", "has too many or too long fields"));
    }
    let subject = |s: v1::StatementSubject| {
        let sha256 = s.sha256.as_ref().try_into().map_err(|_| wrong("statement.subjects.sha256", "must be 32 bytes"))?;
        Ok(StatementSubject { name: s.name, sha256 })
    };
    let subjects = statement.subjects.into_iter().map(subject).collect::<Result<_, WireError>>()?;
    // In one order, so that a retry is the same request.
    let mut predicate: Vec<_> = statement.predicate.into_iter().collect();
    predicate.sort_unstable();
    Ok(Payload::Statement(Statement { subjects, predicate_type: statement.predicate_type, predicate }))
}

fn sshsig_payload(sshsig: v1::SshsigDigest) -> Result<Payload, WireError> {
    let namespace = Namespace::new(sshsig.namespace).map_err(|e| wrong("sshsig.namespace", e))?;
    let algorithm = algorithm("sshsig.hash_algorithm", &sshsig.hash_algorithm)?;
    let digest =
        Digest::new(algorithm, &sshsig.digest).ok_or_else(|| wrong("sshsig.digest", "must be as long as the hash algorithm makes it"))?;
    Ok(Payload::Digest { namespace, digest })
}

/// A refusal of content that is larger than this gateway takes.
#[must_use]
pub fn too_large(len: u64, max: u64) -> Refusal {
    let message = format!("the content has {len} bytes, this key host takes at most {max}; see max_content in its signer.toml");
    own_refusal(RefusalKind::TooLarge, "content-too-large", message)
}

/// A released signature.
#[must_use]
pub fn signed(signed: chancery_channel::Signed) -> v1::SignResponse {
    v1::SignResponse {
        signature: signed.signature.into(),
        key_version: signed.key_version,
        tbs_sha256: Bytes::copy_from_slice(&signed.tbs_sha256),
        entry_index: signed.entry_index,
        receipt: signed.receipt.into(),
    }
}

/// Why nothing was signed.
#[must_use]
pub fn refusal(refusal: Refusal) -> v1::Refusal {
    v1::Refusal {
        retry: retry(refusal.kind),
        reason: refusal.reason,
        message: refusal.message,
        entry_index: refusal.entry_index,
        receipt: refusal.receipt.into(),
    }
}

/// A refusal that the gateway makes itself: nothing was asked of the keeper, so there is no entry.
#[must_use]
pub fn own_refusal(kind: RefusalKind, reason: &str, message: String) -> Refusal {
    Refusal { kind, reason: reason.to_owned(), message, entry_index: None, receipt: Vec::new() }
}

const fn retry(kind: RefusalKind) -> bool {
    matches!(kind, RefusalKind::Busy | RefusalKind::Unavailable | RefusalKind::Internal)
}

/// The one place where refusals become gRPC codes.
#[must_use]
pub fn status(refused: Refusal) -> Status {
    let code = match refused.kind {
        RefusalKind::Denied => Code::PermissionDenied,
        RefusalKind::Invalid => Code::InvalidArgument,
        RefusalKind::NotFound => Code::NotFound,
        RefusalKind::TooLarge => Code::OutOfRange,
        RefusalKind::Conflict => Code::AlreadyExists,
        RefusalKind::Busy => Code::ResourceExhausted,
        RefusalKind::Unavailable => Code::Unavailable,
        RefusalKind::Internal => Code::Internal,
        RefusalKind::Unreachable => Code::FailedPrecondition,
    };
    with_details(code, refusal(refused))
}

/// The certificate of the connection names nobody.
#[must_use]
pub fn unauthenticated(why: &IdentityError) -> Status {
    with_details(Code::Unauthenticated, said_by_gateway("unauthenticated", why.to_string(), false))
}

/// Time is up.
#[must_use]
pub fn late(reason: &str, message: String) -> Status {
    with_details(Code::DeadlineExceeded, said_by_gateway(reason, message, true))
}

/// The gateway reads no more requests of a stream, because it ends.
#[must_use]
pub fn stopping() -> Status {
    let message = "the key host is stopping; send again what has no reply, with the same ids".to_owned();
    with_details(Code::Unavailable, said_by_gateway("stopping", message, true))
}

/// The keeper waits for its passphrase.
#[must_use]
pub fn locked() -> Status {
    let message =
        "the keys of this key host are locked; an operator opens them with `chanceryd key unlock`, then send the same request again";
    with_details(Code::Unavailable, said_by_gateway("locked", message.to_owned(), true))
}

fn said_by_gateway(reason: &str, message: String, retry: bool) -> v1::Refusal {
    v1::Refusal { reason: reason.to_owned(), message, entry_index: None, receipt: Bytes::new(), retry }
}

/// A status travels in trailers, which clients bound as a whole: what does not fit is left out rather than losing all of it.
fn with_details(code: Code, mut refusal: v1::Refusal) -> Status {
    if refusal.receipt.len() > STATUS_RECEIPT_MAX {
        refusal.receipt = Bytes::new();
    }
    if let Some((at, _)) = refusal.message.char_indices().nth(STATUS_MESSAGE_MAX) {
        refusal.message.truncate(at);
    }
    let message = refusal.message.clone();
    let detail = prost_types::Any { type_url: REFUSAL_URL.to_owned(), value: refusal.encode_to_vec() };
    let details = tonic_types::pb::Status { code: code.into(), message: message.clone(), details: vec![detail] };
    Status::with_details(code, message, details.encode_to_vec().into())
}

/// The public half of a key.
#[must_use]
pub fn key(key: KeyDescription) -> v1::Key {
    let state = match key.state {
        KeyState::Open => v1::KeyState::Open,
        KeyState::Locked => v1::KeyState::Locked,
        KeyState::Unreachable => v1::KeyState::Unreachable,
    };
    v1::Key {
        name: key.name.into(),
        version: key.version,
        algorithm: "ed25519".to_owned(),
        public_key: Bytes::copy_from_slice(&key.public_key),
        constructions: key.constructions.iter().map(|c| c.name().to_owned()).collect(),
        created: key.created,
        state: state.into(),
        retires: key.retires,
    }
}

/// What a process gave up.
#[must_use]
pub fn cell(cell: Cell) -> v1::Cell {
    v1::Cell { layers: cell.layers, missing: cell.missing }
}

#[cfg(test)]
mod tests;
