//! What `eval run` measures: a whole service on a data directory of its own.

use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use eval::{Comparison, EvalError, Ingested, Mutant, NotIngested, Options, Panel, Progress, Record, Target};
use index::{
    corpus::DocumentId,
    hit::{Filters, Hits, Mode, Query},
    page::Page,
};
use ingest::{
    enrich,
    parse::{About, parse},
    sniff::sniff,
    source,
};
use rag::ask::{Answer, Ask};
use serde_json::{Map, Value};

use crate::{
    assemble::Service,
    cli::{EvalLearn, EvalRun, EvalTrain, Failure, exit},
    config::Settings,
    door::Door,
    progress, show,
};

/// The scenario that is measured.
const SCENARIO: &str = "default";
/// How long vectors are waited for while none come.
const STALLED: Duration = Duration::from_secs(900);

struct Measured {
    service: Arc<Service>,
}

impl Measured {
    /// Waits for the vectors of what an earlier run took in and did not finish: a set is measured by both arms.
    async fn vectors(&self) -> Result<(), Failure> {
        let call = self.service.call(SCENARIO).await?;
        let (mut before, mut since) = (u32::MAX, Instant::now());
        loop {
            let pending = self.service.catalog.vectors_pending(&call).await?;
            if pending == 0 {
                return Ok(());
            }
            if pending < before {
                (before, since) = (pending, Instant::now());
            } else if since.elapsed() > STALLED {
                let message = format!(
                    "{pending} documents still lack their vectors, and none has got them for {} s; `dossier doctor` says why",
                    STALLED.as_secs()
                );
                return Err(Failure::new(exit::FAILED, "vectors_pending", message));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn found(&self, text: &str, mode: Mode, top_k: usize, filters: &Filters, explain: bool) -> Result<Hits, EvalError> {
        let query = Query { text: text.into(), mode, top_k, filters: filters.clone(), as_of: None, explain };
        let call = self.service.call(SCENARIO).await.map_err(|e| EvalError::target(&e))?;
        self.service.search(&call, &query).await.map_err(|e| EvalError::target(&e))
    }
}

/// Runs a set or a suite and prints its report; the exit code says whether the gates held.
pub async fn eval(run: &EvalRun, settings: &Settings, json: bool) -> Result<u8, Failure> {
    let throwaway = throwaway()?;
    let data = run.keep.as_deref().unwrap_or(throwaway.path());
    let mutant =
        run.mutant.as_deref().map(str::parse::<Mutant>).transpose().map_err(|e| Failure::new(exit::USAGE, "usage", e))?;
    let baseline = run.baseline.as_deref().map(Record::read).transpose()?;
    let options = Options {
        mode: run.mode(),
        ask: run.ask,
        limit: run.limit,
        facts: run.facts.clone(),
        mutant,
        config_hash: config_hash(run, settings),
        baseline,
        guard: (&run.guard).into(),
        ..Options::default()
    };
    let report = match Panel::read(&run.dir)? {
        None => measure(&run.dir, data, settings, &options).await?,
        Some(panel) => {
            let sets = run.sets.as_deref().ok_or("--sets or DOSSIER_TEST_DATA does not say where the sets are".to_owned());
            let sets = match sets.and_then(|root| panel.sets(root)) {
                Ok(sets) => sets,
                Err(reason) => return Ok(skipped(&panel, &reason, json)),
            };
            let mut reports = Vec::new();
            for (name, dir) in sets {
                reports.push(measure(&dir, &data.join(name), settings, &panel.options(&options)).await?);
            }
            panel.judge(reports, &options)?
        }
    };
    if let Some(file) = &run.outcomes {
        write_lines(file, &report).map_err(|e| unwritable(file, &e))?;
    }
    if let Some(file) = &run.junit {
        write_text(file, &report.junit())?;
    }
    if let Some(file) = &run.summary {
        write_text(file, &report.summary())?;
    }
    if let Some(file) = &run.write_baseline {
        accept(Record::of(&report), file, run.reason.clone())?;
    }
    if json {
        show::json(&report)
    } else {
        print!("{}", report.table())
    }
    Ok(match report.verdict {
        eval::Verdict::Passed => exit::OK,
        eval::Verdict::Failed => exit::FAILED,
        eval::Verdict::Inconclusive => exit::PART,
    })
}

/// A directory that goes with the run.
pub fn throwaway() -> Result<tempfile::TempDir, Failure> {
    tempfile::tempdir().map_err(no_throwaway)
}

fn no_throwaway(error: std::io::Error) -> Failure {
    Failure::new(exit::FAILED, "storage", format!("no throwaway directory: {error}"))
}

async fn measure(dir: &Path, data: &Path, settings: &Settings, options: &Options) -> Result<eval::Report, Failure> {
    let mut settings = settings.clone();
    settings.packs.r#use = eval::pack(dir)?.unwrap_or(settings.packs.r#use);
    let target = Measured { service: Service::open(data, settings).await? };
    let result = eval::run(&target, dir, options, &say).await;
    target.service.close().await;
    Ok(result?)
}

/// Sets are not part of the program: where they are absent, nothing is claimed and nothing fails.
fn skipped(panel: &Panel, reason: &str, json: bool) -> u8 {
    if json {
        show::json(&serde_json::json!({ "kind": "suite", "name": panel.name(), "skipped": reason }));
    }
    eprintln!("skipped: suite {}: {reason}", panel.name());
    exit::OK
}

/// A run of a set or suite with these settings in a throwaway directory; `encoders` are the local ones that they may name.
pub async fn measured(dir: &Path, settings: &Settings, encoders: &Path) -> Result<Record, Failure> {
    let data = throwaway()?;
    if let Ok(encoders) = encoders.canonicalize() {
        std::os::unix::fs::symlink(encoders, crate::encoders::folder(data.path())).map_err(no_throwaway)?;
    }
    Ok(Record::of(&measure(dir, data.path(), settings, &Options::default()).await?))
}

/// The pages of a file, as the parser reads them.
pub fn pages(file: &Path) -> Result<Vec<Page>, String> {
    read(file).map(|(_, pages)| pages)
}

/// The facts of a file, as the catalog keeps them, from its pages and its name alone.
pub fn facts(file: &Path) -> Result<Map<String, Value>, String> {
    let (about, pages) = read(file)?;
    let facts = enrich::facts(&file.to_string_lossy(), &Map::new(), &about, &pages);
    match serde_json::to_value(facts) {
        Ok(Value::Object(facts)) => Ok(facts),
        _ => Err("its facts are no object".into()),
    }
}

fn read(file: &Path) -> Result<(About, Vec<Page>), String> {
    let bytes = std::fs::read(file).map_err(|e| e.to_string())?;
    let name = file.to_string_lossy();
    let format = sniff(&bytes, &name).map_err(|e| e.to_string())?;
    let mut pages = Vec::new();
    let mut keep = |page| {
        pages.push(page);
        Ok(())
    };
    let about = parse(format, &bytes, &name, &mut keep).map_err(|e| e.to_string())?;
    Ok((about, pages))
}

/// Writes a set of questions that the documents of some sets cannot answer.
pub async fn swap(dirs: &[PathBuf], count: usize, out: &Path, keep: Option<&Path>, settings: &Settings) -> Result<u8, Failure> {
    let throwaway = throwaway()?;
    std::fs::create_dir_all(out).map_err(|e| unwritable(out, &e))?;
    let target = Measured { service: Service::open(keep.unwrap_or(throwaway.path()), settings.clone()).await? };
    let mut rows = String::new();
    for dir in dirs {
        let corpus = dir.join("corpus.jsonl");
        target.ingest(&corpus).await?;
        for line in std::fs::read_to_string(&corpus).map_err(|e| unwritable(&corpus, &e))?.lines() {
            let mut row: Value = serde_json::from_str(line).unwrap_or_default();
            if let Some(file) = row["file"].as_str().map(|file| dir.join(file)) {
                let file = std::fs::canonicalize(&file).unwrap_or(file);
                row["file"] = file.to_string_lossy().into();
            }
            rows.push_str(&format!("{row}\n"));
        }
    }
    let corpora: Vec<PathBuf> = dirs.iter().map(|dir| dir.join("corpus.jsonl")).collect();
    let made = eval::swap::swapped(&target, &corpora.iter().map(PathBuf::as_path).collect::<Vec<_>>(), count).await?;
    target.service.close().await;
    let questions: String = made.iter().filter_map(|q| Some(format!("{}\n", serde_json::to_string(q).ok()?))).collect();
    write_text(&out.join("corpus.jsonl"), &rows)?;
    write_text(&out.join("questions.jsonl"), &questions)?;
    write_text(&out.join("set.json"), "{\"set\": \"swapped\"}\n")?;
    eprintln!("{} questions in {}", made.len(), out.display());
    Ok(exit::OK)
}

/// Grows the trees that weigh sentences from the questions of some sets.
pub async fn learn(learn: &EvalLearn, settings: &Settings) -> Result<u8, Failure> {
    let mut learned = eval::learn::Learned::default();
    for file in &learn.reuse {
        learned.reread(file)?;
    }
    for dir in &learn.dirs {
        let lessons = eval::learn::lessons(dir, &learn.language, learn.limit)?;
        let throwaway = throwaway()?;
        let kept = learn.keep.as_deref().zip(dir.file_name()).map(|(keep, name)| keep.join(name));
        let data = kept.as_deref().unwrap_or(throwaway.path());
        let target = Measured { service: Service::open(data, settings.clone()).await? };
        target.ingest(&dir.join("corpus.jsonl")).await?;
        let call = target.service.call(SCENARIO).await.map_err(|e| EvalError::target(&e))?;
        for (done, lesson) in lessons.iter().enumerate() {
            let ask = Ask { question: lesson.question.clone(), ..Ask::default() };
            for without in [&[], lesson.documents.as_slice()].into_iter().take(1 + usize::from(!lesson.documents.is_empty())) {
                // A question that cannot be asked teaches nothing.
                let Ok(found) = target.service.engine.weigh(&call, &ask, without).await else { continue };
                learned.add(lesson, !without.is_empty(), &found);
            }
            say(Progress::Questions { setting: dir.display().to_string(), done: done + 1, total: lessons.len() });
        }
        target.service.close().await;
    }
    if let Some(file) = &learn.examples {
        write_text(file, &learned.lines())?;
    }
    let (trees, table) = learned.grow();
    print!("{table}");
    if let Some(out) = &learn.out {
        write_text(out, &trees)?;
    }
    Ok(exit::OK)
}

/// Trains the weights of the ranking on sets and prints what they gain.
pub async fn train(train: &EvalTrain, settings: &Settings, json: bool) -> Result<u8, Failure> {
    let throwaway = throwaway()?;
    let keep = train.keep.as_deref().unwrap_or(throwaway.path());
    let mut sets = Vec::with_capacity(train.dirs.len());
    if let Some(file) = &train.reuse {
        sets = eval::train::reread(file)?;
    }
    for dir in &train.dirs {
        let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let target = Measured { service: Service::open(&keep.join(format!("data-{name}")), settings.clone()).await? };
        let examples = eval::train::examples(&target, dir, train.limit).await;
        target.service.close().await;
        sets.push(examples?);
    }
    if let Some(file) = &train.examples {
        write_text(file, &sets.iter().map(eval::train::Examples::lines).collect::<String>())?;
    }
    let trained = eval::train::train(&sets);
    if let Some(file) = &train.out {
        write_text(file, &trained.file)?;
    }
    if json {
        show::json(&trained)
    } else {
        print!("{}", trained.table())
    }
    Ok(exit::OK)
}

/// Compares two runs; the exit code says whether the later one is worse.
pub fn compare(before: &Path, after: &Path, guard: &eval::Guard, json: bool) -> Result<u8, Failure> {
    let comparison = Comparison::of(&Record::read(before)?, &Record::read(after)?, guard)?.with_detectable();
    if json {
        show::json(&comparison)
    } else {
        print!("{}", comparison.table(true))
    }
    Ok(if comparison.dropped() { exit::FAILED } else { exit::OK })
}

/// Writes a run as a baseline.
pub fn accept(record: Record, file: &Path, reason: Option<String>) -> Result<(), Failure> {
    let record = record.accepted(reason);
    let text = record.to_json().map_err(|e| unwritable(file, &e))?;
    write_text(file, &text)?;
    eprintln!("{} cases of {} are the baseline in {}", record.cases.len(), record.name, file.display());
    Ok(())
}

/// What the numbers depend on besides the documents and the program.
fn config_hash(run: &EvalRun, settings: &Settings) -> String {
    let text = serde_json::to_string(&(&settings.index, &settings.embedding, &settings.llm, run.mode(), &run.mutant))
        .unwrap_or_default()
        + &settings.rerank.model;
    blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
}

fn write_text(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text).map_err(|e| unwritable(file, &e))
}

fn unwritable(file: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(exit::FAILED, "storage", format!("cannot write `{}`: {error}", file.display()))
}

#[async_trait]
impl Target for Measured {
    async fn ingest(&self, corpus: &Path) -> Result<Ingested, EvalError> {
        let began = Instant::now();
        let door = Door::Local(self.service.clone());
        let sources = source::expand(corpus, true).map_err(|e| EvalError::target(&e))?;
        let count = sources.len();
        let work = async {
            let batch = door.open_batch(SCENARIO).await?;
            tokio::try_join!(door.ingest(SCENARIO, batch, sources), progress::watch(&door, SCENARIO, batch, Some(count)))?;
            self.vectors().await?;
            door.items(SCENARIO, batch).await
        };
        let items = work.await.map_err(|failure: Failure| EvalError::Target {
            code: "ingest_failed",
            fault: index::fault::Fault::Dependency,
            detail: failure.message,
        })?;
        let good = |status: &str| matches!(status, "ready" | "unchanged");
        Ok(Ingested {
            documents: items.iter().filter(|item| good(&item.status)).count(),
            pages: items.iter().map(|item| item.pages as usize).sum(),
            failed: items
                .into_iter()
                .filter(|item| !good(&item.status))
                .map(|item| {
                    let (code, detail) = item.error.map_or(("unknown".into(), String::new()), |e| (e.code, e.detail));
                    NotIngested { name: item.external_id.unwrap_or(item.path), code, detail }
                })
                .collect(),
            seconds: began.elapsed().as_secs_f64(),
        })
    }

    async fn search(&self, query: &str, mode: Mode, top_k: usize, filters: &Filters) -> Result<Hits, EvalError> {
        self.found(query, mode, top_k, filters, false).await
    }

    async fn explained(&self, query: &str, top_k: usize, filters: &Filters) -> Result<Hits, EvalError> {
        self.found(query, Mode::Hybrid, top_k, filters, true).await
    }

    async fn meant(&self, ask: &Ask) -> Result<String, EvalError> {
        let call = self.service.call(SCENARIO).await.map_err(|e| EvalError::target(&e))?;
        let terms = self.service.terms(&call).await.map_err(|e| EvalError::target(&e))?;
        self.service.engine.meant(&call, &terms, ask).await.map_err(|e| EvalError::target(&e))
    }

    async fn ask(&self, ask: &Ask) -> Result<Answer, EvalError> {
        let call = self.service.call(SCENARIO).await.map_err(|e| EvalError::target(&e))?;
        let terms = self.service.terms(&call).await.map_err(|e| EvalError::target(&e))?;
        self.service.engine.answer(&call, &terms, ask, None).await.map_err(|e| EvalError::target(&e))
    }

    async fn page_text(&self, document: &DocumentId, version: u32, part: u32) -> Result<Option<String>, EvalError> {
        let call = self.service.call(SCENARIO).await.map_err(|e| EvalError::target(&e))?;
        let page = self.service.catalog.page(&call, *document, version, part).await.map_err(|e| EvalError::target(&e))?;
        Ok(page.map(|page| page.text))
    }
}

/// One line per step: rewritten on a terminal, every ten seconds elsewhere.
fn say(progress: Progress) {
    use std::sync::Mutex;
    static SAID: Mutex<Option<Instant>> = Mutex::new(None);
    let Progress::Questions { setting, done, total } = progress else { return };
    let mut err = std::io::stderr();
    if err.is_terminal() {
        write!(err, "\r{setting}: {done} of {total} questions").ok();
        if done == total {
            writeln!(err).ok();
        }
        return;
    }
    let Ok(mut said) = SAID.lock() else { return };
    if said.is_none_or(|at| at.elapsed() > Duration::from_secs(10)) {
        writeln!(err, "{setting}: {done} of {total} questions").ok();
        *said = Some(Instant::now());
    }
}

fn write_lines(file: &Path, report: &eval::Report) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(std::fs::File::create(file)?);
    for outcome in &report.outcomes {
        writeln!(out, "{}", serde_json::to_string(outcome)?)?;
    }
    out.flush()
}
