//! The asking side, without its connection.

use std::{collections::HashMap, ops::Range};

use serde::Serialize;
use serde_json::value::RawValue;

use super::{Id, Incoming, Invalid, Message, Outcome, Request, Response, RpcError, RpcLimits, VERSION, parse};
use crate::error::{Error, ErrorKind, Result, Sent};

/// The calls of one connection that wait for their answers, each with a token: whatever tells the caller how it ended.
///
/// Ids are numbers from 1 on, never used twice. Answers may come in any order, one by one or in arrays.
///
/// ```
/// use tekton_sdk::wire::jsonrpc::{Calls, Received, RpcLimits};
///
/// let mut calls = Calls::new(64);
/// let (id, text) = calls.call("token", "sum", Some(&[1, 2]))?;
/// assert_eq!(text, r#"{"jsonrpc":"2.0","method":"sum","params":[1,2],"id":1}"#);
///
/// let message = br#"{"jsonrpc":"2.0","result":3,"id":1}"#;
/// calls.receive(message, &RpcLimits::default(), |received| match received {
///     Received::Answer { id: 1, token: "token", outcome: Ok(result), .. } => assert_eq!(result.get(), "3"),
///     other => panic!("{other:?}"),
/// }).unwrap();
/// # Ok::<(), tekton_sdk::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping it forgets the calls that wait"]
pub struct Calls<T> {
    next: u64,
    waiting: HashMap<u64, Waiting<T>>,
    max_waiting: usize,
}

#[derive(Debug)]
struct Waiting<T> {
    token: T,
    /// The batch that the call was sent in; a call alone is one of its own.
    batch: Range<u64>,
}

/// What a message says to the asking side.
#[expect(clippy::exhaustive_enums, reason = "whoever receives has to think of each")]
#[derive(Debug)]
pub enum Received<'a, T> {
    /// A call ended.
    Answer {
        /// Its id.
        id: u64,
        /// Its token.
        token: T,
        /// How it ended.
        outcome: Outcome<'a>,
        /// The member `http`, not parsed; see [`exchange`](crate::wire::exchange).
        http: Option<&'a RawValue>,
    },
    /// A call was answered by what is no answer, or left out of the answer to its batch. It is over.
    Broken {
        /// Its id.
        id: u64,
        /// Its token.
        token: T,
        /// What is wrong, of kind [`Codec`](ErrorKind::Codec).
        error: Error,
    },
    /// An answer to a call that was answered or given up before.
    Late(Response<'a>),
    /// An answer to a call that nobody made; with the id null, to a message that the other side could not read.
    Unknown(Response<'a>),
    /// A call of the other side, to be answered, or a notification.
    Request(Request<'a>),
    /// JSON that is nothing of these.
    Invalid(Invalid<'a>),
}

impl<T> Calls<T> {
    /// No call waits; at most so many may at once.
    pub fn new(max_waiting: usize) -> Self {
        Self { next: 1, waiting: HashMap::new(), max_waiting }
    }

    /// How many calls wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Takes a call up, and gives its id and the text to send. `params` must serialise as an array or an object.
    ///
    /// # Errors
    ///
    /// [`Rejected`](ErrorKind::Rejected) if too many calls wait, naming the cap; [`Invalid`](ErrorKind::Invalid) if the
    /// parameters are no array or object; [`Codec`](ErrorKind::Codec) if they cannot be serialised.
    pub fn call(
        &mut self,
        token: T,
        method: &str,
        params: Option<&(impl Serialize + ?Sized)>,
    ) -> Result<(u64, String)> {
        self.check_room(1)?;
        let id = self.next;
        let text = encode(Some(id), method, params)?;
        self.wait(token, id..id + 1);
        Ok((id, text))
    }

    /// Takes a call up whose text is made elsewhere, and gives its id.
    ///
    /// # Errors
    ///
    /// [`Rejected`](ErrorKind::Rejected) if too many calls wait, naming the cap.
    #[cfg(feature = "websocket")]
    pub(crate) fn open(&mut self, token: T) -> Result<u64> {
        self.check_room(1)?;
        let id = self.next;
        self.wait(token, id..id + 1);
        Ok(id)
    }

    /// Takes up several calls that are sent as one batch, and gives their ids and the text to send.
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call), and [`Invalid`](ErrorKind::Invalid) if there is no call: an empty batch is not sent.
    pub fn batch<'c>(
        &mut self,
        calls: impl IntoIterator<Item = (T, &'c str, Option<&'c RawValue>)>,
    ) -> Result<(Range<u64>, String)> {
        let calls: Vec<_> = calls.into_iter().collect();
        if calls.is_empty() {
            return Err(Error::invalid("a batch needs a call: an empty one is not sent"));
        }
        self.check_room(calls.len())?;
        let ids = self.next..self.next + calls.len() as u64;
        let texts = ids.clone().zip(&calls).map(|(id, (_, method, params))| encode(Some(id), method, *params));
        let text = format!("[{}]", texts.collect::<Result<Vec<_>>>()?.join(","));
        for (token, ..) in calls {
            self.wait(token, ids.clone());
        }
        Ok((ids, text))
    }

    fn check_room(&self, more: usize) -> Result<()> {
        if self.waiting.len() + more > self.max_waiting {
            let what = format!("more calls would wait on the connection than the {} allowed", self.max_waiting);
            return Err(Error::new(ErrorKind::Rejected, what));
        }
        Ok(())
    }

    fn wait(&mut self, token: T, batch: Range<u64>) {
        self.waiting.insert(self.next, Waiting { token, batch });
        self.next += 1;
    }

    /// Gives a call up, as its deadline passed or its caller left. Its answer will be [`Late`](Received::Late).
    pub fn forget(&mut self, id: u64) -> Option<T> {
        self.waiting.remove(&id).map(|waiting| waiting.token)
    }

    /// Gives all calls up, as the connection is lost.
    pub fn forget_all(&mut self) -> impl Iterator<Item = (u64, T)> {
        self.waiting.drain().map(|(id, waiting)| (id, waiting.token))
    }

    /// Takes a message, and says what is in it.
    ///
    /// # Errors
    ///
    /// Those of [`parse`]: the message is no JSON, an empty batch, or over a cap. Nothing changed.
    pub fn receive<'a>(
        &mut self,
        message: &'a [u8],
        limits: &RpcLimits,
        each: impl FnMut(Received<'a, T>),
    ) -> Result<(), RpcError<'static>> {
        self.settle(parse(message, limits)?, each);
        Ok(())
    }

    /// Takes a message that was read already.
    pub(crate) fn settle<'a>(&mut self, message: Incoming<'a>, mut each: impl FnMut(Received<'a, T>)) {
        let entries = match message {
            Incoming::One(message) => {
                each(self.take(message).0);
                return;
            }
            Incoming::Batch(entries) => entries,
        };
        let mut batches = Vec::new();
        for entry in entries {
            let (received, batch) = self.take(entry);
            each(received);
            batches.extend(batch.filter(|batch| batches.last() != Some(batch)));
        }
        // One array answers a whole batch (§6): what it leaves out will not come.
        for id in batches.into_iter().flatten() {
            if let Some(token) = self.forget(id) {
                each(Received::Broken {
                    id,
                    token,
                    error: broken("the answer to a batch leaves out one of its calls"),
                });
            }
        }
    }

    fn take<'a>(&mut self, message: Message<'a>) -> (Received<'a, T>, Option<Range<u64>>) {
        match message {
            Message::Request(request) => (Received::Request(request), None),
            Message::Response(response) => match self.answered(&response.id) {
                Some((id, Waiting { token, batch })) => {
                    (Received::Answer { id, token, outcome: response.outcome, http: response.http }, Some(batch))
                }
                None if response.id.own_number().is_some_and(|id| (1..self.next).contains(&id)) => {
                    (Received::Late(response), None)
                }
                None => (Received::Unknown(response), None),
            },
            Message::Invalid(invalid) => {
                let id = invalid.id.as_ref().filter(|_| invalid.may_be_response);
                match id.and_then(|id| self.answered(id)) {
                    Some((id, Waiting { token, batch })) => {
                        let error = broken(format!("the answer is no JSON-RPC 2.0: {}", invalid.what));
                        (Received::Broken { id, token, error }, Some(batch))
                    }
                    None => (Received::Invalid(invalid), None),
                }
            }
        }
    }

    fn answered(&mut self, id: &Id<'_>) -> Option<(u64, Waiting<T>)> {
        let id = id.own_number()?;
        Some((id, self.waiting.remove(&id)?))
    }
}

fn broken(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Codec, what).with_sent(Sent::Yes)
}

/// The text of a notification, which is answered by nothing. `params` must serialise as an array or an object.
///
/// # Errors
///
/// [`Invalid`](ErrorKind::Invalid) if the parameters are no array or object, [`Codec`](ErrorKind::Codec) if they cannot be
/// serialised.
pub fn notification(method: &str, params: Option<&(impl Serialize + ?Sized)>) -> Result<String> {
    encode(None, method, params)
}

fn encode(id: Option<u64>, method: &str, params: Option<&(impl Serialize + ?Sized)>) -> Result<String> {
    let mut text = format!(r#"{{"jsonrpc":"{VERSION}","method":{}"#, serde_json::Value::from(method));
    if let Some(params) = params {
        let params = serde_json::to_string(params).map_err(|source| {
            Error::new(ErrorKind::Codec, "the parameters cannot be serialised").with_sent(Sent::No).with_source(source)
        })?;
        if !params.starts_with(['[', '{']) {
            return Err(Error::invalid("the parameters of a call must serialise as an array or an object"));
        }
        text.extend([r#","params":"#, &params]);
    }
    if let Some(id) = id {
        text.extend([r#","id":"#, &id.to_string()]);
    }
    text.push('}');
    Ok(text)
}
