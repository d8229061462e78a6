//! Every rule about a component.

use proc_macro2::Span;
use quote::quote;
use syn::{
    Data, Error, Expr, Generics, Ident, LitStr, Path, Token, Visibility, ext::IdentExt, parse::ParseStream,
    spanned::Spanned,
};

use super::parse::Parsed;
use crate::support::{
    self,
    arguments::{self, Argument},
    docs,
    problems::Problems,
    values,
};

/// A component that can be put into words; what was wrong is left out.
pub(crate) struct Component {
    pub(crate) sdk: Path,
    pub(crate) visibility: Visibility,
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) name: String,
    /// The crate's own if `None`.
    pub(crate) version: Option<String>,
    pub(crate) description: String,
    pub(crate) capabilities: Vec<(String, Option<f64>)>,
    pub(crate) dependencies: Vec<String>,
    pub(crate) context_window: Option<u64>,
    pub(crate) cost: Option<f64>,
    pub(crate) port: Option<u16>,
    pub(crate) services: Vec<Service>,
    /// Whether a test of the tables comes with it.
    pub(crate) test: bool,
}

/// A service that the component lists.
pub(crate) enum Service {
    /// The one block without a name; the span is where it is listed.
    Own(Span),
    /// Another, by the path of its tag.
    Tagged(Path),
}

const KNOWN: &[&str] = &[
    "name",
    "version",
    "description",
    "capabilities",
    "depends_on",
    "context_window",
    "cost",
    "port",
    "services",
    "test",
    "crate",
];
const NAME: &[char] = &['-', '_', '.'];
const CAPABILITY: &[char] = &['-', '_', '.', ':', '/'];

/// The component, unless it is so wrong that nothing can be made of it.
pub(crate) fn model(parsed: Parsed, problems: &mut Problems) -> Option<Component> {
    let Parsed { input, arguments } = parsed;
    if !matches!(input.data, Data::Struct(_) | Data::Enum(_)) {
        problems.at(&input.ident, "a component is a struct; make this one");
    }
    if let Some(lifetime) = input.generics.lifetimes().next() {
        problems.at(lifetime, "a component owns what it holds; leave the lifetime out");
        return None;
    }
    let mut component = Component {
        sdk: support::sdk(),
        name: values::kebab(&input.ident.unraw().to_string()),
        version: None,
        description: docs::of(&input.attrs).description,
        capabilities: Vec::new(),
        dependencies: Vec::new(),
        context_window: None,
        cost: None,
        port: None,
        services: vec![Service::Own(input.ident.span())],
        test: true,
        visibility: input.vis,
        ident: input.ident,
        generics: input.generics,
    };
    for argument in arguments::check(arguments, "component", KNOWN, problems) {
        let result = component.set(&argument, problems);
        problems.take(result);
    }
    Some(component)
}

impl Component {
    fn set(&mut self, argument: &Argument, problems: &mut Problems) -> syn::Result<()> {
        match argument.key.to_string().as_str() {
            "name" => {
                let (name, span) = argument.text("\"summarizer\"")?;
                self.name = checked("component's name", name, span, NAME)?;
            }
            "version" => {
                let (version, span) = argument.text("\"1.2.0\"")?;
                if !values::is_version(&version) {
                    return Err(Error::new(span, format!("{version:?} is no version; write one like \"1.2.0\"")));
                }
                self.version = Some(version);
            }
            "description" => self.description = argument.text("\"Shortens texts.\"")?.0,
            "capabilities" => {
                for (name, score) in argument.list(capability, "\"text.summarize\" = 0.9")? {
                    let added = self.add_capability(&name, score.as_ref());
                    problems.take(added);
                }
            }
            "depends_on" => {
                for name in argument.list(text, "\"engram\"")? {
                    let checked = checked("component's name", name.value(), name.span(), NAME);
                    self.dependencies.extend(problems.take(checked));
                }
            }
            "context_window" => {
                let message = "write the number of tokens, as `context_window = 8000`";
                self.context_window = Some(values::whole(argument.expression("8000")?, u64::MAX, message)?);
            }
            "cost" => {
                let message = "write a number of at least 0, as `cost = 0.1`";
                let value = argument.expression("0.1")?;
                let cost = values::number(value, message)?;
                if !(cost >= 0.0 && cost.is_finite()) {
                    return Err(Error::new_spanned(value, message));
                }
                self.cost = Some(cost);
            }
            "port" => {
                let message = "write a port from 0 to 65535, as `port = 8005`";
                let port = values::whole(argument.expression("8005")?, u16::MAX.into(), message)?;
                self.port = u16::try_from(port).ok();
            }
            "services" => {
                self.services =
                    self.listed(argument.list(|input| input.parse::<Path>(), "Summarizer, Admin")?, problems)
            }
            "test" => {
                self.test = values::truth(argument.expression("false")?, "write `test = false` to leave the test out")?;
            }
            "crate" => self.sdk = argument.path()?,
            _ => {}
        }
        Ok(())
    }

    fn add_capability(&mut self, name: &LitStr, score: Option<&Expr>) -> syn::Result<()> {
        let checked = checked("capability", name.value(), name.span(), CAPABILITY)?;
        if self.capabilities.iter().any(|(earlier, _)| *earlier == checked) {
            return Err(Error::new(name.span(), format!("the capability {checked:?} is listed twice; keep one")));
        }
        let score = match score {
            None => None,
            Some(value) => {
                let message = "a score is a number from 0 to 1, as `0.9`";
                let score = values::number(value, message)?;
                if !(0.0..=1.0).contains(&score) {
                    return Err(Error::new_spanned(value, message));
                }
                Some(score)
            }
        };
        self.capabilities.push((checked, score));
        Ok(())
    }

    fn listed(&self, paths: Vec<Path>, problems: &mut Problems) -> Vec<Service> {
        let mut seen: Vec<Path> = Vec::new();
        for path in paths {
            if seen.iter().any(|earlier| quote!(#earlier).to_string() == quote!(#path).to_string()) {
                problems.at(&path, "this service is listed twice; keep one");
            } else {
                seen.push(path);
            }
        }
        let service = |mut path: Path| {
            if path.is_ident(&self.ident) {
                return Service::Own(path.span());
            }
            if let Some(last) = path.segments.last_mut() {
                last.ident = Ident::new(&format!("{}Service", last.ident.unraw()), last.ident.span());
            }
            Service::Tagged(path)
        };
        seen.into_iter().map(service).collect()
    }
}

fn checked(what: &str, name: String, span: Span, extra: &[char]) -> syn::Result<String> {
    match values::name_problem(&name, extra) {
        None => Ok(name),
        Some(problem) => Err(Error::new(span, format!("the {what} {name:?} {problem}"))),
    }
}

fn text(input: ParseStream<'_>) -> syn::Result<LitStr> {
    input.parse().map_err(|error| Error::new(error.span(), "write names in quotes, as `depends_on(\"engram\")`"))
}

fn capability(input: ParseStream<'_>) -> syn::Result<(LitStr, Option<Expr>)> {
    let name = input.parse().map_err(|error| {
        Error::new(error.span(), "write names in quotes, as `capabilities(\"text.summarize\" = 0.9)`")
    })?;
    let score = input.parse::<Option<Token![=]>>()?.map(|_| input.parse()).transpose()?;
    Ok((name, score))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::parse;

    fn judged(arguments: &str) -> (Component, Vec<String>) {
        let mut problems = Problems::default();
        let source = format!("/// Shortens texts.\n#[component({arguments})]\npub struct TextSummarizer;");
        let parsed = parse::parse(source.parse().unwrap(), &mut problems).unwrap();
        let component = model(parsed, &mut problems).unwrap();
        (component, problems.messages())
    }

    #[test]
    fn what_is_left_out_comes_from_the_type() {
        let (component, problems) = judged("");
        assert_eq!((component.name.as_str(), component.description.as_str()), ("text-summarizer", "Shortens texts."));
        assert!(component.version.is_none() && matches!(component.services[..], [Service::Own(_)]));
        assert_eq!(problems, [""; 0]);
    }

    #[test]
    fn everything_can_be_said() {
        let (component, problems) = judged(
            r#"name = "s", version = "1.2.0", description = "D.", capabilities("a" = 0.9, "b:c" = 1, "d"),
               depends_on("engram"), context_window = 8_000, cost = 0.1, port = 8005,
               services(TextSummarizer, contract::Admin), crate = "mesh::sdk""#,
        );
        assert_eq!(problems, [""; 0]);
        let capabilities = [("a".to_owned(), Some(0.9)), ("b:c".to_owned(), Some(1.0)), ("d".to_owned(), None)];
        assert_eq!(component.capabilities, capabilities);
        assert_eq!((component.context_window, component.cost, component.port), (Some(8000), Some(0.1), Some(8005)));
        let [Service::Own(_), Service::Tagged(admin)] = &component.services[..] else { panic!("another list") };
        assert_eq!(quote!(#admin).to_string(), "contract :: AdminService");
    }

    #[test]
    fn every_mistake_is_told_at_its_token() {
        let (_, problems) = judged(
            r#"name = "a b", version = "1.2", version = "1.0.0", colour = 3, capabilities("x y", "a" = 1.5, "b" = -0.1, "a" = high),
               depends_on(""), cost = -1, port = 70000, services(A, A), context_window = "big", description"#,
        );
        assert_eq!(
            problems,
            [
                "version | `version` is given twice; keep one",
                "colour | `component` has no argument `colour`; there are: `name`, `version`, `description`, `capabilities`, \
                 `depends_on`, `context_window`, `cost`, `port`, `services`, `test`, `crate`",
                r#""a b" | the component's name "a b" holds ' '; allowed are letters, digits and `-`, `_`, `.`"#,
                r#""1.2" | "1.2" is no version; write one like "1.2.0""#,
                r#""x y" | the capability "x y" holds ' '; allowed are letters, digits and `-`, `_`, `.`, `:`, `/`"#,
                "1.5 | a score is a number from 0 to 1, as `0.9`",
                "-0.1 | a score is a number from 0 to 1, as `0.9`",
                "high | a score is a number from 0 to 1, as `0.9`",
                r#""" | the component's name "" is empty"#,
                "-1 | write a number of at least 0, as `cost = 0.1`",
                "70000 | write a port from 0 to 65535, as `port = 8005`",
                "A | this service is listed twice; keep one",
                r#""big" | write the number of tokens, as `context_window = 8000`"#,
                "description | write `description = \"Shortens texts.\"`",
            ]
        );
    }
}
