//! What a component listens on, and how all of it ends.

use std::time::Duration;

use futures_util::future;

use super::{
    server::{Open, Server},
    socket::UnixServer,
    stream::Streams,
};

/// How long streams may take to say that they were ended.
const LAST_WORD: Duration = Duration::from_secs(1);

/// The port and the Unix socket, or one of them.
#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) tcp: Option<Server>,
    pub(super) unix: Option<UnixServer>,
}

impl Sockets {
    /// Stops listening, and lets what runs finish until `limit`; streams are told to end then, and have a moment to say so. Tells
    /// whether all finished by themselves.
    pub(super) async fn shutdown(&self, limit: Duration, streams: &Streams) -> bool {
        let open = || self.tcp.as_ref().map(Server::open).into_iter().chain(self.unix.as_ref().map(UnixServer::open));
        future::join_all(open().map(Open::stop_listening)).await;
        streams.drain();
        let finish =
            async |limit| future::join_all(open().map(|open| open.finished(limit))).await.into_iter().all(|all| all);
        let finished = finish(limit).await;
        streams.end();
        if !finished && streams.are_read() {
            finish(LAST_WORD).await;
        }
        future::join_all(open().map(Open::close)).await;
        finished
    }
}
