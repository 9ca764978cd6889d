//! What goes wrong with keys.

use super::purpose::PurposeError;
use super::seal::SealError;
use crate::guarded::GuardError;
use chancery_channel::{KeyName, NameError};
use chancery_reqlog::durable::DurableError;
use std::path::PathBuf;

/// Why a key, or the keyring, could not be made, read or opened. Nothing here ever holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// There is no keyring yet.
    #[error("there is no keyring in {}; make one with `chanceryd init`", dir.display())]
    NoKeyring {
        /// The directory of keys.
        dir: PathBuf,
    },
    /// There is a keyring already.
    #[error("there is a keyring in {} already; it was left alone", dir.display())]
    KeyringExists {
        /// The directory of keys.
        dir: PathBuf,
    },
    /// Key files without the keyring that opens them.
    #[error(
        "{} is there without a keyring.toml, which alone could open it; restore keyring.toml from its backup, or, if `init` was \
         interrupted and nothing was signed yet, remove the file and start again",
        path.display()
    )]
    Orphan {
        /// The file.
        path: PathBuf,
    },
    /// The keyring does not open.
    #[error("the passphrase is wrong, or {} was changed since it was made", path.display())]
    Passphrase {
        /// The keyring's file.
        path: PathBuf,
    },
    /// The keyring opens, a key does not.
    #[error("{} was changed since it was made, or belongs to another keyring; it cannot be opened, restore it from its backup", path.display())]
    Changed {
        /// The key's file.
        path: PathBuf,
    },
    /// A file that is not what it should be.
    #[error("{}:{line}: {what}; this file is written by the keeper and cannot be edited, restore it from its backup", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where, counted from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// A file whose name is not that of the key in it.
    #[error("{} holds a key with another name or version; key files must not be renamed", path.display())]
    Renamed {
        /// The file.
        path: PathBuf,
    },
    /// The name is taken.
    #[error("there is a key {name} already; a key is never replaced, choose another name")]
    Exists {
        /// The name.
        name: KeyName,
    },
    /// The name is that of another file of the keyring.
    #[error("a key cannot be named {name}, because the keeper keeps {name}.toml for itself; choose another name")]
    Reserved {
        /// The name.
        name: KeyName,
    },
    /// No such key.
    #[error("there is no key {name}{}", nearest.as_ref().map(|n| format!("; did you mean {n}?")).unwrap_or_default())]
    Unknown {
        /// The name.
        name: KeyName,
        /// A name much like it.
        nearest: Option<String>,
    },
    /// No such version.
    #[error("key {name} has no version {version}; `chanceryd key list` shows all")]
    NoVersion {
        /// The name.
        name: KeyName,
        /// What was asked for.
        version: u32,
    },
    /// Its time is over.
    #[error(
        "version {version} of key {name} is retired, and what is retired does not come back; make a new version with `key rotate {name}`"
    )]
    Retired {
        /// The name.
        name: KeyName,
        /// Its version.
        version: u32,
    },
    /// The log's origin cannot be the name of a note's key.
    #[error("the origin {origin:?} cannot name the log's key; it must be like signer.example/requests, without spaces and +")]
    Origin {
        /// The origin, as configured.
        origin: String,
    },
    /// Not a name of a key.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The constructions cannot share a key.
    #[error(transparent)]
    Purpose(#[from] PurposeError),
    /// A file is not as it should be.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// A file could not be written.
    #[error(transparent)]
    Durable(#[from] DurableError),
    /// Sealing or opening failed before any secret was tried.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// What is to be imported is not understood.
    #[error(transparent)]
    Import(#[from] super::import::ImportError),
    /// The name of a token is taken.
    #[error("there is a token {name} already; choose another name, or remove keys/{name}.token.toml when no key is in it")]
    TokenExists {
        /// The name.
        name: KeyName,
    },
    /// No such token.
    #[error("there is no token {name}; `chanceryd token list` shows all, `chanceryd token add` adds one")]
    UnknownToken {
        /// The name.
        name: KeyName,
    },
    /// A PIN that cannot be sealed.
    #[error("the PIN has more than {max} bytes")]
    PinLength {
        /// How many it may have.
        max: usize,
    },
    /// No such key in a token.
    #[error(
        "token {} has not exactly one Ed25519 key with the id {}, with its public key beside it; `chanceryd token check {}` lists them",
        place.token, place.object, place.token
    )]
    NoObject {
        /// Where it should be.
        place: super::token::InToken,
    },
    /// A token.
    #[error(transparent)]
    Token(#[from] crate::token::TokenError),
    /// The key signs nothing that has to do with OpenPGP.
    #[error(
        "key {name} was not made for OpenPGP, so it has no certificate; make one with `key new NAME --for openpgp-detached`, or for a construction that ends in /openpgp"
    )]
    NotOpenpgp {
        /// The name.
        name: KeyName,
    },
    /// Another key's certificate.
    #[error("the certificate does not have this key; export it with `gpg --export` from the keyring that the key came from")]
    OtherCertificate,
    /// A signature failed its check.
    #[error("a signature failed its check and was not released; the hardware may be faulty, check it before you go on")]
    SelfCheck,
    /// The directory of keys could not be listed.
    #[error("cannot list {}", dir.display())]
    List {
        /// The directory of keys.
        dir: PathBuf,
        /// The answer of the file system.
        #[source]
        source: std::io::Error,
    },
}
