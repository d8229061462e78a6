//! From an endpoint to an open stream.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::stream::Stream;
use crate::{
    error::{Error, ErrorKind, Result},
    time::SharedClock,
    transport::{Endpoint, failure::failure},
};

/// How long one address has for itself before the next is tried beside it (RFC 8305 §5).
const HEAD_START: Duration = Duration::from_millis(250);

/// Opens streams, within one limit over all that it takes.
pub(super) struct Dial {
    pub(super) clock: SharedClock,
    pub(super) limit: Duration,
    pub(super) tls: TlsConnector,
}

impl Dial {
    /// Opens a stream to an endpoint.
    ///
    /// # Cancel safety
    /// Dropping the future gives up every attempt.
    pub(super) async fn open(&self, endpoint: &Endpoint) -> Result<Stream> {
        match self.clock.timeout(self.limit, self.stream(endpoint)).await {
            Some(opened) => opened,
            None => {
                let late = format!("connecting took longer than {:?}", self.limit);
                Err(failure(ErrorKind::Connect, endpoint, io::Error::new(io::ErrorKind::TimedOut, late)))
            }
        }
    }

    async fn stream(&self, endpoint: &Endpoint) -> Result<Stream> {
        let refused = |error: io::Error| failure(ErrorKind::Connect, endpoint, error);
        if let Some(path) = endpoint.socket() {
            return socket(path).await.map_err(refused);
        }
        let server = match endpoint.scheme() {
            "https" => Some(ServerName::try_from(endpoint.host().to_owned()).map_err(|e| {
                Error::invalid(format!("{endpoint} names a host that no certificate can be for")).with_source(e)
            })?),
            _ => None,
        };
        let addresses = addresses(endpoint).await.map_err(refused)?;
        let stream = first_of(addresses, &self.clock, TcpStream::connect).await.map_err(refused)?;
        Stream::tune(&stream).map_err(refused)?;
        match server {
            None => Ok(Stream::Tcp(TokioIo::new(stream))),
            Some(server) => {
                let stream = self.tls.connect(server, stream).await.map_err(refused)?;
                Ok(Stream::Tls(Box::new(TokioIo::new(stream))))
            }
        }
    }
}

#[cfg(unix)]
async fn socket(path: &std::path::Path) -> io::Result<Stream> {
    tokio::net::UnixStream::connect(path).await.map(|stream| Stream::Unix(TokioIo::new(stream)))
}

#[cfg(not(unix))]
async fn socket(_path: &std::path::Path) -> io::Result<Stream> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this platform has no Unix sockets"))
}

/// The addresses of an endpoint, the best first. A name is looked up on a thread of the runtime that may block.
async fn addresses(endpoint: &Endpoint) -> io::Result<Vec<SocketAddr>> {
    let (host, port) = (endpoint.host(), endpoint.port().unwrap_or(80));
    match host.parse::<IpAddr>() {
        Ok(address) => Ok(vec![SocketAddr::new(address, port)]),
        Err(_) => Ok(interleaved(tokio::net::lookup_host((host, port)).await?.collect())),
    }
}

/// In turns of one family and the other, so that one broken family costs one head start and no more (RFC 8305 §4).
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addresses.first().map(SocketAddr::is_ipv6) else { return addresses };
    let (mut like_it, mut unlike_it) = (Vec::new(), Vec::new());
    for address in addresses {
        let family = if address.is_ipv6() == first { &mut like_it } else { &mut unlike_it };
        family.push(address);
    }
    let (mut like_it, mut unlike_it) = (like_it.into_iter(), unlike_it.into_iter());
    let mut mixed = Vec::new();
    loop {
        let pair = [like_it.next(), unlike_it.next()];
        if pair == [None, None] {
            return mixed;
        }
        mixed.extend(pair.into_iter().flatten());
    }
}

/// Tries one address after the other, each with a head start, until one is open; the others are given up (RFC 8305 §5).
async fn first_of<S, F>(
    addresses: Vec<SocketAddr>,
    clock: &SharedClock,
    connect: impl Fn(SocketAddr) -> F,
) -> io::Result<S>
where
    F: Future<Output = io::Result<S>> + Send,
{
    let mut left = addresses.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut failed = None;
    loop {
        match left.next() {
            Some(address) => attempts.push(connect(address)),
            None if attempts.is_empty() => {
                return Err(
                    failed.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))
                );
            }
            None => {}
        }
        let outcome = match left.len() {
            0 => attempts.next().await,
            _ => clock.timeout(HEAD_START, attempts.next()).await.flatten(),
        };
        match outcome {
            Some(Ok(open)) => return Ok(open),
            // What went wrong first is told: it was the best address.
            Some(Err(error)) => failed = failed.or(Some(error)),
            None => {}
        }
    }
}
