//! One thing to be signed, with its content in chunks.

use super::{CallLimits, unanswered, unexpected};
use crate::link::{Call, Link};
use crate::wire;
use chancery_channel::{Answer, Payload, Principal, Refusal, RefusalKind, Signed, ToKeeper};
use chancery_proto::v1::SignRequest;
use chancery_proto::v1::sign_request::Part;
use tonic::Streaming;

pub(super) async fn sign(
    link: &Link,
    limits: &CallLimits,
    principal: &Principal,
    mut parts: Streaming<SignRequest>,
) -> Result<Signed, Refusal> {
    let header = match next(limits, &mut parts).await? {
        Some(Part::Header(header)) => header,
        Some(Part::Chunk(_)) | None => return Err(invalid("header-missing", "the first message must be a header")),
    };
    let request = wire::request(principal, header).map_err(|e| invalid("malformed-request", &e.to_string()))?;
    let content = match request.payload {
        Payload::Content { len, .. } if len > limits.max_content => return Err(too_large(len, limits.max_content)),
        Payload::Content { len, .. } => Some(len),
        Payload::Digest { .. } => None,
    };
    let mut call = link.call(|id| ToKeeper::Sign { id, request }).map_err(|e| unanswered(&e))?;
    if let Some(len) = content
        && let Some(early) = forward(limits, &mut call, len, &mut parts).await?
    {
        return taken(early);
    }
    taken(call.answer().await.map_err(|e| unanswered(&e))?)
}

/// Hands chunks on as they come; an answer that comes first ends it. The keeper learns that the content is whole only after the
/// client closed the stream, so content with bytes left over is never decided.
async fn forward(
    limits: &CallLimits,
    call: &mut Call,
    declared: u64,
    parts: &mut Streaming<SignRequest>,
) -> Result<Option<Answer>, Refusal> {
    let mut have: u64 = 0;
    while let Some(part) = next(limits, parts).await? {
        let Part::Chunk(chunk) = part else { return Err(invalid("second-header", "a call has one header")) };
        have = have.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if have > declared {
            return Err(invalid("length-mismatch", &format!("the content has more than the declared {declared} bytes")));
        }
        call.chunk(&chunk, false).await.map_err(|e| unanswered(&e))?;
        if let Some(answer) = call.early() {
            return Ok(Some(answer));
        }
    }
    if have < declared {
        return Err(invalid("length-mismatch", &format!("the content ended after {have} of {declared} bytes")));
    }
    call.chunk(&[], true).await.map_err(|e| unanswered(&e))?;
    Ok(None)
}

async fn next(limits: &CallLimits, parts: &mut Streaming<SignRequest>) -> Result<Option<Part>, Refusal> {
    match tokio::time::timeout(limits.stall_timeout, parts.message()).await {
        Err(_) => Err(invalid("stalled", "nothing came for stall_timeout of the key host's signer.toml; send the request again")),
        Ok(Err(status)) => Err(invalid("stream-broken", &format!("the stream broke: {}", status.message()))),
        Ok(Ok(None)) => Ok(None),
        Ok(Ok(Some(message))) => message.part.map(Some).ok_or_else(|| invalid("empty-message", "a message is neither header nor chunk")),
    }
}

fn taken(answer: Answer) -> Result<Signed, Refusal> {
    match answer {
        Answer::Signed(signed) => Ok(signed),
        other => Err(unexpected(other)),
    }
}

fn invalid(reason: &str, message: &str) -> Refusal {
    wire::own_refusal(RefusalKind::Invalid, reason, message.to_owned())
}

pub(super) fn too_large(len: u64, max: u64) -> Refusal {
    let message = format!("the content has {len} bytes, this key host takes at most {max}; see max_content in its signer.toml");
    wire::own_refusal(RefusalKind::TooLarge, "content-too-large", message)
}
