//! Plain arguments, written as one JSON object.

use bytes::Bytes;
use serde::Serialize;

use super::Data;
use crate::error::{Error, ErrorKind, Result, Sent};

/// The room that is made for the arguments at first; most would make a vector that begins smaller grow several times.
const JSON_BYTES: usize = 1024;

/// The arguments of one call, being written.
#[derive(Debug)]
pub struct Fields {
    json: Vec<u8>,
    wrong: Option<serde_json::Error>,
}

impl Fields {
    /// No argument yet.
    #[expect(clippy::new_without_default, reason = "only generated code makes one")]
    #[must_use]
    pub fn new() -> Self {
        let mut json = Vec::with_capacity(JSON_BYTES);
        json.push(b'{');
        Self { json, wrong: None }
    }

    /// Adds an argument.
    #[must_use]
    pub fn with<T: Data>(self, name: &'static str, value: &T) -> Self {
        self.borrowed(name, value)
    }

    /// Adds an argument that is not owned, as `&str`.
    #[must_use]
    pub fn borrowed<T: Serialize + ?Sized>(mut self, name: &'static str, value: &T) -> Self {
        if self.json.len() > 1 {
            self.json.push(b',');
        }
        let mut write = || {
            serde_json::to_writer(&mut self.json, name)?;
            self.json.push(b':');
            serde_json::to_writer(&mut self.json, value)
        };
        if let Err(error) = write() {
            self.wrong.get_or_insert(error);
        }
        self
    }

    /// Adds an argument if there is one.
    #[must_use]
    pub fn maybe<T: Data>(self, name: &'static str, value: &Option<T>) -> Self {
        self.maybe_borrowed(name, value.as_ref())
    }

    /// Adds an argument that is not owned, if there is one.
    #[must_use]
    pub fn maybe_borrowed<T: Serialize + ?Sized>(self, name: &'static str, value: Option<&T>) -> Self {
        match value {
            Some(value) => self.borrowed(name, value),
            None => self,
        }
    }

    /// The object.
    pub(crate) fn finish(mut self) -> Result<Bytes> {
        match self.wrong {
            None => {
                self.json.push(b'}');
                Ok(self.json.into())
            }
            Some(error) => Err(Error::new(ErrorKind::Codec, "the arguments cannot be written as JSON")
                .with_source(error)
                .with_sent(Sent::No)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_become_one_object_and_what_is_left_out_is_absent() {
        let fields = Fields::new().borrowed("text", "a \"b\"").maybe("sentences", &None::<u8>).maybe("limit", &Some(3));
        assert_eq!(fields.finish().unwrap(), r#"{"text":"a \"b\"","limit":3}"#);
        assert_eq!(Fields::new().finish().unwrap(), "{}");
    }

    #[test]
    fn what_is_no_json_is_an_error_and_not_sent() {
        let unwritable = std::collections::BTreeMap::from([((1, 2), 3)]);
        let error = Fields::new().borrowed("map", &unwritable).with("x", &1).finish().unwrap_err();
        assert_eq!((error.kind(), error.sent()), (ErrorKind::Codec, Sent::No));
    }
}
