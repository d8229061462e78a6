//! The table as the documentation shows it.

use super::{POLICY_KEYS, SETTINGS};

/// The table of all settings in Markdown, as it stands in `docs/configuration.md`.
#[doc(hidden)]
#[must_use]
pub fn markdown() -> String {
    let mut table = String::from("| Key | Variables | Default | Allowed | Meaning |\n|---|---|---|---|---|\n");
    for setting in SETTINGS {
        let variables: Vec<String> = setting.variables().map(|name| format!("`{name}`")).collect();
        let default = setting.default.map_or_else(|| "none".to_owned(), |default| format!("`{default}`"));
        let (path, allowed, meaning) = (setting.path, setting.kind.allowed(), setting.meaning);
        table.push_str(&format!("| `{path}` | {} | {default} | {allowed} | {meaning} |\n", variables.join(" ")));
    }
    table
}

/// The table of the keys of a policy in Markdown, as it stands in `docs/configuration.md`.
#[doc(hidden)]
#[must_use]
pub fn policy_markdown() -> String {
    let mut table = String::from("| Key | Where no policy says it | Allowed | Meaning |\n|---|---|---|---|\n");
    for key in POLICY_KEYS {
        let open = key.setting.or(key.default).map_or_else(|| "none".to_owned(), |open| format!("`{open}`"));
        let allowed = match (key.is_section(), key.path) {
            (true, "fallback") => "a table with one of its keys, or `false`".to_owned(),
            (true, _) => "a table of its keys, `true` or `false`".to_owned(),
            (false, _) => key.kind.allowed(),
        };
        table.push_str(&format!("| `{}` | {open} | {allowed} | {} |\n", key.path, key.meaning));
    }
    table
}
