//! What came of a run: the numbers, the gates, one line per question. The same structure is the JSON of `--json`, and [`Report::table`]
//! is what a person sees on a terminal.

use std::{collections::BTreeSet, fmt::Write, time::Instant};

use index::hit::{Mode, Took};
use serde::Serialize;

use crate::{
    EvalError, Ingested, Options,
    baseline::{Comparison, Record, watched},
    curve::curve,
    interval::{Estimate, estimate},
    metric::Metric,
    outcome::{Judgement, Outcome},
    probe::Measured,
    suite::Gate,
};

/// More unmeasured questions than this share, and the run says nothing.
const UNMEASURED: f64 = 0.02;
/// Failing cases named under a gate on a terminal; the JSON names all.
const NAMED: usize = 10;

/// What came of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// `set` or `suite`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Passed, failed or inconclusive.
    pub verdict: Verdict,
    /// Which arms of the search ran.
    pub mode: Mode,
    /// How the target was broken on purpose, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mutant: Option<&'static str>,
    /// Hash over every document; only reports with the same hash can be compared.
    pub corpus_hash: String,
    /// Hash over the settings of the target.
    pub config_hash: String,
    /// What became of the corpus.
    pub ingested: Ingested,
    /// The numbers, per setting; most runs have one, `all`, and its languages.
    pub settings: Vec<Setting>,
    /// The gates of a suite.
    pub gates: Vec<Gated>,
    /// The metrics that must not drop against a baseline.
    pub watched: Vec<String>,
    /// How it compares with the baseline, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Comparison>,
    /// One line per question and setting.
    pub outcomes: Vec<Outcome>,
    /// When it started, RFC 3339.
    pub started_at: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    #[serde(skip)]
    clock: Instant,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every gate holds. A set has no gates.
    Passed,
    /// A gate does not hold.
    Failed,
    /// Too much could not be measured to say.
    Inconclusive,
}

/// The numbers of one setting.
#[derive(Debug, Clone, Serialize)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Questions put.
    pub questions: usize,
    /// Of them, those without an answer in the corpus.
    pub unanswerable: usize,
    /// Of them, those that could not be measured.
    pub unmeasured: usize,
    /// Answers that no rule could judge; they count neither as correct nor as wrong.
    pub unjudged: usize,
    /// The metrics that apply.
    pub metrics: Vec<Line>,
    /// Times of a search as people use it.
    pub search: Option<Latency>,
    /// Times of the stages of a search, and of all but the encoding of the question (`apart`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<(&'static str, Latency)>,
    /// Times of a whole answer.
    pub ask: Option<Latency>,
}

/// A metric with its value.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// Its name.
    pub metric: String,
    /// Its mean and interval.
    #[serde(flatten)]
    pub estimate: Estimate,
}

/// Times in milliseconds, by nearest rank.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// How many were timed.
    pub n: usize,
    /// Half are at most this.
    pub p50_ms: f64,
    /// 95 % are at most this.
    pub p95_ms: f64,
}

/// A gate and what was measured against it.
#[derive(Debug, Clone, Serialize)]
pub struct Gated {
    /// The set and setting it is about, if it is not about the whole run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
    /// The metric's name.
    pub metric: String,
    /// It must be at least this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// It must be at most this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The mean over the cases it applies to; absent if there are none.
    pub value: Option<f64>,
    /// Those cases.
    pub n: usize,
    /// Whether it holds.
    pub verdict: Verdict,
    /// The cases that pull it down, worst first, with where they went wrong.
    pub failing: Vec<Failing>,
}

/// A case that pulls a gate down.
#[derive(Debug, Clone, Serialize)]
pub struct Failing {
    /// The case's id.
    pub id: String,
    /// Where it went wrong.
    pub note: String,
}

impl Report {
    /// Adds what became of another corpus.
    pub(crate) fn add(&mut self, ingested: &Ingested) {
        self.ingested.documents += ingested.documents;
        self.ingested.pages += ingested.pages;
        self.ingested.seconds += ingested.seconds;
        self.ingested.failed.extend(ingested.failed.iter().cloned());
    }

    /// An empty report; refuses a baseline over other documents before anything is ingested.
    pub(crate) fn begin(kind: &'static str, name: &str, corpus_hash: String, options: &Options) -> Result<Self, EvalError> {
        if let Some(baseline) = &options.baseline {
            baseline.same_corpus(&corpus_hash, &options.guard)?;
        }
        Ok(Self {
            kind,
            name: name.to_owned(),
            verdict: Verdict::Inconclusive,
            mode: options.mode,
            mutant: options.mutant.map(crate::Mutant::as_str),
            corpus_hash,
            config_hash: options.config_hash.clone(),
            ingested: Ingested::default(),
            settings: Vec::new(),
            gates: Vec::new(),
            watched: Vec::new(),
            baseline: None,
            outcomes: Vec::new(),
            started_at: jiff::Timestamp::now().to_string(),
            seconds: 0.0,
            clock: Instant::now(),
        })
    }

    pub(crate) fn end(mut self, options: &Options) -> Result<Self, EvalError> {
        self.seconds = self.clock.elapsed().as_secs_f64();
        self.watched = watched(&self.gates);
        if let Some(baseline) = &options.baseline {
            self.baseline = Some(Comparison::of(baseline, &Record::of(&self), &options.guard)?.with_detectable());
        }
        self.decide();
        Ok(self)
    }

    fn decide(&mut self) {
        let unmeasured = self.outcomes.iter().filter(|o| o.error.is_some()).count();
        let too_many = unmeasured as f64 > UNMEASURED * self.outcomes.len() as f64;
        let any = |verdict| self.gates.iter().any(|g| g.verdict == verdict);
        let dropped = self.baseline.as_ref().is_some_and(Comparison::dropped);
        // A question that could not be measured may hide a failure, but it does not excuse one that was seen.
        self.verdict = match () {
            () if (any(Verdict::Failed) || dropped) && !too_many => Verdict::Failed,
            () if too_many || any(Verdict::Inconclusive) => Verdict::Inconclusive,
            () => Verdict::Passed,
        };
    }

    /// Whether every gate holds and enough was measured to say so.
    pub fn passed(&self) -> bool {
        self.verdict == Verdict::Passed
    }

    /// The value of a metric in the first setting.
    pub fn metric(&self, name: &str) -> Option<Estimate> {
        self.settings.first()?.metrics.iter().find(|line| line.metric == name).map(|line| line.estimate)
    }

    /// The report as plain text for a terminal.
    pub fn table(&self) -> String {
        let mut out = String::new();
        self.write(&mut out).map_or_else(|_| String::new(), |()| out)
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let mode = match self.mode {
            Mode::Hybrid => "hybrid",
            Mode::Dense => "dense",
            Mode::Lexical => "lexical",
        };
        write!(out, "{} {}, {mode} search", self.kind, self.name)?;
        writeln!(out, "{}", self.mutant.map(|m| format!(", broken on purpose: {m}")).unwrap_or_default())?;
        let i = &self.ingested;
        writeln!(
            out,
            "corpus {}: {} documents, {} pages ready in {:.1} s{}",
            self.corpus_hash,
            i.documents,
            i.pages,
            i.seconds,
            if i.failed.is_empty() { String::new() } else { format!(", {} failed", i.failed.len()) }
        )?;
        for failed in i.failed.iter().take(NAMED) {
            writeln!(out, "  failed: {} ({}: {})", failed.name, failed.code, failed.detail)?;
        }
        if i.failed.len() > NAMED {
            writeln!(out, "  … and {} more", i.failed.len() - NAMED)?;
        }
        for setting in &self.settings {
            setting.write(out)?;
        }
        let points = curve(&self.outcomes);
        if !points.is_empty() {
            writeln!(out, "\nif answers less sure than a bound were refused")?;
            let rows = points
                .iter()
                .map(|p| vec![format!("{:.3}", p.bound), percent(Some(p.right_refusals)), percent(Some(p.false_refusals))]);
            aligned(out, &["bound", "right refusals", "false refusals"], rows.collect())?;
        }
        if !self.gates.is_empty() {
            self.write_gates(out)?;
        }
        if let Some(baseline) = &self.baseline {
            write!(out, "\n{}", baseline.table(false))?;
        }
        let errors: Vec<&Outcome> = self.outcomes.iter().filter(|o| o.error.is_some()).collect();
        if !errors.is_empty() {
            writeln!(out, "\nnot measured: {} of {}", errors.len(), self.outcomes.len())?;
            for outcome in errors.iter().take(NAMED) {
                writeln!(out, "  {}: {}", outcome.id, outcome.error.as_deref().unwrap_or_default())?;
            }
        }
        let verdict = match (self.verdict, self.gates.is_empty() && self.baseline.is_none()) {
            (Verdict::Inconclusive, _) => "inconclusive: too much could not be measured",
            (_, true) => "measured",
            (Verdict::Passed, _) => "passed",
            (Verdict::Failed, _) => "failed",
        };
        writeln!(out, "\n{verdict}, {:.1} s", self.seconds)
    }

    fn write_gates(&self, out: &mut String) -> std::fmt::Result {
        let rows = self.gates.iter().map(|gate| {
            let mark = match gate.verdict {
                Verdict::Passed => "ok",
                Verdict::Failed => "FAILED",
                Verdict::Inconclusive => "not measured",
            };
            let bounds = [("≥", gate.min), ("≤", gate.max)];
            let bounds: Vec<String> = bounds.iter().filter_map(|(sign, b)| b.map(|b| format!("{sign} {b}"))).collect();
            vec![gate.label(), percent(gate.value), bounds.join(", "), gate.n.to_string(), mark.to_owned()]
        });
        writeln!(out)?;
        aligned(out, &["gate", "value", "bound", "n", ""], rows.collect())?;
        for gate in self.gates.iter().filter(|g| g.verdict == Verdict::Failed) {
            writeln!(out, "\n{} fails on", gate.label())?;
            let rows = gate.failing.iter().take(NAMED).map(|f| vec![format!("  {}", f.id), f.note.clone()]).collect();
            aligned(out, &[], rows)?;
            if gate.failing.len() > NAMED {
                writeln!(out, "  … and {} more", gate.failing.len() - NAMED)?;
            }
        }
        Ok(())
    }
}

impl Setting {
    /// The setting and, where questions come in several languages, each language of it.
    pub(crate) fn with_languages(name: &str, measured: &Measured, metrics: &[Metric]) -> Vec<Self> {
        let all: Vec<&Outcome> = measured.outcomes.iter().collect();
        let mut whole = Self::of(name, &all, metrics);
        whole.search = Latency::of(&measured.search_ms);
        whole.stages = stages(&measured.took);
        whole.ask = Latency::of(&measured.ask_ms);
        let languages: BTreeSet<&str> = all.iter().map(|o| o.language.as_str()).collect();
        let apart = languages.iter().filter(|_| languages.len() > 1).map(|language| {
            let some: Vec<&Outcome> = all.iter().copied().filter(|o| o.language == *language).collect();
            Self::of(language, &some, metrics)
        });
        std::iter::once(whole).chain(apart).collect()
    }

    fn of(name: &str, outcomes: &[&Outcome], metrics: &[Metric]) -> Self {
        let count = |f: &dyn Fn(&Outcome) -> bool| outcomes.iter().filter(|o| f(o)).count();
        let line = |metric: &Metric| {
            let values = outcomes.iter().filter_map(|o| Some((o.cluster(), o.value(*metric)?)));
            estimate(values).map(|estimate| Line { metric: metric.to_string(), estimate })
        };
        Self {
            name: name.to_owned(),
            questions: outcomes.len(),
            unanswerable: count(&|o| !o.answerable),
            unmeasured: count(&|o| o.error.is_some()),
            unjudged: count(&|o| o.judgement == Some(Judgement::Unjudged)),
            metrics: metrics.iter().filter_map(line).collect(),
            search: None,
            stages: Vec::new(),
            ask: None,
        }
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        write!(out, "\n{}: {} questions", self.name, self.questions)?;
        for (n, what) in
            [(self.unanswerable, "without an answer"), (self.unjudged, "not judged"), (self.unmeasured, "not measured")]
        {
            if n > 0 {
                write!(out, ", {n} {what}")?;
            }
        }
        writeln!(out)?;
        let rows = self.metrics.iter().map(|line| {
            let e = line.estimate;
            let interval =
                e.low.zip(e.high).map_or(String::new(), |(low, high)| format!("{:.1} – {:.1}", 100.0 * low, 100.0 * high));
            vec![line.metric.clone(), percent(Some(e.mean)), interval, e.n.to_string()]
        });
        aligned(out, &["metric", "%", "95 %", "n"], rows.collect())?;
        for (what, latency) in [("search", self.search), ("ask", self.ask)] {
            if let Some(l) = latency {
                writeln!(out, "{what}: p50 {:.1} ms, p95 {:.1} ms ({} timed)", l.p50_ms, l.p95_ms, l.n)?;
            }
        }
        let stages: Vec<String> =
            self.stages.iter().map(|(name, l)| format!("{name} {:.1} / {:.1}", l.p50_ms, l.p95_ms)).collect();
        if !stages.is_empty() {
            writeln!(out, "stages of a search, p50 / p95 ms: {}", stages.join(", "))?;
        }
        Ok(())
    }
}

/// The stages of searches, in order.
fn stages(took: &[Took]) -> Vec<(&'static str, Latency)> {
    let timed = took.iter().any(|took| *took != Took::default());
    let names = Took::default().stages().map(|(name, _)| name);
    let each = (0..names.len()).map(|at| (names[at], took.iter().map(|took| took.stages()[at].1).collect::<Vec<f64>>()));
    each.filter(|_| timed).filter_map(|(name, times)| Some((name, Latency::of(&times)?))).collect()
}

impl Latency {
    fn of(times: &[f64]) -> Option<Self> {
        let mut sorted = times.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| sorted.get(((share * sorted.len() as f64).ceil() as usize).max(1) - 1).copied();
        Some(Self { n: sorted.len(), p50_ms: at(0.5)?, p95_ms: at(0.95)? })
    }
}

impl Gated {
    /// What it is about: the metric, and over what.
    pub fn label(&self) -> String {
        self.over.iter().chain([&self.metric]).map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn of<'a>(gate: Gate, outcomes: impl Iterator<Item = &'a Outcome>) -> Self {
        let values: Vec<(&Outcome, f64)> = outcomes.filter_map(|o| Some((o, o.value(gate.metric)?))).collect();
        let n = values.len();
        let value = (n > 0).then(|| values.iter().map(|(_, v)| v).sum::<f64>() / n as f64);
        let holds = |v: f64| gate.min.is_none_or(|min| v >= min - 1e-9) && gate.max.is_none_or(|max| v <= max + 1e-9);
        let loss = |v: f64| if gate.metric.lower_is_better() { v } else { 1.0 - v };
        let mut failing: Vec<&(&Outcome, f64)> = values.iter().filter(|(_, v)| loss(*v) > 0.0).collect();
        failing.sort_by(|a, b| loss(b.1).total_cmp(&loss(a.1)));
        Self {
            over: None,
            metric: gate.metric.to_string(),
            min: gate.min,
            max: gate.max,
            value,
            n,
            verdict: value.map_or(Verdict::Inconclusive, |v| if holds(v) { Verdict::Passed } else { Verdict::Failed }),
            failing: failing.iter().map(|(o, _)| Failing { id: o.id.clone(), note: o.note.clone() }).collect(),
        }
    }
}

pub(crate) fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |v| format!("{:.1}", 100.0 * v))
}

/// Columns by their widest cell; a Han character takes two.
pub(crate) fn aligned(out: &mut String, head: &[&str], rows: Vec<Vec<String>>) -> std::fmt::Result {
    let head = (!head.is_empty()).then(|| head.iter().map(|h| (*h).to_owned()).collect());
    let rows: Vec<Vec<String>> = head.into_iter().chain(rows).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> =
        (0..columns).map(|c| rows.iter().filter_map(|r| r.get(c)).map(|cell| width(cell)).max().unwrap_or(0)).collect();
    for row in rows {
        let line: String = row.iter().zip(&widths).map(|(cell, w)| format!("{cell}{}  ", " ".repeat(w - width(cell)))).collect();
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Columns of a terminal that a text takes: two for East Asian wide and full-width characters, none for combining marks.
pub(crate) fn width(text: &str) -> usize {
    text.chars()
        .map(|c| match c {
            '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{fe00}'..='\u{fe0f}' => 0,
            '\u{1100}'..='\u{115f}'
            | '\u{2e80}'..='\u{a4cf}'
            | '\u{ac00}'..='\u{d7a3}'
            | '\u{f900}'..='\u{faff}'
            | '\u{fe30}'..='\u{fe6f}'
            | '\u{ff00}'..='\u{ff60}'
            | '\u{ffe0}'..='\u{ffe6}'
            | '\u{1f300}'..='\u{1faff}'
            | '\u{20000}'..='\u{3fffd}' => 2,
            _ => 1,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_ids_do_not_shift_the_columns() {
        let mut out = String::new();
        aligned(&mut out, &["case", "note"], vec![vec!["毛利率".into(), "x".into()], vec!["margin-1".into(), "y".into()]])
            .unwrap();
        assert_eq!(out, "case      note\n毛利率    x\nmargin-1  y\n");
    }

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times: Vec<f64> = (1..=20).map(f64::from).collect();
        assert_eq!(Latency::of(&times), Some(Latency { n: 20, p50_ms: 10.0, p95_ms: 19.0 }));
        assert_eq!(Latency::of(&[7.0]), Some(Latency { n: 1, p50_ms: 7.0, p95_ms: 7.0 }));
        assert_eq!(Latency::of(&[]), None);
    }
}
