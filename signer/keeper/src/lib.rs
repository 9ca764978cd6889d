//! The rooms of the keeper: what is asked for goes from one to the next, and only what went through all of them is signed.

pub mod content;
mod guarded;
pub mod key;
pub mod passphrase;
pub mod policy;
mod sheet;
mod text;
