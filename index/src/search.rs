//! Finding passages: both arms inside the scope filter, then one score.
//!
//! The fusion is `absnorm`: BM25 as a share of the most it could reach for this question, plus β times the cosine above the
//! encoder's floor. Where the scope holds reports of the other language, the question's words are looked up in translation
//! too, and a passage's match by words is the better of the two. Neither side is scaled by what else was found, so a passage's score does not depend on its neighbours,
//! and candidates of one arm are scored by the other before they are compared.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::{
    IndexError,
    catalog::Catalog,
    corpus::DocumentId,
    embed::Space,
    generation::{Generation, Live},
    hit::{Hit, Hits, Mode, Query, Why},
    lexical, lexicon,
    scope::Call,
    store::{Arm, VectorStore, Visible},
};

/// Candidates taken from each arm before fusion; at least twice what is asked for.
const DEPTH: usize = 100;

/// Finds passages in a scope.
#[derive(Clone)]
pub struct Searcher {
    catalog: Catalog,
    live: Live,
}

impl Searcher {
    /// A searcher over a catalog and the generation that answers.
    pub fn new(catalog: Catalog, live: Live) -> Self {
        Self { catalog, live }
    }

    /// The catalog that is searched.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The space that vectors are compared in.
    pub fn space(&self) -> String {
        self.live.now().embedder.space().id()
    }

    /// The best passages for a query, best first.
    ///
    /// # Errors
    /// `empty_query`, `invalid_top_k`, `filter_invalid` for the caller; `catalog`, `vector_store_unavailable`,
    /// `embedder_unavailable` when something below fails.
    pub async fn search(&self, call: &Call, query: &Query) -> Result<Hits, IndexError> {
        self.search_within(call, query, None).await
    }

    /// The same among some documents of the scope.
    ///
    /// # Errors
    /// See [`Searcher::search`].
    pub async fn search_within(
        &self,
        call: &Call,
        query: &Query,
        within: Option<&HashSet<DocumentId>>,
    ) -> Result<Hits, IndexError> {
        if query.text.trim().is_empty() {
            return Err(IndexError::EmptyQuery);
        }
        if !(1..=100).contains(&query.top_k) {
            return Err(IndexError::TopK { got: query.top_k });
        }
        let matching = self.catalog.matching(call, &query.filters, query.as_of.as_deref()).await?;
        let documents = match (matching, within) {
            (Some(matching), Some(within)) => Some(matching.into_iter().filter(|id| within.contains(id)).collect()),
            (None, Some(within)) => Some(within.iter().copied().collect()),
            (matching, None) => matching,
        };
        let visible = Visible { scope: call.scope.clone(), hidden: self.catalog.hidden(call).await?, documents };
        let depth = DEPTH.max(2 * query.top_k);
        let live = self.live.now();
        let words = async {
            match query.mode {
                Mode::Dense => Ok(Side::default()),
                _ => self.by_words(call, &live, &query.text, &visible, depth).await,
            }
        };
        let meaning = async {
            match query.mode {
                Mode::Lexical => Ok(Side::default()),
                _ => self.by_meaning(call, &live, &query.text, &visible, depth).await,
            }
        };
        let abroad = async {
            match query.mode {
                Mode::Dense => Ok(Side::default()),
                _ => self.by_translation(call, &live, &query.text, &visible, depth).await,
            }
        };
        let (mut words, mut abroad, mut meaning) = futures::try_join!(words, abroad, meaning)?;
        let (by_words, by_meaning) = (candidates(&[&words, &abroad]), meaning.found.clone());
        complete(&*live.store, call, &visible, &mut meaning, &by_words).await?;
        for side in [&mut words, &mut abroad] {
            complete(&*live.store, call, &visible, side, &by_meaning).await?;
        }
        let words = words.or_better(abroad);
        let ranked = fuse(live.embedder.space(), &words, &meaning);
        self.hits(call, query, &words, &meaning, ranked).await
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

    async fn by_words(
        &self,
        call: &Call,
        live: &Generation,
        text: &str,
        visible: &Visible,
        depth: usize,
    ) -> Result<Side, IndexError> {
        let terms: Vec<u32> = lexical::analyse(text).terms.into_iter().map(|(term, _)| term).collect();
        let (passages, counts) = self.catalog.frequencies(call, &terms).await?;
        let idf = |term: &u32| lexical::idf(passages, counts.get(term).copied().unwrap_or(0).min(passages));
        let most = (lexical::K1 + 1.0) * terms.iter().map(idf).sum::<f32>() + 1e-6;
        // Terms that the scope lacks count in the most that could be reached, but there is nothing to look up for them.
        let known: Vec<u32> = terms.into_iter().filter(|t| counts.contains_key(t)).collect();
        if known.is_empty() {
            return Ok(Side::default());
        }
        let weights = known.iter().map(idf).collect();
        Side::search(&*live.store, call, Arm::Words(known, weights), visible, depth, most).await
    }

    /// The question's words in the other language, if the scope holds reports in it.
    async fn by_translation(
        &self,
        call: &Call,
        live: &Generation,
        text: &str,
        visible: &Visible,
        depth: usize,
    ) -> Result<Side, IndexError> {
        let asked = if text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)) { "zh" } else { "en" };
        if !self
            .catalog
            .languages(call)
            .await?
            .iter()
            .any(|language| matches!(language.as_str(), "zh" | "en") && language != asked)
        {
            return Ok(Side::default());
        }
        let question = text.to_owned();
        let translated = tokio::task::spawn_blocking(move || lexicon::translate(&question));
        let translated = translated.await.map_err(|e| IndexError::Internal(e.to_string()))?;
        let terms: Vec<u32> = translated.iter().flat_map(|word| word.terms.iter().map(|(term, _)| *term)).collect();
        let (passages, counts) = self.catalog.frequencies(call, &terms).await?;
        let idf = |term: u32| lexical::idf(passages, counts.get(&term).copied().unwrap_or(0).min(passages));
        let mut weights: HashMap<u32, f32> = HashMap::new();
        let mut most = 1e-6;
        for word in &translated {
            let known = word.terms.iter().filter(|(term, _)| counts.contains_key(term));
            known.for_each(|(term, share)| *weights.entry(*term).or_default() += share * idf(*term));
            // A passage is expected to use one of a word's senses, not all.
            let sense = |sense: &Vec<(u32, f32)>| sense.iter().map(|(term, share)| share * idf(*term)).sum::<f32>();
            most += (lexical::K1 + 1.0) * word.senses.iter().map(sense).fold(0.0, f32::max);
        }
        if weights.is_empty() {
            return Ok(Side::default());
        }
        let mut weights: Vec<(u32, f32)> = weights.into_iter().collect();
        weights.sort_unstable_by_key(|(term, _)| *term);
        let (terms, weights) = weights.into_iter().unzip();
        Side::search(&*live.store, call, Arm::Words(terms, weights), visible, depth, most).await
    }

    async fn by_meaning(
        &self,
        call: &Call,
        live: &Generation,
        text: &str,
        visible: &Visible,
        depth: usize,
    ) -> Result<Side, IndexError> {
        let vector = live.embedder.query(call, text).await?;
        Side::search(&*live.store, call, Arm::Meaning(vector), visible, depth, 1.0).await
    }

    async fn hits(
        &self,
        call: &Call,
        query: &Query,
        words: &Side,
        meaning: &Side,
        mut ranked: Vec<(Uuid, f32)>,
    ) -> Result<Hits, IndexError> {
        ranked.truncate(query.top_k);
        let ids: Vec<Uuid> = ranked.iter().map(|(id, _)| *id).collect();
        let mut found = self.catalog.found(call, &ids).await?;
        let mut data = Vec::with_capacity(ranked.len());
        for (id, score) in ranked {
            let Some(passage) = found.remove(&id) else { continue };
            let why = Why {
                dense_rank: meaning.rank(&id),
                lexical_rank: words.rank(&id),
                cosine: meaning.scores.get(&id).copied(),
                lexical: words.scores.get(&id).copied(),
                routed: None,
            };
            data.push(Hit { rank: data.len() as u32 + 1, score, passage, why });
        }
        Ok(Hits { data, vectors_pending: self.catalog.vectors_pending(call).await? })
    }
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

fn fuse(space: &Space, words: &Side, meaning: &Side) -> Vec<(Uuid, f32)> {
    let candidates: HashSet<Uuid> = words.found.iter().chain(&meaning.found).copied().collect();
    let mut ranked: Vec<(Uuid, f32)> = candidates
        .into_iter()
        .map(|id| {
            let lexical = words.scores.get(&id).copied().unwrap_or(0.0);
            // A passage whose vector is pending is judged by its words alone, as if its cosine were at the floor.
            let dense = meaning.scores.get(&id).map_or(0.0, |cosine| space.beta * (cosine - space.cosine_floor));
            (id, lexical + dense)
        })
        .collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked
}

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

    fn rank(&self, id: &Uuid) -> Option<u32> {
        self.found.iter().position(|found| found == id).map(|at| at as u32 + 1)
    }
}
