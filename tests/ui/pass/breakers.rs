//! Every function that can have a breaker, under the strictest lints.
#![deny(missing_docs, warnings, missing_debug_implementations, unreachable_pub, unused_qualifications)]
#![forbid(unsafe_code)]

use std::{
    borrow::Cow,
    fmt::Display,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
};

use tekton_sdk::{Error, Result, circuit_breaker, patterns::breaker::Refused};

/// An alias is judged by what it is.
type Answer = std::result::Result<u8, Box<dyn std::error::Error + Send + Sync>>;

/// An error of one's own.
#[derive(Debug)]
pub enum Failed {
    /// The breaker refused.
    Refused(Refused),
    /// Something else.
    Io(io::Error),
}

impl From<Refused> for Failed {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A free one, with all that can be said.
#[circuit_breaker(failure_threshold = 3, timeout = "250ms", name = "shelf.free", crate = "tekton_sdk")]
pub async fn free(text: &str) -> Result<&str> {
    if text.is_empty() {
        return Err(Error::invalid("it is empty"));
    }
    std::future::ready(()).await;
    Ok(text)
}

/// A synchronous one, with an early end.
#[circuit_breaker]
pub fn synchronous(mut at: usize, items: &mut Vec<u8>) -> Result<&mut u8> {
    at += 1;
    if at > 9 {
        return Err(Error::invalid("it is too far"));
    }
    items.get_mut(at).ok_or_else(|| Error::not_found("it is not there"))
}

/// What can be coerced is.
#[circuit_breaker]
pub async fn coerced(odd: bool) -> std::result::Result<Box<dyn Display>, Box<dyn std::error::Error + Send + Sync>> {
    if odd {
        return Err(Box::new(io::Error::other("odd")));
    }
    let text = String::from_utf8(vec![b'a'])?;
    if text.is_empty() { Ok(Box::new(1)) } else { Ok(Box::new(text)) }
}

/// The same without a future.
#[circuit_breaker]
pub fn coerced_at_once(odd: bool) -> std::result::Result<Box<dyn Display>, Box<dyn std::error::Error + Send + Sync>> {
    if odd {
        return Err(Box::new(io::Error::other("odd")));
    }
    let text = String::from_utf8(vec![b'a'])?;
    if text.is_empty() { Ok(Box::new(1)) } else { Ok(Box::new(text)) }
}

/// Patterns, generics, `impl Trait`, an alias, and an end that is never reached.
#[circuit_breaker(timeout = "5min")]
pub async fn generic<'a, T: Display + Sync + 'a, const N: usize>(
    (a, _): (&'a T, u8),
    items: [u8; N],
    say: impl Fn(String) -> u8 + Send,
) -> Answer
where
    Option<&'a T>: Send,
{
    #![allow(unused_variables, reason = "an inner attribute stays one")]
    let unused = 3;
    let last = items.len() as u8;
    if last > 3 {
        return Ok(say(a.to_string()));
    }
    return Ok(last);
}

/// What has no name comes out.
#[circuit_breaker]
pub async fn unnamed(items: &[u8]) -> std::result::Result<(impl Iterator<Item = u8> + '_, impl Display), Failed> {
    if items.is_empty() {
        return Err(io::Error::other("empty").into());
    }
    Ok((items.iter().map(|item| item + 1), "and this"))
}

/// What has no name comes out, at once.
#[circuit_breaker]
pub fn unnamed_at_once(items: &[u8]) -> std::result::Result<impl Iterator<Item = u8> + '_, Failed> {
    if items.is_empty() {
        Err(io::Error::other("empty"))?;
    }
    Ok(items.iter().map(|item| item + 1))
}

/// Methods of every kind.
#[derive(Clone, Debug, Default)]
pub struct Shelf<T> {
    items: Vec<T>,
}

impl<T: Clone + Send + Sync + 'static> Shelf<T> {
    /// Associated.
    #[circuit_breaker]
    pub async fn associated(first: T) -> Result<Self> {
        Ok(Self { items: vec![first] })
    }

    /// Borrowing.
    #[circuit_breaker]
    pub async fn shared(&self, at: usize) -> Result<Cow<'_, T>> {
        self.items.get(at).map(Cow::Borrowed).ok_or_else(|| Error::not_found("it is not there"))
    }

    /// Borrowing mutably, and giving it out.
    #[circuit_breaker]
    pub async fn exclusive<'a>(&'a mut self, item: T, other: &str) -> Result<&'a mut T> {
        let _ = other;
        self.items.push(item);
        let last = self.items.len() - 1;
        Ok(&mut self.items[last])
    }

    /// The same at once.
    #[circuit_breaker]
    pub fn exclusive_at_once(&mut self, item: T) -> Result<&mut T> {
        self.items.push(item);
        self.items.last_mut().ok_or_else(|| Error::internal("it is gone"))
    }

    /// By value.
    #[circuit_breaker]
    pub async fn owned(self) -> Result<Vec<T>> {
        Ok(self.items)
    }

    /// Shared by others.
    #[circuit_breaker]
    pub async fn counted(self: Arc<Self>) -> Result<usize> {
        Ok(self.items.len())
    }

    /// Pinned.
    #[circuit_breaker]
    pub fn pinned(self: Pin<&mut Self>) -> Result<usize> {
        Ok(self.items.len())
    }
}

/// A trait with a default body.
pub trait Count {
    /// Counts.
    #[circuit_breaker]
    fn count(&self) -> Result<usize> {
        Ok(1)
    }
}

impl<T> Count for Shelf<T> {
    #[circuit_breaker(name = "shelf.count")]
    fn count(&self) -> Result<usize> {
        Ok(self.items.len())
    }
}

/// An operation of a component.
#[derive(tekton_sdk::Component, Debug)]
#[component(name = "till", version = "1.0.0")]
pub struct Till(Mutex<u8>);

#[tekton_sdk::service]
impl Till {
    /// Charges.
    #[op(write)]
    #[circuit_breaker(failure_threshold = 2)]
    pub async fn charge(&self, cents: u8) -> Result<u8> {
        let mut sum = self.0.lock().map_err(|_| Error::internal("it is poisoned"))?;
        *sum = sum.saturating_add(cents);
        Ok(*sum)
    }

    /// Counts.
    #[circuit_breaker]
    #[op(read)]
    pub fn count(&self) -> Result<u8> {
        Ok(1)
    }
}

/// A function in a function, and a name that the breaker does not take away.
#[circuit_breaker]
pub fn nested() -> Result<u8> {
    const BREAKER: u8 = 1;
    #[circuit_breaker]
    fn inner() -> Result<u8> {
        Ok(BREAKER)
    }
    loop {
        return inner();
    }
}

fn sent<T: Send>(_: T) {}

fn main() {
    let mut shelf = Shelf::<u8>::default();
    sent(free("a"));
    sent(generic((&1, 1), [1], |_| 1));
    sent(shelf.shared(1));
    sent(shelf.exclusive(1, "a"));
    sent(Shelf::associated(1));
    sent(Arc::new(shelf).counted());
    sent(unnamed(&[1]));
}
