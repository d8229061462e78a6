//! A component, put into words.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Path, ext::IdentExt};

use super::model::{Component, Service};
use crate::support::{self, shell::Shell, values};

pub(crate) fn expand(component: &Component) -> TokenStream {
    let described = described(component);
    let client = client(component);
    let served = served(component);
    let fake = fake(component);
    quote!(#described #client #served #fake)
}

fn tag(sdk: &Path, service: &Service) -> TokenStream {
    match service {
        Service::Own(_) => placed(service, quote!(#sdk::private::Own)),
        Service::Tagged(path) => quote!(#path),
    }
}

fn described(component: &Component) -> TokenStream {
    let Component { sdk, ident, generics, name, services, .. } = component;
    let (parameters, arguments, bounds) = generics.split_for_impl();
    let tags = services.iter().map(|service| tag(sdk, service));
    quote! {
        #[automatically_derived]
        impl #parameters #sdk::private::Named for #ident #arguments #bounds {
            const NAME: &'static str = #name;
        }
        #(
            #[automatically_derived]
            impl #parameters #sdk::private::Lists<#tags> for #ident #arguments #bounds {}
        )*
    }
}

fn client(component: &Component) -> TokenStream {
    let Component { sdk, visibility, ident, generics, .. } = component;
    let (_, arguments, _) = generics.split_for_impl();
    let shell = Shell {
        sdk,
        visibility: &quote!(#visibility),
        ident: &format_ident!("{}Client", ident.unraw()),
        generics,
        of: &quote!(#ident #arguments),
        docs: &format!("Calls a `{ident}` that is served somewhere; one method for each operation."),
    };
    shell.client(&quote!(<#ident #arguments as #sdk::private::Named>::NAME), None)
}

fn served(component: &Component) -> TokenStream {
    let Component { sdk, ident, generics, services, .. } = component;
    // Only a generic component defers these questions to those who use it; another is told here and now.
    let mut generics = generics.clone();
    if generics.type_params().next().is_some() {
        let tags = services.iter().map(|service| tag(sdk, service));
        let bounds = generics.make_where_clause();
        bounds.predicates.push(syn::parse_quote!(Self: ::std::marker::Send + ::std::marker::Sync + 'static));
        tags.for_each(|tag| bounds.predicates.push(syn::parse_quote!(#tag: #sdk::private::Service<Self>)));
    }
    let (_, arguments, _) = component.generics.split_for_impl();
    let (parameters, _, bounds) = generics.split_for_impl();
    let own = quote!(#ident #arguments);
    let tables: Vec<_> = services.iter().map(|service| member(component, service, &own, "TABLE")).collect();
    let distinct = services.iter().enumerate().map(|(at, service)| {
        let (earlier, table) = (&tables[..at], &tables[at]);
        placed(service, quote!(#sdk::private::assert_distinct(&[#(#earlier),*], #table);))
    });
    // What depends on a type parameter is known when somebody names the type.
    let (now, later) = match component.generics.params.is_empty() {
        true => (quote!(const _: () = { #(#distinct)* };), quote!()),
        false => (quote!(), quote!(const { #(#distinct)* })),
    };
    let test = test(component, &tables);
    let listen_all = services.iter().map(|service| member(component, service, &quote!(Self), "listen"));
    let serve_all = services.iter().map(|service| member(component, service, &quote!(Self), "serve"));
    let descriptor = descriptor(component);
    let serve = component.port.map(|port| {
        quote! {
            fn serve(self, tekton: &#sdk::Tekton) -> #sdk::host::Serve {
                #sdk::private::serve_at(self, tekton, #port)
            }
        }
    });
    quote! {
        #sdk::private::when_host! {
            #now
            #test

            #[automatically_derived]
            impl #parameters #sdk::Component for #ident #arguments #bounds {
                fn descriptor(&self) -> #sdk::contract::Descriptor {
                    #descriptor
                }

                fn operations(self: ::std::sync::Arc<Self>) -> #sdk::host::Operations {
                    #later
                    let operations = #sdk::host::Operations::new();
                    #(let operations = #serve_all(&self, operations);)*
                    operations
                }

                fn listeners(self: ::std::sync::Arc<Self>) -> #sdk::host::Listeners {
                    let listeners = #sdk::host::Listeners::new();
                    #(let listeners = #listen_all(&self, listeners);)*
                    listeners
                }

                #serve
            }
        }
    }
}

/// The test of what only a run can know; a generic component has none, as nobody says here of what it is.
fn test(component: &Component, tables: &[TokenStream]) -> Option<TokenStream> {
    let Component { sdk, name, ident, generics, test, .. } = component;
    if !test || !generics.params.is_empty() || tables.is_empty() {
        return None;
    }
    let function = values::kebab(&ident.unraw().to_string()).replace('-', "_");
    let function = format_ident!("the_operations_of_{function}_are_valid");
    let quiet = support::quiet();
    Some(quote! {
        #[cfg(test)]
        #quiet
        #[::core::prelude::v1::test]
        fn #function() {
            #sdk::private::assert_valid(#name, &[#(#tables),*]);
        }
    })
}

/// A member of the trait of a listed service, told at the place where it is listed.
fn member(component: &Component, service: &Service, of: &TokenStream, name: &str) -> TokenStream {
    let sdk = &component.sdk;
    let (tag, name) = (tag(sdk, service), format_ident!("{name}"));
    let (begin, end) = (placed(service, quote!(<)), placed(service, quote!(as #sdk::private::Service<#of>>::#name)));
    quote!(#begin #tag #end)
}

/// The tokens as if they stood where the service is listed; a component's only one is listed by its name.
fn placed(service: &Service, tokens: TokenStream) -> TokenStream {
    match service {
        Service::Own(span) => support::placed(quote_spanned!(*span=> Own), tokens),
        Service::Tagged(path) => support::placed(path, tokens),
    }
}

fn descriptor(component: &Component) -> TokenStream {
    let Component { sdk, name, description, capabilities, dependencies, .. } = component;
    let version = match &component.version {
        Some(version) => quote!(#version),
        None => quote!(::std::env!("CARGO_PKG_VERSION")),
    };
    let capabilities = capabilities.iter().map(|(name, score)| match score {
        Some(score) => quote!(.scored_capability(#name, #score)),
        None => quote!(.capability(#name)),
    });
    let context_window = component.context_window.iter();
    let cost = component.cost.iter();
    quote! {
        #sdk::contract::Descriptor::new(#name, #version)
            .describe(#description)
            #(#capabilities)*
            #(.depends_on(#dependencies))*
            #(.context_window(#context_window))*
            #(.cost(#cost))*
    }
}

fn fake(component: &Component) -> TokenStream {
    let Component { sdk, visibility, ident, generics, .. } = component;
    let (_, arguments, _) = generics.split_for_impl();
    let shell = Shell {
        sdk,
        visibility: &quote!(#visibility),
        ident: &format_ident!("Fake{}", ident.unraw(), span = Span::call_site()),
        generics,
        of: &quote!(#ident #arguments),
        docs: &format!("Stands in for a `{ident}` in a test: it does what is planned, and records every call."),
    };
    shell.fake()
}
