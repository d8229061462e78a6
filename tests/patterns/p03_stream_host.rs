//! Streams as a host serves them: the bytes, what is held until the end, and who comes back to what.

mod ends;
mod limits;
mod resume;
mod wire;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{Stream, StreamExt, stream};
use http::{HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use tekton_sdk::{
    Component, Error, Result, Tekton,
    config::HostConfig,
    contract::{Descriptor, Operation, Parameter},
    host::{Operations, Served},
    testing::TestBed,
    time::ManualClock,
    transport::{Body, CallInfo, Endpoint, MemoryTransport, Request, Response, Safety, Transport},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::{Notify, mpsc},
};

const COUNT: Operation =
    Operation::read("count", "Counts.").parameters(&[Parameter::required("to", "the last number")]).streams();
const FEED: Operation = Operation::read("feed", "Sends what the test feeds it.").open().streams();
const TAPE: Operation = Operation::read("tape", "The same, for those who come back.").open().resumable();
const REEL: Operation = Operation::write("reel", "The same, and changes something.").open().resumable();
const BRIEF: Operation =
    Operation::read("brief", "The same, for five seconds.").open().streams().timeout(Duration::from_secs(5));
const FLOOD: Operation = Operation::read("flood", "Sends numbers without end, whoever reads.").streams();
const DELUGE: Operation = Operation::read("deluge", "The same, for those who come back.").resumable();
const RAW: Operation = Operation::read("raw", "Sends raw JSON with line breaks.").streams();
const PANIC: Operation = Operation::read("panic", "Sends one item, and panics.").streams();
const BURST: Operation = Operation::read("burst", "Panics before there is a stream.").streams();
const REFUSE: Operation = Operation::read("refuse", "Fails before there is a stream.").streams();
const NEVER: Operation = Operation::read("never", "Never has a stream.").streams();
const PING: Operation = Operation::read("ping", "Answers once.");

/// What the test feeds the streams, and what it knows of them.
#[derive(Default)]
struct Source {
    feeds: Mutex<VecDeque<mpsc::UnboundedReceiver<Result<Value>>>>,
    begun: AtomicUsize,
    running: AtomicUsize,
    sent: AtomicU64,
    changed: Notify,
}

/// Feeds one run of an operation; dropping it ends the stream well.
type Feed = mpsc::UnboundedSender<Result<Value>>;

impl Source {
    /// Feeds the next run.
    fn feed(&self) -> Feed {
        let (feed, items) = mpsc::unbounded_channel();
        self.feeds.lock().unwrap().push_back(items);
        feed
    }

    async fn until(&self, what: impl Fn(&Self) -> bool) {
        loop {
            let changed = self.changed.notified();
            if what(self) {
                return;
            }
            changed.await;
        }
    }

    async fn until_running(&self, count: usize) {
        self.until(|source| source.running.load(Ordering::SeqCst) == count).await;
    }

    /// Waits until nothing more is asked for, because nobody reads.
    async fn until_held_back(&self) {
        let mut sent = None;
        while sent != Some(self.sent()) {
            sent = Some(self.sent());
            settle().await;
        }
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }
}

/// Lets everything that can happen by itself happen, also on sockets.
async fn settle() {
    for _ in 0..2000 {
        tokio::task::yield_now().await;
    }
}

/// Counts a stream as running until it is dropped.
struct Run(Arc<Source>);

impl Run {
    fn new(source: &Arc<Source>) -> Self {
        source.begun.fetch_add(1, Ordering::SeqCst);
        source.running.fetch_add(1, Ordering::SeqCst);
        source.changed.notify_waiters();
        Self(Arc::clone(source))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
        self.0.changed.notify_waiters();
    }
}

struct Radio(Arc<Source>);

impl Radio {
    fn fed(&self) -> impl Stream<Item = Result<Value>> + Send + use<> {
        let run = Run::new(&self.0);
        let mut items = self.0.feeds.lock().unwrap().pop_front().expect("the test feeds every run");
        stream::poll_fn(move |cx| {
            let polled = items.poll_recv(cx);
            run.0.sent.fetch_add(u64::from(polled.is_ready()), Ordering::SeqCst);
            run.0.changed.notify_waiters();
            polled
        })
    }

    fn endless(&self) -> impl Stream<Item = Result<u64>> + Send + use<> {
        let run = Run::new(&self.0);
        stream::poll_fn(move |_| std::task::Poll::Ready(Some(Ok(run.0.sent.fetch_add(1, Ordering::SeqCst)))))
    }
}

impl Component for Radio {
    fn descriptor(&self) -> Descriptor {
        Descriptor::new("radio", "1.0.0")
    }

    fn operations(self: Arc<Self>) -> Operations {
        let fed = |radio: Arc<Self>, _, _| async move { Ok(radio.fed()) };
        let endless = |radio: Arc<Self>, _, _| async move { Ok(radio.endless()) };
        Operations::new()
            .on_stream(&self, COUNT, |_, _, args| async move { Ok(stream::iter((1..=args.get::<u64>("to")?).map(Ok))) })
            .on_stream(&self, FEED, fed)
            .on_stream(&self, TAPE, fed)
            .on_stream(&self, REEL, fed)
            .on_stream(&self, BRIEF, fed)
            .on_stream(&self, FLOOD, endless)
            .on_stream(&self, DELUGE, endless)
            .on_stream(&self, RAW, |_, _, _| async {
                let raw = serde_json::value::RawValue::from_string("{\r\n \"a\": 1\n}".to_owned()).unwrap();
                Ok(stream::iter([Ok(raw)]))
            })
            .on_stream(&self, PANIC, |_, _, _| async {
                Ok(stream::iter(0..2).map(|n| if n == 0 { Ok(n) } else { panic!("a secret panic") }))
            })
            .on_stream(&self, BURST, |_, _, _| async { panic!("a secret panic") as Result<stream::Empty<Result<()>>> })
            .on_stream(&self, REFUSE, |_, _, _| async {
                Err::<stream::Empty<Result<()>>, _>(Error::not_found("there is no such record"))
            })
            .on_stream(&self, NEVER, |_, _, _| std::future::pending::<Result<stream::Empty<Result<()>>>>())
            .on(&self, PING, |_, _, _| async { Ok("pong") })
    }
}

/// A radio in a bed.
async fn bed(change: impl FnOnce(HostConfig) -> HostConfig) -> (TestBed, Arc<Source>) {
    let (bed, source) = (TestBed::new().unwrap(), Arc::<Source>::default());
    let config = change(HostConfig::default().with_introspect(true));
    bed.serve_with(Radio(Arc::clone(&source)), |serve| serve.with_config(config)).await.unwrap();
    (bed, source)
}

/// A radio on a port, whose time the test moves.
async fn socket(change: impl FnOnce(HostConfig) -> HostConfig) -> (Served, Arc<Source>, ManualClock) {
    let (clock, source) = (ManualClock::new(), Arc::<Source>::default());
    let tekton = Tekton::builder().clock(clock.clone()).build().unwrap();
    let config = change(HostConfig::default());
    let served = Radio(Arc::clone(&source)).serve(&tekton).with_config(config).start().await.unwrap();
    (served, source, clock)
}

/// A request to a radio, as text for a socket and as it goes through memory.
#[derive(Clone, Debug)]
struct Ask {
    method: Method,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

const EVENTS: &str = "text/event-stream";
const LINES: &str = "application/x-ndjson";

impl Ask {
    fn post(operation: &str, body: &Value) -> Self {
        Self::new(Method::POST, &format!("/api/v1/{operation}"), &body.to_string())
    }

    fn get(operation: &str, query: &str) -> Self {
        Self::new(Method::GET, &format!("/api/v1/{operation}?{query}"), "")
    }

    fn cancel(id: &str) -> Self {
        Self::new(Method::DELETE, &format!("/api/v1/streams/{id}"), "")
    }

    fn new(method: Method, target: &str, body: &str) -> Self {
        Self { method, target: target.to_owned(), headers: Vec::new(), body: body.to_owned() }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn accepting(self, media_type: &str) -> Self {
        self.with("accept", media_type)
    }

    /// On a connection that goes on.
    fn text(&self) -> String {
        let Self { method, target, headers, body } = self;
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{method} {target} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
    }

    async fn memory(&self, transport: &MemoryTransport) -> Response {
        let (path, query) = match self.target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (&*self.target, None),
        };
        let call = CallInfo::new("radio", path, Safety::Read);
        let mut request = Request::new(self.method.clone(), path.to_owned(), call)
            .with_endpoint(Endpoint::parse("memory://radio-1").unwrap())
            .with_body(Body::full(self.body.clone()));
        request.query = query;
        for (name, value) in &self.headers {
            request.headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        transport.send(request).await.unwrap()
    }
}

/// An answer as it comes over a connection, without chunks.
struct Answer<S> {
    stream: BufReader<S>,
    status: u16,
    headers: Vec<String>,
    unread: String,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Answer<S> {
    /// Sends a request and reads the head of its answer.
    async fn of(stream: S, ask: &Ask) -> Self {
        let mut stream = BufReader::new(stream);
        stream.write_all(ask.text().as_bytes()).await.unwrap();
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            assert_ne!(stream.read_line(&mut line).await.unwrap(), 0, "it ends within its head: {lines:?}");
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let status = lines.remove(0).split(' ').nth(1).unwrap().parse().unwrap();
        Self { stream, status, headers: lines, unread: String::new() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The next chunk; `None` after the last one. An error if the connection ends before it.
    async fn chunk(&mut self) -> std::io::Result<Option<String>> {
        let mut size = String::new();
        if self.stream.read_line(&mut size).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        self.stream.read_exact(&mut chunk).await?;
        chunk.truncate(size);
        Ok((size > 0).then(|| String::from_utf8(chunk).unwrap()))
    }

    /// Reads up to and with this text.
    async fn until(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.unread.find(text) {
                let rest = self.unread.split_off(at + text.len());
                return std::mem::replace(&mut self.unread, rest);
            }
            match self.chunk().await {
                Ok(Some(chunk)) => self.unread.push_str(&chunk),
                end => panic!("{end:?} instead of {text:?} after {:?}", self.unread),
            }
        }
    }

    /// Reads to the end.
    async fn rest(&mut self) -> String {
        let mut rest = std::mem::take(&mut self.unread);
        if let Some(size) = self.header("content-length").map(|size| size.parse::<u64>().unwrap()) {
            (&mut self.stream).take(size).read_to_string(&mut rest).await.unwrap();
            return rest;
        }
        while let Some(chunk) = self.chunk().await.unwrap() {
            rest.push_str(&chunk);
        }
        rest
    }
}

async fn connect(served: &Served) -> TcpStream {
    TcpStream::connect(served.endpoint().strip_prefix("http://").unwrap()).await.unwrap()
}

async fn open(served: &Served, ask: &Ask) -> Answer<TcpStream> {
    Answer::of(connect(served).await, ask).await
}

/// The next piece of a body in memory.
async fn piece(response: &mut Response) -> Option<Result<String>> {
    let piece = response.body.next().await?;
    Some(piece.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()))
}

/// All that is left of a body in memory.
async fn all(mut response: Response) -> String {
    let body = std::mem::take(&mut response.body).collect(1 << 24).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

/// A problem, without what differs.
fn code(problem: &str) -> String {
    let problem: Value = serde_json::from_str(problem).unwrap();
    problem["code"].as_str().unwrap().to_owned()
}

/// What `/introspect` says of the limits.
async fn limit(bed: &TestBed, name: &str) -> Value {
    let body = all(Ask::new(Method::GET, "/introspect", "").memory(bed.transport()).await).await;
    serde_json::from_str::<Value>(&body).unwrap()["host"]["limits"][name].clone()
}

const SECOND: Duration = Duration::from_secs(1);
