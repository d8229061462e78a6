//! The answers of an operation that answers many times.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, Method, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    lines::{Line, Lines},
    numbers::Seen,
    peer_road::PeerRoad,
    source::{Source, Taken},
};
use crate::{
    error::{Error, ErrorKind, Gap, Result, Sent},
    tekton::Peer,
    time::SharedClock,
    transport::{CallInfo, Request, Safety},
    wire::{
        problem::{self, Problem},
        sse,
    },
};

/// How long the callee may take to say that it has stopped.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// The most bytes that are read of what it says to that.
const CANCEL_BYTES: usize = 64 << 10;

/// The answers of an operation that answers many times. [`Peer::stream`](crate::Peer::stream) gives them.
///
/// `None` comes only when the callee has said that it is done. A stream that stops without that is an error, and so is whatever
/// else ends it: nothing comes after it. An error that [is recoverable](Error::is_recoverable) stands for an item, and the next one
/// comes after it; one with a [gap](Error::gap) says which items are lost.
///
/// Dropped before its end, it stops the work of the callee: it closes the connection and, where the stream can be resumed, tells
/// the callee so on the runtime it is dropped on. [`Self::cancel`] does the same and waits for it.
#[must_use = "items come only when they are asked for"]
pub struct Chunks<T> {
    from: From<T>,
    /// What comes after the hole that was told last.
    held: Option<What<T>>,
}

enum From<T> {
    Stream(Box<Source<PeerRoad>>, SharedClock),
    Lines(Box<Lines>, Peer, SharedClock),
    Items(std::vec::IntoIter<Result<T>>),
    Over,
}

/// What an event says.
enum What<T> {
    Item(Result<T>),
    /// The callee is done, or has failed.
    Last(Option<Error>),
    Nothing,
}

impl<T> Unpin for Chunks<T> {}

impl<T> Chunks<T> {
    pub(super) const fn of_stream(source: Box<Source<PeerRoad>>, clock: SharedClock) -> Self {
        Self { from: From::Stream(source, clock), held: None }
    }

    pub(super) fn of_lines(lines: Lines, peer: Peer, clock: SharedClock) -> Self {
        Self { from: From::Lines(Box::new(lines), peer, clock), held: None }
    }

    /// Items that are there already, for those who stand in for a component in a test.
    pub fn of_items(items: impl IntoIterator<Item = Result<T>>) -> Self {
        Self { from: From::Items(items.into_iter().collect::<Vec<_>>().into_iter()), held: None }
    }

    /// Stops the work of the callee, and waits until it says that it has stopped. Where the stream cannot be resumed, the closed
    /// connection stops it.
    ///
    /// # Errors
    /// Those of a call; the work may go on for as long as the callee keeps streams that nobody reads.
    ///
    /// # Cancel safety
    /// Dropping the future leaves open whether the callee has heard of it.
    pub async fn cancel(mut self) -> Result<()> {
        match self.stopping() {
            Some(stopping) => stopping.await,
            None => Ok(()),
        }
    }

    /// Closes the connection. What is left to do is to tell the callee, if it would go on.
    fn stopping(&mut self) -> Option<impl Future<Output = Result<()>> + Send + 'static> {
        let From::Stream(source, _) = std::mem::replace(&mut self.from, From::Over) else { return None };
        let name = source.road.numbers.stream()?;
        let path = format!("/api/v1/streams/{name}");
        let peer = source.road.peer.clone();
        let mut call = CallInfo::new(peer.shared_name(), "cancel_stream", Safety::Idempotent);
        call.collect = Some(CANCEL_BYTES);
        let request = Request::new(Method::DELETE, path, call);
        Some(async move {
            let answer = peer.start(request, Some(CANCEL_TIMEOUT))?.answer().await;
            match answer {
                // It has ended by itself meanwhile.
                Err(error) if error.remote().is_some_and(|remote| matches!(remote.status(), 404 | 410)) => Ok(()),
                other => other.map(drop),
            }
        })
    }

    /// The same, without waiting for it.
    fn stop(&mut self) {
        let Some(stopping) = self.stopping() else { return };
        // Best effort: without a runtime, or if the call fails, the callee stops when its grace is over.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { stopping.await.ok() });
        }
    }

    /// Nothing comes any more, and the callee knows or cannot be told.
    fn end(&mut self) {
        if let From::Stream(source, _) = &mut self.from {
            source.close();
        }
        self.from = From::Over;
    }

    fn named(&self, error: Error) -> Error {
        match &self.from {
            From::Stream(source, _) if error.target().is_none() => {
                error.with_target(source.road.peer.name().to_owned())
            }
            From::Lines(_, peer, _) if error.target().is_none() => error.with_target(peer.name().to_owned()),
            _ => error,
        }
    }
}

impl<T: DeserializeOwned> Chunks<T> {
    /// The next item. Connects anew, and waits before, where that is needed. While nobody asks nothing is read, so that the callee
    /// has to wait.
    ///
    /// # Errors
    /// What ended the stream, or, [recoverable](Error::is_recoverable), what is wrong with one item.
    ///
    /// # Cancel safety
    /// No item is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Result<T>> {
        std::future::poll_fn(|cx| self.poll_one(cx)).await
    }

    fn poll_one(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        loop {
            if let Some(what) = self.held.take() {
                match what {
                    What::Item(item) => return Poll::Ready(Some(item.map_err(|error| self.named(error)))),
                    What::Last(last) => {
                        let error = last.map(|error| Err(self.named(error)));
                        self.end();
                        return Poll::Ready(error);
                    }
                    What::Nothing => {}
                }
            }
            let polled = match &mut self.from {
                From::Over => return Poll::Ready(None),
                From::Items(items) => return Poll::Ready(items.next()),
                From::Stream(source, clock) => source.poll_event(cx, |road, event| read(road, event, clock)),
                From::Lines(lines, _, clock) => lines.poll_line(cx, |line| read_line(line, clock)).map(Some),
            };
            let Poll::Ready(event) = polled else { return Poll::Pending };
            match event {
                Some(Ok((gap, what))) => {
                    self.held = Some(what);
                    if let Some(gap) = gap {
                        return Poll::Ready(Some(Err(self.named(lost(gap)))));
                    }
                }
                Some(Err(error)) => {
                    let error = self.named(error);
                    // What this side cannot read is still being made.
                    if matches!(error.kind(), ErrorKind::Rejected | ErrorKind::Codec) {
                        self.stop();
                    }
                    self.held = Some(What::Last(Some(error)));
                }
                None => {
                    let what = "the stream broke off before the callee said that it is complete";
                    self.held = Some(What::Last(Some(Error::new(ErrorKind::Interrupted, what))));
                }
            }
        }
    }
}

/// Reads an event of the wire of streams.
fn read<T: DeserializeOwned>(
    road: &mut PeerRoad,
    event: &sse::Event<'_>,
    clock: &SharedClock,
) -> Taken<(Option<Gap>, What<T>)> {
    if event.kind == "gap" {
        let told = event.json::<Told>();
        let gap = match told {
            Ok(told) if road.numbers.stream().is_some() => road.numbers.miss(told.to),
            Ok(told) => Some(Gap::new(told.from, told.to)),
            Err(error) => return Taken::Give((None, What::Item(Err(error.recoverable())))),
        };
        return gap.map_or(Taken::Skip, |gap| Taken::Give((Some(gap), What::Nothing)));
    }
    let gap = match road.numbers.see(event.id) {
        // An end without an id of its own has that of the last item.
        Seen::Before if !matches!(event.kind, "end" | "error") => return Taken::Skip,
        Seen::Before | Seen::Next => None,
        Seen::After(gap) => Some(gap),
    };
    let what = match event.kind {
        sse::MESSAGE => What::Item(event.json().map_err(Error::recoverable)),
        "end" => What::Last(None),
        "error" => What::Last(Some(failure(event.data.as_bytes(), clock))),
        "item-error" => What::Item(Err(failure(event.data.as_bytes(), clock).recoverable())),
        // What a later version may say.
        _ => What::Nothing,
    };
    Taken::Give((gap, what))
}

/// Reads a line of the wire of streams.
fn read_line<T: DeserializeOwned>(line: &[u8], clock: &SharedClock) -> (Option<Gap>, What<T>) {
    let unreadable = |error| {
        let what = "a line of the stream is not of the shape expected";
        Error::new(ErrorKind::Codec, what).with_sent(Sent::Yes).with_source(error).recoverable()
    };
    let said = match serde_json::from_slice::<Line<'_>>(line) {
        Ok(said) => said,
        Err(error) => return (None, What::Item(Err(unreadable(error)))),
    };
    if let Some(gap) = said.gap {
        return match serde_json::from_str::<Told>(gap.get()) {
            Ok(Told { from, to }) => (Some(Gap::new(from, to)), What::Nothing),
            Err(error) => (None, What::Item(Err(unreadable(error)))),
        };
    }
    let what = match (said.item, said.item_error, said.end, said.error) {
        (Some(item), ..) => What::Item(serde_json::from_str(item.get()).map_err(unreadable)),
        (_, Some(problem), ..) => What::Item(Err(failure(problem.get().as_bytes(), clock).recoverable())),
        (.., Some(_), _) => What::Last(None),
        (.., Some(problem)) => What::Last(Some(failure(problem.get().as_bytes(), clock))),
        // What a later version may say.
        _ => What::Nothing,
    };
    (None, what)
}

/// A hole as the callee tells it.
#[derive(Deserialize)]
struct Told {
    from: u64,
    to: u64,
}

fn lost(gap: Gap) -> Error {
    Error::new(ErrorKind::Interrupted, format!("the items {gap} of the stream are lost")).with_gap(gap).recoverable()
}

/// The error that a problem tells of.
fn failure(problem: &[u8], clock: &SharedClock) -> Error {
    let body = Bytes::copy_from_slice(problem);
    let said = serde_json::from_slice::<Problem>(problem).ok();
    let status = said.and_then(|problem| StatusCode::from_u16(problem.status).ok());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    problem::read_failure(status, &HeaderMap::new(), &body, clock.wall())
}

impl<T: DeserializeOwned> Stream for Chunks<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_one(cx)
    }
}

impl<T> Drop for Chunks<T> {
    fn drop(&mut self) {
        self.stop();
    }
}

impl<T> fmt::Debug for Chunks<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chunks = f.debug_struct("Chunks");
        match &self.from {
            From::Stream(source, _) => chunks.field("peer", &source.road.peer.name()).field("over", &source.is_over()),
            From::Lines(_, peer, _) => chunks.field("peer", &peer.name()).field("over", &false),
            From::Items(items) => chunks.field("items", &items.len()),
            From::Over => chunks.field("over", &true),
        };
        chunks.finish_non_exhaustive()
    }
}
