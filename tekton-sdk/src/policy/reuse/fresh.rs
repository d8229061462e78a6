//! What requests and answers say about being kept (RFC 9111).

use std::time::{Duration, SystemTime};

use http::{
    HeaderMap, HeaderName,
    header::{AGE, CACHE_CONTROL, DATE, EXPIRES, PRAGMA, SET_COOKIE, VARY},
};
use httpdate::parse_http_date;

use super::key::leaves_out;

/// How a request wants to be answered (RFC 9111 §5.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Whether a kept answer, or that of a call under way, will do: not under `no-cache`, `no-store`, nor any directive that is
    /// not read here, as `only-if-cached`.
    pub(crate) any: bool,
    /// Whether its answer may be kept.
    pub(crate) keep: bool,
    /// The oldest answer that it takes.
    pub(crate) max_age: Option<Duration>,
}

impl Wanted {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut wanted = Self { any: true, keep: true, max_age: None };
        let (mut told, mut read) = (false, true);
        each(headers, &CACHE_CONTROL, &mut read, |name, value| {
            told = true;
            match name {
                "no-store" => (wanted.any, wanted.keep) = (false, false),
                "max-age" => {
                    let seconds = seconds(value).unwrap_or_default();
                    wanted.max_age = Some(wanted.max_age.map_or(seconds, |known| known.min(seconds)));
                }
                // What asks for less than is done is done all the same.
                "max-stale" | "no-transform" | "stale-if-error" => {}
                _ => wanted.any = false,
            }
        });
        // It counts only where nothing newer is said (§5.4).
        if !read || !told && headers.contains_key(PRAGMA) {
            wanted.any = false;
        }
        wanted
    }
}

/// What an answer says about being kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keeping {
    /// How long it is fresh, counted from when it came; `None` if it does not say.
    pub(super) fresh_for: Option<Duration>,
    /// How old it was when it came.
    pub(super) age: Duration,
    /// Whether it may be given when the callee cannot be asked, though it is not fresh (§4.2.4).
    pub(super) stale: bool,
}

impl Keeping {
    /// What the headers of a 200 say; `None` forbids to keep it.
    ///
    /// Read are `no-store`, `no-cache` and `private` (with or without fields), `max-age`, `s-maxage`, `must-revalidate`,
    /// `proxy-revalidate`, `Age`, `Expires` where no `max-age` is said, and `Vary`. An answer with `Set-Cookie` is for one
    /// caller. What cannot be
    /// read forbids it.
    pub(super) fn of(headers: &HeaderMap, wall: SystemTime) -> Option<Self> {
        let (mut forbidden, mut stale, mut read) = (headers.contains_key(SET_COOKIE), true, true);
        let mut fresh_for: Option<Duration> = None;
        each(headers, &CACHE_CONTROL, &mut read, |name, value| match name {
            "no-store" | "no-cache" | "private" => forbidden = true,
            "must-revalidate" | "proxy-revalidate" => stale = false,
            "max-age" | "s-maxage" => {
                // What is no number, or is said twice, counts as not fresh (§4.2.1).
                let seconds = seconds(value).unwrap_or_default();
                fresh_for = Some(fresh_for.map_or(seconds, |known| known.min(seconds)));
            }
            _ => {}
        });
        each(headers, &VARY, &mut read, |name, _| forbidden |= name == "*" || leaves_out(name));
        if forbidden || !read {
            return None;
        }
        if fresh_for.is_none() && headers.contains_key(EXPIRES) {
            let date = |name| headers.get(name).and_then(|value| parse_http_date(value.to_str().ok()?).ok());
            let (until, from) = (date(EXPIRES), date(DATE).unwrap_or(wall));
            // Among what is no date there is the usual 0: in the past (§5.3).
            fresh_for = Some(until.and_then(|until| until.duration_since(from).ok()).unwrap_or_default());
        }
        let age = headers.get(AGE).map_or(Some(Duration::ZERO), |value| seconds(value.to_str().ok()))?;
        Some(Self { fresh_for: fresh_for.map(|fresh_for| fresh_for.saturating_sub(age)), age, stale })
    }
}

/// Hands out the members of a list with what stands behind their equals sign, names in lower case.
fn each(headers: &HeaderMap, name: &HeaderName, read: &mut bool, mut show: impl FnMut(&str, Option<&str>)) {
    for value in headers.get_all(name) {
        let Ok(text) = value.to_str() else {
            *read = false;
            continue;
        };
        let mut quoted = false;
        let members = text.split(|c| {
            quoted ^= c == '"';
            c == ',' && !quoted
        });
        for member in members.map(str::trim).filter(|member| !member.is_empty()) {
            let (name, value) = member.split_once('=').map_or((member, None), |(name, value)| (name, Some(value)));
            let value = value.map(|value| value.trim().trim_matches('"'));
            show(&name.trim().to_ascii_lowercase(), value);
        }
        // A quotation without an end hides what comes behind it.
        *read &= !quoted;
    }
}

fn seconds(value: Option<&str>) -> Option<Duration> {
    let digits = value.filter(|value| !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()))?;
    // More than fits is longer than anybody keeps anything (§1.2.2).
    Some(Duration::from_secs(digits.parse().unwrap_or(u64::from(u32::MAX))))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn keeping(lines: &[(&str, &str)]) -> Option<Keeping> {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        Keeping::of(&headers(lines), wall)
    }

    #[test]
    fn an_answer_that_says_nothing_may_be_kept_as_long_as_the_settings_say() {
        let usual = Keeping { fresh_for: None, age: Duration::ZERO, stale: true };
        assert_eq!(keeping(&[]), Some(usual));
        assert_eq!(keeping(&[("cache-control", "public, immutable"), ("vary", "accept, x-tenant")]), Some(usual));
    }

    #[test]
    fn what_forbids_keeping_is_obeyed_however_it_is_written() {
        for line in [
            ("cache-control", "no-store"),
            ("cache-control", "max-age=60, No-Store"),
            ("cache-control", "private"),
            ("cache-control", "private=\"x-a, x-b\", max-age=60"),
            ("cache-control", "no-cache"),
            ("cache-control", " ,no-cache=\"set-cookie\""),
            ("cache-control", "x=\"unfinished, no-storage"),
            ("vary", "*"),
            ("vary", "accept, *"),
            ("vary", "traceparent"),
            ("vary", "X-Tekton-Attempt"),
            ("set-cookie", "a=b"),
            ("age", "soon"),
            ("age", "-1"),
        ] {
            assert_eq!(keeping(&[line]), None, "{line:?}");
        }
        let mut hidden = headers(&[]);
        hidden.insert(CACHE_CONTROL, HeaderValue::from_bytes(b"\xffno-store").unwrap());
        assert_eq!(Keeping::of(&hidden, SystemTime::UNIX_EPOCH), None);
    }

    #[test]
    fn how_long_it_is_fresh_is_the_least_that_it_says_less_its_age() {
        let fresh = |lines: &[_]| keeping(lines).unwrap().fresh_for;
        assert_eq!(fresh(&[("cache-control", "max-age=60")]), Some(60 * SECOND));
        assert_eq!(fresh(&[("cache-control", "max-age=60, s-maxage=7")]), Some(7 * SECOND));
        assert_eq!(fresh(&[("cache-control", "max-age=60"), ("age", "50")]), Some(10 * SECOND));
        assert_eq!(fresh(&[("cache-control", "max-age=60"), ("age", "61")]), Some(Duration::ZERO));
        assert_eq!(fresh(&[("cache-control", "max-age=\"60\"")]), Some(60 * SECOND));
        for wrong in ["max-age", "max-age=", "max-age=-1", "max-age=1.5", "max-age=1, max-age=x"] {
            assert_eq!(fresh(&[("cache-control", wrong)]), Some(Duration::ZERO), "{wrong}");
        }
        assert!(fresh(&[("cache-control", "max-age=99999999999999999999")]).unwrap() > 1_000_000_000 * SECOND);
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        let expires = ("expires", "Sun, 06 Nov 1994 08:50:37 GMT");
        assert_eq!(fresh(&[date, expires]), Some(60 * SECOND));
        assert_eq!(fresh(&[expires]), Some(60 * SECOND));
        assert_eq!(fresh(&[expires, ("cache-control", "max-age=1")]), Some(SECOND));
        assert_eq!(fresh(&[("expires", "0")]), Some(Duration::ZERO));
        assert!(!keeping(&[("cache-control", "must-revalidate")]).unwrap().stale);
    }

    #[test]
    fn a_request_says_whether_it_takes_what_others_were_given() {
        let wanted = |lines: &[_]| Wanted::of(&headers(lines));
        assert_eq!(wanted(&[]), Wanted { any: true, keep: true, max_age: None });
        assert_eq!(wanted(&[("cache-control", "no-cache")]), Wanted { any: false, keep: true, max_age: None });
        assert_eq!(wanted(&[("cache-control", "no-store")]), Wanted { any: false, keep: false, max_age: None });
        assert_eq!(wanted(&[("cache-control", "max-age=5, max-stale")]).max_age, Some(5 * SECOND));
        assert!(wanted(&[("cache-control", "max-age=5")]).any);
        assert!(!wanted(&[("pragma", "no-cache")]).any);
        assert!(wanted(&[("pragma", "no-cache"), ("cache-control", "max-age=5")]).any);
        assert!(!wanted(&[("cache-control", "only-if-cached")]).any);
    }

    proptest! {
        #[test]
        fn nothing_that_comes_in_breaks_it(value in proptest::collection::vec(any::<u8>(), 0..200)) {
            let Ok(value) = HeaderValue::from_bytes(&value) else { return Ok(()) };
            for name in [CACHE_CONTROL, VARY, AGE, EXPIRES, DATE, PRAGMA] {
                let mut headers = HeaderMap::new();
                headers.insert(name, value.clone());
                let _ = (Wanted::of(&headers), Keeping::of(&headers, SystemTime::UNIX_EPOCH));
            }
        }
    }
}
