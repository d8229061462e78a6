//! The machine against a host that is modelled: whatever breaks in between, nothing is lost in silence, and nothing comes twice.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::{
    patterns::events::{AckConfig, Start, TopicFilter},
    time::{Clock, ManualClock},
};

const SECOND: Duration = Duration::from_secs(1);

fn rules() -> Rules {
    Rules {
        pauses: Pauses { spread: 5 * SECOND, base: SECOND, again: 10 * SECOND, max: 30 * SECOND, stable_after: SECOND },
        urls: 1,
        has_tokens: true,
        patient: true,
        max_in_flight: 3,
        max_waiting: 1000,
        max_waiting_bytes: 1 << 20,
    }
}

fn epoch() -> Instant {
    ManualClock::new().now()
}

fn interest(is_acked: bool) -> Interest {
    let mut interest = Interest::new(vec![TopicFilter::parse("a").unwrap()]);
    interest.acks = is_acked.then(AckConfig::default);
    interest
}

/// What a host says.
#[derive(Debug)]
enum Said {
    Answer(u64, String),
    Refused(u64, u16),
    Event(u64, Cursor, u32),
    Gap(u64, Gap),
    End(u64),
}

/// A subscription, as a host has it on one connection.
#[derive(Debug)]
struct HostSub {
    is_acked: bool,
    next: u64,
    gap: Option<Gap>,
    /// Which delivery of an event is out, and whether it is refused.
    unsettled: BTreeMap<u64, (u32, bool)>,
}

/// A host whose topics are one, and its connection.
#[derive(Debug, Default)]
struct Host {
    epoch: u64,
    /// The last event, and the first that is kept.
    last: u64,
    first: u64,
    /// How often each event of a publisher was taken, by its number.
    taken: BTreeMap<u64, u32>,
    subs: BTreeMap<u64, HostSub>,
    next_far: u64,
    inbox: VecDeque<(String, Option<u64>)>,
    outbox: VecDeque<Said>,
    /// The next calls are refused like this.
    refuses: VecDeque<u16>,
    /// In which order it was asked for subscriptions on this connection.
    asked: Vec<u64>,
}

impl Host {
    fn publish(&mut self) -> Cursor {
        self.last += 1;
        Cursor::new(self.epoch, self.last)
    }

    /// Takes the next message.
    fn take(&mut self) -> bool {
        let Some((text, _)) = self.inbox.pop_front() else { return false };
        let message: Value = serde_json::from_str(&text).expect("the machine says JSON");
        let (method, params) = (message["method"].as_str().expect("a method"), &message["params"]);
        let far = || params["subscription"].as_u64().expect("a number");
        let sequence = || params["cursor"].as_str().expect("a cursor").parse::<Cursor>().expect("a cursor").sequence();
        let id = message["id"].as_u64();
        if method == "subscribe" {
            let name = params["capacity"].as_u64().expect("it names itself by its capacity");
            if !self.asked.contains(&name) {
                self.asked.push(name);
            }
        }
        if let (Some(id), Some(status)) = (id, self.refuses.pop_front()) {
            self.outbox.push_back(Said::Refused(id, status));
            return true;
        }
        let mut answer = "null".to_owned();
        match method {
            "subscribe" => {
                self.next_far += 1;
                let after = params["after"].as_str().map(|after| after.parse::<Cursor>().expect("a cursor"));
                let at = |sequence| Cursor::new(self.epoch, sequence);
                let lost = |from, reason| Some(Gap::new(from, at(self.first - 1), reason));
                let (gap, next) = match after {
                    None => (None, self.last + 1),
                    Some(after) if after.epoch() != self.epoch => (lost(after, GapReason::Restarted), self.first),
                    Some(after) if after.sequence() + 1 < self.first => (lost(after, GapReason::Expired), self.first),
                    Some(after) => (None, after.sequence() + 1),
                };
                let is_acked = params.get("acks").is_some();
                self.subs.insert(self.next_far, HostSub { is_acked, next, gap, unsettled: BTreeMap::new() });
                answer = match gap {
                    None => format!(r#"{{"subscription":{},"after":"{}"}}"#, self.next_far, at(next - 1)),
                    Some(_) => format!(r#"{{"subscription":{}}}"#, self.next_far),
                };
            }
            "publish" => {
                let cursor = self.publish();
                *self.taken.entry(params["n"].as_u64().expect("a number")).or_default() += 1;
                answer = format!(r#"{{"cursor":"{cursor}"}}"#);
            }
            "ack" => drop(self.subs.get_mut(&far()).and_then(|sub| sub.unsettled.remove(&sequence()))),
            "nack" => {
                let delivery = params["delivery"].as_u64().expect("a delivery");
                if let Some(open) = self.subs.get_mut(&far()).and_then(|sub| sub.unsettled.get_mut(&sequence())) {
                    open.1 |= u64::from(open.0) == delivery;
                }
            }
            "unsubscribe" => {
                let (far, drain) = (far(), params["drain"] == true);
                if let Some(sub) = self.subs.get(&far)
                    && (!drain || sub.next > self.last)
                {
                    self.subs.remove(&far);
                    if drain {
                        self.outbox.push_back(Said::End(far));
                    }
                }
            }
            other => panic!("{other}"),
        }
        if let Some(id) = id {
            self.outbox.push_back(Said::Answer(id, answer));
        }
        true
    }

    /// Hands something over, to the subscription whose turn it is.
    fn hand_over(&mut self, turn: usize) -> bool {
        let many = self.subs.len().max(1);
        for at in 0..many {
            let Some((far, sub)) = self.subs.iter_mut().nth((turn + at) % many) else { return false };
            let cursor = |sequence| Cursor::new(self.epoch, sequence);
            if let Some(gap) = sub.gap.take() {
                self.outbox.push_back(Said::Gap(*far, gap));
                return true;
            }
            if let Some((sequence, open)) = sub.unsettled.iter_mut().find(|(_, open)| open.1) {
                *open = (open.0 + 1, false);
                self.outbox.push_back(Said::Event(*far, cursor(*sequence), open.0));
                return true;
            }
            if sub.next <= self.last {
                let sequence = sub.next;
                sub.next += 1;
                if sub.is_acked {
                    sub.unsettled.insert(sequence, (1, false));
                }
                self.outbox.push_back(Said::Event(*far, cursor(sequence), u32::from(sub.is_acked)));
                return true;
            }
        }
        false
    }
}

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

struct World {
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
    fn new() -> Self {
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

    fn open(&mut self) -> Check {
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

    fn step(&mut self, step: Step) -> Check {
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
    fn heal(&mut self) -> Check {
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

    fn check(&self) -> Check {
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
enum Step {
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

fn step() -> impl Strategy<Value = Step> {
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn whatever_breaks_nothing_is_lost_in_silence_and_nothing_comes_twice(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut world = World::new();
        world.step(Step::Subscribe(false))?;
        world.step(Step::Subscribe(true))?;
        world.open()?;
        for step in steps {
            world.step(step)?;
        }
        world.heal()?;
        world.check()?;
    }
}

fn opened() -> (Machine<u8, u8>, Instant) {
    let (mut machine, now) = (Machine::new(rules()), epoch());
    machine.opened(now);
    (machine, now)
}

fn said<T, Q: Clone>(machine: &mut Machine<T, Q>) -> Vec<String> {
    let said = machine.effects().into_iter().filter_map(|effect| match effect {
        Effect::Say { text, .. } => Some(text),
        _ => None,
    });
    said.collect()
}

#[test]
fn a_subscription_whose_place_nobody_knows_is_told_that_something_may_be_missing() {
    let (mut machine, now) = opened();
    let (_, id) = machine.subscribe(interest(false), 7, 1).unwrap();
    machine.answered(id, r#"{"subscription":1}"#);
    machine.lost(now, Closed::Broken, &HashSet::new(), |most| most);
    machine.opened(now);
    machine.effects();
    machine.answered(id + 1, r#"{"subscription":1,"after":"0000000000000001-5"}"#);
    let gap = machine.effects().into_iter().find_map(|effect| match effect {
        Effect::Gap { queue: 7, gap } => Some(gap),
        _ => None,
    });
    assert_eq!(gap.map(|gap| (gap.to, gap.reason)), Some((Cursor::new(1, 5), GapReason::Skipped)));
}

#[test]
fn a_member_of_a_group_is_told_that_its_events_went_to_others() {
    let (mut machine, now) = opened();
    let group = Interest { group: Some("g".to_owned()), ..interest(true) };
    let (sub, id) = machine.subscribe(group, 0, 1).unwrap();
    machine.answered(id, r#"{"subscription":1}"#);
    let cursor = Cursor::new(1, 5);
    assert_eq!(machine.event(1, cursor, 2), Some((&0, Some(2))), "it is counted for the group");
    machine.lost(now, Closed::Broken, &HashSet::new(), |most| most);
    machine.effects();
    machine.settle(sub, cursor, 2, Outcome::Ack, 9);
    let told = machine.effects().into_iter().find_map(|effect| match effect {
        Effect::Tell { token: 9, result } => Some(result),
        _ => None,
    });
    assert_eq!(told.unwrap().unwrap_err().kind(), ErrorKind::Interrupted);
}

#[test]
fn each_cap_of_what_waits_is_named() {
    let small = Rules { max_waiting: 2, max_waiting_bytes: 10, ..rules() };
    let mut machine = Machine::<u8, u8>::new(small);
    machine.publish("x".repeat(11), true, 0).unwrap();
    let error = machine.publish("x".to_owned(), true, 0).unwrap_err();
    assert!(error.to_string().contains("no more than 10"), "{error}");
    machine.give_up(1);
    machine.publish("x".to_owned(), true, 0).unwrap();
    machine.publish("x".to_owned(), true, 0).unwrap();
    let error = machine.publish("x".to_owned(), true, 0).unwrap_err();
    assert_eq!((error.kind(), error.to_string().contains("no more than 2")), (ErrorKind::Rejected, true), "{error}");
    assert!(machine.effects().is_empty(), "there is no connection");
}

#[test]
fn a_token_is_fetched_again_once_and_then_its_refusal_is_told() {
    let (mut machine, now) = opened();
    let refused = || Refused { status: 401, error: Error::new(ErrorKind::Unauthorized, "no") };
    let id = machine.publish("{}".to_owned(), false, 1).unwrap();
    machine.refused(now, id, refused(), |most| most);
    assert!(machine.effects().iter().any(|effect| matches!(effect, Effect::Renew)));
    machine.lost(now, Closed::Normal, &HashSet::new(), |most| most);
    assert_eq!(machine.next(now), Next::Dial { url: 0, refused: true }, "at once");
    machine.opened(now);
    assert_eq!(said(&mut machine).len(), 1, "it was not carried out, and is said again");
    machine.refused(now, id, refused(), |most| most);
    let told = machine.effects();
    assert!(
        matches!(&told[..], [Effect::Tell { token: 1, result: Err(error) }] if error.kind() == ErrorKind::Unauthorized)
    );
    // Once a call is accepted, the token has proven good, and may go bad again.
    let id = machine.publish("{}".to_owned(), false, 2).unwrap();
    machine.answered(id, "{}");
    let id = machine.publish("{}".to_owned(), false, 3).unwrap();
    machine.effects();
    machine.refused(now, id, refused(), |most| most);
    assert!(machine.effects().iter().any(|effect| matches!(effect, Effect::Renew)));
}

#[test]
fn the_urls_are_tried_in_turn_and_pauses_come_after_all_of_them() {
    let mut machine = Machine::<u8, u8>::new(Rules { urls: 3, ..rules() });
    let now = epoch();
    for round in 0..2 {
        let now = now + round * SECOND;
        for url in 0..3 {
            assert_eq!(machine.next(now), Next::Dial { url, refused: false });
            assert_eq!(machine.seen(now), ConnectionState::connecting(round * 3 + url as u32 + 1));
            machine.failed(now, false, |most| most);
        }
        assert_eq!(machine.next(now), Next::Wait(SECOND * (1 << round)));
    }
    let now = now + 10 * SECOND;
    machine.failed(now, false, |most| most);
    machine.opened(now);
    assert_eq!((machine.next(now), machine.seen(now)), (Next::Stay, ConnectionState::Up));
    machine.lost(now + 10 * SECOND, Closed::Broken, &HashSet::new(), |most| most);
    let now = now + 10 * SECOND;
    assert_eq!(machine.seen(now), ConnectionState::down(1, Some(5 * SECOND)));
    assert_eq!(machine.next(now + 5 * SECOND), Next::Dial { url: 1, refused: false }, "where it was, first");
}

#[test]
fn without_patience_the_first_connection_is_tried_once_at_each_url() {
    let mut machine = Machine::<u8, u8>::new(Rules { urls: 2, patient: false, ..rules() });
    let now = epoch();
    machine.publish("{}".to_owned(), true, 1).unwrap();
    assert!(!machine.failed(now, false, |most| most));
    // With another token once more.
    assert!(!machine.failed(now, true, |most| most));
    assert_eq!(machine.next(now), Next::Dial { url: 1, refused: true });
    assert!(machine.failed(now, true, |most| most));
    assert_eq!((machine.next(now), machine.seen(now)), (Next::Stop, ConnectionState::Closed));
    assert!(
        matches!(&machine.effects()[..], [Effect::Tell { token: 1, result: Err(error) }] if error.sent() == Sent::No)
    );
}

#[test]
fn a_thousand_that_lose_their_connection_at_once_do_not_come_back_at_once() {
    let random = crate::random::Random::seeded(11);
    for down in [0, 1, 3, 7, 20] {
        let start = epoch();
        let mut all: Vec<_> = (0..1000)
            .map(|_| {
                let mut machine = Machine::<u8, u8>::new(rules());
                machine.opened(start);
                machine.lost(start + 60 * SECOND, Closed::Broken, &HashSet::new(), |most| random.up_to(most));
                machine
            })
            .collect();
        let lost = start + 60 * SECOND;
        // How many attempts are made in each tenth of a second, until everybody is back.
        let mut attempts = Vec::new();
        while all.iter().any(|machine| machine.next(lost) != Next::Stay) {
            let now = lost + Duration::from_millis(100) * attempts.len() as u32;
            let mut made = 0;
            for machine in &mut all {
                while let Next::Dial { .. } = machine.next(now) {
                    made += 1;
                    match now < lost + down * SECOND {
                        true => drop(machine.failed(now, false, |most| random.up_to(most))),
                        false => machine.opened(now),
                    }
                }
            }
            attempts.push(made);
            assert!(attempts.len() < 1000, "they come back in time");
        }
        assert!(attempts.iter().all(|made| *made <= 50), "down for {down} s: {attempts:?}");
    }
}

proptest! {
    #[test]
    fn a_state_of_the_road_is_always_left(steps in prop::collection::vec((0_u8..4, 0_u32..40), 0..80), seed: u64) {
        let (mut machine, mut now) = (Machine::<u8, u8>::new(Rules { urls: 2, ..rules() }), epoch());
        let random = crate::random::Random::seeded(seed);
        for (act, seconds) in steps {
            now += seconds * SECOND;
            match act {
                0 => drop(machine.failed(now, seconds % 2 == 0, |most| random.up_to(most))),
                1 => machine.opened(now),
                2 => machine.lost(now, Closed::Broken, &HashSet::new(), |most| random.up_to(most)),
                _ => {}
            }
            match machine.next(now) {
                Next::Wait(time) => {
                    prop_assert!(time <= rules().pauses.max);
                    let dials = matches!(machine.next(now + time), Next::Dial { .. });
                    prop_assert!(dials);
                }
                Next::Dial { url, .. } => prop_assert!(url < 2),
                Next::Stay => prop_assert_eq!(machine.seen(now), ConnectionState::Up),
                Next::Stop => prop_assert!(false, "it has patience"),
            }
        }
    }
}

#[test]
fn what_begins_at_a_time_or_with_the_oldest_is_asked_for_again_like_that() {
    for start in [Start::Oldest, Start::At(std::time::SystemTime::UNIX_EPOCH)] {
        let (mut machine, now) = opened();
        let (_, id) = machine.subscribe(Interest { start, ..interest(false) }, 0, 1).unwrap();
        let first = said(&mut machine);
        machine.answered(id, r#"{"subscription":1}"#);
        machine.lost(now, Closed::Broken, &HashSet::new(), |most| most);
        machine.effects();
        machine.opened(now);
        let again = said(&mut machine);
        let params = |text: &str| text.split_once("params").unwrap().1.to_owned();
        assert_eq!(params(&again[0]), params(&first[0]));
    }
}
