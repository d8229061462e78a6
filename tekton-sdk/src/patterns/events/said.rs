//! What a message says beside its topic and its data, as members of an object.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use super::Message;
use crate::wire::trace::TraceContext;

/// What is said of a message beside its topic and its data.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Said<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    key: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    source: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    tracestate: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    attributes: Option<BTreeMap<Cow<'a, str>, Cow<'a, str>>>,
}

impl<'a> Said<'a> {
    pub(super) fn of(message: &'a Message) -> Self {
        let attributes: BTreeMap<_, _> =
            message.attributes().map(|(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value))).collect();
        let trace = message.trace();
        Self {
            id: message.id().map(Cow::Borrowed),
            key: message.own_key().map(Cow::Borrowed),
            source: message.source().map(Cow::Borrowed),
            traceparent: trace.map(|trace| trace.to_ascii().into_iter().map(char::from).collect::<String>().into()),
            tracestate: trace.and_then(TraceContext::state).map(Cow::Borrowed),
            attributes: (!attributes.is_empty()).then_some(attributes),
        }
    }

    #[cfg(feature = "host")]
    pub(super) fn put(self, mut message: Message) -> Message {
        if let Some(id) = self.id {
            message = message.with_id(&*id);
        }
        if let Some(key) = self.key {
            message = message.with_key(&*key);
        }
        if let Some(source) = self.source {
            message = message.with_source(&*source);
        }
        // A trace that cannot be read is none, as in the headers of HTTP.
        let trace =
            self.traceparent.and_then(|parent| TraceContext::parse(&parent, self.tracestate.as_deref().into_iter()));
        if let Some(trace) = trace {
            message = message.with_trace(trace);
        }
        for (name, value) in self.attributes.unwrap_or_default() {
            message = message.with_attribute(name, value);
        }
        message
    }
}
