//! Where would an analyst look? In the reports of the company that the question names, first of all those of the period it
//! asks about, and there in the statement where such a figure stands. A question that names nothing searches everything.
//!
//! The search runs in legs: one for each company that a question compares, or one over the whole scope. A company named by
//! its own name is a filter; a short form that may be another's, a period and a kind of report only move passages up.

use std::{
    collections::{HashMap, HashSet},
    time::Instant,
};

use index::{
    IndexError,
    corpus::{DocumentId, ReportKind},
    embed::CrossEncoder,
    hit::{Hits, Mode, Query, Snippet, Took, Why},
    scope::Call,
    search::{Asked, Candidate, Lookup, Searcher},
    store::Visible,
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    holdings::{Held, Holdings},
    period::{Part, Period},
    question::Question,
    rank::{self, Features, Measure},
    statement::{self, Sought},
};

/// What agreement adds to a score; by their words two pages of look-alike reports differ by up to a tenth.
const COMPANY: f32 = 0.3;
/// The report of the asked period; the one after it repeats its figures beside its own. It tells the reports of one company
/// apart; between documents of others a year in the title says little.
const PERIOD: f32 = 0.3;
const UNNAMED: f32 = 0.2;
const KIND: f32 = 0.15;
/// Asked about no period, an analyst opens the newest annual report.
const NEWEST: f32 = 0.08;
/// Candidates of each arm.
pub(crate) const DEPTH: usize = 100;
/// Candidates whose text is read.
pub(crate) const READ: usize = 60;
/// Candidates that a cross-encoder reads, if one is configured.
const REREAD: usize = 20;
/// What finding the names of the things that are looked for counts, until the text is read.
const THINGS: f32 = 0.5;
/// Companies that are compared at once.
const LEGS: usize = 4;

/// A search with everything that led to its order.
#[derive(Debug)]
pub(crate) struct Trace {
    pub legs: Vec<Leg>,
    pub sought: Sought,
    /// Whom the question names that the scope does not hold.
    pub unknown: Vec<String>,
    pub visible: Visible,
    /// If the encoder failed: how.
    pub words_only: Option<&'static str>,
    /// The hits in order: leg, place in it, and the score shown.
    pub order: Vec<(usize, usize, f32)>,
    /// Where the time went.
    pub took: Took,
}

/// One part of a search.
#[derive(Debug, Default)]
pub(crate) struct Leg {
    /// Whose reports it searches.
    pub company: Option<String>,
    /// The documents it is restricted to.
    pub within: Option<HashSet<DocumentId>>,
    /// What it found, best first.
    pub ranked: Vec<Ranked>,
}

/// A passage on its way to its rank.
#[derive(Debug, Clone)]
pub(crate) struct Ranked {
    pub candidate: Candidate,
    pub snippet: Snippet,
    pub agreement: Agreement,
    /// Rank after fusion and agreement, before its text was read.
    pub fused_rank: usize,
    /// If its text was read.
    pub features: Option<Features>,
    pub role: f32,
    /// If a cross-encoder read it: how well it fits, 0 to 1.
    pub cross: Option<f32>,
    pub score: f32,
}

/// How well a document fits what the question names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Agreement {
    pub company: f32,
    pub period: f32,
    pub kind: f32,
    pub newest: f32,
}

impl Agreement {
    fn total(self) -> f32 {
        self.company + self.period + self.kind + self.newest
    }
}

/// Searches as the question directs.
pub(crate) async fn search(
    searcher: &Searcher,
    call: &Call,
    query: &Query,
    question: &Question,
    holdings: &Holdings,
) -> Result<Hits, IndexError> {
    let mut trace = trace(searcher, call, query, question, holdings).await?;
    let named = question.documents().is_some() || !question.periods.is_empty();
    let ranked = trace.order.iter().map(|&(leg, at, score)| {
        let ranked = &trace.legs[leg].ranked[at];
        let mut why = ranked.candidate.why();
        why.routed = named.then(|| ranked.agreement.total());
        if query.explain {
            why.added = ranked.added();
            why.features = ranked.features();
        }
        (ranked.candidate.id, score, why)
    });
    let began = Instant::now();
    let mut hits = searcher.hits(call, ranked.collect::<Vec<(Uuid, f32, Why)>>(), trace.words_only).await?;
    trace.took.fetch = milliseconds(began);
    hits.took = trace.took;
    if query.explain {
        hits.understood = Some(trace.understood(question));
    }
    Ok(hits)
}

/// Runs a search and keeps how each passage came to its place.
pub(crate) async fn trace(
    searcher: &Searcher,
    call: &Call,
    query: &Query,
    question: &Question,
    holdings: &Holdings,
) -> Result<Trace, IndexError> {
    let visible = searcher.visible(call, query).await?;
    let sought = statement::sought(&question.text);
    let things = if query.mode == Mode::Dense { &[][..] } else { &sought.items };
    let (concepts, rest) = question.concepts();
    let lookup = Lookup { text: &question.searched, mode: query.mode, things, rest: &rest, concepts: &concepts };
    let asked = searcher.asked(call, &lookup).await?;
    let mut took = Took { encode: asked.took.0, weigh: asked.took.1, ..Took::default() };
    let measure = Measure::new(question, &sought, &asked.terms);
    let mut legs = legs(question, holdings, &visible);
    for leg in &mut legs {
        let visible = leg.narrow(&visible);
        let began = Instant::now();
        let mut found = candidates(searcher, call, &asked, &visible, query, question, holdings, leg).await?;
        took.arms += milliseconds(began);
        let began = Instant::now();
        read(&mut found, &measure);
        if let Some(model) = searcher.reranker() {
            reread(&mut found, model, call, &question.searched).await?;
        }
        took.rank += milliseconds(began);
        leg.ranked = found;
    }
    let order = order(&legs, query.top_k, question, holdings);
    let unknown = question.names.iter().filter(|name| name.sure && name.documents.is_empty()).map(|name| name.text.clone());
    Ok(Trace { unknown: unknown.collect(), words_only: asked.words_only, legs, sought, visible, order, took })
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// The parts that a search falls into.
fn legs(question: &Question, holdings: &Holdings, visible: &Visible) -> Vec<Leg> {
    let seen = |id: &DocumentId| visible.documents.as_ref().is_none_or(|documents| documents.contains(id));
    let mut companies: Vec<(String, HashSet<DocumentId>, bool)> = Vec::new();
    for name in &question.names {
        let report = |id: &&DocumentId| holdings.held(**id).is_some_and(|held| held.report) && seen(id);
        let reports: HashSet<DocumentId> = name.documents.iter().filter(report).copied().collect();
        if reports.is_empty() {
            continue;
        }
        // A title may be that of a story: only what a cover says is a filter.
        let whole = name.whole && reports.iter().any(|id| holdings.held(*id).is_some_and(|held| held.filed));
        // Two names of one company are one.
        match companies.iter_mut().find(|(_, known, _)| !known.is_disjoint(&reports)) {
            Some((_, known, known_whole)) => {
                known.extend(reports);
                *known_whole |= whole;
            }
            None => companies.push((name.text.clone(), reports, whole)),
        }
    }
    let sure = companies.iter().any(|(.., whole)| *whole);
    let mut legs: Vec<Leg> = companies
        .into_iter()
        .filter(|(.., whole)| *whole || !sure)
        .take(LEGS)
        .map(|(company, within, _)| Leg { company: Some(company), within: Some(within), ranked: Vec::new() })
        .collect();
    // Whom the scope does not hold may stand in anybody's report.
    let others = question.names.iter().any(|name| name.sure && name.documents.is_empty());
    if !sure || others {
        legs.push(Leg::default());
    }
    legs
}

impl Leg {
    fn narrow(&self, visible: &Visible) -> Visible {
        let Some(within) = &self.within else { return visible.clone() };
        let documents = match &visible.documents {
            Some(documents) => documents.iter().filter(|id| within.contains(id)).copied().collect(),
            None => within.iter().copied().collect(),
        };
        Visible { documents: Some(documents), ..visible.clone() }
    }
}

#[allow(clippy::too_many_arguments)] // the facts of one search; a struct for them would have no other use
async fn candidates(
    searcher: &Searcher,
    call: &Call,
    asked: &Asked,
    visible: &Visible,
    query: &Query,
    question: &Question,
    holdings: &Holdings,
    leg: &Leg,
) -> Result<Vec<Ranked>, IndexError> {
    let found = searcher.candidates(call, asked, visible, DEPTH.max(2 * query.top_k)).await?;
    let ids: Vec<Uuid> = found.iter().map(|candidate| candidate.id).collect();
    let mut snippets = searcher.catalog().snippets(call, &ids).await?;
    let newest = newest(holdings, found.iter().filter_map(|candidate| snippets.get(&candidate.id)).map(|s| s.document));
    let mut agreements: HashMap<DocumentId, Agreement> = HashMap::new();
    let mut ranked: Vec<Ranked> = Vec::with_capacity(found.len());
    for candidate in found {
        let Some(snippet) = snippets.remove(&candidate.id) else { continue };
        let agreement = *agreements
            .entry(snippet.document)
            .or_insert_with(|| agreement(question, holdings.held(snippet.document), leg, newest));
        let score = candidate.score + agreement.total() + THINGS * candidate.things;
        ranked.push(Ranked { candidate, snippet, agreement, fused_rank: 0, features: None, role: 0.0, cross: None, score });
    }
    sort(&mut ranked);
    ranked.iter_mut().zip(1..).for_each(|(ranked, rank)| ranked.fused_rank = rank);
    Ok(ranked)
}

/// Reads the text of the best and orders them by it; the others stay behind them.
fn read(found: &mut [Ranked], measure: &Measure) {
    let (best, rest) = found.split_at_mut(READ.min(found.len()));
    let pairs: Vec<(Candidate, Snippet)> = best.iter().map(|r| (r.candidate.clone(), r.snippet.clone())).collect();
    for (ranked, features) in best.iter_mut().zip(measure.of(&pairs)) {
        ranked.role = measure.role(&ranked.snippet);
        ranked.score = rank::both_arms(&features) + rank::trees(&features) + ranked.agreement.total() + ranked.role;
        ranked.features = Some(features);
    }
    settle(best, rest);
}

/// Lets a cross-encoder read the first of them beside the question: what it says is added.
async fn reread(found: &mut [Ranked], model: &CrossEncoder, call: &Call, question: &str) -> Result<(), IndexError> {
    let (best, rest) = found.split_at_mut(REREAD.min(found.len()));
    let texts: Vec<String> = best.iter().map(|ranked| ranked.snippet.in_context()).collect();
    for (ranked, fits) in best.iter_mut().zip(model.scores(call, question, &texts).await?) {
        ranked.cross = Some(fits);
        ranked.score += fits;
    }
    settle(best, rest);
    Ok(())
}

/// Orders those that were read; the others stay behind them.
fn settle(best: &mut [Ranked], rest: &mut [Ranked]) {
    sort(best);
    let (last, first) = (best.last().map_or(0.0, |r| r.score), rest.first().map_or(0.0, |r| r.score));
    rest.iter_mut().for_each(|ranked| ranked.score += last - first - 0.01);
}

fn sort(ranked: &mut [Ranked]) {
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.candidate.id.cmp(&b.candidate.id)));
}

/// The hits in order: the legs take turns, so that each company that is compared has its place.
fn order(legs: &[Leg], top_k: usize, question: &Question, holdings: &Holdings) -> Vec<(usize, usize, f32)> {
    let named: Vec<usize> = (0..legs.len()).filter(|leg| legs[*leg].company.is_some()).collect();
    let in_turn = named.len() >= 2 && named.len() == legs.len();
    let mut order: Vec<(usize, usize, f32)> = Vec::new();
    let mut taken: HashSet<Uuid> = HashSet::new();
    let mut at = vec![0; legs.len()];
    while order.len() < top_k {
        let head = |leg: usize| legs[leg].ranked.get(at[leg]).map(|ranked| ranked.score);
        let next = match in_turn {
            true => named.iter().copied().filter(|leg| head(*leg).is_some()).min_by_key(|leg| at[*leg]),
            false => (0..legs.len())
                .filter(|leg| head(*leg).is_some())
                .max_by(|a, b| head(*a).unwrap_or(f32::MIN).total_cmp(&head(*b).unwrap_or(f32::MIN)).then(b.cmp(a))),
        };
        let Some(leg) = next else { break };
        let ranked = &legs[leg].ranked[at[leg]];
        if taken.insert(ranked.candidate.id) {
            order.push((leg, at[leg], ranked.score));
        }
        at[leg] += 1;
    }
    if named.is_empty() {
        spread(&mut order, legs);
    } else {
        each_period(&mut order, legs, top_k, question, holdings);
    }
    // A score never rises on the way down, whoever's turn it was.
    let mut least = f32::MAX;
    for (.., score) in &mut order {
        least = least.min(*score);
        *score = least;
    }
    order
}

/// Where no document is named, one document does not fill the first places while another fits about as well.
fn spread(order: &mut [(usize, usize, f32)], legs: &[Leg]) {
    const MOST: usize = 6;
    const NEARLY: f32 = 0.03;
    let mut held: HashMap<DocumentId, usize> = HashMap::new();
    for (leg, at, score) in order.iter_mut() {
        let count = held.entry(legs[*leg].ranked[*at].snippet.document).or_default();
        *count += 1;
        if *count > MOST {
            *score -= NEARLY;
        }
    }
    order.sort_by(|a, b| b.2.total_cmp(&a.2).then((a.0, a.1).cmp(&(b.0, b.1))));
}

/// A question about several periods sees the report of each, where the scope holds one: its best passages take the last places.
fn each_period(order: &mut Vec<(usize, usize, f32)>, legs: &[Leg], top_k: usize, question: &Question, holdings: &Holdings) {
    let asked: Vec<Period> = question.periods.iter().copied().filter(|period| period.year.is_some()).collect();
    if asked.len() < 2 || top_k < 4 {
        return;
    }
    let speaks = |leg: usize, at: usize, period: &Period| {
        let held = holdings.held(legs[leg].ranked[at].snippet.document);
        held.is_some_and(|held| held.periods.iter().any(|own| own.year.is_some() && own.answers(*period)))
    };
    let mut places: Vec<(usize, usize, f32)> = Vec::new();
    for period in &asked {
        if order.iter().any(|(leg, at, _)| speaks(*leg, *at, period)) {
            continue;
        }
        let best = (0..legs.len())
            .flat_map(|leg| (0..legs[leg].ranked.len()).map(move |at| (leg, at)))
            .filter(|(leg, at)| speaks(*leg, *at, period))
            .max_by(|a, b| legs[a.0].ranked[a.1].score.total_cmp(&legs[b.0].ranked[b.1].score));
        places.extend(best.map(|(leg, at)| (leg, at, legs[leg].ranked[at].score)));
    }
    places.truncate(top_k / 3);
    order.truncate(top_k - places.len());
    order.append(&mut places);
}

fn agreement(question: &Question, held: Option<&Held>, leg: &Leg, newest: Option<(i32, u8)>) -> Agreement {
    let Some(held) = held else { return Agreement::default() };
    let named = leg.company.is_some();
    let share = if named || is_of_part(&question.periods, held) { 1.0 } else { UNNAMED };
    let wanted = question.report;
    let kind = match (wanted, held.kind) {
        (Some(wanted), Some(kind)) if wanted == kind => KIND,
        // A year is reported on by annual reports; whoever asks for a quarter's is content with what tells it.
        (None, Some(ReportKind::Annual | ReportKind::Prospectus))
            if question.periods.iter().any(|p| p.part == Part::Year || ends_on(p, held)) =>
        {
            KIND / 3.0
        }
        _ => 0.0,
    };
    let until = held.until();
    Agreement {
        company: if named { COMPANY } else { 0.0 },
        period: share * PERIOD * period_fit(&question.periods, held),
        kind: if named || wanted.is_some() { kind } else { 0.0 },
        newest: if named && question.periods.is_empty() && until.is_some() && until == newest { NEWEST } else { 0.0 },
    }
}

/// How well a document's periods fit those that are asked about, of which the latest counts most: its report repeats the
/// figures of the others.
fn period_fit(asked: &[Period], held: &Held) -> f32 {
    let Some(latest) = latest(asked) else { return 0.0 };
    let fit = |period: &Period| {
        let own = held.periods.iter().filter(|own| own.year.is_some());
        own.map(|own| match (own.year, period.year) {
            _ if own.answers(*period) || ends_on(period, held) => 1.0,
            (Some(own), Some(asked)) if own == asked || own == asked + 1 => 0.5,
            _ => 0.0,
        })
        .fold(0.0, f32::max)
    };
    let others = asked.iter().map(fit).fold(0.0, f32::max);
    fit(latest).max(others * 0.5)
}

/// Whether a date is the one on which a report's period ends: `the fiscal year ended January 28, 2023` names it by its day.
fn ends_on(asked: &Period, held: &Held) -> bool {
    matches!((asked.year, asked.part), (Some(year), Part::Month(month)) if held.ends == Some((year, month)))
}

/// The latest of the periods that are asked about.
fn latest(asked: &[Period]) -> Option<&Period> {
    asked.iter().filter(|period| period.year.is_some()).max_by_key(|period| (period.year, period.part.ends()))
}

/// Whether it is the report on a part of a year that is asked about: a year is spoken of everywhere, its second quarter in the
/// reports on that.
fn is_of_part(asked: &[Period], held: &Held) -> bool {
    let part = latest(asked).filter(|period| matches!(period.part, Part::Half(_) | Part::Quarter(_) | Part::NineMonths));
    part.is_some_and(|part| held.periods.iter().any(|own| own.year.is_some() && own.answers(*part)))
}

/// Until when the newest report reports: the newest annual one, unless a later one shows that it is out of date.
fn newest(holdings: &Holdings, documents: impl Iterator<Item = DocumentId>) -> Option<(i32, u8)> {
    let held: HashSet<((i32, u8), bool)> = documents
        .filter_map(|id| holdings.held(id))
        .filter_map(|held| Some((held.until()?, held.kind == Some(ReportKind::Annual))))
        .collect();
    let newest = held.iter().map(|(until, _)| *until).max()?;
    let annual = held.iter().filter(|(_, annual)| *annual).map(|(until, _)| *until).max();
    Some(annual.filter(|(year, _)| year + 1 >= newest.0).unwrap_or(newest))
}

impl Ranked {
    /// What made up its score, by name.
    pub(crate) fn added(&self) -> Map<String, Value> {
        let mut added = Map::new();
        let mut note = |name: &str, value: f32| {
            if value != 0.0 {
                added.insert(name.into(), json!((value * 1e4).round() / 1e4));
            }
        };
        if let Some(features) = &self.features {
            note("lexical", self.candidate.lexical);
            note("dense", self.candidate.dense);
            note("trees", rank::trees(features));
        }
        note("company", self.agreement.company);
        note("period", self.agreement.period);
        note("kind", self.agreement.kind);
        note("newest", self.agreement.newest);
        note("role", self.role);
        note("cross_encoder", self.cross.unwrap_or_default());
        added.insert("fused_rank".into(), self.fused_rank.into());
        added
    }

    /// What is known of it for the question, by name.
    fn features(&self) -> Map<String, Value> {
        let values = self.features.iter().flat_map(|features| rank::NAMES.iter().zip(features));
        values.map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
    }
}

impl Trace {
    /// What the question was taken to ask, and where it was looked for.
    pub(crate) fn understood(&self, question: &Question) -> Value {
        let names: Vec<&str> = question.names.iter().filter(|n| !n.documents.is_empty()).map(|n| n.text.as_str()).collect();
        let legs: Vec<Value> = self
            .legs
            .iter()
            .map(|leg| json!({ "company": leg.company, "documents": leg.within.as_ref().map(HashSet::len), "found": leg.ranked.len() }))
            .collect();
        json!({
            "searched": question.searched,
            "language": question.language(),
            "names": names,
            "not_held": self.unknown,
            "periods": question.periods.iter().map(|p| p.name(question.chinese)).collect::<Vec<_>>(),
            "report": question.report,
            "statements": self.sought.statements,
            "items": self.sought.items,
            "legs": legs,
        })
    }
}
