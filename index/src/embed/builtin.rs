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
use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool};
use rten_tensor::{NdTensor, prelude::*};
use tokenizers::{Tokenizer, TruncationParams};

use super::{Embedder, Space};
use crate::{IndexError, meter::Meter, scope::Call};

static MODEL: &[u8] = include_bytes!("../../models/e5-small-zh-en/model.onnx");
static TOKENIZER: &[u8] = include_bytes!("../../models/e5-small-zh-en/tokenizer.json");
/// The name under which the outline of the model refers to the whole file; rten asks for the ending.
const WEIGHTS: &str = "model.onnx.data";
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
        let mut options = ModelOptions::with_all_ops();
        // 21 MB for a third more passages a second and a short question in a quarter of the time.
        options.prepack_weights(true).external_data_static(WEIGHTS, MODEL);
        let model = options.load(outline(MODEL).ok_or_else(|| failed("the model file is damaged"))?).map_err(failed)?;
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

/// What one core did of a batch: positions and vectors.
type Share = Result<Vec<(usize, Vec<f32>)>, IndexError>;

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
        let work = |pool: &Arc<ThreadPool>| -> Share {
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
        let shares: Vec<Share> = thread::scope(|scope| {
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

// ---- the model file -----------------------------------------------------------------------------------------------

/// The model file without its 8-bit weights; in their stead stands where they lie in it. rten copies weights out of a
/// model file but uses those of a second file in place, so that most of its 33 MB stay pages of the program, shared and reclaimable.
/// ONNX is protobuf: ModelProto.graph = 7, GraphProto.initializer = 5, and the fields of TensorProto below.
fn outline(file: &[u8]) -> Option<Vec<u8>> {
    const GRAPH: u64 = 7;
    const INITIALIZER: u64 = 5;
    rewrite(file, 0, file.len(), GRAPH, &|start, end| {
        rewrite(file, start, end, INITIALIZER, &|start, end| tensor(file, start, end))
    })
}

/// The message in `start..end` with each `chosen` field put through `change`.
fn rewrite(
    file: &[u8],
    start: usize,
    end: usize,
    chosen: u64,
    change: &dyn Fn(usize, usize) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut at = start;
    while at < end {
        let field = Field::read(file, at)?;
        match field.number == chosen && field.length_delimited {
            true => put(&mut out, chosen, &change(field.value, field.end)?),
            false => out.extend_from_slice(file.get(at..field.end)?),
        }
        at = field.end;
    }
    (at == end).then_some(out)
}

/// A tensor; if it holds many bytes of 8-bit numbers, their place instead of them. Wider numbers would have to be aligned.
fn tensor(file: &[u8], start: usize, end: usize) -> Option<Vec<u8>> {
    const TYPE: u64 = 2;
    const RAW: u64 = 9;
    const EXTERNAL: u64 = 13;
    const LOCATION: u64 = 14;
    let mut out = Vec::new();
    let (mut bytes, mut raw) = (false, None);
    let mut at = start;
    while at < end {
        let field = Field::read(file, at)?;
        match field.number {
            TYPE => bytes = matches!(file.get(field.value..field.end)?, [2 | 3]),
            RAW => raw = Some((field.value, field.end)),
            _ => {}
        }
        if field.number != RAW {
            out.extend_from_slice(file.get(at..field.end)?);
        }
        at = field.end;
    }
    match raw {
        Some((start, end)) if bytes && end - start >= 4096 => {
            for (key, value) in
                [("location", WEIGHTS.to_owned()), ("offset", start.to_string()), ("length", (end - start).to_string())]
            {
                let mut entry = Vec::new();
                put(&mut entry, 1, key.as_bytes());
                put(&mut entry, 2, value.as_bytes());
                put(&mut out, EXTERNAL, &entry);
            }
            varint(&mut out, LOCATION << 3);
            varint(&mut out, 1);
            Some(out)
        }
        _ => file.get(start..end).map(<[u8]>::to_vec),
    }
}

/// Where one field of a message lies.
struct Field {
    number: u64,
    length_delimited: bool,
    value: usize,
    end: usize,
}

impl Field {
    fn read(file: &[u8], at: usize) -> Option<Self> {
        let (key, value) = read_varint(file, at)?;
        let (value, end) = match key & 7 {
            0 => (value, read_varint(file, value)?.1),
            1 => (value, value + 8),
            2 => {
                let (length, value) = read_varint(file, value)?;
                (value, value.checked_add(usize::try_from(length).ok()?)?)
            }
            5 => (value, value + 4),
            _ => return None,
        };
        (end <= file.len()).then_some(Self { number: key >> 3, length_delimited: key & 7 == 2, value, end })
    }
}

fn read_varint(file: &[u8], mut at: usize) -> Option<(u64, usize)> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *file.get(at)?;
        at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((value, at));
        }
    }
    None
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn put(out: &mut Vec<u8>, number: u64, value: &[u8]) {
    varint(out, number << 3 | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::scope::Scope;

    static BUILTIN: LazyLock<Builtin> = LazyLock::new(|| Builtin::load().expect("the model is compiled in"));

    fn call() -> Call {
        Call::new(Scope::default(), Duration::from_secs(300))
    }

    async fn passages(texts: &[&str]) -> Vec<Vec<f32>> {
        let texts: Vec<String> = texts.iter().map(|t| (*t).to_owned()).collect();
        BUILTIN.passages(&call(), &texts).await.expect("texts can be embedded")
    }

    fn cosine(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    #[tokio::test]
    async fn a_question_is_nearer_to_its_answer_than_to_another_text_in_both_languages() {
        let answers = ["2023年公司实现营业收入12.3亿元，同比增长8%。", "Revenue for fiscal 2023 was 1.23 billion yuan, up 8%."];
        let others = ["董事会由九名董事组成，其中独立董事三名。", "The recipe needs two eggs and a cup of sugar."];
        for question in ["2023年营收", "How much revenue did the company make in 2023?"] {
            let question = BUILTIN.query(&call(), question).await.unwrap();
            for answer in passages(&answers).await {
                for other in passages(&others).await {
                    let (near, far) = (cosine(&question, &answer), cosine(&question, &other));
                    assert!(near > far, "{near} {far}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_vector_depends_on_its_text_alone() {
        let long = "Revenue grew. 营业收入增长。".repeat(30);
        let alone = passages(&["毛利率为 35.6%"]).await;
        let among = passages(&[&long, "a", "毛利率为 35.6%", "", &long, "净利润"]).await;
        assert_eq!(alone[0], among[2]);
        assert_eq!(among[0], among[4]);
        assert_ne!(among[1], among[5]);
    }

    #[tokio::test]
    async fn vectors_have_unit_length_whatever_the_text() {
        let long = "净利润 profit ".repeat(3000);
        for vector in passages(&["", " \n", "🎉", &long, "Ж\u{0}ب"]).await {
            assert_eq!(vector.len(), 384);
            assert!((cosine(&vector, &vector) - 1.0).abs() < 1e-4);
        }
    }

    #[tokio::test]
    async fn the_rest_of_a_long_text_is_not_read_and_the_meter_counts_what_was() {
        let start = "growth ".repeat(600);
        let call = call();
        let texts = [start.clone(), format!("{start} 净利润")];
        let vectors = BUILTIN.passages(&call, &texts).await.unwrap();
        assert_eq!(vectors[0], vectors[1]);
        assert_eq!(call.meter.total().2, 2 * MOST_TOKENS as u64);
    }

    #[tokio::test]
    async fn a_call_past_its_deadline_is_not_served() {
        let call = Call::new(Scope::default(), Duration::ZERO);
        let late = BUILTIN.passages(&call, &["a".into()]).await;
        assert!(matches!(late, Err(IndexError::Deadline { .. })), "{late:?}");
        assert!(BUILTIN.passages(&call, &[]).await.unwrap().is_empty());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_question_is_answered_while_passages_run() {
        let texts: Vec<String> = (0..24).map(|i| format!("{i} {}", "营业收入增长。".repeat(40))).collect();
        let call = call();
        let mut batch = tokio::spawn({
            let call = call.clone();
            async move { BUILTIN.passages(&call, &texts).await }
        });
        let asked = async { BUILTIN.query(&call, "2023年营收").await.unwrap() };
        tokio::select! {
            biased;
            vector = asked => assert_eq!(vector.len(), 384),
            _ = &mut batch => panic!("the question waited for all passages"),
        }
        assert_eq!(batch.await.unwrap().unwrap().len(), 24);
    }

    #[test]
    fn the_outline_is_small_and_a_damaged_file_has_none() {
        assert!(outline(MODEL).unwrap().len() < MODEL.len() / 4);
        assert!(outline(&MODEL[..MODEL.len() / 2]).is_none());
        assert!(outline(&[0xff; 20]).is_none());
    }

    #[tokio::test]
    async fn weights_used_in_place_are_the_weights_of_the_file() {
        let (text, model) = (prefixed("query: ", "2023年营收"), Model::load_static_slice(MODEL).unwrap());
        let ids = BUILTIN.0.tokens(&text).unwrap();
        let (mask, ids) = (NdTensor::<i32, 2>::full([1, ids.len()], 1), NdTensor::from_data([1, ids.len()], ids));
        let node = |name| model.node_id(name).unwrap();
        let inputs = vec![(node("input_ids"), ids.view().into()), (node("attention_mask"), mask.view().into())];
        let hidden = model.run(inputs, &[node("last_hidden_state")], None).unwrap().remove(0).try_into().unwrap();
        let copied = BUILTIN.0.pool(&hidden).unwrap();
        let in_place = BUILTIN.query(&call(), "2023年营收").await.unwrap();
        assert!(cosine(&copied, &in_place) > 0.9999, "{}", cosine(&copied, &in_place));
    }

    #[test]
    fn the_space_names_model_runtime_and_files() {
        let id = BUILTIN.space().id();
        assert!(id.starts_with("e5-small-zh-en/rten-0.27/"), "{id}");
        assert_eq!(id.len(), "e5-small-zh-en/rten-0.27/".len() + 12);
    }
}
