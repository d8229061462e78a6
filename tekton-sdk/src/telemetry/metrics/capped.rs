//! Counters by label, whose number is bounded whatever comes in.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use super::cells::Count;
use crate::telemetry::names::OTHER;

/// How many values of one label are told apart.
pub(super) const MAX_VALUES: usize = 512;
/// How many combinations of the further labels are told apart for one value of the first.
const MAX_ROWS: usize = 32;
/// The longest value of a label.
pub(super) const MAX_LABEL_BYTES: usize = 256;

type Rows<const N: usize> = Vec<([Box<str>; N], Count)>;

/// Counters by one label that may have any value, and by `N` more that have few. What comes after the caps is counted under
/// [`OTHER`].
#[derive(Debug)]
pub(super) struct Capped<const N: usize>(RwLock<HashMap<Box<str>, Rows<N>>>);

impl<const N: usize> Default for Capped<N> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<const N: usize> Capped<N> {
    pub(super) fn add(&self, key: &str, more: [&str; N]) {
        let key = short(key);
        {
            let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
            let rows = match known.get(key) {
                None if known.len() >= MAX_VALUES => known.get(OTHER),
                rows => rows,
            };
            if let Some(count) = rows.and_then(|rows| row(rows, more)) {
                return count.add();
            }
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let key = if known.len() < MAX_VALUES || known.contains_key(key) { key } else { OTHER };
        let rows = known.entry(key.into()).or_default();
        if let Some(count) = row(rows, more) {
            return count.add();
        }
        let labels =
            if rows.len() < MAX_ROWS { more.map(|label| short(label).into()) } else { [OTHER; N].map(Box::from) };
        rows.push((labels, Count::default()));
        if let Some((_, count)) = rows.last() {
            count.add();
        }
    }

    /// Hands out every counter: the first label, the others, the number.
    pub(super) fn each(&self, mut show: impl FnMut(&str, &[Box<str>; N], u64)) {
        for (key, rows) in self.0.read().unwrap_or_else(PoisonError::into_inner).iter() {
            for (more, count) in rows {
                show(key, more, count.get());
            }
        }
    }
}

/// The counter of these labels; where there is no room for another, the one that all further labels share.
fn row<'a, const N: usize>(rows: &'a Rows<N>, more: [&str; N]) -> Option<&'a Count> {
    let of = |labels: [&str; N]| {
        rows.iter().find(|(known, _)| known.iter().zip(labels).all(|(known, label)| **known == *label))
    };
    let found = of(more.map(short)).or_else(|| if rows.len() > MAX_ROWS { of([OTHER; N]) } else { None });
    found.map(|(_, count)| count)
}

/// The value as a label: too long a one is [`OTHER`].
pub(super) fn short(value: &str) -> &str {
    if value.len() > MAX_LABEL_BYTES { OTHER } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all<const N: usize>(capped: &Capped<N>) -> (usize, u64, u64) {
        let (mut series, mut sum, mut other) = (0, 0, 0);
        capped.each(|key, more, count| {
            series += 1;
            sum += count;
            if key == OTHER || more.iter().any(|label| **label == *OTHER) {
                other += count;
            }
        });
        (series, sum, other)
    }

    #[test]
    fn ten_thousand_values_end_in_one_series() {
        let capped = Capped::<0>::default();
        for _ in 0..2 {
            for n in 0..10_000 {
                capped.add(&format!("target-{n}"), []);
            }
        }
        assert_eq!(all(&capped), (MAX_VALUES + 1, 20_000, 2 * (10_000 - MAX_VALUES as u64)));
    }

    #[test]
    fn ten_thousand_reasons_of_one_value_end_in_one_series() {
        let capped = Capped::<1>::default();
        for _ in 0..2 {
            for n in 0..10_000 {
                capped.add("target", [&format!("reason-{n}")]);
            }
        }
        assert_eq!(all(&capped), (MAX_ROWS + 1, 20_000, 2 * (10_000 - MAX_ROWS as u64)));
    }

    #[test]
    fn a_long_value_is_counted_under_other() {
        let capped = Capped::<1>::default();
        capped.add(&"x".repeat(MAX_LABEL_BYTES + 1), [&"y".repeat(1 << 20)]);
        capped.add(&"x".repeat(MAX_LABEL_BYTES), ["y"]);
        assert_eq!(all(&capped), (2, 2, 1));
    }
}
