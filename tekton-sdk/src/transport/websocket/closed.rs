//! Why a connection is no more.

use std::{error::Error as StdError, fmt};

use tokio_tungstenite::tungstenite::{
    Error as SocketError,
    error::{CapacityError, ProtocolError},
    protocol::{CloseFrame, frame::coding::CloseCode},
};

/// Why a WebSocket was closed (RFC 6455 §7.4.1). It is the source of the errors of the calls that were under way.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Closed {
    /// 1000, or without a code: it has done what it was opened for.
    Normal,
    /// 1001: the other side goes away, as a host that is shut down.
    GoingAway,
    /// 1002: one side broke the protocol.
    Protocol,
    /// 1003: one side cannot take this kind of data.
    Unsupported,
    /// 1007: a message was no UTF-8, or otherwise no text.
    BadData,
    /// 1008: one side refuses, as for a limit.
    Policy,
    /// 1009: a message was larger than allowed.
    TooLarge,
    /// 1010: an extension is missing.
    Extension,
    /// 1011: the other side failed.
    Internal,
    /// 1012: the other side restarts.
    Restarting,
    /// 1013: the other side has too much to do.
    Overloaded,
    /// Another code, as an application's own from 3000 on.
    Other(u16),
    /// The connection broke without a word.
    Broken,
    /// Nothing came for two ping intervals.
    Silent,
}

impl Closed {
    /// What a close frame says; none says nothing.
    pub(crate) fn of_frame(frame: Option<&CloseFrame>) -> Self {
        frame.map_or(Self::Normal, |frame| Self::of_code(frame.code.into()))
    }

    /// What a code says.
    #[must_use]
    pub const fn of_code(code: u16) -> Self {
        match code {
            1000 | 1005 => Self::Normal,
            1001 => Self::GoingAway,
            1002 => Self::Protocol,
            1003 => Self::Unsupported,
            1006 => Self::Broken,
            1007 => Self::BadData,
            1008 => Self::Policy,
            1009 => Self::TooLarge,
            1010 => Self::Extension,
            1011 => Self::Internal,
            1012 => Self::Restarting,
            1013 => Self::Overloaded,
            other => Self::Other(other),
        }
    }

    /// The code, if one may be sent (RFC 6455 §7.4).
    #[must_use]
    pub const fn code(self) -> Option<u16> {
        Some(match self {
            Self::Normal => 1000,
            Self::GoingAway => 1001,
            Self::Protocol => 1002,
            Self::Unsupported => 1003,
            Self::BadData => 1007,
            Self::Policy => 1008,
            Self::TooLarge => 1009,
            Self::Extension => 1010,
            Self::Internal => 1011,
            Self::Restarting => 1012,
            Self::Overloaded => 1013,
            Self::Other(code @ 3000..=4999) => code,
            Self::Other(_) | Self::Broken | Self::Silent => return None,
        })
    }

    /// What an error of the socket comes to.
    pub(crate) fn of_error(error: &SocketError) -> Self {
        match error {
            SocketError::ConnectionClosed | SocketError::AlreadyClosed => Self::Normal,
            SocketError::Capacity(CapacityError::MessageTooLong { .. }) => Self::TooLarge,
            SocketError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Broken,
            SocketError::Protocol(_) => Self::Protocol,
            SocketError::Utf8(_) => Self::BadData,
            _ => Self::Broken,
        }
    }

    /// The frame that says it; `None` where nobody hears it.
    pub(crate) fn frame(self, reason: &'static str) -> Option<CloseFrame> {
        let code = CloseCode::from(self.code()?);
        Some(CloseFrame { code, reason: reason.into() })
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::Normal => "it was closed",
            Self::GoingAway => "the other side goes away",
            Self::Protocol => "the protocol was broken",
            Self::Unsupported => "data of a kind that is not taken was sent",
            Self::BadData => "a message was no text",
            Self::Policy => "the other side refuses to go on",
            Self::TooLarge => "a message was larger than allowed",
            Self::Extension => "an extension is missing",
            Self::Internal => "the other side failed",
            Self::Restarting => "the other side restarts",
            Self::Overloaded => "the other side has too much to do",
            Self::Other(_) => "the other side has a reason of its own",
            Self::Broken => "it broke without a word",
            Self::Silent => "nothing came for two ping intervals",
        };
        match self {
            Self::Other(code) => write!(f, "{what} ({code})"),
            _ => match self.code() {
                Some(code) => write!(f, "{what} ({code})"),
                None => f.write_str(what),
            },
        }
    }
}

impl StdError for Closed {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_that_may_be_sent_is_read_as_the_reason_that_it_was_written_for() {
        for code in 0..=5000 {
            let closed = Closed::of_code(code);
            let sent = CloseCode::from(code).is_allowed();
            match closed.code() {
                Some(written) => assert!(written == code && sent || code == 1005, "{code}: {closed:?}"),
                None => assert!(!sent || matches!(closed, Closed::Other(1015..=2999) | Closed::Broken), "{code}"),
            }
        }
        assert_eq!(Closed::of_code(4001).to_string(), "the other side has a reason of its own (4001)");
        assert_eq!(Closed::GoingAway.to_string(), "the other side goes away (1001)");
        assert_eq!(Closed::Silent.to_string(), "nothing came for two ping intervals");
        assert_eq!(Closed::of_frame(None), Closed::Normal);
    }
}
