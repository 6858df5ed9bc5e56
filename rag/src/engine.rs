//! The road of a question: understand → search → evidence → draft → check → answer.
//!
//! [`Engine::answer`] is the one entry; whoever wants to watch passes a sender and gets each step as an [`Event`]. What is
//! sent as text is checked already: a model's sentence is held back until its proof was found.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures::future::try_join_all;
use index::{
    IndexError,
    corpus::{AnswerId, DocumentId, PassageKind},
    fault::Coded,
    hit::{Hit, Hits, Mode, Query},
    lexical,
    scope::Call,
    search::{Lookup, Searcher},
};
use parking_lot::Mutex;
use tokio::{sync::mpsc, time::timeout};
use tracing::warn;

use crate::{
    RagError,
    ask::{Answer, AnswerMode, Ask, Citation, Degraded, Language, ModelFailure, Reason, Timings, Usage, Verdict},
    chat::{Chat, Finish},
    cite::{Checked, Unproven, Writing, check},
    compose::compose,
    evidence::{Evidence, StoredPage},
    extractive, follow,
    holdings::{Holdings, Shelves},
    pack::{Pack, Packs},
    period,
    question::Question,
    room::Room,
    route::{self, DEPTH},
    select::{self, Weighed},
    trace::{Sent, Trace},
    typed::{self, Wanted},
    verdict::{self, Settled},
    why_not::{WhyNot, why_not},
};

/// Passages looked through for each figure that is asked for.
const FURTHER: usize = 8;
/// Passages whose tables are looked through for a question that names no document: which of the tables is meant is told by their
/// rows and headers, not by how the whole of them was found.
const TABLES: usize = 40;
/// Silence of a model after which a sentence that looks complete is shown.
const BREATH: Duration = Duration::from_millis(15);
/// Time that the extractive answerer needs at most.
const MOMENT: Duration = Duration::from_secs(2);

/// A step on the road of a question, as server-sent events tell it.
#[derive(Debug, Clone)]
pub enum Event {
    /// The answer as far as it is known: id, language, model.
    Created(Box<Answer>),
    /// What was found, best first.
    Retrieved(Vec<Hit>),
    /// More text of the answer; checked already.
    Delta(String),
    /// A citation whose marker is in the text sent so far.
    Citation(Box<Citation>),
    /// The text as a whole, when what was sent must be replaced.
    Revised(String),
}

/// The terms on which a scenario answers: who writes, and how much is read.
#[derive(Clone, Default)]
pub struct Terms {
    /// Models in the order they are asked; without any every answer is extractive.
    pub ladder: Vec<Chat>,
    /// Models that should be asked and cannot be.
    pub absent: Vec<ModelFailure>,
    /// Whether the extractive answerer steps in where every model failed.
    pub fall_back: bool,
    /// Passages given to the answerer if the question does not say.
    pub top_k: Option<usize>,
    /// The pack that questions are read with, if not the usual one.
    pub pack: Option<String>,
}

/// Answers questions over a searcher, with a model or without.
#[derive(Clone)]
pub struct Engine {
    searcher: Searcher,
    room: Arc<Room>,
    packs: Arc<Packs>,
    unproven: Unproven,
    shelves: Shelves,
}

/// Whoever watches an answer come into being.
struct Watch<'a> {
    events: Option<&'a mpsc::Sender<Event>>,
    /// Whether text was shown.
    shown: AtomicBool,
    /// Whether that text came from somebody who failed: what follows replaces it as a whole.
    replaces: AtomicBool,
    /// The record of it.
    trace: Mutex<Trace>,
}

impl Engine {
    /// An engine over a searcher. Questions that the room does not hold are turned away.
    pub fn new(searcher: Searcher, packs: Arc<Packs>, room: Room) -> Self {
        Self { searcher, packs, shelves: Shelves::default(), room: Arc::new(room), unproven: Unproven::default() }
    }

    /// The same with another end for a model's sentences without a proof.
    pub fn unproven(self, unproven: Unproven) -> Self {
        Self { unproven, ..self }
    }

    /// Whether a question that comes now is turned away.
    pub fn turns_away(&self) -> bool {
        self.room.turns_away()
    }

    /// What is known of industries.
    pub fn packs(&self) -> &Packs {
        &self.packs
    }

    /// Finds passages for a question, as an answer that is read with this pack would.
    ///
    /// # Errors
    /// What [`Searcher::search`] refuses.
    pub async fn search(&self, call: &Call, pack: Option<&str>, query: &Query) -> Result<Hits, RagError> {
        let _place = self.room.enter().await?;
        let began = Instant::now();
        let documents = self.searcher.catalog().sources(call).await?;
        let holdings = self.shelves.of(&call.scope, &documents);
        let question = Question::over(self.packs.get(pack), &dated(&query.text, query.as_of.as_deref()), &holdings);
        let understand = began.elapsed().as_secs_f64() * 1e3;
        let mut hits = route::search(&self.searcher, call, query, &question, &holdings).await?;
        hits.took.understand = understand;
        Ok(hits)
    }

    /// Why a query does not find a document of the scope; `None` if there is no such document.
    ///
    /// # Errors
    /// What [`Searcher::visible`] refuses.
    pub async fn why_not(
        &self,
        call: &Call,
        pack: Option<&str>,
        query: &Query,
        document: DocumentId,
    ) -> Result<Option<WhyNot>, RagError> {
        let _place = self.room.enter().await?;
        let Some(document) = self.searcher.catalog().document(call, document).await? else { return Ok(None) };
        let documents = self.searcher.catalog().sources(call).await?;
        let holdings = self.shelves.of(&call.scope, &documents);
        let question = Question::over(self.packs.get(pack), &dated(&query.text, query.as_of.as_deref()), &holdings);
        Ok(Some(why_not(&self.searcher, call, query, &question, &holdings, &document).await?))
    }

    /// A question as it is searched: with what it leaves to the conversation before it.
    ///
    /// # Errors
    /// `catalog` if the documents of the scope cannot be read.
    pub async fn meant(&self, call: &Call, terms: &Terms, ask: &Ask) -> Result<String, RagError> {
        let documents = self.searcher.catalog().sources(call).await?;
        let holdings = self.shelves.of(&call.scope, &documents);
        Ok(meant(&self.packs.get(terms.pack.as_deref()), ask, &holdings))
    }

    /// Answers a question in the call's scope. Dropping the future ends what was begun for it.
    ///
    /// # Errors
    /// `empty_question`, `question_too_long`, `history_too_long`, `invalid_as_of`, `overloaded` and what the search refuses, for the caller;
    /// `llm_…` when the last model failed. That nothing supports an answer is no error but a refused answer.
    pub async fn answer(
        &self,
        call: &Call,
        terms: &Terms,
        ask: &Ask,
        events: Option<&mpsc::Sender<Event>>,
    ) -> Result<Answer, RagError> {
        Ok(self.traced(call, terms, ask, events).await?.0)
    }

    /// The same with the record of how the answer came about. It ends with the call's time.
    ///
    /// # Errors
    /// See [`Engine::answer`]; `deadline_exceeded` when the call's time is over.
    pub async fn traced(
        &self,
        call: &Call,
        terms: &Terms,
        ask: &Ask,
        events: Option<&mpsc::Sender<Event>>,
    ) -> Result<(Answer, Trace), RagError> {
        ask.validate()?;
        let asked = ask.deadline_ms.and_then(|ms| Instant::now().checked_add(Duration::from_millis(ms)));
        let call = &Call { deadline: asked.map_or(call.deadline, |asked| asked.min(call.deadline)), ..call.clone() };
        let late = |_| IndexError::Deadline { doing: "answering" };
        timeout(call.left(), self.road(call, terms, ask, events)).await.map_err(late)?
    }

    async fn road(
        &self,
        call: &Call,
        terms: &Terms,
        ask: &Ask,
        events: Option<&mpsc::Sender<Event>>,
    ) -> Result<(Answer, Trace), RagError> {
        let began = Instant::now();
        let place = self.room.enter().await?;
        let documents = self.searcher.catalog().sources(call).await?;
        let holdings = self.shelves.of(&call.scope, &documents);
        let pack = self.packs.get(terms.pack.as_deref());
        let asked = meant(&pack, ask, &holdings);
        let question = Question::over(pack, &asked, &holdings);
        let ladder = if ask.mode == AnswerMode::Answer { terms.ladder.as_slice() } else { &[] };
        let watch = Watch {
            events,
            shown: AtomicBool::new(false),
            replaces: AtomicBool::new(false),
            trace: Mutex::new(Trace::begin(ask, &question)),
        };
        let mut answer = begin(ask, &question, ladder.first());
        watch.tell(|| Event::Created(Box::new(answer.clone()))).await;

        let evidence = self.evidence(call, terms, ask, &question, documents, &holdings).await?;
        answer.timings.retrieve_ms = milliseconds(began);
        watch.note(|trace| self.found(trace, terms, ask, &question, &evidence));
        watch.tell(|| Event::Retrieved(evidence.hits.clone())).await;
        let limit = match evidence.words_only {
            Some(_) => Some("words_only"),
            None => (evidence.vectors_pending > 0).then_some("vectors_pending"),
        };
        answer.degraded = limit.map(Degraded::search);

        // While a model writes, this machine is free for others.
        let _place = Some(place).filter(|_| ladder.is_empty());
        let settled = match ask.mode {
            AnswerMode::Extractive => extracted(&question, &evidence, &watch).await,
            AnswerMode::Answer => self.by_ladder(call, terms, ask, &question, &evidence, &watch, &mut answer, began).await?,
        };
        let settled = match &ask.as_of {
            Some(as_of) if settled.verdict == Verdict::Refused && self.answers_later(call, terms, ask, &question).await? => {
                verdict::stale(&question, &evidence, as_of)
            }
            _ => settled,
        };
        let given = settled.verdict;
        let settled = valued(ask, &question, &evidence, &mut answer, settled);
        let withdrawn = settled.verdict != given && watch.shown.load(Relaxed);
        if withdrawn || watch.replaces.load(Relaxed) {
            watch.tell(|| Event::Revised(settled.text.clone())).await;
        }
        finish(call, &mut answer, settled, began);
        let mut trace = watch.trace.into_inner();
        trace.versions.model.clone_from(&answer.model);
        Ok((answer, trace))
    }

    fn found(&self, trace: &mut Trace, terms: &Terms, ask: &Ask, question: &Question, evidence: &Evidence) {
        let searched = &mut trace.searched;
        searched.text.clone_from(&question.text);
        searched.top_k = top_k(terms, ask, question);
        searched.documents = evidence.documents.len();
        searched.passages = evidence.passages;
        searched.vectors_pending = evidence.vectors_pending;
        searched.words_only.clone_from(&evidence.words_only);
        trace.versions.space = self.searcher.space();
        trace.rank(&evidence.hits);
    }

    /// Whether reports that are dated later than the day that was asked for answer the question.
    async fn answers_later(&self, call: &Call, terms: &Terms, ask: &Ask, question: &Question) -> Result<bool, RagError> {
        let later = Ask { as_of: None, ..ask.clone() };
        let documents = self.searcher.catalog().sources(call).await?;
        let holdings = self.shelves.of(&call.scope, &documents);
        let evidence = self.evidence(call, terms, &later, question, documents, &holdings).await?;
        Ok(extractive::draft(question, &evidence).refuses().is_none())
    }

    /// Weighs the sentences that an answer to a question would be chosen from, as if some documents (by external id) were not
    /// there: what [`select`] learns from.
    ///
    /// # Errors
    /// What [`Engine::answer`] refuses.
    pub async fn weigh(&self, call: &Call, ask: &Ask, without: &[String]) -> Result<Vec<(String, Weighed)>, RagError> {
        let documents = self.searcher.catalog().sources(call).await?;
        let holdings = self.shelves.of(&call.scope, &documents);
        let question = Question::over(self.packs.get(None), &ask.question, &holdings);
        let top_k = question.pack.thresholds.passages;
        let wider = Ask { top_k: Some(top_k + 5 * without.len().min(2)), ..ask.clone() };
        let mut evidence = self.evidence(call, &Terms::default(), &wider, &question, documents, &holdings).await?;
        let external = |hit: &Hit| hit.passage.document.external_id.clone().unwrap_or_default();
        evidence.hits.retain(|hit| !without.contains(&external(hit)));
        evidence.hits.truncate(top_k);
        let weighed = select::weigh(&question, &evidence);
        Ok(weighed.into_iter().map(|sentence| (external(&evidence.hits[sentence.hit]), sentence)).collect())
    }

    /// One model after the other, and in the end the answerer that needs none.
    #[allow(clippy::too_many_arguments)] // the facts of one call; a struct for them would have no other use
    async fn by_ladder(
        &self,
        call: &Call,
        terms: &Terms,
        ask: &Ask,
        question: &Question,
        evidence: &Evidence,
        watch: &Watch<'_>,
        answer: &mut Answer,
        began: Instant,
    ) -> Result<Settled, RagError> {
        let mut failures = terms.absent.clone();
        let extractive = terms.fall_back || (terms.ladder.is_empty() && terms.absent.is_empty());
        let mut last = None;
        for (at, chat) in terms.ladder.iter().enumerate() {
            let follow = terms.ladder.len() - at - 1;
            let rung = Call { deadline: Instant::now() + share(call, follow, extractive), ..call.clone() };
            answer.model = chat.endpoint().model.clone();
            let error = match self.written(&rung, ask, question, evidence, chat, watch, &mut answer.timings, began).await {
                Ok(settled) => {
                    if !failures.is_empty() {
                        answer.degraded = Some(Degraded::models("model_fallback", failures, answer.degraded.take()));
                    }
                    return Ok(settled);
                }
                Err(error) => error,
            };
            let out_of_time = error.code() == "deadline_exceeded" && !call.left().is_zero();
            if !error.is_the_models() && !out_of_time {
                return Err(error);
            }
            watch.note(|trace| trace.ended(error.code()));
            warn!(backend = chat.endpoint().name, code = error.code(), "a model failed: {error}");
            failures.push(ModelFailure { backend: chat.endpoint().name.clone(), code: error.code().into() });
            watch.start_over();
            last = Some(error);
        }
        if !extractive {
            let reason = "none of the models of the scenario is set up".into();
            return Err(last.unwrap_or(RagError::ModelUnavailable { reason }));
        }
        answer.model = "extractive".into();
        watch.note(|trace| trace.versions.card.clear());
        if !failures.is_empty() {
            answer.degraded = Some(Degraded::models("model_unavailable", failures, answer.degraded.take()));
        }
        Ok(extracted(question, evidence, watch).await)
    }

    /// What is known for a question: the search that `search` runs, the stored pages of its hits, and how common the
    /// question's words are in the scope.
    async fn evidence(
        &self,
        call: &Call,
        terms: &Terms,
        ask: &Ask,
        question: &Question,
        documents: Arc<Vec<index::hit::Source>>,
        holdings: &Holdings,
    ) -> Result<Evidence, RagError> {
        let query = Query {
            text: question.searched.clone(),
            mode: Mode::Hybrid,
            top_k: top_k(terms, ask, question),
            filters: ask.filters.clone(),
            as_of: ask.as_of.clone(),
            explain: false,
        };
        let tokens = lexical::tokens(&question.text);
        let anyones = question.documents().is_none() && extractive::reads_tables(question);
        let wider = Query { top_k: if anyones { query.top_k.max(TABLES) } else { query.top_k }, ..query.clone() };
        let (mut hits, (passages, frequencies)) = futures::try_join!(
            route::search(&self.searcher, call, &wider, question, holdings),
            self.searcher.frequencies(call, &tokens)
        )?;
        let mut further = hits.data.split_off(query.top_k.min(hits.data.len()));
        // A company's own figures are told where it is named.
        let filed = |hit: &Hit| holdings.held(hit.passage.document.id).is_some_and(|held| held.filed);
        further.retain(|hit| hit.passage.kind == PassageKind::Table && !filed(hit));
        further.extend(self.further(call, &query, question, holdings, &hits.data).await?);
        let pages = self.pages(call, hits.data.iter().chain(&further)).await?;
        let Hits { data: hits, vectors_pending, words_only, .. } = hits;
        Ok(Evidence { hits, further, pages, documents, passages, frequencies, vectors_pending, words_only })
    }

    /// A figure of a named company stands in its statements, which the words of a question rarely find: they are looked up by
    /// the names of the figures.
    async fn further(
        &self,
        call: &Call,
        query: &Query,
        question: &Question,
        holdings: &Holdings,
        hits: &[Hit],
    ) -> Result<Vec<Hit>, RagError> {
        let wanted = extractive::wanted(question);
        let reports = holdings.reports_for(question);
        if wanted.is_empty() || reports.is_empty() {
            return Ok(Vec::new());
        }
        let mut visible = self.searcher.visible(call, query).await?;
        let seen = |id: &DocumentId| visible.documents.as_ref().is_none_or(|documents| documents.contains(id));
        visible.documents = Some(reports.into_iter().filter(seen).collect());
        let mut ranked = Vec::new();
        let mut known: HashSet<_> = hits.iter().map(|hit| hit.passage.id.0).collect();
        for text in &wanted {
            let asked = self.searcher.asked(call, &Lookup::plain(text, query.mode)).await?;
            let found = self.searcher.candidates(call, &asked, &visible, DEPTH).await?;
            let fresh = found.into_iter().take(FURTHER).filter(|candidate| known.insert(candidate.id));
            ranked.extend(fresh.map(|candidate| (candidate.id, candidate.score, candidate.why())));
        }
        Ok(self.searcher.hits(call, ranked, None).await?.data)
    }

    async fn pages(&self, call: &Call, hits: impl Iterator<Item = &Hit>) -> Result<Vec<StoredPage>, RagError> {
        let mut seen = HashSet::new();
        let wanted = hits.flat_map(|hit| {
            let source = &hit.passage.document;
            hit.passage.spans.iter().map(move |span| (source.id, source.version, span.page))
        });
        let wanted: Vec<_> = wanted.filter(|place| seen.insert(*place)).collect();
        let catalog = self.searcher.catalog();
        let mut reading = Vec::with_capacity(wanted.len());
        for (document, version, part) in &wanted {
            reading.push(catalog.page(call, *document, *version, *part));
        }
        let pages = try_join_all(reading).await?;
        let stored = wanted
            .into_iter()
            .zip(pages)
            .filter_map(|((document, version, _), page)| Some(StoredPage { document, version, page: Arc::new(page?) }));
        Ok(stored.collect())
    }

    /// A model's answer: each sentence is checked when it is complete, and shown only then.
    #[allow(clippy::too_many_arguments)] // the facts of one call; a struct for them would have no other use
    async fn written(
        &self,
        call: &Call,
        ask: &Ask,
        question: &Question,
        evidence: &Evidence,
        chat: &Chat,
        watch: &Watch<'_>,
        timings: &mut Timings,
        began: Instant,
    ) -> Result<Settled, RagError> {
        // What no passage can support is refused before tokens are spent on it.
        let unsupported = extractive::draft(question, evidence);
        if unsupported.refuses().is_some_and(|(reason, _)| reason == Reason::NoEvidence) {
            return Ok(verdict::settle(question, evidence, check(unsupported, evidence)));
        }
        let mut prompt =
            compose(&question.pack, &ask.question, &ask.history, language(ask, question), &evidence.hits, chat.endpoint());
        prompt.max_tokens = ask.max_tokens;
        watch.note(|trace| {
            trace.versions.card.clone_from(&chat.endpoint().card);
            trace.sent.push(Sent {
                model: chat.endpoint().model.clone(),
                hash: prompt.hash(),
                bytes: prompt.bytes(),
                passages: prompt.passages,
                outcome: String::new(),
                shown_after_ms: None,
                check_ms: 0.0,
            });
        });
        let mut writing = Writing::new(evidence).unproven(self.unproven);
        let mut talk = chat.open(call, &prompt).await?;
        loop {
            let next = match timeout(BREATH, talk.next()).await {
                Ok(next) => next?,
                Err(_) => {
                    let checking = Instant::now();
                    let passed = writing.pause();
                    let first = timings.first_token_ms.unwrap_or_default();
                    watch.checked(checking, passed.is_some().then(|| milliseconds(began) - first));
                    if let Some((text, citations)) = passed {
                        watch.text(&text, &citations).await;
                    }
                    talk.next().await?
                }
            };
            let Some(piece) = next else { break };
            let first = *timings.first_token_ms.get_or_insert_with(|| milliseconds(began));
            let checking = Instant::now();
            let passed = writing.push(&piece);
            watch.checked(checking, (!passed.is_empty()).then(|| milliseconds(began) - first));
            for (text, citations) in passed {
                watch.text(&text, &citations).await;
            }
        }
        let finish = talk.finish();
        watch.note(|trace| {
            trace.ended(match finish {
                Some(Finish::Length) => "length",
                Some(Finish::Filtered) => "filtered",
                _ => "complete",
            });
        });
        drop(talk); // its tokens are recorded now
        let (checked, last): (Checked, _) = writing.finish();
        watch.note(|trace| trace.check(&checked));
        for (text, citations) in last {
            watch.text(&text, &citations).await;
        }
        if finish == Some(Finish::Filtered) {
            let message = if question.chinese {
                "模型服务方拒绝了这一回答"
            } else {
                "The model's provider withheld the answer"
            };
            return Ok(verdict::refuse(evidence, Reason::Provider, message.into()));
        }
        let mut settled = verdict::settle(question, evidence, checked);
        if finish == Some(Finish::Length) && settled.verdict == Verdict::Answered {
            settled.verdict = Verdict::Partial;
        }
        Ok(settled)
    }
}

/// An answer without a model.
async fn extracted(question: &Question, evidence: &Evidence, watch: &Watch<'_>) -> Settled {
    let checked = check(extractive::draft(question, evidence), evidence);
    watch.note(|trace| trace.check(&checked));
    watch.text(checked.text(), checked.citations()).await;
    verdict::settle(question, evidence, checked)
}

/// How long a model may take: all the time that is left, or half of it where another model can be asked, or all but a
/// moment where only the extractive answerer is left.
fn share(call: &Call, models: usize, extractive: bool) -> Duration {
    let left = call.left();
    match (models, extractive) {
        (0, false) => left,
        (0, true) => left.saturating_sub(MOMENT.min(left / 4)),
        _ => left / 2,
    }
}

impl Watch<'_> {
    fn note(&self, what: impl FnOnce(&mut Trace)) {
        what(&mut self.trace.lock());
    }

    /// Notes what the check of a piece of text took since it began, and when something of it was shown.
    fn checked(&self, began: Instant, shown_after_ms: Option<f64>) {
        let took = began.elapsed().as_secs_f64() * 1e3;
        self.note(|trace| trace.took(took, shown_after_ms));
    }

    async fn tell(&self, event: impl FnOnce() -> Event) {
        if let Some(events) = self.events {
            // Nobody left to listen is noticed by whoever holds the other end.
            events.send(event()).await.ok();
        }
    }

    /// Whoever wrote has failed: what was shown of it is replaced by what comes.
    fn start_over(&self) {
        self.replaces.fetch_or(self.shown.load(Relaxed), Relaxed);
    }

    async fn text(&self, text: &str, citations: &[Citation]) {
        if text.is_empty() || self.replaces.load(Relaxed) {
            return;
        }
        self.shown.store(true, Relaxed);
        self.tell(|| Event::Delta(text.to_owned())).await;
        for citation in citations {
            self.tell(|| Event::Citation(Box::new(citation.clone()))).await;
        }
    }
}

/// What a question means on its day and after what was said before it.
fn meant(pack: &Arc<Pack>, ask: &Ask, holdings: &Holdings) -> String {
    follow::resolve(pack, &dated(&ask.question, ask.as_of.as_deref()), &ask.history, holdings)
}

/// A question with `去年` and the like written out, as of a day or of today.
fn dated(question: &str, as_of: Option<&str>) -> String {
    let today = || jiff::Timestamp::now().to_string();
    period::dated(question, &as_of.map_or_else(today, str::to_owned))
}

/// How many passages are given to the answerer.
fn top_k(terms: &Terms, ask: &Ask, question: &Question) -> usize {
    ask.top_k.or(terms.top_k).unwrap_or(question.pack.thresholds.passages)
}

fn language(ask: &Ask, question: &Question) -> &'static str {
    match ask.language {
        Language::Auto => question.language(),
        Language::Zh => "zh",
        Language::En => "en",
    }
}

/// The answer's value, if one is asked for. Where the proven sentences do not hold it, the question is refused: text beside a
/// value that is missing helps no program.
fn valued(ask: &Ask, question: &Question, evidence: &Evidence, answer: &mut Answer, settled: Settled) -> Settled {
    let Some(wanted) = ask.response_schema.as_ref().and_then(|schema| Wanted::read(schema).ok()) else { return settled };
    if settled.verdict == Verdict::Refused {
        return settled;
    }
    answer.value = typed::fill(&wanted, question, &settled);
    match answer.value {
        Some(_) => settled,
        None => {
            let message = match question.chinese {
                true => "找到了相关内容，但其中没有能填入 response_schema 的值",
                false => "Related passages were found, but they hold no value of the kind that response_schema asks for",
            };
            verdict::refuse(evidence, Reason::WeakEvidence, message.into())
        }
    }
}

fn begin(ask: &Ask, question: &Question, chat: Option<&Chat>) -> Answer {
    Answer {
        id: AnswerId::new(),
        verdict: Verdict::Partial,
        text: String::new(),
        language: language(ask, question).into(),
        citations: vec![],
        value: None,
        figures: vec![],
        computations: vec![],
        refusal: None,
        confidence: None,
        degraded: None,
        usage: Usage::default(),
        timings: Timings::default(),
        model: chat.map_or_else(|| "extractive".into(), |chat| chat.endpoint().model.clone()),
        created_at: jiff::Timestamp::now().to_string(),
    }
}

fn finish(call: &Call, answer: &mut Answer, settled: Settled, began: Instant) {
    answer.verdict = settled.verdict;
    answer.text = settled.text;
    answer.citations = settled.citations;
    answer.figures = settled.figures;
    answer.computations = settled.computations;
    answer.refusal = settled.refusal;
    answer.confidence = settled.chance;
    let (prompt_tokens, completion_tokens, _) = call.meter.total();
    let (cost, currency) = call.meter.paid().unzip();
    answer.usage = Usage { prompt_tokens, completion_tokens, cost, currency };
    answer.timings.total_ms = milliseconds(began);
    answer.timings.first_token_ms.get_or_insert(answer.timings.total_ms);
}

fn milliseconds(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 10_000.0).round() / 10.0
}
