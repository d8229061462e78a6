//! Streams whose items are nothing that an operation answers.
use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use tekton_sdk::{Component, Result, Stream};

/// A stream of nothing.
struct Nothing<T>(std::marker::PhantomData<fn() -> T>);

impl<T> Stream for Nothing<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<T>> {
        Poll::Ready(None)
    }
}

/// A component.
#[derive(Component)]
struct Shelf;

#[tekton_sdk::service]
impl Shelf {
    /// Lists.
    #[op(read)]
    fn bare(&self) -> impl Stream<Item = u8> + Send + use<> { //~ an operation returns a `Result`, and `u8` is none: write `Result<u8>` instead
        Nothing(std::marker::PhantomData)
    }

    /// Lists what cannot cross the wire.
    #[op(read)]
    async fn odd(&self) -> Result<impl Stream<Item = Result<Rc<u8>>> + Send + use<>> { //~ `Rc<u8>` cannot cross the wire
        Ok(Nothing(std::marker::PhantomData))
    }

    /// Is fine.
    #[op(read)]
    fn fine(&self) -> impl Stream<Item = Result<u8>> + Send + use<> {
        Nothing(std::marker::PhantomData)
    }
}

fn main() {}
