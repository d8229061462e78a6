//! What a call may cost, and what it did: `X-Tekton-Budget` and `X-Tekton-Spent`.
//!
//! Both are `tokens=1200;micros=50000`, each part at most once, in either order, in plain digits. A part that is left out of a
//! budget is not limited; one that is left out of what was spent is nothing.
//!
//! *What can go wrong:* a budget that cannot be read is an error and not "no budget", because who sent it meant a limit. What
//! was spent is not believed where it cannot be read: the caller then counts what it had set aside.

use std::fmt;

use http::{HeaderMap, HeaderValue};

use super::headers;
use crate::error::{Error, Result};

/// The most digits that a number of 64 bits has.
const MAX_DIGITS: usize = 20;

/// What something costs: tokens of a language model, and money in millionths of the mesh's unit.
///
/// ```
/// use tekton_sdk::context::Cost;
///
/// let cost = Cost::tokens(1_200).with_micros(50_000);
/// assert_eq!(cost.to_string(), "1200 tokens and 50000 micros");
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cost {
    /// How many tokens.
    pub tokens: u64,
    /// How much money, in millionths of the unit that the mesh agrees on: what a component declares as a cost of 0.002 is 2,000.
    pub micros: u64,
}

impl Cost {
    /// Nothing.
    pub const ZERO: Self = Self { tokens: 0, micros: 0 };

    /// So many tokens and no money.
    #[must_use]
    pub const fn tokens(tokens: u64) -> Self {
        Self { tokens, micros: 0 }
    }

    /// So much money and no tokens.
    #[must_use]
    pub const fn micros(micros: u64) -> Self {
        Self { tokens: 0, micros }
    }

    /// Sets the tokens.
    #[must_use]
    pub const fn with_tokens(mut self, tokens: u64) -> Self {
        self.tokens = tokens;
        self
    }

    /// Sets the money.
    #[must_use]
    pub const fn with_micros(mut self, micros: u64) -> Self {
        self.micros = micros;
        self
    }

    /// The sum; what is too large stays at the largest number.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { tokens: self.tokens.saturating_add(other.tokens), micros: self.micros.saturating_add(other.micros) }
    }

    /// The price of a call as a component declares it, rounded up to a millionth; `None` if it is no price.
    #[must_use]
    pub(crate) fn declared(price: f64) -> Option<Self> {
        let micros = price * 1e6;
        // A hundredth of a millionth comes from binary fractions, not from the price.
        let whole = if (micros - micros.round()).abs() < 0.01 { micros.round() } else { micros.ceil() };
        // `as` takes what is too large for the largest number.
        (price.is_finite() && price >= 0.0).then_some(Self::micros(whole as u64))
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.tokens, self.micros) {
            (tokens, 0) => write!(f, "{tokens} tokens"),
            (0, micros) => write!(f, "{micros} micros"),
            (tokens, micros) => write!(f, "{tokens} tokens and {micros} micros"),
        }
    }
}

/// What may be spent. What is `None` is not limited.
///
/// ```
/// use tekton_sdk::context::Allowance;
///
/// let allowance = Allowance::tokens(10_000);
/// assert_eq!((allowance.tokens, allowance.micros), (Some(10_000), None));
/// assert_eq!(allowance.with_micros(5).to_string(), "10000 tokens and 5 micros");
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Allowance {
    /// At most so many tokens.
    pub tokens: Option<u64>,
    /// At most so much money, in millionths.
    pub micros: Option<u64>,
}

impl Allowance {
    /// At most so many tokens, and any amount of money.
    #[must_use]
    pub const fn tokens(tokens: u64) -> Self {
        Self { tokens: Some(tokens), micros: None }
    }

    /// At most so much money, and any number of tokens.
    #[must_use]
    pub const fn micros(micros: u64) -> Self {
        Self { tokens: None, micros: Some(micros) }
    }

    /// Limits the tokens.
    #[must_use]
    pub const fn with_tokens(mut self, tokens: u64) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Limits the money.
    #[must_use]
    pub const fn with_micros(mut self, micros: u64) -> Self {
        self.micros = Some(micros);
        self
    }

    /// The lower limit of each.
    #[must_use]
    pub fn lower(self, other: Self) -> Self {
        let lower = |one: Option<u64>, two: Option<u64>| one.into_iter().chain(two).min();
        Self { tokens: lower(self.tokens, other.tokens), micros: lower(self.micros, other.micros) }
    }

    /// Whether so much may be spent.
    #[must_use]
    pub fn covers(self, cost: Cost) -> bool {
        self.tokens.is_none_or(|tokens| cost.tokens <= tokens) && self.micros.is_none_or(|micros| cost.micros <= micros)
    }

    /// As much of a cost as may be spent.
    #[must_use]
    pub(crate) fn cut(self, cost: Cost) -> Cost {
        Cost {
            tokens: self.tokens.map_or(cost.tokens, |tokens| cost.tokens.min(tokens)),
            micros: self.micros.map_or(cost.micros, |micros| cost.micros.min(micros)),
        }
    }

    /// As a header's value; `None` if nothing is limited.
    #[must_use]
    pub fn to_header(self) -> Option<HeaderValue> {
        (self != Self::default()).then(|| header(self.tokens, self.micros))
    }
}

impl From<Cost> for Allowance {
    /// At most this, of both.
    fn from(cost: Cost) -> Self {
        Self { tokens: Some(cost.tokens), micros: Some(cost.micros) }
    }
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.tokens, self.micros) {
            (None, None) => f.write_str("no limit"),
            (Some(tokens), None) => write!(f, "{tokens} tokens"),
            (None, Some(micros)) => write!(f, "{micros} micros"),
            (Some(tokens), Some(micros)) => write!(f, "{tokens} tokens and {micros} micros"),
        }
    }
}

/// Why a budget refused: the source of the [`Error`] that tells of it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overdrawn {
    /// What was asked for.
    pub asked: Cost,
    /// What is left, without what calls under way have set aside.
    pub left: Allowance,
}

impl Overdrawn {
    pub(crate) const fn new(asked: Cost, left: Allowance) -> Self {
        Self { asked, left }
    }
}

impl fmt::Display for Overdrawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, left } = self;
        write!(f, "budget: {asked} were asked for, and {left} are left; ask for less, or allow more at the root")
    }
}

impl std::error::Error for Overdrawn {}

/// Reads what a call may spend; `None` if nothing is said.
///
/// # Errors
/// [`Invalid`](crate::ErrorKind::Invalid) if it is said twice, or cannot be read.
pub fn allowance(headers: &HeaderMap) -> Result<Option<Allowance>> {
    let mut values = headers.get_all(headers::BUDGET).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let read = value.to_str().ok().and_then(parse).filter(|_| values.next().is_none());
    let wrong =
        "the header x-tekton-budget must be sent once, as tokens=1200;micros=50000 with at least one of the two";
    read.map(Some).ok_or_else(|| Error::invalid(wrong))
}

/// Reads what a call has cost; `None` if nothing is said, or nothing that can be read.
#[must_use]
pub fn spent(headers: &HeaderMap) -> Option<Cost> {
    let mut values = headers.get_all(headers::SPENT).iter();
    let spent = values.next()?.to_str().ok().and_then(parse)?;
    let cost = Cost { tokens: spent.tokens.unwrap_or(0), micros: spent.micros.unwrap_or(0) };
    values.next().is_none().then_some(cost)
}

/// What was spent, as a header's value.
#[must_use]
pub fn spent_header(cost: Cost) -> HeaderValue {
    header(Some(cost.tokens), Some(cost.micros))
}

fn parse(text: &str) -> Option<Allowance> {
    let mut read = Allowance::default();
    for part in text.split(';') {
        let (name, digits) = part.split_once('=')?;
        let number = match digits.len() {
            1..=MAX_DIGITS if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok()?,
            _ => return None,
        };
        let place = match name {
            "tokens" => &mut read.tokens,
            "micros" => &mut read.micros,
            _ => return None,
        };
        if place.replace(number).is_some() {
            return None;
        }
    }
    Some(read)
}

fn header(tokens: Option<u64>, micros: Option<u64>) -> HeaderValue {
    let text = match (tokens, micros) {
        (Some(tokens), Some(micros)) => format!("tokens={tokens};micros={micros}"),
        (Some(tokens), None) => format!("tokens={tokens}"),
        (None, Some(micros)) => format!("micros={micros}"),
        (None, None) => String::new(),
    };
    HeaderValue::try_from(text).expect("letters, digits and two signs are visible ASCII")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with(name: http::HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    #[test]
    fn a_budget_that_cannot_be_read_is_an_error_and_never_no_budget() {
        assert_eq!(allowance(&HeaderMap::new()).unwrap(), None);
        let read = |text| allowance(&with(headers::BUDGET, &[text]));
        assert_eq!(read("tokens=5").unwrap(), Some(Allowance::tokens(5)));
        assert_eq!(read("micros=7;tokens=0").unwrap(), Some(Allowance::tokens(0).with_micros(7)));
        let wrong = [
            "",
            ";",
            "tokens",
            "tokens=",
            "tokens=-1",
            "tokens=+1",
            "tokens= 1",
            "tokens=1 ",
            "tokens=1;",
            "tokens=1,micros=2",
            "tokens=1;tokens=1",
            "Tokens=1",
            "euros=1",
            "tokens=1;euros=1",
            "tokens=1.5",
            "tokens=18446744073709551616",
            "tokens=000000000000000000001",
            "tokens=\u{661}",
        ];
        for text in wrong {
            let error = read(text).unwrap_err();
            assert!(error.to_string().contains("x-tekton-budget"), "{text:?}: {error}");
            assert_eq!(spent(&with(headers::SPENT, &[text])), None, "{text:?}");
        }
        allowance(&with(headers::BUDGET, &["tokens=1", "tokens=1"])).unwrap_err();
        assert_eq!(spent(&with(headers::SPENT, &["tokens=1", "tokens=1"])), None);
        assert_eq!(spent(&with(headers::SPENT, &["micros=3"])), Some(Cost::micros(3)));
    }

    #[test]
    fn a_declared_price_is_rounded_up_to_a_millionth() {
        for (price, micros) in
            [(0.0, 0), (0.002, 2_000), (0.0003, 300), (1.1, 1_100_000), (0.000_000_5, 1), (1e30, u64::MAX)]
        {
            assert_eq!(Cost::declared(price), Some(Cost::micros(micros)), "{price}");
        }
        for price in [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Cost::declared(price), None, "{price}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(tokens: Option<u64>, micros: Option<u64>, spent_tokens: u64, spent_micros: u64) {
            let limit = Allowance { tokens, micros };
            prop_assume!(limit != Allowance::default());
            let mut sent = HeaderMap::new();
            sent.insert(headers::BUDGET, limit.to_header().unwrap());
            prop_assert_eq!(allowance(&sent).unwrap(), Some(limit));
            let cost = Cost { tokens: spent_tokens, micros: spent_micros };
            sent.insert(headers::SPENT, spent_header(cost));
            prop_assert_eq!(spent(&sent), Some(cost));
        }

        #[test]
        fn no_header_panics(text in "\\PC{0,40}") {
            let Ok(value) = HeaderValue::from_str(&text) else { return Ok(()) };
            let mut sent = HeaderMap::new();
            sent.insert(headers::BUDGET, value.clone());
            sent.insert(headers::SPENT, value);
            let (read, spent) = (allowance(&sent), spent(&sent));
            prop_assert_eq!(read.is_ok(), spent.is_some());
        }
    }
}
