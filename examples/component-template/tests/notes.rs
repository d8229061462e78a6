//! The component with a fake of what it calls: no network, no hub.

use std::sync::Arc;

use component_template::{FakeTitles, Notes, NotesClient};
use tekton_sdk::{Client, ErrorKind, Result, testing::TestBed};

#[tokio::test]
async fn a_note_without_a_title_gets_one() -> Result<()> {
    let titles = Arc::new(FakeTitles::new());
    titles.on_title().answers("Groceries".to_owned()).fails(ErrorKind::Timeout);
    let bed = TestBed::new()?;
    bed.serve(Notes::new(titles.clone())).await?;
    let notes = NotesClient::from_peer(bed.tekton().peer("notes"));

    assert_eq!(notes.add("milk and bread".to_owned(), None).await?.title, "Groceries");
    assert_eq!(notes.add("one two three four five six".to_owned(), None).await?.title, "one two three four five");
    assert_eq!(notes.add("x".to_owned(), Some("Mine".to_owned())).await?.title, "Mine");
    assert_eq!(titles.calls().count(), 2);
    assert_eq!(notes.find("bread").await?.len(), 1);
    Ok(())
}
