//! Tables of operations, put together and checked while the user's crate is compiled.

use super::Data;
use crate::contract::{Operation, Parameter, problems};

/// The component that a derive described.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no component",
    label = "put `#[derive(tekton_sdk::Component)]` on `{Self}`"
)]
pub trait Named {
    /// What it is called.
    const NAME: &'static str;
}

/// The tag of a component's own `#[service]` block, the one without a name.
#[derive(Debug)]
#[non_exhaustive]
pub struct Own;

/// A component that lists the service of this tag.
#[diagnostic::on_unimplemented(
    message = "this service of `{Self}` is not listed, so nobody serves it",
    label = "list it in `#[component(services(…))]`",
    note = "`#[derive(tekton_sdk::Component)]` serves one block without a name by itself; with `services(…)` every one is \
            listed: the component's own by the type's name, others by theirs"
)]
pub trait Lists<Tag> {}

/// The operations of one `#[service]`, by its tag, for the component `C`.
pub trait Table<C>: Sized {
    /// The table.
    const OPERATIONS: &'static [Operation];
}

/// A parameter that every call gives.
#[must_use]
pub const fn required<T: Data>(name: &'static str, description: &'static str) -> Parameter {
    Parameter::required(name, description).of::<T>()
}

/// A parameter that a call may leave out.
#[must_use]
pub const fn optional<T: Data>(name: &'static str, description: &'static str) -> Parameter {
    Parameter::optional(name, description).of::<T>()
}

/// Says what the operation answers.
#[must_use]
pub const fn returns<T: Data>(operation: Operation) -> Operation {
    operation.returns::<T>()
}

/// The operation of this name.
///
/// # Panics
/// If the table holds none; the macros ask for what they put there.
#[must_use]
pub const fn find(table: &'static [Operation], name: &str) -> &'static Operation {
    let mut at = 0;
    while at < table.len() {
        if same(table[at].name, name) {
            return &table[at];
        }
        at += 1;
    }
    panic!("the table holds no operation of this name")
}

/// Refuses an operation of the table that is there twice, or in one of the earlier tables.
///
/// # Panics
/// Naming the first one; the place is the caller's, where the service is listed.
#[track_caller]
pub const fn assert_distinct(earlier: &[&[Operation]], table: &[Operation]) {
    let mut at = 0;
    while at < table.len() {
        let name = table[at].name;
        let mut known = holds(table, at, name);
        let mut other = 0;
        while other < earlier.len() {
            known = known || holds(earlier[other], earlier[other].len(), name);
            other += 1;
        }
        if known {
            let (text, length) = twice(name);
            let (text, _) = text.split_at(length);
            match std::str::from_utf8(text) {
                Ok(text) => panic!("{}", text),
                Err(_) => panic!("two services of one component have an operation of the same name"),
            }
        }
        at += 1;
    }
}

/// Refuses what only a run can know of the tables of one component: the test that `#[derive(Component)]` adds.
///
/// # Panics
/// Naming everything that is wrong.
#[track_caller]
pub fn assert_valid(component: &str, tables: &[&[Operation]]) {
    let wrong = problems(&tables.iter().copied().flatten().collect::<Vec<_>>());
    let wrong: Vec<_> = wrong.iter().map(ToString::to_string).collect();
    assert!(wrong.is_empty(), "the operations of {component:?} are wrong: {}", wrong.join("; "));
}

/// Whether one of the first so many operations has this name.
const fn holds(table: &[Operation], first: usize, name: &str) -> bool {
    let mut at = 0;
    while at < first {
        if same(table[at].name, name) {
            return true;
        }
        at += 1;
    }
    false
}

/// A message with the name in it; formatting is not there yet where this runs.
const fn twice(name: &str) -> ([u8; 256], usize) {
    let parts = ["the operation `", name, "` is served twice; give one of them another `#[op(name = \"…\")]`"];
    let (mut text, mut length, mut part) = ([0; 256], 0, 0);
    while part < parts.len() {
        let bytes = parts[part].as_bytes();
        let mut at = 0;
        while at < bytes.len() && length < text.len() {
            text[length] = bytes[at];
            (length, at) = (length + 1, at + 1);
        }
        part += 1;
    }
    (text, length)
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Operation] = &[Operation::read("a", "A."), Operation::write("ab", "B.")];

    #[test]
    fn operations_are_found_by_name() {
        const AB: &Operation = find(TABLE, "ab");
        assert_eq!(AB.description, "B.");
    }

    #[test]
    fn two_of_one_name_are_refused_over_all_tables() {
        const { assert_distinct(&[TABLE, &[]], &[Operation::read("b", "C.")]) };
        let panic = std::panic::catch_unwind(|| assert_distinct(&[&[], TABLE], &[Operation::read("ab", "C.")]));
        let text = *panic.unwrap_err().downcast::<String>().unwrap();
        assert_eq!(text, "the operation `ab` is served twice; give one of them another `#[op(name = \"…\")]`");
        const TWICE: &[Operation] = &[Operation::read("a", "A."), Operation::write("a", "B.")];
        assert!(std::panic::catch_unwind(|| assert_distinct(&[], TWICE)).is_err());
    }
}
