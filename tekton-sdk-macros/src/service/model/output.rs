//! The rules about what an operation returns: one answer, or a stream of them.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{CapturedParam, GenericArgument, PathArguments, ReturnType, Type, TypeImplTrait, TypeParamBound};

use crate::{
    service::parse::Method,
    support::{problems::Problems, types},
};

/// What comes out of an operation.
pub(crate) struct Output {
    /// What it returns; of a stream, what each item is. A `Result` in any case.
    pub(crate) tokens: TokenStream,
    pub(crate) stream: Option<Stream>,
}

/// An operation that answers many times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    /// Whether it may fail before there is a stream.
    pub(crate) is_fallible: bool,
    pub(crate) is_resumable: bool,
}

/// A stream, as it is written in a block or in a contract.
const IN_BLOCK: &str = "impl Stream<Item = Result<…>> + Send + use<>";
const IN_CONTRACT: &str = "impl Stream<Item = Result<…>> + Send + use<Self>";

impl Output {
    pub(super) fn of(method: &Method<'_>, within: Option<&TokenStream>, problems: &mut Problems) -> Option<Self> {
        let signature = method.signature;
        let ReturnType::Type(_, ty) = &signature.output else {
            problems.at(&signature.ident, "an operation returns a `Result`: write `-> Result<()>`");
            return None;
        };
        let (tokens, stream) = match stream_of(ty) {
            Some((opaque, is_fallible)) => {
                let item = item(opaque, within.is_none(), problems)?;
                (item.to_token_stream(), Some(Stream { is_fallible, is_resumable: false }))
            }
            None if matches!(&**ty, Type::ImplTrait(_)) => {
                problems.at(ty, "an operation returns a `Result` of a type with a name; write it out");
                return None;
            }
            None => (ty.to_token_stream(), None),
        };
        let tokens = match within {
            Some(component) => types::without_self(tokens, component),
            None => match types::names_self(tokens.clone()) {
                Some(name) => {
                    problems.at(name, "a contract's client does not know who implements it; name the type");
                    return None;
                }
                None => tokens,
            },
        };
        Some(Self { tokens: types::with_lifetime(tokens, &quote!('static)), stream })
    }
}

/// The `impl Stream` that is returned, and whether it comes in a `Result`.
fn stream_of(ty: &Type) -> Option<(&TypeImplTrait, bool)> {
    match ty {
        Type::Paren(inner) => stream_of(&inner.elem),
        Type::Group(inner) => stream_of(&inner.elem),
        Type::ImplTrait(opaque) => bound(opaque).map(|_| (opaque, false)),
        Type::Path(path) => {
            let PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else { return None };
            match arguments.args.first()? {
                GenericArgument::Type(inner) => stream_of(inner).map(|(opaque, _)| (opaque, true)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The bound that is `Stream`.
fn bound(opaque: &TypeImplTrait) -> Option<&syn::PathSegment> {
    opaque.bounds.iter().find_map(|bound| match bound {
        TypeParamBound::Trait(bound) => bound.path.segments.last().filter(|last| last.ident == "Stream"),
        _ => None,
    })
}

/// What the items of the stream are, if the stream can be served.
fn item<'a>(opaque: &'a TypeImplTrait, is_contract: bool, problems: &mut Problems) -> Option<&'a Type> {
    let example = if is_contract { IN_CONTRACT } else { IN_BLOCK };
    let mut captures = None;
    let mut is_send = false;
    for bound in &opaque.bounds {
        match bound {
            TypeParamBound::PreciseCapture(found) => captures = Some(found),
            TypeParamBound::Trait(bound) => {
                is_send |= bound.path.segments.last().is_some_and(|last| last.ident == "Send")
            }
            _ => {}
        }
    }
    match captures {
        None => {
            let message = format!("a stream outlives the call and borrows nothing of it; write `{example}`");
            problems.at(opaque, message);
            return None;
        }
        Some(captures) => {
            let borrowed = captures.params.iter().find(|parameter| matches!(parameter, CapturedParam::Lifetime(_)));
            if let Some(lifetime) = borrowed {
                problems.at(lifetime, "a stream outlives the call and borrows nothing of it; leave the lifetime out");
                return None;
            }
        }
    }
    if !is_send {
        problems.at(opaque, format!("a stream changes threads; write `{example}`"));
        return None;
    }
    let item = match &bound(opaque)?.arguments {
        PathArguments::AngleBracketed(arguments) => arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(item) if item.ident == "Item" => Some(&item.ty),
            _ => None,
        }),
        _ => None,
    };
    if item.is_none() {
        problems.at(opaque, format!("say what the items are; write `{example}`"));
    }
    item
}
