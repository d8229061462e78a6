//! Every law notices the bug it is there for: a planted one breaks it.

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use tekton_sdk::{
    Error, ErrorKind, Result,
    contract::{Entry, PublishedTool, Registration},
    directory::{Directory, DirectoryCapabilities, HealthFilter, Lease, MemoryDirectory, Query, Standing},
    testing::conformance::transport::{Listening, TransportSubject},
    time::SharedClock,
    transport::{Body, Endpoint, Handler, MemoryTransport, Request, Response, Transport, TransportCapabilities},
};

/// One test for each law and the bug that must break it.
macro_rules! bites {
    ($suite:ident, $make:expr; $($law:ident: $bug:ident)+) => {
        $(
            #[test]
            #[should_panic]
            fn $law() {
                super::soon(async {
                    let subject = $make($bug);
                    tekton_sdk::testing::conformance::$suite::$law(&subject).await;
                });
            }
        )+
    };
}

/// Runs a law to its end, and panics at once where nothing moves any more: the paused time jumps to the limit then.
pub(crate) fn soon(law: impl Future<Output = ()> + Send) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let ended = runtime.block_on(SharedClock::default().timeout(Duration::from_secs(60), law));
    ended.expect("the law ends");
}

mod directory {
    use super::{Buggy, DirectoryBug::*};

    bites! { directory, Buggy::new;
        a_registered_component_is_found_by_name_id_and_capability: FindsEverybody
        a_name_is_found_in_any_case_of_letters: MindsCase
        what_was_registered_comes_back: LosesMetadata
        registering_the_same_id_replaces_the_entry: AddsAnother
        a_heartbeat_of_a_listed_one_says_listed: SaysForgotten
        a_heartbeat_dates_the_entry_where_that_is_declared: SaysListed
        a_heartbeat_of_a_forgotten_one_says_forgotten: SaysListed
        a_heartbeat_of_a_replaced_one_says_replaced: SaysListed
        unregistering_removes_the_own_entry: KeepsEntries
        unregistering_twice_says_false: KeepsEntries
        an_old_lease_does_not_remove_the_new_entry: RemovesById
        finding_nobody_is_an_empty_list: FailsOnNobody
        the_newest_registration_comes_first: OldestFirst
        a_score_below_the_minimum_is_no_match: FindsEverybody
        a_context_window_below_the_minimum_is_no_match: FindsEverybody
        every_capability_of_all_is_needed: FindsEverybody
        one_capability_of_any_is_enough: FindsEverybody
        who_is_not_known_to_be_well_is_no_healthy_match: IgnoresHealth
        a_malformed_endpoint_is_listed: DropsMalformed
        many_entries_are_all_found: CutsLists
        undeclared_registration_is_rejected_and_changes_nothing: DeclaresNothing
        a_published_tool_is_withdrawn_once: ForgetsTools
        publishing_the_same_tool_replaces_it: AddsAnother
        an_old_lease_does_not_withdraw_the_new_tools: RemovesById
        undeclared_tools_are_rejected: DeclaresNothing
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum DirectoryBug {
    FindsEverybody,
    MindsCase,
    LosesMetadata,
    AddsAnother,
    SaysForgotten,
    SaysListed,
    KeepsEntries,
    RemovesById,
    FailsOnNobody,
    OldestFirst,
    IgnoresHealth,
    DropsMalformed,
    CutsLists,
    ForgetsTools,
    DeclaresNothing,
}

#[derive(Debug)]
struct Buggy {
    inner: MemoryDirectory,
    bug: DirectoryBug,
    count: AtomicUsize,
}

impl Buggy {
    fn new(bug: DirectoryBug) -> Self {
        Self { inner: MemoryDirectory::new(SharedClock::default()), bug, count: AtomicUsize::new(0) }
    }
}

#[async_trait]
impl Directory for Buggy {
    async fn register(&self, registration: &Registration) -> Result<Lease> {
        let mut registration = registration.clone();
        match self.bug {
            DirectoryBug::LosesMetadata => registration.metadata = Default::default(),
            DirectoryBug::AddsAnother => {
                registration.id += &self.count.fetch_add(1, Ordering::Relaxed).to_string();
            }
            _ => {}
        }
        self.inner.register(&registration).await
    }

    async fn heartbeat(&self, lease: &Lease) -> Result<Standing> {
        match self.bug {
            DirectoryBug::SaysForgotten => Ok(Standing::Forgotten),
            DirectoryBug::SaysListed => Ok(Standing::Listed),
            _ => self.inner.heartbeat(lease).await,
        }
    }

    async fn unregister(&self, lease: &Lease) -> Result<bool> {
        match self.bug {
            DirectoryBug::KeepsEntries => Ok(true),
            DirectoryBug::RemovesById => {
                let found = self.inner.find(&Query::id(lease.id.as_str())).await?;
                let endpoint = found.first().map_or("", |entry| &entry.endpoint);
                self.inner.unregister(&Lease::new(&lease.id, endpoint)).await
            }
            _ => self.inner.unregister(lease).await,
        }
    }

    async fn find(&self, query: &Query) -> Result<Vec<Entry>> {
        let query = match self.bug {
            DirectoryBug::FindsEverybody => Cow::Owned(Query::everybody()),
            DirectoryBug::IgnoresHealth => Cow::Owned(query.clone().with_health(HealthFilter::Any)),
            _ => Cow::Borrowed(query),
        };
        let mut found = self.inner.find(&query).await?;
        match self.bug {
            DirectoryBug::MindsCase => found.retain(|entry| query.describe().contains(&entry.name)),
            DirectoryBug::FailsOnNobody if found.is_empty() => return Err(Error::not_found("there is nobody")),
            DirectoryBug::OldestFirst => found.reverse(),
            DirectoryBug::DropsMalformed => found.retain(|entry| Endpoint::parse(&entry.endpoint).is_ok()),
            DirectoryBug::CutsLists => found.truncate(100),
            _ => {}
        }
        Ok(found)
    }

    async fn publish_tools(&self, lease: &Lease, tools: &[PublishedTool]) -> Result<()> {
        let mut tools = tools.to_vec();
        match self.bug {
            DirectoryBug::ForgetsTools => return Ok(()),
            DirectoryBug::AddsAnother => {
                tools[0].id += &self.count.fetch_add(1, Ordering::Relaxed).to_string();
            }
            _ => {}
        }
        self.inner.publish_tools(lease, &tools).await
    }

    async fn withdraw_tools(&self, lease: &Lease, ids: &[String]) -> Result<usize> {
        match self.bug {
            // Whose they are is told from where they stand: under every endpoint this finds its own.
            DirectoryBug::RemovesById => {
                let found = self.inner.tools().into_iter().find(|tool| ids.contains(&tool.id));
                let endpoint = found.map_or_else(String::new, |tool| tool.endpoint.replace("/api/v1/obey", ""));
                self.inner.withdraw_tools(&Lease::new(&lease.id, endpoint), ids).await
            }
            _ => self.inner.withdraw_tools(lease, ids).await,
        }
    }

    fn capabilities(&self) -> DirectoryCapabilities {
        match self.bug {
            DirectoryBug::DeclaresNothing => DirectoryCapabilities::read_only(),
            _ => self.inner.capabilities(),
        }
    }
}

mod transport {
    use super::{Subject, TransportBug::*};

    bites! { transport, Subject::new;
        method_path_query_headers_and_body_arrive_unaltered: DropsQueries
        status_headers_and_body_come_back: DropsHeaders
        failing_statuses_are_answers: FailsOnStatus
        redirects_are_handed_out: Repeats
        it_does_not_retry: Repeats
        a_request_without_an_endpoint_is_invalid_and_not_sent: ConnectsAnywhere
        a_foreign_scheme_is_invalid_and_not_sent: ConnectsAnywhere
        where_nobody_listens_the_connection_fails: BlursErrors
        dropping_the_future_drops_the_handlers_future: Spawns
        concurrent_requests_do_not_mix: MixesAnswers
        an_empty_body_is_empty: FillsEmptyBodies
        a_large_body_is_whole_in_both_directions: CutsBodies
        a_streamed_request_arrives_whole_where_that_is_declared: CutsBodies
        a_streamed_answer_comes_whole: CutsBodies
        the_first_piece_is_seen_before_the_last_is_written_where_that_is_declared: CollectsAnswers
        an_answer_that_breaks_is_interrupted_and_does_not_end: EndsBrokenBodies
        a_request_body_that_breaks_is_no_whole_body: EndsBrokenBodies
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum TransportBug {
    DropsQueries,
    DropsHeaders,
    FailsOnStatus,
    Repeats,
    ConnectsAnywhere,
    BlursErrors,
    Spawns,
    MixesAnswers,
    FillsEmptyBodies,
    CutsBodies,
    CollectsAnswers,
    EndsBrokenBodies,
}

#[derive(Clone, Debug)]
struct BuggyTransport {
    inner: MemoryTransport,
    bug: TransportBug,
    /// The answer of another, where answers are mixed.
    last: Arc<std::sync::Mutex<Body>>,
}

struct Subject(BuggyTransport);

impl Subject {
    fn new(bug: TransportBug) -> Self {
        Self(BuggyTransport { inner: MemoryTransport::new(), bug, last: Arc::default() })
    }
}

#[async_trait]
impl TransportSubject for Subject {
    fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(self.0.clone())
    }

    async fn serve(&self, handler: Arc<dyn Handler>) -> Result<Listening> {
        let binding = self.0.inner.bind("law", handler)?;
        Ok(Listening::new(binding.endpoint().clone(), binding))
    }

    async fn nobody(&self) -> Result<Endpoint> {
        Endpoint::parse("memory://nobody")
    }
}

/// A body that is stopped at a break, or whose pieces are cut to 1 KiB.
fn spoilt(body: Body, bug: TransportBug) -> Body {
    let pieces = stream::unfold(body, |mut body| async move { Some((body.next().await?, body)) });
    match bug {
        TransportBug::EndsBrokenBodies => Body::stream(pieces.take_while(|piece| std::future::ready(piece.is_ok()))),
        _ => Body::stream(pieces.map(|piece| piece.map(|piece| piece.slice(..piece.len().min(1 << 10))))),
    }
}

#[async_trait]
impl Transport for BuggyTransport {
    async fn send(&self, mut request: Request) -> Result<Response> {
        let memory = Endpoint::parse("memory://law")?;
        match self.bug {
            TransportBug::DropsQueries => request.query = None,
            TransportBug::ConnectsAnywhere => request.endpoint = Some(memory),
            TransportBug::CutsBodies | TransportBug::EndsBrokenBodies => {
                request.body = spoilt(std::mem::take(&mut request.body), self.bug);
            }
            TransportBug::Repeats => {
                if let Some(again) = request.try_clone() {
                    self.inner.send(again).await?;
                }
            }
            TransportBug::Spawns => {
                let inner = self.inner.clone();
                return tokio::spawn(async move { inner.send(request).await }).await.unwrap();
            }
            _ => {}
        }
        let answered = self.inner.send(request).await;
        if self.bug == TransportBug::BlursErrors {
            return answered.map_err(|_| Error::new(ErrorKind::Interrupted, "something went wrong"));
        }
        let mut answer = answered?;
        match self.bug {
            TransportBug::DropsHeaders => answer.headers.clear(),
            TransportBug::FailsOnStatus if !answer.status.is_success() => {
                return Err(Error::new(ErrorKind::Remote, "the callee failed"));
            }
            TransportBug::MixesAnswers => {
                std::mem::swap(&mut answer.body, &mut *self.last.lock().unwrap());
            }
            TransportBug::FillsEmptyBodies if answer.body.as_bytes().is_none() => answer.body = Body::full("{}"),
            TransportBug::CollectsAnswers => {
                let whole = std::mem::take(&mut answer.body).collect(usize::MAX).await?;
                answer.body = Body::full(whole);
            }
            TransportBug::CutsBodies | TransportBug::EndsBrokenBodies => {
                answer.body = spoilt(std::mem::take(&mut answer.body), self.bug);
            }
            _ => {}
        }
        Ok(answer)
    }

    fn capabilities(&self) -> TransportCapabilities {
        self.inner.capabilities()
    }
}
