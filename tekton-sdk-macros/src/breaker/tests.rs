use super::*;
use crate::support::problems::Problems;

/// What is wrong, each as `token | message`.
fn judged(arguments: &str, item: &str) -> (Option<model::Model>, Vec<String>) {
    let mut problems = Problems::default();
    let parsed = parse::parse(arguments.parse().unwrap(), item.parse().unwrap(), &mut problems);
    let model = model::model(parsed, &mut problems);
    (model, problems.messages())
}

const SIMPLE: &str = "async fn charge(&self) -> Result<()> { Ok(()) }";

#[test]
fn what_is_left_out_has_the_defaults_of_the_pattern() {
    let (model, problems) = judged("", SIMPLE);
    let model = model.unwrap();
    assert_eq!((model.failure_threshold, model.nanoseconds, model.name), (5, 60_000_000_000, None));
    assert_eq!(problems, [""; 0]);
}

#[test]
fn everything_can_be_said() {
    let arguments = r#"failure_threshold = 1, timeout = "1.5s", name = "billing::charge/card", crate = "mesh::sdk","#;
    let (model, problems) = judged(arguments, SIMPLE);
    let model = model.unwrap();
    assert_eq!((model.failure_threshold, model.nanoseconds), (1, 1_500_000_000));
    assert_eq!(model.name.as_deref(), Some("billing::charge/card"));
    let sdk = model.sdk;
    assert_eq!(quote!(#sdk).to_string(), "mesh :: sdk");
    assert_eq!(problems, [""; 0]);
}

#[test]
fn every_mistake_is_told_at_its_token() {
    let arguments = r#"failure_threshold = 0, timeout = "2 days", retries = 3, name = "a b", timeout = "1s""#;
    let (_, problems) = judged(arguments, "const unsafe extern \"C\" fn charge() {}");
    assert_eq!(
        problems,
        [
            "retries | `circuit_breaker` has no argument `retries`; there are: `failure_threshold`, `timeout`, `name`, `crate`",
            "timeout | `timeout` is given twice; keep one",
            "0 | write a whole number of at least 1, as `failure_threshold = 5`",
            "\"2 days\" | \"2 days\" is no duration; write one like \"60s\", \"250ms\" or \"5min\"",
            "\"a b\" | the breaker's name \"a b\" holds ' '; allowed are letters, digits and `-`, `_`, `.`, `:`, `/`",
            "const | a breaker counts while the program runs, and a `const fn` cannot",
            "unsafe | the body of an `unsafe fn` cannot move into a breaker; put it on a safe function that calls this one",
            "extern \"C\" | others call this one without knowing of a breaker; put it on a Rust function that calls this one",
            "charge | a function with a breaker returns a `Result`: write `-> tekton_sdk::Result<()>`",
        ]
    );
}

#[test]
fn every_wrong_value_is_told_what_to_write() {
    let threshold = "write a whole number of at least 1, as `failure_threshold = 5`";
    for (argument, wanted) in [
        ("failure_threshold = -1", format!("-1 | {threshold}")),
        ("failure_threshold = 1.5", format!("1.5 | {threshold}")),
        ("failure_threshold = \"5\"", format!("\"5\" | {threshold}")),
        ("failure_threshold = 4294967296", format!("4294967296 | {threshold}")),
        ("failure_threshold", "failure_threshold | write `failure_threshold = 5`".to_owned()),
        ("timeout = 60", "60 | write `timeout = \"60s\"`".to_owned()),
        (
            "timeout = \"0s\"",
            "\"0s\" | \"0s\" is no duration; write one like \"60s\", \"250ms\" or \"5min\"".to_owned(),
        ),
        ("name = \"\"", "\"\" | the breaker's name \"\" is empty".to_owned()),
    ] {
        assert_eq!(judged(argument, SIMPLE).1, [wanted]);
    }
}

#[test]
fn what_can_have_no_breaker_is_told_why() {
    for (item, wanted) in [
        (
            "fn f() -> impl Future<Output = Result<()>> + Send {}",
            "impl Future<Output = Result<()>> + Send | a breaker goes around the work, not around making its future; write \
             this as an `async fn`",
        ),
        ("fn f() -> impl Sized {}", "impl Sized | a function with a breaker returns a `Result`; name it"),
        (
            "async fn f(&self) -> Result<()>;",
            "f | this has no body to put a breaker around; put it on the implementation",
        ),
        ("struct Shelf;", "struct Shelf; | `circuit_breaker` goes on a function or a method"),
        (
            "#[tekton_sdk::circuit_breaker] fn f() -> Result<()> {}",
            "#[tekton_sdk::circuit_breaker] | there is a breaker around this function already; keep one",
        ),
    ] {
        assert_eq!(judged("", item).1, [wanted]);
    }
}

#[test]
fn what_is_refused_is_still_there() {
    for item in [SIMPLE, "struct Shelf;", "fn f( -> ) {}"] {
        let code = expand("failure_threshold = 0".parse().unwrap(), item.parse().unwrap()).to_string();
        let kept = item.parse::<TokenStream>().unwrap().to_string();
        assert!(code.contains("compile_error") && code.ends_with(&kept), "{code}");
    }
}

#[test]
fn the_impl_traits_of_a_result_are_found_out_from_the_body() {
    let output =
        "Result<(impl Fn(u8) -> Vec<u8> + Send, Box<dyn Any>, impl Iterator<Item = Option<u8>>), impl From<Refused>>";
    let code = expand(TokenStream::new(), format!("fn f() -> {output} {{}}").parse().unwrap()).to_string();
    assert!(code.contains("move || -> Result < (_ , Box < dyn Any > , _) , _ > {"), "{code}");
}
