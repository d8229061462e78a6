//! Types that cannot cross the wire.
use tekton_sdk::{Component, Result};

struct Book;
struct Note;
struct Word;

/// A component.
#[derive(Component)]
struct Shelf;

#[tekton_sdk::service]
impl Shelf {
    /// Keeps a value.
    #[op(write)]
    async fn put(&self, book: Book, page: usize) -> Result<usize> { //~ `Book` cannot cross the wire: an operation takes and answers values that serde and schemars know
        let _ = book;
        Ok(page)
    }

    /// Looks at one.
    #[op(read)]
    async fn look(&self, note: &Note) -> Result<()> { //~ `Note` cannot cross the wire: an operation takes and answers values that serde and schemars know
        let _ = note;
        Ok(())
    }

    /// Gives one.
    #[op(read)]
    async fn word(&self) -> Result<Option<Word>> { //~ `Option<Word>` cannot cross the wire: an operation takes and answers values that serde and schemars know
        Ok(None)
    }
}

fn main() {}
