//! An enum of events, put into words.

use proc_macro2::TokenStream;
use quote::quote;

use super::model::{Content, Event, Events};
use crate::support;

pub(crate) fn expand(events: &Events) -> TokenStream {
    let Events { sdk, ident, generics, other, .. } = events;
    let (parameters, arguments, bounds) = generics.split_for_impl();
    let arms = events.events.iter().map(|Event { name, ident, data }| match data {
        Content::Nothing => quote!(#name => ::std::result::Result::Ok(Self::#ident),),
        Content::Text => quote! {
            #name => ::std::result::Result::Ok(Self::#ident(
                ::std::convert::From::from(::std::borrow::Cow::into_owned(::std::clone::Clone::clone(&event.data))),
            )),
        },
        Content::Json(of) => {
            // What is wrong with the type is told where it stands.
            let read = support::placed(of, quote!(#sdk::wire::sse::Event::json));
            quote!(#name => #read::<#of>(event).map(Self::#ident),)
        }
    });
    quote! {
        #[automatically_derived]
        impl #parameters #sdk::patterns::streaming::SseEvent for #ident #arguments #bounds {
            fn from_event(event: &#sdk::wire::sse::Event<'_>) -> #sdk::Result<Self> {
                match event.kind {
                    #(#arms)*
                    _ => ::std::result::Result::Ok(Self::#other(::std::convert::From::from(event))),
                }
            }
        }
    }
}
