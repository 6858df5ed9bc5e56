//! Is everything in order? The disk, the catalog, the encoder, the store, and whether the index holds what the catalog says;
//! with `--fix` the index is put right from the catalog.

use std::path::Path;

use index::{
    IndexError,
    catalog::Catalog,
    db::{DataDir, Db},
    fault::Coded,
    store::VectorStore,
};
use ingest::{
    queue::Queue,
    reconcile::{self, Difference},
};
use serde::Serialize;
use sqlx::Row;

use crate::{
    assemble,
    cli::{Failure, exit},
    config::Settings,
    progress::Bar,
    show,
};

/// Less free space than this is worth a word: 1 GiB.
const LOW: u64 = 1 << 30;

/// What one look found.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    state: State,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    Warning,
    Wrong,
    Healed,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, check: &'static str, state: State, detail: impl Into<String>) {
        self.0.push(Finding { check, state, detail: detail.into(), code: None });
    }

    fn failed(&mut self, check: &'static str, error: &IndexError) {
        self.0.push(Finding { check, state: State::Wrong, detail: error.to_string(), code: Some(error.code()) });
    }
}

/// Looks at everything and prints what was found; the exit code says whether something is wrong.
pub async fn run(data: &Path, settings: &Settings, fix: bool, json: bool) -> Result<u8, Failure> {
    let mut findings = Findings::default();
    findings.add("settings", State::Ok, format!("valid; the store is `{}`", settings.index.store));
    let dir = DataDir::open(data)?;
    disk(&dir, &mut findings);
    let db = Db::open(&dir).await?;
    if let Err(error) = catalog(&db, &dir, &mut findings).await {
        findings.failed("catalog", &error);
    }
    if let Err(error) = index(&db, &dir, settings, fix, &mut findings).await {
        findings.failed("index", &error);
    }
    db.close().await;
    let wrong = findings.0.iter().any(|finding| finding.state == State::Wrong);
    if json {
        show::json(&serde_json::json!({ "healthy": !wrong, "findings": findings.0 }));
    } else {
        for finding in &findings.0 {
            let state = match finding.state {
                State::Ok => "ok",
                State::Warning => "warning",
                State::Wrong => "WRONG",
                State::Healed => "healed",
            };
            println!("{state:8} {:10} {}", finding.check, finding.detail);
        }
    }
    Ok(if wrong { exit::FAILED } else { exit::OK })
}

fn disk(dir: &DataDir, findings: &mut Findings) {
    match dir.free() {
        Some(free) => {
            let state = if free < LOW { State::Warning } else { State::Ok };
            findings.add("disk", state, format!("{} MiB free where the data directory is", free >> 20));
        }
        None => findings.add("disk", State::Warning, "the system does not tell how much is free"),
    }
}

async fn catalog(db: &Db, dir: &DataDir, findings: &mut Findings) -> Result<(), IndexError> {
    let text: String = sqlx::query("PRAGMA quick_check").fetch_one(db.read()).await?.get(0);
    match text.as_str() {
        "ok" => findings.add("catalog", State::Ok, "whole"),
        wrong => findings.add("catalog", State::Wrong, format!("damaged: {wrong}; restore a backup")),
    }
    let rows = sqlx::query("SELECT DISTINCT hash, name FROM versions WHERE state = 'live'").fetch_all(db.read()).await?;
    let lost: Vec<String> =
        rows.iter().filter(|row| !dir.blob(row.get(0)).is_file()).map(|row| row.get::<String, _>(1)).collect();
    if lost.is_empty() {
        findings.add("originals", State::Ok, format!("{} files", rows.len()));
    } else {
        let some = lost.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
        findings.add(
            "originals",
            State::Wrong,
            format!(
                "{} files are gone ({some} …); questions are answered, but the originals cannot be shown: upload them again",
                lost.len()
            ),
        );
    }
    let waiting = sqlx::query("SELECT COUNT(*) FROM jobs").fetch_one(db.read()).await?.get::<i64, _>(0);
    findings.add("queue", State::Ok, format!("{waiting} documents wait for a worker"));
    let failed = sqlx::query("SELECT COUNT(*) FROM documents WHERE status IN ('failed', 'quarantined')");
    let failed = failed.fetch_one(db.read()).await?.get::<i64, _>(0);
    if failed > 0 {
        findings.add("documents", State::Warning, format!("{failed} could not be read; `dossier docs ls` shows why"));
    }
    Ok(())
}

async fn index(db: &Db, dir: &DataDir, settings: &Settings, fix: bool, findings: &mut Findings) -> Result<(), IndexError> {
    let (live, _) = assemble::live(settings, dir, db).await?;
    findings.add("encoder", State::Ok, live.space.clone());
    let store = assemble::open_store(settings.index.store, settings, dir, db, &live.name, live.dimensions).await?;
    if fix {
        store.prepare().await?;
    }
    match store.about().await {
        Ok(about) => findings.add("store", State::Ok, about),
        Err(error) => {
            findings.failed("store", &error);
            return Ok(());
        }
    }
    let difference = reconcile::compare(db, &*store).await?;
    if difference.is_none() {
        findings.add("index", State::Ok, format!("{} passages, {} of them with vectors", difference.found.0, difference.found.1));
        return Ok(());
    }
    let told = told(&difference);
    if !fix {
        findings.add("index", State::Wrong, format!("{told}; `dossier doctor --fix` writes it anew from the catalog"));
        return Ok(());
    }
    let rest = heal(db, &*store, &live.space, &difference).await?;
    if rest.is_none() {
        findings.add("index", State::Healed, format!("{told}; put right from the catalog"));
    } else {
        findings.add("index", State::Wrong, self::told(&rest));
    }
    Ok(())
}

/// Puts the store right; what has no vector yet is left to the workers of the next start. Returns what is still different.
pub async fn heal(db: &Db, store: &dyn VectorStore, space: &str, difference: &Difference) -> Result<Difference, IndexError> {
    let catalog = Catalog::new(db.clone());
    let mut bar = Bar::new("passages");
    let healed = reconcile::heal(&catalog, space, store, difference, &mut |done, all| bar.set(done, all)).await?;
    if !healed.unembedded.is_empty() {
        Queue::open(db.clone()).await?.rebuild(&healed.unembedded).await?;
    }
    reconcile::compare(db, store).await
}

fn told(difference: &Difference) -> String {
    let ((points, vectors), found) = (difference.expected, difference.found);
    format!(
        "the catalog has {points} passages, {vectors} of them with vectors, and the store has {} and {}: {} documents differ, {} are unknown",
        found.0,
        found.1,
        difference.wrong.len(),
        difference.unknown.len()
    )
}
