use proc_macro2::TokenStream;
use quote::quote;

use super::expand;

/// The expansion without spaces, so that its formatting says nothing.
fn bare(arguments: TokenStream, item: TokenStream) -> String {
    expand(arguments, item).to_string().replace([' ', '\n'], "")
}

/// The texts of the errors, in order; the item must follow them untouched.
fn errors(arguments: TokenStream) -> Vec<String> {
    let item = quote!(
        struct Kept;
    );
    let code = expand(arguments, item).to_string();
    assert!(code.ends_with("struct Kept ;"), "{code}");
    let file: syn::File = syn::parse_str(&code).unwrap();
    let texts = file.items.iter().filter_map(|item| match item {
        syn::Item::Macro(call) if call.mac.path.segments.last().is_some_and(|last| last.ident == "compile_error") => {
            Some(call.mac.parse_body::<syn::LitStr>().unwrap().value())
        }
        _ => None,
    });
    texts.collect()
}

#[test]
fn a_named_kind_gets_its_defaults() {
    let code = bare(
        quote!(kind = "danger_zone", title = "Money moves", risks("twice", "never"), tags = ["money"]),
        quote!(
            /// Books a payment.
            ///
            /// Once only.
            struct Ledger;
        ),
    );
    let code = code.replace("::tekton_sdk::private::", "");
    for part in [
        r#"inventory::submit!{Landmark::new("danger_zone","Moneymoves","Booksapayment.\n\nOnceonly.")"#,
        ".at(::core::file!(),::core::line!(),::core::module_path!())",
        r#".tags(&["money"])"#,
        r#"("risk_level",Detail::Text("medium"))"#,
        r#"("risks",Detail::List(&[Detail::Text("twice"),Detail::Text("never")]))"#,
        r#"("mitigation",Detail::Text(""))"#,
        r#"("review_required",Detail::Flag(true))"#,
    ] {
        assert!(code.contains(part), "{part}\n{code}");
    }
    assert!(code.ends_with("structLedger;"), "{code}");
}

#[test]
fn a_free_kind_keeps_what_it_is_given() {
    let code = bare(
        quote!(kind = "review_note", title = "T", crate = "a::sdk", n = -3, f = 0.5, deep(of(x = [1, true]))),
        quote!(
            mod m {}
        ),
    );
    assert!(code.starts_with("a::sdk::private::inventory::submit!"), "{code}");
    let code = code.replace("a::sdk::private::", "");
    for part in [
        r#"("n",Detail::Whole(-3i64))"#,
        r#"("f",Detail::Number(0.5f64))"#,
        r#"("deep",Detail::Map(&[("of",Detail::Map(&[("x",Detail::List(&[Detail::Whole(1i64),Detail::Flag(true)]))]))]))"#,
    ] {
        assert!(code.contains(part), "{part}\n{code}");
    }
}

#[test]
fn a_function_holds_it_in_its_body_and_a_constant_in_its_value() {
    let arguments = || quote!(kind = "note", title = "T");
    let code = bare(
        arguments(),
        quote!(
            pub async fn f(&self) -> u8 {
                1
            }
        ),
    );
    assert!(code.starts_with("pubasyncfnf(&self)->u8{::tekton_sdk::private::inventory::submit!{"), "{code}");
    assert!(code.ends_with("}1}"), "{code}");
    let code = bare(
        arguments(),
        quote!(
            const A: u8 = 1;
        ),
    );
    assert!(
        code.starts_with("constA:u8={::tekton_sdk::private::inventory::submit!{") && code.ends_with("}1};"),
        "{code}"
    );
}

#[test]
fn what_is_compiled_on_a_condition_is_marked_on_it() {
    let code = bare(
        quote!(kind = "note", title = "T"),
        quote!(
            #[cfg(windows)]
            #[derive(Debug)]
            struct A;
        ),
    );
    assert!(code.starts_with("#[cfg(windows)]::tekton_sdk::private::inventory::submit!"), "{code}");
    assert!(code.ends_with("#[cfg(windows)]#[derive(Debug)]structA;"), "{code}");
}

#[test]
fn a_declaration_without_a_body_is_refused_and_kept() {
    for item in [
        quote!(
            /// Docs.
            fn f(&self) -> u8;
        ),
        quote!(
            const A: u8;
        ),
    ] {
        let code = expand(quote!(kind = "note", title = "T"), item.clone()).to_string();
        assert!(code.contains("without a body") && code.ends_with(&item.to_string()), "{code}");
    }
}

#[test]
fn everything_wrong_is_said_at_once() {
    let said = errors(quote!(
        kind = "danger_zone",
        title = 7,
        title = "again",
        risk_levl = "high",
        risk_level = "extreme",
        risks = "one",
        mitigation = true,
        review_required,
        tags(1),
        + broken
    ));
    assert_eq!(
        said,
        [
            "expected an argument as `title = \"…\"` or `tags(\"…\", \"…\")`",
            "`title` stands here a second time; leave one of the two out",
            "`title` is a text: `title = \"…\"`",
            "`tags` holds texts; write this one as `\"…\"`",
            "a landmark of kind \"danger_zone\" takes no `risk_levl`; did you mean `risk_level`?",
            "`risk_level` is one of \"low\", \"medium\", \"high\"",
            "`risks` is a list of texts: `risks(\"…\", \"…\")`",
            "`mitigation` is a text: `mitigation = \"…\"`",
            "`review_required` is `review_required = true` or `review_required = false`",
        ]
    );
}

#[test]
fn what_a_kind_needs_is_asked_for() {
    for (kind, needs) in [
        ("architecture_decision", &["rationale"][..]),
        ("performance_boundary", &["sla"]),
        ("api_contract", &["endpoint"]),
        ("danger_zone", &[]),
        ("integration_point", &["target_component", "protocol"]),
        ("state_checkpoint", &["state_type"]),
        ("anything_else", &[]),
    ] {
        let expected: Vec<_> =
            needs.iter().map(|name| format!("a landmark of kind {kind:?} needs `{name} = \"…\"`")).collect();
        assert_eq!(errors(quote!(kind = #kind, title = "T")), expected);
    }
    let said = errors(quote!());
    assert!(said.len() == 2 && said[0].contains("\"state_checkpoint\"") && said[1].contains("title"), "{said:?}");
}

#[test]
fn mistakes_are_answered_with_what_to_write() {
    for (arguments, part) in [
        (quote!(kind = "danger_zon", title = "T"), "did you mean \"danger_zone\"?"),
        (quote!(kind = "danger_zon", title = "T", risk = "x"), "did you mean `risks`?"),
        (quote!(kind = "two words", title = "T"), "one word"),
        (quote!(kind = "note", title = " "), "`title` is empty"),
        (quote!(kind = "note", title = "T", x), "`x` has no value; write `x = …`"),
        (quote!(kind = "note", title = "T", x = f()), "written out"),
        (quote!(kind = "note", title = "T", x = 99999999999999999999), "out of range"),
        (quote!(kind = "note", title = "T", x(a = 1, a = 2)), "`a` stands here a second time"),
        (quote!(kind = "note", title = "T", crate = "1 2"), "`crate` is a path"),
        (quote!(kind = "note" title = "T"), "expected a comma"),
        (quote!(kind = "api_contract", title = "T", endpoint = "/x", colour = "red"), "it takes `endpoint`, `method`"),
        (quote!(kind = "performance_boundary", title = "T", sla = "1s", metrics = "p99"), "`metrics(name = \"…\")`"),
        (quote!(kind = "integration_point", title = "T", target_component = "", protocol = "HTTP"), "is empty"),
    ] {
        let said = errors(arguments).join("; ");
        assert!(said.contains(part), "{part}\n{said}");
    }
}
