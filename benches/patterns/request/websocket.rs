//! Round trips of JSON-RPC over one WebSocket, one at a time and 64 at once. All clients call the same server: the host of the SDK on
//! a thread of its own, with a handler that gives the body back.

use std::{
    net::SocketAddr,
    sync::{Arc, mpsc},
    thread,
};

use http::{Method, StatusCode};
use tekton_sdk::{
    Tekton, async_trait,
    host::{Server, ServerLimits},
    random::Random,
    time::SharedClock,
    transport::{
        Body, CallInfo, Endpoint, Handler, Inbound, Request, Response, Safety, Transport, WebSocketTransport,
        WebSocketTransportConfig,
    },
};
use tekton_sdk_benches::{Selection, Table, keep};

use super::{
    calls::{Crowd, calling},
    document::Document,
    runtime,
};

pub(super) fn run(selection: &Selection) {
    let titles = [1, 64].map(|at_once| (at_once, format!("websocket: JSON 1 KiB each way, {at_once} at once")));
    if !titles.iter().any(|(_, title)| selection.takes(title)) {
        return;
    }
    let server = start();
    let runtime = runtime();
    let document = Arc::new(Document::sample());
    for (at_once, title) in titles.iter().filter(|(_, title)| selection.takes(title)) {
        let crowd = Crowd { runtime: &runtime, at_once: *at_once };
        let table = Table::new(title.as_str());
        #[cfg(feature = "peers")]
        let table = table.case("jsonrpsee", peers::calling(&crowd, server, &document));
        let table = table.case("tekton, the transport", bare(&crowd, server, &document));
        let peer = tekton().peer_at(&format!("ws://{server}")).expect("an address makes an endpoint");
        table.case("tekton, with every policy", calling(&crowd, peer, &document)).run(selection);
    }
}

#[derive(Debug)]
struct Echo;

#[async_trait]
impl Handler for Echo {
    async fn handle(&self, request: Inbound) -> Response {
        Response::new(StatusCode::OK, request.body)
    }
}

/// Starts the server; it runs until the process ends.
fn start() -> SocketAddr {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        runtime().block_on(async move {
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            let server = Server::bind(any, Arc::new(Echo), ServerLimits::default(), SharedClock::default());
            let server = server.await.expect("a free port can be listened on");
            tell.send(server.local_addr()).expect("the starter waits for the address");
            std::future::pending::<()>().await;
        });
    });
    told.recv().expect("the server tells its address before anything else")
}

fn transport() -> WebSocketTransport {
    let config = WebSocketTransportConfig::default();
    WebSocketTransport::new(&config, SharedClock::default(), Random::new()).expect("the defaults build")
}

fn tekton() -> Tekton {
    Tekton::builder().named("bench").transport(transport()).build().expect("the defaults build")
}

/// The transport alone: the document is written and read, and nothing else is done.
fn bare<'a>(crowd: &Crowd<'a>, server: SocketAddr, document: &Arc<Document>) -> impl FnMut(u64) + use<'a> {
    let (transport, document) = (transport(), Arc::clone(document));
    let endpoint = Endpoint::parse(&format!("ws://{server}")).expect("an address makes an endpoint");
    let call = CallInfo::new("echo", "echo", Safety::Read);
    crowd.work(move |_| {
        let request = Request::new(Method::POST, "/api/v1/echo", call.clone()).with_endpoint(endpoint.clone());
        let (transport, document) = (transport.clone(), Arc::clone(&document));
        async move {
            let request = request.with_body(Body::full(document.json()));
            let answer = transport.send(request).await.expect("the server answers");
            let body = answer.into_body().collect(1 << 20).await.expect("the answer is whole");
            keep(serde_json::from_slice::<Document>(&body).expect("it is the document"));
        }
    })
}

#[cfg(feature = "peers")]
mod peers {
    use jsonrpsee_core::{client::ClientT, traits::ToRpcParams};
    use jsonrpsee_ws_client::WsClientBuilder;
    use serde_json::value::{RawValue, to_raw_value};

    use super::*;

    struct Params(Arc<Document>);

    impl ToRpcParams for Params {
        fn to_rpc_params(self) -> Result<Option<Box<RawValue>>, serde_json::Error> {
            to_raw_value(&*self.0).map(Some)
        }
    }

    pub(super) fn calling<'a>(
        crowd: &Crowd<'a>,
        server: SocketAddr,
        document: &Arc<Document>,
    ) -> impl FnMut(u64) + use<'a> {
        let building = async { WsClientBuilder::default().build(format!("ws://{server}/ws")).await };
        let client = Arc::new(crowd.runtime.block_on(building).expect("the server listens"));
        let document = Arc::clone(document);
        crowd.work(move |_| {
            let (client, params) = (Arc::clone(&client), Params(Arc::clone(&document)));
            async move {
                let answer: Document = client.request("echo", params).await.expect("the server answers");
                keep(answer);
            }
        })
    }
}
