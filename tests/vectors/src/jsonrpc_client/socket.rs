//! The cases whose peer does more than send texts, over a real WebSocket.

use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use tekton_sdk::{
    ErrorKind, Result,
    random::Random,
    testing::{ScriptedWebSocket, WsStep, block_on},
    time::{Clock, SharedClock, TokioClock},
    transport::{Body, CallInfo, Request, Safety, Transport, WebSocketTransport, WebSocketTransportConfig},
};

use super::{Call, Ended, SOCKET};
use crate::{Case, Miss};

/// How long a call waits if its case does not say.
const LIMIT: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    call: Call,
    server_frames: Vec<Value>,
    expect: Value,
}

/// What the peer saw and how the call ended.
struct Seen {
    ended: Ended,
    took: Duration,
    pongs: Vec<String>,
}

pub(super) fn check(case: &Case<'_>) -> std::result::Result<(), Miss> {
    let Exchange { call, server_frames, expect } = case.read()?;
    let Call { method: Some(method), notification: false, batch: None, calls_repeat: None, params, timeout_ms } = call
    else {
        return Err((&SOCKET).into());
    };
    let mut steps = vec![WsStep::Await(1)];
    for frame in &server_frames {
        steps.push(step(frame).ok_or(&SOCKET)?);
    }
    let expect = expect.as_object().ok_or("`expect` must be an object")?;
    let limit = timeout_ms.map_or(LIMIT, Duration::from_millis);
    let pongs = usize::from(expect.contains_key("pong"));
    let seen = block_on(run(&method, params.as_ref(), steps, limit, pongs)).map_err(|error| error.report())?;
    for (key, wanted) in expect {
        if !seen.holds(key, wanted)? {
            let Seen { ended, took, pongs } = seen;
            return Err(format!("{key}: wanted {wanted}, got {ended:?} after {took:?}, and was sent {pongs:?}").into());
        }
    }
    Ok(())
}

/// Nothing if the peer cannot do it.
fn step(frame: &Value) -> Option<WsStep> {
    if let Some(text) = frame.as_str() {
        return Some(WsStep::Say(text.to_owned()));
    }
    let mut members = frame.as_object()?.iter();
    let (action, what) = members.next().filter(|_| members.next().is_none())?;
    Some(match action.as_str() {
        "sleep_ms" => WsStep::Delay(Duration::from_millis(what.as_u64()?)),
        "close" => WsStep::Close(what.as_u64()?.try_into().ok()?),
        "reset" => WsStep::Reset,
        "fragments" => {
            let texts = what.as_array()?.iter().map(|text| text.as_str().map(str::to_owned));
            WsStep::Fragments(texts.collect::<Option<_>>()?)
        }
        "ping" => WsStep::Ping(what.as_str()?.to_owned().into()),
        _ => return None,
    })
}

async fn run(method: &str, params: Option<&Value>, steps: Vec<WsStep>, limit: Duration, pongs: usize) -> Result<Seen> {
    let clock = SharedClock::default();
    let server = ScriptedWebSocket::start(clock.clone()).await?;
    server.script(steps);
    let transport = WebSocketTransport::new(&WebSocketTransportConfig::default(), clock.clone(), Random::new())?;
    let request = Request::new(Method::POST, format!("/api/v1/{method}"), CallInfo::new("peer", method, Safety::Write))
        .with_endpoint(server.endpoint().clone())
        .with_body(Body::full(params.map_or(String::new(), Value::to_string)));
    let began = TokioClock::default().now();
    let calling = async {
        let answer = transport.send(request).await?;
        let status = answer.status;
        Ok((status, answer.into_body().collect(1 << 20).await?))
    };
    let ended = match clock.timeout(limit, calling).await {
        None => Ended::Not,
        Some(Ok((status, body))) => ended(status.is_success(), &body),
        Some(Err(error)) => of_error(&error),
    };
    let took = TokioClock::default().now().saturating_duration_since(began);
    // A pong that does not come is missing below.
    let _ = clock.timeout(LIMIT, server.until(|server| server.pongs().len() >= pongs)).await;
    let pongs = server.pongs().iter().map(|pong| String::from_utf8_lossy(pong).into_owned()).collect();
    Ok(Seen { ended, took, pongs })
}

fn ended(success: bool, body: &[u8]) -> Ended {
    #[derive(Deserialize)]
    struct Problem {
        rpc: Box<RawValue>,
    }
    if success {
        return serde_json::from_slice(body).map_or(Ended::Broken, Ended::Ok);
    }
    serde_json::from_slice(body).map_or(Ended::Broken, |Problem { rpc }| Ended::Error(rpc))
}

fn of_error(error: &tekton_sdk::Error) -> Ended {
    match error.kind() {
        ErrorKind::Interrupted | ErrorKind::Connect => Ended::Lost,
        _ => Ended::Broken,
    }
}

impl Seen {
    fn holds(&self, key: &str, wanted: &Value) -> std::result::Result<bool, String> {
        Ok(match key {
            "within_ms" => self.took <= Duration::from_millis(wanted.as_u64().ok_or("`within_ms` must be a number")?),
            "pong" => wanted.as_str().is_some_and(|wanted| self.pongs.iter().any(|pong| pong == wanted)),
            _ => self.ended.is(&serde_json::json!({ key: wanted }))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_peer_cannot_do_is_no_step() {
        for frame in
            [r#"{"binary":"x"}"#, r#"{"on_next_call":[]}"#, r#"{"ping":"a","close":1}"#, "5", r#"{"close":70000}"#]
        {
            assert_eq!(step(&serde_json::from_str(frame).unwrap()), None, "{frame}");
        }
    }
}
