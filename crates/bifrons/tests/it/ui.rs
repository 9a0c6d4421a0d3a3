//! What `#[dual]` refuses, with the exact messages. Accepted shapes are compiled and run in `dual`.

#[test]
fn refusals_point_at_the_token_and_name_the_remedy() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}
