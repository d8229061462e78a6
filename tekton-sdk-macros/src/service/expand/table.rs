//! The table of operations.

use proc_macro2::TokenStream;
use quote::quote;

use super::{
    super::model::{Given, Need, Operation, Parameter, Service, Subject},
    answering, checked, tag, title,
};
use crate::support;

pub(super) fn expand(service: &Service) -> TokenStream {
    let (sdk, tag) = (&service.sdk, tag(service));
    let (parameters, _, bounds) = service.generics.split_for_impl();
    let operations = service.operations.iter().map(|one| operation(service, one));
    let table = quote!(&[#(#operations),*]);
    let (own, declared) = match &service.subject {
        Subject::Block { tag: own, component, .. } => {
            let declared = quote! {
                #[automatically_derived]
                impl #parameters #sdk::private::Table<#component> for #tag #bounds {
                    const OPERATIONS: &'static [#sdk::contract::Operation] = #table;
                }
            };
            (own.is_some(), declared)
        }
        Subject::Contract { contract, .. } => {
            let visibility = &service.visibility;
            let quiet = support::quiet();
            let declared = quote! {
                #quiet
                impl #tag {
                    /// The operations of the contract.
                    #visibility const OPERATIONS: &'static [#sdk::contract::Operation] = #table;
                }
                #[automatically_derived]
                impl<__Component> #sdk::private::Table<__Component> for #tag
                where
                    __Component: #contract,
                {
                    const OPERATIONS: &'static [#sdk::contract::Operation] = #tag::OPERATIONS;
                }
            };
            (true, declared)
        }
    };
    let struct_ = own.then(|| {
        let (visibility, quiet) = (&service.visibility, support::quiet());
        let docs = format!("Names a service of `{}` in `services(…)`.", title(service));
        quote! {
            #[doc = #docs]
            #[doc(hidden)]
            #quiet
            #[derive(Debug)]
            #[non_exhaustive]
            #visibility struct #tag;
        }
    });
    quote!(#struct_ #declared)
}

fn operation(service: &Service, operation: &Operation) -> TokenStream {
    let sdk = &service.sdk;
    let Operation { cfgs, name, description, .. } = operation;
    let kind = if operation.read { quote!(read) } else { quote!(write) };
    let parameters = operation.parameters.iter().filter_map(|parameter| match parameter {
        Parameter::Context => None,
        Parameter::Given(given) => {
            let Given { name, description, decoded, need, .. } = &**given;
            let ty = checked(service, &decoded.ty);
            let kind = if let Need::Required = need { quote!(required) } else { quote!(optional) };
            Some(quote!(#sdk::private::#kind::<#ty>(#name, #description)))
        }
    });
    let idempotent = operation.idempotent.then(|| quote!(.idempotent()));
    let timeout = operation.nanoseconds.map(|length| quote!(.timeout(::std::time::Duration::from_nanos(#length))));
    let described = quote! {
        #sdk::contract::Operation::#kind(#name, #description).parameters(&[#(#parameters),*]) #idempotent #timeout
    };
    let described = answering(service, operation, quote!(private::returns), quote!(), described);
    quote!(#(#cfgs)* #described)
}
