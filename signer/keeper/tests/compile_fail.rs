//! Permission is a value: each way round the rooms fails to compile, and fails for that reason.

#[test]
fn no_way_round_the_rooms_compiles() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
