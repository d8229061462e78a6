//! A cable between a client and a host, which can be cut and broken.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Whole,
    /// Nothing goes through, and nobody is told.
    Cut,
}

/// Forwards connections to a port of this machine.
pub(super) struct Cable {
    pub(super) url: String,
    state: Arc<watch::Sender<State>>,
    /// Every connection of before this number was broken.
    broken: Arc<watch::Sender<usize>>,
    task: JoinHandle<()>,
}

impl Cable {
    pub(super) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let (state, broken) = (Arc::new(watch::Sender::new(State::Whole)), Arc::new(watch::Sender::new(0)));
        let (seen, breaks) = (Arc::clone(&state), Arc::clone(&broken));
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                let (state, mut breaks) = (seen.subscribe(), breaks.subscribe());
                tokio::spawn(async move {
                    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                    let both = async {
                        tokio::join!(forward(near_in, far_out, state.clone()), forward(far_in, near_out, state.clone()))
                    };
                    tokio::select! {
                        _ = both => {}
                        _ = breaks.changed() => {}
                    }
                });
            }
        });
        Self { url, state, broken, task }
    }

    /// Ends every connection, without a word of WebSocket.
    pub(super) fn breaks(&self) {
        self.broken.send_modify(|count| *count += 1);
    }

    pub(super) fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    pub(super) fn mend(&self) {
        self.state.send_replace(State::Whole);
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
        if state.wait_for(|state| *state == State::Whole).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.task.abort();
    }
}
