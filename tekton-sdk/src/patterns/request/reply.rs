//! What came back.

use std::ops::Deref;

use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use crate::{
    context::Cost,
    error::{Error, ErrorKind, Result, Sent},
    transport::{Origin, Response, ResponseParts},
    wire::spend,
};

/// An answer, read; it dereferences to the value.
#[derive(Clone, Debug)]
pub struct Reply<T> {
    value: T,
    status: StatusCode,
    headers: HeaderMap,
    attempts: u32,
    origin: Origin,
}

impl<T> Reply<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// The status: one of success.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// How many attempts it took, the first included; 0 where none was needed.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Who gave it: the callee, a cache, a fallback.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What the callee says that the attempt has cost, if the call had a budget and the callee says.
    #[must_use]
    pub fn spent(&self) -> Option<Cost> {
        spend::spent(&self.headers)
    }
}

impl<T: DeserializeOwned> Reply<T> {
    /// Reads a collected answer; an empty one counts as `null`.
    pub(crate) fn read(response: Response) -> Result<Self> {
        let body = response.body.as_bytes();
        let value = match body {
            Some(bytes) => serde_json::from_slice(bytes),
            None => serde_json::from_str("null"),
        };
        let value = value.map_err(|error| {
            let bytes = body.map_or(0, bytes::Bytes::len);
            let what = format!(
                "the answer ({bytes} bytes, status {}) is not a {}",
                response.status.as_u16(),
                short_name::<T>()
            );
            Error::new(ErrorKind::Codec, what).with_source(error).with_sent(Sent::Yes).with_attempts(response.attempt)
        })?;
        let ResponseParts { status, headers, attempt: attempts, origin, .. } = response.into_parts();
        Ok(Self { value, status, headers, attempts, origin })
    }
}

/// A type's name without the paths of its crates.
fn short_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    if name.contains('<') { name } else { name.rsplit("::").next().unwrap_or(name) }
}

impl<T> Deref for Reply<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
