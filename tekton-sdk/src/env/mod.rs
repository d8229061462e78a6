//! The settings, in one table, [`SETTINGS`], and what a named policy says, in another, [`POLICY_KEYS`].
//!
//! From the table come the parser of environment variables, the bounds that the configuration checks, the table in the
//! documentation, and the hint that follows a misspelt variable.
//!
//! ```
//! use tekton_sdk::env::Env;
//!
//! let env: Env = [("TEKTON_REQUEST_TIMEOUT", "1m30s"), ("TEKTON_REQEST_TIMEOUT", "5s")].into_iter().collect();
//! let parsed = env.parse();
//! assert_eq!(parsed.values[0].path, "request.timeout");
//! assert_eq!(parsed.warnings, ["unknown variable TEKTON_REQEST_TIMEOUT, did you mean TEKTON_REQUEST_TIMEOUT?"]);
//! ```

mod address;
mod de;
mod kind;
mod markdown;
mod parse;
mod policy_table;
mod ports;
mod suggest;
mod table;
mod text;
mod upstream;

use std::{borrow::Cow, collections::BTreeMap, fmt};

pub use address::base_url;
pub(crate) use address::socket_path;
pub use de::{bytes, duration, instance, names, optional_duration};
pub(crate) use kind::quoted;
pub use kind::{Kind, Value};
#[cfg(feature = "host")]
pub(crate) use kind::{UNIX, network};
pub use markdown::{markdown, policy_markdown};
pub use parse::{Found, Parsed};
pub use policy_table::{POLICY_KEYS, PolicyKey, policy_key};
pub use ports::default_port;
pub(crate) use suggest::nearest;
pub(crate) use table::check_order;
pub use table::{Alias, CONFIG_FILE, SETTINGS, Setting, UPDATE_SNAPSHOTS, check, setting};
pub use upstream::UPSTREAM;

use crate::error::{Error, FieldError};

/// The environment variables that may concern this crate.
///
/// `Debug` prints the names only: upstream keeps secrets in some of them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Env(BTreeMap<String, String>);

impl Env {
    /// Reads the variables of this process whose names this crate may read or recognise.
    ///
    /// What is not UTF-8 is kept with replacement characters, so that it is refused by name where it matters.
    #[must_use]
    pub fn from_process() -> Self {
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        std::env::vars_os()
            .map(|(name, value)| (lossy(name), value))
            .filter(|(name, _)| upstream::concerns_us(name))
            .map(|(name, value)| (name, lossy(value)))
            .collect()
    }

    /// Returns the variable's value without the blanks around it; `None` if that leaves nothing.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl From<BTreeMap<String, String>> for Env {
    fn from(variables: BTreeMap<String, String>) -> Self {
        Self(variables)
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Makes one error of all the settings that are wrong.
#[must_use]
pub fn wrong(fields: Vec<FieldError>) -> Error {
    let what = match fields.len() {
        1 => Cow::Borrowed("1 setting is wrong"),
        n => Cow::Owned(format!("{n} settings are wrong")),
    };
    Error::config(what).with_fields(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_names_only() {
        let env: Env = [("TEKTON_AUTH_SECRET", "hunter2")].into_iter().collect();
        assert_eq!(format!("{env:?}"), r#"{"TEKTON_AUTH_SECRET"}"#);
    }

    #[test]
    fn the_process_gives_only_what_concerns_us() {
        for name in Env::from_process().names() {
            assert!(upstream::concerns_us(name), "{name}");
        }
        assert!(!upstream::concerns_us("PATH"));
        assert!(upstream::concerns_us("SUMMARIZER_PORT") && upstream::concerns_us("CIRCUIT_BREAKER_THRESHOLD"));
    }

    #[test]
    fn blank_is_unset() {
        let env: Env = [("TEKTON_HOST", "  "), ("HERMES_HOST", " hub ")].into_iter().collect();
        assert_eq!((env.get("TEKTON_HOST"), env.get("HERMES_HOST")), (None, Some("hub")));
    }
}
