//! Floor 2: how good is it, and is that good enough? Two kinds of directories are run against a [`Target`]:
//! a *set* (public questions in one format, measured) and a *suite* (our cases with gates, passed or failed).
//! No number here needs a model to judge it: evidence, facts, figures, refusals and quotes are checked by rule.

#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use index::{
    corpus::DocumentId,
    fault::{Coded, Fault},
    hit::{Filters, Hits, Mode},
};
use rag::ask::{Answer, AnswerMode, Ask};
use serde::{Deserialize, Serialize};

pub mod baseline;
mod boost;
mod ci;
mod corpus;
pub mod curve;
pub mod fields;
mod interval;
mod invalid;
pub mod learn;
pub mod matching;
pub mod merge;
pub mod metric;
pub mod mutant;
pub mod outcome;
mod paired;
pub mod panel;
pub mod plan;
pub mod power;
mod probe;
pub mod report;
pub mod set;
#[cfg(test)]
mod shelf;
pub mod suite;
pub mod swap;
pub mod tables;
pub mod train;

pub use baseline::{Comparison, Guard, Record};
pub use mutant::Mutant;
pub use panel::Panel;
pub use report::{Report, Verdict};

/// What is evaluated: a service with an empty throwaway scenario.
#[async_trait]
pub trait Target: Send + Sync {
    /// Ingests a folder, a file or a `.jsonl` into the empty scenario and waits until every document is ready or failed.
    async fn ingest(&self, corpus: &Path) -> Result<Ingested, EvalError>;
    /// Searches it.
    async fn search(&self, query: &str, mode: Mode, top_k: usize, filters: &Filters) -> Result<Hits, EvalError>;
    /// Searches it and has every hit explained; a target that explains nothing just searches.
    async fn explained(&self, query: &str, top_k: usize, filters: &Filters) -> Result<Hits, EvalError> {
        self.search(query, Mode::Hybrid, top_k, filters).await
    }
    /// What a question means after what was said before it.
    async fn meant(&self, ask: &Ask) -> Result<String, EvalError> {
        Ok(ask.question.clone())
    }
    /// Asks it.
    async fn ask(&self, ask: &Ask) -> Result<Answer, EvalError>;
    /// The stored text of a page or part; `None` if there is no such page.
    async fn page_text(&self, document: &DocumentId, version: u32, part: u32) -> Result<Option<String>, EvalError>;
}

/// What became of a corpus.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ingested {
    /// Documents that are ready.
    pub documents: usize,
    /// Their pages.
    pub pages: usize,
    /// Documents that are not.
    pub failed: Vec<NotIngested>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// A document that could not be ingested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotIngested {
    /// Its id in the corpus, or its path.
    pub name: String,
    /// Stable code.
    pub code: String,
    /// What happened.
    pub detail: String,
}

/// How to run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Which arms of the search run.
    pub mode: Mode,
    /// Ask the questions of a set as well; a suite always asks.
    pub ask: bool,
    /// Who answers.
    pub answer_mode: AnswerMode,
    /// At most so many questions of a set, spread evenly over it.
    pub limit: Option<usize>,
    /// What right answers to a set's questions say, in our words, where the set's own references are essays.
    pub facts: Option<PathBuf>,
    /// Break the target on purpose.
    pub mutant: Option<Mutant>,
    /// Hash over the settings of the target: runs with the same one differ by chance or by the program.
    pub config_hash: String,
    /// Compare with this run; a drop fails.
    pub baseline: Option<Record>,
    /// When a drop counts.
    pub guard: Guard,
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The corpus is being ingested.
    Ingesting,
    /// So many of so many questions are done.
    Questions {
        /// Which part of the run, as named in the report.
        setting: String,
        /// Done.
        done: usize,
        /// To do.
        total: usize,
    },
}

/// What stops a run. A question that fails does not: it is reported as not measured.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The directory is neither.
    #[error("`{dir}` is no evaluation: it holds neither suite.toml nor set.json")]
    NotAnEvaluation {
        /// The directory.
        dir: String,
    },
    /// A file of the suite or set says something it must not.
    #[error("{file}{}: {problem}", if *line > 0 { format!(":{line}") } else { String::new() })]
    Invalid {
        /// The file.
        file: String,
        /// The line from 1; 0 for the file as a whole.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// The corpus is not where the suite says.
    #[error("the corpus `{path}` does not exist")]
    CorpusMissing {
        /// Where it should be.
        path: String,
    },
    /// A file cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Two runs have nothing to be compared by.
    #[error("{problem}")]
    Incomparable {
        /// Why not.
        problem: String,
    },
    /// The target failed, in its own words and with its own code.
    #[error("{detail}")]
    Target {
        /// The target's code.
        code: &'static str,
        /// Whose move it is.
        fault: Fault,
        /// What happened.
        detail: String,
    },
}

impl EvalError {
    /// An error of the target, code and fault kept.
    pub fn target(error: &dyn Coded) -> Self {
        Self::Target { code: error.code(), fault: error.fault(), detail: error.to_string() }
    }
}

impl Coded for EvalError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotAnEvaluation { .. } => "suite_missing",
            Self::Invalid { .. } => "suite_invalid",
            Self::CorpusMissing { .. } => "corpus_missing",
            Self::Unreadable { .. } => "suite_unreadable",
            Self::Incomparable { .. } => "runs_incomparable",
            Self::Target { code, .. } => code,
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Target { fault, .. } => *fault,
            _ => Fault::Caller,
        }
    }
}

/// Runs the set or suite in `dir` against the target.
///
/// # Errors
/// If the directory is no valid set or suite (nothing has been ingested then), or the corpus cannot be ingested at all.
pub async fn run(
    target: &dyn Target,
    dir: &Path,
    options: &Options,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report, EvalError> {
    let mutated;
    let target = match options.mutant {
        None => target,
        Some(mutant) => {
            mutated = mutant.of(target);
            &mutated
        }
    };
    match kind(dir)? {
        Kind::Suite => suite::Suite::read(dir)?.run(target, options, progress).await,
        Kind::Set => set::Set::read(dir)?.with_facts(options.facts.as_deref())?.run(target, options, progress).await,
    }
}

/// The pack that the questions in `dir` are read with, if it is the suite of one.
///
/// # Errors
/// As [`run`], before anything is ingested.
pub fn pack(dir: &Path) -> Result<Option<String>, EvalError> {
    match kind(dir)? {
        Kind::Suite => Ok(suite::Suite::read(dir)?.pack),
        Kind::Set => Ok(None),
    }
}

pub(crate) enum Kind {
    Suite,
    Set,
}

pub(crate) fn kind(dir: &Path) -> Result<Kind, EvalError> {
    match (dir.join("suite.toml").is_file(), dir.join("set.json").is_file()) {
        (true, _) if Panel::read(dir)?.is_some() => {
            Err(invalid::at(&dir.join("suite.toml"), 0, "a suite over sets: plan or run each of its sets"))
        }
        (true, _) => Ok(Kind::Suite),
        (false, true) => Ok(Kind::Set),
        (false, false) => Err(EvalError::NotAnEvaluation { dir: dir.display().to_string() }),
    }
}
