//! What a subscription keeps of its deliveries: which are open, which were dropped, which go to the dead letters.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};

use super::{
    Broker, Cursor, Outcome, Published, Settle, Topic,
    delivery::{Guard, Signal, Standing, Ticket},
};
use crate::time::{BoxFuture, SharedClock};

/// Where events go that were handed over too often, and how long the others wait.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) dead_letters: Option<DeadLetters>,
    /// How long an event waits before it comes again: so long the first time, twice as long each time after that, at most this.
    pub(super) again_after: (Duration, Duration),
    /// How long a dead letter may take to be written.
    pub(super) bury_within: Duration,
}

#[derive(Clone, Debug)]
pub(super) struct DeadLetters {
    pub(super) broker: Arc<dyn Broker>,
    pub(super) topic: Topic,
    /// How many times an event is handed to the subscriber at most.
    pub(super) after: u32,
}

impl Rules {
    /// How long after this delivery the next one comes.
    pub(super) fn again_after(&self, delivery: u32) -> Duration {
        let (first, most) = self.again_after;
        let doubled = 2_u32.saturating_pow(delivery.saturating_sub(1).min(31));
        first.saturating_mul(doubled).min(most)
    }
}

/// What a finished chore did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    Settled,
    /// The dead letter stands, and the event is let go.
    Buried,
    /// It does not; the event comes again.
    NotBuried,
}

/// The deliveries of one subscription.
pub(super) struct Acks {
    settle: Arc<dyn Settle>,
    signal: Arc<Signal>,
    clock: SharedClock,
    rules: Rules,
    /// By sequence, all of one epoch.
    open: BTreeMap<u64, Arc<Ticket>>,
    epoch: u64,
    /// Whether what is refused comes back to this subscription, rather than to another of its group.
    alone: bool,
    chores: FuturesUnordered<BoxFuture<'static, Done>>,
}

impl Acks {
    pub(super) fn new(settle: Arc<dyn Settle>, clock: SharedClock, rules: Rules, alone: bool) -> Self {
        Self {
            settle,
            signal: Arc::default(),
            clock,
            rules,
            open: BTreeMap::new(),
            epoch: 0,
            alone,
            chores: FuturesUnordered::new(),
        }
    }

    pub(super) const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The guard of a delivery that is handed to the subscriber.
    pub(super) fn guard(&mut self, cursor: Cursor, delivery: u32) -> Guard {
        if cursor.epoch() != self.epoch {
            // What an older epoch left open, its broker forgot.
            self.epoch = cursor.epoch();
            self.open.clear();
        }
        let (guard, ticket) = Guard::new(cursor, delivery, Arc::clone(&self.settle), Arc::clone(&self.signal));
        self.open.insert(cursor.sequence(), ticket);
        guard
    }

    /// Lets an event go that is not handed to the subscriber.
    pub(super) fn let_go(&mut self, cursor: Cursor, delivery: u32) {
        let settle = Arc::clone(&self.settle);
        self.chores.push(Box::pin(async move {
            // If this fails, the event comes again and is let go then.
            let _ = settle.settle(cursor, delivery, Outcome::Ack).await;
            Done::Settled
        }));
    }

    /// Whether this delivery is one too many.
    pub(super) fn is_dead(&self, delivery: u32) -> bool {
        self.rules.dead_letters.as_ref().is_some_and(|letters| delivery > letters.after)
    }

    /// Writes a dead letter; only when it stands, the event is let go.
    pub(super) fn bury(&mut self, published: &Published, delivery: u32) {
        let Some(letters) = self.rules.dead_letters.clone() else { return };
        // The ticket of the delivery before has nothing more to say.
        let guard = self.guard(published.cursor, delivery);
        let cursor = published.cursor.to_string();
        let message = &published.message;
        let id = message.id().unwrap_or(&cursor).chars().take(super::Message::MAX_TEXT_BYTES / 8).collect::<String>();
        let letter = message
            .clone()
            .on(letters.topic)
            // Written twice, it is known as one.
            .with_id(format!("{id}.dead"))
            .with_attribute("deadtopic", message.topic().as_str())
            .with_attribute("deaddeliveries", (delivery - 1).to_string())
            .with_attribute("deadcursor", cursor);
        let (clock, within) = (self.clock.clone(), self.rules.bury_within);
        let again_after = self.rules.again_after(delivery);
        self.chores.push(Box::pin(async move {
            match clock.timeout(within, letters.broker.publish(letter)).await {
                Some(Ok(_)) => match guard.settle(Outcome::Ack).await {
                    Ok(()) => Done::Buried,
                    Err(_) => Done::NotBuried,
                },
                Some(Err(_)) | None => {
                    let _ = guard.settle(Outcome::Nack(again_after)).await;
                    Done::NotBuried
                }
            }
        }));
    }

    /// Tells the broker of dropped deliveries, and goes on with what is under way. `Pending` if nothing is finished.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Done> {
        if self.signal.lower(cx.waker()) {
            self.look();
        }
        match self.chores.poll_next_unpin(cx) {
            Poll::Ready(Some(done)) => Poll::Ready(done),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// Whether the broker has been told everything.
    pub(super) fn is_idle(&self) -> bool {
        self.chores.is_empty()
    }

    fn look(&mut self) {
        let (settle, alone) = (&self.settle, self.alone);
        let mut dropped = Vec::new();
        self.open.retain(|_, ticket| match ticket.standing() {
            Standing::Held => true,
            Standing::Done => false,
            Standing::Refused => alone,
            Standing::Dropped => {
                ticket.stand(Standing::Refused);
                dropped.push((ticket.cursor, ticket.delivery));
                alone
            }
        });
        for (cursor, delivery) in dropped {
            let (settle, again_after) = (Arc::clone(settle), self.rules.again_after(delivery));
            self.chores.push(Box::pin(async move {
                // If this fails, the event comes again when its time is over.
                let _ = settle.settle(cursor, delivery, Outcome::Nack(again_after)).await;
                Done::Settled
            }));
        }
    }

    /// The last place before everything that is open; `None` if nothing is.
    pub(super) fn open_after(&self) -> Option<Cursor> {
        let open = self.open.iter().find(|(_, ticket)| ticket.standing() != Standing::Done);
        open.map(|(sequence, _)| Cursor::new(self.epoch, sequence.saturating_sub(1)))
    }
}

impl fmt::Debug for Acks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acks")
            .field("open", &self.open.len())
            .field("chores", &self.chores.len())
            .finish_non_exhaustive()
    }
}
