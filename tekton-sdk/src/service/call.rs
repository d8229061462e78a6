//! What a generated client does.

use std::{fmt, future::IntoFuture, marker::PhantomData, sync::Arc};

use http::HeaderValue;

use super::{CallOptions, Data, Fields};
use crate::{
    contract::{Operation, OperationKind},
    error::Result,
    patterns::{
        request::{Call, Reply},
        streaming::Chunks,
    },
    tekton::Peer,
    time::BoxFuture,
    transport::Safety,
};

/// The peer of a generated client of `C`; unlike a struct that holds a `C` it is cheap to clone whatever `C` is.
pub struct PeerOf<C: ?Sized>(Caller, PhantomData<fn() -> Box<C>>);

/// Whom a generated client calls, and what its calls have otherwise.
#[derive(Clone)]
pub struct Caller {
    peer: Peer,
    options: Option<Arc<CallOptions>>,
}

impl<C: ?Sized> PeerOf<C> {
    /// The client's part of this peer.
    #[must_use]
    pub const fn new(peer: Peer) -> Self {
        Self(Caller { peer, options: None }, PhantomData)
    }

    /// The peer.
    #[must_use]
    pub const fn peer(&self) -> &Peer {
        &self.0.peer
    }

    /// What its calls are made with.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.0
    }

    /// The same peer, whose calls have these options, and those that it had already which they leave open.
    #[must_use]
    pub fn with(&self, options: CallOptions) -> Self {
        let options = match &self.0.options {
            Some(earlier) => options.over(earlier),
            None => options,
        };
        Self(Caller { peer: self.0.peer.clone(), options: Some(Arc::new(options)) }, PhantomData)
    }
}

impl<C: ?Sized> Clone for PeerOf<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<C: ?Sized> fmt::Debug for PeerOf<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.peer.fmt(f)
    }
}

/// Calls an operation. What its table says of it decides whether it may be repeated.
///
/// # Errors
/// Those of a call, and what the operation refuses.
///
/// # Cancel safety
/// Dropping the future gives up the call.
pub fn call<'a, T: Data>(
    caller: &'a Caller,
    operation: &'static Operation,
    fields: Fields,
) -> BoxFuture<'a, Result<T>> {
    // Whatever does not depend on `T` is compiled once, in the SDK.
    let call = put_together(caller, operation, fields);
    Box::pin(async move {
        let response = call?.collect().await?;
        Reply::read(response).map(Reply::into_inner).map_err(|error| error.with_target(caller.peer.name().to_owned()))
    })
}

/// Calls an operation that answers many times. What its table says of it decides whether it may be repeated before it answers.
///
/// # Errors
/// Those of a call, and what the operation refuses before it answers.
///
/// # Cancel safety
/// Dropping the future gives up the call.
pub fn stream<'a, T: Data>(
    caller: &'a Caller,
    operation: &'static Operation,
    fields: Fields,
) -> BoxFuture<'a, Result<Chunks<T>>> {
    let peer = &caller.peer;
    let body = match fields.finish() {
        Ok(body) => body,
        Err(error) => return Box::pin(std::future::ready(Err(error.with_target(peer.name().to_owned())))),
    };
    let call = peer.stream(operation.name).body(HeaderValue::from_static("application/json"), body);
    let call = match &caller.options {
        Some(options) => options.apply_to_stream(call),
        None => call,
    };
    call.safety(caller.safety(operation)).into_future()
}

fn put_together<'a>(caller: &'a Caller, operation: &'static Operation, fields: Fields) -> Result<Call<'a, ()>> {
    let peer = &caller.peer;
    let body = fields.finish().map_err(|error| error.with_target(peer.name().to_owned()))?;
    let call = peer.request(operation.name).body(HeaderValue::from_static("application/json"), body);
    let call = match &caller.options {
        Some(options) => options.apply(call),
        None => call,
    };
    Ok(call.safety(caller.safety(operation)))
}

impl Caller {
    /// Whether a call of this operation may be carried out twice: a write may under a key.
    fn safety(&self, operation: &Operation) -> Safety {
        let is_keyed = self.options.as_ref().is_some_and(|options| options.idempotency_key.is_some());
        match operation.kind {
            OperationKind::Read => Safety::Read,
            OperationKind::Write if operation.idempotent || is_keyed => Safety::Idempotent,
            OperationKind::Write => Safety::Write,
        }
    }
}
