//! `Retry-After` (RFC 9110 §10.2.3): how long the callee asks to be left alone.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header::RETRY_AFTER};
use httpdate::{fmt_http_date, parse_http_date};

/// The longest wait that is believed: an hour. What is longer counts as this much.
pub const MAX_WAIT: Duration = Duration::from_secs(3600);

/// Fifty years, and the day by which fifty years may differ from their mean.
const FIFTY_YEARS: Duration = Duration::from_secs(50 * 31_556_952 + 86_400);
/// From here on a year has five digits, which no date of HTTP can say: 10000-01-01.
const YEAR_10_000: Duration = Duration::from_secs(253_402_300_800);

/// The wait that the headers ask for, counted from `now`, the wall time at which they came.
///
/// It is given in seconds, or as a date in any of HTTP's three forms (RFC 9110 §5.6.7). A date that has passed is no wait.
/// What is neither is ignored: a sign, a fraction, a date with a wrong weekday or another zone than `GMT`. Of several the
/// longest counts, because it is the one that all of their writers can live with. Nothing is longer than [`MAX_WAIT`].
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
///
/// use http::{HeaderMap, HeaderValue, header::RETRY_AFTER};
/// use tekton_sdk::wire::retry_after;
///
/// let now = UNIX_EPOCH + Duration::from_secs(784_111_770);
/// let mut headers = HeaderMap::new();
/// assert_eq!(retry_after::read(&headers, now), None);
/// headers.insert(RETRY_AFTER, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
/// assert_eq!(retry_after::read(&headers, now), Some(Duration::from_secs(7)));
/// ```
#[must_use]
pub fn read(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    headers.get_all(RETRY_AFTER).iter().filter_map(|value| parse(value.to_str().ok()?, now)).max()
}

/// The wait that one value asks for; see [`read`].
#[must_use]
pub fn parse(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim_matches([' ', '\t']);
    let wait = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // Digits that do not fit are a long wait, and the clamp answers for it.
        value.parse().map_or(MAX_WAIT, Duration::from_secs)
    } else {
        date(value, now)?.duration_since(now).unwrap_or(Duration::ZERO)
    };
    Some(wait.min(MAX_WAIT))
}

/// A date in any of the three forms.
fn date(text: &str, now: SystemTime) -> Option<SystemTime> {
    // Only seconds are followed by a blank. The leap second comes after the one before it.
    let leap = text.contains(":60 ");
    let plain = text.replacen(":60 ", ":59 ", usize::from(leap));
    let read = match plain.split_once(", ") {
        Some((weekday, rest)) if weekday.len() > 3 => rfc_850(weekday, rest, now)?,
        _ => parse_http_date(&plain).ok()?,
    };
    read.checked_add(Duration::from_secs(u64::from(leap)))
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`. The century is the latest that lies at most fifty years ahead (RFC 9110 §5.6.7). The
/// parser of dates takes 70 to 99 for the last century, so it is given the form with four digits.
fn rfc_850(weekday: &str, rest: &str, now: SystemTime) -> Option<SystemTime> {
    const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    if !WEEKDAYS.contains(&weekday) || now.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|age| age >= YEAR_10_000) {
        return None;
    }
    let (date, time) = rest.split_once(' ')?;
    let mut parts = date.split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 2 || !year.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let written = fmt_http_date(now.max(SystemTime::UNIX_EPOCH));
    let century: u32 = written.get(12..14)?.parse().ok()?;
    let latest = now.checked_add(FIFTY_YEARS)?;
    // The weekday is checked last: it must not choose the century.
    let within = |century: u32| {
        let day_of = |weekday: &str| format!("{weekday}, {day} {month} {century:02}{year} {time}");
        let on = |weekday: &&str| parse_http_date(&day_of(weekday.get(..3)?)).ok();
        let (date, is) = WEEKDAYS.iter().find_map(|weekday| Some((on(weekday)?, *weekday)))?;
        (date <= latest).then_some((date, is))
    };
    let (date, is) = (century.saturating_sub(1)..=century + 1).rev().find_map(within)?;
    (is == weekday).then_some(date)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// 1994-11-06 08:49:30, seven seconds before the date that the RFC writes in three forms.
    fn then() -> SystemTime {
        SystemTime::UNIX_EPOCH + seconds(784_111_770)
    }

    /// 2026-01-01 00:00:00.
    fn in_2026() -> SystemTime {
        SystemTime::UNIX_EPOCH + seconds(1_767_225_600)
    }

    #[test]
    fn seconds_and_all_three_forms_of_a_date_are_read() {
        for (value, wait) in [
            ("0", 0),
            ("7", 7),
            ("\t 007 ", 7),
            ("3600", 3600),
            ("3601", 3600),
            ("99999999999999999999999999", 3600),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 7),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 7),
            ("Sun Nov  6 08:49:37 1994", 7),
            ("Sun Nov 06 08:49:37 1994", 7),
            ("Sun, 06 Nov 1994 08:49:60 GMT", 30),
            ("Sun, 06 Nov 1994 08:49:30 GMT", 0),
            ("Sun, 06 Nov 1994 08:49:29 GMT", 0),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Sun, 06 Nov 1994 12:00:00 GMT", 3600),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 3600),
        ] {
            assert_eq!(parse(value, then()), Some(seconds(wait)), "{value:?}");
        }
    }

    #[test]
    fn garbage_is_ignored() {
        for value in [
            "",
            " ",
            "-1",
            "+1",
            "1.5",
            "1e3",
            "0x10",
            "1 2",
            "7s",
            "7, 8",
            "soon",
            "nan",
            "inf",
            "٧",
            "2027-01-01T00:00:00Z",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "Monday, 06-Nov-94 08:49:37 GMT",
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "Sunday, 06-Nov-+4 08:49:37 GMT",
            "Sunday, 06-Nov-94-1 08:49:37 GMT",
            "Sunday, 06-Nov-94",
            "Sun, 06-Nov-94 08:49:37 GMT",
            "Sonntag, 06-Nov-94 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 1994 08:49:37 +0100",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:00 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Wed, 30 Feb 1994 08:49:37 GMT",
            "Wed, 31 Dec 1969 23:59:59 GMT",
            "Sat, 01 Jan 10000 00:00:00 GMT",
            "Sun Nov 6 08:49:37 1994",
        ] {
            assert_eq!(parse(value, then()), None, "{value:?}");
        }
    }

    #[test]
    fn two_digits_of_a_year_mean_at_most_fifty_years_ahead() {
        for (value, wait) in [
            // 1975 to the parser of dates, 2075 to the RFC.
            ("Tuesday, 01-Jan-75 00:00:00 GMT", Some(3600)),
            ("Wednesday, 01-Jan-76 00:00:00 GMT", Some(3600)),
            // 2077 would be more than fifty years ahead.
            ("Saturday, 01-Jan-77 00:00:00 GMT", Some(0)),
            ("Friday, 01-Jan-77 00:00:00 GMT", None),
            ("Thursday, 01-Jan-26 00:00:09 GMT", Some(9)),
            ("Wednesday, 31-Dec-25 23:59:59 GMT", Some(0)),
        ] {
            assert_eq!(parse(value, in_2026()), wait.map(seconds), "{value}");
        }
        // 2099-12-31 23:59:59: the next second is in another century.
        let eve = SystemTime::UNIX_EPOCH + seconds(4_102_444_799);
        assert_eq!(parse("Friday, 01-Jan-00 00:00:09 GMT", eve), Some(seconds(10)));
    }

    #[test]
    fn the_longest_of_several_counts() {
        let mut headers = HeaderMap::new();
        for value in ["soon", "3", "Sun, 06 Nov 1994 08:49:39 GMT", "5"] {
            headers.append(RETRY_AFTER, HeaderValue::from_static(value));
        }
        headers.append(RETRY_AFTER, HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(read(&headers, then()), Some(seconds(9)));
    }

    #[test]
    fn a_clock_that_is_far_off_breaks_nothing() {
        let far = [
            SystemTime::UNIX_EPOCH - seconds(1 << 34),
            SystemTime::UNIX_EPOCH,
            SystemTime::UNIX_EPOCH + YEAR_10_000 - seconds(1),
            SystemTime::UNIX_EPOCH + YEAR_10_000,
            SystemTime::UNIX_EPOCH + seconds(1 << 45),
        ];
        for now in far {
            for value in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
            {
                assert!(parse(value, now).is_none_or(|wait| wait <= MAX_WAIT), "{value} {now:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_date_is_read_in_every_form(at in 0..20_000_000_000_u64, ahead in 0..5_000_u64) {
            let now = SystemTime::UNIX_EPOCH + seconds(at);
            let fixdate = fmt_http_date(now + seconds(ahead));
            let wait = Some(seconds(ahead.min(3600)));
            prop_assert_eq!(parse(&fixdate, now), wait);
            let (weekday, day, month, year, time) =
                (&fixdate[..3], &fixdate[5..7], &fixdate[8..11], &fixdate[12..16], &fixdate[17..25]);
            let full = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
            let full = full.iter().find(|name| name.starts_with(weekday)).unwrap();
            prop_assert_eq!(parse(&format!("{full}, {day}-{month}-{} {time} GMT", &year[2..]), now), wait);
            let blank = day.strip_prefix('0').map_or(day.to_owned(), |digit| format!(" {digit}"));
            prop_assert_eq!(parse(&format!("{weekday} {month} {blank} {time} {year}"), now), wait);
        }

        #[test]
        fn no_value_panics_or_waits_for_more_than_an_hour(
            value in ".{0,40}|[A-Z][a-z]{2,8},? [0-9]{2}[ -][A-Z][a-z]{2}[ -][0-9]{2,5} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT",
            at in any::<i32>(),
        ) {
            let now = match u64::try_from(at) {
                Ok(after) => SystemTime::UNIX_EPOCH + seconds(after * 200),
                Err(_) => SystemTime::UNIX_EPOCH - seconds(u64::from(at.unsigned_abs())),
            };
            prop_assert!(parse(&value, now).is_none_or(|wait| wait <= MAX_WAIT));
        }
    }
}
