//! One thing to be signed, with its content in chunks.

use super::{CallLimits, told, unanswered, unexpected};
use crate::identity::Peer;
use crate::link::{Call, Link, LinkError};
use crate::metrics::{Metrics, Underway};
use crate::traces::Traced;
use crate::wire;
use chancery_channel::{Answer, Payload, Principal, RefusalKind, RequestId, Signed, ToKeeper};
use chancery_proto::v1::SignRequest;
use chancery_proto::v1::sign_request::Part;
use std::sync::Arc;
use tonic::{Status, Streaming};

/// Asks the keeper for one signature.
///
/// # Errors
/// The status that the client gets.
pub(super) async fn sign(
    link: &Link,
    metrics: &Arc<Metrics>,
    limits: &CallLimits,
    peer: &Peer,
    principal: Principal,
    mut parts: Streaming<SignRequest>,
    mut traced: Traced,
) -> Result<Signed, Status> {
    let request = match next(limits, &mut parts).await? {
        Some(Part::Header(header)) => match wire::request(principal, header) {
            Ok(request) => request,
            Err(error) => {
                metrics.malformed();
                traced.refused("malformed-request");
                return Err(invalid("malformed-request", &error.to_string()));
            }
        },
        Some(Part::Chunk(_)) | None => {
            metrics.malformed();
            traced.refused("header-missing");
            return Err(invalid("header-missing", "the first message must be a header"));
        }
    };
    let underway = metrics.begin(&request, traced);
    let content = match request.payload {
        Payload::Content { len, .. } if len > limits.max_content => {
            underway.refused("content-too-large");
            return Err(wire::status(wire::too_large(len, limits.max_content)));
        }
        Payload::Content { len, .. } => Some(len),
        Payload::Digest { .. } | Payload::Blake2b(_) | Payload::HashState(_) | Payload::Statement(_) => None,
    };
    let request_id = request.request_id;
    ask(link, underway, limits, request_id, content, parts, |id| ToKeeper::Sign { id, request, peer: peer.address() })
        .await
        .inspect_err(|status| tracing::debug!(%request_id, code = ?status.code(), "answered with a status"))
}

async fn ask<'a>(
    link: &Link,
    underway: Underway,
    limits: &CallLimits,
    request_id: RequestId,
    content: Option<u64>,
    mut parts: Streaming<SignRequest>,
    message: impl FnOnce(u64) -> ToKeeper<'a>,
) -> Result<Signed, Status> {
    let mut call = link.call(message).map_err(|e| wire::status(unanswered(&e)))?;
    let early = match content {
        Some(len) => forward(limits, &mut call, len, &mut parts).await?,
        None => None,
    };
    let answer = match early {
        Some(answer) => answer,
        None => call.answer().await,
    };
    told(request_id, &answer);
    underway.answered(&answer);
    match answer.map_err(|e| wire::status(unanswered(&e)))? {
        Answer::Signed(signed) => Ok(signed),
        other => Err(wire::status(unexpected(other, Some(request_id)))),
    }
}

/// Hands chunks on as they come; an answer that comes first ends it. The keeper learns that the content is whole only after the
/// client closed the stream, so content with bytes left over is never decided.
async fn forward(
    limits: &CallLimits,
    call: &mut Call,
    declared: u64,
    parts: &mut Streaming<SignRequest>,
) -> Result<Option<Result<Answer, LinkError>>, Status> {
    let mut have: u64 = 0;
    loop {
        let part = tokio::select! {
            biased;
            early = call.answer() => return Ok(Some(early)),
            part = next(limits, parts) => part?,
        };
        let chunk = match part {
            Some(Part::Chunk(chunk)) => chunk,
            Some(Part::Header(_)) => return Err(invalid("second-header", "a call has one header")),
            None if have < declared => {
                return Err(invalid("length-mismatch", &format!("the content ended after {have} of {declared} bytes")));
            }
            None => break,
        };
        have = have.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if have > declared {
            return Err(invalid("length-mismatch", &format!("the content has more than the declared {declared} bytes")));
        }
        call.chunk(&chunk, false).await.map_err(|e| wire::status(unanswered(&e)))?;
    }
    call.chunk(&[], true).await.map_err(|e| wire::status(unanswered(&e)))?;
    Ok(None)
}

async fn next(limits: &CallLimits, parts: &mut Streaming<SignRequest>) -> Result<Option<Part>, Status> {
    let message = tokio::time::timeout(limits.stall_timeout, parts.message()).await.map_err(|_| stalled(limits))??;
    message.map(|m| m.part.ok_or_else(|| invalid("empty-message", "a message is neither header nor chunk"))).transpose()
}

fn stalled(limits: &CallLimits) -> Status {
    let limit = limits.stall_timeout;
    wire::late(
        "stalled",
        format!("nothing came for {limit:?}, the stall_timeout of this key host; send the request again, with the same id"),
    )
}

fn invalid(reason: &str, message: &str) -> Status {
    wire::status(wire::own_refusal(RefusalKind::Invalid, reason, message.to_owned()))
}
