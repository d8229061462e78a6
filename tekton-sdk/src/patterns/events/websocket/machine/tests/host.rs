//! A host that is modelled: its topics are one, and it has one connection.

use serde_json::Value;

use super::*;

/// What a host says.
#[derive(Debug)]
pub(super) enum Said {
    Answer(u64, String),
    Refused(u64, u16),
    Event(u64, Cursor, u32),
    Gap(u64, Gap),
    End(u64),
}

/// A subscription, as a host has it on one connection.
#[derive(Debug)]
pub(super) struct HostSub {
    pub(super) is_acked: bool,
    pub(super) next: u64,
    pub(super) gap: Option<Gap>,
    /// Which delivery of an event is out, and whether it is refused.
    pub(super) unsettled: BTreeMap<u64, (u32, bool)>,
}

/// A host whose topics are one, and its connection.
#[derive(Debug, Default)]
pub(super) struct Host {
    pub(super) epoch: u64,
    /// The last event, and the first that is kept.
    pub(super) last: u64,
    pub(super) first: u64,
    /// How often each event of a publisher was taken, by its number.
    pub(super) taken: BTreeMap<u64, u32>,
    pub(super) subs: BTreeMap<u64, HostSub>,
    pub(super) next_far: u64,
    pub(super) inbox: VecDeque<(String, Option<u64>)>,
    pub(super) outbox: VecDeque<Said>,
    /// The next calls are refused like this.
    pub(super) refuses: VecDeque<u16>,
    /// In which order it was asked for subscriptions on this connection.
    pub(super) asked: Vec<u64>,
}

impl Host {
    pub(super) fn publish(&mut self) -> Cursor {
        self.last += 1;
        Cursor::new(self.epoch, self.last)
    }

    /// Takes the next message.
    pub(super) fn take(&mut self) -> bool {
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
    pub(super) fn hand_over(&mut self, turn: usize) -> bool {
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
