//! A model behind an OpenAI-compatible endpoint: one streamed request, watched.
//!
//! The client library ends its stream in the same way whether the model finished or the connection broke: an answer
//! counts only if a chunk with a finish reason was seen.

use std::time::Duration;

use async_openai::{Client, config::OpenAIConfig, error::OpenAIError};
use futures::StreamExt;
use index::scope::Call;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{RagError, compose::Prompt};

/// A model endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Up to and including `/v1`.
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
}

/// A client of one endpoint.
#[derive(Clone)]
pub struct Chat {
    endpoint: Endpoint,
    client: Client<OpenAIConfig>,
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

impl Chat {
    /// A client of an endpoint. Nothing is sent yet.
    pub fn new(endpoint: Endpoint) -> Self {
        // Processes may call this more than once; only the first provider is kept.
        rustls::crypto::ring::default_provider().install_default().ok();
        let config = OpenAIConfig::new().with_api_base(endpoint.base_url.trim_end_matches('/')).with_api_key(&endpoint.api_key);
        Self { endpoint, client: Client::with_config(config) }
    }

    /// The endpoint it talks to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends a prompt; `on_text` gets the answer piece by piece. Tokens are recorded in the call's meter whatever the outcome.
    /// Dropping the future ends the request.
    ///
    /// # Errors
    /// `llm_unavailable`, `llm_rate_limited`, `llm_stalled`, `llm_truncated`, `llm_bad_response`.
    pub async fn stream(&self, call: &Call, prompt: &Prompt, mut on_text: impl AsyncFnMut(&str)) -> Result<Finish, RagError> {
        let request = json!({
            "model": self.endpoint.model,
            "messages": [{ "role": "system", "content": prompt.system }, { "role": "user", "content": prompt.user }],
            "max_tokens": self.endpoint.max_tokens,
            "temperature": 0,
            "stream": true,
            "stream_options": { "include_usage": true },
        });
        let first = self.endpoint.first_byte.min(call.left());
        let chat = self.client.chat();
        let mut stream = timeout(first, chat.create_stream_byot::<Value, Value>(request))
            .await
            .map_err(|_| RagError::ModelStalled(first))?
            .map_err(failed)?;
        let (mut written, mut usage, mut finish) = (0, None, None);
        let ended = loop {
            let patience = self.endpoint.idle.min(call.left());
            match timeout(patience, stream.next()).await {
                Err(_) => break Err(RagError::ModelStalled(patience)),
                Ok(None) => break finish.ok_or(RagError::ModelTruncated),
                Ok(Some(Err(error))) => break Err(broken(error, finish.is_some())),
                Ok(Some(Ok(chunk))) => {
                    if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
                        break Err(RagError::ModelBadResponse { reason: message(error) });
                    }
                    usage = chunk.get("usage").filter(|usage| usage.is_object()).cloned().or(usage);
                    let choice = &chunk["choices"][0];
                    if let Some(text) = choice["delta"]["content"].as_str().filter(|text| !text.is_empty()) {
                        written += text.len() as u64;
                        on_text(text).await;
                    }
                    finish = choice["finish_reason"].as_str().map(finish_reason).or(finish);
                }
            }
        };
        let count = |name: &str| usage.as_ref().and_then(|usage| usage[name].as_u64());
        // An endpoint that does not count is counted for, at four bytes a token.
        call.meter.chat(count("prompt_tokens").unwrap_or(prompt.bytes() / 4), count("completion_tokens").unwrap_or(written / 4));
        ended
    }
}

fn finish_reason(reason: &str) -> Finish {
    match reason {
        "length" | "max_tokens" => Finish::Length,
        "content_filter" | "sensitive" => Finish::Filtered,
        _ => Finish::Complete,
    }
}

fn failed(error: OpenAIError) -> RagError {
    match error {
        OpenAIError::ApiError(error) if error.status_code.as_u16() == 429 => RagError::ModelRateLimited { reason: short(&error.api_error.message) },
        OpenAIError::ApiError(error) => {
            RagError::ModelUnavailable { reason: format!("it answered {}: {}", error.status_code, short(&error.api_error.message)) }
        }
        OpenAIError::JSONDeserialize(_, body) => RagError::ModelBadResponse { reason: format!("it sent `{}`", short(&body)) },
        // The library's text holds the URL; the error's kind says enough.
        OpenAIError::Reqwest(error) if error.is_connect() => RagError::ModelUnavailable { reason: "no connection could be made".into() },
        OpenAIError::Reqwest(error) => RagError::ModelUnavailable { reason: short(&error.without_url().to_string()) },
        other => RagError::ModelBadResponse { reason: short(&other.to_string()) },
    }
}

/// An error after the stream began: a broken connection leaves an answer that may be cut off.
fn broken(error: OpenAIError, finished: bool) -> RagError {
    match error {
        OpenAIError::StreamError(_) | OpenAIError::Reqwest(_) if !finished => RagError::ModelTruncated,
        OpenAIError::JSONDeserialize(_, body) => RagError::ModelBadResponse { reason: format!("it sent `{}`", short(&body)) },
        other => failed(other),
    }
}

fn message(error: &Value) -> String {
    short(error["message"].as_str().or(error.as_str()).unwrap_or("an error without a message"))
}

fn short(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(200) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
