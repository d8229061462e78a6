//! What every macro needs.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::Span;
use syn::{Ident, Path, parse_quote};

/// Where the SDK is, as the user's `Cargo.toml` calls it. Nothing else writes that path.
pub(crate) fn sdk() -> Path {
    match crate_name("tekton-sdk") {
        Ok(FoundCrate::Name(name)) => {
            let name = Ident::new(&name, Span::call_site());
            parse_quote!(::#name)
        }
        // Inside the SDK itself, which calls itself `tekton_sdk` too; or no manifest can be read, and then the usual name
        // gives the best error message.
        Ok(FoundCrate::Itself) | Err(_) => parse_quote!(::tekton_sdk),
    }
}
