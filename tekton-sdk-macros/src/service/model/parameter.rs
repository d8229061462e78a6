//! The rules about one argument.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Attribute, Expr, Ident, Pat, PatType, Type, ext::IdentExt};

use crate::support::{
    arguments,
    docs::{self, Docs},
    problems::Problems,
    types::{self, Decoded},
};

/// One argument of an operation.
pub(crate) enum Parameter {
    /// The context, which the host injects.
    Context,
    /// One that the caller gives.
    Given(Box<Given>),
}

/// An argument that the caller gives.
pub(crate) struct Given {
    pub(crate) ident: Ident,
    pub(crate) name: String,
    pub(crate) description: String,
    /// As it was written.
    pub(crate) ty: Type,
    /// The same with `Self` opened.
    pub(crate) tokens: TokenStream,
    pub(crate) decoded: Decoded,
    pub(crate) need: Need,
}

/// Whether a call gives it.
pub(crate) enum Need {
    Required,
    /// `None` when it is left out.
    Optional,
    /// This when it is left out.
    Default(TokenStream),
}

impl Parameter {
    pub(crate) fn of(
        argument: &PatType,
        docs: &Docs,
        within: Option<&TokenStream>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let default = default(&argument.attrs, problems);
        if types::is_context(&argument.ty) {
            if let Some(default) = default {
                problems.at(default, "the context is always there; leave the default out");
            }
            return Some(Self::Context);
        }
        let ident = match &*argument.pat {
            Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => pat.ident.clone(),
            other => {
                problems.at(other, "an argument of an operation is a plain name; take it apart inside");
                return None;
            }
        };
        let ty = (*argument.ty).clone();
        match &ty {
            Type::Reference(reference) if reference.mutability.is_some() => {
                problems.at(&ty, "what a caller sends cannot be changed for it; take `&` or the value");
                return None;
            }
            Type::ImplTrait(_) => {
                problems.at(&ty, "an operation cannot be generic; name the type, or make the component generic");
                return None;
            }
            _ => {}
        }
        let tokens = match within {
            Some(component) => types::without_self(ty.to_token_stream(), component),
            None => {
                if let Some(name) = types::names_self(ty.to_token_stream()) {
                    problems.at(name, "a contract's client does not know who implements it; name the type");
                    return None;
                }
                ty.to_token_stream()
            }
        };
        let ty = syn::parse2(tokens.clone()).unwrap_or(ty);
        let need = match (default, types::option_of(&ty)) {
            (Some(default), Some(_)) => {
                let message = "an `Option` is `None` when it is left out; take away the default or the `Option`";
                problems.at(default, message);
                Need::Optional
            }
            (Some(default), None) => {
                let default = default.into_token_stream();
                Need::Default(within.map_or(default.clone(), |component| types::without_self(default, component)))
            }
            (None, Some(_)) => Need::Optional,
            (None, None) => Need::Required,
        };
        let name = ident.unraw().to_string();
        let own = docs::of(&argument.attrs).description;
        let listed =
            docs.arguments.iter().find(|(listed, _, _)| *listed == name).map(|(_, meaning, _)| meaning.clone());
        let description = if own.is_empty() { listed.unwrap_or_default() } else { own };
        let description = if description.is_empty() { name.replace('_', " ") } else { description };
        Some(Self::Given(Box::new(Given { ident, name, description, decoded: types::decoded(&ty), tokens, ty, need })))
    }

    /// Whether the docs mean it by this name; the context may be documented, whatever it is called.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        match self {
            Self::Context => name == "ctx" || name == "context",
            Self::Given(given) => given.name == name,
        }
    }
}

/// The value of `#[arg(default = …)]`.
fn default(attributes: &[Attribute], problems: &mut Problems) -> Option<Expr> {
    let mut default = None;
    let ours = attributes.iter().filter(|attribute| attribute.path().is_ident("arg"));
    let arguments = ours.filter_map(|attribute| problems.take(arguments::of_attribute(attribute))).flatten().collect();
    for argument in arguments::check(arguments, "arg", &["default"], problems) {
        default = problems.take(argument.expression("3").cloned());
    }
    default
}
