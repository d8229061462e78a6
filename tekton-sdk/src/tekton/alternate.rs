//! A handle asks another component where one has failed.

use std::sync::Arc;

use super::Tekton;
use crate::{
    directory::Query,
    error::{Error, Result, Sent},
    policy::{Alternate, Instead},
    time::BoxFuture,
    transport::{Request, Response},
};

impl Alternate for Tekton {
    fn answer<'a>(&'a self, instead: Instead<'a>, mut request: Request) -> BoxFuture<'a, Result<(Arc<str>, Response)>> {
        Box::pin(async move {
            let name: Arc<str> = match instead {
                Instead::Component(name) => name.into(),
                Instead::Capability { capability, but } => self.other(capability, but).await?,
            };
            request.call.target = Arc::clone(&name);
            let response = self.peer(Arc::clone(&name)).send(request).await?;
            Ok((name, response))
        })
    }
}

impl Tekton {
    /// The name of the best component that has a capability, but for one.
    async fn other(&self, capability: &str, but: &str) -> Result<Arc<str>> {
        let found = self.directory().lookup(&Query::capability(capability)).await?;
        let other = found.iter().find(|entry| !entry.name.eq_ignore_ascii_case(but));
        other.map(|entry| entry.name.as_str().into()).ok_or_else(|| {
            let what = format!("no component but {but} is registered with the capability {capability}");
            Error::not_found(what).with_sent(Sent::No)
        })
    }
}
