//! Doc comments: what an item is for, and what its arguments mean.

use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta};

/// The text of the doc comments, taken apart.
#[derive(Default)]
pub(crate) struct Docs {
    /// What stands before the first heading.
    pub(crate) description: String,
    /// The list under `# Arguments`: name, meaning, and the line that says so.
    pub(crate) arguments: Vec<(String, String, LitStr)>,
}

/// The lines of the doc comments.
fn lines(attributes: &[Attribute]) -> Vec<LitStr> {
    let texts = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text),
            _ => None,
        },
        _ => None,
    });
    texts
        .flat_map(|text| text.value().split('\n').map(|line| LitStr::new(line, text.span())).collect::<Vec<_>>())
        .collect()
}

/// Takes the doc comments among these attributes apart.
pub(crate) fn of(attributes: &[Attribute]) -> Docs {
    let mut docs = Docs::default();
    let mut heading: Option<String> = None;
    let mut paragraph_ended = false;
    for line in lines(attributes) {
        let value = line.value();
        let text = value.trim();
        if let Some(title) = text.strip_prefix('#') {
            heading = Some(title.trim_start_matches('#').trim().to_lowercase());
        } else if heading.is_none() {
            if text.is_empty() {
                paragraph_ended = true;
                continue;
            }
            if !docs.description.is_empty() {
                docs.description.push_str(if paragraph_ended { "\n\n" } else { " " });
            }
            docs.description.push_str(text);
            paragraph_ended = false;
        } else if heading.as_deref() == Some("arguments") {
            match item(text) {
                Some((name, meaning)) => docs.arguments.push((name.to_owned(), meaning.to_owned(), line)),
                None => {
                    if let (Some((_, meaning, _)), false) = (docs.arguments.last_mut(), text.is_empty()) {
                        meaning.push(' ');
                        meaning.push_str(text);
                    }
                }
            }
        }
    }
    docs
}

/// Name and meaning in ``* `name` - meaning``.
fn item(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix(['*', '-', '+'])?.trim_start();
    let (name, rest) = text.strip_prefix('`')?.split_once('`')?;
    Some((name, rest.trim_start().trim_start_matches(['-', ':', '–']).trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn description_and_arguments_are_told_apart() {
        let item: syn::ItemFn = syn::parse_quote! {
            /// Shortens a text
            /// to its sentences.
            ///
            /// Slowly.
            ///
            /// # Arguments
            /// * `text` - what to
            ///   shorten
            /// - `sentences`: how many
            ///
            /// # Errors
            /// * `none` - at all
            fn f() {}
        };
        let docs = of(&item.attrs);
        assert_eq!(docs.description, "Shortens a text to its sentences.\n\nSlowly.");
        let arguments: Vec<_> =
            docs.arguments.iter().map(|(name, meaning, _)| (name.as_str(), meaning.as_str())).collect();
        assert_eq!(arguments, [("text", "what to shorten"), ("sentences", "how many")]);
    }
}
