//! The process that speaks TLS and gRPC on the key host.

fn main() {}
