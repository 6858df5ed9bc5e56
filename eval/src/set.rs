//! A public question set: how well does the target find and answer what others asked? Measured, never gated.
//!
//! A set is a directory with `set.json`, `corpus.jsonl` and `questions.jsonl`; fields we do not know are left alone, the data is not ours.
//! Where questions name a parallel document in another language, every question language is run over the documents of every
//! language: the translation of the gold document is the gold document there.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use index::hit::Filters;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    EvalError, Options, Progress, Report, Target,
    corpus::Corpus,
    invalid,
    matching::fold,
    metric::{Measure, Metric, Unit},
    probe::{Expected, Place, Plan, Probe},
    report::Setting,
};

/// A set that has been read and found consistent.
#[derive(Debug)]
pub struct Set {
    name: String,
    corpus: Corpus,
    questions: Vec<Question>,
}

#[derive(Deserialize)]
struct Head {
    set: String,
}

#[derive(Debug, Deserialize)]
struct Question {
    id: String,
    question: String,
    #[serde(default)]
    answers: Vec<String>,
    #[serde(default)]
    gold_doc_ids: Vec<String>,
    #[serde(default)]
    gold_pages: Vec<GoldPage>,
    answerable: bool,
    lang: String,
    #[serde(default)]
    category: Option<String>,
    #[serde(default)]
    meta: Meta,
}

#[derive(Debug, Deserialize)]
struct GoldPage {
    doc_id: String,
    page: u32,
}

/// What some sets say in addition.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Meta {
    /// The same text in the other language, and the answer as it stands there.
    parallel_doc_id: Option<String>,
    parallel_answer: Option<String>,
    /// `thousand`, `million`, `percent`: what the numbers of `answers` are counted in.
    scale: Option<String>,
    short_answer: Option<String>,
    /// Each part must be answered, in any of its wordings.
    answer_parts: Option<Vec<Vec<String>>>,
}

/// A longer reference (in columns, a Han character is two) is a text, not an answer that can be looked for.
const ESSAY: usize = 80;

impl Set {
    /// Reads a set and checks that its gold documents exist.
    ///
    /// # Errors
    /// `suite_invalid` with file and line; `corpus_missing`; `suite_unreadable`.
    pub fn read(dir: &Path) -> Result<Self, EvalError> {
        let head_path = dir.join("set.json");
        let head = std::fs::read_to_string(&head_path)
            .map_err(|source| EvalError::Unreadable { path: head_path.display().to_string(), source })?;
        let head: Head = serde_json::from_str(&head).map_err(|e| invalid::at(&head_path, e.line(), e.to_string()))?;
        let corpus = Corpus::read(dir.join("corpus.jsonl"))?;
        let path: PathBuf = dir.join("questions.jsonl");
        let rows = invalid::rows::<Question>(&path)?;
        if rows.is_empty() {
            return Err(invalid::at(&path, 0, "the set has no questions"));
        }
        for (line, q) in &rows {
            let gold = q.gold_doc_ids.iter().chain(q.gold_pages.iter().map(|p| &p.doc_id)).chain(&q.meta.parallel_doc_id);
            for document in gold {
                corpus.holds(document).map_err(|problem| invalid::at(&path, *line, problem))?;
            }
        }
        Ok(Self { name: head.set, corpus, questions: rows.into_iter().map(|(_, q)| q).collect() })
    }

    /// Ingests the corpus and puts the questions.
    ///
    /// # Errors
    /// If the corpus cannot be ingested at all.
    pub async fn run(
        &self,
        target: &dyn Target,
        options: &Options,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Report, EvalError> {
        let mut report = Report::begin("set", &self.name, self.corpus.hash.clone(), options);
        progress(Progress::Ingesting);
        report.ingested = target.ingest(&self.corpus.path).await?;
        let plan = Plan { target, mode: options.mode, top_k: 10, ask: options.ask, answer_mode: options.answer_mode };
        for (setting, probes) in self.settings(options.limit) {
            let total = probes.len();
            let on = |done| progress(Progress::Questions { setting: setting.clone(), done, total });
            let measured = plan.run(&setting, &probes, on).await;
            report.settings.push(Setting::of(&setting, &measured, &metrics(options.ask)));
            report.outcomes.extend(measured.outcomes);
        }
        report.end();
        Ok(report)
    }

    fn settings(&self, limit: Option<usize>) -> Vec<(String, Vec<Probe>)> {
        let picked = spread(&self.questions, limit);
        let languages: BTreeSet<&str> = picked.iter().map(|q| q.lang.as_str()).collect();
        if !self.questions.iter().any(|q| q.meta.parallel_doc_id.is_some()) {
            return vec![("all".to_owned(), picked.iter().map(|q| q.probe(None)).collect())];
        }
        let pairs = languages.iter().flat_map(|of| languages.iter().map(move |over| (*of, *over)));
        pairs
            .map(|(of, over)| {
                let probes = picked.iter().filter(|q| q.lang == of).map(|q| q.probe(Some(over))).collect();
                (format!("{of} questions, {over} documents"), probes)
            })
            .collect()
    }
}

/// So many of them, evenly spread: the first ones would all be about the first document.
fn spread(questions: &[Question], limit: Option<usize>) -> Vec<&Question> {
    let n = limit.unwrap_or(usize::MAX).min(questions.len());
    (0..n).map(|i| &questions[i * questions.len() / n]).collect()
}

impl Question {
    /// The question over all documents, or over those of one language.
    fn probe(&self, over: Option<&str>) -> Probe {
        let abroad = over.is_some_and(|lang| lang != self.lang);
        let documents = match (&self.meta.parallel_doc_id, abroad) {
            (Some(parallel), true) => vec![parallel.clone()],
            _ => self.gold_doc_ids.clone(),
        };
        let places = self.gold_pages.iter().map(|p| (p.doc_id.clone(), Place::Page(p.page))).collect();
        let mut filters = Filters::default();
        if let Some(lang) = over {
            filters.0.insert("language".into(), Value::from(lang));
        }
        Probe {
            id: self.id.clone(),
            question: self.question.clone(),
            filters,
            documents,
            places: if abroad { Vec::new() } else { places },
            expected: self.expected(),
            tags: self.category.iter().cloned().collect(),
        }
    }

    fn expected(&self) -> Expected {
        let boolean =
            (self.category.as_deref() == Some("boolean")).then(|| self.answers.iter().any(|a| a.eq_ignore_ascii_case("true")));
        let wordings = |answers: &[String]| -> Vec<String> {
            answers.iter().filter(|a| !a.trim().is_empty()).map(|a| scaled(a, self.meta.scale.as_deref())).collect()
        };
        let mut any = wordings(&self.answers);
        any.extend(self.meta.short_answer.iter().chain(&self.meta.parallel_answer).cloned());
        let essay = any.iter().all(|a| columns(a) > ESSAY);
        let facts = match (self.category.as_deref(), &self.meta.answer_parts) {
            _ if !self.answerable => Vec::new(),
            (_, Some(parts)) => parts.iter().map(|p| wordings(p)).collect(),
            (Some("multi-span" | "names"), _) => any.into_iter().map(|a| vec![a]).collect(),
            _ => match any.as_slice() {
                [] => Vec::new(),
                [list] if is_list(list) => list.split('、').map(|item| vec![item.trim().to_owned()]).collect(),
                _ => vec![any],
            },
        };
        Expected { answerable: self.answerable, facts, forbidden: Vec::new(), boolean, essay }
    }
}

/// An enumeration of names, as Chinese answers give it: 甲公司、乙公司.
fn is_list(answer: &str) -> bool {
    answer.contains('、') && !answer.contains(['，', '。', ',']) && answer.split('、').all(|item| columns(item) <= 40)
}

/// An answer with the scale its set keeps beside it.
fn scaled(answer: &str, scale: Option<&str>) -> String {
    match scale {
        Some("percent") if !answer.contains('%') => format!("{answer}%"),
        Some(scale @ ("thousand" | "million" | "billion")) if !fold(answer).contains(scale) => format!("{answer} {scale}"),
        _ => answer.to_owned(),
    }
}

fn columns(text: &str) -> usize {
    crate::report::width(text)
}

/// What is reported of a set.
fn metrics(asked: bool) -> Vec<Metric> {
    const RANKING: [(Measure, usize); 7] = [
        (Measure::Hit, 1),
        (Measure::Hit, 10),
        (Measure::Recall, 1),
        (Measure::Recall, 5),
        (Measure::Recall, 10),
        (Measure::Ndcg, 10),
        (Measure::Mrr, 10),
    ];
    let mut metrics: Vec<Metric> =
        [Unit::Document, Unit::Page].iter().flat_map(|u| RANKING.iter().map(|(m, k)| Metric::Ranking(*u, *m, *k))).collect();
    if asked {
        metrics.extend([Metric::Correct, Metric::Wrong, Metric::FalseRefusal, Metric::RefusalRecall, Metric::Citations]);
    }
    metrics
}
