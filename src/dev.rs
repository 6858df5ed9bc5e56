//! A model server to develop and test against: it speaks the dialect of a card, refuses what that platform refuses, and
//! misbehaves by name.
//!
//! It knows nothing: its answer is the longest line of the first passage it is shown ([`words`]). It speaks raw HTTP, because
//! much of what it does is none.

use std::{io::Write, sync::Arc, time::Duration};

use clap::ValueEnum;
use rag::card::{Auth, Card, Errors, Quirk, StreamUsage, Temperature, TokenField};
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Mutex,
    time::sleep,
};

use words::quote;

mod words;

/// What it does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Misbehave {
    /// Takes the question and says nothing.
    Stall,
    /// Breaks the connection in the middle of the answer.
    Cut,
    /// Ends in good order, but never says that it is finished.
    NoFinish,
    /// Sends a byte every five seconds.
    Drip,
    /// Turns everyone away for two seconds (429 with Retry-After).
    #[value(name = "429")]
    Busy,
    /// Turns everyone away and does not say for how long.
    #[value(name = "429_silent")]
    BusySilent,
    /// Does not accept the key.
    #[value(name = "401")]
    WrongKey,
    /// Is paid for and used up.
    Quota,
    /// Fails (503).
    #[value(name = "5xx")]
    Fails,
    /// Sends the error page of a proxy (502).
    Html,
    /// Sends the page of a portal with status 200.
    #[value(name = "html_200")]
    Portal,
    /// Sends an error with status 200.
    #[value(name = "error_in_200")]
    ErrorIn200,
    /// Cuts characters in two.
    #[value(name = "split_utf8")]
    SplitUtf8,
    /// Says twice that it is finished.
    DuplicateEnd,
    /// Thinks aloud.
    ThinkInline,
    /// Sends a line of a megabyte.
    HugeLine,
    /// Quotes, and changes a digit, a unit, a year or the company in every fifth sentence.
    Liar,
    /// Does what a document tells it to.
    Gullible,
    /// Withholds the answer.
    Refuser,
    /// Sends a vector less than there are texts.
    FewerVectors,
    /// Sends vectors of another length for several texts at once.
    OtherDimension,
    /// Takes one text at a time (413 for more).
    #[value(name = "413")]
    TooLarge,
}

/// The server.
#[derive(Default)]
pub struct Fake {
    /// Whose dialect it speaks; none for the plain OpenAI shape.
    pub card: Option<Card>,
    /// What it does wrong.
    pub misbehave: Option<Misbehave>,
    /// Where the liar writes down what it said, one JSON line per answer.
    pub log: Option<std::fs::File>,
    /// Sentences of the liar so far.
    pub said: Mutex<usize>,
}

/// A request that was read.
struct Request {
    line: String,
    head: String,
    body: Value,
}

impl Fake {
    /// Serves until the future is dropped.
    pub async fn serve(self, listener: TcpListener) {
        let fake = Arc::new(self);
        loop {
            let Ok((mut socket, _)) = listener.accept().await else { continue };
            let fake = fake.clone();
            tokio::spawn(async move {
                socket.set_nodelay(true).ok();
                if let Some(request) = read(&mut socket).await {
                    fake.reply(&mut socket, &request).await.ok();
                }
                socket.shutdown().await.ok();
            });
        }
    }

    async fn reply(&self, socket: &mut TcpStream, request: &Request) -> std::io::Result<()> {
        let response = if request.line.starts_with("GET") && request.line.contains("/models") {
            match self.card.as_ref().is_some_and(|card| card.models_path.is_none()) {
                true => self.error(404, "not_found", "no such path"),
                false => plain(200, "", &json!({ "object": "list", "data": [{ "id": self.model(), "object": "model" }] })),
            }
        } else if request.line.starts_with("POST") && request.line.contains("/embeddings") {
            self.refused(self.misbehave).unwrap_or_else(|| self.vectors(&request.body))
        } else if !request.line.starts_with("POST") || !request.line.contains("/chat/completions") {
            self.error(404, "not_found", "no such path")
        } else if let Some(refusal) = self.refusal(request) {
            refusal
        } else {
            return self.answer(socket, request).await;
        };
        socket.write_all(response.as_bytes()).await
    }

    fn model(&self) -> String {
        self.card.as_ref().and_then(Card::first_model).unwrap_or("fake").to_owned()
    }

    /// What the platform does not accept.
    fn refusal(&self, request: &Request) -> Option<String> {
        let card = self.card.as_ref()?;
        let body = &request.body;
        // Any key will do, sent in the platform's way.
        let wrong_way = match card.auth {
            Auth::ApiKey => "authorization: ",
            _ => "api-key: ",
        };
        if request.head.contains(&format!("\r\n{wrong_way}")) {
            return Some(self.error(401, "invalid_api_key", "the key is not sent like this"));
        }
        let name = body["model"].as_str().unwrap_or_default();
        let model = card.model(name);
        let invalid = |message: String| Some(self.error(400, "invalid_parameter_error", &message));
        let temperature = body["temperature"].as_f64();
        match (model.and_then(|model| model.temperature).unwrap_or(card.temperature), temperature) {
            (Temperature::Refused, Some(_)) => return invalid("temperature is not supported with this model".into()),
            (Temperature::Fixed(only), Some(given)) if given != only => {
                return invalid(format!("invalid temperature: only {only} is allowed for this model"));
            }
            (Temperature::Range(min, max), Some(given)) if !(min..=max).contains(&given) => {
                return invalid(format!("temperature must be within {min} and {max}"));
            }
            _ => {}
        }
        if card.max_tokens_field == TokenField::MaxCompletionTokens && !body["max_tokens"].is_null() {
            return invalid("max_tokens is not supported with this model; use max_completion_tokens".into());
        }
        let Some(window) = model.map(|model| model.window) else {
            return Some(self.error(404, "model_not_found", &format!("the model `{name}` does not exist")));
        };
        let limit = body["max_tokens"].as_u64().or(body["max_completion_tokens"].as_u64()).unwrap_or_default();
        if limit > u64::from(window.answer) {
            return invalid(format!("max_tokens must be at most {}", window.answer));
        }
        let characters = prompt(body, true).chars().count() as u64;
        if characters / 4 + limit > u64::from(window.context) {
            return invalid(format!("this model's maximum context length is {} tokens", window.context));
        }
        if self.thinks(body) && body["stream"] != true && self.has(Quirk::ThinksInStreams) {
            return invalid("parameter.enable_thinking must be set to false for non-streaming calls".into());
        }
        None
    }

    /// What it does wrong. In the plain shape a model that is called like a misbehaviour has it.
    fn does(&self, body: &Value) -> Option<Misbehave> {
        let named = || body["model"].as_str().and_then(|name| Misbehave::from_str(name, false).ok());
        self.misbehave.or_else(|| named().filter(|_| self.card.is_none()))
    }

    /// Whether it listens to the system role.
    fn listens(&self, body: &Value) -> bool {
        let name = body["model"].as_str().unwrap_or_default();
        self.card.as_ref().and_then(|card| card.model(name)).is_none_or(|model| model.system_role)
    }

    /// Whether it thinks, because nobody told it not to.
    fn thinks(&self, body: &Value) -> bool {
        let Some(card) = &self.card else { return false };
        let model = body["model"].as_str().and_then(|name| card.model(name));
        let thinking = model.and_then(|model| model.thinking.as_ref()).unwrap_or(&card.thinking);
        let told = !thinking.off.is_empty() && thinking.off.iter().all(|(name, value)| body[name] == *value);
        thinking.always || (thinking.default && !told)
    }

    /// An error as the platform words it.
    fn error(&self, status: u16, code: &str, message: &str) -> String {
        plain(status, "", &self.error_body(code, message))
    }

    fn error_body(&self, code: &str, message: &str) -> Value {
        match &self.card {
            Some(card) => Errors::body(&card.errors.shape, code, message),
            None => json!({ "error": { "message": message, "type": "error", "param": null, "code": code } }),
        }
    }

    fn has(&self, quirk: Quirk) -> bool {
        self.card.as_ref().is_some_and(|card| card.quirks.contains(&quirk))
    }

    /// What everyone is told whom it turns away, whatever they want.
    fn refused(&self, does: Option<Misbehave>) -> Option<String> {
        use Misbehave::*;
        let code = |pick: fn(&Card) -> &Vec<String>, other: &str| {
            self.card.as_ref().and_then(|card| pick(card).first().cloned()).unwrap_or_else(|| other.into())
        };
        let busy = code(|card| &card.errors.retryable, "rate_limit_exceeded");
        match does {
            Some(Busy) => Some(plain(429, "retry-after: 2\r\n", &self.error_body(&busy, "slow down"))),
            Some(BusySilent) => Some(self.error(429, &busy, "slow down")),
            Some(Quota) => Some(self.error(429, &code(|card| &card.errors.quota, "insufficient_quota"), "used up")),
            Some(WrongKey) => Some(self.error(401, "invalid_api_key", "this key is not known")),
            Some(Fails) => Some(self.error(503, "server_error", "the server had an error")),
            Some(ErrorIn200) => Some(self.error(200, "internal", "out of memory")),
            Some(Portal) => Some(head(200, "text/html", "") + "<html><body><h1>Sign in to the network</h1></body></html>"),
            Some(Html) => Some(head(502, "text/html", "") + "<html><body><h1>502 Bad Gateway</h1></body></html>"),
            _ => None,
        }
    }

    /// Vectors of texts: each word and pair of Han characters adds to a place of its own, so that texts of like words are near.
    fn vectors(&self, body: &Value) -> String {
        let texts: Vec<&str> = match &body["input"] {
            Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
            Value::String(text) => vec![text],
            _ => return self.error(400, "invalid_parameter_error", "input is missing"),
        };
        let known = self.card.as_ref().and_then(|card| card.embedding(body["model"].as_str().unwrap_or_default()));
        if let Some(most) = known.map(|model| model.max_batch as usize).filter(|most| texts.len() > *most) {
            let message = format!("Value error, batch size is invalid, it should not be larger than {most}.");
            return self.error(400, "InvalidParameter", &message);
        }
        if self.misbehave == Some(Misbehave::TooLarge) && texts.len() > 1 {
            return self.error(413, "request_too_large", "one text at a time");
        }
        let mut dimensions = body["dimensions"].as_u64().map_or(64, |asked| asked.clamp(1, 4096) as usize);
        if self.misbehave == Some(Misbehave::OtherDimension) && texts.len() > 1 {
            dimensions += 1;
        }
        let sent = texts.len() - usize::from(self.misbehave == Some(Misbehave::FewerVectors) && texts.len() > 1);
        let vector = |(index, text): (usize, &&str)| json!({ "object": "embedding", "index": index, "embedding": spread(text, dimensions) });
        // The last one first: who trusts the order of arrival is wrong.
        let data: Vec<Value> = texts.iter().enumerate().take(sent).map(vector).rev().collect();
        let used: usize = texts.iter().map(|text| text.chars().count().div_ceil(4)).sum();
        plain(
            200,
            "",
            &json!({ "object": "list", "data": data, "model": body["model"], "usage": { "prompt_tokens": used, "total_tokens": used } }),
        )
    }

    async fn answer(&self, socket: &mut TcpStream, request: &Request) -> std::io::Result<()> {
        use Misbehave::*;
        let does = self.does(&request.body);
        if let Some(response) = self.refused(does) {
            return socket.write_all(response.as_bytes()).await;
        }
        if does == Some(Stall) {
            return hold(socket).await;
        }
        let asked = prompt(&request.body, self.listens(&request.body));
        let text = match does {
            Some(Liar) => self.lies(&asked).await,
            Some(Gullible) => words::obey(&asked).unwrap_or_else(|| quote(&asked)),
            Some(Refuser) => "I cannot".into(),
            Some(ThinkInline) => format!("<think>The first passage will do. [1]</think>\n\n{}", quote(&asked)),
            _ => words::told(&asked).unwrap_or_else(|| quote(&asked)),
        };
        let finish = if does == Some(Refuser) { "content_filter" } else { "stop" };
        let usage = json!({ "prompt_tokens": asked.chars().count() / 4, "completion_tokens": text.chars().count() / 4 });
        if request.body["stream"] != true {
            let message = json!({ "role": "assistant", "content": text });
            let choice = json!({ "index": 0, "message": message, "finish_reason": finish });
            return socket.write_all(plain(200, "", &json!({ "choices": [choice], "usage": usage })).as_bytes()).await;
        }
        self.stream(socket, &request.body, does, &text, finish, usage).await
    }

    /// Frames as the platform writes them.
    fn wire(&self, frames: &[String]) -> String {
        match self.has(Quirk::NoBlank) {
            true => frames.iter().map(|frame| frame.replacen("data: ", "data:", 1)).collect(),
            false => frames.concat(),
        }
    }

    /// What the liar says; what it changed is written down.
    async fn lies(&self, asked: &str) -> String {
        let sentences = words::lie(asked, &mut *self.said.lock().await);
        if sentences.is_empty() {
            return quote(asked);
        }
        if let Some(mut log) = self.log.as_ref() {
            let said: Vec<_> = sentences.iter().map(|(said, _)| said).collect();
            writeln!(log, "{}", json!({ "sentences": said })).ok();
        }
        let marked = |(said, marker): (words::Said, String)| match said.text.char_indices().next_back() {
            Some((at, end @ ('.' | '。' | ';' | '；' | '!' | '！'))) => format!("{} {marker}{end}", &said.text[..at]),
            _ => format!("{} {marker}.", said.text),
        };
        sentences.into_iter().map(marked).collect::<Vec<_>>().join(" ")
    }

    #[allow(clippy::too_many_arguments)] // an answer and how it is sent
    async fn stream(
        &self,
        socket: &mut TcpStream,
        body: &Value,
        does: Option<Misbehave>,
        text: &str,
        finish: &str,
        usage: Value,
    ) -> std::io::Result<()> {
        use Misbehave::*;
        let unfinished = if self.has(Quirk::EmptyFinish) { json!("") } else { Value::Null };
        let characters: Vec<char> = text.chars().collect();
        let mut deltas: Vec<Value> = characters.chunks(5).map(|piece| json!({ "content": String::from_iter(piece) })).collect();
        if self.thinks(body) {
            match deltas.first_mut() {
                Some(first) if self.has(Quirk::ThoughtsWithText) => first["reasoning_content"] = "Let me see.".into(),
                _ => deltas.insert(0, json!({ "content": null, "reasoning_content": "Let me see." })),
            }
        }
        let mut frames: Vec<String> = deltas.into_iter().map(|content| delta(content, unfinished.clone())).collect();
        if self.has(Quirk::KeepAlive) {
            frames.insert(0, ": keep-alive\n\n".into());
        }
        if does == Some(HugeLine) {
            frames.insert(0, frame(&json!({ "choices": [{ "index": 0, "delta": {} }], "padding": "x".repeat(1 << 20) })));
        }
        if does == Some(Cut) {
            frames.truncate(frames.len().div_ceil(2));
            let response = head(200, "text/event-stream", "content-length: 1000000\r\n") + &self.wire(&frames);
            return socket.write_all(response.as_bytes()).await;
        }
        let asked = body["stream_options"]["include_usage"] == true;
        let counts = asked || self.card.as_ref().is_some_and(|card| card.stream_usage == StreamUsage::Always);
        let end = |usage: &Value| {
            let choice = json!({ "index": 0, "delta": {}, "finish_reason": finish });
            let mut end = json!({ "object": "chat.completion.chunk", "choices": [choice] });
            if !usage.is_null() {
                end["usage"] = usage.clone();
            }
            frame(&end)
        };
        let beside = counts && self.has(Quirk::UsageWithEnd);
        if does != Some(NoFinish) {
            frames.push(end(if beside { &usage } else { &Value::Null }));
        }
        if counts && !beside {
            frames.push(frame(&json!({ "choices": [], "usage": usage })));
        }
        frames.push("data: [DONE]\n\n".into());
        if does == Some(DuplicateEnd) {
            frames.extend([end(&Value::Null), "data: [DONE]\n\n".into()]);
        }
        socket.write_all(head(200, "text/event-stream", "").as_bytes()).await?;
        let bytes = self.wire(&frames).into_bytes();
        match does {
            Some(Drip) => {
                for byte in bytes {
                    socket.write_all(&[byte]).await?;
                    sleep(Duration::from_secs(5)).await;
                }
            }
            Some(SplitUtf8) => {
                for piece in bytes.chunks(7) {
                    socket.write_all(piece).await?;
                    sleep(Duration::from_millis(1)).await;
                }
            }
            _ => socket.write_all(&bytes).await?,
        }
        Ok(())
    }
}

fn head(status: u16, kind: &str, headers: &str) -> String {
    format!("HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\n{headers}connection: close\r\n\r\n")
}

fn plain(status: u16, headers: &str, body: &Value) -> String {
    let body = body.to_string();
    head(status, "application/json", &format!("{headers}content-length: {}\r\n", body.len())) + &body
}

fn frame(data: &Value) -> String {
    format!("data: {data}\n\n")
}

fn delta(delta: Value, finish_reason: Value) -> String {
    frame(
        &json!({ "object": "chat.completion.chunk", "choices": [{ "index": 0, "delta": delta, "finish_reason": finish_reason }] }),
    )
}

/// A text as a bag of words in a few places.
fn spread(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.01_f32; dimensions];
    let text = text.to_lowercase();
    let han = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
    let characters: Vec<char> = text.chars().collect();
    let pairs = characters.windows(2).filter(|two| han(two[0]) && han(two[1])).map(String::from_iter);
    let words = text.split(|c: char| !c.is_alphanumeric() || han(c)).filter(|word| !word.is_empty()).map(str::to_owned);
    for word in words.chain(pairs) {
        let hash = blake3::hash(word.as_bytes());
        let place = hash.as_bytes().iter().take(4).fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
        vector[place % dimensions] += 1.0;
    }
    vector
}

/// All messages of a request; those of the system only for who listens to them.
fn prompt(body: &Value, system: bool) -> String {
    let messages = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let heard = messages.iter().filter(|message| system || message["role"] != "system");
    heard.filter_map(|message| message["content"].as_str()).collect::<Vec<_>>().join("\n")
}

/// Stays silent until the other side leaves.
async fn hold(socket: &mut TcpStream) -> std::io::Result<()> {
    let mut rest = [0; 64];
    while socket.read(&mut rest).await? > 0 {}
    Ok(())
}

async fn read(socket: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 << 10];
    loop {
        let read = socket.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let head = text.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
        if let Some(body) = bytes.get(end + 4..end + 4 + length) {
            let body = serde_json::from_slice(body).unwrap_or_else(|_| Value::Object(Map::new()));
            return Some(Request { line: text.lines().next().unwrap_or_default().into(), head, body });
        }
    }
}
