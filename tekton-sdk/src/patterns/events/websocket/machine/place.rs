//! Where a subscription stands: what it goes on after, what it heard, and which deliveries are open, over all its connections. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::patterns::events::{Cursor, Gap, GapReason, Outcome, Start};

/// How many places are remembered that are done and lie after one that is open.
const MAX_DONE: usize = 4096;

/// What becomes of an event that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Came {
    /// It is given out, as this delivery.
    Give(u32),
    /// It was heard before.
    Twice,
    /// It is still in the subscriber's hands, who was given it over an earlier connection.
    Held,
    /// It was done before: the host is to let it go.
    Done,
    /// It was refused while there was no connection: the host is to hand it over again after this time.
    Refused(Duration),
}

/// What becomes of an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Settled {
    /// The host is told, of this delivery.
    Tell(u32),
    /// The host is told once it has handed the event over again.
    Later,
    /// There is nothing to tell.
    Nothing,
    /// The event went to another member of the group.
    Gone,
}

/// One delivery that is not done.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// The number of the newest delivery, as the subscriber counts them.
    number: u32,
    /// What the subscriber counts more than the host does, which begins anew with each connection.
    more: u32,
    /// The host handed it over on this connection.
    here: bool,
    hands: Hands,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hands {
    /// The subscriber has it.
    Full,
    /// The subscriber refused it, for so long.
    Empty(Duration),
}

/// Where a subscription stands.
#[derive(Debug)]
pub(super) struct Place {
    start: Start,
    is_acked: bool,
    /// It shares its events with nobody.
    is_alone: bool,
    /// The last place that it heard, or after which it began.
    after: Option<Cursor>,
    /// What it went on after on this connection.
    resumed: Option<Cursor>,
    /// By sequence, all of one epoch.
    open: BTreeMap<u64, Open>,
    /// What is done and may come again: it comes after the first that is open, or after what this connection went on after.
    done: BTreeSet<u64>,
    /// What was heard up to here may come again on this connection; 0 if nothing may.
    again: u64,
}

impl Place {
    pub(super) const fn new(start: Start, is_acked: bool, is_alone: bool) -> Self {
        Self {
            start,
            is_acked,
            is_alone,
            after: None,
            resumed: None,
            open: BTreeMap::new(),
            done: BTreeSet::new(),
            again: 0,
        }
    }

    /// Where the subscription begins on the next connection.
    pub(super) fn start(&self) -> Start {
        self.resume().map_or(self.start, Start::After)
    }

    /// What it goes on after: with acknowledgements, what lies before the first event that is open.
    fn resume(&self) -> Option<Cursor> {
        let after = self.after?;
        Some(match self.open.first_key_value() {
            Some((first, _)) => Cursor::new(after.epoch(), first.saturating_sub(1)),
            None => after,
        })
    }

    /// Whether the next connection goes on where this one ends. If it does not, something may be missing in between.
    pub(super) fn is_known(&self) -> bool {
        self.resume().is_some() || self.start != Start::New
    }

    /// The host has begun the subscription, after this place if it knows that.
    pub(super) fn begun(&mut self, after: Option<Cursor>) {
        self.resumed = self.resume();
        match self.after {
            None => self.after = after,
            Some(heard) => self.again = heard.sequence(),
        }
        self.tidy();
    }

    /// An event came, in the host's so manieth delivery; 0 where nothing is acknowledged.
    pub(super) fn event(&mut self, cursor: Cursor, delivery: u32) -> Came {
        let came = self.hear(cursor, delivery);
        // The host hands over in order what it hands over for the first time on a connection.
        self.passed(cursor.sequence());
        came
    }

    fn passed(&mut self, sequence: u64) {
        if self.again > 0 && sequence >= self.again {
            self.again = 0;
            self.tidy();
        }
    }

    fn hear(&mut self, cursor: Cursor, delivery: u32) -> Came {
        let sequence = cursor.sequence();
        match self.after {
            Some(after) if after.epoch() == cursor.epoch() => {
                if sequence > after.sequence() {
                    self.after = Some(cursor);
                }
            }
            _ => {
                self.forget();
                self.after = Some(cursor);
            }
        }
        let resumed = self.resumed.filter(|resumed| resumed.epoch() == cursor.epoch());
        if !self.is_acked || delivery == 0 {
            let twice = self.is_alone && resumed.is_some_and(|resumed| sequence <= resumed.sequence());
            return if twice { Came::Twice } else { Came::Give(0) };
        }
        if self.done.contains(&sequence) {
            return Came::Done;
        }
        let Some(open) = self.open.get_mut(&sequence) else {
            let open = Open { number: delivery, more: 0, here: true, hands: Hands::Full };
            self.open.insert(sequence, open);
            return Came::Give(delivery);
        };
        if !open.here {
            // Counted as the delivery that the subscriber had, whoever has it.
            open.more = open.number.saturating_sub(delivery);
            open.here = true;
            return match open.hands {
                Hands::Full => Came::Held,
                Hands::Empty(delay) => Came::Refused(delay),
            };
        }
        open.number = open.more.saturating_add(delivery).max(open.number.saturating_add(1));
        open.more = open.number.saturating_sub(delivery);
        open.hands = Hands::Full;
        Came::Give(open.number)
    }

    /// A gap came: what it covers does not come any more.
    pub(super) fn gap(&mut self, gap: &Gap) {
        // A broker may have gone back to an earlier place of the same epoch.
        if gap.reason == GapReason::Restarted || self.after.is_none_or(|after| after.epoch() != gap.to.epoch()) {
            self.forget();
            self.after = None;
        }
        self.open.retain(|sequence, _| *sequence > gap.to.sequence() || *sequence <= gap.from.sequence());
        self.after = Some(self.after.filter(|after| after.sequence() > gap.to.sequence()).unwrap_or(gap.to));
        self.resumed = Some(gap.to);
        self.passed(gap.to.sequence());
        self.tidy();
    }

    /// The connection is no more.
    pub(super) fn lost(&mut self) {
        self.resumed = None;
        self.again = 0;
        if !self.is_alone {
            // The host has given them to others.
            self.open.clear();
        }
        self.open.values_mut().for_each(|open| open.here = false);
    }

    /// The subscriber says what became of a delivery.
    pub(super) fn settle(&mut self, cursor: Cursor, number: u32, outcome: Outcome) -> Settled {
        let known = self.after.is_some_and(|after| after.epoch() == cursor.epoch());
        let Some(open) = self.open.get_mut(&cursor.sequence()).filter(|_| known) else {
            return if self.is_alone { Settled::Nothing } else { Settled::Gone };
        };
        if outcome != Outcome::Ack && open.number != number {
            return Settled::Nothing;
        }
        if open.here {
            return Settled::Tell(number.saturating_sub(open.more).max(1));
        }
        match outcome {
            Outcome::Ack => Settled::Later,
            Outcome::Nack(delay) => {
                open.hands = Hands::Empty(delay);
                Settled::Nothing
            }
            // It has its whole time again once the host hands it over.
            Outcome::Progress => Settled::Nothing,
        }
    }

    /// The host has taken an outcome.
    pub(super) fn told(&mut self, cursor: Cursor, number: u32, outcome: Outcome) {
        if self.after.is_none_or(|after| after.epoch() != cursor.epoch()) {
            return;
        }
        let sequence = cursor.sequence();
        match outcome {
            Outcome::Ack => {
                if self.open.remove(&sequence).is_some() && self.is_alone {
                    self.done.insert(sequence);
                    self.tidy();
                }
            }
            Outcome::Nack(delay) => {
                if let Some(open) = self.open.get_mut(&sequence).filter(|open| open.number == number) {
                    open.hands = Hands::Empty(delay);
                }
            }
            Outcome::Progress => {}
        }
    }

    /// How many deliveries are open.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    fn forget(&mut self) {
        self.open.clear();
        self.done.clear();
        self.again = 0;
    }

    /// Forgets what is not asked for again.
    fn tidy(&mut self) {
        if self.again == 0 {
            match self.open.first_key_value() {
                None => self.done.clear(),
                Some((first, _)) => self.done = self.done.split_off(first),
            }
        }
        while self.done.len() > MAX_DONE {
            self.done.pop_first();
        }
    }
}
