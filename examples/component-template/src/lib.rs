//! A component that keeps notes.

use std::sync::{Arc, Mutex, PoisonError};

use tekton_sdk::{Component, Error, Result, data, service};

/// The largest number of notes that are kept.
pub const MAX_NOTES: usize = 1000;

/// What is asked of Rhetor. Whoever serves it is found by what it can do.
#[service(component = "rhetor", capability = "text.title")]
pub trait Titles {
    /// Gives a text a title.
    ///
    /// # Arguments
    /// * `text` - what to give a title to
    #[op(read, timeout = "2s")]
    async fn title(&self, text: String) -> Result<String>;
}

/// A note.
#[data]
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// What it is called.
    pub title: String,
    /// What it says.
    pub text: String,
}

/// Keeps notes.
#[derive(Component)]
#[component(name = "notes", capabilities("notes.keep" = 0.8), depends_on("rhetor"))]
pub struct Notes {
    titles: Arc<dyn TitlesApi>,
    notes: Mutex<Vec<Note>>,
}

impl Notes {
    /// No note yet; titles come from here.
    pub fn new(titles: Arc<dyn TitlesApi>) -> Self {
        Self { titles, notes: Mutex::default() }
    }
}

#[service]
impl Notes {
    /// Keeps a note.
    ///
    /// # Arguments
    /// * `text` - what it says
    /// * `title` - what it is called; Rhetor is asked if it is left out
    #[op(write)]
    pub async fn add(&self, text: String, title: Option<String>) -> Result<Note> {
        let title = match title {
            Some(title) => title,
            // A title is a nicety: without Rhetor the note is kept under its first words.
            None => match self.titles.title(text.clone()).await {
                Ok(title) => title,
                Err(_) => text.split_whitespace().take(5).collect::<Vec<_>>().join(" "),
            },
        };
        let note = Note { title, text };
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() >= MAX_NOTES {
            return Err(Error::invalid(format!("there are {MAX_NOTES} notes already; remove some")));
        }
        notes.push(note.clone());
        Ok(note)
    }

    /// Finds notes by a word.
    ///
    /// # Arguments
    /// * `word` - what must stand in the title or the text
    #[op(read)]
    pub async fn find(&self, word: &str) -> Result<Vec<Note>> {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = |note: &&Note| note.title.contains(word) || note.text.contains(word);
        Ok(notes.iter().filter(holds).cloned().collect())
    }
}
