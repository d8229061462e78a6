//! One call of a WebSocket: from its request to the last byte of its answer.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use crate::{
    error::ErrorKind,
    host::refusal::Refusal,
    transport::{
        Body, Handler, Inbound, Response, ResponseParts,
        websocket::{Credit, Out, WHOLE_BYTES, send_pieces},
    },
    wire::{
        exchange::{Payload, encode_answer, encode_plain_answer},
        jsonrpc::Id,
    },
};

/// To whom the answer goes.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// A message of its own.
    Alone(Arc<Out>),
    /// An entry of the answer to a batch.
    Batch(Arc<Batch>),
}

impl Reply {
    pub(super) fn say(&self, text: String) {
        match self {
            Self::Alone(out) => {
                out.push(text, None);
            }
            Self::Batch(batch) => batch.texts.lock().unwrap_or_else(PoisonError::into_inner).push(text),
        }
    }
}

/// The answer to a batch. It is sent when the last of its calls has ended and lets go of it.
#[derive(Debug)]
pub(super) struct Batch {
    out: Arc<Out>,
    texts: Mutex<Vec<String>>,
}

impl Batch {
    pub(super) fn new(out: Arc<Out>) -> Self {
        Self { out, texts: Mutex::default() }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let texts = mem::take(self.texts.get_mut().unwrap_or_else(PoisonError::into_inner));
        if !texts.is_empty() {
            self.out.push(format!("[{}]", texts.join(",")), None);
        }
    }
}

/// A call that is about to run.
pub(super) struct Call {
    /// `None`: nobody hears how it ended.
    pub(super) id: Option<Id<'static>>,
    pub(super) reply: Reply,
    /// Whether the caller speaks plain JSON-RPC.
    pub(super) plain: bool,
    /// What of the answer may be sent, if it comes in pieces.
    pub(super) credit: Credit,
    /// The largest answer that goes in one message where it cannot go in pieces.
    pub(super) max_message_bytes: usize,
    pub(super) out: Arc<Out>,
}

impl Call {
    /// Runs the handler and sends what it answers.
    pub(super) async fn run(self, handler: Arc<dyn Handler>, request: Inbound) {
        let is_head = request.method == Method::HEAD;
        let ResponseParts { status, headers, body, .. } = handler.handle(request).await.into_parts();
        let Some(id) = &self.id else { return };
        let none = is_head || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let body = if none { Body::empty() } else { body };
        let in_pieces = !self.plain && matches!(self.reply, Reply::Alone(_));
        let rest = match body.into_bytes() {
            Ok(bytes) if !in_pieces || bytes.len() <= WHOLE_BYTES => return self.whole(id, status, &headers, &bytes),
            Ok(bytes) => Body::full(bytes),
            Err(stream) => stream,
        };
        if in_pieces {
            self.reply.say(encode_answer(id, status, &headers, Payload::Stream));
            return send_pieces(rest, id.clone(), self.credit, self.out).await;
        }
        match rest.collect(self.max_message_bytes).await {
            Ok(bytes) => self.whole(id, status, &headers, &bytes),
            Err(error) if error.kind() == ErrorKind::Rejected => self.too_large(id),
            Err(_) => {
                let detail = "the answer broke off before it was whole".to_owned();
                let refusal = Refusal::new(StatusCode::BAD_GATEWAY, "answer_broke_off", detail).answer();
                self.refuse(id, refusal);
            }
        }
    }

    /// Says an answer that is whole.
    fn whole(&self, id: &Id<'_>, status: StatusCode, headers: &HeaderMap, body: &Bytes) {
        if !self.plain && body.len() <= self.max_message_bytes / 2 {
            return self.reply.say(encode_answer(id, status, headers, Payload::Whole(body)));
        }
        if self.plain && body.len() <= self.max_message_bytes {
            return self.reply.say(encode_plain_answer(id, status, body));
        }
        self.too_large(id);
    }

    fn too_large(&self, id: &Id<'_>) {
        let most = self.max_message_bytes;
        let detail = format!("the answer is larger than the {most} bytes allowed; ask for it alone and with `http`");
        self.refuse(id, Refusal::new(StatusCode::NOT_ACCEPTABLE, "answer_too_large", detail).answer());
    }

    /// Says why there is no answer.
    pub(super) fn refuse(&self, id: &Id<'_>, refusal: Response) {
        let ResponseParts { status, headers, body, .. } = refusal.into_parts();
        let body = body.into_bytes().unwrap_or_default();
        self.reply.say(match self.plain {
            true => encode_plain_answer(id, status, &body),
            false => encode_answer(id, status, &headers, Payload::Whole(&body)),
        });
    }
}
