//! The client's part, and the trait that it and the fake share.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Attribute;

use super::{
    super::model::{Operation, Service, Subject},
    answering, boxed, fields, found, names, tag, title, with,
};
use crate::support::{self, shell::Shell};

pub(super) fn expand(service: &Service) -> TokenStream {
    let (sdk, api, visibility) = (&service.sdk, &service.api, &service.visibility);
    let (parameters, arguments, bounds) = service.generics.split_for_impl();
    let quiet = support::quiet();
    let (shell, client) = match &service.subject {
        Subject::Block { client, .. } => (None, client.clone()),
        Subject::Contract { contract, client, name, capability, .. } => {
            let query = capability.as_ref().map(|capability| {
                quote! {
                    #sdk::directory::Query::capability(#capability).ranked(#sdk::directory::Rank::Score)
                }
            });
            let shell = Shell {
                sdk,
                visibility,
                ident: client,
                generics: &service.generics,
                of: &tag(service),
                docs: &format!("Calls a component that serves `{contract}`; one method for each operation."),
            };
            (Some(shell.client(&quote!(#name), query)), quote!(#client #arguments))
        }
    };
    let docs = format!(
        "What can be asked of a `{}`, for those who take whoever answers: its client and its fake do.",
        title(service)
    );
    let (generics, with) = (&service.generics, with(service));
    let declared = service.operations.iter().map(|operation| {
        let (cfgs, docs, method) = (&operation.cfgs, docs_of(operation), boxed(service, operation, &quote!()));
        quote!(#(#cfgs)* #docs #method;)
    });
    let inherent = service.operations.iter().map(|operation| method(service, operation));
    let delegated = service.operations.iter().map(|operation| {
        let (cfgs, method, ident, names) =
            (&operation.cfgs, boxed(service, operation, &quote!()), &operation.ident, names(operation));
        let begin = support::placed(&operation.output, quote!(<));
        let end = support::placed(&operation.output, quote!(>::#ident(self #names)));
        quote!(#(#cfgs)* #method { #begin #client #end })
    });
    quote! {
        #shell

        #[doc = #docs]
        #quiet
        #visibility trait #api #generics: ::std::marker::Send + ::std::marker::Sync #bounds {
            #(#declared)*

            /// The same, whose calls have these options.
            #with;
        }

        #quiet
        impl #parameters #client #bounds {
            #(#inherent)*
        }

        #quiet
        impl #parameters #api #arguments for #client #bounds {
            #(#delegated)*

            #with {
                ::std::boxed::Box::new(<#client>::with(self, options))
            }
        }
    }
}

fn method(service: &Service, operation: &Operation) -> TokenStream {
    let (cfgs, docs, method) = (&operation.cfgs, docs_of(operation), boxed(service, operation, &operation.visibility));
    let (found, fields) = (found(service, operation), fields(service, operation));
    let given = quote!(self.0.caller(), #found, #fields);
    let call = if operation.stream.is_some() { quote!(private::stream) } else { quote!(private::call) };
    let call = answering(service, operation, call, quote!(), given);
    quote!(#(#cfgs)* #docs #method { #call })
}

/// The operation's own docs, and what is true of every call.
fn docs_of(operation: &Operation) -> TokenStream {
    let docs: &[Attribute] = &operation.docs;
    let says_errors = docs.iter().any(|line| quote!(#line).to_string().contains("# Errors"));
    let errors = (!says_errors).then(|| {
        let text = "\n# Errors\nThose of a call, and what the operation refuses.";
        quote!(#[doc = #text])
    });
    quote!(#(#docs)* #errors)
}
