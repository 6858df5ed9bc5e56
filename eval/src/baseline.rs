//! Is this run worse than the one we accepted? A run in small ([`Record`]), and the comparison of two of them.
//!
//! A baseline file is a record with the reason why it was accepted: sorted, one line per case, made for reading in a diff. A metric has
//! dropped only if the paired test (`paired`) says that chance does not explain it *and* the loss is at least
//! [`Guard::least_drop`]: a gate on the second alone is red for noise, on the first alone for trifles.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{
    EvalError, Report, invalid,
    metric::Metric,
    outcome::{Judgement, Outcome},
    paired,
    report::{aligned, percent},
};

/// Verdicts that differ between two runs of the same build with a language model in it: what a drop must stand out from.
pub const FLIPS: f64 = 0.08;
/// What is watched where no gate says it.
const WATCHED: [&str; 7] =
    ["document.hit@10", "page.hit@10", "answer.correct", "answer.wrong", "refusal.recall", "refusal.false", "citations.valid"];
/// Changed cases that are named.
const NAMED: usize = 10;

/// A run in small: what each case scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    version: u32,
    /// Name of the set or suite.
    pub name: String,
    /// Why it was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Hash over every document.
    pub corpus_hash: String,
    /// Hash over the settings it ran with.
    pub config_hash: String,
    /// The metrics that must not drop.
    pub watched: Vec<String>,
    /// By case id; where a set is run in several settings, the setting is part of it.
    pub cases: BTreeMap<String, Scored>,
}

/// What a case scored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scored {
    /// How the answer was judged, or `unmeasured`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// By metric.
    pub scores: BTreeMap<String, f64>,
    /// Where it went wrong; not kept in a baseline.
    #[serde(skip)]
    pub note: String,
}

/// When a drop counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Guard {
    /// Chance of a false alarm, over all metrics together.
    pub alpha: f64,
    /// Smaller drops are let pass, however significant.
    pub least_drop: f64,
    /// Compare although the documents are not the same.
    pub allow_corpus_change: bool,
}

impl Default for Guard {
    fn default() -> Self {
        Self { alpha: 0.05, least_drop: 0.03, allow_corpus_change: false }
    }
}

/// The parts of a run's JSON that a record is made of.
#[derive(Deserialize)]
struct RunFile {
    name: String,
    corpus_hash: String,
    #[serde(default)]
    config_hash: String,
    watched: Vec<String>,
    outcomes: Vec<RunLine>,
}

#[derive(Deserialize)]
struct RunLine {
    id: String,
    setting: String,
    judgement: Option<Judgement>,
    error: Option<String>,
    #[serde(default)]
    note: String,
    scores: BTreeMap<String, f64>,
}

impl Record {
    /// The record of a run that has just ended.
    pub fn of(report: &Report) -> Self {
        let line = |o: &Outcome| RunLine {
            id: o.id.clone(),
            setting: o.setting.clone(),
            judgement: o.judgement,
            error: o.error.clone(),
            note: o.note.clone(),
            scores: o.scores.clone(),
        };
        RunFile {
            name: report.name.clone(),
            corpus_hash: report.corpus_hash.clone(),
            config_hash: report.config_hash.clone(),
            watched: report.watched.clone(),
            outcomes: report.outcomes.iter().map(line).collect(),
        }
        .into()
    }

    /// The record as a baseline: what is watched, and why it was accepted.
    pub fn accepted(mut self, reason: Option<String>) -> Self {
        for case in self.cases.values_mut() {
            case.scores.retain(|metric, _| self.watched.contains(metric));
        }
        Self { reason, ..self }
    }

    /// Reads a baseline, or the JSON of a run (`eval run --json`).
    ///
    /// # Errors
    /// `suite_unreadable`; `suite_invalid` if it is neither.
    pub fn read(path: &Path) -> Result<Self, EvalError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| EvalError::Unreadable { path: path.display().to_string(), source })?;
        let wrong = |e: serde_json::Error| invalid::at(path, e.line(), format!("neither a run nor a baseline: {e}"));
        let value: serde_json::Value = serde_json::from_str(&text).map_err(wrong)?;
        let record = if value.get("outcomes").is_some() {
            serde_json::from_str::<RunFile>(&text).map_err(wrong)?.into()
        } else {
            serde_json::from_str::<Self>(&text).map_err(wrong)?
        };
        match record.version {
            1 => Ok(record),
            other => Err(invalid::at(path, 0, format!("version {other} is not known, this is version 1"))),
        }
    }

    /// A record of one metric that is watched, out of nothing but its scores.
    pub(crate) fn simulated(metric: &str, cases: BTreeMap<String, Scored>) -> Self {
        Self {
            version: 1,
            name: "simulated".into(),
            reason: None,
            corpus_hash: String::new(),
            config_hash: String::new(),
            watched: vec![metric.to_owned()],
            cases,
        }
    }

    /// The baseline file: a head, then one line per case, sorted.
    ///
    /// # Errors
    /// None that a record can cause; serde_json has them in its signature.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let head = serde_json::to_string_pretty(&Self { cases: BTreeMap::new(), ..self.clone() })?;
        let lines: Result<Vec<String>, serde_json::Error> = self
            .cases
            .iter()
            .map(|(id, case)| Ok(format!("    {}: {}", serde_json::to_string(id)?, serde_json::to_string(case)?)))
            .collect();
        let cases = format!("\"cases\": {{\n{}\n  }}\n}}\n", lines?.join(",\n"));
        Ok(head.rsplit_once("\"cases\"").map(|(front, _)| front.to_owned()).unwrap_or_default() + &cases)
    }

    /// Refuses a run over other documents.
    pub(crate) fn same_corpus(&self, corpus_hash: &str, guard: &Guard) -> Result<(), EvalError> {
        if self.corpus_hash == corpus_hash || guard.allow_corpus_change {
            return Ok(());
        }
        Err(EvalError::Incomparable {
            problem: format!(
                "the baseline `{}` is of corpus {}, this is corpus {corpus_hash}; accept a new baseline, or compare all the same with --allow-corpus-change",
                self.name, self.corpus_hash
            ),
        })
    }
}

impl From<RunFile> for Record {
    fn from(run: RunFile) -> Self {
        let case = |o: RunLine| {
            let id = if o.setting == "all" { o.id } else { format!("{} ({})", o.id, o.setting) };
            let verdict = match (&o.error, o.judgement) {
                (Some(_), _) => Some("unmeasured".to_owned()),
                (None, judgement) => judgement.map(|j| j.as_str().to_owned()),
            };
            // Four digits are more than any decision needs, and keep a diff quiet.
            let scores = o.scores.into_iter().map(|(metric, v)| (metric, (v * 1e4).round() / 1e4)).collect();
            (id, Scored { verdict, scores, note: o.note })
        };
        Self {
            version: 1,
            name: run.name,
            reason: None,
            corpus_hash: run.corpus_hash,
            config_hash: run.config_hash,
            watched: run.watched,
            cases: run.outcomes.into_iter().map(case).collect(),
        }
    }
}

/// What a run is watched for: what its gates are about, else the usual.
pub(crate) fn watched(gates: &[crate::report::Gated]) -> Vec<String> {
    let mut of_gates: Vec<String> = Vec::new();
    for gate in gates {
        if !of_gates.contains(&gate.metric) {
            of_gates.push(gate.metric.clone());
        }
    }
    if of_gates.is_empty() { WATCHED.iter().map(|m| (*m).to_owned()).collect() } else { of_gates }
}

/// Two runs, case by case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// What the run is compared with.
    pub name: String,
    /// Why that was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether both ran with the same settings.
    pub same_config: bool,
    /// Cases that both have.
    pub pairs: usize,
    /// Cases that only this run has.
    pub added: Vec<String>,
    /// Cases that only the other one has.
    pub removed: Vec<String>,
    /// When a drop counts.
    pub guard: Guard,
    /// The p below which a single metric counts, so that all of them together raise a false alarm in `alpha` of the runs.
    pub level: f64,
    /// The metrics that both have.
    pub metrics: Vec<Paired>,
    /// The cases that changed in a watched metric, largest loss first.
    pub changed: Vec<Changed>,
}

/// A metric of two runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Paired {
    /// Its name.
    pub metric: String,
    /// Cases for which both have it.
    pub n: usize,
    /// Mean over them before.
    pub before: f64,
    /// Mean over them now.
    pub after: f64,
    /// Cases that became worse.
    pub worse: usize,
    /// Cases that became better.
    pub better: usize,
    /// How likely such a change, either way, is by chance alone.
    pub p: f64,
    /// Whether a drop fails the run.
    pub watched: bool,
    /// Whether it dropped: significant, and by enough.
    pub dropped: bool,
    /// The smallest drop that would be found in 80 of 100 runs of which nothing flips by chance.
    pub detectable: Option<f64>,
    /// The same if 8 % of the verdicts flip between runs of the same build.
    pub detectable_in_noise: Option<f64>,
}

/// A case that changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Changed {
    /// Its id.
    pub case: String,
    /// The metric that changed most.
    pub metric: String,
    /// Before.
    pub before: f64,
    /// Now.
    pub after: f64,
    /// What it lost; negative if it became better.
    pub loss: f64,
    /// Where it went wrong now.
    pub note: String,
}

impl Comparison {
    /// Compares a run with an earlier one.
    ///
    /// # Errors
    /// `runs_incomparable` if the documents differ, or no case is in both.
    pub fn of(before: &Record, after: &Record, guard: &Guard) -> Result<Self, EvalError> {
        before.same_corpus(&after.corpus_hash, guard)?;
        let pairs: Vec<(&String, &Scored, &Scored)> =
            after.cases.iter().filter_map(|(id, now)| Some((id, before.cases.get(id)?, now))).collect();
        if pairs.is_empty() {
            return Err(EvalError::Incomparable { problem: format!("no case of `{}` is in `{}`", after.name, before.name) });
        }
        let mut compared: Vec<(Paired, paired::Test)> = metrics(&pairs, &after.watched)
            .into_iter()
            .map(|name| compare(&name, &pairs, after.watched.contains(&name)))
            .collect();
        let tests: Vec<paired::Test> = compared.iter().filter(|(m, _)| m.watched).map(|(_, test)| *test).collect();
        let level = paired::level(guard.alpha, &tests);
        for (metric, test) in &mut compared {
            let loss = loss(&metric.metric, metric.before, metric.after);
            metric.dropped = test.p <= level && loss >= guard.least_drop - 1e-9;
        }
        let only = |a: &Record, b: &Record| a.cases.keys().filter(|id| !b.cases.contains_key(*id)).cloned().collect();
        Ok(Self {
            name: before.name.clone(),
            reason: before.reason.clone(),
            same_config: before.config_hash == after.config_hash,
            pairs: pairs.len(),
            added: only(after, before),
            removed: only(before, after),
            guard: *guard,
            level,
            metrics: compared.into_iter().map(|(metric, _)| metric).collect(),
            changed: changed(&pairs, &after.watched),
        })
    }

    /// With the smallest drops that this comparison would have found.
    pub fn with_detectable(mut self) -> Self {
        for metric in self.metrics.iter_mut().filter(|m| m.watched) {
            let found = |flips| paired::detectable(metric.n, flips, self.level, self.guard.least_drop);
            (metric.detectable, metric.detectable_in_noise) = (found(0.0), found(FLIPS));
        }
        self
    }

    /// Whether a watched metric dropped.
    pub fn dropped(&self) -> bool {
        self.metrics.iter().any(|m| m.watched && m.dropped)
    }

    /// The cases that became worse, worst first.
    pub fn worse(&self) -> impl Iterator<Item = &Changed> {
        self.changed.iter().filter(|c| c.loss > 0.0)
    }

    /// What a person reads: the metrics that fail a run or all of them, and the cases that changed.
    pub fn table(&self, all: bool) -> String {
        let mut out = String::new();
        self.write(&mut out, all).map_or_else(|_| String::new(), |()| out)
    }

    fn write(&self, out: &mut String, all: bool) -> std::fmt::Result {
        write!(out, "against baseline {}, {} cases in both", self.name, self.pairs)?;
        for (ids, what) in [(&self.added, "new"), (&self.removed, "gone")] {
            if !ids.is_empty() {
                write!(out, ", {} {what}", ids.len())?;
            }
        }
        writeln!(out, "{}", if self.same_config { "" } else { ", other settings" })?;
        let points = |share: Option<f64>| share.map_or("–".to_owned(), |s| format!("{:.1}", 100.0 * s));
        let rows = self.metrics.iter().filter(|m| all || m.watched).map(|m| {
            vec![
                m.metric.clone(),
                percent(Some(m.before)),
                percent(Some(m.after)),
                format!("{:+.1}", 100.0 * (m.after - m.before)),
                format!("{} / {}", m.worse, m.better),
                if m.p < 0.0001 { "<0.0001".into() } else { format!("{:.4}", m.p) },
                m.n.to_string(),
                if m.watched { format!("{} / {}", points(m.detectable), points(m.detectable_in_noise)) } else { "–".into() },
                m.mark().to_owned(),
            ]
        });
        let head = ["metric", "before", "now", "points", "worse / better", "p", "n", "detectable", ""];
        aligned(out, &head, rows.collect())?;
        writeln!(
            out,
            "a drop counts with p ≤ {:.4} and at least {:.1} points; detectable: the smallest drop found in 80 of 100 runs, without noise / with {:.0} % of the verdicts flipping",
            self.level,
            100.0 * self.guard.least_drop,
            100.0 * FLIPS
        )?;
        let shown = if all { usize::MAX } else { NAMED };
        for (what, worse) in [("worse", true), ("better", false)] {
            let cases: Vec<&Changed> = self.changed.iter().filter(|c| (c.loss > 0.0) == worse).collect();
            if cases.is_empty() || !(worse || all) {
                continue;
            }
            writeln!(out, "\n{what}: {} cases", cases.len())?;
            let row = |c: &&Changed| {
                vec![format!("  {}", c.case), format!("{} {:.2} → {:.2}", c.metric, c.before, c.after), c.note.clone()]
            };
            aligned(out, &[], cases.iter().take(shown).map(row).collect())?;
            if cases.len() > shown {
                writeln!(out, "  … and {} more", cases.len() - shown)?;
            }
        }
        Ok(())
    }
}

impl Paired {
    /// In a word.
    pub fn mark(&self) -> &'static str {
        match (self.dropped, self.watched) {
            (true, true) => "DROPPED",
            (true, false) => "dropped, not watched",
            _ => "",
        }
    }
}

/// Watched metrics first, in their order, then the others by name.
fn metrics(pairs: &[(&String, &Scored, &Scored)], watched: &[String]) -> Vec<String> {
    let both: BTreeSet<&String> =
        pairs.iter().flat_map(|(_, before, now)| before.scores.keys().filter(|m| now.scores.contains_key(*m))).collect();
    let mut names: Vec<String> = watched.iter().filter(|m| both.contains(m)).cloned().collect();
    names.extend(both.into_iter().filter(|m| !watched.contains(m)).cloned());
    names
}

fn loss(metric: &str, before: f64, after: f64) -> f64 {
    let lower_is_better = Metric::parse(metric).is_ok_and(Metric::lower_is_better);
    if lower_is_better { after - before } else { before - after }
}

fn compare(name: &str, pairs: &[(&String, &Scored, &Scored)], watched: bool) -> (Paired, paired::Test) {
    let values: Vec<(f64, f64)> =
        pairs.iter().filter_map(|(_, before, now)| Some((*before.scores.get(name)?, *now.scores.get(name)?))).collect();
    let losses: Vec<f64> = values.iter().map(|(before, now)| loss(name, *before, *now)).collect();
    let test = paired::test(&losses);
    let n = values.len();
    let mean = |of: fn(&(f64, f64)) -> f64| values.iter().map(of).sum::<f64>() / n.max(1) as f64;
    let metric = Paired {
        metric: name.to_owned(),
        n,
        before: mean(|v| v.0),
        after: mean(|v| v.1),
        worse: losses.iter().filter(|d| **d > 1e-9).count(),
        better: losses.iter().filter(|d| **d < -1e-9).count(),
        p: test.p,
        watched,
        dropped: false,
        detectable: None,
        detectable_in_noise: None,
    };
    (metric, test)
}

fn changed(pairs: &[(&String, &Scored, &Scored)], watched: &[String]) -> Vec<Changed> {
    let most = |(id, before, now): &(&String, &Scored, &Scored)| {
        let changes = watched.iter().filter_map(|metric| {
            let (was, is) = (*before.scores.get(metric)?, *now.scores.get(metric)?);
            let loss = loss(metric, was, is);
            let case =
                Changed { case: (*id).clone(), metric: metric.clone(), before: was, after: is, loss, note: now.note.clone() };
            (loss.abs() > 1e-9).then_some(case)
        });
        // A loss weighs more than a gain elsewhere in the same case.
        changes.reduce(|a, b| if (b.loss > 0.0, b.loss.abs()) > (a.loss > 0.0, a.loss.abs()) { b } else { a })
    };
    let mut cases: Vec<Changed> = pairs.iter().filter_map(most).collect();
    cases.sort_by(|a, b| b.loss.total_cmp(&a.loss));
    cases
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A record of one watched metric.
    fn record(values: &[(&str, f64)]) -> Record {
        let case = |(id, v): &(&str, f64)| {
            let scored = Scored { scores: [("answer.correct".to_owned(), *v)].into(), note: "why".into(), ..Scored::default() };
            ((*id).to_owned(), scored)
        };
        Record {
            version: 1,
            name: "little".into(),
            reason: None,
            corpus_hash: "c0".into(),
            config_hash: "s0".into(),
            watched: vec!["answer.correct".into()],
            cases: values.iter().map(case).collect(),
        }
    }

    fn graded(values: &[f64]) -> Record {
        let names: Vec<String> = (0..values.len()).map(|i| format!("例{i:03}")).collect();
        record(&names.iter().map(String::as_str).zip(values.iter().copied()).collect::<Vec<_>>())
    }

    fn dropped(before: &[f64], after: &[f64]) -> bool {
        Comparison::of(&graded(before), &graded(after), &Guard::default()).unwrap().dropped()
    }

    #[test]
    fn a_drop_counts_only_if_it_is_significant_and_large_enough() {
        let lose = |n: usize, of: usize| -> Vec<f64> { (0..of).map(|i| f64::from(u8::from(i >= n))).collect() };
        assert!(!dropped(&lose(0, 50), &lose(5, 50)), "10 points by five cases may be chance");
        assert!(dropped(&lose(0, 50), &lose(6, 50)));
        assert!(!dropped(&lose(0, 1000), &lose(20, 1000)), "2 points are significant, but a trifle");
        assert!(dropped(&lose(0, 1000), &lose(40, 1000)));
        assert!(!dropped(&lose(9, 50), &lose(0, 50)), "a rise is no drop");
    }

    #[test]
    fn a_rise_of_wrong_answers_is_a_drop() {
        let wrong = |n: usize| {
            let mut r = graded(&vec![0.0; 60]);
            r.watched = vec!["answer.wrong".into()];
            for (i, case) in r.cases.values_mut().enumerate() {
                case.scores = [("answer.wrong".to_owned(), f64::from(u8::from(i < n)))].into();
            }
            r
        };
        let comparison = Comparison::of(&wrong(0), &wrong(8), &Guard::default()).unwrap();
        assert!(comparison.dropped() && comparison.metrics[0].worse == 8, "{}", comparison.table(true));
        assert!(!Comparison::of(&wrong(8), &wrong(0), &Guard::default()).unwrap().dropped());
    }

    #[test]
    fn another_corpus_is_refused_unless_allowed() {
        let mut other = record(&[("a", 1.0)]);
        other.corpus_hash = "c1".into();
        let now = record(&[("a", 1.0), ("b", 0.0)]);
        let error = Comparison::of(&other, &now, &Guard::default()).unwrap_err();
        assert!(error.to_string().contains("--allow-corpus-change"), "{error}");
        let allowed = Guard { allow_corpus_change: true, ..Guard::default() };
        let comparison = Comparison::of(&other, &now, &allowed).unwrap();
        assert_eq!((comparison.pairs, comparison.added.as_slice()), (1, ["b".to_owned()].as_slice()));
        assert!(Comparison::of(&record(&[("x", 1.0)]), &record(&[("y", 1.0)]), &allowed).is_err());
    }

    #[test]
    fn a_baseline_is_sorted_has_one_line_per_case_and_reads_back() {
        let mut before = record(&[("乙-1", 0.5), ("a-2", 1.0), ("a-1", 0.0)]);
        for case in before.cases.values_mut() {
            case.scores.insert("page.mrr@10".into(), 0.5);
        }
        let before = before.accepted(Some("首次 first".into()));
        let json = before.to_json().unwrap();
        let lines: Vec<&str> = json.lines().filter(|l| l.contains("scores")).collect();
        assert_eq!(lines[0], r#"    "a-1": {"scores":{"answer.correct":0.0}},"#);
        assert!(lines.len() == 3 && lines[2].starts_with("    \"乙-1\"") && json.ends_with("  }\n}\n"), "{json}");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("baseline.json");
        std::fs::write(&path, &json).unwrap();
        let read = Record::read(&path).unwrap();
        assert_eq!((read.to_json().unwrap(), read.reason), (json, before.reason));
        std::fs::write(&path, "{}").unwrap();
        assert!(Record::read(&path).unwrap_err().to_string().contains("neither a run nor a baseline"));
    }

    #[test]
    fn the_cases_that_changed_are_named_worst_first() {
        let comparison =
            Comparison::of(&graded(&[1.0, 1.0, 0.0, 0.5]), &graded(&[0.5, 0.0, 1.0, 0.5]), &Guard::default()).unwrap();
        let named: Vec<(&str, f64)> = comparison.changed.iter().map(|c| (c.case.as_str(), c.loss)).collect();
        assert_eq!(named, [("例001", 1.0), ("例000", 0.5), ("例002", -1.0)]);
        assert!(comparison.table(false).contains("worse: 2 cases\n  例001  answer.correct 1.00 → 0.00  why"));
    }
}
