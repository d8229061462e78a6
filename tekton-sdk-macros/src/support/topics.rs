//! Topics, judged while the user's crate is compiled. The SDK judges by the same rules when they are used.

/// The longest topic, and how many tokens it has at most.
const MAX_BYTES: usize = 256;
const MAX_TOKENS: usize = 16;

/// What stands between the dots of a typed event's topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Text(String),
    /// What the event holds under this name.
    Field(String),
}

/// Why it is no filter, if it is none.
pub(crate) fn filter_problem(text: &str) -> Option<String> {
    let last = text.split('.').count();
    problem("filter", text, |position, token| match token {
        "*" => None,
        ">" if position == last => None,
        ">" => Some("is `>`, which stands at the end only"),
        token => literal(token),
    })
}

/// Why it is no topic, if it is none.
pub(crate) fn topic_problem(text: &str) -> Option<String> {
    problem("topic", text, |_, token| topic_token(token))
}

/// The tokens of a topic in which fields may stand.
pub(crate) fn template(text: &str) -> Result<Vec<Token>, String> {
    let field = |token: &str| {
        let name = token.strip_prefix('{')?.strip_suffix('}')?;
        let is_plain = |c: char| c.is_alphanumeric() || c == '_';
        (!name.is_empty() && name.chars().all(is_plain)).then(|| name.to_owned())
    };
    let wrong = problem("topic", text, |_, token| match field(token) {
        Some(_) => None,
        None if token.contains(['{', '}']) => Some("is no field: a field is a whole token, as `orders.{id}.paid`"),
        None => topic_token(token),
    });
    let token = |token: &str| field(token).map_or_else(|| Token::Text(token.to_owned()), Token::Field);
    match wrong {
        None => Ok(text.split('.').map(token).collect()),
        Some(wrong) => Err(wrong),
    }
}

/// Whether one topic may be on both.
pub(crate) fn overlap(one: &[Token], two: &[Token]) -> bool {
    let same = |(one, two): (&Token, &Token)| match (one, two) {
        (Token::Text(one), Token::Text(two)) => one == two,
        _ => true,
    };
    one.len() == two.len() && one.iter().zip(two).all(same)
}

fn topic_token(token: &str) -> Option<&'static str> {
    match token {
        "*" | ">" => Some("is a wildcard, and an event has one topic"),
        token => literal(token),
    }
}

fn literal(token: &str) -> Option<&'static str> {
    if token.is_empty() {
        return Some("is empty");
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_:/@+=~%".contains(&byte);
    (!token.bytes().all(plain)).then_some("has a character other than letters, digits and `- _ : / @ + = ~ %`")
}

fn problem(what: &str, text: &str, wrong: impl Fn(usize, &str) -> Option<&'static str>) -> Option<String> {
    if text.len() > MAX_BYTES {
        return Some(format!("the {what} has {} bytes, at most {MAX_BYTES} are allowed", text.len()));
    }
    let tokens = text.split('.').count();
    if tokens > MAX_TOKENS {
        return Some(format!("the {what} has {tokens} tokens, at most {MAX_TOKENS} are allowed"));
    }
    let found = text.split('.').enumerate().find_map(|(at, token)| Some((at + 1, wrong(at + 1, token)?)));
    found.map(|(position, why)| format!("{text:?} is no {what}: token {position} {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_topic_or_filter_is_told_with_its_token() {
        let (long, deep) = ("a".repeat(257), ["a"; 17].join("."));
        for (text, topic, filter) in [
            ("a.b-c", None, None),
            ("", Some("token 1 is empty"), Some("token 1 is empty")),
            ("a..b", Some("token 2 is empty"), Some("token 2 is empty")),
            ("a.*", Some("token 2 is a wildcard"), None),
            ("a.>", Some("token 2 is a wildcard"), None),
            (">.a", Some("token 1 is a wildcard"), Some("token 1 is `>`")),
            ("a b", Some("token 1 has a character"), Some("token 1 has a character")),
            (&long, Some("257 bytes"), Some("257 bytes")),
            (&deep, Some("17 tokens"), Some("17 tokens")),
        ] {
            for (said, wanted) in [(topic_problem(text), topic), (filter_problem(text), filter)] {
                assert_eq!(said.is_some(), wanted.is_some(), "{text}: {said:?}");
                assert!(said.unwrap_or_default().contains(wanted.unwrap_or_default()), "{text}");
            }
        }
    }

    #[test]
    fn a_field_is_a_whole_token() {
        let (text, field) = (|text: &str| Token::Text(text.to_owned()), |name: &str| Token::Field(name.to_owned()));
        assert_eq!(template("a.{id}.{0}").unwrap(), [text("a"), field("id"), field("0")]);
        for wrong in ["a.x{id}", "a.{}", "a.{id", "a.{a b}", "a.{id}.*", "{a.b}"] {
            assert!(template(wrong).is_err(), "{wrong}");
        }
        let overlaps = |one, two| overlap(&template(one).unwrap(), &template(two).unwrap());
        assert!(overlaps("a.{id}", "a.b") && overlaps("{x}.b", "a.{y}"));
        assert!(!overlaps("a.{id}", "b.{id}") && !overlaps("a.{id}", "a.{id}.c"));
    }
}
