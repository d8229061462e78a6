//! How a JSON-RPC 2.0 client takes answers: texts out, texts in, and where the peer does more than that, over a WebSocket.

mod socket;

use serde::Deserialize;
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};
use tekton_sdk::wire::jsonrpc::{Calls, Received, Response, RpcError, RpcLimits, notification};

use crate::{
    Case, Miss, Rule, Suite,
    json::{members, same, same_response},
};

const SOCKET: Rule = Rule {
    name: "socket",
    reason: "the peer does what the scripted one cannot (`binary`, `on_next_call`), or does more than send texts to a batch, a notification or several calls",
};

pub(crate) const SUITE: Suite = Suite { name: "jsonrpc-client", rules: &[SOCKET], capabilities: &[], check };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    call: Option<Call>,
    calls: Option<Vec<Call>>,
    server_frames: Vec<Value>,
    expect: Value,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    method: Option<String>,
    params: Option<Value>,
    #[serde(default)]
    notification: bool,
    batch: Option<Vec<Call>>,
    calls_repeat: Option<Repeat>,
    timeout_ms: Option<u64>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeat {
    method: String,
    count: usize,
}

/// How a call stands. What has not ended when the peer has no more to say would run into its deadline.
#[derive(Debug)]
enum Ended {
    Not,
    Ok(Box<RawValue>),
    Error(Box<RawValue>),
    Broken,
    /// The connection is no more.
    Lost,
}

/// A client and what it has sent.
struct Client {
    calls: Calls<usize>,
    ended: Vec<Ended>,
    /// The texts of the calls, and of answers to calls of the peer.
    sent: Vec<String>,
    replied: Vec<String>,
    usage_error: bool,
}

fn check(case: &Case<'_>) -> Result<(), Miss> {
    let frames = case.body.get("server_frames").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let known = ["sleep_ms", "echo_shuffled"];
    let acts = frames.iter().filter_map(Value::as_object).flat_map(|action| action.keys());
    if acts.into_iter().any(|action| !known.contains(&action.as_str())) {
        return socket::check(case);
    }
    let Exchange { call, calls, server_frames, expect } = case.read()?;
    let mut client = Client {
        calls: Calls::new(10_000),
        ended: Vec::new(),
        sent: Vec::new(),
        replied: Vec::new(),
        usage_error: false,
    };
    for call in call.into_iter().chain(calls.into_iter().flatten()) {
        client.call(call)?;
    }
    for frame in server_frames {
        if let Some(text) = frame.as_str() {
            let text = client.filled_in(text)?;
            client.receive(&text);
        } else if frame.get("echo_shuffled").is_some() {
            client.echo_shuffled()?;
        }
    }
    let expect = expect.as_object().ok_or("`expect` must be an object")?;
    for (key, wanted) in expect {
        if !client.holds(key, wanted)? {
            let (ended, replied) = (&client.ended, &client.replied);
            return Err(format!("{key}: wanted {wanted}, got {ended:?}, and was sent {replied:?}").into());
        }
    }
    Ok(())
}

impl Client {
    fn call(&mut self, call: Call) -> Result<(), String> {
        let said = |error: tekton_sdk::Error| error.report();
        let raw = |params: &Value| to_raw_value(params).map_err(|error| error.to_string());
        if let Some(Repeat { method, count }) = call.calls_repeat {
            for n in 0..count {
                let (_, text) = self.calls.call(self.ended.len(), &method, Some(&[n])).map_err(said)?;
                self.sent(text);
            }
            return Ok(());
        }
        if let Some(entries) = call.batch {
            let params = entries.iter().map(|entry| entry.params.as_ref().map(raw).transpose());
            let params = params.collect::<Result<Vec<_>, _>>()?;
            let first = self.ended.len();
            let calls = entries.iter().zip(&params).enumerate().map(|(n, (entry, params))| {
                (first + n, entry.method.as_deref().unwrap_or_default(), params.as_deref())
            });
            match self.calls.batch(calls) {
                Ok((ids, text)) => {
                    self.ended.extend(ids.map(|_| Ended::Not));
                    self.sent.push(text);
                }
                Err(_) => self.usage_error = true,
            }
            return Ok(());
        }
        let method = call.method.ok_or("a call has a `method`, a `batch` or `calls_repeat`")?;
        let params = call.params.as_ref();
        if call.notification {
            self.sent.push(notification(&method, params).map_err(said)?);
        } else {
            let (_, text) = self.calls.call(self.ended.len(), &method, params).map_err(said)?;
            self.sent(text);
        }
        Ok(())
    }

    fn sent(&mut self, text: String) {
        self.sent.push(text);
        self.ended.push(Ended::Not);
    }

    /// What the peer has seen: the ids of all calls, in their order, and their parameters.
    fn seen(&self) -> Result<Vec<(String, String)>, String> {
        #[derive(Deserialize)]
        struct Seen<'a> {
            #[serde(borrow)]
            id: Option<&'a RawValue>,
            #[serde(borrow)]
            params: Option<&'a RawValue>,
        }
        let mut seen = Vec::new();
        for text in &self.sent {
            let batch: Result<Vec<Seen<'_>>, _> = serde_json::from_str(text);
            let entries = match batch {
                Ok(batch) => batch,
                Err(_) => vec![serde_json::from_str(text).map_err(|error| format!("what was sent: {error}"))?],
            };
            seen.extend(entries.into_iter().filter_map(|Seen { id, params }| {
                Some((id?.get().to_owned(), params.map_or("null", RawValue::get).to_owned()))
            }));
        }
        Ok(seen)
    }

    /// A text of the peer with the ids that it has seen.
    fn filled_in(&self, text: &str) -> Result<String, String> {
        let (seen, mut text) = (self.seen()?, text.to_owned());
        if let Some((first, _)) = seen.first() {
            let other =
                if first.starts_with('"') { first.trim_matches('"').to_owned() } else { format!("\"{first}\"") };
            text = text.replace("$ID_OTHER_TYPE", &other);
        }
        for (n, (id, _)) in seen.iter().enumerate().rev() {
            text = text.replace(&format!("$ID{}", n + 1), id);
        }
        let mut pieces = text.split("$ID");
        let mut filled = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            match seen.first() {
                Some((id, _)) if !piece.starts_with(|c: char| c.is_alphanumeric() || c == '_') => {
                    filled.extend([id.as_str(), piece]);
                }
                _ => return Err(format!("{text:?} names an id that was not sent")),
            }
        }
        Ok(filled)
    }

    fn receive(&mut self, text: &str) {
        let (ended, replied) = (&mut self.ended, &mut self.replied);
        let raw = |value: Value| to_raw_value(&value).expect("a value is JSON");
        // A text that is no message is no answer to any call, and the connection goes on.
        let _ = self.calls.receive(text.as_bytes(), &RpcLimits::default(), |received| match received {
            Received::Answer { token, outcome: Ok(result), .. } => ended[token] = Ended::Ok(result.into_owned()),
            Received::Answer { token, outcome: Err(error), .. } => {
                ended[token] = Ended::Error(raw(serde_json::to_value(error).expect("an error is JSON")));
            }
            Received::Broken { token, .. } => ended[token] = Ended::Broken,
            Received::Request(request) => {
                let refuse = |id| Response::new(id, Err(RpcError::method_not_found())).encode();
                replied.extend(request.id.map(refuse));
            }
            Received::Late(_) | Received::Unknown(_) | Received::Invalid(_) => {}
        });
    }

    /// Every call is answered with its own parameters, the even ones backwards and then the odd ones.
    fn echo_shuffled(&mut self) -> Result<(), String> {
        let seen = self.seen()?;
        let odd = seen.iter().skip(1).step_by(2);
        for (id, params) in seen.iter().step_by(2).rev().chain(odd) {
            self.receive(&format!(r#"{{"jsonrpc":"2.0","result":{params},"id":{id}}}"#));
        }
        Ok(())
    }

    fn holds(&self, key: &str, wanted: &Value) -> Result<bool, String> {
        let list = || wanted.as_array().ok_or_else(|| format!("`{key}` must be a list"));
        let sent: Vec<&RawValue> = self.sent.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
        Ok(match key {
            "any_of" => {
                let mut holds = false;
                for one in list()? {
                    let one = one.as_object().ok_or("`any_of` has objects")?;
                    let mut all = true;
                    for (key, wanted) in one {
                        all &= self.holds(key, wanted)?;
                    }
                    holds |= all;
                }
                holds
            }
            "each" => {
                let each = list()?;
                let mut holds = each.len() == self.ended.len() && !self.usage_error;
                for (wanted, ended) in each.iter().zip(&self.ended) {
                    holds &= ended.is(wanted)?;
                }
                holds
            }
            "usage_error" => self.usage_error,
            "client_sends" => {
                let replied = self.replied.iter().filter_map(|text| serde_json::from_str::<&RawValue>(text).ok());
                let (wanted, replied) = (list()?, replied.collect::<Vec<_>>());
                wanted.len() == replied.len() && wanted.iter().zip(replied).all(|(w, came)| same_response(w, came))
            }
            "client_sends_exact" => sent.len() == 1 && sent.iter().all(|sent| same(wanted, sent)),
            "each_gets_own_answer" => self.ended.iter().enumerate().all(|(n, ended)| {
                matches!(ended, Ended::Ok(result) if serde_json::from_str(result.get()).is_ok_and(|own: [usize; 1]| own == [n]))
            }),
            "ids_unique" => {
                let ids = sent.iter().filter_map(|sent| Some(members(sent)?.get("id")?.get().to_owned()));
                ids.collect::<std::collections::BTreeSet<_>>().len() == self.ended.len()
            }
            _ => match &self.ended[..] {
                [ended] => ended.is(&serde_json::json!({ key: wanted }))?,
                _ => return Err(format!("`{key}` is about one call, and there are {}", self.ended.len())),
            },
        })
    }
}

impl Ended {
    fn is(&self, wanted: &Value) -> Result<bool, String> {
        let members = wanted.as_object().filter(|members| members.len() == 1).ok_or("an outcome has one member")?;
        let mut holds = false;
        for (key, wanted) in members {
            holds = match (key.as_str(), self) {
                ("any_of", _) => {
                    let any = wanted.as_array().ok_or("`any_of` must be a list")?;
                    any.iter().map(|one| self.is(one)).collect::<Result<Vec<_>, _>>()?.contains(&true)
                }
                ("ok", Self::Ok(result)) => same(wanted, result),
                ("rpc_error", Self::Error(error)) => same(wanted, error),
                ("protocol_error", Self::Broken) | ("timeout", Self::Not) | ("connection_error", Self::Lost) => true,
                ("ok" | "rpc_error" | "protocol_error" | "timeout" | "connection_error", _) => false,
                _ => return Err(format!("the outcome `{key}` is not understood")),
            };
        }
        Ok(holds)
    }
}
