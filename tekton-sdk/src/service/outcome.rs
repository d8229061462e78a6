//! What an operation may return.

use crate::error::{Error, Result};

/// What an operation returns: a `Result`, under whatever alias, whose error can become an [`Error`].
#[diagnostic::on_unimplemented(
    message = "an operation returns a `Result`, and `{Self}` is none",
    label = "write `Result<{Self}>` instead"
)]
pub trait Outcome {
    /// The answer.
    type Value;

    /// The same with the SDK's error.
    ///
    /// # Errors
    /// The operation's.
    fn into_result(self) -> Result<Self::Value>;
}

impl<T, E: Into<Error>> Outcome for std::result::Result<T, E> {
    type Value = T;

    fn into_result(self) -> Result<T> {
        self.map_err(Into::into)
    }
}

/// What a client gives back for an operation that returns `R`.
pub type Answer<R> = Result<<R as Outcome>::Value>;
