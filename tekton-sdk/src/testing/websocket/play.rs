//! One connection and its script.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Sink, Stream, future::poll_fn};
use serde::Deserialize;
use serde_json::value::RawValue;
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::derive_accept_key,
        protocol::{
            CloseFrame, Role,
            frame::{
                Frame,
                coding::{Data, OpCode},
            },
        },
    },
};

use super::{Order, Seen, WsStep};
use crate::time::SharedClock;

/// The largest head of an upgrade that is read.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// Plays a script to one connection. A connection that breaks ends it.
pub(super) async fn play(mut stream: TcpStream, script: Vec<WsStep>, seen: Arc<Seen>, clock: SharedClock) {
    let mut script = script.into_iter().peekable();
    let said = script.next_if(|step| matches!(step, WsStep::Handshake(_)));
    let text = match said {
        Some(WsStep::Handshake(text)) => text,
        _ => "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: $ACCEPT\r\n\r\n".to_owned(),
    };
    let Some(key) = key(&mut stream).await else { return };
    let text = text.replace("$ACCEPT", &derive_accept_key(key.as_bytes()));
    if stream.set_nodelay(true).is_err() || stream.write_all(text.as_bytes()).await.is_err() {
        return;
    }
    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    let mut play = Play { socket, seen, clock, calls: Vec::new(), messages: 0, pongs: 0, echo: 0 };
    for step in script {
        if play.step(step).await.is_none() {
            return;
        }
    }
    while play.read().await.is_some() {}
}

/// Reads the head of an upgrade.
async fn key(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > MAX_HEAD_BYTES {
            return None;
        }
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let (_, key) = lines.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))?;
    Some(key.trim().to_owned())
}

struct Play {
    socket: WebSocketStream<TcpStream>,
    seen: Arc<Seen>,
    clock: SharedClock,
    /// Ids and parameters of the calls that came.
    calls: Vec<(String, String)>,
    messages: usize,
    pongs: usize,
    /// How many of the calls were answered.
    echo: usize,
}

impl Play {
    /// Plays one step; nothing if the connection is no more.
    async fn step(&mut self, step: WsStep) -> Option<()> {
        match step {
            // It is played before the connection is one of WebSocket.
            WsStep::Handshake(_) => {}
            WsStep::Await(count) => {
                while self.messages < count {
                    self.read().await?;
                }
            }
            WsStep::AwaitPong => {
                let before = self.pongs;
                while self.pongs == before {
                    self.read().await?;
                }
            }
            WsStep::Say(text) => self.send(Message::text(self.filled_in(&text))).await?,
            WsStep::Fragments(texts) => {
                let last = texts.len().saturating_sub(1);
                for (n, text) in texts.iter().enumerate() {
                    let kind = if n == 0 { Data::Text } else { Data::Continue };
                    let frame = Frame::message(Bytes::from(self.filled_in(text)), OpCode::Data(kind), n == last);
                    self.send(Message::Frame(frame)).await?;
                }
            }
            WsStep::Binary(bytes) => self.send(Message::Binary(bytes)).await?,
            WsStep::Raw(bytes) => self.socket.get_mut().write_all(&bytes).await.ok()?,
            WsStep::Ping(bytes) => self.send(Message::Ping(bytes)).await?,
            WsStep::EchoAll(order) => {
                for n in in_order(self.calls.len(), order) {
                    self.answer(n).await?;
                }
                self.echo = self.calls.len();
            }
            WsStep::Echo => loop {
                while self.echo < self.calls.len() {
                    self.answer(self.echo).await?;
                    self.echo += 1;
                }
                self.read().await?;
            },
            WsStep::Delay(time) => {
                let clock = self.clock.clone();
                // Ended by the clock, or with the connection.
                let _ = clock.timeout(time, async { while self.read().await.is_some() {} }).await;
            }
            WsStep::Close(code) => {
                let frame = CloseFrame { code: code.into(), reason: "".into() };
                self.send(Message::Close(Some(frame))).await?;
            }
            WsStep::Drop => return None,
            WsStep::Reset => {
                // A connection that does not linger is reset when it is closed.
                let _ = SockRef::from(self.socket.get_ref()).set_linger(Some(Duration::ZERO));
                return None;
            }
            WsStep::Stall => std::future::pending().await,
        }
        Some(())
    }

    async fn send(&mut self, message: Message) -> Option<()> {
        poll_fn(|cx| Pin::new(&mut self.socket).poll_ready(cx)).await.ok()?;
        Pin::new(&mut self.socket).start_send(message).ok()?;
        poll_fn(|cx| Pin::new(&mut self.socket).poll_flush(cx)).await.ok()
    }

    async fn answer(&mut self, call: usize) -> Option<()> {
        let (id, params) = &self.calls[call];
        let text = format!(r#"{{"jsonrpc":"2.0","result":{params},"id":{id}}}"#);
        self.send(Message::text(text)).await
    }

    /// Reads one message, and records it.
    async fn read(&mut self) -> Option<()> {
        let came = poll_fn(|cx| Pin::new(&mut self.socket).poll_next(cx)).await;
        let going_on = match came {
            Some(Ok(message)) => {
                self.record(message);
                Some(())
            }
            Some(Err(_)) | None => None,
        };
        self.seen.changed.notify_waiters();
        going_on
    }

    fn record(&mut self, message: Message) {
        #[derive(Deserialize)]
        struct Call<'a> {
            #[serde(borrow)]
            id: Option<&'a RawValue>,
            #[serde(borrow)]
            params: Option<&'a RawValue>,
        }
        match message {
            Message::Text(text) => {
                if let Ok(Call { id: Some(id), params }) = serde_json::from_str(&text) {
                    let params = params.map_or("null", RawValue::get);
                    self.calls.push((id.get().to_owned(), params.to_owned()));
                }
                self.messages += 1;
                self.seen.messages.push(text.as_str().to_owned());
            }
            Message::Pong(data) => {
                self.pongs += 1;
                self.seen.pongs.push(data);
            }
            Message::Close(frame) => self.seen.closes.push(frame.map(|frame| frame.code.into())),
            Message::Binary(_) => self.messages += 1,
            Message::Ping(_) => {
                self.seen.pings.fetch_add(1, Ordering::SeqCst);
            }
            Message::Frame(_) => {}
        }
    }

    /// A text with the ids that came.
    fn filled_in(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (n, (id, _)) in self.calls.iter().enumerate().rev() {
            text = text.replace(&format!("$ID{}", n + 1), id);
        }
        match self.calls.first() {
            Some((id, _)) => text.replace("$ID", id),
            None => text,
        }
    }
}

fn in_order(count: usize, order: Order) -> Vec<usize> {
    match order {
        Order::Forward => (0..count).collect(),
        Order::Backward => (0..count).rev().collect(),
        Order::Shuffled => {
            (0..count).step_by(2).collect::<Vec<_>>().into_iter().rev().chain((1..count).step_by(2)).collect()
        }
        Order::Twice => (0..count).flat_map(|n| [n, n]).collect(),
    }
}
