//! Asking and searching: a question becomes an answer, whole or as events; a query becomes hits.

use std::sync::atomic::Ordering::Relaxed;

use actix_web::{HttpMessage, HttpRequest, HttpResponse, get, post, web};
use index::{
    corpus::AnswerId,
    hit::{Filters, Hits, Mode, Query},
    scope::Call,
};
use metrics::histogram;
use rag::{
    RagError,
    ask::{Answer, Ask, MAX_QUESTION, Verdict},
    engine::Event,
    trace::{Feedback, Record},
};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;

use super::{
    Permit, RequestId, State,
    body::{self, SMALL},
    problem::{Problem, ProblemDocument},
    sse::{self, Gone, Sink},
};

/// Ask a question
///
/// The answer comes whole, or with `stream` as server-sent events: `answer.created`, `retrieval.completed`, `answer.delta`*,
/// `citation.added`*, `answer.revised`?, then exactly one of `answer.completed`, `answer.refused` (both with the answer as data)
/// and `error` (with a problem). Comment lines in between say that the server is still there.
#[utoipa::path(tag = "answers", request_body = Ask, responses(
    (status = 200, description = "The answer, or its events", content((Answer = "application/json"), (String = "text/event-stream"))),
    (status = "4XX", description = "The question cannot be asked like this", body = ProblemDocument, content_type = "application/problem+json")))]
#[post("/v1/ask")]
pub async fn ask_question(state: web::Data<State>, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let ask: Ask = body::json(&request, payload, SMALL).await?;
    check(&ask)?;
    let call = state.call(ask.scenario.as_deref()).await?;
    // A filter that cannot be applied is told before a stream begins.
    state.service.catalog.matching(&call, &ask.filters, None).await?;
    if ask.stream {
        return Ok(streamed(&state, &request, call, ask, |sink, id| Events { sink, id }));
    }
    Ok(HttpResponse::Ok().json(state.answer(call, ask).await?))
}

/// Why there is no answer.
pub enum Outcome {
    Failed(RagError),
    Stopping,
}

impl Outcome {
    /// As the caller reads it.
    pub fn problem(&self) -> Problem {
        match self {
            Self::Failed(error) => Problem::of(error),
            Self::Stopping => Problem::passing("server_shutting_down", "the server is shutting down; ask again in a moment"),
        }
    }
}

/// What can be told without searching.
pub fn check(ask: &Ask) -> Result<(), Problem> {
    ask.validate()?;
    top_k(ask.top_k)
}

fn top_k(top_k: Option<usize>) -> Result<(), Problem> {
    match top_k {
        Some(got) if !(1..=100).contains(&got) => Err(index::IndexError::TopK { got }.into()),
        _ => Ok(()),
    }
}

/// Whoever hears how an answer comes into being, in the words of its surface.
pub trait Listener: Send + 'static {
    /// Where it is told.
    fn sink(&mut self) -> &mut Sink;
    /// A step.
    fn tell(&mut self, event: Event) -> impl Future<Output = Result<(), Gone>> + Send;
    /// The end.
    fn end(&mut self, answer: Result<Answer, Outcome>) -> impl Future<Output = Result<(), Gone>> + Send;
}

/// A response that tells each step of an answer to whoever `listen` makes of a sink and the request's id.
pub fn streamed<L: Listener>(
    state: &web::Data<State>,
    request: &HttpRequest,
    call: Call,
    ask: Ask,
    listen: impl FnOnce(Sink, String) -> L,
) -> HttpResponse {
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    // The place among the requests in flight is kept until the last event.
    let permit = request.extensions().get::<Permit>().cloned();
    let state = state.clone().into_inner();
    let runtime = state.runtime.clone();
    sse::response(&runtime, move |sink| {
        let mut listener = listen(sink, id);
        async move {
            let _permit = permit;
            let service = state.service.clone();
            let (events, received) = mpsc::channel(64);
            let answer = async {
                let answer = service.answer(&call, &ask, Some(&events)).await;
                drop(events);
                answer
            };
            let stopped = super::stopped(state.stopping.clone());
            let Ok(answer) = relay(&mut listener, received, answer, stopped).await else { return };
            state.note(&answer);
            // Nobody to tell any more.
            listener.end(answer).await.unwrap_or(());
        }
    })
}

/// Sends each step on while the answer is made. Dropping the future ends the work on the answer.
async fn relay(
    listener: &mut impl Listener,
    mut received: mpsc::Receiver<Event>,
    answer: impl Future<Output = Result<Answer, RagError>>,
    stopped: impl Future<Output = ()>,
) -> Result<Result<Answer, Outcome>, Gone> {
    tokio::pin!(answer, stopped);
    let mut made = None;
    let mut open = true;
    while open || made.is_none() {
        tokio::select! {
            biased;
            event = received.recv(), if open => match event {
                Some(event) => listener.tell(event).await?,
                None => open = false,
            },
            answer = &mut answer, if made.is_none() => made = Some(answer.map_err(Outcome::Failed)),
            () = &mut stopped, if made.is_none() => return Ok(Err(Outcome::Stopping)),
            pinged = listener.sink().ping() => pinged?,
        }
    }
    Ok(made.unwrap_or(Err(Outcome::Stopping)))
}

/// The events of `/v1/ask`.
struct Events {
    sink: Sink,
    id: String,
}

impl Listener for Events {
    fn sink(&mut self) -> &mut Sink {
        &mut self.sink
    }

    async fn tell(&mut self, event: Event) -> Result<(), Gone> {
        match event {
            Event::Created(answer) => self.sink.send("answer.created", &answer).await,
            Event::Retrieved(hits) => self.sink.send("retrieval.completed", &json!({ "data": hits })).await,
            Event::Delta(text) => self.sink.send("answer.delta", &json!({ "text": text })).await,
            Event::Citation(citation) => self.sink.send("citation.added", &citation).await,
            Event::Revised(text) => self.sink.send("answer.revised", &json!({ "text": text })).await,
        }
    }

    async fn end(&mut self, answer: Result<Answer, Outcome>) -> Result<(), Gone> {
        match answer {
            Ok(answer) if answer.verdict == Verdict::Refused => self.sink.send("answer.refused", &answer).await,
            Ok(answer) => self.sink.send("answer.completed", &answer).await,
            Err(outcome) => self.sink.send("error", &outcome.problem().document(&self.id)).await,
        }
    }
}

impl State {
    /// The answer to a question, in one piece.
    pub(super) async fn answer(&self, call: Call, ask: Ask) -> Result<Answer, Problem> {
        let (service, stopping) = (self.service.clone(), self.stopping.clone());
        let answer = self
            .work(async move {
                tokio::select! {
                    answer = service.answer(&call, &ask, None) => answer.map_err(Outcome::Failed),
                    () = super::stopped(stopping) => Err(Outcome::Stopping),
                }
            })
            .await?;
        self.note(&answer);
        answer.map_err(|outcome| outcome.problem())
    }

    /// Remembers how a question ended, for the metrics and for readiness.
    pub(super) fn note(&self, answer: &Result<Answer, Outcome>) {
        let verdict = match answer {
            Ok(answer) => {
                histogram!("dossier_ask_duration_seconds").record(answer.timings.total_ms / 1000.0);
                // A model that was asked and failed is worth telling, whoever answered in its place.
                let failing = answer.degraded.as_ref().is_some_and(|degraded| !degraded.failures.is_empty());
                if failing || answer.model != "extractive" {
                    self.model_failed.store(failing, Relaxed);
                }
                match answer.verdict {
                    Verdict::Answered => "answered",
                    Verdict::Partial => "partial",
                    Verdict::Refused => "refused",
                }
            }
            Err(Outcome::Failed(error)) => {
                if index::fault::Coded::code(error).starts_with("llm_") {
                    self.model_failed.store(true, Relaxed);
                }
                "failed"
            }
            Err(Outcome::Stopping) => "failed",
        };
        metrics::counter!("dossier_answers_total", "verdict" => verdict).increment(1);
    }
}

/// A stored answer
///
/// The answer as it was sent, with the question, the trace of how it came about, and the feedback it got.
#[utoipa::path(tag = "answers", params(("id" = String, Path, description = "Its id, `ans_…`")),
    responses((status = 200, description = "The answer", body = Record), (status = 404, description = "There is no such thing", body = ProblemDocument, content_type = "application/problem+json")))]
#[get("/v1/answers/{id}")]
pub async fn get_answer(state: web::Data<State>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id: AnswerId = id.parse().map_err(|_| Problem::not_found())?;
    let record = state.service.record(&state.service.anywhere(), id).await?.ok_or_else(Problem::not_found)?;
    Ok(HttpResponse::Ok().json(record))
}

/// Say what you think of an answer
///
/// It is kept with the answer; several may be given.
#[utoipa::path(tag = "answers", params(("id" = String, Path, description = "The answer's id, `ans_…`")), request_body = Feedback,
    responses((status = 201, description = "It is kept", body = Feedback), (status = 404, description = "There is no such thing", body = ProblemDocument, content_type = "application/problem+json"),
    (status = "4XX", description = "It is no feedback", body = ProblemDocument, content_type = "application/problem+json")))]
#[post("/v1/answers/{id}/feedback")]
pub async fn add_feedback(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let id: AnswerId = id.parse().map_err(|_| Problem::not_found())?;
    let feedback: Feedback = body::json(&request, payload, SMALL).await?;
    if let Some(reason) = feedback.too_long() {
        return Err(Problem::new("invalid_request", reason));
    }
    match state.service.catalog.add_feedback(&state.service.anywhere(), id, &feedback).await? {
        true => Ok(HttpResponse::Created().json(feedback)),
        false => Err(Problem::not_found()),
    }
}

/// A search.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// What to look for, 1 to 4,000 characters.
    #[schema(min_length = 1, max_length = 4000)]
    query: String,
    /// The scenario; `default` if absent.
    #[serde(default)]
    scenario: Option<String>,
    /// Which documents may be returned.
    #[serde(default)]
    filters: Filters,
    /// Leave out documents dated after this day, such as 2023-12-31.
    #[serde(default)]
    as_of: Option<String>,
    /// How many hits, 1 to 100; 10 if absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 100)]
    top_k: Option<usize>,
    /// Which arms run.
    #[serde(default)]
    mode: Mode,
    /// Also tell what the question was taken to ask, and what each feature added to a hit's score.
    #[serde(default)]
    explain: bool,
}

/// Find passages
#[utoipa::path(tag = "answers", request_body = Search, responses(
    (status = 200, description = "The best passages, best first", body = Hits),
    (status = "4XX", description = "The query cannot be searched", body = ProblemDocument, content_type = "application/problem+json")))]
#[post("/v1/search")]
pub async fn search_passages(
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let search: Search = body::json(&request, payload, SMALL).await?;
    let got = search.query.chars().count();
    if got > MAX_QUESTION {
        return Err(RagError::QuestionTooLong { got, most: MAX_QUESTION }.into());
    }
    top_k(search.top_k)?;
    let call = state.call(search.scenario.as_deref()).await?;
    let query = Query {
        text: search.query,
        mode: search.mode,
        top_k: search.top_k.unwrap_or(10),
        filters: search.filters,
        as_of: search.as_of,
        explain: search.explain,
    };
    let service = state.service.clone();
    let began = std::time::Instant::now();
    let hits = state.work(async move { service.search(&call, &query).await }).await??;
    histogram!("dossier_search_duration_seconds").record(began.elapsed());
    Ok(HttpResponse::Ok().json(hits))
}
