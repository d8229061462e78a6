//! Settings under `batch`.

use serde::{Deserialize, Serialize};

use crate::{env, error::FieldError};

/// How large a batch is. Kept for the batch room; nothing reads it yet.
///
/// ```
/// use tekton_sdk::config::BatchSettings;
///
/// let config = BatchSettings::default();
/// assert_eq!(config.max_items, 100);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BatchSettings {
    /// How many items make a batch. Default: 100.
    pub max_items: usize,
}

impl Default for BatchSettings {
    fn default() -> Self {
        Self { max_items: 100 }
    }
}

impl BatchSettings {
    /// Sets [`Self::max_items`].
    #[must_use]
    pub const fn with_max_items(mut self, max_items: usize) -> Self {
        self.max_items = max_items;
        self
    }

    /// Checks every field against its bounds, and names what is wrong, all of it.
    #[must_use]
    pub fn validate(&self) -> Vec<FieldError> {
        env::check("batch.max_items", self.max_items).into_iter().collect()
    }
}
