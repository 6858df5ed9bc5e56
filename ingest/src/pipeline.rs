//! One document's road: parse → index (published, `searchable`) → embed (`ready`).
//!
//! Two lanes work side by side: words (parse, index, purge) and meaning (embed); meaning waits while words are waiting, so
//! that a document is found by its words within seconds however many vectors are still to be made. A lane takes a group of
//! small documents at once, so that the disk is synced once for all of them. Every stage may be done twice: ids are
//! derived, writes replace, and vectors are kept by the hash of their text.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use index::{
    IndexError,
    catalog::{Catalog, key, to_json, words_to_bytes},
    corpus::{BatchId, DocumentId, Passage, PassageId, PassageKind, Status},
    db::{DataDir, now},
    fault::{Coded, Fault},
    generation::{self, Generation, Live},
    publish,
    scope::Call,
};
use parking_lot::Mutex;
use serde_json::{Map, Value};
use sqlx::{Any, Row, Transaction};
use tokio::sync::{Notify, RwLock, watch};

use crate::{
    IngestError,
    build::{self, Unknown, indexed_text, text_hash},
    chunk::Chunker,
    crash,
    enrich::{self, Facts, given},
    parse::{About, Format},
    queue::{self, Accepted, Batch, HeldUp, Item, Job, Queue, Stage},
    reconcile,
    sandbox::Sandbox,
};

/// Jobs and bytes taken at once: large enough to share a sync, small enough that little is done again after a crash.
const GROUP: (usize, u64) = (64, 4 << 20);
/// Passages written to the store at once.
const POINTS: usize = 512;
/// Texts encoded between two checkpoints.
const TEXTS: usize = 64;
/// An idle worker looks this often whether the store still holds everything.
const LOOK: Duration = Duration::from_secs(60);
/// A failure that has not been seen again for so long is over; a job waits for a minute at most before it is tried again.
const FORGOTTEN: Duration = Duration::from_secs(150);
/// A worker's own calls have no one waiting for them.
const PATIENCE: Duration = Duration::from_secs(3600);

/// The road and its workers.
pub struct Pipeline {
    dir: Arc<DataDir>,
    catalog: Catalog,
    queue: Queue,
    live: Live,
    sandbox: Sandbox,
    words: Notify,
    meaning: Notify,
    words_busy: AtomicBool,
    // Set when the store failed: until it was compared with the catalog again, nothing is taken from the queue.
    doubt: AtomicBool,
    /// The failure of store or encoder that keeps the lanes from going on: since when, and when it was seen last.
    held_up: Mutex<Option<(HeldUp, Instant, Instant)>>,
    /// Held by each lane while it works on a group, and by whoever switches generations while none does.
    turn: RwLock<()>,
    switching: AtomicBool,
}

/// A document that was read, before it is written.
struct Read {
    format: Format,
    about: About,
    pages: Vec<index::page::Page>,
    passages: Vec<Passage>,
    /// The title that was read, completed with company and period.
    title: Option<String>,
    facts: Map<String, Value>,
}

impl Pipeline {
    /// The road over an open data directory. [`Pipeline::run`] starts the work.
    ///
    /// # Errors
    /// `catalog` if it cannot be read or written; those of the store that will not pass by themselves.
    pub async fn open(dir: Arc<DataDir>, catalog: Catalog, live: Live, sandbox: Sandbox) -> Result<Self, IndexError> {
        let queue = Queue::open(catalog.db().clone()).await?;
        let pipeline = Self {
            dir,
            catalog,
            queue,
            live,
            sandbox,
            words: Notify::new(),
            meaning: Notify::new(),
            words_busy: AtomicBool::new(false),
            doubt: AtomicBool::new(false),
            held_up: Mutex::default(),
            turn: RwLock::new(()),
            switching: AtomicBool::new(false),
        };
        match pipeline.reconcile().await {
            // A store that is not there yet will be: what is uploaded meanwhile waits in the queue.
            Err(error) if error.code() == "vector_store_unavailable" => pipeline.doubt(&error),
            result => result?,
        }
        Ok(pipeline)
    }

    /// The queue behind it.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Whether the store failed and was not found whole since then.
    pub fn store_in_doubt(&self) -> bool {
        self.doubt.load(Relaxed)
    }

    /// A batch, and what holds it up if it is not done.
    ///
    /// # Errors
    /// `catalog` if it cannot be read.
    pub async fn batch(&self, call: &Call, id: BatchId) -> Result<Option<Batch>, IndexError> {
        let batch = self.queue.batch(call, id).await?;
        let held_up = self.held_up.lock().clone().filter(|(.., seen)| seen.elapsed() < FORGOTTEN);
        let held_up = held_up.map(|(why, since, _)| HeldUp { seconds: since.elapsed().as_secs_f64(), ..why });
        Ok(batch.map(|batch| Batch { held_up: held_up.filter(|_| !batch.done), ..batch }))
    }

    /// The file that holds the original bytes with this hash.
    pub fn original(&self, hash: &str) -> PathBuf {
        self.dir.blob(hash)
    }

    /// Takes items in durably and wakes the workers.
    ///
    /// # Errors
    /// See [`Queue::accept`].
    pub async fn accept(&self, call: &Call, batch: BatchId, items: Vec<Item>) -> Result<Vec<Accepted>, IngestError> {
        let accepted = self.queue.accept(call, &self.dir, batch, items).await?;
        self.words.notify_one();
        Ok(accepted)
    }

    /// Deletes a document; `false` if the scope has none. It is out of every answer when this returns.
    ///
    /// # Errors
    /// `catalog` if it cannot be written.
    pub async fn delete(&self, call: &Call, document: DocumentId) -> Result<bool, IndexError> {
        let gone = self.queue.delete(call, document).await?;
        self.words.notify_one();
        Ok(gone)
    }

    /// Removes the scenario of the call, see [`Queue::remove_scenario`]; what the index holds of it is purged soon after.
    ///
    /// # Errors
    /// `not_found` if there is none, `catalog` if it cannot be written.
    pub async fn remove_scenario(&self, call: &Call, documents: bool) -> Result<u64, IndexError> {
        let keeping = self.queue.remove_scenario(call, documents).await?;
        self.words.notify_one();
        Ok(keeping)
    }

    /// Works until `stop` turns true; a job that is being done then is left to the next start.
    pub async fn run(self: Arc<Self>, stop: watch::Receiver<bool>) {
        tokio::join!(self.words_lane(stop.clone()), self.meaning_lane(stop));
    }

    async fn words_lane(&self, stop: watch::Receiver<bool>) {
        let mut looked = Instant::now();
        while !*stop.borrow() {
            let turn = self.turn.read().await;
            if !self.disk_has_room() || !self.store_is_whole().await {
                drop(turn);
                pause(&self.words, stop.clone()).await;
                continue;
            }
            match self.queue.claim(&[Stage::Purge, Stage::Parse, Stage::Index], GROUP.0, GROUP.1).await {
                Ok(jobs) if jobs.is_empty() => {
                    self.words_busy.store(false, Relaxed);
                    if looked.elapsed() > LOOK {
                        looked = Instant::now();
                        if let Err(error) = self.reconcile().await {
                            self.doubt(&error);
                        }
                        continue;
                    }
                    drop(turn);
                    pause(&self.words, stop.clone()).await;
                }
                Ok(jobs) => {
                    self.words_busy.store(true, Relaxed);
                    self.words_group(jobs).await;
                    self.meaning.notify_one();
                }
                Err(error) => {
                    drop(turn);
                    trouble(&error).await;
                }
            }
        }
    }

    async fn meaning_lane(&self, stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            if self.store_in_doubt() || !self.disk_has_room() {
                pause(&self.meaning, stop.clone()).await;
                continue;
            }
            let turn = self.turn.read().await;
            match self.queue.claim(&[Stage::Embed], GROUP.0, GROUP.1).await {
                Ok(jobs) if jobs.is_empty() => {
                    drop(turn);
                    pause(&self.meaning, stop.clone()).await;
                }
                Ok(jobs) => {
                    if let Err(error) = self.embed(&jobs, &stop).await {
                        self.give_back(&jobs, &error).await;
                    }
                    // A replaced version leaves its remains to the other lane.
                    self.words.notify_one();
                }
                Err(error) => {
                    drop(turn);
                    trouble(&error).await;
                }
            }
        }
    }

    /// `false` while the disk is too full to work on documents.
    fn disk_has_room(&self) -> bool {
        let room = self.dir.room(queue::RESERVE, "documents");
        room.inspect_err(|error| {
            tracing::debug!(code = error.code(), "documents wait: {error}");
            self.held_up_by(error);
        })
        .is_ok()
    }

    /// `false` while the store cannot be compared with the catalog after a failure.
    async fn store_is_whole(&self) -> bool {
        if !self.store_in_doubt() {
            return true;
        }
        match self.reconcile().await {
            Ok(()) => {
                tracing::info!("the vector store answers; documents go on");
                self.doubt.store(false, Relaxed);
                // That it can be read says nothing about a key that may not write.
                self.held_up.lock().take_if(|(why, ..)| !why.stays());
                self.meaning.notify_one();
                true
            }
            Err(error) => {
                tracing::debug!(code = error.code(), "documents wait for the vector store: {error}");
                self.held_up_by(&error);
                self.words_busy.store(false, Relaxed);
                false
            }
        }
    }

    fn doubt(&self, error: &IndexError) {
        self.held_up_by(error);
        if !self.doubt.swap(true, Relaxed) {
            tracing::warn!(code = error.code(), "documents wait for the vector store: {error}");
        }
    }

    fn held_up_by(&self, error: &IndexError) {
        let mut held_up = self.held_up.lock();
        let before = held_up.as_ref().filter(|(.., seen)| seen.elapsed() < FORGOTTEN);
        let since = before.map_or_else(Instant::now, |(_, since, _)| *since);
        let why = HeldUp { code: error.code().into(), detail: error.to_string(), seconds: 0.0 };
        *held_up = Some((why, since, Instant::now()));
    }

    async fn words_group(&self, jobs: Vec<Job>) {
        let (purge, rest): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| job.stage == Stage::Purge);
        for job in purge {
            if let Err(error) = self.purge(&job).await {
                self.give_back(&[job], &error).await;
            }
        }
        let (parse, mut index): (Vec<Job>, Vec<Job>) = rest.into_iter().partition(|job| job.stage == Stage::Parse);
        let mut read = Vec::new();
        for job in parse {
            match self.read(&job).await {
                Ok(document) => read.push((job, document)),
                Err(error) => self.settle(&job, &error).await,
            }
        }
        let held: Vec<Job> = read.iter().map(|(job, _)| job.clone()).collect();
        match self.write(read).await {
            Ok(written) => index.extend(written),
            Err(error) => self.give_back(&held, &error).await,
        }
        if let Err(error) = self.index(&index).await {
            self.give_back(&index, &error).await;
        }
    }

    async fn read(&self, job: &Job) -> Result<Read, IngestError> {
        let (mut pages, mut passages) = (Vec::new(), Vec::new());
        let mut chunker = Chunker::default();
        let mut on_page = |page: index::page::Page| {
            passages.extend(chunker.push(&page));
            pages.push(page);
        };
        let (format, about) = self.sandbox.read(&self.dir.blob(&job.hash), &job.name, &mut on_page).await?;
        passages.extend(chunker.finish());
        if passages.is_empty() {
            return Err(IngestError::NoText { pages: pages.len() });
        }
        let passages = passages
            .into_iter()
            .map(|draft| Passage {
                id: PassageId::derive(job.document, job.version, draft.ordinal),
                ordinal: draft.ordinal,
                kind: draft.kind,
                text: draft.text,
                headings: draft.headings,
                spans: draft.spans,
                regions: draft.regions,
            })
            .collect();
        let (metadata, said) = self.given(job).await?;
        let facts = enrich::facts_under(&job.name, &metadata, &about, &pages, &said);
        let title = facts.title.as_ref().map(|title| title.value.clone());
        let mut facts = json_object(&facts);
        given::overlay(&mut facts, &said);
        Ok(Read { format, about, pages, passages, title, facts })
    }

    /// Stores pages and passages; returns the jobs, now at `index`, that are still this worker's.
    async fn write(&self, read: Vec<(Job, Read)>) -> Result<Vec<Job>, IndexError> {
        let mut written = Vec::with_capacity(read.len());
        let mut tx = self.catalog.db().write().await?;
        for (mut job, document) in read {
            if !self.queue.holds(&mut tx, &job).await? {
                continue;
            }
            write_document(&mut tx, &job, &document).await?;
            queue::advance(&mut tx, &job, Stage::Index, Status::Running).await?;
            job.stage = Stage::Index;
            written.push(job);
        }
        tx.commit().await?;
        crash::point("parsed");
        Ok(written)
    }

    /// Writes the points with their words; publishes what has no version before it.
    async fn index(&self, jobs: &[Job]) -> Result<(), IndexError> {
        if jobs.is_empty() {
            return Ok(());
        }
        let store = &self.live.now().store;
        let mut counts = HashMap::new();
        let mut points = Vec::new();
        for job in jobs {
            let title = self.title(job).await?;
            let mut terms: HashMap<u32, u32> = HashMap::new();
            let mut from = 0;
            loop {
                let passages = self.catalog.passages(job.document, job.version, from, POINTS).await?;
                let Some(last) = passages.last() else { break };
                from = last.ordinal + 1;
                for (point, analysis) in build::points(&job.scope, job.document, job.version, &title, passages).await? {
                    for (term, _) in &analysis.terms {
                        *terms.entry(*term).or_default() += 1;
                    }
                    points.push(point);
                }
                if points.len() >= POINTS {
                    store.upsert(std::mem::take(&mut points)).await?;
                }
            }
            let mut terms: Vec<(u32, u32)> = terms.into_iter().collect();
            terms.sort_unstable();
            counts.insert(job.id, terms);
        }
        if !points.is_empty() {
            store.upsert(points).await?;
        }
        crash::point("points_written");
        store.flush().await?;
        let mut tx = self.catalog.db().write().await?;
        for job in jobs {
            if !self.queue.holds(&mut tx, job).await? {
                continue;
            }
            set_terms(&mut tx, job, &counts[&job.id]).await?;
            // A newer version of a document that is found already waits for its vectors: until then the older one answers.
            let first = sqlx::query("SELECT 1 FROM documents WHERE id = $1 AND version = 0")
                .bind(key(job.document.0))
                .fetch_optional(&mut *tx)
                .await?
                .is_some();
            if first {
                publish::publish(&mut tx, &job.scope, job.document, job.version).await?;
            }
            queue::advance(&mut tx, job, Stage::Embed, Status::Searchable).await?;
        }
        tx.commit().await?;
        crash::point("published");
        *self.held_up.lock() = None;
        Ok(())
    }

    /// Adds the vectors; publishes newer versions.
    async fn embed(&self, jobs: &[Job], stop: &watch::Receiver<bool>) -> Result<(), IndexError> {
        let live = self.live.now();
        let mut lost = vec![false; jobs.len()];
        let mut batch: Vec<(usize, PassageId, String)> = Vec::new();
        let mut sizes = Vec::with_capacity(jobs.len());
        for (at, job) in jobs.iter().enumerate() {
            let title = self.title(job).await?;
            let mut from = 0;
            sizes.push(self.passage_count(job).await?);
            loop {
                let passages = self.catalog.passages(job.document, job.version, from, TEXTS).await?;
                let Some(last) = passages.last() else { break };
                from = last.ordinal + 1;
                batch.extend(passages.iter().map(|passage| (at, passage.id, indexed_text(&title, passage))));
                while batch.len() >= TEXTS {
                    let rest = batch.split_off(TEXTS);
                    self.embed_batch(&live, jobs, &std::mem::replace(&mut batch, rest)).await?;
                    self.yield_to_words().await;
                    if *stop.borrow() || self.switching.load(Relaxed) {
                        return Err(IndexError::Deadline { doing: "stopping" });
                    }
                    lost[at] = !self.queue.renew(job, from, from as f32 / sizes[at].max(1) as f32).await?;
                }
                if lost[at] {
                    batch.retain(|(job, ..)| *job != at);
                    break;
                }
            }
        }
        if !batch.is_empty() {
            self.embed_batch(&live, jobs, &batch).await?;
        }
        crash::point("meaning_written");
        live.store.flush().await?;
        let mut tx = self.catalog.db().write().await?;
        for job in jobs {
            if !self.queue.holds(&mut tx, job).await? {
                continue;
            }
            let replaced = publish::publish(&mut tx, &job.scope, job.document, job.version).await?;
            queue::finish(&mut tx, job).await?;
            if let Some(old) = replaced {
                queue::discard(&mut tx, &job.scope, job.document, old).await?;
            }
        }
        tx.commit().await?;
        *self.held_up.lock() = None;
        Ok(())
    }

    async fn embed_batch(&self, live: &Generation, jobs: &[Job], batch: &[(usize, PassageId, String)]) -> Result<(), IndexError> {
        let call = Call::new(jobs[batch[0].0].scope.clone(), PATIENCE);
        let texts: Vec<String> = batch.iter().map(|(_, _, text)| text.clone()).collect();
        let (vectors, _) = build::vectors(&self.catalog, &*live.embedder, &call, &texts).await?;
        let meaning = |(_, id, text): &(usize, PassageId, String)| Some((id.0, vectors.get(&text_hash(text))?.clone()));
        live.store.set_meaning(batch.iter().filter_map(meaning).collect()).await
    }

    /// Lets another generation answer, once it holds what is published: what has come since it was built is written first,
    /// beside the work of the lanes; then they wait for a moment, the rest follows, and the switch is one transaction. Vectors
    /// that are not known by then are left to the queue.
    ///
    /// # Errors
    /// `generation_incomplete` if it lacks points all the same, and whatever filling it returns. Then nothing has changed.
    pub async fn promote(&self, call: &Call, to: Generation) -> Result<(), IndexError> {
        build::fill(&self.catalog, &to, call, Unknown::Leave, &mut |_| {}).await?;
        let switching = Switching::new(&self.switching);
        let waiting = tokio::time::timeout(call.left(), self.turn.write()).await;
        let lanes = waiting.map_err(|_| IndexError::Deadline { doing: "waiting for the ingest lanes" })?;
        build::fill(&self.catalog, &to, call, Unknown::Leave, &mut |_| {}).await?;
        if let Some(reason) = build::incomplete(&self.catalog, &to, false).await? {
            return Err(IndexError::GenerationIncomplete { name: to.name, reason });
        }
        let mut tx = self.catalog.db().write().await?;
        generation::promote(&mut tx, &to.name).await?;
        queue::index_again(&mut tx).await?;
        tx.commit().await?;
        self.live.switch(to);
        drop((lanes, switching));
        self.reconcile().await?;
        self.words.notify_one();
        self.meaning.notify_one();
        Ok(())
    }

    /// Removes what a retired version left: points first, rows last, so that a crash between leaves the job to be done again.
    async fn purge(&self, job: &Job) -> Result<(), IndexError> {
        let store = &self.live.now().store;
        store.delete(job.document, job.version).await?;
        store.flush().await?;
        crash::point("purged");
        let Some(mut tx) = self.queue.ending(job).await? else { return Ok(()) };
        queue::clear(&mut tx, job.document, job.version).await?;
        for sql in
            ["DELETE FROM versions WHERE document = $1 AND version = $2", "DELETE FROM jobs WHERE document = $1 AND version = $2"]
        {
            sqlx::query(sql).bind(key(job.document.0)).bind(i64::from(job.version)).execute(&mut *tx).await?;
        }
        let used =
            sqlx::query("SELECT 1 FROM versions WHERE hash = $1").bind(&job.hash).fetch_optional(&mut *tx).await?.is_some();
        tx.commit().await?;
        if !used {
            std::fs::remove_file(self.dir.blob(&job.hash)).ok();
        }
        Ok(())
    }

    /// Compares the store with the catalog, puts back into the queue what the store lacks, and removes what it should not have.
    async fn reconcile(&self) -> Result<(), IndexError> {
        let store = &self.live.now().store;
        store.prepare().await?;
        let difference = reconcile::compare(self.catalog.db(), &**store).await?;
        if difference.is_none() {
            return Ok(());
        }
        let (wrong, unknown) = (difference.wrong.len(), difference.unknown.len());
        tracing::warn!(
            wrong,
            unknown,
            "the vector index differs from the catalog: {wrong} documents are written again, {unknown} are removed"
        );
        for (document, version) in difference.unknown {
            store.delete(document, version).await?;
        }
        let mut versions = Vec::with_capacity(wrong);
        for version in difference.wrong {
            // Points of an earlier reading would stay beside the new ones.
            if store.count(version.document, version.version).await?.0 > version.passages {
                store.delete(version.document, version.version).await?;
            }
            versions.push((version.document, version.version));
        }
        self.queue.rebuild(&versions).await
    }

    /// The document's own fault ends its job; anything else is tried again later.
    async fn settle(&self, job: &Job, error: &IngestError) {
        let status = match error {
            IngestError::NoText { .. } => Status::Quarantined,
            _ => Status::Failed,
        };
        let ended = match error {
            IngestError::Index(error) if error.fault() != Fault::Caller => {
                self.give_back(std::slice::from_ref(job), error).await;
                Ok(())
            }
            _ => self.queue.fail(job, status, &error.failure()).await,
        };
        if let Err(error) = ended {
            self.give_back(std::slice::from_ref(job), &error).await;
        }
    }

    async fn give_back(&self, jobs: &[Job], error: &IndexError) {
        if !matches!(error, IndexError::Deadline { .. }) {
            tracing::error!(code = error.code(), "{} documents could not go on and will be tried again: {error}", jobs.len());
            self.held_up_by(error);
        }
        let by_store = error.code().starts_with("vector_store");
        if by_store {
            self.doubt(error);
        }
        for job in jobs {
            // 1 s, 2 s, 4 s … one minute; a store that comes back is not left waiting.
            let delay = 1000 << job.attempts.clamp(0, if by_store { 3 } else { 6 });
            if let Err(error) = self.queue.release(job, delay).await {
                tracing::error!(code = error.code(), "a job could not be given back; its lease will run out: {error}");
            }
        }
    }

    async fn yield_to_words(&self) {
        while self.words_busy.load(Relaxed) && !self.switching.load(Relaxed) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the caller said about the document, and what it is said to be.
    async fn given(&self, job: &Job) -> Result<(Map<String, Value>, Map<String, Value>), IndexError> {
        let row = sqlx::query("SELECT metadata, given FROM documents WHERE id = $1")
            .bind(key(job.document.0))
            .fetch_optional(self.catalog.db().read())
            .await?;
        let parse = |text: String| serde_json::from_str(&text).unwrap_or_default();
        Ok(row.map(|row| (parse(row.get(0)), parse(row.get(1)))).unwrap_or_default())
    }

    async fn title(&self, job: &Job) -> Result<String, IndexError> {
        let row = sqlx::query("SELECT COALESCE(title, '') FROM versions WHERE document = $1 AND version = $2")
            .bind(key(job.document.0))
            .bind(i64::from(job.version))
            .fetch_one(self.catalog.db().read())
            .await?;
        Ok(row.get(0))
    }

    async fn passage_count(&self, job: &Job) -> Result<u32, IndexError> {
        let row = sqlx::query("SELECT passages FROM versions WHERE document = $1 AND version = $2")
            .bind(key(job.document.0))
            .bind(i64::from(job.version))
            .fetch_one(self.catalog.db().read())
            .await?;
        Ok(row.get::<i64, _>(0) as u32)
    }
}

fn json_object(facts: &Facts) -> Map<String, Value> {
    serde_json::to_value(facts).ok().and_then(|value| value.as_object().cloned()).unwrap_or_default()
}

async fn set_terms(tx: &mut Transaction<'static, Any>, job: &Job, terms: &[(u32, u32)]) -> Result<(), IndexError> {
    sqlx::query("UPDATE versions SET terms = $3 WHERE document = $1 AND version = $2")
        .bind(key(job.document.0))
        .bind(i64::from(job.version))
        .bind(publish::to_bytes(terms))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn write_document(tx: &mut Transaction<'static, Any>, job: &Job, document: &Read) -> Result<(), IndexError> {
    queue::clear(tx, job.document, job.version).await?;
    let given: Option<String> = sqlx::query("SELECT title FROM versions WHERE document = $1 AND version = $2")
        .bind(key(job.document.0))
        .bind(i64::from(job.version))
        .fetch_one(&mut **tx)
        .await?
        .get(0);
    // What the document is, completed with company and period, tells look-alike reports apart; a bare cover title does not.
    let read = document.title.clone().or_else(|| document.about.title.clone());
    let title = given.or(read).unwrap_or_else(|| queue::stem(&job.name));
    for page in &document.pages {
        sqlx::query("INSERT INTO pages (document, version, number, label, width, height, text, words, blocks) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
            .bind(key(job.document.0))
            .bind(i64::from(job.version))
            .bind(i64::from(page.number))
            .bind(&page.label)
            .bind(f64::from(page.width))
            .bind(f64::from(page.height))
            .bind(&page.text)
            .bind(words_to_bytes(&page.words))
            .bind(to_json(&page.blocks))
            .execute(&mut **tx)
            .await?;
    }
    for passage in &document.passages {
        sqlx::query(
            "INSERT INTO passages (id, document, version, ordinal, kind, part, text, headings, spans, regions, hash) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(key(passage.id.0))
        .bind(key(job.document.0))
        .bind(i64::from(job.version))
        .bind(i64::from(passage.ordinal))
        .bind(if passage.kind == PassageKind::Table { "table" } else { "text" })
        .bind(i64::from(passage.spans.first().map_or(1, |span| span.page)))
        .bind(&passage.text)
        .bind(to_json(&passage.headings))
        .bind(to_json(&passage.spans))
        .bind(to_json(&passage.regions))
        .bind(text_hash(&indexed_text(&title, passage)))
        .execute(&mut **tx)
        .await?;
    }
    sqlx::query("UPDATE versions SET title = $3, paged = $4, passages = $5, warnings = $6, facts = $7 WHERE document = $1 AND version = $2")
        .bind(key(job.document.0))
        .bind(i64::from(job.version))
        .bind(&title)
        .bind(i64::from(document.about.paged))
        .bind(document.passages.len() as i64)
        .bind(to_json(&document.about.warnings))
        .bind(to_json(&document.facts))
        .execute(&mut **tx)
        .await?;
    sqlx::query("UPDATE documents SET media_type = $2, language = COALESCE(language, $3), pages = $4, passages = $5, updated_at = $6 WHERE id = $1")
        .bind(key(job.document.0))
        .bind(crate::sniff::media_type(document.format))
        .bind(language(&document.passages))
        .bind(if document.about.paged { document.pages.len() as i64 } else { 0 })
        .bind(document.passages.len() as i64)
        .bind(now())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// `zh` if more than a quarter of what is said is said in Han characters (one says as much as three letters), else `en`; other
/// languages are for whoever uploads to name.
fn language(passages: &[Passage]) -> &'static str {
    let (mut han, mut latin) = (0_usize, 0_usize);
    for letter in passages.iter().take(50).flat_map(|p| p.text.chars()) {
        match letter {
            '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' => han += 1,
            letter if letter.is_alphabetic() => latin += 1,
            _ => {}
        }
    }
    if 9 * han > latin { "zh" } else { "en" }
}

/// Tells the lanes to give way, until it is dropped.
struct Switching<'a>(&'a AtomicBool);

impl<'a> Switching<'a> {
    fn new(flag: &'a AtomicBool) -> Self {
        flag.store(true, Relaxed);
        Self(flag)
    }
}

impl Drop for Switching<'_> {
    fn drop(&mut self) {
        self.0.store(false, Relaxed);
    }
}

async fn pause(wake: &Notify, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        () = wake.notified() => {}
        _ = stop.changed() => {}
        // A job that was given back becomes free by time alone.
        () = tokio::time::sleep(Duration::from_secs(1)) => {}
    }
}

async fn trouble(error: &IndexError) {
    tracing::error!(code = error.code(), "the queue cannot be read: {error}");
    tokio::time::sleep(Duration::from_secs(2)).await;
}
