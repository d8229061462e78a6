//! What an operation may spend for its caller, and what it says of that.

use http::StatusCode;

use super::refusal::Refusal;
use crate::{
    context::{Allowance, Budget, Cost, Overdrawn, refused},
    transport::{Inbound, Response},
    wire::{headers, spend},
};

/// A component's own part in what its operations may spend.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Purse {
    /// What an operation may spend at most, whatever its caller allows.
    pub(super) most: Allowance,
    /// What the component declares as the price of a call.
    pub(super) price: Option<f64>,
}

impl Purse {
    /// What one request may spend: the lower of what its caller and what the component allows; `None` if neither says.
    pub(super) fn open(&self, request: &Inbound) -> Result<Option<Budget>, Box<Refusal>> {
        // Who meant a limit must not get none.
        let received = spend::allowance(&request.headers)
            .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, "malformed_budget", error.to_string()))?;
        let limit = received.unwrap_or_default().lower(self.most);
        Ok((limit != Allowance::default()).then(|| Budget::new(limit)))
    }

    /// Begins an operation that has this budget: it is refused if it cannot pay the component's price.
    pub(super) fn begin(&self, budget: Option<&Budget>) -> Result<Option<Charge>, Box<Refusal>> {
        let price = self.price.and_then(Cost::declared).filter(|price| *price != Cost::ZERO);
        let Some((budget, price)) = budget.zip(price) else { return Ok(None) };
        let left = budget.left();
        if left.covers(price) {
            Ok(Some(Charge { budget: budget.clone(), price }))
        } else {
            Err(refused(Overdrawn::new(price, left)).into())
        }
    }
}

/// Charges the component's price when the operation ends, however it ends, unless it has said itself what it costs.
#[must_use = "it is charged when this is dropped"]
#[derive(Debug)]
pub(super) struct Charge {
    budget: Budget,
    price: Cost,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.charge_declared(self.price);
    }
}

/// Says in the answer what was spent. Nothing can be spent after that.
pub(super) fn tell(answer: &mut Response, budget: Option<&Budget>) {
    let spent = budget.map(Budget::close).unwrap_or_default();
    answer.headers.insert(headers::SPENT, spend::spent_header(spent));
}
