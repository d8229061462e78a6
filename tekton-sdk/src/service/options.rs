//! What one call, or some calls, are to have otherwise.

use std::time::Duration;

use http::{Extensions, HeaderMap, HeaderName, HeaderValue};

use crate::{
    context::Allowance,
    patterns::{request::Call, streaming::StreamCall},
    policy::StickyKey,
    tekton::Draft,
};

/// What the calls of a generated client are to have otherwise than the handle says: given to its `with`, which makes a client
/// that has them.
///
/// ```
/// # #[cfg(feature = "macros")] tekton_sdk::testing::block_on(async {
/// use std::time::Duration;
/// use tekton_sdk::{CallOptions, Component, Result, service, testing::TestBed};
///
/// /// Counts.
/// #[derive(Component)]
/// struct Counter;
///
/// #[service]
/// impl Counter {
///     /// Adds.
///     #[op(write)]
///     async fn add(&self, a: u8, b: u8) -> Result<u8> {
///         Ok(a + b)
///     }
/// }
///
/// let bed = TestBed::new()?;
/// bed.serve(Counter).await?;
/// let counter: CounterClient = bed.tekton().find().await?;
/// let options = CallOptions::new().timeout(Duration::from_secs(2)).idempotency_key("order-17");
/// assert_eq!(counter.with(options).add(1, 2).await?, 3);
/// # bed.shutdown().await?;
/// # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Default)]
pub struct CallOptions {
    /// Limits the call with all its attempts. Default: the handle's.
    pub timeout: Option<Duration>,
    /// Limits one attempt. Default: the handle's.
    pub attempt_timeout: Option<Duration>,
    /// What one attempt may spend; see [`Call::spend_at_most`]. Default: the price that the component declares.
    pub spend_at_most: Option<Allowance>,
    /// The most bytes of the answer that are read. Default: the handle's.
    pub max_response_bytes: Option<usize>,
    /// Sent on every attempt, so that the callee carries the call out once. Default: none.
    pub idempotency_key: Option<String>,
    /// Headers to send. Default: none.
    pub headers: HeaderMap,
    /// Values for policies of the application's own. Default: none.
    pub extensions: Extensions,
}

impl CallOptions {
    /// Nothing otherwise.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Limits a call with all its attempts. The deadline of the running operation bounds it too.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Limits one attempt.
    #[must_use]
    pub fn attempt_timeout(mut self, limit: Duration) -> Self {
        self.attempt_timeout = Some(limit);
        self
    }

    /// Lets one attempt spend at most this; see [`Call::spend_at_most`].
    #[must_use]
    pub fn spend_at_most(mut self, limit: impl Into<Allowance>) -> Self {
        self.spend_at_most = Some(limit.into());
        self
    }

    /// Reads at most so many bytes of the answer.
    #[must_use]
    pub fn max_response_bytes(mut self, cap: usize) -> Self {
        self.max_response_bytes = Some(cap);
        self
    }

    /// Sends this key on every attempt of a call, so that the callee carries it out once, and a write may be repeated.
    ///
    /// All calls that are made with it are one call to the callee. A key that is none (1 to 256 visible ASCII characters) is told
    /// when a call is awaited.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Sets a header. Those that the pipeline writes itself (trace, deadline, attempt, caller) are overwritten by it.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Keeps to one instance of the component: all calls with this key go to the same one as long as it is well, whoever makes
    /// them. See [`StickyKey`].
    #[must_use]
    pub fn sticky(self, key: impl AsRef<[u8]>) -> Self {
        self.extension(StickyKey::new(key))
    }

    /// Attaches a value for policies of the application's own.
    #[must_use]
    pub fn extension<E: Clone + Send + Sync + 'static>(mut self, value: E) -> Self {
        self.extensions.insert(value);
        self
    }

    /// These options, and those of the earlier ones that they leave open.
    pub(crate) fn over(mut self, earlier: &Self) -> Self {
        let mut headers = earlier.headers.clone();
        self.headers.iter().for_each(|(name, value)| drop(headers.insert(name, value.clone())));
        let mut extensions = earlier.extensions.clone();
        extensions.extend(std::mem::take(&mut self.extensions));
        Self {
            timeout: self.timeout.or(earlier.timeout),
            attempt_timeout: self.attempt_timeout.or(earlier.attempt_timeout),
            spend_at_most: self.spend_at_most.or(earlier.spend_at_most),
            max_response_bytes: self.max_response_bytes.or(earlier.max_response_bytes),
            idempotency_key: self.idempotency_key.or_else(|| earlier.idempotency_key.clone()),
            headers,
            extensions,
        }
    }

    /// The call, with these options.
    pub(crate) fn apply<'a, T>(&self, mut call: Call<'a, T>) -> Call<'a, T> {
        self.put(call.draft());
        match self.max_response_bytes {
            Some(cap) => call.max_response_bytes(cap),
            None => call,
        }
    }

    /// The call of an operation that answers many times, with these options. The timeout bounds the time until it answers.
    pub(crate) fn apply_to_stream<'a, T>(&self, mut call: StreamCall<'a, T>) -> StreamCall<'a, T> {
        self.put(call.draft());
        match self.max_response_bytes {
            Some(cap) => call.max_array_bytes(cap),
            None => call,
        }
    }

    fn put(&self, draft: &mut Draft<'_>) {
        for (name, value) in &self.headers {
            draft.header(name.clone(), value.clone());
        }
        if let Some(limit) = self.timeout {
            draft.timeout(limit);
        }
        if let Some(limit) = self.attempt_timeout {
            draft.attempt_timeout(limit);
        }
        if let Some(limit) = self.spend_at_most {
            draft.spend_at_most(limit);
        }
        if let Some(key) = &self.idempotency_key {
            draft.idempotency_key(key);
        }
        draft.extensions(&self.extensions);
    }
}
