//! What somebody may have meant.

/// The candidate nearest to a misspelt name, if one is near: at most 3 edits and a third of its length away.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer names are not ours, and comparing them takes time.
    if name.len() > 64 {
        return None;
    }
    let close = |candidate: &&str| candidate.len().abs_diff(name.len()) <= 3;
    let near = |candidate: &'a str| (distance(name, candidate), candidate);
    let (edits, best) = candidates.into_iter().filter(close).map(near).min_by_key(|(edits, _)| *edits)?;
    (edits <= 3.min(best.chars().count().div_ceil(3))).then_some(best)
}

/// How many characters must be put in, taken out or replaced to make one text the other (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        for (a, b, edits) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("ß", "s", 1)]
        {
            assert_eq!((distance(a, b), distance(b, a)), (edits, edits), "{a} {b}");
        }
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        assert_eq!(nearest("retyr", ["host", "retry", "hub"]), Some("retry"));
        assert_eq!(nearest("logging", ["host", "retry", "hub"]), None);
        assert_eq!(nearest("x", ["hub"]), None);
        assert_eq!(nearest("x", []), None);
        assert_eq!(nearest(&"x".repeat(1_000_000), ["hub"]), None);
    }
}
