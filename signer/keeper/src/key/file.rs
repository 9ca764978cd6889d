//! The files of a keyring, as text. What is public in them is bound to what is sealed.

use super::error::KeyError;
use super::seal::{self, Cost, SealError, Secret, SecretBytes};
use super::token::{InToken, ObjectId};
use crate::guarded;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_channel::{KeyDescription, KeyName, KeyState};
use chancery_formats::Construction;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::Path;

const HEADER: &str =
    "# Written by chancery-keeper. What is sealed opens only together with everything else in this file: do not edit it.\n";
/// No file of a keyring is larger, in bytes.
const MAX: usize = 64 * 1024;

/// What every file of a keyring has.
pub(super) trait Sealed: Serialize + DeserializeOwned {
    const FORMAT: &'static str;
    fn format(&self) -> &str;
    /// Everything but the sealed bytes, in one encoding.
    fn public(&self) -> Vec<u8>;
    fn sealed(&self) -> &str;
    fn sealed_mut(&mut self) -> &mut String;

    /// Seals a secret and puts it in.
    fn seal<const N: usize>(mut self, key: &Secret, secret: &SecretBytes<N>) -> Result<Self, SealError> {
        *self.sealed_mut() = STANDARD.encode(seal::seal(key, &self.public(), secret)?);
        Ok(self)
    }

    /// Opens the secret.
    fn open<const N: usize>(&self, key: &Secret) -> Result<SecretBytes<N>, SealError> {
        let sealed = STANDARD.decode(self.sealed()).map_err(|_| SealError::Sealed)?;
        seal::open(key, &self.public(), &sealed)
    }

    fn to_text(&self) -> String {
        // These structs have nothing that TOML cannot write; an empty file would be refused when it is read.
        format!("{HEADER}{}", toml::to_string(self).unwrap_or_default())
    }
}

/// `keyring.toml`: the key of all other files, sealed under the passphrase.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyringFile {
    pub(super) format: String,
    pub(super) sealed: String,
    pub(super) kdf: Kdf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kdf {
    pub(super) algorithm: String,
    pub(super) memory_kib: u32,
    pub(super) passes: u32,
    pub(super) lanes: u32,
    pub(super) salt: String,
}

/// `NAME.toml`: a signing key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyFile {
    pub(super) format: String,
    pub(super) name: KeyName,
    pub(super) version: u32,
    pub(super) algorithm: String,
    pub(super) constructions: Vec<Construction>,
    pub(super) created: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) retires: Option<String>,
    pub(super) origin: Origin,
    pub(super) public_key: String,
    /// The token that has the secret; then nothing secret is sealed here, and the seal only binds what is public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<KeyName>,
    /// Which object of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) object: Option<ObjectId>,
    pub(super) sealed: String,
}

/// `log.toml`: the key that signs checkpoints of the request log, and nothing else.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogKeyFile {
    pub(super) format: String,
    pub(super) name: String,
    pub(super) algorithm: String,
    pub(super) created: String,
    pub(super) public_key: String,
    pub(super) sealed: String,
}

/// Where a key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Made here: no copy of it was ever outside of this keyring.
    New,
    /// Made elsewhere: whoever had it there may still have it.
    Imported,
}

impl Origin {
    /// One word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Imported => "imported",
        }
    }
}

/// The only algorithm of keys.
pub(super) const ED25519: &str = "ed25519";
/// The only algorithm of passphrases.
pub(super) const ARGON2ID: &str = "argon2id";

impl Sealed for KeyringFile {
    const FORMAT: &'static str = "chancery-keyring/v1";

    fn format(&self) -> &str {
        &self.format
    }

    fn public(&self) -> Vec<u8> {
        let Kdf { algorithm, memory_kib, passes, lanes, salt } = &self.kdf;
        seal::canonical(&[
            ("format", &self.format),
            ("kdf.algorithm", algorithm),
            ("kdf.memory_kib", &memory_kib.to_string()),
            ("kdf.passes", &passes.to_string()),
            ("kdf.lanes", &lanes.to_string()),
            ("kdf.salt", salt),
        ])
    }

    fn sealed(&self) -> &str {
        &self.sealed
    }

    fn sealed_mut(&mut self) -> &mut String {
        &mut self.sealed
    }
}

impl Kdf {
    pub(super) const fn cost(&self) -> Cost {
        Cost { memory_kib: self.memory_kib, passes: self.passes, lanes: self.lanes }
    }
}

impl Sealed for KeyFile {
    const FORMAT: &'static str = "chancery-key/v1";

    fn format(&self) -> &str {
        &self.format
    }

    fn public(&self) -> Vec<u8> {
        let constructions: Vec<&str> = self.constructions.iter().map(|c| c.name()).collect();
        let (version, constructions) = (self.version.to_string(), constructions.join(","));
        let object = self.object.as_ref().map(ObjectId::to_string);
        let mut fields = vec![
            ("format", self.format.as_str()),
            ("name", self.name.as_str()),
            ("version", &version),
            ("algorithm", &self.algorithm),
            ("constructions", &constructions),
            ("created", &self.created),
            ("origin", self.origin.name()),
            ("public_key", &self.public_key),
        ];
        fields.extend(self.retires.iter().map(|end| ("retires", end.as_str())));
        fields.extend(self.token.iter().map(|token| ("token", token.as_str())));
        fields.extend(object.iter().map(|object| ("object", object.as_str())));
        seal::canonical(&fields)
    }

    fn sealed(&self) -> &str {
        &self.sealed
    }

    fn sealed_mut(&mut self) -> &mut String {
        &mut self.sealed
    }
}

impl KeyFile {
    /// Where the secret is, when it is in a token. `None` when the file says half of it.
    pub(super) fn in_token(&self) -> Option<Option<InToken>> {
        match (&self.token, &self.object) {
            (Some(token), Some(object)) => Some(Some(InToken { token: token.clone(), object: object.clone() })),
            (None, None) => Some(None),
            _ => None,
        }
    }

    /// What is public about the key. Not to be believed before the key was opened.
    pub(super) fn description(&self) -> Option<KeyDescription> {
        Some(KeyDescription {
            name: self.name.clone(),
            version: self.version,
            public_key: decoded(&self.public_key)?,
            constructions: self.constructions.clone(),
            created: seconds(&self.created)?,
            retires: self.retires.as_deref().map(|end| seconds(end).ok_or(())).transpose().ok()?,
            state: KeyState::Locked,
        })
    }
}

impl Sealed for LogKeyFile {
    const FORMAT: &'static str = "chancery-log-key/v1";

    fn format(&self) -> &str {
        &self.format
    }

    fn public(&self) -> Vec<u8> {
        seal::canonical(&[
            ("format", &self.format),
            ("name", &self.name),
            ("algorithm", &self.algorithm),
            ("created", &self.created),
            ("public_key", &self.public_key),
        ])
    }

    fn sealed(&self) -> &str {
        &self.sealed
    }

    fn sealed_mut(&mut self) -> &mut String {
        &mut self.sealed
    }
}

/// Reads a file of a keyring.
pub(super) fn read<T: Sealed>(path: &Path) -> Result<T, KeyError> {
    let bytes = guarded::read(path, MAX)?;
    let malformed = |line, what| KeyError::Malformed { path: path.to_owned(), line, what };
    let text = std::str::from_utf8(&bytes).map_err(|_| malformed(1, "this is not UTF-8".to_owned()))?;
    let file: T = toml::from_str(text).map_err(|e| {
        let before = text.get(..e.span().map_or(0, |s| s.start)).unwrap_or_default();
        malformed(before.matches('\n').count().saturating_add(1), e.message().to_owned())
    })?;
    if file.format() == T::FORMAT {
        Ok(file)
    } else {
        Err(malformed(1, format!("the format is not {}; it may be of another version of this program", T::FORMAT)))
    }
}

/// Seconds since 1970 as files have them (RFC 3339).
#[must_use]
pub fn time_text(seconds: u64) -> String {
    i64::try_from(seconds).ok().and_then(|s| Timestamp::from_second(s).ok()).unwrap_or_default().to_string()
}

fn seconds(text: &str) -> Option<u64> {
    u64::try_from(text.parse::<Timestamp>().ok()?.as_second()).ok()
}

/// Base64 of exactly so many bytes.
pub(super) fn decoded<const N: usize>(text: &str) -> Option<[u8; N]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

pub(super) fn encoded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
