//! The keyring: a directory of sealed keys, and the passphrase that opens it.

use super::backend::InMemory;
use super::certify::certificate_digest;
use super::error::KeyError;
use super::file::{self, ARGON2ID, ED25519, Kdf, KeyFile, KeyringFile, LogKeyFile, Origin, Sealed};
use super::import::ImportedSeed;
use super::open::{LogKey, OpenKey, OpenKeys, public_of};
use super::paths::{existing, free_path, key_paths, keyring_path, log_path, toml_files, version_path};
use super::purpose;
use super::seal::{self, Cost, SealError, Secret, SecretBytes};
use super::token::{InToken, KeyInToken};
use crate::guarded;
use crate::passphrase::Passphrase;
use crate::text::nearest;
use crate::token::Token;
use chancery_channel::{KeyDescription, KeyName};
use chancery_formats::{Construction, openpgp};
use chancery_reqlog::durable;
use chancery_tlog::VerifierKey;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SALT: usize = 16;

/// An open keyring.
pub struct Keyring {
    dir: PathBuf,
    master: Secret,
    /// The tokens that are at hand.
    tokens: BTreeMap<KeyName, Arc<Token>>,
}

/// What a new version of a key signs with.
pub(super) enum Material<'a> {
    Seed(&'a Secret),
    InToken(&'a KeyInToken),
}

/// The key of a log that is not begun yet.
pub struct NextLogKey {
    key: LogKey,
    file: LogKeyFile,
}

/// The same, sealed.
pub struct NextLogKeyFile(LogKeyFile);

impl NextLogKey {
    /// The key that verifies its checkpoints.
    #[must_use]
    pub const fn verifier_key(&self) -> &VerifierKey {
        self.key.verifier_key()
    }

    /// What signs, and what is to be kept.
    #[must_use]
    pub fn into_parts(self) -> (LogKey, NextLogKeyFile) {
        (self.key, NextLogKeyFile(self.file))
    }
}

/// What is public about a key, as its file says. Only an open keyring can tell whether it is true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicPart {
    /// What it is.
    pub description: KeyDescription,
    /// Where it comes from.
    pub origin: Origin,
    /// Where its secret is, when that is in a token.
    pub token: Option<InToken>,
}

impl Keyring {
    /// Whether a keyring may be made here, to be asked before the passphrase is.
    ///
    /// # Errors
    /// [`KeyError::KeyringExists`].
    pub fn check_absent(dir: &Path) -> Result<(), KeyError> {
        if keyring_path(dir).exists() { Err(KeyError::KeyringExists { dir: dir.to_owned() }) } else { Ok(()) }
    }

    /// Makes a keyring with the log's key in it. `log_origin` names the log; `now` is in seconds since 1970.
    ///
    /// # Errors
    /// [`KeyError`]; a keyring that exists is left alone.
    pub fn create(dir: &Path, passphrase: &Passphrase, log_origin: &str, now: u64) -> Result<Self, KeyError> {
        Self::create_at(Cost::USUAL, dir, passphrase, log_origin, now)
    }

    pub(super) fn create_at(cost: Cost, dir: &Path, passphrase: &Passphrase, log_origin: &str, now: u64) -> Result<Self, KeyError> {
        Self::check_absent(dir)?;
        durable::create_dir_all(dir, 0o700)?;
        guarded::check_dir(dir)?;
        if let Some(path) = toml_files(dir)?.into_iter().next() {
            return Err(KeyError::Orphan { path });
        }
        let mut salt = [0; SALT];
        getrandom::fill(&mut salt).map_err(SealError::Random)?;
        let Cost { memory_kib, passes, lanes } = cost;
        let kdf = Kdf { algorithm: ARGON2ID.to_owned(), memory_kib, passes, lanes, salt: file::encoded(&salt) };
        let file = KeyringFile { format: KeyringFile::FORMAT.to_owned(), sealed: String::new(), kdf };
        let master = seal::random()?;
        let file = file.seal(&seal::key_from(passphrase.as_bytes(), &salt, cost)?, &master)?;
        let keyring = Self { dir: dir.to_owned(), master, tokens: BTreeMap::new() };
        keyring.add_log_key(log_origin, now)?;
        // Last, because it is what makes the directory a keyring.
        durable::write_immutable(&keyring_path(dir), file.to_text().as_bytes(), 0o600)?;
        Ok(keyring)
    }

    /// Opens a keyring.
    ///
    /// # Errors
    /// [`KeyError::Passphrase`] when the passphrase is not the right one.
    pub fn open(dir: &Path, passphrase: &Passphrase) -> Result<Self, KeyError> {
        let path = existing(dir)?;
        // What is opened here makes and changes files, and root's would be of no use to the keeper.
        guarded::check_dir(dir)?;
        let file: KeyringFile = file::read(&path)?;
        let wrong = || KeyError::Passphrase { path: path.clone() };
        if file.kdf.algorithm != ARGON2ID {
            return Err(wrong());
        }
        let salt: [u8; SALT] = file::decoded(&file.kdf.salt).ok_or_else(wrong)?;
        let key = seal::key_from(passphrase.as_bytes(), &salt, file.kdf.cost())?;
        let master = opened(file.open(&key), wrong)?;
        Ok(Self { dir: dir.to_owned(), master, tokens: BTreeMap::new() })
    }

    /// Whether its secrets lie in memory that no other process can read.
    #[must_use]
    pub const fn in_secret_memory(&self) -> bool {
        self.master.is_secret_memory()
    }

    /// Makes a signing key. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// [`KeyError`] when the name is taken or the constructions cannot share a key.
    pub fn new_key(&self, name: KeyName, constructions: &[Construction], now: u64) -> Result<PublicPart, KeyError> {
        self.add(name, constructions, Origin::New, &Material::Seed(&seal::random()?), now)
    }

    /// Takes in a signing key that was made elsewhere, with the OpenPGP certificate that has it, where there is one.
    ///
    /// # Errors
    /// As [`Keyring::new_key`].
    pub fn import(
        &self,
        name: KeyName,
        constructions: &[Construction],
        seed: &ImportedSeed,
        certificate: Option<&[u8]>,
        now: u64,
    ) -> Result<PublicPart, KeyError> {
        let created = seed.created.unwrap_or(now);
        if let Some(certificate) = certificate {
            let public = openpgp::PublicKey { created: u32::try_from(created).unwrap_or(u32::MAX), point: public_of(seed.secret()) };
            if !openpgp::has_key(certificate, &public) {
                return Err(KeyError::OtherCertificate);
            }
            // Before the key, so that a key that is there has the certificate that was given with it.
            free_path(&self.dir, &name)?;
            durable::write_atomic(&self.certificate_path(&name, 1), certificate, 0o600)?;
        }
        self.add(name, constructions, Origin::Imported, &Material::Seed(seed.secret()), created)
    }

    pub(super) fn add(
        &self,
        name: KeyName,
        constructions: &[Construction],
        origin: Origin,
        material: &Material<'_>,
        now: u64,
    ) -> Result<PublicPart, KeyError> {
        purpose::check(constructions)?;
        free_path(&self.dir, &name)?;
        self.write_version(name, 1, constructions, origin, material, now)
    }

    pub(super) fn write_version(
        &self,
        name: KeyName,
        version: u32,
        constructions: &[Construction],
        origin: Origin,
        material: &Material<'_>,
        now: u64,
    ) -> Result<PublicPart, KeyError> {
        let path = version_path(&self.dir, &name, version);
        let mut constructions = constructions.to_vec();
        constructions.sort_unstable();
        constructions.dedup();
        let (public, token, object) = match material {
            Material::Seed(seed) => (public_of(seed), None, None),
            Material::InToken(key) => (key.public, Some(key.place.token.clone()), Some(key.place.object.clone())),
        };
        let file = KeyFile {
            format: KeyFile::FORMAT.to_owned(),
            name,
            version,
            algorithm: ED25519.to_owned(),
            constructions,
            created: file::time_text(now),
            retires: None,
            origin,
            public_key: file::encoded(&public),
            token,
            object,
            sealed: String::new(),
        };
        let file = match material {
            Material::Seed(seed) => file.seal(&self.master, seed)?,
            // Nothing is secret: zeros are sealed, so that what is public cannot be changed.
            Material::InToken(_) => file.seal(&self.master, &seal::empty::<32>()?)?,
        };
        durable::write_immutable(&path, file.to_text().as_bytes(), 0o600)?;
        public_part(&path)
    }

    fn add_log_key(&self, origin: &str, now: u64) -> Result<(), KeyError> {
        let next = self.next_log_key(origin, now)?;
        durable::write_immutable(&log_path(&self.dir), next.file.to_text().as_bytes(), 0o600)?;
        Ok(())
    }

    /// Makes the key of a log that is to go on from the present one. Nothing is kept of it yet. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// [`KeyError::Origin`] when this cannot name a log.
    pub fn next_log_key(&self, origin: &str, now: u64) -> Result<NextLogKey, KeyError> {
        let seed = seal::random()?;
        let public = public_of(&seed);
        let verifier = VerifierKey::ed25519(origin, &public).map_err(|_| KeyError::Origin { origin: origin.to_owned() })?;
        let file = LogKeyFile {
            format: LogKeyFile::FORMAT.to_owned(),
            name: origin.to_owned(),
            algorithm: ED25519.to_owned(),
            created: file::time_text(now),
            public_key: file::encoded(&public),
            sealed: String::new(),
        };
        let file = file.seal(&self.master, &seed)?;
        let key = LogKey::new(verifier, &seed)?.ok_or_else(|| KeyError::Changed { path: log_path(&self.dir) })?;
        Ok(NextLogKey { key, file })
    }

    /// Puts the key of the next log in the place of the present one, which is gone then.
    ///
    /// # Errors
    /// [`KeyError`]; the present one is still there.
    pub fn replace_log_key(&self, next: &NextLogKeyFile) -> Result<(), KeyError> {
        durable::write_atomic(&log_path(&self.dir), next.0.to_text().as_bytes(), 0o600)?;
        Ok(())
    }

    /// Opens all signing keys.
    ///
    /// # Errors
    /// [`KeyError::Changed`] when a key file is not as it was written. One such file is enough: somebody was at the keys.
    pub fn open_keys(&self) -> Result<OpenKeys, KeyError> {
        let mut keys = Vec::new();
        for path in key_paths(&self.dir)? {
            let key = self.open_path(&path)?;
            let certificate = certificate_digest(&self.dir, &key.description().name, key.description().version);
            keys.push(key.certified(certificate));
        }
        Ok(OpenKeys::new(keys))
    }

    /// Opens the newest version of one signing key.
    ///
    /// # Errors
    /// [`KeyError::Unknown`] when there is none of this name, [`KeyError::Changed`] when its file is not as it was written.
    pub(super) fn open_key(&self, name: &KeyName) -> Result<OpenKey, KeyError> {
        self.open_path(&version_path(&self.dir, name, find(&self.dir, name)?.description.version))
    }

    fn open_path(&self, path: &Path) -> Result<OpenKey, KeyError> {
        let file: KeyFile = file::read(path)?;
        let part = described(path, &file)?;
        let changed = || KeyError::Changed { path: path.to_owned() };
        let secret: Secret = opened(file.open(&self.master), changed)?;
        let backend = match part.token {
            None => InMemory::of_seed(&secret, &part.description.public_key)?.ok_or_else(changed)?,
            Some(place) => self.in_token(place, &part.description),
        };
        OpenKey::new(part.description, backend).ok_or_else(changed)
    }

    /// Sets from when on a version signs nothing.
    pub(super) fn set_end(&self, name: &KeyName, version: u32, end: u64) -> Result<PublicPart, KeyError> {
        let path = version_path(&self.dir, name, version);
        let mut file: KeyFile = file::read(&path)?;
        described(&path, &file)?;
        let seed: Secret = opened(file.open(&self.master), || KeyError::Changed { path: path.clone() })?;
        file.retires = Some(file::time_text(end));
        durable::write_atomic(&path, file.seal(&self.master, &seed)?.to_text().as_bytes(), 0o600)?;
        public_part(&path)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) const fn master(&self) -> &Secret {
        &self.master
    }

    /// A token that was attached.
    pub(crate) fn token_at_hand(&self, name: &KeyName) -> Option<&Arc<Token>> {
        self.tokens.get(name)
    }

    /// Uses a token for the keys that are in it.
    pub fn attach(&mut self, token: Token) {
        self.tokens.insert(token.name().clone(), Arc::new(token));
    }

    /// Opens the log's key.
    ///
    /// # Errors
    /// [`KeyError::Changed`] when its file is not as it was written.
    pub fn log_key(&self) -> Result<LogKey, KeyError> {
        let path = log_path(&self.dir);
        let file: LogKeyFile = file::read(&path)?;
        let key = log_verifier(&path, &file)?;
        let changed = || KeyError::Changed { path: path.clone() };
        let seed = opened(file.open(&self.master), changed)?;
        LogKey::new(key, &seed)?.ok_or_else(changed)
    }
}

/// All versions of all signing keys, by name, without a passphrase.
///
/// # Errors
/// [`KeyError`] when the directory or a file in it is not as it should be.
pub fn list(dir: &Path) -> Result<Vec<PublicPart>, KeyError> {
    existing(dir)?;
    let mut parts = key_paths(dir)?.iter().map(|path| public_part(path)).collect::<Result<Vec<_>, _>>()?;
    parts.sort_by(|a, b| (&a.description.name, a.description.version).cmp(&(&b.description.name, b.description.version)));
    Ok(parts)
}

/// The newest version of one signing key, without a passphrase.
///
/// # Errors
/// [`KeyError::Unknown`] when there is none of this name.
pub fn find(dir: &Path, name: &KeyName) -> Result<PublicPart, KeyError> {
    let all = list(dir)?;
    let unknown = || {
        let nearest = nearest(name.as_str(), all.iter().map(|p| p.description.name.as_str())).map(str::to_owned);
        KeyError::Unknown { name: name.clone(), nearest }
    };
    all.iter().rfind(|p| p.description.name == *name).cloned().ok_or_else(unknown)
}

/// The log's verification key, without a passphrase.
///
/// # Errors
/// [`KeyError`] when its file is not as it should be.
pub fn log_verifier_key(dir: &Path) -> Result<VerifierKey, KeyError> {
    existing(dir)?;
    let path = log_path(dir);
    log_verifier(&path, &file::read(&path)?)
}

fn log_verifier(path: &Path, file: &LogKeyFile) -> Result<VerifierKey, KeyError> {
    let key = file::decoded(&file.public_key).and_then(|public| VerifierKey::ed25519(&file.name, &public).ok());
    key.filter(|_| file.algorithm == ED25519).ok_or_else(|| bad_values(path))
}

fn public_part(path: &Path) -> Result<PublicPart, KeyError> {
    described(path, &file::read(path)?)
}

fn described(path: &Path, file: &KeyFile) -> Result<PublicPart, KeyError> {
    let description = file.description().filter(|_| file.algorithm == ED25519).ok_or_else(|| bad_values(path))?;
    let token = file.in_token().ok_or_else(|| bad_values(path))?;
    if path.file_name() == version_path(Path::new(""), &description.name, description.version).file_name() {
        Ok(PublicPart { description, origin: file.origin, token })
    } else {
        Err(KeyError::Renamed { path: path.to_owned() })
    }
}

pub(super) fn bad_values(path: &Path) -> KeyError {
    KeyError::Malformed { path: path.to_owned(), line: 1, what: "a time, a public key or an algorithm in it is not one".to_owned() }
}

pub(super) fn opened<const N: usize>(
    secret: Result<SecretBytes<N>, SealError>,
    closed: impl Fn() -> KeyError,
) -> Result<SecretBytes<N>, KeyError> {
    secret.map_err(|e| if matches!(e, SealError::Sealed) { closed() } else { e.into() })
}
