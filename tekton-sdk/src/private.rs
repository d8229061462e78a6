//! What the output of the macros may call, and the benches. Not for use by hand: it changes without notice.

#[cfg(feature = "macros")]
pub use inventory;
pub use schemars;
pub use serde;

pub use crate::contract::{Detail, Landmark};
#[cfg(feature = "host")]
pub use crate::host::measured::{Held, HostLimits};
#[cfg(feature = "macros")]
pub use crate::patterns::breaker::{FunctionBreaker, Guarded};
pub use crate::patterns::events::derived::{FixedTopic, Token, is_on, strange, topic};
pub use crate::service::*;

/// Keeps its items where the SDK has its host.
#[doc(hidden)]
#[cfg(feature = "host")]
#[macro_export]
macro_rules! __tekton_when_host { ($($item:tt)*) => { $($item)* } }
/// Keeps its items where the SDK has its host.
#[doc(hidden)]
#[cfg(not(feature = "host"))]
#[macro_export]
macro_rules! __tekton_when_host {
    ($($item:tt)*) => {};
}

/// Keeps its items where the SDK has its testing kit.
#[doc(hidden)]
#[cfg(feature = "testing")]
#[macro_export]
macro_rules! __tekton_when_testing { ($($item:tt)*) => { $($item)* } }
/// Keeps its items where the SDK has its testing kit.
#[doc(hidden)]
#[cfg(not(feature = "testing"))]
#[macro_export]
macro_rules! __tekton_when_testing {
    ($($item:tt)*) => {};
}

pub use __tekton_when_host as when_host;
pub use __tekton_when_testing as when_testing;
