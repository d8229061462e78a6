//! A type that is bound to its topics, put into words.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Member, Path};

use super::model::{Bound, Shape, Typed, text_of};
use crate::support::{self, topics::Token};

pub(crate) fn expand(typed: &Typed) -> TokenStream {
    let Typed { sdk, ident, generics, shape } = typed;
    let mut generics = generics.clone();
    if generics.type_params().next().is_some() {
        let read_and_written: Vec<_> = match shape {
            Shape::Whole(_) => vec![quote!(Self)],
            Shape::Variants(variants) => {
                variants.iter().filter_map(|(_, holds, _)| holds.as_ref().map(ToTokens::to_token_stream)).collect()
            }
        };
        let serde = quote!(#sdk::private::serde);
        let bounds = &mut generics.make_where_clause().predicates;
        bounds.extend(read_and_written.into_iter().map(|ty| -> syn::WherePredicate {
            syn::parse_quote!(#ty: #serde::Serialize + #serde::de::DeserializeOwned)
        }));
    }
    let (parameters, arguments, bounds) = generics.split_for_impl();
    let (filters, written, read) = match shape {
        Shape::Whole(bound) => {
            // What is wrong with the type is told where it stands.
            let data = support::placed(ident, quote!(self));
            let (filter, written) = (bound.filter(), message(typed, bound, &data, None));
            let name = ident.to_string();
            let read = support::placed(ident, quote!(#sdk::patterns::events::Message::read::<Self>));
            let read = quote! {
                if #sdk::private::is_on(message, #filter) {
                    return #read(message);
                }
                ::std::result::Result::Err(#sdk::private::strange(message, #name))
            };
            (vec![filter], written, read)
        }
        Shape::Variants(variants) => {
            let written = variants.iter().map(|(variant, holds, bound)| match holds {
                Some(of) => {
                    let data = support::placed(of, quote!(value));
                    let message = message(typed, bound, &data, Some(quote!(value)));
                    quote!(Self::#variant(value) => { #message })
                }
                None => {
                    let message = message(typed, bound, &quote!(&()), None);
                    quote!(Self::#variant => { #message })
                }
            });
            let written = quote!(match self { #(#written)* });
            let tried = variants.iter().map(|(variant, holds, bound)| {
                let filter = bound.filter();
                let read = match holds {
                    Some(of) => {
                        let read = support::placed(of, quote!(#sdk::patterns::events::Message::read));
                        quote!(#read::<#of>(message).map(Self::#variant))
                    }
                    None => quote!(::std::result::Result::Ok(Self::#variant)),
                };
                quote!(if #sdk::private::is_on(message, #filter) { return #read; })
            });
            let name = ident.to_string();
            let read = quote! {
                #(#tried)*
                ::std::result::Result::Err(#sdk::private::strange(message, #name))
            };
            (variants.iter().map(|(_, _, bound)| bound.filter()).collect(), written, read)
        }
    };
    quote! {
        #[automatically_derived]
        impl #parameters #sdk::patterns::events::TypedEvent for #ident #arguments #bounds {
            const TOPICS: &'static [&'static str] = &[#(#filters),*];

            fn to_message(&self) -> #sdk::Result<#sdk::patterns::events::Message> {
                #written
            }

            fn from_message(message: &#sdk::patterns::events::Message) -> #sdk::Result<Self> {
                #read
            }
        }
    }
}

/// The message of `data`; `value` is what a variant holds.
fn message(typed: &Typed, bound: &Bound, data: &TokenStream, value: Option<TokenStream>) -> TokenStream {
    let sdk = &typed.sdk;
    let topic = match bound.is_fixed() {
        true => {
            let text = bound.filter();
            quote! {
                static TOPIC: #sdk::private::FixedTopic = #sdk::private::FixedTopic::new(#text);
                let topic = TOPIC.get()?;
            }
        }
        false => {
            let tokens = bound.tokens.iter().map(|token| token_of(sdk, token, bound.span, value.as_ref()));
            quote!(let topic = #sdk::private::topic(&[#(#tokens),*])?;)
        }
    };
    let key = bound.key.as_ref().map(|(member, span)| {
        let held = held(member, *span, value.as_ref());
        let text = quote_spanned!(span.resolved_at(Span::call_site())=> ::std::string::ToString::to_string);
        quote!(.map(|message| message.with_key(#text(#held))))
    });
    quote! {
        #topic
        #sdk::patterns::events::Message::json(topic, #data) #key
    }
}

fn token_of(sdk: &Path, token: &Token, span: Span, value: Option<&TokenStream>) -> TokenStream {
    match token {
        Token::Text(text) => quote!(#sdk::private::Token::Text(#text)),
        Token::Field(name) => {
            let member = super::model::member(name, span);
            let held = member.map(|member| held(&member, span, value));
            // What is wrong with the field is told at the topic.
            let token = quote_spanned!(span.resolved_at(Span::call_site())=> #sdk::private::Token::Field);
            quote!(#token(#held))
        }
    }
}

/// What the event holds under a name. Of a variant, `0` is its value, and a name is a field of that.
fn held(member: &Member, span: Span, value: Option<&TokenStream>) -> TokenStream {
    let span = span.resolved_at(Span::call_site());
    match value {
        None => quote_spanned!(span=> &self.#member),
        Some(value) if text_of(member) == "0" => quote_spanned!(span=> #value),
        Some(value) => quote_spanned!(span=> &#value.#member),
    }
}
