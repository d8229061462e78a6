//! What ties an answer to its request.

use std::{
    borrow::Cow,
    hash::{Hash, Hasher},
};

use serde::{Serialize, Serializer, ser::Error as _};
use serde_json::value::RawValue;

/// An id: a string, a number or null (§4), sent back exactly as it came.
///
/// Two ids are equal if they are of one type and, as strings, say the same; numbers must have the same digits.
///
/// ```
/// use tekton_sdk::wire::jsonrpc::Id;
///
/// assert_eq!(Id::from(7).json(), "7");
/// assert_eq!(Id::from("7").json(), "\"7\"");
/// assert_ne!(Id::from(7), Id::from("7"));
/// ```
#[derive(Clone, Debug)]
pub struct Id<'a>(Cow<'a, str>);

impl<'a> Id<'a> {
    /// The id of what could not be tied to a request.
    pub const NULL: Id<'static> = Id(Cow::Borrowed("null"));

    /// Nothing if the value is no id.
    pub(in crate::wire) fn read(value: &'a RawValue) -> Option<Self> {
        let json = value.get();
        match json.as_bytes().first() {
            Some(b'"' | b'-' | b'0'..=b'9' | b'n') => Some(Self(Cow::Borrowed(json))),
            _ => None,
        }
    }

    /// The id as JSON, byte for byte as it came.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.0
    }

    /// Whether it is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.0 == "null"
    }

    /// The same id on its own.
    #[must_use]
    pub fn into_owned(self) -> Id<'static> {
        Id(Cow::Owned(self.0.into_owned()))
    }

    /// The number, if it is written as [`Id::from`] writes it.
    pub(crate) fn own_number(&self) -> Option<u64> {
        let plain = self.0.bytes().all(|byte| byte.is_ascii_digit()) && (self.0 == "0" || !self.0.starts_with('0'));
        plain.then(|| self.0.parse().ok())?
    }

    /// One JSON text for all that say the same.
    fn plain(&self) -> Cow<'_, str> {
        if !self.0.contains('\\') {
            return Cow::Borrowed(&self.0);
        }
        let text = serde_json::from_str::<String>(&self.0).and_then(|text| serde_json::to_string(&text));
        // An escape that is no character is equal to itself alone.
        text.map_or(Cow::Borrowed(&*self.0), Cow::Owned)
    }
}

impl From<u64> for Id<'_> {
    fn from(number: u64) -> Self {
        Self(Cow::Owned(number.to_string()))
    }
}

impl From<&str> for Id<'_> {
    fn from(text: &str) -> Self {
        Self(Cow::Owned(serde_json::Value::from(text).to_string()))
    }
}

impl PartialEq for Id<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.plain() == other.plain()
    }
}

impl Eq for Id<'_> {}

impl Hash for Id<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.plain().hash(state);
    }
}

impl Serialize for Id<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.0).map_err(S::Error::custom)?.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn id(json: &str) -> Id<'_> {
        Id::read(serde_json::from_str(json).unwrap()).unwrap()
    }

    #[test]
    fn every_id_goes_back_as_it_came() {
        for json in ["null", "0", "-0", "1.0", "1E3", "18446744073709551616", r#""""#, r#""1\u0031\ud800""#, "-1.50"] {
            assert_eq!(serde_json::to_string(&id(json)).unwrap(), json);
            assert_eq!(id(json), id(json).into_owned());
        }
        for json in ["true", "false", "[1]", "{}"] {
            assert!(Id::read(serde_json::from_str(json).unwrap()).is_none(), "{json}");
        }
    }

    #[test]
    fn ids_are_equal_by_type_and_value() {
        assert_eq!(id(r#""a\u0062""#), Id::from("ab"));
        let ids = [r#""1""#, "1", "1.0", "null", r#""null""#, r#""""#, r#""\ud800""#].map(id);
        assert_eq!(ids.into_iter().collect::<HashSet<_>>().len(), 7);
        let written = [Id::from(1), Id::from("ab"), id(r#""\u0061b""#), id(r#""ab""#), id("1")];
        assert_eq!(written.into_iter().collect::<HashSet<_>>().len(), 2);
    }

    #[test]
    fn only_what_we_write_is_read_as_one_of_our_numbers() {
        let read = |json| id(json).own_number();
        assert_eq!((read("0"), read("17"), read("18446744073709551615")), (Some(0), Some(17), Some(u64::MAX)));
        for json in ["-1", "1.0", "1e0", "18446744073709551616", r#""17""#, "null", r#""""#] {
            assert_eq!(read(json), None, "{json}");
        }
    }
}
