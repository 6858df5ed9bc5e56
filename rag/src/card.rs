//! What can a model endpoint do? Cards: one file per platform, `config/models/*.toml`, compiled in, with what deviates from
//! the plain OpenAI shape as data. A folder of the operator's adds cards and replaces bundled ones of the same name.
//!
//! [`Card::dialect`] boils a card down to how one model is spoken to; `chat` knows nothing else of vendors.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::chat::failure::Told;

macro_rules! bundled {
    ($($name:literal),* $(,)?) => {
        [$((concat!("config/models/", $name, ".toml"), include_str!(concat!("../../config/models/", $name, ".toml")))),*]
    };
}

/// The cards of this program.
const BUNDLED: [(&str, &str); 15] = bundled![
    "openai",
    "azure",
    "hunyuan",
    "lkeap",
    "qianfan",
    "dashscope",
    "spark",
    "ark",
    "maas",
    "deepseek",
    "zhipu",
    "moonshot",
    "siliconflow",
    "ollama",
    "vllm",
];

/// Tokens that a model may think with before it answers, where it cannot be told not to.
const THOUGHT: u32 = 8_192;
/// Windows beyond this are mistakes of whoever wrote the card.
const WIDEST: u32 = 100_000_000;

/// One platform.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// What `llm.card` says.
    pub name: String,
    /// For a person.
    pub title: String,
    /// Up to what comes before `/chat/completions`; empty where every customer has another.
    pub base_url: String,
    /// Other addresses of the same platform.
    #[serde(default)]
    pub other_urls: Vec<String>,
    /// How the key is sent.
    pub auth: Auth,
    /// Where questions go, after the base.
    #[serde(default = "chat_path")]
    pub chat_path: String,
    /// Where texts become vectors.
    #[serde(default = "embed_path")]
    pub embed_path: String,
    /// Where the models are listed; absent if they are not.
    #[serde(default)]
    pub models_path: Option<String>,
    /// Where passages are ranked; absent if they are not.
    #[serde(default)]
    pub rerank_path: Option<String>,
    /// Whether a stream tells what was used.
    pub stream_usage: StreamUsage,
    /// The field that limits the answer: `max_tokens` or `max_completion_tokens`.
    pub max_tokens_field: TokenField,
    /// Temperatures that are accepted; an empty table for none at all.
    pub temperature: Temperature,
    /// Parameters that are accepted beyond those that every platform has.
    pub accepts: Vec<Parameter>,
    /// Fields that every request carries.
    #[serde(default)]
    pub body: Map<String, Value>,
    /// Whether its models think, and how they are told not to.
    #[serde(default)]
    pub thinking: Thinking,
    /// What its streams do beside the plain shape.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quirks: Vec<Quirk>,
    /// What its failures look like.
    pub errors: Errors,
    /// Models that make vectors.
    #[serde(default)]
    pub embeddings: Vec<Embedding>,
    /// Models that answer. A name may have `*` at either end.
    pub models: Vec<Model>,
    /// When this was last found to be so (year and month, or day).
    pub seen_on: String,
    /// Where.
    pub source: String,
}

fn chat_path() -> String {
    "/chat/completions".into()
}

fn embed_path() -> String {
    "/embeddings".into()
}

/// How a key is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// `Authorization: Bearer KEY`; there must be one.
    Bearer,
    /// `api-key: KEY`; there must be one.
    ApiKey,
    /// As a bearer, if there is one.
    #[default]
    Optional,
    /// Not at all.
    None,
}

/// Whether a stream tells what was used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamUsage {
    /// If it is asked to.
    #[default]
    Option,
    /// By itself; it is not to be asked.
    Always,
    /// Never.
    Never,
}

/// The field that limits an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum TokenField {
    #[default]
    MaxTokens,
    MaxCompletionTokens,
}

/// A parameter that not every platform accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Parameter {
    Stop,
    Seed,
    JsonObject,
    JsonSchema,
    Tools,
    ToolChoice,
    N,
}

/// Temperatures that are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "Temperatures", into = "Temperatures")]
pub enum Temperature {
    /// Those between two.
    Range(f64, f64),
    /// Only one.
    Fixed(f64),
    /// The field itself is refused.
    Refused,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Temperatures {
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fixed: Option<f64>,
}

impl TryFrom<Temperatures> for Temperature {
    type Error = String;
    fn try_from(given: Temperatures) -> Result<Self, String> {
        match (given.min, given.max, given.fixed) {
            (None, None, None) => Ok(Self::Refused),
            (None, None, Some(fixed)) if fixed >= 0.0 => Ok(Self::Fixed(fixed)),
            (Some(min), Some(max), None) if (0.0..=max).contains(&min) => Ok(Self::Range(min, max)),
            _ => Err("a temperature is `{ min, max }` with 0 ≤ min ≤ max, `{ fixed }`, or `{}` where none is accepted".into()),
        }
    }
}

impl From<Temperature> for Temperatures {
    fn from(temperature: Temperature) -> Self {
        match temperature {
            Temperature::Range(min, max) => Self { min: Some(min), max: Some(max), fixed: None },
            Temperature::Fixed(fixed) => Self { min: None, max: None, fixed: Some(fixed) },
            Temperature::Refused => Self { min: None, max: None, fixed: None },
        }
    }
}

/// Whether a model thinks before it answers.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Thinking {
    /// Whether it does if nothing is said.
    #[serde(default)]
    pub default: bool,
    /// Fields that tell it not to, or to think as little as it can.
    #[serde(default)]
    pub off: Map<String, Value>,
    /// Whether it thinks all the same; its answers then need more room.
    #[serde(default)]
    pub always: bool,
    /// Whether it answers in streams only.
    #[serde(default)]
    pub stream_only: bool,
}

/// What failures look like.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Errors {
    /// The body of an error, with `$message` and `$code` (`$number` where the code is a number, `$null` for null) where they
    /// stand in it.
    #[serde(default = "openai_error")]
    pub shape: Map<String, Value>,
    /// Codes after which the same request may pass.
    pub retryable: Vec<String>,
    /// Codes that mean: paid for, used up.
    pub quota: Vec<String>,
    /// Whether `Retry-After` is sent.
    pub retry_after: bool,
}

fn openai_error() -> Map<String, Value> {
    let error = json!({ "message": "$message", "type": "invalid_request_error", "param": "$null", "code": "$code" });
    Map::from_iter([("error".to_owned(), error)])
}

impl Default for Errors {
    fn default() -> Self {
        Self { shape: openai_error(), retryable: vec![], quota: vec![], retry_after: false }
    }
}

impl Errors {
    /// The body of an error with this code, as the platform words it.
    pub fn body(shape: &Map<String, Value>, code: &str, message: &str) -> Value {
        let fill = |value: &Value| match value {
            Value::String(place) if place == "$message" => message.into(),
            Value::String(place) if place == "$code" => code.into(),
            Value::String(place) if place == "$number" => code.parse::<i64>().unwrap_or(500).into(),
            Value::String(place) if place == "$null" => Value::Null,
            Value::Object(inner) => Self::body(inner, code, message),
            value => value.clone(),
        };
        shape.iter().map(|(name, value)| (name.clone(), fill(value))).collect::<Map<_, _>>().into()
    }
}

/// What streams of a platform do beside the plain shape. All of it is understood; the fake server does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Quirk {
    /// `data:` without a blank behind it.
    NoBlank,
    /// Comments while the model is not ready.
    KeepAlive,
    /// Usage beside the last choice instead of in a chunk of its own.
    UsageWithEnd,
    /// Thoughts and text in one chunk.
    ThoughtsWithText,
    /// An empty finish reason in every chunk.
    EmptyFinish,
    /// A model that thinks answers in streams only.
    ThinksInStreams,
}

/// A model that makes vectors.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Embedding {
    /// Its name.
    pub name: String,
    /// Most texts in one request.
    pub max_batch: u32,
    /// Most tokens of one text.
    pub max_tokens_each: u32,
    /// Most tokens of one request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens_total: Option<u32>,
    /// Length of a vector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<u32>,
}

/// A model that answers; what it says goes before what its card says.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Its name; `*` at either end stands for anything.
    pub name: String,
    /// Tokens that fit.
    pub window: Window,
    /// Temperatures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<Temperature>,
    /// Thinking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<Thinking>,
    /// Fields of every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Map<String, Value>>,
    /// Whether it listens to the system role.
    #[serde(default = "yes")]
    pub system_role: bool,
    /// What it costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
}

fn yes() -> bool {
    true
}

impl Model {
    /// A model of which no more is known than what fits.
    pub fn plain(name: &str, window: Window) -> Self {
        Self { name: name.into(), window, temperature: None, thinking: None, body: None, system_role: true, price: None }
    }
}

/// Tokens that fit into a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "Tokens")]
pub struct Window {
    /// Question, evidence and answer together.
    pub context: u32,
    /// The longest answer.
    pub answer: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tokens {
    context: u32,
    answer: u32,
}

impl TryFrom<Tokens> for Window {
    type Error = String;
    fn try_from(Tokens { context, answer }: Tokens) -> Result<Self, String> {
        match (1..=WIDEST).contains(&context) && (1..=context).contains(&answer) {
            true => Ok(Self { context, answer }),
            false => Err(format!("a window of {context} tokens with answers of {answer} is impossible")),
        }
    }
}

/// Money for a million tokens.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Sent.
    pub input: f64,
    /// Written.
    pub output: f64,
    /// Sent again and found in a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<f64>,
    /// `CNY`, `USD`.
    pub currency: String,
    /// When this was the price.
    pub seen_on: String,
    /// Where it was read.
    pub source: String,
}

/// How one model is spoken to. The default is the plain OpenAI shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Dialect {
    /// How the key is sent.
    pub auth: Auth,
    /// Where questions go, after the base.
    pub chat_path: String,
    /// The field that limits the answer.
    pub max_tokens_field: TokenField,
    /// Tokens added to the limit for what it thinks.
    pub thought: u32,
    /// The temperature of answers: the lowest that is accepted.
    pub temperature: Option<f64>,
    /// Whether usage must be asked for.
    pub ask_usage: bool,
    /// Whether it listens to the system role.
    pub system_role: bool,
    /// Fields that are added to every request.
    pub body: Map<String, Value>,
    /// Codes after which the same request may pass.
    pub retryable: Vec<String>,
    /// Codes that mean: paid for, used up.
    pub quota: Vec<String>,
    /// Tokens that fit, where the model is known.
    pub window: Option<Window>,
    /// What it costs, where that is known.
    pub price: Option<Price>,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            auth: Auth::Optional,
            chat_path: chat_path(),
            max_tokens_field: TokenField::MaxTokens,
            thought: 0,
            temperature: Some(0.0),
            ask_usage: true,
            system_role: true,
            body: Map::new(),
            retryable: vec![],
            quota: vec!["insufficient_quota".into()],
            window: None,
            price: None,
        }
    }
}

impl Price {
    /// What tokens cost; those that were found in a cache are among those that were sent.
    pub fn of(&self, sent: u64, cached: u64, written: u64) -> f64 {
        let cached = cached.min(sent);
        let million = (sent - cached) as f64 * self.input
            + cached as f64 * self.cached.unwrap_or(self.input)
            + written as f64 * self.output;
        million / 1e6
    }
}

impl Card {
    /// The model of this name: the one that is called so, else the one with the longest pattern that fits.
    pub fn model(&self, name: &str) -> Option<&Model> {
        self.models.iter().filter(|model| fits(&model.name, name)).max_by_key(|model| (model.name == name, model.name.len()))
    }

    /// What is known of the model of this name that makes vectors, as in [`Card::model`].
    pub fn embedding(&self, name: &str) -> Option<&Embedding> {
        let known = self.embeddings.iter().filter(|model| fits(&model.name, name));
        known.max_by_key(|model| (model.name == name, model.name.len()))
    }

    /// How a model of this platform is spoken to; for one that the card does not know, as the card says in general.
    pub fn dialect(&self, name: &str) -> Dialect {
        let model = self.model(name);
        let thinking = model.and_then(|model| model.thinking.as_ref()).unwrap_or(&self.thinking);
        let mut body = model.and_then(|model| model.body.as_ref()).unwrap_or(&self.body).clone();
        body.extend(thinking.off.clone());
        let temperature = model.and_then(|model| model.temperature).unwrap_or(self.temperature);
        Dialect {
            auth: self.auth,
            chat_path: self.chat_path.clone(),
            max_tokens_field: self.max_tokens_field,
            thought: if thinking.always { THOUGHT } else { 0 },
            temperature: match temperature {
                Temperature::Range(lowest, _) | Temperature::Fixed(lowest) => Some(lowest),
                Temperature::Refused => None,
            },
            ask_usage: self.stream_usage == StreamUsage::Option,
            system_role: model.is_none_or(|model| model.system_role),
            body,
            retryable: self.errors.retryable.clone(),
            quota: self.errors.quota.clone(),
            window: model.map(|model| model.window),
            price: model.and_then(|model| model.price.clone()),
        }
    }

    /// The first model that is named in full.
    pub fn first_model(&self) -> Option<&str> {
        self.models.iter().map(|model| model.name.as_str()).find(|name| !name.contains('*'))
    }

    /// The card as a file.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }

    /// The card in a file.
    ///
    /// # Errors
    /// What is wrong with it, with the line.
    pub fn parse(file: &str, text: &str) -> Result<Self, CardError> {
        let at = |span: Option<std::ops::Range<usize>>| {
            span.map_or(1, |span| text.as_bytes().iter().take(span.start).filter(|byte| **byte == b'\n').count() + 1)
        };
        let wrong = |line: usize, reason: String| CardError { file: file.into(), line, reason };
        let card: Self =
            toml::from_str(text).map_err(|error| wrong(at(error.span()), error.message().trim().replace('\n', " ")))?;
        let line = |key: &str| text.lines().position(|line| line.starts_with(key)).map_or(1, |at| at + 1);
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if card.name.is_empty() || !card.name.bytes().all(plain) {
            return Err(wrong(line("name"), format!("the name `{}` must be letters a-z, digits and `-`", card.name)));
        }
        if !card.base_url.is_empty() && !["http://", "https://"].iter().any(|scheme| card.base_url.starts_with(scheme)) {
            return Err(wrong(line("base_url"), format!("base_url `{}` must start with http:// or https://", card.base_url)));
        }
        let told = Told::read(&Errors::body(&card.errors.shape, "77", "a message"));
        let has_code = ["$code", "$number"].iter().any(|place| json!(card.errors.shape).to_string().contains(place));
        if !told.is_some_and(|told| told.in_words().starts_with("a message") && (told.says("77") || !has_code)) {
            let reason = "the shape of errors has no `$message`, or `$message` or `$code` where nobody looks for them";
            return Err(wrong(line("shape"), reason.into()));
        }
        Ok(card)
    }
}

/// Whether a name is meant by a pattern with `*` at either end.
fn fits(pattern: &str, name: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        _ if pattern == "*" => true,
        (Some(rest), Some(_)) => name.contains(rest.trim_end_matches('*')),
        (Some(end), None) => name.ends_with(end),
        (None, Some(start)) => name.starts_with(start),
        (None, None) => name == pattern,
    }
}

/// What is wrong with a card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {reason}")]
pub struct CardError {
    /// The file.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// All cards that are known, by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Cards(BTreeMap<String, (Card, Origin)>);

/// Where a card comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// This program.
    Bundled,
    /// A file of the operator's.
    File(PathBuf),
}

impl Cards {
    /// The bundled cards, and those in a folder.
    ///
    /// # Errors
    /// The first file that is no card, or two that have one name, with the line.
    pub fn load(folder: Option<&Path>) -> Result<Self, CardError> {
        let mut cards = BTreeMap::new();
        for (file, text) in BUNDLED {
            let card = Card::parse(file, text)?;
            cards.insert(card.name.clone(), (card, Origin::Bundled));
        }
        for path in folder.map(files).transpose()?.unwrap_or_default() {
            let file = path.display().to_string();
            let text = std::fs::read_to_string(&path).map_err(|e| unreadable(&path, &e))?;
            let card = Card::parse(&file, &text)?;
            if let Some((_, Origin::File(other))) = cards.get(&card.name) {
                let line = text.lines().position(|line| line.starts_with("name")).map_or(1, |at| at + 1);
                let reason = format!("the card `{}` is in `{}` already", card.name, other.display());
                return Err(CardError { file, line, reason });
            }
            cards.insert(card.name.clone(), (card, Origin::File(path)));
        }
        Ok(Self(cards))
    }

    /// A card.
    pub fn get(&self, name: &str) -> Option<&Card> {
        self.0.get(name).map(|(card, _)| card)
    }

    /// All of them by name, with their origin.
    pub fn iter(&self) -> impl Iterator<Item = (&Card, &Origin)> {
        self.0.values().map(|(card, origin)| (card, origin))
    }

    /// Their names.
    pub fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

/// The `.toml` files of a folder, by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>, CardError> {
    let entries = std::fs::read_dir(folder).map_err(|e| unreadable(folder, &e))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    Ok(files)
}

fn unreadable(path: &Path, error: &std::io::Error) -> CardError {
    CardError { file: path.display().to_string(), line: 1, reason: format!("it cannot be read: {error}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cards() -> Cards {
        Cards::load(None).unwrap()
    }

    fn dialect(card: &str, model: &str) -> Dialect {
        cards().get(card).unwrap().dialect(model)
    }

    #[test]
    fn every_bundled_card_is_valid_and_has_a_name_of_its_own() {
        assert_eq!(cards().0.len(), BUNDLED.len());
        for (card, origin) in cards().iter() {
            assert_eq!(origin, &Origin::Bundled);
            assert!(card.seen_on.starts_with("20") && !card.source.is_empty(), "{}", card.name);
            assert!(card.models.iter().filter_map(|model| model.price.as_ref()).all(|price| price.seen_on.starts_with("20")));
        }
    }

    #[test]
    fn thinking_is_off_in_the_words_of_each_platform() {
        let check = |card: &str, model: &str, off: &str| {
            let body = Value::Object(dialect(card, model).body).to_string();
            assert_eq!(body, off, "{card} {model}");
        };
        check("dashscope", "qwen3-32b", r#"{"enable_thinking":false}"#);
        check("ark", "doubao-seed-2-0-pro-260215", r#"{"thinking":{"type":"disabled"}}"#);
        check("ark", "ep-20260101-abcde", "{}");
        check("maas", "qwen3-32b", r#"{"chat_template_kwargs":{"enable_thinking":false}}"#);
        check("maas", "glm-5.1", r#"{"thinking":{"type":"disabled"}}"#);
        check("vllm", "Qwen/Qwen3-4B", r#"{"chat_template_kwargs":{"enable_thinking":false}}"#);
        check("hunyuan", "hunyuan-turbos-latest", r#"{"enable_enhancement":false}"#);
        check("openai", "gpt-4.1-mini", "{}");
    }

    #[test]
    fn parameters_that_a_model_refuses_are_not_sent() {
        assert_eq!(dialect("openai", "gpt-5-mini").temperature, None);
        assert_eq!(dialect("openai", "o4-mini").max_tokens_field, TokenField::MaxCompletionTokens);
        assert_eq!(dialect("moonshot", "moonshot-v1-32k").temperature, Some(1.0));
        assert_eq!(dialect("zhipu", "glm-5").temperature, Some(0.01));
        assert!(!dialect("spark", "lite").system_role && dialect("spark", "4.0Ultra").system_role);
        assert!(!dialect("spark", "4.0Ultra").ask_usage && dialect("deepseek", "deepseek-v4-pro").ask_usage);
    }

    #[test]
    fn the_nearest_model_decides_and_an_unknown_one_has_no_window() {
        let window = |card: &str, model: &str| dialect(card, model).window.map(|window| window.context);
        assert_eq!(window("moonshot", "moonshot-v1-8k"), Some(8_000));
        assert_eq!(window("openai", "gpt-5-mini"), Some(400_000));
        assert_eq!(window("siliconflow", "Pro/deepseek-ai/DeepSeek-V4-Pro"), Some(1_048_576));
        assert_eq!(window("deepseek", "another"), None);
    }

    /// A card file with a line replaced.
    fn check(line: &str, with: &str, reason: &str) {
        let (_, text) = BUNDLED[9];
        assert!(text.contains(line), "{line}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.toml");
        std::fs::write(&file, text.replacen(line, with, 1)).unwrap();
        let error = Cards::load(Some(folder.path())).unwrap_err().to_string();
        let at = text.lines().position(|other| other == line).unwrap() + 1;
        assert!(error.starts_with(&format!("{}:{at}: ", file.display())) && error.contains(reason), "{error}");
    }

    #[test]
    fn a_wrong_card_is_told_with_its_file_and_line() {
        check("auth = \"bearer\"", "auht = \"bearer\"", "auht");
        check("auth = \"bearer\"", "auth = \"basic\"", "basic");
        check("window = { context = 1000000, answer = 384000 }", "window = { context = 10, answer = 384000 }", "impossible");
        check("window = { context = 1000000, answer = 384000 }", "window = { context = 0, answer = 0 }", "impossible");
        check("temperature = { min = 0.0, max = 2.0 }", "temperature = { min = 3.0, max = 2.0 }", "temperature");
        let shape = BUNDLED[9].1.lines().find(|line| line.starts_with("shape")).unwrap();
        check(shape, "shape = { error = { text = \"$message\" } }", "shape");
        check("quirks = [\"keep_alive\"]", "quirks = [\"silent\"]", "silent");
        check("name = \"deepseek\"", "name = \"深度\"", "深度");
        check("base_url = \"https://api.deepseek.com\"", "base_url = \"api.deepseek.com\"", "http://");
    }

    #[test]
    fn a_folder_replaces_bundled_cards_and_may_not_hold_two_of_one_name() {
        let folder = tempfile::tempdir().unwrap();
        let text = BUNDLED[9].1.replace("https://api.deepseek.com\"", "http://10.0.0.1\"");
        std::fs::write(folder.path().join("a.toml"), &text).unwrap();
        assert_eq!(Cards::load(Some(folder.path())).unwrap().get("deepseek").unwrap().base_url, "http://10.0.0.1");
        std::fs::write(folder.path().join("b.toml"), text).unwrap();
        let error = Cards::load(Some(folder.path())).unwrap_err();
        assert!(error.file.ends_with("b.toml") && error.line == 1 && error.reason.contains("a.toml"), "{error}");
        assert!(Cards::load(Some(Path::new("/nowhere"))).is_err());
    }
}
