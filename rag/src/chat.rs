//! A model behind an OpenAI-compatible endpoint: one streamed request, watched, spoken in the endpoint's dialect.
//!
//! We read the stream ourselves. A client library ends it in the same way whether the model finished or the connection
//! broke, tries again on its own, and knows one shape of errors; here an answer counts only if a finish reason was seen, one
//! layer tries again, and only as long as nothing was read of an answer.

use std::{
    collections::{HashMap, VecDeque},
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{Stream, StreamExt};
use index::{IndexError, scope::Call};
use parking_lot::Mutex;
use reqwest::{Client, RequestBuilder, Response, header::RETRY_AFTER, redirect::Policy};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::{
    RagError,
    card::{Auth, Dialect, TokenField},
    compose::Prompt,
};

mod breaker;
mod events;
pub(crate) mod failure;
pub mod probe;
mod thought;

use breaker::{Breaker, Leave};
use events::{Events, Said};
use failure::{Again, Setback, Told, short};
use thought::Thought;

/// Most attempts at one answer.
const ATTEMPTS: u32 = 3;
/// Pause before the second attempt; it doubles.
const PAUSE: Duration = Duration::from_millis(250);
/// Longest pause before another attempt where another endpoint can be asked instead.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the count of tokens may come after the end of an answer.
const AFTERWARDS: Duration = Duration::from_secs(2);
/// Most bytes of a body that is no stream.
const BODY: usize = 4 << 20;

/// A model endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    /// What an operator calls it.
    pub name: String,
    /// The card that describes it; empty for none.
    pub card: String,
    /// Up to what comes before `/chat/completions`.
    pub base_url: String,
    /// Its key; empty for none.
    pub api_key: String,
    /// The model's name there.
    pub model: String,
    /// Most tokens an answer may have.
    pub max_tokens: u32,
    /// Tokens that fit into the model.
    pub context_tokens: u32,
    /// Longest silence before the first byte.
    pub first_byte: Duration,
    /// Longest silence between two pieces.
    pub idle: Duration,
    /// How it is spoken to.
    pub dialect: Dialect,
}

/// All endpoints that this process talks to: their connections, and what is known of each one's health. Clones share it.
#[derive(Clone)]
pub struct Endpoints {
    client: Client,
    breakers: Arc<Mutex<HashMap<(String, String), Breaker>>>,
}

/// A client of one endpoint. Its clones share what they know of the endpoint's health.
#[derive(Clone)]
pub struct Chat {
    endpoint: Endpoint,
    client: Client,
    breaker: Breaker,
    /// Longest pause before another attempt: whoever has another endpoint to ask does not wait for this one.
    longest_pause: Duration,
}

/// How a model's answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// It said all it wanted to.
    Complete,
    /// It reached the token limit.
    Length,
    /// The provider withheld it.
    Filtered,
}

impl Default for Endpoints {
    fn default() -> Self {
        // Processes may call this more than once; only the first provider is kept.
        rustls::crypto::ring::default_provider().install_default().ok();
        // A key is not carried to where somebody else points.
        Self { client: Client::builder().redirect(Policy::none()).build().unwrap_or_default(), breakers: Arc::default() }
    }
}

impl Endpoints {
    /// A client of an endpoint. Nothing is sent yet. Who asks the same model at the same address shares its breaker.
    pub fn chat(&self, endpoint: Endpoint) -> Chat {
        let known = (endpoint.base_url.clone(), endpoint.model.clone());
        let breaker = self.breakers.lock().entry(known).or_default().clone();
        Chat { endpoint, client: self.client.clone(), breaker, longest_pause: Duration::MAX }
    }

    /// Clients of endpoints that are asked in this order: only the last one is waited for.
    pub fn ladder(&self, endpoints: Vec<Endpoint>) -> Vec<Chat> {
        let last = endpoints.len().saturating_sub(1);
        let rung = |(at, endpoint)| {
            let longest_pause = if at == last { Duration::MAX } else { PATIENCE };
            Chat { longest_pause, ..self.chat(endpoint) }
        };
        endpoints.into_iter().enumerate().map(rung).collect()
    }
}

impl Chat {
    /// A client of an endpoint that nobody else asks. Nothing is sent yet.
    pub fn new(endpoint: Endpoint) -> Self {
        Endpoints::default().chat(endpoint)
    }

    /// The endpoint it talks to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends a prompt; what comes back is read with [`Talk::next`]. Dropping the talk ends the request.
    ///
    /// As long as no text has come, a failure that may pass is met with another attempt, within the call's time.
    ///
    /// # Errors
    /// `llm_…`; `deadline_exceeded` when the call's time is over.
    pub async fn open(&self, call: &Call, prompt: &Prompt) -> Result<Talk, RagError> {
        let leave = self.breaker.enter(Instant::now()).map_err(|rest| RagError::ModelUnavailable {
            reason: format!("it failed several times in a row and is left alone for {} s", rest.as_secs().max(1)),
        })?;
        let mut attempt = 1;
        let setback = loop {
            let setback = match self.attempt(call, prompt).await {
                Ok(mut talk) => {
                    talk.leave = Some(leave);
                    return Ok(talk);
                }
                Err(setback) => setback,
            };
            let most = if setback.again == Again::Once { 2 } else { ATTEMPTS };
            let pause = match setback.again {
                Again::No => break setback,
                Again::After(pause) => pause,
                Again::Once | Again::Soon => jitter(PAUSE * 2u32.pow(attempt - 1)),
            };
            if attempt >= most || pause >= call.left() || pause > self.longest_pause {
                break setback;
            }
            warn!(attempt, "the model endpoint failed, trying again: {}", setback.error);
            sleep(pause).await;
            attempt += 1;
        };
        end(leave, &setback.error);
        Err(setback.error)
    }

    /// One attempt, up to the first piece of text.
    async fn attempt(&self, call: &Call, prompt: &Prompt) -> Result<Talk, Setback> {
        let first = self.endpoint.first_byte.min(call.left());
        let response = timeout(first, self.request(prompt).send())
            .await
            .map_err(|_| silent(call, first))?
            .map_err(|error| unreachable(&error))?;
        if !response.status().is_success() {
            let (status, after) = (response.status().as_u16(), retry_after(&response));
            let body = timeout(first, whole(response)).await.unwrap_or_default();
            let body = self.without_key(&body);
            return Err(Setback::of_response(&self.endpoint.dialect, status, after, body.as_bytes()));
        }
        let streams = media_type(&response).contains("event-stream");
        let mut talk = Talk::new(call.clone(), prompt.bytes(), &self.endpoint);
        if streams {
            talk.stream = Some(Box::pin(response.bytes_stream().map(|bytes| bytes.map(|bytes| bytes.to_vec()))));
        } else {
            let body = timeout(self.endpoint.idle.min(call.left()), whole(response)).await.map_err(|_| silent(call, first))?;
            talk.read_whole(&body)?;
        }
        // Nobody has seen a thing yet: until there is something to see, a failure is met with another attempt.
        let text = talk.piece().await?;
        talk.ready.extend(text);
        Ok(talk)
    }

    /// A body that repeats our key would carry it into the log.
    fn without_key(&self, body: &[u8]) -> String {
        let body = String::from_utf8_lossy(body);
        match self.endpoint.api_key.as_str() {
            key if key.len() >= 8 => body.replace(key, "…"),
            _ => body.into_owned(),
        }
    }

    fn request(&self, prompt: &Prompt) -> RequestBuilder {
        let Endpoint { base_url, api_key, dialect, .. } = &self.endpoint;
        let request =
            self.client.post(format!("{}{}", base_url.trim_end_matches('/'), dialect.chat_path)).json(&self.body(prompt));
        authorized(request, dialect.auth, api_key)
    }

    fn body(&self, prompt: &Prompt) -> Value {
        let Endpoint { model, max_tokens, dialect, .. } = &self.endpoint;
        let messages = match dialect.system_role {
            true => json!([{ "role": "system", "content": prompt.system }, { "role": "user", "content": prompt.user }]),
            false => json!([{ "role": "user", "content": format!("{}\n\n{}", prompt.system, prompt.user) }]),
        };
        let mut body = json!({ "model": model, "messages": messages, "stream": true });
        let limit = match dialect.max_tokens_field {
            TokenField::MaxTokens => "max_tokens",
            TokenField::MaxCompletionTokens => "max_completion_tokens",
        };
        let longest = dialect.window.map_or(u32::MAX, |window| window.answer);
        let max_tokens = prompt.max_tokens.map_or(*max_tokens, |asked| asked.min(*max_tokens));
        body[limit] = (max_tokens + dialect.thought).min(longest).into();
        if let Some(temperature) = dialect.temperature {
            // `0`, not `0.0`: some endpoints take whole numbers for what they are.
            body["temperature"] = if temperature.fract() == 0.0 { json!(temperature as i64) } else { json!(temperature) };
        }
        if dialect.ask_usage {
            body["stream_options"] = json!({ "include_usage": true });
        }
        for (name, value) in &dialect.body {
            body[name] = value.clone();
        }
        body
    }
}

/// The bytes of a response as they come.
type Body = Pin<Box<dyn Stream<Item = reqwest::Result<Vec<u8>>> + Send>>;

/// A model's answer on its way.
pub struct Talk {
    stream: Option<Body>,
    events: Events,
    said: VecDeque<Said>,
    thought: Thought,
    /// Text that was read and not given out.
    ready: VecDeque<String>,
    dialect: Dialect,
    idle: Duration,
    /// When the last line was complete.
    heard: Instant,
    call: Call,
    sent: u64,
    written: u64,
    usage: Option<Value>,
    finish: Option<Finish>,
    leave: Option<Leave>,
}

impl Talk {
    fn new(call: Call, sent: u64, endpoint: &Endpoint) -> Self {
        Self {
            stream: None,
            events: Events::default(),
            said: VecDeque::new(),
            thought: Thought::default(),
            ready: VecDeque::new(),
            dialect: endpoint.dialect.clone(),
            idle: endpoint.idle,
            heard: Instant::now(),
            call,
            sent,
            written: 0,
            usage: None,
            finish: None,
            leave: None,
        }
    }

    /// The next piece of text; `None` once the model has finished.
    ///
    /// # Errors
    /// `llm_stalled`, `llm_truncated` when it ends without a finish reason, `llm_bad_response`, `deadline_exceeded`.
    pub async fn next(&mut self) -> Result<Option<String>, RagError> {
        if let Some(text) = self.ready.pop_front() {
            return Ok(Some(text));
        }
        match self.piece().await {
            Ok(Some(text)) => Ok(Some(text)),
            Ok(None) => {
                if let Some(leave) = self.leave.take() {
                    leave.good();
                }
                Ok(None)
            }
            Err(setback) => {
                if let Some(leave) = self.leave.take() {
                    end(leave, &setback.error);
                }
                Err(setback.error)
            }
        }
    }

    /// How the answer ended; `None` before it has.
    pub fn finish(&self) -> Option<Finish> {
        self.finish
    }

    /// The next text that is answer.
    async fn piece(&mut self) -> Result<Option<String>, Setback> {
        loop {
            while let Some(said) = self.said.pop_front() {
                let text = match said {
                    Said::Value(value) => self.take(&value)?,
                    Said::Done => None,
                    Said::Garbled(_) if self.finish.is_some() => None,
                    Said::Garbled(data) => {
                        let reason = format!("it sent `{}`", short(&data));
                        return Err(Setback::last(RagError::ModelBadResponse { reason }));
                    }
                };
                if text.is_some() {
                    return Ok(text);
                }
            }
            if !self.read().await? {
                let rest = self.thought.rest();
                return Ok(Some(rest).filter(|rest| !rest.is_empty()));
            }
        }
    }

    /// Reads more of the stream; false at its good end.
    async fn read(&mut self) -> Result<bool, Setback> {
        let ended = self.finish.is_some();
        let truncated = || Setback { error: RagError::ModelTruncated, again: Again::Once };
        if ended && self.events.done() {
            self.stream = None;
        }
        let Some(stream) = &mut self.stream else { return if ended { Ok(false) } else { Err(truncated()) } };
        // Bytes that never make up a line are silence too.
        let longest = if ended { AFTERWARDS } else { self.idle };
        let patience = longest.saturating_sub(self.heard.elapsed()).min(self.call.left());
        match timeout(patience, stream.next()).await {
            Ok(Some(Ok(bytes))) => {
                if bytes.contains(&b'\n') {
                    self.heard = Instant::now();
                }
                self.said.extend(self.events.push(&bytes));
            }
            // What is said is said: the end of an answer makes up for a bad end of its connection.
            Err(_) | Ok(Some(Err(_))) if ended => self.stream = None,
            Err(_) => return Err(silent(&self.call, longest)),
            Ok(Some(Err(_))) => return Err(truncated()),
            Ok(None) => {
                self.stream = None;
                self.said.extend(self.events.finish());
            }
        }
        Ok(true)
    }

    /// A body that came in one piece: an error, or an answer of an endpoint that does not stream.
    fn read_whole(&mut self, body: &[u8]) -> Result<(), Setback> {
        let bad = || {
            let reason = format!("it sent `{}`", short(&String::from_utf8_lossy(body)));
            Setback::last(RagError::ModelBadResponse { reason })
        };
        match serde_json::from_slice::<Value>(body) {
            Ok(value) if Told::read(&value).is_some() || value["choices"][0].is_object() => {
                self.said.push_back(Said::Value(value))
            }
            Ok(_) => return Err(bad()),
            Err(_) => {
                // A stream under another name.
                self.said.extend(self.events.push(body));
                self.said.extend(self.events.finish());
                if self.said.is_empty() {
                    return Err(bad());
                }
            }
        }
        Ok(())
    }

    /// Reads one chunk: an error, usage, the end, text.
    fn take(&mut self, chunk: &Value) -> Result<Option<String>, Setback> {
        if let Some(told) = Told::read(chunk) {
            return Err(Setback::of_error(&self.dialect, &told));
        }
        let choice = &chunk["choices"][0];
        if let Some(usage) = [&chunk["usage"], &choice["usage"]].into_iter().find(|usage| usage.is_object()) {
            self.usage = Some(usage.clone());
        }
        self.finish = choice["finish_reason"].as_str().and_then(finish_reason).or(self.finish);
        // Thoughts in fields of their own (`reasoning_content`, `reasoning`) are not read.
        let text = [&choice["delta"]["content"], &choice["message"]["content"]].into_iter().find_map(content);
        let Some(text) = text else { return Ok(None) };
        self.written += text.len() as u64;
        Ok(Some(self.thought.strip(&text)).filter(|text| !text.is_empty()))
    }
}

impl Drop for Talk {
    /// What was spent is recorded whatever the outcome. An endpoint that does not count is counted for, at four bytes a token.
    fn drop(&mut self) {
        let usage = self.usage.as_ref().unwrap_or(&Value::Null);
        let count = |places: [&str; 2]| places.into_iter().find_map(|place| usage.pointer(place)?.as_u64());
        let sent = count(["/prompt_tokens", "/input_tokens"]).unwrap_or(self.sent / 4);
        let cached = count(["/prompt_tokens_details/cached_tokens", "/prompt_cache_hit_tokens"]).unwrap_or(0);
        let written = count(["/completion_tokens", "/output_tokens"]).unwrap_or(self.written / 4);
        self.call.meter.chat(sent, written);
        let price = self.dialect.price.as_ref();
        self.call.meter.pay(price.map(|price| (price.of(sent, cached, written), price.currency.as_str())));
    }
}

/// A request that carries its key.
fn authorized(request: RequestBuilder, auth: Auth, api_key: &str) -> RequestBuilder {
    match auth {
        Auth::None => request,
        _ if api_key.is_empty() => request,
        Auth::ApiKey => request.header("api-key", api_key),
        Auth::Bearer | Auth::Optional => request.bearer_auth(api_key),
    }
}

/// A text, or the texts of a list of parts.
fn content(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

/// Some send an empty reason, or the word null, with every chunk.
fn finish_reason(reason: &str) -> Option<Finish> {
    match reason {
        "" | "null" => None,
        "length" | "max_tokens" => Some(Finish::Length),
        "content_filter" | "sensitive" => Some(Finish::Filtered),
        _ => Some(Finish::Complete),
    }
}

/// Only what the endpoint did counts against it; a wrong key or an empty account is told every time.
fn end(leave: Leave, error: &RagError) {
    match error {
        RagError::ModelUnavailable { .. }
        | RagError::ModelStalled(_)
        | RagError::ModelTruncated
        | RagError::ModelBadResponse { .. } => {
            leave.bad(Instant::now());
        }
        _ => drop(leave),
    }
}

fn silent(call: &Call, patience: Duration) -> Setback {
    match call.left().is_zero() {
        true => Setback::last(IndexError::Deadline { doing: "waiting for the model" }.into()),
        false => Setback { error: RagError::ModelStalled(patience), again: Again::Once },
    }
}

/// The library's text holds the URL; the error's kind says enough.
fn unreachable(error: &reqwest::Error) -> Setback {
    let reason = match error.is_connect() {
        true => "no connection could be made",
        false => "the connection broke",
    };
    Setback { error: RagError::ModelUnavailable { reason: reason.into() }, again: Again::Once }
}

/// `Retry-After` in seconds; a date is too rare to be read.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds: f64 = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn media_type(response: &Response) -> String {
    let header = response.headers().get(reqwest::header::CONTENT_TYPE);
    header.and_then(|value| value.to_str().ok()).unwrap_or_default().to_lowercase()
}

/// The beginning of a body; as much as came if it breaks off.
async fn whole(response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    let mut stream = response.bytes_stream();
    while let Some(Ok(bytes)) = stream.next().await {
        body.extend_from_slice(&bytes);
        if body.len() > BODY {
            break;
        }
    }
    body
}

/// Half to all of a pause, so that those who were turned away together do not come back together.
fn jitter(pause: Duration) -> Duration {
    let random = uuid::Uuid::now_v7().as_bytes()[15];
    pause.mul_f64(0.5 + f64::from(random) / 512.0)
}

#[cfg(test)]
mod tests;
