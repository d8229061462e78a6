//! Who waits for a turn, the longest waiter first.

use std::collections::VecDeque;

/// A waiting line. Whoever joins gets a number, by which it can leave from any place.
#[derive(Debug)]
pub(super) struct Line<T> {
    joined: u64,
    /// In the order of the numbers.
    waiting: VecDeque<(u64, T)>,
}

impl<T> Line<T> {
    pub(super) const fn new() -> Self {
        Self { joined: 0, waiting: VecDeque::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Joins at the end.
    pub(super) fn join(&mut self, waiter: T) -> u64 {
        self.joined += 1;
        self.waiting.push_back((self.joined, waiter));
        self.joined
    }

    /// The longest waiter.
    pub(super) fn first(&mut self) -> Option<&mut T> {
        self.waiting.front_mut().map(|(_, waiter)| waiter)
    }

    /// Whether this one is the longest waiter.
    pub(super) fn is_first(&self, number: u64) -> bool {
        self.waiting.front().is_some_and(|(first, _)| *first == number)
    }

    /// Takes the longest waiter out.
    pub(super) fn pop(&mut self) -> Option<T> {
        self.waiting.pop_front().map(|(_, waiter)| waiter)
    }

    /// Takes this one out; `None` if it waits no more.
    pub(super) fn leave(&mut self, number: u64) -> Option<T> {
        let at = self.waiting.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        self.waiting.remove(at).map(|(_, waiter)| waiter)
    }
}
