//! A directory that breaks as planned.

use std::future::Future;

use async_trait::async_trait;

use super::{CallFault, FaultPlan, after, before};
use crate::{
    contract::{Entry, PublishedTool, Registration},
    directory::{Directory, DirectoryCapabilities, Lease, Query, Standing},
    error::{ErrorKind, Result},
    time::SharedClock,
};

/// A directory whose calls meet the faults of its plan on the way to another directory.
///
/// ```
/// # tekton_sdk::testing::block_on(async {
/// use tekton_sdk::{
///     ErrorKind,
///     directory::{Directory, MemoryDirectory, Query},
///     testing::{CallFault, FaultyDirectory},
///     time::SharedClock,
/// };
///
/// let clock = SharedClock::default();
/// let (directory, faults) = FaultyDirectory::new(MemoryDirectory::new(clock.clone()), clock);
/// faults.every(2, CallFault::FailBefore(ErrorKind::Connect));
/// assert!(directory.find(&Query::everybody()).await?.is_empty());
/// assert_eq!(directory.find(&Query::everybody()).await.unwrap_err().kind(), ErrorKind::Connect);
/// assert_eq!((faults.calls(), faults.met()), (2, 1));
/// # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct FaultyDirectory<D> {
    inner: D,
    clock: SharedClock,
    faults: FaultPlan,
}

impl<D: Directory> FaultyDirectory<D> {
    /// The directory for the subject, and the plan for the test. Delays go by the clock.
    pub fn new(inner: D, clock: SharedClock) -> (Self, FaultPlan) {
        let faults = FaultPlan::default();
        (Self { inner, clock, faults: faults.clone() }, faults)
    }

    async fn meet<T>(&self, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        match self.faults.take() {
            None => work.await,
            Some(CallFault::Delay(delay)) => {
                self.clock.sleep(delay).await;
                work.await
            }
            Some(CallFault::FailBefore(kind)) => Err(before(kind)),
            Some(CallFault::FailAfter(kind)) => {
                work.await?;
                Err(after(kind))
            }
            Some(CallFault::BreakBody(_)) => {
                work.await?;
                Err(after(ErrorKind::Interrupted))
            }
            Some(CallFault::Hang) => std::future::pending().await,
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<D: Directory> Directory for FaultyDirectory<D> {
    async fn register(&self, registration: &Registration) -> Result<Lease> {
        self.meet(self.inner.register(registration)).await
    }

    async fn heartbeat(&self, lease: &Lease) -> Result<Standing> {
        self.meet(self.inner.heartbeat(lease)).await
    }

    async fn unregister(&self, lease: &Lease) -> Result<bool> {
        self.meet(self.inner.unregister(lease)).await
    }

    async fn find(&self, query: &Query) -> Result<Vec<Entry>> {
        self.meet(self.inner.find(query)).await
    }

    async fn publish_tools(&self, lease: &Lease, tools: &[PublishedTool]) -> Result<()> {
        self.meet(self.inner.publish_tools(lease, tools)).await
    }

    async fn withdraw_tools(&self, lease: &Lease, ids: &[String]) -> Result<usize> {
        self.meet(self.inner.withdraw_tools(lease, ids)).await
    }

    fn capabilities(&self) -> DirectoryCapabilities {
        self.inner.capabilities()
    }
}
