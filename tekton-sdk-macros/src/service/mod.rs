//! `#[service]`: a table of operations, its router, and its part of the client and the fake.

mod expand;
mod model;
mod parse;

use proc_macro2::TokenStream;
use quote::quote;

use crate::support::problems::Problems;

/// The item without what the macro alone understands, what belongs to it, and every mistake in it.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut problems = Problems::default();
    let code = match parse::parse(arguments, item.clone(), &mut problems) {
        None => item,
        Some(parsed) => {
            let cleaned = parsed.cleaned();
            let service = model::model(&parsed, &mut problems).map(|service| expand::expand(&service));
            quote!(#cleaned #service)
        }
    };
    let errors = problems.into_tokens();
    quote!(#code #errors)
}
