//! What hedge, reuse and fallback cost a call that needs none of them, and what a kept answer costs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tekton_sdk::{
    Result,
    policy::{Fallback, FallbackConfig, Hedge, HedgeConfig, Pipeline, Policy, ReplyCache, Reuse, ReuseConfig},
    time::SharedClock,
    transport::{Body, CallInfo, Endpoint, Request, Response, Safety, Transport, TransportCapabilities},
};
use tekton_sdk_benches::{Selection, Table, keep};

use crate::request::runtime;

/// Answers a KiB at once.
#[derive(Debug)]
struct AnswersAtOnce(Bytes);

#[async_trait]
impl Transport for AnswersAtOnce {
    async fn send(&self, request: Request) -> Result<Response> {
        keep(request);
        let json = HeaderValue::from_static("application/json");
        Ok(Response::new(StatusCode::OK, self.0.clone()).with_header(header::CONTENT_TYPE, json))
    }

    fn capabilities(&self) -> TransportCapabilities {
        TransportCapabilities::streaming(&["http"])
    }
}

/// Target and operation, the endpoint, and the headers of a usual call.
struct Usual(Arc<str>, Arc<str>, Endpoint, [(header::HeaderName, HeaderValue); 4]);

impl Usual {
    fn new() -> Self {
        let json = HeaderValue::from_static("application/json");
        let name = header::HeaderName::from_static;
        let headers = [
            (header::ACCEPT, json.clone()),
            (header::CONTENT_TYPE, json),
            (name("x-api-version"), HeaderValue::from_static("1")),
            (name("x-tekton-caller"), HeaderValue::from_static("bench")),
        ];
        Self("engram".into(), "recall".into(), Endpoint::parse("http://127.0.0.1:8005").expect("a constant"), headers)
    }

    fn request(&self, query: Option<String>) -> Request {
        let mut call = CallInfo::new(Arc::clone(&self.0), Arc::clone(&self.1), Safety::Read);
        call.collect = Some(1 << 20);
        let mut request = Request::new(Method::POST, "/api/v1/recall", call).with_endpoint(self.2.clone());
        request.query = query;
        request.headers = HeaderMap::with_capacity(8);
        for (name, value) in &self.3 {
            request.headers.insert(name.clone(), value.clone());
        }
        request
            .with_body(Body::full(Bytes::from_static(br#"{"namespace": "notes", "key": "the one that is asked for"}"#)))
    }
}

pub(crate) fn run(selection: &Selection) {
    let title = "stand-in: hedge, reuse and fallback over a transport that answers 1 KiB at once";
    if !selection.takes(title) {
        return;
    }
    let (runtime, usual) = (runtime(), Usual::new());
    let body = Bytes::from(vec![b'7'; 1024]);
    let clock = SharedClock::default();
    let through = |policy: Option<Arc<dyn Policy>>, differ: bool| {
        let policies = policy.into_iter().collect();
        let pipeline = Pipeline::new(policies, Arc::new(AnswersAtOnce(body.clone())), clock.clone());
        let (runtime, usual) = (&runtime, &usual);
        let mut number = 0_u64;
        move |operations| {
            runtime.block_on(async {
                for _ in 0..operations {
                    number += 1;
                    let query = differ.then(|| number.to_string());
                    keep(pipeline.send(usual.request(query)).await.expect("it answers"));
                }
            });
        }
    };
    let reuse = |config| -> Option<Arc<dyn Policy>> {
        Some(Arc::new(Reuse::new(config, ReplyCache::default(), clock.clone())))
    };
    let kept = ReuseConfig::default().with_ttl(Duration::from_secs(3600));
    let value = FallbackConfig::Value(serde_json::Value::Null);
    let fallback = |config| -> Option<Arc<dyn Policy>> {
        Some(Arc::new(Fallback::new(config, ReplyCache::default(), clock.clone())))
    };
    Table::new(title)
        .case("no policy", through(None, false))
        .case("no policy, each with another query", through(None, true))
        .case("hedge off", through(Some(Arc::new(Hedge::new(None, clock.clone()))), false))
        .case(
            "hedge, none is sent",
            through(Some(Arc::new(Hedge::new(Some(HedgeConfig::default()), clock.clone()))), false),
        )
        .case("reuse off", through(reuse(None), false))
        .case("reuse, one flight", through(reuse(Some(ReuseConfig::default())), false))
        .case("reuse, a hit", through(reuse(Some(kept)), false))
        .case("reuse, a miss that is kept", through(reuse(Some(kept)), true))
        .case("fallback off", through(fallback(None), false))
        .case("fallback, not needed", through(fallback(Some(value)), false))
        .case("the request alone", |operations| {
            for _ in 0..operations {
                keep(usual.request(None));
            }
        })
        .case("the request, and a clone out of a locked map", {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            let known = Mutex::new(HashMap::from([(vec![7_u8; 300], (headers, body.clone()))]));
            let (usual, key) = (&usual, vec![7_u8; 300]);
            move |operations| {
                for _ in 0..operations {
                    keep(usual.request(None));
                    let known = known.lock().expect("nobody panics");
                    let (headers, body) = known.get(&key).expect("it is there").clone();
                    drop(known);
                    keep(Response::with_headers(StatusCode::OK, headers, body));
                }
            }
        })
        .run(selection);
}
