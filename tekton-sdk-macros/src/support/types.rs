//! Types, as an argument is written, decoded and passed on.

use proc_macro2::{Group, Ident, Punct, Spacing, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{GenericArgument, PathArguments, Type};

/// The tokens with every lifetime but `'static` replaced; a reference without one gets it.
pub(crate) fn with_lifetime(tokens: TokenStream, lifetime: &TokenStream) -> TokenStream {
    let mut out = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '\'' => match tokens.next() {
                Some(TokenTree::Ident(name)) if name == "static" => {
                    out.extend([TokenTree::Punct(punct), TokenTree::Ident(name)]);
                }
                _ => out.extend(lifetime.clone()),
            },
            TokenTree::Punct(punct) if punct.as_char() == '&' => {
                out.extend([TokenTree::Punct(Punct::new('&', Spacing::Alone))]);
                if !matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == '\'') {
                    out.extend(lifetime.clone());
                }
            }
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), with_lifetime(group.stream(), lifetime));
                inner.set_span(group.span());
                out.extend([TokenTree::Group(inner)]);
            }
            other => out.extend([other]),
        }
    }
    out
}

/// The tokens with `Self` replaced by the type.
pub(crate) fn without_self(tokens: TokenStream, subject: &TokenStream) -> TokenStream {
    let mut out = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(name) if name == "Self" => {
                let within_path = matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == ':');
                out.extend(if within_path { quote!(<#subject>) } else { subject.clone() });
            }
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), without_self(group.stream(), subject));
                inner.set_span(group.span());
                out.extend([TokenTree::Group(inner)]);
            }
            other => out.extend([other]),
        }
    }
    out
}

/// Whether `Self` stands in the tokens.
pub(crate) fn names_self(tokens: TokenStream) -> Option<Ident> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(name) if name == "Self" => Some(name),
        TokenTree::Group(group) => names_self(group.stream()),
        _ => None,
    })
}

/// Whether a lifetime other than `'static` stands in the type, the reference itself aside.
pub(crate) fn has_lifetime(tokens: TokenStream) -> bool {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let found = match token {
            TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                !matches!(tokens.peek(), Some(TokenTree::Ident(name)) if name == "static")
            }
            TokenTree::Group(group) => has_lifetime(group.stream()),
            _ => false,
        };
        if found {
            return true;
        }
    }
    false
}

/// How a decoded value becomes the argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// As it is.
    Value,
    /// Borrowed.
    Borrowed,
    /// An `Option` of something borrowed.
    Inside,
}

/// The type that an argument is decoded as, and how it is passed on; whether it is sized as it was written.
pub(crate) struct Decoded {
    pub(crate) ty: TokenStream,
    pub(crate) pass: Pass,
    /// Whether the owned type is another than the borrowed one, as `String` is than `str`.
    pub(crate) converted: bool,
}

/// What an argument of this type is decoded as.
pub(crate) fn decoded(ty: &Type) -> Decoded {
    match ty {
        Type::Paren(inner) => decoded(&inner.elem),
        Type::Group(inner) => decoded(&inner.elem),
        Type::Reference(reference) => {
            let (ty, converted) = owned(&reference.elem);
            Decoded { ty, pass: Pass::Borrowed, converted }
        }
        _ => match option_of(ty) {
            Some(Type::Reference(reference)) => {
                let (ty, converted) = owned(&reference.elem);
                Decoded { ty: quote!(::std::option::Option<#ty>), pass: Pass::Inside, converted }
            }
            _ => {
                let ty = with_lifetime(ty.to_token_stream(), &quote!('static));
                Decoded { ty, pass: Pass::Value, converted: false }
            }
        },
    }
}

fn owned(ty: &Type) -> (TokenStream, bool) {
    let fixed = |ty: &Type| with_lifetime(ty.to_token_stream(), &quote!('static));
    match ty {
        Type::Slice(slice) => {
            let element = fixed(&slice.elem);
            (quote!(::std::vec::Vec<#element>), true)
        }
        Type::Path(path) => match path.path.segments.last() {
            Some(last) if last.ident == "str" && last.arguments.is_none() => (quote!(::std::string::String), true),
            Some(last) if last.ident == "Path" && last.arguments.is_none() => (quote!(::std::path::PathBuf), true),
            _ => (fixed(ty), false),
        },
        _ => (fixed(ty), false),
    }
}

/// What an `Option` is of.
pub(crate) fn option_of(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Option")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(inner)) => Some(inner),
        _ => None,
    }
}

/// Whether it is `&Context`.
pub(crate) fn is_context(ty: &Type) -> bool {
    match ty {
        Type::Reference(reference) if reference.mutability.is_none() => match &*reference.elem {
            Type::Path(path) => {
                path.path.segments.last().is_some_and(|last| last.ident == "Context" && last.arguments.is_none())
            }
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(tokens: impl ToTokens) -> String {
        tokens.to_token_stream().to_string().replace(' ', "")
    }

    #[test]
    fn borrowed_arguments_are_decoded_as_what_they_borrow_from() {
        for (written, wanted, pass) in [
            ("&str", "::std::string::String", Pass::Borrowed),
            ("&'a [Cow<'a, str>]", "::std::vec::Vec<Cow<'static,str>>", Pass::Borrowed),
            ("&Query", "Query", Pass::Borrowed),
            ("Option<&std::path::Path>", "::std::option::Option<::std::path::PathBuf>", Pass::Inside),
            ("Option<u8>", "Option<u8>", Pass::Value),
            ("Cow<'_, str>", "Cow<'static,str>", Pass::Value),
        ] {
            let decoded = decoded(&syn::parse_str(written).unwrap());
            assert_eq!((text(decoded.ty).as_str(), decoded.pass), (wanted, pass), "{written}");
        }
    }

    #[test]
    fn lifetimes_and_self_are_replaced() {
        let ty = quote!(&'a Pair<&str, &'static str>);
        assert_eq!(text(with_lifetime(ty, &quote!('call))), "&'callPair<&'callstr,&'staticstr>");
        assert_eq!(text(without_self(quote!((Self, Self::X)), &quote!(Shelf<T>))), "(Shelf<T>,<Shelf<T>>::X)");
        assert!(names_self(quote!(Vec<(u8, Self)>)).is_some());
    }
}
