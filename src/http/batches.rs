//! Batches: many files in one request, and how far they are.

use std::time::Duration;

use actix_web::{HttpMessage, HttpRequest, HttpResponse, get, post, web};
use index::{corpus::BatchId, scope::Call};
use ingest::{
    IngestError,
    queue::{Batch, BatchItem, Item, Upload},
};
use serde::{Deserialize, Serialize};

use super::{
    Permit, RequestId, State,
    body::{self, About, Form, Part, Received, SMALL, unknown_part},
    documents::{Paging, checked, path, position},
    problem::{Problem, ProblemDocument},
    sse::{self, Gone, Sink},
};

/// Files taken in with one sync of the disk: as many, and as many bytes, as fit into memory.
const AT_ONCE: (usize, u64) = (64, 32 << 20);
/// How often a batch is looked at while somebody follows it.
const LOOK: Duration = Duration::from_millis(500);

/// An empty batch, to be filled by `POST /v1/batches/{id}/items`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBatch {
    /// The scenario; `default` if absent.
    #[serde(default)]
    scenario: Option<String>,
}

/// Many files as a form.
#[derive(utoipa::ToSchema)]
#[allow(dead_code)] // describes the form
pub struct Files {
    /// The scenario, before the first file; `default` if absent.
    scenario: Option<String>,
    /// A JSON object about the next file: `external_id`, `path`, `title`, `language`, `metadata`, `facts`.
    about: Option<String>,
    /// A file with its name; as often as you like.
    #[schema(value_type = Vec<String>, format = Binary)]
    file: Vec<Vec<u8>>,
}

/// Take many files in
///
/// As a multipart form with parts `file`, or as JSON without files, to be filled by further requests. A file that cannot be taken in is a failed item; the others go on.
#[utoipa::path(tag = "batches", request_body(content((Files = "multipart/form-data"), (NewBatch = "application/json"))), responses(
    (status = 202, description = "They are in the queue", body = Batch),
    (status = "4XX", description = "They cannot be taken in", body = ProblemDocument, content_type = "application/problem+json")))]
#[post("/v1/batches")]
pub async fn create_batch(state: web::Data<State>, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let queue = state.service.pipeline.queue();
    if body::is_json(&request) {
        let new: NewBatch = body::json(&request, payload, SMALL).await?;
        let call = state.call(new.scenario.as_deref()).await?;
        let id = queue.open_batch(&call).await?;
        return batch_response(&state, &call, id).await;
    }
    let mut form = form(&state, &request, payload)?;
    let mut part = form.next().await?;
    let mut scenario = None;
    if let Some(Part::Text(name, text)) = &part
        && name == "scenario"
    {
        scenario = Some(text.clone());
        part = form.next().await?;
    }
    let call = state.call(scenario.as_deref()).await?;
    let id = queue.open_batch(&call).await?;
    if take_in(&state, &call, id, part, form).await? == 0 {
        return Err(Problem::new("invalid_request", "there is no part `file`"));
    }
    batch_response(&state, &call, id).await
}

/// Add files to a batch
#[utoipa::path(tag = "batches", params(("id" = String, Path)), request_body(content((Files = "multipart/form-data"))), responses(
    (status = 202, description = "They are in the queue", body = Batch), (status = 404, description = "There is no such thing", body = ProblemDocument, content_type = "application/problem+json")))]
#[post("/v1/batches/{id}/items")]
pub async fn add_items(
    state: web::Data<State>,
    id: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (call, batch) = find(&state, &id).await?;
    let mut form = form(&state, &request, payload)?;
    let part = form.next().await?;
    take_in(&state, &call, batch.id, part, form).await?;
    batch_response(&state, &call, batch.id).await
}

fn form(state: &State, request: &HttpRequest, payload: web::Payload) -> Result<Form, Problem> {
    if !body::is_form(request) {
        return Err(Problem::new("unsupported_media_type", "send a multipart/form-data with parts `file`"));
    }
    Ok(Form::new(request, payload, state.service.settings.server.max_upload))
}

async fn batch_response(state: &State, call: &Call, id: BatchId) -> Result<HttpResponse, Problem> {
    let batch = state.service.pipeline.batch(call, id).await?.ok_or_else(Problem::not_found)?;
    Ok(HttpResponse::Accepted().json(batch))
}

/// Takes the files of a form in, group by group; returns how many there were.
async fn take_in(state: &State, call: &Call, batch: BatchId, mut part: Option<Part>, mut form: Form) -> Result<usize, Problem> {
    let (mut about, mut waiting, mut bytes, mut count) = (None, Vec::new(), 0, 0);
    while let Some(received) = part {
        match received {
            Part::Text(name, text) if name == "about" => about = Some(body::parse::<About>(text.as_bytes())?),
            Part::Text(name, _) => {
                return Err(unknown_part(&name, "about, file (and scenario as the first part of a new batch)"));
            }
            Part::File(file) => {
                bytes += if file.too_large { 0 } else { file.size };
                waiting.push((about.take().unwrap_or_default(), file));
                count += 1;
                if waiting.len() >= AT_ONCE.0 || bytes >= AT_ONCE.1 {
                    accept(state, call, batch, std::mem::take(&mut waiting)).await?;
                    bytes = 0;
                }
            }
        }
        part = form.next().await?;
    }
    accept(state, call, batch, waiting).await?;
    Ok(count)
}

async fn accept(state: &State, call: &Call, batch: BatchId, files: Vec<(About, Received)>) -> Result<(), Problem> {
    if files.is_empty() {
        return Ok(());
    }
    let _memory = state.memory().await?;
    let limit = state.service.settings.server.max_upload;
    let mut items = Vec::with_capacity(files.len());
    for (about, file) in files {
        let name = file.name.clone();
        let upload = match file.too_large {
            true => Err(IngestError::TooLarge { name: name.clone(), bytes: file.size, limit }),
            false => Ok(Upload {
                path: about.path.or_else(|| path(&name)),
                name: name.clone(),
                external_id: about.external_id,
                title: about.title,
                language: about.language,
                metadata: about.metadata,
                facts: checked(&about.facts)?,
                bytes: file.bytes().await?,
            }),
        };
        items.push(Item { name, upload });
    }
    state.accept(call, batch, items).await.map(|_| ())
}

/// A batch of the tenant, in whichever of its scenarios.
async fn find(state: &State, id: &str) -> Result<(Call, Batch), Problem> {
    let id: BatchId = id.parse().map_err(|_| Problem::not_found())?;
    let pipeline = &state.service.pipeline;
    let call = state.service.anywhere();
    if let Some(batch) = pipeline.batch(&call, id).await? {
        return Ok((call, batch));
    }
    for row in state.service.catalog.scenarios(&call).await? {
        let call = state.service.call(&row.name).await?;
        if let Some(batch) = pipeline.batch(&call, id).await? {
            return Ok((call, batch));
        }
    }
    Err(Problem::not_found())
}

/// How far a batch is
#[utoipa::path(tag = "batches", params(("id" = String, Path)), responses(
    (status = 200, description = "The batch", body = Batch), (status = 404, description = "There is no such thing", body = ProblemDocument, content_type = "application/problem+json")))]
#[get("/v1/batches/{id}")]
pub async fn show_batch(state: web::Data<State>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(find(&state, &id).await?.1))
}

/// A part of the list of items.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Items {
    data: Vec<BatchItem>,
    /// Where the next part starts; null on the last.
    next_cursor: Option<String>,
}

/// The items of a batch
#[utoipa::path(tag = "batches", params(("id" = String, Path), Paging), responses(
    (status = 200, description = "Items in order", body = Items), (status = 404, description = "There is no such thing", body = ProblemDocument, content_type = "application/problem+json")))]
#[get("/v1/batches/{id}/items")]
pub async fn list_items(state: web::Data<State>, id: web::Path<String>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (_, batch) = find(&state, &id).await?;
    let paging: Paging = body::query(&request)?;
    let (from, limit) = (position(paging.cursor.as_deref())?, body::limit(paging.limit)?);
    let mut data = state.service.pipeline.queue().items(batch.id, from as usize, limit + 1).await?;
    let next_cursor = (data.len() > limit).then(|| (from as usize + limit).to_string());
    data.truncate(limit);
    Ok(HttpResponse::Ok().json(Items { data, next_cursor }))
}

/// Follow a batch
///
/// Server-sent events: `batch.progress` whenever something changed, then `batch.completed`, both with the batch as data.
#[utoipa::path(tag = "batches", params(("id" = String, Path)), responses(
    (status = 200, description = "The events", body = String, content_type = "text/event-stream"),
    (status = 404, description = "There is no such thing", body = ProblemDocument, content_type = "application/problem+json")))]
#[get("/v1/batches/{id}/events")]
pub async fn follow_batch(state: web::Data<State>, id: web::Path<String>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (call, batch) = find(&state, &id).await?;
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let permit = request.extensions().get::<Permit>().cloned();
    let state = state.into_inner();
    let runtime = state.runtime.clone();
    Ok(sse::response(&runtime, move |mut sink| async move {
        let _permit = permit;
        let problem = tokio::select! {
            followed = follow(&state, &call, batch.id, &mut sink) => match followed {
                Ok(()) | Err(Stop::Gone) => return,
                Err(Stop::Problem(problem)) => problem,
            },
            () = super::stopped(state.stopping.clone()) => Problem::passing("server_shutting_down", "the server is shutting down; the batch goes on at its next start"),
        };
        sink.send("error", &problem.document(&id)).await.unwrap_or(());
    }))
}

enum Stop {
    Gone,
    Problem(Problem),
}

impl From<Gone> for Stop {
    fn from(Gone: Gone) -> Self {
        Self::Gone
    }
}

async fn follow(state: &State, call: &Call, id: BatchId, sink: &mut Sink) -> Result<(), Stop> {
    let mut told = String::new();
    loop {
        let batch = state.service.pipeline.batch(call, id).await.map_err(|e| Stop::Problem(e.into()))?;
        let Some(batch) = batch else { return Err(Stop::Problem(Problem::not_found())) };
        let now = format!("{:?} {} {:.2}", sorted(&batch), batch.pages, batch.progress);
        if now != told || batch.done {
            sink.send("batch.progress", &batch).await?;
            told = now;
        }
        if batch.done {
            return Ok(sink.send("batch.completed", &batch).await?);
        }
        let look = tokio::time::sleep(LOOK);
        tokio::pin!(look);
        loop {
            tokio::select! {
                () = &mut look => break,
                pinged = sink.ping() => pinged?,
            }
        }
    }
}

fn sorted(batch: &Batch) -> Vec<(&String, &u32)> {
    let mut counts: Vec<_> = batch.counts.iter().collect();
    counts.sort();
    counts
}
