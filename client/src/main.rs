//! Client library and command line for publishers and for people who verify.

fn main() {}
