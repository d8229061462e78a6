//! What the component macros expand to, written by hand: the sample that their output is held against in `macros.rs`.
//!
//! One generic component with two blocks; `Option` and defaulted arguments, a borrowed one, the context; an async and a
//! blocking operation; a client, two client traits that can be injected, and a fake.
#![allow(dead_code, clippy::let_and_return, clippy::type_complexity, reason = "as generated code is")]

use std::sync::{Arc, Mutex};

use tekton_sdk::{Context, Data, Error, Result, testing::TestBed};

// ---- what the user writes

/// Keeps values in order.
pub(crate) struct Shelf<T> {
    values: Mutex<Vec<T>>,
    limit: Mutex<usize>,
}

impl<T: Data + Clone> Shelf<T> {
    async fn put(&self, ctx: &Context, value: T, at: Option<usize>) -> Result<usize> {
        assert!(ctx.deadline().is_some());
        let limit = *self.limit.lock().unwrap();
        let mut values = self.values.lock().unwrap();
        let at = at.unwrap_or(values.len());
        if values.len() >= limit || at > values.len() {
            return Err(Error::invalid("there is no room"));
        }
        values.insert(at, value);
        Ok(values.len())
    }

    async fn all(&self, prefix: &str) -> Result<Vec<(String, T)>> {
        Ok(self.values.lock().unwrap().iter().map(|value| (prefix.to_owned(), value.clone())).collect())
    }
}

impl<T> Shelf<T>
where
    T: Data,
{
    fn set_limit(&self, limit: usize) -> Result<()> {
        *self.limit.lock().unwrap() = limit;
        Ok(())
    }
}

// ---- what `#[derive(Component)]` makes of it

impl<T> tekton_sdk::private::Named for Shelf<T> {
    const NAME: &'static str = "shelf";
}
impl<T> tekton_sdk::private::Lists<tekton_sdk::private::Own> for Shelf<T> {}
impl<T> tekton_sdk::private::Lists<AdminService> for Shelf<T> {}

/// Calls a `Shelf` somewhere else.
pub(crate) struct ShelfClient<T>(tekton_sdk::private::PeerOf<Shelf<T>>);

impl<T> ShelfClient<T> {
    /// The same client, whose calls have these options.
    pub(crate) fn with(&self, options: tekton_sdk::CallOptions) -> Self {
        Self(self.0.with(options))
    }
}
impl<T> Clone for ShelfClient<T> {
    fn clone(&self) -> Self {
        Self(Clone::clone(&self.0))
    }
}
impl<T> std::fmt::Debug for ShelfClient<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ShelfClient").field(&self.0).finish()
    }
}
impl<T> AsRef<tekton_sdk::Peer> for ShelfClient<T> {
    fn as_ref(&self) -> &tekton_sdk::Peer {
        self.0.peer()
    }
}
impl<T> tekton_sdk::Client for ShelfClient<T> {
    const NAME: &'static str = <Shelf<T> as tekton_sdk::private::Named>::NAME;
    fn from_peer(peer: tekton_sdk::Peer) -> Self {
        Self(tekton_sdk::private::PeerOf::new(peer))
    }
}

tekton_sdk::private::when_host! {
    impl<T> tekton_sdk::Component for Shelf<T>
    where
        Self: Send + Sync + 'static,
        tekton_sdk::private::Own: tekton_sdk::private::Service<Self>,
        AdminService: tekton_sdk::private::Service<Self>,
    {
        fn descriptor(&self) -> tekton_sdk::contract::Descriptor {
            tekton_sdk::contract::Descriptor::new("shelf", "1.2.0")
                .describe("Keeps values in order.")
                .scored_capability("values.keep", 0.9)
        }
        fn operations(self: Arc<Self>) -> tekton_sdk::host::Operations {
            const {
                tekton_sdk::private::assert_distinct(
                    &[],
                    <tekton_sdk::private::Own as tekton_sdk::private::Service<Self>>::TABLE,
                );
                tekton_sdk::private::assert_distinct(
                    &[<tekton_sdk::private::Own as tekton_sdk::private::Service<Self>>::TABLE],
                    <AdminService as tekton_sdk::private::Service<Self>>::TABLE,
                );
            }
            let operations = tekton_sdk::host::Operations::new();
            let operations = <tekton_sdk::private::Own as tekton_sdk::private::Service<Self>>::serve(&self, operations);
            <AdminService as tekton_sdk::private::Service<Self>>::serve(&self, operations)
        }
    }
}

tekton_sdk::private::when_testing! {
    /// Stands in for a `Shelf` in a test.
    pub(crate) struct FakeShelf<T>(tekton_sdk::testing::Plans, std::marker::PhantomData<fn() -> Box<Shelf<T>>>);

    impl<T> FakeShelf<T> {
        /// A fake that nothing is planned for.
        pub(crate) fn new() -> Self {
            Self(Default::default(), std::marker::PhantomData)
        }
        /// The same fake, whose calls are recorded with these options.
        pub(crate) fn with(&self, options: tekton_sdk::CallOptions) -> Self {
            Self(self.0.with(options), std::marker::PhantomData)
        }
        /// The calls it gets, for the test to look at.
        pub(crate) fn calls(&self) -> tekton_sdk::testing::Calls {
            self.0.calls()
        }
    }
    impl<T> Default for FakeShelf<T> {
        fn default() -> Self {
            Self::new()
        }
    }
    impl<T> std::fmt::Debug for FakeShelf<T> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_tuple("FakeShelf").field(&self.0).finish()
        }
    }
}

// ---- what `#[service]` makes of the first block

impl<T: Data + Clone> tekton_sdk::private::Table<Shelf<T>> for tekton_sdk::private::Own {
    const OPERATIONS: &'static [tekton_sdk::contract::Operation] = &[
        tekton_sdk::private::returns::<tekton_sdk::private::Value<Result<usize>>>(
            tekton_sdk::contract::Operation::write("put", "Puts a value on the shelf.").parameters(&[
                tekton_sdk::private::required::<tekton_sdk::private::Checked<T>>("value", "what to keep"),
                tekton_sdk::private::optional::<tekton_sdk::private::Checked<Option<usize>>>(
                    "at",
                    "where; at the end if left out",
                ),
            ]),
        ),
        tekton_sdk::private::returns::<tekton_sdk::private::Value<Result<Vec<(String, T)>>>>(
            tekton_sdk::contract::Operation::read("all", "Lists what there is.")
                .parameters(&[tekton_sdk::private::required::<tekton_sdk::private::Checked<String>>(
                    "prefix",
                    "what to put before each",
                )])
                .timeout(std::time::Duration::from_nanos(2_000_000_000)),
        ),
    ];
}

tekton_sdk::private::when_host! {
    impl<T: Data + Clone> tekton_sdk::private::Service<Shelf<T>> for tekton_sdk::private::Own
    where
        Shelf<T>: Send + Sync + 'static,
    {
        fn serve(component: &Arc<Shelf<T>>, operations: tekton_sdk::host::Operations) -> tekton_sdk::host::Operations {
            let operations = tekton_sdk::private::on(
                operations,
                component,
                const { tekton_sdk::private::find(<Self as tekton_sdk::private::Table<Shelf<T>>>::OPERATIONS, "put") },
                |component, context, arguments| async move {
                    <tekton_sdk::private::Returned<Result<usize>> as tekton_sdk::private::Outcome>::into_result(<Shelf<T>>::put(
                        &component,
                        &context,
                        tekton_sdk::private::argument::<tekton_sdk::private::Checked<T>>(&arguments, "value")?,
                        tekton_sdk::private::argument::<tekton_sdk::private::Checked<Option<usize>>>(&arguments, "at")?,
                    )
                    .await)
                },
            );
            let operations = tekton_sdk::private::on(
                operations,
                component,
                const { tekton_sdk::private::find(<Self as tekton_sdk::private::Table<Shelf<T>>>::OPERATIONS, "all") },
                |component, _, arguments| async move {
                    <tekton_sdk::private::Returned<Result<Vec<(String, T)>>> as tekton_sdk::private::Outcome>::into_result(<Shelf<T>>::all(
                        &component,
                        &tekton_sdk::private::argument::<tekton_sdk::private::Checked<String>>(&arguments, "prefix")?,
                    )
                    .await)
                },
            );
            operations
        }
    }
}

/// What can be asked of a `Shelf`; its client and its fake can, and take each other's place.
pub(crate) trait ShelfApi<T: Data + Clone>: Send + Sync {
    /// Puts a value on the shelf.
    fn put<'call>(
        &'call self,
        value: T,
        at: Option<usize>,
    ) -> tekton_sdk::time::BoxFuture<'call, tekton_sdk::private::Answer<Result<usize>>>;
    /// Lists what there is.
    fn all<'call>(
        &'call self,
        prefix: &'call str,
    ) -> tekton_sdk::time::BoxFuture<'call, tekton_sdk::private::Answer<Result<Vec<(String, T)>>>>;
    /// The same, whose calls have these options.
    fn with(&self, options: tekton_sdk::CallOptions) -> Box<dyn ShelfApi<T> + '_>;
}

impl<T: Data + Clone> ShelfClient<T> {
    /// Puts a value on the shelf.
    pub(crate) fn put<'call>(
        &'call self,
        value: T,
        at: Option<usize>,
    ) -> tekton_sdk::time::BoxFuture<'call, tekton_sdk::private::Answer<Result<usize>>> {
        tekton_sdk::private::call(
            self.0.caller(),
            const {
                tekton_sdk::private::find(
                    <tekton_sdk::private::Own as tekton_sdk::private::Table<Shelf<T>>>::OPERATIONS,
                    "put",
                )
            },
            tekton_sdk::private::Fields::new()
                .with::<tekton_sdk::private::Checked<T>>("value", &value)
                .maybe::<tekton_sdk::private::Checked<usize>>("at", &at),
        )
    }
    /// Lists what there is.
    pub(crate) fn all<'call>(
        &'call self,
        prefix: &'call str,
    ) -> tekton_sdk::time::BoxFuture<'call, tekton_sdk::private::Answer<Result<Vec<(String, T)>>>> {
        tekton_sdk::private::call(
            self.0.caller(),
            const {
                tekton_sdk::private::find(
                    <tekton_sdk::private::Own as tekton_sdk::private::Table<Shelf<T>>>::OPERATIONS,
                    "all",
                )
            },
            tekton_sdk::private::Fields::new().borrowed("prefix", prefix),
        )
    }
}

impl<T: Data + Clone> ShelfApi<T> for ShelfClient<T> {
    fn put<'call>(
        &'call self,
        value: T,
        at: Option<usize>,
    ) -> tekton_sdk::time::BoxFuture<'call, tekton_sdk::private::Answer<Result<usize>>> {
        <ShelfClient<T>>::put(self, value, at)
    }
    fn all<'call>(
        &'call self,
        prefix: &'call str,
    ) -> tekton_sdk::time::BoxFuture<'call, tekton_sdk::private::Answer<Result<Vec<(String, T)>>>> {
        <ShelfClient<T>>::all(self, prefix)
    }
    fn with(&self, options: tekton_sdk::CallOptions) -> Box<dyn ShelfApi<T> + '_> {
        Box::new(<ShelfClient<T>>::with(self, options))
    }
}

tekton_sdk::private::when_testing! {
    impl<T: Data + Clone> FakeShelf<T> {
        /// What is planned for `put`.
        pub(crate) fn on_put(
            &self,
        ) -> tekton_sdk::testing::Plan<'_, <Result<usize> as tekton_sdk::private::Outcome>::Value> {
            self.0.of(const {
                tekton_sdk::private::find(
                    <tekton_sdk::private::Own as tekton_sdk::private::Table<Shelf<T>>>::OPERATIONS,
                    "put",
                )
            })
        }
    }
    impl<T: Data + Clone> ShelfApi<T> for FakeShelf<T> {
        fn put<'call>(
            &'call self,
            value: T,
            at: Option<usize>,
        ) -> tekton_sdk::time::BoxFuture<'call, tekton_sdk::private::Answer<Result<usize>>> {
            self.0.play(
                const {
                    tekton_sdk::private::find(
                        <tekton_sdk::private::Own as tekton_sdk::private::Table<Shelf<T>>>::OPERATIONS,
                        "put",
                    )
                },
                tekton_sdk::private::Fields::new().with::<tekton_sdk::private::Checked<T>>("value", &value).maybe::<tekton_sdk::private::Checked<usize>>("at", &at),
            )
        }
        fn all<'call>(
            &'call self,
            prefix: &'call str,
        ) -> tekton_sdk::time::BoxFuture<'call, tekton_sdk::private::Answer<Result<Vec<(String, T)>>>> {
            self.0.play(
                const {
                    tekton_sdk::private::find(
                        <tekton_sdk::private::Own as tekton_sdk::private::Table<Shelf<T>>>::OPERATIONS,
                        "all",
                    )
                },
                tekton_sdk::private::Fields::new().borrowed("prefix", prefix),
            )
        }
        fn with(&self, options: tekton_sdk::CallOptions) -> Box<dyn ShelfApi<T> + '_> {
            Box::new(<FakeShelf<T>>::with(self, options))
        }
    }
}

// ---- what `#[service(name = Admin)]` makes of the second block

/// The tag of the service `Admin`.
#[doc(hidden)]
#[derive(Debug)]
pub(crate) struct AdminService;

impl<T> tekton_sdk::private::Table<Shelf<T>> for AdminService
where
    T: Data,
{
    const OPERATIONS: &'static [tekton_sdk::contract::Operation] =
        &[tekton_sdk::private::returns::<tekton_sdk::private::Value<Result<()>>>(
            tekton_sdk::contract::Operation::write("set-limit", "Sets how much fits.")
                .parameters(&[tekton_sdk::private::optional::<tekton_sdk::private::Checked<usize>>(
                    "limit",
                    "how much; 3 if left out",
                )])
                .idempotent(),
        )];
}

tekton_sdk::private::when_host! {
    impl<T> tekton_sdk::private::Service<Shelf<T>> for AdminService
    where
        T: Data,
        Shelf<T>: Send + Sync + 'static,
    {
        fn serve(component: &Arc<Shelf<T>>, operations: tekton_sdk::host::Operations) -> tekton_sdk::host::Operations {
            tekton_sdk::private::on_blocking(
                operations,
                component,
                const {
                    tekton_sdk::private::find(<Self as tekton_sdk::private::Table<Shelf<T>>>::OPERATIONS, "set-limit")
                },
                |component, _, arguments| {
                    <tekton_sdk::private::Returned<Result<()>> as tekton_sdk::private::Outcome>::into_result(<Shelf<T>>::set_limit(
                        component,
                        tekton_sdk::private::argument_or::<tekton_sdk::private::Checked<usize>>(&arguments, "limit", || 3)?,
                    ))
                },
            )
        }
    }
}

impl<T> ShelfClient<T>
where
    T: Data,
{
    /// Sets how much fits.
    pub(crate) fn set_limit<'call>(
        &'call self,
        limit: Option<usize>,
    ) -> tekton_sdk::time::BoxFuture<'call, tekton_sdk::private::Answer<Result<()>>> {
        tekton_sdk::private::call(
            self.0.caller(),
            const {
                tekton_sdk::private::find(
                    <AdminService as tekton_sdk::private::Table<Shelf<T>>>::OPERATIONS,
                    "set-limit",
                )
            },
            tekton_sdk::private::Fields::new().maybe::<tekton_sdk::private::Checked<usize>>("limit", &limit),
        )
    }
}

// ---- and what it does

#[tokio::test]
async fn the_sample_is_served_called_and_faked() {
    let bed = TestBed::new().unwrap();
    bed.serve(Shelf { values: Mutex::new(Vec::<u8>::new()), limit: Mutex::new(9) }).await.unwrap();
    let shelf: ShelfClient<u8> = bed.tekton().find().await.unwrap();
    shelf.set_limit(None).await.unwrap();
    let fake = FakeShelf::<u8>::new();
    let mut count = 0;
    fake.on_put().answers_with(move |arguments| {
        arguments.get::<u8>("value")?;
        count += 1;
        Ok(count)
    });
    for api in [&shelf as &dyn ShelfApi<u8>, &fake] {
        assert_eq!(api.put(7, None).await.unwrap(), 1);
        assert_eq!(api.put(8, Some(0)).await.unwrap(), 2);
    }
    assert_eq!(shelf.all("x").await.unwrap(), [("x".to_owned(), 8), ("x".to_owned(), 7)]);
    assert_eq!(fake.calls().of("put")[1].arguments, serde_json::json!({"value": 8, "at": 0}));
    shelf.put(9, None).await.unwrap();
    assert_eq!(shelf.put(1, None).await.unwrap_err().remote().unwrap().status(), 422);
    bed.shutdown().await.unwrap();
}
