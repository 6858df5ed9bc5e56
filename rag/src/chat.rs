//! A model behind an OpenAI-compatible endpoint: one streamed request, watched.
//!
//! The client library ends its stream in the same way whether the model finished or the connection broke: an answer
//! counts only if a chunk with a finish reason was seen.

use std::{pin::Pin, time::Duration};

use async_openai::{Client, config::OpenAIConfig, error::OpenAIError};
use futures::{Stream, StreamExt};
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

    /// Sends a prompt; what comes back is read with [`Talk::next`]. Dropping the talk ends the request.
    ///
    /// # Errors
    /// `llm_unavailable`, `llm_rate_limited`, `llm_stalled`, `llm_bad_response`.
    pub async fn open(&self, call: &Call, prompt: &Prompt) -> Result<Talk, RagError> {
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
        let stream = timeout(first, chat.create_stream_byot::<Value, Value>(request))
            .await
            .map_err(|_| RagError::ModelStalled(first))?
            .map_err(failed)?;
        Ok(Talk {
            stream: Box::pin(stream),
            idle: self.endpoint.idle,
            call: call.clone(),
            sent: prompt.bytes(),
            written: 0,
            usage: None,
            finish: None,
        })
    }
}

/// A model's answer on its way.
pub struct Talk {
    stream: Pin<Box<dyn Stream<Item = Result<Value, OpenAIError>> + Send>>,
    idle: Duration,
    call: Call,
    sent: u64,
    written: u64,
    usage: Option<Value>,
    finish: Option<Finish>,
}

impl Talk {
    /// The next piece of text; `None` once the model has finished.
    ///
    /// # Errors
    /// `llm_stalled`, `llm_truncated` when it ends without a finish reason, `llm_bad_response`.
    pub async fn next(&mut self) -> Result<Option<String>, RagError> {
        loop {
            let patience = self.idle.min(self.call.left());
            let chunk = match timeout(patience, self.stream.next()).await {
                Err(_) => return Err(RagError::ModelStalled(patience)),
                Ok(None) => return if self.finish.is_some() { Ok(None) } else { Err(RagError::ModelTruncated) },
                Ok(Some(Err(error))) => return Err(broken(error, self.finish.is_some())),
                Ok(Some(Ok(chunk))) => chunk,
            };
            if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
                return Err(RagError::ModelBadResponse { reason: message(error) });
            }
            if let Some(usage) = chunk.get("usage").filter(|usage| usage.is_object()) {
                self.usage = Some(usage.clone());
            }
            let choice = &chunk["choices"][0];
            self.finish = choice["finish_reason"].as_str().map(finish_reason).or(self.finish);
            if let Some(text) = choice["delta"]["content"].as_str().filter(|text| !text.is_empty()) {
                self.written += text.len() as u64;
                return Ok(Some(text.to_owned()));
            }
        }
    }

    /// How the answer ended; `None` before it has.
    pub fn finish(&self) -> Option<Finish> {
        self.finish
    }
}

impl Drop for Talk {
    /// What was spent is recorded whatever the outcome. An endpoint that does not count is counted for, at four bytes a token.
    fn drop(&mut self) {
        let count = |name: &str| self.usage.as_ref().and_then(|usage| usage[name].as_u64());
        let (prompt, completion) = (count("prompt_tokens"), count("completion_tokens"));
        self.call.meter.chat(prompt.unwrap_or(self.sent / 4), completion.unwrap_or(self.written / 4));
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
        OpenAIError::ApiError(error) if error.status_code.as_u16() == 429 => {
            RagError::ModelRateLimited { reason: short(&error.api_error.message) }
        }
        OpenAIError::ApiError(error) => RagError::ModelUnavailable {
            reason: format!("it answered {}: {}", error.status_code, short(&error.api_error.message)),
        },
        OpenAIError::JSONDeserialize(_, body) => RagError::ModelBadResponse { reason: format!("it sent `{}`", short(&body)) },
        // The library's text holds the URL; the error's kind says enough.
        OpenAIError::Reqwest(error) if error.is_connect() => {
            RagError::ModelUnavailable { reason: "no connection could be made".into() }
        }
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
