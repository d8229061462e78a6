//! What the output of `#[derive(Event)]` stands on.

use std::{
    fmt::{Display, Write},
    sync::OnceLock,
};

use super::{
    Message, Topic,
    topic::{covers, is_plain},
};
use crate::error::{Error, ErrorKind, Result};

/// A topic that is always the same, read once.
#[derive(Debug)]
pub struct FixedTopic(&'static str, OnceLock<Topic>);

impl FixedTopic {
    /// This topic.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self(text, OnceLock::new())
    }

    /// The topic.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid), which the macro has ruled out.
    pub fn get(&self) -> Result<Topic> {
        if let Some(topic) = self.1.get() {
            return Ok(topic.clone());
        }
        let topic = Topic::parse(self.0)?;
        Ok(self.1.get_or_init(|| topic).clone())
    }
}

/// A token of a topic.
#[non_exhaustive]
#[expect(missing_debug_implementations, reason = "a field only has to be shown")]
pub enum Token<'a> {
    /// As it was written.
    Text(&'a str),
    /// What an event holds; whatever may not stand in a token is percent-encoded, dots, stars and percent signs too.
    Field(&'a dyn Display),
}

/// The topic of these tokens.
///
/// # Errors
/// [`Invalid`](ErrorKind::Invalid) if a field is empty, or the topic is too long.
pub fn topic(tokens: &[Token<'_>]) -> Result<Topic> {
    let mut text = String::new();
    for (at, token) in tokens.iter().enumerate() {
        if at > 0 {
            text.push('.');
        }
        match token {
            Token::Text(token) => text.push_str(token),
            Token::Field(field) => encode(&field.to_string(), &mut text),
        }
    }
    Topic::parse(&text)
}

fn encode(field: &str, text: &mut String) {
    for byte in field.bytes() {
        if is_plain(byte) && byte != b'%' {
            text.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
}

/// Whether the message is on one of the topics that this filter stands for.
#[must_use]
pub fn is_on(message: &Message, filter: &str) -> bool {
    covers(filter, message.topic().as_str())
}

/// The message is on no topic of the type of this name.
#[must_use]
pub fn strange(message: &Message, name: &str) -> Error {
    Error::new(ErrorKind::Codec, format!("an event on topic {} is no {name}: it has other topics", message.topic()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_field_is_one_token_whatever_it_holds() {
        let of = |field: &str| topic(&[Token::Text("a"), Token::Field(&field), Token::Text("b")]);
        for (field, wanted) in [
            ("7", "a.7.b"),
            ("x.y", "a.x%2Ey.b"),
            ("*", "a.%2A.b"),
            (">", "a.%3E.b"),
            ("100%", "a.100%25.b"),
            ("é", "a.%C3%A9.b"),
            ("<b>", "a.%3Cb%3E.b"),
        ] {
            assert_eq!(of(field).unwrap().as_str(), wanted);
        }
        assert_eq!(of("").unwrap_err().to_string(), "topic \"a..b\": token 2 is empty");
        assert_eq!(of(&"x".repeat(300)).unwrap_err().kind(), ErrorKind::Invalid);
    }

    proptest! {
        #[test]
        fn two_fields_that_differ_make_two_topics_of_the_same_shape(one in ".{1,20}", two in ".{1,20}") {
            let [first, second] = [&one, &two].map(|field| topic(&[Token::Field(field), Token::Text("b")]).unwrap());
            prop_assert_eq!(first == second, one == two);
            prop_assert!(covers("*.b", first.as_str()));
        }
    }
}
