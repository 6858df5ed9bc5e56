//! How did an answer come about? What was understood, searched, ranked, sent and kept, with the versions of everything that
//! had a say: stored with the answer, so that a wrong one can be explained and the question be run again.

use index::{
    corpus::{DocumentId, PassageId},
    hit::{Hit, Mode, Why},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    ask::{Answer, Ask, Verdict},
    cite::{Checked, Dropped, Kept},
    question::Question,
};

/// The record of one answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Trace {
    /// The question as it was put, with everything that was set.
    pub ask: Ask,
    /// What was read out of it.
    pub understood: Understood,
    /// Where was looked.
    pub searched: Searched,
    /// What was found, best first.
    pub ranked: Vec<Ranked>,
    /// What was sent to models, in order; nothing where none was asked.
    pub sent: Vec<Sent>,
    /// The sentences that were shown.
    pub kept: Vec<Kept>,
    /// The sentences that were not, each with its reason.
    pub dropped: Vec<Dropped>,
    /// What the answer depends on besides the documents.
    pub versions: Versions,
}

/// A question as it was understood.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Understood {
    /// `zh` or `en`.
    pub language: String,
    /// The kind of answer it wants.
    pub kind: String,
    /// The periods it names.
    pub periods: Vec<String>,
    /// The companies and other names in it; those that no document bears have a `?` behind them.
    pub names: Vec<String>,
    /// What it asks for.
    pub subject: String,
}

/// A search.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Searched {
    /// The text that was looked up: the question with what a follow-up leaves out.
    pub text: String,
    /// The arms that ran.
    pub mode: Mode,
    /// Passages asked for.
    pub top_k: usize,
    /// Documents of the scope.
    pub documents: usize,
    /// Passages of the scope.
    pub passages: u64,
    /// Documents of the companies that the question names: they are searched first.
    pub routed: Vec<DocumentId>,
    /// Documents that were found by their words only, because their vectors are pending.
    pub vectors_pending: u32,
    /// If the encoder failed, so that all were: the code of its failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words_only: Option<String>,
}

/// A passage that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Ranked {
    /// From 1.
    pub rank: u32,
    /// The passage.
    pub passage: PassageId,
    /// Its document.
    pub document: DocumentId,
    /// The document's title.
    pub title: String,
    /// The version that was searched.
    pub version: u32,
    /// The stored page or part.
    pub part: u32,
    /// Fused score.
    pub score: f32,
    /// How it was found.
    pub why: Why,
}

/// A prompt that was sent to a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sent {
    /// The model.
    pub model: String,
    /// BLAKE3 of the prompt, its random fence left out: equal prompts have equal hashes.
    pub hash: String,
    /// Its bytes.
    pub bytes: u64,
    /// How many of the ranked passages are in it.
    pub passages: usize,
    /// How it ended: `complete`, `length`, `filtered`, or the code of the failure.
    pub outcome: String,
    /// Milliseconds until the first sentence was shown, from the first text of the model; what waiting for its proof costs.
    #[serde(default)]
    pub shown_after_ms: Option<f64>,
    /// Milliseconds that the check of all its sentences took.
    #[serde(default)]
    pub check_ms: f64,
}

/// What had a say in an answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Versions {
    /// The program.
    pub program: String,
    /// The pack, with its version; empty for none.
    pub pack: String,
    /// The model's card; empty for none.
    pub card: String,
    /// The model, or `extractive`.
    pub model: String,
    /// The space of the vectors.
    pub space: String,
}

/// What differs between an answer and the same question asked again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Where: `verdict`, `text`, `citations`, `ranked`, `prompt`, `versions.…`.
    pub field: String,
    /// Then.
    pub before: String,
    /// Now.
    pub after: String,
}

/// What somebody thinks of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Feedback {
    /// Whether it helped.
    pub rating: Rating,
    /// Words for why, at most 16 of 200 characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// In the reader's own words, at most 4,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// What the answer should have been, at most 4,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correct_answer: Option<String>,
}

/// Up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Rating {
    Up,
    Down,
}

impl Feedback {
    /// The field that is too long, with what it may have.
    pub fn too_long(&self) -> Option<&'static str> {
        let long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.chars().count() > 4_000);
        if self.reasons.len() > 16 || self.reasons.iter().any(|reason| reason.chars().count() > 200) {
            return Some("`reasons` holds at most 16 texts of 200 characters");
        }
        if long(&self.comment) {
            return Some("`comment` has at most 4,000 characters");
        }
        long(&self.correct_answer).then_some("`correct_answer` has at most 4,000 characters")
    }
}

/// A stored answer with everything that is known about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Record {
    /// The answer, as it was sent.
    #[serde(flatten)]
    pub answer: Answer,
    /// The scenario it was asked in.
    pub scenario: String,
    /// The question.
    pub question: String,
    /// How it came about; null in answers of older programs.
    pub trace: Option<Trace>,
    /// What was thought of it, in order.
    #[schema(value_type = Vec<Object>)]
    pub feedback: Vec<serde_json::Value>,
}

impl Trace {
    /// The record of a question that was just understood.
    pub(crate) fn begin(ask: &Ask, question: &Question) -> Self {
        let name = |name: &crate::question::Name| match name.documents.is_empty() {
            true => format!("{}?", name.text),
            false => name.text.clone(),
        };
        let understood = Understood {
            language: question.language().into(),
            kind: format!("{:?}", question.kind).to_lowercase(),
            periods: question.periods.iter().map(|period| period.name(question.chinese)).collect(),
            names: question.names.iter().map(name).collect(),
            subject: question.subject.clone(),
        };
        let mut routed: Vec<DocumentId> = question.documents().into_iter().flatten().collect();
        routed.sort();
        let searched = Searched { routed, ..Searched::default() };
        let pack = format!("{} {}", question.pack.name, question.pack.version);
        let versions = Versions { program: env!("CARGO_PKG_VERSION").into(), pack, ..Versions::default() };
        Self { ask: ask.clone(), understood, searched, versions, ..Self::default() }
    }

    /// Notes what was found.
    pub(crate) fn rank(&mut self, hits: &[Hit]) {
        let ranked = |hit: &Hit| Ranked {
            rank: hit.rank,
            passage: hit.passage.id,
            document: hit.passage.document.id,
            title: hit.passage.document.title.clone(),
            version: hit.passage.document.version,
            part: hit.passage.part,
            score: hit.score,
            why: hit.why.clone(),
        };
        self.ranked = hits.iter().map(ranked).collect();
    }

    /// Notes what a piece of text took to check, and when something of it was shown.
    pub(crate) fn took(&mut self, check_ms: f64, shown_after_ms: Option<f64>) {
        if let Some(sent) = self.sent.last_mut() {
            sent.check_ms += check_ms;
            sent.shown_after_ms = sent.shown_after_ms.or(shown_after_ms);
        }
    }

    /// Notes how the last prompt ended.
    pub(crate) fn ended(&mut self, outcome: &str) {
        if let Some(sent) = self.sent.last_mut() {
            sent.outcome = outcome.to_owned();
        }
    }

    /// Notes what the check let through and what it did not.
    pub(crate) fn check(&mut self, checked: &Checked) {
        self.kept = checked.kept();
        self.dropped = checked.dropped().to_vec();
    }
}

/// What differs between an answer and its replay; nothing if both say the same for the same reasons.
pub fn differences(before: (&Answer, &Trace), after: (&Answer, &Trace)) -> Vec<Difference> {
    let verdict = |answer: &Answer| match (answer.verdict, &answer.refusal) {
        (Verdict::Answered, _) => "answered".to_owned(),
        (Verdict::Partial, _) => "partial".into(),
        (Verdict::Refused, Some(refusal)) => format!("refused: {:?}", refusal.reason).to_lowercase(),
        (Verdict::Refused, None) => "refused".into(),
    };
    let citations = |answer: &Answer| {
        let line = |c: &crate::ask::Citation| {
            format!("[{}] {} v{} part {}: {}", c.marker, c.document.title, c.document.version, c.part, c.quote)
        };
        answer.citations.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    let ranked = |trace: &Trace| {
        let line = |r: &Ranked| format!("{}. {} v{} part {} ({})", r.rank, r.title, r.version, r.part, r.passage);
        trace.ranked.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    let prompt = |trace: &Trace| trace.sent.iter().map(|sent| sent.hash.as_str()).collect::<Vec<_>>().join(" ");
    let value = |answer: &Answer| answer.value.as_ref().map(|typed| typed.value.to_string()).unwrap_or_default();
    let (old, new) = (&before.1.versions, &after.1.versions);
    let pairs = [
        ("verdict", verdict(before.0), verdict(after.0)),
        ("text", before.0.text.clone(), after.0.text.clone()),
        ("value", value(before.0), value(after.0)),
        ("citations", citations(before.0), citations(after.0)),
        ("ranked", ranked(before.1), ranked(after.1)),
        ("prompt", prompt(before.1), prompt(after.1)),
        ("versions.program", old.program.clone(), new.program.clone()),
        ("versions.pack", old.pack.clone(), new.pack.clone()),
        ("versions.card", old.card.clone(), new.card.clone()),
        ("versions.model", old.model.clone(), new.model.clone()),
        ("versions.space", old.space.clone(), new.space.clone()),
    ];
    let differs = |(field, before, after): (&str, String, String)| {
        (before != after).then(|| Difference { field: field.into(), before, after })
    };
    pairs.into_iter().filter_map(differs).collect()
}
