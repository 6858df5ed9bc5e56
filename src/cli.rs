//! The command line: what can be said, what runs for it, and which exit code tells how it ended.

use std::{
    collections::HashSet,
    io::IsTerminal,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, Parser, Subcommand, ValueEnum, error::ErrorKind};
use index::{
    IndexError,
    corpus::{BatchId, DocumentId},
    embed::onnx::Task,
    fault::{Coded, Fault},
    hit::{Filters, Mode, Query},
};
use ingest::{
    IngestError,
    manifest::Manifest,
    source::{self, Source},
};
use rag::{
    RagError,
    ask::{AnswerMode, Ask},
    card::{Card, Cards},
    pack::{PackError, Packs, shelf::STANDARD},
};
use serde_json::{Map, Value, json};

use crate::{
    assemble::Service,
    config::{ConfigError, Settings, Store},
    dev::{self, Misbehave},
    doctor,
    door::{self, Door},
    encoders, generations, http, migrate, progress, quickstart, show,
};

/// How a command ended, for whoever called it.
pub mod exit {
    pub const OK: u8 = 0;
    pub const FAILED: u8 = 1;
    pub const USAGE: u8 = 2;
    pub const PART: u8 = 3;
    pub const UNREACHABLE: u8 = 5;
    pub const INTERRUPTED: u8 = 130;
}

/// Why a command could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub message: String,
    pub code: String,
    pub exit: u8,
}

impl Failure {
    pub fn new(exit: u8, code: &str, message: impl Into<String>) -> Self {
        Self { message: message.into(), code: code.into(), exit }
    }

    fn coded(error: &impl Coded) -> Self {
        let exit = match error.code() {
            "vector_store_unavailable" => exit::UNREACHABLE,
            _ if error.fault() == Fault::Caller => exit::USAGE,
            _ => exit::FAILED,
        };
        Self::new(exit, error.code(), error.to_string())
    }
}

impl From<IndexError> for Failure {
    fn from(error: IndexError) -> Self {
        Self::coded(&error)
    }
}

impl From<RagError> for Failure {
    fn from(error: RagError) -> Self {
        // A model endpoint is a service too.
        let exit = |failure: Self| if error.is_the_models() { exit::UNREACHABLE } else { failure.exit };
        Self { exit: exit(Self::coded(&error)), ..Self::coded(&error) }
    }
}

impl From<IngestError> for Failure {
    fn from(error: IngestError) -> Self {
        Self::coded(&error)
    }
}

impl From<PackError> for Failure {
    fn from(error: PackError) -> Self {
        Failure::new(exit::USAGE, "pack_invalid", error.to_string())
    }
}

impl From<eval::EvalError> for Failure {
    fn from(error: eval::EvalError) -> Self {
        Self::coded(&error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(exit::USAGE, "invalid_settings", error.to_string())
    }
}

/// Answers questions over reports, with proof.
#[derive(Debug, Parser)]
#[command(name = "dossier", version, about, propagate_version = true)]
struct Line {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// Flags that every command takes, before or after its name.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Data directory.
    #[arg(long, global = true, env = "DOSSIER_DATA", default_value = "./data", value_name = "DIR")]
    pub data: PathBuf,
    /// Configuration file (TOML).
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Talk to a running server instead of opening the data directory.
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,
    /// The server's key.
    #[arg(long, global = true, value_name = "KEY", requires = "url")]
    pub key: Option<String>,
    /// Print data as JSON.
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ingest the bundled example reports and answer three questions about them
    Quickstart {
        /// Go on to serve them.
        #[arg(long)]
        serve: bool,
        /// Address to serve on.
        #[arg(long, value_name = "HOST:PORT")]
        bind: Option<String>,
    },
    /// Serve the HTTP API and the web page
    Serve {
        /// Address to listen on.
        #[arg(long, value_name = "HOST:PORT")]
        bind: Option<String>,
    },
    /// Ask a running server whether it is ready; for container platforms
    Healthcheck,
    /// Take documents in: files, folders, .zip archives, .jsonl lists
    Ingest {
        /// What to take in.
        #[arg(required_unless_present_any = ["manifest", "resume"], value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// A CSV or JSONL that says what the documents are, one a row: `path` or `external_id`, and company, period, …;
        /// without PATH, the files it names are taken in.
        #[arg(long, value_name = "FILE")]
        manifest: Option<PathBuf>,
        /// Go on with a batch that was interrupted: what it holds already is left out.
        #[arg(long, value_name = "BATCH")]
        resume: Option<String>,
        /// Go into folders inside folders.
        #[arg(long, short)]
        recursive: bool,
        /// Only say what would be taken in.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        scenario: Scenario,
    },
    /// Ask a question
    Ask {
        /// The question.
        question: String,
        /// Print the answer while it is written.
        #[arg(long)]
        stream: bool,
        /// Who writes the answer.
        #[arg(long, value_enum, default_value = "answer")]
        mode: Writer,
        /// Passages given to the answerer.
        #[arg(long, value_name = "N")]
        top_k: Option<usize>,
        #[command(flatten)]
        scenario: Scenario,
    },
    /// Find passages
    Search {
        /// What to look for.
        query: String,
        /// Passages to show.
        #[arg(long, default_value_t = 10, value_name = "N")]
        top_k: usize,
        /// Which arms run.
        #[arg(long, value_enum, default_value = "hybrid")]
        mode: Arms,
        /// Leave out documents dated after this day.
        #[arg(long, value_name = "DATE")]
        as_of: Option<String>,
        /// A condition on documents: `year=2023`, `kind=annual`, `date>=2023-01-01`; may be given several times.
        #[arg(long = "filter", value_name = "CONDITION", value_parser = condition)]
        filters: Vec<(String, Value)>,
        /// Say what the question was taken to ask and how each hit came to its score.
        #[arg(long)]
        explain: bool,
        #[command(flatten)]
        scenario: Scenario,
    },
    /// Documents that were taken in
    Docs {
        #[command(subcommand)]
        command: Docs,
    },
    /// Batches of ingested files
    Batch {
        #[command(subcommand)]
        command: Batch,
    },
    /// Scenarios: bodies of documents, each with its pack, its models and its limits
    Scenario {
        #[command(subcommand)]
        command: Scenarios,
    },
    /// Answers that were given
    Answers {
        #[command(subcommand)]
        command: Answers,
    },
    /// Ask a question again as it was asked, and say what differs
    Replay {
        /// The answer's id.
        id: String,
    },
    /// Measure on questions with known answers
    Eval {
        #[command(subcommand)]
        command: Eval,
    },
    /// Cards of model endpoints (llm.card, embedding.card) and local encoders (embedding.model)
    Models {
        #[command(subcommand)]
        command: Models,
    },
    /// Indexes: build one for another encoder beside the one that answers, verify it, let it answer, take that back; move one
    Index {
        #[command(subcommand)]
        command: Index,
    },
    /// Look whether everything is in order: disk, catalog, encoder, store, and whether the index is whole
    Doctor {
        /// Write what the index lacks anew from the catalog, and remove what it should not have.
        #[arg(long)]
        fix: bool,
    },
    /// Packs: what is known of an industry, as folders of files
    Pack {
        #[command(subcommand)]
        command: Pack,
    },
    /// Tools for developing against dossier
    Dev {
        #[command(subcommand)]
        command: Dev,
    },
    /// The settings in force
    Config {
        #[command(subcommand)]
        command: Config,
    },
}

#[derive(Debug, Clone, Args)]
struct Scenario {
    /// The scenario.
    #[arg(long, default_value = "default", value_name = "NAME")]
    scenario: String,
}

#[derive(Debug, Subcommand)]
enum Scenarios {
    /// List scenarios
    Ls,
    /// Make a scenario
    Create {
        /// Its name.
        name: String,
        #[command(flatten)]
        setup: Setup,
    },
    /// Show one scenario
    Show {
        /// Its name.
        name: String,
    },
    /// Change a scenario
    Set {
        /// Its name.
        name: String,
        #[command(flatten)]
        setup: Setup,
        /// Have a field be as the settings say again, such as `ladder` or `limits.top_k`.
        #[arg(long, value_name = "FIELD")]
        unset: Vec<String>,
    },
    /// Delete scenarios
    Rm {
        /// Their names.
        #[arg(required = true)]
        names: Vec<String>,
        /// Delete their documents too.
        #[arg(long)]
        force: bool,
    },
}

/// What is set for a scenario.
#[derive(Debug, Args)]
struct Setup {
    /// For a person.
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// For a person.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// The industry pack.
    #[arg(long, value_name = "NAME")]
    pack: Option<String>,
    /// A model that answers; repeated, they are asked in this order. A backend of the settings, a card, or fields such as
    /// `card=ollama,model=qwen3:8b`; `none` for no model at all.
    #[arg(long, value_name = "RUNG")]
    ladder: Vec<String>,
    /// What happens when all models fail: `none` or `extractive`.
    #[arg(long, value_name = "WHAT")]
    fallback: Option<String>,
    /// Passages given to the answerer.
    #[arg(long, value_name = "N")]
    top_k: Option<u32>,
    /// Most tokens of an answer.
    #[arg(long, value_name = "N")]
    max_tokens: Option<u32>,
    /// Longest time of a question in milliseconds.
    #[arg(long, value_name = "MS")]
    deadline_ms: Option<u64>,
}

impl Setup {
    /// As the API reads it.
    fn said(self) -> Map<String, Value> {
        let mut said = Map::new();
        let texts = [("title", self.title), ("description", self.description), ("pack", self.pack), ("fallback", self.fallback)];
        said.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into()))));
        if !self.ladder.is_empty() {
            said.insert(
                "ladder".into(),
                self.ladder.iter().filter(|rung| *rung != "none").map(|rung| self::rung(rung)).collect(),
            );
        }
        let limits = [
            ("top_k", self.top_k.map(u64::from)),
            ("max_tokens", self.max_tokens.map(u64::from)),
            ("deadline_ms", self.deadline_ms),
        ];
        let limits: Map<String, Value> =
            limits.into_iter().filter_map(|(name, limit)| Some((name.to_owned(), limit?.into()))).collect();
        if !limits.is_empty() {
            said.insert("limits".into(), Value::Object(limits));
        }
        said
    }
}

/// `NAME`, or `field=value,…`.
fn rung(text: &str) -> Value {
    let fields: Option<Map<String, Value>> = text
        .split(',')
        .map(|field| {
            let (name, value) = field.split_once('=')?;
            let number = value.parse::<u64>().ok().filter(|_| name == "context_tokens");
            Some((name.to_owned(), number.map_or_else(|| value.into(), Value::from)))
        })
        .collect();
    fields.map_or_else(|| text.into(), Value::Object)
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Writer {
    Answer,
    Extractive,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Arms {
    Hybrid,
    Dense,
    Lexical,
}

impl From<Arms> for Mode {
    fn from(arms: Arms) -> Self {
        match arms {
            Arms::Hybrid => Self::Hybrid,
            Arms::Dense => Self::Dense,
            Arms::Lexical => Self::Lexical,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Docs {
    /// List documents
    Ls {
        #[command(flatten)]
        scenario: Scenario,
    },
    /// Show one document
    Show {
        /// Its id.
        id: String,
        #[command(flatten)]
        scenario: Scenario,
    },
    /// Delete documents
    Rm {
        /// Their ids.
        #[arg(required = true)]
        ids: Vec<String>,
        #[command(flatten)]
        scenario: Scenario,
    },
    /// Say where a document fell out of the search for a question
    WhyNot {
        /// The question.
        question: String,
        /// Its id.
        id: String,
        /// Passages that the search returns.
        #[arg(long, default_value_t = 10, value_name = "N")]
        top_k: usize,
        #[command(flatten)]
        scenario: Scenario,
    },
    /// Show the passages of a document
    Passages {
        /// Its id.
        id: String,
        #[command(flatten)]
        scenario: Scenario,
    },
}

#[derive(Debug, Subcommand)]
enum Batch {
    /// Show a batch and its items
    Show {
        /// Its id.
        id: String,
        #[command(flatten)]
        scenario: Scenario,
    },
    /// Wait until a batch is done
    Wait {
        /// Its id.
        id: String,
        #[command(flatten)]
        scenario: Scenario,
    },
}

#[derive(Debug, Subcommand)]
enum Answers {
    /// Show one answer
    Show {
        /// Its id.
        id: String,
        /// And how it came about.
        #[arg(long)]
        trace: bool,
    },
}

#[derive(Debug, Subcommand)]
enum Eval {
    /// Run a set (a folder with questions.jsonl) or a suite (a folder with suite.toml)
    Run(Box<EvalRun>),
    /// Check a set or suite, its documents included, and count what a run would do
    Plan(EvalPlan),
    /// Grow the trees of the ranking on sets, and say out of fold what they gain
    TrainRank(EvalTrain),
    /// Make one set of several: all questions over all documents
    Merge {
        /// The folders of the sets.
        #[arg(required = true, value_name = "DIR")]
        dirs: Vec<PathBuf>,
        /// The folder of the new set.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Check a set or suite and exit
    Lint {
        /// The folder.
        dir: PathBuf,
    },
    /// Compare two runs (`eval run --json`) or baselines, case by case; exits with 1 if the second is worse
    Compare {
        /// The earlier run.
        before: PathBuf,
        /// The later run.
        after: PathBuf,
        #[command(flatten)]
        guard: EvalGuard,
    },
    /// Measure what documents are taken for (company, kind, period, …) against the truth
    Fields {
        /// Sets, or folders of documents.
        #[arg(required = true, value_name = "DIR")]
        dirs: Vec<PathBuf>,
        /// JSON lines of what is known; without it, what the corpus of a set says.
        #[arg(long, value_name = "FILE")]
        truth: Option<PathBuf>,
    },
    /// Measure how tables are read against a set with the cells of each (tables.jsonl)
    Tables {
        /// The set.
        dir: PathBuf,
    },
    /// Write a set of questions that its documents cannot answer: a company, a year or a metric exchanged for one that they lack
    Swap {
        /// The sets whose documents are asked about.
        #[arg(required = true)]
        dirs: Vec<PathBuf>,
        /// How many.
        #[arg(long, default_value_t = 200, value_name = "N")]
        count: usize,
        /// The folder to write, itself a set.
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
        /// Keep what was ingested in this folder.
        #[arg(long, value_name = "FOLDER")]
        keep: Option<PathBuf>,
    },
    /// Grow the trees that weigh sentences (`rag/src/select/*.trees`) from sets, and say how well they do on what they have not seen
    Learn(EvalLearn),
    /// What later runs are compared with
    Baseline {
        #[command(subcommand)]
        command: EvalBaseline,
    },
    /// Let a model lie in one sentence of five: every changed one must be caught, at most 2 % of the true ones lost
    Liar(EvalLiar),
    /// Let documents steer a model that obeys: no address, no foreign word, no invented citation may leave
    Injection,
    /// Check the quotes and the marks on the pages of sampled citations
    Regions(EvalRegions),
    /// Simulate how often the comparison with a baseline is red without a reason, and how often it finds a drop
    Power {
        /// Cases of the suite.
        #[arg(long, default_value_t = 200, value_name = "N")]
        cases: usize,
        /// Share of the verdicts that differ between two runs of the same build.
        #[arg(long, default_value_t = 0.08, value_name = "SHARE", value_parser = share)]
        flips: f64,
        /// Share of the cases that a worse build loses.
        #[arg(long, default_value_t = 0.1, value_name = "SHARE", value_parser = share)]
        drop: f64,
        /// Pairs of runs of each kind.
        #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
        rounds: u32,
        #[command(flatten)]
        guard: EvalGuard,
    },
}

#[derive(Debug, Subcommand)]
pub enum EvalBaseline {
    /// Accept a run as the baseline
    Accept {
        /// The run, as `eval run --json` prints it.
        run: PathBuf,
        /// The baseline file.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Why it is accepted; kept in the file.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

#[derive(Debug, Args)]
pub struct EvalLearn {
    /// The sets.
    #[arg(required_unless_present = "reuse", value_name = "DIR")]
    pub dirs: Vec<PathBuf>,
    /// `zh` or `en`: the language of the questions.
    #[arg(long, value_parser = ["zh", "en"])]
    pub language: String,
    /// Also learn from what an earlier run wrote with --examples.
    #[arg(long, value_name = "FILE")]
    pub reuse: Vec<PathBuf>,
    /// Only so many questions of each set.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Keep what was ingested in FOLDER/NAME-OF-THE-SET.
    #[arg(long, value_name = "FOLDER")]
    pub keep: Option<PathBuf>,
    /// Write what describes the sentences to this file, one JSON line per question.
    #[arg(long, value_name = "FILE")]
    pub examples: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct EvalTrain {
    /// The folders of the sets.
    #[arg(required_unless_present = "reuse", value_name = "DIR")]
    pub dirs: Vec<PathBuf>,
    /// Also learn from what an earlier run wrote with --examples.
    #[arg(long, value_name = "FILE")]
    pub reuse: Option<PathBuf>,
    /// Only so many questions of each set.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Keep what is ingested in folders of this one, so that the next run computes nothing again.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Write the trees to this file.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Write the features of all candidates to this file, one JSON line per question.
    #[arg(long, value_name = "FILE")]
    pub examples: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct EvalPlan {
    /// The folder.
    pub dir: PathBuf,
    /// Ask every question of a set too.
    #[arg(long)]
    pub ask: bool,
    /// Only the first N questions.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    #[command(flatten)]
    pub guard: EvalGuard,
}

/// When a drop counts.
#[derive(Debug, Clone, Args)]
pub struct EvalGuard {
    /// Chance of a false alarm over all metrics together.
    #[arg(long, default_value_t = 0.05, value_name = "SHARE", value_parser = share)]
    pub alpha: f64,
    /// Smaller drops pass, in points of 100.
    #[arg(long, default_value_t = 3.0, value_name = "POINTS")]
    pub least_drop: f64,
    /// Compare although the documents are not the same.
    #[arg(long)]
    pub allow_corpus_change: bool,
}

impl From<&EvalGuard> for eval::Guard {
    fn from(guard: &EvalGuard) -> Self {
        Self { alpha: guard.alpha, least_drop: guard.least_drop / 100.0, allow_corpus_change: guard.allow_corpus_change }
    }
}

/// `field=value`, `field>=value` and their like; a value is read as JSON if it is some.
fn condition(text: &str) -> Result<(String, Value), String> {
    const SIGNS: [(&str, &str); 5] = [(">=", "gte"), ("<=", "lte"), (">", "gt"), ("<", "lt"), ("=", "")];
    let found = SIGNS.iter().filter_map(|(sign, bound)| Some((text.find(sign)?, sign, bound)));
    let Some((at, sign, bound)) = found.min_by_key(|(at, sign, _)| (*at, std::cmp::Reverse(sign.len()))) else {
        return Err("write field=value, field>=value, field>value, field<=value or field<value".into());
    };
    let (field, value) = (text[..at].trim(), text[at + sign.len()..].trim());
    if field.is_empty() || value.is_empty() {
        return Err("the field or the value is missing".into());
    }
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((field.to_owned(), if bound.is_empty() { value } else { json!({ (*bound): value }) }))
}

/// Conditions as filters; two bounds of one field are a range.
fn together(conditions: Vec<(String, Value)>) -> Filters {
    let mut filters = Filters::default();
    for (field, value) in conditions {
        if let (Some(Value::Object(range)), Value::Object(more)) = (filters.0.get_mut(&field), &value) {
            range.extend(more.clone());
            continue;
        }
        filters.0.insert(field, value);
    }
    filters
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("it must be 0 to 1".into()),
    }
}

#[derive(Debug, Args)]
pub struct EvalRun {
    /// The folder.
    pub dir: PathBuf,
    /// Which arms run.
    #[arg(long, value_enum, default_value = "hybrid")]
    mode: Arms,
    /// Ask every question too and judge the answers.
    #[arg(long)]
    pub ask: bool,
    /// Only the first N questions.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// What right answers to a set's questions say, one JSON line each, where its own references are essays.
    #[arg(long, value_name = "FILE")]
    pub facts: Option<PathBuf>,
    /// Write one JSON line per question to this file.
    #[arg(long, value_name = "FILE")]
    pub outcomes: Option<PathBuf>,
    /// Where the sets of a suite over public sets are; without them it is skipped.
    #[arg(long, env = "DOSSIER_TEST_DATA", value_name = "DIR")]
    pub sets: Option<PathBuf>,
    /// Write a JUnit XML report to this file.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write a Markdown summary to this file.
    #[arg(long, value_name = "FILE")]
    pub summary: Option<PathBuf>,
    /// Compare with this baseline: a significant drop fails the run.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Write this run as a baseline, whatever came of it.
    #[arg(long, value_name = "FILE")]
    pub write_baseline: Option<PathBuf>,
    /// Why it becomes the baseline; kept in the file.
    #[arg(long, value_name = "TEXT", requires = "write_baseline")]
    pub reason: Option<String>,
    #[command(flatten)]
    pub guard: EvalGuard,
    /// Keep what is ingested in this directory instead of a throwaway one, so that the next run computes nothing again.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Break the product on purpose, to see that the gates turn red.
    #[arg(long, hide = true, value_name = "NAME")]
    pub mutant: Option<String>,
}

impl EvalRun {
    pub fn mode(&self) -> Mode {
        self.mode.into()
    }
}

#[derive(Debug, Args)]
pub struct EvalLiar {
    /// A set or suite whose questions are asked; the bundled reports without one.
    pub dir: Option<PathBuf>,
    /// Answers to measure.
    #[arg(long, default_value_t = 200, value_name = "N")]
    pub answers: usize,
    /// Keep what is ingested in this directory.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Write what went wrong to this file, one JSON line each.
    #[arg(long, value_name = "FILE")]
    pub outcomes: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct EvalRegions {
    /// A set or suite whose documents are read; with `--keep` those that are there already.
    pub dir: Option<PathBuf>,
    /// Citations to check.
    #[arg(long, default_value_t = 200, value_name = "N")]
    pub samples: usize,
    /// Keep what is ingested in this directory.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Write the citations to this file, one JSON line each.
    #[arg(long, value_name = "FILE")]
    pub outcomes: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Models {
    /// List the cards
    Ls,
    /// Show one card or local encoder
    Show {
        /// Its name.
        name: String,
    },
    /// Take a local encoder in: a folder with an ONNX model and its tokenizer, copied with a checksum of each file, or a
    /// model of fastembed's catalogue, which is fetched
    Add {
        /// The folder, or a name of the catalogue.
        dir: PathBuf,
        /// The name it gets; by default that of the folder.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// It is a cross-encoder, which ranks passages (rerank.model), and makes no vectors.
        #[arg(long)]
        rerank: bool,
    },
    /// Check all cards, bundled ones and your own, and exit
    Check,
    /// Ask a live endpoint what it does, and write the card that says so
    Probe(crate::probe::Probe),
}

#[derive(Debug, Subcommand)]
enum Index {
    #[command(flatten)]
    Generations(generations::Index),
    /// Copy the index into the other store, without reading or encoding anything again
    Migrate {
        /// The store to fill.
        #[arg(long, value_enum, value_name = "STORE")]
        to: Store,
    },
}

#[derive(Debug, Subcommand)]
enum Pack {
    /// List the packs
    Ls,
    /// Show one pack: names, statements, thresholds, instructions
    Show {
        /// Its name; the one in use if absent.
        name: Option<String>,
    },
    /// Check the packs in force, or those in a folder; names all that is wrong, with file and line
    Check {
        /// A folder with packs, one folder each.
        dir: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum Dev {
    /// Serve a model that knows nothing, speaks like a platform, and misbehaves by name
    FakeLlm {
        /// Address to listen on.
        #[arg(long, default_value = "127.0.0.1:11435", value_name = "HOST:PORT")]
        bind: String,
        /// Speak like the platform of this card.
        #[arg(long, value_name = "CARD")]
        profile: Option<String>,
        /// What to do wrong.
        #[arg(long, value_enum, value_name = "NAME")]
        misbehave: Option<Misbehave>,
        /// Where the liar writes down what it said and changed, a JSON line per answer.
        #[arg(long, value_name = "FILE")]
        log: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum Config {
    /// Check the settings and exit
    Check,
    /// Show the settings in force, without secrets
    Show,
}

/// Reads the line, runs it, and returns the exit code.
pub fn main() -> u8 {
    let line = match Line::try_parse() {
        Ok(line) => line,
        Err(error) => {
            error.print().ok();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if asked { exit::OK } else { exit::USAGE };
        }
    };
    let json = line.common.json;
    // Before the first client: it is built without a provider of its own.
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("dossier: the runtime cannot start: {error}");
            return exit::FAILED;
        }
    };
    let code = runtime.block_on(async {
        tokio::select! {
            result = run(line) => match result {
                Ok(code) => code,
                Err(failure) => {
                    if json {
                        println!("{}", json!({ "error": { "code": failure.code, "detail": failure.message } }));
                    }
                    eprintln!("dossier: {}", failure.message);
                    failure.exit
                }
            },
            () = interrupted() => exit::INTERRUPTED,
        }
    });
    // Blocking work in progress is not waited for: what was acknowledged is on the disk.
    runtime.shutdown_background();
    code
}

async fn run(line: Line) -> Result<u8, Failure> {
    let common = &line.common;
    let settings = Settings::load(common.config.as_deref())?;
    logs(matches!(line.command, Command::Serve { .. } | Command::Quickstart { serve: true, .. }));
    match line.command {
        Command::Config { command: Config::Check } => {
            eprintln!("the settings are valid");
            Ok(exit::OK)
        }
        Command::Config { command: Config::Show } => {
            let text = if common.json { serde_json::to_string_pretty(&settings).ok() } else { toml::to_string(&settings).ok() };
            println!("{}", text.unwrap_or_default());
            Ok(exit::OK)
        }
        Command::Models { command: Models::Add { dir, name, rerank } } => {
            let task = if rerank { Task::Rerank } else { Task::Embed };
            encoders::add(common, &settings, &dir, &name.unwrap_or_default(), task).await
        }
        Command::Models { command: Models::Probe(asked) } => crate::probe::run(asked, &settings, common.json).await,
        Command::Models { command } => models(&settings, &common.data, command, common.json),
        Command::Index { command: Index::Generations(command) } => generations::run(common, settings, command).await,
        Command::Pack { command } => packs(&settings, command, common.json),
        Command::Dev { command: Dev::FakeLlm { bind, profile, misbehave, log } } => {
            fake_llm(&settings, &bind, profile.as_deref(), misbehave, log.as_deref()).await
        }
        Command::Doctor { .. } | Command::Index { .. } if common.url.is_some() => Err(Failure::new(
            exit::USAGE,
            "usage",
            "this command opens the data directory itself; --url is for the other commands",
        )),
        Command::Doctor { fix } => doctor::run(&common.data, &settings, fix, common.json).await,
        Command::Index { command: Index::Migrate { to } } => migrate::run(&common.data, &settings, to, common.json).await,
        Command::Serve { bind } => serve(common, settings, bind).await,
        Command::Healthcheck => {
            let found = door::ready(common, &settings.server.bind).await?;
            match common.json {
                true => show::json(&found),
                false => eprintln!("{}", found["status"].as_str().unwrap_or("ready")),
            }
            Ok(exit::OK)
        }
        Command::Quickstart { serve: go_on, bind } => {
            let door = Door::open(common, settings.clone()).await?;
            quickstart::run(&door, common.json).await?;
            match go_on {
                true => {
                    let Door::Local(service) = door else {
                        return Err(Failure::new(exit::USAGE, "usage", "--serve and --url exclude each other"));
                    };
                    serve_on(service, bind).await
                }
                false => {
                    door.close().await;
                    Ok(exit::OK)
                }
            }
        }
        Command::Eval { command: Eval::Run(run) } => crate::target::eval(&run, &settings, common.json).await,
        Command::Eval { command: Eval::Merge { dirs, out } } => {
            let (documents, questions) = eval::merge::merge(&dirs, &out)?;
            println!("{}: {documents} documents, {questions} questions", out.display());
            Ok(exit::OK)
        }
        Command::Eval { command: Eval::TrainRank(train) } => crate::target::train(&train, &settings, common.json).await,
        Command::Eval { command: Eval::Liar(run) } => crate::trial::liar(&run, &settings, common.json).await,
        Command::Eval { command: Eval::Injection } => crate::trial::injection(&settings, common.json).await,
        Command::Eval { command: Eval::Regions(run) } => crate::trial::regions(&run, &settings, common.json).await,
        Command::Eval { command: Eval::Plan(plan) } => {
            let found = eval::plan::plan(&plan.dir, plan.ask, plan.limit, &(&plan.guard).into())?;
            if common.json {
                show::json(&found)
            } else {
                print!("{}", found.table())
            }
            Ok(exit::OK)
        }
        Command::Eval { command: Eval::Lint { dir } } => {
            if let Some(panel) = eval::Panel::read(&dir)? {
                eprintln!("suite {} is valid; its sets are checked when it runs", panel.name());
                return Ok(exit::OK);
            }
            let found = eval::plan::plan(&dir, false, None, &eval::Guard::default())?;
            eprintln!("{} {} is valid: {} questions over {} documents", found.kind, found.name, found.questions, found.documents);
            Ok(exit::OK)
        }
        Command::Eval { command: Eval::Compare { before, after, guard } } => {
            crate::target::compare(&before, &after, &(&guard).into(), common.json)
        }
        Command::Eval { command: Eval::Swap { dirs, count, out, keep } } => {
            crate::target::swap(&dirs, count, &out, keep.as_deref(), &settings).await
        }
        Command::Eval { command: Eval::Learn(learn) } => crate::target::learn(&learn, &settings).await,
        Command::Eval { command: Eval::Baseline { command: EvalBaseline::Accept { run, out, reason } } } => {
            crate::target::accept(eval::Record::read(&run)?, &out, Some(reason))?;
            Ok(exit::OK)
        }
        Command::Eval { command: Eval::Fields { dirs, truth } } => {
            let report = eval::fields::measure(&dirs, truth.as_deref(), &crate::target::facts)?;
            if common.json {
                show::json(&report)
            } else {
                print!("{}", report.table())
            }
            Ok(exit::OK)
        }
        Command::Eval { command: Eval::Tables { dir } } => {
            let report = eval::tables::measure(&dir, &crate::target::pages)?;
            if common.json {
                show::json(&report)
            } else {
                print!("{}", report.table())
            }
            Ok(exit::OK)
        }
        Command::Eval { command: Eval::Power { cases, flips, drop, rounds, guard } } => {
            let study = eval::power::Study { cases, flips, drop, rounds: rounds as usize };
            let power = study.run(&(&guard).into())?;
            if common.json {
                show::json(&power)
            } else {
                print!("{}", power.table())
            }
            Ok(exit::OK)
        }
        command => {
            if let Command::Ingest { paths, recursive, manifest, dry_run: true, .. } = &command {
                return dry_run(&sources(paths, *recursive, manifest.as_deref())?, common.json);
            }
            if let Command::Ingest { paths, recursive, manifest: Some(manifest), .. } = &command {
                // What is wrong with it is told before a data directory is made.
                sources(paths, *recursive, Some(manifest))?;
            }
            let door = Door::open(common, settings).await?;
            let result = with_door(&door, command, common.json).await;
            door.close().await;
            result
        }
    }
}

async fn with_door(door: &Door, command: Command, json: bool) -> Result<u8, Failure> {
    match command {
        Command::Ingest { paths, recursive, manifest, resume, scenario, .. } => {
            let sources = sources(&paths, recursive, manifest.as_deref())?;
            ingest(door, sources, resume.as_deref(), &scenario.scenario, json).await
        }
        Command::Ask { question, stream, mode, top_k, scenario } => {
            let mode = match mode {
                Writer::Answer => AnswerMode::Answer,
                Writer::Extractive => AnswerMode::Extractive,
            };
            let ask = Ask { question, scenario: Some(scenario.scenario), mode, top_k, stream, ..Ask::default() };
            let streaming = stream && !json;
            let mut printed = String::new();
            let mut on_text = |text: &str| {
                if streaming {
                    printed.push_str(text);
                    show::piece(text);
                }
            };
            let answer = door.ask(&ask, &mut on_text).await?;
            if json {
                show::json(&answer);
            } else {
                if !printed.is_empty() && printed != answer.text {
                    show::piece("\n\n");
                }
                show::answer(&answer, streaming && printed == answer.text);
            }
            Ok(exit::OK)
        }
        Command::Search { query, top_k, mode, as_of, filters, explain, scenario } => {
            let query = Query { text: query, mode: mode.into(), top_k, filters: together(filters), as_of, explain };
            let hits = door.search(&scenario.scenario, &query).await?;
            if json {
                show::json(&hits)
            } else {
                show::hits(&hits)
            }
            Ok(exit::OK)
        }
        Command::Scenario { command } => scenarios(door, command, json).await,
        Command::Docs { command } => docs(door, command, json).await,
        Command::Batch { command } => batch(door, command, json).await,
        Command::Answers { command: Answers::Show { id, trace } } => {
            let record = record(door, &id).await?;
            match (json, trace) {
                (true, true) => show::json(&record),
                (true, false) => show::json(&rag::trace::Record { trace: None, ..record }),
                (false, _) => show::record(&record, trace),
            }
            Ok(exit::OK)
        }
        Command::Replay { id } => replay(door, &id, json).await,
        _ => Err(Failure::new(exit::USAGE, "usage", "this command takes no data directory")),
    }
}

/// A stored answer by the id that was typed.
async fn record(door: &Door, id: &str) -> Result<rag::trace::Record, Failure> {
    let missing = || Failure::new(exit::FAILED, "not_found", format!("there is no answer `{id}`"));
    door.record(id.parse().map_err(|_| missing())?).await?.ok_or_else(missing)
}

/// Asks again what was asked; exits with 1 if the answer is another one.
async fn replay(door: &Door, id: &str, json: bool) -> Result<u8, Failure> {
    let before = record(door, id).await?;
    let Some(old) = &before.trace else {
        return Err(Failure::new(exit::FAILED, "no_trace", format!("the answer `{id}` was stored without a trace")));
    };
    let again = door.ask(&Ask { stream: false, ..old.ask.clone() }, &mut |_| {}).await?;
    let after = record(door, &again.id.to_string()).await?;
    let new = after.trace.clone().unwrap_or_default();
    let differences = rag::trace::differences((&before.answer, old), (&after.answer, &new));
    if json {
        show::json(&json!({ "before": before.answer.id, "after": after.answer.id, "differences": differences }));
    } else {
        show::differences(&before.answer.id.to_string(), &after.answer.id.to_string(), &differences);
    }
    Ok(if differences.is_empty() { exit::OK } else { exit::FAILED })
}

fn models(settings: &Settings, data: &Path, command: Models, json: bool) -> Result<u8, Failure> {
    let cards = settings.llm.cards()?;
    match command {
        Models::Ls if json => {
            let listed: Vec<_> = cards.iter().map(|(card, _)| card).collect();
            show::json(&json!({ "data": listed, "encoders": encoders::list(data) }));
        }
        Models::Ls => {
            cards.iter().for_each(|(card, origin)| show::card(card, origin));
            encoders::list(data).iter().for_each(show::encoder);
        }
        Models::Show { name } if encoders::find(data, &name).is_some() => {
            let encoder = encoders::find(data, &name);
            if json { show::json(&encoder) } else { print!("{}", toml::to_string(&encoder).unwrap_or_default()) }
        }
        // Reading them was the check.
        Models::Check | Models::Probe(_) => eprintln!("{} cards are valid", cards.names().len()),
        Models::Show { name } if json => show::json(card(&cards, &name)?),
        Models::Show { name } => print!("{}", card(&cards, &name)?.to_toml()),
        Models::Add { .. } => {}
    }
    Ok(exit::OK)
}

fn card<'a>(cards: &'a Cards, name: &str) -> Result<&'a Card, Failure> {
    cards.get(name).ok_or_else(|| {
        let known = cards.names().join(", ");
        Failure::new(exit::FAILED, "not_found", format!("there is no card `{name}`; there are {known}"))
    })
}

fn packs(settings: &Settings, command: Pack, json: bool) -> Result<u8, Failure> {
    let packs = settings.packs.open()?;
    match command {
        Pack::Ls if json => {
            let data: Vec<_> = packs.all().iter().map(|pack| json!(pack.shown())).collect();
            show::json(&json!({ "data": data }));
        }
        Pack::Ls => packs.all().iter().for_each(|pack| show::pack(pack, pack.name == settings.packs.r#use)),
        Pack::Show { name } => {
            if let Some(name) = &name {
                packs.known(name).map_err(|error| Failure::new(exit::FAILED, "not_found", error.to_string()))?;
            }
            let pack = packs.get(name.as_deref());
            if json { show::json(&pack.shown()) } else { print!("{}", toml::to_string(&pack.shown()).unwrap_or_default()) }
        }
        Pack::Check { dir } => {
            let packs = match &dir {
                None => packs,
                Some(dir) => Packs::open(Some(dir), STANDARD)?,
            };
            let folder = dir.or_else(|| Some(PathBuf::from(&settings.packs.dir)).filter(|dir| !dir.as_os_str().is_empty()));
            for suite in
                folder.iter().flat_map(|folder| packs.all().into_iter().map(|pack| folder.join(&pack.name).join("suite")))
            {
                if suite.is_dir() {
                    eval::plan::plan(&suite, true, None, &eval::Guard::default())?;
                }
            }
            let names: Vec<String> = packs.all().iter().map(|pack| pack.name.clone()).collect();
            if json {
                show::json(&json!({ "valid": names }));
            }
            eprintln!("valid: {}", names.join(", "));
        }
    }
    Ok(exit::OK)
}

/// Runs until it is interrupted.
async fn fake_llm(
    settings: &Settings,
    bind: &str,
    profile: Option<&str>,
    misbehave: Option<Misbehave>,
    log: Option<&Path>,
) -> Result<u8, Failure> {
    let cards = settings.llm.cards()?;
    let card = profile.map(|name| card(&cards, name)).transpose()?.cloned();
    let busy = |error: std::io::Error| Failure::new(exit::FAILED, "address_in_use", format!("cannot listen on {bind}: {error}"));
    let listener = tokio::net::TcpListener::bind(bind).await.map_err(busy)?;
    let address = listener.local_addr().map_err(busy)?;
    let unwritable = |error: std::io::Error| Failure::new(exit::FAILED, "storage", format!("the log cannot be written: {error}"));
    let log = log.map(std::fs::File::create).transpose().map_err(unwritable)?;
    println!("listening on http://{address}/v1");
    dev::Fake { card, misbehave, log, ..dev::Fake::default() }.serve(listener).await;
    Ok(exit::OK)
}

async fn scenarios(door: &Door, command: Scenarios, json: bool) -> Result<u8, Failure> {
    let scenario = match command {
        Scenarios::Ls => {
            let data = door.scenarios().await?;
            if json {
                show::json(&json!({ "data": data }))
            } else {
                show::scenarios(&data)
            }
            return Ok(exit::OK);
        }
        Scenarios::Rm { names, force } => {
            for name in &names {
                door.remove_scenario(name, force).await?;
                println!("{name}");
            }
            return Ok(exit::OK);
        }
        Scenarios::Create { name, setup } => door.create_scenario(&name, &setup.said()).await?,
        Scenarios::Show { name } => door.scenario(&name).await?,
        Scenarios::Set { name, setup, unset } => {
            let mut change = setup.said();
            for field in unset {
                let (outer, inner) = field.split_once('.').unwrap_or((&field, ""));
                match change.entry(outer).or_insert_with(|| json!({})) {
                    Value::Object(fields) if !inner.is_empty() => drop(fields.insert(inner.into(), Value::Null)),
                    value => *value = Value::Null,
                }
            }
            door.change_scenario(&name, &change).await?
        }
    };
    if json {
        show::json(&scenario)
    } else {
        show::scenario(&scenario)
    }
    Ok(exit::OK)
}

async fn docs(door: &Door, command: Docs, json: bool) -> Result<u8, Failure> {
    let missing = |id: &str| Failure::new(exit::FAILED, "not_found", format!("there is no document `{id}`"));
    let parse = |id: &str| id.parse::<DocumentId>().map_err(|_| missing(id));
    match command {
        Docs::Ls { scenario } => {
            let documents = door.documents(&scenario.scenario).await?;
            if json { show::json(&json!({ "data": documents })) } else { show::documents(&documents) }
        }
        Docs::Show { id, scenario } => {
            let document = door.document(&scenario.scenario, parse(&id)?).await?.ok_or_else(|| missing(&id))?;
            if json { show::json(&document) } else { show::document(&document) }
        }
        Docs::WhyNot { question, id, top_k, scenario } => {
            let query =
                Query { text: question, mode: Mode::Hybrid, top_k, filters: Filters::default(), as_of: None, explain: true };
            let why = door.why_not(&scenario.scenario, &query, parse(&id)?).await?.ok_or_else(|| missing(&id))?;
            if json { show::json(&why) } else { show::why_not(&why) }
        }
        Docs::Passages { id, scenario } => {
            let passages = door.passages(&scenario.scenario, parse(&id)?).await?.ok_or_else(|| missing(&id))?;
            if json { show::json(&json!({ "data": passages })) } else { show::passages(&passages) }
        }
        Docs::Rm { ids, scenario } => {
            let mut gone = 0;
            for id in &ids {
                let deleted = match id.parse() {
                    Ok(document) => door.delete(&scenario.scenario, document).await?,
                    Err(_) => false,
                };
                match deleted {
                    true => {
                        gone += 1;
                        println!("{id}");
                    }
                    false => eprintln!("dossier: there is no document `{id}`"),
                }
            }
            return Ok(if gone == ids.len() { exit::OK } else { exit::FAILED });
        }
    }
    Ok(exit::OK)
}

async fn batch(door: &Door, command: Batch, json: bool) -> Result<u8, Failure> {
    let (id, scenario, wait) = match command {
        Batch::Show { id, scenario } => (id, scenario.scenario, false),
        Batch::Wait { id, scenario } => (id, scenario.scenario, true),
    };
    let missing = || Failure::new(exit::FAILED, "not_found", format!("there is no batch `{id}`"));
    let batch: BatchId = id.parse().map_err(|_| missing())?;
    let state = match wait {
        true => progress::watch(door, &scenario, batch, None).await?,
        false => door.batch(&scenario, batch).await?.ok_or_else(missing)?,
    };
    let items = door.items(&scenario, batch).await?;
    if json {
        show::json(&json!({ "batch": state, "items": items }))
    } else {
        show::batch(&state, &items)
    }
    Ok(if wait { outcome(&items) } else { exit::OK })
}

/// What the paths stand for, with what the manifest says of them.
fn sources(paths: &[PathBuf], recursive: bool, manifest: Option<&Path>) -> Result<Vec<Source>, Failure> {
    let manifest = manifest.map(Manifest::read).transpose()?;
    let named = manifest.as_ref().filter(|_| paths.is_empty()).map(Manifest::paths).unwrap_or_default();
    let mut sources = Vec::new();
    for path in paths.iter().chain(&named) {
        sources.extend(source::expand(path, recursive)?);
    }
    if let Some(manifest) = manifest {
        manifest.apply(&mut sources)?;
    }
    Ok(sources)
}

async fn ingest(door: &Door, mut sources: Vec<Source>, resume: Option<&str>, scenario: &str, json: bool) -> Result<u8, Failure> {
    let (batch, held) = match resume {
        None => (door.open_batch(scenario).await?, 0),
        Some(id) => {
            let missing = || Failure::new(exit::FAILED, "not_found", format!("there is no batch `{id}`"));
            let batch: BatchId = id.parse().map_err(|_| missing())?;
            door.batch(scenario, batch).await?.ok_or_else(missing)?;
            let held: HashSet<String> = door.items(scenario, batch).await?.into_iter().map(|item| item.path).collect();
            sources.retain(|source| !held.contains(&source.name));
            (batch, held.len())
        }
    };
    eprintln!("batch {batch}: {} documents", sources.len());
    let count = held + sources.len();
    let (_, state) =
        tokio::try_join!(door.ingest(scenario, batch, sources), progress::watch(door, scenario, batch, Some(count)))?;
    let items = door.items(scenario, batch).await?;
    for item in &items {
        if json { show::line(item) } else { show::item(item) }
    }
    show::totals(&state);
    Ok(outcome(&items))
}

/// 0 if every item is ready, 1 if none is, 3 if some are.
fn outcome(items: &[ingest::queue::BatchItem]) -> u8 {
    let good = items.iter().filter(|item| matches!(item.status.as_str(), "ready" | "unchanged")).count();
    match good {
        n if n == items.len() => exit::OK,
        0 => exit::FAILED,
        _ => exit::PART,
    }
}

fn dry_run(sources: &[Source], json: bool) -> Result<u8, Failure> {
    for source in sources {
        if json {
            show::line(&json!({ "path": source.name, "external_id": source.external_id, "facts": source.facts }));
        } else {
            println!("{}", source.name);
        }
    }
    Ok(exit::OK)
}

async fn serve(common: &Common, settings: Settings, bind: Option<String>) -> Result<u8, Failure> {
    if common.url.is_some() {
        return Err(Failure::new(exit::USAGE, "usage", "serve opens the data directory itself; --url is for the other commands"));
    }
    // Taken before the data directory is opened, so that a port in use is told at once.
    let listener = listen(&settings, bind.as_deref())?;
    let service = Service::open(&common.data, settings).await?;
    serve_with(service, listener).await
}

async fn serve_on(service: Arc<Service>, bind: Option<String>) -> Result<u8, Failure> {
    let listener = listen(&service.settings, bind.as_deref())?;
    serve_with(service, listener).await
}

async fn serve_with(service: Arc<Service>, listener: std::net::TcpListener) -> Result<u8, Failure> {
    let address = listener.local_addr().map_err(|e| Failure::new(exit::FAILED, "listen", e.to_string()))?;
    let key = key(&service.settings)?;
    println!("listening on http://{address}");
    // Actix runs its workers on a runtime of its own.
    let server = service.clone();
    let served = tokio::task::spawn_blocking(move || {
        actix_web::rt::System::new().block_on(http::serve(server, listener, key, terminated()))
    });
    let result = served.await;
    service.close().await;
    match result {
        Ok(Ok(())) => Ok(exit::OK),
        Ok(Err(error)) => Err(Failure::new(exit::FAILED, "serve", format!("the server stopped: {error}"))),
        Err(error) => Err(Failure::new(exit::FAILED, "serve", format!("the server stopped: {error}"))),
    }
}

fn listen(settings: &Settings, bind: Option<&str>) -> Result<std::net::TcpListener, Failure> {
    let bind = bind.unwrap_or(&settings.server.bind);
    let address = bind.parse().map_err(|_| {
        Failure::new(exit::USAGE, "invalid_settings", format!("`{bind}` is no address; write HOST:PORT, such as 127.0.0.1:8080"))
    })?;
    http::may_bind(&address, key(settings)?.as_deref()).map_err(|reason| Failure::new(exit::USAGE, "key_required", reason))?;
    std::net::TcpListener::bind(address).map_err(|error| {
        let hint = if error.kind() == std::io::ErrorKind::AddrInUse {
            "; another program uses this port, choose one with --bind"
        } else {
            ""
        };
        Failure::new(exit::FAILED, "address_in_use", format!("cannot listen on {bind}: {error}{hint}"))
    })
}

fn key(settings: &Settings) -> Result<Option<String>, Failure> {
    let server = &settings.server;
    if !server.key.is_empty() {
        return Ok(Some(server.key.clone()));
    }
    if server.key_file.is_empty() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&server.key_file)
        .map_err(|e| Failure::new(exit::USAGE, "invalid_settings", format!("server.key_file `{}`: {e}", server.key_file)))?;
    match text.trim() {
        "" => Err(Failure::new(exit::USAGE, "invalid_settings", format!("server.key_file `{}` is empty", server.key_file))),
        key => Ok(Some(key.to_owned())),
    }
}

/// A server stops gracefully on SIGTERM; other commands are interrupted at once.
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

/// Logs go to stderr: those of a server from `info` on, those of a command only if something is wrong. `RUST_LOG` overrides.
fn logs(server: bool) {
    use tracing_subscriber::EnvFilter;
    let default = if server { "info,qdrant_edge=error,actix_server=warn" } else { "error" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(color).try_init().ok();
}

/// A path as the identity of a document: where it really is, so that another way to write it is the same document.
pub fn identity(path: &Path) -> String {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The words of a line of shell: quotes group, `#` and `>` end the command.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                '#' | '>' | '|' if !quoted => break,
                ' ' if !quoted => words.push(String::new()),
                c => words.last_mut().unwrap().push(c),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    #[test]
    fn every_command_of_the_evaluation_guide_can_be_said() {
        let guide = include_str!("../docs/EVALUATION.md");
        let blocks = guide.split("```").skip(1).step_by(2).filter(|b| b.starts_with("sh\n") || b.starts_with("yaml\n"));
        let lines = blocks.flat_map(str::lines).map(|line| line.trim().trim_start_matches("- "));
        let commands: Vec<&str> = lines.filter(|line| line.starts_with("dossier ")).collect();
        assert!(commands.len() > 10);
        for command in commands {
            Line::try_parse_from(words(command)).unwrap_or_else(|e| panic!("{command}: {e}"));
        }
    }
}
