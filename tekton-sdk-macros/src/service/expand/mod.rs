//! A service, put into words.

mod client;
mod fake;
mod listen;
mod router;
mod table;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::{Ident, Type};

use super::model::{Given, Need, Operation, Parameter, Service, Subject};
use crate::support::{
    self,
    types::{self, Pass},
};

pub(crate) fn expand(service: &Service) -> TokenStream {
    let table = table::expand(service);
    let router = router::expand(service);
    let client = service.is_called.then(|| client::expand(service));
    let fake = service.is_called.then(|| fake::expand(service));
    quote!(#table #router #client #fake)
}

/// The tag of the service.
fn tag(service: &Service) -> TokenStream {
    let sdk = &service.sdk;
    match &service.subject {
        Subject::Block { tag: Some(tag), .. } => quote!(#tag),
        Subject::Contract { tag, .. } => {
            let (_, arguments, _) = service.generics.split_for_impl();
            quote!(#tag #arguments)
        }
        Subject::Block { tag: None, .. } => quote!(#sdk::private::Own),
    }
}

/// The operation in its table, found while the user's crate is compiled.
fn found(service: &Service, operation: &Operation) -> TokenStream {
    let (sdk, tag, name) = (&service.sdk, tag(service), &operation.name);
    match &service.subject {
        Subject::Block { component, .. } => {
            quote!(const { #sdk::private::find(<#tag as #sdk::private::Table<#component>>::OPERATIONS, #name) })
        }
        Subject::Contract { .. } => quote!(const { #sdk::private::find(<#tag>::OPERATIONS, #name) }),
    }
}

/// What the service is of, as its docs call it.
fn title(service: &Service) -> String {
    match &service.subject {
        Subject::Block { title, .. } => title.clone(),
        Subject::Contract { contract, .. } => contract.to_string(),
    }
}

/// The arguments that the caller gives.
fn given(operation: &Operation) -> impl Iterator<Item = &Given> {
    operation.parameters.iter().filter_map(|parameter| match parameter {
        Parameter::Context => None,
        Parameter::Given(given) => Some(&**given),
    })
}

/// The arguments as the client takes them.
fn inputs(operation: &Operation, lifetime: &TokenStream) -> TokenStream {
    let inputs = given(operation).map(|given| {
        let (ident, ty) = (&given.ident, types::with_lifetime(given.tokens.clone(), lifetime));
        match given.need {
            Need::Default(_) => quote!(#ident: ::std::option::Option<#ty>),
            Need::Required | Need::Optional => quote!(#ident: #ty),
        }
    });
    quote!(#(, #inputs)*)
}

/// The names of these arguments.
fn names(operation: &Operation) -> TokenStream {
    let names = given(operation).map(|given| &given.ident);
    quote!(#(, #names)*)
}

/// The arguments as the caller writes them down.
fn fields(service: &Service, operation: &Operation) -> TokenStream {
    let sdk = &service.sdk;
    let fields = given(operation).map(|Given { ident, name, decoded, need, ty, .. }| {
        let lent = decoded.converted || types::has_lifetime(ty.to_token_stream());
        let (method, value) = match (need, decoded.pass) {
            (Need::Required, Pass::Borrowed) => (if lent { quote!(borrowed) } else { quote!(with) }, quote!(#ident)),
            (Need::Required, _) => (if lent { quote!(borrowed) } else { quote!(with) }, quote!(&#ident)),
            (_, Pass::Value) if lent => (quote!(maybe_borrowed), quote!(#ident.as_ref())),
            (_, Pass::Value) => (quote!(maybe), quote!(&#ident)),
            _ => (quote!(maybe_borrowed), quote!(#ident)),
        };
        let checked = (!lent).then(|| {
            let ty = match types::option_of(ty) {
                Some(Type::Reference(inner)) => &inner.elem.to_token_stream(),
                Some(inner) => &inner.to_token_stream(),
                None => &decoded.ty,
            };
            let checked = checked(service, ty);
            quote!(::<#checked>)
        });
        quote!(.#method #checked (#name, #value))
    });
    quote!(#sdk::private::Fields::new() #(#fields)*)
}

/// The type of an argument, if it crosses the wire.
fn checked(service: &Service, ty: &TokenStream) -> TokenStream {
    let sdk = &service.sdk;
    support::wrapped(quote!(#sdk::private::Checked<), ty, quote!(>))
}

/// A call of the SDK's that is generic in what the operation answers, without the `Result`.
fn answering(
    service: &Service,
    operation: &Operation,
    function: TokenStream,
    inferred: TokenStream,
    given: TokenStream,
) -> TokenStream {
    let sdk = &service.sdk;
    let after = quote!(> #inferred >(#given));
    support::wrapped(quote!(#sdk::#function::<#sdk::private::Value<), &operation.output, after)
}

/// The method of client, client trait and fake, without its body; it begins with the visibility.
fn boxed(service: &Service, operation: &Operation, visibility: &TokenStream) -> TokenStream {
    let (sdk, output) = (&service.sdk, &operation.output);
    let (ident, inputs) = (&operation.ident, inputs(operation, &quote!('call)));
    let answer = if operation.stream.is_some() { quote!(Chunks) } else { quote!(Answer) };
    let future = quote!(#sdk::time::BoxFuture<'call, #sdk::private::#answer<);
    let future = support::wrapped(future, output, quote!(> >));
    quote_spanned!(ident.span()=> #visibility fn #ident<'call>(&'call self #inputs) -> #future)
}

/// How the client trait gives options, without its body.
fn with(service: &Service) -> TokenStream {
    let (sdk, api) = (&service.sdk, &service.api);
    let (_, arguments, _) = service.generics.split_for_impl();
    quote!(fn with(&self, options: #sdk::CallOptions) -> ::std::boxed::Box<dyn #api #arguments + '_>)
}

/// The plan's method of a fake.
fn plan_name(operation: &Operation) -> Ident {
    quote::format_ident!("on_{}", syn::ext::IdentExt::unraw(&operation.ident))
}
