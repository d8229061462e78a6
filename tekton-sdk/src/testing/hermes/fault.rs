//! What a hub does wrong when it is told to.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use super::Route;
use crate::{
    error::{Error, ErrorKind},
    transport::{Body, Response},
};

/// One thing that goes wrong with an answer of a [`FakeHermes`](super::FakeHermes).
///
/// A hub that dies is no fault but [`stop`](super::FakeHermes::stop), [`restart`](super::FakeHermes::restart) and
/// [`restart_empty`](super::FakeHermes::restart_empty).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Does what was asked, but only after this much time of the hub's clock.
    Delay(Duration),
    /// Answers with this status and a line of plain text, as upstream does when it fails itself; nothing is done.
    Status(u16),
    /// Answers with this status and `{"detail": "…"}`; nothing is done.
    Detail(u16),
    /// Answers 200 with bytes that are neither JSON nor text; nothing is done.
    Garbage,
    /// Answers 200 with a page, as a proxy in between does; nothing is done.
    Html,
    /// Does what was asked; the answer is complete for HTTP, but its JSON ends in the middle.
    Truncated,
    /// Does what was asked; the connection breaks in the middle of the answer.
    Broken,
    /// Never answers; nothing is done.
    Hang,
    /// Forgets every component and tool, then does what was asked.
    Forget,
}

impl Fault {
    /// The fault at one route only.
    #[must_use]
    pub const fn at(self, route: Route) -> RouteFault {
        RouteFault { fault: self, route: Some(route) }
    }
}

/// A [`Fault`] and the route it happens at; without [`Fault::at`] it is every route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteFault {
    fault: Fault,
    route: Option<Route>,
}

impl From<Fault> for RouteFault {
    fn from(fault: Fault) -> Self {
        Self { fault, route: None }
    }
}

/// The faults to come, in the order they were planned: of those that fit a request the first happens.
#[derive(Debug, Default)]
pub(super) struct Plan(Vec<(RouteFault, Option<usize>)>);

impl Plan {
    /// Plans a fault for so many requests; `None` until the plan is cleared.
    pub(super) fn add(&mut self, fault: RouteFault, times: Option<usize>) {
        if times != Some(0) {
            self.0.push((fault, times));
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault of a request at this route, used up by one.
    pub(super) fn take(&mut self, route: Route) -> Option<Fault> {
        let fits = |(fault, _): &(RouteFault, _)| fault.route.is_none_or(|at| at == route);
        let index = self.0.iter().position(fits)?;
        let (fault, left) = &mut self.0[index];
        let fault = fault.fault;
        match left {
            Some(1) => drop(self.0.remove(index)),
            Some(left) => *left -= 1,
            None => {}
        }
        Some(fault)
    }
}

/// Plain text, as upstream's server answers what it did not expect.
pub(super) fn plain(status: u16) -> Response {
    let status = status_of(status);
    let text = status.canonical_reason().unwrap_or("Error");
    Response::new(status, Bytes::from_static(text.as_bytes()))
        .with_header(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))
}

/// `{"detail": "…"}` with the status's own words.
pub(super) fn detail(status: u16) -> Response {
    let status = status_of(status);
    let text = status.canonical_reason().unwrap_or("Error");
    Response::new(status, Bytes::from(json!({ "detail": text }).to_string()))
}

pub(super) fn garbage() -> Response {
    Response::new(StatusCode::OK, Bytes::from_static(b"\xff\xfe\x00\x80 not JSON \xc3"))
}

pub(super) fn html() -> Response {
    let page = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>";
    Response::new(StatusCode::OK, Bytes::from_static(page.as_bytes()))
        .with_header(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))
}

/// The answer with the second half of its body cut off.
pub(super) fn truncated(mut answer: Response) -> Response {
    answer.body = Body::full(half(&answer.body));
    answer
}

/// The answer, whose connection breaks after half of its body.
pub(super) fn broken(mut answer: Response) -> Response {
    let cut = Error::new(ErrorKind::Interrupted, "the fault plan breaks the connection here");
    answer.body = Body::stream(stream::iter([Ok(half(&answer.body)), Err(cut)]));
    answer
}

fn half(body: &Body) -> Bytes {
    body.as_bytes().map_or_else(Bytes::new, |whole| whole.slice(..whole.len() / 2))
}

/// A status that ends an exchange; anything else becomes 500.
fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status)
        .ok()
        .filter(|status| !status.is_informational())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fault_that_fits_happens_and_is_used_up() {
        let mut plan = Plan::default();
        plan.add(Fault::Html.at(Route::Register), Some(2));
        plan.add(Fault::Hang.into(), Some(1));
        plan.add(Fault::Garbage.into(), Some(0));
        assert_eq!(plan.take(Route::Query), Some(Fault::Hang));
        assert_eq!(plan.take(Route::Query), None);
        assert_eq!(plan.take(Route::Register), Some(Fault::Html));
        assert_eq!(plan.take(Route::Register), Some(Fault::Html));
        assert_eq!(plan.take(Route::Register), None);
        plan.add(Fault::Forget.into(), None);
        assert_eq!((plan.take(Route::Health), plan.take(Route::Health)), (Some(Fault::Forget), Some(Fault::Forget)));
        plan.clear();
        assert_eq!(plan.take(Route::Health), None);
    }

    #[test]
    fn a_status_that_cannot_end_an_exchange_is_500() {
        for (given, sent) in [(503, 503), (404, 404), (100, 500), (7, 500), (9999, 500)] {
            assert_eq!(plain(given).status.as_u16(), sent);
            assert_eq!(detail(given).status.as_u16(), sent);
        }
    }
}
