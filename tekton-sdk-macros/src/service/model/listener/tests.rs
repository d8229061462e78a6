use super::{
    super::{Service, model},
    *,
};
use crate::service::{self, parse};

/// What is wrong, each as `token | message`, and what is made of it all the same.
fn judged(item: &str) -> (Option<Service>, Vec<String>) {
    let mut problems = Problems::default();
    let parsed = parse::parse("".parse().unwrap(), item.parse().unwrap(), &mut problems);
    let service = parsed.and_then(|parsed| model(&parsed, &mut problems));
    if let Some(made) = &service {
        syn::parse2::<syn::File>(service::expand::expand(made)).unwrap();
    }
    (service, problems.messages())
}

fn problems(method: &str) -> Vec<String> {
    judged(&format!("impl Shelf {{ {method} }}")).1
}

#[test]
fn what_is_well_formed_is_understood() {
    let (service, problems) = judged(
        "impl<T> Shelf<T> {
            #[on_event] async fn a(&self, event: Self::Event) -> Outcome {}
            #[on_event(\"a.*\", \"b.>\", group = \"g\", dead_letters = \"dead.a\", start = \"oldest\", timeout = \"1s\",)]
            async fn b(&self, ctx: &Context, event: &str) -> R {}
            #[on_event(\"a\", every_instance, acked = false, when_full = \"keep_latest\", capacity = 9, concurrency = 2)]
            async fn c(&self, all: events::Heard<&'static str>, ctx: &Context) -> R {}
            #[on_event(\"a\", acked = true, dead_letters = \"b\", deliveries = 2)]
            async fn d(&self, Pattern { field }: Delivery<Self>) -> R {}
            #[on_event(\"a\", start = \"new\")]
            async fn e(&self, delivery: Delivery) -> R {}
        }",
    );
    assert_eq!(problems, [""; 0]);
    let service = service.unwrap();
    assert!(!service.is_called && service.operations.is_empty());
    let text = |tokens: &TokenStream| tokens.to_string().replace(' ', "");
    let all: Vec<_> = service.listeners.iter().map(|one| (one.form, one.context, text(&one.ty))).collect();
    assert_eq!(
        all,
        [
            (Form::Data(Pass::Value, false), None, "<Shelf<T>>::Event".to_owned()),
            (Form::Data(Pass::Borrowed, true), Some(Place::Before), "::std::string::String".to_owned()),
            (Form::Heard, Some(Place::Behind), "&'staticstr".to_owned()),
            (Form::Delivery, None, "Shelf<T>".to_owned()),
            (Form::Data(Pass::Value, false), None, "Delivery".to_owned()),
        ]
    );
    let [a, b, c, d, _] = &service.listeners[..] else { panic!("there are five") };
    assert!(a.topics.is_empty() && a.group.is_none() && !a.is_unacked);
    assert_eq!(
        (&b.topics[..], b.group.clone()),
        (&["a.*".to_owned(), "b.>".to_owned()][..], Some(Group::Named("g".to_owned())))
    );
    assert_eq!(
        (b.dead_letters.clone(), b.is_from_oldest, b.nanoseconds),
        (Some(("dead.a".to_owned(), 5)), true, Some(1_000_000_000))
    );
    assert_eq!((c.group.clone(), c.is_unacked, c.when_full), (Some(Group::Nobody), true, Some("KeepLatest")));
    assert_eq!((c.capacity, c.concurrency), (Some(9), Some(2)));
    assert_eq!((d.dead_letters.clone(), d.is_unacked), (Some(("b".to_owned(), 2)), false));
}

#[test]
fn every_mistake_in_the_attribute_is_told_at_its_token() {
    for (attribute, wanted) in [
        ("#[on_event(\"a..b\")]", "\"a..b\" | \"a..b\" is no filter: token 2 is empty"),
        ("#[on_event(\"a.>.b\")]", "\"a.>.b\" | \"a.>.b\" is no filter: token 2 is `>`, which stands at the end only"),
        ("#[on_event(\"a\", \"b\", \"a\")]", "\"a\" | this listener hears \"a\" already; leave one out"),
        ("#[on_event(7)]", "7 | write the topic in quotes, as `#[on_event(\"orders.*\")]`"),
        ("#[on_event = \"a\"]", "\"a\" | write the arguments in parentheses"),
        (
            "#[on_event(\"a\", retries = 3)]",
            "retries | `on_event` has no argument `retries`; there are: `group`, `every_instance`, `acked`, \
             `dead_letters`, `deliveries`, `concurrency`, `timeout`, `start`, `when_full`, `capacity`",
        ),
        ("#[on_event(\"a\", group = \"\")]", "\"\" | the group \"\" is empty"),
        (
            "#[on_event(\"a\", group = \"g\", every_instance)]",
            "\"g\" | what every instance hears is shared with nobody; leave the group out",
        ),
        ("#[on_event(\"a\", acked = 1)]", "1 | write `acked = true` or `acked = false`"),
        (
            "#[on_event(\"a\", acked = false, dead_letters = \"b\")]",
            "\"b\" | what is not acknowledged is handed over once; leave the dead letters out",
        ),
        (
            "#[on_event(\"a\", dead_letters = \"dead.*\")]",
            "\"dead.*\" | \"dead.*\" is no topic: token 2 is a wildcard, and an event has one topic",
        ),
        (
            "#[on_event(\"a\", deliveries = 3)]",
            "deliveries | say where an event goes after them: `dead_letters = \"dead.orders\"`",
        ),
        ("#[on_event(\"a\", concurrency = 0)]", "0 | write how many events are handled at once, as `concurrency = 4`"),
        ("#[on_event(\"a\", capacity = \"x\")]", "\"x\" | write how many events wait at most, as `capacity = 100`"),
        (
            "#[on_event(\"a\", timeout = \"soon\")]",
            "\"soon\" | \"soon\" is no duration; write one like \"2s\", \"250ms\" or \"5min\"",
        ),
        ("#[on_event(\"a\", start = \"now\")]", "\"now\" | \"now\" is no beginning; write \"new\" or \"oldest\""),
        (
            "#[on_event(\"a\", when_full = \"wait\")]",
            "\"wait\" | \"wait\" is none; write \"block\", \"drop_oldest\", \"drop_newest\", \"fail\" or \"keep_latest\"",
        ),
        (
            "#[on_event(\"a\")] #[on_event(\"b\")]",
            "#[on_event(\"b\")] | there is an `#[on_event]` on this method already; write all topics into one",
        ),
    ] {
        assert_eq!(problems(&format!("{attribute} async fn f(&self, event: u8) -> R {{}}")), [wanted], "{attribute}");
    }
}

#[test]
fn every_mistake_in_the_signature_is_told_at_its_token() {
    for (method, wanted) in [
        ("async fn f(self, event: u8) -> R {}", "self | a listener takes `&self`: all events share the component"),
        ("async fn f(event: u8) -> R {}", "event: u8 | a listener takes `&self`: all events share the component"),
        ("fn f(&self, event: u8) -> R {}", "f | a listener is `async`: write `async fn`"),
        ("async fn f(&self) -> R {}", "f | a listener takes what it hears: write `event: …` behind `&self`"),
        (
            "async fn f(&self, ctx: &Context) -> R {}",
            "f | a listener takes what it hears: write `event: …` behind `&self`",
        ),
        (
            "async fn f(&self, a: u8, b: u8) -> R {}",
            "b: u8 | a listener takes one event; take a `Delivery` for what goes with it, or a `Heard` for gaps too",
        ),
        (
            "async fn f(&self, a: &Context, b: u8, c: &Context) -> R {}",
            "c: &Context | the context is there already; leave one out",
        ),
        ("async fn f(&self, a: &mut u8) -> R {}", "&mut u8 | what is heard is its listener's own; take the value"),
        (
            "async fn f(&self, a: impl Sized) -> R {}",
            "impl Sized | a listener cannot be generic; name the type, or make the component generic",
        ),
        (
            "async fn f<T>(&self, a: T) -> R {}",
            "T | a listener cannot be generic; name the type, or make the component generic",
        ),
        ("async fn f(&self, a: u8) {}", "f | a listener returns a `Result`: write `-> Result<()>`"),
        ("async fn f(&self, a: u8) -> impl Sized {}", "f | a listener returns a `Result`: write `-> Result<()>`"),
    ] {
        assert_eq!(problems(&format!("#[on_event(\"a\")] {method}")), [wanted], "{method}");
    }
}

#[test]
fn it_is_no_operation_and_no_part_of_a_contract() {
    let both = problems("/// Does.\n #[op(read)] #[on_event(\"a\")] async fn f(&self, a: u8) -> R {}");
    let message =
        "#[op(read)] | a method is an operation or a listener; take one attribute away, or call the one in the other";
    assert_eq!(both, [message]);
    let contract =
        "trait Count { /// D.\n #[op(read)] fn f(&self) -> R; #[on_event(\"a\")] async fn g(&self, a: u8) -> R; }";
    let wanted = "#[on_event(\"a\")] | a contract is what can be asked; a component listens in a block of its own";
    assert_eq!(judged(contract).1, [wanted]);
}

#[test]
fn its_attribute_is_taken_away_even_from_a_wrong_one() {
    let item = "impl Shelf { #[on_event(7)] fn f(self) { body() } }";
    let code = service::expand("".parse().unwrap(), item.parse().unwrap()).to_string();
    assert!(code.starts_with("impl Shelf { fn f (self) { body () } }"), "{code}");
    assert_eq!(code.matches("compile_error").count(), 5, "{code}");
}
