//! Reading the same texts through serde: `#[serde(deserialize_with = "crate::env::duration")]`.

use std::{fmt, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

use super::text;
use crate::names::Instance;

/// A scalar as it would be written in a variable.
struct Scalar(String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl Visitor<'_> for Any {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a number")
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar(value.trim().to_owned()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

/// Deserialises a duration: `500ms`, `1m30s`, or seconds as a number.
///
/// # Errors
/// The deserialiser's, if it is no duration.
pub fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let Scalar(text) = Scalar::deserialize(deserializer)?;
    text::duration(&text).ok_or_else(|| D::Error::custom("must be a duration, as 500ms, 2s or 1m30s"))
}

/// Deserialises a duration that may be left out.
///
/// # Errors
/// The deserialiser's, if it is no duration.
pub fn optional_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

/// Deserialises a size in bytes: `64KiB`, `16MiB`, or a number.
///
/// # Errors
/// The deserialiser's, if it is no size, or does not fit into memory.
pub fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let Scalar(text) = Scalar::deserialize(deserializer)?;
    let size = text::size(&text).and_then(|size| usize::try_from(size).ok());
    size.ok_or_else(|| D::Error::custom("must be a size, as 1048576, 64KiB or 16MiB"))
}

/// Deserialises names with commas between them.
///
/// # Errors
/// The deserialiser's, if it is no text.
pub fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(super::kind::split(&text).map(str::to_owned).collect())
}

/// Deserialises the name of an instance.
///
/// # Errors
/// The deserialiser's, with the character that is not allowed.
pub fn instance<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Instance>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Instance::new(text).map(Some).map_err(D::Error::custom)
}
