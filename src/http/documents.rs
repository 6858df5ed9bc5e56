//! Documents of a scenario: taking one in, looking at it, its pages, its passages, its original; changing and deleting it.

use std::collections::HashMap;

use actix_web::{
    HttpRequest, HttpResponse,
    body::SizedStream,
    delete, get,
    http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ContentEncoding},
    patch, post, web,
};
use index::{
    corpus::{BatchId, Document, DocumentId, PageRef, PassageId, PassageKind},
    hit::{Filters, Mode, Query},
    page::{BlockKind, Page, Region},
    scope::Call,
};
use ingest::{
    enrich::given,
    queue::{Accepted, Batch, Change, Item, Upload},
    sniff,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::io::AsyncReadExt;

use super::{
    State,
    body::{self, Form, Part, SMALL, unknown_part},
    problem::{Problem, ProblemDocument},
};

/// A document as text.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TextDocument {
    /// Markdown or plain text.
    text: String,
    /// Its title; else it is read from the text.
    #[serde(default)]
    title: Option<String>,
    /// Your own id: the same id is the same document.
    #[serde(default)]
    external_id: Option<String>,
    /// What you say about it; filters look here.
    #[serde(default)]
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    /// Its language; else it is told from the text.
    #[serde(default)]
    language: Option<String>,
}

/// A document as a form.
#[derive(utoipa::ToSchema)]
#[allow(dead_code)] // describes the form
pub struct FileDocument {
    /// The file with its name. A name with folders is the document's path: the same path is the same document.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// A JSON object.
    metadata: Option<String>,
    /// Its title.
    title: Option<String>,
    /// Your own id.
    external_id: Option<String>,
    /// Its language.
    language: Option<String>,
}

/// What became of an upload.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Uploaded {
    document: Document,
    batch: Batch,
    /// The document has these bytes already: nothing is done again.
    unchanged: bool,
}

/// Take a document in
///
/// As a multipart form with a part `file`, or as JSON with the text. It is durable when the answer comes; reading it takes a while: follow its status.
#[utoipa::path(tag = "documents", params(("scenario" = String, Path, description = "The scenario")),
    request_body(content((TextDocument = "application/json"), (FileDocument = "multipart/form-data"))),
    responses((status = 202, description = "It is in the queue", body = Uploaded), (status = 200, description = "The same bytes were there already", body = Uploaded),
        (status = "4XX", description = "It cannot be taken in", body = ProblemDocument, content_type = "application/problem+json")))]
#[post("/v1/scenarios/{scenario}/documents")]
pub async fn add_document(
    state: web::Data<State>,
    scenario: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let call = state.call(Some(&scenario)).await?;
    let limit = state.service.settings.server.max_upload;
    let upload = if body::is_form(&request) {
        from_form(&state, Form::new(&request, payload, limit)).await?
    } else if body::is_json(&request) {
        from_text(body::json(&request, payload, limit).await?)
    } else {
        return Err(Problem::new(
            "unsupported_media_type",
            "send a multipart/form-data with a part `file`, or application/json with `text`",
        ));
    };
    let upload = web::block(move || readable(upload)).await.map_err(Problem::internal)??;
    let batch = state.service.pipeline.queue().open_batch(&call).await?;
    let item = Item { name: upload.name.clone(), upload: Ok(upload) };
    let accepted = state.accept(&call, batch, vec![item]).await?;
    let (id, unchanged) = match accepted.into_iter().next() {
        Some(Accepted::Queued(id)) => (id, false),
        Some(Accepted::Unchanged(id)) => (id, true),
        Some(Accepted::Failed(failure)) => {
            return Err(Problem::internal(format!("an upload that was checked was not accepted: {}", failure.code)));
        }
        None => return Err(Problem::internal("an upload got lost")),
    };
    let document = state.service.catalog.document(&call, id).await?.ok_or_else(Problem::not_found)?;
    let batch = state.service.pipeline.queue().batch(&call, batch).await?.ok_or_else(Problem::not_found)?;
    let mut response = if unchanged { HttpResponse::Ok() } else { HttpResponse::Accepted() };
    Ok(response.json(Uploaded { document, batch, unchanged }))
}

fn from_text(document: TextDocument) -> Upload {
    let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let (title, external_id) = (filled(document.title), filled(document.external_id));
    Upload {
        name: title.clone().or(external_id.clone()).unwrap_or_else(|| "text".into()),
        external_id,
        path: None,
        title,
        language: filled(document.language),
        metadata: document.metadata,
        facts: Map::new(),
        bytes: document.text.into_bytes(),
    }
}

async fn from_form(state: &State, mut form: Form) -> Result<Upload, Problem> {
    let (mut file, mut upload) = (None, Upload::default());
    while let Some(part) = form.next().await? {
        match part {
            Part::File(_) if file.is_some() => {
                return Err(Problem::new("invalid_request", "there are two parts `file`; send many files to /v1/batches"));
            }
            Part::File(received) => file = Some(received),
            Part::Text(name, text) => match name.as_str() {
                "metadata" => upload.metadata = body::parse(text.as_bytes())?,
                "title" => upload.title = Some(text).filter(|text| !text.trim().is_empty()),
                "external_id" => upload.external_id = Some(text).filter(|text| !text.is_empty()),
                "language" => upload.language = Some(text).filter(|text| !text.trim().is_empty()),
                name => return Err(unknown_part(name, "file, metadata, title, external_id, language")),
            },
        }
    }
    let Some(file) = file else { return Err(Problem::new("invalid_request", "there is no part `file`")) };
    if file.too_large {
        let limit = state.service.settings.server.max_upload;
        return Err(ingest::IngestError::TooLarge { name: file.name, bytes: file.size, limit }.into());
    }
    upload.name = file.name.clone();
    upload.path = path(&file.name);
    let _memory = state.memory().await?;
    upload.bytes = file.bytes().await?;
    Ok(upload)
}

/// A name with folders says which file it is; a bare name does not: two reports may both be called `report.pdf`.
pub fn path(name: &str) -> Option<String> {
    name.contains('/').then(|| name.to_owned())
}

/// What no parser reads is told at once instead of becoming a failed document.
fn readable(upload: Upload) -> Result<Upload, Problem> {
    sniff::sniff(&upload.bytes, &upload.name)?;
    Ok(upload)
}

/// Which part of a list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// How many, 1 to 200; 50 if absent.
    pub limit: Option<usize>,
    /// `next_cursor` of the part before.
    pub cursor: Option<String>,
}

/// A part of the list of documents.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Documents {
    data: Vec<Document>,
    /// Where the next part starts; null on the last.
    next_cursor: Option<String>,
}

/// List documents
#[utoipa::path(tag = "documents", params(("scenario" = String, Path, description = "The scenario"), Paging),
    responses((status = 200, description = "Documents, oldest first", body = Documents)))]
#[get("/v1/scenarios/{scenario}/documents")]
pub async fn list_documents(
    state: web::Data<State>,
    scenario: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let call = state.call(Some(&scenario)).await?;
    let paging: Paging = body::query(&request)?;
    let cursor = paging.cursor.as_deref();
    let valid = |cursor: &str| cursor.split_once('-').is_some_and(|(time, id)| time.parse::<i64>().is_ok() && id.len() == 32);
    if !cursor.is_none_or(valid) {
        return Err(invalid_cursor());
    }
    let listed = state.service.catalog.documents(&call, cursor, body::limit(paging.limit)?).await?;
    Ok(HttpResponse::Ok().json(Documents { data: listed.data, next_cursor: listed.next_cursor }))
}

fn invalid_cursor() -> Problem {
    Problem::new("invalid_cursor", "the cursor is not one of this list; take `next_cursor` of the part before, or leave it out")
}

/// A cursor that is a position.
pub fn position(cursor: Option<&str>) -> Result<u32, Problem> {
    cursor.map_or(Ok(0), |cursor| cursor.parse().map_err(|_| invalid_cursor()))
}

/// A document of a scenario, by the two names in the path.
async fn find(state: &State, scenario: &str, id: &str) -> Result<(Call, Document), Problem> {
    let call = state.call(Some(scenario)).await?;
    let id: DocumentId = id.parse().map_err(|_| Problem::not_found())?;
    let document = state.service.catalog.document(&call, id).await?.ok_or_else(Problem::not_found)?;
    Ok((call, document))
}

/// Look at a document
#[utoipa::path(tag = "documents", params(("scenario" = String, Path), ("id" = String, Path)), responses(
    (status = 200, description = "The document, with status, stage and progress", body = Document),
    (status = 404, description = "There is no such thing", body = ProblemDocument, content_type = "application/problem+json")))]
#[get("/v1/scenarios/{scenario}/documents/{id}")]
pub async fn show_document(state: web::Data<State>, path: web::Path<(String, String)>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(find(&state, &path.0, &path.1).await?.1))
}

/// What to change.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// A new title.
    #[serde(default)]
    title: Option<String>,
    /// Replaces all of the metadata.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    /// Replaces all labels: at most 50 texts of at most 100 characters.
    #[serde(default)]
    labels: Option<Vec<String>>,
    /// What it is, over what was read: `company`, `aliases`, `ticker`, `kind`, `form`, `period`, `date`, `currency`, `scale`,
    /// `language`. Null takes back what was said.
    #[serde(default)]
    #[schema(value_type = Object)]
    facts: Map<String, Value>,
}

/// Facts that are said, in the form in which they are kept.
pub fn checked(facts: &Map<String, Value>) -> Result<Map<String, Value>, Problem> {
    given::check(facts).map_err(|wrong| Problem::new("invalid_request", wrong.join("; ")))
}

/// Change title, metadata, labels or facts
///
/// It takes effect at once and nothing is read again.
#[utoipa::path(tag = "documents", params(("scenario" = String, Path), ("id" = String, Path)), request_body = Description, responses(
    (status = 200, description = "The document as it is now", body = Document),
    (status = 404, description = "There is no such thing", body = ProblemDocument, content_type = "application/problem+json")))]
#[patch("/v1/scenarios/{scenario}/documents/{id}")]
pub async fn change_document(
    state: web::Data<State>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (call, document) = find(&state, &path.0, &path.1).await?;
    let change: Description = body::json(&request, payload, SMALL).await?;
    if change.title.as_deref().is_some_and(|title| title.trim().is_empty()) {
        return Err(Problem::new("invalid_request", "the title is empty"));
    }
    let fits = |labels: &Vec<String>| labels.len() <= 50 && labels.iter().all(|l| (1..=100).contains(&l.trim().chars().count()));
    if change.labels.as_ref().is_some_and(|labels| !fits(labels)) {
        return Err(Problem::new("invalid_request", "labels must be at most 50 texts of 1 to 100 characters"));
    }
    let facts = checked(&change.facts)?;
    let change = Change { title: change.title, metadata: change.metadata, labels: change.labels, facts };
    state.service.pipeline.queue().change(&call, document.id, &change).await?;
    let document = state.service.catalog.document(&call, document.id).await?.ok_or_else(Problem::not_found)?;
    Ok(HttpResponse::Ok().json(document))
}

/// Delete a document
///
/// It is out of every answer when the response comes.
#[utoipa::path(tag = "documents", params(("scenario" = String, Path), ("id" = String, Path)), responses(
    (status = 204, description = "It is gone"), (status = 404, description = "There is no such thing", body = ProblemDocument, content_type = "application/problem+json")))]
#[delete("/v1/scenarios/{scenario}/documents/{id}")]
pub async fn delete_document(state: web::Data<State>, path: web::Path<(String, String)>) -> Result<HttpResponse, Problem> {
    let (call, document) = find(&state, &path.0, &path.1).await?;
    match state.service.pipeline.delete(&call, document.id).await? {
        true => Ok(HttpResponse::NoContent().finish()),
        false => Err(Problem::not_found()),
    }
}

/// The original file
#[utoipa::path(tag = "documents", params(("scenario" = String, Path), ("id" = String, Path)), responses(
    (status = 200, description = "The bytes as they came, as an attachment", content_type = "application/octet-stream"),
    (status = 404, description = "There is no such thing", body = ProblemDocument, content_type = "application/problem+json")))]
#[get("/v1/scenarios/{scenario}/documents/{id}/content")]
pub async fn get_content(state: web::Data<State>, path: web::Path<(String, String)>) -> Result<HttpResponse, Problem> {
    let (call, document) = find(&state, &path.0, &path.1).await?;
    let (hash, name) =
        state.service.catalog.original(&call, document.id, document.version).await?.ok_or_else(Problem::not_found)?;
    let failed = |e: std::io::Error| Problem::of(&index::IndexError::from_io("original file".into(), e));
    let file = tokio::fs::File::open(state.service.pipeline.original(&hash)).await.map_err(failed)?;
    let size = file.metadata().await.map_err(failed)?.len();
    let chunks = futures::stream::try_unfold(file, |mut file| async move {
        let mut chunk = vec![0; 64 << 10];
        let read = file.read(&mut chunk).await?;
        chunk.truncate(read);
        Ok::<_, std::io::Error>((read > 0).then(|| (web::Bytes::from(chunk), file)))
    });
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, document.media_type))
        .insert_header((CONTENT_DISPOSITION, attachment(&name)))
        // Whatever it holds, nothing of it runs here.
        .insert_header((CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
        .insert_header(ContentEncoding::Identity)
        .body(SizedStream::new(size, Box::pin(chunks))))
}

/// A name for the file on the caller's side, in ASCII and in full.
fn attachment(name: &str) -> String {
    let file = name.rsplit('/').next().unwrap_or(name);
    let plain: String =
        file.chars().map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ' { c } else { '_' }).collect();
    let full: String = file
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() || b"-._~".contains(&b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{full}")
}

/// The document that a page or passage belongs to.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Reference {
    id: DocumentId,
    external_id: Option<String>,
    title: String,
    version: u32,
}

/// A stored page. Offsets count Unicode code points of `text`, boxes are fractions of the page with the origin top left.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PageView {
    document: Reference,
    /// The page as a reader knows it; null where the format has none.
    page: Option<PageRef>,
    /// Its place among the stored parts, from 1.
    part: u32,
    /// How many stored parts there are.
    parts: u32,
    /// In points; 0 where the format has no pages.
    width: f32,
    /// In points.
    height: f32,
    text: String,
    words: Vec<WordView>,
    blocks: Vec<BlockView>,
}

/// A word and its box.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WordView {
    start: u32,
    end: u32,
    rect: [f32; 4],
}

/// A piece of the text and its role.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct BlockView {
    start: u32,
    end: u32,
    /// `heading`, `paragraph`, `list_item`, `table`, `caption`, `footnote` or `furniture`.
    kind: &'static str,
    /// Of a heading; 1 is the highest.
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<u8>,
}

/// A page's text with its word boxes
#[utoipa::path(tag = "documents", params(("scenario" = String, Path), ("id" = String, Path), ("n" = String, Path, description = "The stored part, from 1")), responses(
    (status = 200, description = "The page", body = PageView), (status = 404, description = "There is no such thing", body = ProblemDocument, content_type = "application/problem+json")))]
#[get("/v1/scenarios/{scenario}/documents/{id}/pages/{n}")]
pub async fn get_page(state: web::Data<State>, path: web::Path<(String, String, String)>) -> Result<HttpResponse, Problem> {
    let (call, document) = find(&state, &path.0, &path.1).await?;
    let number: u32 = path.2.parse().map_err(|_| Problem::not_found())?;
    let catalog = &state.service.catalog;
    let (parts, paged) = catalog.parts(&call, document.id, document.version).await?.ok_or_else(Problem::not_found)?;
    let page = catalog.page(&call, document.id, document.version, number).await?.ok_or_else(Problem::not_found)?;
    let points = Points::new(&page.text);
    let words = page
        .words
        .iter()
        .map(|word| WordView { start: points.at(word.start), end: points.at(word.end), rect: word.rect })
        .collect();
    let blocks = page
        .blocks
        .iter()
        .map(|block| {
            let (kind, level) = role(block.kind);
            BlockView { start: points.at(block.start), end: points.at(block.end), kind, level }
        })
        .collect();
    let (width, height) = (page.width, page.height);
    Ok(HttpResponse::Ok().json(PageView {
        page: paged.then(|| PageRef { index: page.number, label: page.label.clone() }),
        document: Reference {
            id: document.id,
            external_id: document.external_id,
            title: document.title,
            version: document.version,
        },
        part: page.number,
        parts,
        width,
        height,
        words,
        blocks,
        text: page.text,
    }))
}

fn role(kind: BlockKind) -> (&'static str, Option<u8>) {
    match kind {
        BlockKind::Heading(level) => ("heading", Some(level)),
        BlockKind::Paragraph => ("paragraph", None),
        BlockKind::ListItem => ("list_item", None),
        BlockKind::Table => ("table", None),
        BlockKind::Caption => ("caption", None),
        BlockKind::Footnote => ("footnote", None),
        BlockKind::Furniture => ("furniture", None),
    }
}

/// Byte offsets of a text as counts of code points.
struct Points(Vec<u32>);

impl Points {
    fn new(text: &str) -> Self {
        let mut points = vec![0; text.len() + 1];
        let mut count = 0;
        for (at, slot) in points.iter_mut().enumerate() {
            *slot = count;
            count += u32::from(text.is_char_boundary(at + 1));
        }
        Self(points)
    }

    fn at(&self, byte: u32) -> u32 {
        self.0.get(byte as usize).or(self.0.last()).copied().unwrap_or(0)
    }
}

/// A passage of a document. Offsets count code points of the page's text.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PassageView {
    id: PassageId,
    /// Its place in the document, from 0.
    ordinal: u32,
    kind: PassageKind,
    text: String,
    headings: Vec<String>,
    /// Its page; null where the format has none.
    page: Option<PageRef>,
    spans: Vec<SpanView>,
    regions: Vec<Region>,
}

/// Where a passage stands in the stored pages.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SpanView {
    /// The stored part, from 1.
    page: u32,
    start: u32,
    end: u32,
}

/// A part of the list of passages.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Passages {
    data: Vec<PassageView>,
    /// Where the next part starts; null on the last.
    next_cursor: Option<String>,
}

/// A question that did not find a document.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WhyNotQuestion {
    /// The question.
    question: String,
    /// Passages that the search returns; 10 if absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 100)]
    top_k: Option<usize>,
    /// Which documents may be returned.
    #[serde(default)]
    filters: Filters,
    /// Leave out documents dated after this day.
    #[serde(default)]
    as_of: Option<String>,
}

/// Say where a document fell out of a search
#[utoipa::path(tag = "documents", params(("scenario" = String, Path), ("id" = String, Path)), request_body = WhyNotQuestion, responses(
    (status = 200, description = "The step where it fell out, and how far its passages came", body = rag::why_not::WhyNot),
    (status = 404, description = "There is no such thing", body = ProblemDocument, content_type = "application/problem+json")))]
#[post("/v1/scenarios/{scenario}/documents/{id}/why-not")]
pub async fn tell_why_not(
    state: web::Data<State>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (call, document) = find(&state, &path.0, &path.1).await?;
    let WhyNotQuestion { question, top_k, filters, as_of } = body::json(&request, payload, SMALL).await?;
    let query = Query { text: question, mode: Mode::Hybrid, top_k: top_k.unwrap_or(10), filters, as_of, explain: true };
    match state.service.why_not(&call, &query, document.id).await? {
        Some(why) => Ok(HttpResponse::Ok().json(why)),
        None => Err(Problem::not_found()),
    }
}

/// The passages of a document
#[utoipa::path(tag = "documents", params(("scenario" = String, Path), ("id" = String, Path), Paging), responses(
    (status = 200, description = "Passages in order", body = Passages), (status = 404, description = "There is no such thing", body = ProblemDocument, content_type = "application/problem+json")))]
#[get("/v1/scenarios/{scenario}/documents/{id}/passages")]
pub async fn list_passages(
    state: web::Data<State>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (call, document) = find(&state, &path.0, &path.1).await?;
    let paging: Paging = body::query(&request)?;
    let (from, limit) = (position(paging.cursor.as_deref())?, body::limit(paging.limit)?);
    let catalog = &state.service.catalog;
    let paged = catalog.parts(&call, document.id, document.version).await?.is_some_and(|(_, paged)| paged);
    let mut passages = catalog.passages(document.id, document.version, from, limit + 1).await?;
    let next_cursor = (passages.len() > limit).then(|| passages[limit].ordinal.to_string());
    passages.truncate(limit);
    let mut pages: HashMap<u32, (Page, Points)> = HashMap::new();
    for number in passages.iter().flat_map(|passage| passage.spans.iter().map(|span| span.page)) {
        if let std::collections::hash_map::Entry::Vacant(slot) = pages.entry(number) {
            let page = catalog.page(&call, document.id, document.version, number).await?.unwrap_or_default();
            let points = Points::new(&page.text);
            slot.insert((page, points));
        }
    }
    let data = passages
        .into_iter()
        .map(|passage| PassageView {
            page: passage
                .spans
                .first()
                .filter(|_| paged)
                .map(|span| PageRef { index: span.page, label: pages[&span.page].0.label.clone() }),
            spans: passage
                .spans
                .iter()
                .map(|span| SpanView {
                    page: span.page,
                    start: pages[&span.page].1.at(span.start),
                    end: pages[&span.page].1.at(span.end),
                })
                .collect(),
            id: passage.id,
            ordinal: passage.ordinal,
            kind: passage.kind,
            text: passage.text,
            headings: passage.headings,
            regions: passage.regions,
        })
        .collect();
    Ok(HttpResponse::Ok().json(Passages { data, next_cursor }))
}

impl State {
    /// Takes items in on the runtime that waits for the disk.
    pub async fn accept(&self, call: &Call, batch: BatchId, items: Vec<Item>) -> Result<Vec<Accepted>, Problem> {
        let (pipeline, call) = (self.service.pipeline.clone(), call.clone());
        // Not tied to the request: what was received whole is taken in, whoever waits for it.
        let accepted = self.runtime.spawn(async move { pipeline.accept(&call, batch, items).await });
        Ok(accepted.await.map_err(Problem::internal)??)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_count_code_points() {
        let points = Points::new("营收 a😀b");
        assert_eq!([0, 3, 6, 7, 8, 12, 13].map(|byte| points.at(byte)), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(points.at(99), 6);
    }

    #[test]
    fn a_name_of_an_attachment_breaks_no_header() {
        assert_eq!(
            attachment("年报/2023 \"x\"\r\n.pdf"),
            "attachment; filename=\"2023 _x___.pdf\"; filename*=UTF-8''2023%20%22x%22%0D%0A.pdf"
        );
        assert_eq!(attachment("年报.pdf"), "attachment; filename=\"__.pdf\"; filename*=UTF-8''%E5%B9%B4%E6%8A%A5.pdf");
    }
}
