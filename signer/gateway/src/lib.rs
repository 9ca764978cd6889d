//! The gateway of a key host: speaks TLS and gRPC, and hands what it is asked to the keeper.
//!
//! It has no key, no log, no policy, and no file that it writes while it serves. What it says of a client's identity is all
//! that the keeper takes from it.
#![forbid(unsafe_code)]

pub mod accept;
pub mod admin;
pub mod answer;
pub mod cell;
pub mod cli;
pub mod config;
pub mod health;
pub mod identity;
pub mod keeper;
pub mod link;
pub mod locked;
pub mod metrics;
pub mod notify;
pub mod place;
pub mod reload;
pub mod serve;
pub mod server;
pub mod services;
pub mod tls;
pub mod traces;
pub mod wire;
pub mod witness;
