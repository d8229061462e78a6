//! The table of operations.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::GenericParam;

use super::{
    super::model::{Given, Need, Operation, Parameter, Priority, Service, Subject},
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
            let (_, arguments, _) = service.generics.split_for_impl();
            let mut generics = service.generics.clone();
            generics.params.push(syn::parse_quote!(__Component));
            generics.make_where_clause().predicates.push(syn::parse_quote!(__Component: #contract #arguments));
            let (with_component, _, all_bounds) = generics.split_for_impl();
            let declared = quote! {
                #quiet
                impl #parameters #tag #bounds {
                    /// The operations of the contract.
                    #visibility const OPERATIONS: &'static [#sdk::contract::Operation] = #table;
                }
                #[automatically_derived]
                impl #with_component #sdk::private::Table<__Component> for #tag #all_bounds {
                    const OPERATIONS: &'static [#sdk::contract::Operation] = <#tag>::OPERATIONS;
                }
            };
            (true, declared)
        }
    };
    let struct_ = own.then(|| structure(service));
    quote!(#struct_ #declared)
}

/// The tag's own type; it asks nothing of its parameters, so that whoever lists it need not either.
fn structure(service: &Service) -> TokenStream {
    let (visibility, quiet) = (&service.visibility, support::quiet());
    let docs = format!("Names a service of `{}` in `services(…)`.", title(service));
    let shape = match &service.subject {
        Subject::Contract { tag, .. } if !service.generics.params.is_empty() => {
            let parameters = service.generics.params.iter().map(|parameter| match parameter {
                GenericParam::Const(parameter) => {
                    let (ident, ty) = (&parameter.ident, &parameter.ty);
                    quote!(const #ident: #ty)
                }
                GenericParam::Type(parameter) => parameter.ident.to_token_stream(),
                GenericParam::Lifetime(parameter) => parameter.to_token_stream(),
            });
            let types = service.generics.type_params().map(|parameter| &parameter.ident);
            quote!(#tag<#(#parameters),*>(::std::marker::PhantomData<fn() -> (#(#types,)*)>))
        }
        _ => tag(service),
    };
    quote! {
        #[doc = #docs]
        #[doc(hidden)]
        #quiet
        #[derive(Debug)]
        #[non_exhaustive]
        #visibility struct #shape;
    }
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
    let priority = operation.priority.map(|priority| {
        let variant = match priority {
            Priority::Low => quote!(Low),
            Priority::Normal => quote!(Normal),
            Priority::High => quote!(High),
        };
        quote!(.priority(#sdk::contract::Priority::#variant))
    });
    let title = operation.title.as_ref().map(|title| quote!(.title(#title)));
    let destructive = operation.destructive.map(|destructive| quote!(.destructive(#destructive)));
    let open_world = operation.open_world.map(|open_world| quote!(.open_world(#open_world)));
    let stream = operation.stream.map(|stream| match stream.is_resumable {
        true => quote!(.resumable()),
        false => quote!(.streams()),
    });
    let described = quote! {
        #sdk::contract::Operation::#kind(#name, #description).parameters(&[#(#parameters),*])
            #idempotent #timeout #priority #title #destructive #open_world #stream
    };
    let described = answering(service, operation, quote!(private::returns), quote!(), described);
    quote!(#(#cfgs)* #described)
}
