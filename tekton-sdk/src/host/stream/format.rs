//! In which of three forms a stream is answered, and each event as bytes.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, header};

use super::id::EventId;
use crate::wire::{
    problem::Problem,
    sse::{self, Block, encode_comment},
};

/// The media type of one JSON value on each line.
pub(in crate::host) use crate::wire::ndjson::CONTENT_TYPE as NDJSON;

/// A stream as it is read piece by piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::host) enum Format {
    /// Server-sent events.
    Events,
    /// One JSON value on each line.
    Lines,
}

/// One event of a stream.
#[derive(Debug)]
pub(super) enum Event {
    /// An item, as JSON without line breaks.
    Item(String),
    /// An error that does not end it.
    ItemError(Box<Problem>),
    /// The good end, with the number of items.
    End(u64),
    /// The bad end.
    Error(Box<Problem>),
    /// These are missing, both included.
    Gap { from: u64, to: u64 },
}

impl Format {
    /// What the caller likes best, by `Accept` (RFC 9110 §12.5.1); of those that it likes as well the first one. `None` is one
    /// array, which is for all who do not name one of the two media types.
    pub(in crate::host) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let mut best: Option<(u16, Option<Self>)> = None;
        let lines = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
        for range in lines.flat_map(|line| line.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let format = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                sse::CONTENT_TYPE => Some(Self::Events),
                NDJSON => Some(Self::Lines),
                "application/json" | "application/*" | "*/*" => None,
                _ => continue,
            };
            let weight = parts.find_map(weight).unwrap_or(1000);
            if weight > 0 && best.is_none_or(|(least, _)| weight > least) {
                best = Some((weight, format));
            }
        }
        best?.1
    }

    /// What it is called.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Events => sse::CONTENT_TYPE,
            Self::Lines => NDJSON,
        }
    }

    /// The event as bytes. Only events of [`Events`](Self::Events) have ids.
    pub(super) fn write(self, event: &Event, id: Option<EventId>, out: &mut BytesMut) {
        match self {
            Self::Events => {
                let id = id.map(|id| id.to_string());
                let (kind, data): (_, Cow<'_, str>) = match event {
                    Event::Item(json) => ("", json.into()),
                    Event::ItemError(problem) => ("item-error", text(problem).into()),
                    Event::End(items) => ("end", format!("{{\"items\":{items}}}").into()),
                    Event::Error(problem) => ("error", text(problem).into()),
                    Event::Gap { from, to } => ("gap", format!("{{\"from\":{from},\"to\":{to}}}").into()),
                };
                let mut block = Block::data(&data).with_kind(kind);
                if let Some(id) = &id {
                    block = block.with_id(id);
                }
                block.encode(out).expect("our kinds and ids are one line each");
            }
            Self::Lines => match event {
                Event::Item(json) => put(out, &["{\"item\":", json, "}\n"]),
                Event::ItemError(problem) => put(out, &["{\"item_error\":", &text(problem), "}\n"]),
                Event::End(items) => put(out, &[&format!("{{\"end\":{{\"items\":{items}}}}}\n")]),
                Event::Error(problem) => put(out, &["{\"error\":", &text(problem), "}\n"]),
                Event::Gap { from, to } => put(out, &[&format!("{{\"gap\":{{\"from\":{from},\"to\":{to}}}}}\n")]),
            },
        }
    }

    /// A sign of life.
    pub(super) fn keep_alive(self) -> Bytes {
        let mut out = BytesMut::new();
        if self == Self::Events {
            encode_comment("keep-alive", &mut out);
        }
        out.put_u8(b'\n');
        out.freeze()
    }
}

/// A weight in thousandths; one that cannot be read counts as none given.
fn weight(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let value: f32 = value.trim().parse().ok()?;
    Some((value.clamp(0.0, 1.0) * 1000.0).round() as u16)
}

fn put(out: &mut BytesMut, parts: &[&str]) {
    for part in parts {
        out.put_slice(part.as_bytes());
    }
}

fn text(problem: &Problem) -> String {
    String::from_utf8_lossy(&problem.to_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, StatusCode};

    use super::*;

    fn accepted(lines: &[&'static str]) -> Option<Format> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::ACCEPT, HeaderValue::from_static(line));
        }
        Format::accepted(&headers)
    }

    #[test]
    fn the_form_is_what_the_caller_likes_best_and_else_an_array() {
        const EVENTS: Option<Format> = Some(Format::Events);
        const LINES: Option<Format> = Some(Format::Lines);
        for (accept, wanted) in [
            (&[][..], None),
            (&["*/*"], None),
            (&["application/json"], None),
            (&["text/event-stream"], EVENTS),
            (&["Text/Event-Stream; charset=utf-8"], EVENTS),
            (&["application/x-ndjson"], LINES),
            (&["application/x-ndjson;q=0.5, text/event-stream;q=0.9"], EVENTS),
            (&["text/html, application/x-ndjson", "text/event-stream"], LINES),
            (&["application/json, text/event-stream"], None),
            (&["application/json;q=0.1, text/event-stream;q=0.2"], EVENTS),
            (&["text/event-stream;q=0"], None),
            (&["text/event-stream;q=x"], EVENTS),
            (&["text/event-stream;q=NaN, application/x-ndjson"], LINES),
            (&["image/png", ",,;;", "text/event-streams"], None),
        ] {
            assert_eq!(accepted(accept), wanted, "{accept:?}");
        }
    }

    #[test]
    fn each_event_has_its_bytes() {
        let written = |format: Format, event: &Event| {
            let mut out = BytesMut::new();
            format.write(event, None, &mut out);
            String::from_utf8(out.to_vec()).unwrap()
        };
        let problem = || Box::new(Problem::new(StatusCode::NOT_FOUND, "gone"));
        let json = r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"gone","code":"not_found"}"#;
        for (event, events, lines) in [
            (Event::Item("[1]".into()), "data: [1]\n\n".to_owned(), "{\"item\":[1]}\n".to_owned()),
            (Event::End(3), "event: end\ndata: {\"items\":3}\n\n".into(), "{\"end\":{\"items\":3}}\n".into()),
            (
                Event::Gap { from: 2, to: 5 },
                "event: gap\ndata: {\"from\":2,\"to\":5}\n\n".into(),
                "{\"gap\":{\"from\":2,\"to\":5}}\n".into(),
            ),
            (Event::Error(problem()), format!("event: error\ndata: {json}\n\n"), format!("{{\"error\":{json}}}\n")),
            (
                Event::ItemError(problem()),
                format!("event: item-error\ndata: {json}\n\n"),
                format!("{{\"item_error\":{json}}}\n"),
            ),
        ] {
            assert_eq!(written(Format::Events, &event), events);
            assert_eq!(written(Format::Lines, &event), lines);
        }
        assert_eq!((Format::Events.keep_alive(), Format::Lines.keep_alive()), (": keep-alive\n\n".into(), "\n".into()));
    }
}
