//! What a search asks and what it returns: the shapes of the contract, used as they are on the wire.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    corpus::{DocumentId, PageRef, PassageId, PassageKind, Span},
    page::Region,
};

/// Which arms of the search run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Words and meaning, fused.
    #[default]
    Hybrid,
    /// Meaning alone.
    Dense,
    /// Words alone.
    Lexical,
}

/// A search within a scope.
#[derive(Debug, Clone)]
pub struct Query {
    /// The question or search words.
    pub text: String,
    /// Which arms run.
    pub mode: Mode,
    /// How many hits to return, 1 to 100.
    pub top_k: usize,
    /// Which documents may be returned; empty for all of the scenario.
    pub filters: Filters,
    /// Leave out documents that are dated later (RFC 3339, or a date).
    pub as_of: Option<String>,
    /// Whether hits say how they came to their score.
    pub explain: bool,
}

/// Conditions on documents; all must hold. The key is `id`, `external_id`, `name`, `title`, `language`, `labels`, or a field of the metadata;
/// the value is a value that must be equal, a list of which one must be equal, or `{"gte","gt","lte","lt"}` for a range.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Filters(pub Map<String, Value>);

/// One passage that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Hit {
    /// From 1.
    pub rank: u32,
    /// Fused score; comparable within one result only.
    pub score: f32,
    /// What was found.
    pub passage: Found,
    /// How it was found.
    pub why: Why,
}

/// A passage with the document it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Found {
    /// The passage.
    pub id: PassageId,
    /// Prose or table.
    pub kind: PassageKind,
    /// Its text.
    pub text: String,
    /// Its document.
    pub document: Source,
    /// Its page; null where the format has none.
    pub page: Option<PageRef>,
    /// The stored page (or part, where the format has no pages) that holds it: the `n` of `…/pages/{n}`.
    pub part: u32,
    /// Headings above it, outermost first.
    pub headings: Vec<String>,
    /// Where it stands on the page.
    pub regions: Vec<Region>,
    /// Where it stands in the stored pages, in bytes; not on the wire.
    #[serde(skip)]
    pub spans: Vec<Span>,
}

/// The document a passage comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Source {
    /// The document.
    pub id: DocumentId,
    /// The caller's own id.
    pub external_id: Option<String>,
    /// Its title.
    pub title: String,
    /// The version that was searched.
    pub version: u32,
    /// What the caller said about it.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
    /// The name it came under; not on the wire of citations.
    #[serde(default)]
    pub name: String,
    /// What was read of it (company, kind, period, date), where the documents of a scope are listed; not on the wire.
    #[serde(skip)]
    pub facts: Map<String, Value>,
}

/// How a hit was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Why {
    /// Rank by meaning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dense_rank: Option<u32>,
    /// Rank by words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lexical_rank: Option<u32>,
    /// Cosine between question and passage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cosine: Option<f32>,
    /// BM25 as a share of the most it could reach for this question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lexical: Option<f32>,
    /// What the document's company and period added, where the question names them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routed: Option<f32>,
    /// If it was asked to explain: what each feature added to the score, by name, and the ranks on the way.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub added: Map<String, Value>,
    /// If it was asked to explain: the features before they are weighed.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub features: Map<String, Value>,
}

/// Where the time of a search went, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Took {
    /// Reading the question against what the scope holds.
    pub understand: f64,
    /// Encoding the question, which runs beside weighing its words.
    pub encode: f64,
    /// Weighing its words by the scope, and looking them up in the other language.
    pub weigh: f64,
    /// Both arms and their fusion.
    pub arms: f64,
    /// Reading the text of the best and ranking them.
    pub rank: f64,
    /// Reading the passages that are returned, with their documents.
    pub fetch: f64,
}

impl Took {
    /// Each stage by name, and all of them but the encoding.
    pub fn stages(&self) -> [(&'static str, f64); 7] {
        [
            ("understand", self.understand),
            ("encode", self.encode),
            ("weigh", self.weigh),
            ("arms", self.arms),
            ("rank", self.rank),
            ("fetch", self.fetch),
            ("all but encode", self.understand + self.weigh + self.arms + self.rank + self.fetch),
        ]
    }
}

/// What a search returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Hits {
    /// Best first.
    pub data: Vec<Hit>,
    /// Documents of the scenario that are found by words only so far, because their vectors are pending.
    pub vectors_pending: u32,
    /// If the encoder failed: the code of its failure. Everything was then searched by its words alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words_only: Option<String>,
    /// If it was asked to explain: what the question was taken to ask, and where it was looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    pub understood: Option<Value>,
    /// Where the time went; not on the wire.
    #[serde(skip)]
    pub took: Took,
}

/// A passage as far as it is read to rank it.
#[derive(Debug, Clone, PartialEq)]
pub struct Snippet {
    /// Its document.
    pub document: DocumentId,
    /// The stored page that holds it.
    pub part: u32,
    /// Prose or table.
    pub kind: PassageKind,
    /// Its text.
    pub text: String,
    /// Headings above it, outermost first.
    pub headings: Vec<String>,
}

impl Snippet {
    /// Its text under its two nearest headings.
    pub fn in_context(&self) -> String {
        let mut text = String::with_capacity(self.text.len() + 64);
        for heading in self.headings.iter().rev().take(2) {
            text.push_str(heading);
            text.push('\n');
        }
        text + &self.text
    }
}
