//! TLS settings: rustls with an explicit provider, trust from the platform.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::BuilderVerifierExt;

use crate::error::{Error, Result};

/// What the transports are given, with the name of the one protocol that they speak (RFC 7301 §6). No provider is installed for the process, so that an application may install its own.
///
/// On a machine without trust roots nobody is trusted: `http://` works, `https://` is refused by name.
pub(super) fn config(protocol: &str) -> Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::config("TLS cannot be set up").with_source(e))?;
    let builder = match builder.clone().with_platform_verifier() {
        Ok(builder) => builder,
        Err(error) => {
            tracing::warn!(%error, "the platform has no trust roots; https endpoints will be refused");
            builder.with_root_certificates(RootCertStore::empty())
        }
    };
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![protocol.into()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use http::Method;
    use tokio::{io::AsyncReadExt, net::TcpListener};

    use crate::{
        error::ErrorKind,
        time::SharedClock,
        transport::{
            CallInfo, Endpoint, HttpTransport, HttpTransportConfig, MeshTransport, MeshTransportConfig, Request,
            Safety, Transport,
        },
    };

    #[tokio::test]
    async fn https_begins_with_a_handshake_and_never_falls_back_to_plain_text() {
        let mesh = MeshTransport::new(&MeshTransportConfig::default(), SharedClock::default()).unwrap();
        let http = HttpTransport::new(&HttpTransportConfig::default()).unwrap();
        for transport in [&mesh as &dyn Transport, &http] {
            let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let endpoint = Endpoint::parse(&format!("https://{}", server.local_addr().unwrap())).unwrap();
            let request = Request::new(Method::GET, "/health", CallInfo::new("t", "health", Safety::Read));
            let first = async {
                let mut first = [0; 3];
                let (mut stream, _) = server.accept().await.unwrap();
                stream.read_exact(&mut first).await.unwrap();
                first
            };
            let (first, answer) = tokio::join!(first, transport.send(request.with_endpoint(endpoint)));
            // A TLS record of the kind "handshake", of a version 3.x (RFC 8446 §5.1).
            assert_eq!(first[..2], [0x16, 0x03]);
            assert_eq!(answer.unwrap_err().kind(), ErrorKind::Connect);
        }
        assert!(rustls::crypto::CryptoProvider::get_default().is_none(), "no provider is installed for the process");
    }
}
