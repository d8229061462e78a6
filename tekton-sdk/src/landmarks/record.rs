//! A landmark as upstream writes it.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Landmarks;
use crate::contract::Landmark;

impl Landmarks {
    /// The records, with upstream's fields and `component`, which upstream derives. They are dated with `wall`: what the linker gathers has no date of its own.
    #[must_use]
    pub fn records(&self, wall: SystemTime) -> Vec<Value> {
        let timestamp = timestamp(wall);
        let shown = |landmark: &'static Landmark| {
            let mut record = record(landmark, &timestamp);
            record.insert("component".to_owned(), landmark.component().into());
            Value::Object(record)
        };
        self.iter().map(shown).collect()
    }
}

/// The first half of upstream's key, SHA-256 of `type|title|file_path|line_number`, as a UUID (RFC 9562 §5.8).
///
/// Upstream draws its ids; this one is the same in every process and at every start.
pub(super) fn id(landmark: &Landmark) -> String {
    let key = format!("{}|{}|{}|{}", landmark.kind, landmark.title, landmark.file, landmark.line);
    let mut number = Sha256::digest(key).iter().take(16).fold(0_u128, |all, byte| (all << 8) | u128::from(*byte));
    number = number & !(0xF << 76) | 0x8 << 76;
    number = number & !(0b11 << 62) | 0b10 << 62;
    let hex = format!("{number:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// A record with upstream's fields and no other: upstream's reader refuses one that it does not know, and with it all the rest.
pub(super) fn record(landmark: &Landmark, timestamp: &str) -> Map<String, Value> {
    let record = json!({
        "id": id(landmark),
        "type": landmark.kind,
        "title": landmark.title,
        "description": landmark.description,
        "file_path": landmark.file,
        "line_number": landmark.line,
        "timestamp": timestamp,
        "author": landmark.author,
        "metadata": metadata(landmark),
        "tags": landmark.tags,
        "related_landmarks": [],
    });
    match record {
        Value::Object(record) => record,
        _ => Map::new(),
    }
}

pub(super) fn metadata(landmark: &Landmark) -> Value {
    landmark.metadata.iter().map(|(name, detail)| ((*name).to_owned(), json!(detail))).collect()
}

/// UTC without a zone: upstream compares its own local, zoneless times, and fails on one that has a zone.
pub(super) fn timestamp(wall: SystemTime) -> String {
    // Year 9999 is the last that can be written.
    let last = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    let wall = wall.clamp(SystemTime::UNIX_EPOCH, last);
    humantime::format_rfc3339_micros(wall).to_string().trim_end_matches('Z').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_a_uuid_of_version_8_and_depends_on_the_key_alone() {
        let landmark = Landmark::new("danger_zone", "T", "").at("src/lib.rs", 7, "m");
        let one = id(&landmark);
        assert_eq!(one, id(&Landmark { description: "other", ..landmark }));
        assert_ne!(one, id(&Landmark { line: 8, ..landmark }));
        assert_eq!(one.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert_eq!(one.as_bytes()[14], b'8');
        assert!(b"89ab".contains(&one.as_bytes()[19]), "{one}");
        let known = Sha256::digest("danger_zone|T|src/lib.rs|7");
        assert_eq!(one[..8], format!("{:02x}{:02x}{:02x}{:02x}", known[0], known[1], known[2], known[3]));
    }

    #[test]
    fn times_have_no_zone_and_no_end() {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_millis(1_500);
        assert_eq!(timestamp(wall), "1970-01-01T00:00:01.500000");
        assert_eq!(timestamp(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00.000000");
        assert!(timestamp(wall + Duration::from_secs(1 << 50)).starts_with("9999-12-31"));
    }
}
