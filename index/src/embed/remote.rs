//! An encoder behind an OpenAI-shaped `/embeddings` endpoint. Texts are cut into requests by what the endpoint takes (texts,
//! tokens of one, tokens of all), a few requests run at a time, and one that is turned away waits as long as it is told to,
//! and the others with it. What comes back is believed only if it is whole: as many vectors as texts, each in its place, of
//! the length of the space, finite.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, future::BoxFuture, stream};
use parking_lot::Mutex;
use reqwest::{Response, StatusCode, header::RETRY_AFTER};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Embedder, Space};
use crate::{IndexError, scope::Call};

/// How often a request is tried before it fails.
const TRIES: u32 = 6;
/// The first pause of one that was not told how long to wait; it doubles.
const PAUSE: Duration = Duration::from_millis(500);
/// No pause is longer.
const LONGEST: Duration = Duration::from_secs(60);
/// A text that is refused at this length is refused for another reason.
const SHORTEST: usize = 64;
/// What is shown of a body that is no answer.
const SHOWN: usize = 200;

/// Where vectors are made, and what may be sent there.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Up to what comes before the path.
    pub base_url: String,
    /// The path, `/embeddings` on most platforms.
    pub path: String,
    /// The header that carries the key, and what it says.
    pub key: Option<(String, String)>,
    /// The model's name there.
    pub model: String,
    /// The length that vectors are asked to have; most models have one of their own.
    pub ask_dimensions: Option<usize>,
    /// In front of a question.
    pub query_prefix: String,
    /// In front of a passage.
    pub passage_prefix: String,
    /// Most texts in a request.
    pub max_batch: usize,
    /// Most tokens of a text.
    pub max_tokens_each: usize,
    /// Most tokens of a request.
    pub max_tokens_total: usize,
    /// Most requests at a time.
    pub concurrency: usize,
    /// Longest that one request may take.
    pub timeout: Duration,
}

/// An encoder behind an endpoint. Cloning shares it.
#[derive(Clone)]
pub struct Remote(Arc<Inner>);

struct Inner {
    endpoint: Endpoint,
    host: String,
    url: String,
    space: Space,
    client: reqwest::Client,
    /// Nothing is sent before: someone was told to wait.
    not_before: Mutex<Instant>,
    /// Texts in a request: the endpoint's cap, or less once it refused so many.
    batch: AtomicUsize,
    requests: tokio::sync::Semaphore,
}

impl Endpoint {
    /// The part of a space's name that says where its vectors are made.
    pub fn runtime(&self) -> String {
        format!("endpoint:{}", host(&self.base_url))
    }

    /// The space of vectors of this length made there.
    pub fn space(&self, dimensions: usize, beta: f32, cosine_floor: f32) -> Space {
        let what = json!([self.query_prefix, self.passage_prefix, dimensions]).to_string();
        Space {
            model: self.model.clone(),
            runtime: self.runtime(),
            checksum: blake3::hash(what.as_bytes()).to_hex()[..12].to_owned(),
            dimensions,
            beta,
            cosine_floor,
        }
    }
}

impl Remote {
    /// An encoder at an endpoint whose vectors are known to be of this length. Nothing is sent.
    ///
    /// # Errors
    /// `embedder_unavailable` if no client can be made.
    pub fn new(endpoint: Endpoint, dimensions: usize, beta: f32, cosine_floor: f32) -> Result<Self, IndexError> {
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = reqwest::Client::builder().timeout(endpoint.timeout).connect_timeout(Duration::from_secs(10)).build();
        let client = client.map_err(|e| IndexError::Encoder(e.to_string()))?;
        Ok(Self(Arc::new(Inner {
            host: host(&endpoint.base_url),
            url: format!("{}{}", endpoint.base_url.trim_end_matches('/'), endpoint.path),
            space: endpoint.space(dimensions, beta, cosine_floor),
            client,
            not_before: Mutex::new(Instant::now()),
            batch: AtomicUsize::new(endpoint.max_batch.max(1)),
            requests: tokio::sync::Semaphore::new(endpoint.concurrency.max(1)),
            endpoint,
        })))
    }

    /// The length of the vectors there, by asking for one.
    ///
    /// # Errors
    /// See [`Embedder::query`].
    pub async fn dimensions(endpoint: &Endpoint, call: &Call) -> Result<usize, IndexError> {
        let any = Self::new(endpoint.clone(), 0, 0.0, 0.0)?;
        let vectors = any.0.request(call, vec!["1".to_owned()]).await?;
        Ok(vectors.first().map_or(0, Vec::len))
    }
}

#[async_trait]
impl Embedder for Remote {
    fn space(&self) -> &Space {
        &self.0.space
    }

    async fn passages(&self, call: &Call, texts: &[String]) -> Result<Vec<Vec<f32>>, IndexError> {
        let prefix = &self.0.endpoint.passage_prefix;
        let texts: Vec<String> = texts.iter().map(|text| self.0.prepared(prefix, text)).collect();
        let batches = self.0.batches(texts);
        let work = batches.into_iter().map(|batch| self.0.request(call, batch));
        let vectors: Vec<Vec<Vec<f32>>> = stream::iter(work).buffered(self.0.endpoint.concurrency.max(1)).try_collect().await?;
        Ok(vectors.into_iter().flatten().collect())
    }

    async fn query(&self, call: &Call, text: &str) -> Result<Vec<f32>, IndexError> {
        let text = self.0.prepared(&self.0.endpoint.query_prefix, text);
        let vector = self.0.request(call, vec![text]).await?.pop();
        vector.ok_or_else(|| self.0.answer("it sent none"))
    }
}

/// What came of one try.
enum Outcome {
    Vectors(Vec<Vec<f32>>),
    /// It is too much for one request.
    TooMuch(String),
    /// It may pass later.
    Later {
        pause: Option<Duration>,
        busy: bool,
        reason: String,
    },
    Failed(IndexError),
}

/// A reply of the usual shape.
#[derive(Deserialize)]
struct Reply {
    data: Data,
    #[serde(default)]
    usage: Value,
}

/// One platform sends an object for its one text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Data {
    Many(Vec<Vector>),
    One(Vector),
}

#[derive(Deserialize)]
struct Vector {
    index: Option<usize>,
    embedding: Vec<f32>,
}

impl Inner {
    /// A text as it is sent: no longer than the model reads.
    fn prepared(&self, prefix: &str, text: &str) -> String {
        // An empty text is refused by most.
        let text = if text.trim().is_empty() { "-" } else { text };
        let mut room = self.endpoint.max_tokens_each as f32;
        let end = text.char_indices().find(|(_, c)| {
            room -= weight(*c);
            room < 0.0
        });
        format!("{prefix}{}", &text[..end.map_or(text.len(), |(at, _)| at)])
    }

    /// Texts cut into requests, in order.
    fn batches(&self, texts: Vec<String>) -> Vec<Vec<String>> {
        let most = self.batch.load(Relaxed);
        let (mut batches, mut sum): (Vec<Vec<String>>, usize) = (Vec::new(), 0);
        for text in texts {
            let tokens = tokens(&text);
            match batches.last_mut() {
                Some(batch) if batch.len() < most && sum + tokens <= self.endpoint.max_tokens_total => batch.push(text),
                _ => {
                    batches.push(vec![text]);
                    sum = 0;
                }
            }
            sum += tokens;
        }
        batches
    }

    /// The vectors of a few texts, however often it takes.
    fn request<'a>(&'a self, call: &'a Call, texts: Vec<String>) -> BoxFuture<'a, Result<Vec<Vec<f32>>, IndexError>> {
        Box::pin(async move {
            let mut tries = 0;
            loop {
                tries += 1;
                match self.try_once(call, &texts).await? {
                    Outcome::Vectors(vectors) => return Ok(vectors),
                    Outcome::TooMuch(reason) => return self.halved(call, texts, reason).await,
                    Outcome::Failed(error) => return Err(error),
                    Outcome::Later { pause, busy, reason } => {
                        let pause = pause.unwrap_or_else(|| jitter(PAUSE * 2_u32.pow(tries - 1))).min(LONGEST);
                        if tries == TRIES || pause >= call.left() {
                            let host = self.host.clone();
                            return Err(match busy {
                                true => IndexError::EncoderBusy { host, tries },
                                false => IndexError::Encoder(format!("{host}: {reason}")),
                            });
                        }
                        let mut not_before = self.not_before.lock();
                        *not_before = (*not_before).max(Instant::now() + pause);
                    }
                }
            }
        })
    }

    /// The same texts in two requests; a single text by its first half.
    async fn halved(&self, call: &Call, mut texts: Vec<String>, reason: String) -> Result<Vec<Vec<f32>>, IndexError> {
        if let [text] = texts.as_mut_slice() {
            let half = text.chars().count() / 2;
            if half < SHORTEST {
                return Err(self.answer(&reason));
            }
            return self.request(call, vec![text.chars().take(half).collect()]).await;
        }
        let second = texts.split_off(texts.len().div_ceil(2));
        self.batch.fetch_min(texts.len(), Relaxed);
        let mut vectors = self.request(call, texts).await?;
        vectors.extend(self.request(call, second).await?);
        Ok(vectors)
    }

    async fn try_once(&self, call: &Call, texts: &[String]) -> Result<Outcome, IndexError> {
        let late = |_| IndexError::Deadline { doing: "waiting for the encoder" };
        let turn = async {
            let turn = self.requests.acquire().await;
            loop {
                let until = *self.not_before.lock();
                if until <= Instant::now() {
                    return turn;
                }
                tokio::time::sleep_until(until.into()).await;
            }
        };
        let turn = tokio::time::timeout(call.left(), turn).await.map_err(late)?;
        let mut body = json!({ "model": self.endpoint.model, "input": texts, "encoding_format": "float" });
        if let Some(dimensions) = self.endpoint.ask_dimensions {
            body["dimensions"] = dimensions.into();
        }
        let mut request = self.client.post(&self.url).json(&body);
        if let Some((name, value)) = &self.endpoint.key {
            request = request.header(name, value);
        }
        let work = async {
            match request.send().await {
                Ok(response) => self.read(call, texts, response).await,
                Err(error) => Outcome::Later { pause: None, busy: false, reason: worded(&error) },
            }
        };
        let outcome = tokio::time::timeout(call.left(), work).await.map_err(late);
        drop(turn);
        outcome
    }

    async fn read(&self, call: &Call, texts: &[String], response: Response) -> Outcome {
        let status = response.status();
        let told = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let body = match response.bytes().await {
            Ok(body) => body,
            Err(error) => return Outcome::Later { pause: None, busy: false, reason: worded(&error) },
        };
        let value: Value = serde_json::from_slice(&body).unwrap_or_default();
        let said = said(&value, &body);
        let later = |busy| Outcome::Later { pause: told.map(Duration::from_secs), busy, reason: format!("{status}: {said}") };
        match status {
            status if status.is_success() => match serde_json::from_value::<Reply>(value) {
                Ok(reply) => {
                    let used = ["total_tokens", "prompt_tokens"].iter().find_map(|name| reply.usage[name].as_u64());
                    call.meter.embedded(used.unwrap_or_else(|| texts.iter().map(|text| tokens(text) as u64).sum()));
                    self.placed(reply.data, texts.len()).map_or_else(Outcome::Failed, Outcome::Vectors)
                }
                Err(_) => Outcome::Failed(self.answer(&format!("it sent {said}"))),
            },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Outcome::Failed(IndexError::EncoderKey { host: self.host.clone(), status: status.as_u16() })
            }
            StatusCode::PAYLOAD_TOO_LARGE => Outcome::TooMuch(format!("{status}: {said}")),
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY if too_much(&said) => {
                Outcome::TooMuch(format!("{status}: {said}"))
            }
            StatusCode::TOO_MANY_REQUESTS => later(true),
            StatusCode::REQUEST_TIMEOUT => later(false),
            status if status.is_server_error() => later(false),
            status => Outcome::Failed(self.answer(&format!("{status}: {said}"))),
        }
    }

    /// Vectors in the order of their texts, at unit length.
    fn placed(&self, data: Data, texts: usize) -> Result<Vec<Vec<f32>>, IndexError> {
        let sent = match data {
            Data::Many(vectors) => vectors,
            Data::One(vector) => vec![vector],
        };
        if sent.len() != texts {
            return Err(self.answer(&format!("it sent {} vectors for {texts} texts", sent.len())));
        }
        let mut vectors = vec![Vec::new(); texts];
        for (at, vector) in sent.into_iter().enumerate() {
            let at = vector.index.unwrap_or(at);
            let wanted = self.space.dimensions;
            if wanted > 0 && vector.embedding.len() != wanted {
                let got = vector.embedding.len();
                return Err(self.answer(&format!(
                    "a vector has {got} numbers instead of {wanted}; set embedding.dimensions, or build an index for {got}"
                )));
            }
            let norm = vector.embedding.iter().map(|v| v * v).sum::<f32>().sqrt();
            if !norm.is_finite() || norm == 0.0 {
                return Err(self.answer("a vector has no finite length"));
            }
            match vectors.get_mut(at) {
                Some(place) if place.is_empty() => *place = vector.embedding.iter().map(|v| v / norm).collect(),
                _ => {
                    return Err(
                        self.answer(&format!("the places of its vectors do not fit: there are two for {at}, or too many"))
                    );
                }
            }
        }
        Ok(vectors)
    }

    fn answer(&self, reason: &str) -> IndexError {
        IndexError::EncoderAnswer { host: self.host.clone(), reason: reason.into() }
    }
}

/// Tokens that a text has at most, more or less: each vendor counts in its own way.
fn tokens(text: &str) -> usize {
    text.chars().map(weight).sum::<f32>().ceil() as usize
}

fn weight(c: char) -> f32 {
    if c.is_ascii() { 0.3 } else { 1.3 }
}

/// Whether an error speaks of too many or too long texts.
fn too_much(said: &str) -> bool {
    let said = said.to_lowercase();
    ["batch size", "too many", "too long", "too large", "maximum context", "max_tokens", "maximum number", "exceed"]
        .iter()
        .any(|words| said.contains(words))
}

/// What an error's body says, or how it begins.
fn said(value: &Value, body: &[u8]) -> String {
    let message = ["/error/message", "/message", "/error", "/detail"].iter().find_map(|path| value.pointer(path)?.as_str());
    match message {
        Some(message) => message.chars().take(SHOWN).collect(),
        None if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<') => "a web page".into(),
        None if body.is_empty() => "nothing".into(),
        None => format!("`{}`", String::from_utf8_lossy(body).chars().take(SHOWN).collect::<String>()),
    }
}

fn worded(error: &reqwest::Error) -> String {
    match error {
        error if error.is_connect() => "no connection can be made".into(),
        error if error.is_timeout() => "it did not answer in time (embedding.timeout)".into(),
        _ => "the connection broke off".into(),
    }
}

/// The host of an address: enough for a person, and no secret that stands in a path.
fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?']).next().unwrap_or(rest);
    host.rsplit_once('@').map_or(host, |(_, host)| host).to_owned()
}

/// Half to all of a pause, so that those who were turned away together do not come back together.
fn jitter(pause: Duration) -> Duration {
    let random = uuid::Uuid::now_v7().as_bytes()[15];
    pause.mul_f64(0.5 + f64::from(random) / 512.0)
}

#[cfg(test)]
mod tests;
