//! The arguments of an operation, decoded by its table of parameters.

use std::{fmt, ops::Range};

use bytes::Bytes;
use serde::{
    Deserializer as _,
    de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::numbers::decode;
use crate::{
    contract::{Operation, Parameter},
    error::{Error, ErrorKind, FieldError, Result},
};

/// The arguments of one call: every required one is there, none is unknown unless the operation is
/// [open](Operation::open). Each is decoded when it is asked for.
#[derive(Debug)]
pub struct Arguments {
    parameters: &'static [Parameter],
    values: Vec<Value>,
    body: Bytes,
    query: Option<String>,
}

#[derive(Clone, Debug, Default)]
enum Value {
    #[default]
    Absent,
    /// Where its JSON stands in the body.
    Json(Range<usize>),
    /// From a query: text that may be meant as a number or a truth value.
    Text(String),
}

impl Arguments {
    /// Reads one JSON object; an empty body counts as `{}`.
    ///
    /// # Errors
    /// [`Codec`](ErrorKind::Codec) if it is no JSON object; [`Invalid`](ErrorKind::Invalid) naming every parameter that is
    /// missing, unknown or given twice.
    pub fn from_json(operation: &Operation, body: Bytes) -> Result<Self> {
        let values = vec![Value::Absent; operation.parameters.len()];
        let mut found = Found { operation, body: &body, values, wrong: Vec::new() };
        if !body.iter().all(u8::is_ascii_whitespace) {
            let mut reader = serde_json::Deserializer::from_slice(&body);
            let read = reader.deserialize_map(&mut found).and_then(|()| reader.end());
            read.map_err(|e| {
                Error::new(ErrorKind::Codec, "the body is not one JSON object of the arguments").with_source(e)
            })?;
        }
        let Found { values, wrong, .. } = found;
        Self::complete(operation.parameters, values, wrong, body)
    }

    /// Reads scalar arguments from a query.
    ///
    /// # Errors
    /// As [`Arguments::from_json`].
    pub fn from_query(operation: &Operation, query: &str) -> Result<Self> {
        let parameters = operation.parameters;
        let mut values = vec![Value::Absent; parameters.len()];
        let mut wrong = Vec::new();
        for (name, text) in url::form_urlencoded::parse(query.as_bytes()) {
            match parameters.iter().position(|p| p.name == name) {
                None if operation.open => {}
                None => wrong.push(unknown(parameters, &name)),
                Some(at) if matches!(values[at], Value::Absent) => values[at] = Value::Text(text.into_owned()),
                Some(_) => wrong.push(FieldError::new(name, "is given twice")),
            }
        }
        let arguments = Self::complete(parameters, values, wrong, Bytes::new())?;
        Ok(Self { query: Some(query.to_owned()), ..arguments })
    }

    fn complete(
        parameters: &'static [Parameter],
        values: Vec<Value>,
        mut wrong: Vec<FieldError>,
        body: Bytes,
    ) -> Result<Self> {
        let absent = parameters.iter().zip(&values).filter(|(p, v)| p.required && matches!(v, Value::Absent));
        wrong.extend(absent.map(|(p, _)| FieldError::new(p.name, format!("is missing: {}", p.description))));
        match wrong.len() {
            0 => Ok(Self { parameters, values, body, query: None }),
            1 => Err(Error::invalid("1 argument is wrong").with_fields(wrong)),
            n => Err(Error::invalid(format!("{n} arguments are wrong")).with_fields(wrong)),
        }
    }

    /// The argument of this name. One that was left out reads as `null`, so that an `Option` is `None`.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) naming the parameter, if it is no `T`.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let decoded = match self.value(name) {
            None | Some(Value::Absent) => serde_json::from_str("null"),
            Some(Value::Json(at)) => decode(&self.body[at.clone()]),
            // A string parameter takes `5` as text; any other takes it as the JSON it looks like.
            Some(Value::Text(text)) => T::deserialize(serde_json::Value::String(text.clone()))
                .or_else(|e| decode(text.as_bytes()).map_err(|_| e)),
        };
        decoded.map_err(|e| {
            Error::invalid("1 argument is wrong")
                .with_fields(vec![FieldError::new(name, problem_of(&e))])
                .with_source(e)
        })
    }

    /// The argument of this name, or a default if it was left out.
    ///
    /// # Errors
    /// As [`Arguments::get`].
    pub fn get_or<T: DeserializeOwned>(&self, name: &str, default: T) -> Result<T> {
        match self.value(name) {
            None | Some(Value::Absent) => Ok(default),
            Some(_) => self.get(name),
        }
    }

    /// All arguments as one value, those that are not listed too. What came in a query is text.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) if they are no `T`.
    pub fn whole<T: DeserializeOwned>(&self) -> Result<T> {
        let decoded = match &self.query {
            Some(query) => {
                let pairs = url::form_urlencoded::parse(query.as_bytes());
                let texts = pairs.map(|(name, text)| (name.into_owned(), text.into_owned().into()));
                T::deserialize(serde_json::Value::Object(texts.collect()))
            }
            None if self.body.iter().all(u8::is_ascii_whitespace) => serde_json::from_str("{}"),
            None => decode(&self.body),
        };
        decoded.map_err(|e| Error::invalid(format!("the arguments are wrong: {}", problem_of(&e))).with_source(e))
    }

    /// The body that they were read from; empty where they came in a query.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(self.parameters.iter().position(|p| p.name == name)?)
    }
}

/// What serde says, without a position: it would be that within the one argument.
fn problem_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let clause = text.split(" at line ").next().unwrap_or(&text);
    clause.chars().take(200).collect()
}

fn unknown(parameters: &[Parameter], name: &str) -> FieldError {
    let known: Vec<_> = parameters.iter().map(|p| p.name).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let shown: String = name.chars().take(60).collect();
    FieldError::new(shown, format!("is no parameter; there are: {known}"))
}

struct Found<'a> {
    operation: &'a Operation,
    body: &'a Bytes,
    values: Vec<Value>,
    wrong: Vec<FieldError>,
}

/// The most wrong names that are reported.
const MAX_WRONG: usize = 20;

impl<'de> Visitor<'de> for &mut Found<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object of the arguments")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            let Some(at) = self.operation.parameters.iter().position(|p| p.name == name) else {
                if !self.operation.open && self.wrong.len() < MAX_WRONG {
                    self.wrong.push(unknown(self.operation.parameters, &name));
                }
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let json = map.next_value::<&'de RawValue>()?.get();
            if !matches!(self.values[at], Value::Absent) {
                self.wrong.push(FieldError::new(name, "is given twice"));
                continue;
            }
            // Both are parts of the same bytes, so the difference of their addresses is the offset.
            let start = (json.as_ptr() as usize).saturating_sub(self.body.as_ptr() as usize);
            self.values[at] = Value::Json(start..start + json.len());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: Operation = Operation::read("shorten", "Shortens a text.")
        .parameters(&[Parameter::required("text", "what to shorten"), Parameter::optional("sentences", "how many")]);

    fn json(body: &str) -> Result<Arguments> {
        Arguments::from_json(&TEXT, Bytes::copy_from_slice(body.as_bytes()))
    }

    #[test]
    fn arguments_are_decoded_by_name() {
        let args = json(r#" {"sentences": 2, "text": "a\"b"} "#).unwrap();
        assert_eq!(args.get::<String>("text").unwrap(), "a\"b");
        assert_eq!(args.get::<Option<usize>>("sentences").unwrap(), Some(2));
        let whole = json(r#"{"text": "", "sentences": 2.0}"#).unwrap();
        assert_eq!(whole.get::<Option<usize>>("sentences").unwrap(), Some(2));
        let short = json(r#"{"text": ""}"#).unwrap();
        assert_eq!(short.get::<Option<usize>>("sentences").unwrap(), None);
        assert_eq!(short.get_or("sentences", 3).unwrap(), 3);
    }

    #[test]
    fn every_wrong_argument_is_named() {
        let error = json(r#"{"txt": 1, "sentences": 1, "sentences": 2}"#).unwrap_err();
        let fields: Vec<_> = error.fields().iter().map(ToString::to_string).collect();
        assert_eq!(
            fields,
            [
                "txt: is no parameter; there are: text, sentences",
                "sentences: is given twice",
                "text: is missing: what to shorten"
            ]
        );
        let error = json(r#"{"text": 5}"#).unwrap().get::<String>("text").unwrap_err();
        assert_eq!(error.fields()[0].to_string(), "text: invalid type: integer `5`, expected a string");
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for body in ["[]", "3", "{", r#"{"text": }"#, r#"{"text": "a"} x"#, "nul"] {
            assert_eq!(json(body).unwrap_err().kind(), ErrorKind::Codec, "{body}");
        }
        assert_eq!(json("").unwrap_err().kind(), ErrorKind::Invalid);
    }

    #[test]
    fn a_query_gives_text_numbers_and_truth_values() {
        let args = Arguments::from_query(&TEXT, "text=5&sentences=2").unwrap();
        assert_eq!(args.get::<String>("text").unwrap(), "5");
        assert_eq!(args.get::<Option<usize>>("sentences").unwrap(), Some(2));
        assert_eq!(args.get::<bool>("text").unwrap_err().kind(), ErrorKind::Invalid);
        let error = Arguments::from_query(&TEXT, "a=1&text=x&text=y").unwrap_err();
        assert_eq!(error.fields().len(), 2);
    }

    #[test]
    fn an_open_operation_takes_whatever_is_given() {
        let open = TEXT.open();
        let args = Arguments::from_json(&open, Bytes::from(r#"{"text": "a", "more": [1]}"#)).unwrap();
        assert_eq!(args.get::<String>("text").unwrap(), "a");
        assert_eq!(args.whole::<serde_json::Value>().unwrap(), serde_json::json!({"text": "a", "more": [1]}));
        let args = Arguments::from_query(&open, "text=a&more=1").unwrap();
        assert_eq!(args.whole::<serde_json::Value>().unwrap(), serde_json::json!({"text": "a", "more": "1"}));
        assert_eq!(args.whole::<Vec<u8>>().unwrap_err().kind(), ErrorKind::Invalid);
        let missing = Arguments::from_json(&open, Bytes::from(r#"{"more": 1}"#)).unwrap_err();
        assert_eq!(missing.fields()[0].field, "text");
        let empty = Operation::read("x", "y").open();
        assert_eq!(
            Arguments::from_json(&empty, Bytes::new()).unwrap().whole::<serde_json::Value>().unwrap(),
            serde_json::json!({})
        );
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(body in prop_oneof![".*", r#"\{"(text|sentences|x)": ?(1|"a"|\[|null|\{\})[,}].*"#]) {
            if let Ok(args) = json(&body) {
                let _ = args.get::<String>("text");
                let _ = args.get::<Option<serde_json::Value>>("sentences");
            }
        }
    }
}
