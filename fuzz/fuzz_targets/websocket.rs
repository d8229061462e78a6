//! Messages of anybody to a host and to a client of WebSockets: what is read comes out again as it was.
#![no_main]

use bytes::Bytes;
use http::HeaderMap;
use libfuzzer_sys::fuzz_target;
use tekton_sdk::wire::{
    exchange::{Answered, Asked, Content, Note, Payload, encode_answer, encode_call, encode_plain_answer},
    jsonrpc::{Id, Incoming, Message, Request, Response, RpcLimits, parse},
};

fn whole(content: &Content<'_>) -> Option<Bytes> {
    match content {
        Content::Empty => Some(Bytes::new()),
        Content::Json(json) => Some(Bytes::copy_from_slice(json.as_bytes())),
        Content::Bytes(bytes) => Some(bytes.clone()),
        Content::Stream => None,
    }
}

/// The message that a text of ours is.
fn one(text: &str) -> Message<'_> {
    match parse(text.as_bytes(), &RpcLimits::default().with_max_message_bytes(usize::MAX)) {
        Ok(Incoming::One(message)) => message,
        other => panic!("{text}: {other:?}"),
    }
}

fn request(request: &Request<'_>) {
    if let Ok((id, note)) = Note::read(request) {
        let text = match &note {
            Note::Piece(bytes) => Note::encode_piece(&id, bytes),
            Note::End => Note::encode_end(&id, None),
            Note::Broken(reason) => Note::encode_end(&id, Some(reason)),
            Note::Credit(bytes) => Note::encode_credit(&id, *bytes),
            Note::Cancel => Note::encode_cancel(&id),
        };
        let Message::Request(again) = one(&text) else { panic!("{text}") };
        assert_eq!(Note::read(&again).expect("it was written so"), (id, note));
    }
    let Ok(asked) = Asked::read(request) else { return };
    let body = whole(&asked.content);
    let payload = body.as_ref().map_or(Payload::Stream, Payload::Whole);
    let text = encode_call(7, &asked.method, &asked.path, asked.query.as_deref(), &asked.headers, payload);
    let Message::Request(again) = one(&text) else { panic!("{text}") };
    assert_eq!(again.id, Some(Id::from(7)));
    let back = Asked::read(&again).expect("it was written so");
    assert_eq!((&back.method, &back.path, &back.query), (&asked.method, &asked.path, &asked.query));
    assert_eq!(whole(&back.content), body);
    assert!(same(&asked.headers, back.headers));
}

fn response(response: Response<'_>) {
    let Ok(answered) = Answered::read(response.outcome, response.http) else { return };
    let body = whole(&answered.content);
    let payload = body.as_ref().map_or(Payload::Stream, Payload::Whole);
    let text = encode_answer(&response.id, answered.status, &answered.headers, payload);
    let Message::Response(again) = one(&text) else { panic!("{text}") };
    assert_eq!(again.id, response.id);
    let back = Answered::read(again.outcome, again.http).expect("it was written so");
    assert_eq!((back.status, whole(&back.content)), (answered.status, body.clone()));
    assert!(same(&answered.headers, back.headers));
    if let Some(body) = body {
        let text = encode_plain_answer(&response.id, answered.status, &body);
        assert!(matches!(one(&text), Message::Response(_)), "{text}");
    }
}

/// JSON in a message has a type of its own, if none is said.
fn same(sent: &HeaderMap, mut came: HeaderMap) -> bool {
    if !sent.contains_key("content-type") {
        came.remove("content-type");
    }
    *sent == came
}

fuzz_target!(|message: &[u8]| {
    let entries = match parse(message, &RpcLimits::default()) {
        Ok(Incoming::One(message)) => vec![message],
        Ok(Incoming::Batch(entries)) => entries,
        Err(_) => return,
    };
    for entry in entries {
        match entry {
            Message::Request(asked) => request(&asked),
            Message::Response(answered) => response(answered),
            Message::Invalid(_) => {}
        }
    }
});
