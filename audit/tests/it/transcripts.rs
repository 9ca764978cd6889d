//! What people see, as transcripts. `TRYCMD=overwrite cargo test -p chancery-audit` writes them anew.

#[test]
fn transcripts() {
    trycmd::TestCases::new().env("COLUMNS", "100").case("tests/cmd/*.trycmd");
}
