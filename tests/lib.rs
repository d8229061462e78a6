//! Integration tests of `tekton-sdk`; the tests themselves are listed in `Cargo.toml`.
