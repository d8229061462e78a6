//! The rules about one operation.

use proc_macro2::{Span, TokenStream};
use syn::{Attribute, Error, FnArg, GenericParam, Ident, ext::IdentExt};

use super::{
    output::{Output, Stream},
    parameter::Parameter,
    receiver::takes_self,
    visible,
};
use crate::{
    service::parse::Method,
    support::{
        arguments::{self, Argument},
        docs::{self, Docs},
        problems::Problems,
        values,
    },
};

/// How much an operation matters, by the name of the SDK's variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priority {
    Low,
    Normal,
    High,
}

/// One operation.
pub(crate) struct Operation {
    pub(crate) ident: Ident,
    pub(crate) name: String,
    pub(crate) name_span: Span,
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) docs: Vec<Attribute>,
    pub(crate) description: String,
    pub(crate) read: bool,
    pub(crate) idempotent: bool,
    pub(crate) nanoseconds: Option<u64>,
    pub(crate) priority: Option<Priority>,
    pub(crate) title: Option<String>,
    pub(crate) destructive: Option<bool>,
    pub(crate) open_world: Option<bool>,
    pub(crate) visibility: TokenStream,
    pub(crate) is_async: bool,
    pub(crate) parameters: Vec<Parameter>,
    /// What it returns; of a stream, what each item is.
    pub(crate) output: TokenStream,
    pub(crate) stream: Option<Stream>,
}

#[derive(Default)]
struct Said {
    read: Option<Ident>,
    write: Option<Ident>,
    idempotent: bool,
    resumable: Option<Ident>,
    name: Option<(String, Span)>,
    nanoseconds: Option<u64>,
    priority: Option<Priority>,
    title: Option<String>,
    destructive: Option<bool>,
    open_world: Option<bool>,
}

impl Operation {
    /// The operation, unless it is so wrong that nothing can be made of it.
    pub(crate) fn of(
        method: &Method<'_>,
        within: Option<&TokenStream>,
        given: Option<&TokenStream>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let said = Said::of(method, problems);
        let signature = method.signature;
        let ident = signature.ident.clone();
        let docs = docs::of(method.attributes);
        if docs.description.is_empty() {
            let message = format!("say what `{ident}` does: write `/// …` above it");
            problems.at(&ident, message);
        }
        let (name, name_span) = said.name.clone().unwrap_or_else(|| (ident.unraw().to_string(), ident.span()));
        if let Some(problem) = values::name_problem(&name, &['-', '_', '.']) {
            problems.add(Error::new(name_span, format!("the operation name {name:?} {problem}")));
        }
        if ident == "with" {
            let message =
                "a client's `with` takes its options; name the method otherwise, and write `#[op(name = \"with\")]`";
            problems.at(&ident, message);
            return None;
        }
        let receives =
            takes_self(method.signature, "an operation takes `&self`: all calls share the component", problems);
        let parameters = parameters(method, &docs, within, problems);
        let output = Output::of(method, within, problems);
        if let (Some(Output { stream: None, .. }), Some(resumable)) = (&output, &said.resumable) {
            problems.at(resumable, "only a stream can be resumed; leave it out, or return `impl Stream`");
        }
        for generic in &signature.generics.params {
            if !matches!(generic, GenericParam::Lifetime(_)) {
                problems.at(generic, "an operation cannot be generic; name the type, or make the component generic");
                return None;
            }
        }
        let Output { tokens: output, stream } = output?;
        let stream = stream.map(|stream| Stream { is_resumable: said.resumable.is_some(), ..stream });
        let public = method.visibility.map_or_else(TokenStream::new, visible);
        Some(Self {
            name,
            name_span,
            cfgs: method.attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect(),
            docs: method.attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).cloned().collect(),
            description: docs.description,
            read: said.write.is_none(),
            idempotent: said.idempotent,
            nanoseconds: said.nanoseconds,
            priority: said.priority,
            title: said.title,
            destructive: said.destructive,
            open_world: said.open_world,
            visibility: given.cloned().unwrap_or(public),
            is_async: signature.asyncness.is_some(),
            parameters: parameters?,
            output,
            stream,
            ident: receives.then_some(ident)?,
        })
    }
}

impl Said {
    fn of(method: &Method<'_>, problems: &mut Problems) -> Self {
        let mut said = Self::default();
        if let Some(more) = method.more {
            problems.at(more, "there is an `#[op]` on this method already; write everything into one");
        }
        let arguments = problems.take(arguments::of_attribute(method.op)).unwrap_or_default();
        let known = &[
            "read",
            "write",
            "idempotent",
            "resumable",
            "name",
            "timeout",
            "priority",
            "title",
            "destructive",
            "open_world",
        ];
        for argument in arguments::check(arguments, "op", known, problems) {
            let result = said.set(&argument);
            problems.take(result);
        }
        match (&said.read, &said.write) {
            (None, None) => problems.at(
                method.op.path(),
                "say whether it changes something: `#[op(read)]` if it does not, else `#[op(write)]`",
            ),
            (Some(_), Some(write)) => problems.at(write, "an operation is either `read` or `write`; keep one"),
            _ => {}
        }
        said
    }

    fn set(&mut self, argument: &Argument) -> syn::Result<()> {
        match argument.key.to_string().as_str() {
            "read" => {
                self.read = Some(argument.key.clone());
                argument.flag()?;
            }
            "write" => {
                self.write = Some(argument.key.clone());
                argument.flag()?;
            }
            "idempotent" => {
                self.idempotent = true;
                argument.flag()?;
            }
            "resumable" => {
                self.resumable = Some(argument.key.clone());
                argument.flag()?;
            }
            "name" => self.name = Some(argument.text("\"set-limit\"")?),
            "timeout" => {
                let (text, span) = argument.text("\"2s\"")?;
                let message = format!("{text:?} is no duration; write one like \"2s\", \"250ms\" or \"5min\"");
                self.nanoseconds = Some(values::nanoseconds(&text).ok_or_else(|| Error::new(span, message))?);
            }
            "priority" => {
                let (text, span) = argument.text("\"low\"")?;
                self.priority = Some(match text.as_str() {
                    "low" => Priority::Low,
                    "normal" => Priority::Normal,
                    "high" => Priority::High,
                    _ => {
                        let message = format!("{text:?} is no priority; write \"low\", \"normal\" or \"high\"");
                        return Err(Error::new(span, message));
                    }
                });
            }
            "title" => self.title = Some(argument.text("\"Set the limit\"")?.0),
            "destructive" => {
                let otherwise = "write `destructive = true` or `destructive = false`";
                self.destructive = Some(values::truth(argument.expression("false")?, otherwise)?);
            }
            "open_world" => {
                let otherwise = "write `open_world = true` or `open_world = false`";
                self.open_world = Some(values::truth(argument.expression("true")?, otherwise)?);
            }
            _ => {}
        }
        Ok(())
    }
}

fn parameters(
    method: &Method<'_>,
    docs: &Docs,
    within: Option<&TokenStream>,
    problems: &mut Problems,
) -> Option<Vec<Parameter>> {
    let typed = method.signature.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(argument) => Some(argument),
        FnArg::Receiver(_) => None,
    });
    let parameters: Vec<_> = typed.map(|argument| Parameter::of(argument, docs, within, problems)).collect();
    for (name, _, line) in &docs.arguments {
        let known =
            |parameter: &Option<Parameter>| parameter.as_ref().is_none_or(|parameter| parameter.is_called(name));
        if !parameters.iter().any(known) {
            problems
                .at(line, format!("`{name}` is no argument of this operation; correct the name or leave the line out"));
        }
    }
    parameters.into_iter().collect()
}
