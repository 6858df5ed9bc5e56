//! What would a run do, and what could it find? Reads and checks everything, ingests nothing.

use std::path::Path;

use serde::Serialize;

use crate::{EvalError, Guard, baseline::FLIPS, paired, set::Set, suite::Suite};

/// What a set or suite holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// `set` or `suite`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Hash over every document.
    pub corpus_hash: String,
    /// Documents.
    pub documents: usize,
    /// Questions, each searched.
    pub questions: usize,
    /// Of them, those without an answer in the corpus.
    pub unanswerable: usize,
    /// Runs over the questions, such as one per language of the documents.
    pub settings: Vec<String>,
    /// Calls of the search in all.
    pub searches: usize,
    /// Questions that are asked: each is one answer, and with a model endpoint one call of it or a few.
    pub asks: usize,
    /// The gates, each as its metric.
    pub gates: Vec<String>,
    /// The smallest drop against a baseline that is found in 80 of 100 runs, if nothing flips by chance and all questions count.
    pub detectable: Option<f64>,
    /// The same if 8 % of the verdicts flip between runs of the same build.
    pub detectable_in_noise: Option<f64>,
}

/// Reads the set or suite in `dir`, checks all of it, and says what a run would do.
///
/// # Errors
/// As [`crate::run`], before anything is ingested.
pub fn plan(dir: &Path, ask: bool, limit: Option<usize>, guard: &Guard) -> Result<Plan, EvalError> {
    let mut plan = match crate::kind(dir)? {
        crate::Kind::Suite => Suite::read(dir)?.plan(),
        crate::Kind::Set => Set::read(dir)?.plan(ask, limit),
    };
    // Every watched metric could turn out to have enough changes to count.
    let level = guard.alpha / plan.gates.len().max(1) as f64;
    plan.detectable = paired::detectable(plan.questions, 0.0, level, guard.least_drop);
    plan.detectable_in_noise = paired::detectable(plan.questions, FLIPS, level, guard.least_drop);
    Ok(plan)
}

impl Plan {
    /// The plan as plain text.
    pub fn table(&self) -> String {
        let points = |share: Option<f64>| share.map_or("none".to_owned(), |s| format!("{:.1} points", 100.0 * s));
        let mut lines = vec![
            format!("{} {}: {} questions, {} without an answer", self.kind, self.name, self.questions, self.unanswerable),
            format!("corpus {}: {} documents", self.corpus_hash, self.documents),
            format!("{} searches, {} answers", self.searches, self.asks),
        ];
        if self.settings.len() > 1 {
            lines.push(format!("settings: {}", self.settings.join("; ")));
        }
        if !self.gates.is_empty() {
            lines.push(format!("gates: {}", self.gates.join(", ")));
        }
        lines.push(format!(
            "smallest drop against a baseline that is found in 80 of 100 runs: {}; {} if {:.0} % of the verdicts flip between runs",
            points(self.detectable),
            points(self.detectable_in_noise),
            100.0 * FLIPS
        ));
        lines.join("\n") + "\n"
    }
}
