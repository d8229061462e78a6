//! What a JSON-RPC 2.0 server answers, at the entry point that takes one text and gives one or none.

use std::panic::{catch_unwind, resume_unwind};

use serde::{Deserialize, Serialize};
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use tekton_sdk::wire::jsonrpc::{Request, RpcError, RpcLimits, answer};

use crate::{
    Case, Miss, Rule, Suite,
    json::{members, same_response},
};

const CONNECTION: Rule = Rule {
    name: "connection",
    reason: "`connection_closed` is all that may happen, and the entry point that takes texts has no connection",
};
const FORMULA: Rule = Rule {
    name: "formula",
    reason: "`batch_formula` gives the answers by a rule of its own, which the runner does not read",
};

pub(crate) const SUITE: Suite =
    Suite { name: "jsonrpc-server", rules: &[CONNECTION, FORMULA], capabilities: &[], check };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    input: Option<String>,
    input_hex: Option<String>,
    expect: Option<Expect>,
    #[serde(default)]
    then: Vec<Message>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    response: Option<Value>,
    batch: Option<Vec<Value>>,
    #[serde(default)]
    none: bool,
    any_of: Option<Vec<Expect>>,
    exact_members: Option<Vec<String>>,
    responses_any_order: Option<Vec<Value>>,
    connection_closed: Option<Value>,
    batch_formula: Option<Value>,
}

fn check(case: &Case<'_>) -> Result<(), Miss> {
    let mut queue = vec![case.read::<Message>()?];
    let (mut pooled, mut pool) = (None, Vec::new());
    while let Some(message) = queue.pop() {
        let input = match (message.input, message.input_hex) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(digits)) => crate::sse_parse::hex(&digits).ok_or("`input_hex` is no hex")?,
            _ => return Err("a message has either `input` or `input_hex`".into()),
        };
        queue.extend(message.then.into_iter().rev());
        let answer = answer(&input, &RpcLimits::default(), handle);
        match message.expect {
            Some(Expect { responses_any_order: Some(wanted), .. }) => pooled = Some(wanted),
            Some(expect) => {
                expect.judge(answer.as_deref())?;
                continue;
            }
            None if pooled.is_some() => {}
            None => return Err("a message without `expect` follows none with `responses_any_order`".into()),
        }
        pool.extend(answer);
    }
    match pooled {
        Some(wanted) if !any_order(&wanted, pool.iter().filter_map(|text| serde_json::from_str(text).ok())) => {
            Err(format!("wanted in any order {wanted:?}, got {pool:?}").into())
        }
        _ => Ok(()),
    }
}

/// Whether these are these responses, in any order.
fn any_order<'a>(wanted: &[Value], came: impl Iterator<Item = &'a RawValue>) -> bool {
    let mut left: Vec<_> = wanted.iter().collect();
    for response in came {
        let Some(at) = left.iter().position(|wanted| same_response(wanted, response)) else { return false };
        left.remove(at);
    }
    left.is_empty()
}

impl Expect {
    fn judge(&self, answer: Option<&str>) -> Result<(), Miss> {
        if self.batch_formula.is_some() {
            return Err((&FORMULA).into());
        }
        if self.needs_connection() {
            return Err((&CONNECTION).into());
        }
        if self.holds(answer) { Ok(()) } else { Err(format!("wanted {}, got {answer:?}", self.shown()).into()) }
    }

    fn needs_connection(&self) -> bool {
        match &self.any_of {
            Some(any) => any.iter().all(Self::needs_connection),
            None => self.connection_closed.is_some(),
        }
    }

    fn holds(&self, answer: Option<&str>) -> bool {
        if let Some(any) = &self.any_of {
            return any.iter().any(|one| one.holds(answer));
        }
        let Some(text) = answer else { return self.none };
        let Ok(came) = serde_json::from_str::<&RawValue>(text) else { return false };
        let has_members = |wanted: &Vec<String>| {
            members(came)
                .is_some_and(|came| came.len() == wanted.len() && wanted.iter().all(|name| came.contains_key(name)))
        };
        let one = self.response.as_ref().map(|wanted| same_response(wanted, came));
        let all = self
            .batch
            .as_ref()
            .map(|wanted| serde_json::from_str::<Vec<_>>(text).is_ok_and(|came| any_order(wanted, came.into_iter())));
        one.or(all).unwrap_or(false) && self.exact_members.as_ref().is_none_or(has_members)
    }

    fn shown(&self) -> String {
        match (&self.response, &self.batch, &self.any_of) {
            (Some(response), ..) => response.to_string(),
            (_, Some(batch), _) => format!("the batch {batch:?}"),
            (.., Some(any)) => any.iter().map(Self::shown).collect::<Vec<_>>().join(", or "),
            _ => "no answer".into(),
        }
    }
}

/// The methods that every case may call.
fn handle(request: &Request<'_>) -> Result<Box<RawValue>, RpcError<'static>> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Difference {
        Positional(i64, i64),
        Named { minuend: i64, subtrahend: i64 },
    }
    match &*request.method {
        "subtract" => match params(request)? {
            Difference::Positional(minuend, subtrahend) | Difference::Named { minuend, subtrahend } => {
                result(minuend - subtrahend)
            }
        },
        "sum" => match params::<Vec<i64>>(request) {
            Ok(numbers) => result(numbers.iter().sum::<i64>()),
            Err(_) => result(params::<Vec<f64>>(request)?.iter().sum::<f64>()),
        },
        "get_data" => result(json!(["hello", 5])),
        "update" | "notify_hello" | "notify_sum" | "return_null" => result(()),
        "sleep_ms" => result(params::<(u64,)>(request)?.0),
        "fail" => Err(RpcError::new(-32_000, "MyAppError")),
        "fail_data" => Err(RpcError::new(-32_001, "with data").with_data(result(json!({"a": [1]}))?)),
        // Caught as a host catches it; resumed, so that no hook prints it.
        "panic" => catch_unwind(|| resume_unwind(Box::new("on purpose")))
            .map_err(|_| RpcError::internal("the method panicked")),
        _ => Err(RpcError::method_not_found()),
    }
}

fn params<'a, T: Deserialize<'a>>(request: &Request<'a>) -> Result<T, RpcError<'static>> {
    let text = request.params.map_or("[]", RawValue::get);
    serde_json::from_str(text).map_err(RpcError::invalid_params)
}

fn result(value: impl Serialize) -> Result<Box<RawValue>, RpcError<'static>> {
    to_raw_value(&value).map_err(RpcError::internal)
}
