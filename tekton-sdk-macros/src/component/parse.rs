//! What was written, unjudged.

use proc_macro2::TokenStream;
use syn::DeriveInput;

use crate::support::{
    arguments::{self, Argument},
    problems::Problems,
};

/// The struct and the arguments of its `#[component(…)]`.
pub(crate) struct Parsed {
    pub(crate) input: DeriveInput,
    pub(crate) arguments: Vec<Argument>,
}

pub(crate) fn parse(item: TokenStream, problems: &mut Problems) -> Option<Parsed> {
    let input: DeriveInput = problems.take(syn::parse2(item))?;
    let attributes = input.attrs.iter().filter(|attribute| attribute.path().is_ident("component"));
    let arguments =
        attributes.filter_map(|attribute| problems.take(arguments::of_attribute(attribute))).flatten().collect();
    Some(Parsed { input, arguments })
}
