//! The rooms of the keeper: what is asked for goes from one to the next, and only what went through all of them is signed.
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::disallowed_methods,
        clippy::cast_possible_truncation,
        reason = "tests count small things, and their files need not survive a power cut"
    )
)]

pub mod cli;
pub mod config;
pub mod content;
pub mod door;
pub mod guarded;
pub mod key;
pub mod passphrase;
pub mod policy;
pub mod prepare;
pub mod record;
pub mod serve;
mod sheet;
pub mod text;
pub mod token;
