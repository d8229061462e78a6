//! A component's tools, kept in a file: whoever changes one sees it in a test.

use std::{fmt::Write as _, fs, path::Path};

use serde_json::{Value, json};

use crate::{
    contract::Tool,
    env::{Env, UPDATE_SNAPSHOTS},
};

/// The lines around a change that are shown.
const CONTEXT: usize = 3;
/// Beyond so many cells the table of the comparison is not made, and all is shown as changed.
const MAX_CELLS: usize = 4_000_000;

/// Compares a component's tools, with their hashes and in the order of their names, with the file at this path.
///
/// `TEKTON_UPDATE_SNAPSHOTS=1` writes the file instead; it belongs into version control. The path is relative to the folder
/// of the package under test.
///
/// ```
/// use tekton_sdk::{contract::{Operation, Tool}, testing::assert_tools_snapshot};
///
/// const ASK: Operation = Operation::read("ask", "Asks.");
/// # let folder = std::env::temp_dir().join(format!("tools-{}", std::process::id()));
/// # let path = folder.join("tools.json");
/// # std::fs::create_dir_all(&folder)?;
/// # std::fs::write(&path, tekton_sdk::testing::tools_snapshot(&[Tool::of(&ASK)]))?;
/// // In a test: `&Arc::new(Summarizer).operations().tools()`
/// assert_tools_snapshot(&path, &[Tool::of(&ASK)]);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
/// With the lines that differ, if the file says something else, or is not there.
#[track_caller]
pub fn assert_tools_snapshot(path: impl AsRef<Path>, tools: &[Tool]) {
    let update = Env::from_process().get(UPDATE_SNAPSHOTS).is_some_and(|value| value != "0" && value != "false");
    if let Err(complaint) = compare(path.as_ref(), &tools_snapshot(tools), update) {
        panic!("{complaint}");
    }
}

/// The text of a snapshot: what [`assert_tools_snapshot`] compares and writes.
#[must_use]
pub fn tools_snapshot(tools: &[Tool]) -> String {
    let mut tools: Vec<_> = tools.iter().cloned().map(Tool::with_hash).collect();
    tools.sort_by(|a, b| a.name.cmp(&b.name));
    let mut text = format!("{:#}", sorted(json!({ "tools": tools })));
    text.push('\n');
    text
}

/// Keys in order, whether serde_json keeps them so or not.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut members: Vec<_> = object.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(members.into_iter().collect())
        }
        Value::Array(values) => values.into_iter().map(sorted).collect(),
        plain => plain,
    }
}

fn compare(path: &Path, now: &str, update: bool) -> Result<(), String> {
    let shown = path.display();
    // A checkout may have given the lines other ends.
    let kept = fs::read_to_string(path).map(|text| text.replace("\r\n", "\n"));
    if kept.as_deref().is_ok_and(|kept| kept == now) {
        return Ok(());
    }
    if update {
        let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
        return folder.and_then(|()| fs::write(path, now)).map_err(|error| format!("cannot write {shown}: {error}"));
    }
    let again = format!("run the test once with {UPDATE_SNAPSHOTS}=1 to accept them");
    match kept {
        Ok(kept) => Err(format!("the tools differ from {shown}; {again}:\n{}", difference(&kept, now))),
        Err(error) => Err(format!("there is no snapshot of the tools at {shown} ({error}); {again}")),
    }
}

/// The lines that differ, `-` as they were and `+` as they are, with a few lines around.
fn difference(before: &str, after: &str) -> String {
    let lines = marked(&before.lines().collect::<Vec<_>>(), &after.lines().collect::<Vec<_>>());
    let changed = |at: usize| lines.get(at).is_some_and(|(mark, _)| *mark != ' ');
    let mut text = String::new();
    let mut skipped = false;
    for (at, (mark, line)) in lines.iter().enumerate() {
        if (at.saturating_sub(CONTEXT)..=at + CONTEXT).any(changed) {
            if std::mem::take(&mut skipped) {
                text.push_str("  …\n");
            }
            writeln!(text, "{mark} {line}").expect("a String takes every text");
        } else {
            skipped = true;
        }
    }
    text
}

/// Each line of both with its mark, by their longest common subsequence.
fn marked<'a>(before: &[&'a str], after: &[&'a str]) -> Vec<(char, &'a str)> {
    let head = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let (old, new) = (&before[head..], &after[head..]);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[..old.len() - tail], &new[..new.len() - tail]);
    let mut lines: Vec<_> = before[..head].iter().map(|line| (' ', *line)).collect();
    let (mut at, mut to) = (0, 0);
    if old.len().saturating_mul(new.len()) <= MAX_CELLS {
        // common[i][j]: the length of the longest common subsequence of what follows i and j.
        let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
        for i in (0..old.len()).rev() {
            for j in (0..new.len()).rev() {
                common[i][j] =
                    if old[i] == new[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
            }
        }
        while at < old.len() && to < new.len() {
            if old[at] == new[to] {
                lines.push((' ', old[at]));
                (at, to) = (at + 1, to + 1);
            } else if common[at + 1][to] >= common[at][to + 1] {
                lines.push(('-', old[at]));
                at += 1;
            } else {
                lines.push(('+', new[to]));
                to += 1;
            }
        }
    }
    lines.extend(old[at..].iter().map(|line| ('-', *line)));
    lines.extend(new[to..].iter().map(|line| ('+', *line)));
    lines.extend(before[before.len() - tail..].iter().map(|line| (' ', *line)));
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::contract::Operation;

    const ASK: Operation = Operation::read("ask", "Asks.");
    const TELL: Operation = Operation::write("tell", "Tells.");

    #[test]
    fn a_change_is_shown_and_accepted_when_asked() {
        let folder = std::env::temp_dir().join(format!("tekton-snapshot-{}", std::process::id()));
        let path = folder.join("kept/tools.json");
        let before = tools_snapshot(&[Tool::of(&TELL), Tool::of(&ASK)]);
        let missing = compare(&path, &before, false).unwrap_err();
        assert!(missing.contains("there is no snapshot") && missing.contains("TEKTON_UPDATE_SNAPSHOTS=1"), "{missing}");
        compare(&path, &before, true).unwrap();
        compare(&path, &tools_snapshot(&[Tool::of(&ASK), Tool::of(&TELL)]), false).unwrap();
        fs::write(&path, before.replace('\n', "\r\n")).unwrap();
        compare(&path, &before, false).unwrap();
        let after = tools_snapshot(&[Tool::of(&ASK), Tool::of(&TELL.idempotent())]);
        let changed = compare(&path, &after, false).unwrap_err();
        assert!(changed.contains("\n-         \"destructiveHint\": true,\n"), "{changed}");
        assert!(changed.contains("\n+         \"destructiveHint\": false,\n"), "{changed}");
        assert!(
            changed.contains("tekton/hash") && changed.contains("  …\n") && !changed.contains("Asks."),
            "{changed}"
        );
        compare(&path, &after, true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), after);
        fs::remove_dir_all(folder).unwrap();
    }

    proptest! {
        #[test]
        fn both_texts_can_be_read_from_the_difference(
            before in prop::collection::vec("[a-c]", 0..12),
            after in prop::collection::vec("[a-c]", 0..12),
        ) {
            let (before, after): (Vec<_>, Vec<_>) =
                (before.iter().map(String::as_str).collect(), after.iter().map(String::as_str).collect());
            let lines = marked(&before, &after);
            let without = |mark: char| lines.iter().filter(|(m, _)| *m != mark).map(|(_, l)| *l).collect::<Vec<_>>();
            prop_assert_eq!(without('+'), before);
            prop_assert_eq!(without('-'), after);
        }
    }
}
