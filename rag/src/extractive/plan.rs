//! What does a question want worked out? A change, a mean, a share of figures: which operation, on which figures, of which
//! periods, read from its words.
//!
//! The outermost operation counts: `change in the average price` is a change. In English it stands first, in Chinese last.

use index::lexical::fold;

use crate::{
    period::{Part, Period},
    quantity::quantities,
    question::{Kind, Question},
};

/// What a question wants worked out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub what: What,
    /// What names the figures: one over several periods, or two that are set against each other.
    pub figures: Vec<String>,
    /// In order of time; those of the table if there are none.
    pub periods: Vec<Period>,
}

/// What to work out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum What {
    /// In percent, from the first period to the last.
    Growth,
    /// From the first period to the last; or of two figures.
    Change,
    /// Over the periods.
    Average,
    /// Over the periods; or of two figures.
    Sum,
    /// The first figure in percent of the second.
    Share,
    /// The first figure divided by the second.
    Ratio,
    /// In which period it was most, or least.
    Extreme(bool),
    /// Whose figure is most, or least, among the rows of a table.
    Leader(bool),
    /// For which periods there is a figure.
    Periods,
    /// In which periods it was beyond a bound.
    Beyond(Bound),
    /// What a group of rows consists of, or of how many.
    Members { counts: bool },
}

/// A bound that a figure is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bound {
    pub above: bool,
    /// In units, and as it is written: a table need not say what it counts in.
    pub value: f64,
    pub written: f64,
    /// Whether it is asked in how many periods.
    pub counts: bool,
}

impl Plan {
    /// Reads the plan, if there is something to be worked out.
    pub(super) fn of(question: &Question) -> Option<Self> {
        Self::read(question, false)
    }

    /// The same, where a change or a mean of one year is asked for: with the year before.
    pub(super) fn of_one_year(question: &Question) -> Option<Self> {
        Self::read(question, true).filter(|plan| matches!(plan.what, What::Change | What::Average))
    }

    fn read(question: &Question, since: bool) -> Option<Self> {
        const STATED: &[&str] = &[
            "drove",
            "driver",
            "driven",
            "reason",
            "cause",
            "due to",
            "explain",
            "led to",
            "respective",
            "原因",
            "为什么",
            "为何",
            "分别",
        ];
        let folded = fold(&question.searched);
        if question.kind == Kind::Why || STATED.iter().any(|word| folded.contains(word)) {
            return None;
        }
        if question.chinese { chinese(&folded, question) } else { english(&folded, question, since) }
    }
}

type Phrases = &'static [&'static str];

const GROWTH: Phrases = &[
    "percentage change",
    "percent change",
    "% change",
    "percentage increase/(decrease)",
    "percentage increase / (decrease)",
    "percentage increase",
    "percentage decrease",
    "percentage growth",
    "percent increase",
    "percent decrease",
    "% increase",
    "% decrease",
    "growth rate",
    "rate of change",
    "rate of growth",
    "year-over-year growth",
    "year over year growth",
    "year on year growth",
    "relative change",
];
const CHANGE: Phrases = &[
    "nominal difference",
    "nominal change",
    "net change",
    "net difference",
    "increase/ (decrease)",
    "increase / (decrease)",
    "increase/(decrease)",
    "increase (decrease)",
    "difference",
    "change",
    "increase",
    "decrease",
    "decline",
    "drop",
    "variance",
];
const AVERAGE: Phrases = &["average"];
const SUM: Phrases = &["total sum of", "sum total of", "sum of", "combined", "altogether", "in both"];
/// What stands between a figure and its bound.
const ABOVE: Phrases =
    &["exceed", "exceeded", "exceeding", "more than", "greater than", "higher than", "larger than", "above", "over"];
const BELOW: Phrases = &["less than", "lower than", "smaller than", "fewer than", "below", "under"];
const MOST: Phrases = &["largest", "highest", "greatest", "biggest", "larger", "higher", "greater", "maximum", "bigger"];
const LEAST: Phrases = &["smallest", "lowest", "least", "smaller", "lower", "minimum", "fewest"];

fn english(folded: &str, question: &Question, since: bool) -> Option<Plan> {
    let text = question.subject.as_str();
    let any = |phrases: &[&str]| phrases.iter().any(|phrase| word_at(folded, phrase).is_some());
    let years = ["which years", "which of the years", "which periods", "in which period"];
    let counts = any(&["how many years", "how many of the years", "how many periods"]);
    let of_years = any(&["which year", "what year", "which fiscal year", "what fiscal year", "which period", "which quarter"]);
    if (of_years || counts || any(&years))
        && let Some((figure, bound)) = beyond(text, counts)
    {
        let figure = without(&figure, &["which", "year", "years", "period", "was", "were", "did", "had", "of", "the"]);
        return Some(Plan { what: What::Beyond(bound), figures: vec![figure], periods: vec![] });
    }
    if of_years {
        let find = |words: Phrases| words.iter().copied().find(|word| word_at(folded, word).is_some());
        let most = || find(MOST).or_else(|| find(&["most"])).map(|w| (w, true));
        let (word, most) = most().or_else(|| find(LEAST).map(|w| (w, false)))?;
        let figure = without(text, &[word, "which", "year", "period", "quarter", "amount", "there"]);
        return Some(Plan { what: What::Extreme(most), figures: vec![figure], periods: vec![] });
    }
    if let Some((word, most)) =
        ["which ", "what "].iter().any(|asks| folded.starts_with(asks)).then(|| superlative(folded)).flatten()
    {
        let noun = folded.split_whitespace().nth(1).unwrap_or_default();
        let figure = without(text, &[word, noun, "had", "has", "have", "with", "ranked", "ranks"]);
        let plain = matches!(noun, "is" | "was" | "are" | "were" | "the");
        return (!plain && !figure.is_empty()).then(|| Plan {
            what: What::Leader(most),
            figures: vec![figure],
            periods: question.periods.clone(),
        });
    }
    if any(&["which years", "what years", "which fiscal years", "what fiscal years", "which periods"]) {
        const ASKS: &[&str] = &[
            "provide",
            "provided",
            "table",
            "information",
            "data",
            "which",
            "years",
            "periods",
            "show",
            "shown",
            "present",
            "presented",
            "calculated",
            "recorded",
            "reported",
            "given",
            "available",
            "disclosed",
            "company",
            "were",
            "was",
            "are",
            "is",
            "does",
        ];
        return Some(Plan { what: What::Periods, figures: vec![without(text, ASKS)], periods: vec![] });
    }
    let first = |what: What, phrases: Phrases| {
        let found = phrases.iter().filter_map(|phrase| Some((word_at(text, phrase)?, phrase.len())));
        found.min_by_key(|(at, length)| (*at, usize::MAX - length)).map(|(at, length)| (at, what, text_around(text, at, length)))
    };
    // `did revenue grow in 2022?`, `by what percentage did it fall?`
    let moved = moves(folded).map(|verb| {
        let what = if any(&["percentage", "percent", "%", "fast", "rate"]) { What::Growth } else { What::Change };
        (
            0,
            what,
            vec![without(text, &[verb, "did", "has", "have", "how", "much", "fast", "by", "what", "percentage", "percent"])],
        )
    });
    let pair = |what: What, found: Option<(usize, Vec<String>)>| found.map(|(at, figures)| (at, what, figures));
    let found = [
        moved,
        first(What::Growth, GROWTH),
        first(What::Change, CHANGE),
        first(What::Average, AVERAGE).filter(|(at, ..)| !text[..*at].trim_end_matches([' ', '-']).ends_with("weighted")),
        first(What::Sum, SUM),
        pair(What::Share, share(text)),
        pair(What::Ratio, ratio(text)),
    ];
    let found = found.into_iter().flatten().min_by_key(|(at, ..)| *at);
    let several = question.periods.iter().any(|period| Some(period) != question.periods.first());
    let Some((_, what, mut figures)) = found else {
        if let Some((group, counts)) = members(folded) {
            return Some(Plan { what: What::Members { counts }, figures: vec![group], periods: vec![] });
        }
        // `the total charge in 2018 and 2019`
        let total = word_at(folded, "total").is_some() && several;
        let figures = vec![without(text, &["total"])];
        return total.then_some(Plan { what: What::Sum, figures, periods: over_time(question, What::Sum, false)? });
    };
    // `the change in acquisition and integration costs from 2018 to 2019` is that of one figure.
    if let ([one], What::Change | What::Sum) = (figures.as_slice(), what)
        && let Some(two) = two(one).filter(|_| !several || one.contains("between ") && !between_periods(folded))
    {
        figures = two;
    }
    let since = since
        || any(&["prior year", "previous year", "last year", "year-over-year", "year over year", "year-on-year", "compared"])
        || moves(folded).is_some();
    let periods = match figures.len() {
        1 => over_time(question, what, since)?,
        _ => question.periods.clone(),
    };
    Some(Plan { what, figures, periods })
}

/// Whether a folded text sets periods against each other, and not figures: `between 2017 and 2018`.
fn between_periods(folded: &str) -> bool {
    const LEAD: &[&str] = &["the ", "fiscal ", "years ", "year ", "ended ", "fy"];
    let behind = |(at, word): (usize, &str)| {
        let mut rest = folded[at + word.len()..].trim_start();
        while let Some(bare) = LEAD.iter().find_map(|lead| rest.strip_prefix(lead)) {
            rest = bare.trim_start();
        }
        rest.starts_with(|c: char| c.is_ascii_digit())
    };
    folded.match_indices("between ").any(behind)
}

/// The figure in front of a bound (`net sales exceed $200,000 thousand`), and the bound.
fn beyond(text: &str, counts: bool) -> Option<(String, Bound)> {
    let lower = fold(text).into_owned();
    let stands = |phrases: Phrases, above: bool| {
        let found = phrases.iter().filter_map(|phrase| {
            let at = phrase_at(&lower, phrase)?;
            Some((at, at + phrase.len(), above))
        });
        found.collect::<Vec<_>>()
    };
    let mut found = [stands(ABOVE, true), stands(BELOW, false), stands(ABOVE_ZH, true), stands(BELOW_ZH, false)].concat();
    found.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
    found.into_iter().find_map(|(at, end, above)| {
        let said = quantities(&lower[end..]).into_iter().find(|q| q.is_amount())?;
        let (value, written) = (said.value, said.value / said.scale);
        Some((lower[..at].to_owned(), Bound { above, value, written, counts }))
    })
}

/// The group whose rows a question asks for: `what are the components of inventories`, `how many types of … are there`.
fn members(folded: &str) -> Option<(String, bool)> {
    const PARTS: Phrases = &["components", "types", "kinds", "items", "categories", "elements"];
    const OF: Phrases = &["of", "under", "making up", "that make up", "included in", "within", "in"];
    const CONSIST: Phrases = &["consist of", "comprise of", "comprise", "made up of"];
    let counts = word_at(folded, "how many").is_some();
    let bare = |text: &str| without(text, &["the", "are", "there", "of", "table", "does", "do", "is", "what", "company"]);
    let behind = || {
        let (at, part) = PARTS.iter().find_map(|part| Some((word_at(folded, part)?, *part)))?;
        let rest = folded[at + part.len()..].trim_start();
        let rest = rest.strip_prefix("are there ").unwrap_or(rest);
        OF.iter().find_map(|of| rest.strip_prefix(of)?.strip_prefix(' ')).map(str::to_owned)
    };
    let front = || {
        let at = CONSIST.iter().find_map(|word| word_at(folded, word))?;
        let front = folded[..at].rsplit(',').next().unwrap_or_default();
        let at = [" does ", " do "].iter().find_map(|does| Some(front.rfind(does)? + does.len())).unwrap_or(0);
        Some(front[at..].to_owned())
    };
    let group = bare(behind().or_else(front)?.trim_end_matches(['?', '.']));
    (!group.is_empty()).then_some((group, counts))
}

/// The word by which an English question asks for what is most, or least.
fn superlative(folded: &str) -> Option<(&'static str, bool)> {
    let find = |words: Phrases| words.iter().copied().find(|word| word_at(folded, word).is_some());
    find(MOST).or_else(|| find(&["most"])).map(|word| (word, true)).or_else(|| find(LEAST).map(|word| (word, false)))
}

/// The same in Chinese, and what is ranked: it heads the rows and names no figure.
const LEADS_ZH: &[(&str, bool)] = &[
    ("排名第一", true),
    ("位居第一", true),
    ("第一", true),
    ("居首", true),
    ("最高", true),
    ("最大", true),
    ("最多", true),
    ("最低", false),
    ("最小", false),
    ("最少", false),
];
const OWNERS_ZH: &[&str] = &[
    "企业",
    "公司",
    "厂商",
    "机构",
    "国家",
    "地区",
    "省份",
    "城市",
    "应用场景",
    "场景",
    "产品",
    "品类",
    "业务",
    "行业",
    "客户",
    "供应商",
    "项目",
];

fn leads(folded: &str) -> Option<bool> {
    LEADS_ZH.iter().find(|(word, _)| folded.contains(word)).map(|(_, most)| *most)
}

/// The verb of a question that asks whether, how far or how fast something moved, and nothing about it but the year: `by how
/// much did net sales change in 2022?`, `did revenue increase from 2021 to 2022?`.
fn moves(folded: &str) -> Option<&'static str> {
    const ASKS: &[&str] = &["how much did", "what percentage did", "what percent did", "how fast did", "what rate did"];
    const VERBS: &[&str] = &[
        "change",
        "changed",
        "increase",
        "increased",
        "decrease",
        "decreased",
        "decline",
        "declined",
        "drop",
        "dropped",
        "grow",
        "grown",
        "rise",
        "risen",
        "fall",
        "fallen",
    ];
    const TO_THE_YEAR: &[&str] = &[
        "in", "from", "during", "between", "over", "for", "the", "year", "years", "fy", "fiscal", "compared", "with", "to",
        "prior", "previous", "last", "versus", "vs",
    ];
    let asks = ASKS.iter().any(|asks| word_at(folded, asks).is_some())
        || ["did ", "has ", "have "].iter().any(|asks| folded.trim_start().starts_with(asks));
    let ends = |verb: &&&str| {
        let Some(at) = word_at(folded, verb) else { return false };
        let mut words = folded[at + verb.len()..].split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let next = words.find(|word| !TO_THE_YEAR.contains(word));
        next.is_none_or(|word| word.trim_start_matches("fy").starts_with(|c: char| c.is_ascii_digit()))
    };
    VERBS.iter().find(ends).copied().filter(|_| asks)
}

const GROWTH_ZH: Phrases = &[
    "同比增长率",
    "同比增长了多少",
    "同比增长多少",
    "同比变化",
    "同比变动",
    "同比增长",
    "同比增加了多少",
    "同比减少了多少",
    "同比下降了多少",
    "同比下降多少",
    "同比下降",
    "同比减少",
    "增长率",
    "增长幅度",
    "增幅",
    "降幅",
    "变动幅度",
    "增减幅度",
    "增长了百分之几",
    "增长百分之",
];
const CHANGE_ZH: Phrases = &[
    "增加了多少",
    "减少了多少",
    "增加多少",
    "减少多少",
    "变动额",
    "增加额",
    "减少额",
    "差额",
    "相差",
    "变化了多少",
    "增长了多少",
    "下降了多少",
];
/// What is left of a change behind the figure that changed.
const MOVES_ZH: Phrases = &["增加", "减少", "增长", "下降", "变化", "变动", "上升", "比", "较", "相", "同"];
const ABOVE_ZH: Phrases = &["超过", "高于", "大于", "多于"];
const BELOW_ZH: Phrases = &["低于", "小于", "少于", "不足", "不到"];
const AVERAGE_ZH: Phrases = &["平均值", "平均数", "年均", "平均"];
/// What stands behind the whole in `甲占乙的比例`.
const WHOLE_ENDS: Phrases = &["的比例", "的比重", "的百分比", "比例", "比重", "多少", "的份额"];
const SUM_ZH: Phrases = &["总和", "之和", "合计是", "合计为", "加起来", "累计"];

fn chinese(folded: &str, question: &Question) -> Option<Plan> {
    let text = question.subject.as_str();
    if let Some((front, back)) = folded.split_once('占')
        && let Some(end) = WHOLE_ENDS.iter().filter_map(|end| back.find(end)).min()
        && end > 0
    {
        let front = front.rsplit(['，', ',', '年', '末']).next().unwrap_or(front).trim_start_matches('的').to_owned();
        let figures = vec![front, back[..end].to_owned()];
        return Some(Plan { what: What::Share, figures, periods: question.periods.clone() });
    }
    const YEARS: Phrases = &["哪一年", "哪年", "哪些年", "哪几年", "哪个年度", "几年", "几个年度", "多少年"];
    let counts = ["有几年", "几个年度", "多少年"].iter().any(|word| folded.contains(word));
    if YEARS.iter().any(|word| folded.contains(word))
        && let Some((figure, bound)) = beyond(text, counts)
    {
        let figure = YEARS.iter().chain(&["年份", "年度"]).fold(figure, |rest, word| rest.replace(word, " "));
        return Some(Plan { what: What::Beyond(bound), figures: vec![figure], periods: vec![] });
    }
    if ["哪一年", "哪年", "哪个年度"].iter().any(|word| folded.contains(word)) {
        let most = ["最高", "最大", "最多"].iter().find(|word| folded.contains(*word)).map(|w| (w, true));
        let (word, most) =
            most.or_else(|| ["最低", "最小", "最少"].iter().find(|word| folded.contains(*word)).map(|w| (w, false)))?;
        let figure = text.replace(word, " ").replace("一年", " ").replace('年', " ");
        return Some(Plan { what: What::Extreme(most), figures: vec![figure], periods: vec![] });
    }
    if let Some(most) = ["哪家", "哪个", "哪一家", "哪一个", "哪种", "哪类", "谁"]
        .iter()
        .any(|asks| folded.contains(asks))
        .then(|| leads(folded))
        .flatten()
    {
        let figure =
            LEADS_ZH.iter().map(|(word, _)| word).chain(OWNERS_ZH).fold(text.to_owned(), |rest, word| rest.replace(word, " "));
        return Some(Plan { what: What::Leader(most), figures: vec![figure], periods: question.periods.clone() });
    }
    let last = |what: What, phrases: Phrases| {
        let stands = phrases.iter().copied().filter(|phrase| folded.contains(phrase)).max_by_key(|phrase| phrase.len())?;
        let mut figure = phrases.iter().fold(text.to_owned(), |rest, phrase| rest.replace(phrase, " "));
        // `营业收入比2022年增加了多少`: the question words and the year are cut out already.
        while let Some(rest) = MOVES_ZH.iter().find_map(|word| figure.trim_end().strip_suffix(word)) {
            figure = rest.to_owned();
        }
        Some(((folded.rfind(stands)? + stands.len(), stands.len()), what, vec![figure]))
    };
    let (_, what, figures) =
        [last(What::Growth, GROWTH_ZH), last(What::Change, CHANGE_ZH), last(What::Average, AVERAGE_ZH), last(What::Sum, SUM_ZH)]
            .into_iter()
            .flatten()
            .max_by_key(|(at, ..)| *at)?;
    let since = ["同比", "比上年", "较上年", "比去年", "较去年", "相比"].iter().any(|word| folded.contains(word));
    let periods = over_time(question, what, since)?;
    Some(Plan { what, figures, periods })
}

/// The periods of a figure over time, in order. A range is all of its years for a mean or a sum; a change from the year before
/// needs one year only.
fn over_time(question: &Question, what: What, since: bool) -> Option<Vec<Period>> {
    let mut periods: Vec<Period> = Vec::new();
    let said = fold(&question.text);
    let folded = said.replace(' ', "");
    let bare = |period: &Period| {
        period.year.is_some_and(|year| !["fy", "fiscal", "fiscalyear"].iter().any(|fy| folded.contains(&format!("{fy}{year}"))))
    };
    for period in &question.periods {
        // `Q4 2019 and 2018`: what is said of one holds for the other; `Q2 2024 and FY2023` are what they say.
        let part = match (period.part, question.periods.first().map(|p| p.part)) {
            (Part::Year, Some(first @ (Part::Quarter(_) | Part::Half(_) | Part::NineMonths))) if bare(period) => first,
            (part, _) => part,
        };
        let period = Period { part, ..*period };
        if period.year.is_some() && !periods.contains(&period) {
            periods.push(period);
        }
    }
    let order = |p: &Period| {
        let part = match p.part {
            Part::Quarter(q) => q * 3,
            Part::Half(h) => h * 6,
            Part::NineMonths => 9,
            Part::Month(m) => m,
            Part::Year => 12,
        };
        (p.year, part)
    };
    periods.sort_by_key(order);
    match (what, periods.as_slice()) {
        (What::Growth | What::Change | What::Average, []) if question.periods.is_empty() => Some(periods),
        (What::Growth | What::Change | What::Average, [one]) if since || what == What::Growth => {
            let to = |years: i32| Period { year: one.year.map(|year| year + years), ..*one };
            // `the increase from 2018` leads to the year that follows.
            let starts = one.year.is_some_and(|year| {
                ["from ", "from fiscal ", "since "].iter().any(|from| said.contains(&format!("{from}{year}")))
            });
            Some(if starts { vec![*one, to(1)] } else { vec![to(-1), *one] })
        }
        (What::Growth | What::Change, [first, .., last]) => Some(vec![*first, *last]),
        (What::Average | What::Sum, [first, last]) if is_range(question) => {
            let (from, to) = (first.year?, last.year?);
            Some((from..=to).take(20).map(|year| Period { year: Some(year), part: last.part }).collect())
        }
        (What::Average | What::Sum, [_, _, ..]) => Some(periods),
        _ => None,
    }
}

/// Whether two years of a question are the ends of a range: `FY2015 - FY2017`, `from 2017 to 2019`, `2017至2019`.
pub(super) fn is_range(question: &Question) -> bool {
    let folded = fold(&question.text);
    let said = crate::period::periods(&folded);
    said.windows(2).any(|pair| {
        let between = folded.get(pair[0].0.end..pair[1].0.start).unwrap_or_default().trim();
        matches!(between, "-" | "–" | "—" | "to" | "through" | "至" | "到" | "~")
    })
}

/// Two figures in what follows an operation: `a and b`, `a between x and y`.
fn two(text: &str) -> Option<Vec<String>> {
    let bare = text.trim().trim_start_matches("between ").trim_start_matches("the ");
    if let Some((of, parts)) = bare.split_once(" between ") {
        let (a, b) = parts.split_once(" and ")?;
        let (a, b) = (bare_figure(a), bare_figure(b));
        return (!a.is_empty() && !b.is_empty()).then(|| vec![format!("{of} {a}"), format!("{of} {b}")]);
    }
    let (a, b) = bare.split_once(" and ")?;
    let (a, b) = (bare_figure(a), bare_figure(b));
    (text.trim().starts_with("between ") || bare.matches(" and ").count() == 1).then_some(())?;
    (!a.is_empty() && !b.is_empty()).then(|| vec![a, b])
}

/// The two things of a question that asks for both at once: `sales of a and b` are the sales of each.
pub(super) fn things(text: &str) -> Option<[String; 2]> {
    let text = without(text, &["respective", "respectively", "values", "value", "amounts", "amount", "company's", "segments"]);
    let (a, b) = text.split_once(" and ")?;
    let head = [" of ", " from ", " for "].iter().filter_map(|word| Some(a.rfind(word)? + word.len())).max().unwrap_or(0);
    let (a, b) = (bare_figure(a), bare_figure(&format!("{}{b}", &a[..head])));
    (!a.is_empty() && !b.is_empty()).then_some([a, b])
}

/// `a as a percentage of b`, `percentage of a in b`, `percentage of b that is a`.
fn share(text: &str) -> Option<(usize, Vec<String>)> {
    const AS: &[&str] = &[
        " as a percentage of ",
        " as percentage of ",
        " as a percent of ",
        " as a % of ",
        " as a proportion of ",
        " as a share of ",
        " expressed as a percentage of ",
    ];
    if let Some((at, phrase)) = AS.iter().filter_map(|phrase| Some((text.find(phrase)?, *phrase))).min() {
        let (a, b) = (bare_figure(&text[..at]), bare_figure(&text[at + phrase.len()..]));
        let a = ["proportion of ", "percentage of ", "share of ", "value of ", "amount of "]
            .iter()
            .find_map(|lead| a.strip_prefix(lead))
            .map_or_else(|| a.clone(), bare_figure);
        return (!a.is_empty() && !b.is_empty()).then(|| (0, vec![a, b]));
    }
    const OF: &[&str] = &["percentage constitution of ", "percentage of ", "proportion of ", "percent of ", "share of "];
    let (at, phrase) = OF.iter().filter_map(|phrase| Some((word_at(text, phrase.trim_end())?, *phrase))).min()?;
    let rest = text.get(at + phrase.len()..)?;
    const IS: &[&str] = &[
        " is from ",
        " was from ",
        " come from ",
        " comes from ",
        " is ",
        " was ",
        " are ",
        " were ",
        " does ",
        " did ",
        " do ",
    ];
    const IN: &[&str] = &[
        " over the ",
        " over ",
        " out of ",
        " in the total ",
        " in total ",
        " relative to ",
        " to the total ",
        " to total ",
        " in the ",
        " in ",
    ];
    let cut = |words: &[&'static str]| words.iter().filter_map(|w| Some((rest.find(w)?, *w))).min();
    let (whole_first, (at_word, word)) = match (cut(IS), cut(IN)) {
        (Some(is), _) => (true, is),
        (None, inside) => (false, inside?),
    };
    let tail = rest[at_word + word.len()..].to_owned();
    let (a, b) =
        (bare_figure(&rest[..at_word]), bare_figure(&format!("{}{tail}", if word.contains("total") { "total " } else { "" })));
    if a.is_empty() || b.is_empty() {
        return None;
    }
    Some((at, if whole_first { vec![b, a] } else { vec![a, b] }))
}

/// `ratio of a to b`, `a to b ratio`.
fn ratio(text: &str) -> Option<(usize, Vec<String>)> {
    if let Some(at) = word_at(text, "ratio of") {
        let (a, b) = text[at + 8..].split_once(" to ").or_else(|| text[at + 8..].split_once(" over "))?;
        let (a, b) = (bare_figure(a), bare_figure(b));
        return (!a.is_empty() && !b.is_empty()).then(|| (at, vec![a, b]));
    }
    let at = text.find(" ratio")?;
    let (a, b) = text[..at].split_once(" to ")?;
    let (a, b) = (bare_figure(a), bare_figure(b));
    (!a.is_empty() && !b.is_empty()).then(|| (0, vec![a, b]))
}

/// A figure without the words that lead to it.
fn bare_figure(text: &str) -> String {
    const LEADS: &[&str] = &[
        "what",
        "is",
        "was",
        "were",
        "are",
        "the",
        "of",
        "for",
        "in",
        "a",
        "company",
        "company's",
        "their",
        "from",
        "to",
        "as",
        "at",
        "between",
        "and",
        "that",
        "which",
    ];
    let mut words: Vec<&str> =
        text.split_whitespace().map(|w| w.trim_matches([',', '?', '.'])).filter(|w| !w.is_empty()).collect();
    while words.first().is_some_and(|w| LEADS.contains(w)) {
        words.remove(0);
    }
    while words.last().is_some_and(|w| LEADS.contains(w)) {
        words.pop();
    }
    words.join(" ")
}

/// A text without the phrase at a place, as the one figure that is left.
fn text_around(text: &str, at: usize, length: usize) -> Vec<String> {
    vec![bare_figure(&format!("{} {}", &text[..at], &text[at + length..]))]
}

fn without(text: &str, words: &[&str]) -> String {
    text.split_whitespace()
        .filter(|w| !words.contains(&w.trim_matches(|c: char| !c.is_alphanumeric())))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Where a phrase stands in a text as whole words.
fn word_at(text: &str, phrase: &str) -> Option<usize> {
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let whole = |at: &usize| !letter(text[..*at].chars().next_back()) && !letter(text[at + phrase.len()..].chars().next());
    text.match_indices(phrase).map(|(at, _)| at).find(whole)
}

/// The same for a phrase of either language: Chinese words are not set apart.
pub(super) fn phrase_at(text: &str, phrase: &str) -> Option<usize> {
    if phrase.is_ascii() { word_at(text, phrase) } else { text.find(phrase) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, what: What, figures: &[&str], years: &[i32]) {
        let plan = Plan::of(&Question::read(text, &[])).unwrap_or_else(|| panic!("{text}"));
        let got: Vec<i32> = plan.periods.iter().filter_map(|p| p.year).collect();
        let holds = |(got, wanted): (&String, &&str)| wanted.split(' ').all(|word| got.contains(word));
        assert_eq!((plan.what, plan.figures.len(), got.as_slice()), (what, figures.len(), years), "{text}");
        assert!(plan.figures.iter().zip(figures).all(holds), "{text}: {:?}", plan.figures);
    }

    #[test]
    fn a_change_runs_from_the_earlier_to_the_later_period() {
        check("What is the percentage change in sales in 2019 from 2018?", What::Growth, &["sales"], &[2018, 2019]);
        check("How much did the difference in cost change from 2021 to 2020?", What::Change, &["cost"], &[2020, 2021]);
        check("By how much did net sales change in 2022?", What::Change, &["net sales"], &[2021, 2022]);
        check("How much did revenue increase in fiscal 2023?", What::Change, &["revenue"], &[2022, 2023]);
        check("Did revenue grow in 2022?", What::Change, &["revenue"], &[2021, 2022]);
        check("Has net income fallen from 2020 to 2022?", What::Change, &["net income"], &[2020, 2022]);
        check("By what percentage did revenue rise in 2022?", What::Growth, &["revenue"], &[2021, 2022]);
        check("How fast did operating cash flow grow in 2022?", What::Growth, &["operating cash flow"], &[2021, 2022]);
        check("2023年营业收入同比增长率是多少？", What::Growth, &["营业收入"], &[2022, 2023]);
    }

    #[test]
    fn years_that_a_change_runs_between_are_no_figures() {
        let text = "What is the change in amortization and depreciation expense between 2017 and 2018?";
        check(text, What::Change, &["amortization and depreciation expense"], &[2017, 2018]);
        let text = "What is the difference between basic and diluted earnings in 2019?";
        check(text, What::Change, &["basic", "diluted earnings"], &[2019]);
    }

    #[test]
    fn a_change_or_a_mean_of_one_year_takes_the_year_before() {
        let years = |text: &str| {
            let plan = Plan::of_one_year(&Question::read(text, &[]))?;
            Some((plan.what, plan.periods.iter().filter_map(|p| p.year).collect::<Vec<_>>()))
        };
        assert_eq!(years("What was the increase in interest income in 2019?"), Some((What::Change, vec![2018, 2019])));
        assert_eq!(years("What was the increase in interest expense from 2018?"), Some((What::Change, vec![2018, 2019])));
        assert_eq!(years("What is the 2019 average free cash flow?"), Some((What::Average, vec![2018, 2019])));
        assert_eq!(years("What is the weighted-average exercise price in 2019?"), None);
    }

    #[test]
    fn what_two_things_share_is_asked_of_each() {
        let check = |text: &str, wanted: [&str; 2]| assert_eq!(things(text).unwrap(), wanted, "{text}");
        check(
            "net sales of the international and foodservice segment",
            ["net sales of the international", "net sales of foodservice segment"],
        );
        check("respective high and low prices", ["high", "low prices"]);
    }

    #[test]
    fn a_mean_over_a_range_takes_all_of_its_years() {
        check("What is the FY2015 - FY2017 3 year average margin?", What::Average, &["margin"], &[2015, 2016, 2017]);
        check("What was the average headcount for 2018 and 2019?", What::Average, &["headcount"], &[2018, 2019]);
    }

    #[test]
    fn a_share_names_the_part_and_the_whole() {
        check("What is cash as a percentage of total assets in 2020?", What::Share, &["cash", "total assets"], &[2020]);
        check("What percentage of total sales is exports in 2020?", What::Share, &["exports", "total sales"], &[2020]);
        check("2023年研发费用占营业收入的比例是多少？", What::Share, &["研发费用", "营业收入"], &[2023]);
        check("What is the ratio of debt to equity in 2020?", What::Ratio, &["debt", "equity"], &[2020]);
    }

    #[test]
    fn a_bound_is_read_with_its_scale() {
        let bound = |text: &str| match Plan::of(&Question::read(text, &[])).map(|plan| (plan.what, plan.figures)) {
            Some((What::Beyond(bound), figures)) => (figures[0].clone(), bound.above, bound.value, bound.counts),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(
            bound("In which year were lease obligations less than 500 thousands?"),
            ("lease obligations".into(), false, 500e3, false)
        );
        let (_, above, value, counts) = bound("How many years did revenue from Asia exceed $35,000 million?");
        assert_eq!((above, value, counts), (true, 35e9, true));
        let (figure, above, value, _) = bound("营业收入在哪些年份超过100亿元？");
        assert!(figure.contains("营业收入"), "{figure}");
        assert_eq!((above, value), (true, 1e10));
    }

    #[test]
    fn the_rows_of_a_group_are_asked_for_by_its_name() {
        let group = |text: &str| match Plan::of(&Question::read(text, &[])).map(|plan| (plan.what, plan.figures)) {
            Some((What::Members { counts }, figures)) => (figures[0].clone(), counts),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(group("What types of accounts receivable are there?"), ("accounts receivable".into(), false));
        assert_eq!(group("How many components are there under deferred tax assets?"), ("deferred tax assets".into(), true));
        assert_eq!(group("What does operating free cash flow consist of?"), ("operating free cash flow".into(), false));
    }

    #[test]
    fn what_is_only_looked_up_or_explained_is_not_worked_out() {
        for text in [
            "What was the change in fair value in 2019?",
            "How much did the change in fair value come to in 2019?",
            "Why did sales increase from 2018 to 2019?",
            "Did the company change its auditor in 2022?",
            "2023年的营业收入是多少？",
        ] {
            assert_eq!(Plan::of(&Question::read(text, &[])), None, "{text}");
        }
    }
}
