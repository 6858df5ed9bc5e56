//! The two ways a command reaches the product: this process on the data directory, or a running server over HTTP.

use std::{sync::Arc, time::Duration};

use index::{
    corpus::{AnswerId, BatchId, Document, DocumentId},
    hit::{Hits, Query},
    scope::Call,
};
use ingest::{
    queue::{Batch, BatchItem, Item, Upload},
    source::{Content, Source},
};
use rag::{
    ask::{Answer, Ask},
    engine::Event,
    trace::Record,
    why_not::WhyNot,
};
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::{
    assemble::Service,
    cli::{Common, Failure, exit},
    config::Settings,
    scenario::Scenario,
};

/// Items accepted in one transaction: as many as share a sync, as few as fit into memory.
const AT_ONCE: (usize, usize) = (64, 32 << 20);

/// A way to the product.
pub enum Door {
    /// This process holds the data directory.
    Local(Arc<Service>),
    /// A server does.
    Remote(Remote),
}

/// A running server.
pub struct Remote {
    url: String,
    key: Option<String>,
    client: reqwest::Client,
}

/// What a server says of its readiness: the one that is named, or the one that these settings start on this machine.
pub async fn ready(common: &Common, bind: &str) -> Result<Value, Failure> {
    let own = || {
        let port = bind.rsplit_once(':').map_or("8080", |(_, port)| port);
        // A server on all addresses is asked on the nearest one.
        match bind.strip_suffix(&format!(":{port}")).filter(|host| !["0.0.0.0", "[::]"].contains(host)) {
            Some(host) => format!("http://{host}:{port}"),
            None => format!("http://127.0.0.1:{port}"),
        }
    };
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap_or_default();
    let remote = Remote::new(&common.url.clone().unwrap_or_else(own), common.key.clone(), client);
    remote.json(Method::GET, "/readyz", None).await
}

impl Door {
    /// Opens the data directory, or prepares to talk to the server.
    pub async fn open(common: &Common, settings: Settings) -> Result<Self, Failure> {
        match &common.url {
            None => {
                let service = Service::open(&common.data, settings).await?;
                // A server waits for its store; whoever typed a command is told at once.
                if service.pipeline.store_in_doubt() {
                    service.close().await;
                    let reason = "the Qdrant server cannot be reached; look at qdrant.url, or set index.store to `embedded`";
                    return Err(Failure::new(exit::UNREACHABLE, "vector_store_unavailable", reason));
                }
                Ok(Self::Local(service))
            }
            Some(url) => Ok(Self::Remote(Remote::new(url, common.key.clone(), reqwest::Client::new()))),
        }
    }

    /// Stops what was started.
    pub async fn close(&self) {
        if let Self::Local(service) = self {
            service.close().await;
        }
    }

    /// Answers a question; `on_text` gets the text as it is written.
    pub async fn ask(&self, ask: &Ask, on_text: &mut dyn FnMut(&str)) -> Result<Answer, Failure> {
        match self {
            Self::Local(service) => {
                let call = service.call(ask.scenario.as_deref().unwrap_or("default")).await?;
                let (events, mut received) = tokio::sync::mpsc::channel(64);
                let answer = async {
                    let answer = service.answer(&call, ask, Some(&events)).await;
                    drop(events);
                    answer
                };
                let watch = async {
                    while let Some(event) = received.recv().await {
                        if let Event::Delta(text) = event {
                            on_text(&text);
                        }
                    }
                };
                let (answer, ()) = tokio::join!(answer, watch);
                Ok(answer?)
            }
            Self::Remote(remote) => {
                let ask = Ask { stream: false, ..ask.clone() };
                let answer: Answer = remote.json(Method::POST, "/v1/ask", Some(json!(ask))).await?;
                on_text(&answer.text);
                Ok(answer)
            }
        }
    }

    /// A stored answer with its trace.
    pub async fn record(&self, id: AnswerId) -> Result<Option<Record>, Failure> {
        match self {
            Self::Local(service) => Ok(service.record(&service.anywhere(), id).await?),
            Self::Remote(remote) => remote.optional(&format!("/v1/answers/{id}")).await,
        }
    }

    /// Finds passages.
    pub async fn search(&self, scenario: &str, query: &Query) -> Result<Hits, Failure> {
        match self {
            Self::Local(service) => Ok(service.search(&service.call(scenario).await?, query).await?),
            Self::Remote(remote) => {
                let Query { text, mode, top_k, filters, as_of, explain } = query;
                let body = json!({
                    "query": text, "scenario": scenario, "mode": mode, "top_k": top_k, "filters": filters, "as_of": as_of,
                    "explain": explain,
                });
                remote.json(Method::POST, "/v1/search", Some(body)).await
            }
        }
    }

    /// All scenarios.
    pub async fn scenarios(&self) -> Result<Vec<Scenario>, Failure> {
        match self {
            Self::Local(service) => Ok(service.scenarios().await?),
            Self::Remote(remote) => {
                let listed: Value = remote.json(Method::GET, "/v1/scenarios", None).await?;
                remote.parse(listed["data"].clone())
            }
        }
    }

    /// One scenario.
    pub async fn scenario(&self, name: &str) -> Result<Scenario, Failure> {
        match self {
            Self::Local(service) => Ok(service.scenario(name).await?),
            Self::Remote(remote) => {
                let missing = || index::IndexError::NoScenario { name: name.into() };
                Ok(remote.optional(&scenario_path(name)?).await?.ok_or_else(missing)?)
            }
        }
    }

    /// Makes a scenario.
    pub async fn create_scenario(&self, name: &str, said: &Map<String, Value>) -> Result<Scenario, Failure> {
        match self {
            Self::Local(service) => Ok(service.create_scenario(name, said).await?),
            Self::Remote(remote) => {
                let mut body = said.clone();
                body.insert("name".into(), name.into());
                remote.json(Method::POST, "/v1/scenarios", Some(Value::Object(body))).await
            }
        }
    }

    /// Changes a scenario: a field replaces the one before, null removes it.
    pub async fn change_scenario(&self, name: &str, change: &Map<String, Value>) -> Result<Scenario, Failure> {
        match self {
            Self::Local(service) => Ok(service.change_scenario(name, change).await?),
            Self::Remote(remote) => remote.json(Method::PATCH, &scenario_path(name)?, Some(Value::Object(change.clone()))).await,
        }
    }

    /// Removes a scenario, with its documents only if that is said.
    pub async fn remove_scenario(&self, name: &str, documents: bool) -> Result<(), Failure> {
        match self {
            Self::Local(service) => Ok(service.remove_scenario(name, documents).await?),
            Self::Remote(remote) => {
                let with = if documents { "?documents=delete" } else { "" };
                match remote.delete(&format!("{}{with}", scenario_path(name)?)).await? {
                    true => Ok(()),
                    false => Err(index::IndexError::NoScenario { name: name.into() }.into()),
                }
            }
        }
    }

    /// Why a query does not find a document; `None` if there is no such document.
    pub async fn why_not(&self, scenario: &str, query: &Query, id: DocumentId) -> Result<Option<WhyNot>, Failure> {
        match self {
            Self::Local(service) => Ok(service.why_not(&service.call(scenario).await?, query, id).await?),
            Self::Remote(remote) => {
                let body = json!({ "question": query.text, "top_k": query.top_k });
                let path = format!("/v1/scenarios/{scenario}/documents/{id}/why-not");
                match remote.json(Method::POST, &path, Some(body)).await {
                    Err(failure) if failure.code == "not_found" => Ok(None),
                    why => why.map(Some),
                }
            }
        }
    }

    /// All documents of a scenario.
    pub async fn documents(&self, scenario: &str) -> Result<Vec<Document>, Failure> {
        let mut documents = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let (data, next) = match self {
                Self::Local(service) => {
                    let listed = service.catalog.documents(&service.call(scenario).await?, cursor.as_deref(), 200).await?;
                    (listed.data, listed.next_cursor)
                }
                Self::Remote(remote) => {
                    let from = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
                    let page: Value =
                        remote.json(Method::GET, &format!("/v1/scenarios/{scenario}/documents?limit=200{from}"), None).await?;
                    (remote.parse(page["data"].clone())?, page["next_cursor"].as_str().map(str::to_owned))
                }
            };
            documents.extend(data);
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(documents),
            }
        }
    }

    /// One document.
    pub async fn document(&self, scenario: &str, id: DocumentId) -> Result<Option<Document>, Failure> {
        match self {
            Self::Local(service) => Ok(service.catalog.document(&service.call(scenario).await?, id).await?),
            Self::Remote(remote) => remote.optional(&format!("/v1/scenarios/{scenario}/documents/{id}")).await,
        }
    }

    /// The passages of a document, as the API shows them.
    pub async fn passages(&self, scenario: &str, id: DocumentId) -> Result<Option<Vec<Value>>, Failure> {
        match self {
            Self::Local(service) => {
                let Some(document) = service.catalog.document(&service.call(scenario).await?, id).await? else { return Ok(None) };
                let passages = service.catalog.passages(id, document.version, 0, i32::MAX as usize).await?;
                Ok(Some(passages.iter().map(|passage| json!(passage)).collect()))
            }
            Self::Remote(remote) => {
                let mut passages = Vec::new();
                let mut path = format!("/v1/scenarios/{scenario}/documents/{id}/passages?limit=200");
                while let Some(page) = remote.optional::<Value>(&path).await? {
                    passages.extend(page["data"].as_array().cloned().unwrap_or_default());
                    match page["next_cursor"].as_str() {
                        Some(next) => path = format!("/v1/scenarios/{scenario}/documents/{id}/passages?limit=200&cursor={next}"),
                        None => return Ok(Some(passages)),
                    }
                }
                Ok(None)
            }
        }
    }

    /// Deletes a document; `false` if there is none.
    pub async fn delete(&self, scenario: &str, id: DocumentId) -> Result<bool, Failure> {
        match self {
            Self::Local(service) => Ok(service.pipeline.delete(&service.call(scenario).await?, id).await?),
            Self::Remote(remote) => remote.delete(&format!("/v1/scenarios/{scenario}/documents/{id}")).await,
        }
    }

    /// The indexes there are.
    pub async fn generations(&self) -> Result<Value, Failure> {
        match self {
            Self::Local(service) => Ok(json!({ "data": index::generation::list(service.catalog.db()).await? })),
            Self::Remote(remote) => remote.json(Method::GET, "/v1/admin/index", None).await,
        }
    }

    /// Lets an index answer: the one of this name (empty: built last), or the one before.
    pub async fn switch(&self, name: Option<String>) -> Result<Value, Failure> {
        match (self, name) {
            (Self::Local(service), Some(name)) => Ok(json!(service.promote(&name).await?)),
            (Self::Local(service), None) => Ok(json!(service.roll_back().await?)),
            (Self::Remote(remote), Some(name)) => {
                remote.json(Method::POST, "/v1/admin/index/promote", Some(json!({ "name": name }))).await
            }
            (Self::Remote(remote), None) => remote.json(Method::POST, "/v1/admin/index/rollback", Some(json!({}))).await,
        }
    }

    /// Opens a batch.
    pub async fn open_batch(&self, scenario: &str) -> Result<BatchId, Failure> {
        match self {
            Self::Local(service) => Ok(service.pipeline.queue().open_batch(&service.call(scenario).await?).await?),
            Self::Remote(remote) => {
                let batch: Batch = remote.json(Method::POST, "/v1/batches", Some(json!({ "scenario": scenario }))).await?;
                Ok(batch.id)
            }
        }
    }

    /// Takes sources in, durably, under an open batch.
    pub async fn ingest(&self, scenario: &str, batch: BatchId, sources: Vec<Source>) -> Result<(), Failure> {
        let limit = match self {
            Self::Local(service) => service.settings.server.max_upload,
            Self::Remote(_) => u64::MAX,
        };
        let (mut items, mut bytes) = (Vec::new(), 0);
        let count = sources.len();
        for (at, source) in sources.into_iter().enumerate() {
            let item = item(source, limit);
            bytes += item.upload.as_ref().map_or(0, |upload| upload.bytes.len());
            items.push(item);
            if items.len() == AT_ONCE.0 || bytes >= AT_ONCE.1 || at + 1 == count {
                self.accept(scenario, batch, std::mem::take(&mut items)).await?;
                bytes = 0;
            }
        }
        Ok(())
    }

    async fn accept(&self, scenario: &str, batch: BatchId, items: Vec<Item>) -> Result<(), Failure> {
        match self {
            Self::Local(service) => {
                service.pipeline.accept(&service.call(scenario).await?, batch, items).await?;
                Ok(())
            }
            Self::Remote(remote) => remote.upload(batch, items).await,
        }
    }

    /// A batch.
    pub async fn batch(&self, scenario: &str, id: BatchId) -> Result<Option<Batch>, Failure> {
        match self {
            Self::Local(service) => Ok(service.pipeline.batch(&service.call(scenario).await?, id).await?),
            Self::Remote(remote) => remote.optional(&format!("/v1/batches/{id}")).await,
        }
    }

    /// All items of a batch.
    pub async fn items(&self, _scenario: &str, id: BatchId) -> Result<Vec<BatchItem>, Failure> {
        match self {
            Self::Local(service) => Ok(service.pipeline.queue().items(id, 0, i32::MAX as usize).await?),
            Self::Remote(remote) => {
                let mut items = Vec::new();
                let mut path = format!("/v1/batches/{id}/items?limit=200");
                loop {
                    let page: Value = remote.json(Method::GET, &path, None).await?;
                    items.extend(remote.parse::<Vec<BatchItem>>(page["data"].clone())?);
                    match page["next_cursor"].as_str() {
                        Some(next) => path = format!("/v1/batches/{id}/items?limit=200&cursor={next}"),
                        None => return Ok(items),
                    }
                }
            }
        }
    }
}

impl Service {
    /// Finds passages, as an answer in the call's scenario would.
    pub async fn search(&self, call: &Call, query: &Query) -> Result<Hits, rag::RagError> {
        self.engine.search(call, self.pack(call).await?.as_deref(), query).await
    }

    /// Why a query does not find a document; `None` if there is no such document.
    pub async fn why_not(&self, call: &Call, query: &Query, id: DocumentId) -> Result<Option<WhyNot>, rag::RagError> {
        self.engine.why_not(call, self.pack(call).await?.as_deref(), query, id).await
    }

    /// Answers a question and stores the answer.
    pub async fn answer(
        &self,
        call: &Call,
        ask: &Ask,
        events: Option<&tokio::sync::mpsc::Sender<Event>>,
    ) -> Result<Answer, rag::RagError> {
        let terms = self.terms(call).await?;
        let (answer, trace) = self.engine.traced(call, &terms, ask, events).await?;
        self.catalog.store_answer(call, answer.id, &ask.question, &answer, &trace).await?;
        Ok(answer)
    }

    /// A stored answer with everything that is known about it.
    pub async fn record(&self, call: &Call, id: AnswerId) -> Result<Option<Record>, index::IndexError> {
        let Some(stored) = self.catalog.answer(call, id).await? else { return Ok(None) };
        let unreadable =
            |e: serde_json::Error| index::IndexError::DataDamaged { reason: format!("a stored answer cannot be read: {e}") };
        Ok(Some(Record {
            answer: serde_json::from_value(stored.answer).map_err(unreadable)?,
            scenario: stored.scenario,
            question: stored.question,
            trace: serde_json::from_value(stored.trace).map_err(unreadable)?,
            feedback: stored.feedback,
        }))
    }
}

/// The address of a scenario; a name that is none has no address.
fn scenario_path(name: &str) -> Result<String, index::IndexError> {
    index::scope::Scope::of_scenario(name).map(|scope| format!("/v1/scenarios/{}", scope.scenario()))
}

/// What a source holds, read; or why it cannot be read.
fn item(source: Source, limit: u64) -> Item {
    let bytes = source.read(limit);
    let path = match &source.content {
        Content::Path(path) => Some(crate::cli::identity(path)),
        // What has no file of its own is known by its name: the archive or list and the place in it.
        Content::Entry(..) => Some(source.name.clone()),
        Content::Bytes(_) | Content::Invalid(_) => None,
    };
    let name = source.name.clone();
    let upload = bytes.map(|bytes| Upload {
        name: source.name,
        external_id: source.external_id,
        path,
        title: source.title,
        language: source.language,
        metadata: source.metadata,
        facts: source.facts,
        bytes,
    });
    Item { name, upload }
}

impl Remote {
    fn new(url: &str, key: Option<String>, client: reqwest::Client) -> Self {
        Self { url: url.trim_end_matches('/').into(), key, client }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, Failure> {
        request.send().await.map_err(|error| {
            let reason = if error.is_connect() { "no connection could be made".into() } else { error.without_url().to_string() };
            Failure::new(exit::UNREACHABLE, "unreachable", format!("the server at {} cannot be reached: {reason}", self.url))
        })
    }

    /// A problem of the server as this command's failure.
    async fn checked(&self, response: reqwest::Response) -> Result<reqwest::Response, Failure> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let problem: Value = response.json().await.unwrap_or_default();
        let detail = problem["detail"].as_str().map_or_else(|| format!("the server answered {status}"), str::to_owned);
        let exit = match status.as_u16() {
            400..=428 => exit::USAGE,
            502..=504 => exit::UNREACHABLE,
            _ => exit::FAILED,
        };
        Err(Failure::new(exit, problem["code"].as_str().unwrap_or("http"), detail))
    }

    async fn json<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<Value>) -> Result<T, Failure> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = self.checked(self.send(request).await?).await?;
        self.parse(response.json().await.unwrap_or_default())
    }

    async fn optional<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        let response = self.send(self.request(Method::GET, path)).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let response = self.checked(response).await?;
        self.parse(response.json().await.unwrap_or_default()).map(Some)
    }

    async fn delete(&self, path: &str) -> Result<bool, Failure> {
        let response = self.send(self.request(Method::DELETE, path)).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        self.checked(response).await.map(|_| true)
    }

    fn parse<T: DeserializeOwned>(&self, value: Value) -> Result<T, Failure> {
        serde_json::from_value(value).map_err(|e| {
            Failure::new(
                exit::FAILED,
                "other_version",
                format!("the server at {} sent something this program does not know: {e}", self.url),
            )
        })
    }

    /// Sends items to an open batch, one request for all of them.
    async fn upload(&self, batch: BatchId, items: Vec<Item>) -> Result<(), Failure> {
        let mut form = reqwest::multipart::Form::new();
        for item in items {
            match item.upload {
                Ok(upload) => {
                    let about = json!({
                        "external_id": upload.external_id, "path": upload.path, "title": upload.title,
                        "language": upload.language, "metadata": upload.metadata, "facts": upload.facts,
                    });
                    form = form.text("about", about.to_string());
                    form = form.part("file", reqwest::multipart::Part::bytes(upload.bytes).file_name(upload.name));
                }
                Err(error) => eprintln!("dossier: {}: {error}", item.name),
            }
        }
        self.checked(self.send(self.request(Method::POST, &format!("/v1/batches/{batch}/items")).multipart(form)).await?).await?;
        Ok(())
    }
}
