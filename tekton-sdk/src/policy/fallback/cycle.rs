//! Whether declared fallbacks lead back to where they began.

use std::collections::{BTreeMap, BTreeSet};

/// The first circle among declared fallbacks, each a component and the one that stands in for it, as
/// `engram → backup → engram`; also a component that is to stand in for itself. Names are compared in any case of letters, as the
/// directory does.
///
/// A call is given one fallback at most, whatever is declared. A circle is a mistake all the same: it says that each of two
/// components is well when the other is not.
///
/// ```
/// use tekton_sdk::policy::fallback_cycle;
///
/// assert_eq!(fallback_cycle(&[("engram", "backup"), ("rhetor", "backup")]), None);
/// let circle = fallback_cycle(&[("engram", "backup"), ("backup", "Engram")]);
/// assert_eq!(circle.as_deref(), Some("engram → backup → engram"));
/// ```
#[must_use]
pub fn fallback_cycle(declared: &[(&str, &str)]) -> Option<String> {
    let mut next: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (target, to) in declared {
        next.entry(target.to_ascii_lowercase()).or_default().insert(to.to_ascii_lowercase());
    }
    let mut done = BTreeSet::new();
    for (target, _) in declared {
        if let Some(circle) = circle_from(&target.to_ascii_lowercase(), &next, &mut done) {
            return Some(circle.join(" → "));
        }
    }
    None
}

/// A circle that can be reached from here. It has no recursion: a list from a file may be as long as it likes.
fn circle_from<'a>(
    start: &'a str,
    next: &'a BTreeMap<String, BTreeSet<String>>,
    done: &mut BTreeSet<String>,
) -> Option<Vec<&'a str>> {
    let of = |name: &str| next.get(name).into_iter().flatten().map(String::as_str);
    let mut path = vec![start];
    let mut open = vec![of(start)];
    while let Some(ways) = open.last_mut() {
        match ways.next() {
            Some(to) => {
                if let Some(place) = path.iter().position(|name| *name == to) {
                    let mut circle = path.split_off(place);
                    circle.push(to);
                    return Some(circle);
                }
                if !done.contains(to) {
                    path.push(to);
                    open.push(of(to));
                }
            }
            None => {
                open.pop();
                done.extend(path.pop().map(str::to_owned));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_circle_is_told_as_a_path() {
        for (declared, circle) in [
            (&[("a", "a")][..], Some("a → a")),
            (&[("a", "b"), ("b", "c"), ("c", "b")], Some("b → c → b")),
            (&[("a", "b"), ("a", "c"), ("c", "A")], Some("a → c → a")),
            (&[("a", "b"), ("b", "d"), ("a", "c"), ("c", "d")], None),
            (&[], None),
        ] {
            assert_eq!(fallback_cycle(declared).as_deref(), circle, "{declared:?}");
        }
    }

    #[test]
    fn a_list_of_thousands_ends() {
        let names: Vec<String> = (0..5_000).map(|n| format!("c{n:05}")).collect();
        let mut declared: Vec<_> = names.windows(2).map(|pair| (&*pair[0], &*pair[1])).collect();
        assert_eq!(fallback_cycle(&declared), None);
        declared.push((&names[4_999], &names[4_000]));
        assert!(fallback_cycle(&declared).unwrap().starts_with("c04000 → c04001"));
    }

    proptest! {
        #[test]
        fn what_it_finds_is_a_circle_and_it_finds_one_where_there_is_one(
            edges in proptest::collection::vec((0..8_usize, 0..8_usize), 0..14),
        ) {
            const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
            let declared: Vec<_> = edges.iter().map(|(from, to)| (NAMES[*from], NAMES[*to])).collect();
            // Who reaches whom: Warshall.
            let mut reach = [[false; 8]; 8];
            for (from, to) in &edges {
                reach[*from][*to] = true;
            }
            for by in 0..8 {
                for from in 0..8 {
                    for to in 0..8 {
                        reach[from][to] |= reach[from][by] && reach[by][to];
                    }
                }
            }
            let found = fallback_cycle(&declared);
            prop_assert_eq!(found.is_some(), (0..8).any(|at| reach[at][at]));
            if let Some(found) = found {
                let path: Vec<_> = found.split(" → ").collect();
                prop_assert_eq!(path.first(), path.last());
                for pair in path.windows(2) {
                    prop_assert!(declared.contains(&(pair[0], pair[1])), "{} {:?}", found, declared);
                }
            }
        }
    }
}
