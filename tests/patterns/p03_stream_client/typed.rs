//! Events as an enum.

use tekton_sdk::{
    ErrorKind,
    patterns::streaming::{Ended, SseEvent, StreamEvent, TypedEvents},
    testing::{ScriptedSse, SseAnswer},
};

use super::client;

#[tekton_sdk::data]
#[derive(Debug, PartialEq)]
struct Said {
    by: String,
    text: String,
}

#[derive(Debug, PartialEq, SseEvent)]
enum Chat {
    Said(Said),
    AllSaid,
    #[event("message", text)]
    Note(Box<str>),
    #[event("n")]
    Number(u64),
    #[event(other)]
    Other(StreamEvent),
}

#[tokio::test]
async fn each_type_is_a_variant_and_others_are_kept() {
    let server = ScriptedSse::start().await.unwrap();
    let said = "{\"by\":\"Ada\",\"text\":\"hello\"}";
    let answer = SseAnswer::stream().event("said", said).event("said", "{}").event("n", "7").data("[DONE]");
    server.answer(answer.event("all_said", "whatever").event("later", "x")).answer(SseAnswer::status(204));
    let mut events: TypedEvents<Chat> = client(&server).open().unwrap().typed();
    let said = Said { by: "Ada".to_owned(), text: "hello".to_owned() };
    assert_eq!(events.next().await.unwrap().unwrap(), Chat::Said(said));
    let error = events.next().await.unwrap().unwrap_err();
    assert!(error.kind() == ErrorKind::Codec && error.is_recoverable(), "{error:?}");
    assert_eq!(events.next().await.unwrap().unwrap(), Chat::Number(7));
    assert_eq!(events.next().await.unwrap().unwrap(), Chat::Note("[DONE]".into()));
    assert_eq!(events.next().await.unwrap().unwrap(), Chat::AllSaid);
    let Chat::Other(later) = events.next().await.unwrap().unwrap() else { panic!("it has no variant") };
    assert_eq!((&*later.kind, &*later.data), ("later", "x"));
    assert!(events.next().await.is_none());
    assert_eq!(events.ended(), Some(Ended::NoContent));
}
