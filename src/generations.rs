//! `dossier index`: another encoder without a pause. An index is built beside the one that answers, by a process of its own that
//! only reads the catalog's documents; it is verified, promoted in one step, and can be taken back.

use std::{
    io::{IsTerminal, Write},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Subcommand;
use eval::Comparison;
use index::{
    IndexError,
    catalog::Catalog,
    db::{DataDir, Db},
    generation::{self, Generation, Record, State},
    scope::{Call, Scope},
    store::{Arm, Visible},
};
use ingest::build::{self, Filled, Unknown};
use serde::Serialize;
use serde_json::json;

use crate::{
    assemble,
    cli::{Common, Failure, exit},
    config::Settings,
    door::Door,
    encoders, show, target,
};

/// A build has no one waiting for it.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How like two vectors of the same text must be.
const ALIKE: f32 = 0.99;

#[derive(Debug, Subcommand)]
pub enum Index {
    /// List the indexes there are and which one answers
    Ls,
    /// Build an index for the encoder that the settings choose, beside the one that answers; goes on where it ended
    Build {
        /// The encoder, instead of embedding.model.
        #[arg(long, value_name = "NAME")]
        model: Option<String>,
    },
    /// Check that an index holds what the catalog holds and finds what it must; with a suite, that it answers no worse
    Verify {
        /// The index; by default the one that was built last.
        name: Option<String>,
        /// A suite or set that both encoders run.
        #[arg(long, value_name = "DIR")]
        suite: Option<std::path::PathBuf>,
        /// Passages that are looked for.
        #[arg(long, default_value_t = 100, value_name = "N")]
        sample: usize,
    },
    /// Let an index answer, from the next question on
    Promote {
        /// The index; by default the one that was built last.
        name: Option<String>,
    },
    /// Let the index before answer again
    Rollback,
}

/// Runs one of the commands.
pub async fn run(common: &Common, settings: Settings, command: Index) -> Result<u8, Failure> {
    match command {
        Index::Ls => {
            let records = match &common.url {
                Some(_) => Door::open(common, settings).await?.generations().await?,
                None => {
                    let (_dir, db) = beside(&common.data).await?;
                    json!({ "data": generation::list(&db).await? })
                }
            };
            if common.json {
                show::json(&records)
            } else {
                show::generations(&records["data"])
            }
            Ok(exit::OK)
        }
        Index::Build { model } => build(common, settings, model).await,
        Index::Verify { name, suite, sample } => verify(common, settings, name, suite.as_deref(), sample).await,
        Index::Promote { name } => switch(common, settings, Some(name.unwrap_or_default())).await,
        Index::Rollback => switch(common, settings, None).await,
    }
}

/// The catalog, also of a directory that a server has open.
async fn beside(data: &Path) -> Result<(Arc<DataDir>, Db), IndexError> {
    let dir = Arc::new(DataDir::beside(data)?);
    let db = Db::open(&dir).await?;
    Ok((dir, db))
}

async fn build(common: &Common, mut settings: Settings, model: Option<String>) -> Result<u8, Failure> {
    local(common, "build")?;
    if let Some(model) = model {
        settings.embedding.chosen.model = model;
    }
    let (dir, db) = beside(&common.data).await?;
    let _alone = dir.alone("index/build.lock")?;
    let known = generation::list(&db).await?;
    if known.is_empty() {
        return Err(Failure::new(
            exit::USAGE,
            "usage",
            "there is no index yet; `dossier ingest` makes one with the encoder that is set",
        ));
    }
    let embedder = settings.embedding.open(&common.data, &encoders::cards(&settings)?, &known).await?;
    let record = generation::begin(&db, embedder.space(), &settings.embedding.remembered(embedder.space())).await?;
    eprintln!("generation {}: {}", record.name, record.space);
    let store = assemble::open_store(settings.index.store, &settings, &dir, &db, &record.name, record.dimensions).await?;
    let into = Generation { name: record.name.clone(), store, embedder };
    let catalog = Catalog::new(db);
    let call = Call::new(Scope::default(), PATIENCE);
    let began = Instant::now();
    let mut said = Instant::now();
    let filled = build::fill(&catalog, &into, &call, Unknown::Encode, &mut |filled| say(filled, began, &mut said)).await?;
    if let Some(reason) = build::incomplete(&catalog, &into, true).await? {
        return Err(IndexError::GenerationIncomplete { name: record.name, reason }.into());
    }
    generation::built(catalog.db(), &record.name).await?;
    let tokens = call.meter.total().2;
    let built = json!({
        "name": record.name, "space": record.space, "documents": filled.documents, "passages": filled.passages,
        "encoded": filled.encoded, "tokens": tokens, "seconds": began.elapsed().as_secs_f64(),
    });
    if common.json {
        show::json(&built);
    } else {
        println!(
            "{}: {} documents, {} passages, {} of them encoded ({tokens} tokens) in {:.1} s",
            record.name,
            filled.documents,
            filled.passages,
            filled.encoded,
            began.elapsed().as_secs_f64()
        );
        eprintln!("next: dossier index verify {0}, then dossier index promote {0} (with --url where a server runs)", record.name);
    }
    catalog.db().close().await;
    Ok(exit::OK)
}

/// One line that is rewritten on a terminal, one every ten seconds elsewhere.
fn say(filled: Filled, began: Instant, said: &mut Instant) {
    let mut err = std::io::stderr();
    let terminal = err.is_terminal();
    if !terminal && said.elapsed() < Duration::from_secs(10) {
        return;
    }
    *said = Instant::now();
    let Filled { documents, of, passages, encoded } = filled;
    let (start, end) = if terminal { ("\r", if documents == of { "\n" } else { "" }) } else { ("", "\n") };
    let seconds = began.elapsed().as_secs();
    write!(err, "{start}{documents} of {of} documents, {passages} passages, {encoded} encoded, {seconds} s{end}").ok();
}

/// What a verification found.
#[derive(Debug, Serialize)]
struct Verified {
    name: String,
    passed: bool,
    /// What is wrong, if anything.
    reason: Option<String>,
    /// Passages that were looked for by their own vectors, and those that came first.
    sampled: usize,
    found: usize,
    /// The least cosine of a stored vector and a new one of the same text.
    least_cosine: f32,
    /// The comparison on the suite: the live encoder before, this one after.
    #[serde(skip_serializing_if = "Option::is_none")]
    suite: Option<serde_json::Value>,
}

async fn verify(
    common: &Common,
    settings: Settings,
    name: Option<String>,
    suite: Option<&Path>,
    sample: usize,
) -> Result<u8, Failure> {
    local(common, "verify")?;
    let (dir, db) = beside(&common.data).await?;
    let record = chosen(&db, name.as_deref().unwrap_or_default()).await?;
    let cards = encoders::cards(&settings)?;
    let embedder = settings.embedding.open_again(&common.data, &cards, &record).await?;
    let store = assemble::open_store(settings.index.store, &settings, &dir, &db, &record.name, record.dimensions).await?;
    let generation = Generation { name: record.name.clone(), store, embedder };
    let catalog = Catalog::new(db);
    let mut found = sampled(&catalog, &generation, sample).await?;
    if let (Some(suite), None) = (suite, &found.reason) {
        let comparison = compare(common, &settings, &catalog, &record, suite).await?;
        if !common.json {
            print!("{}", comparison.table(true));
        }
        if comparison.dropped() {
            found.reason = Some("it answers worse on the suite".into());
        }
        found.suite = serde_json::to_value(&comparison).ok();
    }
    found.passed = found.reason.is_none();
    let kept = serde_json::to_value(&found).unwrap_or_default();
    generation::verified(catalog.db(), &record.name, &kept).await?;
    catalog.db().close().await;
    if common.json {
        show::json(&kept);
    } else {
        let Verified { sampled, found: first, least_cosine, .. } = &found;
        println!("{}: {first} of {sampled} passages found by their own vectors, least cosine {least_cosine:.4}", record.name);
    }
    match found.reason {
        None => Ok(exit::OK),
        Some(reason) => {
            eprintln!("dossier: {}: {reason}", record.name);
            Ok(exit::FAILED)
        }
    }
}

/// Counts, and a sample: a passage's own vector must find it first, and its text must still become that vector.
async fn sampled(catalog: &Catalog, generation: &Generation, sample: usize) -> Result<Verified, Failure> {
    let mut verified = Verified {
        name: generation.name.clone(),
        passed: false,
        reason: None,
        sampled: 0,
        found: 0,
        least_cosine: 1.0,
        suite: None,
    };
    if let Some(reason) = build::incomplete(catalog, generation, true).await? {
        verified.reason = Some(reason);
        return Ok(verified);
    }
    let held = generation::held(catalog.db(), &generation.name).await?;
    // Evenly over all passages, without chance: the same sample twice.
    let all: u64 = held.iter().map(|version| version.passages).sum();
    let step = all.div_ceil(sample.max(1) as u64).max(1);
    let mut before = 0;
    let mut places = Vec::new();
    for version in &held {
        let first = (step - before % step) % step;
        places.extend((first..version.passages).step_by(step as usize).map(|ordinal| (version, ordinal as u32)));
        before += version.passages;
    }
    for (version, ordinal) in places {
        let passages = catalog.passages(version.document, version.version, ordinal, 1).await?;
        let Some(passage) = passages.first() else { continue };
        let call = Call::new(version.scope.clone(), PATIENCE);
        let text = build::indexed_text(&version.title, passage);
        let (known, _) = build::vectors(catalog, &*generation.embedder, &call, std::slice::from_ref(&text)).await?;
        let Some(vector) = known.into_values().next() else { continue };
        let again = generation.embedder.passages(&call, &[text]).await?;
        let cosine = again.first().map_or(0.0, |again| vector.iter().zip(again).map(|(a, b)| a * b).sum::<f32>());
        verified.least_cosine = verified.least_cosine.min(cosine);
        let visible = Visible { scope: version.scope.clone(), hidden: catalog.hidden(&call).await?, documents: None };
        let hits = generation.store.search(&call, &Arm::Meaning(vector), &visible, 10).await?;
        let best = hits.first().map_or(0.0, |(_, score)| *score);
        // Equal texts have equal vectors: any of them may come first.
        let first = hits.iter().any(|(id, score)| *id == passage.id.0 && best - score < 1e-4);
        verified.sampled += 1;
        verified.found += usize::from(first);
    }
    if verified.found < verified.sampled {
        verified.reason = Some(format!("{} passages are not found by their own vectors", verified.sampled - verified.found));
    } else if verified.least_cosine < ALIKE {
        verified.reason = Some(format!("its encoder does not make the vectors it made (cosine {:.3})", verified.least_cosine));
    }
    Ok(verified)
}

/// A suite with the live encoder and with that of the generation, each in a directory of its own.
async fn compare(
    common: &Common,
    settings: &Settings,
    catalog: &Catalog,
    record: &Record,
    suite: &Path,
) -> Result<Comparison, Failure> {
    let mut runs = Vec::new();
    let live = generation::live(catalog.db()).await?.unwrap_or_else(|| record.clone());
    for record in [&live, record] {
        eprintln!("{}: {}", record.name, record.space);
        runs.push(target::measured(suite, &settings.with_encoder(record)?, &encoders::folder(&common.data)).await?);
    }
    let [before, after] = runs.as_slice() else { return Err(Failure::new(exit::FAILED, "internal", "two runs were made")) };
    Ok(Comparison::of(before, after, &eval::Guard::default())?.with_detectable())
}

/// Lets a generation answer (`None`: the one before), in the server if one is named, else in this process.
async fn switch(common: &Common, settings: Settings, name: Option<String>) -> Result<u8, Failure> {
    // The settings may choose the encoder that is to answer, or the one that answered: here the index decides.
    let settings = Settings { embedding: settings.embedding.of_the_index(), ..settings };
    let door = Door::open(common, settings).await?;
    let switched = door.switch(name).await;
    door.close().await;
    let record = switched?;
    if common.json {
        show::json(&record);
    } else {
        println!("{} answers now: {}", record["name"].as_str().unwrap_or_default(), record["space"].as_str().unwrap_or_default());
    }
    Ok(exit::OK)
}

/// The generation of this name, or the one that was built last and does not answer.
pub async fn chosen(db: &Db, name: &str) -> Result<Record, IndexError> {
    if !name.is_empty() {
        return generation::find(db, name).await;
    }
    let all = generation::list(db).await?;
    let waiting = all.into_iter().rev().find(|record| matches!(record.state, State::Built | State::Building));
    waiting.ok_or_else(|| IndexError::GenerationIncomplete {
        name: "(none)".into(),
        reason: "no index was built that does not answer already; `dossier index build` builds one".into(),
    })
}

fn local(common: &Common, what: &str) -> Result<(), Failure> {
    match &common.url {
        None => Ok(()),
        Some(_) => Err(Failure::new(
            exit::USAGE,
            "usage",
            format!("`index {what}` works beside a running server on its data directory: give --data, not --url"),
        )),
    }
}
