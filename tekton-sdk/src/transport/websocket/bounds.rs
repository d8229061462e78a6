//! What the settings of everything that speaks over a WebSocket have in common.

use std::time::Duration;

use crate::error::{Error, Result};

/// Refuses what is no path.
pub(crate) fn path(path: &str) -> Result<()> {
    if !path.starts_with('/') || path.contains(['?', '#', ' ']) {
        return Err(Error::config("path must begin with a slash and end before the query"));
    }
    Ok(())
}

/// Refuses less than this.
pub(crate) fn least(name: &str, value: usize, least: usize) -> Result<()> {
    if value < least {
        return Err(Error::config(format!("{name} must be at least {least}, is {value}")));
    }
    Ok(())
}

/// Refuses no time at all.
pub(crate) fn some(name: &str, value: Duration) -> Result<()> {
    if value.is_zero() {
        return Err(Error::config(format!("{name} must be more than nothing")));
    }
    Ok(())
}

/// Refuses a longest pause that is shorter than the first.
pub(crate) fn delays(base: Duration, max: Duration) -> Result<()> {
    if max < base {
        return Err(Error::config(format!("max_delay must be at least base_delay, which is {base:?}, is {max:?}")));
    }
    Ok(())
}
