//! A transport that breaks as planned.

use async_trait::async_trait;

use super::{CallFault, FaultPlan, after, before};
use crate::{
    error::Result,
    testing::broken::break_after,
    time::SharedClock,
    transport::{Request, Response, Transport, TransportCapabilities},
};

/// A transport whose calls meet the faults of its plan on the way to another transport.
///
/// ```
/// # tekton_sdk::testing::block_on(async {
/// use serde_json::{Value, json};
/// use tekton_sdk::{
///     ErrorKind,
///     testing::{FakeComponent, CallFault, FaultyTransport, TestBed},
/// };
///
/// let bed = TestBed::new()?;
/// bed.serve(FakeComponent::new("counter").answers("count", json!(3))).await?;
/// let (transport, faults) = FaultyTransport::new(bed.transport().clone(), bed.tekton().clock().clone());
/// faults.next(1, CallFault::FailAfter(ErrorKind::Interrupted));
///
/// let tekton = bed.tekton_with(|builder| builder.transport(transport))?;
/// let lost = tekton.peer("counter").request::<Value>("count").await.unwrap_err();
/// assert_eq!(lost.kind(), ErrorKind::Interrupted);
/// assert_eq!(*tekton.peer("counter").request::<Value>("count").await?, 3);
/// # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct FaultyTransport<T> {
    inner: T,
    clock: SharedClock,
    faults: FaultPlan,
}

impl<T: Transport> FaultyTransport<T> {
    /// The transport for the subject, and the plan for the test. Delays go by the clock.
    pub fn new(inner: T, clock: SharedClock) -> (Self, FaultPlan) {
        let faults = FaultPlan::default();
        (Self { inner, clock, faults: faults.clone() }, faults)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<T: Transport> Transport for FaultyTransport<T> {
    async fn send(&self, request: Request) -> Result<Response> {
        match self.faults.take() {
            None => self.inner.send(request).await,
            Some(CallFault::Delay(delay)) => {
                self.clock.sleep(delay).await;
                self.inner.send(request).await
            }
            Some(CallFault::FailBefore(kind)) => Err(before(kind)),
            Some(CallFault::FailAfter(kind)) => {
                self.inner.send(request).await?;
                Err(after(kind))
            }
            Some(CallFault::BreakBody(bytes)) => {
                let mut response = self.inner.send(request).await?;
                response.body = break_after(std::mem::take(&mut response.body), bytes);
                Ok(response)
            }
            Some(CallFault::Hang) => std::future::pending().await,
        }
    }

    fn capabilities(&self) -> TransportCapabilities {
        self.inner.capabilities()
    }
}
