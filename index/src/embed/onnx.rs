//! A local model: a folder with an ONNX file and its tokenizer, run by fastembed on the ONNX Runtime library that the
//! operator names. [`add`] copies such a folder into the data directory with a manifest (`encoder.toml`): how the model is
//! used, and the checksum of each of its files, which must fit whenever it is loaded. One text per run and no padding, so
//! that a vector depends on its text alone; texts run side by side on engines of one thread each.

use std::{
    any::Any,
    collections::BTreeMap,
    fs,
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use async_trait::async_trait;
use fastembed::{InitOptionsUserDefined, TextEmbedding, TokenizerFiles, UserDefinedEmbeddingModel};
use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Embedder, Space, cross::CrossEncoder};
use crate::{IndexError, nearest::nearest, scope::Call};

/// The file in an encoder's folder that says how it is used.
pub const MANIFEST: &str = "encoder.toml";
const TOKENIZER: &str = "tokenizer.json";
/// Files of the tokenizer that may be absent.
const SIDE_FILES: [&str; 3] = ["config.json", "special_tokens_map.json", "tokenizer_config.json"];
/// Where a model's file usually is; else it must be the only one.
const MODELS: [&str; 4] = ["model.onnx", "onnx/model.onnx", "model_quantized.onnx", "onnx/model_quantized.onnx"];
/// No more characters make a token.
pub(super) const CHARACTERS: usize = 24;
/// Where the library is looked for if no setting names it.
const LIBRARY: &str = "ORT_DYLIB_PATH";

/// How a local model is used. What is absent has a default or is read from the model's own files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Manifest {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub task: Task,
    /// The ONNX file.
    pub model: String,
    /// In front of a question.
    pub query_prefix: String,
    /// In front of a passage.
    pub passage_prefix: String,
    /// How the last layer becomes one vector.
    pub pooling: Pooling,
    /// Tokens that are read; the rest of a longer text is not.
    pub max_tokens: usize,
    /// Numbers in a vector; found when it is added.
    pub dimensions: usize,
    /// See [`Space::beta`]; measured when it is added, unless given.
    pub beta: f32,
    /// See [`Space::cosine_floor`]; measured with β.
    pub cosine_floor: f32,
    /// The BLAKE3 of each file.
    pub files: BTreeMap<String, String>,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            name: String::new(),
            task: Task::Embed,
            model: String::new(),
            query_prefix: String::new(),
            passage_prefix: String::new(),
            pooling: Pooling::Mean,
            max_tokens: 512,
            dimensions: 0,
            beta: 0.0,
            cosine_floor: 0.0,
            files: BTreeMap::new(),
        }
    }
}

/// What a local model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// It makes vectors: `embedding.model`.
    Embed,
    /// It reads a question and a passage together and says how well they fit: `rerank.model`.
    Rerank,
}

/// How the last layer becomes one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// The mean over all tokens.
    Mean,
    /// The first token.
    Cls,
}

/// An encoder of a folder. Cloning shares it.
#[derive(Clone)]
pub struct Onnx(Arc<Inner>);

struct Inner {
    manifest: Manifest,
    space: Space,
    dir: PathBuf,
    version: String,
    /// Engines that are idle; one is made when all are busy and there may be more.
    idle: Mutex<Vec<TextEmbedding>>,
    turns: tokio::sync::Semaphore,
    at_once: usize,
}

impl Onnx {
    /// Loads an encoder that was added, after its files were found to be those that were added. `library` is the file of
    /// ONNX Runtime (empty: what `ORT_DYLIB_PATH` says), `workers` how many texts run side by side (0: one on each core).
    ///
    /// # Errors
    /// `encoder_invalid` if the folder is not what it was or holds no model, `encoder_runtime` if the library is absent or
    /// too old.
    pub fn load(dir: &Path, library: &str, workers: usize) -> Result<Self, IndexError> {
        Self::open(dir, Manifest::whole(dir, Task::Embed)?, library, workers)
    }

    fn open(dir: &Path, manifest: Manifest, library: &str, workers: usize) -> Result<Self, IndexError> {
        let version = runtime(library)?;
        let mut first = Files::read(dir, &manifest)?.engine(&manifest).map_err(|reason| invalid(dir, reason))?;
        let vector = guarded(|| first.embed([manifest.passage_prefix.as_str()], Some(1)).map_err(|e| e.to_string()));
        let dimensions = vector.map_err(|reason| invalid(dir, reason))?.first().map_or(0, Vec::len);
        if dimensions == 0 || (manifest.dimensions > 0 && manifest.dimensions != dimensions) {
            let wanted = manifest.dimensions;
            return Err(invalid(dir, format!("the model makes vectors of {dimensions} numbers, {MANIFEST} says {wanted}")));
        }
        let at_once = if workers > 0 { workers } else { thread::available_parallelism().map_or(1, NonZero::get) };
        Ok(Self(Arc::new(Inner {
            space: Space {
                model: manifest.name.clone(),
                runtime: format!("onnxruntime-{version}"),
                checksum: manifest.checksum(),
                dimensions,
                beta: manifest.beta,
                cosine_floor: manifest.cosine_floor,
            },
            manifest,
            dir: dir.into(),
            version,
            idle: Mutex::new(vec![first]),
            turns: tokio::sync::Semaphore::new(at_once),
            at_once,
        })))
    }

    /// How it is used.
    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    /// The version of ONNX Runtime that runs it.
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// One text, once it has a turn.
    async fn one(&self, call: &Call, prefix: &str, text: &str) -> Result<Vec<f32>, IndexError> {
        let late = |_| IndexError::Deadline { doing: "waiting for the encoder" };
        let turn = tokio::time::timeout(call.left(), self.0.turns.acquire()).await.map_err(late)?;
        let inner = self.0.clone();
        let most = inner.manifest.max_tokens.saturating_mul(CHARACTERS);
        let text = format!("{prefix}{}", text.chars().take(most).collect::<String>());
        let meter = call.meter.clone();
        let work = move || {
            let idle = inner.idle.lock().pop();
            let mut engine = match idle {
                Some(engine) => engine,
                None => Files::read(&inner.dir, &inner.manifest)?.engine(&inner.manifest).map_err(IndexError::Encoder)?,
            };
            let tokens = engine.tokenizer.encode_fast(text.as_str(), true).map_or(0, |encoding| encoding.len());
            meter.embedded(tokens as u64);
            let vectors = guarded(|| engine.embed([text.as_str()], Some(1)).map_err(|e| e.to_string()));
            inner.idle.lock().push(engine);
            let vector = vectors.map_err(IndexError::Encoder)?.pop().unwrap_or_default();
            unit(vector, inner.space.dimensions)
        };
        let vector = tokio::task::spawn_blocking(work).await.map_err(|e| IndexError::Encoder(e.to_string()))?;
        drop(turn);
        vector
    }
}

#[async_trait]
impl Embedder for Onnx {
    fn space(&self) -> &Space {
        &self.0.space
    }

    // Turns are given in the order they are asked for, and a batch asks for no more than there are: a question waits for one
    // text at most.
    async fn passages(&self, call: &Call, texts: &[String]) -> Result<Vec<Vec<f32>>, IndexError> {
        let prefix = &self.0.manifest.passage_prefix;
        let work: Vec<_> = texts.iter().map(|text| self.one(call, prefix, text)).collect();
        stream::iter(work).buffered(self.0.at_once).try_collect().await
    }

    async fn query(&self, call: &Call, text: &str) -> Result<Vec<f32>, IndexError> {
        self.one(call, &self.0.manifest.query_prefix, text).await
    }
}

/// A vector at unit length.
fn unit(mut vector: Vec<f32>, dimensions: usize) -> Result<Vec<f32>, IndexError> {
    let norm = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
    if vector.len() != dimensions || !norm.is_finite() || norm == 0.0 {
        return Err(IndexError::Encoder(format!("the model made {} numbers instead of {dimensions}, norm {norm}", vector.len())));
    }
    vector.iter_mut().for_each(|v| *v /= norm);
    Ok(vector)
}

// ---- the folder ---------------------------------------------------------------------------------------------------

impl Manifest {
    /// The manifest of an encoder that was added.
    ///
    /// # Errors
    /// `encoder_invalid` if there is none or it says something it must not, with its line.
    pub fn read(dir: &Path) -> Result<Self, IndexError> {
        let text = fs::read_to_string(dir.join(MANIFEST)).map_err(|e| invalid(dir, format!("{MANIFEST} cannot be read: {e}")))?;
        Self::parse(dir, &text)
    }

    /// The manifest of a model that was added for a task, after its files were found to be those that were added.
    ///
    /// # Errors
    /// `encoder_invalid`.
    pub fn whole(dir: &Path, task: Task) -> Result<Self, IndexError> {
        let manifest = Self::read(dir)?;
        if manifest.task != task {
            return Err(invalid(
                dir,
                match task {
                    Task::Embed => "it is a re-ranker (`rerank.model`) and makes no vectors",
                    Task::Rerank => "it makes vectors (`embedding.model`) and is no re-ranker; one is added with `--rerank`",
                },
            ));
        }
        for (file, sum) in &manifest.files {
            if *sum != checksum(dir, file)? {
                return Err(invalid(dir, format!("`{file}` is not the file that was added; add the folder again")));
            }
        }
        Ok(manifest)
    }

    fn parse(dir: &Path, text: &str) -> Result<Self, IndexError> {
        let manifest: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text.as_bytes()[..span.start].iter().filter(|b| **b == b'\n').count() + 1);
            invalid(dir, format!("{MANIFEST}:{line}: {}", error.message().trim()))
        })?;
        match manifest.max_tokens {
            0 => Err(invalid(dir, format!("{MANIFEST}: max_tokens is 0; it must be at least 1"))),
            _ => Ok(manifest),
        }
    }

    /// What a folder that is no encoder yet says about itself: its own manifest, else the files that such models usually have.
    fn of_folder(dir: &Path) -> Result<Self, IndexError> {
        let json =
            |file: &str| fs::read(dir.join(file)).ok().and_then(|b| serde_json::from_slice::<Value>(&b).ok()).unwrap_or_default();
        let mut manifest = match dir.join(MANIFEST).exists() {
            true => Self::read(dir)?,
            false => {
                let prompts = &json("config_sentence_transformers.json")["prompts"];
                let prompt =
                    |names: &[&str]| names.iter().find_map(|name| prompts[*name].as_str()).unwrap_or_default().to_owned();
                let cls = json("1_Pooling/config.json")["pooling_mode_cls_token"] == true;
                let most = json("sentence_bert_config.json")["max_seq_length"].as_u64();
                let own = json("tokenizer_config.json")["model_max_length"].as_f64().filter(|most| *most < 1e6);
                Self {
                    query_prefix: prompt(&["query"]),
                    passage_prefix: prompt(&["passage", "document"]),
                    pooling: if cls { Pooling::Cls } else { Pooling::Mean },
                    max_tokens: most.map_or_else(|| own.map_or(512, |most| most as usize), |most| most as usize).max(1),
                    ..Self::default()
                }
            }
        };
        if !dir.is_dir() {
            return Err(invalid(dir, "there is no such folder"));
        }
        if manifest.model.is_empty() {
            manifest.model = model_file(dir)?;
        }
        if !dir.join(TOKENIZER).is_file() {
            return Err(invalid(dir, format!("it has no `{TOKENIZER}`; a model without its tokenizer cannot be used")));
        }
        manifest.files = std::iter::once(manifest.model.clone())
            .chain(weights(dir, &manifest.model))
            .chain(std::iter::once(TOKENIZER).chain(SIDE_FILES).filter(|file| dir.join(file).is_file()).map(str::to_owned))
            .map(|file| Ok((file.clone(), checksum(dir, &file)?)))
            .collect::<Result<_, IndexError>>()?;
        Ok(manifest)
    }

    /// What a vector depends on: the files, and how they are used.
    fn checksum(&self) -> String {
        let used = json!([self.files, self.query_prefix, self.passage_prefix, self.pooling, self.max_tokens]).to_string();
        blake3::hash(used.as_bytes()).to_hex()[..12].to_owned()
    }
}

/// Copies a model's folder into `encoders` under `name` (empty: the folder's), after it was loaded and run; what is measured
/// goes into its manifest. A model of this name that is there already is replaced.
///
/// # Errors
/// `encoder_invalid`, `encoder_runtime`, `storage`, `storage_full`. Then nothing has changed.
pub async fn add(dir: &Path, encoders: &Path, name: &str, task: Task, library: &str) -> Result<Manifest, IndexError> {
    let dir = dir.canonicalize().map_err(|e| invalid(dir, format!("it cannot be opened: {e}")))?;
    let mut manifest = Manifest::of_folder(&dir)?;
    let own = dir.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name =
        [name, manifest.name.as_str(), own.as_str()].into_iter().find(|name| !name.is_empty()).unwrap_or_default().to_owned();
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
    if name.is_empty() || name == "builtin" || name.len() > 64 || name.starts_with('.') || !name.bytes().all(plain) {
        return Err(invalid(
            &dir,
            format!("`{name}` is no name for an encoder: use 1 to 64 of a-z, 0-9, `-`, `_` and `.` (--name)"),
        ));
    }
    (manifest.name, manifest.task) = (name.clone(), task);
    match task {
        Task::Rerank => drop(CrossEncoder::open(&dir, manifest.clone(), library, 1)?),
        Task::Embed => {
            let encoder = Onnx::open(&dir, manifest.clone(), library, 0)?;
            manifest.dimensions = encoder.space().dimensions;
            if manifest.beta == 0.0 {
                let scale = super::scale::measure(&encoder).await?;
                (manifest.beta, manifest.cosine_floor) = (scale.beta, scale.cosine_floor);
            }
        }
    }
    let failed = |e| IndexError::from_io("encoder folder".into(), e);
    let part = encoders.join(format!(".{name}.part"));
    fs::remove_dir_all(&part).ok();
    for file in manifest.files.keys() {
        let to = part.join(file);
        fs::create_dir_all(to.parent().unwrap_or(&part)).map_err(failed)?;
        fs::copy(dir.join(file), to).map_err(failed)?;
    }
    let text = toml::to_string(&manifest).map_err(|e| IndexError::Internal(e.to_string()))?;
    fs::write(part.join(MANIFEST), text).map_err(failed)?;
    let to = encoders.join(&name);
    fs::remove_dir_all(&to).ok();
    fs::rename(&part, &to).map_err(failed)?;
    Ok(manifest)
}

/// A model of fastembed's catalogue.
#[derive(Debug, Clone)]
pub struct Catalogued {
    /// What it is called where its makers keep it: `Xenova/bge-small-zh-v1.5`.
    pub code: String,
    /// Its ONNX file there.
    pub file: String,
    /// Files that belong to that one.
    pub others: Vec<String>,
    /// How its last layer becomes one vector.
    pub pooling: Pooling,
}

impl Catalogued {
    /// Its name as an encoder's: `bge-small-zh-v1.5`.
    pub fn name(&self) -> String {
        last(&self.code)
    }

    /// What its files may not say, as an `encoder.toml`.
    pub fn manifest(&self) -> String {
        let pooling = if self.pooling == Pooling::Cls { "cls" } else { "mean" };
        // As the makers of the E5 models ask for (Wang et al., arXiv 2212.03533 and 2402.05672).
        let prefixes = match self.name().contains("e5-") {
            true => "query_prefix = \"query: \"\npassage_prefix = \"passage: \"\n",
            false => "",
        };
        format!("model = \"{}\"\npooling = \"{pooling}\"\n{prefixes}", self.file)
    }
}

fn last(code: &str) -> String {
    code.rsplit('/').next().unwrap_or(code).to_lowercase()
}

/// The model of fastembed's catalogue that goes by this name, with or without whose it is.
pub fn of_catalogue(name: &str) -> Option<Catalogued> {
    let all = TextEmbedding::list_supported_models();
    let known =
        all.into_iter().find(|model| model.model_code.eq_ignore_ascii_case(name) || last(&model.model_code) == last(name))?;
    let cls = matches!(TextEmbedding::get_default_pooling_method(&known.model), Some(fastembed::Pooling::Cls));
    let pooling = if cls { Pooling::Cls } else { Pooling::Mean };
    Some(Catalogued { code: known.model_code, file: known.model_file, others: known.additional_files, pooling })
}

/// The name in the catalogue that is most like this one.
pub fn near_catalogue(name: &str) -> Option<String> {
    let names: Vec<String> = TextEmbedding::list_supported_models().iter().map(|model| last(&model.model_code)).collect();
    nearest(&last(name), names.iter().map(String::as_str)).map(str::to_owned)
}

/// The encoders that were added, by name; one that cannot be read is left out.
pub fn list(encoders: &Path) -> Vec<Manifest> {
    let folders = fs::read_dir(encoders).into_iter().flatten().flatten();
    let mut found: Vec<Manifest> = folders.filter_map(|folder| Manifest::read(&folder.path()).ok()).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn model_file(dir: &Path) -> Result<String, IndexError> {
    if let Some(usual) = MODELS.iter().find(|file| dir.join(file).is_file()) {
        return Ok((*usual).to_owned());
    }
    let files = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let found: Vec<String> = files.filter(|name| name.ends_with(".onnx")).collect();
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(invalid(dir, "it has no ONNX file; `model.onnx` is looked for, also in `onnx/`")),
        several => Err(invalid(dir, format!("it has several ONNX files; write `model = \"{}\"` into {MANIFEST}", several[0]))),
    }
}

/// Files with weights that a large model keeps beside it.
fn weights(dir: &Path, model: &str) -> Vec<String> {
    [format!("{model}_data"), format!("{model}.data")].into_iter().filter(|file| dir.join(file).is_file()).collect()
}

fn checksum(dir: &Path, file: &str) -> Result<String, IndexError> {
    let path = dir.join(file);
    let mut hasher = blake3::Hasher::new();
    let read = fs::File::open(&path).and_then(|file| hasher.update_reader(file).map(|_| ()));
    read.map_err(|e| invalid(dir, format!("`{file}` cannot be read: {e}")))?;
    Ok(hasher.finalize().to_hex().to_string())
}

pub(super) fn invalid(dir: &Path, reason: impl Into<String>) -> IndexError {
    IndexError::EncoderFolder { dir: dir.display().to_string(), reason: reason.into() }
}

/// The bytes of a model's files, until an engine has its own copy.
struct Files {
    model: Vec<u8>,
    weights: Vec<(String, Vec<u8>)>,
    tokenizer: TokenizerFiles,
}

/// The files of a model's tokenizer.
pub(super) fn tokenizer(dir: &Path, manifest: &Manifest) -> Result<TokenizerFiles, IndexError> {
    // fastembed wants all four; of the last three it needs a length and the padding that texts run one by one never meet.
    let or = |file: &str, other: Value| match dir.join(file).is_file() {
        true => read(dir, file),
        false => Ok(other.to_string().into_bytes()),
    };
    let [config, special, tokens] = SIDE_FILES;
    let mut settings: Value =
        serde_json::from_slice(&or(tokens, json!({}))?).map_err(|e| invalid(dir, format!("`{tokens}` is no JSON: {e}")))?;
    if !settings["model_max_length"].is_number() {
        settings["model_max_length"] = manifest.max_tokens.into();
    }
    if !settings["pad_token"].is_string() && !settings["pad_token"]["content"].is_string() {
        settings["pad_token"] = "[PAD]".into();
    }
    Ok(TokenizerFiles {
        tokenizer_file: read(dir, TOKENIZER)?,
        config_file: or(config, json!({}))?,
        special_tokens_map_file: or(special, json!({}))?,
        tokenizer_config_file: settings.to_string().into_bytes(),
    })
}

fn read(dir: &Path, file: &str) -> Result<Vec<u8>, IndexError> {
    fs::read(dir.join(file)).map_err(|e| invalid(dir, format!("`{file}` cannot be read: {e}")))
}

impl Files {
    fn read(dir: &Path, manifest: &Manifest) -> Result<Self, IndexError> {
        let file =
            |name: String| Path::new(&name).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self {
            model: read(dir, &manifest.model)?,
            weights: weights(dir, &manifest.model)
                .into_iter()
                .map(|name| Ok((file(name.clone()), read(dir, &name)?)))
                .collect::<Result<_, IndexError>>()?,
            tokenizer: tokenizer(dir, manifest)?,
        })
    }

    fn engine(self, manifest: &Manifest) -> Result<TextEmbedding, String> {
        let pooling = match manifest.pooling {
            Pooling::Mean => fastembed::Pooling::Mean,
            Pooling::Cls => fastembed::Pooling::Cls,
        };
        let mut model = UserDefinedEmbeddingModel::new(self.model, self.tokenizer).with_pooling(pooling);
        for (name, bytes) in self.weights {
            model = model.with_external_initializer(name, bytes);
        }
        let options = InitOptionsUserDefined::new().with_max_length(manifest.max_tokens).with_intra_threads(1);
        guarded(|| {
            TextEmbedding::try_new_from_user_defined(model, options).map_err(|e| format!("the model cannot be loaded: {e}"))
        })
    }
}

// ---- the library --------------------------------------------------------------------------------------------------

/// Loads ONNX Runtime once for this process and tells its version. Nothing of it may be called before: without a library
/// that fits, every call into it panics.
pub fn runtime(library: &str) -> Result<String, IndexError> {
    let named = |library: String| if library.is_empty() { None } else { Some(library) };
    let library = named(library.to_owned()).or_else(|| named(std::env::var(LIBRARY).unwrap_or_default()));
    let Some(library) = library else {
        return Err(IndexError::EncoderRuntime {
            reason: format!(
                "a local model needs its library; name the file in embedding.onnx_runtime or {LIBRARY} (libonnxruntime.so of version 1.{} or newer)",
                ort::MINOR_VERSION
            ),
        });
    };
    let path = PathBuf::from(&library);
    // A bare name is left to the system's loader.
    if library.contains('/') && !path.is_file() {
        return Err(IndexError::EncoderRuntime {
            reason: format!("there is no library `{library}`; look at embedding.onnx_runtime and {LIBRARY}"),
        });
    }
    let path = path.canonicalize().unwrap_or(path);
    let loaded = guarded(|| match ort::init_from(&path) {
        Ok(_) => Ok(version(ort::info())),
        Err(error) => Err(error.to_string()),
    });
    loaded.map_err(|reason| IndexError::EncoderRuntime {
        reason: format!("`{library}` cannot be used: {reason}; version 1.{} or newer is needed", ort::MINOR_VERSION),
    })
}

/// `1.32` out of what the library says about its build, else the commit it was built from.
fn version(info: &str) -> String {
    let after = |key: &str| info.split_once(key).map(|(_, rest)| rest.split([',', ' ']).next().unwrap_or_default());
    match after("rel-") {
        Some(version) => version.splitn(3, '.').take(2).collect::<Vec<_>>().join("."),
        None => after("git-commit-id=").unwrap_or("unknown").chars().take(10).collect(),
    }
}

/// The binding panics in places where others return an error: here it becomes one.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let words = |panic: Box<dyn Any + Send>| {
        let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        Err(text.unwrap_or_else(|| "it stopped without a reason".into()))
    };
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(words)
}
