//! What a component author implements.

use std::sync::Arc;

use super::{Listeners, Operations, Serve};
use crate::{contract::Descriptor, tekton::Tekton};

/// A component: who it is, and what may be asked of it.
///
/// Written by hand it looks like this:
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use serde_json::json;
/// use tekton_sdk::{
///     Component, Result,
///     contract::{Descriptor, Operation, Parameter},
///     host::Operations,
///     patterns::request::Reply,
///     testing::TestBed,
/// };
///
/// struct Greeter;
///
/// impl Greeter {
///     const GREET: Operation = Operation::read("greet", "Greets somebody by name.")
///         .parameters(&[Parameter::required("name", "whom to greet")]);
///
///     async fn greet(&self, name: String) -> Result<String> {
///         Ok(format!("Good day, {name}."))
///     }
/// }
///
/// impl Component for Greeter {
///     fn descriptor(&self) -> Descriptor {
///         Descriptor::new("greeter", "1.0.0").describe("Greets people.").capability("people.greet")
///     }
///
///     fn operations(self: Arc<Self>) -> Operations {
///         Operations::new().on(&self, Self::GREET, |greeter, _, args| async move { greeter.greet(args.get("name")?).await })
///     }
/// }
///
/// let bed = TestBed::new()?;
/// bed.serve(Greeter).await?;
/// let greeter = bed.tekton().peer("greeter");
/// let greeting: Reply<String> = greeter.request("greet").json(&json!({ "name": "Ada" })).await?;
/// assert_eq!(*greeting, "Good day, Ada.");
/// # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
/// ```
pub trait Component: Send + Sync + Sized + 'static {
    /// Who it is and what it can do. Asked for once, at start.
    fn descriptor(&self) -> Descriptor;

    /// Its operations. Asked for once, at start.
    fn operations(self: Arc<Self>) -> Operations;

    /// What it listens to. Asked for once, at start. Default: nothing.
    fn listeners(self: Arc<Self>) -> Listeners {
        Listeners::new()
    }

    /// Begins to serve it; nothing happens until [`Serve::start`].
    fn serve(self, tekton: &Tekton) -> Serve {
        Serve::of(self, tekton)
    }
}
