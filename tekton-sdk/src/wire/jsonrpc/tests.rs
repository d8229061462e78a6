//! Messages of anybody in, the answers that the specification asks for out, and a client against a peer that misbehaves.

use proptest::prelude::*;
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};

use super::*;
use crate::error::ErrorKind;

/// A server whose every method gives its parameters back, but `fail`.
fn echo(message: &str, limits: RpcLimits) -> Option<String> {
    answer(message.as_bytes(), &limits, |request| match (&*request.method, request.params) {
        ("fail", _) => Err(RpcError::new(7, "it failed").with_data(to_raw_value(&[1]).unwrap())),
        (_, Some(params)) => Ok(params.to_owned()),
        (method, None) => Ok(to_raw_value(method).unwrap()),
    })
}

fn said(message: &str) -> String {
    echo(message, RpcLimits::default()).unwrap_or_default()
}

fn code_and_id(answer: &str) -> (i64, Value) {
    let answer: Value = serde_json::from_str(answer).unwrap();
    assert_eq!((answer.get("result"), &answer["jsonrpc"]), (None, &json!("2.0")));
    (answer["error"]["code"].as_i64().unwrap(), answer["id"].clone())
}

#[test]
fn what_is_raw_comes_back_byte_for_byte() {
    for raw in ["[ 1.0,\t1e2 ]", r#"{"a" : "\u0041"}"#, "[18446744073709551616]"] {
        for id in ["1.0", "-0", "18446744073709551616", r#""\u0041/\/""#, "null", r#""""#] {
            let wanted = format!(r#"{{"jsonrpc":"2.0","result":{raw},"id":{id}}}"#);
            assert_eq!(
                said(&format!(r#" {{"id" : {id} , "params":{raw}, "method":"m","jsonrpc":"2\u002e0"}}"#)),
                wanted
            );
        }
    }
}

#[test]
fn an_invalid_request_is_told_from_what_is_no_json() {
    for (message, code) in [
        (r#"{"jsonrpc":"2.0","method":"m","method":"m","id":1}"#, RpcError::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","method":"m","method":"m","id":1"#, RpcError::PARSE_ERROR),
        (r#"{"jsonrpc":"2.0","method":"m","method":"m","id":1}}"#, RpcError::PARSE_ERROR),
        (r#"{"jsonrpc":"2.0","method":"\ud800","id":null}"#, RpcError::INVALID_REQUEST),
        (r#"{"\ud800":1}"#, RpcError::INVALID_REQUEST),
        (r#"["2.0",1,"m"]"#, RpcError::INVALID_REQUEST),
        ("[]", RpcError::INVALID_REQUEST),
        ("[1]2", RpcError::PARSE_ERROR),
        ("[1,]", RpcError::PARSE_ERROR),
        ("\u{a0}[1]", RpcError::PARSE_ERROR),
        ("\u{feff}{}", RpcError::PARSE_ERROR),
        ("", RpcError::PARSE_ERROR),
    ] {
        let answer = said(message);
        let answer = answer.strip_prefix('[').map_or(&*answer, |list| list.split_inclusive('}').next().unwrap());
        assert!(answer.contains(&format!(r#""code":{code}"#)), "{message}: {answer}");
    }
    let not_text = answer(b"{\"a\":\"\xff\"}", &RpcLimits::default(), |_| unreachable!()).unwrap();
    assert_eq!(code_and_id(&not_text), (RpcError::PARSE_ERROR, json!(null)));
}

#[test]
fn an_invalid_request_is_answered_with_its_id_unless_that_may_be_one_of_ours() {
    for (members, id) in [
        (r#""method":"m""#, json!(1)),
        (r#""jsonrpc":"2.0","method":5"#, json!(1)),
        (r#""jsonrpc":"2.0","method":"m","params":null"#, json!(1)),
        (r#""jsonrpc":"1.0","result":1"#, json!(null)),
        (r#""jsonrpc":"2.0","result":1"#, json!(null)),
        (r#""jsonrpc":"2.0""#, json!(null)),
    ] {
        let answer = said(&format!(r#"{{{members},"id":1}}"#));
        assert_eq!(code_and_id(&answer), (RpcError::INVALID_REQUEST, id), "{members}");
    }
    for id in ["true", "[1]", "{}"] {
        let answer = said(&format!(r#"{{"jsonrpc":"2.0","method":"m","id":{id}}}"#));
        assert_eq!(code_and_id(&answer), (RpcError::INVALID_REQUEST, json!(null)), "{id}");
    }
}

#[test]
fn one_broken_entry_does_not_spoil_a_batch() {
    let batch = r#"[{"\ud800":1},[],{"jsonrpc":"2.0","method":"fail","id":2},{"jsonrpc":"2.0","method":"fail"},
        {"jsonrpc":"2.0","method":"m","id":2},{"jsonrpc":"2.0","method":"n"},{"jsonrpc":"2.0","result":1,"id":3}]"#;
    let answers: Vec<Value> = serde_json::from_str(&said(batch)).unwrap();
    assert_eq!(answers[2]["error"], json!({"code": 7, "message": "it failed", "data": [1]}));
    assert_eq!(answers[3], json!({"jsonrpc": "2.0", "result": "m", "id": 2}));
    let refused = [0, 1, 4].map(|n| code_and_id(&answers[n].to_string()));
    assert_eq!((answers.len(), refused), (5, [(); 3].map(|()| (RpcError::INVALID_REQUEST, json!(null)))));
    assert_eq!(said(r#"[{"jsonrpc":"2.0","method":"fail"},{"jsonrpc":"2.0","method":"n"}]"#), "");
}

#[test]
fn each_cap_is_exact_and_named() {
    let limits = RpcLimits::default().with_max_message_bytes(100).with_max_depth(4).with_max_batch(3);
    let call = |params: &str| format!(r#"{{"jsonrpc":"2.0","method":"m","id":1,"params":{params}}}"#);
    let padded = |bytes: usize| format!("{:bytes$}", call("[]"));
    for (message, cap) in [
        (padded(100), None),
        (padded(101), Some("larger than the 100 bytes")),
        (call(r#"[[["[[["]]]"#), None),
        (call("[[[[]]]]"), Some("nested deeper than the 4 levels")),
        ("[1,2,3]".into(), None),
        ("[1,2,3,4]".into(), Some("more than the 3 entries")),
    ] {
        let answer = echo(&message, limits).unwrap();
        match cap {
            Some(cap) => assert!(answer.contains(cap) && code_and_id(&answer).1.is_null(), "{answer}"),
            None => assert!(!answer.contains("allowed"), "{answer}"),
        }
    }
    let flood = format!("[{}1]", "1,".repeat(500_000));
    assert!(said(&flood).contains("10000 entries"));
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    assert!(said(&call(&deep)).contains("128 levels"));
    assert!(said(&deep).contains("128 levels"));
}

/// A client with these calls waiting, and what it is told of a message.
fn receive<'a>(calls: &mut Calls<&'static str>, message: &'a str) -> Vec<Received<'a, &'static str>> {
    let mut all = Vec::new();
    calls.receive(message.as_bytes(), &RpcLimits::default(), |received| all.push(received)).unwrap();
    all
}

fn one<'a>(calls: &mut Calls<&'static str>, message: &'a str) -> Received<'a, &'static str> {
    let mut all = receive(calls, message);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn waiting(tokens: &[&'static str]) -> Calls<&'static str> {
    let mut calls = Calls::new(8);
    for token in tokens {
        calls.call(*token, "m", None::<&RawValue>).unwrap();
    }
    calls
}

#[test]
fn an_answer_is_matched_once_and_by_the_exact_id() {
    let mut calls = waiting(&["a", "b"]);
    for other in [r#""1""#, "1.0", "01e0", "3", "0", "-1", "null", r#""x""#] {
        let message = format!(r#"{{"jsonrpc":"2.0","result":5,"id":{other}}}"#);
        if other == "01e0" {
            assert_eq!(calls.receive(message.as_bytes(), &RpcLimits::default(), |_| ()).unwrap_err().code, -32_700);
            continue;
        }
        assert!(matches!(one(&mut calls, &message), Received::Unknown(_)), "{other}");
    }
    let message = r#"{"jsonrpc":"2.0","result":5,"id":1}"#;
    assert!(
        matches!(one(&mut calls, message), Received::Answer { id: 1, token: "a", outcome: Ok(five), .. } if five.get() == "5")
    );
    assert!(matches!(one(&mut calls, message), Received::Late(late) if late.id == Id::from(1)));
    assert_eq!((calls.forget(2), calls.forget(2)), (Some("b"), None));
    assert!(matches!(one(&mut calls, &message.replace("1}", "2}")), Received::Late(_)));
    assert_eq!(calls.waiting(), 0);
}

#[test]
fn a_broken_answer_ends_its_call() {
    for (members, said) in [
        ("", "`method` is missing"),
        (r#","result":1,"error":{"code":1,"message":"m"}"#, "exclude each other"),
        (r#","error":{"code":1}"#, "`error` must have"),
        (r#","error":{"code":1.5,"message":"m"}"#, "`error` must have"),
        (r#","error":[1,"m",2]"#, "`error` must have"),
        (r#","error":null"#, "`error` must have"),
    ] {
        let message = format!(r#"{{"jsonrpc":"2.0","id":1{members}}}"#);
        let mut calls = waiting(&["a"]);
        let Received::Broken { id: 1, token: "a", error } = one(&mut calls, &message) else { panic!("{message}") };
        assert!(error.kind() == ErrorKind::Codec && error.to_string().contains(said), "{error}");
        assert_eq!(calls.waiting(), 0);
    }
    let old = r#"{"jsonrpc":"1.0","result":1,"id":1}"#;
    assert!(matches!(one(&mut waiting(&["a"]), old), Received::Broken { .. }));
}

#[test]
fn of_result_and_error_the_one_that_is_null_counts_as_absent() {
    for (members, wanted) in [
        (r#""result":null"#, Ok("null")),
        (r#""result":5,"error":null"#, Ok("5")),
        (r#""result":null,"error":null"#, Ok("null")),
        (r#""result":null,"error":{"code":1,"message":"m\u0021","data":null}"#, Err(("m!", Some("null")))),
        (r#""error":{"code":1,"message":"m","more":{}}"#, Err(("m", None))),
    ] {
        let message = format!(r#"{{"jsonrpc":"2.0","id":1,{members}}}"#);
        let mut calls = waiting(&["a"]);
        let Received::Answer { outcome, .. } = one(&mut calls, &message) else { panic!("{message}") };
        let outcome = outcome.map(|result| result.get().to_owned()).map_err(RpcError::into_owned);
        let error = outcome.as_ref().map_err(|error| (&*error.message, error.data.as_ref().map(|data| data.get())));
        assert_eq!(error.map(String::as_str), wanted, "{message}");
    }
}

#[test]
fn a_request_of_the_other_side_is_no_answer_even_with_the_same_id() {
    let mut calls = waiting(&["a"]);
    let message = r#"{"jsonrpc":"2.0","method":"ask","id":1}"#;
    let Received::Request(request) = one(&mut calls, message) else { panic!() };
    let refusal = Response::new(request.id.unwrap(), Err(RpcError::method_not_found())).encode();
    assert_eq!(refusal, r#"{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":1}"#);
    let broken = r#"{"jsonrpc":"2.0","method":5,"id":1}"#;
    assert!(matches!(one(&mut calls, broken), Received::Invalid(_)));
    assert_eq!(calls.forget_all().collect::<Vec<_>>(), [(1, "a")]);
}

#[test]
fn a_batch_is_answered_in_any_order_and_what_is_left_out_is_over() {
    let mut calls = waiting(&["alone"]);
    let raw = to_raw_value(&[1]).unwrap();
    let (ids, text) = calls.batch([("a", "m", None), ("b", "n", Some(&*raw)), ("c", "m", None)]).unwrap();
    let wanted = r#"[{"jsonrpc":"2.0","method":"m","id":2},{"jsonrpc":"2.0","method":"n","params":[1],"id":3},{"jsonrpc":"2.0","method":"m","id":4}]"#;
    assert_eq!((ids, &*text), (2..5, wanted));
    let message = r#"[{"jsonrpc":"2.0","result":"C","id":4},5,{"jsonrpc":"2.0","result":"A","id":2},{"jsonrpc":"2.0","result":"?","id":9}]"#;
    let all = receive(&mut calls, message);
    let [c, five, a, unknown, b] = &*all else { panic!("{all:?}") };
    assert!(matches!(c, Received::Answer { token: "c", .. }) && matches!(a, Received::Answer { token: "a", .. }));
    assert!(matches!(five, Received::Invalid(_)) && matches!(unknown, Received::Unknown(_)));
    let Received::Broken { id: 3, token: "b", error } = b else { panic!("{b:?}") };
    assert_eq!((error.kind(), calls.waiting()), (ErrorKind::Codec, 1), "the call alone goes on");
    assert_eq!(calls.batch([]).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn a_batch_may_be_answered_one_by_one() {
    let mut calls = Calls::new(2);
    calls.batch([("a", "m", None), ("b", "m", None)]).unwrap();
    for (id, token) in [(2, "b"), (1, "a")] {
        let message = format!(r#"{{"jsonrpc":"2.0","result":0,"id":{id}}}"#);
        assert!(matches!(one(&mut calls, &message), Received::Answer { token: t, .. } if t == token));
    }
}

#[test]
fn too_many_calls_are_refused_and_nothing_of_them_waits() {
    let mut calls = Calls::new(2);
    let refused = calls.batch([("a", "m", None), ("b", "m", None), ("c", "m", None)]).unwrap_err();
    assert!(refused.kind() == ErrorKind::Rejected && refused.to_string().contains("the 2 allowed"), "{refused}");
    assert_eq!(calls.call("a", "m", Some(&5)).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(calls.waiting(), 0);
    let ids = [1, 2].map(|_| calls.call("a", "m", Some(&json!({}))).unwrap().0);
    assert_eq!((ids, calls.call("b", "m", Some(&json!({}))).unwrap_err().kind()), ([1, 2], ErrorKind::Rejected));
}

#[test]
fn a_notification_has_no_id_and_names_are_escaped() {
    let text = notification("n\"\n", Some(&json!([1]))).unwrap();
    assert_eq!(text, r#"{"jsonrpc":"2.0","method":"n\"\n","params":[1]}"#);
    assert_eq!(notification("n", None::<&RawValue>).unwrap(), r#"{"jsonrpc":"2.0","method":"n"}"#);
    assert_eq!(notification("n", Some("text")).unwrap_err().kind(), ErrorKind::Invalid);
}

const MEMBERS: &[&str] = &["jsonrpc", "method", "params", "id", "result", "error", "code", "message", "data"];

proptest! {
    #[test]
    fn any_message_is_answered_by_json_or_nothing(value in crate::wire::arbitrary::value(MEMBERS), cut in any::<usize>()) {
        let text = value.to_string().replace("true", "\"2.0\"");
        for message in [&*text, text.get(..cut % (text.len() + 1)).unwrap_or("")] {
            if let Some(answer) = echo(message, RpcLimits::default()) {
                prop_assert!(serde_json::from_str::<Value>(&answer).is_ok(), "{}", answer);
            }
            let _ = waiting(&["a"]).receive(message.as_bytes(), &RpcLimits::default(), |_| ());
        }
    }

    #[test]
    fn every_call_of_a_valid_batch_is_answered_once_and_no_notification(
        entries in prop::collection::vec((prop::option::of("[ -~]{0,5}"), "[ -~]{1,5}"), 1..20),
    ) {
        let members = |(id, method): &(Option<String>, String)| match id {
            Some(id) => json!({"jsonrpc": "2.0", "method": format!("m{method}"), "id": id}),
            None => json!({"jsonrpc": "2.0", "method": format!("m{method}")}),
        };
        let batch: Value = entries.iter().map(members).collect();
        let answer = echo(&batch.to_string(), RpcLimits::default());
        let answers: Vec<Value> = answer.map_or(Vec::new(), |text| serde_json::from_str(&text).unwrap());
        let wanted = entries.iter().filter_map(|(id, method)| {
            Some(json!({"jsonrpc": "2.0", "result": format!("m{method}"), "id": id.as_ref()?}))
        });
        prop_assert_eq!(answers, wanted.collect::<Vec<_>>());
    }
}
