//! Settings: compiled-in defaults < `--config FILE` < environment < flags. What is wrong stops the start, all of it at once.

use std::{path::Path, time::Duration};

use figment::{
    Figment,
    providers::{Env, Format, Toml},
};
use serde::{Deserialize, Serialize};

const DEFAULTS: &str = include_str!("../config/default.toml");

/// All settings; each is a line with a comment in `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Settings {
    pub server: Server,
    pub index: Index,
    pub llm: Llm,
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
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Index {
    pub store: Store,
}

/// Where the points are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Store {
    /// Qdrant in this process.
    Embedded,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Llm {
    pub base_url: String,
    #[serde(skip_serializing)]
    pub api_key: String,
    pub model: String,
    pub max_tokens: u32,
    pub context_tokens: u32,
    pub first_byte_timeout: u64,
    pub idle_timeout: u64,
}

impl Llm {
    /// The endpoint, if one is configured.
    pub fn endpoint(&self) -> Option<rag::chat::Endpoint> {
        (!self.base_url.is_empty()).then(|| rag::chat::Endpoint {
            base_url: self.base_url.clone(),
            api_key: self.api_key.clone(),
            model: self.model.clone(),
            max_tokens: self.max_tokens,
            context_tokens: self.context_tokens,
            first_byte: Duration::from_secs(self.first_byte_timeout),
            idle: Duration::from_secs(self.idle_timeout),
        })
    }
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
                        .filter(|e| !matches!(e.kind, figment::error::Kind::UnknownField(..)))
                        .map(|e| e.to_string()),
                );
                Err(ConfigError(wrong))
            }
        }
    }

    fn check(&self, wrong: &mut Vec<String>) {
        if self.server.bind.parse::<std::net::SocketAddr>().is_err() {
            wrong.push(format!(
                "server.bind is `{}`; write HOST:PORT with a numeric host, such as 127.0.0.1:8080",
                self.server.bind
            ));
        }
        if !self.llm.base_url.is_empty()
            && !self.llm.base_url.starts_with("http://")
            && !self.llm.base_url.starts_with("https://")
        {
            wrong.push(format!("llm.base_url is `{}`; it must start with http:// or https://", self.llm.base_url));
        }
        if !self.llm.base_url.is_empty() && self.llm.model.is_empty() {
            wrong.push("llm.base_url is set and llm.model is not; name the model to use (DOSSIER_LLM__MODEL)".into());
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
        if self.llm.context_tokens < self.llm.max_tokens + 1024 {
            wrong.push(format!(
                "llm.context_tokens is {} and llm.max_tokens {}; the window must hold the answer and at least 1024 tokens of evidence",
                self.llm.context_tokens, self.llm.max_tokens
            ));
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
    fn everything_that_is_wrong_is_told_at_once() {
        let wrong = load("[server]\nbind = \"here\"\ndeadline = 0\n[llm]\nbase_url = \"ftp://x\"").unwrap_err();
        assert_eq!(wrong.lines().count(), 4, "{wrong}");
    }
}
