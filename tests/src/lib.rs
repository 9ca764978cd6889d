//! A key host and its publishers, made of the real programs, for tests that cross rooms.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test stops at its first fault"
)]
#![allow(clippy::disallowed_methods, reason = "what a test writes need not outlive it")]

mod browser;
mod host;
mod http;
mod link;
mod machine;
mod net;
mod publisher;
mod relay;
mod repo;
mod run;

pub use browser::Browser;
pub use host::{KeyHost, PASSPHRASE, Setup};
pub use http::{Answer, http};
pub use link::{BadLink, Badness, PUBLISHER_BAD, Traffic};
pub use machine::Machine;
pub use net::{Net, PUBLISHER, SIGNER, within};
pub use publisher::Publisher;
pub use relay::{Flaw, Proxy, Relay};
pub use repo::OstreeRepo;
pub use run::{Output, program, run, skipped, tool};
