//! What is sent each way: about 1 KiB of JSON.

use serde::{Deserialize, Serialize};

/// A text with its tags and scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Document {
    id: u64,
    title: String,
    tags: Vec<String>,
    scores: Vec<f64>,
    text: String,
}

impl Document {
    /// One that is 1024 bytes as JSON.
    pub(super) fn sample() -> Self {
        let mut document = Self {
            id: 20_261_121,
            title: "What a call costs".to_owned(),
            tags: ["bench", "call", "json"].map(str::to_owned).to_vec(),
            scores: vec![0.25, 0.5, 0.75, 0.875],
            text: String::new(),
        };
        let missing = 1024_usize.saturating_sub(document.json().len());
        document.text = "Words and more words. ".chars().cycle().take(missing).collect();
        document
    }

    /// It as JSON.
    pub(super) fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and finite numbers can be written as JSON")
    }
}
