//! The words of asking and answering: the shapes of the contract, used as they are on the wire.

use index::{
    corpus::{AnswerId, PageRef},
    hit::{Filters, Hit, Source},
    page::Region,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    RagError,
    typed::{Typed, Wanted},
};

/// Longest question, in Unicode code points.
pub const MAX_QUESTION: usize = 4_000;
/// Most turns of history that are read.
pub const MAX_HISTORY: usize = 100;

/// A question.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The question, 1 to 4,000 characters.
    pub question: String,
    /// The scenario; `default` if absent.
    #[serde(default)]
    pub scenario: Option<String>,
    /// Which documents may be used.
    #[serde(default)]
    pub filters: Filters,
    /// Earlier turns, oldest first.
    #[serde(default)]
    pub history: Vec<Turn>,
    /// Language of the answer: `auto` (that of the question), `zh` or `en`.
    #[serde(default)]
    pub language: Language,
    /// `answer` uses the configured model, `extractive` never does.
    #[serde(default)]
    pub mode: AnswerMode,
    /// Passages given to the answerer, 1 to 100; 10 if absent.
    #[serde(default)]
    pub top_k: Option<usize>,
    /// Answer as of this date (RFC 3339 date): reports dated later are left out.
    #[serde(default)]
    pub as_of: Option<String>,
    /// Answer as server-sent events.
    #[serde(default)]
    pub stream: bool,
    /// What `value` of the answer is to be: `number`, `name`, `names`, `boolean`, or a JSON schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub response_schema: Option<serde_json::Value>,
    /// Most tokens that a model may write for it; at most `llm.max_tokens`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub max_tokens: Option<u32>,
    /// Milliseconds the answer may take; at most `server.deadline`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub deadline_ms: Option<u64>,
}

impl Ask {
    /// What can be told without searching.
    ///
    /// # Errors
    /// `empty_question`, `question_too_long`, `history_too_long`, `invalid_as_of`, `invalid_max_tokens`, `invalid_deadline`,
    /// `invalid_response_schema`.
    pub fn validate(&self) -> Result<(), RagError> {
        if self.question.trim().is_empty() {
            return Err(RagError::EmptyQuestion);
        }
        let length = self.question.chars().count();
        if length > MAX_QUESTION {
            return Err(RagError::QuestionTooLong { got: length, most: MAX_QUESTION });
        }
        if self.history.len() > MAX_HISTORY {
            return Err(RagError::HistoryTooLong { got: self.history.len(), most: MAX_HISTORY });
        }
        if self.max_tokens == Some(0) {
            return Err(RagError::MaxTokens);
        }
        if self.deadline_ms == Some(0) {
            return Err(RagError::DeadlineMs);
        }
        if let Some(schema) = &self.response_schema {
            Wanted::read(schema)?;
        }
        match &self.as_of {
            Some(date) if date.parse::<jiff::civil::Date>().is_err() => {
                Err(RagError::AsOf { got: date.chars().take(40).collect() })
            }
            _ => Ok(()),
        }
    }
}

/// An earlier turn of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// Who spoke.
    pub role: Role,
    /// What was said.
    pub content: String,
}

/// Who spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Role {
    User,
    Assistant,
}

/// Language of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// That of the question.
    #[default]
    Auto,
    /// Chinese.
    Zh,
    /// English.
    En,
}

/// Who writes the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnswerMode {
    /// The configured model, or the extractive answerer where none is configured.
    #[default]
    Answer,
    /// The extractive answerer: quotes, no model.
    Extractive,
}

/// How a question was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every part of it is answered, and proven.
    Answered,
    /// Some of it is answered, or sources disagree.
    Partial,
    /// Not answered; `refusal` says why.
    Refused,
}

/// An answer whose every citation has been checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Answer {
    /// Its id.
    pub id: AnswerId,
    /// How the question was settled.
    pub verdict: Verdict,
    /// The answer, with `[1]`-style markers; for a refusal the message.
    pub text: String,
    /// `zh` or `en`.
    pub language: String,
    /// The proof, in order of first use.
    pub citations: Vec<Citation>,
    /// The answer as the value that `response_schema` asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Typed>,
    /// The figures that were looked up in tables, for programs; what the text says of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<Figure>,
    /// What was worked out of looked-up figures, with the steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub computations: Vec<Computation>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// The chance, 0 to 1, that the best sentence answers, where sentences were weighed: an answer is refused below a bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f32>,
    /// What was worse than it could have been, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub degraded: Option<Degraded>,
    /// What it cost.
    pub usage: Usage,
    /// How long it took.
    pub timings: Timings,
    /// Who wrote it: the model's name, or `extractive`.
    pub model: String,
    /// RFC 3339.
    pub created_at: String,
}

/// A piece of proof: a span of the answer and the quote that supports it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Citation {
    /// The number in the text's `[n]`.
    pub marker: u32,
    /// What it supports, in code points of the answer's text, the marker left out.
    pub span: TextSpan,
    /// Its document.
    pub document: Source,
    /// Its page; null where the format has none.
    pub page: Option<PageRef>,
    /// The stored page or part that holds the quote.
    pub part: u32,
    /// Headings above it.
    pub headings: Vec<String>,
    /// Verbatim text of the stored page.
    pub quote: String,
    /// Where the quote stands on the page.
    pub regions: Vec<Region>,
    /// How well it supports the span.
    pub support: Support,
}

/// A figure of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Figure {
    /// What it is a figure of, as the source calls it, with its period: `Net sales (2023)`.
    pub name: String,
    /// Its value, scale applied: 14694000000 for `14,694` in a table in millions; 12.5 for 12.5 %.
    pub value: f64,
    /// `%`, the code of a currency, or what else is counted; null where the source does not say.
    pub unit: Option<String>,
    /// What the source counts in: 1000000 for a table in millions.
    pub scale: f64,
    /// The citation that proves it; null for what was worked out.
    pub marker: Option<u32>,
}

/// A figure that no page states, worked out of figures that pages do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Computation {
    /// What was done.
    pub op: Operation,
    /// What went in, in order.
    pub terms: Vec<Figure>,
    /// What came out.
    pub result: Figure,
    /// The working, one line a step: `(2,725 - 2,820) / 2,820 = -3.37%`.
    pub steps: Vec<String>,
}

/// What a computation does with its terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// The first less the second.
    Difference,
    /// The change from the second to the first, in percent of the second.
    Growth,
    /// All of them together.
    Sum,
    /// Their mean.
    Average,
    /// The first divided by the second.
    Ratio,
    /// The first in percent of the second.
    Share,
    /// By the definition of a ratio of reports, as the steps show.
    Definition,
}

/// A range of an answer's text in Unicode code points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TextSpan {
    /// First code point.
    pub start: u32,
    /// One past the last.
    pub end: u32,
}

/// How well a quote supports what is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Support {
    /// The judgement.
    pub verdict: SupportVerdict,
    /// How it was reached: `verbatim` (the sentence is the quote), `quote` (the quote was found), `words`.
    pub method: String,
}

/// Whether a quote carries its sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum SupportVerdict {
    Supported,
    Weak,
}

/// Why a question was not answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Refusal {
    /// The kind of reason.
    pub reason: Reason,
    /// For a person, naming what is missing.
    pub message: String,
    /// The nearest passages.
    pub nearest: Vec<Hit>,
}

/// Kinds of reasons for a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Reason {
    NoEvidence,
    WeakEvidence,
    Conflict,
    Stale,
    OutOfScope,
    Provider,
}

/// What was worse than it could have been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Degraded {
    /// `vectors_pending` (some documents were found by words only), `words_only` (all were: the encoder failed), `model_fallback` (a model further down the ladder
    /// answered), `model_unavailable` (no model did: the answer is put together without one).
    pub reason: String,
    /// The models that failed, in the order they were asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<ModelFailure>,
    /// Where a model failed: what limited the search besides, `words_only` or `vectors_pending`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
}

impl Degraded {
    /// What limits a search limits the answer.
    pub(crate) fn search(limit: &str) -> Self {
        Self { reason: limit.into(), failures: vec![], search: None }
    }

    /// Models failed, over a search that may have been limited already.
    pub(crate) fn models(reason: &str, failures: Vec<ModelFailure>, search: Option<Self>) -> Self {
        Self { reason: reason.into(), failures, search: search.map(|limited| limited.reason) }
    }
}

/// A model that was asked and did not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelFailure {
    /// What its operator calls the endpoint.
    pub backend: String,
    /// Why, see `docs/ERRORS.md`.
    pub code: String,
}

/// Tokens and money.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// Tokens sent to a model.
    pub prompt_tokens: u64,
    /// Tokens a model wrote.
    pub completion_tokens: u64,
    /// Money, where prices are known.
    pub cost: Option<f64>,
    /// Its currency.
    pub currency: Option<String>,
}

/// Milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Timings {
    /// Until the evidence was found.
    pub retrieve_ms: f64,
    /// Until the first text.
    pub first_token_ms: Option<f64>,
    /// In all.
    pub total_ms: f64,
}
