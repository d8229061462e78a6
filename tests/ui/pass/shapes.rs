//! Every supported shape, under the strictest lints.
#![deny(missing_docs, warnings, missing_debug_implementations, unreachable_pub, unused_qualifications)]
#![forbid(unsafe_code)]

use std::{borrow::Cow, marker::PhantomData, path::Path};

use tekton_sdk::{Component, Context, Data, Error, Result};

/// A value.
#[tekton_sdk::data]
#[derive(Debug)]
pub struct Value {
    /// A number.
    number: u8,
}

/// Aliases are judged by what they are.
type Answer<T> = Result<T>;
/// Even those that do not look like one.
type Fine = std::result::Result<Value, std::convert::Infallible>;
/// Another of these.
type Own<T> = std::result::Result<T, Error>;

/// A generic component.
#[derive(Component, Debug)]
#[component(name = "shelf", version = "1.0.0-rc.1", services(Shelf, admin::Admin))]
pub struct Shelf<T, const N: usize>
where
    T: Data + Sync,
{
    kept: PhantomData<T>,
}

#[tekton_sdk::service]
impl<T: Data + Sync, const N: usize> Shelf<T, N> {
    /// An async one.
    #[op(read)]
    pub async fn asynchronous(&self, value: T) -> Answer<T> {
        Ok(value)
    }

    /// A blocking one.
    #[op(write, idempotent, timeout = "250ms", priority = "high")]
    pub fn blocking(&self, ctx: &Context) -> Own<u32> {
        Ok(ctx.attempt())
    }

    /// Borrowed arguments.
    #[op(read)]
    pub async fn borrowed<'a>(
        &self,
        a: &str,
        b: &'a [u8],
        c: &Path,
        d: Option<&str>,
        e: Option<&Value>,
        f: &Value,
        g: Cow<'a, str>,
        #[arg(default = "x")] h: &str,
        #[arg(default = Value { number: 1 })] i: Value,
    ) -> Own<usize> {
        let counted = [a.len(), b.len(), c.as_os_str().len(), d.map_or(0, str::len), g.len(), h.len()];
        Ok(counted.iter().sum::<usize>() + usize::from(e.map_or(f.number, |e| e.number) + i.number))
    }

    /// A raw name, and the words that generated code uses itself.
    #[op(read)]
    pub async fn r#type(&self, component: u8, context: u8, arguments: u8, operations: u8) -> Result<u8> {
        Ok(component + context + arguments + operations)
    }

    /// There on no system.
    #[cfg(any())]
    #[op(read)]
    pub async fn absent(&self, nothing: Nothing) -> Result<()> {}

    /// Left alone.
    pub fn untouched(self, (a, _): (u8, u8)) -> u8 {
        a
    }
}

/// Where another block stands.
pub mod admin {
    use super::*;

    #[tekton_sdk::service(name = Admin)]
    impl<T, const N: usize> Shelf<T, N>
    where
        T: Data + Sync,
    {
        /// A private one.
        #[op(write)]
        async fn set_limit(&self, #[arg(default = N)] limit: usize) -> Result<usize> {
            Ok(limit)
        }
    }
}

/// A component of its own, with an error that becomes the SDK's.
#[derive(Component, Debug)]
struct Plain;

#[tekton_sdk::service]
impl Plain {
    /// Never fails.
    #[op(read)]
    async fn fine(&self) -> Own<Value> {
        Ok(Value { number: 1 })
    }
}

/// An event.
#[derive(tekton_sdk::patterns::events::Event, Debug)]
#[event(topic = "values.{number}", key = "number")]
#[tekton_sdk::data]
pub struct Counted {
    /// A number.
    number: u8,
}

/// Events.
#[derive(tekton_sdk::patterns::events::Event, Debug)]
pub enum Told<T> {
    /// One of several.
    #[event(topic = "counted.{number}")]
    Counted(Counted),
    /// One that is generic.
    #[event(topic = "values")]
    Value(T),
    /// One of nothing.
    #[event(topic = "ended")]
    Ended,
}

/// A component that only listens.
#[derive(Component, Debug)]
pub struct Ear;

#[tekton_sdk::service]
impl Ear {
    /// Hears what its type says.
    #[on_event]
    pub async fn on_told(&self, told: Told<u8>) -> Own<()> {
        drop(told);
        Ok(())
    }

    #[on_event("a.*", "b.>", group = "ears", dead_letters = "dead.ears", deliveries = 3, concurrency = 2, timeout = "5s")]
    async fn on_text(&self, ctx: &Context, text: &str) -> Own<()> {
        let _ = (ctx, text);
        Ok(())
    }

    #[on_event("a", every_instance, acked = false, start = "oldest", when_full = "keep_latest", capacity = 9)]
    async fn on_all(&self, all: tekton_sdk::patterns::events::Heard<Cow<'_, str>>, _: &Context) -> Result<()> {
        drop(all);
        Ok(())
    }

    #[cfg(any())]
    #[on_event("a")]
    async fn on_nothing(&self, nothing: Nothing) -> Result<()> {}
}

fn main() {
    let _: Fine = Ok(Value { number: 1 });
    let _ = Plain;
}
