//! An answer without a model: which sentence or table row of the evidence answers the question, or what is missing?
//!
//! Every sentence and every row of the evidence is a candidate. It is weighed by the share of the question's telling words it
//! holds (idf coverage, and for English the share of neighbouring pairs), and by what an analyst looks at next: does it speak
//! of the company and the period asked for, and does it hold the kind of thing that is asked. A candidate of another company
//! or another year is none. If nothing is left, the refusal names what the documents lack.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use index::{
    hit::Hit,
    lexical::{analyse, fold, tokens},
    lexicon,
    page::{Cell, Page, Table},
};

use crate::{
    ask::Reason,
    cite::{self, Draft, Statement},
    evidence::Evidence,
    period::{Period, periods, relative},
    quantity::quantities,
    question::{Kind, Question, years},
    sentence::{is_han, one_line},
    verdict,
};

/// Least share of the question's telling words that an answer must hold, when both are in one language.
const ENOUGH: f32 = 0.5;
/// The same across languages, where a word may have been translated otherwise.
const ENOUGH_ABROAD: f32 = 0.4;
/// A further sentence is added if it is nearly as good as the best one.
const NEARLY: f32 = 0.85;
/// Most statements of an answer that asks for one thing.
const STATEMENTS: usize = 2;

/// Picks what answers the question, or refuses.
pub fn draft(question: &Question, evidence: &Evidence) -> Draft {
    if let Some(message) = missing_name(question, evidence).or_else(|| missing_word(question, evidence)) {
        return Draft::refused(Reason::NoEvidence, message);
    }
    let reader = Reader::new(question, evidence);
    let mut candidates = reader.candidates();
    if candidates.is_empty() && !evidence.hits.is_empty() && !question.periods.is_empty() {
        return Draft::refused(Reason::NoEvidence, no_period(question));
    }
    candidates.retain(Candidate::is_enough);
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.statement.hit.cmp(&b.statement.hit)));
    if candidates.is_empty() {
        return match evidence.hits.is_empty() {
            true => Draft::refused(Reason::NoEvidence, no_evidence(question)),
            false => Draft::refused(Reason::WeakEvidence, verdict::weak(question)),
        };
    }
    let (statements, missing) = compose(question, candidates);
    Draft::quoted(statements, missing)
}

/// A sentence or row that may answer.
struct Candidate {
    statement: Statement,
    /// How good it is, for ranking.
    score: f32,
    /// Share of the question's telling words that it holds.
    coverage: f32,
    /// The asked period it speaks for.
    period: Option<Period>,
    abroad: bool,
}

impl Candidate {
    fn is_enough(&self) -> bool {
        self.coverage >= if self.abroad { ENOUGH_ABROAD } else { ENOUGH }
    }
}

/// Reads the evidence with one question in mind.
struct Reader<'a> {
    question: &'a Question,
    evidence: &'a Evidence,
    /// The question's words, each with the ways it may be written and its weight.
    words: Vec<Word>,
    translated: Vec<Word>,
    pairs: HashSet<(String, String)>,
    best: f32,
}

/// A word of the question: what it weighs, and the sets of terms of which one must be held whole.
struct Word {
    weight: f32,
    ways: Vec<Vec<u32>>,
}

impl<'a> Reader<'a> {
    fn new(question: &'a Question, evidence: &'a Evidence) -> Self {
        let word = |token: &String| {
            // A single character is part of too many words to tell much.
            let single = token.chars().count() == 1 && token.chars().all(is_han);
            Word { weight: evidence.idf(token) * if single { 0.3 } else { 1.0 }, ways: vec![vec![index::lexical::term(token)]] }
        };
        let translated = lexicon::translate(&question.subject)
            .into_iter()
            .map(|word| Word { weight: 1.0, ways: word.senses.iter().map(|sense| sense.iter().map(|(term, _)| *term).collect()).collect() })
            .collect();
        Self {
            question,
            evidence,
            words: question.terms.iter().map(word).collect(),
            translated,
            pairs: pairs(&question.words),
            best: evidence.hits.iter().map(|hit| hit.score).fold(f32::MIN, f32::max),
        }
    }

    fn candidates(&self) -> Vec<Candidate> {
        let named = self.question.documents();
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        for (at, hit) in self.evidence.hits.iter().enumerate() {
            if named.as_ref().is_some_and(|named| !named.contains(&hit.passage.document.id)) {
                continue;
            }
            for (part, page, range) in cite::places(self.evidence, hit) {
                for block in page.blocks.iter().filter(|b| b.range().start < range.end && range.start < b.range().end) {
                    if let Some(table) = &block.table {
                        found.extend(self.rows(at, hit, part, page, table, &range, &mut seen));
                    }
                }
                for piece in cite::pieces(page, range) {
                    let row = page.blocks.iter().any(|b| b.table.is_some() && b.range().contains(&piece.start));
                    if seen.insert((hit.passage.document.id, part, piece.clone())) {
                        found.extend(self.sentence(at, hit, part, page, piece, row));
                    }
                }
            }
        }
        found
    }

    /// A sentence, or a row of a table as it stands.
    fn sentence(&self, at: usize, hit: &Hit, part: u32, page: &Page, piece: Range<usize>, row: bool) -> Option<Candidate> {
        let text = one_line(&page.text[piece.clone()]).into_owned();
        let context = context(hit);
        let abroad = self.abroad(&text);
        let (coverage, own) = self.coverage(&text, &context, abroad);
        let period = self.agrees(&text, hit, None)?;
        let mut score = coverage + 0.3 * self.neighbours(&text) + self.fits(&text) + period.1;
        if row {
            // A row read as a sentence lacks its header: the look-up says the same better.
            score -= 0.15;
        }
        (own > 0.0).then(|| self.candidate(at, hit, part, piece, text, vec![], coverage, score, period.0, abroad))
    }

    /// The rows of a table whose label says what is asked, each with the value under the asked period.
    #[allow(clippy::too_many_arguments)] // where a row stands
    fn rows(
        &self,
        at: usize,
        hit: &Hit,
        part: u32,
        page: &Page,
        table: &Table,
        range: &Range<usize>,
        seen: &mut HashSet<(index::corpus::DocumentId, u32, Range<usize>)>,
    ) -> Vec<Candidate> {
        let text = |cell: &Cell| page.text.get(cell.range()).unwrap_or_default().trim();
        let headers = headers(page, table);
        let report = years(&hit.passage.document).iter().find_map(|p| p.year);
        let context = format!("{} {} {}", context(hit), table.caption.as_deref().unwrap_or_default(), table.unit.as_deref().unwrap_or_default());
        let unit = table.unit.as_deref().map(unit_in_brackets).unwrap_or_default();
        let mut found = Vec::new();
        let mut group = String::new();
        for row in table.rows.iter().skip(table.header_rows as usize) {
            let filled: Vec<&Cell> = row.iter().filter(|cell| !text(cell).is_empty()).collect();
            let (Some(first), Some(last)) = (filled.first(), filled.last()) else { continue };
            let line = first.start as usize..last.end as usize;
            let values: Vec<&&Cell> = filled.iter().filter(|cell| is_value(text(cell))).collect();
            if values.is_empty() {
                // A row of one cell heads those under it.
                group = if filled.len() == 1 { text(first).to_owned() } else { String::new() };
                continue;
            }
            if line.start < range.start || line.end > range.end {
                continue;
            }
            let label = filled.iter().filter(|cell| !is_value(text(cell))).map(|cell| text(cell)).collect::<Vec<_>>().join(" ");
            if label.is_empty() {
                continue;
            }
            let abroad = self.abroad(&label);
            for cell in &values {
                let header = headers.get(&cell.column).cloned().unwrap_or_default();
                let described = format!("{label} {header}");
                let (coverage, own) = self.coverage(&described, &format!("{context} {group}"), abroad);
                if own <= 0.0 {
                    continue;
                }
                let Some((period, agreement)) = self.agrees(&header, hit, report) else { continue };
                let extra = self.extra(&label, abroad);
                let number = if matches!(self.question.kind, Kind::Number | Kind::Which | Kind::Other | Kind::How) { 0.15 } else { -0.1 };
                // Without a period in the question, the first column is what a report puts first.
                let first_column = if cell.column == values[0].column { 0.02 } else { 0.0 };
                let score = coverage + number + agreement - 0.25 * extra + first_column;
                let statement = said(self.question.chinese, &label, &header, text(cell), &unit);
                let focus = vec![first.range(), cell.range()];
                seen.insert((hit.passage.document.id, part, line.clone()));
                found.push(self.candidate(at, hit, part, line.clone(), statement, focus, coverage, score, period, abroad));
            }
        }
        found
    }

    #[allow(clippy::too_many_arguments)] // the parts of one candidate
    fn candidate(
        &self,
        at: usize,
        hit: &Hit,
        part: u32,
        quote: Range<usize>,
        text: String,
        focus: Vec<Range<usize>>,
        coverage: f32,
        score: f32,
        period: Option<Period>,
        abroad: bool,
    ) -> Candidate {
        // The passage's own rank counts too, but less than what the sentence says.
        let standing = 0.25 * (hit.score - self.best) - 0.01 * at as f32;
        Candidate { statement: Statement { text, hit: at, part, quote, focus }, score: score + standing, coverage, period, abroad }
    }

    /// Whether a text is in the other language than the question.
    fn abroad(&self, text: &str) -> bool {
        text.contains(is_han) != self.question.chinese && text.chars().filter(|c| c.is_alphabetic()).count() > 2
    }

    /// The share of the question's telling words that a text holds, those that only its context holds for half; and the share
    /// of the text alone.
    fn coverage(&self, text: &str, context: &str, abroad: bool) -> (f32, f32) {
        let words = if abroad && !self.translated.is_empty() { &self.translated } else { &self.words };
        let total: f32 = words.iter().map(|w| w.weight).sum();
        if total <= 0.0 {
            // A question of names and periods alone: whatever speaks of them.
            return (ENOUGH, 0.01);
        }
        let held = |text: &str| analyse(text).terms.into_iter().map(|(term, _)| term).collect::<HashSet<u32>>();
        let (own, around) = (held(text), held(context));
        let share = |held: &HashSet<u32>, word: &Word| {
            word.ways.iter().map(|way| way.iter().filter(|t| held.contains(t)).count() as f32 / way.len().max(1) as f32).fold(0.0, f32::max)
        };
        let alone: f32 = words.iter().map(|w| w.weight * share(&own, w)).sum();
        let with: f32 = words.iter().map(|w| w.weight * share(&own, w).max(0.5 * share(&around, w))).sum();
        (with / total, alone / total)
    }

    /// The share of a label's words that the question does not ask for: `cost of net sales` for `net sales`.
    fn extra(&self, label: &str, abroad: bool) -> f32 {
        let held: Vec<u32> = analyse(label).terms.into_iter().map(|(term, _)| term).collect();
        let words = if abroad { &self.translated } else { &self.words };
        let asked: HashSet<u32> = words.iter().flat_map(|w| w.ways.iter().flatten().copied()).collect();
        held.iter().filter(|term| !asked.contains(term)).count() as f32 / held.len().max(1) as f32
    }

    fn neighbours(&self, text: &str) -> f32 {
        if self.pairs.is_empty() {
            return 0.0;
        }
        let held = pairs(&tokens(text));
        self.pairs.iter().filter(|pair| held.contains(*pair)).count() as f32 / self.pairs.len() as f32
    }

    /// Whether a text holds the kind of thing that is asked for.
    fn fits(&self, text: &str) -> f32 {
        let has = |words: &[&str]| words.iter().any(|word| text.to_lowercase().contains(word));
        match self.question.kind {
            Kind::Number => match quantities(text).iter().any(|q| q.is_amount()) {
                true => 0.15,
                false => -0.3,
            },
            Kind::When => match !periods(text).is_empty() {
                true => 0.15,
                false => -0.3,
            },
            Kind::Why if has(&["因", "由于", "所致", "because", "due to", "result of", "driven by", "reason"]) => 0.1,
            Kind::Where if has(&["位于", "地址", "located", "headquarter", " in "]) => 0.05,
            Kind::Who if text.contains(is_han) || text.chars().filter(|c| c.is_uppercase()).count() >= 2 => 0.03,
            _ => 0.0,
        }
    }

    /// Which of the asked periods a text speaks for, and how surely; `None` if it speaks for another one.
    fn agrees(&self, text: &str, hit: &Hit, report: Option<i32>) -> Option<(Option<Period>, f32)> {
        let asked = &self.question.periods;
        if asked.is_empty() {
            return Some((None, 0.0));
        }
        let mut said: Vec<Period> = periods(text).into_iter().map(|(_, period)| period).filter(|p| p.year.is_some()).collect();
        said.extend(relative(text, report));
        if let Some(period) = asked.iter().find(|asked| said.iter().any(|said| said.answers(**asked))) {
            return Some((Some(*period), 0.15));
        }
        // A text that names years, none of them the asked one, speaks of something else.
        let years_asked: HashSet<i32> = asked.iter().filter_map(|p| p.year).collect();
        if said.iter().any(|p| p.year.is_some_and(|y| !years_asked.contains(&y))) {
            return None;
        }
        let document = years(&hit.passage.document);
        let of = |period: &&Period| document.iter().any(|own| own.answers(**period) || (own.year == period.year && own.year.is_some()));
        match asked.iter().find(of) {
            Some(period) => Some((Some(*period), 0.05)),
            None if document.is_empty() => {
                let around = format!("{} {}", hit.passage.headings.join(" "), hit.passage.text);
                let near = periods(&around).into_iter().any(|(_, said)| asked.iter().any(|asked| said.answers(*asked)));
                near.then_some((asked.first().copied(), 0.0))
            }
            None => None,
        }
    }
}

/// The statements of an answer, best first; where several periods are asked for, one for each, and what is missing.
fn compose(question: &Question, candidates: Vec<Candidate>) -> (Vec<Statement>, Vec<String>) {
    let mut asked: Vec<Period> = Vec::new();
    for period in &question.periods {
        if !asked.contains(period) {
            asked.push(*period);
        }
    }
    if asked.len() > 1 {
        let mut statements = Vec::new();
        let mut missing = Vec::new();
        for period in asked {
            match candidates.iter().find(|c| c.period == Some(period)) {
                Some(candidate) => statements.push(candidate.statement.clone()),
                None => missing.push(lacks(question.chinese, &period.name(question.chinese))),
            }
        }
        if !statements.is_empty() {
            return (statements, missing);
        }
    }
    let most = if question.kind == Kind::List { STATEMENTS + 1 } else { STATEMENTS };
    let mut statements: Vec<Statement> = Vec::new();
    let Some(best) = candidates.first().map(|c| (c.score, c.statement.quote.clone(), c.statement.focus.is_empty())) else {
        return (statements, vec![]);
    };
    for candidate in candidates {
        let far = candidate.score < NEARLY * best.0;
        // A looked-up value stands alone; a second value beside it would only raise the question which one is meant.
        let alone = !statements.is_empty() && (!best.2 || !candidate.statement.focus.is_empty());
        let same = statements.iter().any(|s| s.text == candidate.statement.text);
        if statements.len() < most && !far && !alone && !same {
            statements.push(candidate.statement);
        }
    }
    (statements, vec![])
}

/// A name in the question that no document and no passage found knows.
fn missing_name(question: &Question, evidence: &Evidence) -> Option<String> {
    let known = |text: &str, name: &str| {
        let (text, name) = (fold(text), fold(name));
        let parts: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).filter(|p| p.chars().count() > 1).collect();
        text.contains(name.as_ref()) || (parts.len() > 1 && parts.iter().all(|part| text.contains(part)))
    };
    let lacking = question.names.iter().find(|name| {
        let unknown = name.sure && name.documents.is_empty();
        unknown
            && !evidence.documents.iter().any(|d| known(&format!("{} {} {}", d.title, d.name, serde_json::Value::Object(d.metadata.clone())), &name.text))
            && !evidence.hits.iter().any(|hit| known(&hit.passage.text, &name.text) || known(&hit.passage.headings.join(" "), &name.text))
            && !evidence.pages.iter().any(|stored| known(&stored.page.text, &name.text))
    })?;
    Some(lacks(question.chinese, &lacking.text))
}

/// A telling word that no passage of the scope holds, if it makes out much of what is asked and no passage in the other
/// language could hold its translation.
fn missing_word(question: &Question, evidence: &Evidence) -> Option<String> {
    let abroad = evidence.hits.iter().any(|hit| hit.passage.text.contains(is_han) != question.chinese);
    if abroad || evidence.passages == 0 {
        return None;
    }
    let weight = |token: &String| evidence.idf(token);
    let total: f32 = question.terms.iter().map(weight).sum();
    let absent: f32 = question.terms.iter().filter(|t| evidence.frequencies.get(*t).copied().unwrap_or(0) == 0).map(weight).sum();
    (total > 0.0 && absent > 0.6 * total).then(|| lacks(question.chinese, question.subject.trim()))
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
    if chinese { format!("资料中没有“{what}”的内容") } else { format!("The documents do not say anything about “{what}”") }
}

/// What a sentence may leave to its surroundings: the headings and the title above it.
fn context(hit: &Hit) -> String {
    format!("{} {}", hit.passage.document.title, hit.passage.headings.join(" "))
}

/// The header of each column: the cells of the header rows above it, spans included.
fn headers(page: &Page, table: &Table) -> HashMap<u32, String> {
    let mut headers: HashMap<u32, String> = HashMap::new();
    for row in table.rows.iter().take(table.header_rows as usize) {
        for cell in row {
            let text = page.text.get(cell.range()).unwrap_or_default();
            let text = one_line(text);
            for column in cell.column..cell.column + cell.column_span.max(1) {
                let header = headers.entry(column).or_default();
                if !text.is_empty() && !header.contains(text.as_ref()) {
                    if !header.is_empty() {
                        header.push(' ');
                    }
                    header.push_str(&text);
                }
            }
        }
    }
    // The part of a table that continues from the page before carries its header in the caption: `caption: a | b | c`.
    if headers.is_empty()
        && let Some((_, columns)) = table.caption.as_deref().and_then(|caption| caption.rsplit_once(": "))
    {
        headers.extend(columns.split('|').enumerate().map(|(at, text)| (at as u32, text.trim().to_owned())));
    }
    headers
}

/// Whether a cell holds a figure, and nothing but a figure.
fn is_value(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    digits > 0 && letters <= 4 && digits >= letters
}

/// A row's value as a sentence: label, column, value, unit.
fn said(chinese: bool, label: &str, header: &str, value: &str, unit: &str) -> String {
    let label = one_line(label);
    match (chinese, header.is_empty()) {
        (true, true) => format!("{label}：{value}{unit}"),
        (true, false) => format!("{label}（{header}）：{value}{unit}"),
        (false, true) => format!("{label}: {value}{unit}"),
        (false, false) => format!("{label} ({header}): {value}{unit}"),
    }
}

/// The unit line as it is put behind a value: `（单位：万元）`, ` (in millions)`.
fn unit_in_brackets(unit: &str) -> String {
    let unit = one_line(unit.trim().trim_matches(['(', ')', '（', '）'])).into_owned();
    if unit.contains(is_han) { format!("（{unit}）") } else { format!(" ({unit})") }
}

fn pairs(words: &[String]) -> HashSet<(String, String)> {
    words.windows(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}
