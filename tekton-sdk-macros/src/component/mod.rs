//! `#[derive(Component)]`: who a component is, its client and its fake.

mod expand;
mod model;
mod parse;

use proc_macro2::TokenStream;

use crate::support::problems::Problems;

/// What the derive adds, and every mistake in what it was told.
pub(crate) fn expand(item: TokenStream) -> TokenStream {
    let mut problems = Problems::default();
    let component = parse::parse(item, &mut problems).and_then(|parsed| model::model(parsed, &mut problems));
    let code = component.map(|component| expand::expand(&component));
    let errors = problems.into_tokens();
    quote::quote!(#errors #code)
}
