//! The macros of `tekton-sdk`; use them through that crate.
//!
//! So far there is one, [`macro@data`]. The macros that make a component of an annotated struct are not here yet.

mod data;
mod support;

use proc_macro::TokenStream;

/// Makes a struct or an enum a value that crosses the wire: it derives serde's `Serialize` and `Deserialize` and
/// schemars' `JsonSchema`, without a dependency of yours on either.
///
/// | argument | type | default | meaning |
/// |---|---|---|---|
/// | `crate` | path in a string | found by the name in your `Cargo.toml` | where the SDK is, if it is re-exported |
///
/// `#[serde(…)]` and `#[schemars(…)]` attributes on the type and its fields work as usual.
///
/// ```text
/// #[tekton_sdk::data]
/// struct Summary { text: String }
/// ```
#[proc_macro_attribute]
pub fn data(arguments: TokenStream, item: TokenStream) -> TokenStream {
    data::expand(arguments.into(), item.into()).into()
}
