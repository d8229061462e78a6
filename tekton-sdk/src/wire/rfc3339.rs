//! Times as RFC 3339 writes them (§5.6).

use std::time::{Duration, SystemTime};

/// Reads `2018-04-05T17:31:00.5+02:00`; nothing if it is no such time. A leap second, which may stand at the end of an hour only,
/// is the second after. Digits beyond nanoseconds are cut.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let bytes = text.as_bytes();
    let dashes = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    let shaped = bytes.len() >= 20
        && dashes.iter().all(|(at, dash)| bytes[*at] == *dash)
        && bytes[10].eq_ignore_ascii_case(&b'T');
    if !shaped {
        return None;
    }
    let (year, month, day) = (digits(&bytes[..4])?, digits(&bytes[5..7])?, digits(&bytes[8..10])?);
    let (hour, minute, second) = (digits(&bytes[11..13])?, digits(&bytes[14..16])?, digits(&bytes[17..19])?);
    let right = (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && (second < 60 || (second == 60 && minute == 59));
    if !right {
        return None;
    }
    let (nanos, zone) = fraction(&bytes[19..])?;
    let seconds = days_before(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset(zone)?;
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let at =
        if seconds < 0 { SystemTime::UNIX_EPOCH.checked_sub(whole) } else { SystemTime::UNIX_EPOCH.checked_add(whole) };
    at?.checked_add(Duration::from_nanos(nanos))
}

/// Writes a time in UTC, with as many digits of the second as it has; nothing outside of the years 0 to 9999.
pub(crate) fn format(time: SystemTime) -> Option<String> {
    let (mut seconds, mut nanos) = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => (i64::try_from(since.as_secs()).ok()?, since.subsec_nanos()),
        Err(before) => {
            let before = before.duration();
            (-i64::try_from(before.as_secs()).ok()?, before.subsec_nanos())
        }
    };
    if nanos > 0 && time < SystemTime::UNIX_EPOCH {
        (seconds, nanos) = (seconds - 1, 1_000_000_000 - nanos);
    }
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date(days);
    if !(0..=9999).contains(&year) {
        return None;
    }
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if nanos > 0 {
        text.push_str(format!(".{nanos:09}").trim_end_matches('0'));
    }
    text.push('Z');
    Some(text)
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
}

/// The nanoseconds after a dot, and what follows them.
fn fraction(rest: &[u8]) -> Option<(u64, &[u8])> {
    let Some(rest) = rest.strip_prefix(b".") else { return Some((0, rest)) };
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let nanos = (0..9).fold(0, |sum, at| sum * 10 + u64::from(rest[..count].get(at).map_or(0, |digit| digit - b'0')));
    Some((nanos, &rest[count..]))
}

/// Seconds that the zone is ahead of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    match zone {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), hour @ .., b':', m1, m2] if hour.len() == 2 => {
            let (hour, minute) = (digits(hour)?, digits(&[*m1, *m2])?);
            let ahead = hour * 3600 + minute * 60;
            (hour < 24 && minute < 60).then_some(if *sign == b'+' { ahead } else { -ahead })
        }
        _ => None,
    }
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01; years begin in March here, so that the leap day is the last of its year.
const fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

const fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    (if month > 2 { year } else { year + 1 } + era * 400, month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64, nanos: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos)
    }

    #[test]
    fn times_are_read_as_the_standard_has_them() {
        for (text, wanted) in [
            ("1970-01-01T00:00:00Z", at(0, 0)),
            ("2018-04-05T17:31:00.123456789Z", at(1_522_949_460, 123_456_789)),
            ("2018-04-05T17:31:00+02:00", at(1_522_942_260, 0)),
            ("2018-04-05t17:31:00.5z", at(1_522_949_460, 500_000_000)),
            ("2000-02-29T23:59:59-00:30", at(951_870_599, 0)),
            ("2016-12-31T23:59:60Z", at(1_483_228_800, 0)),
            ("2018-04-05T17:31:00.1234567891234Z", at(1_522_949_460, 123_456_789)),
        ] {
            assert_eq!(parse(text), Some(wanted), "{text}");
        }
        for text in [
            "",
            "2018-04-05",
            "2018-04-05T17:31:00",
            "2018-04-05 17:31:00Z",
            "2018-13-05T17:31:00Z",
            "2018-02-29T17:31:00Z",
            "2018-04-31T17:31:00Z",
            "2018-04-05T24:00:00Z",
            "2018-04-05T17:31:60Z",
            "2018-04-05T17:31:00.Z",
            "2018-04-05T17:31:00+0200",
            "2018-04-05T17:31:00+24:00",
            "2018-04-05T17:31:00Zx",
            "+018-04-05T17:31:00Z",
            "2018-04-05T17:31:00é",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_time_survives_its_text(seconds in -62_000_000_000_i64..253_000_000_000, nanos in 0_u32..1_000_000_000) {
            let whole = Duration::from_secs(seconds.unsigned_abs());
            let base = if seconds < 0 { SystemTime::UNIX_EPOCH - whole } else { SystemTime::UNIX_EPOCH + whole };
            let time = base + Duration::from_nanos(u64::from(nanos));
            let text = format(time).unwrap();
            prop_assert_eq!(parse(&text), Some(time), "{}", text);
        }

        #[test]
        fn any_text_is_read(text in "\\PC{0,40}", near in "[0-9T:Zz+. -]{18,32}") {
            let _ = (parse(&text), parse(&near));
        }
    }
}
