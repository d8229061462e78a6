//! Reading a TOML file against the table, so that every error has its line.

use std::{io::Read, path::Path, time::Duration};

use serde_json::Value as Json;
use toml::{
    Spanned,
    de::{DeInteger, DeTable, DeValue},
};

use super::named::Named;
use crate::{
    env::{Found, Kind, SETTINGS, Setting, Value, nearest, setting},
    error::FieldError,
};

/// The largest configuration file that is read.
const MAX_BYTES: u64 = 1 << 20;

/// Reads a file's text. The problem is a clause that follows the file's name.
pub(super) fn read(path: &Path) -> Result<String, (std::io::ErrorKind, String)> {
    let mut text = String::new();
    let taken = std::fs::File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text));
    match taken {
        Ok(_) if text.len() as u64 > MAX_BYTES => {
            Err((std::io::ErrorKind::FileTooLarge, "is larger than 1MiB".to_owned()))
        }
        Ok(_) => Ok(text),
        Err(error) => Err((error.kind(), format!("cannot be read: {error}"))),
    }
}

/// What a file says about the settings, and what is wrong with it.
pub(super) fn parse(name: &str, text: &str) -> (Vec<Found>, Named, Vec<FieldError>) {
    let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
    let mut walk = Walk { name, ends, values: Vec::new(), named: Named::default(), errors: Vec::new() };
    match DeTable::parse(text) {
        Ok(table) => walk.table("", table.get_ref()),
        Err(error) => {
            let place = walk.place(error.span().map_or(0, |span| span.start));
            // The parser's message may have several lines.
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            walk.errors.push(FieldError::new(place, format!("is not TOML: {message}")));
        }
    }
    (walk.values, walk.named, walk.errors)
}

pub(super) struct Walk<'a> {
    name: &'a str,
    /// Where each line ends.
    ends: Vec<usize>,
    values: Vec<Found>,
    pub(super) named: Named,
    pub(super) errors: Vec<FieldError>,
}

impl Walk<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let path =
                if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
            let place = self.place(key.span().start);
            // A dot inside a key is no separator.
            let known = if key.get_ref().contains('.') { None } else { setting(&path) };
            let result = match known {
                Some(setting) => self.value(setting, value, &place),
                None if prefix.is_empty() && path == "policy" => self.policies(value.get_ref()),
                None if prefix.is_empty() && path == "target" => self.targets(value.get_ref()),
                None if prefix.is_empty() && is_section(&path) => match value.get_ref() {
                    DeValue::Table(table) => {
                        self.table(&path, table);
                        Ok(())
                    }
                    other => Err(format!("must be a table, is {}", shown(other))),
                },
                None => Err(unknown(&path, prefix)),
            };
            if let Err(problem) = result {
                let path: String = path.chars().take(80).flat_map(char::escape_debug).collect();
                self.errors.push(FieldError::new(path, format!("{problem} (from {place})")));
            }
        }
    }

    fn value(&mut self, setting: &'static Setting, value: &Spanned<DeValue<'_>>, place: &str) -> Result<(), String> {
        let value = read_as(setting.kind, value.get_ref())?;
        self.values.push(Found::new(setting.path, value, place));
        Ok(())
    }

    /// File and line of a byte.
    pub(super) fn place(&self, byte: usize) -> String {
        let line = 1 + self.ends.partition_point(|end| *end < byte);
        format!("{} line {line}", self.name)
    }
}

/// Reads a TOML value as this kind. Only what TOML itself calls a text is one.
pub(super) fn read_as(kind: Kind, value: &DeValue<'_>) -> Result<Value, String> {
    let read = match (kind, value) {
        (Kind::Duration { .. }, DeValue::Integer(number)) => integer(number).map(Duration::from_secs).map(Value::from),
        (Kind::Duration { .. }, DeValue::Float(number)) => {
            let seconds = number.as_str().parse().ok();
            seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).map(Value::from)
        }
        (Kind::Count { .. } | Kind::Port | Kind::Bytes { .. }, DeValue::Integer(number)) => {
            integer(number).map(Value::Number)
        }
        (Kind::Flag, DeValue::Boolean(value)) => Some(Value::Flag(*value)),
        (Kind::Count { .. } | Kind::Port | Kind::Flag, _) => None,
        (_, DeValue::String(text)) => return kind.parse(text),
        _ => None,
    };
    let value = read.ok_or_else(|| kind.refusal(&shown(value)))?;
    kind.check(&value)?;
    Ok(value)
}

fn integer(number: &DeInteger<'_>) -> Option<u64> {
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

pub(super) fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => crate::env::quoted(text),
        DeValue::Integer(number) => number.to_string().chars().take(40).collect(),
        DeValue::Float(number) => number.to_string().chars().take(40).collect(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(value) => value.to_string(),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// A TOML value as JSON has it. A date becomes its text.
pub(super) fn json(value: &DeValue<'_>) -> Result<Json, String> {
    Ok(match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Boolean(flag) => (*flag).into(),
        DeValue::Datetime(value) => value.to_string().into(),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_err(|_| format!("must fit into 64 bits, is {}", shown(value)))?
            .into(),
        DeValue::Float(number) => {
            let float = number.as_str().parse().ok().and_then(serde_json::Number::from_f64);
            Json::Number(float.ok_or_else(|| format!("must be a number that JSON has, is {}", shown(value)))?)
        }
        DeValue::Array(values) => values.iter().map(|value| json(value.get_ref())).collect::<Result<_, _>>()?,
        DeValue::Table(table) => {
            let fields = table.iter().map(|(key, value)| Ok((key.get_ref().to_string(), json(value.get_ref())?)));
            Json::Object(fields.collect::<Result<_, String>>()?)
        }
    })
}

fn is_section(name: &str) -> bool {
    sections().any(|section| section == name)
}

fn sections() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().filter_map(|setting| Some(setting.path.split_once('.')?.0))
}

fn unknown(path: &str, prefix: &str) -> String {
    let meant = if prefix.is_empty() {
        nearest(path, sections().chain(["policy", "target"]).chain(SETTINGS.iter().map(|setting| setting.path)))
    } else {
        let rest = path.get(prefix.len() + 1..).unwrap_or_default();
        let siblings = SETTINGS.iter().filter_map(|setting| setting.path.strip_prefix(prefix)?.strip_prefix('.'));
        nearest(rest, siblings)
    };
    match meant {
        Some(meant) if prefix.is_empty() => format!("is no setting, did you mean {meant}?"),
        Some(meant) => format!("is no setting, did you mean {prefix}.{meant}?"),
        None => "is no setting".to_owned(),
    }
}
