//! A signature and the list that it signs in one file, as `signify -C` reads them.

use super::{KeyName, NumberedKey, SignifyError, SignifySignature, frame};
use crate::checksums::{Checksums, Form};
use crate::content::{ContentError, ContentFault, Document};
use crate::ed25519::PublicKey;

/// A list of checksums that `signify -C` can check: the bytes to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedList<'a> {
    text: &'a str,
    list: Checksums<'a>,
}

/// Reads a list that is to be signed for `signify -C`.
///
/// # Errors
/// When it is not a list in the form of BSD, or has a name with a closing parenthesis, at which signify ends names.
pub fn check_list(content: &[u8]) -> Result<SignedList<'_>, ContentError> {
    let error = |fault, offset| Document::Checksums.error(fault, offset);
    let list = Checksums::parse(content)?;
    if list.form != Form::Bsd {
        return Err(error(ContentFault::NotBsd, 0));
    }
    if let Some(at) = list.entries.iter().position(|e| e.name.contains(')')) {
        let before = content.split_inclusive(|b| *b == b'\n').take(at).map(<[u8]>::len);
        return Err(error(ContentFault::FileName("has a closing parenthesis"), before.fold(0, usize::saturating_add)));
    }
    let text = std::str::from_utf8(content).map_err(|e| error(ContentFault::NotUtf8, e.valid_up_to()))?;
    Ok(SignedList { text, list })
}

impl<'a> SignedList<'a> {
    /// The bytes that are signed: the list itself.
    #[must_use]
    pub const fn tbs(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// What the list says.
    #[must_use]
    pub const fn checksums(&self) -> &Checksums<'a> {
        &self.list
    }
}

/// The finished file: two lines of signature, and the list.
#[must_use]
pub fn frame_list(name: &KeyName, key: &PublicKey, signature: &[u8; 64], list: &SignedList<'_>) -> String {
    let mut file = frame(name, key, signature);
    file.push_str(list.text);
    file
}

/// Checks that `text` is a signature by `key` followed by the list that it signs, and returns the list. Whether the files are as the
/// list says is not looked at.
///
/// # Errors
/// When it is not, or when the list is one that [`check_list`] refuses.
pub fn verify_list<'a>(text: &'a str, key: &NumberedKey) -> Result<SignedList<'a>, SignifyError> {
    let (signature, rest) = SignifySignature::parse_first(text)?;
    signature.verify(key, rest.as_bytes())?;
    check_list(rest.as_bytes()).map_err(SignifyError::List)
}
