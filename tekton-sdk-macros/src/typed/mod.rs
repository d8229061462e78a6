//! `#[derive(Event)]`: a type that is bound to its topics.

mod expand;
mod model;

use proc_macro2::TokenStream;

use crate::support::problems::Problems;

/// What the derive adds, or every mistake in what it was told.
pub(crate) fn expand(item: TokenStream) -> TokenStream {
    let mut problems = Problems::default();
    let typed = problems.take(syn::parse2(item)).and_then(|input| model::model(input, &mut problems));
    let code = typed.filter(|_| problems.is_empty()).map(|typed| expand::expand(&typed));
    let errors = problems.into_tokens();
    quote::quote!(#errors #code)
}
