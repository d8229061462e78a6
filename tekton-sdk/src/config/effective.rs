//! The settings that hold, as they would be written.

use std::time::Duration;

use serde_json::{Map, Value as Json};

use super::Config;
use crate::{
    env::{Kind, SETTINGS, Value},
    error::{Error, Result},
};

impl Config {
    /// Every setting that holds, by its path, as it would be written; `null` where there is none. What may hold a password is
    /// not shown.
    ///
    /// ```
    /// use tekton_sdk::Config;
    ///
    /// let settings = Config::default().effective()?;
    /// assert_eq!(settings["request.timeout"], "30s");
    /// assert_eq!(settings["hub.url"], serde_json::Value::Null);
    /// # Ok::<(), tekton_sdk::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Internal`](crate::ErrorKind::Internal) if a setting cannot be written as JSON.
    pub fn effective(&self) -> Result<Map<String, Json>> {
        let failed = |error| Error::internal("the settings cannot be written as JSON").with_source(error);
        let tree = serde_json::to_value(self).map_err(failed)?;
        let show = |path: &'static str, kind: Kind| {
            let value = path.split('.').try_fold(&tree, |tree, key| tree.get(key)).unwrap_or(&Json::Null);
            (path.to_owned(), shown(kind, value))
        };
        Ok(SETTINGS.iter().map(|setting| show(setting.path, setting.kind)).collect())
    }
}

fn shown(kind: Kind, value: &Json) -> Json {
    let written = match (kind, value) {
        (Kind::Duration { .. }, Json::Object(_)) => {
            let part = |name| value.get(name).and_then(Json::as_u64).unwrap_or_default();
            let nanos = u32::try_from(part("nanos")).unwrap_or_default();
            Value::Duration(Duration::new(part("secs"), nanos))
        }
        (Kind::Bytes { .. }, Json::Number(number)) => Value::Number(number.as_u64().unwrap_or_default()),
        // A URL with a user in it is refused when it is read; code may have put one there.
        (_, Json::String(text)) if text.contains('@') => return "***".into(),
        (Kind::Names | Kind::Networks, Json::Array(names)) => {
            let names: Vec<&str> = names.iter().filter_map(Json::as_str).collect();
            Value::Text(names.join(","))
        }
        _ => return value.clone(),
    };
    kind.show(&written).into()
}
