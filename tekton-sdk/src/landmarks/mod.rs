//! Finding, serving and writing the landmarks of a program.
//!
//! [`#[landmark]`](macro@crate::landmark) marks a place in the code; the linker gathers what is marked in all crates of a
//! program. [`Landmarks`] searches it, a host serves it at `/landmarks`, and [`Landmarks::write`] puts it into files that
//! upstream's tools read.
//!
//! ```
//! use tekton_sdk::landmarks::Landmarks;
//!
//! #[tekton_sdk::landmark(kind = "danger_zone", title = "Money moves here", risk_level = "high", tags("money"))]
//! mod ledger {}
//!
//! let dangers = Landmarks::gather().of_kind("danger_zone").tagged("money");
//! assert_eq!(dangers.iter().map(|landmark| landmark.title).collect::<Vec<_>>(), ["Money moves here"]);
//! ```
//!
//! # What can go wrong
//!
//! - A dependency that no code names is not linked, and its landmarks are missing. `use the_crate as _;` names it.
//! - Paths are relative to the workspace, as `file!()` gives them: they lead nowhere from another folder.

mod files;
mod record;

use crate::contract::{Landmark, landmarks};

/// Landmarks, each once, by file and line. Every search gives the ones that are left.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Landmarks(Vec<&'static Landmark>);

impl Landmarks {
    /// All landmarks that are linked into this program.
    #[must_use]
    pub fn gather() -> Self {
        landmarks().collect()
    }

    /// Those of this kind.
    #[must_use]
    pub fn of_kind(&self, kind: &str) -> Self {
        self.those(|landmark| landmark.kind == kind)
    }

    /// Those with this tag.
    #[must_use]
    pub fn tagged(&self, tag: &str) -> Self {
        self.those(|landmark| landmark.tags.contains(&tag))
    }

    /// Those of this component; see [`Landmark::component`].
    #[must_use]
    pub fn of_component(&self, component: &str) -> Self {
        self.those(|landmark| landmark.component() == component)
    }

    /// Those with this text in title, description, metadata, kind or a tag, in upper or lower case.
    #[must_use]
    pub fn containing(&self, text: &str) -> Self {
        let text = text.to_lowercase();
        let holds = |place: &str| place.to_lowercase().contains(&text);
        self.those(|landmark| {
            [landmark.title, landmark.description, landmark.kind]
                .into_iter()
                .chain(landmark.tags.iter().copied())
                .any(holds)
                || holds(&record::metadata(landmark).to_string())
        })
    }

    /// Those at most `tolerance` lines away from this line, the nearest first. Upstream's tolerance is 10.
    ///
    /// A longer path, as an editor knows it, finds the file whose path it ends with.
    #[must_use]
    pub fn near(&self, file: &str, line: u32, tolerance: u32) -> Self {
        let mut near =
            self.those(|landmark| same_file(file, landmark.file) && landmark.line.abs_diff(line) <= tolerance);
        near.0.sort_by_key(|landmark| landmark.line.abs_diff(line));
        near
    }

    /// The one with this id, as records and files show it.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&'static Landmark> {
        self.iter().find(|landmark| record::id(landmark) == id)
    }

    /// The landmarks.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'static Landmark> + '_ {
        self.0.iter().copied()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn those(&self, keep: impl Fn(&Landmark) -> bool) -> Self {
        Self(self.iter().filter(|landmark| keep(landmark)).collect())
    }
}

impl FromIterator<&'static Landmark> for Landmarks {
    fn from_iter<I: IntoIterator<Item = &'static Landmark>>(landmarks: I) -> Self {
        let mut all: Vec<_> = landmarks.into_iter().collect();
        let key = |landmark: &Landmark| (landmark.file, landmark.line, landmark.kind, landmark.title);
        all.sort_by_key(|landmark| key(landmark));
        all.dedup_by_key(|landmark| key(landmark));
        Self(all)
    }
}

/// Whether one path is the other, or ends with it after a separator.
fn same_file(asked: &str, known: &str) -> bool {
    let mut asked = asked.rsplit(['/', '\\']).filter(|part| *part != ".");
    let mut known = known.rsplit(['/', '\\']).filter(|part| *part != ".");
    known.clone().next().is_some_and(|name| !name.is_empty()) && known.all(|part| asked.next() == Some(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Detail;

    const A: Landmark = Landmark::new("danger_zone", "Money moves", "Once only.")
        .at("bank/src/lib.rs", 20, "bank")
        .metadata(&[("risks", Detail::List(&[Detail::Text("Zählt doppelt")]))])
        .tags(&["money"]);
    const B: Landmark = Landmark::new("review_note", "Slow", "Reads all.").at("bank/src/lib.rs", 5, "bank::a");

    fn titles(landmarks: &Landmarks) -> Vec<&str> {
        landmarks.iter().map(|landmark| landmark.title).collect()
    }

    #[test]
    fn each_stands_once_in_order_and_is_found() {
        let all: Landmarks = [&A, &B, &A].into_iter().collect();
        assert_eq!(titles(&all), ["Slow", "Money moves"]);
        assert_eq!(titles(&all.of_kind("review_note")), ["Slow"]);
        assert_eq!(titles(&all.tagged("money")), ["Money moves"]);
        assert!(all.tagged("Money").is_empty() && all.of_component("bank").len() == 2);
        for text in ["MONEY", "once", "ZÄHLT", "danger", "risks"] {
            assert_eq!(titles(&all.containing(text)), ["Money moves"], "{text}");
        }
        assert_eq!(all.get(&record::id(&A)), Some(&A));
        assert_eq!(all.get("x"), None);
    }

    #[test]
    fn a_place_is_found_with_a_tolerance() {
        let all: Landmarks = [&A, &B].into_iter().collect();
        assert_eq!(titles(&all.near("bank/src/lib.rs", 15, 10)), ["Money moves", "Slow"]);
        assert_eq!(titles(&all.near("/somewhere/bank/src/lib.rs", 6, 0)), [""; 0]);
        assert_eq!(titles(&all.near("C:\\work\\bank\\src\\lib.rs", 6, 1)), ["Slow"]);
        for other in ["lib.rs", "riverbank/src/lib.rs", "bank/src/main.rs", ""] {
            assert!(all.near(other, 20, 100).is_empty(), "{other}");
        }
    }
}
