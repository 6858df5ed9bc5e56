//! The encoder that is always there: `e5-small-zh-en`, compiled in, run by rten on the processor. One text per run and
//! no padding: the model quantises its activations over a whole batch, so in a batch a vector would depend on its
//! neighbours. Passages run side by side, one on each core; a question runs at once and passages make room for it.

use std::{
    cmp::Reverse,
    num::NonZero,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use rten::{Model, NodeId, RunOptions, ThreadPool};
use rten_tensor::{NdTensor, prelude::*};
use tokenizers::{Tokenizer, TruncationParams};

use super::{Embedder, Space};
use crate::{IndexError, meter::Meter, scope::Call};

static MODEL: &[u8] = include_bytes!("../../models/e5-small-zh-en/model.onnx");
static TOKENIZER: &[u8] = include_bytes!("../../models/e5-small-zh-en/tokenizer.json");
/// Positions the model has; the rest of a longer text is not read.
const MOST_TOKENS: usize = 512;
/// No piece of the vocabulary is longer than 16 characters, so no text needs more of them to fill the model.
const MOST_CHARACTERS: usize = MOST_TOKENS * 16;
/// How long a passage makes room for questions before it runs all the same.
const PATIENCE: Duration = Duration::from_millis(500);

/// The built-in encoder. Cloning shares it.
#[derive(Clone)]
pub struct Builtin(Arc<Encoder>);

struct Encoder {
    space: Space,
    model: Model,
    tokenizer: Tokenizer,
    ids: NodeId,
    mask: NodeId,
    hidden: NodeId,
    /// One thread for each core, for passages; a batch holds them all.
    passages: tokio::sync::Mutex<()>,
    cores: Vec<Arc<ThreadPool>>,
    /// As many again for questions, so that one never waits for a passage.
    queries: tokio::sync::Semaphore,
    spare: Mutex<Vec<Arc<ThreadPool>>>,
    /// Questions that run or wait.
    asked: Mutex<usize>,
    answered: Condvar,
}

impl Builtin {
    /// Reads the model out of the program.
    ///
    /// # Errors
    /// `embedder_unavailable` if the files compiled in do not fit the runtime.
    pub fn load() -> Result<Self, IndexError> {
        let mut tokenizer = Tokenizer::from_bytes(TOKENIZER).map_err(failed)?;
        let truncation = TruncationParams { max_length: MOST_TOKENS, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(truncation)).map_err(failed)?;
        let model = Model::load_static_slice(MODEL).map_err(failed)?;
        let node = |name| model.node_id(name).map_err(failed);
        let (ids, mask, hidden) = (node("input_ids")?, node("attention_mask")?, node("last_hidden_state")?);
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let pools = || (0..cores).map(|_| Arc::new(ThreadPool::with_num_threads(1))).collect();
        Ok(Self(Arc::new(Encoder {
            space: Space {
                model: "e5-small-zh-en".into(),
                runtime: "rten-0.27".into(),
                checksum: checksum(),
                dimensions: 384,
                beta: 3.0,
                cosine_floor: 0.8,
            },
            model,
            tokenizer,
            ids,
            mask,
            hidden,
            passages: tokio::sync::Mutex::new(()),
            cores: pools(),
            queries: tokio::sync::Semaphore::new(cores),
            spare: Mutex::new(pools()),
            asked: Mutex::new(0),
            answered: Condvar::new(),
        })))
    }
}

#[async_trait]
impl Embedder for Builtin {
    fn space(&self) -> &Space {
        &self.0.space
    }

    async fn passages(&self, call: &Call, texts: &[String]) -> Result<Vec<Vec<f32>>, IndexError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let late = || IndexError::Deadline { doing: "waiting for the encoder" };
        let turn = tokio::time::timeout(call.left(), self.0.passages.lock()).await.map_err(|_| late())?;
        let batch = Batch::new(texts, call);
        // Dropped with this future: a call that nobody waits for stops at the next text.
        let _stop = Stop(batch.stopped.clone());
        let encoder = self.0.clone();
        let vectors = tokio::task::spawn_blocking(move || encoder.batch(&batch)).await.map_err(failed)?;
        drop(turn);
        vectors
    }

    async fn query(&self, call: &Call, text: &str) -> Result<Vec<f32>, IndexError> {
        let asked = Asked::new(self.0.clone());
        let late = || IndexError::Deadline { doing: "waiting for the encoder" };
        let _turn = tokio::time::timeout(call.left(), self.0.queries.acquire()).await.map_err(|_| late())?.map_err(failed)?;
        let (text, meter) = (prefixed("query: ", text), call.meter.clone());
        tokio::task::spawn_blocking(move || {
            let encoder = &asked.0;
            let spare = lock(&encoder.spare).pop();
            let pool = spare.unwrap_or_else(|| Arc::new(ThreadPool::with_num_threads(1)));
            let vector = encoder.tokens(&text).and_then(|ids| encoder.run(&ids, &pool, &meter));
            lock(&encoder.spare).push(pool);
            vector
        })
        .await
        .map_err(failed)?
    }
}

/// The passages of one call, and who still wants them.
struct Batch {
    texts: Vec<String>,
    meter: Meter,
    deadline: Instant,
    stopped: Arc<AtomicBool>,
}

impl Batch {
    fn new(texts: &[String], call: &Call) -> Self {
        Self {
            texts: texts.iter().map(|text| prefixed("passage: ", text)).collect(),
            meter: call.meter.clone(),
            deadline: call.deadline,
            stopped: Arc::default(),
        }
    }

    fn wanted(&self) -> Result<(), IndexError> {
        if self.stopped.load(Relaxed) || self.deadline <= Instant::now() {
            return Err(IndexError::Deadline { doing: "embedding passages" });
        }
        Ok(())
    }
}

impl Encoder {
    /// Each core takes the next text until none is left, the longest first: what is left at the end is short.
    fn batch(&self, batch: &Batch) -> Result<Vec<Vec<f32>>, IndexError> {
        let mut order: Vec<usize> = (0..batch.texts.len()).collect();
        order.sort_by_key(|&i| Reverse(batch.texts[i].len()));
        let next = AtomicUsize::new(0);
        let work = |pool: &Arc<ThreadPool>| {
            let mut done = Vec::new();
            while let Some(&i) = order.get(next.fetch_add(1, Relaxed)) {
                self.make_room();
                let vector = batch.wanted().and_then(|()| self.run(&self.tokens(&batch.texts[i])?, pool, &batch.meter));
                if vector.is_err() {
                    // The others need not go on.
                    next.store(order.len(), Relaxed);
                }
                done.push((i, vector?));
            }
            Ok(done)
        };
        let work = &work;
        let shares: Vec<Result<Vec<(usize, Vec<f32>)>, IndexError>> = thread::scope(|scope| {
            let workers = self.cores[..self.cores.len().min(order.len())].iter();
            let workers: Vec<_> = workers.map(|pool| scope.spawn(move || work(pool))).collect();
            workers.into_iter().map(|w| w.join().unwrap_or_else(|_| Err(failed("a worker stopped")))).collect()
        });
        let mut vectors = vec![Vec::new(); batch.texts.len()];
        for share in shares {
            for (i, vector) in share? {
                vectors[i] = vector;
            }
        }
        Ok(vectors)
    }

    /// Waits while questions are about, but not for ever.
    fn make_room(&self) {
        let asked = lock(&self.asked);
        let waited = self.answered.wait_timeout_while(asked, PATIENCE, |asked| *asked > 0);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn tokens(&self, text: &str) -> Result<Vec<i32>, IndexError> {
        let encoding = self.tokenizer.encode_fast(text, true).map_err(failed)?;
        Ok(encoding.get_ids().iter().map(|&id| id.cast_signed()).collect())
    }

    /// One text through the model: the mean of its last layer, at unit length.
    fn run(&self, ids: &[i32], pool: &Arc<ThreadPool>, meter: &Meter) -> Result<Vec<f32>, IndexError> {
        meter.embedded(ids.len() as u64);
        let shape = [1, ids.len()];
        let mask = NdTensor::<i32, 2>::full(shape, 1);
        let ids = NdTensor::<i32, 2>::from_data(shape, ids.to_vec());
        let inputs = vec![(self.ids, ids.view().into()), (self.mask, mask.view().into())];
        let options = RunOptions::default().with_thread_pool(Some(pool.clone()));
        let output = self.model.run(inputs, &[self.hidden], Some(options)).map_err(failed)?;
        let hidden = output.into_iter().next().ok_or_else(|| failed("the model returned nothing"))?;
        let hidden: NdTensor<f32, 3> = hidden.try_into().map_err(failed)?;
        self.pool(&hidden)
    }

    fn pool(&self, hidden: &NdTensor<f32, 3>) -> Result<Vec<f32>, IndexError> {
        let width = self.space.dimensions;
        let mut mean = vec![0.0_f32; width];
        for (i, value) in hidden.iter().enumerate() {
            mean[i % width] += value;
        }
        let norm = mean.iter().map(|v| v * v).sum::<f32>().sqrt();
        if !norm.is_finite() || norm == 0.0 || hidden.size(2) != width {
            return Err(failed(format!("the model returned {:?}, norm {norm}", hidden.shape())));
        }
        mean.iter_mut().for_each(|v| *v /= norm);
        Ok(mean)
    }
}

/// A question that is about, until it is dropped.
struct Asked(Arc<Encoder>);

impl Asked {
    fn new(encoder: Arc<Encoder>) -> Self {
        *lock(&encoder.asked) += 1;
        Self(encoder)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        *lock(&self.0.asked) -= 1;
        self.0.answered.notify_all();
    }
}

struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// The model was trained with these words in front.
fn prefixed(prefix: &str, text: &str) -> String {
    let end = text.char_indices().nth(MOST_CHARACTERS).map_or(text.len(), |(at, _)| at);
    format!("{prefix}{}", &text[..end])
}

fn checksum() -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(MODEL).update(TOKENIZER);
    hasher.finalize().to_hex()[..12].to_owned()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(error: impl ToString) -> IndexError {
    IndexError::Encoder(error.to_string())
}
