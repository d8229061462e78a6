//! Every rule about a service.

mod listener;
mod operation;
mod output;
mod parameter;
mod receiver;
#[cfg(test)]
mod tests;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{Error, Generics, Ident, Path, Type, Visibility, ext::IdentExt};

pub(crate) use self::{
    listener::{Form, Group, Listener, Place},
    operation::{Operation, Priority},
    parameter::{Given, Need, Parameter},
};
use super::parse::{Annotated, Parsed};
use crate::support::{
    self,
    arguments::{self, Argument},
    problems::Problems,
    types, values,
};

/// A service that can be put into words; what was wrong is left out.
pub(crate) struct Service {
    pub(crate) sdk: Path,
    pub(crate) subject: Subject,
    /// What the client trait is called.
    pub(crate) api: Ident,
    /// As visible as the most visible operation.
    pub(crate) visibility: TokenStream,
    pub(crate) generics: Generics,
    pub(crate) operations: Vec<Operation>,
    pub(crate) listeners: Vec<Listener>,
    /// A block that only listens has nothing to be called.
    pub(crate) is_called: bool,
}

/// What is served.
pub(crate) enum Subject {
    /// A component's block.
    Block {
        /// The component, as the block calls it.
        component: TokenStream,
        /// The tag, and whether the block has one of its own.
        tag: Option<Ident>,
        client: TokenStream,
        fake: TokenStream,
        /// The component's bare name.
        title: String,
    },
    /// A trait that others implement.
    Contract { contract: Ident, tag: Ident, client: Ident, fake: Ident, name: String, capability: Option<String> },
}

#[derive(Default)]
struct Said {
    sdk: Option<Path>,
    name: Option<Ident>,
    component: Option<String>,
    capability: Option<String>,
}

pub(crate) fn model(parsed: &Parsed, problems: &mut Problems) -> Option<Service> {
    let said = said(parsed, problems);
    let sdk = said.sdk.clone().unwrap_or_else(support::sdk);
    let (methods, hearing) = (parsed.methods(), parsed.hearing());
    let message = "there is no operation here; write `#[op(read)]` or `#[op(write)]` on a method";
    match &parsed.item {
        Annotated::Block(block) if methods.is_empty() && hearing.is_empty() => problems.at(&block.self_ty, message),
        Annotated::Contract(contract) if methods.is_empty() => problems.at(&contract.ident, message),
        _ => {}
    }
    let (subject, generics, api, within) = match &parsed.item {
        Annotated::Block(block) => {
            if let Some((path, _)) = &block.trait_ {
                let message = "`service` goes on the block of a type, or on the trait itself; then list the trait in \
                               `#[component(services(…))]`";
                problems.at(path, message);
                return None;
            }
            if let Some(lifetime) = block.generics.lifetimes().next() {
                problems.at(lifetime, "a component owns what it holds; leave the lifetime out");
                return None;
            }
            let (subject, api) = problems.take(block_of(&block.self_ty, said.name.as_ref()))?;
            (subject, block.generics.clone(), api, Some(block.self_ty.to_token_stream()))
        }
        Annotated::Contract(contract) => {
            if let Some(lifetime) = contract.generics.lifetimes().next() {
                problems.at(lifetime, "what crosses the wire is owned; leave the lifetime out");
                return None;
            }
            let name = contract.ident.unraw();
            let subject = Subject::Contract {
                contract: contract.ident.clone(),
                tag: format_ident!("{name}Service"),
                client: format_ident!("{name}Client"),
                fake: format_ident!("Fake{name}"),
                name: said.component.clone().unwrap_or_else(|| values::kebab(&name.to_string())),
                capability: said.capability.clone(),
            };
            (subject, without_self(&contract.generics), format_ident!("{name}Api"), None)
        }
    };
    let given = match &parsed.item {
        Annotated::Contract(contract) => Some(visible(&contract.vis)),
        Annotated::Block(_) => None,
    };
    let mut operations: Vec<Operation> = Vec::new();
    for method in &methods {
        let Some(operation) = Operation::of(method, within.as_ref(), given.as_ref(), problems) else { continue };
        // Of two with `#[cfg]` only one may be there; the compiler sees that later.
        let same = |earlier: &Operation| earlier.name == operation.name && earlier.cfgs.is_empty();
        if operation.cfgs.is_empty() && operations.iter().any(same) {
            let message =
                format!("there is an operation `{}` already; write another `#[op(name = \"…\")]`", operation.name);
            problems.add(Error::new(operation.name_span, message));
        } else {
            operations.push(operation);
        }
    }
    let listeners = match &within {
        Some(component) => hearing.iter().filter_map(|hearing| Listener::of(hearing, component, problems)).collect(),
        None => {
            for hearing in &hearing {
                let message = "a contract is what can be asked; a component listens in a block of its own";
                problems.at(hearing.on_event, message);
            }
            Vec::new()
        }
    };
    let is_called = !methods.is_empty();
    let public = operations.iter().any(|operation| operation.visibility.to_string() == "pub");
    let visibility = given.unwrap_or_else(|| if public { quote!(pub) } else { quote!(pub(crate)) });
    Some(Service { sdk, subject, api, visibility, generics, operations, listeners, is_called })
}

/// The generics of a contract's client and fake: what is asked of the implementor is not asked of them.
fn without_self(generics: &Generics) -> Generics {
    let mut generics = generics.clone();
    if let Some(bounds) = generics.where_clause.take() {
        let others = bounds.predicates.into_iter().filter(|bound| types::names_self(bound.to_token_stream()).is_none());
        generics.make_where_clause().predicates.extend(others);
    }
    generics
}

/// At least as visible as the crate: a private operation is served all the same.
fn visible(visibility: &Visibility) -> TokenStream {
    match visibility {
        Visibility::Inherited => quote!(pub(crate)),
        other => other.to_token_stream(),
    }
}

fn said(parsed: &Parsed, problems: &mut Problems) -> Said {
    let known: &[&str] = match &parsed.item {
        Annotated::Block(_) => &["name", "crate"],
        Annotated::Contract(_) => &["component", "capability", "crate"],
    };
    let mut said = Said::default();
    let arguments: Vec<Argument> = parsed
        .arguments
        .iter()
        .map(|Argument { key, value }| Argument { key: key.clone(), value: value.clone() })
        .collect();
    for argument in arguments::check(arguments, "service", known, problems) {
        let result = said.set(&argument);
        problems.take(result);
    }
    said
}

impl Said {
    fn set(&mut self, argument: &Argument) -> syn::Result<()> {
        match argument.key.to_string().as_str() {
            "name" => {
                let value = argument.expression("Admin")?;
                let name = syn::parse2(value.to_token_stream());
                self.name = Some(name.map_err(|_| Error::new_spanned(value, "write a bare name, as `name = Admin`"))?);
            }
            "component" => {
                self.component = Some(named(argument, "component's name", "\"summarizer\"", &['-', '_', '.'])?)
            }
            "capability" => {
                let extra = &['-', '_', '.', ':', '/'];
                self.capability = Some(named(argument, "capability", "\"text.summarize\"", extra)?);
            }
            "crate" => self.sdk = Some(argument.path()?),
            _ => {}
        }
        Ok(())
    }
}

fn named(argument: &Argument, what: &str, example: &str, extra: &[char]) -> syn::Result<String> {
    let (name, span) = argument.text(example)?;
    match values::name_problem(&name, extra) {
        None => Ok(name),
        Some(problem) => Err(Error::new(span, format!("the {what} {name:?} {problem}"))),
    }
}

fn block_of(ty: &Type, name: Option<&Ident>) -> syn::Result<(Subject, Ident)> {
    let Type::Path(path) = ty else {
        return Err(Error::new_spanned(ty, "`service` goes on the block of a struct"));
    };
    let Some(last) = path.path.segments.last() else {
        return Err(Error::new_spanned(ty, "`service` goes on the block of a struct"));
    };
    let title = last.ident.unraw();
    let with_name = |name: Ident| {
        let mut path = path.clone();
        if let Some(last) = path.path.segments.last_mut() {
            last.ident = name;
        }
        path.into_token_stream()
    };
    let subject = Subject::Block {
        component: ty.to_token_stream(),
        tag: name.map(|name| format_ident!("{}Service", name.unraw())),
        client: with_name(Ident::new(&format!("{title}Client"), last.ident.span())),
        fake: with_name(Ident::new(&format!("Fake{title}"), last.ident.span())),
        title: title.to_string(),
    };
    Ok((subject, format_ident!("{}Api", name.map_or(title, IdentExt::unraw), span = Span::call_site())))
}
