//! Types of events that are bound to their topics.

use super::Message;
use crate::error::Result;

/// A type of event that knows its topics: [`Events::tell`](super::Events::tell) and [`Events::hear`](super::Events::hear) need no
/// other. `#[derive(Event)]` implements it.
///
/// ```
/// # #[cfg(feature = "macros")]
/// # tekton_sdk::testing::block_on(async {
/// use tekton_sdk::{Tekton, data, patterns::events::{Event, Heard, TypedEvent}};
///
/// /// Told on `orders.soup.paid` and the like.
/// #[data]
/// #[derive(Debug, PartialEq, Event)]
/// #[event(topic = "orders.{dish}.paid", key = "dish")]
/// struct Paid {
///     dish: String,
///     cents: u32,
/// }
///
/// /// What happens to an order: each variant has a topic of its own.
/// #[derive(Debug, PartialEq, Event)]
/// enum Order {
///     #[event(topic = "orders.{dish}.paid")]
///     Paid(Paid),
///     #[event(topic = "orders.closed")]
///     Closed,
/// }
/// assert_eq!(Order::TOPICS, ["orders.*.paid", "orders.closed"]);
///
/// let events = Tekton::builder().build()?.events();
/// let mut orders = events.hear::<Order>().await?;
/// events.tell(&Paid { dish: "soup".to_owned(), cents: 450 }).await?;
/// events.tell(&Order::Closed).await?;
///
/// let mut told = Vec::new();
/// while told.len() < 2 {
///     if let Some(Heard::Event(order)) = orders.next().await.transpose()? {
///         told.push(order.told()?);
///     }
/// }
/// assert_eq!(told, [Order::Paid(Paid { dish: "soup".to_owned(), cents: 450 }), Order::Closed]);
/// # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is bound to no topic",
    label = "this type does not say on which topic it is told",
    note = "put `#[derive(tekton_sdk::patterns::events::Event)]` and `#[event(topic = \"…\")]` on it, or name the topic where it is used"
)]
pub trait TypedEvent: Sized {
    /// The topics that it is told on, `*` in the place of what differs from event to event.
    const TOPICS: &'static [&'static str];

    /// The event as a message, on its topic.
    ///
    /// # Errors
    /// [`Codec`](crate::ErrorKind::Codec) if it is no JSON; [`Invalid`](crate::ErrorKind::Invalid) if what it holds makes no topic.
    fn to_message(&self) -> Result<Message>;

    /// The event that a message is.
    ///
    /// # Errors
    /// [`Codec`](crate::ErrorKind::Codec), naming the topic, if it is none of this type's or the data is not what the type says.
    fn from_message(message: &Message) -> Result<Self>;
}
