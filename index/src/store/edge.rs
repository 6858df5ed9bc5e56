//! The embedded store: Qdrant in this process, one shard for all tenants.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use qdrant_edge::{
    CountRequest, CreateIndex, Distance, EdgeConfigBuilder, EdgeShard, EdgeSparseVectorParamsBuilder, EdgeVectorParamsBuilder,
    FacetRequest, FacetValue, FieldIndexOperations, Filter, JsonPath, NamedQuery, NamedVectors, PointId, PointInsertOperations,
    PointOperations, PointStruct, PointVectorsPersisted, QueryEnum, QueryRequest, ScoringQuery, SearchParams, SparseVector,
    UpdateOperation, UpdateVectorsOp, Vector, VectorInternal, VectorOperations, VectorStructPersisted, Vectors,
    WithPayloadInterface, WithVector,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Arm, Counts, Point, VectorStore, Visible, best, document_key, version_key, version_of_key};
use crate::{IndexError, corpus::DocumentId, scope::Call};

const WORDS: &str = "words";
const MEANING: &str = "meaning";

/// Qdrant in this process.
#[derive(Clone)]
pub struct Edge(Arc<Inner>);

struct Inner {
    shard: EdgeShard,
    // `EdgeShard::flush` panics when an update holds one of its locks: writing and flushing take turns here.
    turn: Mutex<()>,
}

/// What opening found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// The shard that was there.
    Existing,
    /// A new one, because there was none.
    New,
    /// A new one; the old one could not be read and was set aside.
    Replaced,
}

impl Edge {
    /// Opens the shard in `dir` for vectors of `dimensions`, or makes one. A shard that cannot be read is renamed and a new
    /// one made in its place: the catalog can fill it again.
    ///
    /// # Errors
    /// `vector_store_unavailable` if no shard can be made there.
    pub fn open(dir: &Path, dimensions: usize) -> Result<(Self, Opened), IndexError> {
        let existing = dir.join("segments").exists();
        let (shard, opened) = if existing {
            match guarded(|| EdgeShard::load(dir, None)) {
                Ok(shard) => (shard, Opened::Existing),
                Err(error) => {
                    let aside = set_aside(dir)?;
                    tracing::error!(
                        "the vector index cannot be read ({error}); it was moved to `{}` and is built anew",
                        aside.display()
                    );
                    (create(dir, dimensions)?, Opened::Replaced)
                }
            }
        } else {
            (create(dir, dimensions)?, Opened::New)
        };
        Ok((Self(Arc::new(Inner { shard, turn: Mutex::new(()) })), opened))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexError> {
        let inner = self.0.clone();
        tokio::task::spawn_blocking(move || work(&inner)).await.map_err(|e| IndexError::Store(e.to_string()))?
    }

    async fn update(&self, operation: UpdateOperation) -> Result<(), IndexError> {
        self.blocking(move |inner| {
            let _turn = inner.turn.lock();
            guarded(|| inner.shard.update(operation))
        })
        .await
    }

    async fn query(&self, arm: &Arm, filter: Value, limit: usize) -> Result<Vec<(Uuid, f32)>, IndexError> {
        let query = ScoringQuery::Vector(QueryEnum::Nearest(match arm {
            Arm::Words(indices, values) => {
                NamedQuery::new(VectorInternal::Sparse(SparseVector { indices: indices.clone(), values: values.clone() }), WORDS)
            }
            Arm::Meaning(vector) => NamedQuery::new(VectorInternal::Dense(vector.clone()), MEANING),
        }));
        self.blocking(move |inner| {
            let request = QueryRequest {
                prefetches: vec![],
                query: Some(query),
                filter: Some(parse(filter)?),
                score_threshold: None,
                limit,
                offset: 0,
                params: Some(SearchParams { exact: true, ..Default::default() }),
                with_vector: WithVector::Bool(false),
                with_payload: WithPayloadInterface::Bool(false),
            };
            let found = guarded(|| inner.shard.query(request))?.into_iter();
            Ok(found
                .filter_map(|point| match point.id {
                    PointId::Uuid(id) => Some((id, point.score)),
                    PointId::NumId(_) => None,
                })
                .collect())
        })
        .await
    }

    async fn counts(&self, filter: Option<Value>) -> Result<(u64, u64), IndexError> {
        self.blocking(move |inner| {
            let count = |more: Option<Value>| {
                let must: Vec<Value> = filter.iter().cloned().chain(more).collect();
                let filter = if must.is_empty() { None } else { Some(parse(json!({ "must": must }))?) };
                guarded(|| inner.shard.count(CountRequest { filter, exact: true })).map(|n| n as u64)
            };
            Ok((count(None)?, count(Some(json!({ "has_vector": MEANING })))?))
        })
        .await
    }
}

#[async_trait]
impl VectorStore for Edge {
    async fn about(&self) -> Result<String, IndexError> {
        Ok("Qdrant in this process (qdrant-edge 0.7.2)".into())
    }

    async fn prepare(&self) -> Result<(), IndexError> {
        Ok(())
    }

    async fn upsert(&self, points: Vec<Point>) -> Result<(), IndexError> {
        let points = points
            .into_iter()
            .map(|point| {
                let mut vectors = NamedVectors::default();
                if !point.words.0.is_empty() {
                    vectors = vectors.add_vector(WORDS, Vector::new_sparse(point.words.0, point.words.1).map_err(failed)?);
                }
                if let Some(vector) = point.meaning {
                    vectors = vectors.add_vector(MEANING, vector);
                }
                let payload = json!({
                    "tenant": point.scope.tenant(),
                    "scenario": point.scope.scenario(),
                    "document": document_key(point.document),
                    "version": version_key(point.document, point.version),
                });
                Ok(PointStruct::new(PointId::Uuid(point.id), Vectors::from(vectors), payload).into())
            })
            .collect::<Result<Vec<_>, IndexError>>()?;
        self.update(UpdateOperation::PointOperation(PointOperations::UpsertPoints(PointInsertOperations::PointsList(points))))
            .await
    }

    async fn set_meaning(&self, vectors: Vec<(Uuid, Vec<f32>)>) -> Result<(), IndexError> {
        let points = vectors
            .into_iter()
            .map(|(id, vector)| {
                let named = Vectors::from(NamedVectors::default().add_vector(MEANING, vector));
                PointVectorsPersisted { id: PointId::Uuid(id), vector: VectorStructPersisted::from(named.0) }
            })
            .collect();
        self.update(UpdateOperation::VectorOperation(VectorOperations::UpdateVectors(UpdateVectorsOp {
            points,
            update_filter: None,
        })))
        .await
    }

    async fn delete(&self, document: DocumentId, version: u32) -> Result<(), IndexError> {
        let filter = parse(json!({ "must": [equals("version", version_key(document, version))] }))?;
        self.update(UpdateOperation::PointOperation(PointOperations::DeletePointsByFilter(filter))).await
    }

    async fn search(&self, _call: &Call, arm: &Arm, visible: &Visible, limit: usize) -> Result<Vec<(Uuid, f32)>, IndexError> {
        best(limit, |limit| self.query(arm, seen(visible, None), limit)).await
    }

    async fn score(&self, _call: &Call, arm: &Arm, visible: &Visible, ids: &[Uuid]) -> Result<Vec<(Uuid, f32)>, IndexError> {
        if ids.is_empty() {
            return Ok(vec![]);
        }
        best(ids.len(), |limit| self.query(arm, seen(visible, Some(ids)), limit)).await
    }

    async fn count(&self, document: DocumentId, version: u32) -> Result<(u64, u64), IndexError> {
        self.counts(Some(equals("version", version_key(document, version)))).await
    }

    async fn versions(&self) -> Result<Counts, IndexError> {
        self.blocking(|inner| {
            let count = |filter: Option<Value>| {
                let request = FacetRequest {
                    key: key("version")?,
                    limit: usize::MAX,
                    filter: filter.map(|condition| parse(json!({ "must": [condition] }))).transpose()?,
                    exact: true,
                };
                guarded(|| inner.shard.facet(request)).map(|found| found.hits)
            };
            let mut counts = Counts::new();
            for hit in count(None)? {
                if let FacetValue::Keyword(key) = &hit.value
                    && let Some(version) = version_of_key(key)
                {
                    counts.entry(version).or_default().0 = hit.count as u64;
                }
            }
            for hit in count(Some(json!({ "has_vector": MEANING })))? {
                if let FacetValue::Keyword(key) = &hit.value
                    && let Some(version) = version_of_key(key)
                {
                    counts.entry(version).or_default().1 = hit.count as u64;
                }
            }
            Ok(counts)
        })
        .await
    }

    async fn total(&self) -> Result<(u64, u64), IndexError> {
        self.counts(None).await
    }

    async fn flush(&self) -> Result<(), IndexError> {
        self.blocking(|inner| {
            let _turn = inner.turn.lock();
            guarded(|| {
                inner.shard.flush();
                Ok(())
            })
        })
        .await
    }
}

fn create(dir: &Path, dimensions: usize) -> Result<EdgeShard, IndexError> {
    std::fs::create_dir_all(dir).map_err(|e| IndexError::from_io("vector index".into(), e))?;
    let config = EdgeConfigBuilder::new()
        .vector(MEANING, EdgeVectorParamsBuilder::new(dimensions, Distance::Cosine).build())
        // No modifier: the store would count the words of other tenants; our query weights carry the frequencies of the scope.
        .sparse_vector(WORDS, EdgeSparseVectorParamsBuilder::new().build())
        .build();
    let shard = guarded(|| EdgeShard::new(dir, config))?;
    let schemas = [
        ("tenant", json!({ "type": "keyword", "is_tenant": true })),
        ("scenario", json!("keyword")),
        ("document", json!("keyword")),
        ("version", json!("keyword")),
    ];
    for (name, schema) in schemas {
        let index = CreateIndex {
            field_name: key(name)?,
            field_schema: Some(serde_json::from_value(schema).map_err(|e| IndexError::Internal(e.to_string()))?),
        };
        guarded(|| shard.update(UpdateOperation::FieldIndexOperation(FieldIndexOperations::CreateIndex(index))))?;
    }
    Ok(shard)
}

fn key(name: &str) -> Result<JsonPath, IndexError> {
    name.parse().map_err(|_| IndexError::Internal(format!("payload key `{name}`")))
}

fn set_aside(dir: &Path) -> Result<PathBuf, IndexError> {
    let aside = dir.with_extension(format!("damaged-{}", crate::db::now()));
    std::fs::rename(dir, &aside).map_err(|e| IndexError::from_io("vector index".into(), e))?;
    Ok(aside)
}

/// The store panics in places where others return an error (a full disk in `flush`): here it becomes one.
fn guarded<T>(work: impl FnOnce() -> Result<T, qdrant_edge::OperationError>) -> Result<T, IndexError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(failed),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()));
            Err(sorted(text.unwrap_or_else(|| "it stopped without a reason".into())))
        }
    }
}

fn failed(error: qdrant_edge::OperationError) -> IndexError {
    sorted(error.to_string())
}

fn sorted(text: String) -> IndexError {
    if text.contains("No space left") || text.contains("StorageFull") {
        return IndexError::StorageFull { what: "vector index".into() };
    }
    IndexError::Store(text)
}

fn parse(filter: Value) -> Result<Filter, IndexError> {
    serde_json::from_value(filter).map_err(|e| IndexError::Internal(format!("filter: {e}")))
}

fn seen(visible: &Visible, ids: Option<&[Uuid]>) -> Value {
    let mut must = vec![equals("tenant", visible.scope.tenant()), equals("scenario", visible.scope.scenario())];
    if let Some(documents) = &visible.documents {
        must.push(any("document", documents.iter().map(|d| document_key(*d)).collect()));
    }
    if let Some(ids) = ids {
        must.push(json!({ "has_id": ids }));
    }
    let hidden: Vec<String> = visible.hidden.iter().map(|(document, version)| version_key(*document, *version)).collect();
    match hidden.is_empty() {
        true => json!({ "must": must }),
        false => json!({ "must": must, "must_not": [any("version", hidden)] }),
    }
}

fn equals(key: &str, value: impl Into<Value>) -> Value {
    json!({ "key": key, "match": { "value": value.into() } })
}

fn any(key: &str, values: Vec<String>) -> Value {
    json!({ "key": key, "match": { "any": values } })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scope::Scope;

    fn point(document: DocumentId, version: u32, scope: &Scope, term: u32, meaning: Option<Vec<f32>>) -> Point {
        Point {
            id: Uuid::new_v4_like(document, version, term),
            scope: scope.clone(),
            document,
            version,
            words: (vec![term], vec![1.0]),
            meaning,
        }
    }

    trait Derived {
        fn new_v4_like(document: DocumentId, version: u32, term: u32) -> Uuid;
    }
    impl Derived for Uuid {
        fn new_v4_like(document: DocumentId, version: u32, term: u32) -> Uuid {
            Uuid::new_v5(&document.0, format!("{version}/{term}").as_bytes())
        }
    }

    #[tokio::test]
    async fn scope_and_hidden_versions_are_part_of_the_query() {
        let dir = tempfile::tempdir().unwrap();
        let (store, opened) = Edge::open(&dir.path().join("g1"), 2).unwrap();
        assert_eq!(opened, Opened::New);
        let (ours, theirs) = (Scope::default(), Scope::of_scenario("other").unwrap());
        let (a, b) = (DocumentId::new(), DocumentId::new());
        let points = vec![
            point(a, 1, &ours, 7, Some(vec![1.0, 0.0])),
            point(a, 2, &ours, 7, None),
            point(b, 1, &theirs, 7, Some(vec![1.0, 0.0])),
        ];
        let (first, second) = (points[0].id, points[1].id);
        store.upsert(points).await.unwrap();
        let call = Call::new(ours.clone(), Duration::from_secs(5));
        let words = Arm::Words(vec![7, 9], vec![2.0, 1.0]);
        let mut visible = Visible { scope: ours, hidden: vec![(a, 2)], documents: None };
        assert_eq!(store.search(&call, &words, &visible, 10).await.unwrap(), vec![(first, 2.0)]);
        visible.hidden = vec![(a, 1)];
        assert_eq!(store.search(&call, &words, &visible, 10).await.unwrap(), vec![(second, 2.0)]);
        let meaning = Arm::Meaning(vec![0.6, 0.8]);
        assert!(store.search(&call, &meaning, &visible, 10).await.unwrap().is_empty());
        store.set_meaning(vec![(second, vec![0.6, 0.8])]).await.unwrap();
        let hits = store.score(&call, &meaning, &visible, &[first, second]).await.unwrap();
        assert_eq!(hits.len(), 1);
        assert!((hits[0].1 - 1.0).abs() < 1e-5);
        assert_eq!(store.count(a, 2).await.unwrap(), (1, 1));
        store.delete(a, 1).await.unwrap();
        assert_eq!(store.total().await.unwrap(), (2, 2));
        visible.documents = Some(vec![b]);
        assert!(store.search(&call, &words, &visible, 10).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_was_flushed_is_there_again_and_a_damaged_shard_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("g1");
        let (store, _) = Edge::open(&path, 2).unwrap();
        store.upsert(vec![point(DocumentId::new(), 1, &Scope::default(), 1, Some(vec![0.0, 1.0]))]).await.unwrap();
        store.flush().await.unwrap();
        drop(store);
        let (store, opened) = Edge::open(&path, 2).unwrap();
        assert_eq!((opened, store.total().await.unwrap()), (Opened::Existing, (1, 1)));
        drop(store);
        std::fs::write(path.join("edge_config.json"), "{ not json").unwrap();
        let (store, opened) = Edge::open(&path, 2).unwrap();
        assert_eq!((opened, store.total().await.unwrap()), (Opened::Replaced, (0, 0)));
    }
}
