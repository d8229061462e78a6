//! What it costs to hear an event over a WebSocket: typed, with its place, dedupe and back-pressure, beside a bare socket whose frames
//! are parsed by serde. An operation is one event of 200 bytes of data, read into a struct.
//!
//! Budget: 0.85 of the events a second of the bare socket. The sender is the same: a thread of its own that writes frames as fast as it
//! was given credit for; the bare reader gives it all at once. `async-nats` has the same from a thread that speaks as a server of NATS
//! does: the same data, and of the rest the subject alone.

use std::{
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream},
};

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use tekton_sdk::{
    patterns::events::{Events, Heard, Subscription, WebSocketBroker},
    time::SharedClock,
};
use tekton_sdk_benches::{Selection, Table, keep};
use tokio::runtime::Runtime;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket, protocol::WebSocketConfig};

/// How many frames are written at once.
const BLOCK: usize = 64;
/// The first place: all of them are of one length.
const FIRST: u64 = 100_000_000_000;

/// What an event says.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "it is read, and that is all")]
struct Order {
    id: u64,
    dish: String,
    table: u32,
    paid: bool,
    note: String,
}

pub(crate) fn run(selection: &Selection) {
    let title = "events: over a WebSocket";
    if !selection.takes(title) {
        return;
    }
    let table = Table::new(title)
        .case("bare tokio-tungstenite, serde_json", bare(send()))
        .case("tekton, WebSocketBroker", ours(send()));
    #[cfg(feature = "peers")]
    let table = table.case("async-nats, a core subscription", nats::reader());
    table.run(selection);
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("the system gives a runtime")
}

/// Sends events to one connection, on a thread of its own.
fn send() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = listener.local_addr().expect("it listens");
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("somebody comes");
        stream.set_nodelay(true).expect("it is a socket");
        let mut socket = tungstenite::accept(stream).expect("it is a WebSocket");
        // Whoever reads has gone: so does this.
        let _ = write(&mut socket);
    });
    address
}

fn write(socket: &mut WebSocket<TcpStream>) -> Result<(), Box<dyn std::error::Error>> {
    #[derive(Deserialize)]
    struct Said {
        id: Option<u64>,
        method: String,
        params: serde_json::Value,
    }
    let frame = frame();
    let digits = frame.windows(12).position(|window| window == FIRST.to_string().as_bytes()).expect("it has a place");
    let mut block = frame.repeat(BLOCK);
    let (mut credit, mut next) = (0_usize, FIRST);
    loop {
        while credit < BLOCK {
            let message = socket.read()?;
            let Message::Text(text) = message else { continue };
            let said: Said = serde_json::from_str(&text)?;
            match (said.id, &*said.method) {
                (Some(id), _) => {
                    let answer = format!(r#"{{"jsonrpc":"2.0","result":{{"subscription":1}},"id":{id}}}"#);
                    socket.send(Message::text(answer))?;
                }
                (None, "credit") => credit += said.params["events"].as_u64().unwrap_or_default() as usize,
                _ => {}
            }
        }
        for nth in 0..BLOCK {
            let at = nth * frame.len() + digits;
            block[at..at + 12].copy_from_slice(next.to_string().as_bytes());
            next += 1;
        }
        socket.get_mut().write_all(&block)?;
        credit -= BLOCK;
    }
}

/// What an event says, 200 bytes.
fn data() -> String {
    format!(r#"{{"id":1234567,"dish":"soup of the day","table":42,"paid":false,"note":"{}"}}"#, "x".repeat(124))
}

/// The frame of an event, as a host writes it (RFC 6455 §5.2).
fn frame() -> Vec<u8> {
    let data = data();
    let text = format!(
        r#"{{"jsonrpc":"2.0","method":"event","params":{{"subscription":1,"cursor":"00f00d00f00d00f0-{FIRST}","time":"2026-11-26T01:00:00.123456Z","topic":"orders.new","source":"kitchen","data":{data}}}}}"#
    );
    let length = u16::try_from(text.len()).expect("it is short");
    [&[0x81, 126][..], &length.to_be_bytes(), text.as_bytes()].concat()
}

fn bare(address: SocketAddr) -> impl FnMut(u64) {
    #[derive(Deserialize)]
    struct Frame<'a> {
        method: &'a str,
        #[serde(borrow)]
        params: Params<'a>,
    }
    #[derive(Deserialize)]
    struct Params<'a> {
        subscription: u64,
        cursor: &'a str,
        topic: &'a str,
        data: Order,
    }
    let runtime = runtime();
    let mut socket = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
        stream.set_nodelay(true).expect("it is a socket");
        let config = WebSocketConfig::default().read_buffer_size(32 << 10);
        let url = format!("ws://{address}/ws");
        let opened = tokio_tungstenite::client_async_with_config(url, stream, Some(config)).await;
        let (mut socket, _) = opened.expect("it is a WebSocket");
        let all = r#"{"method":"credit","params":{"subscription":1,"events":1000000000000,"bytes":0}}"#;
        socket.send(Message::text(all)).await.expect("it is open");
        socket
    });
    move |operations| {
        runtime.block_on(async {
            for _ in 0..operations {
                let message = socket.next().await.expect("it goes on").expect("it is whole");
                let Message::Text(text) = message else { panic!("{message:?}") };
                let Frame { method, params: Params { subscription, cursor, topic, data } } =
                    serde_json::from_str(&text).expect("it is an event");
                keep((method.len(), subscription, cursor.len(), topic.len(), data));
            }
        });
    }
}

fn ours(address: SocketAddr) -> impl FnMut(u64) {
    let runtime = runtime();
    let mut subscription: Subscription<Order> = runtime.block_on(async {
        let builder = WebSocketBroker::to(&format!("ws://{address}")).expect("it is a URL");
        let broker = builder.connect().await.expect("it listens");
        let events = Events::new(broker, SharedClock::default());
        events.subscribe("orders.*").capacity(8192).capacity_bytes(64 << 20).await.expect("it begins")
    });
    move |operations| {
        runtime.block_on(async {
            for _ in 0..operations {
                match subscription.next().await.expect("it goes on").expect("it is whole") {
                    Heard::Event(event) => keep((event.cursor(), event.data().expect("it is an order"))),
                    other => panic!("{other:?}"),
                }
            }
        });
    }
}

#[cfg(feature = "peers")]
mod nats {
    use std::{
        io::{BufRead, BufReader, Write},
        mem::ManuallyDrop,
        net::{SocketAddr, TcpListener, TcpStream},
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
        time::Duration,
    };

    use futures_util::StreamExt;
    use tekton_sdk_benches::keep;

    use super::{BLOCK, Order, data, runtime};

    /// How many events are on their way: the client drops what it cannot keep, and nothing of that would be measured.
    const WINDOW: u64 = 4096;

    /// Reads events of a subject.
    pub(super) fn reader() -> impl FnMut(u64) {
        let read = Arc::new(AtomicU64::new(0));
        let (runtime, address) = (runtime(), send(Arc::clone(&read)));
        let heard = runtime.block_on(async {
            let client = async_nats::connect(format!("nats://{address}")).await.expect("it listens");
            client.subscribe("orders.*").await.expect("it is a subject")
        });
        // Its end spawns a task, which takes a runtime, and the process ends anyway.
        let mut heard = ManuallyDrop::new(heard);
        move |operations| {
            runtime.block_on(async {
                for _ in 0..operations {
                    let message = heard.next().await.expect("it goes on");
                    let order: Order = serde_json::from_slice(&message.payload).expect("it is an order");
                    keep((message.subject, order));
                    read.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    }

    /// Sends events to one connection, on a thread of its own, as fast as they are read.
    fn send(read: Arc<AtomicU64>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it listens");
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().expect("somebody comes");
            stream.set_nodelay(true).expect("it is a socket");
            // Whoever reads has gone: so does this.
            let _ = serve(&stream, address.port(), &read);
        });
        address
    }

    /// Speaks as much of the protocol as a subscription needs.
    fn serve(mut stream: &TcpStream, port: u16, read: &AtomicU64) -> std::io::Result<()> {
        let info = format!(
            r#"{{"server_id":"1","server_name":"1","version":"2.10.0","go":"","host":"127.0.0.1","port":{port},"headers":true,"max_payload":1048576,"proto":1,"client_id":1}}"#
        );
        write!(stream, "INFO {info}\r\n")?;
        let mut lines = BufReader::new(stream).lines();
        let sid = loop {
            let Some(line) = lines.next().transpose()? else { return Ok(()) };
            match line.split_once(' ') {
                Some(("SUB", subscription)) => break subscription.rsplit(' ').next().unwrap_or_default().to_owned(),
                _ if line == "PING" => stream.write_all(b"PONG\r\n")?,
                _ => {}
            }
        };
        let data = data();
        let block = format!("MSG orders.new {sid} {}\r\n{data}\r\n", data.len()).repeat(BLOCK);
        let mut sent = 0;
        loop {
            while sent - read.load(Ordering::Relaxed) >= WINDOW {
                std::thread::park_timeout(Duration::from_micros(20));
            }
            stream.write_all(block.as_bytes())?;
            sent += BLOCK as u64;
        }
    }
}
