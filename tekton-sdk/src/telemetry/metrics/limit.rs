//! The limits of a host, by the names under which their refusals are counted.

/// A limit of a host that refuses requests.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HostLimit {
    /// As many operations run as may, and as many requests wait, or this one waited too long.
    Concurrency,
    /// The host has too much to do, and gives up what matters less or would come too late.
    Shed,
    /// The client asks too often.
    Rate,
    /// The client asks for too much at once.
    ClientConcurrency,
    /// The connection is beyond those that the host serves.
    Connections,
    /// As many resumable streams are kept as may be.
    Streams,
}

impl HostLimit {
    /// Every limit, in the order of the documentation.
    pub const ALL: [Self; 6] =
        [Self::Concurrency, Self::Shed, Self::Rate, Self::ClientConcurrency, Self::Connections, Self::Streams];

    /// The name in metrics and events, and the code of the answer.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Concurrency => "concurrency",
            Self::Shed => "shed",
            Self::Rate => "rate",
            Self::ClientConcurrency => "client_concurrency",
            Self::Connections => "connections",
            Self::Streams => "streams",
        }
    }
}
