//! Keys: the only room that names a private-key type.
//!
//! At rest, a key is sealed in the keyring under one passphrase. In use, it is in locked memory. Nothing that holds a secret can be
//! printed or copied.

mod backend;
mod certify;
mod error;
mod file;
mod import;
mod keyring;
mod locked;
mod open;
mod paths;
pub mod purpose;
mod rotate;
mod seal;
mod sign;
mod token;

pub use certify::{certificate_digest, certificate_of};
pub use error::KeyError;
pub use file::Origin;
pub use file::time_text;
pub use import::{ImportError, ImportedSeed};
pub use keyring::{Keyring, PublicPart, find, list, log_verifier_key};
pub use locked::LockError;
pub use open::{LogKey, OpenKey, OpenKeys};
pub use rotate::find_version;
pub use seal::SealError;
pub use sign::{Made, SignError, sign};
pub(crate) use token::TOKEN_TIMEOUT;
pub use token::{InToken, KeyInToken, NoObjectId, ObjectId, Pin, TokenPart, token_names, tokens};

#[cfg(test)]
mod tests;
