//! A call of a broker to its host, and what it is answered.

use std::borrow::Cow;

use serde::Deserialize;

use crate::{
    error::{Error, ErrorKind, Result, Sent},
    patterns::events::{Cursor, Outcome},
};

/// A call that is waited for.
#[derive(Debug)]
pub(super) struct Call<T> {
    /// `None` if nobody waits for it any more.
    pub(super) token: Option<T>,
    pub(super) about: About,
    /// The parameters, where they are known beforehand.
    pub(super) params: String,
    pub(super) stage: Stage,
    /// It was sent on a connection that was lost before it was answered.
    pub(super) maybe: bool,
}

/// What a call is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum About {
    Publish { has_id: bool },
    Subscribe { sub: u64 },
    Settle { sub: u64, cursor: Cursor, number: u32, outcome: Outcome },
}

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Queued,
    Sent,
    /// It is sent on the next connection.
    Held,
}

fn unreadable(what: &'static str) -> Error {
    Error::new(ErrorKind::Codec, what).with_sent(Sent::Yes)
}

/// Reads what a publisher is answered.
pub(super) fn published(json: &str) -> Result<Option<Cursor>> {
    #[derive(Deserialize)]
    struct Read<'a> {
        #[serde(borrow, default)]
        cursor: Option<Cow<'a, str>>,
    }
    let read = serde_json::from_str::<Read<'_>>(json).ok().filter(|_| json.starts_with('{'));
    let Read { cursor } = read.ok_or_else(|| unreadable("the confirmation of an event cannot be read"))?;
    cursor
        .map(|cursor| cursor.parse())
        .transpose()
        .map_err(|_| unreadable("the confirmation of an event has no cursor"))
}

/// Reads what a subscriber is answered: the number of the subscription, and the place after which it begins.
pub(super) fn subscribed(json: &str) -> Result<(u64, Option<Cursor>)> {
    #[derive(Deserialize)]
    struct Read<'a> {
        subscription: u64,
        #[serde(borrow, default)]
        after: Option<Cow<'a, str>>,
    }
    let read = serde_json::from_str::<Read<'_>>(json).ok().filter(|_| json.starts_with('{'));
    let Read { subscription, after } = read.ok_or_else(|| unreadable("the answer to a subscription cannot be read"))?;
    let after = after.map(|after| after.parse()).transpose();
    Ok((subscription, after.map_err(|_| unreadable("the answer to a subscription has no cursor"))?))
}
