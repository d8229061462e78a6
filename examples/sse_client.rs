//! An event stream of any server: a team chat that breaks off half way, is taken up again, and ends.
//! Run with: `cargo run --example sse_client`
//! Expect: who says what, the same members as if nothing had broken, and what was asked of the server.
//!
//! In your Cargo.toml: tekton-sdk = "0.1"
//!                     tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use tekton_sdk::{
    Result,
    patterns::streaming::{ReconnectConfig, SseClient, SseEvent, StreamEvent},
    testing::{ScriptedSse, SseAnswer},
};

#[tekton_sdk::data]
struct Message {
    socket_id: String,
    content: String,
}

/// What Rhetor's team chat sends. What it sends beside that, some day, is kept.
#[derive(SseEvent)]
enum TeamChat {
    Connected,
    Message(Message),
    Complete,
    #[event("error", text)]
    Failed(String),
    #[event(other)]
    Other(StreamEvent),
}

/// A server that speaks as Rhetor does: CR LF, a `ping` now and then. It breaks off in the middle of an event.
async fn rhetor() -> Result<ScriptedSse> {
    let message = |id: u8, who: &str, what: &str| {
        let data = format!(r#"{{"type":"message","socket_id":"{who}","content":"{what}"}}"#);
        format!("id: {id}\r\nevent: message\r\ndata: {data}\r\n\r\n")
    };
    let connected = "event: connected\r\ndata: {\"type\":\"connected\"}\r\n\r\n: ping - 2026-01-01 00:00:00\r\n\r\n";
    let half = "id: 2\r\nevent: message\r\ndata: {\"type\":\"mess";
    let complete = "event: typing\r\ndata: {}\r\n\r\nevent: complete\r\ndata: {\"type\":\"complete\"}\r\n\r\n";
    let server = ScriptedSse::start().await?;
    server
        .answer(
            SseAnswer::stream().bytes(connected).bytes(message(1, "apollo", "I would cache it.")).bytes(half).breaks(),
        )
        .answer(
            SseAnswer::stream().bytes(message(2, "athena", "I would not.")).bytes(complete).split_every(7).stalls(),
        );
    Ok(server)
}

#[tokio::main]
async fn main() -> Result<()> {
    let server = rhetor().await?;
    let url = format!("{}/api/team-chat/stream?message=cache+it%3F&timeout=2.0", server.origin());
    let reconnect = ReconnectConfig::default().with_delay(Duration::from_millis(10)); // 1 s unless said
    let mut events = SseClient::get(&url)?.reconnect(reconnect).open()?.typed::<TeamChat>();

    let mut said = Vec::new();
    while let Some(event) = events.next().await {
        match event? {
            TeamChat::Connected => println!("connected"),
            TeamChat::Message(message) => {
                println!("{:>8}: {}", message.socket_id, message.content);
                said.push(message.socket_id);
            }
            TeamChat::Failed(why) => println!("failed: {why}"),
            TeamChat::Other(event) => println!("an event of another type: {}", event.kind),
            TeamChat::Complete => break,
        }
    }
    drop(events); // closes the connection

    for request in server.requests() {
        let after =
            request.headers.get("last-event-id").map_or("the beginning".to_owned(), |id| format!("event {id:?}"));
        println!("asked for {} after {after}", request.path);
    }
    assert_eq!((said, server.requests().len()), (vec!["apollo".to_owned(), "athena".to_owned()], 2));
    server.until_open(0).await;
    Ok(())
}
