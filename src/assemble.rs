//! Puts the floors together over one data directory.

use std::{path::Path, sync::Arc, time::Duration};

use index::{
    IndexError,
    catalog::Catalog,
    db::{DataDir, Db},
    embed::{Builtin, Embedder},
    search::Searcher,
    store::{VectorStore, cluster::Cluster, edge::Edge},
};
use ingest::{pipeline::Pipeline, sandbox::Sandbox};
use rag::engine::Engine;
use tokio::{sync::watch, task::JoinHandle};
use uuid::Uuid;

use crate::config::{Settings, Store};

/// The one generation of the index there is so far: the folder's name under `index/`.
pub const GENERATION: &str = "g1";

/// How long a worker may take to its next checkpoint when the service stops.
const PATIENCE: Duration = Duration::from_secs(5);

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
    stop: watch::Sender<bool>,
    workers: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Service {
    /// Opens a data directory and starts its workers.
    ///
    /// # Errors
    /// `data_locked`, `data_damaged`, `storage`, `other_encoder`, and whatever opening the store returns.
    pub async fn open(data: &Path, settings: Settings) -> Result<Arc<Self>, IndexError> {
        // They were found to be valid when they were read.
        let endpoint = settings.llm.endpoint().unwrap_or_default();
        let dir = Arc::new(DataDir::open(data)?);
        let db = Db::open(&dir).await?;
        let embedder: Arc<dyn Embedder> = Arc::new(Builtin::load()?);
        same_encoder(&db, &embedder.space().id()).await?;
        let store = open_store(settings.index.store, &settings, &dir, &db, GENERATION, embedder.space().dimensions).await?;
        let catalog = Catalog::new(db);
        let sandbox = match std::env::current_exe() {
            Ok(program) => Sandbox::Child(program),
            Err(e) => return Err(IndexError::from_io("this program's own file".into(), e)),
        };
        let pipeline = Arc::new(Pipeline::open(dir, catalog.clone(), store.clone(), embedder.clone(), sandbox).await?);
        let searcher = Searcher::new(catalog.clone(), store, embedder);
        let engine = Engine::new(searcher.clone(), endpoint, settings.server.room());
        let (stop, stopped) = watch::channel(false);
        let workers = tokio::sync::Mutex::new(Some(tokio::spawn(pipeline.clone().run(stopped))));
        Ok(Arc::new(Self { settings, catalog, pipeline, searcher, engine, stop, workers }))
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
        Store::Embedded => Ok(Arc::new(Edge::open(&dir.path().join("index").join(generation), dimensions)?.0)),
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

/// Vectors of two encoders cannot be compared: a directory belongs to the one that filled it.
pub async fn same_encoder(db: &Db, configured: &str) -> Result<(), IndexError> {
    match db.fact("space").await? {
        Some(built) if built != configured => Err(IndexError::OtherEncoder { built, configured: configured.into() }),
        Some(_) => Ok(()),
        None => db.set_fact("space", configured).await,
    }
}
