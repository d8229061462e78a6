//! The expansion of one component, kept as a text to read. `UPDATE_SNAPSHOT=1 cargo test -p tekton-sdk-macros` writes it anew.

use std::{env, fs, path::Path};

const STRUCT: &str = r#"
    /// Shortens texts.
    #[component(name = "summarizer", version = "1.2.0", capabilities("text.summarize" = 0.9), crate = "tekton_sdk")]
    pub struct Summarizer;
"#;
const BLOCK: &str = r#"
    impl Summarizer {
        /// Shortens a text to its leading sentences.
        ///
        /// # Arguments
        /// * `text` - what to shorten
        /// * `sentences` - how many to keep; 3 if left out
        #[op(read, timeout = "2s")]
        pub async fn summarize(&self, text: String, #[arg(default = 3)] sentences: usize) -> Result<Summary> {
            self.shorten(text, sentences).await
        }
    }
"#;

/// What is kept where the SDK has its host or its testing kit, shown as if it always were.
fn opened(file: syn2::File) -> syn2::File {
    let open = |item| match item {
        syn2::Item::Macro(kept) => {
            let inner: syn2::File = syn2::parse2(kept.mac.tokens).unwrap();
            inner.items
        }
        other => vec![other],
    };
    syn2::File { items: file.items.into_iter().flat_map(open).collect(), ..file }
}

#[test]
fn one_expansion_is_as_it_was() {
    let derived = crate::component::expand(STRUCT.parse().unwrap());
    let made = crate::service::expand("crate = \"tekton_sdk\"".parse().unwrap(), BLOCK.parse().unwrap());
    let code = prettyplease::unparse(&opened(syn2::parse_str(&format!("{derived} {made}")).unwrap()));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots/summarizer.txt");
    if env::var_os("UPDATE_SNAPSHOT").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &code).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap();
    assert!(kept == code, "the expansion is another; look at it with UPDATE_SNAPSHOT=1:\n{code}");
}
