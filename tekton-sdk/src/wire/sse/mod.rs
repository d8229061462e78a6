//! Server-sent events as the HTML standard's §9.2 writes and reads them: a [`Decoder`] that is fed chunks as they come,
//! and a [`Block`] to send.
//!
//! However a stream is cut into chunks, the same events come out, each as soon as its blank line has come. What lies
//! within one chunk is lent from there and not copied; what does not is kept in buffers under [`SseLimits`].
//!
//! ```
//! use tekton_sdk::wire::sse::{Block, Decoder, SseLimits};
//!
//! let mut body = Vec::new();
//! Block::data("two\nlines").with_kind("note").with_id("7").encode(&mut body)?;
//! assert_eq!(body, b"event: note\nid: 7\ndata: two\ndata: lines\n\n");
//!
//! let mut decoder = Decoder::new(SseLimits::default());
//! let mut kinds = Vec::new();
//! for mut chunk in body.chunks(10) {
//!     while let Some(event) = decoder.next_event(&mut chunk)? {
//!         assert_eq!((&*event.data, event.id), ("two\nlines", "7"));
//!         kinds.push(event.kind.to_owned());
//!     }
//! }
//! assert_eq!((kinds, decoder.last_event_id()), (vec!["note".to_owned()], "7"));
//! # Ok::<(), tekton_sdk::Error>(())
//! ```
//!
//! *What can go wrong:* a line or an event over its cap, [`Rejected`](crate::ErrorKind::Rejected). Nothing else: what the
//! standard does not know is passed over, and bytes that are no UTF-8 become U+FFFD.

mod decode;
mod encode;
mod event;
mod line;

pub use decode::Decoder;
pub use encode::{Block, encode_comment};
pub use event::{Event, Frame};

/// The media type of an event stream (§9.2.2).
pub const CONTENT_TYPE: &str = "text/event-stream";

/// The type of an event that names none (§9.2.6).
pub const MESSAGE: &str = "message";

/// How much of a stream is kept at once.
///
/// ```
/// use tekton_sdk::wire::sse::SseLimits;
///
/// let limits = SseLimits::default();
/// assert_eq!((limits.max_line_bytes, limits.max_event_bytes), (1 << 20, 1 << 20));
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SseLimits {
    /// The most bytes of one line. Of a field and of a comment, what stands before the value does not count. Default:
    /// 1 MiB.
    pub max_line_bytes: usize,
    /// The most bytes of data, type and id of one event together; the data as it came. Default: 1 MiB.
    pub max_event_bytes: usize,
}

impl SseLimits {
    /// Sets [`Self::max_line_bytes`].
    #[must_use]
    pub const fn with_max_line_bytes(mut self, bytes: usize) -> Self {
        self.max_line_bytes = bytes;
        self
    }

    /// Sets [`Self::max_event_bytes`].
    #[must_use]
    pub const fn with_max_event_bytes(mut self, bytes: usize) -> Self {
        self.max_event_bytes = bytes;
        self
    }
}

impl Default for SseLimits {
    fn default() -> Self {
        Self { max_line_bytes: 1 << 20, max_event_bytes: 1 << 20 }
    }
}

#[cfg(test)]
mod tests;
