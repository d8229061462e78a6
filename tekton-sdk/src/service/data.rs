//! What may cross the wire.

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

/// A value that crosses the wire: serde reads and writes it, schemars describes it, and it may change threads.
///
/// Every type that has these traits is one; `#[data]` derives them. It is the bound that a generic service needs:
///
/// ```
/// # #[cfg(feature = "macros")] {
/// use tekton_sdk::{Component, Data, Result};
///
/// #[derive(Component)]
/// #[component(version = "1.0.0")]
/// struct Echo<T>(std::marker::PhantomData<T>);
///
/// #[tekton_sdk::service]
/// impl<T: Data + Sync> Echo<T> {
///     /// Says it again.
///     #[op(read)]
///     async fn echo(&self, value: T) -> Result<T> {
///         Ok(value)
///     }
/// }
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot cross the wire",
    label = "an operation takes and answers values that serde and schemars know",
    note = "put `#[tekton_sdk::data]` on each type of yours in it, or derive `Serialize`, `Deserialize` and `JsonSchema`"
)]
pub trait Data: Serialize + DeserializeOwned + JsonSchema + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + JsonSchema + Send + 'static> Data for T {}

/// The same type, if it crosses the wire.
///
/// Generated code names a type through this one trait wherever it needs it to be [`Data`]: where it is not, every use fails
/// with the same words at the same place, which the compiler tells once.
pub trait Crosses {
    /// The type itself.
    type Itself: Data;
}

impl<T: Data> Crosses for T {
    type Itself = T;
}

/// `T`, which crosses the wire.
pub type Checked<T> = <T as Crosses>::Itself;
