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
pub(in crate::transport) struct Dial {
    pub(in crate::transport) clock: SharedClock,
    pub(in crate::transport) limit: Duration,
    pub(in crate::transport) tls: TlsConnector,
}

impl Dial {
    /// Opens a stream to an endpoint.
    ///
    /// # Cancel safety
    /// Dropping the future gives up every attempt.
    pub(in crate::transport) async fn open(&self, endpoint: &Endpoint) -> Result<Stream> {
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
            "https" | "wss" => Some(ServerName::try_from(endpoint.host().to_owned()).map_err(|e| {
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures_util::future;

    use super::*;
    use crate::time::ManualClock;

    fn at(last: u16, is_v6: bool) -> SocketAddr {
        let host = if is_v6 { format!("[2001:db8::{last}]") } else { format!("192.0.2.{last}") };
        format!("{host}:80").parse().unwrap()
    }

    #[test]
    fn addresses_come_in_turns_of_their_families() {
        let (four, six) = (|n| at(n, false), |n| at(n, true));
        assert_eq!(interleaved(vec![six(1), six(2), six(3), four(1)]), [six(1), four(1), six(2), six(3)]);
        assert_eq!(interleaved(vec![four(1), four(2), six(1)]), [four(1), six(1), four(2)]);
        assert_eq!(interleaved(Vec::new()), []);
    }

    /// What an attempt comes to: never an end, refused at once, or open at once.
    #[derive(Clone, Copy)]
    enum Fate {
        Hangs,
        Refuses,
        Opens,
    }

    /// Begins to connect to addresses of these fates; the log is which were tried, and which were given up.
    async fn race(fates: &'static [Fate], clock: &SharedClock, log: Arc<Mutex<Vec<String>>>) -> io::Result<u16> {
        struct GivenUp(u16, Arc<Mutex<Vec<String>>>);
        impl Drop for GivenUp {
            fn drop(&mut self) {
                self.1.lock().unwrap().push(format!("end {}", self.0));
            }
        }
        let addresses = (0..fates.len()).map(|n| SocketAddr::from(([192, 0, 2, 1], n as u16))).collect();
        first_of(addresses, clock, |address| {
            let port = address.port();
            log.lock().unwrap().push(format!("try {port}"));
            let held = GivenUp(port, Arc::clone(&log));
            async move {
                let _held = held;
                match fates[usize::from(port)] {
                    Fate::Hangs => future::pending().await,
                    Fate::Refuses => Err(io::Error::from(io::ErrorKind::ConnectionRefused)),
                    Fate::Opens => Ok(port),
                }
            }
        })
        .await
    }

    #[tokio::test]
    async fn a_silent_address_has_a_head_start_of_250_ms_and_is_given_up_when_another_opens() {
        let (manual, log) = (ManualClock::new(), Arc::default());
        let clock = SharedClock::new(manual.clone());
        let mut racing = Box::pin(race(&[Fate::Hangs, Fate::Hangs, Fate::Opens], &clock, Arc::clone(&log)));
        for tried in 1..3 {
            assert!(futures_util::poll!(&mut racing).is_pending());
            assert_eq!(log.lock().unwrap().len(), tried);
            manual.advance(HEAD_START - Duration::from_millis(1));
            assert!(futures_util::poll!(&mut racing).is_pending());
            assert_eq!(log.lock().unwrap().len(), tried);
            manual.advance(Duration::from_millis(1));
        }
        assert_eq!(racing.await.unwrap(), 2);
        let log = log.lock().unwrap();
        assert_eq!(log[..3], ["try 0", "try 1", "try 2"]);
        assert_eq!(log.len(), 6, "{log:?}");
    }

    #[tokio::test]
    async fn a_refusal_is_no_reason_to_wait_and_the_best_addresses_is_told() {
        let (manual, log) = (ManualClock::new(), Arc::default());
        let clock = SharedClock::new(manual.clone());
        assert_eq!(race(&[Fate::Refuses, Fate::Opens, Fate::Hangs], &clock, Arc::clone(&log)).await.unwrap(), 1);
        assert!(!log.lock().unwrap().contains(&"try 2".to_owned()));
        let refused = race(&[Fate::Refuses, Fate::Refuses], &clock, Arc::default()).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let none = race(&[], &clock, Arc::default()).await.unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::NotFound);
        assert_eq!(manual.sleepers(), 0);
    }

    #[tokio::test]
    async fn one_limit_stands_over_all_that_connecting_takes() {
        let manual = ManualClock::new();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let tls = crate::transport::tls::config("http/1.1").unwrap();
        let dial = Dial {
            clock: SharedClock::new(manual.clone()),
            limit: Duration::from_secs(2),
            tls: TlsConnector::from(Arc::new(tls)),
        };
        // TCP is open at once, TLS waits for a word.
        let endpoint = Endpoint::parse(&format!("https://{}", listener.local_addr().unwrap())).unwrap();
        let opening = tokio::spawn(async move { dial.open(&endpoint).await.map(drop) });
        manual.until_sleeping(1).await;
        manual.advance(Duration::from_secs(2));
        let error = opening.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(error.report().ends_with("connecting took longer than 2s"), "{}", error.report());
    }
}
