//! The forms in which public keys are written.

use super::{KeyError, PublicKey};
use crate::ssh::{self, decode_ed25519, encode_ed25519};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What stands before the 32 bytes in a `SubjectPublicKeyInfo` (RFC 8410 section 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

const PEM_BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const PEM_END: &str = "-----END PUBLIC KEY-----";

impl PublicKey {
    /// Base64 of the 32 bytes: the value of OSTree's `verification-ed25519-key`, a line of a `verification-ed25519-file`.
    #[must_use]
    pub fn to_ostree(&self) -> String {
        STANDARD.encode(self.as_bytes())
    }

    /// Reads [`PublicKey::to_ostree`]; white space around it is ignored.
    ///
    /// # Errors
    /// When the text is not base64 of a usable key.
    pub fn from_ostree(text: &str) -> Result<Self, KeyError> {
        let form = KeyError::Form { expected: "of OSTree: 32 bytes in base64" };
        let bytes: [u8; 32] = STANDARD.decode(text.trim_ascii()).map_err(|_| form)?.try_into().map_err(|_| form)?;
        Self::from_bytes(&bytes)
    }

    /// A line of an OpenSSH `.pub` file, without newline: `ssh-ed25519 AAAA… comment`. An empty comment is left out; line breaks and
    /// other control characters in it too, so that it stays one line.
    #[must_use]
    pub fn to_openssh(&self, comment: &str) -> String {
        let key = STANDARD.encode(encode_ed25519(self.as_bytes()));
        let comment: String = comment.chars().filter(|c| !c.is_control()).collect();
        format!("{} {key} {comment}", ssh::ED25519).trim_end().to_owned()
    }

    /// Reads a line of an OpenSSH `.pub` file; the comment is ignored.
    ///
    /// # Errors
    /// When the line is not one of a usable Ed25519 key.
    pub fn from_openssh(line: &str) -> Result<Self, KeyError> {
        let form = KeyError::Form { expected: "of OpenSSH: ssh-ed25519 AAAA… comment" };
        let line = line.trim_ascii();
        let mut words = line.split([' ', '\t']).filter(|w| !w.is_empty());
        if line.contains(['\n', '\r']) || words.next() != Some(ssh::ED25519) {
            return Err(form);
        }
        let blob = STANDARD.decode(words.next().unwrap_or_default()).map_err(|_| form)?;
        Self::from_bytes(&decode_ed25519(&blob).ok_or(form)?)
    }

    /// The 44 bytes of a `SubjectPublicKeyInfo` in DER (RFC 8410 section 4).
    #[must_use]
    pub fn to_spki_der(&self) -> [u8; 44] {
        let mut der = [0_u8; 44];
        let bytes = SPKI_PREFIX.iter().chain(self.as_bytes());
        der.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        der
    }

    /// Reads [`PublicKey::to_spki_der`].
    ///
    /// # Errors
    /// When it is not a `SubjectPublicKeyInfo` of a usable Ed25519 key.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        let form = KeyError::Form { expected: "SubjectPublicKeyInfo (DER)" };
        let bytes: &[u8; 32] = der.strip_prefix(&SPKI_PREFIX).and_then(|key| key.try_into().ok()).ok_or(form)?;
        Self::from_bytes(bytes)
    }

    /// The `PUBLIC KEY` block that OpenSSL reads, with a newline at its end.
    #[must_use]
    pub fn to_spki_pem(&self) -> String {
        let text = STANDARD.encode(self.to_spki_der());
        format!("{PEM_BEGIN}\n{text}\n{PEM_END}\n")
    }

    /// Reads one `PUBLIC KEY` block; white space around it is ignored.
    ///
    /// # Errors
    /// When it is not one of a usable Ed25519 key.
    pub fn from_spki_pem(text: &str) -> Result<Self, KeyError> {
        let form = KeyError::Form { expected: "PUBLIC KEY (PEM)" };
        let body = text.trim_ascii().strip_prefix(PEM_BEGIN).and_then(|t| t.strip_suffix(PEM_END)).ok_or(form)?;
        Self::from_spki_der(&STANDARD.decode(body.trim_ascii()).map_err(|_| form)?)
    }
}
