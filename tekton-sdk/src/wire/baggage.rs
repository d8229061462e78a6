//! W3C Baggage: the header `baggage`, what a caller says to all that work for it.
//!
//! Whoever reads it cannot trust it, and whoever gets it can read all of it: it is sent to named peers only.
//!
//! *What can go wrong:* nothing is reported when reading. A member that does not follow the standard is dropped alone; what
//! comes after the 64th member, or does not fit into 8192 bytes, is dropped too (§3.3.2).

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::{Error, ErrorKind, Result};

/// The header (§3.2).
pub const BAGGAGE: HeaderName = HeaderName::from_static("baggage");
/// The most members that are kept (§3.3.2).
pub const MAX_MEMBERS: usize = 64;
/// The most bytes that are kept, commas included (§3.3.2).
pub const MAX_BYTES: usize = 8192;

/// Keys and values that travel with a trace.
///
/// ```
/// use tekton_sdk::wire::baggage::Baggage;
///
/// let baggage = Baggage::parse(["tenant=acme, user=J%C3%BCrgen;private", "not a member"].into_iter());
/// assert_eq!(baggage.get("user").as_deref(), Some("Jürgen"));
/// let baggage = baggage.with("plan", "gold, for now")?;
/// assert_eq!(baggage.to_string(), "tenant=acme,user=J%C3%BCrgen;private,plan=gold%2C%20for%20now");
/// # Ok::<(), tekton_sdk::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baggage(Vec<Member>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    key: String,
    /// As it is sent.
    value: String,
    /// As they are sent, each with the semicolon before it.
    properties: String,
}

impl Baggage {
    /// Reads the headers in their order. Of members with the same key the last one counts.
    pub fn parse<'a>(headers: impl Iterator<Item = &'a str>) -> Self {
        let mut baggage = Self::default();
        let mut bytes = 0;
        for text in headers.flat_map(|header| header.split(',')) {
            let Some(member) = Member::parse(text) else { continue };
            // One too long a member does not keep a shorter one out.
            let size = member.size() + 1;
            if let Some(known) = baggage.0.iter_mut().find(|known| known.key == member.key) {
                if bytes - (known.size() + 1) + size <= MAX_BYTES + 1 {
                    bytes = bytes - (known.size() + 1) + size;
                    *known = member;
                }
            } else if baggage.0.len() < MAX_MEMBERS && bytes + size <= MAX_BYTES + 1 {
                bytes += size;
                baggage.0.push(member);
            }
        }
        baggage
    }

    /// Reads the headers of a request.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        // What is not visible ASCII is no member, and nothing is known of where it would end.
        Self::parse(headers.get_all(BAGGAGE).iter().filter_map(|value| value.to_str().ok()))
    }

    /// Whether there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The value of a key, percent-decoded. What is not UTF-8 then has replacement characters.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Cow<'_, str>> {
        self.0.iter().find(|member| member.key == key).map(|member| decode(&member.value))
    }

    /// Keys and values in their order, percent-decoded.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        self.0.iter().map(|member| (member.key.as_str(), decode(&member.value)))
    }

    /// Sets a value, percent-encoded where it must be, in place of the one that the key has.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) if the key is no token of RFC 9110, [`Rejected`](ErrorKind::Rejected) if it would be more
    /// than 64 members or 8192 bytes.
    pub fn with(mut self, key: &str, value: &str) -> Result<Self> {
        if !is_token(key) {
            return Err(Error::invalid("the baggage's key must be letters, digits and !#$%&'*+-.^_`|~"));
        }
        let member = Member { key: key.to_owned(), value: encode(value), properties: String::new() };
        match self.0.iter_mut().find(|known| known.key == key) {
            Some(known) => *known = member,
            None => self.0.push(member),
        }
        if self.0.len() > MAX_MEMBERS || self.size() > MAX_BYTES {
            let what = format!("the baggage would be over {MAX_MEMBERS} members or {MAX_BYTES} bytes");
            return Err(Error::new(ErrorKind::Rejected, what));
        }
        Ok(self)
    }

    /// As a header's value; `None` if there is no member.
    #[must_use]
    pub fn to_header(&self) -> Option<HeaderValue> {
        // Every member was checked to be visible ASCII.
        (!self.is_empty()).then(|| HeaderValue::try_from(self.to_string()).ok())?
    }

    fn size(&self) -> usize {
        self.0.iter().map(|member| member.size() + 1).sum::<usize>().saturating_sub(1)
    }
}

impl std::fmt::Display for Baggage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, Member { key, value, properties }) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{key}={value}{properties}")?;
        }
        Ok(())
    }
}

impl Member {
    /// `key OWS "=" OWS value *( OWS ";" OWS property )` (§3.3.1).
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(trim);
        let (key, value) = parts.next()?.split_once('=')?;
        let (key, value) = (trim(key), trim(value));
        if !is_token(key) || !is_value(value) {
            return None;
        }
        let mut properties = String::new();
        for property in parts {
            let (name, value) = property.split_once('=').map_or((property, None), |(name, value)| (name, Some(value)));
            let (name, value) = (trim(name), value.map(trim));
            if !is_token(name) || !value.is_none_or(is_value) {
                return None;
            }
            properties.extend([";", name]);
            properties.extend(value.into_iter().flat_map(|value| ["=", value]));
        }
        Some(Self { key: key.to_owned(), value: value.to_owned(), properties })
    }

    fn size(&self) -> usize {
        self.key.len() + 1 + self.value.len() + self.properties.len()
    }
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// `baggage-octet`: visible ASCII without quote, comma, semicolon and backslash.
fn is_value(text: &str) -> bool {
    text.bytes().all(is_octet)
}

const fn is_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

fn encode(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_octet(byte) && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
            encoded.extend(['%', digit(byte >> 4), digit(byte)]);
        }
    }
    encoded
}

/// A `%` that two hex digits do not follow stands for itself.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let hex = |byte: Option<&u8>| char::from(*byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = text.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let pair = hex(bytes.get(at + 1)).zip(hex(bytes.get(at + 2))).filter(|_| *byte == b'%');
        decoded.push(pair.map_or(*byte, |(high, low)| (high << 4) | low));
        at += if pair.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(headers: &[&str]) -> String {
        Baggage::parse(headers.iter().copied()).to_string()
    }

    #[test]
    fn members_are_read_as_the_standard_writes_them() {
        for (header, kept) in [
            (
                "key1=value1,key2 = value2; property1;property2, key3=value3; propertyKey=propertyValue",
                "key1=value1,key2=value2;property1;property2,key3=value3;propertyKey=propertyValue",
            ),
            ("SomeKey \t = \t SomeValue \t ; \t SomeProp = 1", "SomeKey=SomeValue;SomeProp=1"),
            ("empty=", "empty="),
            ("a=b=c", "a=b=c"),
            ("a=1,a=2", "a=2"),
            ("a=%zz", "a=%zz"),
        ] {
            assert_eq!(read(&[header]), kept, "{header}");
        }
    }

    #[test]
    fn a_malformed_member_is_dropped_alone() {
        for bad in [
            "", "=", "=v", "novalue", "k y=v", "k=v w", "k=\"v\"", "k=\\", "k=ä", "k=v;;p", "k=v;p p", "(=v", "k=v;p=ü",
        ] {
            assert_eq!(read(&["ok=1", bad, "more=2"]), "ok=1,more=2", "{bad}");
            assert_eq!(read(&[&format!("ok=1,{bad},more=2")]), "ok=1,more=2", "{bad}");
        }
    }

    #[test]
    fn there_are_at_most_64_members_and_8192_bytes() {
        let list = |n: usize| (0..n).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
        assert_eq!(read(&[&list(64)]), list(64));
        assert_eq!(read(&[&list(65)]), list(64));
        let exact = format!("k={}", "v".repeat(MAX_BYTES - 2));
        assert_eq!(read(&[&exact]).len(), MAX_BYTES);
        assert_eq!(read(&[&exact, "a=1"]), exact);
        assert_eq!(read(&[&format!("{exact}v"), "a=1"]), "a=1", "a member that is too long keeps no other out");
        assert_eq!(read(&["k=1", &format!("{exact}v")]), "k=1");
        let full = Baggage::parse([list(64).as_str()].into_iter());
        assert_eq!(full.clone().with("k0", "w").unwrap().len(), 64);
        assert_eq!(full.with("new", "w").unwrap_err().kind(), ErrorKind::Rejected);
        assert_eq!(Baggage::default().with("a b", "c").unwrap_err().kind(), ErrorKind::Invalid);
    }

    #[test]
    fn what_is_no_utf_8_is_replaced() {
        let baggage = Baggage::parse(["a=%FF%C3%A4%4"].into_iter());
        assert_eq!(baggage.get("a").as_deref(), Some("\u{fffd}ä%4"));
        assert_eq!(baggage.to_string(), "a=%FF%C3%A4%4", "it goes on as it came");
    }

    proptest! {
        #[test]
        fn any_headers_are_read_and_what_goes_out_is_within_the_limits(
            headers in prop::collection::vec(prop_oneof!["\\PC{0,200}", "([a-c]=[!-~]{0,9}[,;]){0,40}"], 0..5),
        ) {
            let baggage = Baggage::parse(headers.iter().map(String::as_str));
            prop_assert!(baggage.len() <= MAX_MEMBERS && baggage.size() <= MAX_BYTES);
            prop_assert_eq!(baggage.size(), baggage.to_string().len());
            let again = Baggage::parse([baggage.to_string().as_str()].into_iter());
            prop_assert_eq!(&again, &baggage);
            prop_assert_eq!(baggage.to_header().is_some(), !baggage.is_empty());
        }

        #[test]
        fn any_value_survives_the_wire(
            members in prop::collection::btree_map("[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,9}", "\\PC{0,30}", 0..12),
        ) {
            let baggage = members.iter().try_fold(Baggage::default(), |baggage, (key, value)| baggage.with(key, value)).unwrap();
            let mut headers = HeaderMap::new();
            headers.extend(baggage.to_header().map(|value| (BAGGAGE, value)));
            let read = Baggage::from_headers(&headers);
            prop_assert!(read.iter().map(|(key, value)| (key.to_owned(), value.into_owned())).eq(members));
        }
    }
}
