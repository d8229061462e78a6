//! Servers of event streams that play a script.

mod answer;
mod script;

use std::{net::Ipv4Addr, ops::Deref, time::Duration};

use std::sync::Arc;

pub use answer::SseAnswer;
pub use script::{SseRequest, SseScript};

use crate::{
    error::Result,
    host::{Server, ServerLimits},
    time::SharedClock,
};

/// An [`SseScript`] over a real socket.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use tekton_sdk::{patterns::streaming::SseClient, testing::{ScriptedSse, SseAnswer}};
///
/// let server = ScriptedSse::start().await?;
/// server.answer(SseAnswer::stream().retry(1).item("7", "one").breaks()).answer(SseAnswer::stream().data("two").stalls());
///
/// let mut events = SseClient::get(&server.url())?.open()?;
/// assert_eq!(events.next().await.unwrap()?.data, "one");
/// assert_eq!(events.next().await.unwrap()?.data, "two");
/// assert_eq!(server.requests()[1].headers["last-event-id"], "7");
/// # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "dropping the server closes its connections"]
pub struct ScriptedSse {
    script: SseScript,
    server: Server,
}

impl ScriptedSse {
    /// A server on a free port of the loopback address, whose pauses are by the runtime's clock.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if there is no port left.
    pub async fn start() -> Result<Self> {
        Self::start_with(SharedClock::default()).await
    }

    /// The same, with pauses by this clock.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with(clock: SharedClock) -> Result<Self> {
        let script = SseScript::new(clock);
        // The socket's own waits are real ones: a test that moves the script's clock does not mean them.
        let limits = ServerLimits { header_timeout: Duration::from_secs(60), ..ServerLimits::default() };
        let handler = Arc::new(script.clone());
        let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into(), handler, limits, SharedClock::default()).await?;
        Ok(Self { script, server })
    }

    /// Its base URL, as `http://127.0.0.1:8001`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.server.local_addr())
    }

    /// A URL below it; the script answers at every path.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/stream", self.origin())
    }

    /// Ends it: the port is free, every connection closed.
    pub async fn shutdown(self) {
        self.server.shutdown(Duration::ZERO).await;
    }
}

impl Deref for ScriptedSse {
    type Target = SseScript;

    fn deref(&self) -> &SseScript {
        &self.script
    }
}
