//! Bearer tokens that are asked for anew for each connection.

use std::{fmt, future::Future, sync::Arc};

use http::HeaderValue;

use crate::{
    error::{Error, Result},
    secret::Secret,
    time::BoxFuture,
};

type Ask = dyn Fn(bool) -> BoxFuture<'static, Result<Secret<String>>> + Send + Sync;

/// Gives the bearer token of a connection, another one if the last was refused.
#[derive(Clone)]
pub(crate) struct Bearer(Arc<Ask>);

impl Bearer {
    /// Asks this each time.
    pub(crate) fn new<F, Fut>(ask: F) -> Self
    where
        F: Fn(bool) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Secret<String>>> + Send + 'static,
    {
        Self(Arc::new(move |refused| Box::pin(ask(refused))))
    }

    /// What stands in `Authorization` (RFC 6750 §2.1). It is marked as sensitive.
    ///
    /// # Errors
    /// That of whoever is asked; [`Invalid`](crate::ErrorKind::Invalid) for a token that no header can carry.
    pub(crate) async fn value(&self, refused: bool) -> Result<HeaderValue> {
        let token = (self.0)(refused).await?;
        let value = HeaderValue::try_from(["Bearer ", token.expose()].concat());
        let mut value = value.map_err(|_| Error::invalid("the token holds a character that no header can carry"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bearer").finish_non_exhaustive()
    }
}
