//! One question to several components that can do the same.

mod outcome;

use std::{collections::HashSet, fmt, sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt, stream};
use serde::{Serialize, de::DeserializeOwned};

pub use self::outcome::{Answered, Outcome};
use self::outcome::{Failures, counted};
use super::{Call, Reply};
use crate::{
    context::Context,
    contract::Entry,
    directory::Query,
    error::{Error, ErrorKind, Result, Sent},
    tekton::{Peer, Price, Tekton},
    time::Deadline,
    transport::Safety,
};

/// How many are asked, and how many of them at once, unless said otherwise.
const USUAL: usize = 16;

impl Tekton {
    /// Asks several components that match at once: the first answer, all answers, or a quorum of equal worth.
    ///
    /// Each *component* is asked once, by its name, however many instances of it there are; the call chooses among them as every
    /// call does. They are asked in the query's order, that of [`Tekton::choose`].
    ///
    /// ```
    /// # tekton_sdk::testing::block_on(async {
    /// use serde_json::json;
    /// use tekton_sdk::{ErrorKind, directory::Query, testing::{FakeComponent, TestBed}};
    ///
    /// let bed = TestBed::new()?;
    /// let model = |name| FakeComponent::new(name).capability("text.generate");
    /// bed.serve(model("rhetor").answers("generate", "Qubits.")).await?;
    /// bed.serve(model("noesis").fails("generate", ErrorKind::Invalid)).await?;
    ///
    /// let ask = || {
    ///     let scatter = bed.tekton().scatter(Query::capability("text.generate"));
    ///     scatter.request::<String>("generate").json(&json!({ "prompt": "Explain." })).read()
    /// };
    /// let first = ask().first().await?;
    /// assert_eq!((first.holder(), first.as_str()), ("rhetor", "Qubits."));
    /// assert_eq!(ask().all().await?.iter().filter(|outcome| outcome.result.is_ok()).count(), 1);
    /// assert!(ask().quorum(2).await.is_err());
    /// # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
    /// ```
    pub fn scatter(&self, query: Query) -> Scatter {
        Scatter { tekton: self.clone(), query, limit: USUAL, concurrency: USUAL, instances: false }
    }
}

/// Whom a question goes to.
#[must_use = "nobody is asked until a request is made and awaited"]
#[derive(Clone, Debug)]
pub struct Scatter {
    tekton: Tekton,
    query: Query,
    limit: usize,
    concurrency: usize,
    instances: bool,
}

impl Scatter {
    /// Asks at most so many, the best ones. Default: 16.
    pub const fn limit(mut self, holders: usize) -> Self {
        self.limit = holders;
        self
    }

    /// Asks at most so many at once; when one has answered, the next one is asked. Default: 16.
    pub const fn concurrency(mut self, at_once: usize) -> Self {
        self.concurrency = at_once;
        self
    }

    /// Asks every instance of each component, at its endpoint, instead of each component once.
    pub const fn instances(mut self) -> Self {
        self.instances = true;
        self
    }

    /// What is asked of each: an operation, as by [`Peer::request`].
    pub fn request<T>(self, operation: impl AsRef<str>) -> ScatterCall<T> {
        let best = self.tekton.peer_for(self.query.clone());
        ScatterCall { call: Call::owned(best, operation.as_ref()), scatter: self, writes: false }
    }

    /// Who is asked, best first.
    async fn holders(&self) -> Result<Vec<Holder>> {
        if self.limit == 0 || self.concurrency == 0 {
            return Err(Error::invalid("a scatter asks at least one component, and one at a time; raise its limits"));
        }
        let chosen = self.tekton.choose(&self.query).await.map_err(|error| error.with_sent(Sent::No))?;
        let mut known = HashSet::new();
        let entries = chosen.into_iter().map(|choice| choice.entry);
        let entries = entries.filter(|entry| self.instances || known.insert(entry.name.to_ascii_lowercase()));
        let holders: Vec<_> = entries.take(self.limit).map(|entry| Holder::of(entry, self.instances)).collect();
        if holders.is_empty() {
            let what = format!("no component is registered for {}", self.query.describe());
            return Err(Error::not_found(what).with_sent(Sent::No));
        }
        Ok(holders)
    }
}

/// One of those who are asked.
struct Holder {
    name: Arc<str>,
    /// Where it is asked, and what it declares as its price, if the instance is meant.
    at: Option<(String, Option<f64>)>,
}

impl Holder {
    fn of(entry: Entry, instance: bool) -> Self {
        if instance {
            return Self { name: entry.id.into(), at: Some((entry.endpoint, entry.metadata.cost)) };
        }
        Self { name: entry.name.into(), at: None }
    }

    /// A call to an endpoint knows no entry, so it is told what the entry declares.
    fn priced<T>(&self, call: Call<'static, T>) -> Call<'static, T> {
        match self.at {
            Some((_, Some(price))) => call.extension(Price(price)),
            _ => call,
        }
    }

    fn peer(&self, tekton: &Tekton) -> Result<Peer> {
        match &self.at {
            Some((endpoint, _)) => tekton.peer_at(endpoint).map_err(|error| error.with_sent(Sent::No)),
            None => Ok(tekton.peer(Arc::clone(&self.name))),
        }
    }
}

/// A question that is being put together; [`first`](Self::first), [`all`](Self::all) or [`quorum`](Self::quorum) asks it.
///
/// One deadline bounds finding and asking all of them. Dropping the future gives up every call. Inside an operation that has a
/// [budget](crate::context::Budget) each call sets its own part aside; a call that is given up because the others sufficed has
/// probably cost, and is counted in full.
#[must_use = "nobody is asked until it is awaited"]
pub struct ScatterCall<T = serde_json::Value> {
    scatter: Scatter,
    call: Call<'static, T>,
    writes: bool,
}

impl<T> ScatterCall<T> {
    /// Changes the call that each of them gets, by any door of [`Call`]. An idempotency key that it sets is the same for all;
    /// one that is drawn is another for each.
    pub fn with(mut self, change: impl FnOnce(Call<'static, T>) -> Call<'static, T>) -> Self {
        self.call = change(self.call);
        self
    }

    /// Sends this value as the JSON body.
    pub fn json<B: Serialize + ?Sized>(self, body: &B) -> Self {
        self.with(|call| call.json(body))
    }

    /// Limits all of it: finding them, every call, and every wait for a turn. The deadline of the running operation bounds it too.
    /// Default: the handle's limit of a call.
    pub fn timeout(self, limit: Duration) -> Self {
        self.with(|call| call.timeout(limit))
    }

    /// Says that the operation changes nothing, so that it may be asked of many, and each call may be tried again.
    pub fn read(self) -> Self {
        self.with(|call| call.safety(Safety::Read))
    }

    /// Lets an operation that changes something be carried out by each of them. Those whose calls are given up, or whose answers
    /// are lost, may have carried it out as well.
    pub const fn write_on_each(mut self) -> Self {
        self.writes = true;
        self
    }

    fn check(&mut self) -> Result<()> {
        if let Some(wrong) = self.call.take_wrong() {
            return Err(wrong);
        }
        if self.writes || self.call.is_read() {
            return Ok(());
        }
        Err(Error::invalid(
            "each component that a scatter reaches carries it out: say read() of an operation that changes nothing, or \
             write_on_each()",
        ))
    }
}

impl<T: DeserializeOwned + Send + 'static> ScatterCall<T> {
    /// The first answer of success; the calls that are still under way are given up.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if nobody matches; [`Invalid`](ErrorKind::Invalid) for a write that is not
    /// [allowed](Self::write_on_each), and what is wrong about the call; [`Timeout`](ErrorKind::Timeout) if finding them takes
    /// until the deadline. If all fail, the kind of the best one's failure, with the failures of the best eight.
    ///
    /// # Cancel safety
    /// Dropping the future gives up every call.
    pub async fn first(self) -> Result<Answered<T>> {
        let (holders, mut answers) = self.ask().await?;
        let mut failed = Failures::default();
        while let Some((place, result)) = answers.next().await {
            match result {
                Ok(reply) => return Ok(Answered { holder: Arc::clone(&holders[place]), reply }),
                Err(error) => failed.add(place, error),
            }
        }
        Err(failed.into_error(&holders, format!("none of {} answered", counted(holders.len()))))
    }

    /// What each of them answered, or how it failed, in the query's order.
    ///
    /// # Errors
    /// Those of [`Self::first`], but for the failures of the calls: each of them is the outcome of its component.
    ///
    /// # Cancel safety
    /// Dropping the future gives up every call.
    pub async fn all(self) -> Result<Vec<Outcome<T>>> {
        let (holders, answers) = self.ask().await?;
        let mut answers: Vec<_> = answers.collect().await;
        answers.sort_by_key(|(place, _)| *place);
        Ok(holders.into_iter().zip(answers).map(|(holder, (_, result))| Outcome { holder, result }).collect())
    }

    /// So many answers of success, in the query's order; the calls that are still under way then are given up.
    ///
    /// # Errors
    /// Those of [`Self::first`], and [`Rejected`](ErrorKind::Rejected), nothing sent, if fewer match than are wanted. As soon as
    /// too many have failed, the kind of the best one's failure, with the counts and the failures.
    ///
    /// # Cancel safety
    /// Dropping the future gives up every call.
    pub async fn quorum(self, wanted: usize) -> Result<Vec<Answered<T>>> {
        if wanted == 0 {
            return Err(Error::invalid("a quorum is of at least one answer"));
        }
        let (holders, mut answers) = self.ask().await?;
        let asked = holders.len();
        if wanted > asked {
            let what = format!("a quorum of {wanted} is out of reach: {} can be asked", counted(asked));
            return Err(Error::new(ErrorKind::Rejected, what).with_sent(Sent::No));
        }
        let (mut agreed, mut failed) = (Vec::new(), Failures::default());
        while let Some((place, result)) = answers.next().await {
            match result {
                Ok(reply) => agreed.push((place, reply)),
                Err(error) => failed.add(place, error),
            }
            if agreed.len() == wanted {
                agreed.sort_by_key(|(place, _)| *place);
                let answered = |(place, reply): (usize, _)| Answered { holder: Arc::clone(&holders[place]), reply };
                return Ok(agreed.into_iter().map(answered).collect());
            }
            if failed.count() > asked - wanted {
                break;
            }
        }
        drop(answers);
        let (answered, lost) = (agreed.len(), failed.count());
        let what = format!("a quorum of {wanted} is out of reach: {answered} of {asked} answered, {lost} failed");
        Err(failed.into_error(&holders, what).with_sent(Sent::Maybe))
    }

    /// Finds whom to ask, and asks when polled: each answer comes with its holder's place.
    async fn ask(mut self) -> Result<(Vec<Arc<str>>, impl Stream<Item = (usize, Result<Reply<T>>)> + Send + Unpin)> {
        self.check()?;
        let tekton = self.scatter.tekton.clone();
        let clock = tekton.clock().clone();
        let own = Deadline::after(clock.now(), self.call.limit().unwrap_or_else(|| tekton.usual_timeout()));
        let deadline = own.earlier(Context::current().and_then(|context| context.deadline()));
        let limit = deadline.remaining(clock.now());
        let found = clock.timeout(limit, self.scatter.holders()).await.unwrap_or_else(|| {
            let late = format!("nobody was found within the deadline of {limit:?}");
            Err(Error::new(ErrorKind::Timeout, late).with_sent(Sent::No))
        })?;
        let mut calls = Vec::with_capacity(found.len());
        for (place, holder) in found.iter().enumerate() {
            let call = match holder.peer(&tekton) {
                Ok(peer) => Ok(self.call.copy_to(peer)?),
                Err(error) => Err(error.with_target(holder.name.to_string())),
            };
            calls.push((place, call.map(|call| holder.priced(call))));
        }
        let holders = found.into_iter().map(|holder| holder.name).collect();
        let asking = stream::iter(calls).map(move |(place, call)| {
            let clock = clock.clone();
            async move {
                // Its turn may come late: only what is left of the one deadline is its own.
                let result = match call {
                    Ok(call) => call.timeout(deadline.remaining(clock.now())).await,
                    Err(error) => Err(error),
                };
                (place, result)
            }
        });
        Ok((holders, asking.buffer_unordered(self.scatter.concurrency).boxed()))
    }
}

impl<T> fmt::Debug for ScatterCall<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScatterCall").field("scatter", &self.scatter).field("call", &self.call).finish_non_exhaustive()
    }
}
