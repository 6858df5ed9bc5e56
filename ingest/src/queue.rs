//! The durable queue: what was accepted is a row before anyone is told so, and stays one until its work is done.
//!
//! One row per version of a document in `jobs`, with its stage and a lease. A worker that dies leaves its lease to run out;
//! whoever takes the row then starts the stage again, and every stage may be done twice without harm.

use std::{collections::HashMap, io::Write, path::Path, str::FromStr};

use index::{
    IndexError,
    catalog::{key, places, to_json},
    corpus::{BatchId, DocumentId, Failure, Status},
    db::{DataDir, Db, now, rfc3339},
    publish,
    scope::{Call, Scope},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::{Any, AssertSqlSafe, Row, Transaction, any::AnyRow};
use uuid::Uuid;

use crate::{
    IngestError,
    enrich::given::{self, Said},
};

/// How long a worker holds a job before others may take it, in milliseconds; it renews while it works.
const LEASE: i64 = 120_000;

/// A document to take in.
#[derive(Debug, Clone, Default)]
pub struct Upload {
    /// File name, or path relative to what was ingested.
    pub name: String,
    /// The caller's own id: the same id is the same document.
    pub external_id: Option<String>,
    /// Without an external id, the same path is the same document; without both, the same bytes.
    pub path: Option<String>,
    /// Given title; else it is read from the document.
    pub title: Option<String>,
    /// Given language; else it is told from the text.
    pub language: Option<String>,
    /// What the caller says about it.
    pub metadata: Map<String, Value>,
    /// What the caller says it is: fields as [`crate::enrich::given::check`] leaves them.
    pub facts: Map<String, Value>,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What is to be changed about a document; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// A new title.
    pub title: Option<String>,
    /// Replaces all of the metadata.
    pub metadata: Option<Map<String, Value>>,
    /// Replaces all labels.
    pub labels: Option<Vec<String>>,
    /// What it is: fields as [`crate::enrich::given::check`] leaves them; null takes back what was said.
    pub facts: Map<String, Value>,
}

/// An upload, or why it could not even be read, under the name that the caller knows.
#[derive(Debug)]
pub struct Item {
    /// File name or path.
    pub name: String,
    /// What to take in.
    pub upload: Result<Upload, IngestError>,
}

/// What became of an item when it was accepted.
#[derive(Debug, Clone, PartialEq)]
pub enum Accepted {
    /// It is in the queue.
    Queued(DocumentId),
    /// The document has these bytes already: nothing is computed.
    Unchanged(DocumentId),
    /// It could not be read.
    Failed(Failure),
}

/// Bytes that stay free for what is made of documents: their pages, passages and points.
pub const RESERVE: u64 = 64 << 20;

/// A batch and how far it is.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Batch {
    /// Its id.
    pub id: BatchId,
    /// When it was accepted, RFC 3339.
    pub created_at: String,
    /// Whether every item is ready or failed.
    pub done: bool,
    /// Items by state: `queued`, `running`, `searchable`, `ready`, `unchanged`, `failed`, `quarantined`.
    pub counts: HashMap<String, u32>,
    /// Pages read so far.
    pub pages: u32,
    /// Share of the work that is done, 0 to 1.
    pub progress: f32,
    /// If nothing goes on for now: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_up: Option<HeldUp>,
}

/// Why documents wait that could be worked on: the store or the encoder fails.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HeldUp {
    /// See `docs/ERRORS.md`.
    pub code: String,
    /// In words.
    pub detail: String,
    /// For how long nothing has gone on.
    pub seconds: f64,
}

impl HeldUp {
    /// Whether it does not pass by itself: a key or a certificate has to be changed first.
    pub fn stays(&self) -> bool {
        let store = ["read_only", "unauthorized", "certificate", "version", "mismatch"];
        let store = self.code.strip_prefix("vector_store_").is_some_and(|what| store.contains(&what));
        store || self.code == "embedder_unauthorized"
    }
}

/// One item of a batch.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BatchItem {
    /// Name or path that was given.
    pub path: String,
    /// The document, if it came that far.
    pub document_id: Option<DocumentId>,
    /// The caller's own id.
    pub external_id: Option<String>,
    /// `queued`, `running`, `searchable`, `ready`, `unchanged`, `failed` or `quarantined`.
    pub status: String,
    /// Pages of the document.
    pub pages: u32,
    /// Passages of the document.
    pub passages: u32,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

/// What is to be done for a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Read the bytes into pages and passages.
    Parse,
    /// Write the points with their words, and publish.
    Index,
    /// Add the vectors.
    Embed,
    /// Remove what a retired version left.
    Purge,
}

impl Stage {
    fn as_str(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Index => "index",
            Self::Embed => "embed",
            Self::Purge => "purge",
        }
    }
}

/// A version that this worker holds.
#[derive(Debug, Clone)]
pub struct Job {
    /// The row.
    pub id: i64,
    /// Its document.
    pub document: DocumentId,
    /// Its version.
    pub version: u32,
    /// Whose it is.
    pub scope: Scope,
    /// What is to be done.
    pub stage: Stage,
    /// How often it was begun before.
    pub attempts: i64,
    /// Hash of the bytes.
    pub hash: String,
    /// Size of the bytes.
    pub bytes: u64,
    /// The name it came under.
    pub name: String,
}

/// The queue over a catalog and its data directory.
#[derive(Debug, Clone)]
pub struct Queue {
    db: Db,
    owner: String,
}

impl Queue {
    /// The queue of a catalog. Leases of workers that no longer exist end here: the directory has one process at a time.
    ///
    /// # Errors
    /// `catalog` if it cannot be written.
    pub async fn open(db: Db) -> Result<Self, IndexError> {
        let mut tx = db.write().await?;
        sqlx::query("UPDATE jobs SET owner = NULL, lease_until = 0").execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(Self { db, owner: key(Uuid::now_v7()) })
    }

    /// Opens a batch. Its items are added by [`Queue::accept`].
    ///
    /// # Errors
    /// `catalog` if it cannot be written.
    pub async fn open_batch(&self, call: &Call) -> Result<BatchId, IndexError> {
        let id = BatchId::new();
        let mut tx = self.db.write().await?;
        sqlx::query("INSERT INTO batches (id, tenant, scenario, created_at) VALUES ($1, $2, $3, $4)")
            .bind(key(id.0))
            .bind(call.scope.tenant())
            .bind(call.scope.scenario())
            .bind(now())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Takes items in: bytes to the disk, rows to the catalog, one transaction for all of them. When this returns, they
    /// survive anything.
    ///
    /// # Errors
    /// `storage_full`, `storage`, `catalog`: then none of the items was taken in. What is wrong with one item is in its row.
    pub async fn accept(
        &self,
        call: &Call,
        dir: &DataDir,
        batch: BatchId,
        items: Vec<Item>,
    ) -> Result<Vec<Accepted>, IngestError> {
        let mut ready = Vec::with_capacity(items.len());
        for item in items {
            let checked =
                item.upload.and_then(|upload| if upload.bytes.is_empty() { Err(IngestError::Empty) } else { Ok(upload) });
            ready.push((item.name, checked.map(|upload| (blake3::hash(&upload.bytes).to_hex().to_string(), upload))));
        }
        let bytes: u64 =
            ready.iter().filter_map(|(_, upload)| upload.as_ref().ok()).map(|(_, upload)| upload.bytes.len() as u64).sum();
        dir.room(RESERVE + bytes, "uploads")?;
        for (hash, upload) in ready.iter().filter_map(|(_, upload)| upload.as_ref().ok()) {
            store(&dir.blob(hash), &upload.bytes)?;
        }
        crate::crash::point("blobs_written");
        let mut tx = self.db.write().await?;
        let first: i64 = sqlx::query("SELECT COUNT(*) FROM items WHERE batch = $1")
            .bind(key(batch.0))
            .fetch_one(&mut *tx)
            .await
            .map_err(IndexError::from)?
            .get(0);
        let mut accepted = Vec::with_capacity(ready.len());
        for (at, (name, upload)) in ready.into_iter().enumerate() {
            let outcome = match upload {
                Ok((hash, upload)) => take_in(&mut tx, &call.scope, hash, upload).await?,
                Err(error) => (Accepted::Failed(error.failure()), None),
            };
            add_item(&mut tx, batch, first + at as i64, &name, &outcome).await?;
            accepted.push(outcome.0);
        }
        tx.commit().await.map_err(IndexError::from)?;
        crate::crash::point("accepted");
        Ok(accepted)
    }

    /// A batch of the scope.
    ///
    /// # Errors
    /// `catalog` if it cannot be read.
    pub async fn batch(&self, call: &Call, id: BatchId) -> Result<Option<Batch>, IndexError> {
        let row = sqlx::query("SELECT created_at FROM batches WHERE id = $1 AND tenant = $2 AND scenario = $3")
            .bind(key(id.0))
            .bind(call.scope.tenant())
            .bind(call.scope.scenario())
            .fetch_optional(self.db.read())
            .await?;
        let Some(row) = row else { return Ok(None) };
        let mut batch = Batch {
            id,
            created_at: rfc3339(row.get(0)),
            done: true,
            counts: HashMap::new(),
            pages: 0,
            progress: 0.0,
            held_up: None,
        };
        let rows = sqlx::query(
            "SELECT i.outcome, d.status, COUNT(*), CAST(COALESCE(SUM(d.pages), 0) AS INTEGER), CAST(COALESCE(SUM(d.progress), 0) AS REAL) \
             FROM items i LEFT JOIN documents d ON d.id = i.document WHERE i.batch = $1 GROUP BY i.outcome, d.status",
        )
        .bind(key(id.0))
        .fetch_all(self.db.read())
        .await?;
        let mut items = 0;
        for row in rows {
            let state = item_state(row.get(0), row.get(1));
            let count = row.get::<i64, _>(2) as u32;
            let settled = state == "unchanged" || Status::from_str(&state).is_ok_and(Status::is_final);
            batch.done &= settled;
            batch.pages += row.get::<i64, _>(3) as u32;
            batch.progress += if settled { count as f32 } else { row.get::<f64, _>(4) as f32 };
            *batch.counts.entry(state).or_default() += count;
            items += count;
        }
        batch.progress /= items.max(1) as f32;
        Ok(Some(batch))
    }

    /// Items of a batch in order, from `from` on.
    ///
    /// # Errors
    /// `catalog` if it cannot be read.
    pub async fn items(&self, batch: BatchId, from: usize, limit: usize) -> Result<Vec<BatchItem>, IndexError> {
        let rows = sqlx::query(
            "SELECT i.name, i.document, d.external_id, i.outcome, d.status, COALESCE(d.pages, 0), COALESCE(d.passages, 0), \
             COALESCE(i.error_code, d.error_code), COALESCE(i.error_detail, d.error_detail) \
             FROM items i LEFT JOIN documents d ON d.id = i.document WHERE i.batch = $1 AND i.ordinal >= $2 ORDER BY i.ordinal LIMIT $3",
        )
        .bind(key(batch.0))
        .bind(from as i64)
        .bind(limit as i64)
        .fetch_all(self.db.read())
        .await?;
        Ok(rows.iter().map(batch_item).collect())
    }

    /// Takes a document out of every query at once; what it left is removed by a worker. `false` if the scope has none.
    ///
    /// # Errors
    /// `catalog` if it cannot be written.
    pub async fn delete(&self, call: &Call, document: DocumentId) -> Result<bool, IndexError> {
        let mut tx = self.db.write().await?;
        let gone = sqlx::query("DELETE FROM documents WHERE id = $1 AND tenant = $2 AND scenario = $3")
            .bind(key(document.0))
            .bind(call.scope.tenant())
            .bind(call.scope.scenario())
            .execute(&mut *tx)
            .await?;
        if gone.rows_affected() == 0 {
            return Ok(false);
        }
        discard_all(&mut tx, &call.scope, document).await?;
        publish::touch(&mut tx, &call.scope).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Changes what is said about a document of the scope, at once and without reading it again; `false` if there is none.
    ///
    /// # Errors
    /// `catalog` if it cannot be written.
    pub async fn change(&self, call: &Call, document: DocumentId, change: &Change) -> Result<bool, IndexError> {
        let mut tx = self.db.write().await?;
        let done = sqlx::query(
            "UPDATE documents SET title = COALESCE($4, title), metadata = COALESCE($5, metadata), labels = COALESCE($6, labels), \
             updated_at = $7 WHERE tenant = $1 AND scenario = $2 AND id = $3",
        )
        .bind(call.scope.tenant())
        .bind(call.scope.scenario())
        .bind(key(document.0))
        .bind(&change.title)
        .bind(change.metadata.as_ref().map(to_json))
        .bind(change.labels.as_ref().map(to_json))
        .bind(now())
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        say(&mut tx, document, &given::facts(&change.facts, Said::Patch)).await?;
        publish::touch(&mut tx, &call.scope).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Removes the scenario of the call; with its documents, batches and answers only if `documents` says so. Returns how
    /// many documents keep it from being removed: nothing has changed if there are any.
    ///
    /// # Errors
    /// `not_found` if there is none, `catalog` if it cannot be written.
    pub async fn remove_scenario(&self, call: &Call, documents: bool) -> Result<u64, IndexError> {
        let (tenant, scenario) = (call.scope.tenant(), call.scope.scenario());
        let mut tx = self.db.write().await?;
        let gone = sqlx::query("DELETE FROM scenarios WHERE tenant = $1 AND name = $2")
            .bind(tenant)
            .bind(scenario)
            .execute(&mut *tx)
            .await?;
        if gone.rows_affected() == 0 {
            return Err(IndexError::NoScenario { name: scenario.into() });
        }
        let rows = sqlx::query("DELETE FROM documents WHERE tenant = $1 AND scenario = $2 RETURNING id")
            .bind(tenant)
            .bind(scenario)
            .fetch_all(&mut *tx)
            .await?;
        if !rows.is_empty() && !documents {
            return Ok(rows.len() as u64);
        }
        for row in rows {
            let id = Uuid::try_parse(row.get(0)).map_err(|e| IndexError::Internal(e.to_string()))?;
            discard_all(&mut tx, &call.scope, DocumentId(id)).await?;
        }
        publish::touch(&mut tx, &call.scope).await?;
        for remains in [
            "DELETE FROM items WHERE batch IN (SELECT id FROM batches WHERE tenant = $1 AND scenario = $2)",
            "DELETE FROM batches WHERE tenant = $1 AND scenario = $2",
            "DELETE FROM feedback WHERE tenant = $1 AND answer IN (SELECT id FROM answers WHERE tenant = $1 AND scenario = $2)",
            "DELETE FROM answers WHERE tenant = $1 AND scenario = $2",
        ] {
            sqlx::query(remains).bind(tenant).bind(scenario).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(0)
    }

    /// Takes up to `count` jobs in one of the stages, as long as their bytes stay below `bytes` (but at least one).
    ///
    /// # Errors
    /// `catalog` if it cannot be written.
    pub async fn claim(&self, stages: &[Stage], count: usize, bytes: u64) -> Result<Vec<Job>, IndexError> {
        let sql = format!(
            "SELECT j.id, j.document, j.version, j.tenant, j.scenario, j.stage, j.attempts, v.hash, COALESCE(d.bytes, 0), v.name FROM jobs j \
             JOIN versions v ON v.document = j.document AND v.version = j.version LEFT JOIN documents d ON d.id = j.document \
             WHERE j.lease_until < $1 AND j.stage IN ({}) ORDER BY j.id LIMIT $2",
            places(3, stages.len())
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(now()).bind(count as i64);
        for stage in stages {
            query = query.bind(stage.as_str());
        }
        // Looked for among the readers first: an idle worker does not take the writer's turn.
        let rows = query.fetch_all(self.db.read()).await?;
        let mut jobs: Vec<Job> = Vec::new();
        let mut sum = 0;
        for row in &rows {
            let job = job(row)?;
            sum += job.bytes;
            if !jobs.is_empty() && sum > bytes {
                break;
            }
            jobs.push(job);
        }
        if jobs.is_empty() {
            return Ok(jobs);
        }
        let mut tx = self.db.write().await?;
        let mut held = Vec::with_capacity(jobs.len());
        for job in jobs {
            let taken = sqlx::query(
                "UPDATE jobs SET owner = $2, lease_until = $3, attempts = attempts + 1 WHERE id = $1 AND lease_until < $4",
            )
            .bind(job.id)
            .bind(&self.owner)
            .bind(now() + LEASE)
            .bind(now())
            .execute(&mut *tx)
            .await?;
            if taken.rows_affected() == 1 {
                if job.stage != Stage::Purge {
                    set_status(&mut tx, &job, running(job.stage), Some(job.stage), 0.0).await?;
                }
                held.push(job);
            }
        }
        tx.commit().await?;
        Ok(held)
    }

    /// Renews the leases of jobs and says how far they are; `false` for a job that was taken away (its document is gone or has newer bytes).
    ///
    /// # Errors
    /// `catalog` if it cannot be written.
    pub async fn renew(&self, job: &Job, checkpoint: u32, progress: f32) -> Result<bool, IndexError> {
        let mut tx = self.db.write().await?;
        let held = hold(&mut tx, job, &self.owner).await?;
        if held {
            sqlx::query("UPDATE jobs SET lease_until = $2, checkpoint = $3 WHERE id = $1")
                .bind(job.id)
                .bind(now() + LEASE)
                .bind(i64::from(checkpoint))
                .execute(&mut *tx)
                .await?;
            sqlx::query("UPDATE documents SET progress = $2, updated_at = $3 WHERE id = $1")
                .bind(key(job.document.0))
                .bind(f64::from(progress))
                .bind(now())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(held)
    }

    /// Starts a transaction that ends a stage, if the job is still this worker's.
    ///
    /// # Errors
    /// `catalog` if it cannot be written.
    pub async fn ending(&self, job: &Job) -> Result<Option<Transaction<'static, Any>>, IndexError> {
        let mut tx = self.db.write().await?;
        Ok(hold(&mut tx, job, &self.owner).await?.then_some(tx))
    }

    /// Ends a job with an error that trying again would not mend. A published version stays published.
    ///
    /// # Errors
    /// `catalog` if it cannot be written.
    pub async fn fail(&self, job: &Job, status: Status, failure: &Failure) -> Result<(), IndexError> {
        let Some(mut tx) = self.ending(job).await? else { return Ok(()) };
        sqlx::query(
            "UPDATE documents SET status = $2, stage = NULL, error_code = $3, error_detail = $4, updated_at = $5 WHERE id = $1",
        )
        .bind(key(job.document.0))
        .bind(status.as_str())
        .bind(&failure.code)
        .bind(&failure.detail)
        .bind(now())
        .execute(&mut *tx)
        .await?;
        // The version's row stays, so that the same bytes are known again; what it had written goes.
        clear(&mut tx, job.document, job.version).await?;
        sqlx::query("DELETE FROM jobs WHERE id = $1").bind(job.id).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }

    /// Gives a job back, to be taken again after `delay` milliseconds.
    ///
    /// # Errors
    /// `catalog` if it cannot be written.
    pub async fn release(&self, job: &Job, delay: i64) -> Result<(), IndexError> {
        let mut tx = self.db.write().await?;
        sqlx::query("UPDATE jobs SET owner = NULL, lease_until = $2 WHERE id = $1 AND owner = $3")
            .bind(job.id)
            .bind(if delay == 0 { 0 } else { now() + delay })
            .bind(&self.owner)
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Puts versions whose points are missing back into the queue; returns how many.
    ///
    /// # Errors
    /// `catalog` if it cannot be written.
    pub async fn rebuild(&self, versions: &[(DocumentId, u32)]) -> Result<(), IndexError> {
        let mut tx = self.db.write().await?;
        for (document, version) in versions {
            sqlx::query(
                "INSERT INTO jobs (document, version, tenant, scenario, stage) \
                 SELECT document, version, tenant, scenario, 'index' FROM versions WHERE document = $1 AND version = $2 \
                 ON CONFLICT (document, version) DO UPDATE SET stage = 'index', checkpoint = 0, lease_until = 0 WHERE jobs.stage = 'embed'",
            )
            .bind(key(document.0))
            .bind(i64::from(*version))
            .execute(&mut *tx)
            .await?;
        }
        Ok(tx.commit().await?)
    }

    /// Jobs that are waiting or being done.
    ///
    /// # Errors
    /// `catalog` if it cannot be read.
    pub async fn waiting(&self) -> Result<u64, IndexError> {
        Ok(sqlx::query("SELECT COUNT(*) FROM jobs").fetch_one(self.db.read()).await?.get::<i64, _>(0) as u64)
    }
}

/// The job's next stage, in the transaction that ended the one before.
pub(crate) async fn advance(
    tx: &mut Transaction<'static, Any>,
    job: &Job,
    stage: Stage,
    status: Status,
) -> Result<(), IndexError> {
    sqlx::query("UPDATE jobs SET stage = $2, checkpoint = 0, attempts = 0, owner = CASE WHEN $3 = 1 THEN owner END, lease_until = lease_until * $3 WHERE id = $1")
        .bind(job.id)
        .bind(stage.as_str())
        // The lane that parsed goes on to index at once.
        .bind(i64::from(stage == Stage::Index))
        .execute(&mut **tx)
        .await?;
    set_status(tx, job, status, Some(stage), 0.0).await
}

/// The job's end, in the transaction that ended its last stage.
pub(crate) async fn finish(tx: &mut Transaction<'static, Any>, job: &Job) -> Result<(), IndexError> {
    sqlx::query("DELETE FROM jobs WHERE id = $1").bind(job.id).execute(&mut **tx).await?;
    set_status(tx, job, Status::Ready, None, 1.0).await
}

/// Removes the pages and passages of a version, and vectors that no passage needs any more.
pub(crate) async fn clear(tx: &mut Transaction<'static, Any>, document: DocumentId, version: u32) -> Result<(), IndexError> {
    for sql in [
        "DELETE FROM vectors WHERE hash IN (SELECT hash FROM passages WHERE document = $1 AND version = $2) AND NOT EXISTS \
         (SELECT 1 FROM passages p WHERE p.hash = vectors.hash AND NOT (p.document = $1 AND p.version = $2))",
        "DELETE FROM passages WHERE document = $1 AND version = $2",
        "DELETE FROM pages WHERE document = $1 AND version = $2",
    ] {
        sqlx::query(sql).bind(key(document.0)).bind(i64::from(version)).execute(&mut **tx).await?;
    }
    Ok(())
}

/// Versions whose vectors are pending get their points anew, in a store that has not seen them.
pub(crate) async fn index_again(tx: &mut Transaction<'static, Any>) -> Result<(), IndexError> {
    sqlx::query("UPDATE jobs SET stage = 'index', checkpoint = 0 WHERE stage = 'embed'").execute(&mut **tx).await?;
    Ok(())
}

async fn set_status(
    tx: &mut Transaction<'static, Any>,
    job: &Job,
    status: Status,
    stage: Option<Stage>,
    progress: f32,
) -> Result<(), IndexError> {
    sqlx::query(
        "UPDATE documents SET status = $2, stage = $3, progress = $4, error_code = NULL, error_detail = NULL, updated_at = $5 WHERE id = $1 AND newest = $6",
    )
    .bind(key(job.document.0))
    .bind(status.as_str())
    .bind(stage.map(Stage::as_str))
    .bind(f64::from(progress))
    .bind(now())
    .bind(i64::from(job.version))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// While its vectors are made, a document is `searchable`, not `running`.
fn running(stage: Stage) -> Status {
    if stage == Stage::Embed { Status::Searchable } else { Status::Running }
}

impl Queue {
    /// Whether the job is still this worker's, asked inside the transaction that depends on it.
    pub(crate) async fn holds(&self, tx: &mut Transaction<'static, Any>, job: &Job) -> Result<bool, IndexError> {
        hold(tx, job, &self.owner).await
    }
}

async fn hold(tx: &mut Transaction<'static, Any>, job: &Job, owner: &str) -> Result<bool, IndexError> {
    let row = sqlx::query("SELECT 1 FROM jobs WHERE id = $1 AND owner = $2 AND stage = $3")
        .bind(job.id)
        .bind(owner)
        .bind(job.stage.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    Ok(row.is_some())
}

type Outcome = (Accepted, Option<u32>);

async fn take_in(tx: &mut Transaction<'static, Any>, scope: &Scope, hash: String, upload: Upload) -> Result<Outcome, IndexError> {
    let identity = match (&upload.external_id, &upload.path) {
        (Some(id), _) => format!("id:{id}"),
        (None, Some(path)) => format!("path:{path}"),
        (None, None) => format!("bytes:{hash}"),
    };
    let known = sqlx::query(
        "SELECT d.id, d.newest, v.hash FROM documents d JOIN versions v ON v.document = d.id AND v.version = d.newest \
         WHERE d.tenant = $1 AND d.scenario = $2 AND d.identity = $3",
    )
    .bind(scope.tenant())
    .bind(scope.scenario())
    .bind(&identity)
    .fetch_optional(&mut **tx)
    .await?;
    let (document, version) = match known {
        None => (insert(tx, scope, &identity, &upload).await?, 1),
        Some(row) => {
            let document = DocumentId(Uuid::try_parse(row.get(0)).map_err(|e| IndexError::Internal(e.to_string()))?);
            let newest = row.get::<i64, _>(1) as u32;
            if row.get::<String, _>(2) == hash {
                describe(tx, scope, document, &upload).await?;
                return Ok((Accepted::Unchanged(document), Some(newest)));
            }
            replace(tx, scope, document, newest, &upload).await?;
            (document, newest + 1)
        }
    };
    sqlx::query("INSERT INTO versions (document, version, tenant, scenario, state, hash, name, title) VALUES ($1, $2, $3, $4, 'pending', $5, $6, $7)")
        .bind(key(document.0))
        .bind(i64::from(version))
        .bind(scope.tenant())
        .bind(scope.scenario())
        .bind(hash)
        .bind(&upload.name)
        .bind(&upload.title)
        .execute(&mut **tx)
        .await?;
    sqlx::query("INSERT INTO jobs (document, version, tenant, scenario, stage) VALUES ($1, $2, $3, $4, 'parse')")
        .bind(key(document.0))
        .bind(i64::from(version))
        .bind(scope.tenant())
        .bind(scope.scenario())
        .execute(&mut **tx)
        .await?;
    Ok((Accepted::Queued(document), Some(version)))
}

async fn insert(
    tx: &mut Transaction<'static, Any>,
    scope: &Scope,
    identity: &str,
    upload: &Upload,
) -> Result<DocumentId, IndexError> {
    let document = DocumentId::new();
    sqlx::query(
        "INSERT INTO documents (id, tenant, scenario, identity, external_id, name, title, media_type, language, metadata, status, newest, bytes, created_at, updated_at, given) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'queued', 1, $11, $12, $12, $13)",
    )
    .bind(key(document.0))
    .bind(scope.tenant())
    .bind(scope.scenario())
    .bind(identity)
    .bind(&upload.external_id)
    .bind(&upload.name)
    .bind(upload.title.clone().unwrap_or_else(|| stem(&upload.name)))
    .bind("application/octet-stream")
    .bind(&upload.language)
    .bind(to_json(&upload.metadata))
    .bind(upload.bytes.len() as i64)
    .bind(now())
    .bind(to_json(&given::facts(&upload.facts, Said::Manifest)))
    .execute(&mut **tx)
    .await?;
    Ok(document)
}

/// The same bytes may come with a new title or other metadata: that costs nothing and takes effect at once.
async fn describe(
    tx: &mut Transaction<'static, Any>,
    scope: &Scope,
    document: DocumentId,
    upload: &Upload,
) -> Result<(), IndexError> {
    let said = say(tx, document, &given::facts(&upload.facts, Said::Manifest)).await?;
    if upload.title.is_none() && upload.metadata.is_empty() && !said {
        return Ok(());
    }
    let changed = sqlx::query(
        "UPDATE documents SET title = COALESCE($2, title), metadata = CASE WHEN $3 = '{}' THEN metadata ELSE $3 END WHERE id = $1 \
         AND (title <> COALESCE($2, title) OR ($3 <> '{}' AND metadata <> $3))",
    )
    .bind(key(document.0))
    .bind(&upload.title)
    .bind(to_json(&upload.metadata))
    .execute(&mut **tx)
    .await?;
    if changed.rows_affected() > 0 || said {
        publish::touch(tx, scope).await?;
    }
    Ok(())
}

/// Keeps said facts for the versions to come, and lays them over what was read in those there are; whether there were any.
async fn say(tx: &mut Transaction<'static, Any>, document: DocumentId, said: &Map<String, Value>) -> Result<bool, IndexError> {
    if said.is_empty() {
        return Ok(false);
    }
    let parse = |text: String| serde_json::from_str::<Map<String, Value>>(&text).unwrap_or_default();
    let row = sqlx::query("SELECT given FROM documents WHERE id = $1").bind(key(document.0)).fetch_one(&mut **tx).await?;
    let mut kept = parse(row.get(0));
    kept.extend(said.clone());
    kept.retain(|_, fact| !fact.is_null());
    let language = said.get("language").and_then(|fact| fact["value"].as_str());
    sqlx::query("UPDATE documents SET given = $2, language = COALESCE($3, language), updated_at = $4 WHERE id = $1")
        .bind(key(document.0))
        .bind(to_json(&kept))
        .bind(language)
        .bind(now())
        .execute(&mut **tx)
        .await?;
    let rows =
        sqlx::query("SELECT version, facts FROM versions WHERE document = $1").bind(key(document.0)).fetch_all(&mut **tx).await?;
    for row in rows {
        let mut facts = parse(row.get(1));
        if facts.is_empty() {
            // Not read yet: it is laid over when it is.
            continue;
        }
        given::overlay(&mut facts, said);
        sqlx::query("UPDATE versions SET facts = $3 WHERE document = $1 AND version = $2")
            .bind(key(document.0))
            .bind(row.get::<i64, _>(0))
            .bind(to_json(&facts))
            .execute(&mut **tx)
            .await?;
    }
    Ok(true)
}

/// Newer bytes for a document: a version that was still on its way is given up.
async fn replace(
    tx: &mut Transaction<'static, Any>,
    scope: &Scope,
    document: DocumentId,
    newest: u32,
    upload: &Upload,
) -> Result<(), IndexError> {
    let state = sqlx::query("SELECT state FROM versions WHERE document = $1 AND version = $2")
        .bind(key(document.0))
        .bind(i64::from(newest))
        .fetch_one(&mut **tx)
        .await?;
    if state.get::<String, _>(0) == "pending" {
        discard(tx, scope, document, newest).await?;
    }
    say(tx, document, &given::facts(&upload.facts, Said::Manifest)).await?;
    sqlx::query(
        "UPDATE documents SET newest = $2, bytes = $3, name = $4, metadata = CASE WHEN $5 = '{}' THEN metadata ELSE $5 END, \
         status = 'queued', stage = NULL, progress = 0, error_code = NULL, error_detail = NULL, updated_at = $6 WHERE id = $1",
    )
    .bind(key(document.0))
    .bind(i64::from(newest + 1))
    .bind(upload.bytes.len() as i64)
    .bind(&upload.name)
    .bind(to_json(&upload.metadata))
    .bind(now())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Retires a version and leaves a job to remove what it wrote.
pub(crate) async fn discard(
    tx: &mut Transaction<'static, Any>,
    scope: &Scope,
    document: DocumentId,
    version: u32,
) -> Result<(), IndexError> {
    publish::retire(tx, scope, document, version).await?;
    sqlx::query(
        "INSERT INTO jobs (document, version, tenant, scenario, stage) VALUES ($1, $2, $3, $4, 'purge') \
         ON CONFLICT (document, version) DO UPDATE SET stage = 'purge', owner = NULL, lease_until = 0, attempts = 0",
    )
    .bind(key(document.0))
    .bind(i64::from(version))
    .bind(scope.tenant())
    .bind(scope.scenario())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// All versions of a document that is gone.
async fn discard_all(tx: &mut Transaction<'static, Any>, scope: &Scope, document: DocumentId) -> Result<(), IndexError> {
    let rows = sqlx::query("SELECT version FROM versions WHERE document = $1").bind(key(document.0)).fetch_all(&mut **tx).await?;
    for row in rows {
        discard(tx, scope, document, row.get::<i64, _>(0) as u32).await?;
    }
    Ok(())
}

async fn add_item(
    tx: &mut Transaction<'static, Any>,
    batch: BatchId,
    ordinal: i64,
    name: &str,
    (accepted, version): &Outcome,
) -> Result<(), IndexError> {
    let (outcome, document, failure) = match accepted {
        Accepted::Queued(document) => ("queued", Some(document), None),
        Accepted::Unchanged(document) => ("unchanged", Some(document), None),
        Accepted::Failed(failure) => ("failed", None, Some(failure)),
    };
    sqlx::query("INSERT INTO items (batch, ordinal, name, document, version, outcome, error_code, error_detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(key(batch.0))
        .bind(ordinal)
        .bind(name)
        .bind(document.map(|d| key(d.0)))
        .bind(version.map(i64::from))
        .bind(outcome)
        .bind(failure.map(|f| f.code.clone()))
        .bind(failure.map(|f| f.detail.clone()))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The file's bytes under their hash: written beside, synced, renamed, so that a blob is whole or absent.
fn store(path: &Path, bytes: &[u8]) -> Result<(), IngestError> {
    let failed = |e| IngestError::from(IndexError::from_io("original file".into(), e));
    if path.metadata().is_ok_and(|m| m.len() == bytes.len() as u64) {
        return Ok(());
    }
    let dir = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir).map_err(failed)?;
    let part = dir.join(format!("{}.part", Uuid::now_v7().simple()));
    let written = (|| {
        let mut file = std::fs::File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&part, path)?;
        std::fs::File::open(dir)?.sync_all()
    })();
    written.map_err(|e| {
        std::fs::remove_file(&part).ok();
        failed(e)
    })
}

pub(crate) fn stem(name: &str) -> String {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    file.rsplit_once('.').map_or(file, |(stem, _)| if stem.is_empty() { file } else { stem }).to_owned()
}

fn item_state(outcome: String, status: Option<String>) -> String {
    match (outcome.as_str(), status) {
        ("queued", Some(status)) => status,
        ("queued", None) => "failed".into(),
        _ => outcome,
    }
}

fn batch_item(row: &AnyRow) -> BatchItem {
    let document: Option<String> = row.get(1);
    let external_id: Option<String> = row.get(2);
    let status = item_state(row.get(3), row.get(4));
    let failed = matches!(status.as_str(), "failed" | "quarantined");
    let error = |code: String| Failure { code, detail: row.get::<Option<String>, _>(8).unwrap_or_default() };
    BatchItem {
        path: row.get(0),
        document_id: document.and_then(|id| Uuid::try_parse(&id).ok()).map(DocumentId),
        external_id,
        pages: row.get::<i64, _>(5) as u32,
        passages: row.get::<i64, _>(6) as u32,
        error: failed.then(|| row.get::<Option<String>, _>(7).map_or(error("deleted".into()), error)),
        status,
    }
}

fn job(row: &AnyRow) -> Result<Job, IndexError> {
    let stage = match row.get::<String, _>(5).as_str() {
        "parse" => Stage::Parse,
        "index" => Stage::Index,
        "embed" => Stage::Embed,
        _ => Stage::Purge,
    };
    Ok(Job {
        id: row.get(0),
        document: DocumentId(Uuid::try_parse(row.get(1)).map_err(|e| IndexError::Internal(e.to_string()))?),
        version: row.get::<i64, _>(2) as u32,
        scope: Scope::new(row.get(3), row.get(4))?,
        stage,
        attempts: row.get(6),
        hash: row.get(7),
        bytes: row.get::<i64, _>(8) as u64,
        name: row.get(9),
    })
}
