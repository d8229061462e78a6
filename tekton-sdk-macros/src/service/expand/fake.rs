//! The fake's part.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Generics;

use super::{
    super::model::{Service, Subject},
    boxed, fields, found, plan_name, tag, value,
};
use crate::support::{self, shell::Shell};

pub(super) fn expand(service: &Service) -> TokenStream {
    let (sdk, api, visibility) = (&service.sdk, &service.api, &service.visibility);
    let (parameters, arguments, bounds) = service.generics.split_for_impl();
    let quiet = support::quiet();
    let (shell, fake) = match &service.subject {
        Subject::Block { fake, .. } => (None, fake.clone()),
        Subject::Contract { contract, fake, .. } => {
            let shell = Shell {
                sdk,
                visibility,
                ident: fake,
                generics: &Generics::default(),
                of: &tag(service),
                docs: &format!(
                    "Stands in for a component that serves `{contract}`: it does what is planned, and records every call."
                ),
            };
            (Some(shell.fake()), quote!(#fake))
        }
    };
    let plans = service.operations.iter().map(|operation| {
        let (cfgs, name, value) = (&operation.cfgs, plan_name(operation), value(service, operation));
        let (visibility, found) = (&operation.visibility, found(service, operation));
        let of = support::placed(&operation.output, quote!(of));
        let docs = format!("The plan of `{}`.", operation.ident);
        quote! {
            #(#cfgs)*
            #[doc = #docs]
            #visibility fn #name(&self) -> #sdk::testing::Plan<'_, #value> {
                self.0.#of(#found)
            }
        }
    });
    let played = service.operations.iter().map(|operation| {
        let (cfgs, method, value) = (&operation.cfgs, boxed(service, operation), value(service, operation));
        let (found, fields) = (found(service, operation), fields(service, operation));
        let play = support::placed(&operation.output, quote!(play));
        quote!(#(#cfgs)* #method { ::std::boxed::Box::pin(self.0.#play::<#value>(#found, #fields)) })
    });
    quote! {
        #shell
        #sdk::private::when_testing! {
            #quiet
            impl #parameters #fake #bounds {
                #(#plans)*
            }

            #quiet
            impl #parameters #api #arguments for #fake #bounds {
                #(#played)*
            }
        }
    }
}
