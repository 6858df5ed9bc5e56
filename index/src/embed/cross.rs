//! How well does a passage answer a question? A cross-encoder reads both together, which is slower than comparing vectors and
//! surer: it is asked about the first passages only. The model is a folder that was added like an encoder's (`models add
//! --rerank`). One pair per run and no padding, so that a score depends on its pair alone.

use std::{
    num::NonZero,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Instant,
};

use fastembed::{OnnxSource, RerankInitOptionsUserDefined, TextRerank, UserDefinedRerankingModel};
use futures::future::try_join_all;
use parking_lot::Mutex;

use super::onnx::{CHARACTERS, Manifest, Task, guarded, invalid, runtime, tokenizer};
use crate::{IndexError, scope::Call};

const LATE: IndexError = IndexError::Deadline { doing: "ranking passages" };

/// A cross-encoder of a folder. Cloning shares it.
#[derive(Clone)]
pub struct CrossEncoder(Arc<Inner>);

struct Inner {
    manifest: Manifest,
    dir: PathBuf,
    /// Engines of one thread each that are idle; one is made when all are busy and there may be more.
    idle: Mutex<Vec<TextRerank>>,
    turns: tokio::sync::Semaphore,
    at_once: usize,
}

impl CrossEncoder {
    /// Loads a re-ranker that was added, after its files were found to be those that were added. `library` and `workers` as
    /// for an encoder.
    ///
    /// # Errors
    /// `encoder_invalid` if the folder is not what it was or holds no re-ranker, `encoder_runtime` if the library is absent or
    /// too old.
    pub fn load(dir: &Path, library: &str, workers: usize) -> Result<Self, IndexError> {
        Self::open(dir, Manifest::whole(dir, Task::Rerank)?, library, workers)
    }

    pub(super) fn open(dir: &Path, manifest: Manifest, library: &str, workers: usize) -> Result<Self, IndexError> {
        runtime(library)?;
        let mut first = engine(dir, &manifest).map_err(|reason| invalid(dir, reason))?;
        let tried = score(&mut first, "question", "passage");
        tried.map_err(|reason| invalid(dir, format!("the model is no re-ranker: {reason}")))?;
        let at_once = if workers > 0 { workers } else { thread::available_parallelism().map_or(1, NonZero::get) };
        let (dir, idle, turns) = (dir.into(), Mutex::new(vec![first]), tokio::sync::Semaphore::new(at_once));
        Ok(Self(Arc::new(Inner { manifest, dir, idle, turns, at_once })))
    }

    /// How well each text answers the question, 0 to 1, in order.
    ///
    /// # Errors
    /// `deadline_exceeded`, or `embedder_unavailable` if the model fails.
    pub async fn scores(&self, call: &Call, question: &str, texts: &[String]) -> Result<Vec<f32>, IndexError> {
        let part = texts.len().div_ceil(self.0.at_once).max(1);
        let parts = try_join_all(texts.chunks(part).map(|texts| self.part(call, question, texts.to_vec())));
        let scores = tokio::time::timeout(call.left(), parts).await.map_err(|_| LATE)??;
        Ok(scores.concat())
    }

    async fn part(&self, call: &Call, question: &str, texts: Vec<String>) -> Result<Vec<f32>, IndexError> {
        let turn = self.0.turns.acquire().await.map_err(|e| IndexError::Internal(e.to_string()))?;
        let (inner, question, deadline) = (self.0.clone(), question.to_owned(), call.deadline);
        let most = inner.manifest.max_tokens.saturating_mul(CHARACTERS);
        let work = move || {
            let idle = inner.idle.lock().pop();
            let mut engine = idle.map_or_else(|| engine(&inner.dir, &inner.manifest), Ok).map_err(IndexError::Encoder)?;
            let scores = texts.iter().map(|text| {
                if Instant::now() > deadline {
                    return Err(LATE);
                }
                let text: String = text.chars().take(most).collect();
                score(&mut engine, &question, &text).map_err(IndexError::Encoder)
            });
            let scores = scores.collect();
            inner.idle.lock().push(engine);
            scores
        };
        let scores = tokio::task::spawn_blocking(work).await.map_err(|e| IndexError::Encoder(e.to_string()))?;
        drop(turn);
        scores
    }
}

fn engine(dir: &Path, manifest: &Manifest) -> Result<TextRerank, String> {
    let files = tokenizer(dir, manifest).map_err(|e| e.to_string())?;
    let model = UserDefinedRerankingModel::new(OnnxSource::File(dir.join(&manifest.model)), files);
    let mut options = RerankInitOptionsUserDefined::new().with_intra_threads(1);
    options.max_length = manifest.max_tokens;
    guarded(|| TextRerank::try_new_from_user_defined(model, options).map_err(|e| format!("the model cannot be loaded: {e}")))
}

/// The logistic of what the model says.
fn score(engine: &mut TextRerank, question: &str, text: &str) -> Result<f32, String> {
    let ranked = guarded(|| engine.rerank(question, [text], false, Some(1)).map_err(|e| e.to_string()))?;
    match ranked.first().map(|ranked| ranked.score) {
        Some(logit) if !logit.is_nan() => Ok(1.0 / (1.0 + (-logit).exp())),
        _ => Err("the model says nothing".into()),
    }
}
