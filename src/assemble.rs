//! Puts the floors together over one data directory.

use std::{path::Path, sync::Arc, time::Duration};

use index::{
    IndexError,
    catalog::Catalog,
    db::{DataDir, Db},
    embed::Embedder,
    generation::{self, Generation, Live, Record, State},
    search::Searcher,
    store::{VectorStore, cluster::Cluster, edge::Edge},
};
use ingest::{pipeline::Pipeline, sandbox::Sandbox};
use rag::{card::Cards, chat::Endpoints, engine::Engine};
use tokio::{sync::watch, task::JoinHandle};
use uuid::Uuid;

use crate::{
    config::{Settings, Store},
    encoders, generations,
};

/// How long a worker may take to its next checkpoint when the service stops.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes that must be free for the embedded store to open: its log of 32 MiB is made anew.
const LEAST: u64 = 40 << 20;

/// Everything that works on one data directory.
pub struct Service {
    /// The settings it was made with.
    pub settings: Settings,
    /// Documents, pages, answers.
    pub catalog: Catalog,
    /// Takes documents in.
    pub pipeline: Arc<Pipeline>,
    /// Finds passages.
    pub searcher: Searcher,
    /// Answers questions.
    pub engine: Engine,
    dir: Arc<DataDir>,
    /// What is known of model endpoints.
    pub cards: Cards,
    /// The model endpoints that are talked to.
    pub endpoints: Endpoints,
    stop: watch::Sender<bool>,
    workers: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Service {
    /// Opens a data directory and starts its workers.
    ///
    /// # Errors
    /// `data_locked`, `data_damaged`, `storage`, `other_encoder`, and whatever opening the store returns.
    pub async fn open(data: &Path, settings: Settings) -> Result<Arc<Self>, IndexError> {
        // They were found to be valid when the settings were read.
        let cards = settings.llm.cards().map_err(|error| IndexError::Internal(error.to_string()))?;
        let packs = Arc::new(settings.packs.open().unwrap_or_default());
        let dir = Arc::new(DataDir::open(data)?);
        let db = Db::open(&dir).await?;
        let live = Live::new(answering(&settings, &dir, &db).await?);
        let catalog = Catalog::new(db);
        let sandbox = match std::env::current_exe() {
            Ok(program) => Sandbox::Child(program),
            Err(e) => return Err(IndexError::from_io("this program's own file".into(), e)),
        };
        let pipeline = Arc::new(Pipeline::open(dir.clone(), catalog.clone(), live.clone(), sandbox).await?);
        let reranker = settings.embedding.reranker(dir.path(), &settings.rerank.model).await?;
        let searcher = Searcher::new(catalog.clone(), live).reranked(reranker);
        let engine = Engine::new(searcher.clone(), packs, settings.server.room()).unproven(settings.answer.unproven);
        let (stop, stopped) = watch::channel(false);
        let workers = tokio::sync::Mutex::new(Some(tokio::spawn(pipeline.clone().run(stopped))));
        Ok(Arc::new(Self {
            settings,
            catalog,
            pipeline,
            searcher,
            engine,
            cards,
            endpoints: Endpoints::default(),
            dir,
            stop,
            workers,
        }))
    }

    /// Lets a generation answer from the next question on; without a name, the one that was built last.
    ///
    /// # Errors
    /// `unknown_generation`, `generation_incomplete`, what its encoder says, `vector_store_unavailable`, `catalog`. Then the one
    /// that answered goes on.
    pub async fn promote(&self, name: &str) -> Result<Record, IndexError> {
        let db = self.catalog.db();
        let record = generations::chosen(db, name).await?;
        let refused = |reason: &str| Err(IndexError::GenerationIncomplete { name: record.name.clone(), reason: reason.into() });
        match record.state {
            State::Live => return refused("it does already"),
            State::Building => return refused("it is not built to the end; go on with `dossier index build`"),
            State::Built | State::Retired => {}
        }
        if record.verified.as_ref().is_some_and(|verified| verified["passed"] == false) {
            return refused("its last verification failed; look with `dossier index ls --json`, verify it again");
        }
        self.switch(&record).await?;
        generation::find(db, &record.name).await
    }

    /// Lets the generation before answer again.
    ///
    /// # Errors
    /// `generation_incomplete` if there is none, else see [`Service::promote`].
    pub async fn roll_back(&self) -> Result<Record, IndexError> {
        let db = self.catalog.db();
        let before = generation::before(db).await?.ok_or_else(|| IndexError::GenerationIncomplete {
            name: "(none)".into(),
            reason: "no other index has answered before".into(),
        })?;
        self.switch(&before).await?;
        generation::find(db, &before.name).await
    }

    async fn switch(&self, record: &Record) -> Result<(), IndexError> {
        let cards = encoders::cards(&self.settings)?;
        let embedder = self.settings.embedding.open_again(self.dir.path(), &cards, record).await?;
        let call = self.anywhere();
        // An endpoint that is down, or does not accept this server's key, is found before anything is switched.
        embedder.query(&call, "2023").await?;
        let store =
            open_store(self.settings.index.store, &self.settings, &self.dir, self.catalog.db(), &record.name, record.dimensions)
                .await?;
        self.pipeline.promote(&call, Generation { name: record.name.clone(), store, embedder }).await
    }

    /// Stops the workers at their next checkpoint, or wherever they are after a while (the next start goes on from there),
    /// and closes the catalog.
    pub async fn close(&self) {
        self.stop.send_replace(true);
        if let Some(mut workers) = self.workers.lock().await.take()
            && tokio::time::timeout(PATIENCE, &mut workers).await.is_err()
        {
            workers.abort();
        }
        self.catalog.db().close().await;
    }
}

/// The generation that answers, opened.
async fn answering(settings: &Settings, dir: &DataDir, db: &Db) -> Result<Generation, IndexError> {
    let (record, embedder) = live(settings, dir, db).await?;
    let store = open_store(settings.index.store, settings, dir, db, &record.name, record.dimensions).await?;
    Ok(Generation { name: record.name, store, embedder })
}

/// The generation that answers and its encoder. Vectors of two encoders cannot be compared: if another one is configured, nothing is opened.
pub async fn live(settings: &Settings, dir: &DataDir, db: &Db) -> Result<(Record, Arc<dyn Embedder>), IndexError> {
    let known = generation::list(db).await?;
    let embedder = settings.embedding.open(dir.path(), &encoders::cards(settings)?, &known).await?;
    let record = match known.into_iter().find(|record| record.state == State::Live) {
        Some(record) if record.space == embedder.space().id() => record,
        Some(record) => return Err(IndexError::OtherEncoder { built: record.space, configured: embedder.space().id() }),
        None => generation::first(db, embedder.space(), &settings.embedding.remembered(embedder.space())).await?,
    };
    Ok((record, embedder))
}

/// The points of a generation in one of the stores.
///
/// # Errors
/// `vector_store_unavailable` if it cannot be opened. A server is reached later, with the first request.
pub async fn open_store(
    store: Store,
    settings: &Settings,
    dir: &DataDir,
    db: &Db,
    generation: &str,
    dimensions: usize,
) -> Result<Arc<dyn VectorStore>, IndexError> {
    match store {
        Store::Embedded => {
            dir.room(LEAST, "vector index")?;
            let folder = dir.path().join("index").join(generation);
            let open = move || Edge::open(&folder, dimensions);
            Ok(Arc::new(tokio::task::spawn_blocking(open).await.map_err(|e| IndexError::Internal(e.to_string()))??.0))
        }
        Store::Cluster => {
            let server = settings.qdrant.server().map_err(|e| IndexError::Store(e.to_string()))?;
            Ok(Arc::new(Cluster::new(server, generation, dimensions, &installation(db).await?)?))
        }
    }
}

/// The name of this installation, by which it knows its own collections on a server.
async fn installation(db: &Db) -> Result<String, IndexError> {
    if let Some(name) = db.fact("installation").await? {
        return Ok(name);
    }
    let name = Uuid::now_v7().simple().to_string();
    db.set_fact("installation", &name).await?;
    Ok(name)
}
