//! One question to several components, for threads.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

use super::background::Background;
use crate::{
    error::Result,
    patterns::request::{self, Answered, Call, Outcome},
};

/// Whom a question goes to; see the async [`Scatter`](request::Scatter).
#[must_use = "nobody is asked until a request is made and sent"]
#[derive(Clone)]
pub struct Scatter {
    background: Arc<Background>,
    scatter: request::Scatter,
}

impl Scatter {
    pub(super) const fn new(background: Arc<Background>, scatter: request::Scatter) -> Self {
        Self { background, scatter }
    }

    /// Asks at most so many, the best ones. Default: 16.
    pub fn limit(mut self, holders: usize) -> Self {
        self.scatter = self.scatter.limit(holders);
        self
    }

    /// Asks at most so many at once; when one has answered, the next one is asked. Default: 16.
    pub fn concurrency(mut self, at_once: usize) -> Self {
        self.scatter = self.scatter.concurrency(at_once);
        self
    }

    /// Asks every instance of each component, at its endpoint, instead of each component once.
    pub fn instances(mut self) -> Self {
        self.scatter = self.scatter.instances();
        self
    }

    /// What is asked of each: an operation, as by [`Peer::request`](super::Peer::request).
    pub fn request<T>(self, operation: impl AsRef<str>) -> ScatterCall<T> {
        ScatterCall { background: self.background, call: self.scatter.request(operation) }
    }
}

/// A question that is being put together; see the async [`ScatterCall`](request::ScatterCall).
#[must_use = "nobody is asked until it is sent"]
pub struct ScatterCall<T = serde_json::Value> {
    background: Arc<Background>,
    call: request::ScatterCall<T>,
}

impl<T> ScatterCall<T> {
    fn change(mut self, change: impl FnOnce(request::ScatterCall<T>) -> request::ScatterCall<T>) -> Self {
        self.call = change(self.call);
        self
    }

    /// Changes the call that each of them gets, by any door of the async [`Call`].
    pub fn with(self, change: impl FnOnce(Call<'static, T>) -> Call<'static, T>) -> Self {
        self.change(|call| call.with(change))
    }

    /// Sends this value as the JSON body.
    pub fn json<B: Serialize + ?Sized>(self, body: &B) -> Self {
        self.change(|call| call.json(body))
    }

    /// Limits all of it: finding them, every call, and every wait for a turn.
    pub fn timeout(self, limit: Duration) -> Self {
        self.change(|call| call.timeout(limit))
    }

    /// Says that the operation changes nothing, so that it may be asked of many, and each call may be tried again.
    pub fn read(self) -> Self {
        self.change(request::ScatterCall::read)
    }

    /// Lets an operation that changes something be carried out by each of them.
    pub fn write_on_each(self) -> Self {
        self.change(request::ScatterCall::write_on_each)
    }
}

impl<T: DeserializeOwned + Send + 'static> ScatterCall<T> {
    /// Waits for the first answer of success; the calls that are still under way are given up.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) inside an async task, [`Closed`](crate::ErrorKind::Closed) after
    /// [`shutdown`](super::Tekton::shutdown), else those of the async [`first`](request::ScatterCall::first).
    pub fn first(self) -> Result<Answered<T>> {
        self.background.run(self.call.first())
    }

    /// Waits for all of them.
    ///
    /// # Errors
    /// As [`Self::first`], else those of the async [`all`](request::ScatterCall::all).
    pub fn all(self) -> Result<Vec<Outcome<T>>> {
        self.background.run(self.call.all())
    }

    /// Waits for so many answers of success; the calls that are still under way then are given up.
    ///
    /// # Errors
    /// As [`Self::first`], else those of the async [`quorum`](request::ScatterCall::quorum).
    pub fn quorum(self, wanted: usize) -> Result<Vec<Answered<T>>> {
        self.background.run(self.call.quorum(wanted))
    }
}

impl fmt::Debug for Scatter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("blocking::Scatter").field(&self.scatter).finish()
    }
}

impl<T> fmt::Debug for ScatterCall<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("blocking::ScatterCall").field(&self.call).finish()
    }
}
