//! The function, its body in a breaker.

use proc_macro2::{Group, Ident, Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Stmt, ext::IdentExt};

use super::model::Model;

pub(super) fn expand(model: Model) -> TokenStream {
    let breaker = breaker(&model);
    let Model { sdk, mut function, output, .. } = model;
    let output = named(output.into_token_stream());
    let body = &function.block.stmts;
    let guarded = quote!(#sdk::private::FunctionBreaker);
    let code = if function.sig.asyncness.is_some() {
        // An `async` block does not say what it returns; a `return` that is never reached does, for every other one.
        let returned = Ident::new("returned", Span::mixed_site());
        quote! {
            #guarded::call::<#output, _>(#breaker, async move {
                if let ::core::option::Option::Some(#returned) = ::core::option::Option::None::<#output> {
                    return #returned;
                }
                #(#body)*
            })
            .await
        }
    } else {
        quote!(#guarded::call_sync::<#output, _>(#breaker, move || -> #output { #(#body)* }))
    };
    function.block.stmts = vec![Stmt::Expr(syn::Expr::Verbatim(code), None)];
    function.into_token_stream()
}

/// The static breaker, in a block of its own so that the body cannot see it.
fn breaker(model: &Model) -> TokenStream {
    let sdk = &model.sdk;
    let function = quote!(#sdk::private::FunctionBreaker);
    let name = model.name.as_ref().map_or_else(
        || {
            let name = model.function.sig.ident.unraw().to_string();
            quote!(::core::concat!(::core::module_path!(), "::", #name))
        },
        ToTokens::to_token_stream,
    );
    let threshold = Literal::u32_unsuffixed(model.failure_threshold);
    let nanoseconds = Literal::u64_unsuffixed(model.nanoseconds);
    quote!({
        static BREAKER: #function = #function::new(#name, #threshold, ::core::time::Duration::from_nanos(#nanoseconds));
        &BREAKER
    })
}

/// The type without its `impl Trait`s, which have no name: they are found out from the body.
fn named(tokens: TokenStream) -> TokenStream {
    let mut named = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(word) if word == "impl" => {
                named.extend(quote!(_));
                // The bounds end at the comma or the bracket that ends the argument.
                let mut depth = 0_u32;
                let mut arrow = false;
                while let Some(next) = tokens.peek() {
                    if let TokenTree::Punct(punct) = next {
                        match punct.as_char() {
                            '<' => depth += 1,
                            '>' if arrow => {}
                            '>' | ',' if depth == 0 => break,
                            '>' => depth -= 1,
                            _ => {}
                        }
                        arrow = punct.as_char() == '-';
                    }
                    tokens.next();
                }
            }
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), self::named(group.stream()));
                inner.set_span(group.span());
                named.extend([TokenTree::Group(inner)]);
            }
            other => named.extend([other]),
        }
    }
    named
}
