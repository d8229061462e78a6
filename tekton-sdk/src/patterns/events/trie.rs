//! Filters by their tokens: what an event's topic matches is found without asking every filter.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{Topic, TopicFilter};

/// Values under filters.
///
/// From the root and from each star node that a look comes to, it follows the topic's own tokens down one path: it goes through
/// at most 16 nodes for each star node there is, and 16 more. Who bounds the star nodes has bounded the work.
#[derive(Debug)]
pub(super) struct Trie<V> {
    root: Node<V>,
    stars: usize,
}

#[derive(Debug)]
struct Node<V> {
    tokens: HashMap<Box<str>, Node<V>, RandomState>,
    star: Option<Box<Node<V>>>,
    /// Of filters that end here.
    here: Vec<V>,
    /// Of filters that end here with `>`.
    tail: Vec<V>,
}

impl<V> Node<V> {
    fn new() -> Self {
        Self { tokens: HashMap::default(), star: None, here: Vec::new(), tail: Vec::new() }
    }

    fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.star.is_none() && self.here.is_empty() && self.tail.is_empty()
    }

    /// Gives how many star nodes went with it.
    fn remove(&mut self, tokens: &[&str], gone: &dyn Fn(&V) -> bool) -> usize {
        let mut stars = 0;
        match tokens {
            [] => self.here.retain(|value| !gone(value)),
            [">"] => self.tail.retain(|value| !gone(value)),
            ["*", rest @ ..] => {
                if let Some(star) = &mut self.star {
                    stars = star.remove(rest, gone);
                    if star.is_empty() {
                        self.star = None;
                        stars += 1;
                    }
                }
            }
            [token, rest @ ..] => {
                if let Some(node) = self.tokens.get_mut(*token) {
                    stars = node.remove(rest, gone);
                    if node.is_empty() {
                        self.tokens.remove(*token);
                    }
                }
            }
        }
        stars
    }

    fn each<'a>(&'a self, topic: &[&str], found: &mut impl FnMut(&'a V)) -> usize {
        let [token, rest @ ..] = topic else {
            self.here.iter().for_each(found);
            return 1;
        };
        self.tail.iter().for_each(&mut *found);
        let named = self.tokens.get(*token).map_or(0, |node| node.each(rest, found));
        let star = self.star.as_ref().map_or(0, |node| node.each(rest, found));
        1 + named + star
    }
}

impl<V> Trie<V> {
    pub(super) fn new() -> Self {
        Self { root: Node::new(), stars: 0 }
    }

    /// How many star nodes there are.
    pub(super) const fn stars(&self) -> usize {
        self.stars
    }

    pub(super) fn insert(&mut self, filter: &TopicFilter, value: V) {
        let mut node = &mut self.root;
        for token in filter.tokens() {
            node = match token {
                ">" => return node.tail.push(value),
                "*" => {
                    self.stars += usize::from(node.star.is_none());
                    node.star.get_or_insert_with(|| Box::new(Node::new()))
                }
                token => node.tokens.entry(token.into()).or_insert_with(Node::new),
            };
        }
        node.here.push(value);
    }

    /// Removes the values under this filter that are `gone`, and nodes that nothing is left under.
    pub(super) fn remove(&mut self, filter: &TopicFilter, gone: impl Fn(&V) -> bool) {
        let tokens: Vec<_> = filter.tokens().collect();
        self.stars -= self.root.remove(&tokens, &gone);
    }

    /// Hands out the value of every filter that matches, and says how many nodes were looked at.
    pub(super) fn each<'a>(&'a self, topic: &Topic, mut found: impl FnMut(&'a V)) -> usize {
        let mut tokens = [""; Topic::MAX_TOKENS];
        let mut count = 0;
        for (place, token) in tokens.iter_mut().zip(topic.tokens()) {
            *place = token;
            count += 1;
        }
        self.root.each(&tokens[..count], &mut found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn topic(text: &str) -> Topic {
        Topic::parse(text).unwrap()
    }

    fn found(trie: &Trie<usize>, topic: &Topic) -> Vec<usize> {
        let mut found = Vec::new();
        trie.each(topic, |value| found.push(*value));
        found.sort_unstable();
        found
    }

    #[test]
    fn a_hundred_thousand_filters_are_not_all_asked() {
        let mut trie = Trie::new();
        for n in 0..100_000 {
            trie.insert(&TopicFilter::parse(&format!("jobs.{n}.done")).unwrap(), n);
        }
        let mut hits = Vec::new();
        let looked = trie.each(&topic("jobs.77.done"), |value| hits.push(*value));
        assert_eq!((hits, looked), (vec![77], 4));
    }

    #[test]
    fn a_wildcard_bomb_costs_no_more_than_its_nodes() {
        // Every way to have a star or a token at each of ten places; none of them matches, for the last token differs.
        let mut trie = Trie::new();
        for mask in 0..1 << 10 {
            let tokens: Vec<_> = (0..10).map(|at| if mask >> at & 1 == 0 { "a" } else { "*" }).collect();
            trie.insert(&TopicFilter::parse(&format!("{}.b", tokens.join("."))).unwrap(), mask);
        }
        assert_eq!(trie.stars(), (1 << 10) - 1);
        let bomb = topic(&format!("{}.a", ["a"; 10].join(".")));
        let looked = trie.each(&bomb, |_| panic!("nothing matches"));
        assert!(looked <= 16 * (trie.stars() + 1), "{looked}");
        // The root, its star, and the star's token and star: it ends there.
        assert_eq!(trie.each(&topic("b.a"), |_| ()), 4);
    }

    fn token() -> impl Strategy<Value = &'static str> {
        prop_oneof![Just("a"), Just("b"), Just("c")]
    }

    fn filter() -> impl Strategy<Value = TopicFilter> {
        let inner = prop_oneof![3 => token(), 1 => Just("*")];
        (prop::collection::vec(inner, 0..5), any::<bool>()).prop_map(|(mut tokens, tail)| {
            if tail || tokens.is_empty() {
                tokens.push(">");
            }
            TopicFilter::parse(&tokens.join(".")).unwrap()
        })
    }

    proptest! {
        #[test]
        fn it_finds_what_the_filters_match_and_forgets_what_is_removed(
            filters in prop::collection::vec(filter(), 0..30),
            topics in prop::collection::vec(prop::collection::vec(token(), 1..6), 1..10),
            removed in prop::collection::vec(any::<bool>(), 30),
        ) {
            let mut trie = Trie::new();
            for (n, filter) in filters.iter().enumerate() {
                trie.insert(filter, n);
            }
            let topics: Vec<_> = topics.iter().map(|tokens| topic(&tokens.join("."))).collect();
            let expected = |topic: &Topic, left: &dyn Fn(usize) -> bool| -> Vec<usize> {
                (0..filters.len()).filter(|n| left(*n) && filters[*n].matches(topic)).collect()
            };
            for topic in &topics {
                prop_assert_eq!(found(&trie, topic), expected(topic, &|_| true));
            }
            for (n, filter) in filters.iter().enumerate().filter(|(n, _)| removed[*n]) {
                trie.remove(filter, |value| *value == n);
            }
            for topic in &topics {
                prop_assert_eq!(found(&trie, topic), expected(topic, &|n| !removed[n]));
            }
            for (n, filter) in filters.iter().enumerate() {
                trie.remove(filter, |value| *value == n);
            }
            prop_assert!(trie.root.is_empty() && trie.stars() == 0);
        }
    }
}
