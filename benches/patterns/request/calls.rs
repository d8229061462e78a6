//! A call over loopback, 1 KiB of JSON each way, one at a time and 64 at once.

use std::{future::Future, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tekton_sdk::{Peer, Tekton, contract::Entry, directory::MemoryDirectory};
use tekton_sdk_benches::{Selection, Table, keep};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Runtime,
    sync::Mutex,
};

use super::{
    document::Document,
    runtime,
    server::{self, ANSWER_BYTES, REQUEST_BYTES, Server},
};

pub(super) type Body = Full<bytes::Bytes>;

pub(super) fn run(selection: &Selection) {
    let titles = [1, 64].map(|at_once| (at_once, format!("call: JSON 1 KiB each way, {at_once} at once")));
    if !titles.iter().any(|(_, title)| selection.takes(title)) {
        return;
    }
    let server = server::start();
    let runtime = runtime();
    let document = Arc::new(Document::sample());
    for (at_once, title) in titles.iter().filter(|(_, title)| selection.takes(title)) {
        let crowd = Crowd { runtime: &runtime, at_once: *at_once };
        let table = Table::new(title.as_str());
        #[cfg(feature = "peers")]
        let table = peers::add(table, &crowd, server, &document);
        let table = ours(table, &crowd, server, &document);
        limits(table, &crowd, server, &document).run(selection);
    }
}

/// So many callers, each waiting for its answer before it calls again.
#[derive(Clone, Copy)]
pub(super) struct Crowd<'a> {
    pub(super) runtime: &'a Runtime,
    pub(super) at_once: u64,
}

impl<'a> Crowd<'a> {
    /// Spreads operations over the callers; `call` gets the caller's number.
    pub(super) fn work<F>(self, call: impl Fn(usize) -> F + Clone + Send + 'static) -> impl FnMut(u64) + 'a
    where
        F: Future<Output = ()> + Send,
    {
        move |operations| {
            self.runtime.block_on(async {
                let callers = (0..self.at_once).map(|caller| {
                    let call = call.clone();
                    let mine = operations / self.at_once + u64::from(caller < operations % self.at_once);
                    tokio::spawn(async move {
                        for _ in 0..mine {
                            call(caller as usize).await;
                        }
                    })
                });
                for caller in callers.collect::<Vec<_>>() {
                    caller.await.expect("no call may fail");
                }
            });
        }
    }
}

fn tekton(server: Server) -> Tekton {
    let entry = Entry::new("echo-1", "echo", format!("http://{}", server.http));
    let builder = Tekton::builder().named("bench").directory(MemoryDirectory::fixed([entry]));
    builder.build().expect("the defaults build")
}

fn ours<'a>(table: Table<'a>, crowd: &Crowd<'a>, server: Server, document: &Arc<Document>) -> Table<'a> {
    let tekton = tekton(server);
    let found = tekton.peer("echo");
    let fixed = tekton.peer_at(&format!("http://{}", server.http)).expect("an address makes an endpoint");
    let (found, fixed) = (calling(crowd, found, document), calling(crowd, fixed, document));
    table.case("tekton, found by name", found).case("tekton, at an endpoint", fixed)
}

/// Calls with every default policy, and a deadline of their own.
pub(super) fn calling<'a>(crowd: &Crowd<'a>, peer: Peer, document: &Arc<Document>) -> impl FnMut(u64) + use<'a> {
    let document = Arc::clone(document);
    crowd.work(move |_| {
        let (peer, document) = (peer.clone(), Arc::clone(&document));
        async move {
            let call = peer.request::<Document>("echo").json(&*document).timeout(Duration::from_secs(5));
            keep(call.await.expect("the server answers"));
        }
    })
}

/// One connection to each caller: what no client can beat.
fn limits<'a>(table: Table<'a>, crowd: &Crowd<'a>, server: Server, document: &Arc<Document>) -> Table<'a> {
    let streams = crowd.runtime.block_on(async {
        let mut streams = Vec::new();
        for _ in 0..crowd.at_once {
            let stream = TcpStream::connect(server.ping_pong).await.expect("the server listens");
            stream.set_nodelay(true).expect("a fresh stream takes options");
            streams.push(Mutex::new(stream));
        }
        Arc::new(streams)
    });
    let ping_pong = move |caller: usize| {
        let streams = Arc::clone(&streams);
        async move {
            let mut stream = streams[caller].lock().await;
            stream.write_all(&[0; REQUEST_BYTES]).await.expect("the server reads");
            stream.read_exact(&mut [0; ANSWER_BYTES]).await.expect("the server answers");
        }
    };
    let table = table.case("bare hyper connection", bare(crowd, server, document, &HeaderMap::new()));
    table.case("TCP ping-pong", crowd.work(ping_pong))
}

/// A connection for each caller, with a task that looks after it, and nothing else but these headers.
pub(super) fn bare<'a>(
    crowd: &Crowd<'a>,
    server: Server,
    document: &Arc<Document>,
    headers: &HeaderMap,
) -> impl FnMut(u64) + use<'a> {
    let connections = crowd.runtime.block_on(async {
        let mut connections = Vec::new();
        for _ in 0..crowd.at_once {
            connections.push(Mutex::new(connect(server).await));
        }
        Arc::new(connections)
    });
    let host = HeaderValue::from_str(&server.http.to_string()).expect("an address is ASCII");
    let (document, headers) = (Arc::clone(document), Arc::new(headers.clone()));
    crowd.work(move |caller: usize| {
        let (connections, host, document) = (Arc::clone(&connections), host.clone(), Arc::clone(&document));
        let headers = Arc::clone(&headers);
        async move {
            let mut request = Request::new(Body::from(document.json()));
            *request.method_mut() = Method::POST;
            *request.uri_mut() = "/api/v1/echo".parse().expect("a path is a URI");
            request.headers_mut().insert(header::HOST, host);
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            for (name, value) in &*headers {
                request.headers_mut().insert(name, value.clone());
            }
            let mut connection = connections[caller].lock().await;
            connection.ready().await.expect("the server keeps the connection");
            let answer = connection.send_request(request).await.expect("the server answers");
            let bytes = answer.into_body().collect().await.expect("the answer is whole").to_bytes();
            keep(serde_json::from_slice::<Document>(&bytes).expect("the answer is a document"));
        }
    })
}

async fn connect(server: Server) -> SendRequest<Body> {
    let stream = TcpStream::connect(server.http).await.expect("the server listens");
    stream.set_nodelay(true).expect("a fresh stream takes options");
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1 shakes no hands");
    tokio::spawn(connection);
    sender
}

#[cfg(feature = "peers")]
mod peers {
    use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
    use reqwest_retry::{RetryTransientMiddleware, policies::ExponentialBackoff};
    use rustls::{ClientConfig, RootCertStore, crypto::ring};
    use tekton_sdk::wire::{
        headers,
        trace::{self, TraceContext},
    };

    use super::*;

    /// reqwest as the SDK's transport sets it up.
    fn client() -> reqwest::Client {
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring serves the default versions")
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let builder = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(2))
            .pool_max_idle_per_host(64)
            .pool_idle_timeout(Duration::from_secs(4))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .tls_backend_preconfigured(tls)
            .referer(false)
            .no_proxy();
        builder.build().expect("the settings fit together")
    }

    fn retrying(client: reqwest::Client) -> ClientWithMiddleware {
        let backoff = ExponentialBackoff::builder().build_with_max_retries(3);
        ClientBuilder::new(client).with(RetryTransientMiddleware::new_with_policy(backoff)).build()
    }

    pub(super) fn add<'a>(table: Table<'a>, crowd: &Crowd<'a>, server: Server, document: &Arc<Document>) -> Table<'a> {
        let url: Arc<str> = format!("http://{}/api/v1/echo", server.http).into();
        let reqwest = |client: reqwest::Client, limit: Option<Duration>| {
            let (url, document) = (Arc::clone(&url), Arc::clone(document));
            move |_| {
                let (client, url, document) = (client.clone(), Arc::clone(&url), Arc::clone(&document));
                async move {
                    let mut request = client.post(&*url).json(&*document);
                    if let Some(limit) = limit {
                        request = request.timeout(limit);
                    }
                    let answer = request.send().await.expect("the server answers");
                    keep(answer.json::<Document>().await.expect("the answer is a document"));
                }
            }
        };
        // What the house's wire asks for, sent by hand: the part of our cost that no client could save.
        let with_headers = {
            let (client, url, document) = (client(), Arc::clone(&url), Arc::clone(document));
            move |_| {
                let (client, url, document) = (client.clone(), Arc::clone(&url), Arc::clone(&document));
                async move {
                    let request = client.post(&*url).json(&*document).timeout(Duration::from_secs(5));
                    let request = request
                        .header(header::ACCEPT, HeaderValue::from_static("application/json"))
                        .header(headers::CALLER, HeaderValue::from_static("bench"))
                        .header(headers::ATTEMPT, HeaderValue::from_static("1"))
                        .header(headers::DEADLINE_MS, HeaderValue::from(5000))
                        .header(trace::TRACEPARENT, TraceContext::new_root([7; 16], [7; 8], true).to_traceparent());
                    let answer = request.send().await.expect("the server answers");
                    keep(answer.json::<Document>().await.expect("the answer is a document"));
                }
            }
        };
        let with_retry = {
            let (client, url, document) = (retrying(client()), Arc::clone(&url), Arc::clone(document));
            move |_| {
                let (client, url, document) = (client.clone(), Arc::clone(&url), Arc::clone(&document));
                async move {
                    let answer = client.post(&*url).json(&*document).send().await.expect("the server answers");
                    keep(answer.json::<Document>().await.expect("the answer is a document"));
                }
            }
        };
        table
            .case("reqwest", crowd.work(reqwest(client(), None)))
            .case("reqwest with a time-out", crowd.work(reqwest(client(), Some(Duration::from_secs(5)))))
            .case("reqwest with a time-out and our headers", crowd.work(with_headers))
            .case("reqwest-middleware + reqwest-retry", crowd.work(with_retry))
    }
}
