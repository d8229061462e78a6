use super::{output::Stream, *};
use crate::{
    service::{expand, parse},
    support::problems::Problems,
};

/// What is wrong, each as `token | message`, and what is made of it all the same.
fn judged(arguments: &str, item: &str) -> (Option<Service>, Vec<String>) {
    let mut problems = Problems::default();
    let parsed = parse::parse(arguments.parse().unwrap(), item.parse().unwrap(), &mut problems);
    let service = parsed.and_then(|parsed| {
        let _ = parsed.cleaned();
        model(&parsed, &mut problems)
    });
    if let Some(service) = &service {
        syn::parse2::<syn::File>(expand::expand(service)).unwrap();
    }
    (service, problems.messages())
}

fn problems(method: &str) -> Vec<String> {
    judged("", &format!("impl Shelf {{ /// Does.\n {method} }}")).1
}

#[test]
fn what_is_well_formed_is_understood() {
    let (service, problems) = judged(
        "name = Admin",
        "impl<T: Data> a::Shelf<T> {
            /// Sets how much fits.
            #[op(write, idempotent, name = \"set-limit\", timeout = \"1.5s\", priority = \"low\")]
            pub fn set_limit(&self, ctx: &Context, #[arg(default = 3)] r#mut: usize, at: Option<Self>) -> Outcome<Self::X> {}
            fn other(self, (a, b): (u8, u8)) {}
        }",
    );
    let service = service.unwrap();
    assert_eq!(problems, [""; 0]);
    assert_eq!((service.api.to_string().as_str(), service.visibility.to_string().as_str()), ("AdminApi", "pub"));
    let Subject::Block { client, fake, title, tag, .. } = &service.subject else { panic!("it is a block") };
    assert_eq!(
        (client.to_string().as_str(), fake.to_string().as_str()),
        ("a :: ShelfClient < T >", "a :: FakeShelf < T >")
    );
    assert_eq!((title.as_str(), tag.as_ref().unwrap().to_string().as_str()), ("Shelf", "AdminService"));
    let [operation] = &service.operations[..] else { panic!("there is one operation") };
    assert_eq!((operation.name.as_str(), operation.description.as_str()), ("set-limit", "Sets how much fits."));
    assert_eq!((operation.nanoseconds, operation.priority), (Some(1_500_000_000), Some(Priority::Low)));
    assert!(!operation.read && operation.idempotent && !operation.is_async);
    assert_eq!(operation.output.to_string(), "Outcome < < a :: Shelf < T > > :: X >");
    let [Parameter::Context, Parameter::Given(limit), Parameter::Given(at)] = &operation.parameters[..] else {
        panic!("there are three parameters")
    };
    assert_eq!((limit.name.as_str(), matches!(limit.need, Need::Default(_))), ("mut", true));
    assert_eq!(
        (at.tokens.to_string().as_str(), matches!(at.need, Need::Optional)),
        ("Option < a :: Shelf < T > >", true)
    );
}

#[test]
fn every_mistake_in_the_attribute_is_told_at_its_token() {
    for (method, wanted) in [
        (
            "#[op] fn f(&self) -> R {}",
            "op | say whether it changes something: `#[op(read)]` if it does not, else `#[op(write)]`",
        ),
        ("#[op(read, write)] fn f(&self) -> R {}", "write | an operation is either `read` or `write`; keep one"),
        (
            "#[op(read)] #[op(write)] fn f(&self) -> R {}",
            "#[op(write)] | there is an `#[op]` on this method already; write everything into one",
        ),
        (
            "#[op(read, retries = 3)] fn f(&self) -> R {}",
            "retries | `op` has no argument `retries`; there are: `read`, `write`, `idempotent`, `resumable`, \
             `name`, `timeout`, `priority`, `title`, `destructive`, `open_world`",
        ),
        ("#[op(read, read)] fn f(&self) -> R {}", "read | `read` is given twice; keep one"),
        ("#[op(read = true)] fn f(&self) -> R {}", "true | write `read` alone"),
        (
            "#[op(read, timeout = \"2 days\")] fn f(&self) -> R {}",
            "\"2 days\" | \"2 days\" is no duration; write one like \"2s\", \"250ms\" or \"5min\"",
        ),
        (
            "#[op(read, priority = \"urgent\")] fn f(&self) -> R {}",
            "\"urgent\" | \"urgent\" is no priority; write \"low\", \"normal\" or \"high\"",
        ),
        ("#[op(read, priority = 2)] fn f(&self) -> R {}", "2 | write `priority = \"low\"`"),
        ("#[op(read, timeout = 2)] fn f(&self) -> R {}", "2 | write `timeout = \"2s\"`"),
        (
            "#[op(write, destructive = 1)] fn f(&self) -> R {}",
            "1 | write `destructive = true` or `destructive = false`",
        ),
        (
            "#[op(write, open_world = \"no\")] fn f(&self) -> R {}",
            "\"no\" | write `open_world = true` or `open_world = false`",
        ),
        (
            "#[op(read, name = \"a b\")] fn f(&self) -> R {}",
            "\"a b\" | the operation name \"a b\" holds ' '; allowed are letters, digits and `-`, `_`, `.`",
        ),
    ] {
        assert!(problems(method).contains(&wanted.to_owned()), "{method}: {:?}", problems(method));
    }
}

#[test]
fn every_mistake_in_the_signature_is_told_at_its_token() {
    for (method, wanted) in [
        (
            "#[op(read)] fn f(&mut self) -> R {}",
            "&mut self | an operation takes `&self`: all calls share the component",
        ),
        (
            "#[op(read)] fn f(self: Arc<Self>) -> R {}",
            "self: Arc<Self> | an operation takes `&self`: all calls share the component",
        ),
        ("#[op(read)] fn f() -> R {}", "f | an operation takes `&self`: all calls share the component"),
        ("#[op(read)] fn f(a: u8) -> R {}", "a: u8 | an operation takes `&self`: all calls share the component"),
        (
            "#[op(read)] fn f(&self, (a, b): (u8, u8)) -> R {}",
            "(a, b) | an argument of an operation is a plain name; take it apart inside",
        ),
        (
            "#[op(read)] fn f(&self, _: u8) -> R {}",
            "_ | an argument of an operation is a plain name; take it apart inside",
        ),
        (
            "#[op(read)] fn f(&self, a: &mut u8) -> R {}",
            "&mut u8 | what a caller sends cannot be changed for it; take `&` or the value",
        ),
        (
            "#[op(read)] fn f(&self, a: impl Into<u8>) -> R {}",
            "impl Into<u8> | an operation cannot be generic; name the type, or make the component generic",
        ),
        (
            "#[op(read)] fn f<T>(&self, a: T) -> R {}",
            "T | an operation cannot be generic; name the type, or make the component generic",
        ),
        (
            "#[op(read)] fn f(&self, #[arg(default = None)] a: Option<u8>) -> R {}",
            "None | an `Option` is `None` when it is left out; take away the default or the `Option`",
        ),
        (
            "#[op(read)] fn f(&self, #[arg(min = 3)] a: u8) -> R {}",
            "min | `arg` has no argument `min`; there are: `default`",
        ),
        ("#[op(read)] fn f(&self) {}", "f | an operation returns a `Result`: write `-> Result<()>`"),
        (
            "#[op(read)] fn f(&self) -> impl Stream<Item = u8> {}",
            "impl Stream<Item = u8> | a stream outlives the call and borrows nothing of it; write \
             `impl Stream<Item = Result<…>> + Send + use<>`",
        ),
        (
            "#[op(read)] async fn f(&self) -> R<impl Stream<Item = u8> + Send + use<'_>> {}",
            "'_ | a stream outlives the call and borrows nothing of it; leave the lifetime out",
        ),
        (
            "#[op(read)] fn f(&self) -> impl Stream<Item = u8> + use<> {}",
            "impl Stream<Item = u8> + use<> | a stream changes threads; write \
             `impl Stream<Item = Result<…>> + Send + use<>`",
        ),
        (
            "#[op(read)] fn f(&self) -> impl Stream + Send + use<> {}",
            "impl Stream + Send + use<> | say what the items are; write \
             `impl Stream<Item = Result<…>> + Send + use<>`",
        ),
        (
            "#[op(read, resumable)] fn f(&self) -> R {}",
            "resumable | only a stream can be resumed; leave it out, or return `impl Stream`",
        ),
        (
            "#[op(read)] fn f(&self) -> impl Sized {}",
            "impl Sized | an operation returns a `Result` of a type with a name; write it out",
        ),
    ] {
        assert_eq!(problems(method), [wanted], "{method}");
    }
}

#[test]
fn docs_are_asked_for_and_held_against_the_arguments() {
    let (_, problems) = judged(
        "",
        "impl Shelf {
            #[op(read)] fn f(&self) -> R {}
            /// Does.
            ///
            /// # Arguments
            /// * `text` - what
            /// * `txt` - what
            #[op(read)] fn g(&self, text: u8) -> R {}
        }",
    );
    assert_eq!(problems[0], "f | say what `f` does: write `/// …` above it");
    assert!(
        problems[1].ends_with("| `txt` is no argument of this operation; correct the name or leave the line out"),
        "{problems:?}"
    );
    assert_eq!(problems.len(), 2);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let (service, problems) = judged(
        "title = 3",
        "impl Shelf {
            #[op(wait)] fn f(self, (a, b): (u8, u8)) {}
            /// Does.
            #[op(read)] fn g(&self) -> R {}
            /// Does.
            #[op(read, name = \"g\")] fn h(&self) -> R {}
            /// Does.
            #[cfg(windows)] #[op(read, name = \"g\")] fn i(&self) -> R {}
        }",
    );
    let tokens: Vec<_> = problems.iter().map(|problem| problem.split(" | ").next().unwrap()).collect();
    assert_eq!(tokens, ["title", "wait", "op", "f", "self", "(a, b)", "f", "\"g\""]);
    assert!(problems[7].ends_with("there is an operation `g` already; write another `#[op(name = \"…\")]`"));
    assert_eq!(service.unwrap().operations.len(), 2);
}

#[test]
fn the_place_of_the_attribute_is_judged() {
    for (arguments, item, wanted) in [
        ("", "struct A;", "struct A; | `service` goes on an `impl` block or a trait"),
        (
            "",
            "impl Count for Shelf { /// D.\n #[op(read)] fn f(&self) -> R {} }",
            "Count | `service` goes on the block of a type, or on the trait itself; then list the trait in \
             `#[component(services(…))]`",
        ),
        ("", "impl Shelf {}", "Shelf | there is no operation here; write `#[op(read)]` or `#[op(write)]` on a method"),
        (
            "",
            "impl<'a> Shelf<'a> { /// D.\n #[op(read)] fn f(&self) -> R {} }",
            "'a | a component owns what it holds; leave the lifetime out",
        ),
        (
            "",
            "impl [u8] { /// D.\n #[op(read)] fn f(&self) -> R {} }",
            "[u8] | `service` goes on the block of a struct",
        ),
        (
            "",
            "trait Count<'a> { /// D.\n #[op(read)] fn f(&self) -> R; }",
            "'a | what crosses the wire is owned; leave the lifetime out",
        ),
        (
            "",
            "trait Count { /// D.\n #[op(read)] fn f(&self, other: Self) -> R; }",
            "Self | a contract's client does not know who implements it; name the type",
        ),
        (
            "name = \"Admin\"",
            "impl Shelf { /// D.\n #[op(read)] fn f(&self) -> R {} }",
            "\"Admin\" | write a bare name, as `name = Admin`",
        ),
        (
            "component = \"a b\"",
            "trait Count { /// D.\n #[op(read)] fn f(&self) -> R; }",
            "\"a b\" | the component's name \"a b\" holds ' '; allowed are letters, digits and `-`, `_`, `.`",
        ),
    ] {
        assert_eq!(judged(arguments, item).1, [wanted], "{item}");
    }
}

#[test]
fn what_the_macro_alone_understands_is_taken_away_even_from_a_wrong_item() {
    let item = "impl Shelf { #[op(wrong)] fn f(self, /** D. */ #[arg(min = 1)] a: u8) { body() } }";
    let code = expand("".parse().unwrap(), item.parse().unwrap()).to_string();
    assert!(code.starts_with("impl Shelf { fn f (self , a : u8) { body () } }"), "{code}");
    assert_eq!(code.matches("compile_error").count(), 6, "{code}");
}

#[test]
fn a_stream_is_known_by_its_items_and_by_how_it_begins() {
    let (service, problems) = judged(
        "",
        "impl Shelf {
            /// Lists.
            #[op(read)]
            fn all(&self) -> impl futures::Stream<Item = Result<Self>> + Send + use<> {}
            /// Lists what there is.
            #[op(write, resumable)]
            async fn some(&self) -> Result<impl Send + Stream<Item = Fine> + use<>, Own> {}
            /// Is none.
            #[op(read)]
            async fn once(&self) -> Result<Stream<u8>> {}
        }",
    );
    assert_eq!(problems, [""; 0]);
    let service = service.unwrap();
    let streams: Vec<_> =
        service.operations.iter().map(|operation| (operation.output.to_string(), operation.stream)).collect();
    let stream = |is_fallible, is_resumable| Some(Stream { is_fallible, is_resumable });
    let wanted =
        [("Result < Shelf >", stream(false, false)), ("Fine", stream(true, true)), ("Result < Stream < u8 > >", None)];
    assert_eq!(streams, wanted.map(|(item, stream)| (item.to_owned(), stream)));
}
