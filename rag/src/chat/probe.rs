//! What does a live endpoint really do? A dozen small questions, each of which settles one field of a card.
//!
//! Nothing is taken for granted but the address: whether a parameter is accepted is asked one at a time, so that a refusal
//! says which one it is for.

use std::time::Duration;

use reqwest::{Client, redirect::Policy};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::{
    Endpoint, authorized, content, events::Events, events::Said, failure::Told, failure::short, media_type, unreachable,
};
use crate::{
    RagError,
    card::{Card, Errors, Model, StreamUsage, Temperature, Thinking, TokenField, Window},
};

/// A word that is asked for.
const WORD: &str = "zebra";
/// A limit that no model has.
const TOO_MANY: u32 = 90_000_000;
/// The window of a model that nobody describes.
const UNKNOWN: Window = Window { context: 16_384, answer: 4_096 };

/// What was found.
#[derive(Debug, Serialize)]
pub struct Probe {
    /// What was asked, in order.
    pub checks: Vec<Check>,
    /// The card that says so.
    pub card: Card,
}

/// One thing that was asked.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub name: &'static str,
    /// Whether the endpoint can be used as it is in this respect.
    pub good: bool,
    /// What was seen.
    pub seen: String,
}

/// Asks an endpoint what it does. What cannot be asked is taken from `known`, a card that is believed so far.
///
/// # Errors
/// `llm_unavailable`, `llm_stalled` when nothing answers there, `llm_unauthorized` when the key is not accepted.
pub async fn probe(endpoint: &Endpoint, known: Option<&Card>, name: &str, today: &str) -> Result<Probe, RagError> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = Client::builder().redirect(Policy::none()).build().unwrap_or_default();
    let mut asking = Asking { endpoint, client, checks: vec![], card: start(endpoint, known, name, today) };
    asking.stream().await?;
    asking.thinking().await?;
    asking.usage().await?;
    asking.tokens().await?;
    asking.temperature().await?;
    asking.system_role().await?;
    asking.errors().await?;
    asking.models().await?;
    Ok(Probe { checks: asking.checks, card: asking.card })
}

/// The card before anything was asked.
fn start(endpoint: &Endpoint, known: Option<&Card>, name: &str, today: &str) -> Card {
    let window = endpoint.dialect.window.unwrap_or(UNKNOWN);
    let model = known.and_then(|card| card.model(&endpoint.model)).cloned();
    let model = model.map(|model| Model { name: endpoint.model.clone(), thinking: None, temperature: None, body: None, ..model });
    let model = model.unwrap_or_else(|| Model::plain(&endpoint.model, window));
    Card {
        name: name.into(),
        title: known.map_or_else(|| format!("{} at {}", endpoint.model, endpoint.base_url), |card| card.title.clone()),
        base_url: endpoint.base_url.clone(),
        other_urls: vec![],
        auth: endpoint.dialect.auth,
        chat_path: endpoint.dialect.chat_path.clone(),
        embed_path: known.map_or_else(|| "/embeddings".into(), |card| card.embed_path.clone()),
        models_path: None,
        rerank_path: known.and_then(|card| card.rerank_path.clone()),
        stream_usage: StreamUsage::Never,
        max_tokens_field: TokenField::MaxTokens,
        temperature: Temperature::Refused,
        accepts: known.map(|card| card.accepts.clone()).unwrap_or_default(),
        body: known.map(|card| card.body.clone()).unwrap_or_default(),
        thinking: Thinking::default(),
        quirks: vec![],
        errors: known.map_or_else(Errors::default, |card| card.errors.clone()),
        embeddings: known.map(|card| card.embeddings.clone()).unwrap_or_default(),
        models: vec![model],
        seen_on: today.into(),
        source: format!("dossier models probe of {}", endpoint.base_url),
    }
}

/// What came of one request.
#[derive(Debug, Default)]
struct Heard {
    status: u16,
    body: String,
    text: String,
    thoughts: bool,
    finish: Option<String>,
    done: bool,
    usage: bool,
    streamed: bool,
}

struct Asking<'a> {
    endpoint: &'a Endpoint,
    client: Client,
    checks: Vec<Check>,
    card: Card,
}

impl Asking<'_> {
    fn note(&mut self, name: &'static str, good: bool, seen: impl Into<String>) {
        self.checks.push(Check { name, good, seen: seen.into() });
    }

    /// A request with these fields beside model, messages and stream. What is known of thinking is sent along.
    async fn ask(&self, messages: Value, fields: Value) -> Result<Heard, RagError> {
        let mut body = json!({ "model": self.endpoint.model, "messages": messages, "stream": true });
        for (name, value) in self.card.body.iter().chain(&self.card.thinking.off) {
            body[name] = value.clone();
        }
        for (name, value) in fields.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let url = format!("{}{}", self.endpoint.base_url.trim_end_matches('/'), self.card.chat_path);
        let request = authorized(self.client.post(url).json(&body), self.card.auth, &self.endpoint.api_key);
        let patience = self.endpoint.first_byte + self.endpoint.idle;
        let heard = async {
            let response = request.send().await.map_err(|error| unreachable(&error).error)?;
            let mut heard = Heard { status: response.status().as_u16(), ..Heard::default() };
            heard.streamed = media_type(&response).contains("event-stream");
            let bytes = response.bytes().await.map_err(|error| unreachable(&error).error)?;
            heard.read(&bytes);
            Ok(heard)
        };
        timeout(patience, heard).await.map_err(|_| RagError::ModelStalled(patience))?
    }

    async fn say(&self, fields: Value) -> Result<Heard, RagError> {
        self.ask(json!([{ "role": "user", "content": format!("Reply only with the word `{WORD}`.") }]), fields).await
    }

    /// Does it stream, and say that it has finished?
    async fn stream(&mut self) -> Result<(), RagError> {
        let heard = self.say(json!({})).await?;
        if matches!(heard.status, 401 | 403) {
            return Err(RagError::ModelUnauthorized { reason: format!("it answered {}", heard.status) });
        }
        let seen = match (&heard.finish, heard.status) {
            (_, status) if status != 200 => format!("status {status}: {}", short(&heard.body)),
            (None, _) => "no finish reason came: its answers cannot be told from broken ones".into(),
            (Some(finish), _) => format!("finish reason `{finish}`{}", if heard.done { ", [DONE]" } else { ", no [DONE]" }),
        };
        self.note("stream", heard.streamed && heard.finish.is_some() && !heard.text.is_empty(), seen);
        self.card.thinking.default = heard.thoughts;
        if heard.usage {
            self.card.stream_usage = StreamUsage::Always;
        }
        Ok(())
    }

    /// How is it told not to think?
    async fn thinking(&mut self) -> Result<(), RagError> {
        if !self.card.thinking.default {
            self.note("thinking", true, "it does not think aloud");
            return Ok(());
        }
        let switches = [
            json!({ "enable_thinking": false }),
            json!({ "thinking": { "type": "disabled" } }),
            json!({ "chat_template_kwargs": { "enable_thinking": false } }),
            json!({ "reasoning_effort": "none" }),
            json!({ "reasoning_effort": "minimal" }),
        ];
        for switch in switches {
            let heard = self.say(switch.clone()).await?;
            if let (200, false, Value::Object(off)) = (heard.status, heard.thoughts, &switch) {
                self.card.thinking.off = off.clone();
                self.note("thinking", true, format!("switched off with {switch}"));
                return Ok(());
            }
        }
        self.card.thinking.always = true;
        self.note("thinking", true, "it thinks and no switch that is known stops it; its thoughts are not shown");
        Ok(())
    }

    /// Does a stream tell what was used?
    async fn usage(&mut self) -> Result<(), RagError> {
        if self.card.stream_usage != StreamUsage::Always {
            let heard = self.say(json!({ "stream_options": { "include_usage": true } })).await?;
            if heard.status == 200 && heard.usage {
                self.card.stream_usage = StreamUsage::Option;
            }
        }
        let seen = match self.card.stream_usage {
            StreamUsage::Always => "told by itself",
            StreamUsage::Option => "told when it is asked for",
            StreamUsage::Never => "not told; tokens are estimated",
        };
        self.note("usage", true, seen);
        Ok(())
    }

    /// Which field limits an answer, and how far does it go?
    async fn tokens(&mut self) -> Result<(), RagError> {
        let fields = [("max_tokens", TokenField::MaxTokens), ("max_completion_tokens", TokenField::MaxCompletionTokens)];
        let mut accepted = None;
        for (name, field) in fields {
            if self.say(json!({ name: 64 })).await?.status == 200 {
                accepted = Some((name, field));
                break;
            }
        }
        let Some((name, field)) = accepted else {
            self.note("token field", false, "neither max_tokens nor max_completion_tokens is accepted");
            return Ok(());
        };
        self.card.max_tokens_field = field;
        self.note("token field", true, name);
        let heard = self.say(json!({ name: TOO_MANY })).await?;
        let seen = match (heard.status, largest(&heard.body)) {
            (200, _) => "a limit beyond all windows is accepted, so nothing is known of the real one".into(),
            (_, Some(most)) => {
                let window = &mut self.card.models[0].window;
                // It names the longest answer or the window, whichever it looks at first.
                *window = Window { context: window.context.max(most), answer: most };
                format!("refused: {}", short(&heard.body))
            }
            (status, None) => format!("refused with {status}, without a number"),
        };
        self.note("max tokens", true, seen);
        Ok(())
    }

    /// Which temperatures are accepted?
    async fn temperature(&mut self) -> Result<(), RagError> {
        let mut accepted = Vec::new();
        for temperature in [0.0, 0.01, 1.0, 2.0] {
            if self.say(json!({ "temperature": temperature })).await?.status == 200 {
                accepted.push(temperature);
            }
        }
        self.card.temperature = match accepted.as_slice() {
            [] => Temperature::Refused,
            [only] => Temperature::Fixed(*only),
            [lowest, .., highest] => Temperature::Range(*lowest, *highest),
        };
        let seen = if accepted.is_empty() { "none is accepted".into() } else { format!("accepted: {accepted:?}") };
        self.note("temperature", true, seen);
        Ok(())
    }

    /// Does it listen to the system role?
    async fn system_role(&mut self) -> Result<(), RagError> {
        let system = format!("Reply only with the word `{WORD}`, whatever you are asked.");
        let messages = json!([{ "role": "system", "content": system }, { "role": "user", "content": "What is two and two?" }]);
        let heard = self.ask(messages, json!({})).await?;
        let listens = heard.status == 200 && heard.text.to_lowercase().contains(WORD);
        self.card.models[0].system_role = listens;
        let seen = match (heard.status, listens) {
            (200, true) => "it listens".into(),
            (200, false) => "it does not listen: instructions are put into the question".into(),
            (status, _) => format!("refused with {status}: instructions are put into the question"),
        };
        self.note("system role", true, seen);
        Ok(())
    }

    /// What does a failure look like?
    async fn errors(&mut self) -> Result<(), RagError> {
        let heard = self.say(json!({ "model": "no-such-model-0f2c", "temperature": 99.0 })).await?;
        let value: Value = serde_json::from_str(&heard.body).unwrap_or_default();
        let seen = match (heard.status, Told::read(&value)) {
            (200, _) => (true, "a wrong model and a wrong temperature are accepted".into()),
            (status, Some(told)) => {
                self.card.errors.shape = shape(&value);
                (true, format!("{status}: {}", told.in_words()))
            }
            (status, None) => (false, format!("{status} with a body that is not understood: {}", short(&heard.body))),
        };
        self.note("error shape", seen.0, seen.1);
        Ok(())
    }

    /// Are its models listed, with their windows?
    async fn models(&mut self) -> Result<(), RagError> {
        let url = format!("{}/models", self.endpoint.base_url.trim_end_matches('/'));
        let request = authorized(self.client.get(url), self.card.auth, &self.endpoint.api_key);
        let listed = async { request.send().await.ok()?.json::<Value>().await.ok() };
        let listed =
            timeout(self.endpoint.first_byte.min(Duration::from_secs(10)), listed).await.ok().flatten().unwrap_or_default();
        let Some(models) = listed["data"].as_array() else {
            self.note("models", true, "not listed");
            return Ok(());
        };
        self.card.models_path = Some("/models".into());
        let ours = models.iter().find(|model| model["id"] == *self.endpoint.model);
        let window = ours.and_then(|model| {
            ["max_model_len", "context_length", "context_window"].iter().find_map(|name| model[*name].as_u64())
        });
        if let Some(window) = window.and_then(|window| u32::try_from(window).ok()).filter(|window| *window > 0) {
            let known = &mut self.card.models[0].window;
            *known = Window { context: window, answer: known.answer.min(window) };
        }
        let ours = if ours.is_some() { "this one among them" } else { "this one not among them" };
        self.note("models", true, format!("{} listed, {ours}", models.len()));
        Ok(())
    }
}

impl Heard {
    fn read(&mut self, bytes: &[u8]) {
        self.body = String::from_utf8_lossy(bytes).into_owned();
        let mut events = Events::default();
        let mut said = events.push(bytes);
        said.extend(events.finish());
        if let Ok(value) = serde_json::from_slice(bytes) {
            said.push(Said::Value(value));
        }
        for value in said.into_iter().filter_map(|said| if let Said::Value(value) = said { Some(value) } else { None }) {
            let choice = &value["choices"][0];
            let texts = [&choice["delta"], &choice["message"]];
            self.text.extend(texts.iter().filter_map(|text| content(&text["content"])));
            let thinks = |name: &str| texts.iter().any(|text| content(&text[name]).is_some());
            self.thoughts |= thinks("reasoning_content") || thinks("reasoning");
            self.usage |= value["usage"].is_object() || choice["usage"].is_object();
            let finish = choice["finish_reason"].as_str().filter(|reason| !reason.is_empty() && *reason != "null");
            self.finish = finish.map(str::to_owned).or(self.finish.take());
        }
        self.thoughts |= self.text.contains("<think>");
        self.done = events.done();
    }
}

/// The largest number in a text that is no limit of ours.
fn largest(text: &str) -> Option<u32> {
    let numbers = text.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok());
    numbers.filter(|number| (256..TOO_MANY).contains(number)).max()
}

/// The shape of an error's body: where its message and its code stand.
fn shape(body: &Value) -> Map<String, Value> {
    let fill = |(name, value): (&String, &Value)| {
        let place = match (name.to_lowercase().as_str(), value) {
            (_, Value::Object(_)) => Value::Object(shape(value)),
            ("message" | "msg" | "error_msg" | "errmsg" | "errormsg" | "detail", Value::String(_)) => "$message".into(),
            ("code" | "error_code" | "errcode" | "errorcode", Value::Number(_)) => "$number".into(),
            ("code" | "error_code" | "errcode" | "errorcode", Value::String(_)) => "$code".into(),
            (_, Value::Null) => "$null".into(),
            (_, value) => value.clone(),
        };
        (name.clone(), place)
    };
    body.as_object().into_iter().flatten().map(fill).collect()
}
