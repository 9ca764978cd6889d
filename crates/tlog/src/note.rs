//! Signed notes (C2SP signed-note v1.0.0).

use crate::cosignature;
use crate::key::{KeyType, VerifierKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// More signatures than this are refused: reading them must stay cheap.
const MAX_SIGNATURES: usize = 100;
pub(crate) const DASH: &str = "\u{2014} ";

/// Signs the text of notes. The key is the log's own, never one that signs for publishers.
pub trait NoteSigner: Send {
    /// The key's name; equal to the log's origin.
    fn name(&self) -> &str;
    /// The key's id, as in its verification key.
    fn key_id(&self) -> [u8; 4];
    /// Ed25519 over the text.
    fn sign(&self, text: &[u8]) -> [u8; 64];
}

/// A note whose signatures are not checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note<'a> {
    text: &'a str,
    signatures: Vec<NoteSignature<'a>>,
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature<'a> {
    /// Name of the key.
    pub name: &'a str,
    /// Id of the key.
    pub id: [u8; 4],
    /// What follows the id: 64 bytes for Ed25519, 72 for a cosignature.
    pub payload: Vec<u8>,
}

/// Why a note was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// An ASCII control character in the note, other than a newline.
    #[error("the note has a control character at byte {0}")]
    Control(usize),
    /// No empty line between text and signatures, or no newline at the end.
    #[error("the note is cut off: it must be a text, an empty line, and signature lines, each ended by a newline")]
    Form,
    /// A signature line that is none.
    #[error("signature line {0} of the note is malformed")]
    Signature(usize),
    /// Too many signatures.
    #[error("the note has more than {MAX_SIGNATURES} signatures")]
    TooMany,
    /// A signature by a known key that does not fit the text.
    #[error("the signature by {0} does not fit the text; the note was changed or made by somebody else")]
    Bad(String),
    /// No signature by any of the known keys.
    #[error("the note has no signature by a known key")]
    Unsigned,
}

/// A signature that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Name of the key.
    pub name: String,
    /// When a cosignature was made, in seconds since 1970.
    pub time: Option<u64>,
}

impl<'a> Note<'a> {
    /// Takes a note apart.
    ///
    /// # Errors
    /// [`NoteError`] when it is not exactly in the form of signed-note.
    pub fn parse(note: &'a str) -> Result<Self, NoteError> {
        if let Some(at) = note.bytes().position(|b| b != b'\n' && b < 0x20) {
            return Err(NoteError::Control(at));
        }
        let end = note.rfind("\n\n").ok_or(NoteError::Form)?;
        let (text, rest) = note.split_at_checked(end.saturating_add(1)).ok_or(NoteError::Form)?;
        let lines = rest.strip_prefix('\n').and_then(|r| r.strip_suffix('\n')).ok_or(NoteError::Form)?;
        let signatures: Vec<_> =
            lines.split('\n').take(MAX_SIGNATURES.saturating_add(1)).enumerate().map(signature).collect::<Result<_, _>>()?;
        if signatures.len() > MAX_SIGNATURES { Err(NoteError::TooMany) } else { Ok(Self { text, signatures }) }
    }

    /// The text, with its last newline.
    #[must_use]
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// The signatures, checked or not.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature<'a>] {
        &self.signatures
    }

    /// Checks the signatures by known keys; those by others are passed over.
    ///
    /// # Errors
    /// [`NoteError::Bad`] when one of them does not fit, [`NoteError::Unsigned`] when there is none.
    pub fn verify(&self, known: &[VerifierKey]) -> Result<Vec<Verified>, NoteError> {
        let mut verified: Vec<Verified> = Vec::new();
        for s in &self.signatures {
            let Some(key) = known.iter().find(|k| k.name() == s.name && k.id() == s.id) else { continue };
            let made = check(self.text, s, key).ok_or_else(|| NoteError::Bad(s.name.to_owned()))?;
            if !verified.contains(&made) {
                verified.push(made);
            }
        }
        if verified.is_empty() { Err(NoteError::Unsigned) } else { Ok(verified) }
    }
}

fn signature((n, line): (usize, &str)) -> Result<NoteSignature<'_>, NoteError> {
    let bad = || NoteError::Signature(n.saturating_add(1));
    let (name, data) = line.strip_prefix(DASH).and_then(|l| l.split_once(' ')).ok_or_else(bad)?;
    let data = STANDARD.decode(data).map_err(|_| bad())?;
    let (id, payload) = data.split_first_chunk::<4>().ok_or_else(bad)?;
    // Others may have names that we would not give: this is the rule of the specification, not `is_key_name`.
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '+') || payload.is_empty() {
        return Err(bad());
    }
    Ok(NoteSignature { name, id: *id, payload: payload.to_vec() })
}

fn check(text: &str, s: &NoteSignature<'_>, key: &VerifierKey) -> Option<Verified> {
    let name = s.name.to_owned();
    match key.key_type() {
        KeyType::Ed25519 => {
            let signature: &[u8; 64] = s.payload.as_slice().try_into().ok()?;
            key.verifies(text.as_bytes(), signature).then_some(Verified { name, time: None })
        }
        KeyType::CosignatureV1 => {
            let (time, signature) = s.payload.split_first_chunk::<8>()?;
            // No time is above 2^63 - 1 (C2SP tlog-cosignature); others would read it as one before 1970.
            let time = Some(u64::from_be_bytes(*time)).filter(|t| i64::try_from(*t).is_ok())?;
            let message = cosignature::message(text, time);
            key.verifies(message.as_bytes(), signature.try_into().ok()?).then_some(Verified { name, time: Some(time) })
        }
    }
}

/// Signs a text, which must end in a newline.
#[must_use]
pub fn sign_note(text: &str, signer: &dyn NoteSigner) -> String {
    let mut line = Vec::with_capacity(68);
    line.extend_from_slice(&signer.key_id());
    line.extend_from_slice(&signer.sign(text.as_bytes()));
    format!("{text}\n{DASH}{} {}\n", signer.name(), STANDARD.encode(line))
}
