//! The fake's part.

use proc_macro2::TokenStream;
use quote::quote;

use super::{
    super::model::{Service, Subject},
    answering, boxed, fields, found, plan_name, tag, with,
};
use crate::support::{self, shell::Shell};

pub(super) fn expand(service: &Service) -> TokenStream {
    let (sdk, api, visibility) = (&service.sdk, &service.api, &service.visibility);
    let (parameters, arguments, bounds) = service.generics.split_for_impl();
    let (quiet, with) = (support::quiet(), with(service));
    let (shell, fake) = match &service.subject {
        Subject::Block { fake, .. } => (None, fake.clone()),
        Subject::Contract { contract, fake, .. } => {
            let shell = Shell {
                sdk,
                visibility,
                ident: fake,
                generics: &service.generics,
                of: &tag(service),
                docs: &format!(
                    "Stands in for a component that serves `{contract}`: it does what is planned, and records every call."
                ),
            };
            (Some(shell.fake()), quote!(#fake #arguments))
        }
    };
    let plans = service.operations.iter().map(|operation| {
        let (cfgs, name) = (&operation.cfgs, plan_name(operation));
        let (plan, of) = match operation.stream {
            Some(_) => (quote!(StreamPlan), quote!(testing::Plans::of_stream)),
            None => (quote!(Plan), quote!(testing::Plans::of)),
        };
        let plan = quote!(#sdk::testing::#plan<'_, #sdk::private::Value<);
        let plan = support::wrapped(plan, &operation.output, quote!(> >));
        let (visibility, found) = (&operation.visibility, found(service, operation));
        let of = answering(service, operation, of, quote!(), quote!(&self.0, #found));
        let docs = format!("The plan of `{}`.", operation.ident);
        quote! {
            #(#cfgs)*
            #[doc = #docs]
            #visibility fn #name(&self) -> #plan {
                #of
            }
        }
    });
    let played = service.operations.iter().map(|operation| {
        let (cfgs, method) = (&operation.cfgs, boxed(service, operation, &quote!()));
        let (found, fields) = (found(service, operation), fields(service, operation));
        let given = quote!(&self.0, #found, #fields);
        let play =
            if operation.stream.is_some() { quote!(testing::Plans::play_stream) } else { quote!(testing::Plans::play) };
        let play = answering(service, operation, play, quote!(), given);
        quote!(#(#cfgs)* #method { #play })
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

                #with {
                    ::std::boxed::Box::new(<#fake>::with(self, options))
                }
            }
        }
    }
}
