//! `POST /ws/ticket`.

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::json;

use crate::{
    host::{control::json_answer, refusal::Refusal, router::Router},
    transport::{Body, Inbound, Response},
};

impl Router {
    /// Gives a ticket to who brings a proof, and lets pages ask whether they may ask.
    pub(in crate::host) async fn ticket(&self, request: &Inbound) -> Response {
        let origin = match self.origins.admit(&request.headers) {
            Ok(origin) => origin,
            Err(refusal) => return refusal.answer(),
        };
        let answer = match request.method {
            Method::OPTIONS => preflight(&request.headers),
            _ => {
                let origin = origin.as_ref().and_then(|origin| origin.to_str().ok());
                self.give(request, origin).await.unwrap_or_else(|refusal| refusal.answer())
            }
        };
        readable(answer, origin)
    }

    async fn give(&self, request: &Inbound, origin: Option<&str>) -> Result<Response, Box<Refusal>> {
        if request.method != Method::POST {
            return Err(Refusal::method("POST, OPTIONS"));
        }
        if request.proven.is_some() {
            let detail =
                "a connection that a ticket opened gets no other one: bring the proof itself to `POST /ws/ticket`";
            return Err(Refusal::new(StatusCode::FORBIDDEN, "ticket_for_a_ticket", detail.to_owned()));
        }
        let limit = self.config.request_timeout;
        let proven = self.clock.timeout(limit, self.identity(None, request)).await;
        let who = proven.unwrap_or_else(|| Err(Refusal::not_proven(limit)))?;
        if let Some(clients) = &self.clients {
            clients.charge(who.as_ref(), request.into(), self.clock.now()).map_err(|(_, refusal)| refusal)?;
        }
        let body = match who {
            Some(who) => {
                let life = u64::try_from(self.config.ticket_life.as_millis()).unwrap_or(u64::MAX);
                json!({ "ticket": self.tickets.give(who, origin), "expires_in_ms": life })
            }
            // Nobody has to prove anything here.
            None if self.identify.is_none() => json!({ "ticket": null, "expires_in_ms": 0 }),
            None => {
                let detail = "a ticket stands for somebody who is known: bring a proof, as you would for an operation";
                return Err(Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", detail.to_owned()));
            }
        };
        let answer = json_answer(StatusCode::OK, body.to_string().into());
        Ok(answer.with_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
    }
}

/// What a browser asks before it sends a proof from a page of another origin (Fetch standard, §3.3).
fn preflight(headers: &HeaderMap) -> Response {
    let answer = Response::new(StatusCode::NO_CONTENT, Body::empty())
        .with_header(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    match headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        // A proof may stand in any header, and whoever judges it knows in which.
        Some(wanted) => answer.with_header(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone()),
        None => answer,
    }
}

/// Lets the pages of an origin that was admitted read an answer.
pub(in crate::host) fn readable(answer: Response, origin: Option<HeaderValue>) -> Response {
    let answer = answer.with_header(header::VARY, HeaderValue::from_static("origin"));
    match origin {
        Some(origin) => answer.with_header(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin),
        None => answer,
    }
}
