//! What a generated client does.

use std::{fmt, marker::PhantomData};

use http::HeaderValue;

use super::{Data, Fields};
use crate::{
    contract::{Operation, OperationKind},
    error::Result,
    patterns::request::{Call, Reply},
    tekton::Peer,
    time::BoxFuture,
    transport::Safety,
};

/// The peer of a generated client of `C`; unlike a struct that holds a `C` it is cheap to clone whatever `C` is.
pub struct PeerOf<C: ?Sized>(Peer, PhantomData<fn() -> Box<C>>);

impl<C: ?Sized> PeerOf<C> {
    /// The client's part of this peer.
    #[must_use]
    pub const fn new(peer: Peer) -> Self {
        Self(peer, PhantomData)
    }

    /// The peer.
    #[must_use]
    pub const fn peer(&self) -> &Peer {
        &self.0
    }
}

impl<C: ?Sized> Clone for PeerOf<C> {
    fn clone(&self) -> Self {
        Self::new(self.0.clone())
    }
}

impl<C: ?Sized> fmt::Debug for PeerOf<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Calls an operation. What its table says of it decides whether it may be repeated.
///
/// # Errors
/// Those of a call, and what the operation refuses.
///
/// # Cancel safety
/// Dropping the future gives up the call.
pub fn call<'a, T: Data>(peer: &'a Peer, operation: &'static Operation, fields: Fields) -> BoxFuture<'a, Result<T>> {
    // Whatever does not depend on `T` is compiled once, in the SDK.
    let call = put_together(peer, operation, fields);
    Box::pin(async move {
        let response = call?.collect().await?;
        Reply::read(response).map(Reply::into_inner).map_err(|error| error.with_target(peer.name().to_owned()))
    })
}

fn put_together<'a>(peer: &'a Peer, operation: &'static Operation, fields: Fields) -> Result<Call<'a, ()>> {
    let safety = match operation.kind {
        OperationKind::Read => Safety::Read,
        OperationKind::Write if operation.idempotent => Safety::Idempotent,
        OperationKind::Write => Safety::Write,
    };
    let body = fields.finish().map_err(|error| error.with_target(peer.name().to_owned()))?;
    Ok(peer.request(operation.name).body(HeaderValue::from_static("application/json"), body).safety(safety))
}
