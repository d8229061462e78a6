//! The road inside the mesh beside hyper's own parts, and a Unix socket beside TCP.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method, Request, header};
use http_body_util::BodyExt;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tekton_sdk::{
    Tekton,
    contract::Entry,
    directory::MemoryDirectory,
    wire::{headers, trace::TraceContext},
};
use tekton_sdk_benches::{Selection, Table, keep};

use super::{
    calls::{Body, Crowd, bare, calling},
    document::Document,
    runtime,
    server::{self, Server},
};

pub(super) fn run(selection: &Selection) {
    let titles = [1, 64].map(|at_once| (at_once, format!("mesh: JSON 1 KiB each way, {at_once} at once")));
    if !titles.iter().any(|(_, title)| selection.takes(title)) {
        return;
    }
    let server = server::start();
    let runtime = runtime();
    let document = Arc::new(Document::sample());
    for (at_once, title) in titles.iter().filter(|(_, title)| selection.takes(title)) {
        let crowd = Crowd { runtime: &runtime, at_once: *at_once };
        let table = Table::new(title.as_str())
            .case("bare hyper connection", bare(&crowd, server, &document, &HeaderMap::new()))
            .case("bare hyper connection, with our headers", bare(&crowd, server, &document, &wire_headers()))
            .case("hyper-util's pool", pooled(&crowd, server, &document));
        ours(table, &crowd, server, &document).run(selection);
    }
}

/// What the house's wire asks for: the part of our cost that no client could save, here and at the server.
fn wire_headers() -> HeaderMap {
    let mut wire = HeaderMap::new();
    wire.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    wire.insert(headers::API_VERSION, HeaderValue::from_static("1"));
    wire.insert(headers::CALLER, HeaderValue::from_static("bench"));
    headers::set_attempt(&mut wire, 1);
    headers::set_deadline(&mut wire, Duration::from_secs(5));
    TraceContext::new_root([7; 16], [7; 8], true).inject(&mut wire);
    wire
}

/// The pool that stands under reqwest, with nothing around it.
fn pooled<'a>(crowd: &Crowd<'a>, server: Server, document: &Arc<Document>) -> impl FnMut(u64) + use<'a> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(64)
        .pool_idle_timeout(Duration::from_secs(4))
        .build::<_, Body>(connector);
    let url: http::Uri = format!("http://{}/api/v1/echo", server.http).parse().expect("an address makes a URI");
    let document = Arc::clone(document);
    crowd.work(move |_| {
        let (client, url, document) = (client.clone(), url.clone(), Arc::clone(&document));
        async move {
            let mut request = Request::new(Body::from(document.json()));
            *request.method_mut() = Method::POST;
            *request.uri_mut() = url;
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            let answer = client.request(request).await.expect("the server answers");
            let bytes = answer.into_body().collect().await.expect("the answer is whole").to_bytes();
            keep(serde_json::from_slice::<Document>(&bytes).expect("the answer is a document"));
        }
    })
}

/// With every default policy.
fn ours<'a>(mut table: Table<'a>, crowd: &Crowd<'a>, server: Server, document: &Arc<Document>) -> Table<'a> {
    let roads = [("", format!("http://{}", server.http)), (" over a Unix socket", server.socket.to_owned())];
    for (road, endpoint) in roads {
        let entry = Entry::new("echo-1", "echo", endpoint.clone());
        let builder = Tekton::builder().named("bench").directory(MemoryDirectory::fixed([entry]));
        let tekton = builder.build().expect("the defaults build");
        let fixed = tekton.peer_at(&endpoint).expect("an address makes an endpoint");
        table = table
            .case(format!("tekton, found by name{road}"), calling(crowd, tekton.peer("echo"), document))
            .case(format!("tekton, at an endpoint{road}"), calling(crowd, fixed, document));
    }
    table
}
