//! What is known of a place in the code.

use serde::{Serialize, Serializer};

/// A place in the code that whoever changes it should know of, as [`#[landmark]`](macro@crate::landmark) wrote it down.
///
/// ```
/// use tekton_sdk::contract::{Detail, Landmark};
///
/// const MONEY: Landmark = Landmark::new("danger_zone", "Money moves here", "Books a payment, once only.")
///     .at(file!(), line!(), module_path!())
///     .metadata(&[("risk_level", Detail::Text("high"))])
///     .tags(&["money"]);
/// assert_eq!(MONEY.author, "system");
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Landmark {
    /// What kind of landmark it is: one of upstream's six, or a free word.
    pub kind: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// What to know.
    pub description: &'static str,
    /// The source file as the compiler was given it: relative to the workspace, or to where a registry unpacked the crate.
    pub file: &'static str,
    /// The line of the item's name, counted from 1.
    pub line: u32,
    /// The module that it stands in, its crate first.
    pub module: &'static str,
    /// Who says so. Default: `"system"`.
    pub author: &'static str,
    /// What its kind adds, in upstream's order.
    pub metadata: &'static [(&'static str, Detail)],
    /// Words to find it by.
    pub tags: &'static [&'static str],
}

impl Landmark {
    /// A landmark that stands nowhere yet.
    #[must_use]
    pub const fn new(kind: &'static str, title: &'static str, description: &'static str) -> Self {
        Self { kind, title, description, file: "", line: 0, module: "", author: "system", metadata: &[], tags: &[] }
    }

    /// Says where it stands.
    #[must_use]
    pub const fn at(mut self, file: &'static str, line: u32, module: &'static str) -> Self {
        self.file = file;
        self.line = line;
        self.module = module;
        self
    }

    /// Says what its kind adds.
    #[must_use]
    pub const fn metadata(mut self, metadata: &'static [(&'static str, Detail)]) -> Self {
        self.metadata = metadata;
        self
    }

    /// Gives it words to be found by.
    #[must_use]
    pub const fn tags(mut self, tags: &'static [&'static str]) -> Self {
        self.tags = tags;
        self
    }

    /// Says who says so.
    #[must_use]
    pub const fn author(mut self, author: &'static str) -> Self {
        self.author = author;
        self
    }

    /// The component that it belongs to: the first part of its path that is one of upstream's folders, else its crate.
    ///
    /// Upstream says `"unknown"` in the second case, which in a workspace of Rust crates would be every case.
    #[must_use]
    pub fn component(&self) -> &'static str {
        let krate = self.module.split("::").next().filter(|krate| !krate.is_empty());
        upstream_component(self.file).or(krate).unwrap_or("unknown")
    }
}

/// The first part of a path that upstream takes for a component.
pub(crate) fn upstream_component(path: &str) -> Option<&'static str> {
    path.split(['/', '\\']).find_map(|part| FOLDERS.into_iter().find(|folder| *folder == part))
}

/// The folders that upstream takes for components.
const FOLDERS: [&str; 15] = [
    "Hermes",
    "Apollo",
    "Engram",
    "Athena",
    "Prometheus",
    "Budget",
    "Harmonia",
    "Rhetor",
    "Sophia",
    "Telos",
    "shared",
    "Ergon",
    "Synthesis",
    "Metis",
    "Terma",
];

/// A value in a landmark's metadata.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Detail {
    /// A text.
    Text(&'static str),
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Whole(i64),
    /// A number.
    Number(f64),
    /// Values in order.
    List(&'static [Detail]),
    /// Values by name.
    Map(&'static [(&'static str, Detail)]),
}

impl Serialize for Detail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Whole(number) => serializer.serialize_i64(*number),
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::List(values) => serializer.collect_seq(*values),
            Self::Map(pairs) => serializer.collect_map(pairs.iter().copied()),
        }
    }
}

#[cfg(feature = "macros")]
inventory::collect!(Landmark);

/// Every landmark of the crates that are linked into this program, in no order.
///
/// A dependency that no code names is not linked, and its landmarks are not here: `use the_crate as _;` is enough.
///
/// ```
/// #[tekton_sdk::landmark(kind = "review_note", title = "Sums wrap around")]
/// fn sum(a: u8, b: u8) -> u8 {
///     a.wrapping_add(b)
/// }
///
/// assert!(tekton_sdk::contract::landmarks().any(|landmark| landmark.title == "Sums wrap around"));
/// # assert_eq!(sum(255, 1), 0);
/// ```
#[cfg(feature = "macros")]
#[cfg_attr(docsrs, doc(cfg(feature = "macros")))]
pub fn landmarks() -> impl Iterator<Item = &'static Landmark> {
    inventory::iter::<Landmark>.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_component_is_upstream_s_folder_or_the_crate() {
        let component = |file, module| Landmark::new("k", "t", "d").at(file, 1, module).component();
        assert_eq!(component("home/Tekton/Hermes/shared/api.py", "x"), "Hermes");
        assert_eq!(component("C:\\Tekton\\Rhetor\\a.rs", "x"), "Rhetor");
        assert_eq!(component("hermes/src/lib.rs", "summarizer::parts"), "summarizer");
        assert_eq!(component("", ""), "unknown");
    }
}
