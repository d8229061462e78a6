//! The synchronous face: for threads that may block.
//!
//! Not every program is async, and not every part of one is. A [`blocking::Tekton`](Tekton) makes the same calls as the
//! async [`Tekton`](crate::Tekton), under the same deadline, retry and trace, and the thread waits for the answer.
//!
//! | where | what a call does |
//! |---|---|
//! | a plain thread, `spawn_blocking`, `block_in_place` | waits for the answer |
//! | an async task, or the future given to `block_on` | [`Invalid`](crate::ErrorKind::Invalid) at once: it would stop other tasks |
//!
//! One thread with a runtime of its own stands behind a face and all its clones. The thread ends with the last clone, which
//! may be dropped anywhere. A call made inside a served operation (`on_blocking`) inherits its deadline and trace.
//!
//! ```
//! # use std::sync::Arc;
//! # use tekton_sdk::{Component, contract::{Descriptor, Operation, Parameter}, host::Operations};
//! use serde_json::json;
//! use tekton_sdk::{Tekton, blocking};
//! # struct Greeter;
//! # const GREET: Operation = Operation::read("greet", "Greets.").parameters(&[Parameter::required("name", "whom")]);
//! # impl Component for Greeter {
//! #     fn descriptor(&self) -> Descriptor { Descriptor::new("greeter", "1.0.0") }
//! #     fn operations(self: Arc<Self>) -> Operations {
//! #         Operations::new().on(&self, GREET, |_, _, args| async move { Ok(format!("Good day, {}.", args.get::<String>("name")?)) })
//! #     }
//! # }
//! # let served = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
//! # let greeter = served.block_on(Greeter.serve(&Tekton::builder().build()?).start())?;
//! # let url = greeter.endpoint();
//!
//! let tekton = blocking::Tekton::new(Tekton::builder().named("reporter"))?;
//! let greeting = tekton.peer_at(url)?.request::<String>("greet").json(&json!({"name": "Ada"})).send()?;
//! assert_eq!(*greeting, "Good day, Ada.");
//! # Ok::<(), tekton_sdk::Error>(())
//! ```
//!
//! `tokio::task::unconstrained` and executors other than tokio's hide that a task is async: there a call blocks the
//! executor's thread until the answer or the deadline, as any blocking function does.

mod background;
mod call;
mod peer;
mod place;
mod scatter;
mod tekton;

pub use call::Call;
pub use peer::Peer;
pub use scatter::{Scatter, ScatterCall};
pub use tekton::Tekton;

#[cfg(test)]
mod tests;
