//! `chanceryd request answer`: requests that came as a file, for a key host without any network.
//!
//! The same walls stand: who asks is whoever signed the file with a certificate of the client CA, the keeper decides, records and signs, and
//! what is answered goes back as a file.

mod asked;

use crate::cli::Unlock;
use crate::config::{ConfigError, Gateway};
use crate::keeper::{Ended, Keeper, KeeperError};
use crate::link::{GreetingError, Link, LinkError};
use crate::tls::{TlsError, Trust};
use crate::wire;
use asked::{Asked, AskedError};
use chancery_channel::{Answer, Payload, Refusal, RefusalKind, ToKeeper};
use chancery_journal::Journal;
use chancery_proto::v1::sign_batch_response::Outcome;
use chancery_proto::v1::{OfflineAnswer, OfflineReply, SignBatchRequest, SignBatchResponse};
use prost::Message as _;
use serde::Serialize;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Content goes to the keeper in pieces of this size, in bytes.
const CHUNK: usize = 512 * 1024;

/// Why a file of requests was not answered. What was recorded before stands; the same file may be answered again.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The configuration was refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The client CA cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The keeper could not be started.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    /// The keeper did not greet.
    #[error("nothing was answered; the keeper ended with {status}")]
    NotReady {
        /// How it ended.
        status: Ended,
        /// What was seen of it.
        #[source]
        source: GreetingError,
    },
    /// The keeper ended while it was needed.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A file.
    #[error("{} cannot be {done}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Read or written.
        done: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file asks for nothing that may be looked at.
    #[error("{}: nothing of it was looked at", path.display())]
    Asked {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: AskedError,
    },
    /// No runtime.
    #[error("the process cannot be set up")]
    Process(#[source] io::Error),
}

/// What became of a file of requests.
#[derive(Debug, Serialize)]
pub struct Answered {
    /// Who asked.
    pub principal: String,
    /// Where the answer is.
    pub answer: PathBuf,
    /// How many requests were signed.
    pub signed: usize,
    /// How many were refused, with the reason of each.
    pub refused: Vec<String>,
}

/// Answers a file of requests that is not older than `max_age`.
///
/// # Errors
/// [`AnswerError`].
pub fn answer(dir: &Path, program: &Path, unlock: &Unlock, file: &Path, out: &Path, max_age: Duration) -> Result<Answered, AnswerError> {
    let config = Gateway::read(dir)?;
    let _journal = Journal::start(&config.journal);
    let trust = Trust::load(&config.tls_files())?;
    let failed = |path: &Path, done| {
        let path = path.to_owned();
        move |source| AnswerError::File { path, done, source }
    };
    let bytes = std::fs::read(file).map_err(failed(file, "read"))?;
    let refused = |source| AnswerError::Asked { path: file.to_owned(), source };
    let asked = Asked::read(&bytes, &trust, max_age).map_err(refused)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(AnswerError::Process)?;
    runtime.block_on(async {
        let (keeper, channel) = Keeper::start(program, dir, unlock)?;
        let channel = tokio::net::UnixStream::from_std(channel).map_err(AnswerError::Process)?;
        let (link, ready) = match Link::open(channel).await {
            Ok(opened) => opened,
            Err(source) => return Err(AnswerError::NotReady { status: keeper.closed(config.limits.drain_timeout).await?, source }),
        };
        let answer = match asked.is_for(&ready.log_vkey) {
            Ok(()) => all(&link, &asked, &config).await,
            Err(error) => Err(refused(error)),
        };
        link.hang_up();
        let _ = keeper.end(link.keeper(), config.limits.drain_timeout).await?;
        let answer = answer?;
        let answered = summary(&asked, &answer.replies, out);
        crate::admin::write_answer(out, &answer.encode_to_vec()).map_err(failed(out, "written"))?;
        Ok(answered)
    })
}

fn summary(asked: &Asked, replies: &[OfflineReply], out: &Path) -> Answered {
    let outcome = |reply: &OfflineReply| reply.response.as_ref().and_then(|r| r.outcome.clone());
    let refused = replies.iter().filter_map(|reply| match outcome(reply) {
        Some(Outcome::Refusal(refusal)) => Some(refusal.reason),
        _ => None,
    });
    let refused: Vec<_> = refused.collect();
    let signed = replies.len().saturating_sub(refused.len());
    Answered { principal: asked.principal.to_string(), answer: out.to_owned(), signed, refused }
}

async fn all(link: &Link, asked: &Asked, config: &Gateway) -> Result<OfflineAnswer, AnswerError> {
    let mut replies = Vec::new();
    for request in &asked.body.requests {
        let outcome = match one(link, asked, config, request).await? {
            Ok(signed) => Outcome::Signed(wire::signed(signed)),
            Err(refusal) => Outcome::Refusal(wire::refusal(refusal)),
        };
        let receipt = match &outcome {
            Outcome::Signed(signed) => &signed.receipt,
            Outcome::Refusal(refusal) => &refusal.receipt,
        };
        let size = size_of(receipt).unwrap_or(0);
        let response = Some(SignBatchResponse { number: request.number, outcome: Some(outcome) });
        replies.push(OfflineReply { response, size, proof: Vec::new() });
    }
    let checkpoint = match link.call(|id| ToKeeper::Checkpoint { id })?.answer().await? {
        Answer::Checkpoint(newest) => newest.note,
        _ => String::new(),
    };
    let newest = checkpoint.lines().nth(1).and_then(|size| size.parse().ok()).unwrap_or(0);
    for reply in &mut replies {
        reply.proof = proof(link, reply.size, newest).await?;
    }
    let proof = proof(link, asked.body.known_size, newest).await?;
    Ok(OfflineAnswer { replies, checkpoint, proof })
}

/// The proof that one tree extends another; nothing where there is none, which the client notices.
async fn proof(link: &Link, old: u64, new: u64) -> Result<Vec<bytes::Bytes>, AnswerError> {
    if old == 0 || old >= new {
        return Ok(Vec::new());
    }
    match link.call(|id| ToKeeper::Consistency { id, old, new })?.answer().await? {
        Answer::Consistency(found) => Ok(found.hashes.iter().map(|h| bytes::Bytes::copy_from_slice(h)).collect()),
        _ => Ok(Vec::new()),
    }
}

async fn one(
    link: &Link,
    asked: &Asked,
    config: &Gateway,
    request: &SignBatchRequest,
) -> Result<Result<chancery_channel::Signed, Refusal>, AnswerError> {
    let invalid = |reason: &str, message: String| Ok(Err(wire::own_refusal(RefusalKind::Invalid, reason, message)));
    let Some(header) = request.header.clone() else { return invalid("header-missing", "a request has a header".to_owned()) };
    let parsed = match wire::request(asked.principal.clone(), header) {
        Ok(parsed) => parsed,
        Err(error) => return invalid("malformed-request", error.to_string()),
    };
    let has_content = match parsed.payload {
        Payload::Content { len, .. } if len > config.limits.max_content => {
            return Ok(Err(wire::too_large(len, config.limits.max_content)));
        }
        Payload::Content { len, .. } if usize::try_from(len).ok() != Some(request.content.len()) => {
            return invalid("length-mismatch", format!("the content has {} bytes, {len} were declared", request.content.len()));
        }
        Payload::Content { .. } => true,
        _ => false,
    };
    let mut call = link.call(|id| ToKeeper::Sign { id, request: parsed, peer: "file" })?;
    if has_content {
        for chunk in request.content.chunks(CHUNK) {
            call.chunk(chunk, false).await?;
        }
        call.chunk(&[], true).await?;
    }
    Ok(match call.answer().await? {
        Answer::Signed(signed) => Ok(signed),
        Answer::Refused(refusal) => Err(refusal),
        _ => Err(wire::own_refusal(RefusalKind::Internal, "wrong-answer", "the keeper answered another question".to_owned())),
    })
}

/// How many entries the tree of a receipt has: the second line of its checkpoint. Who gets the receipt proves it.
fn size_of(receipt: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(receipt).ok()?;
    text.split_once("\n\n")?.1.lines().nth(1)?.parse().ok()
}
