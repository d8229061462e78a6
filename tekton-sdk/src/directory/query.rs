//! Whom to look for, and who of those found comes first.

use std::{
    cmp::Reverse,
    collections::HashMap,
    hash::{Hash, Hasher},
    sync::Arc,
    time::SystemTime,
};

use super::{Choice, Criterion, Mark, Preference, preference::refuse};
use crate::{
    contract::{Entry, Measured, Score},
    error::{FieldError, Result},
};

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
    /// Several criteria, each by its weight; see [`Preference`].
    Weighted(Preference),
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
    /// The bits of the number, because a query is hashed and compared.
    min_success_rate: Option<u64>,
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

    /// Whose calls succeed at least this often, from 0 to 1. Who does not say is no match.
    ///
    /// [`Tekton::choose`](crate::Tekton::choose) and `scatter` go by what this process has measured where it has, everything
    /// else by what the components' entries say. What is no such number is told where the query is used.
    #[must_use]
    pub fn with_min_success_rate(mut self, share: f64) -> Self {
        self.min_success_rate = Some((share + 0.0).to_bits());
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

    /// Who comes first, by several criteria.
    #[must_use]
    pub const fn preferring(self, preference: Preference) -> Self {
        self.ranked(Rank::Weighted(preference))
    }

    /// Checks the numbers of the query. Whoever looks something up does it.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) with one field error for each that is none, or out of its range.
    pub fn check(&self) -> Result<()> {
        let mut wrong = match self.rank {
            Rank::Weighted(preference) => preference.wrong(),
            _ => Vec::new(),
        };
        let share = self.min_success_rate.map(f64::from_bits).filter(|share| !(0.0..=1.0).contains(share));
        wrong.extend(
            share.map(|share| {
                FieldError::new("min_success_rate", format!("is {share}, and must be a number from 0 to 1"))
            }),
        );
        refuse(wrong)
    }

    /// The query for a directory whose answer is looked at once more with what was measured.
    pub(crate) fn before_measuring(&self) -> Self {
        Self { min_success_rate: None, ..self.clone() }
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
        parts.extend(self.min_success_rate.map(|share| format!("success rate >= {}", f64::from_bits(share))));
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
            && self.is_reliable(entry.metadata.success_rate)
    }

    fn is_reliable(&self, success_rate: Option<f64>) -> bool {
        self.min_success_rate.is_none_or(|min| success_rate.is_some_and(|rate| rate >= f64::from_bits(min)))
    }

    /// Drops what does not match and orders the rest, best first. Backends call it on what they hold.
    #[must_use]
    pub fn select(&self, mut entries: Vec<Entry>) -> Vec<Entry> {
        entries.retain(|entry| self.matches(entry));
        self.order(entries)
    }

    /// Applies the health filter and orders what is left.
    #[must_use]
    pub fn order(&self, entries: Vec<Entry>) -> Vec<Entry> {
        self.order_by(entries, &|_| None)
    }

    /// The same, where what was measured counts more than what an entry says of itself, also for the least success rate.
    #[must_use]
    pub fn order_by(&self, entries: Vec<Entry>, measured: &dyn Fn(&Entry) -> Option<Measured>) -> Vec<Entry> {
        self.weigh(entries, measured).into_iter().map(|choice| choice.entry).collect()
    }

    /// The same as [`Self::order_by`], and says why each stands where it stands.
    #[must_use]
    pub fn weigh(&self, entries: Vec<Entry>, measured: &dyn Fn(&Entry) -> Option<Measured>) -> Vec<Choice> {
        let mut candidates: Vec<_> = entries
            .into_iter()
            .filter(|entry| self.health != HealthFilter::Healthy || entry.healthy == Some(true))
            .map(|entry| Candidate::new(self, entry, measured))
            .filter(|candidate| self.is_reliable(candidate.success_rate.0))
            .collect();
        // Newest first is the last tie-break but the id, so sort by it first: the sorts are stable.
        candidates.sort_by(|Candidate { entry: a, .. }, Candidate { entry: b, .. }| {
            newest(a).cmp(&newest(b)).then_with(|| a.id.cmp(&b.id))
        });
        match self.rank {
            Rank::Newest => {}
            Rank::Score => candidates.sort_by(|a, b| b.known_score().total_cmp(&a.known_score())),
            Rank::Health => candidates.sort_by(|a, b| {
                let rate = |candidate: &Candidate| candidate.success_rate.0.unwrap_or(0.0);
                illness(&a.entry).cmp(&illness(&b.entry)).then_with(|| rate(b).total_cmp(&rate(a)))
            }),
            Rank::Latency => sort_low(&mut candidates, |candidate| candidate.latency.0),
            Rank::Cost => sort_low(&mut candidates, |candidate| candidate.entry.metadata.cost),
            Rank::Weighted(preference) => preference.rank(&mut candidates),
        }
        if self.health == HealthFilter::Usable {
            candidates.sort_by_key(|candidate| candidate.entry.healthy == Some(false));
        }
        candidates.into_iter().map(Candidate::into_choice).collect()
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
        let low =
            |a: Option<f64>, b: Option<f64>| a.unwrap_or(f64::INFINITY).total_cmp(&b.unwrap_or(f64::INFINITY)).is_eq();
        let rate = |entry: &Entry| entry.metadata.success_rate.unwrap_or(0.0);
        let same_score = || self.score(a).unwrap_or(0.0).total_cmp(&self.score(b).unwrap_or(0.0)).is_eq();
        let same_rate = || rate(a).total_cmp(&rate(b)).is_eq();
        let same_latency = || low(a.metadata.avg_response_time, b.metadata.avg_response_time);
        let same_cost = || low(a.metadata.cost, b.metadata.cost);
        match self.rank {
            Rank::Newest => a.name.eq_ignore_ascii_case(&b.name),
            Rank::Score => same_score(),
            Rank::Health => illness(a) == illness(b) && same_rate(),
            Rank::Latency => same_latency(),
            Rank::Cost => same_cost(),
            Rank::Weighted(_) => same_score() && same_rate() && same_latency() && same_cost(),
        }
    }

    /// The sum of what is known; `None` if no score is.
    fn score(&self, entry: &Entry) -> Option<f64> {
        let wanted = self.all.iter().chain(&self.any);
        let scores = wanted.filter_map(|w| entry.capability(&w.name)?.score).map(Score::get);
        scores.fold(None, |sum, score| Some(sum.unwrap_or(0.0) + score))
    }
}

/// An entry with what is known of it; each with whether it was measured.
pub(super) struct Candidate {
    entry: Entry,
    score: Option<f64>,
    success_rate: (Option<f64>, bool),
    latency: (Option<f64>, bool),
    pub(super) marks: Vec<Mark>,
    pub(super) total: f64,
}

impl Candidate {
    fn new(query: &Query, entry: Entry, measured: &dyn Fn(&Entry) -> Option<Measured>) -> Self {
        let measured = measured(&entry).filter(|measured| measured.calls > 0);
        let rate = measured.map(|measured| measured.success_rate).filter(|rate| (0.0..=1.0).contains(rate));
        let latency = measured.map(|measured| measured.latency.as_secs_f64());
        Self {
            score: query.score(&entry),
            success_rate: (rate.or(entry.metadata.success_rate), rate.is_some()),
            latency: (latency.or(entry.metadata.avg_response_time), latency.is_some()),
            entry,
            marks: Vec::new(),
            total: 0.0,
        }
    }

    fn known_score(&self) -> f64 {
        self.score.unwrap_or(0.0)
    }

    /// What is known by a criterion, if it makes sense, and whether it was measured.
    pub(super) fn value(&self, criterion: Criterion) -> (Option<f64>, bool) {
        let (value, measured) = match criterion {
            Criterion::Score => (self.score, false),
            Criterion::SuccessRate => self.success_rate,
            Criterion::Latency => self.latency,
            Criterion::Cost => (self.entry.metadata.cost, false),
        };
        let most = if criterion == Criterion::SuccessRate { 1.0 } else { f64::MAX };
        (value.filter(|value| (0.0..=most).contains(value)), measured)
    }

    fn into_choice(self) -> Choice {
        Choice { entry: self.entry, total: self.total, marks: self.marks }
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

fn sort_low(candidates: &mut [Candidate], value: impl Fn(&Candidate) -> Option<f64>) {
    candidates.sort_by(|a, b| value(a).unwrap_or(f64::INFINITY).total_cmp(&value(b).unwrap_or(f64::INFINITY)));
}
