//! The JSON format, read.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{CloudEvent, Data, MAX_EXTENSIONS, Value, check, wrong};
use crate::{
    error::{Error, ErrorKind, Result},
    wire::lenient,
};

/// Looks at the text of an attribute of this name.
type Check = fn(&str, &str) -> Result<()>;

/// The members of an object, in their order and as they came.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

/// A name that is borrowed unless it has escapes.
#[derive(Deserialize, PartialEq, Eq, Hash)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

pub(super) fn parse(json: &[u8]) -> Result<CloudEvent> {
    let Members(all) = serde_json::from_slice(json).map_err(|error| {
        let came = lenient::came(json, &error);
        Error::new(ErrorKind::Codec, format!("expected a CloudEvent, got {came}")).with_source(error)
    })?;
    let mut members = BTreeMap::new();
    for (name, value) in all {
        if members.insert(name.clone(), value).is_some() {
            return Err(wrong(&name, "is there twice"));
        }
    }
    let mut members = Attributes(members);
    let version = members.required("specversion")?;
    if version != "1.0" {
        return Err(wrong("specversion", "is not \"1.0\""));
    }
    let (id, source, kind) = (members.required("id")?, members.required("source")?, members.required("type")?);
    let mut event = CloudEvent::new(id, source, kind)?;
    let optional: [(&str, Check, &mut Option<String>); 4] = [
        ("subject", check::text, &mut event.subject),
        ("time", check::time, &mut event.time),
        ("datacontenttype", check::media_type, &mut event.datacontenttype),
        ("dataschema", check::uri, &mut event.dataschema),
    ];
    for (name, check, place) in optional {
        *place = members.text(name)?;
        if let Some(text) = place.as_deref() {
            check(name, text)?;
        }
    }
    event.data = members.data()?;
    event.extensions = members.extensions()?;
    Ok(event)
}

struct Attributes<'a>(BTreeMap<Cow<'a, str>, &'a RawValue>);

impl Attributes<'_> {
    /// A text; one that is null is not there (JSON format §2.2).
    fn text(&mut self, name: &str) -> Result<Option<String>> {
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        serde_json::from_str(value.get()).map_err(|error| wrong(name, "is no text").with_source(error))
    }

    fn required(&mut self, name: &str) -> Result<String> {
        self.text(name)?.ok_or_else(|| wrong(name, "is missing"))
    }

    fn data(&mut self) -> Result<Option<Data>> {
        match (self.0.remove("data"), self.text("data_base64")?) {
            (Some(_), Some(_)) => Err(wrong("data", "is there beside `data_base64`")),
            (Some(json), None) => Ok(Some(Data::Json(Bytes::copy_from_slice(json.get().as_bytes())))),
            (None, Some(text)) => {
                let bytes = BASE64_STANDARD.decode(text);
                let bytes = bytes.map_err(|error| wrong("data_base64", "is no base64").with_source(error))?;
                Ok(Some(Data::Binary(bytes.into())))
            }
            (None, None) => Ok(None),
        }
    }

    /// All that is left.
    fn extensions(self) -> Result<BTreeMap<String, Value>> {
        let mut extensions = BTreeMap::new();
        for (name, value) in self.0 {
            check::extension(&name)?;
            let value = match value.get().as_bytes() {
                b"null" => continue,
                b"true" => Value::Bool(true),
                b"false" => Value::Bool(false),
                [b'"', ..] => {
                    let text: String = serde_json::from_str(value.get())
                        .map_err(|error| wrong(&name, "is no text").with_source(error))?;
                    check::characters(&name, &text)?;
                    Value::Text(text)
                }
                _ => {
                    let number = serde_json::from_str(value.get());
                    Value::Integer(number.map_err(|error| {
                        wrong(&name, "is neither a text, nor true or false, nor a whole number of 32 bits")
                            .with_source(error)
                    })?)
                }
            };
            if extensions.len() == MAX_EXTENSIONS {
                return Err(wrong("extensions", "are more than 64"));
            }
            extensions.insert(name.into_owned(), value);
        }
        Ok(extensions)
    }
}
