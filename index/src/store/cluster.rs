//! A Qdrant server, or a cluster of them: one collection per generation, for an index that outgrows one machine.
//!
//! The server is reached lazily: a service starts without it and goes on once it is there. Before the first request its
//! version and the collection are looked at; only [`VectorStore::prepare`] makes a collection. Every request may be done twice
//! (ids are derived, writes replace), so what the network loses is tried again, a few times, within the deadline.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use qdrant_client::{
    Payload, Qdrant, QdrantError,
    qdrant::{
        CollectionInfo, CollectionStatus, Condition, CountPointsBuilder, CreateCollectionBuilder,
        CreateFieldIndexCollectionBuilder, DeletePointsBuilder, Distance, FacetCountsBuilder, FieldType, Filter,
        KeywordIndexParamsBuilder, NamedVectors, PointId, PointStruct, PointVectors, Query, QueryPointsBuilder,
        SearchParamsBuilder, SparseVectorParamsBuilder, SparseVectorsConfigBuilder, UpdatePointVectorsBuilder,
        UpsertPointsBuilder, Vector, VectorInput, VectorParamsBuilder, Vectors, VectorsConfigBuilder, facet_value,
        point_id::PointIdOptions, vectors_config,
    },
};
use serde_json::json;
use tonic::{Code, Status};
use uuid::Uuid;

use super::{Arm, Counts, Point, VectorStore, Visible, best, document_key, version_key, version_of_key};
use crate::{IndexError, corpus::DocumentId, scope::Call};

const WORDS: &str = "words";
const MEANING: &str = "meaning";
/// Names the installation in the collection's metadata.
const OWNER: &str = "dossier";
/// 1.16 is the first version whose collections carry metadata.
const LEAST_MINOR: u32 = 16;
/// Points in one request.
const BATCH: usize = 512;
/// How often a request is tried again, and the pause before the first time; it doubles.
const AGAIN: u32 = 4;
const PAUSE: Duration = Duration::from_millis(100);
/// Time left to the client to replace a connection on which a request was lost.
const GRACE: Duration = Duration::from_millis(250);
/// Versions in one answer.
const VERSIONS: u64 = 1 << 24;

/// How a server is reached, and how collections are made on it.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its gRPC address, such as `http://127.0.0.1:6334`; `https` for TLS.
    pub url: String,
    /// Its API key.
    pub api_key: Option<String>,
    /// What the names of collections begin with.
    pub prefix: String,
    /// Shards of a new collection.
    pub shards: u32,
    /// Copies of each shard of a new collection.
    pub replication: u32,
    /// Copies that must have a write before it is acknowledged.
    pub write_consistency: u32,
    /// Whether every point is compared, as the embedded store does, instead of following a graph.
    pub exact: bool,
    /// Longest that a query may take.
    pub timeout: Duration,
    /// Longest that a write or a count may take.
    pub write_timeout: Duration,
}

/// A collection of a Qdrant server.
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    server: Server,
    // Two clients, since a client has one timeout for all of its requests.
    reading: Qdrant,
    writing: Qdrant,
    collection: String,
    dimensions: usize,
    owner: String,
    ready: AtomicBool,
    turn: tokio::sync::Mutex<()>,
}

/// Why a request failed, and whether it may succeed when it is sent again, and when at the earliest.
struct Trouble {
    error: IndexError,
    again: Option<Duration>,
}

impl From<IndexError> for Trouble {
    fn from(error: IndexError) -> Self {
        Self { error, again: None }
    }
}

impl Cluster {
    /// The collection of a generation, for vectors of `dimensions`. `owner` names the installation: a collection of another
    /// one is refused, since each takes away what its own catalog does not know. Nothing is sent yet.
    ///
    /// # Errors
    /// `vector_store_unavailable` if the URL is none.
    pub fn new(server: Server, generation: &str, dimensions: usize, owner: &str) -> Result<Self, IndexError> {
        let client = |timeout: Duration| {
            Qdrant::from_url(&server.url)
                .api_key(server.api_key.clone())
                .timeout(timeout)
                .connect_timeout(server.timeout)
                .skip_compatibility_check()
                .build()
                .map_err(|e| IndexError::Store(format!("qdrant.url is `{}`: {e}", server.url)))
        };
        Ok(Self(Arc::new(Inner {
            reading: client(server.timeout)?,
            writing: client(server.write_timeout)?,
            collection: format!("{}_{generation}", server.prefix),
            dimensions,
            owner: owner.into(),
            ready: AtomicBool::new(false),
            turn: tokio::sync::Mutex::new(()),
            server,
        })))
    }

    /// Deletes the collection with all of its points.
    ///
    /// # Errors
    /// As every request.
    pub async fn discard(&self) -> Result<(), IndexError> {
        let inner = &*self.0;
        inner.write(|| inner.writing.delete_collection(&inner.collection)).await?;
        inner.ready.store(false, Relaxed);
        Ok(())
    }

    async fn query(
        &self,
        call: &Call,
        arm: &Arm,
        visible: &Visible,
        ids: Option<&[Uuid]>,
        limit: usize,
    ) -> Result<Vec<(Uuid, f32)>, IndexError> {
        let inner = &*self.0;
        let (input, using) = match arm {
            Arm::Words(indices, values) => (VectorInput::new_sparse(indices.clone(), values.clone()), WORDS),
            Arm::Meaning(vector) => (VectorInput::new_dense(vector.clone()), MEANING),
        };
        let request = QueryPointsBuilder::new(&inner.collection)
            .query(Query::new_nearest(input))
            .using(using)
            .filter(seen(visible, ids))
            .params(SearchParamsBuilder::default().exact(inner.server.exact))
            .limit(limit as u64)
            .with_payload(false)
            .build();
        let found = inner.read(call, || inner.reading.query(request.clone())).await?;
        Ok(found.result.iter().filter_map(|point| Some((uuid(point.id.as_ref()?)?, point.score))).collect())
    }
}

#[async_trait]
impl VectorStore for Cluster {
    async fn about(&self) -> Result<String, IndexError> {
        let inner = &*self.0;
        let version = inner.write(|| inner.writing.health_check()).await?.version;
        let info = inner.write(|| inner.writing.collection_info(&inner.collection)).await?.result.unwrap_or_default();
        let status = CollectionStatus::try_from(info.status).map_or("unknown", |status| status.as_str_name());
        Ok(format!(
            "Qdrant {version} at {}, collection `{}` in {} segments, {}",
            inner.server.url,
            inner.collection,
            info.segments_count,
            status.to_lowercase()
        ))
    }

    async fn prepare(&self) -> Result<(), IndexError> {
        let inner = &*self.0;
        inner.attempts(inner.patience(), || inner.look(true)).await
    }

    async fn upsert(&self, points: Vec<Point>) -> Result<(), IndexError> {
        let inner = &*self.0;
        let points = points.into_iter().map(point).collect::<Result<Vec<_>, _>>()?;
        for batch in points.chunks(BATCH) {
            let request = UpsertPointsBuilder::new(&inner.collection, batch).wait(true).build();
            inner.write(|| inner.writing.upsert_points(request.clone())).await?;
        }
        Ok(())
    }

    async fn set_meaning(&self, vectors: Vec<(Uuid, Vec<f32>)>) -> Result<(), IndexError> {
        let inner = &*self.0;
        let point = |(id, vector): &(Uuid, Vec<f32>)| PointVectors {
            id: Some(PointId::from(id.to_string())),
            vectors: Some(Vectors::from(NamedVectors::default().add_vector(MEANING, vector.clone()))),
        };
        for batch in vectors.chunks(BATCH) {
            let points: Vec<PointVectors> = batch.iter().map(point).collect();
            let request = UpdatePointVectorsBuilder::new(&inner.collection, points).wait(true).build();
            inner.write(|| inner.writing.update_vectors(request.clone())).await?;
        }
        Ok(())
    }

    async fn delete(&self, document: DocumentId, version: u32) -> Result<(), IndexError> {
        let inner = &*self.0;
        let filter = Filter::must([Condition::matches("version", version_key(document, version))]);
        let request = DeletePointsBuilder::new(&inner.collection).points(filter).wait(true).build();
        inner.write(|| inner.writing.delete_points(request.clone())).await?;
        Ok(())
    }

    async fn search(&self, call: &Call, arm: &Arm, visible: &Visible, limit: usize) -> Result<Vec<(Uuid, f32)>, IndexError> {
        best(limit, |limit| self.query(call, arm, visible, None, limit)).await
    }

    async fn score(&self, call: &Call, arm: &Arm, visible: &Visible, ids: &[Uuid]) -> Result<Vec<(Uuid, f32)>, IndexError> {
        best(ids.len(), |limit| self.query(call, arm, visible, Some(ids), limit)).await
    }

    async fn count(&self, document: DocumentId, version: u32) -> Result<(u64, u64), IndexError> {
        self.0.counts(Some(Condition::matches("version", version_key(document, version)))).await
    }

    async fn versions(&self) -> Result<Counts, IndexError> {
        let inner = &*self.0;
        let mut counts = Counts::new();
        for with_vector in [false, true] {
            let mut request = FacetCountsBuilder::new(&inner.collection, "version").limit(VERSIONS).exact(true);
            if with_vector {
                request = request.filter(Filter::must([Condition::has_vector(MEANING)]));
            }
            let request = request.build();
            let found = inner.write(|| inner.writing.facet(request.clone())).await?;
            // A server tells of values whose points are all deleted, too.
            for hit in found.hits.into_iter().filter(|hit| hit.count > 0) {
                let Some(facet_value::Variant::StringValue(key)) = hit.value.and_then(|value| value.variant) else { continue };
                let Some(version) = version_of_key(&key) else { continue };
                let count = counts.entry(version).or_default();
                if with_vector { count.1 = hit.count } else { count.0 = hit.count }
            }
        }
        Ok(counts)
    }

    async fn total(&self) -> Result<(u64, u64), IndexError> {
        self.0.counts(None).await
    }

    /// Nothing is left to be done: writes wait until the server has them in its log and has applied them.
    async fn flush(&self) -> Result<(), IndexError> {
        Ok(())
    }
}

impl Inner {
    /// A request that somebody waits for.
    async fn read<T, F>(&self, call: &Call, request: impl Fn() -> F) -> Result<T, IndexError>
    where
        F: Future<Output = Result<T, QdrantError>>,
    {
        let request = || self.tried(request());
        let patience = self.server.timeout + GRACE;
        if call.left() > patience {
            return self.attempts(Instant::now() + patience, request).await;
        }
        match tokio::time::timeout(call.left(), self.attempts(call.deadline + GRACE, request)).await {
            Ok(result) => result,
            Err(_) => Err(IndexError::Deadline { doing: "searching" }),
        }
    }

    async fn write<T, F>(&self, request: impl Fn() -> F) -> Result<T, IndexError>
    where
        F: Future<Output = Result<T, QdrantError>>,
    {
        self.attempts(self.patience(), || self.tried(request())).await
    }

    /// When a request that nobody waits for has taken too long.
    fn patience(&self) -> Instant {
        Instant::now() + self.server.write_timeout + GRACE
    }

    /// One request, after the server and the collection were looked at.
    async fn tried<T>(&self, request: impl Future<Output = Result<T, QdrantError>>) -> Result<T, Trouble> {
        if !self.ready.load(Relaxed) {
            self.look(false).await?;
        }
        request.await.map_err(|e| self.trouble(&e))
    }

    async fn attempts<T, F>(&self, until: Instant, attempt: impl Fn() -> F) -> Result<T, IndexError>
    where
        F: Future<Output = Result<T, Trouble>>,
    {
        let (mut tries, mut pause) = (0, PAUSE);
        loop {
            let trouble = match tokio::time::timeout_at(until.into(), attempt()).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(trouble)) => trouble,
                Err(_) => {
                    let reason = format!("the Qdrant server at {} does not answer in time (qdrant.timeout)", self.server.url);
                    return Err(IndexError::Store(reason));
                }
            };
            let Some(earliest) = trouble.again.filter(|_| tries < AGAIN) else { return Err(trouble.error) };
            // Half of the pause is chance, so that those who failed together do not come back together.
            let chance = RandomState::new().hash_one(tries) % 1000;
            let wait = earliest.max(pause.mul_f64(0.5 + chance as f64 / 2000.0));
            if Instant::now() + wait >= until {
                return Err(trouble.error);
            }
            tokio::time::sleep(wait).await;
            (tries, pause) = (tries + 1, 2 * pause);
        }
    }

    async fn counts(&self, condition: Option<Condition>) -> Result<(u64, u64), IndexError> {
        let all: Vec<Condition> = condition.into_iter().collect();
        let embedded = all.iter().cloned().chain([Condition::has_vector(MEANING)]).collect();
        Ok((self.count(all).await?, self.count(embedded).await?))
    }

    async fn count(&self, must: Vec<Condition>) -> Result<u64, IndexError> {
        let request = CountPointsBuilder::new(&self.collection).filter(Filter::must(must)).exact(true).build();
        let answer = self.write(|| self.writing.count(request.clone())).await?;
        Ok(answer.result.map_or(0, |result| result.count))
    }

    /// Looks at the server and the collection: before the first request, after the collection was lost, and to make what is absent.
    async fn look(&self, make: bool) -> Result<(), Trouble> {
        let _turn = self.turn.lock().await;
        if self.ready.load(Relaxed) && !make {
            return Ok(());
        }
        let told = |e: QdrantError| self.trouble(&e);
        speaks(&self.server.url, &self.reading.health_check().await.map_err(told)?.version)?;
        if !self.reading.collection_exists(&self.collection).await.map_err(told)? {
            // Also whoever writes must learn that everything is to be written, not this alone.
            if !make {
                return Err(
                    IndexError::Store(format!("there is no collection `{}` on the Qdrant server", self.collection)).into()
                );
            }
            self.create().await?;
        }
        let info = self.reading.collection_info(&self.collection).await.map_err(told)?.result.unwrap_or_default();
        if let Some(reason) = unfit(&info, self.dimensions, &self.owner) {
            return Err(IndexError::StoreMismatch { collection: self.collection.clone(), reason }.into());
        }
        for field in ["tenant", "scenario", "document", "version"] {
            if make && !info.payload_schema.contains_key(field) {
                let kind = KeywordIndexParamsBuilder::default().is_tenant(field == "tenant");
                let request = CreateFieldIndexCollectionBuilder::new(&self.collection, field, FieldType::Keyword)
                    .field_index_params(kind)
                    .wait(true);
                self.writing.create_field_index(request).await.map_err(told)?;
            }
        }
        self.ready.store(true, Relaxed);
        Ok(())
    }

    async fn create(&self) -> Result<(), Trouble> {
        let mut dense = VectorsConfigBuilder::default();
        dense.add_named_vector_params(MEANING, VectorParamsBuilder::new(self.dimensions as u64, Distance::Cosine));
        // No modifier: the server would count the words of other tenants; our query weights carry the frequencies of the scope.
        let mut sparse = SparseVectorsConfigBuilder::default();
        sparse.add_named_vector_params(WORDS, SparseVectorParamsBuilder::default());
        let request = CreateCollectionBuilder::new(&self.collection)
            .vectors_config(dense)
            .sparse_vectors_config(sparse)
            .shard_number(self.server.shards)
            .replication_factor(self.server.replication)
            .write_consistency_factor(self.server.write_consistency)
            .metadata(HashMap::from([(OWNER.to_owned(), json!(self.owner))]));
        match self.writing.create_collection(request).await {
            Ok(_) => Ok(()),
            // Another process of this installation was faster.
            Err(QdrantError::ResponseError { status }) if status.code() == Code::AlreadyExists => Ok(()),
            Err(error) => Err(self.trouble(&error)),
        }
    }

    /// What an error of the client means.
    fn trouble(&self, error: &QdrantError) -> Trouble {
        let url = self.server.url.as_str();
        match error {
            QdrantError::ResponseError { status } => {
                if is_gone(status) {
                    self.ready.store(false, Relaxed);
                }
                Trouble { error: told(url, status), again: passing(status).then_some(Duration::ZERO) }
            }
            QdrantError::ResourceExhaustedError { status, retry_after_seconds } => {
                Trouble { error: told(url, status), again: Some(Duration::from_secs(*retry_after_seconds)) }
            }
            other => IndexError::Store(other.to_string()).into(),
        }
    }
}

/// Whether the same request may succeed a moment later.
fn passing(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable | Code::Aborted | Code::ResourceExhausted => true,
        // The transport reports broken connections under these; what the server means by them is not worth another try.
        Code::Internal | Code::Unknown | Code::Cancelled => {
            let broken = [
                "Failed to connect",
                "transport error",
                "h2 protocol error",
                "broken pipe",
                "operation was canceled",
                "Timeout expired",
            ];
            !untrusted(status.message()) && broken.iter().any(|part| status.message().contains(part))
        }
        _ => false,
    }
}

fn is_gone(status: &Status) -> bool {
    status.code() == Code::NotFound && status.message().contains("Collection")
}

fn untrusted(message: &str) -> bool {
    ["InvalidCertificate", "invalid peer certificate", "Failed to create TLS config"].iter().any(|part| message.contains(part))
}

fn told(url: &str, status: &Status) -> IndexError {
    let (url, message) = (url.to_owned(), status.message());
    match status.code() {
        Code::Unauthenticated => IndexError::StoreKey { url },
        _ if is_gone(status) => IndexError::Store("the collection is gone from the Qdrant server".into()),
        Code::PermissionDenied => IndexError::StoreReadOnly { url, reason: format!("the API key may not do that ({message})") },
        _ if message.contains("No space left") || message.contains("max_disk_usage_percent") => {
            IndexError::StorageFull { what: "the Qdrant server".into() }
        }
        _ if message.contains("Read-only file system") => IndexError::StoreReadOnly { url, reason: message.into() },
        _ if untrusted(message) => {
            let reason = message.split("InvalidCertificate(").nth(1).and_then(|rest| rest.split(')').next());
            IndexError::StoreCertificate { url, reason: reason.unwrap_or("no authority is known here").into() }
        }
        _ if message.contains("InvalidContentType") => {
            IndexError::Store(format!("the Qdrant server at {url} does not speak TLS; write http:// in qdrant.url"))
        }
        _ if message.contains("Failed to connect") => {
            IndexError::Store(format!("the Qdrant server at {url} cannot be reached; look at qdrant.url"))
        }
        code => IndexError::Store(format!("the Qdrant server at {url}: {message} ({code:?})")),
    }
}

/// Whether the server has a version that this program speaks with.
fn speaks(url: &str, version: &str) -> Result<(), IndexError> {
    let mut numbers = version.split(['.', '-']).map(|part| part.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(1), Some(minor)) if minor >= LEAST_MINOR => Ok(()),
        _ => Err(IndexError::StoreVersion { url: url.into(), got: version.into(), least: LEAST_MINOR }),
    }
}

/// Why a collection is not the one that is needed.
fn unfit(info: &CollectionInfo, dimensions: usize, owner: &str) -> Option<String> {
    let config = info.config.as_ref()?;
    let owned = config.metadata.get(OWNER).and_then(|value| value.as_str());
    match owned {
        Some(named) if named == owner => {}
        Some(_) => return Some("belongs to another installation; set qdrant.prefix to a name of your own".into()),
        None => return Some("was not made by dossier; set qdrant.prefix to a name of your own".into()),
    }
    let params = config.params.as_ref()?;
    let vectors = match params.vectors_config.as_ref().and_then(|config| config.config.as_ref()) {
        Some(vectors_config::Config::ParamsMap(map)) => map.map.get(MEANING),
        _ => None,
    };
    let sparse = params.sparse_vectors_config.as_ref().is_some_and(|config| config.map.contains_key(WORDS));
    match vectors {
        Some(vector) if vector.size != dimensions as u64 => Some(format!(
            "holds vectors of {} numbers and the encoder makes {dimensions}; configure the encoder that filled it, or another \
             qdrant.prefix",
            vector.size
        )),
        Some(vector) if vector.distance == Distance::Cosine as i32 && sparse => None,
        _ => Some("has other vectors than dossier makes; set qdrant.prefix to a name of your own".into()),
    }
}

fn point(point: Point) -> Result<PointStruct, IndexError> {
    let mut vectors = NamedVectors::default();
    if !point.words.0.is_empty() {
        vectors = vectors.add_vector(WORDS, Vector::new_sparse(point.words.0, point.words.1));
    }
    if let Some(vector) = point.meaning {
        vectors = vectors.add_vector(MEANING, vector);
    }
    let payload = Payload::try_from(json!({
        "tenant": point.scope.tenant(),
        "scenario": point.scope.scenario(),
        "document": document_key(point.document),
        "version": version_key(point.document, point.version),
    }));
    Ok(PointStruct::new(point.id.to_string(), vectors, payload.map_err(|e| IndexError::Internal(e.to_string()))?))
}

fn seen(visible: &Visible, ids: Option<&[Uuid]>) -> Filter {
    let mut must = vec![
        Condition::matches("tenant", visible.scope.tenant().to_owned()),
        Condition::matches("scenario", visible.scope.scenario().to_owned()),
    ];
    if let Some(documents) = &visible.documents {
        must.push(Condition::matches("document", documents.iter().map(|d| document_key(*d)).collect::<Vec<_>>()));
    }
    if let Some(ids) = ids {
        must.push(Condition::has_id(ids.iter().map(Uuid::to_string)));
    }
    let hidden: Vec<String> = visible.hidden.iter().map(|(document, version)| version_key(*document, *version)).collect();
    let must_not = if hidden.is_empty() { vec![] } else { vec![Condition::matches("version", hidden)] };
    Filter { must, must_not, ..Filter::default() }
}

fn uuid(id: &PointId) -> Option<Uuid> {
    match id.point_id_options.as_ref()? {
        PointIdOptions::Uuid(text) => Uuid::try_parse(text).ok(),
        PointIdOptions::Num(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Coded;

    fn code(code: Code, message: &str) -> &'static str {
        told("http://127.0.0.1:6334", &Status::new(code, message)).code()
    }

    #[test]
    fn what_the_server_says_has_a_code() {
        let full = "Service internal error: No space left on device: WAL buffer size exceeds available disk space";
        assert_eq!(code(Code::Internal, full), "storage_full");
        assert_eq!(code(Code::Unauthenticated, "Must provide an API key"), "vector_store_unauthorized");
        assert_eq!(code(Code::PermissionDenied, "Forbidden: Write access is required"), "vector_store_read_only");
        assert_eq!(code(Code::Internal, "Read-only file system (os error 30)"), "vector_store_read_only");
        let unknown = "Failed to connect to https://x: Custom { error: InvalidCertificate(UnknownIssuer) }";
        assert_eq!(code(Code::Internal, unknown), "vector_store_certificate");
        assert_eq!(code(Code::Unavailable, "Shard temporarily unavailable"), "vector_store_unavailable");
    }

    #[test]
    fn only_what_passes_is_tried_again() {
        let passes = |code, message: &str| passing(&Status::new(code, message));
        assert!(passes(Code::Unavailable, "tcp connect error"));
        assert!(passes(Code::Internal, "Failed to connect to http://127.0.0.1:1/"));
        assert!(passes(Code::Unknown, "transport error"));
        assert!(!passes(Code::Internal, "Failed to connect: InvalidCertificate(UnknownIssuer)"));
        assert!(!passes(Code::Internal, "Service internal error: No space left on device"));
        assert!(!passes(Code::InvalidArgument, "Wrong input: Vector dimension error"));
        assert!(!passes(Code::Unauthenticated, "Invalid API key"));
    }

    #[test]
    fn an_older_server_and_one_of_another_major_version_are_refused() {
        for (version, fits) in
            [("1.16.0", true), ("1.18.3", true), ("1.15.9", false), ("1.20.0-dev", true), ("2.0.0", false), ("", false)]
        {
            let spoken = speaks("http://127.0.0.1:6334", version);
            assert_eq!(spoken.is_ok(), fits, "{version}");
            assert!(spoken.err().is_none_or(|e| e.code() == "vector_store_version"), "{version}");
        }
    }
}
