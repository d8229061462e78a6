//! What is said about a call besides its beginning and its answer.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::body::{decode_base64, encode_base64, push_text};
use crate::wire::jsonrpc::{Id, Request};

/// A notification about one call, named by the call's id. From the caller the pieces are those of the request, from the callee
/// those of the answer.
#[expect(clippy::exhaustive_enums, reason = "whoever reads has to think of each")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note<'a> {
    /// `tekton.piece`: the next bytes of the stream.
    Piece(Bytes),
    /// `tekton.end`: the stream is whole.
    End,
    /// `tekton.end` with `error`: the stream broke off, for this reason.
    Broken(Cow<'a, str>),
    /// `tekton.credit`: so many more bytes may be sent to whoever says it.
    Credit(u64),
    /// `tekton.cancel`: nobody waits for the call any more.
    Cancel,
}

const PREFIX: &str = "tekton.";

impl<'a> Note<'a> {
    /// Whether a method is one of these, or kept for more of them: no operation is called so.
    #[must_use]
    pub fn is_note(method: &str) -> bool {
        method.starts_with(PREFIX)
    }

    /// The text of a piece.
    #[must_use]
    pub fn encode_piece(id: &Id<'_>, bytes: &[u8]) -> String {
        let mut text = begin("piece", id, 16 + bytes.len().div_ceil(3) * 4);
        text.push_str(r#","base64":""#);
        encode_base64(bytes, &mut text);
        text.push_str(r#""}}"#);
        text
    }

    /// The text of an end; with a reason of one that came too early.
    #[must_use]
    pub fn encode_end(id: &Id<'_>, broken: Option<&str>) -> String {
        let mut text = begin("end", id, 32);
        if let Some(reason) = broken {
            text.push_str(r#","error":"#);
            push_text(reason, &mut text);
        }
        text.push_str("}}");
        text
    }

    /// The text that allows so many bytes more.
    #[must_use]
    pub fn encode_credit(id: &Id<'_>, bytes: u64) -> String {
        let mut text = begin("credit", id, 32);
        text.push_str(r#","bytes":"#);
        text.push_str(&bytes.to_string());
        text.push_str("}}");
        text
    }

    /// The text that gives a call up.
    #[must_use]
    pub fn encode_cancel(id: &Id<'_>) -> String {
        let mut text = begin("cancel", id, 0);
        text.push_str("}}");
        text
    }

    /// Reads a notification: the id of its call, and what it says.
    ///
    /// # Errors
    /// A clause that says what is wrong, and quotes nothing.
    pub fn read(request: &Request<'a>) -> Result<(Id<'a>, Self), &'static str> {
        #[derive(Deserialize)]
        struct Params<'a> {
            #[serde(borrow)]
            id: &'a RawValue,
            #[serde(borrow)]
            base64: Option<Cow<'a, str>>,
            #[serde(borrow)]
            error: Option<Cow<'a, str>>,
            bytes: Option<u64>,
        }
        let wrong = "`params` must be an object with the `id` of a call";
        // A list would be read as the members in their order.
        let params = request.params.map(RawValue::get).filter(|json| json.starts_with('{')).ok_or(wrong)?;
        let Params { id, base64, error, bytes } = serde_json::from_str(params).map_err(|_| wrong)?;
        let id = Id::read(id).ok_or(wrong)?;
        let note = match request.method.strip_prefix(PREFIX) {
            Some("piece") => Self::Piece(base64.and_then(|text| decode_base64(&text)).ok_or("`base64` is no base64")?),
            Some("end") => error.map_or(Self::End, Self::Broken),
            Some("credit") => Self::Credit(bytes.ok_or("`bytes` must be a whole number")?),
            Some("cancel") => Self::Cancel,
            _ => return Err("there is no such notification"),
        };
        Ok((id, note))
    }
}

/// The message up to the id of the call.
fn begin(what: &str, id: &Id<'_>, more: usize) -> String {
    let mut text = String::with_capacity(64 + id.json().len() + more);
    text.push_str(r#"{"jsonrpc":"2.0","method":"tekton."#);
    text.push_str(what);
    text.push_str(r#"","params":{"id":"#);
    text.push_str(id.json());
    text
}
