//! A server that speaks as much of Qdrant's protocol as dossier uses, in front of the embedded engine. It does by name what a
//! real one does on bad days: have an old version, a full disk, a key that only reads, a moment of being busy.

use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use index::{
    IndexError,
    corpus::DocumentId,
    scope::{Call, Scope},
    store::{Arm, Point, VectorStore, Visible, edge::Edge},
};
use qdrant_client::qdrant::{
    CollectionConfig, CollectionExists, CollectionExistsRequest, CollectionExistsResponse, CollectionInfo,
    CollectionOperationResponse, CollectionParams, CountPoints, CountResponse, CountResult, CreateCollection,
    CreateFieldIndexCollection, DeleteCollection, DeletePoints, FacetCounts, FacetHit, FacetResponse, FacetValue, Filter,
    GetCollectionInfoRequest, GetCollectionInfoResponse, HealthCheckReply, HealthCheckRequest, PayloadSchemaInfo, PointId,
    PointsOperationResponse, QueryPoints, QueryResponse, ScoredPoint, UpdatePointVectors, UpsertPoints, Vectors,
    condition::ConditionOneOf, facet_value, r#match::MatchValue, point_id::PointIdOptions, points_selector::PointsSelectorOneOf,
    query, vector, vector_input, vectors::VectorsOptions, vectors_config,
};
use tonic::{
    Code, Request, Response, Status,
    body::Body,
    codegen::{BoxFuture, Context, Poll, Service, http},
    server::{Grpc, NamedService, UnaryService},
    transport::{Server, server::TcpIncoming},
};
use tonic_prost::ProstCodec;
use uuid::Uuid;

/// The keys that the server knows.
pub const KEY: &str = "the-key";
pub const READ_ONLY_KEY: &str = "the-key-for-reading";

/// How the server is today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code)] // each test that includes this uses some
pub enum Mood {
    Well,
    Old,
    Full,
    /// So many requests are turned away.
    Busy(usize),
}

/// A running server.
pub struct FakeQdrant {
    pub url: String,
    state: Arc<State>,
}

struct State {
    mood: Mutex<Mood>,
    collections: Mutex<HashMap<String, Arc<Collection>>>,
}

struct Collection {
    edge: Edge,
    made: CreateCollection,
    indexed: Mutex<HashSet<String>>,
    _dir: tempfile::TempDir,
}

impl FakeQdrant {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State { mood: Mutex::new(Mood::Well), collections: Mutex::default() });
        let server = Server::builder()
            .add_service(Points(Door(state.clone())))
            .add_service(Collections(Door(state.clone())))
            .add_service(Root(Door(state.clone())));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        Self { url, state }
    }

    #[allow(dead_code)]
    pub fn set(&self, mood: Mood) {
        *self.state.mood.lock().unwrap() = mood;
    }
}

#[derive(Clone)]
struct Door(Arc<State>);

macro_rules! service {
    ($name:ident, $path:literal) => {
        #[derive(Clone)]
        struct $name(Door);
        impl NamedService for $name {
            const NAME: &'static str = $path;
        }
        impl Service<http::Request<Body>> for $name {
            type Response = http::Response<Body>;
            type Error = Infallible;
            type Future = BoxFuture<Self::Response, Infallible>;
            fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
                Poll::Ready(Ok(()))
            }
            fn call(&mut self, request: http::Request<Body>) -> Self::Future {
                let state = self.0.0.clone();
                Box::pin(async move { Ok(answer(state, request).await) })
            }
        }
    };
}
service!(Points, "qdrant.Points");
service!(Collections, "qdrant.Collections");
service!(Root, "qdrant.Qdrant");

/// A function as the handler of one request.
struct Handler<F>(F);

impl<F, Fut, I, O> UnaryService<I> for Handler<F>
where
    F: FnOnce(I) -> Fut + Clone,
    Fut: Future<Output = Result<O, Status>> + Send + 'static,
{
    type Response = O;
    type Future = BoxFuture<Response<O>, Status>;
    fn call(&mut self, request: Request<I>) -> Self::Future {
        let answer = self.0.clone()(request.into_inner());
        Box::pin(async move { Ok(Response::new(answer.await?)) })
    }
}

async fn answer(state: Arc<State>, request: http::Request<Body>) -> http::Response<Body> {
    let path = request.uri().path().to_owned();
    if let Err(status) = state.admit(&path, request.headers()) {
        return status.into_http();
    }
    macro_rules! unary {
        ($method:ident) => {
            Grpc::new(ProstCodec::default())
                .unary(Handler(move |message| async move { state.$method(message).await }), request)
                .await
        };
    }
    match path.rsplit_once('.').map_or("", |(_, method)| method) {
        "Qdrant/HealthCheck" => unary!(health),
        "Collections/CollectionExists" => unary!(exists),
        "Collections/Create" => unary!(create),
        "Collections/Delete" => unary!(drop_collection),
        "Collections/Get" => unary!(info),
        "Points/CreateFieldIndex" => unary!(index),
        "Points/Upsert" => unary!(upsert),
        "Points/UpdateVectors" => unary!(update_vectors),
        "Points/Delete" => unary!(delete),
        "Points/Query" => unary!(query),
        "Points/Count" => unary!(count),
        "Points/Facet" => unary!(facet),
        other => Status::unimplemented(other.to_owned()).into_http(),
    }
}

impl State {
    fn admit(&self, path: &str, headers: &http::HeaderMap) -> Result<(), Status> {
        let key = headers.get("api-key").and_then(|key| key.to_str().ok());
        let writes = ["Upsert", "UpdateVectors", "Delete", "Create", "CreateFieldIndex"].iter().any(|m| path.ends_with(m));
        if path.ends_with("HealthCheck") {
            return Ok(());
        }
        match key {
            Some(KEY) => {}
            Some(READ_ONLY_KEY) if !writes => {}
            Some(READ_ONLY_KEY) => return Err(Status::permission_denied("Forbidden: Global manage access is required")),
            _ => return Err(Status::unauthenticated("Invalid API key or JWT")),
        }
        let mut mood = self.mood.lock().unwrap();
        match *mood {
            Mood::Full if writes => Err(Status::internal(
                "Service internal error: No space left on device: WAL buffer size exceeds available disk space",
            )),
            Mood::Busy(n @ 1..) => {
                *mood = Mood::Busy(n - 1);
                Err(Status::unavailable("Shard temporarily unavailable: recovering"))
            }
            _ => Ok(()),
        }
    }

    fn collection(&self, name: &str) -> Result<Arc<Collection>, Status> {
        let gone = || Status::not_found(format!("Not found: Collection `{name}` doesn't exist!"));
        self.collections.lock().unwrap().get(name).cloned().ok_or_else(gone)
    }

    async fn health(&self, _: HealthCheckRequest) -> Result<HealthCheckReply, Status> {
        let version = if *self.mood.lock().unwrap() == Mood::Old { "1.9.7" } else { "1.18.3" };
        Ok(HealthCheckReply { title: "fake".into(), version: version.into(), commit: None })
    }

    async fn exists(&self, asked: CollectionExistsRequest) -> Result<CollectionExistsResponse, Status> {
        let exists = self.collection(&asked.collection_name).is_ok();
        Ok(CollectionExistsResponse { result: Some(CollectionExists { exists }), time: 0.0 })
    }

    async fn create(&self, made: CreateCollection) -> Result<CollectionOperationResponse, Status> {
        let mut collections = self.collections.lock().unwrap();
        if collections.contains_key(&made.collection_name) {
            return Err(Status::already_exists("Wrong input: Collection already exists!"));
        }
        let Some(vectors_config::Config::ParamsMap(map)) = made.vectors_config.as_ref().and_then(|c| c.config.as_ref()) else {
            return Err(Status::invalid_argument("no named vectors"));
        };
        let dir = tempfile::tempdir().unwrap();
        let (edge, _) = Edge::open(&dir.path().join("shard"), map.map["meaning"].size as usize).map_err(failed)?;
        let collection = Collection { edge, made: made.clone(), indexed: Mutex::default(), _dir: dir };
        collections.insert(made.collection_name, Arc::new(collection));
        Ok(CollectionOperationResponse { result: true, time: 0.0 })
    }

    async fn drop_collection(&self, asked: DeleteCollection) -> Result<CollectionOperationResponse, Status> {
        let result = self.collections.lock().unwrap().remove(&asked.collection_name).is_some();
        Ok(CollectionOperationResponse { result, time: 0.0 })
    }

    async fn info(&self, asked: GetCollectionInfoRequest) -> Result<GetCollectionInfoResponse, Status> {
        let collection = self.collection(&asked.collection_name)?;
        let made = collection.made.clone();
        let params = CollectionParams {
            vectors_config: made.vectors_config,
            sparse_vectors_config: made.sparse_vectors_config,
            ..CollectionParams::default()
        };
        let indexed = collection.indexed.lock().unwrap().iter().cloned().map(|f| (f, PayloadSchemaInfo::default())).collect();
        let config = CollectionConfig { params: Some(params), metadata: made.metadata, ..CollectionConfig::default() };
        let info = CollectionInfo { config: Some(config), payload_schema: indexed, ..CollectionInfo::default() };
        Ok(GetCollectionInfoResponse { result: Some(info), time: 0.0 })
    }

    async fn index(&self, asked: CreateFieldIndexCollection) -> Result<PointsOperationResponse, Status> {
        self.collection(&asked.collection_name)?.indexed.lock().unwrap().insert(asked.field_name);
        Ok(PointsOperationResponse::default())
    }

    async fn upsert(&self, asked: UpsertPoints) -> Result<PointsOperationResponse, Status> {
        waits(asked.wait)?;
        let points = asked.points.into_iter().map(|point| {
            let text = |name: &str| point.payload.get(name).and_then(|value| value.as_str()).cloned().ok_or_else(strange);
            let (document, version) = version(&text("version")?)?;
            if text("document")? != document.0.simple().to_string() {
                return Err(strange());
            }
            let mut words = (vec![], vec![]);
            let mut meaning = None;
            for (name, vector) in named(point.vectors)? {
                match (name.as_str(), vector) {
                    ("words", vector::Vector::Sparse(sparse)) => words = (sparse.indices, sparse.values),
                    ("meaning", vector::Vector::Dense(dense)) => meaning = Some(dense.data),
                    _ => return Err(strange()),
                }
            }
            let scope = Scope::new(&text("tenant")?, &text("scenario")?).map_err(failed)?;
            Ok(Point { id: uuid(point.id)?, scope, document, version, words, meaning })
        });
        let points = points.collect::<Result<Vec<_>, Status>>()?;
        self.collection(&asked.collection_name)?.edge.upsert(points).await.map_err(failed)?;
        Ok(PointsOperationResponse::default())
    }

    async fn update_vectors(&self, asked: UpdatePointVectors) -> Result<PointsOperationResponse, Status> {
        waits(asked.wait)?;
        let vectors = asked.points.into_iter().map(|point| {
            let [(_, vector::Vector::Dense(dense))] = <[_; 1]>::try_from(named(point.vectors)?).map_err(|_| strange())? else {
                return Err(strange());
            };
            Ok((uuid(point.id)?, dense.data))
        });
        let vectors = vectors.collect::<Result<Vec<_>, Status>>()?;
        self.collection(&asked.collection_name)?.edge.set_meaning(vectors).await.map_err(failed)?;
        Ok(PointsOperationResponse::default())
    }

    async fn delete(&self, asked: DeletePoints) -> Result<PointsOperationResponse, Status> {
        waits(asked.wait)?;
        let Some(PointsSelectorOneOf::Filter(filter)) = asked.points.and_then(|points| points.points_selector_one_of) else {
            return Err(strange());
        };
        let (document, version) = version(&field(&filter, "version").ok_or_else(strange)?[0])?;
        self.collection(&asked.collection_name)?.edge.delete(document, version).await.map_err(failed)?;
        Ok(PointsOperationResponse::default())
    }

    async fn query(&self, asked: QueryPoints) -> Result<QueryResponse, Status> {
        let collection = self.collection(&asked.collection_name)?;
        if asked.params.is_none_or(|params| params.exact != Some(true)) {
            return Err(strange());
        }
        let Some(query::Variant::Nearest(input)) = asked.query.and_then(|query| query.variant) else { return Err(strange()) };
        let arm = match (asked.using.as_deref(), input.variant) {
            (Some("words"), Some(vector_input::Variant::Sparse(sparse))) => Arm::Words(sparse.indices, sparse.values),
            (Some("meaning"), Some(vector_input::Variant::Dense(dense))) => Arm::Meaning(dense.data),
            _ => return Err(strange()),
        };
        let filter = asked.filter.ok_or_else(strange)?;
        let one = |name| field(&filter, name).ok_or_else(strange).map(|values| values[0].clone());
        let documents = field(&filter, "document").map(|ids| ids.iter().map(|id| document(id)).collect::<Result<_, _>>());
        let hidden = Filter { must: filter.must_not.clone(), ..Filter::default() };
        let hidden = field(&hidden, "version").unwrap_or_default();
        let visible = Visible {
            scope: Scope::new(&one("tenant")?, &one("scenario")?).map_err(failed)?,
            hidden: hidden.iter().map(|key| version(key)).collect::<Result<_, _>>()?,
            documents: documents.transpose()?,
        };
        let ids = filter.must.iter().find_map(|condition| match condition.condition_one_of.as_ref()? {
            ConditionOneOf::HasId(ids) => Some(ids.has_id.clone()),
            _ => None,
        });
        let call = Call::new(visible.scope.clone(), Duration::from_secs(60));
        let found = match ids {
            Some(ids) => {
                let ids = ids.into_iter().map(|id| uuid(Some(id))).collect::<Result<Vec<_>, _>>()?;
                collection.edge.score(&call, &arm, &visible, &ids).await
            }
            None => collection.edge.search(&call, &arm, &visible, asked.limit.unwrap_or(10) as usize).await,
        };
        let mut result: Vec<ScoredPoint> = found
            .map_err(failed)?
            .into_iter()
            .map(|(id, score)| ScoredPoint { id: Some(PointId::from(id.to_string())), score, ..ScoredPoint::default() })
            .collect();
        // Ties come in any order.
        result.reverse();
        Ok(QueryResponse { result, ..QueryResponse::default() })
    }

    async fn count(&self, asked: CountPoints) -> Result<CountResponse, Status> {
        let edge = &self.collection(&asked.collection_name)?.edge;
        let filter = asked.filter.unwrap_or_default();
        let (points, vectors) = match field(&filter, "version") {
            Some(keys) => {
                let (document, version) = version(&keys[0])?;
                edge.count(document, version).await.map_err(failed)?
            }
            None => edge.total().await.map_err(failed)?,
        };
        let count = if with_vector(&filter) { vectors } else { points };
        Ok(CountResponse { result: Some(CountResult { count }), ..CountResponse::default() })
    }

    async fn facet(&self, asked: FacetCounts) -> Result<FacetResponse, Status> {
        let collection = self.collection(&asked.collection_name)?;
        if asked.exact != Some(true) || !collection.indexed.lock().unwrap().contains(&asked.key) {
            return Err(strange());
        }
        let vectors = with_vector(&asked.filter.unwrap_or_default());
        let counts = collection.edge.versions().await.map_err(failed)?;
        let hits = counts
            .into_iter()
            .map(|((document, version), (points, with))| FacetHit {
                value: Some(FacetValue {
                    variant: Some(facet_value::Variant::StringValue(format!("{}/{version}", document.0.simple()))),
                }),
                count: if vectors { with } else { points },
            })
            .filter(|hit| hit.count > 0)
            .collect();
        Ok(FacetResponse { hits, ..FacetResponse::default() })
    }
}

fn failed(error: IndexError) -> Status {
    Status::new(Code::InvalidArgument, format!("Wrong input: {error}"))
}

/// Nothing that dossier sends.
fn strange() -> Status {
    Status::invalid_argument("a request that was not expected")
}

fn waits(wait: Option<bool>) -> Result<(), Status> {
    wait.filter(|wait| *wait).map(|_| ()).ok_or_else(strange)
}

fn uuid(id: Option<PointId>) -> Result<Uuid, Status> {
    match id.and_then(|id| id.point_id_options) {
        Some(PointIdOptions::Uuid(text)) => Uuid::try_parse(&text).map_err(|_| strange()),
        _ => Err(strange()),
    }
}

fn document(key: &str) -> Result<DocumentId, Status> {
    Uuid::try_parse(key).map(DocumentId).map_err(|_| strange())
}

fn version(key: &str) -> Result<(DocumentId, u32), Status> {
    let (id, number) = key.split_once('/').ok_or_else(strange)?;
    Ok((document(id)?, number.parse().map_err(|_| strange())?))
}

fn named(vectors: Option<Vectors>) -> Result<Vec<(String, vector::Vector)>, Status> {
    let Some(VectorsOptions::Vectors(named)) = vectors.and_then(|vectors| vectors.vectors_options) else { return Err(strange()) };
    named.vectors.into_iter().map(|(name, vector)| Ok((name, vector.vector.ok_or_else(strange)?))).collect()
}

/// The values that a field must have one of.
fn field(filter: &Filter, name: &str) -> Option<Vec<String>> {
    filter.must.iter().find_map(|condition| match condition.condition_one_of.as_ref()? {
        ConditionOneOf::Field(field) if field.key == name => match field.r#match.as_ref()?.match_value.as_ref()? {
            MatchValue::Keyword(value) => Some(vec![value.clone()]),
            MatchValue::Keywords(values) => Some(values.strings.clone()),
            _ => None,
        },
        _ => None,
    })
}

fn with_vector(filter: &Filter) -> bool {
    filter.must.iter().any(|condition| matches!(condition.condition_one_of, Some(ConditionOneOf::HasVector(_))))
}
