//! Subscriptions and events as JSON, for those who subscribe over the network. What `/ws` says besides is [`rpc`]'s.

#[cfg(feature = "websocket")]
mod rpc;

use std::{borrow::Cow, time::Duration};

use serde::Deserialize;

#[cfg(feature = "websocket")]
pub(crate) use self::rpc::{
    Settled, end, event, gap, plain, published, read_credit, read_message, read_unsubscribed, read_wanted, subscribed,
};
use super::{AckConfig, Backpressure, Gap, Interest, Published, Start, TopicFilter};
use crate::{
    error::{Error, Result},
    wire::rfc3339,
};

/// What the groups of subscribers from afar are called by at first.
const REMOTE: &str = "remote/";

/// What a subscriber asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted<'a> {
    #[serde(borrow)]
    pub(crate) topics: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) after: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) at: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(crate) oldest: bool,
    #[serde(borrow, default)]
    pub(crate) when_full: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(crate) capacity: Option<usize>,
    #[serde(default)]
    pub(crate) capacity_bytes: Option<usize>,
    #[serde(default)]
    pub(crate) acks: Option<WantedAcks>,
    #[serde(default)]
    pub(crate) group: Option<String>,
    /// How much may be sent before more is asked for; no bounds if it is left out.
    #[cfg_attr(not(feature = "websocket"), expect(dead_code, reason = "it is taken over WebSockets alone"))]
    #[serde(default)]
    pub(crate) credit: Option<Credit>,
}

/// How much a subscriber takes: so many events and gaps, and so many bytes of messages. The last one may have more.
#[cfg_attr(not(feature = "websocket"), expect(dead_code, reason = "it is taken over WebSockets alone"))]
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credit {
    pub(crate) events: u32,
    pub(crate) bytes: u32,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WantedAcks {
    wait_ms: Option<u64>,
    max_unsettled: Option<usize>,
}

impl Wanted<'_> {
    /// What the broker is asked for; no queue is larger than these.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), naming the member.
    pub(crate) fn interest(self, most_events: usize, most_bytes: usize) -> Result<Interest> {
        let filters = self.topics.iter().map(|filter| TopicFilter::parse(filter)).collect::<Result<Vec<_>>>()?;
        let mut interest = Interest::new(filters);
        interest.start = match (self.after, self.at, self.oldest) {
            (None, None, false) => Start::New,
            (None, None, true) => Start::Oldest,
            (Some(after), None, false) => Start::After(after.parse()?),
            (None, Some(at), false) => match rfc3339::parse(&at) {
                Some(at) => Start::At(at),
                None => return Err(Error::invalid("`at` is no time as RFC 3339 writes it")),
            },
            _ => return Err(Error::invalid("of `after`, `at` and `oldest` there may be one")),
        };
        if let Some(name) = self.when_full {
            interest.when_full = policy(&name)?;
        }
        let cut = |wanted: Option<usize>, default: usize, most: usize| wanted.unwrap_or(default).min(most);
        interest.capacity = cut(self.capacity, interest.capacity, most_events);
        interest.capacity_bytes = cut(self.capacity_bytes, interest.capacity_bytes, most_bytes);
        interest.acks = self.acks.map(|wanted| {
            let default = AckConfig::default();
            let wait = wanted.wait_ms.map_or(default.wait, Duration::from_millis);
            let unsettled = wanted.max_unsettled.unwrap_or(default.max_unsettled).min(most_events);
            default.with_wait(wait).with_max_unsettled(unsettled)
        });
        // Whoever comes from afar shares events with others from afar, and takes none from who listens in the component itself.
        interest.group = self.group.map(|name| format!("{REMOTE}{name}"));
        Ok(interest)
    }
}

/// Nobody far away may hold publishers back.
fn policy(name: &str) -> Result<Backpressure> {
    const ALL: [Backpressure; 4] =
        [Backpressure::DropOldest, Backpressure::DropNewest, Backpressure::Fail, Backpressure::KeepLatest];
    ALL.into_iter()
        .find(|policy| policy.name() == name)
        .ok_or_else(|| Error::invalid("`when_full` is one of `drop_oldest`, `drop_newest`, `fail` and `keep_latest`"))
}

/// A gap as an object.
pub(crate) fn gap_text(gap: &Gap) -> String {
    let Gap { from, to, lost, reason } = gap;
    let lost = lost.map(|lost| format!(r#""lost":{lost},"#)).unwrap_or_default();
    format!(r#"{{"from":"{from}","to":"{to}",{lost}"reason":"{}"}}"#, reason.name())
}

/// An event in the plain dialect: its topic as the `type`, its data, and its place.
pub(crate) fn plain_event(published: &Published) -> String {
    let Published { cursor, message, .. } = published;
    // No character of a topic needs to be escaped in JSON.
    format!(r#"{{"type":"{}","data":{},"cursor":"{cursor}"}}"#, message.topic(), message.data())
}
