//! The table as the documentation shows it.

use super::SETTINGS;

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
