//! What do the tables of the evidence say? Each value with its label, the group above it, its header and its period; and which
//! of them is the figure that is asked for.
//!
//! The values of one thing over several periods are a series: a row under headers that are years, or a column beside labels that
//! are. A series is the figure if its name holds the words that are asked for and little else. What a report calls otherwise, in
//! another period or for another part of the company, is another figure.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use index::{
    corpus::{DocumentId, ReportKind},
    lexical::{fold, term, tokens},
    page::{Block, BlockKind, Cell, Page, Table},
};

use super::{Candidate, Reader, SYNONYM, Terms, Word, currency, is_word, likely::asks_for_words, terms, wants_value, when::When};
use crate::{
    ask::Figure,
    cite::{self, Place, Statement},
    glossary::{Concept, Glossary, Mention},
    pack,
    period::{Part, Period, periods},
    quantity::{Unit, quantities, scale_of},
    question::{Kind, Name},
    sentence::{is_han, one_line},
};

/// What a word counts that stands in the row that heads the label's group.
const GROUP: f32 = 0.9;
/// What a word counts that only the caption, the headings or the title hold.
const ABOUT: f32 = 0.8;
/// What a word counts that only the passage around holds.
const AROUND: f32 = 0.3;
/// A table that stands on the page of a passage, but was not found itself.
const BESIDE: f32 = 0.1;

/// What a row gains that is called what is asked for.
const CALLED: f32 = 0.15;
/// What a value in percent loses where an amount is asked for.
const SHARE: f32 = 0.2;

/// What the label of a figure may say more or less than its name.
pub(super) const FILLERS: &str = "net total consolidated 净额 合计 总计";

/// Words that exclude each other: a row that says the other one is another figure.
const OPPOSITES: &[[&[&str]; 2]] = &[
    [&["beginning", "opening", "期初", "年初"], &["ending", "end of", "closing", "期末", "年末"]],
    [&["non current", "noncurrent", "非流动"], &["current", "流动"]],
    [&["basic", "基本"], &["diluted", "稀释"]],
    [&["short term", "短期"], &["long term", "长期"]],
    [&["before", "税前"], &["after", "税后"]],
];

/// What names the owners of a company.
const OWNERS: &str = "attributable shareholders stockholders owners parent equity holders company common";

/// A table of the evidence.
pub(super) struct Sheet<'a> {
    /// The passage by which it was found.
    pub hit: usize,
    pub part: u32,
    pub page: &'a Page,
    pub document: DocumentId,
    /// How well it was found, against the best.
    pub standing: f32,
    /// The terms of its caption, headings and title.
    pub about: Terms,
    pub(super) around: Terms,
    pub headings: String,
    /// What heads the labels of its rows.
    pub corner: String,
    pub caption: String,
    pub unit: String,
    /// The periods that its document reports on.
    pub reports: Vec<Period>,
    /// Whether its document reports on a year, as far as it is known.
    annual: bool,
    /// The month in which its document's year ends.
    closes: Option<u8>,
    /// The last date of its columns.
    latest: Option<(i32, u8)>,
    pub series: Vec<Series>,
}

/// The values of one thing.
pub(super) struct Series {
    /// What it is called.
    pub label: String,
    /// What heads its group, and its header where that is no period.
    pub above: String,
    /// What its column is called beside the period: a part of the company, a way of counting.
    pub column: String,
    pub values: Vec<Value>,
}

/// A value in a table.
#[derive(Clone)]
pub(super) struct Value {
    pub header: String,
    pub when: When,
    /// Its row.
    pub line: Range<usize>,
    /// The cell of its label.
    pub name: Range<usize>,
    pub cell: Range<usize>,
    pub number: f64,
    pub percent: bool,
    pub decimals: usize,
    pub currency: Option<&'static str>,
}

/// A figure that is asked for: the words that name it.
pub(super) struct Metric {
    pub words: Vec<Word>,
    pub(super) phrase: String,
    /// What a label says that is this figure and no other, as terms: the question's own words, or a name of the concept.
    pub whole: Vec<u32>,
    pub names: Vec<Vec<u32>>,
    /// What the question says beside the name of the concept.
    pub rest: Terms,
    /// All that it says, under any name.
    pub said: Terms,
    /// What the pack knows of it, if it is the only figure that is named.
    pub concept: Option<Concept>,
}

/// How well a series is the figure that is asked for.
#[derive(Clone, Copy)]
pub(super) struct Fit {
    pub score: f32,
    pub enough: bool,
}

impl<'a> Reader<'a> {
    /// The tables on the pages of the evidence, those of the passages found first.
    pub(super) fn sheets(&self) -> Vec<Sheet<'a>> {
        let named = self.question.documents();
        let mut seen = HashSet::new();
        let mut sheets = Vec::new();
        let parent = ["parent", "母公司"].iter().any(|word| self.folded.contains(word));
        for within in [true, false] {
            for (at, hit) in self.evidence.looked_through().enumerate() {
                let source = &hit.passage.document;
                if named.as_ref().is_some_and(|named| !named.contains(&source.id)) {
                    continue;
                }
                let held = self.evidence.held(hit);
                for (part, page, range) in cite::places(self.evidence, hit) {
                    for block in &page.blocks {
                        let inside = block.range().start < range.end && range.start < block.range().end;
                        let Some(table) = block.table.as_ref().filter(|_| inside == within) else { continue };
                        if !seen.insert((source.id, part, block.start)) {
                            continue;
                        }
                        let headings = format!("{} {}", hit.passage.headings.join(" "), headed(page, block.start));
                        let over = if inside { headings.as_str() } else { "" };
                        if !parent && of_the_parent(&format!("{over} {}", &page.text[..block.start as usize])) {
                            continue;
                        }
                        let caption = table.caption.clone().unwrap_or_default();
                        let about = format!("{caption} {} {headings}", source.title);
                        let standing =
                            0.25 * (hit.score - self.best) - 0.01 * at.min(10) as f32 - if within { 0.0 } else { BESIDE };
                        let annual = held.kind.is_none_or(|kind| kind == ReportKind::Annual);
                        let (reports, closes) = (held.periods.clone(), held.closes);
                        let (mut series, mut unit) = read(page, table, &reports);
                        if scale_of(&unit).is_none() {
                            unit = unit_above(page, block.start).unwrap_or(unit);
                        }
                        for value in series.iter_mut().flat_map(|series| &mut series.values) {
                            value.when = value.when.in_year_of(closes, held.named_before);
                        }
                        sheets.push(Sheet {
                            hit: at,
                            part,
                            page,
                            document: source.id,
                            standing,
                            about: terms(&about),
                            around: if inside { terms(&hit.passage.text) } else { Terms::new() },
                            headings,
                            corner: corner(page, table),
                            caption,
                            unit,
                            latest: series.iter().flat_map(|s| s.values.iter().filter_map(|v| v.when.end())).max(),
                            reports,
                            annual,
                            closes,
                            series,
                        });
                    }
                }
            }
        }
        sheets
    }

    /// The words of the question that head rows of the company's tables, and name no figure: its parts.
    pub(super) fn parts_of(&self, sheets: &[Sheet]) -> Terms {
        if !self.filed || self.kind != Kind::Number {
            return Terms::new();
        }
        let mut heads = Terms::new();
        for series in sheets.iter().flat_map(|sheet| &sheet.series) {
            let names = [bare_label(&series.label), &series.above].map(terms);
            heads.extend(names.into_iter().filter(|name| name.len() <= 2).flatten());
        }
        let rest = self.question.pack.glossary.mentions(&fold(&self.question.subject)).1;
        let asked = self.telling(&rest).into_iter().filter(|token| token.chars().nth(1).is_some());
        asked.map(|token| term(&token)).filter(|term| heads.contains(term)).collect()
    }

    /// The words of the question, in what it says beside the names of figures, that mean another figure. A name that no
    /// dictionary knows is one as a whole: `罐式集装箱`.
    pub(super) fn telling(&self, rest: &str) -> Vec<String> {
        const AROUND_NAMES: &str = "的是在为了和与及其各每本该年月日末初多少几哪吗呢有约共占比";
        let mut telling: Vec<String> = tokens(rest).into_iter().filter(|token| tells_more(token)).collect();
        let plain =
            GENERIC.iter().filter(|word| word.starts_with(is_han)).fold(rest.to_owned(), |rest, word| rest.replace(word, " "));
        for name in plain.split(|c: char| !is_han(c) || AROUND_NAMES.contains(c)) {
            let pairs: Vec<String> = tokens(name).into_iter().filter(|token| token.chars().count() == 2).collect();
            if !pairs.iter().any(|pair| is_word(pair)) {
                telling.extend(pairs);
            }
        }
        if rest.contains("母公司") {
            telling.push("母公".into());
        }
        // A word is held by its characters, too.
        let characters = telling.iter().filter(|token| token.starts_with(is_han)).flat_map(|token| token.chars());
        let characters: Vec<String> = characters.map(String::from).collect();
        telling.extend(characters);
        telling.retain(|token| self.question.terms.contains(token));
        telling
    }

    /// The figure that a part of the question names.
    pub(super) fn metric(&self, text: &str) -> Metric {
        let folded = fold(asking_part(text, &self.question.pack.glossary));
        let (mentions, rest) = self.question.pack.glossary.mentions(&folded);
        let weight = |token: &String| self.evidence.idf(token) * super::tells(token, self.evidence);
        let concept = |mention: &Mention| {
            let asked = tokens(&mention.name);
            let exact: Vec<u32> = asked.iter().map(|token| term(token)).collect();
            let ways =
                mention.concept.terms().iter().map(|name| (name.clone(), if *name == exact { 1.0 } else { SYNONYM })).collect();
            Word { weight: asked.iter().map(weight).sum(), ways, must: true }
        };
        let mut words: Vec<Word> = mentions.iter().map(concept).collect();
        let mut seen = HashSet::new();
        let plain = tokens(&rest).into_iter().filter(|token| self.question.terms.contains(token) && seen.insert(token.clone()));
        // What no answer to the question may lack, a figure may not lack either.
        let needed = |term: u32| self.words[0].iter().any(|word| word.must && word.ways.len() == 1 && word.ways[0].0 == [term]);
        words.extend(plain.map(|token| {
            let own = term(&token);
            Word { weight: weight(&token), ways: vec![(vec![own], 1.0)], must: needed(own) }
        }));
        let said = |text: &str| tokens(text).into_iter().filter(|token| self.question.terms.contains(token));
        let whole = said(&folded).map(|token| term(&token)).collect();
        let figures: Vec<&Mention> = mentions.iter().filter(|mention| mention.figure()).collect();
        let named = figures.first().map(|mention| mention.concept.terms().to_vec());
        let concept = figures.first().filter(|_| figures.len() == 1).map(|mention| mention.concept.clone());
        let rest = self.telling(&rest).iter().map(|token| term(token)).collect();
        let names = named.unwrap_or_default();
        let all = terms(&format!("{text} percent % {FILLERS}"));
        let said = all.into_iter().chain(names.iter().flatten().copied()).collect();
        Metric { words, phrase: plain_words(&folded), whole, names, rest, said, concept }
    }

    /// Whether a series is the figure and no part of it. Where a company is named, its reports have many figures that are called
    /// alike: only where label and column say all that the question says and no more is it surely the one. What the question
    /// says beside a name of reports may stand above the label, too.
    fn surely(&self, metric: &Metric, sheet: &Sheet, series: &Series) -> bool {
        if !self.named {
            return true;
        }
        let above = terms(&format!("{} {}", series.label, series.above));
        if is_of_another_group(metric, sheet, series) {
            return false;
        }
        let rest = metric.rest.iter().all(|term| above.contains(term) || sheet.about.contains(term));
        let is = |name: &Vec<u32>| labelled(&series.label, name).is_some();
        let names = std::iter::once(&metric.whole).chain(&metric.names);
        // A part under the name of the whole: `原材料` under `存货`.
        let mut own = terms(bare_label(&series.label));
        own.retain(|term| metric.said.contains(term));
        let named = |name: &Vec<u32>| !name.is_empty() && name.iter().all(|term| sheet.about.contains(term));
        if !metric.rest.is_empty() && own == metric.rest && metric.names.iter().any(named) {
            return true;
        }
        let column = terms(&series.column);
        if column.is_empty() {
            return is(&metric.whole) || rest && metric.names.iter().any(is);
        }
        let own = terms(&format!("{} {}", undated(&series.label), series.column));
        let no_more = own.iter().all(|term| metric.said.contains(term));
        no_more && rest && names.filter(|name| !name.is_empty()).any(|name| name.iter().all(|term| own.contains(term)))
    }

    /// How well a series is the figure.
    pub(super) fn fit(&self, metric: &Metric, sheet: &Sheet, series: &Series) -> Fit {
        if self.by_likelihood() {
            return self.likely(metric, sheet, series);
        }
        let own = terms(bare_label(&series.label));
        let mut both = own.clone();
        both.extend(terms(&series.above));
        let (mut mine, mut grouped, mut near, mut total, mut musts) = (0.0, 0.0, 0.0, 0.0, true);
        for word in &metric.words {
            // A name of reports is held as a whole: `net gains on sale` is not `net sales`.
            let named = word.must && word.ways.len() > 1;
            let share = if named { spoken(word, &series.label) } else { word.share(&own) };
            let above = if named { spoken(word, &series.above) } else { word.share(&both) };
            let about = if named { spoken(word, &sheet.caption) } else { word.share(&sheet.about) };
            let beside = share.max(GROUP * above).max(ABOUT * about);
            mine += word.weight * share;
            grouped += word.weight * share.max(above);
            near += word.weight * beside.max(AROUND * word.share(&sheet.around));
            total += word.weight;
            musts &= !word.must || beside >= ABOUT * SYNONYM - 0.01;
        }
        if total <= 0.0 {
            return Fit { score: 0.0, enough: false };
        }
        let (mine, grouped, near) = (mine / total, grouped / total, near / total);
        let asked: Terms = metric.words.iter().flat_map(|w| w.ways.iter().flat_map(|(way, _)| way.iter().copied())).collect();
        let extra = own.iter().filter(|term| !asked.contains(term)).count() as f32 / own.len().max(1) as f32;
        // A row that is called nothing but the total is all that the caption speaks of.
        let total = !self.named && !own.is_empty() && own.is_subset(&terms(FILLERS));
        let (mine, extra) = if total { (near, 0.0) } else { (mine, extra) };
        let label = plain_words(&fold(bare_label(&series.label)));
        let exact = !label.trim().is_empty() && metric.phrase.contains(&label);
        // Of two labels that the question holds word for word, the longer one says more of it.
        let words = label.split_whitespace().count().min(10) as f32;
        let written = if exact { 0.2 + 0.02 * words } else { 0.0 };
        let score = 0.5 * mine + 0.5 * near + written - 0.3 * extra + sheet.standing;
        let limits = &self.question.pack.thresholds;
        let other = || contradicts(&metric.phrase, &format!("{} {}", series.label, series.above));
        let enough = musts && near >= limits.row && mine > 0.0 && (grouped >= 0.3 || exact);
        Fit { score, enough: enough && !other() && self.surely(metric, sheet, series) }
    }

    /// The values of a figure that answer the question as it stands: of each series that is the figure, the one of the asked period.
    pub(super) fn looked_up(&self, sheets: &[Sheet], metric: &Metric) -> Vec<Candidate> {
        let mut found = Vec::new();
        if !wants_value(self.kind) || self.by_likelihood() && asks_for_words(&self.folded) {
            return found;
        }
        // Who asks for a percentage is not told an amount.
        let in_percent = ["percent", "%"].iter().any(|word| self.folded.contains(word));
        // Without a period, the figure of a company is that of the year of its newest report.
        let newest = |of: DocumentId| {
            let own = |name: &&Name| name.documents.contains(&of);
            let name = self.question.names.iter().find(own);
            let sheets = sheets.iter().filter(|sheet| name.is_none_or(|name| name.documents.contains(&sheet.document)));
            sheets.filter_map(Sheet::year).max()
        };
        for sheet in sheets {
            let asked: Vec<Period> = match self.question.periods.as_slice() {
                [] if self.named => newest(sheet.document).into_iter().map(Period::year).collect(),
                periods => periods.to_vec(),
            };
            if self.named && asked.is_empty() {
                continue;
            }
            let latest = sheet.series.iter().flat_map(|s| s.values.iter().filter_map(|v| v.when.year)).max();
            for series in &sheet.series {
                let abroad = self.abroad(&series.label);
                let fit = if abroad { self.fit_abroad(metric, sheet, series) } else { self.fit(metric, sheet, series) };
                if fit.score <= 0.0 {
                    continue;
                }
                let unit = metric.concept.as_ref().filter(|_| self.filed).and_then(|concept| concept.unit);
                // Where nobody is named, a row that is called what is asked for says it before any sentence that speaks of it.
                let called = !self.named && labelled(&series.label, &metric.whole).is_some();
                let called = if called { CALLED } else { 0.0 };
                for (at, value) in series.values.iter().enumerate().filter(|(_, value)| measured(unit, series, value)) {
                    let described = format!("{} {} {}", series.label, series.above, value.header);
                    let shown = &sheet.page.text[value.cell.clone()];
                    let Some(kind) = self.measures(&described, shown, &format!("{} {}", sheet.unit, sheet.caption)) else {
                        continue;
                    };
                    let answers = |period: &Period| Some((*period, self.speaks(value, *period, sheet)?));
                    let agreed = asked.iter().find_map(answers);
                    // Without a period in the question the latest is meant, or what a report puts first.
                    let current = asked.is_empty() && value.when.year.is_some() && value.when.year == latest;
                    let part = asked.is_empty() && value.when.is_part();
                    let order =
                        if current { 0.06 } else { 0.0 } + if at == 0 { 0.02 } else { 0.0 } - if part { 0.1 } else { 0.0 };
                    let right = asked.is_empty() || agreed.is_some();
                    let said_so = || ["%", "percent", "rate", "margin"].iter().any(|word| fold(&described).contains(word));
                    if self.by_likelihood() && in_percent && !value.percent && !said_so() {
                        continue;
                    }
                    // An amount is not told by its share of something.
                    let share = self.by_likelihood() && value.percent && !self.percent;
                    let kind = if share { kind - SHARE } else { kind };
                    let kind = if self.asks_for_column(value) { kind + CALLED } else { kind };
                    found.push(Candidate {
                        statement: self.said(sheet, series, value),
                        document: sheet.document,
                        score: fit.score + called + kind + order + agreed.map_or(0.0, |(_, surely)| surely),
                        enough: fit.enough && right,
                        other_period: fit.enough && !right,
                        period: agreed.map(|(period, _)| period),
                        sure: None,
                        chance: None,
                        affirms: None,
                    });
                }
            }
        }
        found
    }

    /// Whether a question that names nobody says what the column of a value is called: `due in 1 to 3 years`.
    pub(super) fn asks_for_column(&self, value: &Value) -> bool {
        let header = plain_words(&fold(&value.header));
        self.by_likelihood() && value.when.year.is_none() && header.len() > 3 && plain_words(&self.folded).contains(&header)
    }

    /// How well a series in the other language is what the question asks for.
    fn fit_abroad(&self, metric: &Metric, sheet: &Sheet, series: &Series) -> Fit {
        let mut own = terms(&series.label);
        let label = own.len();
        own.extend(terms(&series.above));
        let words = &self.words[1];
        let total: f32 = words.iter().map(|w| w.weight).sum();
        if total <= 0.0 {
            return Fit { score: 0.0, enough: false };
        }
        let held = |word: &Word| word.share(&own).max(ABOUT * word.share(&sheet.about));
        let near = words.iter().map(|w| w.weight * held(w)).sum::<f32>() / total;
        let mine = words.iter().map(|w| w.weight * w.share(&own)).sum::<f32>() / total;
        let musts = words.iter().all(|w| !w.must || held(w) >= ABOUT * SYNONYM - 0.01);
        let asked: Terms = words.iter().flat_map(|w| w.ways.iter().flat_map(|(way, _)| way.iter().copied())).collect();
        let extra = own.iter().filter(|term| !asked.contains(term)).count() as f32 / label.max(1) as f32;
        let score = 0.7 * mine + 0.3 * near - 0.3 * extra.min(1.0) + sheet.standing;
        let enough = musts && near >= self.question.pack.thresholds.translated && mine >= 0.4;
        Fit { score, enough: enough && self.surely(metric, sheet, series) }
    }

    /// Whether a value speaks for a period, and how surely.
    pub(super) fn speaks(&self, value: &Value, asked: Period, sheet: &Sheet) -> Option<f32> {
        if value.when.year.is_some() || value.when.is_part() {
            let surely = self.question.documents().is_some();
            // Whoever asks for the day on which a company's year ends asks for the year.
            let year = value.when.answers(Period { part: Part::Year, ..asked }, sheet.latest, &sheet.reports, surely);
            let closes = |month: u8| sheet.closes.map_or(self.asks_of_year, |closes| closes == month);
            let closing = matches!(asked.part, Part::Month(month) if closes(month)) && !value.when.has_month() && year;
            return (closing || value.when.answers(asked, sheet.latest, &sheet.reports, surely)).then_some(0.15);
        }
        // Where other columns are dated, one without a date is none of them.
        if sheet.series.iter().any(|s| s.values.iter().any(|v| v.when.is_dated())) {
            return None;
        }
        let said: Vec<Period> = periods(&format!("{} {}", sheet.caption, sheet.unit)).into_iter().map(|(_, p)| p).collect();
        let dated = said.iter().filter(|p| p.year.is_some()).collect::<Vec<_>>();
        if !dated.is_empty() {
            return dated.iter().any(|said| said.answers(asked)).then_some(0.1);
        }
        // The report of a quarter speaks of the quarter and of the year.
        if self.named && sheet.reports.iter().any(|own| own.part != Part::Year) {
            return None;
        }
        let whole = asked.part == Part::Year || sheet.reports.iter().any(|own| own.part == asked.part);
        let of = |own: &Period| own.answers(asked) || own.year == asked.year && own.year.is_some();
        if sheet.reports.iter().any(of) && whole {
            return Some(0.05);
        }
        let near = || {
            let passage = &self.evidence.hit(sheet.hit)?.passage;
            let said = periods(&format!("{} {}", passage.headings.join(" "), passage.text));
            said.iter().any(|(_, said)| said.answers(asked)).then_some(0.0)
        };
        sheet.reports.is_empty().then(near).flatten()
    }

    /// How well a value is of the kind that is asked for; `None` if it is money of another currency, or no share where one is
    /// asked for.
    pub(super) fn measures(&self, said: &str, value: &str, unit: &str) -> Option<f32> {
        let lower = said.to_lowercase();
        let whole = format!("{lower} {value} {unit}");
        if let (Some(asked), Some(stated)) = (self.currency, currency(&fold(&whole)))
            && asked != stated
        {
            return None;
        }
        let share = ["%", "percent", "率", "占比", "比例", "百分"].iter().any(|w| whole.contains(w));
        let change = |text: &str| {
            ["change", "变动", "变化", "增减", "同比", "increase", "增长", "growth", "variance"].iter().any(|w| text.contains(w))
        };
        let mut fit = match self.kind {
            Kind::Number => 0.25,
            Kind::Which | Kind::Other | Kind::How | Kind::When => 0.1,
            _ => -0.1,
        };
        if share && !self.percent {
            fit -= 0.2;
        }
        if change(&lower) && !change(&self.folded) {
            fit -= 0.3;
        }
        Some(fit)
    }

    /// A value as a statement: label, header, value, unit.
    pub(super) fn said(&self, sheet: &Sheet, series: &Series, value: &Value) -> Statement {
        let mut shown = sheet.page.text[value.cell.clone()].trim().to_owned();
        if value.percent && !shown.contains(['%', '％']) {
            shown.push('%');
        }
        // A figure per share is not in millions.
        let exempt = scale_of(&sheet.unit).is_some() && sheet.scale(series, value) == 1.0;
        let unit = if exempt { String::new() } else { unit_in_brackets(&sheet.unit) };
        let label = one_line(bare_label(&series.label));
        let header = without_unit(&value.header);
        let header = one_line(header.trim());
        let text = match (self.question.chinese, header.is_empty()) {
            (true, true) => format!("{label}：{shown}{unit}"),
            (true, false) => format!("{label}（{header}）：{shown}{unit}"),
            (false, true) => format!("{label}: {shown}{unit}"),
            (false, false) => format!("{label} ({header}): {shown}{unit}"),
        };
        let Place { hit, part, quote, focus } = sheet.place(value);
        Statement { text, hit, part, quote, focus, figure: Some(sheet.figure(series, value)), ..Statement::default() }
    }
}

impl Series {
    /// What heads its group of rows.
    pub(super) fn group(&self) -> &str {
        self.above.strip_suffix(&self.column).unwrap_or_default().trim()
    }

    /// Its last values, each of another year and none of a part of a year, in order of time; `None` if there is only one.
    pub(super) fn by_year(&self, most: usize) -> Option<Vec<&Value>> {
        let whole = self.values.iter().filter(|value| value.when.year.is_some() && !value.when.is_part());
        let mut values: Vec<&Value> = whole.collect();
        values.sort_by_key(|value| value.when.end());
        let all = values.len();
        values.dedup_by_key(|value| value.when.year);
        let from = values.len().saturating_sub(most);
        (values.len() >= 2 && values.len() == all).then(|| values.split_off(from))
    }
}

impl Sheet<'_> {
    /// What stands over it, folded: its headings and its caption.
    pub(super) fn titles(&self) -> String {
        fold(&format!("{} {}", self.headings, self.caption)).into_owned()
    }

    /// The year that its document reports on.
    pub(super) fn year(&self) -> Option<i32> {
        let years = self.reports.iter().filter(|own| own.part == Part::Year).filter_map(|own| own.year);
        years.max().filter(|_| self.annual)
    }

    /// Where a value is proven: its row, with label and cell to be marked.
    pub(super) fn place(&self, value: &Value) -> Place {
        Place { hit: self.hit, part: self.part, quote: value.line.clone(), focus: vec![value.name.clone(), value.cell.clone()] }
    }

    /// What its figures are counted in: the scale of the unit line, which a share and a figure per share are exempt from.
    pub(super) fn scale(&self, series: &Series, value: &Value) -> f64 {
        // `operations` is no ratio.
        let label = fold(&format!("{} {}", series.label, series.above)).replace("operation", " ");
        let exempt = value.percent
            || ["per share", "per common share", "每股", "%", "ratio", "率", "percent", "number of", "employees", "人数"]
                .iter()
                .any(|word| label.contains(word));
        if exempt {
            return 1.0;
        }
        let of = |text: &str| scale_of(text);
        of(&label).or_else(|| of(&value.header)).or_else(|| of(&self.unit)).or_else(|| of(&self.caption)).unwrap_or(1.0)
    }

    /// A value for programs.
    pub(super) fn figure(&self, series: &Series, value: &Value) -> Figure {
        let scale = self.scale(series, value);
        let money = || value.currency.or_else(|| currency(&fold(&format!("{} {}", self.unit, self.caption))));
        let unit = if value.percent { Some("%".to_owned()) } else { money().map(str::to_owned) };
        let header = one_line(&value.header);
        let label = one_line(&series.label);
        let name = if header.is_empty() { label.into_owned() } else { format!("{label} ({header})") };
        Figure { name, value: value.number * scale, unit, scale, marker: None }
    }
}

/// Whether a row says the opposite of what is asked, which is given as [`plain_words`].
pub(super) fn contradicts(asked: &str, row: &str) -> bool {
    let row = plain_words(&fold(row));
    OPPOSITES.iter().any(|pair| {
        let says =
            |text: &str, word: &&str| if word.is_ascii() { text.contains(&format!(" {word} ")) } else { text.contains(*word) };
        let side = |text: &str| match pair.map(|words| words.iter().any(|word| says(text, word))) {
            // What is not current holds the word `current`, too.
            [true, true] if pair[1].contains(&"current") => Some(0),
            [true, false] => Some(0),
            [false, true] => Some(1),
            _ => None,
        };
        side(asked).zip(side(&row)).is_some_and(|(asked, row)| asked != row)
    })
}

/// Whether a table names one thing once for each of several groups, and the series is that of a group that is not asked for:
/// none of them is the whole.
pub(super) fn is_of_another_group(metric: &Metric, sheet: &Sheet, series: &Series) -> bool {
    let divided = |other: &Series| other.label == series.label && other.group() != series.group();
    sheet.series.iter().any(divided) && !terms(&undated(series.group())).iter().all(|term| metric.said.contains(term))
}

/// Whether a value is of the kind that a figure is counted in.
pub(super) fn measured(unit: Option<pack::Unit>, series: &Series, value: &Value) -> bool {
    let said = fold(&format!("{} {} {}", series.label, series.above, undated(&value.header))).into_owned();
    let share = value.percent || ["%", "percent", "率", "占比"].iter().any(|word| said.contains(word));
    match unit {
        Some(pack::Unit::Percent) => share,
        Some(pack::Unit::Money) => !share && !said.contains("per share") && !said.contains("每股"),
        Some(_) => !share,
        None => true,
    }
}

/// How well a text holds a name of reports: its words one after the other, what stands in brackets left out or not.
fn spoken(word: &Word, text: &str) -> f32 {
    if text.contains(is_han) {
        return word.share(&terms(text));
    }
    let said = |text: &str| tokens(text).iter().map(|token| term(token)).collect::<Vec<u32>>();
    let mut depth = 0;
    let bare: String = text
        .chars()
        .filter(|c| {
            depth += i32::from(*c == '(') - i32::from(*c == ')');
            depth <= 0 && *c != ')'
        })
        .collect();
    let texts = [said(text), said(&bare)];
    let holds = |way: &[u32]| !way.is_empty() && texts.iter().any(|text| text.windows(way.len()).any(|held| held == way));
    word.ways.iter().filter(|(way, _)| holds(way)).map(|(_, counts)| *counts).fold(0.0, f32::max)
}

/// A label without its number in the statement and the word that says how it counts: `五、净利润`, `减：营业外支出`.
pub(crate) fn bare_label(label: &str) -> &str {
    let numbered = |c: char| c.is_ascii_digit() || "一二三四五六七八九十（）()、.．：: ".contains(c);
    let bare = label.trim_start_matches(numbered);
    let bare = if bare.is_empty() { label } else { bare };
    ["其中：", "其中:", "减：", "减:", "加：", "加:"].iter().fold(bare, |text, word| text.strip_prefix(word).unwrap_or(text))
}

/// How surely a label is a name: the same words, the same up to a remark behind a comma or in brackets, the same of the owners.
pub(super) fn labelled(label: &str, name: &[u32]) -> Option<f32> {
    let wanted: Terms = name.iter().copied().collect();
    let bare = bare_label(label);
    let whole = terms(bare);
    if wanted.is_empty() {
        return None;
    }
    if whole == wanted {
        return Some(3.0);
    }
    let fillers = terms(FILLERS);
    // What is net is less than the total: `net assets` are no `total assets`.
    let net = |of: &Terms| of.contains(&term("net"));
    if net(&wanted) && !net(&whole) || net(&whole) && !net(&wanted) && wanted.contains(&term("total")) {
        return None;
    }
    // What a remark takes in or leaves out makes another figure of it.
    const OTHERWISE: &[&str] = &["includ", "exclud", "discontinued", "adjusted", "before", "after", "含", "扣除", "剔除", "调整"];
    let remark = bare.split_once(['(', '（']).map(|(_, remark)| fold(remark).into_owned()).unwrap_or_default();
    if OTHERWISE.iter().any(|word| remark.contains(word)) {
        return None;
    }
    let up_to = |ends: &[char]| bare.split(ends).next().unwrap_or(bare);
    let (head, clause) = (up_to(&[',', '(', '（', '，', ':', '：']), up_to(&[',', '，']));
    let without = |text: &str| terms(text).difference(&fillers).copied().collect::<Terms>();
    let core: Terms = wanted.difference(&fillers).copied().collect();
    if terms(head) == wanted || terms(clause) == wanted || without(bare) == core && !core.is_empty() {
        return Some(2.5);
    }
    if without(head) == core && !core.is_empty() {
        return Some(2.0);
    }
    let owners = fold(bare).into_owned();
    let (front, _) = owners.split_once(" attributable to ")?;
    let core: Terms = core.difference(&terms(OWNERS)).copied().collect();
    let same = !core.is_empty() && without(front.split('(').next().unwrap_or(front)) == core;
    (same && !owners.contains("non-controlling") && !owners.contains("noncontrolling")).then_some(1.5)
}

/// The part of a question that names a figure, without the sentences and clauses around it that tell how to answer.
pub(super) fn asking_part<'t>(text: &'t str, glossary: &Glossary) -> &'t str {
    let names = |part: &&str| glossary.mentions(part).0.iter().any(Mention::figure);
    let parts = || text.split_inclusive(['?', ':', '？', '：', '。']).flat_map(|part| part.split(". "));
    let part = if parts().count() < 2 { text } else { parts().find(names).unwrap_or(text) };
    let asks = [", what ", ", how ", ", which "].iter().find_map(|asks| part.find(asks));
    asks.map_or(part, |at| &part[at + 2..])
}

/// Words of a question that name no figure and no part of one.
const GENERIC: &[&str] = &[
    "total",
    "report",
    "attribut",
    "sharehold",
    "stockhold",
    "spend",
    "spent",
    "make",
    "made",
    "earn",
    "pay",
    "paid",
    "declar",
    "fiscal",
    "fast",
    "mani",
    "much",
    "compani",
    "consolid",
    "segment",
    "busi",
    "divis",
    "业务",
    "产品",
    "板块",
    "分部",
    "figur",
    "reach",
    "come",
    "overal",
    "group",
    "averag",
    "mean",
    "calcul",
    "metric",
    "unit",
    "percent",
    "percentag",
    "ratio",
    "term",
    "time",
    "round",
    "decim",
    "place",
    "profil",
    "histor",
    "historic",
    "historically",
    "consist",
    "stabl",
    "fluctuat",
    "rough",
    "each",
    "more",
    "less",
    "than",
    "not",
    "improv",
    "declin",
    "increas",
    "decreas",
    "rise",
    "rose",
    "fall",
    "fell",
    "grow",
    "grew",
    "growth",
    "drop",
    "chang",
    "trend",
    "compar",
    "versus",
    "between",
    "over",
    "last",
    "prior",
    "previou",
    "period",
    "quarter",
    "month",
    "level",
    "base",
    "inform",
    "outlin",
    "agreement",
    "incom statement",
    "roughli",
    "histori",
    "group",
    "or",
    "stay",
    "remain",
    "higher",
    "lower",
    "high",
    "low",
    "record",
    "post",
    "achiev",
    "gener",
    "是否",
    "有所",
    "如何",
    "公司",
    "地区",
    "总额",
    "金额",
    "合计",
    "平均",
    "提高",
    "下降",
    "改善",
    "变化",
    "上升",
    "增长",
    "增加",
    "减少",
    "同比",
    "保留",
    "小数",
    "百分",
    "情况",
    "水平",
    "计算",
    "数据",
    "财务",
    "财务数据",
    "全年",
    "计提",
    "计划",
    "万元",
    "亿元",
    "千元",
    "更高",
    "更低",
    "哪一年",
    "实现",
    "达到",
    "年末",
    "期末",
    "年底",
];

/// Whether a word of a question, beside the name of a figure, means another figure, and does not only ask or tell how.
pub(super) fn tells_more(token: &str) -> bool {
    !GENERIC.contains(&token) && !token.chars().all(|c| c.is_ascii_digit()) && (!token.chars().all(is_han) || is_word(token))
}

/// The blocks right above a table, nearest first: at most so many, and none beyond another table.
fn right_above(page: &Page, start: u32, most: usize) -> impl Iterator<Item = &Block> {
    let above = page.blocks.iter().filter(move |block| block.end <= start).rev().take(most);
    above.take_while(|block| block.table.is_none())
}

/// The line right above a table that says what its figures are counted in: `(Expressed in thousands of dollars)`.
fn unit_above(page: &Page, start: u32) -> Option<String> {
    const NEAR: usize = 2;
    const LINE: usize = 120;
    let lines = right_above(page, start, NEAR).filter_map(|block| page.text.get(block.range()));
    let says_unit = |line: &&str| {
        let bracketed = line.starts_with(['(', '（']) && line.ends_with([')', '）']);
        line.len() <= LINE && (bracketed || line.contains("单位")) && scale_of(line).is_some()
    };
    lines.map(str::trim).find(says_unit).map(str::to_owned)
}

/// The headings right above a table on its page.
fn headed(page: &Page, start: u32) -> String {
    const NEAR: usize = 3;
    let headings = right_above(page, start, NEAR).filter(|block| matches!(block.kind, BlockKind::Heading(_)));
    headings.filter_map(|block| page.text.get(block.range())).collect::<Vec<_>>().join(" ")
}

/// Whether what stands over a table on its page says last that it is of the parent company by itself and not of the group.
fn of_the_parent(above: &str) -> bool {
    const PARENT: &[&str] = &[
        "parent company",
        "parent entity",
        "parent only",
        "of the registrant",
        "母公司资产负债",
        "母公司利润",
        "母公司现金流量",
        "母公司财务",
    ];
    let above = fold(above);
    let last = |words: &[&str]| words.iter().filter_map(|word| above.rfind(word)).max();
    last(PARENT).is_some_and(|parent| last(&["consolidated", "合并"]).is_none_or(|group| group < parent))
}

/// What a table's header says over the labels of its rows.
fn corner(page: &Page, table: &Table) -> String {
    let cells = table.rows.iter().take(table.header_rows as usize).flatten().filter(|cell| cell.column == 0);
    let mut texts = cells.map(|cell| one_line(page.text.get(cell.range()).unwrap_or_default()).into_owned());
    texts.next_back().unwrap_or_default()
}

/// The series of a table, and its unit line.
fn read(page: &Page, table: &Table, reports: &[Period]) -> (Vec<Series>, String) {
    let text = |cell: &Cell| together(one_line(page.text.get(cell.range()).unwrap_or_default()).into_owned());
    let mut unit = table.unit.clone().unwrap_or_default();
    let mut headers: Vec<Vec<(u32, u32, String)>> = continued(table);
    let mut series: Vec<Series> = Vec::new();
    let mut group: Vec<String> = Vec::new();
    let (mut in_head, mut after_group) = (true, false);
    for (at, row) in table.rows.iter().enumerate() {
        let mut filled: Vec<(&Cell, String)> = row.iter().map(|cell| (cell, text(cell))).filter(|(_, t)| !t.is_empty()).collect();
        if filled.is_empty() {
            continue;
        }
        if unit.is_empty() && in_head {
            let says_unit = |t: &str| !is_value(t) && scale_of(t).is_some() && (!t.contains(is_han) || t.contains("单位"));
            unit = filled.iter().find(|(_, t)| says_unit(t)).map(|(_, t)| t.clone()).unwrap_or_default();
        }
        let values =
            filled.iter().filter(|(cell, t)| is_figure(t) && !(cell.column == 0 && filled.len() > 1 && is_dated(t))).count();
        let dates = filled.iter().filter(|(cell, t)| cell.column > 0 && is_dated(t)).count();
        let heads = at < table.header_rows as usize
            || values == 0 && filled.iter().any(|(cell, _)| cell.column > 0) && (in_head || dates >= 2 || names_columns(&filled));
        if heads {
            if !in_head {
                headers.clear();
                in_head = true;
            }
            headers.push(filled.iter().map(|(cell, t)| (cell.column, cell.column_span.max(1), t.clone())).collect());
            continue;
        }
        if values == 0 {
            // A row of one cell heads those under it; of several in a row the last two count.
            if !after_group {
                group.clear();
            }
            (in_head, after_group) = (false, true);
            group.push(filled.iter().map(|(_, t)| t.as_str()).collect::<Vec<_>>().join(" "));
            if group.len() > 2 {
                group.remove(0);
            }
            continue;
        }
        after_group = false;
        in_head = false;
        filled.retain(|(cell, _)| !is_of_notes(&headers, cell));
        let foot = || table.rows.iter().skip(at + 1).flatten().all(|cell| !is_figure(&text(cell)));
        row_of(&filled, &headers, &mut group, reports, &mut series, foot);
    }
    in_percent(&mut series);
    rolled_forward(&mut series);
    rolled_across(&mut series);
    (series, unit)
}

/// A year whose digits were set apart: `2 0 1 8`.
fn together(text: String) -> String {
    let digits: Vec<&str> = text.trim().split(' ').collect();
    let apart = digits.len() == 4 && digits.iter().all(|digit| digit.len() == 1 && digit.as_bytes()[0].is_ascii_digit());
    if apart { digits.concat() } else { text }
}

/// Where a column says 100% and no more, its figures are shares, whether each of them says so or not.
fn in_percent(series: &mut [Series]) {
    let values = || series.iter().flat_map(|series| &series.values);
    let whole: HashSet<String> =
        values().filter(|value| value.percent && value.number == 100.0).map(|value| value.header.clone()).collect();
    let amounts: HashSet<String> = values()
        .filter(|value| value.number.abs() > 100.0 || value.currency.is_some())
        .map(|value| value.header.clone())
        .collect();
    for value in series.iter_mut().flat_map(|series| &mut series.values) {
        value.percent |= whole.contains(&value.header) && !amounts.contains(&value.header);
    }
}

/// A row that leads from one balance to the next (`2018 | Acquisitions | Transfers | 2019`): what stands between two dates happened
/// in the year that ends with the second.
fn rolled_across(series: &mut [Series]) {
    let mut lines: HashMap<usize, Vec<(usize, usize, usize)>> = HashMap::new();
    for (at, one) in series.iter().enumerate() {
        for (which, value) in one.values.iter().enumerate() {
            lines.entry(value.line.start).or_default().push((value.cell.start, at, which));
        }
    }
    for mut cells in lines.into_values() {
        cells.sort_unstable();
        let when = |(_, at, which): &(usize, usize, usize)| series[*at].values[*which].when;
        let [first, between @ .., last] = cells.as_slice() else { continue };
        let moves = !between.is_empty() && between.iter().all(|cell| when(cell) == When::default());
        let (from, to) = (when(first), when(last));
        if let (true, true, Some(begun), Some(ended)) = (moves, from.is_dated() && to.is_dated(), from.year, to.year)
            && ended == begun + 1
        {
            for (_, at, which) in between {
                series[*at].values[*which].when = When::over(ended);
            }
        }
    }
}

/// A table that leads from one balance to the next (`Nonvested at December 31, 2018`, `Granted`, `Nonvested at December 31, 2019`)
/// has its dates in its labels: what stands between two balances happened in the year that ends with the second.
fn rolled_forward(series: &mut [Series]) {
    const BALANCES: &[&str] = &["balance", "outstanding", "nonvested", "non-vested", "unvested", "余额"];
    let mut columns: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, one) in series.iter().enumerate().filter(|(_, one)| one.values.iter().all(|value| value.when.year.is_none())) {
        columns.entry(one.column.clone()).or_default().push(at);
    }
    for rows in columns.into_values() {
        let balance = |at: &usize| {
            let label = fold(&series[*at].label).into_owned();
            let when = When::read(&label, &[]);
            (BALANCES.iter().any(|word| label.contains(word)) && when.year.is_some()).then_some(when)
        };
        let dates: Vec<Option<When>> = rows.iter().map(balance).collect();
        for (at, row) in rows.iter().enumerate() {
            let begun = dates[..at].iter().any(Option::is_some);
            let ends = || dates[at..].iter().flatten().next().filter(|_| begun).and_then(|when| when.year).map(When::over);
            let Some(when) = dates[at].or_else(ends) else { continue };
            series[*row].values.iter_mut().for_each(|value| value.when = when);
        }
    }
}

/// Whether a row without figures names columns anew: `分地区 | 营业收入 | 营业成本`.
fn names_columns(filled: &[(&Cell, String)]) -> bool {
    let names: HashSet<&str> = filled.iter().filter(|(cell, _)| cell.column > 0).map(|(_, text)| text.as_str()).collect();
    let named = |text: &str| text.chars().filter(|c| c.is_alphabetic()).count() >= 2;
    filled.first().is_some_and(|(cell, _)| cell.column == 0)
        && names.len() >= 2
        && names.len() + 1 == filled.len()
        && names.iter().all(|text| named(text))
}

/// The header that a part of a table carries which continues from the page before.
fn continued(table: &Table) -> Vec<Vec<(u32, u32, String)>> {
    let carried = table.carried.iter().map(|carried| (carried.column, 1, one_line(&carried.text).into_owned()));
    let header: Vec<_> = carried.filter(|_| table.header_rows == 0).collect();
    if header.is_empty() { vec![] } else { vec![header] }
}

/// Reads a row with values into the series it belongs to.
fn row_of(
    filled: &[(&Cell, String)],
    headers: &[Vec<(u32, u32, String)>],
    group: &mut Vec<String>,
    reports: &[Period],
    series: &mut Vec<Series>,
    foot: impl Fn() -> bool,
) {
    // A mark such as `(1)` right behind the label leads to a note, where other figures follow that are no marks.
    let figures = || filled.iter().filter(|(cell, t)| is_figure(t) && !(cell.column == 0 && filled.len() > 1));
    let mark = figures().next().filter(|(_, t)| is_mark(t)).filter(|_| figures().any(|(_, t)| !is_mark(t)));
    let mark = mark.map(|(cell, _)| cell.start);
    let value =
        |(cell, t): &&(&Cell, String)| is_figure(t) && !(cell.column == 0 && filled.len() > 1) && mark != Some(cell.start);
    let (Some((first, _)), Some((last, _))) = (filled.first(), filled.last()) else { return };
    let line = first.start as usize..last.end as usize;
    let named = |(_, t): &&(&Cell, String)| t.chars().any(char::is_alphabetic) || is_dated(t);
    let mut label =
        filled.iter().take_while(|part| !value(part)).filter(named).map(|(_, t)| t.as_str()).collect::<Vec<_>>().join(" ");
    if label.is_empty() {
        // What has no name at the foot of a table sums it up.
        let Some(above) = series.last().filter(|_| foot()) else { return };
        label = if above.label.contains(is_han) { "合计" } else { "Total" }.to_owned();
    }
    // A label that was broken into two rows: `Trade receivables, net of` / `allowances`.
    if label.starts_with(|c: char| c.is_lowercase())
        && let Some(above) = group.last().filter(|above| !above.ends_with([':', '：']) && above.len() > 3)
    {
        label = format!("{above} {label}");
        group.pop();
    }
    let dated_label = is_dated(&label);
    // A column of its own may hold the period: `Germany | 2023 | 28.6`.
    let dated_cell = filled.iter().take_while(|part| !value(part)).any(|(cell, t)| cell.column > 0 && is_dated(t));
    let columns: Vec<u32> = filled.iter().filter(value).map(|(cell, _)| cell.column).collect();
    for (cell, shown) in filled.iter().filter(value) {
        // `7.9p`: what no unit is known for is still a number.
        let read = quantities(shown).into_iter().find(|q| q.unit != Unit::Label).map(|q| (q.value, q.unit));
        let plain = || shown.trim_matches(|c: char| !c.is_ascii_digit()).replace(',', "").parse().ok().map(|n| (n, Unit::Plain));
        let Some((number, unit)) = read.or_else(plain) else { continue };
        let header = header(headers, cell.column, &columns);
        let column = undated(&header);
        // A column headed `%` or a row called `margin (%)` has shares whose cells do not say so.
        let share = unit == Unit::Plain && [column.as_str(), label.trim_end_matches(')')].iter().any(|name| name.ends_with('%'));
        let of_header = When::read(&header, reports);
        let when = match of_header.year {
            Some(_) => of_header,
            None if dated_label || dated_cell => match When::read(&label, reports) {
                // `2019:` / `Fourth quarter`
                own if own.year.is_none() => When::read(&format!("{label} {}", group.join(" ")), reports),
                own => own,
            },
            None if group.last().is_some_and(|g| is_dated(g)) => When::read(&format!("{header} {}", group.join(" ")), reports),
            None => of_header,
        };
        let value = Value {
            header: header.clone(),
            when,
            line: line.clone(),
            name: first.range(),
            cell: cell.range(),
            number,
            percent: share || matches!(unit, Unit::Percent | Unit::Point),
            decimals: shown.rsplit_once('.').map_or(0, |(_, d)| d.chars().take_while(char::is_ascii_digit).count()),
            currency: match unit {
                Unit::Money(Some(code)) if code.len() == 3 => Some(code),
                _ => None,
            },
        };
        // The name of a column is what its header says beside the period.
        let (label, above, column) = match dated_label {
            true if !column.is_empty() => (column, group.join(" "), String::new()),
            _ => (label.clone(), format!("{} {column}", group.join(" ")).trim().to_owned(), column),
        };
        let same = |s: &&mut Series| {
            s.label == label && s.above == above && (dated_label || s.values.last().is_some_and(|v| v.line == line))
        };
        match series.iter_mut().rev().find(same) {
            Some(known) => known.values.push(value),
            None => series.push(Series { label, above, column, values: vec![value] }),
        }
    }
}

/// The header of a column: the cells above it. One that spans several columns and does not say so stands over those nearest to it.
fn header(headers: &[Vec<(u32, u32, String)>], column: u32, columns: &[u32]) -> String {
    let mut said: Vec<&str> = Vec::new();
    for row in headers {
        let covers = |(at, span, _): &&(u32, u32, String)| *at <= column && column < at + span;
        let exact = row.iter().find(covers).filter(|(at, _, _)| *at > 0 || column == 0);
        let heads: Vec<&(u32, u32, String)> = row.iter().filter(|(at, _, _)| *at > 0).collect();
        let near = || {
            let over_several =
                heads.len() < columns.len() && (heads.len() == 1 || heads.iter().all(|(_, _, t)| is_dated(t) || spans(t)));
            heads.iter().min_by_key(|(at, _, _)| (at.abs_diff(column), *at > column)).copied().filter(|_| over_several)
        };
        // What stands over the labels speaks of all columns if it names a period: `For the years ended June 30,`.
        let corner = || row.first().filter(|(at, _, t)| *at == 0 && (spans(t) || is_dated(t)));
        if let Some((_, _, text)) = corner() {
            said.push(text);
        }
        if let Some((_, _, text)) = exact.or_else(near)
            && !said.contains(&text.as_str())
        {
            said.push(text);
        }
    }
    said.join(" ")
}

/// Whether a header speaks of a span of time or a date without its year.
fn spans(text: &str) -> bool {
    let lower = text.to_lowercase();
    ["ended", "months", "weeks", "quarter", "fiscal", "as of", "as at", "year", "年度", "季度", "本期", "上期", "期末", "期初"]
        .iter()
        .any(|word| lower.contains(word))
}

/// Whether a cell holds a figure, and nothing but a figure.
pub(super) fn is_value(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    digits > 0 && letters <= 4 && digits >= letters
}

/// Whether a cell holds a figure that is no period.
fn is_figure(text: &str) -> bool {
    is_value(text) && !is_dated(text)
}

/// Whether a cell stands under `Note`: it is the number of one.
fn is_of_notes(headers: &[Vec<(u32, u32, String)>], cell: &Cell) -> bool {
    let over = |(at, span, text): &(u32, u32, String)| *at > 0 && *at <= cell.column && cell.column < at + span && is_note(text);
    headers.iter().flatten().any(over)
}

/// Whether a header stands over the numbers of notes.
pub(super) fn is_note(header: &str) -> bool {
    matches!(fold(header).trim(), "note" | "notes" | "note(s)" | "note no." | "附注" | "注释" | "附注号" | "注")
}

/// Whether a cell may be the mark of a note: `(1)`.
fn is_mark(text: &str) -> bool {
    text.len() == 3 && text.starts_with('(') && text.ends_with(')')
}

/// Whether a text names a period and says nothing else.
fn is_dated(text: &str) -> bool {
    !periods(text).is_empty() && undated(text).is_empty()
}

/// What a header says beside its period and unit.
pub(super) fn undated(text: &str) -> String {
    const PERIOD: &[&str] = &[
        "year",
        "years",
        "ended",
        "ending",
        "fiscal",
        "as",
        "of",
        "at",
        "the",
        "for",
        "months",
        "month",
        "three",
        "six",
        "nine",
        "twelve",
        "weeks",
        "quarter",
        "quarters",
        "first",
        "second",
        "third",
        "fourth",
        "and",
        "in",
        "millions",
        "thousands",
        "million",
        "thousand",
        "balance",
        "period",
        "december",
        "march",
        "june",
        "september",
        "january",
        "july",
        "october",
        "april",
        "may",
        "august",
        "november",
        "february",
        "half",
        "interim",
        "audited",
        "unaudited",
        "us",
        "usd",
        "rmb",
        "to",
        "through",
        "from",
        "on",
        "fy",
        "note",
        "see",
        "restated",
        "recast",
        "m",
        // `£000’s`
        "s",
    ];
    const MONEY: &[&str] = &["US$", "A$", "C$", "HK$", "NT$", "S$", "NZ$"];
    let mut rest = MONEY.iter().fold(without_unit(text), |text, money| text.replace(money, " "));
    let text = rest.clone();
    let mut said: Vec<_> = periods(&text).into_iter().map(|(range, _)| range).collect();
    said.sort_by_key(|range| std::cmp::Reverse(range.start));
    for range in said {
        rest.replace_range(range, " ");
    }
    for word in [
        "单位",
        "人民币",
        "月份",
        "万元",
        "亿元",
        "千元",
        "年度",
        "期末",
        "期初",
        "本期",
        "上期",
        "本年",
        "上年",
        "金额",
        "余额",
        "发生额",
        "日",
        "月",
        "年",
        "末",
        "元",
        "度",
        "数",
    ] {
        rest = rest.replace(word, " ");
    }
    rest.split(|c: char| !(c.is_alphanumeric() || c == '%'))
        .filter(|word| !word.is_empty() && !word.chars().all(|c| c.is_ascii_digit()))
        // `Restated3`: the figure leads to a note.
        .filter(|word| !PERIOD.contains(&word.to_lowercase().trim_end_matches(|c: char| c.is_ascii_digit())))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A header without what it says its figures are counted in: `(in millions, except per share data)`.
fn without_unit(header: &str) -> String {
    let unit = |inside: &str| scale_of(inside).is_some() || inside.contains("except");
    let mut rest = header.to_owned();
    while let Some((open, close)) = rest.rfind('(').and_then(|open| Some((open, open + rest[open..].find(')')?)))
        && unit(&rest[open..close])
    {
        rest.replace_range(open..=close, " ");
    }
    rest
}

/// A folded text as words with a blank on either side, for finding a label in a question whole.
pub(super) fn plain_words(folded: &str) -> String {
    if folded.contains(is_han) {
        return folded.chars().filter(|c| c.is_alphanumeric()).collect();
    }
    let words: Vec<&str> = folded.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    format!(" {} ", words.join(" "))
}

/// The unit line as it is put behind a value: `（单位：万元）`, ` (in millions)`.
pub(super) fn unit_in_brackets(unit: &str) -> String {
    let unit = one_line(unit.trim().trim_matches(['(', ')', '（', '）'])).into_owned();
    match unit.is_empty() {
        true => unit,
        false if unit.contains(is_han) => format!("（{unit}）"),
        false => format!(" ({unit})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(header: &str, at: usize, line: usize, number: f64, percent: bool) -> Value {
        let (line, cell) = (line..line + 1, at..at + 1);
        let (header, when) = (header.to_owned(), When::read(header, &[]));
        Value { header, when, name: line.clone(), line, cell, number, percent, decimals: 0, currency: None }
    }

    fn row(label: &str, values: Vec<Value>) -> Series {
        Series { label: label.into(), above: String::new(), column: String::new(), values }
    }

    #[test]
    fn what_stands_between_two_balances_happened_in_the_year_of_the_second() {
        let labels = ["Nonvested at December 31, 2018", "Granted", "Nonvested at December 31, 2019"];
        let mut series: Vec<Series> =
            labels.iter().enumerate().map(|(at, label)| row(label, vec![value("Shares", at, at, 5.0, false)])).collect();
        rolled_forward(&mut series);
        let years: Vec<_> = series.iter().map(|series| series.values[0].when.year).collect();
        assert_eq!(years, [Some(2018), Some(2019), Some(2019)]);

        let columns = ["Dec 29, 2018", "Acquisitions", "Dec 28, 2019"];
        let values = columns.iter().enumerate().map(|(at, header)| value(header, at, 0, 5.0, false)).collect();
        let mut series = vec![row("Data Center Group", values)];
        rolled_across(&mut series);
        assert_eq!(series[0].values[1].when.year, Some(2019));
    }

    #[test]
    fn a_column_that_comes_to_a_hundred_percent_holds_shares() {
        let mut series = vec![
            row("Revenue", vec![value("2019", 0, 0, 100.0, true), value("2018", 1, 0, 812.0, false)]),
            row("Gross profit", vec![value("2019", 2, 1, 40.0, false), value("2018", 3, 1, 300.0, false)]),
        ];
        in_percent(&mut series);
        assert!(series[1].values[0].percent && !series[1].values[1].percent);
    }

    #[test]
    fn a_year_whose_digits_are_set_apart_is_read() {
        assert_eq!(together("2 0 1 8".into()), "2018");
        assert_eq!(together("2 shares".into()), "2 shares");
    }
}
