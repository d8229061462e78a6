//! The signals that end a process.

use crate::error::{Error, Result};

/// Waits until the process is told to end: by SIGTERM or Ctrl-C.
///
/// From the first call on neither of them kills the process by itself.
///
/// # Errors
/// [`Config`](crate::ErrorKind::Config) if signals cannot be heard.
///
/// # Cancel safety
/// A signal that comes while nobody waits is not remembered.
pub async fn until_signal() -> Result<()> {
    wait().await.map_err(|error| Error::config("signals cannot be heard").with_source(error))
}

#[cfg(unix)]
async fn wait() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    futures_util::future::select(std::pin::pin!(terminate.recv()), std::pin::pin!(interrupt.recv())).await;
    Ok(())
}

#[cfg(not(unix))]
async fn wait() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
