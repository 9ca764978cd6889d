//! What is asked of a witness (C2SP tlog-witness, add-checkpoint).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_reqlog::durable::DurableError;
use chancery_tlog::{Checkpoint, Hash, Note};

/// No tree has more levels.
const MAX_PROOF: usize = 63;

/// A request that was read.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) old: u64,
    pub(super) proof: Vec<Hash>,
    pub(super) checkpoint: Checkpoint,
    /// The note, with all its signatures.
    pub(super) note: String,
}

/// Why nothing is cosigned.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the request is malformed: {0}")]
    Malformed(&'static str),
    #[error("the old size is beyond the checkpoint")]
    OldBeyond,
    #[error("this log is not known here")]
    UnknownLog,
    #[error("the checkpoint is not signed by the log's key")]
    Signature,
    #[error("the newest checkpoint that was cosigned here has {0} entries")]
    OtherSize(u64),
    #[error("the proof does not lead from the checkpoint that was cosigned here to this one")]
    Proof,
    #[error("another checkpoint of this size was cosigned here: the log is forked")]
    Fork,
    #[error("the checkpoint could not be kept")]
    Storage(#[source] DurableError),
}

impl Request {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let wrong = Refusal::Malformed;
        let body = std::str::from_utf8(body).map_err(|_| wrong("it is not UTF-8"))?;
        let (head, note) = body.split_once("\n\n").ok_or(wrong("there is no empty line"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).ok_or(wrong("it does not begin with `old SIZE`"))?;
        let canonical = old == "0" || (!old.starts_with('0') && old.bytes().all(|b| b.is_ascii_digit()));
        let old = old.parse().ok().filter(|n: &u64| canonical && i64::try_from(*n).is_ok()).ok_or(wrong("the old size is not a number"))?;
        let hash = |line: &str| STANDARD.decode(line).ok().and_then(|bytes| bytes.try_into().ok()).map(Hash);
        let proof: Vec<Hash> = lines.map(hash).collect::<Option<_>>().ok_or(wrong("a line of the proof is not a hash in base64"))?;
        if proof.len() > MAX_PROOF {
            return Err(wrong("the proof has more than 63 hashes"));
        }
        let text = Note::parse(note).map_err(|_| wrong("the checkpoint is not a signed note"))?.text().to_owned();
        let checkpoint = text.parse().map_err(|_| wrong("the note is not a checkpoint"))?;
        Ok(Self { old, proof, checkpoint, note: note.to_owned() })
    }
}
