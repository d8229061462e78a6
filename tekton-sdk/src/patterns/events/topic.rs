//! Dotted topics and the filters over them.

use std::{fmt, str::FromStr, sync::Arc};

use crate::error::{Error, Result};

/// The topic of an event: tokens between dots, as `workflow.completed`.
///
/// A token has letters and digits of ASCII and `- _ : / @ + = ~ %`; what else is to stand in one is percent-encoded. At most
/// [`MAX_BYTES`](Self::MAX_BYTES) and [`MAX_TOKENS`](Self::MAX_TOKENS). Every topic is a valid NATS subject.
///
/// ```
/// use tekton_sdk::patterns::events::Topic;
///
/// assert_eq!(Topic::parse("workflow.completed")?.as_str(), "workflow.completed");
/// let refused = Topic::parse("a..b").unwrap_err();
/// assert_eq!(refused.to_string(), "topic \"a..b\": token 2 is empty");
/// # Ok::<(), tekton_sdk::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(Arc<str>);

/// Which topics are listened to: a topic in which a token may be `*`, any one token, and the last may be `>`, one or more.
///
/// ```
/// use tekton_sdk::patterns::events::{Topic, TopicFilter};
///
/// let filter = TopicFilter::parse("workflow.>")?;
/// assert!(filter.matches(&Topic::parse("workflow.step.failed")?));
/// assert!(!filter.matches(&Topic::parse("workflow")?));
/// # Ok::<(), tekton_sdk::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicFilter(Arc<str>);

impl Topic {
    /// The longest topic, and the longest filter.
    pub const MAX_BYTES: usize = 256;
    /// How many tokens a topic or a filter has at most.
    pub const MAX_TOKENS: usize = 16;

    /// Reads a topic.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), naming the token.
    pub fn parse(text: &str) -> Result<Self> {
        check("topic", text, |_, token| match token {
            "*" | ">" => Some("is a wildcard, and an event has one topic"),
            token => literal(token),
        })?;
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands between the dots.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }
}

impl TopicFilter {
    /// Reads a filter.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), naming the token.
    pub fn parse(text: &str) -> Result<Self> {
        let last = text.split('.').count();
        check("filter", text, |position, token| match token {
            "*" => None,
            ">" if position == last => None,
            ">" => Some("is `>`, which stands at the end only"),
            token => literal(token),
        })?;
        Ok(Self(text.into()))
    }

    /// Whether an event of this topic is listened to.
    #[must_use]
    pub fn matches(&self, topic: &Topic) -> bool {
        covers(&self.0, &topic.0)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands between the dots.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }
}

impl From<Topic> for TopicFilter {
    fn from(topic: Topic) -> Self {
        Self(topic.0)
    }
}

/// Whether a topic is one of those that the text of a filter stands for.
pub(super) fn covers(filter: &str, topic: &str) -> bool {
    let mut topic = topic.split('.');
    for token in filter.split('.') {
        match (token, topic.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (token, Some(came)) if token == came => {}
            _ => return false,
        }
    }
    topic.next().is_none()
}

/// Whether this may stand in a token as it is.
pub(super) const fn is_plain(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b':' | b'/' | b'@' | b'+' | b'=' | b'~' | b'%')
}

fn check(what: &str, text: &str, wrong: impl Fn(usize, &str) -> Option<&'static str>) -> Result<()> {
    let refused = |why: fmt::Arguments<'_>| {
        let shown: String = text.chars().take(64).collect();
        let more = if shown.len() < text.len() { "…" } else { "" };
        Err(Error::invalid(format!("{what} {shown:?}{more}: {why}")))
    };
    if text.len() > Topic::MAX_BYTES {
        return refused(format_args!("it has {} bytes, at most {} are allowed", text.len(), Topic::MAX_BYTES));
    }
    for (position, token) in text.split('.').enumerate() {
        if position == Topic::MAX_TOKENS {
            let tokens = text.split('.').count();
            return refused(format_args!("it has {tokens} tokens, at most {} are allowed", Topic::MAX_TOKENS));
        }
        if let Some(why) = wrong(position + 1, token) {
            return refused(format_args!("token {} {why}", position + 1));
        }
    }
    Ok(())
}

fn literal(token: &str) -> Option<&'static str> {
    if token.is_empty() {
        return Some("is empty");
    }
    (!token.bytes().all(is_plain)).then_some("has a character other than letters, digits and `- _ : / @ + = ~ %`")
}

macro_rules! text {
    ($($name:ident)+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                Self::parse(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )+};
}
text!(Topic TopicFilter);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(filter: &str, topic: &str) -> bool {
        TopicFilter::parse(filter).unwrap().matches(&Topic::parse(topic).unwrap())
    }

    #[test]
    fn a_star_is_one_token_and_a_tail_one_or_more() {
        for (filter, topic, wanted) in [
            ("a.b", "a.b", true),
            ("a.b", "a.b.c", false),
            ("a.b", "a", false),
            ("a.*", "a.b", true),
            ("a.*", "a", false),
            ("a.*", "a.b.c", false),
            ("*.b", "a.b", true),
            ("*", "a", true),
            ("*", "a.b", false),
            ("a.>", "a", false),
            ("a.>", "a.b", true),
            ("a.>", "a.b.c.d", true),
            (">", "a", true),
            (">", "a.b.c", true),
            ("*.>", "a", false),
            ("*.>", "a.b", true),
            ("a", "A", false),
        ] {
            assert_eq!(matches(filter, topic), wanted, "{filter} {topic}");
        }
    }

    #[test]
    fn what_is_no_topic_is_refused_with_its_place() {
        let long = "a".repeat(257);
        let deep = ["a"; 17].join(".");
        for (text, says) in [
            ("", "token 1 is empty"),
            ("a.", "token 2 is empty"),
            (".a", "token 1 is empty"),
            ("a.*", "token 2 is a wildcard"),
            ("a.>", "token 2 is a wildcard"),
            ("a b", "token 1 has a character"),
            ("a.<script>alert(1)</script>", "token 2 has a character"),
            ("a.b*", "token 2 has a character"),
            ("ä", "token 1 has a character"),
            ("a\r\nb", "token 1 has a character"),
            (&long, "257 bytes, at most 256"),
            (&deep, "17 tokens, at most 16"),
        ] {
            let error = Topic::parse(text).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        for text in ["a.>.b", ">.>", "a.>b", "a..>"] {
            assert!(TopicFilter::parse(text).is_err(), "{text}");
        }
        let error = Topic::parse(&"é".repeat(1000)).unwrap_err().to_string();
        assert!(error.len() < 300, "{error}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            if let Ok(topic) = Topic::parse(&text) {
                prop_assert_eq!(topic.as_str(), &text);
                prop_assert!(TopicFilter::from(topic.clone()).matches(&topic));
                prop_assert!(TopicFilter::parse(&text).unwrap().matches(&topic));
            }
            let _ = TopicFilter::parse(&text);
        }
    }
}
