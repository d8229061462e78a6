use std::sync::Arc;

use http::Method;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{MeshTransport, MeshTransportConfig};
use crate::{
    error::{Error, ErrorKind},
    telemetry::Introspect,
    time::SharedClock,
    transport::{CallInfo, Endpoint, Request, Response, Safety, Transport},
};

/// Signed by itself, for `localhost` and 127.0.0.1, for a hundred years. Nobody but these tests trusts it.
const CERTIFICATE: &[u8] = include_bytes!("tests/localhost.crt.der");
const KEY: &[u8] = include_bytes!("tests/localhost.key.der");

fn certificate() -> CertificateDer<'static> {
    CertificateDer::from(CERTIFICATE)
}

/// Answers every request of every connection, and tells which protocol was agreed on.
async fn far(protocols: &[&[u8]]) -> u16 {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate()], PrivateKeyDer::from(PrivatePkcs8KeyDer::from(KEY)))
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(acceptor.clone(), stream));
        }
    });
    port
}

async fn answer(acceptor: TlsAcceptor, stream: TcpStream) {
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let protocol = String::from_utf8(stream.get_ref().1.alpn_protocol().unwrap_or_default().to_vec()).unwrap();
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{protocol}", protocol.len());
    while stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

/// A transport that trusts this certificate, or nobody.
fn transport(trusted: Option<CertificateDer<'static>>) -> MeshTransport {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted);
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let tls = TlsConnector::from(Arc::new(config));
    MeshTransport::over(&MeshTransportConfig::default(), SharedClock::default(), tls)
}

async fn get(transport: &MeshTransport, endpoint: &str) -> Result<Response, Error> {
    let request = Request::new(Method::GET, "/x", CallInfo::new("t", "x", Safety::Read));
    transport.send(request.with_endpoint(Endpoint::parse(endpoint).unwrap())).await
}

#[tokio::test]
async fn https_is_spoken_over_kept_connections_with_the_protocol_agreed_on() {
    let port = far(&[b"h2", b"http/1.1"]).await;
    let transport = transport(Some(certificate()));
    for host in ["127.0.0.1", "localhost"] {
        let endpoint = format!("https://{host}:{port}");
        for _ in 0..3 {
            let answer = get(&transport, &endpoint).await.unwrap();
            assert_eq!(answer.into_body().collect(100).await.unwrap(), "http/1.1");
            let shown = transport.introspect();
            assert_eq!(shown["endpoints"][&endpoint], serde_json::json!({"open": 1, "idle": 1}), "{shown}");
        }
    }
}

#[tokio::test]
async fn whoever_is_not_trusted_is_not_spoken_to() {
    let port = far(&[]).await;
    let error = get(&transport(None), &format!("https://localhost:{port}")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.report().contains("UnknownIssuer"), "{}", error.report());
    let error = get(&transport(Some(certificate())), &format!("https://127.0.0.2:{port}")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "the certificate is for another: {error:?}");
}
