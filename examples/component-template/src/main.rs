//! Serves the notes until SIGTERM or Ctrl-C.

use std::sync::Arc;

use component_template::{Notes, TitlesClient};
use tekton_sdk::{Client, Component, Result, Tekton};

#[tokio::main]
async fn main() -> Result<()> {
    // tekton.toml in the working directory, then the environment.
    let tekton = Tekton::builder().named("notes").load()?.build()?;
    // Found when it is called: Rhetor may come later than we do.
    let titles = TitlesClient::from_peer(tekton.peer_for(TitlesClient::query()));
    let served = Notes::new(Arc::new(titles)).serve(&tekton).start().await?;
    eprintln!("{} at {}", served.id(), served.endpoint());
    served.until_shutdown().await
}
