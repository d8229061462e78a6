//! What was written, with its places. Nothing is judged here.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{
    Attribute, Error, Expr, ExprLit, Ident, Item, ItemConst, ItemFn, Lit, LitBool, LitStr, Meta, Result, Token,
    ext::IdentExt,
    parse::{Parse, ParseStream, Parser},
    parse2,
    spanned::Spanned,
    token::{Bracket, Paren},
};

/// The arguments in the order of writing, and what could not be read.
pub(super) struct Arguments {
    pub(super) list: Vec<Argument>,
    pub(super) errors: Vec<Error>,
}

/// `name = value` or `name(…)`.
pub(super) struct Argument {
    pub(super) name: Ident,
    pub(super) value: Value,
}

pub(super) enum Value {
    Text(LitStr),
    Bool(LitBool),
    /// An integer or a fraction, with its sign.
    Number(bool, Lit),
    List(Span, Vec<Value>),
    Map(Span, Vec<Argument>),
    /// A name alone.
    Nothing(Span),
    /// Any other expression.
    Other(Span),
}

/// The annotated item, by where its landmark can stand.
pub(super) enum Target {
    /// In the body: a function may be a method, and beside a method nothing can stand.
    Function(Box<ItemFn>),
    /// In the value: a constant may belong to an `impl`.
    Constant(Box<ItemConst>),
    /// In front of the item, under its conditions.
    Beside { item: TokenStream, conditions: Vec<Attribute> },
    /// Nowhere: a function or a constant of a trait that gives none.
    Nowhere,
}

/// The annotated item and what is read off it.
pub(super) struct Place {
    pub(super) target: Target,
    /// The place of its name.
    pub(super) span: Span,
    /// Its documentation.
    pub(super) docs: String,
}

/// Reads each argument alone, so that one mistake does not hide the others.
pub(super) fn arguments(tokens: TokenStream) -> Arguments {
    let (mut list, mut errors) = (Vec::new(), Vec::new());
    for part in parts(tokens) {
        match parse2::<Argument>(part) {
            Ok(argument) => list.push(argument),
            Err(error) => errors.push(error),
        }
    }
    Arguments { list, errors }
}

/// The tokens between commas.
fn parts(tokens: TokenStream) -> Vec<TokenStream> {
    let mut parts = vec![TokenStream::new()];
    for token in tokens {
        match (&token, parts.last_mut()) {
            (TokenTree::Punct(comma), _) if comma.as_char() == ',' => parts.push(TokenStream::new()),
            (_, Some(part)) => part.extend([token]),
            (_, None) => {}
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error("expected an argument as `title = \"…\"` or `tags(\"…\", \"…\")`"));
        }
        let name = input.call(Ident::parse_any)?;
        let value = if input.peek(Paren) {
            let content;
            let paren = syn::parenthesized!(content in input);
            let span = paren.span.join();
            let pairs = content.peek(Ident::peek_any) && (content.peek2(Token![=]) || content.peek2(Paren));
            if pairs {
                Value::Map(span, content.parse_terminated(Self::parse, Token![,])?.into_iter().collect())
            } else {
                Value::List(span, content.parse_terminated(Value::parse, Token![,])?.into_iter().collect())
            }
        } else if input.is_empty() {
            Value::Nothing(name.span())
        } else {
            input.parse::<Token![=]>()?;
            input.parse()?
        };
        if input.is_empty() || input.peek(Token![,]) {
            return Ok(Self { name, value });
        }
        Err(input.error("expected a comma before this"))
    }
}

impl Parse for Value {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.peek(Bracket) {
            let content;
            let bracket = syn::bracketed!(content in input);
            let items = content.parse_terminated(Self::parse, Token![,])?;
            return Ok(Self::List(bracket.span.join(), items.into_iter().collect()));
        }
        if input.peek(Token![-]) && input.peek2(Lit) {
            input.parse::<Token![-]>()?;
            return Ok(Self::Number(true, input.parse()?));
        }
        Ok(match input.parse::<Expr>()? {
            Expr::Lit(ExprLit { lit: Lit::Str(text), attrs, .. }) if attrs.is_empty() => Self::Text(text),
            Expr::Lit(ExprLit { lit: Lit::Bool(bool), .. }) => Self::Bool(bool),
            Expr::Lit(ExprLit { lit: lit @ (Lit::Int(_) | Lit::Float(_)), .. }) => Self::Number(false, lit),
            other => Self::Other(other.span()),
        })
    }
}

impl Value {
    pub(super) fn span(&self) -> Span {
        match self {
            Self::Text(text) => text.span(),
            Self::Bool(bool) => bool.span(),
            Self::Number(_, lit) => lit.span(),
            Self::List(span, _) | Self::Map(span, _) | Self::Nothing(span) | Self::Other(span) => *span,
        }
    }
}

/// Reads the item. One that cannot be read is left as it is: the compiler says more about it than we could.
pub(super) fn place(tokens: TokenStream) -> Place {
    let place = |target, span: Span, attributes: &[Attribute]| Place { target, span, docs: docs(attributes) };
    match parse2::<Item>(tokens.clone()) {
        Ok(Item::Fn(item)) => {
            let (span, docs) = (item.sig.ident.span(), docs(&item.attrs));
            Place { target: Target::Function(Box::new(item)), span, docs }
        }
        Ok(Item::Const(item)) => {
            let (span, docs) = (item.ident.span(), docs(&item.attrs));
            Place { target: Target::Constant(Box::new(item)), span, docs }
        }
        item => {
            let (attributes, span, bodiless) = Header::parse.parse2(tokens.clone()).map_or_else(
                |_| (Vec::new(), Span::call_site(), false),
                |header| (header.attributes, header.name, header.can_lack_a_body),
            );
            if bodiless && matches!(item, Ok(Item::Verbatim(_))) {
                return place(Target::Nowhere, span, &attributes);
            }
            let conditions = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect();
            place(Target::Beside { item: tokens, conditions }, span, &attributes)
        }
    }
}

/// The beginning of an item of any kind.
struct Header {
    attributes: Vec<Attribute>,
    /// The place of the name: the first word after the keywords; for an `impl`, of the keyword.
    name: Span,
    can_lack_a_body: bool,
}

impl Parse for Header {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        input.parse::<syn::Visibility>()?;
        let first = input.span();
        let (mut name, mut can_lack_a_body) = (None, false);
        for token in input.parse::<TokenStream>()? {
            let TokenTree::Ident(word) = &token else {
                if matches!(&token, TokenTree::Literal(_)) {
                    continue;
                }
                break;
            };
            match word.to_string().as_str() {
                "fn" | "const" => can_lack_a_body = true,
                "async" | "unsafe" | "extern" | "struct" | "enum" | "union" | "trait" | "mod" | "static" | "mut"
                | "type" | "crate" | "use" | "auto" => {}
                _ => {
                    name = Some(word.span());
                    break;
                }
            }
        }
        Ok(Self { attributes, name: name.unwrap_or(first), can_lack_a_body })
    }
}

/// The documentation comment, without the space that stands before each line.
fn docs(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes {
        let Meta::NameValue(pair) = &attribute.meta else { continue };
        let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value else { continue };
        if pair.path.is_ident("doc") {
            let text = text.value();
            lines.extend(text.split('\n').map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned()));
        }
    }
    lines.join("\n").trim().to_owned()
}
