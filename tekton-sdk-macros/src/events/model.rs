//! Every rule about an enum of events.

use syn::{Data, Error, Fields, Generics, Ident, Path, Type, Variant, ext::IdentExt, spanned::Spanned};

use super::parse::{self, Argument, Parsed};
use crate::support::{self, problems::Problems, values};

/// An enum that can be put into words.
pub(crate) struct Events {
    pub(crate) sdk: Path,
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) events: Vec<Event>,
    /// What keeps the events of other types.
    pub(crate) other: Ident,
}

/// A variant for one type of event.
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) ident: Ident,
    pub(crate) data: Content,
}

/// What the variant holds.
pub(crate) enum Content {
    /// Nothing: the data is passed over.
    Nothing,
    /// What the data is as JSON.
    Json(Box<Type>),
    /// The data as it came.
    Text,
}

/// The enum, unless something is wrong with it.
pub(crate) fn model(parsed: Parsed, problems: &mut Problems) -> Option<Events> {
    let input = parsed.input;
    let Data::Enum(data) = input.data else {
        problems.at(&input.ident, "events are read as an enum with a variant for each type; make this one");
        return None;
    };
    let mut sdk = support::sdk();
    for argument in parse::arguments(&input.attrs, problems) {
        match argument {
            Argument::Pair(key, path) if key == "crate" => {
                let read = path.parse().map_err(|_| {
                    Error::new(path.span(), "write the path of the SDK: `crate = \"path::to::tekton_sdk\"`")
                });
                sdk = problems.take(read).unwrap_or(sdk);
            }
            Argument::Name(name) => problems.at(name, "the type of an event stands on a variant"),
            Argument::Flag(key) | Argument::Pair(key, _) => {
                problems.at(&key, format!("`event` on an enum has no argument `{key}`; there is: `crate`"));
            }
        }
    }
    let (mut events, mut other): (Vec<Event>, Option<Ident>) = (Vec::new(), None);
    for variant in &data.variants {
        match judged(variant, problems) {
            None => {}
            Some(Judged::Other) if other.is_some() => {
                problems.at(&variant.ident, "another variant keeps the other events already; keep one");
            }
            Some(Judged::Other) => other = Some(variant.ident.clone()),
            Some(Judged::Event(event)) if events.iter().any(|earlier| earlier.name == event.name) => {
                let message = format!(
                    "another variant stands for the events {:?} already; name this one by `#[event(\"…\")]`",
                    event.name
                );
                problems.at(&variant.ident, message);
            }
            Some(Judged::Event(event)) => events.push(event),
        }
    }
    if other.is_none() && problems.is_empty() {
        let message = "a server may send events of other types some day; add `#[event(other)] Other(StreamEvent)`, which keeps them";
        problems.at(&input.ident, message);
    }
    Some(Events { sdk, ident: input.ident, generics: input.generics, events, other: other? })
}

enum Judged {
    Event(Event),
    Other,
}

fn judged(variant: &Variant, problems: &mut Problems) -> Option<Judged> {
    let (mut name, mut text, mut other) = (None, None, None);
    let before = problems.len();
    for argument in parse::arguments(&variant.attrs, problems) {
        match argument {
            Argument::Name(written) if name.is_some() => {
                problems.at(written, "the type of the event is given twice; keep one")
            }
            Argument::Name(written) => match written.value() {
                value if value.is_empty() || value.contains(['\r', '\n']) => {
                    problems.at(
                        written,
                        "the type of an event is one line that is not empty; what has none is \"message\"",
                    );
                }
                value => name = Some((value, written.span())),
            },
            Argument::Flag(key) if key == "text" => text = Some(key.span()),
            Argument::Flag(key) if key == "other" => other = Some(key.span()),
            Argument::Flag(key) | Argument::Pair(key, _) => problems.at(
                &key,
                format!("`event` has no argument `{key}`; there are: the type of the event in quotes, `text`, `other`"),
            ),
        }
    }
    let holds = match &variant.fields {
        Fields::Unit => None,
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => fields.unnamed.first(),
        fields => {
            let message =
                "a variant holds one value, or nothing; put the fields into a struct with `#[tekton_sdk::data]`";
            problems.add(Error::new(fields.span(), message));
            return None;
        }
    };
    if let Some(span) = other {
        if name.is_some() || text.is_some() {
            problems.add(Error::new(
                span,
                "`other` stands alone: the variant keeps the events of all other types as they came",
            ));
        } else if holds.is_none() {
            problems.at(&variant.ident, "what keeps the other events holds one, as `Other(StreamEvent)`");
        }
        return (problems.len() == before).then_some(Judged::Other);
    }
    let data = match (holds, text) {
        (None, None) => Content::Nothing,
        (None, Some(span)) => {
            problems.add(Error::new(span, "`text` needs a place for the data, as `Noted(String)`"));
            return None;
        }
        (Some(field), None) => Content::Json(Box::new(field.ty.clone())),
        (Some(_), Some(_)) => Content::Text,
    };
    let name = name.map_or_else(|| snake(&variant.ident.unraw().to_string()), |(name, _)| name);
    (problems.len() == before).then(|| Judged::Event(Event { name, ident: variant.ident.clone(), data }))
}

/// `AllSaid` as `all_said`.
fn snake(name: &str) -> String {
    values::kebab(name).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(body: &str) -> (Option<Events>, Vec<String>) {
        let mut problems = Problems::default();
        let parsed = parse::parse(body.parse().unwrap(), &mut problems).unwrap();
        let events = model(parsed, &mut problems);
        (events, problems.messages())
    }

    #[test]
    fn a_variant_stands_for_the_events_of_its_name() {
        let (events, problems) = judge(
            "#[event(crate = \"mesh::sdk\")] enum Chat { Said(Said), AllSaid, #[event(\"message\", text)] Note(String), #[event(other)] Other(StreamEvent) }",
        );
        assert_eq!(problems, [""; 0]);
        let events = events.unwrap();
        let said: Vec<_> = events.events.iter().map(|event| (event.name.as_str(), event.ident.to_string())).collect();
        let wanted = [("said", "Said"), ("all_said", "AllSaid"), ("message", "Note")];
        assert_eq!(said, wanted.map(|(name, ident)| (name, ident.to_owned())));
        assert!(matches!(
            &events.events[..],
            [
                Event { data: Content::Json(_), .. },
                Event { data: Content::Nothing, .. },
                Event { data: Content::Text, .. }
            ]
        ));
        assert_eq!((events.other.to_string(), quote::quote!(#(events.sdk)).is_empty()), ("Other".to_owned(), false));
    }

    #[test]
    fn every_mistake_is_told_at_its_token() {
        let (_, problems) = judge(
            "#[event(\"x\", colour)] enum Chat { A, #[event(\"a\")] B(u8), C { x: u8 }, D(u8, u8), #[event(\"\")] E, #[event(\"e\", \"f\")] F, \
             #[event(text)] G, #[event(loud)] H, #[event(other)] I, #[event(other, \"x\")] J(u8), #[event(other)] K(S), #[event(other)] L(S) }",
        );
        let at: Vec<_> = problems.iter().map(|problem| problem.split(" | ").next().unwrap()).collect();
        assert_eq!(
            at,
            ["\"x\"", "colour", "B", "{ x: u8 }", "(u8, u8)", "\"\"", "\"f\"", "text", "loud", "I", "other", "L"]
        );
    }
}
