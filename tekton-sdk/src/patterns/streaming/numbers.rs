//! The numbers of a resumable stream: what came before, and what did not come.

use crate::error::Gap;

/// How many hexadecimal digits the name of a stream has.
const NAME_DIGITS: usize = 32;

/// How far a stream has come. Its events are called `<name>-<number>`, and the first number is 1.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    name: String,
    last: u64,
}

/// How an event stands to those before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is the next one, or has no number.
    Next,
    /// It came before.
    Before,
    /// Others should have come before it.
    After(Gap),
}

impl Numbers {
    /// Takes over the name that an answer gives its stream. Under another name it is another stream.
    pub(super) fn name(&mut self, name: Option<&str>) {
        let valid = |name: &&str| name.len() == NAME_DIGITS && name.bytes().all(|b| b.is_ascii_hexdigit());
        let name = name.filter(valid).unwrap_or_default();
        if self.name != name {
            *self = Self { name: name.to_owned(), last: 0 };
        }
    }

    /// The name of the stream, if it can be resumed.
    pub(super) fn stream(&self) -> Option<&str> {
        Some(&*self.name).filter(|name| !name.is_empty())
    }

    /// What to send as `Last-Event-ID`; where nothing came, the number before the first.
    pub(super) fn resume(&self) -> Option<String> {
        self.stream().map(|name| format!("{name}-{}", self.last))
    }

    /// An event of this id came.
    pub(super) fn see(&mut self, id: &str) -> Seen {
        match self.number(id) {
            None => Seen::Next,
            Some(number) if number <= self.last => Seen::Before,
            Some(number) => {
                let next = self.last.saturating_add(1);
                self.last = number;
                if number == next { Seen::Next } else { Seen::After(Gap::new(next, number - 1)) }
            }
        }
    }

    /// The other side says that nothing comes up to this number; `None` if that is known. Whatever has not come before it does
    /// not come any more, wherever the other side sees the hole begin.
    pub(super) fn miss(&mut self, to: u64) -> Option<Gap> {
        let from = self.last.saturating_add(1);
        if to < from || to <= self.last {
            return None;
        }
        self.last = to;
        Some(Gap::new(from, to))
    }

    fn number(&self, id: &str) -> Option<u64> {
        let digits = id.strip_prefix(self.stream()?)?.strip_prefix('-')?;
        // `parse` alone would take a plus sign.
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: &str = "0123456789abcdef0123456789ABCDEF";

    fn numbers() -> Numbers {
        let mut numbers = Numbers::default();
        numbers.name(Some(NAME));
        numbers
    }

    #[test]
    fn only_a_valid_name_makes_a_stream_resumable() {
        for name in
            ["", "0123", &format!("{NAME}0"), "0123456789abcdef0123456789abcdeg", "ä123456789abcdef0123456789abcde"]
        {
            let mut numbers = Numbers::default();
            numbers.name(Some(name));
            assert_eq!((numbers.stream(), numbers.resume()), (None, None), "{name}");
        }
        let mut numbers = numbers();
        assert_eq!(numbers.resume().unwrap(), format!("{NAME}-0"));
        numbers.see(&format!("{NAME}-1"));
        numbers.name(Some(NAME));
        assert_eq!(numbers.resume().unwrap(), format!("{NAME}-1"));
        numbers.name(None);
        assert_eq!(numbers.resume(), None);
    }

    #[test]
    fn what_has_no_number_of_this_stream_is_neither_old_nor_late() {
        let mut numbers = numbers();
        for id in
            ["", "7", NAME, &format!("{NAME}-"), &format!("{NAME}-+1"), &format!("{NAME}-x"), &format!("x{NAME}-9")]
        {
            assert_eq!(numbers.see(id), Seen::Next, "{id}");
        }
        assert_eq!(numbers.see(&format!("{NAME}-99999999999999999999999")), Seen::Next);
        assert_eq!(numbers.resume().unwrap(), format!("{NAME}-0"));
    }

    #[test]
    fn a_hole_is_named_once_whoever_names_it() {
        let mut numbers = numbers();
        let id = |n: u64| format!("{NAME}-{n}");
        assert_eq!(numbers.see(&id(1)), Seen::Next);
        assert_eq!(numbers.miss(4), Some(Gap::new(2, 4)));
        assert_eq!(numbers.miss(4), None);
        assert_eq!(numbers.see(&id(5)), Seen::Next);
        assert_eq!(numbers.see(&id(8)), Seen::After(Gap::new(6, 7)));
        assert_eq!(numbers.miss(7), None);
        assert_eq!(numbers.see(&id(6)), Seen::Before);
        assert_eq!(numbers.miss(3), None);
        assert_eq!(numbers.see(&id(u64::MAX)), Seen::After(Gap::new(9, u64::MAX - 1)));
        assert_eq!((numbers.miss(u64::MAX), numbers.see(&id(u64::MAX))), (None, Seen::Before));
    }

    proptest! {
        #[test]
        fn every_number_is_given_or_missed_exactly_once(
            steps in proptest::collection::vec((any::<bool>(), 1..40_u64), 0..100),
        ) {
            let (mut numbers, mut accounted) = (numbers(), Vec::new());
            for (event, number) in steps {
                if event {
                    match numbers.see(&format!("{NAME}-{number}")) {
                        Seen::Next => accounted.push(number),
                        Seen::After(gap) => accounted.extend(gap.from..=number),
                        Seen::Before => {}
                    }
                } else if let Some(gap) = numbers.miss(number) {
                    accounted.extend(gap.from..=gap.to);
                }
            }
            prop_assert!(accounted.iter().copied().eq(1..=accounted.len() as u64));
        }
    }
}
