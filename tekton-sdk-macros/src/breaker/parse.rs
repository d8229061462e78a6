//! What was written, unjudged.

use proc_macro2::TokenStream;
use syn::{Ident, Item, ItemFn, TraitItem};

use crate::support::{
    arguments::{self, Argument},
    problems::Problems,
};

/// The item and the arguments of its `#[circuit_breaker(…)]`.
pub(super) struct Parsed {
    pub(super) arguments: Vec<Argument>,
    pub(super) target: Target,
}

/// What the attribute stands on.
pub(super) enum Target {
    /// A function or a method.
    Function(Box<ItemFn>),
    /// A function of a trait that has no body.
    Declaration(Ident),
    /// Something else.
    Other(TokenStream),
    /// What cannot be read; the compiler says more about it than we could.
    Unknown,
}

pub(super) fn parse(arguments: TokenStream, item: TokenStream, problems: &mut Problems) -> Parsed {
    let arguments = problems.take(arguments::of_tokens(arguments)).unwrap_or_default();
    Parsed { arguments, target: target(item) }
}

fn target(item: TokenStream) -> Target {
    if let Ok(function) = syn::parse2(item.clone()) {
        return Target::Function(Box::new(function));
    }
    match syn::parse2(item.clone()) {
        Ok(TraitItem::Fn(function)) => Target::Declaration(function.sig.ident),
        _ if syn::parse2::<Item>(item.clone()).is_ok() => Target::Other(item),
        _ => Target::Unknown,
    }
}
