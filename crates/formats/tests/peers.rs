//! What real tools say of what we read and write.
//!
//! A tool that is missing is a failure, unless `CHANCERY_SKIP` (names with commas between) says that it may be.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test stops at its first fault, and hands files in a temporary directory to other programs"
)]

use chancery_formats::ed25519::PublicKey;
use ed25519_dalek::SigningKey;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

#[path = "peers/coreutils.rs"]
mod coreutils;
#[path = "peers/dsse.rs"]
mod dsse;
#[path = "peers/glib.rs"]
mod glib;
#[path = "peers/gnupg.rs"]
mod gnupg;
#[path = "peers/go_note.rs"]
mod go_note;
#[path = "peers/helpers.rs"]
mod helpers;
#[path = "peers/minisign.rs"]
mod minisign;
#[path = "peers/signify.rs"]
mod signify;
#[path = "peers/ssh_keygen.rs"]
mod ssh_keygen;
#[path = "peers/tuf.rs"]
mod tuf;

/// Whether the person who runs the tests has said that this tool is not there.
fn skipped(tool: &str) -> bool {
    std::env::var("CHANCERY_SKIP").is_ok_and(|names| names.split(',').any(|name| name.trim() == tool))
}

/// Runs a tool in a directory.
fn peer(tool: &str, dir: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(tool);
    command.current_dir(dir).env("LC_ALL", "C.UTF-8").args(arguments);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|e| panic!("{tool} is needed, or CHANCERY_SKIP must name it: {e}"));
    // It may refuse before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// A pair of keys from a seed of equal bytes.
fn key(seed: u8) -> (SigningKey, PublicKey) {
    let secret = SigningKey::from_bytes(&[seed; 32]);
    let public = PublicKey::from_bytes(secret.verifying_key().as_bytes()).unwrap();
    (secret, public)
}
