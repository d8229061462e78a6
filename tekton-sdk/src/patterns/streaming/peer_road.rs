//! The road to a component: every connection goes through the pipeline.

use std::time::Duration;

use http::HeaderValue;

use super::{numbers::Numbers, source::Road};
use crate::{
    error::{Error, Result},
    tekton::Peer,
    time::BoxFuture,
    transport::{Request, Response, Safety},
    wire::headers,
};

/// Requests of one stream.
pub(super) struct PeerRoad {
    pub(super) peer: Peer,
    /// What is sent, whole: it can be copied.
    pub(super) request: Request,
    /// How long the head of an answer may take, unless it is the handle's limit.
    pub(super) limit: Option<Duration>,
    /// Whether a stream that can be resumed is.
    pub(super) resume: bool,
    /// Whether one that cannot begins anew.
    pub(super) resend: bool,
    pub(super) numbers: Numbers,
}

impl PeerRoad {
    /// The request, to be resumed where the stream stands.
    pub(super) fn request(&self) -> Result<Request> {
        let copy = self.request.try_clone();
        let mut request = copy.ok_or_else(|| Error::internal("the request of a stream is a stream itself"))?;
        if let Some(id) = self.numbers.resume() {
            let value = HeaderValue::try_from(id).expect("hexadecimal digits are visible ASCII");
            request.headers.insert(headers::LAST_EVENT_ID, value);
            // The callee attaches it to the work that runs already, so that nothing is carried out twice.
            request.call.safety = Safety::Read;
        }
        Ok(request)
    }

    /// Sends it, and waits for the head of the answer.
    pub(super) fn send(&self) -> BoxFuture<'static, Result<Response>> {
        let (peer, request, limit) = (self.peer.clone(), self.request(), self.limit);
        Box::pin(async move { peer.start(request?, limit)?.answer().await })
    }
}

impl Road for PeerRoad {
    fn connect(&mut self, _: &str, _: bool) -> BoxFuture<'static, Result<Response>> {
        self.send()
    }

    fn follow(&mut self, _: u16, _: Option<&str>) -> Option<Result<(), &'static str>> {
        None
    }

    fn restart(&mut self) {}

    fn opened(&mut self, response: &Response) -> bool {
        if self.resume {
            self.numbers.name(headers::label(&response.headers, &headers::STREAM));
        }
        if self.numbers.stream().is_none() {
            return self.resend;
        }
        // Its work runs there and nowhere else.
        if let Some(endpoint) = &response.endpoint {
            self.peer = self.peer.at_endpoint(endpoint.clone());
        }
        true
    }
}
