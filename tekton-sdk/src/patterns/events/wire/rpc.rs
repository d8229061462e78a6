//! The `params` and results of the methods of `/ws` that are about topics, and the notification `event`.

use std::{borrow::Cow, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    super::{Cursor, Gap, Message, Outcome, Published, Receipt, Topic, said::Said},
    Credit, Wanted, gap_text,
};
use crate::{
    error::{Error, Result},
    wire::rfc3339,
};

/// The name of the notification that carries events.
const EVENT: &str = "event";

/// A message that is to be published.
///
/// # Errors
/// [`Invalid`](crate::ErrorKind::Invalid), naming what is wrong.
pub(crate) fn read_message(json: &str) -> Result<Message> {
    #[derive(Deserialize)]
    struct Read<'a> {
        #[serde(borrow)]
        topic: Cow<'a, str>,
        #[serde(borrow)]
        data: &'a RawValue,
        #[serde(borrow, flatten)]
        said: Said<'a>,
    }
    let Read { topic, data, said } = serde_json::from_str(json).map_err(|error| wrong(&error))?;
    // The text was parsed with what it stands in.
    let message = Message::unchecked(Topic::parse(&topic)?, data.get().to_owned().into());
    Ok(said.put(message))
}

/// What of an event a subscriber settles.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settled<'a> {
    pub(crate) subscription: u64,
    #[serde(borrow)]
    cursor: Cow<'a, str>,
    pub(crate) delivery: u32,
    #[serde(default)]
    delay_ms: u64,
}

impl<'a> Settled<'a> {
    /// Reads the `params` of `ack`, `nack` and `progress`.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), naming what is wrong.
    pub(crate) fn read(json: &'a str) -> Result<Self> {
        serde_json::from_str(json).map_err(|error| wrong(&error))
    }

    pub(crate) fn cursor(&self) -> Result<Cursor> {
        self.cursor.parse()
    }

    /// What the method of this name says of the event.
    pub(crate) fn outcome(&self, method: &str) -> Outcome {
        match method {
            "ack" => Outcome::Ack,
            "progress" => Outcome::Progress,
            _ => Outcome::Nack(Duration::from_millis(self.delay_ms)),
        }
    }
}

/// Which subscription is over for its subscriber.
///
/// # Errors
/// [`Invalid`](crate::ErrorKind::Invalid), naming what is wrong.
pub(crate) fn read_unsubscribed(json: &str) -> Result<(u64, bool)> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Read {
        subscription: u64,
        #[serde(default)]
        drain: bool,
    }
    let Read { subscription, drain } = serde_json::from_str(json).map_err(|error| wrong(&error))?;
    Ok((subscription, drain))
}

/// Reads what a subscriber asks for.
///
/// # Errors
/// [`Invalid`](crate::ErrorKind::Invalid), naming what is wrong.
pub(crate) fn read_wanted(json: &str) -> Result<Wanted<'_>> {
    serde_json::from_str(json).map_err(|error| wrong(&error))
}

fn wrong(error: &serde_json::Error) -> Error {
    let what = error.to_string();
    let place = what.rfind(" at line ").unwrap_or(what.len());
    let shown: String = what[..place].chars().take(200).collect();
    Error::invalid(shown)
}

/// What a subscriber is answered.
pub(crate) fn subscribed(subscription: u64, after: Option<Cursor>) -> String {
    match after {
        Some(after) => format!(r#"{{"subscription":{subscription},"after":"{after}"}}"#),
        None => format!(r#"{{"subscription":{subscription}}}"#),
    }
}

/// What a publisher is answered.
pub(crate) fn published(receipt: Receipt) -> String {
    receipt.cursor.map_or_else(|| "{}".to_owned(), |cursor| format!(r#"{{"cursor":"{cursor}"}}"#))
}

/// Reads how much more a subscriber takes: of which subscription, how many events and bytes.
///
/// # Errors
/// [`Invalid`](crate::ErrorKind::Invalid), naming what is wrong.
pub(crate) fn read_credit(json: &str) -> Result<(u64, Credit)> {
    #[derive(Deserialize)]
    struct Read {
        subscription: u64,
        events: u32,
        bytes: u32,
    }
    let Read { subscription, events, bytes } = serde_json::from_str(json).map_err(|error| wrong(&error))?;
    Ok((subscription, Credit { events, bytes }))
}

/// The notification of an event; `delivery` is 0 where nothing is acknowledged, and `replaced` says how many events made room for a
/// newer one of their key since the last that was told.
pub(crate) fn event(subscription: u64, published: &Published, delivery: u32, replaced: u64) -> String {
    #[derive(Serialize)]
    struct Head<'a> {
        subscription: u64,
        cursor: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        time: Option<String>,
        #[serde(skip_serializing_if = "is_none")]
        delivery: u32,
        #[serde(skip_serializing_if = "is_nought")]
        replaced: u64,
        topic: &'a str,
        #[serde(flatten)]
        said: Said<'a>,
    }
    let message = &published.message;
    let head = Head {
        subscription,
        cursor: published.cursor.to_string().into(),
        time: rfc3339::format(published.time),
        delivery,
        replaced,
        topic: message.topic().as_str(),
        said: Said::of(message),
    };
    notification(&with_data(&to_text(&head), message.data()))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_none(delivery: &u32) -> bool {
    *delivery == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_nought(replaced: &u64) -> bool {
    *replaced == 0
}

/// The notification of a gap.
pub(crate) fn gap(subscription: u64, gap: &Gap) -> String {
    notification(&format!(r#"{{"subscription":{subscription},"gap":{}}}"#, gap_text(gap)))
}

/// The notification of the end of a subscription, with the problem that ended it.
pub(crate) fn end(subscription: u64, problem: Option<&str>) -> String {
    notification(&match problem {
        Some(problem) => format!(r#"{{"subscription":{subscription},"end":true,"error":{problem}}}"#),
        None => format!(r#"{{"subscription":{subscription},"end":true}}"#),
    })
}

/// A message of the plain dialect that is about a subscription.
pub(crate) fn plain(kind: &str, data: &str) -> String {
    format!(r#"{{"type":"{kind}","data":{data}}}"#)
}

fn notification(params: &str) -> String {
    [r#"{"jsonrpc":"2.0","method":""#, EVENT, r#"","params":"#, params, "}"].concat()
}

fn with_data(head: &str, data: &str) -> String {
    [head.strip_suffix('}').unwrap_or(head), r#","data":"#, data, "}"].concat()
}

fn to_text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and numbers under names are JSON")
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        patterns::events::{GapReason, wire::plain_event},
        wire::trace::TraceContext,
    };

    fn message() -> Message {
        Message::raw(Topic::parse("a.b").unwrap(), r#"{"n": 1.0}"#).unwrap()
    }

    #[test]
    fn each_message_has_its_bytes() {
        let at = Cursor::new(1, 2);
        let published = Published::new(at, SystemTime::UNIX_EPOCH, message().with_id("i\"").with_attribute("x", "y"));
        assert_eq!(
            event(7, &published, 3, 0),
            r#"{"jsonrpc":"2.0","method":"event","params":{"subscription":7,"cursor":"0000000000000001-2","time":"1970-01-01T00:00:00Z","delivery":3,"topic":"a.b","id":"i\"","attributes":{"x":"y"},"data":{"n": 1.0}}}"#
        );
        assert_eq!(
            gap(7, &Gap::new(Cursor::new(0, 9), at, GapReason::Restarted)),
            r#"{"jsonrpc":"2.0","method":"event","params":{"subscription":7,"gap":{"from":"0000000000000000-9","to":"0000000000000001-2","reason":"restarted"}}}"#
        );
        assert_eq!(end(7, None), r#"{"jsonrpc":"2.0","method":"event","params":{"subscription":7,"end":true}}"#);
        assert_eq!(plain_event(&published), r#"{"type":"a.b","data":{"n": 1.0},"cursor":"0000000000000001-2"}"#);
        assert_eq!(subscribed(1, Some(at)), r#"{"subscription":1,"after":"0000000000000001-2"}"#);
        assert_eq!(
            (subscribed(1, None), self::published(Receipt::unconfirmed())),
            (r#"{"subscription":1}"#.into(), "{}".into())
        );
    }

    #[test]
    fn what_is_wrong_with_a_subscription_is_named() {
        let refused =
            |json: &str| read_wanted(json).and_then(|wanted| wanted.interest(10, 10)).unwrap_err().to_string();
        for (json, says) in [
            (r#"{}"#, "missing field `topics`"),
            (r#"{"topics":["a..b"]}"#, "token 2 is empty"),
            (r#"{"topics":["a"],"when_full":"block"}"#, "`when_full` is one of"),
            (r#"{"topics":["a"],"after":"x"}"#, "is no cursor"),
            (r#"{"topics":["a"],"at":"yesterday"}"#, "`at` is no time"),
            (r#"{"topics":["a"],"oldest":true,"at":"1970-01-01T00:00:00Z"}"#, "there may be one"),
            (r#"{"topics":["a"],"begin":1}"#, "unknown field `begin`"),
        ] {
            let error = refused(json);
            assert!(error.contains(says), "{json}: {error}");
        }
        let wanted = read_wanted(r#"{"topics":["a"],"capacity":1000,"acks":{"wait_ms":5}}"#).unwrap();
        let interest = wanted.interest(100, 1 << 20).unwrap();
        assert_eq!((interest.capacity, interest.capacity_bytes), (100, 1 << 20), "no queue is larger than the host's");
        assert_eq!(interest.acks.map(|acks| (acks.wait, acks.max_unsettled)), Some((Duration::from_millis(5), 100)));
    }

    proptest! {
        #[test]
        fn what_is_said_of_a_message_arrives(
            id in proptest::option::of("\\PC{0,8}"), key in proptest::option::of("\\PC{0,8}"),
            source in proptest::option::of("\\PC{0,8}"), value in "\\PC{0,8}", traced: bool,
        ) {
            let mut wanted = message().with_attribute("a", value);
            if let Some(id) = id {
                wanted = wanted.with_id(id);
            }
            if let Some(key) = key {
                wanted = wanted.with_key(key);
            }
            if let Some(source) = source {
                wanted = wanted.with_source(source);
            }
            if traced {
                wanted = wanted.with_trace(TraceContext::new_root([1; 16], [2; 8], true));
            }
            let published = Published::new(Cursor::new(1, 1), SystemTime::UNIX_EPOCH, wanted.clone());
            let text = event(1, &published, 0, 0);
            let params = text.split_once(r#""params":"#).unwrap().1.strip_suffix('}').unwrap();
            prop_assert_eq!(read_message(params).unwrap(), wanted);
        }

        #[test]
        fn whatever_comes_is_read_or_refused(json in "\\PC{0,60}") {
            let _ = read_message(&json);
            let _ = read_wanted(&json).and_then(|wanted| wanted.interest(1, 1));
            let _ = read_unsubscribed(&json);
            let _ = read_credit(&json);
            let _ = Settled::read(&json).map(|settled| settled.cursor());
        }
    }
}
