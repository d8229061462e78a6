//! Every mistake at once, each at its token.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Error;

/// The mistakes that were found so far.
#[derive(Default)]
pub(crate) struct Problems(Vec<Error>);

impl Problems {
    /// Notes what is wrong with these tokens.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.0.push(Error::new_spanned(tokens, message));
    }

    /// Notes an error.
    pub(crate) fn add(&mut self, error: Error) {
        self.0.push(error);
    }

    /// The value, or `None` and a note.
    pub(crate) fn take<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    /// Whether nothing is wrong so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many mistakes were found so far.
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// The compiler's errors.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.0.into_iter().map(Error::into_compile_error).collect()
    }

    #[cfg(test)]
    pub(crate) fn messages(&self) -> Vec<String> {
        self.0.iter().flat_map(Error::clone_messages).collect()
    }
}

#[cfg(test)]
trait Messages {
    fn clone_messages(&self) -> Vec<String>;
}

#[cfg(test)]
impl Messages for Error {
    fn clone_messages(&self) -> Vec<String> {
        self.clone()
            .into_iter()
            .map(|error| {
                let at = error.span().source_text().unwrap_or_default();
                format!("{at} | {error}")
            })
            .collect()
    }
}
