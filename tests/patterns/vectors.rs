//! The known answers are given, the rules of skipping stand on their page, and the runner finds what is wrong.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::{Value, json};
use tekton_sdk_vectors::{REQUIRES, Report, Rule, SUITES, run};

fn open(suite: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(suite).join("open.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn report(suite: &str, file: &Value) -> Report {
    run(suite, file.to_string().as_bytes()).unwrap()
}

/// Runs an open case after `change`, alone.
fn changed(suite: &str, id: &str, change: impl FnOnce(&mut Value)) -> Report {
    let file = open(suite);
    let mut case = file["cases"].as_array().unwrap().iter().find(|case| case["id"] == id).unwrap().clone();
    change(&mut case);
    report(suite, &json!({"suite": suite, "version": 1, "defaults": file["defaults"], "cases": [case]}))
}

fn assert_fails(suite: &str, id: &str, said: &str, change: impl FnOnce(&mut Value)) {
    let report = changed(suite, id, change);
    let [(failed, why)] = report.failed() else { panic!("{id} did not fail: {report}") };
    assert!(failed == id && why.contains(said), "{report}");
}

#[test]
fn every_open_case_gives_the_known_answer_or_falls_under_a_rule() {
    for (suite, passed, skipped) in [
        ("breaker", 35, 0),
        ("cloudevents", 37, 7),
        ("json-parse", 191, 0),
        ("jsonrpc-client", 22, 0),
        ("jsonrpc-server", 64, 0),
        ("mcp-messages", 40, 216),
        ("sse-http", 39, 0),
        ("sse-parse", 119, 0),
        ("trace-context", 53, 0),
        ("websocket", 21, 5),
    ] {
        let report = report(suite, &open(suite));
        assert!(report.failed().is_empty(), "{suite}: {report}");
        assert_eq!((report.passed(), report.skipped().len()), (passed, skipped), "{suite}");
    }
    let folders = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors")).unwrap();
    let with_cases = folders.map(|entry| entry.unwrap().path()).filter(|path| path.join("open.json").is_file());
    let named: BTreeSet<_> = with_cases.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(named, SUITES.iter().map(|suite| suite.name().to_owned()).collect(), "a folder is a suite");
}

#[test]
fn every_rule_stands_on_the_page_with_its_reason_and_no_other_does() {
    let page = include_str!("../../docs/conformance.md");
    let row = |suite: &str, rule: &Rule| format!("| {suite} | `{}` | {} |", rule.name(), rule.reason());
    let mut rows = vec![row("every suite", &REQUIRES)];
    for suite in SUITES {
        assert!(page.contains(&format!("| `{}` |", suite.name())), "{} has no row", suite.name());
        rows.extend(suite.rules().iter().map(|rule| row(suite.name(), rule)));
    }
    let (_, table) = page.split_once("| suite | rule | reason |\n|---|---|---|\n").unwrap();
    let written: Vec<_> = table.lines().take_while(|line| line.starts_with('|')).collect();
    assert_eq!(written, rows);
}

/// Changes what the last step of a scenario, an `expect`, expects.
fn expect_at_the_end(case: &mut Value, key: &str, wanted: Value) {
    let last = case["steps"].as_array_mut().unwrap().last_mut().unwrap();
    assert_eq!(last["op"], "expect");
    last[key] = wanted;
}

#[test]
fn a_case_is_skipped_by_the_rule_it_falls_under() {
    let skipped = |suite: &str, id: &str, change: fn(&mut Value)| {
        let report = changed(suite, id, change);
        let [skipped] = report.skipped() else { panic!("{id} was judged: {report}") };
        skipped.rule.name()
    };
    let header = |case: &mut Value| case["headers"] = json!([["trace parent", "x"]]);
    assert_eq!(skipped("trace-context", "flags-00", header), "unsendable");
    assert_eq!(skipped("trace-context", "flags-00", |case| case["requires"] = json!("time travel")), "requires");
    let icons = |case: &mut Value| case["instance"]["icons"] = json!([{"mimeType": "image/png"}]);
    assert_eq!(skipped("mcp-messages", "tool-icons-bad@2025-11-25", icons), "kept-as-it-came");
    let null = |case: &mut Value| {
        case["instance"]["description"] = json!(null);
        case["valid"] = json!(false);
    };
    assert_eq!(skipped("mcp-messages", "tool-min@2025-11-25", null), "null-is-absent");
    let requires = |case: &mut Value| case["instance"]["inputSchema"]["required"] = json!("a");
    assert_eq!(skipped("mcp-messages", "tool-min@2026-07-28", requires), "no-json-schema");
    let list = "ListToolsResult/tools-list-with-cursor-and-ttl";
    let no_tools = |case: &mut Value| {
        case["instance"]["tools"] = json!(5);
        case["valid"] = json!(false);
    };
    assert_eq!(skipped("mcp-messages", list, no_tools), "around-tools");
    assert_eq!(skipped("mcp-messages", "tool-name-space@2026-07-28", |_| {}), "schema-says");
    assert_eq!(skipped("mcp-messages", list, |case| case["type"] = json!("Root")), "not-tools");
    assert_eq!(
        skipped("breaker", "open-late-results", |case| expect_at_the_end(case, "buffered_calls", json!(7))),
        "late-result"
    );
    let half_open = |case: &mut Value| {
        case["steps"].as_array_mut().unwrap().insert(4, json!({"op": "half_open"}));
        expect_at_the_end(case, "state", json!("open"));
    };
    assert_eq!(skipped("breaker", "open-late-results", half_open), "late-result");
    assert_eq!(skipped("mcp-messages", list, |case| case["version"] = json!("2025-06-18")), "older-revision");
    let binary = |case: &mut Value| case["server_frames"] = json!([{"binary": "x"}]);
    assert_eq!(skipped("jsonrpc-client", "close-pending", binary), "socket");
    let batch = |case: &mut Value| case["call"] = json!({"batch": []});
    assert_eq!(skipped("jsonrpc-client", "close-pending", batch), "socket");
    assert_eq!(skipped("websocket", "frame-text", |_| {}), "frames");
    let closed = |case: &mut Value| case["expect"] = json!({"any_of": [{"connection_closed": 1007}]});
    assert_eq!(skipped("jsonrpc-server", "parse-space", closed), "connection");
    assert_eq!(skipped("cloudevents", "structured-broken", |case| case["expect"] = json!(null)), "http-binding");
    let formula = |case: &mut Value| case["expect"] = json!({"batch_formula": {"count": 5}});
    assert_eq!(skipped("jsonrpc-server", "spec-batch-mixed", formula), "formula");
}

#[test]
fn a_wrong_answer_fails_and_says_what_differed() {
    assert_fails("trace-context", "flags-00", "flags: wanted Some(\"01\")", |case| {
        case["expect"]["flags"] = json!("01")
    });
    assert_fails("trace-context", "empty", "continued: wanted true", |case| case["expect"]["continued"] = json!(true));
    let members = json!([["foo", "1"]]);
    assert_fails("trace-context", "ts-bad-6", "tracestate: wanted", |case| case["expect"]["tracestate"] = members);
    assert_fails("trace-context", "ts-dup", "wanted one of", |case| case["expect"]["tracestate_any_of"] = json!([]));
    assert_fails("mcp-messages", "tool-min@2025-11-25", "the schema was to say false", |case| {
        case["valid"] = json!(false);
    });
    assert_fails("mcp-messages", "tool-min@2026-07-28", "it is valid, and not read", |case| {
        case["instance"]["inputSchema"] = json!({"type": "array"});
        case["schema_says"] = json!(false);
    });
}

#[test]
fn an_event_stream_that_is_read_in_another_way_fails() {
    let events = |change: fn(&mut Value)| move |case: &mut Value| change(&mut case["expect"]["events"]);
    assert_fails(
        "sse-parse",
        "data-stock",
        "in its chunks: events[1]: wanted None",
        events(|events| {
            events.as_array_mut().unwrap().pop();
        }),
    );
    assert_fails("sse-parse", "data-stock", "events[0]: wanted", events(|events| events[0]["type"] = json!("message")));
    assert_fails(
        "sse-parse",
        "data-stock",
        "events[0]: wanted",
        events(|events| events[0]["last_event_id"] = json!("1")),
    );
    assert_fails("sse-parse", "data-stock", "events[2]: wanted Some", events(|events| events[1]["repeat"] = json!(2)));
    for (id, key, wanted, said) in [
        ("basic-id", "last_event_id", json!(""), "last_event_id: wanted \"\", got \"abc\""),
        ("retry-basic", "retry", json!([]), "retry: wanted [], got [1000]"),
        ("retry-overflow", "retry_any_of", json!(["ignored"]), "which is not allowed"),
        ("comment-two", "comments", json!(["Hello"]), "comments: wanted"),
    ] {
        assert_fails("sse-parse", id, said, |case| case["expect"][key] = wanted);
    }
    let first = |part: Value| move |case: &mut Value| case["chunks"] = json!([[part]]);
    assert_fails("sse-parse", "basic-id", "the stream has 3 bytes", first(json!({"text": "abc"})));
    assert_fails("sse-parse", "basic-id", "is no hex", first(json!({"hex": "abc"})));
    assert_fails("sse-parse", "basic-id", "either `text` or `hex`", first(json!({})));
    assert_fails("sse-parse", "basic-id", "unknown field `base64`", first(json!({"base64": ""})));
}

#[test]
fn a_client_of_events_that_does_otherwise_fails() {
    for (id, key, wanted, said) in [
        ("default-headers", "events", json!([]), "events: wanted []"),
        ("default-headers", "state", json!("closed"), "state: wanted Closed, got Open"),
        ("default-headers", "error", json!(true), "error: wanted true, got None"),
        ("no-content-204", "request_count", json!(2), "request_count: got 1"),
        ("no-content-204", "state", json!("open"), "state: wanted Open, got Closed"),
        ("redirect-loop", "request_count_max", json!(20), "request_count: got 21"),
        ("status-400-fails", "error", json!(false), "error: wanted false"),
        (
            "status-400-fails",
            "one_of",
            json!([{"request_count": 2}, {"error": false}]),
            "none of: request_count: got 1; or",
        ),
        ("retry-delay", "requests", json!([{}, {"gap_ms_min": 2000}]), "requests[1]: gap_ms: got "),
        ("retry-delay", "requests", json!([{}, {"gap_ms_max": 299}]), "requests[1]: gap_ms: got "),
        ("retry-delay", "requests", json!([{}, {}, {}]), "requests[2]: it was not sent"),
        ("retry-delay", "min_gap_ms", json!(2000), "min_gap_ms: wanted 2000, got "),
        ("initial-last-event-id", "requests", json!([{"absent": ["last-event-id"]}]), "the header last-event-id: got"),
        ("initial-last-event-id", "requests", json!([{"headers": {"last-event-id": "x"}}]), "wanted \"x\", got"),
        (
            "last-event-id-non-ascii",
            "requests",
            json!([{}, {"headers_hex": {"last-event-id": "e2"}}]),
            "wanted e2, got",
        ),
        ("post-body-resent", "requests", json!([{"method": "GET"}]), "method: got \"POST\""),
        ("post-body-resent", "requests", json!([{"body": ""}]), "body: got \"{"),
        ("redirect-301", "requests", json!([{"path": "/stream"}]), "path: got \"/start\""),
    ] {
        assert_fails("sse-http", id, said, |case| case["expect"][key] = wanted);
    }
    assert_fails("sse-http", "redirect-301", "went to \"/stream\"", |case| case["server"][1]["path"] = json!("/x"));
    assert_fails("sse-http", "redirect-301", "is no hex", |case| case["server"][1]["body"] = json!([{"hex": "abc"}]));
    assert_fails("sse-http", "redirect-301", "not understood", |case| case["client"]["method"] = json!("PUT"));
    assert_fails("sse-http", "redirect-301", "unknown field", |case| case["client"]["proxy"] = json!(true));
    assert_fails("sse-http", "status-500", "within_ms: it took", |case| {
        case["server"] = json!([{"status": 400, "headers": {}, "body": [{"sleep_ms": 3000}], "end": "close"}]);
        case["expect"] = json!({"error": true, "within_ms": 2000});
    });
}

#[test]
fn a_json_rpc_answer_that_differs_fails() {
    let expect = |wanted: Value| move |case: &mut Value| case["expect"] = wanted;
    let response = |members: Value| json!({"response": members});
    for wanted in [
        response(json!({"jsonrpc": "2.0", "result": 18, "id": 1})),
        response(json!({"jsonrpc": "2.0", "result": {"exact_number": "19.0"}, "id": 1})),
        response(json!({"jsonrpc": "2.0", "result": 19, "id": "1"})),
        response(json!({"jsonrpc": "2.0", "error": {"code": 19}, "id": 1})),
        response(json!({"jsonrpc": "2.0", "id": 1})),
        json!({"batch": [{"jsonrpc": "2.0", "result": 19, "id": 1}]}),
        json!({"none": true}),
        json!({"any_of": [{"none": true}, {"connection_closed": 1000}]}),
        json!({}),
    ] {
        assert_fails("jsonrpc-server", "spec-positional-1", "wanted", expect(wanted));
    }
    let exact = json!({"jsonrpc": "2.0", "result": {"exact_number": "19"}, "id": {"exact_number": "1"}});
    assert_eq!(changed("jsonrpc-server", "spec-positional-1", expect(response(exact))).passed(), 1);
    assert_fails("jsonrpc-server", "error-shape", "wanted", |case| {
        case["expect"]["exact_members"] = json!(["jsonrpc", "error"]);
    });
    assert_fails("jsonrpc-server", "spec-batch-mixed", "wanted the batch", |case| {
        case["expect"]["batch"].as_array_mut().unwrap().pop();
    });
    let pooled = |second: Value| {
        move |case: &mut Value| {
            let first = json!({"jsonrpc": "2.0", "result": 19, "id": 1});
            case["then"] = json!([{"input": r#"{"jsonrpc":"2.0","method":"sum","params":[1,2],"id":2}"#}]);
            case["expect"] = json!({"responses_any_order": [second, first]});
        }
    };
    let right = pooled(json!({"jsonrpc": "2.0", "result": 3, "id": 2}));
    assert_eq!(changed("jsonrpc-server", "spec-positional-1", right).passed(), 1);
    let wrong = pooled(json!({"jsonrpc": "2.0", "result": 4, "id": 2}));
    assert_fails("jsonrpc-server", "spec-positional-1", "wanted in any order", wrong);
    assert_fails("jsonrpc-server", "spec-positional-1", "unknown field `soon`", expect(json!({"soon": 1})));
    assert_fails("jsonrpc-server", "spec-positional-1", "follows none", |case| {
        case["then"] = json!([{"input": "{}"}]);
    });
}

#[test]
fn a_json_rpc_client_that_ends_a_call_otherwise_fails() {
    for (id, wanted) in [
        ("ok", json!({"ok": 6})),
        ("ok", json!({"timeout": true})),
        ("ok", json!({"each": [{"ok": 5}, {"ok": 5}]})),
        ("ok", json!({"any_of": [{"rpc_error": {"code": 5}}, {"ok": 5, "client_sends": [{}]}]})),
        ("err", json!({"rpc_error": {"code": -32601, "message": "other"}})),
        ("err", json!({"protocol_error": true})),
        ("id-type", json!({"ok": 5})),
        ("batch-missing", json!({"each": [{"ok": "A"}, {"timeout": true}]})),
        ("batch-any-order", json!({"each": [{"ok": "B"}, {"ok": "A"}]})),
        ("batch-empty", json!({"each": []})),
        ("server-request", json!({"client_sends": []})),
        ("notification-sends-no-id", json!({"client_sends_exact": {"jsonrpc": "2.0", "method": "n"}})),
    ] {
        assert_fails("jsonrpc-client", id, "wanted", |case| case["expect"] = wanted);
    }
    let silent = |case: &mut Value| case["server_frames"] = json!([]);
    assert_fails("jsonrpc-client", "ids-unique", "each_gets_own_answer: wanted true", silent);
    assert_fails("jsonrpc-client", "close-pending", "ok: wanted 5", |case| case["expect"] = json!({"ok": 5}));
    assert_fails("jsonrpc-client", "close-pending", "within_ms: wanted 0", |case| {
        case["expect"]["within_ms"] = json!(0)
    });
    assert_fails("jsonrpc-client", "ping-between", "pong: wanted \"y\"", |case| case["expect"]["pong"] = json!("y"));
    assert_fails("jsonrpc-client", "fragmented", "connection_error: wanted", |case| {
        case["expect"] = json!({"connection_error": true});
    });
    assert_fails("websocket", "accept-1", "accept: wanted \"x\"", |case| case["accept"] = json!("x"));
    assert_fails("websocket", "close-1001", "valid_on_wire: wanted false", |case| case["valid_on_wire"] = json!(false));
    assert_fails("websocket", "close-1004", "valid_on_wire: wanted true", |case| case["valid_on_wire"] = json!(true));
    assert_fails("websocket", "hs-no-upgrade", "open: wanted true", |case| case["expect"]["open"] = json!(true));
    assert_fails("websocket", "hs-upgrade-case", "open: wanted false", |case| case["expect"]["open"] = json!(false));
    assert_fails("websocket", "hs-no-upgrade", "not understood", |case| case["scenario"] = json!("other"));
    assert_fails("jsonrpc-client", "ok", "is not understood", |case| case["expect"] = json!({"applause": true}));
    assert_fails("jsonrpc-client", "ok", "was not sent", |case| case["server_frames"] = json!(["$ID7"]));
    assert_fails("jsonrpc-client", "ok", "unknown field `haste`", |case| case["call"]["haste"] = json!(1));
}

#[test]
fn json_that_is_taken_and_should_not_be_fails() {
    let input = |text: &str, expect: &str| {
        let (bytes, encoded) = (text.len(), base64(text));
        let expect = expect.to_owned();
        move |case: &mut Value| {
            case.as_object_mut().unwrap().remove("input_parts_base64");
            (case["input_base64"], case["bytes"], case["expect"]) = (json!(encoded), json!(bytes), json!(expect));
        }
    };
    let id = "n_structure_100000_opening_arrays";
    assert_fails("json-parse", id, "JSON-RPC message: wanted Reject, got Accept", input("[1]", "reject"));
    assert_fails("json-parse", id, "JSON-RPC message: wanted Accept, got Reject", input("[1", "accept"));
    // A key that is no text: the message is refused as invalid, the data as no JSON.
    assert_fails("json-parse", id, "SSE data: wanted Accept, got Reject", input(r#"{"\ud800":1}"#, "accept"));
    assert_fails("json-parse", id, "unknown variant `maybe`", input("[1]", "maybe"));
    assert_fails("json-parse", id, "the input has 100000 bytes", |case| case["bytes"] = json!(5));
}

/// Standard base64 of a short text.
fn base64(text: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for group in text.as_bytes().chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, n| bits << 8 | u32::from(group.get(n).copied().unwrap_or(0)));
        for n in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * n)) as usize & 63];
            encoded.push(if n <= group.len() { char::from(digit) } else { '=' });
        }
    }
    encoded
}

#[test]
fn a_cloud_event_that_is_read_in_another_way_fails() {
    assert_fails("cloudevents", "min", "it was to be refused", |case| case["expect"]["valid"] = json!(false));
    assert_fails("cloudevents", "no-id", "it was to be read: the CloudEvent's `id` is missing", |case| {
        case["expect"]["valid"] = json!(true);
    });
    assert_fails("cloudevents", "min", "the kind \"xml\" is not known", |case| case["kind"] = json!("xml"));
    assert_fails("cloudevents", "min", "unknown field `mode`", |case| case["expect"]["mode"] = json!("binary"));
}

#[test]
fn what_a_case_says_and_nobody_understands_fails() {
    for key in ["expect", "headers"] {
        assert_fails("trace-context", "flags-00", &format!("missing field `{key}`"), |case| {
            case.as_object_mut().unwrap().remove(key);
        });
    }
    assert_fails("trace-context", "flags-00", "unknown field `baggage`", |case| case["expect"]["baggage"] = json!([]));
    assert_fails("trace-context", "flags-00", "unknown field `when`", |case| case["when"] = json!(5));
    for headers in [json!("traceparent"), json!([["traceparent"]]), json!([["traceparent", 5]]), json!({"a": {}})] {
        assert_fails("trace-context", "flags-00", "headers: ", |case| case["headers"] = headers);
    }
    assert_fails("trace-context", "flags-00", "`requires` names 5", |case| case["requires"] = json!([5]));
    assert_fails("mcp-messages", "tool-min@2025-11-25", "no revision \"2031\"", |case| case["version"] = json!("2031"));
    assert_fails("mcp-messages", "tool-min@2025-11-25", "no type \"Hammer\"", |case| case["type"] = json!("Hammer"));
}

#[test]
fn a_breaker_that_does_something_else_fails() {
    for (id, key, wanted, said) in [
        ("threshold-1", "state", json!("closed"), "steps[2]: state: wanted \"closed\", got \"open\""),
        ("open-late-results", "state", json!("closed"), "steps[6]: state: wanted \"closed\", got \"open\""),
        ("threshold-1", "failure_rate_pct", json!(10.1), "failure_rate_pct: wanted Some(10.1), got Some(10.0)"),
        ("threshold-1", "failure_rate_pct", json!(null), "failure_rate_pct: wanted None, got Some(10.0)"),
        ("slow-rate-opens", "slow_rate_pct", json!(50), "slow_rate_pct: wanted Some(50.0), got Some(60.0)"),
        ("time-min-calls", "buffered_calls", json!(4), "buffered_calls: wanted 4, got 3"),
        ("half-open-permits", "not_permitted", json!(2), "not_permitted: wanted 2, got 1"),
    ] {
        assert_fails("breaker", id, said, |case| expect_at_the_end(case, key, wanted));
    }
    let first = |step: Value| move |case: &mut Value| case["steps"][0] = step;
    assert_fails(
        "breaker",
        "start-closed",
        "permitted: wanted false",
        first(json!({"op": "call", "permitted": false})),
    );
    assert_fails("breaker", "start-closed", "no permit \"a\" is held", first(json!({"op": "release", "of": "a"})));
    assert_fails("breaker", "start-closed", "needs an `outcome`", first(json!({"op": "call"})));
    assert_fails("breaker", "start-closed", "the most is 100000000", first(json!({"op": "call", "repeat": u64::MAX})));
}

#[test]
fn what_a_scenario_says_and_nobody_understands_fails() {
    for (step, said) in [
        (json!({"op": "explode"}), "unknown variant `explode`"),
        (json!({"op": "call", "outcome": "meh"}), "unknown variant `meh`"),
        (json!({"op": "call", "outcome": "ok", "repeat": -1}), "-1"),
        (json!({"op": "call", "outcome": "ok", "retries": 1}), "unknown field `retries`"),
        (json!({"op": "reset", "hard": true}), "unknown field `hard`"),
        (json!({"op": "advance"}), "missing field `ms`"),
        (json!({"op": "acquire"}), "missing field `as`"),
        (json!({"op": "expect", "state": "ajar"}), "unknown variant `ajar`"),
        (json!({"op": "expect", "state": "closed", "mood": 1}), "unknown field `mood`"),
        (json!({}), "missing field `op`"),
    ] {
        assert_fails("breaker", "start-closed", said, |case| case["steps"] = json!([step]));
    }
    for (key, value, said) in [
        ("window", json!("moon"), "unknown variant `moon`"),
        ("window_size", json!(0), "window_calls: must be from 1"),
        ("failure_rate_pct", json!(101), "failure_rate: must be above 0 and at most 1"),
        ("colour", json!("red"), "unknown field `colour`"),
    ] {
        assert_fails("breaker", "start-closed", said, |case| case["config"][key] = value);
    }
}

#[test]
fn what_a_breaker_leaves_out_is_taken_from_the_defaults_of_the_file() {
    for config in [json!({}), json!({"min_calls": 5})] {
        let report = changed("breaker", "min-calls-reached", |case| case["config"] = config);
        assert_eq!(report.passed(), 1, "{report}");
    }
    let case = json!({"id": "a", "config": {"min_calls": 1}, "steps": []});
    let report = report("breaker", &json!({"cases": [case]}));
    assert!(report.to_string().contains("missing field `window`"), "{report}");
}

#[test]
fn headers_are_taken_as_pairs_and_as_an_object() {
    let parent = "00-12345678901234567890123456789012-1234567890123456-00";
    for headers in [
        json!({"TRACEPARENT": parent, "tracestate": ["foo=1", "bar=2"]}),
        json!([["tracestate", "foo=1"], ["Traceparent", parent], ["TraceState", "bar=2"]]),
        json!([["tracestate", ["foo=1", "bar=2"]], ["traceparent", parent]]),
    ] {
        let report = changed("trace-context", "flags-00", |case| {
            case["headers"] = headers;
            case["expect"]["tracestate"] = json!([["foo", "1"], ["bar", "2"]]);
        });
        assert_eq!(report.passed(), 1, "{report}");
    }
}

#[test]
fn a_file_that_is_no_suite_is_refused_by_a_sentence() {
    for (text, said) in [
        ("", "the file is no JSON"),
        ("\u{feff}{}", "the file is no JSON"),
        ("[]", "must be an object"),
        ("{}", "`cases` must be a list"),
        (r#"{"cases": {}}"#, "`cases` must be a list"),
        (r#"{"cases": []}"#, "`cases` is empty"),
        (r#"{"suite": "breaker", "cases": [{"id": "a"}]}"#, "is of the suite \"breaker\""),
        (r#"{"version": 2, "cases": [{"id": "a"}]}"#, "has the version 2"),
        (r#"{"cases": [5]}"#, "`cases[0]` must be an object"),
        (r#"{"cases": [{}]}"#, "`cases[0].id` must be a text"),
        (r#"{"cases": [{"id": 1}]}"#, "`cases[0].id` must be a text"),
        (r#"{"cases": [{"id": "a"}, {"id": ""}]}"#, "`cases[1].id` must be a text"),
        (r#"{"cases": [{"id": "a"}, {"id": "b"}, {"id": "a"}]}"#, "`cases[2].id` is \"a\""),
    ] {
        let refused = run("trace-context", text.as_bytes()).unwrap_err();
        assert!(refused.contains(said), "{text}: {refused}");
    }
    let deep = "[".repeat(1_000_000);
    assert!(run("trace-context", deep.as_bytes()).unwrap_err().contains("recursion"));
    assert!(run("trace-context", b"\xff").unwrap_err().contains("no JSON"));
    let unknown = run("sock-drawer", b"{}").unwrap_err();
    assert!(SUITES.iter().all(|suite| unknown.contains(suite.name())), "{unknown}");
}

#[test]
fn each_failing_case_is_one_line_whatever_is_in_it() {
    let id = "a\nb \u{202e}\u{1b}[31m ä: {}";
    let report = changed("trace-context", "flags-00", |case| {
        case["id"] = json!(id);
        case["expect"]["flags"] = json!("x\n".repeat(100_000));
    });
    let text = report.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((lines.len(), lines[1]), (2, "0 passed, 1 failed, 0 skipped"));
    assert!(lines[0].starts_with("a\\u{a}b \\u{202e}\\u{1b}[31m ä: {}: flags: wanted"), "{}", lines[0]);
    assert!(lines[0].len() < 2_000 && lines[0].ends_with('…'), "{}", lines[0]);
}
