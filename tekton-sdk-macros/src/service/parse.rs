//! What was written, unjudged.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{
    Attribute, Block, Error, FnArg, ImplItem, Item, ItemImpl, ItemTrait, ReturnType, Signature, TraitItem, Visibility,
};

use crate::support::{
    arguments::{self, Argument},
    problems::Problems,
};

/// The block or trait, and the arguments of its `#[service(…)]`.
pub(crate) struct Parsed {
    pub(crate) arguments: Vec<Argument>,
    pub(crate) item: Annotated,
}

/// What the attribute stands on.
pub(crate) enum Annotated {
    Block(ItemImpl),
    Contract(ItemTrait),
}

/// A method with `#[on_event]`.
pub(crate) struct Hearing<'a> {
    pub(crate) attributes: &'a [Attribute],
    pub(crate) on_event: &'a Attribute,
    /// Another attribute that makes something of the method.
    pub(crate) more: Option<&'a Attribute>,
    pub(crate) signature: &'a Signature,
}

/// A method with `#[op]`.
pub(crate) struct Method<'a> {
    pub(crate) attributes: &'a [Attribute],
    pub(crate) op: &'a Attribute,
    /// Whether it has more than one `#[op]`.
    pub(crate) more: Option<&'a Attribute>,
    pub(crate) visibility: Option<&'a Visibility>,
    pub(crate) signature: &'a Signature,
}

pub(crate) fn parse(arguments: TokenStream, item: TokenStream, problems: &mut Problems) -> Option<Parsed> {
    let arguments = problems.take(arguments::of_tokens(arguments)).unwrap_or_default();
    let item = match problems.take(syn::parse2(item))? {
        Item::Impl(block) => Annotated::Block(block),
        Item::Trait(contract) => Annotated::Contract(contract),
        other => {
            problems.add(Error::new_spanned(other, "`service` goes on an `impl` block or a trait"));
            return None;
        }
    };
    Some(Parsed { arguments, item })
}

fn is_op(attribute: &Attribute) -> bool {
    attribute.path().is_ident("op")
}

fn is_on_event(attribute: &Attribute) -> bool {
    attribute.path().is_ident("on_event")
}

fn is_ours(attribute: &Attribute) -> bool {
    is_op(attribute) || is_on_event(attribute)
}

impl Parsed {
    /// The methods that are operations.
    pub(crate) fn methods(&self) -> Vec<Method<'_>> {
        let method = |attributes, visibility, signature| {
            let attributes: &[Attribute] = attributes;
            let mut ops = attributes.iter().filter(|attribute| is_op(attribute));
            Some(Method { attributes, op: ops.next()?, more: ops.next(), visibility, signature })
        };
        match &self.item {
            Annotated::Block(block) => block
                .items
                .iter()
                .filter_map(|item| match item {
                    ImplItem::Fn(function) => method(&function.attrs, Some(&function.vis), &function.sig),
                    _ => None,
                })
                .collect(),
            Annotated::Contract(contract) => contract
                .items
                .iter()
                .filter_map(|item| match item {
                    TraitItem::Fn(function) => method(&function.attrs, None, &function.sig),
                    _ => None,
                })
                .collect(),
        }
    }

    /// The methods that are listeners.
    pub(crate) fn hearing(&self) -> Vec<Hearing<'_>> {
        let hearing = |attributes, signature| {
            let attributes: &[Attribute] = attributes;
            let on_event = attributes.iter().find(|attribute| is_on_event(attribute))?;
            let is_more = |attribute: &&Attribute| is_ours(attribute) && !std::ptr::eq(*attribute, on_event);
            Some(Hearing { attributes, on_event, more: attributes.iter().find(is_more), signature })
        };
        match &self.item {
            Annotated::Block(block) => block
                .items
                .iter()
                .filter_map(|item| match item {
                    ImplItem::Fn(function) => hearing(&function.attrs, &function.sig),
                    _ => None,
                })
                .collect(),
            Annotated::Contract(contract) => contract
                .items
                .iter()
                .filter_map(|item| match item {
                    TraitItem::Fn(function) => hearing(&function.attrs, &function.sig),
                    _ => None,
                })
                .collect(),
        }
    }

    /// The item as the compiler is to see it.
    pub(crate) fn cleaned(&self) -> TokenStream {
        match &self.item {
            Annotated::Block(block) => {
                let mut block = block.clone();
                for item in &mut block.items {
                    if let ImplItem::Fn(function) = item {
                        clean(&mut function.attrs, &mut function.sig);
                    }
                }
                block.into_token_stream()
            }
            Annotated::Contract(contract) => cleaned_contract(contract.clone()),
        }
    }
}

fn clean(attributes: &mut Vec<Attribute>, signature: &mut Signature) {
    if !attributes.iter().any(is_ours) {
        return;
    }
    attributes.retain(|attribute| !is_ours(attribute));
    for input in &mut signature.inputs {
        if let FnArg::Typed(argument) = input {
            argument.attrs.retain(|attribute| !attribute.path().is_ident("arg") && !attribute.path().is_ident("doc"));
        }
    }
}

/// The futures of a contract's operations have to cross threads, which `async fn` in a trait does not say.
fn cleaned_contract(mut contract: ItemTrait) -> TokenStream {
    for item in &mut contract.items {
        let TraitItem::Fn(function) = item else { continue };
        if !function.attrs.iter().any(is_ours) {
            continue;
        }
        clean(&mut function.attrs, &mut function.sig);
        if function.sig.asyncness.take().is_some() {
            let output = match &function.sig.output {
                ReturnType::Default => quote!(()),
                ReturnType::Type(_, ty) => ty.to_token_stream(),
            };
            function.sig.output =
                syn::parse_quote!(-> impl ::std::future::Future<Output = #output> + ::std::marker::Send);
            if let Some(body) = &function.default {
                let body: Block = syn::parse_quote!({ async move #body });
                function.default = Some(body);
            }
        }
    }
    contract.supertraits.push(syn::parse_quote!(::std::marker::Send));
    contract.supertraits.push(syn::parse_quote!(::std::marker::Sync));
    contract.colon_token.get_or_insert_default();
    let name = &contract.ident;
    let message = format!("`{{Self}}` does not serve the contract `{name}`");
    let label = format!("write `impl {name} for {{Self}}`");
    let explained =
        |attribute: &Attribute| attribute.path().segments.last().is_some_and(|last| last.ident == "on_unimplemented");
    if !contract.attrs.iter().any(explained) {
        contract.attrs.push(syn::parse_quote!(#[diagnostic::on_unimplemented(message = #message, label = #label)]));
    }
    contract.into_token_stream()
}
