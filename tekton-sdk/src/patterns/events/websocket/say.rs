//! What a subscriber and publisher says: the texts of its calls and notifications.

use std::time::Duration;

use serde::Serialize;

use crate::{
    patterns::events::{Cursor, Interest, Message, Outcome, Start, TopicFilter, said::Said},
    wire::rfc3339,
};

/// More than what a call has around its parameters.
pub(super) const AROUND: usize = 96;

/// A call of JSON-RPC whose parameters are JSON.
pub(super) fn call(id: u64, method: &str, params: &str) -> String {
    let id = id.to_string();
    [r#"{"jsonrpc":"2.0","id":"#, &id, r#","method":""#, method, r#"","params":"#, params, "}"].concat()
}

/// A notification of JSON-RPC whose parameters are JSON.
fn notification(method: &str, params: &str) -> String {
    [r#"{"jsonrpc":"2.0","method":""#, method, r#"","params":"#, params, "}"].concat()
}

/// The parameters of `publish`.
pub(super) fn publish(message: &Message) -> String {
    #[derive(Serialize)]
    struct Head<'a> {
        topic: &'a str,
        #[serde(flatten)]
        said: Said<'a>,
    }
    let head = json(&Head { topic: message.topic().as_str(), said: Said::of(message) });
    [head.strip_suffix('}').unwrap_or(&head), r#","data":"#, message.data(), "}"].concat()
}

/// The parameters of `subscribe`: it begins there, and without credit.
pub(super) fn subscribe(interest: &Interest, start: Start) -> String {
    #[derive(Serialize)]
    struct Acks {
        wait_ms: u64,
        max_unsettled: usize,
    }
    #[derive(Serialize)]
    struct Credit {
        events: u32,
        bytes: u32,
    }
    #[derive(Serialize)]
    struct Params<'a> {
        topics: Vec<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        at: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        oldest: Option<bool>,
        when_full: &'static str,
        capacity: usize,
        capacity_bytes: usize,
        #[serde(skip_serializing_if = "Option::is_none")]
        acks: Option<Acks>,
        #[serde(skip_serializing_if = "Option::is_none")]
        group: Option<&'a str>,
        credit: Credit,
    }
    let (mut after, mut at, mut oldest) = (None, None, None);
    match start {
        Start::New => {}
        Start::After(cursor) => after = Some(cursor.to_string()),
        // A time that cannot be written is before all that is kept.
        Start::At(time) => match rfc3339::format(time) {
            Some(time) => at = Some(time),
            None => oldest = Some(true),
        },
        Start::Oldest => oldest = Some(true),
    }
    json(&Params {
        topics: interest.filters.iter().map(TopicFilter::as_str).collect(),
        after,
        at,
        oldest,
        when_full: interest.when_full.name(),
        capacity: interest.capacity,
        capacity_bytes: interest.capacity_bytes,
        acks: interest.acks.map(|acks| Acks { wait_ms: millis(acks.wait), max_unsettled: acks.max_unsettled }),
        group: interest.group.as_deref(),
        credit: Credit { events: 0, bytes: 0 },
    })
}

/// The method of an outcome, and its parameters.
pub(super) fn settle(far: u64, cursor: Cursor, delivery: u32, outcome: Outcome) -> (&'static str, String) {
    let of = format!(r#"{{"subscription":{far},"cursor":"{cursor}","delivery":{delivery}"#);
    match outcome {
        Outcome::Ack => ("ack", of + "}"),
        Outcome::Progress => ("progress", of + "}"),
        Outcome::Nack(delay) => ("nack", format!(r#"{of},"delay_ms":{}}}"#, millis(delay))),
    }
}

/// An outcome that nobody waits for.
pub(super) fn settled(far: u64, cursor: Cursor, delivery: u32, outcome: Outcome) -> String {
    let (method, params) = settle(far, cursor, delivery, outcome);
    notification(method, &params)
}

/// Nothing more is wanted of this subscription; with `drain` but what waits.
pub(super) fn unsubscribe(far: u64, drain: bool) -> String {
    let drain = if drain { r#","drain":true"# } else { "" };
    notification("unsubscribe", &format!(r#"{{"subscription":{far}{drain}}}"#))
}

/// So much more is taken of this subscription.
pub(super) fn credit(far: u64, events: u32, bytes: u32) -> String {
    notification("credit", &format!(r#"{{"subscription":{far},"events":{events},"bytes":{bytes}}}"#))
}

/// In whole milliseconds, rounded up: a wait is never shorter than it was asked for.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and numbers under names are JSON")
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::patterns::events::{AckConfig, Topic};

    #[test]
    fn each_message_has_its_bytes() {
        let message = Message::raw(Topic::parse("a.b").unwrap(), r#"{"n": 1.0}"#).unwrap().with_id("i\"");
        assert_eq!(
            call(3, "publish", &publish(&message)),
            r#"{"jsonrpc":"2.0","id":3,"method":"publish","params":{"topic":"a.b","id":"i\"","data":{"n": 1.0}}}"#
        );
        let at = Cursor::new(1, 2);
        let plain = Interest::new(vec![TopicFilter::parse("a.*").unwrap(), TopicFilter::parse(">").unwrap()]);
        assert_eq!(
            subscribe(&plain, Start::After(at)),
            r#"{"topics":["a.*",">"],"after":"0000000000000001-2","when_full":"drop_oldest","capacity":1024,"capacity_bytes":16777216,"credit":{"events":0,"bytes":0}}"#
        );
        let acked = Interest {
            acks: Some(AckConfig::default().with_wait(Duration::from_micros(1))),
            group: Some("g".into()),
            ..plain
        };
        let text = subscribe(&acked, Start::At(SystemTime::UNIX_EPOCH));
        assert!(text.contains(r#""at":"1970-01-01T00:00:00Z""#), "{text}");
        assert!(text.contains(r#""acks":{"wait_ms":1,"max_unsettled":256},"group":"g""#), "{text}");
        assert_eq!(
            settled(7, at, 2, Outcome::Nack(Duration::from_secs(1))),
            r#"{"jsonrpc":"2.0","method":"nack","params":{"subscription":7,"cursor":"0000000000000001-2","delivery":2,"delay_ms":1000}}"#
        );
        assert_eq!(
            unsubscribe(7, true),
            r#"{"jsonrpc":"2.0","method":"unsubscribe","params":{"subscription":7,"drain":true}}"#
        );
        assert_eq!(
            credit(7, 5, 6),
            r#"{"jsonrpc":"2.0","method":"credit","params":{"subscription":7,"events":5,"bytes":6}}"#
        );
    }
}
