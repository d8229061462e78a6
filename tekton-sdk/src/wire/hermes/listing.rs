//! Who is there: the hub's lists, whichever route they came from.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::ComponentRecord;
use crate::{
    error::Result,
    wire::lenient::{self, Object},
};

/// The most components of one listing that are read; the rest is counted as skipped.
pub const MAX_COMPONENTS: usize = 10_000;

const EXPECTED: &str = "a list of components";

/// The components of one answer.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// The entries that could be read, in their order.
    pub components: Vec<ComponentRecord>,
    /// How many could not, or came after the first [`MAX_COMPONENTS`].
    pub skipped: usize,
}

/// Reads `{"total", "components": […]}`, a bare array, or one component, in either case.
///
/// One entry that cannot be read does not spoil the others.
///
/// ```
/// use tekton_sdk::wire::hermes::read_components;
///
/// let listing = read_components(br#"[{"componentId":"engram-1","name":"engram","capabilities":["memory"]}, 7]"#)?;
/// assert_eq!(listing.components[0].component_id, "engram-1");
/// assert_eq!(listing.skipped, 1);
/// # Ok::<(), tekton_sdk::Error>(())
/// ```
///
/// # Errors
/// [`Codec`](crate::ErrorKind::Codec) if the body is none of these.
pub fn read_components(body: &[u8]) -> Result<Listing> {
    match body.trim_ascii_start().first() {
        Some(b'{') => read_object(body),
        Some(b'[') => read_array(body),
        _ => lenient::parse(body, EXPECTED).and_then(|value| {
            let came = lenient::type_name(&value);
            Err(lenient::unexpected(EXPECTED, came))
        }),
    }
}

fn read_object(body: &[u8]) -> Result<Listing> {
    // Values stay raw: one that cannot be held, as a number out of range, concerns only the entry it stands in.
    let raw: BTreeMap<String, &RawValue> = serde_json::from_slice(body).map_err(|source| failed(body, source))?;
    match raw.get("components").map(|components| components.get().as_bytes()) {
        Some(components) if components.starts_with(b"[") => read_array(components),
        Some(b"null") => Ok(Listing::default()),
        Some(_) => Err(lenient::unexpected(EXPECTED, "`components` that is no list")),
        None => match serde_json::from_slice(body).ok().and_then(ComponentRecord::read) {
            Some(component) => Ok(Listing { components: vec![component], skipped: 0 }),
            None => Err(lenient::unexpected(EXPECTED, "an object without `components`, id or name")),
        },
    }
}

fn read_array(body: &[u8]) -> Result<Listing> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let listing = deserializer.deserialize_seq(Entries).and_then(|listing| deserializer.end().map(|()| listing));
    listing.map_err(|source| failed(body, source))
}

fn failed(body: &[u8], source: serde_json::Error) -> crate::error::Error {
    lenient::unexpected(EXPECTED, lenient::came(body, &source)).with_source(source)
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Listing;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Listing, A::Error> {
        let mut listing = Listing::default();
        while listing.components.len() + listing.skipped < MAX_COMPONENTS {
            let Some(entry) = entries.next_element::<&RawValue>()? else { return Ok(listing) };
            match serde_json::from_str::<Object>(entry.get()).ok().and_then(ComponentRecord::read) {
                Some(component) => listing.components.push(component),
                None => listing.skipped += 1,
            }
        }
        while entries.next_element::<IgnoredAny>()?.is_some() {
            listing.skipped += 1;
        }
        Ok(listing)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::wire::{
        arbitrary,
        hermes::{Ack, HeartbeatRequest, QueryRequest, RegisterReply, RegisterRequest, write_components, write_query},
    };

    const KEYS: &[&str] =
        &["capabilities", "metadata", "type", "healthy", "lastHeartbeat", "scores", "port", "endpoints"];

    fn read(body: &Value) -> Listing {
        read_components(body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn all_three_forms_in_both_cases_read_alike() {
        let snake = json!({"component_id": "engram-1", "name": "engram", "version": "0.1.0", "type": null, "port": null,
            "status": "unknown", "capabilities": ["memory"], "endpoint": "http://localhost:8000",
            "last_heartbeat": null, "registered_at": 1.5, "metadata": {"type": "memory"}});
        let camel = json!({"componentId": "engram-1", "name": "engram", "version": "0.1.0", "type": "memory",
            "endpoint": "http://localhost:8000", "capabilities": ["memory"], "metadata": {"type": "memory"},
            "healthy": null, "lastHeartbeat": null});
        let wrapped = read(&json!({"total": 1, "components": [snake.clone()]}));
        assert_eq!(wrapped, read(&snake));
        let mut queried = read(&json!([camel]));
        assert_eq!(queried.components[0].status, None);
        queried.components[0].status = Some("unknown".into());
        queried.components[0].registered_at = Some(1.5);
        assert_eq!(wrapped, queried);
        assert_eq!(wrapped.components[0].component_type.as_deref(), Some("memory"));
        assert_eq!(read(&json!({"total": 0, "components": null})), Listing::default());
    }

    #[test]
    fn entries_are_read_leniently() {
        let listing = read(&json!([
            {"name": "apollo", "version": 2, "capabilities": [{"name": "plan", "score": 1}, "act", 7, null, {}],
             "healthy": "true", "last_heartbeat": "12.5", "metadata": null, "unknown": {}},
            {"component_id": "x-1", "capabilities": {"primary": ["a"]},
             "metadata": {"capabilities": {"primary": ["a", "b"]}}},
            {"capabilities": []}, "text", null, [], {"name": ""},
        ]));
        assert_eq!((listing.components.len(), listing.skipped), (2, 5));
        let apollo = &listing.components[0];
        assert_eq!(apollo.component_id, "apollo");
        assert_eq!(apollo.version.as_deref(), Some("2"));
        assert_eq!(apollo.capabilities, ["plan", "act", "7"]);
        assert_eq!((apollo.healthy, apollo.last_heartbeat), (Some(true), Some(12.5)));
        assert_eq!(listing.components[1].capabilities, ["a", "b"]);
    }

    #[test]
    fn one_impossible_entry_does_not_spoil_the_others() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        let body = format!(
            r#"[{{"name":"a"}},{{"name":1e999}},{{"name":"\ud800"}},{{"name":"b","x":{deep}}},{{"name":"c"}}]"#
        );
        let listing = read_components(body.as_bytes()).unwrap();
        assert_eq!(listing.components.iter().map(|c| &*c.name).collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(listing.skipped, 3);
    }

    #[test]
    fn a_listing_is_cut_at_the_cap() {
        let body = format!("[{}]", vec![r#"{"name":"a"}"#; MAX_COMPONENTS + 5].join(","));
        let listing = read_components(body.as_bytes()).unwrap();
        assert_eq!((listing.components.len(), listing.skipped), (MAX_COMPONENTS, 5));
    }

    #[test]
    fn what_is_no_listing_is_named() {
        let said = |body: &str| read_components(body.as_bytes()).unwrap_err().to_string();
        assert_eq!(said(""), "expected a list of components, got an empty body");
        assert_eq!(said("<html>"), "expected a list of components, got HTML");
        assert_eq!(said("Internal Server Error"), "expected a list of components, got text");
        assert_eq!(said(r#"{"components":[{"na"#), "expected a list of components, got truncated JSON");
        assert_eq!(said(r#"[{"name":"a"}"#), "expected a list of components, got truncated JSON");
        assert_eq!(said(r#"[] x"#), "expected a list of components, got malformed JSON");
        assert_eq!(said("17"), "expected a list of components, got a JSON number");
        assert_eq!(said(r#"{"components":{}}"#), "expected a list of components, got `components` that is no list");
        assert_eq!(
            said(r#"{"detail":"x"}"#),
            "expected a list of components, got an object without `components`, id or name"
        );
    }

    #[test]
    fn what_a_hub_writes_has_upstreams_shape_and_reads_back() {
        let request = RegisterRequest::new("engram", "0.1.0", "http://localhost:8000").with_type("memory");
        let record = ComponentRecord::registered(request, "engram-1", 1.5);
        let components: Value = serde_json::from_slice(&write_components([&record])).unwrap();
        assert_eq!(
            components,
            json!({"total": 1, "components": [{"component_id": "engram-1", "name": "engram", "version": "0.1.0",
                "type": null, "port": null, "status": "unknown", "capabilities": [], "endpoint": "http://localhost:8000",
                "last_heartbeat": null, "registered_at": 1.5, "metadata": {"type": "memory"}}]})
        );
        let query: Value = serde_json::from_slice(&write_query([&record])).unwrap();
        assert_eq!(
            query,
            json!([{"componentId": "engram-1", "name": "engram", "version": "0.1.0", "type": "memory", "capabilities": [],
                "endpoint": "http://localhost:8000", "metadata": {"type": "memory"},
                "healthy": null, "lastHeartbeat": null}])
        );
        let mut expected = record.clone();
        expected.status = Some("unknown".into());
        assert_eq!(read_components(&write_components([&record])).unwrap().components, [expected.clone()]);
        assert_eq!(read_components(&record.to_bytes()).unwrap().components, [expected]);
        let mut expected = record.clone();
        expected.registered_at = None;
        assert_eq!(read_components(&write_query([&record])).unwrap().components, [expected]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..500)) {
            let _ = (read_components(&body), RegisterReply::read(&body), Ack::read(&body));
            let _ = (RegisterRequest::read(&body), HeartbeatRequest::read(&body), QueryRequest::read(&body));
        }

        #[test]
        fn any_json_like_text_is_read_or_refused(
            body in r#"[\[{]([\[\]{},:"a0.-]|null|true|"name"|"metadata"|"components"|"component_id"){0,30}"#,
        ) {
            let _ = (read_components(body.as_bytes()), RegisterRequest::read(body.as_bytes()));
        }

        #[test]
        fn any_entry_that_names_itself_is_read(fields in arbitrary::object(KEYS)) {
            let mut entry = fields;
            entry.insert("name".into(), "a".into());
            let listing = read(&json!([entry]));
            prop_assert_eq!(listing.components.len(), 1);
            let metadata = listing.components[0].typed_metadata();
            prop_assert!(metadata.scores.values().all(|score| (0.0..=1.0).contains(score)));
        }
    }
}
