//! Every rule of `#[landmark]`, and the landmark that has passed them all.

use std::collections::BTreeSet;

use proc_macro2::Span;
use syn::{Error, Lit, LitStr, Path, ext::IdentExt};

use super::{
    kinds::{KINDS, Kind, Missing, Rule, Shape, nearest},
    parse::{Argument, Arguments, Place, Target, Value},
};
use crate::support;

/// A landmark that cannot be wrong.
pub(super) struct Model {
    pub(super) sdk: Path,
    pub(super) kind: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) author: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) metadata: Vec<(String, Detail)>,
    /// Whose line it stands on.
    pub(super) span: Span,
}

pub(super) enum Detail {
    Text(String),
    Flag(bool),
    Whole(i64),
    Number(f64),
    List(Vec<Detail>),
    Map(Vec<(String, Detail)>),
}

/// What every kind takes.
const COMMON: [&str; 6] = ["kind", "title", "description", "author", "tags", "crate"];

impl Model {
    /// Checks everything and gathers all that is wrong.
    pub(super) fn new(arguments: Arguments, place: &Place) -> Result<Self, Error> {
        let mut wrong = Wrong(arguments.errors);
        if matches!(place.target, Target::Nowhere) {
            wrong.add(
                place.span,
                "a declaration without a body has no room for a landmark; put it on the trait, or give a body",
            );
        }
        let list = unique(arguments.list, &mut wrong);
        let (common, own): (Vec<_>, Vec<_>) = list.into_iter().partition(|a| COMMON.contains(&name(a).as_str()));
        let mut model = Self {
            sdk: support::sdk(),
            kind: String::new(),
            title: String::new(),
            description: place.docs.clone(),
            author: None,
            tags: Vec::new(),
            metadata: Vec::new(),
            span: place.span,
        };
        let mut kind = None;
        let (mut kind_given, mut title_given) = (false, false);
        for argument in common {
            match name(&argument).as_str() {
                "kind" => {
                    kind_given = true;
                    if let Some(text) = wrong.filled(&argument) {
                        kind = wrong.kind(text);
                        model.kind = text.value();
                    }
                }
                "title" => {
                    title_given = true;
                    model.title = wrong.filled(&argument).map(|text| text.value()).unwrap_or_default();
                }
                "description" => {
                    model.description = wrong.text(&argument).map(LitStr::value).unwrap_or_default();
                }
                "author" => model.author = wrong.filled(&argument).map(|text| text.value()),
                "tags" => model.tags = wrong.texts(&argument),
                _ => {
                    if let Some(path) = wrong.path(&argument) {
                        model.sdk = path;
                    }
                }
            }
        }
        if !kind_given {
            let kinds = KINDS.iter().map(|kind| format!("{:?}", kind.name)).collect::<Vec<_>>().join(", ");
            wrong.add(
                Span::call_site(),
                format!("say what kind of landmark this is: `kind = \"…\"` with one of {kinds}, or a word of your own"),
            );
        }
        if !title_given {
            wrong.add(Span::call_site(), "a landmark needs `title = \"…\"`");
        }
        model.metadata = match kind {
            Some(kind) => wrong.named(kind, &own),
            // Without a kind nobody can say which arguments it takes.
            None if model.kind.is_empty() => Vec::new(),
            None => own.iter().filter_map(|a| Some((name(a), wrong.any(&a.value, Some(a))?))).collect(),
        };
        wrong.or(model)
    }
}

fn name(argument: &Argument) -> String {
    argument.name.unraw().to_string()
}

/// The first of each name; the others are wrong.
fn unique(list: Vec<Argument>, wrong: &mut Wrong) -> Vec<Argument> {
    let mut seen = BTreeSet::new();
    let mut first = |argument: &Argument| {
        let name = name(argument);
        let new = seen.insert(name.clone());
        if !new {
            wrong.add(argument.name.span(), format!("`{name}` stands here a second time; leave one of the two out"));
        }
        new
    };
    list.into_iter().filter(|argument| first(argument)).collect()
}

/// All that is wrong so far.
struct Wrong(Vec<Error>);

impl Wrong {
    fn add(&mut self, span: Span, what: impl std::fmt::Display) {
        self.0.push(Error::new(span, what));
    }

    fn or(self, model: Model) -> Result<Model, Error> {
        let all = self.0.into_iter().reduce(|mut all, next| {
            all.combine(next);
            all
        });
        all.map_or(Ok(model), Err)
    }

    fn text<'a>(&mut self, argument: &'a Argument) -> Option<&'a LitStr> {
        if let Value::Text(text) = &argument.value {
            return Some(text);
        }
        self.add(argument.value.span(), format!("`{0}` is a text: `{0} = \"…\"`", name(argument)));
        None
    }

    /// A text that is not empty.
    fn filled<'a>(&mut self, argument: &'a Argument) -> Option<&'a LitStr> {
        let text = self.text(argument)?;
        if text.value().trim().is_empty() {
            self.add(text.span(), format!("`{}` is empty; say something", name(argument)));
            return None;
        }
        Some(text)
    }

    /// The named kind that this is, or was meant to be.
    fn kind(&mut self, text: &LitStr) -> Option<&'static Kind> {
        let value = text.value();
        let named = |name: &str| KINDS.iter().find(|kind| kind.name == name);
        if let Some(kind) = named(&value) {
            return Some(kind);
        }
        let near = nearest(&value, KINDS.iter().map(|kind| kind.name), 2);
        if let Some(near) = near {
            self.add(text.span(), format!("{value:?} is no kind of upstream's; did you mean {near:?}?"));
        } else if value.contains(|c: char| c.is_whitespace() || c.is_control()) {
            self.add(text.span(), "a kind is one word, as \"review_note\"");
        }
        // The other arguments are checked as the kind's that was meant.
        near.and_then(named)
    }

    fn path(&mut self, argument: &Argument) -> Option<Path> {
        let text = self.text(argument)?;
        text.parse().map_err(|_| self.add(text.span(), "`crate` is a path: `crate = \"path::to::tekton_sdk\"`")).ok()
    }

    fn texts(&mut self, argument: &Argument) -> Vec<String> {
        let Value::List(_, values) = &argument.value else {
            self.add(argument.value.span(), format!("`{0}` is a list of texts: `{0}(\"…\", \"…\")`", name(argument)));
            return Vec::new();
        };
        let mut texts = Vec::new();
        for value in values {
            match value {
                Value::Text(text) => texts.push(text.value()),
                other => self.add(other.span(), format!("`{}` holds texts; write this one as `\"…\"`", name(argument))),
            }
        }
        texts
    }

    /// The metadata of a named kind: what was given and what its kind puts where nothing was.
    fn named(&mut self, kind: &'static Kind, own: &[Argument]) -> Vec<(String, Detail)> {
        for argument in own {
            let given = name(argument);
            if kind.rules.iter().all(|rule| rule.name != given) {
                self.unknown(kind, argument, &given);
            }
        }
        let mut metadata = Vec::new();
        for rule in kind.rules {
            let given = own.iter().find(|argument| name(argument) == rule.name);
            let detail = match given {
                Some(argument) => self.given(rule, argument),
                None => self.left_out(kind, rule),
            };
            metadata.extend(detail.map(|detail| (rule.name.to_owned(), detail)));
        }
        metadata
    }

    fn unknown(&mut self, kind: &'static Kind, argument: &Argument, given: &str) {
        let known = || kind.rules.iter().map(|rule| rule.name).chain(COMMON);
        let advice = match nearest(given, known(), 3) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it takes {}", known().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
        };
        self.add(argument.name.span(), format!("a landmark of kind {:?} takes no `{given}`; {advice}", kind.name));
    }

    fn given(&mut self, rule: &Rule, argument: &Argument) -> Option<Detail> {
        match (rule.shape, &argument.value) {
            (Shape::Text, _) if rule.missing == Missing::Required => {
                self.filled(argument).map(|text| Detail::Text(text.value()))
            }
            (Shape::Text, _) => self.text(argument).map(|text| Detail::Text(text.value())),
            (Shape::OneOf(words), _) => {
                let text = self.text(argument)?;
                if words.contains(&text.value().as_str()) {
                    return Some(Detail::Text(text.value()));
                }
                let words = words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
                self.add(text.span(), format!("`{}` is one of {words}", rule.name));
                None
            }
            (Shape::Flag, Value::Bool(flag)) => Some(Detail::Flag(flag.value)),
            (Shape::Flag, other) => {
                self.add(other.span(), format!("`{0}` is `{0} = true` or `{0} = false`", rule.name));
                None
            }
            (Shape::List, _) => Some(Detail::List(self.texts(argument).into_iter().map(Detail::Text).collect())),
            (Shape::Map, Value::Map(_, pairs)) => Some(Detail::Map(self.pairs(pairs))),
            (Shape::Map, Value::List(_, values)) if values.is_empty() => Some(Detail::Map(Vec::new())),
            (Shape::Map, other) => {
                self.add(other.span(), format!("`{0}` holds names with values: `{0}(name = \"…\")`", rule.name));
                None
            }
        }
    }

    fn left_out(&mut self, kind: &Kind, rule: &Rule) -> Option<Detail> {
        Some(match rule.missing {
            Missing::Required => {
                let what = format!("a landmark of kind {:?} needs `{} = \"…\"`", kind.name, rule.name);
                self.add(Span::call_site(), what);
                return None;
            }
            Missing::Text(text) => Detail::Text(text.to_owned()),
            Missing::Flag(flag) => Detail::Flag(flag),
            Missing::List => Detail::List(Vec::new()),
            Missing::Map => Detail::Map(Vec::new()),
        })
    }

    fn pairs(&mut self, pairs: &[Argument]) -> Vec<(String, Detail)> {
        let mut seen = BTreeSet::new();
        let mut details = Vec::new();
        for pair in pairs {
            let name = name(pair);
            if !seen.insert(name.clone()) {
                self.add(pair.name.span(), format!("`{name}` stands here a second time; leave one of the two out"));
            }
            details.extend(self.any(&pair.value, Some(pair)).map(|detail| (name, detail)));
        }
        details
    }

    /// A value of any shape; `of` is the argument that it is given for.
    fn any(&mut self, value: &Value, of: Option<&Argument>) -> Option<Detail> {
        match value {
            Value::Text(text) => Some(Detail::Text(text.value())),
            Value::Bool(flag) => Some(Detail::Flag(flag.value)),
            Value::Number(negative, lit) => self.number(*negative, lit),
            Value::List(_, values) => {
                Some(Detail::List(values.iter().filter_map(|value| self.any(value, None)).collect()))
            }
            Value::Map(_, pairs) => Some(Detail::Map(self.pairs(pairs))),
            Value::Nothing(span) => {
                let name = of.map(name).unwrap_or_default();
                self.add(*span, format!("`{name}` has no value; write `{name} = …`"));
                None
            }
            Value::Other(span) => {
                self.add(
                    *span,
                    "a landmark holds texts, numbers, `true`, `false`, lists `[…]` and `name(key = …)`, written out",
                );
                None
            }
        }
    }

    fn number(&mut self, negative: bool, lit: &Lit) -> Option<Detail> {
        let (digits, suffix) = match lit {
            Lit::Int(lit) => (lit.base10_digits().to_owned(), lit.suffix().to_owned()),
            Lit::Float(lit) => (lit.base10_digits().to_owned(), lit.suffix().to_owned()),
            _ => (String::new(), String::new()),
        };
        let signed = if negative { format!("-{digits}") } else { digits };
        let whole = matches!(lit, Lit::Int(_)) && !suffix.starts_with('f');
        if whole && let Ok(number) = signed.parse() {
            return Some(Detail::Whole(number));
        }
        match signed.parse::<f64>() {
            Ok(number) if number.is_finite() && !whole => Some(Detail::Number(number)),
            _ => {
                self.add(lit.span(), "this number is out of range; write it as a text");
                None
            }
        }
    }
}
