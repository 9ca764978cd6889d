//! Witnesses of the log (C2SP tlog-witness): each cosigns a checkpoint only if it extends the one that it cosigned before, so a log that
//! shows different trees to different people, or goes back, is noticed.
//!
//! Nothing here has a network. Somebody carries the body of a request to the witness and its answer back; he can delay them and drop
//! them, but forge neither: the one is signed by the log, the other by the witness.
//!
//! `witness/` in the log's directory holds, for each witness, the newest checkpoint that it cosigned, under the hex of its key's id: the
//! log is not opened for writing when one of them contradicts it.

mod answer;
#[cfg(test)]
mod tests;

use crate::durable::{self, DurableError};
use crate::error::ReadError;
use crate::reader::Reader;
use crate::state::SignedCheckpoint;
use answer::{Asked, Judgement, judge, own_note, request_body};
use chancery_tlog::{Checkpoint, KeyType, Note, VerifierKey};
use std::io;
use std::path::{Path, PathBuf};

pub use answer::{AnswerError, MAX_ANSWER, WitnessAnswer};

/// Where the cosigned checkpoints are kept, in the log's directory.
pub(crate) const DIRECTORY: &str = "witness";

/// Questions to one witness whose answers are remembered: older ones were overtaken.
const ASKED_MAX: usize = 8;

/// The witnesses of one log.
#[derive(Debug)]
pub struct Witnesses {
    directory: PathBuf,
    reader: Reader,
    all: Vec<Witness>,
}

#[derive(Debug)]
struct Witness {
    key: VerifierKey,
    newest: Option<Cosigned>,
    /// The size from which it has to be led on.
    knows: u64,
    /// What it was asked and has not cosigned yet, the newest last. Several may carry questions to it at once, and not all of them bring answers.
    asked: Vec<Asked>,
    awaited: bool,
}

/// What a witness cosigned last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cosigned {
    /// How many entries the checkpoint has.
    pub size: u64,
    /// When the witness says it cosigned, in seconds since 1970.
    pub time: u64,
}

/// What came of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The cosignature is kept, and stands under the checkpoint wherever that is given out.
    Cosigned(Cosigned),
    /// The witness knows another size; a request made now begins there, and is worth sending at once.
    AskAgain {
        /// The size that the witness knows.
        size: u64,
    },
    /// ROLLBACK: the witness says it knows a larger tree of this log than the log itself. Either an old copy of the log was restored, and
    /// signing must stop, or the witness (or who carries its answers) lies: nothing but a signed checkpoint of that size can tell.
    Rollback {
        /// How many entries the log has.
        ours: u64,
        /// How many the witness says.
        theirs: u64,
    },
    /// The witness does not cosign.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The beginning of what it says.
        says: String,
    },
}

/// Something with a witness failed. The log is as before; asking again later is right, unless the error says what is to be done first.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessError {
    /// No witness has this verification key.
    #[error("no witness has the verification key {0:?}")]
    Unknown(String),
    /// A key that makes no cosignatures.
    #[error("the key of {0} is not one for cosignatures (type 0x04); ask the witness for its cosignature/v1 key")]
    KeyType(String),
    /// Two keys that would share a file.
    #[error("{0} is named twice, or another witness has the same key id; name each witness once")]
    Twice(String),
    /// The answer has no request, or comes after that of a newer one.
    #[error("the witness {0} was not asked")]
    NotAsked(String),
    /// What is kept of a witness is not by this witness.
    #[error("{} does not hold a checkpoint cosigned by {name}; restore the file, or remove it and the witness is asked from the beginning", file.display())]
    Kept {
        /// The file.
        file: PathBuf,
        /// Name of the witness.
        name: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The answer of the file system.
        #[source]
        source: io::Error,
    },
    /// What a witness cosigned cannot be kept; so it does not count.
    #[error(transparent)]
    Keep(#[from] DurableError),
    /// The proof for a request cannot be made.
    #[error("the proof for the witness cannot be made")]
    Proof(#[source] ReadError),
    /// The answer means nothing.
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

impl Witnesses {
    /// Takes up what is kept of these witnesses in the directory of an open log.
    ///
    /// # Errors
    /// [`WitnessError`] says which key or file is wrong.
    pub fn open(log_dir: &Path, reader: Reader, keys: Vec<VerifierKey>) -> Result<Self, WitnessError> {
        let directory = log_dir.join(DIRECTORY);
        let mut all: Vec<Witness> = Vec::new();
        for key in keys {
            if key.key_type() != KeyType::CosignatureV1 {
                return Err(WitnessError::KeyType(key.name().to_owned()));
            }
            if all.iter().any(|other| other.key.id() == key.id()) {
                return Err(WitnessError::Twice(key.name().to_owned()));
            }
            let newest = kept(&directory.join(file_name(&key)), &key)?.map(|kept| {
                reader.cosigned(&kept.signed, &kept.line);
                Cosigned { size: kept.signed.checkpoint.size, time: kept.time }
            });
            all.push(Witness { key, newest, knows: newest.map_or(0, |n| n.size), asked: Vec::new(), awaited: false });
        }
        Ok(Self { directory, reader, all })
    }

    /// The body of `add-checkpoint` for the newest checkpoint; `None` when the witness has cosigned that already.
    ///
    /// # Errors
    /// [`WitnessError::Unknown`], [`WitnessError::Proof`].
    pub fn request(&mut self, vkey: &str) -> Result<Option<Vec<u8>>, WitnessError> {
        let reader = &self.reader;
        let witness = find(&mut self.all, vkey)?;
        let signed = reader.checkpoint();
        let size = signed.checkpoint.size;
        if size == 0 || witness.newest.is_some_and(|n| n.size >= size) {
            return Ok(None);
        }
        let old = witness.knows;
        let proof = if old == 0 { Vec::new() } else { reader.consistency(old, size).map_err(WitnessError::Proof)? };
        let body = request_body(old, &proof, &signed.note);
        witness.asked.retain(|asked| asked.old != old || asked.signed.checkpoint.size != size);
        if witness.asked.len() >= ASKED_MAX {
            witness.asked.remove(0);
        }
        witness.asked.push(Asked { old, signed });
        witness.awaited = true;
        Ok(Some(body))
    }

    /// Judges an answer, to the request that it fits. A cosignature is on the disk when this returns. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// [`WitnessError`].
    pub fn answer(&mut self, vkey: &str, answer: WitnessAnswer<'_>, now: u64) -> Result<Progress, WitnessError> {
        let ours = self.reader.checkpoint().checkpoint.size;
        let witness = find(&mut self.all, vkey)?;
        witness.awaited = false;
        let (asked, judgement) = witness.judge(ours, answer, now)?;
        match judgement {
            Judgement::Cosigned { line, time } => {
                let own = own_note(&asked.signed.note).to_owned();
                let signed = SignedCheckpoint { checkpoint: asked.signed.checkpoint.clone(), note: own };
                let note = signed.with_line(&line).note;
                durable::create_dir_all(&self.directory, 0o755)?;
                durable::write_atomic(&self.directory.join(file_name(&witness.key)), note.as_bytes(), 0o644)?;
                let cosigned = Cosigned { size: asked.signed.checkpoint.size, time };
                witness.asked.retain(|asked| asked.signed.checkpoint.size > cosigned.size);
                (witness.newest, witness.knows) = (Some(cosigned), cosigned.size);
                self.reader.cosigned(&signed, &line);
                Ok(Progress::Cosigned(cosigned))
            }
            Judgement::Elsewhere { size } => {
                witness.knows = size;
                Ok(Progress::AskAgain { size })
            }
            Judgement::Ahead { size: theirs } => Ok(Progress::Rollback { ours, theirs }),
            Judgement::Refused { says } => Ok(Progress::Refused { status: answer.status, says }),
        }
    }

    /// What this witness cosigned last.
    #[must_use]
    pub fn newest(&self, vkey: &str) -> Option<Cosigned> {
        self.all.iter().find(|w| w.key.to_string() == vkey)?.newest
    }

    /// All witnesses by name, with what each cosigned last.
    pub fn all(&self) -> impl Iterator<Item = (&str, Option<Cosigned>)> {
        self.all.iter().map(|w| (w.key.name(), w.newest))
    }

    /// Whether the witness was asked and the answer has not come.
    #[must_use]
    pub fn is_awaited(&self, vkey: &str) -> bool {
        self.all.iter().any(|w| w.awaited && w.key.to_string() == vkey)
    }
}

impl Witness {
    /// Finds the question that a cosignature fits, the newest first; where it fits none, how it fails the newest. Any other answer is about
    /// the newest.
    fn judge(&self, ours: u64, answer: WitnessAnswer<'_>, now: u64) -> Result<(Asked, Judgement), WitnessError> {
        let mut failure = None;
        let questions = if answer.status == 200 { self.asked.len() } else { 1 };
        for asked in self.asked.iter().rev().take(questions) {
            match judge(&self.key, asked, ours, answer, now) {
                // A cosignature of less than it has cosigned already came late.
                Ok(Judgement::Cosigned { .. }) if self.newest.is_some_and(|n| n.size > asked.signed.checkpoint.size) => {}
                Ok(judgement) => return Ok((asked.clone(), judgement)),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.map_or_else(|| WitnessError::NotAsked(self.key.name().to_owned()), WitnessError::Answer))
    }
}

/// The files with what witnesses have cosigned, of those that are asked now and of former ones.
pub(crate) fn kept_files(log_dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(log_dir.join(DIRECTORY)) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.len() == 8 && name.bytes().all(|b| b.is_ascii_hexdigit())) {
            files.push(entry.path());
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn find<'a>(all: &'a mut [Witness], vkey: &str) -> Result<&'a mut Witness, WitnessError> {
    all.iter_mut().find(|w| w.key.to_string() == vkey).ok_or_else(|| WitnessError::Unknown(vkey.to_owned()))
}

fn file_name(key: &VerifierKey) -> String {
    format!("{:08x}", u32::from_be_bytes(key.id()))
}

/// What is kept of a witness: the checkpoint under the log's own signature, and the witness's line.
struct Kept {
    signed: SignedCheckpoint,
    line: String,
    time: u64,
}

/// Reads what is kept of a witness. That the log signed it, and still holds it, was found when the log was opened.
fn kept(file: &Path, key: &VerifierKey) -> Result<Option<Kept>, WitnessError> {
    let wrong = || WitnessError::Kept { file: file.to_owned(), name: key.name().to_owned() };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) if e.kind() == io::ErrorKind::InvalidData => return Err(wrong()),
        Err(source) => return Err(WitnessError::Io { file: file.to_owned(), source }),
    };
    let note = Note::parse(&text).map_err(|_| wrong())?;
    let verified = note.verify(std::slice::from_ref(key)).map_err(|_| wrong())?;
    let time = verified.first().and_then(|v| v.time).ok_or_else(wrong)?;
    let checkpoint: Checkpoint = note.text().parse().map_err(|_| wrong())?;
    let own = own_note(&text);
    let line = text.strip_prefix(own).unwrap_or_default().to_owned();
    Ok(Some(Kept { signed: SignedCheckpoint { checkpoint, note: own.to_owned() }, line, time }))
}
