//! Keys in tokens: which token has which key, and what opens the token.

use super::backend::{self, Backend};
use super::error::KeyError;
use super::file::{self, Origin, Sealed};
use super::keyring::{Keyring, Material, PublicPart, bad_values, opened};
use super::paths::{existing, token_path, token_paths};
use super::seal::{self, SealError, SecretBytes};
use crate::passphrase::Passphrase;
use crate::text::{duration, hex};
use crate::token::{Object, Process, Settings, Token, TokenError};
use chancery_channel::{KeyDescription, KeyName};
use chancery_formats::Construction;
use chancery_reqlog::durable;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// Length and bytes of a PIN, and zeros after it: what is sealed does not tell how long it is.
const PIN: usize = 128;
/// No object has a longer id, in bytes.
const ID_MAX: usize = 64;
/// How long the id of a new object is, in bytes.
const ID_NEW: usize = 16;
/// How long a signature of a token may be allowed to take.
pub(crate) const TOKEN_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(300);

/// A PIN in locked memory.
pub struct Pin(SecretBytes<PIN>);

/// The `CKA_ID` of an object in a token: 1 to 64 bytes, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectId(Vec<u8>);

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InToken {
    /// In which token.
    pub token: KeyName,
    /// Which object of it.
    pub object: ObjectId,
}

/// A key of a token that a key file is to name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInToken {
    /// Where it is.
    pub place: InToken,
    /// Its public key, as the token says; from now on every signature is checked under it.
    pub public: [u8; 32],
}

/// `NAME.token.toml`: a token, with its PIN sealed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenFile {
    format: String,
    name: KeyName,
    created: String,
    module: String,
    label: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    read: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    write: Vec<String>,
    network: bool,
    timeout: String,
    sealed: String,
}

/// What is public about a token, as its file says. Only an open keyring can tell whether it is true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPart {
    /// What the keeper calls it.
    pub name: KeyName,
    /// When it was added, as text (RFC 3339).
    pub created: String,
    /// Everything else.
    pub settings: Settings,
}

impl Sealed for TokenFile {
    const FORMAT: &'static str = "chancery-token/v1";

    fn format(&self) -> &str {
        &self.format
    }

    fn public(&self) -> Vec<u8> {
        let network = self.network.to_string();
        let mut fields = vec![
            ("format", self.format.as_str()),
            ("name", self.name.as_str()),
            ("created", &self.created),
            ("module", &self.module),
            ("label", &self.label),
            ("network", &network),
            ("timeout", &self.timeout),
        ];
        fields.extend(self.read.iter().map(|path| ("read", path.as_str())));
        fields.extend(self.write.iter().map(|path| ("write", path.as_str())));
        seal::canonical(&fields)
    }

    fn sealed(&self) -> &str {
        &self.sealed
    }

    fn sealed_mut(&mut self) -> &mut String {
        &mut self.sealed
    }
}

impl TokenFile {
    fn part(&self) -> Option<TokenPart> {
        let paths = || self.read.iter().chain(&self.write).chain([&self.module]);
        let timeout = duration(&self.timeout).filter(|time| TOKEN_TIMEOUT.contains(time))?;
        let settings = Settings {
            module: self.module.clone(),
            label: self.label.clone(),
            read: self.read.clone(),
            write: self.write.clone(),
            network: self.network,
            timeout,
        };
        let absolute = paths().all(|path| Path::new(path).is_absolute());
        absolute.then(|| TokenPart { name: self.name.clone(), created: self.created.clone(), settings })
    }
}

impl Pin {
    /// Takes a PIN over.
    ///
    /// # Errors
    /// [`KeyError::PinLength`].
    pub fn new(pin: &Passphrase) -> Result<Self, KeyError> {
        let pin = pin.as_bytes();
        let len =
            u8::try_from(pin.len()).ok().filter(|len| usize::from(*len) < PIN).ok_or(KeyError::PinLength { max: PIN.saturating_sub(1) })?;
        let mut bytes: SecretBytes<PIN> = seal::empty()?;
        bytes.iter_mut().zip(std::iter::once(&len).chain(pin)).for_each(|(to, from)| *to = *from);
        Ok(Self(bytes))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        let (len, rest) = self.0.split_first().unwrap_or((&0, &[]));
        rest.get(..usize::from(*len)).unwrap_or_default()
    }
}

impl ObjectId {
    pub(super) fn new(bytes: Vec<u8>) -> Option<Self> {
        ((1..=ID_MAX).contains(&bytes.len())).then_some(Self(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Not the id of an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the id of an object is 1 to {ID_MAX} bytes in hexadecimal, as `token check` lists them")]
pub struct NoObjectId;

impl FromStr for ObjectId {
    type Err = NoObjectId;

    fn from_str(text: &str) -> Result<Self, NoObjectId> {
        let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return Err(NoObjectId) };
        let bytes: Option<Vec<u8>> = pairs.iter().map(|[high, low]| Some((digit(*high)? << 4) | digit(*low)?)).collect();
        bytes.and_then(Self::new).ok_or(NoObjectId)
    }
}

impl TryFrom<String> for ObjectId {
    type Error = NoObjectId;

    fn try_from(text: String) -> Result<Self, NoObjectId> {
        let id: Self = text.parse()?;
        if String::from(id.clone()) == text { Ok(id) } else { Err(NoObjectId) }
    }
}

impl From<ObjectId> for String {
    fn from(id: ObjectId) -> Self {
        hex(&id.0)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl Keyring {
    /// Names a token, and seals what opens it. `timeout` is as people write it; `now` is in seconds since 1970.
    ///
    /// # Errors
    /// [`KeyError::TokenExists`], or when a path is not absolute or the timeout is none.
    pub fn add_token(&self, name: &KeyName, settings: &Settings, timeout: &str, pin: &Pin, now: u64) -> Result<TokenPart, KeyError> {
        let path = token_path(self.dir(), name);
        if path.exists() {
            return Err(KeyError::TokenExists { name: name.clone() });
        }
        let file = TokenFile {
            format: TokenFile::FORMAT.to_owned(),
            name: name.clone(),
            created: file::time_text(now),
            module: settings.module.clone(),
            label: settings.label.clone(),
            read: settings.read.clone(),
            write: settings.write.clone(),
            network: settings.network,
            timeout: timeout.to_owned(),
            sealed: String::new(),
        };
        let part = file.part().ok_or_else(|| bad_values(&path))?;
        durable::write_immutable(&path, file.seal(self.master(), &pin.0)?.to_text().as_bytes(), 0o600)?;
        Ok(part)
    }

    /// What is known of a token, and what opens it.
    ///
    /// # Errors
    /// [`KeyError::UnknownToken`]; [`KeyError::Changed`] when its file is not as it was written.
    pub fn token(&self, name: &KeyName) -> Result<(TokenPart, Pin), KeyError> {
        let path = token_path(self.dir(), name);
        if !path.exists() {
            return Err(KeyError::UnknownToken { name: name.clone() });
        }
        let file: TokenFile = file::read(&path)?;
        let part = described(&path, &file)?;
        let pin = opened(file.open(self.master()), || KeyError::Changed { path: path.clone() })?;
        Ok((part, Pin(pin)))
    }

    /// Opens a token by a process that was started for it. `accept_missing` names the layers of the cell that may be missing.
    ///
    /// # Errors
    /// [`KeyError::Token`] when the token cannot be used; any other one when its file cannot.
    pub fn open_token(&self, process: Process, accept_missing: &[&str], to_write: bool) -> Result<Token, KeyError> {
        let (part, pin) = self.token(process.token())?;
        Ok(process.open(&part.settings, accept_missing, pin.as_bytes(), to_write)?)
    }

    /// Makes a signing key in a token that is at hand, for making keys.
    ///
    /// # Errors
    /// As [`Keyring::new_key`], or [`KeyError::Token`].
    pub fn new_key_in(&self, token: &KeyName, name: KeyName, constructions: &[Construction], now: u64) -> Result<PublicPart, KeyError> {
        super::purpose::check(constructions)?;
        super::paths::free_path(self.dir(), &name)?;
        let key = self.generate_in(token, &name)?;
        self.add(name, constructions, Origin::New, &Material::InToken(&key), now)
    }

    /// Takes in a key that is in a token already.
    ///
    /// # Errors
    /// As [`Keyring::new_key`], or [`KeyError::NoObject`].
    pub fn adopt(&self, place: InToken, name: KeyName, constructions: &[Construction], now: u64) -> Result<PublicPart, KeyError> {
        let token = self.at_hand(&place.token)?;
        let found = token.objects().iter().filter(|object| object.id == place.object.0).collect::<Vec<_>>();
        let [Object { public_key: Some(public), .. }] = found.as_slice() else { return Err(KeyError::NoObject { place }) };
        let key = KeyInToken { public: *public, place };
        self.add(name, constructions, Origin::Imported, &Material::InToken(&key), now)
    }

    /// Makes a key pair in a token that is at hand.
    pub(super) fn generate_in(&self, token: &KeyName, label: &KeyName) -> Result<KeyInToken, KeyError> {
        let mut id = vec![0; ID_NEW];
        getrandom::fill(&mut id).map_err(SealError::Random)?;
        let made = self.at_hand(token)?.generate(label.as_str(), &id)?;
        let place = InToken { token: token.clone(), object: ObjectId(id) };
        match made.public_key {
            Some(public) if made.id == place.object.0 => Ok(KeyInToken { public, place }),
            _ => Err(KeyError::NoObject { place }),
        }
    }

    fn at_hand(&self, name: &KeyName) -> Result<&Arc<Token>, KeyError> {
        self.token_at_hand(name).ok_or_else(|| KeyError::UnknownToken { name: name.clone() })
    }

    /// The backend of a key in a token; one that cannot sign, when the token is not there or does not have the key.
    pub(super) fn in_token(&self, place: InToken, key: &KeyDescription) -> Box<dyn Backend> {
        let token = self.token_at_hand(&place.token).cloned().unwrap_or_else(|| {
            let why = TokenError::Start { token: place.token.clone(), why: "there is no file of this token".to_owned() };
            Arc::new(Token::absent(place.token.clone(), &why))
        });
        let is_it = |object: &Object| object.id == place.object.0 && object.public_key.is_none_or(|public| public == key.public_key);
        let there = token.objects().iter().any(is_it);
        if token.is_in_service() && !there {
            let (name, version, token, object) = (&key.name, key.version, token.name(), &place.object);
            tracing::error!(%name, version, %token, %object, "the token does not have this key; `chanceryd token check` lists what it has");
        }
        Box::new(backend::InToken::new(token, place.object, there))
    }
}

/// All tokens by name, without a passphrase.
///
/// # Errors
/// [`KeyError`] when the directory or a file in it is not as it should be.
pub fn tokens(dir: &Path) -> Result<Vec<TokenPart>, KeyError> {
    existing(dir)?;
    token_paths(dir)?.iter().map(|(_, path)| described(path, &file::read(path)?)).collect()
}

/// The names of all tokens; nothing is read.
///
/// # Errors
/// [`KeyError`] when the directory cannot be listed.
pub fn token_names(dir: &Path) -> Result<Vec<KeyName>, KeyError> {
    existing(dir)?;
    Ok(token_paths(dir)?.into_iter().map(|(name, _)| name).collect())
}

fn described(path: &Path, file: &TokenFile) -> Result<TokenPart, KeyError> {
    let part = file.part().ok_or_else(|| bad_values(path))?;
    let named = path.file_name() == token_path(Path::new(""), &part.name).file_name();
    if named { Ok(part) } else { Err(KeyError::Renamed { path: path.to_owned() }) }
}
