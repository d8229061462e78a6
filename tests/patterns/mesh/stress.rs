//! Many tasks on many threads, some of which give up: no call hangs, and no answer is another call's.

use std::{future::Future, pin::pin, sync::Arc, task::Poll};

use async_trait::async_trait;
use futures_util::future::poll_fn;
use http::{Method, StatusCode};
use tekton_sdk::{
    Result,
    host::{Server, ServerLimits},
    time::SharedClock,
    transport::{
        Body, CallInfo, Endpoint, Handler, Inbound, MeshTransport, MeshTransportConfig, Request, Response, Safety,
        Transport,
    },
};

use super::numbers;

#[derive(Debug)]
struct Echo;

#[async_trait]
impl Handler for Echo {
    async fn handle(&self, request: Inbound) -> Response {
        let is_streamed = request.path.ends_with("streamed");
        let body = request.body.collect(1 << 20).await.unwrap_or_default();
        let body = match is_streamed {
            true => Body::stream(futures_util::stream::iter([
                Ok(body.slice(..body.len() / 2)),
                Ok(body.slice(body.len() / 2..)),
            ])),
            false => Body::full(body),
        };
        Response::new(StatusCode::OK, body)
    }
}

async fn echo(transport: &MeshTransport, endpoint: &Endpoint, path: &'static str, text: String) -> Result<()> {
    let call = CallInfo::new("echo", "x", Safety::Write);
    let request =
        Request::new(Method::POST, path, call).with_endpoint(endpoint.clone()).with_body(Body::full(text.clone()));
    let answer = transport.send(request).await?.into_body().collect(1 << 20).await?;
    assert!(answer == text, "an answer of {} bytes for a question of {}", answer.len(), text.len());
    Ok(())
}

/// Polls a future so often and no more.
async fn at_most<F: Future>(polls: usize, work: F) -> Option<F::Output> {
    let (mut work, mut left) = (pin!(work), polls);
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_call_hangs_and_no_answer_is_mixed_up() {
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::bind(any, Arc::new(Echo), ServerLimits::default(), SharedClock::default()).await.unwrap();
    let endpoint = Endpoint::parse(&format!("http://{}", server.local_addr())).unwrap();
    let transport = MeshTransport::new(&MeshTransportConfig::default(), SharedClock::default()).unwrap();
    let tasks = (0..32_usize).map(|task| {
        let (transport, endpoint) = (transport.clone(), endpoint.clone());
        tokio::spawn(async move {
            for round in 0..60_usize {
                let path = if round % 3 == 0 { "/streamed" } else { "/" };
                let length = [2, 900, 60_000, 300_000][(task + round) % 4];
                let text = format!("{task}:{round};").repeat(length / 6);
                let calling = echo(&transport, &endpoint, path, text);
                if round % 5 == 4 {
                    at_most(round % 4, calling).await.transpose().unwrap();
                } else {
                    calling.await.unwrap();
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let (open, idle) = numbers(&transport, &endpoint);
    assert!(open == idle && (1..=32).contains(&idle), "{idle} of {open} idle");
}
