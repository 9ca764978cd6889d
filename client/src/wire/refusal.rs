//! Refusals, as they come with a gRPC status or in a batch.

use crate::error::{Misbehaviour, Refusal};
use crate::receipt::Receipt;
use crate::request::RequestId;
use crate::text::printable;
use chancery_proto::v1;
use chancery_tlog::VerifierKey;
use prost::Message as _;

const TYPE_URL: &str = "type.googleapis.com/chancery.v1.Refusal";

/// The refusal that a status of the key host stands for; one without details is a refusal as well, with its code as the reason.
pub(crate) fn from_status(status: &tonic::Status, endpoint: &str) -> v1::Refusal {
    let details = tonic_types::Status::decode(status.details()).ok();
    let found = details.and_then(|d| d.details.into_iter().find(|any| any.type_url == TYPE_URL));
    found.and_then(|any| v1::Refusal::decode(any.value.as_slice()).ok()).unwrap_or_else(|| {
        let message = if status.message().is_empty() { format!("{endpoint} gives no reason") } else { status.message().to_owned() };
        v1::Refusal { reason: code_name(status.code()).to_owned(), message, ..v1::Refusal::default() }
    })
}

/// Takes a refusal in. The index of its entry is believed only as far as the receipt proves it.
pub(crate) fn from_wire(
    wire: v1::Refusal,
    endpoint: &str,
    request: Option<RequestId>,
    log: &VerifierKey,
) -> Result<(Refusal, Option<Receipt>), Misbehaviour> {
    let receipt = match (request, wire.receipt.is_empty()) {
        (Some(id), false) => {
            let receipt = Receipt::open(&wire.receipt, log).map_err(Misbehaviour::Receipt)?;
            receipt.is_of_request(&id.0).map_err(Misbehaviour::Receipt)?;
            Some(receipt)
        }
        _ => None,
    };
    let refusal = Refusal {
        reason: printable(&wire.reason),
        message: printable(&wire.message),
        entry_index: receipt.as_ref().map(Receipt::index),
        receipt: receipt.as_ref().map(|_| wire.receipt.to_vec()),
        retry: wire.retry,
        endpoint: endpoint.to_owned(),
    };
    Ok((refusal, receipt))
}

const fn code_name(code: tonic::Code) -> &'static str {
    use tonic::Code;
    match code {
        Code::InvalidArgument => "invalid-argument",
        Code::NotFound => "not-found",
        Code::AlreadyExists => "already-exists",
        Code::PermissionDenied => "permission-denied",
        Code::Unauthenticated => "unauthenticated",
        Code::ResourceExhausted => "resource-exhausted",
        Code::FailedPrecondition => "failed-precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out-of-range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::DataLoss => "data-loss",
        Code::Unavailable => "unavailable",
        Code::DeadlineExceeded => "deadline-exceeded",
        Code::Cancelled => "cancelled",
        Code::Unknown | Code::Ok => "unknown",
    }
}
