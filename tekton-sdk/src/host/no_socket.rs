//! Where there are no Unix sockets.

use std::time::Duration;

use super::server::Serving;
use crate::{
    error::{Error, Result},
    transport::Endpoint,
};

/// A socket that this platform does not have.
#[derive(Debug)]
pub(super) enum UnixServer {}

impl UnixServer {
    pub(super) async fn serve(path: &str, _: Serving) -> Result<Self> {
        Err(Error::config(format!(
            "cannot listen on {path}: this platform has no Unix sockets; leave host.unix_socket out"
        )))
    }

    pub(super) const fn endpoint(&self) -> &Endpoint {
        match *self {}
    }

    pub(super) async fn shutdown(&self, _: Duration) -> bool {
        match *self {}
    }
}
