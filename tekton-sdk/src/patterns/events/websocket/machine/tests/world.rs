//! Whoever talks to a modelled host through the machine, and what they know.

use super::{
    host::{Host, Said},
    *,
};

/// What a subscriber knows.
#[derive(Debug)]
struct Listener {
    is_acked: bool,
    /// The last place that it heard, or after which it began.
    at: Option<Cursor>,
    /// Which delivery it has in its hands.
    hands: BTreeMap<u64, u32>,
    /// The last delivery that it was given of an event that is not done, and whether it refused it.
    given: BTreeMap<u64, (u32, bool)>,
    done: BTreeSet<u64>,
    ended: bool,
}

/// What a call is to its caller.
#[derive(Clone, Copy, Debug)]
enum Caller {
    Subscriber(u64),
    Publisher(u64),
    Worker { listener: u64, sequence: u64, number: u32, epoch: u64, outcome: Outcome },
}

pub(super) struct World {
    host: Host,
    machine: Machine<Caller, u64>,
    now: Instant,
    is_up: bool,
    listeners: BTreeMap<u64, Listener>,
    /// The machine's numbers of subscriptions.
    numbers: BTreeMap<u64, u64>,
    /// What its publisher was told of each event, and whether it has an id.
    published: BTreeMap<u64, (bool, Option<Result<(), Sent>>)>,
    next: u64,
}

type Check = std::result::Result<(), TestCaseError>;

impl World {
    pub(super) fn new() -> Self {
        Self {
            host: Host { epoch: 1, first: 1, ..Host::default() },
            machine: Machine::new(rules()),
            now: epoch(),
            is_up: false,
            listeners: BTreeMap::new(),
            numbers: BTreeMap::new(),
            published: BTreeMap::new(),
            next: 0,
        }
    }

    /// Does what the machine wants done.
    fn apply(&mut self) -> Check {
        let mut renew = false;
        for effect in self.machine.effects() {
            match effect {
                Effect::Say { text, begins } => {
                    prop_assert!(self.is_up, "nothing is said without a connection");
                    self.host.inbox.push_back((text, begins));
                }
                Effect::Tell { token, result } => self.tell(token, result)?,
                Effect::Gap { queue, gap } => self.hear_gap(queue, &gap)?,
                Effect::End { queue, .. } => {
                    if let Some(listener) = self.listeners.get_mut(&queue) {
                        listener.ended = true;
                    }
                }
                Effect::Renew => renew = true,
                Effect::Begun { .. } | Effect::Paused(_) => {}
            }
        }
        let unanswered = self.machine.calls.values().filter(|call| call.stage == Stage::Sent).count();
        prop_assert!(unanswered <= rules().max_in_flight && unanswered == self.machine.in_flight);
        if renew {
            self.lose(Closed::Normal, 0)?;
        }
        Ok(())
    }

    fn tell(&mut self, caller: Caller, result: Result<Option<Cursor>>) -> Check {
        match (caller, result) {
            (Caller::Subscriber(name), Ok(after)) => {
                let listener = self.listeners.get_mut(&name).expect("it waits");
                // It may have heard a gap in its place.
                listener.at = listener.at.or(after);
            }
            (Caller::Subscriber(name), Err(_)) => drop(self.listeners.remove(&name)),
            (Caller::Publisher(n), result) => {
                let told = result.map(drop).map_err(|error| error.sent());
                let before = self.published.get_mut(&n).expect("it was published").1.replace(told);
                prop_assert_eq!(before, None, "it is told once");
            }
            (Caller::Worker { listener, sequence, epoch, outcome: Outcome::Ack, .. }, Ok(_)) => {
                if let Some(listener) = self.listeners.get_mut(&listener)
                    && listener.at.is_some_and(|at| at.epoch() == epoch)
                {
                    listener.given.remove(&sequence);
                    listener.done.insert(sequence);
                }
            }
            (Caller::Worker { listener, sequence, number, epoch, .. }, told) => {
                let Some(listener) = self.listeners.get_mut(&listener) else { return Ok(()) };
                if let Some(given) = listener.given.get_mut(&sequence)
                    && listener.at.is_some_and(|at| at.epoch() == epoch)
                    && given.0 == number
                {
                    // It may come again; who was not heard says it once more.
                    given.1 = true;
                    if told.is_err() {
                        listener.hands.insert(sequence, number);
                    }
                }
            }
        }
        Ok(())
    }

    fn hear(&mut self, name: u64, cursor: Cursor, number: u32) -> Check {
        let Some(listener) = self.listeners.get_mut(&name) else { return Ok(()) };
        let sequence = cursor.sequence();
        let at = listener.at.expect("it began somewhere");
        prop_assert_eq!(at.epoch(), cursor.epoch(), "another epoch is a gap");
        prop_assert!(!listener.done.contains(&sequence), "{} was done", cursor);
        if sequence > at.sequence() {
            prop_assert_eq!(sequence, at.sequence() + 1, "nothing is left out");
            listener.at = Some(cursor);
            prop_assert_eq!(number, u32::from(listener.is_acked));
        } else {
            let last = listener.given.get(&sequence);
            prop_assert_eq!(last, Some(&(number - 1, true)), "{} comes again only if it was refused", cursor);
        }
        if listener.is_acked {
            listener.given.insert(sequence, (number, false));
            listener.hands.insert(sequence, number);
        }
        Ok(())
    }

    fn hear_gap(&mut self, name: u64, gap: &Gap) -> Check {
        let Some(listener) = self.listeners.get_mut(&name) else { return Ok(()) };
        if let Some(at) = listener.at {
            prop_assert!(gap.from == at || (listener.is_acked && gap.from.sequence() <= at.sequence()));
            if at.epoch() != gap.to.epoch() {
                listener.hands.clear();
                listener.given.clear();
                listener.done.clear();
                listener.at = Some(gap.to);
            } else if gap.to.sequence() > at.sequence() {
                listener.at = Some(gap.to);
            }
            listener.given.retain(|sequence, _| *sequence > gap.to.sequence());
        }
        Ok(())
    }

    pub(super) fn open(&mut self) -> Check {
        if !self.is_up {
            self.is_up = true;
            self.host.asked.clear();
            self.machine.opened(self.now);
            self.apply()?;
        }
        Ok(())
    }

    fn lose(&mut self, why: Closed, unsent: usize) -> Check {
        if self.is_up {
            self.is_up = false;
            let asked = &self.host.asked;
            prop_assert!(asked.is_sorted(), "subscriptions are begun again in their order: {:?}", asked);
            let unsent = self.host.inbox.iter().rev().take(unsent).filter_map(|(_, begins)| *begins).collect();
            self.host.inbox.clear();
            self.host.outbox.clear();
            self.host.subs.clear();
            self.host.refuses.clear();
            self.machine.lost(self.now, why, &unsent, |most| most);
            self.apply()?;
        }
        Ok(())
    }

    /// What the host said arrives.
    fn arrive(&mut self) -> std::result::Result<bool, TestCaseError> {
        let Some(said) = self.host.outbox.pop_front() else { return Ok(false) };
        match said {
            Said::Answer(id, result) => self.machine.answered(id, &result),
            Said::Refused(id, status) => {
                let refused = Refused { status, error: Error::new(ErrorKind::Remote, "it refuses") };
                self.machine.refused(self.now, id, refused, |most| most);
            }
            Said::Event(far, cursor, delivery) => {
                let given = self.machine.event(far, cursor, delivery).map(|(queue, number)| (*queue, number));
                if let Some((queue, Some(number))) = given {
                    self.hear(queue, cursor, number)?;
                }
            }
            Said::Gap(far, gap) => {
                if let Some(queue) = self.machine.gap(far, &gap).copied() {
                    self.hear_gap(queue, &gap)?;
                }
            }
            Said::End(far) => self.machine.ended(self.now, far, None, |most| most),
        }
        self.apply()?;
        Ok(true)
    }

    fn settle(&mut self, which: usize, outcome: Outcome) -> Check {
        let found = self.listeners.iter().flat_map(|(name, listener)| {
            listener.hands.iter().map(move |(sequence, number)| (*name, listener.at, *sequence, *number))
        });
        let found: Vec<_> = found.collect();
        let Some((name, Some(at), sequence, number)) = found.get(which % found.len().max(1)).copied() else {
            return Ok(());
        };
        self.listeners.get_mut(&name).expect("it was found").hands.remove(&sequence);
        let Some(sub) = self.numbers.get(&name).copied() else { return Ok(()) };
        let caller = Caller::Worker { listener: name, sequence, number, epoch: at.epoch(), outcome };
        self.machine.settle(sub, Cursor::new(at.epoch(), sequence), number, outcome, caller);
        self.apply()
    }

    pub(super) fn step(&mut self, step: Step) -> Check {
        match step {
            Step::Open => self.open()?,
            Step::Lose(unsent, why) => self.lose(why, unsent)?,
            Step::Restart(with_history) => {
                self.lose(Closed::GoingAway, 0)?;
                if !with_history {
                    self.host.epoch += 1;
                    (self.host.last, self.host.first) = (0, 1);
                }
            }
            Step::Forget => self.host.first = self.host.last + 1,
            Step::Event => drop(self.host.publish()),
            Step::Take => drop(self.host.take()),
            Step::HandOver(turn) => drop(self.host.hand_over(turn)),
            Step::Arrive => drop(self.arrive()?),
            Step::Refuse(status) => self.host.refuses.push_back(status),
            Step::Subscribe(is_acked) => {
                self.next += 1;
                let name = self.next;
                let mut wanted = interest(is_acked);
                wanted.capacity = name as usize;
                let listener = Listener {
                    is_acked,
                    at: None,
                    hands: BTreeMap::new(),
                    given: BTreeMap::new(),
                    done: BTreeSet::new(),
                    ended: false,
                };
                self.listeners.insert(name, listener);
                let (number, _) = self.machine.subscribe(wanted, name, Caller::Subscriber(name)).expect("it is open");
                self.numbers.insert(name, number);
                self.apply()?;
            }
            Step::Leave => {
                if let Some((name, _)) = self.listeners.pop_first()
                    && let Some(number) = self.numbers.remove(&name)
                {
                    self.machine.unsubscribe(number);
                    self.apply()?;
                }
            }
            Step::Publish(has_id) => {
                self.next += 1;
                let n = self.next;
                self.published.insert(n, (has_id, None));
                let params = format!(r#"{{"n":{n}}}"#);
                self.machine.publish(params, has_id, Caller::Publisher(n)).expect("there is room");
                self.apply()?;
            }
            Step::Ack(which) => self.settle(which, Outcome::Ack)?,
            Step::Nack(which) => self.settle(which, Outcome::Nack(SECOND))?,
            Step::Pass(seconds) => {
                self.now += seconds * SECOND;
                self.machine.tick(self.now);
                self.apply()?;
            }
        }
        Ok(())
    }

    /// Nothing breaks any more, and everybody does their work.
    pub(super) fn heal(&mut self) -> Check {
        self.host.refuses.clear();
        for _ in 0..200 {
            self.open()?;
            while self.host.take() || self.host.hand_over(0) || self.arrive()? {}
            self.settle(0, Outcome::Ack)?;
            self.step(Step::Pass(60))?;
        }
        // What is held for another host.
        self.lose(Closed::GoingAway, 0)?;
        for _ in 0..200 {
            self.open()?;
            while self.host.take() || self.host.hand_over(0) || self.arrive()? {}
            self.settle(0, Outcome::Ack)?;
            self.step(Step::Pass(60))?;
        }
        Ok(())
    }

    pub(super) fn check(&self) -> Check {
        for (n, (has_id, told)) in &self.published {
            let taken = self.host.taken.get(n).copied().unwrap_or_default();
            let told = told.expect("every publisher is told");
            match told {
                Ok(()) => prop_assert!(taken == 1 || (*has_id && taken > 1), "{} was taken {} times", n, taken),
                Err(Sent::Maybe) => prop_assert!(*has_id || taken <= 1, "{} was taken {} times", n, taken),
                Err(_) => prop_assert!(*has_id || taken == 0, "{} was taken {} times", n, taken),
            }
        }
        for listener in self.listeners.values().filter(|listener| !listener.ended) {
            let at = listener.at.expect("it began");
            prop_assert_eq!(at, Cursor::new(self.host.epoch, self.host.last), "it heard all there is");
            prop_assert!(listener.given.is_empty(), "all is done: {:?}", listener);
        }
        let open: usize = self.host.subs.values().map(|sub| sub.unsettled.len()).sum();
        prop_assert_eq!(open, 0, "the host knows that all is done");
        prop_assert!(self.machine.calls.is_empty(), "{:?}", self.machine.calls);
        prop_assert_eq!((self.machine.waiting_bytes, self.machine.late.len(), self.machine.queued.len()), (0, 0, 0));
        Ok(())
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Open,
    Lose(usize, Closed),
    Restart(bool),
    Forget,
    Event,
    Take,
    HandOver(usize),
    Arrive,
    Refuse(u16),
    Subscribe(bool),
    Leave,
    Publish(bool),
    Ack(usize),
    Nack(usize),
    Pass(u32),
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let why = prop_oneof![Just(Closed::Broken), Just(Closed::GoingAway), Just(Closed::TooLarge), Just(Closed::Silent)];
    prop_oneof![
        4 => Just(Step::Open),
        2 => (0_usize..4, why).prop_map(|(unsent, why)| Step::Lose(unsent, why)),
        1 => any::<bool>().prop_map(Step::Restart),
        1 => Just(Step::Forget),
        6 => Just(Step::Event),
        10 => Just(Step::Take),
        10 => (0_usize..3).prop_map(Step::HandOver),
        16 => Just(Step::Arrive),
        1 => prop_oneof![Just(401), Just(429), Just(503), Just(422)].prop_map(Step::Refuse),
        2 => any::<bool>().prop_map(Step::Subscribe),
        1 => Just(Step::Leave),
        3 => any::<bool>().prop_map(Step::Publish),
        3 => (0_usize..4).prop_map(Step::Ack),
        2 => (0_usize..4).prop_map(Step::Nack),
        2 => (1_u32..40).prop_map(Step::Pass),
    ]
}
