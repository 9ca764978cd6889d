//! A text with its signature lines.

use super::{MAX_TEXT, NoteError, NoteKey, NoteText};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a signature line begins with: an em dash and a space.
const DASH: &str = "\u{2014} ";

/// More signatures than these are refused: reading them must stay cheap.
const MAX_SIGNATURES: usize = 100;

/// The longest note in bytes.
const MAX_NOTE: usize = 1_000_000;

/// A note that was read, and not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote<'a> {
    /// The text, with its last newline. Others may have signed what [`NoteText`] refuses.
    pub text: &'a str,
    /// The signatures by any keys, in the order of the note; at least one.
    pub signatures: Vec<NoteSignature<'a>>,
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature<'a> {
    /// The name of the key.
    pub name: &'a str,
    /// The hash of the key.
    pub hash: [u8; 4],
    /// What follows the hash: 64 bytes for Ed25519, something else for other types of keys.
    pub signature: Vec<u8>,
}

/// The finished note: the text, an empty line, and one signature line.
#[must_use]
pub fn frame(text: &NoteText<'_>, key: &NoteKey, signature: &[u8; 64]) -> String {
    let blob: Vec<u8> = key.hash().iter().chain(signature).copied().collect();
    format!("{}\n{DASH}{} {}\n", text.as_str(), key.name, STANDARD.encode(blob))
}

impl<'a> SignedNote<'a> {
    /// Takes a note apart.
    ///
    /// # Errors
    /// [`NoteError`] when it is not exactly in the form of signed-note, is longer than a million bytes or has more than 100 signatures.
    pub fn parse(note: &'a str) -> Result<Self, NoteError> {
        if note.len() > MAX_NOTE {
            return Err(NoteError::Form("it is longer than a million bytes"));
        }
        if note.bytes().any(|b| b != b'\n' && b < 0x20) {
            return Err(NoteError::Form("it has a control character"));
        }
        let cut_off = NoteError::Form("it is a text, an empty line, and signature lines, each ended by a newline");
        let end = note.rfind("\n\n").and_then(|at| at.checked_add(1)).ok_or(cut_off.clone())?;
        let (text, rest) = note.split_at_checked(end).ok_or(cut_off.clone())?;
        let lines = rest.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n')).ok_or(cut_off)?;
        if text.len() > MAX_TEXT || lines.split('\n').count() > MAX_SIGNATURES {
            return Err(NoteError::Form("its text is too long, or it has more than 100 signatures"));
        }
        let signatures = (1_usize..).zip(lines.split('\n')).map(|(n, line)| parse_line(line).ok_or(NoteError::SignatureLine(n)));
        Ok(Self { text, signatures: signatures.collect::<Result<_, _>>()? })
    }

    /// Checks the signatures that say they are by this key; those by others are passed over.
    ///
    /// # Errors
    /// [`NoteError::Mismatch`] when one of them does not fit, [`NoteError::Unsigned`] when there is none.
    pub fn verify(&self, key: &NoteKey) -> Result<(), NoteError> {
        let hash = key.hash();
        let mut own = self.signatures.iter().filter(|s| s.name == key.name.as_str() && s.hash == hash).peekable();
        if own.peek().is_none() {
            return Err(NoteError::Unsigned(key.name.clone()));
        }
        let fits = |s: &NoteSignature<'_>| {
            let signature = s.signature.as_slice().try_into();
            signature.is_ok_and(|signature| key.key.verify(self.text.as_bytes(), signature).is_ok())
        };
        if own.all(fits) { Ok(()) } else { Err(NoteError::Mismatch(key.name.clone())) }
    }
}

fn parse_line(line: &str) -> Option<NoteSignature<'_>> {
    let (name, data) = line.strip_prefix(DASH)?.split_once(' ')?;
    let data = STANDARD.decode(data).ok()?;
    let (hash, signature) = data.split_first_chunk::<4>()?;
    // Others may have names that `KeyName` refuses: this is the rule of the specification.
    let usable = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+') && !signature.is_empty();
    usable.then(|| NoteSignature { name, hash: *hash, signature: signature.to_vec() })
}
