//! What is the answer as a value? A caller may ask for a number, a name, names, a yes or no, a date, or an object of a JSON
//! schema; it is read out of the proven sentences only, so that a value has the same proof as the text around it.

use std::{collections::HashSet, ops::Range};

use index::lexical::{self, fold, tokens};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{
    RagError,
    ask::{Citation, Figure},
    figures::{currency_of, unit_line},
    period::{Part, Period, periods},
    quantity::{Quantity, Unit, quantities, scale_of},
    question::Question,
    sentence::is_han,
    verdict::Settled,
};

/// Most properties of an object, and how deep it may be.
const PROPERTIES: usize = 32;
const DEPTH: usize = 4;

/// An answer as a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Typed {
    /// In the shape that was asked for. Numbers are in single units: `12.84亿元` is 1284000000.
    #[schema(value_type = Object)]
    pub value: Value,
    /// What a number counts: a currency's code, `%`, `pp`, a measure such as `person`; absent where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The scale that the source writes a number in: 100000000 for `12.84亿元`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// The words of the answer that hold it; empty where several do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The citation that proves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<u32>,
}

/// What value is asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Wanted {
    /// A number with its unit.
    Number,
    /// A name.
    Name,
    /// Names.
    Names,
    /// Yes or no.
    Boolean,
    /// A date or period.
    Date,
    /// A value of this schema.
    Schema(Value),
}

impl Wanted {
    /// Reads a `response_schema`.
    ///
    /// # Errors
    /// `invalid_response_schema` if it is none.
    pub fn read(schema: &Value) -> Result<Self, RagError> {
        let wrong = |problem: String| RagError::ResponseSchema { problem };
        match schema {
            Value::String(name) => match name.as_str() {
                "number" => Ok(Self::Number),
                "name" => Ok(Self::Name),
                "names" => Ok(Self::Names),
                "boolean" => Ok(Self::Boolean),
                "date" => Ok(Self::Date),
                other => Err(wrong(format!(
                    "is `{}`; write number, name, names, boolean, date, or a JSON schema",
                    other.chars().take(40).collect::<String>()
                ))),
            },
            Value::Object(_) => {
                valid(schema, "", 0).map_err(wrong)?;
                Ok(Self::Schema(schema.clone()))
            }
            _ => Err(wrong("is neither a word nor an object; write number, name, names, boolean, date, or a JSON schema".into())),
        }
    }
}

/// Whether a schema is one that can be filled: the keywords that are known, in the shapes that JSON Schema gives them.
fn valid(schema: &Value, at: &str, depth: usize) -> Result<(), String> {
    let place = if at.is_empty() { "as a whole".to_owned() } else { format!("at `{at}`") };
    let Some(fields) = schema.as_object() else { return Err(format!("{place} is no object")) };
    if depth > DEPTH {
        return Err(format!("{place} is nested deeper than {DEPTH} levels"));
    }
    const KNOWN: &[&str] = &[
        "type",
        "properties",
        "required",
        "items",
        "enum",
        "description",
        "title",
        "additionalProperties",
        "$schema",
        "minItems",
        "maxItems",
    ];
    if let Some(unknown) = fields.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(format!("{place} has the keyword `{unknown}`; known are {}", KNOWN.join(", ")));
    }
    if let Some(options) = fields.get("enum") {
        let texts = options.as_array().filter(|list| !list.is_empty() && list.iter().all(Value::is_string));
        texts.ok_or_else(|| format!("{place} has an `enum` that is no list of texts"))?;
    }
    match fields.get("type").and_then(Value::as_str) {
        Some("string" | "number" | "integer" | "boolean") => Ok(()),
        Some("array") => match fields.get("items") {
            Some(items) => valid(items, &format!("{at}[]"), depth + 1),
            None => Err(format!("{place} is an array without `items`")),
        },
        Some("object") => {
            let properties = fields.get("properties").and_then(Value::as_object).filter(|p| !p.is_empty());
            let properties = properties.ok_or_else(|| format!("{place} is an object without `properties`"))?;
            if properties.len() > PROPERTIES {
                return Err(format!("{place} has {} properties; at most {PROPERTIES} are filled", properties.len()));
            }
            if let Some(required) = fields.get("required") {
                let names = required.as_array().and_then(|list| list.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
                let names = names.ok_or_else(|| format!("{place} has a `required` that is no list of names"))?;
                if let Some(absent) = names.iter().find(|name| !properties.contains_key(**name)) {
                    return Err(format!("{place} requires `{absent}`, which is no property"));
                }
            }
            let below = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
            properties.iter().try_for_each(|(name, schema)| valid(schema, &below(name), depth + 1))
        }
        Some(other) => Err(format!("{place} has the type `{other}`; known are string, number, integer, boolean, array, object")),
        None if fields.contains_key("enum") => Ok(()),
        None => Err(format!("{place} has no `type`")),
    }
}

/// A proven sentence of an answer.
struct Said<'a> {
    text: String,
    marker: u32,
    citation: &'a Citation,
}

/// Reads the value out of an answer; `None` if its proven sentences do not hold one.
pub fn fill(wanted: &Wanted, question: &Question, settled: &Settled) -> Option<Typed> {
    // What was worked out, or looked up in a table, is known already.
    let looked_up = settled.computations.last().map(|computation| &computation.result).or_else(|| settled.figures.first());
    if let (Wanted::Number, Some(figure)) = (wanted, looked_up) {
        return Some(of_figure(figure));
    }
    let said = said(&settled.text, &settled.citations);
    let reader = Reader { question, asked: tokens(&question.text).into_iter().collect(), said };
    match wanted {
        Wanted::Number => reader.number(&reader.asked),
        Wanted::Boolean => reader.boolean(),
        Wanted::Date => reader.date(),
        Wanted::Name => reader.names().into_iter().next(),
        Wanted::Names => {
            let names = reader.names();
            let marker = names.first()?.marker;
            let value = names.into_iter().map(|name| name.value).collect();
            Some(Typed { value, unit: None, scale: None, text: String::new(), marker })
        }
        Wanted::Schema(schema) => {
            let mut used = HashSet::new();
            let value = reader.of_schema(schema, "", &mut used)?;
            let marker = reader.said.first().map(|said| said.marker);
            Some(Typed { value, unit: None, scale: None, text: String::new(), marker })
        }
    }
}

/// The proven sentences in order, without their markers.
fn said<'a>(text: &str, citations: &'a [Citation]) -> Vec<Said<'a>> {
    let mut seen = HashSet::new();
    let of = |citation: &'a Citation| {
        let span = citation.span;
        let text: String = text.chars().skip(span.start as usize).take(span.end.saturating_sub(span.start) as usize).collect();
        seen.insert((span.start, span.end)).then_some(Said { text, marker: citation.marker, citation })
    };
    citations.iter().filter_map(of).collect()
}

struct Reader<'a> {
    question: &'a Question,
    /// The question's tokens.
    asked: HashSet<String>,
    said: Vec<Said<'a>>,
}

impl Reader<'_> {
    /// The amount that stands nearest to what is asked for, in the first sentence that has one.
    fn number(&self, wanted: &HashSet<String>) -> Option<Typed> {
        self.said.iter().find_map(|said| {
            let (quantity, _) = self.amounts(&said.text, wanted).into_iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
            Some(typed(&said.text, &quantity, said.marker))
        })
    }

    /// The amounts of a sentence that the question does not hold itself, each with how well it fits.
    fn amounts(&self, text: &str, wanted: &HashSet<String>) -> Vec<(Quantity, f32)> {
        let folded = fold(&self.question.text).into_owned();
        let has = |words: &[&str]| words.iter().any(|word| folded.contains(word));
        let share = has(&["percent", "%", "百分", "占比", "比例", "比重", "margin", "率", "growth", "增长", "增速", "同比"]);
        let money = has(&[
            "revenue",
            "sales",
            "income",
            "profit",
            "cost",
            "assets",
            "收入",
            "利润",
            "金额",
            "资产",
            "多少钱",
            "元",
            "$",
            "usd",
        ]);
        let asked_for = quantities(&self.question.text);
        let fresh = |q: &Quantity| q.is_amount() && !asked_for.iter().any(|a| a.carries(q) && a.unit == q.unit);
        let found: Vec<Quantity> = quantities(text).into_iter().filter(fresh).collect();
        let score = |q: &Quantity| {
            let fits = match q.unit {
                Unit::Percent | Unit::Point if share => 1.0,
                Unit::Percent | Unit::Point => -0.5,
                Unit::Money(_) if money && !share => 1.0,
                Unit::Measure(unit) if counts(&folded, unit) => 1.0,
                Unit::Measure(unit) if lasts(unit) => -0.5,
                _ => 0.0,
            };
            fits + nearness(text, &q.range, wanted)
        };
        found
            .into_iter()
            .map(|q| {
                let s = score(&q);
                (q, s)
            })
            .collect()
    }

    fn boolean(&self) -> Option<Typed> {
        let first = self.said.first()?;
        let lower = first.text.trim().to_lowercase();
        let starts = |words: &[&str]| words.iter().any(|word| lower.starts_with(word));
        let value = if starts(&["yes", "是的", "是：", "是，", "有：", "有，", "对，"]) {
            true
        } else if starts(&["no:", "no,", "no.", "no ", "没有", "否", "不是", "并未", "未"]) {
            false
        } else if self.question.kind == crate::question::Kind::YesNo {
            // The sentence that speaks of it says so, unless it denies what the question does not.
            denies(&lower) == denies(&self.question.text.to_lowercase())
        } else {
            return None;
        };
        Some(Typed { value: value.into(), unit: None, scale: None, text: first.text.clone(), marker: Some(first.marker) })
    }

    fn date(&self) -> Option<Typed> {
        let asked: HashSet<Period> = self.question.periods.iter().copied().collect();
        self.said.iter().find_map(|said| {
            let found = periods(&said.text).into_iter().filter(|(_, period)| period.year.is_some());
            let (range, period) = found.clone().find(|(_, period)| !asked.contains(period)).or_else(|| found.clone().next())?;
            let (text, value) = iso(&said.text, &range, period);
            Some(Typed { value: value.into(), unit: None, scale: None, text, marker: Some(said.marker) })
        })
    }

    /// Names in the sentences that the question does not hold: quoted, capitalised, or behind a word that introduces them.
    fn names(&self) -> Vec<Typed> {
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        for said in &self.said {
            for name in names(&said.text) {
                let known = fold(&self.question.text).contains(fold(&name).as_ref());
                if !known && seen.insert(fold(&name).into_owned()) {
                    found.push(Typed {
                        value: name.clone().into(),
                        unit: None,
                        scale: None,
                        text: name,
                        marker: Some(said.marker),
                    });
                }
            }
        }
        found
    }

    /// A value of a schema, or `None` if something that is required is not said. What was used for one property is not used
    /// for the next of its kind.
    fn of_schema(&self, schema: &Value, name: &str, used: &mut HashSet<(usize, usize)>) -> Option<Value> {
        if let Some(options) = schema["enum"].as_array() {
            let holds = |option: &&Value| {
                option.as_str().is_some_and(|o| self.said.iter().any(|s| fold(&s.text).contains(fold(o).as_ref())))
            };
            return options.iter().find(holds).cloned();
        }
        let about = format!("{} {}", name.replace('_', " "), schema["description"].as_str().unwrap_or_default());
        match schema["type"].as_str()? {
            kind @ ("number" | "integer") => self.number_about(&about, kind == "integer", used),
            "boolean" => self.boolean().map(|typed| typed.value),
            "array" => {
                let item = &schema["items"];
                match item["type"].as_str() {
                    Some("string") => {
                        let names: Vec<Value> = self.names().into_iter().map(|name| name.value).collect();
                        (!names.is_empty()).then_some(Value::Array(names))
                    }
                    _ => {
                        let mut list = Vec::new();
                        while let Some(value) = self.of_schema(item, name, used).filter(|v| list.len() < 100 && !list.contains(v))
                        {
                            list.push(value);
                        }
                        (!list.is_empty()).then_some(Value::Array(list))
                    }
                }
            }
            "object" => {
                let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                let mut object = Map::new();
                for (name, property) in schema["properties"].as_object()? {
                    match self.of_schema(property, name, used) {
                        Some(value) => {
                            object.insert(name.clone(), value);
                        }
                        None if required.contains(&name.as_str()) => return None,
                        None => {}
                    }
                }
                (!object.is_empty()).then_some(object.into())
            }
            _ => self.text_about(&about),
        }
    }

    fn number_about(&self, about: &str, whole: bool, used: &mut HashSet<(usize, usize)>) -> Option<Value> {
        let folded = fold(about).into_owned();
        let has = |words: &[&str]| words.iter().any(|word| folded.contains(word));
        if has(&["year", "年份", "年度"]) && whole {
            let year = self.said.iter().flat_map(|s| periods(&s.text)).find_map(|(_, period)| period.year);
            return year.or_else(|| self.question.periods.iter().find_map(|p| p.year)).map(Value::from);
        }
        let wanted: HashSet<String> = tokens(about).into_iter().collect();
        let share = has(&["percent", "%", "rate", "growth", "margin", "share", "率", "占比", "增长", "比例"]);
        let mut best: Option<((usize, usize), Quantity, f32, &str)> = None;
        for (at, said) in self.said.iter().enumerate() {
            for (quantity, score) in self.amounts(&said.text, &wanted) {
                let key = (at, quantity.range.start);
                let fits = share == matches!(quantity.unit, Unit::Percent | Unit::Point);
                let score = score + if fits { 1.0 } else { -1.0 };
                if !used.contains(&key) && best.as_ref().is_none_or(|(.., s, _)| score > *s) {
                    best = Some((key, quantity, score, &said.text));
                }
            }
        }
        let (key, quantity, _, text) = best?;
        let typed = typed(text, &quantity, 0);
        let value = typed.value.as_f64()?;
        if whole && value.fract() != 0.0 {
            return None;
        }
        used.insert(key);
        Some(typed.value)
    }

    fn text_about(&self, about: &str) -> Option<Value> {
        let folded = fold(about).into_owned();
        let has = |words: &[&str]| words.iter().any(|word| folded.contains(word));
        let first = self.said.first()?;
        if has(&["currency", "unit", "币种", "单位"]) {
            return self.number(&self.asked)?.unit.map(Value::String);
        }
        if has(&["period", "year", "date", "quarter", "期间", "日期", "年"]) {
            return self
                .date()
                .map(|typed| typed.value)
                .or_else(|| self.question.periods.first().map(|period| period.name(self.question.chinese).into()));
        }
        if has(&["document", "source", "report", "文档", "来源", "出处"]) {
            return Some(first.citation.document.title.clone().into());
        }
        if has(&["quote", "原文", "引文"]) {
            return Some(first.citation.quote.clone().into());
        }
        if has(&["answer", "text", "summary", "sentence", "回答", "答案", "说明"]) {
            return Some(self.said.iter().map(|said| said.text.as_str()).collect::<Vec<_>>().join(" ").into());
        }
        if has(&["company", "公司", "企业"]) {
            let named = self.question.names.iter().find(|name| !name.documents.is_empty());
            return named.map(|name| name.text.clone().into());
        }
        self.names().into_iter().next().map(|name| name.value)
    }
}

/// A quantity as a value; a bare one takes the scale and the currency of the unit line behind it.
fn typed(text: &str, quantity: &Quantity, marker: u32) -> Typed {
    let (mut value, mut scale, mut unit) = (quantity.value, quantity.scale, unit_name(quantity.unit));
    let per_share =
        ["per share", "每股", "per unit"].iter().any(|word| text[..quantity.range.start].to_lowercase().contains(word));
    if quantity.scale == 1.0
        && matches!(quantity.unit, Unit::Plain | Unit::Money(_))
        && let Some(line) = unit_line(&text[quantity.range.end..])
        && !per_share
    {
        let factor = scale_of(line).unwrap_or(1.0);
        (value, scale) = (value * factor, factor);
        unit = unit.or_else(|| currency_of(line).map(str::to_owned));
    }
    Typed { value: number(value), unit, scale: Some(scale), text: text[quantity.range.clone()].to_owned(), marker: Some(marker) }
}

fn of_figure(figure: &Figure) -> Typed {
    let Figure { name, value, unit, scale, marker } = figure.clone();
    Typed { value: number(value), unit, scale: Some(scale), text: name, marker }
}

/// A whole number as one, others without the noise of binary fractions.
fn number(value: f64) -> Value {
    let rounded: f64 = format!("{value:.12e}").parse().unwrap_or(value);
    if rounded.fract() == 0.0 && rounded.abs() < 9e15 { json!(rounded as i64) } else { json!(rounded) }
}

fn unit_name(unit: Unit) -> Option<String> {
    match unit {
        Unit::Percent => Some("%".into()),
        Unit::Point => Some("pp".into()),
        Unit::Money(code) => code.map(str::to_owned),
        Unit::Measure(name) => Some(name.into()),
        Unit::Plain | Unit::Year | Unit::Label => None,
    }
}

/// Whether a folded question counts what this unit measures.
fn counts(folded: &str, unit: &str) -> bool {
    let words: &[&str] = match unit {
        "person" => &["employee", "people", "person", "staff", "人", "员工"],
        "share" => &["share", "股"],
        "item" => &["how many", "多少", "几"],
        "year" => &["years", "年限", "多少年", "几年"],
        "month" => &["month", "月"],
        "day" => &["day", "天"],
        _ => &[],
    };
    words.iter().any(|word| folded.contains(word))
}

/// Whether a unit is a span of time, which no figure of a report is.
fn lasts(unit: &str) -> bool {
    matches!(unit, "year" | "month" | "day" | "hour" | "minute")
}

/// How near a figure stands to the words that are asked for: 1 right behind them, less with each character between.
fn nearness(text: &str, figure: &Range<usize>, wanted: &HashSet<String>) -> f32 {
    let before = &text[..figure.start];
    let clause = before.rfind(['，', ',', '；', ';', '。']).map_or(0, |at| at + 1);
    let clause = text.ceil_char_boundary(clause);
    let held = |part: &str| tokens(part).into_iter().filter(|token| wanted.contains(token)).count() as f32;
    let here = held(&text[clause..figure.start.max(clause)]);
    let all = held(text).max(1.0);
    here / all - 0.001 * before.chars().count() as f32
}

fn denies(lower: &str) -> bool {
    const WORDS: &[&str] = &["没有", "未", "不存在", "并非", "不是", "无"];
    WORDS.iter().any(|word| lower.contains(word))
        || lower.contains("n't")
        || lower.split(|c: char| !c.is_alphanumeric()).any(|word| matches!(word, "not" | "no" | "never" | "none" | "without"))
}

/// A period as ISO 8601 as far as it is known: `2023`, `2023-Q3`, `2023-12`, `2023-12-31`.
fn iso(text: &str, range: &Range<usize>, period: Period) -> (String, String) {
    let year = period.year.unwrap_or_default();
    let part = match period.part {
        Part::Year => String::new(),
        Part::Half(half) => format!("-H{half}"),
        Part::Quarter(quarter) => format!("-Q{quarter}"),
        Part::NineMonths => "-9M".into(),
        Part::Month(month) => {
            // The day stands right behind the month, or between month and year.
            let end = text.floor_char_boundary((range.end + 8).min(text.len()));
            let labels = quantities(&text[range.start..end]);
            let day = labels
                .iter()
                .filter(|q| q.unit == Unit::Label)
                .map(|q| q.value)
                .find(|day| (1.0..=31.0).contains(day) && (*day != f64::from(month) || labels.len() > 3));
            return (
                text[range.clone()].to_owned(),
                day.map_or_else(|| format!("{year}-{month:02}"), |day| format!("{year}-{month:02}-{day:02.0}")),
            );
        }
    };
    (text[range.clone()].to_owned(), format!("{year}{part}"))
}

/// What looks like a name in a sentence, in order.
fn names(text: &str) -> Vec<String> {
    let mut found: Vec<(usize, String)> = Vec::new();
    for (open, close) in [('《', '》'), ('“', '”'), ('「', '」')] {
        for (at, _) in text.match_indices(open) {
            let inner = &text[at + open.len_utf8()..];
            if let Some(end) = inner.find(close).filter(|end| *end <= 90) {
                found.push((at, inner[..end].to_owned()));
            }
        }
    }
    found.extend(introduced(text));
    found.extend(capitalised(text));
    found.sort_by_key(|(at, _)| *at);
    found.dedup_by(|b, a| a.1.contains(&b.1));
    found.into_iter().map(|(_, name)| name).filter(|name| name.chars().count() > 1).collect()
}

/// Chinese names: what stands behind `为`, `是`, `由`, `系`, `：` up to the end of the clause, cut at `、` and `和`.
fn introduced(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    if !text.contains(is_han) {
        return found;
    }
    const BEFORE: &[&str] = &["分别为", "包括", "为", "是", "由", "系", "：", ":"];
    let Some((at, word)) = BEFORE.iter().filter_map(|word| Some((text.find(word)?, *word))).min_by_key(|(at, _)| *at) else {
        return found;
    };
    let start = at + word.len();
    let end = text[start..].find(['，', '。', '；', '（', '(', ',', ';']).map_or(text.len(), |end| start + end);
    let mut from = start;
    for piece in text[start..end].split(['、', '和', '及', '与']) {
        let name = piece.trim().trim_start_matches("董事长").trim_start_matches("先生").trim_end_matches(['等', '担', '任']);
        let name = name.strip_suffix("先生").or_else(|| name.strip_suffix("女士")).unwrap_or(name);
        if name.chars().any(char::is_alphabetic) && name.chars().count() <= 30 {
            found.push((from, name.to_owned()));
        }
        from += piece.len();
    }
    found
}

/// English names: runs of capitalised words, joined by `of`, `and`, `&`; one at the head of a sentence counts if it has two.
fn capitalised(text: &str) -> Vec<(usize, String)> {
    const STOP: &[&str] = &[
        "The", "A", "An", "In", "On", "At", "For", "Our", "We", "It", "Its", "This", "These", "As", "Of", "By", "From", "During",
        "Revenue", "Net", "Total", "Yes", "No", "Fiscal", "Q1", "Q2", "Q3", "Q4", "Mr", "Ms", "Mrs", "Dr",
    ];
    let mut found = Vec::new();
    let mut run: Option<Range<usize>> = None;
    let mut at = 0;
    for word in text.split_inclusive(|c: char| c.is_whitespace()) {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '&' && c != '.');
        let start = at + word.find(bare).unwrap_or(0);
        let capital = bare.chars().next().is_some_and(|c| c.is_ascii_uppercase())
            && !STOP.contains(&bare.trim_end_matches('.'))
            && !lexical::MONTHS.contains(&bare.to_lowercase().as_str());
        let joins = run.is_some() && matches!(bare, "of" | "&" | "de" | "van" | "von");
        let ends = word.trim_end().ends_with([',', ';', ':', ')', '.']) && !bare.contains('.');
        if capital {
            let end = start + bare.trim_end_matches('.').len();
            run = Some(run.map_or(start..end, |r| r.start..end));
        }
        if (!capital && !joins) || ends {
            found.extend(run.take());
        }
        at += word.len();
    }
    found.extend(run);
    let words = |r: &Range<usize>| text[r.clone()].split_whitespace().count();
    found.into_iter().filter(|r| r.start > 0 || words(r) > 1).map(|r| (r.start, text[r].to_owned())).collect()
}
