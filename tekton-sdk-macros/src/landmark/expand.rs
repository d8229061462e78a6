//! The code of a landmark that has passed every rule.

use proc_macro2::{Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::Stmt;

use super::{
    model::{Detail, Model},
    parse::Target,
};

/// The registration and the item, the one where the other allows it.
pub(super) fn expand(model: &Model, target: Target, item: TokenStream) -> TokenStream {
    let registration = registration(model);
    match target {
        Target::Function(mut function) => {
            function.block.stmts.insert(0, Stmt::Item(syn::Item::Verbatim(registration)));
            quote!(#function)
        }
        Target::Constant(mut constant) => {
            let value = &constant.expr;
            *constant.expr = syn::Expr::Verbatim(quote!({ #registration #value }));
            quote!(#constant)
        }
        Target::Beside { item, conditions } => quote!(#(#conditions)* #registration #item),
        Target::Nowhere => item,
    }
}

fn registration(model: &Model) -> TokenStream {
    let sdk = &model.sdk;
    let private = quote!(#sdk::private);
    let Model { kind, title, description, .. } = model;
    // The line of the item's name, not of the attribute: that is where an editor goes.
    let line = quote_spanned!(model.span=> ::core::line!());
    let author = model.author.as_ref().map(|author| quote!(.author(#author)));
    let tags = (!model.tags.is_empty()).then(|| {
        let tags = &model.tags;
        quote!(.tags(&[#(#tags),*]))
    });
    let metadata = (!model.metadata.is_empty()).then(|| {
        let pairs = pairs(&private, &model.metadata);
        quote!(.metadata(#pairs))
    });
    quote! {
        #private::inventory::submit! {
            #private::Landmark::new(#kind, #title, #description)
                .at(::core::file!(), #line, ::core::module_path!())
                #author #tags #metadata
        }
    }
}

fn pairs(private: &TokenStream, pairs: &[(String, Detail)]) -> TokenStream {
    let (names, values): (Vec<_>, Vec<_>) = pairs.iter().map(|(name, value)| (name, detail(private, value))).unzip();
    quote!(&[#((#names, #values)),*])
}

fn detail(private: &TokenStream, value: &Detail) -> TokenStream {
    let value = match value {
        Detail::Text(text) => quote!(Text(#text)),
        Detail::Flag(flag) => quote!(Flag(#flag)),
        Detail::Whole(number) => {
            let number = Literal::i64_suffixed(*number);
            quote!(Whole(#number))
        }
        Detail::Number(number) => {
            let number = Literal::f64_suffixed(*number);
            quote!(Number(#number))
        }
        Detail::List(values) => {
            let values = values.iter().map(|value| detail(private, value));
            quote!(List(&[#(#values),*]))
        }
        Detail::Map(values) => {
            let pairs = pairs(private, values);
            quote!(Map(#pairs))
        }
    };
    quote!(#private::Detail::#value)
}
