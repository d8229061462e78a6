//! How many operations run at once, and who is refused.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    error::{Error, ErrorKind, Result},
    time::SharedClock,
};

/// A fair limit: places are given in the order of asking, and who waits too long is refused with a hint.
#[derive(Debug)]
pub(super) struct Limit {
    places: Arc<Semaphore>,
    most: usize,
    queue_timeout: Duration,
    clock: SharedClock,
}

impl Limit {
    pub(super) fn new(most: usize, queue_timeout: Duration, clock: SharedClock) -> Self {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(most)), most, queue_timeout, clock }
    }

    /// A place, kept until it is dropped.
    pub(super) async fn place(&self) -> Result<OwnedSemaphorePermit> {
        let waiting = Arc::clone(&self.places).acquire_owned();
        match self.clock.timeout(self.queue_timeout, waiting).await {
            Some(Ok(place)) => Ok(place),
            _ => Err(Error::new(
                ErrorKind::Rejected,
                format!(
                    "{} operations are running, which is the limit; none ended in {:?}",
                    self.most, self.queue_timeout
                ),
            )
            .with_retry_after(Duration::from_secs(1))),
        }
    }
}
