//! The component macros do what the hand-written sample in `golden.rs` does.
#![deny(missing_docs, warnings)]

use std::{borrow::Cow, sync::Mutex};

use serde_json::json;
use tekton_sdk::{
    CallOptions, Client, Component, Context, Data, Error, ErrorKind, Result, Tekton, contract::Priority,
    directory::Query, patterns::request::Reply, testing::TestBed,
};

/// Keeps values in order.
#[derive(Debug, Component)]
#[component(
    version = "1.2.0",
    capabilities("values.keep" = 0.9, "values.list"),
    depends_on("engram"),
    context_window = 8000,
    cost = 0.1,
    services(Shelf, Admin)
)]
pub struct Shelf<T> {
    values: Mutex<Vec<T>>,
    limit: Mutex<usize>,
}

/// Two ways to be refused become one.
type Outcome<T> = std::result::Result<T, Refused>;

/// An error of the component's own.
#[derive(Debug)]
pub struct Refused(&'static str);

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::invalid(refused.0)
    }
}

#[tekton_sdk::service]
impl<T: Data + Clone> Shelf<T> {
    /// Puts a value on the shelf.
    ///
    /// # Arguments
    /// * `value` - what to keep
    /// * `at` - where; at the end
    ///   if left out
    #[op(write)]
    pub async fn put(&self, ctx: &Context, value: T, at: Option<usize>) -> Outcome<usize> {
        assert!(ctx.deadline().is_some());
        let limit = *self.limit.lock().unwrap();
        let mut values = self.values.lock().unwrap();
        let at = at.unwrap_or(values.len());
        if values.len() >= limit || at > values.len() {
            return Err(Refused("there is no room"));
        }
        values.insert(at, value);
        Ok(values.len())
    }

    /// Lists what there is.
    #[op(read, timeout = "2s", priority = "low")]
    pub async fn all<'a>(
        &self,
        /// What to put before each.
        prefix: &'a str,
        #[arg(default = "!")] suffix: &str,
        more: Option<&str>,
        words: &[String],
        _rest: Cow<'a, str>,
    ) -> Result<Vec<(String, T)>> {
        let text = [prefix, &words.concat(), more.unwrap_or_default(), suffix].concat();
        Ok(self.values.lock().unwrap().iter().map(|value| (text.clone(), value.clone())).collect())
    }

    /// Never there.
    #[cfg(any())]
    #[op(read)]
    async fn absent(&self, unknown: Unknown) -> Result<()> {}

    fn with_limit(limit: usize) -> Self {
        Self { values: Mutex::default(), limit: Mutex::new(limit) }
    }
}

#[tekton_sdk::service(name = Admin)]
impl<T> Shelf<T>
where
    T: Data,
{
    const LIMIT: usize = 3;

    /// Sets how much fits.
    #[op(write, idempotent, name = "set-limit")]
    fn set_limit(&self, #[arg(default = Self::LIMIT)] limit: usize) -> Result<()> {
        *self.limit.lock().unwrap() = limit;
        Ok(())
    }
}

/// A contract that several components serve.
#[tekton_sdk::service(component = "shelf", capability = "values.keep")]
trait Count {
    /// Counts, and adds.
    #[op(read)]
    async fn count(&self, more: usize) -> Result<usize>;

    /// Doubles.
    #[op(read)]
    async fn twice(&self, n: u32) -> Result<u32> {
        Ok(n * 2)
    }

    /// Blocks.
    #[op(read)]
    fn slowly(&self, ctx: &Context) -> Result<Option<String>> {
        Ok(ctx.caller().map(ToOwned::to_owned))
    }
}

/// Counts.
#[derive(Component)]
#[component(name = "counter", services(Count), capabilities("values.keep" = 0.5), port = 8005)]
struct Counter;

impl Count for Counter {
    async fn count(&self, more: usize) -> Result<usize> {
        Ok(1 + more)
    }
}

fn arguments() -> [String; 1] {
    ["x".to_owned()]
}

/// The same calls, whoever answers.
async fn use_it(api: &dyn ShelfApi<u8>) -> (usize, usize, Vec<(String, u8)>, Error) {
    let first = api.put(7, None).await.unwrap();
    let second = api.put(8, Some(0)).await.unwrap();
    let all = api.all("a", Some("z"), None, &arguments(), "rest".into()).await.unwrap();
    (first, second, all, api.put(9, Some(9)).await.unwrap_err())
}

#[tokio::test]
async fn a_service_answers_alike_over_http_in_memory_and_as_a_fake() {
    let tekton = Tekton::builder().named("test").build().unwrap();
    let served = Shelf::<u8>::with_limit(9).serve(&tekton).start().await.unwrap();
    let over_http: ShelfClient<u8> = tekton.find().await.unwrap();

    let bed = TestBed::new().unwrap();
    bed.serve(Shelf::<u8>::with_limit(9)).await.unwrap();
    let in_memory: ShelfClient<u8> = bed.tekton().find().await.unwrap();

    let fake = FakeShelf::<u8>::new();
    let (mut values, expected) = (Vec::new(), vec![("axz".to_owned(), 8), ("axz".to_owned(), 7)]);
    fake.on_put().answers_with(move |arguments| {
        let at = arguments.get::<Option<usize>>("at")?.unwrap_or(values.len());
        if at > values.len() {
            return Err(Error::invalid("there is no room"));
        }
        values.insert(at, arguments.get::<u8>("value")?);
        Ok(values.len())
    });
    fake.on_all().answers(expected.clone());

    for api in [&over_http as &dyn ShelfApi<u8>, &in_memory, &fake] {
        let (first, second, all, error) = use_it(api).await;
        assert_eq!((first, second, &all), (1, 2, &expected));
        assert!(error.report().contains("there is no room"), "{error:?}");
    }
    assert!(served.shutdown().await);
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn several_blocks_are_one_client_and_one_fake() {
    let bed = TestBed::new().unwrap();
    bed.serve(Shelf::<String>::with_limit(0)).await.unwrap();
    let shelf: ShelfClient<String> = bed.tekton().find().await.unwrap();
    assert_eq!(shelf.put("x".into(), None).await.unwrap_err().remote().unwrap().status(), 422);
    shelf.set_limit(None).await.unwrap();
    assert_eq!(shelf.put("x".into(), None).await.unwrap(), 1);
    let fake = FakeShelf::<String>::default();
    fake.on_set_limit().fails(ErrorKind::Closed).answers(());
    let admin: &dyn AdminApi<String> = &fake;
    assert_eq!(admin.set_limit(Some(2)).await.unwrap_err().kind(), ErrorKind::Closed);
    admin.set_limit(None).await.unwrap();
    admin.set_limit(None).await.unwrap();
    let calls: Vec<_> = fake.calls().all().into_iter().map(|call| (call.operation, call.arguments)).collect();
    assert_eq!(calls, [("set-limit", json!({"limit": 2})), ("set-limit", json!({})), ("set-limit", json!({}))]);
    let unplanned = fake.put("x".into(), None).await.unwrap_err();
    assert_eq!((unplanned.kind(), unplanned.to_string().contains("on_")), (ErrorKind::Internal, true));
    bed.shutdown().await.unwrap();
}

#[test]
fn descriptor_and_table_say_what_was_written() {
    let shelf = Shelf::<u8>::with_limit(1);
    let descriptor = shelf.descriptor();
    descriptor.validate().unwrap();
    assert_eq!((descriptor.name.as_str(), descriptor.version.as_str()), ("shelf", "1.2.0"));
    assert_eq!(descriptor.description, "Keeps values in order.");
    let capabilities = [("values.keep".to_owned(), Some(0.9)), ("values.list".to_owned(), None)];
    assert_eq!(descriptor.capabilities, capabilities);
    assert_eq!(descriptor.dependencies, ["engram"]);
    assert_eq!((descriptor.context_window, descriptor.cost), (Some(8000), Some(0.1)));
    assert_eq!(Counter.descriptor().version, env!("CARGO_PKG_VERSION"));

    let operations = std::sync::Arc::new(shelf).operations();
    let table: Vec<_> = operations.table().collect();
    let names: Vec<_> = table.iter().map(|operation| (operation.name, operation.idempotent)).collect();
    assert_eq!(names, [("put", false), ("all", true), ("set-limit", true)]);
    let parameters: Vec<_> = table[0].parameters.iter().map(|one| (one.name, one.description, one.required)).collect();
    assert_eq!(parameters, [("value", "what to keep", true), ("at", "where; at the end if left out", false)]);
    assert_eq!(table[1].parameters[0].description, "What to put before each.");
    assert_eq!(table[1].timeout, Some(std::time::Duration::from_secs(2)));
    assert_eq!([table[0].priority, table[1].priority], [Priority::Normal, Priority::Low]);
    assert_eq!(table[0].parameters[0].value.unwrap().schema().get("type"), Some(&json!("integer")));
    assert_eq!(table[2].answer.unwrap().schema().get("type"), Some(&json!("null")));
}

#[tokio::test]
async fn a_contract_is_served_by_whoever_implements_it() {
    let bed = TestBed::new().unwrap();
    bed.serve(Counter).await.unwrap();
    let found: CountClient = bed.tekton().find().await.unwrap();
    let named = CountClient::from_peer(bed.tekton().peer("counter"));
    let fake = FakeCount::new();
    fake.on_count().answers(3);
    fake.on_twice().answers(4);
    fake.on_slowly().answers(Some("test".to_owned()));
    for api in [&found as &dyn CountApi, &named, &fake] {
        assert_eq!((api.count(2).await.unwrap(), api.twice(2).await.unwrap()), (3, 4));
        assert!(api.slowly().await.unwrap().is_some());
    }
    assert_eq!(CountClient::query(), Query::capability("values.keep").ranked(tekton_sdk::directory::Rank::Score));
    assert_eq!(CounterClient::NAME, "counter");
    assert_eq!(CountService::OPERATIONS.len(), 3);
    bed.shutdown().await.unwrap();
}

/// A contract that is generic.
#[tekton_sdk::service(component = "drawer")]
trait Store<T, const ROOM: usize>
where
    T: Data + Clone,
    Self: Sized,
{
    /// Keeps a value.
    #[op(write)]
    async fn keep(&self, value: &T) -> Result<usize>;

    /// Gives what is kept.
    #[op(read)]
    fn kept(&self, #[arg(default = ROOM)] limit: usize) -> Result<Vec<T>>;
}

/// Keeps words.
#[derive(Component)]
#[component(services(Store<String, 2>))]
struct Drawer(Mutex<Vec<String>>);

impl Store<String, 2> for Drawer {
    async fn keep(&self, value: &String) -> Result<usize> {
        let mut values = self.0.lock().unwrap();
        values.push(value.clone());
        Ok(values.len())
    }

    fn kept(&self, limit: usize) -> Result<Vec<String>> {
        Ok(self.0.lock().unwrap().iter().take(limit).cloned().collect())
    }
}

/// Keeps whatever it is given, elsewhere.
#[derive(Component)]
#[component(name = "drawer", services(Store<T, 0>))]
struct Anything<T>(Mutex<Vec<T>>);

impl<T: Data + Clone + Sync> Store<T, 0> for Anything<T> {
    async fn keep(&self, value: &T) -> Result<usize> {
        self.0.lock().unwrap().push(value.clone());
        Ok(0)
    }

    fn kept(&self, limit: usize) -> Result<Vec<T>> {
        Ok(self.0.lock().unwrap().iter().take(limit).cloned().collect())
    }
}

async fn keep_three<T: Data + Clone + PartialEq + std::fmt::Debug, const N: usize>(
    store: &dyn StoreApi<T, N>,
    value: T,
) -> Vec<T> {
    for _ in 0..3 {
        store.keep(&value).await.unwrap();
    }
    assert_eq!(store.kept(Some(1)).await.unwrap(), std::slice::from_ref(&value));
    store.kept(None).await.unwrap()
}

#[tokio::test]
async fn a_contract_may_be_generic() {
    let bed = TestBed::new().unwrap();
    bed.serve(Drawer(Mutex::default())).await.unwrap();
    let drawer: StoreClient<String, 2> = bed.tekton().find().await.unwrap();
    assert_eq!(keep_three(&drawer, "a".to_owned()).await, ["a", "a"]);
    bed.shutdown().await.unwrap();

    let bed = TestBed::new().unwrap();
    bed.serve(Anything::<u8>(Mutex::default())).await.unwrap();
    let anything: StoreClient<u8, 0> = bed.tekton().find().await.unwrap();
    assert_eq!(keep_three(&anything, 7).await, [0; 0]);
    bed.shutdown().await.unwrap();

    let fake = FakeStore::<u8, 1>::new();
    fake.on_keep().answers(1);
    fake.on_kept().answers(vec![7]);
    assert_eq!(keep_three(&fake, 7).await, [7]);
    assert_eq!(<StoreService<u8, 1>>::OPERATIONS.len(), 2);
}

/// Tells what a call brought along.
#[derive(Component)]
#[component(name = "teller")]
struct Teller;

#[tekton_sdk::service]
impl Teller {
    /// Tells the key, and whether at most so many seconds are left.
    #[op(write)]
    #[expect(clippy::disallowed_methods, reason = "the host over HTTP has the real clock, and a slow run leaves less")]
    async fn tell(&self, ctx: &Context, within: u64, bytes: usize) -> Result<(Option<String>, bool, String)> {
        let left = ctx.deadline().unwrap().remaining(std::time::Instant::now());
        let hurried = left <= std::time::Duration::from_secs(within);
        Ok((ctx.idempotency_key().map(ToOwned::to_owned), hurried, "x".repeat(bytes)))
    }

    /// Never ends.
    #[op(write)]
    async fn linger(&self) -> Result<()> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_client_with_options_gives_them_to_its_calls_also_behind_the_trait() {
    let seconds = std::time::Duration::from_secs;
    let tekton = Tekton::builder().build().unwrap();
    let served = Teller.serve(&tekton).start().await.unwrap();
    let over_http: TellerClient = tekton.find().await.unwrap();
    let bed = TestBed::new().unwrap();
    bed.serve(Teller).await.unwrap();
    let in_memory: TellerClient = bed.tekton().find().await.unwrap();

    for teller in [&over_http, &in_memory] {
        let options = CallOptions::new().timeout(seconds(7)).idempotency_key("k").max_response_bytes(100);
        let hurried = teller.with(options);
        assert_eq!(hurried.tell(7, 1).await.unwrap(), (Some("k".to_owned()), true, "x".to_owned()));
        assert_eq!(hurried.tell(7, 200).await.unwrap_err().kind(), ErrorKind::Rejected);
        // What is given later wins; what it leaves open stays.
        let api: &dyn TellerApi = &hurried;
        let (key, hurried, _) = api.with(CallOptions::new().timeout(seconds(3))).tell(3, 1).await.unwrap();
        assert_eq!((key.as_deref(), hurried), (Some("k"), true));
        assert_eq!(teller.tell(u64::MAX, 200).await.unwrap().0, None);
        let error = teller.with(CallOptions::new().idempotency_key("")).tell(1, 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    assert!(served.shutdown().await);
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn one_attempt_of_a_client_with_options_ends_at_its_own_limit() {
    let bed = TestBed::new().unwrap();
    bed.serve(Teller).await.unwrap();
    let teller: TellerClient = bed.tekton().find().await.unwrap();
    let patient = teller.with(CallOptions::new().attempt_timeout(std::time::Duration::from_secs(1)));
    let moving = async {
        // The host's limit, the deadline of the call, and that of the attempt.
        bed.clock().until_sleeping(3).await;
        bed.clock().advance(std::time::Duration::from_secs(1));
    };
    let (ended, ()) = tokio::join!(patient.linger(), moving);
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::Timeout);
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_fake_records_the_options_of_its_calls() {
    let fake = FakeTeller::new();
    fake.on_tell().answers((None, true, String::new()));
    let api: &dyn TellerApi = &fake;
    let name = http::HeaderName::from_static("x-tenant");
    let options = CallOptions::new().header(name.clone(), http::HeaderValue::from_static("a")).extension(3_u8);
    api.with(options).with(CallOptions::new().max_response_bytes(9)).tell(1, 1).await.unwrap();
    fake.tell(1, 2).await.unwrap();
    let calls = fake.calls().all();
    assert_eq!(calls[0].options.headers[&name], "a");
    assert_eq!((calls[0].options.max_response_bytes, calls[0].options.extensions.get()), (Some(9), Some(&3_u8)));
    assert!(calls[1].options.headers.is_empty() && calls[1].options.max_response_bytes.is_none());
}

#[tokio::test]
async fn wrong_arguments_are_told_as_by_hand() {
    let bed = TestBed::new().unwrap();
    bed.serve(Shelf::<u8>::with_limit(1)).await.unwrap();
    let shelf = bed.tekton().peer("shelf");
    let error = shelf.request::<usize>("put").json(&json!({"at": 1, "where": 2})).await.unwrap_err();
    let fields: Vec<_> = error.fields().iter().map(|field| field.field.as_str()).collect();
    assert_eq!(fields, ["where", "value"]);
    let null: Reply<()> = shelf.request("set-limit").json(&json!({"limit": null})).await.unwrap();
    assert_eq!(null.attempts(), 1);
    bed.shutdown().await.unwrap();
}

mod said {
    use std::sync::Arc;

    use tekton_sdk::{Component, Result, contract::Tool, service};

    /// Its tools say of themselves what cannot be inferred.
    #[derive(Component)]
    struct Said;

    #[service]
    impl Said {
        /// Adds an entry to the log; nothing is overwritten.
        #[op(write, title = "Add an entry", destructive = false, open_world = true)]
        async fn append(&self) -> Result<()> {
            Ok(())
        }

        /// Sets the limit.
        #[op(write)]
        async fn set_limit(&self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_said_of_a_tool_wins_over_what_is_inferred() {
        let operations = Arc::new(Said).operations();
        let tools: Vec<_> = operations.table().map(Tool::of).collect();
        let said = tools.iter().find(|tool| tool.name == "append").unwrap();
        let inferred = tools.iter().find(|tool| tool.name == "set_limit").unwrap();
        let hints = |tool: &Tool| tool.annotations.clone().unwrap();
        assert_eq!(said.title.as_deref(), Some("Add an entry"));
        assert_eq!((hints(said).destructive_hint, hints(said).open_world_hint), (Some(false), Some(true)));
        assert_eq!(inferred.title, None);
        assert_eq!((hints(inferred).destructive_hint, hints(inferred).open_world_hint), (Some(true), None));
    }
}
