//! Many connections that read.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
};

use super::{
    process::{answer, number},
    report::Spread,
    wire,
};

/// How many connections are being made at once.
const AT_ONCE: usize = 32;
/// How long events are waited for.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Seen {
    /// Microseconds from being published to being read.
    late: Mutex<Vec<u32>>,
    /// Which broadcast came, and how many times.
    round: AtomicUsize,
    came: AtomicUsize,
    /// Nanoseconds from being published to the last time it was read.
    took: AtomicUsize,
}

pub(crate) fn run() {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    // One thread: the machine is the host's too.
    let runtime =
        builder.worker_threads(1).enable_all().build().expect("a machine that runs benchmarks gives a runtime");
    let seen = Arc::new(Seen::default());
    answer(|words| match words[0] {
        "connect" => {
            let address = words[1].parse().expect("the parent tells an address");
            let (count, topics, subscribe) = (number(words, 2), number(words, 3), words[4] == "true");
            let work = connect(address, count, topics, subscribe, Arc::clone(&seen));
            runtime.block_on(async { runtime.spawn(work).await.expect("it connects") })
        }
        "read" => {
            let expected = number(words, 1);
            runtime.block_on(until(|| seen.late.lock().expect("nobody panics").len() >= expected));
            let mut late = std::mem::take(&mut *seen.late.lock().expect("nobody panics"));
            assert_eq!(late.len(), expected, "each event is read by those who listen, and by nobody else");
            Spread::text(&mut late)
        }
        _ => {
            let (round, expected) = (number(words, 1), number(words, 2));
            let here = || seen.round.load(Ordering::Acquire) == round && seen.came.load(Ordering::Acquire) >= expected;
            runtime.block_on(until(here));
            assert!(here(), "a broadcast is read by all");
            seen.took.load(Ordering::Acquire).to_string()
        }
    });
    runtime.shutdown_background();
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures ambient time")]
async fn until(is_so: impl Fn() -> bool) {
    let began = tokio::time::Instant::now();
    while !is_so() && began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Connects, some at once; gives how long it took each until it was upgraded, and until it was subscribed.
async fn connect(address: SocketAddr, count: usize, topics: usize, subscribe: bool, seen: Arc<Seen>) -> String {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let times = Arc::new(Mutex::new((Vec::new(), Vec::new())));
    for n in 0..count {
        let place = Arc::clone(&places).acquire_owned().await.expect("it is never closed");
        let (seen, times) = (Arc::clone(&seen), Arc::clone(&times));
        tokio::spawn(async move {
            let began = wire::wall();
            let mut reader = Reader { stream: open(address).await, buffer: BytesMut::with_capacity(1024) };
            reader.answer(|bytes| memchr::memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4)).await;
            let upgraded = since(began);
            if subscribe {
                let what = format!(r#""load.t{}","load.all""#, n % topics);
                let call = format!(r#"{{"jsonrpc":"2.0","method":"subscribe","params":{{"topics":[{what}]}},"id":1}}"#);
                reader.say(1, call.as_bytes()).await;
                reader.answer(|bytes| wire::first(bytes).map(|(_, _, end)| end)).await;
            }
            let subscribed = since(began);
            {
                let mut times = times.lock().expect("nobody panics");
                times.0.push(upgraded);
                times.1.push(subscribed);
            }
            drop(place);
            reader.read(&seen).await;
        });
    }
    let all = u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
    let _ = places.acquire_many(all).await;
    let mut times = times.lock().expect("nobody panics");
    let (upgraded, subscribed) = &mut *times;
    format!("{} {}", Spread::text(upgraded), Spread::text(subscribed))
}

/// Microseconds since then.
fn since(began: u64) -> u32 {
    u32::try_from(wire::wall().saturating_sub(began) / 1000).unwrap_or(u32::MAX)
}

async fn open(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("the host takes it");
    stream.set_nodelay(true).expect("it is a socket");
    let head = format!(
        "GET /ws HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("the host reads");
    stream
}

struct Reader {
    stream: TcpStream,
    buffer: BytesMut,
}

impl Reader {
    async fn say(&mut self, opcode: u8, text: &[u8]) {
        self.stream.write_all(&wire::masked(opcode, text)).await.expect("the host reads");
    }

    /// Waits until what came has an end, and takes it.
    async fn answer(&mut self, end: impl Fn(&[u8]) -> Option<usize>) {
        loop {
            if let Some(end) = end(&self.buffer) {
                return self.buffer.advance(end);
            }
            let read = self.stream.read_buf(&mut self.buffer).await.expect("the host answers");
            assert!(read > 0, "the host hung up: {}", String::from_utf8_lossy(&self.buffer));
        }
    }

    /// Reads events until the host hangs up.
    async fn read(mut self, seen: &Seen) {
        loop {
            while let Some((opcode, begin, end)) = wire::first(&self.buffer) {
                match opcode {
                    1 => seen.event(&self.buffer[begin..end]),
                    9 => self.say(10, &[]).await,
                    _ => return,
                }
                self.buffer.advance(end);
            }
            self.buffer.reserve(512);
            if !matches!(self.stream.read_buf(&mut self.buffer).await, Ok(1..)) {
                return;
            }
        }
    }
}

impl Seen {
    fn event(&self, text: &[u8]) {
        // A subscription that ends is told so.
        if memchr::memmem::find(text, br#""at":"#).is_none() {
            return;
        }
        let number = |name| wire::number(text, name).expect("every event has it");
        let took = wire::wall().saturating_sub(number(r#""at":"#));
        let round = number(r#""round":"#) as usize;
        if round == 0 {
            return self.late.lock().expect("nobody panics").push(u32::try_from(took / 1000).unwrap_or(u32::MAX));
        }
        if self.round.swap(round, Ordering::AcqRel) != round {
            self.came.store(0, Ordering::Release);
        }
        self.took.store(took as usize, Ordering::Release);
        self.came.fetch_add(1, Ordering::AcqRel);
    }
}
