//! Events as variants of an enum.

use crate::{error::Result, wire::sse::Event};

/// A type that every event of a stream can be read as. `#[derive(SseEvent)]` on an enum implements it: one variant for each type
/// of event, and one that keeps those of other types.
///
/// ```
/// # #[cfg(feature = "macros")] {
/// use tekton_sdk::{patterns::streaming::{SseEvent, StreamEvent}, wire::sse::{Decoder, SseLimits}};
///
/// #[tekton_sdk::data]
/// #[derive(Debug, PartialEq)]
/// struct Said {
///     by: String,
///     text: String,
/// }
///
/// #[derive(Debug, PartialEq, SseEvent)]
/// enum Chat {
///     /// Has the data of `event: said` as JSON.
///     Said(Said),
///     /// Has the data of what has no `event:` as it came.
///     #[event("message", text)]
///     Noted(String),
///     /// Stands for `event: all_said`, whatever its data.
///     AllSaid,
///     /// Keeps everything else.
///     #[event(other)]
///     Other(StreamEvent),
/// }
///
/// let mut body: &[u8] = b"event: said\ndata: {\"by\":\"Ada\",\"text\":\"Hello\"}\n\nevent: all_said\ndata:\n\n";
/// let mut decoder = Decoder::new(SseLimits::default());
/// let event = decoder.next_event(&mut body)?.expect("it is whole");
/// assert_eq!(Chat::from_event(&event)?, Chat::Said(Said { by: "Ada".to_owned(), text: "Hello".to_owned() }));
/// let event = decoder.next_event(&mut body)?.expect("it is whole");
/// assert_eq!(Chat::from_event(&event)?, Chat::AllSaid);
/// # }
/// # Ok::<(), tekton_sdk::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no type of events",
    label = "events are read as an enum",
    note = "put `#[derive(SseEvent)]` on an enum with a variant for each type of event"
)]
pub trait SseEvent: Sized {
    /// Reads an event.
    ///
    /// # Errors
    /// [`Codec`](crate::ErrorKind::Codec) if its data is not what its type asks for.
    fn from_event(event: &Event<'_>) -> Result<Self>;
}
