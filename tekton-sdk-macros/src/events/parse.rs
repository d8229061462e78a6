//! What was written, unjudged.

use proc_macro2::TokenStream;
use syn::{
    Attribute, DeriveInput, Ident, LitStr, Token,
    ext::IdentExt,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

use crate::support::problems::Problems;

/// The enum; its attributes are read where they stand.
pub(crate) struct Parsed {
    pub(crate) input: DeriveInput,
}

pub(crate) fn parse(item: TokenStream, problems: &mut Problems) -> Option<Parsed> {
    problems.take(syn::parse2(item)).map(|input| Parsed { input })
}

/// One argument of `#[event(…)]`.
pub(crate) enum Argument {
    /// The type of the event.
    Name(LitStr),
    Flag(Ident),
    /// `key = value`.
    Pair(Ident, LitStr),
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(LitStr) {
            return input.parse().map(Self::Name);
        }
        let key = Ident::parse_any(input).map_err(|error| {
            syn::Error::new(error.span(), "write the type of the event in quotes, `text` or `other`")
        })?;
        if input.parse::<Option<Token![=]>>()?.is_some() {
            Ok(Self::Pair(key, input.parse()?))
        } else {
            Ok(Self::Flag(key))
        }
    }
}

/// What stands in the `#[event(…)]` among these attributes.
pub(crate) fn arguments(attributes: &[Attribute], problems: &mut Problems) -> Vec<Argument> {
    let own = attributes.iter().filter(|attribute| attribute.path().is_ident("event"));
    let read = own.filter_map(|attribute| {
        problems.take(attribute.parse_args_with(Punctuated::<Argument, Token![,]>::parse_terminated))
    });
    read.flatten().collect()
}
