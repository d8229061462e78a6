//! What the query of `/events` asks for.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::listed;
use crate::{host::refusal::Refusal, patterns::events::wire::Wanted};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Reads the query; where the caller was cut off is in the header, and counts more than the query, which is as it was at first.
pub(super) fn wanted<'a>(query: &'a str, headers: &'a HeaderMap) -> Result<Wanted<'a>, Box<Refusal>> {
    let wrong = |detail: String| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail);
    let mut wanted = Wanted::default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "topics" => wanted.topics.extend(listed(&value).map(|filter| Cow::Owned(filter.to_owned()))),
            "after" => wanted.after = Some(value),
            "at" => wanted.at = Some(value),
            "oldest" => wanted.oldest = matches!(&*value, "" | "true" | "1"),
            "when_full" => wanted.when_full = Some(value),
            // The one has been taken, the other is added against caches by some clients.
            "ticket" | "_" => {}
            other => {
                let shown: String = other.chars().take(40).collect();
                let detail =
                    format!("{shown:?} is not asked for here; topics, after, at, oldest, when_full and ticket are");
                return Err(wrong(detail));
            }
        }
    }
    if wanted.topics.is_empty() {
        return Err(wrong("`topics` is missing: name what to listen to, with commas between".to_owned()));
    }
    if let Some(last) = headers.get(LAST_EVENT_ID).filter(|last| !last.is_empty()) {
        let last = HeaderValue::to_str(last).map_err(|_| wrong("`Last-Event-ID` is no cursor".to_owned()))?;
        (wanted.after, wanted.at, wanted.oldest) = (Some(last.into()), None, false);
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_a_list_and_the_last_event_counts_more_than_the_query() {
        let mut headers = HeaderMap::new();
        let read = wanted("topics=a.*,b&topics=c.%3E&oldest=true&_=1&ticket=x", &headers).unwrap();
        assert_eq!((read.topics, read.oldest, read.after), (vec!["a.*".into(), "b".into(), "c.>".into()], true, None));
        headers.insert(LAST_EVENT_ID, HeaderValue::from_static("0000000000000001-2"));
        let read = wanted("topics=a&oldest=true", &headers).unwrap();
        assert_eq!((read.oldest, read.after.as_deref()), (false, Some("0000000000000001-2")));
    }

    #[test]
    fn what_is_not_asked_for_is_refused() {
        for query in ["", "topics=", "topics=,", "topic=a", "topics=a&group=g"] {
            assert!(wanted(query, &HeaderMap::new()).is_err(), "{query}");
        }
    }
}
