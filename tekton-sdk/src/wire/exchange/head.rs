//! The member `http`.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    MAX_HEADERS,
    body::{encode_base64, push_text},
};

pub(super) const JSON: &str = "application/json";

/// What the member `http` of either side says.
#[derive(Default, Deserialize)]
pub(super) struct Head {
    pub(super) method: Option<String>,
    pub(super) query: Option<String>,
    pub(super) status: Option<u16>,
    #[serde(default, deserialize_with = "headers")]
    pub(super) headers: HeaderMap,
    pub(super) base64: Option<String>,
    #[serde(default)]
    pub(super) stream: bool,
}

impl Head {
    /// Nothing if the member is no object of this form.
    pub(super) fn read(http: &RawValue) -> Option<Self> {
        // A list would be read as the members in their order.
        Some(http.get()).filter(|json| json.starts_with('{')).and_then(|json| serde_json::from_str(json).ok())
    }
}

fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HeaderMap, D::Error> {
    deserializer.deserialize_map(Lines)
}

struct Lines;

impl<'de> Visitor<'de> for Lines {
    type Value = HeaderMap;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of headers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<HeaderMap, A::Error> {
        let mut headers = HeaderMap::new();
        while let Some(name) = map.next_key_seed(Name)? {
            map.next_value_seed(Values { name, headers: &mut headers })?;
        }
        Ok(headers)
    }
}

struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = HeaderName;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<HeaderName, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = HeaderName;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a header")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<HeaderName, E> {
        HeaderName::from_bytes(name.as_bytes()).map_err(|_| E::custom("no name of a header"))
    }
}

/// One value, or several in a list.
struct Values<'a> {
    name: HeaderName,
    headers: &'a mut HeaderMap,
}

impl<'de> DeserializeSeed<'de> for Values<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Values<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value of a header, or a list of them")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        if self.headers.len() >= MAX_HEADERS {
            return Err(E::custom("too many headers"));
        }
        let value = value(text).ok_or_else(|| E::custom("no value of a header"))?;
        self.headers.append(self.name, value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { name, headers } = self;
        while list.next_element_seed(Values { name: name.clone(), headers: &mut *headers })?.is_some() {
            if headers.len() > MAX_HEADERS {
                return Err(A::Error::custom("too many headers"));
            }
        }
        Ok(())
    }
}

/// Each character is a byte, so that whatever a header may hold comes out as it went in.
fn value(text: &str) -> Option<HeaderValue> {
    if text.is_ascii() {
        return HeaderValue::from_str(text).ok();
    }
    let bytes = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect::<Option<Vec<_>>>()?;
    HeaderValue::from_bytes(&bytes).ok()
}

/// Writes the member `http`, of what there is to say.
pub(super) struct Writer<'a> {
    into: &'a mut String,
    begun: bool,
}

impl<'a> Writer<'a> {
    pub(super) fn begin(into: &'a mut String) -> Self {
        into.push_str(r#","http":{"#);
        Self { into, begun: false }
    }

    fn name(&mut self, name: &str) -> &mut String {
        if std::mem::replace(&mut self.begun, true) {
            self.into.push(',');
        }
        push_text(name, self.into);
        self.into.push(':');
        self.into
    }

    pub(super) fn text(&mut self, name: &str, text: &str) {
        push_text(text, self.name(name));
    }

    pub(super) fn number(&mut self, name: &str, number: u16) {
        let text = number.to_string();
        self.name(name).push_str(&text);
    }

    pub(super) fn yes(&mut self, name: &str) {
        self.name(name).push_str("true");
    }

    pub(super) fn base64(&mut self, bytes: &[u8]) {
        let into = self.name("base64");
        into.push('"');
        encode_base64(bytes, into);
        into.push('"');
    }

    /// All headers, but for the content type that JSON in the message has anyway.
    pub(super) fn headers(&mut self, headers: &HeaderMap, embedded: bool) {
        let mut begun = false;
        for name in headers.keys() {
            if embedded && is_usual(headers, name) {
                continue;
            }
            if !begun {
                self.name("headers").push('{');
            } else {
                self.into.push(',');
            }
            begun = true;
            push_text(name.as_str(), self.into);
            self.into.push(':');
            let mut values = headers.get_all(name).iter();
            let first = values.next();
            let mut more = values.next();
            let list = more.is_some();
            if list {
                self.into.push('[');
            }
            if let Some(first) = first {
                push_value(first, self.into);
            }
            while let Some(value) = more {
                self.into.push(',');
                push_value(value, self.into);
                more = values.next();
            }
            if list {
                self.into.push(']');
            }
        }
        if begun {
            self.into.push('}');
        }
    }

    pub(super) fn end(self) {
        self.into.push('}');
    }
}

fn push_value(value: &HeaderValue, into: &mut String) {
    match value.to_str() {
        Ok(text) => push_text(text, into),
        Err(_) => push_text(&value.as_bytes().iter().copied().map(char::from).collect::<String>(), into),
    }
}

/// Whether this is the one content type that JSON in a message is taken to have.
pub(super) fn is_usual(headers: &HeaderMap, name: &HeaderName) -> bool {
    name == CONTENT_TYPE && {
        let mut values = headers.get_all(name).iter();
        values.next().is_some_and(|value| value == JSON) && values.next().is_none()
    }
}

/// JSON in a message has this type, if nothing else is said.
pub(super) fn say_json(headers: &mut HeaderMap) {
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(JSON));
}
