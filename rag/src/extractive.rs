//! An answer without a model: which sentence or table row of the evidence answers the question, or what is missing?
//!
//! Every sentence of the evidence and every cell of its tables is a candidate. Two things are asked of it. Is it an answer at
//! all: does it, with what it leans on (the title, the headings, the sentence before), hold enough of the question's telling
//! words and everything that must not be missing: the metric under one of its names, the place, the kind of ratio, the period,
//! the currency, the kind of thing that is asked for? And how good is it: how much does it say by itself, beside what all of
//! its passage speaks of? If nothing is left, the refusal names what the documents lack: the company, the period, the metric.

mod compute;
mod likely;
mod plan;
mod ratio;
mod role;
pub(crate) mod rows;
mod stated;
pub(crate) mod table;
pub(crate) mod told;
mod when;

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use index::{
    corpus::{DocumentId, PassageKind},
    hit::{Hit, Source},
    lexical::{analyse, fold, term, tokens},
    lexicon::{self, Translated},
    page::{BlockKind, Page},
};

use crate::{
    ask::{Figure, Reason},
    cite::{self, Draft, Statement},
    conflict::{self, Claim},
    evidence::Evidence,
    glossary::Mention,
    holdings, list, pack,
    period::{Part, Period, periods, relative},
    quantity::{Unit, quantities},
    question::{Kind, Name, PLACES, Question},
    select::{self, Weighed},
    sentence::{is_han, one_line, sentences, surroundings},
    verdict,
};
use table::{Sheet, is_value, tells_more};

/// Least share that the sentence or label must hold itself.
const ENOUGH_OWN: f32 = 0.15;
/// The same, and the least share with what it leans on, of a sentence in a company's own report, which holds many that are
/// nearly right: of a figure, which has to be named besides, and of anything else.
const FILED_FIGURE: (f32, f32) = (0.3, 0.6);
const FILED: (f32, f32) = (0.3, 0.7);
/// What a word counts that only the title, the headings, the beginning of the passage or the sentence before holds.
const LEANT: f32 = 0.8;
/// What a word counts that only the rest of the passage holds.
const AROUND: f32 = 0.4;
/// What a word of the title or of the beginning of a passage weighs in choosing among its sentences: it is what all of them
/// speak of.
const TOPIC: f32 = 0.2;
/// What another name of a concept counts against the one that the question uses.
const SYNONYM: f32 = 0.9;
/// A further sentence is added if it is nearly as good as the best one.
const NEARLY: f32 = 0.75;
/// Of sentences that were weighed, the next surest is added if it answers with at least this chance where those before it do
/// not; anything less would only be padding.
const GAIN: f32 = 0.015;
/// Least share of what the first sentence leaves out that another one must hold to answer the rest.
const REST: f32 = 0.4;
/// What a sentence gains that tells what its subject is (`主营业务为…`) over those that only speak of it.
const TOLD: f32 = 0.25;
/// What the word for the kind of thing counts that is asked for (`century` in `in which century`): an answer need not say it.
const OF_KIND: f32 = 0.3;
/// Most statements of an answer that asks for one thing: of what is told by rule, and of sentences that were weighed.
const STATEMENTS: usize = 2;
const WEIGHED: usize = 3;

/// How sure the surest sentence of prose must be, in Chinese its chance, in English the share of what is asked that it holds,
/// words counted that are translated alike, which near misses fail more often: where few right answers are lost, see
/// `docs/BENCHMARKS.md`.
const SURE: (f32, f32) = (0.08, 0.42);
/// The least chance of a sentence that is shown.
const LEAST: f32 = 0.02;
/// What the chance of a Chinese sentence counts beside its score where a report's figure is asked for, which has rules of its own.
const CHANCE_OF_FIGURE: f32 = 0.2;
/// Most figures that are looked up for one question.
const MOST_FIGURES: usize = 5;
/// What the statements say in which the figures of a company stand.
const STATEMENTS_EN: &[&str] = &[
    "Consolidated Statements of Income: net sales, cost of sales, gross profit, operating income, income tax expense, net income",
    "Consolidated Balance Sheets: total current assets, total assets, total current liabilities, total liabilities, equity",
    "Consolidated Statements of Cash Flows: net cash provided by operating, investing, financing activities",
];
const STATEMENTS_ZH: &[&str] = &[
    "合并利润表 营业总收入 营业收入 营业成本 营业利润 利润总额 净利润",
    "合并资产负债表 流动资产合计 资产总计 流动负债合计 负债合计 所有者权益合计",
    "合并现金流量表 经营活动产生的现金流量净额 投资活动 筹资活动",
];

/// What heads the quarters in the report of a year.
const QUARTERS_EN: &str = "Quarterly financial data: first quarter, second quarter, third quarter, fourth quarter";
const QUARTERS_ZH: &str = "分季度主要财务数据 第一季度 第二季度 第三季度 第四季度";

/// Picks what answers the question, or refuses.
pub fn draft(question: &Question, evidence: &Evidence) -> Draft {
    if let Some(message) = verdict::unread(question) {
        return Draft::refused(Reason::OutOfScope, message);
    }
    if let Some(message) = missing_name(question, evidence).or_else(|| missing_word(question, evidence)) {
        return Draft::refused(Reason::NoEvidence, message);
    }
    if evidence.hits.is_empty() {
        return Draft::refused(Reason::NoEvidence, no_evidence(question));
    }
    if let Some(items) = list::items(question, evidence) {
        return Draft::quoted(items, vec![]);
    }
    let mut reader = Reader::new(question, evidence);
    // Without a company a figure may be anyone's, unless it is that of a study, which is nobody's.
    let filed = filed(evidence);
    let anyones = reader.figure && !reader.named && companies(&filed) > 1;
    if anyones && evidence.hits.first().is_some_and(|hit| filed.iter().any(|source| source.id == hit.passage.document.id)) {
        return match question.names.iter().find(|name| name.documents.is_empty()) {
            Some(name) => Draft::refused(Reason::NoEvidence, lacks(question.chinese, &name.text)),
            None => Draft::refused(Reason::WeakEvidence, whose(question)),
        };
    }
    if let Some(statements) = reader.borne() {
        return Draft::quoted(statements, Vec::new());
    }
    let sheets = reader.sheets();
    reader.parts = reader.parts_of(&sheets);
    if let Some(statements) = reader.computed(&sheets) {
        return Draft::quoted(statements, Vec::new());
    }
    let mut candidates = reader.candidates();
    let chance = candidates.iter().filter_map(|candidate| candidate.sure).reduce(f32::max);
    let works_out = reader.works_out(&sheets);
    if works_out {
        // A sentence may state what could not be worked out, but only with a figure; a value of a table is something else.
        candidates.retain(|c| c.statement.focus.is_empty() && quantities(&c.statement.text).iter().any(|q| q.is_amount()));
        // It does so under the ratio's name: an adjusted profit margin is no operating margin.
        if let Some((_, ratios)) = ratio::asked(&reader.folded) {
            let names: Vec<Terms> = ratios.iter().flat_map(|ratio| &ratio.names).map(|name| terms(name)).collect();
            candidates.retain(|c| names.iter().any(|name| name.is_subset(&terms(&c.statement.text))));
        }
    } else if let Some(statements) = reader
        .one_by_one(&sheets)
        .or_else(|| reader.each_thing(&sheets))
        .or_else(|| reader.each_figure(&sheets))
        .or_else(|| reader.stated_once(&sheets))
    {
        return Draft::quoted(statements, Vec::new());
    } else {
        let mut found = reader.looked_up(&sheets, &reader.metric(&question.subject));
        if reader.filed && reader.figure {
            // What says another amount than the statement does is about something else.
            candidates.retain(|sentence| !contradicted(sentence, &found));
        }
        if reader.by_likelihood() {
            if likely::doubt(&mut found) {
                // A sentence of yet another document would settle nothing.
                return Draft::refused(Reason::WeakEvidence, which_one(question)).with_chance(chance);
            }
            if found.iter().any(|candidate| candidate.enough) {
                // What was weighed against the rows of all tables is not picked a second time by what its passage says.
                candidates.retain(|candidate| candidate.statement.focus.is_empty());
            }
        }
        candidates.extend(found);
    }
    candidates.retain(|candidate| !anyones || !filed.iter().any(|source| source.id == candidate.document));
    if reader.subject.is_some() && !reader.figure {
        // No value says who or what something is.
        candidates.retain(|c| c.statement.focus.is_empty() || !quantities(&c.statement.text).iter().any(|q| q.is_amount()));
    }
    candidates.retain(|candidate| reader.names_bearer(&candidate.statement.text));
    if let Some(name) = reader.of_whom() {
        candidates.retain(|candidate| reader.speaks_of(candidate, &name));
    }
    // What could not be worked out, because several tables would do, is not lacking.
    let several = works_out && reader.by_likelihood();
    let other_period = candidates.is_empty() && !several || candidates.iter().any(|candidate| candidate.other_period);
    let weighed = candidates.iter().filter(|c| c.chance.is_some() && (c.enough || !question.chinese));
    let surest = weighed.filter_map(|c| c.sure).fold(0.0, f32::max);
    let least = if question.chinese { SURE.0 } else { SURE.1 };
    if surest < least {
        candidates.retain(|candidate| candidate.chance.is_none());
    }
    candidates.retain(|candidate| candidate.enough);
    if candidates.is_empty() && other_period && !question.periods.is_empty() && !reported(question, evidence) {
        return Draft::refused(Reason::NoEvidence, no_period(question)).with_chance(chance);
    }
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.statement.hit.cmp(&b.statement.hit)));
    if candidates.is_empty() {
        return Draft::refused(Reason::WeakEvidence, weak(question)).with_chance(chance);
    }
    let claims: Vec<Claim> = candidates.iter().map(Candidate::claim).collect();
    if let Some((sides, said)) = conflict::dispute(question, evidence, &claims) {
        return Draft::quoted(sides, vec![said]).with_chance(chance);
    }
    // Of a company's own report one sentence says who or where: the next one speaks of somebody else.
    let single = reader.filed && matches!(reader.kind, Kind::Who | Kind::Where | Kind::When);
    let (statements, missing) = compose(question, evidence, candidates, single);
    Draft::quoted(statements, missing).with_chance(chance)
}

/// Whether a sentence lacks the figures that were looked up in its document.
fn contradicted(sentence: &Candidate, found: &[Candidate]) -> bool {
    let said = quantities(&sentence.statement.text);
    let of = |c: &&Candidate| sentence.period.is_none() || c.period == sentence.period;
    let own = found.iter().filter(|c| c.enough && c.document == sentence.document).filter(of);
    let mut figures = own.filter_map(|candidate| candidate.statement.figure.as_ref()).peekable();
    let near = |figure: &Figure| {
        said.iter().any(|q| (q.value.abs() - figure.value.abs()).abs() <= q.precision.max(0.001 * q.value.abs()))
    };
    figures.peek().is_some() && !figures.any(near)
}

/// What else to look up in the reports of a company: its statements, for the figures that a question asks for, or the sentence
/// that says what something is; nothing if it asks for neither.
pub(crate) fn wanted(question: &Question) -> Vec<String> {
    let folded = fold(&question.text);
    let mut names: Vec<String> = Vec::new();
    let defined = ratio::asked(&folded).map(|(_, ratios)| ratios).unwrap_or_default();
    for name in defined.iter().flat_map(|ratio| ratio.formula.figures()) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    let mentions = question.pack.glossary.mentions(&fold(&question.subject)).0;
    if let [role] = mentions.as_slice()
        && role.concept.bearer.is_some()
    {
        return role::places(role.concept, question.chinese);
    }
    // A report may call it by its name in full: `归属于上市公司股东的扣除非经常性损益的净利润`.
    let in_full = |mention: Mention| {
        let same_script = mention.concept.names.iter().filter(|name| name.contains(is_han) == question.chinese);
        let longest = same_script.max_by_key(|name| name.chars().count()).filter(|name| **name != mention.name);
        longest.map_or(mention.name.clone(), |longest| format!("{} {longest}", mention.name))
    };
    names.extend(mentions.into_iter().filter(Mention::figure).map(in_full));
    names.truncate(MOST_FIGURES);
    if names.is_empty() {
        let told = told::subject(&folded, &question.subject);
        return told.map(|subject| format!("公司的{subject}是")).into_iter().collect();
    }
    let (statements, quarters) = match question.chinese {
        true => (STATEMENTS_ZH, QUARTERS_ZH),
        false => (STATEMENTS_EN, QUARTERS_EN),
    };
    if question.periods.iter().any(|period| matches!(period.part, Part::Quarter(_))) {
        names.push(quarters.to_owned());
    }
    names.extend(statements.iter().map(|text| (*text).to_owned()));
    names
}

/// Whether the value of a table may be the answer to a question, or what it is worked out of.
pub(crate) fn reads_tables(question: &Question) -> bool {
    wants_value(question.kind) || plan::Plan::of(question).is_some()
}

/// Whether the value of a table may be an answer of this kind.
fn wants_value(kind: Kind) -> bool {
    !matches!(kind, Kind::When | Kind::Who | Kind::Where | Kind::Why)
}

/// A sentence or row that may answer.
struct Candidate {
    statement: Statement,
    document: DocumentId,
    /// How good it is, for ranking.
    score: f32,
    /// Whether it says enough of what is asked to be an answer at all.
    enough: bool,
    /// Whether it would be enough, were it not for the period: it speaks of another one.
    other_period: bool,
    /// The asked period it speaks for.
    period: Option<Period>,
    /// How sure it is that it answers, 0 to 1, if it is a sentence.
    sure: Option<f32>,
    /// The chance that it answers, of a sentence that was weighed.
    chance: Option<f32>,
    /// Whether it surely affirms or denies what a yes-or-no question asks.
    affirms: Option<bool>,
}

impl Candidate {
    fn claim(&self) -> Claim<'_> {
        Claim { statement: &self.statement, document: self.document, period: self.period, score: self.score }
    }
}

type Terms = HashSet<u32>;

/// A word or concept of the question.
struct Word {
    weight: f32,
    /// The ways it may be written, each as terms, and what each counts; a way that counts less than 1 must be held whole.
    ways: Vec<(Vec<u32>, f32)>,
    /// Whether nothing is an answer that does not hold it: a concept of reports, a place, the rarest word beside a figure.
    must: bool,
}

impl Word {
    fn share(&self, held: &Terms) -> f32 {
        let of = |(way, counts): &(Vec<u32>, f32)| {
            let share = way.iter().filter(|term| held.contains(term)).count() as f32 / way.len().max(1) as f32;
            if *counts < 1.0 && share < 1.0 { 0.0 } else { share * counts }
        };
        self.ways.iter().map(of).fold(0.0, f32::max)
    }
}

/// What the sentences of one passage share, worked out once: how far each of the question's words is held by its title,
/// headings and beginning, and by the passage as a whole.
struct Scene<'a> {
    at: usize,
    hit: &'a Hit,
    /// For the words in the question's own language, and for the translated ones.
    shares: [Vec<Share>; 2],
    /// The pairs of neighbours in its title and headings.
    title: HashSet<(String, String)>,
    /// The periods that its document reports on.
    reports: Vec<Period>,
    /// The month in which its document's year ends.
    closes: u8,
    /// Whether its words are near an asked period, where the document states none.
    near_period: bool,
}

#[derive(Clone, Copy)]
struct Share {
    leant: f32,
    around: f32,
}

/// How much of what is asked a text holds.
struct Held {
    /// By itself, without what all of the passage speaks of.
    own: f32,
    /// With what it leans on.
    near: f32,
    /// Whether it holds every word that it must.
    musts: bool,
}

/// Reads the evidence with one question in mind.
struct Reader<'a> {
    question: &'a Question,
    evidence: &'a Evidence,
    /// The kind of answer: a number where a figure is asked for, however the question is put.
    kind: Kind,
    /// Whether it names a figure of reports.
    figure: bool,
    /// Whether that is an amount of money.
    money: bool,
    /// The plainest names of what it names in reports.
    mentions: Vec<String>,
    /// The question's words, and their translations.
    words: [Vec<Word>; 2],
    pairs: HashSet<(String, String)>,
    folded: String,
    /// What is counted: `days` in `how many days`.
    counted: Option<String>,
    percent: bool,
    /// Whether an amount is asked for, not a share or a change.
    amount: bool,
    negated: bool,
    currency: Option<&'static str>,
    best: f32,
    /// Whether it is about reports, whose figures are told by rule.
    report: bool,
    /// Whether it names a company, or whatever else documents are about.
    named: bool,
    /// Whether it names a company whose own reports are held: their sentences are many and alike.
    filed: bool,
    /// The word for the thing that is asked for: `customers` in `who are the primary customers of`.
    thing: Option<u32>,
    /// The words of the question that name parts of the company in its tables.
    parts: Terms,
    /// Whether `thing` is only the kind of what is asked for (`city` in `in which city`), which its kind of answer shows.
    of_kind: bool,
    /// Whether reports are held, none of which it names.
    reports: bool,
    /// What a Chinese question asks about: `主营业务` in `…的主营业务是什么`.
    subject: Option<String>,
    /// Whether it asks for a year by the day on which it ends.
    asks_of_year: bool,
    /// The sentences of the evidence as they were weighed, by passage, page and end; empty if there is nothing to weigh by.
    weighed: HashMap<(usize, u32, usize), Weighed>,
}

impl<'a> Reader<'a> {
    fn new(question: &'a Question, evidence: &'a Evidence) -> Self {
        let (mentions, rest) = question.pack.glossary.mentions(&fold(&question.subject));
        let weight = |token: &String| evidence.idf(token) * tells(token, evidence);
        let concepts = |foreign: bool| {
            mentions.iter().map(move |mention| {
                let asked = tokens(&mention.name);
                let terms: Vec<u32> = asked.iter().map(|token| term(token)).collect();
                let ways = mention
                    .concept
                    .terms()
                    .iter()
                    .map(|name| (name.clone(), if *name == terms { 1.0 } else { SYNONYM }))
                    .collect();
                let weight = if foreign { 1.0 } else { asked.iter().map(weight).sum() };
                Word { weight, ways, must: true }
            })
        };
        let left: HashSet<String> = tokens(&rest).into_iter().collect();
        let plain = question.terms.iter().filter(|token| left.contains(*token));
        let figure = mentions.iter().any(Mention::figure);
        let share = mentions.iter().any(|mention| mention.concept.unit == Some(pack::Unit::Percent));
        let folded = fold(&question.text).into_owned();
        let kind = match question.kind {
            Kind::Which | Kind::Other if figure => Kind::Number,
            Kind::Which | Kind::Other | Kind::List if told::asks_for_a_name(&folded) => Kind::Who,
            kind => kind,
        };
        // A question about reports: what it asks for is named by all of its words.
        let report = figure || question.documents().is_some();
        let rare = |token: &&String| !token.chars().any(is_han) || token.chars().count() > 1 && is_word(token);
        let rarest = plain
            .clone()
            .filter(|token| rare(token) && (question.chinese || tells_more(token)))
            .max_by(|a, b| weight(a).total_cmp(&weight(b)))
            .filter(|_| kind == Kind::Number && report && (question.chinese || mentions.is_empty()));
        // Yes or no to what, if the sentence does not say its rarest word?
        let doubts = question.kind == Kind::YesNo && !question.chinese;
        let doubted = plain.clone().filter(|_| doubts).max_by(|a, b| weight(a).total_cmp(&weight(b))).cloned();
        // `Quick ratio` is named by what stands before it, and nothing but a ratio is called one.
        let ratio = question.words.windows(2).find(|pair| matches!(pair[1].as_str(), "ratio" | "margin" | "rate" | "yield"));
        let ratio = ratio.filter(|_| kind == Kind::Number);
        let filed = question.documents().is_some_and(|named| {
            evidence.documents.iter().any(|source| named.contains(&source.id) && holdings::Held::of(source).filed)
        });
        let must = |token: &String| {
            let foreign = question.chinese && token.chars().all(|c| c.is_ascii_alphabetic()) && token.len() > 1;
            foreign
                || report && PLACES.contains(&token.as_str()) && token != "中国"
                || rarest == Some(token)
                || ratio.is_some_and(|pair| &pair[0] == token || token == "ratio")
        };
        let of_kind = matches!(kind, Kind::Where | Kind::When) || told::asks_for_a_name(&folded);
        let asked_kind = told::kind(&folded).filter(|_| !report || of_kind);
        // `record`, `spend`: of a figure any report says so, in its own words.
        let telling = |token: &String| match asked_kind.as_ref() == Some(token) {
            true => OF_KIND,
            false if !report || question.chinese || tells_more(token) => 1.0,
            false => 0.3,
        };
        let word = |token: &String| Word {
            weight: weight(token) * telling(token),
            ways: vec![(vec![term(token)], 1.0)],
            must: must(token),
        };
        let here = concepts(false).chain(plain.map(word)).collect();
        let senses = |word: Translated| {
            let ways = word.senses.iter().map(|sense| (sense.iter().map(|(term, _)| *term).collect(), 1.0)).collect();
            Word { weight: 1.0, ways, must: false }
        };
        let abroad = concepts(true).chain(lexicon::translate(&rest).into_iter().map(senses)).collect();
        Self {
            question,
            evidence,
            kind,
            figure,
            money: mentions.iter().any(|mention| mention.concept.unit == Some(pack::Unit::Money)),
            mentions: mentions.iter().map(|mention| mention.concept.names[0].clone()).collect(),
            words: [here, abroad],
            pairs: if question.chinese { neighbours(&asked_zh(&folded)) } else { pairs(&question.words) },
            counted: counted(&folded),
            percent: share
                || ["percent", "%", "百分", "占比", "比例", "margin", "率", "growth"].iter().any(|w| folded.contains(w)),
            amount: !share
                && ![
                    "percent", "%", "百分", "比", "率", "份额", "margin", "share", "ratio", "yield", "growth", "change", "增",
                    "降",
                ]
                .iter()
                .any(|w| folded.contains(w)),
            negated: negated(&question.subject),
            folded: folded.clone(),
            currency: currency(&folded),
            report,
            named: question.documents().is_some(),
            filed,
            thing: thing(&folded)
                .filter(|thing| left.contains(thing) && question.terms.contains(thing))
                .or(doubted)
                .map(|thing| term(&thing)),
            of_kind,
            reports: question.documents().is_none() && evidence.documents.iter().any(|source| holdings::Held::of(source).filed),
            subject: told::subject(&folded, &question.subject),
            asks_of_year: ["year ended", "year to ", "year ending", "年度"].iter().any(|w| folded.contains(w)),
            parts: Terms::new(),
            weighed: select::weigh(question, evidence).into_iter().map(|w| ((w.hit, w.part, w.place.end), w)).collect(),
            best: evidence.hits.iter().map(|hit| hit.score).fold(f32::MIN, f32::max),
        }
    }

    fn candidates(&self) -> Vec<Candidate> {
        let named = self.question.documents();
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        // What was looked up besides has the statements, or says what something is.
        let among = if self.subject.is_some() { usize::MAX } else { self.evidence.hits.len() };
        for (at, hit) in self.evidence.looked_through().enumerate().take(among) {
            if named.as_ref().is_some_and(|named| !named.contains(&hit.passage.document.id)) {
                continue;
            }
            let scene = self.scene(at, hit);
            for (part, page, range) in cite::places(self.evidence, hit) {
                for block in page.blocks.iter().filter(|b| b.range().start < range.end && range.start < b.range().end) {
                    // The figures of a company's statements are looked up with their periods, see `looked_up`.
                    let figures = self.filed && self.figure && self.kind == Kind::Number;
                    let figures = figures || matches!(self.kind, Kind::Where | Kind::Why);
                    if let Some(table) = block.table.as_ref().filter(|_| !figures) {
                        found.extend(self.rows(&scene, part, page, table, &range, &mut seen));
                    }
                }
                let mut before = Terms::new();
                let mut above = None;
                for piece in cite::pieces(page, range) {
                    let text = one_line(&page.text[piece.clone()]).into_owned();
                    let own = self.own_terms(&text);
                    let whole = captioned(page, &piece).unwrap_or_else(|| leaning(page, above.take(), piece.clone()));
                    above = Some(piece.clone());
                    if seen.insert((hit.passage.document.id, part, piece)) {
                        found.extend(self.sentence(&scene, part, page, whole, text, &own, &before));
                    }
                    before = own;
                }
            }
        }
        found
    }

    /// The terms of a sentence; where a company's figure is asked for, without those of the names of other figures: `cash provided
    /// by operating activities` does not speak of cash.
    fn own_terms(&self, text: &str) -> Terms {
        if !self.filed || !self.figure || self.kind != Kind::Number {
            return terms(text);
        }
        let folded = fold(text);
        let (mentions, mut rest) = self.question.pack.glossary.mentions(&folded);
        for mention in mentions.iter().filter(|mention| self.mentions.contains(&mention.concept.names[0])) {
            rest.push(' ');
            rest.push_str(&mention.name);
        }
        terms(&rest)
    }

    /// Of whom a Chinese question wants a figure, where no document is theirs and texts speak of them: `澜屿储能的员工人数`.
    fn of_whom(&self) -> Option<String> {
        let (front, _) = self.question.searched.split_once('的')?;
        let name = fold(front.trim()).into_owned();
        let plain = name.chars().all(is_han) && (3..=10).contains(&name.chars().count());
        let known = || self.evidence.hits.iter().any(|hit| fold(&hit.passage.text).contains(&name));
        (plain && !self.named && self.kind == Kind::Number && known()).then_some(name)
    }

    fn speaks_of(&self, candidate: &Candidate, name: &str) -> bool {
        let Some(hit) = self.evidence.hit(candidate.statement.hit) else { return false };
        let passage = &hit.passage;
        fold(&format!("{} {} {}", passage.document.title, passage.headings.join(" "), passage.text)).contains(name)
    }

    fn scene(&self, at: usize, hit: &'a Hit) -> Scene<'a> {
        let passage = &hit.passage;
        let lead = sentences(&passage.text).first().map_or("", |first| &passage.text[first.clone()]);
        let title = format!("{} {}", passage.document.title, passage.headings.join(" "));
        let mut leant = terms(&title);
        if passage.kind == PassageKind::Text {
            leant.extend(terms(lead));
        }
        let around = terms(&passage.text);
        let shares =
            |words: &Vec<Word>| words.iter().map(|w| Share { leant: w.share(&leant), around: w.share(&around) }).collect();
        let held = self.evidence.held(hit);
        let (reports, closes) = (held.periods, held.closes.unwrap_or(12));
        let near_period = !self.question.periods.is_empty()
            && reports.is_empty()
            && [passage.headings.join(" ").as_str(), &passage.text]
                .iter()
                .any(|text| periods(text).iter().any(|(_, said)| self.question.periods.iter().any(|asked| said.answers(*asked))));
        let title = if self.question.chinese { neighbours(&fold(&title)) } else { pairs(&tokens(&title)) };
        Scene { at, hit, shares: [shares(&self.words[0]), shares(&self.words[1])], title, reports, closes, near_period }
    }

    /// A sentence, or a row of a table as it stands.
    #[allow(clippy::too_many_arguments)] // where it stands, and what was worked out of it already
    fn sentence(
        &self,
        scene: &Scene,
        part: u32,
        page: &Page,
        piece: Range<usize>,
        text: String,
        own: &Terms,
        before: &Terms,
    ) -> Option<Candidate> {
        let block = page.blocks.iter().find(|b| b.range().contains(&piece.end.saturating_sub(1)));
        let table = block.and_then(|b| b.table.as_ref());
        let row = table.and_then(|t| t.rows.iter().enumerate().find(|(_, r)| r.iter().any(|c| piece.contains(&c.range().start))));
        let header = row.zip(table).is_some_and(|((at, _), table)| at < table.header_rows as usize);
        let figures = row.is_some_and(|(_, r)| r.iter().any(|c| page.text.get(c.range()).is_some_and(is_value)));
        if figures && matches!(self.kind, Kind::Number | Kind::Where) {
            // Its figures are looked up under their headers, and say nothing of a place.
            return None;
        }
        let heading = block.is_some_and(|b| matches!(b.kind, BlockKind::Heading(_)));
        let caption = table.is_some() && row.is_none() || is_caption(&text);
        if header || heading || caption || text.ends_with(['?', '？', ':', '：']) {
            // It announces something or asks; it says nothing.
            return None;
        }
        let abroad = self.abroad(&text);
        let held = self.held(scene, own, before, abroad);
        let agreement = self.agrees(&text, scene);
        let fit = self.fits(&text)?;
        let mut score = 0.7 * held.own + 0.3 * held.near + 0.3 * self.neighbours(scene, &text) + fit;
        if table.is_some() {
            // A row read as a sentence lacks its header: the look-up says the same better.
            score -= 0.15;
        }
        let limits = &self.question.pack.thresholds;
        let least = if abroad { limits.translated } else { limits.sentence };
        let (own_least, near_least) = match (self.filed && !abroad, self.figure) {
            (true, true) => FILED_FIGURE,
            (true, false) => FILED,
            _ => (ENOUGH_OWN, least),
        };
        let says = |term: &u32| own.contains(term) || before.contains(term);
        let names_it = !self.filed
            || abroad
            || (self.of_kind || self.thing.is_none_or(|thing| own.contains(&thing))) && self.parts.iter().all(says);
        let mut enough = held.near >= near_least && held.own >= own_least && fit > -0.2 && held.musts && names_it;
        let weighed = self.weighed.get(&(scene.at, part, piece.end)).filter(|_| !abroad);
        let chance = weighed.and_then(|weighed| weighed.chance).filter(|_| !self.report);
        if let Some(chance) = chance {
            enough = chance >= LEAST && held.musts && (self.kind != Kind::Number || fit > -0.2);
            score = 0.2 * score + chance;
        } else if let Some(chance) = weighed.and_then(|weighed| weighed.chance).filter(|_| self.question.chinese) {
            score += CHANCE_OF_FIGURE * chance;
        }
        let share = weighed.filter(|_| chance.is_some()).map_or(held.near, |weighed| held.near.max(weighed.share_alike()));
        let share = if fit > -0.2 && held.musts { share } else { 0.5 * share };
        let sure = chance.filter(|_| self.question.chinese).unwrap_or(share);
        // Where reports are held but none is named, what the question names must stand in the passage.
        enough &= !self.reports || weighed.is_none_or(|weighed| !weighed.lacks_names());
        let text = one_line(&page.text[piece.clone()]).into_owned();
        let candidate = self.candidate(scene, part, piece, text, vec![], enough, score, agreement);
        Some(Candidate { sure: Some(sure), chance, affirms: weighed.and_then(Weighed::affirms), ..candidate })
    }

    #[allow(clippy::too_many_arguments)] // the parts of one candidate
    fn candidate(
        &self,
        scene: &Scene,
        part: u32,
        quote: Range<usize>,
        text: String,
        focus: Vec<Range<usize>>,
        enough: bool,
        score: f32,
        agreement: Option<(Option<Period>, f32)>,
    ) -> Candidate {
        // The passage's own rank counts too, but less than what the sentence says.
        let standing = 0.25 * (scene.hit.score - self.best) - 0.01 * scene.at as f32;
        let statement = Statement { text, hit: scene.at, part, quote, focus, ..Statement::default() };
        let document = scene.hit.passage.document.id;
        let (period, surely) = agreement.unwrap_or_default();
        let right_period = agreement.is_some();
        let score = score + standing + surely;
        Candidate {
            statement,
            document,
            score,
            enough: enough && right_period,
            other_period: enough && !right_period,
            period,
            sure: None,
            chance: None,
            affirms: None,
        }
    }

    /// Whether a text is in the other language than the question, and the question could be translated.
    fn abroad(&self, text: &str) -> bool {
        let other = text.contains(is_han) != self.question.chinese && text.chars().filter(|c| c.is_alphabetic()).count() > 2;
        other && !self.words[1].is_empty()
    }

    /// How much of what is asked a text holds; `before` is what stands right above it.
    fn held(&self, scene: &Scene, own: &Terms, before: &Terms, abroad: bool) -> Held {
        let language = usize::from(abroad);
        let words = &self.words[language];
        let (mut own_sum, mut own_total, mut near, mut total) = (0.0, 0.0, 0.0, 0.0);
        let mut musts = true;
        let mut lacking = 0;
        for (word, share) in words.iter().zip(&scene.shares[language]) {
            let mine = word.share(own);
            let above = word.share(before);
            let weight = word.weight * if share.leant > 0.99 { TOPIC } else { 1.0 };
            own_sum += weight * mine;
            own_total += weight;
            near += word.weight * mine.max(LEANT * share.leant.max(above)).max(AROUND * share.around);
            total += word.weight;
            if word.must {
                // A figure is told by its own row or sentence; of anything else the passage may speak as a whole.
                let number = self.kind == Kind::Number;
                let itself = self.figure || number || self.filed && self.kind == Kind::Who;
                let leant = if self.figure && self.filed && number { 0.0 } else { share.leant };
                let around = if itself { 0.0 } else { share.around };
                musts &= mine.max(above).max(leant).max(around) >= SYNONYM - 0.01;
            }
            lacking += usize::from(mine.max(above) < SYNONYM - 0.01);
        }
        if total <= 0.0 {
            // A question of names and periods alone: whatever speaks of them.
            let enough = self.question.pack.thresholds.sentence;
            return Held { own: enough, near: enough, musts: true };
        }
        // A date is one of what happened: of the few words that say what, hardly any may be missing.
        musts &= !(self.filed && self.kind == Kind::When) || 4 * lacking <= words.len();
        Held { own: own_sum / own_total, near: near / total, musts }
    }

    /// The share of the question's pairs of neighbours that a text holds, those of its title left out.
    fn neighbours(&self, scene: &Scene, text: &str) -> f32 {
        let held = if self.question.chinese { neighbours(&fold(text)) } else { pairs(&tokens(text)) };
        let asked = self.pairs.iter().filter(|pair| !scene.title.contains(*pair));
        let (all, kept) = asked.fold((0, 0), |(all, kept), pair| (all + 1, kept + usize::from(held.contains(pair))));
        if all == 0 { 0.0 } else { kept as f32 / all as f32 }
    }

    /// How well a sentence holds the kind of thing that is asked for, beyond what the question says itself; `None` if it says
    /// the opposite.
    fn fits(&self, text: &str) -> Option<f32> {
        let lower = text.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        if self.negated && !negated(&lower) && self.kind != Kind::YesNo {
            return None;
        }
        if self.currency.is_some() && currency(&lower).is_some_and(|stated| Some(stated) != self.currency) {
            return None;
        }
        // What is planned has not happened; who asks for a figure wants what it came to.
        if self.figure && plans(&lower) && !self.asks_plans() {
            return None;
        }
        // A piece of a sentence, cut by a page or a box, says nothing sure.
        if self.filed && text.starts_with(|c: char| c.is_ascii_lowercase()) {
            return None;
        }
        if self.filed && told::under(&lower, &self.folded, self.roles()) {
            return None;
        }
        if self.filed && (self.another(&lower) || self.kind == Kind::YesNo && supposes(&lower)) {
            return None;
        }
        let new = |range: Range<usize>| !self.question.text.contains(text[range].trim());
        Some(match self.kind {
            Kind::Number => {
                let amounts: Vec<_> = quantities(text)
                    .into_iter()
                    .filter(|q| q.is_amount() && new(q.range.clone()) && !(self.figure && lasts(q.unit)))
                    .filter(|q| q.range.end > outline(text))
                    // `the five largest customers`
                    .filter(|q| !self.figure || text[q.range.clone()].contains(|c: char| c.is_numeric()))
                    // An amount is not told by its share of something, nor what is counted.
                    .filter(|q| {
                        let amount = self.figure && self.amount || self.counted.is_some() && !self.percent;
                        !(amount && matches!(q.unit, Unit::Percent | Unit::Point))
                    })
                    // Who counts heads is not told an expense.
                    .filter(|q| !(self.counts_heads() && matches!(q.unit, Unit::Money(_))))
                    // `the 25 largest customers`: money is told in money.
                    .filter(|q| !(self.filed && self.money && self.amount && !matches!(q.unit, Unit::Money(_))))
                    // `COVID-19` is no amount.
                    .filter(|q| {
                        !text[..q.range.start].trim_end_matches('-').ends_with(char::is_alphabetic)
                            || !text[..q.range.start].ends_with('-')
                    })
                    .collect();
                let counts = self.counted.as_ref().is_some_and(|noun| {
                    amounts.iter().any(|q| {
                        let start = q.range.start;
                        let end = (q.range.end + noun.len() + 24).min(text.len());
                        lower.get(start..text.floor_char_boundary(end)).is_some_and(|behind| behind.contains(noun.as_str()))
                    })
                });
                let percent = self.percent && amounts.iter().any(|q| matches!(q.unit, Unit::Percent | Unit::Point));
                let beside = || amounts.iter().any(|q| self.asks(clause(text, q.range.clone())));
                match amounts.is_empty() {
                    true => -0.4,
                    false if counts || percent => 0.25,
                    false if beside() => 0.15,
                    false if self.figure || self.filed => -0.3,
                    false => 0.0,
                }
            }
            Kind::When => match periods(text).into_iter().any(|(range, _)| new(range)) {
                true => 0.15,
                false => -0.4,
            },
            Kind::Why if has(&["因", "由于", "所致", "because", "due to", "result of", "driven by", "reason", "as a result"]) => {
                0.15
            }
            Kind::Why if self.filed => -0.3,
            Kind::Where
                if has(&[
                    "位于",
                    "地址",
                    "出生于",
                    "分布",
                    "省",
                    "市",
                    "县",
                    "国",
                    "州",
                    "located",
                    "headquarter",
                    "address",
                    " in ",
                    " at ",
                    " near ",
                ]) =>
            {
                0.1
            }
            Kind::Who if !self.question.chinese => self.names_one(text, &lower),
            _ => match &self.subject {
                Some(subject) if told::tells(&lower, subject) => TOLD,
                Some(_) if self.filed => -0.3,
                _ => 0.0,
            },
        })
    }

    /// The names of what the question speaks of in reports, folded.
    fn roles(&self) -> impl Iterator<Item = &str> {
        let mentions = self.question.pack.glossary.concepts().iter();
        let asked = mentions.filter(|concept| !concept.figure && self.mentions.contains(&concept.names[0]));
        asked.flat_map(|concept| concept.names.iter().map(String::as_str))
    }

    /// How well an English sentence names whoever is asked for: by a name beside words of the question.
    fn names_one(&self, text: &str, lower: &str) -> f32 {
        let names = told::names(text, &self.folded);
        let role = self.words[0].iter().any(|word| word.must);
        let speaks = |part: &str| {
            let held = terms(part);
            self.words[0].iter().any(|word| (word.must || !role) && word.share(&held) >= SYNONYM - 0.01)
        };
        let beside = |name: &Range<usize>| {
            let near = surroundings(text, name);
            speaks(&text[near.start..name.start]) || speaks(&text[name.end..near.end])
        };
        let past = told::PAST.iter().any(|word| lower.contains(word) && !self.folded.contains(word));
        match (names.iter().any(beside), self.filed) {
            (true, true) if past => -0.1,
            (true, _) => 0.15,
            (false, true) => -0.3,
            (false, false) if names.is_empty() => -0.1,
            (false, false) => 0.0,
        }
    }

    /// The figures of a question that names several, one after the other: `营业收入和净利润分别是多少`.
    fn each_figure(&self, sheets: &[Sheet<'a>]) -> Option<Vec<Statement>> {
        let joins = ["分别", "和", "与", "及", "、", " and ", "respectively"].iter().any(|word| self.folded.contains(word));
        if self.kind != Kind::Number || !joins {
            return None;
        }
        let (mentions, rest) = self.question.pack.glossary.mentions(&fold(&self.question.subject));
        let mut names: Vec<&Mention> = Vec::new();
        for mention in mentions.iter().filter(|mention| mention.figure()) {
            if !names.iter().any(|known| known.concept == mention.concept) {
                names.push(mention);
            }
        }
        let best = |mention: &&Mention| {
            let found = self.looked_up(sheets, &self.metric(&format!("{} {rest}", mention.name)));
            let best = found.into_iter().filter(|candidate| candidate.enough).max_by(|a, b| a.score.total_cmp(&b.score))?;
            Some(best.statement)
        };
        if names.len() < 2 { None } else { names.iter().map(best).collect() }
    }

    /// Whether things are counted, and not money: `how many employees`, `多少家`.
    fn counts_heads(&self) -> bool {
        let things = |noun: &String| match self.question.chinese {
            true => noun.chars().count() == 1 && noun != "元",
            false => !self.figure && !["dollar", "euro", "pound", "yuan"].contains(&noun.as_str()),
        };
        self.counted.as_ref().is_some_and(things)
    }

    /// Whether what is planned is asked for.
    fn asks_plans(&self) -> bool {
        plans(&self.folded) || ["计划", "预算", " plan", "budget"].iter().any(|word| self.folded.contains(word))
    }

    /// Whether a sentence speaks of another figure than the one that is asked for: of a part of it (`storage revenue` for
    /// `revenue`), or of a person.
    fn another(&self, lower: &str) -> bool {
        const PARTS: &[&str] = &["business unit", "segment", "division", "subsidiary", "joint venture"];
        const PLAIN: &[&str] = &[
            "the",
            "our",
            "its",
            "their",
            "total",
            "net",
            "group",
            "consolidated",
            "annual",
            "reported",
            "company",
            "company's",
            "of",
            "in",
            "and",
            "for",
            "to",
            "overall",
            "full-year",
            "gross",
            "with",
            "that",
            "by",
            "or",
            "a",
            "as",
            "from",
            "on",
            "had",
            "was",
            "were",
            "quarterly",
            "fiscal",
            "cash",
            "regular",
            "increased",
            "higher",
            "lower",
            "record",
            "generated",
        ];
        if self.kind == Kind::Number
            && ["he ", "she ", "mr. ", "ms. ", "mrs. ", "dr. "]
                .iter()
                .any(|who| lower.starts_with(who) || lower.contains(&format!(". {who}")))
        {
            return true;
        }
        if !self.figure || lower.contains(is_han) {
            return false;
        }
        if PARTS.iter().any(|part| lower.contains(part) && !self.folded.contains(part)) {
            return true;
        }
        let mentions = self.question.pack.glossary.mentions(lower).0;
        let mut asked = mentions.iter().filter(|mention| self.mentions.contains(&mention.concept.names[0])).peekable();
        // Where it stands bare anywhere, the sentence speaks of it.
        asked.peek().is_some()
            && asked.all(|mention| {
                lower.match_indices(mention.name.as_str()).all(|(at, _)| {
                    let front = &lower[..at];
                    let before = front.trim_end().rsplit(char::is_whitespace).next().unwrap_or_default();
                    let joined = front.ends_with(char::is_whitespace) && before.ends_with(char::is_alphabetic);
                    joined && !PLAIN.contains(&before) && !self.folded.contains(before)
                })
            })
    }

    /// Whether a clause holds a word of the question.
    fn asks(&self, clause: &str) -> bool {
        let held = terms(clause);
        self.words[usize::from(self.abroad(clause))].iter().any(|word| word.share(&held) >= SYNONYM - 0.01)
    }

    /// Whether a text has a figure for a period, and does not only compare with it: `revenue was $5 million (2021: $4 million)`.
    fn stated_for(&self, period: Period, text: &str, scene: &Scene) -> bool {
        let share = |unit: Unit| matches!(unit, Unit::Percent | Unit::Point);
        let figure =
            |piece: &str| quantities(piece).iter().any(|q| q.is_amount() && !lasts(q.unit) && !(self.amount && share(q.unit)));
        // A piece without a period speaks for the one before it, the first for that of the report.
        let mut of = scene.reports.clone();
        by_period(text).into_iter().any(|piece| {
            let said: Vec<Period> = periods(piece).into_iter().map(|(_, period)| period).collect();
            if !said.is_empty() {
                of = said;
            }
            figure(piece) && of.iter().any(|said| said.answers(period))
        })
    }

    /// Which of the asked periods a text speaks for, and how surely; `None` if it speaks for another one.
    fn agrees(&self, text: &str, scene: &Scene) -> Option<(Option<Period>, f32)> {
        let asked = &self.question.periods;
        if asked.is_empty() {
            return Some((None, 0.0));
        }
        let mut said: Vec<Period> = periods(text).into_iter().map(|(_, period)| period).filter(|p| p.year.is_some()).collect();
        let plain = COMPARED_ZH.iter().fold(text.to_owned(), |text, word| text.replace(word, " "));
        said.extend(relative(&plain, scene.reports.iter().find_map(|p| p.year)));
        if let Some(period) = asked.iter().find(|asked| said.iter().any(|said| said.answers(**asked))) {
            let lower = text.to_lowercase();
            let part = ["three months", "six months", "nine months", "quarter"].iter().any(|w| lower.contains(w));
            let whole = ["twelve months", "year ended"].iter().any(|w| lower.contains(w));
            let years: HashSet<i32> = periods(text).into_iter().filter_map(|(_, said)| said.year).collect();
            let stated = self.kind != Kind::Number || years.len() < 2 || self.stated_for(*period, text, scene);
            let right = (period.part != Part::Year || !part || whole) && stated;
            return right.then_some((Some(*period), 0.15));
        }
        // A text that names years, none of them the asked one, speaks of something else.
        let years_asked: HashSet<i32> = asked.iter().filter_map(|p| p.year).collect();
        if said.iter().any(|p| p.year.is_some_and(|y| !years_asked.contains(&y))) {
            let stated = asked.iter().find(|period| self.kind == Kind::Number && self.stated_for(**period, text, scene));
            return stated.map(|period| (Some(*period), 0.05));
        }
        // The report of a year speaks of its last day, but of another part of it only where it says so.
        let whole = |period: &Period| match period.part {
            Part::Year => true,
            Part::Month(month) => self.kind != Kind::Number || month == scene.closes,
            _ => false,
        };
        let of = |period: &&Period| {
            scene
                .reports
                .iter()
                .any(|own| own.answers(**period) || own.year == period.year && own.year.is_some() && whole(period))
        };
        match asked.iter().find(of) {
            Some(period) => Some((Some(*period), 0.05)),
            None => scene.near_period.then_some((asked.first().copied(), 0.0)),
        }
    }
}

/// What a change is measured against: it says nothing of the period that is spoken of.
const COMPARED_ZH: &[&str] =
    &["比上年", "较上年末", "较上年", "比去年", "较去年", "比上期", "较上期", "较年初", "较期初", "比年初", "与上年相比"];

/// The pieces of a sentence that each speak of one period: `revenue was $5 million in 2023`, `over 2022`.
fn by_period(text: &str) -> Vec<&str> {
    const CUTS: &[&str] = &[
        "，",
        "；",
        "。",
        ", ",
        "; ",
        "(",
        "（",
        " compared ",
        " over ",
        " versus ",
        " vs",
        " against ",
        " from ",
        " than ",
        "较",
        "相比",
        "比",
    ];
    let mut cuts: Vec<usize> = CUTS.iter().flat_map(|cut| text.match_indices(cut).map(|(at, _)| at)).collect();
    cuts.extend([0, text.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
}

/// How much a token tells beyond how rare it is. A single character is part of too many words, and a pair of characters that
/// is no word of the dictionary may be the end of one word and the beginning of the next.
fn tells(token: &str, evidence: &Evidence) -> f32 {
    if !token.chars().all(is_han) {
        return 1.0;
    }
    match token.chars().count() {
        1 => 0.3,
        2 if is_word(token) => 1.0,
        2 if evidence.frequencies.get(token).copied().unwrap_or(0) == 0 => 0.2,
        _ => 0.6,
    }
}

/// Whether two characters are a word of the dictionary: looked up as a whole, not one by one with their lower weights.
pub(crate) fn is_word(pair: &str) -> bool {
    match lexicon::translate(pair).as_slice() {
        [word] => word.senses.iter().flatten().map(|(_, share)| share * share).sum::<f32>() > 0.5,
        _ => false,
    }
}

/// What a folded Chinese question says, with what only asks cut out.
fn asked_zh(folded: &str) -> String {
    ["什么", "多少", "哪些", "哪个", "哪里", "哪", "谁", "如何", "怎么", "怎样", "为何", "何时", "几", "吗", "呢", "请问"]
        .iter()
        .fold(folded.to_owned(), |text, word| text.replace(word, " "))
}

/// The neighbouring Chinese characters of a folded text.
fn neighbours(folded: &str) -> HashSet<(String, String)> {
    let chars: Vec<char> = folded.chars().collect();
    chars
        .windows(2)
        .filter(|pair| pair.iter().all(|c| is_han(*c)))
        .map(|pair| (pair[0].to_string(), pair[1].to_string()))
        .collect()
}

/// Whether a line names a table or a picture: `表 1 市场规模（单位：亿元）`.
fn is_caption(text: &str) -> bool {
    let kind = ["表", "图", "图表", "Table", "Figure", "Chart", "Exhibit"].iter().find_map(|kind| text.strip_prefix(kind));
    let numbered = kind.is_some_and(|rest| rest.trim_start().starts_with(|c: char| c.is_ascii_digit()));
    numbered && !text.ends_with(['。', '.'])
}

/// The clause of a sentence around a range: up to the next comma or what gives a cause.
fn clause(text: &str, range: Range<usize>) -> &str {
    const ENDS: &[&str] = &["，", "；", "。", ", ", "; ", " due to ", " because ", " offset by ", " driven by ", "由于"];
    let start = ENDS.iter().filter_map(|end| Some(text[..range.start].rfind(end)? + end.len())).max().unwrap_or(0);
    let end = ENDS.iter().filter_map(|end| text[range.end..].find(end)).min().map_or(text.len(), |at| range.end + at);
    &text[start..end]
}

/// A caption in brackets, as forms have it under what they are filled in with (`(Address of principal executive offices)`),
/// with what stands above it.
fn captioned(page: &Page, piece: &Range<usize>) -> Option<Range<usize>> {
    const LINES: usize = 2;
    let caption = |range: Range<usize>| {
        let text = page.text.get(range).unwrap_or_default().trim();
        text.starts_with('(') && text.ends_with(')') && text.contains(char::is_whitespace) && text.contains(char::is_alphabetic)
    };
    let at = page.blocks.iter().position(|block| block.range().contains(&piece.start))?;
    if !caption(page.blocks[at].range()) {
        return None;
    }
    let filled = page.blocks[..at].iter().rev().take(LINES).take_while(|block| {
        let range = block.range();
        block.table.is_none() && range.end <= piece.start && !caption(range)
    });
    filled.last().map(|first| first.range().start..piece.end)
}

/// A sentence with the one above it, if it begins with a word that points back to it (`he`, `therefore`, `因此`).
fn leaning(page: &Page, above: Option<Range<usize>>, piece: Range<usize>) -> Range<usize> {
    const BACK: &[&str] = &["他", "她", "它", "其", "该", "此", "这", "因此", "所以", "为此", "故", "对此"];
    const BACK_EN: &[&str] =
        &["he", "she", "it", "they", "this", "these", "his", "her", "its", "their", "therefore", "thus", "hence", "consequently"];
    let text = &page.text[piece.clone()];
    let first = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or("").to_lowercase();
    let back = BACK.iter().any(|word| text.starts_with(word)) || BACK_EN.contains(&first.as_str());
    match above.filter(|above| back && page.text[above.start..piece.start].chars().count() <= 300) {
        Some(above) if !page.text[above.end..piece.start].contains("\n\n") => above.start..piece.end,
        _ => piece,
    }
}

/// The distinct terms of a text.
fn terms(text: &str) -> Terms {
    analyse(text).terms.into_iter().map(|(term, _)| term).collect()
}

/// Whether a quantity is a span of time, which no figure of a report is.
fn lasts(unit: Unit) -> bool {
    matches!(unit, Unit::Measure("year" | "month" | "day" | "hour" | "minute"))
}

/// The stem of the word for the thing that an English question asks for: the last of those behind `what`, `which` or `who are`,
/// up to what is said of it.
fn thing(folded: &str) -> Option<String> {
    const ENDS: &[&str] = &[
        "of", "for", "in", "at", "on", "to", "as", "by", "from", "that", "with", "has", "have", "had", "did", "do", "does", "is",
        "are", "was", "were", "will", "can", "should", "within", "during", "under", "between",
    ];
    const LEADS: &[&str] =
        &["is", "are", "was", "were", "the", "value", "of", "number", "amount", "in", "kind", "kinds", "type", "types"];
    let mut words = folded.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '&').filter(|word| !word.is_empty());
    words.find(|word| matches!(*word, "what" | "which" | "who"))?;
    let words: Vec<&str> = words.skip_while(|word| LEADS.contains(word)).take_while(|word| !ENDS.contains(word)).collect();
    tokens(words.last()?).pop()
}

/// What a question counts: the noun behind `how many`, the measure word behind `多少`.
fn counted(folded: &str) -> Option<String> {
    if let Some((_, behind)) = folded.split_once("how many ") {
        let noun = behind.split(|c: char| !c.is_alphanumeric()).next()?;
        return (noun.len() > 2).then(|| noun.trim_end_matches('s').to_owned());
    }
    let (_, behind) = folded.split_once("多少").or_else(|| folded.split_once('几'))?;
    let noun: String = behind.chars().take_while(|c| is_han(*c)).take(2).collect();
    let first: String = noun.chars().take(1).collect();
    match first.as_str() {
        "" | "是" | "的" | "呢" => None,
        "个" | "种" | "家" | "人" | "名" | "年" | "天" | "次" | "位" | "座" | "所" | "条" | "元" => Some(first),
        _ => Some(noun),
    }
}

/// The currency that a folded text names.
fn currency(folded: &str) -> Option<&'static str> {
    const NAMES: &[(&str, &str)] = &[
        ("usd", "USD"),
        ("us$", "USD"),
        ("u.s. dollar", "USD"),
        ("us dollar", "USD"),
        ("美元", "USD"),
        ("eur", "EUR"),
        ("€", "EUR"),
        ("欧元", "EUR"),
        ("gbp", "GBP"),
        ("£", "GBP"),
        ("英镑", "GBP"),
        ("rmb", "CNY"),
        ("cny", "CNY"),
        ("人民币", "CNY"),
        ("hkd", "HKD"),
        ("hk$", "HKD"),
        ("港元", "HKD"),
        ("港币", "HKD"),
        ("aud", "AUD"),
        ("a$", "AUD"),
        ("cad", "CAD"),
        ("c$", "CAD"),
        ("jpy", "JPY"),
        ("日元", "JPY"),
    ];
    let whole = |(at, name): (usize, &str)| {
        let letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphabetic());
        !name.is_ascii() || !letter(folded[..at].chars().next_back()) && !letter(folded[at + name.len()..].chars().next())
    };
    NAMES.iter().find(|(name, _)| folded.match_indices(name).any(whole)).map(|(_, code)| *code)
}

/// How long the number of a paragraph is that a text begins with: `2.2 市场规模`.
fn outline(text: &str) -> usize {
    let number = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let behind = text[number..].trim_start();
    let numbers = text[..number].contains('.') && behind.len() < text.len() - number;
    if numbers && behind.starts_with(char::is_alphabetic) { number } else { 0 }
}

/// Whether a folded text speaks of what is planned or expected.
fn plans(folded: &str) -> bool {
    const WORDS: &[&str] = &[
        "计划实现",
        "预计",
        "预测",
        "力争",
        "目标",
        "we expect",
        "expected to",
        "we plan",
        "we estimated",
        "assum",
        "forecast",
        "guidance",
        "outlook",
        "target",
    ];
    WORDS.iter().any(|word| folded.contains(word))
}

/// Whether a folded text speaks of what may be and not of what is.
fn supposes(folded: &str) -> bool {
    [" may ", " could ", " might ", "if we ", " would ", "可能", "如果"].iter().any(|word| folded.contains(word))
}

/// Whether a folded text denies something.
fn negated(folded: &str) -> bool {
    folded.contains("n't ")
        || folded.contains("n’t ")
        || folded.split(|c: char| !c.is_alphanumeric()).any(|w| matches!(w, "not" | "never" | "no" | "without" | "cannot"))
}

/// The statements of an answer, best first; where several companies or periods are asked for, one for each, and what is missing.
fn compose(question: &Question, evidence: &Evidence, candidates: Vec<Candidate>, single: bool) -> (Vec<Statement>, Vec<String>) {
    let facets = facets(question);
    if facets.len() > 1 {
        let mut statements = Vec::new();
        let mut missing = Vec::new();
        for (name, period) in facets {
            let speaks = |c: &&Candidate| {
                name.is_none_or(|n| n.documents.contains(&c.document)) && (period.is_none() || c.period == period)
            };
            match candidates.iter().find(speaks) {
                Some(candidate) => statements.push(candidate.statement.clone()),
                None => missing.push(lacks(question.chinese, &named(question, name, period))),
            }
        }
        if !statements.is_empty() {
            return (statements, missing);
        }
    }
    let most = match question.kind {
        Kind::List => STATEMENTS + 1,
        _ if single => 1,
        _ if candidates.first().is_some_and(|first| first.chance.is_some()) => WEIGHED,
        _ => STATEMENTS,
    };
    let mut statements: Vec<Statement> = Vec::new();
    let affirms = candidates.first().and_then(|candidate| candidate.affirms);
    let surest = candidates.first().and_then(|candidate| candidate.chance);
    let Some(best) = candidates.first().map(|c| (c.score, c.statement.quote.clone(), c.statement.focus.is_empty())) else {
        return (statements, vec![]);
    };
    if let Some((first, second)) = beside(question, evidence, &candidates) {
        return (vec![first, second], vec![]);
    }
    let mut covered = 0.0;
    for candidate in candidates {
        let far = match surest.and(candidate.chance) {
            Some(chance) => !statements.is_empty() && chance * (1.0 - covered) < GAIN,
            None => candidate.score < NEARLY * best.0,
        };
        // A looked-up value stands alone; a second value beside it would only raise the question which one is meant.
        let alone = !statements.is_empty() && (!best.2 || !candidate.statement.focus.is_empty());
        let same = statements.iter().any(|s| s.text.contains(&candidate.statement.text));
        if same || far || alone {
            continue;
        }
        // A sentence may bring along the one above it, which was taken already.
        match statements.iter().position(|s| candidate.statement.text.contains(&s.text)) {
            Some(at) => statements[at] = candidate.statement,
            None if statements.len() < most => statements.push(candidate.statement),
            None => continue,
        }
        covered += candidate.chance.unwrap_or_default();
    }
    let asks = question.kind == Kind::YesNo;
    if let Some((first, affirms)) = statements.first_mut().zip(affirms).filter(|_| asks) {
        let word = match (question.chinese, affirms) {
            (true, true) => "是：",
            (true, false) => "否：",
            (false, true) => "Yes: ",
            (false, false) => "No: ",
        };
        first.text.insert_str(0, word);
    } else if let Some(first) = statements.first_mut().filter(|_| asks && asks_whether_there_is(&fold(&question.text))) {
        let lower = first.text.to_lowercase();
        let about = lower.split([',', ';', '，', '；']).flat_map(|part| part.split(" that "));
        let asked = |part: &&str| tokens(part).iter().any(|token| question.terms.contains(token));
        let denied = about
            .filter(asked)
            .any(|part| negated(part) || ["未", "没有", "不存在", "无"].iter().any(|word| part.contains(word)));
        let word = match (question.chinese, denied) {
            (true, false) => "是的：",
            (true, true) => "没有：",
            (false, false) => "Yes: ",
            (false, true) => "No: ",
        };
        first.text.insert_str(0, word);
    }
    (statements, vec![])
}

/// Two sentences for a question that asks for two things (`A和B分别…`, `A and B`): the best, and the one that best says what the
/// best leaves out.
fn beside(question: &Question, evidence: &Evidence, candidates: &[Candidate]) -> Option<(Statement, Statement)> {
    let first = candidates.first().filter(|first| first.chance.is_some())?;
    let joins = match question.chinese {
        true => ["分别", "和", "与", "及"].iter().any(|word| question.text.contains(word)),
        false => question.text.contains(" and ") || question.text.contains("respectively"),
    };
    if !joins && question.text.matches(['?', '？']).count() < 2 {
        return None;
    }
    let held = terms(&first.statement.text);
    let weight = |token: &&String| evidence.idf(token) * tells(token, evidence);
    let rest: Vec<&String> = question.terms.iter().filter(|token| !held.contains(&term(token))).collect();
    let left: f32 = rest.iter().map(weight).sum();
    let share = |candidate: &Candidate| {
        let held = terms(&candidate.statement.text);
        rest.iter().filter(|token| held.contains(&term(token))).map(weight).sum::<f32>() / left.max(1e-6)
    };
    let others = candidates.iter().skip(1).filter(|other| other.statement.text != first.statement.text);
    let (_, second) = others
        .filter_map(|other| Some((other.chance? * share(other), other)).filter(|_| share(other) >= REST))
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some((first.statement.clone(), second.statement.clone()))
}

/// Whether a yes-or-no question asks only if something is there: a passage that speaks of it answers that.
fn asks_whether_there_is(folded: &str) -> bool {
    [" mention", " report any", " disclose", "is there ", "are there ", "提到", "提及", "披露", "是否有", "有没有", "是否存在"]
        .iter()
        .any(|w| folded.contains(w))
}

/// The companies and periods that a question asks for one by one.
fn facets(question: &Question) -> Vec<(Option<&Name>, Option<Period>)> {
    let mut names: Vec<Option<&Name>> = question.names.iter().filter(|name| !name.documents.is_empty()).map(Some).collect();
    let mut periods: Vec<Option<Period>> = Vec::new();
    for period in &question.periods {
        if !periods.contains(&Some(*period)) {
            periods.push(Some(*period));
        }
    }
    if names.len() < 2 {
        names = vec![None];
    }
    if periods.len() < 2 {
        periods = vec![None];
    }
    names.iter().flat_map(|name| periods.iter().map(|period| (*name, *period))).collect()
}

/// A company and a period as a message names them.
fn named(question: &Question, name: Option<&Name>, period: Option<Period>) -> String {
    let parts: Vec<String> = name.map(|n| n.text.clone()).into_iter().chain(period.map(|p| p.name(question.chinese))).collect();
    parts.join(if question.chinese { "" } else { " " })
}

/// A name in the question that no document and no passage found knows.
fn missing_name(question: &Question, evidence: &Evidence) -> Option<String> {
    let known = |text: &str, name: &str| {
        let (text, name) = (fold(text), fold(name));
        // `Nobel Prizes` are known by the Nobel Prize.
        let parts = name.split(|c: char| !c.is_alphanumeric()).filter(|p| p.chars().count() > 1);
        let parts: Vec<&str> = parts.map(|p| p.strip_suffix('s').filter(|one| one.len() > 3).unwrap_or(p)).collect();
        text.contains(name.as_ref()) || (parts.len() > 1 && parts.iter().all(|part| text.contains(part)))
    };
    // What only looks like a name is one that is lacking if no passage of the scope holds one of its words.
    let strange = |name: &str| {
        let asked: HashSet<String> = tokens(&question.text).into_iter().collect();
        let words = tokens(name);
        words.iter().any(|w| w.chars().count() > 1 && asked.contains(w) && evidence.frequencies.get(w).copied().unwrap_or(0) == 0)
    };
    // What is asked for is no name: `哪一间铁道公司`.
    let sought = |name: &str| {
        let before = question.text.find(name).map(|at| &question.text[..at]);
        before.is_some_and(|before| before.chars().rev().take(3).any(|c| c == '哪'))
    };
    let lacking = question.names.iter().find(|name| {
        // What the pack knows under other names is no name of somebody.
        if question.pack.glossary.concept(&name.text).is_some() {
            return false;
        }
        // A name in a script that nothing found is written in may stand there translated.
        let script = |text: &str| text.contains(is_han);
        name.documents.is_empty()
            && !sought(&name.text)
            && (evidence.hits.iter().any(|hit| script(&hit.passage.text) == script(&name.text))
                || evidence.documents.iter().any(|d| script(&d.title) == script(&name.text)))
            && (name.sure || evidence.passages > 0 && strange(&name.text))
            && !evidence
                .documents
                .iter()
                .any(|d| known(&format!("{} {} {}", d.title, d.name, serde_json::Value::Object(d.metadata.clone())), &name.text))
            && !evidence
                .hits
                .iter()
                .any(|hit| known(&hit.passage.text, &name.text) || known(&hit.passage.headings.join(" "), &name.text))
            && !evidence.pages.iter().any(|stored| known(&stored.page.text, &name.text))
    })?;
    Some(lacks(question.chinese, &lacking.text))
}

/// A telling word that no passage of the scope holds, if it makes out much of what is asked and no passage in the other
/// language could hold its translation.
fn missing_word(question: &Question, evidence: &Evidence) -> Option<String> {
    let abroad = evidence.hits.iter().any(|hit| hit.passage.text.contains(is_han) != question.chinese);
    // What only says what to work out stands in no passage.
    let worked_out = || plan::Plan::of(question).is_some() || ratio::asked(&fold(&question.text)).is_some();
    if abroad || evidence.passages == 0 || worked_out() {
        return None;
    }
    // A concept of reports may stand there under another name.
    let left: HashSet<String> = tokens(&question.pack.glossary.mentions(&fold(&question.subject)).1).into_iter().collect();
    let weight = |token: &String| evidence.idf(token);
    let unknown = |token: &&String| left.contains(*token) && evidence.frequencies.get(*token).copied().unwrap_or(0) == 0;
    let total: f32 = question.terms.iter().map(weight).sum();
    let absent: f32 = question.terms.iter().filter(unknown).map(weight).sum();
    (total > 0.0 && absent > 0.6 * total).then(|| lacks(question.chinese, &question.subject))
}

/// Whether one of the reports that the question may mean is of a period that it names.
fn reported(question: &Question, evidence: &Evidence) -> bool {
    let named = question.documents();
    let meant = |source: &&Source| named.as_ref().is_some_and(|named| named.contains(&source.id));
    let of = |source: &Source| holdings::Held::of(source).periods;
    let own = evidence.documents.iter().filter(meant).flat_map(of);
    own.into_iter().any(|own| question.periods.iter().any(|asked| own.answers(*asked)))
}

fn no_period(question: &Question) -> String {
    let periods: Vec<String> = question.periods.iter().map(|p| p.name(question.chinese)).collect();
    let subject = question.names.iter().find(|n| !n.documents.is_empty()).map(|n| n.text.clone()).unwrap_or_default();
    match (question.chinese, subject.is_empty()) {
        (true, _) => lacks(true, &format!("{subject}{}", periods.join("、"))),
        (false, true) => lacks(false, &periods.join(", ")),
        (false, false) => lacks(false, &format!("{subject} in {}", periods.join(", "))),
    }
}

fn no_evidence(question: &Question) -> String {
    match question.chinese {
        true => "资料中没有找到与这个问题有关的内容".into(),
        false => "The documents hold nothing about this question".into(),
    }
}

fn lacks(chinese: bool, what: &str) -> String {
    if chinese {
        format!("资料中没有“{what}”的内容")
    } else {
        format!("The documents do not say anything about “{what}”")
    }
}

/// The companies' own reports among what was found.
fn filed(evidence: &Evidence) -> Vec<&Source> {
    let found: HashSet<DocumentId> = evidence.hits.iter().map(|hit| hit.passage.document.id).collect();
    evidence.documents.iter().filter(|source| found.contains(&source.id) && holdings::Held::of(source).filed).collect()
}

/// How many companies they are from.
fn companies(filed: &[&Source]) -> usize {
    let company = |source: &&Source| Some(fold(source.facts.get("company")?.get("value")?.as_str()?).into_owned());
    filed.iter().filter_map(company).collect::<HashSet<String>>().len()
}

fn whose(question: &Question) -> String {
    match question.chinese {
        true => format!("有几家公司的报告说到“{}”，请说明问的是哪一家", question.subject),
        false => format!("The reports of several companies speak of “{}”; name the one that is meant", question.subject),
    }
}

fn which_one(question: &Question) -> String {
    match question.chinese {
        true => format!("几份资料对“{}”的说法不同，请说明问的是哪一家", question.subject),
        false => format!("Several documents say different things of “{}”; name whose is meant", question.subject),
    }
}

fn weak(question: &Question) -> String {
    match question.chinese {
        true => format!("找到了相关段落，但其中没有能够回答“{}”的内容", question.subject),
        false => format!("Related passages were found, but none of them says anything sure about “{}”", question.subject),
    }
}

fn pairs(words: &[String]) -> HashSet<(String, String)> {
    words.windows(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}
