//! `/landmarks`: what the code of this program says of itself.

use std::time::SystemTime;

use http::StatusCode;
use serde_json::Value;

use super::{control::json_answer, refusal::Refusal};
use crate::{landmarks::Landmarks, transport::Response};

/// The landmarks that were linked in, dated with the start of the host.
#[derive(Debug)]
pub(super) struct Marks {
    landmarks: Landmarks,
    since: SystemTime,
}

impl Marks {
    pub(super) fn new(since: SystemTime) -> Self {
        Self { landmarks: Landmarks::gather(), since }
    }

    /// The records that every filter of the query lets through.
    pub(super) fn answer(&self, query: &str) -> Response {
        let mut found = self.landmarks.clone();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            found = match &*name {
                "kind" => found.of_kind(&value),
                "tag" => found.tagged(&value),
                "component" => found.of_component(&value),
                "text" => found.containing(&value),
                _ => {
                    let name: String = name.chars().take(100).collect();
                    let detail = format!("there is no filter {name:?}; there are: kind, tag, component, text");
                    return Refusal::new(StatusCode::BAD_REQUEST, "unknown_filter", detail).answer();
                }
            };
        }
        json_answer(StatusCode::OK, Value::Array(found.records(self.since)).to_string().into())
    }
}
