//! Settings: compiled-in defaults < `--config FILE` < environment < flags. What is wrong stops the start, all of it at once.

use std::{fmt, path::Path, time::Duration};

use figment::{
    Figment,
    providers::{Env, Format, Toml},
};
use index::{scope::Scope, store::cluster::Server as Cluster};
use rag::{
    card::{Auth, Card, Cards, Dialect},
    chat::Endpoint,
    cite::Unproven,
    pack::Packs,
};
use serde::{Deserialize, Serialize};

use crate::encoders::{Chosen, Embedding};

const DEFAULTS: &str = include_str!("../config/default.toml");

/// All settings; each is a line with a comment in `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Settings {
    pub server: Server,
    pub index: Index,
    pub qdrant: Qdrant,
    pub embedding: Embedding,
    pub rerank: Rerank,
    pub answer: Answer,
    pub llm: Llm,
    pub packs: PackSettings,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Answer {
    pub unproven: Unproven,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Server {
    pub bind: String,
    #[serde(skip_serializing)]
    pub key: String,
    pub key_file: String,
    pub max_upload: u64,
    pub deadline: u64,
    pub max_in_flight: usize,
    pub max_working: usize,
    pub max_waiting: usize,
}

impl Server {
    /// Where questions are worked on; by default as many at once as there are processors, and four times as many wait.
    pub fn room(&self) -> rag::room::Room {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let or = |set: usize, usual: usize| if set == 0 { usual } else { set };
        rag::room::Room::new(or(self.max_working, processors), or(self.max_waiting, 4 * processors))
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Index {
    pub store: Store,
}

/// The section `[rerank]`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Rerank {
    pub model: String,
}

/// Where the points are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Store {
    /// Qdrant in this process.
    Embedded,
    /// A Qdrant server.
    Cluster,
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embedded => "embedded",
            Self::Cluster => "cluster",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Qdrant {
    pub url: String,
    #[serde(skip_serializing)]
    pub api_key: String,
    pub api_key_file: String,
    pub prefix: String,
    pub shards: u32,
    pub replication: u32,
    pub write_consistency: u32,
    pub exact: bool,
    pub timeout: u64,
    pub write_timeout: u64,
}

impl Qdrant {
    /// The server that the settings describe.
    ///
    /// # Errors
    /// Everything that is wrong with them together.
    pub fn server(&self) -> Result<Cluster, ConfigError> {
        let mut wrong = Vec::new();
        if !self.url.starts_with("http://") && !self.url.starts_with("https://") {
            wrong.push(format!("qdrant.url is `{}`; it must start with http:// or https://", self.url));
        }
        let api_key = match secret("qdrant.api_key_file", &self.api_key, &self.api_key_file) {
            Ok(key) => key,
            Err(reason) => {
                wrong.push(reason);
                None
            }
        };
        if api_key.as_ref().is_some_and(|key| !key.bytes().all(|b| b.is_ascii_graphic())) {
            wrong.push("qdrant.api_key has a character that no key has, such as a space or a line break".into());
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if self.prefix.is_empty() || self.prefix.len() > 64 || !self.prefix.bytes().all(plain) {
            wrong.push(format!("qdrant.prefix is `{}`; use 1 to 64 of a-z, A-Z, 0-9, `-` and `_`", self.prefix));
        }
        for (name, value) in [
            ("qdrant.shards", u64::from(self.shards)),
            ("qdrant.replication", u64::from(self.replication)),
            ("qdrant.write_consistency", u64::from(self.write_consistency)),
            ("qdrant.timeout", self.timeout),
            ("qdrant.write_timeout", self.write_timeout),
        ] {
            if value == 0 {
                wrong.push(format!("{name} is 0; it must be at least 1"));
            }
        }
        if self.write_consistency > self.replication {
            wrong.push(format!(
                "qdrant.write_consistency is {} and there are {} copies (qdrant.replication); no write could ever count",
                self.write_consistency, self.replication
            ));
        }
        if !wrong.is_empty() {
            return Err(ConfigError(wrong));
        }
        Ok(Cluster {
            url: self.url.trim_end_matches('/').into(),
            api_key,
            prefix: self.prefix.clone(),
            shards: self.shards,
            replication: self.replication,
            write_consistency: self.write_consistency,
            exact: self.exact,
            timeout: Duration::from_secs(self.timeout),
            write_timeout: Duration::from_secs(self.write_timeout),
        })
    }
}

/// A secret that is set, or the one in a file; `None` if neither is named.
fn secret(name: &str, value: &str, file: &str) -> Result<Option<String>, String> {
    if !value.is_empty() || file.is_empty() {
        return Ok((!value.is_empty()).then(|| value.to_owned()));
    }
    let text = std::fs::read_to_string(file).map_err(|e| format!("{name} `{file}`: {e}"))?;
    match text.trim() {
        "" => Err(format!("{name} `{file}` is empty")),
        secret => Ok(Some(secret.to_owned())),
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Llm {
    pub card: String,
    pub cards: String,
    pub base_url: String,
    #[serde(skip_serializing)]
    pub api_key: String,
    pub model: String,
    pub max_tokens: u32,
    pub context_tokens: u32,
    pub fallback: Fallback,
    pub first_byte_timeout: u64,
    pub idle_timeout: u64,
    pub backends: Vec<Backend>,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct PackSettings {
    pub dir: String,
    pub r#use: String,
}

impl PackSettings {
    /// The packs that are known.
    ///
    /// # Errors
    /// Everything that is wrong with them, with file and line.
    pub fn open(&self) -> Result<Packs, ConfigError> {
        let folder = (!self.dir.is_empty()).then(|| Path::new(&self.dir));
        Packs::open(folder, &self.r#use).map_err(|error| ConfigError(error.0.iter().map(ToString::to_string).collect()))
    }
}

/// A model endpoint: a card, what goes before it, and where its key is.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct Backend {
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub card: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub base_url: String,
    #[serde(skip_serializing)]
    pub api_key: String,
    /// An environment variable that holds the key.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_key_env: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u32>,
}

/// The name of the endpoint that stands in `[llm]` itself.
pub const SIMPLE: &str = "llm";

/// What happens when the model's endpoint fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fallback {
    /// The failure is told.
    None,
    /// The answer is put together without a model.
    Extractive,
}

/// The window of a model that nobody describes, and the widest that is filled without being asked to: evidence costs.
const WINDOW: u32 = 16_384;
const WIDE: u32 = 32_768;
/// Tokens of evidence that must fit at least.
const EVIDENCE: u32 = 1_024;

impl Llm {
    /// All cards that are known.
    ///
    /// # Errors
    /// What is wrong with a card, with its file and line.
    pub fn cards(&self) -> Result<Cards, ConfigError> {
        let folder = (!self.cards.is_empty()).then(|| Path::new(&self.cards));
        Cards::load(folder).map_err(|error| ConfigError(vec![error.to_string()]))
    }

    /// The endpoint that stands in `[llm]` itself, if one does.
    pub fn simple(&self) -> Option<Backend> {
        let set = !self.base_url.is_empty() || !self.card.is_empty();
        set.then(|| Backend {
            name: SIMPLE.into(),
            card: self.card.clone(),
            base_url: self.base_url.clone(),
            api_key: self.api_key.clone(),
            api_key_env: String::new(),
            model: self.model.clone(),
            max_tokens: None,
            context_tokens: None,
        })
    }

    /// The backends of scenarios that name none: the endpoint that stands in `[llm]` itself, else those that have names.
    pub fn usual(&self) -> Vec<Backend> {
        self.simple().map_or_else(|| self.backends.clone(), |simple| vec![simple])
    }

    /// A backend by its name.
    pub fn backend(&self, name: &str) -> Option<Backend> {
        self.simple().into_iter().chain(self.backends.iter().cloned()).find(|backend| backend.name == name)
    }

    /// How a backend is talked to: what is said of it, then what its card says.
    ///
    /// # Errors
    /// Everything that is wrong with it together, each with the field, which `place` comes before.
    pub fn endpoint(&self, cards: &Cards, backend: &Backend, place: &str) -> Result<Endpoint, ConfigError> {
        let card = match backend.card.as_str() {
            "" => None,
            name => Some(cards.get(name).ok_or_else(|| {
                ConfigError(vec![format!("{place}.card is `{name}`; there are the cards {}", cards.names().join(", "))])
            })?),
        };
        let base_url = or(&backend.base_url, card.map(|card| card.base_url.as_str()));
        let model = or(&backend.model, card.and_then(Card::first_model));
        let dialect = card.map(|card| card.dialect(model)).unwrap_or_default();
        let max_tokens =
            backend.max_tokens.unwrap_or(self.max_tokens).min(dialect.window.map_or(u32::MAX, |window| window.answer));
        let known = dialect.window.map_or(WINDOW, |window| window.context.min(WIDE));
        let set = backend.context_tokens.unwrap_or(self.context_tokens);
        let context_tokens = if set == 0 { known } else { set };
        let mut wrong = Vec::new();
        if base_url.is_empty() && card.is_some() {
            wrong.push(format!("the card `{}` has no address, every customer has another; set {place}.base_url", backend.card));
        } else if !base_url.starts_with("http://") && !base_url.starts_with("https://") {
            wrong.push(format!("{place}.base_url is `{base_url}`; it must start with http:// or https://"));
        }
        if model.is_empty() {
            wrong.push(format!("{place} names an endpoint and no model; set {place}.model"));
        }
        let api_key = match backend.api_key_env.as_str() {
            "" => backend.api_key.clone(),
            name => std::env::var(name).unwrap_or_else(|_| {
                wrong.push(format!("{place}.api_key_env names the environment variable `{name}`, which is not set"));
                String::new()
            }),
        };
        // What stands at an address of the operator's own may need none.
        if matches!(dialect.auth, Auth::Bearer | Auth::ApiKey)
            && api_key.is_empty()
            && backend.base_url.is_empty()
            && backend.api_key_env.is_empty()
        {
            wrong.push(format!("the card `{}` needs a key; set {place}.api_key (or api_key_env)", backend.card));
        }
        if context_tokens < max_tokens + EVIDENCE {
            wrong.push(format!(
                "the model's window is {context_tokens} tokens and an answer may have {max_tokens}; the window must hold the answer \
                 and at least {EVIDENCE} tokens of evidence ({place}.context_tokens, {place}.max_tokens)"
            ));
        }
        if let (Some(window), true) = (dialect.window, set > 0)
            && set > window.context
            && !is_local(card)
        {
            wrong.push(format!(
                "{place}.context_tokens is {set}; the card `{}` knows {} for `{model}`",
                backend.card, window.context
            ));
        }
        if !wrong.is_empty() {
            return Err(ConfigError(wrong));
        }
        Ok(Endpoint {
            name: backend.name.clone(),
            card: backend.card.clone(),
            base_url: base_url.into(),
            api_key,
            model: model.into(),
            max_tokens,
            context_tokens,
            first_byte: Duration::from_secs(self.first_byte_timeout),
            idle: Duration::from_secs(self.idle_timeout),
            dialect: own_window(dialect, context_tokens),
        })
    }

    /// What is wrong with the endpoints that are set.
    fn check(&self, wrong: &mut Vec<String>) {
        let cards = match self.cards() {
            Ok(cards) => cards,
            Err(ConfigError(more)) => return wrong.extend(more),
        };
        let mut names = vec![SIMPLE];
        for (at, backend) in self.backends.iter().enumerate() {
            let place = format!("llm.backends[{at}]");
            if Scope::of_scenario(&backend.name).is_err() {
                wrong.push(format!("{place}.name is `{}`; use 1 to 64 of a-z, 0-9, `-` and `_`", backend.name));
            } else if names.contains(&backend.name.as_str()) {
                wrong.push(format!("{place}.name is `{}`; another endpoint has this name", backend.name));
            }
            names.push(&backend.name);
            wrong.extend(self.endpoint(&cards, backend, &place).err().into_iter().flat_map(|ConfigError(more)| more));
        }
        if let Some(simple) = self.simple() {
            wrong.extend(self.endpoint(&cards, &simple, SIMPLE).err().into_iter().flat_map(|ConfigError(more)| more));
        }
    }
}

fn or<'a>(set: &'a str, else_from_card: Option<&'a str>) -> &'a str {
    if set.is_empty() { else_from_card.unwrap_or_default() } else { set }
}

/// Whether a card speaks of whatever the operator runs: its window is a guess that they know better.
fn is_local(card: Option<&Card>) -> bool {
    card.is_some_and(|card| card.models.iter().all(|model| model.name == "*"))
}

/// A window that was set by hand bounds answers by itself.
fn own_window(dialect: Dialect, context_tokens: u32) -> Dialect {
    let window = dialect.window.filter(|window| window.context >= context_tokens);
    Dialect { window, ..dialect }
}

/// What is wrong with the settings.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

impl Settings {
    /// Reads defaults, the file if one is given, and the environment.
    ///
    /// # Errors
    /// Everything that is wrong: unknown settings with the nearest known name, values of a wrong kind, a file that is absent.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        if let Some(file) = file.filter(|file| !file.is_file()) {
            return Err(ConfigError(vec![format!("the configuration file `{}` does not exist", file.display())]));
        }
        let environment = Env::prefixed("DOSSIER_").filter(|key| key.as_str().contains("__")).split("__");
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        if let Some(file) = file {
            figment = figment.merge(Toml::file_exact(file));
        }
        let figment = figment.merge(environment);
        let mut wrong = unknown(&figment);
        match figment.extract::<Self>() {
            Ok(settings) if wrong.is_empty() => {
                settings.check(&mut wrong);
                if wrong.is_empty() { Ok(settings) } else { Err(ConfigError(wrong)) }
            }
            Ok(_) => Err(ConfigError(wrong)),
            Err(errors) => {
                wrong.extend(
                    errors
                        .into_iter()
                        // Those at the top are told with the nearest name that exists.
                        .filter(|e| !matches!(e.kind, figment::error::Kind::UnknownField(..)) || e.path.len() > 2)
                        .map(|e| e.to_string()),
                );
                Err(ConfigError(wrong))
            }
        }
    }

    /// The same with the encoder of a generation.
    ///
    /// # Errors
    /// `data_damaged` if it cannot be read.
    pub fn with_encoder(&self, record: &index::generation::Record) -> Result<Self, index::IndexError> {
        let mut settings = self.clone();
        settings.embedding.chosen = Chosen::of(record)?;
        Ok(settings)
    }

    fn check(&self, wrong: &mut Vec<String>) {
        if self.server.bind.parse::<std::net::SocketAddr>().is_err() {
            wrong.push(format!(
                "server.bind is `{}`; write HOST:PORT with a numeric host, such as 127.0.0.1:8080",
                self.server.bind
            ));
        }
        self.llm.check(wrong);
        if self.index.store == Store::Cluster
            && let Err(ConfigError(more)) = self.qdrant.server()
        {
            wrong.extend(more);
        }
        if let Ok(cards) = self.llm.cards() {
            self.embedding.check(&cards, wrong);
        }
        if let Err(ConfigError(more)) = self.packs.open() {
            wrong.extend(more);
        }
        for (name, value) in [
            ("server.deadline", self.server.deadline),
            ("llm.first_byte_timeout", self.llm.first_byte_timeout),
            ("llm.idle_timeout", self.llm.idle_timeout),
        ] {
            if value == 0 {
                wrong.push(format!("{name} is 0; it must be at least 1 second"));
            }
        }
    }
}

/// Settings that do not exist, each with the nearest one that does.
fn unknown(figment: &Figment) -> Vec<String> {
    let Ok(known) = toml::from_str::<toml::Table>(DEFAULTS) else { return vec![] };
    let known: Vec<String> = known
        .iter()
        .flat_map(|(section, keys)| {
            keys.as_table().into_iter().flat_map(move |keys| keys.keys().map(move |key| format!("{section}.{key}")))
        })
        .collect();
    let Ok(given) = figment.extract::<toml::Table>() else { return vec![] };
    let mut wrong = Vec::new();
    for (section, keys) in &given {
        let names = match keys.as_table() {
            Some(keys) => keys.keys().map(|key| format!("{section}.{key}")).collect(),
            None => vec![section.clone()],
        };
        for name in names.into_iter().filter(|name| !known.contains(name)) {
            let near = known.iter().max_by(|a, b| likeness(a, &name).total_cmp(&likeness(b, &name)));
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            wrong.push(format!("unknown setting `{name}`{hint}"));
        }
    }
    wrong
}

/// Shared letter pairs of two names, 0 to 1 (Dice's coefficient).
fn likeness(a: &str, b: &str) -> f64 {
    let pairs = |s: &str| s.as_bytes().windows(2).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let (a, mut b) = (pairs(a), pairs(b));
    let total = (a.len() + b.len()).max(1);
    let shared = a.iter().filter(|pair| b.iter().position(|other| other == *pair).map(|at| b.swap_remove(at)).is_some()).count();
    2.0 * shared as f64 / total as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Settings, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("dossier.toml");
        std::fs::write(&file, text).unwrap();
        Settings::load(Some(&file)).map_err(|e| e.to_string())
    }

    #[test]
    fn the_defaults_are_valid_and_a_file_overrides_them() {
        assert_eq!(load("").unwrap().server.bind, "127.0.0.1:8080");
        assert_eq!(load("[server]\nbind = \"127.0.0.1:9\"").unwrap().server.bind, "127.0.0.1:9");
    }

    #[test]
    fn an_unknown_setting_names_the_nearest_one() {
        assert_eq!(load("[server]\nbnid = \"x\"").unwrap_err(), "unknown setting `server.bnid`; did you mean `server.bind`?");
    }

    #[test]
    fn what_a_server_cannot_be_used_with_is_told() {
        let wrong =
            load("[index]\nstore = \"cluster\"\n[qdrant]\nurl = \"x:1\"\nprefix = \"a/b\"\nwrite_consistency = 2").unwrap_err();
        for part in ["qdrant.url is `x:1`", "qdrant.prefix is `a/b`", "no write could ever count"] {
            assert!(wrong.contains(part), "{wrong}");
        }
        let example = include_str!("../config/cluster.toml");
        assert!(load(example).unwrap_err().contains("qdrant.api_key_file"), "the file with the key is not on this machine");
        let settings = load(&example.replace("api_key_file = ", "api_key = ")).unwrap();
        assert_eq!((settings.index.store, settings.qdrant.server().unwrap().replication), (Store::Cluster, 2));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let wrong = load("[server]\nbind = \"here\"\ndeadline = 0\n[llm]\nbase_url = \"ftp://x\"").unwrap_err();
        assert_eq!(wrong.lines().count(), 4, "{wrong}");
    }

    #[test]
    fn a_card_fills_what_is_not_set_and_says_what_it_needs() {
        let endpoint = |text: &str| {
            load(text).map(|Settings { llm, .. }| llm.endpoint(&llm.cards().unwrap(), &llm.usual()[0], "llm").unwrap())
        };
        let found = endpoint("[llm]\ncard = \"deepseek\"\napi_key = \"k\"").unwrap();
        assert_eq!((found.base_url.as_str(), found.model.as_str()), ("https://api.deepseek.com", "deepseek-v4-flash"));
        assert_eq!((found.context_tokens, found.dialect.price.unwrap().currency.as_str()), (WIDE, "CNY"));
        let found =
            endpoint("[llm]\ncard = \"vllm\"\nbase_url = \"http://gpu:1/v1\"\nmodel = \"q\"\ncontext_tokens = 65536").unwrap();
        assert_eq!((found.base_url.as_str(), found.context_tokens), ("http://gpu:1/v1", 65536));
        let check = |text: &str, reason: &str| {
            let wrong = load(text).unwrap_err();
            assert!(wrong.contains(reason), "{wrong}");
        };
        check("[llm]\ncard = \"deepseek\"", "needs a key");
        assert!(load("[llm]\ncard = \"deepseek\"\nbase_url = \"http://127.0.0.1:1/v1\"").is_ok());
        check("[llm]\ncard = \"deepsick\"", "there are the cards ark, azure");
        check("[llm]\ncard = \"azure\"\napi_key = \"k\"\nmodel = \"m\"", "set llm.base_url");
        check("[llm]\ncard = \"moonshot\"\napi_key = \"k\"\nmodel = \"moonshot-v1-8k\"\ncontext_tokens = 16384", "knows 8000");
        check("[llm]\nbase_url = \"http://x/v1\"\nmodel = \"m\"\ncontext_tokens = 100", "at least 1024");
        check("[llm]\nfallback = \"maybe\"", "fallback");
        check("[llm]\ncards = \"/nowhere\"", "/nowhere:1: it cannot be read");
        check("[packs]\nuse = \"fnance\"", "did you mean `finance`?");
        check("[packs]\ndir = \"/nowhere\"", "/nowhere:1: it cannot be read");
    }

    #[test]
    fn several_endpoints_have_names_and_each_is_checked() {
        let two = "[[llm.backends]]\nname = \"near\"\nbase_url = \"http://127.0.0.1:1/v1\"\nmodel = \"m\"\n\
                   [[llm.backends]]\nname = \"far\"\ncard = \"deepseek\"\napi_key = \"k\"\n";
        let llm = load(two).unwrap().llm;
        let names = |backends: Vec<Backend>| backends.into_iter().map(|backend| backend.name).collect::<Vec<_>>();
        assert_eq!(names(llm.usual()), ["near", "far"]);
        let both = load(&format!("[llm]\nbase_url = \"http://x/v1\"\nmodel = \"m\"\n{two}")).unwrap().llm;
        assert_eq!((names(both.usual()), both.backend("far").is_some()), (vec![SIMPLE.to_owned()], true));
        assert!(!toml::to_string(&llm).unwrap().contains("api_key"));
        let check = |line: &str, with: &str, reason: &str| {
            let wrong = load(&two.replacen(line, with, 1)).unwrap_err();
            assert!(wrong.contains(reason), "{wrong}");
        };
        check("name = \"far\"", "name = \"near\"", "llm.backends[1].name is `near`; another endpoint has this name");
        check("name = \"far\"", "name = \"远\"", "llm.backends[1].name is `远`");
        check("card = \"deepseek\"", "card = \"deepsick\"", "llm.backends[1].card is `deepsick`");
        check("api_key = \"k\"", "api_key_env = \"NOBODY_SETS_THIS\"", "`NOBODY_SETS_THIS`, which is not set");
        check("api_key = \"k\"", "apikey = \"k\"", "apikey");
    }
}
