//! What an attempt may cost, set aside before it is sent; what it did, counted when it is answered.

use std::sync::{Arc, OnceLock};

use super::resolve::Resolve;
use crate::{
    context::{Allowance, Cost, Overdrawn, Reservation, refused},
    error::{Result, Sent},
    policy::{Next, Policy},
    time::BoxFuture,
    transport::{Endpoint, Request, Response},
    wire::headers,
};

/// What one attempt of a call may cost, set on the call's extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpendLimit(pub(crate) Allowance);

/// What the component that a call goes to declares as its price, where the caller knows the entry already.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Price(pub(crate) f64);

/// The stage behind discovery, once per attempt, for calls that have a budget.
///
/// | outcome | what is counted |
/// |---|---|
/// | the callee says what it has spent | that, at most the allotment |
/// | an answer of success that does not say | the price that the component declares; what was set aside for tokens |
/// | certainly not sent | nothing |
/// | anything else, also when nobody waits any more | all that was set aside: it may have been carried out |
#[derive(Debug)]
pub(super) struct Spend {
    /// Knows the entries, and with them what each declares.
    resolve: Option<Arc<Resolve>>,
}

impl Spend {
    pub(super) const fn new(resolve: Option<Arc<Resolve>>) -> Self {
        Self { resolve }
    }

    /// What the component at the endpoint that was chosen declares as the price of a call.
    async fn declared(&self, request: &Request) -> Option<Cost> {
        if let Some(Price(price)) = request.call.extensions.get::<Price>() {
            return Cost::declared(*price);
        }
        let (resolve, endpoint) = (self.resolve.as_ref()?, request.endpoint.as_ref()?);
        // The endpoint was found a moment ago, so this is remembered.
        let entries = resolve.entries().await.ok()?;
        if entries.iter().all(|entry| entry.metadata.cost.is_none()) {
            return None;
        }
        // Most endpoints are written as they are shown; only the others are read once more.
        let shown = endpoint.to_string();
        let parsed = |text: &str| Endpoint::parse(text).is_ok_and(|parsed| parsed == *endpoint);
        let as_shown = entries.iter().find(|entry| entry.endpoint == shown);
        let chosen = as_shown.or_else(|| entries.iter().find(|entry| parsed(&entry.endpoint)))?;
        Cost::declared(chosen.metadata.cost?)
    }
}

impl Policy for Spend {
    fn name(&self) -> &'static str {
        "budget"
    }

    fn handle<'a>(&'a self, mut request: Request, next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        Box::pin(async move {
            let declared = self.declared(&request).await;
            let mut allotment = Allotment::of(&request, declared)?;
            if let Some(value) = allotment.limit.to_header() {
                request.headers.insert(headers::BUDGET, value);
            }
            let told = Arc::new(OnceLock::new());
            request.call.told_cost = Some(Arc::clone(&told));
            let outcome = next.run(request).await;
            allotment.settle(&outcome, told.get().copied());
            outcome
        })
    }
}

/// What one attempt may spend.
struct Allotment {
    /// What the callee is told.
    limit: Allowance,
    declared: Option<Cost>,
    asked: Cost,
    /// What is set aside of the budget of the running operation, if there is one.
    held: Option<Reservation>,
}

impl Allotment {
    fn of(request: &Request, declared: Option<Cost>) -> Result<Self> {
        let own = request.call.extensions.get::<SpendLimit>().map(|limit| limit.0).unwrap_or_default();
        let price = declared.unwrap_or_default();
        let allowed = Allowance { tokens: None, micros: own.micros };
        if !allowed.covers(price) {
            return Err(refused(Overdrawn::new(price, allowed)));
        }
        let asked = Cost::tokens(own.tokens.unwrap_or(0)).with_micros(own.micros.unwrap_or(price.micros));
        let budget = request.call.budget.as_ref();
        let whole = budget.map(|budget| budget.limit()).unwrap_or_default();
        // What neither the budget nor the call limits, the callee need not either.
        let limit = Allowance {
            tokens: whole.tokens.or(own.tokens).map(|_| asked.tokens),
            micros: whole.micros.or(own.micros).map(|_| asked.micros),
        };
        let held = budget.map(|budget| budget.hold(asked)).transpose()?;
        Ok(Self { limit, declared, asked, held })
    }

    fn settle(&mut self, outcome: &Result<Response>, told: Option<Cost>) {
        let Some(held) = self.held.take() else { return };
        match (outcome, told) {
            (_, Some(told)) => drop(held.settle(self.limit.cut(told))),
            (Err(error), None) if error.sent() == Sent::No => held.give_back(),
            (Ok(_), None) => {
                let micros = self.declared.map_or(self.asked.micros, |price| price.micros);
                held.settle(self.asked.with_micros(micros));
            }
            (Err(_), None) => drop(held),
        }
    }
}
