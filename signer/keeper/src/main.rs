//! The process that holds keys, policy and the request log.

fn main() {}
