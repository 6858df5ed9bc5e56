//! What came of one question, and what it counts for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    metric::{Judged, Metric, Unit},
    probe::Probe,
};

/// One question's line in the report.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The question's id.
    pub id: String,
    /// The part of the run it belongs to.
    pub setting: String,
    /// The question.
    pub question: String,
    /// Its language.
    pub language: String,
    /// Whether the corpus holds an answer.
    pub answerable: bool,
    /// Tags of the case, or the category of the question.
    pub tags: Vec<String>,
    /// Rank of the first gold document among the documents found.
    pub document_rank: Option<usize>,
    /// Rank of the first gold page among the pages found.
    pub page_rank: Option<usize>,
    /// Whether it was refused, if it was asked.
    pub refused: Option<bool>,
    /// How sure the answerer was, if it says.
    pub confidence: Option<f32>,
    /// The judgement, if it was asked.
    pub judgement: Option<Judgement>,
    /// Share of the facts that the answer states.
    pub facts: Option<f64>,
    /// How its citations stand, if it was answered.
    pub citations: Option<Citations>,
    /// What was answered.
    pub answer: Option<String>,
    /// What it counts for each metric of the report that applies to it.
    pub scores: BTreeMap<String, f64>,
    /// Where it went wrong, in a few words; empty if it did not.
    pub note: String,
    /// Why it could not be measured.
    pub error: Option<String>,
    #[serde(skip)]
    can_be_judged: bool,
    #[serde(skip)]
    cluster: String,
    #[serde(skip)]
    pub(crate) problems: Vec<String>,
    #[serde(skip)]
    document: Option<Judged>,
    #[serde(skip)]
    page: Option<Judged>,
}

/// How an answer compares with what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// Right; for an unanswerable question: refused.
    Correct,
    /// The answer says itself that it is partial, and what it says is right.
    Partial,
    /// Answered, but not with what was expected; for an unanswerable question: answered.
    Wrong,
    /// Refused, although the corpus holds an answer.
    Refused,
    /// Answered; whether rightly cannot be told by rule.
    Unjudged,
}

/// How the citations of an answer stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Citations {
    /// Citations.
    pub total: usize,
    /// Those whose quote stands in the stored page.
    pub valid: usize,
    /// What is wrong with the others.
    pub problems: Vec<String>,
}

impl Judgement {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Correct => "correct",
            Self::Partial => "partial",
            Self::Wrong => "wrong",
            Self::Refused => "refused",
            Self::Unjudged => "unjudged",
        }
    }
}

impl Outcome {
    pub(crate) fn new(setting: &str, probe: &Probe) -> Self {
        Self {
            id: probe.id.clone(),
            setting: setting.to_owned(),
            question: probe.question.clone(),
            language: probe.language.clone(),
            answerable: probe.expected.answerable,
            tags: probe.tags.clone(),
            document_rank: None,
            page_rank: None,
            refused: None,
            confidence: None,
            judgement: None,
            facts: None,
            citations: None,
            answer: None,
            scores: BTreeMap::new(),
            note: String::new(),
            error: None,
            can_be_judged: probe.expected.can_be_judged(),
            // A question about no document of ours is its own cluster.
            cluster: probe.documents.first().unwrap_or(&probe.id).clone(),
            problems: Vec::new(),
            document: None,
            page: None,
        }
    }

    pub(crate) fn rank(&mut self, document: Option<Judged>, page: Option<Judged>) {
        self.document_rank = document.as_ref().and_then(Judged::first);
        self.page_rank = page.as_ref().and_then(Judged::first);
        (self.document, self.page) = (document, page);
    }

    pub(crate) fn judge(&mut self, (judgement, facts, problems): (Judgement, Option<f64>, Vec<String>)) {
        self.judgement = Some(judgement);
        self.facts = facts;
        self.problems.extend(problems);
    }

    /// The document it is about: questions of one document are not independent of each other.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// What it counts for a metric; `None` where the metric does not apply or could not be measured.
    pub fn value(&self, metric: Metric) -> Option<f64> {
        let share = |yes: bool| f64::from(u8::from(yes));
        if let Metric::Ranking(unit, measure, k) = metric {
            let judged = match unit {
                Unit::Document => self.document.as_ref(),
                Unit::Page => self.page.as_ref(),
            };
            return judged.map(|judged| measure.of(judged, k));
        }
        let judgement = self.judgement?;
        let refused = self.refused?;
        // All answerable questions of a kind that can be judged, refused ones too: leaving out only some answers would flatter or slander.
        let judged = self.answerable && self.can_be_judged;
        match metric {
            Metric::Facts => self.facts,
            Metric::Correct => judged.then(|| share(judgement == Judgement::Correct)),
            Metric::Wrong => judged.then(|| share(judgement == Judgement::Wrong)),
            Metric::RefusalRecall => (!self.answerable).then(|| share(refused)),
            Metric::RefusalPrecision => refused.then(|| share(judgement == Judgement::Correct)),
            Metric::FalseRefusal => self.answerable.then(|| share(judgement == Judgement::Refused)),
            Metric::Citations => {
                self.citations.as_ref().map(|c| if c.total == 0 { 0.0 } else { c.valid as f64 / c.total as f64 })
            }
            Metric::Ranking(..) => None,
        }
    }

    pub(crate) fn score(&mut self, metrics: &[Metric]) {
        self.scores = metrics.iter().filter_map(|m| Some((m.to_string(), self.value(*m)?))).collect();
    }

    /// Says in a few words where it went wrong: at the document, at the search, at the answer, at the proof.
    pub(crate) fn explain(&mut self, top_k: usize) {
        let (rank, found) = match (&self.page, &self.document) {
            (Some(_), _) => (self.page_rank, "evidence"),
            (None, Some(_)) => (self.document_rank, "document"),
            _ => (None, ""),
        };
        let search = match rank {
            Some(rank) if rank <= top_k => format!("{found} at rank {rank}"),
            Some(rank) => format!("{found} only at rank {rank}"),
            None if found.is_empty() => String::new(),
            None => match self.document_rank {
                Some(at) if found == "evidence" => format!("evidence not found, its document at rank {at}"),
                _ => format!("{found} not found"),
            },
        };
        let missed = rank.is_none_or(|rank| rank > top_k) && !found.is_empty();
        let mut parts = match (&self.error, self.judgement) {
            (Some(error), _) => vec![format!("not measured: {error}")],
            (None, Some(Judgement::Wrong)) if !self.answerable => vec!["answered, though there is no answer".to_owned()],
            (None, Some(Judgement::Wrong)) => vec![search, "answer wrong".to_owned()],
            (None, Some(Judgement::Partial)) => vec![search, "answer incomplete".to_owned()],
            (None, Some(Judgement::Refused)) => vec![search, "refused".to_owned()],
            (None, Some(Judgement::Unjudged)) if missed => vec![search, "answer not judged".to_owned()],
            _ if missed => vec![search],
            _ => Vec::new(),
        };
        parts.append(&mut self.problems);
        if let Some(citations) = &self.citations {
            parts.extend(citations.problems.iter().cloned());
            parts.extend((citations.total == 0).then(|| "no citation".to_owned()));
        }
        parts.retain(|part| !part.is_empty());
        self.note = parts.join("; ");
    }
}
