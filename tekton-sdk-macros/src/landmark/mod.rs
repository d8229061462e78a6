//! `#[landmark]`: marks a place in the code that whoever changes it should know of.

mod expand;
mod kinds;
mod model;
mod parse;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use quote::quote;

/// The item with its landmark; or with every error, and then the item as it was.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let place = parse::place(item.clone());
    match model::Model::new(parse::arguments(arguments), &place) {
        Ok(model) => expand::expand(&model, place.target, item),
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#error #item)
        }
    }
}
