//! Durations and sizes as people write them.

use std::time::Duration;

/// Units of time, largest first, in nanoseconds.
const TIME: &[(&str, u128)] = &[
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

const SIZE: &[(&str, u64)] = &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1), ("", 1)];

/// Reads `500ms`, `2s`, `1m30s`, `1.5h`, or a number of seconds such as `30` or `0.5`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (mut rest, mut total, mut last) = (text, 0_u128, u128::MAX);
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len()));
        let (name, after) = after.split_at(after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len()));
        let unit = match name {
            "" if number.len() == text.len() => 1_000_000_000,
            _ => TIME.iter().find(|(unit, _)| *unit == name)?.1,
        };
        // Each unit once, the larger one first.
        if unit >= last {
            return None;
        }
        last = unit;
        total = total.checked_add(scaled(number, unit)?)?;
        rest = after;
    }
    let seconds = u64::try_from(total / 1_000_000_000).ok()?;
    let nanos = u32::try_from(total % 1_000_000_000).ok()?;
    (last != u128::MAX).then(|| Duration::new(seconds, nanos))
}

/// A decimal number times the unit, cut to whole nanoseconds.
fn scaled(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // 18 digits are finer than a nanosecond of a day, and their product with a day fits.
    let mut part = 0;
    for (digit, power) in fraction.bytes().zip(1..=18) {
        part += u128::from(digit - b'0') * unit * 10_u128.pow(18 - power);
    }
    whole.checked_mul(unit)?.checked_add(part / 10_u128.pow(18))
}

/// Writes a duration so that [`duration`] reads the same back: `1m30s`.
pub(super) fn show_duration(value: Duration) -> String {
    let mut rest = value.as_nanos();
    let mut text = String::new();
    for &(unit, size) in TIME.iter().filter(|(unit, _)| *unit != "min") {
        if rest >= size {
            text.push_str(&format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Reads `65536`, `512B`, `64KiB`, `16MiB` or `1GiB`.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, name) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let (_, unit) = SIZE.iter().find(|(unit, _)| *unit == name)?;
    number.parse::<u64>().ok()?.checked_mul(*unit)
}

/// Writes a size so that [`size`] reads the same back: `64KiB`.
pub(super) fn show_size(value: u64) -> String {
    match SIZE.iter().find(|(_, unit)| *unit > 1 && value >= *unit && value.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{}{name}", value / unit),
        None => format!("{value}B"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_as_written() {
        let cases = [
            ("30", 30_000),
            ("30.0", 30_000),
            (".5", 500),
            ("0", 0),
            ("500ms", 500),
            ("2s", 2_000),
            ("1.5s", 1_500),
            ("1m30s", 90_000),
            ("45min", 2_700_000),
            ("1h", 3_600_000),
            ("30d", 2_592_000_000),
        ];
        for (text, millis) in cases {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in
            ["", "-1", "s", "1x", "1m30", "30s1m", "1s1s", "1e3", "inf", "nan", "1.2.3", ".", "1 s", "1µs", "1m30s "]
        {
            assert_eq!(duration(text), None, "{text}");
        }
        assert_eq!(duration(&"9".repeat(60)), None);
        assert_eq!(duration(&format!("0.{}s", "3".repeat(60))), Some(Duration::from_nanos(333_333_333)));
    }

    #[test]
    fn sizes_are_read_as_written() {
        for (text, bytes) in
            [("0", 0), ("12", 12), ("12B", 12), ("64KiB", 65_536), ("16MiB", 16 << 20), ("2GiB", 2 << 30)]
        {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "KiB", "1KB", "1.5MiB", "-1", "+1", "99999999999999999999", "18446744073709551615KiB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(seconds: u64, nanos in 0..1_000_000_000_u32, bytes: u64) {
            let value = Duration::new(seconds, nanos);
            prop_assert_eq!(duration(&show_duration(value)), Some(value));
            prop_assert_eq!(size(&show_size(bytes)), Some(bytes));
        }

        #[test]
        fn no_text_panics(text in "[0-9.a-zµ -]{0,40}|.*") {
            let _ = (duration(&text), size(&text));
        }
    }
}
