//! What a typed client is.

use super::Peer;
use crate::directory::Query;

/// A typed client of a component: [`Tekton::find`](super::Tekton::find) makes it.
pub trait Client: Sized {
    /// The component's name.
    const NAME: &'static str;

    /// Whom to look for; by default the component of this name.
    #[must_use]
    fn query() -> Query {
        Query::name(Self::NAME)
    }

    /// The client of this peer.
    fn from_peer(peer: Peer) -> Self;
}
