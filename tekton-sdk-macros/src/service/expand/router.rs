//! The router: how each operation is run.

use proc_macro2::TokenStream;
use quote::quote;

use super::{
    super::model::{Given, Need, Operation, Parameter, Service, Subject},
    found, tag,
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
    quote! {
        #sdk::private::when_host! {
            #quiet
            #[automatically_derived]
            impl #parameters #sdk::private::Service<#component> for #tag #bounds {
                fn serve(
                    component: &::std::sync::Arc<#component>,
                    operations: #sdk::host::Operations,
                ) -> #sdk::host::Operations {
                    #(#operations)*
                    operations
                }
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
    let (on, body) = if operation.is_async {
        (quote!(on), quote!(async move { ::std::result::Result::Ok(#call.await) }))
    } else {
        (quote!(on_blocking), quote!({ ::std::result::Result::Ok(#call) }))
    };
    let on = support::placed(&operation.output, quote!(#sdk::private::#on));
    quote! {
        #(#cfgs)*
        let operations =
            #on(operations, component, #found, |component, #context, #arguments| #body);
    }
}

fn passed(service: &Service, given: &Given) -> TokenStream {
    let sdk = &service.sdk;
    let Given { name, decoded, .. } = given;
    let ty = &decoded.ty;
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
