//! Tokens: keys that never leave a piece of hardware, reached over PKCS#11.
//!
//! The library that talks to a token is its vendor's, in C. It runs in a process of its own (`chancery-keeper token-host`), in a cell, beside
//! the keeper and not in it: what goes wrong there reaches no other key, and what hangs there holds nobody up for longer than its timeout.
//! The keeper believes nothing that comes back: a signature is checked under the public key that was pinned when the key was taken in.

mod error;
mod host;
mod leftover;
mod message;
mod module;
mod process;
mod wire;

pub use error::{HostError, TokenError};
pub use host::host;
pub use message::Object;
pub use process::{Process, Settings, Token};

#[cfg(test)]
mod tests;
