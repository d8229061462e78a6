//! The kinds that have a shape, with upstream's arguments and defaults.

/// What an argument holds.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Shape {
    Text,
    OneOf(&'static [&'static str]),
    Flag,
    /// Texts.
    List,
    /// Names with values.
    Map,
}

/// What stands where an argument is left out.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Missing {
    Required,
    Text(&'static str),
    Flag(bool),
    List,
    Map,
}

pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) missing: Missing,
}

pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) rules: &'static [Rule],
}

const fn required(name: &'static str) -> Rule {
    Rule { name, shape: Shape::Text, missing: Missing::Required }
}

const fn text(name: &'static str, default: &'static str) -> Rule {
    Rule { name, shape: Shape::Text, missing: Missing::Text(default) }
}

const fn flag(name: &'static str, default: bool) -> Rule {
    Rule { name, shape: Shape::Flag, missing: Missing::Flag(default) }
}

const fn list(name: &'static str) -> Rule {
    Rule { name, shape: Shape::List, missing: Missing::List }
}

const fn map(name: &'static str) -> Rule {
    Rule { name, shape: Shape::Map, missing: Missing::Map }
}

const RISK: Rule =
    Rule { name: "risk_level", shape: Shape::OneOf(&["low", "medium", "high"]), missing: Missing::Text("medium") };

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "architecture_decision",
        rules: &[required("rationale"), list("alternatives_considered"), list("impacts"), text("decided_by", "team")],
    },
    Kind { name: "performance_boundary", rules: &[required("sla"), text("optimization_notes", ""), map("metrics")] },
    Kind {
        name: "api_contract",
        rules: &[
            required("endpoint"),
            text("method", "GET"),
            map("request_schema"),
            map("response_schema"),
            flag("auth_required", false),
        ],
    },
    Kind { name: "danger_zone", rules: &[RISK, list("risks"), text("mitigation", ""), flag("review_required", true)] },
    Kind {
        name: "integration_point",
        rules: &[required("target_component"), required("protocol"), text("data_flow", "")],
    },
    Kind {
        name: "state_checkpoint",
        rules: &[
            required("state_type"),
            flag("persistence", false),
            text("consistency_requirements", ""),
            text("recovery_strategy", ""),
        ],
    },
];

/// The candidate nearest to a misspelt name: at most this many characters put in, taken out or replaced.
pub(super) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>, edits: usize) -> Option<&'a str> {
    let near = candidates.into_iter().map(|candidate| (distance(name, candidate), candidate));
    near.filter(|(far, candidate)| *far <= edits && *far * 2 < candidate.len()).min().map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}
