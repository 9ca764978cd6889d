//! Wire types of Chancery's gRPC services: the `.proto` files and the code generated from them.
//!
//! The code is committed, so that building needs no protobuf compiler; a test makes it anew and compares.

/// Package `chancery.v1`.
#[rustfmt::skip]
#[allow(
    clippy::all, clippy::too_many_lines, clippy::arithmetic_side_effects, clippy::allow_attributes_without_reason, missing_docs, rust_2018_idioms, unreachable_pub,
    reason = "generated code"
)]
pub mod v1 {
    include!("gen/chancery.v1.rs");
}
