//! What is a scenario, and on what terms does it answer? A body of documents plus its pack, its ladder of models and its
//! limits: read, checked against settings and cards, stored in the catalog, and turned into [`Terms`] for each question.

use std::time::Duration;

use index::{
    IndexError,
    scenario::ScenarioRow,
    scope::{Call, DEFAULT, Scope},
};
use rag::{ask::ModelFailure, card::Cards, chat::Endpoint, engine::Terms};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use tracing::warn;

use crate::{
    assemble::Service,
    cli::{Failure, exit},
    config::{Backend, ConfigError, Fallback, Llm},
};

/// Most rungs of a ladder.
const RUNGS: usize = 8;
/// What keys of scenarios are called in the environment: whoever may change a scenario can have no other variable sent.
const KEYS: &str = "DOSSIER_LLM_KEY";

/// What can be set for a scenario. What is absent is as the settings say.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Setup {
    /// For a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// For a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The industry pack it is read and answered with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack: Option<String>,
    /// The models that answer, in the order they are asked. An empty list: none, every answer is extractive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ladder: Option<Vec<Rung>>,
    /// What happens when all of them fail. With a ladder of its own `extractive`, else as the settings say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
    /// How much a question may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
}

/// How much a question may use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Passages given to the answerer if the question does not say, 1 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100)]
    pub top_k: Option<usize>,
    /// Most tokens of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Longest time of a question in milliseconds; never more than `server.deadline`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
}

/// A model on a ladder: a backend of the settings, or a card with what goes before it. Written as a text it is the name of
/// a backend, else of a card.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Rung {
    /// A backend of the settings (`llm.backends`), with its address and key; `llm` is the one of `[llm]` itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// A card (`dossier models ls`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
    /// The model's name there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// An address that goes before the card's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The environment variable of the server that holds the key; its name begins with `DOSSIER_LLM_KEY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_env: Option<String>,
    /// Tokens that fit into the model, where that is known better than by the card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RungFields {
    backend: Option<String>,
    card: Option<String>,
    model: Option<String>,
    base_url: Option<String>,
    api_key_env: Option<String>,
    context_tokens: Option<u32>,
}

impl<'de> Deserialize<'de> for Rung {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            // Which of the two it is is settled when it is resolved.
            Value::String(name) => Ok(Self { backend: Some(name.clone()), card: Some(name), ..Self::default() }),
            value => {
                let RungFields { backend, card, model, base_url, api_key_env, context_tokens } =
                    serde_json::from_value(value).map_err(serde::de::Error::custom)?;
                Ok(Self { backend, card, model, base_url, api_key_env, context_tokens })
            }
        }
    }
}

/// A scenario as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Scenario {
    /// Its name.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What is set for it.
    #[serde(flatten)]
    pub setup: Setup,
    /// Its documents, in whatever status.
    pub documents: u64,
    /// Its published passages.
    pub passages: u64,
    /// RFC 3339; null for a `default` that was never changed.
    pub created_at: Option<String>,
    /// RFC 3339.
    pub updated_at: Option<String>,
}

/// What is wrong with a scenario or with what is to be done with it.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    UnknownField(String),
    #[error("there is a scenario `{0}` already")]
    Exists(String),
    #[error(
        "the scenario `{name}` holds {documents} documents; delete them first, or say that they are to be deleted with it (`?documents=delete`, `--force`)"
    )]
    NotEmpty { name: String, documents: u64 },
    #[error(transparent)]
    Index(#[from] IndexError),
}

impl From<ScenarioError> for Failure {
    fn from(error: ScenarioError) -> Self {
        let detail = error.to_string();
        match error {
            ScenarioError::Index(error) => error.into(),
            ScenarioError::Invalid(_) => Failure::new(exit::USAGE, "invalid_scenario", detail),
            ScenarioError::UnknownField(_) => Failure::new(exit::USAGE, "unknown_field", detail),
            ScenarioError::Exists(_) => Failure::new(exit::USAGE, "scenario_exists", detail),
            ScenarioError::NotEmpty { .. } => Failure::new(exit::FAILED, "scenario_not_empty", detail),
        }
    }
}

impl Service {
    /// A call in a scenario that exists, with the time a question may take there.
    ///
    /// # Errors
    /// `invalid_name`, `not_found`.
    pub async fn call(&self, scenario: &str) -> Result<Call, IndexError> {
        let most = Duration::from_secs(self.settings.server.deadline);
        let mut call = Call::new(Scope::of_scenario(scenario)?, most);
        let limits = read(&self.catalog.scenario(&call).await?).limits.unwrap_or_default();
        if let Some(limit) = limits.deadline_ms.map(Duration::from_millis).filter(|limit| *limit < most) {
            call.deadline -= most - limit;
        }
        Ok(call)
    }

    /// On what terms the call's scenario answers. What its ladder names and nobody knows any more is left out and told.
    ///
    /// # Errors
    /// `not_found`, `catalog`.
    pub async fn terms(&self, call: &Call) -> Result<Terms, IndexError> {
        let setup = read(&self.catalog.scenario(call).await?);
        let Found { endpoints, absent } = find(&self.settings.llm, &self.cards, &setup);
        for (failure, reason) in &absent {
            warn!(backend = failure.backend, "a model of the scenario `{}` cannot be asked: {reason}", call.scope.scenario());
        }
        let usual = if setup.ladder.is_some() { Fallback::Extractive } else { self.settings.llm.fallback };
        Ok(Terms {
            ladder: self.endpoints.ladder(endpoints),
            absent: absent.into_iter().map(|(failure, _)| failure).collect(),
            fall_back: setup.fallback.unwrap_or(usual) == Fallback::Extractive,
            top_k: setup.limits.unwrap_or_default().top_k,
            pack: setup.pack,
        })
    }

    /// The pack that the call's scenario reads questions with, if not the usual one.
    ///
    /// # Errors
    /// `not_found`, `catalog`.
    pub async fn pack(&self, call: &Call) -> Result<Option<String>, IndexError> {
        Ok(read(&self.catalog.scenario(call).await?).pack)
    }

    /// All scenarios, `default` first.
    pub async fn scenarios(&self) -> Result<Vec<Scenario>, IndexError> {
        let call = self.anywhere();
        let (rows, census) = futures::try_join!(self.catalog.scenarios(&call), self.catalog.census(&call))?;
        let sum = |name: &str, count: fn(&index::catalog::Census) -> u64| {
            census.iter().filter(|row| row.scenario == name).map(count).sum()
        };
        let shown = rows.into_iter().map(|row| Scenario {
            id: row.name.clone(),
            setup: read(&row),
            documents: sum(&row.name, |row| row.documents),
            passages: sum(&row.name, |row| row.passages),
            name: row.name,
            created_at: row.created_at,
            updated_at: row.updated_at,
        });
        Ok(shown.collect())
    }

    /// One scenario.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn scenario(&self, name: &str) -> Result<Scenario, IndexError> {
        let missing = || IndexError::NoScenario { name: name.chars().take(80).collect() };
        self.scenarios().await?.into_iter().find(|scenario| scenario.name == name).ok_or_else(missing)
    }

    /// Makes a scenario.
    ///
    /// # Errors
    /// `invalid_name`, `invalid_scenario` with the place, `scenario_exists`.
    pub async fn create_scenario(&self, name: &str, said: &Map<String, Value>) -> Result<Scenario, ScenarioError> {
        let call = Call::new(Scope::of_scenario(name)?, Duration::from_secs(self.settings.server.deadline));
        let setup = self.checked(said)?;
        if !self.catalog.create_scenario(&call, &stored(&setup)).await? {
            return Err(ScenarioError::Exists(name.into()));
        }
        Ok(self.scenario(name).await?)
    }

    /// Changes what is set for a scenario: a field replaces the one before, null removes it.
    ///
    /// # Errors
    /// `not_found`, `unknown_field`, `invalid_scenario` with the place.
    pub async fn change_scenario(&self, name: &str, change: &Map<String, Value>) -> Result<Scenario, ScenarioError> {
        let call = self.call(name).await?;
        let changed = |mut settings: Map<String, Value>| {
            merge(&mut settings, change);
            Ok::<_, ScenarioError>(stored(&self.checked(&settings)?))
        };
        self.catalog.change_scenario(&call, changed).await?;
        Ok(self.scenario(name).await?)
    }

    /// Removes a scenario, with its documents only if that is said.
    ///
    /// # Errors
    /// `not_found`, `scenario_not_empty`, `invalid_scenario` for `default`, which always exists.
    pub async fn remove_scenario(&self, name: &str, documents: bool) -> Result<(), ScenarioError> {
        let call = self.call(name).await?;
        if name == DEFAULT {
            return Err(ScenarioError::Invalid(
                "the scenario `default` always exists; delete its documents, or change it".into(),
            ));
        }
        match self.pipeline.remove_scenario(&call, documents).await? {
            0 => Ok(()),
            documents => Err(ScenarioError::NotEmpty { name: name.into(), documents }),
        }
    }

    fn checked(&self, said: &Map<String, Value>) -> Result<Setup, ScenarioError> {
        let setup = Setup::read(said)?.settled(&self.settings.llm);
        check(&self.settings.llm, &self.cards, &setup)?;
        if let Some(pack) = &setup.pack {
            self.engine.packs().known(pack).map_err(|error| ScenarioError::Invalid(format!("pack: {error}")))?;
        }
        Ok(setup)
    }

    /// A call for what concerns no single scenario.
    pub fn anywhere(&self) -> Call {
        Call::new(Scope::default(), Duration::from_secs(self.settings.server.deadline))
    }
}

impl Setup {
    /// What is said for a scenario, with the place of what is wrong.
    ///
    /// # Errors
    /// `unknown_field`, `invalid_scenario`.
    pub fn read(said: &Map<String, Value>) -> Result<Self, ScenarioError> {
        if let Some(limits) = said.get("limits") {
            parse::<Option<Limits>>(limits, "limits")?;
        }
        for (at, rung) in said.get("ladder").and_then(Value::as_array).into_iter().flatten().enumerate() {
            parse::<Rung>(rung, &format!("ladder[{at}]"))?;
        }
        parse(&Value::Object(said.clone()), "")
    }

    /// A rung that is only a name is a backend where there is one of this name, else a card.
    fn settled(mut self, llm: &Llm) -> Self {
        for rung in self.ladder.iter_mut().flatten().filter(|rung| rung.backend == rung.card) {
            match rung.backend.as_deref().is_some_and(|name| llm.backend(name).is_some()) {
                true => rung.card = None,
                false => rung.backend = None,
            }
        }
        self
    }
}

fn parse<T: DeserializeOwned>(value: &Value, place: &str) -> Result<T, ScenarioError> {
    let at = if place.is_empty() { String::new() } else { format!("{place}: ") };
    serde_json::from_value(value.clone()).map_err(|error| match error.to_string() {
        reason if reason.starts_with("unknown field") => ScenarioError::UnknownField(format!("{at}{reason}")),
        reason => ScenarioError::Invalid(format!("{at}{reason}")),
    })
}

/// Fields of fields are merged, everything else is replaced (RFC 7396).
fn merge(into: &mut Map<String, Value>, change: &Map<String, Value>) {
    for (name, value) in change {
        match (into.get_mut(name), value) {
            (_, Value::Null) => {
                into.remove(name);
            }
            (Some(Value::Object(into)), Value::Object(change)) => merge(into, change),
            _ => {
                into.insert(name.clone(), value.clone());
            }
        }
    }
}

fn stored(setup: &Setup) -> Map<String, Value> {
    match serde_json::to_value(setup) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// What is stored was checked when it was; what a newer program wrote is read as far as it is known.
fn read(row: &ScenarioRow) -> Setup {
    Setup::read(&row.settings).unwrap_or_else(|error| {
        warn!("the scenario `{}` is answered as `default`: {error}", row.name);
        Setup::default()
    })
}

/// What is wrong with a setup, with the place.
fn check(llm: &Llm, cards: &Cards, setup: &Setup) -> Result<(), ScenarioError> {
    let mut wrong = Vec::new();
    for (name, text, most) in [("title", &setup.title, 200), ("description", &setup.description, 4_000)] {
        if text.as_ref().is_some_and(|text| text.chars().count() > most) {
            wrong.push(format!("{name} has more than {most} characters"));
        }
    }
    if let Some(pack) = setup.pack.as_deref().filter(|pack| Scope::of_scenario(pack).is_err()) {
        wrong.push(format!("pack is `{pack}`; the name of a pack is 1 to 64 of a-z, 0-9, `-` and `_`"));
    }
    let limits = setup.limits.unwrap_or_default();
    if limits.top_k.is_some_and(|top_k| !(1..=100).contains(&top_k)) {
        wrong.push("limits.top_k must be 1 to 100".into());
    }
    if limits.max_tokens == Some(0) {
        wrong.push("limits.max_tokens must be at least 1".into());
    }
    if limits.deadline_ms == Some(0) {
        wrong.push("limits.deadline_ms must be at least 1".into());
    }
    let ladder = setup.ladder.as_deref().unwrap_or_default();
    if ladder.len() > RUNGS {
        wrong.push(format!("ladder has {} models; at most {RUNGS} are asked", ladder.len()));
    }
    for (at, rung) in ladder.iter().enumerate() {
        wrong.extend(resolve(llm, cards, rung, &limits, &format!("ladder[{at}]")).err());
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(ScenarioError::Invalid(wrong.join("; "))),
    }
}

/// The models of a ladder.
struct Found {
    endpoints: Vec<Endpoint>,
    absent: Vec<(ModelFailure, String)>,
}

fn find(llm: &Llm, cards: &Cards, setup: &Setup) -> Found {
    let limits = setup.limits.unwrap_or_default();
    let resolved: Vec<(String, Result<Endpoint, String>)> = match &setup.ladder {
        Some(ladder) => {
            let rungs = ladder.iter().enumerate();
            rungs.map(|(at, rung)| (rung.name(), resolve(llm, cards, rung, &limits, &format!("ladder[{at}]")))).collect()
        }
        None => llm.usual().into_iter().map(|usual| (usual.name.clone(), bounded(llm, cards, usual, &limits, "llm"))).collect(),
    };
    let mut found = Found { endpoints: vec![], absent: vec![] };
    for (backend, endpoint) in resolved {
        match endpoint {
            Ok(endpoint) => found.endpoints.push(endpoint),
            Err(reason) => found.absent.push((ModelFailure { backend, code: "llm_unavailable".into() }, reason)),
        }
    }
    found
}

impl Rung {
    fn name(&self) -> String {
        self.backend.clone().or_else(|| self.card.clone()).or_else(|| self.model.clone()).unwrap_or_default()
    }
}

/// The endpoint that a rung names, or what is wrong with it.
fn resolve(llm: &Llm, cards: &Cards, rung: &Rung, limits: &Limits, place: &str) -> Result<Endpoint, String> {
    let given = |text: &Option<String>| text.clone().unwrap_or_default();
    let backend = match &rung.backend {
        Some(name) => {
            let names =
                || llm.simple().iter().chain(&llm.backends).map(|known| known.name.clone()).collect::<Vec<_>>().join(", ");
            let known = llm.backend(name).ok_or_else(|| {
                format!("{place}.backend is `{name}`, which the settings do not have (llm.backends); they have: {}", names())
            })?;
            // Its key would go to another address than the one it is for.
            if rung.card.is_some() || rung.base_url.is_some() || rung.api_key_env.is_some() {
                return Err(format!("{place} names the backend `{name}`: its card, address and key are those of the settings"));
            }
            let model = rung.model.clone().unwrap_or(known.model);
            Backend { model, context_tokens: rung.context_tokens.or(known.context_tokens), ..known }
        }
        None => Backend {
            name: rung.name(),
            card: given(&rung.card),
            base_url: given(&rung.base_url),
            api_key_env: given(&rung.api_key_env),
            model: given(&rung.model),
            context_tokens: rung.context_tokens,
            ..Backend::default()
        },
    };
    if rung.api_key_env.as_ref().is_some_and(|name| !name.starts_with(KEYS)) {
        return Err(format!("{place}.api_key_env must name a variable that begins with {KEYS}"));
    }
    if rung.backend.is_none() && rung.card.is_none() && rung.base_url.is_none() {
        return Err(format!("{place} names neither a backend nor a card nor a base_url"));
    }
    bounded(llm, cards, backend, limits, place)
}

/// The endpoint of a backend, within the limits.
fn bounded(llm: &Llm, cards: &Cards, backend: Backend, limits: &Limits, place: &str) -> Result<Endpoint, String> {
    let most = backend.max_tokens.unwrap_or(llm.max_tokens);
    let backend = Backend { max_tokens: Some(limits.max_tokens.map_or(most, |limit| limit.min(most))), ..backend };
    llm.endpoint(cards, &backend, place).map_err(|ConfigError(wrong)| wrong.join("; "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn llm() -> Llm {
        let text = "[[backends]]\nname = \"near\"\nbase_url = \"http://127.0.0.1:1/v1\"\nmodel = \"m\"\napi_key = \"secret\"";
        let mut llm: toml::Table =
            toml::from_str::<toml::Table>(include_str!("../config/default.toml")).unwrap()["llm"].clone().try_into().unwrap();
        llm.extend(toml::from_str::<toml::Table>(text).unwrap());
        llm.try_into().unwrap()
    }

    fn set(said: Value) -> Result<(Setup, Found), String> {
        let (llm, cards) = (llm(), Cards::load(None).unwrap());
        let setup = Setup::read(said.as_object().unwrap()).map_err(|e| e.to_string())?.settled(&llm);
        super::check(&llm, &cards, &setup).map_err(|e| e.to_string())?;
        let found = find(&llm, &cards, &setup);
        Ok((setup, found))
    }

    fn check(said: Value, reason: &str) {
        let wrong = set(said.clone()).err().unwrap_or_else(|| panic!("{said} is accepted"));
        assert!(wrong.contains(reason), "{said}: {wrong}");
    }

    #[test]
    fn a_ladder_names_backends_of_the_settings_and_cards_in_order() {
        let said = json!({ "ladder": ["near", { "card": "ollama", "model": "qwen3:8b" }], "limits": { "max_tokens": 100 } });
        let (setup, found) = set(said).unwrap();
        let names: Vec<&str> = found.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
        assert_eq!((names, found.endpoints[0].max_tokens), (vec!["near", "ollama"], 100));
        let shown = json!(stored(&setup));
        assert_eq!(shown["ladder"], json!([{ "backend": "near" }, { "card": "ollama", "model": "qwen3:8b" }]));
        assert!(!shown.to_string().contains("secret"));
        assert_eq!(set(json!({ "ladder": [] })).unwrap().1.endpoints.len(), 0);
        assert_eq!(set(json!({})).unwrap().1.endpoints[0].name, "near");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        check(json!({ "ladder": ["near", "深度"] }), "ladder[1].card is `深度`; there are the cards ark");
        check(json!({ "ladder": [{ "backend": "far" }] }), "ladder[0].backend is `far`, which the settings do not have");
        check(json!({ "ladder": [{ "backend": "near", "base_url": "http://example.com/v1" }] }), "those of the settings");
        check(json!({ "ladder": [{ "card": "vllm", "model": "m", "api_key_env": "PATH" }] }), "begins with DOSSIER_LLM_KEY");
        check(json!({ "ladder": [{ "card": "deepseek", "api_key_env": "DOSSIER_LLM_KEY_UNSET" }] }), "which is not set");
        check(json!({ "ladder": [{ "card": "deepseek" }] }), "ladder[0].api_key");
        check(json!({ "ladder": [{ "card": "ollama", "modle": "m" }] }), "ladder[0]: unknown field `modle`");
        check(json!({ "ladder": [{}] }), "ladder[0]");
        check(json!({ "ladder": "near" }), "expected a sequence");
        check(json!({ "ladder": vec!["near"; 9] }), "at most 8");
        check(json!({ "limits": { "top_q": 1 } }), "limits: unknown field `top_q`");
        check(json!({ "limits": { "top_k": 101 } }), "limits.top_k must be 1 to 100");
        check(json!({ "limits": { "deadline_ms": 0 } }), "limits.deadline_ms must be at least 1");
        check(json!({ "pack": "../x" }), "pack is `../x`");
        check(json!({ "colour": "red" }), "unknown field `colour`");
        check(json!({ "fallback": "maybe" }), "maybe");
    }

    #[test]
    fn a_change_replaces_fields_and_null_removes_them() {
        let mut settings =
            json!({ "title": "a", "pack": "p", "limits": { "top_k": 5, "max_tokens": 9 } }).as_object().unwrap().clone();
        merge(&mut settings, json!({ "title": "b", "pack": null, "limits": { "top_k": 7 } }).as_object().unwrap());
        assert_eq!(json!(settings), json!({ "title": "b", "limits": { "top_k": 7, "max_tokens": 9 } }));
    }
}
