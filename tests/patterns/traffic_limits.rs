//! Limits of the caller: how many at once, how often, and what is refused. All of it in virtual time.

mod bulkhead;
mod crowd;
mod rate;
mod whole;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use http::{HeaderValue, Method, StatusCode, header::RETRY_AFTER};
use tekton_sdk::{
    Result,
    policy::{Pipeline, Policy, Rules},
    time::{Deadline, SharedClock},
    transport::{Body, CallInfo, Endpoint, Request, Response, Safety, Transport, TransportCapabilities},
};

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// What a component answers to its nth call, the first is 1: a status, and for how many seconds it asks to be left alone.
type Says = dyn Fn(usize) -> (u16, Option<u64>) + Send + Sync;

/// Components that take their time, and count who is with them. Clones share their counts.
#[derive(Clone)]
struct Callee(Arc<Inner>);

struct Inner {
    takes: Duration,
    says: Box<Says>,
    running: Mutex<HashMap<String, usize>>,
    most: AtomicUsize,
    /// The operations in the order in which they began.
    began: Mutex<Vec<String>>,
}

impl Callee {
    /// Answers 200 after this time. The component `slow` never answers.
    fn taking(takes: Duration) -> Self {
        Self::saying(takes, |_| (200, None))
    }

    fn saying(takes: Duration, says: impl Fn(usize) -> (u16, Option<u64>) + Send + Sync + 'static) -> Self {
        let (running, most, began) = (Mutex::default(), AtomicUsize::new(0), Mutex::default());
        Self(Arc::new(Inner { takes, says: Box::new(says), running, most, began }))
    }

    fn began(&self) -> Vec<String> {
        self.0.began.lock().unwrap().clone()
    }

    fn calls(&self) -> usize {
        self.0.began.lock().unwrap().len()
    }

    fn running(&self, target: &str) -> usize {
        self.0.running.lock().unwrap().get(target).copied().unwrap_or(0)
    }

    /// The most that were with one component at once.
    fn most(&self) -> usize {
        self.0.most.load(Ordering::SeqCst)
    }
}

/// One that is with a component.
struct There(Callee, String);

impl There {
    fn new(callee: &Callee, target: &str) -> Self {
        let mut running = callee.0.running.lock().unwrap();
        let count = running.entry(target.to_owned()).or_default();
        *count += 1;
        callee.0.most.fetch_max(*count, Ordering::SeqCst);
        Self(callee.clone(), target.to_owned())
    }
}

impl Drop for There {
    fn drop(&mut self) {
        *self.0.0.running.lock().unwrap().get_mut(&self.1).unwrap() -= 1;
    }
}

impl fmt::Debug for Callee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callee")
    }
}

#[async_trait]
impl Transport for Callee {
    async fn send(&self, request: Request) -> Result<Response> {
        let _there = There::new(self, &request.call.target);
        let nth = {
            let mut began = self.0.began.lock().unwrap();
            began.push(request.call.operation.to_string());
            began.len()
        };
        if *request.call.target == *"slow" {
            std::future::pending::<()>().await;
        }
        let clock = SharedClock::default();
        if self.0.takes > Duration::ZERO {
            clock.sleep(self.0.takes).await;
        }
        let (status, wait) = (self.0.says)(nth);
        let body = if *request.call.operation == *"stream" { stream() } else { Body::full("null") };
        let response = Response::new(StatusCode::from_u16(status).unwrap(), body);
        Ok(match wait {
            Some(seconds) => response.with_header(RETRY_AFTER, HeaderValue::from(seconds)),
            None => response,
        })
    }

    fn capabilities(&self) -> TransportCapabilities {
        TransportCapabilities::streaming(&["http"])
    }
}

fn stream() -> Body {
    Body::stream(futures_util::stream::iter(["1", "2"].map(|piece| Ok(bytes::Bytes::from(piece)))))
}

/// One stage before these components.
fn alone(policy: impl Policy, callee: &Callee) -> Pipeline {
    Pipeline::new(vec![Arc::new(policy)], Arc::new(callee.clone()), SharedClock::default())
}

/// A call of an operation, its answer collected.
fn call(target: &str, operation: &str) -> Request {
    let mut call = CallInfo::new(target, operation, Safety::Read);
    call.collect = Some(1 << 20);
    let endpoint = Endpoint::parse("http://127.0.0.1:1").unwrap();
    Request::new(Method::POST, "/op", call).with_endpoint(endpoint)
}

/// The same call, wanted within this time.
fn within(mut request: Request, limit: Duration) -> Request {
    request.call.deadline = Some(Deadline::after(SharedClock::default().now(), limit));
    request
}

/// The same call under these rules.
fn under(mut request: Request, rules: &Arc<Rules>) -> Request {
    request.call.rules = Some(Arc::clone(rules));
    request
}

/// The standard rules under this name, changed.
fn rules(name: &str, change: impl FnOnce(&mut Rules)) -> Arc<Rules> {
    let mut rules = Rules::standard();
    rules.name = name.into();
    change(&mut rules);
    Arc::new(rules)
}

/// Numbered operations, so that their order can be looked at.
fn numbered(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|n| format!("op-{n:05}"))
}
