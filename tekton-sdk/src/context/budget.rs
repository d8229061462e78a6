//! What a tree of calls may spend.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    error::{Error, ErrorKind, Result, Sent},
    wire::spend::{Allowance, Cost, Overdrawn},
};

/// What a call and all calls below it may spend, in tokens, in money or in both. Clones share it.
///
/// It refuses before it is overdrawn: what is going to be spent is set aside first, so the sum of what is spent and what is
/// set aside never exceeds the limit, however many calls run at once.
///
/// Put into a [`Context`](super::Context), it bounds every call made inside. Each attempt sets its allotment aside, sends it as
/// `X-Tekton-Budget`, and is charged what the callee answers as `X-Tekton-Spent`; the callee has the allotment as the budget of
/// its [`Context`](super::Context), and so on down the tree.
///
/// ```
/// use tekton_sdk::{ErrorKind, context::{Budget, Cost}};
///
/// let budget = Budget::tokens(1_000);
/// let set_aside = budget.reserve(Cost::tokens(700))?;
/// assert_eq!(budget.reserve(Cost::tokens(400)).unwrap_err().kind(), ErrorKind::Rejected);
/// set_aside.settle(Cost::tokens(250));
/// assert_eq!((budget.spent(), budget.left().tokens), (Cost::tokens(250), Some(750)));
/// # Ok::<(), tekton_sdk::Error>(())
/// ```
#[derive(Clone)]
pub struct Budget(Arc<Mutex<Account>>);

#[derive(Debug, Default)]
struct Account {
    limit: Allowance,
    spent: Cost,
    held: Held,
    /// Whether the work itself says what it costs in money.
    priced: bool,
    closed: bool,
}

/// What is set aside. Wider than a cost, because the sum of what is not limited may not fit into one.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    tokens: u128,
    micros: u128,
}

impl Account {
    /// What is neither spent nor set aside.
    fn left(&self) -> Allowance {
        if self.closed {
            return Allowance::from(Cost::ZERO);
        }
        let left = |limit: Option<u64>, spent: u64, held: u128| {
            let held = u64::try_from(held).unwrap_or(u64::MAX);
            limit.map(|limit| limit.saturating_sub(spent).saturating_sub(held))
        };
        Allowance {
            tokens: left(self.limit.tokens, self.spent.tokens, self.held.tokens),
            micros: left(self.limit.micros, self.spent.micros, self.held.micros),
        }
    }

    /// Whether there was something to spend, and all of it is spent.
    fn is_exhausted(&self) -> bool {
        let all = |limit: Option<u64>, spent: u64| limit.is_some_and(|limit| limit > 0 && spent >= limit);
        self.closed || all(self.limit.tokens, self.spent.tokens) || all(self.limit.micros, self.spent.micros)
    }

    fn hold(&mut self, cost: Cost) -> Result<()> {
        let left = self.left();
        if self.is_exhausted() || !left.covers(cost) {
            return Err(refused(Overdrawn::new(cost, left)));
        }
        self.held.tokens += u128::from(cost.tokens);
        self.held.micros += u128::from(cost.micros);
        Ok(())
    }

    /// Counts what was spent of what was set aside, and whatever of the rest there is room for.
    fn settle(&mut self, held: Cost, actual: Cost) -> Cost {
        self.held.tokens = self.held.tokens.saturating_sub(u128::from(held.tokens));
        self.held.micros = self.held.micros.saturating_sub(u128::from(held.micros));
        if self.closed {
            // What was set aside was counted when it was closed.
            return held;
        }
        let charged = self.left().cut(actual);
        self.spent = self.spent.plus(charged);
        charged
    }
}

impl Budget {
    /// A budget of this much, for both, for one of the two, or for neither: then it only counts.
    #[must_use]
    pub fn new(limit: Allowance) -> Self {
        Self(Arc::new(Mutex::new(Account { limit, ..Account::default() })))
    }

    /// A budget of so many tokens; money is not limited.
    #[must_use]
    pub fn tokens(tokens: u64) -> Self {
        Self::new(Allowance::tokens(tokens))
    }

    /// A budget of so much money, in millionths; tokens are not limited.
    #[must_use]
    pub fn micros(micros: u64) -> Self {
        Self::new(Allowance::micros(micros))
    }

    /// What may be spent in all.
    #[must_use]
    pub fn limit(&self) -> Allowance {
        self.lock().limit
    }

    /// What was spent so far, without what is set aside.
    #[must_use]
    pub fn spent(&self) -> Cost {
        self.lock().spent
    }

    /// What is neither spent nor set aside.
    #[must_use]
    pub fn left(&self) -> Allowance {
        self.lock().left()
    }

    /// Sets this much aside, before it is spent.
    ///
    /// An operation whose component declares a cost, and which sets money aside by this or by [`Self::spend`], knows its price
    /// better: what the component declares is then not charged beside it.
    ///
    /// # Errors
    /// [`Rejected`](ErrorKind::Rejected) with an [`Overdrawn`] as its source, naming what was asked and what is left: if less is
    /// left; if nothing is left of a budget that was not 0 from the beginning, even for what costs nothing; if the operation
    /// that it was given to has ended.
    pub fn reserve(&self, cost: Cost) -> Result<Reservation> {
        let reservation = self.hold(cost)?;
        self.lock().priced |= cost.micros > 0;
        Ok(reservation)
    }

    /// Spends this much, all of it or nothing.
    ///
    /// # Errors
    /// Those of [`Self::reserve`]; nothing is spent then.
    pub fn spend(&self, cost: Cost) -> Result<()> {
        self.reserve(cost)?.settle(cost);
        Ok(())
    }

    /// Sets this much aside for a call, which says nothing of what the work itself costs.
    pub(crate) fn hold(&self, cost: Cost) -> Result<Reservation> {
        self.lock().hold(cost)?;
        Ok(Reservation { budget: self.clone(), held: cost, open: true })
    }

    /// Counts what the component declares as the price of a call, unless the operation has said what it costs.
    #[cfg(feature = "host")]
    pub(crate) fn charge_declared(&self, price: Cost) {
        let mut account = self.lock();
        if !account.priced {
            account.settle(Cost::ZERO, price);
        }
    }

    /// Ends it: nothing more can be set aside, and what is set aside counts as spent. Says what was spent in all.
    ///
    /// Who is told the sum gives back what is left of the allotment, so nothing may be spent after that.
    #[cfg(feature = "host")]
    pub(crate) fn close(&self) -> Cost {
        let mut account = self.lock();
        if !account.closed {
            let held = |held: u128| u64::try_from(held).unwrap_or(u64::MAX);
            let held = Cost::tokens(held(account.held.tokens)).with_micros(held(account.held.micros));
            account.spent = account.spent.plus(held);
            account.closed = true;
        }
        account.spent
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = self.lock();
        f.debug_struct("Budget")
            .field("limit", &account.limit)
            .field("spent", &account.spent)
            .field("left", &account.left())
            .finish()
    }
}

/// A part of a [`Budget`] that is set aside.
///
/// Dropped, all of it counts as spent: nobody knows then what the work has cost, and it was set aside because it costs.
#[must_use = "dropping it counts all of it as spent"]
#[derive(Debug)]
pub struct Reservation {
    budget: Budget,
    held: Cost,
    open: bool,
}

impl Reservation {
    /// How much is set aside.
    #[must_use]
    pub const fn held(&self) -> Cost {
        self.held
    }

    /// Counts what the work has cost, and gives the rest back. What it cost above the reservation is counted as far as there is
    /// something left. Says what was counted.
    pub fn settle(mut self, actual: Cost) -> Cost {
        self.end(actual)
    }

    /// Gives all of it back, for work that was certainly not begun.
    pub fn give_back(mut self) {
        self.end(Cost::ZERO);
    }

    fn end(&mut self, actual: Cost) -> Cost {
        self.open = false;
        self.budget.lock().settle(self.held, actual)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.open {
            self.end(self.held);
        }
    }
}

/// The error of a budget that refuses.
pub(crate) fn refused(overdrawn: Overdrawn) -> Error {
    Error::new(ErrorKind::Rejected, overdrawn.to_string()).with_source(overdrawn).with_sent(Sent::No)
}

#[cfg(test)]
mod tests;
