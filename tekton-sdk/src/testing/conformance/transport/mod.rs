//! The laws of a [`Transport`].

mod bodies;
mod calls;
mod handlers;

use std::{any::Any, fmt, sync::Arc};

use async_trait::async_trait;
use http::Method;

pub use bodies::*;
pub use calls::*;

use crate::{
    error::Result,
    transport::{CallInfo, Endpoint, Handler, Request, Response, Safety, Transport},
};

/// A fresh transport under test, and the far end of its road.
#[async_trait]
pub trait TransportSubject: Send + Sync {
    /// The transport.
    fn transport(&self) -> Arc<dyn Transport>;

    /// Answers requests with this handler until what is returned is dropped.
    ///
    /// # Errors
    /// Whatever keeps the far end from listening.
    async fn serve(&self, handler: Arc<dyn Handler>) -> Result<Listening>;

    /// An endpoint where nobody listens.
    ///
    /// # Errors
    /// Whatever keeps it from knowing one.
    async fn nobody(&self) -> Result<Endpoint>;
}

/// A handler that is being served.
#[must_use = "dropping it ends the serving"]
pub struct Listening {
    endpoint: Endpoint,
    _guard: Box<dyn Any + Send + Sync>,
}

impl Listening {
    /// A handler at this endpoint, served while `guard` lives.
    pub fn new(endpoint: Endpoint, guard: impl Any + Send + Sync) -> Self {
        Self { endpoint, _guard: Box::new(guard) }
    }

    /// Where the handler is called.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listening").field(&self.endpoint).finish()
    }
}

/// Makes one `#[test]` of each law that a [`Transport`](crate::transport::Transport) keeps.
///
/// The expression makes a fresh [`TransportSubject`](crate::testing::conformance::transport::TransportSubject) for each law;
/// it may `await`.
///
/// ```
/// use std::sync::Arc;
/// use async_trait::async_trait;
/// use tekton_sdk::{
///     Result,
///     testing::conformance::transport::{Listening, TransportSubject},
///     transport::{Endpoint, Handler, MemoryTransport, Transport},
/// };
///
/// struct InMemory(MemoryTransport);
///
/// #[async_trait]
/// impl TransportSubject for InMemory {
///     fn transport(&self) -> Arc<dyn Transport> {
///         Arc::new(self.0.clone())
///     }
///
///     async fn serve(&self, handler: Arc<dyn Handler>) -> Result<Listening> {
///         let binding = self.0.bind("law", handler)?;
///         Ok(Listening::new(binding.endpoint().clone(), binding))
///     }
///
///     async fn nobody(&self) -> Result<Endpoint> {
///         Endpoint::parse("memory://nobody")
///     }
/// }
///
/// mod memory {
///     tekton_sdk::transport_conformance!(super::InMemory(tekton_sdk::transport::MemoryTransport::new()));
/// }
/// ```
#[macro_export]
macro_rules! transport_conformance {
    ($make:expr) => {
        $crate::__laws! { transport, $make;
            method_path_query_headers_and_body_arrive_unaltered
            status_headers_and_body_come_back
            failing_statuses_are_answers
            redirects_are_handed_out
            it_does_not_retry
            a_request_without_an_endpoint_is_invalid_and_not_sent
            a_foreign_scheme_is_invalid_and_not_sent
            where_nobody_listens_the_connection_fails
            dropping_the_future_drops_the_handlers_future
            concurrent_requests_do_not_mix
            an_empty_body_is_empty
            a_large_body_is_whole_in_both_directions
            a_streamed_request_arrives_whole_where_that_is_declared
            a_streamed_answer_comes_whole
            the_first_piece_is_seen_before_the_last_is_written_where_that_is_declared
            an_answer_that_breaks_is_interrupted_and_does_not_end
            a_request_body_that_breaks_is_no_whole_body
        }
    };
}

fn request(method: Method, path: &'static str) -> Request {
    let safety = Safety::of_method(&method);
    Request::new(method, path, CallInfo::new("law", path, safety))
}

async fn serve<S: TransportSubject + ?Sized>(subject: &S, handler: Arc<dyn Handler>) -> Listening {
    subject.serve(handler).await.expect("the subject serves")
}

/// Sends a request to where a handler listens.
async fn send<S: TransportSubject + ?Sized>(subject: &S, to: &Listening, request: Request) -> Result<Response> {
    subject.transport().send(request.with_endpoint(to.endpoint().clone())).await
}
