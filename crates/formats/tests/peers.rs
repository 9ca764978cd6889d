//! What real tools say of what we read and write.
//!
//! A tool that is missing is a failure, unless `CHANCERY_SKIP` (names with commas between) says that it may be.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "a test stops at its first fault, and hands files in a temporary directory to other programs"
)]

#[path = "peers/glib.rs"]
mod glib;
#[path = "peers/gnupg.rs"]
mod gnupg;
#[path = "peers/ssh_keygen.rs"]
mod ssh_keygen;

/// Whether the person who runs the tests has said that this tool is not there.
fn skipped(tool: &str) -> bool {
    std::env::var("CHANCERY_SKIP").is_ok_and(|names| names.split(',').any(|name| name.trim() == tool))
}
