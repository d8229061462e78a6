//! Whom to look for, and who of those found comes first.

use std::{
    cmp::Reverse,
    collections::HashMap,
    hash::{Hash, Hasher},
    sync::Arc,
    time::SystemTime,
};

use crate::contract::{Entry, Score};

/// Which state of health a match must have.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HealthFilter {
    /// Whatever its health; it is not asked either.
    Any,
    /// Whatever its health, but who is known to be ill comes last.
    #[default]
    Usable,
    /// Only who is known to be well.
    Healthy,
}

/// Who comes first. Equal ones are ordered newest first, then by id. The calls of a peer are spread over those that are equal.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rank {
    /// The newest registration. All that have its name are equal to it, however old: they are instances of one component.
    #[default]
    Newest,
    /// The highest sum of scores over the capabilities that were asked for.
    Score,
    /// Who is well, then who is not known to be ill, then the highest success rate.
    Health,
    /// The shortest average response time; unknown ones last.
    Latency,
    /// The lowest cost; unknown ones last.
    Cost,
}

/// A capability that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Wanted {
    name: Arc<str>,
    min_score: Score,
}

/// Whom to look for. Every condition must hold.
///
/// ```
/// use tekton_sdk::{contract::Score, directory::{Query, Rank}};
///
/// let query = Query::capability("text.summarize")
///     .with_min_score("text.translate", Score::new(0.5)?)
///     .with_any(["lang.de", "lang.fr"])
///     .with_min_context_window(8_000)
///     .ranked(Rank::Score);
/// # Ok::<(), tekton_sdk::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    name: Option<Arc<str>>,
    id: Option<Arc<str>>,
    kind: Option<Arc<str>>,
    all: Vec<Wanted>,
    any: Vec<Wanted>,
    min_context_window: Option<u64>,
    health: HealthFilter,
    rank: Rank,
}

/// A query is hashed on every call, so what most queries leave out costs nothing, and equal queries still hash alike.
impl Hash for Query {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for text in [&self.name, &self.id, &self.kind].into_iter().flatten() {
            text.hash(state);
        }
        for wanted in self.all.iter().chain(&self.any) {
            wanted.hash(state);
        }
        (self.health, self.rank).hash(state);
    }
}

impl Query {
    /// Everybody, their health not asked.
    #[must_use]
    pub fn everybody() -> Self {
        Self { health: HealthFilter::Any, ..Self::default() }
    }

    /// The components of this name, in any case of letters.
    pub fn name(name: impl Into<Arc<str>>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// The component registered under this id.
    pub fn id(id: impl Into<Arc<str>>) -> Self {
        Self { id: Some(id.into()), ..Self::default() }
    }

    /// Who has this capability.
    pub fn capability(name: impl Into<Arc<str>>) -> Self {
        Self::default().with_capability(name)
    }

    /// Who has this capability too.
    #[must_use]
    pub fn with_capability(self, name: impl Into<Arc<str>>) -> Self {
        self.with_min_score(name, Score::ZERO)
    }

    /// Who has this capability too, with at least this score. One without a score passes a minimum of 0 only.
    #[must_use]
    pub fn with_min_score(mut self, name: impl Into<Arc<str>>, min_score: Score) -> Self {
        self.all.push(Wanted { name: name.into(), min_score });
        self
    }

    /// Who has at least one of these capabilities.
    #[must_use]
    pub fn with_any<N: Into<Arc<str>>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.any.extend(names.into_iter().map(|n| Wanted { name: n.into(), min_score: Score::ZERO }));
        self
    }

    /// Who is of this kind, upstream's `type`.
    #[must_use]
    pub fn with_kind(mut self, kind: impl Into<Arc<str>>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// Who can take at least so many tokens into view. Who does not say is no match.
    #[must_use]
    pub const fn with_min_context_window(mut self, tokens: u64) -> Self {
        self.min_context_window = Some(tokens);
        self
    }

    /// Which state of health a match must have.
    #[must_use]
    pub const fn with_health(mut self, health: HealthFilter) -> Self {
        self.health = health;
        self
    }

    /// Who comes first.
    #[must_use]
    pub const fn ranked(mut self, rank: Rank) -> Self {
        self.rank = rank;
        self
    }

    /// The state of health that is asked for.
    #[must_use]
    pub const fn health(&self) -> HealthFilter {
        self.health
    }

    /// A short text of the conditions, for messages.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut parts = Vec::new();
        let wanted = |list: &[Wanted]| {
            let each = list.iter().map(|w| match w.min_score {
                Score::ZERO => w.name.to_string(),
                min => format!("{} >= {min}", w.name),
            });
            each.collect::<Vec<_>>()
        };
        parts.extend(self.name.as_ref().map(|n| format!("name {n}")));
        parts.extend(self.id.as_ref().map(|i| format!("id {i}")));
        parts.extend(self.kind.as_ref().map(|k| format!("kind {k}")));
        if !self.all.is_empty() {
            parts.push(format!("capability {}", wanted(&self.all).join(" and ")));
        }
        if !self.any.is_empty() {
            parts.push(format!("capability {}", wanted(&self.any).join(" or ")));
        }
        parts.extend(self.min_context_window.map(|w| format!("context window >= {w}")));
        if self.health == HealthFilter::Healthy {
            parts.push("healthy".to_owned());
        }
        if parts.is_empty() { "everybody".to_owned() } else { parts.join(", ") }
    }

    /// Whether an entry fulfils every condition, health left aside.
    #[must_use]
    pub fn matches(&self, entry: &Entry) -> bool {
        let same = |wanted: &Option<Arc<str>>, is: &str| wanted.as_ref().is_none_or(|w| w.eq_ignore_ascii_case(is));
        same(&self.name, &entry.name)
            && self.id.as_ref().is_none_or(|id| **id == *entry.id)
            && same(&self.kind, entry.kind.as_deref().unwrap_or_default())
            && self.all.iter().all(|w| entry.can(&w.name, w.min_score))
            && (self.any.is_empty() || self.any.iter().any(|w| entry.can(&w.name, w.min_score)))
            && self.min_context_window.is_none_or(|min| entry.metadata.context_window.is_some_and(|w| w >= min))
    }

    /// Drops what does not match and orders the rest, best first. Backends call it on what they hold.
    #[must_use]
    pub fn select(&self, mut entries: Vec<Entry>) -> Vec<Entry> {
        entries.retain(|entry| self.matches(entry));
        self.order(entries)
    }

    /// Applies the health filter and orders what is left.
    #[must_use]
    pub fn order(&self, mut entries: Vec<Entry>) -> Vec<Entry> {
        if self.health == HealthFilter::Healthy {
            entries.retain(|entry| entry.healthy == Some(true));
        }
        // Newest first is the last tie-break but the id, so sort by it first: the sorts are stable.
        entries.sort_by(|a, b| newest(a).cmp(&newest(b)).then_with(|| a.id.cmp(&b.id)));
        match self.rank {
            Rank::Newest => {}
            Rank::Score => entries.sort_by(|a, b| self.score(b).total_cmp(&self.score(a))),
            Rank::Health => entries.sort_by(|a, b| {
                let rate = |e: &Entry| e.metadata.success_rate.unwrap_or(0.0);
                illness(a).cmp(&illness(b)).then_with(|| rate(b).total_cmp(&rate(a)))
            }),
            Rank::Latency => sort_low(&mut entries, |e| e.metadata.avg_response_time),
            Rank::Cost => sort_low(&mut entries, |e| e.metadata.cost),
        }
        if self.health == HealthFilter::Usable {
            entries.sort_by_key(|entry| entry.healthy == Some(false));
        }
        entries
    }

    /// Puts those together that are equal by the rank, in their order. Who is known to be ill is among the ill, if that makes a
    /// difference.
    pub(crate) fn alike<'a>(&self, entries: &'a [Entry]) -> Vec<Vec<&'a Entry>> {
        let mut groups: Vec<Vec<&Entry>> = Vec::new();
        let mut by_name: HashMap<(bool, String), usize> = HashMap::new();
        for entry in entries {
            let is_ill = |entry: &Entry| self.health == HealthFilter::Usable && entry.healthy == Some(false);
            let place = match self.rank {
                Rank::Newest => {
                    let key = (is_ill(entry), entry.name.to_ascii_lowercase());
                    *by_name.entry(key).or_insert(groups.len())
                }
                _ => {
                    let ties = |with: &Entry| is_ill(with) == is_ill(entry) && self.ties(with, entry);
                    let last = groups.last().and_then(|group| group.first());
                    if last.is_some_and(|with| ties(with)) { groups.len() - 1 } else { groups.len() }
                }
            };
            match groups.get_mut(place) {
                Some(group) => group.push(entry),
                None => groups.push(vec![entry]),
            }
        }
        groups
    }

    /// Whether the rank makes no difference between the two.
    fn ties(&self, a: &Entry, b: &Entry) -> bool {
        let low = |a: Option<f64>, b: Option<f64>| a.unwrap_or(f64::INFINITY).total_cmp(&b.unwrap_or(f64::INFINITY)).is_eq();
        match self.rank {
            Rank::Newest => a.name.eq_ignore_ascii_case(&b.name),
            Rank::Score => self.score(a).total_cmp(&self.score(b)).is_eq(),
            Rank::Health => {
                let rate = |entry: &Entry| entry.metadata.success_rate.unwrap_or(0.0);
                illness(a) == illness(b) && rate(a).total_cmp(&rate(b)).is_eq()
            }
            Rank::Latency => low(a.metadata.avg_response_time, b.metadata.avg_response_time),
            Rank::Cost => low(a.metadata.cost, b.metadata.cost),
        }
    }

    fn score(&self, entry: &Entry) -> f64 {
        let wanted = self.all.iter().chain(&self.any);
        wanted.filter_map(|w| entry.capability(&w.name)?.score).map(Score::get).sum()
    }
}

fn newest(entry: &Entry) -> Reverse<SystemTime> {
    Reverse(entry.registered_at.unwrap_or(SystemTime::UNIX_EPOCH))
}

fn illness(entry: &Entry) -> u8 {
    match entry.healthy {
        Some(true) => 0,
        None => 1,
        Some(false) => 2,
    }
}

fn sort_low(entries: &mut [Entry], value: impl Fn(&Entry) -> Option<f64>) {
    entries.sort_by(|a, b| value(a).unwrap_or(f64::INFINITY).total_cmp(&value(b).unwrap_or(f64::INFINITY)));
}
