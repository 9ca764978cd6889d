//! Verifies the request log from static files.

fn main() {}
