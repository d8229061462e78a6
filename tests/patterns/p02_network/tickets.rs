//! A proof for one connection, for pages that cannot send one with it.

use tekton_sdk::{contract::Operation, testing::TestBed, time::ManualClock};

use super::{sse::ask, *};

const WHO: Operation = Operation::read("who", "Says who calls.");

/// Says who calls.
struct Door;

impl Component for Door {
    fn descriptor(&self) -> Descriptor {
        Descriptor::new("door", "1.0.0")
    }

    fn operations(self: Arc<Self>) -> Operations {
        Operations::new()
            .on(&self, WHO, |_, context, _| async move { Ok(context.identity().map(|who| who.subject().to_owned())) })
    }
}

async fn door(tekton: &Tekton, change: impl FnOnce(&mut HostConfig)) -> (Served, Events) {
    let mut config = HostConfig::default();
    change(&mut config);
    let events = events(&broker(1, None));
    let serve = host::guarded(Door.serve(tekton)).with_config(config).events(&events);
    (serve.start().await.unwrap(), events)
}

/// Asks for a ticket with these further lines of the head.
async fn asked(served: &Served, lines: &str) -> (u16, Value) {
    let head = format!("POST /ws/ticket HTTP/1.1\r\nContent-Length: 0{lines}");
    let text = ask(served, &head, "}").await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap())
}

async fn ticket(served: &Served, lines: &str) -> String {
    let (status, body) = asked(served, lines).await;
    assert_eq!(status, 200, "{body}");
    body["ticket"].as_str().unwrap().to_owned()
}

const ANN: &str = "\r\nAuthorization: ann";

/// Opens a WebSocket with it; an error is the status.
async fn open(served: &Served, ticket: &str, headers: &[(&'static str, &str)]) -> Result<Raw, u16> {
    Raw::open_at(served.endpoint(), &format!("/ws?ticket={ticket}"), headers).await
}

/// The head of the answer of `/events` with it.
async fn listen(served: &Served, ticket: &str, lines: &str) -> String {
    ask(served, &format!("GET /events?topics=ann.x&ticket={ticket} HTTP/1.1{lines}"), "\r\n\r\n").await
}

#[tokio::test]
async fn a_ticket_opens_one_connection_as_whoever_asked_for_it() {
    let (served, events) = door(&tekton(), |_| {}).await;
    let first = ticket(&served, ANN).await;
    assert!(first.len() >= 22, "128 bits at least: {first}");
    let mut raw = open(&served, &first, &[]).await.unwrap();
    subscribe(&mut raw, r#"{"topics":[">"]}"#).await;
    publish(&events, "bob.secret", &1).await;
    publish(&events, "ann.news", &2).await;
    assert_eq!(told(&mut raw).await["topic"], "ann.news");
    let refused = raw.call(1, "publish", r#"{"topic":"bob.x","data":1}"#).await;
    assert_eq!(refused["error"]["data"]["code"], "topic_refused");
    assert_eq!(raw.call(2, "who", "{}").await["result"], "ann", "an operation knows it too");
    // It stands for the whole connection, whatever a call says besides.
    let call = r#"{"jsonrpc":"2.0","method":"who","http":{"headers":{"authorization":"bob"}},"id":3}"#;
    assert_eq!(raw.ask(call).await["result"], "ann");
    let more = raw.ask(r#"{"jsonrpc":"2.0","method":"/ws/ticket","http":{},"id":4}"#).await;
    assert_eq!(more["error"]["data"]["code"], "ticket_for_a_ticket", "it does not renew itself: {more}");

    assert_eq!(open(&served, &first, &[]).await.err(), Some(401), "it was used");
    assert!(listen(&served, &first, "").await.starts_with("HTTP/1.1 401 "));
    let second = ticket(&served, ANN).await;
    assert_ne!(first, second);
    assert!(listen(&served, &second, "").await.starts_with("HTTP/1.1 200 "));
    let refused = ask(&served, &format!("GET /events?topics=ann.x&ticket={second} HTTP/1.1"), "}").await;
    assert!(refused.starts_with("HTTP/1.1 401 ") && refused.contains(r#""code":"ticket_refused""#), "{refused}");
    assert!(refused.contains("ask for another at `POST /ws/ticket`") && !refused.contains(&second), "{refused}");
    assert_eq!(open(&served, &second, &[]).await.err(), Some(401), "for either kind of connection");
    for wrong in ["", "x", "%00", &first.to_uppercase(), &"x".repeat(10_000)] {
        assert_eq!(open(&served, wrong, &[("authorization", "ann")]).await.err(), Some(401), "{wrong:.20}");
    }
}

#[tokio::test]
async fn a_ticket_is_not_used_up_by_what_could_not_be_opened() {
    let (served, _) = door(&tekton(), |_| {}).await;
    let ticket = ticket(&served, ANN).await;
    assert_eq!(open(&served, &ticket, &[("origin", "https://evil.example")]).await.err(), Some(403));
    assert_eq!(open(&served, &ticket, &[("sec-websocket-version", "8")]).await.err(), Some(426));
    let text = ask(&served, &format!("GET /events?topics=a..b&at=x&ticket={ticket} HTTP/1.1"), "}").await;
    assert!(text.starts_with("HTTP/1.1 422 "), "{text}");
    assert!(open(&served, &ticket, &[]).await.is_ok());
}

#[tokio::test]
async fn a_ticket_ends_after_its_life() {
    let clock = ManualClock::new();
    let tekton = Tekton::builder().named("tester").clock(clock.clone()).build().unwrap();
    let (served, _) = door(&tekton, |host| host.ticket_life = 20 * SECOND).await;
    let (_, body) = asked(&served, ANN).await;
    assert_eq!(body["expires_in_ms"], 20_000);
    let other = ticket(&served, ANN).await;
    clock.advance(19 * SECOND);
    assert!(open(&served, body["ticket"].as_str().unwrap(), &[]).await.is_ok());
    clock.advance(SECOND);
    assert_eq!(open(&served, &other, &[]).await.err(), Some(401));
}

#[tokio::test]
async fn a_ticket_is_for_who_is_known_and_nobody_needs_one_where_nobody_is() {
    let (served, _) = door(&tekton(), |_| {}).await;
    for (lines, wanted) in [("", 401), ("\r\nAuthorization: wrong", 401), (ANN, 200)] {
        assert_eq!(asked(&served, lines).await.0, wanted, "{lines}");
    }
    let text = ask(&served, "GET /ws/ticket HTTP/1.1", "}").await;
    assert!(text.starts_with("HTTP/1.1 405 ") && text.contains("allow: POST, OPTIONS\r\n"), "{text}");
    let text = ask(&served, "POST /ws/ticket HTTP/1.1\r\nContent-Length: 0\r\nAuthorization: ann", "}").await;
    assert!(text.contains("cache-control: no-store\r\n"), "{text}");

    let open_to_all = serve(&events(&broker(1, None))).await;
    assert_eq!(asked(&open_to_all, "").await, (200, json!({ "ticket": null, "expires_in_ms": 0 })));
    assert_eq!(Raw::open_at(open_to_all.endpoint(), "/ws?ticket=x", &[]).await.err(), Some(401));
    let neither = serve_with(&events(&broker(1, None)), &tekton(), |host| host.ws = false, host::guarded).await;
    let ticket = ticket(&neither, ANN).await;
    assert!(listen(&neither, &ticket, "").await.starts_with("HTTP/1.1 200 "), "without `/ws` there is `/events`");
}

#[tokio::test]
async fn a_page_has_its_own_tickets_and_pages_of_other_origins_none() {
    let origins = ["https://app.example".to_owned(), "https://other.example".to_owned()];
    let (served, _) = door(&tekton(), |host| host.ws_origins = origins.to_vec()).await;
    let preflight = "OPTIONS /ws/ticket HTTP/1.1\r\nAccess-Control-Request-Method: POST\r\n\
                     Access-Control-Request-Headers: authorization\r\nOrigin: ";
    let text = ask(&served, &format!("{preflight}https://app.example"), "\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 204 "), "{text}");
    for line in [
        "access-control-allow-origin: https://app.example\r\n",
        "access-control-allow-methods: POST\r\n",
        "access-control-allow-headers: authorization\r\n",
        "vary: origin\r\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let text = ask(&served, &format!("{preflight}https://evil.example"), "\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 403 ") && !text.contains("access-control"), "{text}");
    assert_eq!(asked(&served, &format!("{ANN}\r\nOrigin: https://evil.example")).await.0, 403);
    assert_eq!(asked(&served, &format!("{ANN}\r\nHost: evil.example")).await.0, 403);

    let of_app = format!("{ANN}\r\nOrigin: https://app.example");
    let used = ticket(&served, &of_app).await;
    assert!(open(&served, &used, &[("origin", "https://app.example")]).await.is_ok());
    let stolen = ticket(&served, &of_app).await;
    assert_eq!(open(&served, &stolen, &[("origin", "https://other.example")]).await.err(), Some(401));
    assert_eq!(open(&served, &stolen, &[("origin", "https://app.example")]).await.err(), Some(401), "nobody's now");
    let without = ticket(&served, &of_app).await;
    assert_eq!(open(&served, &without, &[]).await.err(), Some(401), "a browser would say the origin");
    let text = listen(&served, &ticket(&served, &of_app).await, "\r\nOrigin: https://app.example").await;
    assert!(text.contains("access-control-allow-origin: https://app.example\r\n"), "{text}");

    // The `EventSource` of a page that came from the host itself says no origin, which its `fetch` did say.
    let host = crate::ws::raw::address(served.endpoint());
    let own = ticket(&served, &format!("{ANN}\r\nOrigin: http://{host}")).await;
    assert!(listen(&served, &own, "\r\nSec-Fetch-Site: same-origin").await.starts_with("HTTP/1.1 200 "));
    let from_no_page = ticket(&served, ANN).await;
    assert!(open(&served, &from_no_page, &[("origin", "https://app.example")]).await.is_ok(), "a backend asked for it");
}

#[tokio::test]
async fn tickets_are_bounded_and_wrong_ones_count_against_the_address() {
    let (served, _) = door(&tekton(), |host| host.max_tickets = 2).await;
    let tickets = [
        ticket(&served, ANN).await,
        ticket(&served, "\r\nAuthorization: bob").await,
        ticket(&served, "\r\nAuthorization: eve").await,
    ];
    let mut opened = Vec::new();
    for ticket in &tickets {
        opened.push(open(&served, ticket, &[]).await.map_or_else(|status| status, |_| 101));
    }
    assert_eq!(opened, [401, 101, 101], "the oldest is good no more");

    let clock = ManualClock::new();
    let tekton = Tekton::builder().named("tester").clock(clock.clone()).build().unwrap();
    let (served, _) = door(&tekton, |host| host.client_rate_per_second = Some(2)).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(open(&served, "guessed", &[]).await.err().unwrap());
    }
    assert_eq!(told, [401, 401, 429]);
    assert!(listen(&served, "guessed", "").await.starts_with("HTTP/1.1 429 "));
    let mut asked_for = Vec::new();
    for _ in 0..3 {
        asked_for.push(asked(&served, ANN).await.0);
    }
    assert_eq!(asked_for, [200, 200, 429], "and whoever asks for tickets asks as for anything");
}

#[tokio::test]
async fn a_ticket_is_shown_nowhere() {
    let bed = TestBed::new().unwrap();
    let tekton = bed.tekton().clone();
    let (served, _) = door(&tekton, |host| host.introspect = true).await;
    let (used, kept) = (ticket(&served, ANN).await, ticket(&served, ANN).await);
    let mut raw = open(&served, &used, &[]).await.unwrap();
    assert!(listen(&served, &used, "").await.starts_with("HTTP/1.1 401 "));
    assert_eq!(raw.call(1, "who", "{}").await["result"], "ann");
    let shown = raw.ask(r#"{"jsonrpc":"2.0","method":"/introspect","http":{"method":"GET"},"id":1}"#).await;
    assert_eq!(shown["result"]["host"]["limits"]["tickets"], 1);
    let told = format!("{shown} {:?} {:?}", bed.spans(), bed.events());
    assert!(told.contains("tekton.serve"), "something was told: {told}");
    for ticket in [&used, &kept] {
        assert!(!told.contains(ticket.as_str()), "{told}");
    }
}
