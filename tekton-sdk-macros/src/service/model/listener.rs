//! The rules about one listener.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{
    Attribute, Error, FnArg, GenericArgument, Ident, LitStr, Meta, PathArguments, ReturnType, Token, Type,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

use super::receiver::takes_self;
use crate::{
    service::parse::Hearing,
    support::{
        arguments::{self, Argument},
        problems::Problems,
        topics,
        types::{self, Pass},
        values,
    },
};

/// After how many deliveries an event goes to the dead letters, unless that is said.
const DELIVERIES: u32 = 5;

/// One listener.
pub(crate) struct Listener {
    pub(crate) ident: Ident,
    pub(crate) cfgs: Vec<Attribute>,
    /// The topics; none if the type of the event has them.
    pub(crate) topics: Vec<String>,
    pub(crate) group: Option<Group>,
    pub(crate) is_unacked: bool,
    pub(crate) dead_letters: Option<(String, u32)>,
    pub(crate) concurrency: Option<u64>,
    pub(crate) nanoseconds: Option<u64>,
    pub(crate) is_from_oldest: bool,
    /// The name of the SDK's variant.
    pub(crate) when_full: Option<&'static str>,
    pub(crate) capacity: Option<u64>,
    /// Whether the context stands before the event, behind it, or nowhere.
    pub(crate) context: Option<Place>,
    pub(crate) form: Form,
    /// What the event is read as.
    pub(crate) ty: TokenStream,
    pub(crate) output: TokenStream,
}

/// With whom the events are shared, if not with the other instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Named(String),
    Nobody,
}

/// Where the context stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Before,
    Behind,
}

/// What the listener takes of what is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The data, or the typed event.
    Data(Pass, bool),
    Delivery,
    Heard,
}

/// One argument of `#[on_event(…)]`.
enum Written {
    Topic(LitStr),
    Said(Box<Argument>),
}

impl Parse for Written {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(LitStr) {
            return input.parse().map(Self::Topic);
        }
        if input.peek(syn::Lit) {
            return Err(input.error("write the topic in quotes, as `#[on_event(\"orders.*\")]`"));
        }
        input.parse().map(Box::new).map(Self::Said)
    }
}

#[derive(Default)]
struct Said {
    topics: Vec<String>,
    group: Option<(String, Span)>,
    every_instance: Option<Ident>,
    unacked: Option<Ident>,
    dead_letters: Option<(String, Span)>,
    deliveries: Option<(u32, Ident)>,
    concurrency: Option<u64>,
    nanoseconds: Option<u64>,
    is_from_oldest: bool,
    when_full: Option<&'static str>,
    capacity: Option<u64>,
}

const KNOWN: &[&str] = &[
    "group",
    "every_instance",
    "acked",
    "dead_letters",
    "deliveries",
    "concurrency",
    "timeout",
    "start",
    "when_full",
    "capacity",
];

impl Listener {
    /// The listener, unless it is so wrong that nothing can be made of it.
    pub(crate) fn of(hearing: &Hearing<'_>, component: &TokenStream, problems: &mut Problems) -> Option<Self> {
        let said = Said::of(hearing, problems);
        let signature = hearing.signature;
        let ident = &signature.ident;
        let is_async = signature.asyncness.is_some();
        if !is_async {
            problems.at(ident, "a listener is `async`: write `async fn`");
        }
        let receives =
            takes_self(hearing.signature, "a listener takes `&self`: all events share the component", problems);
        let taken = taken(hearing, component, problems);
        if let Some(generic) =
            signature.generics.params.iter().find(|generic| !matches!(generic, syn::GenericParam::Lifetime(_)))
        {
            problems.at(generic, "a listener cannot be generic; name the type, or make the component generic");
            return None;
        }
        let output = match &signature.output {
            ReturnType::Type(_, ty) if !matches!(**ty, Type::ImplTrait(_)) => {
                let output = types::without_self(ty.to_token_stream(), component);
                Some(types::with_lifetime(output, &quote!('static)))
            }
            _ => {
                problems.at(ident, "a listener returns a `Result`: write `-> Result<()>`");
                None
            }
        };
        let (context, form, ty) = taken?;
        (receives && is_async).then_some(())?;
        let group = match (said.group, said.every_instance) {
            (Some((name, _)), _) => Some(Group::Named(name)),
            (None, Some(_)) => Some(Group::Nobody),
            (None, None) => None,
        };
        Some(Self {
            ident: ident.clone(),
            cfgs: hearing.attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect(),
            topics: said.topics,
            group,
            is_unacked: said.unacked.is_some(),
            dead_letters: said
                .dead_letters
                .map(|(topic, _)| (topic, said.deliveries.map_or(DELIVERIES, |(deliveries, _)| deliveries))),
            concurrency: said.concurrency,
            nanoseconds: said.nanoseconds,
            is_from_oldest: said.is_from_oldest,
            when_full: said.when_full,
            capacity: said.capacity,
            context,
            form,
            ty,
            output: output?,
        })
    }
}

impl Said {
    fn of(hearing: &Hearing<'_>, problems: &mut Problems) -> Self {
        let mut said = Self::default();
        if let Some(more) = hearing.more {
            let message = match more.path().is_ident("op") {
                true => "a method is an operation or a listener; take one attribute away, or call the one in the other",
                false => "there is an `#[on_event]` on this method already; write all topics into one",
            };
            problems.at(more, message);
        }
        let written = match &hearing.on_event.meta {
            Meta::Path(_) => Ok(Punctuated::new()),
            Meta::List(list) => list.parse_args_with(Punctuated::<Written, Token![,]>::parse_terminated),
            Meta::NameValue(pair) => Err(Error::new_spanned(&pair.value, "write the arguments in parentheses")),
        };
        let mut arguments = Vec::new();
        for written in problems.take(written).unwrap_or_default() {
            match written {
                Written::Said(argument) => arguments.push(*argument),
                Written::Topic(topic) => {
                    let text = topic.value();
                    if let Some(wrong) = topics::filter_problem(&text) {
                        problems.at(topic, wrong);
                    } else if said.topics.contains(&text) {
                        problems.at(topic, format!("this listener hears {text:?} already; leave one out"));
                    } else {
                        said.topics.push(text);
                    }
                }
            }
        }
        for argument in arguments::check(arguments, "on_event", KNOWN, problems) {
            let result = said.set(&argument);
            problems.take(result);
        }
        if let (Some((_, span)), Some(_)) = (&said.group, &said.every_instance) {
            problems.add(Error::new(*span, "what every instance hears is shared with nobody; leave the group out"));
        }
        if let (Some(_), Some((_, span))) = (&said.unacked, &said.dead_letters) {
            let message = "what is not acknowledged is handed over once; leave the dead letters out";
            problems.add(Error::new(*span, message));
        }
        if let (None, Some((_, key))) = (&said.dead_letters, &said.deliveries) {
            problems.at(key, "say where an event goes after them: `dead_letters = \"dead.orders\"`");
        }
        said
    }

    fn set(&mut self, argument: &Argument) -> syn::Result<()> {
        let key = &argument.key;
        match key.to_string().as_str() {
            "group" => {
                let (name, span) = argument.text("\"cooks\"")?;
                if let Some(problem) = values::name_problem(&name, &['-', '_', '.', ':']) {
                    return Err(Error::new(span, format!("the group {name:?} {problem}")));
                }
                self.group = Some((name, span));
            }
            "every_instance" => {
                self.every_instance = Some(key.clone());
                argument.flag()?;
            }
            "acked" => {
                let is_acked = values::truth(argument.expression("false")?, "write `acked = true` or `acked = false`")?;
                self.unacked = (!is_acked).then(|| key.clone());
            }
            "dead_letters" => {
                let (topic, span) = argument.text("\"dead.orders\"")?;
                match topics::topic_problem(&topic) {
                    Some(wrong) => return Err(Error::new(span, wrong)),
                    None => self.dead_letters = Some((topic, span)),
                }
            }
            "deliveries" => {
                let count = positive(argument, "5", "write how many deliveries there are before, as `deliveries = 5`")?;
                self.deliveries = Some((u32::try_from(count).unwrap_or(u32::MAX), key.clone()));
            }
            "concurrency" => {
                let message = "write how many events are handled at once, as `concurrency = 4`";
                self.concurrency = Some(positive(argument, "4", message)?);
            }
            "capacity" => {
                let message = "write how many events wait at most, as `capacity = 100`";
                self.capacity = Some(positive(argument, "100", message)?);
            }
            "timeout" => {
                let (text, span) = argument.text("\"30s\"")?;
                let message = format!("{text:?} is no duration; write one like \"2s\", \"250ms\" or \"5min\"");
                self.nanoseconds = Some(values::nanoseconds(&text).ok_or_else(|| Error::new(span, message))?);
            }
            "start" => {
                let (text, span) = argument.text("\"oldest\"")?;
                self.is_from_oldest = match text.as_str() {
                    "new" => false,
                    "oldest" => true,
                    _ => {
                        let message = format!("{text:?} is no beginning; write \"new\" or \"oldest\"");
                        return Err(Error::new(span, message));
                    }
                };
            }
            "when_full" => {
                let (text, span) = argument.text("\"drop_oldest\"")?;
                self.when_full = Some(match text.as_str() {
                    "block" => "Block",
                    "drop_oldest" => "DropOldest",
                    "drop_newest" => "DropNewest",
                    "fail" => "Fail",
                    "keep_latest" => "KeepLatest",
                    _ => {
                        let message = format!(
                            "{text:?} is none; write \"block\", \"drop_oldest\", \"drop_newest\", \"fail\" or \"keep_latest\""
                        );
                        return Err(Error::new(span, message));
                    }
                });
            }
            _ => {}
        }
        Ok(())
    }
}

fn positive(argument: &Argument, example: &str, message: &str) -> syn::Result<u64> {
    let value = argument.expression(example)?;
    match values::whole(value, u32::MAX.into(), message)? {
        0 => Err(Error::new_spanned(value, message)),
        count => Ok(count),
    }
}

/// What the listener takes, but for `&self`.
fn taken(
    hearing: &Hearing<'_>,
    component: &TokenStream,
    problems: &mut Problems,
) -> Option<(Option<Place>, Form, TokenStream)> {
    let (mut context, mut event) = (None, None);
    for input in &hearing.signature.inputs {
        let FnArg::Typed(argument) = input else { continue };
        if types::is_context(&argument.ty) {
            if context.is_some() {
                problems.at(argument, "the context is there already; leave one out");
            }
            context = Some(if event.is_some() { Place::Behind } else { Place::Before });
        } else if event.is_some() {
            let message =
                "a listener takes one event; take a `Delivery` for what goes with it, or a `Heard` for gaps too";
            problems.at(argument, message);
            return None;
        } else {
            event = Some(argument);
        }
    }
    let Some(argument) = event else {
        problems.at(&hearing.signature.ident, "a listener takes what it hears: write `event: …` behind `&self`");
        return None;
    };
    match &*argument.ty {
        Type::Reference(reference) if reference.mutability.is_some() => {
            problems.at(&argument.ty, "what is heard is its listener's own; take the value");
            return None;
        }
        Type::ImplTrait(_) => {
            problems.at(&argument.ty, "a listener cannot be generic; name the type, or make the component generic");
            return None;
        }
        _ => {}
    }
    let tokens = types::without_self(argument.ty.to_token_stream(), component);
    let ty: Type = syn::parse2(tokens).unwrap_or_else(|_| (*argument.ty).clone());
    let fixed = |ty: &Type| types::with_lifetime(ty.to_token_stream(), &quote!('static));
    Some(match whole(&ty) {
        Some((form, of)) => (context, form, fixed(of)),
        None => {
            let decoded = types::decoded(&ty);
            (context, Form::Data(decoded.pass, decoded.converted), decoded.ty)
        }
    })
}

/// What is in a `Delivery<…>` or a `Heard<…>`.
fn whole(ty: &Type) -> Option<(Form, &Type)> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let form = match last.ident.to_string().as_str() {
        "Delivery" => Form::Delivery,
        "Heard" => Form::Heard,
        _ => return None,
    };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(inner)) => Some((form, inner)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
