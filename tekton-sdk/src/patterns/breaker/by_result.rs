//! What a result says where nothing else is said.

use std::{any::Any, error::Error as StdError};

use super::Refused;
use crate::{
    error::{Error, Verdict},
    policy::{Classify, of_error},
};

type Boxed = Box<dyn StdError + Send + Sync>;

/// The classification of work of one's own, unless another is given: an `Ok` is a success, an `Err` a failure. But an
/// [`Error`] of the SDK is judged as that of a call is, and a refusal says nothing, in a box neither: otherwise one breaker
/// would feed another, or itself.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ByResult;

impl<T, E: 'static> Classify<Result<T, E>> for ByResult {
    #[inline]
    fn classify(&self, outcome: &Result<T, E>) -> Verdict {
        match outcome {
            Ok(_) => Verdict::Success,
            Err(error) => of_failure(error),
        }
    }
}

#[cold]
fn of_failure(error: &dyn Any) -> Verdict {
    let known = |error: &Error| error.verdict().unwrap_or_else(|| of_error(error));
    if let Some(error) = error.downcast_ref() {
        return known(error);
    }
    if error.is::<Refused>() {
        return Verdict::Ignored;
    }
    match error.downcast_ref::<Boxed>() {
        Some(boxed) if boxed.is::<Refused>() => Verdict::Ignored,
        Some(boxed) => boxed.downcast_ref().map_or(Verdict::Failure, known),
        None => Verdict::Failure,
    }
}
