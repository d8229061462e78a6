//! A client that is not ours.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

/// An open WebSocket.
pub(crate) struct Raw {
    pub(crate) socket: WebSocketStream<TcpStream>,
}

pub(crate) fn address(endpoint: &str) -> SocketAddr {
    endpoint.split("://").nth(1).unwrap().parse().unwrap()
}

impl Raw {
    pub(crate) async fn open(endpoint: &str) -> Self {
        Self::open_with(endpoint, &[]).await.unwrap()
    }

    /// The error is the status of the answer.
    pub(crate) async fn open_with(endpoint: &str, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        Self::open_at(endpoint, "/ws", headers).await
    }

    /// With this path and query.
    pub(crate) async fn open_at(endpoint: &str, path: &str, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let stream = TcpStream::connect(address(endpoint)).await.unwrap();
        let mut request = format!("ws://{}{path}", address(endpoint)).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn say(&mut self, text: impl Into<String>) {
        self.socket.send(Message::text(text.into())).await.unwrap();
    }

    /// The next message.
    pub(crate) async fn hear(&mut self) -> Value {
        loop {
            match self.socket.next().await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) async fn ask(&mut self, text: impl Into<String>) -> Value {
        self.say(text).await;
        self.hear().await
    }

    /// A call without `http`, and its answer.
    pub(crate) async fn call(&mut self, id: u64, method: &str, params: &str) -> Value {
        self.ask(format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params},"id":{id}}}"#)).await
    }

    /// Puts bytes on the wire, whatever they are as frames.
    pub(crate) async fn put(&mut self, bytes: &[u8]) {
        // A peer that hung up is an answer too.
        let _ = self.socket.get_mut().write_all(bytes).await;
    }

    /// With which code the other side closes; `None` if it hangs up without one.
    pub(crate) async fn closed(mut self) -> Option<u16> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }
}
