//! Keys: the only room that names a private-key type.
//!
//! At rest, a key is sealed in the keyring under one passphrase. In use, it is in locked memory. Nothing that holds a secret can be
//! printed or copied.

mod error;
mod file;
mod import;
mod keyring;
mod locked;
mod open;
pub mod purpose;
mod seal;

pub use error::KeyError;
pub use file::Origin;
pub use import::{ImportError, ImportedSeed};
pub use keyring::{Keyring, PublicPart, find, list, log_verifier_key};
pub use locked::LockError;
pub use open::{LogKey, OpenKey, OpenKeys};
pub use seal::SealError;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::open_for_tests;
