//! Topics, filters and cursors of anybody: what is taken is written as it was read, and a filter hears the topics that its tokens say.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tekton_sdk::patterns::events::{Cursor, Topic, TopicFilter};

fuzz_target!(|input: (&str, &str, &str)| {
    let (filter, topic, cursor) = input;
    if let Ok(cursor) = cursor.parse::<Cursor>() {
        assert_eq!(cursor.to_string().parse::<Cursor>().expect("it was written"), cursor);
    }
    let topic = Topic::parse(topic);
    if let Ok(topic) = &topic {
        assert!(TopicFilter::parse(topic.as_str()).expect("every topic is a filter").matches(topic));
    }
    let Ok(filter) = TopicFilter::parse(filter) else { return };
    assert_eq!(TopicFilter::parse(filter.as_str()).expect("it was taken").as_str(), filter.as_str());
    let Ok(topic) = topic else { return };
    assert_eq!(filter.matches(&topic), hears(filter.as_str(), topic.as_str()), "{filter} {topic}");
});

/// Token by token, as the page of room 2 has it.
fn hears(filter: &str, topic: &str) -> bool {
    let mut tokens = topic.split('.');
    for wanted in filter.split('.') {
        match (wanted, tokens.next()) {
            (">", rest) => return rest.is_some(),
            (_, None) => return false,
            ("*", Some(_)) => {}
            (wanted, Some(token)) if wanted == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}
