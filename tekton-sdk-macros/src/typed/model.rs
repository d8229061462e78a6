//! Every rule about a type that is bound to its topics.

use proc_macro2::Span;
use syn::{
    Attribute, Data, DataEnum, DeriveInput, Error, Fields, Generics, Ident, Member, Path, Type, Variant,
    spanned::Spanned,
};

use crate::support::{
    self,
    arguments::{self, Argument},
    problems::Problems,
    topics::{self, Token},
};

/// A type that can be put into words.
pub(crate) struct Typed {
    pub(crate) sdk: Path,
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) shape: Shape,
}

/// What is bound to a topic.
pub(crate) enum Shape {
    /// The whole type.
    Whole(Bound),
    /// Each variant, which holds this or nothing.
    Variants(Vec<(Ident, Option<Type>, Bound)>),
}

/// A topic, and what its event is about.
pub(crate) struct Bound {
    pub(crate) tokens: Vec<Token>,
    /// Where it was written.
    pub(crate) span: Span,
    pub(crate) key: Option<(Member, Span)>,
}

impl Bound {
    /// The filter that hears it.
    pub(crate) fn filter(&self) -> String {
        let token = |token: &Token| match token {
            Token::Text(text) => text.clone(),
            Token::Field(_) => "*".to_owned(),
        };
        self.tokens.iter().map(token).collect::<Vec<_>>().join(".")
    }

    /// Whether the topic is the same for each event.
    pub(crate) fn is_fixed(&self) -> bool {
        self.tokens.iter().all(|token| matches!(token, Token::Text(_)))
    }

    fn fields(&self) -> impl Iterator<Item = (Member, Span)> + '_ {
        let fields = self.tokens.iter().filter_map(|token| match token {
            Token::Text(_) => None,
            Token::Field(name) => Some((member(name, self.span)?, self.span)),
        });
        fields.chain(self.key.clone())
    }
}

/// What `#[event(…)]` says.
#[derive(Default)]
struct Said {
    /// Whether there is a topic, even a wrong one.
    has_topic: bool,
    topic: Option<(String, Span)>,
    key: Option<(String, Span)>,
    sdk: Option<Path>,
}

pub(crate) fn model(input: DeriveInput, problems: &mut Problems) -> Option<Typed> {
    if let Some(lifetime) = input.generics.lifetimes().next() {
        problems.at(lifetime, "an event owns what it says; leave the lifetime out");
        return None;
    }
    let said = said(&input.attrs, &["topic", "key", "crate"], problems);
    let sdk = said.sdk.clone().unwrap_or_else(support::sdk);
    let shape = match &input.data {
        Data::Union(_) => {
            problems.at(&input.ident, "an event is a struct or an enum; make this one");
            return None;
        }
        Data::Enum(data) if !said.has_topic => Shape::Variants(variants(&input.ident, data, &said, problems)?),
        Data::Enum(data) => {
            for variant in &data.variants {
                if let Some(attribute) = own(&variant.attrs).next() {
                    let message = "the enum has a topic, so its variants have none; keep the one or the others";
                    problems.at(attribute, message);
                }
            }
            let bound = bound(&said, problems)?;
            if let Some((member, span)) = bound.fields().next() {
                let message = format!("an enum has no field `{}`; give each variant its topic", text_of(&member));
                problems.add(Error::new(span, message));
            }
            Shape::Whole(bound)
        }
        Data::Struct(data) => {
            if !said.has_topic {
                problems.at(&input.ident, "say on which topic it is told: `#[event(topic = \"orders.new\")]`");
                return None;
            }
            let bound = bound(&said, problems)?;
            for (wanted, span) in bound.fields() {
                if !data.fields.members().any(|member| member == wanted) {
                    let message = format!("`{}` has no field `{}`", input.ident, text_of(&wanted));
                    problems.add(Error::new(span, message));
                }
            }
            Shape::Whole(bound)
        }
    };
    Some(Typed { sdk, ident: input.ident, generics: input.generics, shape })
}

fn variants(
    ident: &Ident,
    data: &DataEnum,
    said: &Said,
    problems: &mut Problems,
) -> Option<Vec<(Ident, Option<Type>, Bound)>> {
    if let Some((_, span)) = &said.key {
        problems.add(Error::new(*span, "the key of an event stands beside its topic, on the variant"));
    }
    if data.variants.is_empty() {
        problems.at(ident, "there is no event here; write a variant for each topic");
        return None;
    }
    let mut known: Vec<(Ident, Option<Type>, Bound)> = Vec::new();
    for variant in &data.variants {
        let Some((holds, bound)) = judged(variant, problems) else { continue };
        match known.iter().find(|(_, _, earlier)| topics::overlap(&earlier.tokens, &bound.tokens)) {
            Some((earlier, ..)) => {
                let message =
                    format!("an event may be on this topic and on that of `{earlier}`; nobody could tell them apart");
                problems.add(Error::new(bound.span, message));
            }
            None => known.push((variant.ident.clone(), holds, bound)),
        }
    }
    Some(known)
}

fn judged(variant: &Variant, problems: &mut Problems) -> Option<(Option<Type>, Bound)> {
    let said = said(&variant.attrs, &["topic", "key"], problems);
    let holds = match &variant.fields {
        Fields::Unit => None,
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => fields.unnamed.first().map(|field| field.ty.clone()),
        fields => {
            let message =
                "a variant holds one value, or nothing; put the fields into a struct with `#[tekton_sdk::data]`";
            problems.add(Error::new(fields.span(), message));
            return None;
        }
    };
    if !said.has_topic {
        let message = "say on which topic it is told: `#[event(topic = \"orders.new\")]`, here or on the enum";
        problems.at(&variant.ident, message);
        return None;
    }
    let bound = bound(&said, problems)?;
    if holds.is_none() {
        let none = bound.fields().next();
        if let Some((member, span)) = none {
            let message = format!("`{}` holds nothing, so it has no field `{}`", variant.ident, text_of(&member));
            problems.add(Error::new(span, message));
            return None;
        }
    }
    Some((holds, bound))
}

fn bound(said: &Said, problems: &mut Problems) -> Option<Bound> {
    let (text, span) = said.topic.as_ref()?;
    let tokens = problems.take(topics::template(text).map_err(|wrong| Error::new(*span, wrong)));
    let key = match &said.key {
        None => None,
        Some((name, span)) => {
            let named =
                member(name, *span).ok_or_else(|| Error::new(*span, "write the name of a field: `key = \"id\"`"));
            problems.take(named).map(|member| (member, *span))
        }
    };
    Some(Bound { tokens: tokens?, span: *span, key })
}

/// The field of this name, or at this place.
pub(crate) fn member(name: &str, span: Span) -> Option<Member> {
    if let Ok(index) = name.parse::<u32>() {
        return Some(Member::Unnamed(syn::Index { index, span }));
    }
    if syn::parse_str::<Ident>(name).is_ok() {
        return Some(Member::Named(Ident::new(name, span)));
    }
    syn::parse_str::<Ident>(&format!("r#{name}")).ok().map(|_| Member::Named(Ident::new_raw(name, span)))
}

/// The member as it is written.
pub(crate) fn text_of(member: &Member) -> String {
    match member {
        Member::Named(name) => name.to_string(),
        Member::Unnamed(index) => index.index.to_string(),
    }
}

fn own(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("event"))
}

fn said(attributes: &[Attribute], known: &[&str], problems: &mut Problems) -> Said {
    let read = own(attributes).filter_map(|attribute| problems.take(arguments::of_attribute(attribute)));
    let arguments: Vec<Argument> = read.flatten().collect();
    let mut said = Said::default();
    for argument in arguments::check(arguments, "event", known, problems) {
        let result = said.set(&argument);
        problems.take(result);
    }
    said
}

impl Said {
    fn set(&mut self, argument: &Argument) -> syn::Result<()> {
        match argument.key.to_string().as_str() {
            "topic" => {
                self.has_topic = true;
                self.topic = Some(argument.text("\"orders.new\"")?);
            }
            "key" => self.key = Some(argument.text("\"id\"")?),
            "crate" => self.sdk = Some(argument.path()?),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(item: &str) -> (Option<Typed>, Vec<String>) {
        let mut problems = Problems::default();
        let typed = model(syn::parse_str(item).unwrap(), &mut problems);
        if let Some(typed) = typed.as_ref().filter(|_| problems.is_empty()) {
            syn::parse2::<syn::File>(super::super::expand::expand(typed)).unwrap();
        }
        (typed, problems.messages())
    }

    #[test]
    fn a_type_and_a_variant_are_bound_to_a_topic() {
        let (typed, problems) = judge(
            "#[event(topic = \"a.{id}.{r_type}\", key = \"id\", crate = \"mesh::sdk\")] struct A<T> { id: T, r_type: u8 }",
        );
        assert_eq!(problems, [""; 0]);
        let Some(Typed { shape: Shape::Whole(bound), .. }) = typed else { panic!("it is a whole") };
        assert_eq!((bound.filter().as_str(), bound.is_fixed(), bound.key.is_some()), ("a.*.*", false, true));
        let (typed, problems) =
            judge("enum A { #[event(topic = \"a.b\")] B, #[event(topic = \"a.{id}.c\", key = \"0\")] C(C) }");
        assert_eq!(problems, [""; 0]);
        let Some(Typed { shape: Shape::Variants(variants), .. }) = typed else { panic!("they are variants") };
        let filters: Vec<_> = variants.iter().map(|(_, _, bound)| bound.filter()).collect();
        assert_eq!(filters, ["a.b", "a.*.c"]);
    }

    #[test]
    fn every_mistake_is_told_at_its_token() {
        for (item, wanted) in [
            ("struct A;", "A | say on which topic it is told: `#[event(topic = \"orders.new\")]`"),
            ("#[event(topic = 7)] struct A;", "7 | write `topic = \"orders.new\"`"),
            ("#[event(topic = \"a..b\")] struct A;", "\"a..b\" | \"a..b\" is no topic: token 2 is empty"),
            (
                "#[event(topic = \"a.*\")] struct A;",
                "\"a.*\" | \"a.*\" is no topic: token 2 is a wildcard, and an event has one topic",
            ),
            ("#[event(topic = \"a.{x}\")] struct A { id: u8 }", "\"a.{x}\" | `A` has no field `x`"),
            ("#[event(topic = \"a\", key = \"x\")] struct A(u8);", "\"x\" | `A` has no field `x`"),
            ("#[event(topic = \"a\", key = \"a b\")] struct A;", "\"a b\" | write the name of a field: `key = \"id\"`"),
            (
                "#[event(topic = \"a\")] struct A<'a>(&'a str);",
                "'a | an event owns what it says; leave the lifetime out",
            ),
            ("#[event(topic = \"a\")] union A { a: u8 }", "A | an event is a struct or an enum; make this one"),
            ("enum A {}", "A | there is no event here; write a variant for each topic"),
            (
                "enum A { B }",
                "B | say on which topic it is told: `#[event(topic = \"orders.new\")]`, here or on the enum",
            ),
            (
                "enum A { #[event(topic = \"a\")] B { b: u8 } }",
                "{ b: u8 } | a variant holds one value, or nothing; put the fields into a struct with \
                 `#[tekton_sdk::data]`",
            ),
            ("enum A { #[event(topic = \"a.{id}\")] B }", "\"a.{id}\" | `B` holds nothing, so it has no field `id`"),
            (
                "#[event(topic = \"a.{id}\")] enum A { B(B) }",
                "\"a.{id}\" | an enum has no field `id`; give each variant its topic",
            ),
            (
                "#[event(key = \"id\")] enum A { #[event(topic = \"a\")] B }",
                "\"id\" | the key of an event stands beside its topic, on the variant",
            ),
            (
                "#[event(topic = \"a\")] enum A { #[event(topic = \"b\")] B }",
                "#[event(topic = \"b\")] | the enum has a topic, so its variants have none; keep the one or the others",
            ),
            (
                "enum A { #[event(topic = \"a.{id}\")] B(B), #[event(topic = \"a.c\")] C }",
                "\"a.c\" | an event may be on this topic and on that of `B`; nobody could tell them apart",
            ),
            (
                "#[event(topic = \"a\", name = \"b\")] struct A;",
                "name | `event` has no argument `name`; there are: `topic`, `key`, `crate`",
            ),
        ] {
            assert_eq!(judge(item).1, [wanted], "{item}");
        }
    }
}
