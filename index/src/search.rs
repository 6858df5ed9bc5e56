//! Finding passages: both arms inside the scope filter, then one score.
//!
//! The fusion is `absnorm`: BM25 as a share of the most it could reach for this question, plus β times the cosine above the
//! encoder's floor. Where the scope holds reports of the other language, the question's words are looked up in translation
//! too, and a passage's match by words is the better of the two. Neither side is scaled by what else was found, so a passage's score does not depend on its neighbours,
//! and candidates of one arm are scored by the other before they are compared.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use uuid::Uuid;

use crate::{
    IndexError,
    catalog::Catalog,
    embed::{CrossEncoder, Space},
    fault::Coded,
    generation::{Generation, Live},
    hit::{Hit, Hits, Mode, Query, Took, Why},
    lexical, lexicon,
    scope::Call,
    store::{Arm, VectorStore, Visible},
};

/// Candidates taken from each arm before fusion; at least twice what is asked for.
const DEPTH: usize = 100;
/// Longest that a search which can go on without its vector waits for it, and how long an encoder that failed is left alone.
const PATIENCE: Duration = Duration::from_secs(5);
const REST: Duration = Duration::from_secs(15);

/// Finds passages in a scope.
#[derive(Clone)]
pub struct Searcher {
    catalog: Catalog,
    live: Live,
    /// How the encoder failed a moment ago, and until when it is not asked again.
    resting: Arc<Mutex<Option<(&'static str, Instant)>>>,
    reranker: Option<CrossEncoder>,
}

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Lookup<'a> {
    /// The question or search words.
    pub text: &'a str,
    /// Which arms run.
    pub mode: Mode,
    /// Things that go by several names (`capex`, `purchases of property, plant and equipment`): each finds passages under
    /// any of them.
    pub things: &'a [Vec<String>],
    /// The text without the concepts that it names: what the dictionary translates.
    pub rest: &'a str,
    /// Those concepts, each under its names, the plainest first: they are translated by them.
    pub concepts: &'a [Vec<String>],
}

impl<'a> Lookup<'a> {
    /// A text that names no concepts and no things.
    pub fn plain(text: &'a str, mode: Mode) -> Self {
        Self { text, mode, things: &[], rest: text, concepts: &[] }
    }
}

/// A question as the store understands it: made once, put to as many parts of the scope as needed.
#[derive(Clone)]
pub struct Asked {
    /// The generation that its vector belongs to, and that is searched with it.
    live: Arc<Generation>,
    words: Option<(Arm, f32)>,
    abroad: Option<(Arm, f32)>,
    things: Option<(Arm, f32)>,
    meaning: Option<(Arm, f32)>,
    /// If both arms were wanted and the encoder failed: the code of its failure.
    pub words_only: Option<&'static str>,
    /// The terms of the question and how telling each is in the scope.
    pub terms: Vec<(u32, f32)>,
    /// What encoding it took, and what weighing its words took beside that, in milliseconds.
    pub took: (f64, f64),
}

/// A passage that one of the arms found, scored by all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The passage.
    pub id: Uuid,
    /// The fused score.
    pub score: f32,
    /// BM25 as a share of the most it could reach for this question, in its own words or in translation.
    pub lexical: f32,
    /// The same over the names of the things that are looked for.
    pub things: f32,
    /// Cosine between question and passage.
    pub cosine: Option<f32>,
    /// What the cosine counts for in the fused score.
    pub dense: f32,
    /// Rank by words.
    pub lexical_rank: Option<u32>,
    /// Rank by meaning.
    pub dense_rank: Option<u32>,
}

impl Searcher {
    /// A searcher over a catalog and the generation that answers.
    pub fn new(catalog: Catalog, live: Live) -> Self {
        Self { catalog, live, resting: Arc::default(), reranker: None }
    }

    /// The same with a model that reads the first passages beside the question.
    pub fn reranked(self, reranker: Option<CrossEncoder>) -> Self {
        Self { reranker, ..self }
    }

    /// That model, if there is one.
    pub fn reranker(&self) -> Option<&CrossEncoder> {
        self.reranker.as_ref()
    }

    /// The catalog that is searched.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The space that vectors are compared in.
    pub fn space(&self) -> String {
        self.live.now().embedder.space().id()
    }

    /// The best passages for a query by the fused score of both arms, best first.
    ///
    /// # Errors
    /// `empty_query`, `invalid_top_k`, `filter_invalid` for the caller; `catalog`, `vector_store_unavailable`,
    /// `embedder_unavailable` when something below fails.
    pub async fn search(&self, call: &Call, query: &Query) -> Result<Hits, IndexError> {
        let visible = self.visible(call, query).await?;
        let asked = self.asked(call, &Lookup::plain(&query.text, query.mode)).await?;
        let candidates = self.candidates(call, &asked, &visible, DEPTH.max(2 * query.top_k)).await?;
        let ranked = candidates.into_iter().take(query.top_k).map(|c| (c.id, c.score, c.why())).collect();
        self.hits(call, ranked, asked.words_only).await
    }

    /// What a query may see, if it can be asked at all.
    ///
    /// # Errors
    /// `empty_query`, `invalid_top_k`, `filter_invalid` for the caller; `catalog` if it cannot be read.
    pub async fn visible(&self, call: &Call, query: &Query) -> Result<Visible, IndexError> {
        if query.text.trim().is_empty() {
            return Err(IndexError::EmptyQuery);
        }
        if !(1..=100).contains(&query.top_k) {
            return Err(IndexError::TopK { got: query.top_k });
        }
        let documents = self.catalog.matching(call, &query.filters, query.as_of.as_deref()).await?;
        Ok(Visible { scope: call.scope.clone(), hidden: self.catalog.hidden(call).await?, documents })
    }

    /// Weighs the words of a question by the scope, looks them up in the other language if the scope holds reports in it, and
    /// encodes what it means. Where both arms are wanted and the encoder fails, the words are enough.
    ///
    /// # Errors
    /// `catalog`, `embedder_unavailable` when something below fails.
    pub async fn asked(&self, call: &Call, lookup: &Lookup<'_>) -> Result<Asked, IndexError> {
        let (by_words, by_meaning) = (lookup.mode != Mode::Dense, lookup.mode != Mode::Lexical);
        let live = self.live.now();
        let meaning = async {
            Ok(match (by_words, by_meaning) {
                (_, false) => (None, None),
                (false, true) => (Some(live.embedder.query(call, lookup.text).await?), None),
                (true, true) => match self.vector_or_code(call, &live, lookup.text).await? {
                    Ok(vector) => (Some(vector), None),
                    Err(code) => (None, Some(code)),
                },
            })
        };
        let words = async {
            let terms = self.weighed(call, lookup.text).await?;
            let most = (lexical::K1 + 1.0) * terms.iter().map(|(_, idf, _)| idf).sum::<f32>() + 1e-6;
            // Terms that the scope lacks count in the most that could be reached, but there is nothing to look up for them.
            let known: (Vec<u32>, Vec<f32>) = terms.iter().filter(|(.., known)| *known).map(|(t, idf, _)| (*t, *idf)).unzip();
            let arm = (by_words && !known.0.is_empty()).then_some((Arm::Words(known.0, known.1), most));
            Ok::<_, IndexError>((arm, terms.into_iter().map(|(term, idf, _)| (term, idf)).collect::<Vec<_>>()))
        };
        let abroad = async { if by_words { self.translated(call, lookup).await } else { Ok(None) } };
        let things = async { if by_words { self.named(call, lookup.things).await } else { Ok(None) } };
        let words = timed(async { futures::try_join!(words, abroad, things) });
        let ((((words, terms), abroad, things), weigh), ((vector, words_only), encode)) =
            futures::try_join!(words, timed(meaning))?;
        let meaning = vector.map(|vector| (Arm::Meaning(vector), 1.0));
        Ok(Asked { words, abroad, things, meaning, words_only, terms, live: live.clone(), took: (encode, weigh) })
    }

    /// The question's vector, or the code of the encoder's failure. One that failed is left alone for a while, so that not every
    /// question waits for it.
    async fn vector_or_code(
        &self,
        call: &Call,
        live: &Generation,
        text: &str,
    ) -> Result<Result<Vec<f32>, &'static str>, IndexError> {
        let resting = *self.resting.lock();
        if let Some((code, until)) = resting.filter(|(_, until)| Instant::now() < *until) {
            tracing::debug!(code, seconds = (until - Instant::now()).as_secs(), "the encoder is left alone");
            return Ok(Err(code));
        }
        let patience = PATIENCE.min(call.left() / 2);
        let silent = |_| Err(IndexError::Encoder(format!("no vector came within {} s", patience.as_secs_f32())));
        match tokio::time::timeout(patience, live.embedder.query(call, text)).await.unwrap_or_else(silent) {
            Ok(vector) => Ok(Ok(vector)),
            Err(error) if error.code().starts_with("embedder_") => {
                tracing::warn!(code = error.code(), "searching by words alone: {error}");
                *self.resting.lock() = Some((error.code(), Instant::now() + REST));
                Ok(Err(error.code()))
            }
            Err(error) => Err(error),
        }
    }

    /// The passages that the arms find, best fused score first.
    ///
    /// # Errors
    /// `vector_store_unavailable` if the store fails.
    pub async fn candidates(
        &self,
        call: &Call,
        asked: &Asked,
        visible: &Visible,
        depth: usize,
    ) -> Result<Vec<Candidate>, IndexError> {
        let store = &*asked.live.store;
        let side = |arm: &Option<(Arm, f32)>| {
            let arm = arm.clone();
            async move {
                match arm {
                    Some((arm, scale)) => Side::search(store, call, arm, visible, depth, scale).await,
                    None => Ok(Side::default()),
                }
            }
        };
        let (mut words, mut abroad, mut things, mut meaning) =
            futures::try_join!(side(&asked.words), side(&asked.abroad), side(&asked.things), side(&asked.meaning))?;
        let found = candidates(&[&words, &abroad, &things, &meaning]);
        futures::try_join!(
            complete(store, call, visible, &mut words, &found),
            complete(store, call, visible, &mut abroad, &found),
            complete(store, call, visible, &mut things, &found),
            complete(store, call, visible, &mut meaning, &found),
        )?;
        Ok(fuse(asked.live.embedder.space(), found, &words.or_better(abroad), &things, &meaning))
    }

    /// Passages that were ranked, with their documents and places; `words_only` as it was [`Asked`].
    ///
    /// # Errors
    /// `catalog` if it cannot be read.
    pub async fn hits(
        &self,
        call: &Call,
        ranked: Vec<(Uuid, f32, Why)>,
        words_only: Option<&'static str>,
    ) -> Result<Hits, IndexError> {
        let ids: Vec<Uuid> = ranked.iter().map(|(id, ..)| *id).collect();
        let mut found = self.catalog.found(call, &ids).await?;
        let mut data = Vec::with_capacity(ranked.len());
        for (id, score, why) in ranked {
            let Some(passage) = found.remove(&id) else { continue };
            data.push(Hit { rank: data.len() as u32 + 1, score, passage, why });
        }
        let (vectors_pending, words_only) = (self.catalog.vectors_pending(call).await?, words_only.map(str::to_owned));
        Ok(Hits { data, vectors_pending, words_only, understood: None, took: Took::default() })
    }

    /// How many passages the scope holds, and how many of them hold each token.
    ///
    /// # Errors
    /// `catalog` if it cannot be read.
    pub async fn frequencies(&self, call: &Call, tokens: &[String]) -> Result<(u64, HashMap<String, u64>), IndexError> {
        let terms: Vec<u32> = tokens.iter().map(|t| lexical::term(t)).collect();
        let (passages, counts) = self.catalog.frequencies(call, &terms).await?;
        let of = |token: &String| (token.clone(), counts.get(&lexical::term(token)).copied().unwrap_or(0));
        Ok((passages, tokens.iter().map(of).collect()))
    }

    /// The terms of a text, how telling each is in the scope, and whether the scope has it at all.
    async fn weighed(&self, call: &Call, text: &str) -> Result<Vec<(u32, f32, bool)>, IndexError> {
        let terms: Vec<u32> = lexical::analyse(text).terms.into_iter().map(|(term, _)| term).collect();
        let (passages, counts) = self.catalog.frequencies(call, &terms).await?;
        let idf = |term: u32| lexical::idf(passages, counts.get(&term).copied().unwrap_or(0).min(passages));
        Ok(terms.into_iter().map(|term| (term, idf(term), counts.contains_key(&term))).collect())
    }

    /// The question's words in the other language, if the scope holds reports in it: concepts by their names there, all else by
    /// the dictionary.
    async fn translated(&self, call: &Call, lookup: &Lookup<'_>) -> Result<Option<(Arm, f32)>, IndexError> {
        let han = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
        let asked = if han(lookup.text) { "zh" } else { "en" };
        let languages = self.catalog.languages(call).await?;
        if !languages.iter().any(|language| matches!(language.as_str(), "zh" | "en") && language != asked) {
            return Ok(None);
        }
        let rest = lookup.rest.to_owned();
        let words = tokio::task::spawn_blocking(move || lexicon::translate(&rest));
        let mut words = words.await.map_err(|e| IndexError::Internal(e.to_string()))?;
        let abroad = |names: &Vec<String>| names.iter().filter(|name| han(name) != (asked == "zh")).cloned().collect();
        let concepts: Vec<Vec<String>> = lookup.concepts.iter().map(abroad).collect();
        words.extend(self.held(call, &concepts).await?.into_iter().filter_map(|names| lexicon::any_of(names, 1.0)));
        self.any_sense(call, words.into_iter().map(|word| (word.terms, word.senses)).collect()).await
    }

    /// Things under any of their names that the scope knows.
    async fn named(&self, call: &Call, things: &[Vec<String>]) -> Result<Option<(Arm, f32)>, IndexError> {
        let words = self.held(call, things).await?.into_iter().filter_map(|names| {
            let whole = |name: Vec<u32>| name.into_iter().map(|term| (term, 1.0)).collect::<Vec<_>>();
            let senses: Vec<Vec<(u32, f32)>> = names.into_iter().map(whole).collect();
            let mut terms = senses.concat();
            terms.sort_unstable_by_key(|(term, _)| *term);
            terms.dedup_by_key(|(term, _)| *term);
            (!terms.is_empty()).then_some((terms, senses))
        });
        self.any_sense(call, words.collect()).await
    }

    /// The names of things, each as terms, that the scope knows all words of.
    async fn held(&self, call: &Call, things: &[Vec<String>]) -> Result<Vec<Vec<Vec<u32>>>, IndexError> {
        let names = |thing: &Vec<String>| -> Vec<Vec<u32>> {
            let terms = |name: &String| lexical::analyse(name).terms.into_iter().map(|(term, _)| term).collect();
            thing.iter().map(terms).filter(|terms: &Vec<_>| !terms.is_empty()).collect()
        };
        let mut things: Vec<Vec<Vec<u32>>> = things.iter().map(names).collect();
        let all: Vec<u32> = things.iter().flatten().flatten().copied().collect();
        let (_, counts) = self.catalog.frequencies(call, &all).await?;
        for names in &mut things {
            names.retain(|terms| terms.iter().all(|term| counts.get(term).is_some_and(|n| *n > 0)));
        }
        Ok(things)
    }

    /// One query over words that may stand in several forms: a passage is expected to use one of the senses, not all.
    async fn any_sense(&self, call: &Call, words: Vec<Senses>) -> Result<Option<(Arm, f32)>, IndexError> {
        let terms: Vec<u32> = words.iter().flat_map(|(terms, _)| terms.iter().map(|(term, _)| *term)).collect();
        let (passages, counts) = self.catalog.frequencies(call, &terms).await?;
        let idf = |term: u32| lexical::idf(passages, counts.get(&term).copied().unwrap_or(0).min(passages));
        let mut weights: HashMap<u32, f32> = HashMap::new();
        let mut most = 1e-6;
        for (terms, senses) in &words {
            let known = terms.iter().filter(|(term, _)| counts.contains_key(term));
            known.for_each(|(term, share)| *weights.entry(*term).or_default() += share * idf(*term));
            let sense = |sense: &Vec<(u32, f32)>| sense.iter().map(|(term, share)| share * idf(*term)).sum::<f32>();
            most += (lexical::K1 + 1.0) * senses.iter().map(sense).fold(0.0, f32::max);
        }
        if weights.is_empty() {
            return Ok(None);
        }
        let mut weights: Vec<(u32, f32)> = weights.into_iter().collect();
        weights.sort_unstable_by_key(|(term, _)| *term);
        let (terms, weights) = weights.into_iter().unzip();
        Ok(Some((Arm::Words(terms, weights), most)))
    }
}

/// What comes of some work, and the milliseconds until then.
async fn timed<T>(work: impl Future<Output = Result<T, IndexError>>) -> Result<(T, f64), IndexError> {
    let began = Instant::now();
    Ok((work.await?, began.elapsed().as_secs_f64() * 1e3))
}

/// Scores the candidates of the other arm that this arm did not return.
async fn complete(
    store: &dyn VectorStore,
    call: &Call,
    visible: &Visible,
    side: &mut Side,
    others: &[Uuid],
) -> Result<(), IndexError> {
    let Some(arm) = &side.arm else { return Ok(()) };
    let missing: Vec<Uuid> = others.iter().filter(|id| !side.scores.contains_key(id)).copied().collect();
    let scored = store.score(call, arm, visible, &missing).await?;
    let scale = side.scale;
    side.scores.extend(scored.into_iter().map(|(id, score)| (id, score / scale)));
    Ok(())
}

fn fuse(space: &Space, found: Vec<Uuid>, words: &Side, things: &Side, meaning: &Side) -> Vec<Candidate> {
    let (by_words, by_meaning) = (words.ranks(), meaning.ranks());
    let candidate = |id: Uuid| {
        let lexical = words.scores.get(&id).copied().unwrap_or(0.0);
        let cosine = meaning.scores.get(&id).copied();
        // A passage whose vector is pending is judged by its words alone, as if its cosine were at the floor.
        let dense = cosine.map_or(0.0, |cosine| space.beta * (cosine - space.cosine_floor));
        Candidate {
            id,
            score: lexical + dense,
            lexical,
            things: things.scores.get(&id).copied().unwrap_or(0.0),
            cosine,
            dense,
            lexical_rank: by_words.get(&id).copied(),
            dense_rank: by_meaning.get(&id).copied(),
        }
    };
    let mut ranked: Vec<Candidate> = found.into_iter().map(candidate).collect();
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
    ranked
}

impl Candidate {
    /// How it was found.
    pub fn why(&self) -> Why {
        Why {
            dense_rank: self.dense_rank,
            lexical_rank: self.lexical_rank,
            cosine: self.cosine,
            lexical: (self.lexical > 0.0).then_some(self.lexical),
            ..Why::default()
        }
    }
}

/// The terms of a word with their shares, and those of each of its senses.
type Senses = (Vec<(u32, f32)>, Vec<Vec<(u32, f32)>>);

/// The candidates of some sides, each once.
fn candidates(sides: &[&Side]) -> Vec<Uuid> {
    let mut seen = HashSet::new();
    sides.iter().flat_map(|side| &side.found).copied().filter(|id| seen.insert(*id)).collect()
}

/// What one arm found: its candidates in order, and scores by id, also of the other arm's candidates.
struct Side {
    arm: Option<Arm>,
    found: Vec<Uuid>,
    scores: HashMap<Uuid, f32>,
    scale: f32,
}

impl Default for Side {
    fn default() -> Self {
        Self { arm: None, found: vec![], scores: HashMap::new(), scale: 1.0 }
    }
}

impl Side {
    async fn search(
        store: &dyn VectorStore,
        call: &Call,
        arm: Arm,
        visible: &Visible,
        depth: usize,
        scale: f32,
    ) -> Result<Self, IndexError> {
        let hits = store.search(call, &arm, visible, depth).await?;
        Ok(Self {
            found: hits.iter().map(|(id, _)| *id).collect(),
            scores: hits.into_iter().map(|(id, score)| (id, score / scale)).collect(),
            arm: Some(arm),
            scale,
        })
    }

    /// Two sides of the same kind as one: each passage with the better of its scores, in the order of those.
    fn or_better(mut self, other: Self) -> Self {
        if other.arm.is_none() {
            return self;
        }
        for (id, score) in other.scores {
            let known = self.scores.entry(id).or_insert(score);
            *known = known.max(score);
        }
        let ours: HashSet<Uuid> = self.found.iter().copied().collect();
        self.found.extend(other.found.into_iter().filter(|id| !ours.contains(id)));
        self.found.sort_by(|a, b| self.scores[b].total_cmp(&self.scores[a]).then(a.cmp(b)));
        self
    }

    fn ranks(&self) -> HashMap<Uuid, u32> {
        self.found.iter().zip(1..).map(|(id, rank)| (*id, rank)).collect()
    }
}
