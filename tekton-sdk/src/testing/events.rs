//! Events of a handle, recorded.

use std::collections::BTreeMap;

use super::log::Log;
use crate::telemetry::{Event, Observer};

/// An observer that keeps what it hears, the newest 10,000 events. Clones share their records.
///
/// ```
/// use tekton_sdk::{Tekton, testing::EventLog};
///
/// let events = EventLog::default();
/// let tekton = Tekton::builder().observer(events.clone()).build()?;
/// # drop(tekton);
/// assert!(events.named("breaker_changed").is_empty());
/// # Ok::<(), tekton_sdk::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct EventLog(Log<RecordedEvent>);

/// One event, as text.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Its name, as `call_ended`.
    pub name: &'static str,
    /// Its fields; what was `None` is not there.
    pub fields: BTreeMap<&'static str, String>,
}

impl RecordedEvent {
    /// The field of this name as text.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

impl EventLog {
    /// Everything that was heard, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<RecordedEvent> {
        self.0.all()
    }

    /// What was heard under this name, oldest first.
    #[must_use]
    pub fn named(&self, name: &str) -> Vec<RecordedEvent> {
        self.0.lock().iter().filter(|event| event.name == name).cloned().collect()
    }
}

impl Observer for EventLog {
    fn observe(&self, event: &Event<'_>) {
        let mut fields = BTreeMap::new();
        event.each(&mut |name, value| drop(fields.insert(name, value.to_string())));
        self.0.push(RecordedEvent { name: event.name(), fields });
    }
}
