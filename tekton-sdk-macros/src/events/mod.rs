//! `#[derive(SseEvent)]`: an enum that events are read as.

mod expand;
mod model;
mod parse;

use proc_macro2::TokenStream;

use crate::support::problems::Problems;

/// What the derive adds, or every mistake in what it was told.
pub(crate) fn expand(item: TokenStream) -> TokenStream {
    let mut problems = Problems::default();
    let events = parse::parse(item, &mut problems).and_then(|parsed| model::model(parsed, &mut problems));
    let code = events.filter(|_| problems.is_empty()).map(|events| expand::expand(&events));
    let errors = problems.into_tokens();
    quote::quote!(#errors #code)
}
