//! The component macros do what the hand-written sample in `golden.rs` does.
#![deny(missing_docs, warnings)]

use std::{borrow::Cow, sync::Mutex};

use serde_json::json;
use tekton_sdk::{
    Client, Component, Context, Data, Error, ErrorKind, Result, Tekton, directory::Query, patterns::request::Reply,
    testing::TestBed,
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
    #[op(read, timeout = "2s")]
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
