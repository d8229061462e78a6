//! What the hub answers to a component about its own registration.

use bytes::Bytes;
use http::HeaderValue;
use serde_json::json;

use crate::{
    error::{Error, ErrorKind, Result, Sent},
    secret::Secret,
    wire::lenient::{self, take, text},
};

/// The answer to a registration.
///
/// ```
/// use tekton_sdk::wire::hermes::RegisterReply;
///
/// let body = br#"{"success":true,"componentId":"a-1","token":"{\"payload\": {}}","message":"registered"}"#;
/// let reply = RegisterReply::read(body)?;
/// assert_eq!(reply.component_id, "a-1");
/// assert!(!format!("{reply:?}").contains("payload"));
/// # Ok::<(), tekton_sdk::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct RegisterReply {
    /// Whether the hub took the registration; true if it does not say.
    pub success: bool,
    /// The id the component is registered under.
    pub component_id: String,
    /// What proves later requests; an opaque text, valid for an hour.
    pub token: Secret<String>,
    /// The hub's sentence; may be empty.
    pub message: String,
}

impl RegisterReply {
    /// The answer to a registration that was taken.
    pub fn new(component_id: impl Into<String>, token: Secret<String>) -> Self {
        let component_id = component_id.into();
        let message = "Component registered successfully".to_owned();
        Self { success: true, component_id, token, message }
    }

    /// Reads the answer in either case.
    ///
    /// # Errors
    /// [`Codec`](ErrorKind::Codec) if it is no object, or holds no id or no token.
    pub fn read(body: &[u8]) -> Result<Self> {
        let mut object = lenient::parse_object(body, "a registration's reply")?;
        let token = take(&mut object, &["token"]).and_then(text).map(Secret::new);
        let component_id = take(&mut object, &["component_id", "componentId"]).and_then(text);
        let success = take(&mut object, &["success"]).is_none_or(|success| lenient::truth(&success) != Some(false));
        let message = take(&mut object, &["message"]).and_then(text).unwrap_or_default();
        match (component_id, token) {
            (Some(component_id), Some(token)) => Ok(Self { success, component_id, token, message }),
            (None, _) => Err(lenient::unexpected("a registration's reply", "one without a component id")),
            (_, None) => Err(lenient::unexpected("a registration's reply", "one without a token")),
        }
    }

    /// The body, in camelCase. It holds the token in the clear.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        lenient::to_bytes(&json!({
            "success": self.success,
            "componentId": self.component_id,
            "token": self.token.expose(),
            "message": self.message,
        }))
    }
}

/// The answer to a heartbeat or an unregistration.
///
/// A heartbeat is answered with success even when the hub has forgotten the component: look for the own id in the
/// listing.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Ack {
    /// Whether the hub took it; true if it does not say.
    pub success: bool,
    /// The hub's time in seconds since the epoch; heartbeats have one.
    pub timestamp: Option<f64>,
    /// The hub's sentence; may be empty.
    pub message: String,
}

impl Ack {
    /// An answer that says yes.
    pub fn new(message: impl Into<String>) -> Self {
        Self { success: true, timestamp: None, message: message.into() }
    }

    /// Adds the hub's time in seconds since the epoch.
    #[must_use]
    pub fn with_timestamp(mut self, seconds: f64) -> Self {
        self.timestamp = Some(seconds);
        self
    }

    /// Reads the answer.
    ///
    /// # Errors
    /// [`Codec`](ErrorKind::Codec) if it is no object.
    pub fn read(body: &[u8]) -> Result<Self> {
        let mut object = lenient::parse_object(body, "an acknowledgement")?;
        Ok(Self {
            success: take(&mut object, &["success"]).is_none_or(|success| lenient::truth(&success) != Some(false)),
            timestamp: take(&mut object, &["timestamp"]).as_ref().and_then(lenient::number),
            message: take(&mut object, &["message"]).and_then(text).unwrap_or_default(),
        })
    }

    /// The body.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut body = json!({"success": self.success, "message": self.message});
        if let Some(seconds) = self.timestamp {
            body["timestamp"] = json!(seconds);
        }
        lenient::to_bytes(&body)
    }
}

/// The token as a header's value, marked as sensitive so that it is not printed.
///
/// # Errors
/// [`Codec`](ErrorKind::Codec) if the hub sent a token that no header can carry.
pub fn token_header(token: &Secret<String>) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(token.expose()).map_err(|source| {
        Error::new(ErrorKind::Codec, "the hub's token cannot be carried in a header")
            .with_sent(Sent::No)
            .with_source(source)
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = r#"{"payload": {"component_id": "a-1", "iat": 1, "exp": 3601}, "signature": "00ff"}"#;

    #[test]
    fn a_reply_is_read_in_both_cases_and_round_trips() {
        let snake = br#"{"component_id":"a-1","token":"t","extra":[1],"message":null}"#;
        let reply = RegisterReply::read(snake).unwrap();
        assert_eq!((reply.success, reply.component_id.as_str(), reply.message.as_str()), (true, "a-1", ""));
        let written = RegisterReply::new("a-1", Secret::new(TOKEN.to_owned())).to_bytes();
        assert!(written.windows(11).any(|w| w == b"componentId"));
        let reply = RegisterReply::read(&written).unwrap();
        assert_eq!(reply.token.expose(), TOKEN);
        let header = token_header(&reply.token).unwrap();
        assert_eq!(header, TOKEN);
        assert_eq!(format!("{header:?}"), "Sensitive");
        assert!(!RegisterReply::read(br#"{"success":false,"componentId":"a","token":"t"}"#).unwrap().success);
    }

    #[test]
    fn an_unusable_reply_says_why_without_the_token() {
        let said = |body: &[u8]| RegisterReply::read(body).unwrap_err().report();
        assert_eq!(said(br#"{"token":"s3cret"}"#), "expected a registration's reply, got one without a component id");
        assert_eq!(
            said(br#"{"componentId":"a","token":""}"#),
            "expected a registration's reply, got one without a token"
        );
        assert_eq!(said(b"<html>"), "expected a registration's reply, got HTML: expected value at line 1 column 1");
        assert!(!said(br#"{"token":"s3cret"x"#).contains("s3cret"));
        assert!(!token_header(&Secret::new("s3\ncret".into())).unwrap_err().report().contains("cret"));
    }

    #[test]
    fn an_ack_is_lenient() {
        assert_eq!(Ack::read(b"{}").unwrap(), Ack::new(""));
        let ack = Ack::new("Heartbeat received").with_timestamp(1.5);
        assert_eq!(Ack::read(&ack.to_bytes()).unwrap(), ack);
        assert_eq!(Ack::read(br#"{"success":true,"timestamp":"1.5","message":3}"#).unwrap().timestamp, Some(1.5));
        assert_eq!(Ack::read(b"").unwrap_err().kind(), ErrorKind::Codec);
    }
}
