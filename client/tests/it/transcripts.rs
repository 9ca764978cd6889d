//! What people see, as transcripts: `--help` of every command, and errors that need no key host.
//!
//! `TRYCMD=overwrite cargo test -p chancery` writes them anew.

#[test]
fn transcripts() {
    trycmd::TestCases::new().env("CHANCERY_PROFILE", "missing.toml").env("COLUMNS", "100").case("tests/cmd/*.trycmd");
}
