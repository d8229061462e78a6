//! Literals that are judged while the user's crate is compiled.

use proc_macro2::Span;
use syn::{Error, Expr, ExprLit, ExprUnary, Lit, Result, UnOp, spanned::Spanned};

/// The text of a string literal.
pub(crate) fn text(value: &Expr, otherwise: &str) -> Result<(String, Span)> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok((text.value(), text.span())),
        _ => Err(Error::new_spanned(value, otherwise)),
    }
}

/// The number of a literal, which may have a sign.
pub(crate) fn number(value: &Expr, otherwise: &str) -> Result<f64> {
    let wrong = || Error::new_spanned(value, otherwise);
    match value {
        Expr::Lit(ExprLit { lit: Lit::Float(number), .. }) => number.base10_parse().map_err(|_| wrong()),
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse().map_err(|_| wrong()),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => number(expr, otherwise).map(|number| -number),
        _ => Err(wrong()),
    }
}

/// A whole number up to a limit.
pub(crate) fn whole(value: &Expr, max: u64, otherwise: &str) -> Result<u64> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number
            .base10_parse()
            .ok()
            .filter(|number| *number <= max)
            .ok_or_else(|| Error::new(value.span(), otherwise)),
        _ => Err(Error::new_spanned(value, otherwise)),
    }
}

/// The truth value of a literal.
pub(crate) fn truth(value: &Expr, otherwise: &str) -> Result<bool> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Bool(truth), .. }) => Ok(truth.value),
        _ => Err(Error::new_spanned(value, otherwise)),
    }
}

/// The nanoseconds of a duration such as `2s` or `1.5 min`.
pub(crate) fn nanoseconds(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (count, unit) = text.split_at(digits);
    let unit: u64 = match unit.trim() {
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    if let Ok(count) = count.parse::<u64>() {
        return count.checked_mul(unit).filter(|length| *length > 0);
    }
    let length = count.parse::<f64>().ok()? * unit as f64;
    (length >= 1.0 && length < u64::MAX as f64).then_some(length as u64)
}

/// What is wrong with a name, if something is. The SDK checks the same when a component is started.
pub(crate) fn name_problem(name: &str, extra: &[char]) -> Option<String> {
    if name.is_empty() {
        Some("is empty".to_owned())
    } else if name.len() > 128 {
        Some("has more than 128 characters".to_owned())
    } else if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        Some("must begin with a letter or a digit".to_owned())
    } else {
        let bad = name.chars().find(|c| !c.is_ascii_alphanumeric() && !extra.contains(c))?;
        let allowed = extra.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(", ");
        Some(format!("holds {bad:?}; allowed are letters, digits and {allowed}"))
    }
}

/// Whether it is a version as Semantic Versioning 2.0.0 has it.
pub(crate) fn is_version(text: &str) -> bool {
    let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
    let (core, pre) = text.split_once('-').map_or((text, None), |(core, pre)| (core, Some(pre)));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let number = |part: &str| digits(part) && (part == "0" || !part.starts_with('0')) && part.parse::<u64>().is_ok();
    let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    core.split('.').count() == 3
        && core.split('.').all(number)
        && pre.is_none_or(|pre| pre.split('.').all(|part| word(part) && (!digits(part) || number(part))))
        && build.is_none_or(|build| build.split('.').all(word))
}

/// `TextSummarizer` as `text-summarizer`.
pub(crate) fn kebab(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut kebab = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let starts = letter.is_uppercase()
            && at > 0
            && (!letters[at - 1].is_uppercase() || letters.get(at + 1).is_some_and(|next| next.is_lowercase()))
            && letters[at - 1] != '_';
        if starts {
            kebab.push('-');
        }
        if *letter == '_' { kebab.push('-') } else { kebab.extend(letter.to_lowercase()) }
    }
    kebab
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_names_become_kebab_case() {
        for (name, kebab_case) in [
            ("Summarizer", "summarizer"),
            ("TextSummarizer", "text-summarizer"),
            ("HTTPProxy2", "http-proxy2"),
            ("A_B", "a-b"),
        ] {
            assert_eq!(kebab(name), kebab_case);
        }
    }

    #[test]
    fn durations_are_read() {
        for (text, length) in [
            ("2s", 2_000_000_000),
            ("1.5 s", 1_500_000_000),
            ("250ms", 250_000_000),
            ("10us", 10_000),
            ("1h", 3_600_000_000_000),
        ] {
            assert_eq!(nanoseconds(text), Some(length), "{text}");
        }
        for text in ["", "2", "s", "0s", "-1s", "2 days", "1.2.3s", "99999999999999h"] {
            assert_eq!(nanoseconds(text), None, "{text}");
        }
    }

    #[test]
    fn versions_are_semantic() {
        for version in ["1.2.0", "0.0.1-rc.1+build.05", "10.20.30", "1.0.0--", "1.0.0-a-b.0"] {
            assert!(is_version(version), "{version}");
        }
        for version in ["", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.x", "1.2.3-", "1.2.3-01", "1.2.3+", "v1.2.3"] {
            assert!(!is_version(version), "{version}");
        }
    }
}
