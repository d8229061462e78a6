//! Is it there, and how long does it take?

use std::{sync::Arc, time::Duration};

use http::{Method, StatusCode};

use crate::{
    error::Result,
    tekton::Peer,
    time::Deadline,
    transport::{CallInfo, Request, Safety},
    wire::health::{HealthBody, read_health},
};

/// How long a probe may take.
const LIMIT: Duration = Duration::from_secs(5);
/// The most bytes that are read of a `/health` body.
const MAX_HEALTH_BYTES: usize = 64 * 1024;

/// What a probe found.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Ping {
    /// The status of `/health`.
    pub status: StatusCode,
    /// What it says of itself, in whichever of upstream's shapes.
    pub health: HealthBody,
    /// How long finding it took; nearly nothing when it was known.
    pub found_in: Duration,
    /// How long the request took until the body was there.
    pub answered_in: Duration,
}

impl Peer {
    /// Asks the component's `/health`, within 5 s, and says how long that took.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) or [`Connect`](crate::ErrorKind::Connect) and the other kinds of a road that
    /// does not work. A component that answers and says it is ill is no error.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the probe.
    pub async fn ping(&self) -> Result<Ping> {
        let clock = self.tekton().clock();
        let began = clock.now();
        let deadline = Deadline::after(began, LIMIT);
        self.entries().await?;
        let found = clock.now();
        let mut call = CallInfo::new(self.shared_name(), Arc::from("health"), Safety::Read);
        call.deadline = Some(deadline);
        let response = self.send(Request::new(Method::GET, "/health", call)).await?;
        let status = response.status;
        let rest = deadline.remaining(clock.now());
        let body = clock.timeout(rest, response.into_body().collect(MAX_HEALTH_BYTES)).await.unwrap_or_else(|| {
            Err(crate::error::Error::new(crate::ErrorKind::Timeout, "the answer did not end within the probe's limit"))
        });
        let body = body.map_err(|error| error.with_target(self.name().to_owned()))?;
        Ok(Ping {
            status,
            health: read_health(status, &body),
            found_in: found.saturating_duration_since(began),
            answered_in: clock.now().saturating_duration_since(found),
        })
    }
}
