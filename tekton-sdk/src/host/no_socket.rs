//! Where there are no Unix sockets.

use super::server::{Open, Serving};
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

    pub(super) const fn open(&self) -> &Open {
        match *self {}
    }
}
