//! Which encoder makes the vectors? The settings `[embedding]`, what an index remembers of them, and `dossier models add`.
//!
//! Without a choice, the encoder is that of the index there is; for a new one it is the one in the program. A choice is the
//! name of a local encoder, or an endpoint's address or card with the model's name there.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use index::{
    IndexError,
    embed::{
        Builtin, CrossEncoder, Embedder, Onnx, Remote, Space,
        onnx::{self, Manifest, Task},
        remote::Endpoint,
        scale,
    },
    generation::Record,
    scope::{Call, Scope},
};
use rag::card::{Auth, Card, Cards};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    cli::{Common, Failure, exit},
    config::{ConfigError, Settings},
    show,
};

/// The encoder that is part of the program.
const BUILTIN: &str = "builtin";
/// What an endpoint takes that nobody describes: texts in a request, tokens of a text, tokens of a request.
const CAPS: (usize, usize, usize) = (16, 2_048, 16_384);
/// How long an endpoint may take to tell what its vectors are like.
const PATIENCE: Duration = Duration::from_secs(30);

/// The section `[embedding]`; each setting is a line with a comment in `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Embedding {
    #[serde(flatten)]
    pub chosen: Chosen,
    #[serde(skip_serializing)]
    pub api_key: String,
    pub api_key_file: String,
    pub max_batch: usize,
    pub max_tokens_each: usize,
    pub max_tokens_total: usize,
    pub concurrency: usize,
    pub timeout: u64,
    pub onnx_runtime: String,
    pub workers: usize,
}

/// What an index remembers of its encoder, enough to open it again.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
pub struct Chosen {
    pub model: String,
    pub card: String,
    pub base_url: String,
    pub dimensions: usize,
    pub query_prefix: String,
    pub passage_prefix: String,
    pub beta: f32,
    pub cosine_floor: f32,
}

impl Embedding {
    /// Everything that is wrong with the section.
    pub fn check(&self, cards: &Cards, wrong: &mut Vec<String>) {
        let chosen = &self.chosen;
        if !chosen.card.is_empty() && cards.get(&chosen.card).is_none() {
            wrong.push(format!("embedding.card is `{}`; there are the cards {}", chosen.card, cards.names().join(", ")));
        }
        if chosen.is_endpoint() {
            let card = cards.get(&chosen.card);
            let url = chosen.url(card);
            if url.is_empty() && card.is_some() {
                wrong.push(format!(
                    "the card `{}` has no address, every customer has another; set embedding.base_url",
                    chosen.card
                ));
            } else if !url.is_empty() && !url.starts_with("http://") && !url.starts_with("https://") {
                wrong.push(format!("embedding.base_url is `{url}`; it must start with http:// or https://"));
            }
            if chosen.model.is_empty() {
                wrong.push("an embedding endpoint is set and embedding.model is not; name the model to use".into());
            }
        } else if chosen.model.contains(['/', '\\']) || chosen.model.starts_with('.') {
            wrong.push(format!(
                "embedding.model is `{}`; take a folder in with `dossier models add DIR` and write its name",
                chosen.model
            ));
        }
        for (name, value) in [("concurrency", self.concurrency as u64), ("timeout", self.timeout)] {
            if value == 0 {
                wrong.push(format!("embedding.{name} is 0; it must be at least 1"));
            }
        }
        if !(chosen.beta.is_finite() && chosen.beta >= 0.0 && (-1.0..=1.0).contains(&chosen.cosine_floor)) {
            wrong.push("embedding.beta must be 0 or more, embedding.cosine_floor -1 to 1".into());
        }
    }

    /// The same with whatever encoder the index has.
    pub fn of_the_index(&self) -> Self {
        Self { chosen: Chosen::default(), ..self.clone() }
    }

    /// The encoder that the settings choose, else that of the live one of the generations there are, else the built-in one.
    ///
    /// # Errors
    /// `encoder_invalid`, `encoder_runtime`, `embedder_…` as the encoder is.
    pub async fn open(&self, data: &Path, cards: &Cards, known: &[Record]) -> Result<Arc<dyn Embedder>, IndexError> {
        let live = known.iter().find(|record| record.state == index::generation::State::Live);
        match live {
            Some(record) if self.chosen == Chosen::default() => self.open_again(data, cards, record).await,
            _ => self.open_chosen(&self.chosen, data, cards, known).await,
        }
    }

    /// The encoder of a generation.
    ///
    /// # Errors
    /// See [`Embedding::open`]; `other_encoder` if its files or its runtime are not what they were.
    pub async fn open_again(&self, data: &Path, cards: &Cards, record: &Record) -> Result<Arc<dyn Embedder>, IndexError> {
        let embedder = self.open_chosen(&Chosen::of(record)?, data, cards, std::slice::from_ref(record)).await?;
        match embedder.space().id() {
            id if id == record.space => Ok(embedder),
            configured => Err(IndexError::OtherEncoder { built: record.space.clone(), configured }),
        }
    }

    async fn open_chosen(
        &self,
        chosen: &Chosen,
        data: &Path,
        cards: &Cards,
        known: &[Record],
    ) -> Result<Arc<dyn Embedder>, IndexError> {
        if chosen.is_endpoint() {
            return Ok(Arc::new(self.open_endpoint(chosen, cards, known).await?));
        }
        if matches!(chosen.model.as_str(), "" | BUILTIN) {
            return Ok(Arc::new(Builtin::load()?));
        }
        Ok(Arc::new(self.local(data, &chosen.model, Onnx::load).await?))
    }

    /// The cross-encoder that was added under a name; none where it is empty.
    ///
    /// # Errors
    /// `encoder_invalid`, `encoder_runtime`.
    pub async fn reranker(&self, data: &Path, name: &str) -> Result<Option<CrossEncoder>, IndexError> {
        match name {
            "" => Ok(None),
            name => Ok(Some(self.local(data, name, CrossEncoder::load).await?)),
        }
    }

    /// A model of a folder that was added.
    async fn local<T, F>(&self, data: &Path, name: &str, load: F) -> Result<T, IndexError>
    where
        T: Send + 'static,
        F: FnOnce(&Path, &str, usize) -> Result<T, IndexError> + Send + 'static,
    {
        let (dir, library, workers) = (folder(data).join(name), self.onnx_runtime.clone(), self.workers);
        if !dir.is_dir() {
            let added: Vec<String> = list(data).into_iter().map(|manifest| manifest.name).collect();
            let reason = format!(
                "there is no local model of this name; there are {BUILTIN}{}{}. Take one in with `dossier models add DIR`",
                if added.is_empty() { "" } else { ", " },
                added.join(", ")
            );
            return Err(IndexError::EncoderFolder { dir: name.into(), reason });
        }
        let load = move || load(&dir, &library, workers);
        tokio::task::spawn_blocking(load).await.map_err(|e| IndexError::Internal(e.to_string()))?
    }

    /// What is not said is looked up, in this order: the settings, the card, what an index remembers, the endpoint itself.
    async fn open_endpoint(&self, chosen: &Chosen, cards: &Cards, known: &[Record]) -> Result<Remote, IndexError> {
        let card = cards.get(&chosen.card);
        let caps = card.and_then(|card| card.embedding(&chosen.model));
        let or = |set: usize, card: Option<u32>, other: usize| if set > 0 { set } else { card.map_or(other, |n| n as usize) };
        let endpoint = Endpoint {
            base_url: chosen.url(card).into(),
            path: card.map_or("/embeddings", |card| &card.embed_path).into(),
            key: self.key(card)?,
            model: chosen.model.clone(),
            ask_dimensions: (self.chosen.dimensions > 0).then_some(self.chosen.dimensions),
            query_prefix: chosen.query_prefix.clone(),
            passage_prefix: chosen.passage_prefix.clone(),
            max_batch: or(self.max_batch, caps.map(|caps| caps.max_batch), CAPS.0),
            max_tokens_each: or(self.max_tokens_each, caps.map(|caps| caps.max_tokens_each), CAPS.1),
            max_tokens_total: or(self.max_tokens_total, caps.and_then(|caps| caps.max_tokens_total), CAPS.2),
            concurrency: self.concurrency,
            timeout: Duration::from_secs(self.timeout),
        };
        let call = Call::new(Scope::default(), PATIENCE);
        let same = |record: &&Record| record.space == endpoint.space(record.dimensions, 0.0, 0.0).id();
        let remembered = known.iter().find(same);
        let dimensions = match or(chosen.dimensions, caps.and_then(|caps| caps.dimensions), 0) {
            0 => match remembered {
                Some(record) => record.dimensions,
                None => Remote::dimensions(&endpoint, &call).await?,
            },
            dimensions => dimensions,
        };
        let remembered = remembered.and_then(|record| serde_json::from_value::<Chosen>(record.encoder.clone()).ok());
        let (beta, floor) = match (chosen.beta > 0.0, remembered) {
            (false, Some(before)) if before.beta > 0.0 => (before.beta, before.cosine_floor),
            (true, _) => (chosen.beta, chosen.cosine_floor),
            (false, _) => {
                let unscaled = Remote::new(endpoint.clone(), dimensions, 0.0, 0.0)?;
                let scale = scale::measure(&unscaled).await?;
                (scale.beta, scale.cosine_floor)
            }
        };
        Remote::new(endpoint, dimensions, beta, floor)
    }

    /// What an index in this space remembers of the encoder that the settings choose.
    pub fn remembered(&self, space: &Space) -> Value {
        let found =
            Chosen { dimensions: space.dimensions, beta: space.beta, cosine_floor: space.cosine_floor, ..self.chosen.clone() };
        serde_json::to_value(found).unwrap_or_default()
    }

    fn key(&self, card: Option<&Card>) -> Result<Option<(String, String)>, IndexError> {
        let key = match (self.api_key.as_str(), self.api_key_file.as_str()) {
            ("", "") => return Ok(None),
            ("", file) => {
                std::fs::read_to_string(file).map_err(|e| IndexError::from_io(format!("embedding.api_key_file `{file}`"), e))?
            }
            (key, _) => key.to_owned(),
        };
        Ok(Some(match card.map(|card| card.auth) {
            Some(Auth::ApiKey) => ("api-key".into(), key.trim().into()),
            _ => ("authorization".into(), format!("Bearer {}", key.trim())),
        }))
    }
}

impl Chosen {
    /// What a generation remembers.
    ///
    /// # Errors
    /// `data_damaged` if it cannot be read.
    pub fn of(record: &Record) -> Result<Self, IndexError> {
        match &record.encoder {
            Value::Null => Ok(Self::default()),
            encoder => serde_json::from_value(encoder.clone())
                .map_err(|e| IndexError::DataDamaged { reason: format!("the encoder of the generation `{}`: {e}", record.name) }),
        }
    }

    /// Whether vectors are made elsewhere.
    fn is_endpoint(&self) -> bool {
        !self.base_url.is_empty() || !self.card.is_empty()
    }

    fn url<'a>(&'a self, card: Option<&'a Card>) -> &'a str {
        if self.base_url.is_empty() { card.map_or("", |card| &card.base_url) } else { &self.base_url }
    }
}

/// Takes a folder in as a local encoder or re-ranker.
pub async fn add(common: &Common, settings: &Settings, dir: &Path, name: &str, task: Task) -> Result<u8, Failure> {
    if !dir.is_dir() {
        return add_of_catalogue(common, settings, &dir.display().to_string(), name, task).await;
    }
    let to = folder(&common.data);
    std::fs::create_dir_all(&to).map_err(|e| IndexError::from_io("encoder folder".into(), e))?;
    let manifest = onnx::add(dir, &to, name, task, &settings.embedding.onnx_runtime).await?;
    if common.json {
        show::json(&manifest);
    } else {
        println!("{}", manifest.name);
        show::encoder(&manifest);
    }
    let name = &manifest.name;
    match task {
        Task::Embed => eprintln!(
            "next: dossier index build --model {name} for the documents there are, or embedding.model = \"{name}\" for a new directory"
        ),
        Task::Rerank => eprintln!("next: rerank.model = \"{name}\""),
    }
    Ok(exit::OK)
}

/// Fetches a model of the catalogue and takes it in.
async fn add_of_catalogue(common: &Common, settings: &Settings, wanted: &str, name: &str, task: Task) -> Result<u8, Failure> {
    let Some(model) = onnx::of_catalogue(wanted).filter(|_| task == Task::Embed) else {
        let near = onnx::near_catalogue(wanted).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        let message = format!("there is neither a folder nor an encoder of the catalogue called `{wanted}`{near}");
        return Err(Failure::new(exit::USAGE, "encoder_invalid", message));
    };
    // Before anything is fetched that could not be run.
    onnx::runtime(&settings.embedding.onnx_runtime)?;
    std::fs::create_dir_all(&common.data).map_err(|e| IndexError::from_io("data directory".into(), e))?;
    let fetched = tempfile::tempdir_in(&common.data).map_err(|e| IndexError::from_io("data directory".into(), e))?;
    let dir = fetched.path().join(model.name());
    crate::catalogue::fetch(&model, &dir).await?;
    Box::pin(add(common, settings, &dir, name, task)).await
}

/// The local encoders of a data directory.
pub fn list(data: &Path) -> Vec<Manifest> {
    onnx::list(&folder(data))
}

/// The local encoder of this name.
pub fn find(data: &Path, name: &str) -> Option<Manifest> {
    list(data).into_iter().find(|manifest| manifest.name == name)
}

/// Where a data directory keeps its encoders.
pub fn folder(data: &Path) -> PathBuf {
    data.join("models")
}

/// Cards of a settings file, without what is wrong with them: that was told when the settings were read.
pub fn cards(settings: &Settings) -> Result<Cards, IndexError> {
    settings.llm.cards().map_err(|ConfigError(wrong)| IndexError::Internal(wrong.join("; ")))
}
