//! The router: how each operation is run.

use proc_macro2::TokenStream;
use quote::quote;

use super::{
    super::model::{Given, Need, Operation, Parameter, Service, Subject},
    answering, checked, found, listen, tag,
};
use crate::support::{self, types::Pass};

pub(super) fn expand(service: &Service) -> TokenStream {
    let (sdk, tag, quiet) = (&service.sdk, tag(service), support::quiet());
    let mut generics = service.generics.clone();
    let (component, subject) = match &service.subject {
        Subject::Block { component, .. } => {
            if !generics.params.is_empty() {
                let sendable = syn::parse_quote! {
                    #component: ::std::marker::Send + ::std::marker::Sync + 'static
                };
                generics.make_where_clause().predicates.push(sendable);
            }
            (component.clone(), quote!(<#component>))
        }
        Subject::Contract { contract, .. } => {
            let (_, arguments, _) = service.generics.split_for_impl();
            let contract = quote!(#contract #arguments);
            let bound: syn::WherePredicate = syn::parse_quote! {
                __Component: #contract + #sdk::private::Lists<#tag> + ::std::marker::Send + ::std::marker::Sync + 'static
            };
            generics.params.push(syn::parse_quote!(__Component));
            generics.make_where_clause().predicates.push(bound);
            (quote!(__Component), quote!(<__Component as #contract>))
        }
    };
    let (parameters, _, bounds) = generics.split_for_impl();
    let operations = service.operations.iter().map(|operation| run(service, operation, &subject));
    let listen = listen::expand(service);
    let header = support::wrapped(quote!(#sdk::private::Service<), &component, quote!(>));
    quote! {
        #sdk::private::when_host! {
            #quiet
            #[automatically_derived]
            impl #parameters #header for #tag #bounds {
                fn serve(
                    component: &::std::sync::Arc<#component>,
                    operations: #sdk::host::Operations,
                ) -> #sdk::host::Operations {
                    #(#operations)*
                    operations
                }

                #listen
            }
        }
    }
}

fn run(service: &Service, operation: &Operation, subject: &TokenStream) -> TokenStream {
    let sdk = &service.sdk;
    let (found, ident, cfgs) = (found(service, operation), &operation.ident, &operation.cfgs);
    let takes_context = operation.parameters.iter().any(|parameter| matches!(parameter, Parameter::Context));
    let context = if takes_context { quote!(context) } else { quote!(_) };
    let takes_any = operation.parameters.iter().any(|parameter| matches!(parameter, Parameter::Given(_)));
    let arguments = if takes_any { quote!(arguments) } else { quote!(_) };
    let passed = operation.parameters.iter().map(|parameter| match parameter {
        Parameter::Context => quote!(&context),
        Parameter::Given(given) => passed(service, given),
    });
    let call = quote!(#subject::#ident(&component #(, #passed)*));
    let waited = if operation.is_async { quote!(#call.await) } else { call };
    let (on, inferred, body) = match operation.stream {
        Some(stream) => {
            let begun = match stream.is_fallible {
                true => quote!(#sdk::private::begun(#waited)),
                false => quote!(::std::result::Result::Ok(#waited)),
            };
            (quote!(private::on_stream), quote!(, _, _, _, _), quote!(async move { #begun }))
        }
        None => {
            let after = quote!(> as #sdk::private::Outcome>::into_result(#waited));
            let settled = support::wrapped(quote!(<#sdk::private::Returned<), &operation.output, after);
            match operation.is_async {
                true => (quote!(private::on), quote!(, _, _, _), quote!(async move { #settled })),
                false => (quote!(private::on_blocking), quote!(, _, _), quote!({ #settled })),
            }
        }
    };
    let given = quote!(operations, component, #found, |component, #context, #arguments| #body);
    let on = answering(service, operation, on, inferred, given);
    quote! {
        #(#cfgs)*
        let operations = #on;
    }
}

fn passed(service: &Service, given: &Given) -> TokenStream {
    let sdk = &service.sdk;
    let Given { name, decoded, .. } = given;
    let ty = checked(service, &decoded.ty);
    let read = match &given.need {
        Need::Default(default) => {
            let default = match decoded.converted {
                true => quote!(::std::convert::From::from(#default)),
                false => quote!(#default),
            };
            quote!(#sdk::private::argument_or::<#ty>(&arguments, #name, || #default)?)
        }
        Need::Required | Need::Optional => quote!(#sdk::private::argument::<#ty>(&arguments, #name)?),
    };
    match (decoded.pass, decoded.converted) {
        (Pass::Value, _) => read,
        (Pass::Borrowed, _) => quote!(&#read),
        (Pass::Inside, true) => quote!(#read.as_deref()),
        (Pass::Inside, false) => quote!(#read.as_ref()),
    }
}
