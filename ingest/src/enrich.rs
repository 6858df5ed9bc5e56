//! What is this document? Whose it is, of which kind, for which period and in which money, told from its first pages, its
//! running headers, its name and what the caller said about it, by the rules a reader of reports uses.
//!
//! Every fact carries where it was read and how sure it is. What is not clear is left out: a wrong year or company hides
//! the right document from every question about it, a missing one only fails to help.
//!
//! The filer's own words win: the cover and the statements a form requires before a title, a title before running text,
//! text before the file's name. What the caller says about the company wins over all but the same name in full.

pub use index::corpus::ReportKind;
use index::page::Page;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::parse::About;
use lines::{Front, Line, has_han};

mod company;
mod date;
pub mod given;
mod kind;
mod lines;
mod money;
mod period;

/// What is known about a document as a whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Title, completed with the company and the period where the printed one lacks them.
    pub title: Option<Fact<String>>,
    /// The company, or the publisher of a study, as printed.
    pub company: Option<Fact<String>>,
    /// Other names of it: short name, name in the other language, initials; without legal form.
    pub aliases: Vec<String>,
    /// Its code on an exchange.
    pub ticker: Option<Fact<String>>,
    /// What kind of report it is.
    pub kind: Option<Fact<ReportKind>>,
    /// The name of the form, as filed: `10-K`, `20-F`, `招股意向书`.
    pub form: Option<String>,
    /// What it reports on.
    pub period: Option<Fact<FiscalPeriod>>,
    /// When it was published, filed or signed: `2022-07-01`, or less where less is printed.
    pub date: Option<Fact<String>>,
    /// ISO 4217 code of the money it counts in.
    pub currency: Option<Fact<String>>,
    /// The scale of its tables: `元`, `千元`, `万元`, `百万元`, `亿元`, `thousands`, `millions`, `billions`.
    pub scale: Option<Fact<String>>,
    /// BCP 47 language of the text.
    pub language: Option<Fact<String>>,
}

/// A value with its ground.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fact<T> {
    /// The value.
    pub value: T,
    /// How sure it is, 0 to 1.
    pub confidence: f32,
    /// Where it was read.
    pub from: Where,
}

/// Where a fact was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Where {
    /// On a page.
    Page {
        /// The page, from 1.
        page: u32,
        /// The words, as stored.
        quote: String,
    },
    /// In a running header or footer.
    Header {
        /// The words, as stored.
        quote: String,
    },
    /// In the name it came under.
    FileName,
    /// In the properties of the file.
    Properties,
    /// The caller said so.
    Metadata {
        /// Under this key.
        key: String,
    },
    /// In the text as a whole.
    Text,
}

/// A part of a fiscal year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Part {
    #[serde(rename = "FY")]
    Year,
    H1,
    H2,
    Q1,
    Q2,
    Q3,
    Q4,
    #[serde(rename = "9M")]
    NineMonths,
}

/// What a report reports on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FiscalPeriod {
    /// The fiscal year, as the company counts.
    pub year: i32,
    /// Which part of it.
    pub part: Part,
    /// The last day, if it is printed.
    pub end: Option<String>,
}

/// Reads the facts of a document: the name it came under, what the caller said, what the parser learned, its first pages.
pub fn facts(name: &str, given: &Map<String, Value>, about: &About, pages: &[Page]) -> Facts {
    facts_under(name, given, about, pages, &Map::new())
}

/// The same where somebody says what it is: the title is completed with what is said. The facts are those that were read; what is
/// said is laid over them by [`given::overlay`].
pub fn facts_under(name: &str, given: &Map<String, Value>, about: &About, pages: &[Page], said: &Map<String, Value>) -> Facts {
    let front = Front::read(pages);
    let seen = Seen { file: Line::loose(&stem(name)), title: about.title.as_deref().map(Line::loose), given, front };
    let language = language(&seen);
    let (kind, form) = kind::read(&seen);
    let what = kind.as_ref().map(|k| k.value);
    let named = company::read(&seen, pages, what, language.as_ref().is_some_and(|l| l.value == "zh"));
    let period = period::read(&seen, what, form.as_deref());
    let date = period::published(&seen, what);
    let (currency, scale) = money::read(&seen, form.as_deref(), pages);
    let (company, kinds, years) = (stated(said, "company"), stated::<ReportKind>(said, "kind"), stated(said, "period"));
    let title = title(
        &seen,
        company.as_ref().or(named.company.as_ref()),
        &named.aliases,
        kinds.map(|kind| kind.value).or(what),
        form.as_deref(),
        years.as_ref().or(period.as_ref()),
    );
    Facts {
        title,
        company: named.company,
        aliases: named.aliases,
        ticker: named.ticker,
        kind,
        form,
        period,
        date,
        currency,
        scale,
        language,
    }
}

/// What is said of a field.
fn stated<T: serde::de::DeserializeOwned>(said: &Map<String, Value>, field: &str) -> Option<Fact<T>> {
    let value = serde_json::from_value(said.get(field)?.get("value")?.clone()).ok()?;
    Some(fact(value, 1.0, Where::Metadata { key: field.into() }))
}

/// What the rules look at.
struct Seen<'a> {
    front: Front,
    /// The name it came under, without folder and ending.
    file: Line,
    /// The title the parser found.
    title: Option<Line>,
    given: &'a Map<String, Value>,
}

impl Seen<'_> {
    /// What the caller said under one of some keys.
    fn given(&self, keys: &[&str]) -> Option<(String, Where)> {
        keys.iter().find_map(|key| {
            let text = match self.given.get(*key)? {
                Value::String(text) => text.trim().to_owned(),
                Value::Number(number) => number.to_string(),
                _ => return None,
            };
            (!text.is_empty()).then(|| (text, Where::Metadata { key: (*key).into() }))
        })
    }

    /// Lines that name the document: the title, short lines of the cover, running headers.
    fn naming(&self) -> impl Iterator<Item = (&Line, Where)> {
        let title = self.title.iter().map(|l| (l, Where::Properties));
        let cover = self.front.cover().filter(|l| l.names()).map(|l| (l, on(l)));
        let running = self.front.running.iter().map(|(l, _)| (l, Where::Header { quote: quote(&l.raw) }));
        cover.chain(title).chain(running)
    }
}

fn fact<T>(value: T, confidence: f32, from: Where) -> Fact<T> {
    Fact { value, confidence, from }
}

fn on(line: &Line) -> Where {
    Where::Page { page: line.page, quote: quote(&line.raw) }
}

/// The beginning of a line, enough to be found again.
fn quote(text: &str) -> String {
    text.chars().take(160).collect()
}

/// A name without folder and ending, with bars for underscores.
fn stem(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let stem = match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && ending.len() <= 5 => stem,
        _ => name,
    };
    // A bar keeps the parts apart, as cells of a row.
    stem.replace('_', "|")
}

/// The language most of the text is written in.
fn language(seen: &Seen) -> Option<Fact<String>> {
    let (mut han, mut kana, mut hangul, mut latin) = (0usize, 0usize, 0usize, 0usize);
    for c in seen.front.lines.iter().flat_map(|l| l.shown.chars()).take(20_000) {
        match c {
            '\u{3040}'..='\u{30ff}' => kana += 1,
            '\u{ac00}'..='\u{d7af}' => hangul += 1,
            c if lines::is_han(c) => han += 1,
            c if c.is_alphabetic() => latin += 1,
            _ => (),
        }
    }
    // A Chinese character says about as much as three letters.
    let total = ((han + kana + hangul) * 3 + latin) as f32;
    let share = |n: usize| n as f32 * 3.0 / total.max(1.0);
    let code = if share(kana) > 0.1 {
        Some("ja")
    } else if share(hangul) > 0.3 {
        Some("ko")
    } else if share(han) > 0.4 && han >= 8 {
        Some("zh")
    } else {
        latin_language(seen)
    };
    if let Some(code) = code {
        let sure = if code == "zh" { (share(han) + 0.2).min(0.99) } else { 0.95 };
        return Some(fact(code.into(), sure, Where::Text));
    }
    let (said, from) = seen.given(&["language", "lang"])?;
    Some(fact(said.split(['-', '_']).next().unwrap_or(&said).to_lowercase(), 0.8, from))
}

/// Told by the small words.
fn latin_language(seen: &Seen) -> Option<&'static str> {
    const WORDS: [(&str, &[&str]); 5] = [
        ("en", &["the", "of", "and", "to", "in", "for", "is", "with"]),
        ("de", &["der", "die", "und", "den", "von", "für", "mit", "im"]),
        ("fr", &["le", "les", "des", "et", "du", "pour", "dans", "une"]),
        ("es", &["el", "los", "del", "y", "las", "por", "para", "una"]),
        ("pt", &["os", "do", "da", "em", "não", "uma", "ao", "para"]),
    ];
    let mut counts = [0usize; 5];
    let mut words = 0;
    for word in
        seen.front.lines.iter().flat_map(|l| l.key.split(|c: char| !c.is_alphabetic())).filter(|w| !w.is_empty()).take(3000)
    {
        words += 1;
        for (count, (_, list)) in counts.iter_mut().zip(WORDS) {
            *count += usize::from(list.contains(&word));
        }
    }
    let (best, count) = counts.iter().enumerate().max_by_key(|(_, n)| **n)?;
    (*count >= 3 && *count * 12 >= words).then_some(WORDS[best].0)
}

/// The printed title, with the company in front and the kind and the period behind where it lacks them.
fn title(
    seen: &Seen,
    company: Option<&Fact<String>>,
    aliases: &[String],
    kind: Option<ReportKind>,
    form: Option<&str>,
    period: Option<&Fact<FiscalPeriod>>,
) -> Option<Fact<String>> {
    if let Some((given, from)) = seen.given(&["title", "标题"]) {
        return Some(fact(given, 0.95, from));
    }
    let printed = seen.title.as_ref();
    let mut confidence = if printed.is_some() { 0.8 } else { 0.6 };
    let mut text = printed.map(|l| l.raw.clone()).unwrap_or_default();
    let key = printed.map(|l| l.key.clone()).unwrap_or_default();
    let company = company.filter(|c| c.confidence >= 0.6);
    let named = company.is_none_or(|c| aliases.iter().chain([&c.value]).any(|n| !n.is_empty() && key.contains(&lines::fold(n))));
    let says_kind = kind::of_title(&key).is_some() || form.is_some_and(|f| key.contains(&lines::fold(f)));
    let statutory =
        matches!(kind, Some(ReportKind::Annual | ReportKind::HalfYear | ReportKind::Quarterly | ReportKind::Prospectus));
    if printed.is_none() && (company.is_none() || !statutory) {
        return None;
    }
    let chinese = has_han(company.map_or(text.as_str(), |c| c.value.as_str()));
    let year = period.filter(|_| date::years(&key).next().is_none()).map(|p| &p.value);
    let mut tail = String::new();
    if let (true, Some(year)) = (statutory, year) {
        tail = if chinese { format!("{}年", year.year) } else { year.year.to_string() };
    }
    if statutory && !says_kind {
        let word = form.filter(|f| has_han(f) || !chinese).map(|f| if has_han(f) { f.to_owned() } else { format!("Form {f}") });
        let word = word.unwrap_or_else(|| kind.map(|k| k.name(chinese)).unwrap_or_default().to_owned());
        tail = if chinese { format!("{tail}{word}") } else { format!("{word} {tail}") };
    }
    if !tail.is_empty() {
        confidence -= 0.1;
        text = if text.is_empty() {
            tail.trim().into()
        } else if chinese {
            format!("{text} {}", tail.trim())
        } else {
            format!("{text}, {}", tail.trim())
        };
    }
    if let Some(company) = company.filter(|_| statutory && !named) {
        confidence -= 0.1;
        text = if text.is_empty() { company.value.clone() } else { format!("{} {text}", company.value) };
    }
    Some(fact(text, confidence, if printed.is_some() { Where::Properties } else { Where::Text }))
}

#[cfg(test)]
mod tests;
