//! The expansions of one component, of its events and of two functions, kept as texts to read. `UPDATE_SNAPSHOT=1 cargo test -p tekton-sdk-macros` writes it anew.

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

const EVENT: &str = r#"
    #[event(topic = "orders.{dish}.taken", key = "table", crate = "tekton_sdk")]
    pub struct Taken {
        pub dish: String,
        pub table: u32,
    }
"#;
const EVENTS: &str = r#"
    #[event(crate = "tekton_sdk")]
    pub enum Order {
        #[event(topic = "orders.{dish}.taken", key = "table")]
        Taken(Taken),
        #[event(topic = "orders.closed")]
        Closed,
    }
"#;
const LISTENERS: &str = r#"
    impl Kitchen {
        #[on_event("stock.*", group = "cooks", dead_letters = "dead.stock", timeout = "5s")]
        async fn on_stock(&self, stock: &Stock) -> Result<()> {
            self.check(stock).await
        }

        #[on_event]
        async fn on_order(&self, ctx: &Context, order: Delivery<Order>) -> Result<()> {
            self.cook(ctx, order.told()?).await
        }
    }
"#;

const FUNCTIONS: [(&str, &str); 2] = [
    (
        r#"failure_threshold = 3, timeout = "30s", crate = "tekton_sdk""#,
        r#"
    /// Charges a card.
    pub async fn charge(&self, card: &Card) -> Result<Receipt> {
        self.bank.charge(card).await
    }
"#,
    ),
    (
        r#"name = "rates", crate = "tekton_sdk""#,
        r#"
    fn rate((from, to): (Currency, Currency)) -> Result<impl Into<f64>, Failed> {
        rates::between(from, to)
    }
"#,
    ),
];

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
    same("summarizer", &format!("{derived} {made}"));
}

#[test]
fn the_expansion_of_events_is_as_it_was() {
    let typed = [EVENT, EVENTS].map(|item| crate::typed::expand(item.parse().unwrap()).to_string()).join(" ");
    let made = crate::service::expand("crate = \"tekton_sdk\"".parse().unwrap(), LISTENERS.parse().unwrap());
    same("events", &format!("{typed} {made}"));
}

#[test]
fn the_expansion_of_a_breaker_is_as_it_was() {
    let made = |(arguments, item): (&str, &str)| {
        crate::breaker::expand(arguments.parse().unwrap(), item.parse().unwrap()).to_string()
    };
    same("circuit_breaker", &format!("impl Till {{ {} }}", FUNCTIONS.map(made).join(" ")));
}

/// Compares the expansion with the one that is kept.
fn same(name: &str, code: &str) {
    let code = prettyplease::unparse(&opened(syn2::parse_str(code).unwrap()));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("snapshots/{name}.txt"));
    if env::var_os("UPDATE_SNAPSHOT").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &code).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap();
    assert!(kept == code, "the expansion is another; look at it with UPDATE_SNAPSHOT=1:\n{code}");
}
