//! Streams from end to end: a component by its macros, a generated client, a fake, and what breaks between them.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream};
use tekton_sdk::{
    CallOptions, Client, Component, Context, Error, ErrorKind, Result, Stream, Tekton,
    contract::{StreamKind, Tool},
    directory::MemoryDirectory,
    error::Gap,
    patterns::streaming::Chunks,
    testing::{TestBed, block_on},
};
use tokio::sync::{Notify, mpsc};

/// How often a word came.
#[tekton_sdk::data]
#[derive(Clone, Debug, PartialEq)]
struct WordCount {
    word: String,
    count: usize,
}

/// What came out of work that failed.
#[derive(Debug)]
struct Torn(usize);

impl From<Torn> for Error {
    fn from(Torn(page): Torn) -> Self {
        Self::invalid(format!("page {page} is torn"))
    }
}

/// Reads texts aloud.
#[derive(Component)]
#[component(services(Reader, Pages))]
struct Reader {
    tape: Mutex<Option<mpsc::UnboundedReceiver<Result<u64>>>>,
    begun: AtomicUsize,
    gone: Arc<Notify>,
}

/// Tells when it is dropped.
struct Bell(Arc<Notify>);

impl Drop for Bell {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[tekton_sdk::service]
impl Reader {
    /// Counts the words of a text as it is read.
    #[op(read)]
    fn words(&self, text: String) -> impl Stream<Item = Result<WordCount>> + Send + use<> {
        let words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
        stream::iter(words.into_iter().map(|word| Ok(WordCount { count: word.len(), word })))
    }

    /// The same, if there is a text.
    #[op(read, timeout = "1min")]
    async fn checked(
        &self,
        ctx: &Context,
        text: &str,
        #[arg(default = 1)] times: usize,
    ) -> Result<impl Stream<Item = Result<String, Torn>> + Send + use<>> {
        if text.is_empty() {
            return Err(Error::not_found("there is no text"));
        }
        let caller = ctx.caller().unwrap_or_default().to_owned();
        let pages = [Ok(text.to_owned()), Ok(caller), Err(Torn(3))];
        Ok(stream::iter(pages).flat_map(move |page| match page {
            Ok(page) => stream::iter(vec![page; times]).map(Ok).left_stream(),
            Err(torn) => stream::iter([Err(torn)]).right_stream(),
        }))
    }

    /// Plays the tape.
    #[op(write, resumable)]
    fn play(&self) -> impl Stream<Item = Result<u64>> + Send + use<> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let bell = Bell(Arc::clone(&self.gone));
        let mut tape = self.tape.lock().unwrap().take().expect("there is a tape");
        stream::poll_fn(move |cx| {
            let _rings_with_the_stream = &bell;
            tape.poll_recv(cx)
        })
    }
}

/// Whoever has pages.
#[tekton_sdk::service]
trait Pages {
    /// Turns the pages.
    #[op(read)]
    fn pages(&self, to: u32) -> impl Stream<Item = Result<u32>> + Send + use<Self>;

    /// The same, later.
    #[op(read)]
    async fn late(&self, to: u32) -> Result<impl Stream<Item = Result<u32>> + Send + use<Self>>;
}

impl Pages for Reader {
    fn pages(&self, to: u32) -> impl Stream<Item = Result<u32>> + Send + use<> {
        stream::iter((1..=to).map(Ok))
    }

    async fn late(&self, to: u32) -> Result<impl Stream<Item = Result<u32>> + Send + use<>> {
        Ok(self.pages(to))
    }
}

/// A reader, and what feeds its tape.
fn reader() -> (Reader, mpsc::UnboundedSender<Result<u64>>, Arc<Notify>) {
    let (feed, tape) = mpsc::unbounded_channel();
    let gone = Arc::new(Notify::new());
    let reader = Reader { tape: Mutex::new(Some(tape)), begun: AtomicUsize::new(0), gone: Arc::clone(&gone) };
    (reader, feed, gone)
}

async fn all<T: tekton_sdk::Data>(mut chunks: Chunks<T>) -> Vec<T> {
    let mut all = Vec::new();
    while let Some(item) = chunks.next().await {
        all.push(item.unwrap());
    }
    all
}

#[test]
fn a_stream_comes_out_of_the_client_as_it_went_into_the_component() {
    block_on(async {
        let bed = TestBed::new().unwrap();
        bed.serve(reader().0).await.unwrap();
        let reader: ReaderClient = bed.tekton().find().await.unwrap();
        let words = all(reader.words("a bb a".to_owned()).await.unwrap()).await;
        let counts: Vec<_> = words.iter().map(|WordCount { word, count }| (word.as_str(), *count)).collect();
        assert_eq!(counts, [("a", 1), ("bb", 2), ("a", 1)]);

        let mut checked = reader.checked("x", Some(2)).await.unwrap();
        let mut came = Vec::new();
        let error = loop {
            match checked.next().await.unwrap() {
                Ok(page) => came.push(page),
                Err(error) => break error,
            }
        };
        assert_eq!(came, ["x", "x", "test", "test"]);
        assert_eq!(error.remote().unwrap().status(), 422);
        assert_eq!(error.remote().unwrap().detail(), Some("page 3 is torn"));
        assert!(checked.next().await.is_none());
        // Without a default the caller need not give it; what fails before the stream fails the call.
        assert_eq!(reader.checked("", None).await.unwrap_err().remote().unwrap().status(), 404);

        // Whoever takes whoever has pages takes this one.
        let pages: &dyn PagesApi = &PagesClient::from_peer(bed.tekton().peer("reader"));
        assert_eq!(all(pages.pages(3).await.unwrap()).await, [1, 2, 3]);
        let options = CallOptions::new().timeout(Duration::from_secs(1));
        assert_eq!(all(pages.with(options).late(2).await.unwrap()).await, [1, 2]);
        bed.shutdown().await.unwrap();
    });
}

#[test]
fn a_table_says_what_streams_and_a_tool_has_all_items() {
    use tekton_sdk::private::{Own, Table};
    let table = <Own as Table<Reader>>::OPERATIONS;
    let kinds: Vec<_> = table.iter().map(|operation| (operation.name, operation.stream)).collect();
    let plain = Some(StreamKind::Plain);
    assert_eq!(kinds, [("words", plain), ("checked", plain), ("play", Some(StreamKind::Resumable))]);
    assert_eq!(PagesService::OPERATIONS[0].stream, plain);
    let output = Tool::of(&table[0]).output_schema.unwrap();
    assert_eq!(output["properties"]["result"]["type"], "array");
    assert_eq!(output["properties"]["result"]["items"]["$ref"], "#/$defs/WordCount");
}

#[test]
fn a_fake_streams_what_is_planned() {
    block_on(async {
        let fake = FakeReader::new();
        let word = |word: &str| WordCount { word: word.to_owned(), count: 1 };
        fake.on_words().answers([word("a"), word("b")]).breaks_after([word("c")], ErrorKind::Interrupted);
        fake.on_checked().answers_with(|args| Ok(vec![args.get("text")?])).fails(ErrorKind::Closed);
        let reader: &dyn ReaderApi = &fake;
        assert_eq!(all(reader.words("x".to_owned()).await.unwrap()).await, [word("a"), word("b")]);
        let mut broken = reader.words("x".to_owned()).await.unwrap();
        assert_eq!(broken.next().await.unwrap().unwrap(), word("c"));
        assert_eq!(broken.next().await.unwrap().unwrap_err().kind(), ErrorKind::Interrupted);
        assert!(broken.next().await.is_none());
        assert_eq!(all(reader.checked("y", None).await.unwrap()).await, ["y"]);
        assert_eq!(reader.checked("y", None).await.unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(fake.calls().of("words")[0].arguments, serde_json::json!({"text": "x"}));
    });
}

/// Forwards connections until it is told to break them.
struct Wire {
    address: String,
    cut: tokio::sync::watch::Sender<u32>,
    came: Arc<AtomicUsize>,
}

impl Wire {
    async fn to(endpoint: &str) -> Self {
        let target = endpoint.strip_prefix("http://").unwrap().to_owned();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (cut, cuts) = tokio::sync::watch::channel(0);
        let came = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&came);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let (mut cuts, target) = (cuts.clone(), target.clone());
                cuts.mark_unchanged();
                tokio::spawn(async move {
                    let mut far = tokio::net::TcpStream::connect(target).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        });
        Self { address, cut, came }
    }

    fn cut(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }
}

#[tokio::test]
async fn a_connection_that_breaks_again_and_again_costs_no_item_and_no_second_execution() {
    let directory = MemoryDirectory::new(tekton_sdk::time::SharedClock::default());
    let tekton = Tekton::builder().directory(directory).build().unwrap();
    let (reader, feed, gone) = reader();
    let served = reader.serve(&tekton).start().await.unwrap();
    let wire = Wire::to(served.endpoint()).await;
    let client = ReaderClient::from_peer(tekton.peer_at(&wire.address).unwrap());
    let mut tape = client.play().await.unwrap();
    for n in 0..5 {
        for item in [2 * n, 2 * n + 1] {
            feed.send(Ok(item)).unwrap();
            assert_eq!(tape.next().await.unwrap().unwrap(), item);
        }
        wire.cut();
    }
    feed.send(Err(Error::not_found("a scratch").recoverable())).unwrap();
    let scratch = tape.next().await.unwrap().unwrap_err();
    assert!(scratch.is_recoverable() && scratch.gap().is_none(), "{scratch:?}");
    feed.send(Ok(10)).unwrap();
    assert_eq!(tape.next().await.unwrap().unwrap(), 10);
    assert!(wire.came.load(Ordering::SeqCst) >= 5);
    // Whoever is not interested any more says so, and the work stops.
    drop(tape);
    gone.notified().await;
    assert!(feed.is_closed());
    served.shutdown().await;
}

#[tokio::test]
async fn what_was_lost_while_nobody_read_is_told_as_a_gap() {
    let tekton = Tekton::builder().build().unwrap();
    let (reader, feed, _gone) = reader();
    let config = tekton_sdk::config::HostConfig::default().with_stream_ring_items(2);
    let served = reader.serve(&tekton).with_config(config).start().await.unwrap();
    let wire = Wire::to(served.endpoint()).await;
    let client = ReaderClient::from_peer(tekton.peer_at(&wire.address).unwrap());
    let mut tape = client.play().await.unwrap();
    feed.send(Ok(1)).unwrap();
    assert_eq!(tape.next().await.unwrap().unwrap(), 1);
    wire.cut();
    // The host has to hear of it first: as long as it does not, the work waits for its reader.
    let mut n = 1;
    while n < 100 {
        n += 1;
        feed.send(Ok(n)).unwrap();
    }
    drop(feed);
    for _ in 0..5000 {
        tokio::task::yield_now().await;
    }
    let (mut items, mut gaps) = (vec![1], 0);
    while let Some(next) = tape.next().await {
        match next {
            Ok(item) => items.push(item),
            Err(error) => {
                assert!(error.is_recoverable() && error.kind() == ErrorKind::Interrupted, "{error:?}");
                let Gap { from, to, .. } = error.gap().unwrap();
                assert_eq!(from, items.len() as u64 + 1);
                gaps += to + 1 - from;
                items.extend(from..=to);
            }
        }
    }
    assert_eq!((items, gaps), ((1..=100).collect::<Vec<_>>(), 97));
    served.shutdown().await;
}
