//! Who else saw the log: cosignatures under its newest checkpoint (C2SP tlog-cosignature).

use crate::error::Misbehaviour;
use crate::profile::Profile;
use crate::text::printable;
use chancery_tlog::{Note, NoteError, VerifierKey};

/// Length of what a cosignature/v1 has after the key's id: a time and an Ed25519 signature.
const COSIGNATURE_LEN: usize = 72;

/// What the newest checkpoint says of one witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessStatus {
    /// Name of the witness.
    pub name: String,
    /// Id of its key.
    pub key_id: [u8; 4],
    /// When it cosigned the newest checkpoint, in seconds since 1970, as it says itself; `None` when it has not.
    pub cosigned: Option<u64>,
    /// Whether that is its cosignature.
    pub verdict: WitnessVerdict,
}

/// What a cosignature is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WitnessVerdict {
    /// It was verified with the key that the profile pins.
    Verified,
    /// The profile does not pin its key: anybody could have written it.
    NotPinned,
    /// The profile pins it, and it does not fit. Never so with an honest key host.
    Wrong,
    /// The profile pins the witness, and it has not cosigned the newest checkpoint.
    Absent,
}

impl WitnessStatus {
    /// The misbehaviour that a wrong cosignature is.
    #[must_use]
    pub fn misbehaviour(&self) -> Option<Misbehaviour> {
        (self.verdict == WitnessVerdict::Wrong).then(|| Misbehaviour::Cosignature { witness: self.name.clone() })
    }
}

/// The witnesses under a checkpoint's note, those that the profile pins first.
///
/// # Errors
/// [`NoteError`] when it is no note.
pub(crate) fn witnesses(profile: &Profile, note: &str) -> Result<Vec<WitnessStatus>, NoteError> {
    let note = Note::parse(note)?;
    let mut all: Vec<_> = profile.witnesses().iter().map(|key| pinned(key, &note)).collect();
    for line in note.signatures() {
        let known = |key: &VerifierKey| key.name() == line.name && key.id() == line.id;
        let is_there = all.iter().any(|w| w.name == printable(line.name) && w.key_id == line.id);
        if line.payload.len() != COSIGNATURE_LEN || is_there || known(profile.log()) {
            continue;
        }
        let cosigned = line.payload.first_chunk::<8>().map(|time| u64::from_be_bytes(*time));
        all.push(WitnessStatus { name: printable(line.name), key_id: line.id, cosigned, verdict: WitnessVerdict::NotPinned });
    }
    Ok(all)
}

fn pinned(key: &VerifierKey, note: &Note<'_>) -> WitnessStatus {
    let (cosigned, verdict) = match note.verify(std::slice::from_ref(key)) {
        Ok(made) => (made.iter().filter_map(|v| v.time).max(), WitnessVerdict::Verified),
        Err(NoteError::Unsigned) => (None, WitnessVerdict::Absent),
        Err(_) => (None, WitnessVerdict::Wrong),
    };
    WitnessStatus { name: printable(key.name()), key_id: key.id(), cosigned, verdict }
}
