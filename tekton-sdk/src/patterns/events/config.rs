//! What happens to a subscriber that does not keep up.

/// What happens when the queue of a subscription is full.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Backpressure {
    /// The publisher waits until there is room; if there is none in time, its event is refused and nobody hears it.
    Block,
    /// The oldest event that waits is dropped. A [`Gap`](super::Gap) stands in its place.
    #[default]
    DropOldest,
    /// The new event is dropped. A [`Gap`](super::Gap) stands in its place.
    DropNewest,
    /// The subscription ends with an error, after what waits. Its cursor says from where to go on.
    Fail,
    /// Of each key, [`Message::key`](super::Message::key), only the newest event waits. What it replaces is counted and no gap: the newer one
    /// comes. If there are more keys than places, the oldest event is dropped.
    KeepLatest,
}

impl Backpressure {
    /// The name in text.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::DropOldest => "drop_oldest",
            Self::DropNewest => "drop_newest",
            Self::Fail => "fail",
            Self::KeepLatest => "keep_latest",
        }
    }
}
