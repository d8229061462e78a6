//! Room 2, events, in a browser: a page hears a component's topics through a plain `WebSocket` and a plain `EventSource`.
//! Run with: `cargo run --example browser`, and open the page that it names; with two ports as arguments (the component's, the page's)
//! it listens on these, else on free ones. SIGTERM or Ctrl-C ends it.
//! Expect: what you publish in the page appears in both of its lists. End it and start it again on the same ports: the page finds it
//! again, and says what it missed.
//!
//! In your Cargo.toml: http = "1"
//!                     tekton-sdk = "0.1"
//!                     tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, OnceLock},
};

use http::{HeaderValue, StatusCode, header};
use tekton_sdk::{
    Component, Error, ErrorKind, Result, Tekton, async_trait,
    config::HostConfig,
    context::Identity,
    host::{Identify, RequestHead, Server, ServerLimits, until_signal},
    patterns::events::Events,
    service,
    transport::{Body, Handler, Inbound, Response},
};

/// What the page proves itself by. A real one has it from a login.
const TOKEN: &str = "Bearer open sesame";

/// Takes orders, and tells everybody who listens.
#[derive(Component)]
#[component(version = "1.0.0")]
struct Kitchen {
    events: Events,
}

#[service]
impl Kitchen {
    /// Takes an order.
    ///
    /// # Arguments
    /// * `dish` - what is to be cooked
    #[op(write)]
    async fn order(&self, dish: String) -> Result<()> {
        self.events.publisher("orders.new")?.send(&dish).await?;
        Ok(())
    }
}

/// Knows one token.
#[derive(Debug)]
struct Doorman;

#[async_trait]
impl Identify for Doorman {
    async fn identify(&self, head: &RequestHead<'_>) -> Result<Option<Identity>> {
        match head.headers.get("authorization").map(|token| token.as_bytes()) {
            None => Ok(None),
            Some(token) if token == TOKEN.as_bytes() => Ok(Some(Identity::new("guest"))),
            Some(_) => Err(Error::new(ErrorKind::Unauthorized, "the token is not known")),
        }
    }
}

/// The web server that the page comes from: another origin than the component's, as in most places.
#[derive(Debug, Default)]
struct Page {
    /// Where the component is, once it is served.
    component: OnceLock<String>,
}

#[async_trait]
impl Handler for Page {
    async fn handle(&self, request: Inbound) -> Response {
        let (status, kind, body) = match &*request.path {
            "/" => (StatusCode::OK, "text/html; charset=utf-8", include_str!("index.html").to_owned()),
            "/component" => (StatusCode::OK, "text/plain", self.component.get().cloned().unwrap_or_default()),
            _ => (StatusCode::NOT_FOUND, "text/plain", "there is one page".to_owned()),
        };
        Response::new(status, Body::full(body)).with_header(header::CONTENT_TYPE, HeaderValue::from_static(kind))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let tekton = Tekton::builder().named("example").build()?;
    let mut ports = std::env::args().skip(1).map(|port| port.parse::<u16>().unwrap_or_default());
    let (port, page_port) = (ports.next().unwrap_or_default(), ports.next().unwrap_or_default());

    let page = Arc::new(Page::default());
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, page_port));
    let limits = ServerLimits::default();
    let web = Server::bind(address, Arc::clone(&page) as Arc<dyn Handler>, limits, tekton.clock().clone()).await?;
    let origin = format!("http://{}", web.local_addr());

    let events = tekton.events();
    let kitchen = Kitchen { events: events.clone() };
    // Pages of that origin may listen, and so may nobody else's.
    let config = HostConfig::default().with_ws_origins([&origin]);
    let served =
        kitchen.serve(&tekton).with_config(config).port(port).identify(Doorman).events(&events).start().await?;
    let component = page.component.get_or_init(|| served.endpoint().to_owned());
    println!("serving {component}");
    println!("open {origin}/");

    until_signal().await?;
    served.shutdown().await;
    web.shutdown(HostConfig::default().drain_timeout).await;
    Ok(())
}
