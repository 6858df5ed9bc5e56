//! Which quantities does a text state? Numbers with their unit and scale, Chinese and English, so that `1,234 万元` and
//! `12.34 million yuan` are the same amount, and the year `2023` and the amount `2,023` are not.

use std::ops::Range;

use index::lexical;

/// A quantity found in a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantity {
    /// Where it stands, in bytes, sign, currency and unit included.
    pub range: Range<usize>,
    /// Its value in units (scale applied: `3.5亿` is 350,000,000; `12 %` is 12).
    pub value: f64,
    /// Half a unit of the last digit shown, scale applied: how far a rounded figure may be off.
    pub precision: f64,
    /// Factor that was applied for `万`, `million` and the like; 1 where none was written.
    pub scale: f64,
    /// What is counted.
    pub unit: Unit,
    /// What it is counted per, where that is said: `share` in `0.35元/股`.
    pub per: Option<&'static str>,
    /// Factor of its unit: 1,000 for kilometres, which are told in metres.
    pub(crate) factor: f64,
}

/// What a quantity counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nothing is said.
    Plain,
    /// Percent.
    Percent,
    /// Percentage points.
    Point,
    /// Money; the currency's code if it is named, else the sign (`$`, `¥`) that several currencies share.
    Money(Option<&'static str>),
    /// A calendar year.
    Year,
    /// A month, a day of a month, or an ordinal: a label rather than an amount.
    Label,
    /// A measure, in its smallest common unit.
    Measure(&'static str),
}

impl Quantity {
    /// Whether this quantity, as a source states it, carries `claim`: same kind, and equal within what the claim shows.
    pub fn carries(&self, claim: &Quantity) -> bool {
        self.unit.admits(claim.unit) && self.same_per(claim) && self.near(claim.value, claim)
    }

    /// Whether this value is `value` within what `claim` shows.
    pub fn near(&self, value: f64, claim: &Quantity) -> bool {
        (self.value - value).abs() <= claim.precision + 1e-9 * value.abs().max(self.value.abs())
    }

    /// Whether both count per the same thing; a source may leave it to its context.
    pub fn same_per(&self, claim: &Quantity) -> bool {
        self.per.is_none() || claim.per.is_none() || self.per == claim.per
    }

    /// The same number in a larger scale.
    pub(crate) fn lift(&mut self, factor: f64, scale: f64) {
        self.value *= factor;
        self.precision *= factor;
        self.scale = scale;
    }

    /// Whether it is an amount: not a year, a date or an ordinal.
    pub fn is_amount(&self) -> bool {
        !matches!(self.unit, Unit::Year | Unit::Label)
    }
}

impl Unit {
    /// Whether a source in this unit may be meant by a claim in the other.
    pub fn admits(self, claim: Unit) -> bool {
        match (self, claim) {
            (Unit::Money(Some(a)), Unit::Money(Some(b))) => same_money(a, b),
            (Unit::Money(_), Unit::Money(_)) => true,
            // A source may leave the unit to its context; a claim may leave out what the reader knows.
            (Unit::Plain, Unit::Money(_) | Unit::Measure(_)) | (Unit::Money(_) | Unit::Measure(_), Unit::Plain) => true,
            (a, b) => a == b,
        }
    }
}

/// Whether two currencies may be the same: a sign stands for each that uses it.
fn same_money(a: &str, b: &str) -> bool {
    const DOLLARS: &[&str] = &["$", "USD", "HKD", "AUD", "CAD", "SGD", "TWD", "NZD"];
    const YUAN: &[&str] = &["¥", "CNY", "JPY"];
    let shares = |sign: &str, family: &[&str]| (a == sign || b == sign) && family.contains(&a) && family.contains(&b);
    a == b || shares("$", DOLLARS) || shares("¥", YUAN)
}

/// The scale that a unit line names: `单位：万元` is 10,000, `(in millions)` is 1,000,000.
pub fn scale_of(text: &str) -> Option<f64> {
    let text: String = text.chars().map(narrow).collect::<String>().to_lowercase();
    const SCALES: &[(&str, f64)] = &[
        ("万亿", 1e12),
        ("千亿", 1e11),
        ("百亿", 1e10),
        ("十亿", 1e9),
        ("亿", 1e8),
        ("千万", 1e7),
        ("百万", 1e6),
        ("十万", 1e5),
        ("萬", 1e4),
        ("万", 1e4),
        ("千元", 1e3),
        ("trillion", 1e12),
        ("billion", 1e9),
        ("million", 1e6),
        ("thousand", 1e3),
        ("'000", 1e3),
        ("’000", 1e3),
        ("000s", 1e3),
        ("$m", 1e6),
        ("mn", 1e6),
    ];
    SCALES.iter().find(|(word, _)| text.contains(word)).map(|&(_, scale)| scale)
}

/// All quantities of a text, in order, not overlapping.
pub fn quantities(text: &str) -> Vec<Quantity> {
    let chars: Vec<(usize, char)> = text.char_indices().map(|(i, c)| (i, narrow(c))).collect();
    let chars = informal(chars);
    let reader = Reader { chars: &chars, length: text.len() };
    let mut found: Vec<Quantity> = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        if let Some((parts, next)) = reader.date(at) {
            found.extend(parts);
            at = next;
            continue;
        }
        match reader.quantity(at) {
            Some((quantity, next)) => {
                add(&mut found, quantity, text);
                at = next.max(at + 1);
            }
            None => at = reader.skip(at),
        }
    }
    found
}

/// Adds a quantity; its unit counts for those in front that it is joined with: `3亿5000万元`, `10-20%`, `1.2、1.5和2亿元`.
fn add(found: &mut Vec<Quantity>, mut quantity: Quantity, text: &str) {
    let whole = |first: &Quantity| {
        first.range.end == quantity.range.start
            && first.unit == Unit::Plain
            && first.scale >= 1e4
            && first.factor == 1.0
            && (quantity.scale > 1.0 || matches!(quantity.unit, Unit::Money(_)))
            && quantity.value >= 0.0
            && quantity.value < first.scale
    };
    if let Some(first) = found.pop_if(|first| whole(first)) {
        quantity.value += first.value.signum() * first.value.abs();
        quantity.range.start = first.range.start;
        quantity.scale = first.scale;
    }
    let mut next = quantity.clone();
    for first in found.iter_mut().rev() {
        let between = text[first.range.end..next.range.start].trim();
        let dash = matches!(between, "-" | "–" | "—" | "~" | "～" | "〜" | "−" | "/");
        let range = dash || matches!(between, "至" | "到" | "to");
        let list = matches!(between, "、" | "和" | "及" | "与" | "或");
        if first.unit == Unit::Year
            && dash
            && next.unit == Unit::Plain
            && (0.0..100.0).contains(&next.value)
            && next.range == quantity.range
        {
            // `2021-25`, `2022/23`
            quantity.unit = Unit::Label;
            break;
        }
        if !(range || list) || between == "/" {
            break;
        }
        let bare = first.unit == Unit::Plain && first.scale == 1.0 && first.factor == 1.0;
        let unscaled = range && matches!(first.unit, Unit::Money(_)) && first.scale == 1.0 && next.scale > 1.0;
        if bare && next.unit != Unit::Year && (next.unit != Unit::Plain || next.scale > 1.0) {
            first.lift(next.scale * next.factor, next.scale);
            (first.unit, first.factor, first.per) = (next.unit, next.factor, next.per);
        } else if unscaled {
            first.lift(next.scale, next.scale);
        } else if list {
            break;
        }
        if dash && matches!(first.unit, Unit::Money(_)) && quantity.unit == Unit::Plain && next.range == quantity.range {
            quantity.unit = first.unit;
        }
        if range {
            break;
        }
        next = first.clone();
    }
    found.push(quantity);
}

/// Full-width digits, signs and brackets as their ASCII twins; one character stays one character.
fn narrow(c: char) -> char {
    match c {
        '！'..='～' => char::from_u32(c as u32 - 0xFEE0).unwrap_or(c),
        '−' | '﹣' => '-',
        '﹪' => '%',
        '\u{a0}' | '\u{3000}' => ' ',
        // Thin blanks group digits: one kind is enough to tell them from blanks between words.
        '\u{2009}' => '\u{202f}',
        '〜' => '~',
        '萬' => '万',
        '億' => '亿',
        '兩' => '两',
        '點' => '点',
        '幣' => '币',
        '圓' | '圆' => '元',
        '陸' => '陆',
        '貳' => '贰',
        _ => c,
    }
}

/// Numerals as cheques write them (`壹亿贰仟万元`) as the usual ones; alone most of them are other words (`大陆`).
fn informal(mut chars: Vec<(usize, char)>) -> Vec<(usize, char)> {
    const FORMAL: &str = "壹贰叁肆伍陆柒捌玖拾佰仟";
    const USUAL: &str = "一二三四五六七八九十百千";
    let formal = |c: char| FORMAL.chars().position(|f| f == c);
    let mut start = 0;
    while start < chars.len() {
        let run = chars[start..].iter().take_while(|(_, c)| formal(*c).is_some() || "万亿零".contains(*c)).count();
        let end = start + run;
        let is_number = run >= 2
            && chars[start..end].iter().any(|(_, c)| formal(*c).is_some_and(|at| at < 9))
            && chars[start..end].iter().any(|(_, c)| "拾佰仟万亿".contains(*c))
            && (run > 2 || chars.get(end).is_some_and(|(_, c)| "元股".contains(*c)));
        for (_, c) in chars[start..end].iter_mut().filter(|_| is_number) {
            *c = formal(*c).and_then(|at| USUAL.chars().nth(at)).unwrap_or(*c);
        }
        start = end + 1;
    }
    chars
}

struct Reader<'a> {
    chars: &'a [(usize, char)],
    length: usize,
}

/// A number without its unit: value, decimals shown, whether it is written as a plain run of digits, and where it ends.
struct Number {
    value: f64,
    decimals: i32,
    plain_digits: usize,
    end: usize,
}

const CURRENCIES: &[(&str, &str)] = &[
    ("us$", "USD"),
    ("us $", "USD"),
    ("u.s.$", "USD"),
    ("u.s. $", "USD"),
    ("usd$", "USD"),
    ("hk$", "HKD"),
    ("nt$", "TWD"),
    ("a$", "AUD"),
    ("c$", "CAD"),
    ("s$", "SGD"),
    ("rmb", "CNY"),
    ("cny", "CNY"),
    ("usd", "USD"),
    ("hkd", "HKD"),
    ("eur", "EUR"),
    ("gbp", "GBP"),
    ("jpy", "JPY"),
    ("aud", "AUD"),
    ("cad", "CAD"),
    ("chf", "CHF"),
    ("sgd", "SGD"),
    ("twd", "TWD"),
    ("inr", "INR"),
    ("krw", "KRW"),
    ("rmb¥", "CNY"),
    ("cn¥", "CNY"),
    ("人民币", "CNY"),
    ("美元", "USD"),
    ("美金", "USD"),
    ("港币", "HKD"),
    ("港元", "HKD"),
    ("新台币", "TWD"),
    ("欧元", "EUR"),
    ("英镑", "GBP"),
    ("日元", "JPY"),
    ("$", "$"),
    ("¥", "¥"),
    ("￥", "¥"),
    ("€", "EUR"),
    ("£", "GBP"),
    ("₹", "INR"),
    ("₩", "KRW"),
];

/// Hundredths of money.
const CENTS: &[(&str, &str)] = &[
    ("u.s. cents", "USD"),
    ("us cents", "USD"),
    ("cents", "$"),
    ("cent", "$"),
    ("pence", "GBP"),
    ("美分", "USD"),
    ("港仙", "HKD"),
];

const MONEY_WORDS: &[(&str, &str)] = &[
    ("人民币元", "CNY"),
    ("人民币", "CNY"),
    ("美元", "USD"),
    ("美金", "USD"),
    ("港元", "HKD"),
    ("港币", "HKD"),
    ("新台币", "TWD"),
    ("台币", "TWD"),
    ("欧元", "EUR"),
    ("英镑", "GBP"),
    ("日元", "JPY"),
    ("日圆", "JPY"),
    ("韩元", "KRW"),
    ("澳元", "AUD"),
    ("加元", "CAD"),
    ("新加坡元", "SGD"),
    ("瑞士法郎", "CHF"),
    ("卢比", "INR"),
    ("卢布", "RUB"),
    ("泰铢", "THB"),
    ("元人民币", "CNY"),
    ("元", "CNY"),
    ("us dollars", "USD"),
    ("us dollar", "USD"),
    ("u.s. dollars", "USD"),
    ("u.s. dollar", "USD"),
    ("hong kong dollars", "HKD"),
    ("hk dollars", "HKD"),
    ("singapore dollars", "SGD"),
    ("canadian dollars", "CAD"),
    ("australian dollars", "AUD"),
    ("swiss francs", "CHF"),
    ("rupees", "INR"),
    ("pounds sterling", "GBP"),
    ("renminbi", "CNY"),
    ("sgd", "SGD"),
    ("chf", "CHF"),
    ("jpy", "JPY"),
    ("aud", "AUD"),
    ("cad", "CAD"),
    ("dollars", "$"),
    ("dollar", "$"),
    ("yuan", "CNY"),
    ("rmb", "CNY"),
    ("cny", "CNY"),
    ("usd", "USD"),
    ("hkd", "HKD"),
    ("euros", "EUR"),
    ("euro", "EUR"),
    ("eur", "EUR"),
    ("pounds", "GBP"),
    ("gbp", "GBP"),
    ("yen", "JPY"),
];

/// Scales in front of a unit, longest first.
const SCALES: &[(&str, f64)] = &[
    ("万亿", 1e12),
    ("千亿", 1e11),
    ("百亿", 1e10),
    ("十亿", 1e9),
    ("千万", 1e7),
    ("百万", 1e6),
    ("十万", 1e5),
    ("亿", 1e8),
    ("万", 1e4),
    ("千", 1e3),
    ("百", 1e2),
    ("hundred", 1e2),
    ("thousand", 1e3),
    ("millions", 1e6),
    ("million", 1e6),
    ("billions", 1e9),
    ("billion", 1e9),
    ("trillion", 1e12),
    ("trillions", 1e12),
    ("thousands", 1e3),
    ("crore", 1e7),
    ("lakh", 1e5),
    ("mln", 1e6),
    ("bln", 1e9),
    ("mn", 1e6),
    ("mm", 1e6),
    ("bn", 1e9),
    ("tn", 1e12),
    ("m", 1e6),
    ("b", 1e9),
    ("k", 1e3),
];

/// Measures: word, common unit, factor. Longest first where one begins another.
const MEASURES: &[(&str, &str, f64)] = &[
    ("兆瓦时", "kWh", 1e3),
    ("吉瓦时", "kWh", 1e6),
    ("千瓦时", "kWh", 1.0),
    ("千瓦", "kW", 1.0),
    ("兆瓦", "kW", 1e3),
    ("吉瓦", "kW", 1e6),
    ("kwh", "kWh", 1.0),
    ("mwh", "kWh", 1e3),
    ("gwh", "kWh", 1e6),
    ("twh", "kWh", 1e9),
    ("kw", "kW", 1.0),
    ("mw", "kW", 1e3),
    ("gw", "kW", 1e6),
    ("square kilometers", "m2", 1e6),
    ("square kilometres", "m2", 1e6),
    ("square meters", "m2", 1.0),
    ("square metres", "m2", 1.0),
    ("square feet", "m2", 0.09290304),
    ("sq. ft.", "m2", 0.09290304),
    ("平方英尺", "m2", 0.09290304),
    ("hectares", "m2", 1e4),
    ("公顷", "m2", 1e4),
    ("acres", "m2", 4046.8564224),
    ("英亩", "m2", 4046.8564224),
    ("亩", "m2", 2000.0 / 3.0),
    ("平方公里", "m2", 1e6),
    ("平方千米", "m2", 1e6),
    ("平方米", "m2", 1.0),
    ("立方米", "m3", 1.0),
    ("公里", "m", 1e3),
    ("千米", "m", 1e3),
    ("kilometers", "m", 1e3),
    ("kilometres", "m", 1e3),
    ("km", "m", 1e3),
    ("米", "m", 1.0),
    ("公吨", "kg", 1e3),
    ("吨", "kg", 1e3),
    ("metric tons", "kg", 1e3),
    ("metric tonnes", "kg", 1e3),
    ("tons", "kg", 1e3),
    ("tonnes", "kg", 1e3),
    ("公斤", "kg", 1.0),
    ("千克", "kg", 1.0),
    ("kg", "kg", 1.0),
    ("克", "kg", 1e-3),
    ("barrels", "barrel", 1.0),
    ("桶", "barrel", 1.0),
    ("标准箱", "TEU", 1.0),
    ("teu", "TEU", 1.0),
    ("升", "L", 1.0),
    ("liters", "L", 1.0),
    ("litres", "L", 1.0),
    ("℃", "°C", 1.0),
    ("°c", "°C", 1.0),
    ("人次", "visit", 1.0),
    ("个季度", "quarter", 1.0),
    ("quarters", "quarter", 1.0),
    ("周", "day", 7.0),
    ("weeks", "day", 7.0),
    ("秒", "second", 1.0),
    ("seconds", "second", 1.0),
    ("x", "times", 1.0),
    ("个月", "month", 1.0),
    ("months", "month", 1.0),
    ("小时", "hour", 1.0),
    ("hours", "hour", 1.0),
    ("分钟", "minute", 1.0),
    ("minutes", "minute", 1.0),
    ("倍", "times", 1.0),
    ("times", "times", 1.0),
    ("年", "year", 1.0),
    ("years", "year", 1.0),
    ("岁", "year", 1.0),
    ("天", "day", 1.0),
    ("日", "day", 1.0),
    ("days", "day", 1.0),
    ("人", "person", 1.0),
    ("名", "person", 1.0),
    ("位", "person", 1.0),
    ("employees", "person", 1.0),
    ("people", "person", 1.0),
    ("persons", "person", 1.0),
    ("股", "share", 1.0),
    ("shares", "share", 1.0),
    ("家", "item", 1.0),
    ("个", "item", 1.0),
    ("项", "item", 1.0),
    ("台", "item", 1.0),
    ("辆", "item", 1.0),
    ("种", "item", 1.0),
    ("件", "item", 1.0),
    ("次", "item", 1.0),
    ("只", "item", 1.0),
    ("套", "item", 1.0),
    ("户", "item", 1.0),
    ("条", "item", 1.0),
    ("所", "item", 1.0),
    ("座", "item", 1.0),
    ("篇", "item", 1.0),
    ("部", "item", 1.0),
    ("款", "item", 1.0),
    ("份", "item", 1.0),
    ("张", "item", 1.0),
    ("艘", "item", 1.0),
    ("架", "item", 1.0),
    ("颗", "item", 1.0),
    ("间", "item", 1.0),
];

impl Reader<'_> {
    fn at(&self, i: usize) -> Option<char> {
        self.chars.get(i).map(|&(_, c)| c)
    }

    fn before(&self, i: usize) -> Option<char> {
        i.checked_sub(1).and_then(|i| self.at(i))
    }

    fn byte(&self, i: usize) -> usize {
        self.chars.get(i).map_or(self.length, |&(b, _)| b)
    }

    fn blanks(&self, mut i: usize) -> usize {
        while matches!(self.at(i), Some(' ' | '\u{202f}')) {
            i += 1;
        }
        i
    }

    /// The end of `word` if it stands at `i` (letters of any case); a Latin word must also end there.
    fn word(&self, i: usize, word: &str) -> Option<usize> {
        let mut end = i;
        for c in word.chars() {
            if self.at(end)?.to_ascii_lowercase() != c {
                return None;
            }
            end += 1;
        }
        let latin = word.ends_with(|c: char| c.is_ascii_alphabetic());
        let runs_on = self.at(end).is_some_and(|c| c.is_ascii_alphabetic());
        (!(latin && runs_on)).then_some(end)
    }

    fn one_of<'t, T>(&self, i: usize, table: &'t [(&'t str, T)]) -> Option<(&'t T, usize)> {
        table.iter().find_map(|(word, value)| Some((value, self.word(i, word)?)))
    }

    /// One past what cannot start a quantity here: a whole Latin word with its digits (`FY2023`, `B-52`), else one character.
    fn skip(&self, mut i: usize) -> usize {
        if !self.at(i).is_some_and(|c| c.is_ascii_alphanumeric()) {
            return i + 1;
        }
        while self.at(i).is_some_and(|c| c.is_ascii_alphanumeric()) {
            i += 1;
        }
        i
    }

    fn quantity(&self, start: usize) -> Option<(Quantity, usize)> {
        self.share(start).or_else(|| self.amount(start))
    }

    /// `百分之三点五`, `千分之2`, `三分之一`, `two-thirds`.
    fn share(&self, start: usize) -> Option<(Quantity, usize)> {
        if let Some((&factor, i)) = self.one_of(start, &[("百分之", 1.0), ("千分之", 0.1), ("万分之", 0.01)]) {
            let (negative, i) = if self.at(i) == Some('负') { (true, i + 1) } else { (false, i) };
            let number = self.digits(i).or_else(|| self.han_number(i))?;
            let value = number.value * factor * if negative { -1.0 } else { 1.0 };
            let precision = 0.5 * 10f64.powi(-number.decimals) * factor;
            return Some((self.made(start, number.end, value, precision, (1.0, 1.0), Unit::Percent), number.end));
        }
        // A fraction is told in percent, as exactly as such words are meant.
        const THIRDS: &[(&str, f64)] = &[("one-third", 1.0), ("one third", 1.0), ("two-thirds", 2.0), ("two thirds", 2.0)];
        if let Some((&thirds, end)) = self.one_of(start, THIRDS).filter(|_| !self.before(start).is_some_and(char::is_alphabetic))
        {
            return Some((self.made(start, end, thirds / 0.03, 0.5, (1.0, 1.0), Unit::Percent), end));
        }
        let below = self.han_number(start).filter(|n| n.end - start <= 2)?;
        let i = self.word(below.end, "分之")?;
        let above = self.han_number(i).filter(|n| n.value <= below.value)?;
        let value = above.value / below.value * 100.0;
        Some((self.made(start, above.end, value, 0.5, (1.0, 1.0), Unit::Percent), above.end))
    }

    /// `2023-12-31`, `2023/6/30`, `12/31/2023`, `10:30`: years and labels.
    fn date(&self, start: usize) -> Option<(Vec<Quantity>, usize)> {
        let joins = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ',' | '-' | '/' | ':' | '$');
        if !self.at(start)?.is_ascii_digit() || self.before(start).is_some_and(joins) {
            return None;
        }
        let run = |from: usize| {
            let mut end = from;
            while end - from < 9 && self.at(end).is_some_and(|c| c.is_ascii_digit()) {
                end += 1;
            }
            let value = self.chars[from..end].iter().fold(0u32, |n, &(_, c)| n * 10 + c.to_digit(10).unwrap_or(0));
            (end, end - from, value)
        };
        let (a_end, a_digits, a) = run(start);
        let mark = self.at(a_end).filter(|c| matches!(c, '-' | '/' | '.' | ':'))?;
        let (b_end, b_digits, b) = run(a_end + 1);
        let third = (self.at(b_end) == Some(mark)).then(|| run(b_end + 1)).filter(|(_, digits, _)| *digits > 0);
        let year = |digits: usize, value: u32| digits == 4 && (1900..2100).contains(&value);
        let month = |digits: usize, value: u32| (1..=2).contains(&digits) && (1..=12).contains(&value);
        let day = |digits: usize, value: u32| (1..=2).contains(&digits) && (1..=31).contains(&value);
        let part = |from: usize, to: usize, value: u32, unit: Unit| self.made(from, to, f64::from(value), 0.5, (1.0, 1.0), unit);
        let ends = |end: usize| !self.at(end).is_some_and(|c| c.is_ascii_alphanumeric() || c == '%');
        if mark == ':' {
            let time = a_digits <= 2
                && a < 24
                && b_digits == 2
                && b < 60
                && ends(b_end)
                && third.is_none_or(|(_, d, v)| d == 2 && v < 60);
            let end = third.map_or(b_end, |(end, ..)| end);
            let parts = vec![part(start, a_end, a, Unit::Label), part(a_end + 1, b_end, b, Unit::Label)];
            return time.then_some((parts, end));
        }
        match third {
            Some((end, digits, c)) if year(a_digits, a) && month(b_digits, b) && day(digits, c) && ends(end) => {
                let parts = vec![
                    part(start, a_end, a, Unit::Year),
                    part(a_end + 1, b_end, b, Unit::Label),
                    part(b_end + 1, end, c, Unit::Label),
                ];
                Some((parts, end))
            }
            Some((end, digits, c)) if mark != '.' && month(a_digits, a) && day(b_digits, b) && year(digits, c) && ends(end) => {
                let parts = vec![
                    part(start, a_end, a, Unit::Label),
                    part(a_end + 1, b_end, b, Unit::Label),
                    part(b_end + 1, end, c, Unit::Year),
                ];
                Some((parts, end))
            }
            None if mark != '.' && year(a_digits, a) && b_digits == 2 && month(2, b) && ends(b_end) => {
                Some((vec![part(start, a_end, a, Unit::Year), part(a_end + 1, b_end, b, Unit::Label)], b_end))
            }
            _ => None,
        }
    }

    fn amount(&self, start: usize) -> Option<(Quantity, usize)> {
        let mut i = start;
        let bracket = self.at(i) == Some('(');
        if bracket {
            i = self.blanks(i + 1);
        }
        let mut negative = false;
        let said = self.one_of(i, &[("minus", ()), ("negative", ()), ("负", ())]).map(|(_, end)| self.blanks(end));
        if let Some(next) =
            said.filter(|&n| self.at(n).is_some_and(|c| c.is_ascii_digit() || "$¥€£￥".contains(c) || HAN_DIGITS.contains(c)))
        {
            negative = true;
            i = next;
        } else if self.sign(i) {
            negative = self.at(i) != Some('+');
            i += 1;
        }
        let mut currency = None;
        let free = !self.before(i).is_some_and(|c| c.is_ascii_alphanumeric());
        if let Some((&code, end)) = self.currency(i).filter(|_| free) {
            currency = Some(code);
            i = self.blanks(end);
            if self.at(i) == Some('(') && self.at(i + 1).is_some_and(|c| c.is_ascii_digit()) {
                // `$(1,234)`
                return self.inner(start, i + 1, currency, true, true);
            }
            if self.sign(i) {
                negative = self.at(i) != Some('+');
                i += 1;
            }
        }
        self.inner(start, i, currency, negative, bracket)
    }

    fn currency(&self, i: usize) -> Option<(&&'static str, usize)> {
        CURRENCIES.iter().find_map(|(word, code)| {
            let mut end = i;
            for c in word.chars() {
                (self.at(end)?.to_ascii_lowercase() == c).then_some(())?;
                end += 1;
            }
            // The code of a currency may touch its number (`RMB100`), but not a longer word (`rmbx`).
            let next = self.at(self.blanks(end))?;
            (next.is_ascii_digit() || "+-(".contains(next) || HAN_DIGITS.contains(next)).then_some((code, end))
        })
    }

    fn sign(&self, i: usize) -> bool {
        let minus = match self.at(i) {
            Some('负') => true,
            // Behind a number or its unit it is the dash of a range.
            Some('-' | '+' | '–') => !self.before(i).is_some_and(|c| {
                c.is_ascii_alphanumeric()
                    || ")%‰年月日号元万亿千百吨人家个倍米股岁天名台项次点".contains(c)
                    || HAN_DIGITS.contains(c)
            }),
            _ => false,
        };
        minus && self.at(i + 1).is_some_and(|c| c.is_ascii_digit() || "$¥€£￥".contains(c) || HAN_DIGITS.contains(c))
    }

    fn inner(
        &self,
        start: usize,
        at: usize,
        currency: Option<&'static str>,
        negative: bool,
        bracket: bool,
    ) -> Option<(Quantity, usize)> {
        let touches_word = currency.is_none()
            && self.before(at).is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && self.at(at).is_some_and(|c| c.is_ascii_digit());
        if touches_word {
            return None;
        }
        let (number, written) = self
            .digits(at)
            .map(|n| (n, Written::Digits))
            .or_else(|| self.han_number(at).map(|n| (n, Written::Han)))
            .or_else(|| self.english_number(at).map(|n| (n, Written::English)))?;
        // `20余家`, `3,000多万元`: how much more is not said.
        let end = match self.at(number.end) {
            Some('余' | '多' | '来' | '几') if written != Written::English => number.end + 1,
            _ => number.end,
        };
        let letters = self.letter_scales(&number, currency.is_some());
        let (mut scale, mut end) = self.scale(end, letters).unwrap_or((1.0, end));
        if scale > 1.0 && matches!(self.at(end), Some('余' | '多')) {
            end += 1;
        }
        if scale > 1.0
            && let Some((factor, next)) = self.scale(end, false)
        {
            // `3.5万亿`, `two hundred million`
            (scale, end) = (scale * factor, next);
        }
        let (unit, factor, next) = self.unit(start, at, &number, written, scale, currency, end);
        // `10多` without a unit is no more than `10`.
        end = if next == end && scale == 1.0 { number.end } else { next };
        if scale == 1.0 && unit == Unit::Plain && self.at(end).is_some_and(|c| c.is_ascii_alphabetic()) {
            return None;
        }
        if written == Written::Han && !self.han_counts(at, &number, end) {
            return None;
        }
        let closed = bracket && self.at(self.blanks(end)) == Some(')');
        let small = number.plain_digits == 1 && number.decimals == 0 && scale == 1.0 && unit == Unit::Plain;
        let negative = negative && (!bracket || closed || self.at(start) != Some('('))
            || closed && self.at(start) == Some('(') && !small && unit != Unit::Year && unit != Unit::Label;
        let first = if closed || self.at(start) != Some('(') { start } else { at };
        end = if closed { self.blanks(end) + 1 } else { end };
        let mut unit = unit;
        if closed && scale == 1.0 {
            // `(4.0)%`, `$(4.0) million`
            if let Some((by, next)) = self.scale(end, false) {
                (scale, end) = (by, next);
            } else if unit == Unit::Plain && self.at(self.blanks(end)) == Some('%') {
                (unit, end) = (Unit::Percent, self.blanks(end) + 1);
            }
        }
        let (per, end) = self.per(end, unit);
        let value = number.value * scale * factor * if negative { -1.0 } else { 1.0 };
        let precision = 0.5 * 10f64.powi(-number.decimals) * scale * factor;
        Some((Quantity { per, ..self.made(first, end, value, precision, (scale, factor), unit) }, end))
    }

    /// A scale and where it ends. What begins like one may be a unit (`千瓦`, `百分点`).
    fn scale(&self, at: usize, letters: bool) -> Option<(f64, usize)> {
        let gap = self.blanks(at);
        const UNITS: &[(&str, ())] = &[("千瓦", ()), ("千米", ()), ("千克", ()), ("百分点", ()), ("千卡", ()), ("千伏", ())];
        if self.one_of(gap, UNITS).is_some() {
            return None;
        }
        let (&factor, next) = self.one_of(gap, SCALES)?;
        // One letter counts only where it touches the number: `5m`, not `5 m`.
        let letter = next == gap + 1 && self.at(gap).is_some_and(|c| c.is_ascii_alphabetic());
        (!letter || letters && gap == at).then_some((factor, next))
    }

    /// Whether a single letter behind a number is a scale: behind a currency, a decimal, or several digits. `3M` is a company,
    /// `4K` a screen.
    fn letter_scales(&self, number: &Number, money: bool) -> bool {
        money || (number.decimals > 0 || number.plain_digits != 1) && self.at(number.end) != Some('K')
    }

    /// What it is counted per: `0.35元/股`, `$1.25 per share`, `每股` behind.
    fn per(&self, end: usize, unit: Unit) -> (Option<&'static str>, usize) {
        const PER: &[(&str, &str)] = &[
            ("/股", "share"),
            ("每股", "share"),
            ("per diluted share", "share"),
            ("per common share", "share"),
            ("per ordinary share", "share"),
            ("per share", "share"),
            ("a share", "share"),
            ("/share", "share"),
            ("/吨", "tonne"),
            ("每吨", "tonne"),
            ("per tonne", "tonne"),
            ("per ton", "tonne"),
            ("/ton", "tonne"),
            ("/千瓦时", "kWh"),
            ("/度", "kWh"),
            ("per kwh", "kWh"),
            ("/kwh", "kWh"),
            ("/平方米", "m2"),
            ("/平米", "m2"),
            ("per square meter", "m2"),
            ("per square metre", "m2"),
            ("per barrel", "barrel"),
            ("/桶", "barrel"),
            ("/人", "person"),
            ("per employee", "person"),
            ("per person", "person"),
            ("/年", "year"),
            ("per year", "year"),
            ("per annum", "year"),
            ("a year", "year"),
            ("/月", "month"),
            ("per month", "month"),
        ];
        match self.one_of(self.blanks(end), PER) {
            Some((per, next)) if matches!(unit, Unit::Money(_) | Unit::Measure(_)) => (Some(per), next),
            _ => (None, end),
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn unit(
        &self,
        start: usize,
        at: usize,
        number: &Number,
        written: Written,
        scale: f64,
        currency: Option<&'static str>,
        end: usize,
    ) -> (Unit, f64, usize) {
        let gap = self.blanks(end);
        let percent: &[(&str, (Unit, f64))] = &[
            ("%", (Unit::Percent, 1.0)),
            ("‰", (Unit::Percent, 0.1)),
            ("percentage points", (Unit::Point, 1.0)),
            ("percentage point", (Unit::Point, 1.0)),
            ("个百分点", (Unit::Point, 1.0)),
            ("百分点", (Unit::Point, 1.0)),
            ("basis points", (Unit::Point, 0.01)),
            ("个基点", (Unit::Point, 0.01)),
            ("基点", (Unit::Point, 0.01)),
            ("个bp", (Unit::Point, 0.01)),
            ("bps", (Unit::Point, 0.01)),
            ("bp", (Unit::Point, 0.01)),
            ("ppts", (Unit::Point, 1.0)),
            ("ppt", (Unit::Point, 1.0)),
            ("pp", (Unit::Point, 1.0)),
            ("个pct", (Unit::Point, 1.0)),
            ("percentage-points", (Unit::Point, 1.0)),
            ("percentage-point", (Unit::Point, 1.0)),
            ("percent", (Unit::Percent, 1.0)),
            ("per cent", (Unit::Percent, 1.0)),
            ("pct", (Unit::Percent, 1.0)),
            ("成", (Unit::Percent, 10.0)),
        ];
        if let Some((&(unit, factor), next)) = self.one_of(gap, percent) {
            return (unit, factor, next);
        }
        if let Some((&code, next)) = self.one_of(gap, CENTS) {
            return (money(code), 0.01, next);
        }
        if let Some((&code, next)) = self.one_of(gap, MONEY_WORDS) {
            let code = match currency {
                Some(named) if named != "$" && named != "¥" => named,
                _ => code,
            };
            return (money(code), 1.0, next);
        }
        if let Some(code) = currency {
            return (money(code), 1.0, end);
        }
        if let Some(label) = self.label(start, at, number, scale, end) {
            return label;
        }
        let measure = MEASURES.iter().find_map(|&(word, unit, factor)| Some((unit, factor, self.word(gap, word)?)));
        match measure {
            Some((unit, factor, next)) if !unit.is_empty() => (Unit::Measure(unit), factor, next),
            _ if written == Written::Digits && is_year(number, scale) => (Unit::Year, 1.0, end),
            _ => (Unit::Plain, 1.0, end),
        }
    }

    /// Years, months, days and ordinals.
    fn label(&self, start: usize, at: usize, number: &Number, scale: f64, end: usize) -> Option<(Unit, f64, usize)> {
        let gap = self.blanks(end);
        let year = is_year(number, scale) || number.decimals == 0 && (1000.0..2200.0).contains(&number.value) && scale == 1.0;
        match self.at(gap) {
            Some('年') if year && number.plain_digits == 4 => return Some((Unit::Year, 1.0, gap + 1)),
            Some('月') if scale == 1.0 => return Some((Unit::Label, 1.0, gap + 1)),
            Some('日' | '号') if scale == 1.0 && self.before(at) == Some('月') => return Some((Unit::Label, 1.0, gap + 1)),
            _ => {}
        }
        if matches!(self.before(start), Some('第' | '#')) {
            return Some((Unit::Label, 1.0, end));
        }
        if scale == 1.0 && (self.word(gap, "季度").is_some() || self.word(gap, "年代").is_some() && number.plain_digits == 2)
        {
            return Some((Unit::Label, 1.0, end));
        }
        const NUMBERED: &[&str] = &[
            "note", "notes", "item", "section", "page", "no", "level", "tier", "phase", "chapter", "rule", "iso", "asc", "asu",
            "ifrs", "ias", "figure", "table", "exhibit", "part", "step", "version", "appendix", "article", "topic",
        ];
        let shown = scale == 1.0 && !self.at(gap).is_some_and(|c| c == '%' || c.is_alphabetic());
        if shown
            && (NUMBERED.contains(&self.word_before(start).as_str()) || matches!(self.before(start), Some('表' | '图' | '注')))
        {
            return Some((Unit::Label, 1.0, end));
        }
        let ordinal = ["st", "nd", "rd", "th"].iter().find_map(|s| self.word(end, s));
        if let Some(end) = ordinal.filter(|_| scale == 1.0) {
            return Some((Unit::Label, 1.0, end));
        }
        let day = number.plain_digits <= 2 && number.decimals == 0 && (1.0..=31.0).contains(&number.value);
        if day && (self.month_before(at) || self.month_at(gap)) {
            return Some((Unit::Label, 1.0, end));
        }
        None
    }

    /// The Latin word right before a place, folded.
    fn word_before(&self, at: usize) -> String {
        let mut end = at;
        while end > 0 && self.at(end - 1).is_some_and(|c| c == ' ' || c == '.') {
            end -= 1;
        }
        let mut start = end;
        while start > 0 && end - start < 12 && self.at(start - 1).is_some_and(|c| c.is_ascii_alphabetic()) {
            start -= 1;
        }
        self.chars[start..end].iter().map(|&(_, c)| c.to_ascii_lowercase()).collect()
    }

    fn month_before(&self, at: usize) -> bool {
        let mut end = at;
        while end > 0 && self.at(end - 1).is_some_and(|c| c == ' ' || c == '.') {
            end -= 1;
        }
        let mut start = end;
        while start > 0 && end - start < 10 && self.at(start - 1).is_some_and(|c| c.is_ascii_alphabetic()) {
            start -= 1;
        }
        let capital = self.at(start).is_some_and(|c| c.is_ascii_uppercase());
        let word: String = self.chars[start..end].iter().map(|&(_, c)| c.to_ascii_lowercase()).collect();
        end < at && capital && lexical::month(&word).is_some()
    }

    fn month_at(&self, i: usize) -> bool {
        let letters = (i..).map_while(|i| self.at(i).filter(char::is_ascii_alphabetic)).take(10);
        let word: String = letters.map(|c| c.to_ascii_lowercase()).collect();
        self.at(i).is_some_and(|c| c.is_ascii_uppercase()) && lexical::month(&word).is_some()
    }

    /// `1,234.5`, `1234`, `.5`; not part of a longer chain such as `1.2.3`.
    fn digits(&self, start: usize) -> Option<Number> {
        let digit_at = |i: Option<usize>| i.and_then(|i| self.at(i)).is_some_and(|c| c.is_ascii_digit());
        let chained = self.before(start) == Some('.') && digit_at(start.checked_sub(2));
        if chained || digit_at(start.checked_sub(1)) {
            return None;
        }
        let mut digits = String::new();
        let mut i = start;
        let mut grouped = false;
        while let Some(c) = self.at(i) {
            let group = (c == ',' || c == '\u{202f}')
                && !digits.is_empty()
                && (1..=3).all(|k| self.at(i + k).is_some_and(|c| c.is_ascii_digit()))
                && !self.at(i + 4).is_some_and(|c| c.is_ascii_digit());
            if c.is_ascii_digit() {
                digits.push(c);
            } else if group {
                grouped = true;
            } else {
                break;
            }
            i += 1;
        }
        let whole = digits.len();
        let mut decimals = 0;
        if self.at(i) == Some('.') && self.at(i + 1).is_some_and(|c| c.is_ascii_digit()) {
            digits.push('.');
            i += 1;
            while let Some(c) = self.at(i).filter(char::is_ascii_digit) {
                digits.push(c);
                decimals += 1;
                i += 1;
            }
            if self.at(i) == Some('.') && self.at(i + 1).is_some_and(|c| c.is_ascii_digit()) {
                return None;
            }
        }
        if digits.is_empty() || digits == "." || digits.len() > 40 {
            return None;
        }
        let value = if digits.starts_with('.') { format!("0{digits}") } else { digits }.parse().ok()?;
        Some(Number { value, decimals, plain_digits: if grouped { 0 } else { whole }, end: i })
    }

    /// `三亿五千万`, `二〇二二`, `十二点五`, `两百`.
    fn han_number(&self, start: usize) -> Option<Number> {
        let mut end = start;
        while self.at(end).is_some_and(|c| HAN_DIGITS.contains(c) || HAN_SCALES.contains(c)) {
            end += 1;
        }
        let run: Vec<char> = self.chars[start..end].iter().map(|&(_, c)| c).collect();
        if run.is_empty() || run.len() > 24 {
            return None;
        }
        let mut value = if run.iter().all(|c| HAN_DIGITS.contains(*c)) { spelled(&run)? } else { composed(&run)? };
        let plain_digits = if run.iter().all(|c| HAN_DIGITS.contains(*c)) { run.len() } else { 0 };
        let mut decimals = 0;
        if self.at(end) == Some('点') && self.at(end + 1).is_some_and(|c| HAN_DIGITS.contains(c)) {
            end += 1;
            while let Some(digit) = self.at(end).and_then(han_digit) {
                decimals += 1;
                value += digit * 10f64.powi(-decimals);
                end += 1;
            }
        }
        Some(Number { value, decimals, plain_digits, end })
    }

    /// A Chinese numeral is often part of a word (`统一`, `十分`, `万一`): it counts with a unit behind it, as a run of digits
    /// for a year, or where it is plainly composed (`三百五十`).
    fn han_counts(&self, at: usize, number: &Number, end: usize) -> bool {
        let length = number.end - at;
        let has_unit = end > number.end;
        let joined = self.before(at).is_some_and(|c| "统唯单万专同划第不之逐".contains(c)) && length == 1;
        let begins = self.at(at).is_some_and(|c| HAN_DIGITS.contains(c) || c == '十');
        let large = length == 2 && matches!(self.at(at + 1), Some('万' | '亿'));
        begins && !joined && (has_unit || length >= 3 || large || number.decimals > 0)
    }

    /// `twenty-five`, `two million`, `three hundred and five`; a lone `one` is a pronoun.
    fn english_number(&self, start: usize) -> Option<Number> {
        if self.before(start).is_some_and(|c| c.is_alphanumeric() || c == '-') {
            return None;
        }
        let (mut total, mut part, mut end, mut words) = (0.0, 0.0, start, 0);
        let mut i = start;
        while let Some((word, next)) = self.latin(i) {
            let small = ENGLISH.iter().position(|w| *w == word).map(|n| n as f64);
            let tens = TENS.iter().position(|w| *w == word).map(|n| (n as f64 + 2.0) * 10.0);
            match (small.or(tens), word.as_str()) {
                (Some(n), _) if part % 10.0 == 0.0 => part += n,
                (None, "hundred") if part > 0.0 => part *= 100.0,
                (None, "thousand") if part > 0.0 => {
                    total += part * 1e3;
                    part = 0.0;
                }
                (None, "and") if words > 0 && part >= 100.0 => {}
                _ => break,
            }
            if word != "and" {
                end = next;
                words += 1;
            }
            i = if self.at(next) == Some('-') { next + 1 } else { self.blanks(next) };
        }
        let value = total + part;
        let scaled = self.one_of(self.blanks(end), &SCALES[11..18]).is_some();
        if words == 0 || words == 1 && value <= 1.0 && !scaled {
            return None;
        }
        Some(Number { value, decimals: 0, plain_digits: 0, end })
    }

    fn latin(&self, start: usize) -> Option<(String, usize)> {
        let mut word = String::new();
        let mut i = start;
        while let Some(c) = self.at(i).filter(char::is_ascii_alphabetic) {
            word.push(c.to_ascii_lowercase());
            i += 1;
            if word.len() > 10 {
                return None;
            }
        }
        (!word.is_empty()).then_some((word, i))
    }

    fn made(&self, start: usize, end: usize, value: f64, precision: f64, (scale, factor): (f64, f64), unit: Unit) -> Quantity {
        Quantity { range: self.byte(start)..self.byte(end), value, precision, scale, unit, per: None, factor }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Written {
    Digits,
    Han,
    English,
}

const HAN_DIGITS: &str = "零〇一二三四五六七八九两";
const HAN_SCALES: &str = "十百千万亿";
const ENGLISH: &[&str] = &[
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: &[&str] = &["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

fn money(code: &'static str) -> Unit {
    Unit::Money(Some(code))
}

fn is_year(number: &Number, scale: f64) -> bool {
    scale == 1.0 && number.plain_digits == 4 && number.decimals == 0 && (1900.0..2100.0).contains(&number.value)
}

fn han_digit(c: char) -> Option<f64> {
    match c {
        '〇' => Some(0.0),
        '两' => Some(2.0),
        _ => "零一二三四五六七八九".chars().position(|d| d == c).map(|n| n as f64),
    }
}

/// Digit by digit: `二〇二二`.
fn spelled(run: &[char]) -> Option<f64> {
    run.iter().try_fold(0.0, |sum, &c| Some(sum * 10.0 + han_digit(c)?))
}

/// `三亿五千万`: sections of 10,000, each of digits with 千, 百, 十.
fn composed(run: &[char]) -> Option<f64> {
    let (mut total, mut section, mut digit) = (0.0, 0.0, None);
    for &c in run {
        match c {
            '十' | '百' | '千' => {
                let weight = if c == '十' {
                    10.0
                } else if c == '百' {
                    100.0
                } else {
                    1000.0
                };
                section += digit.take().unwrap_or(1.0) * weight;
            }
            '万' | '亿' => {
                let weight = if c == '万' { 1e4 } else { 1e8 };
                let below: f64 = section + digit.take().unwrap_or(0.0);
                // `三万亿`: the whole so far is multiplied.
                total = if below == 0.0 {
                    f64::max(total, 1.0) * weight
                } else if total < weight {
                    (total + below) * weight
                } else {
                    total + below * weight
                };
                section = 0.0;
            }
            _ => digit = Some(han_digit(c)?),
        }
    }
    Some(total + section + digit.unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_unit_line_names_its_scale() {
        let cases = [
            ("单位：万元", Some(1e4)),
            ("单位：人民币百万元", Some(1e6)),
            ("单位：亿元", Some(1e8)),
            ("单位：千元", Some(1e3)),
            ("单位：元", None),
            ("(in millions)", Some(1e6)),
            ("(In thousands, except per share)", Some(1e3)),
            ("£'000", Some(1e3)),
        ];
        for (line, scale) in cases {
            assert_eq!(scale_of(line), scale, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic_and_the_ranges_lie_in_it(text in "[0-9０-９,.．，%％（）()$￥¥€百十千万亿零一二三两点分之第年月日元mbnkKMQFY' \\-−a-c美元个 hundredtwo]{0,40}|\\PC{0,60}") {
            let mut end = 0;
            for quantity in quantities(&text) {
                prop_assert!(text.get(quantity.range.clone()).is_some());
                prop_assert!(quantity.range.start >= end && quantity.range.end > quantity.range.start);
                end = quantity.range.end;
            }
        }
    }
}
