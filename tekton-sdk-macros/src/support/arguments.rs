//! The arguments of an attribute: `key`, `key = value` or `key(…)`.

use proc_macro2::{Span, TokenStream};
use syn::{
    Attribute, Error, Expr, Ident, Meta, Path, Result, Token,
    ext::IdentExt,
    parenthesized,
    parse::{Parse, ParseStream, Parser},
    punctuated::Punctuated,
};

use super::{problems::Problems, values};

/// One argument as it was written.
pub(crate) struct Argument {
    pub(crate) key: Ident,
    pub(crate) value: Value,
}

/// What stands behind its key.
#[derive(Clone)]
pub(crate) enum Value {
    Nothing,
    Is(Expr),
    List(TokenStream),
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let key = Ident::parse_any(input)?;
        let value = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Value::Is(input.parse()?)
        } else if input.peek(syn::token::Paren) {
            let list;
            parenthesized!(list in input);
            Value::List(list.parse()?)
        } else {
            Value::Nothing
        };
        Ok(Self { key, value })
    }
}

/// The arguments in these tokens.
pub(crate) fn of_tokens(tokens: TokenStream) -> Result<Vec<Argument>> {
    Ok(Punctuated::<Argument, Token![,]>::parse_terminated.parse2(tokens)?.into_iter().collect())
}

/// The arguments of this attribute.
pub(crate) fn of_attribute(attribute: &Attribute) -> Result<Vec<Argument>> {
    match &attribute.meta {
        Meta::Path(_) => Ok(Vec::new()),
        Meta::List(list) => of_tokens(list.tokens.clone()),
        Meta::NameValue(pair) => Err(Error::new_spanned(&pair.value, "write the arguments in parentheses")),
    }
}

/// The arguments, each key at most once and one of the known ones.
pub(crate) fn check(
    arguments: Vec<Argument>,
    attribute: &str,
    known: &[&str],
    problems: &mut Problems,
) -> Vec<Argument> {
    let mut kept: Vec<Argument> = Vec::new();
    for argument in arguments {
        let key = argument.key.to_string();
        if !known.contains(&key.as_str()) {
            let there_are = known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            problems.at(&argument.key, format!("`{attribute}` has no argument `{key}`; there are: {there_are}"));
        } else if kept.iter().any(|earlier| earlier.key == argument.key) {
            problems.at(&argument.key, format!("`{key}` is given twice; keep one"));
        } else {
            kept.push(argument);
        }
    }
    kept
}

impl Argument {
    /// The text behind the key.
    pub(crate) fn text(&self, example: &str) -> Result<(String, Span)> {
        match &self.value {
            Value::Is(value) => values::text(value, &format!("write `{} = {example}`", self.key)),
            _ => Err(Error::new_spanned(&self.key, format!("write `{} = {example}`", self.key))),
        }
    }

    /// The value behind the key.
    pub(crate) fn expression(&self, example: &str) -> Result<&Expr> {
        match &self.value {
            Value::Is(value) => Ok(value),
            _ => Err(Error::new_spanned(&self.key, format!("write `{} = {example}`", self.key))),
        }
    }

    /// Refuses a value.
    pub(crate) fn flag(&self) -> Result<()> {
        match &self.value {
            Value::Nothing => Ok(()),
            Value::Is(value) => Err(Error::new_spanned(value, format!("write `{}` alone", self.key))),
            Value::List(list) => Err(Error::new_spanned(list, format!("write `{}` alone", self.key))),
        }
    }

    /// The items in the parentheses.
    pub(crate) fn list<T>(&self, item: fn(ParseStream<'_>) -> Result<T>, example: &str) -> Result<Vec<T>> {
        match &self.value {
            Value::List(list) => {
                let items = |input: ParseStream<'_>| Punctuated::<T, Token![,]>::parse_terminated_with(input, item);
                Ok(items.parse2(list.clone())?.into_iter().collect())
            }
            _ => Err(Error::new_spanned(&self.key, format!("write `{}({example})`", self.key))),
        }
    }

    /// The path in the text behind the key: where the SDK is.
    pub(crate) fn path(&self) -> Result<Path> {
        let (text, span) = self.text("\"path::to::tekton_sdk\"")?;
        syn::parse_str(&text)
            .map_err(|_| Error::new(span, "write the path of the SDK: `crate = \"path::to::tekton_sdk\"`"))
    }
}
