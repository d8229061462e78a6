//! `#[circuit_breaker]`: a breaker around one function.

mod expand;
mod model;
mod parse;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use quote::quote;

use crate::support::problems::Problems;

/// The function with its breaker; or with every mistake, and then the item as it was.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut problems = Problems::default();
    let parsed = parse::parse(arguments, item.clone(), &mut problems);
    match model::model(parsed, &mut problems).filter(|_| problems.is_empty()) {
        Some(model) => expand::expand(model),
        None => {
            let errors = problems.into_tokens();
            quote!(#errors #item)
        }
    }
}
