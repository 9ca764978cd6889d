//! What a witness is asked, and what its answer means. Nothing here reads or keeps anything.

use crate::state::SignedCheckpoint;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tlog::{Hash, KeyType, Note, NoteError, VerifierKey};
use std::fmt::Write as _;

/// Longer answers are refused unread, in bytes: a cosignature has some hundred.
pub const MAX_ANSWER: usize = 16 << 10;
/// So far may the clock of a witness be ahead of ours, in seconds.
const MAX_AHEAD: u64 = 300;
/// What a witness calls its own size in (C2SP tlog-witness, `add-checkpoint`).
const SIZE_TYPE: &str = "text/x.tlog.size";
/// So much of what a witness says about a refusal is worth repeating, in characters.
const SAYS_MAX: usize = 200;

/// An HTTP answer to `add-checkpoint`, as whoever carried it says.
#[derive(Debug, Clone, Copy)]
pub struct WitnessAnswer<'a> {
    /// The status code.
    pub status: u16,
    /// The value of `Content-Type`; empty when there was none.
    pub content_type: &'a str,
    /// The body, cut off after [`MAX_ANSWER`] bytes and one.
    pub body: &'a [u8],
}

/// What was asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// The size that the witness was said to know.
    pub(super) old: u64,
    /// The checkpoint it was to cosign.
    pub(super) signed: std::sync::Arc<SignedCheckpoint>,
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judgement {
    /// The witness cosigned the checkpoint at this time, in seconds since 1970; the line is complete, with its newline.
    Cosigned { line: String, time: u64 },
    /// It knows a tree of another size than it was said to: the next request has to begin there.
    Elsewhere { size: u64 },
    /// It knows a tree that is larger than the log.
    Ahead { size: u64 },
    /// It does not cosign this; what it says of it is for people.
    Refused { says: String },
}

/// An answer that means nothing: by another key, about another checkpoint, or not in the form of an answer. The witness is at fault,
/// or whoever carries the answers; it is asked again later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// Larger than any answer.
    #[error("the answer of the witness is larger than {MAX_ANSWER} bytes")]
    TooLarge,
    /// Not signature lines, or one of this witness that does not fit.
    #[error("the answer of the witness does not fit the checkpoint that it was asked about")]
    Note(#[source] NoteError),
    /// More than signature lines.
    #[error("the answer of the witness is not signature lines alone")]
    Text,
    /// No line by this witness with a key of type 0x04.
    #[error("the answer has no cosignature by this witness; compare the vkey in signer.toml with the one that the witness publishes")]
    Missing,
    /// A time that cannot be.
    #[error("the witness cosigned at {time} seconds since 1970, and it is {now} here; set the clocks of both")]
    Time {
        /// What the witness says.
        time: u64,
        /// What our clock says.
        now: u64,
    },
    /// A size that is none.
    #[error("the witness answered 409 without saying which size it knows")]
    Size,
    /// It refuses the size that it says itself.
    #[error("the witness refuses the size {0} and says that it knows just this size")]
    Contradiction(u64),
}

/// The body of `add-checkpoint`: the size that the witness knows, the proof that leads from it to the checkpoint, and the checkpoint.
pub(super) fn request_body(old: u64, proof: &[Hash], note: &str) -> Vec<u8> {
    let mut body = format!("old {old}\n");
    for hash in proof {
        let _ = writeln!(body, "{hash}");
    }
    body.push('\n');
    body.push_str(own_note(note));
    body.into_bytes()
}

/// A signed note up to its first signature line, which is the log's own: others' cosignatures are nothing to a witness.
pub(super) fn own_note(note: &str) -> &str {
    let text = note.rfind("\n\n").map_or(0, |end| end.saturating_add(2));
    let line = note.get(text..).and_then(|lines| lines.find('\n')).map_or(note.len(), |n| text.saturating_add(n).saturating_add(1));
    note.get(..line).unwrap_or(note)
}

/// Judges an answer. `size` is how many entries the log has, `now` is in seconds since 1970.
pub(super) fn judge(key: &VerifierKey, asked: &Asked, size: u64, answer: WitnessAnswer<'_>, now: u64) -> Result<Judgement, AnswerError> {
    if answer.body.len() > MAX_ANSWER {
        return Err(AnswerError::TooLarge);
    }
    match answer.status {
        200 => cosignature(key, &asked.signed.note, answer.body, now),
        409 if is_size(answer.content_type) => match decimal_line(answer.body).ok_or(AnswerError::Size)? {
            theirs if theirs > size => Ok(Judgement::Ahead { size: theirs }),
            theirs if theirs == asked.old => Err(AnswerError::Contradiction(theirs)),
            theirs => Ok(Judgement::Elsewhere { size: theirs }),
        },
        _ => Ok(Judgement::Refused { says: first_words(answer.body) }),
    }
}

fn cosignature(key: &VerifierKey, note: &str, body: &[u8], now: u64) -> Result<Judgement, AnswerError> {
    let own = own_note(note);
    let lines = std::str::from_utf8(body).map_err(|_| AnswerError::Note(NoteError::Form))?;
    let whole = format!("{own}{lines}");
    let parsed = Note::parse(&whole).map_err(AnswerError::Note)?;
    // An empty line in the answer would move the border between text and signatures.
    if !own.strip_prefix(parsed.text()).is_some_and(|rest| rest.starts_with('\n')) {
        return Err(AnswerError::Text);
    }
    let is_ours = |name: &str, id: [u8; 4]| name == key.name() && id == key.id() && key.key_type() == KeyType::CosignatureV1;
    let line = parsed.signatures().iter().find(|s| is_ours(s.name, s.id)).ok_or(AnswerError::Missing)?;
    let verified = parsed.verify(std::slice::from_ref(key)).map_err(AnswerError::Note)?;
    let time = verified.first().and_then(|v| v.time).ok_or(AnswerError::Missing)?;
    if time == 0 || time > now.saturating_add(MAX_AHEAD) {
        return Err(AnswerError::Time { time, now });
    }
    let data = STANDARD.encode([line.id.as_slice(), &line.payload].concat());
    Ok(Judgement::Cosigned { line: format!("\u{2014} {} {data}\n", line.name), time })
}

fn is_size(content_type: &str) -> bool {
    content_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(SIZE_TYPE))
}

/// A size as C2SP writes it, and a newline.
fn decimal_line(body: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(body).ok()?.strip_suffix('\n')?;
    let canonical = digits == "0" || (!digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()));
    digits.parse().ok().filter(|n: &u64| canonical && i64::try_from(*n).is_ok())
}

/// The beginning of the first line, without what could upset a terminal.
fn first_words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(SAYS_MAX).collect()
}
