//! A suite: our cases and the gates they must pass. `suite.toml` says over which documents and with which gates, `cases.jsonl` holds
//! one case per line. Every field is known: a typo stops the run before anything is ingested, with file, line and the nearest name.

use std::{collections::HashMap, path::Path};

use serde::Deserialize;
use toml::Spanned;

use crate::{
    EvalError, Options, Progress, Report, Target,
    corpus::Corpus,
    invalid,
    metric::{Measure, Metric, Unit},
    probe::{Expected, Place, Plan, Probe},
    report::{Gated, Setting},
};

/// A suite that has been read and found consistent.
#[derive(Debug)]
pub struct Suite {
    name: String,
    corpus: Corpus,
    top_k: usize,
    gates: Vec<Gate>,
    cases: Vec<Case>,
}

/// A bound on a metric over all cases it applies to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gate {
    pub(crate) metric: Metric,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    version: Spanned<u32>,
    name: String,
    corpus: Spanned<String>,
    #[serde(default)]
    top_k: Option<Spanned<usize>>,
    #[serde(default)]
    gates: Vec<GateRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GateRow {
    metric: Spanned<String>,
    min: Option<f64>,
    max: Option<f64>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    question: String,
    /// Language of the question; a tag in the report.
    lang: String,
    answerable: bool,
    #[serde(default)]
    facts: Vec<Fact>,
    #[serde(default)]
    forbidden: Vec<String>,
    #[serde(default)]
    evidence: Vec<Evidence>,
    #[serde(default)]
    tags: Vec<String>,
    /// For the people who keep the suite.
    #[serde(default, rename = "note")]
    _note: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fact {
    any: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Evidence {
    doc: String,
    page: Option<u32>,
    quote: String,
}

impl Suite {
    /// Reads a suite and checks all of it.
    ///
    /// # Errors
    /// `suite_invalid` with file, line and the nearest name; `corpus_missing`; `suite_unreadable`.
    pub fn read(dir: &Path) -> Result<Self, EvalError> {
        let path = dir.join("suite.toml");
        let (head, text) = invalid::toml::<Head>(&path)?;
        let wrong = |at: usize, problem: String| invalid::at(&path, invalid::line_of(&text, at), problem);
        if *head.version.get_ref() != 1 {
            return Err(wrong(
                head.version.span().start,
                format!("version {} is not known, this is version 1", head.version.get_ref()),
            ));
        }
        let top_k = head.top_k.as_ref().map_or(10, |k| *k.get_ref());
        if let Some(k) = head.top_k.filter(|k| !(1..=100).contains(k.get_ref())) {
            return Err(wrong(k.span().start, format!("top_k is {}, it must be 1 to 100", k.get_ref())));
        }
        let mut gates = Vec::new();
        for row in head.gates {
            let start = row.metric.span().start;
            let metric = Metric::parse(row.metric.get_ref()).map_err(|problem| wrong(start, problem))?;
            if row.min.is_none() && row.max.is_none() {
                return Err(wrong(start, format!("the gate on `{metric}` has neither min nor max")));
            }
            if let Some(bound) = [row.min, row.max].into_iter().flatten().find(|b| !(0.0..=1.0).contains(b)) {
                return Err(wrong(start, format!("the gate on `{metric}` is {bound}, it must be 0 to 1")));
            }
            gates.push(Gate { metric, min: row.min, max: row.max });
        }
        let corpus = Corpus::read(dir.join(head.corpus.get_ref()))?;
        let path = dir.join("cases.jsonl");
        let rows = invalid::rows::<Case>(&path)?;
        if rows.is_empty() {
            return Err(invalid::at(&path, 0, "the suite has no cases"));
        }
        let mut lines = HashMap::new();
        for (line, case) in &rows {
            case.check(&corpus).map_err(|problem| invalid::at(&path, *line, problem))?;
            if let Some(first) = lines.insert(case.id.clone(), *line) {
                return Err(invalid::at(&path, *line, format!("the id `{}` is taken by line {first}", case.id)));
            }
        }
        Ok(Self { name: head.name, corpus, top_k, gates, cases: rows.into_iter().map(|(_, case)| case).collect() })
    }

    /// Ingests the corpus, puts the cases, and holds the gates against what comes back.
    ///
    /// # Errors
    /// If the corpus cannot be ingested at all.
    pub async fn run(
        &self,
        target: &dyn Target,
        options: &Options,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Report, EvalError> {
        let mut report = Report::begin("suite", &self.name, self.corpus.hash.clone(), options);
        progress(Progress::Ingesting);
        report.ingested = target.ingest(&self.corpus.path).await?;
        let plan = Plan { target, mode: options.mode, top_k: self.top_k, ask: true, answer_mode: options.answer_mode };
        let probes: Vec<Probe> = self.cases.iter().map(Case::probe).collect();
        let total = probes.len();
        let measured =
            plan.run("all", &probes, |done| progress(Progress::Questions { setting: "all".into(), done, total })).await;
        report.settings.push(Setting::of("all", &measured, &self.metrics()));
        report.gates = self.gates.iter().map(|gate| Gated::of(*gate, &measured.outcomes)).collect();
        report.outcomes = measured.outcomes;
        report.end();
        Ok(report)
    }

    /// The usual numbers, and those the gates ask for.
    fn metrics(&self) -> Vec<Metric> {
        let k = self.top_k;
        let mut metrics = vec![
            Metric::Ranking(Unit::Document, Measure::Hit, k),
            Metric::Ranking(Unit::Page, Measure::Hit, 1),
            Metric::Ranking(Unit::Page, Measure::Hit, k),
            Metric::Ranking(Unit::Page, Measure::Recall, k),
            Metric::Ranking(Unit::Page, Measure::Mrr, k),
            Metric::Ranking(Unit::Page, Measure::Ndcg, k),
            Metric::Facts,
            Metric::Correct,
            Metric::Wrong,
            Metric::RefusalRecall,
            Metric::RefusalPrecision,
            Metric::FalseRefusal,
            Metric::Citations,
        ];
        for gate in &self.gates {
            if !metrics.contains(&gate.metric) {
                metrics.push(gate.metric);
            }
        }
        metrics
    }
}

impl Case {
    fn check(&self, corpus: &Corpus) -> Result<(), String> {
        if self.id.trim().is_empty() {
            return Err("the id is empty".into());
        }
        if self.question.trim().is_empty() {
            return Err(format!("the question of `{}` is empty", self.id));
        }
        if self.answerable && self.facts.is_empty() && self.evidence.is_empty() {
            return Err(format!("`{}` is answerable, but has neither facts nor evidence: nothing could fail", self.id));
        }
        if !self.answerable && !(self.facts.is_empty() && self.evidence.is_empty()) {
            return Err(format!("`{}` is not answerable, but has facts or evidence", self.id));
        }
        let blank = |texts: &[String]| texts.iter().any(|t| t.trim().is_empty());
        if self.facts.iter().any(|f| f.any.is_empty() || blank(&f.any)) || blank(&self.forbidden) {
            return Err(format!("`{}` has an empty fact or forbidden text", self.id));
        }
        for evidence in &self.evidence {
            corpus.holds(&evidence.doc)?;
            if evidence.page == Some(0) {
                return Err(format!("page 0 of `{}`: pages count from 1", evidence.doc));
            }
            if evidence.quote.trim().is_empty() {
                return Err(format!("the quote from `{}` is empty", evidence.doc));
            }
        }
        Ok(())
    }

    fn probe(&self) -> Probe {
        let mut documents: Vec<String> = Vec::new();
        for evidence in &self.evidence {
            if !documents.contains(&evidence.doc) {
                documents.push(evidence.doc.clone());
            }
        }
        let place = |e: &Evidence| e.page.map_or_else(|| Place::Quote(e.quote.clone()), Place::Page);
        Probe {
            id: self.id.clone(),
            question: self.question.clone(),
            documents,
            places: self.evidence.iter().map(|e| (e.doc.clone(), place(e))).collect(),
            expected: Expected {
                answerable: self.answerable,
                facts: self.facts.iter().map(|f| f.any.clone()).collect(),
                forbidden: self.forbidden.clone(),
                ..Expected::default()
            },
            tags: std::iter::once(self.lang.clone()).chain(self.tags.iter().cloned()).collect(),
            ..Probe::default()
        }
    }
}
