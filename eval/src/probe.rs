//! One question put to the target: search it, ask it, check what comes back.

use std::{collections::HashMap, time::Instant};

use index::{
    corpus::DocumentId,
    hit::{Filters, Hit, Mode, Source, Took},
};
use rag::ask::{Answer, AnswerMode, Ask, Turn, Verdict};

use crate::{
    EvalError, NotIngested, Target,
    matching::{quotes, states, states_outright, without_markers, yes_or_no},
    metric::{Judged, Metric},
    outcome::{Citations, Judgement, Outcome},
};

/// Hits fetched to find enough distinct pages and documents; the most a search returns.
pub(crate) const DEPTH: usize = 100;
/// Questions per setting whose search is timed at the depth people use.
pub(crate) const TIMED: usize = 200;

/// A question and what is known about it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Probe {
    pub(crate) id: String,
    pub(crate) question: String,
    /// What was said before it.
    pub(crate) history: Vec<Turn>,
    pub(crate) language: String,
    pub(crate) filters: Filters,
    /// Gold documents, by external id or name.
    pub(crate) documents: Vec<String>,
    /// Gold places in them; empty if only documents are known.
    pub(crate) places: Vec<(String, Place)>,
    /// What stands on gold pages, to tell a page that was read badly from one that was not found.
    pub(crate) quotes: Vec<Quote>,
    pub(crate) expected: Expected,
    pub(crate) tags: Vec<String>,
}

/// Text of a gold page.
#[derive(Debug, Clone)]
pub(crate) struct Quote {
    pub(crate) document: String,
    pub(crate) page: u32,
    pub(crate) text: String,
}

/// Where evidence stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Page(u32),
    /// In a document without pages: wherever this text stands.
    Quote(String),
}

/// What a right answer is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected {
    pub(crate) answerable: bool,
    /// All of these must be said, each in any of its wordings.
    pub(crate) facts: Vec<Vec<String>>,
    /// None of these may be said.
    pub(crate) forbidden: Vec<String>,
    /// A refusal is right, too: the question rests on a wrong premise, or the answer is that nothing is said.
    pub(crate) or_refused: bool,
    /// The answer is this yes or no.
    pub(crate) boolean: Option<bool>,
    /// The reference is a text of its own: an answer that says something else may be right all the same.
    pub(crate) essay: bool,
    /// The answer is this number, within 1 %: the one it gives as its result, not any that stands in it.
    pub(crate) number: Vec<f64>,
}

/// How all questions of a setting are put.
pub(crate) struct Plan<'a> {
    pub(crate) target: &'a dyn Target,
    pub(crate) mode: Mode,
    pub(crate) top_k: usize,
    pub(crate) ask: bool,
    pub(crate) answer_mode: AnswerMode,
    /// Documents that are not there to be found.
    pub(crate) failed: Vec<NotIngested>,
}

/// What was measured of a setting.
#[derive(Default)]
pub(crate) struct Measured {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) search_ms: Vec<f64>,
    pub(crate) took: Vec<Took>,
    pub(crate) ask_ms: Vec<f64>,
}

impl Measured {
    /// Notes on each outcome what it counts for.
    pub(crate) fn score(&mut self, metrics: &[Metric]) {
        self.outcomes.iter_mut().for_each(|outcome| outcome.score(metrics));
    }
}

impl Plan<'_> {
    /// Puts the questions one after the other, so that times are those of one user.
    pub(crate) async fn run(&self, setting: &str, probes: &[Probe], done: impl Fn(usize) + Sync) -> Measured {
        let mut measured = Measured::default();
        for (i, probe) in probes.iter().enumerate() {
            let mut outcome = Outcome::new(setting, probe);
            if let Err(error) = self.put(probe, i < TIMED, &mut outcome, &mut measured).await {
                outcome.error = Some(error.to_string());
            }
            outcome.problems.extend(self.not_ingested(probe));
            outcome.explain(self.top_k);
            measured.outcomes.push(outcome);
            done(i + 1);
        }
        measured
    }

    async fn put(&self, probe: &Probe, timed: bool, outcome: &mut Outcome, measured: &mut Measured) -> Result<(), EvalError> {
        let ask = Ask {
            question: probe.question.clone(),
            history: probe.history.clone(),
            filters: probe.filters.clone(),
            mode: self.answer_mode,
            top_k: Some(self.top_k),
            ..Ask::default()
        };
        let meant = self.target.meant(&ask).await?;
        if timed {
            let clock = Instant::now();
            let hits = self.target.search(&meant, self.mode, self.top_k, &probe.filters).await?;
            measured.search_ms.push(clock.elapsed().as_secs_f64() * 1e3);
            measured.took.push(hits.took);
        }
        if !probe.documents.is_empty() {
            let hits = self.target.search(&meant, self.mode, DEPTH, &probe.filters).await?.data;
            outcome.rank(probe.by_document(&hits), probe.by_place(&hits));
            if outcome.page_rank.is_none_or(|rank| rank > self.top_k) {
                outcome.problems.extend(self.misread(probe, &hits).await?);
            }
        }
        if self.ask {
            let clock = Instant::now();
            let answer = self.target.ask(&ask).await?;
            measured.ask_ms.push(clock.elapsed().as_secs_f64() * 1e3);
            let refused = answer.verdict == Verdict::Refused;
            outcome.refused = Some(refused);
            outcome.confidence = answer.confidence;
            outcome.judge(probe.expected.judge(&answer));
            if !refused {
                outcome.citations = Some(check(self.target, &answer).await?);
            }
            outcome.answer = Some(answer.text);
        }
        Ok(())
    }

    fn not_ingested(&self, probe: &Probe) -> Option<String> {
        let of = |failed: &&NotIngested| probe.documents.iter().any(|d| is_path_of(&failed.name, d));
        self.failed.iter().find(of).map(|f| format!("its document was not ingested ({})", f.code))
    }

    async fn misread(&self, probe: &Probe, hits: &[Hit]) -> Result<Vec<String>, EvalError> {
        let mut problems = Vec::new();
        for Quote { document, page, text } in &probe.quotes {
            let Some(hit) = hits.iter().find(|hit| is_called(&hit.passage.document, document)) else { continue };
            let source = &hit.passage.document;
            let stored = self.target.page_text(&source.id, source.version, *page).await?;
            if !stored.is_some_and(|stored| quotes(&stored, text)) {
                problems.push(format!("its quote is not in the stored page {page}"));
            }
        }
        Ok(problems)
    }
}

/// A unit of a ranking: one we look for, by its place in the gold list, or another.
#[derive(PartialEq, Eq, Hash)]
enum Key<'a, T> {
    Gold(&'a T),
    Other(DocumentId, u32),
}

impl Probe {
    /// The unit that a hit is, named as those that are looked for.
    pub(crate) fn unit_of(&self, hit: &Hit) -> String {
        let source = &hit.passage.document;
        let name = self.documents.iter().find(|name| is_called(source, name)).cloned().unwrap_or_else(|| source.id.to_string());
        match self.places.is_empty() {
            true => name,
            false => format!("{name} {:?}", Place::Page(hit.passage.page.as_ref().map_or(hit.passage.part, |p| p.index))),
        }
    }

    fn by_document(&self, hits: &[Hit]) -> Option<Judged> {
        let gold: HashMap<Key<String>, u32> = self.documents.iter().map(|d| (Key::Gold(d), 1)).collect();
        let ranking = hits.iter().map(|hit| {
            let document = &hit.passage.document;
            self.documents.iter().find(|name| is_called(document, name)).map_or(Key::Other(document.id, 0), Key::Gold)
        });
        Judged::new(ranking, &gold)
    }

    /// The page of a hit is the page it shows; a hit in a document without pages holds the quotes that stand in it.
    fn by_place(&self, hits: &[Hit]) -> Option<Judged> {
        let gold: HashMap<Key<(String, Place)>, u32> = self.places.iter().map(|p| (Key::Gold(p), 1)).collect();
        let ranking = hits.iter().flat_map(|hit| {
            let found = &hit.passage;
            let page = found.page.as_ref().map(|p| p.index);
            let mut keys: Vec<_> = self
                .places
                .iter()
                .filter(|(name, place)| {
                    is_called(&found.document, name)
                        && match place {
                            Place::Page(n) => page == Some(*n),
                            Place::Quote(quote) => quotes(&found.text, quote),
                        }
                })
                .map(Key::Gold)
                .collect();
            if keys.is_empty() {
                keys.push(Key::Other(found.document.id, page.unwrap_or(found.part)));
            }
            keys
        });
        Judged::new(ranking, &gold)
    }
}

/// Whether a document goes by that name: its external id, its name or the file part of it, or its id.
pub(crate) fn is_called(document: &Source, name: &str) -> bool {
    document.external_id.as_deref().is_some_and(|id| is_path_of(id, name))
        || is_path_of(&document.name, name)
        || document.id.to_string() == name
}

fn is_path_of(path: &str, name: &str) -> bool {
    path == name || path.rsplit('/').next() == Some(name)
}

impl Expected {
    /// Whether a rule can tell a right answer from a wrong one.
    pub(crate) fn can_be_judged(&self) -> bool {
        self.boolean.is_some() || !self.number.is_empty() || !self.essay && !self.facts.is_empty()
    }

    fn judge(&self, answer: &Answer) -> (Judgement, Option<f64>, Vec<String>) {
        let refused = answer.verdict == Verdict::Refused;
        if !self.answerable {
            return (if refused { Judgement::Correct } else { Judgement::Wrong }, None, Vec::new());
        }
        let share = (!self.facts.is_empty()).then_some(0.0);
        if refused {
            return (if self.or_refused { Judgement::Correct } else { Judgement::Refused }, share, Vec::new());
        }
        let text = without_markers(&answer.text);
        if let Some(expected) = self.boolean {
            let judgement = match yes_or_no(&text) {
                Some(said) if said == expected => Judgement::Correct,
                Some(_) => Judgement::Wrong,
                None => Judgement::Unjudged,
            };
            return (judgement, share, Vec::new());
        }
        if let (Some(sought), Some(given)) = (self.number.first(), result(answer)) {
            let right = self.number.iter().any(|n| (given - n).abs() <= 0.01 * n.abs());
            let problem = (!right).then(|| format!("gives {given}, not {sought}"));
            let judgement = if right { Judgement::Correct } else { Judgement::Wrong };
            return (judgement, share.map(|_| f64::from(u8::from(right))), problem.into_iter().collect());
        }
        let mut problems: Vec<String> =
            self.forbidden.iter().filter(|f| states_outright(&text, f)).map(|f| format!("says “{f}”")).collect();
        if !problems.is_empty() {
            return (Judgement::Wrong, share, problems);
        }
        let missing: Vec<&Vec<String>> =
            self.facts.iter().filter(|wordings| !wordings.iter().any(|w| states(&text, w))).collect();
        problems.extend(missing.iter().filter_map(|wordings| wordings.first()).map(|w| format!("does not say “{}”", short(w))));
        let said = self.facts.len() - missing.len();
        let judgement = match (missing.len(), said) {
            (0, 1..) => Judgement::Correct,
            (_, 0) if !self.can_be_judged() => Judgement::Unjudged,
            (_, 1..) if answer.verdict == Verdict::Partial => Judgement::Partial,
            _ => Judgement::Wrong,
        };
        (judgement, share.map(|_| said as f64 / self.facts.len() as f64), problems)
    }
}

/// The number that an answer gives as its result: worked out, or looked up.
fn result(answer: &Answer) -> Option<f64> {
    let worked = answer.computations.first().map(|computation| computation.result.value);
    worked.or_else(|| answer.figures.first().map(|figure| figure.value))
}

fn short(text: &str) -> String {
    let mut chars = text.chars();
    let start: String = chars.by_ref().take(40).collect();
    if chars.next().is_some() { start + "…" } else { start }
}

/// Checks every citation of an answer against what is stored: the quote stands in the page, word for word, the text carries the
/// marker, and the span lies within the text.
async fn check(target: &dyn Target, answer: &Answer) -> Result<Citations, EvalError> {
    let length = answer.text.chars().count();
    let mut citations = Citations { total: answer.citations.len(), ..Citations::default() };
    for citation in &answer.citations {
        let document = &citation.document;
        let page = target.page_text(&document.id, document.version, citation.part).await?;
        let problem = match page {
            None => Some("its page is not stored"),
            Some(page) if citation.quote.trim().is_empty() || !page.contains(&citation.quote) => {
                Some("its quote is not in the page")
            }
            _ if !answer.text.contains(&format!("[{}]", citation.marker)) => Some("its marker is not in the text"),
            _ if citation.span.start >= citation.span.end || citation.span.end as usize > length => {
                Some("its span is not in the text")
            }
            _ => None,
        };
        match problem {
            None => citations.valid += 1,
            Some(problem) => citations.problems.push(format!("citation [{}]: {problem}", citation.marker)),
        }
    }
    Ok(citations)
}
