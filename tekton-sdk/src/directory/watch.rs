//! The changes of what a query finds.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_core::Stream;

use super::{Directory, Query};
use crate::{
    contract::Entry,
    error::{Error, Result},
    time::{BoxFuture, SharedClock},
};

/// One change of what a query finds.
#[non_exhaustive]
#[derive(Debug)]
pub enum Change {
    /// A component that was not there before.
    Added(Box<Entry>),
    /// A component that was there and says something else of itself now.
    Updated(Box<Entry>),
    /// The component of this id is gone.
    Removed(String),
    /// Everything known has been told; also after the directory was down.
    Synced,
    /// The directory does not answer. What was told stays true as far as anybody knows.
    Unavailable(Error),
}

type Asked = BoxFuture<'static, Result<Vec<Entry>>>;

/// A stream of [`Change`]s; it never ends. Who does not poll it misses nothing but intermediate states.
#[must_use = "a watch does nothing until it is polled"]
pub struct Watch {
    directory: Arc<dyn Directory>,
    query: Arc<Query>,
    clock: SharedClock,
    interval: Duration,
    known: BTreeMap<String, Entry>,
    queue: VecDeque<Change>,
    asking: Option<Asked>,
    began: bool,
    in_sync: bool,
}

impl Watch {
    pub(super) fn new(directory: Arc<dyn Directory>, query: Query, clock: SharedClock, interval: Duration) -> Self {
        Self {
            directory,
            query: Arc::new(query),
            clock,
            interval,
            known: BTreeMap::new(),
            queue: VecDeque::new(),
            asking: None,
            began: false,
            in_sync: false,
        }
    }

    /// The next change.
    ///
    /// # Cancel safety
    /// No change is lost when the future is dropped.
    pub async fn next(&mut self) -> Change {
        loop {
            let change = std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await;
            if let Some(change) = change {
                return change;
            }
        }
    }

    fn ask(&mut self) -> Asked {
        let (directory, query) = (Arc::clone(&self.directory), Arc::clone(&self.query));
        let wait = self.began.then(|| self.clock.sleep(self.interval));
        self.began = true;
        Box::pin(async move {
            if let Some(wait) = wait {
                wait.await;
            }
            directory.find(&query).await
        })
    }

    fn take_in(&mut self, answer: Result<Vec<Entry>>) {
        let entries = match answer {
            Ok(entries) => entries,
            Err(error) => {
                self.in_sync = false;
                self.queue.push_back(Change::Unavailable(error));
                return;
            }
        };
        let mut gone = std::mem::take(&mut self.known);
        for entry in entries {
            match gone.remove(&entry.id) {
                None => self.queue.push_back(Change::Added(Box::new(entry.clone()))),
                Some(before) if differs(&before, &entry) => {
                    self.queue.push_back(Change::Updated(Box::new(entry.clone())));
                }
                Some(_) => {}
            }
            self.known.insert(entry.id.clone(), entry);
        }
        self.queue.extend(gone.into_keys().map(Change::Removed));
        if !self.in_sync {
            self.in_sync = true;
            self.queue.push_back(Change::Synced);
        }
    }
}

/// A heartbeat alone is no change.
fn differs(before: &Entry, after: &Entry) -> bool {
    let mut before = before.clone();
    before.last_heartbeat = after.last_heartbeat;
    before != *after
}

impl Stream for Watch {
    type Item = Change;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Change>> {
        loop {
            if let Some(change) = self.queue.pop_front() {
                return Poll::Ready(Some(change));
            }
            let mut asking = match self.asking.take() {
                Some(asking) => asking,
                None => self.ask(),
            };
            match asking.as_mut().poll(cx) {
                Poll::Ready(answer) => self.take_in(answer),
                Poll::Pending => {
                    self.asking = Some(asking);
                    return Poll::Pending;
                }
            }
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("query", &self.query.describe()).field("known", &self.known.len()).finish()
    }
}
