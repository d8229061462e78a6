//! What an operation may return.

use super::Data;
use crate::{
    error::{Error, Result},
    patterns::streaming,
};

/// What an operation returns: a `Result`, under whatever alias, whose error can become an [`Error`].
#[diagnostic::on_unimplemented(
    message = "an operation returns a `Result`, and `{Self}` is none",
    label = "write `Result<{Self}>` instead"
)]
pub trait Outcome {
    /// The answer.
    type Value: Data;
    /// The type itself.
    type Itself: Outcome<Value = Self::Value>;

    /// The same with the SDK's error.
    ///
    /// # Errors
    /// The operation's.
    fn into_result(self) -> Result<Self::Value>;
}

impl<T: Data, E: Refusal> Outcome for std::result::Result<T, E> {
    type Value = T;
    type Itself = Self;

    fn into_result(self) -> Result<T> {
        self.map_err(Refusal::into_error)
    }
}

/// The error of an operation or of a listener: what can become an [`Error`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no error that an operation or a listener can end with",
    label = "write `impl From<{Self}> for tekton_sdk::Error`, or return `tekton_sdk::Result`"
)]
pub trait Refusal {
    /// The SDK's error.
    fn into_error(self) -> Error;
}

#[diagnostic::do_not_recommend]
impl<E: Into<Error>> Refusal for E {
    fn into_error(self) -> Error {
        self.into()
    }
}

/// `R`, which an operation may return.
pub type Returned<R> = <R as Outcome>::Itself;

/// What an operation that returns `R` answers.
pub type Value<R> = <R as Outcome>::Value;

/// What a client gives back for an operation that returns `R`.
pub type Answer<R> = Result<Value<R>>;

/// What a client gives back for an operation that answers many times, each time with an `R`.
pub type Chunks<R> = Result<streaming::Chunks<Value<R>>>;
