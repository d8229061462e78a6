//! Reads a file of cases and runs each of them.

use std::{
    any::Any,
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
};

use serde_json::{Map, Value};

use crate::{Case, Miss, REQUIRES, Report, SUITES, Skipped, Suite};

/// Runs every case of a file in the suite of that name. A case that panics has failed, and the others go on.
///
/// # Errors
///
/// What is wrong with the name or the file, as a sentence: then no case was run.
pub fn run(suite: &str, text: &[u8]) -> Result<Report, String> {
    let suite = SUITES.iter().find(|known| known.name == suite).ok_or_else(|| {
        let known: Vec<_> = SUITES.iter().map(Suite::name).collect();
        format!("there is no suite `{suite}`: the suites are {}", known.join(", "))
    })?;
    let file: Value = serde_json::from_slice(text).map_err(|error| format!("the file is no JSON: {error}"))?;
    let file = file.as_object().ok_or("the file must be an object with a list of `cases`")?;
    let cases = cases(suite, file)?;
    let mut report = Report::default();
    for (id, body) in cases {
        match judge(suite, &Case { file, body }) {
            Ok(()) => report.passed += 1,
            Err(Miss::Failed(why)) => report.failed.push((id.to_owned(), why)),
            Err(Miss::Skipped(rule)) => report.skipped.push(Skipped { id: id.to_owned(), rule }),
        }
    }
    Ok(report)
}

type Named<'a> = (&'a str, &'a Map<String, Value>);

/// The cases with their ids, or what is wrong with the frame around them.
fn cases<'a>(suite: &Suite, file: &'a Map<String, Value>) -> Result<Vec<Named<'a>>, String> {
    if let Some(name) = file.get("suite").filter(|name| **name != suite.name) {
        return Err(format!("the file is of the suite {name}, not \"{}\"", suite.name));
    }
    if let Some(version) = file.get("version").filter(|version| **version != 1) {
        return Err(format!("the file has the version {version}, the runner reads version 1"));
    }
    let cases = file.get("cases").and_then(Value::as_array).ok_or("`cases` must be a list")?;
    if cases.is_empty() {
        return Err("`cases` is empty: nothing would be checked".into());
    }
    let mut seen = HashSet::new();
    let mut named = Vec::with_capacity(cases.len());
    for (position, case) in cases.iter().enumerate() {
        let body = case.as_object().ok_or_else(|| format!("`cases[{position}]` must be an object"))?;
        let id = body.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| format!("`cases[{position}].id` must be a text that is not empty"))?;
        if !seen.insert(id) {
            return Err(format!("`cases[{position}].id` is {id:?}, which an earlier case has"));
        }
        named.push((id, body));
    }
    Ok(named)
}

fn judge(suite: &Suite, case: &Case<'_>) -> Result<(), Miss> {
    if case.requires()?.iter().any(|needed| !suite.capabilities.contains(needed)) {
        return Err(Miss::Skipped(&REQUIRES));
    }
    // Nothing that a case changed is looked at after its panic.
    catch_unwind(AssertUnwindSafe(|| (suite.check)(case)))
        .unwrap_or_else(|panic| Err(Miss::Failed(format!("it panicked: {}", said(&*panic)))))
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it did not say why")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_that_panics_has_failed_and_says_why() {
        let check = |case: &Case<'_>| match case.body["id"].as_str() {
            Some("text") => panic!("at once"),
            Some("formatted") => panic!("{}", 5),
            _ => std::panic::panic_any(5),
        };
        let suite = Suite { name: "panicking", rules: &[], capabilities: &["calm"], check };
        for (id, said) in [("text", "at once"), ("formatted", "5"), ("any", "it did not say why")] {
            let body = serde_json::json!({"id": id, "requires": "calm"});
            let body = body.as_object().unwrap();
            let case = Case { file: body, body };
            let Err(Miss::Failed(why)) = judge(&suite, &case) else { panic!("{id} did not fail") };
            assert_eq!(why, format!("it panicked: {said}"));
        }
    }
}
