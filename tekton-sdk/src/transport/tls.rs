//! TLS settings: rustls with an explicit provider, trust from the platform.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::BuilderVerifierExt;

use crate::error::{Error, Result};

/// What reqwest is given. No provider is installed for the process, so that an application may install its own.
///
/// On a machine without trust roots nobody is trusted: `http://` works, `https://` is refused by name.
pub(super) fn config() -> Result<ClientConfig> {
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
    // A preconfigured backend gets no ALPN from reqwest.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
