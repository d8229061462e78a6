//! Spans and events of a test, captured.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, ThreadId},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span::{Attributes, Id},
};

use super::log::Log;

/// A captured span, or a captured event.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Record {
    /// The span's name, or the event's message.
    pub name: String,
    /// The module it comes from.
    pub target: String,
    /// Its level.
    pub level: Level,
    /// Its fields as text, without the event's message.
    pub fields: BTreeMap<String, String>,
    /// The name of the span it began in.
    pub within: Option<String>,
    id: u64,
}

impl Record {
    /// The field of this name as text.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

impl Visit for Record {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.name);
        } else {
            self.fields.insert(field.name().to_owned(), value.to_owned());
        }
    }
}

/// The subscriber of a test bed: keeps spans and events down to `DEBUG`.
#[derive(Debug, Default)]
pub(super) struct Capture {
    pub(super) spans: Log<Record>,
    pub(super) events: Log<Record>,
    open: Mutex<Open>,
    next_id: AtomicU64,
}

#[derive(Debug, Default)]
struct Open {
    /// Name and count of handles, by id.
    spans: HashMap<u64, (&'static str, usize)>,
    entered: HashMap<ThreadId, Vec<u64>>,
}

impl Capture {
    /// The same logs under another owner.
    pub(super) fn logs(&self) -> (Log<Record>, Log<Record>) {
        (self.spans.clone(), self.events.clone())
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record_of(&self, metadata: &Metadata<'_>, parent: Option<&Id>, contextual: bool) -> Record {
        let open = self.open();
        let parent = match parent {
            Some(parent) => Some(parent.into_u64()),
            None if contextual => open.entered.get(&thread::current().id()).and_then(|ids| ids.last().copied()),
            None => None,
        };
        Record {
            name: metadata.name().to_owned(),
            target: metadata.target().to_owned(),
            level: *metadata.level(),
            fields: BTreeMap::new(),
            within: parent.and_then(|id| open.spans.get(&id)).map(|(name, _)| (*name).to_owned()),
            id: 0,
        }
    }
}

impl Subscriber for Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= &Level::DEBUG
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut record = self.record_of(span.metadata(), span.parent(), span.is_contextual());
        span.record(&mut record);
        record.id = self.next_id.fetch_add(1, Ordering::Relaxed) + 1;
        let id = record.id;
        self.open().spans.insert(id, (span.metadata().name(), 1));
        self.spans.push(record);
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &tracing::span::Record<'_>) {
        let mut spans = self.spans.lock();
        if let Some(record) = spans.iter_mut().rev().find(|record| record.id == span.into_u64()) {
            values.record(record);
        }
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut record = self.record_of(event.metadata(), event.parent(), event.is_contextual());
        event.record(&mut record);
        self.events.push(record);
    }

    fn enter(&self, span: &Id) {
        self.open().entered.entry(thread::current().id()).or_default().push(span.into_u64());
    }

    fn exit(&self, span: &Id) {
        let mut open = self.open();
        let Some(entered) = open.entered.get_mut(&thread::current().id()) else { return };
        if let Some(at) = entered.iter().rposition(|id| *id == span.into_u64()) {
            entered.remove(at);
        }
    }

    fn clone_span(&self, span: &Id) -> Id {
        if let Some((_, handles)) = self.open().spans.get_mut(&span.into_u64()) {
            *handles += 1;
        }
        span.clone()
    }

    fn try_close(&self, span: Id) -> bool {
        let mut open = self.open();
        let Some((_, handles)) = open.spans.get_mut(&span.into_u64()) else { return true };
        *handles -= 1;
        let last = *handles == 0;
        if last {
            open.spans.remove(&span.into_u64());
        }
        last
    }
}
