//! Events and comments into bytes.

use std::time::Duration;

use bytes::BufMut;

use crate::error::{Error, Result};

/// What goes out between two blank lines: an event, or a waiting time alone.
///
/// ```
/// use tekton_sdk::wire::sse::Block;
///
/// let mut body = Vec::new();
/// Block::data("hello").encode(&mut body)?;
/// assert_eq!(body, b"data: hello\n\n");
/// # Ok::<(), tekton_sdk::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "a block is sent by `encode`"]
pub struct Block<'a> {
    data: Option<&'a str>,
    kind: Option<&'a str>,
    id: Option<&'a str>,
    retry: Option<Duration>,
}

impl<'a> Block<'a> {
    /// An event with this data. CR, LF and CR LF in it all come out as LF on the other side.
    pub const fn data(data: &'a str) -> Self {
        Self { data: Some(data), kind: None, id: None, retry: None }
    }

    /// A waiting time alone, which is no event.
    pub const fn retry(wait: Duration) -> Self {
        Self { data: None, kind: None, id: None, retry: Some(wait) }
    }

    /// Names the type of the event; an empty one is none.
    pub const fn with_kind(mut self, kind: &'a str) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Names the event, for `Last-Event-ID`; an empty id takes back the ids before it.
    pub const fn with_id(mut self, id: &'a str) -> Self {
        self.id = Some(id);
        self
    }

    /// Says how long to wait before connecting anew, in whole milliseconds.
    pub const fn with_retry(mut self, wait: Duration) -> Self {
        self.retry = Some(wait);
        self
    }

    /// Writes the block with the blank line that ends it.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) if the type or the id holds CR, LF or NUL, which no stream can carry there.
    /// Nothing is written then.
    pub fn encode(&self, out: &mut impl BufMut) -> Result<()> {
        let kind = self.kind.filter(|kind| !kind.is_empty());
        for (name, value) in [("type", kind), ("id", self.id)] {
            if value.is_some_and(|value| value.contains(['\r', '\n', '\0'])) {
                return Err(Error::invalid(format!(
                    "the {name} of an event must be one line without NUL: leave CR, LF and NUL out of it"
                )));
            }
        }
        if let Some(kind) = kind {
            field(out, "event", kind);
        }
        if let Some(id) = self.id {
            field(out, "id", id);
        }
        if let Some(wait) = self.retry {
            field(out, "retry", &u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).to_string());
        }
        if let Some(data) = self.data {
            lines(data, |line| field(out, "data", line));
        }
        out.put_u8(b'\n');
        Ok(())
    }
}

/// Writes a comment, a line of it for each line of the text. It is no event, and shows that the server lives.
///
/// ```
/// let mut body = Vec::new();
/// tekton_sdk::wire::sse::encode_comment("keep-alive", &mut body);
/// assert_eq!(body, b": keep-alive\n");
/// ```
pub fn encode_comment(text: &str, out: &mut impl BufMut) {
    lines(text, |line| field(out, "", line));
}

/// A space follows the colon always: without it a space that begins the value would be lost.
fn field(out: &mut impl BufMut, name: &str, value: &str) {
    for part in [name, ": ", value, "\n"] {
        out.put_slice(part.as_bytes());
    }
}

/// The lines of a text as the standard ends them: CR LF, CR or LF.
fn lines(mut text: &str, mut each: impl FnMut(&str)) {
    while let Some(end) = memchr::memchr2(b'\r', b'\n', text.as_bytes()) {
        let (line, rest) = text.split_at(end);
        each(line);
        text = rest.strip_prefix("\r\n").unwrap_or(&rest[1..]);
    }
    each(text);
}
