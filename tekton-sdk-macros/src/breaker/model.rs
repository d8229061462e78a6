//! Every rule about a breaker around a function.

use syn::{Error, ItemFn, Path, ReturnType, Safety, Signature, Type, TypeImplTrait, TypeParamBound};

use super::parse::{Parsed, Target};
use crate::support::{
    self,
    arguments::{self, Argument},
    problems::Problems,
    values,
};

/// A function with a breaker that can be put into words.
pub(super) struct Model {
    pub(super) sdk: Path,
    pub(super) failure_threshold: u32,
    pub(super) nanoseconds: u64,
    /// The path of the function if `None`.
    pub(super) name: Option<String>,
    pub(super) function: ItemFn,
    pub(super) output: Type,
}

/// What the attribute says.
struct Said {
    sdk: Path,
    failure_threshold: u32,
    nanoseconds: u64,
    name: Option<String>,
}

const ATTRIBUTE: &str = "circuit_breaker";
const KNOWN: &[&str] = &["failure_threshold", "timeout", "name", "crate"];
const NAME: &[char] = &['-', '_', '.', ':', '/'];

pub(super) fn model(parsed: Parsed, problems: &mut Problems) -> Option<Model> {
    let mut said = Said { sdk: support::sdk(), failure_threshold: 5, nanoseconds: 60_000_000_000, name: None };
    for argument in arguments::check(parsed.arguments, ATTRIBUTE, KNOWN, problems) {
        let result = said.set(&argument);
        problems.take(result);
    }
    let function = match parsed.target {
        Target::Function(function) => *function,
        Target::Declaration(name) => {
            problems.at(name, "this has no body to put a breaker around; put it on the implementation");
            return None;
        }
        Target::Other(item) => {
            problems.at(item, "`circuit_breaker` goes on a function or a method");
            return None;
        }
        Target::Unknown => return None,
    };
    let again = |path: &Path| path.segments.last().is_some_and(|last| last.ident == ATTRIBUTE);
    if let Some(more) = function.attrs.iter().find(|attribute| again(attribute.path())) {
        problems.at(more, "there is a breaker around this function already; keep one");
    }
    qualifiers(&function.sig, problems);
    let output = output(&function.sig, problems)?;
    let Said { sdk, failure_threshold, nanoseconds, name } = said;
    Some(Model { sdk, failure_threshold, nanoseconds, name, function, output })
}

impl Said {
    fn set(&mut self, argument: &Argument) -> syn::Result<()> {
        match argument.key.to_string().as_str() {
            "failure_threshold" => {
                let message = "write a whole number of at least 1, as `failure_threshold = 5`";
                let value = argument.expression("5")?;
                let threshold = values::whole(value, u32::MAX.into(), message)?;
                self.failure_threshold = u32::try_from(threshold)
                    .ok()
                    .filter(|threshold| *threshold > 0)
                    .ok_or_else(|| Error::new_spanned(value, message))?;
            }
            "timeout" => {
                let (text, span) = argument.text("\"60s\"")?;
                let message = format!("{text:?} is no duration; write one like \"60s\", \"250ms\" or \"5min\"");
                self.nanoseconds = values::nanoseconds(&text).ok_or_else(|| Error::new(span, message))?;
            }
            "name" => {
                let (name, span) = argument.text("\"billing.charge\"")?;
                if let Some(problem) = values::name_problem(&name, NAME) {
                    return Err(Error::new(span, format!("the breaker's name {name:?} {problem}")));
                }
                self.name = Some(name);
            }
            "crate" => self.sdk = argument.path()?,
            _ => {}
        }
        Ok(())
    }
}

/// What a body loses when it moves into a closure or an `async` block.
fn qualifiers(signature: &Signature, problems: &mut Problems) {
    if let Some(constness) = &signature.constness {
        problems.at(constness, "a breaker counts while the program runs, and a `const fn` cannot");
    }
    if let Safety::Unsafe(unsafety) = &signature.safety {
        problems.at(
            unsafety,
            "the body of an `unsafe fn` cannot move into a breaker; put it on a safe function that calls this one",
        );
    }
    if let Some(abi) = &signature.abi {
        problems.at(
            abi,
            "others call this one without knowing of a breaker; put it on a Rust function that calls this one",
        );
    }
}

fn output(signature: &Signature, problems: &mut Problems) -> Option<Type> {
    match &signature.output {
        ReturnType::Default => {
            let message = "a function with a breaker returns a `Result`: write `-> tekton_sdk::Result<()>`";
            problems.at(&signature.ident, message);
            None
        }
        ReturnType::Type(_, output) => match &**output {
            Type::ImplTrait(opaque) => {
                problems.at(
                    opaque,
                    if is_future(opaque) {
                        "a breaker goes around the work, not around making its future; write this as an `async fn`"
                    } else {
                        "a function with a breaker returns a `Result`; name it"
                    },
                );
                None
            }
            output => Some(output.clone()),
        },
    }
}

fn is_future(opaque: &TypeImplTrait) -> bool {
    opaque.bounds.iter().any(|bound| match bound {
        TypeParamBound::Trait(bound) => bound.path.segments.last().is_some_and(|last| last.ident == "Future"),
        _ => false,
    })
}
