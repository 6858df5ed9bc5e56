//! What does a question ask? Its language, the kind of answer, the periods, whom or what it names, and the words that a
//! good passage holds: read from the text alone and from the titles of the documents, without a model.

use std::{collections::HashSet, ops::Range, sync::Arc};

use index::{
    corpus::{DocumentId, ReportKind},
    hit::Source,
    lexical::{MONTHS, fold, tokens},
};

use crate::{
    holdings::{Holdings, report_named},
    pack::Pack,
    period::{self, Period},
    sentence::is_han,
};

/// A question, understood.
#[derive(Debug, Clone)]
pub struct Question {
    /// As it was asked.
    pub text: String,
    /// Whether it is Chinese; else it is read as English.
    pub chinese: bool,
    /// The kind of answer it wants.
    pub kind: Kind,
    /// The periods it names, in order.
    pub periods: Vec<Period>,
    /// Whom or what it names.
    pub names: Vec<Name>,
    /// The distinct tokens of its content: without question words, periods, and names that a document bears.
    pub terms: Vec<String>,
    /// The words of the content in order, for the share of neighbours that a sentence keeps: English stems, empty for Chinese,
    /// whose tokens are neighbours already.
    pub words: Vec<String>,
    /// What is asked for, as the question writes it: for the message when it is missing.
    pub subject: String,
    /// Whether it compares two or more things or periods.
    pub compares: bool,
    /// What it is read with.
    pub pack: Arc<Pack>,
    /// The kind of report it names.
    pub report: Option<ReportKind>,
    /// What is searched for: the question without what only tells the answerer how to answer.
    pub searched: String,
}

/// The kind of answer a question wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    When,
    Number,
    Who,
    Where,
    Why,
    Which,
    How,
    List,
    YesNo,
    Other,
}

/// A name in a question: a company, a product, a person, a title in quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// As the question writes it.
    pub text: String,
    /// The documents that bear it in their title, name or metadata.
    pub documents: Vec<DocumentId>,
    /// Whether it is surely a name (a company's suffix, quotes, two capitalised words) and not only looks like one.
    pub sure: bool,
    /// Whether the documents' name itself stands in the question, and not only a short form that may be another's.
    pub whole: bool,
}

impl Question {
    /// Reads a question that is asked over these documents with the standard pack.
    pub fn read(text: &str, documents: &[Source]) -> Self {
        Self::over(Pack::standard(), text, &Holdings::of(documents))
    }

    /// The concepts of its pack that it names, each under its names, and what is searched without them.
    pub(crate) fn concepts(&self) -> (Vec<Vec<String>>, String) {
        let (mentions, rest) = self.pack.glossary.mentions(&fold(&self.searched));
        (mentions.iter().map(|mention| mention.concept.names.clone()).collect(), rest)
    }

    /// Reads a question that is asked over what a scope holds.
    pub fn over(pack: Arc<Pack>, text: &str, holdings: &Holdings) -> Self {
        let text = text.trim();
        let chinese = is_chinese(text);
        let dated = period::periods(text);
        let names = names(text, chinese, &dated, holdings);
        let searched = without_instructions(text);
        let content = content(&searched, chinese, &period::periods(&searched), &names);
        let words = tokens(&content);
        let mut seen = HashSet::new();
        let terms: Vec<String> =
            words.iter().filter(|t| !t.starts_with('#') && !asking(t) && seen.insert((*t).clone())).cloned().collect();
        let kind = kind(&fold(text), chinese);
        let words = words.into_iter().filter(|w| !w.starts_with('#') && !w.contains(is_han) && !asking(w)).collect();
        let subject = subject(&content, chinese);
        let compares = compares(&fold(text), dated.len());
        Self {
            text: text.to_owned(),
            chinese,
            kind,
            periods: dated.into_iter().map(|(_, p)| p).collect(),
            names,
            terms,
            words,
            subject,
            compares,
            pack,
            report: report_named(text),
            searched,
        }
    }

    /// `zh` or `en`.
    pub fn language(&self) -> &'static str {
        if self.chinese { "zh" } else { "en" }
    }

    /// The documents that the question's names restrict it to; `None` where it names no document's subject.
    pub fn documents(&self) -> Option<HashSet<DocumentId>> {
        let named: HashSet<DocumentId> = self.names.iter().flat_map(|n| n.documents.iter().copied()).collect();
        (!named.is_empty()).then_some(named)
    }
}

/// Whether a question is asked in Chinese: a Chinese name in an English sentence does not make it Chinese.
fn is_chinese(text: &str) -> bool {
    let han = text.chars().filter(|c| is_han(*c)).count();
    let words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty()).count();
    han > 0 && (words < 4 || 2 * han > 3 * words)
}

/// Whose report a document is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Subject {
    /// Folded, without report words, periods and legal form.
    bare: String,
    /// Its words (English) in order.
    words: Vec<String>,
}

/// The years that a document reports on, from its title, its name and its metadata.
pub(crate) fn years(source: &Source) -> Vec<Period> {
    const FIELDS: &[&str] = &["year", "fiscal_year", "period", "report_period", "report_year"];
    let stated: Vec<Period> = source
        .metadata
        .iter()
        .filter(|(key, _)| FIELDS.contains(&key.to_lowercase().as_str()))
        .flat_map(|(_, value)| period::periods(&value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .map(|(_, p)| p)
        .collect();
    let named = |text: &str| period::periods(text).into_iter().map(|(_, p)| p).filter(|p| p.year.is_some()).collect::<Vec<_>>();
    [stated, named(&source.title), named(&source.name)].into_iter().find(|found| !found.is_empty()).unwrap_or_default()
}

/// Words that say what kind of report a title names; what is left is the subject.
const REPORTS: &[&str] = &[
    "首次公开发行股票招股说明书",
    "年度报告全文",
    "年度报告摘要",
    "半年度报告",
    "季度报告",
    "年度报告",
    "招股说明书",
    "招股意向书",
    "募集说明书",
    "审计报告",
    "财务报告",
    "社会责任报告",
    "可持续发展报告",
    "年报",
    "半年报",
    "季报",
    "中报",
    "annual report",
    "interim report",
    "quarterly report",
    "annual results",
    "form 10-k",
    "form 10-q",
    "form 8-k",
    "10-k",
    "10-q",
    "8-k",
    "10k",
    "10q",
    "8k",
    "20-f",
    "earnings release",
    "prospectus",
    "financial statements",
    "sustainability report",
    "esg report",
];
const LEGAL_ZH: &[&str] = &["股份有限公司", "有限责任公司", "有限公司", "集团", "控股", "股份", "公司"];
const LEGAL_EN: &[&str] = &[
    "inc",
    "inc.",
    "corp",
    "corp.",
    "corporation",
    "company",
    "co",
    "co.",
    "ltd",
    "ltd.",
    "limited",
    "plc",
    "llc",
    "group",
    "holdings",
    "holding",
    "incorporated",
    "the",
    "s.a",
    "l.p",
    "lp",
    "llp",
    "gmbh",
    "ag",
    "nv",
    "n.v",
    "and",
    "subsidiaries",
    "trust",
];
pub(crate) const PLACES: &[&str] = &[
    "中国",
    "北京",
    "上海",
    "天津",
    "重庆",
    "江苏",
    "浙江",
    "广东",
    "山东",
    "湖南",
    "湖北",
    "四川",
    "福建",
    "安徽",
    "河南",
    "河北",
    "辽宁",
    "吉林",
    "黑龙江",
    "江西",
    "山西",
    "陕西",
    "甘肃",
    "贵州",
    "云南",
    "广西",
    "海南",
    "宁夏",
    "青海",
    "新疆",
    "西藏",
    "内蒙古",
    "深圳",
    "广州",
    "苏州",
    "杭州",
    "南京",
    "武汉",
    "成都",
    "厦门",
    "青岛",
    "大连",
    "宁波",
    "无锡",
    "香港",
    "台湾",
];

/// Whether a title is little more than a name with a period: that of a report, not of a story.
pub(crate) fn is_title_of_report(source: &Source) -> bool {
    let subject = Subject::of(source).map_or(0, |subject| subject.bare.chars().count());
    subject > 0 && (!years(source).is_empty() || 4 * subject >= source.title.chars().count())
}

/// A question without the sentences that only tell the answerer how to answer (`Answer in USD millions.`, `If there is no
/// mention, return False.`, `请保留两位小数`): they say nothing of where the answer stands.
fn without_instructions(text: &str) -> String {
    const BEGINS: &[&str] = &[
        "answer",
        "please answer",
        "please give",
        "please provide",
        "please round",
        "please state",
        "if ",
        "round ",
        "return ",
        "give ",
        "give me",
        "base your",
        "state ",
        "express ",
        "provide your",
        "report your",
        "use ",
        "note that",
        "请",
        "结果",
        "保留",
        "单位",
        "如果",
        "若",
        "以",
    ];
    const TELLS: &[&str] = &[
        "return",
        "round",
        "decimal",
        "units of",
        "answer in",
        "your answer",
        "the following question",
        "your judgment",
        "n/a",
        "state that",
        "explain why",
        "in usd",
        "in millions",
        "in billions",
        "in thousands",
        "title of the position",
        "保留",
        "小数",
        "四舍五入",
        "请回答",
        "回答",
        "无法回答",
        "没有提到",
        "作答",
        "为单位",
    ];
    let mut kept = String::with_capacity(text.len());
    let mut start = 0;
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    for (n, &(at, c)) in chars.iter().enumerate() {
        let end = at + c.len_utf8();
        let next = chars.get(n + 1).map(|(_, next)| *next);
        let stop = match c {
            '。' | '！' | '？' | '；' | '\n' | '，' => true,
            '?' | '!' | ':' | '.' => next.is_none_or(char::is_whitespace),
            _ => next.is_none(),
        };
        if !stop {
            continue;
        }
        let sentence = &text[start..end];
        let folded = fold(sentence.trim()).into_owned();
        let tells = BEGINS.iter().any(|w| folded.starts_with(w)) && TELLS.iter().any(|w| folded.contains(w));
        if !tells {
            kept.push_str(sentence);
        }
        start = end;
    }
    let mut kept = kept.trim().to_owned();
    for aside in ASIDES {
        while let Some(at) = kept.to_ascii_lowercase().find(aside) {
            kept.replace_range(at..at + aside.len(), " ");
        }
    }
    let kept = kept.trim_matches(|c: char| c.is_whitespace() || matches!(c, ',' | '，' | '。')).to_owned();
    if kept.chars().filter(|c| c.is_alphanumeric()).count() < 2 { text.to_owned() } else { kept }
}

impl Subject {
    /// Whether it is a word that many companies and texts share.
    pub(crate) fn is_common(&self) -> bool {
        const COMMON: &[&str] =
            &["公司", "本公司", "集团", "发行人", "the company", "company", "group", "registrant", "issuer", "bank", "holdings"];
        COMMON.contains(&self.bare.as_str())
    }

    pub(crate) fn of(source: &Source) -> Option<Self> {
        let stated = ["company", "issuer", "entity", "公司"].iter().find_map(|key| source.metadata.get(*key)?.as_str());
        if let Some(subject) = stated.and_then(|s| Self::named(s, true)) {
            return Some(subject);
        }
        Self::named(&source.title, false).or_else(|| Self::named(&source.name, false))
    }

    pub(crate) fn named(title: &str, certain: bool) -> Option<Self> {
        let spaced = title.replace(['_', '《', '》', '：', ':', '|', '/'], " ");
        let mut bare = blank(&spaced, period::periods(&spaced).into_iter().map(|(r, _)| r));
        bare = fold(&bare).into_owned();
        for extension in [".pdf", ".docx", ".doc", ".html", ".htm", ".md", ".txt", ".xlsx"] {
            bare = bare.trim_end().trim_end_matches(extension).to_owned();
        }
        let mut report = certain;
        for word in REPORTS {
            if bare.contains(word) {
                report = true;
                bare = bare.replace(word, " ");
            }
        }
        let mut company = false;
        for word in LEGAL_ZH {
            if let Some(at) = bare.find(word).filter(|&at| at >= 6) {
                company = true;
                // What stands behind the legal form is not the name: `四方科技集团股份有限公司 关于…`.
                bare.truncate(at);
            }
        }
        let words: Vec<String> = bare
            .split(|c: char| !(c.is_alphanumeric() || matches!(c, '&' | '.' | '\'' | '-')))
            .filter(|w| w.chars().any(char::is_alphanumeric))
            .map(|w| w.trim_matches('.').to_owned())
            .collect();
        company |= words
            .iter()
            .skip(1)
            .any(|w| LEGAL_EN.contains(&w.as_str()) && !matches!(w.as_str(), "the" | "and" | "group" | "trust"));
        let words: Vec<String> = words.into_iter().filter(|w| !LEGAL_EN.contains(&w.as_str())).take(6).collect();
        let bare: String =
            if bare.contains(is_han) { bare.split_whitespace().next().unwrap_or("").to_owned() } else { words.join(" ") };
        ((report || company) && bare.chars().count() >= 2).then_some(Self { bare, words })
    }

    /// Where a question mentions this subject, in bytes of the folded question, and whether by its whole name.
    fn mentions(&self, folded: &str) -> Vec<(Range<usize>, bool)> {
        if self.bare.contains(is_han) { self.mentions_han(folded) } else { self.mentions_latin(folded) }
    }

    /// The longest beginning of the name (a place in front may be left out) that the question holds: three characters, or two
    /// where no other Chinese character runs on.
    fn mentions_han(&self, folded: &str) -> Vec<(Range<usize>, bool)> {
        let stems = [Some(self.bare.as_str()), PLACES.iter().find_map(|p| self.bare.strip_prefix(p))];
        for stem in stems.into_iter().flatten() {
            let chars: Vec<(usize, char)> = stem.char_indices().collect();
            for length in (2..=chars.len()).rev() {
                let part = &stem[..chars.get(length).map_or(stem.len(), |&(b, _)| b)];
                if PLACES.contains(&part) {
                    continue;
                }
                let whole = length == chars.len();
                let stands = |at: &usize| {
                    let rest = &folded[at + part.len()..];
                    if whole { !is_front_of_name(rest) } else { length >= 4 || ends_name(rest) }
                };
                let found = folded.match_indices(part).map(|(at, _)| at).filter(stands);
                let found: Vec<_> = found.map(|at| (at..at + part.len(), whole)).collect();
                if !found.is_empty() {
                    return found;
                }
            }
        }
        Vec::new()
    }

    fn mentions_latin(&self, folded: &str) -> Vec<(Range<usize>, bool)> {
        let whole = |name: &str| -> Vec<(Range<usize>, bool)> {
            let free = |r: &Range<usize>| {
                !folded[..r.start].ends_with(|c: char| c.is_ascii_alphanumeric())
                    && !folded[r.end..].starts_with(|c: char| c.is_ascii_alphanumeric())
            };
            folded.match_indices(name).map(|(at, _)| at..at + name.len()).filter(free).map(|range| (range, true)).collect()
        };
        let found = whole(&self.bare);
        // `Johnson Johnson` for `Johnson & Johnson`
        if found.is_empty() && self.words.len() >= 2 { whole(&self.words.join(" & ")) } else { found }
    }

    /// Whether a short form stands for this subject: its first word, or the beginnings of its words (`AMD`, `AMEX`, `JnJ`).
    fn shortened(&self, folded: &str) -> bool {
        let first = self.words.first().map_or("", String::as_str);
        if first == folded && first.len() >= 3 {
            return true;
        }
        // `Qiji Drive` for `Qiji Drive Technology`
        if folded.split(' ').count() >= 2 && self.words.join(" ").starts_with(&format!("{folded} ")) {
            return true;
        }
        let letters: String = folded.chars().filter(char::is_ascii_alphanumeric).collect();
        (2..=6).contains(&letters.len()) && self.words.len() >= 2 && made_of(letters.as_bytes(), &self.words)
    }
}

/// Whether the letters are beginnings of the words in order, at least one letter of each but connecting `n`.
fn made_of(letters: &[u8], words: &[String]) -> bool {
    let Some((word, rest)) = words.split_first() else {
        return letters.is_empty();
    };
    if letters.is_empty() {
        return false;
    }
    let common = letters.iter().zip(word.as_bytes()).take_while(|(a, b)| a == b).count();
    (1..=common.min(3)).any(|n| made_of(&letters[n..], rest))
        || (letters[0] == b'n' && made_of(&letters[1..], words) && letters.len() > 1)
}

/// Capitalised words that name no one.
const PLAIN_CAPITALS: &[&str] = &[
    "what",
    "which",
    "who",
    "whom",
    "whose",
    "when",
    "where",
    "why",
    "how",
    "is",
    "are",
    "was",
    "were",
    "did",
    "do",
    "does",
    "has",
    "have",
    "had",
    "can",
    "could",
    "would",
    "should",
    "will",
    "in",
    "on",
    "at",
    "for",
    "of",
    "the",
    "a",
    "an",
    "according",
    "if",
    "give",
    "list",
    "name",
    "please",
    "and",
    "or",
    "by",
    "from",
    "to",
    "with",
    "as",
    "during",
    "between",
    "among",
    "we",
    "i",
    "it",
    "its",
    "this",
    "that",
    "fy",
    "usd",
    "eur",
    "rmb",
    "cny",
    "gbp",
    "hkd",
    "us",
    "u.s",
    "q1",
    "q2",
    "q3",
    "q4",
    "h1",
    "h2",
    "ceo",
    "cfo",
    "coo",
    "cto",
    "eps",
    "ebitda",
    "ebit",
    "roe",
    "roa",
    "r&d",
    "gaap",
    "non-gaap",
    "ifrs",
    "capex",
    "gdp",
    "ipo",
    "esg",
    "n/a",
    "cash",
    "net",
    "total",
    "gross",
    "operating",
    "revenue",
    "income",
    "sales",
    "profit",
    "margin",
    "year",
    "board",
    "company",
    "group",
    "annual",
    "report",
    "adjusted",
    "number",
    "tell",
    "describe",
    "explain",
    "compare",
    "find",
    "show",
    "our",
    "their",
    "they",
    "he",
    "she",
    "yes",
    "no",
    "answer",
    "base",
    "true",
    "false",
    "roughly",
    "about",
    "after",
    "before",
    "while",
    "besides",
    "other",
    "along",
    "under",
    "over",
    "despite",
    "since",
    "through",
    "approximately",
    "most",
    "many",
    "some",
    "all",
    "ratio",
    "quick",
    "current",
    "assets",
    "equity",
    "dividend",
    "return",
    "state",
    "then",
];

const HAN_SUFFIXES: &[&str] = &[
    "股份有限公司",
    "有限责任公司",
    "有限公司",
    "公司",
    "集团",
    "股份",
    "银行",
    "证券",
    "科技",
    "保险",
    "药业",
    "控股",
    "实业",
    "电子",
    "能源",
];
/// What companies of one name are told apart by.
const TRADES: &[&str] = &[
    "银行", "证券", "保险", "信托", "科技", "技术", "信息", "软件", "电子", "电气", "能源", "储能", "电力", "燃气", "水务",
    "环保", "化工", "化学", "材料", "钢铁", "矿业", "机械", "重工", "航空", "航天", "物流", "港口", "高速", "地产", "置业",
    "物业", "建设", "建材", "食品", "乳业", "药业", "医药", "医疗", "健康", "传媒", "文化", "教育", "实业", "控股",
];
/// What ends the reach of a Chinese name to the left.
const HAN_STOPS: &[&str] = &[
    "请问",
    "请",
    "根据",
    "关于",
    "其中",
    "以及",
    "相比",
    "比较",
    "对比",
    "截至",
    "截止",
    "的",
    "在",
    "和",
    "与",
    "及",
    "对",
    "从",
    "由",
    "为",
    "是",
    "向",
    "把",
    "被",
    "比",
    "跟",
    "年",
    "月",
    "日",
    "哪",
    "什么",
    "多少",
    "几",
    "有",
    "该",
    "本",
    "此",
    "这",
    "那",
    "我",
    "贵",
    "其",
    "各",
    "上市",
    "子",
    "母",
    "分",
    "控股子",
    "全资",
    "了",
    "到",
    "度",
    "末",
    "一",
    "家",
    "等",
    "个",
    "何时",
    "进入",
    "加入",
    "收购",
    "担任",
    "任职",
    "地方",
    "外资",
    "半导体",
    "互联网",
    "软件",
    "游戏",
];

fn names(text: &str, chinese: bool, dated: &[(Range<usize>, Period)], holdings: &Holdings) -> Vec<Name> {
    let folded = fold(text).into_owned();
    let mut mentions: Vec<Mention> = Vec::new();
    for (subject, documents) in &holdings.subjects {
        let found = subject.mentions(&folded).into_iter().filter(|(range, _)| written_as_name(text, &folded[range.clone()]));
        mentions.extend(found.map(|(range, whole)| Mention { range, whole, documents }));
    }
    let mut names: Vec<Name> = Vec::new();
    for mention in mentions.iter().filter(|mention| !mentions.iter().any(|other| other.rules_out(mention))) {
        let written = &folded[mention.range.clone()];
        match names.iter_mut().find(|name| name.text == written) {
            Some(name) => {
                let known: HashSet<DocumentId> = name.documents.iter().copied().collect();
                name.documents.extend(mention.documents.iter().filter(|id| !known.contains(id)));
            }
            None => names.push(Name { text: written.into(), documents: mention.documents.to_vec(), sure: true, whole: true }),
        }
    }
    let mut candidates = quoted(text);
    candidates.extend(capitalised(text, dated));
    if chinese {
        candidates.extend(han_names(text, dated));
    }
    candidates.extend(codes(text).into_iter().filter(|code| !holdings.listed(code).is_empty()).map(|code| (code, false)));
    for (candidate, sure) in candidates {
        let plain = fold(&candidate).into_owned();
        let known = |n: &Name| {
            let other = fold(&n.text).into_owned();
            plain.contains(&other) || other.contains(&plain)
        };
        if names.iter().any(known) {
            continue;
        }
        let listed = holdings.listed(&candidate);
        if !listed.is_empty() {
            names.push(Name { text: candidate, documents: listed.to_vec(), sure: true, whole: true });
            continue;
        }
        let short = holdings.subjects.iter().filter(|(s, _)| s.shortened(bare_name(&plain)));
        let mut documents: Vec<DocumentId> = Vec::new();
        for id in short.flat_map(|(_, ids)| ids) {
            if !documents.contains(id) {
                documents.push(*id);
            }
        }
        names.push(Name { text: candidate, documents, sure, whole: false });
    }
    names
}

/// A place in a question where documents are named.
struct Mention<'a> {
    range: Range<usize>,
    /// Whether the whole name stands there, or only its beginning.
    whole: bool,
    documents: &'a [DocumentId],
}

impl Mention<'_> {
    /// A longer mention rules a shorter one inside it out (`四方光电` over `四方`), and a whole name the beginning of another
    /// company's (`云栈汽车` over `云栈汽车零部件`).
    fn rules_out(&self, other: &Mention) -> bool {
        let covers = self.range.start <= other.range.start && other.range.end <= self.range.end;
        let longer = self.range.len() > other.range.len();
        let another = || !self.documents.iter().any(|id| other.documents.contains(id));
        covers && (longer || self.whole && !other.whole && another())
    }
}

/// Whether a Chinese name ends where this begins.
fn ends_name(rest: &str) -> bool {
    rest.chars().next().is_none_or(|c| !is_han(c))
        || ["的", "公司", "集团", "股份", "在", "是"].iter().any(|word| rest.starts_with(word))
}

/// Whether what follows a Chinese name makes it the front of another: `平安` of `平安银行`.
fn is_front_of_name(rest: &str) -> bool {
    TRADES.iter().any(|trade| rest.strip_prefix(trade).is_some_and(ends_name))
}

/// Whether a mention of one English word is meant as a name: `Target`, `Gap` and `Block` are words, too. A question without
/// any capital tells nothing either way.
fn written_as_name(text: &str, mention: &str) -> bool {
    let plain = !mention.is_ascii() || mention.contains([' ', '&', '-', '.']) || mention.contains(|c: char| c.is_ascii_digit());
    if plain || !text.chars().any(|c| c.is_ascii_uppercase()) {
        return true;
    }
    let words = || text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.eq_ignore_ascii_case(mention));
    words().any(|word| word.starts_with(|c: char| c.is_ascii_uppercase())) || words().next().is_none()
}

/// What may be a code on an exchange: a run of capitals, or of five or six digits.
fn codes(text: &str) -> Vec<String> {
    let runs = text.split(|c: char| !c.is_ascii_alphanumeric());
    let code = |run: &&str| {
        let digits = run.bytes().all(|b| b.is_ascii_digit());
        let letters = run.bytes().all(|b| b.is_ascii_uppercase());
        digits && (5..=6).contains(&run.len()) || letters && (2..=5).contains(&run.len())
    };
    runs.filter(code).map(str::to_owned).collect()
}

/// A folded English name without its legal form.
fn bare_name(name: &str) -> &str {
    let mut name = name.trim_end_matches(['.', ',']);
    while let Some((front, last)) = name.rsplit_once(' ') {
        if !LEGAL_EN.contains(&last.trim_matches(['.', ','])) {
            break;
        }
        name = front.trim_end_matches(['.', ',']);
    }
    name
}

fn quoted(text: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for (open, close) in [('《', '》'), ('“', '”'), ('「', '」'), ('"', '"')] {
        let mut rest = text;
        while let Some(start) = rest.find(open) {
            let inner = &rest[start + open.len_utf8()..];
            let Some(end) = inner.find(close) else { break };
            let name = inner[..end].trim();
            if (2..=40).contains(&name.chars().count()) {
                found.push((name.to_owned(), true));
            }
            rest = &inner[end + close.len_utf8()..];
        }
    }
    found
}

/// Runs of capitalised Latin words: `Sonic Automotive, Inc.`, `Best Buy`, `AMD`.
fn capitalised(text: &str, dated: &[(Range<usize>, Period)]) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut run: Option<(usize, usize, usize)> = None; // start, end, words
    let mut close = |run: &mut Option<(usize, usize, usize)>| {
        if let Some((start, end, words)) = run.take() {
            found.push((text[start..end].trim_end_matches(['.', ',', '\'', '’']).to_owned(), words >= 2));
        }
    };
    let mut at = 0;
    for word in text.split_inclusive(|c: char| c.is_whitespace() || is_han(c) || "，。？、：；（）()《》“”\"?:;!".contains(c))
    {
        let start = at;
        at += word.len();
        let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '.');
        let core = bare.trim_matches(|c: char| !c.is_ascii_alphanumeric()).trim_end_matches("'s").trim_end_matches("’s");
        let lower = core.to_lowercase();
        let capital = core.chars().next().is_some_and(|c| c.is_ascii_uppercase()) && core.len() >= 2;
        let period = dated.iter().any(|(r, _)| r.start < at && start < r.end);
        let joins = run.is_some() && (word.trim() == "&" || LEGAL_EN.contains(&lower.as_str()) && capital);
        if joins || capital && !period && !PLAIN_CAPITALS.contains(&lower.as_str()) && !MONTHS.contains(&lower.as_str()) {
            let possessive = word.contains("'s") || word.contains("’s");
            let end = start + bare.find("'s").or_else(|| bare.find("’s")).unwrap_or(bare.len());
            let counts = usize::from(!joins || LEGAL_EN.contains(&lower.as_str()));
            run = Some(run.map_or((start, end, 1), |(s, _, n)| (s, end, n + counts)));
            let breaks = possessive
                || word.trim_end().ends_with(',') && !text[at..].trim_start().to_lowercase().starts_with("inc")
                || !word.ends_with(char::is_whitespace);
            if breaks {
                close(&mut run);
            }
        } else {
            close(&mut run);
        }
    }
    close(&mut run);
    found
}

/// Chinese names by their suffix (`华为公司`), and a run of Chinese right before a period at the start (`宁德时代2023年…`).
fn han_names(text: &str, dated: &[(Range<usize>, Period)]) -> Vec<(String, bool)> {
    let mut found: Vec<(String, bool)> = Vec::new();
    for run in text.split(|c: char| !is_han(c)) {
        for suffix in HAN_SUFFIXES {
            let Some(at) = run.find(suffix) else { continue };
            let front = &run[..at];
            let cut = HAN_STOPS.iter().filter_map(|s| front.rfind(s).map(|i| i + s.len())).max().unwrap_or(0);
            let name = &front[cut..];
            let legal = suffix.ends_with("公司") || *suffix == "集团";
            if (2..=12).contains(&name.chars().count()) {
                found.push((format!("{name}{suffix}"), legal));
            }
            break;
        }
    }
    if let Some((range, _)) = dated.iter().find(|(_, p)| p.year.is_some()) {
        let front = text[..range.start].trim();
        let front = front.strip_prefix("请问").unwrap_or(front).trim_end_matches("在").trim_end_matches("的");
        let plain = front.chars().all(is_han) && (2..=8).contains(&front.chars().count());
        if plain && !is_phrase(front) && !PLACES.contains(&front) && found.is_empty() {
            found.push((front.to_owned(), false));
        }
    }
    found
}

/// Whether what stands before a year is no name but says something: `该公司`, `截至`, `公司在`. A small word may be part of a name
/// (`比亚迪`, `分众传媒`, `三一重工`), but none ends with one that leads on.
fn is_phrase(front: &str) -> bool {
    const LEADS_ON: &str = "在和与及对从由为到比是向把被跟于至";
    const POINTS: &[&str] = &[
        "该",
        "此",
        "这",
        "那",
        "我",
        "贵",
        "其",
        "各",
        "本公司",
        "本集团",
        "本行",
        "本报告",
        "本次",
        "本期",
        "母公司",
        "子公司",
        "分公司",
    ];
    const SAYS: &str = "的年月日哪几了是期";
    POINTS.iter().any(|word| front.starts_with(word))
        || front.ends_with(|c| LEADS_ON.contains(c))
        || front.contains(|c| SAYS.contains(c))
        || HAN_STOPS.iter().any(|stop| stop.chars().count() > 1 && front.contains(stop))
}

/// Replaces ranges by blanks.
fn blank(text: &str, ranges: impl Iterator<Item = Range<usize>>) -> String {
    let mut out = text.to_owned();
    let mut ranges: Vec<_> = ranges.collect();
    ranges.sort_by_key(|r| std::cmp::Reverse(r.start));
    for range in ranges {
        if out.is_char_boundary(range.start) && range.end <= out.len() && out.is_char_boundary(range.end) {
            out.replace_range(range, " ");
        }
    }
    out
}

/// Phrases that ask, in Chinese: they are cut out, so that no bigram reaches over them.
const ASKING_ZH: &[&str] = &[
    "是什么时候",
    "什么时候",
    "是什么",
    "是多少",
    "有多少",
    "为多少",
    "有多大",
    "多大",
    "多长",
    "多高",
    "多少",
    "什么",
    "哪些",
    "哪个",
    "哪里",
    "哪儿",
    "哪家",
    "哪位",
    "哪年",
    "哪天",
    "哪一年",
    "哪几",
    "有哪",
    "哪",
    "为什么",
    "为何",
    "怎么样",
    "怎么",
    "怎样",
    "如何",
    "何时",
    "何处",
    "何年",
    "何种",
    "请问",
    "是谁",
    "谁",
    "是否",
    "吗",
    "呢",
    "几",
    "请",
    "告诉我",
    "分别",
    "账面价值",
    "预计",
    "预测",
    "余额",
    "金额",
    "数额",
    "的情况",
    "是",
    "的",
    "了",
    "有",
    "被",
    "在",
    "于",
    "与",
    "和",
    "为",
    "由",
    "对",
    "从",
    "中",
    "里",
];

/// Asides that programs and exams add to a question.
const ASIDES: &[&str] = &[
    "according to the annual report",
    "if data is not available, return 'n/a'",
    "if there is no mention, return false",
    "(within the last period or at the end of the last period)",
    "at the end of the period listed in annual report",
    "in the reporting period",
    "in the annual report",
    "the value of",
    "the amount of",
    "the total amount of",
    "respectively",
    "give me the title of the position",
    "if data is not available",
    "return 'n/a'",
    "(in usd)",
    "in usd millions",
    "(in eur)",
    "(in gbp)",
    "answer in units of percents and round to one decimal place",
    "请保留两位小数",
    "保留两位小数",
];

/// The question without its asides, periods, names that a document bears, and question words.
fn content(text: &str, chinese: bool, dated: &[(Range<usize>, Period)], names: &[Name]) -> String {
    let mut content = blank(text, dated.iter().map(|(r, _)| r.clone()));
    for rest in [" 末", " 底", " 度", " 财年", " 财务年度", " 会计年度"] {
        // `2023年末商誉`: what is left of the period behind its year.
        content = content.replace(rest, " ");
    }
    content = fold(&content).into_owned();
    if !dated.is_empty() {
        for rest in ["去年", "今年", "本年", "上年", "()"] {
            content = content.replace(rest, " ");
        }
    }
    for aside in ASIDES {
        content = content.replace(aside, " ");
    }
    for name in names.iter().filter(|n| !n.documents.is_empty()) {
        let name = fold(&name.text).into_owned();
        for owner in ["'s ", "’s ", ""] {
            content = content.replace(&format!("{name}{owner}"), " ");
        }
    }
    if chinese {
        for phrase in ASKING_ZH {
            // `目的`, `其中`, `有限` and their like hold a function character inside a word.
            content = match *phrase {
                "的" => content.replace("目的", "目\u{1}").replace('的', " ").replace('\u{1}', "的"),
                "有" | "是" | "在" | "于" | "与" | "和" | "为" | "由" | "对" | "从" | "中" | "里" | "了" | "几" | "被" => {
                    keep_inside(&content, phrase)
                }
                _ => content.replace(phrase, " "),
            };
        }
    }
    content
}

/// What is asked for, as a message names it: the content without what asks and joins at its ends.
fn subject(content: &str, chinese: bool) -> String {
    const JOINS: &[&str] = &[
        "what", "which", "who", "when", "where", "how", "much", "many", "is", "was", "are", "were", "did", "does", "do", "has",
        "have", "the", "a", "an", "of", "for", "in", "on", "at", "by", "and", "as", "to", "from", "during",
    ];
    let edge = |c: char| !(c.is_alphanumeric() || matches!(c, '(' | ')' | '%' | '（' | '）'));
    let bare = |word: &str| word.trim_matches(edge).to_owned();
    let mut words: Vec<String> = content.split_whitespace().map(str::to_owned).collect();
    if chinese {
        return words.concat().trim_matches(edge).trim_start_matches(['度', '末', '底']).to_owned();
    }
    let joins =
        |word: &String| bare(word).is_empty() || JOINS.contains(&bare(word).as_str()) || LEGAL_EN.contains(&bare(word).as_str());
    while words.last().is_some_and(joins) {
        words.pop();
    }
    let start = words.iter().position(|word| !joins(word)).unwrap_or(words.len());
    words[start..].join(" ").trim_matches(edge).to_owned()
}

/// Cuts a function character out, unless it is part of one of the words that hold it.
fn keep_inside(content: &str, phrase: &str) -> String {
    const WORDS: &[&str] = &[
        "有限", "所有", "国有", "持有", "占有", "拥有", "在线", "在建", "存在", "现在", "所在", "和平", "中国", "其中", "中心",
        "中期", "中标", "中间", "集中", "由于", "关于", "对于", "对外", "对比", "反对", "从事", "从业", "与会", "参与", "行为",
        "作为", "认为", "成为", "为主", "公里", "里程", "于是", "高于", "低于", "是非", "自由", "理由", "为期", "了解", "几何",
        "和解", "总和", "饱和", "中央", "中医", "中学", "有效", "有关", "华为", "对象", "应对", "中华", "中山", "有色", "有机",
        "有息", "中层", "中小", "里面", "公有", "私有", "特有", "和谐",
    ];
    let mut out = String::with_capacity(content.len());
    let mut rest = content;
    while let Some(at) = rest.find(phrase) {
        let inside = WORDS.iter().any(|w| {
            w.match_indices(phrase).any(|(offset, _)| at >= offset && rest.get(at - offset..).is_some_and(|t| t.starts_with(w)))
        });
        out.push_str(&rest[..at]);
        out.push_str(if inside { phrase } else { " " });
        rest = &rest[at + phrase.len()..];
    }
    out.push_str(rest);
    out
}

/// Whether a token of a question only asks, or says nothing of what is asked.
fn asking(token: &str) -> bool {
    const WORDS: &[&str] = &[
        "what", "which", "who", "whom", "whose", "when", "where", "why", "how", "much", "mani", "name", "list", "give", "pleas",
        "tell", "be", "did", "does", "amount", "fiscal", "year", "fy", "end", "annual", "report", "accord", "document", "valu",
        "s", "compar", "expect", "forecast", "mention", "any", "ani", "ongo",
    ];
    WORDS.contains(&token) || LEGAL_EN.contains(&token) && !matches!(token, "trust" | "hold" | "group")
}

fn kind(folded: &str, chinese: bool) -> Kind {
    let any = |words: &[&str]| words.iter().any(|w| folded.contains(w));
    if chinese {
        return if any(&["多长时间", "多少时间", "多久"]) {
            Kind::Number
        } else if any(&["何时", "什么时候", "哪年", "哪一年", "几年", "何年", "哪天", "日期", "时间", "年份", "几月", "几号"])
        {
            Kind::When
        } else if any(&["多少", "占比", "比例", "几", "多大", "多长", "多高", "人数", "金额", "数量", "率是"])
        {
            Kind::Number
        } else if any(&["谁", "何人", "哪位", "什么人"]) {
            Kind::Who
        } else if any(&["哪里", "何处", "哪儿", "什么地方", "哪个国家", "哪个城市", "位于", "地址"]) {
            Kind::Where
        } else if any(&["为什么", "为何", "原因"]) {
            Kind::Why
        } else if any(&["哪些", "有哪", "哪几", "分别"]) {
            Kind::List
        } else if any(&["是否", "是不是", "有没有", "吗"]) {
            Kind::YesNo
        } else if any(&["如何", "怎么", "怎样"]) {
            Kind::How
        } else if any(&["哪", "什么", "何"]) {
            Kind::Which
        } else {
            Kind::Other
        };
    }
    let first = folded.split_whitespace().next().unwrap_or("");
    if ["is", "are", "was", "were", "did", "does", "do", "has", "have", "had", "can"].contains(&first) {
        Kind::YesNo
    } else if first == "when"
        || any(&["what year", "which year", "what date", "what day", "which month", "what month", "what time", "in what century"])
    {
        Kind::When
    } else if any(&[
        "how many",
        "how much",
        "how long",
        "how old",
        "how far",
        "how large",
        "how big",
        "how high",
        "percentage",
        "number of",
        "what percent",
        "value of",
        "amount of",
        "(%)",
        "(in usd)",
        " ratio",
        " margin",
        " costs ",
        "price of",
    ]) {
        Kind::Number
    } else if first == "who" || any(&["whose ", "whom "]) {
        Kind::Who
    } else if first == "where" || any(&["which city", "what city", "which country", "what country", "which state", "what state"])
    {
        Kind::Where
    } else if first == "why" || any(&["reason", "what caused", "what led to", "what drove"]) {
        Kind::Why
    } else if any(&["what are", "list ", "which of the following", "name the"]) {
        Kind::List
    } else if any(&["how "]) {
        Kind::How
    } else if any(&["which", "what"]) {
        Kind::Which
    } else {
        Kind::Other
    }
}

fn compares(folded: &str, periods: usize) -> bool {
    const WORDS: &[&str] = &[
        "相比",
        "比较",
        "对比",
        "同比",
        "变化",
        "增长了",
        "compare",
        "versus",
        " vs",
        "change",
        "increase",
        "decrease",
        "difference",
        "between",
        "growth",
    ];
    periods >= 2 || WORDS.iter().any(|w| folded.contains(w))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, language: &str, kind: Kind, subject: &str) {
        let question = Question::read(text, &[]);
        assert_eq!((question.language(), question.kind, question.subject.as_str()), (language, kind, subject), "{text}");
    }

    #[test]
    fn a_question_tells_its_language_its_kind_and_its_subject() {
        check("2023年的营业收入是多少？", "zh", Kind::Number, "营业收入");
        check("2023年末商誉余额", "zh", Kind::Other, "商誉");
        check("公司成立于哪一年？", "zh", Kind::When, "公司成立");
        check("What was the gross margin in FY2022?", "en", Kind::Number, "gross margin");
        check("How many stores were opened in 2023?", "en", Kind::Number, "stores were opened");
        check("What was the revenue of 栖霁传动 in 2023?", "en", Kind::Which, "revenue of 栖霁传动");
        check("JAXR是什么？", "zh", Kind::Which, "jaxr");
    }

    #[test]
    fn what_tells_how_to_answer_is_not_searched_for() {
        let check = |text: &str, searched: &str| assert_eq!(without_instructions(text), searched, "{text}");
        check(
            "What was the margin of Acme in 2022? Answer in units of percents and round to one decimal place.",
            "What was the margin of Acme in 2022?",
        );
        check(
            "Is the current ratio healthy? If it is not a useful metric here, then state that and explain why.",
            "Is the current ratio healthy?",
        );
        check("2022年毛利率是多少？请保留两位小数。", "2022年毛利率是多少？");
        check("If rates rise, what happens to net interest income?", "If rates rise, what happens to net interest income?");
        check("请说明青川机电的主营业务", "请说明青川机电的主营业务");
        check("Return N/A.", "Return N/A.");
    }

    #[test]
    fn a_word_that_is_also_a_name_counts_as_one_only_when_written_so() {
        let check = |text: &str, mention: &str, name: bool| assert_eq!(written_as_name(text, mention), name, "{text}");
        check("What is Target's gross margin?", "target", true);
        check("Did Acme meet its target in 2022?", "target", false);
        check("target gross margin 2022", "target", true);
        check("青川机电的目标", "青川机电", true);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "[a-zA-Z0-9 年月的是多少什么公司集团《》“”\"'&.,?？()（）-]{0,60}|\\PC{0,60}") {
            let question = Question::read(&text, &[]);
            prop_assert!(question.terms.iter().all(|term| !term.is_empty()));
        }
    }
}
