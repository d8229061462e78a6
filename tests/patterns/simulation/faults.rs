//! The network of a simulated mesh: each instance has moods that change with time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use tekton_sdk::{
    Error, ErrorKind, Result, Sent,
    random::Random,
    time::SharedClock,
    transport::{Body, MemoryTransport, Request, Response, Transport, TransportCapabilities},
};

/// How an instance behaves for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    /// Every answer takes this long.
    Slow(Duration),
    /// Nobody listens.
    Dead,
    /// The connection opens, and nothing ever comes.
    Hangs,
    /// 503, with or without a time to wait.
    Fails,
    /// 429 with a time to wait.
    Throttles,
    /// Carries the call out, and loses the answer.
    LosesAnswers,
    /// A moment well, a moment dead.
    Flaps,
    /// Answers what is no JSON.
    Garbage,
}

/// The moods of one instance, each with the time at which it begins.
pub(super) struct Fate(Vec<(Duration, Mood)>);

impl Fate {
    /// Two to six moods within `span`, and well from then on.
    pub(super) fn drawn(random: &Random, span: Duration) -> Self {
        let mut moods: Vec<(Duration, Mood)> = (0..2 + random.next_u64() % 5)
            .map(|_| {
                let mood = match random.next_u64() % 12 {
                    0 => Mood::Slow(Duration::from_millis(50) + random.up_to(Duration::from_secs(3))),
                    1 => Mood::Dead,
                    2 => Mood::Hangs,
                    3 | 4 => Mood::Fails,
                    5 => Mood::Throttles,
                    6 => Mood::LosesAnswers,
                    7 => Mood::Flaps,
                    8 => Mood::Garbage,
                    _ => Mood::Well,
                };
                (random.up_to(span), mood)
            })
            .collect();
        moods.push((span, Mood::Well));
        moods.sort_by_key(|(at, _)| *at);
        Self(moods)
    }

    fn at(&self, time: Duration) -> Mood {
        let mood = self.0.iter().take_while(|(begins, _)| *begins <= time).last();
        match mood.map(|(_, mood)| *mood) {
            Some(Mood::Flaps) if (time.as_millis() / 700).is_multiple_of(2) => Mood::Well,
            Some(Mood::Flaps) => Mood::Dead,
            mood => mood.unwrap_or(Mood::Well),
        }
    }
}

/// What a process has sent to each component, and what each instance was sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Sends {
    pub(super) attempts: Arc<Mutex<HashMap<String, u64>>>,
    pub(super) instances: Arc<Mutex<HashMap<String, u64>>>,
}

/// The road of one process.
pub(super) struct Network {
    pub(super) inner: MemoryTransport,
    pub(super) fates: Arc<HashMap<String, Fate>>,
    pub(super) began: Instant,
    pub(super) random: Random,
    pub(super) sends: Sends,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Network")
    }
}

#[async_trait]
impl Transport for Network {
    async fn send(&self, request: Request) -> Result<Response> {
        let endpoint = request.endpoint.as_ref().unwrap().authority().to_owned();
        *self.sends.attempts.lock().unwrap().entry(request.call.target.to_string()).or_default() += 1;
        *self.sends.instances.lock().unwrap().entry(endpoint.clone()).or_default() += 1;
        SharedClock::default().sleep(Duration::from_millis(1) + self.random.up_to(Duration::from_millis(4))).await;
        match self.fates[&endpoint].at(SharedClock::default().now().duration_since(self.began)) {
            Mood::Well | Mood::Flaps => self.inner.send(request).await,
            Mood::Slow(delay) => {
                SharedClock::default().sleep(delay).await;
                self.inner.send(request).await
            }
            Mood::Dead => Err(Error::new(ErrorKind::Connect, "nobody listens").with_sent(Sent::No)),
            Mood::Hangs => std::future::pending().await,
            Mood::Fails => Ok(Response::new(StatusCode::SERVICE_UNAVAILABLE, Body::empty())),
            Mood::Throttles => {
                let wait = HeaderValue::from(1 + self.random.next_u64() % 2);
                Ok(Response::new(StatusCode::TOO_MANY_REQUESTS, Body::empty()).with_header(RETRY_AFTER, wait))
            }
            Mood::LosesAnswers => {
                drop(self.inner.send(request).await);
                Err(Error::new(ErrorKind::Interrupted, "the connection broke"))
            }
            Mood::Garbage => Ok(Response::new(StatusCode::OK, Body::full("<html>"))),
        }
    }

    fn capabilities(&self) -> TransportCapabilities {
        self.inner.capabilities()
    }
}
