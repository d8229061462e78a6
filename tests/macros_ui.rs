//! What the macros accept, and what they say of what they do not: every diagnostic has its file under `ui/fail`.
//!
//! Only messages of our own are compared, so that a new compiler does not break them. To write them anew:
//! `TRYBUILD=overwrite cargo test -p tekton-sdk-tests --test macros_ui`.

#[test]
fn macros_say_what_to_write_instead() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    cases.compile_fail("ui/fail/*/*.rs");
}
