//! What do we know for one question? The passages that were found with the stored pages they stand on, which documents
//! there are, and how common the question's words are: plain data, gathered by the engine, read by everyone after it.

use std::{collections::HashMap, sync::Arc};

use index::{
    corpus::DocumentId,
    hit::{Hit, Source},
    page::Page,
};

use crate::holdings::Held;

/// The evidence for one question.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// The passages found, best first; a model's `[n]` means the n-th of them.
    pub hits: Vec<Hit>,
    /// Passages beyond those, whose tables are looked through for a figure; numbered on from the hits.
    pub further: Vec<Hit>,
    /// The stored pages that hold them.
    pub pages: Vec<StoredPage>,
    /// All published documents of the scope.
    pub documents: Arc<Vec<Source>>,
    /// How many passages the scope holds.
    pub passages: u64,
    /// For each token of the question, how many passages of the scope hold it.
    pub frequencies: HashMap<String, u64>,
    /// Documents found by words only, because their vectors are pending.
    pub vectors_pending: u32,
    /// If the encoder failed, so that everything was found by words only: the code of its failure.
    pub words_only: Option<String>,
}

/// A stored page of a version of a document.
#[derive(Debug, Clone)]
pub struct StoredPage {
    /// The document.
    pub document: DocumentId,
    /// Its version.
    pub version: u32,
    /// The page.
    pub page: Arc<Page>,
}

impl Evidence {
    /// The passages found and those looked through beside them, in the order of their numbers.
    pub(crate) fn looked_through(&self) -> impl Iterator<Item = &Hit> {
        self.hits.iter().chain(&self.further)
    }

    /// The n-th passage, from 0.
    pub(crate) fn hit(&self, at: usize) -> Option<&Hit> {
        self.looked_through().nth(at)
    }

    /// What the document of a hit is; the hit itself carries no facts.
    pub(crate) fn held(&self, hit: &Hit) -> Held {
        let source = &hit.passage.document;
        Held::of(self.documents.iter().find(|known| known.id == source.id).unwrap_or(source))
    }

    /// The stored page on which a hit begins.
    pub fn page_of(&self, hit: &Hit) -> Option<&Page> {
        self.page(hit, hit.passage.part)
    }

    /// A stored page of the hit's document.
    pub fn page(&self, hit: &Hit, number: u32) -> Option<&Page> {
        let source = &hit.passage.document;
        let held = |p: &&StoredPage| p.document == source.id && p.version == source.version && p.page.number == number;
        self.pages.iter().find(held).map(|p| p.page.as_ref())
    }

    /// How telling a token of the question is: the idf of BM25, over at least fifty passages, so that in a small scope a
    /// word that all passages share still counts for something.
    pub fn idf(&self, token: &str) -> f32 {
        let holding = self.frequencies.get(token).copied().unwrap_or(0);
        index::lexical::idf(self.passages.max(50), holding.min(self.passages.max(50)))
    }
}
