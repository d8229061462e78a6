//! Where there are no Unix sockets.

use std::sync::Arc;

use super::server::{Open, ServerLimits};
use crate::{
    error::{Error, Result},
    time::SharedClock,
    transport::{Endpoint, Handler},
};

/// A socket that this platform does not have.
#[derive(Debug)]
pub(super) enum UnixServer {}

impl UnixServer {
    pub(super) async fn bind(path: &str, _: Arc<dyn Handler>, _: ServerLimits, _: SharedClock) -> Result<Self> {
        Err(Error::config(format!(
            "cannot listen on {path}: this platform has no Unix sockets; leave host.unix_socket out"
        )))
    }

    pub(super) const fn endpoint(&self) -> &Endpoint {
        match *self {}
    }

    pub(super) const fn open(&self) -> &Open {
        match *self {}
    }
}
