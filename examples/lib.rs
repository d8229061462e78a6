//! Examples of `tekton-sdk`; the examples themselves are listed in `Cargo.toml`.
