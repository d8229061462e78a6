//! What kind of value a setting takes, and how it is read and bounded.

use std::{fmt, net::IpAddr, time::Duration};

use ipnet::IpNet;

use super::{
    address::{base_url, host, socket_path},
    text,
};
use crate::names::Instance;

/// The most of anything that has no bound of its own: no buffer can be larger.
pub(super) const NO_MAX: u64 = isize::MAX as u64;

/// What kind of value a setting takes, with its bounds; both ends are allowed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A length of time: `500ms`, `2s`, `1m30s`, or seconds as a number.
    Duration {
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
    },
    /// A whole number.
    Count {
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// A size in bytes: `1048576`, `64KiB`, `16MiB`.
    Bytes {
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// A TCP port; 0 stands for any free one.
    Port,
    /// An http or https URL.
    Url,
    /// An IP address to bind.
    Ip,
    /// A host name or IP address that others can reach.
    Host,
    /// The path of a Unix socket.
    Socket,
    /// An [`Instance`].
    Instance,
    /// Yes or no: `true` or `false`.
    Flag,
    /// Names of components, with commas between them; `*` stands for all.
    Names,
    /// IP addresses and networks, with commas between them; `unix` stands for whoever has no address.
    Networks,
    /// The name of one component, capability or policy.
    Name,
    /// Any value that JSON has.
    Json,
}

/// A setting's value.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A length of time.
    Duration(Duration),
    /// A count, a size or a port.
    Number(u64),
    /// Yes or no.
    Flag(bool),
    /// Everything else, in its normal form.
    Text(String),
    /// A value of any shape.
    Json(serde_json::Value),
}

impl Kind {
    /// What is allowed, as a noun with its bounds: `a whole number from 1 to 100`.
    #[must_use]
    pub fn allowed(&self) -> String {
        let range = |min: &dyn fmt::Display, max: &dyn fmt::Display| format!("from {min} to {max}");
        match *self {
            Self::Duration { min, max } => {
                format!("a duration {}", range(&text::show_duration(min), &text::show_duration(max)))
            }
            Self::Count { min, max } => format!("a whole number {}", range(&min, &max)),
            Self::Bytes { min, max: NO_MAX } => format!("a size of at least {}", text::show_size(min)),
            Self::Bytes { min, max } => format!("a size {}", range(&text::show_size(min), &text::show_size(max))),
            Self::Port => "a port from 0 to 65535".to_owned(),
            Self::Url => "an http or https URL without user, query and fragment".to_owned(),
            Self::Ip => "an IP address".to_owned(),
            Self::Host => "a host name or an IP address that others can reach".to_owned(),
            Self::Socket => "the absolute path of a Unix socket without `?`, `#` and `%`".to_owned(),
            Self::Instance => {
                "letters, digits, `-`, `_` and `.`, at most 128, the first a letter or a digit".to_owned()
            }
            Self::Flag => "`true` or `false`".to_owned(),
            Self::Names => "names without blanks and with commas between them, or `*`".to_owned(),
            Self::Networks => "IP addresses and networks with commas between them, or `unix`".to_owned(),
            Self::Name => "a name of 1 to 128 characters without blanks".to_owned(),
            Self::Json => "any value".to_owned(),
        }
    }

    /// How values of this kind are written, where that is not plain.
    const fn example(self) -> &'static str {
        match self {
            Self::Duration { .. } => ", as 500ms, 2s or 1m30s",
            Self::Bytes { .. } => ", as 1048576, 64KiB or 16MiB",
            Self::Names => ", as engram,rhetor",
            Self::Networks => ", as 10.0.0.0/8,192.0.2.1",
            _ => "",
        }
    }

    /// Reads a value.
    ///
    /// # Errors
    /// What is wrong with it, as a clause that names the bound and the value.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        let value = match self {
            Self::Duration { .. } => text::duration(text).map(Value::Duration),
            Self::Bytes { .. } => text::size(text).map(Value::Number),
            // A sign is refused, as the type's own parser would not.
            Self::Count { .. } | Self::Port if text.starts_with('+') => None,
            Self::Count { .. } => text.parse().ok().map(Value::Number),
            Self::Port => text.parse::<u16>().ok().map(Value::from),
            Self::Url => base_url(text).map(Value::Text),
            Self::Ip => text.parse::<IpAddr>().ok().map(|ip| Value::Text(ip.to_string())),
            Self::Host => host(text).map(Value::Text),
            Self::Socket => socket_path(text).ok().map(|path| Value::Text(path.to_owned())),
            Self::Instance => Instance::new(text).ok().map(|name| Value::Text(name.to_string())),
            Self::Flag => text.parse().ok().map(Value::Flag),
            Self::Names => names(text).map(|names| Value::Text(names.join(","))),
            Self::Networks => networks(text).map(Value::Text),
            Self::Name => name(text).then(|| Value::Text(text.to_owned())),
            Self::Json => serde_json::from_str(text).ok().map(Value::Json),
        };
        let value = value.ok_or_else(|| self.refusal(&quoted(text)))?;
        self.check(&value)?;
        Ok(value)
    }

    /// Checks a value that was not written as text.
    ///
    /// # Errors
    /// What is wrong with it, as a clause that names the bound and the value.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        let shown = self.show(value);
        let bounds = match (self, value) {
            (Self::Duration { min, max }, Value::Duration(is)) => {
                (is < min, is > max, text::show_duration(*min), text::show_duration(*max))
            }
            (Self::Count { min, max }, Value::Number(is)) => (is < min, is > max, min.to_string(), max.to_string()),
            (Self::Bytes { min, max }, Value::Number(is)) => {
                (is < min, is > max, text::show_size(*min), text::show_size(*max))
            }
            (Self::Port, Value::Number(is)) => (false, *is > u64::from(u16::MAX), "0".to_owned(), "65535".to_owned()),
            (Self::Flag, Value::Flag(_)) | (Self::Json, Value::Json(_)) => return Ok(()),
            (
                Self::Url
                | Self::Ip
                | Self::Host
                | Self::Socket
                | Self::Instance
                | Self::Names
                | Self::Networks
                | Self::Name,
                Value::Text(text),
            ) => {
                let fits = match self {
                    Self::Url => base_url(text).is_some(),
                    Self::Ip => text.parse::<IpAddr>().is_ok(),
                    Self::Host => host(text).is_some(),
                    Self::Socket => socket_path(text).is_ok(),
                    Self::Names => names(text).is_some(),
                    Self::Networks => networks(text).is_some(),
                    Self::Name => name(text),
                    _ => Instance::new(text).is_ok(),
                };
                return if fits { Ok(()) } else { Err(self.refusal(&quoted(text))) };
            }
            _ => return Err(self.refusal(&shown)),
        };
        match bounds {
            (true, _, min, _) => Err(format!("must be at least {min}, is {shown}")),
            (_, true, _, max) => Err(format!("must be at most {max}, is {shown}")),
            _ => Ok(()),
        }
    }

    /// Says what is allowed, and what was given instead.
    pub(crate) fn refusal(&self, shown: &str) -> String {
        format!("must be {}{}, is {shown}", self.allowed(), self.example())
    }

    /// The value as it would be written.
    pub(crate) fn show(&self, value: &Value) -> String {
        match (self, value) {
            (_, Value::Duration(value)) => text::show_duration(*value),
            (Self::Bytes { .. }, Value::Number(value)) => text::show_size(*value),
            (_, Value::Number(value)) => value.to_string(),
            (_, Value::Flag(value)) => value.to_string(),
            (_, Value::Text(value)) => value.clone(),
            (_, Value::Json(value)) => value.to_string(),
        }
    }
}

/// What stands between the commas.
pub(super) fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty())
}

/// Whether it can be the name of one thing.
fn name(text: &str) -> bool {
    (1..=128).contains(&text.chars().count()) && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// The names of a list. A peer may be named by host and port as well.
fn names(text: &str) -> Option<Vec<&str>> {
    let fits = |name: &str| !name.contains(|c: char| c.is_whitespace() || c.is_control());
    split(text).all(fits).then(|| split(text).collect())
}

/// The network that a text stands for; an address is the network of itself alone.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// The word for those who have no address.
pub(crate) const UNIX: &str = "unix";

/// A list of networks as it would be written.
fn networks(text: &str) -> Option<String> {
    let fits = |part: &str| part == UNIX || network(part).is_some();
    split(text).all(fits).then(|| split(text).collect::<Vec<_>>().join(","))
}

/// The start of a value between quotes; nothing of one that may hold a password.
pub(crate) fn quoted(text: &str) -> String {
    if text.contains('@') {
        return "a text with `@`, not shown".to_owned();
    }
    let start: String = text.chars().take(40).collect();
    if start.len() < text.len() { format!("{start:?}…") } else { format!("{start:?}") }
}

impl From<Duration> for Value {
    fn from(value: Duration) -> Self {
        Self::Duration(value)
    }
}

impl From<u16> for Value {
    fn from(value: u16) -> Self {
        Self::Number(value.into())
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Number(value.into())
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Number(u64::try_from(value).unwrap_or(u64::MAX))
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Number(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Flag(value)
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        Self::Json(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}
