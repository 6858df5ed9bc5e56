//! How does a program that speaks OpenAI's chat API ask? A model is a scenario, the last message of the user is the question,
//! the earlier ones are its history.
//!
//! Clients that do not know our citations show a list of sources at the end of the text; those that do find them in
//! `citations`, beside OpenAI's own fields. Text that was sent cannot be taken back here, so a stream says what it has to add.

use actix_web::{HttpRequest, HttpResponse, ResponseError, get, post, web};
use index::scope::DEFAULT;
use rag::{
    ask::{Answer, Ask, Citation, Reason, Role, Turn},
    engine::Event,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    State,
    answers::{self, Listener, Outcome},
    body::{self, SMALL},
    problem::Problem,
    sse::{Gone, Sink},
};
use crate::scenario::Scenario;

/// Most earlier messages that are read.
const HISTORY: usize = 100;

/// What is asked. Fields that are not known here are let pass, as OpenAI's clients expect.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct ChatRequest {
    /// The scenario; `default` if absent.
    #[serde(default)]
    model: Option<String>,
    /// The conversation, oldest first. What a `system` message says is not followed.
    messages: Vec<Message>,
    /// Answer in chunks.
    #[serde(default)]
    stream: Option<bool>,
    /// What a stream tells besides.
    #[serde(default)]
    stream_options: Option<StreamOptions>,
}

/// A message.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct Message {
    /// `user`, `assistant`, `system`, …
    role: String,
    /// A text or a list of parts; those that are no text are not read.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    content: Option<Content>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(default)]
    text: Option<String>,
}

/// What a stream tells besides.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct StreamOptions {
    /// Whether a last chunk tells the usage.
    #[serde(default)]
    include_usage: Option<bool>,
}

/// An error in OpenAI's shape.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ChatError {
    error: ErrorBody,
}

/// What went wrong.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ErrorBody {
    /// For a person.
    message: String,
    /// OpenAI's kind.
    r#type: &'static str,
    /// The field, where one is at fault.
    param: Option<&'static str>,
    /// The code, see `docs/ERRORS.md`.
    code: &'static str,
}

/// Whether errors at this address have OpenAI's shape.
pub fn is_route(path: &str) -> bool {
    path == "/v1/chat/completions" || path == "/v1/models" || path.starts_with("/v1/models/")
}

/// A problem as OpenAI's clients read it.
pub fn error(problem: &Problem) -> ChatError {
    let document = problem.document("");
    let kind = match document.status() {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..500 => "invalid_request_error",
        _ => "server_error",
    };
    let param = match problem.code() {
        "empty_question" | "question_too_long" => Some("messages"),
        _ => None,
    };
    ChatError { error: ErrorBody { message: document.detail().into(), r#type: kind, param, code: problem.code() } }
}

/// The response that tells a problem: status and headers are the same as elsewhere.
pub fn response(problem: &Problem, request_id: &str) -> HttpResponse {
    let mut response = HttpResponse::build(problem.status_code());
    let usual = problem.response(request_id);
    for (name, value) in usual.headers() {
        if name != actix_web::http::header::CONTENT_TYPE {
            response.insert_header((name.clone(), value.clone()));
        }
    }
    response.json(error(problem))
}

/// Ask in OpenAI's words
///
/// A chat completion whose `model` is a scenario. `citations`, `verdict` and `degraded` come beside OpenAI's fields; in a stream
/// in the chunks. A stream ends with a finish reason and `[DONE]`, or with an `error`.
#[utoipa::path(tag = "openai", request_body = ChatRequest, responses(
    (status = 200, description = "The completion, or its chunks", content((serde_json::Value = "application/json"), (String = "text/event-stream"))),
    (status = "4XX", description = "The question cannot be asked like this", body = ChatError, content_type = "application/json")))]
#[post("/v1/chat/completions")]
pub async fn complete_chat(
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let chat: ChatRequest = body::json(&request, payload, SMALL).await?;
    let scenario = chat.model.clone().filter(|model| !model.is_empty()).unwrap_or_else(|| DEFAULT.into());
    let usage = chat.stream_options.as_ref().and_then(|options| options.include_usage).unwrap_or(false);
    let stream = chat.stream.unwrap_or(false);
    let ask = ask(chat, &scenario)?;
    answers::check(&ask)?;
    let call = state.call(Some(&scenario)).await?;
    if stream {
        let created = jiff::Timestamp::now().as_second();
        return Ok(answers::streamed(&state, &request, call, ask, |sink, id| Chunks {
            sink,
            id,
            scenario,
            usage,
            created,
            text: String::new(),
        }));
    }
    let answer = state.answer(call, ask).await?;
    Ok(HttpResponse::Ok().json(completion(&answer, &scenario)))
}

/// The conversation as a question with its history.
fn ask(chat: ChatRequest, scenario: &str) -> Result<Ask, Problem> {
    let mut turns: Vec<Turn> = chat
        .messages
        .into_iter()
        .filter_map(|message| {
            let role = match message.role.as_str() {
                "user" => Role::User,
                "assistant" => Role::Assistant,
                _ => return None,
            };
            Some(Turn { role, content: message.content?.text() })
        })
        .collect();
    let last = turns.iter().rposition(|turn| turn.role == Role::User);
    let last =
        last.ok_or_else(|| Problem::new("empty_question", "no message has the role `user`; the last one is the question"))?;
    turns.truncate(last + 1);
    let question = turns.pop().map(|turn| turn.content).unwrap_or_default();
    turns.retain(|turn| !turn.content.trim().is_empty());
    let history = turns.split_off(turns.len().saturating_sub(HISTORY));
    Ok(Ask { question, history, scenario: Some(scenario.into()), ..Ask::default() })
}

impl Content {
    fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Parts(parts) => parts.into_iter().filter_map(|part| part.text).collect::<Vec<_>>().join("\n"),
        }
    }
}

fn completion(answer: &Answer, scenario: &str) -> Value {
    let content = format!("{}{}", answer.text, sources(answer));
    let mut body = json!({
        "id": answer.id,
        "object": "chat.completion",
        "created": seconds(&answer.created_at),
        "model": scenario,
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": content, "refusal": null },
            "logprobs": null,
            "finish_reason": finish_reason(answer),
        }],
        "usage": usage(answer),
    });
    extend(&mut body, answer);
    body
}

/// Our fields beside OpenAI's.
fn extend(body: &mut Value, answer: &Answer) {
    body["citations"] = json!(answer.citations);
    body["verdict"] = json!(answer.verdict);
    if let Some(degraded) = &answer.degraded {
        body["degraded"] = json!(degraded);
    }
}

fn usage(answer: &Answer) -> Value {
    let (prompt, completion) = (answer.usage.prompt_tokens, answer.usage.completion_tokens);
    json!({ "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion })
}

fn finish_reason(answer: &Answer) -> &'static str {
    match &answer.refusal {
        Some(refusal) if refusal.reason == Reason::Provider => "content_filter",
        _ => "stop",
    }
}

fn seconds(rfc3339: &str) -> i64 {
    rfc3339.parse::<jiff::Timestamp>().map_or(0, |time| time.as_second())
}

/// The sources of an answer, for clients that show nothing but text.
fn sources(answer: &Answer) -> String {
    let chinese = answer.language == "zh";
    let mut seen = std::collections::BTreeSet::new();
    let lines: Vec<String> = answer
        .citations
        .iter()
        .filter(|citation| seen.insert(citation.marker))
        .map(|citation| format!("[{}] {}", citation.marker, place(citation, chinese)))
        .collect();
    match lines.is_empty() {
        true => String::new(),
        false => format!("\n\n{}\n{}", if chinese { "来源：" } else { "Sources:" }, lines.join("\n")),
    }
}

fn place(citation: &Citation, chinese: bool) -> String {
    let title = plain(&citation.document.title);
    match &citation.page {
        Some(page) if chinese => format!("{title}，第 {} 页", page.index),
        Some(page) => format!("{title}, p. {}", page.index),
        None => title,
    }
}

/// A title that shows as text: clients render what they get, and a title is whatever its uploader wrote.
fn plain(title: &str) -> String {
    title.replace("](", "] (").replace('<', "‹").replace("://", ":/ /").replace("www.", "www·").replace(['\n', '\r'], " ")
}

/// The chunks of one completion.
struct Chunks {
    sink: Sink,
    id: String,
    scenario: String,
    /// Whether a last chunk tells the usage.
    usage: bool,
    created: i64,
    /// The text that was sent.
    text: String,
}

impl Listener for Chunks {
    fn sink(&mut self) -> &mut Sink {
        &mut self.sink
    }

    async fn tell(&mut self, event: Event) -> Result<(), Gone> {
        match event {
            Event::Created(answer) => {
                self.id = answer.id.to_string();
                self.created = seconds(&answer.created_at);
                self.send(json!({ "role": "assistant", "content": "" }), Value::Null, json!({})).await
            }
            Event::Delta(text) => self.add(&text).await,
            Event::Citation(citation) => self.send(json!({}), Value::Null, json!({ "citations": [citation] })).await,
            // What replaces the text is in the answer, at the end.
            Event::Retrieved(_) | Event::Revised(_) => Ok(()),
        }
    }

    async fn end(&mut self, answer: Result<Answer, Outcome>) -> Result<(), Gone> {
        match answer {
            Ok(answer) => self.finish(&answer).await,
            Err(outcome) => self.sink.data(&error(&outcome.problem())).await,
        }
    }
}

impl Chunks {
    async fn add(&mut self, text: &str) -> Result<(), Gone> {
        if text.is_empty() {
            return Ok(());
        }
        self.text.push_str(text);
        self.send(json!({ "content": text }), Value::Null, json!({})).await
    }

    /// What the answer says beyond what was sent, its sources, the end.
    async fn finish(&mut self, answer: &Answer) -> Result<(), Gone> {
        let more = match answer.text.strip_prefix(&self.text) {
            Some(more) => more.to_owned(),
            None => format!("\n\n{}", answer.text),
        };
        self.add(&format!("{more}{}", sources(answer))).await?;
        let mut extra = json!({});
        extend(&mut extra, answer);
        self.send(json!({}), finish_reason(answer).into(), extra).await?;
        if self.usage {
            let chunk = json!({
                "id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.scenario,
                "choices": [], "usage": usage(answer),
            });
            self.sink.data(&chunk).await?;
        }
        self.sink.done().await
    }

    async fn send(&mut self, delta: Value, finish_reason: Value, extra: Value) -> Result<(), Gone> {
        let mut chunk = json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.scenario,
            "choices": [{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason }],
        });
        if let (Some(chunk), Value::Object(extra)) = (chunk.as_object_mut(), extra) {
            chunk.extend(extra);
        }
        self.sink.data(&chunk).await
    }
}

/// The scenarios, as OpenAI's clients list models
#[utoipa::path(tag = "openai", responses((status = 200, description = "The scenarios", body = serde_json::Value)))]
#[get("/v1/models")]
pub async fn list_models(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let data: Vec<Value> = state.service.scenarios().await?.iter().map(model).collect();
    Ok(HttpResponse::Ok().json(json!({ "object": "list", "data": data })))
}

/// One scenario, as OpenAI's clients look at a model
#[utoipa::path(tag = "openai", params(("model" = String, Path, description = "The scenario")), responses(
    (status = 200, description = "The scenario", body = serde_json::Value),
    (status = 404, description = "There is no such thing", body = ChatError, content_type = "application/json")))]
#[get("/v1/models/{model}")]
pub async fn show_model(state: web::Data<State>, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    state.call(Some(&name)).await?;
    Ok(HttpResponse::Ok().json(model(&state.service.scenario(&name).await?)))
}

fn model(scenario: &Scenario) -> Value {
    let created = scenario.created_at.as_deref().map_or(0, seconds);
    json!({ "id": scenario.name, "object": "model", "created": created, "owned_by": "dossier" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: Value, question: &str, history: usize) {
        let chat: ChatRequest = serde_json::from_value(body).unwrap();
        let ask = ask(chat, "default").unwrap();
        assert_eq!((ask.question.as_str(), ask.history.len()), (question, history));
    }

    #[test]
    fn the_last_message_of_the_user_is_the_question_and_the_earlier_ones_its_history() {
        let user = |text: &str| json!({ "role": "user", "content": text });
        check(json!({ "messages": [user("毛利率?")] }), "毛利率?", 0);
        check(
            json!({ "messages": [{ "role": "system", "content": "be brief" }, user("a"), { "role": "assistant", "content": "b" }, user("c")] }),
            "c",
            2,
        );
        check(json!({ "messages": [user("a"), { "role": "assistant", "content": "half" }] }), "a", 0);
        check(
            json!({ "messages": [{ "role": "user", "content": [{ "type": "text", "text": "a" }, { "type": "image_url", "image_url": {} }], "name": "x" }], "temperature": 2, "tools": [], "n": 3 }),
            "a",
            0,
        );
        check(json!({ "messages": [{ "role": "assistant", "content": null, "tool_calls": [] }, user("a")] }), "a", 0);
        let many: Vec<Value> = (0..300).map(|n| user(&n.to_string())).collect();
        check(json!({ "messages": many }), "299", HISTORY);
        let none: ChatRequest = serde_json::from_value(json!({ "messages": [] })).unwrap();
        assert_eq!(ask(none, "default").unwrap_err().code(), "empty_question");
    }
}
